/*
 * The loop's turn: timers that are due, descriptors that are ready, mail, deferred calls, calls before sleep; then
 * epoll_wait until the next timer. The clock is read once per turn, after waking. Everything below is used by simulated
 * loops as well (sim.c), which have no descriptors and do not sleep.
 */
#include "internal.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>

enum {
	EVENTS_PER_TURN = 256,
	ROUNDS_PER_TURN = 64, /* of deferred calls that defer again; the rest waits a turn */
	SLEEP_MAX_MS = 3600 * 1000,
};

static uint64_t monotonic_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

/* Once a turn: what is handled in one turn happens at one time, by both clocks. */
void loop_read_clocks(struct td_loop *loop)
{
	struct timespec ts;

	loop->now_us = monotonic_us();
	clock_gettime(CLOCK_REALTIME, &ts);
	loop->wall_ms = (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

int loop_new(struct td_loop **out, struct td_sim *sim, uint64_t now_us)
{
	struct td_loop *loop = calloc(1, sizeof(*loop));
	int err;

	if (!loop)
		return -ENOMEM;
	loop->sim = sim;
	loop->now_us = now_us;
	loop->poller.fd = -1;
	wheel_init(&loop->wheel, now_us / 1000);
	td_list_init(&loop->soon);
	td_list_init(&loop->defers);
	td_list_init(&loop->befores);
	err = mailbox_open(&loop->mailbox, !sim);
	if (err) {
		free(loop);
		return err;
	}
	*out = loop;
	return 0;
}

int td_loop_open(struct td_loop **out)
{
	struct td_loop *loop;
	int err = loop_new(&loop, NULL, monotonic_us());

	if (err)
		return err;
	loop_read_clocks(loop);
	err = poller_open(&loop->poller, loop->mailbox.fd);
	if (err) {
		td_loop_close(loop);
		return err;
	}
	td_rng_init(&loop->rng);
	*out = loop;
	return 0;
}

void td_loop_close(struct td_loop *loop)
{
	if (!loop)
		return;
	td_list_del(&loop->sim_link);
	carrier_close(loop);
	poller_close(&loop->poller);
	mailbox_close(&loop->mailbox);
	explicit_bzero(&loop->rng, sizeof(loop->rng));
	free(loop);
}

uint64_t td_loop_now_ms(const struct td_loop *loop)
{
	return loop->now_us / 1000;
}

uint64_t td_loop_now_us(const struct td_loop *loop)
{
	return loop->now_us;
}

uint64_t td_loop_wall_ms(const struct td_loop *loop)
{
	return loop->sim ? sim_wall_ms(loop->sim) : loop->wall_ms;
}

uint64_t td_loop_wall_s(const struct td_loop *loop)
{
	return td_loop_wall_ms(loop) / 1000;
}

struct td_rng *td_loop_rng(struct td_loop *loop)
{
	return &loop->rng;
}

bool td_loop_is_sim(const struct td_loop *loop)
{
	return loop->sim;
}

/* ---- timers ---- */

void td_timer_start(struct td_loop *loop, struct td_timer *tm, uint64_t delay_ms)
{
	uint64_t now_ms = td_loop_now_ms(loop);

	td_timer_stop(loop, tm);
	if (delay_ms == 0) {
		/* Not into the wheel, which may be working off this very millisecond: a timer that starts itself
		 * again with 0 must not keep the turn from ending. */
		tm->when_ms = now_ms;
		td_list_add_tail(&loop->soon, &tm->link);
		return;
	}
	tm->when_ms = delay_ms < UINT64_MAX - now_ms ? now_ms + delay_ms : UINT64_MAX;
	wheel_add(&loop->wheel, tm);
}

void td_timer_stop(struct td_loop *loop, struct td_timer *tm)
{
	if (td_timer_running(tm))
		wheel_del(&loop->wheel, tm);
}

static void take_all(struct td_link *to, struct td_link *from)
{
	td_list_init(to);
	if (td_list_empty(from))
		return;
	*to = *from;
	to->next->prev = to->prev->next = to;
	td_list_init(from);
}

bool loop_timers(struct td_loop *loop)
{
	uint64_t now_ms = td_loop_now_ms(loop);
	struct td_link soon, *l;
	struct td_timer *tm;
	bool ran = false;

	take_all(&soon, &loop->soon);
	while ((l = soon.next) != &soon) {
		tm = TD_CONTAINER_OF(l, struct td_timer, link);
		td_list_del(l);
		tm->fn(tm, tm->arg);
		ran = true;
	}
	while ((tm = wheel_pop(&loop->wheel, now_ms)) != NULL) {
		tm->fn(tm, tm->arg);
		ran = true;
	}
	return ran;
}

uint64_t loop_next_us(const struct td_loop *loop)
{
	uint64_t ms;

	if (!wheel_next(&loop->wheel, &ms) || ms > UINT64_MAX / 1000)
		return UINT64_MAX;
	return ms * 1000;
}

/* ---- deferred calls ---- */

void td_loop_defer(struct td_loop *loop, struct td_defer *d)
{
	if (!td_link_on(&d->link))
		td_list_add_tail(&loop->defers, &d->link);
}

void td_loop_before_sleep(struct td_loop *loop, struct td_defer *d)
{
	if (!td_link_on(&d->link))
		td_list_add_tail(&loop->befores, &d->link);
}

void td_loop_undefer(struct td_loop *loop, struct td_defer *d)
{
	td_list_del(&d->link);
}

/* Runs what is on the list now; what these add waits for the next round. */
static bool run_round(struct td_link *head)
{
	struct td_link batch, *l;
	bool ran = false;

	take_all(&batch, head);
	while ((l = batch.next) != &batch) {
		struct td_defer *d = TD_CONTAINER_OF(l, struct td_defer, link);

		td_list_del(l);
		d->fn(d, d->arg);
		ran = true;
	}
	return ran;
}

bool loop_finish(struct td_loop *loop)
{
	bool ran = mailbox_deliver(&loop->mailbox);

	for (int i = 0; i < ROUNDS_PER_TURN; i++) {
		/* Calls before sleep come when no deferred call is left; they may defer in turn. */
		if (!run_round(&loop->defers) && !run_round(&loop->befores))
			break;
		ran = true;
	}
	return ran;
}

bool loop_busy(struct td_loop *loop)
{
	return !td_list_empty(&loop->soon) || !td_list_empty(&loop->defers) || !td_list_empty(&loop->befores) ||
	       !mailbox_empty(&loop->mailbox);
}

/* ---- mail ---- */

void td_loop_post(struct td_loop *loop, struct td_mail *m)
{
	mailbox_post(&loop->mailbox, m);
}

bool td_loop_drain(struct td_loop *loop)
{
	bool any = false;

	while (mailbox_deliver(&loop->mailbox))
		any = true;
	return any;
}

/* ---- the real loop, and those its thread carries (carrier.c) ---- */

static bool any_busy(struct td_loop *loop)
{
	bool busy = loop_busy(loop);

	for (struct guest *g = carrier_first(loop); g && !busy; g = carrier_next(g))
		busy = loop_busy(g->loop);
	return busy;
}

static uint64_t first_timer_us(const struct td_loop *loop)
{
	uint64_t first = loop_next_us(loop), us;

	for (struct guest *g = carrier_first(loop); g; g = carrier_next(g)) {
		us = loop_next_us(g->loop);
		first = us < first ? us : first;
	}
	return first;
}

/* How long epoll_wait may take. The clock is read afresh: a long turn must not make the next timer late by as much. */
static int sleep_ms(struct td_loop *loop)
{
	uint64_t next_us, now_us;

	if (loop->stop || any_busy(loop))
		return 0;
	next_us = first_timer_us(loop);
	if (next_us == UINT64_MAX)
		return -1;
	now_us = monotonic_us();
	if (next_us <= now_us)
		return 0;
	/* Rounded up: waking a little early would only mean to go to sleep again. */
	next_us = (next_us - now_us + 999) / 1000;
	return next_us < SLEEP_MAX_MS ? (int)next_us : SLEEP_MAX_MS;
}

static bool all_sleep(struct td_loop *loop)
{
	bool may = mailbox_sleep(&loop->mailbox);

	for (struct guest *g = carrier_first(loop); g && may; g = carrier_next(g))
		may = mailbox_sleep(&g->loop->mailbox);
	return may;
}

static void all_awake(struct td_loop *loop)
{
	mailbox_awake(&loop->mailbox);
	loop_read_clocks(loop);
	for (struct guest *g = carrier_first(loop); g; g = carrier_next(g)) {
		mailbox_awake(&g->loop->mailbox);
		g->loop->now_us = loop->now_us;
		g->loop->wall_ms = loop->wall_ms;
	}
}

static int wait_events(struct td_loop *loop, struct epoll_event *events)
{
	int timeout = sleep_ms(loop), n;

	if (timeout != 0 && !all_sleep(loop))
		timeout = 0;
	n = epoll_wait(loop->poller.fd, events, EVENTS_PER_TURN, timeout);
	if (n < 0)
		n = errno == EINTR ? 0 : -errno;
	all_awake(loop);
	if (carrier_weigh(loop))
		n = 0; /* what is still true will be told again */
	return n;
}

static void handle_events(struct td_loop *loop, const struct epoll_event *events, int n)
{
	for (int i = 0; i < n; i++) {
		if (poller_event(&loop->poller, &events[i]))
			mailbox_drain_fd(&loop->mailbox);
	}
}

/* The first half of a turn of each loop that is carried and has something to do. */
static void turn_carried(struct td_loop *loop, struct epoll_event *events)
{
	for (struct guest *g = carrier_first(loop); g; g = carrier_next(g)) {
		int n = g->ready ? epoll_wait(g->loop->poller.fd, events, EVENTS_PER_TURN, 0) : 0;

		g->ready = false;
		g->failed = n < 0 && errno != EINTR; /* its own thread will find out why */
		loop_timers(g->loop);
		handle_events(g->loop, events, n);
	}
}

/* What one loop posts to another of this thread is delivered in the same turn, as long as that is not without end. */
static void finish_all(struct td_loop *loop)
{
	bool again = true;

	for (int i = 0; i < ROUNDS_PER_TURN && again; i++) {
		again = loop_finish(loop);
		for (struct guest *g = carrier_first(loop); g; g = carrier_next(g))
			again |= loop_finish(g->loop);
		again = again && carrier_first(loop);
	}
	carrier_return_stopped(loop);
}

int td_loop_run(struct td_loop *loop)
{
	struct epoll_event events[EVENTS_PER_TURN];
	int n = 0;

	if (loop->sim)
		return TD_EUNSUPPORTED;
	loop_read_clocks(loop);
	carrier_begin(loop);
	while (!loop->stop) {
		loop_timers(loop);
		handle_events(loop, events, n);
		turn_carried(loop, events);
		finish_all(loop);
		if (loop->stop)
			break;
		n = wait_events(loop, events);
		if (n < 0)
			break;
	}
	carrier_end(loop);
	loop->stop = false;
	return n < 0 ? n : 0;
}

void td_loop_stop(struct td_loop *loop)
{
	loop->stop = true;
}
