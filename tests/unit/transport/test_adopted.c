/*
 * Connections that another library holds: here the library is a struct. Two workers and the outsider that the connections live on,
 * on simulated loops.
 */
#include "../../support.h"

#include <tandem/transport.h>

enum { OUTSIDER = 2 };

struct side {
	struct td_loop *loop;
	struct td_net *net;
	struct td_tp *tp;
	struct td_out seen; /* "METHOD Call-ID [body]\n" per message */
	struct td_flow last;
	unsigned messages, lost, told, index, junk;
	int err;
	bool refuse;
	struct td_flow_watch watch;
};

struct world {
	struct td_sim *sim;
	struct td_wire *wire;
	struct td_tp_group *group;
	struct td_addr at;
	struct side s[3];
};

/* What the library knows of one. */
struct held {
	struct tp_conn *c; /* NULL: ended */
	struct td_out sent;
	unsigned closes;
	int why, refuse;
	bool linger;
};

static int held_send(void *arg, struct td_buf *buf)
{
	struct held *h = arg;

	if (h->refuse)
		return h->refuse;
	td_out_str(&h->sent, td_buf_str(buf));
	return 0;
}

static void held_close(void *arg, int why, bool linger)
{
	struct held *h = arg;

	h->c = NULL;
	h->closes++;
	h->why = why;
	h->linger = linger;
}

static const struct td_tp_holder holder = { .send = held_send, .close = held_close };

static bool on_admit(void *arg, const struct td_flow *from, struct td_str bytes)
{
	return !((struct side *)arg)->refuse;
}

static void on_message(void *arg, struct td_msg *m, const struct td_flow *from)
{
	struct side *s = arg;

	s->messages++;
	s->last = *from;
	td_out_fmt(&s->seen, "%.*s %.*s [%.*s]\n", TD_FMT(m->method_name), TD_FMT(m->call_id), TD_FMT(m->body));
	td_msg_unref(m);
}

static void on_junk(void *arg, const struct td_flow *from)
{
	struct side *s = arg;

	s->junk++;
	s->last = *from;
}

static void on_conn_lost(void *arg, uint64_t conn)
{
	((struct side *)arg)->lost++;
}

static void on_watch(struct td_flow_watch *w, int err, void *arg)
{
	struct side *s = arg;

	s->told++;
	s->err = err;
}

static const struct td_tp_events events = {
	.admit = on_admit,
	.junk = on_junk,
	.message = on_message,
	.conn_lost = on_conn_lost,
};

static void open_world(struct world *w, const struct td_tp_limits *limits)
{
	memset(w, 0, sizeof(*w));
	assert_int_equal(td_sim_open(&w->sim, 5), 0);
	assert_int_equal(td_wire_open(&w->wire, w->sim), 0);
	assert_int_equal(td_tp_group_open(&w->group, OUTSIDER), 0);
	assert_int_equal(td_addr_parse(&w->at, TD_STR("192.0.2.1:8080")), 0);
	for (unsigned i = 0; i < 3; i++) {
		struct side *s = &w->s[i];

		td_out_init(&s->seen);
		assert_int_equal(td_sim_loop(&s->loop, w->sim), 0);
		assert_int_equal(td_net_open_sim(&s->net, s->loop, w->wire, &w->at), 0);
		assert_int_equal(td_tp_open(&s->tp, w->group, i, s->net, NULL, limits, &events, s), 0);
		assert_int_equal(td_tp_listen(s->tp, &s->index, TD_WS, &w->at), 0);
	}
}

static void close_world(struct world *w)
{
	for (unsigned i = 0; i < 3; i++)
		td_tp_close(w->s[i].tp);
	for (unsigned i = 0; i < 3; i++) {
		td_net_close(w->s[i].net);
		td_loop_drain(w->s[i].loop);
		td_loop_close(w->s[i].loop);
		td_out_free(&w->s[i].seen);
	}
	td_tp_group_close(w->group);
	td_wire_close(w->wire);
	td_sim_close(w->sim);
}

static int adopt(struct held *h, struct world *w, const char *peer)
{
	struct td_addr a;

	memset(h, 0, sizeof(*h));
	td_out_init(&h->sent);
	assert_int_equal(td_addr_parse(&a, td_str_of(peer)), 0);
	return td_tp_adopt(&h->c, w->s[OUTSIDER].tp, w->s[OUTSIDER].index, &a, &holder, h);
}

static void drop(struct held *h)
{
	if (h->c)
		td_tp_adopted_lost(h->c, TD_ECLOSED);
	td_out_free(&h->sent);
}

