/* Messages out of TCP: framing, keep-alives, and what a hostile or broken peer can do (P1, P10, T1, T2, T3). */
#include "tcp_world.h"

#define HEAD(method, id)                                                                                \
	method " sip:b@x.test SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.2;branch=z9hG4bK" id "\r\n"           \
	       "From: <sip:a@x.test>;tag=1\r\nTo: <sip:b@x.test>\r\nCall-ID: " id "\r\nCSeq: 1 " method \
	       "\r\nMax-Forwards: 70\r\n"
#define PLAIN(id) HEAD("OPTIONS", id) "Content-Length: 0\r\n\r\n"

static void send_and_run(struct world *w, struct peer *p, struct td_str s, uint64_t ms)
{
	peer_send(p, s);
	td_sim_run(w->sim, ms);
}

/* ---- T2 ---- */

static const char mixed[] = PLAIN("one") "\r\n\r\n" /* a ping */
	HEAD("MESSAGE", "two") "Content-Type: text/plain\r\nl : 11\r\n\r\nhello\r\n\r\nhe"
			       "\r\n" /* ignored, RFC 3261 7.5 */
	PLAIN("three") PLAIN("four") HEAD("MESSAGE", "five") "Content-Type: text/plain\r\nContent-Length: 3\r\n\r\n\r\n\r"
							     "\r\n\r\n\r\n\r\n" PLAIN("six");

static const char mixed_seen[] =
	"OPTIONS one [] 0\nMESSAGE two [hello\r\n\r\nhe] 0\nOPTIONS three [] 0\nOPTIONS four [] 0\nMESSAGE five [\r\n\r] 0\n"
	"OPTIONS six [] 0\n";

static void check_split(size_t at, size_t step, uint32_t chunk)
{
	struct td_str all = { mixed, sizeof(mixed) - 1 };
	struct td_wire_rules rules = { .stream_chunk = chunk };
	struct world w;
	struct peer p;
	size_t i;

	world_open(&w, NULL);
	td_wire_rules(w.wire, &rules);
	peer_open(&p, &w, "192.0.2.2");
	send_and_run(&w, &p, td_str_n(all.p, at), 2);
	for (i = at; i < all.n; i += step)
		send_and_run(&w, &p, td_str_n(all.p + i, all.n - i < step ? all.n - i : step), 1);
	td_sim_run(w.sim, 50);
	assert_str(td_out_view(&w.seen), mixed_seen);
	assert_str(td_out_view(&p.got), "\r\n\r\n\r\n");
	assert_int_equal(td_tp_stats(w.tp)->keepalives, 3);
	assert_false(p.closed);
	peer_close(&p);
	world_close(&w);
}

/* Proves RFC 5626 §4.4.1-1. */
static void t2_split_at_every_byte(void **state)
{
	size_t i;

	for (i = 0; i < sizeof(mixed); i++)
		check_split(i, sizeof(mixed), 0);
}

static void t2_any_piece_size(void **state)
{
	static const size_t steps[] = { 1, 2, 3, 7, 64, 500 };
	size_t i;

	for (i = 0; i < TD_ARRAY_LEN(steps); i++)
		check_split(0, steps[i], 0);
	check_split(0, sizeof(mixed), 1);
	check_split(0, sizeof(mixed), 5);
}

/* Proves RFC 3261 §18.3-2. */
static void t2_pipelined(void **state)
{
	struct td_out o;
	struct world w;
	struct peer p;
	unsigned i;

	td_out_init(&o);
	for (i = 0; i < 1000; i++)
		td_out_str(&o, TD_STR(PLAIN("x")));
	world_open(&w, NULL);
	peer_open(&p, &w, "192.0.2.2");
	send_and_run(&w, &p, td_out_view(&o), 1000);
	assert_int_equal(w.messages, 1000);
	assert_false(p.closed);
	td_out_free(&o);
	peer_close(&p);
	world_close(&w);
}

/* ---- what cannot be framed ---- */

struct bad {
	const char *name, *bytes;
	const char *answer; /* start of what comes back; "" nothing */
};

static const struct bad bads[] = {
	{ "p1_content_length_conflict", HEAD("OPTIONS", "a") "Content-Length: 0\r\nContent-Length: 4\r\n\r\nabcd",
	  "SIP/2.0 400 " },
	{ "p1_content_length_negative", HEAD("OPTIONS", "a") "Content-Length: -1\r\n\r\n", "SIP/2.0 400 " },
	{ "p1_content_length_plus", HEAD("OPTIONS", "a") "Content-Length: +5\r\n\r\n", "SIP/2.0 400 " },
	{ "p1_content_length_2_32", HEAD("OPTIONS", "a") "Content-Length: 4294967328\r\n\r\n", "SIP/2.0 " },
	{ "p1_content_length_20_digits", HEAD("OPTIONS", "a") "Content-Length: 99999999999999999999\r\n\r\n", "SIP/2.0 " },
	{ "p1_content_length_words", HEAD("OPTIONS", "a") "Content-Length: four\r\n\r\n", "SIP/2.0 400 " },
	{ "p6_bare_lf", HEAD("OPTIONS", "a") "Subject: a\nContent-Length: 0\r\n\r\n", "SIP/2.0 400 " },
	{ "p6_bare_cr", HEAD("OPTIONS", "a") "Subject: a\rb\r\nContent-Length: 0\r\n\r\n", "SIP/2.0 400 " },
	{ "answers to what came before", "\r\n\r\n;", "\r\n" },
	{ "never an answer to ACK", HEAD("ACK", "a") "Content-Length: -1\r\n\r\n", "" },
	{ "p10_http", "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", "" },
	{ "p10_binary", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "" },
	{ "p10_nul", "\001\002\003", "" },
	{ "bare CR between messages", PLAIN("a") "\r" PLAIN("b"), "" },
	{ "bare LF between messages", PLAIN("a") "\n" PLAIN("b"), "" },
};

