/*
 * What calls have in common whoever made them: their end, hanging up, and what happens inside an established one (BYE, re-INVITE,
 * UPDATE, INFO). A call ends once, and says so from the loop.
 *
 * Session and application may close a call in any callback. That only marks it: its memory goes at the end of a turn, when nothing
 * of it is in flight. So code here looks at the state again after each callback, and at nothing else.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>

enum { T1_MS = 500, T2_MS = 4000, GIVE_UP_MS = 64 * T1_MS };

static bool in_flight(const struct td_call *c)
{
	return c->ct || c->answered.bytes;
}

void ua_call_free(struct td_call *c)
{
	struct acked *a;

	if (c->ct) {
		td_clitx_detach(c->ct);
		td_clitx_unref(c->ct);
		c->ct = NULL;
	}
	ua_call_stop_2xx(c);
	if (c->st) {
		td_srvtx_detach(c->st);
		td_srvtx_unref(c->st);
	}
	td_timer_stop(c->ua->loop, &c->ringing);
	td_loop_undefer(c->ua->loop, &c->report);
	td_msg_unref(c->invite);
	for (a = c->acked; a; a = a->next)
		td_buf_unref(a->bytes);
	td_dialog_free(c->dialog);
	td_list_del(&c->link);
	td_arena_reset(&c->arena);
	free(c);
}

static void on_report(struct td_defer *d, void *arg)
{
	struct td_call *c = arg;

	if (!c->taken) /* rejected before anybody took it */
		c->closed = true;
	if (!c->closed && c->events && c->events->ended)
		c->events->ended(c, &c->end, c->arg);
	else if (c->closed && !in_flight(c))
		ua_call_free(c);
}

void ua_call_settle(struct td_call *c)
{
	if (c->closed && !in_flight(c))
		td_loop_defer(c->ua->loop, &c->report);
}

struct td_call *ua_call_new(struct td_ua *ua, bool out)
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

void ua_call_over(struct td_call *c, const struct td_call_end *end)
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
void ua_call_bye(struct td_call *c)
{
	if (!c->dialog)
		return;
	ua_request_in_dialog(c->ua, c->dialog, true, TD_STR("BYE"), NULL, NULL);
	c->dialog = NULL;
}

void td_call_hangup(struct td_call *c)
{
	if (c->hangup_wanted)
		return;
	c->hangup_wanted = true;
	switch (c->state) {
	case CALL_TRYING:
		c->state = CALL_CANCELLED; /* `ended` follows with the 487, or with whatever crosses it */
		if (c->ct)
			td_clitx_cancel(c->ct, TD_STR_NULL);
		break;
	case CALL_RINGING: td_call_reject(c, 603); break;
	case CALL_UP:
		if (c->answered.bytes)
			break; /* not before its ACK came, or will not come any more (§15) */
		ua_call_bye(c);
		ua_call_over(c, &(struct td_call_end){ 0 });
		break;
	case CALL_CANCELLED:
	case CALL_OVER: break;
	}
}

void td_call_close(struct td_call *c)
{
	if (!c || c->closed)
		return;
	c->closed = true;
	c->events = NULL;
	c->session = NULL;
	if (c->state == CALL_RINGING)
		td_call_reject(c, 480);
	else
		td_call_hangup(c);
	ua_call_settle(c);
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

bool ua_call_is_sdp(const struct td_msg *m)
{
	struct td_media_type t;
	struct td_str coding = td_msg_value(m, TD_HDR_CONTENT_ENCODING);

	if (!m->body.n || (coding.n && !td_str_ieq(coding, TD_STR("identity"))))
		return false;
	return td_media_type_parse(&t, td_msg_value(m, TD_HDR_CONTENT_TYPE)) == 0 && td_str_ieq(t.type, TD_STR("application")) &&
	       td_str_ieq(t.subtype, TD_STR("sdp"));
}

unsigned ua_call_status_of(int err)
{
	return err == TD_EUNSUPPORTED || err == TD_ESYNTAX ? 488 : err == TD_ECLOSED ? 481 : 500;
}

/* ---- 2xx to an INVITE: again until the ACK ---- */

void ua_call_stop_2xx(struct td_call *c)
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
	ua_call_settle(c);
}

static void send_2xx_again(struct td_timer *tm, void *arg)
{
	struct td_call *c = arg;
	struct answered *a = &c->answered;
	uint32_t left;

	if (a->sent_ms >= GIVE_UP_MS) { /* §13.3.1.4: the session is over, with a BYE */
		ua_call_stop_2xx(c);
		ua_call_bye(c);
		ua_call_over(c, &(struct td_call_end){ .err = TD_ETIMEOUT });
		return;
	}
	td_srvtx_reply(a->st, 200, a->bytes);
	left = GIVE_UP_MS - a->sent_ms;
	a->interval_ms = 2 * a->interval_ms < T2_MS ? 2 * a->interval_ms : T2_MS;
	if (a->interval_ms > left)
		a->interval_ms = left;
	a->sent_ms += a->interval_ms;
	td_timer_start(c->ua->loop, tm, a->interval_ms);
}

static int describe(struct td_call *c, const struct td_msg *invite, struct td_out *sdp)
{
	enum call_state before = c->state;
	int err;

	if (!c->session)
		return TD_ECLOSED;
	c->answered.expects_answer = !ua_call_is_sdp(invite);
	err = c->answered.expects_answer ? c->session->offer(c->arg, sdp) : c->session->answer(c->arg, invite->body, sdp);
	if (c->state != before)
		return TD_ECLOSED;
	return !err && sdp->failed ? -ENOMEM : err;
}

