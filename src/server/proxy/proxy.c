/*
 * A request's life in the proxy:
 *
 *   td_proxy_request   a server transaction, 100 for an INVITE
 *   fork.c             one branch per target; each is a client transaction
 *   response.c         what comes back goes up, now or when the best of all is known
 *   settle             nothing pending any more: the context goes
 *
 * After its final response a branch lets go of its client transaction, which goes on absorbing repetitions by itself. Only a 2xx to an
 * INVITE keeps branch and context for as long as further 2xx may come (RFC 6026 timers L and M).
 *
 * Callbacks may come while another one of the same context is on the stack (a reply that cannot be sent, say). So each
 * enters and leaves the context, and the last to leave settles it.
 */
#include "server/proxy/internal.h"

#include <errno.h>
#include <stdlib.h>

int td_proxy_open(struct td_proxy **out, struct td_core *core, struct td_calls *calls)
{
	struct td_proxy *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	if (td_map_init(&p->sources, 64)) {
		free(p);
		return -ENOMEM;
	}
	p->core = core;
	p->calls = calls;
	td_list_init(&p->contexts);
	td_hash_key_init(&p->key, td_loop_rng(core->loop));
	px_stateless_open(p);
	*out = p;
	return 0;
}

const struct td_proxy_stats *td_proxy_stats(const struct td_proxy *p)
{
	return &p->stats;
}

/* ---- contexts ---- */

static void context_free(struct px_context *c)
{
	struct td_proxy *p = c->px;
	struct px_branch *b, *next;

	if (c->lookup)
		td_loc_cancel(c->lookup);
	for (b = c->branches; b; b = next) {
		next = b->next;
		px_way_stop(b);
		px_branch_end(b);
		td_msg_unref(b->final);
		p->stats.branches--;
		if (b != &c->first)
			free(b);
	}
	if (c->st) {
		td_srvtx_detach(c->st);
		td_srvtx_unref(c->st);
	}
	if (c->call)
		td_call_release(c->call);
	td_msg_unref(c->msg);
	px_wake_stop(c);
	px_seeks_free(c);
	px_pending_del(p, c->source);
	td_list_del(&c->link);
	p->stats.contexts--;
	free(c);
}

void td_proxy_close(struct td_proxy *p)
{
	if (!p)
		return;
	while (!td_list_empty(&p->contexts))
		context_free(TD_CONTAINER_OF(p->contexts.next, struct px_context, link));
	px_stateless_close(p);
	td_map_free(&p->sources);
	free(p);
}

static bool any_branch_open(const struct px_context *c)
{
	for (const struct px_branch *b = c->branches; b; b = b->next)
		if (b->ct || px_way_pending(b))
			return true;
	return false;
}

/* Nothing is waited for. */
static bool settled(const struct px_context *c)
{
	if (c->final_sent || c->lookup)
		return false;
	for (const struct px_branch *b = c->branches; b; b = b->next)
		if (!b->status)
			return false;
	return !px_wakes(c);
}

/* What only the choice of a final response needed. */
static void drop_setup_state(struct px_context *c)
{
	for (struct px_branch *b = c->branches; b; b = b->next) {
		td_msg_unref(b->final);
		b->final = NULL;
		px_way_stop(b);
	}
	td_msg_unref(c->msg);
	c->msg = NULL;
	c->setup = NULL;
	px_wake_stop(c);
	px_seeks_free(c);
	px_pending_del(c->px, c->source);
	c->source = NULL;
}

/* All it waits for is the callee. A branch that may have to be sent by another way needs the request once more. */
static bool rings(const struct px_context *c)
{
	if (!c->invite || !c->msg || c->lookup || !c->branches)
		return false;
	for (const struct px_branch *b = c->branches; b; b = b->next)
		if (b->instead.family != TD_AF_NONE || b->way)
			return false;
	return true;
}

/* Most of a call's memory while it rings would be its parsed request, which is wanted again only when it fails. */
static void shelve(struct px_context *c)
{
	td_srvtx_shelve(c->st);
	td_msg_unref(c->msg);
	c->msg = NULL;
	c->setup = NULL;
}

void px_context_enter(struct px_context *c)
{
	c->depth++;
}

void px_context_leave(struct px_context *c)
{
	if (c->depth == 1 && settled(c)) {
		while (px_fork_on(c) && settled(c))
			;
		if (settled(c))
			px_send_best(c);
	}
	if (--c->depth)
		return;
	if (c->final_sent)
		drop_setup_state(c);
	else if (rings(c))
		shelve(c);
	if (c->final_sent && !c->lookup && !any_branch_open(c))
		context_free(c);
}

