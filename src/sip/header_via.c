/*
 * Via (RFC 3261 §20.42, RFC 3581): where the responses go. Read for every message, so it is one pass over the value: the
 * parameters are checked and sorted out as they come by. What we would act upon has to be right (P5); parameters nobody
 * here knows only have to be parameters.
 */
#include "internal.h"

/* IPv4address  =  1*3DIGIT "." 1*3DIGIT "." 1*3DIGIT "." 1*3DIGIT, each at most 255. */
static bool is_v4(struct td_str s)
{
	struct td_cur c = td_cur_of(s);
	const char *from;

	for (int i = 0; i < 4; i++) {
		from = c.p;
		if (td_cur_digits(&c, 3) > 255 || c.p == from || (i < 3 && !td_cur_take(&c, '.')))
			return false;
	}
	return td_cur_end(&c);
}

/* via-received  =  "received" EQUAL ( IPv4address / IPv6address ) */
static int received(struct td_via *v, struct td_str s)
{
	uint8_t addr[16];

	/* in brackets: not in the grammar, to be accepted all the same (RFC 5118 §4.5) */
	if (s.n > 2 && s.p[0] == '[' && s.p[s.n - 1] == ']') {
		s = td_str_n(s.p + 1, s.n - 2);
		if (is_v4(s))
			return TD_ESYNTAX;
	}
	if (v->received.p || !(is_v4(s) || td_v6_parse(addr, s)))
		return TD_ESYNTAX;
	v->received = s;
	return 0;
}

/* via-maddr  =  "maddr" EQUAL host */
static int maddr(struct td_via *v, struct td_str s)
{
	struct td_cur c = td_cur_of(s);
	struct td_str host;
	uint16_t port;
	bool v6;

	host = td_cur_hostport(&c, &v6, &port, false);
	if (v->maddr.p || !td_cur_end(&c) || port)
		return TD_ESYNTAX;
	v->maddr = host;
	return 0;
}

/* via-branch  =  "branch" EQUAL token */
static int branch(struct td_via *v, struct td_str s)
{
	if (v->branch.p || !td_all(s, TD_CC_TOKEN))
		return TD_ESYNTAX;
	if (s.n > TD_SIP_MAX_TOKEN)
		return TD_ELIMIT;
	v->branch = s;
	return 0;
}

/* response-port  =  "rport" [ EQUAL 1*DIGIT ]         (RFC 3581 §7) */
static int rport(struct td_via *v, const struct td_param *p)
{
	uint64_t port = 0;

	if (v->rport)
		return TD_ESYNTAX;
	if (p->value.p && (td_str_u64(&port, p->value, 65535) || !port))
		return TD_ESYNTAX;
	v->rport = true;
	v->rport_value = (uint16_t)port;
	v->rport_text = p->value.p ? td_str_n(p->name.p, (size_t)(p->value.p + p->value.n - p->name.p)) : p->name;
	return 0;
}

/* ttl  =  1*3DIGIT ; 0 to 255 */
static int ttl(struct td_via *v, struct td_str s)
{
	uint64_t n;

	if (s.n > 3 || td_str_u64(&n, s, 255))
		return TD_ESYNTAX;
	v->ttl = (uint32_t)n;
	return 0;
}

/* via-params  =  via-ttl / via-maddr / via-received / via-branch / via-extension. No name twice (§7.3.1) of those we use. */
static int via_param(struct td_via *v, const struct td_param *p)
{
	switch (p->name.n) {
	case 3: return td_token_is(p->name, TD_STR("ttl")) ? ttl(v, p->value) : 0;
	case 5:
		if (td_token_is(p->name, TD_STR("rport")))
			return rport(v, p);
		return td_token_is(p->name, TD_STR("maddr")) ? maddr(v, p->value) : 0;
	case 6: return td_token_is(p->name, TD_STR("branch")) ? branch(v, p->value) : 0;
	case 8: return td_token_is(p->name, TD_STR("received")) ? received(v, p->value) : 0;
	}
	return 0;
}

/* sent-protocol LWS, of any form that the grammar allows */
static void any_protocol(struct td_via *v, struct td_cur *c)
{
	td_cur_token(c);
	if (!td_cur_sep(c, '/'))
		c->bad = true;
	td_cur_token(c);
	if (!td_cur_sep(c, '/'))
		c->bad = true;
	v->transport = td_cur_token(c);
	td_cur_lws1(c);
}

