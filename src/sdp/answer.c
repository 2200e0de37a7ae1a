/*
 * Answering an offer (RFC 3264 §6) and reading an answer (§7). Both end in a td_sdp_stream: where to send, in which
 * direction, with which numbers.
 */
#include "build.h"

#include <errno.h>

/* What we do with plain RTP today; other profiles are refused with port 0. */
static bool proto_ok(struct td_str proto)
{
	return td_str_ieq(proto, TD_STR("RTP/AVP")) || td_str_ieq(proto, TD_STR("RTP/AVPF"));
}

/* Our codec that is the same as c: its index, or n_codecs. */
static size_t local_of(const struct td_sdp_local *l, const struct td_sdp_codec *c)
{
	size_t i;

	for (i = 0; i < l->n_codecs; i++)
		if (td_sdp_codec_same(&l->codecs[i], c))
			break;
	return i;
}

/* Adds an audio codec to what was agreed. */
static void agree_codec(struct td_sdp_stream *s, const struct td_sdp_local *l, const struct td_sdp_codec *c, uint8_t recv_pt)
{
	struct td_sdp_format f = { local_of(l, c), c->pt, recv_pt };

	if (f.local < l->n_codecs && !td_sdp_codec_is_dtmf(c) && s->n_formats < TD_SDP_MAX_AGREED)
		s->formats[s->n_formats++] = f;
}

/* Adds keys, once the audio is known: they go with the clock of the audio they interrupt (RFC 4733 §2.1). */
static void agree_dtmf(struct td_sdp_stream *s, const struct td_sdp_local *l, const struct td_sdp_codec *c, uint8_t recv_pt)
{
	struct td_sdp_format f = { local_of(l, c), c->pt, recv_pt };

	if (f.local >= l->n_codecs || !td_sdp_codec_is_dtmf(c) || s->has_dtmf || !s->n_formats ||
	    c->clock_hz != l->codecs[s->formats[0].local].clock_hz)
		return;
	s->dtmf = f;
	s->has_dtmf = true;
}

/* Where the peer wants its media. TD_ESYNTAX when there is no address that one stream can be sent to. */
static int set_remote(struct td_sdp_stream *s, const struct td_sdp *sdp, const struct td_sdp_media *m)
{
	const struct td_sdp_conn *c = td_sdp_media_conn(sdp, m);
	struct td_sdp_rtcp rtcp;

	if (!c || !c->family || c->kind == TD_SDP_ADDR_MULTICAST || c->kind == TD_SDP_ADDR_INVALID)
		return TD_ESYNTAX;
	s->remote = s->rtcp_remote = *c;
	s->port = m->port;
	s->rtcp_port = (uint16_t)(m->port < 65535 ? m->port + 1 : 0);
	if (!td_sdp_rtcp(&rtcp, m)) {
		s->rtcp_port = rtcp.port;
		if (rtcp.conn.addr.n && rtcp.conn.kind == TD_SDP_ADDR_UNICAST)
			s->rtcp_remote = rtcp.conn;
	}
	s->remote.next = s->rtcp_remote.next = NULL;
	s->ptime_ms = td_sdp_ptime(m);
	return 0;
}

/* What we may do, given what we want and what the peer said of itself. An address of zeros is a hold: the peer receives
 * nothing (§8.4). */
static enum td_sdp_dir agree_dir(enum td_sdp_dir ours, enum td_sdp_dir theirs, const struct td_sdp_conn *remote)
{
	unsigned d = (unsigned)ours & (unsigned)td_sdp_dir_reverse(theirs);

	if (remote->kind == TD_SDP_ADDR_ANY)
		d &= ~(unsigned)TD_SDP_SENDONLY;
	return (enum td_sdp_dir)d;
}

/* ---- answering ---- */

/* Takes this stream of the offer if we can: the offerer's most preferred codec of those we have, and keys. */
static bool take(struct td_sdp_stream *out, const struct td_sdp_local *l, const struct td_sdp *offer,
		 const struct td_sdp_media *m)
{
	struct td_sdp_codec codecs[TD_SDP_MAX_FORMATS];
	struct td_sdp_stream s = { .active = true };
	size_t i, n;

	if (!m->port || !td_str_ieq(m->kind, TD_STR("audio")) || !proto_ok(m->proto) || set_remote(&s, offer, m))
		return false;
	n = td_sdp_codecs(codecs, m);
	for (i = 0; i < n && !s.n_formats; i++)
		agree_codec(&s, l, &codecs[i], codecs[i].pt);
	if (!s.n_formats)
		return false;
	for (i = 0; i < n; i++)
		agree_dtmf(&s, l, &codecs[i], codecs[i].pt);
	s.dir = agree_dir(l->dir, td_sdp_media_dir(offer, m), &s.remote);
	*out = s;
	return true;
}

