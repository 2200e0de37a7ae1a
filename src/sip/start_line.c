/*
 * Start lines (RFC 3261 §7.1, §7.2). What ends in a SIP version is a request, and gets an answer even if it is wrong;
 * what starts with one is a response; everything else on a SIP port (HTTP, RTSP, STUN, keep-alives, noise) is nothing
 * to us and costs a glance (P10).
 */
#include "internal.h"

static bool is_wsp(char ch)
{
	return ch == ' ' || ch == '\t';
}

/* SIP-Version = "SIP" "/" 1*DIGIT "." 1*DIGIT, the name in any case. ours: it is 2.0. */
static bool sip_version(struct td_str s, bool *ours)
{
	struct td_cur c = td_cur_of(s);

	if (s.n == 7 && memcmp(s.p, "SIP/2.0", 7) == 0) {
		*ours = true;
		return true;
	}
	if (s.n < 7 || !td_str_istarts(s, TD_STR("SIP/")))
		return false;
	c.p += 4;
	td_cur_span1(&c, TD_CC_DIGIT);
	td_cur_want(&c, '.');
	td_cur_span1(&c, TD_CC_DIGIT);
	*ours = s.n == 7 && memcmp(s.p + 4, "2.0", 3) == 0;
	return td_cur_end(&c);
}

/* Status-Line = SIP-Version SP Status-Code SP Reason-Phrase. The reason may be empty, its SP may not (RFC 4475 §3.1.1.13). */
static int status_line(struct td_start_line *out, struct td_str line)
{
	const char *p = line.p;
	struct td_start_line s = { .request = false };

	if (line.n < 12 || line.n > TD_SIP_MAX_HEADER || memcmp(p + 4, "2.0 ", 4) != 0 || p[11] != ' ')
		return TD_ESYNTAX;
	if (p[8] < '1' || p[8] > '6' || !td_is(p[9], TD_CC_DIGIT) || !td_is(p[10], TD_CC_DIGIT))
		return TD_ESYNTAX;
	s.status = (uint16_t)((p[8] - '0') * 100 + (p[9] - '0') * 10 + (p[10] - '0'));
	s.reason = (struct td_str){ p + 12, line.n - 12 };
	if (memchr(s.reason.p, '\0', s.reason.n))
		return TD_ESYNTAX;
	*out = s;
	return 0;
}

static void defect(struct td_start_line *s, uint16_t status, const char *why)
{
	if (!s->defect.status)
		s->defect = (struct td_defect){ status, why };
}

/* " SIP/2.0" after a URI that blanks do not surround: what nearly all write. False, and *uri untouched, if it is not so. */
static inline bool usual_rest(struct td_str *uri, struct td_str rest)
{
	size_t n = rest.n - 8;

	if (rest.n <= 8 || td_load64(rest.p + n) != td_load64(" SIP/2.0") || is_wsp(rest.p[0]) || is_wsp(rest.p[n - 1]))
		return false;
	*uri = td_str_n(rest.p, n);
	return true;
}

/*
 * Request-Line = Method SP Request-URI SP SIP-Version, and not one blank more: those who counted blanks differently
 * have been led to different targets by one request.
 */
int td_start_line_parse(struct td_start_line *out, struct td_str line)
{
	struct td_cur c = td_cur_of(line);
	struct td_start_line s = { .request = true };
	struct td_str rest, version;
	bool ours;

	if (line.n >= 4 && line.p[3] == '/' && td_str_istarts(line, TD_STR("SIP/")))
		return status_line(out, line);
	s.method = td_cur_token(&c);
	if (!td_cur_take(&c, ' '))
		return TD_ESYNTAX;
	rest = td_cur_rest(&c);
	if (s.method.n <= TD_SIP_MAX_TOKEN && usual_rest(&s.uri, rest)) {
		*out = s;
		return 0;
	}
	while (rest.n && is_wsp(rest.p[rest.n - 1])) {
		rest.n--;
		defect(&s, 400, "Blanks after the SIP Version");
	}
	version = rest;
	while (version.n && !is_wsp(rest.p[version.n - 1]))
		version.n--;
	version = (struct td_str){ rest.p + version.n, rest.n - version.n };
	if (version.n == rest.n || !sip_version(version, &ours))
		return TD_ESYNTAX;
	if (!ours)
		defect(&s, 505, "Version Not Supported");
	s.uri = (struct td_str){ rest.p, rest.n - version.n - 1 };
	if (s.method.n > TD_SIP_MAX_TOKEN)
		defect(&s, 400, "Method Too Long");
	if (rest.p[s.uri.n] != ' ' || (s.uri.n && (is_wsp(s.uri.p[0]) || is_wsp(s.uri.p[s.uri.n - 1]))))
		defect(&s, 400, "Wrong Blanks in Request-Line");
	*out = s;
	return 0;
}
