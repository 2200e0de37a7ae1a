/* The library's context, the listeners, start and end. */
#include "server/web/internal.h"

#include <errno.h>
#include <stdlib.h>

/* The first is who gets connections without a subprotocol, and what is plain HTTP. */
static const struct lws_protocols http = { .name = "http", .callback = web_callback };
static const struct lws_protocols sip = { .name = "sip", .callback = web_callback, .rx_buffer_size = WEB_RX_BYTES };
static const struct lws_protocols *const protocols[] = { &http, &sip, NULL };

enum { GOODBYES = 64 }; /* turns for closing frames, when the server stops */

/* Pings keep what lies between open, and find out who is gone without a word (RFC 7118 §6). */
static const lws_retry_bo_t pings = { .secs_since_valid_ping = WEB_PING_S, .secs_since_valid_hangup = WEB_PING_S + WEB_PONG_S };

/* One for ws, one for wss: what connections to either have in common. */
static struct lws_vhost *open_vhost(struct td_web *w, const char *name, uint64_t options)
{
	struct lws_context_creation_info info = {
		.port = CONTEXT_PORT_NO_LISTEN_SERVER,
		.vhost_name = name,
		.pprotocols = (const struct lws_protocols **)protocols,
		.options = LWS_SERVER_OPTION_VALIDATE_UTF8 | options,
		.alpn = "http/1.1",
		.timeout_secs = WEB_HANDSHAKE_S,
		.keepalive_timeout = WEB_HANDSHAKE_S,
		.retry_and_idle_policy = &pings,
	};

	return lws_create_vhost(w->lws, &info);
}

static int open_library(struct td_web *w)
{
	struct lws_context_creation_info info = {
		.port = CONTEXT_PORT_NO_LISTEN,
		.options = LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS | LWS_SERVER_OPTION_VALIDATE_UTF8 |
			   LWS_SERVER_OPTION_DISABLE_OS_CA_CERTS | LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT,
		.foreign_loops = w->uvs,
		.pcontext = &w->lws,
		.user = w,
		.gid = (gid_t)-1,
		.uid = (uid_t)-1,
	};

	lws_set_log_level(0, NULL); /* it knows no place but the standard error */
	w->lws = lws_create_context(&info);
	if (!w->lws)
		return -ENOMEM;
	w->plain = open_vhost(w, "ws", 0);
	if (w->tls)
		w->secure = open_vhost(w, "wss", LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT | LWS_SERVER_OPTION_CREATE_VHOST_SSL_CTX);
	return w->plain && (w->secure || !w->tls) ? 0 : -ENOMEM;
}

int td_web_open(struct td_web **out, struct td_loop *loop, struct td_net *net, struct td_log *log, struct td_config *cfg,
		struct td_certs *certs)
{
	struct td_web *w = calloc(1, sizeof(*w));
	int err;

	if (!w)
		return -ENOMEM;
	w->loop = loop;
	w->net = net;
	w->log = log;
	w->cfg = td_config_ref(cfg);
	td_list_init(&w->conns);
	err = web_uv_open(w);
	if (err) {
		td_config_unref(w->cfg);
		free(w);
		return err;
	}
	if (certs)
		err = web_tls_new(&w->tls, certs);
	if (!err)
		err = open_library(w);
	if (!err)
		err = web_uv_start(w);
	if (err) {
		td_web_close(w);
		return err;
	}
	*out = w;
	return 0;
}

void td_web_close(struct td_web *w)
{
	if (!w)
		return;
	for (unsigned i = 0; i < w->listener_n; i++)
		td_listener_close(w->listeners[i].l);
	/* What the transport ended just now may still say so. */
	for (unsigned i = 0; i < GOODBYES && w->lws && !td_list_empty(&w->conns); i++)
		web_uv_run(w);
	/* Twice: sockets are closed by the loop, and only then the rest can go. The second time is up to the library where it needs none. */
	for (unsigned i = 0; i < 2 && w->lws; i++) {
		lws_context_destroy(w->lws);
		while (w->lws && uv_loop_alive(&w->uv))
			web_uv_run(w);
	}
	web_uv_close(w);
	web_tls_free(w->tls);
	td_config_unref(w->cfg);
	free(w->frame);
	free(w);
}

int td_web_listen(struct td_web *w, unsigned index, enum td_proto proto, const struct td_addr *at)
{
	struct web_listener *ln = &w->listeners[w->listener_n];
	int err;

	if (proto != TD_WS && (proto != TD_WSS || !w->secure))
		return TD_EUNSUPPORTED;
	if (w->listener_n == WEB_MAX_LISTENERS)
		return TD_ELIMIT;
	*ln = (struct web_listener){ .web = w, .index = index, .secure = proto == TD_WSS };
	err = td_listener_open(&ln->l, w->net, at, 0, NULL, ln);
	if (err)
		return err;
	td_listener_on_fd(ln->l, web_accepted);
	w->listener_n++;
	return 0;
}

const struct td_addr *td_web_address(const struct td_web *w, unsigned index)
{
	for (unsigned i = 0; i < w->listener_n; i++)
		if (w->listeners[i].index == index)
			return td_listener_local(w->listeners[i].l);
	return NULL;
}

void td_web_serve(struct td_web *w, struct td_tp *tp)
{
	w->tp = tp;
}

void td_web_config(struct td_web *w, struct td_config *cfg)
{
	td_config_unref(w->cfg);
	w->cfg = td_config_ref(cfg);
}

int td_web_certs(struct td_web *w, struct td_certs *certs)
{
	struct web_tls *t;
	int err = w->secure ? web_tls_new(&t, certs) : 0;

	if (err || !w->secure)
		return err;
	web_tls_free(w->tls);
	w->tls = t;
	return 0;
}
