/* TLS as a transport: whose connection leads where (T5, RFC 5923), handshakes that end (T4), certificates that change. */
#include "../../node.h"
#include "../../tls.h"

struct side {
	struct node n;
	unsigned tls, failed;
	int err;
	struct td_addr at; /* of tls */
};

struct world {
	struct td_sim *sim;
	struct td_wire *wire;
	struct side us, peer;
	struct cert both, one, ours;
	struct td_tls *serving_both, *serving_one, *our_tls;
};

static void side_failed(void *arg, const struct td_flow *flow, int err, struct td_str why)
{
	struct side *s = TD_CONTAINER_OF((struct node *)arg, struct side, n);

	s->failed++;
	s->err = err;
	assert_true(why.n > 0);
}

static const struct td_tp_events side_events = { .message = node_message, .conn_lost = node_lost, .tls_failed = side_failed };

static void side_open(struct side *s, struct world *w, const char *ip, struct td_tls *tls, enum td_tls_clients clients,
		      const struct td_tp_limits *limits)
{
	struct node *n = &s->n;

	memset(s, 0, sizeof(*s));
	assert_int_equal(td_ip_parse(&n->addr, td_str_of(ip)), 0);
	assert_int_equal(td_sim_loop(&n->loop, w->sim), 0);
	assert_int_equal(td_net_open_sim(&n->net, n->loop, w->wire, &n->addr), 0);
	s->at = n->addr;
	s->at.port = 5061;
	assert_int_equal(td_tp_group_open(&n->group, 1), 0);
	assert_int_equal(td_tp_open(&n->tp, n->group, 0, n->net, NULL, limits, &side_events, n), 0);
	assert_int_equal(td_tp_listen(n->tp, &s->tls, TD_TLS, &s->at), TD_EUNSUPPORTED); /* without a certificate */
	td_tp_set_tls(n->tp, tls);
	assert_int_equal(td_tp_listen(n->tp, &s->tls, TD_TLS, &s->at), 0);
	td_tp_ask_clients(n->tp, s->tls, clients);
	assert_int_equal(td_txl_open(&n->txl, n->tp, NULL, NULL, &node_txl_events, n), 0);
}

static struct td_tls *serving(const struct cert *c, const struct cert *a, const struct cert *b)
{
	struct td_tls_identity id = identity_of(c, "");
	struct td_tls_options opt = { .identities = &id, .identity_n = 1 };
	struct td_out ca, why;
	struct td_tls *t;

	td_out_init(&ca);
	td_out_init(&why);
	td_out_str(&ca, td_out_view(&a->certificate));
	td_out_str(&ca, td_out_view(&b->certificate));
	opt.ca = td_out_view(&ca);
	assert_int_equal(td_tls_open(&t, &opt, &why), 0);
	td_out_free(&ca);
	td_out_free(&why);
	return t;
}

static void open_world(struct world *w, enum td_tls_clients clients, const struct td_tp_limits *limits)
{
	static const struct td_str names[] = { TD_STR_INIT("a.test"), TD_STR_INIT("b.test") };

	memset(w, 0, sizeof(*w));
	assert_int_equal(td_sim_open(&w->sim, 7), 0);
	assert_int_equal(td_wire_open(&w->wire, w->sim), 0);
	cert_make(&w->both, names, 2);
	cert_for(&w->one, "a.test");
	cert_for(&w->ours, "p1.test");
	w->serving_both = serving(&w->both, &w->ours, &w->ours);
	w->serving_one = serving(&w->one, &w->ours, &w->ours);
	w->our_tls = serving(&w->ours, &w->both, &w->one);
	side_open(&w->us, w, "192.0.2.1", w->our_tls, TD_TLS_CLIENTS_IGNORE, limits);
	side_open(&w->peer, w, "192.0.2.2", w->serving_one, clients, limits);
}

