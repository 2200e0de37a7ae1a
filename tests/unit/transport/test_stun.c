/* Keep-alives by STUN on the port of SIP (RFC 5626 §8, RFC 5389). */
#include "../../node.h"

#include "transport/internal.h"

static struct td_str request(char text[256], unsigned type, const char *attributes, size_t n)
{
	memcpy(text,
	       "\0\0\0\0\x21\x12\xa4\x42"
	       "0123456789ab",
	       20);
	text[0] = (char)(type >> 8);
	text[1] = (char)type;
	text[2] = (char)(n >> 8);
	text[3] = (char)n;
	if (n)
		memcpy(text + 20, attributes, n);
	return td_str_n(text, 20 + n);
}

static size_t ask(uint8_t out[TP_STUN_MAX], struct td_str in, const char *from)
{
	struct td_str own = exact_copy(in);
	struct td_addr a;
	size_t n;

	assert_int_equal(td_addr_parse(&a, td_str_of(from)), 0);
	n = tp_stun_answer(out, own, &a);
	exact_free(own);
	return n;
}

/* The address is under the cookie, as in RFC 5769 §2.2 and §2.3: 192.0.2.1:32853, and an IPv6 one. */
/* Proves RFC 5626 §8-1. */
static void answers(void **state)
{
	static const uint8_t v4[] = { 0x00, 0x20, 0x00, 0x08, 0x00, 0x01, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43 };
	static const uint8_t v6[] = { 0x00, 0x20, 0x00, 0x14, 0x00, 0x02, 0xa1, 0x47, 0x01, 0x13, 0xa9, 0xfa,
				      0xa5, 0xd3, 0xf1, 0x79, 0xbc, 0x25, 0xf4, 0xb5, 0xbe, 0xd2, 0xb9, 0xd9 };
	static const uint8_t id[] = { 0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae };
	uint8_t out[TP_STUN_MAX];
	char text[256];
	struct td_str in = request(text, 1, NULL, 0);

	memcpy(text + 8, id, sizeof(id));
	assert_int_equal(ask(out, in, "192.0.2.1:32853"), 32);
	assert_memory_equal(out, "\x01\x01\x00\x0c", 4);
	assert_memory_equal(out + 4, text + 4, 16);
	assert_memory_equal(out + 20, v4, sizeof(v4));
	assert_int_equal(ask(out, in, "[2001:db8:1234:5678:11:2233:4455:6677]:32853"), 44);
	assert_memory_equal(out + 20, v6, sizeof(v6));
}

/* What must be understood and is not is named: 420. What may be passed over is, and so are credentials. */
static void attributes(void **state)
{
	static const struct {
		struct td_str in;
		size_t n;
		struct td_str out; /* of an error: what follows the header */
	} rows[] = {
		{ TD_STR_INIT("\x80\x22\0\x03phn\0"), 32, TD_STR_INIT("") },
		{ TD_STR_INIT("\0\x06\0\x04user\x80\x28\0\x04xxxx"), 32, TD_STR_INIT("") },
		{ TD_STR_INIT("\0\x08\0\x14"
			      "01234567890123456789"),
		  32, TD_STR_INIT("") },
		{ TD_STR_INIT("\0\x03\0\x04\0\0\0\x06"), 36, TD_STR_INIT("\0\x09\0\x04\0\0\x04\x14\0\x0a\0\x02\0\x03\0\x03") },
		{ TD_STR_INIT("\0\x03\0\0\x7f\xff\0\0"), 36, TD_STR_INIT("\0\x09\0\x04\0\0\x04\x14\0\x0a\0\x04\0\x03\x7f\xff") },
		{ TD_STR_INIT("\0\x03\0\0\0\x03\0\0\0\x03\0\0\0\x03\0\0\0\x03\0\0\0\x03\0\0"), 40,
		  TD_STR_INIT("\0\x09\0\x04\0\0\x04\x14\0\x0a\0\x08\0\x03\0\x03\0\x03\0\x03") },
	};
	uint8_t out[TP_STUN_MAX];
	char text[256];

	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		assert_int_equal(ask(out, request(text, 1, rows[i].in.p, rows[i].in.n), "192.0.2.1:5060"), rows[i].n);
		assert_int_equal(out[1], rows[i].out.n ? 0x11 : 0x01);
		if (rows[i].out.n)
			assert_memory_equal(out + 20, rows[i].out.p, rows[i].out.n);
	}
}

