/*
 * Shared inside src/sip: the reading position's small steps (the bytes' classes and scans are in scan.h).
 *
 * Every step either moves the position over what it names or sets c->bad and stays; once bad, always bad, so a parser
 * takes all its steps and tests once at the end (td_cur_end()). What is read once per message and byte is inline.
 */
#ifndef TANDEM_SIP_INTERNAL_H
#define TANDEM_SIP_INTERNAL_H

#include <endian.h>

#include <tandem/sip.h>

#include "scan.h"

static inline bool td_cur_at(const struct td_cur *c, char ch)
{
	return !c->bad && c->p < c->end && *c->p == ch;
}

static inline bool td_cur_at_class(const struct td_cur *c, uint32_t cls)
{
	return !c->bad && c->p < c->end && td_is(*c->p, cls);
}

/* Takes ch when it is next. */
static inline bool td_cur_take(struct td_cur *c, char ch)
{
	if (!td_cur_at(c, ch))
		return false;
	c->p++;
	return true;
}

/* Takes ch or goes bad. */
static inline void td_cur_want(struct td_cur *c, char ch)
{
	if (!td_cur_take(c, ch))
		c->bad = true;
}

/* All read, and nothing bad? */
static inline bool td_cur_end(const struct td_cur *c)
{
	return !c->bad && c->p >= c->end;
}

/* The longest run of the class, possibly empty. */
static inline struct td_str td_cur_span(struct td_cur *c, uint32_t cls)
{
	const char *p = c->p, *q;

	if (c->bad)
		return TD_STR_NULL;
	q = td_skip_class(p, c->end, c->slack, cls);
	c->p = q;
	return (struct td_str){ p, (size_t)(q - p) };
}

/* 1*(class), or bad. */
static inline struct td_str td_cur_span1(struct td_cur *c, uint32_t cls)
{
	struct td_str s = td_cur_span(c, cls);

	if (!s.n)
		c->bad = true;
	return s;
}

static inline struct td_str td_cur_token(struct td_cur *c)
{
	return td_cur_span1(c, TD_CC_TOKEN);
}

/* [LWS]: blanks, and CRLF when a blank follows it (a fold). */
static inline void td_cur_lws(struct td_cur *c)
{
	const char *p = c->p, *end = c->end;

	while (p < end && (unsigned char)*p <= ' ') {
		if (td_is(*p, TD_CC_WSP))
			p++;
		else if (end - p >= 3 && p[0] == '\r' && p[1] == '\n' && td_is(p[2], TD_CC_WSP))
			p += 3;
		else
			break;
	}
	c->p = p;
}

/* LWS, at least one. */
static inline void td_cur_lws1(struct td_cur *c)
{
	const char *p = c->p;

	td_cur_lws(c);
	if (c->p == p)
		c->bad = true;
}

/* SWS ch SWS (SEMI, COMMA, EQUAL, SLASH, COLON …): taken when ch is there; else nothing moves. */
static inline bool td_cur_sep(struct td_cur *c, char ch)
{
	const char *p = c->p;

	td_cur_lws(c);
	if (!td_cur_take(c, ch)) {
		c->p = p;
		return false;
	}
	td_cur_lws(c);
	return true;
}

/* What is left, which is then read. */
static inline struct td_str td_cur_rest(struct td_cur *c)
{
	struct td_str s = { c->p, (size_t)(c->end - c->p) };

	c->p = c->end;
	return s;
}

/* A position in text, after which so many bytes may be looked at. */
static inline struct td_cur td_cur_near(struct td_str text, unsigned slack)
{
	return (struct td_cur){ text.p, text.n ? text.p + text.n : text.p, false, slack };
}

/* From p (an earlier c->p) to here. */
static inline struct td_str td_cur_since(const struct td_cur *c, const char *p)
{
	return (struct td_str){ p, (size_t)(c->p - p) };
}

/* At most so many digits, up to nine, as a number: 0 when there are none. */
static inline uint32_t td_cur_digits(struct td_cur *c, unsigned most)
{
	const char *p = c->p, *stop = c->end - p < (ptrdiff_t)most ? c->end : p + most;
	uint32_t v = 0;
	unsigned d;

	for (; p < stop; p++) {
		d = (unsigned char)*p - (unsigned)'0';
		if (d > 9)
			break;
		v = v * 10 + d;
	}
	c->p = p;
	return v;
}

/* A whole text of one to nine digits; false for any other, which may be a number all the same. */
static inline bool td_small_number(uint32_t *out, struct td_str s)
{
	struct td_cur c = td_cur_of(s);

	*out = td_cur_digits(&c, 9);
	return s.n && c.p == c.end;
}

/* ---- lexer.c ---- */

uint64_t td_cur_u64(struct td_cur *c, uint64_t max); /* 1*DIGIT, at most max */
struct td_str td_cur_quoted(struct td_cur *c);       /* quoted-string with its quotes */
struct td_str td_cur_comment(struct td_cur *c);      /* comment with its parentheses, nested ones inside */
/* host [ ":" port ]: v6 without its brackets, port 0 when not given. lws_colon: blanks may surround the colon (sent-by). */
struct td_str td_cur_hostport_any(struct td_cur *c, bool *v6, uint16_t *port, bool lws_colon);
/*
 * SEMI generic-param, when ";" comes next; false at the end of them (test c->bad).
 * generic-param = token [ EQUAL gen-value ]; gen-value = token / host / quoted-string. A v6 host may come without its
 * brackets, as "received" writes it.
 */
