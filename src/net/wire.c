/*
 * The simulated wire: hosts, ports, and packets on their way. With a seed everything that happens on it happens again:
 * the only sources of chance are the simulation's generator and the order of events on its clock.
 *
 * Datagrams are lost, repeated, delayed and held back by the rules (wire_udp.c). Streams are TCP as its users see it:
 * reliable and ordered, in pieces of any size, refused, reset or timed out (wire_tcp.c).
 */
#include "wire.h"

#include <errno.h>
#include <stdlib.h>

enum { EPHEMERAL_FIRST = 32768, EPHEMERAL_LAST = 60999 };

struct wire_port {
	struct td_map_node node;
	struct td_addr addr;
	enum wire_type type;
	struct td_link members; /* wire_bound.link, oldest first */
	unsigned n;
};

/* ---- packets ---- */

static void arrive(struct td_mail *m, void *arg)
{
	struct wire_packet *p = arg;

	if (p->stream)
		wire_stream_arrive(p);
	else
		wire_udp_arrive(p);
}

struct wire_packet *wire_packet_new(struct td_wire *w, enum wire_kind kind, struct td_str bytes)
{
	struct wire_packet *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->mail.fn = arrive;
	p->mail.arg = p;
	p->wire = w;
	p->kind = kind;
	p->buf = td_buf_new(bytes.n); /* exact, so that a sanitizer sees who reads on */
	if (!p->buf) {
		free(p);
		return NULL;
	}
	if (bytes.n > 0)
		memcpy(p->buf->data, bytes.p, bytes.n);
	p->buf->len = (uint32_t)bytes.n;
	td_list_add_tail(&w->packets, &p->all);
	return p;
}

void wire_packet_free(struct wire_packet *p)
{
	td_list_del(&p->all);
	td_list_del(&p->link);
	td_buf_unref(p->buf);
	if (p->stream)
		wire_stream_unref(p->stream);
	free(p);
}

int wire_launch(struct wire_packet *p, uint64_t delay_us)
{
	return td_sim_at(p->wire->sim, delay_us, &p->mail);
}

uint64_t wire_delay_us(struct td_wire *w)
{
	uint64_t jitter_us = w->rules.jitter_us;

	return w->rules.delay_us + (jitter_us ? td_rng_below(td_sim_rng(w->sim), jitter_us + 1) : 0);
}

void wire_hand_over(struct wire_packet *p, struct wire_host *h)
{
	td_list_del(&p->link);
	td_list_add_tail(&h->inbox, &p->link);
	td_loop_defer(h->net.loop, &h->take);
}

/* Datagrams that arrived together, and for the same socket, are a batch. */
static bool ends_batch(const struct wire_host *h, const struct wire_packet *p)
{
	return td_list_empty(&h->inbox) || TD_CONTAINER_OF(h->inbox.next, struct wire_packet, link)->target != p->target;
}

static void take_datagram(struct wire_host *h, struct wire_packet *p)
{
	struct td_udp *u = p->target;

	if (!u)
		return;
	net_udp_deliver(u, p->buf, &p->src);
	if (ends_batch(h, p))
		net_udp_pause(u);
}

/* A turn of the host's loop. Callbacks may close any socket of the host, which takes its packets out of the inbox. */
static void take(struct td_defer *d, void *arg)
{
	struct wire_host *h = arg;

	while (!td_list_empty(&h->inbox)) {
		struct wire_packet *p = TD_CONTAINER_OF(h->inbox.next, struct wire_packet, link);

		td_list_del(&p->link);
		if (p->stream)
			wire_stream_take(h, p);
		else
			take_datagram(h, p);
		wire_packet_free(p);
	}
}

/* ---- ports ---- */

struct td_addr wire_address(const struct wire_host *h, uint16_t port)
{
	struct td_addr a = h->ip;

	a.port = port;
	return a;
}

struct port_key {
	const struct td_addr *addr;
	enum wire_type type;
};

static bool port_eq(const struct td_map_node *node, const void *key)
{
	const struct wire_port *port = TD_CONTAINER_OF(node, struct wire_port, node);
	const struct port_key *k = key;

	return port->type == k->type && td_addr_eq(&port->addr, k->addr);
}

static struct wire_port *find_port(struct td_wire *w, enum wire_type type, const struct td_addr *a)
{
	struct port_key key = { a, type };
	struct td_map_node *node = td_map_find(&w->ports, td_addr_hash(&w->key, a), port_eq, &key);

	return node ? TD_CONTAINER_OF(node, struct wire_port, node) : NULL;
}

static struct wire_port *new_port(struct td_wire *w, enum wire_type type, const struct td_addr *a)
{
	struct wire_port *port = calloc(1, sizeof(*port));

	if (!port)
		return NULL;
	port->addr = *a;
	port->type = type;
	td_list_init(&port->members);
	td_map_add(&w->ports, &port->node, td_addr_hash(&w->key, a));
	return port;
}

static bool all_share(const struct wire_port *port)
{
	for (const struct td_link *l = port->members.next; l != &port->members; l = l->next)
		if (!TD_CONTAINER_OF(l, struct wire_bound, link)->reuseport)
			return false;
	return true;
}

static uint16_t next_ephemeral(struct td_wire *w)
{
	w->next_port = w->next_port >= EPHEMERAL_LAST ? EPHEMERAL_FIRST : w->next_port + 1;
	return w->next_port;
}

