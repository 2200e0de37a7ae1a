/* The UAS half: answers INVITE with 180 and 200, repeats the 200 until the ACK, and checks what the server forwarded. */
#include "sipload.h"

static int reply(char *buf, const struct msg *m, int code, const char *reason, const char *tag, int tagn, int rr, uint32_t user,
		 struct flow *f, int sdp, const struct sockaddr_in *src)
{
	char *o = buf;
	o = PUT(o, "SIP/2.0 ");
	o = put_u32(o, (uint32_t)code);
	*o++ = ' ';
	o = put_mem(o, reason, (int)strlen(reason));
	o = PUT(o, "\r\n");
	for (int i = 0; i < m->nvial; i++) {
		struct str l = m->vial[i];
		if (i == 0 && src) { /* RFC 3581: fill in an empty rport */
			const char *r = memmem(m->via1.p, (size_t)m->via1.n, ";rport", 6);
			if (r && (r + 6 == m->via1.p + m->via1.n || r[6] == ';')) {
				o = put_mem(o, l.p, (int)(r + 6 - l.p));
				*o++ = '=';
				o = put_u32(o, ntohs(src->sin_port));
				o = PUT(o, ";received=");
				char ip[20];
				inet_ntop(AF_INET, &src->sin_addr, ip, sizeof(ip));
				o = put_mem(o, ip, (int)strlen(ip));
				o = put_mem(o, r + 6, (int)(l.p + l.n - (r + 6)));
				continue;
			}
		}
		o = put_str(o, l);
	}
	if (rr)
		for (int i = 0; i < m->nrr; i++)
			o = put_str(o, m->rrl[i]);
	o = PUT(o, "From: ");
	o = put_str(o, m->from);
	o = PUT(o, "\r\nTo: ");
	o = put_str(o, m->to);
	if (!m->ttag.n && tagn) {
		o = PUT(o, ";tag=");
		o = put_mem(o, tag, tagn);
	}
	o = PUT(o, "\r\nCall-ID: ");
	o = put_str(o, m->callid);
	o = PUT(o, "\r\nCSeq: ");
	o = put_str(o, m->cseqv);
	o = PUT(o, "\r\n");
	if (rr) {
		o = PUT(o, "Contact: <sip:");
		o = user_of(o, user);
		*o++ = '@';
		if (f->accepted || !f->stream)
			o = put_mem(o, f->host, f->host_n);
		o = put_mem(o, uri_transport[opt.transport], (int)strlen(uri_transport[opt.transport]));
		o = PUT(o, ">\r\n");
	}
	if (sdp) {
		o = PUT(o, "Content-Type: application/sdp\r\nContent-Length: ");
		o = put_u32(o, sizeof(SDP_BODY) - 1);
		o = PUT(o, "\r\n\r\n");
		o = PUT(o, SDP_BODY);
	} else
		o = PUT(o, "Content-Length: 0\r\n\r\n");
	return (int)(o - buf);
}

static struct sockaddr_in rsp_dst(const struct msg *m, const struct sockaddr_in *src)
{
	struct sockaddr_in d = *src; /* RFC 3261 18.2.2, RFC 3581 */
	if (memmem(m->via1.p, (size_t)m->via1.n, ";rport", 6))
		return d;
	const char *e = m->via1.p + m->via1.n, *t = memchr(m->via1.p, ' ', (size_t)m->via1.n);
	int port = 5060;
	if (t) {
		while (t < e && *t == ' ')
			t++;
		while (t < e && *t != ':' && *t != ';')
			t++;
		if (t < e && *t == ':')
			port = (int)strtol(t + 1, NULL, 10);
	}
	d.sin_port = htons((uint16_t)port);
	return d;
}

/* Answers that belong to no operation; a datagram stays here until the next flush. */
enum { REPLIES = 256 };
static char reply_text[REPLIES][2048];
static uint32_t reply_n;

void uas_answer(struct op *x)
{
	uint32_t s = (uint32_t)(x - ops);
	x->ust = U_OKSENT;
	x->uiv = 500;
	x->udead = now + 32 * SEC;
	uas_due[s] = now + 500 * MS;
	flow_send(x->uf, &x->udst, x->r2, x->r2n);
}

/* What every packet to the UAS half comes with. */
struct arrival {
	struct flow *f;
	const struct msg *m;
	const struct sockaddr_in *src;
	struct sockaddr_in dst; /* of the answer */
	const char *text;
	int n;
	char tag[20]; /* our To tag: the operation's slot and generation */
};

static void answer_loose(const struct arrival *a, int code, const char *reason)
{
	char *r = reply_text[reply_n++ % REPLIES];
	int l = reply(r, a->m, code, reason, a->tag, 17, 0, 0, a->f, 0, a->src);

	flow_send(a->f, &a->dst, r, l);
	if (reply_n % (REPLIES / 2) == 0)
		flush_all();
}

static void check_forwarded(const struct arrival *a, const struct op *x, int body_n)
{
	char uri[200];
	int uri_n = x ? (int)(contact_uri(uri, x->user, NULL) - uri) : 0;

	if (x && !opt.contact_conn && !streq(a->m->ruri, uri, uri_n))
		check_failed("Request-URI is not the registered contact", a->text, a->n);
	if (!opt.direct && a->m->nvia < 2)
		check_failed("forwarded request has no proxy Via", a->text, a->n);
	if (a->m->maxfwd >= 70 || a->m->maxfwd < 0)
		check_failed("Max-Forwards not decremented", a->text, a->n);
	if (a->m->body.n != body_n)
		check_failed("body changed", a->text, a->n);
}

