#include "support.h"

#include <tandem/sip.h>

static const struct row {
	const char *in;
	int err, expires, q;
	const char *uri;
} rows[] = {
	{ "\"Mr. Watson\" <sip:watson@worcester.bell-telephone.com>;q=0.7; expires=3600", 0, 3600, 700,
	  "sip:watson@worcester.bell-telephone.com" },
	{ "<sip:a@b>", 0, -1, -1, "sip:a@b" },
	{ "sip:a@b;expires=0;q=0", 0, 0, 0, "sip:a@b" },
	{ "<sip:a@b;expires=7>;Q=1.000;EXPIRES=9", 0, 9, 1000, "sip:a@b;expires=7" },
	{ "<sip:a@b>;q=0.", 0, -1, 0, "sip:a@b" },
	{ "<sip:a@b>;q=1.", 0, -1, 1000, "sip:a@b" },
	{ "<sip:a@b>;q=0.5", 0, -1, 500, "sip:a@b" },
	{ "<sip:a@b>;q=0.123", 0, -1, 123, "sip:a@b" },
	{ "<sip:a@b>;+sip.instance=\"<urn:uuid:0>\";reg-id=1", 0, -1, -1, "sip:a@b" },
	/* D8: too long is long; malformed is 3600 (§20.10) */
	{ "<sip:a@b>;expires=2147483647", 0, 2147483647, -1, "sip:a@b" },
	{ "<sip:a@b>;expires=2147483648", 0, 2147483647, -1, "sip:a@b" },
	{ "<sip:a@b>;expires=99999999999999999999999", 0, 2147483647, -1, "sip:a@b" },
	{ "<sip:a@b>;expires=-1", 0, 3600, -1, "sip:a@b" },
	{ "<sip:a@b>;expires=x1", 0, 3600, -1, "sip:a@b" },
	{ "<sip:a@b>;expires=1.5", 0, 3600, -1, "sip:a@b" },
	{ "<sip:a@b>;expires", 0, 3600, -1, "sip:a@b" },
	{ "<sip:a@b>;expires=\"Thu, 01 Dec 1994 16:00:00 GMT\"", 0, 3600, -1, "sip:a@b" },
	{ "<sip:a@b>;expires=", TD_ESYNTAX },
	{ "<sip:a@b>;expires=1;expires=2", TD_ESYNTAX },
	{ "<sip:a@b>;q=0.1;q=0.1", TD_ESYNTAX },
	{ "<sip:a@b>;q", TD_ESYNTAX },
	{ "<sip:a@b>;q=1.1", TD_ESYNTAX },
	{ "<sip:a@b>;q=1.001", TD_ESYNTAX },
	{ "<sip:a@b>;q=2", TD_ESYNTAX },
	{ "<sip:a@b>;q=0.1234", TD_ESYNTAX },
	{ "<sip:a@b>;q=00.1", TD_ESYNTAX },
	{ "<sip:a@b>;q=.5", TD_ESYNTAX },
	{ "<sip:a@b>;q=-1", TD_ESYNTAX },
	{ "<sip:a@b>;q=1e5", TD_ESYNTAX },
	{ "<sip:a@b>;q=0x1", TD_ESYNTAX },
	{ "<sip:a@b>;q=\"0.5\"", TD_ESYNTAX },
	{ "*;expires=0", TD_ESYNTAX },
	{ "**", TD_ESYNTAX },
	{ "<sip:a@b", TD_ESYNTAX },
	{ "", TD_ESYNTAX },
};

static void d8_contact_values(void **state)
{
	const struct row *r;

	for (r = rows; r < rows + TD_ARRAY_LEN(rows); r++) {
		struct td_contact ct = { .expires = 77 };
		struct td_str in = exact(r->in);

		if (td_contact_parse(&ct, in) != r->err)
			fail_msg("%s", r->in);
		assert_int_equal(ct.expires, r->err ? 77 : r->expires);
		if (!r->err) {
			assert_false(ct.star);
			assert_int_equal(ct.q, r->q);
			assert_str(ct.addr.uri.text, r->uri);
		}
		exact_free(in);
	}
}

static void star(void **state)
{
	struct td_str in = exact("*");
	struct td_contact ct;

	assert_int_equal(td_contact_parse(&ct, in), 0);
	assert_true(ct.star);
	assert_int_equal(ct.expires, -1);
	assert_int_equal(ct.q, -1);
	assert_str(ct.addr.text, "*");
	exact_free(in);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(d8_contact_values),
		cmocka_unit_test(star),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