static const char options[] =
	"OPTIONS sip:b@x.test SIP/2.0\r\nVia: SIP/2.0/WS a1.invalid;branch=z9hG4bK1\r\nFrom: <sip:a@x.test>;tag=1\r\n"
	"To: <sip:b@x.test>\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\n\r\nbody";

static int give(struct held *h, const char *bytes)
{
	return td_tp_adopted_data(h->c, td_str_of(bytes), 0, true);
}

/* RFC 7118 §5: no Content-Length is needed; the message ends where the WebSocket message does. */
/* Proves RFC 7118 §5-1, §5-2. */
static void whole_and_in_pieces(void **state)
{
	struct world w;
	struct held h;

	open_world(&w, NULL);
	assert_int_equal(adopt(&h, &w, "192.0.2.9:4000"), 0);
	assert_int_equal(give(&h, options), 0);
	for (size_t cut = 0; cut <= sizeof(options) - 1; cut++) {
		assert_int_equal(td_tp_adopted_data(h.c, td_str_n(options, cut), sizeof(options) - 1 - cut, false), 0);
		assert_int_equal(td_tp_adopted_data(h.c, td_str_n(options + cut, sizeof(options) - 1 - cut), 0, true), 0);
		assert_int_equal(w.s[OUTSIDER].messages, cut + 2);
	}
	for (size_t i = 0; i < sizeof(options) - 1; i++)
		assert_int_equal(td_tp_adopted_data(h.c, td_str_n(options + i, 1), 0, i == sizeof(options) - 2), 0);
	assert_int_equal(w.s[OUTSIDER].messages, sizeof(options) + 2);
	assert_true(td_str_starts(td_out_view(&w.s[OUTSIDER].seen), TD_STR("OPTIONS c [body]\nOPTIONS c [body]\n")));
	assert_int_equal(td_flow_worker(&w.s[OUTSIDER].last), OUTSIDER);
	assert_int_equal(w.s[OUTSIDER].last.proto, TD_WS);
	drop(&h);
	close_world(&w);
}

static void t6_too_long(void **state)
{
	static const struct {
		size_t first, more;
	} rows[] = { { 10, 65536 }, { 10, SIZE_MAX }, { 10, SIZE_MAX - 10 }, { 65537, 0 }, { 65536, 1 } };
	struct td_buf *big = td_buf_new(70000);
	struct world w;
	struct held h;

	assert_non_null(big);
	memset(big->data, 'A', 70000);
	open_world(&w, NULL);
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		assert_int_equal(adopt(&h, &w, "192.0.2.9:4000"), 0);
		assert_int_equal(td_tp_adopted_data(h.c, td_str_n((char *)big->data, rows[i].first), rows[i].more, false),
				 TD_ELIMIT);
		assert_int_equal(h.closes, 1);
		assert_int_equal(h.why, TD_ELIMIT);
		drop(&h);
		td_sim_run(w.sim, 1);
	}
	/* by fragments that say nothing of each other */
	assert_int_equal(adopt(&h, &w, "192.0.2.9:4000"), 0);
	for (unsigned i = 0; i < 65; i++)
		assert_int_equal(td_tp_adopted_data(h.c, td_str_n((char *)big->data, 1000), 0, false), 0);
	assert_int_equal(td_tp_adopted_data(h.c, td_str_n((char *)big->data, 1000), 0, false), TD_ELIMIT);
	assert_int_equal(w.s[OUTSIDER].messages, 0);
	drop(&h);
	td_buf_unref(big);
	close_world(&w);
}

static void what_is_no_sip(void **state)
{
	struct world w;
	struct held h;

	open_world(&w, NULL);
	assert_int_equal(adopt(&h, &w, "192.0.2.9:4000"), 0);
	assert_int_equal(give(&h, "{\"id\": 1}"), TD_ESYNTAX);
	assert_int_equal(h.closes, 1);
	assert_true(h.linger);
	assert_int_equal(w.s[OUTSIDER].junk, 1); /* who brought it is told to whoever counts such things */
	assert_int_equal(w.s[OUTSIDER].last.peer.port, 4000);
	drop(&h);
	assert_int_equal(adopt(&h, &w, "192.0.2.9:4000"), 0);
	assert_int_equal(give(&h, "hello"), 0); /* it could be: a stream would say nothing either */
	assert_int_equal(give(&h, ""), 0);
	assert_int_equal(h.closes, 0);
	assert_int_equal(w.s[OUTSIDER].messages, 0);
	assert_int_equal(w.s[OUTSIDER].junk, 1);
	drop(&h);
	close_world(&w);
}