static void on_invite(const struct arrival *a, struct op *x)
{
	const struct msg *m = a->m;

	if (x->ust != U_NONE && m->branch.n == x->ubrn && !memcmp(m->branch.p, x->ubr, (size_t)x->ubrn)) {
		stats.req_retx_rx++;
		if (x->ust == U_RING && x->r1n)
			flow_send(a->f, &x->udst, x->r1, x->r1n);
		else if (x->ust == U_OKSENT)
			flow_send(a->f, &x->udst, x->r2, x->r2n);
		return;
	}
	stats.uas_invites++;
	check_forwarded(a, x, (int)sizeof(SDP_BODY) - 1);
	if (!opt.direct && !m->nrr)
		check_failed("INVITE without Record-Route", a->text, a->n);
	x->ubrn = m->branch.n < (int)sizeof(x->ubr) ? m->branch.n : 0;
	memcpy(x->ubr, m->branch.p, (size_t)x->ubrn);
	x->uf = a->f;
	x->udst = a->dst;
	x->ucseq = m->cseq;
	x->ust = U_RING;
	x->r1n = 0;
	if (!opt.no180) {
		x->r1n = reply(x->r1, m, 180, "Ringing", a->tag, 17, 1, x->user, a->f, 0, a->src);
		flow_send(a->f, &a->dst, x->r1, x->r1n);
	}
	x->r2n = reply(x->r2, m, 200, "OK", a->tag, 17, 1, x->user, a->f, 1, a->src);
	if (opt.answer)
		fifo_push(&answering, now + opt.answer, (uint32_t)(x - ops), x->gen);
	else
		uas_answer(x);
}

static void on_ack(const struct arrival *a, struct op *x)
{
	if (x->ust != U_OKSENT) {
		stats.req_retx_rx++;
		return;
	}
	if (!streq(a->m->ttag, a->tag, 17)) {
		check_failed("ACK with wrong To tag", a->text, a->n);
		return;
	}
	if (a->m->cseq != x->ucseq) {
		check_failed("ACK CSeq differs from INVITE", a->text, a->n);
		return;
	}
	if (a->m->nroute)
		check_failed("Route left in request at the endpoint", a->text, a->n);
	x->ust = U_CONF;
	uas_due[x - ops] = 0;
	stats.uas_acks++;
}

static void on_bye(const struct arrival *a, struct op *x)
{
	if (!streq(a->m->ttag, a->tag, 17))
		check_failed("BYE with wrong To tag", a->text, a->n);
	if (a->m->nroute)
		check_failed("Route left in request at the endpoint", a->text, a->n);
	if (a->m->cseq <= x->ucseq)
		check_failed("BYE CSeq not higher", a->text, a->n);
	if (x->ust == U_OKSENT) /* BYE overtook ACK; the session is over either way */
		uas_due[x - ops] = 0;
	if (x->ust == U_DONE)
		stats.req_retx_rx++;
	else
		stats.uas_byes++;
	x->ust = U_DONE;
	x->r1n = reply(x->r1, a->m, 200, "OK", a->tag, 17, 0, x->user, a->f, 0, a->src);
	flow_send(a->f, &a->dst, x->r1, x->r1n);
}

/* The operation a request belongs to is named by its Call-ID; NULL: a call that is over, or none of ours. */
static struct op *op_of(const struct msg *m, uint32_t *slot, uint32_t *gen)
{
	if (m->callid.n <= 17 || !get_hex8(m->callid.p, slot) || !get_hex8(m->callid.p + 8, gen) || *slot >= opt.window)
		return NULL;
	return ops[*slot].gen == *gen && ops[*slot].st != ST_FREE ? &ops[*slot] : NULL;
}

void on_request(struct flow *f, const struct msg *m, const char *b, int n, const struct sockaddr_in *src)
{
	struct arrival a = { f, m, src, f->stream ? *src : rsp_dst(m, src), b, n, "t" };
	uint32_t slot = 0, gen = 0;
	struct op *x = op_of(m, &slot, &gen);

	put_hex8(put_hex8(a.tag + 1, slot), gen);
	if (m->method == M_MESSAGE) {
		stats.uas_messages++;
		check_forwarded(&a, x, (int)sizeof(TEXT_BODY) - 1);
		answer_loose(&a, 200, "OK");
	} else if (m->method == M_OPTIONS) {
		answer_loose(&a, 200, "OK");
	} else if (!x) {
		stats.req_retx_rx++;
		if (m->method == M_BYE) /* a late one */
			answer_loose(&a, 200, "OK");
		else if (m->method != M_ACK)
			answer_loose(&a, 481, "Call/Transaction Does Not Exist");
	} else if (m->method == M_INVITE) {
		on_invite(&a, x);
	} else if (m->method == M_ACK) {
		on_ack(&a, x);
	} else if (m->method == M_BYE) {
		on_bye(&a, x);
	} else {
		answer_loose(&a, 501, "Not Implemented");
	}
}
