/*
 * What is no good message, sent to the running server over UDP and over TCP by somebody whom it trusts, so that nothing
 * hides behind a challenge. Each row is a message with one thing wrong; it gets the status named or none at all, the callee never
 * hears of it, and afterwards nothing of it is left in the server. The ids of the threat table begin the names.
 *
 * "{1025}" in a row stands for that many letters, "{#1000:;p=%u}" for that many numbered copies of the text.
 */
#include "harness.h"

struct bad {
	const char *what;
	unsigned udp, tcp; /* status; DROP: none; PASS: it is fine, and bob gets it */
	const char *line, *via, *from, *to, *call_id, *cseq, *extra, *body; /* NULL: a good one; "": left out */
	bool closes;                                                        /* the framing is lost with it: TCP is closed */
};

enum { DROP = 0, PASS = 1 };

struct rig {
	struct world w;
	struct phone a[2], b; /* UDP, TCP; and who is called */
};

static void rig_open(struct rig *r)
{
	world_open(&r->w, 7, 2, NULL);
	world_user(&r->w, "alice", "wonderland");
	world_user(&r->w, "bob", "builder");
	phone_open(&r->a[0], &r->w, "alice", "10.0.1.1", 5060, TD_UDP);
	phone_open(&r->a[1], &r->w, "alice", "10.0.1.3", 5060, TD_TCP);
	phone_open(&r->b, &r->w, "bob", "10.0.1.2", 5060, TD_UDP);
	r->a[0].raw = r->a[1].raw = true;
	phone_register(&r->b, "example.test");
}

static void rig_close(struct rig *r)
{
	phone_close(&r->a[0]);
	phone_close(&r->a[1]);
	phone_close(&r->b);
	world_close(&r->w);
}

static void expand(struct td_out *o, const char *z)
{
	while (*z) {
		const char *end = *z == '{' ? strchr(z, '}') : NULL;
		bool numbered = end && z[1] == '#';
		char *text;
		unsigned long n;

		if (!end) {
			td_out_char(o, *z++);
			continue;
		}
		n = strtoul(z + 1 + numbered, &text, 10);
		for (unsigned long i = 0; i < n; i++) {
			if (!numbered) {
				td_out_char(o, 'a');
				continue;
			}
			for (const char *p = text + 1; p < end; p++) {
				if (*p == '%')
					td_out_u64(o, i);
				else
					td_out_char(o, *p);
			}
		}
		z = end + 1;
	}
}

static void put(struct td_out *o, const char *name, const char *value, const char *good)
{
	const char *v = value ? value : good;

	if (!*v)
		return;
	td_out_z(o, name);
	expand(o, v);
	td_out_z(o, "\r\n");
}

static void build(struct td_out *o, const struct bad *row, struct phone *p, unsigned serial)
{
	const char *proto = p->proto == TD_TCP ? "TCP" : "UDP", *ip = p->proto == TD_TCP ? "10.0.1.3" : "10.0.1.1";
	char via[160], id[32];

	snprintf(via, sizeof(via), "SIP/2.0/%s %s:5060;branch=z9hG4bKbad%u", proto, ip, serial);
	snprintf(id, sizeof(id), "bad%u", serial);
	td_out_init(o);
	put(o, "", row->line, "MESSAGE sip:bob@example.test SIP/2.0");
	put(o, "Via: ", row->via, via);
	put(o, "From: ", row->from, "<sip:alice@example.test>;tag=1");
	put(o, "To: ", row->to, "<sip:bob@example.test>");
	put(o, "Call-ID: ", row->call_id, id);
	put(o, "CSeq: ", row->cseq, "1 MESSAGE");
	put(o, "", row->extra, "Content-Length: 0");
	td_out_z(o, "\r\n");
	if (row->body)
		expand(o, row->body);
	assert_false(o->failed);
}

