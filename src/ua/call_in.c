/*
 * A call that comes in (§13.3): offered to the application, which rings, answers or rejects it now or later.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>

enum { RING_AGAIN_MS = 60000 };

static void on_cancelled(struct td_srvtx *st, struct td_msg *cancel, void *arg)
{
	struct td_call *c = arg;

	if (c->state != CALL_RINGING)
		return;
	td_srvtx_reply_plain(st, 487, TD_STR_NULL, c->local_tag, TD_STR_NULL);
	ua_call_over(c, &(struct td_call_end){ .by_peer = true, .status = 487, .reason = TD_STR("Request Terminated") });
}

static const struct td_srvtx_events invite_events = { .cancelled = on_cancelled };

/* The same INVITE came by another branch (§8.2.2.2). */
static bool merged(struct td_ua *ua, const struct td_msg *m)
{
	struct td_link *l;

	for (l = ua->calls.next; l != &ua->calls; l = l->next) {
		struct td_call *c = TD_CONTAINER_OF(l, struct td_call, link);

		if (c->invite && td_str_eq(c->invite->call_id, m->call_id) && td_str_eq(c->invite->from_tag, m->from_tag) &&
		    c->invite->cseq.num == m->cseq.num)
			return true;
	}
	return false;
}

static int send_180(struct td_call *c)
{
	return ua_reply(c->ua, c->st, c->invite, 180, c->local_tag, TD_STR_NULL, TD_STR_NULL);
}

/* §13.3.1.1: every minute, or a proxy's timer C ends a call that rings for long. */
static void ring_again(struct td_timer *tm, void *arg)
{
	struct td_call *c = arg;

	if (c->state != CALL_RINGING)
		return;
	send_180(c);
	td_timer_start(c->ua->loop, tm, RING_AGAIN_MS);
}

static int fill(struct td_call *c, struct td_msg *m, const struct td_flow *from)
{
	int err;

	err = td_srvtx_open(&c->st, c->ua->txl, m, from, &invite_events, c);
	if (err)
		return err;
	td_timer_init(&c->ringing, ring_again, c);
	c->invite = td_msg_ref(m);
	c->call_id = m->call_id;
	c->peer = m->from.uri.text;
	c->local_tag = ua_token(c->ua, &c->arena, UA_TAG_LEN);
	if (!c->local_tag.p)
		return -ENOMEM;
	return td_dialog_of_request(&c->dialog, m, c->local_tag);
}

void ua_call_incoming(struct td_ua *ua, struct td_msg *m, const struct td_flow *from)
{
	struct td_call *c;
	int err;

	if (merged(ua, m)) {
		td_reply_stateless(ua->txl, m, from, 482, TD_STR_NULL, TD_STR_NULL);
		return;
	}
	if (m->body.n && !ua_call_is_sdp(m)) {
		td_reply_stateless(ua->txl, m, from, 415, TD_STR_NULL, TD_STR("Accept: application/sdp\r\n"));
		return;
	}
	c = ua_call_new(ua, false);
	if (!c)
		return;
	err = fill(c, m, from);
	if (err) {
		if (c->st)
			td_srvtx_reply_plain(c->st, err == TD_ESYNTAX ? 400 : 500, TD_STR_NULL, TD_STR_NULL, TD_STR_NULL);
		ua_call_free(c);
		return;
	}
	c->state = CALL_RINGING;
	if (ua->events && ua->events->incoming)
		ua->events->incoming(ua, c, ua->arg);
	if (!c->taken) /* nobody wants it: busy here */
		td_call_reject(c, 486);
}

void td_call_accept(struct td_call *c, const struct td_session *session, const struct td_call_events *events, void *arg)
{
	c->taken = true;
	c->session = session;
	c->events = events;
	c->arg = arg;
}

int td_call_ring(struct td_call *c)
{
	if (c->state != CALL_RINGING)
		return TD_EORDER;
	td_timer_start(c->ua->loop, &c->ringing, RING_AGAIN_MS);
	return send_180(c);
}

int td_call_answer(struct td_call *c)
{
	int err;

	if (c->state != CALL_RINGING || !c->session)
		return TD_EORDER;
	err = ua_call_send_2xx(c, c->st, c->invite);
	if (err) {
		td_call_reject(c, ua_call_status_of(err));
		return err;
	}
	c->state = CALL_UP;
	td_srvtx_detach(c->st);
	td_srvtx_unref(c->st);
	c->st = NULL;
	return 0;
}

int td_call_reject(struct td_call *c, unsigned status)
{
	int err;

	if (c->state != CALL_RINGING)
		return TD_EORDER;
	if (status < 300 || status > 699)
		return TD_ELIMIT;
	err = td_srvtx_reply_plain(c->st, status, TD_STR_NULL, c->local_tag, TD_STR_NULL);
	ua_call_over(c, &(struct td_call_end){ .status = status, .reason = td_reason_phrase(status) });
	return err;
}
