/* What a store has, binding by binding, in the order in which the addresses were first written. Without cmocka. */
#ifndef TESTS_STORE_ROWS_H
#define TESTS_STORE_ROWS_H

#include <stdlib.h>
#include "server/store/store.h"

typedef void row_fn(void *arg, struct td_str aor, const struct td_store_binding *b);

static inline void each_row(struct td_store *s, unsigned page_rows, row_fn *fn, void *arg)
{
	struct td_store_page pg = { .until = UINT64_MAX, .most = page_rows };
	struct td_store_binding b;
	struct td_store_row row;

	td_out_init(&pg.rows);
	do {
		size_t at = 0;

		if (td_store_read_page(s, &pg))
			abort();
		while (td_store_page_next(&row, &pg, &at)) {
			int got;

			while ((got = td_store_binding_next(&b, &row.bindings)) == 1)
				fn(arg, row.aor, &b);
			if (got)
				abort();
		}
	} while (pg.n == pg.most);
	td_out_free(&pg.rows);
}

#endif
