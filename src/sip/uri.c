/*
 * URIs: SIP and SIPS (RFC 3261 §19.1, §25.1), tel (RFC 3966 §3), and others as far as their generic syntax goes.
 *
 * A URI is split once, as written; escapes are undone only after the split and only once (P8), by whoever needs the
 * character meant: comparison, addresses of record.
 */
#include "internal.h"

#include <arpa/inet.h>

/* *( ";" pname [ "=" pvalue ] ), of which ttl = 1*3DIGIT, 0..255 */
static int uri_params(struct td_cur *c, struct td_str *out)
{
	struct td_str name, value;
	const char *p = c->p;
	unsigned count = 0;
	uint64_t ttl;

	while (td_cur_take(c, ';')) {
		name = td_cur_escaped(c, TD_CC_URI_PARAM);
		if (!name.n)
			return TD_ESYNTAX;
		if (td_cur_take(c, '=')) {
			value = td_cur_escaped(c, TD_CC_URI_PARAM);
			if (!value.n || (td_token_is(name, TD_STR("ttl")) && td_str_u64(&ttl, value, 255)))
				return TD_ESYNTAX;
		}
		if (++count > TD_SIP_MAX_PARAMS)
			return TD_ELIMIT;
	}
	*out = td_cur_since(c, p);
	return c->bad ? TD_ESYNTAX : 0;
}

/* headers = "?" header *( "&" header ); header = hname "=" hvalue */
static int uri_headers(struct td_cur *c, struct td_str *out)
{
	const char *p;
	unsigned count = 0;

	if (!td_cur_take(c, '?'))
		return 0;
	p = c->p;
	do {
		if (!td_cur_escaped(c, TD_CC_URI_HEADER).n)
			return TD_ESYNTAX;
		td_cur_want(c, '=');
		td_cur_escaped(c, TD_CC_URI_HEADER);
		if (++count > TD_SIP_MAX_PARAMS)
			return TD_ELIMIT;
	} while (td_cur_take(c, '&'));
	*out = td_cur_since(c, p);
	return c->bad ? TD_ESYNTAX : 0;
}

/*
 * userinfo = user [ ":" password ] "@". An "@" cannot stand in any other part, so the first one ends the user part.
 * Mostly the first word is the user or, where the URI ends with it, the host.
 */
static inline int userinfo(struct td_cur *c, struct td_uri *u, bool usual)
{
	const char *p = usual ? td_skip(c->p, c->end, c->slack, TD_CC_HOST) : c->p;

	if (p == c->end)
		return 0;
	if (*p == '@' && p > c->p && p - c->p <= TD_SIP_MAX_TOKEN) {
		u->user = td_str_n(c->p, (size_t)(p - c->p));
		c->p = p + 1;
		return 0;
	}
	if (td_scan_char(p, c->end, c->slack, '@') == c->end)
		return 0;
	u->user = td_cur_escaped(c, TD_CC_USER);
	if (!c->bad && !u->user.n)
		return TD_ESYNTAX;
	if (td_cur_take(c, ':')) {
		u->password = td_cur_escaped(c, TD_CC_PASSWORD);
		if (!u->password.p)
			return TD_ESYNTAX;
	}
	td_cur_want(c, '@');
	if (u->user.n > TD_SIP_MAX_TOKEN || u->password.n > TD_SIP_MAX_TOKEN)
		return TD_ELIMIT;
	return c->bad ? TD_ESYNTAX : 0;
}

static inline int sip_uri(struct td_cur *c, struct td_uri *u, bool usual)
{
	int err = userinfo(c, u, usual);

	if (err)
		return err;
	u->host = usual ? td_cur_hostport(c, &u->host_v6, &u->port, false) : td_cur_hostport_any(c, &u->host_v6, &u->port, false);
	if (c->bad)
		return TD_ESYNTAX;
	if (c->p == c->end)
		return 0;
	err = uri_params(c, &u->params);
	return err ? err : uri_headers(c, &u->headers);
}

static bool is_separator(char ch)
{
	return ch == '-' || ch == '.' || ch == '(' || ch == ')';
}

/*
 * global-number = "+" *phonedigit DIGIT *phonedigit; local-number: the same of phonedigit-hex without "+", and it "MUST"
 * have a phone-context (RFC 3966 §5.1.5), without which it means a different telephone everywhere.
 */
