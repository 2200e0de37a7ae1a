/*
 * Making offers (RFC 3264 §5 and §8). A first offer is one audio line. A later one repeats the lines of the description we
 * sent last, since lines are numbered for ever, and keeps the payload numbers in use: a number once given to a codec must
 * not come to mean another (§8.3.2).
 */
#include "build.h"

#include <errno.h>

static bool taken(const bool used[128], const struct sdp_fmt *fmts, size_t n, unsigned pt)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (fmts[i].pt == pt)
			return true;
	return used[pt];
}

/* The number codec c has in prev's list, else its own if that is free, else a free dynamic one. */
static int pick_pt(struct sdp_fmt *out, const struct td_sdp_codec *c, const struct td_sdp_codec *prev, size_t n_prev,
		   const bool used[128], const struct sdp_fmt *fmts, size_t n_fmts)
{
	unsigned pt;
	size_t i;

	out->codec = c;
	for (i = 0; i < n_prev; i++) {
		if (td_sdp_codec_same(&prev[i], c)) {
			out->pt = prev[i].pt;
			return 0;
		}
	}
	if (c->pt < 128 && !taken(used, fmts, n_fmts, c->pt)) {
		out->pt = c->pt;
		return 0;
	}
	for (pt = 96; pt < 128; pt++) {
		if (!taken(used, fmts, n_fmts, pt)) {
			out->pt = (uint8_t)pt;
			return 0;
		}
	}
	return TD_ELIMIT;
}

static int offer_audio(struct td_sdp *sdp, struct td_arena *a, const struct td_sdp_local *l, const struct td_sdp_media *prev)
{
	struct td_sdp_codec before[TD_SDP_MAX_FORMATS];
	struct sdp_fmt fmts[TD_SDP_MAX_AGREED];
	bool used[128] = { false };
	size_t i, n_before = prev ? td_sdp_codecs(before, prev) : 0;
	int err;

	for (i = 0; i < n_before; i++)
		used[before[i].pt] = true;
	for (i = 0; i < l->n_codecs; i++) {
		err = pick_pt(&fmts[i], &l->codecs[i], before, n_before, used, fmts, i);
		if (err)
			return err;
	}
	return sdp_add_audio(sdp, a, l, prev ? prev->proto : TD_STR("RTP/AVP"), fmts, l->n_codecs, l->dir);
}

/* The line our audio takes: the one in use, else one that was audio once. */
static const struct td_sdp_media *audio_of(const struct td_sdp *prev)
{
	const struct td_sdp_media *m, *old = NULL;

	for (m = prev ? prev->media : NULL; m; m = m->next) {
		if (!td_str_eq(m->kind, TD_STR("audio")) || !td_sdp_proto_is_rtp(m->proto))
			continue;
		if (m->port)
			return m;
		if (!old && td_str_eq(m->proto, TD_STR("RTP/AVP")))
			old = m;
	}
	return old;
}

int td_sdp_offer(struct td_sdp **out, struct td_arena *a, const struct td_sdp_local *l, const struct td_sdp *prev)
{
	const struct td_sdp_media *m, *audio = audio_of(prev);
	struct td_sdp *sdp;
	int err = 0;

	if (l->n_codecs > TD_SDP_MAX_AGREED || (!audio && prev && prev->n_media >= TD_SDP_MAX_MEDIA))
		return TD_ELIMIT;
	sdp = sdp_describe(a, l, prev);
	if (!sdp)
		return -ENOMEM;
	for (m = prev ? prev->media : NULL; m && !err; m = m->next)
		err = m == audio ? offer_audio(sdp, a, l, m) : sdp_add_refused(sdp, a, m);
	if (!err && !audio)
		err = offer_audio(sdp, a, l, NULL);
	if (!err && prev)
		err = sdp_raise_version(sdp, a, prev);
	if (err)
		return err;
	*out = sdp;
	return 0;
}
