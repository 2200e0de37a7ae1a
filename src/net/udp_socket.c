/*
 * UDP on the kernel: recvmmsg and sendmmsg in batches.
 *
 * A net has one batch each way for all its sockets (they are read, and written, one after the other). A slot is a counted buffer of
 * 1 KiB, which most SIP datagrams fit in, followed by 63 KiB of overflow in a private mapping: whatever UDP can carry
 * arrives whole, and a longer one moves to a buffer of its size. A buffer the receiver did not keep serves the next batch
 * again, so a datagram answered at once costs no allocation.
 */
#include "internal.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	SLOT_BYTES = 1008, /* with its header just below what malloc(3) keeps at hand for a thread */
	OVERFLOW_BYTES = 65536 - SLOT_BYTES,
	BATCH_MIN = 8,
	ROUNDS = 4, /* full batches before other descriptors get their turn */
	RCVBUF_BYTES = 4 << 20,
};

struct net_udp_batch {
	char *overflow; /* NET_UDP_BATCH times OVERFLOW_BYTES */
	unsigned size;  /* slots to offer next: follows what arrives */
	struct td_buf *bufs[NET_UDP_BATCH];
	struct mmsghdr msgs[NET_UDP_BATCH];
	struct iovec iov[NET_UDP_BATCH][2];
	struct sockaddr_storage from[NET_UDP_BATCH];
	/* What goes to sendmmsg(2). Not on the stack, where the compiler would clear it all for each datagram. */
	struct mmsghdr out_msgs[NET_UDP_BATCH];
	struct iovec out_iov[NET_UDP_BATCH];
	struct sockaddr_storage to[NET_UDP_BATCH];
};

struct udp_socket {
	struct td_udp u;
	struct td_io io;
};

static struct net_udp_batch *batch_new(void)
{
	struct net_udp_batch *b = calloc(1, sizeof(*b));
	void *area;

	if (!b)
		return NULL;
	area = mmap(NULL, (size_t)NET_UDP_BATCH * OVERFLOW_BYTES, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (area == MAP_FAILED) {
		free(b);
		return NULL;
	}
	b->overflow = area;
	b->size = BATCH_MIN;
	for (unsigned i = 0; i < NET_UDP_BATCH; i++) {
		b->iov[i][1] = (struct iovec){ b->overflow + (size_t)i * OVERFLOW_BYTES, OVERFLOW_BYTES };
		b->msgs[i].msg_hdr = (struct msghdr){ .msg_name = &b->from[i], .msg_iov = b->iov[i], .msg_iovlen = 2 };
		b->out_msgs[i].msg_hdr = (struct msghdr){ .msg_name = &b->to[i], .msg_iov = &b->out_iov[i], .msg_iovlen = 1 };
	}
	return b;
}

void net_udp_batch_free(struct net_udp_batch *b)
{
	if (!b)
		return;
	for (unsigned i = 0; i < NET_UDP_BATCH; i++)
		td_buf_unref(b->bufs[i]);
	munmap(b->overflow, (size_t)NET_UDP_BATCH * OVERFLOW_BYTES);
	free(b);
}

/* Makes the first n slots ready; returns how many are (fewer when memory is out). */
static unsigned batch_prepare(struct net_udp_batch *b, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (!b->bufs[i]) {
			b->bufs[i] = td_buf_new(SLOT_BYTES);
			if (!b->bufs[i])
				return i;
			b->iov[i][0] = (struct iovec){ b->bufs[i]->data, SLOT_BYTES };
		}
		b->msgs[i].msg_hdr.msg_namelen = sizeof(b->from[i]);
	}
	return n;
}

static void deliver_long(struct td_udp *u, struct net_udp_batch *b, unsigned i, const struct td_addr *from)
{
	size_t len = b->msgs[i].msg_len;
	struct td_buf *buf = td_buf_new(len);

	if (!buf) {
		u->stats.dropped++;
		return;
	}
	memcpy(buf->data, b->bufs[i]->data, SLOT_BYTES);
	memcpy(buf->data + SLOT_BYTES, b->iov[i][1].iov_base, len - SLOT_BYTES);
	buf->len = (uint32_t)len;
	net_udp_deliver(u, buf, from);
	td_buf_unref(buf);
}

