/*
 * What workers share, on 1 to 8 threads at once: CPU time of one operation. Threads that stand in each other's way, by writing one
 * cache line (knowingly, or because two things lie on it), take more time for the same operation; threads that only wait for a core
 * do not. The last table is the counter-proof: one count that all write.
 *
 *   threads        one JSON object a line
 */
#include "micro.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <tandem/loop.h>
#include "server/users/users.h"

enum { RUNS = 5, MOST = 8, USERS = 10000, LETTERS = 64, BUFFER_BYTES = 1008 };

struct bench;

struct task {
	const char *name;
	uint64_t n; /* operations of each thread */
	void (*open)(struct bench *b);
	void (*timed)(struct bench *b, unsigned me, uint64_t n);
	void (*close)(struct bench *b);
};

struct bench {
	const struct task *task;
	unsigned threads;
	pthread_barrier_t start;
	double ns[MOST];
	struct td_buf *bufs[MOST];
	struct td_users *users;
	struct td_loop *loops[MOST];
	struct letter *letters;
	uint64_t handled[MOST];
	_Atomic unsigned over;
	struct td_mail stop[MOST];
};

static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ---- counted buffers: each thread its own, made one after the other ---- */

static void open_bufs(struct bench *b)
{
	for (unsigned i = 0; i < b->threads; i++)
		b->bufs[i] = need(td_buf_new(BUFFER_BYTES));
}

static void close_bufs(struct bench *b)
{
	for (unsigned i = 0; i < b->threads; i++)
		td_buf_unref(b->bufs[i]);
}

static void count_own(struct bench *b, unsigned me, uint64_t n)
{
	for (; n; n--)
		td_buf_unref(td_buf_ref(b->bufs[me]));
}

static void count_one(struct bench *b, unsigned me, uint64_t n)
{
	for (; n; n--)
		td_buf_unref(td_buf_ref(b->bufs[0]));
}

/* ---- memory: each thread takes and gives back ---- */

static void take_and_give(struct bench *b, unsigned me, uint64_t n)
{
	for (; n; n--)
		td_buf_unref(need(td_buf_new(BUFFER_BYTES)));
}

/* ---- the user directory: all read one ---- */

static struct td_str address(char text[40], unsigned i)
{
	return td_str_n(text, (size_t)snprintf(text, 40, "u%08u@bench.test", i));
}

static void open_users(struct bench *b)
{
	struct td_rng rng;
	char text[40];

	td_rng_init(&rng);
	if (td_users_open(&b->users, &rng))
		die("no user directory");
	for (unsigned i = 0; i < USERS; i++)
		if (td_users_put(b->users, &(struct td_user){ .aor = address(text, i) }))
			die("no room for a user");
}

static void close_users(struct bench *b)
{
	td_users_close(b->users);
}

static void find_users(struct bench *b, unsigned me, uint64_t n)
{
	char text[40];

	for (unsigned i = me * 977; n; n--, i += 7919)
		if (!td_users_find(b->users, address(text, i % USERS)))
			die("a user is not found");
}

/* ---- mail: each loop hands every letter to the next ---- */

struct letter {
	struct td_mail mail;
	struct bench *bench;
	unsigned at;
};

static void stop_loop(struct td_mail *m, void *arg)
{
	td_loop_stop(arg);
}

static void hand_on(struct td_mail *m, void *arg)
{
	struct letter *l = TD_CONTAINER_OF(m, struct letter, mail);
	struct bench *b = l->bench;

	/* Whoever is through goes on until all are, so that nobody finishes with less company than he began. */
	if (++b->handled[l->at] == b->task->n && atomic_fetch_add(&b->over, 1) + 1 == b->threads)
		for (unsigned i = 0; i < b->threads; i++)
			td_loop_post(b->loops[i], &b->stop[i]);
	l->at = (l->at + 1) % b->threads;
	td_loop_post(b->loops[l->at], &l->mail);
}

