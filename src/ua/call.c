/*
 * What calls have in common whoever made them: their end, hanging up, and what happens inside an established one (BYE, re-INVITE,
 * UPDATE, INFO). A call ends once, and says so from the loop.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>

enum { T1_MS = 500, T2_MS = 4000 };

static void on_report(struct td_defer *d, void *arg)
{
	struct td_call *c = arg;
	const struct td_call_events *ev = c->events;

	if (!c->taken) {                                  /* rejected before anybody took it */
		td_call_close(c);
		return;
	}
	if (ev && ev->ended)
		ev->ended(c, &c->end, c->arg);
}

struct td_call *call_new(struct td_ua *ua, bool out)
{
	struct td_call *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->ua = ua;
	c->out = out;
	td_arena_init(&c->arena);
	td_defer_init(&c->report, on_report, c);
	td_list_add_tail(&ua->calls, &c->link);
	return c;
}

void call_over(struct td_call *c, const struct td_call_end *end)
{
	if (c->reported)
		return;
	c->reported = true;
	c->state = CALL_OVER;
	c->end = *end;
	if (end->reason.n && td_arena_dup(&c->end.reason, &c->arena, end->reason))
		c->end.reason = TD_STR_NULL;
	td_loop_defer(c->ua->loop, &c->report);
}

/* The BYE outlives the call: it has the dialog. */
void call_bye(struct td_call *c)
{
	if (!c->dialog)
		return;
	ua_request_in_dialog(c->ua, c->dialog, true, TD_STR("BYE"), NULL, NULL);
	c->dialog = NULL;
}

void td_call_hangup(struct td_call *c)
{
	static const struct td_call_end by_us = { .by_peer = false };

	if (c->hangup_wanted)
		return;
	c->hangup_wanted = true;
	switch (c->state) {
	case CALL_TRYING:
		c->state = CALL_CANCELLED;               /* `ended` follows with the 487, or with whatever crosses it */
		if (c->ct)
			td_clitx_cancel(c->ct, TD_STR_NULL);
		break;
	case CALL_RINGING:
		td_call_reject(c, 603);
		break;
	case CALL_UP:
		if (c->answered.bytes)
			break;                           /* not before its ACK came, or will not come any more (§15) */
		call_bye(c);
		call_over(c, &by_us);
		break;
	case CALL_CANCELLED:
	case CALL_OVER:
		break;
	}
}

void td_call_close(struct td_call *c)
{
	if (!c)
		return;
	c->events = NULL;
	if (c->state == CALL_UP)
		call_bye(c);
	if (c->state == CALL_RINGING && c->st)
		td_srvtx_reply_plain(c->st, 480, TD_STR_NULL, c->local_tag, TD_STR_NULL);
	if (c->ct) {
		if (c->state == CALL_TRYING)
			td_clitx_cancel(c->ct, TD_STR_NULL);
		td_clitx_detach(c->ct);
		td_clitx_unref(c->ct);
	}
	call_stop_2xx(c);
	if (c->st) {
		td_srvtx_detach(c->st);
		td_srvtx_unref(c->st);
	}
	td_loop_undefer(c->ua->loop, &c->report);
	td_msg_unref(c->invite);
	td_buf_unref(c->ack);
	td_dialog_free(c->dialog);
	td_list_del(&c->link);
	td_arena_reset(&c->arena);
	free(c);
}

struct td_str td_call_peer(const struct td_call *c)
{
	return c->peer;
}

struct td_str td_call_id(const struct td_call *c)
{
	return c->call_id;
}

bool td_call_is_up(const struct td_call *c)
{
	return c->state == CALL_UP;
}

bool call_is_sdp(const struct td_msg *m)
{
	struct td_media_type t;

	return m->body.n && td_media_type_parse(&t, td_msg_value(m, TD_HDR_CONTENT_TYPE)) == 0 && td_str_ieq(t.type, TD_STR("application")) &&
	       td_str_ieq(t.subtype, TD_STR("sdp"));
}

/* ---- 2xx to an INVITE: again until the ACK ---- */

void call_stop_2xx(struct td_call *c)
{
	struct answered *a = &c->answered;

	td_timer_stop(c->ua->loop, &a->again);
	td_buf_unref(a->bytes);
	a->bytes = NULL;
	if (a->st) {
		td_srvtx_detach(a->st);
		td_srvtx_unref(a->st);
		a->st = NULL;
	}
}

static void send_2xx_again(struct td_timer *tm, void *arg)
{
	struct td_call *c = arg;
	struct answered *a = &c->answered;

	if (a->sent_ms >= 64 * T1_MS) {                   /* §13.3.1.4: the session is over, with a BYE */
		call_stop_2xx(c);
		call_bye(c);
		call_over(c, &(struct td_call_end){ .err = TD_ETIMEOUT });
		return;
	}
	td_srvtx_reply(a->st, 200, a->bytes);
	a->interval_ms = 2 * a->interval_ms < T2_MS ? 2 * a->interval_ms : T2_MS;
	a->sent_ms += a->interval_ms;
	td_timer_start(c->ua->loop, tm, a->interval_ms);
}

static int describe(struct td_call *c, const struct td_msg *invite, struct td_out *sdp)
{
	c->answered.expects_answer = !call_is_sdp(invite);
	return c->answered.expects_answer ? c->session->offer(c->arg, sdp) : c->session->answer(c->arg, invite->body, sdp);
}

