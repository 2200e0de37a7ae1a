/* TCP: wherever the network cuts, the outcome is the same (T2). */
#include "harness.h"

static const char options[] =
	"OPTIONS sip:example.test SIP/2.0\r\nVia: SIP/2.0/TCP 10.0.1.1:5060;branch=z9hG4bKs\r\nMax-Forwards: 70\r\n"
	"From: <sip:alice@example.test>;tag=1\r\nTo: <sip:example.test>\r\nCall-ID: s\r\nCSeq: 1 OPTIONS\r\n"
	"Content-Type: text/plain\r\nContent-Length: 6\r\n\r\nab\r\ncd";

static void t2_split_at_every_byte(void **state)
{
	struct td_str whole = td_str_of(options);
	struct td_msg *first = NULL, *m;
	struct world w;
	struct phone p;

	world_open(&w, 4, 2, NULL);
	phone_open(&p, &w, "alice", "10.0.1.1", 5060, TD_TCP);
	for (size_t cut = 0; cut < whole.n; cut++) {
		if (cut)
			phone_send_bytes(&p, td_str_n(whole.p, cut));
		world_run(&w, 2);
		phone_send_bytes(&p, td_str_n(whole.p + cut, whole.n - cut));
		m = want_status(&p, 200);
		if (!first)
			first = m;
		assert_true(td_str_eq(m->bytes, first->bytes));
	}
	want_silence(&p, 100);
	phone_close(&p);
	world_close(&w);
}

/* Proves RFC 5626 §4.4.1-1. */
static void t2_pipelined_with_pings_between(void **state)
{
	struct world w;
	struct phone p;
	struct td_out o;

	world_open(&w, 4, 2, NULL);
	phone_open(&p, &w, "alice", "10.0.1.1", 5060, TD_TCP);
	td_out_init(&o);
	for (int i = 0; i < 1000; i++) {
		td_out_z(&o, options);
		if (i % 7 == 0)
			td_out_z(&o, "\r\n\r\n");
	}
	phone_send_bytes(&p, td_out_view(&o));
	for (int i = 0; i < 1000; i++)
		want_status(&p, 200);
	td_out_free(&o);
	want_silence(&p, 100);
	phone_close(&p);
	world_close(&w);
}

/* A whole call whose bytes arrive one by one, and in other small pieces. */
/* Proves RFC 3261 §18.3-2. */
static void t2_a_call_in_pieces(void **state)
{
	static const uint32_t sizes[] = { 1, 2, 3, 7, 64, 200, 513 };

	for (size_t i = 0; i < TD_ARRAY_LEN(sizes); i++) {
		struct leg caller, callee;
		struct phone a, b;
		struct world w;

		world_open(&w, 5, 2, NULL);
		w.rules.stream_chunk = sizes[i];
		td_wire_rules(w.wire, &w.rules);
		phone_open(&a, &w, "alice", "10.0.1.1", 5060, TD_TCP);
		phone_open(&b, &w, "bob", "10.0.1.2", 5060, TD_TCP);
		phone_register(&b, "any.test");
		leg_new(&caller, &a, "any.test", "sip:bob@any.test");
		call_up(&caller, &callee, &b);
		leg_hang_up(&callee, &a);
		phone_close(&a);
		phone_close(&b);
		world_close(&w);
	}
}

/* A datagram needs no Content-Length; on a connection nothing else tells where the message ends (RFC 3261 §20.14). */
static void length_of_a_datagram(void **state)
{
	struct phone a, b;
	struct world w;
	struct td_msg *m;
	struct td_out o;
	struct leg l;

	world_open(&w, 4, 2, NULL);
	phone_open(&a, &w, "alice", "10.0.1.1", 5060, TD_TCP);
	phone_open(&b, &w, "bob", "10.0.1.2", 5060, TD_UDP);
	phone_register(&b, "any.test");
	leg_new(&l, &a, "any.test", "sip:bob@any.test");
	for (int i = 0; i < 2; i++) {
		leg_send(&l, "MESSAGE", NULL, NULL);
		td_out_init(&o);
		td_put_response_head(&o, want_request(&b, "MESSAGE"), 200, TD_STR_NULL, TD_STR("bob"), false);
		td_out_z(&o, "Content-Type: text/plain\r\n\r\nhello");
		phone_send_bytes(&b, td_out_view(&o));
		td_out_free(&o);
		m = want_status(&a, 200);
		assert_string_equal(header(m, "Content-Length"), "5");
		assert_true(td_str_eq(m->body, TD_STR("hello")));
	}
	phone_close(&a);
	phone_close(&b);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(t2_split_at_every_byte),
		cmocka_unit_test(t2_pipelined_with_pings_between),
		cmocka_unit_test(t2_a_call_in_pieces),
		cmocka_unit_test(length_of_a_datagram),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
