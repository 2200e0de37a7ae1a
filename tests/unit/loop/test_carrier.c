/* Loops that share a thread: who runs them under little and under much to do, and that nothing is lost on the way over and back. */
#include "support.h"

#include <errno.h>
#include <pthread.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <tandem/loop.h>

enum { LOOPS = 3, PATIENCE_MS = 30000 };

/* A loop, its thread, and a timer that notes on which thread it fires. */
struct home {
	struct td_loop *loop;
	struct td_timer beat;
	pthread_t thread;
	_Atomic uintptr_t self, ran_on;
	_Atomic unsigned beats;
	_Atomic bool working; /* without ever having to wait */
	_Atomic bool over;    /* td_loop_run() returned */
	struct td_mail stop;
};

struct street {
	struct home home[LOOPS];
};

static void beat(struct td_timer *tm, void *arg)
{
	struct home *h = arg;

	atomic_store(&h->ran_on, (uintptr_t)pthread_self());
	atomic_fetch_add(&h->beats, 1);
	td_timer_start(h->loop, tm, atomic_load(&h->working) ? 0 : 3);
}

static void *live(void *arg)
{
	struct home *h = arg;

	atomic_store(&h->self, (uintptr_t)pthread_self());
	assert_int_equal(td_loop_run(h->loop), 0);
	atomic_store(&h->over, true);
	return NULL;
}

static void move_in(struct home *h)
{
	atomic_store(&h->over, false);
	assert_int_equal(pthread_create(&h->thread, NULL, live, h), 0);
}

static int setup(void **state)
{
	struct street *s = calloc(1, sizeof(*s));

	for (unsigned i = 0; i < LOOPS; i++) {
		assert_int_equal(td_loop_open(&s->home[i].loop), 0);
		td_timer_init(&s->home[i].beat, beat, &s->home[i]);
		if (i > 0)
			assert_int_equal(td_loop_share(s->home[i].loop, s->home[0].loop), 0);
	}
	*state = s;
	return 0;
}

/* The carrier first: whoever was shared with it must bear that. */
static int teardown(void **state)
{
	struct street *s = *state;

	for (unsigned i = 0; i < LOOPS; i++) {
		td_loop_drain(s->home[i].loop);
		td_timer_stop(s->home[i].loop, &s->home[i].beat);
	}
	for (unsigned i = 0; i < LOOPS; i++)
		td_loop_close(s->home[i].loop);
	free(s);
	return 0;
}

static void start_all(struct street *s, unsigned first_beating)
{
	for (unsigned i = first_beating; i < LOOPS; i++)
		td_timer_start(s->home[i].loop, &s->home[i].beat, 1);
	for (unsigned i = 0; i < LOOPS; i++)
		move_in(&s->home[i]);
}

static void stop_loop(struct td_mail *m, void *arg)
{
	td_loop_stop(arg);
}

static void stop_home(struct home *h)
{
	h->stop = (struct td_mail){ .fn = stop_loop, .arg = h->loop };
	td_loop_post(h->loop, &h->stop);
	assert_int_equal(pthread_join(h->thread, NULL), 0);
}

static void nap(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
}

/* Until loop i beats on the thread of home j; false: it never does. */
static bool comes_to(struct street *s, unsigned i, unsigned j)
{
	for (int ms = 0; ms < PATIENCE_MS; ms++) {
		uintptr_t there = atomic_load(&s->home[j].self);

		if (there && atomic_load(&s->home[i].ran_on) == there)
			return true;
		nap();
	}
	return false;
}

static void little_to_do_is_done_by_one(void **state)
{
	struct street *s = *state;

	/* No timer of the carrier's own: what wakes it in time are those of its guests. */
	start_all(s, 1);
	for (unsigned i = 1; i < LOOPS; i++)
		assert_true(comes_to(s, i, 0));
	for (unsigned i = 0; i < LOOPS; i++)
		stop_home(&s->home[i]);
}

static void much_to_do_goes_home_and_comes_again(void **state)
{
	struct street *s = *state;

	start_all(s, 0);
	for (unsigned round = 0; round < 3; round++) {
		assert_true(comes_to(s, 1, 0));
		assert_true(comes_to(s, 2, 0));
		atomic_store(&s->home[1].working, true);
		assert_true(comes_to(s, 1, 1));
		atomic_store(&s->home[1].working, false);
	}
	for (unsigned i = LOOPS; i-- > 0;)
		stop_home(&s->home[i]);
}

static void each_stops_alone(void **state)
{
	struct street *s = *state;
	unsigned beats;

	start_all(s, 0);
	for (unsigned i = 1; i < LOOPS; i++)
		assert_true(comes_to(s, i, 0));
	stop_home(&s->home[2]); /* a guest: its own td_loop_run() returns */
	assert_true(atomic_load(&s->home[2].over));
	assert_false(atomic_load(&s->home[1].over));
	stop_home(&s->home[0]); /* the carrier: the guest that is left goes on at home */
	assert_true(comes_to(s, 1, 1));
	for (beats = atomic_load(&s->home[1].beats); atomic_load(&s->home[1].beats) < beats + 20;)
		nap(); /* and asks in vain meanwhile */
	assert_int_equal(atomic_load(&s->home[1].ran_on), atomic_load(&s->home[1].self));
	move_in(&s->home[0]); /* runs again, and is asked again */
	assert_true(comes_to(s, 1, 0));
	stop_home(&s->home[0]);
	stop_home(&s->home[1]);
}

