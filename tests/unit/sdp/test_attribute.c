/* Typed access: codecs, ptime, rtcp, direction. */
#include "support.h"

#include <stdio.h>

#include <tandem/sdp.h>

static struct td_sdp *parse(struct td_arena *a, const char *text)
{
	struct td_sdp *sdp;

	td_arena_init(a);
	assert_int_equal(td_sdp_parse(&sdp, a, td_str_of(text)), 0);
	return sdp;
}

static void codecs(void **state)
{
	static const struct {
		uint8_t pt;
		const char *name;
		uint32_t clock;
		uint8_t channels;
		const char *fmtp;
	} want[] = {
		{ 0, "PCMU", 8000, 1, "" },
		{ 96, "opus", 48000, 2, "useinbandfec=1" },
		{ 101, "telephone-event", 8000, 1, "0-15" },
		{ 9, "G722", 8000, 1, "" },
		{ 8, "", 8000, 1, "" },
		{ 97, "", 0, 1, "" },
		{ 18, "G729", 8000, 1, "annexb=no" },
		{ 98, "first", 8000, 1, "one" },
	};
	struct td_sdp_codec c[TD_SDP_MAX_FORMATS];
	struct td_arena a;
	struct td_sdp *sdp = parse(
		&a,
		"v=0\nm=audio 4000 RTP/AVP 0 96 101 9 8 97 18 0 98\n"
		"a=rtpmap:96 opus/48000/2\na=fmtp:96 useinbandfec=1\na=rtpmap:101 telephone-event/8000\na=fmtp:101  0-15\n"
		"a=rtpmap:8 PCMA/0\na=rtpmap:128 x/1\na=rtpmap:99 y/8000\na=rtpmap\na=rtpmap:\na=rtpmap:97\na=fmtp:18 annexb=no\n"
		"a=rtpmap:98 first/8000\na=rtpmap:98 second/8000\na=fmtp:98 one\na=fmtp:98 two\n");
	size_t i, n = td_sdp_codecs(c, sdp->media);

	assert_int_equal(n, TD_ARRAY_LEN(want));
	for (i = 0; i < n; i++) {
		assert_int_equal(c[i].pt, want[i].pt);
		assert_str(c[i].name, want[i].name);
		assert_int_equal(c[i].clock_hz, want[i].clock);
		assert_int_equal(c[i].channels, want[i].channels);
		assert_str(c[i].fmtp, want[i].fmtp);
		assert_int_equal(td_sdp_codec_same(&c[i], &c[i]), want[i].name[0] != 0);
	}
	td_arena_reset(&a);
}

static void ptime(void **state)
{
	static const struct {
		const char *in;
		unsigned ms;
	} rows[] = {
		{ "20", 20 },  { " 30 ", 30 }, { "1000", 1000 },
		{ "1001", 0 }, { "", 0 },      { "12.5", 0 },
		{ "-1", 0 },   { "x", 0 },     { "99999999999999999999", 0 },
	};
	struct td_arena a;
	char text[128];
	size_t i;

	for (i = 0; i < TD_ARRAY_LEN(rows); i++) {
		snprintf(text, sizeof(text), "v=0\nm=audio 1 RTP/AVP 0\na=ptime:%s\n", rows[i].in);
		assert_int_equal(td_sdp_ptime(parse(&a, text)->media), rows[i].ms);
		td_arena_reset(&a);
	}
}

static void rtcp(void **state)
{
	static const struct {
		const char *in;
		int err;
		uint16_t port;
		const char *addr;
	} rows[] = {
		{ "a=rtcp:53020", 0, 53020, "" },
		{ "a=rtcp:53020 IN IP4 126.16.64.4", 0, 53020, "126.16.64.4" },
		{ "a=rtcp:53020 IN IP6 2001:2345:6789:ABCD:EF01:2345:6789:ABCD", 0, 53020,
		  "2001:2345:6789:ABCD:EF01:2345:6789:ABCD" },
		{ "a=rtcp:65536", TD_ESYNTAX, 0, "" },
		{ "a=rtcp:", TD_ESYNTAX, 0, "" },
		{ "a=rtcp", TD_ESYNTAX, 0, "" },
		{ "a=rtcp:1 IN IP4", TD_ESYNTAX, 0, "" },
		{ "a=rtcp-mux", TD_ENOTFOUND, 0, "" },
	};
	struct td_sdp_rtcp r;
	struct td_arena a;
	char text[128];
	size_t i;

	for (i = 0; i < TD_ARRAY_LEN(rows); i++) {
		snprintf(text, sizeof(text), "v=0\nm=audio 1 RTP/AVP 0\n%s\n", rows[i].in);
		assert_int_equal(td_sdp_rtcp(&r, parse(&a, text)->media), rows[i].err);
		if (!rows[i].err) {
			assert_int_equal(r.port, rows[i].port);
			assert_str(r.conn.addr, rows[i].addr);
		}
		td_arena_reset(&a);
	}
}

static void directions(void **state)
{
	static const struct {
		const char *session, *media;
		enum td_sdp_dir dir;
	} rows[] = {
		{ "", "", TD_SDP_SENDRECV },
		{ "a=sendonly\n", "", TD_SDP_SENDONLY },
		{ "a=sendonly\n", "a=recvonly\n", TD_SDP_RECVONLY },
		{ "", "a=inactive\na=sendrecv\n", TD_SDP_INACTIVE },
		{ "", "a=sendonly:x\na=SENDONLY\n", TD_SDP_SENDRECV },
	};
	struct td_arena a;
	char text[128];
	size_t i;

	for (i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct td_sdp *sdp;

		snprintf(text, sizeof(text), "v=0\n%sm=audio 1 RTP/AVP 0\n%s", rows[i].session, rows[i].media);
		sdp = parse(&a, text);
		assert_int_equal(td_sdp_media_dir(sdp, sdp->media), rows[i].dir);
		td_arena_reset(&a);
	}
	assert_int_equal(td_sdp_dir_reverse(TD_SDP_SENDONLY), TD_SDP_RECVONLY);
	assert_int_equal(td_sdp_dir_reverse(TD_SDP_RECVONLY), TD_SDP_SENDONLY);
	assert_int_equal(td_sdp_dir_reverse(TD_SDP_SENDRECV), TD_SDP_SENDRECV);
	assert_int_equal(td_sdp_dir_reverse(TD_SDP_INACTIVE), TD_SDP_INACTIVE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(codecs),
		cmocka_unit_test(ptime),
		cmocka_unit_test(rtcp),
		cmocka_unit_test(directions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
