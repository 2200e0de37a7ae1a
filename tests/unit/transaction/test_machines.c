/*
 * Every state × every event of the four machines, against RFC 3261 figures 5 to 8 as replaced by RFC 6026, written out here
 * once more from the figures. A pair that is not a row must change nothing: no state, no timer, no datagram, no callback.
 */
#include "node.h"

#include "transaction/internal.h"

enum { KEPT = -1, OFF = -2 }; /* a timer: as it was; not running. Else: ms from now */
enum { WAS_RETRY_MS = 70000, WAS_LIFE_MS = 80000 };

/* Effects. What is sent is named by the first word of its status line or by its method. */
#define NOTHING ""

struct row {
	uint8_t state, event, next;
	const char *sent; /* "", "request", "ack", "100", "again" (the last response), "new" (the TU's) */
	const char *told; /* "", "response", "timeout", "error", "ended", "acked", "ack" */
	int retry, life;  /* on UDP */
	int retry_tcp, life_tcp;
};

static const struct row invite_client[] = {
	{ CALLING, EV_TIMER_A, CALLING, "request", "", 1000, KEPT, KEPT, KEPT },
	{ CALLING, EV_TIMER_B, TERMINATED, "", "timeout", OFF, OFF, OFF, OFF },
	{ CALLING, EV_TPORT_ERR, TERMINATED, "", "error", OFF, OFF, OFF, OFF },
	{ CALLING, EV_1XX, PROCEEDING, "", "response", OFF, OFF, OFF, OFF },
	{ CALLING, EV_2XX, ACCEPTED, "", "response", OFF, 32000, OFF, 32000 },     /* M */
	{ CALLING, EV_300_699, COMPLETED, "ack", "response", OFF, 32000, OFF, 0 }, /* D */
	{ PROCEEDING, EV_1XX, PROCEEDING, "", "response", KEPT, KEPT, KEPT, KEPT },
	{ PROCEEDING, EV_2XX, ACCEPTED, "", "response", KEPT, 32000, KEPT, 32000 },
	{ PROCEEDING, EV_300_699, COMPLETED, "ack", "response", KEPT, 32000, KEPT, 0 },
	{ COMPLETED, EV_300_699, COMPLETED, "ack", "", KEPT, KEPT, KEPT, KEPT },
	{ COMPLETED, EV_TPORT_ERR, TERMINATED, "", "error", OFF, OFF, OFF, OFF },
	{ COMPLETED, EV_TIMER_D, TERMINATED, "", "ended", OFF, OFF, OFF, OFF },
	{ ACCEPTED, EV_2XX, ACCEPTED, "", "response", KEPT, KEPT, KEPT, KEPT },
	{ ACCEPTED, EV_TIMER_M, TERMINATED, "", "ended", OFF, OFF, OFF, OFF },
	/* beyond the figure: §9.1 (cancelled, and no final response), §17.1.4 */
	{ PROCEEDING, EV_GIVE_UP, TERMINATED, "", "timeout", OFF, OFF, OFF, OFF },
	{ PROCEEDING, EV_TPORT_ERR, TERMINATED, "", "error", OFF, OFF, OFF, OFF },
};

static const struct row client[] = {
	{ TRYING, EV_TIMER_E, TRYING, "request", "", 1000, KEPT, KEPT, KEPT },
	{ TRYING, EV_TIMER_F, TERMINATED, "", "timeout", OFF, OFF, OFF, OFF },
	{ TRYING, EV_TPORT_ERR, TERMINATED, "", "error", OFF, OFF, OFF, OFF },
	{ TRYING, EV_1XX, PROCEEDING, "", "response", KEPT, KEPT, KEPT, KEPT },
	{ TRYING, EV_2XX, COMPLETED, "", "response", OFF, 5000, OFF, 0 }, /* K */
	{ TRYING, EV_300_699, COMPLETED, "", "response", OFF, 5000, OFF, 0 },
	{ PROCEEDING, EV_TIMER_E, PROCEEDING, "request", "", 4000, KEPT, KEPT, KEPT },
	{ PROCEEDING, EV_TIMER_F, TERMINATED, "", "timeout", OFF, OFF, OFF, OFF },
	{ PROCEEDING, EV_TPORT_ERR, TERMINATED, "", "error", OFF, OFF, OFF, OFF },
	{ PROCEEDING, EV_1XX, PROCEEDING, "", "response", KEPT, KEPT, KEPT, KEPT },
	{ PROCEEDING, EV_2XX, COMPLETED, "", "response", OFF, 5000, OFF, 0 },
	{ PROCEEDING, EV_300_699, COMPLETED, "", "response", OFF, 5000, OFF, 0 },
	{ COMPLETED, EV_TIMER_K, TERMINATED, "", "ended", OFF, OFF, OFF, OFF },
};