int ua_call_send_2xx(struct td_call *c, struct td_srvtx *st, const struct td_msg *invite)
{
	struct answered *a = &c->answered;
	struct td_out o, sdp;
	int err;

	td_out_init(&sdp);
	err = describe(c, invite, &sdp);
	if (err) {
		td_out_free(&sdp);
		return err;
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

void ua_call_ack(struct td_call *c, struct td_msg *ack)
{
	struct answered *a = &c->answered;
	bool first = !c->out && !c->acknowledged;
	int err = 0;

	if (!a->bytes || ack->cseq.num != a->cseq)
		return;
	c->acknowledged = true;
	ua_call_stop_2xx(c);
	if (a->expects_answer && c->session)
		err = ua_call_is_sdp(ack) ? c->session->answered(c->arg, ack->body) : TD_ESYNTAX;
	if (c->state != CALL_UP)
		return;
	if (err || c->hangup_wanted) { /* an answer we cannot use ends the call, politely */
		ua_call_bye(c);
		ua_call_over(c, &(struct td_call_end){ .err = err });
	} else if (first && c->events && c->events->up) {
		c->events->up(c, c->arg);
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
	ua_call_stop_2xx(c);
	/* A BYE to an early dialog: the INVITE still wants its end (§15.1.2). */
	if (c->state == CALL_RINGING)
		td_srvtx_reply_plain(c->st, 487, TD_STR_NULL, c->local_tag, TD_STR_NULL);
	if (c->state == CALL_TRYING)
		td_clitx_cancel(c->ct, TD_STR_NULL);
	ua_call_over(c, &(struct td_call_end){ .by_peer = true });
}

static const struct td_str accept_sdp = TD_STR_INIT("Accept: application/sdp\r\n");
static const struct td_str retry_after = TD_STR_INIT("Retry-After: 2\r\n");

/*
 * May the peer offer now? 0, or what it is told: 491 while our own offer is out, 500 to come again while theirs waits for its
 * answer, or a 2xx of ours for its ACK (§14.2, RFC 3311 §5.2); 415 for an offer in another tongue.
 */
static unsigned offer_refused(const struct td_call *c, const struct td_msg *m)
{
	if (m->body.n && !ua_call_is_sdp(m))
		return 415;
	if (m->method == TD_UPDATE && !m->body.n)
		return 0; /* it only refreshes the target */
	if (c->state != CALL_UP)
		return c->out ? 491 : 500;
	if (c->answered.bytes && (m->method == TD_INVITE || c->answered.expects_answer))
		return m->method == TD_INVITE ? 500 : 491;
	return 0;
}

static void refuse_offer(struct td_srvtx *st, unsigned status)
{
	td_srvtx_reply_plain(st, status, TD_STR_NULL, TD_STR_NULL,
			     status == 415   ? accept_sdp
			     : status == 500 ? retry_after
					     : TD_STR_NULL);
}

/* The target moves when the request that says so is accepted, and not before (§12.2). */
static void on_reinvite(struct td_call *c, struct td_msg *m, const struct td_flow *from)
{
	struct td_srvtx *st = open_transaction(c, m, from);
	unsigned refused = offer_refused(c, m);
	int err;

	if (!st)
		return;
	if (refused) {
		refuse_offer(st, refused);
	} else {
		err = ua_call_send_2xx(c, st, m);
		if (err)
			refuse_offer(st, ua_call_status_of(err));
		else
			td_dialog_refresh_target(c->dialog, m);
	}
	td_srvtx_unref(st);
}

static void on_update(struct td_call *c, struct td_msg *m, const struct td_flow *from)
{
	struct td_srvtx *st = open_transaction(c, m, from);
	unsigned refused = offer_refused(c, m);
	struct td_out sdp;
	int err = 0;

	if (!st)
		return;
	td_out_init(&sdp);
	if (!refused && m->body.n) {
		err = c->session ? c->session->answer(c->arg, m->body, &sdp) : TD_ECLOSED;
		if (!err)
			err = c->state != CALL_UP ? TD_ECLOSED : sdp.failed ? -ENOMEM : 0;
		refused = err ? ua_call_status_of(err) : 0;
	}
	if (refused) {
		refuse_offer(st, refused);
	} else {
		td_dialog_refresh_target(c->dialog, m);
		ua_reply(c->ua, st, m, 200, TD_STR_NULL, ua_allow, td_out_view(&sdp));
	}
	td_out_free(&sdp);
	td_srvtx_unref(st);
}

static void on_other(struct td_call *c, struct td_msg *m, const struct td_flow *from)
{
	struct td_srvtx *st = open_transaction(c, m, from);
	bool heard = m->method == TD_MESSAGE && c->ua->events && c->ua->events->message;
	bool fine = heard || m->method == TD_INFO || m->method == TD_OPTIONS;

	if (!st)
		return;
	if (heard)
		c->ua->events->message(c->ua, m, c->ua->arg);
	td_srvtx_reply_plain(st, fine ? 200 : m->method == TD_METHOD_OTHER ? 501 : 405, TD_STR_NULL, TD_STR_NULL, ua_allow);
	td_srvtx_unref(st);
}

void ua_call_in_dialog(struct td_call *c, struct td_msg *m, const struct td_flow *from)
{
	if (td_dialog_take_cseq(c->dialog, m)) {
		td_reply_stateless(c->ua->txl, m, from, 500, TD_STR("CSeq out of order"), TD_STR_NULL);
		return;
	}
	switch (m->method) {
	case TD_BYE: on_bye(c, m, from); break;
	case TD_INVITE: on_reinvite(c, m, from); break;
	case TD_UPDATE: on_update(c, m, from); break;
	default: on_other(c, m, from); break;
	}
}
