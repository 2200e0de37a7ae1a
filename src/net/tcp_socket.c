/*
 * TCP on the kernel. Reading goes through one scratch buffer of the net (a connection that waits owns none), writing is
 * one sendmsg of the whole queue at the end of the turn. Work per event is bounded, epoll tells again what is left.
 */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	READS_PER_EVENT = 4,
	IOV_PER_WRITE = 64,
	ACCEPT_PAUSE_MS = 100,
	BACKLOG = 4096, /* capped by net.core.somaxconn */
};

struct tcp_conn {
	struct td_conn c;
	struct td_io io;
};

struct tcp_listener {
	struct td_listener l;
	struct td_io io;
	struct td_timer pause;
};

static void set_options(int fd)
{
	int on = 1, timeout_ms = NET_TCP_TIMEOUT_MS;

	/* Accepted connections inherit both from the listener. Neither is needed to work, so neither fails. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof(timeout_ms));
}

static int local_of(struct td_addr *out, int fd)
{
	struct sockaddr_storage ss;
	socklen_t n = sizeof(ss);

	if (getsockname(fd, (struct sockaddr *)&ss, &n) < 0)
		return -errno;
	return td_addr_from_sockaddr(out, &ss);
}

static void want(struct tcp_conn *t)
{
	unsigned w = t->c.state == CONN_EOF ? 0 : TD_IO_READ;

	if (t->c.blocked)
		w |= TD_IO_WRITE;
	td_io_want(&t->io, w);
}

/* ---- connections ---- */

static void receive(struct tcp_conn *t)
{
	char *scratch = ((struct net_real *)t->c.net)->scratch;

	for (int i = 0; i < READS_PER_EVENT; i++) {
		ssize_t n = recv(t->io.fd, scratch, NET_SCRATCH_BYTES, 0);

		if (n < 0) {
			if (errno != EAGAIN && errno != EINTR)
				net_conn_failed(&t->c, -errno);
			return;
		}
		if (n == 0) {
			net_conn_eof(&t->c);
			return;
		}
		net_conn_data(&t->c, td_str_n(scratch, (size_t)n));
		if (t->c.state != CONN_OPEN || n < NET_SCRATCH_BYTES)
			return;
	}
}

static void connect_done(struct tcp_conn *t)
{
	int err = -t->c.err;
	socklen_t n = sizeof(err);

	if (!err && getsockopt(t->io.fd, SOL_SOCKET, SO_ERROR, &err, &n) < 0)
		err = errno;
	if (err) {
		net_conn_failed(&t->c, -err);
		return;
	}
	td_io_want(&t->io, TD_IO_READ);
	net_conn_connected(&t->c);
}

static void on_conn_io(struct td_io *io, unsigned events, void *arg)
{
	struct tcp_conn *t = arg;

	if (t->c.state == CONN_CONNECTING) {
		connect_done(t);
		return;
	}
	if ((events & TD_IO_WRITE) && t->c.blocked) {
		t->c.blocked = false;
		want(t);
		net_conn_flush(&t->c);
	}
	if (t->c.state == CONN_OPEN && (events & (TD_IO_READ | TD_IO_HUP)))
		receive(t);
	else if (t->c.state == CONN_EOF && (events & TD_IO_HUP)) /* both halves are gone, and epoll would not stop saying so */
		net_conn_failed(&t->c, -EPIPE);
}

/* fd is the connection's when this succeeds. */
static int conn_new(struct tcp_conn **out, struct td_net *net, int fd, enum net_conn_state state, const struct td_addr *peer)
{
	struct tcp_conn *t = calloc(1, sizeof(*t));
	int err;

	if (!t)
		return -ENOMEM;
	err = net_real_scratch((struct net_real *)net);
	if (!err)
		err = td_io_open(&t->io, net->loop, fd, state == CONN_CONNECTING ? TD_IO_WRITE : TD_IO_READ, on_conn_io, t);
	if (err) {
		free(t);
		return err;
	}
	net_conn_init(&t->c, net, state, peer);
	*out = t;
	return 0;
}

int tcp_connect(struct td_conn **out, struct td_net *net, const struct td_addr *remote)
{
	struct sockaddr_storage ss;
	socklen_t n = td_addr_to_sockaddr(&ss, remote);
	struct tcp_conn *t;
	int fd, err, failed = 0;

	fd = socket(ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	set_options(fd);
	if (connect(fd, (struct sockaddr *)&ss, n) < 0 && errno != EINPROGRESS)
		failed = -errno;
	err = conn_new(&t, net, fd, CONN_CONNECTING, remote);
	if (err) {
		close(fd);
		return err;
	}
	if (!failed) /* connect(2) has chosen it, though nobody has answered yet */
		failed = local_of(&t->c.local, fd);
	if (failed) {
		td_io_want(&t->io, 0);
		net_conn_fail_later(&t->c, failed);
	}
	*out = &t->c;
	return 0;
}

static ssize_t write_one(struct tcp_conn *t)
{
	struct iovec iov;

	net_conn_iov(&t->c, &iov, 1);
	return send(t->io.fd, iov.iov_base, iov.iov_len, MSG_NOSIGNAL);
}

static ssize_t write_many(struct tcp_conn *t)
{
	/* Written before it is read; clearing all of it would cost more than filling a few. */
	struct iovec iov[IOV_PER_WRITE] __attribute__((uninitialized));
	struct msghdr mh = { .msg_iov = iov, .msg_iovlen = net_conn_iov(&t->c, iov, IOV_PER_WRITE) };

	return sendmsg(t->io.fd, &mh, MSG_NOSIGNAL);
}

int tcp_write(struct td_conn *c)
{
	struct tcp_conn *t = (struct tcp_conn *)c;

	while (c->count > 0) {
		ssize_t n = c->count == 1 ? write_one(t) : write_many(t);

		if (n >= 0) {
			net_conn_written(c, (size_t)n);
		} else if (errno == EAGAIN) {
			c->blocked = true;
			want(t);
			return 0;
		} else if (errno != EINTR) {
			return -errno;
		}
	}
	return 0;
}

void tcp_read_off(struct td_conn *c)
{
	want((struct tcp_conn *)c);
}

void tcp_fin(struct td_conn *c)
{
	(void)shutdown(((struct tcp_conn *)c)->io.fd, SHUT_WR);
}

void tcp_close(struct td_conn *c)
{
	struct tcp_conn *t = (struct tcp_conn *)c;
	int fd = t->io.fd;

	td_io_close(&t->io);
	close(fd);
}

/* ---- listener ---- */

static void resume(struct td_timer *tm, void *arg)
{
	struct tcp_listener *tl = arg;

	td_io_want(&tl->io, TD_IO_READ);
}

static int reserve_open(struct net_real *r)
{
	if (r->reserve_fd < 0)
		r->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return r->reserve_fd;
}

/*
 * No descriptor left: with the reserved one the connection is accepted and closed, so that the peer knows and the
 * backlog does not fill with the dead. True when that worked; otherwise, accept rests for a moment.
 */
static bool turn_away(struct tcp_listener *tl)
{
	struct net_real *r = (struct net_real *)tl->l.net;
	int fd;

	if (r->reserve_fd < 0)
		return false;
	close(r->reserve_fd);
	r->reserve_fd = -1;
	fd = accept4(tl->io.fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd >= 0)
		close(fd);
	return reserve_open(r) >= 0 && fd >= 0;
}

static void accepted(struct tcp_listener *tl, int fd, const struct sockaddr_storage *ss)
{
	struct tcp_conn *t;
	struct td_addr peer, local = tl->l.local;

	if (tl->l.fd_fn && !td_addr_from_sockaddr(&peer, ss)) {
		tl->l.fd_fn(&tl->l, fd, &peer, tl->l.arg);
		return;
	}
	if (td_addr_from_sockaddr(&peer, ss) || (td_ip_is_any(&local) && local_of(&local, fd)) ||
	    conn_new(&t, tl->l.net, fd, CONN_OPEN, &peer)) {
		close(fd);
		return;
	}
	t->c.local = local;
	net_listener_accepted(&tl->l, &t->c);
}

static void on_listener_io(struct td_io *io, unsigned events, void *arg)
{
	struct tcp_listener *tl = arg;

	for (int i = 0; i < NET_ACCEPT_BATCH && !tl->l.closed; i++) {
		struct sockaddr_storage ss;
		socklen_t n = sizeof(ss);
		int fd = accept4(io->fd, (struct sockaddr *)&ss, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			accepted(tl, fd, &ss);
			continue;
		}
		if (errno == EAGAIN)
			return;
		if (errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM)
			continue; /* ECONNABORTED and the like concern that connection alone, accept(2) */
		if (turn_away(tl))
			continue;
		td_io_want(io, 0);
		td_timer_start(tl->l.net->loop, &tl->pause, ACCEPT_PAUSE_MS);
		return;
	}
}

int tcp_listen(struct td_listener **out, struct td_net *net, const struct td_addr *local, unsigned flags)
{
	struct tcp_listener *tl = calloc(1, sizeof(*tl));
	int fd, err;

	if (!tl)
		return -ENOMEM;
	err = net_socket(&fd, &tl->l.local, SOCK_STREAM, local, flags & TD_UDP_REUSEPORT);
	if (err)
		goto fail;
	set_options(fd);
	if (listen(fd, BACKLOG) < 0) {
		err = -errno;
		goto fail_fd;
	}
	if (reserve_open((struct net_real *)net) < 0) {
		err = -errno;
		goto fail_fd;
	}
	td_timer_init(&tl->pause, resume, tl);
	err = td_io_open(&tl->io, net->loop, fd, TD_IO_READ, on_listener_io, tl);
	if (err)
		goto fail_fd;
	*out = &tl->l;
	return 0;
fail_fd:
	close(fd);
fail:
	free(tl);
	return err;
}

void tcp_listen_close(struct td_listener *l)
{
	struct tcp_listener *tl = (struct tcp_listener *)l;
	int fd = tl->io.fd;

	td_timer_stop(l->net->loop, &tl->pause);
	td_io_close(&tl->io);
	close(fd);
}