static void one(struct rig *r, const struct bad *row, struct phone *p)
{
	unsigned want = p->proto == TD_TCP ? row->tcp : row->udp;
	struct td_msg *m;
	struct td_out o;

	p->raw_n = 0;
	p->closed = false;
	build(&o, row, p, ++r->w.serial);
	phone_send_bytes(p, td_out_view(&o));
	td_out_free(&o);
	world_run(&r->w, 50);
	m = maybe_request(&r->b, "MESSAGE", 0);
	if ((want == PASS) != (m != NULL))
		fail_msg("%s: %s", row->what, m ? "passed on" : "not passed on");
	if (m) {
		phone_answer(&r->b, m, 200, "", NULL);
		world_run(&r->w, 50);
		want = 200;
	}
	if (p->raw_n != (want != DROP) || (want && p->raw_status != want))
		fail_msg("%s over %.*s: wanted %u, got %u answers, the last %u", row->what, TD_FMT(td_proto_name(p->proto)), want,
			 p->raw_n, p->raw_status);
	if (p->proto == TD_TCP && p->closed != row->closes)
		fail_msg("%s: the connection is %s", row->what, p->closed ? "closed" : "open");
	want_silence(&r->b, 0);
}

static void run(const struct bad *rows, size_t n)
{
	struct rig r;

	rig_open(&r);
	for (size_t i = 0; i < n; i++)
		for (int k = 0; k < 2; k++)
			one(&r, &rows[i], &r.a[k]);
	phone_forget(&r.a[0]);
	phone_forget(&r.a[1]);
	for (int k = 0; k < 2; k++) { /* and it serves on */
		phone_send(&r.a[k], "OPTIONS sip:example.test SIP/2.0\nVia: SIP/2.0/UDP "
				    "10.0.1.1:5060;rport;branch=z9hG4bKo\nFrom: <sip:alice@example.test>;tag=1\n"
				    "To: <sip:example.test>\nCall-ID: o\nCSeq: 1 OPTIONS\nContent-Length: 0\n\n");
		want_status(&r.a[k], 200);
	}
	world_run(&r.w, 40000);
	world_assert_idle(&r.w);
	rig_close(&r);
}

static void p1_content_length(void **state)
{
	static const struct bad rows[] = {
		{ "negative", 400, 400, .extra = "Content-Length: -1", .closes = true },
		{ "signed", 400, 400, .extra = "Content-Length: +5", .body = "hello", .closes = true },
		{ "words", 400, 400, .extra = "Content-Length: five", .body = "hello", .closes = true },
		{ "hex", 400, 400, .extra = "Content-Length: 0x5", .body = "hello", .closes = true },
		{ "nothing", 400, 400, .extra = "Content-Length:", .closes = true },
		{ "2^31", 400, 513, .extra = "Content-Length: 2147483648", .closes = true },
		{ "2^32+32", 400, 513, .extra = "Content-Length: 4294967328", .closes = true },
		{ "2^64+5", 400, 400, .extra = "Content-Length: 18446744073709551621", .body = "hello", .closes = true },
		{ "20 digits", 400, 400, .extra = "Content-Length: 99999999999999999999", .closes = true },
		{ "two that differ", 400, 400, .extra = "Content-Length: 5\r\nl: 4", .body = "hello", .closes = true },
		{ "two alike", 400, 400, .extra = "Content-Length: 5\r\nContent-Length: 5", .body = "hello", .closes = true },
		{ "a list", 400, 400, .extra = "Content-Length: 5, 5", .body = "hello", .closes = true },
		{ "right", PASS, PASS, .extra = "Content-Type: text/plain\r\nContent-Length: 5", .body = "hello" },
	};

	run(rows, TD_ARRAY_LEN(rows));
}

