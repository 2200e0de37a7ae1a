/*
 * A connection lives on one worker and others send over it: in the simulation, step by step, and with two real threads, where the
 * thread sanitizer looks on.
 */
#include "../../support.h"

#include <pthread.h>

#include <tandem/transport.h>

struct worker {
	struct td_loop *loop;
	struct td_net *net;
	struct td_tp *tp;
	struct td_flow last; /* where the last message came from */
	unsigned messages, lost;
	struct td_flow_watch watch;
	int err;
	unsigned told;
	/* the threads' test */
	struct worker *other;
	unsigned todo;
};

static void on_message(void *arg, struct td_msg *m, const struct td_flow *from)
{
	struct worker *w = arg;

	w->messages++;
	w->last = *from;
	td_msg_unref(m);
}

static void on_conn_lost(void *arg, uint64_t conn)
{
	((struct worker *)arg)->lost++;
}

static void on_watch(struct td_flow_watch *fw, int err, void *arg)
{
	struct worker *w = arg;

	w->told++;
	w->err = err;
}

static const struct td_tp_events events = { .message = on_message, .conn_lost = on_conn_lost };

static const char options[] =
	"OPTIONS sip:b@x.test SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.2;branch=z9hG4bK1\r\nFrom: <sip:a@x.test>;tag=1\r\n"
	"To: <sip:b@x.test>\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n";

static struct td_buf *text(void)
{
	struct td_buf *b = td_buf_copy(td_str_of(options));

	assert_non_null(b);
	return b;
}

/* ---- simulated: two workers of a server, and a peer ---- */

struct world {
	struct td_sim *sim;
	struct td_wire *wire;
	struct td_tp_group *group, *alone;
	struct worker w[2], peer;
	struct td_addr addr;
};

static void worker_open(struct world *w, struct worker *k, struct td_tp_group *g, unsigned n, const struct td_addr *ip)
{
	assert_int_equal(td_sim_loop(&k->loop, w->sim), 0);
	assert_int_equal(td_net_open_sim(&k->net, k->loop, w->wire, ip), 0);
	assert_int_equal(td_tp_open(&k->tp, g, n, k->net, NULL, NULL, &events, k), 0);
}

static void open_world(struct world *w)
{
	struct td_addr at;
	unsigned index;

	memset(w, 0, sizeof(*w));
	assert_int_equal(td_sim_open(&w->sim, 11), 0);
	assert_int_equal(td_wire_open(&w->wire, w->sim), 0);
	assert_int_equal(td_tp_group_open(&w->group, 2), 0);
	assert_int_equal(td_tp_group_open(&w->alone, 1), 0);
	assert_int_equal(td_addr_parse(&w->addr, TD_STR("192.0.2.1:5060")), 0);
	assert_int_equal(td_addr_parse(&at, TD_STR("192.0.2.2:5060")), 0);
	worker_open(w, &w->w[0], w->group, 0, &w->addr);
	worker_open(w, &w->w[1], w->group, 1, &w->addr);
	worker_open(w, &w->peer, w->alone, 0, &at);
	assert_int_equal(td_tp_listen(w->w[0].tp, &index, TD_TCP, &w->addr), 0);
	assert_int_equal(td_tp_listen(w->peer.tp, &index, TD_TCP, &at), 0);
}

static void worker_close(struct worker *k)
{
	td_tp_close(k->tp);
	td_net_close(k->net);
	td_loop_drain(k->loop);
	td_loop_close(k->loop);
}

static void close_world(struct world *w)
{
	worker_close(&w->w[0]);
	worker_close(&w->w[1]);
	worker_close(&w->peer);
	td_tp_group_close(w->group);
	td_tp_group_close(w->alone);
	td_wire_close(w->wire);
	td_sim_close(w->sim);
}

/* The peer connects to worker 0 and says something. */
static void connect_peer(struct world *w)
{
	struct td_buf *b = text();
	struct td_flow f;

	assert_int_equal(td_tp_flow_to(&f, w->peer.tp, TD_TCP, &w->addr), 0);
	assert_int_equal(td_tp_send(w->peer.tp, &f, b), 0);
	td_buf_unref(b);
	td_sim_run(w->sim, 50);
	assert_int_equal(w->w[0].messages, 1);
	assert_int_equal(td_flow_worker(&w->w[0].last), 0);
}