/* sent-protocol LWS as nearly everybody writes it: "SIP/2.0/UDP ", TCP, TLS. False, and nothing read, if it is not so. */
static inline bool usual_protocol(struct td_via *v, struct td_cur *c)
{
	const char *p = c->p;

	if (c->end - p < 13 || td_load64(p) != td_load64("SIP/2.0/") || p[11] != ' ' || (unsigned char)p[12] <= ' ' ||
	    !(td_cc[(unsigned char)p[8]] & td_cc[(unsigned char)p[9]] & td_cc[(unsigned char)p[10]] & TD_CC_TOKEN))
		return false;
	v->transport = td_str_n(p + 8, 3);
	c->p = p + 12;
	return true;
}

/* ";branch=" and a token, as nearly all write it. False, and nothing read, if it is not so or not the first one. */
static inline bool usual_branch(struct td_via *v, struct td_cur *c)
{
	const char *from, *p;

	if (c->end - c->p <= 8 || v->branch.p ||
	    ((td_load64(c->p) ^ td_load64(";branch=")) & td_load64("\xff\xdf\xdf\xdf\xdf\xdf\xdf\xff")) != 0)
		return false;
	from = c->p + 8;
	p = td_skip(from, c->end, c->slack, TD_CC_TOKEN);
	if (p == from || p - from > TD_SIP_MAX_TOKEN || (p < c->end && *p != ';'))
		return false;
	v->branch = td_str_n(from, (size_t)(p - from));
	c->p = p;
	return true;
}

/* ";rport" or ";rport=" and its digits, as nearly all write it. False, and nothing read, if it is not so or not the first one. */
static inline bool usual_rport(struct td_via *v, struct td_cur *c)
{
	const char *name;
	struct td_cur d;
	uint32_t n = 0;

	if (c->end - c->p < 6 || v->rport || *c->p != ';')
		return false;
	name = c->p + 1;
	if (((td_load32(name) ^ td_load32("rpor")) & td_load32("\xdf\xdf\xdf\xdf")) != 0 || (name[4] | 0x20) != 't')
		return false;
	d = (struct td_cur){ name + 5, c->end, false, 0 };
	if (td_cur_take(&d, '=')) {
		n = td_cur_digits(&d, 5);
		if (!n || n > 65535)
			return false;
	}
	if (d.p < d.end && *d.p != ';')
		return false;
	v->rport = true;
	v->rport_value = (uint16_t)n;
	v->rport_text = td_str_n(name, (size_t)(d.p - name));
	c->p = d.p;
	return true;
}

/*
 * via-parm       =  sent-protocol LWS sent-by *( SEMI via-params )
 * sent-protocol  =  protocol-name SLASH protocol-version SLASH transport
 * sent-by        =  host [ COLON port ]
 */
static inline int read_via(struct td_via *v, struct td_str value, unsigned slack, bool usual)
{
	struct td_cur c = td_cur_near(value, slack);
	struct td_param p;
	unsigned n;
	int err;

	v->text = value;
	if (!usual || !usual_protocol(v, &c))
		any_protocol(v, &c);
	v->host = usual ? td_cur_hostport(&c, &v->host_v6, &v->port, true) : td_cur_hostport_any(&c, &v->host_v6, &v->port, true);
	if (c.bad)
		return TD_ESYNTAX;
	td_cur_lws(&c);
	v->params = td_str_n(c.p, (size_t)(c.end - c.p));
	for (n = 0; n <= TD_SIP_MAX_PARAMS; n++) {
		if (usual && (usual_branch(v, &c) || usual_rport(v, &c)))
			continue;
		if (!(usual ? td_cur_param(&p, &c) : td_cur_param_any(&p, &c)))
			break;
		err = n < TD_SIP_MAX_PARAMS ? via_param(v, &p) : 0;
		if (err)
			return err;
	}
	if (n > TD_SIP_MAX_PARAMS)
		return TD_ELIMIT;
	if (!td_cur_end(&c))
		return TD_ESYNTAX;
	if (v->transport.n > TD_SIP_MAX_TOKEN || v->host.n > TD_SIP_MAX_TOKEN)
		return TD_ELIMIT;
	return 0;
}

int td_via_read(struct td_via *v, struct td_str value, unsigned slack)
{
	return read_via(v, value, slack, true);
}

int td_via_read_any(struct td_via *v, struct td_str value)
{
	return read_via(v, value, 0, false);
}

int td_via_parse(struct td_via *out, struct td_str value)
{
	struct td_via v = { 0 };
	int err = td_via_read(&v, value, 0);

	if (!err)
		*out = v;
	return err;
}
