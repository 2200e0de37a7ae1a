/* URIs: what parses into what, what is refused; equality by the tables; addresses of record; escapes. */
#include "sip_support.h"

#include <stdio.h>

static const struct {
	const char *text;
	enum td_scheme scheme;
	const char *user, *password, *host;
	bool v6;
	uint16_t port;
	const char *params, *headers;
} good[] = {
	{ "sip:alice@example.com", TD_SCHEME_SIP, "alice", NULL, "example.com", false, 0, "", "" },
	{ "SIPS:alice:s3c+ret@example.com:5061", TD_SCHEME_SIPS, "alice", "s3c+ret", "example.com", false, 5061, "", "" },
	{ "sip:example.com;lr", TD_SCHEME_SIP, NULL, NULL, "example.com", false, 0, ";lr", "" },
	{ "sip:a@[2001:db8::1]:5070;transport=tcp", TD_SCHEME_SIP, "a", NULL, "2001:db8::1", true, 5070, ";transport=tcp", "" },
	{ "sip:a@[::ffff:192.0.2.1]", TD_SCHEME_SIP, "a", NULL, "::ffff:192.0.2.1", true, 0, "", "" },
	{ "sip:a@[2001:db8:::192.0.2.1]", TD_SCHEME_SIP, "a", NULL, "2001:db8:::192.0.2.1", true, 0, "", "" },
	{ "sip:a@b?subject=x%20y&priority=", TD_SCHEME_SIP, "a", NULL, "b", false, 0, "", "subject=x%20y&priority=" },
	{ "sip:a@b;p=%61[:];q?x=1", TD_SCHEME_SIP, "a", NULL, "b", false, 0, ";p=%61[:];q", "x=1" },
	{ "sip:a;b=c/d?e@host", TD_SCHEME_SIP, "a;b=c/d?e", NULL, "host", false, 0, "", "" },
	{ "sip:null-%00-null@example.com", TD_SCHEME_SIP, "null-%00-null", NULL, "example.com", false, 0, "", "" },
	{ "sip:*31#@pbx", TD_SCHEME_SIP, "*31#", NULL, "pbx", false, 0, "", "" },
	{ "sip:a:@b", TD_SCHEME_SIP, "a", "", "b", false, 0, "", "" },
	{ "sip:a@b;ttl=255;maddr=224.0.1.75", TD_SCHEME_SIP, "a", NULL, "b", false, 0, ";ttl=255;maddr=224.0.1.75", "" },
	{ "tel:+1-201-555-0123;ext=5", TD_SCHEME_TEL, "+1-201-555-0123", NULL, "", false, 0, ";ext=5", "" },
	{ "tel:*31#;phone-context=+49", TD_SCHEME_TEL, "*31#", NULL, "", false, 0, ";phone-context=+49", "" },
	{ "urn:service:sos.fire", TD_SCHEME_OTHER, NULL, NULL, "", false, 0, "", "" },
	{ "soap.beep://192.0.2.103:3002", TD_SCHEME_OTHER, NULL, NULL, "", false, 0, "", "" },
	{ "mailto:a@b", TD_SCHEME_OTHER, NULL, NULL, "", false, 0, "", "" },
};

static void check_opt(struct td_str got, const char *want)
{
	assert_int_equal(got.p == NULL, want == NULL);
	if (want)
		assert_str(got, want);
}

static void parses(void **state)
{
	for (size_t i = 0; i < TD_ARRAY_LEN(good); i++) {
		struct td_str text = exact(good[i].text);
		struct td_uri u;

		assert_int_equal(td_uri_parse(&u, text), 0);
		assert_int_equal(u.scheme, good[i].scheme);
		assert_str(u.text, good[i].text);
		check_opt(u.user, good[i].user);
		check_opt(u.password, good[i].password);
		assert_str(u.host, good[i].host);
		assert_int_equal(u.host_v6, good[i].v6);
		assert_int_equal(u.port, good[i].port);
		assert_str(u.params, good[i].params);
		assert_str(u.headers, good[i].headers);
		exact_free(text);
	}
}