static void a_worker_sends_over_anothers_connection(void **state)
{
	struct td_buf *b = text();
	struct world w;
	unsigned i;

	open_world(&w);
	connect_peer(&w);
	for (i = 0; i < 10; i++)
		assert_int_equal(td_tp_send(w.w[1].tp, &w.w[0].last, b), 0);
	td_tp_trust_conn(w.w[1].tp, &w.w[0].last);
	td_sim_run(w.sim, 50);
	assert_int_equal(w.peer.messages, 10);
	assert_int_equal(b->refs, 1);
	td_sim_run(w.sim, 60000); /* trusted from over there */
	assert_int_equal(w.w[0].lost, 0);
	td_buf_unref(b);
	close_world(&w);
}

/* A phone's Contact may name its end of the connection: nothing else leads there, so every worker must know of it. */
static void a_worker_finds_anothers_connection(void **state)
{
	struct td_buf *b = text();
	struct td_flow f, none;
	unsigned index;
	struct world w;

	open_world(&w);
	assert_int_equal(td_tp_listen(w.w[1].tp, &index, TD_TCP, &w.addr), 0);
	connect_peer(&w);
	assert_int_equal(td_tp_flow_to(&f, w.w[1].tp, TD_TCP, &w.w[0].last.peer), 0);
	assert_true(f.conn == w.w[0].last.conn);
	assert_int_equal(td_tp_send(w.w[1].tp, &f, b), 0);
	td_sim_run(w.sim, 50);
	assert_int_equal(w.peer.messages, 1);
	assert_int_equal(td_tp_stats(w.w[1].tp)->conns_opened, 0);
	td_net_unplug(w.peer.net, true);
	td_sim_run(w.sim, 300000); /* it is gone, and not found any more */
	assert_int_equal(w.w[0].lost, 1);
	td_net_unplug(w.peer.net, false);
	assert_int_equal(td_tp_flow_to(&none, w.w[1].tp, TD_TCP, &f.peer), 0);
	assert_true(none.conn != f.conn);
	assert_int_equal(td_flow_worker(&none), 1);
	td_buf_unref(b);
	close_world(&w);
}

static void it_hears_of_the_end(void **state)
{
	struct td_buf *b = text();
	struct world w;

	open_world(&w);
	connect_peer(&w);
	td_flow_watch(w.w[1].tp, &w.w[0].last, &w.w[1].watch, on_watch, &w.w[1]);
	assert_int_equal(td_tp_send(w.w[1].tp, &w.w[0].last, b), 0);
	td_sim_run(w.sim, 50);
	td_net_unplug(w.peer.net, true);
	assert_int_equal(td_tp_send(w.w[1].tp, &w.w[0].last, b), 0);
	td_sim_run(w.sim, 30000);
	assert_int_equal(w.w[0].lost, 1);
	assert_int_equal(w.w[1].told, 1);
	assert_int_not_equal(w.w[1].err, 0);
	td_buf_unref(b);
	close_world(&w);
}

static void and_when_it_was_over_before(void **state)
{
	struct td_buf *b = text();
	struct td_flow stale;
	struct world w;

	open_world(&w);
	connect_peer(&w);
	stale = w.w[0].last;
	stale.conn ^= 1;
	td_flow_watch(w.w[1].tp, &stale, &w.w[1].watch, on_watch, &w.w[1]);
	assert_int_equal(td_tp_send(w.w[1].tp, &stale, b), 0);
	assert_int_equal(w.w[1].told, 0);
	td_sim_run(w.sim, 50);
	assert_int_equal(w.w[1].told, 1);
	assert_int_equal(w.w[1].err, TD_ECLOSED);
	stale.conn = UINT64_C(7) << 56; /* a worker there is not */
	assert_int_equal(td_tp_send(w.w[1].tp, &stale, b), TD_ECLOSED);
	td_buf_unref(b);
	close_world(&w);
}

static void unwatched_in_time(void **state)
{
	struct td_buf *b = text();
	struct world w;

	open_world(&w);
	connect_peer(&w);
	td_flow_watch(w.w[1].tp, &w.w[0].last, &w.w[1].watch, on_watch, &w.w[1]);
	assert_int_equal(td_tp_send(w.w[1].tp, &w.w[0].last, b), 0);
	td_net_unplug(w.peer.net, true);
	td_flow_unwatch(w.w[1].tp, &w.w[1].watch);
	td_sim_run(w.sim, 30000);
	assert_int_equal(w.w[1].told, 0);
	td_buf_unref(b);
	close_world(&w);
}

/* ---- two threads ---- */

enum { EACH = 2000 };

