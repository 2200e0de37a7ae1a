/*
 * The keep-alive of datagrams (RFC 5626 §8): phones ask by STUN from time to time, on the port they speak SIP with, which address they
 * are seen at. That holds their NAT's door open, and tells them when it moved. Of STUN (RFC 5389) this is the Binding request and its
 * answer, without authentication, and nothing is remembered of it.
 *
 * An answer is up to 24 bytes longer than the shortest request, which is what RFC 5626 asks for (XOR-MAPPED-ADDRESS); no more, and whoever
 * owns the transport says how often (td_tp_events.may_answer), since a source can be forged (N3).
 */
#include "internal.h"

enum {
	HEADER = 20,
	COOKIE = 0x2112a442,
	BINDING = 0x0001,
	BINDING_OK = 0x0101,
	BINDING_ERROR = 0x0111,
	USERNAME = 0x0006,
	MESSAGE_INTEGRITY = 0x0008,
	ERROR_CODE = 0x0009,
	UNKNOWN_ATTRIBUTES = 0x000a,
	XOR_MAPPED_ADDRESS = 0x0020,
	OPTIONAL = 0x8000, /* attributes from here on may be passed over */
	MAX_UNKNOWN = 4,
};

static uint8_t *put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
	return p + 2;
}

static unsigned get16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

/* A Binding request and nothing behind it (RFC 5389 §6): "a multiple of 4 bytes", the two leading bits zero. */
static bool is_request(const uint8_t *p, size_t n)
{
	return n >= HEADER && get16(p) == BINDING && get16(p + 2) == n - HEADER && n % 4 == 0 && get32(p + 4) == COOKIE;
}

/* Attributes that must be understood and are not (§15, §7.3.1). Those of authentication are: nobody is asked for it here. -1: broken. */
static int unknown_in(uint16_t unknown[MAX_UNKNOWN], const uint8_t *p, size_t n)
{
	int count = 0;

	for (size_t at = HEADER; at < n;) { /* what is left is a multiple of 4 */
		unsigned type = get16(p + at);
		size_t length = get16(p + at + 2), padded = (length + 3) & ~(size_t)3;

		if (padded > n - at - 4)
			return -1; /* N1 */
		if (type < OPTIONAL && type != USERNAME && type != MESSAGE_INTEGRITY && count < MAX_UNKNOWN)
			unknown[count++] = (uint16_t)type;
		at += 4 + padded;
	}
	return count;
}

/* §15.2: the port and the address under the cookie and, for IPv6, the transaction id, which stand side by side in the header. */
static uint8_t *put_address(uint8_t *p, const uint8_t *request, const struct td_addr *from)
{
	size_t ip = from->family == TD_AF_V4 ? 4 : 16;

	p = put16(put16(p, XOR_MAPPED_ADDRESS), (unsigned)(4 + ip));
	p = put16(p, from->family == TD_AF_V4 ? 1 : 2);
	p = put16(p, from->port ^ COOKIE >> 16);
	for (size_t i = 0; i < ip; i++)
		*p++ = from->ip[i] ^ request[4 + i];
	return p;
}

/* 420 (Unknown Attribute), with them; the last is repeated where their number is odd (RFC 3489 §11.2.9, for old clients' sake). */
static uint8_t *put_unknown(uint8_t *p, const uint16_t *unknown, int n)
{
	p = put16(put16(p, ERROR_CODE), 4);
	p = put16(put16(p, 0), 4 << 8 | 20);
	p = put16(put16(p, UNKNOWN_ATTRIBUTES), (unsigned)n * 2);
	for (int i = 0; i < n + n % 2; i++)
		p = put16(p, unknown[i < n ? i : n - 1]);
	return p;
}

size_t tp_stun_answer(uint8_t out[TP_STUN_MAX], struct td_str in, const struct td_addr *from)
{
	const uint8_t *request = (const uint8_t *)in.p;
	uint16_t unknown[MAX_UNKNOWN];
	uint8_t *p = out + HEADER;
	int n;

	if (!is_request(request, in.n) || (n = unknown_in(unknown, request, in.n)) < 0)
		return 0;
	p = n ? put_unknown(p, unknown, n) : put_address(p, request, from);
	put16(put16(out, n ? BINDING_ERROR : BINDING_OK), (unsigned)(p - out - HEADER));
	memcpy(out + 4, request + 4, HEADER - 4);
	return (size_t)(p - out);
}

bool tp_stun_received(struct tp_listener *ln, struct td_str bytes, const struct td_flow *from)
{
	struct td_tp *tp = ln->tp;
	uint8_t answer[TP_STUN_MAX];
	size_t n = tp_stun_answer(answer, bytes, &from->peer);
	struct td_buf *b;

	if (!n || !tp->events->may_answer)
		return false;
	tp->stats.keepalives++;
	if (!tp->events->may_answer(tp->arg, from))
		return true;
	b = td_buf_copy(td_str_n((const char *)answer, n));
	if (b)
		td_udp_send(ln->udp, &from->peer, b); /* lost like any datagram when it does not go out */
	td_buf_unref(b);
	return true;
}
