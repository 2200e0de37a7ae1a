/*
 * Forwarding without state (§16.11): a request goes to one target, under a branch that says the same for its retransmission, its
 * CANCEL and the ACK for its refusal (stateless_branch.c), and is forgotten; a response says by that branch whether it is ours
 * and where it goes. No 100, no retransmission, no Timer C, no CANCEL of our own: those are the endpoints'. What a target does not
 * answer, nobody answers.
 *
 * What is decided before (server/route, gate) is decided as in proxy mode. What the gate let in is noted (notes.c).
 */
#include "server/proxy/internal.h"

#include <errno.h>

/* A request whose target is being looked up; in its message's arena. */
struct errand {
	struct td_link link;
	struct td_proxy *px;
	struct td_msg *msg; /* counted once the answer has to be waited for */
	const struct td_flow *from;
	const struct td_route *route;
	struct td_loc_call *lookup;
	struct td_locate *locate;
};

static void errand_end(struct errand *e)
{
	td_locate_close(e->locate);
	td_list_del(&e->link);
	e->px->stats.contexts--;
	td_msg_unref(e->msg);
}

static void refuse_with(struct td_proxy *p, struct td_msg *msg, const struct td_flow *from, unsigned status, struct td_str reason,
			struct td_str extra)
{
	/* A CANCEL that leads nowhere matches nothing. */
	if (msg->method == TD_CANCEL)
		td_reply_stateless(p->core->txl, msg, from, 481, TD_STR_NULL, TD_STR_NULL);
	else if (msg->method != TD_ACK)
		td_reply_stateless(p->core->txl, msg, from, status, reason, extra);
}

static void refuse(struct td_proxy *p, struct td_msg *msg, const struct td_flow *from, unsigned status, struct td_str reason)
{
	refuse_with(p, msg, from, status, reason, TD_STR_NULL);
}

/* ---- requests ---- */

static int send_copy(struct td_proxy *p, struct td_msg *msg, const struct td_flow *from, const struct td_route *route,
		     const struct px_target *t)
{
	char text[PX_STATELESS_BRANCH_MAX] TD_UNINIT;
	struct px_copy copy = {
		.core = p->core,
		.msg = msg,
		.route = route,
		.in = from,
		.out = &t->flow,
		.uri = &t->uri,
		.path = t->path,
		.by_flow = t->by_flow,
		.branch = { text, 0 },
		.breadth = px_breadth(msg, 1),
	};
	struct td_buf *b;
	int err;

	px_stateless_branch(text, &copy.branch.n, p, msg, from, route);
	err = px_copy_build(&b, &copy);
	if (err)
		return err == TD_ELIMIT ? -EMSGSIZE : err;
	err = px_too_long(&t->flow, b) ? -EMSGSIZE : td_tp_send(p->core->tp, &t->flow, b);
	td_buf_unref(b);
	if (!err)
		td_count(&p->core->counters->branches);
	return err;
}

static void forward(struct td_proxy *p, struct td_msg *msg, const struct td_flow *from, const struct td_route *route,
		    const struct px_target *t)
{
	int err;

	if (!px_breadth(msg, 1)) {
		refuse(p, msg, from, 440, TD_STR("Max-Breadth Exceeded"));
		return;
	}
	err = send_copy(p, msg, from, route, t);
	if (err)
		td_trace_note(
			p->core->trace, msg->call_id,
			&(struct td_note){ .kind = TD_NOTE_UNSENT, .a = err, .peer = t->flow.peer, .proto = t->flow.proto });
	if (err == -EMSGSIZE)
		refuse(p, msg, from, 513, TD_STR_NULL);
	else if (err) /* as if 503 had come, which is not passed on (§16.9, §16.7 item 6) */
		refuse(p, msg, from, 500, TD_STR_NULL);
}

/* The connection it registered by, or when that is gone the address its Contact names. */
static bool reachable(struct px_target *t, struct td_tp *tp)
{
	if (td_tp_flow_alive(tp, &t->flow))
		return true;
	return t->instead.family != TD_AF_NONE && !td_tp_flow_to(&t->flow, tp, t->instead_proto, &t->instead);
}

