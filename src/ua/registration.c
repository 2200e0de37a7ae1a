/*
 * A registration that stays: refreshed when nine tenths of what the registrar granted have passed, tried again when it failed, with
 * one Call-ID and a growing CSeq as §10.2 asks. The pause after a failure doubles from 30 seconds to half an hour (RFC 5626 §4.5), or
 * is what the registrar wants it to be: a wrong password is not taken for an attack, and a registrar that is back not for another.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>

enum { RETRY_MS = 30000, RETRY_MOST_MS = 1800000, MIN_REFRESH_MS = 1000 };

static int send_register(struct td_reg *reg);

static uint32_t granted(const struct td_reg *reg, const struct td_msg *m)
{
	struct td_values it;
	struct td_str v;
	struct td_contact c;
	struct td_uri mine, theirs;
	uint32_t seconds = reg->expires_s;

	if (td_msg_value(m, TD_HDR_EXPIRES).n)
		td_delta_seconds(&seconds, td_msg_value(m, TD_HDR_EXPIRES));
	if (td_uri_parse(&mine, reg->contact))
		return seconds;
	td_values_of(&it, m, TD_HDR_CONTACT);
	while (td_values_next(&v, &it) == 1) {
		if (td_contact_parse(&c, v) || c.star || c.expires < 0 || td_uri_parse(&theirs, c.addr.uri.text) ||
		    !td_uri_eq(&mine, &theirs))
			continue;
		return (uint32_t)c.expires;
	}
	return seconds;
}

static void again_later(struct td_reg *reg, uint64_t ms)
{
	td_timer_start(reg->ua->loop, &reg->timer, ms < MIN_REFRESH_MS ? MIN_REFRESH_MS : ms);
}

static void retry_later(struct td_reg *reg, const struct td_msg *m)
{
	struct td_retry_after wish;

	reg->pause_ms = !reg->pause_ms ? RETRY_MS : 2 * reg->pause_ms < RETRY_MOST_MS ? 2 * reg->pause_ms : RETRY_MOST_MS;
	if (m && td_retry_after_parse(&wish, td_msg_value(m, TD_HDR_RETRY_AFTER)) == 0 && wish.seconds <= RETRY_MOST_MS / 1000)
		again_later(reg, (uint64_t)wish.seconds * 1000);
	else
		again_later(reg, reg->pause_ms);
}

static void tell(struct td_reg *reg, bool registered, int err, const struct td_msg *m, uint32_t expires_s)
{
	struct td_reg_state st = { .registered = registered, .err = err, .expires_s = expires_s };

	if (m) {
		st.status = m->status;
		st.reason = m->reason;
	}
	if (reg->fn)
		reg->fn(reg, &st, reg->arg);
}

/* 423: once with the registrar's own least lifetime (§10.2.8). */
static bool lengthen(struct td_reg *reg, const struct td_msg *m)
{
	uint32_t seconds;

	if (m->status != 423 || reg->removing || reg->lengthened ||
	    td_delta_seconds(&seconds, td_msg_value(m, TD_HDR_MIN_EXPIRES)) || seconds <= reg->expires_s)
		return false;
	reg->lengthened = true;
	reg->expires_s = seconds;
	return send_register(reg) == 0;
}

/* reg may be gone after telling. */
static void on_answer(struct td_request *r, int err, const struct td_msg *m, void *arg)
{
	struct td_reg *reg = arg;
	uint32_t seconds = 0;

	reg->cseq = r->cseq;
	reg->request = NULL;
	if (!err && lengthen(reg, m))
		return;
	reg->lengthened = false;
	if (!err && m->status < 300 && !reg->removing)
		seconds = granted(reg, m);
	if (seconds) {
		reg->pause_ms = 0;
		td_out_free(&reg->before);
		td_out_init(&reg->before);
		again_later(reg, (uint64_t)seconds * 900);
	} else if (!reg->removing) {
		retry_later(reg, m);
	}
	tell(reg, seconds > 0, err, m, seconds);
}

/*
 * Over TLS we can be reached only over the connection we made, and its end is the Contact: another connection, another Contact, and the
 * one before is taken back with it, so that nobody calls where nobody is.
 */
static int contact_of_connection(struct td_reg *reg)
{
	struct td_flow flow;
	int err = ua_flow_to_proxy(&flow, reg->ua);

	if (err || flow.conn == reg->conn)
		return err;
	reg->conn = flow.conn;
	td_out_free(&reg->before);
	reg->before = reg->now;
	td_out_init(&reg->now);
	td_out_fmt(&reg->now, "sip:%.*s@", TD_FMT(reg->ua->address.user));
	td_tp_put_sent_by(&reg->now, reg->ua->tp, &flow);
	td_out_str(&reg->now, td_proto_param((enum td_proto)flow.proto));
	reg->contact = td_out_view(&reg->now);
	return reg->now.failed ? -ENOMEM : 0;
}

