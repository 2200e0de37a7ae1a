/* RTP packets and the receiver's arithmetic (RFC 3550 §5.1, A.1, A.3, A.8). */
#include "support.h"

#include <tandem/media.h>

static void parses(void **state)
{
	static const struct {
		const char *hex;
		int err;
		unsigned csrc, ext, payload;
	} rows[] = {
		{ "8000000100000002000000030a0b", 0, 0, 0, 2 },
		{ "800000010000000200000003", 0, 0, 0, 0 },
		{ "8000000100000002000000", TD_ESYNTAX, 0, 0, 0 },
		{ "", TD_ESYNTAX, 0, 0, 0 },
		{ "40000001000000020000000300", TD_ESYNTAX, 0, 0, 0 }, /* version 1 */
		{ "8200000100000002000000030000000a0000000b0c", 0, 2, 0, 1 },
		{ "8200000100000002000000030000000a000000", TD_ESYNTAX, 0, 0, 0 }, /* second CSRC cut */
		{ "900000010000000200000003bede00010102030405", 0, 0, 4, 1 },
		{ "900000010000000200000003bede0000", 0, 0, 0, 0 },
		{ "900000010000000200000003bede0001010203", TD_ESYNTAX, 0, 0, 0 }, /* extension cut */
		{ "900000010000000200000003bedeffff01020304", TD_ESYNTAX, 0, 0, 0 },
		{ "900000010000000200000003bede", TD_ESYNTAX, 0, 0, 0 },
		{ "a000000100000002000000030a000002", 0, 0, 0, 2 },          /* padding of two */
		{ "a000000100000002000000030a000004", 0, 0, 0, 0 },          /* nothing but padding */
		{ "a000000100000002000000030a000005", TD_ESYNTAX, 0, 0, 0 }, /* more than there is */
		{ "a000000100000002000000030a000000", TD_ESYNTAX, 0, 0, 0 }, /* zero: §5.1 counts itself */
		{ "a00000010000000200000003", TD_ESYNTAX, 0, 0, 0 },
		{ "b20000010000000200000003000000010000000200000001ffffffff0a02", 0, 2, 4, 0 }, /* all at once */
	};
	size_t i;

	for (i = 0; i < TD_ARRAY_LEN(rows); i++) {
		size_t n = strlen(rows[i].hex) / 2;
		uint8_t *p = malloc(n ? n : 1);
		struct td_rtp r;
		struct td_out o;

		assert_int_equal(td_hex_decode(p, n, td_str_of(rows[i].hex)), 0);
		if (td_rtp_parse(&r, td_str_n((char *)p, n)) != rows[i].err)
			fail_msg("row %zu", i);
		if (!rows[i].err) {
			assert_int_equal(r.n_csrc, rows[i].csrc);
			assert_int_equal(r.ext.n, rows[i].ext);
			assert_int_equal(r.payload.n, rows[i].payload);
			td_out_init(&o);
			td_rtp_print(&o, &r);
			if (!(p[0] & 0x20)) /* padding is not printed again */
				assert_true(td_str_eq(td_out_view(&o), td_str_n((char *)p, n)));
			td_out_free(&o);
		}
		free(p);
	}
}

static void fields(void **state)
{
	struct td_rtp in = { .marker = true,
			     .pt = 101,
			     .seq = 0xfffe,
			     .ts = 0xdeadbeef,
			     .ssrc = 0x80000001,
			     .payload = TD_STR("x") },
		      out;
	struct td_out o;

	td_out_init(&o);
	td_rtp_print(&o, &in);
	assert_int_equal(td_rtp_parse(&out, td_out_view(&o)), 0);
	assert_true(out.marker && out.pt == 101 && out.seq == 0xfffe && out.ts == 0xdeadbeef && out.ssrc == 0x80000001);
	assert_str(out.payload, "x");
	td_out_free(&o);
}

