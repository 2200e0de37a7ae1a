#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "support.h"

#include "server/config/config.h"

/* Parses a text in an exact-size block; the errors stay in *errors. */
static int parse(struct td_config **out, struct td_out *errors, const char *yaml)
{
	size_t n = strlen(yaml);
	char *copy = malloc(n ? n : 1);
	int err;

	memcpy(copy, yaml, n);
	td_out_init(errors);
	err = td_config_parse(out, errors, TD_STR("t.yaml"), td_str_n(copy, n));
	free(copy);
	return err;
}

static struct td_config *good(const char *yaml)
{
	struct td_config *c = NULL;
	struct td_out e;

	if (parse(&c, &e, yaml))
		fail_msg("refused: %.*s", TD_FMT(td_out_view(&e)));
	td_out_free(&e);
	return c;
}

static void full_file(void **state)
{
	struct td_config *c =
		good("domains:\n  - name: Example.TEST\n  - name: bench.test\n    users: any\n"
		     "listen:\n  - udp:127.0.0.1:5070\n  - tcp:[::1]\n"
		     "state: ./here\nuser: voice-1\nsandbox: no\nworkers: 3\nregistrations: memory\ntrust: [127.0.0.1/32, "
		     "2001:db8::/32, "
		     "192.0.2.7]\n"
		     "digest: [MD5]\nregistrar: {min_expires: 2m, max_expires: 1d, default_expires: 90, max_contacts: 3}\n"
		     "proxy: {timer_c: 200s, max_branches: 5, failover: 2}\nrelay: users\ncalls: {track: Yes, records: no, "
		     "per_user: 7, longest: "
		     "1d}\ndns: {servers: [192.0.2.53, \"[2001:db8::53]:5353\", \"127.0.0.1:5300\"], timeout: 2s}\nlimits: "
		     "{rate: 10, max_message: 4000}\nlog: debug\n");
	char text[TD_ADDR_TEXT];
	struct td_addr a;

	assert_int_equal(c->domain_n, 2);
	assert_true(td_str_eq(c->domains[0].name, TD_STR("example.test")));
	assert_int_equal(c->domains[0].users, TD_USERS_LOCAL);
	assert_int_equal(c->domains[1].users, TD_USERS_ANY);
	assert_ptr_equal(td_config_domain(c, TD_STR("EXAMPLE.test")), &c->domains[0]);
	assert_null(td_config_domain(c, TD_STR("other.test")));
	assert_int_equal(c->listen_n, 2);
	assert_int_equal(c->listen[0].proto, TD_UDP);
	assert_string_equal(td_addr_text(text, &c->listen[0].addr), "127.0.0.1:5070");
	assert_int_equal(c->listen[1].proto, TD_TCP);
	assert_string_equal(td_addr_text(text, &c->listen[1].addr), "[::1]:5060");
	assert_true(td_str_eq(c->state, TD_STR("./here")));
	assert_true(td_str_eq(c->user, TD_STR("voice-1")));
	assert_false(c->sandbox);
	assert_int_equal(c->workers, 3);
	assert_int_equal(c->registrations, TD_REG_MEMORY);
	assert_int_equal(c->digest_algs, 1u << TD_DIGEST_MD5);
	assert_int_equal(c->registrar.min_expires_s, 120);
	assert_int_equal(c->registrar.max_expires_s, 86400);
	assert_int_equal(c->registrar.default_expires_s, 120); /* raised to the minimum */
	assert_int_equal(c->registrar.max_contacts, 3);
	assert_int_equal(c->proxy.timer_c_s, 200);
	assert_int_equal(c->proxy.failover_s, 2);
	assert_int_equal(c->relay, TD_RELAY_USERS);
	assert_int_equal(c->dns.server_n, 3);
	assert_int_equal(c->dns.timeout_s, 2);
	assert_string_equal(td_addr_text(text, &c->dns.servers[0]), "192.0.2.53:53");
	assert_string_equal(td_addr_text(text, &c->dns.servers[1]), "[2001:db8::53]:5353");
	assert_string_equal(td_addr_text(text, &c->dns.servers[2]), "127.0.0.1:5300");
	assert_true(c->calls.track);
	assert_false(c->calls.records);
	assert_int_equal(c->calls.per_user, 7);
	assert_int_equal(c->calls.longest_s, 86400);
	assert_int_equal(c->limits.rate, 10);
	assert_int_equal(c->limits.burst, 20);
	assert_int_equal(c->log_level, TD_LOG_DEBUG);
	assert_int_equal(td_addr_parse(&a, TD_STR("127.0.0.1:9")), 0);
	assert_true(td_config_trusts(c, &a));
	assert_int_equal(td_addr_parse(&a, TD_STR("[2001:db8:5::9]:9")), 0);
	assert_true(td_config_trusts(c, &a));
	assert_int_equal(td_addr_parse(&a, TD_STR("192.0.2.8:9")), 0);
	assert_false(td_config_trusts(c, &a));
	td_config_unref(c);
}