static void p8_malformed_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"/",
		"sip",
		"sip:",
		":",
		"1sip:a@b",
		"sip:@example.com",
		"sip:a@",
		"sip:a@b:",
		"sip:a@b:0",
		"sip:a@b:65536",
		"sip:a@b:5060x",
		"sip:a@b:99999999999999999999",
		"sip:b:o:b@c",
		"sip:a@b@c",
		"sip:bob%@c",
		"sip:bob%4@c",
		"sip:bob%zz@c",
		"sip:a b@c",
		"sip:a@b c",
		"sip:a@b;;lr",
		"sip:a@b;",
		"sip:a@b;lr=",
		"sip:a@b;=x",
		"sip:a@b?",
		"sip:a@b?x",
		"sip:a@b?x=1&",
		"sip:a@b?x=%",
		"sip:a@[::1",
		"sip:a@[]",
		"sip:a@[1.2.3.4]",
		"sip:a@[fe80::1%25eth0]",
		"sip:a@[::1]x",
		"sip:a@2001:db8::10",
		"sip:a@.b",
		"sip:a@-b",
		"<sip:a@b>",
		"sip:a@b\r\n",
		"sip:a\r\n@b",
		"sip:a@b;x=\"q\"",
		"sip:\xc3\xa9@b",
		"sip:a@b;ttl=256",
		"tel:",
		"tel:+",
		"tel:-",
		"tel:911",
		"tel:+12a",
		"tel:+1;",
		"tel:7042;phone-context",
		"urn:",
		"x:a b",
		"x:<>",
	};

	for (size_t i = 0; i < TD_ARRAY_LEN(bad); i++) {
		struct td_str text = exact(bad[i]);
		struct td_uri u = { .port = 7 };

		if (td_uri_parse(&u, text) != TD_ESYNTAX)
			fail_msg("accepted: %s", bad[i]);
		assert_int_equal(u.port, 7);
		exact_free(text);
	}
}

/* prefix, then unit as often as given. */
static struct td_str repeated(const char *prefix, const char *unit, size_t times, const char *suffix)
{
	struct td_out o;
	struct td_str s;

	td_out_init(&o);
	td_out_z(&o, prefix);
	while (times--)
		td_out_z(&o, unit);
	td_out_z(&o, suffix);
	s = exact_copy(td_out_view(&o));
	td_out_free(&o);
	return s;
}

static void p3_p8_limits(void **state)
{
	static const struct {
		const char *prefix, *unit, *suffix;
		size_t times;
		int err;
	} rows[] = {
		{ "sip:", "a", "@b", TD_SIP_MAX_TOKEN, 0 },
		{ "sip:", "a", "@b", TD_SIP_MAX_TOKEN + 1, TD_ELIMIT },
		{ "sip:a:", "a", "@b", TD_SIP_MAX_TOKEN + 1, TD_ELIMIT },
		{ "sip:a@", "b", "", TD_SIP_MAX_URI - 6, 0 },
		{ "sip:a@", "b", "", TD_SIP_MAX_URI - 5, TD_ELIMIT },
		{ "sip:a@b", ";x", "", TD_SIP_MAX_PARAMS, 0 },
		{ "sip:a@b", ";x", "", TD_SIP_MAX_PARAMS + 1, TD_ELIMIT },
		{ "sip:a@b?x=1", "&x=1", "", TD_SIP_MAX_PARAMS, TD_ELIMIT },
		{ "tel:+1", "-", "", TD_SIP_MAX_TOKEN, TD_ELIMIT },
	};

	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct td_str text = repeated(rows[i].prefix, rows[i].unit, rows[i].times, rows[i].suffix);
		struct td_uri u;

		assert_int_equal(td_uri_parse(&u, text), rows[i].err);
		exact_free(text);
	}
}

static bool eq_texts(struct td_str a, struct td_str b)
{
	struct td_str x = exact_copy(a), y = exact_copy(b);
	struct td_uri u, v;
	bool eq;

	assert_int_equal(td_uri_parse(&u, x), 0);
	assert_int_equal(td_uri_parse(&v, y), 0);
	eq = td_uri_eq(&u, &v);
	assert_int_equal(td_uri_eq(&v, &u), eq);
	exact_free(x);
	exact_free(y);
	return eq;
}

/* Columns: a, b, "yes" or "no", source, why. */
/* Proves RFC 3261 §10.3-11. */
static void compare_table(void **state)
{
	char path[4096], line[1024];
	unsigned rows = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/uri/compare.tsv", getenv("TANDEM_TEST_DATA"));
	f = fopen(path, "r");
	assert_non_null(f);
	assert_non_null(fgets(line, sizeof(line), f));
	while (fgets(line, sizeof(line), f)) {
		struct td_str rest = td_str_of(line);
		struct td_str a = td_str_split(&rest, '\t'), b = td_str_split(&rest, '\t'), want = td_str_split(&rest, '\t');

		if (eq_texts(a, b) != td_str_eq(want, TD_STR("yes")))
			fail_msg("%s", line);
		rows++;
	}
	fclose(f);
	assert_in_range(rows, 20, 1000);
}

