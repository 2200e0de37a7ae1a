/*
 * UDP, the front: a bounded queue of datagrams that leave together, and the delivery of those that came. The queue is a
 * ring that grows with need (most sockets never have more than a few waiting) up to NET_UDP_QUEUE_MAX, which is
 * reached only while the kernel takes no more.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>

int td_udp_open(struct td_udp **out, struct td_net *net, const struct td_addr *local, unsigned flags, td_udp_recv_fn *fn,
		void *arg)
{
	struct td_udp *u;
	int err;

	if (local->family == TD_AF_NONE)
		return -EAFNOSUPPORT;
	err = net->ops->udp_open(&u, net, local, flags);
	if (err)
		return err;
	u->net = net;
	u->fn = fn;
	u->arg = arg;
	net->n_sockets++;
	*out = u;
	return 0;
}

struct net_datagram *net_udp_queued(struct td_udp *u, uint32_t i)
{
	return &u->ring[(u->head + i) & (u->cap - 1)];
}

void net_udp_pop(struct td_udp *u)
{
	td_buf_unref(u->ring[u->head].buf);
	u->head = (u->head + 1) & (u->cap - 1);
	u->count--;
}

void td_udp_close(struct td_udp *u)
{
	if (!u || u->closed)
		return;
	if (u->count > 0 && !u->blocked)
		u->net->ops->udp_flush(u);
	u->closed = true;
	u->net->ops->udp_close(u);
	while (u->count > 0)
		net_udp_pop(u);
	free(u->ring);
	td_list_del(&u->link);
	net_free_later(u->net, &u->link);
}

const struct td_addr *td_udp_local(const struct td_udp *u)
{
	return &u->local;
}

const struct td_udp_stats *td_udp_stats(const struct td_udp *u)
{
	return &u->stats;
}

static int grow(struct td_udp *u)
{
	uint32_t cap = u->cap ? u->cap * 2 : 8;
	struct net_datagram *ring;

	if (u->cap >= NET_UDP_QUEUE_MAX)
		return TD_ELIMIT;
	ring = malloc(cap * sizeof(*ring));
	if (!ring)
		return -ENOMEM;
	for (uint32_t i = 0; i < u->count; i++)
		ring[i] = *net_udp_queued(u, i);
	free(u->ring);
	u->ring = ring;
	u->cap = cap;
	u->head = 0;
	return 0;
}

int td_udp_send(struct td_udp *u, const struct td_addr *to, struct td_buf *buf)
{
	int err = 0;

	if (u->closed)
		return TD_ECLOSED;
	if (to->family != u->local.family)
		err = -EAFNOSUPPORT;
	else if (u->count == u->cap)
		err = grow(u);
	if (err) {
		u->stats.send_errors++;
		return err;
	}
	u->count++;
	*net_udp_queued(u, u->count - 1) = (struct net_datagram){ *to, td_buf_ref(buf) };
	if (u->blocked)
		return 0;
	if (u->count >= NET_UDP_BATCH)
		u->net->ops->udp_flush(u);
	else
		net_flush_later(u->net, &u->net->dirty_udps, &u->link);
	return 0;
}

void net_udp_deliver(struct td_udp *u, struct td_buf *buf, const struct td_addr *from)
{
	if (buf->len == 0) {
		u->stats.empty++;
		return;
	}
	u->stats.received++;
	u->fn(u, buf, from, u->arg);
}

void td_udp_on_pause(struct td_udp *u, td_udp_pause_fn *fn)
{
	u->pause = fn;
}

void td_udp_on_refused(struct td_udp *u, td_udp_refused_fn *fn)
{
	u->refused = fn;
	if (u->net->ops->udp_hear)
		u->net->ops->udp_hear(u);
}

void net_udp_pause(struct td_udp *u)
{
	if (!u->closed && u->pause)
		u->pause(u, u->arg);
}
