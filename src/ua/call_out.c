/*
 * A call we make (§13.2): INVITE with our offer, challenges met, early answers taken, ACK for every 2xx, and a BYE for those of a
 * fork we did not want.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>

enum { MAX_ANSWERS = 16 }; /* phones of a fork that answer */

static const struct td_clitx_events invite_events;

/* Kept, because the ACK for a 2xx carries them as well (§13.2.2.4). */
static int make_credentials(struct td_call *c)
{
	struct td_out o;
	int err;

	td_out_init(&o);
	ua_auth_put(&o, c->ua, &c->auth, &c->flow, TD_STR("INVITE"), c->uri);
	err = o.failed ? -ENOMEM : td_arena_dup(&c->credentials, &c->arena, td_out_view(&o));
	td_out_free(&o);
	return err;
}

static struct td_buf *build_invite(struct td_call *c, struct td_str branch)
{
	struct td_ua *ua = c->ua;
	struct td_out o, via;

	td_out_init(&o);
	td_out_init(&via);
	td_tp_put_via(&via, ua->tp, &c->flow, branch);
	td_put_request_line(&o, TD_STR("INVITE"), c->uri);
	td_put_hdr(&o, TD_HDR_VIA, td_out_view(&via));
	td_put_hdr_u64(&o, TD_HDR_MAX_FORWARDS, 70);
	ua_put_from(&o, ua, c->local_tag);
	td_out_fmt(&o, "To: <%.*s>\r\n", TD_FMT(c->uri));
	td_put_hdr(&o, TD_HDR_CALL_ID, c->call_id);
	td_out_fmt(&o, "CSeq: %u INVITE\r\n", c->invite_cseq);
	ua_put_contact(&o, ua, &c->flow);
	if (via.failed)
		o.failed = true;
	td_out_str(&o, c->credentials);
	td_out_str(&o, ua_allow);
	if (ua->user_agent.n)
		td_put_hdr(&o, TD_HDR_USER_AGENT, ua->user_agent);
	td_put_body(&o, TD_STR("application/sdp"), c->offer);
	td_out_free(&via);
	return td_out_buf(&o);
}

static int send_invite(struct td_call *c)
{
	char branch[TD_BRANCH_LEN];
	struct td_clitx_options opt = { .method = TD_INVITE, .branch = { branch, sizeof(branch) } };
	int err = ua_flow_to_proxy(&c->flow, c->ua);

	if (!err)
		err = make_credentials(c);
	if (err)
		return err;
	c->invite_cseq++;
	td_branch_make(branch, c->ua->txl);
	opt.to = c->flow;
	opt.bytes = build_invite(c, opt.branch);
	if (!opt.bytes)
		return -ENOMEM;
	err = td_clitx_open(&c->ct, c->ua->txl, &opt, &invite_events, c);
	td_buf_unref(opt.bytes);
	return err;
}

static void drop_transaction(struct td_call *c)
{
	if (!c->ct)
		return;
	td_clitx_detach(c->ct);
	td_clitx_unref(c->ct);
	c->ct = NULL;
}

/* ---- ACK for a 2xx: a message of its own, without a transaction (§13.2.2.4) ---- */

static int make_ack(struct acked *a, struct td_call *c, const struct td_dialog *d)
{
	char branch[TD_BRANCH_LEN];
	struct td_out o, via;
	int err = ua_flow_to(&a->flow, c->ua, td_dialog_next_hop(d));

	if (err)
		return err;
	td_branch_make(branch, c->ua->txl);
	td_out_init(&o);
	td_out_init(&via);
	td_tp_put_via(&via, c->ua->tp, &a->flow, td_str_n(branch, sizeof(branch)));
	td_dialog_put_request(&o, d, TD_STR("ACK"), td_out_view(&via), c->invite_cseq);
	if (via.failed)
		o.failed = true;
	td_out_free(&via);
	if (td_ip_eq(&a->flow.peer, &c->flow.peer)) /* A6: not to whom a Contact names */
		td_out_str(&o, c->credentials);
	td_put_body(&o, TD_STR_NULL, TD_STR_NULL);
	a->bytes = td_out_buf(&o);
	return a->bytes ? 0 : -ENOMEM;
}

static struct acked *find_acked(const struct td_call *c, struct td_str tag)
{
	struct acked *a = c->acked;

	while (a && !td_str_eq(a->tag, tag))
		a = a->next;
	return a;
}

static int acknowledge(struct td_call *c, const struct td_dialog *d)
{
	struct acked *a = td_arena_zalloc(&c->arena, sizeof(*a));
	int err = a ? td_arena_dup(&a->tag, &c->arena, d->remote_tag) : -ENOMEM;

	if (!err)
		err = make_ack(a, c, d);
	if (err)
		return err;
	a->next = c->acked;
	c->acked = a;
	c->acked_n++;
	td_tp_send(c->ua->tp, &a->flow, a->bytes); /* if it is lost, the 2xx comes again */
	return 0;
}

/* ---- answers ---- */

/* The early dialog of the phone that answered, made sure of; else a new one. It is the caller's. */
static int dialog_of_2xx(struct td_dialog **out, struct td_call *c, const struct td_msg *m)
{
	int err;

	if (!c->dialog || !td_str_eq(c->dialog->remote_tag, m->to_tag))
		return td_dialog_of_response(out, m);
	err = td_dialog_confirm(c->dialog, m);
	if (err)
		return err;
	*out = c->dialog;
	c->dialog = NULL;
	return 0;
}

