/*
 * Streams on the simulated wire: TCP as its users see it, not as it is made. A stream has two sides and, towards each,
 * packets in order: one that is late holds back those behind it. Whatever cannot travel because a host is unplugged is
 * tried again, as TCP would; a side whose data or SYN nobody took for NET_TCP_TIMEOUT_MS fails with -ETIMEDOUT. At most
 * WINDOW_BYTES are on their way, the rest waits in the connection's queue and meets its limit.
 */
#include "wire.h"

#include <errno.h>
#include <stdlib.h>

enum {
	WINDOW_BYTES = 65536,
	RETRY_US = 500000,
	RETRIES = 2 * NET_TCP_TIMEOUT_MS * 1000 / RETRY_US, /* after that, both sides have given up */
};

enum { CALLER, ACCEPTER };

struct wire_side {
	struct wire_conn *conn; /* NULL: not accepted yet, or closed */
	struct wire_host *host;
	struct td_link way; /* wire_packet.link: what flies towards it, in order */
};

struct wire_stream {
	struct td_link link;
	unsigned refs; /* each connection and each packet holds one */
	bool broken;   /* nothing arrives any more */
	struct wire_side side[2];
};

struct wire_conn {
	struct td_conn c;
	struct wire_stream *stream;
	struct td_timer timeout;
	size_t in_flight;
	uint8_t side;
	bool fin_sent;
};

struct wire_listener {
	struct td_listener l;
	struct wire_bound bound;
};

void wire_stream_unref(struct wire_stream *s)
{
	if (--s->refs > 0)
		return;
	td_list_del(&s->link);
	free(s);
}

void wire_streams_forget(struct td_wire *w, struct wire_host *h)
{
	for (struct td_link *l = w->streams.next; l != &w->streams; l = l->next) {
		struct wire_stream *s = TD_CONTAINER_OF(l, struct wire_stream, link);

		for (int i = 0; i < 2; i++)
			if (s->side[i].host == h)
				s->side[i].host = NULL;
	}
}

/* The caller holds a reference. Packets that still fly are freed when they arrive. */
static void break_stream(struct wire_stream *s)
{
	s->broken = true;
	for (int i = 0; i < 2; i++) {
		struct td_link *l = s->side[i].way.next, *next;

		for (; l != &s->side[i].way; l = next) {
			struct wire_packet *p = TD_CONTAINER_OF(l, struct wire_packet, link);

			next = l->next;
			if (p->arrived)
				wire_packet_free(p);
		}
	}
}

static int launch(struct td_wire *w, struct wire_stream *s, int from, enum wire_kind kind, struct td_str bytes)
{
	struct wire_packet *p;

	if (s->broken)
		return 0;
	p = wire_packet_new(w, kind, bytes);
	if (!p)
		return -ENOMEM;
	p->stream = s;
	s->refs++;
	p->to = (uint8_t)!from;
	if (kind == WIRE_SYN) {
		p->src = s->side[CALLER].conn->c.local;
		p->dst = s->side[CALLER].conn->c.peer;
	}
	td_list_add_tail(&s->side[p->to].way, &p->link);
	if (wire_launch(p, wire_delay_us(w))) {
		wire_packet_free(p);
		return -ENOMEM;
	}
	return 0;
}

/* ---- arrival ---- */

/* The receiver has it: what TCP does with an ACK. */
static void acked(struct wire_stream *s, int from, size_t n)
{
	struct wire_conn *wc = s->side[from].conn;

	if (!wc)
		return;
	wc->in_flight -= n;
	if (wc->in_flight > 0)
		td_timer_start(wc->c.net->loop, &wc->timeout, NET_TCP_TIMEOUT_MS);
	else
		td_timer_stop(wc->c.net->loop, &wc->timeout);
	if (!wc->c.blocked)
		return;
	wc->c.blocked = false;
	if (wc->c.detached)
		net_conn_flush(&wc->c);
	else
		net_flush_later(wc->c.net, &wc->c.net->dirty_conns, &wc->c.link);
}

