/* Small helpers shared by the tests. Include it first: cmocka wants its headers in this order. */
#ifndef TESTS_SUPPORT_H
#define TESTS_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <tandem/base.h>

/* A copy in a heap block of exactly its size, so that a sanitizer sees one byte too far. free((void *)s.p). */
static inline struct td_str exact_copy(struct td_str s)
{
	char *p = malloc(s.n ? s.n : 1);

	assert_non_null(p);
	if (s.n)
		memcpy(p, s.p, s.n);
	return td_str_n(p, s.n);
}

static inline struct td_str exact(const char *z)
{
	return exact_copy(td_str_of(z));
}

static inline void exact_free(struct td_str s)
{
	free((void *)(uintptr_t)s.p);
}

#define assert_str(view, z) assert_str_at((view), td_str_of(z), __FILE__, __LINE__)

static inline void assert_str_at(struct td_str got, struct td_str want, const char *file, int line)
{
	if (td_str_eq(got, want))
		return;
	print_error("got  \"%.*s\" (%zu bytes)\nwant \"%.*s\" (%zu bytes)\n", TD_FMT(got), got.n, TD_FMT(want), want.n);
	_fail(file, line);
}

#endif
