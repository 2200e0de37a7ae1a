/*
 * The UAC half: launches operations, checks every response (branch, Via count, Call-ID, tags, CSeq, flow) and goes on
 * from there: ACK for every final answer to INVITE, route set from Record-Route, BYE, digest.
 */
#include "sipload.h"

struct op *ops;
uint64_t *uac_due, *uas_due;
uint32_t *free_slot, free_n, inflight;

static uint64_t rng = 88172645463325252ull;
static uint32_t rnd(void)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return (uint32_t)(rng >> 16);
}
static uint32_t next_seq;

void check_failed(const char *what, const char *b, int n)
{
	static int printed;
	stats.verify++;
	if (printed < 8 && !opt.quiet) {
		printed++;
		fprintf(stderr, "sipload: check failed: %s\n%.*s\n---\n", what, n < 1200 ? n : 1200, b);
	}
}

static void arm(uint32_t s, uint64_t t)
{
	uac_due[s] = t;
}
static void send_req(struct op *x)
{
	uint32_t s = (uint32_t)(x - ops);
	x->iv = 500;
	x->dead = now + 32 * SEC;
	x->tb = now;
	arm(s, opt.transport == T_UDP ? now + 500 * MS : x->dead);
	flow_send(x->f, x->method == M_BYE ? &x->dst : &opt.srv, x->req, x->reqn);
}

void finish(struct op *x, int ok)
{
	uint32_t s = (uint32_t)(x - ops);
	if (ok)
		stats.ok++;
	else
		stats.failed++;
	last_at = now;
	x->st = ST_FREE;
	uac_due[s] = 0;
	uas_due[s] = 0;
	x->ust = U_NONE;
	free_slot[free_n++] = s;
	inflight--;
}

void first_request(struct op *x)
{
	x->t0 = now;
	char *o = x->cid;
	if (x->method == M_REGISTER) {
		o = PUT(o, "reg-");
		o = put_dec8(o, x->user);
		o = PUT(o, "-");
		o = put_mem(o, opt.local, (int)strlen(opt.local));
	} else {
		o = put_hex8(o, (uint32_t)(x - ops));
		o = put_hex8(o, x->gen);
		*o++ = '@';
		o = put_mem(o, opt.local, (int)strlen(opt.local));
	}
	x->cidn = (int)(o - x->cid);
	x->st = ST_TRY;
	x->tries = 0;
	struct challenge *c = x->f->challenge;
	if (opt.preauth && c && c->n && x->method != M_OPTIONS) {
		char a[900];
		int n = build_auth(x, a, (struct str){ c->text, c->n }, c->proxy, ++c->nc);
		build_req(x, a, n);
	} else
		build_req(x, NULL, 0);
	if (opt.test == C_MALFORMED)
		send_bad(x);
	send_req(x);
}

void launch(void)
{
	uint32_t s = free_slot[--free_n];
	struct op *x = &ops[s];
	inflight++;
	if (!stats.launched)
		first_at = now;
	uint64_t i = stats.launched++;
	x->gen++;
	x->br = 0;
	x->ust = U_NONE;
	x->routen = x->rtagn = 0;
	switch (opt.test) {
	case C_REGISTER: x->method = M_REGISTER; break;
	case C_IDLE: x->method = M_REGISTER; break;
	case C_CALL: x->method = M_INVITE; break;
	case C_MESSAGE: x->method = M_MESSAGE; break;
	default: x->method = M_OPTIONS; break;
	}
	x->user = opt.first + (opt.random ? rnd() % opt.users : next_seq);
	if (++next_seq == opt.users)
		next_seq = 0;
	x->cseq = x->method == M_REGISTER ? opt.cseq + 4 * (uint32_t)(i / opt.users) : 1;
	if (opt.test == C_CONNECT || opt.test == C_IDLE) {
		x->st = ST_CONN;
		x->t0 = now;
		x->dead = now + 32 * SEC;
		arm(s, x->dead);
		x->f = stream_connect(s, (int)(i % 1000000));
		if (!x->f)
			finish(x, 0);
		return;
	}
	/* a phone refreshes from where it registered: from elsewhere it would be a change */
	x->f = uac_flow[(x->method == M_REGISTER ? x->user : s) % (uint32_t)opt.uac_n];
	first_request(x);
}

