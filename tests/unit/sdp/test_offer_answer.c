/* Offer and answer as two phones exchange them: first calls, holds, later offers, abuse (threats row B5). */
#include "support.h"

#include <stdio.h>

#include <tandem/sdp.h>

static const struct td_sdp_codec codecs[] = {
	{ 0, 1, 8000, TD_STR_INIT("PCMU"), TD_STR_INIT("") },
	{ 8, 1, 8000, TD_STR_INIT("PCMA"), TD_STR_INIT("") },
	{ 101, 1, 8000, TD_STR_INIT("telephone-event"), TD_STR_INIT("0-16") },
};

static const struct td_sdp_local alice = {
	.addr = TD_STR_INIT("192.0.2.1"),
	.family = 4,
	.port = 4000,
	.dir = TD_SDP_SENDRECV,
	.ptime_ms = 20,
	.session_id = 7,
	.codecs = codecs,
	.n_codecs = TD_ARRAY_LEN(codecs),
};

static void assert_prints(const struct td_sdp *sdp, const char *want)
{
	struct td_out o;

	td_out_init(&o);
	td_sdp_print(&o, sdp);
	assert_str(td_out_view(&o), want);
	td_out_free(&o);
}

static struct td_sdp *parse(struct td_arena *a, const char *text)
{
	struct td_sdp *sdp;
	struct td_str copy;

	assert_int_equal(td_arena_dup(&copy, a, td_str_of(text)), 0);
	assert_int_equal(td_sdp_parse(&sdp, a, copy), 0);
	return sdp;
}

#define PEER "v=0\r\no=- 5 5 IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\n"
#define OURS "v=0\r\no=- 7 7 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"

static void first_offer(void **state)
{
	struct td_sdp *offer;
	struct td_arena a;

	td_arena_init(&a);
	assert_int_equal(td_sdp_offer(&offer, &a, &alice, NULL), 0);
	assert_prints(offer, OURS "m=audio 4000 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n"
				  "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\na=sendrecv\r\n");
	td_arena_reset(&a);
}

/* What we answer, line by line, and what we take from it. */
static void answers(void **state)
{
	static const struct {
		const char *offer, *answer; /* media lines */
		enum td_sdp_dir want, dir;
		uint8_t pt;
		int dtmf; /* -1: none */
	} rows[] = {
		/* the offerer's preference, its number for keys */
		{ "m=audio 5000 RTP/AVP 18 8 0 96\r\na=rtpmap:96 telephone-event/8000\r\n",
		  "m=audio 4000 RTP/AVP 8 96\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:96 telephone-event/8000\r\na=fmtp:96 0-16\r\n"
		  "a=ptime:20\r\na=sendrecv\r\n",
		  TD_SDP_SENDRECV, TD_SDP_SENDRECV, 8, 96 },
		/* a dynamic number for a static codec; keys at another clock; video refused; a second audio refused */
		{ "m=video 5002 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\nm=audio 5000 RTP/AVP 97 98\r\na=rtpmap:97 pcmu/8000/1\r\n"
		  "a=rtpmap:98 telephone-event/48000\r\nm=audio 5004 RTP/AVP 0\r\nm=audio 0 RTP/AVP 0\r\n",
		  "m=video 0 RTP/AVP 96\r\nm=audio 4000 RTP/AVP 97\r\na=rtpmap:97 PCMU/8000\r\na=ptime:20\r\na=sendrecv\r\n"
		  "m=audio 0 RTP/AVP 0\r\nm=audio 0 RTP/AVP 0\r\n",
		  TD_SDP_SENDRECV, TD_SDP_SENDRECV, 97, -1 },
		/* hold, its end, and both at once */
		{ "m=audio 5000 RTP/AVP 0\r\na=sendonly\r\n",
		  "m=audio 4000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=ptime:20\r\na=recvonly\r\n", TD_SDP_SENDRECV,
		  TD_SDP_RECVONLY, 0, -1 },
		{ "m=audio 5000 RTP/AVP 0\r\na=recvonly\r\n",
		  "m=audio 4000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=ptime:20\r\na=sendonly\r\n", TD_SDP_SENDRECV,
		  TD_SDP_SENDONLY, 0, -1 },
		{ "m=audio 5000 RTP/AVP 0\r\na=sendonly\r\n",
		  "m=audio 4000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=ptime:20\r\na=inactive\r\n", TD_SDP_SENDONLY,
		  TD_SDP_INACTIVE, 0, -1 },
		{ "m=audio 5000 RTP/AVP 0\r\na=inactive\r\n",
		  "m=audio 4000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=ptime:20\r\na=inactive\r\n", TD_SDP_SENDRECV,
		  TD_SDP_INACTIVE, 0, -1 },
		/* the hold of RFC 2543 */
		{ "m=audio 5000 RTP/AVP 0\r\nc=IN IP4 0.0.0.0\r\n",
		  "m=audio 4000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=ptime:20\r\na=recvonly\r\n", TD_SDP_SENDRECV,
		  TD_SDP_RECVONLY, 0, -1 },
	};
	struct td_sdp_stream s;
	struct td_sdp *answer;
	struct td_arena a;
	char text[1024];
	size_t i;

	for (i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct td_sdp_local l = alice;

		td_arena_init(&a);
		l.dir = rows[i].want;
		snprintf(text, sizeof(text), PEER "%s", rows[i].offer);
		assert_int_equal(td_sdp_answer(&answer, &s, &a, &l, parse(&a, text), NULL), 0);
		snprintf(text, sizeof(text), OURS "%s", rows[i].answer);
		assert_prints(answer, text);
		assert_true(s.active);
		assert_int_equal(s.dir, rows[i].dir);
		assert_int_equal(s.formats[0].send_pt, rows[i].pt);
		assert_int_equal(s.formats[0].recv_pt, rows[i].pt);
		assert_int_equal(s.has_dtmf ? s.dtmf.send_pt : -1, rows[i].dtmf);
		assert_int_equal(s.port, 5000);
		assert_int_equal(s.rtcp_port, 5001);
		td_arena_reset(&a);
	}
}