static const struct row invite_server[] = {
	{ PROCEEDING, EV_REQUEST, PROCEEDING, "again", "", KEPT, KEPT, KEPT, KEPT },
	{ PROCEEDING, EV_TIMER_100, PROCEEDING, "100", "", KEPT, KEPT, KEPT, KEPT },
	{ PROCEEDING, EV_1XX, PROCEEDING, "new", "", OFF, KEPT, OFF, KEPT },
	{ PROCEEDING, EV_2XX, ACCEPTED, "new", "", OFF, 32000, OFF, 32000 },       /* L */
	{ PROCEEDING, EV_300_699, COMPLETED, "new", "", 1000, 32000, OFF, 32000 }, /* G, H */
	{ PROCEEDING, EV_TPORT_ERR, PROCEEDING, "", "error", KEPT, KEPT, KEPT, KEPT },
	{ COMPLETED, EV_REQUEST, COMPLETED, "again", "", KEPT, KEPT, KEPT, KEPT },
	{ COMPLETED, EV_TIMER_G, COMPLETED, "again", "", 1000, KEPT, KEPT, KEPT },
	{ COMPLETED, EV_TIMER_H, TERMINATED, "", "timeout", OFF, OFF, OFF, OFF },
	{ COMPLETED, EV_ACK, CONFIRMED, "", "acked", OFF, 5000, OFF, 0 }, /* I */
	{ COMPLETED, EV_TPORT_ERR, COMPLETED, "", "error", KEPT, KEPT, KEPT, KEPT },
	{ CONFIRMED, EV_TIMER_I, TERMINATED, "", "ended", OFF, OFF, OFF, OFF },
	{ ACCEPTED, EV_REQUEST, ACCEPTED, "", "", KEPT, KEPT, KEPT, KEPT },
	{ ACCEPTED, EV_ACK, ACCEPTED, "", "ack", KEPT, KEPT, KEPT, KEPT },
	{ ACCEPTED, EV_2XX, ACCEPTED, "new", "", KEPT, KEPT, KEPT, KEPT },
	{ ACCEPTED, EV_TPORT_ERR, ACCEPTED, "", "error", KEPT, KEPT, KEPT, KEPT },
	{ ACCEPTED, EV_TIMER_L, TERMINATED, "", "ended", OFF, OFF, OFF, OFF },
	/* beyond the figure: its last user let go of it */
	{ PROCEEDING, EV_GIVE_UP, TERMINATED, "", "timeout", OFF, OFF, OFF, OFF },
};

