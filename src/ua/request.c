/*
 * One request that is no INVITE, with authentication: a challenge is met once per nonce with the next CSeq and a new branch. In a
 * dialog the head comes from the dialog; outside, from the account.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>

static void finish(struct td_request *r, int err, const struct td_msg *response)
{
	td_list_del(&r->link);
	r->finished = true; /* fn may close it as well */
	if (r->fn)
		r->fn(r, err, response, r->arg);
	r->finished = false;
	td_request_close(r);
}

static void put_outside(struct td_out *o, struct td_request *r, struct td_str via)
{
	td_put_request_line(o, r->method, r->uri);
	td_put_hdr(o, TD_HDR_VIA, via);
	td_put_hdr_u64(o, TD_HDR_MAX_FORWARDS, 70);
	ua_put_from(o, r->ua, r->from_tag);
	td_out_fmt(o, "To: <%.*s>\r\n", TD_FMT(r->to));
	td_put_hdr(o, TD_HDR_CALL_ID, r->call_id);
	td_out_fmt(o, "CSeq: %u %.*s\r\n", r->cseq, TD_FMT(r->method));
}

static struct td_buf *build(struct td_request *r, const struct td_flow *flow, struct td_str branch)
{
	struct td_out o, via;

	td_out_init(&o);
	td_out_init(&via);
	td_tp_put_via(&via, r->ua->tp, flow, branch);
	if (r->dialog)
		td_dialog_put_request(&o, r->dialog, r->method, td_out_view(&via), r->cseq);
	else
		put_outside(&o, r, td_out_view(&via));
	if (via.failed)
		o.failed = true;
	td_out_free(&via);
	ua_auth_put(&o, r->ua, &r->auth, flow, r->method, r->dialog ? td_dialog_request_uri(r->dialog) : r->uri);
	td_out_str(&o, r->headers);
	if (r->ua->user_agent.n)
		td_put_hdr(&o, TD_HDR_USER_AGENT, r->ua->user_agent);
	td_put_body(&o, r->content_type, r->body);
	return td_out_buf(&o);
}

static const struct td_clitx_events request_events;

static int send_request(struct td_request *r)
{
	char branch[TD_BRANCH_LEN];
	struct td_clitx_options opt = { .method = td_method_of(r->method), .branch = { branch, sizeof(branch) } };
	int err;

	if (r->dialog)
		err = ua_flow_to(&opt.to, r->ua, td_dialog_next_hop(r->dialog));
	else
		err = ua_flow_to_proxy(&opt.to, r->ua);
	if (err)
		return err;
	r->flow = opt.to;
	td_branch_make(branch, r->ua->txl);
	opt.bytes = build(r, &opt.to, opt.branch);
	if (!opt.bytes)
		return -ENOMEM;
	err = td_clitx_open(&r->ct, r->ua->txl, &opt, &request_events, r);
	td_buf_unref(opt.bytes);
	return err;
}

static void drop_transaction(struct td_request *r)
{
	if (!r->ct)
		return;
	td_clitx_detach(r->ct);
	td_clitx_unref(r->ct);
	r->ct = NULL;
}

static void on_response(struct td_clitx *ct, struct td_msg *m, void *arg)
{
	struct td_request *r = arg;
	int err;

	if (m->status < 200)
		return;
	drop_transaction(r);
	if (!ua_auth_again(r->ua, &r->auth, &r->flow, m)) {
		finish(r, m->status == 401 || m->status == 407 ? TD_EDENIED : 0, m);
		return;
	}
	r->cseq = r->dialog ? td_dialog_next_cseq(r->dialog) : r->cseq + 1;
	err = send_request(r);
	if (err)
		finish(r, err, m);
}

static void on_ended(struct td_clitx *ct, int why, void *arg)
{
	struct td_request *r = arg;

	drop_transaction(r);
	finish(r, why ? why : TD_ETIMEOUT, NULL);
}

static const struct td_clitx_events request_events = { on_response, on_ended };

