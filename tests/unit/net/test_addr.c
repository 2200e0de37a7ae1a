/* Address texts: what parses, what must not, and that printing is RFC 5952 and a fixpoint of parsing. */
#include <tandem/net.h>

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* The views handed to the parser end where the heap block ends, so that one byte too far is seen. */
static int parse_exact(int (*fn)(struct td_addr *, struct td_str), struct td_addr *out, const char *text)
{
	size_t n = strlen(text);
	char *p = malloc(n ? n : 1);
	int err;

	assert_non_null(p);
	memcpy(p, text, n);
	err = fn(out, td_str_n(p, n));
	free(p);
	return err;
}

static struct td_addr ip(const char *text)
{
	struct td_addr a;

	assert_int_equal(parse_exact(td_ip_parse, &a, text), 0);
	return a;
}

static void ip_parses(void **state)
{
	static const struct {
		const char *in, *canon;
		int family;
	} rows[] = {
		{ "192.0.2.1", "192.0.2.1", TD_AF_V4 },
		{ "0.0.0.0", "0.0.0.0", TD_AF_V4 },
		{ "255.255.255.255", "255.255.255.255", TD_AF_V4 },
		{ "::", "::", TD_AF_V6 },
		{ "[::]", "::", TD_AF_V6 },
		{ "::1", "::1", TD_AF_V6 },
		{ "1::", "1::", TD_AF_V6 },
		{ "2001:DB8::1", "2001:db8::1", TD_AF_V6 },
		{ "[2001:db8::1]", "2001:db8::1", TD_AF_V6 },
		{ "2001:0db8:0000:0000:0000:0000:0002:0001", "2001:db8::2:1", TD_AF_V6 },
		{ "2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1", TD_AF_V6 }, /* RFC 5952 §4.2.2: not for one group */
		{ "2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1", TD_AF_V6 },
		{ "2001:0:0:1:0:0:0:1", "2001:0:0:1::1", TD_AF_V6 },       /* §4.2.3: the longest run */
		{ "2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1", TD_AF_V6 }, /* §4.2.3: the first of equals */
		{ "1:2:3:4:5:6:0:0", "1:2:3:4:5:6::", TD_AF_V6 },
		{ "0:0:3:4:5:6:7:8", "::3:4:5:6:7:8", TD_AF_V6 },
		{ "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8", TD_AF_V6 },
		{ "64:ff9b::192.0.2.33", "64:ff9b::c000:221", TD_AF_V6 },
		{ "1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304", TD_AF_V6 },
		{ "::ffff:192.0.2.1", "192.0.2.1", TD_AF_V4 },
		{ "[::ffff:c000:201]", "192.0.2.1", TD_AF_V4 },
		{ "::192.0.2.1", "::c000:201", TD_AF_V6 }, /* v4-compatible is not v4-mapped */
	};

	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct td_addr a, again;
		struct td_out o;

		if (parse_exact(td_ip_parse, &a, rows[i].in))
			fail_msg("refused: %s", rows[i].in);
		assert_int_equal(a.family, rows[i].family);
		assert_int_equal(a.port, 0);
		td_out_init(&o);
		td_ip_print(&o, &a);
		assert_int_equal(o.n, strlen(rows[i].canon));
		assert_memory_equal(o.p, rows[i].canon, o.n);
		assert_int_equal(td_ip_parse(&again, td_out_view(&o)), 0);
		assert_true(td_addr_eq(&a, &again));
		td_out_free(&o);
	}
}