static void deliver(struct wire_packet *p)
{
	struct wire_stream *s = p->stream;
	struct wire_host *h = s->side[p->to].host;

	if (p->kind == WIRE_SYN) {
		struct wire_bound *b = wire_lookup(p->wire, WIRE_LISTENER, &p->dst, &p->src);

		if (b) {
			h = s->side[ACCEPTER].host = b->host;
			p->target = b->socket;
		} else {
			(void)launch(p->wire, s, ACCEPTER, WIRE_RST, TD_STR_NULL);
		}
	}
	if (h)
		wire_hand_over(p, h);
	else
		wire_packet_free(p);
}

/* NULL when nobody has the address, for now or for ever: then a SYN is tried again like one to an unplugged host. */
static const struct wire_host *host_of(const struct wire_packet *p, int side)
{
	if (p->kind != WIRE_SYN || side == CALLER)
		return p->stream->side[side].host;

	struct wire_bound *b = wire_lookup(p->wire, WIRE_LISTENER, &p->dst, &p->src);

	return b ? b->host : wire_host_at(p->wire, &p->dst);
}

static bool must_wait(const struct wire_packet *p)
{
	const struct wire_host *from = host_of(p, !p->to), *to = host_of(p, p->to);

	return (from && from->unplugged) || (to ? to->unplugged : p->kind == WIRE_SYN);
}

void wire_stream_arrive(struct wire_packet *p)
{
	struct wire_stream *s = p->stream;
	struct td_link *way = &s->side[p->to].way;

	if (!s->broken && must_wait(p)) {
		if (++p->retries <= RETRIES && wire_launch(p, RETRY_US) == 0)
			return;
		break_stream(s);
	}
	if (s->broken) {
		wire_packet_free(p);
		return;
	}
	p->arrived = true;
	s->refs++;
	while (!td_list_empty(way) && !s->broken) {
		p = TD_CONTAINER_OF(way->next, struct wire_packet, link);
		if (!p->arrived)
			break;
		if (p->kind == WIRE_DATA)
			acked(s, !p->to, p->buf->len);
		deliver(p);
	}
	wire_stream_unref(s);
}

/* ---- in a turn of the receiver's loop ---- */

static void timed_out(struct td_timer *tm, void *arg)
{
	struct wire_conn *wc = arg;

	break_stream(wc->stream);
	net_conn_failed(&wc->c, -ETIMEDOUT);
}

static struct wire_conn *conn_new(struct td_net *net, struct wire_stream *s, int side, enum net_conn_state state,
				  const struct td_addr *local, const struct td_addr *peer)
{
	struct wire_conn *wc = calloc(1, sizeof(*wc));

	if (!wc)
		return NULL;
	net_conn_init(&wc->c, net, state, peer);
	wc->c.local = *local;
	wc->stream = s;
	s->refs++;
	wc->side = (uint8_t)side;
	s->side[side].conn = wc;
	s->side[side].host = (struct wire_host *)net;
	td_timer_init(&wc->timeout, timed_out, wc);
	return wc;
}

static void accept_syn(struct wire_host *h, struct wire_packet *p)
{
	struct td_listener *l = p->target;
	struct wire_conn *wc = l ? conn_new(&h->net, p->stream, ACCEPTER, CONN_OPEN, &p->dst, &p->src) : NULL;

	if (!wc) {
		(void)launch(p->wire, p->stream, ACCEPTER, WIRE_RST, TD_STR_NULL);
		return;
	}
	if (launch(p->wire, p->stream, ACCEPTER, WIRE_SYNACK, TD_STR_NULL)) {
		td_conn_close(&wc->c);
		return;
	}
	net_listener_accepted(l, &wc->c);
}

static void reset(struct wire_packet *p, struct wire_conn *wc)
{
	break_stream(p->stream);
	if (wc)
		net_conn_failed(&wc->c, wc->c.state == CONN_CONNECTING ? -ECONNREFUSED : -ECONNRESET);
}

void wire_stream_take(struct wire_host *h, struct wire_packet *p)
{
	struct wire_conn *wc = p->stream->side[p->to].conn;

	if (p->kind == WIRE_SYN) {
		accept_syn(h, p);
	} else if (p->kind == WIRE_RST) {
		reset(p, wc);
	} else if (!wc) {
		if (p->kind == WIRE_DATA) /* as a kernel whose user has closed */
			(void)launch(p->wire, p->stream, p->to, WIRE_RST, TD_STR_NULL);
	} else if (p->kind == WIRE_SYNACK) {
		td_timer_stop(h->net.loop, &wc->timeout);
		net_conn_connected(&wc->c);
	} else if (p->kind == WIRE_DATA) {
		net_conn_data(&wc->c, td_buf_str(p->buf));
	} else if (p->kind == WIRE_FIN) {
		net_conn_eof(&wc->c);
	}
}