static void default_is_safe(void **state)
{
	struct td_config *c = NULL;
	struct td_out e;
	unsigned i;

	td_out_init(&e);
	assert_int_equal(td_config_default(&c, &e), 0);
	assert_int_equal(e.n, 0);
	assert_int_equal(c->domain_n, 1);
	assert_int_equal(c->domains[0].users, TD_USERS_LOCAL);
	assert_int_equal(c->trust_n, 0);
	assert_int_equal(c->registrations, TD_REG_DURABLE);
	assert_true(c->listen_n >= 2);
	for (i = 0; i < c->listen_n; i++)
		assert_true(td_ip_is_loopback(&c->listen[i].addr));
	assert_true(c->state.n > 0 && c->state.p[0] == '/');
	assert_int_equal(c->user.n, 0);
	assert_true(c->sandbox);
	assert_true(c->workers >= 1);
	assert_true(c->calls.track && c->calls.records);
	assert_int_equal(c->calls.per_user, 0);
	assert_int_equal(c->calls.longest_s, 43200);
	assert_int_equal(c->calls.keep_s, 90 * 86400);
	td_config_unref(c);
	td_out_free(&e);
}

static void printed_reads_back(void **state)
{
	struct td_config *
		c = good("domains: [{name: a.test, users: any}, {name: b.test, mode: stateless}, {name: c.test, mode: redirect}, "
			 "{name: d.test, fork: serial, ring_time: 7s, recurse: no, service_route: '<sip:x;lr>, \"a\" "
			 "<sip:y;lr>'}]\n"
			 "ring: [{number: '+49 30-1', to: [al, bo@b.test], timeout: 5s, then: ['4711']}, {number: 'a;b', to: "
			 "[c]}]\npush: {url: 'https://[::1]:8/p?q', "
			 "providers: [apns, fcm], wait: 9s}\nlisten: "
			 "['udp:[::1]:5071']\ntrust: "
			 "[10.0.0.0/8]\nuser: tandem\nstate: '/a \"b\\c'\n"),
	       *d;
	struct td_out one, two;

	td_out_init(&one);
	td_out_init(&two);
	td_config_print(&one, c);
	td_out_char(&one, '\0');
	d = good(one.p);
	td_config_print(&two, d);
	td_out_char(&two, '\0');
	assert_string_equal(one.p, two.p);
	assert_int_equal(d->domains[0].mode, TD_MODE_PROXY);
	assert_int_equal(d->domains[0].users, TD_USERS_ANY);
	assert_int_equal(d->domains[1].mode, TD_MODE_STATELESS);
	assert_int_equal(d->domains[1].users, TD_USERS_LOCAL);
	assert_int_equal(d->domains[0].fork, TD_FORK_PARALLEL);
	assert_int_equal(d->domains[0].ring_time_s, 15);
	assert_true(d->domains[0].recurse);
	assert_int_equal(d->domains[2].mode, TD_MODE_REDIRECT);
	assert_int_equal(d->domains[3].fork, TD_FORK_SERIAL);
	assert_int_equal(d->domains[3].ring_time_s, 7);
	assert_false(d->domains[3].recurse);
	assert_str(d->domains[0].service_route, "");
	assert_str(d->domains[3].service_route, "<sip:x;lr>, \"a\" <sip:y;lr>");
	assert_int_equal(d->service_routes, 1);
	assert_str(d->push.host, "::1");
	assert_str(d->push.path, "/p?q");
	assert_int_equal(d->push.port, 8);
	assert_true(d->push.secure);
	assert_int_equal(d->push.wait_s, 9);
	assert_int_equal(d->push.provider_n, 2);
	assert_str(d->push.providers[1], "fcm");
	assert_int_equal(d->ring_n, 2);
	assert_str(d->ring[0].name, "+49301");
	assert_null(d->ring[0].domain.p);
	assert_int_equal(d->ring[0].to_n, 2);
	assert_str(d->ring[0].to[0], "al@a.test");
	assert_str(d->ring[0].to[1], "bo@b.test");
	assert_int_equal(d->ring[0].timeout_s, 5);
	assert_str(d->ring[0].then[0], "4711@a.test");
	assert_str(d->ring[1].name, "a;b");
	assert_str(d->ring[1].domain, "a.test");
	assert_ptr_equal(td_config_ring(d, TD_STR("+49301"), TD_STR("b.test")), &d->ring[0]);
	assert_null(td_config_ring(d, TD_STR("a;b"), TD_STR("b.test")));
	assert_null(td_config_ring(d, TD_STR("zzz"), TD_STR("a.test")));
	td_out_free(&one);
	td_out_free(&two);
	td_config_unref(c);
	td_config_unref(d);
}

