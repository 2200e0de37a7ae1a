/* Counted buffers, arenas, output strings. */
#include "support.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

static void buf_counts(void **state)
{
	struct td_buf *b = td_buf_new(0), *c;

	assert_int_equal(b->len, 0);
	assert_int_equal(b->size, 0);
	td_buf_unref(b);
	td_buf_unref(NULL);
	b = td_buf_copy(TD_STR("hello"));
	assert_str(td_buf_str(b), "hello");
	assert_int_equal(b->size, 5);
	c = td_buf_ref(b);
	assert_ptr_equal(b, c);
	td_buf_unref(b);
	assert_str(td_buf_str(c), "hello");
	td_buf_unref(c);
	assert_null(td_buf_new((size_t)UINT32_MAX + 1));
}

static void arena_pieces(void **state)
{
	static const size_t sizes[] = { 0, 1, 7, 8, 9, 100, 1000, 1024, 1025, 3000, 40000, 200000, 3, 0 };
	struct td_arena a;
	char *pieces[TD_ARRAY_LEN(sizes) * 20];
	size_t n = 0;

	td_arena_init(&a);
	for (int round = 0; round < 3; round++) {
		for (n = 0; n < TD_ARRAY_LEN(pieces); n++) {
			size_t size = sizes[n % TD_ARRAY_LEN(sizes)];

			pieces[n] = td_arena_alloc(&a, size);
			assert_non_null(pieces[n]);
			assert_int_equal((uintptr_t)pieces[n] & 7, 0);
			memset(pieces[n], (int)n, size);
		}
		for (size_t i = 0; i < n; i++) {
			for (size_t j = 0; j < sizes[i % TD_ARRAY_LEN(sizes)]; j++)
				assert_int_equal((uint8_t)pieces[i][j], (uint8_t)i);
		}
		td_arena_reset(&a);
	}
	assert_null(td_arena_alloc(&a, SIZE_MAX));
	assert_null(td_arena_alloc(&a, SIZE_MAX - 7));
	td_arena_reset(&a);
}

static void arena_in_own_memory(void **state)
{
	char mem[85];
	struct td_arena a;
	struct td_str s;
	char *p;

	for (size_t skew = 0; skew < 8; skew++) {
		td_arena_init_with(&a, mem + skew, sizeof(mem) - skew);
		for (int round = 0; round < 2; round++) {
			p = td_arena_zalloc(&a, 40);
			assert_true(p >= mem && p + 40 <= mem + sizeof(mem));
			for (int i = 0; i < 40; i++)
				assert_int_equal(p[i], 0);
			assert_int_equal(td_arena_dup(&s, &a, TD_STR("not in mem any more: longer than what is left of it")), 0);
			assert_true(s.p < mem || s.p >= mem + sizeof(mem));
			assert_str(s, "not in mem any more: longer than what is left of it");
			td_arena_reset(&a);
		}
	}
	td_arena_init_with(&a, mem + 1, 3); /* less than the alignment takes */
	assert_int_equal(td_arena_dup(&s, &a, TD_STR_NULL), 0);
	assert_int_equal(s.n, 0);
	td_arena_reset(&a);
}

static void out_grows(void **state)
{
	struct td_out o;
	struct td_buf *b;
	char *p;

	td_out_init(&o);
	assert_non_null(td_out_room(&o, 0));
	td_out_str(&o, TD_STR_NULL);
	td_out_z(&o, "a=");
	td_out_u64(&o, 0);
	td_out_char(&o, ' ');
	td_out_u64(&o, UINT64_MAX);
	td_out_char(&o, ' ');
	td_out_i64(&o, INT64_MIN);
	td_out_i64(&o, -1);
	td_out_i64(&o, INT64_MAX);
	td_out_char(&o, ' ');
	td_out_hex(&o, "\x00\xff\x1a", 3);
	td_out_fmt(&o, " %s-%d", "fmt", 7);
	p = td_out_room(&o, 2);
	memcpy(p, "!!", 2);
	assert_str(td_out_view(&o), "a=0 18446744073709551615 -9223372036854775808-19223372036854775807 00ff1a fmt-7!!");
	for (int i = 0; i < 1000; i++)
		td_out_fmt(&o, "%0100d", i);
	assert_int_equal(o.n, 81 + 100000);
	assert_memory_equal(o.p + o.n - 4, "0999", 4);
	b = td_out_buf(&o);
	assert_int_equal(b->len, 81 + 100000);
	assert_null(o.p);
	td_buf_unref(b);
}

static void out_numbers_of_every_length(void **state)
{
	char want[24], mem[20];
	struct td_out o;
	uint64_t v = 1;

	for (size_t n = 1; n <= 20; n++, v *= 10) { /* 1, 10, … and the number before each */
		snprintf(want, sizeof(want), "%" PRIu64, v);
		td_out_init_fixed(&o, mem, n);
		td_out_u64(&o, v);
		assert_str(td_out_view(&o), want);
		snprintf(want, sizeof(want), "%" PRIu64, v - 1);
		td_out_init_fixed(&o, mem, n);
		td_out_u64(&o, v - 1);
		assert_str(td_out_view(&o), want);
		td_out_init_fixed(&o, mem, n - 1);
		td_out_u64(&o, v);
		assert_true(o.failed);
		assert_int_equal(o.n, 0);
	}
}

static void out_fails_for_good(void **state)
{
	struct td_out o;

	td_out_init(&o);
	td_out_z(&o, "kept");
	assert_null(td_out_room(&o, SIZE_MAX - 2));
	assert_true(o.failed);
	td_out_z(&o, "x");
	td_out_fmt(&o, "x");
	td_out_hex(&o, "x", 1);
	assert_str(td_out_view(&o), "kept");
	assert_null(td_out_buf(&o));
}

static void out_fixed_is_full(void **state)
{
	struct td_out o;
	char *mem = malloc(8);

	td_out_init_fixed(&o, mem, 8);
	td_out_z(&o, "12345678");
	assert_false(o.failed);
	td_out_char(&o, '9');
	assert_true(o.failed);
	assert_str(td_out_view(&o), "12345678");
	td_out_free(&o);

	td_out_init_fixed(&o, mem, 8);
	td_out_fmt(&o, "%s", "1234567"); /* seven and the terminator */
	assert_false(o.failed);
	td_out_fmt(&o, "%s", "8"); /* no spare byte */
	assert_true(o.failed);
	td_out_free(&o);

	td_out_init_fixed(&o, mem, 8);
	td_out_z(&o, "123456");
	td_out_i64(&o, -12); /* whole or not at all */
	assert_str(td_out_view(&o), "123456");
	free(mem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buf_counts),
		cmocka_unit_test(arena_pieces),
		cmocka_unit_test(arena_in_own_memory),
		cmocka_unit_test(out_grows),
		cmocka_unit_test(out_numbers_of_every_length),
		cmocka_unit_test(out_fails_for_good),
		cmocka_unit_test(out_fixed_is_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