/* Shorter and longer than the body: in a datagram the rest is cut off, or missing; in a stream it is the next message. */
/* Proves RFC 3261 §18.3-1. */
static void p1_more_and_less_body(void **state)
{
	static const struct bad less = { "less", PASS, PASS, .extra = "Content-Type: text/plain\r\nContent-Length: 2",
					 .body = "hello" };
	static const struct bad more = { "more", 400, DROP, .extra = "Content-Length: 6", .body = "hello" };
	struct td_msg *m;
	struct td_out o;
	struct rig r;

	rig_open(&r);
	build(&o, &less, &r.a[0], 1);
	phone_send_bytes(&r.a[0], td_out_view(&o));
	td_out_free(&o);
	m = want_request(&r.b, "MESSAGE");
	assert_str(m->body, "he");
	assert_null(find(m, "hello"));
	phone_answer(&r.b, m, 200, "", NULL);
	want_status(&r.a[0], 200);
	one(&r, &more, &r.a[0]);
	build(&o, &more, &r.a[1], 2); /* it waits for the last byte, 10 s and no longer */
	phone_send_bytes(&r.a[1], td_out_view(&o));
	td_out_free(&o);
	want_silence(&r.b, 9000);
	assert_false(r.a[1].closed);
	want_silence(&r.b, 2000);
	assert_true(r.a[1].closed);
	rig_close(&r);
}

static void p2_cseq(void **state)
{
	static const struct bad rows[] = {
		{ "2^31", 400, 400, .cseq = "2147483648 MESSAGE" },
		{ "2^32", 400, 400, .cseq = "4294967296 MESSAGE" },
		{ "2^32+1", 400, 400, .cseq = "4294967297 MESSAGE" },
		{ "2^64+1", 400, 400, .cseq = "18446744073709551617 MESSAGE" },
		{ "negative", 400, 400, .cseq = "-1 MESSAGE" },
		{ "no number", 400, 400, .cseq = "MESSAGE" },
		{ "no method", 400, 400, .cseq = "1" },
		{ "other method", 400, 400, .cseq = "1 INVITE" },
		{ "other case", 400, 400, .cseq = "1 message" },
		{ "more after it", 400, 400, .cseq = "1 MESSAGE x" },
		{ "long method there", 400, 400, .cseq = "1 {7000}" },
		{ "long method both", DROP, 400, .line = "{7000} sip:bob@example.test SIP/2.0", .cseq = "1 {7000}" },
		{ "10 KiB method", DROP, DROP, .line = "{10240} sip:bob@example.test SIP/2.0", .cseq = "1 {10240}" },
		{ "missing", DROP, DROP, .cseq = "" },
		{ "largest", PASS, PASS, .cseq = "2147483647 MESSAGE" },
		{ "many zeros", PASS, PASS, .cseq = "00000000000000001 MESSAGE" },
	};

	run(rows, TD_ARRAY_LEN(rows));
}

static void p3_long_values(void **state)
{
	static const struct bad rows[] = {
		{ "From tag", 400, 400, .from = "<sip:alice@example.test>;tag={1025}" },
		{ "From tag 60 KiB", 513, 513, .from = "<sip:alice@example.test>;tag={60000}" },
		{ "To tag", 400, 400, .to = "<sip:bob@example.test>;tag={4096}" },
		{ "Call-ID", 400, 400, .call_id = "{1025}" },
		{ "Call-ID 60 KiB", 513, 513, .call_id = "{60000}" },
		{ "branch", 400, 400, .via = "SIP/2.0/UDP 10.0.1.1:5060;rport;branch=z9hG4bK{2000}" },
		{ "branch 60 KiB", DROP, DROP, .via = "SIP/2.0/UDP 10.0.1.1:5060;rport;branch=z9hG4bK{60000}" },
		{ "user", 414, 414, .line = "MESSAGE sip:{3000}@example.test SIP/2.0" },
		{ "user 60 KiB", 414, 414, .line = "MESSAGE sip:{60000}@example.test SIP/2.0" },
		{ "host", 414, 414, .line = "MESSAGE sip:bob@{60000} SIP/2.0" },
		{ "From user", 400, 400, .from = "<sip:{5000}@example.test>;tag=1" },
		{ "realm", PASS, PASS,
		  .extra = "Proxy-Authorization: Digest username=\"a\", realm=\"{7000}\", nonce=\"x\", uri=\"y\", "
			   "response=\"z\"" },
		{ "realm 60 KiB", 513, 513,
		  .extra = "Proxy-Authorization: Digest username=\"a\", realm=\"{60000}\", nonce=\"x\", uri=\"y\", "
			   "response=\"z\"" },
		{ "longest tag", PASS, PASS, .from = "<sip:alice@example.test>;tag={1024}" },
		{ "longest Call-ID", PASS, PASS, .call_id = "{1024}" },
	};

	run(rows, TD_ARRAY_LEN(rows));
}