static void close_world(struct world *w)
{
	node_close(&w->us.n);
	node_close(&w->peer.n);
	td_tls_unref(w->serving_both);
	td_tls_unref(w->serving_one);
	td_tls_unref(w->our_tls);
	cert_free(&w->both);
	cert_free(&w->one);
	cert_free(&w->ours);
	td_wire_close(w->wire);
	td_sim_close(w->sim);
}

static uint64_t conn_to(struct world *w, const char *host)
{
	struct td_flow f;

	assert_int_equal(td_tp_flow_to_host(&f, w->us.n.tp, TD_TLS, &w->peer.at, td_str_of(host)), 0);
	assert_int_equal(f.proto, TD_TLS);
	td_sim_run(w->sim, 100);
	return f.conn;
}

/* T5: another domain at the same address has a connection of its own, or none. */
/* Proves RFC 5922 §7.3-1, §7.3-2; RFC 5923 §8.1-1, §8.1-3, §9.3-1. */
static void t5_reuse_by_name(void **state)
{
	struct world w;
	uint64_t a, b;

	open_world(&w, TD_TLS_CLIENTS_IGNORE, NULL);
	a = conn_to(&w, "a.test");
	assert_int_equal(conn_to(&w, "A.TEST."), a);
	assert_int_equal(w.us.failed, 0);
	b = conn_to(&w, "b.test"); /* the certificate names a.test alone */
	assert_true(b != a);
	assert_int_equal(w.us.failed, 1);
	assert_int_equal(w.us.err, TD_ENAME);
	assert_int_equal(w.us.n.lost, 1);
	assert_true(conn_to(&w, "192.0.2.2") != a); /* nor the address */
	assert_int_equal(w.us.failed, 2);
	assert_int_equal(conn_to(&w, "a.test"), a);
	assert_int_equal(td_tp_stats(w.us.n.tp)->conns_opened, 3);
	/* one whose certificate names both, taken up while the server runs: the old connection stays as it is */
	td_tp_set_tls(w.peer.n.tp, w.serving_both);
	b = conn_to(&w, "b.test");
	assert_int_equal(w.us.failed, 2);
	assert_true(b != a);
	assert_int_equal(conn_to(&w, "a.test"), a);
	close_world(&w);

	open_world(&w, TD_TLS_CLIENTS_IGNORE, NULL);
	td_tp_set_tls(w.peer.n.tp, w.serving_both);
	a = conn_to(&w, "a.test");
	assert_int_equal(conn_to(&w, "b.test"), a); /* RFC 5923 §8.1: it is in the certificate that was verified */
	assert_true(conn_to(&w, "c.test") != a);
	close_world(&w);
}

static void send_options(struct world *w, const char *host, const char *via_host_port, bool alias)
{
	struct td_flow f;
	struct td_buf *b;
	struct td_out o;

	assert_int_equal(td_tp_flow_to_host(&f, w->us.n.tp, TD_TLS, &w->peer.at, td_str_of(host)), 0);
	td_out_init(&o);
	td_out_fmt(&o, "SIP/2.0/TLS %s;branch=z9hG4bK1%s", via_host_port, alias ? ";alias" : "");
	td_out_char(&o, '\0');
	b = request_text("OPTIONS", o.p, 1);
	assert_int_equal(td_tp_send(w->us.n.tp, &f, b), 0);
	td_buf_unref(b);
	td_out_free(&o);
	td_sim_run(w->sim, 100);
}

