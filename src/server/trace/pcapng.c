/*
 * pcapng (draft-ietf-opsawg-pcapng): a section header, one interface of raw IP packets with times in microseconds, and an enhanced packet
 * block for each message. The IP and UDP headers are made up: what came encrypted is shown as it was inside, and no analyser would
 * find SIP in it otherwise. By what it really came says the packet's comment.
 */
#include "internal.h"

enum {
	SECTION = 0x0a0d0d0a,
	INTERFACE = 1,
	PACKET = 6,
	RAW_IP = 101, /* LINKTYPE_RAW */
	OPT_END = 0,
	OPT_COMMENT = 1,
	OPT_TSRESOL = 9,
	COMMENT_MAX = 512,
};

static void put16(struct td_out *o, uint16_t v)
{
	td_out_str(o, td_str_n((const char *)&v, sizeof(v)));
}

static void put32(struct td_out *o, uint32_t v)
{
	td_out_str(o, td_str_n((const char *)&v, sizeof(v)));
}

static void put16_net(struct td_out *o, unsigned v)
{
	td_out_char(o, (char)(v >> 8));
	td_out_char(o, (char)v);
}

static void pad(struct td_out *o, size_t n)
{
	for (; n % 4; n++)
		td_out_char(o, '\0');
}

static void put_option(struct td_out *o, uint16_t code, struct td_str value)
{
	put16(o, code);
	put16(o, (uint16_t)value.n);
	td_out_str(o, value);
	pad(o, value.n);
}

void td_pcapng_head(struct td_out *o)
{
	put32(o, SECTION);
	put32(o, 28);
	put32(o, 0x1a2b3c4d); /* tells the order of bytes, ours */
	put16(o, 1);
	put16(o, 0);
	put32(o, UINT32_MAX); /* the section's length is not known */
	put32(o, UINT32_MAX);
	put32(o, 28);

	put32(o, INTERFACE);
	put32(o, 32);
	put16(o, RAW_IP);
	put16(o, 0);
	put32(o, 0); /* packets are not cut */
	put_option(o, OPT_TSRESOL, TD_STR("\x06"));
	put_option(o, OPT_END, TD_STR_NULL);
	put32(o, 32);
}

/* ---- packets ---- */

static uint32_t sum_of(uint32_t sum, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sum += i & 1 ? p[i] : (uint32_t)p[i] << 8;
	return sum;
}

static unsigned folded(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum & 0xffff;
}

static void put_v4(struct td_out *o, const struct td_addr *from, const struct td_addr *to, size_t udp_n)
{
	size_t at = o->n;
	unsigned sum;

	td_out_str(o, TD_STR("\x45\x00"));
	put16_net(o, (unsigned)(20 + udp_n));
	td_out_str(o, TD_STR("\x00\x00\x40\x00\x40\x11\x00\x00")); /* not in fragments, TTL 64, UDP */
	td_out_str(o, td_str_n((const char *)from->ip, 4));
	td_out_str(o, td_str_n((const char *)to->ip, 4));
	if (o->failed)
		return;
	sum = folded(sum_of(0, (const uint8_t *)o->p + at, 20));
	o->p[at + 10] = (char)(sum >> 8);
	o->p[at + 11] = (char)sum;
}

static void put_v6(struct td_out *o, const struct td_addr *from, const struct td_addr *to, size_t udp_n)
{
	td_out_str(o, TD_STR("\x60\x00\x00\x00"));
	put16_net(o, (unsigned)udp_n);
	td_out_str(o, TD_STR("\x11\x40"));
	td_out_str(o, td_str_n((const char *)from->ip, 16));
	td_out_str(o, td_str_n((const char *)to->ip, 16));
}

/* Over IPv6 a UDP datagram has to have a checksum (RFC 8200 §8.1). */
static void put_udp(struct td_out *o, const struct td_addr *from, const struct td_addr *to, struct td_str payload)
{
	size_t ip_n = from->family == TD_AF_V6 ? 16 : 4, n = 8 + payload.n;
	uint32_t sum = sum_of(0, from->ip, ip_n);
	unsigned check;

	sum = sum_of(sum, to->ip, ip_n) + 17 + (uint32_t)n + (uint32_t)n + from->port + to->port;
	sum = sum_of(sum, (const uint8_t *)payload.p, payload.n);
	check = folded(sum);
	put16_net(o, from->port);
	put16_net(o, to->port);
	put16_net(o, (unsigned)n);
	put16_net(o, check ? check : 0xffff);
	td_out_str(o, payload);
}

void td_pcapng_packet(struct td_out *o, uint64_t wall_us, const struct td_addr *from, const struct td_addr *to,
		      struct td_str payload, struct td_str comment)
{
	bool v6 = from->family == TD_AF_V6;
	size_t n, options, total;

	if (payload.n > TD_TRACE_MESSAGE_MAX)
		payload.n = TD_TRACE_MESSAGE_MAX;
	if (comment.n > COMMENT_MAX)
		comment.n = COMMENT_MAX;
	n = (v6 ? 40 : 20) + 8 + payload.n;
	options = comment.n ? 4 + (comment.n + 3) / 4 * 4 + 4 : 0;
	total = 32 + (n + 3) / 4 * 4 + options;
	put32(o, PACKET);
	put32(o, (uint32_t)total);
	put32(o, 0); /* the interface */
	put32(o, (uint32_t)(wall_us >> 32));
	put32(o, (uint32_t)wall_us);
	put32(o, (uint32_t)n);
	put32(o, (uint32_t)n);
	if (v6)
		put_v6(o, from, to, 8 + payload.n);
	else
		put_v4(o, from, to, 8 + payload.n);
	put_udp(o, from, to, payload);
	pad(o, n);
	if (comment.n) {
		put_option(o, OPT_COMMENT, comment);
		put_option(o, OPT_END, TD_STR_NULL);
	}
	put32(o, (uint32_t)total);
}
