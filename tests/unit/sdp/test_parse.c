/* td_sdp_parse() and td_sdp_print(): verdicts, order, limits of threats row B2. */
#include "support.h"

#include <errno.h>
#include <stdio.h>

#include <tandem/sdp.h>

#define HEAD "v=0\r\no=- 1 1 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\n"

static int parse(struct td_sdp **sdp, struct td_arena *a, struct td_str text)
{
	td_arena_init(a);
	return td_sdp_parse(sdp, a, text);
}

static void verdicts(void **state)
{
	static const struct {
		const char *in;
		int err;
	} rows[] = {
		{ HEAD, 0 },
		{ HEAD "m=audio 4000 RTP/AVP 0\r\n", 0 },
		{ HEAD "m=audio 4000 RTP/AVP 0", 0 }, /* B2: no final CRLF */
		{ "v=0", 0 },
		{ "v=0 \n", 0 },
		{ "v=0\no=- 1 1 IN IP4 192.0.2.1\rs=x\n\n\nt=0 0", 0 }, /* LF, CR, empty lines */
		{ "", TD_ESYNTAX },
		{ "v=1\r\n", TD_ESYNTAX },
		{ "v=00\r\n", TD_ESYNTAX },
		{ "\r\nv=0\r\n", TD_ESYNTAX },
		{ "garbage", TD_ESYNTAX },
		{ HEAD HEAD, TD_ESYNTAX }, /* two descriptions */
		{ HEAD "x\r\n", TD_ESYNTAX },
		{ HEAD "m audio\r\n", TD_ESYNTAX },
		{ HEAD " m=audio 1 RTP/AVP 0\r\n", TD_ESYNTAX },
		{ HEAD "1=audio\r\n", TD_ESYNTAX },
		{ HEAD "Z=unknown\r\ny=too\r\n", 0 },
		{ HEAD "a=\r\na\r\n", TD_ESYNTAX },
		{ HEAD "a=\r\na=:\r\na=x:\r\n", 0 },
		{ HEAD "m=\r\n", TD_ESYNTAX },
		{ HEAD "m=audio\r\n", TD_ESYNTAX },
		{ HEAD "m=audio 4000\r\n", TD_ESYNTAX },
		{ HEAD "m=audio -1 RTP/AVP 0\r\n", TD_ESYNTAX },
		{ HEAD "m=audio 65535 RTP/AVP 0\r\n", 0 },
		{ HEAD "m=audio 65536 RTP/AVP 0\r\n", 0 }, /* unusable: see ports() */
		{ HEAD "m=audio 4000/2 RTP/AVP 0\r\n", 0 },
		{ HEAD "m=audio 4000/0 RTP/AVP 0\r\n", TD_ESYNTAX },
		{ HEAD "m=audio 4000/ RTP/AVP 0\r\n", TD_ESYNTAX },
		{ HEAD "m=audio 4000 RTP/AVP 127\r\n", 0 },
		{ HEAD "m=audio 4000 RTP/AVP 128\r\n", TD_ESYNTAX }, /* B2: payload types checked at parse */
		{ HEAD "m=audio 4000 RTP/AVP 65535\r\n", TD_ESYNTAX },
		{ HEAD "m=audio 4000 UDP/TLS/RTP/SAVPF 128\r\n", TD_ESYNTAX },
		{ HEAD "m=audio 4000 RTP/AVP x\r\n", TD_ESYNTAX },
		{ HEAD "m=audio 0 RTP/AVP x\r\n", 0 }, /* refused: the list means nothing */
		{ HEAD "m=image 4000 udptl t38\r\n", 0 },
		{ HEAD "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n", 0 },
		{ HEAD "c=\r\n", TD_ESYNTAX },
		{ HEAD "c=IN IP4\r\n", TD_ESYNTAX },
		{ HEAD "c=IN IP4 192.0.2.1 x\r\n", TD_ESYNTAX },
		{ HEAD "c=IN IP4 224.0.0.1/256\r\n", TD_ESYNTAX },
		{ HEAD "c=IN IP4 224.0.0.1/127/3/4\r\n", TD_ESYNTAX },
		{ HEAD "c=IN IP4 192.0.2.1/\r\n", TD_ESYNTAX },
		{ HEAD "c=IN  IP4  192.0.2.1 \r\n", 0 },
		{ HEAD "c=PSTN E164 +15555556666\r\n", 0 },
		{ "v=0\r\no=The King <Elvis@example.com>\r\n", 0 },
		{ "v=0\r\no=- 99999999999999999999999999 18446744073709551616 IN IP4 h\r\n", 0 },
	};
	struct td_sdp *sdp, *untouched = (struct td_sdp *)state;
	struct td_arena a;
	size_t i;

	for (i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct td_str in = exact(rows[i].in);
		int err;

		sdp = untouched;
		err = parse(&sdp, &a, in);
		if (err != rows[i].err || (err && sdp != untouched))
			fail_msg("row %zu: %d for %s", i, err, rows[i].in);
		td_arena_reset(&a);
		exact_free(in);
	}
}