static void p1_p10_framing_errors_close(void **state)
{
	size_t i;

	for (i = 0; i < TD_ARRAY_LEN(bads); i++) {
		struct world w;
		struct peer p;

		world_open(&w, NULL);
		peer_open(&p, &w, "192.0.2.2");
		send_and_run(&w, &p, td_str_of(bads[i].bytes), 100);
		if (!p.closed || w.lost != 1)
			fail_msg("%s: not closed", bads[i].name);
		if (*bads[i].answer ? !td_str_starts(td_out_view(&p.got), td_str_of(bads[i].answer)) : p.got.n != 0)
			fail_msg("%s: answered %.*s", bads[i].name, TD_FMT(td_out_view(&p.got)));
		peer_close(&p);
		world_close(&w);
	}
}

static void p1_declared_size_allocates_nothing(void **state)
{
	const struct td_tp_limits limits = {
		.max_message = 2000, .message_deadline_ms = 10000, .idle_ms = 60000, .per_source = 4, .out_queue_bytes = 100000
	};
	char junk[100];
	struct world w;
	struct peer p;
	unsigned i;

	memset(junk, 'a', sizeof(junk));
	world_open(&w, &limits);
	peer_open(&p, &w, "192.0.2.2");
	send_and_run(&w, &p, TD_STR(HEAD("OPTIONS", "a") "Subject: "), 10);
	for (i = 0; i < 30 && !p.closed; i++) /* a header that never ends */
		send_and_run(&w, &p, td_str_n(junk, sizeof(junk)), 1);
	assert_true(p.closed);
	assert_true(i < 25);
	assert_int_equal(w.messages, 0);
	peer_close(&p);
	world_close(&w);
}

/* ---- T1 ---- */

static void t1_slowloris(void **state)
{
	struct world w;
	struct peer slow, good;
	uint64_t begun;
	unsigned i;

	world_open(&w, NULL);
	peer_open(&slow, &w, "192.0.2.2");
	peer_open(&good, &w, "192.0.2.2");
	begun = td_sim_now_ms(w.sim);
	for (i = 0; i < 10 && !slow.closed; i++) {
		send_and_run(&w, &slow, td_str_n(&PLAIN("a")[i], 1), 2000);
		send_and_run(&w, &good, TD_STR(PLAIN("b")), 0);
	}
	assert_true(slow.closed);
	assert_in_range(slow.closed_ms - begun, 10000, 10050);
	assert_false(good.closed);
	assert_int_equal(w.messages, i);
	peer_close(&slow);
	peer_close(&good);
	world_close(&w);
}

/* A trusted connection has the long limit when nothing is going on, and the same deadline for a message begun. */
static void t1_trust_does_not_excuse_half_a_message(void **state)
{
	struct world w;
	struct peer p;

	world_open(&w, NULL);
	peer_open(&p, &w, "192.0.2.2");
	send_and_run(&w, &p, TD_STR(PLAIN("a")), 10);
	td_tp_trust_conn(w.tp, &w.last);
	td_sim_run(w.sim, 600000);
	assert_false(p.closed);
	send_and_run(&w, &p, TD_STR("OPTIONS "), 9900);
	assert_false(p.closed);
	td_sim_run(w.sim, 200);
	assert_true(p.closed);
	peer_close(&p);
	world_close(&w);
}

static void t1_idle_limits(void **state)
{
	struct world w;
	struct peer stranger, pinger, trusted;
	unsigned i;

	world_open(&w, NULL);
	peer_open(&stranger, &w, "192.0.2.2");
	peer_open(&pinger, &w, "192.0.2.2");
	peer_open(&trusted, &w, "192.0.2.2");
	send_and_run(&w, &trusted, TD_STR(PLAIN("a")), 10);
	td_tp_trust_conn(w.tp, &w.last);
	for (i = 0; i < 3; i++)
		send_and_run(&w, &pinger, TD_STR("\r\n\r\n"), 4000);
	assert_true(stranger.closed);
	assert_true(pinger.closed); /* pings alone earn nothing */
	td_sim_run(w.sim, 800000);
	assert_false(trusted.closed);
	send_and_run(&w, &trusted, TD_STR("\r\n\r\n"), 800000);
	assert_false(trusted.closed); /* but keep a registered phone's connection */
	td_sim_run(w.sim, 101000);
	assert_true(trusted.closed);
	assert_int_equal(w.lost, 3);
	peer_close(&stranger);
	peer_close(&pinger);
	peer_close(&trusted);
	world_close(&w);
}

