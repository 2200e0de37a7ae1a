/*
 * Telephone numbers (RFC 3966): what a tel URI says, and what a number is when it stands elsewhere, as in the user part of a SIP URI
 * or in a configuration. The grammar of the URI itself is read by uri.c.
 *
 *   global-number-digits = "+" *phonedigit DIGIT *phonedigit
 *   local-number-digits  = *phonedigit-hex (HEXDIG / "*" / "#") *phonedigit-hex
 *   phonedigit           = DIGIT / visual-separator          phonedigit-hex = HEXDIG / "*" / "#" / visual-separator
 *   visual-separator     = "-" / "." / "(" / ")"
 */
#include "internal.h"

static bool is_separator(char ch)
{
	return ch == '-' || ch == '.' || ch == '(' || ch == ')';
}

int td_tel_of_uri(struct td_tel *out, const struct td_uri *uri)
{
	struct td_tel t = { .number = uri->user };
	struct td_param p;

	if (uri->scheme != TD_SCHEME_TEL)
		return TD_EUNSUPPORTED;
	t.global = t.number.p[0] == '+';
	/* "MUST NOT" be used with a global number (§5.1.5): there it says nothing. */
	if (!t.global && td_param_find(&p, uri->params, TD_STR("phone-context")))
		t.context = p.value;
	if (td_param_find(&p, uri->params, TD_STR("ext")))
		t.ext = p.value;
	*out = t;
	return 0;
}

int td_tel_put(struct td_out *o, struct td_str text)
{
	size_t digits = 0;

	for (size_t i = 0; i < text.n; i++) {
		if (td_is(text.p[i], TD_CC_DIGIT) || text.p[i] == '*' || text.p[i] == '#')
			digits++;
		else if (!is_separator(text.p[i]) && (text.p[i] != '+' || i))
			return TD_ESYNTAX;
	}
	if (!digits)
		return TD_ESYNTAX;
	for (size_t i = 0; i < text.n; i++)
		if (!is_separator(text.p[i]))
			td_out_char(o, text.p[i]);
	return 0;
}