static const struct row server[] = {
	{ TRYING, EV_1XX, PROCEEDING, "new", "", OFF, KEPT, OFF, KEPT },
	{ TRYING, EV_2XX, COMPLETED, "new", "", OFF, 32000, OFF, 0 }, /* J */
	{ TRYING, EV_300_699, COMPLETED, "new", "", OFF, 32000, OFF, 0 },
	{ PROCEEDING, EV_REQUEST, PROCEEDING, "again", "", KEPT, KEPT, KEPT, KEPT },
	{ PROCEEDING, EV_1XX, PROCEEDING, "new", "", KEPT, KEPT, KEPT, KEPT },
	{ PROCEEDING, EV_2XX, COMPLETED, "new", "", KEPT, 32000, KEPT, 0 },
	{ PROCEEDING, EV_300_699, COMPLETED, "new", "", KEPT, 32000, KEPT, 0 },
	{ COMPLETED, EV_REQUEST, COMPLETED, "again", "", KEPT, KEPT, KEPT, KEPT },
	{ COMPLETED, EV_TIMER_J, TERMINATED, "", "ended", OFF, OFF, OFF, OFF },
	/* RFC 6026 §8.8 instead of the figure: the state is kept */
	{ TRYING, EV_TPORT_ERR, TRYING, "", "error", KEPT, KEPT, KEPT, KEPT },
	{ PROCEEDING, EV_TPORT_ERR, PROCEEDING, "", "error", KEPT, KEPT, KEPT, KEPT },
	{ COMPLETED, EV_TPORT_ERR, COMPLETED, "", "error", KEPT, KEPT, KEPT, KEPT },
	/* beyond the figure: RFC 4320 §4.1; its last user let go of it */
	{ TRYING, EV_TIMER_100, PROCEEDING, "100", "", KEPT, KEPT, KEPT, KEPT },
	{ TRYING, EV_GIVE_UP, TERMINATED, "", "timeout", OFF, OFF, OFF, OFF },
	{ PROCEEDING, EV_GIVE_UP, TERMINATED, "", "timeout", OFF, OFF, OFF, OFF },
};

/* ---- one transaction at a time, put into a state by hand ---- */

struct bench {
	struct td_sim *sim;
	struct td_wire *wire;
	struct node us, peer;
	struct raw raw;
	char told[32];
	enum td_proto proto;
	struct td_flow flow;
};

static void tell(struct bench *b, const char *what)
{
	assert_string_equal(b->told, ""); /* at most one thing an event */
	strncpy(b->told, what, sizeof(b->told) - 1);
}

static const char *why_text(int why)
{
	return why == 0 ? "ended" : why == TD_ETIMEOUT ? "timeout" : "error";
}

static void c_response(struct td_clitx *ct, struct td_msg *msg, void *arg)
{
	tell(arg, "response");
}
static void c_ended(struct td_clitx *ct, int why, void *arg)
{
	tell(arg, why_text(why));
}
static void s_acked(struct td_srvtx *st, void *arg)
{
	tell(arg, "acked");
}
static void s_ended(struct td_srvtx *st, int why, void *arg)
{
	tell(arg, why_text(why));
}
static void s_unsent(struct td_srvtx *st, int err, void *arg)
{
	tell(arg, "error");
}

static const struct td_clitx_events c_events = { .response = c_response, .ended = c_ended };
static const struct td_srvtx_events s_events = { .acked = s_acked, .ended = s_ended, .unsent = s_unsent };

static struct td_buf *our_request(struct bench *b, const char *method, struct td_str branch)
{
	struct td_out via;
	struct td_buf *req;

	td_out_init(&via);
	td_tp_put_via(&via, b->us.tp, &b->flow, branch);
	td_out_char(&via, '\0');
	req = request_text(method, via.p, 1);
	td_out_free(&via);
	return req;
}

static void bench_open(struct bench *b, enum td_proto proto)
{
	memset(b, 0, sizeof(*b));
	b->proto = proto;
	assert_int_equal(td_sim_open(&b->sim, 1), 0);
	assert_int_equal(td_wire_open(&b->wire, b->sim), 0);
	node_open(&b->us, b->sim, b->wire, "192.0.2.1", 5060, NULL);
	node_open(&b->peer, b->sim, b->wire, "192.0.2.2", 5060, NULL);
	assert_int_equal(td_tp_flow_to(&b->flow, b->us.tp, proto, &b->peer.addr), 0);
	td_sim_run(b->sim, 100);
}

static void bench_close(struct bench *b)
{
	node_close(&b->us);
	node_close(&b->peer);
	td_wire_close(b->wire);
	td_sim_close(b->sim);
}

