/*
 * The lexer: which bytes may stand where (one table for all of RFC 3261 §25.1) and the steps of the reading position
 * that are too long to be inline. Whatever reads a message, to decide about it or to forward it, reads it with these,
 * so that no two of our parts can see different things in the same bytes (P6).
 */
#include "internal.h"

#include <arpa/inet.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#define UNRESERVED (TD_CC_USER | TD_CC_PASSWORD | TD_CC_URI_PARAM | TD_CC_URI_HEADER | TD_CC_URIC)
#define TOKEN (TD_CC_TOKEN | TD_CC_WORD)
#define ALNUM (UNRESERVED | TOKEN | TD_CC_HOST | TD_CC_SCHEME)
#define RESERVED (TD_CC_RESERVED | TD_CC_URIC)
#define BRACKET (TD_CC_WORD | TD_CC_URI_PARAM | TD_CC_URI_HEADER | TD_CC_URIC | 1 << 16)

const uint32_t td_cc[256] = {
	[0 ... 8] = TD_CC_CTL,
	['\t'] = TD_CC_CTL | TD_CC_WSP,
	[10 ... 31] = TD_CC_CTL,
	[127] = TD_CC_CTL,
	[' '] = TD_CC_WSP,
	['0' ... '9'] = ALNUM | TD_CC_DIGIT | TD_CC_HEX | TD_CC_V6,
	['A' ... 'F'] = ALNUM | TD_CC_ALPHA | TD_CC_HEX | TD_CC_V6,
	['G' ... 'Z'] = ALNUM | TD_CC_ALPHA,
	['a' ... 'f'] = ALNUM | TD_CC_ALPHA | TD_CC_HEX | TD_CC_V6,
	['g' ... 'z'] = ALNUM | TD_CC_ALPHA,
	/* mark */
	['-'] = UNRESERVED | TOKEN | TD_CC_HOST | TD_CC_SCHEME,
	['_'] = UNRESERVED | TOKEN | TD_CC_HOST,
	['.'] = UNRESERVED | TOKEN | TD_CC_HOST | TD_CC_SCHEME | TD_CC_V6,
	['!'] = UNRESERVED | TOKEN,
	['~'] = UNRESERVED | TOKEN,
	['*'] = UNRESERVED | TOKEN,
	['\''] = UNRESERVED | TOKEN,
	['('] = UNRESERVED | TD_CC_WORD,
	[')'] = UNRESERVED | TD_CC_WORD,
	/* reserved */
	[';'] = RESERVED | TD_CC_USER,
	['/'] = RESERVED | TD_CC_USER | TD_CC_URI_PARAM | TD_CC_URI_HEADER | TD_CC_WORD,
	['?'] = RESERVED | TD_CC_USER | TD_CC_URI_HEADER | TD_CC_WORD,
	[':'] = RESERVED | TD_CC_URI_PARAM | TD_CC_URI_HEADER | TD_CC_WORD | TD_CC_V6,
	['@'] = RESERVED,
	['&'] = RESERVED | TD_CC_USER | TD_CC_PASSWORD | TD_CC_URI_PARAM,
	['='] = RESERVED | TD_CC_USER | TD_CC_PASSWORD,
	['+'] = RESERVED | TD_CC_USER | TD_CC_PASSWORD | TD_CC_URI_PARAM | TD_CC_URI_HEADER | TOKEN | TD_CC_SCHEME,
	['$'] = RESERVED | TD_CC_USER | TD_CC_PASSWORD | TD_CC_URI_PARAM | TD_CC_URI_HEADER,
	[','] = RESERVED | TD_CC_USER | TD_CC_PASSWORD,
	['['] = BRACKET,
	[']'] = BRACKET,
	/* the rest of token and word */
	['%'] = TOKEN,
	['`'] = TOKEN,
	['<'] = TD_CC_WORD,
	['>'] = TD_CC_WORD,
	['\\'] = TD_CC_WORD,
	['"'] = TD_CC_WORD,
	['{'] = TD_CC_WORD,
	['}'] = TD_CC_WORD,
	/* Not in the grammar of a user part, but phones send service codes (*31#) as they are dialled, and SIP has no fragments. */
	['#'] = TD_CC_USER,
};

int td_hex_digit(char ch)
{
	if (ch >= '0' && ch <= '9')
		return ch - '0';
	ch = td_lower(ch);
	return ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 : -1;
}

uint64_t td_cur_u64(struct td_cur *c, uint64_t max)
{
	uint64_t v = 0;
	unsigned d;

	if (!td_cur_at_class(c, TD_CC_DIGIT)) {
		c->bad = true;
		return 0;
	}
	for (; c->p < c->end && td_is(*c->p, TD_CC_DIGIT); c->p++) {
		d = (unsigned)(*c->p - '0');
		if (d > max || v > (max - d) / 10) {
			c->bad = true;
			return 0;
		}
		v = v * 10 + d;
	}
	return v;
}

/*
 * quoted-string = SWS DQUOTE *(qdtext / quoted-pair ) DQUOTE. A pair may escape anything but CR and LF, even NUL
 * (RFC 4475 §3.1.1.2); inside, CR LF may only stand as a fold. The closing quote of a value that ends in "\" is escaped,
 * hence missing (P9).
 */
struct td_str td_cur_quoted(struct td_cur *c)
{
	const char *p = c->p, *q, *end = c->end;

