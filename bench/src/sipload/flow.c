/*
 * Where bytes leave and enter: datagram sockets that gather a batch before sendmmsg, and stream connections.
 * What is to be sent in this turn is put on the dirty list and goes out in flush_all().
 */
#include "sipload.h"

#include <netinet/tcp.h>
#include <sys/epoll.h>

#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif

enum { SEND_BATCH = 128 };

int epoll_fd;
struct flow **uac_flow;
SSL_CTX *tls_client, *tls_server;
static struct flow *dirty_head;

void ep_add(struct flow *f, uint32_t ev)
{
	struct epoll_event e = { .events = ev, .data.ptr = f };
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, f->fd, &e))
		die("epoll_ctl: %s", strerror(errno));
}

void ep_mod(struct flow *f, uint32_t ev)
{
	struct epoll_event e = { .events = ev, .data.ptr = f };
	epoll_ctl(epoll_fd, EPOLL_CTL_MOD, f->fd, &e);
}

void set_host(struct flow *f, const struct sockaddr_in *a)
{
	f->host_n = snprintf(f->host, sizeof(f->host), "%s:%d", inet_ntoa(a->sin_addr), ntohs(a->sin_port));
}

struct flow *udp_flow(int role, int port, int idx, int connect_it)
{
	struct flow *f = calloc(1, sizeof(*f));
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	inet_pton(AF_INET, opt.local, &a.sin_addr);
	f->role = role;
	f->idx = idx;
	f->state = F_UP;
	f->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	int big = 4 << 20;
	setsockopt(f->fd, SOL_SOCKET, SO_RCVBUF, &big, sizeof(big));
	setsockopt(f->fd, SOL_SOCKET, SO_SNDBUF, &big, sizeof(big));
	if (bind(f->fd, (void *)&a, sizeof(a)))
		die("bind %s:%d: %s", opt.local, port, strerror(errno));
	if (connect_it) {
		if (connect(f->fd, (void *)&opt.srv, sizeof(opt.srv)))
			die("connect: %s", strerror(errno));
		f->connected = 1;
	}
	socklen_t l = sizeof(a);
	getsockname(f->fd, (void *)&a, &l);
	set_host(f, &a);
	f->mh = calloc(SEND_BATCH, sizeof(*f->mh));
	f->iv = calloc(SEND_BATCH, sizeof(*f->iv));
	f->sa = calloc(SEND_BATCH, sizeof(*f->sa));
	for (int i = 0; i < SEND_BATCH; i++) {
		f->mh[i].msg_hdr.msg_iov = &f->iv[i];
		f->mh[i].msg_hdr.msg_iovlen = 1;
	}
	ep_add(f, EPOLLIN);
	return f;
}

static void udp_flush(struct flow *f)
{
	int i = 0;
	while (i < f->sn) {
		int r = sendmmsg(f->fd, f->mh + i, (unsigned)(f->sn - i), 0);
		if (r <= 0) {
			if (errno == EINTR)
				continue;
			if (errno == ECONNREFUSED)
				continue; /* pending ICMP error; the datagram was not sent yet */
			stats.send_drop += 1;
			i++;
			continue;
		}
		i += r;
	}
	f->sn = 0;
}

void stream_mark(struct flow *f)
{
	if (!f->dirty) {
		f->dirty = 1;
		f->dnext = dirty_head;
		dirty_head = f;
	}
}

void stream_flush(struct flow *f)
{
	if ((f->state != F_UP && f->state != F_UPGRADE) || !f->outlen)
		return;
	int off = 0;
	while (off < f->outlen) {
		ssize_t r;
		if (f->ssl) {
			r = SSL_write(f->ssl, f->out + off, f->outlen - off);
			if (r <= 0) {
				int e = SSL_get_error(f->ssl, (int)r);
				if (e == SSL_ERROR_WANT_WRITE || e == SSL_ERROR_WANT_READ)
					break;
				f->outlen = 0;
				stats.send_drop++;
				return;
			}
		} else {
			r = send(f->fd, f->out + off, (size_t)(f->outlen - off), MSG_NOSIGNAL);
			if (r < 0) {
				if (errno == EAGAIN || errno == EINTR)
					break;
				f->outlen = 0;
				stats.send_drop++;
				return;
			}
		}
		off += (int)r;
	}
	if (off)
		memmove(f->out, f->out + off, (size_t)(f->outlen - off));
	f->outlen -= off;
	if (f->outlen && !f->want_w) {
		f->want_w = 1;
		ep_mod(f, EPOLLIN | EPOLLOUT);
	} else if (!f->outlen && f->want_w) {
		f->want_w = 0;
		ep_mod(f, EPOLLIN);
	}
}

