/*
 * media: what is heard. RTP and RTCP as bytes (RFC 3550), codecs, WAV files, and td_media: one end of an audio stream on a
 * loop, with its ports, its description (sdp), something to play and something to record into.
 *
 * Places kept for later: between td_media's receive path and its recorder stands a jitter buffer one day; a secured
 * transport stands between td_media and its sockets; a codec is a row of a table (td_codecs()).
 */
#ifndef TANDEM_MEDIA_H
#define TANDEM_MEDIA_H

#include <tandem/net.h>
#include <tandem/sdp.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- G.711 ---- */

uint8_t td_ulaw_encode(int16_t pcm);
uint8_t td_alaw_encode(int16_t pcm);
extern const int16_t td_ulaw_decode[256], td_alaw_decode[256];

/* ---- codecs ---- */

struct td_codec {
	struct td_str name; /* as in a=rtpmap */
	uint32_t clock_hz;
	uint8_t channels;
	uint8_t pt; /* the number we offer: static, or a dynamic one */
	/* Bytes written, or TD_ELIMIT when cap is too small. */
	int (*encode)(uint8_t *out, size_t cap, const int16_t *pcm, size_t samples);
	/* Samples written, or TD_ELIMIT; TD_ESYNTAX when the payload is none of this codec. */
	int (*decode)(int16_t *out, size_t cap, struct td_str payload);
};

const struct td_codec *td_codecs(size_t *n);
const struct td_codec *td_codec_find(struct td_str name); /* any case; NULL */
/* For td_sdp_local: all codecs, or the one named, and telephone-event. 0 when there is none of that name. */
size_t td_codec_list(struct td_sdp_codec out[TD_SDP_MAX_AGREED], struct td_str only);

/* ---- RTP packets (RFC 3550 §5.1) ---- */

enum { TD_RTP_HEADER = 12, TD_RTP_MAX_CSRC = 15 };

struct td_rtp {
	bool marker, has_ext;
	uint8_t pt, n_csrc;
	uint16_t seq;
	uint32_t ts, ssrc;
	uint32_t csrc[TD_RTP_MAX_CSRC];
	uint16_t ext_profile;
	struct td_str ext;     /* whole words */
	struct td_str payload; /* without padding */
};

/* Views into bytes. TD_ESYNTAX: another version, or lengths that do not fit. */
int td_rtp_parse(struct td_rtp *out, struct td_str bytes);
void td_rtp_print(struct td_out *o, const struct td_rtp *p);

/* Sending: SSRC, first sequence number and timestamp are random (§5.1). */
struct td_rtp_sender {
	uint32_t ssrc, ts; /* ts: of the packet that is next */
	uint16_t seq;
	uint32_t packets, octets; /* since the SSRC is ours; payload bytes (§6.4.1) */
};

void td_rtp_sender_init(struct td_rtp_sender *s, struct td_rng *rng);

/* Receiving: one source, RFC 3550 appendix A.1, A.3, A.8. */
struct td_rtp_source {
	uint32_t ssrc;
	uint16_t max_seq;
	uint32_t cycles, base_seq, bad_seq, probation, min_sequential;
	uint32_t received, expected_prior, received_prior;
	uint32_t transit, jitter; /* jitter scaled by 16, in timestamp units */
	bool has_transit;
};

/* probation: packets in sequence wanted before the source counts (2 in the RFC); 1 takes the first. */
void td_rtp_source_init(struct td_rtp_source *s, uint32_t ssrc, uint16_t seq, uint32_t probation);
/* False: the packet is not (yet) taken as part of the stream. Duplicates and late ones are. */
bool td_rtp_source_seq(struct td_rtp_source *s, uint16_t seq);
/* arrival: in units of the timestamp. */
void td_rtp_source_jitter(struct td_rtp_source *s, uint32_t ts, uint32_t arrival);
uint32_t td_rtp_source_ext_max(const struct td_rtp_source *s);
int32_t td_rtp_source_lost(const struct td_rtp_source *s); /* cumulative, clamped to 24 bits; negative with duplicates */
uint8_t td_rtp_source_fraction(struct td_rtp_source *s);   /* lost since the last call, in 1/256 */

/* ---- RTCP (RFC 3550 §6) ---- */

enum td_rtcp_type { TD_RTCP_SR = 200, TD_RTCP_RR = 201, TD_RTCP_SDES = 202, TD_RTCP_BYE = 203, TD_RTCP_APP = 204 };
enum { TD_RTCP_MAX_CNAME = 255, TD_RTCP_MAX_PACKETS = 32 };

