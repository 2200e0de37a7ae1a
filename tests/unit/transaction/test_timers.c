/*
 * When exactly things leave and end, in simulated milliseconds: RFC 3261 table 4, with L and M of RFC 6026. One element under
 * test, one peer that is only a socket.
 */
#include "node.h"

struct world {
	struct td_sim *sim;
	struct td_wire *wire;
	struct node us;
	struct raw peer;
	uint64_t start_ms;
};

static void open_world(struct world *w)
{
	memset(w, 0, sizeof(*w));
	assert_int_equal(td_sim_open(&w->sim, 7), 0);
	assert_int_equal(td_wire_open(&w->wire, w->sim), 0);
	node_open(&w->us, w->sim, w->wire, "192.0.2.1", 5060, NULL);
	raw_open(&w->peer, w->sim, w->wire, "192.0.2.2", 5070);
	td_sim_run(w->sim, 3);
	w->start_ms = td_sim_now_ms(w->sim);
}

static void close_world(struct world *w)
{
	assert_int_equal(td_txl_stats(w->us.txl)->clitx_open, 0);
	assert_int_equal(td_txl_stats(w->us.txl)->srvtx_open, 0);
	raw_close(&w->peer);
	node_close(&w->us);
	td_wire_close(w->wire);
	td_sim_close(w->sim);
}

/* Runs until `ms` after the start of the test. */
static void run_to(struct world *w, uint64_t ms)
{
	td_sim_run(w->sim, w->start_ms + ms - td_sim_now_ms(w->sim));
}

/* Exactly these times, in ms after the start, ended by -1. */
static void check_times(const struct world *w, const char *what, const int *want)
{
	unsigned i, k = 0;

	for (i = 0; i < w->peer.n; i++) {
		if (!td_str_starts(td_buf_str(w->peer.got[i].buf), td_str_of(what)))
			continue;
		assert_int_not_equal(want[k], -1);
		assert_int_equal(w->peer.got[i].at_ms - w->start_ms, want[k]);
		k++;
	}
	assert_int_equal(want[k], -1);
}

#define TIMES(...)              \
	(const int[])           \
	{                       \
		__VA_ARGS__, -1 \
	}

/* ---- clients ---- */

/* Proves RFC 3261 §17.1.1.2-1. */
static void a_and_b(void **state)
{
	struct world w;
	struct client c;

	open_world(&w);
	assert_int_equal(client_open(&c, &w.us, "INVITE", TD_UDP, &w.peer.addr), 0);
	run_to(&w, 31999);
	assert_int_equal(c.ended, 0);
	run_to(&w, 32000);
	assert_int_equal(c.ended, 1);
	assert_int_equal(c.why, TD_ETIMEOUT);
	run_to(&w, 100000);
	check_times(&w, "INVITE ", TIMES(0, 500, 1500, 3500, 7500, 15500, 31500));
	client_close(&c);
	close_world(&w);
}

/* Proves RFC 3261 §17.1.2.2-1. */
static void e_and_f(void **state)
{
	struct world w;
	struct client c;

	open_world(&w);
	assert_int_equal(client_open(&c, &w.us, "OPTIONS", TD_UDP, &w.peer.addr), 0);
	run_to(&w, 31999);
	assert_int_equal(c.ended, 0);
	run_to(&w, 32000);
	assert_int_equal(c.ended, 1);
	assert_int_equal(c.why, TD_ETIMEOUT);
	run_to(&w, 100000);
	check_times(&w, "OPTIONS ", TIMES(0, 500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500));
	client_close(&c);
	close_world(&w);
}

/* A provisional response does not stop E: the running one ends, then it is T2 (§17.1.2.2). F goes on. */
/* Proves RFC 3261 §17.1.2.2-1. */
static void e_in_proceeding(void **state)
{
	struct world w;
	struct client c;

	open_world(&w);
	assert_int_equal(client_open(&c, &w.us, "OPTIONS", TD_UDP, &w.peer.addr), 0);
	run_to(&w, 600);
	raw_answer(&w.peer, 0, 100);
	run_to(&w, 32000);
	assert_int_equal(c.responses, 1);
	assert_int_equal(c.why, TD_ETIMEOUT);
	check_times(&w, "OPTIONS ", TIMES(0, 500, 1500, 5500, 9500, 13500, 17500, 21500, 25500, 29500));
	client_close(&c);
	close_world(&w);
}

