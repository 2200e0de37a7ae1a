/*
 * The codecs. One more is one more row: name and clock as in a=rtpmap, the payload type we offer it with, and the two
 * functions. Order is preference.
 */
#include "internal.h"

static int ulaw_encode(uint8_t *out, size_t cap, const int16_t *pcm, size_t samples)
{
	size_t i;

	if (samples > cap)
		return TD_ELIMIT;
	for (i = 0; i < samples; i++)
		out[i] = td_ulaw_encode(pcm[i]);
	return (int)samples;
}

static int alaw_encode(uint8_t *out, size_t cap, const int16_t *pcm, size_t samples)
{
	size_t i;

	if (samples > cap)
		return TD_ELIMIT;
	for (i = 0; i < samples; i++)
		out[i] = td_alaw_encode(pcm[i]);
	return (int)samples;
}

static int table_decode(int16_t *out, size_t cap, struct td_str payload, const int16_t table[256])
{
	size_t i;

	if (payload.n > cap)
		return TD_ELIMIT;
	for (i = 0; i < payload.n; i++)
		out[i] = table[(uint8_t)payload.p[i]];
	return (int)payload.n;
}

static int ulaw_decode(int16_t *out, size_t cap, struct td_str payload)
{
	return table_decode(out, cap, payload, td_ulaw_decode);
}

static int alaw_decode(int16_t *out, size_t cap, struct td_str payload)
{
	return table_decode(out, cap, payload, td_alaw_decode);
}

static const struct td_codec codecs[] = {
	{ TD_STR_INIT("PCMU"), 8000, 1, 0, ulaw_encode, ulaw_decode },
	{ TD_STR_INIT("PCMA"), 8000, 1, 8, alaw_encode, alaw_decode },
};

const struct td_codec *td_codecs(size_t *n)
{
	*n = TD_ARRAY_LEN(codecs);
	return codecs;
}

const struct td_codec *td_codec_find(struct td_str name)
{
	size_t i;

	for (i = 0; i < TD_ARRAY_LEN(codecs); i++)
		if (td_str_ieq(codecs[i].name, name))
			return &codecs[i];
	return NULL;
}

size_t td_codec_list(struct td_sdp_codec out[TD_SDP_MAX_AGREED], struct td_str only)
{
	size_t i, n = 0;

	for (i = 0; i < TD_ARRAY_LEN(codecs) && n < TD_SDP_MAX_AGREED - 1; i++) {
		const struct td_codec *c = &codecs[i];

		if (!only.n || td_str_ieq(c->name, only))
			out[n++] = (struct td_sdp_codec){
				.pt = c->pt, .channels = c->channels, .clock_hz = c->clock_hz, .name = c->name
			};
	}
	if (n) /* keys: events 0 to 15, RFC 4733 §3.2 */
		out[n++] = (struct td_sdp_codec){
			.pt = 101, .channels = 1, .clock_hz = 8000, .name = TD_STR("telephone-event"), .fmtp = TD_STR("0-15")
		};
	return n;
}