struct td_rtcp_block {
	uint32_t ssrc;
	uint8_t fraction;
	int32_t lost; /* 24 bits, signed */
	uint32_t ext_max, jitter, lsr, dlsr;
};

/* One packet of a compound. */
struct td_rtcp {
	uint8_t type;       /* also ones we do not know */
	uint8_t count;      /* the five bits: reports, sources or a subtype */
	struct td_str body; /* behind the first word, without padding */
};

/* What SR carries of its sender. */
struct td_rtcp_sender {
	uint64_t ntp;
	uint32_t ts, packets, octets;
};

/* Checks a whole datagram as a compound (appendix A.2): SR or RR first, version 2, lengths that add up exactly, padding in the
 * last only. TD_ESYNTAX; TD_ELIMIT above TD_RTCP_MAX_PACKETS. */
int td_rtcp_check(struct td_str bytes);
/* Takes the next packet off *rest, which td_rtcp_check() has seen. False at the end. */
bool td_rtcp_next(struct td_rtcp *out, struct td_str *rest);
/* SR and RR: who reports; SR: its sender part (else untouched). TD_ESYNTAX when the body is too short for its counts. */
int td_rtcp_report(uint32_t *ssrc, struct td_rtcp_sender *sender, const struct td_rtcp *p);
int td_rtcp_block(struct td_rtcp_block *out, const struct td_rtcp *p, unsigned i); /* TD_ENOTFOUND behind the last */
/* SDES: the CNAME of the first source that has one. */
int td_rtcp_cname(struct td_str *out, const struct td_rtcp *p);
/* BYE: does it name this source? */
bool td_rtcp_bye_names(const struct td_rtcp *p, uint32_t ssrc);

/* A compound: SR when sender is given, else RR; block or NULL; SDES with CNAME; BYE when bye. */
void td_rtcp_print(struct td_out *o, uint32_t ssrc, const struct td_rtcp_sender *sender, const struct td_rtcp_block *block,
		   struct td_str cname, bool bye);
/* Time to the next report (§6.2, §6.3.1, A.7): five seconds or the share of bandwidth, randomised. */
uint32_t td_rtcp_interval_ms(struct td_rng *rng, unsigned members, unsigned senders, bool we_sent, uint32_t bytes_per_s,
			     uint32_t average_bytes, bool first);
/* Round trip by a block about us (§6.4.1), when now is the middle of our NTP time. 0: not known. */
uint32_t td_rtcp_round_trip_us(const struct td_rtcp_block *b, uint32_t now_mid);

/* ---- telephone-event (RFC 4733) ---- */

struct td_dtmf {
	uint8_t event, volume; /* volume in -dBm0 */
	bool end;
	uint16_t duration;
};

int td_dtmf_parse(struct td_dtmf *out, struct td_str payload); /* TD_ESYNTAX when shorter than four bytes */
void td_dtmf_print(uint8_t out[4], const struct td_dtmf *e);
char td_dtmf_key(uint8_t event);           /* '0'-'9' '*' '#' 'A'-'D'; 0: no key */
int td_dtmf_event(uint8_t *out, char key); /* any case; TD_ESYNTAX */

/* Makes one key of the many packets that say it: repeats, losses, ends and long ones in several segments. */
struct td_dtmf_receiver {
	bool any, ended;
	uint8_t event;
	uint32_t ts;
	uint16_t duration;
};

/* The key when this packet is the first seen of it, else 0. */
char td_dtmf_receive(struct td_dtmf_receiver *r, uint32_t ts, const struct td_dtmf *e);

/* ---- WAV files ---- */

enum td_wav_coding { TD_WAV_PCM16, TD_WAV_ULAW, TD_WAV_ALAW };

struct td_wav {
	struct td_buf *file; /* NULL when parsed from memory of the caller's */
	enum td_wav_coding coding;
	uint32_t rate_hz;
	struct td_str data;
	size_t samples;
};

/* Looks at a file in memory. *why, when given, gets a sentence on failure: TD_ESYNTAX (no WAV file), TD_EUNSUPPORTED (not 8 kHz
 * mono in 16-bit PCM, mu-law or A-law). */
int td_wav_parse(struct td_wav *out, struct td_str bytes, const char **why);
/* Reads a file of at most 64 MiB: -errno, TD_ELIMIT, or as above. */
int td_wav_load(struct td_wav *out, const char *path, const char **why);
void td_wav_free(struct td_wav *w);
/* Up to n samples from sample `at`; returns how many there were. */
size_t td_wav_read(const struct td_wav *w, int16_t *out, size_t at, size_t n);

