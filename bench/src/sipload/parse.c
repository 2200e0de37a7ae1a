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

/* 0: bad.  Header values run to the end of line; folded lines are joined by extent. */
int parse(const char *b, int len, struct msg *m)
{
	const char *end = b + len, *p = b, *nl;
	m->is_req = m->method = m->status = m->cseq_m = m->nvia = m->nvial = m->nrr = m->nroute = 0;
	m->clen = m->maxfwd = -1;
	m->cseq = 0;
	m->has_contact = 0;
	m->from = m->to = m->ftag = m->ttag = m->callid = m->cseqv = m->contact = m->branch = m->auth = m->body = m->ruri =
		m->via1 = (struct str){ "", 0 };
	if (!(nl = memchr(p, '\n', (size_t)(end - p))))
		return 0;
	if (len > 12 && !memcmp(p, "SIP/2.0 ", 8)) {
		m->status = (p[8] - '0') * 100 + (p[9] - '0') * 10 + (p[10] - '0');
		if (m->status < 100 || m->status > 699)
			return 0;
	} else {
		const char *sp = memchr(p, ' ', (size_t)(nl - p));
		if (!sp)
			return 0;
		m->is_req = 1;
		m->method = method_id(p, (int)(sp - p));
		const char *u = sp + 1, *sp2 = memchr(u, ' ', (size_t)(nl - u));
		if (!sp2)
			return 0;
		m->ruri = (struct str){ u, (int)(sp2 - u) };
	}
	p = nl + 1;
	for (;;) {
		if (p >= end)
			return 0;
		if (*p == '\r' || *p == '\n') {
			p += (*p == '\r') ? 2 : 1;
			break;
		}
		const char *ls = p;
		if (!(nl = memchr(p, '\n', (size_t)(end - p))))
			return 0;
		while (nl + 1 < end && (nl[1] == ' ' || nl[1] == '\t')) {
			const char *n2 = memchr(nl + 1, '\n', (size_t)(end - nl - 1));
			if (!n2)
				return 0;
			nl = n2;
		}
		const char *c = memchr(p, ':', (size_t)(nl - p));
		if (!c)
			return 0;
		int hn = (int)(c - p);
		while (hn && (p[hn - 1] == ' ' || p[hn - 1] == '\t'))
			hn--;
		const char *v = c + 1;
		while (v < nl && (*v == ' ' || *v == '\t'))
			v++;
		const char *ve = nl;
		while (ve > v && (ve[-1] == '\r' || ve[-1] == ' '))
			ve--;
		struct str val = { v, (int)(ve - v) }, line = { ls, (int)(nl + 1 - ls) };
		switch (p[0] | 32) {
		case 'v':
			if (hname(p, hn, "via", 3, 'v')) {
				if (m->nvial < MAX_HEADERS)
					m->vial[m->nvial++] = line;
				if (m->nvial == 1) {
					m->via1 = val;
					const char *cm = memchr(val.p, ',', (size_t)val.n);
					if (cm)
						m->via1.n = (int)(cm - val.p);
					m->branch = param(m->via1, "branch", 6);
				}
				m->nvia++;
				for (const char *t = val.p; (t = memchr(t, ',', (size_t)(ve - t))); t++)
					m->nvia++;
			}
			break;
		case 'r':
			if (hname(p, hn, "record-route", 12, 0)) {
				if (m->nrr < MAX_HEADERS) {
					m->rrl[m->nrr] = line;
					m->rr[m->nrr++] = val;
				}
			} else if (hname(p, hn, "route", 5, 0))
				m->nroute++;
			break;
		case 'f':
			if (hname(p, hn, "from", 4, 'f')) {
				m->from = val;
				m->ftag = param(val, "tag", 3);
			}
			break;
		case 't':
			if (hname(p, hn, "to", 2, 't')) {
				m->to = val;
				m->ttag = param(val, "tag", 3);
			}
			break;
		case 'i':
			if (hn == 1)
				m->callid = val;
			break;
		case 'l':
			if (hn == 1)
				m->clen = (int)strtol(val.p, NULL, 10);
			break;
		case 'c':
			if (hname(p, hn, "call-id", 7, 0))
				m->callid = val;
			else if (hname(p, hn, "cseq", 4, 0)) {
				const char *t = val.p;
				uint32_t x = 0;
				while (t < ve && *t >= '0' && *t <= '9')
					x = x * 10 + (uint32_t)(*t++ - '0');
				while (t < ve && *t == ' ')
					t++;
				m->cseq = x;
				m->cseq_m = method_id(t, (int)(ve - t));
				m->cseqv = val;
			} else if (hname(p, hn, "contact", 7, 0)) {
				m->has_contact++;
				if (m->has_contact == 1)
					m->contact = val;
			} else if (hname(p, hn, "content-length", 14, 0))
				m->clen = (int)strtol(val.p, NULL, 10);
			break;
		case 'm':
			if (hn == 1) {
				m->has_contact++;
				if (m->has_contact == 1)
					m->contact = val;
			} else if (hname(p, hn, "max-forwards", 12, 0))
				m->maxfwd = (int)strtol(val.p, NULL, 10);
			break;
		case 'w':
			if (hname(p, hn, "www-authenticate", 16, 0) && !m->auth.n)
				m->auth = val;
			break;
		case 'p':
			if (hname(p, hn, "proxy-authenticate", 18, 0) && !m->auth.n)
				m->auth = val;
			break;
		}
		p = nl + 1;
	}
	m->body = (struct str){ p, (int)(end - p) };
	if (m->clen >= 0) {
		if (m->clen > m->body.n)
			return 0;
		m->body.n = m->clen;
	}
	return m->from.n && m->to.n && m->callid.n && m->cseqv.n && m->nvia;
}
