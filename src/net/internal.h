/*
 * Shared inside net/. Every socket has a front (udp.c, conn.c, listener.c: queues, states, callbacks, all that net.h
 * promises) and a backend that moves the bytes: the kernel (udp_socket.c, tcp_socket.c) or the simulated wire (wire.c,
 * wire_udp.c, wire_tcp.c). The front calls the backend through the net's net_ops; a backend's struct starts with
 * the front's.
 *
 * Close, then free: closing stops callbacks and gives everything back but the memory of the struct itself, which is
 * freed at the end of the turn. So closing is safe within any callback, and code that has just made a callback may
 * still look at the state of its socket.
 */
#ifndef TANDEM_NET_INTERNAL_H
#define TANDEM_NET_INTERNAL_H

#include <tandem/net.h>

#include <sys/uio.h>

enum {
	NET_UDP_BATCH = 64,             /* datagrams of one recvmmsg or sendmmsg */
	NET_UDP_QUEUE_MAX = 4096,       /* datagrams waiting for the kernel */
	NET_CONN_LIMIT_BYTES = 1 << 20, /* default of td_conn_set_limit() */
	NET_CONN_QUEUE_MAX = 16384,     /* buffers; bounds what a queue of tiny ones costs */
	NET_ACCEPT_BATCH = 64,
	NET_LINGER_MS = 5000, /* after td_conn_shutdown() */
	NET_LINGER_MAX = 1024,
	/* Unacknowledged data or connect attempt; RFC 5626 §4.4.1 calls a flow failed after as long without a pong. */
	NET_TCP_TIMEOUT_MS = 10000,
};

struct net_ops {
	int (*udp_open)(struct td_udp **out, struct td_net *net, const struct td_addr *local, unsigned flags);
	void (*udp_hear)(struct td_udp *u);  /* u->refused is there; NULL: nothing is heard */
	void (*udp_flush)(struct td_udp *u); /* sends what it can; sets u->blocked when some must wait */
	void (*udp_close)(struct td_udp *u);
	int (*listener_open)(struct td_listener **out, struct td_net *net, const struct td_addr *local, unsigned flags);
	void (*listener_close)(struct td_listener *l);
	int (*conn_open)(struct td_conn **out, struct td_net *net, const struct td_addr *remote);
	int (*conn_write)(struct td_conn *c);     /* 0: as far as it goes, c->blocked when some must wait; -errno: broken */
	void (*conn_read_off)(struct td_conn *c); /* the peer sent its FIN */
	void (*conn_fin)(struct td_conn *c);
	void (*conn_close)(struct td_conn *c); /* called once */
	int (*source)(struct td_addr *out, struct td_net *net, const struct td_addr *peer);
	void (*close)(struct td_net *net); /* frees it */
};

struct td_net {
	struct td_loop *loop;
	const struct net_ops *ops;
	struct td_link dirty_udps, dirty_conns; /* with output collected in this turn */
	struct td_link closing;                 /* closed in this turn */
	struct td_link lingering;               /* connections nobody owns any more, oldest first */
	struct td_defer flush, reap;
	struct td_timer linger;
	unsigned n_sockets, n_lingering;
	char *plain; /* what TLS decrypts, one record at a time; made with the first such connection */
};

void net_init(struct td_net *net, struct td_loop *loop, const struct net_ops *ops);
/* l is the first member of a socket that is on no list. */
void net_flush_later(struct td_net *net, struct td_link *dirty, struct td_link *l);
void net_free_later(struct td_net *net, struct td_link *l);

/* ---- UDP ---- */

struct net_datagram {
	struct td_addr to;
	struct td_buf *buf;
};

struct td_udp {
	struct td_link link;
	struct td_net *net;
	td_udp_recv_fn *fn;
	td_udp_pause_fn *pause;     /* may be NULL */
	td_udp_refused_fn *refused; /* may be NULL */
	void *arg;
	struct td_addr local;
	bool closed, blocked;
	struct net_datagram *ring; /* cap is a power of two */
	uint32_t head, count, cap;
	struct td_udp_stats stats;
};

struct net_datagram *net_udp_queued(struct td_udp *u, uint32_t i); /* the i-th from the head */
void net_udp_pop(struct td_udp *u);
/* Counts and delivers; u may be closed after. */
void net_udp_deliver(struct td_udp *u, struct td_buf *buf, const struct td_addr *from);
/* After the last datagram of a batch. u may be closed before and after. */
void net_udp_pause(struct td_udp *u);

