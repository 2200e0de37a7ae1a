/*
 * Two layers over a wire that loses, repeats, delays and reorders, a hundred seeds: each request reaches the server's TU once, each
 * final answer the client's TU once (2xx to INVITE as often as it comes), every transaction ends, and nothing is left (D7).
 * A failing seed is printed and happens again.
 */
#include "../../node.h"

enum { CALLS = 12, SEEDS = 100 };

struct world;

/* One call, both TUs of it. */
struct call {
	struct world *w;
	unsigned index;
	const char *method;
	unsigned answer;
	struct client cl;
	struct td_srvtx *st;
	struct td_buf *ok; /* the 2xx the server's TU repeats until its ACK comes (RFC 3261 §13.3.1.4) */
	struct td_timer again, after;
	uint32_t again_ms;
	unsigned requests, acks, acked, ended;
	int why;
};

struct world {
	struct td_sim *sim;
	struct td_wire *wire;
	struct node client, server;
	struct call calls[CALLS];
};

static struct call *call_of(struct world *w, const struct td_msg *m)
{
	uint32_t n = m->cseq.num; /* the only thing that tells our calls apart */

	assert_in_range(n, 1, CALLS);
	return &w->calls[n - 1];
}

/* ---- the server's TU: rings for 300 ms, then answers ---- */

static void send_ok(struct call *c)
{
	td_srvtx_reply(c->st, 200, c->ok);
	td_timer_start(c->w->server.loop, &c->again, c->again_ms);
	c->again_ms = c->again_ms * 2 > 4000 ? 4000 : c->again_ms * 2;
}

static void repeat(struct td_timer *tm, void *arg)
{
	struct call *c = arg;

	if (!c->acks && !c->ended)
		send_ok(c);
}

static void answer(struct td_timer *tm, void *arg)
{
	struct call *c = arg;

	if (c->answer == 200 && strcmp(c->method, "INVITE") == 0) {
		c->ok = response_to(td_srvtx_msg(c->st), 200, "t");
		c->again_ms = 500;
		send_ok(c);
	} else {
		assert_int_equal(td_srvtx_reply_plain(c->st, c->answer, TD_STR_NULL, TD_STR("t"), TD_STR_NULL), 0);
	}
}

static void on_acked(struct td_srvtx *st, void *arg)
{
	((struct call *)arg)->acked++;
}

static void on_ended(struct td_srvtx *st, int why, void *arg)
{
	struct call *c = arg;

	c->ended++;
	c->why = why;
}

static const struct td_srvtx_events server_events = { .acked = on_acked, .ended = on_ended };

static void on_request(struct node *n, struct td_msg *msg, const struct td_flow *from)
{
	struct call *c = call_of(n->arg, msg);

	if (c->requests++)
		return;
	assert_int_equal(td_srvtx_open(&c->st, n->txl, msg, from, &server_events, c), 0);
	if (msg->method == TD_INVITE)
		td_srvtx_reply_plain(c->st, 180, TD_STR_NULL, TD_STR("t"), TD_STR_NULL);
	td_timer_start(n->loop, &c->after, 300);
}

static void on_ack(void *arg, struct td_msg *msg, const struct td_flow *from)
{
	call_of(((struct node *)arg)->arg, msg)->acks++;
}

static const struct td_txl_events server_txl_events = { .request = node_request, .ack = on_ack, .cancel = node_cancel };

/* ---- the client's TU: acknowledges each 2xx itself ---- */

static void on_response(struct td_clitx *ct, struct td_msg *msg, void *arg)
{
	struct call *c = arg;
	char branch[TD_BRANCH_LEN];
	struct td_buf *ack;
	struct td_out via;

	client_response(ct, msg, &c->cl);
	if (msg->status != 200 || msg->method != TD_INVITE)
		return;
	td_branch_make(branch, c->w->client.txl);
	td_out_init(&via);
	td_tp_put_via(&via, c->w->client.tp, td_clitx_flow(ct), td_str_n(branch, sizeof(branch)));
	td_out_char(&via, '\0');
	ack = request_text("ACK", via.p, msg->cseq.num);
	td_out_free(&via);
	td_tp_send(c->w->client.tp, td_clitx_flow(ct), ack);
	td_buf_unref(ack);
}

static void on_client_ended(struct td_clitx *ct, int why, void *arg)
{
	client_ended(ct, why, &((struct call *)arg)->cl);
}

static const struct td_clitx_events tu_events = { .response = on_response, .ended = on_client_ended };