static void any_address_is_expanded(void **state)
{
	struct td_config *c = good("listen: ['udp:0.0.0.0:5072']\n");
	unsigned i;

	assert_true(c->listen_n >= 1);
	for (i = 0; i < c->listen_n; i++) {
		assert_false(td_ip_is_any(&c->listen[i].addr));
		assert_int_equal(c->listen[i].addr.port, 5072);
	}
	td_config_unref(c);
}

static const struct {
	const char *yaml, *error;
} bad[] = {
	{ "listen:\n  - udp:127.0.0.1\n  - udp:10.0.0.300\n",
	  "t.yaml:3:5: listen: \"udp:10.0.0.300\" is no address (want udp:HOST[:PORT], or tcp, tls, ws or wss" },
	{ "listen: [sctp:10.0.0.1]\n", "t.yaml:1:10: listen: \"sctp:10.0.0.1\" is no address" },
	{ "listen: [udp:10.0.0.1:99999]\n", "is no address" },
	{ "web: {origins: [phone.example.org]}\n",
	  "t.yaml:1:17: web.origins: \"phone.example.org\" is no origin (want https://HOST" },
	{ "web: {origins: ['https://a.test/page']}\n", "is no origin" },
	{ "web: {origins: ['https://a.test:0']}\n", "is no origin" },
	{ "web: {origins: ['https://']}\n", "is no origin" },
	{ "web: {origins: ['https://[::1']}\n", "is no origin" },
	{ "web: {origins: ['null']}\n", "is no origin" },
	{ "web: {origin: x}\n", "there is no key \"origin\" here (want one of origins)" },
	{ "listen: ['udp:[::1']\n", "is no address" },
	{ "listen: ['udp:']\n", "is no address" },
	{ "listen: 5\n", "t.yaml:1:9: want a list here" },
	{ "listen:\n  - a\n  - {x: 1}\n", "t.yaml:3:5: want one plain value here" },
	{ "workers: 0\n", "t.yaml:1:10: workers: 0 is out of range (1 to 128)" },
	{ "workers: many\n", "t.yaml:1:10: this is no whole number: 'many'" },
	{ "workers: -1\n", "t.yaml:1:10: this is no whole number: '-1'" },
	{ "workers: 1\nworkers: 2\n", "given twice: workers" },
	{ "worker: 1\n", "t.yaml:1:1: there is no key \"worker\" here (want one of domains, listen," },
	{ "log: info\nregistrar:\n  max_contact: 3\n",
	  "t.yaml:3:3: there is no key \"max_contact\" here (want one of min_expires" },
	{ "domains:\n  - name: a\n    foo: b\n",
	  "t.yaml:3:5: there is no key \"foo\" here (want one of name, users, mode, fork, ring_time, recurse, service_route)" },
	{ "domains: [{users: any}]\n", "\"\" is no domain" },
	{ "domains: [{name: 'a b'}]\n", "\"a b\" is no domain" },
	{ "domains: [{name: a}, {name: A}]\n", "\"A\" is listed twice" },
	{ "domains: [{name: a, users: all}]\n", "\"all\" is not known (want local or any)" },
	{ "domains: [{name: a, mode: relay}]\n", "\"relay\" is not known (want proxy, stateless or redirect)" },
	{ "domains: [{name: a, mode: redirect, fork: serial}]\n", "only a domain of mode: proxy forks" },
	{ "ring: [{number: \"+49 30\", to: []}]\n", "empty (want a list of users)" },
	{ "ring: [{to: [bob]}]\n", "\"\" is no number or name (want" },
	{ "ring: [{number: \"a b@c.test\", to: [bob]}]\n", "is no number or name (want" },
	{ "domains: [{name: a.test}]\nring: [{number: x, to: [bob@b.test]}]\n", "\"bob@b.test\" is nobody here" },
	{ "ring: [{number: 4711, to: [bob], timeout: 5s}]\n", "nothing comes after it" },
	{ "ring: [{number: 4711, to: [bob]}, {number: \"47-11\", to: [al]}]\n", "\"4711\" is listed twice" },
	{ "domains: [{name: a, mode: stateless}]\nring: [{number: x, to: [bob]}]\n", "only a domain of mode: proxy rings" },
	{ "ring: [{number: x, to: [a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q,r,s,t,u]}]\n",
	  "21 are too many to ring at once (at most 20)" },
	{ "domains: [{name: a, fork: random}]\n", "\"random\" is not known (want parallel or serial)" },
	{ "domains: [{name: a, service_route: 'sip:x;lr'}]\n", "is no route (want \"<sip:HOST;lr>\"" },
	{ "domains: [{name: a, service_route: '<sip:x;lr>, <sip:y>'}]\n", "is no route" },
	{ "domains: [{name: a, ring_time: 0s}]\n", "0s is too short (at least 1s)" },
	{ "domains: [{name: a, recurse: maybe}]\n", "\"maybe\" is not known (want no or yes)" },
	{ "registrations: disk\n", "t.yaml:1:16: registrations: \"disk\" is not known (want durable or memory)" },
	{ "trust: [0.0.0.0/0]\n", "would let everybody in" },
	{ "trust: [10.0.0.0/33]\n", "is no network" },
	{ "digest: [sha1]\n", "\"sha1\" is not known (want sha-256 or md5)" },
	{ "registrar: {min_expires: 1x}\n", "t.yaml:1:26: registrar.min_expires: \"1x\" is no time" },
	{ "registrar: {min_expires: 3h}\n", "is above max_expires" },
	{ "proxy: {timer_c: 60}\n", "60 is too short (at least 180s)" },
	{ "proxy: {failover: 0}\n", "0 is too short (at least 1s)" },
	{ "relay: all\n", "t.yaml:1:8: relay: \"all\" is not known (want none or users)" },
	{ "dns: {servers: [ns.example]}\n", "t.yaml:1:17: dns.servers: \"ns.example\" is no address of a name server" },
	{ "dns: {servers: [\"192.0.2.1:0\"]}\n", "is no address of a name server" },
	{ "dns: {servers: [1.1.1.1, 1.1.1.1, 1.1.1.1, 1.1.1.1, 1.1.1.1, 1.1.1.1, 1.1.1.1, 1.1.1.1, 1.1.1.1]}\n",
	  "9 are too many (at most 8)" },
	{ "dns: {timeout: 61s}\n", "61s is too long" },
	{ "push: {wait: 5s}\n", "t.yaml:1:7: push: it has no url" },
	{ "push: {url: 'ftp://h/x'}\n", "t.yaml:1:13: push.url: \"ftp://h/x\" is no address" },
	{ "push: {url: 'http://h:0/x'}\n", "is no address (want http://HOST[:PORT]/PATH" },
	{ "push: {url: 'http:///x'}\n", "is no address" },
	{ "push: {url: 'http://a b/x'}\n", "is no address" },
	{ "push: {url: 'http://me@h/x'}\n", "is no address" },
	{ "push: {url: 'http://[1.2.3.4]/x'}\n", "is no address" },
	{ "push: {url: 'http://h/', wait: 31s}\n", "31s is too long" },
	{ "push: {url: 'http://h/', providers: ['a\"b']}\n", "is no kind of push service" },
	{ "calls: {track: maybe}\n", "t.yaml:1:16: calls.track: \"maybe\" is not known (want no or yes)" },
	{ "calls: {records: 1}\n", "\"1\" is not known (want no or yes)" },
	{ "calls: {per_user: 2000000}\n", "out of range (0 to 1000000)" },
	{ "calls: {per_user: 1, track: no}\n", "t.yaml:1:19: calls.per_user: calls that are not tracked cannot be counted" },
	{ "calls: {longest: 59s}\n", "59s is too short (at least 60s)" },
	{ "calls: {longest: 31d}\n", "31d is too long (at most 30d)" },
	{ "calls: {keep: 59m}\n", "59m is too short (at least 3600s)" },
	{ "calls: {tracks: no}\n", "(want one of track, records, per_user, longest, keep)" },
	{ "a: [\n", "t.yaml:2:1: this is no YAML" },
	{ "\tlog: x\n", "t.yaml:1:1: this is no YAML" },
	{ "- 1\n", "t.yaml:1:1" },
	{ "state: ''\n", "state: empty" },
	{ "user: ''\n", "user: empty" },
	{ "user: \"a b\"\n", "user: \"a b\" is no user's name" },
	{ "user: ../root\n", "is no user's name" },
	{ "state: a\n\n  b\n", "state: has a line break" },
	{ "state: \"a\\tb\"\n", "control character" },
	{ "state: \"a\\Lb\"\n", "control character" },
	{ "state: \"a\\Nb\"\n", "control character" },
	{ "state: \"a\\uFEFFb\"\n", "control character" },
};