bool td_cur_param_any(struct td_param *out, struct td_cur *c);
/* *( SEMI generic-param ), checked; empty when no ";" follows. Bad above TD_SIP_MAX_PARAMS. */
struct td_str td_cur_params(struct td_cur *c);
/* Runs of the class and escapes ("%" HEX HEX), possibly empty. */
struct td_str td_cur_escaped(struct td_cur *c, uint32_t cls);

/*
 * The same two for what nearly every message writes: a name or IPv4 address with a port of at most five digits, and a
 * parameter without blanks and quotes. What is written otherwise is left to them, from where it starts.
 */
static inline struct td_str td_cur_hostport(struct td_cur *c, bool *v6, uint16_t *port, bool lws_colon)
{
	const char *host = c->p, *p = td_skip(host, c->end, c->slack, TD_CC_HOST);
	struct td_cur after = { p, c->end, false, 0 };
	uint32_t n = 0;

	if (c->bad || p == host || *host == '.' || *host == '-' || (lws_colon && p < c->end && *p != ':' && *p != ';'))
		return td_cur_hostport_any(c, v6, port, lws_colon);
	if (td_cur_take(&after, ':')) {
		n = td_cur_digits(&after, 5);
		if (!n || n > 65535 || td_cur_at_class(&after, TD_CC_DIGIT))
			return td_cur_hostport_any(c, v6, port, lws_colon);
	}
	c->p = after.p;
	*v6 = false;
	*port = (uint16_t)n;
	return td_str_n(host, (size_t)(p - host));
}

static inline bool td_cur_param(struct td_param *out, struct td_cur *c)
{
	const char *name = c->p + 1, *end = c->end, *value = NULL, *p, *q;

	if (c->bad || c->p >= end)
		return false;
	if (*c->p != ';')
		return td_cur_param_any(out, c);
	p = q = td_skip(name, end, c->slack, TD_CC_TOKEN);
	if (p < end && *p == '=') {
		value = p + 1;
		q = td_skip(value, end, c->slack, TD_CC_GEN_VALUE);
	}
	if (p == name || q == value || (q < end && *q != ';'))
		return td_cur_param_any(out, c);
	c->p = q;
	out->name = td_str_n(name, (size_t)(p - name));
	out->value = td_str_n(value, value ? (size_t)(q - value) : 0);
	return true;
}

/*
 * SIP-URI = "sip:" [ user "@" ] host [ ":" port ], which is all there is of nearly every URI: read from p, followed by `stop` (0: by
 * the end), at which the answer points. NULL, and nothing written, for any other: it is left to the reading of any. u is zero.
 */
static inline const char *td_usual_sip_uri(struct td_uri *u, const char *p, const char *end, unsigned slack, char stop)
{
	const char *user, *host, *q;
	struct td_cur port = { NULL, end, false, 0 };
	uint32_t n = 0;

	if (end - p <= 4 || ((td_load32(p) ^ td_load32("sip:")) & td_load32("\xdf\xdf\xdf\xff")) != 0)
		return NULL;
	user = host = p + 4;
	q = td_skip(user, end, slack, TD_CC_HOST);
	if (q < end && *q == '@') {
		host = q + 1;
		q = td_skip(host, end, slack, TD_CC_HOST);
	}
	if (q == host || *host == '.' || *host == '-' || host - user == 1 || host - user > TD_SIP_MAX_TOKEN)
		return NULL;
	port.p = q;
	if (q < end && *q == ':') {
		port.p++;
		n = td_cur_digits(&port, 5);
		if (!n || n > 65535)
			return NULL;
	}
	if ((stop ? port.p == end || *port.p != stop : port.p != end) || port.p - p > TD_SIP_MAX_URI)
		return NULL;
	u->text = td_str_n(p, (size_t)(port.p - p));
	u->scheme = TD_SCHEME_SIP;
	u->scheme_name = td_str_n(p, 3);
	if (host > user)
		u->user = td_str_n(user, (size_t)(host - user) - 1);
	u->host = td_str_n(host, (size_t)(q - host));
	u->port = (uint16_t)n;
	return port.p;
}

int td_hex_digit(char ch); /* 0..15 or -1 */
/* IPv6address without brackets; the ":::" of RFC 5118 §4.10 is tolerated, a zone is not. False, and out untouched, if it is none. */
bool td_v6_parse(uint8_t out[16], struct td_str s);

/*
 * Is the byte at p, in a text from start on, the second one of a quoted-pair? That is the one place where a header part
 * may have a NUL: "\" NUL is a pair (RFC 4475 §3.1.1.2), "\" "\" NUL is a pair and a NUL.
 */
static inline bool td_is_escaped(const char *start, const char *p)
{
	const char *q = p;

	while (q > start && q[-1] == '\\')
		q--;
	return (p - q) % 2 == 1;
}

