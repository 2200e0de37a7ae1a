/* Where messages come from and go to: received/rport (RFC 3261 §18.2.1, RFC 3581), response routing (§18.2.2), reuse, watches. */
#include "../../node.h"

#include "transport/internal.h"

struct world {
	struct td_sim *sim;
	struct td_wire *wire;
	struct node us, peer;
	struct raw raw;
};

static void open_world(struct world *w)
{
	memset(w, 0, sizeof(*w));
	assert_int_equal(td_sim_open(&w->sim, 5), 0);
	assert_int_equal(td_wire_open(&w->wire, w->sim), 0);
	node_open(&w->us, w->sim, w->wire, "192.0.2.1", 5060, NULL);
	node_open(&w->peer, w->sim, w->wire, "192.0.2.2", 5060, NULL);
	raw_open(&w->raw, w->sim, w->wire, "192.0.2.3", 40000);
}

static void close_world(struct world *w)
{
	raw_close(&w->raw);
	node_close(&w->us);
	node_close(&w->peer);
	td_wire_close(w->wire);
	td_sim_close(w->sim);
}

/* The peer's process ends; its host stays. */
static void stop_peer(struct world *w)
{
	td_txl_close(w->peer.txl);
	td_tp_close(w->peer.tp);
	w->peer.txl = NULL;
	w->peer.tp = NULL;
}

/* ---- Via ---- */

static const struct {
	const char *via;      /* of a request from 192.0.2.3:40000 */
	const char *received; /* noted */
	unsigned rport;
	unsigned to_port;   /* where the response goes; always to 192.0.2.3 */
	const char *echoed; /* the top Via of the response */
} vias[] = {
	{ "SIP/2.0/UDP 192.0.2.3:40000;branch=z9hG4bK1", "", 0, 40000, "SIP/2.0/UDP 192.0.2.3:40000;branch=z9hG4bK1" },
	{ "SIP/2.0/UDP 192.0.2.3;branch=z9hG4bK1", "", 0, 5060, "SIP/2.0/UDP 192.0.2.3;branch=z9hG4bK1" },
	{ "SIP/2.0/UDP 192.0.2.9:7;branch=z9hG4bK1", "192.0.2.3", 0, 7,
	  "SIP/2.0/UDP 192.0.2.9:7;branch=z9hG4bK1;received=192.0.2.3" },
	{ "SIP/2.0/UDP phone.test;branch=z9hG4bK1", "192.0.2.3", 0, 5060,
	  "SIP/2.0/UDP phone.test;branch=z9hG4bK1;received=192.0.2.3" },
	{ "SIP/2.0/UDP 192.0.2.3:40000;rport;branch=z9hG4bK1", "192.0.2.3", 40000, 40000,
	  "SIP/2.0/UDP 192.0.2.3:40000;rport=40000;branch=z9hG4bK1;received=192.0.2.3" },
	{ "SIP/2.0/UDP 10.0.0.1:5062;branch=z9hG4bK1;rport", "192.0.2.3", 40000, 40000,
	  "SIP/2.0/UDP 10.0.0.1:5062;branch=z9hG4bK1;rport=40000;received=192.0.2.3" },
	/* P5: what a peer writes about itself is not believed */
	{ "SIP/2.0/UDP 192.0.2.3:40000;branch=z9hG4bK1;received=198.51.100.1", "192.0.2.3", 0, 40000, NULL },
	{ "SIP/2.0/UDP 192.0.2.3:40000;branch=z9hG4bK1;maddr=198.51.100.1", "", 0, 40000, NULL },
	{ "SIP/2.0/UDP 192.0.2.3:40000;branch=z9hG4bK1;rport=99", "192.0.2.3", 40000, 40000, NULL },
};

