/*
 * Connections that another library holds. It cuts messages (a WebSocket message is one SIP message, RFC 7118 §5), so there is no
 * framing to lose here; what came of a message waits for the rest as it does for a stream (tp_conn.part), under the same deadline (T1).
 */
#include "internal.h"

#include <errno.h>

int td_tp_adopt(struct tp_conn **out, struct td_tp *tp, unsigned listener, const struct td_addr *peer,
		const struct td_tp_holder *holder, void *held)
{
	struct tp_conn *c = tp_conn_from(tp->listeners[listener], peer);

	if (!c)
		return TD_ELIMIT;
	c->holder = holder;
	c->held = held;
	*out = c;
	return 0;
}

void td_tp_adopted_lost(struct tp_conn *c, int why)
{
	c->holder = NULL;
	tp_conn_end(c, why, false);
}

void td_tp_adopted_alive(struct tp_conn *c)
{
	if (c->trusted)
		c->active_ms = td_loop_now_ms(c->tp->loop);
}

static int end(struct tp_conn *c, int why)
{
	tp_conn_end(c, why, true); /* answers to what came before still go */
	return why;
}

/* Pings as on any connection (RFC 7118 §6, RFC 5626 §3.5.1): CR LF CR LF is answered by CR LF, which itself is an answer. */
static int keepalive(struct tp_conn *c, struct td_str bytes)
{
	td_tp_adopted_alive(c);
	if (bytes.n == 4)
		tp_conn_pong(c);
	return 0;
}

static bool only_crlf(struct td_str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] != "\r\n"[i & 1])
			return false;
	return s.n <= 4;
}

static int whole(struct tp_conn *c, struct td_buf *b)
{
	struct td_flow flow = tp_conn_flow(c);
	struct td_tp *tp = c->tp;
	struct td_msg *msg;

	if (only_crlf(td_buf_str(b)))
		return keepalive(c, td_buf_str(b));
	if (!tp_starts_like_sip(b->data[0])) {
		tp->stats.dropped_junk++;
		if (tp->events->junk)
			tp->events->junk(tp->arg, &flow);
		return end(c, TD_ESYNTAX); /* "Messages other than SIP requests and responses MUST NOT be transmitted" (§4.1) */
	}
	c->active_ms = td_loop_now_ms(tp->loop);
	tp->recent = c;
	if (tp_admit(tp, &flow, td_buf_str(b)) && !tp_parse(&msg, tp, b, 0, b->len, &flow))
		tp_deliver(tp, msg, &flow);
	return 0;
}

/* The waiting part with the new bytes behind it. Room is made by what came, never by what is said to follow (P1). */
static struct td_buf *joined(struct td_buf *part, struct td_str bytes)
{
	size_t have = part ? part->len : 0, need = have + bytes.n;
	struct td_buf *b = part;

	if (!part || need > part->size) {
		b = td_buf_new(need > 2 * have ? need : 2 * have);
		if (b && have)
			memcpy(b->data, part->data, have);
		td_buf_unref(part);
	}
	if (b) {
		if (bytes.n)
			memcpy(b->data + have, bytes.p, bytes.n);
		b->len = (uint32_t)need;
	}
	return b;
}

int td_tp_adopted_data(struct tp_conn *c, struct td_str bytes, size_t more, bool last)
{
	size_t have = c->part ? c->part->len : 0, most = c->tp->limits.max_message;
	bool begins = !c->part;
	struct td_buf *b;
	int err;

	if (c->gone)
		return TD_ECLOSED;
	if (bytes.n > most || more > most || have + bytes.n + more > most) { /* before anything is kept of it (T6) */
		c->tp->stats.dropped_syntax++;
		return end(c, TD_ELIMIT);
	}
	b = joined(c->part, bytes);
	c->part = NULL;
	if (!b)
		return end(c, -ENOMEM);
	if (!last) {
		c->part = b;
		if (begins) {
			c->begun_ms = td_loop_now_ms(c->tp->loop);
			tp_conn_arm(c);
		}
		return 0;
	}
	err = b->len ? whole(c, b) : 0;
	td_buf_unref(b);
	return err;
}
