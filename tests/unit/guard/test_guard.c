#include "support.h"

#include "server/guard/guard.h"

/* The guard reads trust and limits alone; the real check of a prefix list stands in server/config. */
static struct td_config cfg(uint32_t rate, uint32_t burst)
{
	struct td_config c = { 0 };

	c.limits.rate = rate;
	c.limits.burst = burst;
	return c;
}

static struct td_flow udp_from(const char *ip, uint16_t port)
{
	struct td_flow f = { .proto = TD_UDP };

	assert_int_equal(td_ip_parse(&f.peer, td_str_of(ip)), 0);
	f.peer.port = port;
	return f;
}

static struct td_guard *open_guard(void)
{
	struct td_guard *g;
	struct td_rng rng;

	td_rng_init_seed(&rng, 7);
	assert_int_equal(td_guard_open(&g, &rng, NULL), 0);
	return g;
}

static bool admits(struct td_guard *g, const struct td_config *c, const struct td_flow *f, struct td_str bytes, uint64_t now_us)
{
	return td_guard_judge(g, c, f, bytes, now_us) == TD_GUARD_PASS;
}

static const struct {
	const char *in;
	bool ok;
} looks[] = {
	{ "INVITE sip:bob@example.test SIP/2.0\r\n", true },
	{ "SIP/2.0 200 OK\r\n", true },
	{ "!interesting-Method0123456789_*+`.%indeed'~ sip:1@2 SIP/2.0\r\n", true },
	{ "INVITE  sip:a@b  SIP/2.0\r\n", true }, /* deserves a 400 */
	{ "INVITE <sip:a@b> SIP/2.0\r\n", true },
	{ "\r\n\r\n", true },
	{ "\r\nINVITE sip:a@b SIP/2.0\r\n", true },
	{ "\r\n\r\n\r\n\r\n", false },
	{ "I", false },
	{ "INVI", false },
	{ "INVITE ", false },
	{ " INVITE sip:a@b SIP/2.0\r\n", false },
	{ "GET / HTTP/1.1\r\nHost: a\r\n\r\n", false },
	{ "OPTIONS * RTSP/1.0\r\n", false },
	{ "\x16\x03\x01\x02", false },
	{ "\xff\xff\xff\xffgetstatus", false },
};

static void p10_what_can_be_sip(void **state)
{
	static const char stun[20] = { 0, 1, 0, 0, 0x21, 0x12, (char)0xa4, 0x42 };

	for (size_t i = 0; i < TD_ARRAY_LEN(looks); i++) {
		struct td_str s = exact(looks[i].in);

		if (td_guard_plausible(s) != looks[i].ok)
			fail_msg("\"%s\": want %d", looks[i].in, looks[i].ok);
		exact_free(s);
	}
	assert_false(td_guard_plausible(td_str_n(stun, sizeof(stun))));
}

static void p10_junk_is_counted_and_dropped(void **state)
{
	struct td_config c = cfg(1, 1);
	struct td_guard *g = open_guard();
	struct td_flow f = udp_from("192.0.2.1", 5060), zero = udp_from("192.0.2.1", 0), multi = udp_from("224.0.1.75", 5060);

	for (int i = 0; i < 50; i++)
		assert_false(admits(g, &c, &f, TD_STR("\0\0\0\0"), 1000));
	assert_false(admits(g, &c, &f, TD_STR_NULL, 1000));
	assert_false(admits(g, &c, &zero, TD_STR("SIP/2.0 200 OK\r\n"), 1000)); /* T9 */
	assert_false(admits(g, &c, &multi, TD_STR("SIP/2.0 200 OK\r\n"), 1000));
	assert_int_equal(td_guard_stats(g)->junk, 53);
	/* and did not cost its source the one token it has */
	assert_true(admits(g, &c, &f, TD_STR("SIP/2.0 200 OK\r\n"), 1000));
	assert_false(admits(g, &c, &f, TD_STR("SIP/2.0 200 OK\r\n"), 1000));
	assert_int_equal(td_guard_stats(g)->limited, 1);
	td_guard_close(g);
}

static void a_bucket_empties_and_refills(void **state)
{
	struct td_config c = cfg(100, 20);
	struct td_guard *g = open_guard();
	struct td_flow a = udp_from("192.0.2.1", 5060), a2 = udp_from("192.0.2.1", 7000), b = udp_from("192.0.2.2", 5060);
	struct td_str m = TD_STR("OPTIONS sip:a@b SIP/2.0\r\n");
	uint64_t now = 5000000;
	int n = 0;

	while (admits(g, &c, &a, m, now))
		n++;
	assert_int_equal(n, 20);
	assert_false(admits(g, &c, &a2, m, now)); /* another port is the same source */
	assert_true(admits(g, &c, &b, m, now));
	now += 10000; /* 1/rate later: one more */
	assert_true(admits(g, &c, &a, m, now));
	assert_false(admits(g, &c, &a, m, now));
	now += 3600000000ULL;
	for (n = 0; admits(g, &c, &a, m, now);)
		n++;
	assert_int_equal(n, 20);
	td_guard_close(g);
}

