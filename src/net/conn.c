/*
 * A stream connection, the front: states, the bounded output queue, and who is told what.
 *
 *     CONNECTING --connected--> OPEN --FIN of the peer: closed(0)--> EOF
 *          |                     |                                    |
 *          +--closed(err)------> DEAD <--closed(err)--+               +--> an error is not told again
 *
 * td_conn_close() leads from each to CLOSED. td_conn_shutdown() detaches: the owner hears nothing any more, and the
 * connection closes itself when its queue is written and the peer has sent its FIN, or after NET_LINGER_MS. (Closing
 * a socket that still has unread input sends RST, and RST destroys the answer on its way to the peer: so a refusal,
 * "400 and close", would often not arrive without that wait.)
 *
 * An idle connection holds no buffer. Output is a ring of counted buffers, written from where they are.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>

void net_conn_init(struct td_conn *c, struct td_net *net, enum net_conn_state state, const struct td_addr *peer)
{
	c->net = net;
	c->state = state;
	c->peer = *peer;
	c->limit = NET_CONN_LIMIT_BYTES;
	net->n_sockets++;
}

int td_conn_open(struct td_conn **out, struct td_net *net, const struct td_addr *remote, const struct td_conn_events *ev,
		 void *arg)
{
	struct td_conn *c;
	int err;

	if (remote->family == TD_AF_NONE)
		return -EAFNOSUPPORT;
	err = net->ops->conn_open(&c, net, remote);
	if (err)
		return err;
	td_conn_handle(c, ev, arg);
	*out = c;
	return 0;
}

void td_conn_handle(struct td_conn *c, const struct td_conn_events *ev, void *arg)
{
	c->ev = ev;
	c->arg = arg;
}

const struct td_addr *td_conn_peer(const struct td_conn *c)
{
	return &c->peer;
}

const struct td_addr *td_conn_local(const struct td_conn *c)
{
	return &c->local;
}

size_t td_conn_queued(const struct td_conn *c)
{
	return c->queued + (c->tls ? net_tls_waiting(c) : 0);
}

void td_conn_set_limit(struct td_conn *c, size_t max_queued_bytes)
{
	c->limit = max_queued_bytes;
}

/* ---- the output queue ---- */

static int grow(struct td_conn *c)
{
	uint32_t cap = c->cap ? c->cap * 2 : 4;
	struct td_buf **ring;

	if (c->cap >= NET_CONN_QUEUE_MAX)
		return TD_EFULL;
	ring = malloc(cap * sizeof(*ring));
	if (!ring)
		return -ENOMEM;
	for (uint32_t i = 0; i < c->count; i++)
		ring[i] = c->ring[(c->head + i) & (c->cap - 1)];
	free(c->ring);
	c->ring = ring;
	c->cap = cap;
	c->head = 0;
	return 0;
}

static void drop_first(struct td_conn *c)
{
	td_buf_unref(c->ring[c->head]);
	c->head = (c->head + 1) & (c->cap - 1);
	c->head_off = 0;
	c->count--;
}

static void free_queue(struct td_conn *c)
{
	while (c->count > 0)
		drop_first(c);
	free(c->ring);
	c->ring = NULL;
	c->cap = c->head = 0;
	c->queued = 0;
}

unsigned net_conn_iov(struct td_conn *c, struct iovec *iov, unsigned max)
{
	unsigned n = c->count < max ? c->count : max;

	for (unsigned i = 0; i < n; i++) {
		struct td_buf *b = c->ring[(c->head + i) & (c->cap - 1)];
		size_t off = i == 0 ? c->head_off : 0;

		iov[i] = (struct iovec){ b->data + off, b->len - off };
	}
	return n;
}

void net_conn_written(struct td_conn *c, size_t n)
{
	c->queued -= n;
	while (n > 0) {
		size_t left = c->ring[c->head]->len - c->head_off;

		if (n < left) {
			c->head_off += (uint32_t)n;
			return;
		}
		n -= left;
		drop_first(c);
	}
	if (c->count == 0 && c->cap > 16) /* a burst is over: an idle connection stays small */
		free_queue(c);
}

int td_conn_send(struct td_conn *c, struct td_buf *buf)
{
	if (c->state >= CONN_DEAD || c->detached)
		return TD_ECLOSED;
	if (buf->len == 0)
		return 0;
	if (c->tls)
		return net_tls_send(c, buf);
	if (c->queued > c->limit || buf->len > c->limit - c->queued)
		return TD_EFULL;
	return net_conn_queue(c, buf);
}

