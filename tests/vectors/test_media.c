/* G.711 over all samples, captured RTP streams, and the fields of telephone-event. */
#include "manifest.h"

#include <tandem/media.h>

static struct td_buf *load(const char *dir, const char *name)
{
	struct td_buf *buf = data_file(dir, td_str_of(name));

	assert_non_null(buf);
	return buf;
}

static void g711_encodes_all_samples(void **state)
{
	static const struct {
		const char *file;
		uint8_t (*encode)(int16_t pcm);
	} laws[] = {
		{ "encode-ulaw-65536.bin", td_ulaw_encode },
		{ "encode-alaw-65536.bin", td_alaw_encode },
	};
	struct td_buf *ramp = load("g711", "ramp-pcm16le.raw"), *want;
	size_t i, k;

	assert_int_equal(ramp->len, 2 * 65536);
	for (k = 0; k < TD_ARRAY_LEN(laws); k++) {
		want = load("g711", laws[k].file);
		assert_int_equal(want->len, 65536);
		for (i = 0; i < 65536; i++) {
			int16_t pcm = (int16_t)((uint8_t)ramp->data[2 * i] | (uint8_t)ramp->data[2 * i + 1] << 8);

			if (laws[k].encode(pcm) != (uint8_t)want->data[i])
				fail_msg("%s: %d is %u, want %u", laws[k].file, pcm, laws[k].encode(pcm), (uint8_t)want->data[i]);
		}
		td_buf_unref(want);
	}
	td_buf_unref(ramp);
}

static int number(struct td_str s)
{
	bool negative = s.n && s.p[0] == '-';
	uint32_t v;

	assert_int_equal(td_str_u32(&v, td_str_n(s.p + negative, s.n - negative)), 0);
	return negative ? -(int)v : (int)v;
}

static void g711_decodes_all_codes(void **state)
{
	struct td_buf *text = load("g711", "decode.tsv");
	struct td_str rest = td_buf_str(text), line;
	size_t rows = 0;

	td_str_split(&rest, '\n');
	while ((line = td_str_split(&rest, '\n')).n) {
		int code = number(td_str_split(&line, '\t'));

		assert_int_equal(td_ulaw_decode[code], number(td_str_split(&line, '\t')));
		assert_int_equal(td_alaw_decode[code], number(td_str_trim(line)));
		rows++;
	}
	assert_int_equal(rows, 256);
	td_buf_unref(text);
}

/* UDP payloads of a classic little-endian Ethernet capture, one after the other. */
static struct td_str next_datagram(struct td_str *rest)
{
	const uint8_t *b = (const uint8_t *)rest->p;
	size_t n, ip, udp;

	if (rest->n < 16)
		return TD_STR_NULL;
	n = b[8] | (size_t)b[9] << 8;
	assert_true(rest->n >= 16 + n);
	b += 16;
	ip = 4u * (b[14] & 15);
	udp = (size_t)b[14 + ip + 4] << 8 | b[14 + ip + 5];
	*rest = td_str_n(rest->p + 16 + n, rest->n - 16 - n);
	assert_true(14 + ip + udp <= n);
	return exact_copy(td_str_n((const char *)b + 14 + ip + 8, udp - 8));
}

static void rtp_g711a(void **state)
{
	struct td_buf *file = load("rtp", "g711a.pcap");
	struct td_str rest = td_str_n(file->data + 24, file->len - 24), d;
	const struct td_codec *pcma = td_codec_find(TD_STR("pcma"));
	struct td_rtp_source src;
	int16_t pcm[240];
	struct td_rtp r;
	unsigned n = 0;

	while ((d = next_datagram(&rest)).p) {
		assert_int_equal(td_rtp_parse(&r, d), 0);
		assert_int_equal(r.pt, pcma->pt);
		if (!n)
			td_rtp_source_init(&src, r.ssrc, r.seq, 1);
		assert_true(td_rtp_source_seq(&src, r.seq));
		td_rtp_source_jitter(&src, r.ts, 240 * n++);
		assert_int_equal(pcma->decode(pcm, TD_ARRAY_LEN(pcm), r.payload), r.payload.n);
		exact_free(d);
	}
	assert_true(n > 100);
	assert_int_equal(src.received, n);
	assert_int_equal(td_rtp_source_lost(&src), 0);
	assert_int_equal(td_rtp_source_fraction(&src), 0);
	td_buf_unref(file);
}

/* Each capture is one key press: reported once. */
static void m10_one_key_each(void **state)
{
	static const char *const names[] = { "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "star", "pound" };
	static const char want[] = "0123456789*#";
	size_t i;

	for (i = 0; i < TD_ARRAY_LEN(names); i++) {
		struct td_dtmf_receiver rx = { 0 };
		unsigned keys = 0, ends = 0, packets = 0;
		struct td_str rest, d;
		struct td_buf *file;
		struct td_dtmf e;
		struct td_rtp r;
		char path[64];

		snprintf(path, sizeof(path), "dtmf/dtmf_2833_%s.pcap", names[i]);
		file = load("rtp", path);
		rest = td_str_n(file->data + 24, file->len - 24);
		while ((d = next_datagram(&rest)).p) {
			char key;

			assert_int_equal(td_rtp_parse(&r, d), 0);
			assert_int_equal(td_dtmf_parse(&e, r.payload), 0);
			key = td_dtmf_receive(&rx, r.ts, &e);
			if (key)
				assert_int_equal(key, want[i]);
			keys += key != 0;
			ends += e.end;
			packets++;
			exact_free(d);
		}
		assert_int_equal(keys, 1);
		assert_true(ends >= 1 && packets > 3 && rx.ended);
		td_buf_unref(file);
	}
}

static void rfc4733_fields(void **state)
{
	struct td_buf *text = load("rtp", "rfc4733-fields.tsv");
	struct td_str rest = td_buf_str(text), line;
	uint8_t in[4], out[4];
	struct td_dtmf e;
	unsigned rows = 0;

	td_str_split(&rest, '\n');
	while ((line = td_str_split(&rest, '\n')).n) {
		assert_int_equal(td_hex_decode(in, sizeof(in), td_str_split(&line, '\t')), 0);
		assert_int_equal(td_dtmf_parse(&e, td_str_n((const char *)in, sizeof(in))), 0);
		assert_int_equal(e.event, number(td_str_split(&line, '\t')));
		assert_int_equal(e.end, number(td_str_split(&line, '\t')));
		td_str_split(&line, '\t');
		assert_int_equal(e.volume, number(td_str_split(&line, '\t')));
		assert_int_equal(e.duration, number(td_str_split(&line, '\t')));
		td_dtmf_print(out, &e);
		assert_memory_equal(in, out, sizeof(in));
		rows++;
	}
	assert_true(rows >= 8);
	td_buf_unref(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(g711_encodes_all_samples), cmocka_unit_test(g711_decodes_all_codes), cmocka_unit_test(rtp_g711a),
		cmocka_unit_test(m10_one_key_each),         cmocka_unit_test(rfc4733_fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