/* A recording: 16-bit PCM, mono. The file is a valid WAV at any time: its sizes are written again as it grows, at most a
 * second behind. */
struct td_wav_writer;
int td_wav_create(struct td_wav_writer **out, const char *path, uint32_t rate_hz); /* -errno */
/* At sample `at`; what was not written in between is silence, what was written before is replaced. TD_ELIMIT beyond 2^31 bytes. */
int td_wav_write(struct td_wav_writer *w, uint64_t at, const int16_t *pcm, size_t n);
uint64_t td_wav_written(const struct td_wav_writer *w); /* samples up to the end */
int td_wav_close(struct td_wav_writer *w);              /* 0, or the first -errno of the whole recording */

/* ---- td_media: one end of an audio stream ---- */

struct td_media;

struct td_media_events { /* each may be NULL; td_media_close() is allowed in all */
	void (*first_packet)(struct td_media *m, const struct td_addr *from, void *arg);
	void (*play_finished)(struct td_media *m, void *arg);
	void (*dtmf)(struct td_media *m, char key, void *arg);
	void (*dtmf_sent)(struct td_media *m, void *arg); /* the last of the keys queued is through */
};

struct td_media_options {
	struct td_net *net;                   /* kept */
	struct td_log *log;                   /* kept; may be NULL */
	struct td_addr local;                 /* address media comes to, also named in SDP; its port does not matter */
	uint16_t port_min, port_max;          /* RTP on an even port from here, RTCP above it; 0: any */
	struct td_str codec;                  /* the only one to use; empty: all. Not copied beyond the call */
	const struct td_media_events *events; /* borrowed for the life; may be NULL */
	void *arg;
};

/* TD_EUNSUPPORTED: no codec of that name. -EADDRINUSE: no pair of ports is free. */
int td_media_open(struct td_media **out, const struct td_media_options *opt);
/* Says BYE, closes the ports; the recording is finished. No callback after this; safe inside callbacks. */
void td_media_close(struct td_media *m);
const struct td_addr *td_media_local(const struct td_media *m); /* of RTP */

/*
 * Offer and answer as td_session (ua) asks for them; arg is the td_media. The stream starts, changes and stops by them. A peer's
 * address that media must not go to refuses the stream (M9): link-local, multicast, or loopback unless we are there ourselves.
 */
int td_media_offer(void *media, struct td_out *sdp);
int td_media_answer(void *media, struct td_str offer, struct td_out *sdp);
int td_media_answered(void *media, struct td_str answer);
/* What we want from the next offer or answer on: sendrecv at first; sendonly holds the other side. */
void td_media_want(struct td_media *m, enum td_sdp_dir dir);
const struct td_codec *td_media_codec(const struct td_media *m); /* NULL: nothing is agreed */
enum td_sdp_dir td_media_dir(const struct td_media *m);

/* Plays from the start as soon as the stream sends, then silence. Takes wav over (NULL: silence). */
void td_media_play(struct td_media *m, struct td_wav *wav);
/* Records what comes, placed by timestamp: second 0 is now. The writer is handed over (NULL: stop). */
void td_media_record(struct td_media *m, struct td_wav_writer *w);
/* Queues keys ("123#"): TD_ESYNTAX for what is no key, TD_EUNSUPPORTED when the peer takes none, TD_ELIMIT above 64 waiting. */
int td_media_dtmf(struct td_media *m, struct td_str keys);

struct td_media_stats {
	uint64_t sent, sent_octets, received, received_octets;
	uint64_t dropped_source; /* not from the peer's address, or before we knew it */
	uint64_t dropped_bad;    /* no RTP, or a payload its codec refuses */
	uint64_t dropped_pt;     /* a payload type nobody agreed on */
	uint64_t skipped;        /* packets not sent in time after a stall, and left out */
	uint64_t source_changes; /* the peer took another SSRC */
	int64_t lost;            /* of what came to us, cumulative */
	uint32_t jitter_us;
	uint64_t reports_sent, reports_received;
	uint32_t remote_lost, remote_jitter_us, round_trip_us; /* as the peer sees us; 0: not known */
	bool remote_bye;                                       /* advisory: signalling ends calls */
};
void td_media_stats(struct td_media_stats *out, const struct td_media *m);

#ifdef __cplusplus
}
#endif
#endif
