#include "support.h"

#include <tandem/loop.h>

/* ---- determinism: two loops, a noisy wire between them, timers: all driven by the seed ---- */

struct node {
	struct td_loop *loop;
	struct town *town;
	struct td_timer tm;
	struct td_defer d;
	unsigned id;
};

struct town {
	struct td_sim *sim;
	struct node node[3];
	struct td_out trace;
	unsigned packets;
};

struct packet {
	struct td_mail mail;
	struct node *to;
};

static void note(struct node *n, const char *what)
{
	td_out_fmt(&n->town->trace, "%llu %u %s\n", (unsigned long long)td_loop_now_us(n->loop), n->id, what);
}

static void posted(struct td_mail *m, void *arg)
{
	struct packet *p = TD_CONTAINER_OF(m, struct packet, mail);

	note(p->to, "mail");
	td_loop_defer(p->to->loop, &p->to->d);
	td_timer_start(p->to->loop, &p->to->tm, td_rng_below(td_loop_rng(p->to->loop), 50));
	free(p);
}

static void arrives(struct td_mail *m, void *arg)
{
	struct packet *p = TD_CONTAINER_OF(m, struct packet, mail);

	note(p->to, "packet");
	m->fn = posted;
	td_loop_post(p->to->loop, m);
}

static void send_packet(struct node *from)
{
	struct td_rng *r = td_loop_rng(from->loop);
	struct packet *p = malloc(sizeof(*p));

	assert_non_null(p);
	p->mail = (struct td_mail){ .fn = arrives };
	p->to = &from->town->node[td_rng_below(r, 3)];
	assert_int_equal(td_sim_at(from->town->sim, td_rng_below(td_sim_rng(from->town->sim), 3000), &p->mail), 0);
}

static void expired(struct td_timer *tm, void *arg)
{
	struct node *n = arg;

	note(n, "timer");
	if (n->town->packets++ < 3000)
		send_packet(n);
}

static void deferred(struct td_defer *d, void *arg)
{
	struct node *n = arg;

	note(n, "defer");
	if (n->town->packets++ < 3000 && td_rng_below(td_loop_rng(n->loop), 3) == 0)
		send_packet(n);
}

static struct td_out run_town(uint64_t seed)
{
	struct town t = { 0 };

	td_out_init(&t.trace);
	assert_int_equal(td_sim_open(&t.sim, seed), 0);
	for (unsigned i = 0; i < 3; i++) {
		t.node[i].town = &t;
		t.node[i].id = i;
		assert_int_equal(td_sim_loop(&t.node[i].loop, t.sim), 0);
		td_timer_init(&t.node[i].tm, expired, &t.node[i]);
		td_defer_init(&t.node[i].d, deferred, &t.node[i]);
		td_timer_start(t.node[i].loop, &t.node[i].tm, i);
	}
	td_sim_run(t.sim, 10 * 60 * 1000);
	for (unsigned i = 0; i < 3; i++)
		td_loop_close(t.node[i].loop);
	td_sim_close(t.sim);
	return t.trace;
}

static void seed_decides_everything(void **state)
{
	struct td_out a = run_town(7), b = run_town(7), c = run_town(8);

	assert_true(a.n > 10000);
	assert_true(td_str_eq(td_out_view(&a), td_out_view(&b)));
	assert_false(td_str_eq(td_out_view(&a), td_out_view(&c)));
	td_out_free(&a);
	td_out_free(&b);
	td_out_free(&c);
}

/* ---- single rules ---- */

struct world {
	struct td_sim *sim;
	struct td_loop *a, *b;
	struct td_out trace;
	struct td_timer tm;
	struct td_defer d;
	unsigned count;
};

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_int_equal(td_sim_open(&w->sim, 1), 0);
	assert_int_equal(td_sim_loop(&w->a, w->sim), 0);
	assert_int_equal(td_sim_loop(&w->b, w->sim), 0);
	td_out_init(&w->trace);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	td_out_free(&w->trace);
	td_loop_close(w->a);
	td_loop_close(w->b);
	td_sim_close(w->sim);
	free(w);
	return 0;
}

struct tick {
	struct td_mail mail;
	struct world *w;
	char name;
};

static void tick(struct td_mail *m, void *arg)
{
	struct tick *t = arg;

	td_out_char(&t->w->trace, t->name);
}

static void queue(struct world *w, struct tick *t, char name, uint64_t delay_us)
{
	*t = (struct tick){ .mail = { .fn = tick, .arg = t }, .w = w, .name = name };
	assert_int_equal(td_sim_at(w->sim, delay_us, &t->mail), 0);
}

static void expect(struct world *w, const char *trace)
{
	assert_str(td_out_view(&w->trace), trace);
	w->trace.n = 0;
}

static void events_in_order(void **state)
{
	struct world *w = *state;
	struct tick t[5];

	queue(w, &t[0], 'd', 2000);
	queue(w, &t[1], 'b', 1999);
	queue(w, &t[2], 'e', 2000);
	queue(w, &t[3], 'a', 0);
	queue(w, &t[4], 'f', 2001);
	expect(w, "");
	td_sim_run(w->sim, 0);
	expect(w, "a");
	td_sim_run(w->sim, 1);
	expect(w, "");
	td_sim_run(w->sim, 1); /* what falls on the end belongs to the run */
	expect(w, "bde");
	td_sim_run(w->sim, 1);
	expect(w, "f");
}