static void open_loops(struct bench *b)
{
	b->letters = need(calloc((size_t)b->threads * LETTERS, sizeof(*b->letters)));
	atomic_store(&b->over, 0);
	for (unsigned i = 0; i < b->threads; i++) {
		if (td_loop_open(&b->loops[i]))
			die("no loop");
		b->handled[i] = 0;
		b->stop[i] = (struct td_mail){ .fn = stop_loop, .arg = b->loops[i] };
	}
	for (unsigned i = 0; i < b->threads * LETTERS; i++) {
		b->letters[i] = (struct letter){ .mail.fn = hand_on, .bench = b, .at = i % b->threads };
		td_loop_post(b->loops[i % b->threads], &b->letters[i].mail);
	}
}

static void close_loops(struct bench *b)
{
	for (unsigned i = 0; i < b->threads; i++)
		td_loop_close(b->loops[i]);
	free(b->letters);
}

static void run_loop(struct bench *b, unsigned me, uint64_t n)
{
	td_loop_run(b->loops[me]);
}

/* ---- runs ---- */

static const struct task tasks[] = {
	{ "buffer counted, each its own", 4000000, open_bufs, count_own, close_bufs },
	{ "buffer made and freed", 2000000, NULL, take_and_give, NULL },
	{ "user found in one directory", 400000, open_users, find_users, close_users },
	{ "message handed to the next worker", 400000, open_loops, run_loop, close_loops },
	{ "one buffer counted by all", 4000000, open_bufs, count_one, close_bufs },
};

struct thread {
	struct bench *bench;
	unsigned me;
	pthread_t id;
};

/* Threads on one core take turns and never meet: each gets a core, in turn. */
static void settle(unsigned me)
{
	cpu_set_t all, one;

	CPU_ZERO(&one);
	if (sched_getaffinity(0, sizeof(all), &all))
		return;
	for (unsigned core = 0, nth = me % (unsigned)CPU_COUNT(&all); core < CPU_SETSIZE; core++)
		if (CPU_ISSET(core, &all) && nth-- == 0)
			CPU_SET(core, &one);
	pthread_setaffinity_np(pthread_self(), sizeof(one), &one);
}

static void *work(void *arg)
{
	const struct thread *t = arg;
	struct bench *b = t->bench;
	uint64_t n = b->task->n, from;

	settle(t->me);
	pthread_barrier_wait(&b->start);
	from = cpu_ns();
	b->task->timed(b, t->me, n);
	/* letters are counted as they come: a loop may have handled more than it had to */
	b->ns[t->me] = (double)(cpu_ns() - from) / (double)(b->handled[t->me] ? b->handled[t->me] : n);
	return NULL;
}

static double once(const struct task *task, unsigned threads)
{
	struct bench b = { .task = task, .threads = threads };
	struct thread t[MOST];
	double sum = 0;

	if (task->open)
		task->open(&b);
	pthread_barrier_init(&b.start, NULL, threads);
	for (unsigned i = 0; i < threads; i++) {
		t[i] = (struct thread){ .bench = &b, .me = i };
		if (pthread_create(&t[i].id, NULL, work, &t[i]))
			die("no thread");
	}
	for (unsigned i = 0; i < threads; i++) {
		pthread_join(t[i].id, NULL);
		sum += b.ns[i];
	}
	pthread_barrier_destroy(&b.start);
	if (task->close)
		task->close(&b);
	return sum / threads;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(void)
{
	for (size_t i = 0; i < sizeof(tasks) / sizeof(tasks[0]); i++) {
		for (unsigned threads = 1; threads <= MOST; threads *= 2) {
			double ns[RUNS];

			for (int r = 0; r < RUNS; r++)
				ns[r] = once(&tasks[i], threads);
			qsort(ns, RUNS, sizeof(ns[0]), by_value);
			printf("{\"name\": \"%s\", \"threads\": %u, \"ns\": %.1f}\n", tasks[i].name, threads, ns[RUNS / 2]);
			fflush(stdout);
		}
	}
	return 0;
}