static void p4_doubled(void **state)
{
	static const struct bad rows[] = {
		{ "From", 400, 400, .extra = "From: <sip:mallory@example.test>;tag=2" },
		{ "From, compact", 400, 400, .extra = "f: <sip:alice@example.test>;tag=1" },
		{ "To", 400, 400, .extra = "To: <sip:bob@example.test>" },
		{ "To, compact", 400, 400, .extra = "t: <sip:carol@example.test>" },
		{ "Call-ID", 400, 400, .extra = "i: other" },
		{ "CSeq", 400, 400, .extra = "cseq: 2 MESSAGE" },
		{ "Max-Forwards", 400, 400, .extra = "Max-Forwards: 70\r\nmax-forwards: 7" },
		{ "empty From tag", 400, 400, .from = "<sip:alice@example.test>;tag=" },
		{ "bare From tag", 400, 400, .from = "<sip:alice@example.test>;tag" },
		{ "two From tags", 400, 400, .from = "<sip:alice@example.test>;tag=1;tag=2" },
		{ "empty To tag", 400, 400, .to = "<sip:bob@example.test>;tag=" },
		{ "two in one From", 400, 400, .from = "<sip:alice@example.test>;tag=1, <sip:bob@example.test>;tag=2" },
		{ "no From", 400, 400, .from = "" },
		{ "no To", 400, 400, .to = "" },
		{ "no Call-ID", 400, 400, .call_id = "" },
	};

	run(rows, TD_ARRAY_LEN(rows));
}

static void p5_bad_via(void **state)
{
	static const struct bad rows[] = {
		{ "port 99999", 400, 400, .via = "SIP/2.0/UDP 10.0.1.1:99999;branch=z9hG4bK1" },
		{ "port of letters", 400, 400, .via = "SIP/2.0/UDP 10.0.1.1:sip;branch=z9hG4bK2" },
		{ "negative port", 400, 400, .via = "SIP/2.0/UDP 10.0.1.1:-1;branch=z9hG4bK3" },
		{ "bad rport", 400, 400, .via = "SIP/2.0/UDP 10.0.1.1:5060;rport=70000;branch=z9hG4bK3" },
		{ "empty branch", 400, 400, .via = "SIP/2.0/UDP 10.0.1.1:5060;branch=" },
		{ "no host", DROP, DROP, .via = "SIP/2.0/UDP ;branch=z9hG4bK4" },
		{ "empty host", DROP, DROP, .via = "SIP/2.0/UDP :5060;branch=z9hG4bK4" },
		{ "nothing", DROP, DROP, .via = " " },
		{ "no Via", DROP, DROP, .via = "" },
		{ "unended v6", DROP, DROP, .via = "SIP/2.0/UDP [::1;branch=z9hG4bK5" },
		{ "another protocol", DROP, DROP, .via = "HTTP" },
		{ "100 fields", 400, 400, .extra = "{#100:Via: SIP/2.0/UDP h%;branch=z9hG4bKx%\r\n}Content-Length: 0" },
		{ "100 values", 400, 400,
		  .extra = "Via: SIP/2.0/UDP h{#100:,SIP/2.0/UDP h%;branch=z9hG4bKx%}\r\nContent-Length: 0" },
		{ "400 values", 400, 400, .extra = "Via: SIP/2.0/UDP h{#400:,SIP/2.0/UDP h%}\r\nContent-Length: 0" },
		{ "no branch", PASS, PASS, .via = "SIP/2.0/UDP 10.0.1.1:5060;rport" },
		{ "a few values", PASS, PASS, .extra = "Via: SIP/2.0/UDP h{#20:,SIP/2.0/UDP h%}\r\nContent-Length: 0" },
	};

	run(rows, TD_ARRAY_LEN(rows));
}

