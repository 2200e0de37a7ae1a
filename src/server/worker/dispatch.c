/*
 * A message's way through a worker: guard (raw bytes), the owner, the transaction layer, and for a new request the decision of
 * server/route and the role it names.
 *
 * Every message of a call is handled by one worker. For requests that is hash(Call-ID), under a key of ours; responses carry it in
 * the branch we made. What was forwarded without state has no owner: its responses are sent on where they arrive. A message for
 * another worker goes there as it is: its buffer, its arena, its one reference.
 */
#include "server/worker/internal.h"

#include "server/gate/gate.h"
#include "server/redirect/redirect.h"
#include "server/registrar/registrar.h"

/* ---- answers without state ---- */

/* Whoever is not known to be there is answered within a budget (T7). */
static bool may_answer(struct worker *w, const struct td_msg *msg, const struct td_flow *from)
{
	return msg->method != TD_ACK && td_guard_may_answer(w->guard, w->core.cfg, from, td_loop_now_us(w->core.loop));
}

static void answer(struct worker *w, const struct td_msg *msg, const struct td_flow *from, unsigned status, struct td_str reason,
		   struct td_str extra)
{
	if (may_answer(w, msg, from))
		td_reply_stateless(w->core.txl, msg, from, status, reason, extra);
}

/* ---- new requests ---- */

static void count_method(struct td_counters *c, enum td_method m)
{
	switch (m) {
	case TD_REGISTER: td_count(&c->registers); break;
	case TD_INVITE: td_count(&c->invites); break;
	case TD_MESSAGE: td_count(&c->messages); break;
	case TD_OPTIONS: td_count(&c->options); break;
	default: break;
	}
}

/* Somebody we do not know wanted something. By datagrams nobody can be held to that: who sent them is not known (A5, X9). */
static void probed(struct worker *w, const struct td_msg *msg, const struct td_flow *from)
{
	if (td_proto_reliable((enum td_proto)from->proto) && !td_config_trusts(w->core.cfg, &from->peer) &&
	    !td_guard_probe(w->guard, w->core.cfg, from, td_loop_now_us(w->core.loop)))
		td_bans_accuse(w->server->bans, w->core.cfg, TD_OFFENCE_PROBE, &from->peer, msg->call_id);
}

static void routed(struct worker *w, struct td_msg *msg, const struct td_flow *from, const struct td_route *r,
		   const struct td_gate *who)
{
	switch (r->kind) {
	case TD_ROUTE_DROP: break;
	case TD_ROUTE_REJECT:
		td_trace_note(w->core.trace, msg->call_id,
			      &(struct td_note){ .kind = TD_NOTE_REFUSED, .a = r->status, .text = r->reason, .more = r->aor });
		answer(w, msg, from, r->status, r->reason, r->extra);
		if ((r->status == 403 || r->status == 404) && !who->trusted && !who->aor.n)
			probed(w, msg, from);
		break;
	case TD_ROUTE_OPTIONS: answer(w, msg, from, 200, TD_STR_NULL, r->extra); break;
	case TD_ROUTE_REGISTER: td_registrar_request(w->registrar, msg, from, who); break;
	case TD_ROUTE_USER:
	case TD_ROUTE_NEXT:
		if (r->stateless)
			td_proxy_forward(w->proxy, msg, from, r, who->aor.n > 0);
		else if (r->redirect)
			td_redirect_request(w->redirect, msg, from, r);
		else
			td_proxy_request(w->proxy, msg, from, r);
		break;
	}
}

/* An ACK for a 2xx, or for an answer we gave without state: that one carries the tag we gave it. */
static bool acks_stateless_answer(struct worker *w, const struct td_msg *msg)
{
	char tag[TD_STATELESS_TAG_LEN];

	if (msg->to_tag.n != sizeof(tag))
		return false;
	td_stateless_tag(tag, w->core.txl, msg);
	return td_str_eq(msg->to_tag, td_str_n(tag, sizeof(tag)));
}

/* ACK and CANCEL cannot be challenged (§22.1). They pass for a dialog's sake, from a source under trust, or after the INVITE that they
 * belong to and that passed. */