/* What the peer sees: it records requests and stray responses, whatever they are. */
static const char *sent_to_peer(struct bench *b)
{
	struct node *p = &b->peer;
	const char *what = "";

	td_sim_run(b->sim, 20);
	if (p->requests)
		what = "request";
	else if (p->acks)
		what = "ack";
	else if (p->strays)
		what = p->stray->status == 100 ? "100" : p->stray->status == 183 ? "again" : "new";
	assert_true(p->requests + p->acks + p->strays <= 1);
	p->requests = p->acks = p->strays = 0;
	return what;
}

static struct txn *make(struct bench *b, bool is_client, bool invite)
{
	const char *method = invite ? "INVITE" : "OPTIONS";
	char branch[TD_BRANCH_LEN];
	struct td_buf *req;
	struct txn *t;

	td_branch_make(branch, b->us.txl);
	req = our_request(b, method, td_str_n(branch, sizeof(branch)));
	if (is_client) {
		struct td_clitx_options opt = {
			.method = invite ? TD_INVITE : TD_OPTIONS,
			.branch = td_str_n(branch, sizeof(branch)),
			.bytes = req,
			.to = b->flow,
		};
		struct td_clitx *ct;

		assert_int_equal(td_clitx_open(&ct, b->us.txl, &opt, &c_events, b), 0);
		t = &ct->t;
		sent_to_peer(b);
	} else {
		struct td_msg *m = parsed(td_buf_str(req));
		struct td_srvtx *st;

		assert_int_equal(td_srvtx_open(&st, b->us.txl, m, &b->flow, &s_events, b), 0);
		t = &st->t;
		t->out = response_to(m, 183, "s1");
		td_msg_unref(m);
	}
	td_buf_unref(req);
	t->retry_ms = 500;
	td_timer_start(b->us.loop, &t->retry, WAS_RETRY_MS);
	td_timer_start(b->us.loop, &t->life, WAS_LIFE_MS);
	return t;
}

static int raise_event(struct bench *b, struct txn *t, bool is_client, enum txn_event ev)
{
	unsigned status = ev == EV_1XX ? 180 : ev == EV_2XX ? 200 : 486;
	bool response = ev == EV_1XX || ev == EV_2XX || ev == EV_300_699;
	bool invite = t->machine == &td_invite_client_machine || t->machine == &td_invite_server_machine;
	struct td_buf *req = our_request(b, invite ? "INVITE" : "OPTIONS", TD_STR("z9hG4bKany"));
	struct td_msg *m = parsed(td_buf_str(req));
	struct stimulus s = { .from = &b->flow, .err = TD_ECLOSED, .msg = m };
	struct td_buf *bytes = NULL;
	int err;

	if (response) {
		bytes = response_to(m, status, "s1");
		if (is_client) {
			td_msg_unref(m);
			s.msg = m = parsed(td_buf_str(bytes));
		} else {
			s.bytes = bytes;
		}
	}
	err = txn_step(t, ev, &s);
	td_msg_unref(m);
	td_buf_unref(req);
	td_buf_unref(bytes);
	return err;
}

static void check_timer(struct bench *b, const struct td_timer *tm, int want, uint64_t was_at)
{
	if (want == OFF)
		assert_false(td_timer_running(tm));
	else
		assert_true(td_timer_running(tm));
	if (want == KEPT)
		assert_int_equal(tm->when_ms, was_at);
	else if (want != OFF)
		assert_int_equal(tm->when_ms, td_loop_now_ms(b->us.loop) + (unsigned)want);
}