static void ip_refused(void **state)
{
	static const char *const rows[] = {
		"",
		"1",
		"1.2.3",
		"1.2.3.4.5",
		"127.1",
		"0x7f.0.0.1",
		"01.2.3.4",
		"1.2.3.04",
		"256.1.1.1",
		"1.2.3.999",
		"1.2.3.",
		".1.2.3",
		"1..2.3",
		"1.2.3.4 ",
		" 1.2.3.4",
		"+1.2.3.4",
		"1.2.3.-4",
		"2130706433",
		"1.2.3.1000",
		"[1.2.3.4]",
		":",
		":::",
		"1:::2",
		"::1::",
		"1::2::3",
		"1:2:3:4:5:6:7",
		"1:2:3:4:5:6:7:8:9",
		"1:2:3:4:5:6:7:8::",
		"::1:2:3:4:5:6:7:8",
		"1:2:3:4::5:6:7:8",
		":1:2:3:4:5:6:7:8",
		"1:2:3:4:5:6:7:8:",
		"1:",
		":1",
		"12345::",
		"g::",
		"1:2:3:4:5:6:7:1.2.3.4",
		"::1.2.3",
		"::1.2.3.4:5",
		"::01.2.3.4",
		"1.2.3.4::",
		"fe80::1%eth0",
		"fe80::1%25eth0",
		"[::1",
		"::1]",
		"[]",
		"[",
		"]",
		"[[::1]]",
		"[::1]x",
		"localhost",
		"example.test",
		"::ffff:256.0.0.1",
	};
	struct td_addr a, before;

	memset(&a, 0xa5, sizeof(a));
	before = a;
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++)
		if (parse_exact(td_ip_parse, &a, rows[i]) != TD_ESYNTAX)
			fail_msg("accepted: \"%s\"", rows[i]);
	assert_int_equal(td_ip_parse(&a, TD_STR_NULL), TD_ESYNTAX);
	assert_int_equal(td_ip_parse(&a, td_str_n("1.2.3.4\0", 8)), TD_ESYNTAX);
	assert_memory_equal(&a, &before, sizeof(a));
}

static void addr_texts(void **state)
{
	static const struct {
		const char *in, *canon;
	} rows[] = {
		{ "192.0.2.1:5060", "192.0.2.1:5060" },
		{ "192.0.2.1:0", "192.0.2.1:0" },
		{ "[2001:DB8::1]:65535", "[2001:db8::1]:65535" },
		{ "[::ffff:192.0.2.1]:5060", "192.0.2.1:5060" },
		{ "[1111:2222:3333:4444:5555:6666:7777:8888]:65535", "[1111:2222:3333:4444:5555:6666:7777:8888]:65535" },
		{ "192.0.2.1", NULL },
		{ "192.0.2.1:", NULL },
		{ ":5060", NULL },
		{ ":", NULL },
		{ "", NULL },
		{ "192.0.2.1:65536", NULL },
		{ "192.0.2.1:05060", NULL },
		{ "192.0.2.1:+5060", NULL },
		{ "192.0.2.1:5060 ", NULL },
		{ "192.0.2.1:99999999999999999999", NULL },
		{ "192.0.2.1:5060:5061", NULL },
		{ "2001:db8::1:5060", NULL },
		{ "[2001:db8::1]", NULL },
		{ "[2001:db8::1]5060", NULL },
		{ "[2001:db8::1]]:5060", NULL },
		{ "[192.0.2.1]:5060", NULL },
		{ "::1:5060", NULL },
	};

	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		char text[TD_ADDR_TEXT];
		struct td_addr a;
		int err = parse_exact(td_addr_parse, &a, rows[i].in);

		if (err != (rows[i].canon ? 0 : TD_ESYNTAX))
			fail_msg("\"%s\" gives %d", rows[i].in, err);
		if (!err)
			assert_string_equal(td_addr_text(text, &a), rows[i].canon);
	}
}

static void kinds(void **state)
{
	enum { LO = 1, ANY = 2, MC = 4, LL = 8 };
	static const struct {
		const char *ip;
		unsigned is;
	} rows[] = {
		{ "127.0.0.1", LO },
		{ "127.255.255.254", LO },
		{ "128.0.0.1", 0 },
		{ "::1", LO },
		{ "::2", 0 },
		{ "::ffff:127.0.0.1", LO },
		{ "0.0.0.0", ANY },
		{ "::", ANY },
		{ "0.0.0.1", 0 },
		{ "224.0.1.75", MC },
		{ "239.255.255.255", MC },
		{ "240.0.0.1", 0 },
		{ "255.255.255.255", MC },
		{ "ff02::1", MC },
		{ "169.254.1.1", LL },
		{ "169.253.1.1", 0 },
		{ "fe80::1", LL },
		{ "febf::1", LL },
		{ "fec0::1", 0 },
	};

	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct td_addr a = ip(rows[i].ip);
		unsigned is = (td_ip_is_loopback(&a) ? LO : 0) | (td_ip_is_any(&a) ? ANY : 0) |
			      (td_ip_is_multicast(&a) ? MC : 0) | (td_ip_is_link_local(&a) ? LL : 0);

		if (is != rows[i].is)
			fail_msg("%s is %u, not %u", rows[i].ip, is, rows[i].is);
	}
}