static int tel_uri(struct td_cur *c, struct td_uri *u)
{
	const char *p = c->p;
	bool global = td_cur_take(c, '+');
	struct td_param ctx;
	size_t digits = 0;
	int err;

	for (; c->p < c->end; c->p++) {
		if (global ? td_is(*c->p, TD_CC_DIGIT) : td_is(*c->p, TD_CC_HEX) || *c->p == '*' || *c->p == '#')
			digits++;
		else if (!is_separator(*c->p))
			break;
	}
	u->user = td_cur_since(c, p);
	if (!digits)
		return TD_ESYNTAX;
	if (u->user.n > TD_SIP_MAX_TOKEN)
		return TD_ELIMIT;
	err = uri_params(c, &u->params);
	if (err)
		return err;
	if (!global && !(td_param_find(&ctx, u->params, TD_STR("phone-context")) && ctx.value.n))
		return TD_ESYNTAX;
	return 0;
}

static enum td_scheme scheme_of(struct td_str name)
{
	if (td_token_is(name, TD_STR("sip")))
		return TD_SCHEME_SIP;
	if (td_token_is(name, TD_STR("sips")))
		return TD_SCHEME_SIPS;
	if (td_token_is(name, TD_STR("tel")))
		return TD_SCHEME_TEL;
	return TD_SCHEME_OTHER;
}

/* "sip:", in any case, and something after it. The colon has no second case: so its bits are all compared. */
static inline bool is_sip(struct td_str text)
{
	return text.n > 4 && ((td_load32(text.p) ^ td_load32("sip:")) & td_load32("\xdf\xdf\xdf\xff")) == 0;
}

/* scheme = ALPHA *( ALPHA / DIGIT / "+" / "-" / "." ), and the colon */
static void scheme(struct td_uri *u, struct td_cur *c)
{
	if (!td_cur_at_class(c, TD_CC_ALPHA))
		c->bad = true;
	u->scheme_name = td_cur_span1(c, TD_CC_SCHEME);
	td_cur_want(c, ':');
	u->scheme = scheme_of(u->scheme_name);
}

static inline int read_uri(struct td_uri *u, struct td_str text, unsigned slack, bool usual)
{
	struct td_cur c = td_cur_near(text, slack);
	int err = 0;

	u->text = text;
	if (text.n > TD_SIP_MAX_URI)
		return TD_ELIMIT;
	if (usual && is_sip(text)) {
		u->scheme = TD_SCHEME_SIP;
		u->scheme_name = td_str_n(text.p, 3);
		c.p += 4;
	} else {
		scheme(u, &c);
		if (td_cur_done(&c))
			return TD_ESYNTAX;
	}
	if (u->scheme == TD_SCHEME_OTHER)
		td_cur_escaped(&c, TD_CC_URIC);
	else if (u->scheme == TD_SCHEME_TEL)
		err = tel_uri(&c, u);
	else
		err = sip_uri(&c, u, usual);
	if (err)
		return err;
	return td_cur_end(&c) ? 0 : TD_ESYNTAX;
}

int td_uri_read(struct td_uri *u, struct td_str text, unsigned slack)
{
	if (text.n && td_usual_sip_uri(u, text.p, text.p + text.n, slack, 0))
		return 0;
	return read_uri(u, text, slack, true);
}

int td_uri_read_any(struct td_uri *u, struct td_str text)
{
	return read_uri(u, text, 0, false);
}

int td_uri_parse(struct td_uri *out, struct td_str text)
{
	struct td_uri u = { 0 };
	int err = td_uri_read(&u, text, 0);

	if (!err)
		*out = u;
	return err;
}

/* ---- escapes ---- */

bool td_pct_next(struct td_pctchar *out, struct td_str *rest)
{
	if (!rest->n)
		return false;
	out->escaped = *rest->p == '%' && rest->n >= 3 && td_hex_digit(rest->p[1]) >= 0 && td_hex_digit(rest->p[2]) >= 0;
	out->ch = out->escaped ? (unsigned char)(td_hex_digit(rest->p[1]) << 4 | td_hex_digit(rest->p[2]))
			       : (unsigned char)*rest->p;
	rest->p += out->escaped ? 3 : 1;
	rest->n -= out->escaped ? 3 : 1;
	return true;
}

static void put_escaped(struct td_out *o, unsigned char ch)
{
	static const char digit[16] = "0123456789ABCDEF";
	char text[3] = { '%', digit[ch >> 4], digit[ch & 15] };

	td_out_str(o, td_str_n(text, sizeof(text)));
}

