/*
 * Shared inside src/sip: character classes as one table, and the reading position's small steps.
 *
 * Every step either moves the position over what it names or sets c->bad and stays; once bad, always bad, so a parser
 * takes all its steps and tests once at the end (td_cur_end()). What is read once per message and byte is inline.
 */
#ifndef TANDEM_SIP_INTERNAL_H
#define TANDEM_SIP_INTERNAL_H

#include <tandem/sip.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

/* Classes of RFC 3261 §25.1; a byte has the bits of those it belongs to. */
enum {
	TD_CC_DIGIT = 1 << 0,
	TD_CC_HEX = 1 << 1,
	TD_CC_ALPHA = 1 << 2,
	TD_CC_TOKEN = 1 << 3,
	TD_CC_WORD = 1 << 4, /* Call-ID is word [ "@" word ] */
	TD_CC_HOST = 1 << 5, /* hostname and IPv4address; "_" too: names with it exist */
	TD_CC_V6 = 1 << 6,   /* between the brackets */
	TD_CC_USER = 1 << 7, /* user-unreserved / unreserved, without "%" */
	TD_CC_PASSWORD = 1 << 8,
	TD_CC_URI_PARAM = 1 << 9,   /* paramchar, without "%" */
	TD_CC_URI_HEADER = 1 << 10, /* hnv-unreserved / unreserved, without "%" */
	TD_CC_URIC = 1 << 11,       /* reserved / unreserved, without "%": what a URI of another scheme is made of */
	TD_CC_RESERVED = 1 << 12,   /* of RFC 2396: not equal to their escaped form */
	TD_CC_WSP = 1 << 13,        /* SP, HTAB */
	TD_CC_CTL = 1 << 14,        /* 0..31 and 127 */
	TD_CC_SCHEME = 1 << 15,     /* alphanum "+" "-" "." */
	TD_CC_GEN_VALUE = TD_CC_TOKEN | TD_CC_HOST | TD_CC_V6 | 1 << 16, /* token / host: "[" and "]" included */
};

extern const uint32_t td_cc[256];

static inline bool td_is(char ch, uint32_t cls)
{
	return (td_cc[(unsigned char)ch] & cls) != 0;
}

/* Is every byte of the class, and is there at least one? */
static inline bool td_all(struct td_str s, uint32_t cls)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if (!td_is(s.p[i], cls))
			return false;
	return s.n > 0;
}

static inline uint32_t td_load32(const char *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint64_t td_load64(const char *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/*
 * Equal but for case, of two texts of n bytes of which one is a name of ours and the other holds no control character:
 * our names are of letters and "-", and of what can stand here only a letter's two cases, or "-", meet those under | 0x20.
 */
static inline bool td_same_name(const char *a, const char *b, size_t n)
{
	const uint64_t fold = 0x2020202020202020u;
	size_t i;

	if (n >= 8) {
		for (i = 0; i + 8 < n; i += 8)
			if ((td_load64(a + i) | fold) != (td_load64(b + i) | fold))
				return false;
		return (td_load64(a + n - 8) | fold) == (td_load64(b + n - 8) | fold);
	}
	if (n >= 4)
		return (((td_load32(a) ^ td_load32(b)) | (td_load32(a + n - 4) ^ td_load32(b + n - 4))) & ~(uint32_t)fold) == 0;
	for (i = 0; i < n; i++)
		if ((a[i] | 0x20) != (b[i] | 0x20))
			return false;
	return true;
}

/* Is this token that name of ours? */
static inline bool td_token_is(struct td_str token, struct td_str name)
{
	return token.n == name.n && td_same_name(token.p, name.p, name.n);
}

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
	const char *p = c->p, *q = p, *end = c->end; /* in registers: the bytes read could alias *c */

	if (c->bad)
		return TD_STR_NULL;
	while (q < end && td_is(*q, cls))
		q++;
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

/* From p (an earlier c->p) to here. */
static inline struct td_str td_cur_since(const struct td_cur *c, const char *p)
{
	return (struct td_str){ p, (size_t)(c->p - p) };
}

/* ---- lexer.c ---- */

uint64_t td_cur_u64(struct td_cur *c, uint64_t max); /* 1*DIGIT, at most max */
struct td_str td_cur_quoted(struct td_cur *c);       /* quoted-string with its quotes */
struct td_str td_cur_comment(struct td_cur *c);      /* comment with its parentheses, nested ones inside */
/* host [ ":" port ]: v6 without its brackets, port 0 when not given. lws_colon: blanks may surround the colon (sent-by). */
struct td_str td_cur_hostport(struct td_cur *c, bool *v6, uint16_t *port, bool lws_colon);
/*
 * SEMI generic-param, when ";" comes next; false at the end of them (test c->bad).
 * generic-param = token [ EQUAL gen-value ]; gen-value = token / host / quoted-string. A v6 host may come without its
 * brackets, as "received" writes it.
 */
bool td_cur_param(struct td_param *out, struct td_cur *c);
/* *( SEMI generic-param ), checked; empty when no ";" follows. Bad above TD_SIP_MAX_PARAMS. */
struct td_str td_cur_params(struct td_cur *c);
/* Runs of the class and escapes ("%" HEX HEX), possibly empty. */
struct td_str td_cur_escaped(struct td_cur *c, uint32_t cls);

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

/* First CR, LF or NUL in [p, end), or end. td_scan_eol_plain() is the same for machines without SSE2, and for its test. */
static inline const char *td_scan_eol_plain(const char *p, const char *end)
{
	while (p < end && *p != '\r' && *p != '\n' && *p != '\0')
		p++;
	return p;
}

#if defined(__SSE2__)
/* Sixteen bytes at a time: those up to CR stand out by an unsigned minimum; HTAB and rarer controls are then passed over. */
static inline const char *td_scan_eol(const char *p, const char *end)
{
	const __m128i cr = _mm_set1_epi8('\r');
	unsigned mask;
	__m128i x;

	for (; end - p >= 16; p += 16) {
		x = _mm_loadu_si128((const __m128i *)(const void *)p);
		mask = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_min_epu8(x, cr), x));
		for (; mask; mask &= mask - 1) {
			const char *at = p + __builtin_ctz(mask);

			if (*at == '\r' || *at == '\n' || *at == '\0')
				return at;
		}
	}
	return td_scan_eol_plain(p, end);
}
#else
static inline const char *td_scan_eol(const char *p, const char *end)
{
	return td_scan_eol_plain(p, end);
}
#endif

