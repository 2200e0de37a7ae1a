/*
 * Messages: what the index finds, and the verdict on what is wrong: a defect that is answered, or no message at all.
 * The rows change one good request or response in one place.
 */
#include "sip_support.h"

#define VIA "Via: SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bK1;rport\r\n"
#define FROM "From: \"A\" <sip:a@example.com>;tag=1\r\n"
#define TO "To: <sip:b@example.com>\r\n"
#define CALL_ID "Call-ID: c1@192.0.2.1\r\n"
#define CSEQ "CSeq: 7 OPTIONS\r\n"
#define MAX "Max-Forwards: 70\r\n"
#define LINE "OPTIONS sip:b@example.com SIP/2.0\r\n"
#define CORE VIA FROM TO CALL_ID CSEQ
#define STATUS "SIP/2.0 200 OK\r\n"

static void request(void **state)
{
	struct td_msg *m = msg_z(
		LINE VIA "v: SIP/2.0/TCP h\r\n"
			 "f:<sip:a@x>;tag=1\r\n" TO CALL_ID CSEQ MAX
			 "Subject :  two\r\n\twords  \r\nX-New: 1\r\nx-new: 2\r\nAllow: INVITE, ACK\r\nAllow:\r\nAllow: BYE\r\n"
			 "l: 2\r\n\r\nabcd");
	const struct td_hdr *h;
	struct td_values it;
	struct td_str v;

	assert_true(m->request);
	assert_int_equal(m->defect.status, 0);
	assert_int_equal(m->method, TD_OPTIONS);
	assert_str(m->uri, "sip:b@example.com");
	assert_str(m->ruri.host, "example.com");
	assert_str(m->via.host, "192.0.2.1");
	assert_int_equal(m->via.port, 5070);
	assert_str(m->via.branch, "z9hG4bK1");
	assert_str(m->from.uri.text, "sip:a@x");
	assert_str(m->from_tag, "1");
	assert_null(m->to_tag.p);
	assert_str(m->call_id, "c1@192.0.2.1");
	assert_int_equal(m->cseq.num, 7);
	assert_int_equal(m->max_forwards, 70);
	assert_str(m->body, "ab");
	assert_int_equal(m->bytes.p + m->bytes.n == m->body.p + 2, 1);
	assert_str(td_msg_value(m, TD_HDR_SUBJECT), "two\r\n\twords");
	assert_str(td_hdr_line(m, td_msg_hdr(m, TD_HDR_SUBJECT)), "Subject :  two\r\n\twords  \r\n");
	assert_int_equal(td_msg_hdr(m, TD_HDR_SUBJECT)->name_n, 7);
	assert_null(td_msg_value(m, TD_HDR_CONTACT).p);
	h = td_msg_hdr(m, TD_HDR_VIA);
	assert_str(td_hdr_value(m, td_msg_hdr_next(m, h)), "SIP/2.0/TCP h");
	h = td_msg_hdr_named(m, TD_STR("X-NEW"));
	assert_str(td_hdr_value(m, h), "1");
	assert_str(td_hdr_value(m, td_msg_hdr_next(m, h)), "2");
	assert_null(td_msg_hdr_named(m, TD_STR("X-Old")));
	td_values_of(&it, m, TD_HDR_ALLOW);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(td_values_next(&v, &it), 1);
		assert_str(v, ((const char *[]){ "INVITE", "ACK", "BYE" })[i]);
	}
	assert_int_equal(td_values_next(&v, &it), 0);
	assert_true(td_msg_has_token(m, TD_HDR_ALLOW, TD_STR("bye")));
	assert_false(td_msg_has_token(m, TD_HDR_ALLOW, TD_STR("CANCEL")));
	assert_ptr_equal(td_msg_ref(m), m);
	td_msg_unref(m);
	td_msg_unref(m);
	td_msg_unref(NULL);
}