/* What came early with a 183 counts if the phone that sent it answers; if another does, its own counts (§13.2.1). */
static int take_answer(struct td_call *c, const struct td_msg *m)
{
	if (c->answer_tag.n && td_str_eq(c->answer_tag, m->to_tag))
		return 0;
	return ua_call_is_sdp(m) ? c->session->answered(c->arg, m->body) : TD_ESYNTAX;
}

static void established(struct td_call *c, struct td_dialog *d, const struct td_msg *m)
{
	int err;

	td_dialog_free(c->dialog);
	c->dialog = d;
	c->state = CALL_UP;
	err = take_answer(c, m);
	if (c->state != CALL_UP)
		return;
	if (err) { /* an answer we cannot use ends the call, politely */
		ua_call_bye(c);
		ua_call_over(c, &(struct td_call_end){ .err = err });
	} else if (c->events && c->events->up) {
		c->events->up(c, c->arg);
	}
}

static void on_2xx(struct td_call *c, const struct td_msg *m)
{
	struct acked *a = find_acked(c, m->to_tag);
	struct td_dialog *d;
	int err;

	if (a) {
		td_tp_send(c->ua->tp, &a->flow, a->bytes);
		return;
	}
	if (c->acked_n == MAX_ANSWERS)
		return;
	err = dialog_of_2xx(&d, c, m);
	if (!err) {
		err = acknowledge(c, d);
		if (err)
			td_dialog_free(d);
	}
	if (err) {
		if (c->state == CALL_TRYING || c->state == CALL_CANCELLED)
			ua_call_over(c, &(struct td_call_end){ .err = err });
	} else if (c->state == CALL_TRYING) {
		established(c, d, m);
	} else {
		/* A second phone of a fork (§13.2.2.4), or an answer that crossed our CANCEL (§9.1). */
		ua_request_in_dialog(c->ua, d, true, TD_STR("BYE"), NULL, NULL);
		if (c->state == CALL_CANCELLED)
			ua_call_over(c, &(struct td_call_end){ 0 });
	}
}

static void on_provisional(struct td_call *c, const struct td_msg *m)
{
	if (c->state != CALL_TRYING)
		return;
	if (m->to_tag.p && !c->dialog)
		td_dialog_of_response(&c->dialog, m); /* early; the 2xx decides anyway */
	if (!c->answer_tag.n && m->to_tag.n && ua_call_is_sdp(m) && c->session->answered(c->arg, m->body) == 0 &&
	    td_arena_dup(&c->answer_tag, &c->arena, m->to_tag))
		c->answer_tag = TD_STR_NULL; /* without memory for it the 2xx tells the same again */
	if (m->status > 100 && c->events && c->events->progress)
		c->events->progress(c, m->status, m->reason, c->arg);
}

static int challenged(struct td_call *c)
{
	td_dialog_free(c->dialog);
	c->dialog = NULL;
	c->answer_tag = TD_STR_NULL;
	return send_invite(c);
}

static void on_refusal(struct td_call *c, const struct td_msg *m)
{
	struct td_call_end end = { .status = m->status, .reason = m->reason, .by_peer = true };

	drop_transaction(c);
	if (c->state == CALL_TRYING && ua_auth_again(c->ua, &c->auth, &c->flow, m) && challenged(c) == 0)
		return;
	if (c->state == CALL_CANCELLED) /* 487 is what we asked for */
		end = (struct td_call_end){ 0 };
	if (c->state != CALL_OVER && c->state != CALL_UP)
		ua_call_over(c, &end);
	ua_call_settle(c);
}

static void on_response(struct td_clitx *ct, struct td_msg *m, void *arg)
{
	struct td_call *c = arg;

	if (m->status < 200)
		on_provisional(c, m);
	else if (m->status < 300)
		on_2xx(c, m);
	else
		on_refusal(c, m);
}

static void on_ended(struct td_clitx *ct, int why, void *arg)
{
	struct td_call *c = arg;

	drop_transaction(c);
	if (c->state == CALL_TRYING || c->state == CALL_CANCELLED)
		ua_call_over(c, &(struct td_call_end){ .err = c->state == CALL_TRYING ? (why ? why : TD_ETIMEOUT) : 0 });
	ua_call_settle(c);
}

static const struct td_clitx_events invite_events = { on_response, on_ended };

/* One offer for all tries: a challenge is met with the same INVITE, and ports are taken once. */
static int take_offer(struct td_call *c)
{
	struct td_out sdp;
	int err;

	td_out_init(&sdp);
	err = c->session->offer(c->arg, &sdp);
	if (!err)
		err = sdp.failed ? -ENOMEM : td_arena_dup(&c->offer, &c->arena, td_out_view(&sdp));
	td_out_free(&sdp);
	return err;
}

int td_call_open(struct td_call **out, struct td_ua *ua, struct td_str uri, const struct td_session *session,
		 const struct td_call_events *events, void *arg)
{
	struct td_call *c = ua_call_new(ua, true);
	struct td_uri check;
	int err;

	if (!c)
		return -ENOMEM;
	c->state = CALL_TRYING;
	c->taken = true;
	c->session = session;
	c->events = events;
	c->arg = arg;
	err = td_arena_dup(&c->uri, &c->arena, uri);
	if (!err)
		err = td_uri_parse(&check, c->uri);
	c->peer = c->uri;
	c->call_id = ua_token(ua, &c->arena, UA_CALL_ID_LEN);
	c->local_tag = ua_token(ua, &c->arena, UA_TAG_LEN);
	if (!err && (!c->call_id.p || !c->local_tag.p))
		err = -ENOMEM;
	if (!err)
		err = take_offer(c);
	if (!err)
		err = send_invite(c);
	if (err) {
		ua_call_free(c);
		return err;
	}
	*out = c;
	return 0;
}
