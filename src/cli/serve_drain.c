/*
 * A server that is about to stop: nothing new begins, and when the last call has ended, or a limit is reached, it stops. The main thread
 * asks the workers a few times a second how many calls are left, and tells those who wait.
 */
#include <stdlib.h>
#include <unistd.h>

#include "cli/serve.h"

enum {
	LOOK_MS = 200,
	/* Nothing was open for so long: over UDP the answer to the last BYE may have been lost, which its sender then repeats after T1
	 * (500 ms) and is given again. */
	QUIET_MS = 1000,
};

/* Somebody who is told. */
struct waiter {
	struct td_link link;
	struct td_control_reply *reply;
	bool stays; /* until the end; else he is told once */
	bool told;
	uint64_t calls; /* what he was told */
};

static void waiter_end(struct waiter *w)
{
	td_control_end(w->reply, NULL);
	td_list_del(&w->link);
	free(w);
}

static void end_waiters(struct serve_drain *d, const char *event)
{
	json_t *last = json_pack("{s:s,s:I,s:I}", "event", event, "calls", (json_int_t)d->calls, "pid", (json_int_t)getpid());

	while (!td_list_empty(&d->waiters)) {
		struct waiter *w = TD_CONTAINER_OF(d->waiters.next, struct waiter, link);

		td_control_put(w->reply, json_incref(last));
		waiter_end(w);
	}
	json_decref(last);
}

static json_t *limit_json(const struct serve *s)
{
	uint64_t now_ms = td_loop_now_ms(s->loop), until_ms = s->drain.until_ms;

	return !until_ms ? json_null() : json_integer((json_int_t)(until_ms > now_ms ? (until_ms - now_ms + 999) / 1000 : 0));
}

json_t *serve_drain_status(const struct serve *s)
{
	return s->drain.on ? json_pack("{s:I,s:o}", "calls", (json_int_t)s->drain.calls, "limit_s", limit_json(s)) : NULL;
}

static void tell(struct serve *s)
{
	struct serve_drain *d = &s->drain;
	struct td_link *l = d->waiters.next;

	while (l != &d->waiters) {
		struct waiter *w = TD_CONTAINER_OF(l, struct waiter, link);

		l = l->next;
		if (!w->told || w->calls != d->calls)
			td_control_put(w->reply, json_pack("{s:s,s:I,s:o}", "event", "draining", "calls", (json_int_t)d->calls,
							   "limit_s", limit_json(s)));
		w->told = true;
		w->calls = d->calls;
		if (!w->stays || td_control_flush(w->reply) < 0)
			waiter_end(w);
	}
}

static void finish(struct serve *s, bool limit)
{
	struct serve_drain *d = &s->drain;

	td_log(s->log, TD_LOG_INFO, "serve drained", TD_KU("calls", d->calls),
	       TD_KZ("why", limit ? "the limit was reached" : "no call is left"), TD_KZ("next", "it stops"));
	d->on = false;
	end_waiters(d, limit ? "limit" : "drained");
	td_loop_stop(s->loop);
}

static void on_count(void *arg, const struct td_server_status *st)
{
	struct serve *s = arg;
	struct serve_drain *d = &s->drain;
	uint64_t now_ms = td_loop_now_ms(s->loop);

	d->asking = false;
	if (!d->on)
		return;
	if (d->calls != st->calls.open) {
		d->calls = st->calls.open;
		serve_notify_drain(s);
	}
	if (st->calls.open || !serve_counts_calls(s))
		d->busy_ms = now_ms;
	if (d->until_ms && now_ms >= d->until_ms) {
		finish(s, true);
	} else if (now_ms >= d->busy_ms + QUIET_MS) {
		finish(s, false);
	} else {
		tell(s);
		td_timer_start(s->loop, &d->timer, LOOK_MS);
	}
}

static void look(struct serve *s)
{
	struct serve_drain *d = &s->drain;

	if (d->asking)
		return;
	if (td_server_status(s->server, s->loop, on_count, s))
		td_timer_start(s->loop, &d->timer, LOOK_MS); /* no memory now */
	else
		d->asking = true;
}

static void on_timer(struct td_timer *tm, void *arg)
{
	look(arg);
}

/* With calls.track off, or forwarded without state, a call leaves nothing here that could be counted. */
bool serve_counts_calls(const struct serve *s)
{
	const struct td_config *cfg = td_server_config(s->server);

	for (unsigned i = 0; i < cfg->domain_n; i++)
		if (cfg->domains[i].mode == TD_MODE_STATELESS)
			return false;
	return cfg->calls.track;
}

static void begin(struct serve *s, uint64_t limit_s)
{
	struct serve_drain *d = &s->drain;
	uint64_t now_ms = td_loop_now_ms(s->loop);

	d->until_ms = limit_s ? now_ms + limit_s * 1000 : 0;
	if (d->on)
		return;
	d->on = true;
	d->busy_ms = now_ms;
	td_server_drain(s->server, true);
	td_log(s->log, TD_LOG_INFO, "serve draining", TD_KU("limit_s", limit_s),
	       TD_KZ("next", "nothing new begins; it stops with the last call (tandem drain --stop takes this back)"));
	td_timer_init(&d->timer, on_timer, s);
	serve_notify_drain(s);
}

static void take_back(struct serve *s)
{
	struct serve_drain *d = &s->drain;

	if (!d->on)
		return;
	d->on = false;
	td_timer_stop(s->loop, &d->timer);
	td_server_drain(s->server, false);
	td_log(s->log, TD_LOG_INFO, "serve drain taken back", TD_KZ("next", "it serves as before"));
	serve_notify_drain(s);
	end_waiters(d, "serving");
}

void serve_drain(struct serve *s, const json_t *request, struct td_control_reply *r)
{
	json_int_t limit_s = json_integer_value(json_object_get(request, "limit_s"));
	struct waiter *w;

	if (json_is_true(json_object_get(request, "stop"))) {
		take_back(s);
		td_control_put(r, json_pack("{s:s}", "event", "serving"));
		td_control_end(r, NULL);
		return;
	}
	if (limit_s < 0 || limit_s > UINT32_MAX) {
		td_control_end(r, "the limit is no number of seconds");
		return;
	}
	if (!limit_s && !serve_counts_calls(s)) {
		td_control_end(
			r, "how many calls there are is not known here (a domain has mode: stateless, or calls: track: no), so "
			   "a limit must say when the server stops (--limit SECONDS)");
		return;
	}
	w = calloc(1, sizeof(*w));
	if (!w) {
		td_control_end(r, "out of memory");
		return;
	}
	w->reply = r;
	w->stays = json_is_true(json_object_get(request, "wait"));
	td_list_add_tail(&s->drain.waiters, &w->link);
	begin(s, (uint64_t)limit_s);
	td_timer_stop(s->loop, &s->drain.timer);
	look(s);
}

void serve_drain_end(struct serve *s)
{
	struct serve_drain *d = &s->drain;

	if (d->on)
		td_timer_stop(s->loop, &d->timer);
	d->on = false;
	end_waiters(d, "stopped");
}