void ua_reg_lost(struct td_reg *reg, uint64_t conn)
{
	if (!reg->dials || reg->conn != conn || reg->removing || reg->request)
		return;
	/* Soon, but not all phones of a server that fell at the same time (RFC 5626 §4.5). */
	again_later(reg, 1000 + td_rng_below(td_loop_rng(reg->ua->loop), 4000));
}

static int send_register(struct td_reg *reg)
{
	struct td_ua *ua = reg->ua;
	struct td_request_options opt = { .method = TD_STR("REGISTER"), .uri = reg->registrar, .to = ua->address.text };
	struct td_out o;
	int err;

	err = reg->dials && !reg->removing ? contact_of_connection(reg) : 0;
	if (err)
		return err;
	td_out_init(&o);
	td_out_fmt(&o, "Contact: <%.*s>\r\n", TD_FMT(reg->contact));
	if (reg->before.n)
		td_out_fmt(&o, "Contact: <%.*s>;expires=0\r\n", TD_FMT(td_out_view(&reg->before)));
	td_out_fmt(&o, "Expires: %u\r\n", reg->removing ? 0 : reg->expires_s);
	td_out_str(&o, ua_allow);
	opt.headers = td_out_view(&o);
	err = o.failed ? -ENOMEM : ua_request_open(&reg->request, ua, &opt, reg->call_id, ++reg->cseq, on_answer, reg);
	td_out_free(&o);
	return err;
}

static void on_timer(struct td_timer *tm, void *arg)
{
	struct td_reg *reg = arg;
	int err = reg->request ? 0 : send_register(reg);

	if (err) {
		retry_later(reg, NULL);
		tell(reg, false, err, NULL, 0);
	}
}

static int own_contact(struct td_str *out, struct td_reg *reg)
{
	struct td_out o;
	int err;

	td_out_init(&o);
	td_out_fmt(&o, "sip:%.*s@", TD_FMT(reg->ua->address.user));
	td_addr_print(&o, td_ua_local(reg->ua));
	td_out_str(&o, td_proto_param(reg->ua->proto));
	err = o.failed ? -ENOMEM : td_arena_dup(out, &reg->arena, td_out_view(&o));
	td_out_free(&o);
	return err;
}

/* The Request-URI of a REGISTER names the domain, without a user (§10.2). */
static int registrar_uri(struct td_str *out, struct td_reg *reg)
{
	const struct td_uri *a = &reg->ua->address;
	struct td_out o;
	int err;

	td_out_init(&o);
	td_out_fmt(&o, a->host_v6 ? "sip:[%.*s]" : "sip:%.*s", TD_FMT(a->host));
	if (a->port)
		td_out_fmt(&o, ":%u", a->port);
	err = o.failed ? -ENOMEM : td_arena_dup(out, &reg->arena, td_out_view(&o));
	td_out_free(&o);
	return err;
}

int td_reg_open(struct td_reg **out, struct td_ua *ua, struct td_str contact, uint32_t expires_s, td_reg_fn *fn, void *arg)
{
	struct td_reg *reg = calloc(1, sizeof(*reg));
	struct td_uri check;
	int err;

	if (!reg)
		return -ENOMEM;
	reg->ua = ua;
	reg->expires_s = expires_s;
	reg->fn = fn;
	reg->arg = arg;
	td_arena_init(&reg->arena);
	td_timer_init(&reg->timer, on_timer, reg);
	td_out_init(&reg->now);
	td_out_init(&reg->before);
	reg->dials = !contact.n && ua->proto == TD_TLS;
	if (reg->dials)
		err = contact_of_connection(reg);
	else
		err = contact.n ? td_arena_dup(&reg->contact, &reg->arena, contact) : own_contact(&reg->contact, reg);
	if (!err)
		err = td_uri_parse(&check, reg->contact);
	if (!err)
		err = registrar_uri(&reg->registrar, reg);
	reg->call_id = ua_token(ua, &reg->arena, UA_CALL_ID_LEN);
	if (!err && !reg->call_id.p)
		err = -ENOMEM;
	if (!err)
		err = send_register(reg);
	if (err) {
		td_reg_close(reg);
		return err;
	}
	td_list_add_tail(&ua->regs, &reg->link);
	*out = reg;
	return 0;
}

void td_reg_remove(struct td_reg *reg)
{
	int err;

	if (reg->removing)
		return;
	reg->removing = true;
	td_timer_stop(reg->ua->loop, &reg->timer);
	if (reg->request) {
		reg->cseq = reg->request->cseq;
		td_request_close(reg->request);
		reg->request = NULL;
	}
	err = send_register(reg);
	if (err)
		td_timer_start(reg->ua->loop, &reg->timer, 0); /* tells of it from the loop */
}

void td_reg_close(struct td_reg *reg)
{
	if (!reg)
		return;
	td_list_del(&reg->link);
	td_timer_stop(reg->ua->loop, &reg->timer);
	td_request_close(reg->request);
	td_out_free(&reg->now);
	td_out_free(&reg->before);
	td_arena_reset(&reg->arena);
	free(reg);
}