int net_conn_queue(struct td_conn *c, struct td_buf *buf)
{
	int err = c->count == c->cap ? grow(c) : 0;

	if (err)
		return err;
	c->ring[(c->head + c->count++) & (c->cap - 1)] = td_buf_ref(buf);
	c->queued += buf->len;
	if (c->state != CONN_CONNECTING && !c->blocked)
		net_flush_later(c->net, &c->net->dirty_conns, &c->link);
	return 0;
}

/* Detached and everything is written, unless it waits for TLS. */
static void finish(struct td_conn *c)
{
	if (c->tls && net_tls_open(c))
		return;
	if (c->state == CONN_EOF)
		td_conn_close(c);
	else
		c->net->ops->conn_fin(c);
}

void net_conn_flush(struct td_conn *c)
{
	int err;

	if (c->err) {
		net_conn_failed(c, c->err);
		return;
	}
	if (c->count == 0 || c->blocked || (c->state != CONN_OPEN && c->state != CONN_EOF))
		return;
	err = c->net->ops->conn_write(c);
	if (err)
		net_conn_failed(c, err);
	else if (c->count > 0)
		return;
	else if (c->detached)
		finish(c);
	else if (c->ev->drained && !(c->tls && net_tls_open(c)))
		c->ev->drained(c, c->arg);
}

/* ---- what the backend saw ---- */

void net_conn_fail_later(struct td_conn *c, int err)
{
	c->err = err;
	net_flush_later(c->net, &c->net->dirty_conns, &c->link);
}

void net_conn_failed(struct td_conn *c, int err)
{
	bool told = c->state == CONN_EOF;

	if (c->state >= CONN_DEAD)
		return;
	if (c->detached) {
		td_conn_close(c);
		return;
	}
	c->net->ops->conn_close(c);
	td_list_del(&c->link);
	free_queue(c);
	c->state = CONN_DEAD;
	if (!told)
		c->ev->closed(c, err, c->arg);
}

void net_conn_connected(struct td_conn *c)
{
	c->state = CONN_OPEN;
	if (c->tls)
		net_tls_start(c);
	else
		net_conn_up(c);
}

void net_conn_up(struct td_conn *c)
{
	if (c->detached) {
		net_conn_flush(c);
		return;
	}
	if (c->count > 0)
		net_flush_later(c->net, &c->net->dirty_conns, &c->link);
	if (c->ev->connected)
		c->ev->connected(c, c->arg);
}

void net_conn_data(struct td_conn *c, struct td_str bytes)
{
	if (c->tls)
		net_tls_input(c, bytes);
	else if (!c->detached)
		c->ev->data(c, bytes, c->arg);
}

void net_conn_eof(struct td_conn *c)
{
	if (c->tls && !td_conn_tls_ready(c)) {
		net_conn_failed(c, TD_ETLS);
		return;
	}
	if (c->detached && c->count == 0) {
		td_conn_close(c);
		return;
	}
	if (c->state == CONN_EOF) /* TLS had its own end before TCP's */
		return;
	c->state = CONN_EOF;
	c->net->ops->conn_read_off(c);
	if (!c->detached)
		c->ev->closed(c, 0, c->arg);
}

/* ---- the owner's end ---- */

void td_conn_close(struct td_conn *c)
{
	if (!c || c->state == CONN_CLOSED)
		return;
	if (c->state != CONN_DEAD)
		c->net->ops->conn_close(c);
	c->state = CONN_CLOSED;
	if (c->detached)
		c->net->n_lingering--;
	net_tls_free(c);
	free_queue(c);
	td_list_del(&c->link);
	net_free_later(c->net, &c->link);
}

/* Neither side could have said anything yet. */
static bool in_the_making(const struct td_conn *c)
{
	return c->state == CONN_CONNECTING || (c->tls && !td_conn_tls_ready(c));
}

void td_conn_shutdown(struct td_conn *c)
{
	struct td_net *net = c->net;

	if (c->detached || c->state == CONN_CLOSED)
		return;
	if (c->tls)
		net_tls_finish(c);
	if (c->state == CONN_DEAD || c->err || (in_the_making(c) && td_conn_queued(c) == 0) ||
	    net->n_lingering >= NET_LINGER_MAX) {
		td_conn_close(c);
		return;
	}
	td_list_del(&c->link);
	c->detached = true;
	c->linger_until_ms = td_loop_now_ms(net->loop) + NET_LINGER_MS;
	td_list_add_tail(&net->lingering, &c->link);
	net->n_lingering++;
	if (!td_timer_running(&net->linger))
		td_timer_start(net->loop, &net->linger, NET_LINGER_MS);
	if (c->count > 0)
		net_conn_flush(c);
	else
		finish(c);
}