/* More than the queue starts with, all out of order. */
static void many_events(void **state)
{
	struct world *w = *state;
	enum { N = 5000 };
	struct tick *t = malloc(N * sizeof(*t));
	struct td_rng r;
	uint64_t *at = malloc(N * sizeof(*at));

	td_rng_init_seed(&r, 5);
	for (int i = 0; i < N; i++) {
		at[i] = td_rng_below(&r, 26);
		queue(w, &t[i], (char)('a' + at[i]), at[i]);
	}
	td_sim_run(w->sim, 1);
	assert_int_equal(w->trace.n, N);
	for (int i = 1; i < N; i++)
		assert_true(w->trace.p[i - 1] <= w->trace.p[i]);
	free(at);
	free(t);
}

static void chain(struct td_mail *m, void *arg)
{
	struct world *w = arg;

	td_out_char(&w->trace, 'x');
	if (++w->count < 3)
		assert_int_equal(td_sim_at(w->sim, 0, m), 0);
}

static void event_that_queues_itself(void **state)
{
	struct world *w = *state;
	struct td_mail m = { .fn = chain, .arg = w };

	assert_int_equal(td_sim_at(w->sim, 0, &m), 0);
	td_sim_run(w->sim, 0);
	expect(w, "xxx");
}

static void before_sleep(struct td_defer *d, void *arg)
{
	td_out_char(&((struct world *)arg)->trace, 's');
}

static void on_timer(struct td_timer *tm, void *arg)
{
	struct world *w = arg;

	td_out_char(&w->trace, 't');
	td_loop_before_sleep(w->a, &w->d);
	if (++w->count < 3)
		td_timer_start(w->a, tm, 3600 * 1000);
}

static bool three(void *arg)
{
	return ((struct world *)arg)->count == 3;
}

static void run_until(void **state)
{
	struct world *w = *state;
	uint64_t now = td_sim_now_ms(w->sim);

	td_timer_init(&w->tm, on_timer, w);
	td_defer_init(&w->d, before_sleep, w);
	td_timer_start(w->a, &w->tm, 10);
	assert_false(td_sim_run_until(w->sim, three, w, 10 + 3600 * 1000));
	expect(w, "tsts");
	assert_int_equal(td_sim_now_ms(w->sim), now + 10 + 3600 * 1000);
	assert_true(td_sim_run_until(w->sim, three, w, UINT64_MAX));
	expect(w, "ts");
	assert_int_equal(td_sim_now_ms(w->sim), now + 10 + 2 * 3600 * 1000); /* stands where it became true */
	assert_true(td_sim_run_until(w->sim, three, w, 0));
	assert_int_equal(td_loop_now_ms(w->b), td_sim_now_ms(w->sim));
	assert_int_equal(td_loop_now_us(w->b), td_sim_now_ms(w->sim) * 1000);
}

/* A timer is due when the loop's millisecond is, though events fall between milliseconds. */
static void start_in_between(struct td_mail *m, void *arg)
{
	struct world *w = arg;

	assert_int_equal(td_loop_now_us(w->a) % 1000, 700);
	td_timer_start(w->a, &w->tm, 1);
}

static void check_exact(struct td_timer *tm, void *arg)
{
	struct world *w = arg;

	assert_int_equal(td_loop_now_us(w->a), tm->when_ms * 1000);
	td_out_char(&w->trace, 't');
}

static void timers_are_exact(void **state)
{
	struct world *w = *state;
	struct td_mail m = { .fn = start_in_between, .arg = w };

	td_timer_init(&w->tm, check_exact, w);
	assert_int_equal(td_sim_at(w->sim, 700, &m), 0);
	td_sim_run(w->sim, 10);
	expect(w, "t");
}

static void wall_clock(void **state)
{
	struct world *w = *state;
	uint64_t wall = td_loop_wall_s(w->a), now = td_sim_now_ms(w->sim);

	td_sim_run(w->sim, 1999);
	assert_int_equal(td_loop_wall_s(w->b), wall + 1);
	td_sim_set_wall(w->sim, wall - 86400);
	assert_int_equal(td_loop_wall_s(w->a), wall - 86400);
	assert_int_equal(td_sim_wall_ms(w->sim), (wall - 86400) * 1000);
	td_sim_run(w->sim, 1000);
	assert_int_equal(td_loop_wall_s(w->a), wall - 86400 + 1);
	assert_int_equal(td_sim_now_ms(w->sim), now + 2999); /* the monotonic one did not jump */
}

static void io_fn(struct td_io *io, unsigned events, void *arg) {}

static void is_simulated(void **state)
{
	struct world *w = *state;
	struct td_io io = { 0 };

	assert_true(td_loop_is_sim(w->a));
	assert_int_equal(td_io_open(&io, w->a, 0, TD_IO_READ, io_fn, NULL), TD_EUNSUPPORTED);
	assert_int_equal(td_loop_run(w->a), TD_EUNSUPPORTED);
	assert_int_not_equal(td_rng_u64(td_loop_rng(w->a)), td_rng_u64(td_loop_rng(w->b)));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(seed_decides_everything),
		T(events_in_order),
		T(many_events),
		T(event_that_queues_itself),
		T(run_until),
		T(timers_are_exact),
		T(wall_clock),
		T(is_simulated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