/* RFC 5923 §8.2: back over the connection of who has proved who he is and says `alias`; over no other. */
/* Proves RFC 5922 §7.4-2; RFC 5923 §8.2-1, §8.2-2. */
static void t5_alias(void **state)
{
	static const struct {
		enum td_tls_clients clients;
		bool alias;
		const char *host;
		uint16_t port;
		bool reused;
	} rows[] = {
		{ TD_TLS_CLIENTS_ASK, true, "p1.test", 5061, true },     { TD_TLS_CLIENTS_REQUIRE, true, "P1.test", 5061, true },
		{ TD_TLS_CLIENTS_ASK, true, "p2.test", 5061, false },    /* not in the certificate */
		{ TD_TLS_CLIENTS_ASK, true, "p1.test", 5062, false },    /* not where it listens */
		{ TD_TLS_CLIENTS_ASK, false, "p1.test", 5061, false },   /* it did not offer */
		{ TD_TLS_CLIENTS_IGNORE, true, "p1.test", 5061, false }, /* anybody could say so */
	};

	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct world w;
		struct td_flow back;
		struct td_addr at;

		open_world(&w, rows[i].clients, NULL);
		send_options(&w, "a.test", "p1.test", rows[i].alias);
		assert_int_equal(w.peer.n.requests, 1);
		at = w.us.at;
		at.port = rows[i].port;
		assert_int_equal(td_tp_flow_to_host(&back, w.peer.n.tp, TD_TLS, &at, td_str_of(rows[i].host)), 0);
		assert_int_equal(back.conn == w.peer.n.from.conn, rows[i].reused);
		assert_int_equal(td_tp_flow_alive(w.peer.n.tp, &back), 1);
		close_world(&w);
	}
}

/* A phone has no certificate: its connection leads to the address it has, and to no name. */
/* Proves RFC 5922 §7.4-1; RFC 5923 §8.2-1, §8.2-2. */
static void t5_accepted(void **state)
{
	struct world w;
	struct td_flow f;

	open_world(&w, TD_TLS_CLIENTS_IGNORE, NULL);
	send_options(&w, "a.test", "192.0.2.1:5061", false);
	assert_int_equal(td_tp_flow_to(&f, w.peer.n.tp, TD_TLS, &w.peer.n.from.peer), 0);
	assert_int_equal(f.conn, w.peer.n.from.conn);
	assert_int_equal(td_tp_flow_to_host(&f, w.peer.n.tp, TD_TLS, &w.peer.n.from.peer, TD_STR("p1.test")), 0);
	assert_true(f.conn != w.peer.n.from.conn);
	close_world(&w);
}

/* Proves RFC 5923 §8.1-2. */
static void our_via(void **state)
{
	struct world w;
	struct td_flow f;
	struct td_out o;

	open_world(&w, TD_TLS_CLIENTS_IGNORE, NULL);
	assert_int_equal(td_tp_flow_to_host(&f, w.us.n.tp, TD_TLS, &w.peer.at, TD_STR("a.test")), 0);
	td_out_init(&o);
	td_tp_put_via(&o, w.us.n.tp, &f, TD_STR("z9hG4bKx"));
	assert_str(td_out_view(&o), "SIP/2.0/TLS 192.0.2.1:5061;alias;rport;branch=z9hG4bKx");
	td_out_free(&o);
	assert_int_equal(td_tp_flow_to_host(&f, w.us.n.tp, TD_TLS, &w.peer.at, TD_STR("no host")), TD_ESYNTAX);
	td_sim_run(w.sim, 10);
	close_world(&w);
}

/* ---- handshakes ---- */

enum { HALF = 12 };

struct half {
	struct td_conn *c[HALF];
	struct td_loop *loop;
	struct td_net *net;
	unsigned closed;
};

static void half_data(struct td_conn *c, struct td_str bytes, void *arg) {}

static void half_closed(struct td_conn *c, int err, void *arg)
{
	struct half *h = arg;

	h->closed++;
	for (unsigned i = 0; i < HALF; i++)
		if (h->c[i] == c)
			h->c[i] = NULL;
	td_conn_close(c);
}

static const struct td_conn_events half_events = { .data = half_data, .closed = half_closed };

static void half_open(struct half *h, struct world *w, unsigned n)
{
	struct td_addr ip;

	memset(h, 0, sizeof(*h));
	assert_int_equal(td_ip_parse(&ip, TD_STR("192.0.2.66")), 0);
	assert_int_equal(td_sim_loop(&h->loop, w->sim), 0);
	assert_int_equal(td_net_open_sim(&h->net, h->loop, w->wire, &ip), 0);
	for (unsigned i = 0; i < n; i++) {
		struct td_buf *b = td_buf_copy(TD_STR("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")); /* a hello begins */

		assert_int_equal(td_conn_open(&h->c[i], h->net, &w->peer.at, &half_events, h), 0);
		assert_int_equal(td_conn_send(h->c[i], b), 0);
		td_buf_unref(b);
		td_sim_run(w->sim, 10);
	}
}