/* The first that waits for an answer from there over UDP. */
static struct td_request *waiting_for(const struct td_ua *ua, const struct td_addr *peer)
{
	for (struct td_link *l = ua->requests.next; l != &ua->requests; l = l->next) {
		struct td_request *r = TD_CONTAINER_OF(l, struct td_request, link);

		if (r->ct && r->flow.proto == TD_UDP && td_addr_eq(&r->flow.peer, peer))
			return r;
	}
	return NULL;
}

void ua_requests_refused(struct td_ua *ua, const struct td_addr *peer, int err)
{
	struct td_request *r;

	/* One after the other: what is told of the first may close others, or the agent. */
	if ((r = waiting_for(ua, peer))) {
		drop_transaction(r);
		finish(r, err, NULL);
	}
}

static struct td_request *make(struct td_ua *ua, td_request_fn *fn, void *arg)
{
	struct td_request *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	td_arena_init(&r->arena);
	r->ua = ua;
	r->fn = fn;
	r->arg = arg;
	return r;
}

int ua_request_open(struct td_request **out, struct td_ua *ua, const struct td_request_options *opt, struct td_str call_id,
		    uint32_t cseq, td_request_fn *fn, void *arg)
{
	struct td_request *r = make(ua, fn, arg);
	struct td_uri check;
	int err = r ? 0 : -ENOMEM;

	if (!err)
		err = td_uri_parse(&check, opt->uri);
	if (!err && opt->to.n)
		err = td_uri_parse(&check, opt->to);
	if (!err)
		err = td_arena_dup(&r->method, &r->arena, opt->method);
	if (!err)
		err = td_arena_dup(&r->uri, &r->arena, opt->uri);
	if (!err)
		err = td_arena_dup(&r->to, &r->arena, opt->to.n ? opt->to : opt->uri);
	if (!err)
		err = td_arena_dup(&r->headers, &r->arena, opt->headers);
	if (!err)
		err = td_arena_dup(&r->content_type, &r->arena, opt->content_type);
	if (!err)
		err = td_arena_dup(&r->body, &r->arena, opt->body);
	if (!err) {
		r->call_id = call_id;
		if (!call_id.n)
			r->call_id = ua_token(ua, &r->arena, UA_CALL_ID_LEN);
		else
			err = td_arena_dup(&r->call_id, &r->arena, call_id);
		r->from_tag = ua_token(ua, &r->arena, UA_TAG_LEN);
		r->cseq = cseq;
		if (!err && (!r->call_id.p || !r->from_tag.p))
			err = -ENOMEM;
	}
	if (!err)
		err = send_request(r);
	if (err) {
		td_request_close(r);
		return err;
	}
	td_list_add_tail(&ua->requests, &r->link);
	if (out)
		*out = r;
	return 0;
}

int td_request_open(struct td_request **out, struct td_ua *ua, const struct td_request_options *opt, td_request_fn *fn, void *arg)
{
	return ua_request_open(out, ua, opt, TD_STR_NULL, 1, fn, arg);
}

int ua_request_in_dialog(struct td_ua *ua, struct td_dialog *d, bool own, struct td_str method, td_request_fn *fn, void *arg)
{
	struct td_request *r = make(ua, fn, arg);
	int err = r ? 0 : -ENOMEM;

	if (!err) {
		r->dialog = d;
		r->own_dialog = own;
		r->auth.sent.known_realms = true;
		err = td_arena_dup(&r->method, &r->arena, method);
	} else if (own) {
		td_dialog_free(d);
	}
	if (!err) {
		r->cseq = td_dialog_next_cseq(d);
		err = send_request(r);
	}
	if (err) {
		td_request_close(r);
		return err;
	}
	td_list_add_tail(&ua->requests, &r->link);
	return 0;
}

void td_request_close(struct td_request *r)
{
	if (!r || r->finished)
		return;
	td_list_del(&r->link);
	drop_transaction(r);
	if (r->own_dialog)
		td_dialog_free(r->dialog);
	td_arena_reset(&r->arena);
	free(r);
}