static void response(void **state)
{
	struct td_msg *m = msg_z("SIP/2.0 404 N\xc3\xb6 \r\n" VIA FROM "To: sip:b@x;tag=9\r\n" CALL_ID "CSeq: 1 INVITE\r\n\r\n");

	assert_false(m->request);
	assert_int_equal(m->status, 404);
	assert_str(m->reason, "N\xc3\xb6 ");
	assert_int_equal(m->method, TD_INVITE);
	assert_str(m->to_tag, "9");
	assert_int_equal(m->max_forwards, -1);
	td_msg_unref(m);
	m = msg_z("SIP/2.0 100 \r\n" CORE "\r\n");
	assert_int_equal(m->reason.n, 0);
	td_msg_unref(m);
	/* the URIs are the request's, and left unread; what stands round them is not */
	m = msg_z(STATUS VIA "From: A <sip:a@x:y>;x=1;tag=1\r\n"
			     "To: <>;tag=2\r\n" CALL_ID CSEQ "\r\n");
	assert_str(m->from.text, "A <sip:a@x:y>;x=1;tag=1");
	assert_str(m->from_tag, "1");
	assert_str(m->to_tag, "2");
	assert_null(m->from.uri.text.p);
	td_msg_unref(m);
}

enum { DROP = -1 };

struct row {
	const char *name, *text;
	int verdict; /* 0: good; DROP; else the defect's status */
};

static void check(const struct row *r, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct td_msg *m = NULL;
		int err = msg_parse(&m, td_str_of(r[i].text));
		int got = err ? DROP : m->defect.status;

		if (err)
			assert_int_equal(err, TD_ESYNTAX);
		if (got != r[i].verdict)
			fail_msg("%s: got %d (%s), not %d", r[i].name, got, err ? "" : m->defect.why, r[i].verdict);
		if (got > 0)
			assert_true(m->defect.why && *m->defect.why);
		td_msg_unref(m);
	}
}

static void p1_content_length(void **state)
{
	static const struct row rows[] = {
		{ "absent: to the end", LINE CORE "\r\nbody", 0 },
		{ "exact", LINE CORE "Content-Length: 4\r\n\r\nbody", 0 },
		{ "less than there is", LINE CORE "Content-Length: 2\r\n\r\nbody", 0 },
		{ "zeros before", LINE CORE "Content-Length: 0004\r\n\r\nbody", 0 },
		{ "one more than there is", LINE CORE "Content-Length: 5\r\n\r\nbody", 400 },
		{ "signed", LINE CORE "Content-Length: +4\r\n\r\nbody", 400 },
		{ "negative", LINE CORE "Content-Length: -4\r\n\r\nbody", 400 },
		{ "hexadecimal", LINE CORE "Content-Length: 0x4\r\n\r\nbody", 400 },
		{ "empty", LINE CORE "Content-Length:\r\n\r\nbody", 400 },
		{ "two numbers", LINE CORE "Content-Length: 4 4\r\n\r\nbody", 400 },
		{ "a list", LINE CORE "Content-Length: 4, 4\r\n\r\nbody", 400 },
		{ "2^32 + 4", LINE CORE "Content-Length: 4294967300\r\n\r\nbody", 400 },
		{ "2^64 + 4", LINE CORE "Content-Length: 18446744073709551620\r\n\r\nbody", 400 },
		{ "20 digits", LINE CORE "Content-Length: 99999999999999999999\r\n\r\nbody", 400 },
		{ "conflict", LINE CORE "Content-Length: 4\r\nl: 3\r\n\r\nbody", 400 },
		{ "response", STATUS CORE "Content-Length: 5\r\n\r\nbody", DROP },
	};

	check(rows, TD_ARRAY_LEN(rows));
}

static void p2_cseq(void **state)
{
	static const struct row rows[] = {
		{ "2^31-1", LINE VIA FROM TO CALL_ID "CSeq: 2147483647 OPTIONS\r\n\r\n", 0 },
		{ "2^31", LINE VIA FROM TO CALL_ID "CSeq: 2147483648 OPTIONS\r\n\r\n", 400 },
		{ "2^32", LINE VIA FROM TO CALL_ID "CSeq: 4294967296 OPTIONS\r\n\r\n", 400 },
		{ "2^64", LINE VIA FROM TO CALL_ID "CSeq: 18446744073709551616 OPTIONS\r\n\r\n", 400 },
		{ "other method", LINE VIA FROM TO CALL_ID "CSeq: 1 INVITE\r\n\r\n", 400 },
		{ "case", LINE VIA FROM TO CALL_ID "CSeq: 1 options\r\n\r\n", 400 },
		{ "other unknown method", "NEW sip:a SIP/2.0\r\n" VIA FROM TO CALL_ID "CSeq: 1 NEWER\r\n\r\n", 400 },
		{ "unknown method", "NEW sip:a SIP/2.0\r\n" VIA FROM TO CALL_ID "CSeq: 1 NEW\r\n\r\n", 0 },
		{ "none", LINE VIA FROM TO CALL_ID "\r\n", 400 },
		{ "empty", LINE VIA FROM TO CALL_ID "CSeq:\r\n\r\n", 400 },
		{ "response", STATUS VIA FROM TO CALL_ID "CSeq: 2147483648 OPTIONS\r\n\r\n", DROP },
	};

	check(rows, TD_ARRAY_LEN(rows));
}

