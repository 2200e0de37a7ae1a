#include "support.h"

#include <tandem/sip.h>

static const struct {
	const char *in;
	int err;
	uint32_t seconds;
	const char *comment, *params;
} rows[] = {
	{ "18000;duration=3600", 0, 18000, "", ";duration=3600" }, /* RFC 3261 §20.33 */
	{ "120 (I'm in a meeting)", 0, 120, "(I'm in a meeting)", "" },
	{ "120 (a (nested \\) one) b) ; duration = 5 ;x", 0, 120, "(a (nested \\) one) b)", "; duration = 5 ;x" },
	{ "5(x)", 0, 5, "(x)", "" },
	{ "4294967295", 0, 4294967295, "", "" },
	{ "4294967296", TD_ELIMIT },
	{ "9999999999999999999999999999999", TD_ELIMIT },
	{ "", TD_ESYNTAX },
	{ "x", TD_ESYNTAX },
	{ "-1", TD_ESYNTAX },
	{ "120 (open", TD_ESYNTAX },
	{ "120 (open\\", TD_ESYNTAX },
	{ "120 (ends\\)", TD_ESYNTAX },
	{ "120 x", TD_ESYNTAX },
	{ "120;", TD_ESYNTAX },
	{ "120;=5", TD_ESYNTAX },
	{ "120;a=\"x", TD_ESYNTAX },
};

static void retry_after_values(void **state)
{
	size_t i;

	for (i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct td_str in = exact(rows[i].in);
		struct td_retry_after ra = { .seconds = 77 };

		if (td_retry_after_parse(&ra, in) != rows[i].err)
			fail_msg("%s", rows[i].in);
		assert_int_equal(ra.seconds, rows[i].err ? 77 : rows[i].seconds);
		if (!rows[i].err) {
			assert_str(ra.comment, rows[i].comment);
			assert_str(ra.params, rows[i].params);
		}
		exact_free(in);
	}
}

static void d8_delta_seconds(void **state)
{
	uint32_t n = 77;

	assert_int_equal(td_delta_seconds(&n, TD_STR("0")), 0);
	assert_int_equal(n, 0);
	assert_int_equal(td_delta_seconds(&n, TD_STR("007")), 0);
	assert_int_equal(n, 7);
	assert_int_equal(td_delta_seconds(&n, TD_STR("4294967295")), 0);
	assert_int_equal(n, 4294967295);
	assert_int_equal(td_delta_seconds(&n, TD_STR("4294967296")), TD_ELIMIT);
	assert_int_equal(td_delta_seconds(&n, TD_STR("-1")), TD_ESYNTAX);
	assert_int_equal(td_delta_seconds(&n, TD_STR("1.5")), TD_ESYNTAX);
	assert_int_equal(td_delta_seconds(&n, TD_STR("")), TD_ESYNTAX);
	assert_int_equal(n, 4294967295);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(retry_after_values),
		cmocka_unit_test(d8_delta_seconds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