/* ---- TCP ---- */

enum net_conn_state {
	CONN_CONNECTING,
	CONN_OPEN,
	CONN_EOF,    /* the peer sent its FIN, and `closed` was called; output still goes */
	CONN_DEAD,   /* failed, and `closed` was called; the backend is closed */
	CONN_CLOSED, /* by its owner */
};

struct net_tls;

struct td_conn {
	struct td_link link;
	struct td_net *net;
	struct net_tls *tls; /* NULL: none. The ring then holds what is encrypted already */
	const struct td_conn_events *ev;
	void *arg;
	struct td_addr peer, local;
	struct td_buf **ring; /* cap is a power of two */
	uint32_t head, count, cap;
	uint32_t head_off; /* bytes of the first buffer that are written */
	size_t queued, limit;
	uint64_t linger_until_ms;
	int err; /* of a connect() that failed at once, to be told from the loop */
	uint8_t state;
	bool blocked, detached; /* detached: td_conn_shutdown() was called */
};

void net_conn_init(struct td_conn *c, struct td_net *net, enum net_conn_state state, const struct td_addr *peer);
void net_conn_fail_later(struct td_conn *c, int err);
void net_conn_flush(struct td_conn *c);
unsigned net_conn_iov(struct td_conn *c, struct iovec *iov, unsigned max);
void net_conn_written(struct td_conn *c, size_t n);
/* What the backend saw. c may be closed after each. */
void net_conn_connected(struct td_conn *c);
void net_conn_data(struct td_conn *c, struct td_str bytes);
void net_conn_eof(struct td_conn *c);
void net_conn_failed(struct td_conn *c, int err);
/* To the end of the ring, whatever its limit; for TLS, which cannot take back what it has encrypted. -ENOMEM, TD_EFULL. */
int net_conn_queue(struct td_conn *c, struct td_buf *buf);
/* c is connected, or past its handshake: tells its owner, and writes what waits. */
void net_conn_up(struct td_conn *c);

/* tls_conn.c; c->tls is there */
void net_tls_start(struct td_conn *c); /* connected: the handshake begins. c may be closed after */
void net_tls_input(struct td_conn *c, struct td_str bytes);
int net_tls_send(struct td_conn *c, struct td_buf *buf);
size_t net_tls_waiting(const struct td_conn *c); /* bytes that wait for the handshake */
void net_tls_finish(struct td_conn *c);          /* says good-bye, once nothing waits any more */
bool net_tls_open(const struct td_conn *c);      /* something waits for the handshake */
void net_tls_free(struct td_conn *c);

struct td_listener {
	struct td_link link;
	struct td_net *net;
	td_accept_fn *fn;
	td_accept_fd_fn *fd_fn; /* NULL: connections are made here */
	void *arg;
	struct td_addr local;
	bool closed;
};

/* Hands c over to the listener's owner. */
void net_listener_accepted(struct td_listener *l, struct td_conn *c);

/* ---- the kernel's backend ---- */

struct net_udp_batch;

struct net_real {
	struct td_net net;
	struct net_udp_batch *batch; /* made with the first UDP socket, shared by all */
	char *scratch;               /* made with the first stream */
	int reserve_fd;              /* given up for a moment when descriptors run out (accept) */
};

enum { NET_SCRATCH_BYTES = 16384 };

/* A non-blocking socket bound to local (NULL: not bound), its address in out_addr. */
int net_socket(int *out_fd, struct td_addr *out_addr, int type, const struct td_addr *local, bool reuseport);
int net_real_scratch(struct net_real *r);
void net_udp_batch_free(struct net_udp_batch *b);

int udp_socket_open(struct td_udp **out, struct td_net *net, const struct td_addr *local, unsigned flags);
void udp_socket_flush(struct td_udp *u);
void udp_socket_hear(struct td_udp *u);
void udp_socket_close(struct td_udp *u);
int tcp_listen(struct td_listener **out, struct td_net *net, const struct td_addr *local, unsigned flags);
void tcp_listen_close(struct td_listener *l);
int tcp_connect(struct td_conn **out, struct td_net *net, const struct td_addr *remote);
int tcp_write(struct td_conn *c);
void tcp_read_off(struct td_conn *c);
void tcp_fin(struct td_conn *c);
void tcp_close(struct td_conn *c);

#endif
