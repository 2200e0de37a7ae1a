/*
 * Responses (§16.7; item numbers below are its). Provisional ones and every 2xx go up at once; the others wait until all branches
 * have one, and the best goes. What goes up is the received response without our Via: one edit, one buffer.
 *
 * Transactions that are given no answer: RFC 4320 §4.2 forbids a 408 for anything but INVITE, since it would come when the
 * client has given up by itself.
 */
#include "server/proxy/internal.h"

#include <errno.h>

#define ELSEWHERE "Reason: SIP;cause=200;text=\"Call completed elsewhere\"\r\n"

/* 7. The challenges of all other branches: the caller must answer each of them. */
static void add_challenges(struct td_edits *ed, const struct px_context *c, const struct td_msg *chosen)
{
	static const enum td_hdr_id ids[] = { TD_HDR_WWW_AUTHENTICATE, TD_HDR_PROXY_AUTHENTICATE };

	for (const struct px_branch *b = c->branches; b; b = b->next) {
		if (!b->final || b->final == chosen || (b->status != 401 && b->status != 407))
			continue;
		for (size_t i = 0; i < TD_ARRAY_LEN(ids); i++)
			for (const struct td_hdr *h = td_msg_hdr(b->final, ids[i]); h; h = td_msg_hdr_next(b->final, h))
				td_edit_append(ed, td_hdr_line(b->final, h));
	}
}

/* 9. from: NULL for a refusal, which asserts nothing of use. */
static int forward(struct px_context *c, struct td_msg *m, const struct td_clitx *from)
{
	struct td_edits ed TD_UNINIT;
	char length[PX_LENGTH_TEXT];
	struct td_buf *b;
	int err;

	td_edits_init(&ed, m);
	td_edit_remove_first_value(&ed, TD_HDR_VIA);
	if (m->status == 401 || m->status == 407)
		add_challenges(&ed, c, m);
	if (m->status / 100 == 3)
		px_edit_contacts(&ed, c, m);
	if (px_asserts(m))
		px_drop_assertions(&ed, c->px->core, m, from ? &td_clitx_flow(from)->peer : NULL, &td_srvtx_flow(c->st)->peer);
	if (c->st)
		px_edit_length(&ed, length, m, td_srvtx_flow(c->st));
	err = td_edits_apply(&b, &ed);
	td_edits_free(&ed);
	if (err)
		return err;
	px_track_response(c, m->status, m);
	if (m->status >= 200)
		c->final_sent = true;
	err = td_srvtx_reply(c->st, m->status, b);
	td_buf_unref(b);
	return err;
}

/* 10. Branches that have no final response yet. */
void px_cancel_branches(struct px_context *c, struct td_str reason)
{
	if (!c->invite)
		return;
	for (struct px_branch *b = c->branches; b; b = b->next) {
		if (px_way_pending(b) && !b->status)
			b->status = b->given_up ? 408 : 487; /* there is nobody yet to be told */
		px_way_stop(b);
		if (b->ct && (!b->status || b->passed_over))
			td_clitx_cancel(b->ct, reason);
	}
}

/* 6. Lower is better: 6xx, then the lowest class; in 4xx first what tells how to try again, last what says least. */
static unsigned rank(const struct px_context *c, const struct px_branch *b)
{
	unsigned status = b->status;

	if (b->moved)
		return 700;
	if (b->flow_lost)
		return 498;
	if (status >= 600)
		return 0;
	if (c->cancelled && status == 487)
		return 1;
	switch (status) {
	case 401:
	case 407: return 400;
	case 415:
	case 420:
	case 484: return 401;
	case 408: return 498;
	case 487: return 499;
	case 503: return 599;
	default: return status / 100 * 100 + 50;
	}
}

static void stay_silent(struct px_context *c)
{
	px_track_response(c, 408, NULL);
	c->final_sent = true;
}

void px_send_best(struct px_context *c)
{
	struct px_branch *best = NULL;

	for (struct px_branch *b = c->branches; b; b = b->next)
		if (!best || rank(c, b) <= rank(c, best)) /* the list begins with the last one made */
			best = b;
	if (!best) {
		if (px_wake_of(c)) /* who sleeps did not wake up */
			px_reply(c, 480, TD_STR_NULL);
		return;
	}
	if (best->status == 408 && c->cancelled)
		px_reply(c, 487, TD_STR_NULL);
	else if (best->status == 408 && !c->invite)
		stay_silent(c);
	else if (best->status == 503 || best->status < 300) /* a 2xx we had no memory to pass on */
		px_reply(c, 500, TD_STR_NULL);              /* "should not forward it upstream": we are not out of service */
	else if (!best->final || forward(c, best->final, NULL))
		px_reply(c, best->status, TD_STR_NULL);
	else if (c->invite)
		td_count(&c->px->core->counters->calls_failed);
	px_cancel_branches(c, TD_STR_NULL); /* who was not waited for */
}

/* ---- events of a branch ---- */

static void provisional(struct px_branch *b, struct td_msg *m)
{
	struct px_context *c = b->ctx;

	if (m->status == 100)
		return;
	/* 2. Not once it is being cancelled: then it ends 64*T1 later, however often it rings (D7) */
	if (c->invite && !c->cancelled && !c->final_sent)
		px_branch_rings(b);
	if (c->invite && !c->final_sent)
		forward(c, m, b->ct);
}

