/*
 * Where a message ends in a stream (RFC 3261 §18.3): the header part ends at the first empty line, the body after as
 * many bytes as Content-Length says. A stream in which either is in doubt is lost (P1): what we took for the next message
 * would be for somebody to choose, so it is answered, where that is possible, and closed.
 */
#include "internal.h"

/* The CRLF of the line at p, in a header part of which every LF is known to be one of a CRLF. */
static const char *line_end(const char *p, const char *end)
{
	return (const char *)memchr(p, '\n', (size_t)(end - p)) - 1;
}

/* May this line, or what there is of it, be a Content-Length? Said of few that are none, and of each that is one. */
static bool promises_length(const char *p, const char *end)
{
	if (td_lower(*p) == 'l')
		return end - p < 2 || (unsigned char)p[1] <= ' ' || p[1] == ':';
	return end - p >= 14 && td_same_name(p, "content-length", 14);
}

/* Content-Length = 1*DIGIT, once. Absent counts as 0: what has a body without it then fails as the next message. */
static int body_length(uint64_t *out, const char *p, const char *end)
{
	struct td_str line, name;
	uint64_t len = 0;
	bool seen = false;
	const char *eol;

	for (; p < end; p = eol + 2) {
		/* Folds belong to the value: one inside a Content-Length's is either blank or an error. */
		for (eol = line_end(p, end); eol + 2 < end && td_is(eol[2], TD_CC_WSP);)
			eol = line_end(eol + 2, end);
		if (!promises_length(p, eol))
			continue;
		line = (struct td_str){ p, (size_t)(eol - p) };
		name = td_str_trim(td_str_split(&line, ':'));
		if (td_hdr_id_of(name) != TD_HDR_CONTENT_LENGTH)
			continue;
		if (seen || td_str_u64(&len, td_str_trim(line), UINT64_MAX))
			return TD_ESYNTAX;
		seen = true;
	}
	*out = len;
	return 0;
}

/* Can what has come so far become a start line? */
static bool promising(struct td_str bytes)
{
	struct td_cur c = td_cur_of(bytes);
	struct td_str word = td_cur_span(&c, TD_CC_TOKEN | TD_CC_URI_PARAM);

	if (c.p == c.end)
		return word.n <= TD_SIP_MAX_TOKEN;
	return word.n && *c.p == ' ';
}

/* fields: the header part from a line on before which none promises a length. */
static int message_length(size_t *out, const char *p, size_t head, const char *fields)
{
	const char *eol = line_end(p, p + head);
	struct td_start_line start;
	uint64_t body = 0;

	if (head > TD_SIP_MAX_MESSAGE)
		return TD_ELIMIT;
	if (td_start_line_parse(&start, (struct td_str){ p, (size_t)(eol - p) }) ||
	    body_length(&body, fields ? fields : eol + 2, p + head - 2))
		return TD_ESYNTAX;
	if (body > TD_SIP_MAX_MESSAGE - head)
		return TD_ELIMIT;
	*out = head + (size_t)body;
	return 0;
}

/* Set in *scan when the header part is done: the rest is then the message's length, and the body is awaited. */
#define AWAITING_BODY ((size_t)1 << (sizeof(size_t) * 8 - 1))

/* Set in *scan when a bare CR, a bare LF or a NUL was met: the header part is still read to its end, to be answered (P6). */
#define BROKEN (AWAITING_BODY >> 1)

static int finish(size_t *out, size_t total, size_t have, size_t *scan)
{
	if (total > have) {
		*scan = total | AWAITING_BODY;
		return TD_EMORE;
	}
	*scan = 0;
	*out = total;
	return 0;
}

int td_msg_frame(size_t *out, struct td_str bytes, size_t *scan)
{
	const char *p, *end = bytes.p + bytes.n;
	const char *lengths = NULL; /* the first line that promises one, when we have seen them all */
	bool whole = !*scan;
	size_t total = 0;
	bool broken;
	int err;

	if (*scan & AWAITING_BODY)
		return finish(out, *scan & ~AWAITING_BODY, bytes.n, scan);
	if (!bytes.n)
		return TD_EMORE;
	if (!promising(bytes))
		return TD_ESYNTAX;
	broken = *scan & BROKEN;
	for (p = bytes.p + (*scan & ~BROKEN);;) {
		p = td_scan_eol(p, end);
		while (p < end && *p == '\0' && td_is_escaped(bytes.p, p))
			p = td_scan_eol(p + 1, end);
		if (p == end || (*p == '\r' && p + 1 == end))
			break;
		if (p[0] != '\r' || p[1] != '\n') {
			broken = true;
			p++;
			continue;
		}
		if (p[-1] == '\n') { /* not the first byte: that one was promising */
			err = broken ? TD_ESYNTAX
				     : message_length(&total, bytes.p, (size_t)(p - bytes.p) + 2,
						      !whole    ? NULL
						      : lengths ? lengths
								: p);
			return err ? err : finish(out, total, bytes.n, scan);
		}
		p += 2;
		if (!lengths && p < end && promises_length(p, end))
			lengths = p;
	}
	*scan = (size_t)(p - bytes.p) | (broken ? BROKEN : 0);
	return bytes.n >= TD_SIP_MAX_MESSAGE ? TD_ELIMIT : TD_EMORE;
}
