#include "support.h"

#include <tandem/sip.h>

static const struct {
	const char *in;
	int err;
	const char *type, *subtype, *params;
} rows[] = {
	{ "application/sdp", 0, "application", "sdp", "" },
	{ "text/html; charset=ISO-8859-4", 0, "text", "html", "; charset=ISO-8859-4" },
	{ "application\r\n / sdp ;\r\n x=\"a;b\"", 0, "application", "sdp", ";\r\n x=\"a;b\"" },
	{ "*/*", 0, "*", "*", "" },
	{ "text/*;q=0.3", 0, "text", "*", ";q=0.3" },
	{ "multipart/mixed;boundary=7a9cbec02ceef655", 0, "multipart", "mixed", ";boundary=7a9cbec02ceef655" },
	{ "application", TD_ESYNTAX },
	{ "application/", TD_ESYNTAX },
	{ "/sdp", TD_ESYNTAX },
	{ "application/sdp/x", TD_ESYNTAX },
	{ "application/sdp x", TD_ESYNTAX },
	{ "application/sdp;", TD_ESYNTAX },
	{ "application/sdp;=1", TD_ESYNTAX },
	{ "application/sdp;a=\"b", TD_ESYNTAX },
	{ "application/sdp, text/plain", TD_ESYNTAX },
	{ "", TD_ESYNTAX },
};

static void media_types(void **state)
{
	size_t i;

	for (i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct td_str in = exact(rows[i].in);
		struct td_media_type mt = { .type = TD_STR_INIT("kept") };

		if (td_media_type_parse(&mt, in) != rows[i].err)
			fail_msg("%s", rows[i].in);
		assert_str(mt.type, rows[i].err ? "kept" : rows[i].type);
		if (!rows[i].err) {
			assert_str(mt.subtype, rows[i].subtype);
			assert_str(mt.params, rows[i].params);
		}
		exact_free(in);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(media_types) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
