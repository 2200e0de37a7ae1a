/* Reads the messages that come back: one pass, the fields the checks need, views into the packet. */
#include "sipload.h"

const char *const method_name[] = { "OTHER", "INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "REGISTER", "MESSAGE" };
const int method_len[] = { 5, 6, 3, 3, 6, 7, 8, 7 };
static int method_id(const char *p, int n)
{
	for (int i = 1; i < 8; i++)
		if (n == method_len[i] && !memcmp(p, method_name[i], (size_t)n))
			return i;
	return M_OTHER;
}

/* The value of ;name=value behind the URI. */
static struct str param(struct str v, const char *name, int nl)
{
	struct str r = { 0, 0 };
	const char *p = v.p, *e = v.p + v.n, *q = memchr(p, '>', (size_t)v.n);
	if (q)
		p = q + 1;
	while (p < e && (p = memchr(p, ';', (size_t)(e - p)))) {
		p++;
		if (e - p > nl && !strncasecmp(p, name, (size_t)nl) && p[nl] == '=') {
			r.p = p + nl + 1;
			const char *t = r.p;
			while (t < e && *t != ';' && *t != ',' && *t != ' ' && *t != '\r' && *t != '>')
				t++;
			r.n = (int)(t - r.p);
			return r;
		}
	}
	return r;
}

struct str addr_uri(struct str v)
{
	const char *a = memchr(v.p, '<', (size_t)v.n);
	if (a) {
		const char *b = memchr(a, '>', (size_t)(v.p + v.n - a));
		if (b)
			return (struct str){ a + 1, (int)(b - a - 1) };
	}
	const char *t = v.p;
	while (t < v.p + v.n && *t != ';' && *t != ' ' && *t != '\r')
		t++;
	return (struct str){ v.p, (int)(t - v.p) };
}

static int hname(const char *p, int n, const char *full, int fl, char compact)
{
	if (n == fl)
		return !strncasecmp(p, full, (size_t)n);
	return compact && n == 1 && (p[0] | 32) == compact;
}

static struct str request_uri(const char *uri, const char *nl)
{
	const char *sp = memchr(uri, ' ', (size_t)(nl - uri));

	return sp ? (struct str){ uri, (int)(sp - uri) } : (struct str){ NULL, 0 };
}

/* The byte after the start line; NULL: it is none. */
static const char *start_line(struct msg *m, const char *b, const char *end)
{
	const char *nl = memchr(b, '\n', (size_t)(end - b)), *sp;

	if (!nl)
		return NULL;
	if (end - b > 12 && !memcmp(b, "SIP/2.0 ", 8)) {
		m->status = (b[8] - '0') * 100 + (b[9] - '0') * 10 + (b[10] - '0');
		return m->status < 100 || m->status > 699 ? NULL : nl + 1;
	}
	sp = memchr(b, ' ', (size_t)(nl - b));
	if (!sp)
		return NULL;
	m->is_req = 1;
	m->method = method_id(b, (int)(sp - b));
	m->ruri = request_uri(sp + 1, nl);
	return m->ruri.p ? nl + 1 : NULL;
}

struct field {
	const char *name;
	int name_n;
	struct str value, line;
};

/* The field at p, folded lines joined by extent; the byte after it, NULL: it is none. */
static const char *next_field(struct field *f, const char *p, const char *end)
{
	const char *nl = memchr(p, '\n', (size_t)(end - p)), *colon, *v, *ve;

	while (nl && nl + 1 < end && (nl[1] == ' ' || nl[1] == '\t'))
		nl = memchr(nl + 1, '\n', (size_t)(end - nl - 1));
	colon = nl ? memchr(p, ':', (size_t)(nl - p)) : NULL;
	if (!colon)
		return NULL;
	f->name = p;
	f->name_n = (int)(colon - p);
	while (f->name_n && (p[f->name_n - 1] == ' ' || p[f->name_n - 1] == '\t'))
		f->name_n--;
	for (v = colon + 1; v < nl && (*v == ' ' || *v == '\t'); v++)
		;
	for (ve = nl; ve > v && (ve[-1] == '\r' || ve[-1] == ' '); ve--)
		;
	f->value = (struct str){ v, (int)(ve - v) };
	f->line = (struct str){ p, (int)(nl + 1 - p) };
	return nl + 1;
}

static int is(const struct field *f, const char *full, char compact)
{
	return hname(f->name, f->name_n, full, (int)strlen(full), compact);
}

static int number_of(const struct field *f)
{
	return (int)strtol(f->value.p, NULL, 10);
}

static void take_via(struct msg *m, const struct field *f)
{
	const char *comma = memchr(f->value.p, ',', (size_t)f->value.n), *end = f->value.p + f->value.n;

	if (m->nvial < MAX_HEADERS)
		m->vial[m->nvial++] = f->line;
	if (m->nvial == 1) {
		m->via1 = f->value;
		if (comma)
			m->via1.n = (int)(comma - f->value.p);
		m->branch = param(m->via1, "branch", 6);
	}
	m->nvia++;
	for (; comma; comma = memchr(comma + 1, ',', (size_t)(end - comma - 1)))
		m->nvia++;
}

static void take_cseq(struct msg *m, const struct field *f)
{
	const char *t = f->value.p, *end = t + f->value.n;

	for (m->cseq = 0; t < end && *t >= '0' && *t <= '9'; t++)
		m->cseq = m->cseq * 10 + (uint32_t)(*t - '0');
	while (t < end && *t == ' ')
		t++;
	m->cseq_m = method_id(t, (int)(end - t));
	m->cseqv = f->value;
}

static void take_contact(struct msg *m, const struct field *f)
{
	if (!m->has_contact++)
		m->contact = f->value;
}

static void take_record_route(struct msg *m, const struct field *f)
{
	if (m->nrr >= MAX_HEADERS)
		return;
	m->rrl[m->nrr] = f->line;
	m->rr[m->nrr++] = f->value;
}

static void take_address(struct str *value, struct str *tag, const struct field *f)
{
	*value = f->value;
	*tag = param(f->value, "tag", 3);
}

static void take_field(struct msg *m, const struct field *f)
{
	switch (f->name[0] | 32) {
	case 'v':
		if (is(f, "via", 'v'))
			take_via(m, f);
		break;
	case 'r':
		if (is(f, "record-route", 0))
			take_record_route(m, f);
		else if (is(f, "route", 0))
			m->nroute++;
		break;
	case 'f':
		if (is(f, "from", 'f'))
			take_address(&m->from, &m->ftag, f);
		break;
	case 't':
		if (is(f, "to", 't'))
			take_address(&m->to, &m->ttag, f);
		break;
	case 'i':
		if (f->name_n == 1)
			m->callid = f->value;
		break;
	case 'l':
		if (f->name_n == 1)
			m->clen = number_of(f);
		break;
	case 'c':
		if (is(f, "call-id", 0))
			m->callid = f->value;
		else if (is(f, "cseq", 0))
			take_cseq(m, f);
		else if (is(f, "contact", 0))
			take_contact(m, f);
		else if (is(f, "content-length", 0))
			m->clen = number_of(f);
		break;
	case 'm':
		if (f->name_n == 1)
			take_contact(m, f);
		else if (is(f, "max-forwards", 0))
			m->maxfwd = number_of(f);
		break;
	case 'w':
	case 'p':
		if (!m->auth.n && (is(f, "www-authenticate", 0) || is(f, "proxy-authenticate", 0)))
			m->auth = f->value;
		break;
	}
}

static void clear(struct msg *m)
{
	/* not the tables, whose numbers say how much of them is used */
	m->is_req = m->method = m->status = m->cseq_m = m->nvia = m->nvial = m->nrr = m->nroute = m->has_contact = 0;
	m->clen = m->maxfwd = -1;
	m->cseq = 0;
	m->from = m->to = m->ftag = m->ttag = m->callid = m->cseqv = m->contact = m->branch = m->auth = m->body = m->ruri =
		m->via1 = (struct str){ "", 0 };
}

/* 0: bad. Header values run to the end of line. */
int parse(const char *b, int len, struct msg *m)
{
	const char *end = b + len, *p;
	struct field f;

	clear(m);
	for (p = start_line(m, b, end); p && p < end && *p != '\r' && *p != '\n';) {
		p = next_field(&f, p, end);
		if (p)
			take_field(m, &f);
	}
	if (!p || p >= end)
		return 0;
	p += *p == '\r' ? 2 : 1;
	m->body = (struct str){ p, (int)(end - p) };
	if (m->clen > m->body.n)
		return 0;
	if (m->clen >= 0)
		m->body.n = m->clen;
	return m->from.n && m->to.n && m->callid.n && m->cseqv.n && m->nvia;
}