/* The answer goes to where the request came from, whatever its Via claims; the port may be sent-by's. */
/* Proves RFC 3261 §18.2.1-1. */
static void p5_forged_addresses(void **state)
{
	static const char *const params[] = { ";maddr=10.9.9.9", ";received=10.9.9.9", ";rport=9", ";ttl=1;maddr=224.0.1.75",
					      ";maddr=10.9.9.9;received=10.9.9.9;rport=5060" };
	struct phone victim;
	struct rig r;

	rig_open(&r);
	phone_open(&victim, &r.w, "victim", "10.9.9.9", 5060, TD_UDP);
	for (size_t i = 0; i < TD_ARRAY_LEN(params); i++)
		for (int k = 0; k < 2; k++) {
			const char *host = i & 1 ? "10.0.1.1" : "10.9.9.9";

			phone_send(&r.a[k],
				   "OPTIONS sip:example.test SIP/2.0\nVia: SIP/2.0/UDP %s:5060%s;branch=z9hG4bK%zu\nFrom: "
				   "<sip:alice@example.test>;tag=1\n"
				   "To: <sip:example.test>\nCall-ID: o%zu\nCSeq: 1 OPTIONS\nContent-Length: 0\n\n",
				   host, params[i], i, i);
			want_status(&r.a[k], 200);
		}
	want_silence(&victim, 1000);
	phone_close(&victim);
	rig_close(&r);
}

static void p6_line_ends_and_blanks(void **state)
{
	static const struct bad rows[] = {
		{ "bare LF hides a field", 400, 400, .extra = "Subject: x\nRoute: <sip:10.9.9.9;lr>\r\nContent-Length: 0",
		  .closes = true },
		{ "bare CR hides a field", 400, 400, .extra = "Subject: x\rRoute: <sip:10.9.9.9;lr>\r\nContent-Length: 0",
		  .closes = true },
		{ "bare LF in From", 400, 400, .from = "\"a\nb\" <sip:alice@example.test>;tag=1", .closes = true },
		{ "LF ends the start line", 400, 400, .line = "MESSAGE sip:bob@example.test SIP/2.0\nX: y", .closes = true },
		{ "blank before the field's name", 400, 400, .line = "MESSAGE sip:bob@example.test SIP/2.0\r\n Via: x" },
		{ "blank in a name", 400, 400, .extra = "Con tact: x\r\nContent-Length: 0" },
		{ "no colon", 400, 400, .extra = "Subject\r\nContent-Length: 0" },
		{ "no name", 400, 400, .extra = ": x\r\nContent-Length: 0" },
		{ "UTF-8 name", 400, 400,
		  .extra = "S\xc3\xbc"
			   "bject: x\r\nContent-Length: 0" },
		{ "CR LF escaped", 400, 400, .line = "MESSAGE sip:bob%0d%0aX:y@example.test SIP/2.0" },
		{ "LF escaped", 400, 400, .line = "MESSAGE sip:bob%0A@example.test SIP/2.0" },
		{ "NUL escaped", 400, 400, .line = "MESSAGE sip:bob%00@example.test SIP/2.0" },
		{ "DEL escaped", 400, 400, .line = "MESSAGE sip:bob%7f@example.test SIP/2.0" },
		{ "escape cut short", 400, 400, .line = "MESSAGE sip:bob%0@example.test SIP/2.0" },
		{ "two blanks", 400, 400, .line = "MESSAGE  sip:bob@example.test SIP/2.0" },
		{ "tabs", 400, 400, .line = "MESSAGE sip:bob@example.test\tSIP/2.0" },
		{ "blanks before colons", PASS, PASS, .extra = "Subject \t: x\r\nContent-Length : 0" },
		{ "folds", PASS, PASS, .from = "\"Alice\"\r\n <sip:alice@example.test>\r\n\t;tag=1" },
		{ "UTF-8 values", PASS, PASS, .from = "\"\xc3\xbc\xff\xfe\" <sip:alice@example.test>;tag=1" },
	};

	run(rows, TD_ARRAY_LEN(rows));
}