static void success(struct px_branch *b, struct td_msg *m)
{
	struct px_context *c = b->ctx;
	bool first = !b->status;

	b->status = m->status;
	td_timer_stop(c->px->core->loop, &b->timer_c);
	if (!c->invite) {
		if (!c->final_sent)
			forward(c, m, b->ct);
		px_branch_end(b);
		return;
	}
	if (first)
		td_count(&c->px->core->counters->calls_answered);
	forward(c, m, b->ct); /* 5. every 2xx to an INVITE, also after another final response */
	px_cancel_branches(c, TD_STR(ELSEWHERE));
}

/* RFC 3263 §4.3: 503 is a failure of that target, not of the request. */
static TD_RARE void refused_by_target(struct px_branch *b, const struct td_msg *m)
{
	struct td_retry_after again;

	if (m->status != 503)
		px_way_stop(b);
	else if (td_retry_after_parse(&again, td_msg_value(m, TD_HDR_RETRY_AFTER)))
		px_way_on(b, 503, 0);
	else
		px_way_on(b, 503, again.seconds);
}

/* "Reason: SIP ;cause=600" is RFC 3326's own example. */
static void cancel_declined(struct px_context *c, unsigned status)
{
	char line[64];
	struct td_out o;

	td_out_init_fixed(&o, line, sizeof(line));
	td_out_fmt(&o, "Reason: SIP;cause=%u\r\n", status);
	px_wake_stop(c);
	px_cancel_branches(c, td_out_view(&o));
}

static void failure(struct px_branch *b, struct td_msg *m)
{
	struct px_context *c = b->ctx;
	struct td_addr from = td_clitx_flow(b->ct)->peer;

	/* Who rang for too long and was cancelled did not answer: the caller did not cancel. */
	b->status = b->given_up && m->status == 487 && !c->cancelled ? 408 : m->status;
	if (!c->final_sent && b->status == m->status)
		b->final = td_msg_ref(m);
	if (m->status == 430 && px_flow_lost(b)) { /* "endpoints should never receive a 430" (RFC 5626 §11.2) */
		td_msg_unref(b->final);
		b->final = NULL;
		b->status = 480;
	}
	px_branch_end(b);
	if (b->way)
		refused_by_target(b, m);
	if (m->status >= 600) {
		cancel_declined(c, m->status);
	} else if (m->status < 400 && px_recurse(c, m, &from)) {
		td_msg_unref(b->final);
		b->final = NULL;
		b->moved = true;
		b->status = 480; /* should nobody be there at all */
	}
}

static void on_response(struct td_clitx *ct, struct td_msg *msg, void *arg)
{
	struct px_branch *b = arg;
	struct px_context *c = b->ctx;

	px_context_enter(c);
	if (b->passed_over) {
		b->passed_over = false;
		b->status = 0;
	}
	if (b->way)
		px_way_heard(b);
	if (msg->status < 200)
		provisional(b, msg);
	else if (msg->status < 300)
		success(b, msg);
	else
		failure(b, msg);
	px_context_leave(c);
}

/* The target's URI stands in the bytes that were sent: the binding it came from is gone. */
static bool try_instead(struct px_branch *b, struct td_clitx *gone)
{
	struct td_str sent;
	struct td_uri uri;

	if (!b->ctx->msg || b->ctx->cancelled || td_clitx_had_provisional(gone) || !px_sent_uri(&sent, td_clitx_bytes(gone)))
		return false;
	return !td_uri_parse(&uri, sent) && px_branch_send_instead(b, &uri) == 0;
}

static void note_ended(struct px_context *c, const struct td_clitx *ct, int why)
{
	const struct td_msg *msg = c->st ? td_srvtx_msg(c->st) : NULL;
	const struct td_flow *to = td_clitx_flow(ct);

	if (!msg || !why)
		return;
	td_trace_note(c->px->core->trace, msg->call_id,
		      &(struct td_note){ .kind = why == TD_ETIMEOUT ? TD_NOTE_NO_ANSWER : TD_NOTE_UNSENT,
					 .a = why == TD_ETIMEOUT ? td_clitx_had_provisional(ct) : why,
					 .peer = to->peer,
					 .proto = to->proto });
}

static void on_ended(struct td_clitx *ct, int why, void *arg)
{
	struct px_branch *b = arg;
	struct px_context *c = b->ctx;
	struct td_str uri;

	px_context_enter(c);
	b->ct = NULL;
	if (!b->status)
		note_ended(c, ct, why);
	if (!b->status && why == TD_ETIMEOUT)
		td_count(&c->px->core->counters->timeouts);
	if (!b->status && (why == TD_ETIMEOUT || !try_instead(b, ct))) {
		td_timer_stop(c->px->core->loop, &b->timer_c);
		b->status = why == TD_ETIMEOUT ? 408 : 503; /* §16.9 */
		if (px_sent_uri(&uri, td_clitx_bytes(ct)))
			px_branch_remember(b, uri);
		if (b->way)
			px_way_on(b, b->status, 0);
	}
	td_clitx_unref(ct);
	px_context_leave(c);
}

const struct td_clitx_events px_branch_events = { .response = on_response, .ended = on_ended };