static void start(struct world *w, unsigned i)
{
	static const struct {
		const char *method;
		unsigned answer;
	} kinds[] = {
		{ "INVITE", 200 },
		{ "INVITE", 486 },
		{ "OPTIONS", 200 },
		{ "MESSAGE", 404 },
	};
	struct call *c = &w->calls[i];
	struct td_clitx_options opt = { .branch = { c->cl.branch, sizeof(c->cl.branch) } };
	struct td_out via;

	c->w = w;
	c->index = i;
	c->method = kinds[i % 4].method;
	c->answer = kinds[i % 4].answer;
	td_timer_init(&c->again, repeat, c);
	td_timer_init(&c->after, answer, c);
	opt.method = td_method_of(td_str_of(c->method));
	assert_int_equal(td_tp_flow_to(&opt.to, w->client.tp, TD_UDP, &w->server.addr), 0);
	td_branch_make(c->cl.branch, w->client.txl);
	td_out_init(&via);
	td_tp_put_via(&via, w->client.tp, &opt.to, opt.branch);
	td_out_char(&via, '\0');
	opt.bytes = request_text(c->method, via.p, i + 1);
	td_out_free(&via);
	assert_int_equal(td_clitx_open(&c->cl.ct, w->client.txl, &opt, &tu_events, c), 0);
	td_buf_unref(opt.bytes);
}

static void check(struct call *c, const struct td_wire_rules *rules, unsigned *complete)
{
	bool invite = strcmp(c->method, "INVITE") == 0;

	assert_int_equal(c->cl.ended, 1);
	if (c->cl.why == 0) {
		assert_int_equal(c->cl.status, c->answer);
		assert_int_equal(c->requests, 1);
		++*complete;
	} else {
		assert_int_equal(c->cl.why, TD_ETIMEOUT);
		assert_true(c->requests <= 1);
	}
	if (!invite)
		assert_true(c->cl.responses <= 2); /* at most a 100 and one final */
	if (c->requests) {
		assert_int_equal(c->ended, 1);
		assert_true(c->acked <= 1);
		assert_int_equal(c->why, invite && c->answer == 486 && !c->acked ? TD_ETIMEOUT : 0);
	}
	if (invite && c->answer == 200 && c->cl.why == 0 && rules->loss <= 0.2)
		assert_true(c->acks > 0); /* eleven 2xx, each answered by an ACK: one gets through */
}

static void one_seed(uint64_t seed, const struct td_wire_rules *rules, unsigned *complete)
{
	struct world w;
	unsigned i;

	memset(&w, 0, sizeof(w));
	assert_int_equal(td_sim_open(&w.sim, seed), 0);
	assert_int_equal(td_wire_open(&w.wire, w.sim), 0);
	td_wire_rules(w.wire, rules);
	node_open(&w.client, w.sim, w.wire, "192.0.2.1", 5060, NULL);
	node_open(&w.server, w.sim, w.wire, "192.0.2.2", 5060, NULL);
	td_txl_close(w.server.txl);
	assert_int_equal(td_txl_open(&w.server.txl, w.server.tp, NULL, NULL, &server_txl_events, &w.server), 0);
	w.server.on_request = on_request;
	w.server.arg = &w;
	for (i = 0; i < CALLS; i++)
		start(&w, i);
	td_sim_run(w.sim, 200000);
	assert_int_equal(td_txl_stats(w.client.txl)->clitx_open, 0);
	assert_int_equal(td_txl_stats(w.server.txl)->srvtx_open, 0);
	for (i = 0; i < CALLS; i++) {
		check(&w.calls[i], rules, complete);
		client_close(&w.calls[i].cl);
		td_srvtx_unref(w.calls[i].st);
		td_buf_unref(w.calls[i].ok);
	}
	node_close(&w.client);
	node_close(&w.server);
	td_wire_close(w.wire);
	td_sim_close(w.sim);
}

static void seeds(const struct td_wire_rules *rules, unsigned least)
{
	unsigned complete = 0;
	uint64_t seed;

	for (seed = 1; seed <= SEEDS; seed++) {
		print_message("seed %u\n", (unsigned)seed);
		one_seed(seed, rules, &complete);
	}
	assert_true(complete >= least);
}

static void d7_everything_twice(void **state)
{
	seeds(&(struct td_wire_rules){ .duplicate = 1.0, .delay_us = 20000, .jitter_us = 30000 }, SEEDS * CALLS);
}

static void d7_lost_and_reordered(void **state)
{
	seeds(&(struct td_wire_rules){ .loss = 0.2, .duplicate = 0.2, .reorder = 0.2, .delay_us = 20000, .jitter_us = 50000 },
	      SEEDS * CALLS - 2);
}

/* Half of everything is lost: calls may fail, but they end, and both sides agree on what they know. */
static void d7_half_lost(void **state)
{
	seeds(&(struct td_wire_rules){ .loss = 0.5, .delay_us = 20000 }, SEEDS * CALLS / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(d7_everything_twice),
		cmocka_unit_test(d7_lost_and_reordered),
		cmocka_unit_test(d7_half_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