static void check_pair(struct bench *b, bool is_client, bool invite, uint8_t state, uint8_t event, const struct row *row)
{
	static const struct row ignored = {
		.sent = "", .told = "", .retry = KEPT, .life = KEPT, .retry_tcp = KEPT, .life_tcp = KEPT
	};
	struct txn *t = make(b, is_client, invite);
	uint64_t retry_at = t->retry.when_ms, life_at = t->life.when_ms;
	unsigned acks = b->us.acks;
	int err;

	t->state = state;
	b->told[0] = '\0';
	txn_ref(t);
	err = raise_event(b, t, is_client, (enum txn_event)event);
	if (b->us.acks != acks)
		tell(b, "ack");
	assert_int_equal(err, row ? 0 : TD_EORDER);
	assert_int_equal(t->state, row ? row->next : state);
	if (!row)
		row = &ignored;
	check_timer(b, &t->retry, b->proto == TD_UDP ? row->retry : row->retry_tcp, retry_at);
	check_timer(b, &t->life, b->proto == TD_UDP ? row->life : row->life_tcp, life_at);
	td_timer_stop(b->us.loop, &t->retry);
	td_timer_stop(b->us.loop, &t->life);
	assert_string_equal(b->told, row->told);
	assert_string_equal(sent_to_peer(b), row->sent);
	if (t->state != TERMINATED)
		txn_drop(t);
	txn_unref(t);
	if (is_client)
		td_clitx_unref(TD_CONTAINER_OF(t, struct td_clitx, t));
	else
		td_srvtx_unref(TD_CONTAINER_OF(t, struct td_srvtx, t));
}

static void walk(bool is_client, bool invite, enum td_proto proto, const struct row *rows, size_t n)
{
	struct bench b;
	unsigned state, event, used = 0;
	size_t i;

	bench_open(&b, proto);
	for (state = CALLING; state <= TERMINATED; state++) {
		for (event = EV_START; event < TXN_EVENTS; event++) {
			const struct row *row = NULL;

			for (i = 0; i < n; i++)
				if (rows[i].state == state && rows[i].event == event)
					row = &rows[i];
			used += row != NULL;
			if (state != TERMINATED)
				check_pair(&b, is_client, invite, (uint8_t)state, (uint8_t)event, row);
		}
	}
	assert_int_equal(used, n);
	assert_int_equal(td_txl_stats(b.us.txl)->srvtx_open, 0);
	assert_int_equal(td_txl_stats(b.us.txl)->clitx_open, 0);
	bench_close(&b);
}

/* Proves RFC 3261 §17.1.1.2-1, §17.1.1.2-4, §17.1.4-1; RFC 6026 §7.2-1. */
static void invite_client_udp(void **state)
{
	walk(true, true, TD_UDP, invite_client, TD_ARRAY_LEN(invite_client));
}
/* Proves RFC 3261 §17.1.1.2-2; RFC 6026 §7.2-1. */
static void invite_client_tcp(void **state)
{
	walk(true, true, TD_TCP, invite_client, TD_ARRAY_LEN(invite_client));
}
/* Proves RFC 3261 §8.1.3.1-1, §17.1.2.2-1, §17.1.4-1. */
static void client_udp(void **state)
{
	walk(true, false, TD_UDP, client, TD_ARRAY_LEN(client));
}
/* Proves RFC 3261 §17.1.2.2-2. */
static void client_tcp(void **state)
{
	walk(true, false, TD_TCP, client, TD_ARRAY_LEN(client));
}
/* Proves RFC 3261 §17.2.1-2, §17.2.1-3; RFC 6026 §7.1-1, §7.1-3. */
static void invite_server_udp(void **state)
{
	walk(false, true, TD_UDP, invite_server, TD_ARRAY_LEN(invite_server));
}
/* Proves RFC 3261 §17.2.1-3; RFC 6026 §7.1-1. */
static void invite_server_tcp(void **state)
{
	walk(false, true, TD_TCP, invite_server, TD_ARRAY_LEN(invite_server));
}
/* Proves RFC 3261 §17.2.2-1, §17.2.2-2; RFC 4320 §4.2-1; RFC 6026 §8.8-1. */
static void server_udp(void **state)
{
	walk(false, false, TD_UDP, server, TD_ARRAY_LEN(server));
}
/* Proves RFC 3261 §17.2.2-1; RFC 6026 §8.8-1. */
static void server_tcp(void **state)
{
	walk(false, false, TD_TCP, server, TD_ARRAY_LEN(server));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(invite_client_udp), cmocka_unit_test(invite_client_tcp), cmocka_unit_test(client_udp),
		cmocka_unit_test(client_tcp),        cmocka_unit_test(invite_server_udp), cmocka_unit_test(invite_server_tcp),
		cmocka_unit_test(server_udp),        cmocka_unit_test(server_tcp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
