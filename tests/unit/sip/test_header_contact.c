#include "sip_support.h"

#include <stdio.h>

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

/* All contacts of a message's fields, whether a field has one, as most do, or a list: what td_values_next() and td_contact_parse() say. */
static void of_a_message(void **state)
{
	static const struct {
		const char *fields;
		unsigned n;       /* good ones before the end, or before a bad one */
		const char *last; /* the last one's URI; NULL: the field is malformed after them */
	} fields[] = {
		{ "", 0, "" },
		{ "Contact: <sip:a@h>;q=0.5\r\n", 1, "sip:a@h" },
		{ "m: sip:a@h;expires=5 , \"x, y\" <sip:b,c@h>;q=1\r\n", 2, "sip:b,c@h" },
		{ "Contact: <sip:a@h>\r\nContact:\t<sip:b@h>, <sip:c@h>\r\nContact: sip:d@h\r\n", 4, "sip:d@h" },
		{ "Contact: *\r\n", 1, "" },
		{ "Contact: \"a\\\", <b\" <sip:a@h>;x=\",\"\r\n", 1, "sip:a@h" },
		{ "Contact: <sip:a@h>\r\nContact: <sip:b@h\r\n", 1, NULL },
		{ "Contact: <sip:a@h>, sip:b@h?x=y\r\n", 1, NULL },
		{ "Contact: <sip:a@h>;q=2\r\n", 0, NULL },
		{ "Contact: <sip:a@h>,\r\n", 0, NULL },
	};

	for (unsigned i = 0; i < TD_ARRAY_LEN(fields); i++) {
		char text[512];
		struct td_contact ct, same;
		struct td_values it, plain;
		struct td_str v;
		struct td_msg *m;
		unsigned n = 0;
		int got, want;

		snprintf(text, sizeof(text),
			 "REGISTER sip:h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\nTo: "
			 "<sip:a@h>\r\n"
			 "Call-ID: 1\r\nCSeq: 1 REGISTER\r\n%sContent-Length: 0\r\n\r\n",
			 fields[i].fields);
		m = msg_z(text);
		td_values_of(&it, m, TD_HDR_CONTACT);
		td_values_of(&plain, m, TD_HDR_CONTACT);
		while ((got = td_contact_next(&ct, &it)) == 1) {
			n++;
			assert_int_equal(td_values_next(&v, &plain), 1);
			assert_int_equal(td_contact_parse(&same, v), 0);
			assert_true(td_str_eq(ct.addr.text, same.addr.text) && td_str_eq(ct.addr.params, same.addr.params));
			assert_int_equal(ct.expires, same.expires);
			assert_int_equal(ct.q, same.q);
		}
		want = td_values_next(&v, &plain);
		assert_int_equal(got, want == 1 && td_contact_parse(&same, v) ? TD_ESYNTAX : want);
		assert_int_equal(n, fields[i].n);
		assert_int_equal(got, fields[i].last ? 0 : TD_ESYNTAX);
		if (n && fields[i].last)
			assert_str(ct.addr.uri.text, fields[i].last);
		td_msg_unref(m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(d8_contact_values),
		cmocka_unit_test(star),
		cmocka_unit_test(of_a_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
