/*
 * Simulated time: a clock in µs, a queue of events of the simulated world (packets that arrive), and loops that share
 * the clock. What is due at one instant happens in a fixed order: events as they were queued, then each loop, oldest
 * first, with one turn; again until nothing is left; then the clock jumps to the next event or timer. So a seed decides
 * everything, and idle days cost nothing.
 */
#include "internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	FIRST_US = 1000000, /* not 0: that is what forgotten initialisation looks like */
	HEAP_MIN = 1024,
	ROUNDS_MAX = 1000000, /* at one instant: far more than any system under test needs */
};
static const uint64_t first_wall_ms = 1795219200000; /* 2026-11-21T00:00:00Z */

struct event {
	uint64_t at_us, seq;
	struct td_mail *mail;
};

struct td_sim {
	uint64_t now_us;
	uint64_t wall_ms, wall_set_us; /* the wall clock showed wall_ms at wall_set_us */
	struct td_rng rng;
	struct td_link loops; /* oldest first */
	struct event *heap;   /* binary, earliest (at_us, seq) first */
	size_t n, cap;
	uint64_t seq;
};

/* ---- events ---- */

static bool before(const struct event *a, const struct event *b)
{
	return a->at_us != b->at_us ? a->at_us < b->at_us : a->seq < b->seq;
}

static void heap_up(struct event *heap, size_t at, struct event e)
{
	for (; at > 0 && before(&e, &heap[(at - 1) / 2]); at = (at - 1) / 2)
		heap[at] = heap[(at - 1) / 2];
	heap[at] = e;
}

static void heap_down(struct event *heap, size_t n, size_t at, struct event e)
{
	for (size_t kid = 2 * at + 1; kid < n; at = kid, kid = 2 * at + 1) {
		if (kid + 1 < n && before(&heap[kid + 1], &heap[kid]))
			kid++;
		if (!before(&heap[kid], &e))
			break;
		heap[at] = heap[kid];
	}
	heap[at] = e;
}

int td_sim_at(struct td_sim *sim, uint64_t delay_us, struct td_mail *m)
{
	if (sim->n == sim->cap) {
		struct event *heap = realloc(sim->heap, 2 * sim->cap * sizeof(*heap));

		if (!heap)
			return -ENOMEM;
		sim->heap = heap;
		sim->cap *= 2;
	}
	heap_up(sim->heap, sim->n++,
		(struct event){
			.at_us = delay_us < UINT64_MAX - sim->now_us ? sim->now_us + delay_us : UINT64_MAX,
			.seq = sim->seq++,
			.mail = m,
		});
	return 0;
}

/* Events that are due; those they add for this very instant wait for the next round. */
static bool run_events(struct td_sim *sim)
{
	uint64_t until = sim->seq;
	bool ran = false;

	while (sim->n && sim->heap[0].at_us <= sim->now_us && sim->heap[0].seq < until) {
		struct td_mail *m = sim->heap[0].mail;

		sim->n--;
		if (sim->n)
			heap_down(sim->heap, sim->n, 0, sim->heap[sim->n]);
		m->next = NULL;
		m->fn(m, m->arg);
		ran = true;
	}
	return ran;
}

/* ---- simulation ---- */

int td_sim_open(struct td_sim **out, uint64_t seed)
{
	struct td_sim *sim = calloc(1, sizeof(*sim));

	if (!sim)
		return -ENOMEM;
	sim->cap = HEAP_MIN;
	sim->heap = malloc(sim->cap * sizeof(*sim->heap));
	if (!sim->heap) {
		free(sim);
		return -ENOMEM;
	}
	sim->now_us = sim->wall_set_us = FIRST_US;
	sim->wall_ms = first_wall_ms;
	td_rng_init_seed(&sim->rng, seed);
	td_list_init(&sim->loops);
	*out = sim;
	return 0;
}

void td_sim_close(struct td_sim *sim)
{
	if (!sim)
		return;
	assert(td_list_empty(&sim->loops));
	free(sim->heap);
	free(sim);
}

int td_sim_loop(struct td_loop **out, struct td_sim *sim)
{
	struct td_loop *loop;
	int err = loop_new(&loop, sim, sim->now_us);

	if (err)
		return err;
	td_rng_init_seed(&loop->rng, td_rng_u64(&sim->rng));
	td_list_add_tail(&sim->loops, &loop->sim_link);
	*out = loop;
	return 0;
}

struct td_rng *td_sim_rng(struct td_sim *sim)
{
	return &sim->rng;
}

uint64_t td_sim_now_ms(const struct td_sim *sim)
{
	return sim->now_us / 1000;
}

uint64_t sim_wall_ms(const struct td_sim *sim)
{
	return sim->wall_ms + (sim->now_us - sim->wall_set_us) / 1000;
}

uint64_t td_sim_wall_ms(void *sim)
{
	return sim_wall_ms(sim);
}

void td_sim_set_wall(struct td_sim *sim, uint64_t wall_s)
{
	sim->wall_ms = wall_s * 1000;
	sim->wall_set_us = sim->now_us;
}

/* ---- running ---- */

static struct td_loop *loop_of(struct td_link *l)
{
	return TD_CONTAINER_OF(l, struct td_loop, sim_link);
}

/* One round of what is due at this instant. False: nothing was. */
static bool run_round(struct td_sim *sim)
{
	bool ran = run_events(sim);

	for (struct td_link *l = sim->loops.next; l != &sim->loops; l = l->next) {
		ran |= loop_timers(loop_of(l));
		ran |= loop_finish(loop_of(l));
	}
	return ran;
}

static uint64_t next_us(const struct td_sim *sim)
{
	uint64_t next = sim->n ? sim->heap[0].at_us : UINT64_MAX, t;

	for (struct td_link *l = sim->loops.next; l != &sim->loops; l = l->next) {
		t = loop_next_us(loop_of(l));
		next = t < next ? t : next;
	}
	return next;
}

static void set_clock(struct td_sim *sim, uint64_t us)
{
	sim->now_us = us;
	for (struct td_link *l = sim->loops.next; l != &sim->loops; l = l->next)
		loop_of(l)->now_us = us;
}

bool td_sim_run_until(struct td_sim *sim, bool (*done)(void *arg), void *arg, uint64_t ms)
{
	uint64_t end_us = ms < (UINT64_MAX - sim->now_us) / 1000 ? sim->now_us + ms * 1000 : UINT64_MAX - 1;
	uint64_t next;
	unsigned rounds = 0;

	for (;;) {
		if (done && done(arg))
			return true;
		if (run_round(sim)) {
			if (++rounds < ROUNDS_MAX)
				continue;
			/* A livelock of the code under test. Going on would hang the test and tell nobody why. */
			fprintf(stderr, "simulation: no rest at %llu us\n", (unsigned long long)sim->now_us);
			abort();
		}
		next = next_us(sim);
		if (next > end_us)
			break;
		rounds = 0;
		set_clock(sim, next);
	}
	set_clock(sim, end_us);
	return false;
}

void td_sim_run(struct td_sim *sim, uint64_t ms)
{
	td_sim_run_until(sim, NULL, NULL, ms);
}