static void deliver(struct td_udp *u, struct net_udp_batch *b, unsigned i)
{
	struct td_buf *buf = b->bufs[i];
	struct td_addr from;

	if (td_addr_from_sockaddr(&from, &b->from[i]))
		return;
	if (b->msgs[i].msg_len > SLOT_BYTES) {
		deliver_long(u, b, i, &from);
		return;
	}
	buf->len = b->msgs[i].msg_len;
	net_udp_deliver(u, buf, &from);
}

/* A buffer that somebody kept is his. */
static void let_go(struct net_udp_batch *b, unsigned i)
{
	if (atomic_load_explicit(&b->bufs[i]->refs, memory_order_acquire) > 1) {
		td_buf_unref(b->bufs[i]);
		b->bufs[i] = NULL;
	}
}

/* No memory for a single buffer: take datagrams off the socket all the same, or the loop would spin on it. */
static void discard(struct udp_socket *s)
{
	char byte;

	for (unsigned i = 0; i < NET_UDP_BATCH && recv(s->io.fd, &byte, 1, MSG_DONTWAIT) >= 0; i++)
		s->u.stats.dropped++;
}

static void receive(struct udp_socket *s)
{
	struct net_udp_batch *b = ((struct net_real *)s->u.net)->batch;

	for (int round = 0; round < ROUNDS; round++) {
		unsigned n = batch_prepare(b, b->size);
		int got;

		if (n == 0) {
			discard(s);
			return;
		}
		got = recvmmsg(s->io.fd, b->msgs, n, MSG_DONTWAIT, NULL);
		if (got < 0) /* EAGAIN; an ICMP error, told once; anything else: the loop calls again */
			return;
		for (int i = 0; i < got && !s->u.closed; i++)
			deliver(&s->u, b, (unsigned)i);
		net_udp_pause(&s->u);
		for (int i = 0; i < got; i++)
			let_go(b, (unsigned)i);
		if (s->u.closed)
			return;
		if ((unsigned)got < n) {
			if ((unsigned)got < b->size / 4 && b->size > BATCH_MIN)
				b->size /= 2;
			return;
		}
		if (b->size < NET_UDP_BATCH)
			b->size *= 2;
	}
}

/* The kernel queues errors (ip(7), IP_RECVERR) with the address the datagram was for. What it says of itself (too long) is not meant. */
static int error_of(const struct msghdr *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR((struct msghdr *)(uintptr_t)m, c)) {
		const struct sock_extended_err *e = (const void *)CMSG_DATA(c);

		if (!(c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR) &&
		    !(c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR))
			continue;
		if (e->ee_origin != SO_EE_ORIGIN_ICMP && e->ee_origin != SO_EE_ORIGIN_ICMP6)
			continue;
		if (e->ee_errno == ECONNREFUSED || e->ee_errno == EHOSTUNREACH || e->ee_errno == ENETUNREACH)
			return -(int)e->ee_errno;
	}
	return 0;
}

