/*
 * sdp: session descriptions (RFC 8866) and the offer/answer exchange (RFC 3264) as pure functions. No I/O, no clock.
 *
 * A description is a tree in an arena: the session, its media, and of each the lines in the order they came. What we do
 * not know (attributes, other lines) is kept and printed again. Typed access is by function and looks at the lines then.
 */
#ifndef TANDEM_SDP_H
#define TANDEM_SDP_H

#include <tandem/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Limits for what a peer may send (B2); passing one is TD_ELIMIT. Everything is linear in the size of the text. */
enum {
	TD_SDP_MAX_BYTES = 65536,
	TD_SDP_MAX_LINES = 4096,
	TD_SDP_MAX_MEDIA = 64,
	TD_SDP_MAX_FORMATS = 128, /* per m= line */
	TD_SDP_MAX_ADDR = 255,    /* bytes of an address or name in c= */
};

/* ---- the description ---- */

/* A line that is not v, o, s, c, m. name and has_value are for a= ("name" or "name:value"); value is all of any other line. */
struct td_sdp_line {
	struct td_sdp_line *next;
	char type;
	bool has_value;
	struct td_str name, value;
};

struct td_sdp_lines {
	struct td_sdp_line *first, **tail;
};

enum td_sdp_addr_kind {
	TD_SDP_ADDR_NAME, /* a host name, or an address type we do not know: not checked */
	TD_SDP_ADDR_UNICAST,
	TD_SDP_ADDR_MULTICAST,
	TD_SDP_ADDR_ANY,     /* 0.0.0.0 or ::, the hold of RFC 2543 */
	TD_SDP_ADDR_INVALID, /* a literal that is no address of the family announced: nothing can be sent there */
};

/* c=, and the address of a=rtcp. */
struct td_sdp_conn {
	struct td_sdp_conn *next;
	struct td_str net_type, addr_type, addr; /* "IN", "IP4", address without /ttl/count */
	enum td_sdp_addr_kind kind;
	uint8_t family; /* 4, 6; 0 when neither IP4 nor IP6 */
	uint8_t ttl;    /* multicast over IPv4 */
	bool has_ttl;
	uint32_t count; /* consecutive multicast addresses; 0: not given */
};

/* o=. The numbers may be longer than 64 bits (1*DIGIT), so they stay text. raw is the line as it came when it has not the
 * six parts; then the others are empty. */
struct td_sdp_origin {
	struct td_str user, session_id, version, net_type, addr_type, addr, raw;
};

struct td_sdp_media {
	struct td_sdp_media *next;
	struct td_str kind, proto; /* "audio", "RTP/AVP" */
	uint16_t port;
	bool bad_port;          /* it was above 65535; port is then 0 and the stream cannot be used */
	uint32_t port_count;    /* 0: not given */
	struct td_str *formats; /* payload types 0..127 when proto is a kind of RTP and port is not 0 */
	size_t n_formats;
	struct td_sdp_conn *conns, **conns_tail; /* own c= lines; see td_sdp_media_conn() */
	struct td_sdp_lines lines;
};

struct td_sdp {
	struct td_sdp_origin origin;
	bool has_origin, has_name;
	struct td_str name; /* s= */
	struct td_sdp_conn *conn;
	struct td_sdp_lines lines;
	struct td_sdp_media *media, **media_tail;
	size_t n_media;
};

/**
 * Parses a description. Lines may come in any order within their section and end with CR LF, LF or CR.
 *
 * @param out    The description: lives in a, its text in `text`, which must live as long.
 * @return 0; TD_ESYNTAX (no v=0 in front, no `x=` line, a bad m= or c=, a payload type above 127, a NUL); TD_ELIMIT; -ENOMEM.
 */
int td_sdp_parse(struct td_sdp **out, struct td_arena *a, struct td_str text);
/* In the order of RFC 8866 §5, with CR LF. Parsing that and printing again gives the same bytes. */
void td_sdp_print(struct td_out *o, const struct td_sdp *sdp);

/* ---- attributes ---- */

/* The first a= of this name (case matters); NULL if absent. For repeated ones go on from ->next. */
const struct td_sdp_line *td_sdp_attr(const struct td_sdp_line *from, struct td_str name);
/* Of the media, else of the session. */
const struct td_sdp_line *td_sdp_media_attr(const struct td_sdp *sdp, const struct td_sdp_media *m, struct td_str name);
/* The c= that holds for m: its own, else the session's; NULL if neither. */
const struct td_sdp_conn *td_sdp_media_conn(const struct td_sdp *sdp, const struct td_sdp_media *m);

enum td_sdp_dir { TD_SDP_INACTIVE = 0, TD_SDP_SENDONLY = 1, TD_SDP_RECVONLY = 2, TD_SDP_SENDRECV = 3 }; /* bits: send, receive */

struct td_str td_sdp_dir_name(enum td_sdp_dir d);
static inline enum td_sdp_dir td_sdp_dir_reverse(enum td_sdp_dir d)
{
	return (enum td_sdp_dir)(((unsigned)d & 1) << 1 | (unsigned)d >> 1);
}
/* As written in m, else in the session, else sendrecv (RFC 8866 §6.7). */
enum td_sdp_dir td_sdp_media_dir(const struct td_sdp *sdp, const struct td_sdp_media *m);
/* Milliseconds, 1..1000; 0 when absent or nonsense. */
unsigned td_sdp_ptime(const struct td_sdp_media *m);