/* Nothing to take: 488. B5: telephone-event alone or without rtpmap, payload types nobody explains. */
static void b5_unacceptable(void **state)
{
	static const struct {
		const char *media;
		int err;
	} rows[] = {
		{ "m=audio 5000 RTP/AVP 18\r\n", TD_EUNSUPPORTED },
		{ "m=audio 5000 RTP/AVP\r\n", TD_EUNSUPPORTED },
		{ "m=audio 5000 RTP/AVP 101\r\n", TD_EUNSUPPORTED },
		{ "m=audio 5000 RTP/AVP 101\r\na=rtpmap:101 telephone-event/8000\r\n", TD_EUNSUPPORTED },
		{ "m=audio 5000 RTP/AVP 121\r\na=fmtp:121 0/0/0\r\n", TD_EUNSUPPORTED },
		{ "m=audio 5000 RTP/AVP 0\r\na=rtpmap:0 PCMU/0\r\n", TD_EUNSUPPORTED },
		{ "m=audio 5000 RTP/AVP 0\r\na=rtpmap:0 PCMU/16000\r\n", TD_EUNSUPPORTED },
		{ "m=audio 5000 RTP/SAVP 0\r\n", TD_EUNSUPPORTED },
		{ "m=audio 70000 RTP/AVP 0\r\n", TD_EUNSUPPORTED },
		{ "m=audio 5000 RTP/AVP 0\r\nc=IN IP4 224.1.1.1/1\r\n", TD_EUNSUPPORTED },
		{ "m=audio 5000 RTP/AVP 0\r\nc=IN IP4 300.1.1.1\r\n", TD_EUNSUPPORTED },
		{ "m=video 5000 RTP/AVP 0\r\n", TD_EUNSUPPORTED },
		{ "m=audio 0 RTP/AVP 0\r\n", 0 },
		{ "", 0 },
	};
	struct td_sdp_stream s;
	struct td_sdp *answer;
	struct td_arena a;
	char text[512];
	size_t i;

	for (i = 0; i < TD_ARRAY_LEN(rows); i++) {
		td_arena_init(&a);
		snprintf(text, sizeof(text), PEER "%s", rows[i].media);
		assert_int_equal(td_sdp_answer(&answer, &s, &a, &alice, parse(&a, text), NULL), rows[i].err);
		if (!rows[i].err)
			assert_false(s.active);
		td_arena_reset(&a);
	}
	td_arena_init(&a);
	assert_int_equal(td_sdp_answer(&answer, &s, &a, &alice, parse(&a, "v=0\r\nm=audio 1 RTP/AVP 0\r\n"), NULL),
			 TD_EUNSUPPORTED);
	td_arena_reset(&a);
}

