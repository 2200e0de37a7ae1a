/*
 * Bytes: the classes of RFC 3261 §25.1 as one table, and scans for the first byte that is not of a class, or that is one of
 * a few. With SSE2 sixteen bytes are looked at in a step; every scan has a twin named _plain, one byte at a time, which is
 * the scan of machines without it and what tests and the fuzzer compare it with. No scan reads a byte outside [p, end).
 */
#ifndef TANDEM_SIP_SCAN_H
#define TANDEM_SIP_SCAN_H

#include <tandem/base.h>

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
	/* What names are made of. Each of these has all letters and digits, "." and "-", and of them nearly everything is. */
	TD_CC_NAMES = TD_CC_TOKEN | TD_CC_WORD | TD_CC_HOST | TD_CC_USER | TD_CC_PASSWORD | TD_CC_URI_PARAM | TD_CC_URI_HEADER |
		      TD_CC_URIC | TD_CC_SCHEME,
};

extern const uint32_t td_cc[256];

static inline bool td_is(char ch, uint32_t cls)
{
	return (td_cc[(unsigned char)ch] & cls) != 0;
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

/* ---- runs of a class ---- */

/* First byte in [p, end) that is not of the class, or end. */
static inline const char *td_skip_plain(const char *p, const char *end, uint32_t cls)
{
	while (p < end && td_is(*p, cls))
		p++;
	return p;
}

#if defined(__SSE2__)
static inline __m128i td_load128(const char *p)
{
	return _mm_loadu_si128((const __m128i *)(const void *)p);
}

/* Which of sixteen bytes are no letter, no digit, neither "." nor "-": a bit each. */
static inline unsigned td_odd16(__m128i x)
{
	__m128i letter = _mm_sub_epi8(_mm_or_si128(x, _mm_set1_epi8(0x20)), _mm_set1_epi8('a'));
	__m128i digit = _mm_sub_epi8(x, _mm_set1_epi8('-')); /* "-" "." "/" "0".."9" */
	__m128i slash = _mm_cmpeq_epi8(x, _mm_set1_epi8('/'));

	letter = _mm_cmpeq_epi8(letter, _mm_min_epu8(letter, _mm_set1_epi8('z' - 'a')));
	digit = _mm_cmpeq_epi8(digit, _mm_min_epu8(digit, _mm_set1_epi8('9' - '-')));
	return (unsigned)_mm_movemask_epi8(_mm_or_si128(letter, _mm_andnot_si128(slash, digit))) ^ 0xffff;
}

/* As td_skip(), for the last bytes of a text and for what td_skip() stops at before it is known not to be of the class. */
const char *td_skip_rest(const char *p, const char *end, uint32_t cls);

/* As td_skip_plain(), for classes of TD_CC_NAMES. Bytes up to end + slack may be looked at. */
static inline const char *td_skip(const char *p, const char *end, unsigned slack, uint32_t cls)
{
	unsigned odd;

	while (end - p + (ptrdiff_t)slack >= 16) {
		odd = td_odd16(td_load128(p));
		p += odd ? __builtin_ctz(odd) : 16;
		if (p >= end)
			return end;
		if (odd)
			return td_is(*p, cls) ? td_skip_rest(p, end, cls) : p;
	}
	return td_skip_rest(p, end, cls);
}
#else
static inline const char *td_skip(const char *p, const char *end, unsigned slack, uint32_t cls)
{
	(void)slack;
	return td_skip_plain(p, end, cls);
}
#endif

/* Of a class with names, sixteen bytes at a time; of another one (digits, blanks), one by one. */
static inline const char *td_skip_class(const char *p, const char *end, unsigned slack, uint32_t cls)
{
	return cls & TD_CC_NAMES ? td_skip(p, end, slack, cls) : td_skip_plain(p, end, cls);
}

/* Is every byte of the class, and is there at least one? */
static inline bool td_all(struct td_str s, uint32_t cls)
{
	return s.n > 0 && td_skip_class(s.p, s.p + s.n, 0, cls) == s.p + s.n;
}

/* ---- names ---- */

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

/* Equal, byte by byte: memcmp() == 0 for what is short and mostly is equal. */
static inline bool td_same_bytes(const char *a, const char *b, size_t n)
{
	size_t i;

	if (n >= 8) {
		for (i = 0; i + 8 < n; i += 8)
			if (td_load64(a + i) != td_load64(b + i))
				return false;
		return td_load64(a + n - 8) == td_load64(b + n - 8);
	}
	if (n >= 4)
		return td_load32(a) == td_load32(b) && td_load32(a + n - 4) == td_load32(b + n - 4);
	for (i = 0; i < n; i++)
		if (a[i] != b[i])
			return false;
	return true;
}

/* Is this token that name of ours? */
static inline bool td_token_is(struct td_str token, struct td_str name)
{
	return token.n == name.n && td_same_name(token.p, name.p, name.n);
}

/* ---- line ends ---- */

/* First CR, LF or NUL in [p, end), or end. */
static inline const char *td_scan_eol_plain(const char *p, const char *end)
{
	while (p < end && *p != '\r' && *p != '\n' && *p != '\0')
		p++;
	return p;
}

#if defined(__SSE2__)
/* Which of sixteen bytes are not above CR: line ends and NUL, but HTAB and rarer controls too. */
static inline unsigned td_low16(__m128i x)
{
	return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_min_epu8(x, _mm_set1_epi8('\r')), x));
}

