/*
 * Our Record-Route values (§16.6 item 4): we stay on the path of every dialog, so that its later requests can be told from a
 * stranger's by the cookie they bring back (server/route). When a request leaves by another listener than it came in by, there
 * are two values, one per side, each naming the address that side can reach (RFC 5658 §5); the one for the callee's side is on top.
 */
#include "server/proxy/internal.h"

/* Methods whose 2xx makes a dialog, and methods we do not know, which might (§16.6 item 4). */
bool px_wants_record_route(const struct td_msg *msg)
{
	switch (msg->method) {
	case TD_INVITE:
	case TD_SUBSCRIBE:
	case TD_NOTIFY:
	case TD_REFER:
	case TD_METHOD_OTHER: return true;
	default: return false;
	}
}

static void put_one(struct td_out *o, const struct px_copy *copy, const struct td_flow *side, const char cookie[TD_COOKIE_LEN])
{
	td_out_str(o, TD_STR("Record-Route: <sip:"));
	td_tp_put_sent_by(o, copy->core->tp, side);
	if (side->proto == TD_TCP)
		td_out_str(o, TD_STR(";transport=tcp"));
	td_out_str(o, TD_STR(";lr;" TD_COOKIE_PARAM "="));
	td_out_str(o, td_str_n(cookie, TD_COOKIE_LEN));
	td_out_str(o, TD_STR(">\r\n"));
}

void px_put_record_route(struct td_out *o, const struct px_copy *copy)
{
	const struct td_msg *m = copy->msg;
	char cookie[TD_COOKIE_LEN];

	td_route_cookie(cookie, copy->core->rr_key, copy->route->stateless ? TD_COOKIE_STATELESS : TD_COOKIE_STATEFUL, m->call_id,
			m->from_tag);
	if (copy->out->listener != copy->in->listener)
		put_one(o, copy, copy->out, cookie);
	put_one(o, copy, copy->in, cookie);
}
