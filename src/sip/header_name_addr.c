/*
 * Addresses in headers: From, To, Contact, Route, Record-Route, Reply-To, Refer-To, Path … (RFC 3261 §20.10). From and To
 * are parsed for every message, so that the one scan of their parameters also finds the tag.
 */
#include "internal.h"

/*
 * display-name  =  *( token LWS ) / quoted-string
 * LWS between the last token and "<" is optional: RFC 4475 §3.1.1.6 (lwsdisp) says the grammar is meant so.
 */
static struct td_str display_name(struct td_cur *c)
{
	struct td_str quoted;
	const char *from = c->p, *to = c->p;

	if (td_cur_at(c, '"')) {
		quoted = td_cur_quoted(c);
		td_cur_lws(c);
		return quoted;
	}
	while (td_cur_at_class(c, TD_CC_TOKEN)) {
		td_cur_token(c);
		to = c->p;
		td_cur_lws(c);
	}
	return td_str_n(from, (size_t)(to - from));
}

/*
 * addr-spec without brackets. "If no '<' and '>' are present, all parameters after the URI are header parameters, not URI
 * parameters", and a URI with a comma, question mark or semicolon must stand in brackets (§20): so it ends at the first ";"
 * or white space, and the other two are errors (RFC 4475 §3.1.2.13).
 */
static int bare_addr(struct td_uri *out, struct td_cur *c)
{
	const char *from = c->p;

	while (c->p < c->end && !td_is(*c->p, TD_CC_WSP) && *c->p != ';' && *c->p != '\r') {
		if (*c->p == '?' || *c->p == ',')
			return TD_ESYNTAX;
		c->p++;
	}
	return td_uri_parse(out, td_cur_since(c, from));
}

/* LAQUOT addr-spec RAQUOT: no URI holds ">", so that the first one ends it. */
static int angle_addr(struct td_uri *out, struct td_cur *c)
{
	const char *from = c->p, *to = memchr(from, '>', (size_t)(c->end - from));

	if (!to)
		return TD_ESYNTAX;
	c->p = to + 1;
	return td_uri_parse(out, td_str_n(from, (size_t)(to - from)));
}

/*
 * ( name-addr / addr-spec ), name-addr  =  [ display-name ] LAQUOT addr-spec RAQUOT
 * A scheme is a token too: what follows it, a colon or "<", tells the two apart.
 */
static int address(struct td_name_addr *na, struct td_cur *c)
{
	struct td_cur ahead = *c;
	struct td_str display = display_name(&ahead);

	if (ahead.bad)
		return TD_ESYNTAX;
	if (td_cur_take(&ahead, '<')) {
		na->display = display;
		na->angle = true;
		*c = ahead;
		return angle_addr(&na->uri, c);
	}
	return bare_addr(&na->uri, c);
}

/* tag-param  =  "tag" EQUAL token; once. */
static int tag_param(struct td_str *tag, struct td_str value)
{
	if (tag->p || !td_all(value, TD_CC_TOKEN))
		return TD_ESYNTAX;
	if (value.n > TD_SIP_MAX_TOKEN)
		return TD_ELIMIT;
	*tag = value;
	return 0;
}

/*
 * from-spec  =  ( name-addr / addr-spec ) *( SEMI from-param )
 * With tag: From and To, whose tag is found (p NULL when there is none) and checked.
 */
int td_name_addr_parse_tag(struct td_name_addr *out, struct td_str *tag, struct td_str value)
{
	struct td_cur c = td_cur_of(value);
	struct td_name_addr na = { .text = value };
	struct td_str found = TD_STR_NULL;
	struct td_param p;
	unsigned n = 0;
	int err;

	err = address(&na, &c);
	if (err)
		return err;
	td_cur_lws(&c);
	na.params = td_str_n(c.p, (size_t)(c.end - c.p));
	while (td_cur_param(&p, &c)) {
		if (++n > TD_SIP_MAX_PARAMS)
			return TD_ELIMIT;
		if (tag && p.name.n == 3 && td_str_ieq(p.name, TD_STR("tag"))) {
			err = tag_param(&found, p.value);
			if (err)
				return err;
		}
	}
	if (!td_cur_end(&c))
		return TD_ESYNTAX;
	*out = na;
	if (tag)
		*tag = found;
	return 0;
}

int td_name_addr_parse(struct td_name_addr *out, struct td_str value)
{
	return td_name_addr_parse_tag(out, NULL, value);
}
