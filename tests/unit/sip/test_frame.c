/* Messages in a stream: whole, byte by byte, one after another, and streams that are lost. */
#include "sip_support.h"

#define HEAD "OPTIONS sip:b@x SIP/2.0\r\nVia: SIP/2.0/TCP h\r\n"

static int frame_whole(size_t *out, const char *z)
{
	struct td_str s = exact(z);
	size_t scan = 0;
	int err = td_msg_frame(out, s, &scan);

	if (!err)
		assert_int_equal(scan, 0);
	exact_free(s);
	return err;
}

/* One byte more each time, in blocks of exactly that size, and from a scan that only grows. */
static int frame_slowly(size_t *out, const char *z)
{
	size_t scan = 0, n = strlen(z);
	int err = TD_EMORE;

	for (size_t i = 1; i <= n && err == TD_EMORE; i++) {
		struct td_str s = exact_copy(td_str_n(z, i));

		err = td_msg_frame(out, s, &scan);
		exact_free(s);
	}
	return err;
}

static const struct row {
	const char *name, *text;
	int err;
	size_t n; /* length of the first message */
} rows[] = {
	{ "no body", HEAD "Content-Length: 0\r\n\r\n", 0, sizeof(HEAD "Content-Length: 0\r\n\r\n") - 1 },
	{ "body", HEAD "l: 4\r\n\r\nbody", 0, sizeof(HEAD "l: 4\r\n\r\nbody") - 1 },
	{ "another follows", HEAD "l: 4\r\n\r\nbodyOPT", 0, sizeof(HEAD "l: 4\r\n\r\nbody") - 1 },
	{ "absent", HEAD "\r\nOPTIONS", 0, sizeof(HEAD "\r\n") - 1 },
	{ "no fields", "A b SIP/2.0\r\n\r\n", 0, sizeof("A b SIP/2.0\r\n\r\n") - 1 },
	{ "folded", HEAD "CONTENT-LENGTH \t:\r\n 2\r\n \r\n\r\nbody", 0,
	  sizeof(HEAD "CONTENT-LENGTH \t:\r\n 2\r\n \r\n\r\nbo") - 1 },
	{ "inside another value", HEAD "Subject: x\r\n Content-Length: 9\r\nl: 1\r\n\r\nb", 0,
	  sizeof(HEAD "Subject: x\r\n Content-Length: 9\r\nl: 1\r\n\r\nb") - 1 },
	{ "like a name", HEAD "Content-Lengths: 9\r\nContent-Lengt: 8\r\nCall-ID: 4\r\n\r\n", 0,
	  sizeof(HEAD "Content-Lengths: 9\r\nContent-Lengt: 8\r\nCall-ID: 4\r\n\r\n") - 1 },
	{ "response", "SIP/2.0 200 OK\r\nl: 1\r\n\r\nb", 0, sizeof("SIP/2.0 200 OK\r\nl: 1\r\n\r\nb") - 1 },
	{ "other version", "A b SIP/7.0\r\n\r\n", 0, sizeof("A b SIP/7.0\r\n\r\n") - 1 },
	{ "cut in the start line", "OPTIONS sip:b", TD_EMORE, 0 },
	{ "cut in a line end", HEAD "l: 0\r", TD_EMORE, 0 },
	{ "cut in the empty line", HEAD "l: 0\r\n\r", TD_EMORE, 0 },
	{ "cut in the body", HEAD "l: 5\r\n\r\nbody", TD_EMORE, 0 },
	{ "empty", "", TD_EMORE, 0 },
	{ "negative", HEAD "l: -1\r\n\r\n", TD_ESYNTAX, 0 },
	{ "signed", HEAD "l: +5\r\n\r\nbody5", TD_ESYNTAX, 0 },
	{ "no number", HEAD "l: \r\n\r\n", TD_ESYNTAX, 0 },
	{ "20 digits", HEAD "l: 99999999999999999999\r\n\r\n", TD_ESYNTAX, 0 },
	{ "2^64", HEAD "l: 18446744073709551616\r\n\r\n", TD_ESYNTAX, 0 },
	{ "2^64-1", HEAD "l: 18446744073709551615\r\n\r\n", TD_ELIMIT, 0 },
	{ "2^32+1", HEAD "l: 4294967297\r\n\r\nb", TD_ELIMIT, 0 },
	{ "above the cap", HEAD "l: 65536\r\n\r\n", TD_ELIMIT, 0 },
	{ "no colon", HEAD "Content-Length\r\n\r\n", TD_ESYNTAX, 0 },
	{ "no colon, short", HEAD "l\r\n\r\n", TD_ESYNTAX, 0 },
	{ "a fold before the colon", HEAD "l\r\n : 1\r\n\r\nb", 0, sizeof(HEAD "l\r\n : 1\r\n\r\nb") - 1 },
	{ "first, others behind it", HEAD "l: 1\r\nCall-ID: 4\r\nLength: 5\r\n\r\nb", 0,
	  sizeof(HEAD "l: 1\r\nCall-ID: 4\r\nLength: 5\r\n\r\nb") - 1 },
	{ "conflict", HEAD "l: 1\r\nContent-Length: 2\r\n\r\nbo", TD_ESYNTAX, 0 },
	{ "the same twice", HEAD "l: 1\r\nContent-Length: 1\r\n\r\nbo", TD_ESYNTAX, 0 },
	{ "a list", HEAD "l: 1, 1\r\n\r\nbo", TD_ESYNTAX, 0 },
	{ "bare LF", HEAD "l: 1\n\r\nbo", TD_ESYNTAX, 0 },
	{ "bare CR", HEAD "l: 1\r\r\n\r\nbo", TD_ESYNTAX, 0 },
	{ "bare CR, not whole", HEAD "l: 1\r\r\nbo", TD_EMORE, 0 },
	{ "keep-alive", "\r\n\r\n", TD_ESYNTAX, 0 },
	{ "HTTP", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", TD_ESYNTAX, 0 },
	{ "TLS", "\x16\x03\x01\x02", TD_ESYNTAX, 0 },
	{ "blank first", " OPTIONS sip:b SIP/2.0\r\n\r\n", TD_ESYNTAX, 0 },
	{ "status", "SIP/2.0 999 x\r\n\r\n", TD_ESYNTAX, 0 },
};

/* Proves RFC 3261 §18.3-2. */
static void p1_t2_whole_and_split(void **state)
{
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		size_t n = 0, slow = 0;
		int err = frame_whole(&n, rows[i].text);

		if (err != rows[i].err || n != rows[i].n)
			fail_msg("%s: %d, %zu bytes", rows[i].name, err, n);
		assert_int_equal(frame_slowly(&slow, rows[i].text), err);
		assert_int_equal(slow, n);
	}
}

