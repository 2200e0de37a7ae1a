/*
 * What comes in. Only packets from the address the peer's description names are taken; from another port of that host only until
 * the stream has one (some phones send from elsewhere than they listen), and then from that alone. Audio is decoded and
 * written at the place its timestamp says: loss is silence, and order does not matter. The jitter buffer for
 * listening and mixing will stand where record() is called.
 */
#include "session.h"

enum { PLACE_SLACK = 2 * CLOCK_HZ }; /* a timestamp further off the clock than this starts anew */

static bool from_peer(struct td_media *m, const struct td_addr *from)
{
	if (!m->active || !td_ip_eq(from, &m->remote))
		return false;
	if (td_addr_eq(from, &m->source))
		return true;
	if (m->source.family && from->port != m->remote.port)
		return false;
	m->source = *from;
	return true;
}

/* ---- recording ---- */

/* The place of a timestamp in the recording. The first packet of a source lies where the clock is; from there timestamps
 * count, unless they leave the clock: a peer that restarts its timestamps must neither end the recording nor blow it up. */
static int64_t place_of(struct td_media *m, uint32_t ts)
{
	int64_t now = (int64_t)((td_loop_now_us(m->loop) - m->record_since_us) * (CLOCK_HZ / 1000) / 1000), at;

	at = m->has_place ? m->place + (int32_t)(ts - m->place_ts) : now;
	if (at > now + PLACE_SLACK || at < now - PLACE_SLACK)
		at = now;
	else if (m->has_place && (int32_t)(ts - m->place_ts) < 0)
		return at; /* late; the reference stays */
	m->has_place = true;
	m->place = at;
	m->place_ts = ts;
	return at;
}

static void record(struct td_media *m, uint32_t ts, const int16_t *pcm, size_t n)
{
	int64_t at;
	int err;

	if (!m->record)
		return;
	at = place_of(m, ts);
	if (at < 0)
		return;
	err = td_wav_write(m->record, (uint64_t)at, pcm, n);
	if (err)
		media_stop_record(m, err);
}

/* ---- packets ---- */

static const struct td_codec *codec_of(const struct td_media *m, uint8_t pt)
{
	size_t i;

	for (i = 0; i < m->n_formats; i++)
		if (m->formats[i].recv_pt == pt)
			return m->formats[i].codec;
	return NULL;
}

/* Steps the source's numbers. A peer may change its SSRC at any time (a transfer behind its back); everything counted by
 * timestamp begins again then. Our own SSRC is no collision here: an echo sends our packets back as they were. */
static bool take_seq(struct td_media *m, const struct td_rtp *r)
{
	if (!m->has_in || m->in.ssrc != r->ssrc) {
		if (m->has_in) {
			m->lost_before += td_rtp_source_lost(&m->in);
			m->stats.source_changes++;
		}
		td_rtp_source_init(&m->in, r->ssrc, r->seq, 1);
		m->has_in = true;
		m->has_place = false;
		m->last_sr_mid = 0;
		m->dtmf_in = (struct td_dtmf_receiver){ 0 };
	}
	return td_rtp_source_seq(&m->in, r->seq);
}

static void take_key(struct td_media *m, const struct td_rtp *r)
{
	struct td_dtmf e;
	char key;

	if (td_dtmf_parse(&e, r->payload)) {
		m->stats.dropped_bad++;
		return;
	}
	key = td_dtmf_receive(&m->dtmf_in, r->ts, &e);
	if (key && m->dir & TD_SDP_RECVONLY && m->events->dtmf)
		m->events->dtmf(m, key, m->arg);
}

static void take_audio(struct td_media *m, const struct td_rtp *r, const struct td_codec *codec)
{
	uint32_t arrival = (uint32_t)(td_loop_now_us(m->loop) * (CLOCK_HZ / 1000) / 1000);
	int16_t pcm[MAX_PAYLOAD];
	int n = codec->decode(pcm, TD_ARRAY_LEN(pcm), r->payload);

	td_rtp_source_jitter(&m->in, r->ts, arrival);
	if (n < 0)
		m->stats.dropped_bad++;
	else if (m->dir & TD_SDP_RECVONLY)
		record(m, r->ts, pcm, (size_t)n);
}

static void take_packet(struct td_media *m, const struct td_rtp *r, const struct td_addr *from)
{
	bool key = m->has_dtmf && r->pt == m->dtmf_recv_pt;
	const struct td_codec *codec = key ? NULL : codec_of(m, r->pt);

	if (!key && !codec) {
		m->stats.dropped_pt++;
		return;
	}
	if (!take_seq(m, r)) {
		m->stats.dropped_bad++;
		return;
	}
	m->stats.received++;
	m->stats.received_octets += r->payload.n;
	if (!m->had_packet) {
		m->had_packet = true;
		if (m->events->first_packet)
			m->events->first_packet(m, from, m->arg);
	}
	if (m->closed)
		return;
	if (key)
		take_key(m, r);
	else
		take_audio(m, r, codec);
}

void media_on_rtp(struct td_udp *udp, struct td_buf *buf, const struct td_addr *from, void *arg)
{
	struct td_media *m = arg;
	struct td_rtp r;

	media_enter(m);
	/* The source is learned from well-formed packets only. */
	if (td_rtp_parse(&r, td_buf_str(buf)))
		m->stats.dropped_bad++;
	else if (!from_peer(m, from))
		m->stats.dropped_source++;
	else
		take_packet(m, &r, from);
	media_leave(m);
}
