/* Answers a digest challenge (RFC 7616): MD5 and SHA-256, qop=auth. */
#include "sipload.h"

/* A parameter of the challenge, unquoted. */
static struct str qparam(struct str v, const char *name, int nl)
{
	const char *p = v.p, *e = v.p + v.n;
	while (p < e) {
		while (p < e && (*p == ' ' || *p == ',' || *p == '\t'))
			p++;
		const char *eq = memchr(p, '=', (size_t)(e - p));
		if (!eq)
			break;
		const char *n0 = p;
		for (const char *t = p; t < eq; t++)
			if (*t == ' ')
				n0 = t + 1;
		const char *val = eq + 1, *ve;
		if (val < e && *val == '"') {
			val++;
			ve = memchr(val, '"', (size_t)(e - val));
			if (!ve)
				break;
			p = ve + 1;
		} else {
			ve = val;
			while (ve < e && *ve != ',' && *ve != ' ' && *ve != '\r')
				ve++;
			p = ve;
		}
		if (eq - n0 == nl && !strncasecmp(n0, name, (size_t)nl))
			return (struct str){ val, (int)(ve - val) };
	}
	return (struct str){ 0, 0 };
}

int build_auth(struct op *x, char *out, struct str ch, int proxy, uint32_t nc)
{
	struct str realm = qparam(ch, "realm", 5), nonce = qparam(ch, "nonce", 5), qop = qparam(ch, "qop", 3),
		   alg = qparam(ch, "algorithm", 9), opaque = qparam(ch, "opaque", 6);
	int sha = alg.n >= 7 && !strncasecmp(alg.p, "SHA-256", 7);
	char t[1024], ha1[65], ha2[65], rsp[65], cn[20], uri[200], *o;
	int n1, n2, n3, use_qop = 0;
	if (qop.n)
		use_qop = memmem(qop.p, (size_t)qop.n, "auth", 4) != NULL;
	char un[64];
	char *u = opt.authuser[0] ? put_mem(un, opt.authuser, (int)strlen(opt.authuser)) : user_of(un, x->user);
	int unl = (int)(u - un);
	o = uri;
	if (x->method == M_REGISTER || x->method == M_OPTIONS) {
		o = PUT(o, "sip:");
		o = put_mem(o, opt.domain, (int)strlen(opt.domain));
	} else
		o = aor(o, x->user);
	int uril = (int)(o - uri);
	o = put_mem(t, un, unl);
	*o++ = ':';
	o = put_str(o, realm);
	*o++ = ':';
	o = put_mem(o, opt.password, (int)strlen(opt.password));
	n1 = hash_hex(sha, t, (int)(o - t), ha1);
	o = put_mem(t, method_name[x->method], method_len[x->method]);
	*o++ = ':';
	o = put_mem(o, uri, uril);
	n2 = hash_hex(sha, t, (int)(o - t), ha2);
	o = put_mem(t, ha1, n1);
	*o++ = ':';
	o = put_str(o, nonce);
	*o++ = ':';
	char *c = put_hex8(cn, (uint32_t)(x - ops));
	c = put_hex8(c, x->gen ^ 0x5bd1e995u);
	if (use_qop) {
		o = put_hex8(o, nc);
		*o++ = ':';
		o = put_mem(o, cn, 16);
		o = PUT(o, ":auth:");
	}
	o = put_mem(o, ha2, n2);
	n3 = hash_hex(sha, t, (int)(o - t), rsp);
	o = out;
	o = proxy ? PUT(o, "Proxy-Authorization: Digest username=\"") : PUT(o, "Authorization: Digest username=\"");
	o = put_mem(o, un, unl);
	o = PUT(o, "\", realm=\"");
	o = put_str(o, realm);
	o = PUT(o, "\", nonce=\"");
	o = put_str(o, nonce);
	o = PUT(o, "\", uri=\"");
	o = put_mem(o, uri, uril);
	o = PUT(o, "\", response=\"");
	o = put_mem(o, rsp, n3);
	o = PUT(o, "\", algorithm=");
	o = sha ? PUT(o, "SHA-256") : PUT(o, "MD5");
	if (use_qop) {
		o = PUT(o, ", qop=auth, nc=");
		o = put_hex8(o, nc);
		o = PUT(o, ", cnonce=\"");
		o = put_mem(o, cn, 16);
		*o++ = '"';
	}
	if (opaque.n) {
		o = PUT(o, ", opaque=\"");
		o = put_str(o, opaque);
		*o++ = '"';
	}
	o = PUT(o, "\r\n");
	return (int)(o - out);
}
