#include "support.h"

#include <tandem/sip.h>

static const struct {
	const char *in;
	int err;
	unsigned code;
	const char *agent, *text;
} rows[] = {
	{ "307 isi.edu \"Session parameter 'foo' not understood\"", 0, 307, "isi.edu",
	  "\"Session parameter 'foo' not understood\"" },
	{ "301 isi.edu:5060 \"a \\\" b\"", 0, 301, "isi.edu:5060", "\"a \\\" b\"" },
	{ "399 [2001:db8::1]:5060 \"\"", 0, 399, "[2001:db8::1]:5060", "\"\"" },
	{ "399 pseudo!nym \"x\"", 0, 399, "pseudo!nym", "\"x\"" },
	{ "399 a\r\n \"x\"", 0, 399, "a", "\"x\"" },
	{ "1812 overture \"In Progress\"", TD_ESYNTAX }, /* RFC 4475 §3.1.2.5 */
	{ "30 isi.edu \"x\"", TD_ESYNTAX },
	{ "isi.edu \"x\"", TD_ESYNTAX },
	{ "307 isi.edu", TD_ESYNTAX },
	{ "307 isi.edu x", TD_ESYNTAX },
	{ "307 isi.edu \"x", TD_ESYNTAX },
	{ "307 isi.edu \"x\\\"", TD_ESYNTAX },
	{ "307 isi.edu \"x\" y", TD_ESYNTAX },
	{ "307 isi.edu:99999 \"x\"", TD_ESYNTAX },
	{ "307 isi.edu\"x\"", TD_ESYNTAX },
	{ "307 \"x\"", TD_ESYNTAX },
	{ "307", TD_ESYNTAX },
	{ "", TD_ESYNTAX },
};

static void warning_values(void **state)
{
	size_t i;

	for (i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct td_str in = exact(rows[i].in);
		struct td_warning w = { .code = 77 };

		if (td_warning_parse(&w, in) != rows[i].err)
			fail_msg("%s", rows[i].in);
		assert_int_equal(w.code, rows[i].err ? 77 : rows[i].code);
		if (!rows[i].err) {
			assert_str(w.agent, rows[i].agent);
			assert_str(w.text, rows[i].text);
		}
		exact_free(in);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(warning_values) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