/* Proves RFC 3261 §18.2.1-1, §18.2.2-3; RFC 3581 §4-1, §4-2. */
static void p5_received_and_rport(void **state)
{
	size_t i;

	for (i = 0; i < TD_ARRAY_LEN(vias); i++) {
		struct td_buf *b = request_text("OPTIONS", vias[i].via, 1);
		struct td_msg *answer;
		struct td_flow to;
		struct td_str v;
		struct td_values it;
		struct world w;

		open_world(&w);
		raw_send(&w.raw, &w.us.addr, td_buf_str(b));
		td_sim_run(w.sim, 10);
		assert_int_equal(w.us.requests, 1);
		assert_str(w.us.request->received, vias[i].received);
		assert_int_equal(w.us.request->rport, vias[i].rport);
		td_tp_response_flow(&to, w.us.request, &w.us.from);
		assert_true(td_ip_eq(&to.peer, &w.raw.addr));
		assert_int_equal(to.peer.port, vias[i].to_port);
		assert_int_equal(to.listener, w.us.udp);
		td_buf_unref(b);
		b = response_to(w.us.request, 200, "x");
		answer = parsed(td_buf_str(b));
		td_values_of(&it, answer, TD_HDR_VIA);
		assert_int_equal(td_values_next(&v, &it), 1);
		if (vias[i].echoed)
			assert_str(v, vias[i].echoed);
		td_msg_unref(answer);
		td_buf_unref(b);
		close_world(&w);
	}
}

/* Proves RFC 3261 §18.1.1-4; RFC 3581 §3-1. */
static void our_via(void **state)
{
	struct world w;
	struct td_flow f;
	struct td_out o;

	open_world(&w);
	assert_int_equal(td_tp_flow_to(&f, w.us.tp, TD_TCP, &w.peer.addr), 0);
	td_out_init(&o);
	td_tp_put_via(&o, w.us.tp, &f, TD_STR("z9hG4bKx"));
	assert_str(td_out_view(&o), "SIP/2.0/TCP 192.0.2.1:5060;rport;branch=z9hG4bKx");
	td_out_free(&o);
	td_sim_run(w.sim, 10);
	close_world(&w);
}

/* Proves RFC 3261 §18.2.2-4. */
static void relayed_responses(void **state)
{
	static const struct {
		const char *via;
		int err;
		const char *to;
	} rows[] = {
		{ "SIP/2.0/UDP 192.0.2.2:5070;branch=z9hG4bK1", 0, "192.0.2.2:5070" },
		{ "SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK1", 0, "192.0.2.2:5060" },
		{ "SIP/2.0/UDP phone.test;branch=z9hG4bK1;received=192.0.2.2", 0, "192.0.2.2:5060" },
		{ "SIP/2.0/UDP phone.test:7;branch=z9hG4bK1;received=192.0.2.2;rport=9", 0, "192.0.2.2:9" },
		{ "SIP/2.0/UDP 192.0.2.2:5070;branch=z9hG4bK1;maddr=198.51.100.1", 0, "192.0.2.2:5070" },
		{ "SIP/2.0/UDP phone.test;branch=z9hG4bK1", TD_ESYNTAX, NULL },
		{ "SIP/2.0/SCTP 192.0.2.2;branch=z9hG4bK1", TD_EUNSUPPORTED, NULL },
		{ "SIP/2.0/TLS 192.0.2.2;branch=z9hG4bK1", TD_EUNSUPPORTED, NULL },
	};
	char text[TD_ADDR_TEXT];
	struct world w;
	size_t i;

	open_world(&w);
	for (i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct td_flow f;
		struct td_via via;

		assert_int_equal(td_via_parse(&via, td_str_of(rows[i].via)), 0);
		assert_int_equal(td_tp_via_flow(&f, w.us.tp, &via), rows[i].err);
		if (rows[i].to)
			assert_string_equal(td_addr_text(text, &f.peer), rows[i].to);
	}
	close_world(&w);
}

static void is_me(void **state)
{
	struct world w;

	open_world(&w);
	assert_true(td_tp_is_me(w.us.tp, TD_STR("192.0.2.1"), 5060));
	assert_true(td_tp_is_me(w.us.tp, TD_STR("192.0.2.1"), 0));
	assert_false(td_tp_is_me(w.us.tp, TD_STR("192.0.2.1"), 5061));
	assert_false(td_tp_is_me(w.us.tp, TD_STR("192.0.2.2"), 5060));
	assert_false(td_tp_is_me(w.us.tp, TD_STR("us.test"), 5060));
	close_world(&w);
}