static void senders_differ(void **state)
{
	struct td_rtp_sender a, b;
	struct td_rng rng;

	td_rng_init_seed(&rng, 1);
	td_rtp_sender_init(&a, &rng);
	td_rtp_sender_init(&b, &rng);
	assert_true(a.ssrc != b.ssrc && a.ts != b.ts);
}

/* Feeds numbers; '+' in verdict: taken, '-': not. */
static void sequence(void **state)
{
	static const struct {
		uint32_t probation;
		const uint16_t seq[8];
		const char *verdict;
		int32_t lost;
		uint32_t ext_max;
	} rows[] = {
		{ 1, { 10, 11, 12, 13 }, "++++", 0, 13 },         { 2, { 10, 11, 12 }, "-++", 0, 12 },
		{ 2, { 10, 12, 14, 15 }, "---+", 0, 15 }, /* probation starts again */
		{ 1, { 10, 11, 13, 14 }, "++++", 1, 14 },         { 1, { 10, 12, 11, 13 }, "++++", 0, 13 }, /* late is not lost */
		{ 1, { 10, 11, 11, 12 }, "++++", -1, 12 }, /* duplicates count as received */
		{ 1, { 65534, 65535, 0, 1 }, "++++", 0, 65537 },  { 1, { 65534, 1, 65535, 0 }, "++++", 0, 65537 },
		{ 1, { 10, 5000, 11, 12 }, "+-++", 0, 12 },       /* one wild number */
		{ 1, { 10, 5000, 5001, 5002 }, "+-++", 0, 5002 }, /* two in a row: restarted */
	};
	struct td_rtp_source s;
	size_t i, k;

	for (i = 0; i < TD_ARRAY_LEN(rows); i++) {
		td_rtp_source_init(&s, 1, rows[i].seq[0], rows[i].probation);
		for (k = 0; rows[i].verdict[k]; k++)
			if (td_rtp_source_seq(&s, rows[i].seq[k]) != (rows[i].verdict[k] == '+'))
				fail_msg("row %zu packet %zu", i, k);
		assert_int_equal(td_rtp_source_lost(&s), rows[i].lost);
		assert_int_equal(td_rtp_source_ext_max(&s), rows[i].ext_max);
	}
}

static void fraction(void **state)
{
	struct td_rtp_source s;
	unsigned i;

	td_rtp_source_init(&s, 1, 0, 1);
	assert_int_equal(td_rtp_source_fraction(&s), 0);
	for (i = 0; i < 100; i += 2)
		td_rtp_source_seq(&s, (uint16_t)i);
	assert_int_equal(td_rtp_source_fraction(&s), 49 * 256 / 99);
	for (i = 99; i < 200; i++)
		td_rtp_source_seq(&s, (uint16_t)i);
	assert_int_equal(td_rtp_source_fraction(&s), 0);
	assert_int_equal(td_rtp_source_lost(&s), 49);
}

/* An even stream has none; alternating 0 and 80 units of delay settle near 80. */
static void jitter(void **state)
{
	struct td_rtp_source s;
	uint32_t i;

	td_rtp_source_init(&s, 1, 0, 1);
	for (i = 0; i < 1000; i++)
		td_rtp_source_jitter(&s, 160 * i - 100, 160 * i + 7);
	assert_int_equal(s.jitter >> 4, 0);
	for (i = 1000; i < 2000; i++)
		td_rtp_source_jitter(&s, 160 * i - 100, 160 * i + (i & 1 ? 80 : 0));
	assert_in_range(s.jitter >> 4, 75, 85);
	td_rtp_source_jitter(&s, 0x80000000u, 160 * i); /* a new timestamp base is not jitter */
	assert_in_range(s.jitter >> 4, 70, 85);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses),   cmocka_unit_test(fields),   cmocka_unit_test(senders_differ),
		cmocka_unit_test(sequence), cmocka_unit_test(fraction), cmocka_unit_test(jitter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