/* A NUL in the header part, anywhere in it. */
static void p6_nul(void **state)
{
	static const struct bad good = { "good", PASS, PASS, .extra = "Subject: some words\r\nContent-Length: 0" };
	struct td_out o;
	struct rig r;

	rig_open(&r);
	build(&o, &good, &r.a[0], 99);
	for (size_t i = 0; i + 4 < o.n; i++) {
		struct td_str s = exact_copy(td_out_view(&o));

		((char *)(uintptr_t)s.p)[i] = 0;
		phone_send_bytes(&r.a[0], s);
		exact_free(s);
		if (i % 20 == 0)
			want_silence(&r.b, 10);
	}
	td_out_free(&o);
	want_silence(&r.b, 1000);
	rig_close(&r);
}

static void p7_too_many(void **state)
{
	static const struct bad rows[] = {
		{ "10,000 fields", 513, 513, .extra = "{#10000:a:\r\n}Content-Length: 0" },
		{ "251 fields", 513, 513, .extra = "{#246:a:\r\n}Content-Length: 0" },
		{ "60 KiB in one", 513, 513, .extra = "Subject: {60000}\r\nContent-Length: 0" },
		{ "60 KiB in folds", 513, 513, .extra = "Subject: x{#10000:\r\n x}\r\nContent-Length: 0" },
		{ "1,000 values", PASS, PASS, .extra = "Supported: a{#1000:,a%}\r\nContent-Length: 0" },
		{ "1,000 values of Route", 403, 403,
		  .extra = "Route: <sip:example.test>{#400:,<sip:h%;lr>}\r\nContent-Length: 0" },
		{ "1,000 values of Proxy-Require", 420, 420, .extra = "Proxy-Require: a{#1000:,a%}\r\nContent-Length: 0" },
		{ "8,000 empty values", 400, 400, .extra = "Route: {#8000:,}<sip:h;lr>\r\nContent-Length: 0" },
		{ "as many as there may be", PASS, PASS, .extra = "{#200:a:\r\n}Content-Length: 0" },
	};

	run(rows, TD_ARRAY_LEN(rows));
}

