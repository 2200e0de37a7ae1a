/* A side of a call, and what is said again and again over it: see harness.h. */
#include "harness.h"

static void copy(char *to, size_t cap, struct td_str s)
{
	assert_true(s.n < cap);
	memcpy(to, s.p ? s.p : "", s.n);
	to[s.n] = 0;
}

void leg_new(struct leg *l, struct phone *p, const char *domain, const char *to)
{
	memset(l, 0, sizeof(*l));
	l->p = p;
	snprintf(l->call_id, sizeof(l->call_id), "%u-%s", ++p->w->serial, p->user);
	snprintf(l->local, sizeof(l->local), "<sip:%s@%s>;tag=f%u", p->user, domain, p->w->serial);
	snprintf(l->remote, sizeof(l->remote), "<%s>", to);
	snprintf(l->target, sizeof(l->target), "%s", to);
}

void leg_send(struct leg *l, const char *method, const char *extra, const char *body)
{
	bool ack = !strcmp(method, "ACK"), cancel = !strcmp(method, "CANCEL");
	char addr[TD_ADDR_TEXT];
	struct td_out o;

	if (cancel)
		snprintf(l->branch, sizeof(l->branch), "%s", l->invite_branch);
	else
		snprintf(l->branch, sizeof(l->branch), "z9hG4bK-%s-%u", l->p->user, ++l->p->w->serial);
	if (!ack && !cancel)
		l->cseq++;
	if (!strcmp(method, "INVITE")) {
		l->invite_cseq = l->cseq;
		snprintf(l->invite_branch, sizeof(l->invite_branch), "%s", l->branch);
	}
	td_out_init(&o);
	td_out_fmt(
		&o,
		"%s %s SIP/2.0\r\nVia: SIP/2.0/%.*s %s;rport;branch=%s\r\n%sMax-Forwards: 70\r\nFrom: %s\r\nTo: %s\r\nCall-ID: "
		"%s\r\n"
		"CSeq: %u %s\r\nContact: %s\r\n",
		method, l->target, TD_FMT(td_proto_name(l->p->proto)), phone_host(addr, l->p), l->branch, l->routes, l->local,
		l->remote, l->call_id, ack || cancel ? l->invite_cseq : l->cseq, method, contact_of(l->p));
	if (l->p->auth && !cancel)
		assert_int_equal(td_auth_client_put(&o, l->p->auth, td_str_of(method), td_str_of(l->target)), 0);
	put_crlf(&o, extra ? extra : "");
	td_put_body(&o, body ? TD_STR("application/sdp") : TD_STR_NULL, td_str_of(body));
	phone_send_bytes(l->p, td_out_view(&o));
	td_out_free(&o);
}

static void learn_contact(struct leg *l, const struct td_msg *m)
{
	struct td_name_addr na;

	if (!td_name_addr_parse(&na, td_msg_value(m, TD_HDR_CONTACT)))
		copy(l->target, sizeof(l->target), na.uri.text);
}

static void add_route(struct leg *l, struct td_str v, bool front)
{
	char line[512], old[sizeof(l->routes)];

	assert_true(snprintf(line, sizeof(line), "Route: %.*s\r\n", TD_FMT(v)) < (int)sizeof(line));
	memcpy(old, l->routes, sizeof(old));
	assert_true(snprintf(l->routes, sizeof(l->routes), "%s%s", front ? line : old, front ? old : line) <
		    (int)sizeof(l->routes));
}

void leg_learn(struct leg *l, const struct td_msg *response)
{
	struct td_values it;
	struct td_str v;

	copy(l->remote, sizeof(l->remote), response->to.text);
	learn_contact(l, response);
	l->routes[0] = 0;
	for (td_values_of(&it, response, TD_HDR_RECORD_ROUTE); td_values_next(&v, &it) == 1;)
		add_route(l, v, true);
}

void leg_of_request(struct leg *l, struct phone *p, const struct td_msg *req)
{
	struct td_values it;
	struct td_str v;

	memset(l, 0, sizeof(*l));
	l->p = p;
	l->cseq = 100;
	copy(l->call_id, sizeof(l->call_id), req->call_id);
	snprintf(l->local, sizeof(l->local), "%.*s;tag=%s", TD_FMT(req->to.text), p->user);
	copy(l->remote, sizeof(l->remote), req->from.text);
	learn_contact(l, req);
	for (td_values_of(&it, req, TD_HDR_RECORD_ROUTE); td_values_next(&v, &it) == 1;)
		add_route(l, v, false);
}