static void compares(void **state)
{
	static const struct {
		const char *a, *b;
		bool equal;
	} rows[] = {
		{ "sip:a%3Bb@c", "sip:a;b@c", false }, /* ";" is reserved */
		{ "sip:a%3bb@c", "sip:a%3Bb@c", true },
		{ "sip:a%00b@c", "sip:a%00c@c", false },
		{ "sip:a:x@c", "sip:a:X@c", false },
		{ "sip:a@c", "sip:a:@c", false },
		{ "sip:c", "sip:a@c", false },
		{ "sip:a@[2001:DB8::0:1]", "sip:a@[2001:db8::1]", true },
		{ "sip:a@[::1]", "sip:a@[::2]", false },
		{ "sip:a@b;x=1;y=2", "sip:a@b;Y=2;x=1", true },
		{ "sip:a@b;x", "sip:a@b;x=1", false },
		{ "sip:a@b;lr", "sip:a@b", true },
		{ "sip:a@b;ttl=1", "sip:a@b", false },
		{ "sip:a@b;x=1;x=2", "sip:a@b;x=2;x=1", true },
		{ "sip:a@b;x=1;x=2", "sip:a@b;x=1", false },
		{ "tel:+1;x=1;x=2", "tel:+1;x=2;x=1", true },
		{ "sip:a@b;method=INVITE", "sip:a@b;method=invite", true },
		{ "sip:a@b?x=1&y=2", "sip:a@b?y=2&x=1", true },
		{ "sip:a@b?x=1&x=1", "sip:a@b?x=1&y=1", false },
		{ "sip:a@b?x=1", "sip:a@b?x=1&x=1", false },
		{ "tel:+1", "tel:1;phone-context=+1", false },
		{ "tel:7042;phone-context=+1-201", "tel:70-42;phone-context=+1201", true },
		{ "tel:abc;phone-context=x", "tel:ABC;phone-context=x", true },
		{ "tel:+1;a=1", "tel:+1", false },
		{ "urn:service:sos", "URN:service:sos", true },
		{ "urn:service:sos", "urn:service:SOS", false },
		{ "sip:a@b", "tel:+1", false },
	};

	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++)
		if (eq_texts(td_str_of(rows[i].a), td_str_of(rows[i].b)) != rows[i].equal)
			fail_msg("%s and %s", rows[i].a, rows[i].b);
}

static void addresses_of_record(void **state)
{
	static const struct {
		const char *uri, *aor; /* NULL: refused */
	} rows[] = {
		{ "sip:alice@Example.COM", "alice@example.com" },
		{ "sips:alice:pw@example.com:5061;transport=tcp?x=1", "alice@example.com" },
		{ "sip:alice@example.com:5060", "alice@example.com" },
		{ "sip:alice@example.com:5061", "alice@example.com:5061" },
		{ "sip:%61lice%2d1@example.com", "alice-1@example.com" },
		{ "sip:a%3bb%20c@x", "a%3Bb%20c@x" },
		{ "sip:a;b@x", "a;b@x" },
		{ "sip:a%25b@x", "a%25b@x" },
		{ "sip:x", "x" },
		{ "sip:a@[2001:DB8:0::1]:5060", "a@[2001:db8::1]" },
		{ "tel:+1-201-555.0123;ext=1", "tel:+12015550123" },
		{ "tel:70-42;phone-context=EXAMPLE.com", "tel:7042;phone-context=example.com" },
		{ "sip:a%00b@x", NULL },
		{ "sip:a%0d%0ab@x", NULL },
		{ "sip:a%7f@x", NULL },
	};

	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct td_str text = exact(rows[i].uri);
		struct td_uri u;
		struct td_out o;

		td_out_init(&o);
		td_out_z(&o, "=");
		assert_int_equal(td_uri_parse(&u, text), 0);
		assert_int_equal(td_uri_aor(&o, &u), rows[i].aor ? 0 : TD_ESYNTAX);
		assert_false(o.failed);
		assert_str(td_str_n(o.p + 1, o.n - 1), rows[i].aor ? rows[i].aor : "");
		td_out_free(&o);
		exact_free(text);
	}
}

static void p6_escapes(void **state)
{
	static const struct {
		const char *text, *plain;
	} rows[] = {
		{ "a%20b", "a b" }, { "%2541", "%41" }, { "", "" },       { "%c3%a9", "\xc3\xa9" },
		{ "%0d%0a", NULL }, { "%00", NULL },    { "%7F", NULL },  { "a%", NULL },
		{ "a%4", NULL },    { "%4g", NULL },    { "a\tb", NULL },
	};

	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct td_str text = exact(rows[i].text);
		struct td_out o;

		td_out_init(&o);
		assert_int_equal(td_unescape(&o, text), rows[i].plain ? 0 : TD_ESYNTAX);
		assert_str(td_out_view(&o), rows[i].plain ? rows[i].plain : "");
		td_out_free(&o);
		exact_free(text);
	}
}

static void user_escaped(void **state)
{
	struct td_out o;

	td_out_init(&o);
	td_escape_user(&o, TD_STR("a;b @c%:\r\n\xc3"));
	assert_str(td_out_view(&o), "a;b%20%40c%25%3A%0D%0A%C3");
	td_out_free(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses),       cmocka_unit_test(p8_malformed_refused),
		cmocka_unit_test(p3_p8_limits), cmocka_unit_test(compare_table),
		cmocka_unit_test(compares),     cmocka_unit_test(addresses_of_record),
		cmocka_unit_test(p6_escapes),   cmocka_unit_test(user_escaped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
