/* A transport with a TCP listener whose messages are written down, and TCP peers that are only bytes. */
#ifndef TESTS_TCP_WORLD_H
#define TESTS_TCP_WORLD_H

#include "../../support.h"

#include <tandem/transport.h>

struct world {
	struct td_sim *sim;
	struct td_wire *wire;
	struct td_loop *loop;
	struct td_net *net;
	struct td_tp_group *group;
	struct td_tp *tp;
	struct td_addr addr;
	unsigned tcp, messages, lost;
	struct td_out seen; /* "METHOD body-bytes defect\n" per message */
	struct td_flow last;
	bool refuse; /* the guard's answer */
};

static inline bool world_admit(void *arg, const struct td_flow *from, struct td_str bytes)
{
	return !((struct world *)arg)->refuse;
}

static inline void world_message(void *arg, struct td_msg *m, const struct td_flow *from)
{
	struct world *w = arg;

	w->messages++;
	w->last = *from;
	td_out_fmt(&w->seen, "%.*s %.*s [%.*s] %u\n", TD_FMT(m->method_name), TD_FMT(m->call_id), TD_FMT(m->body),
		   m->defect.status);
	td_msg_unref(m);
}

static inline void world_lost(void *arg, uint64_t conn)
{
	((struct world *)arg)->lost++;
}

static const struct td_tp_events world_events = { .admit = world_admit, .message = world_message, .conn_lost = world_lost };

static inline void world_open(struct world *w, const struct td_tp_limits *limits)
{
	memset(w, 0, sizeof(*w));
	td_out_init(&w->seen);
	assert_int_equal(td_ip_parse(&w->addr, TD_STR("192.0.2.1")), 0);
	assert_int_equal(td_sim_open(&w->sim, 3), 0);
	assert_int_equal(td_wire_open(&w->wire, w->sim), 0);
	assert_int_equal(td_sim_loop(&w->loop, w->sim), 0);
	assert_int_equal(td_net_open_sim(&w->net, w->loop, w->wire, &w->addr), 0);
	assert_int_equal(td_tp_group_open(&w->group, 1), 0);
	assert_int_equal(td_tp_open(&w->tp, w->group, 0, w->net, NULL, limits, &world_events, w), 0);
	w->addr.port = 5060;
	assert_int_equal(td_tp_listen(w->tp, &w->tcp, TD_TCP, &w->addr), 0);
}

static inline void world_close(struct world *w)
{
	td_tp_close(w->tp);
	td_tp_group_close(w->group);
	td_net_close(w->net);
	td_loop_close(w->loop);
	td_wire_close(w->wire);
	td_sim_close(w->sim);
	td_out_free(&w->seen);
}

/* ---- a peer ---- */

struct peer {
	struct td_loop *loop;
	struct td_net *net;
	struct td_conn *c;
	struct td_out got;
	bool connected, closed;
	uint64_t closed_ms;
};

static inline void peer_connected(struct td_conn *c, void *arg)
{
	((struct peer *)arg)->connected = true;
}

static inline void peer_data(struct td_conn *c, struct td_str bytes, void *arg)
{
	td_out_str(&((struct peer *)arg)->got, bytes);
}

static inline void peer_closed(struct td_conn *c, int err, void *arg)
{
	struct peer *p = arg;

	p->closed = true;
	p->closed_ms = td_loop_now_ms(p->loop);
	td_conn_close(c);
	p->c = NULL;
}

static const struct td_conn_events peer_events = { .connected = peer_connected, .data = peer_data, .closed = peer_closed };

static inline void peer_open(struct peer *p, struct world *w, const char *ip)
{
	struct td_addr addr;

	memset(p, 0, sizeof(*p));
	td_out_init(&p->got);
	assert_int_equal(td_ip_parse(&addr, td_str_of(ip)), 0);
	assert_int_equal(td_sim_loop(&p->loop, w->sim), 0);
	assert_int_equal(td_net_open_sim(&p->net, p->loop, w->wire, &addr), 0);
	assert_int_equal(td_conn_open(&p->c, p->net, &w->addr, &peer_events, p), 0);
	td_sim_run(w->sim, 10);
}

static inline void peer_close(struct peer *p)
{
	if (p->c)
		td_conn_close(p->c);
	td_net_close(p->net);
	td_loop_close(p->loop);
	td_out_free(&p->got);
}

static inline void peer_send(struct peer *p, struct td_str bytes)
{
	struct td_buf *b;

	if (!p->c || !bytes.n)
		return;
	b = td_buf_copy(bytes);
	assert_non_null(b);
	td_conn_send(p->c, b);
	td_buf_unref(b);
}

#endif
