/*
 * What goes out: one frame every 20 ms by the loop's clock. Frames are due at fixed times, so a late turn does not shift those
 * after it; after a stall at most CATCH_UP frames are sent at once and the rest is left out, with the timestamp
 * moved on, so that it always tells the time. While nothing may be sent the timestamp runs on as well.
 */
#include "session.h"

enum {
	CATCH_UP = 5,
	KEY_TICKS = 5, /* a key lasts 100 ms … */
	KEY_ENDS = 3,  /* … its end is said three times (RFC 4733 §2.5.1.4) … */
	KEY_PAUSE = 3, /* … and the next comes 100 ms after it */
	KEY_VOLUME = 10,
};

static void send_packet(struct td_media *m, bool marker, uint8_t pt, uint32_t ts, const uint8_t *payload, size_t n)
{
	struct td_rtp r = { .marker = marker,
			    .pt = pt,
			    .seq = m->out.seq,
			    .ts = ts,
			    .ssrc = m->out.ssrc,
			    .payload = td_str_n((const char *)payload, n) };
	struct td_buf *buf = td_buf_new(TD_RTP_HEADER + n);
	struct td_out o;

	if (!buf) {
		m->stats.skipped++;
		return;
	}
	td_out_init_fixed(&o, buf->data, buf->size);
	td_rtp_print(&o, &r);
	buf->len = (uint32_t)o.n;
	if (!td_udp_send(m->rtp, &m->remote, buf)) {
		m->out.seq++;
		m->out.packets++;
		m->out.octets += (uint32_t)n;
		m->stats.sent++;
		m->stats.sent_octets += n;
	}
	td_buf_unref(buf);
}

/* ---- keys ---- */

/* Begins the next key if one waits and may; true while one is on its way. */
static bool key_on_its_way(struct td_media *m)
{
	if (m->key.tick)
		return true;
	if (m->key.pause)
		m->key.pause--;
	if (!m->n_keys || m->key.pause || td_dtmf_event(&m->key.event, m->keys[0]))
		return false;
	m->n_keys--;
	memmove(m->keys, m->keys + 1, m->n_keys);
	m->key.ts = m->out.ts;
	return true;
}

/* Every packet says how long the key has lasted; all have the timestamp of its beginning. */
static void send_key(struct td_media *m)
{
	unsigned tick = ++m->key.tick, lasted = tick < KEY_TICKS ? tick : KEY_TICKS;
	struct td_dtmf e = {
		.event = m->key.event, .volume = KEY_VOLUME, .end = tick >= KEY_TICKS, .duration = (uint16_t)(lasted * FRAME)
	};
	uint8_t payload[4];

	td_dtmf_print(payload, &e);
	send_packet(m, tick == 1, m->dtmf_send_pt, m->key.ts, payload, sizeof(payload));
	if (tick < KEY_TICKS + KEY_ENDS - 1)
		return;
	m->key.tick = 0;
	m->key.pause = KEY_PAUSE;
	m->marker = true;
	if (!m->n_keys && m->events->dtmf_sent)
		m->events->dtmf_sent(m, m->arg);
}

/* ---- audio ---- */

static void send_audio(struct td_media *m)
{
	const struct media_format *f = &m->formats[0];
	int16_t pcm[FRAME] = { 0 };
	uint8_t payload[2 * FRAME];
	size_t got = m->playing ? td_wav_read(&m->play, pcm, m->play_at, FRAME) : 0;
	int n = f->codec->encode(payload, sizeof(payload), pcm, FRAME);

	if (n > 0) {
		send_packet(m, m->marker, f->send_pt, m->out.ts, payload, (size_t)n);
		m->marker = false;
	}
	m->play_at += got;
	if (!m->playing || m->play_at < m->play.samples)
		return;
	m->playing = false;
	td_wav_free(&m->play);
	if (m->events->play_finished)
		m->events->play_finished(m, m->arg);
}

static void send_frame(struct td_media *m)
{
	uint32_t ts = m->out.ts;

	if (!(m->dir & TD_SDP_SENDONLY)) {
		m->marker = true;
	} else if (m->has_dtmf && key_on_its_way(m)) {
		send_key(m);
	} else {
		m->key.tick = 0; /* of a key the peer takes no longer */
		send_audio(m);
	}
	m->out.ts = ts + FRAME;
	m->next_ms += FRAME_MS;
}

/* ---- the clock ---- */

void media_on_tick(struct td_timer *tm, void *arg)
{
	struct td_media *m = arg;
	uint64_t now_ms = td_loop_now_ms(m->loop), due, skip;

	media_enter(m);
	due = now_ms >= m->next_ms ? (now_ms - m->next_ms) / FRAME_MS + 1 : 0;
	if (due > CATCH_UP) {
		skip = due - CATCH_UP;
		m->out.ts += (uint32_t)(skip * FRAME);
		m->next_ms += skip * FRAME_MS;
		m->stats.skipped += m->dir & TD_SDP_SENDONLY ? skip : 0;
		m->marker = true;
		due = CATCH_UP;
	}
	for (; due && m->ticking; due--)
		send_frame(m);
	if (m->ticking)
		td_timer_start(m->loop, &m->tick, m->next_ms > now_ms ? m->next_ms - now_ms : 0);
	media_leave(m);
}

void media_start_sending(struct td_media *m)
{
	uint64_t now_ms = td_loop_now_ms(m->loop);

	if (m->ticking)
		return;
	if (m->next_ms) /* the stream rested */
		m->out.ts += (uint32_t)((now_ms - m->next_ms) * (CLOCK_HZ / 1000));
	m->ticking = true;
	m->next_ms = now_ms;
	td_timer_start(m->loop, &m->tick, 0);
}

void media_stop_sending(struct td_media *m)
{
	m->ticking = false;
	td_timer_stop(m->loop, &m->tick);
}
