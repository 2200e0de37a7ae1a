/* Typed access to attributes: direction, ptime, rtcp, and what a payload type means. Looked up when asked, never stored. */
#include "internal.h"

const struct td_sdp_line *td_sdp_attr(const struct td_sdp_line *from, struct td_str name)
{
	for (; from; from = from->next)
		if (from->type == 'a' && td_str_eq(from->name, name))
			return from;
	return NULL;
}

const struct td_sdp_line *td_sdp_media_attr(const struct td_sdp *sdp, const struct td_sdp_media *m, struct td_str name)
{
	const struct td_sdp_line *l = td_sdp_attr(m->lines.first, name);

	return l ? l : td_sdp_attr(sdp->lines.first, name);
}

const struct td_sdp_conn *td_sdp_media_conn(const struct td_sdp *sdp, const struct td_sdp_media *m)
{
	return m->conns ? m->conns : sdp->conn;
}

/* ---- direction ---- */

static const struct td_str dir_names[] = {
	[TD_SDP_INACTIVE] = TD_STR_INIT("inactive"),
	[TD_SDP_SENDONLY] = TD_STR_INIT("sendonly"),
	[TD_SDP_RECVONLY] = TD_STR_INIT("recvonly"),
	[TD_SDP_SENDRECV] = TD_STR_INIT("sendrecv"),
};

struct td_str td_sdp_dir_name(enum td_sdp_dir d)
{
	return dir_names[(unsigned)d & 3];
}

/* The first of the four names in these lines. */
static bool find_dir(enum td_sdp_dir *out, const struct td_sdp_line *l)
{
	unsigned d;

	for (; l; l = l->next) {
		if (l->type != 'a' || l->name.n != 8 || l->has_value)
			continue;
		for (d = 0; d < 4; d++) {
			if (td_str_eq(l->name, dir_names[d])) {
				*out = (enum td_sdp_dir)d;
				return true;
			}
		}
	}
	return false;
}

enum td_sdp_dir td_sdp_media_dir(const struct td_sdp *sdp, const struct td_sdp_media *m)
{
	enum td_sdp_dir d;

	if (find_dir(&d, m->lines.first) || find_dir(&d, sdp->lines.first))
		return d;
	return TD_SDP_SENDRECV;
}

/* ---- single values ---- */

unsigned td_sdp_ptime(const struct td_sdp_media *m)
{
	const struct td_sdp_line *l = td_sdp_attr(m->lines.first, TD_STR("ptime"));
	uint64_t v;

	/* The grammar allows 12.5; no codec of telephony frames that way. */
	if (!l || td_str_u64(&v, td_str_trim(l->value), 1000))
		return 0;
	return (unsigned)v;
}

int td_sdp_rtcp(struct td_sdp_rtcp *out, const struct td_sdp_media *m)
{
	const struct td_sdp_line *l = td_sdp_attr(m->lines.first, TD_STR("rtcp"));
	struct td_sdp_rtcp r = { 0 };
	struct td_str rest;
	uint64_t v;
	int err;

	if (!l)
		return TD_ENOTFOUND;
	rest = l->value;
	if (td_str_u64(&v, sdp_word(&rest), 65535))
		return TD_ESYNTAX;
	r.port = (uint16_t)v;
	if (td_str_trim(rest).n) {
		err = sdp_conn_parse(&r.conn, rest);
		if (err)
			return TD_ESYNTAX;
	}
	*out = r;
	return 0;
}

/* ---- codecs ---- */