static TD_RARE void hear(struct udp_socket *s)
{
	while (!s->u.closed) {
		struct sockaddr_storage at;
		_Alignas(struct cmsghdr) char control[512];
		struct msghdr m = {
			.msg_name = &at, .msg_namelen = sizeof(at), .msg_control = control, .msg_controllen = sizeof(control)
		};
		struct td_addr to;
		int err;

		if (recvmsg(s->io.fd, &m, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
			return;
		err = error_of(&m);
		if (err && !td_addr_from_sockaddr(&to, &at))
			s->u.refused(&s->u, &to, err, s->u.arg);
	}
}

void udp_socket_hear(struct td_udp *u)
{
	struct udp_socket *s = (struct udp_socket *)u;
	bool v4 = u->local.family == TD_AF_V4;
	int on = 1;

	(void)setsockopt(s->io.fd, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_RECVERR : IPV6_RECVERR, &on, sizeof(on));
}

static void on_io(struct td_io *io, unsigned events, void *arg)
{
	struct udp_socket *s = arg;

	if ((events & TD_IO_HUP) && s->u.refused) {
		hear(s);
		if (s->u.closed)
			return;
	}

	if ((events & TD_IO_WRITE) && s->u.blocked) {
		s->u.blocked = false;
		td_io_want(io, TD_IO_READ);
		udp_socket_flush(&s->u);
	}
	if (events & (TD_IO_READ | TD_IO_HUP))
		receive(s);
}

/*
 * Linux makes an IPv4 identification for every datagram that it might have to fragment, which is a keyed hash. Of those it may
 * not, it makes none; so we ask it not to, and ask otherwise for the few that are too long (send_long).
 */
static void may_fragment(int fd, bool may)
{
	int how = may ? IP_PMTUDISC_WANT : IP_PMTUDISC_DO;

	(void)setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &how, sizeof(how));
}

static void set_options(int fd, const struct td_addr *local)
{
	int bytes = RCVBUF_BYTES;

	if (local->family == TD_AF_V4)
		may_fragment(fd, false);

	/* Best effort: without CAP_NET_ADMIN the second is capped by net.core.rmem_max. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
}

int udp_socket_open(struct td_udp **out, struct td_net *net, const struct td_addr *local, unsigned flags)
{
	struct net_real *r = (struct net_real *)net;
	struct udp_socket *s;
	int fd, err;

	if (!r->batch && !(r->batch = batch_new()))
		return -ENOMEM;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	err = net_socket(&fd, &s->u.local, SOCK_DGRAM, local, flags & TD_UDP_REUSEPORT);
	if (err)
		goto fail;
	set_options(fd, &s->u.local);
	err = td_io_open(&s->io, net->loop, fd, TD_IO_READ, on_io, s);
	if (err)
		goto fail_fd;
	*out = &s->u;
	return 0;
fail_fd:
	close(fd);
fail:
	free(s);
	return err;
}

void udp_socket_close(struct td_udp *u)
{
	struct udp_socket *s = (struct udp_socket *)u;
	int fd = s->io.fd;

	td_io_close(&s->io);
	close(fd);
}

/* Hands the first n of the queue to the kernel: how many it took, or -errno about the first. */
static int send_some(struct udp_socket *s, unsigned n)
{
	struct net_udp_batch *b = ((struct net_real *)s->u.net)->batch;
	int sent;

	for (unsigned i = 0; i < n; i++) {
		struct net_datagram *d = net_udp_queued(&s->u, i);

		b->out_iov[i] = (struct iovec){ d->buf->data, d->buf->len };
		b->out_msgs[i].msg_hdr.msg_namelen = td_addr_to_sockaddr(&b->to[i], &d->to);
	}
	sent = sendmmsg(s->io.fd, b->out_msgs, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	return sent < 0 ? -errno : sent;
}

/* The first of the queue, in fragments. */
static int send_long(struct udp_socket *s)
{
	int sent;

	may_fragment(s->io.fd, true);
	sent = send_some(s, 1);
	may_fragment(s->io.fd, false);
	return sent;
}

/*
 * sendmmsg stops at the first datagram that fails and tells its error with the next call; that one is dropped, and
 * counted, and the others go on. UDP may lose it anyway: who needs an answer has a timer.
 *
 * It is tried twice: where errors are heard of (udp_socket_hear) the first attempt may fail with what ICMP said of another datagram, sent
 * before; the kernel tells that with the next send, once, and sends nothing. hear() tells whom it was about.
 */
void udp_socket_flush(struct td_udp *u)
{
	struct udp_socket *s = (struct udp_socket *)u;
	bool again = false;

	while (u->count > 0) {
		int sent = send_some(s, u->count < NET_UDP_BATCH ? u->count : NET_UDP_BATCH);

		if (sent == -EMSGSIZE && u->local.family == TD_AF_V4)
			sent = send_long(s);
		if (sent == -EINTR)
			continue;
		if (sent == -EAGAIN) {
			u->blocked = true;
			td_io_want(&s->io, TD_IO_READ | TD_IO_WRITE);
			return;
		}
		if (sent < 0 && !again) {
			again = true;
			continue;
		}
		again = false;
		if (sent < 0) {
			u->stats.send_errors++;
			net_udp_pop(u);
			continue;
		}
		u->stats.sent += (unsigned)sent;
		while (sent-- > 0)
			net_udp_pop(u);
	}
}