void leg_ack_refusal(struct leg *l, const struct td_msg *response)
{
	char addr[TD_ADDR_TEXT];

	phone_send(l->p,
		   "ACK %s SIP/2.0\nVia: SIP/2.0/%.*s %s;rport;branch=%s\n%sMax-Forwards: 70\nFrom: %s\nTo: %.*s\nCall-ID: %s\n"
		   "CSeq: %u ACK\nContent-Length: 0\n\n",
		   l->target, TD_FMT(td_proto_name(l->p->proto)), phone_host(addr, l->p), l->invite_branch, l->routes, l->local,
		   TD_FMT(response->to.text), l->call_id, l->invite_cseq);
}

/* The challenge to it is answered in what comes next. */
static void prove(struct leg *l, const char *method, const struct td_msg *challenge)
{
	if (!strcmp(method, "INVITE"))
		leg_ack_refusal(l, challenge);
	assert_int_equal(td_auth_client_challenge(l->p->auth, challenge, NULL), 0);
}

struct td_msg *leg_do(struct leg *l, const char *method, const char *extra, const char *body)
{
	struct td_msg *m;

	leg_send(l, method, extra, body);
	m = want_answer(l->p);
	if ((m->status != 401 && m->status != 407) || !l->p->auth)
		return m;
	prove(l, method, m);
	leg_send(l, method, extra, body);
	return want_answer(l->p);
}

void leg_send_proved(struct leg *l, const char *method, const char *extra, const char *body)
{
	leg_send(l, method, extra, body);
	prove(l, method, want_status(l->p, 407));
	leg_send(l, method, extra, body);
}

void leg_up(struct leg *caller, struct phone *b, const struct td_msg *invite)
{
	phone_answer(b, invite, 200, "", SDP);
	leg_learn(caller, want_status(caller->p, 200));
	leg_send(caller, "ACK", NULL, NULL);
	want_request(b, "ACK");
}

void leg_hang_up(struct leg *by, struct phone *other)
{
	leg_send(by, "BYE", NULL, NULL);
	phone_answer(other, want_request(other, "BYE"), 200, "", NULL);
	while (want_status(by->p, 200)->cseq.method != TD_BYE) /* under way may still be an older one */
		continue;
}

void leg_through(struct leg *caller, struct leg *callee, struct phone *b)
{
	struct td_msg *invite;

	leg_send(caller, "INVITE", NULL, SDP);
	invite = want_request(b, "INVITE");
	leg_of_request(callee, b, invite);
	phone_answer(b, invite, 180, "", NULL);
	want_status(caller->p, 180);
	leg_up(caller, b, invite);
}

void call_up(struct leg *caller, struct leg *callee, struct phone *b)
{
	struct td_msg *m, *invite;

	leg_send(caller, "INVITE", NULL, SDP);
	if (caller->p->auth && (m = maybe_status(caller->p, 407, 200))) {
		prove(caller, "INVITE", m);
		leg_send(caller, "INVITE", NULL, SDP);
	}
	invite = want_request(b, "INVITE");
	leg_of_request(callee, b, invite);
	want_status(caller->p, 100);
	phone_answer(b, invite, 180, "", NULL);
	want_status(caller->p, 180);
	leg_up(caller, b, invite);
}

void phone_register(struct phone *p, const char *domain)
{
	struct td_msg *m;
	struct leg l;
	char to[160];

	snprintf(to, sizeof(to), "sip:%s@%s", p->user, domain);
	leg_new(&l, p, domain, to);
	snprintf(l.target, sizeof(l.target), "sip:%s", domain);
	m = leg_do(&l, "REGISTER", "Expires: 600\n", NULL);
	if (m->status != 200)
		fail_msg("%s: REGISTER got %u %.*s", p->user, m->status, TD_FMT(m->reason));
}

void phone_registers(struct phone *p, const char *aor, const char *lines)
{
	const char *host = strchr(aor, '@');
	unsigned id = ++p->w->serial;
	char addr[TD_ADDR_TEXT];

	phone_send(p,
		   "REGISTER sip:%s SIP/2.0\nVia: SIP/2.0/%.*s %s;rport;branch=z9hG4bK-r%u\nMax-Forwards: 70\n"
		   "From: <%s>;tag=r%u\nTo: <%s>\nCall-ID: reg-%s\nCSeq: %u REGISTER\n%sContent-Length: 0\n\n",
		   host + 1, TD_FMT(td_proto_name(p->proto)), phone_host(addr, p), id, aor, id, aor, p->user, id, lines);
	want_status(p, 200);
}

unsigned phone_ask(struct phone *p, const char *method, const char *uri, const char *extra)
{
	struct td_msg *m;
	struct leg l;

	leg_new(&l, p, "example.test", uri);
	m = leg_do(&l, method, extra, NULL);
	phone_forget(p);
	return m->status;
}