/* RFC 3551 §6, tables 4 and 5: what a payload type means without a=rtpmap. */
static const struct {
	uint8_t pt, channels;
	uint32_t clock_hz;
	struct td_str name;
} static_types[] = {
	{ 0, 1, 8000, TD_STR_INIT("PCMU") },   { 3, 1, 8000, TD_STR_INIT("GSM") },    { 4, 1, 8000, TD_STR_INIT("G723") },
	{ 5, 1, 8000, TD_STR_INIT("DVI4") },   { 6, 1, 16000, TD_STR_INIT("DVI4") },  { 7, 1, 8000, TD_STR_INIT("LPC") },
	{ 8, 1, 8000, TD_STR_INIT("PCMA") },   { 9, 1, 8000, TD_STR_INIT("G722") },   { 10, 2, 44100, TD_STR_INIT("L16") },
	{ 11, 1, 44100, TD_STR_INIT("L16") },  { 12, 1, 8000, TD_STR_INIT("QCELP") }, { 13, 1, 8000, TD_STR_INIT("CN") },
	{ 14, 1, 90000, TD_STR_INIT("MPA") },  { 15, 1, 8000, TD_STR_INIT("G728") },  { 16, 1, 11025, TD_STR_INIT("DVI4") },
	{ 17, 1, 22050, TD_STR_INIT("DVI4") }, { 18, 1, 8000, TD_STR_INIT("G729") },  { 25, 1, 90000, TD_STR_INIT("CelB") },
	{ 26, 1, 90000, TD_STR_INIT("JPEG") }, { 28, 1, 90000, TD_STR_INIT("nv") },   { 31, 1, 90000, TD_STR_INIT("H261") },
	{ 32, 1, 90000, TD_STR_INIT("MPV") },  { 33, 1, 90000, TD_STR_INIT("MP2T") }, { 34, 1, 90000, TD_STR_INIT("H263") },
};

static void set_static(struct td_sdp_codec *c)
{
	size_t i;

	for (i = 0; i < TD_ARRAY_LEN(static_types); i++) {
		if (static_types[i].pt == c->pt) {
			c->name = static_types[i].name;
			c->clock_hz = static_types[i].clock_hz;
			c->channels = static_types[i].channels;
			return;
		}
	}
}

/* <encoding name>/<clock rate>[/<channels>]; false when it says nothing usable: the type is then no codec we know. */
static bool set_rtpmap(struct td_sdp_codec *c, struct td_str value)
{
	struct td_str name, clock;
	uint64_t hz, channels = 1;

	value = td_str_trim(value);
	name = td_str_split(&value, '/');
	if (!name.n || !value.p)
		return false;
	clock = td_str_split(&value, '/');
	if (td_str_u64(&hz, clock, 10000000) || !hz)
		return false;
	if (value.p && (td_str_u64(&channels, value, 255) || !channels))
		return false;
	c->name = name;
	c->clock_hz = (uint32_t)hz;
	c->channels = (uint8_t)channels;
	return true;
}

size_t td_sdp_codecs(struct td_sdp_codec out[TD_SDP_MAX_FORMATS], const struct td_sdp_media *m)
{
	struct td_sdp_codec *by_pt[128] = { NULL };
	bool mapped[128] = { false };
	const struct td_sdp_line *l;
	size_t i, n = 0;
	uint64_t pt;

	for (i = 0; i < m->n_formats; i++) {
		if (td_str_u64(&pt, m->formats[i], 127) || by_pt[pt])
			continue;
		out[n] = (struct td_sdp_codec){ .pt = (uint8_t)pt, .channels = 1 };
		set_static(&out[n]);
		by_pt[pt] = &out[n++];
	}
	for (l = m->lines.first; l; l = l->next) {
		struct td_str value = l->value;
		bool map = td_str_eq(l->name, TD_STR("rtpmap"));

		if (l->type != 'a' || (!map && !td_str_eq(l->name, TD_STR("fmtp"))))
			continue;
		if (td_str_u64(&pt, sdp_word(&value), 127) || !by_pt[pt])
			continue;
		if (!map) {
			if (!by_pt[pt]->fmtp.n)
				by_pt[pt]->fmtp = td_str_trim(value);
		} else if (!mapped[pt]) {
			mapped[pt] = true;
			if (!set_rtpmap(by_pt[pt], value))
				by_pt[pt]->name = TD_STR_NULL;
		}
	}
	return n;
}

bool td_sdp_codec_same(const struct td_sdp_codec *a, const struct td_sdp_codec *b)
{
	return a->name.n && a->clock_hz == b->clock_hz && a->channels == b->channels && td_str_ieq(a->name, b->name);
}

bool td_sdp_codec_is_dtmf(const struct td_sdp_codec *c)
{
	return td_str_ieq(c->name, TD_STR("telephone-event"));
}