void flush_all(void)
{
	while (dirty_head) {
		struct flow *f = dirty_head;
		dirty_head = f->dnext;
		f->dirty = 0;
		if (f->stream)
			stream_flush(f);
		else
			udp_flush(f);
	}
}

void stream_put(struct flow *f, const char *bytes, int n)
{
	if (f->outlen + n > f->outcap) {
		f->outcap = (f->outlen + n) * 2 + 2048;
		f->out = realloc(f->out, (size_t)f->outcap);
	}
	memcpy(f->out + f->outlen, bytes, (size_t)n);
	f->outlen += n;
}

/* buf must stay valid until the flush for datagrams */
void flow_send(struct flow *f, const struct sockaddr_in *to, char *buf, int n)
{
	stats.sent++;
	if (!f->stream) {
		if (f->sn == SEND_BATCH)
			udp_flush(f);
		int i = f->sn++;
		f->iv[i].iov_base = buf;
		f->iv[i].iov_len = (size_t)n;
		if (to && !(f->connected && to->sin_port == opt.srv.sin_port && to->sin_addr.s_addr == opt.srv.sin_addr.s_addr)) {
			f->sa[i] = *to;
			f->mh[i].msg_hdr.msg_name = &f->sa[i];
			f->mh[i].msg_hdr.msg_namelen = sizeof(*to);
		} else {
			f->mh[i].msg_hdr.msg_name = NULL;
			f->mh[i].msg_hdr.msg_namelen = 0;
		}
	} else {
		if (f->state == F_DEAD) {
			stats.send_drop++;
			return;
		}
		if (opt.transport == T_WSS) {
			char head[14];
			stream_put(f, head, ws_head(head, n));
		}
		stream_put(f, buf, n);
	}
	stream_mark(f);
}

struct flow *stream_connect(uint32_t slot, int nth)
{
	struct flow *f = calloc(1, sizeof(*f));
	f->stream = 1;
	f->role = R_UAC;
	f->slot = slot;
	f->state = F_CONNECTING;
	f->t0 = clock_ns();
	f->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (f->fd < 0)
		die("socket: %s", strerror(errno));
	int one = 1;
	setsockopt(f->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	struct sockaddr_in a = { .sin_family = AF_INET };
	inet_pton(AF_INET, opt.local, &a.sin_addr);
	if (opt.srcs > 1)
		a.sin_addr.s_addr = htonl(ntohl(a.sin_addr.s_addr) + (uint32_t)(nth % opt.srcs));
	setsockopt(f->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
	if (bind(f->fd, (void *)&a, sizeof(a)))
		die("bind: %s", strerror(errno));
	if (connect(f->fd, (void *)&opt.srv, sizeof(opt.srv)) && errno != EINPROGRESS) {
		close(f->fd);
		free(f);
		stats.conn_fail++;
		return NULL;
	}
	socklen_t l = sizeof(a);
	getsockname(f->fd, (void *)&a, &l);
	set_host(f, &a);
	ep_add(f, EPOLLIN | EPOLLOUT);
	f->want_w = 1;
	return f;
}

struct flow *tcp_listener(int port)
{
	struct flow *f = calloc(1, sizeof(*f));
	f->stream = 1;
	f->role = R_LISTEN;
	f->state = F_UP;
	f->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	int one = 1;
	setsockopt(f->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	inet_pton(AF_INET, opt.local, &a.sin_addr);
	if (bind(f->fd, (void *)&a, sizeof(a)) || listen(f->fd, 1024))
		die("listen %d: %s", port, strerror(errno));
	set_host(f, &a);
	ep_add(f, EPOLLIN);
	return f;
}

static struct flow *graveyard;
void flow_close(struct flow *f)
{
	if (f->state == F_DEAD)
		return;
	if (f->dirty && f->state == F_UP)
		stream_flush(f);
	f->state = F_DEAD;
	f->outlen = 0;
	if (f->ssl) {
		SSL_shutdown(f->ssl);
		SSL_free(f->ssl);
		f->ssl = NULL;
	}
	close(f->fd);
	f->fd = -1;
	if (!f->dirty) {
		f->dnext = graveyard;
		graveyard = f;
	}
}

void reap(void)
{
	while (graveyard) {
		struct flow *f = graveyard;
		graveyard = f->dnext;
		free(f->in);
		free(f->out);
		free(f->challenge);
		free(f);
	}
}