/* Proves RFC 7118 §6-1. */
static void pings(void **state)
{
	struct world w;
	struct held h;

	open_world(&w, NULL);
	assert_int_equal(adopt(&h, &w, "192.0.2.9:4000"), 0);
	assert_int_equal(give(&h, "\r\n\r\n"), 0);
	assert_int_equal(h.sent.n, 2);
	assert_int_equal(give(&h, "\r\n"), 0); /* that is an answer */
	assert_int_equal(h.sent.n, 2);
	assert_int_equal(td_tp_stats(w.s[OUTSIDER].tp)->keepalives, 1);
	assert_int_equal(give(&h, "\r\n\r\n\r\n"), TD_ESYNTAX);
	drop(&h);
	close_world(&w);
}

static void t1_limits_in_time(void **state)
{
	struct world w;
	struct held h;

	open_world(&w, NULL);
	/* a stranger that says nothing, or pings only */
	assert_int_equal(adopt(&h, &w, "192.0.2.9:4000"), 0);
	for (unsigned i = 0; i < 9; i++) {
		td_sim_run(w.sim, 1000);
		assert_int_equal(give(&h, "\r\n\r\n"), 0);
		td_tp_adopted_alive(h.c);
	}
	td_sim_run(w.sim, 1100);
	assert_int_equal(h.closes, 1);
	assert_int_equal(h.why, TD_ETIMEOUT);
	drop(&h);
	/* one under trust with half a message */
	assert_int_equal(adopt(&h, &w, "192.0.2.9:4001"), 0);
	assert_int_equal(give(&h, options), 0);
	td_tp_trust_conn(w.s[0].tp, &w.s[OUTSIDER].last);
	td_sim_run(w.sim, 100000);
	assert_int_equal(h.closes, 0);
	assert_int_equal(td_tp_adopted_data(h.c, TD_STR(""), 10, false), 0);
	td_sim_run(w.sim, 10100);
	assert_int_equal(h.why, TD_ETIMEOUT);
	drop(&h);
	/* one under trust that shows it is there */
	assert_int_equal(adopt(&h, &w, "192.0.2.9:4002"), 0);
	assert_int_equal(give(&h, options), 0);
	td_tp_trust_conn(w.s[1].tp, &w.s[OUTSIDER].last);
	for (unsigned i = 0; i < 4; i++) {
		td_sim_run(w.sim, 800000);
		assert_int_equal(h.closes, 0);
		td_tp_adopted_alive(h.c);
	}
	td_sim_run(w.sim, 901000);
	assert_int_equal(h.closes, 1);
	drop(&h);
	close_world(&w);
}

static void t1_connections_per_source(void **state)
{
	const struct td_tp_limits limits = { 65536, 10000, 900000, 2, 1 << 20 };
	struct held a, b, c, d;
	struct world w;

	open_world(&w, &limits);
	assert_int_equal(adopt(&a, &w, "192.0.2.9:4000"), 0);
	assert_int_equal(adopt(&b, &w, "192.0.2.9:4001"), 0);
	assert_int_equal(give(&b, options), 0);
	assert_int_equal(adopt(&c, &w, "192.0.2.9:4002"), 0); /* at the cost of the oldest stranger */
	assert_int_equal(a.closes, 1);
	assert_int_equal(a.why, TD_ELIMIT);
	td_tp_trust_conn(w.s[0].tp, &w.s[OUTSIDER].last);
	assert_int_equal(give(&c, options), 0);
	td_tp_trust_conn(w.s[0].tp, &w.s[OUTSIDER].last);
	td_sim_run(w.sim, 10);
	assert_int_equal(adopt(&d, &w, "192.0.2.9:4003"), TD_ELIMIT);
	w.s[OUTSIDER].refuse = true; /* the guard */
	assert_int_equal(adopt(&d, &w, "192.0.2.10:4000"), TD_ELIMIT);
	drop(&a);
	drop(&b);
	drop(&c);
	drop(&d);
	close_world(&w);
}