static bool passes_unasked(struct worker *w, const struct td_msg *msg, const struct td_flow *from, const struct td_route *r)
{
	return !r->challenge || td_config_trusts(w->core.cfg, &from->peer) || td_proxy_noted(w->proxy, msg, from, r);
}

/*
 * The server drains: what would begin something goes elsewhere before anybody is asked who he is, and so does the OPTIONS by which others
 * find out whether we serve. What runs goes on: our cookie's dialogs, those whose phones forgot the Route (a To tag; a new call has none,
 * §12.1.1), ACK; and what was forwarded without state and comes again: refused, it would be refused for the first time as well. Sources under
 * trust leave no note of that, so theirs are refused. Of registrations the registrar refuses those that add a contact.
 */
TD_RARE static void turn_away(struct td_route *r, const struct td_core *core, struct td_msg *msg)
{
	if (r->in_dialog || msg->to_tag.n || msg->method == TD_ACK || r->kind == TD_ROUTE_REJECT || r->kind == TD_ROUTE_DROP ||
	    r->kind == TD_ROUTE_REGISTER)
		return;
	r->kind = TD_ROUTE_REJECT;
	r->challenge = false;
	r->status = 503;
	r->reason = TD_CORE_DRAINING;
	r->extra = td_core_come_again(core, msg, TD_CORE_LATER_S);
}

static void on_request(void *arg, struct td_msg *msg, const struct td_flow *from)
{
	struct worker *w = arg;
	struct td_core *core = &w->core;
	struct td_gate who = { 0 };
	struct td_route r TD_UNINIT;
	int err = td_route_decide(&r, core, msg, from);

	if (!err && td_core_drains(core) && !(r.stateless && td_proxy_noted(w->proxy, msg, from, &r)))
		turn_away(&r, core, msg);
	if (!err && r.in_dialog)
		td_tp_trust_conn(core->tp, from);
	if (!err && msg->method == TD_ACK && r.stateless && !passes_unasked(w, msg, from, &r))
		return;
	if (!err && r.challenge && msg->method != TD_ACK && !(r.stateless && td_proxy_noted(w->proxy, msg, from, &r)))
		err = td_gate_check(&who, core, msg, from, r.domain);
	if (err == TD_EDENIED) {
		answer(w, msg, from, who.status, who.reason, who.extra);
		probed(w, msg, from);
		return;
	}
	if (who.aor.n && td_proto_reliable((enum td_proto)from->proto))
		td_guard_known(w->guard, from, td_loop_now_us(core->loop));
	r.sender = who.aor;
	if (!err)
		err = td_route_admitted(&r, core, msg);
	if (err)
		answer(w, msg, from, 500, TD_STR_NULL, TD_STR_NULL);
	else
		routed(w, msg, from, &r, &who);
}

static void on_ack(void *arg, struct td_msg *msg, const struct td_flow *from)
{
	if (!acks_stateless_answer(arg, msg))
		on_request(arg, msg, from);
}

/* What has no transaction here was never forwarded (D3), or without state: then it goes the same way. */
static void on_cancel(void *arg, struct td_msg *msg, const struct td_flow *from)
{
	struct worker *w = arg;
	struct td_route r TD_UNINIT;

	if (!td_route_decide(&r, &w->core, msg, from) && r.stateless && passes_unasked(w, msg, from, &r) &&
	    !td_route_admitted(&r, &w->core, msg) && r.kind != TD_ROUTE_REJECT)
		td_proxy_forward(w->proxy, msg, from, &r, false);
	else
		answer(w, msg, from, 481, TD_STR_NULL, TD_STR_NULL);
}

static bool on_may_return(void *arg, const struct td_addr *to)
{
	const struct worker *w = arg;

	return td_route_relay_allowed(&w->core, to);
}

const struct td_txl_events worker_txl_events = {
	.request = on_request,
	.ack = on_ack,
	.cancel = on_cancel,
	.may_return = on_may_return,
};

/* ---- messages ---- */

/* A limit may have stopped the parser before it saw what a client matches a response by. Broken fields go back as they came. */
static bool answerable(const struct td_msg *msg)
{
	return td_msg_hdr(msg, TD_HDR_CSEQ);
}