/* Proves RFC 3261 §17.1.1.2-3, §17.1.1.2-4. */
static void provisional_stops_a_and_b(void **state)
{
	struct world w;
	struct client c;

	open_world(&w);
	assert_int_equal(client_open(&c, &w.us, "INVITE", TD_UDP, &w.peer.addr), 0);
	run_to(&w, 600);
	raw_answer(&w.peer, 0, 180);
	run_to(&w, 300000); /* rings five minutes: nothing here ends that */
	assert_int_equal(c.ended, 0);
	raw_answer(&w.peer, 0, 486);
	run_to(&w, 300000 + 31900);
	assert_int_equal(c.ended, 0);
	raw_answer(&w.peer, 0, 486); /* again, within D */
	run_to(&w, 300000 + 32100);
	assert_int_equal(c.ended, 1);
	assert_int_equal(c.why, 0);
	assert_int_equal(c.responses, 2); /* 180, 486: the second 486 was not passed up */
	check_times(&w, "INVITE ", TIMES(0, 500));
	assert_int_equal(raw_count(&w.peer, "ACK "), 2);
	client_close(&c);
	close_world(&w);
}

/* Timer M: 2xx come up again and again for 64*T1, unacknowledged by us; later ones are strays. */
/* Proves RFC 6026 §7.2-1. */
static void m(void **state)
{
	struct world w;
	struct client c;

	open_world(&w);
	assert_int_equal(client_open(&c, &w.us, "INVITE", TD_UDP, &w.peer.addr), 0);
	run_to(&w, 100);
	raw_answer(&w.peer, 0, 200);
	run_to(&w, 20000);
	raw_answer(&w.peer, 0, 200);
	run_to(&w, 32050);
	assert_int_equal(c.responses, 2);
	assert_int_equal(c.ended, 0);
	run_to(&w, 32200);
	assert_int_equal(c.ended, 1);
	assert_int_equal(c.why, 0);
	raw_answer(&w.peer, 0, 200);
	run_to(&w, 32300);
	assert_int_equal(w.us.strays, 1);
	assert_int_equal(raw_count(&w.peer, "ACK "), 0);
	client_close(&c);
	close_world(&w);
}

/* Proves RFC 3261 §17.1.2.2-2. */
static void k(void **state)
{
	struct world w;
	struct client c;

	open_world(&w);
	assert_int_equal(client_open(&c, &w.us, "OPTIONS", TD_UDP, &w.peer.addr), 0);
	run_to(&w, 100);
	raw_answer(&w.peer, 0, 200);
	run_to(&w, 5050);
	raw_answer(&w.peer, 0, 200); /* a repetition: absorbed */
	assert_int_equal(c.ended, 0);
	run_to(&w, 5200);
	assert_int_equal(c.ended, 1);
	assert_int_equal(c.responses, 1);
	assert_int_equal(w.us.strays, 0);
	raw_answer(&w.peer, 0, 200);
	run_to(&w, 5300);
	assert_int_equal(w.us.strays, 1);
	client_close(&c);
	close_world(&w);
}

/* ---- servers ---- */

struct tu {
	struct td_srvtx *st;
	unsigned acked, ended;
	int why;
	uint64_t ended_ms;
	struct node *n;
	unsigned reply; /* at once; 0: later */
};

static void on_acked(struct td_srvtx *st, void *arg)
{
	((struct tu *)arg)->acked++;
}

static void on_ended(struct td_srvtx *st, int why, void *arg)
{
	struct tu *tu = arg;

	tu->ended++;
	tu->why = why;
	tu->ended_ms = td_loop_now_ms(tu->n->loop);
}

static const struct td_srvtx_events tu_events = { .acked = on_acked, .ended = on_ended };

static void on_request(struct node *n, struct td_msg *msg, const struct td_flow *from)
{
	struct tu *tu = n->arg;

	assert_int_equal(td_srvtx_open(&tu->st, n->txl, msg, from, &tu_events, tu), 0);
	if (tu->reply)
		assert_int_equal(td_srvtx_reply_plain(tu->st, tu->reply, TD_STR_NULL, TD_STR("t1"), TD_STR_NULL), 0);
}

static void tu_open(struct tu *tu, struct world *w, unsigned reply)
{
	memset(tu, 0, sizeof(*tu));
	tu->n = &w->us;
	tu->reply = reply;
	w->us.arg = tu;
	w->us.on_request = on_request;
}

static void ask(struct world *w, const char *method)
{
	struct td_buf *b = request_text(method, "SIP/2.0/UDP 192.0.2.2:5070;branch=z9hG4bKq1", 1);

	raw_send(&w->peer, &w->us.addr, td_buf_str(b));
	td_buf_unref(b);
}