int call_send_2xx(struct td_call *c, struct td_srvtx *st, const struct td_msg *invite)
{
	struct answered *a = &c->answered;
	struct td_out o, sdp;
	int err;

	td_out_init(&sdp);
	err = describe(c, invite, &sdp);
	if (err || sdp.failed) {
		td_out_free(&sdp);
		return err ? err : -ENOMEM;
	}
	td_out_init(&o);
	td_put_response_head(&o, invite, 200, TD_STR_NULL, c->local_tag, true);
	ua_put_contact(&o, c->ua, td_srvtx_flow(st));
	td_out_str(&o, ua_allow);
	if (c->ua->user_agent.n)
		td_put_hdr(&o, TD_HDR_SERVER, c->ua->user_agent);
	td_put_body(&o, TD_STR("application/sdp"), td_out_view(&sdp));
	td_out_free(&sdp);
	a->bytes = td_out_buf(&o);
	if (!a->bytes)
		return -ENOMEM;
	a->st = td_srvtx_ref(st);
	a->cseq = invite->cseq.num;
	a->interval_ms = T1_MS;
	a->sent_ms = T1_MS;
	td_timer_init(&a->again, send_2xx_again, c);
	td_timer_start(c->ua->loop, &a->again, a->interval_ms);
	td_srvtx_reply(st, 200, a->bytes);
	return 0;
}

void call_ack(struct td_call *c, struct td_msg *ack)
{
	struct answered *a = &c->answered;
	bool first = !c->sdp_done;

	if (!a->bytes || ack->cseq.num != a->cseq)
		return;
	if (a->expects_answer && call_is_sdp(ack))
		c->session->answered(c->arg, ack->body);
	call_stop_2xx(c);
	c->sdp_done = true;
	if (first && c->events && c->events->up)
		c->events->up(c, c->arg);                 /* c may have been closed by this */
	else if (c->hangup_wanted) {
		call_bye(c);
		call_over(c, &(struct td_call_end){ 0 });
	}
}

/* ---- inside an established call ---- */

static const struct td_srvtx_events no_events;

static struct td_srvtx *open_transaction(struct td_call *c, struct td_msg *m, const struct td_flow *from)
{
	struct td_srvtx *st;

	return td_srvtx_open(&st, c->ua->txl, m, from, &no_events, c) ? NULL : st;
}

static void on_bye(struct td_call *c, struct td_msg *m, const struct td_flow *from)
{
	struct td_srvtx *st = open_transaction(c, m, from);

	if (!st)
		return;
	td_srvtx_reply_plain(st, 200, TD_STR_NULL, TD_STR_NULL, TD_STR_NULL);
	td_srvtx_unref(st);
	call_stop_2xx(c);
	if (c->state == CALL_RINGING && c->st)            /* a BYE to an early dialog: the INVITE still wants its end (§15.1.2) */
		td_srvtx_reply_plain(c->st, 487, TD_STR_NULL, c->local_tag, TD_STR_NULL);
	call_over(c, &(struct td_call_end){ .by_peer = true });
}

static void on_reinvite(struct td_call *c, struct td_msg *m, const struct td_flow *from)
{
	struct td_srvtx *st = open_transaction(c, m, from);
	int err;

	if (!st)
		return;
	if (c->answered.bytes || c->state != CALL_UP) {   /* §14.2: one at a time */
		td_srvtx_reply_plain(st, c->state == CALL_UP ? 500 : 491, TD_STR_NULL, TD_STR_NULL, TD_STR("Retry-After: 2\r\n"));
	} else {
		td_dialog_refresh_target(c->dialog, m);
		err = call_send_2xx(c, st, m);
		if (err)
			td_srvtx_reply_plain(st, err == TD_EUNSUPPORTED || err == TD_ESYNTAX ? 488 : 500, TD_STR_NULL, TD_STR_NULL, TD_STR_NULL);
	}
	td_srvtx_unref(st);
}

static void on_update(struct td_call *c, struct td_msg *m, const struct td_flow *from)
{
	struct td_srvtx *st = open_transaction(c, m, from);
	struct td_out sdp;
	int err = 0;

	if (!st)
		return;
	td_dialog_refresh_target(c->dialog, m);
	td_out_init(&sdp);
	if (call_is_sdp(m))
		err = c->state == CALL_UP && c->session ? c->session->answer(c->arg, m->body, &sdp) : TD_EORDER;
	if (err)
		td_srvtx_reply_plain(st, err == TD_EORDER ? 491 : 488, TD_STR_NULL, TD_STR_NULL, TD_STR_NULL);
	else
		ua_reply(c->ua, st, m, 200, TD_STR_NULL, ua_allow, td_out_view(&sdp));
	td_out_free(&sdp);
	td_srvtx_unref(st);
}

static void on_other(struct td_call *c, struct td_msg *m, const struct td_flow *from)
{
	struct td_srvtx *st = open_transaction(c, m, from);
	bool fine = m->method == TD_INFO || m->method == TD_OPTIONS || m->method == TD_MESSAGE;

	if (!st)
		return;
	if (m->method == TD_MESSAGE && c->ua->events && c->ua->events->message)
		c->ua->events->message(c->ua, m, c->ua->arg);
	td_srvtx_reply_plain(st, fine ? 200 : m->method == TD_METHOD_OTHER ? 501 : 405, TD_STR_NULL, TD_STR_NULL, ua_allow);
	td_srvtx_unref(st);
}

void call_in_dialog(struct td_call *c, struct td_msg *m, const struct td_flow *from)
{
	if (td_dialog_take_cseq(c->dialog, m)) {
		td_reply_stateless(c->ua->txl, m, from, 500, TD_STR("CSeq out of order"), TD_STR_NULL);
		return;
	}
	switch (m->method) {
	case TD_BYE:
		on_bye(c, m, from);
		break;
	case TD_INVITE:
		on_reinvite(c, m, from);
		break;
	case TD_UPDATE:
		on_update(c, m, from);
		break;
	default:
		on_other(c, m, from);
		break;
	}
}
