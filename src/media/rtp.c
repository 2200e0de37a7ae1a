/* RTP packets (RFC 3550 §5.1, §5.3.1): reading with every length checked, writing, and the numbers a sender starts from. */
#include "internal.h"

int td_rtp_parse(struct td_rtp *out, struct td_str bytes)
{
	const uint8_t *b = (const uint8_t *)bytes.p;
	struct td_rtp r = { 0 };
	size_t at = TD_RTP_HEADER, end = bytes.n, i;

	if (bytes.n < TD_RTP_HEADER || b[0] >> 6 != 2)
		return TD_ESYNTAX;
	r.n_csrc = b[0] & 15;
	r.marker = b[1] >> 7;
	r.pt = b[1] & 0x7f;
	r.seq = get16(b + 2);
	r.ts = get32(b + 4);
	r.ssrc = get32(b + 8);
	if (end - at < 4u * r.n_csrc)
		return TD_ESYNTAX;
	for (i = 0; i < r.n_csrc; i++, at += 4)
		r.csrc[i] = get32(b + at);
	if (b[0] & 0x10) {
		size_t n;

		if (end - at < 4)
			return TD_ESYNTAX;
		r.has_ext = true;
		r.ext_profile = get16(b + at);
		n = 4u * get16(b + at + 2);
		at += 4;
		if (end - at < n)
			return TD_ESYNTAX;
		r.ext = td_str_n(bytes.p + at, n);
		at += n;
	}
	if (b[0] & 0x20) { /* the last byte counts the padding, itself included */
		if (at == end || b[end - 1] == 0 || b[end - 1] > end - at)
			return TD_ESYNTAX;
		end -= b[end - 1];
	}
	r.payload = td_str_n(bytes.p + at, end - at);
	*out = r;
	return 0;
}

void td_rtp_print(struct td_out *o, const struct td_rtp *p)
{
	uint8_t *h = (uint8_t *)td_out_room(o, TD_RTP_HEADER + 4u * p->n_csrc + (p->has_ext ? 4 : 0));
	size_t i;

	assert(p->n_csrc <= TD_RTP_MAX_CSRC && p->pt < 128 && p->ext.n % 4 == 0 && p->ext.n / 4 <= UINT16_MAX);
	if (!h)
		return;
	h[0] = (uint8_t)(0x80 | (p->has_ext ? 0x10 : 0) | p->n_csrc);
	h[1] = (uint8_t)((p->marker ? 0x80 : 0) | p->pt);
	put16(h + 2, p->seq);
	put32(h + 4, p->ts);
	put32(h + 8, p->ssrc);
	h += TD_RTP_HEADER;
	for (i = 0; i < p->n_csrc; i++, h += 4)
		put32(h, p->csrc[i]);
	if (p->has_ext) {
		put16(h, p->ext_profile);
		put16(h + 2, (uint16_t)(p->ext.n / 4));
		td_out_str(o, p->ext);
	}
	td_out_str(o, p->payload);
}

void td_rtp_sender_init(struct td_rtp_sender *s, struct td_rng *rng)
{
	*s = (struct td_rtp_sender){ .ssrc = (uint32_t)td_rng_u64(rng),
				     .ts = (uint32_t)td_rng_u64(rng),
				     .seq = (uint16_t)td_rng_u64(rng) };
}
