#include <tandem/media.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A packet that parses prints to one that parses to the same; a telephone-event and a codec may read its payload. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct td_dtmf_receiver rx = { 0 };
	struct td_rtp_source src;
	const struct td_codec *codecs;
	struct td_rtp r, again;
	int16_t pcm[2048];
	struct td_dtmf e;
	struct td_out o;
	size_t i, n;

	if (td_rtp_parse(&r, td_str_n((const char *)data, size)))
		return 0;
	td_out_init(&o);
	td_rtp_print(&o, &r);
	if (!o.failed && (td_rtp_parse(&again, td_out_view(&o)) || again.seq != r.seq || again.ts != r.ts ||
			  again.n_csrc != r.n_csrc || !td_str_eq(again.ext, r.ext) || !td_str_eq(again.payload, r.payload)))
		__builtin_trap();
	td_out_free(&o);
	codecs = td_codecs(&n);
	for (i = 0; i < n; i++)
		if (codecs[i].decode(pcm, TD_ARRAY_LEN(pcm), r.payload) > (int)TD_ARRAY_LEN(pcm))
			__builtin_trap();
	if (!td_dtmf_parse(&e, r.payload)) {
		td_dtmf_receive(&rx, r.ts, &e);
		if (td_dtmf_receive(&rx, r.ts, &e))
			__builtin_trap();
	}
	/* The payload as a series of sequence numbers. */
	td_rtp_source_init(&src, r.ssrc, r.seq, 2);
	for (i = 0; i + 1 < r.payload.n; i += 2) {
		td_rtp_source_seq(&src, (uint16_t)((uint8_t)r.payload.p[i] << 8 | (uint8_t)r.payload.p[i + 1]));
		td_rtp_source_jitter(&src, (uint32_t)(uint8_t)r.payload.p[i] << 24, (uint32_t)i);
		td_rtp_source_fraction(&src);
	}
	if (td_rtp_source_lost(&src) > 0x7fffff || td_rtp_source_lost(&src) < -0x800000)
		__builtin_trap();
	return 0;
}
