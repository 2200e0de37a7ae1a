/*
 * A worker's transport: listens, takes messages from udp.c and stream.c up to its owner, and sends by flow. It keeps no
 * state about messages: that is the transaction layer's (RFC 3261 §18 opening).
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>

static const struct td_tp_limits default_limits = {
	.max_message = TD_SIP_MAX_MESSAGE,
	.message_deadline_ms = 10000,
	.idle_ms = 900000,
	.per_source = 256,
	.out_queue_bytes = 1 << 20,
	.handshakes = 1000,
};

int td_tp_open(struct td_tp **out, struct td_tp_group *g, unsigned worker, struct td_net *net, struct td_log *log,
	       const struct td_tp_limits *limits, const struct td_tp_events *events, void *arg)
{
	struct td_tp *tp = calloc(1, sizeof(*tp));
	int err;

	if (!tp)
		return -ENOMEM;
	tp->group = g;
	tp->worker = worker;
	tp->net = net;
	tp->loop = td_net_loop(net);
	tp->log = log;
	tp->limits = limits ? *limits : default_limits;
	if (!tp->limits.handshakes)
		tp->limits.handshakes = default_limits.handshakes;
	tp->events = events;
	tp->arg = arg;
	td_hash_key_init(&tp->key, td_loop_rng(tp->loop));
	err = tp_conns_init(tp);
	if (err)
		goto memory;
	err = tp_group_join(g, tp);
	if (err)
		goto conns;
	*out = tp;
	return 0;
conns:
	tp_conns_free(tp);
memory:
	free(tp);
	return err;
}

void td_tp_close(struct td_tp *tp)
{
	unsigned i;

	if (!tp)
		return;
	for (i = 0; i < tp->n_listeners; i++) {
		if (tp->listeners[i]->udp)
			td_udp_close(tp->listeners[i]->udp);
		if (tp->listeners[i]->stream)
			td_listener_close(tp->listeners[i]->stream);
	}
	td_msg_unref(tp->held);
	tp_conns_free(tp);
	for (i = 0; i < tp->n_listeners; i++)
		free(tp->listeners[i]);
	td_tls_unref(tp->tls);
	tp_group_leave(tp->group, tp);
	free(tp);
}

/* ---- listeners ---- */

static int new_listener(struct tp_listener **out, struct td_tp *tp, enum td_proto proto)
{
	struct tp_listener *ln;

	if (tp->n_listeners == TP_MAX_LISTENERS)
		return TD_ELIMIT;
	ln = calloc(1, sizeof(*ln));
	if (!ln)
		return -ENOMEM;
	*ln = (struct tp_listener){ .tp = tp, .proto = (uint8_t)proto, .index = (uint8_t)tp->n_listeners };
	*out = ln;
	return 0;
}

int td_tp_listen(struct td_tp *tp, unsigned *index, enum td_proto proto, const struct td_addr *local)
{
	/* Several sockets share the port only where several workers do: a second server must fail, not take half of the calls. */
	unsigned flags = tp_group_workers(tp->group) > 1 ? TD_UDP_REUSEPORT : 0;
	/* An outsider, or what is listened on for him: only the address. */
	bool noted = tp->worker == tp_group_workers(tp->group) || proto == TD_WS || proto == TD_WSS;
	struct tp_listener *ln;
	int err;

	if (proto == TD_TLS && !noted && (!tp->tls || !td_tls_can_serve(tp->tls)))
		return TD_EUNSUPPORTED;
	err = new_listener(&ln, tp, proto);
	if (err)
		return err;
	if (noted)
		err = 0;
	else if (proto == TD_UDP)
		err = td_udp_open(&ln->udp, tp->net, local, flags, tp_udp_received, ln);
	else
		err = td_listener_open(&ln->stream, tp->net, local, flags, tp_accepted, ln);
	if (err) {
		free(ln);
		return err;
	}
	if (ln->udp)
		td_udp_on_pause(ln->udp, tp_udp_paused);
	if (ln->udp && tp->events->refused)
		td_udp_on_refused(ln->udp, tp_udp_refused);
	ln->addr = ln->udp ? *td_udp_local(ln->udp) : ln->stream ? *td_listener_local(ln->stream) : *local;
	tp->listeners[tp->n_listeners++] = ln;
	*index = ln->index;
	return 0;
}

int td_tp_dial_only(struct td_tp *tp, unsigned *index, enum td_proto proto, const struct td_addr *local)
{
	struct tp_listener *ln;
	int err = proto == TD_TCP || proto == TD_TLS ? new_listener(&ln, tp, proto) : TD_EUNSUPPORTED;

	if (err)
		return err;
	ln->dial = true;
	ln->addr = *local;
	if (!ln->addr.port)
		ln->addr.port = td_proto_port(proto);
	tp->listeners[tp->n_listeners++] = ln;
	*index = ln->index;
	return 0;
}

void td_tp_set_tls(struct td_tp *tp, struct td_tls *tls)
{
	struct td_tls *old = tp->tls;

	tp->tls = tls ? td_tls_ref(tls) : NULL;
	td_tls_unref(old);
}

void td_tp_ask_clients(struct td_tp *tp, unsigned index, enum td_tls_clients clients)
{
	tp->listeners[index]->clients = (uint8_t)clients;
}

unsigned td_tp_listeners(const struct td_tp *tp)
{
	return tp->n_listeners;
}

const struct td_addr *td_tp_listener_addr(const struct td_tp *tp, unsigned index)
{
	return &tp->listeners[index]->addr;
}

