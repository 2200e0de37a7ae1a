/* What is UTF-8 (RFC 3629), and what only looks like it. */
#include "../../support.h"

#include "server/web/internal.h"

static const struct {
	const char *bytes;
	bool ok;
} rows[] = {
	{ "", true },
	{ "OPTIONS sip:b@x.test SIP/2.0\r\n", true },
	{ "M\xc3\xbcller <sip:a@x.test>", true },
	{ "\xe2\x82\xac", true },
	{ "\xf0\x9f\x93\x9e calls", true },
	{ "\xf4\x8f\xbf\xbf", true },
	{ "\xed\x9f\xbf\xee\x80\x80", true },
	{ "\x80", false },
	{ "\xc0\x80", false }, /* overlong */
	{ "\xc1\xbf", false },
	{ "\xe0\x9f\xbf", false },
	{ "\xf0\x8f\xbf\xbf", false },
	{ "\xed\xa0\x80", false },     /* a surrogate */
	{ "\xf4\x90\x80\x80", false }, /* above U+10FFFF */
	{ "\xf5\x80\x80\x80", false },
	{ "\xff", false },
	{ "\xc3", false }, /* cut off */
	{ "\xe2\x82", false },
	{ "\xf0\x9f\x93", false },
	{ "\xe2(\xac", false },
	{ "\xe2\x82(", false },
	{ "\xc3\xc3\xbc", false },
};

/* At every place in a line, so that reading by eights meets it everywhere. */
static void table(void **state)
{
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		for (size_t at = 0; at < 20; at++) {
			size_t n = strlen(rows[i].bytes), all = at + n + (rows[i].ok ? 9 : 0);
			char *exact = malloc(all ? all : 1);

			assert_non_null(exact);
			memset(exact, 'x', all);
			memcpy(exact + at, rows[i].bytes, n);
			assert_int_equal(web_is_utf8(td_str_n(exact, all)), rows[i].ok);
			free(exact);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(table) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