static void handle_request(struct worker *w, struct td_msg *msg, const struct td_flow *from)
{
	td_count(&w->counters.requests);
	if (!msg->defect.status) {
		count_method(&w->counters, msg->method);
		td_txl_receive(w->core.txl, msg, from);
		return;
	}
	td_count(&w->counters.bad_requests);
	td_trace_note(w->core.trace, msg->call_id,
		      &(struct td_note){ .kind = TD_NOTE_BROKEN, .a = msg->defect.status, .text = td_str_of(msg->defect.why) });
	if (msg->method != TD_ACK && answerable(msg) &&
	    td_guard_may_correct(w->guard, w->core.cfg, from, td_loop_now_us(w->core.loop)))
		td_reply_stateless(w->core.txl, msg, from, msg->defect.status, td_str_of(msg->defect.why), TD_STR_NULL);
}

static void handle(struct worker *w, struct td_msg *msg, const struct td_flow *from)
{
	td_trace_received(w->core.trace, msg, from);
	if (msg->request) {
		handle_request(w, msg, from);
	} else {
		td_count(&w->counters.responses);
		td_txl_receive(w->core.txl, msg, from);
	}
	td_trace_handled(w->core.trace);
	td_msg_unref(msg);
}

struct handover {
	struct td_mail mail;
	struct worker *to;
	struct td_msg *msg;
	struct td_flow from;
};

static void received_handover(struct td_mail *m, void *arg)
{
	struct handover h = *TD_CONTAINER_OF(m, struct handover, mail); /* it stands in the message's arena */

	atomic_fetch_sub_explicit(&h.to->handed, 1, memory_order_relaxed);
	handle(h.to, h.msg, &h.from);
}

int worker_owner(unsigned *out, const struct td_server *s, const struct td_msg *msg)
{
	unsigned n = s->worker_n, owner = 0;

	if (msg->request)
		owner = n > 1 ? (unsigned)(td_hash_str(&s->owner_key, msg->call_id) % n) : 0;
	else if (td_branch_owner(&owner, msg->via.branch) || owner >= n)
		return TD_ENOTFOUND; /* no request of ours can have caused it (D4) */
	*out = owner;
	return 0;
}

/*
 * Its buffer goes along, so this queue is to a worker what a socket's receive buffer is to a process, and has an end as that has:
 * parsing is cheaper than handling, and with one Call-ID all can be sent to one worker. Over UDP the sender repeats what was lost.
 */
static void hand_over(struct worker *w, struct worker *to, struct td_msg *msg, const struct td_flow *from)
{
	struct handover *h = NULL;
	bool answered;

	if (atomic_load_explicit(&to->handed, memory_order_relaxed) < WORKER_MAX_HANDED)
		h = td_arena_alloc(&msg->arena, sizeof(*h));
	if (!h) {
		td_count(&w->counters.overload);
		td_trace_message(w->core.trace, TD_TRACE_IN, from, msg->bytes);
		answered = msg->request && msg->method != TD_ACK && !msg->defect.status &&
			   td_proto_reliable((enum td_proto)from->proto);
		td_trace_note(w->core.trace, msg->call_id,
			      &(struct td_note){ .kind = TD_NOTE_WORKER_BEHIND, .a = answered ? 503 : 0 });
		if (answered)
			td_reply_stateless(w->core.txl, msg, from, 503, TD_STR_NULL,
					   td_core_come_again(&w->core, msg, TD_CORE_SOON_S));
		td_msg_unref(msg);
		return;
	}
	*h = (struct handover){ .mail.fn = received_handover, .to = to, .msg = msg, .from = *from };
	atomic_fetch_add_explicit(&to->handed, 1, memory_order_relaxed);
	msg->hash = 0; /* it was ours */
	msg->user = NULL;
	td_loop_post(to->core.loop, &h->mail);
}

static void on_message(void *arg, struct td_msg *msg, const struct td_flow *from)
{
	struct worker *w = arg;
	unsigned owner;

	if (!msg->request && td_proxy_response(w->proxy, msg, from)) {
		td_count(&w->counters.responses);
		td_msg_unref(msg);
	} else if (worker_owner(&owner, w->server, msg)) {
		td_trace_message(w->core.trace, TD_TRACE_IN, from, msg->bytes);
		td_count(&w->counters.strays);
		td_msg_unref(msg);
	} else if (owner == w->core.worker) {
		handle(w, msg, from);
	} else {
		hand_over(w, w->server->workers[owner], msg, from);
	}
}