static int add_taken(struct td_sdp *sdp, struct td_arena *a, const struct td_sdp_local *l, const struct td_sdp_media *m,
		     const struct td_sdp_stream *s)
{
	struct sdp_fmt fmts[2];
	size_t n = 0;

	fmts[n++] = (struct sdp_fmt){ &l->codecs[s->formats[0].local], s->formats[0].recv_pt };
	if (s->has_dtmf)
		fmts[n++] = (struct sdp_fmt){ &l->codecs[s->dtmf.local], s->dtmf.recv_pt };
	return sdp_add_audio(sdp, a, l, m->proto, fmts, n, s->dir);
}

int td_sdp_answer(struct td_sdp **out, struct td_sdp_stream *stream, struct td_arena *a, const struct td_sdp_local *l,
		  const struct td_sdp *offer, const struct td_sdp *prev)
{
	struct td_sdp_stream s = { 0 };
	const struct td_sdp_media *m;
	bool offered = false;
	struct td_sdp *sdp;
	size_t i = 0;
	int err = 0;

	if (l->n_codecs > TD_SDP_MAX_AGREED)
		return TD_ELIMIT;
	sdp = sdp_describe(a, l, prev);
	if (!sdp)
		return -ENOMEM;
	for (m = offer->media; m && !err; m = m->next, i++) {
		offered = offered || m->port || m->bad_port;
		if (!s.active && take(&s, l, offer, m)) {
			s.index = i;
			err = add_taken(sdp, a, l, m, &s);
		} else {
			err = sdp_add_refused(sdp, a, m);
		}
	}
	if (!err && offered && !s.active)
		err = TD_EUNSUPPORTED;
	if (!err && prev)
		err = sdp_raise_version(sdp, a, prev);
	if (err)
		return err;
	*out = sdp;
	*stream = s;
	return 0;
}

/* ---- reading an answer ---- */

/* The one of ours that c is, or n. Some phones leave the rtpmap of a dynamic number away in answers: it is then ours. */
static size_t offered_as(struct td_sdp_codec *c, const struct td_sdp_codec *ours, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (!c->name.n && c->pt == ours[i].pt)
			*c = ours[i];
		if (td_sdp_codec_same(c, &ours[i]))
			break;
	}
	return i;
}

/* Every codec of the answer that we offered in this line, in the answer's order. */
static void read_formats(struct td_sdp_stream *s, const struct td_sdp_local *l, const struct td_sdp_media *offered,
			 const struct td_sdp_media *m)
{
	struct td_sdp_codec ours[TD_SDP_MAX_FORMATS], theirs[TD_SDP_MAX_FORMATS];
	size_t n_ours = td_sdp_codecs(ours, offered), n_theirs = td_sdp_codecs(theirs, m), i, at;

	for (i = 0; i < n_theirs; i++) {
		at = offered_as(&theirs[i], ours, n_ours);
		if (at < n_ours)
			agree_codec(s, l, &theirs[i], ours[at].pt);
	}
	for (i = 0; i < n_theirs; i++) {
		at = offered_as(&theirs[i], ours, n_ours);
		if (at < n_ours)
			agree_dtmf(s, l, &theirs[i], ours[at].pt);
	}
}

static int read_stream(struct td_sdp_stream *out, const struct td_sdp_local *l, const struct td_sdp *offer,
		       const struct td_sdp_media *offered, const struct td_sdp *answer, const struct td_sdp_media *m)
{
	struct td_sdp_stream s = { .active = true, .index = out->index };
	int err = set_remote(&s, answer, m);

	if (err)
		return err;
	read_formats(&s, l, offered, m);
	if (!s.n_formats)
		return TD_ESYNTAX;
	s.dir = agree_dir(td_sdp_media_dir(offer, offered), td_sdp_media_dir(answer, m), &s.remote);
	*out = s;
	return 0;
}

int td_sdp_read_answer(struct td_sdp_stream *stream, const struct td_sdp_local *l, const struct td_sdp *offer,
		       const struct td_sdp *answer)
{
	const struct td_sdp_media *o = offer->media, *m = answer->media;
	struct td_sdp_stream s = { 0 };
	size_t i = 0;
	int err;

	if (offer->n_media != answer->n_media)
		return TD_ESYNTAX;
	for (; o; o = o->next, m = m->next, i++) {
		if (!td_str_ieq(o->kind, m->kind) || (m->port && (!o->port || !td_str_ieq(o->proto, m->proto))))
			return TD_ESYNTAX;
		if (!m->port || s.active)
			continue;
		s.index = i;
		err = read_stream(&s, l, offer, o, answer, m);
		if (err)
			return err;
	}
	if (!s.active)
		s = (struct td_sdp_stream){ 0 };
	*stream = s;
	return 0;
}
