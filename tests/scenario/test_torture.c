/*
 * P14 over the wire: each message of RFC 4475 (and 5118) sent to the running server by UDP and by TCP, by a trusted host (so that
 * what it would do is done) and by a stranger. The table says what each is answered; after each the server still serves.
 */
#include "vectors/manifest.h"

#include "harness.h"

/*
 * Domains example.test (local users), any.test and example.com (users: any) are ours; the messages' other domains are not, and
 * nothing is relayed there. 480: one of our addresses, nobody registered.
 */
static const struct row {
	const char *file;
	unsigned trusted_udp, trusted_tcp, stranger;
} rows[] = {
	{ "wsinv.dat", 403, 403, 403 },
	{ "intmeth.dat", 480, 480, 407 },
	{ "esc01.dat", 403, 403, 403 },
	{ "escnull.dat", 400, 400, 401 }, /* no user has a NUL in it (P6) */
	{ "esc02.dat", 403, 403, 403 },
	{ "lwsdisp.dat", 480, 480, 407 },
	{ "longreq.dat", 480, 480, 407 },
	{ "dblreq.dat", 200, 480, 401 }, /* in a stream the rest is the next message */
	{ "semiuri.dat", 480, 480, 407 },
	{ "transports.dat", 480, 480, 407 },
	{ "mpart01.dat", 403, 403, 403 },
	{ "unreason.dat", 0, 0, 0 },
	{ "noreason.dat", 0, 0, 0 },
	{ "badinv01.dat", 400, 400, 400 },
	{ "clerr.dat", 400, 0, 400 }, /* a stream waits for the rest */
	{ "ncl.dat", 400, 400, 400 },
	{ "scalar02.dat", 400, 400, 400 },
	{ "scalarlg.dat", 0, 0, 0 },
	{ "quotbal.dat", 400, 400, 400 },
	{ "ltgtruri.dat", 400, 400, 400 },
	{ "lwsruri.dat", 400, 400, 400 },
	{ "lwsstart.dat", 400, 400, 400 },
	{ "trws.dat", 400, 400, 400 },
	{ "escruri.dat", 400, 400, 400 },
	{ "baddate.dat", 480, 480, 407 },
	{ "regbadct.dat", 400, 400, 401 },
	{ "badaspec.dat", 400, 400, 400 },
	{ "baddn.dat", 400, 0, 400 }, /* the file has no empty line: a stream waits */
	{ "badvers.dat", 505, 505, 505 },
	{ "mismatch01.dat", 400, 400, 400 },
	{ "mismatch02.dat", 400, 400, 400 },
	{ "bigcode.dat", 0, 0, 0 },
	{ "badbranch.dat", 480, 480, 407 },
	{ "insuf.dat", 400, 400, 400 },
	{ "unkscm.dat", 416, 416, 416 },
	{ "novelsc.dat", 416, 416, 416 },
	{ "unksm2.dat", 404, 404, 401 }, /* no address of record of ours (RFC 3261 §10.3 step 5) */
	{ "bext01.dat", 420, 420, 420 },
	{ "invut.dat", 480, 480, 407 },
	{ "regaut01.dat", 200, 200, 401 },
	{ "multi01.dat", 400, 400, 400 },
	{ "mcl01.dat", 400, 400, 400 },
	{ "bcast.dat", 0, 0, 0 },
	{ "zeromf.dat", 483, 483, 483 },
	{ "cparam01.dat", 200, 200, 401 },
	{ "cparam02.dat", 200, 200, 401 },
	{ "regescrt.dat", 200, 200, 401 },
	{ "sdp01.dat", 480, 480, 407 },
	{ "inv2543.dat", 480, 480, 407 },
	{ "test.dat", 0, 0, 0 },
};

/* What the server says to one message (0: nothing), sent from the port its Via names; and it serves the next. */
static unsigned said(struct td_buf *b, const char *ip, enum td_proto proto)
{
	struct phone p, other;
	unsigned status;
	struct td_msg *m;
	uint16_t port = 5060;
	struct world w;
	struct leg l;

	if (!td_msg_parse(&m, b, 0, b->len)) {
		if (m->via.port)
			port = m->via.port;
		td_msg_unref(m);
	}
	world_open(&w, 6, 1, NULL);
	phone_open(&p, &w, "torture", ip, port, proto);
	phone_open(&other, &w, "alice", "10.0.1.2", 5060, TD_UDP);
	p.raw = true;
	phone_send_bytes(&p, td_buf_str(b));
	world_run(&w, 1000);
	for (unsigned i = 0; i < p.n; i++)
		if (p.inbox[i]->request)
			fail_msg("a request came out:\n%.*s", TD_FMT(p.inbox[i]->bytes));
	status = p.raw_status;
	leg_new(&l, &other, "example.test", "sip:example.test");
	assert_int_equal(leg_do(&l, "OPTIONS", NULL, NULL)->status, 200);
	phone_close(&p);
	phone_close(&other);
	world_close(&w);
	return status;
}

/* Proves RFC 3261 §8.2.2.1-1, §16.3-1, §16.3-2, §18.3-1. */
static void p14_each_message_of_rfc4475_is_answered_as_documented(void **state)
{
	unsigned wrong = 0, i = 0;
	struct manifest m;

	for (manifest_open(&m, "rfc4475"); manifest_next(&m); i++) {
		struct td_buf *b = manifest_file(&m);
		struct row got = {
			.trusted_udp = said(b, "10.0.1.1", TD_UDP),
			.trusted_tcp = said(b, "10.0.1.1", TD_TCP),
			.stranger = said(b, "10.6.6.6", TD_UDP),
		};
		const struct row *want = &rows[i];

		td_buf_unref(b);
		assert_true(i < TD_ARRAY_LEN(rows));
		assert_str(manifest_col(&m, "file"), want->file);
		if (got.trusted_udp == want->trusted_udp && got.trusted_tcp == want->trusted_tcp &&
		    got.stranger == want->stranger)
			continue;
		print_error("%s: got %u, %u, %u\n", want->file, got.trusted_udp, got.trusted_tcp, got.stranger);
		wrong++;
	}
	assert_int_equal(i, TD_ARRAY_LEN(rows));
	assert_int_equal(wrong, 0);
}

/* IPv6 in every place of a message: what it is answered matters less than that it is, or that it is dropped. */
static void p14_rfc5118_leaves_the_server_alive(void **state)
{
	struct manifest m;

	for (manifest_open(&m, "rfc5118"); manifest_next(&m);) {
		struct td_buf *b = manifest_file(&m);

		said(b, "10.0.1.1", TD_UDP);
		said(b, "10.0.1.1", TD_TCP);
		said(b, "10.6.6.6", TD_UDP);
		td_buf_unref(b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(p14_each_message_of_rfc4475_is_answered_as_documented),
		cmocka_unit_test(p14_rfc5118_leaves_the_server_alive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