static void reads_answers(void **state)
{
	static const struct {
		const char *media;
		int err;
		enum td_sdp_dir dir;
		uint8_t send_pt, recv_pt;
		int dtmf;
		uint16_t rtcp_port;
	} rows[] = {
		{ "m=audio 5000 RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000\r\n", 0, TD_SDP_SENDRECV, 8, 8, 101, 5001 },
		{ "m=audio 5000 RTP/AVP 8 101\r\n", 0, TD_SDP_SENDRECV, 8, 8, 101, 5001 }, /* rtpmap left away */
		{ "m=audio 5000 RTP/AVP 96 97\r\na=rtpmap:96 PCMA/8000\r\na=rtpmap:97 telephone-event/8000\r\na=rtcp:6000\r\n", 0,
		  TD_SDP_SENDRECV, 96, 8, 97, 6000 },
		{ "m=audio 5000 RTP/AVP 0\r\na=recvonly\r\n", 0, TD_SDP_SENDONLY, 0, 0, -1, 5001 },
		{ "m=audio 5000 RTP/AVP 0\r\na=sendonly\r\n", 0, TD_SDP_RECVONLY, 0, 0, -1, 5001 },
		{ "m=audio 5000 RTP/AVP 0\r\nc=IN IP4 0.0.0.0\r\n", 0, TD_SDP_RECVONLY, 0, 0, -1, 5001 },
		{ "m=audio 65535 RTP/AVP 0\r\n", 0, TD_SDP_SENDRECV, 0, 0, -1, 0 },
		{ "m=audio 5000 RTP/AVP 18\r\n", TD_ESYNTAX, 0, 0, 0, 0, 0 },
		{ "m=audio 5000 RTP/AVP 101\r\n", TD_ESYNTAX, 0, 0, 0, 0, 0 },
		{ "m=audio 5000 RTP/SAVP 0\r\n", TD_ESYNTAX, 0, 0, 0, 0, 0 },
		{ "m=video 5000 RTP/AVP 0\r\n", TD_ESYNTAX, 0, 0, 0, 0, 0 },
		{ "m=audio 5000 RTP/AVP 0\r\nm=audio 5002 RTP/AVP 0\r\n", TD_ESYNTAX, 0, 0, 0, 0, 0 },
		{ "", TD_ESYNTAX, 0, 0, 0, 0, 0 },
	};
	struct td_sdp_stream s;
	struct td_sdp *offer;
	struct td_arena a;
	char text[512];
	size_t i;

	for (i = 0; i < TD_ARRAY_LEN(rows); i++) {
		td_arena_init(&a);
		assert_int_equal(td_sdp_offer(&offer, &a, &alice, NULL), 0);
		snprintf(text, sizeof(text), PEER "%s", rows[i].media);
		assert_int_equal(td_sdp_read_answer(&s, &alice, offer, parse(&a, text)), rows[i].err);
		if (!rows[i].err) {
			assert_true(s.active);
			assert_int_equal(s.dir, rows[i].dir);
			assert_int_equal(s.formats[0].send_pt, rows[i].send_pt);
			assert_int_equal(s.formats[0].recv_pt, rows[i].recv_pt);
			assert_int_equal(s.has_dtmf ? s.dtmf.send_pt : -1, rows[i].dtmf);
			assert_int_equal(s.rtcp_port, rows[i].rtcp_port);
		}
		td_arena_reset(&a);
	}
	td_arena_init(&a);
	assert_int_equal(td_sdp_offer(&offer, &a, &alice, NULL), 0);
	assert_int_equal(td_sdp_read_answer(&s, &alice, offer, parse(&a, PEER "m=audio 0 RTP/AVP 0\r\n")), 0);
	assert_false(s.active);
	td_arena_reset(&a);
}