struct step {
	struct td_mail mail;
	struct worker *w;
};

/* Sends a few over the other worker's connection, then goes on later: the mailboxes run both ways at once. */
static void push(struct td_mail *m, void *arg)
{
	struct step *s = arg;
	struct worker *w = s->w;
	struct td_buf *b = td_buf_copy(td_str_of(options));
	unsigned i;

	for (i = 0; b && i < 20 && w->todo; i++, w->todo--)
		td_tp_send(w->tp, &w->other->last, b);
	td_buf_unref(b);
	if (w->todo)
		td_loop_post(w->loop, m);
	else
		free(s);
}

static void stop(struct td_mail *m, void *arg)
{
	struct step *s = arg;

	td_loop_stop(s->w->loop);
	free(s);
}

static void post(struct worker *w, td_mail_fn *fn)
{
	struct step *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	s->w = w;
	s->mail = (struct td_mail){ .fn = fn, .arg = s };
	td_loop_post(w->loop, &s->mail);
}

static void *run(void *arg)
{
	td_loop_run(((struct worker *)arg)->loop);
	return NULL;
}

static void count(void *arg, struct td_msg *m, const struct td_flow *from)
{
	struct worker *w = arg;

	w->messages++;
	td_msg_unref(m);
	if (w->messages == 2 * EACH)
		td_loop_stop(w->loop);
}

static const struct td_tp_events peer_events = { .message = count };

static void threads(void **state)
{
	struct td_tp_group *group, *alone;
	struct worker w[2], peer;
	pthread_t id[2];
	struct td_addr any;
	unsigned i, index;

	memset(w, 0, sizeof(w));
	memset(&peer, 0, sizeof(peer));
	assert_int_equal(td_addr_parse(&any, TD_STR("127.0.0.1:0")), 0);
	assert_int_equal(td_tp_group_open(&group, 2), 0);
	assert_int_equal(td_tp_group_open(&alone, 1), 0);
	assert_int_equal(td_loop_open(&peer.loop), 0);
	assert_int_equal(td_net_open(&peer.net, peer.loop), 0);
	assert_int_equal(td_tp_open(&peer.tp, alone, 0, peer.net, NULL, NULL, &peer_events, &peer), 0);
	assert_int_equal(td_tp_listen(peer.tp, &index, TD_TCP, &any), 0);
	for (i = 0; i < 2; i++) {
		assert_int_equal(td_loop_open(&w[i].loop), 0);
		assert_int_equal(td_net_open(&w[i].net, w[i].loop), 0);
		assert_int_equal(td_tp_open(&w[i].tp, group, i, w[i].net, NULL, NULL, &events, &w[i]), 0);
		assert_int_equal(td_tp_listen(w[i].tp, &index, TD_TCP, &any), 0);
		assert_int_equal(td_tp_flow_to(&w[i].last, w[i].tp, TD_TCP, td_tp_listener_addr(peer.tp, 0)), 0);
		w[i].todo = EACH;
		w[i].other = &w[!i];
	}
	for (i = 0; i < 2; i++) {
		td_flow_watch(w[i].tp, &w[!i].last, &w[i].watch, on_watch, &w[i]);
		post(&w[i], push);
		assert_int_equal(pthread_create(&id[i], NULL, run, &w[i]), 0);
	}
	td_loop_run(peer.loop); /* until all 2 * EACH are there */
	for (i = 0; i < 2; i++)
		post(&w[i], stop);
	for (i = 0; i < 2; i++)
		pthread_join(id[i], NULL);
	assert_int_equal(peer.messages, 2 * EACH);
	for (i = 0; i < 2; i++)
		td_loop_drain(w[i].loop);
	for (i = 0; i < 2; i++) {
		assert_int_equal(w[i].told, 0);
		td_flow_unwatch(w[i].tp, &w[i].watch);
		td_tp_close(w[i].tp);
		td_net_close(w[i].net);
	}
	for (i = 0; i < 2; i++)
		td_loop_close(w[i].loop);
	td_tp_close(peer.tp);
	td_net_close(peer.net);
	td_loop_close(peer.loop);
	td_tp_group_close(group);
	td_tp_group_close(alone);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_worker_sends_over_anothers_connection),
		cmocka_unit_test(a_worker_finds_anothers_connection),
		cmocka_unit_test(it_hears_of_the_end),
		cmocka_unit_test(and_when_it_was_over_before),
		cmocka_unit_test(unwatched_in_time),
		cmocka_unit_test(threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
