/* Whose page may connect (T6). */
#include "../../support.h"

#include "server/web/web.h"

static struct td_config *config(const char *yaml)
{
	struct td_out errors;
	struct td_config *c;

	td_out_init(&errors);
	if (td_config_parse(&c, &errors, TD_STR("t"), td_str_of(yaml)))
		fail_msg("%.*s", TD_FMT(td_out_view(&errors)));
	td_out_free(&errors);
	return c;
}

struct row {
	const char *origin, *host, *at;
	bool secure, ok;
};

static void check(const struct td_config *c, const struct row *r, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct td_addr at;

		assert_int_equal(td_addr_parse(&at, td_str_of(r[i].at)), 0);
		if (td_web_origin_ok(c, td_str_of(r[i].origin), td_str_of(r[i].host), &at, r[i].secure) != r[i].ok)
			fail_msg("%s to %s at %s: wanted %d", r[i].origin, r[i].host, r[i].at, r[i].ok);
	}
}

static void t6_pages_we_could_serve(void **state)
{
	static const struct row rows[] = {
		{ "http://127.0.0.1:8080", "127.0.0.1:8080", "127.0.0.1:8080", false, true },
		{ "http://localhost:8080", "localhost:8080", "127.0.0.1:8080", false, true },
		{ "http://LOCALHOST:8080", "localhost:8080", "127.0.0.1:8080", false, true },
		{ "http://[::1]:8080", "[::1]:8080", "[::1]:8080", false, true },
		{ "https://example.test", "example.test", "192.0.2.1:443", true, true },
		{ "https://example.test", "example.test:443", "192.0.2.1:443", true, true },
		{ "https://example.test:8443", "example.test:8443", "192.0.2.1:8443", true, true },
		{ "http://example.test", "example.test", "192.0.2.1:80", false, true },
		{ "https://192.0.2.1:8443", "192.0.2.1:8443", "192.0.2.1:8443", true, true },
		/* somewhere else */
		{ "http://evil.test", "127.0.0.1:8080", "127.0.0.1:8080", false, false },
		{ "http://localhost:3000", "localhost:8080", "127.0.0.1:8080", false, false },
		{ "http://localhost", "localhost:8080", "127.0.0.1:8080", false, false },
		{ "https://example.test", "example.test:8443", "192.0.2.1:8443", true, false },
		{ "http://example.test", "example.test", "192.0.2.1:443", true, false },
		/* a name that was made to lead here */
		{ "http://evil.test:8080", "evil.test:8080", "127.0.0.1:8080", false, false },
		{ "http://192.0.2.9:8080", "192.0.2.9:8080", "192.0.2.1:8080", false, false },
		{ "http://localhost:8080", "localhost:8080", "192.0.2.1:8080", false, false },
		{ "http://example.test.evil.test", "example.test.evil.test", "192.0.2.1:80", false, false },
		/* nothing, or no such thing */
		{ "null", "127.0.0.1:8080", "127.0.0.1:8080", false, false },
		{ "", "127.0.0.1:8080", "127.0.0.1:8080", false, false },
		{ "file://", "127.0.0.1:8080", "127.0.0.1:8080", false, false },
		{ "http://", "", "127.0.0.1:8080", false, false },
		{ "http://127.0.0.1:8080", "", "127.0.0.1:8080", false, false },
		{ "http://127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:8080", false, false },
		{ "http://127.0.0.1:x", "127.0.0.1:x", "127.0.0.1:8080", false, false },
		{ "http://[::1:8080", "[::1:8080", "[::1]:8080", false, false },
		{ "http://[::1]8080", "[::1]8080", "[::1]:8080", false, false },
		{ "chrome-extension://abcd", "127.0.0.1:8080", "127.0.0.1:8080", false, false },
	};
	struct td_config *c = config("domains: [{name: example.test}]\n");

	check(c, rows, TD_ARRAY_LEN(rows));
	td_config_unref(c);
}

static void t6_pages_that_are_listed(void **state)
{
	static const struct row rows[] = {
		{ "https://phone.example.org", "sip.example.org", "192.0.2.1:443", true, true },
		{ "https://PHONE.example.org", "sip.example.org", "192.0.2.1:443", true, true },
		{ "http://localhost:5173", "127.0.0.1:8080", "127.0.0.1:8080", false, true },
		{ "http://[2001:db8::1]", "127.0.0.1:8080", "127.0.0.1:8080", false, true },
		{ "http://phone.example.org", "sip.example.org", "192.0.2.1:443", true, false },
		{ "https://phone.example.org:8443", "sip.example.org", "192.0.2.1:443", true, false },
		{ "https://phone.example.org.evil.test", "sip.example.org", "192.0.2.1:443", true, false },
		{ "http://127.0.0.1:8080", "127.0.0.1:8080", "127.0.0.1:8080", false, false }, /* a list is all there is */
		{ "null", "127.0.0.1:8080", "127.0.0.1:8080", false, false },
	};
	struct td_config *c = config(
		"web:\n  origins: [\"HTTPS://Phone.Example.ORG:443\", 'http://localhost:5173', 'http://[2001:db8::1]:80']\n");

	assert_int_equal(c->web.origin_n, 3);
	assert_true(td_str_eq(c->web.origins[0], TD_STR("https://phone.example.org")));
	assert_true(td_str_eq(c->web.origins[2], TD_STR("http://[2001:db8::1]")));
	check(c, rows, TD_ARRAY_LEN(rows));
	td_config_unref(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(t6_pages_we_could_serve),
					    cmocka_unit_test(t6_pages_that_are_listed) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
