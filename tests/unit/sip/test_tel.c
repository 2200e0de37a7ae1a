/* tandem/sip.h, telephone numbers (RFC 3966) */
#include "support.h"

#include <tandem/sip.h>

static void uris(void **state)
{
	static const struct {
		const char *in;
		int err;
		const char *number;
		bool global;
		const char *context, *ext;
	} rows[] = {
		{ "tel:+1-201-555-0123", 0, "+1-201-555-0123", true, NULL, NULL },
		{ "tel:+1(201)555.0123;ext=55", 0, "+1(201)555.0123", true, NULL, "55" },
		{ "tel:7042;phone-context=example.com", 0, "7042", false, "example.com", NULL },
		{ "tel:863-1234;phone-context=+1-914-555", 0, "863-1234", false, "+1-914-555", NULL },
		{ "tel:*31#;ext=1;phone-context=a.b", 0, "*31#", false, "a.b", "1" },
		{ "tel:+1;phone-context=example.com", 0, "+1", true, NULL, NULL },
		{ "sip:+1@example.com;user=phone", TD_EUNSUPPORTED, NULL, false, NULL, NULL },
		{ "urn:service:sos", TD_EUNSUPPORTED, NULL, false, NULL, NULL },
	};

	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct td_str text = exact(rows[i].in);
		struct td_tel t;
		struct td_uri u;

		assert_int_equal(td_uri_parse(&u, text), 0);
		assert_int_equal(td_tel_of_uri(&t, &u), rows[i].err);
		if (!rows[i].err) {
			assert_str(t.number, rows[i].number);
			assert_int_equal(t.global, rows[i].global);
			assert_int_equal(t.context.p != NULL, rows[i].context != NULL);
			assert_int_equal(t.ext.p != NULL, rows[i].ext != NULL);
			if (rows[i].context)
				assert_str(t.context, rows[i].context);
			if (rows[i].ext)
				assert_str(t.ext, rows[i].ext);
		}
		exact_free(text);
	}
}

static void numbers(void **state)
{
	static const struct {
		const char *in, *out; /* NULL: no number */
	} rows[] = {
		{ "100", "100" },     { "+49-30-(123).45", "+493012345" },
		{ "-1-", "1" },       { "*21*5#", "*21*5#" },
		{ "(030)1", "0301" }, { "", NULL },
		{ "+", NULL },        { "-", NULL },
		{ "alice", NULL },    { "1a", NULL },
		{ "1+2", NULL },      { "++1", NULL },
		{ "1 2", NULL },      { "%2B1", NULL },
		{ "-+1", NULL },
	};

	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct td_str text = exact(rows[i].in);
		struct td_out o;

		td_out_init(&o);
		td_out_char(&o, '>');
		assert_int_equal(td_tel_put(&o, text), rows[i].out ? 0 : TD_ESYNTAX);
		assert_int_equal(o.n, 1 + (rows[i].out ? strlen(rows[i].out) : 0));
		if (rows[i].out)
			assert_str(td_str_n(o.p + 1, o.n - 1), rows[i].out);
		td_out_free(&o);
		exact_free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(uris), cmocka_unit_test(numbers) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
