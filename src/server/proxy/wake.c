/*
 * Phones that sleep (RFC 8599 §5.6.2). A phone that registered with a push service, and whose connection does not stand, is not sent the
 * request: the service is told (server/push), and the request waits until the phone has registered anew, which its address's watch
 * tells (fork.c), for push.wait at most. Over UDP, and behind another proxy, nobody knows whether it is awake, so it is woken; unless
 * that proxy said that it does so itself (§5.6.1.1), which the binding remembers (`wakes`).
 *
 * Of one phone there may be several bindings, old ones among them. It is awake when one of them is seen that was not there when the
 * waiting began: another Call-ID, another CSeq, or another contact.
 */
#include "server/proxy/internal.h"

#include <errno.h>
#include <stdlib.h>

enum { SLEEPERS_MAX = 8, OTHERS_WAIT_S = 20 }; /* what is no INVITE has 32 seconds in all (RFC 4320) */

struct sleeper {
	uint64_t phone, state;
	struct px_wake *wake;
	struct td_push_post *post;
	bool awake, failed;
};

struct px_wake {
	struct px_context *c;
	struct td_timer timer;
	uint64_t since_ms;
	bool looking; /* at what was there when it began */
	unsigned n;
	struct sleeper list[SLEEPERS_MAX];
};

static void note(const struct px_context *c, enum td_note_kind kind, int64_t a, struct td_str text)
{
	const struct td_msg *m = c->msg ? c->msg : c->st ? td_srvtx_msg(c->st) : NULL;

	if (m)
		td_trace_note(c->px->core->trace, m->call_id, &(struct td_note){ .kind = kind, .a = a, .text = text });
}

void px_wake_stop(struct px_context *c)
{
	struct px_wake *w = px_wake_of(c);

	if (!w)
		return;
	c->seeks->wake = NULL;
	td_timer_stop(c->px->core->loop, &w->timer);
	for (unsigned i = 0; i < w->n; i++)
		if (w->list[i].post)
			td_push_cancel(w->list[i].post);
	free(w);
}

bool px_wakes(const struct px_context *c)
{
	const struct px_wake *w = px_wake_of(c);

	for (unsigned i = 0; w && i < w->n; i++)
		if (!w->list[i].awake && !w->list[i].failed)
			return true;
	return false;
}

static void on_over(struct td_timer *tm, void *arg)
{
	struct px_wake *w = arg;
	struct px_context *c = w->c;

	if (!px_wakes(c))
		return; /* all are awake, or were given up before */
	px_context_enter(c);
	note(c, TD_NOTE_NOT_WOKEN, (int64_t)((td_loop_now_ms(c->px->core->loop) - w->since_ms) / 1000), TD_STR_NULL);
	for (unsigned i = 0; i < w->n; i++)
		w->list[i].failed = true;
	px_context_leave(c);
}

/* "If the push notification request fails, the proxy MUST remove the SIP request from the bucket". */
static void on_told(void *arg, int err)
{
	struct sleeper *s = arg;
	struct px_context *c = s->wake->c;

	s->post = NULL;
	if (!err)
		return;
	px_context_enter(c);
	note(c, TD_NOTE_PUSH_FAILED, err, c->px->core->cfg->push.url);
	s->failed = true;
	px_context_leave(c);
}

static struct px_wake *wake_new(struct px_context *c)
{
	struct td_core *core = c->px->core;
	uint32_t wait_s = core->cfg->push.wait_s;
	struct px_wake *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	if (!c->invite && wait_s > OTHERS_WAIT_S)
		wait_s = OTHERS_WAIT_S;
	w->c = c;
	w->looking = true;
	w->since_ms = td_loop_now_ms(core->loop);
	td_timer_init(&w->timer, on_over, w);
	td_timer_start(core->loop, &w->timer, (uint64_t)wait_s * 1000);
	/* Who watches first and asks then misses nothing. */
	if (!c->seeks && !px_seek_add(c, c->setup->route.aor, true)) {
		td_timer_stop(core->loop, &w->timer);
		free(w);
		return NULL;
	}
	return c->seeks->wake = w;
}