int td_unescape(struct td_out *o, struct td_str v)
{
	struct td_str rest = v;
	struct td_pctchar c;

	/* Twice through: o stays as it was when the text is refused. */
	while (td_pct_next(&c, &rest))
		if ((c.ch == '%' && !c.escaped) || td_is((char)c.ch, TD_CC_CTL))
			return TD_ESYNTAX;
	for (rest = v; td_pct_next(&c, &rest);)
		td_out_char(o, (char)c.ch);
	return 0;
}

/* Writes what may stand in a user part as it is, and takes it off v. */
static void put_plain(struct td_out *o, struct td_str *v)
{
	size_t n = 0;

	while (n < v->n && td_is(v->p[n], TD_CC_USER))
		n++;
	if (!n)
		return;
	td_out_str(o, td_str_n(v->p, n));
	v->p += n;
	v->n -= n;
}

void td_escape_user(struct td_out *o, struct td_str v)
{
	for (put_plain(o, &v); v.n; put_plain(o, &v)) {
		put_escaped(o, (unsigned char)*v.p++);
		v.n--;
	}
}

/* ---- addresses of record ---- */

static void put_lower(struct td_out *o, struct td_str s)
{
	char *p = td_out_room(o, s.n);
	size_t i;

	for (i = 0; p && i < s.n; i++)
		p[i] = td_lower(s.p[i]);
}

/*
 * One spelling of a user part for all that §19.1.4 calls equal: escapes are undone where the character may stand there
 * bare, but for those of the reserved set, which do not equal their escaped form. What stays escaped is in upper case.
 */
static int put_user(struct td_out *o, struct td_str user)
{
	struct td_pctchar c;

	for (put_plain(o, &user); td_pct_next(&c, &user); put_plain(o, &user)) {
		if (td_is((char)c.ch, TD_CC_CTL))
			return TD_ESYNTAX;
		if (!td_is((char)c.ch, TD_CC_USER) || (c.escaped && td_is((char)c.ch, TD_CC_RESERVED)))
			put_escaped(o, c.ch);
		else
			td_out_char(o, (char)c.ch);
	}
	return 0;
}

static void put_host(struct td_out *o, const struct td_uri *u)
{
	char z[INET6_ADDRSTRLEN];
	uint8_t addr[16];

	if (!u->host_v6) {
		put_lower(o, u->host);
	} else if (td_v6_parse(addr, u->host) && inet_ntop(AF_INET6, addr, z, sizeof(z))) {
		td_out_char(o, '[');
		td_out_z(o, z);
		td_out_char(o, ']');
	}
}

int td_aor_user(struct td_out *o, struct td_str user)
{
	size_t n = o->n;

	if (put_user(o, user)) {
		o->n = n;
		return TD_ESYNTAX;
	}
	td_out_char(o, '@');
	return 0;
}

static int sip_aor(struct td_out *o, const struct td_uri *u)
{
	uint16_t standard = u->scheme == TD_SCHEME_SIPS ? 5061 : 5060;

	if (u->user.p && td_aor_user(o, u->user))
		return TD_ESYNTAX;
	put_host(o, u);
	if (u->port && u->port != standard) {
		td_out_char(o, ':');
		td_out_u64(o, u->port);
	}
	return 0;
}

static void put_number(struct td_out *o, struct td_str number)
{
	size_t i;

	for (i = 0; i < number.n; i++)
		if (!is_separator(number.p[i]))
			td_out_char(o, td_lower(number.p[i]));
}

/* tel:NUMBER without its separators, a local one with its context, which is a name or a number itself. */
static void tel_aor(struct td_out *o, const struct td_uri *u)
{
	struct td_param ctx;

	td_out_z(o, "tel:");
	put_number(o, u->user);
	if (u->user.p[0] != '+' && td_param_find(&ctx, u->params, TD_STR("phone-context"))) {
		td_out_z(o, ";phone-context=");
		if (ctx.value.p[0] == '+')
			put_number(o, ctx.value);
		else
			put_lower(o, ctx.value);
	}
}

int td_uri_aor(struct td_out *o, const struct td_uri *u)
{
	size_t n = o->n;
	int err = 0;

	switch (u->scheme) {
	case TD_SCHEME_SIP:
	case TD_SCHEME_SIPS: err = sip_aor(o, u); break;
	case TD_SCHEME_TEL: tel_aor(o, u); break;
	case TD_SCHEME_OTHER: td_out_str(o, u->text); break;
	}
	if (err)
		o->n = n;
	return err;
}
