/*
 * Challenges and credentials: WWW-Authenticate, Proxy-Authenticate, Authorization, Proxy-Authorization (RFC 3261 §20.7,
 * §20.44, §22), and Authentication-Info, which is the same list without a scheme. Which of the values must be there, and
 * what they mean, is for auth/ to say; here every one of them is found once or not at all (A3).
 */
#include "internal.h"

/*
 * What Digest knows, where it goes, and how long it may be (P3). A name's place follows from its first letter and its length: no
 * two of these share one.
 */
#define PLACE(letter, n) (((unsigned)(letter) + 5 * (unsigned)(n)) % 32)
static const struct known {
	struct td_str name;
	uint16_t at, max;
} known[32] = {
#define PARAM(letter, field, limit) \
	[PLACE(letter, sizeof(#field) - 1)] = { TD_STR_INIT(#field), offsetof(struct td_auth, field), limit }
	PARAM('u', username, TD_SIP_MAX_TOKEN), PARAM('r', realm, TD_SIP_MAX_TOKEN),    PARAM('n', nonce, TD_SIP_MAX_TOKEN),
	PARAM('u', uri, TD_SIP_MAX_URI),        PARAM('r', response, TD_SIP_MAX_TOKEN), PARAM('a', algorithm, TD_SIP_MAX_TOKEN),
	PARAM('c', cnonce, TD_SIP_MAX_TOKEN),   PARAM('n', nc, TD_SIP_MAX_TOKEN),       PARAM('q', qop, TD_SIP_MAX_TOKEN),
	PARAM('o', opaque, TD_SIP_MAX_TOKEN),   PARAM('s', stale, TD_SIP_MAX_TOKEN),    PARAM('d', domain, TD_SIP_MAX_URI),
#undef PARAM
};

/* name is a token. */
static const struct known *find_known(struct td_str name)
{
	const struct known *k = &known[PLACE(*name.p | 0x20, name.n)];

	return td_token_is(name, k->name) ? k : NULL;
}

/*
 * auth-param  =  auth-param-name EQUAL ( token / quoted-string )
 * The grammar says for each Digest parameter whether it is quoted; peers mix them up (qop="auth" and algorithm="MD5" in
 * credentials, a bare stale or opaque), and nothing depends on it: either form is taken for any of them.
 */
static struct td_param auth_param(struct td_cur *c)
{
	struct td_param p = { .value = TD_STR_NULL };

	p.name = td_cur_token(c);
	if (!td_cur_sep(c, '='))
		c->bad = true;
	if (td_cur_at(c, '"')) {
		p.value = td_cur_quoted(c);
		if (!c->bad)
			p.value = td_str_n(p.value.p + 1, p.value.n - 2);
	} else {
		p.value = td_cur_token(c);
	}
	return p;
}

/* How long the name at p is, if it is of letters, digits, "-" and "." and "=" follows within sixteen bytes; else 0. */
static inline size_t usual_name(const char *p, const char *end)
{
#if defined(__SSE2__)
	if (end - p >= 16) {
		__m128i x = td_load128(p);
		unsigned equals = td_equal16(x, '=');

		/* the lowest bit of `equals`, less one: the bytes before it */
		return equals && !(td_odd16(x) & (equals - 1) & ~equals) ? (size_t)__builtin_ctz(equals) : 0;
	}
#endif
	return 0;
}

/* name="value" or name=token as nearly all write it. False, and nothing read, if it is not so. */
static inline bool usual_param(struct td_param *out, struct td_cur *c)
{
	const char *p = c->p, *end = c->end, *from, *to;
	size_t n = usual_name(p, end);

	if (!n)
		return false;
	from = p + n + 1;
	if (from < end && *from == '"') {
		to = td_scan_quoted(++from, end);
		if (to == end || *to != '"')
			return false;
		c->p = to + 1;
	} else {
		to = td_skip(from, end, 0, TD_CC_TOKEN);
		if (to == from)
			return false;
		c->p = to;
	}
	out->name = td_str_n(p, n);
	out->value = td_str_n(from, (size_t)(to - from));
	return true;
}

/* COMMA and one blank after it, if the parameter's name follows; else any COMMA. */
static inline bool comma(struct td_cur *c, bool usual)
{
	if (usual && c->end - c->p > 2 && c->p[0] == ',' && c->p[1] == ' ' && (unsigned char)c->p[2] > ' ') {
		c->p += 2;
		return true;
	}
	return td_cur_sep(c, ',');
}

/* Keeps p in its place. A second one of the same name is an error, whether we know the name or not. */
static int keep(struct td_auth *a, struct td_str *others, unsigned *n_others, const struct td_param *p)
{
	const struct known *k = find_known(p->name);
	struct td_str *at;
	unsigned i;

	if (k) {
		at = (struct td_str *)(void *)((char *)a + k->at);
		if (at->p)
			return TD_ESYNTAX;
		if (p->value.n > k->max)
			return TD_ELIMIT;
		*at = p->value;
		return 0;
	}
	for (i = 0; i < *n_others; i++)
		if (td_str_ieq(others[i], p->name))
			return TD_ESYNTAX;
	if (*n_others == TD_SIP_MAX_PARAMS)
		return TD_ELIMIT;
	others[(*n_others)++] = p->name;
	return 0;
}

/* auth-param *( COMMA auth-param ) */
static inline int auth_params(struct td_auth *a, struct td_cur *c, bool usual)
{
	/* Written before it is read; clearing it would cost as much as reading two of them. */
	struct td_str others[TD_SIP_MAX_PARAMS] __attribute__((uninitialized));
	unsigned n_others = 0;
	struct td_param p;
	int err;

	do {
		if (!usual || !usual_param(&p, c))
			p = auth_param(c);
		if (c->bad)
			return TD_ESYNTAX;
		err = keep(a, others, &n_others, &p);
		if (err)
			return err;
	} while (comma(c, usual));
	td_cur_lws(c);
	return td_cur_end(c) ? 0 : TD_ESYNTAX;
}

/* ainfo *( COMMA ainfo ): Authentication-Info has no scheme. */
int td_auth_info_parse(struct td_auth *out, struct td_str value)
{
	struct td_cur c = td_cur_of(value);
	struct td_auth a = { .digest = true };
	int err = auth_params(&a, &c, true);

	if (err)
		return err;
	*out = a;
	return 0;
}

/* Upper case passes here: whether a digest is right is for auth/ to say. Without a branch, so that the compiler makes vectors of it. */
static bool lhex(struct td_str s)
{
	uint8_t bad = 0;

	for (size_t i = 0; i < s.n; i++) {
		uint8_t digit = (uint8_t)(s.p[i] - '0'), letter = (uint8_t)((s.p[i] | 0x20) - 'a');

		bad |= (uint8_t)((digit > 9) & (letter > 5));
	}
	return !bad;
}

/*
 * credentials  =  ( "Digest" LWS digest-response ) / other-response
 * challenge    =  ( "Digest" LWS digest-cln *( COMMA digest-cln ) ) / other-challenge
 * nc-value        =  8LHEX
 * request-digest  =  LDQUOT 32LHEX RDQUOT; 64 with SHA-256 (RFC 8760), which auth/ checks by algorithm. Empty is taken: so
 * a phone of 3GPP TS 24.229 §5.1.1.2 says who it is in its first REGISTER.
 */
static inline int auth(struct td_auth *out, struct td_str value, bool usual)
{
	struct td_cur c = td_cur_of(value);
	struct td_auth a = { .digest = false };
	int err;

	a.scheme = td_cur_token(&c);
	td_cur_lws1(&c);
	if (c.bad)
		return TD_ESYNTAX;
	a.digest = td_str_ieq(a.scheme, TD_STR("Digest"));
	err = auth_params(&a, &c, usual);
	if (err)
		return err;
	if (a.digest && (!lhex(a.response) || (a.nc.p && (a.nc.n != 8 || !lhex(a.nc)))))
		return TD_ESYNTAX;
	*out = a;
	return 0;
}

int td_auth_parse(struct td_auth *out, struct td_str value)
{
	return auth(out, value, true);
}

int td_auth_parse_any(struct td_auth *out, struct td_str value)
{
	return auth(out, value, false);
}
