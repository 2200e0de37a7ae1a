/* Stream connections: connecting, TLS handshake, framing by Content-Length, accepting for the UAS half. */
#include "sipload.h"

#include <netinet/tcp.h>
#include <openssl/err.h>
#include <sys/epoll.h>

/* The bytes of one message; 0: not all here yet. */
static int frame(const char *b, int n, int *skip)
{
	if (opt.transport == T_WSS)
		return ws_frame(b, n, skip);
	int k = 0;
	while (k < n && (b[k] == '\r' || b[k] == '\n'))
		k++;
	*skip = k;
	const char *h = memmem(b + k, (size_t)(n - k), "\r\n\r\n", 4);
	if (!h)
		return 0;
	int hl = (int)(h + 4 - b), cl = 0;
	for (const char *p = b + k; p < h;) {
		const char *e = memchr(p, '\n', (size_t)(h + 2 - p));
		if (!e)
			break;
		if (((p[0] | 32) == 'c' && e - p > 15 && !strncasecmp(p, "content-length", 14)) ||
		    ((p[0] | 32) == 'l' && (p[1] == ':' || p[1] == ' '))) {
			const char *c = memchr(p, ':', (size_t)(e - p));
			if (c)
				cl = (int)strtol(c + 1, NULL, 10);
		}
		p = e + 1;
	}
	return hl + cl <= n ? hl + cl : 0;
}

static void stream_up(struct flow *f)
{
	f->state = F_UP;
	f->want_w = 0;
	ep_mod(f, EPOLLIN);
	hist_add(&lat_connect, clock_ns() - f->t0);
	if (f->role == R_UAC && (opt.test == C_CONNECT || opt.test == C_IDLE)) {
		struct op *x = &ops[f->slot];
		if (opt.no_request) {
			flow_close(f);
			finish(x, 1);
		} else
			first_request(x);
	}
}

static void stream_lost(struct flow *f)
{
	stats.conn_lost++;
	if (f->role == R_UAC && (opt.test == C_CONNECT || opt.test == C_IDLE)) {
		struct op *x = &ops[f->slot];
		if (x->f == f && x->st != ST_FREE && x->st != ST_PARKED)
			finish(x, 0);
		if (x->st == ST_PARKED)
			x->f = NULL;
	}
	flow_close(f);
}

static void hs_step(struct flow *f)
{
	int r = SSL_do_handshake(f->ssl);
	if (r == 1) {
		if (opt.transport == T_WSS) {
			f->want_w = 0;
			ep_mod(f, EPOLLIN);
			ws_upgrade(f);
		} else
			stream_up(f);
		return;
	}
	int e = SSL_get_error(f->ssl, r);
	if (e == SSL_ERROR_WANT_READ) {
		if (f->want_w) {
			f->want_w = 0;
			ep_mod(f, EPOLLIN);
		}
		return;
	}
	if (e == SSL_ERROR_WANT_WRITE) {
		if (!f->want_w) {
			f->want_w = 1;
			ep_mod(f, EPOLLIN | EPOLLOUT);
		}
		return;
	}
	if (!stats.conn_fail && !opt.quiet)
		ERR_print_errors_fp(stderr);
	stats.conn_fail++;
	stream_lost(f);
}

static void stream_read(struct flow *f)
{
	for (;;) {
		if (f->incap - f->inlen < 4096) {
			f->incap = f->incap ? f->incap * 2 : (opt.test == C_IDLE ? 4096 : 65536);
			f->in = realloc(f->in, (size_t)f->incap);
		}
		ssize_t r;
		if (f->ssl) {
			r = SSL_read(f->ssl, f->in + f->inlen, f->incap - f->inlen);
			if (r <= 0) {
				int e = SSL_get_error(f->ssl, (int)r);
				if (e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE)
					return;
				stream_lost(f);
				return;
			}
		} else {
			r = recv(f->fd, f->in + f->inlen, (size_t)(f->incap - f->inlen), 0);
			if (r < 0 && (errno == EAGAIN || errno == EINTR))
				return;
			if (r <= 0) {
				stream_lost(f);
				return;
			}
		}
		f->inlen += (int)r;
		int off = 0, skip, l;
		if (f->state == F_UPGRADE) {
			off = ws_upgraded(f->in, f->inlen);
			if (off < 0) {
				stats.conn_fail++;
				stream_lost(f);
				return;
			}
			if (off > 0)
				stream_up(f);
			else
				continue;
		}
		struct sockaddr_in src = opt.srv;
		while (off < f->inlen && (l = frame(f->in + off, f->inlen - off, &skip)) > 0) {
			if (l > skip)
				on_packet(f, f->in + off + skip, l - skip, &src);
			off += l;
			if (f->state == F_DEAD)
				return;
		}
		if (off) {
			memmove(f->in, f->in + off, (size_t)(f->inlen - off));
			f->inlen -= off;
		}
		if (opt.test == C_IDLE && !f->inlen) {
			free(f->in);
			f->in = NULL;
			f->incap = 0;
			return;
		}
		if (!f->ssl && f->incap - f->inlen > (int)r && r < 4096)
			return;
	}
}

void stream_event(struct flow *f, uint32_t ev)
{
	if (f->state == F_DEAD)
		return;
	if (f->role == R_LISTEN) {
		for (;;) {
			struct sockaddr_in a;
			socklen_t l = sizeof(a);
			int fd = accept4(f->fd, (void *)&a, &l, SOCK_NONBLOCK);
			if (fd < 0)
				return;
			int one = 1;
			setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
			struct flow *c = calloc(1, sizeof(*c));
			c->fd = fd;
			c->stream = 1;
			c->role = R_UAS;
			c->accepted = 1;
			c->t0 = clock_ns();
			c->state = F_UP;
			memcpy(c->host, f->host, sizeof(c->host));
			c->host_n = f->host_n;
			ep_add(c, EPOLLIN);
			if (opt.transport >= T_TLS) {
				c->ssl = SSL_new(tls_server);
				SSL_set_fd(c->ssl, fd);
				SSL_set_accept_state(c->ssl);
				c->state = F_HANDSHAKE;
			}
		}
	}
	if (f->state == F_CONNECTING) {
		if (!(ev & (EPOLLOUT | EPOLLERR | EPOLLHUP)))
			return;
		int err = 0;
		socklen_t l = sizeof(err);
		getsockopt(f->fd, SOL_SOCKET, SO_ERROR, &err, &l);
		if (err) {
			stats.conn_fail++;
			stream_lost(f);
			return;
		}
		struct sockaddr_in a;
		l = sizeof(a);
		getsockname(f->fd, (void *)&a, &l);
		set_host(f, &a);
		if (opt.transport >= T_TLS) {
			f->ssl = SSL_new(tls_client);
			SSL_set_fd(f->ssl, f->fd);
			SSL_set_connect_state(f->ssl);
			f->state = F_HANDSHAKE;
			hs_step(f);
			return;
		}
		stream_up(f);
		return;
	}
	if (f->state == F_HANDSHAKE) {
		hs_step(f);
		if (f->state != F_UP && f->state != F_UPGRADE)
			return;
	}
	if (ev & EPOLLOUT)
		stream_flush(f);
	if (ev & (EPOLLIN | EPOLLHUP | EPOLLERR))
		stream_read(f);
}