/* ---- uri.c ---- */

struct td_pctchar {
	unsigned char ch;
	bool escaped; /* written as %HH */
};

/* Next character of a text whose escapes were checked. False at the end. */
bool td_pct_next(struct td_pctchar *out, struct td_str *rest);

/* ---- header_*.c ---- */

/*
 * As td_uri_parse(), td_via_parse() and td_name_addr_parse_tag(), into what the caller has cleared; on failure it holds
 * what had been read. For those who have a place for it already. slack: as in struct td_cur.
 */
int td_uri_read(struct td_uri *u, struct td_str text, unsigned slack);
int td_via_read(struct td_via *v, struct td_str value, unsigned slack);
int td_name_addr_read(struct td_name_addr *na, struct td_str *tag, struct td_str value, unsigned slack);
/* The same of From and To for their tag alone: a URI in brackets is not looked at, and na->uri stays empty. */
int td_tag_read(struct td_name_addr *na, struct td_str *tag, struct td_str value, unsigned slack);

/* How many bytes after a text of the message may be looked at: the rest of it, as far as anybody wants it. */
static inline unsigned td_msg_slack(const struct td_msg *m, struct td_str s)
{
	size_t n = (size_t)(m->bytes.p + m->bytes.n - s.p) - s.n;

	return n < 16 ? (unsigned)n : 16;
}

/*
 * The same without the short cuts for what nearly all write, and so is td_msg_parse_any() for the index of a message: what
 * the fuzzer and tests compare the others with.
 */
int td_uri_read_any(struct td_uri *u, struct td_str text);
int td_via_read_any(struct td_via *v, struct td_str value);
int td_name_addr_read_any(struct td_name_addr *na, struct td_str *tag, struct td_str value);
int td_auth_parse_any(struct td_auth *out, struct td_str value);
int td_msg_parse_any(struct td_msg **out, struct td_buf *buf, size_t at, size_t n);

/* From, To: td_name_addr_parse() which finds the tag in the same pass. p NULL: none; an empty or doubled one is TD_ESYNTAX. */
int td_name_addr_parse_tag(struct td_name_addr *out, struct td_str *tag, struct td_str value);
int td_qvalue(int16_t *out, struct td_str s);                     /* 0..1000 */
int td_auth_info_parse(struct td_auth *out, struct td_str value); /* Authentication-Info: td_auth_parse() without a scheme */

/* ---- names.c ---- */

/* As td_hdr_id_of(), for a name that is known to be a token. */
enum td_hdr_id td_hdr_id_of_token(const char *p, size_t n);
enum td_hdr_id td_hdr_id_of_compact(const char *p, size_t n); /* of less than two characters */

struct td_hdr_text {
	char text[31]; /* sixteen can be loaded whatever the length */
	uint8_t n;
};

extern const struct td_hdr_text td_hdr_texts[TD_HDR_COUNT];
extern const uint8_t td_hdr_slots[512];

#define TD_HDR_SLOT(middle, n) ((((middle) + (uint32_t)(n)) * 0x9b08923du) >> 23)

/* The one id that a name of at least two characters can have. One of two or three stands between a line feed and a colon. */
static inline enum td_hdr_id td_hdr_candidate(const char *p, size_t n)
{
	return td_hdr_slots[TD_HDR_SLOT(le32toh(td_load32(p + (ptrdiff_t)(n / 2) - 2)) | 0x20202020u, n)];
}

#if defined(__SSE2__)
/* td_hdr_id_of_token() for at most sixteen bytes at p, which `start` holds with whatever follows; no CR is among them. */
static inline enum td_hdr_id td_hdr_id_of_start(const char *p, unsigned n, __m128i start)
{
	const __m128i fold = _mm_set1_epi8(0x20);
	enum td_hdr_id id = td_hdr_candidate(p, n);
	__m128i same;

	if (td_hdr_texts[id].n != n)
		return n < 2 ? td_hdr_id_of_compact(p, n) : TD_HDR_OTHER;
	same = _mm_cmpeq_epi8(_mm_or_si128(start, fold), _mm_or_si128(td_load128(td_hdr_texts[id].text), fold));
	return ((unsigned)_mm_movemask_epi8(same) | ~0u << n) == ~0u ? id : TD_HDR_OTHER;
}
#endif

/* ---- start_line.c ---- */

struct td_start_line {
	bool request;
	struct td_str method, uri, reason;
	uint16_t status;         /* responses: 100..699 */
	struct td_defect defect; /* requests: what is wrong with it (400, 505) */
};

/* A start line without its CRLF. TD_ESYNTAX: neither a request line nor a good status line of any SIP. */
int td_start_line_parse(struct td_start_line *out, struct td_str line);

/* ---- edit.c ---- */

enum { TD_VIA_EDITS = 3, TD_VIA_RPORT_TEXT = sizeof("rport=65535") };

/* What the transport saw, as edits of the top Via, in order; how many. rport_text is what one of them may borrow. */
unsigned td_via_edits(struct td_edit out[TD_VIA_EDITS], char rport_text[TD_VIA_RPORT_TEXT], const struct td_msg *m);

#endif
