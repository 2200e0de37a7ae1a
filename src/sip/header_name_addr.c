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
static inline int bare_addr(struct td_uri *out, struct td_cur *c, bool usual)
{
	const char *from = c->p;

	while (c->p < c->end && !td_is(*c->p, TD_CC_WSP) && *c->p != ';' && *c->p != '\r') {
		if (*c->p == '?' || *c->p == ',')
			return TD_ESYNTAX;
		c->p++;
	}
	return usual ? td_uri_read(out, td_cur_since(c, from), c->slack) : td_uri_read_any(out, td_cur_since(c, from));
}

/* LAQUOT addr-spec RAQUOT: no URI holds ">", so that the first one ends it. out NULL: what stands between is not looked at. */
static inline int angle_addr(struct td_uri *out, struct td_cur *c, bool usual)
{
	const char *from = c->p, *to = out && usual ? td_usual_sip_uri(out, from, c->end, c->slack, '>') : NULL;
	struct td_str text;
	size_t after;

	if (to) {
		c->p = to + 1;
		return 0;
	}
	to = td_scan_char(from, c->end, c->slack, '>');
	if (to == c->end)
		return TD_ESYNTAX;
	text = td_str_n(from, (size_t)(to - from));
	after = (size_t)(c->end - to) + c->slack;
	c->p = to + 1;
	if (!out)
		return 0;
	return usual ? td_uri_read(out, text, after < 16 ? (unsigned)after : 16) : td_uri_read_any(out, text);
}

/*
 * ( name-addr / addr-spec ), name-addr  =  [ display-name ] LAQUOT addr-spec RAQUOT
 * A scheme is a token too: what follows it, a colon or "<", tells the two apart.
 */
static inline int address(struct td_name_addr *na, struct td_cur *c, bool usual, bool tag_only)
{
	struct td_cur ahead = *c;
	struct td_str display = usual && td_cur_at(&ahead, '<') ? td_str_n(ahead.p, 0) : display_name(&ahead);
	if (ahead.bad)
		return TD_ESYNTAX;
	if (td_cur_take(&ahead, '<')) {
		na->display = display;
		na->angle = true;
		*c = ahead;
		return angle_addr(tag_only ? NULL : &na->uri, c, usual);
	}
	return bare_addr(&na->uri, c, usual);
}

/* tag-param  =  "tag" EQUAL token; once. */
static inline int tag_param(struct td_str *tag, struct td_str value)
{
	if (tag->p || !td_all(value, TD_CC_TOKEN))
		return TD_ESYNTAX;
	if (value.n > TD_SIP_MAX_TOKEN)
		return TD_ELIMIT;
	*tag = value;
	return 0;
}

/* ";tag=" and a token, as nearly all write it. False, and nothing read, if it is not so or not the first one. */
static inline bool usual_tag(struct td_str *tag, struct td_cur *c)
{
	const char *from, *p;

	if (c->end - c->p <= 5 || tag->p || *c->p != ';' ||
	    ((td_load32(c->p + 1) ^ td_load32("tag=")) & td_load32("\xdf\xdf\xdf\xff")) != 0)
		return false;
	from = c->p + 5;
	p = td_skip(from, c->end, c->slack, TD_CC_TOKEN);
	if (p == from || p - from > TD_SIP_MAX_TOKEN || (p < c->end && *p != ';'))
		return false;
	*tag = td_str_n(from, (size_t)(p - from));
	c->p = p;
	return true;
}

/*
 * from-spec  =  ( name-addr / addr-spec ) *( SEMI from-param )
 * With tag: From and To, whose tag is found (p NULL when there is none) and checked. tag_only: the URI is not read.
 */
static inline int read_name_addr(struct td_name_addr *na, struct td_str *tag, struct td_str value, unsigned slack, bool usual,
				 bool tag_only)
{
	struct td_cur c = td_cur_near(value, slack);
	struct td_param p;
	unsigned n;
	int err;

	na->text = value;
	err = address(na, &c, usual, tag_only);
	if (err)
		return err;
	td_cur_lws(&c);
	na->params = td_str_n(c.p, (size_t)(c.end - c.p));
	for (n = 0; n <= TD_SIP_MAX_PARAMS; n++) {
		if (usual && tag && usual_tag(tag, &c))
			continue;
		if (!(usual ? td_cur_param(&p, &c) : td_cur_param_any(&p, &c)))
			break;
		err = tag && n < TD_SIP_MAX_PARAMS && td_token_is(p.name, TD_STR("tag")) ? tag_param(tag, p.value) : 0;
		if (err)
			return err;
	}
	if (n > TD_SIP_MAX_PARAMS)
		return TD_ELIMIT;
	return td_cur_end(&c) ? 0 : TD_ESYNTAX;
}

int td_name_addr_read(struct td_name_addr *na, struct td_str *tag, struct td_str value, unsigned slack)
{
	return read_name_addr(na, tag, value, slack, true, false);
}

int td_name_addr_read_any(struct td_name_addr *na, struct td_str *tag, struct td_str value)
{
	return read_name_addr(na, tag, value, 0, false, false);
}

int td_tag_read(struct td_name_addr *na, struct td_str *tag, struct td_str value, unsigned slack)
{
	return read_name_addr(na, tag, value, slack, true, true);
}

int td_name_addr_parse_tag(struct td_name_addr *out, struct td_str *tag, struct td_str value)
{
	struct td_name_addr na = { 0 };
	struct td_str found = TD_STR_NULL;
	int err = td_name_addr_read(&na, tag ? &found : NULL, value, 0);

	if (err)
		return err;
	*out = na;
	if (tag)
		*tag = found;
	return 0;
}

int td_name_addr_parse(struct td_name_addr *out, struct td_str value)
{
	return td_name_addr_parse_tag(out, NULL, value);
}
