/*
 * Datagrams: one message each (RFC 3261 §18.3). What cannot be SIP is dropped before anything is allocated or asked
 * (P10, T9): scanners and stray STUN, RTP or DNS packets cost a few instructions and a counter, and no log line.
 */
#include "internal.h"

enum { SHORTEST = 16 }; /* well below any message with its six mandatory header fields */

static bool only_crlf(struct td_str bytes)
{
	size_t i;

	for (i = 0; i < bytes.n; i++)
		if (bytes.p[i] != '\r' && bytes.p[i] != '\n' && bytes.p[i] != '\0')
			return false;
	return true;
}

/*
 * A message is handed up while the next one of its batch stands parsed behind it. What its owner will look for lies far away in
 * tables larger than any cache; it is fetched (td_tp_events.coming) in the time the message before takes.
 */
static void deliver_held(struct td_tp *tp)
{
	struct td_msg *msg = tp->held;
	struct td_flow from = tp->held_from;

	tp->held = NULL;
	if (msg)
		tp_deliver(tp, msg, &from);
}

/* Of a listener on every address, the one last written into a message stands for all: nobody is to be asked for each datagram. */
static inline bool is_own(const struct tp_listener *ln, const struct td_addr *from)
{
	return from->port == ln->addr.port && (td_ip_eq(from, &ln->addr) || td_ip_eq(from, &ln->written));
}

void tp_udp_received(struct td_udp *udp, struct td_buf *buf, const struct td_addr *from, void *arg)
{
	struct tp_listener *ln = arg;
	struct td_tp *tp = ln->tp;
	struct td_str bytes = td_buf_str(buf);
	struct td_flow flow = { .peer = *from, .proto = TD_UDP, .listener = ln->index };
	struct td_msg *msg;

	/* T9: an answer to such a source would go nowhere, to many, or to ourselves. */
	if (from->port == 0 || td_ip_is_any(from) || td_ip_is_multicast(from) || is_own(ln, from)) {
		tp->stats.dropped_junk++;
		return;
	}
	if (bytes.n < SHORTEST || !tp_starts_like_sip(bytes.p[0]) || bytes.n > tp->limits.max_message) {
		/* Phones keep NAT bindings open with CR LF or zeros, which nobody answers, or by STUN (RFC 5626 §4.4.2). */
		if (bytes.n && bytes.n <= 8 && only_crlf(bytes))
			tp->stats.keepalives++;
		else if (bytes.n < SHORTEST || bytes.p[0] != 0 || !tp_stun_received(ln, bytes, &flow))
			tp->stats.dropped_junk++;
		return;
	}
	if (!tp_admit(tp, &flow, bytes) || tp_parse(&msg, tp, buf, 0, bytes.n, &flow))
		return;
	if (tp->events->coming)
		tp->events->coming(tp->arg, msg);
	deliver_held(tp);
	tp->held = msg;
	tp->held_from = flow;
}

void tp_udp_refused(struct td_udp *udp, const struct td_addr *to, int err, void *arg)
{
	struct tp_listener *ln = arg;

	ln->tp->events->refused(ln->tp->arg, to, err);
}

void tp_udp_paused(struct td_udp *udp, void *arg)
{
	struct tp_listener *ln = arg;

	deliver_held(ln->tp);
}
