/*
 * The lexer: which bytes may stand where (one table for all of RFC 3261 §25.1) and the steps of the reading position
 * that are too long to be inline. Whatever reads a message, to decide about it or to forward it, reads it with these,
 * so that no two of our parts can see different things in the same bytes (P6).
 */
#include "internal.h"

#include <arpa/inet.h>

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

#if defined(__SSE2__)
/* Up to fifteen bytes, zeros behind them: from two loads that may overlap. */
static __m128i load_short(const char *p, size_t n)
{
	uint64_t low = 0, high = 0;

	if (n >= 8) {
		low = td_load64(p);
		high = td_load64(p + n - 8) >> 1 >> (8 * (16 - n) - 1); /* in two steps: by 64 it would be undefined */
	} else if (n >= 4) {
		low = td_load32(p) | (uint64_t)td_load32(p + n - 4) << 8 * (n - 4);
	} else if (n) {
		low = (unsigned char)p[0] | (uint64_t)(unsigned char)p[n / 2] << 8 * (n / 2) |
		      (uint64_t)(unsigned char)p[n - 1] << 8 * (n - 1);
	}
	return _mm_set_epi64x((int64_t)high, (int64_t)low);
}

const char *td_skip_rest(const char *p, const char *end, uint32_t cls)
{
	size_t n;

	while (p < end) {
		while (p < end && td_is(*p, cls) && !td_is(*p, TD_CC_ALPHA | TD_CC_DIGIT))
			p++;
		n = (size_t)(end - p);
		p += __builtin_ctz(td_odd16(n < 16 ? load_short(p, n) : td_load128(p)) | 0x10000);
		if (p < end && !td_is(*p, cls))
			break;
	}
	return p;
}
#endif

int td_hex_digit(char ch)
{
	if (ch >= '0' && ch <= '9')
		return ch - '0';
	ch = td_lower(ch);
	return ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 : -1;
}

uint64_t td_cur_u64(struct td_cur *c, uint64_t max)
{
	const char *p = c->p, *end = c->end;
	uint64_t v = 0;

	for (; p < end && td_is(*p, TD_CC_DIGIT); p++) {
		unsigned d = (unsigned)(*p - '0');

		if (v > (UINT64_MAX - 9) / 10 && (v > UINT64_MAX / 10 || d > UINT64_MAX % 10))
			break;
		v = v * 10 + d;
		if (v > max)
			break;
	}
	if (c->bad || p == c->p || (p < end && td_is(*p, TD_CC_DIGIT))) {
		c->bad = true;
		return 0;
	}
	c->p = p;
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
		q = td_scan_quoted(c->p, end);
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
struct td_str td_cur_hostport_any(struct td_cur *c, bool *v6, uint16_t *port, bool lws_colon)
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

bool td_cur_param_any(struct td_param *out, struct td_cur *c)
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
		while (*out.p != ';') { /* blanks before the first one are not part of it */
			out.p++;
			out.n--;
		}
	return out;
}

struct td_str td_cur_escaped(struct td_cur *c, uint32_t cls)
{
	const char *from = c->p, *p = from, *end = c->end;

	if (c->bad)
		return TD_STR_NULL;
	for (;;) {
		p = td_skip(p, end, c->slack, cls);
		if (p >= end || *p != '%')
			break;
		if (end - p < 3 || !td_is(p[1], TD_CC_HEX) || !td_is(p[2], TD_CC_HEX)) {
			c->bad = true;
			return TD_STR_NULL;
		}
		p += 3;
	}
	c->p = p;
	return td_str_n(from, (size_t)(p - from));
}
