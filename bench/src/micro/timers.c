/* The timer wheel: started and stopped, as most timers of SIP are; and started and fired, on a simulated clock. */
#include "ours.h"

#include <stdlib.h>
#include <tandem/loop.h>

enum { TIMERS = 4096 };

struct wheel {
	struct td_sim *sim;
	struct td_loop *loop;
	uint64_t fired;
	struct td_timer tm[TIMERS];
};

static void on_timer(struct td_timer *tm, void *arg)
{
	struct wheel *w = arg;

	w->fired++;
}

static void *open_wheel(uint32_t size)
{
	struct wheel *w = need(calloc(1, sizeof(*w)));

	if (td_sim_open(&w->sim, 1) || td_sim_loop(&w->loop, w->sim))
		die("no loop");
	for (int i = 0; i < TIMERS; i++)
		td_timer_init(&w->tm[i], on_timer, w);
	return w;
}

static void close_wheel(void *state)
{
	struct wheel *w = state;

	td_loop_close(w->loop);
	td_sim_close(w->sim);
	free(w);
}

/* All run before the first one is stopped. */
static void timed_start_stop(void *state, uint64_t n)
{
	struct wheel *w = state;

	for (uint64_t i = 0; i < n; i++)
		td_timer_start(w->loop, &w->tm[i], 500 + i * 8);
	for (uint64_t i = 0; i < n; i++)
		td_timer_stop(w->loop, &w->tm[i]);
}

static void timed_start_fire(void *state, uint64_t n)
{
	struct wheel *w = state;
	uint64_t before = w->fired;

	for (uint64_t i = 0; i < n; i++)
		td_timer_start(w->loop, &w->tm[i], 500 + i);
	td_sim_run(w->sim, 500 + n);
	if (w->fired - before != n)
		die("a timer did not fire");
}

const struct micro micro_timers[] = {
	{ "timer started and stopped", open_wheel, NULL, timed_start_stop, close_wheel, TIMERS },
	{ "timer started and fired", open_wheel, NULL, timed_start_fire, close_wheel, TIMERS },
	{ NULL },
};