static void t1_connections_per_source(void **state)
{
	const struct td_tp_limits limits = {
		.max_message = 65536, .message_deadline_ms = 10000, .idle_ms = 60000, .per_source = 3, .out_queue_bytes = 100000
	};
	struct world w;
	struct peer p[5], other;
	unsigned i;

	world_open(&w, &limits);
	peer_open(&p[0], &w, "192.0.2.2");
	send_and_run(&w, &p[0], TD_STR(PLAIN("a")), 10);
	td_tp_trust_conn(w.tp, &w.last);
	for (i = 1; i < 5; i++)
		peer_open(&p[i], &w, "192.0.2.2");
	peer_open(&other, &w, "192.0.2.3");
	assert_false(p[0].closed); /* it has proved itself */
	assert_true(p[1].closed);  /* the oldest strangers made room */
	assert_true(p[2].closed);
	assert_false(p[3].closed);
	assert_false(p[4].closed);
	assert_false(other.closed);
	for (i = 0; i < 5; i++)
		peer_close(&p[i]);
	peer_close(&other);
	world_close(&w);
}

static void t1_a_source_full_of_trust_takes_no_more(void **state)
{
	const struct td_tp_limits limits = {
		.max_message = 65536, .message_deadline_ms = 10000, .idle_ms = 60000, .per_source = 1, .out_queue_bytes = 100000
	};
	struct world w;
	struct peer a, b;

	world_open(&w, &limits);
	peer_open(&a, &w, "192.0.2.2");
	send_and_run(&w, &a, TD_STR(PLAIN("a")), 10);
	td_tp_trust_conn(w.tp, &w.last);
	peer_open(&b, &w, "192.0.2.2");
	assert_false(a.closed);
	assert_true(b.closed);
	peer_close(&a);
	peer_close(&b);
	world_close(&w);
}

static void the_guard_is_asked(void **state)
{
	struct world w;
	struct peer p, q;

	world_open(&w, NULL);
	peer_open(&p, &w, "192.0.2.2");
	w.refuse = true;
	send_and_run(&w, &p, TD_STR(PLAIN("a")), 10);
	assert_int_equal(w.messages, 0);
	assert_int_equal(td_tp_stats(w.tp)->refused_guard, 1);
	peer_open(&q, &w, "192.0.2.3");
	assert_true(q.closed);
	peer_close(&p);
	peer_close(&q);
	world_close(&w);
}

/* ---- T3 ---- */

struct watcher {
	struct td_flow_watch w;
	int err;
	unsigned calls;
};

static void on_lost(struct td_flow_watch *fw, int err, void *arg)
{
	struct watcher *w = arg;

	w->err = err;
	w->calls++;
}

static void t3_peer_that_never_reads(void **state)
{
	const struct td_tp_limits limits = {
		.max_message = 65536, .message_deadline_ms = 10000, .idle_ms = 60000, .per_source = 3, .out_queue_bytes = 10000
	};
	struct watcher watch = { .calls = 0 };
	struct td_buf *b = td_buf_new(3000);
	struct world w;
	struct peer p;
	int err = 0;
	unsigned i;

	assert_non_null(b);
	memset(b->data, 'x', 3000);
	b->len = 3000;
	world_open(&w, &limits);
	peer_open(&p, &w, "192.0.2.2");
	send_and_run(&w, &p, TD_STR(PLAIN("a")), 10);
	td_flow_watch(w.tp, &w.last, &watch.w, on_lost, &watch);
	for (i = 0; i < 100 && !err; i++) /* within one turn nothing can be written */
		err = td_tp_send(w.tp, &w.last, b);
	assert_int_equal(err, TD_EFULL);
	assert_true(i <= 5);
	assert_int_equal(watch.calls, 0); /* never from inside the call */
	assert_int_equal(td_tp_send(w.tp, &w.last, b), TD_ECLOSED);
	td_sim_run(w.sim, 10);
	assert_int_equal(watch.calls, 1);
	assert_int_equal(watch.err, TD_EFULL);
	assert_true(p.closed);
	td_buf_unref(b);
	peer_close(&p);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(t2_split_at_every_byte),
		cmocka_unit_test(t2_any_piece_size),
		cmocka_unit_test(t2_pipelined),
		cmocka_unit_test(p1_p10_framing_errors_close),
		cmocka_unit_test(p1_declared_size_allocates_nothing),
		cmocka_unit_test(t1_slowloris),
		cmocka_unit_test(t1_trust_does_not_excuse_half_a_message),
		cmocka_unit_test(t1_idle_limits),
		cmocka_unit_test(t1_connections_per_source),
		cmocka_unit_test(t1_a_source_full_of_trust_takes_no_more),
		cmocka_unit_test(the_guard_is_asked),
		cmocka_unit_test(t3_peer_that_never_reads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