/* Proves RFC 3261 §8.2.2.1-1, §16.3-2. */
static void p8_uris(void **state)
{
	static const struct bad rows[] = {
		{ "1,000 parameters", 414, 414, .line = "MESSAGE sip:bob@example.test{#1000:;p%=v} SIP/2.0" },
		{ "100 parameters", 414, 414, .line = "MESSAGE sip:bob@example.test{#100:;p%} SIP/2.0" },
		{ "headers", 400, 400, .line = "MESSAGE sip:bob@example.test?Route=%3Csip:10.9.9.9%3E SIP/2.0" },
		{ "many headers", 414, 414, .line = "MESSAGE sip:bob@example.test?a=b{#1000:&h%=v} SIP/2.0" },
		{ "tel", 404, 404, .line = "MESSAGE tel:+1-555-0100 SIP/2.0" },
		{ "urn", 416, 416, .line = "MESSAGE urn:service:sos SIP/2.0" },
		{ "http", 416, 416, .line = "MESSAGE http://example.test/ SIP/2.0" },
		{ "slash", DROP, 400, .line = "MESSAGE / SIP/2.0" },
		{ "star", DROP, 400, .line = "MESSAGE * SIP/2.0" },
		{ "nothing", 400, 400, .line = "MESSAGE sip: SIP/2.0" },
		{ "user alone", 400, 400, .line = "MESSAGE sip:bob@ SIP/2.0" },
		{ "v6 zone", 400, 400, .line = "MESSAGE sip:bob@[fe80::1%25eth0] SIP/2.0" },
		{ "v6 unended", 400, 400, .line = "MESSAGE sip:bob@[::1 SIP/2.0" },
		{ "port 65536", 400, 400, .line = "MESSAGE sip:bob@example.test:65536 SIP/2.0" },
		{ "two at signs", 400, 400, .line = "MESSAGE sip:bob@example.test@10.9.9.9 SIP/2.0" },
		{ "double escape", 404, 404, .line = "MESSAGE sip:b%256Fb@example.test SIP/2.0" }, /* "b%6Fb", not bob */
		{ "escaped at sign", 404, 404, .line = "MESSAGE sip:bob%40example.test@example.test SIP/2.0" },
		{ "escaped once", PASS, PASS, .line = "MESSAGE sip:b%6Fb@example.test SIP/2.0" },
	};

	run(rows, TD_ARRAY_LEN(rows));
}

static void p9_unterminated(void **state)
{
	static const struct bad rows[] = {
		{ "quote", 400, 400, .from = "\"Alice <sip:alice@example.test>;tag=1" },
		{ "quote after a backslash", 400, 400, .from = "\"Alice\\\" <sip:alice@example.test>;tag=1" },
		{ "backslash at the end", 400, 400, .to = "\"Bob\\" },
		{ "angle", 400, 400, .from = "Alice <sip:alice@example.test;tag=1" },
		{ "angle in To", 400, 400, .to = "<sip:bob@example.test" },
		{ "angle closes only", 400, 400, .to = "sip:bob@example.test>" },
		{ "quote alone", 400, 400, .to = "\"" },
		{ "quoted tag", 400, 400, .from = "<sip:alice@example.test>;tag=\"1" },
		{ "Route", 400, 400, .extra = "Route: \"x\\\" <sip:h;lr>\r\nContent-Length: 0" },
		{ "Route's angle", 400, 400, .extra = "Route: <sip:h;lr\r\nContent-Length: 0" },
		{ "Via comment", PASS, PASS, .extra = "User-Agent: x (unended\r\nContent-Length: 0" }, /* not ours to read */
	};

	run(rows, TD_ARRAY_LEN(rows));
}

/* What cannot be a response, from the callee itself: the call does not notice. */
/* Proves RFC 3261 §16.7-2, §18.1.2-1. */
static void p11_impossible_responses(void **state)
{
	static const char *const status[] = { "000 No",  "99 Ring", "099 Ring", "700 No", "999 No", "99999 No",
					      "-200 OK", "20 OK",   "2000 OK",  "abc OK", "200" };
	struct td_msg *invite;
	struct td_out reason;
	struct leg l;
	struct rig r;

	rig_open(&r);
	leg_new(&l, &r.a[0], "example.test", "sip:bob@example.test");
	leg_send(&l, "INVITE", NULL, SDP);
	invite = want_request(&r.b, "INVITE");
	want_status(&r.a[0], 100);
	td_out_init(&reason);
	expand(&reason, "200 {60000}");
	td_out_char(&reason, 0);
	for (size_t i = 0; i <= TD_ARRAY_LEN(status); i++)
		phone_send(&r.b,
			   "SIP/2.0 %s\nVia: %.*s\nVia: SIP/2.0/UDP 10.0.1.1:5060;branch=%s\nFrom: %s\nTo: %s;tag=b\nCall-ID: "
			   "%s\nCSeq: 1 INVITE\n"
			   "Contact: <sip:bob@10.0.1.2>\nContent-Length: 0\n\n",
			   i < TD_ARRAY_LEN(status) ? status[i] : reason.p, TD_FMT(invite->via.text), l.branch, l.local, l.remote,
			   l.call_id);
	td_out_free(&reason);
	/* without our Via, and with nothing but it */
	phone_send(&r.b,
		   "SIP/2.0 200 OK\nVia: SIP/2.0/UDP 10.0.1.1:5060;branch=%s\nFrom: %s\nTo: %s;tag=b\nCall-ID: %s\nCSeq: 1 "
		   "INVITE\nContent-Length: 0\n\n",
		   l.branch, l.local, l.remote, l.call_id);
	phone_send(&r.b, "SIP/2.0 200 OK\nVia: %.*s\nFrom: %s\nTo: %s;tag=b\nCall-ID: %s\nCSeq: 1 INVITE\nContent-Length: 0\n\n",
		   TD_FMT(invite->via.text), l.local, l.remote, l.call_id);
	want_silence(&r.a[0], 1000);
	assert_int_equal(r.a[0].raw_n, 1); /* the 100 */
	phone_answer(&r.b, invite, 486, "", NULL);
	want_status(&r.a[0], 486);
	rig_close(&r);
}