void px_reply(struct px_context *c, unsigned status, struct td_str reason)
{
	px_reply_with(c, status, reason, TD_STR_NULL);
}

void px_reply_with(struct px_context *c, unsigned status, struct td_str reason, struct td_str extra)
{
	if (c->final_sent)
		return;
	c->final_sent = status >= 200;
	if (!c->st)
		return;
	px_track_response(c, status, NULL);
	if (status >= 300 && c->invite)
		td_count(&c->px->core->counters->calls_failed);
	/* Out of memory: the transaction ends by itself when its last user has let go */
	td_srvtx_reply_plain(c->st, status, reason, TD_STR_NULL, extra);
}

/* ---- branches ---- */

bool px_sent_uri(struct td_str *out, const struct td_buf *sent)
{
	struct td_str rest = sent ? td_buf_str(sent) : TD_STR_NULL;

	td_str_split(&rest, ' ');
	*out = td_str_split(&rest, ' ');
	return out->n;
}

void px_branch_end(struct px_branch *b)
{
	struct td_str uri;

	td_timer_stop(b->ctx->px->core->loop, &b->timer_c);
	if (!b->ct)
		return;
	if (!b->ctx->final_sent && px_sent_uri(&uri, td_clitx_bytes(b->ct)))
		px_branch_remember(b, uri);
	td_clitx_detach(b->ct);
	td_clitx_unref(b->ct);
	b->ct = NULL;
}

enum { YOUNG_MS = 1000 };

static void start_timer_c(struct px_branch *b)
{
	struct td_core *core = b->ctx->px->core;

	/* "larger than 3 minutes" */
	td_timer_start(core->loop, &b->timer_c, b->young ? YOUNG_MS : (uint64_t)core->cfg->proxy.timer_c_s * 1000 + 1);
}

void px_branch_waits(struct px_branch *b)
{
	if (!b->ctx->invite)
		return;
	b->young = !b->ctx->late_too;
	start_timer_c(b);
}

void px_branch_rings(struct px_branch *b)
{
	if (!b->young)
		start_timer_c(b);
}

/* §16.8. Ringing on and on ends here: with a CANCEL where the callee has been heard of, else as if 408 had come. */
static void timer_c_fired(struct td_timer *tm, void *arg)
{
	struct px_branch *b = arg;
	struct px_context *c = b->ctx;
	const struct td_msg *invite;

	px_context_enter(c);
	if (b->young) {
		b->young = false;
		start_timer_c(b);
		px_fork_rings(c);
		px_context_leave(c);
		return;
	}
	px_way_stop(b);
	invite = td_srvtx_msg(c->st);
	td_count(&c->px->core->counters->timeouts);
	td_log(c->px->core->log, TD_LOG_INFO, "proxy timer-c", TD_KS("call", invite ? invite->call_id : TD_STR_NULL));
	if (invite)
		td_trace_note(c->px->core->trace, invite->call_id,
			      &(struct td_note){ .kind = TD_NOTE_RANG_TOO_LONG, .a = c->px->core->cfg->proxy.timer_c_s });
	if (b->ct && td_clitx_had_provisional(b->ct)) {
		td_clitx_cancel(b->ct, TD_STR_NULL); /* 487 comes, or the transaction ends 64*T1 from here (§9.1) */
	} else {
		px_branch_end(b);
		b->status = 408;
	}
	px_context_leave(c);
}

static int send_copy(struct px_context *c, struct td_clitx **ct, const struct px_target *t, struct px_branch *b);

/* §18.1.1. The copy has another Via then, so it is made anew. */
static TD_RARE bool send_by_stream(int *err, const struct px_target *t, struct px_branch *b)
{
	struct px_target other = *t;

	if (!px_way_by_stream(b, t, &other.flow))
		return false;
	*err = send_copy(b->ctx, &b->ct, &other, b);
	if (!*err || *err == -ENOMEM)
		return true;
	px_way_no_stream(b);
	return false;
}