/* Bindings stand in the order they were made: of those before `limit`, the one with the highest q, of equals the newest. */
static const struct td_binding *next_best(const struct td_binding *b, unsigned n, const struct td_binding *limit)
{
	const struct td_binding *best = NULL;

	for (unsigned i = 0; i < n; i++)
		if ((!limit || b[i].q < limit->q || (b[i].q == limit->q && &b[i] < limit)) && (!best || b[i].q >= best->q))
			best = &b[i];
	return best;
}

/* One target and only one; as long as the bindings stay as they are, the same each time. */
static void found(void *arg, int err, const struct td_binding *b, unsigned n)
{
	struct errand *e = arg;
	struct td_proxy *p = e->px;
	const struct td_gruu *gruu = e->route->gruu;
	const struct td_binding *best = NULL;
	struct px_target t;

	if (e->msg->method == TD_INVITE || !n)
		px_note_bindings(p->core, e->msg, e->route->aor, b, n);
	if (err) {
		refuse(p, e->msg, e->from, 500, TD_STR("Location Not Available"));
	} else {
		do
			best = next_best(b, n, best);
		while (best &&
		       ((gruu && !td_gruu_is(gruu, p->core->rr_key, best)) ||
			px_target_of_binding(&t, p->core, best, e->route->sips) || t.where.n || !reachable(&t, p->core->tp)));
		if (best)
			forward(p, e->msg, e->from, e->route, &t);
		else
			refuse_with(p, e->msg, e->from, px_nobody_there(p->core, e->route, b, n), TD_STR_NULL,
				    px_nobody_secure(p->core, e->msg, e->route, b, n));
	}
	if (!e->lookup)
		return; /* the answer came inside the question */
	errand_end(e);
}

/* False: no memory for what lasts longer than the call. */
static bool wait_for_answer(struct errand *e)
{
	struct td_flow *from = td_arena_alloc(&e->msg->arena, sizeof(*from));
	struct td_route *route = td_arena_alloc(&e->msg->arena, sizeof(*route));

	if (!from || !route)
		return false;
	*from = *e->from;
	*route = *e->route;
	e->from = from;
	e->route = route;
	td_msg_ref(e->msg);
	td_list_add_tail(&e->px->errands, &e->link);
	e->px->stats.contexts++;
	return true;
}

/* Where the address is of this worker's own shard, nothing is kept at all. */
static void to_user(struct td_proxy *p, struct td_msg *msg, const struct td_flow *from, const struct td_route *route)
{
	struct errand *e = td_arena_alloc(&msg->arena, sizeof(*e));
	int err = -ENOMEM;

	if (e) {
		*e = (struct errand){ .px = p, .msg = msg, .from = from, .route = route };
		err = td_location_lookup(&e->lookup, p->core->location, p->core->worker, route->aor, found, e);
	}
	if (!err && e->lookup && !wait_for_answer(e)) {
		td_loc_cancel(e->lookup);
		err = -ENOMEM;
	}
	if (err)
		refuse(p, msg, from, 500, TD_STR_NULL);
}

/* What stands for it among the notes. */
static uint64_t number_of(const struct td_proxy *p, const struct td_msg *msg, const struct td_flow *from,
			  const struct td_route *route)
{
	char text[PX_STATELESS_BRANCH_MAX] TD_UNINIT;
	size_t n;

	return px_stateless_branch(text, &n, p, msg, from, route);
}

static void refuse_hop(struct errand *e, int err)
{
	td_trace_note(e->px->core->trace, e->msg->call_id,
		      &(struct td_note){ .kind = TD_NOTE_NO_TARGET, .a = err, .text = e->route->next.text });
	if (err == TD_ECLOSED)
		refuse(e->px, e->msg, e->from, 430, TD_STR_NULL);
	else if (err == TD_EDENIED)
		refuse(e->px, e->msg, e->from, 403, TD_STR("Relaying Refused"));
	else if (err == TD_ETIMEOUT)
		refuse(e->px, e->msg, e->from, 504, TD_STR("No Name Server Answered"));
	else if (e->route->sips && err != -ENOMEM)
		refuse_with(e->px, e->msg, e->from, 480, TD_STR_NULL, TD_STR(PX_SIPS_NOT_ALLOWED));
	else
		refuse(e->px, e->msg, e->from, err == -ENOMEM ? 500 : 502, TD_STR("No Way to Next Hop"));
}