/* Listening on every address, we still name one that the peer can reach. */
/* Proves RFC 3261 §18.1.1-4. */
static void listening_on_every_address(void **state)
{
	struct td_tp_group *group;
	struct td_addr any;
	struct td_loop *loop;
	struct td_net *net;
	struct td_flow f;
	struct td_out o;
	struct td_tp *tp;
	unsigned index;

	assert_int_equal(td_loop_open(&loop), 0);
	assert_int_equal(td_net_open(&net, loop), 0);
	assert_int_equal(td_tp_group_open(&group, 1), 0);
	assert_int_equal(td_tp_open(&tp, group, 0, net, NULL, NULL, &node_tp_events, NULL), 0);
	assert_int_equal(td_addr_parse(&any, TD_STR("0.0.0.0:0")), 0);
	assert_int_equal(td_tp_listen(tp, &index, TD_UDP, &any), 0);
	any = *td_tp_listener_addr(tp, index);
	assert_true(td_tp_is_me(tp, TD_STR("127.0.0.1"), any.port));
	assert_true(td_tp_is_me(tp, TD_STR("127.1.2.3"), any.port));
	assert_false(td_tp_is_me(tp, TD_STR("192.0.2.77"), any.port));
	assert_int_equal(td_addr_parse(&any, TD_STR("127.0.0.1:5060")), 0);
	assert_int_equal(td_tp_flow_to(&f, tp, TD_UDP, &any), 0);
	td_out_init(&o);
	td_tp_put_sent_by(&o, tp, &f);
	assert_true(td_str_starts(td_out_view(&o), TD_STR("127.0.0.1:")));
	td_out_free(&o);
	td_tp_close(tp);
	td_tp_group_close(group);
	td_net_close(net);
	td_loop_close(loop);
}

/* ---- datagrams that are none ---- */

static void arrives(struct node *n, const char *from)
{
	struct td_buf *b = request_text("OPTIONS", "SIP/2.0/UDP 192.0.2.3;branch=z9hG4bK1", 1);
	struct td_addr a;

	assert_int_equal(td_addr_parse(&a, td_str_of(from)), 0);
	tp_udp_received(n->tp->listeners[n->udp]->udp, b, &a, n->tp->listeners[n->udp]);
	tp_udp_paused(n->tp->listeners[n->udp]->udp, n->tp->listeners[n->udp]);
	td_buf_unref(b);
}

static void t9_sources_that_cannot_be(void **state)
{
	static const char *const sources[] = { "192.0.2.3:0", "0.0.0.0:5060", "255.255.255.255:5060", "224.0.1.75:5060",
					       "192.0.2.1:5060" /* our own */ };
	struct world w;

	open_world(&w);
	for (size_t i = 0; i < TD_ARRAY_LEN(sources); i++)
		arrives(&w.us, sources[i]);
	assert_int_equal(td_tp_stats(w.us.tp)->dropped_junk, TD_ARRAY_LEN(sources));
	assert_int_equal(td_tp_stats(w.us.tp)->messages, 0);
	arrives(&w.us, "192.0.2.1:5061"); /* another program of our host */
	assert_int_equal(td_tp_stats(w.us.tp)->messages, 1);
	close_world(&w);
}

static void t9_p10_junk_is_dropped(void **state)
{
	static const struct td_str junk[] = {
		TD_STR_INIT("x"),
		TD_STR_INIT("OPTI"),
		TD_STR_INIT("\0\0\0\0x"),
		TD_STR_INIT("\x00\x01\x00\x00\x21\x12\xa4\x42"
			    "0123456789ab"),
		TD_STR_INIT("\x80\x00\x12\x34\x00\x00\x00\x01\x00\x00\x00\x02payload"),
	};
	struct world w;
	size_t i;

	open_world(&w);
	for (i = 0; i < TD_ARRAY_LEN(junk); i++)
		raw_send(&w.raw, &w.us.addr, junk[i]);
	raw_send(&w.raw, &w.us.addr, TD_STR("\r\n\r\n"));
	raw_send(&w.raw, &w.us.addr, TD_STR("GET / HTTP/1.1\r\nHost: example.test\r\n\r\n"));
	td_sim_run(w.sim, 10);
	assert_int_equal(td_tp_stats(w.us.tp)->dropped_junk, TD_ARRAY_LEN(junk));
	assert_int_equal(td_tp_stats(w.us.tp)->keepalives, 1);
	assert_int_equal(td_tp_stats(w.us.tp)->dropped_syntax, 1);
	assert_int_equal(td_tp_stats(w.us.tp)->messages, 0);
	assert_int_equal(w.raw.n, 0);
	close_world(&w);
}

