/* Timers on a simulated clock, against a model that keeps a plain array. G22: none fires early or late. */
#include "support.h"

#include "loop/internal.h"

enum { N = 400 };

struct model {
	struct td_sim *sim;
	struct td_loop *loop;
	struct td_rng rng;
	struct tester {
		struct td_timer tm;
		struct model *m;
		uint64_t due, order; /* order of starting; due 0: not running */
	} t[N];
	uint64_t order, last_due, last_order;
	unsigned fired;
};

static const uint64_t spans[] = { 1, 2, 63, 64, 65, 1000, 4095, 4096, 4097, 32000, 262144, 86400000ull, 31ull * 86400000 };

static void start(struct model *m, struct tester *t)
{
	uint64_t span = spans[td_rng_below(&m->rng, TD_ARRAY_LEN(spans))];
	uint64_t delay = td_rng_below(&m->rng, 4) ? 1 + td_rng_below(&m->rng, span) : span;

	td_timer_start(m->loop, &t->tm, delay);
	t->due = td_loop_now_ms(m->loop) + delay;
	t->order = ++m->order;
	assert_int_equal(t->tm.when_ms, t->due);
}

static void stop(struct model *m, struct tester *t)
{
	assert_int_equal(td_timer_running(&t->tm), t->due != 0);
	td_timer_stop(m->loop, &t->tm);
	assert_false(td_timer_running(&t->tm));
	t->due = 0;
}

static void on_fire(struct td_timer *tm, void *arg)
{
	struct tester *t = arg;
	struct model *m = t->m;

	assert_int_equal(t->due, td_loop_now_ms(m->loop)); /* to the millisecond; 0: was stopped */
	assert_false(td_timer_running(tm));
	if (t->due == m->last_due)
		assert_true(t->order > m->last_order);
	m->last_due = t->due;
	m->last_order = t->order;
	t->due = 0;
	m->fired++;
	if (td_rng_below(&m->rng, 2))
		start(m, t);
	if (td_rng_below(&m->rng, 3) == 0)
		stop(m, &m->t[td_rng_below(&m->rng, N)]);
	if (td_rng_below(&m->rng, 3) == 0)
		start(m, &m->t[td_rng_below(&m->rng, N)]);
}

static void check_none_overdue(struct model *m)
{
	for (size_t i = 0; i < N; i++) {
		assert_int_equal(td_timer_running(&m->t[i].tm), m->t[i].due != 0);
		assert_true(!m->t[i].due || m->t[i].due > td_loop_now_ms(m->loop));
	}
}

static void wheel_against_model(void **state)
{
	for (uint64_t seed = 1; seed <= 8; seed++) {
		struct model *m = calloc(1, sizeof(*m));

		assert_int_equal(td_sim_open(&m->sim, seed), 0);
		assert_int_equal(td_sim_loop(&m->loop, m->sim), 0);
		td_rng_init_seed(&m->rng, seed);
		for (size_t i = 0; i < N; i++) {
			m->t[i].m = m;
			td_timer_init(&m->t[i].tm, on_fire, &m->t[i]);
		}
		for (int turn = 0; turn < 2000; turn++) {
			for (int i = 0; i < 5; i++)
				start(m, &m->t[td_rng_below(&m->rng, N)]);
			stop(m, &m->t[td_rng_below(&m->rng, N)]);
			td_sim_run(m->sim, td_rng_below(&m->rng, spans[td_rng_below(&m->rng, TD_ARRAY_LEN(spans))]));
			check_none_overdue(m);
		}
		assert_true(m->fired > 1000);
		for (size_t i = 0; i < N; i++)
			stop(m, &m->t[i]);
		td_loop_close(m->loop);
		td_sim_close(m->sim);
		free(m);
	}
}

/* ---- single rules ---- */

struct world {
	struct td_sim *sim;
	struct td_loop *loop;
	char trace[64];
	struct td_timer a, b, c;
};

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_int_equal(td_sim_open(&w->sim, 1), 0);
	assert_int_equal(td_sim_loop(&w->loop, w->sim), 0);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	td_loop_close(w->loop);
	td_sim_close(w->sim);
	free(w);
	return 0;
}

static void note(struct world *w, char c)
{
	size_t n = strlen(w->trace);

	assert_true(n + 1 < sizeof(w->trace));
	w->trace[n] = c;
}

static void note_a(struct td_timer *tm, void *arg)
{
	note(arg, 'a');
}

static void note_b(struct td_timer *tm, void *arg)
{
	note(arg, 'b');
}

