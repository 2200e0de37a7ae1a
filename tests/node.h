/*
 * A SIP element on the simulated wire, for tests of transport and what stands on it: `struct node` is a loop with a network,
 * a transport and a transaction layer that record what comes up; `struct raw` is a bare UDP socket that speaks bytes and
 * remembers when each datagram came.
 */
#ifndef TESTS_NODE_H
#define TESTS_NODE_H

#include "support.h"

#include <tandem/transaction.h>

struct node {
	struct td_loop *loop;
	struct td_net *net;
	struct td_tp_group *group;
	struct td_tp *tp;
	struct td_txl *txl;
	unsigned udp, tcp;   /* listeners */
	struct td_addr addr; /* of udp; tcp has the same port */
	/* what came up from the layer: kept (counted) until node_close() */
	struct td_msg *request, *ack, *cancel, *stray;
	struct td_flow from;
	unsigned requests, acks, cancels, strays, lost;
	/* test's own way of handling a request; NULL: it is recorded only */
	void (*on_request)(struct node *n, struct td_msg *msg, const struct td_flow *from);
	void *arg;
};

static inline void keep_msg(struct td_msg **where, struct td_msg *msg)
{
	td_msg_unref(*where);
	*where = td_msg_ref(msg);
}

static inline void node_request(void *arg, struct td_msg *msg, const struct td_flow *from)
{
	struct node *n = arg;

	n->requests++;
	n->from = *from;
	keep_msg(&n->request, msg);
	if (n->on_request)
		n->on_request(n, msg, from);
}

static inline void node_ack(void *arg, struct td_msg *msg, const struct td_flow *from)
{
	struct node *n = arg;

	n->acks++;
	keep_msg(&n->ack, msg);
}

static inline void node_cancel(void *arg, struct td_msg *msg, const struct td_flow *from)
{
	struct node *n = arg;

	n->cancels++;
	keep_msg(&n->cancel, msg);
	td_reply_stateless(n->txl, msg, from, 481, TD_STR_NULL, TD_STR_NULL);
}

static inline void node_stray(void *arg, struct td_msg *msg, const struct td_flow *from)
{
	struct node *n = arg;

	n->strays++;
	keep_msg(&n->stray, msg);
}

static inline void node_message(void *arg, struct td_msg *msg, const struct td_flow *from)
{
	struct node *n = arg;

	if (msg->request && msg->defect.status)
		td_reply_stateless(n->txl, msg, from, msg->defect.status, td_str_of(msg->defect.why), TD_STR_NULL);
	else
		td_txl_receive(n->txl, msg, from);
	td_msg_unref(msg);
}

static inline void node_lost(void *arg, uint64_t conn)
{
	((struct node *)arg)->lost++;
}

static const struct td_tp_events node_tp_events = { .message = node_message, .conn_lost = node_lost };
static const struct td_txl_events node_txl_events = {
	.request = node_request,
	.ack = node_ack,
	.cancel = node_cancel,
	.response = node_stray,
};

/* On the wire at ip, listening on `port` by UDP and TCP. limits may be NULL. */
static inline void node_open(struct node *n, struct td_sim *sim, struct td_wire *wire, const char *ip, uint16_t port,
			     const struct td_tp_limits *limits)
{
	memset(n, 0, sizeof(*n));
	assert_int_equal(td_ip_parse(&n->addr, td_str_of(ip)), 0);
	assert_int_equal(td_sim_loop(&n->loop, sim), 0);
	assert_int_equal(td_net_open_sim(&n->net, n->loop, wire, &n->addr), 0);
	n->addr.port = port;
	assert_int_equal(td_tp_group_open(&n->group, 1), 0);
	assert_int_equal(td_tp_open(&n->tp, n->group, 0, n->net, NULL, limits, &node_tp_events, n), 0);
	assert_int_equal(td_tp_listen(n->tp, &n->udp, TD_UDP, &n->addr), 0);
	assert_int_equal(td_tp_listen(n->tp, &n->tcp, TD_TCP, &n->addr), 0);
	assert_int_equal(td_txl_open(&n->txl, n->tp, NULL, NULL, &node_txl_events, n), 0);
}

static inline void node_close(struct node *n)
{
	td_txl_close(n->txl);
	td_tp_close(n->tp);
	td_tp_group_close(n->group);
	td_net_close(n->net);
	td_loop_close(n->loop);
	td_msg_unref(n->request);
	td_msg_unref(n->ack);
	td_msg_unref(n->cancel);
	td_msg_unref(n->stray);
}

/* ---- bytes over UDP ---- */

enum { RAW_MAX = 256 };

struct raw {
	struct td_loop *loop;
	struct td_net *net;
	struct td_udp *udp;
	struct td_addr addr;
	struct {
		uint64_t at_ms;
		struct td_buf *buf;
		struct td_addr from;
	} got[RAW_MAX];
	unsigned n;
};

static inline void raw_received(struct td_udp *udp, struct td_buf *buf, const struct td_addr *from, void *arg)
{
	struct raw *r = arg;

	assert_true(r->n < RAW_MAX);
	r->got[r->n].at_ms = td_loop_now_ms(r->loop);
	r->got[r->n].from = *from;
	r->got[r->n++].buf = td_buf_ref(buf);
}