static void workers_send_over_it(void **state)
{
	struct td_buf *b = td_buf_copy(TD_STR("SIP/2.0 200 OK\r\n\r\n"));
	struct td_flow f;
	struct world w;
	struct held h;
	struct td_out o;

	assert_non_null(b);
	open_world(&w, NULL);
	td_out_init(&o);
	assert_int_equal(adopt(&h, &w, "192.0.2.9:4000"), 0);
	assert_int_equal(give(&h, options), 0);
	f = w.s[OUTSIDER].last;
	for (unsigned i = 0; i < 2; i++) {
		assert_true(td_tp_flow_alive(w.s[i].tp, &f));
		td_flow_watch(w.s[i].tp, &f, &w.s[i].watch, on_watch, &w.s[i]);
		assert_int_equal(td_tp_send(w.s[i].tp, &f, b), 0);
	}
	td_tp_put_via(&o, w.s[1].tp, &f, TD_STR("z9hG4bKx"));
	assert_true(td_str_eq(td_out_view(&o), TD_STR("SIP/2.0/WS 192.0.2.1:8080;rport;branch=z9hG4bKx")));
	td_sim_run(w.sim, 10);
	assert_int_equal(h.sent.n, 2 * b->len);
	assert_int_equal(b->refs, 1);
	td_tp_adopted_lost(h.c, TD_ECLOSED);
	h.c = NULL;
	assert_int_equal(h.closes, 0);
	assert_false(td_tp_flow_alive(w.s[0].tp, &f));
	td_sim_run(w.sim, 10);
	assert_int_equal(w.s[OUTSIDER].lost, 1);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(w.s[i].told, 1);
		assert_int_equal(w.s[i].err, TD_ECLOSED);
	}
	td_buf_unref(b);
	td_out_free(&o);
	drop(&h);
	close_world(&w);
}

static void t3_peer_that_never_reads(void **state)
{
	struct td_buf *b = td_buf_copy(TD_STR("SIP/2.0 200 OK\r\n\r\n"));
	struct world w;
	struct held h;

	assert_non_null(b);
	open_world(&w, NULL);
	assert_int_equal(adopt(&h, &w, "192.0.2.9:4000"), 0);
	assert_int_equal(give(&h, options), 0);
	h.refuse = TD_EFULL;
	td_flow_watch(w.s[0].tp, &w.s[OUTSIDER].last, &w.s[0].watch, on_watch, &w.s[0]);
	assert_int_equal(td_tp_send(w.s[0].tp, &w.s[OUTSIDER].last, b), 0);
	td_sim_run(w.sim, 10);
	assert_int_equal(h.closes, 1);
	assert_int_equal(h.why, TD_EFULL);
	assert_int_equal(w.s[0].told, 1);
	td_buf_unref(b);
	drop(&h);
	close_world(&w);
}

/* He comes to us; nobody can be called there. But one who has come is found by his address. */
static void nobody_is_called(void **state)
{
	struct td_flow f;
	struct world w;
	struct held h;

	open_world(&w, NULL);
	assert_int_equal(adopt(&h, &w, "192.0.2.9:4000"), 0);
	assert_int_equal(td_tp_flow_to(&f, w.s[0].tp, TD_WS, &(struct td_addr){ { 192, 0, 2, 9 }, 4000, TD_AF_V4, 0, 0 }), 0);
	assert_int_equal(td_flow_worker(&f), OUTSIDER);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(td_tp_flow_to(&f, w.s[i].tp, TD_WS, &(struct td_addr){ { 192, 0, 2, 9 }, 4001, TD_AF_V4, 0, 0 }),
				 TD_EUNSUPPORTED);
	drop(&h);
	close_world(&w);
}

/* What the workers listen on has the same number there, and no socket. */
static void an_outsider_listens_on_nothing(void **state)
{
	unsigned index = 0;
	struct td_udp *udp;
	struct world w;

	open_world(&w, NULL);
	assert_int_equal(td_tp_listen(w.s[OUTSIDER].tp, &index, TD_UDP, &w.at), 0);
	assert_int_equal(index, 1);
	assert_int_equal(td_udp_open(&udp, w.s[OUTSIDER].net, &w.at, 0, NULL, NULL), 0);
	td_udp_close(udp);
	close_world(&w);
}

/* Closing the transport ends what is adopted, and its holder is told while he is still there. */
static void closing_ends_them(void **state)
{
	struct world w;
	struct held h;

	open_world(&w, NULL);
	assert_int_equal(adopt(&h, &w, "192.0.2.9:4000"), 0);
	assert_int_equal(td_tp_adopted_data(h.c, TD_STR("OPT"), 0, false), 0);
	close_world(&w);
	assert_int_equal(h.closes, 1);
	drop(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_and_in_pieces),
		cmocka_unit_test(t6_too_long),
		cmocka_unit_test(what_is_no_sip),
		cmocka_unit_test(pings),
		cmocka_unit_test(t1_limits_in_time),
		cmocka_unit_test(t1_connections_per_source),
		cmocka_unit_test(workers_send_over_it),
		cmocka_unit_test(t3_peer_that_never_reads),
		cmocka_unit_test(nobody_is_called),
		cmocka_unit_test(closing_ends_them),
		cmocka_unit_test(an_outsider_listens_on_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
