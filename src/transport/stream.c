/*
 * Messages out of a stream: cut by Content-Length (RFC 3261 §18.3), wherever the network split it (T2). What a read brought
 * is copied once into a counted buffer and the messages in it are views; only a message that is not whole yet stays behind,
 * in a buffer that grows with what has really come, never by what a header declares (P1).
 *
 * Between messages CR LF is ignored (§7.5), and two of them are a ping, answered with one (RFC 5626 §4.4.1) where we are
 * the side that was connected to: otherwise two pongs would look like a ping.
 *
 * A stream that lost its framing cannot find back. The request at fault is answered if its header can be read, then the
 * connection is closed (P1, P7).
 */
#include "internal.h"

#include <errno.h>

static const char crlfcrlf[] = "\r\n\r\n";

int tp_conn_pong(struct tp_conn *c)
{
	struct td_buf *b = td_buf_copy(TD_STR("\r\n"));
	int err = b ? tp_conn_send(c, b) : -ENOMEM;

	td_buf_unref(b);
	c->tp->stats.keepalives++;
	return err;
}

/* Skips CR LF before a start line; returns how many bytes that were. */
static size_t skip_crlf(struct tp_conn *c, struct td_str s)
{
	size_t i;

	for (i = 0; i < s.n && s.p[i] == crlfcrlf[c->crlf]; i++) {
		if (++c->crlf < 4)
			continue;
		c->crlf = 0;
		if (c->trusted)
			c->active_ms = td_loop_now_ms(c->tp->loop);
		if (c->source)
			tp_conn_pong(c);
		if (c->gone)
			return s.n;
	}
	return i;
}

static void answer(struct tp_conn *c, const struct td_msg *m, unsigned status, const char *why)
{
	char tag[16];
	struct td_out o;
	struct td_buf *b;

	td_rng_token(td_loop_rng(c->tp->loop), tag, sizeof(tag));
	td_out_init(&o);
	td_put_response_head(&o, m, status, td_str_of(why), td_str_n(tag, sizeof(tag)), false);
	td_put_body(&o, TD_STR_NULL, TD_STR_NULL);
	b = td_out_buf(&o);
	if (b)
		tp_conn_send(c, b);
	td_buf_unref(b);
}

/*
 * Length of the header part, or 0: framing gives up at its end, or before without an answer. One that ends beyond the limit
 * has none either: whether it was here already must not decide whether there is an answer (T2).
 */
static size_t header_length(const struct tp_conn *c, struct td_str s)
{
	const char *end = memmem(s.p, s.n < c->tp->limits.max_message ? s.n : c->tp->limits.max_message, "\n\r\n", 3);

	return end ? (size_t)(end + 3 - s.p) : 0;
}

/* The framing is lost at `at`: answers the request there if its header is whole, and closes. */
static void refuse(struct tp_conn *c, struct td_buf *b, size_t at, int why)
{
	size_t n = header_length(c, td_str_n(b->data + at, b->len - at));
	struct td_flow flow = tp_conn_flow(c);
	struct td_msg *m;

	c->tp->stats.dropped_syntax++;
	if (n && !td_msg_parse(&m, b, at, n)) {
		if (m->request && m->method != TD_ACK && !td_tp_note_source(m, &flow)) {
			if (why == TD_ELIMIT)
				answer(c, m, 513, "Message Too Large");
			else if (m->defect.status)
				answer(c, m, m->defect.status, m->defect.why);
			else
				answer(c, m, 400, "Bad Content-Length");
		}
		td_msg_unref(m);
	}
	tp_conn_end(c, why, true);
}

/* Keeps b from `at` on until more comes. */
static void keep(struct tp_conn *c, struct td_buf *b, size_t at)
{
	if (at == 0) {
		c->part = td_buf_ref(b);
	} else {
		c->part = td_buf_copy(td_str_n(b->data + at, b->len - at));
		if (!c->part) {
			tp_conn_end(c, -ENOMEM, false);
			return;
		}
	}
	tp_conn_arm(c);
}

/* Cuts messages off b until it is used up, a message is not whole, or the connection has ended. */
static void cut(struct tp_conn *c, struct td_buf *b)
{
	size_t at = 0, n;
	struct td_msg *msg;
	int err;

	for (;;) {
		struct td_flow flow = tp_conn_flow(c);

		if (!c->scan)
			at += skip_crlf(c, td_str_n(b->data + at, b->len - at));
		if (c->gone || at == b->len)
			return;
		if (c->crlf & 1 || !tp_starts_like_sip(b->data[at])) {
			c->tp->stats.dropped_junk++;
			if (c->tp->events->junk && c->shared.accepted)
				c->tp->events->junk(c->tp->arg, &flow);
			tp_conn_end(c, TD_ESYNTAX, true); /* answers to what came before still go */
			return;
		}
		c->crlf = 0;
		err = td_msg_frame(&n, td_str_n(b->data + at, b->len - at), &c->scan);
		if (err == TD_EMORE && b->len - at > c->tp->limits.max_message)
			err = TD_ELIMIT;
		if (!err && n > c->tp->limits.max_message)
			err = TD_ELIMIT;
		if (err == TD_EMORE) {
			keep(c, b, at);
			return;
		}
		c->scan = 0;
		if (err) {
			refuse(c, b, at, err);
			return;
		}
		c->begun_ms = c->active_ms = td_loop_now_ms(c->tp->loop);
		c->tp->recent = c;
		if (tp_admit(c->tp, &flow, td_str_n(b->data + at, n)) && !tp_parse(&msg, c->tp, b, at, n, &flow)) {
			if (c->shared.flow.proto == TD_TLS)
				tp_alias_learn(c, msg);
			tp_deliver(c->tp, msg, &flow);
		}
		if (c->gone)
			return;
		at += n;
	}
}

/* The waiting part with the new bytes behind it; NULL when memory is out. The part is nobody else's. */
static struct td_buf *joined(struct td_buf *part, struct td_str in)
{
	size_t need = (size_t)part->len + in.n;
	struct td_buf *b = part;

	if (need > part->size) {
		b = td_buf_new(need > 2 * (size_t)part->size ? need : 2 * (size_t)part->size);
		if (b) {
			memcpy(b->data, part->data, part->len);
			b->len = part->len;
		}
		td_buf_unref(part);
	}
	if (b) {
		memcpy(b->data + b->len, in.p, in.n);
		b->len += (uint32_t)in.n;
	}
	return b;
}

void tp_stream_data(struct tp_conn *c, struct td_str in)
{
	struct td_buf *b;

	if (c->gone)
		return;
	if (!c->part) {
		size_t skipped = skip_crlf(c, in);

		in = td_str_n(in.p + skipped, in.n - skipped);
		if (c->gone || !in.n)
			return;
		c->begun_ms = td_loop_now_ms(c->tp->loop);
		b = td_buf_copy(in);
	} else {
		b = joined(c->part, in);
		c->part = NULL;
	}
	if (!b) {
		tp_conn_end(c, -ENOMEM, false);
		return;
	}
	cut(c, b);
	td_buf_unref(b);
}