/* start, then unit often enough to be n bytes, then end. */
static void check_long(const char *name, const char *start, const char *unit, size_t n, const char *end, int verdict)
{
	struct td_out o;
	struct row r = { .name = name, .verdict = verdict };

	td_out_init(&o);
	td_out_z(&o, start);
	for (; n >= strlen(unit); n -= strlen(unit))
		td_out_z(&o, unit);
	td_out_z(&o, end);
	td_out_char(&o, '\0');
	r.text = o.p;
	check(&r, 1);
	td_out_free(&o);
}

static void p3_token_caps(void **state)
{
	static const size_t sizes[] = { 1025, 4096, 8000, 60000 };

	for (size_t i = 0; i < TD_ARRAY_LEN(sizes); i++) {
		size_t n = sizes[i];
		int field = n > 8100 ? 513 : 400; /* the field is too long before its token is looked at */

		check_long("tag", LINE VIA TO CALL_ID CSEQ "From: <sip:a@b>;tag=", "x", n, "\r\n\r\n", field);
		check_long("branch", LINE FROM TO CALL_ID CSEQ "Via: SIP/2.0/UDP h;branch=", "x", n, "\r\n\r\n",
			   n > 8100 ? DROP : 400);
		check_long("Call-ID", LINE VIA FROM TO CSEQ "Call-ID: ", "x", n, "\r\n\r\n", field);
		check_long("user", LINE VIA TO CALL_ID CSEQ "From: <sip:", "x", n, "@b>;tag=1\r\n\r\n", field);
		check_long("Request-URI user", "OPTIONS sip:", "x", n, "@b SIP/2.0\r\n" CORE "\r\n", 414);
		check_long("Request-URI host", "OPTIONS sip:", "x", n < 2048 ? 2048 : n, " SIP/2.0\r\n" CORE "\r\n", 414);
		check_long("method", "", "X", n, " sip:b SIP/2.0\r\n" CORE "\r\n", 400);
		check_long("reason", "SIP/2.0 200 ", "x", n, "\r\n" CORE "\r\n", n > 8100 ? DROP : 0);
	}
	check_long("Call-ID at the cap", LINE VIA FROM TO CSEQ "Call-ID: ", "x", 1024, "\r\n\r\n", 0);
}

static void p4_doubled(void **state)
{
	static const struct row rows[] = {
		{ "From", LINE CORE FROM "\r\n", 400 },
		{ "To", LINE CORE TO "\r\n", 400 },
		{ "compact To", LINE CORE "t: <sip:b@x>\r\n\r\n", 400 },
		{ "Call-ID", LINE CORE CALL_ID "\r\n", 400 },
		{ "CSeq", LINE CORE CSEQ "\r\n", 400 },
		{ "Max-Forwards", LINE CORE MAX MAX "\r\n", 400 },
		{ "response", STATUS CORE TO "\r\n", DROP },
		{ "empty From tag", LINE VIA "From: <sip:a@x>;tag=\r\n" TO CALL_ID CSEQ "\r\n", 400 },
		{ "no From tag value", LINE VIA "From: <sip:a@x>;tag\r\n" TO CALL_ID CSEQ "\r\n", 400 },
		{ "empty To tag", LINE VIA FROM "To: <sip:a@x>;tag=\"\"\r\n" CALL_ID CSEQ "\r\n", 400 },
		{ "two tags", LINE VIA FROM "To: <sip:a@x>;tag=1;tag=2\r\n" CALL_ID CSEQ "\r\n", 400 },
		{ "no tag (RFC 2543)", LINE VIA "From: <sip:a@x>\r\n" TO CALL_ID CSEQ "\r\n", 0 },
		{ "no From", LINE VIA TO CALL_ID CSEQ "\r\n", 400 },
		{ "only Via", LINE VIA "\r\n", 400 },
		{ "no Via", LINE FROM TO CALL_ID CSEQ "\r\n", DROP },
		{ "response with an open bracket", STATUS VIA "From: <sip:a@x;tag=1\r\n" TO CALL_ID CSEQ "\r\n", DROP },
		{ "response with an empty tag", STATUS VIA FROM "To: <sip:a@x>;tag=\r\n" CALL_ID CSEQ "\r\n", DROP },
		{ "response without Call-ID", STATUS VIA FROM TO CSEQ "\r\n", DROP },
	};

	check(rows, TD_ARRAY_LEN(rows));
}