static void a_v6_source_is_its_64(void **state)
{
	struct td_config c = cfg(1, 2);
	struct td_guard *g = open_guard();
	struct td_flow a = udp_from("2001:db8::1", 5060), b = udp_from("2001:db8::ffff:2", 5060),
		       other = udp_from("2001:db8:0:1::1", 5060);
	struct td_str m = TD_STR("OPTIONS sip:a@b SIP/2.0\r\n");

	assert_true(admits(g, &c, &a, m, 0));
	assert_true(admits(g, &c, &b, m, 0));
	assert_false(admits(g, &c, &a, m, 0));
	assert_true(admits(g, &c, &other, m, 0));
	td_guard_close(g);
}

/* A flood from many invented sources uses the same memory and does not free the one that is held back. */
static void many_sources_do_not_free_a_flooder(void **state)
{
	struct td_config c = cfg(1, 10);
	struct td_guard *g = open_guard();
	struct td_flow bad = udp_from("192.0.2.66", 5060), f = udp_from("10.0.0.0", 5060);
	struct td_str m = TD_STR("OPTIONS sip:a@b SIP/2.0\r\n");

	while (admits(g, &c, &bad, m, 0))
		;
	for (uint32_t i = 0; i < 4 * TD_GUARD_SOURCES; i++) {
		f.peer.ip[1] = (uint8_t)(i >> 16);
		f.peer.ip[2] = (uint8_t)(i >> 8);
		f.peer.ip[3] = (uint8_t)i;
		admits(g, &c, &f, m, 0);
	}
	assert_false(admits(g, &c, &bad, m, 0));
	td_guard_close(g);
}

static void t7_answers_have_a_budget_per_network(void **state)
{
	struct td_config c = cfg(10, 5);
	struct td_guard *g = open_guard();
	struct td_flow f = udp_from("198.51.100.1", 5060), tcp = f;
	int n = 0;

	for (int i = 0; i < 200; i++) {
		f.peer.ip[3] = (uint8_t)i; /* the victim's whole network */
		n += td_guard_may_answer(g, &c, &f, 1000);
	}
	assert_int_equal(n, 5);
	tcp.proto = TD_TCP; /* whoever shook hands is there */
	assert_true(td_guard_may_answer(g, &c, &tcp, 1000));
	assert_int_equal(td_guard_stats(g)->replies_limited, 195);
	td_guard_close(g);
}

static void t7_n3_keep_alives_have_a_budget(void **state)
{
	struct td_prefix trusted = { .bits = 32 };
	struct td_config c = cfg(10, 5);
	struct td_guard *g = open_guard();
	struct td_flow f = udp_from("198.51.100.1", 5060);
	int n = 0;

	for (int i = 0; i < 200; i++) {
		f.peer.ip[3] = (uint8_t)i;
		n += td_guard_may_keep_alive(g, &c, &f, 1000);
	}
	assert_int_equal(n, 5);
	assert_true(td_guard_may_answer(g, &c, &f, 1000)); /* it is a budget of its own */
	trusted.net = f.peer;
	c.trust = &trusted;
	c.trust_n = 1;
	assert_true(td_guard_may_keep_alive(g, &c, &f, 1000));
	td_guard_close(g);
}

/* Trust excuses from the one budget, not from the other; what one of them is used up by, the other has left. */
static void t7_broken_requests_have_a_budget_of_their_own(void **state)
{
	struct td_prefix trusted = { .bits = 32 };
	struct td_config c = cfg(10, 5);
	struct td_guard *g = open_guard();
	struct td_flow f = udp_from("198.51.100.1", 5060), stranger = udp_from("203.0.113.1", 5060), tcp = f;
	int n = 0;

	trusted.net = f.peer;
	c.trust = &trusted;
	c.trust_n = 1;
	for (int i = 0; i < 200; i++)
		n += td_guard_may_correct(g, &c, &f, 1000);
	assert_int_equal(n, 5);
	assert_int_equal(td_guard_stats(g)->replies_limited, 195);
	assert_true(td_guard_may_answer(g, &c, &f, 1000));
	assert_true(td_guard_may_correct(g, &c, &f, 1000 + 100000)); /* 1/rate later */
	for (n = 0; td_guard_may_correct(g, &c, &stranger, 1000); n++)
		;
	assert_int_equal(n, 5);
	assert_true(td_guard_may_answer(g, &c, &stranger, 1000));
	tcp.proto = TD_TCP;
	for (int i = 0; i < 200; i++)
		assert_true(td_guard_may_correct(g, &c, &tcp, 1000));
	td_guard_close(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(p10_what_can_be_sip),
		cmocka_unit_test(p10_junk_is_counted_and_dropped),
		cmocka_unit_test(a_bucket_empties_and_refills),
		cmocka_unit_test(a_v6_source_is_its_64),
		cmocka_unit_test(many_sources_do_not_free_a_flooder),
		cmocka_unit_test(t7_answers_have_a_budget_per_network),
		cmocka_unit_test(t7_broken_requests_have_a_budget_of_their_own),
		cmocka_unit_test(t7_n3_keep_alives_have_a_budget),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