/* The first target is the only one: whoever remembers nothing must send a retransmission where the request went (RFC 3263 §4.4). */
static void located(void *arg, int err, const struct td_hop *hop)
{
	struct errand *e = arg;
	struct td_core *core = e->px->core;
	struct px_target t = { 0 };

	if (!err && !td_route_target_allowed(core, &hop->addr))
		err = TD_EDENIED;
	if (!err)
		err = td_tp_flow_to_host(&t.flow, core->tp, hop->proto, &hop->addr, e->route->next.host);
	if (err)
		refuse_hop(e, err);
	else
		forward(e->px, e->msg, e->from, e->route, &t);
	errand_end(e);
}

static void told(void *arg, const struct td_locate_step *step)
{
	const struct errand *e = arg;

	px_note_dns(e->px->core, e->msg->call_id, step);
}

static const struct td_locate_events locate_events = { .found = located, .told = told };

static int look_up(struct td_proxy *p, struct td_msg *msg, const struct td_flow *from, const struct td_route *route)
{
	struct errand *e = td_arena_alloc(&msg->arena, sizeof(*e));
	struct td_uri next = route->next;
	int err;

	if (!e)
		return -ENOMEM;
	if (route->sips)
		next.scheme = TD_SCHEME_SIPS;
	*e = (struct errand){ .px = p, .msg = msg, .from = from, .route = route };
	/* retransmission, CANCEL and ACK have the same number: among equal targets it leads to the same one */
	err = td_locate_open(&e->locate, p->core->locator, &next, number_of(p, msg, from, route) | 1, &locate_events, e);
	if (err)
		return err;
	if (!wait_for_answer(e)) {
		td_locate_close(e->locate);
		return -ENOMEM;
	}
	td_locate_next(e->locate);
	return 0;
}

static void to_next_hop(struct td_proxy *p, struct td_msg *msg, const struct td_flow *from, const struct td_route *route)
{
	struct px_target t;
	int err = px_target_of_next(&t, p->core, route);

	if (!err && t.where.n)
		err = look_up(p, msg, from, route);
	else if (!err)
		forward(p, msg, from, route, &t);
	if (!err)
		return;
	refuse_hop(&(struct errand){ .px = p, .msg = msg, .from = from, .route = route }, err);
}

void td_proxy_forward(struct td_proxy *p, struct td_msg *msg, const struct td_flow *from, const struct td_route *route, bool note)
{
	if (note) {
		bool invite =
			msg->method == TD_INVITE; /* for its CANCEL, as long as it may ring; else for retransmissions (64*T1) */

		px_note(&p->notes[invite], number_of(p, msg, from, route),
			invite ? (uint64_t)p->core->cfg->proxy.timer_c_s * 1000 : 64 * 500);
	}
	td_count(&p->core->counters->forwarded);
	if (route->kind == TD_ROUTE_NEXT)
		to_next_hop(p, msg, from, route);
	else
		to_user(p, msg, from, route);
}

bool td_proxy_noted(const struct td_proxy *p, const struct td_msg *msg, const struct td_flow *from, const struct td_route *route)
{
	bool invite = msg->method == TD_INVITE || msg->method == TD_ACK || msg->method == TD_CANCEL;
	const struct px_notes *ns = &p->notes[invite];

	return (ns->young.n || ns->old.n) && px_noted(ns, number_of(p, msg, from, route));
}

void px_stateless_open(struct td_proxy *p)
{
	td_list_init(&p->errands);
	for (size_t i = 0; i < TD_ARRAY_LEN(p->notes); i++)
		px_notes_init(&p->notes[i], p->core->loop);
	px_stateless_key(p);
}

void px_stateless_close(struct td_proxy *p)
{
	while (!td_list_empty(&p->errands)) {
		struct errand *e = TD_CONTAINER_OF(p->errands.next, struct errand, link);

		if (e->lookup)
			td_loc_cancel(e->lookup);
		errand_end(e);
	}
	for (size_t i = 0; i < TD_ARRAY_LEN(p->notes); i++)
		px_notes_free(&p->notes[i]);
}