static void nul(void **state)
{
	struct td_str in = exact_copy(td_str_n(HEAD "a=x\0y\r\n", sizeof(HEAD "a=x\0y\r\n") - 1));
	struct td_sdp *sdp;
	struct td_arena a;

	assert_int_equal(parse(&sdp, &a, in), TD_ESYNTAX);
	td_arena_reset(&a);
	exact_free(in);
}

/* Any order in, the RFC's order out, nothing lost. */
static void prints_in_order(void **state)
{
	static const char in[] = "v=0\ns=x\na=sendonly\nb=AS:64\nt=1 2\nr=7d 1h 0 25h\nt=3 4\nQ=odd\nu=http://h/\ni=info\n"
				 "o=-  1 2 IN IP4 192.0.2.1\nc=IN IP4 224.2.1.1/127/3\ne=a@b\n"
				 "m=audio 4000/2  RTP/AVP 0  8\na=ptime:20\nb=AS:5\nc=IN IP6 ff15::101/3\nc=IN IP6 "
				 "ff15::102\ni=one\na=sendrecv\nw=1\n"
				 "m=* 0 x/y *";
	static const char want[] =
		"v=0\r\no=- 1 2 IN IP4 192.0.2.1\r\ns=x\r\ni=info\r\nu=http://h/\r\ne=a@b\r\nc=IN IP4 "
		"224.2.1.1/127/3\r\nb=AS:64\r\n"
		"t=1 2\r\nr=7d 1h 0 25h\r\nt=3 4\r\nQ=odd\r\na=sendonly\r\n"
		"m=audio 4000/2 RTP/AVP 0 8\r\ni=one\r\nc=IN IP6 ff15::101/3\r\nc=IN IP6 ff15::102\r\nb=AS:5\r\nw=1\r\n"
		"a=ptime:20\r\na=sendrecv\r\nm=* 0 x/y *\r\n";
	struct td_sdp *sdp;
	struct td_arena a;
	struct td_out o;

	assert_int_equal(parse(&sdp, &a, td_str_of(in)), 0);
	td_out_init(&o);
	td_sdp_print(&o, sdp);
	assert_str(td_out_view(&o), want);
	assert_int_equal(td_sdp_media_dir(sdp, sdp->media), TD_SDP_SENDRECV);
	assert_int_equal(td_sdp_media_dir(sdp, sdp->media->next), TD_SDP_SENDONLY);
	assert_int_equal(sdp->conn->ttl, 127);
	assert_int_equal(sdp->conn->count, 3);
	assert_int_equal(sdp->conn->kind, TD_SDP_ADDR_MULTICAST);
	td_out_free(&o);
	td_arena_reset(&a);
}