/* Proves RFC 3261 §17.2.1-3. */
static void g_and_h(void **state)
{
	struct world w;
	struct tu tu;

	open_world(&w);
	tu_open(&tu, &w, 486);
	ask(&w, "INVITE");
	run_to(&w, 31999);
	assert_int_equal(tu.ended, 0);
	run_to(&w, 100000);
	assert_int_equal(tu.ended, 1);
	assert_int_equal(tu.why, TD_ETIMEOUT);
	assert_int_equal(tu.ended_ms - w.start_ms, 32000);
	check_times(&w, "SIP/2.0 486", TIMES(0, 500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500));
	td_srvtx_unref(tu.st);
	close_world(&w);
}

/* Lost ACK, then one: G stops, I (T4) absorbs the others. */
/* Proves RFC 3261 §17.2.1-4. */
static void i(void **state)
{
	struct world w;
	struct tu tu;
	struct td_buf *ack = request_text("ACK", "SIP/2.0/UDP 192.0.2.2:5070;branch=z9hG4bKq1", 1);

	open_world(&w);
	tu_open(&tu, &w, 486);
	ask(&w, "INVITE");
	run_to(&w, 1600);
	raw_send(&w.peer, &w.us.addr, td_buf_str(ack));
	run_to(&w, 6500);
	raw_send(&w.peer, &w.us.addr, td_buf_str(ack));
	ask(&w, "INVITE"); /* ignored in Confirmed */
	run_to(&w, 6599);
	assert_int_equal(tu.acked, 1);
	assert_int_equal(tu.ended, 0);
	run_to(&w, 6600);
	assert_int_equal(tu.ended, 1);
	assert_int_equal(tu.why, 0);
	run_to(&w, 50000);
	assert_int_equal(w.us.requests, 1);
	assert_int_equal(w.us.acks, 0);
	check_times(&w, "SIP/2.0 486", TIMES(0, 500, 1500));
	td_srvtx_unref(tu.st);
	td_buf_unref(ack);
	close_world(&w);
}

/* Proves RFC 3261 §17.2.2-1. */
static void j(void **state)
{
	struct world w;
	struct tu tu;

	open_world(&w);
	tu_open(&tu, &w, 200);
	ask(&w, "OPTIONS");
	run_to(&w, 1000);
	ask(&w, "OPTIONS");
	run_to(&w, 31990);
	ask(&w, "OPTIONS");
	run_to(&w, 31999);
	assert_int_equal(tu.ended, 0);
	run_to(&w, 32000);
	assert_int_equal(tu.ended, 1);
	assert_int_equal(tu.why, 0);
	assert_int_equal(w.us.requests, 1);
	check_times(&w, "SIP/2.0 200", TIMES(0, 1000, 31990));
	td_srvtx_unref(tu.st);
	close_world(&w);
}

/* Accepted: repeated INVITEs are absorbed, the TU's 2xx pass, the ACK goes up; L ends it. */
/* Proves RFC 6026 §7.1-1, §7.1-2. */
static void l(void **state)
{
	struct world w;
	struct tu tu;
	struct td_buf *ok;
	struct td_buf *ack = request_text("ACK", "SIP/2.0/UDP 192.0.2.2:5070;branch=z9hG4bKq1", 1);

	open_world(&w);
	tu_open(&tu, &w, 180);
	ask(&w, "INVITE");
	run_to(&w, 1000);
	ok = response_to(td_srvtx_msg(tu.st), 200, "t1");
	assert_int_equal(td_srvtx_reply(tu.st, 200, ok), 0);
	assert_null(td_srvtx_msg(tu.st)); /* what is only absorbed needs no request */
	assert_int_equal(td_srvtx_reply(tu.st, 486, ok), TD_EORDER);
	run_to(&w, 1500);
	assert_int_equal(td_srvtx_reply(tu.st, 200, ok), 0);
	ask(&w, "INVITE");
	raw_send(&w.peer, &w.us.addr, td_buf_str(ack));
	run_to(&w, 32999);
	assert_int_equal(tu.ended, 0);
	run_to(&w, 33000);
	assert_int_equal(tu.ended, 1);
	assert_int_equal(tu.why, 0);
	assert_int_equal(w.us.requests, 1);
	assert_int_equal(w.us.acks, 1);
	check_times(&w, "SIP/2.0 200", TIMES(1000, 1500));
	td_buf_unref(ok);
	td_buf_unref(ack);
	td_srvtx_unref(tu.st);
	close_world(&w);
}

/* Proves RFC 3261 §17.2.1-1. */
static void trying_after_200_ms(void **state)
{
	struct world w;
	struct tu tu;

	open_world(&w);
	tu_open(&tu, &w, 0);
	ask(&w, "INVITE");
	run_to(&w, 700);
	ask(&w, "INVITE");
	run_to(&w, 1000);
	assert_int_equal(td_srvtx_last_status(tu.st), 100);
	check_times(&w, "SIP/2.0 100", TIMES(200, 700));
	td_srvtx_unref(tu.st); /* D7: nobody answers it any more */
	run_to(&w, 32999);
	assert_int_equal(tu.ended, 0);
	run_to(&w, 33000);
	assert_int_equal(tu.ended, 1);
	close_world(&w);
}