/* ---- the backend of a connection ---- */

int wire_connect(struct td_conn **out, struct td_net *net, const struct td_addr *remote)
{
	struct wire_host *h = (struct wire_host *)net;
	struct td_addr any = wire_address(h, 0);
	struct wire_bound port;
	struct wire_stream *s;
	struct wire_conn *wc;
	int err;

	if (remote->family != h->ip.family)
		return -ENETUNREACH;
	/* Only to get a free number: a caller's port is not bound. */
	err = wire_bind(&port, h, WIRE_LISTENER, &any, false, NULL);
	if (err)
		return err;
	wire_unbind(&port);
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->refs = 1;
	td_list_init(&s->side[CALLER].way);
	td_list_init(&s->side[ACCEPTER].way);
	td_list_add_tail(&h->wire->streams, &s->link);
	wc = conn_new(net, s, CALLER, CONN_CONNECTING, &any, remote);
	if (wc) {
		/* A SYN that found no memory is a lost one: the timeout tells. */
		(void)launch(h->wire, s, CALLER, WIRE_SYN, TD_STR_NULL);
		td_timer_start(net->loop, &wc->timeout, NET_TCP_TIMEOUT_MS);
		*out = &wc->c;
	}
	wire_stream_unref(s);
	return wc ? 0 : -ENOMEM;
}

int wire_write(struct td_conn *c)
{
	struct wire_conn *wc = (struct wire_conn *)c;
	struct td_wire *w = ((struct wire_host *)c->net)->wire;

	while (c->count > 0) {
		struct iovec iov;
		size_t room = WINDOW_BYTES - wc->in_flight;

		if (room == 0) {
			c->blocked = true;
			return 0;
		}
		if (w->rules.stream_chunk && w->rules.stream_chunk < room)
			room = w->rules.stream_chunk;
		net_conn_iov(c, &iov, 1);
		if (iov.iov_len < room)
			room = iov.iov_len;
		if (launch(w, wc->stream, wc->side, WIRE_DATA, td_str_n(iov.iov_base, room)))
			return -ENOMEM;
		wc->in_flight += room;
		if (!td_timer_running(&wc->timeout))
			td_timer_start(c->net->loop, &wc->timeout, NET_TCP_TIMEOUT_MS);
		net_conn_written(c, room);
	}
	return 0;
}

void wire_read_off(struct td_conn *c)
{
	/* After the peer's FIN nothing comes. */
}

void wire_fin(struct td_conn *c)
{
	struct wire_conn *wc = (struct wire_conn *)c;

	if (wc->fin_sent)
		return;
	wc->fin_sent = true;
	(void)launch(((struct wire_host *)c->net)->wire, wc->stream, wc->side, WIRE_FIN, TD_STR_NULL);
}

void wire_close(struct td_conn *c)
{
	struct wire_conn *wc = (struct wire_conn *)c;

	wire_fin(c);
	td_timer_stop(c->net->loop, &wc->timeout);
	wc->stream->side[wc->side].conn = NULL;
	wire_stream_unref(wc->stream);
	wc->stream = NULL;
}

/* ---- listener ---- */

int wire_listen(struct td_listener **out, struct td_net *net, const struct td_addr *local, unsigned flags)
{
	struct wire_listener *wl = calloc(1, sizeof(*wl));
	int err;

	if (!wl)
		return -ENOMEM;
	wl->l.local = *local;
	err = wire_bind(&wl->bound, (struct wire_host *)net, WIRE_LISTENER, &wl->l.local, flags & TD_UDP_REUSEPORT, &wl->l);
	if (err) {
		free(wl);
		return err;
	}
	*out = &wl->l;
	return 0;
}

void wire_listen_close(struct td_listener *l)
{
	wire_unbind(&((struct wire_listener *)l)->bound);
}