struct ear {
	struct td_io io;
	_Atomic uintptr_t ran_on;
	_Atomic unsigned heard;
};

static void hear(struct td_io *io, unsigned events, void *arg)
{
	struct ear *e = arg;
	char byte;

	if (read(io->fd, &byte, 1) == 1) {
		atomic_store(&e->ran_on, (uintptr_t)pthread_self());
		atomic_fetch_add(&e->heard, 1);
	}
}

static void descriptors_come_along(void **state)
{
	struct street *s = *state;
	struct ear ear = { 0 };
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(td_io_open(&ear.io, s->home[1].loop, pair[0], TD_IO_READ, hear, &ear), 0);
	start_all(s, 1);
	assert_true(comes_to(s, 1, 0));
	for (unsigned i = 0; i < 200; i++) {
		assert_int_equal(write(pair[1], "x", 1), 1);
		while (atomic_load(&ear.heard) <= i)
			nap();
		if (i == 100) { /* the rest at home */
			assert_int_equal(atomic_load(&ear.ran_on), atomic_load(&s->home[0].self));
			atomic_store(&s->home[1].working, true);
			assert_true(comes_to(s, 1, 1));
		}
	}
	assert_int_equal(atomic_load(&ear.ran_on), atomic_load(&s->home[1].self));
	for (unsigned i = 0; i < LOOPS; i++)
		stop_home(&s->home[i]);
	td_io_close(&ear.io);
	close(pair[0]);
	close(pair[1]);
}

/* ---- mail, while loops go to and fro ---- */

enum { SENDERS = 4, LETTERS = 3000, STATIONS = 6 };

struct letter {
	struct td_mail mail;
	struct post *post;
	unsigned sender, number, station;
};

struct post {
	struct street *street;
	unsigned next[LOOPS][SENDERS];
	_Atomic unsigned arrived;
};

/* From loop to loop, six times; each loop sees a sender's letters in their order. */
static void pass_on(struct td_mail *m, void *arg)
{
	struct letter *l = TD_CONTAINER_OF(m, struct letter, mail);
	struct post *p = l->post;
	unsigned at = (l->sender + l->station) % LOOPS;

	if (l->station < LOOPS)
		assert_int_equal(l->number, p->next[at][l->sender]++);
	if (++l->station < STATIONS) {
		td_loop_post(p->street->home[(at + 1) % LOOPS].loop, &l->mail);
		return;
	}
	atomic_fetch_add(&p->arrived, 1);
	free(l);
}

struct sender {
	struct post *post;
	unsigned me;
	pthread_t thread;
};

static void *send_letters(void *arg)
{
	const struct sender *s = arg;

	for (unsigned i = 0; i < LETTERS; i++) {
		struct letter *l = malloc(sizeof(*l));

		if (!l)
			abort();
		*l = (struct letter){ .mail.fn = pass_on, .post = s->post, .sender = s->me, .number = i };
		td_loop_post(s->post->street->home[s->me % LOOPS].loop, &l->mail);
		if (i % 8 == 0)
			nap(); /* all may fall asleep in between */
	}
	return NULL;
}

static void no_mail_is_lost(void **state)
{
	struct street *s = *state;
	struct post post = { .street = s };
	struct sender senders[SENDERS];

	start_all(s, 0);
	for (unsigned i = 0; i < SENDERS; i++) {
		senders[i] = (struct sender){ .post = &post, .me = i };
		assert_int_equal(pthread_create(&senders[i].thread, NULL, send_letters, &senders[i]), 0);
	}
	for (unsigned ms = 0; atomic_load(&post.arrived) < SENDERS * LETTERS && ms < PATIENCE_MS; ms++) {
		atomic_store(&s->home[ms / 32 % LOOPS].working, ms % 32 < 16);
		nap();
	}
	assert_int_equal(atomic_load(&post.arrived), SENDERS * LETTERS);
	for (unsigned i = 0; i < SENDERS; i++)
		assert_int_equal(pthread_join(senders[i].thread, NULL), 0);
	for (unsigned i = 0; i < LOOPS; i++)
		stop_home(&s->home[i]);
}

/* ---- what is refused ---- */

static void refused(void **state)
{
	struct street *s = *state;
	struct td_loop *other, *simulated;
	struct td_sim *sim;

	assert_int_equal(td_loop_open(&other), 0);
	assert_int_equal(td_sim_open(&sim, 1), 0);
	assert_int_equal(td_sim_loop(&simulated, sim), 0);
	assert_int_equal(td_loop_share(other, other), -EINVAL);
	assert_int_equal(td_loop_share(s->home[1].loop, s->home[0].loop), -EINVAL); /* twice */
	assert_int_equal(td_loop_share(s->home[0].loop, other), -EINVAL);           /* who carries is not carried */
	assert_int_equal(td_loop_share(other, s->home[1].loop), -EINVAL);
	assert_int_equal(td_loop_share(other, simulated), TD_EUNSUPPORTED);
	assert_int_equal(td_loop_share(simulated, other), TD_EUNSUPPORTED);
	td_loop_close(simulated);
	td_sim_close(sim);
	td_loop_close(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(little_to_do_is_done_by_one, setup, teardown),
		cmocka_unit_test_setup_teardown(much_to_do_goes_home_and_comes_again, setup, teardown),
		cmocka_unit_test_setup_teardown(each_stops_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(descriptors_come_along, setup, teardown),
		cmocka_unit_test_setup_teardown(no_mail_is_lost, setup, teardown),
		cmocka_unit_test_setup_teardown(refused, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