static void half_close(struct half *h)
{
	for (unsigned i = 0; i < HALF; i++)
		td_conn_close(h->c[i]);
	td_net_close(h->net);
	td_loop_close(h->loop);
}

/* T4: so many at a time, and none longer than a first message may take; an honest one gets through meanwhile. */
static void t4_half_handshakes(void **state)
{
	static const struct td_tp_limits limits = {
		.max_message = 65536,
		.message_deadline_ms = 10000,
		.idle_ms = 900000,
		.per_source = 100,
		.out_queue_bytes = 1 << 20,
		.handshakes = 8,
	};
	struct world w;
	struct half h;

	open_world(&w, TD_TLS_CLIENTS_IGNORE, &limits);
	half_open(&h, &w, HALF);
	assert_int_equal(h.closed, HALF - limits.handshakes);
	conn_to(&w, "a.test");
	assert_int_equal(td_tp_stats(w.us.n.tp)->tls_handshakes, 1);
	assert_int_equal(h.closed, HALF - limits.handshakes + 1);
	td_sim_run(w.sim, 10100);
	assert_int_equal(h.closed, HALF);
	assert_int_equal(td_tp_stats(w.peer.n.tp)->tls_handshakes, 1);
	half_close(&h);
	close_world(&w);
}

/* We are not held up either: the transaction on a server that never says hello hears of it. */
static void t4_silent_server(void **state)
{
	struct world w;
	struct client c;
	struct td_addr at;

	open_world(&w, TD_TLS_CLIENTS_IGNORE, NULL);
	at = w.peer.at;
	at.port = 5099;
	assert_int_equal(td_tp_listen(w.peer.n.tp, &w.peer.n.tcp, TD_TCP, &at), 0); /* it waits for SIP, and we for TLS */
	assert_int_equal(client_open(&c, &w.us.n, "OPTIONS", TD_TLS, &at), 0);
	td_sim_run(w.sim, 10500);
	assert_int_equal(c.ended, 1);
	client_close(&c);
	close_world(&w);
}

/* Proves RFC 3261 §18.2.2-1. */
static void requests_and_answers(void **state)
{
	struct world w;
	struct client c;
	struct td_buf *b;
	struct td_flow to;

	open_world(&w, TD_TLS_CLIENTS_IGNORE, NULL);
	td_tp_set_tls(w.us.n.tp, w.our_tls);
	send_options(&w, "a.test", "192.0.2.1:5061", false);
	assert_int_equal(w.peer.n.requests, 1);
	assert_int_equal(w.peer.n.from.proto, TD_TLS);
	td_tp_response_flow(&to, w.peer.n.request, &w.peer.n.from);
	b = response_to(w.peer.n.request, 200, "x");
	assert_int_equal(td_tp_send(w.peer.n.tp, &to, b), 0);
	td_buf_unref(b);
	td_sim_run(w.sim, 100);
	assert_int_equal(w.us.n.strays, 1);
	assert_int_equal(client_open(&c, &w.us.n, "OPTIONS", TD_TLS, &w.peer.at),
			 0); /* by its address, which it does not prove */
	td_sim_run(w.sim, 1000);
	assert_int_equal(c.ended, 1);
	assert_int_equal(w.peer.n.requests, 1);
	client_close(&c);
	close_world(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_and_answers), cmocka_unit_test(our_via),
		cmocka_unit_test(t5_reuse_by_name),     cmocka_unit_test(t5_alias),
		cmocka_unit_test(t5_accepted),          cmocka_unit_test(t4_half_handshakes),
		cmocka_unit_test(t4_silent_server),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
