/*
 * Multipart bodies (RFC 2046 §5.1, RFC 5621). The parts view into the body; nothing is decoded or copied. A body comes
 * from a peer, so the number of parts is bounded (B1), and each delimiter is searched from where the last one ended: a body
 * is read once, however its parts look. Nesting is the caller's: a part that is multipart itself is read the same way.
 */
#include "internal.h"

enum { MAX_PARTS = 16, MAX_BOUNDARY = 70 }; /* 70: RFC 2046 §5.1.1 */

enum delimiter { DELIM_NONE, DELIM_NEXT, DELIM_CLOSE };

/*
 * delimiter          =  CRLF "--" boundary *LWSP-char CRLF
 * close-delimiter    =  CRLF "--" boundary "--"
 * Looks for the next of them in text; *before is what stands in front of it, *after what follows. The first delimiter
 * may start the text without a CRLF. A line that goes on after the boundary is none of ours: it can be the delimiter of
 * an inner multipart whose boundary starts like ours.
 */
static enum delimiter find_delimiter(struct td_str *before, struct td_str *after, struct td_str text, struct td_str boundary,
				     bool first)
{
	const char *p = text.p, *end = text.p + text.n, *at, *q;

	while ((size_t)(end - p) >= boundary.n + 2 && (at = memmem(p, (size_t)(end - p), boundary.p, boundary.n))) {
		p = at + 1;
		if (at - text.p < 2 || at[-1] != '-' || at[-2] != '-')
			continue;
		q = at - 2;
		if (q == text.p && first)
			*before = td_str_n(text.p, 0);
		else if (q - text.p >= 2 && q[-1] == '\n' && q[-2] == '\r')
			*before = td_str_n(text.p, (size_t)(q - 2 - text.p));
		else
			continue;
		q = at + boundary.n;
		if (end - q >= 2 && q[0] == '-' && q[1] == '-') {
			*after = td_str_n(q + 2, (size_t)(end - q - 2));
			return DELIM_CLOSE;
		}
		while (q < end && (*q == ' ' || *q == '\t'))
			q++;
		if (end - q < 2 || q[0] != '\r' || q[1] != '\n')
			continue;
		*after = td_str_n(q, (size_t)(end - q)); /* its CRLF stays: it may start the next delimiter (empty part) */
		return DELIM_NEXT;
	}
	return DELIM_NONE;
}

static int boundary_of(struct td_str *out, struct td_str content_type)
{
	struct td_media_type mt;
	struct td_param p;
	struct td_str b;

	if (td_media_type_parse(&mt, content_type) || !td_str_ieq(mt.type, TD_STR("multipart")))
		return TD_ESYNTAX;
	if (!td_param_find(&p, mt.params, TD_STR("boundary")) || !p.value.p)
		return TD_ESYNTAX;
	b = p.value;
	if (b.n >= 2 && b.p[0] == '"')
		b = td_str_n(b.p + 1, b.n - 2);
	/* bchars hold neither a quote nor a backslash, so that a boundary never needs unescaping */
	if (!b.n || b.n > MAX_BOUNDARY || td_str_chr(b, '\\') || td_str_chr(b, '"'))
		return TD_ESYNTAX;
	*out = b;
	return 0;
}

int td_parts_of(struct td_parts *it, struct td_str content_type, struct td_str body)
{
	struct td_parts parts = { .boundary = TD_STR_NULL };
	struct td_str preamble;
	int err;

	err = boundary_of(&parts.boundary, content_type);
	if (err)
		return err;
	if (find_delimiter(&preamble, &parts.rest, body, parts.boundary, true) != DELIM_NEXT)
		return TD_ESYNTAX; /* at least one body-part, RFC 2046 §5.1.1 */
	*it = parts;
	return 0;
}

/*
 * body-part  =  MIME-part-headers [ CRLF *OCTET ]
 * A part may have no header at all (then it starts with the empty line) or no body.
 */
static void split_part(struct td_part *out, struct td_str text)
{
	const char *p;

	if (text.n >= 2 && text.p[0] == '\r' && text.p[1] == '\n') {
		out->headers = td_str_n(text.p, 0);
		out->body = td_str_n(text.p + 2, text.n - 2);
		return;
	}
	p = text.n ? memmem(text.p, text.n, "\r\n\r\n", 4) : NULL;
	if (!p) {
		out->headers = text;
		out->body = td_str_n(text.p + text.n, 0);
		return;
	}
	out->headers = td_str_n(text.p, (size_t)(p + 2 - text.p));
	out->body = td_str_n(p + 4, (size_t)(text.p + text.n - p - 4));
}

int td_parts_next(struct td_part *out, struct td_parts *it)
{
	struct td_str text, after;
	enum delimiter d;

	if (!it->rest.p)
		return 0;
	if (it->count == MAX_PARTS)
		return TD_ELIMIT;
	d = find_delimiter(&text, &after, it->rest, it->boundary, false);
	if (d == DELIM_NONE)
		return TD_ESYNTAX; /* cut off: the last part cannot be trusted to be whole */
	/* rest starts with the CRLF of the delimiter line before; an empty part has used it up */
	if (text.n >= 2)
		text = td_str_n(text.p + 2, text.n - 2);
	split_part(out, text);
	it->count++;
	it->rest = d == DELIM_CLOSE ? TD_STR_NULL : after;
	return 1;
}

/* One line of headers off *rest, its folds included. p NULL at the end. */
static struct td_str next_field(struct td_str *rest)
{
	const char *p = rest->p, *end = rest->p + rest->n;
	struct td_str field;

	if (!rest->n)
		return TD_STR_NULL;
	while (p < end) {
		p = memchr(p, '\n', (size_t)(end - p));
		p = p ? p + 1 : end;
		if (p == end || (*p != ' ' && *p != '\t'))
			break;
	}
	field = td_str_n(rest->p, (size_t)(p - rest->p));
	*rest = td_str_n(p, (size_t)(end - p));
	return field;
}

struct td_str td_part_header(const struct td_part *part, struct td_str name)
{
	struct td_str rest = part->headers, field;
	const char *colon;

	while ((field = next_field(&rest)).p) {
		colon = td_str_chr(field, ':');
		if (!colon || !td_str_ieq(td_str_trim(td_str_n(field.p, (size_t)(colon - field.p))), name))
			continue;
		return td_str_trim(td_str_n(colon + 1, (size_t)(field.p + field.n - colon - 1)));
	}
	return TD_STR_NULL;
}