static void n1_lengths(void **state)
{
	static const struct td_str bad[] = {
		TD_STR_INIT("\0\x06\0\x05"
			    "abcd"),
		TD_STR_INIT("\0\x06\xff\xff"),
		TD_STR_INIT("\0\x06\xff\xff"
			    "abcd"),
		TD_STR_INIT("\0\x06\0\x01"),
		TD_STR_INIT("\0\x06\0\0\0\x06\0\x04"),
		TD_STR_INIT("\0\x06\0"),
		TD_STR_INIT("\0\x06\0\0\0"),
	};
	uint8_t out[TP_STUN_MAX];
	char text[256];
	struct td_str in;

	for (size_t i = 0; i < TD_ARRAY_LEN(bad); i++)
		assert_int_equal(ask(out, request(text, 1, bad[i].p, bad[i].n), "192.0.2.1:5060"), 0);
	for (size_t n = 0; n < 20; n++)
		assert_int_equal(ask(out, td_str_n(request(text, 1, NULL, 0).p, n), "192.0.2.1:5060"), 0);
	in = request(text, 1, "\x80\x22\0\0", 4);
	for (int said = 0; said < 0x10000; said++) { /* the header's length is that of the datagram, or it is no STUN */
		text[2] = (char)(said >> 8);
		text[3] = (char)said;
		assert_int_equal(ask(out, in, "192.0.2.1:5060"), said == 4 ? 32 : 0);
	}
}

static void n3_answers_are_short(void **state)
{
	static const unsigned others[] = { 0x0000, 0x0002, 0x0003, 0x0011, 0x0101, 0x0111, 0x4001, 0xc001 };
	uint8_t out[TP_STUN_MAX];
	char text[256], many[200];

	for (size_t i = 0; i < TD_ARRAY_LEN(others); i++) /* answers are not answered, nor other questions */
		assert_int_equal(ask(out, request(text, others[i], NULL, 0), "192.0.2.1:5060"), 0);
	text[4] ^= 1;
	text[0] = 0;
	text[1] = 1;
	assert_int_equal(ask(out, td_str_n(text, 20), "192.0.2.1:5060"), 0); /* without the cookie: RFC 3489's */
	memset(many, 0, sizeof(many));
	for (size_t i = 0; i < sizeof(many); i += 4)
		many[i + 1] = 3;
	for (size_t n = 0; n <= sizeof(many); n += 4)
		assert_true(ask(out, request(text, 1, many, n), "[2001:db8::1]:5060") <= 20 + n + 24);
}

static unsigned allowed, asked;

static bool may_answer(void *arg, const struct td_flow *from)
{
	return asked++ < allowed;
}

/* On the wire: answered as long as whoever owns the transport lets it; nobody above hears of it. */
/* Proves RFC 5626 §8-1. */
static void on_the_port(void **state)
{
	struct td_tp_events events = node_tp_events;
	struct td_wire *wire;
	struct td_sim *sim;
	char text[256];
	struct raw raw;
	struct node n;

	assert_int_equal(td_sim_open(&sim, 5), 0);
	assert_int_equal(td_wire_open(&wire, sim), 0);
	node_open(&n, sim, wire, "192.0.2.1", 5060, NULL);
	raw_open(&raw, sim, wire, "192.0.2.3", 40000);
	events.may_answer = may_answer;
	n.tp->events = &events;
	asked = 0;
	allowed = 2;
	for (int i = 0; i < 5; i++)
		raw_send(&raw, &n.addr, request(text, 1, NULL, 0));
	raw_send(&raw, &n.addr, request(text, 1, "\0\x06\xff\xff", 4));
	td_sim_run(sim, 10);
	assert_int_equal(raw.n, 2);
	assert_int_equal(raw.got[0].buf->len, 32);
	assert_int_equal(asked, 5);
	assert_int_equal(td_tp_stats(n.tp)->keepalives, 5);
	assert_int_equal(td_tp_stats(n.tp)->dropped_junk, 1);
	assert_int_equal(td_tp_stats(n.tp)->messages, 0);
	raw_close(&raw);
	node_close(&n);
	td_wire_close(wire);
	td_sim_close(sim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers),     cmocka_unit_test(attributes),
		cmocka_unit_test(n1_lengths),  cmocka_unit_test(n3_answers_are_short),
		cmocka_unit_test(on_the_port),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