static inline const char *td_scan_eol(const char *p, const char *end)
{
	unsigned mask;

	for (; end - p >= 16; p += 16) {
		mask = td_low16(td_load128(p));
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

/* ---- single bytes ---- */

#if defined(__SSE2__)
/* Which of sixteen bytes are ch. */
static inline unsigned td_equal16(__m128i x, char ch)
{
	return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(x, _mm_set1_epi8(ch)));
}
#endif

static inline const char *td_scan_char_plain(const char *p, const char *end, char ch)
{
	while (p < end && *p != ch)
		p++;
	return p;
}

/* First ch in [p, end), or end. What is looked for is mostly near: memchr(3) is not faster. slack: as for td_skip(). */
static inline const char *td_scan_char(const char *p, const char *end, unsigned slack, char ch)
{
#if defined(__SSE2__)
	for (; p < end && end - p + (ptrdiff_t)slack >= 16; p += 16) {
		unsigned mask = td_equal16(td_load128(p), ch);

		if (mask)
			return p + __builtin_ctz(mask) < end ? p + __builtin_ctz(mask) : end;
	}
	if (p > end)
		return end;
#endif
	(void)slack;
	return td_scan_char_plain(p, end, ch);
}

static inline const char *td_skip_visible_plain(const char *p, const char *end)
{
	while (p<end && * p> ' ' && *p < 127)
		p++;
	return p;
}

/* First byte that is no visible character of ASCII, or end. slack: as for td_skip(). */
static inline const char *td_skip_visible(const char *p, const char *end, unsigned slack)
{
#if defined(__SSE2__)
	for (; p < end && end - p + (ptrdiff_t)slack >= 16; p += 16) {
		__m128i x = td_load128(p); /* as signed numbers, those above 127 are less than a blank */
		__m128i seen = _mm_andnot_si128(_mm_cmpeq_epi8(x, _mm_set1_epi8(127)), _mm_cmpgt_epi8(x, _mm_set1_epi8(' ')));
		unsigned mask = (unsigned)_mm_movemask_epi8(seen) ^ 0xffff;

		if (mask)
			return p + __builtin_ctz(mask) < end ? p + __builtin_ctz(mask) : end;
	}
	if (p > end)
		return end;
#endif
	(void)slack;
	return td_skip_visible_plain(p, end);
}

/* ---- comma lists ---- */

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
		__m128i x = td_load128(p);
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

/* ---- quoted strings ---- */

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
		__m128i x = td_load128(p);
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

#endif