static void far_future(void **state)
{
	struct world *w = *state;
	static const uint64_t delays[] = { 1ull << 36, (1ull << 42) - 1, 1ull << 42, 1ull << 53 };
	uint64_t ms;

	td_timer_init(&w->a, note_a, w);
	td_timer_init(&w->b, note_b, w);
	td_timer_start(w->loop, &w->b, UINT64_MAX); /* never, and in nobody's way */
	assert_int_equal(w->b.when_ms, UINT64_MAX);
	for (size_t i = 0; i < TD_ARRAY_LEN(delays); i++) {
		memset(w->trace, 0, sizeof(w->trace));
		td_timer_start(w->loop, &w->a, delays[i]);
		ms = td_sim_now_ms(w->sim) + delays[i];
		td_sim_run(w->sim, delays[i] - 1);
		assert_string_equal(w->trace, "");
		td_sim_run(w->sim, 1);
		assert_string_equal(w->trace, "a");
		assert_int_equal(td_sim_now_ms(w->sim), ms);
	}
	assert_true(td_timer_running(&w->b));
	td_timer_stop(w->loop, &w->b);
	td_timer_stop(w->loop, &w->b); /* nothing when it is not running */
}

static void again_at_once(struct td_timer *tm, void *arg)
{
	struct world *w = arg;

	note(w, 'c');
	if (strlen(w->trace) < 5)
		td_timer_start(w->loop, tm, 0);
}

static void zero_waits_for_the_next_turn(void **state)
{
	struct world *w = *state;
	uint64_t now = td_sim_now_ms(w->sim);

	td_timer_init(&w->a, note_a, w);
	td_timer_init(&w->c, again_at_once, w);
	td_timer_start(w->loop, &w->c, 0);
	td_timer_start(w->loop, &w->a, 0);
	assert_string_equal(w->trace, "");
	td_sim_run(w->sim, 0);
	assert_string_equal(w->trace, "caccc");
	assert_int_equal(td_sim_now_ms(w->sim), now);
	td_timer_start(w->loop, &w->a, 0);
	td_timer_stop(w->loop, &w->a);
	td_timer_start(w->loop, &w->c, 0);
	td_timer_start(w->loop, &w->c, 7); /* moves it */
	td_sim_run(w->sim, 6);
	assert_string_equal(w->trace, "caccc");
	td_sim_run(w->sim, 1);
	assert_string_equal(w->trace, "cacccc");
}

/* Both due at one instant: the first stops and frees the second, and itself. */
static void stop_and_free_the_other(struct td_timer *tm, void *arg)
{
	struct td_timer **pair = arg;
	struct td_loop *loop = (struct td_loop *)(void *)pair[2];

	td_timer_stop(loop, pair[0]);
	td_timer_stop(loop, pair[1]);
	free(pair[0]);
	free(pair[1]);
	pair[0] = pair[1] = NULL;
}

static void callbacks_may_free(void **state)
{
	static const uint64_t delays[] = { 0, 1, 70, 5000 };
	struct world *w = *state;

	for (size_t i = 0; i < TD_ARRAY_LEN(delays); i++) {
		struct td_timer *pair[3] = { malloc(sizeof(struct td_timer)), malloc(sizeof(struct td_timer)) };

		pair[2] = (struct td_timer *)(void *)w->loop;
		for (int j = 0; j < 2; j++) {
			td_timer_init(pair[j], stop_and_free_the_other, pair);
			td_timer_start(w->loop, pair[j], delays[i]);
		}
		td_sim_run(w->sim, delays[i]);
		assert_null(pair[0]);
	}
}

/* A wheel that jumps (a machine that slept, a turn that took long) gives out all that is due in order of time. */
static void order_of_the_overdue(void **state)
{
	enum { MANY = 3000 };
	struct wheel *w = malloc(sizeof(*w));
	struct td_timer *tm = calloc(MANY, sizeof(*tm)), *t, *last = NULL;
	struct td_rng r;
	uint64_t end = 1000 + 5000000, next;
	unsigned due = 0;

	td_rng_init_seed(&r, 3);
	wheel_init(w, 1000);
	assert_false(wheel_next(w, &next));
	for (int i = 0; i < MANY; i++) {
		tm[i].when_ms = 1000 + td_rng_below(&r, 1u << td_rng_below(&r, 24));
		due += tm[i].when_ms <= end;
		wheel_add(w, &tm[i]);
	}
	for (; (t = wheel_pop(w, end)) != NULL; last = t, due--) {
		assert_true(t->when_ms <= end);
		assert_true(!last || last->when_ms < t->when_ms || (last->when_ms == t->when_ms && last < t));
		assert_false(td_timer_running(t));
	}
	assert_int_equal(due, 0);
	assert_int_equal(w->now_ms, end);
	for (int i = 0; i < MANY; i++) {
		assert_int_equal(td_timer_running(&tm[i]), tm[i].when_ms > end);
		if (td_timer_running(&tm[i]))
			wheel_del(w, &tm[i]);
	}
	assert_false(wheel_next(w, &next)); /* no bit is left behind */
	free(tm);
	free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wheel_against_model),
		cmocka_unit_test_setup_teardown(far_future, setup, teardown),
		cmocka_unit_test_setup_teardown(zero_waits_for_the_next_turn, setup, teardown),
		cmocka_unit_test_setup_teardown(callbacks_may_free, setup, teardown),
		cmocka_unit_test(order_of_the_overdue),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
