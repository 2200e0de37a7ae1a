/* RTCP: what is built reads back, what is bent is refused (threats row M6). */
#include "support.h"

#include <tandem/media.h>

static const struct td_rtcp_sender sender = { .ntp = 0x0102030405060708, .ts = 9, .packets = 10, .octets = 0xfffffff0 };
static const struct td_rtcp_block block = {
	.ssrc = 0xb, .fraction = 255, .lost = -3, .ext_max = 4, .jitter = 5, .lsr = 6, .dlsr = 7
};

static void round_trip(void **state)
{
	struct td_rtcp_sender s;
	struct td_rtcp_block b;
	struct td_str rest, name;
	struct td_rtcp p;
	struct td_out o;
	uint32_t ssrc;

	td_out_init(&o);
	td_rtcp_print(&o, 0xa, &sender, &block, TD_STR("me@example"), true);
	rest = td_out_view(&o);
	assert_int_equal(td_rtcp_check(rest), 0);
	assert_true(td_rtcp_next(&p, &rest));
	assert_int_equal(p.type, TD_RTCP_SR);
	assert_int_equal(td_rtcp_report(&ssrc, &s, &p), 0);
	assert_int_equal(ssrc, 0xa);
	assert_true(s.ntp == sender.ntp && s.ts == sender.ts && s.packets == sender.packets && s.octets == sender.octets);
	assert_int_equal(td_rtcp_block(&b, &p, 0), 0);
	assert_true(b.ssrc == 0xb && b.fraction == 255 && b.lost == -3 && b.ext_max == 4 && b.jitter == 5 && b.lsr == 6 &&
		    b.dlsr == 7);
	assert_int_equal(td_rtcp_block(&b, &p, 1), TD_ENOTFOUND);
	assert_true(td_rtcp_next(&p, &rest));
	assert_int_equal(td_rtcp_cname(&name, &p), 0);
	assert_str(name, "me@example");
	assert_true(td_rtcp_next(&p, &rest));
	assert_true(td_rtcp_bye_names(&p, 0xa));
	assert_false(td_rtcp_bye_names(&p, 0xb));
	assert_false(td_rtcp_next(&p, &rest));
	td_out_free(&o);
}

/* Every length of CNAME pads to words and ends with a zero. */
static void cname_lengths(void **state)
{
	char text[300];
	size_t n;

	memset(text, 'x', sizeof(text));
	for (n = 0; n < sizeof(text); n++) {
		struct td_str rest, name;
		struct td_rtcp p;
		struct td_out o;

		td_out_init(&o);
		td_rtcp_print(&o, 1, NULL, NULL, td_str_n(text, n), false);
		rest = exact_copy(td_out_view(&o));
		assert_int_equal(td_rtcp_check(rest), 0);
		name = rest;
		assert_true(td_rtcp_next(&p, &rest));
		assert_int_equal(p.type, TD_RTCP_RR);
		assert_true(td_rtcp_next(&p, &rest));
		exact_free(name);
		td_out_free(&o);
	}
}

static void m6_lengths(void **state)
{
	static const struct {
		const char *hex;
		int err;
	} rows[] = {
		{ "80c9000100000001", 0 },
		{ "80c9000100000001"
		  "81ca000100000001",
		  0 }, /* SDES without its end: seen when read */
		{ "", TD_ESYNTAX },
		{ "80c90000", TD_ESYNTAX },
		{ "80c9000200000001", TD_ESYNTAX }, /* longer than it is */
		{ "80c90001000000", TD_ESYNTAX },
		{ "80c9000100000001ff", TD_ESYNTAX },
		{ "40c9000100000001", TD_ESYNTAX }, /* version */
		{ "80ca000100000001", TD_ESYNTAX }, /* SDES first */
		{ "80c9000100000001"
		  "00c9000100000001",
		  TD_ESYNTAX },
		{ "80c9000100000001"
		  "80c9ffff00000001",
		  TD_ESYNTAX },
		{ "a0c900020000000100000004", 0 }, /* padding in the last */
		{ "a0c900020000000100000000", TD_ESYNTAX },
		{ "a0c900020000000100000003", TD_ESYNTAX },
		{ "a0c90002000000010000000c", TD_ESYNTAX },
		{ "a0c900020000000100000004"
		  "80cb0000",
		  TD_ESYNTAX }, /* padding in another */
		{ "80c9000100000001"
		  "a0cb0000",
		  TD_ESYNTAX },
	};
	size_t i;

	for (i = 0; i < TD_ARRAY_LEN(rows); i++) {
		size_t n = strlen(rows[i].hex) / 2;
		uint8_t *p = malloc(n ? n : 1);

		assert_int_equal(td_hex_decode(p, n, td_str_of(rows[i].hex)), 0);
		if (td_rtcp_check(td_str_n((char *)p, n)) != rows[i].err)
			fail_msg("row %zu", i);
		free(p);
	}
}

