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

/* Is it the peer's, the port that stands here behind a host? */
static bool is_port_of(const struct td_addr *peer, struct td_str rest)
{
	uint32_t said = 5060;
	size_t n = 1;

	if (rest.n && rest.p[0] == ':') {
		while (n < rest.n && rest.p[n] >= '0' && rest.p[n] <= '9')
			n++;
		if (td_str_u32(&said, td_str_n(rest.p + 1, n - 1)))
			return false;
	}
	return said == peer->port;
}

/*
 * Does the Contact of a request name the host that sent it (by a stream: its very end of the connection)? Nearly all do, in the same
 * letters as its Via or as `received`; those of other letters are taken for strangers', which costs them a longer Record-Route.
 */
static bool contact_is_source(const struct td_msg *m, const struct td_flow *from)
{
	struct td_str v = td_msg_value(m, TD_HDR_CONTACT), ip = m->received.n ? m->received : m->via.host;
	const char *end = v.p + v.n, *at = td_str_chr(v, '@'), *after;

	if (at && ip.n < (size_t)(end - at) && !memcmp(at + 1, ip.p, ip.n)) /* nearly always */
		at++;
	else
		at = ip.n ? memmem(v.p, v.n, ip.p, ip.n) : NULL;
	if (!at || at == v.p || (at[-1] != '@' && at[-1] != ':' && at[-1] != '['))
		return false;
	after = at + ip.n;
	if (from->peer.family == TD_AF_V6 && after < end && *after == ']')
		after++;
	if (after < end && *after != ':' && *after != '>' && *after != ';' && *after != '?')
		return false;
	return !td_proto_reliable((enum td_proto)from->proto) || is_port_of(&from->peer, td_str_n(after, (size_t)(end - after)));
}

/* It comes from the caller itself, and its Contact leads nowhere, or past the way it came: NAT, or a connection (RFC 5626 §5.3.2). */
static bool needs_flow_back(const struct px_copy *copy)
{
	const struct td_msg *m = copy->msg;
	const struct td_hdr *via = td_msg_hdr(m, TD_HDR_VIA);

	return !via->next && via->value_n == m->via.text.n && !td_msg_hdr(m, TD_HDR_RECORD_ROUTE) &&
	       td_msg_hdr(m, TD_HDR_CONTACT) && !contact_is_source(m, copy->in);
}

/* "If the Request-URI contains a SIPS URI, or the topmost Route header field value": so that all of the dialog goes over TLS. */
static bool wants_sips(const struct px_copy *copy)
{
	const struct td_route *r = copy->route;

	return r->sips || (r->next_is_route && r->next.scheme == TD_SCHEME_SIPS);
}

static void put_one(struct td_out *o, const struct px_copy *copy, const struct td_flow *side, const char cookie[TD_COOKIE_LEN],
		    const struct td_flow *const flow[TD_SIDES])
{
	bool sips = td_proto_secure((enum td_proto)side->proto) && wants_sips(copy);

	td_out_str(o, sips ? TD_STR("Record-Route: <sips:") : TD_STR("Record-Route: <sip:"));
	td_tp_put_sent_by(o, copy->core->tp, side);
	if (!sips || side->proto != TD_TLS) /* "MUST NOT use the transport=tls parameter" there (RFC 5630 §5.3) */
		td_out_str(o, td_proto_param((enum td_proto)side->proto));
	td_out_str(o, TD_STR(";lr;" TD_COOKIE_PARAM "="));
	td_out_str(o, td_str_n(cookie, TD_COOKIE_LEN));
	if (flow[TD_SIDE_CALLER] || flow[TD_SIDE_CALLEE])
		td_route_put_flows(o, copy->core->rr_key, copy->msg->call_id, copy->msg->from_tag, flow);
	td_out_str(o, TD_STR(">\r\n"));
}

/* Of two values, the one that each side's requests show first has the flow to the other side. */
void px_put_record_route(struct td_out *o, const struct px_copy *copy)
{
	const struct td_flow *const flow[TD_SIDES] = {
		[TD_SIDE_CALLER] = needs_flow_back(copy) ? copy->in : NULL,
		[TD_SIDE_CALLEE] = copy->by_flow ? copy->out : NULL,
	};
	const struct td_msg *m = copy->msg;
	char cookie[TD_COOKIE_LEN];

	td_route_cookie(cookie, copy->core->rr_key, copy->route->stateless ? TD_COOKIE_STATELESS : TD_COOKIE_STATEFUL, m->call_id,
			m->from_tag);
	if (copy->out->listener == copy->in->listener) {
		put_one(o, copy, copy->in, cookie, flow);
		return;
	}
	put_one(o, copy, copy->out, cookie, (const struct td_flow *[TD_SIDES]){ [TD_SIDE_CALLER] = flow[TD_SIDE_CALLER] });
	put_one(o, copy, copy->in, cookie, (const struct td_flow *[TD_SIDES]){ [TD_SIDE_CALLEE] = flow[TD_SIDE_CALLEE] });
}
