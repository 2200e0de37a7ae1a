/*
 * A call we make (§13.2): INVITE with our offer, challenges met, early answers taken, ACK for every 2xx, and a BYE for those of a
 * fork we did not want.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>

enum { MAX_TRIES = 4 };

static const struct td_clitx_events invite_events;

static struct td_buf *build_invite(struct td_call *c, const struct td_flow *flow, struct td_str branch)
{
	struct td_ua *ua = c->ua;
	struct td_out o, sdp, via;

	td_out_init(&sdp);
	if (c->session->offer(c->arg, &sdp) || sdp.failed) {
		td_out_free(&sdp);
		return NULL;
	}
	td_out_init(&o);
	td_out_init(&via);
	td_tp_put_via(&via, ua->tp, flow, branch);
	td_put_request_line(&o, TD_STR("INVITE"), c->uri);
	td_put_hdr(&o, TD_HDR_VIA, td_out_view(&via));
	td_put_hdr_u64(&o, TD_HDR_MAX_FORWARDS, 70);
	ua_put_from(&o, ua, c->local_tag);
	td_out_fmt(&o, "To: <%.*s>\r\n", TD_FMT(c->uri));
	td_put_hdr(&o, TD_HDR_CALL_ID, c->call_id);
	td_out_fmt(&o, "CSeq: %u INVITE\r\n", c->invite_cseq);
	ua_put_contact(&o, ua, flow);
	if (via.failed || (ua->auth && td_auth_client_put(&o, ua->auth, TD_STR("INVITE"), c->uri)))
		o.failed = true;
	td_out_str(&o, ua_allow);
	if (ua->user_agent.n)
		td_put_hdr(&o, TD_HDR_USER_AGENT, ua->user_agent);
	td_put_body(&o, TD_STR("application/sdp"), td_out_view(&sdp));
	td_out_free(&via);
	td_out_free(&sdp);
	return td_out_buf(&o);
}

static int send_invite(struct td_call *c)
{
	char branch[TD_BRANCH_LEN];
	struct td_clitx_options opt = { .method = TD_INVITE, .branch = { branch, sizeof(branch) } };
	int err = td_tp_flow_to(&opt.to, c->ua->tp, c->ua->proto, &c->ua->proxy);

	if (err)
		return err;
	c->invite_cseq++;
	td_branch_make(branch, c->ua->txl);
	opt.bytes = build_invite(c, &opt.to, opt.branch);
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

static int make_ack(struct td_buf **out, struct td_flow *flow, struct td_call *c, const struct td_dialog *d)
{
	char branch[TD_BRANCH_LEN];
	struct td_out o, via;
	int err = ua_flow_to(flow, c->ua, td_dialog_next_hop(d));

	if (err)
		return err;
	td_branch_make(branch, c->ua->txl);
	td_out_init(&o);
	td_out_init(&via);
	td_tp_put_via(&via, c->ua->tp, flow, td_str_n(branch, sizeof(branch)));
	td_dialog_put_request(&o, d, TD_STR("ACK"), td_out_view(&via), c->invite_cseq);
	if (via.failed)
		o.failed = true;
	td_out_free(&via);
	td_put_body(&o, TD_STR_NULL, TD_STR_NULL);
	*out = td_out_buf(&o);
	return *out ? 0 : -ENOMEM;
}

/* A second phone of a fork answered too: it is acknowledged and hung up at once (§13.2.2.4). */
static void end_extra_fork(struct td_call *c, const struct td_msg *m)
{
	struct td_dialog *d;
	struct td_flow flow;
	struct td_buf *ack;

	if (td_dialog_of_response(&d, m))
		return;
	d->local_cseq = c->invite_cseq;
	if (make_ack(&ack, &flow, c, d) == 0) {
		td_tp_send(c->ua->tp, &flow, ack);
		td_buf_unref(ack);
	}
	ua_request_in_dialog(c->ua, d, true, TD_STR("BYE"), NULL, NULL);
}

