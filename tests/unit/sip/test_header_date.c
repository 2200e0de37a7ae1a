#include "support.h"

#include <tandem/sip.h>

static const struct {
	const char *in;
	int err;
	uint64_t unix_s;
} rows[] = {
	{ "Sat, 13 Nov 2010 23:29:00 GMT", 0, 1289690940 }, /* RFC 3261 §20.17 */
	{ "Thu, 01 Jan 1970 00:00:00 GMT", 0, 0 },
	{ "Tue, 29 Feb 2000 12:00:00 GMT", 0, 951825600 },
	{ "Tue, 19 Jan 2038 03:14:08 GMT", 0, 2147483648 },
	{ "Mon, 01 Mar 2100 00:00:00 GMT", 0, 4107542400 },
	{ "Fri, 31 Dec 9999 23:59:59 GMT", 0, 253402300799 },
	{ "fri, 31 dec 1999 23:59:59 gmt", 0, 946684799 }, /* ABNF strings are case-insensitive */
	{ "Fri, 01 Jan 2010 16:00:00 EST", TD_ESYNTAX },   /* RFC 4475 §3.1.2.12 */
	{ "Fri, 01 Jan 2010 16:00:00 GMT ", TD_ESYNTAX },
	{ "Fri, 01 Jan 2010 16:00:00", TD_ESYNTAX },
	{ "Fri, 1 Jan 2010 16:00:00 GMT", TD_ESYNTAX },
	{ "Fri,  01 Jan 2010 16:00:00 GMT", TD_ESYNTAX },
	{ "Friday, 01-Jan-10 16:00:00 GMT", TD_ESYNTAX },
	{ "Fri Jan  1 16:00:00 2010", TD_ESYNTAX },
	{ "Xyz, 01 Jan 2010 16:00:00 GMT", TD_ESYNTAX },
	{ "Fri, 01 Foo 2010 16:00:00 GMT", TD_ESYNTAX },
	{ "Fri, 00 Jan 2010 16:00:00 GMT", TD_ESYNTAX },
	{ "Fri, 32 Jan 2010 16:00:00 GMT", TD_ESYNTAX },
	{ "Mon, 29 Feb 2100 00:00:00 GMT", TD_ESYNTAX },
	{ "Fri, 01 Jan 2010 24:00:00 GMT", TD_ESYNTAX },
	{ "Fri, 01 Jan 2010 16:60:00 GMT", TD_ESYNTAX },
	{ "Fri, 01 Jan 2010 16:00:60 GMT", TD_ESYNTAX },
	{ "Fri, 01 Jan 2010 1a:00:00 GMT", TD_ESYNTAX },
	{ "Wed, 31 Dec 1969 23:59:59 GMT", TD_ELIMIT },
	{ "Sat, 01 Jan 0000 00:00:00 GMT", TD_ELIMIT },
	{ "Fr", TD_ESYNTAX },
	{ "", TD_ESYNTAX },
};

static void dates_are_parsed(void **state)
{
	size_t i;

	for (i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct td_str in = exact(rows[i].in);
		uint64_t t = 4711;

		if (td_date_parse(&t, in) != rows[i].err)
			fail_msg("%s", rows[i].in);
		assert_int_equal(t, rows[i].err ? 4711 : rows[i].unix_s);
		exact_free(in);
	}
}

/* Every day of 600 years and some seconds of it: what is printed parses to what it was. */
static void printed_dates_parse_back(void **state)
{
	uint64_t day, t, back;

	for (day = 0; day < 600 * 366; day++) {
		char mem[64];
		struct td_out o;

		t = day * 86400 + day * 7919 % 86400;
		td_out_init_fixed(&o, mem, sizeof(mem));
		td_date_print(&o, t);
		assert_false(o.failed);
		assert_int_equal(td_date_parse(&back, td_out_view(&o)), 0);
		assert_int_equal(back, t);
	}
}

static void print_is_exact(void **state)
{
	char mem[64];
	struct td_out o;

	td_out_init_fixed(&o, mem, sizeof(mem));
	td_date_print(&o, 1289690940);
	assert_str(td_out_view(&o), "Sat, 13 Nov 2010 23:29:00 GMT");
	td_out_init_fixed(&o, mem, sizeof(mem));
	td_date_print(&o, UINT64_MAX);
	assert_str(td_out_view(&o), "Fri, 31 Dec 9999 23:59:59 GMT");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dates_are_parsed),
		cmocka_unit_test(printed_dates_parse_back),
		cmocka_unit_test(print_is_exact),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