static struct td_rtcp body(uint8_t type, uint8_t count, uint8_t *mem, const char *hex)
{
	size_t n = strlen(hex) / 2;

	assert_int_equal(td_hex_decode(mem, n, td_str_of(hex)), 0);
	return (struct td_rtcp){ type, count, td_str_n((char *)mem, n) };
}

static void m6_counts(void **state)
{
	struct td_rtcp_sender s;
	struct td_rtcp_block b;
	uint8_t mem[64];
	struct td_str name;
	struct td_rtcp p;
	uint32_t ssrc;

	p = body(TD_RTCP_RR, 1, mem, "00000001");
	assert_int_equal(td_rtcp_report(&ssrc, &s, &p), TD_ESYNTAX);
	assert_int_equal(td_rtcp_block(&b, &p, 0), TD_ENOTFOUND);
	p = body(TD_RTCP_SR, 0, mem, "00000001");
	assert_int_equal(td_rtcp_report(&ssrc, &s, &p), TD_ESYNTAX);
	p = body(TD_RTCP_BYE, 31, mem, "00000001");
	assert_false(td_rtcp_bye_names(&p, 1));
	p = body(TD_RTCP_SDES, 1, mem, "0000000101ff6162"); /* item longer than the packet */
	assert_int_equal(td_rtcp_cname(&name, &p), TD_ESYNTAX);
	p = body(TD_RTCP_SDES, 1, mem, "0000000102026162"); /* no end */
	assert_int_equal(td_rtcp_cname(&name, &p), TD_ESYNTAX);
	p = body(TD_RTCP_SDES, 2, mem, "0000000100000000");
	assert_int_equal(td_rtcp_cname(&name, &p), TD_ESYNTAX);
	p = body(TD_RTCP_SDES, 2, mem, "00000001020161000000000201017a00");
	assert_int_equal(td_rtcp_cname(&name, &p), 0);
	assert_str(name, "z");
	p = body(TD_RTCP_SDES, 0, mem, "");
	assert_int_equal(td_rtcp_cname(&name, &p), TD_ENOTFOUND);
}

static void m6_many_packets(void **state)
{
	struct td_out o;
	unsigned i;

	td_out_init(&o);
	for (i = 0; i <= TD_RTCP_MAX_PACKETS; i++)
		memcpy(td_out_room(&o, 8), "\x80\xc9\0\1\0\0\0\1", 8);
	assert_int_equal(td_rtcp_check(td_out_view(&o)), TD_ELIMIT);
	o.n -= 8;
	assert_int_equal(td_rtcp_check(td_out_view(&o)), 0);
	td_out_free(&o);
}

/* Two members: five seconds spread over 0.5 to 1.5, divided by e - 3/2; half of it at first; more with many members. */
static void interval(void **state)
{
	struct td_rng rng;
	uint32_t lo = UINT32_MAX, hi = 0, ms;
	unsigned i;

	td_rng_init_seed(&rng, 5);
	for (i = 0; i < 2000; i++) {
		ms = td_rtcp_interval_ms(&rng, 2, 2, true, 400, 100, false);
		lo = ms < lo ? ms : lo;
		hi = ms > hi ? ms : hi;
	}
	assert_in_range(lo, 2052, 2200);
	assert_in_range(hi, 6000, 6157);
	assert_true(td_rtcp_interval_ms(&rng, 2, 2, true, 400, 100, true) <= 3079);
	assert_true(td_rtcp_interval_ms(&rng, 10000, 2, false, 400, 100, false) > 60000);
	assert_true(td_rtcp_interval_ms(&rng, UINT32_MAX, UINT32_MAX, false, 1, UINT32_MAX, false) <= 3600000);
}

static void round_trip_time(void **state)
{
	struct td_rtcp_block b = { .lsr = 0x10000, .dlsr = 0x8000 }; /* sent at 1 s, kept for half a second */

	assert_int_equal(td_rtcp_round_trip_us(&b, 0x1c000), 250000);
	assert_int_equal(td_rtcp_round_trip_us(&b, 0x17000), 0); /* answered before it was sent */
	b.lsr = 0;
	assert_int_equal(td_rtcp_round_trip_us(&b, 0x1c000), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),      cmocka_unit_test(cname_lengths),   cmocka_unit_test(m6_lengths),
		cmocka_unit_test(m6_counts),       cmocka_unit_test(m6_many_packets), cmocka_unit_test(interval),
		cmocka_unit_test(round_trip_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
