/*
 * A connection from its descriptor to its end. Two know it: the library (lws) reads, writes and cuts frames; the transport (td_tp)
 * counts it, limits it in time and number from its first moment on, and gives it its flow. Either may end it at any time: then the
 * other is told, and what is here goes when both have let go.
 *
 * RFC 6455 as the library keeps it: fragmented or long control frames, reserved bits and opcodes, a continuation of nothing, a
 * length with its top bit set, text that is not UTF-8 end the connection. No extension is agreed on, so there is nothing to inflate.
 * What is here: how long a message may be (td_tp_adopted_data), the subprotocol, the origin.
 */
#include "server/web/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

static void drop_queue(struct web_conn *c)
{
	while (c->first) {
		struct web_queued *q = c->first;

		c->first = q->next;
		td_buf_unref(q->buf);
		free(q);
	}
	c->last = &c->first;
	c->queued = 0;
}

static void let_go(struct web_conn *c)
{
	if (c->wsi || c->tp)
		return;
	td_list_del(&c->link);
	drop_queue(c);
	free(c);
}

/* ---- what the transport asks ---- */

static int queue(void *held, struct td_buf *buf)
{
	struct web_conn *c = held;
	struct web_queued *q;

	if (c->queued + buf->len > WEB_QUEUE_BYTES)
		return TD_EFULL;
	q = malloc(sizeof(*q));
	if (!q)
		return -ENOMEM;
	*q = (struct web_queued){ .buf = td_buf_ref(buf) };
	*c->last = q;
	c->last = &q->next;
	c->queued += buf->len;
	lws_callback_on_writable(c->wsi);
	web_uv_touch(c->listener->web);
	return 0;
}

static uint16_t close_code_of(int why)
{
	switch (why) {
	case TD_ELIMIT: return LWS_CLOSE_STATUS_MESSAGE_TOO_LARGE;
	case TD_ESYNTAX: return LWS_CLOSE_STATUS_POLICY_VIOLATION; /* a message, but none of SIP's (RFC 6455 §7.4.1) */
	default: return LWS_CLOSE_STATUS_GOINGAWAY;
	}
}

static void ended(void *held, int why, bool linger)
{
	struct web_conn *c = held;

	c->tp = NULL;
	if (c->open && linger) { /* the rest of the queue and a closing frame, if the peer takes them */
		c->close_code = close_code_of(why);
		lws_set_timeout(c->wsi, PENDING_TIMEOUT_USER_REASON_BASE, WEB_CLOSE_S);
		lws_callback_on_writable(c->wsi);
	} else {
		lws_set_timeout(c->wsi, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_ASYNC);
	}
	web_uv_touch(c->listener->web);
}

static const struct td_tp_holder holder = { .send = queue, .close = ended };

/* ---- accepted ---- */

void web_accepted(struct td_listener *l, int fd, const struct td_addr *peer, void *arg)
{
	struct web_listener *ln = arg;
	struct td_web *w = ln->web;
	struct web_conn *c = calloc(1, sizeof(*c));

	if (!c || td_tp_adopt(&c->tp, w->tp, ln->index, peer, &holder, c)) {
		free(c);
		close(fd);
		return;
	}
	c->listener = ln;
	c->last = &c->first;
	td_list_add_tail(&w->conns, &c->link);
	w->adopting = c;
	lws_adopt_descriptor_vhost_via_info(&(lws_adopt_desc_t){
		.vh = ln->secure ? w->secure : w->plain,
		.type = LWS_ADOPT_SOCKET | LWS_ADOPT_HTTP | LWS_ADOPT_ALLOW_SSL,
		.fd.sockfd = fd,
		.opaque = c,
	});
	w->adopting = NULL;
	web_uv_touch(w);
	if (!c->wsi) { /* it had no memory for it, and has closed fd */
		td_tp_adopted_lost(c->tp, -ENOMEM);
		c->tp = NULL;
		let_go(c);
	}
}

/* ---- the handshake ---- */

static int refuse(struct web_conn *c, unsigned status, const char *why)
{
	lws_return_http_status(c->wsi, status, why);
	return -1;
}

/* A header field's value, in memory of the caller's; empty when there is none, or more than fits. */
static struct td_str header(struct web_conn *c, enum lws_token_indexes field, char *mem, size_t size)
{
	int n = lws_hdr_copy(c->wsi, mem, (int)size, field);

	return n > 0 ? td_str_n(mem, (size_t)n) : TD_STR_NULL;
}

static int handshake(struct web_conn *c)
{
	struct td_web *w = c->listener->web;
	char origin_mem[512], host_mem[300], version[8];
	struct td_str origin = header(c, WSI_TOKEN_ORIGIN, origin_mem, sizeof(origin_mem));
	struct td_str host = header(c, WSI_TOKEN_HOST, host_mem, sizeof(host_mem));

	if (!td_str_eq(header(c, WSI_TOKEN_VERSION, version, sizeof(version)), TD_STR("13"))) /* RFC 6455 §4.2.1 item 6 */
		return refuse(c, HTTP_STATUS_BAD_REQUEST, "want Sec-WebSocket-Version 13");
	/* Whoever names no subprotocol is given the first of the list, which is not ours (RFC 7118 §4.1). */
	if (strcmp(lws_get_protocol(c->wsi)->name, "sip") || !lws_hdr_total_length(c->wsi, WSI_TOKEN_PROTOCOL))
		return refuse(c, HTTP_STATUS_BAD_REQUEST, "want the subprotocol sip");
	if (!lws_hdr_total_length(c->wsi, WSI_TOKEN_ORIGIN))
		return 0; /* no browser */
	if (td_web_origin_ok(w->cfg, origin, host, td_web_address(w, c->listener->index), c->listener->secure))
		return 0;
	td_log(w->log, TD_LOG_INFO, "web refused", TD_KZ("why", "a page of this origin may not connect"), TD_KS("origin", origin),
	       TD_KS("host", host), TD_KZ("next", "web: origins lists those that may"));
	return refuse(c, HTTP_STATUS_FORBIDDEN, "this origin may not connect");
}