/* After answering, our own offer keeps the lines and numbers and raises the version; the same again does not (§8). */
static void later_offers(void **state)
{
	struct td_sdp_local hold = alice;
	struct td_sdp *answer, *second, *third;
	struct td_sdp_stream s;
	struct td_arena a;

	td_arena_init(&a);
	hold.dir = TD_SDP_SENDONLY;
	assert_int_equal(td_sdp_answer(&answer, &s, &a, &alice,
				       parse(&a, PEER "m=video 5002 RTP/AVP 31\r\nm=audio 5000 RTP/AVP 8 101 96\r\na=rtpmap:101 "
						      "iLBC/8000\r\na=rtpmap:96 telephone-event/8000\r\n"),
				       NULL),
			 0);
	assert_int_equal(s.index, 1);
	assert_int_equal(td_sdp_offer(&second, &a, &hold, answer), 0);
	assert_prints(second,
		      "v=0\r\no=- 7 8 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
		      "m=video 0 RTP/AVP 31\r\nm=audio 4000 RTP/AVP 0 8 96\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n"
		      "a=rtpmap:96 telephone-event/8000\r\na=fmtp:96 0-16\r\na=ptime:20\r\na=sendonly\r\n");
	assert_int_equal(td_sdp_offer(&third, &a, &hold, second), 0);
	assert_str(third->origin.version, "8");
	assert_int_equal(td_sdp_offer(&third, &a, &alice, second), 0);
	assert_str(third->origin.version, "9");
	td_arena_reset(&a);
}

/* A number in use for one codec is not given to another. */
static void numbers_do_not_move(void **state)
{
	static const struct td_sdp_codec more[] = {
		{ 0, 1, 8000, TD_STR_INIT("PCMU"), TD_STR_INIT("") },
		{ 96, 2, 48000, TD_STR_INIT("opus"), TD_STR_INIT("") },
		{ 101, 1, 8000, TD_STR_INIT("telephone-event"), TD_STR_INIT("") },
	};
	struct td_sdp_local l = alice;
	struct td_sdp *answer, *offer;
	struct td_sdp_stream s;
	struct td_arena a;

	td_arena_init(&a);
	l.codecs = more;
	l.ptime_ms = 0;
	l.rtcp_port = 9999;
	assert_int_equal(td_sdp_answer(&answer, &s, &a, &l,
				       parse(&a, PEER "m=audio 5000 RTP/AVP 0 96\r\na=rtpmap:96 telephone-event/8000\r\n"), NULL),
			 0);
	assert_int_equal(td_sdp_offer(&offer, &a, &l, answer), 0);
	assert_prints(offer, "v=0\r\no=- 7 8 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
			     "m=audio 4000 RTP/AVP 0 97 96\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:97 opus/48000/2\r\n"
			     "a=rtpmap:96 telephone-event/8000\r\na=rtcp:9999\r\na=sendrecv\r\n");
	td_arena_reset(&a);
}

/* A refused or ended audio line is used again, not added to. */
static void lines_are_reused(void **state)
{
	struct td_sdp *empty, *first, *answer;
	struct td_sdp_stream s;
	struct td_arena a;

	td_arena_init(&a);
	assert_int_equal(td_sdp_answer(&empty, &s, &a, &alice, parse(&a, PEER), NULL), 0);
	assert_int_equal(empty->n_media, 0);
	assert_int_equal(td_sdp_offer(&first, &a, &alice, empty), 0);
	assert_int_equal(first->n_media, 1);
	assert_int_equal(td_sdp_answer(&answer, &s, &a, &alice, parse(&a, PEER "m=audio 0 RTP/AVP 0\r\n"), first), 0);
	assert_int_equal(answer->media->port, 0);
	assert_str(answer->origin.version, "9");
	assert_int_equal(td_sdp_offer(&first, &a, &alice, answer), 0);
	assert_int_equal(first->n_media, 1);
	assert_int_equal(first->media->port, 4000);
	td_arena_reset(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_offer),      cmocka_unit_test(answers),      cmocka_unit_test(b5_unacceptable),
		cmocka_unit_test(reads_answers),    cmocka_unit_test(later_offers), cmocka_unit_test(numbers_do_not_move),
		cmocka_unit_test(lines_are_reused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
