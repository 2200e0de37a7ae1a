#include "support.h"

#include <tandem/sip.h>

static const struct {
	const char *in;
	int err;
	const char *value, *delay;
} rows[] = {
	{ "54", 0, "54", "" },          { "54.", 0, "54.", "" },  { "54.21 0.3", 0, "54.21", "0.3" },
	{ "54\r\n .5", 0, "54", ".5" }, { "54 .", 0, "54", "." }, { "54 ", 0, "54", "" }, /* delay may be empty */
	{ ".5", TD_ESYNTAX },           { "", TD_ESYNTAX },       { "x", TD_ESYNTAX },
	{ "-1", TD_ESYNTAX },           { "1.2.3", TD_ESYNTAX },  { "1 2 3", TD_ESYNTAX },
	{ "1;x", TD_ESYNTAX },
};

static void timestamp_values(void **state)
{
	size_t i;

	for (i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct td_str in = exact(rows[i].in);
		struct td_timestamp ts = { .value = TD_STR_INIT("kept") };

		if (td_timestamp_parse(&ts, in) != rows[i].err)
			fail_msg("%s", rows[i].in);
		assert_str(ts.value, rows[i].err ? "kept" : rows[i].value);
		if (!rows[i].err)
			assert_str(ts.delay, rows[i].delay);
		exact_free(in);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(timestamp_values) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
