/*
 * Equality of URIs: RFC 3261 §19.1.4 for SIP and SIPS, RFC 3966 §4 for tel. It is not transitive: a parameter that only
 * one of two URIs has is ignored as a rule, so both sip:a@b;x=1 and sip:a@b;x=2 equal sip:a@b.
 */
#include "internal.h"

/*
 * "Characters other than those in the reserved set are equivalent to their %HH encoding": a reserved one differs from
 * its escape.
 */
static bool pct_eq(struct td_str a, struct td_str b, bool fold)
{
	struct td_pctchar x, y;

	if (!a.n || !b.n)
		return a.n == b.n;
	for (;;) {
		bool more = td_pct_next(&x, &a);

		if (td_pct_next(&y, &b) != more)
			return false;
		if (!more)
			return true;
		if (x.ch != y.ch && !(fold && td_lower((char)x.ch) == td_lower((char)y.ch)))
			return false;
		if (x.escaped != y.escaped && td_is((char)x.ch, TD_CC_RESERVED))
			return false;
	}
}

static bool opt_eq(struct td_str a, struct td_str b, bool fold)
{
	return !a.p == !b.p && pct_eq(a, b, fold);
}

static bool host_eq(const struct td_uri *a, const struct td_uri *b)
{
	uint8_t x[16], y[16];

	if (a->host_v6 != b->host_v6)
		return false;
	if (!a->host_v6)
		return td_str_ieq(a->host, b->host);
	return td_v6_parse(x, a->host) && td_v6_parse(y, b->host) && memcmp(x, y, sizeof(x)) == 0;
}

static bool find(struct td_param *out, struct td_str params, struct td_str name)
{
	struct td_param p;

	while (td_param_next(&p, &params) == 1) {
		if (pct_eq(p.name, name, true)) {
			*out = p;
			return true;
		}
	}
	return false;
}

/* Those that never match when only one of the two has them; transport is not in the rule's list but in its examples. */
static bool must_match(struct td_str name)
{
	static const struct td_str names[] = {
		TD_STR_INIT("user"), TD_STR_INIT("ttl"), TD_STR_INIT("method"), TD_STR_INIT("maddr"), TD_STR_INIT("transport"),
	};
	size_t i;

	for (i = 0; i < TD_ARRAY_LEN(names); i++)
		if (pct_eq(name, names[i], true))
			return true;
	return false;
}

/* How often the parameter stands in the list with this value. None may be doubled, but some come so. */
static unsigned param_count(struct td_str params, const struct td_param *p)
{
	struct td_param q;
	unsigned n = 0;

	while (td_param_next(&q, &params) == 1)
		n += pct_eq(q.name, p->name, true) && opt_eq(q.value, p->value, true);
	return n;
}

/* Every parameter of a that b has too has the same value; of those b lacks, none has to be there. */
static bool params_fit(struct td_str a, struct td_str b)
{
	struct td_str rest = a;
	struct td_param p, q;

	while (td_param_next(&p, &rest) == 1) {
		if (find(&q, b, p.name) ? param_count(a, &p) != param_count(b, &p) : must_match(p.name))
			return false;
	}
	return true;
}

/* Takes "name=value" off a list of URI headers. */
static bool header_next(struct td_param *out, struct td_str *rest)
{
	if (!rest->n)
		return false;
	out->value = td_str_split(rest, '&');
	out->name = td_str_split(&out->value, '=');
	return true;
}

/* How often name stands in the list, with this value. */
static unsigned header_count(struct td_str list, const struct td_param *h)
{
	struct td_param p;
	unsigned n = 0;

	while (header_next(&p, &list))
		n += pct_eq(p.name, h->name, true) && pct_eq(p.value, h->value, true);
	return n;
}

/*
 * "URI header components are never ignored": both have the same ones, in any order. Values are compared without case,
 * as header fields are unless their definition says otherwise (§7.3.1).
 */
static bool headers_eq(struct td_str a, struct td_str b)
{
	struct td_str rest = a;
	struct td_param p;
	unsigned na = 0, nb = 0;

	while (header_next(&p, &rest)) {
		na++;
		if (header_count(a, &p) != header_count(b, &p))
			return false;
	}
	for (rest = b; header_next(&p, &rest);)
		nb++;
	return na == nb;
}

static bool sip_eq(const struct td_uri *a, const struct td_uri *b)
{
	return opt_eq(a->user, b->user, false) && opt_eq(a->password, b->password, false) && host_eq(a, b) &&
	       a->port == b->port && params_fit(a->params, b->params) && params_fit(b->params, a->params) &&
	       headers_eq(a->headers, b->headers);
}

/* The next character of a number that is no visual separator; 0 at the end. */
static char digit_next(struct td_str *rest)
{
	while (rest->n) {
		char ch = *rest->p;

		rest->p++;
		rest->n--;
		if (ch != '-' && ch != '.' && ch != '(' && ch != ')')
			return td_lower(ch);
	}
	return 0;
}

static bool number_eq(struct td_str a, struct td_str b)
{
	char x, y;

	do {
		x = digit_next(&a);
		y = digit_next(&b);
	} while (x && x == y);
	return x == y;
}

/* phone-context is a host name or a number; ext and isub of digits; the rest text. No parameter may be missing in one. */
static bool tel_params_fit(struct td_str a, struct td_str b)
{
	struct td_param p, q;

	while (td_param_next(&p, &a) == 1) {
		bool number = td_str_ieq(p.name, TD_STR("ext")) ||
			      (td_str_ieq(p.name, TD_STR("phone-context")) && p.value.n && p.value.p[0] == '+');

		if (!find(&q, b, p.name))
			return false;
		if (!(number && p.value.p && q.value.p && number_eq(p.value, q.value)) && !param_count(b, &p))
			return false;
	}
	return true;
}

/* Both global or both local: the "+" is compared as a digit. */
static bool tel_eq(const struct td_uri *a, const struct td_uri *b)
{
	return number_eq(a->user, b->user) && tel_params_fit(a->params, b->params) && tel_params_fit(b->params, a->params);
}

bool td_uri_eq(const struct td_uri *a, const struct td_uri *b)
{
	struct td_str x = a->text, y = b->text;

	if (a->scheme != b->scheme)
		return false;
	switch (a->scheme) {
	case TD_SCHEME_SIP:
	case TD_SCHEME_SIPS: return sip_eq(a, b);
	case TD_SCHEME_TEL: return tel_eq(a, b);
	case TD_SCHEME_OTHER: break;
	}
	if (!td_str_ieq(a->scheme_name, b->scheme_name))
		return false;
	x.p += a->scheme_name.n, x.n -= a->scheme_name.n;
	y.p += b->scheme_name.n, y.n -= b->scheme_name.n;
	return td_str_eq(x, y);
}
