/* web, private. */
#ifndef TD_SERVER_WEB_INTERNAL_H
#define TD_SERVER_WEB_INTERNAL_H

#include <libwebsockets.h>
#include <openssl/ssl.h>
#include <uv.h>

#include "server/web/web.h"

enum {
	WEB_MAX_LISTENERS = 64,
	WEB_HANDSHAKE_S = 10, /* for TLS and HTTP, as for a first message (T1) */
	WEB_CLOSE_S = 5,      /* for what is queued and the closing handshake */
	WEB_PING_S = 50,      /* below the minute after which HTTP proxies and NATs forget a silent connection */
	WEB_PONG_S = 15,
	WEB_RX_BYTES = 1024,       /* of a frame at a time; each connection has that much */
	WEB_QUEUE_BYTES = 1 << 20, /* that wait for a peer who does not read (T3) */
	WEB_WRITES = 16,           /* messages of one connection per turn */
};

struct web_listener {
	struct td_web *web;
	struct td_listener *l;
	unsigned index; /* in the transport */
	bool secure;
};

struct web_queued {
	struct web_queued *next;
	struct td_buf *buf;
};

/* One that was accepted; it lives until the library has forgotten it and the transport has. */
struct web_conn {
	struct td_link link; /* in td_web.conns */
	struct web_listener *listener;
	struct lws *wsi;    /* NULL: the library has forgotten it, or never knew */
	struct tp_conn *tp; /* NULL: it has ended there */
	struct web_queued *first, **last;
	size_t queued;
	uint16_t close_code; /* it ends when what is queued has gone; 0: it does not */
	bool open;           /* the handshake is over */
	bool said_goodbye;
};

struct td_web {
	struct td_loop *loop;
	struct td_net *net;
	struct td_tp *tp;
	struct td_log *log;
	struct td_config *cfg;
	struct lws_context *lws;
	struct lws_vhost *plain, *secure; /* secure: NULL without certificates */
	struct web_tls *tls;              /* the certificates */
	struct web_conn *adopting;        /* of the call to the library that is running */
	struct td_link conns;
	uint8_t *frame; /* a message on its way out, behind room for the frame's head */
	size_t frame_size;
	struct web_listener listeners[WEB_MAX_LISTENERS];
	unsigned listener_n;
	/* nested.c */
	uv_loop_t uv;
	void *uvs[1];
	struct td_io uv_io;
	struct td_timer uv_timer;
	struct td_defer uv_touch;
};

/* nested.c: libuv's loop, which libwebsockets runs on, inside ours */
int web_uv_open(struct td_web *w);
int web_uv_start(struct td_web *w);
void web_uv_touch(struct td_web *w); /* something was asked of the library: it looks after it before we sleep */
void web_uv_run(struct td_web *w);   /* now, once */
void web_uv_close(struct td_web *w);

/* tls.c */
int web_tls_new(struct web_tls **out, struct td_certs *certs);
void web_tls_free(struct web_tls *t);
int web_tls_setup(struct td_web *w, SSL_CTX *ctx); /* as lws's callbacks answer: 0, or -1 */

/* connection.c */
td_accept_fd_fn web_accepted;
bool web_is_utf8(struct td_str s); /* utf8.c */
int web_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t n);

#endif