/* a=rtcp (RFC 3605): conn.addr is empty when it names a port only. TD_ENOTFOUND, TD_ESYNTAX. */
struct td_sdp_rtcp {
	uint16_t port;
	struct td_sdp_conn conn;
};
int td_sdp_rtcp(struct td_sdp_rtcp *out, const struct td_sdp_media *m);

/* A payload type: from a=rtpmap and a=fmtp, or from the table of RFC 3551 §6. */
struct td_sdp_codec {
	uint8_t pt;
	uint8_t channels; /* 1 when not given */
	uint32_t clock_hz;
	struct td_str name; /* empty when nothing says what it is: matches no codec */
	struct td_str fmtp; /* empty: none */
};

/* The formats of an RTP media in order of preference, one pass over its lines; a number that comes twice is taken once. */
size_t td_sdp_codecs(struct td_sdp_codec out[TD_SDP_MAX_FORMATS], const struct td_sdp_media *m);
/* Same name (any case), clock and channels. Parameters (fmtp) are compared by whoever knows the codec. */
bool td_sdp_codec_same(const struct td_sdp_codec *a, const struct td_sdp_codec *b);
bool td_sdp_codec_is_dtmf(const struct td_sdp_codec *c); /* telephone-event (RFC 4733) */
bool td_sdp_proto_is_rtp(struct td_str proto);           /* any profile, secured or not */

/* ---- offer and answer (RFC 3264), one audio stream ----
 *
 * Media streams are numbered by m= line for ever: what is not wanted any more stays with port 0. All functions build in
 * the arena given and copy what they take from their arguments.
 */

enum { TD_SDP_MAX_AGREED = 8 };

/* What we say of ourselves. */
struct td_sdp_local {
	struct td_str addr; /* IP address media comes to */
	uint8_t family;     /* 4 or 6 */
	uint16_t port;      /* of RTP; RTCP goes to port + 1 unless rtcp_port is set */
	uint16_t rtcp_port;
	enum td_sdp_dir dir;               /* what we want: sendrecv, or sendonly to hold */
	unsigned ptime_ms;                 /* 0: not said */
	uint64_t session_id;               /* for o= of the first description of a session; below 2^63 */
	const struct td_sdp_codec *codecs; /* by preference, with our payload numbers; telephone-event among them if wanted */
	size_t n_codecs;                   /* at most TD_SDP_MAX_AGREED */
};

struct td_sdp_format {
	size_t local;             /* index in td_sdp_local.codecs */
	uint8_t send_pt, recv_pt; /* each side sends with the numbers the other one gave */
};

/* The stream agreed on, as we see it. Views point into the peer's description. */
struct td_sdp_stream {
	size_t index;              /* its m= line */
	bool active;               /* false: there is none (all refused, or none offered); the rest is then empty */
	enum td_sdp_dir dir;       /* what we may do */
	struct td_sdp_conn remote; /* where to send; kind says whether it is an address that can be sent to */
	uint16_t port;
	struct td_sdp_conn rtcp_remote; /* same as remote unless a=rtcp says otherwise */
	uint16_t rtcp_port;
	unsigned ptime_ms; /* what the peer would like; 0: not said */
	/* the first is for sending; any of them may arrive. No telephone-event */
	struct td_sdp_format formats[TD_SDP_MAX_AGREED];
	size_t n_formats;
	bool has_dtmf;
	struct td_sdp_format dtmf;
};

/**
 * Our next offer.
 *
 * @param prev  The last description we sent in this session (offer or answer), or NULL for the first one. Its m= lines stay:
 *              the audio we used gets what `l` says, with the payload numbers it had; others port 0. o= is raised when
 *              anything differs (§8).
 * @return 0, TD_ELIMIT (too many codecs, no free payload number), -ENOMEM.
 */
int td_sdp_offer(struct td_sdp **out, struct td_arena *a, const struct td_sdp_local *l, const struct td_sdp *prev);

/**
 * Our answer: takes the first audio over RTP/AVP or AVPF that shares a codec with us, with the offer's payload numbers, and
 * refuses every other stream with port 0.
 *
 * @param out     Same number and order of m= lines as the offer.
 * @param stream  What was agreed. The peer's 0.0.0.0 counts as "does not receive" (§8.4).
 * @param prev    The last description we sent in this session, or NULL.
 * @return 0; TD_EUNSUPPORTED when something was offered and nothing can be taken (488); TD_ELIMIT; -ENOMEM.
 */
int td_sdp_answer(struct td_sdp **out, struct td_sdp_stream *stream, struct td_arena *a, const struct td_sdp_local *l,
		  const struct td_sdp *offer, const struct td_sdp *prev);

/**
 * Reads the answer to our offer.
 *
 * @return 0 (stream->active says whether audio was taken); TD_ESYNTAX when the answer breaks §6: another number of m= lines,
 *         media that was not offered, no codec of ours, no address.
 */
int td_sdp_read_answer(struct td_sdp_stream *stream, const struct td_sdp_local *l, const struct td_sdp *offer,
		       const struct td_sdp *answer);

#ifdef __cplusplus
}
#endif
#endif
