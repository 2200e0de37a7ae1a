/*
 * RTCP (RFC 3550 §6). A datagram is first checked as a whole (appendix A.2); after that its packets can be taken off one by
 * one without looking at lengths again, and only what lies inside a packet is checked by whoever reads it.
 */
#include "internal.h"

enum { WORD = 4, BLOCK = 24, SENDER = 20 };

static const uint8_t *at(struct td_str s, size_t i)
{
	return (const uint8_t *)s.p + i;
}

int td_rtcp_check(struct td_str bytes)
{
	unsigned packets = 0;
	size_t n;

	if (bytes.n < 2 * WORD || bytes.n % WORD || (*at(bytes, 1) != TD_RTCP_SR && *at(bytes, 1) != TD_RTCP_RR))
		return TD_ESYNTAX;
	while (bytes.n) {
		if (bytes.n < WORD || *at(bytes, 0) >> 6 != 2)
			return TD_ESYNTAX;
		if (++packets > TD_RTCP_MAX_PACKETS)
			return TD_ELIMIT;
		n = WORD * (get16(at(bytes, 2)) + (size_t)1);
		if (n > bytes.n)
			return TD_ESYNTAX;
		if (*at(bytes, 0) & 0x20) {
			uint8_t pad = *at(bytes, n - 1);

			/* Only the last may be padded, by whole words (§6.4.1). */
			if (n != bytes.n || n == WORD || !pad || pad % WORD || pad > n - WORD)
				return TD_ESYNTAX;
		}
		bytes = td_str_n(bytes.p + n, bytes.n - n);
	}
	return 0;
}

bool td_rtcp_next(struct td_rtcp *out, struct td_str *rest)
{
	size_t n;

	if (rest->n < WORD)
		return false;
	n = WORD * (get16(at(*rest, 2)) + (size_t)1);
	if (n > rest->n)
		return false;
	out->type = *at(*rest, 1);
	out->count = *at(*rest, 0) & 31;
	out->body = td_str_n(rest->p + WORD, n - WORD);
	if (*at(*rest, 0) & 0x20 && out->body.n && *at(*rest, n - 1) <= out->body.n)
		out->body.n -= *at(*rest, n - 1);
	*rest = td_str_n(rest->p + n, rest->n - n);
	return true;
}

/* ---- reports ---- */

static size_t blocks_at(const struct td_rtcp *p)
{
	return WORD + (p->type == TD_RTCP_SR ? SENDER : 0);
}

int td_rtcp_report(uint32_t *ssrc, struct td_rtcp_sender *sender, const struct td_rtcp *p)
{
	if ((p->type != TD_RTCP_SR && p->type != TD_RTCP_RR) || p->body.n < blocks_at(p) + (size_t)p->count * BLOCK)
		return TD_ESYNTAX;
	*ssrc = get32(at(p->body, 0));
	if (p->type == TD_RTCP_SR)
		*sender = (struct td_rtcp_sender){
			.ntp = (uint64_t)get32(at(p->body, 4)) << 32 | get32(at(p->body, 8)),
			.ts = get32(at(p->body, 12)),
			.packets = get32(at(p->body, 16)),
			.octets = get32(at(p->body, 20)),
		};
	return 0;
}

int td_rtcp_block(struct td_rtcp_block *out, const struct td_rtcp *p, unsigned i)
{
	size_t from = blocks_at(p) + (size_t)i * BLOCK;
	const uint8_t *b;

	if (i >= p->count || (p->type != TD_RTCP_SR && p->type != TD_RTCP_RR) || p->body.n < from + BLOCK)
		return TD_ENOTFOUND;
	b = at(p->body, from);
	*out = (struct td_rtcp_block){
		.ssrc = get32(b),
		.fraction = b[4],
		.lost = (int32_t)(get32(b + 4) << 8) >> 8,
		.ext_max = get32(b + 8),
		.jitter = get32(b + 12),
		.lsr = get32(b + 16),
		.dlsr = get32(b + 20),
	};
	return 0;
}

/* Chunks begin on a word: SSRC, then items of type, length, text, ended by a zero type (§6.5). */
int td_rtcp_cname(struct td_str *out, const struct td_rtcp *p)
{
	struct td_str b = p->body;
	size_t i = 0, n;
	unsigned chunk;

	if (p->type != TD_RTCP_SDES)
		return TD_ENOTFOUND;
	for (chunk = 0; chunk < p->count; chunk++) {
		if (b.n - i < WORD)
			return TD_ESYNTAX;
		i += WORD;
		while (i < b.n && *at(b, i)) {
			if (b.n - i < 2 || b.n - i - 2 < *at(b, i + 1))
				return TD_ESYNTAX;
			n = *at(b, i + 1);
			if (*at(b, i) == 1) {
				*out = td_str_n(b.p + i + 2, n);
				return 0;
			}
			i += 2 + n;
		}
		if (i >= b.n)
			return TD_ESYNTAX;
		i = (i / WORD + 1) * WORD;
	}
	return TD_ENOTFOUND;
}