/* ---- connections ---- */

/* Proves RFC 3261 §18.1.1-5; RFC 5923 §8.1-1. */
static void connections_are_reused(void **state)
{
	struct world w;
	struct td_flow a, b;
	struct client c;

	open_world(&w);
	assert_int_equal(td_tp_flow_to(&a, w.us.tp, TD_TCP, &w.peer.addr), 0);
	assert_int_equal(td_tp_flow_to(&b, w.us.tp, TD_TCP, &w.peer.addr), 0);
	assert_int_equal(a.conn, b.conn);
	assert_int_equal(client_open(&c, &w.us, "OPTIONS", TD_TCP, &w.peer.addr), 0); /* its bytes wait for the connection */
	td_sim_run(w.sim, 100);
	assert_int_equal(w.peer.requests, 1);
	assert_int_equal(td_tp_stats(w.us.tp)->conns_opened, 1);
	/* the other side answers, and asks, by the same connection */
	assert_int_equal(td_reply_stateless(w.peer.txl, w.peer.request, &w.peer.from, 200, TD_STR_NULL, TD_STR_NULL), 0);
	assert_int_equal(td_tp_flow_to(&b, w.peer.tp, TD_TCP, &w.peer.from.peer), 0);
	assert_int_equal(b.conn, w.peer.from.conn);
	td_sim_run(w.sim, 100);
	assert_int_equal(c.status, 200);
	assert_int_equal(td_tp_stats(w.peer.tp)->conns_opened, 0);
	client_close(&c);
	close_world(&w);
}

/* Proves RFC 3261 §17.1.4-1, §18.4-1. */
static void a_lost_connection_ends_what_waits_on_it(void **state)
{
	struct world w;
	struct client c[2];
	struct td_flow old;
	struct td_buf *b = td_buf_copy(TD_STR("\r\n\r\n"));

	open_world(&w);
	assert_int_equal(client_open(&c[0], &w.us, "INVITE", TD_TCP, &w.peer.addr), 0);
	assert_int_equal(client_open(&c[1], &w.us, "OPTIONS", TD_TCP, &w.peer.addr), 0);
	td_sim_run(w.sim, 100);
	old = *td_clitx_flow(c[0].ct);
	stop_peer(&w);
	td_sim_run(w.sim, 100);
	assert_int_equal(c[0].ended, 1);
	assert_int_equal(c[0].why, TD_ECLOSED);
	assert_int_equal(c[1].ended, 1);
	assert_int_equal(td_tp_send(w.us.tp, &old, b), TD_ECLOSED); /* safe, for ever */
	assert_int_equal(td_txl_stats(w.us.txl)->clitx_open, 0);
	client_close(&c[0]);
	client_close(&c[1]);
	td_buf_unref(b);
	close_world(&w);
}

/* Proves RFC 3261 §18.4-1. */
static void nobody_listens(void **state)
{
	struct world w;
	struct client c;
	struct td_addr nowhere = { .port = 1 };

	open_world(&w);
	memcpy(nowhere.ip, w.peer.addr.ip, sizeof(nowhere.ip));
	nowhere.family = TD_AF_V4;
	assert_int_equal(client_open(&c, &w.us, "INVITE", TD_TCP, &nowhere), 0);
	td_sim_run(w.sim, 15000);
	assert_int_equal(c.ended, 1);
	assert_int_not_equal(c.why, 0);
	assert_int_not_equal(c.why, TD_ETIMEOUT);
	client_close(&c);
	assert_int_equal(client_open(&c, &w.us, "INVITE", TD_TLS, &nowhere), TD_EUNSUPPORTED);
	close_world(&w);
}