/* ---- what the library tells ---- */

/* What comes when it has ended is read and dropped until the peer has answered the closing frame, or WEB_CLOSE_S have passed: a socket closed
 * with bytes unread resets the connection, and the peer would never see why. */
static int received(struct web_conn *c, struct lws *wsi, void *in, size_t n)
{
	if (c->tp)
		td_tp_adopted_data(c->tp, td_str_n(in, n), lws_remaining_packet_payload(wsi), lws_is_final_fragment(wsi));
	return 0;
}

/* Text if it can be; else the whole message is binary (RFC 7118 §4.2). */
static enum lws_write_protocol kind_of(const struct td_buf *b)
{
	return web_is_utf8(td_buf_str(b)) ? LWS_WRITE_TEXT : LWS_WRITE_BINARY;
}

/* A frame's head goes before the message, into room of the caller's; a buffer may be on its way to others as well. */
static bool frame(struct td_web *w, const struct td_buf *b)
{
	size_t need = LWS_PRE + (size_t)b->len;

	if (need > w->frame_size) {
		uint8_t *p = realloc(w->frame, need);

		if (!p)
			return false;
		w->frame = p;
		w->frame_size = need;
	}
	memcpy(w->frame + LWS_PRE, b->data, b->len);
	return true;
}

/*
 * The closing frame, once; the peer's answer ends the connection, or time. To have it sent the library is told to kill the connection,
 * which it does politely where it was given a reason. (Where a callback asks by its return value, it loses the frame.)
 */
static int say_goodbye(struct web_conn *c, struct lws *wsi)
{
	c->said_goodbye = true;
	lws_close_reason(wsi, c->close_code, NULL, 0);
	lws_set_timeout(wsi, PENDING_TIMEOUT_CLOSE_SEND, LWS_TO_KILL_SYNC);
	return 0;
}

static int write_queue(struct web_conn *c, struct lws *wsi)
{
	struct td_web *w = c->listener->web;

	for (unsigned i = 0; i < WEB_WRITES && c->first && !lws_send_pipe_choked(wsi); i++) {
		struct web_queued *q = c->first;
		bool ok =
			frame(w, q->buf) && lws_write(wsi, w->frame + LWS_PRE, q->buf->len, kind_of(q->buf)) >= (int)q->buf->len;

		c->first = q->next;
		if (!c->first)
			c->last = &c->first;
		c->queued -= q->buf->len;
		td_buf_unref(q->buf);
		free(q);
		if (!ok)
			return -1;
	}
	if (!c->first && c->close_code && !c->said_goodbye && !lws_send_pipe_choked(wsi))
		return say_goodbye(c, wsi);
	if (c->first || (c->close_code && !c->said_goodbye))
		lws_callback_on_writable(wsi);
	return 0;
}

static void forgotten(struct web_conn *c)
{
	c->wsi = NULL;
	if (c->tp)
		td_tp_adopted_lost(c->tp, TD_ECLOSED);
	c->tp = NULL;
	let_go(c);
}

int web_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t n)
{
	struct web_conn *c = lws_get_opaque_user_data(wsi);

	if (reason == LWS_CALLBACK_WSI_CREATE) {
		struct td_web *w = lws_context_user(lws_get_context(wsi));

		if (w->adopting)
			w->adopting->wsi = wsi;
		return 0;
	}
	if (reason == LWS_CALLBACK_OPENSSL_LOAD_EXTRA_SERVER_VERIFY_CERTS)
		return web_tls_setup(lws_context_user(lws_get_context(wsi)), user);
	if (!c)
		return 0;
	switch (reason) {
	case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE: return strcasecmp(in, "websocket") ? -1 : 0; /* no HTTP/2 */
	case LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION: return handshake(c);
	case LWS_CALLBACK_HTTP: return refuse(c, HTTP_STATUS_NOT_FOUND, "here is SIP over WebSocket, nothing else");
	case LWS_CALLBACK_ESTABLISHED: c->open = true; return c->tp ? 0 : -1;
	case LWS_CALLBACK_RECEIVE: return received(c, wsi, in, n);
	case LWS_CALLBACK_RECEIVE_PONG:
		if (c->tp)
			td_tp_adopted_alive(c->tp);
		return 0;
	case LWS_CALLBACK_SERVER_WRITEABLE: return write_queue(c, wsi);
	case LWS_CALLBACK_CLOSED: c->open = false; return 0;
	case LWS_CALLBACK_WSI_DESTROY: forgotten(c); return 0;
	default: return 0;
	}
}