/* Proves RFC 3608 §5-1. */
static void errors_have_a_place_and_a_hint(void **state)
{
	struct td_config *c = NULL;
	struct td_out e;
	size_t i;

	for (i = 0; i < TD_ARRAY_LEN(bad); i++) {
		int err = parse(&c, &e, bad[i].yaml);

		td_out_char(&e, '\0');
		if (!err || !strstr(e.p, bad[i].error))
			fail_msg("row %zu: err %d, got \"%s\", want \"%s\"", i, err, e.p, bad[i].error);
		td_out_free(&e);
	}
}

static void all_errors_at_once(void **state)
{
	struct td_config *c = NULL;
	struct td_out e;

	assert_int_equal(parse(&c, &e, "workers: 0\nlog: loud\ntrust: [x]\n"), TD_ESYNTAX);
	td_out_char(&e, '\0');
	assert_non_null(strstr(e.p, "workers"));
	assert_non_null(strstr(e.p, "log"));
	assert_non_null(strstr(e.p, "trust"));
	td_out_free(&e);
}

static void missing_file(void **state)
{
	struct td_config *c = NULL;
	struct td_out e;

	td_out_init(&e);
	assert_int_not_equal(td_config_load(&c, &e, TD_STR("/nonexistent/t.yaml")), 0);
	td_out_char(&e, '\0');
	assert_non_null(strstr(e.p, "tandem init"));
	td_out_free(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(full_file),
		cmocka_unit_test(default_is_safe),
		cmocka_unit_test(printed_reads_back),
		cmocka_unit_test(any_address_is_expanded),
		cmocka_unit_test(errors_have_a_place_and_a_hint),
		cmocka_unit_test(all_errors_at_once),
		cmocka_unit_test(missing_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