/* As large as can be received, and larger once it has our Via: it arrives or is refused, and nothing is left of it. */
/* Proves RFC 3261 §18.1.1-3. */
static void p13_larger_when_forwarded(void **state)
{
	unsigned refused = 0, arrived = 0;
	struct phone *p, tcp;
	struct rig r;

	rig_open(&r);
	phone_open(&tcp, &r.w, "carol", "10.0.1.4", 5060, TD_TCP);
	phone_register(&tcp, "any.test");
	p = &r.a[1];
	for (unsigned n = 65300; n <= 65536; n += 4)
		for (size_t k = 0; k < 2; k++) {
			struct phone *to = k ? &tcp : &r.b;
			struct td_msg *m;
			struct td_out o;

			p->raw_n = 0;
			td_out_init(&o);
			td_out_fmt(&o,
				   "MESSAGE sip:%s SIP/2.0\r\nVia: SIP/2.0/TCP 10.0.1.3:5060;branch=z9hG4bK%u-%zu\r\nFrom: "
				   "<sip:alice@example.test>;tag=1\r\n"
				   "To: <sip:bob@example.test>\r\nCall-ID: %u\r\nCSeq: 1 MESSAGE\r\n",
				   k ? "carol@any.test" : "bob@example.test", n, k, n);
			td_out_fmt(&o, "Content-Length: %u\r\n\r\n", n - (unsigned)o.n - 25);
			while (o.n < n)
				td_out_char(&o, 'x');
			phone_send_bytes(p, td_out_view(&o));
			td_out_free(&o);
			m = maybe_request(to, "MESSAGE", 100);
			if (m) {
				phone_answer(to, m, 200, "", NULL);
				world_run(&r.w, 100);
			}
			assert_int_equal(p->raw_n, 1);
			assert_int_equal(p->raw_status, m ? 200 : 513);
			*(m ? &arrived : &refused) += 1;
		}
	assert_true(refused > 20 && arrived > 20);
	phone_close(&tcp);
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(p1_content_length),
		cmocka_unit_test(p1_more_and_less_body),
		cmocka_unit_test(p2_cseq),
		cmocka_unit_test(p3_long_values),
		cmocka_unit_test(p4_doubled),
		cmocka_unit_test(p5_bad_via),
		cmocka_unit_test(p5_forged_addresses),
		cmocka_unit_test(p6_line_ends_and_blanks),
		cmocka_unit_test(p6_nul),
		cmocka_unit_test(p7_too_many),
		cmocka_unit_test(p8_uris),
		cmocka_unit_test(p9_unterminated),
		cmocka_unit_test(p11_impossible_responses),
		cmocka_unit_test(p13_larger_when_forwarded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