/* ---- responses ---- */

/* The bytes of our Via, the topmost value: its field, or the value up to the next. False: there is no other (P11). */
static bool own_via(struct td_str *out, const struct td_msg *m)
{
	const struct td_hdr *h = td_msg_hdr(m, TD_HDR_VIA);
	struct td_str rest = td_hdr_value(m, h), v, next;

	if (rest.n == m->via.text.n) {
		*out = td_hdr_line(m, h);
		return td_msg_hdr_next(m, h) != NULL;
	}
	if (td_list_next(&v, &rest) != 1 || td_list_next(&next, &rest) != 1)
		return false;
	*out = td_str_n(v.p, (size_t)(next.p - v.p));
	return true;
}

/* The same of a response that asserts something of who sent it. */
static TD_RARE struct td_buf *response_of_stranger(const struct td_core *core, const struct td_msg *m, const struct td_flow *from,
						   const struct td_flow *to)
{
	struct td_edits ed TD_UNINIT;
	char length[PX_LENGTH_TEXT];
	struct td_buf *b = NULL;

	td_edits_init(&ed, m);
	td_edit_remove_first_value(&ed, TD_HDR_VIA);
	px_drop_assertions(&ed, core, m, &from->peer, &to->peer);
	px_edit_length(&ed, length, m, to);
	if (td_edits_apply(&b, &ed))
		b = NULL;
	td_edits_free(&ed);
	return b;
}

/* The response without our Via; for a stream with the length it may have lacked (§20.14). */
static struct td_buf *response_copy(const struct td_msg *m, struct td_str via, const struct td_flow *to)
{
	const struct td_hdr *last = &m->hdr[m->nhdr - 1];
	size_t head = (size_t)(via.p + via.n - m->bytes.p), end = (size_t)last->at + last->n; /* of our Via, of the header */
	char text[PX_LENGTH_TEXT];
	struct td_buf *b;
	struct td_out o;

	td_out_init_fixed(&o, text, sizeof(text));
	if (td_proto_reliable((enum td_proto)to->proto) && !td_msg_hdr(m, TD_HDR_CONTENT_LENGTH))
		td_put_hdr_u64(&o, TD_HDR_CONTENT_LENGTH, m->body.n);
	b = td_buf_new(m->bytes.n - via.n + o.n);
	if (!b)
		return NULL;
	memcpy(b->data, m->bytes.p, head - via.n);
	memcpy(b->data + head - via.n, m->bytes.p + head, end - head);
	memcpy(b->data + end - via.n, text, o.n);
	memcpy(b->data + end - via.n + o.n, m->bytes.p + end, m->bytes.n - end);
	b->len = (uint32_t)(m->bytes.n - via.n + o.n);
	return b;
}

static void send_back(struct td_proxy *p, struct px_back *back, struct td_buf *b)
{
	struct td_tp *tp = p->core->tp;

	/* §18.2.2: the connection the request came by, else a new one to where it came from, at the port its sent-by names */
	if (!td_tp_flow_alive(tp, &back->flow)) {
		back->flow.peer.port = back->again ? back->again : 5060;
		if (td_tp_flow_to(&back->flow, tp, (enum td_proto)back->flow.proto, &back->flow.peer))
			return;
	}
	td_tp_send(tp, &back->flow, b);
}

bool td_proxy_response(struct td_proxy *p, const struct td_msg *msg, const struct td_flow *from)
{
	struct px_back back;
	struct td_str via;
	struct td_buf *b;

	if (!px_is_stateless_branch(msg->via.branch))
		return false;
	td_trace_message(p->core->trace, TD_TRACE_IN, from, msg->bytes);
	if (!px_stateless_branch_read(&back, p, msg) || !own_via(&via, msg)) {
		td_count(&p->core->counters->strays);
		return true;
	}
	b = px_asserts(msg) ? response_of_stranger(p->core, msg, from, &back.flow) : response_copy(msg, via, &back.flow);
	if (b)
		send_back(p, &back, b);
	td_buf_unref(b);
	return true;
}