int wire_bind(struct wire_bound *b, struct wire_host *h, enum wire_type type, struct td_addr *local, bool reuseport, void *socket)
{
	struct td_addr at = wire_address(h, local->port);
	struct wire_port *port;

	if (local->family != h->ip.family || (!td_ip_is_any(local) && !td_ip_eq(local, &h->ip)))
		return -EADDRNOTAVAIL;
	if (at.port == 0) {
		int tries = EPHEMERAL_LAST - EPHEMERAL_FIRST + 1;

		do
			at.port = next_ephemeral(h->wire);
		while (find_port(h->wire, type, &at) && --tries > 0);
	}
	port = find_port(h->wire, type, &at);
	if (port && !(reuseport && all_share(port)))
		return -EADDRINUSE;
	if (!port && !(port = new_port(h->wire, type, &at)))
		return -ENOMEM;
	*b = (struct wire_bound){ .port = port, .host = h, .socket = socket, .reuseport = reuseport };
	td_list_add_tail(&port->members, &b->link);
	port->n++;
	local->port = at.port;
	return 0;
}

void wire_unbind(struct wire_bound *b)
{
	struct wire_port *port = b->port;

	for (struct td_link *l = b->host->inbox.next; l != &b->host->inbox; l = l->next) {
		struct wire_packet *p = TD_CONTAINER_OF(l, struct wire_packet, link);

		if (p->target == b->socket)
			p->target = NULL;
	}
	td_list_del(&b->link);
	if (--port->n > 0)
		return;
	td_map_del(&b->host->wire->ports, &port->node);
	free(port);
}

struct wire_bound *wire_lookup(struct td_wire *w, enum wire_type type, const struct td_addr *dst, const struct td_addr *src)
{
	struct wire_port *port = find_port(w, type, dst);
	struct td_link *l;

	if (!port)
		return NULL;
	l = port->members.next;
	for (uint64_t i = port->n > 1 ? td_addr_hash(&w->key, src) % port->n : 0; i > 0; i--)
		l = l->next;
	return TD_CONTAINER_OF(l, struct wire_bound, link);
}

struct wire_host *wire_host_at(struct td_wire *w, const struct td_addr *ip)
{
	for (struct td_link *l = w->hosts.next; l != &w->hosts; l = l->next) {
		struct wire_host *h = TD_CONTAINER_OF(l, struct wire_host, link);

		if (td_ip_eq(&h->ip, ip))
			return h;
	}
	return NULL;
}

/* ---- hosts and the wire ---- */

static void host_close(struct td_net *net)
{
	struct wire_host *h = (struct wire_host *)net;

	td_loop_undefer(net->loop, &h->take);
	while (!td_list_empty(&h->inbox))
		wire_packet_free(TD_CONTAINER_OF(h->inbox.next, struct wire_packet, link));
	wire_streams_forget(h->wire, h);
	td_list_del(&h->link);
	free(h);
}

/* A host has one address. */
static int host_source(struct td_addr *out, struct td_net *net, const struct td_addr *peer)
{
	*out = ((struct wire_host *)net)->ip;
	return 0;
}

static const struct net_ops wire_ops = {
	.udp_open = wire_udp_open,
	.udp_flush = wire_udp_flush,
	.udp_close = wire_udp_close,
	.listener_open = wire_listen,
	.listener_close = wire_listen_close,
	.conn_open = wire_connect,
	.conn_write = wire_write,
	.conn_read_off = wire_read_off,
	.conn_fin = wire_fin,
	.conn_close = wire_close,
	.source = host_source,
	.close = host_close,
};

int td_net_open_sim(struct td_net **out, struct td_loop *loop, struct td_wire *w, const struct td_addr *ip)
{
	struct wire_host *h = calloc(1, sizeof(*h));

	assert(td_loop_is_sim(loop) && ip->family != TD_AF_NONE);
	if (!h)
		return -ENOMEM;
	net_init(&h->net, loop, &wire_ops);
	h->wire = w;
	h->ip = *ip;
	h->ip.port = 0;
	td_list_init(&h->inbox);
	td_defer_init(&h->take, take, h);
	td_list_add_tail(&w->hosts, &h->link);
	*out = &h->net;
	return 0;
}

void td_net_unplug(struct td_net *net, bool unplugged)
{
	assert(net->ops == &wire_ops);
	((struct wire_host *)net)->unplugged = unplugged;
}

int td_wire_open(struct td_wire **out, struct td_sim *sim)
{
	struct td_wire *w = calloc(1, sizeof(*w));
	int err;

	if (!w)
		return -ENOMEM;
	err = td_map_init(&w->ports, 16);
	if (err) {
		free(w);
		return err;
	}
	w->sim = sim;
	w->next_port = EPHEMERAL_FIRST;
	td_hash_key_init(&w->key, td_sim_rng(sim));
	td_list_init(&w->hosts);
	td_list_init(&w->streams);
	td_list_init(&w->packets);
	*out = w;
	return 0;
}

void td_wire_rules(struct td_wire *w, const struct td_wire_rules *r)
{
	w->rules = *r;
}

void td_wire_close(struct td_wire *w)
{
	if (!w)
		return;
	assert(td_list_empty(&w->hosts));
	while (!td_list_empty(&w->packets)) /* the simulation forgets them unread when it is closed */
		wire_packet_free(TD_CONTAINER_OF(w->packets.next, struct wire_packet, all));
	assert(td_list_empty(&w->streams) && w->ports.count == 0);
	td_map_free(&w->ports);
	free(w);
}
