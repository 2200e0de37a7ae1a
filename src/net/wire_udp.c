/*
 * Datagrams on the simulated wire. Every copy of a datagram takes its own chance; what leaves goes to whoever holds the
 * port when it arrives, and to nobody when no one does: UDP does not tell.
 */
#include "wire.h"

#include <errno.h>
#include <stdlib.h>

enum { DATAGRAM_MAX = 65507 };

struct wire_udp {
	struct td_udp u;
	struct wire_bound bound;
};

static bool chance(struct td_wire *w, double p)
{
	return p > 0 && (double)(td_rng_u64(td_sim_rng(w->sim)) >> 11) * 0x1p-53 < p;
}

/* Held back long enough for later ones to overtake it. */
static uint64_t held_back_us(struct td_wire *w)
{
	return 1 + td_rng_below(td_sim_rng(w->sim), 2 * ((uint64_t)w->rules.delay_us + w->rules.jitter_us) + 2000);
}

static void send_copy(struct td_wire *w, const struct td_addr *src, const struct td_addr *dst, struct td_str bytes)
{
	const struct td_wire_rules *r = &w->rules;
	struct wire_packet *p;
	uint64_t delay_us;

	if (chance(w, r->loss))
		return;
	delay_us = wire_delay_us(w);
	if (chance(w, r->reorder))
		delay_us += held_back_us(w);
	if (r->filter && !r->filter(r->arg, src, dst, bytes))
		return;
	p = wire_packet_new(w, WIRE_DATAGRAM, bytes);
	if (!p) /* lost, like others */
		return;
	p->src = *src;
	p->dst = *dst;
	if (wire_launch(p, delay_us))
		wire_packet_free(p);
}

void wire_udp_flush(struct td_udp *u)
{
	struct wire_host *h = (struct wire_host *)u->net;
	struct td_addr src = wire_address(h, u->local.port);

	while (u->count > 0) {
		struct net_datagram *d = net_udp_queued(u, 0);

		if (d->buf->len > DATAGRAM_MAX) {
			u->stats.send_errors++;
		} else {
			u->stats.sent++;
			if (!h->unplugged && chance(h->wire, h->wire->rules.duplicate))
				send_copy(h->wire, &src, &d->to, td_buf_str(d->buf));
			if (!h->unplugged)
				send_copy(h->wire, &src, &d->to, td_buf_str(d->buf));
		}
		net_udp_pop(u);
	}
}

void wire_udp_arrive(struct wire_packet *p)
{
	struct wire_bound *b = wire_lookup(p->wire, WIRE_UDP, &p->dst, &p->src);

	if (!b || b->host->unplugged) {
		wire_packet_free(p);
		return;
	}
	p->target = b->socket;
	wire_hand_over(p, b->host);
}

int wire_udp_open(struct td_udp **out, struct td_net *net, const struct td_addr *local, unsigned flags)
{
	struct wire_udp *wu = calloc(1, sizeof(*wu));
	int err;

	if (!wu)
		return -ENOMEM;
	wu->u.local = *local;
	err = wire_bind(&wu->bound, (struct wire_host *)net, WIRE_UDP, &wu->u.local, flags & TD_UDP_REUSEPORT, &wu->u);
	if (err) {
		free(wu);
		return err;
	}
	*out = &wu->u;
	return 0;
}

void wire_udp_close(struct td_udp *u)
{
	wire_unbind(&((struct wire_udp *)u)->bound);
}
