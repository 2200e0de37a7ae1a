/*
 * Failing allocations: malloc, calloc and realloc of the code under test come through here (ld --wrap), and the n-th of
 * them returns NULL. oom_each() runs a scenario for n = 1, 2, … until one run asks for less than n allocations, and so
 * visits every failure there is. Include it in one file per program.
 *
 * A scenario returns 0 when it got through (a failure may be harmless) or the error it was given; it frees everything
 * either way: AddressSanitizer counts what is left.
 */
#ifndef TESTS_OOM_FAILING_H
#define TESTS_OOM_FAILING_H

#include "support.h"

#include <errno.h>

static _Thread_local struct {
	unsigned long n; /* the how manieth fails; 0: none */
	unsigned long seen;
	bool for_good; /* and all after it */
} oom;

static inline bool oom_now(void)
{
	return oom.n && (++oom.seen == oom.n || (oom.for_good && oom.seen > oom.n));
}

void *__real_malloc(size_t n);
void *__real_calloc(size_t k, size_t n);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t k, size_t n);
void *__wrap_realloc(void *p, size_t n);

void *__wrap_malloc(size_t n)
{
	return oom_now() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t k, size_t n)
{
	return oom_now() ? NULL : __real_calloc(k, n);
}

void *__wrap_realloc(void *p, size_t n)
{
	return oom_now() ? NULL : __real_realloc(p, n);
}

static inline void oom_arm(unsigned long n, bool for_good)
{
	oom.n = n;
	oom.seen = 0;
	oom.for_good = for_good;
}

/* Around what the scenario only sets up: the count stands still. */
static inline unsigned long oom_pause(void)
{
	unsigned long n = oom.n;

	oom.n = 0;
	return n;
}

static inline void oom_resume(unsigned long n)
{
	oom.n = n;
}

typedef int oom_fn(void *arg);

/* Once with one failure, once with memory out for good from there on. Returns how many allocations the scenario makes. */
static inline unsigned long oom_each(oom_fn *scenario, void *arg)
{
	unsigned long n = 0;

	for (int for_good = 0; for_good < 2; for_good++) {
		for (n = 1;; n++) {
			int err;
			bool failed;

			oom_arm(n, for_good);
			err = scenario(arg);
			failed = oom.seen >= n;
			oom_arm(0, false);
			if (err != 0 && err != -ENOMEM)
				fail_msg("allocation %lu failed and the answer was: %s", n, td_strerror(err));
			if (!failed) {
				assert_int_equal(err, 0);
				break;
			}
		}
	}
	return n - 1;
}

#endif