static void received_from_outside(struct td_mail *m, void *arg)
{
	struct handover h = *TD_CONTAINER_OF(m, struct handover, mail);

	atomic_fetch_sub_explicit(&h.to->handed, 1, memory_order_relaxed);
	on_message(h.to, h.msg, &h.from);
}

bool worker_give(struct worker *w, struct td_msg *msg, const struct td_flow *from)
{
	struct handover *h = NULL;

	if (atomic_load_explicit(&w->handed, memory_order_relaxed) < WORKER_MAX_HANDED)
		h = td_arena_alloc(&msg->arena, sizeof(*h));
	if (!h)
		return false;
	*h = (struct handover){ .mail.fn = received_from_outside, .to = w, .msg = msg, .from = *from };
	atomic_fetch_add_explicit(&w->handed, 1, memory_order_relaxed);
	td_loop_post(w->core.loop, &h->mail);
	return true;
}

static void on_coming(void *arg, struct td_msg *msg)
{
	const struct td_core *core = &((struct worker *)arg)->core;

	td_txl_coming(core->txl, msg);
	td_core_expect(core, msg);
}

/* A flood must not fill the trace by being turned away: once a second it is noted who was last, and how many were. */
static void note_turned_away(struct worker *w, struct turned_away *t, enum td_note_kind kind, const struct td_flow *from)
{
	uint64_t now_ms = td_loop_now_ms(w->core.loop);

	t->n++;
	if (now_ms - t->noted_ms < 1000 && t->noted_ms)
		return;
	td_trace_note(w->core.trace, TD_STR_NULL,
		      &(struct td_note){ .kind = kind, .a = t->n, .peer = from->peer, .proto = from->proto });
	*t = (struct turned_away){ .noted_ms = now_ms };
}

bool worker_admit(void *arg, const struct td_flow *from, struct td_str bytes)
{
	struct worker *w = arg;

	switch (td_guard_judge(w->guard, w->core.cfg, from, bytes, td_loop_now_us(w->core.loop))) {
	case TD_GUARD_PASS: return true;
	case TD_GUARD_BANNED: note_turned_away(w, &w->banned, TD_NOTE_STILL_BANNED, from); return false;
	case TD_GUARD_JUNK:
	case TD_GUARD_LIMITED: break;
	}
	td_count(&w->counters.rate_limited);
	note_turned_away(w, &w->limited, TD_NOTE_LIMITED, from);
	return false;
}

void worker_junk(void *arg, const struct td_flow *from)
{
	struct worker *w = arg;

	if (!td_config_trusts(w->core.cfg, &from->peer) && !td_guard_junk(w->guard, from, td_loop_now_us(w->core.loop)))
		td_bans_accuse(w->server->bans, w->core.cfg, TD_OFFENCE_JUNK, &from->peer, TD_STR_NULL);
}

static bool on_may_answer(void *arg, const struct td_flow *from)
{
	struct worker *w = arg;

	return td_guard_may_keep_alive(w->guard, w->core.cfg, from, td_loop_now_us(w->core.loop));
}

static void on_sent(void *arg, const struct td_flow *to, struct td_str bytes)
{
	td_trace_message(((struct worker *)arg)->core.trace, TD_TRACE_OUT, to, bytes);
}

static void on_tls_failed(void *arg, const struct td_flow *flow, int err, struct td_str why)
{
	td_trace_note(
		((struct worker *)arg)->core.trace, TD_STR_NULL,
		&(struct td_note){ .kind = TD_NOTE_TLS_FAILED, .a = err, .peer = flow->peer, .proto = flow->proto, .text = why });
}

const struct td_tp_events worker_tp_events = {
	.admit = worker_admit,
	.junk = worker_junk,
	.coming = on_coming,
	.message = on_message,
	.sent = on_sent,
	.may_answer = on_may_answer,
	.tls_failed = on_tls_failed,
};
