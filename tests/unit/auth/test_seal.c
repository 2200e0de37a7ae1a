#include "support.h"

#include <tandem/auth.h>

static const uint8_t key[16] = "0123456789abcdef", other[16] = "0123456789abcdeF";

static void every_length_comes_back(void **state)
{
	uint8_t bytes[TD_SEAL_MAX], got[TD_SEAL_MAX];
	struct td_out o;
	size_t got_n;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7);
	for (size_t n = 0; n <= sizeof(bytes); n++) {
		struct td_str s;

		td_out_init(&o);
		td_seal(&o, key, bytes, n);
		assert_int_equal(o.n, td_seal_length(n));
		s = exact_copy(td_out_view(&o));
		assert_int_equal(td_unseal(got, &got_n, key, s), 0);
		assert_int_equal(got_n, n);
		assert_memory_equal(got, bytes, n);
		assert_int_equal(td_unseal(got, &got_n, other, s), TD_EDENIED);
		if (n >= 16) /* nothing of it can be read */
			assert_null(memmem(s.p, s.n, bytes, 4));
		exact_free(s);
		td_out_free(&o);
	}
}

/* There is one text for bytes: none with other characters, padding, stray bits, or more behind it. */
static void no_other_text(void **state)
{
	uint8_t got[TD_SEAL_MAX];
	struct td_out o;
	size_t n;

	td_out_init(&o);
	td_seal(&o, key, "hello", 5);
	assert_int_equal(td_unseal(got, &n, key, td_out_view(&o)), 0);
	td_out_char(&o, '=');
	assert_int_equal(td_unseal(got, &n, key, td_out_view(&o)), TD_ESYNTAX);
	o.p[o.n - 1] = 'A';
	assert_true(td_unseal(got, &n, key, td_out_view(&o)) != 0);
	o.n--;
	for (size_t i = 0; i < o.n; i++)
		for (int c = 1; c < 256; c++) {
			o.p[i] ^= (char)c;
			assert_true(td_unseal(got, &n, key, td_out_view(&o)) != 0);
			o.p[i] ^= (char)c;
		}
	assert_int_equal(td_unseal(got, &n, key, TD_STR("")), TD_ESYNTAX);
	assert_int_equal(td_unseal(got, &n, key, TD_STR("AAAA")), TD_ESYNTAX);
	o.n = 0;
	for (size_t i = 0; i < td_seal_length(TD_SEAL_MAX) + 1; i++)
		td_out_char(&o, 'A');
	assert_int_equal(td_unseal(got, &n, key, td_out_view(&o)), TD_ESYNTAX);
	td_out_free(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(every_length_comes_back), cmocka_unit_test(no_other_text) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