static void p5_via(void **state)
{
	static const struct row rows[] = {
		{ "no branch (RFC 2543)", LINE "Via: SIP/2.0/UDP h\r\n" FROM TO CALL_ID CSEQ "\r\n", 0 },
		{ "several", LINE "Via: SIP/2.0/UDP h;branch=1, SIP/2.0/TCP i\r\n" FROM TO CALL_ID CSEQ "\r\n", 0 },
		{ "junk after sent-by", LINE "Via: SIP/2.0/UDP h;;,;,,\r\n" FROM TO CALL_ID CSEQ "\r\n", 400 },
		{ "empty parameter", LINE "Via: SIP/2.0/UDP h;branch=\r\n" FROM TO CALL_ID CSEQ "\r\n", 400 },
		{ "comma at the end", LINE "Via: SIP/2.0/UDP h;branch=1,\r\n" FROM TO CALL_ID CSEQ "\r\n", 400 },
		{ "empty", LINE "Via:\r\n" FROM TO CALL_ID CSEQ "\r\n", DROP },
		{ "no host", LINE "Via: SIP/2.0/UDP ;branch=1\r\n" FROM TO CALL_ID CSEQ "\r\n", DROP },
		{ "bad port", LINE "Via: SIP/2.0/UDP h:65536;branch=1\r\n" FROM TO CALL_ID CSEQ "\r\n", 400 },
		{ "empty port", LINE "Via: SIP/2.0/UDP [::1]:;branch=1\r\n" FROM TO CALL_ID CSEQ "\r\n", 400 },
		{ "bad host", LINE "Via: SIP/2.0/UDP [::x]:1\r\n" FROM TO CALL_ID CSEQ "\r\n", DROP },
		{ "response with a bad port", STATUS "Via: SIP/2.0/UDP h:0\r\n" FROM TO CALL_ID CSEQ "\r\n", DROP },
		{ "response with junk", STATUS "Via: SIP/2.0/UDP h;;\r\n" FROM TO CALL_ID CSEQ "\r\n", DROP },
	};

	check(rows, TD_ARRAY_LEN(rows));
	check_long("71 Via", LINE CORE, VIA, 70 * strlen(VIA), "\r\n", 400);
	check_long("70 Via", LINE CORE, VIA, 69 * strlen(VIA), "\r\n", 0);
}