static void tell(struct sleeper *s, const struct td_push_phone *phone, struct td_str user)
{
	struct px_context *c = s->wake->c;
	struct td_core *core = c->px->core;
	struct td_push_news news = {
		.event = c->invite ? TD_STR("call") : TD_STR("message"),
		.user = user,
		.from = c->msg->from.uri.text,
		.call_id = c->msg->call_id,
		.phone = *phone,
	};
	int err = td_push_send(&s->post, core->push, core->cfg, &news, on_told, s);

	note(c, err ? TD_NOTE_PUSH_FAILED : TD_NOTE_PUSHED, err, err ? core->cfg->push.url : phone->provider);
	s->failed = err;
}

/* A phone may be in several of the addresses that a number rings, and moves in each by itself. */
static uint64_t phone_id(const struct px_context *c, struct td_str user, struct td_str prid)
{
	struct td_hasher h;

	td_hasher_init(&h, &c->px->key);
	td_hasher_add(&h, user);
	td_hasher_add(&h, prid);
	return td_hasher_end(&h);
}

static uint64_t state_of(const struct px_context *c, const struct td_binding *b)
{
	struct td_hasher h;

	td_hasher_init(&h, &c->px->key);
	td_hasher_add(&h, b->contact);
	td_hasher_add(&h, b->call_id);
	td_hasher_add_u64(&h, b->cseq);
	return td_hasher_end(&h);
}

/* Is it one of those that are waited for? *first: of this phone. */
static struct sleeper *find(struct px_wake *w, uint64_t phone, uint64_t state, struct sleeper **first)
{
	*first = NULL;
	for (unsigned i = 0; i < w->n; i++) {
		struct sleeper *s = &w->list[i];

		if (s->phone != phone)
			continue;
		if (!*first)
			*first = s;
		if (s->state == state)
			return s;
	}
	return NULL;
}

static void woken(struct px_wake *w, uint64_t phone)
{
	bool news = false;

	for (unsigned i = 0; i < w->n; i++) {
		struct sleeper *s = &w->list[i];

		if (s->phone != phone)
			continue;
		news |= !s->awake;
		s->awake = true;
	}
	if (news)
		note(w->c, TD_NOTE_WOKEN, (int64_t)(td_loop_now_ms(w->c->px->core->loop) - w->since_ms), TD_STR_NULL);
}

bool px_sleeps(struct px_context *c, const struct td_binding *b, struct td_str user)
{
	struct td_core *core = c->px->core;
	struct td_push_phone phone;
	struct px_wake *w = px_wake_of(c);
	struct sleeper *s, *first;
	uint64_t id, state;

	if (!c->st || !b->wakes || (!c->invite && c->msg->method != TD_MESSAGE) ||
	    !td_push_phone_of(&phone, core->cfg, b->contact))
		return false;
	id = phone_id(c, user, phone.prid);
	if (b->flow.conn && !b->path.n && td_tp_flow_alive(core->tp, &b->flow)) {
		if (w)
			woken(w, id);
		return false;
	}
	if (!w && !(w = wake_new(c)))
		return false;
	state = state_of(c, b);
	s = find(w, id, state, &first);
	if (s)
		return true; /* it has not moved since */
	if (first && !w->looking) {
		woken(w, id);
		return false;
	}
	if (w->n == SLEEPERS_MAX)
		return true;
	s = &w->list[w->n++];
	*s = (struct sleeper){ .phone = id, .state = state, .wake = w, .awake = first && first->awake, .failed = first };
	if (!first)
		tell(s, &phone, user);
	return true;
}

void px_wake_looked(struct px_context *c)
{
	if (px_wake_of(c))
		px_wake_of(c)->looking = false;
}