/* route set and remote target from a 2xx (or 1xx) to INVITE */
static int take_dialog(struct op *x, const struct msg *m, const char *b, int n)
{
	if (!m->ttag.n || m->ttag.n > (int)sizeof(x->rtag)) {
		check_failed("2xx without To tag", b, n);
		return 0;
	}
	memcpy(x->rtag, m->ttag.p, (size_t)m->ttag.n);
	x->rtagn = m->ttag.n;
	if (!m->contact.n) {
		check_failed("2xx without Contact", b, n);
		return 0;
	}
	struct str c = addr_uri(m->contact);
	if (c.n > (int)sizeof(x->tgt))
		return 0;
	memcpy(x->tgt, c.p, (size_t)c.n);
	x->tgtn = c.n;
	char *o = x->route;
	struct str first = { 0, 0 };
	for (int i = m->nrr - 1; i >= 0; i--) { /* reverse order, splitting comma lists */
		struct str parts[16];
		int np = 0, q = 0, lt = 0;
		const char *st = m->rr[i].p, *e = st + m->rr[i].n;
		for (const char *t = st; t <= e && np < 16; t++) {
			if (t < e && *t == '"')
				q = !q;
			if (t < e && !q && *t == '<')
				lt++;
			if (t < e && !q && *t == '>')
				lt--;
			if (t == e || (*t == ',' && !q && !lt)) {
				while (st < t && *st == ' ')
					st++;
				if (t > st)
					parts[np++] = (struct str){ st, (int)(t - st) };
				st = t + 1;
			}
		}
		for (int k = np - 1; k >= 0; k--) {
			if (o + parts[k].n + 12 > x->route + sizeof(x->route))
				return 0;
			if (!first.p)
				first = addr_uri(parts[k]);
			o = PUT(o, "Route: ");
			o = put_str(o, parts[k]);
			o = PUT(o, "\r\n");
		}
	}
	x->routen = (int)(o - x->route);
	struct str next = first.p ? first : (struct str){ x->tgt, x->tgtn };
	/* next hop: numeric host:port of the first route (or of the target) */
	const char *h = next.p, *e = next.p + next.n;
	if (next.n > 4 && !strncasecmp(h, "sip:", 4))
		h += 4;
	const char *at = memchr(h, '@', (size_t)(e - h));
	if (at)
		h = at + 1;
	const char *t = h;
	char host[64];
	int hn = 0;
	while (t < e && *t != ':' && *t != ';' && *t != '?' && hn < 63)
		host[hn++] = *t++;
	host[hn] = 0;
	int port = 5060;
	if (t < e && *t == ':')
		port = (int)strtol(t + 1, NULL, 10);
	x->dst.sin_family = AF_INET;
	x->dst.sin_port = htons((uint16_t)port);
	if (inet_pton(AF_INET, host, &x->dst.sin_addr) != 1)
		x->dst = opt.srv;
	return 1;
}

void send_bye(struct op *x)
{
	x->method = M_BYE;
	x->cseq++;
	x->br++;
	x->reqn = build_indialog(x, x->req, M_BYE, x->cseq, x->br);
	x->st = ST_BYE;
	send_req(x);
}

/* Why an answer that names this operation is wrong; NULL: it is right. */
static const char *wrong_answer(struct op *x, const struct flow *f, const struct msg *m)
{
	char tag[20];

	from_tag(tag, x);
	if (m->cseq_m != x->method || m->cseq != x->cseq)
		return "CSeq does not match";
	if (m->nvia != 1)
		return "Via count in response is not 1";
	if (!streq(m->callid, x->cid, x->cidn))
		return "Call-ID does not match";
	if (!streq(m->ftag, tag, 17))
		return "From tag does not match";
	if (f != x->f)
		return "response on another flow";
	return NULL;
}

static void on_provisional(struct op *x)
{
	if (x->st != ST_TRY)
		return;
	x->st = ST_PROC;
	if (x->method == M_INVITE) {
		hist_add(&lat_provisional, now - x->t0);
		x->dead += opt.answer + 60 * SEC;
		arm((uint32_t)(x - ops), x->dead);
	} else {
		x->iv = 4000;
		if (opt.transport == T_UDP)
			arm((uint32_t)(x - ops), now + 4000 * MS);
	}
}

/* Each flow keeps its own challenge and counts its own nc, as a client does: counts of one nonce arrive in order. */
static void on_challenge(struct op *x, const struct msg *m)
{
	struct challenge *c = x->f->challenge;
	char auth[900];

	stats.challenges++;
	x->tries++;
	if (x->method == M_INVITE)
		ack_failure(x, m);
	if (!c && !(c = x->f->challenge = calloc(1, sizeof(*c))))
		die("out of memory");
	c->n = m->auth.n < (int)sizeof(c->text) ? m->auth.n : 0;
	memcpy(c->text, m->auth.p, (size_t)c->n);
	c->proxy = m->status == 407;
	c->nc = 1;
	int n = build_auth(x, auth, (struct str){ c->text, c->n }, c->proxy, 1);
	if (x->method == M_INVITE)
		flush_all(); /* the request buffer is rebuilt in place */
	x->cseq++;
	x->br++;
	x->st = ST_TRY;
	build_req(x, auth, n);
	send_req(x);
}