static inline void raw_open(struct raw *r, struct td_sim *sim, struct td_wire *wire, const char *ip, uint16_t port)
{
	memset(r, 0, sizeof(*r));
	assert_int_equal(td_ip_parse(&r->addr, td_str_of(ip)), 0);
	assert_int_equal(td_sim_loop(&r->loop, sim), 0);
	assert_int_equal(td_net_open_sim(&r->net, r->loop, wire, &r->addr), 0);
	r->addr.port = port;
	assert_int_equal(td_udp_open(&r->udp, r->net, &r->addr, 0, raw_received, r), 0);
}

static inline void raw_clear(struct raw *r)
{
	while (r->n)
		td_buf_unref(r->got[--r->n].buf);
}

static inline void raw_close(struct raw *r)
{
	raw_clear(r);
	td_udp_close(r->udp);
	td_net_close(r->net);
	td_loop_close(r->loop);
}

static inline void raw_send(struct raw *r, const struct td_addr *to, struct td_str bytes)
{
	struct td_buf *b = td_buf_copy(bytes);

	assert_non_null(b);
	assert_int_equal(td_udp_send(r->udp, to, b), 0);
	td_buf_unref(b);
}

/* How many of what came starts with this ("INVITE ", "SIP/2.0 180"). */
static inline unsigned raw_count(const struct raw *r, const char *start)
{
	unsigned i, n = 0;

	for (i = 0; i < r->n; i++)
		n += td_str_starts(td_buf_str(r->got[i].buf), td_str_of(start));
	return n;
}

/* ---- messages ---- */

static inline struct td_msg *parsed(struct td_str text)
{
	struct td_buf *b = td_buf_copy(text);
	struct td_msg *m;

	assert_non_null(b);
	assert_int_equal(td_msg_parse(&m, b, 0, b->len), 0);
	td_buf_unref(b);
	return m;
}

/* A request as any client would write it. via: the value of the top Via. */
static inline struct td_buf *request_text(const char *method, const char *via, unsigned cseq)
{
	struct td_out o;
	struct td_buf *b;

	td_out_init(&o);
	td_out_fmt(&o,
		   "%s sip:bob@example.test SIP/2.0\r\nVia: %s\r\nMax-Forwards: 70\r\n"
		   "From: <sip:alice@example.test>;tag=a1\r\nTo: <sip:bob@example.test>\r\nCall-ID: c1@example.test\r\n"
		   "CSeq: %u %s\r\nContact: <sip:alice@192.0.2.1>\r\nContent-Length: 0\r\n\r\n",
		   method, via, cseq, method);
	b = td_out_buf(&o);
	assert_non_null(b);
	return b;
}

static inline struct td_buf *response_to(const struct td_msg *req, unsigned status, const char *to_tag)
{
	struct td_out o;
	struct td_buf *b;

	td_out_init(&o);
	td_put_response_head(&o, req, status, TD_STR_NULL, td_str_of(to_tag), false);
	td_out_z(&o, "Content-Length: 0\r\n\r\n");
	b = td_out_buf(&o);
	assert_non_null(b);
	return b;
}

/* The peer answers the i-th datagram it got with this status. */
static inline void raw_answer(struct raw *r, unsigned i, unsigned status)
{
	struct td_msg *req = parsed(td_buf_str(r->got[i].buf));
	struct td_buf *b = response_to(req, status, status > 100 ? "b1" : "");

	raw_send(r, &r->got[i].from, td_buf_str(b));
	td_buf_unref(b);
	td_msg_unref(req);
}

/* ---- a client transaction of a node, and what its TU hears ---- */

struct client {
	struct td_clitx *ct;
	char branch[TD_BRANCH_LEN];
	unsigned responses, ended;
	unsigned status; /* of the last response */
	int why;
};

static inline void client_response(struct td_clitx *ct, struct td_msg *msg, void *arg)
{
	struct client *c = arg;

	c->responses++;
	c->status = msg->status;
}

static inline void client_ended(struct td_clitx *ct, int why, void *arg)
{
	struct client *c = arg;

	c->ended++;
	c->why = why;
}

static const struct td_clitx_events client_events = { .response = client_response, .ended = client_ended };

static inline int client_open(struct client *c, struct node *n, const char *method, enum td_proto proto, const struct td_addr *to)
{
	struct td_clitx_options opt = { .method = td_method_of(td_str_of(method)) };
	struct td_out via;
	int err;

	memset(c, 0, sizeof(*c));
	err = td_tp_flow_to(&opt.to, n->tp, proto, to);
	if (err)
		return err;
	td_branch_make(c->branch, n->txl);
	td_out_init(&via);
	td_tp_put_via(&via, n->tp, &opt.to, td_str_n(c->branch, sizeof(c->branch)));
	td_out_char(&via, '\0');
	assert_false(via.failed);
	opt.branch = td_str_n(c->branch, sizeof(c->branch));
	opt.bytes = request_text(method, via.p, 1);
	td_out_free(&via);
	err = td_clitx_open(&c->ct, n->txl, &opt, &client_events, c);
	td_buf_unref(opt.bytes);
	return err;
}

static inline void client_close(struct client *c)
{
	td_clitx_unref(c->ct);
	c->ct = NULL;
}

#endif