bool td_rtcp_bye_names(const struct td_rtcp *p, uint32_t ssrc)
{
	unsigned i;

	if (p->type != TD_RTCP_BYE || p->body.n < (size_t)p->count * WORD)
		return false;
	for (i = 0; i < p->count; i++)
		if (get32(at(p->body, i * (size_t)WORD)) == ssrc)
			return true;
	return false;
}

/* ---- writing ---- */

static uint8_t *packet(struct td_out *o, uint8_t type, unsigned count, size_t body)
{
	uint8_t *p = (uint8_t *)td_out_room(o, WORD + body);

	if (!p)
		return NULL;
	p[0] = (uint8_t)(0x80 | count);
	p[1] = type;
	put16(p + 2, (uint16_t)(body / WORD));
	return p + WORD;
}

static void print_report(struct td_out *o, uint32_t ssrc, const struct td_rtcp_sender *sender, const struct td_rtcp_block *block)
{
	uint8_t *p =
		packet(o, sender ? TD_RTCP_SR : TD_RTCP_RR, block ? 1 : 0, WORD + (sender ? SENDER : 0) + (block ? BLOCK : 0));

	if (!p)
		return;
	put32(p, ssrc);
	p += WORD;
	if (sender) {
		put32(p, (uint32_t)(sender->ntp >> 32));
		put32(p + 4, (uint32_t)sender->ntp);
		put32(p + 8, sender->ts);
		put32(p + 12, sender->packets);
		put32(p + 16, sender->octets);
		p += SENDER;
	}
	if (block) {
		put32(p, block->ssrc);
		put32(p + 4, (uint32_t)block->fraction << 24 | ((uint32_t)block->lost & 0xffffff));
		put32(p + 8, block->ext_max);
		put32(p + 12, block->jitter);
		put32(p + 16, block->lsr);
		put32(p + 20, block->dlsr);
	}
}

void td_rtcp_print(struct td_out *o, uint32_t ssrc, const struct td_rtcp_sender *sender, const struct td_rtcp_block *block,
		   struct td_str cname, bool bye)
{
	size_t n = cname.n < TD_RTCP_MAX_CNAME ? cname.n : TD_RTCP_MAX_CNAME, body;
	uint8_t *p;

	print_report(o, ssrc, sender, block);
	body = (WORD + 2 + n + WORD) / WORD * WORD; /* at least one zero ends the items */
	p = packet(o, TD_RTCP_SDES, 1, body);
	if (p) {
		memset(p, 0, body);
		put32(p, ssrc);
		p[4] = 1;
		p[5] = (uint8_t)n;
		if (n)
			memcpy(p + 6, cname.p, n);
	}
	p = bye ? packet(o, TD_RTCP_BYE, 1, WORD) : NULL;
	if (p)
		put32(p, ssrc);
}

/* ---- timing ---- */

/* Appendix A.7 in integers: senders share a quarter of the bandwidth when they are few; at least five seconds, half of that
 * before the first report; spread over 0.5 to 1.5 and corrected for the timer reconsideration (e - 3/2). */
uint32_t td_rtcp_interval_ms(struct td_rng *rng, unsigned members, unsigned senders, bool we_sent, uint32_t bytes_per_s,
			     uint32_t average_bytes, bool first)
{
	uint64_t min_ms = first ? 2500 : 5000, bw_thousandths = (uint64_t)bytes_per_s * 1000, n = members, ms;

	if (senders <= members / 4) {
		bw_thousandths = we_sent ? bw_thousandths / 4 : bw_thousandths * 3 / 4;
		n = we_sent ? senders : members - senders;
	}
	ms = bw_thousandths ? (uint64_t)average_bytes * n * 1000000 / bw_thousandths : 0;
	if (ms < min_ms)
		ms = min_ms;
	if (ms > 3600000)
		ms = 3600000;
	ms = ms / 2 + td_rng_below(rng, ms + 1);
	return (uint32_t)(ms * 100000 / 121828);
}

uint32_t td_rtcp_round_trip_us(const struct td_rtcp_block *b, uint32_t now_mid)
{
	uint32_t rtt = now_mid - b->lsr - b->dlsr; /* in 1/65536 s */

	/* Clocks that run apart give small negative values; nonsense gives huge ones. */
	if (!b->lsr || rtt > 60u << 16)
		return 0;
	return (uint32_t)((uint64_t)rtt * 1000000 >> 16);
}