static void on_invite_final(struct op *x, const struct msg *m, const char *b, int n)
{
	uint32_t s = (uint32_t)(x - ops);

	if (x->st == ST_HOLD) { /* retransmitted 2xx */
		stats.rsp_retx_rx++;
		flow_send(x->f, &x->dst, x->ack, x->ackn);
		return;
	}
	hist_add(&lat_final, now - x->t0);
	if (m->status >= 300) {
		ack_failure(x, m);
		finish(x, 0);
		return;
	}
	if (!take_dialog(x, m, b, n)) {
		finish(x, 0);
		return;
	}
	x->inv_br = x->br;
	x->inv_cseq = x->cseq;
	x->ackn = build_indialog(x, x->ack, M_ACK, x->cseq, x->br + 1);
	flow_send(x->f, &x->dst, x->ack, x->ackn);
	x->st = ST_HOLD;
	uac_due[s] = 0;
	if (opt.hold) { /* until the BYE, answers still carry the branch of the INVITE */
		fifo_push(&holding, now + opt.hold, s, x->gen);
	} else {
		x->br++;
		send_bye(x);
	}
}

static void on_other_final(struct op *x, const struct msg *m, const char *b, int n)
{
	int ok = m->status == 200 || m->status == 202;

	hist_add(&lat_final, now - x->t0);
	if (ok && x->method == M_REGISTER && opt.expires > 0) {
		char uri[200];
		int uri_n = (int)(contact_uri(uri, x->user, x->f) - uri);
		if (!m->has_contact || !memmem(b, (size_t)n, uri, (size_t)uri_n)) {
			check_failed("200 to REGISTER does not list the contact", b, n);
			ok = 0;
		}
	}
	if (opt.test == C_CONNECT)
		flow_close(x->f);
	if (opt.test == C_IDLE && ok) { /* keep the connection, keep the slot */
		stats.ok++;
		last_at = now;
		x->st = ST_PARKED;
		uac_due[x - ops] = 0;
		inflight--;
		return;
	}
	finish(x, ok);
}

/* An answer to a branch that is not the one in progress. */
static void on_late(struct op *x, const struct msg *m, uint32_t br)
{
	stats.rsp_retx_rx++;
	/* the 2xx to INVITE again while BYE is out: acknowledge again */
	if (br == x->inv_br && m->cseq_m == M_INVITE && m->status >= 200 && m->status < 300 && x->ackn)
		flow_send(x->f, &x->dst, x->ack, x->ackn);
}

void on_response(struct flow *f, const struct msg *m, const char *b, int n)
{
	uint32_t s, gen, br;
	const char *wrong;
	struct op *x;

	if (m->branch.n != 31 || memcmp(m->branch.p, "z9hG4bK", 7) || !get_hex8(m->branch.p + 7, &s) ||
	    !get_hex8(m->branch.p + 15, &gen) || !get_hex8(m->branch.p + 23, &br) || s >= opt.window) {
		stats.stray++;
		return;
	}
	x = &ops[s];
	if (opt.test == C_MALFORMED && (x->st == ST_FREE || x->gen != gen || br != x->br)) {
		stats.bad_replies++;
		return;
	}
	if (x->st == ST_FREE || x->gen != gen) {
		stats.rsp_retx_rx++;
		return;
	}
	if (br != x->br) {
		on_late(x, m, br);
		return;
	}
	wrong = wrong_answer(x, f, m);
	if (wrong) {
		check_failed(wrong, b, n);
		return;
	}
	if (m->status < 200) {
		on_provisional(x);
		return;
	}
	if (!m->ttag.n)
		check_failed("final response without To tag", b, n);
	stats.code[m->status]++;
	if ((m->status == 401 || m->status == 407) && m->auth.n && x->tries < 2 && x->st != ST_HOLD) {
		on_challenge(x, m);
	} else if (x->method == M_INVITE) {
		on_invite_final(x, m, b, n);
	} else if (x->method == M_BYE) {
		hist_add(&lat_bye, now - x->tb);
		finish(x, m->status == 200);
	} else {
		on_other_final(x, m, b, n);
	}
}