/* Proves RFC 3261 §17.2.1-1, §17.2.1-2. */
static void no_trying_when_the_tu_was_quick(void **state)
{
	struct world w;
	struct tu tu;

	open_world(&w);
	tu_open(&tu, &w, 180);
	ask(&w, "INVITE");
	run_to(&w, 5000);
	ask(&w, "INVITE");
	run_to(&w, 6000);
	assert_int_equal(raw_count(&w.peer, "SIP/2.0 100"), 0);
	check_times(&w, "SIP/2.0 180", TIMES(0, 5000));
	assert_int_equal(td_srvtx_reply_plain(tu.st, 603, TD_STR_NULL, TD_STR("t1"), TD_STR_NULL), 0);
	td_srvtx_unref(tu.st);
	run_to(&w, 60000);
	close_world(&w);
}

/* RFC 4320 §4.1: 100 for a slow TU when the client's E has reached T2, and no other provisional response, ever. */
/* Proves RFC 3261 §8.2.6.1-1; RFC 4320 §4.1-1, §4.1-2. */
static void slow_answer_to_a_non_invite(void **state)
{
	struct world w;
	struct tu tu;

	open_world(&w);
	tu_open(&tu, &w, 0);
	ask(&w, "OPTIONS");
	run_to(&w, 3000);
	assert_int_equal(td_srvtx_reply_plain(tu.st, 183, TD_STR_NULL, TD_STR("t1"), TD_STR_NULL), TD_EORDER);
	run_to(&w, 4000);
	check_times(&w, "SIP/2.0 ", TIMES(3500));
	assert_int_equal(td_srvtx_reply_plain(tu.st, 200, TD_STR_NULL, TD_STR("t1"), TD_STR_NULL), 0);
	td_srvtx_unref(tu.st);
	run_to(&w, 60000);
	check_times(&w, "SIP/2.0 ", TIMES(3500, 4000));
	close_world(&w);
}

/* ---- reliable transports: A, E, G never; D, I, J, K at once ---- */

/* Proves RFC 3261 §17.1.1.2-2. */
static void over_tcp(void **state)
{
	struct world w;
	struct node peer;
	struct client inv, opt;
	struct tu tu = { .n = NULL };

	open_world(&w);
	node_open(&peer, w.sim, w.wire, "192.0.2.3", 5060, NULL);
	tu_open(&tu, &w, 0);
	tu.n = &peer;
	peer.arg = &tu;
	peer.on_request = on_request;
	assert_int_equal(client_open(&inv, &w.us, "INVITE", TD_TCP, &peer.addr), 0);
	run_to(&w, 20000);
	assert_int_equal(peer.requests, 1);
	assert_int_equal(td_txl_stats(w.us.txl)->retransmissions_out, 0);
	assert_int_equal(td_srvtx_reply_plain(tu.st, 486, TD_STR_NULL, TD_STR("t1"), TD_STR_NULL), 0);
	run_to(&w, 20100);
	assert_int_equal(inv.ended, 1);
	assert_int_equal(inv.why, 0);
	assert_int_equal(tu.acked, 1);
	assert_int_equal(tu.ended, 1);
	td_srvtx_unref(tu.st);
	client_close(&inv);

	tu.reply = 200;
	tu.ended = 0;
	assert_int_equal(client_open(&opt, &w.us, "OPTIONS", TD_TCP, &peer.addr), 0);
	run_to(&w, 20200);
	assert_int_equal(opt.ended, 1);
	assert_int_equal(opt.status, 200);
	assert_int_equal(tu.ended, 1);
	td_srvtx_unref(tu.st);
	client_close(&opt);
	node_close(&peer);
	close_world(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_and_b),
		cmocka_unit_test(e_and_f),
		cmocka_unit_test(e_in_proceeding),
		cmocka_unit_test(provisional_stops_a_and_b),
		cmocka_unit_test(m),
		cmocka_unit_test(k),
		cmocka_unit_test(g_and_h),
		cmocka_unit_test(i),
		cmocka_unit_test(j),
		cmocka_unit_test(l),
		cmocka_unit_test(trying_after_200_ms),
		cmocka_unit_test(no_trying_when_the_tu_was_quick),
		cmocka_unit_test(slow_answer_to_a_non_invite),
		cmocka_unit_test(over_tcp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
