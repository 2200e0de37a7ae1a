/*
 * Parameters, quoted strings and comma lists: the three shapes in which header values repeat themselves.
 */
#include "internal.h"

/*
 * One iterator serves header parameters and URI parameters, so a name or value is what either grammar allows: token,
 * paramchar, escapes, host, quoted-string. Which of them, the parser of the value that holds them has checked.
 */
enum { PARAM = TD_CC_GEN_VALUE | TD_CC_URI_PARAM };

int td_param_next(struct td_param *out, struct td_str *rest)
{
	struct td_cur c = td_cur_of(*rest);
	struct td_param p;

	if (!td_cur_sep(&c, ';')) {
		td_cur_lws(&c);
		if (!td_cur_end(&c))
			return TD_ESYNTAX;
		*rest = (struct td_str){ c.p, 0 };
		return 0;
	}
	p.name = td_cur_span1(&c, PARAM);
	p.value = TD_STR_NULL;
	if (td_cur_sep(&c, '='))
		p.value = td_cur_at(&c, '"') ? td_cur_quoted(&c) : td_cur_span1(&c, PARAM);
	if (c.bad)
		return TD_ESYNTAX;
	*out = p;
	*rest = td_cur_rest(&c);
	return 1;
}

bool td_param_find(struct td_param *out, struct td_str params, struct td_str name)
{
	struct td_param p;

	while (td_param_next(&p, &params) == 1) {
		if (p.name.n == name.n && td_str_ieq(p.name, name)) {
			*out = p;
			return true;
		}
	}
	return false;
}

int td_unquote(struct td_out *o, struct td_str v)
{
	struct td_cur c = td_cur_of(v);
	struct td_str s;

	if (!td_cur_at(&c, '"')) {
		td_out_str(o, v);
		return 0;
	}
	s = td_cur_quoted(&c);
	if (!td_cur_end(&c))
		return TD_ESYNTAX;
	c = td_cur_of((struct td_str){ s.p + 1, s.n - 2 });
	while (c.p < c.end) {
		if (*c.p == '\r') { /* a fold reads as one blank */
			td_cur_lws(&c);
			td_out_char(o, ' ');
			continue;
		}
		if (*c.p == '\\')
			c.p++;
		td_out_char(o, *c.p++);
	}
	return 0;
}

/* CR, LF and NUL cannot be written in a quoted-string, not even escaped: they come out as blanks. */
void td_quote(struct td_out *o, struct td_str v)
{
	size_t i;

	td_out_char(o, '"');
	for (i = 0; i < v.n; i++) {
		char ch = v.p[i];

		if (ch == '"' || ch == '\\')
			td_out_char(o, '\\');
		td_out_char(o, ch == '\r' || ch == '\n' || ch == '\0' ? ' ' : ch);
	}
	td_out_char(o, '"');
}

/*
 * Up to the next comma that stands outside quotes, angle brackets and comments. Between < and > a quote or parenthesis
 * is no delimiter; a parenthesis opens a comment only after a blank, since user parts may contain one.
 */
static void skip_element(struct td_cur *c)
{
	const char *start = c->p;
	bool angle = false;

	while (!c->bad && (c->p = td_scan_list(c->p, c->end)) < c->end) {
		switch (*c->p) {
		case '"':
			if (angle)
				c->p++;
			else
				td_cur_quoted(c);
			break;
		case '(':
			if (angle || (c->p > start && !td_is(c->p[-1], TD_CC_WSP)))
				c->p++;
			else
				td_cur_comment(c);
			break;
		case '<':
			angle = true;
			c->p++;
			break;
		case '>':
			angle = false;
			c->p++;
			break;
		case ',':
			if (!angle)
				return;
			c->p++;
			break;
		}
	}
	if (angle)
		c->bad = true;
}

/* Empty elements are no elements: "a,,b" and ",a" are refused, an empty list has none. */
int td_list_next(struct td_str *out, struct td_str *rest)
{
	struct td_cur c = td_cur_of(*rest);
	struct td_str s;
	const char *p;

	td_cur_lws(&c);
	if (td_cur_end(&c)) {
		*rest = (struct td_str){ c.p, 0 };
		return 0;
	}
	p = c.p;
	skip_element(&c);
	s = td_str_trim(td_cur_since(&c, p));
	if (c.bad || !s.n)
		return TD_ESYNTAX;
	if (td_cur_take(&c, ',')) {
		td_cur_lws(&c);
		if (td_cur_end(&c))
			return TD_ESYNTAX;
	}
	*out = s;
	*rest = td_cur_rest(&c);
	return 1;
}

bool td_list_has(struct td_str list, struct td_str token)
{
	struct td_str s;

	while (td_list_next(&s, &list) == 1)
		if (td_str_ieq(s, token))
			return true;
	return false;
}