/* ---- params.c ---- */

static inline const char *td_scan_list_plain(const char *p, const char *end)
{
	while (p < end && *p != ',' && *p != '"' && *p != '(' && *p != '<' && *p != '>')
		p++;
	return p;
}

/* The first byte that matters to a comma list: one of , " ( < > or the end. */
static inline const char *td_scan_list(const char *p, const char *end)
{
#if defined(__SSE2__)
	for (; end - p >= 16; p += 16) {
		__m128i x = _mm_loadu_si128((const __m128i *)(const void *)p);
		__m128i hit = _mm_or_si128(_mm_cmpeq_epi8(x, _mm_set1_epi8(',')), _mm_cmpeq_epi8(x, _mm_set1_epi8('"')));
		unsigned mask;

		hit = _mm_or_si128(hit, _mm_cmpeq_epi8(x, _mm_set1_epi8('(')));
		/* "<" and ">" differ in one bit, which "=" and "?" do not have so */
		hit = _mm_or_si128(hit, _mm_cmpeq_epi8(_mm_or_si128(x, _mm_set1_epi8(2)), _mm_set1_epi8('>')));
		mask = (unsigned)_mm_movemask_epi8(hit);
		if (mask)
			return p + __builtin_ctz(mask);
	}
#endif
	return td_scan_list_plain(p, end);
}

static inline const char *td_scan_quoted_plain(const char *p, const char *end)
{
	while (p < end && (unsigned char)*p > '\r' && *p != '"' && *p != '\\')
		p++;
	return p;
}

/* The first byte that matters to a quoted-string: a quote, a backslash, or one of the controls up to CR; or the end. */
static inline const char *td_scan_quoted(const char *p, const char *end)
{
#if defined(__SSE2__)
	for (; end - p >= 16; p += 16) {
		__m128i x = _mm_loadu_si128((const __m128i *)(const void *)p);
		__m128i hit = _mm_or_si128(_mm_cmpeq_epi8(x, _mm_set1_epi8('"')), _mm_cmpeq_epi8(x, _mm_set1_epi8('\\')));
		unsigned mask;

		hit = _mm_or_si128(hit, _mm_cmpeq_epi8(_mm_min_epu8(x, _mm_set1_epi8('\r')), x));
		mask = (unsigned)_mm_movemask_epi8(hit);
		if (mask)
			return p + __builtin_ctz(mask);
	}
#endif
	return td_scan_quoted_plain(p, end);
}

/* ---- uri.c ---- */

struct td_pctchar {
	unsigned char ch;
	bool escaped; /* written as %HH */
};

/* Next character of a text whose escapes were checked. False at the end. */
bool td_pct_next(struct td_pctchar *out, struct td_str *rest);

/* ---- header_*.c ---- */

/* From, To: td_name_addr_parse() which finds the tag in the same pass. p NULL: none; an empty or doubled one is TD_ESYNTAX. */
int td_name_addr_parse_tag(struct td_name_addr *out, struct td_str *tag, struct td_str value);
int td_qvalue(int16_t *out, struct td_str s);                     /* 0..1000 */
int td_auth_info_parse(struct td_auth *out, struct td_str value); /* Authentication-Info: td_auth_parse() without a scheme */

/* ---- names.c ---- */

/* As td_hdr_id_of(), for a name that is known to be a token. */
enum td_hdr_id td_hdr_id_of_token(const char *p, size_t n);

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
/* bytes[from .. to) with those edits made; they are sorted, do not overlap and lie inside. */
void td_put_edited(struct td_out *o, const char *bytes, size_t from, size_t to, const struct td_edit *e, unsigned n);

#endif