static int take_dialog(struct td_call *c, const struct td_msg *m)
{
	int err;

	if (c->dialog && !td_str_eq(c->dialog->remote_tag, m->to_tag)) {      /* another branch than the one that rang first */
		td_dialog_free(c->dialog);
		c->dialog = NULL;
	}
	err = c->dialog ? td_dialog_confirm(c->dialog, m) : td_dialog_of_response(&c->dialog, m);
	if (!err)
		c->dialog->local_cseq = c->invite_cseq;
	return err;
}

static void on_2xx(struct td_call *c, const struct td_msg *m)
{
	int err;

	if (c->state == CALL_UP || c->state == CALL_OVER) {
		if (c->ack && c->dialog && td_str_eq(c->dialog->remote_tag, m->to_tag))
			td_tp_send(c->ua->tp, &c->ack_flow, c->ack);
		else if (!c->dialog || !td_str_eq(c->dialog->remote_tag, m->to_tag))
			end_extra_fork(c, m);
		return;
	}
	err = take_dialog(c, m);
	if (!err)
		err = make_ack(&c->ack, &c->ack_flow, c, c->dialog);
	if (err) {
		call_over(c, &(struct td_call_end){ .err = err });
		return;
	}
	td_tp_send(c->ua->tp, &c->ack_flow, c->ack);
	if (c->state == CALL_CANCELLED) {                 /* the answer crossed our CANCEL (§9.1) */
		call_bye(c);
		call_over(c, &(struct td_call_end){ 0 });
		return;
	}
	c->state = CALL_UP;
	if (!c->sdp_done)
		err = call_is_sdp(m) ? c->session->answered(c->arg, m->body) : TD_ESYNTAX;
	c->sdp_done = true;
	if (err) {                                        /* an answer we cannot use ends the call, politely */
		call_bye(c);
		call_over(c, &(struct td_call_end){ .err = err });
	} else if (c->events && c->events->up) {
		c->events->up(c, c->arg);
	}
}

static void on_provisional(struct td_call *c, const struct td_msg *m)
{
	if (m->to_tag.p && !c->dialog)
		td_dialog_of_response(&c->dialog, m);     /* early; the 2xx decides anyway */
	if (!c->sdp_done && call_is_sdp(m) && c->state == CALL_TRYING)
		c->sdp_done = c->session->answered(c->arg, m->body) == 0;
	if (m->status > 100 && c->events && c->events->progress)
		c->events->progress(c, m->status, m->reason, c->arg);
}

static void on_refusal(struct td_call *c, const struct td_msg *m)
{
	struct td_ua *ua = c->ua;
	struct td_call_end end = { .status = m->status, .reason = m->reason, .by_peer = true };
	int err = TD_EDENIED;

	drop_transaction(c);
	if ((m->status == 401 || m->status == 407) && ua->auth && c->state == CALL_TRYING && ++c->tries < MAX_TRIES) {
		err = td_auth_client_challenge(ua->auth, m);
		if (!err) {
			td_dialog_free(c->dialog);
			c->dialog = NULL;
			err = send_invite(c);
		}
	}
	if (!err)
		return;
	if (c->state == CALL_CANCELLED)                   /* 487 is what we asked for */
		end = (struct td_call_end){ 0 };
	call_over(c, &end);
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
		call_over(c, &(struct td_call_end){ .err = c->state == CALL_TRYING ? (why ? why : TD_ETIMEOUT) : 0 });
}

static const struct td_clitx_events invite_events = { on_response, on_ended };

int td_call_open(struct td_call **out, struct td_ua *ua, struct td_str uri, const struct td_session *session,
		 const struct td_call_events *events, void *arg)
{
	struct td_call *c = call_new(ua, true);
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
		err = send_invite(c);
	if (err) {
		c->state = CALL_OVER;
		td_call_close(c);
		return err;
	}
	*out = c;
	return 0;
}