/* §18.2.2: the client's connection is gone when the answer is ready; it has given its address in sent-by. */
/* Proves RFC 3261 §17.2.4-1, §18.1.1-6, §18.2.2-2. */
static void a_response_finds_another_way(void **state)
{
	struct world w;
	struct client c;
	struct td_srvtx *st;
	static const struct td_srvtx_events none = { .ended = NULL };

	open_world(&w);
	assert_int_equal(client_open(&c, &w.peer, "OPTIONS", TD_TCP, &w.us.addr), 0);
	td_sim_run(w.sim, 100);
	assert_int_equal(td_srvtx_open(&st, w.us.txl, w.us.request, &w.us.from, &none, NULL), 0);
	stop_peer(&w); /* and starts again */
	assert_int_equal(td_tp_open(&w.peer.tp, w.peer.group, 0, w.peer.net, NULL, NULL, &node_tp_events, &w.peer), 0);
	assert_int_equal(td_tp_listen(w.peer.tp, &w.peer.tcp, TD_TCP, &w.peer.addr), 0);
	assert_int_equal(td_txl_open(&w.peer.txl, w.peer.tp, NULL, NULL, &node_txl_events, &w.peer), 0);
	td_sim_run(w.sim, 100);
	assert_int_equal(td_srvtx_reply_plain(st, 200, TD_STR_NULL, TD_STR_NULL, TD_STR_NULL), 0);
	td_sim_run(w.sim, 100);
	assert_int_equal(w.peer.strays, 1);
	assert_int_equal(w.peer.stray->status, 200);
	td_srvtx_unref(st);
	client_close(&c);
	close_world(&w);
}

struct watcher {
	struct td_flow_watch w;
	struct td_tp *tp;
	struct watcher *other; /* unwatched from inside the callback */
	unsigned calls;
};

static void on_lost(struct td_flow_watch *fw, int err, void *arg)
{
	struct watcher *w = arg;

	w->calls++;
	if (w->other)
		td_flow_unwatch(w->tp, &w->other->w);
}

static void watches(void **state)
{
	struct world w;
	struct td_flow f, udp;
	struct watcher a = { .calls = 0 }, b = a, gone = a, datagram = a;

	open_world(&w);
	assert_int_equal(td_tp_flow_to(&f, w.us.tp, TD_TCP, &w.peer.addr), 0);
	assert_int_equal(td_tp_flow_to(&udp, w.us.tp, TD_UDP, &w.peer.addr), 0);
	td_sim_run(w.sim, 10);
	a.tp = w.us.tp;
	a.other = &b;
	td_flow_watch(w.us.tp, &f, &a.w, on_lost, &a);
	td_flow_watch(w.us.tp, &f, &b.w, on_lost, &b);
	td_flow_watch(w.us.tp, &udp, &datagram.w, on_lost, &datagram);
	stop_peer(&w);
	td_sim_run(w.sim, 100);
	assert_int_equal(a.calls, 1);
	assert_int_equal(b.calls, 0);
	assert_int_equal(datagram.calls, 0);
	td_flow_watch(w.us.tp, &f, &gone.w, on_lost, &gone); /* dead already: still told, from the loop */
	assert_int_equal(gone.calls, 0);
	td_sim_run(w.sim, 10);
	assert_int_equal(gone.calls, 1);
	td_flow_unwatch(w.us.tp, &gone.w);
	td_flow_unwatch(w.us.tp, &datagram.w);
	close_world(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(p5_received_and_rport),
		cmocka_unit_test(our_via),
		cmocka_unit_test(relayed_responses),
		cmocka_unit_test(is_me),
		cmocka_unit_test(listening_on_every_address),
		cmocka_unit_test(t9_p10_junk_is_dropped),
		cmocka_unit_test(t9_sources_that_cannot_be),
		cmocka_unit_test(connections_are_reused),
		cmocka_unit_test(a_lost_connection_ends_what_waits_on_it),
		cmocka_unit_test(nobody_listens),
		cmocka_unit_test(a_response_finds_another_way),
		cmocka_unit_test(watches),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
