/*
 * Transactions when memory runs out: each allocation of a whole call over UDP and over TCP fails in turn, alone and for good. No
 * crash, no leak, and no transaction left behind once both TUs have let go.
 */
#include "failing.h"
#include "node.h"

struct call {
	struct td_sim *sim;
	struct td_wire *wire;
	struct node us, peer;
	struct td_srvtx *st;
	enum td_proto proto;
	const char *method;
	unsigned status; /* the peer's final answer */
	bool cancel;
};

static void on_cancelled(struct td_srvtx *st, struct td_msg *cancel, void *arg)
{
	td_srvtx_reply_plain(st, 487, TD_STR_NULL, TD_STR_NULL, TD_STR_NULL);
}

static const struct td_srvtx_events tu_events = { .cancelled = on_cancelled };

static void on_request(struct node *n, struct td_msg *msg, const struct td_flow *from)
{
	struct call *c = n->arg;

	if (c->st || td_srvtx_open(&c->st, n->txl, msg, from, &tu_events, c))
		td_reply_stateless(n->txl, msg, from, 500, TD_STR_NULL, TD_STR_NULL);
	else if (msg->method == TD_INVITE)
		td_srvtx_reply_plain(c->st, 180, TD_STR_NULL, TD_STR("t"), TD_STR_NULL);
	else
		td_srvtx_reply_plain(c->st, c->status, TD_STR_NULL, TD_STR("t"), TD_STR_NULL);
}

/* The request goes out whatever happens: what the test itself allocates for it does not fail. */
static int open_client(struct client *cl, struct call *c)
{
	struct td_clitx_options opt = { .method = td_method_of(td_str_of(c->method)) };
	struct td_out via;
	unsigned long n;
	int err;

	memset(cl, 0, sizeof(*cl));
	err = td_tp_flow_to(&opt.to, c->us.tp, c->proto, &c->peer.addr);
	if (err)
		return err;
	td_branch_make(cl->branch, c->us.txl);
	opt.branch = td_str_n(cl->branch, sizeof(cl->branch));
	n = oom_pause();
	td_out_init(&via);
	td_tp_put_via(&via, c->us.tp, &opt.to, opt.branch);
	td_out_char(&via, '\0');
	opt.bytes = request_text(c->method, via.p, 1);
	td_out_free(&via);
	oom_resume(n);
	err = td_clitx_open(&cl->ct, c->us.txl, &opt, &client_events, cl);
	td_buf_unref(opt.bytes);
	return err;
}

static int run_call(void *arg)
{
	struct call *c = arg;
	unsigned long n = oom_pause();
	struct client cl;
	int err;

	assert_int_equal(td_sim_open(&c->sim, 7), 0);
	assert_int_equal(td_wire_open(&c->wire, c->sim), 0);
	node_open(&c->us, c->sim, c->wire, "192.0.2.1", 5060, NULL);
	node_open(&c->peer, c->sim, c->wire, "192.0.2.2", 5060, NULL);
	c->peer.on_request = on_request;
	c->peer.arg = c;
	c->st = NULL;
	oom_resume(n);

	err = open_client(&cl, c);
	td_sim_run(c->sim, 1000);
	if (!err && c->cancel)
		td_clitx_cancel(cl.ct, TD_STR_NULL);
	else if (c->st)
		td_srvtx_reply_plain(c->st, c->status, TD_STR_NULL, TD_STR("t"), TD_STR_NULL);
	td_sim_run(c->sim, 5000);
	td_srvtx_unref(c->st);
	if (!err)
		td_clitx_detach(cl.ct); /* so that a peer whose answer was lost for good does not ring for ever */
	td_sim_run(c->sim, 200000);
	assert_int_equal(td_txl_stats(c->us.txl)->clitx_open, 0);
	assert_int_equal(td_txl_stats(c->peer.txl)->srvtx_open, 0);
	if (!err)
		client_close(&cl);

	n = oom_pause();
	node_close(&c->us);
	node_close(&c->peer);
	td_wire_close(c->wire);
	td_sim_close(c->sim);
	oom_resume(n);
	return 0;
}

static void try(struct call c)
{
	assert_true(oom_each(run_call, &c) > 10);
}

static void invite_refused(void **state)
{
	try((struct call){ .method = "INVITE", .proto = TD_UDP, .status = 486 });
	try((struct call){ .method = "INVITE", .proto = TD_TCP, .status = 486 });
}

static void invite_accepted(void **state)
{
	try((struct call){ .method = "INVITE", .proto = TD_UDP, .status = 200 });
	try((struct call){ .method = "INVITE", .proto = TD_TCP, .status = 200 });
}

static void invite_cancelled(void **state)
{
	try((struct call){ .method = "INVITE", .proto = TD_UDP, .cancel = true });
	try((struct call){ .method = "INVITE", .proto = TD_TCP, .cancel = true });
}

static void options(void **state)
{
	try((struct call){ .method = "OPTIONS", .proto = TD_UDP, .status = 200 });
	try((struct call){ .method = "OPTIONS", .proto = TD_TCP, .status = 200 });
}

/* A layer that cannot be opened leaves nothing open. */
static int open_layers(void *arg)
{
	struct node *n = arg;
	struct td_tp_group *g;
	struct td_addr at = n->addr;
	struct td_txl *txl;
	struct td_tp *tp;
	unsigned index;
	int err;

	at.port = 5070;
	err = td_tp_group_open(&g, 1);
	if (err)
		return err;
	err = td_tp_open(&tp, g, 0, n->net, NULL, NULL, &node_tp_events, n);
	if (err)
		goto group;
	err = td_tp_listen(tp, &index, TD_UDP, &at);
	if (!err)
		err = td_tp_listen(tp, &index, TD_TCP, &at);
	if (!err)
		err = td_txl_open(&txl, tp, NULL, NULL, &node_txl_events, n);
	if (!err)
		td_txl_close(txl);
	td_tp_close(tp);
group:
	td_tp_group_close(g);
	td_sim_run(((struct call *)n->arg)->sim, 1);
	return err;
}

static void opening(void **state)
{
	struct call c;

	memset(&c, 0, sizeof(c));
	assert_int_equal(td_sim_open(&c.sim, 7), 0);
	assert_int_equal(td_wire_open(&c.wire, c.sim), 0);
	node_open(&c.us, c.sim, c.wire, "192.0.2.1", 5060, NULL);
	c.us.arg = &c;
	assert_true(oom_each(open_layers, &c.us) > 5);
	node_close(&c.us);
	td_wire_close(c.wire);
	td_sim_close(c.sim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opening),         cmocka_unit_test(options),          cmocka_unit_test(invite_refused),
		cmocka_unit_test(invite_accepted), cmocka_unit_test(invite_cancelled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