static int send_copy(struct px_context *c, struct td_clitx **ct, const struct px_target *t, struct px_branch *b)
{
	struct td_core *core = c->px->core;
	char text[PX_BRANCH_LEN + 1];
	struct px_copy copy = {
		.core = core,
		.msg = c->msg,
		.route = &c->setup->route,
		.in = &c->setup->from,
		.out = &t->flow,
		.uri = &t->uri,
		.path = t->path,
		.by_flow = t->by_flow,
		.branch = { text, PX_BRANCH_LEN },
		.breadth = b ? b->breadth : t->breadth,
	};
	struct td_clitx_options opt = { .method = c->msg->method, .branch = copy.branch, .to = t->flow, .forwarded = true };
	int err;

	td_branch_make(text, core->txl);
	td_route_loop_text(text + TD_BRANCH_LEN, c->setup->route.loop);
	err = px_copy_build(&opt.bytes, &copy);
	if (err)
		return err == TD_ELIMIT ? -EMSGSIZE : err;
	if (opt.bytes->len > PX_DATAGRAM_SAFE && ct && t->flow.proto == TD_UDP && send_by_stream(&err, t, b)) {
		td_buf_unref(opt.bytes);
		return err;
	}
	if (px_too_long(&t->flow, opt.bytes))
		err = -EMSGSIZE;
	else
		err = ct ? td_clitx_open(ct, core->txl, &opt, &px_branch_events, b) : td_tp_send(core->tp, &t->flow, opt.bytes);
	td_buf_unref(opt.bytes);
	if (!err)
		td_count(&core->counters->branches);
	return err;
}

int px_branch_send(struct px_branch *b, const struct px_target *t)
{
	return send_copy(b->ctx, &b->ct, t, b);
}

int px_send_once(struct px_context *c, const struct px_target *t)
{
	return send_copy(c, NULL, t, NULL);
}

int px_branch_send_instead(struct px_branch *b, const struct td_uri *uri)
{
	struct px_target t = { .uri = *uri };
	struct td_addr a = b->instead;
	int err;

	if (a.family == TD_AF_NONE)
		return TD_ENOTFOUND;
	b->instead.family = TD_AF_NONE; /* once */
	err = td_tp_flow_to(&t.flow, b->ctx->px->core->tp, b->instead_proto, &a);
	return err ? err : px_branch_send(b, &t);
}

struct px_branch *px_branch_new(struct px_context *c)
{
	struct px_branch *b = c->branches ? calloc(1, sizeof(*b)) : &c->first;

	if (!b)
		return NULL;
	b->ctx = c;
	td_timer_init(&b->timer_c, timer_c_fired, b);
	b->next = c->branches;
	c->branches = b;
	c->px->stats.branches++;
	return b;
}

/* Its target is a name. */
static TD_RARE int start_way(struct px_context *c, struct px_branch *b, const struct px_target *t)
{
	int err;

	if (!b)
		return -ENOMEM;
	b->breadth = (uint8_t)((t->breadth + 1) / 2); /* the rest is for another target beside it */
	err = px_way_start(b, t);
	if (err)
		b->status = err == -ENOMEM ? 500 : 502;
	return err;
}

int px_branch_start(struct px_context *c, const struct px_target *t)
{
	struct px_branch *b;
	int err;

	if (t->where.n)
		return start_way(c, px_branch_new(c), t);
	if (!c->st)
		return send_copy(c, NULL, t, NULL);
	b = px_branch_new(c);
	if (!b)
		return -ENOMEM;
	b->instead = t->instead;
	b->instead_proto = t->instead_proto;
	b->breadth = (uint8_t)t->breadth;
	err = px_branch_send(b, t);
	if (err)
		td_trace_note(
			c->px->core->trace, c->msg->call_id,
			&(struct td_note){ .kind = TD_NOTE_UNSENT, .a = err, .peer = t->flow.peer, .proto = t->flow.proto });
	if (err && px_branch_send_instead(b, &t->uri)) {
		b->status = err == -ENOMEM ? 500 : err == -EMSGSIZE ? 513 : 503; /* §16.9 */
		px_branch_remember(b, t->uri.text);
		return err;
	}
	px_branch_waits(b);
	return 0;
}

/* ---- targets ---- */

static void to_next_hop(struct px_context *c)
{
	struct td_core *core = c->px->core;
	struct px_target t;
	int err;

	err = px_target_of_next(&t, core, &c->setup->route);
	if (err)
		td_trace_note(core->trace, c->msg->call_id,
			      &(struct td_note){ .kind = TD_NOTE_NO_TARGET, .a = err, .text = c->setup->route.next.text });
	t.breadth = px_breadth(c->msg, 1);
	if (!t.breadth)
		px_reply(c, 440, TD_STR("Max-Breadth Exceeded"));
	else if (err == TD_EDENIED)
		px_reply(c, 403, TD_STR("Relaying Refused"));
	else if (err == TD_ECLOSED)
		px_reply(c, 430, TD_STR_NULL); /* RFC 5626 §5.3.1 */
	else if (err && c->setup->route.sips)
		px_reply_with(c, 480, TD_STR_NULL, TD_STR(PX_SIPS_NOT_ALLOWED));
	else if (err)
		px_reply(c, 502, TD_STR("No Way to Next Hop"));
	else
		px_branch_start(c, &t);
	if (!c->st && !any_branch_open(c))
		c->final_sent = true;
}