static void p6_line_ends(void **state)
{
	static const struct row rows[] = {
		{ "blank before the colon", LINE CORE "Subject \t: x\r\n\r\n", 0 },
		{ "folds", LINE "Via:\r\n SIP/2.0/UDP h\r\n\t;branch=1\r\nFrom\t: sip:a@x\r\n ;tag=1\r\n" TO CALL_ID CSEQ "\r\n",
		  0 },
		{ "blank line inside a fold", LINE CORE "Subject: x\r\n \r\n\r\n", 0 },
		{ "fold before the colon", LINE CORE "Subject\r\n : x\r\n\r\n", 400 },
		{ "fold at the start", LINE " x\r\n" CORE "\r\n", 400 },
		{ "bare LF", LINE CORE "Subject: x\nX: y\r\n\r\n", 400 },
		{ "bare CR", LINE CORE "Subject: x\rX: y\r\n\r\n", 400 },
		{ "CR CR LF", LINE CORE "Subject: x\r\r\n\r\n", 400 },
		{ "LF only",
		  "OPTIONS sip:b SIP/2.0\nVia: SIP/2.0/UDP h\nFrom: sip:a@x\nTo: sip:a@x\nCall-ID: 1\nCSeq: 1 OPTIONS\n\n", 400 },
		{ "LF in a response", "SIP/2.0 200 OK\n" CORE "\r\n", DROP },
		{ "no colon", LINE CORE "Subject\r\n\r\n", 400 },
		{ "no name", LINE CORE ": x\r\n\r\n", 400 },
		{ "name that is no token", LINE CORE "Sub ject: x\r\n\r\n", 400 },
		{ "no empty line", LINE CORE, 400 },
		{ "cut in a field", LINE CORE "Subj", 400 },
		{ "cut in a line end", LINE CORE "Subject: x\r", 400 },
		{ "other bytes are opaque", LINE CORE "Subject: \x01\x7f\xff\r\n\r\n", 0 },
	};
	static const char nul_pair[] = LINE VIA "From: \"\\\0\" <sip:a@x>;tag=1\r\n" TO CALL_ID CSEQ "\r\n";
	static const char nul_value[] = LINE CORE "Subject: a\\\\\0b\r\n\r\n",
			  nul_uri[] = "OPTIONS sip:b\0c@x SIP/2.0\r\n" CORE "\r\n";
	struct td_msg *m;

	check(rows, TD_ARRAY_LEN(rows));
	m = msg_of(td_str_n(nul_pair, sizeof(nul_pair) - 1));
	assert_int_equal(m->defect.status, 0);
	td_msg_unref(m);
	m = msg_of(td_str_n(nul_value, sizeof(nul_value) - 1));
	assert_int_equal(m->defect.status, 400);
	td_msg_unref(m);
	m = msg_of(td_str_n(nul_uri, sizeof(nul_uri) - 1));
	assert_int_equal(m->defect.status, 400);
	td_msg_unref(m);
}

static void p7_counts(void **state)
{
	check_long("250 fields", LINE CORE, "a:\r\n", 245 * 4, "\r\n", 0);
	check_long("251 fields", LINE CORE, "a:\r\n", 246 * 4, "\r\n", 513);
	check_long("10k fields", LINE CORE, "a:b\r\n", 50000, "\r\n", 513);
	check_long("8 KiB", LINE CORE "Subject: ", "x", 8192 - 11, "\r\n\r\n", 0);
	check_long("8 KiB and one", LINE CORE "Subject: ", "x", 8192 - 10, "\r\n\r\n", 513);
	check_long("60 KiB", LINE CORE "Subject: ", "x", 60000, "\r\n\r\n", 513);
	check_long("folds", LINE CORE "Subject: x", "\r\n y", 8000, "\r\n\r\n", 0);
	check_long("a response", STATUS CORE, "a:\r\n", 246 * 4, "\r\n", DROP);
	check_long("no end", LINE CORE, "a:b\r\n", 60000, "", 513);
}

static void p8_request_line(void **state)
{
	static const struct row rows[] = {
		{ "unknown scheme is for the server to judge", "OPTIONS a:b SIP/2.0\r\n" CORE "\r\n", 0 },
		{ "brackets", "OPTIONS <sip:b@x> SIP/2.0\r\n" CORE "\r\n", 400 },
		{ "blank in the URI", "OPTIONS sip:b@x; lr SIP/2.0\r\n" CORE "\r\n", 400 },
		{ "two blanks", "OPTIONS  sip:b@x SIP/2.0\r\n" CORE "\r\n", 400 },
		{ "two blanks later", "OPTIONS sip:b@x  SIP/2.0\r\n" CORE "\r\n", 400 },
		{ "HTAB", "OPTIONS sip:b@x\tSIP/2.0\r\n" CORE "\r\n", 400 },
		{ "blank at the end", "OPTIONS sip:b@x SIP/2.0 \r\n" CORE "\r\n", 400 },
		{ "no URI", "OPTIONS SIP/2.0\r\n" CORE "\r\n", DROP },
		{ "empty URI", "OPTIONS  SIP/2.0\r\n" CORE "\r\n", 400 },
		{ "headers", "OPTIONS sip:b@x?Route=%3Csip:a%3E SIP/2.0\r\n" CORE "\r\n", 400 },
		{ "version 7.0", "OPTIONS sip:b@x SIP/7.0\r\n" CORE "\r\n", 505 },
		{ "version 2.00", "OPTIONS sip:b@x SIP/2.00\r\n" CORE "\r\n", 505 },
		{ "version in lower case", "OPTIONS sip:b@x sip/2.0\r\n" CORE "\r\n", 0 },
		{ "no version", "OPTIONS sip:b@x\r\n" CORE "\r\n", DROP },
		{ "half a version", "OPTIONS sip:b@x SIP/2\r\n" CORE "\r\n", DROP },
		{ "method that is no token", "OPT(IONS sip:b@x SIP/2.0\r\n" CORE "\r\n", DROP },
		{ "Max-Forwards 255", LINE CORE "Max-Forwards: 255\r\n\r\n", 0 },
		{ "Max-Forwards 256", LINE CORE "Max-Forwards: 256\r\n\r\n", 400 },
		{ "Max-Forwards -1", LINE CORE "Max-Forwards: -1\r\n\r\n", 400 },
		{ "Max-Forwards empty", LINE CORE "Max-Forwards:\r\n\r\n", 400 },
	};

	check(rows, TD_ARRAY_LEN(rows));
}

