/* Runs and times: an operation is repeated until a run takes 20 ms, and the median of nine such runs is its figure. */
#include "micro.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { RUNS = 9 };

void die(const char *what)
{
	fprintf(stderr, "micro: %s\n", what);
	exit(1);
}

void *need(void *p)
{
	if (!p)
		die("out of memory");
	return p;
}

static uint64_t clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* n operations; what they took, preparations left out. */
static uint64_t run(const struct micro *m, void *state, uint64_t n)
{
	uint64_t took = 0;

	while (n) {
		uint64_t part = m->most && n > m->most ? m->most : n, from;

		if (m->prepare)
			m->prepare(state);
		from = clock_ns();
		m->timed(state, part);
		took += clock_ns() - from;
		n -= part;
	}
	return took;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void measure(const struct micro *m, uint32_t size)
{
	void *state = m->open(size);
	uint64_t n = 64;
	double ns[RUNS];

	while (run(m, state, n) < 20000000)
		n *= 2;
	for (int i = 0; i < RUNS; i++)
		ns[i] = (double)run(m, state, n) / (double)n;
	qsort(ns, RUNS, sizeof(ns[0]), by_value);
	printf("{\"name\": \"%s\", \"ns\": %.1f, \"best\": %.1f, \"worst\": %.1f}\n", m->name, ns[RUNS / 2], ns[0], ns[RUNS - 1]);
	fflush(stdout);
	m->close(state);
}

static void count(const struct micro *m, uint32_t size, uint64_t n)
{
	void *state = m->open(size);

	run(m, state, n);
	m->close(state);
}

int micro_main(int argc, char **argv, const struct micro *const *tables)
{
	static const struct option options[] = { { "size", 1, 0, 's' }, { 0, 0, 0, 0 } };
	uint32_t size = 1000000;
	int c, found = 0;

	while ((c = getopt_long(argc, argv, "s:", options, NULL)) != -1) {
		if (c != 's') {
			fprintf(stderr, "usage: %s [--size N] [NAME [COUNT]]\n", argv[0]);
			return 2;
		}
		size = (uint32_t)strtoul(optarg, NULL, 10);
	}
	for (; *tables; tables++) {
		for (const struct micro *m = *tables; m->name; m++) {
			if (optind < argc && strcmp(argv[optind], m->name) != 0)
				continue;
			found = 1;
			if (optind + 1 < argc)
				count(m, size, strtoull(argv[optind + 1], NULL, 10));
			else
				measure(m, size);
		}
	}
	if (!found)
		die("there is nothing of that name");
	return 0;
}