/* But for one that a quoted-pair escapes, and that ends no line (RFC 4475 §3.1.1.2). */
static void p6_nul_loses_the_stream(void **state)
{
	static const char nul[] = HEAD "Subject: a\0b\r\n\r\n", pair[] = HEAD "To: \"\\\\\\\0l: 9\" <sip:b>\r\nl: 1\r\n\r\nbo",
			  no_pair[] = HEAD "To: \"\\\\\0\" <sip:b>\r\n\r\n";
	size_t n = 0, scan = 0;

	assert_int_equal(td_msg_frame(&n, td_str_n(nul, sizeof(nul) - 1), &scan), TD_ESYNTAX);
	assert_int_equal(td_msg_frame(&n, td_str_n(no_pair, sizeof(no_pair) - 1), &scan), TD_ESYNTAX);
	scan = 0;
	assert_int_equal(td_msg_frame(&n, td_str_n(pair, sizeof(pair) - 1), &scan), 0);
	assert_int_equal(n, sizeof(pair) - 2);
}

/* Without an end, a stream is given up where no message can be longer. */
static void t1_endless(void **state)
{
	static const char *const units[] = { "x", "x\r\n", "a:\r\n " };

	for (size_t u = 0; u < TD_ARRAY_LEN(units); u++) {
		struct td_out o;
		size_t n = 0, scan = 0, at;
		int err = TD_EMORE;

		td_out_init(&o);
		td_out_z(&o, "OPTIONS ");
		while (o.n < TD_SIP_MAX_MESSAGE)
			td_out_z(&o, units[u]);
		for (at = 0; at < o.n && err == TD_EMORE; at += 1000)
			err = td_msg_frame(&n, td_str_n(o.p, at), &scan);
		assert_int_equal(err, TD_EMORE);
		assert_int_equal(td_msg_frame(&n, td_out_view(&o), &scan), TD_ELIMIT);
		td_out_free(&o);
	}
	/* and a first word that never ends much sooner */
	for (size_t len = 1; len < 2000; len++) {
		char word[2000];
		size_t n = 0, scan = 0;

		memset(word, 'A', sizeof(word));
		assert_int_equal(td_msg_frame(&n, td_str_n(word, len), &scan), len > TD_SIP_MAX_TOKEN ? TD_ESYNTAX : TD_EMORE);
	}
}

static void pipelined(void **state)
{
	struct td_out o;
	size_t at = 0, n, scan = 0, count = 0;

	td_out_init(&o);
	for (unsigned i = 0; i < 100; i++)
		td_out_fmt(&o, HEAD "l: %u\r\n\r\n%.*s", i % 5, (int)(i % 5), "body.");
	while (at < o.n) {
		assert_int_equal(td_msg_frame(&n, td_str_n(o.p + at, o.n - at), &scan), 0);
		at += n;
		count++;
	}
	assert_int_equal(count, 100);
	td_out_free(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(p1_t2_whole_and_split),
		cmocka_unit_test(p6_nul_loses_the_stream),
		cmocka_unit_test(t1_endless),
		cmocka_unit_test(pipelined),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