static void networks(void **state)
{
	static const struct {
		const char *ip, *net;
		unsigned bits;
		bool in;
	} rows[] = {
		{ "192.0.2.77", "192.0.2.0", 24, true },
		{ "192.0.3.1", "192.0.2.0", 24, false },
		{ "192.0.3.1", "192.0.2.0", 23, true },
		{ "192.0.2.1", "192.0.2.1", 32, true },
		{ "192.0.2.0", "192.0.2.1", 32, false },
		{ "192.0.2.1", "192.0.2.1", 33, false },
		{ "8.8.8.8", "0.0.0.0", 0, true },
		{ "::1", "0.0.0.0", 0, false },
		{ "8.8.8.8", "::", 0, false },
		{ "2001:db8:1::1", "2001:db8::", 32, true },
		{ "2001:db9::1", "2001:db8::", 32, false },
		{ "2001:db9::1", "2001:db8::", 31, true },
		{ "fe80::1", "fe80::", 10, true },
		{ "::1", "::1", 128, true },
		{ "::1", "::1", 129, false },
		{ "::ffff:10.1.2.3", "10.0.0.0", 8, true },
	};

	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct td_addr a = ip(rows[i].ip), net = ip(rows[i].net);

		if (td_ip_in(&a, &net, rows[i].bits) != rows[i].in)
			fail_msg("%s in %s/%u", rows[i].ip, rows[i].net, rows[i].bits);
	}
}

static void equality_and_hash(void **state)
{
	struct td_hash_key key = { 1, 2 };
	struct td_addr a, b, c;

	assert_int_equal(td_addr_parse(&a, TD_STR("192.0.2.1:5060")), 0);
	assert_int_equal(td_addr_parse(&b, TD_STR("[::ffff:192.0.2.1]:5060")), 0);
	assert_int_equal(td_addr_parse(&c, TD_STR("192.0.2.1:5061")), 0);
	memset(b.ip + 4, 0xee, 12); /* bytes behind a v4 address mean nothing */
	assert_true(td_addr_eq(&a, &b));
	assert_true(td_addr_hash(&key, &a) == td_addr_hash(&key, &b));
	assert_true(td_ip_eq(&a, &c));
	assert_false(td_addr_eq(&a, &c));
	assert_true(td_addr_hash(&key, &a) != td_addr_hash(&key, &c));
}

static void sockaddr_round_trip(void **state)
{
	static const char *const rows[] = { "192.0.2.1:5060", "[2001:db8::1]:5061", "[fe80::1]:1" };
	struct sockaddr_storage ss;
	struct td_addr a, b;

	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		assert_int_equal(td_addr_parse(&a, td_str_of(rows[i])), 0);
		if (td_ip_is_link_local(&a))
			a.scope = 7;
		memset(&ss, 0xa5, sizeof(ss));
		assert_int_equal(td_addr_to_sockaddr(&ss, &a),
				 a.family == TD_AF_V4 ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
		assert_int_equal(td_addr_from_sockaddr(&b, &ss), 0);
		assert_true(td_addr_eq(&a, &b));
	}
	ss.ss_family = AF_UNIX;
	assert_int_equal(td_addr_from_sockaddr(&b, &ss), -EAFNOSUPPORT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ip_parses),
		cmocka_unit_test(ip_refused),
		cmocka_unit_test(addr_texts),
		cmocka_unit_test(kinds),
		cmocka_unit_test(networks),
		cmocka_unit_test(equality_and_hash),
		cmocka_unit_test(sockaddr_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
