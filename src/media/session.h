/*
 * td_media from inside. session.c has its life and its descriptions, session_send.c what goes out by the clock,
 * session_receive.c what comes in, session_report.c RTCP, ports.c its pair of sockets.
 */
#ifndef MEDIA_SESSION_H
#define MEDIA_SESSION_H

#include "internal.h"

enum {
	FRAME_MS = 20,
	CLOCK_HZ = 8000, /* of every codec there is; a codec with another needs a resampler before WAV files */
	FRAME = CLOCK_HZ / 1000 * FRAME_MS,
	MAX_PAYLOAD = 1500, /* samples taken from one packet */
	MAX_KEYS = 64,
};

struct media_format {
	const struct td_codec *codec;
	uint8_t send_pt, recv_pt;
};

/* A key on its way out (RFC 4733 §2.5.1). */
struct media_key {
	unsigned tick;  /* packets of it sent; 0: none on its way */
	unsigned pause; /* frames of audio before the next may begin */
	uint8_t event;
	uint32_t ts; /* of its beginning */
	bool marker;
};

struct td_media {
	struct td_net *net;
	struct td_loop *loop;
	struct td_log *log;
	const struct td_media_events *events;
	void *arg;
	struct td_udp *rtp, *rtcp;
	struct td_addr local;
	unsigned depth; /* callbacks of the loop being run; closing waits for them */
	bool closed;

	/* descriptions */
	char addr_text[TD_ADDR_TEXT];
	struct td_sdp_codec offered[TD_SDP_MAX_AGREED];
	size_t n_offered;
	enum td_sdp_dir want;
	uint64_t session_id;
	struct td_arena arena; /* of sent */
	struct td_sdp *sent;   /* the last description that left; NULL: none */
	bool sent_offer;       /* and it was an offer: answers are read against it */

	/* the stream agreed on */
	bool active;
	enum td_sdp_dir dir;
	struct media_format formats[TD_SDP_MAX_AGREED];
	size_t n_formats;
	bool has_dtmf;
	uint8_t dtmf_send_pt, dtmf_recv_pt;
	struct td_addr remote, remote_rtcp;

	/* sending */
	struct td_timer tick;
	bool ticking;     /* the clock of frames runs */
	uint64_t next_ms; /* when the next frame is due; 0: there was none yet */
	struct td_rtp_sender out;
	bool marker; /* the next packet begins a talkspurt (RFC 3551 §4.1) */
	struct td_wav play;
	size_t play_at;
	bool playing;
	struct media_key key;
	char keys[MAX_KEYS];
	size_t n_keys;

	/* receiving */
	struct td_addr source; /* where packets come from; family 0: not known yet */
	struct td_rtp_source in;
	bool has_in, had_packet;
	int64_t lost_before; /* of sources that ended */
	struct td_dtmf_receiver dtmf_in;
	struct td_wav_writer *record;
	uint64_t record_since_us;
	bool has_place; /* timestamp place_ts lies at sample place of the recording */
	uint32_t place_ts;
	int64_t place;

	/* RTCP */
	struct td_timer report;
	char cname[16];
	uint64_t ntp_base_s, opened_us;
	uint32_t reported_packets, last_sr_mid;
	uint64_t last_sr_us;
	bool reported;

	struct td_media_stats stats;
};

int media_ports_open(struct td_media *m, const struct td_media_options *opt);
void media_free(struct td_media *m);

/* Around everything the loop calls: a callback of the user's may close the session, which is then freed on leaving. */
static inline void media_enter(struct td_media *m)
{
	m->depth++;
}

static inline void media_leave(struct td_media *m)
{
	if (--m->depth == 0 && m->closed)
		media_free(m);
}

void media_on_tick(struct td_timer *tm, void *arg);
void media_start_sending(struct td_media *m);
void media_stop_sending(struct td_media *m);
void media_on_rtp(struct td_udp *udp, struct td_buf *buf, const struct td_addr *from, void *arg);
void media_on_rtcp(struct td_udp *udp, struct td_buf *buf, const struct td_addr *from, void *arg);
void media_on_report(struct td_timer *tm, void *arg);
void media_start_reports(struct td_media *m);
void media_send_bye(struct td_media *m);
/* The recording failed or is over: it is closed; the first failure is told once. */
void media_stop_record(struct td_media *m, int err);

#endif
