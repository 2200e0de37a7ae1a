/* What offer.c and answer.c share: building our descriptions. */
#ifndef SDP_BUILD_H
#define SDP_BUILD_H

#include "internal.h"

/* One format of an m= line of ours: a codec of td_sdp_local under a payload number. */
struct sdp_fmt {
	const struct td_sdp_codec *codec;
	uint8_t pt;
};

/* The session part: o= with the version of prev, s=, c=, t=. NULL when memory is out. */
struct td_sdp *sdp_describe(struct td_arena *a, const struct td_sdp_local *l, const struct td_sdp *prev);
int sdp_add_audio(struct td_sdp *sdp, struct td_arena *a, const struct td_sdp_local *l, struct td_str proto,
		  const struct sdp_fmt *fmts, size_t n_fmts, enum td_sdp_dir dir);
/* The same stream as `like`, with port 0. */
int sdp_add_refused(struct td_sdp *sdp, struct td_arena *a, const struct td_sdp_media *like);
/* Raises the version of o= when sdp differs from prev (RFC 3264 §8, also for answers). */
int sdp_raise_version(struct td_sdp *sdp, struct td_arena *a, const struct td_sdp *prev);

#endif