	td_cur_want(c, '"');
	while (!c->bad) {
		for (q = c->p; q < end && (unsigned char)*q > '\r' && *q != '"' && *q != '\\'; q++)
			;
		c->p = q;
		if (q == end || *q == '"')
			break;
		if (*q == '\\') {
			if (end - q < 2 || q[1] == '\r' || q[1] == '\n')
				c->bad = true;
			else
				c->p += 2;
		} else if (*q == '\r' || *q == '\n') {
			td_cur_lws1(c);
		} else if (*q == '\0') {
			c->bad = true;
		} else {
			c->p++;
		}
	}
	td_cur_want(c, '"');
	return c->bad ? TD_STR_NULL : td_cur_since(c, p);
}

/* comment = LPAREN *(ctext / quoted-pair / comment) RPAREN: depth is counted, so nesting costs no stack. */
struct td_str td_cur_comment(struct td_cur *c)
{
	const char *p = c->p;
	size_t depth = 0;

	if (!td_cur_at(c, '('))
		c->bad = true;
	while (!c->bad) {
		if (c->p >= c->end) {
			c->bad = true;
			break;
		}
		if (*c->p == '\\') {
			if (c->end - c->p < 2) {
				c->bad = true;
				break;
			}
			c->p++;
		} else if (*c->p == '(') {
			depth++;
		} else if (*c->p == ')') {
			depth--;
		}
		c->p++;
		if (!depth)
			break;
	}
	return c->bad ? TD_STR_NULL : td_cur_since(c, p);
}

bool td_v6_parse(uint8_t out[16], struct td_str s)
{
	char z[INET6_ADDRSTRLEN + 1];
	uint8_t bytes[16];
	size_t i, n = 0;

	if (s.n < 2 || s.n > INET6_ADDRSTRLEN)
		return false;
	for (i = 0; i < s.n; i++) {
		if (!td_is(s.p[i], TD_CC_V6))
			return false;
		if (s.p[i] == ':' && n >= 2 && z[n - 1] == ':' && z[n - 2] == ':')
			continue;
		z[n++] = s.p[i];
	}
	z[n] = '\0';
	if (inet_pton(AF_INET6, z, bytes) != 1)
		return false;
	memcpy(out, bytes, sizeof(bytes));
	return true;
}

/* host = hostname / IPv4address / IPv6reference; port = 1*DIGIT, 1..65535 */
struct td_str td_cur_hostport(struct td_cur *c, bool *v6, uint16_t *port, bool lws_colon)
{
	struct td_str host;
	uint8_t addr[16];
	uint64_t n;

	*port = 0;
	*v6 = td_cur_take(c, '[');
	if (*v6) {
		host = td_cur_span1(c, TD_CC_V6);
		td_cur_want(c, ']');
		if (!c->bad && !td_v6_parse(addr, host))
			c->bad = true;
	} else {
		host = td_cur_span1(c, TD_CC_HOST);
		if (host.n && (host.p[0] == '.' || host.p[0] == '-'))
			c->bad = true;
	}
	if (lws_colon ? td_cur_sep(c, ':') : td_cur_take(c, ':')) {
		n = td_cur_u64(c, 65535);
		if (!n)
			c->bad = true;
		*port = (uint16_t)n;
	}
	return host;
}

bool td_cur_param(struct td_param *out, struct td_cur *c)
{
	if (!td_cur_sep(c, ';'))
		return false;
	out->name = td_cur_token(c);
	out->value = TD_STR_NULL;
	if (td_cur_sep(c, '='))
		out->value = td_cur_at(c, '"') ? td_cur_quoted(c) : td_cur_span1(c, TD_CC_GEN_VALUE);
	return !c->bad;
}

struct td_str td_cur_params(struct td_cur *c)
{
	struct td_str out = { c->p, 0 };
	const char *end = c->p;
	struct td_param p;
	unsigned count = 0;

	while (td_cur_param(&p, c)) {
		if (!count++)
			out.p = end;
		if (count > TD_SIP_MAX_PARAMS)
			c->bad = true;
		end = c->p;
	}
	if (c->bad)
		return TD_STR_NULL;
	out.n = (size_t)(end - out.p);
	if (out.n)
		while (*out.p != ';') {       /* blanks before the first one are not part of it */
			out.p++;
			out.n--;
		}
	return out;
}

struct td_str td_cur_escaped(struct td_cur *c, uint32_t cls)
{
	const char *p = c->p;

	if (c->bad)
		return TD_STR_NULL;
	while (c->p < c->end) {
		if (td_is(*c->p, cls)) {
			c->p++;
		} else if (*c->p == '%') {
			if (c->end - c->p < 3 || !td_is(c->p[1], TD_CC_HEX) || !td_is(c->p[2], TD_CC_HEX)) {
				c->bad = true;
				return TD_STR_NULL;
			}
			c->p += 3;
		} else {
			break;
		}
	}
	return td_cur_since(c, p);
}

const char *td_scan_eol_plain(const char *p, const char *end)
{
	while (p < end && *p != '\r' && *p != '\n' && *p != '\0')
		p++;
	return p;
}

#if defined(__SSE2__)
/* Sixteen bytes at a time: those up to CR stand out by an unsigned minimum; HTAB and rarer controls are then passed over. */
const char *td_scan_eol(const char *p, const char *end)
{
	const __m128i cr = _mm_set1_epi8('\r');
	unsigned mask;
	__m128i x;

	while (end - p >= 16) {
		x = _mm_loadu_si128((const __m128i *)(const void *)p);
		mask = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_min_epu8(x, cr), x));
		for (; mask; mask &= mask - 1) {
			const char *at = p + __builtin_ctz(mask);

			if (*at == '\r' || *at == '\n' || *at == '\0')
				return at;
		}
		p += 16;
	}
	return td_scan_eol_plain(p, end);
}
#else
const char *td_scan_eol(const char *p, const char *end)
{
	return td_scan_eol_plain(p, end);
}
#endif