static void address_kinds(void **state)
{
	static const struct {
		const char *in;
		enum td_sdp_addr_kind kind;
		uint8_t family;
	} rows[] = {
		{ "IN IP4 192.0.2.1", TD_SDP_ADDR_UNICAST, 4 },   { "IN IP6 2001:db8::1", TD_SDP_ADDR_UNICAST, 6 },
		{ "IN IP4 0.0.0.0", TD_SDP_ADDR_ANY, 4 },         { "IN IP6 ::", TD_SDP_ADDR_ANY, 6 },
		{ "IN IP4 239.1.1.1", TD_SDP_ADDR_MULTICAST, 4 }, { "IN IP4 255.255.255.255", TD_SDP_ADDR_MULTICAST, 4 },
		{ "IN IP6 ff02::1", TD_SDP_ADDR_MULTICAST, 6 },   { "IN IP4 999.1.1.1", TD_SDP_ADDR_INVALID, 4 },
		{ "IN IP4 2001:db8::1", TD_SDP_ADDR_INVALID, 4 }, { "IN IP6 192.0.2.1", TD_SDP_ADDR_INVALID, 6 },
		{ "IN IP4 1.2.3", TD_SDP_ADDR_INVALID, 4 },       { "IN IP4 host.example.com", TD_SDP_ADDR_NAME, 4 },
		{ "TN RFC2543 +1-201", TD_SDP_ADDR_NAME, 0 },
	};
	struct td_sdp *sdp;
	struct td_arena a;
	char text[128];
	size_t i;

	for (i = 0; i < TD_ARRAY_LEN(rows); i++) {
		snprintf(text, sizeof(text), "v=0\r\nc=%s\r\n", rows[i].in);
		assert_int_equal(parse(&sdp, &a, td_str_of(text)), 0);
		assert_int_equal(sdp->conn->kind, rows[i].kind);
		assert_int_equal(sdp->conn->family, rows[i].family);
		td_arena_reset(&a);
	}
}

static void ports(void **state)
{
	struct td_sdp *sdp;
	struct td_arena a;

	assert_int_equal(parse(&sdp, &a, TD_STR("v=0\nm=audio 65535/2 RTP/AVP 0\nm=audio 70000 RTP/AVP 0\n")), 0);
	assert_int_equal(sdp->media->port, 65535);
	assert_int_equal(sdp->media->port_count, 2);
	assert_false(sdp->media->bad_port);
	assert_int_equal(sdp->media->next->port, 0);
	assert_true(sdp->media->next->bad_port);
	td_arena_reset(&a);
}

/* Repeats a line n times behind HEAD. */
static int parse_many(const char *line, size_t n)
{
	struct td_sdp *sdp;
	struct td_arena a;
	struct td_out o;
	int err;

	td_out_init(&o);
	td_out_z(&o, HEAD);
	while (n--)
		td_out_z(&o, line);
	err = parse(&sdp, &a, td_out_view(&o));
	td_arena_reset(&a);
	td_out_free(&o);
	return err;
}

static void b2_limits(void **state)
{
	struct td_out o;
	struct td_sdp *sdp;
	struct td_arena a;
	size_t i;

	assert_int_equal(parse_many("m=x 0 y z\n", TD_SDP_MAX_MEDIA), 0);
	assert_int_equal(parse_many("m=x 0 y z\n", TD_SDP_MAX_MEDIA + 1), TD_ELIMIT);
	assert_int_equal(parse_many("m=x 0 y z\n", 5000), TD_ELIMIT);
	assert_int_equal(parse_many("a=x\n", 4000), 0);
	assert_int_equal(parse_many("a=x\n", TD_SDP_MAX_LINES), TD_ELIMIT);
	assert_int_equal(parse_many("a=x\n", 100000), TD_ELIMIT);
	for (i = TD_SDP_MAX_FORMATS; i <= TD_SDP_MAX_FORMATS + 1; i++) {
		size_t n = i;

		td_out_init(&o);
		td_out_z(&o, HEAD "m=audio 1 RTP/AVP");
		while (n--)
			td_out_z(&o, " 0");
		assert_int_equal(parse(&sdp, &a, td_out_view(&o)), i > TD_SDP_MAX_FORMATS ? TD_ELIMIT : 0);
		td_arena_reset(&a);
		td_out_free(&o);
	}
	for (i = TD_SDP_MAX_ADDR; i <= TD_SDP_MAX_ADDR + 1; i++) {
		td_out_init(&o);
		td_out_z(&o, "v=0\nc=IN IP4 ");
		memset(td_out_room(&o, i), 'a', i);
		assert_int_equal(parse(&sdp, &a, td_out_view(&o)), i > TD_SDP_MAX_ADDR ? TD_ELIMIT : 0);
		td_arena_reset(&a);
		td_out_free(&o);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verdicts),      cmocka_unit_test(nul),   cmocka_unit_test(prints_in_order),
		cmocka_unit_test(address_kinds), cmocka_unit_test(ports), cmocka_unit_test(b2_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