static void p9_unterminated(void **state)
{
	static const struct row rows[] = {
		{ "quote", LINE VIA "From: \"A <sip:a@x>;tag=1\r\n" TO CALL_ID CSEQ "\r\n", 400 },
		{ "escaped quote", LINE VIA "From: \"A\\\" <sip:a@x>;tag=1\r\n" TO CALL_ID CSEQ "\r\n", 400 },
		{ "backslash at the end", LINE VIA "From: \"A\\\r\n" TO CALL_ID CSEQ "\r\n", 400 },
		{ "angle", LINE VIA "From: <sip:a@x;tag=1\r\n" TO CALL_ID CSEQ "\r\n", 400 },
		{ "quote in the Via list", LINE "Via: SIP/2.0/UDP h;x=\"a, SIP/2.0/UDP i\r\n" FROM TO CALL_ID CSEQ "\r\n", 400 },
	};

	check(rows, TD_ARRAY_LEN(rows));
}

static void p10_not_sip(void **state)
{
	static const struct row rows[] = {
		{ "nothing", "", DROP },
		{ "CRLF", "\r\n\r\n", DROP },
		{ "text", "jaK", DROP },
		{ "line", "hello\r\n\r\n", DROP },
		{ "HTTP", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", DROP },
		{ "RTSP", "OPTIONS rtsp://x RTSP/1.0\r\nCSeq: 1\r\n\r\n", DROP },
		{ "HTTP response", "HTTP/1.1 200 OK\r\n\r\n", DROP },
		{ "STUN",
		  "\x01\x01\x01\x01!\x12\xa4"
		  "Bxxxxxxxxxxxx",
		  DROP },
		{ "TLS", "\x16\x03\x01\x02", DROP },
	};

	check(rows, TD_ARRAY_LEN(rows));
	assert_int_equal(msg_parse(&(struct td_msg *){ NULL }, TD_STR("\0\0\0\0")), TD_ESYNTAX);
}

static void p11_status(void **state)
{
	static const struct row rows[] = {
		{ "100", "SIP/2.0 100 x\r\n" CORE "\r\n", 0 },
		{ "699", "SIP/2.0 699 x\r\n" CORE "\r\n", 0 },
		{ "099", "SIP/2.0 099 x\r\n" CORE "\r\n", DROP },
		{ "000", "SIP/2.0 000 x\r\n" CORE "\r\n", DROP },
		{ "99", "SIP/2.0 99 x\r\n" CORE "\r\n", DROP },
		{ "700", "SIP/2.0 700 x\r\n" CORE "\r\n", DROP },
		{ "99999", "SIP/2.0 99999 x\r\n" CORE "\r\n", DROP },
		{ "2x0", "SIP/2.0 2x0 x\r\n" CORE "\r\n", DROP },
		{ "two blanks", "SIP/2.0  200 x\r\n" CORE "\r\n", DROP },
		{ "version", "SIP/3.0 200 x\r\n" CORE "\r\n", DROP },
		{ "cut", "SIP/2.0 20", DROP },
	};

	check(rows, TD_ARRAY_LEN(rows));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(request),         cmocka_unit_test(response),        cmocka_unit_test(p1_content_length),
		cmocka_unit_test(p2_cseq),         cmocka_unit_test(p3_token_caps),   cmocka_unit_test(p4_doubled),
		cmocka_unit_test(p5_via),          cmocka_unit_test(p6_line_ends),    cmocka_unit_test(p7_counts),
		cmocka_unit_test(p8_request_line), cmocka_unit_test(p9_unterminated), cmocka_unit_test(p10_not_sip),
		cmocka_unit_test(p11_status),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