enum td_proto td_tp_listener_proto(const struct td_tp *tp, unsigned index)
{
	return (enum td_proto)tp->listeners[index]->proto;
}

/* The listener a message to `peer` leaves by: one that can be answered from there, so loopback speaks to loopback. */
struct tp_listener *tp_listener_for(const struct td_tp *tp, enum td_proto proto, const struct td_addr *peer)
{
	struct tp_listener *any = NULL;
	unsigned i;

	for (i = 0; i < tp->n_listeners; i++) {
		struct tp_listener *ln = tp->listeners[i];

		if (ln->proto != proto || ln->addr.family != peer->family)
			continue;
		if (td_ip_is_loopback(&ln->addr) == td_ip_is_loopback(peer) || td_ip_is_any(&ln->addr))
			return ln;
		if (!any)
			any = ln;
	}
	return any;
}

/* ---- receiving ---- */

bool tp_admit(struct td_tp *tp, const struct td_flow *from, struct td_str bytes)
{
	if (!tp->events->admit || tp->events->admit(tp->arg, from, bytes))
		return true;
	tp->stats.refused_guard++;
	return false;
}

int tp_parse(struct td_msg **out, struct td_tp *tp, struct td_buf *buf, size_t at, size_t n, const struct td_flow *from)
{
	struct td_msg *msg;
	int err = td_msg_parse(&msg, buf, at, n);

	if (!err && msg->request) {
		err = td_tp_note_source(msg, from);
		if (err)
			td_msg_unref(msg);
	}
	if (err)
		tp->stats.dropped_syntax++;
	else
		*out = msg;
	return err;
}

void tp_deliver(struct td_tp *tp, struct td_msg *msg, const struct td_flow *from)
{
	tp->stats.messages++;
	tp->events->message(tp->arg, msg, from);
}

/* ---- sending ---- */

/* Without a name the address is who it must be. */
static int secure_flow_to(struct td_flow *out, struct td_tp *tp, const struct tp_listener *ln, const struct td_addr *peer,
			  struct td_str host)
{
	char name[TD_TLS_NAME];
	struct td_out o;

	if (host.n) {
		if (td_tls_name(name, host))
			return TD_ESYNTAX;
		return tp_conn_to(out, tp, ln, peer, host);
	}
	td_out_init_fixed(&o, name, sizeof(name));
	td_ip_print(&o, peer);
	return tp_conn_to(out, tp, ln, peer, td_out_view(&o));
}

int td_tp_flow_to_host(struct td_flow *out, struct td_tp *tp, enum td_proto proto, const struct td_addr *peer, struct td_str host)
{
	struct tp_listener *ln = tp_listener_for(tp, proto, peer);

	if (!ln)
		return TD_EUNSUPPORTED;
	if (proto == TD_UDP) {
		*out = (struct td_flow){ .peer = *peer, .proto = TD_UDP, .listener = ln->index };
		return 0;
	}
	return proto == TD_TLS ? secure_flow_to(out, tp, ln, peer, host) : tp_conn_to(out, tp, ln, peer, TD_STR_NULL);
}

int td_tp_flow_to(struct td_flow *out, struct td_tp *tp, enum td_proto proto, const struct td_addr *peer)
{
	return td_tp_flow_to_host(out, tp, proto, peer, TD_STR_NULL);
}

bool td_tp_flow_alive(const struct td_tp *tp, const struct td_flow *f)
{
	if (!f->conn)
		return !td_proto_reliable((enum td_proto)f->proto);
	return td_flow_worker(f) == tp->worker ? tp_conn_find(tp, f->conn) != NULL : tp_group_has(tp->group, f);
}

bool td_tp_flow_connected(const struct td_tp *tp, const struct td_flow *f)
{
	const struct tp_conn *c;

	if (!f->conn || td_flow_worker(f) != tp->worker)
		return td_tp_flow_alive(tp, f);
	c = tp_conn_find(tp, f->conn);
	return c && !c->connecting;
}

static int send_over(struct td_tp *tp, const struct td_flow *to, struct td_buf *buf)
{
	struct tp_conn *c;
	int err;

	if (to->proto == TD_UDP) {
		if (to->listener >= tp->n_listeners || !tp->listeners[to->listener]->udp)
			return TD_EUNSUPPORTED;
		err = td_udp_send(tp->listeners[to->listener]->udp, &to->peer, buf);
	} else if (td_flow_worker(to) != tp->worker) {
		return tp_post_send(tp, to, buf); /* counted where it is sent */
	} else {
		c = tp_conn_find(tp, to->conn);
		err = c ? tp_conn_send(c, buf) : TD_ECLOSED;
	}
	if (err)
		tp->stats.send_failed++;
	else
		tp->stats.sent++;
	return err;
}

int td_tp_send(struct td_tp *tp, const struct td_flow *to, struct td_buf *buf)
{
	int err = send_over(tp, to, buf);

	if (!err && tp->events->sent)
		tp->events->sent(tp->arg, to, td_buf_str(buf));
	return err;
}

void td_tp_trust_conn(struct td_tp *tp, const struct td_flow *f)
{
	struct tp_conn *c;

	if (!f->conn)
		return;
	if (td_flow_worker(f) != tp->worker) {
		tp_post_trust(tp, f);
		return;
	}
	c = tp_conn_find(tp, f->conn);
	if (c)
		tp_conn_trust(c);
}

const struct td_tp_stats *td_tp_stats(const struct td_tp *tp)
{
	return &tp->stats;
}

struct td_loop *td_tp_loop(struct td_tp *tp)
{
	return tp->loop;
}

unsigned td_tp_worker(const struct td_tp *tp)
{
	return tp->worker;
}