/* ---- the caller's side ---- */

/* All Reason fields of a CANCEL: one for each protocol that has something to say (RFC 3326 §2). */
static struct td_str reasons(struct td_msg *cancel)
{
	struct td_str all;
	struct td_out o;

	td_out_init(&o);
	for (const struct td_hdr *h = td_msg_hdr(cancel, TD_HDR_REASON); h; h = td_msg_hdr_next(cancel, h))
		td_out_str(&o, td_hdr_line(cancel, h));
	if (o.failed || td_arena_dup(&all, &cancel->arena, td_out_view(&o)))
		all = TD_STR_NULL;
	td_out_free(&o);
	return all;
}

static void on_cancelled(struct td_srvtx *st, struct td_msg *cancel, void *arg)
{
	struct px_context *c = arg;

	px_context_enter(c);
	c->cancelled = true;
	if (c->lookup)
		td_loc_cancel(c->lookup);
	c->lookup = NULL;
	px_wake_stop(c);
	if (c->branches)
		px_cancel_branches(c, td_msg_hdr(cancel, TD_HDR_REASON) ? reasons(cancel) : TD_STR_NULL);
	else
		px_reply(c, 487, TD_STR_NULL);
	px_context_leave(c);
}

static const struct td_srvtx_events srvtx_events = { .cancelled = on_cancelled };

/* ---- requests ---- */

static struct px_context *context_new(struct td_proxy *p, struct td_msg *msg, const struct td_flow *from,
				      const struct td_route *route)
{
	struct px_setup *setup = td_arena_alloc(&msg->arena, sizeof(*setup));
	struct px_context *c = setup ? calloc(1, sizeof(*c)) : NULL;

	if (!c)
		return NULL;
	c->px = p;
	c->msg = td_msg_ref(msg);
	*setup = (struct px_setup){ *from, *route };
	c->setup = setup;
	c->invite = msg->method == TD_INVITE;
	td_list_add_tail(&p->contexts, &c->link);
	p->stats.contexts++;
	return c;
}

/* The server transaction, and the place among its source's calls. An answer is sent when it cannot be had. */
static int take_on(struct px_context *c)
{
	struct td_core *core = c->px->core;
	int err = 0;

	if (c->msg->method == TD_ACK)
		return 0;
	if (c->invite && !td_config_trusts(core->cfg, &c->setup->from.peer))
		err = px_pending_add(&c->source, c->px, &c->setup->from.peer, core->cfg->proxy.max_pending);
	if (!err)
		err = td_srvtx_open(&c->st, core->txl, c->msg, &c->setup->from, &srvtx_events, c);
	if (err == TD_ELIMIT)
		td_trace_note(
			core->trace, c->msg->call_id,
			&(struct td_note){
				.kind = TD_NOTE_TOO_MANY, .a = 503, .peer = c->setup->from.peer, .proto = c->setup->from.proto });
	if (err)
		td_reply_stateless(core->txl, c->msg, &c->setup->from, err == TD_ELIMIT ? 503 : 500, TD_STR_NULL,
				   err == TD_ELIMIT ? td_core_come_again(core, c->msg, TD_CORE_SOON_S) : TD_STR_NULL);
	return err;
}

void px_to_targets(struct px_context *c)
{
	if (c->setup->route.kind == TD_ROUTE_NEXT)
		to_next_hop(c);
	else
		px_fork(c);
}

void td_proxy_request(struct td_proxy *p, struct td_msg *msg, const struct td_flow *from, const struct td_route *route)
{
	struct td_core *core = p->core;
	struct px_context *c = context_new(p, msg, from, route);

	if (!c) {
		if (msg->method != TD_ACK)
			td_reply_stateless(core->txl, msg, from, 500, TD_STR_NULL, TD_STR_NULL);
		return;
	}
	if (take_on(c)) {
		context_free(c);
		return;
	}
	td_count(&core->counters->forwarded);
	px_context_enter(c);
	if (c->invite)
		px_reply(c, 100, TD_STR_NULL); /* §16.2: stops the caller's retransmissions before we look anything up */
	if (px_track_request(c))
		px_to_targets(c);
	px_context_leave(c);
}
