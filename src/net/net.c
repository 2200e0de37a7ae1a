/*
 * A loop's network: what its sockets share. Output collected in a turn is written once, before the loop sleeps; closed
 * sockets are freed at the end of the turn; connections whose owner called td_conn_shutdown() live on here until their
 * last bytes are out.
 */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void reap(struct td_defer *d, void *arg)
{
	struct td_net *net = arg;

	while (!td_list_empty(&net->closing)) {
		struct td_link *l = net->closing.next;

		td_list_del(l);
		free(l);
		net->n_sockets--;
	}
}

static void take_all(struct td_link *to, struct td_link *from)
{
	td_list_init(to);
	while (!td_list_empty(from)) {
		struct td_link *l = from->next;

		td_list_del(l);
		td_list_add_tail(to, l);
	}
}

/*
 * Connections first: their callbacks may queue datagrams. What callbacks add to is flushed before the next sleep, so
 * an owner that sends whenever it is told "drained" cannot hold the loop.
 */
static void flush(struct td_defer *d, void *arg)
{
	struct td_net *net = arg;
	struct td_link turn;

	take_all(&turn, &net->dirty_conns);
	while (!td_list_empty(&turn)) {
		struct td_conn *c = TD_CONTAINER_OF(turn.next, struct td_conn, link);

		td_list_del(&c->link);
		net_conn_flush(c);
	}
	take_all(&turn, &net->dirty_udps);
	while (!td_list_empty(&turn)) {
		struct td_udp *u = TD_CONTAINER_OF(turn.next, struct td_udp, link);

		td_list_del(&u->link);
		net->ops->udp_flush(u);
	}
}

static void linger_over(struct td_timer *tm, void *arg)
{
	struct td_net *net = arg;
	uint64_t now_ms = td_loop_now_ms(net->loop);

	while (!td_list_empty(&net->lingering)) {
		struct td_conn *c = TD_CONTAINER_OF(net->lingering.next, struct td_conn, link);

		if (c->linger_until_ms > now_ms) {
			td_timer_start(net->loop, tm, c->linger_until_ms - now_ms);
			return;
		}
		td_conn_close(c);
	}
}

void net_init(struct td_net *net, struct td_loop *loop, const struct net_ops *ops)
{
	*net = (struct td_net){ .loop = loop, .ops = ops };
	td_list_init(&net->dirty_udps);
	td_list_init(&net->dirty_conns);
	td_list_init(&net->closing);
	td_list_init(&net->lingering);
	td_defer_init(&net->flush, flush, net);
	td_defer_init(&net->reap, reap, net);
	td_timer_init(&net->linger, linger_over, net);
}

void net_flush_later(struct td_net *net, struct td_link *dirty, struct td_link *l)
{
	if (td_link_on(l))
		return;
	td_list_add_tail(dirty, l);
	td_loop_before_sleep(net->loop, &net->flush);
}

void net_free_later(struct td_net *net, struct td_link *l)
{
	td_list_add_tail(&net->closing, l);
	td_loop_defer(net->loop, &net->reap);
}

void td_net_close(struct td_net *net)
{
	if (!net)
		return;
	while (!td_list_empty(&net->lingering))
		td_conn_close(TD_CONTAINER_OF(net->lingering.next, struct td_conn, link));
	td_timer_stop(net->loop, &net->linger);
	td_loop_undefer(net->loop, &net->flush);
	td_loop_undefer(net->loop, &net->reap);
	reap(&net->reap, net);
	assert(net->n_sockets == 0);
	free(net->plain);
	net->ops->close(net);
}

struct td_loop *td_net_loop(struct td_net *net)
{
	return net->loop;
}

int td_net_source(struct td_addr *out, struct td_net *net, const struct td_addr *peer)
{
	return net->ops->source(out, net, peer);
}

/* ---- the kernel's ---- */

static int real_source(struct td_addr *out, struct td_net *net, const struct td_addr *peer)
{
	return td_net_source_for(out, peer);
}

static void real_close(struct td_net *net)
{
	struct net_real *r = (struct net_real *)net;

	if (r->reserve_fd >= 0)
		close(r->reserve_fd);
	net_udp_batch_free(r->batch);
	free(r->scratch);
	free(r);
}

static const struct net_ops real_ops = {
	.udp_open = udp_socket_open,
	.udp_hear = udp_socket_hear,
	.udp_flush = udp_socket_flush,
	.udp_close = udp_socket_close,
	.listener_open = tcp_listen,
	.listener_close = tcp_listen_close,
	.conn_open = tcp_connect,
	.conn_write = tcp_write,
	.conn_read_off = tcp_read_off,
	.conn_fin = tcp_fin,
	.conn_close = tcp_close,
	.source = real_source,
	.close = real_close,
};

int td_net_open(struct td_net **out, struct td_loop *loop)
{
	struct net_real *r = calloc(1, sizeof(*r));

	assert(!td_loop_is_sim(loop));
	if (!r)
		return -ENOMEM;
	net_init(&r->net, loop, &real_ops);
	r->reserve_fd = -1;
	*out = &r->net;
	return 0;
}

int net_real_scratch(struct net_real *r)
{
	if (!r->scratch)
		r->scratch = malloc(NET_SCRATCH_BYTES);
	return r->scratch ? 0 : -ENOMEM;
}

static int set_option(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) < 0 ? -errno : 0;
}

static int bind_to(int fd, struct td_addr *out_addr, int type, const struct td_addr *local, bool reuseport)
{
	struct sockaddr_storage ss;
	socklen_t n = td_addr_to_sockaddr(&ss, local);
	int err = 0;

	if (local->family == TD_AF_V6) /* a v4 address stays a v4 address: one text form for policy */
		err = set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	if (!err && type == SOCK_STREAM) /* a restart must not wait for TIME_WAIT */
		err = set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (!err && reuseport)
		err = set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (err)
		return err;
	if (bind(fd, (struct sockaddr *)&ss, n) < 0)
		return -errno;
	n = sizeof(ss);
	if (getsockname(fd, (struct sockaddr *)&ss, &n) < 0)
		return -errno;
	return td_addr_from_sockaddr(out_addr, &ss);
}

int net_socket(int *out_fd, struct td_addr *out_addr, int type, const struct td_addr *local, bool reuseport)
{
	int fd = socket(local->family == TD_AF_V6 ? AF_INET6 : AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int err;

	if (fd < 0)
		return -errno;
	err = bind_to(fd, out_addr, type, local, reuseport);
	if (err) {
		close(fd);
		return err;
	}
	*out_fd = fd;
	return 0;
}
