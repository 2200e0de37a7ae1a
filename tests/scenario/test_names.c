/*
 * Calls to other domains (relay: users): where their DNS records lead, and on from a target that fails to the next (RFC 3263). A name
 * server stands on the wire, and phones stand in for the other domains' servers.
 */
#include "harness.h"
#include "name_server.h"

static const struct zone_row rows[] = {
	{ "_sip._udp.other.test", "SRV", 60, "10 1 5060 one.other.test" },
	{ "_sip._udp.other.test", "SRV", 60, "20 1 5070 two.other.test" },
	{ "one.other.test", "A", 60, "10.0.2.1" },
	{ "two.other.test", "A", 60, "10.0.2.2" },
	{ "tcp.test", "NAPTR", 60, "10 1 s SIP+D2T _sip._tcp.tcp.test" },
	{ "_sip._tcp.tcp.test", "SRV", 60, "10 1 5060 one.other.test" },
	{ "_sip._tcp.tcp.test", "SRV", 60, "20 1 5070 two.other.test" },
	{ "simple.test", "A", 60, "10.0.2.1" },
	{ "evil.test", "A", 60, "127.0.0.1" },
	{ "evil.test", "A", 60, "169.254.1.1" },
	{ "phone.test", "A", 60, "10.0.2.1" },
	{ "inside.test", "A", 60, "10.0.1.5" },
	{ "inside.test", "A", 60, "10.0.1.6" },
};

struct rig {
	struct world w;
	struct name_server ns;
	struct phone a, one, two;
	struct leg l;
};

static void rig_open_with(struct rig *r, enum td_proto proto, const char *extra)
{
	char text[256];

	memset(r, 0, sizeof(*r));
	snprintf(text, sizeof(text), "dns: {servers: [10.0.0.53]}\nrelay: users\n%s", extra);
	world_open(&r->w, 1, 2, text);
	name_server_open(&r->ns, r->w.peers, r->w.wire, "10.0.0.53", rows, TD_ARRAY_LEN(rows));
	phone_open(&r->a, &r->w, "alice", "10.0.1.1", 5060, TD_UDP);
	phone_open(&r->one, &r->w, "carol", "10.0.2.1", 5060, proto);
	phone_open(&r->two, &r->w, "dave", "10.0.2.2", 5070, proto);
}

static void rig_open(struct rig *r, enum td_proto proto)
{
	rig_open_with(r, proto, "");
}

static void rig_close(struct rig *r)
{
	phone_close(&r->a);
	phone_close(&r->one);
	phone_close(&r->two);
	world_run(&r->w, 60000);
	name_server_close(&r->ns);
	world_close(&r->w);
}

static void dial(struct rig *r, const char *to)
{
	leg_new(&r->l, &r->a, "example.test", to);
	leg_send(&r->l, "INVITE", NULL, SDP);
	want_status(&r->a, 100);
}

static void want_ack(struct rig *r, struct phone *callee)
{
	struct td_msg *m = want_status(&r->a, 200);

	leg_learn(&r->l, m);
	leg_send(&r->l, "ACK", NULL, NULL);
	want_request(callee, "ACK");
}

/* ---- what goes well ---- */

/* Proves RFC 3261 §16.5-1. */
static void a_call_to_another_domain(void **state)
{
	struct rig r;
	struct leg theirs;
	struct td_msg *m;

	rig_open(&r, TD_UDP);
	dial(&r, "sip:carol@other.test");
	m = want_request(&r.one, "INVITE");
	assert_str(m->uri, "sip:carol@other.test"); /* as it came */
	phone_answer(&r.one, m, 180, "", NULL);
	want_status(&r.a, 180);
	phone_answer(&r.one, m, 200, "", SDP);
	leg_of_request(&theirs, &r.one, m);
	want_ack(&r, &r.one);
	leg_hang_up(&theirs, &r.a);
	want_silence(&r.two, 1000);
	rig_close(&r);
}

static void a_message_by_tcp(void **state)
{
	struct rig r;
	struct td_msg *m;

	rig_open(&r, TD_TCP);
	leg_new(&r.l, &r.a, "example.test", "sip:carol@tcp.test");
	leg_send(&r.l, "MESSAGE", NULL, NULL);
	m = want_request(&r.one, "MESSAGE");
	assert_str(m->via.transport, "TCP");
	phone_answer(&r.one, m, 200, "", NULL);
	want_status(&r.a, 200);
	rig_close(&r);
}

/* A callee's Contact with a name in it: ACK and BYE find it. */
static void names_within_a_dialog(void **state)
{
	struct rig r;
	struct td_msg *m;

	rig_open(&r, TD_UDP);
	dial(&r, "sip:carol@other.test");
	m = want_request(&r.one, "INVITE");
	phone_answer(&r.one, m, 200, "", SDP);
	m = want_status(&r.a, 200);
	leg_learn(&r.l, m);
	snprintf(r.l.target, sizeof(r.l.target), "sip:carol@phone.test:5060");
	leg_send(&r.l, "ACK", NULL, NULL);
	want_request(&r.one, "ACK");
	leg_send(&r.l, "BYE", NULL, NULL);
	m = want_request(&r.one, "BYE");
	assert_str(m->uri, "sip:carol@phone.test:5060");
	phone_answer(&r.one, m, 200, "", NULL);
	want_status(&r.a, 200);
	rig_close(&r);
}

/* The same without state: a request, its repetition and the next hop's answer, each time by the same of two addresses. */
/* Proves RFC 3261 §16.11-2; RFC 3263 §4.4-1. */
static void names_without_state(void **state)
{
	struct phone b, other;
	struct rig r;
	struct td_msg *m;
	unsigned n[2] = { 0 };

	rig_open(&r, TD_UDP);
	phone_open(&b, &r.w, "bob", "10.0.1.5", 5060, TD_UDP);
	phone_open(&other, &r.w, "bob", "10.0.1.6", 5060, TD_UDP);
	phone_register(&b, "quick.test");
	leg_new(&r.l, &r.a, "quick.test", "sip:bob@quick.test");
	leg_send(&r.l, "INVITE", NULL, SDP);
	m = want_request(&b, "INVITE");
	phone_answer(&b, m, 200, "", SDP);
	leg_learn(&r.l, want_status(&r.a, 200));
	snprintf(r.l.target, sizeof(r.l.target), "sip:bob@inside.test:5060");
	for (int i = 0; i < 12; i++) {
		leg_send(&r.l, "INFO", NULL, NULL);
		r.l.p->w->serial--; /* the same branch again */
		r.l.cseq--;
		world_run(&r.w, 100);
		leg_send(&r.l, "INFO", NULL, NULL);
		world_run(&r.w, 100);
		for (int k = 0; k < 2; k++) {
			struct phone *p = k ? &other : &b;

			if ((m = maybe_request(p, "INFO", 0))) {
				n[k]++;
				assert_non_null(maybe_request(p, "INFO", 0));
				phone_answer(p, m, 200, "", NULL);
				want_status(&r.a, 200);
			}
			assert_null(maybe_request(p, "INFO", 0));
		}
	}
	assert_int_equal(n[0] + n[1], 12);
	assert_true(n[0] && n[1]);
	snprintf(r.l.target, sizeof(r.l.target), "sip:bob@nosuch.test:5060");
	leg_send(&r.l, "BYE", NULL, NULL);
	want_status(&r.a, 502);
	phone_close(&b);
	phone_close(&other);
	rig_close(&r);
}

/* ---- failover ---- */

/* Proves RFC 3261 §16.6-6; RFC 3263 §4.3-1. */
static void silent_target(void **state)
{
	struct rig r;
	struct td_msg *first, *m;

	rig_open(&r, TD_UDP);
	dial(&r, "sip:carol@other.test");
	first = want_request(&r.one, "INVITE");
	assert_null(maybe_request(&r.two, "INVITE", 2900));
	m = want_request(&r.two, "INVITE");
	assert_false(td_str_eq(first->via.branch, m->via.branch)); /* §4.3: another transaction */
	assert_true(td_str_eq(first->call_id, m->call_id));
	phone_answer(&r.two, m, 180, "", NULL);
	want_status(&r.a, 180);
	phone_answer(&r.two, m, 200, "", SDP);
	want_ack(&r, &r.two);
	/* the next call knows */
	world_run(&r.w, 20000);
	phone_forget(&r.one);
	dial(&r, "sip:carol@other.test");
	m = want_request(&r.two, "INVITE");
	want_silence(&r.one, 500);
	phone_answer(&r.two, m, 486, "", NULL);
	want_status(&r.a, 486);
	rig_close(&r);
}

/* Slow, not dead: both are in the race, as with a forked request. */
static void slow_target_answers_first(void **state)
{
	struct rig r;
	struct td_msg *first, *second;

	rig_open(&r, TD_UDP);
	dial(&r, "sip:carol@other.test");
	first = want_request(&r.one, "INVITE");
	second = want_request(&r.two, "INVITE");
	phone_answer(&r.two, second, 180, "", NULL);
	want_status(&r.a, 180);
	phone_answer(&r.one, first, 200, "", SDP);
	want_ack(&r, &r.one);
	phone_cancelled(&r.two, second);
	rig_close(&r);
}

/* A refusal by the second one is not held up by the silence of the first. */
static void refused_after_silence(void **state)
{
	static const char *const methods[] = { "INVITE", "MESSAGE" };

	for (int i = 0; i < 2; i++) {
		struct td_msg *m, *first;
		struct rig r;

		rig_open(&r, TD_UDP);
		leg_new(&r.l, &r.a, "example.test", "sip:carol@other.test");
		leg_send(&r.l, methods[i], NULL, i ? NULL : SDP);
		first = want_request(&r.one, methods[i]);
		m = want_request(&r.two, methods[i]);
		phone_answer(&r.two, m, 486, "", NULL);
		assert_non_null(maybe_status(&r.a, 486, 500));
		if (!i) { /* it was slow: it is told that nobody waits any more */
			phone_answer(&r.one, first, 180, "", NULL);
			phone_cancelled(&r.one, first);
		}
		rig_close(&r);
	}
}

/* There is no other: the silent one is waited for as long as any. */
static void slow_and_alone(void **state)
{
	struct td_msg *m;
	struct rig r;

	rig_open(&r, TD_UDP);
	leg_new(&r.l, &r.a, "example.test", "sip:carol@simple.test");
	leg_send(&r.l, "MESSAGE", NULL, NULL);
	m = want_request(&r.one, "MESSAGE");
	assert_null(maybe_status(&r.a, 0, 10000));
	phone_answer(&r.one, m, 200, "", NULL);
	want_status(&r.a, 200);
	rig_close(&r);
}

/* Proves RFC 3261 §16.7-7; RFC 3263 §4.3-1. */
static void refusing_target(void **state)
{
	struct rig r;
	struct td_msg *m;

	rig_open(&r, TD_UDP);
	dial(&r, "sip:carol@other.test");
	m = want_request(&r.one, "INVITE");
	phone_answer(&r.one, m, 503, "Retry-After: 120\n", NULL);
	m = want_request(&r.two, "INVITE");
	phone_answer(&r.two, m, 200, "", SDP);
	want_ack(&r, &r.two);
	world_run(&r.w, 100000);
	phone_forget(&r.one);
	dial(&r, "sip:carol@other.test"); /* it said when */
	m = want_request(&r.two, "INVITE");
	phone_answer(&r.two, m, 503, "", NULL);
	m = want_request(&r.one, "INVITE"); /* last, but not never */
	phone_answer(&r.one, m, 503, "", NULL);
	want_status(&r.a, 500); /* §16.7: our caller need not give us up for it */
	rig_close(&r);
}

/* Everything else is an answer. */
/* Proves RFC 3263 §4.3-2. */
static void answers_are_no_failures(void **state)
{
	static const unsigned statuses[] = { 404, 486, 500, 603 };

	for (size_t i = 0; i < TD_ARRAY_LEN(statuses); i++) {
		struct rig r;
		struct td_msg *m;

		rig_open(&r, TD_UDP);
		dial(&r, "sip:carol@other.test");
		m = want_request(&r.one, "INVITE");
		phone_answer(&r.one, m, statuses[i], "", NULL);
		want_status(&r.a, statuses[i]);
		want_silence(&r.two, 5000);
		rig_close(&r);
	}
}

/* Proves RFC 3261 §16.6-6; RFC 3263 §4.3-1. */
static void refused_connection(void **state)
{
	struct rig r;
	struct td_msg *m;

	rig_open(&r, TD_TCP);
	td_listener_close(r.one.listener);
	r.one.listener = NULL;
	dial(&r, "sip:carol@tcp.test");
	m = maybe_request(&r.two, "INVITE", 500); /* at once */
	assert_non_null(m);
	phone_answer(&r.two, m, 200, "", SDP);
	want_ack(&r, &r.two);
	rig_close(&r);
}

/* The target dies with the call under way, heard of or not: its connection breaks. */
static void broken_connection(void **state)
{
	for (int rang = 0; rang < 2; rang++) {
		struct rig r;
		struct td_msg *m;

		rig_open(&r, TD_TCP);
		dial(&r, "sip:carol@tcp.test");
		m = want_request(&r.one, "INVITE");
		if (rang) {
			phone_answer(&r.one, m, 180, "", NULL);
			want_status(&r.a, 180);
			world_run(&r.w, 5000);
			want_silence(&r.two, 0);
		}
		phone_close(&r.one);
		m = maybe_request(&r.two, "INVITE", 500);
		assert_non_null(m);
		phone_answer(&r.two, m, 200, "", SDP);
		want_ack(&r, &r.two);
		phone_open(&r.one, &r.w, "carol", "10.0.2.1", 5060, TD_TCP);
		rig_close(&r);
	}
}

/* SYNs are lost: the connection is not waited for. */
static void no_connection(void **state)
{
	struct rig r;
	struct td_msg *m;

	rig_open(&r, TD_TCP);
	td_net_unplug(r.one.net, true);
	dial(&r, "sip:carol@tcp.test");
	m = maybe_request(&r.two, "INVITE", 3500);
	assert_non_null(m);
	td_net_unplug(r.one.net, false); /* comes back too late, and gets nothing */
	phone_answer(&r.two, m, 200, "", SDP);
	want_ack(&r, &r.two);
	rig_close(&r);
}

static void a_message_fails_over(void **state)
{
	struct rig r;
	struct td_msg *m;

	rig_open(&r, TD_UDP);
	leg_new(&r.l, &r.a, "example.test", "sip:carol@other.test");
	leg_send(&r.l, "MESSAGE", NULL, NULL);
	want_request(&r.one, "MESSAGE");
	m = want_request(&r.two, "MESSAGE");
	phone_answer(&r.two, m, 200, "", NULL);
	want_status(&r.a, 200);
	rig_close(&r);
}

/* Proves RFC 3261 §16.7-10. */
static void all_targets_silent(void **state)
{
	struct rig r;

	rig_open(&r, TD_UDP);
	dial(&r, "sip:carol@other.test");
	want_request(&r.one, "INVITE");
	want_request(&r.two, "INVITE");
	assert_null(maybe_status(&r.a, 0, 30000));
	assert_non_null(maybe_status(&r.a, 408, 10000));
	rig_close(&r);
}

/* Packets get lost, between us and the name server too: calls come through, to one target or the other. */
static void under_loss(void **state)
{
	struct phone *phones[2];
	unsigned done = 0;
	struct rig r;

	rig_open(&r, TD_UDP);
	phones[0] = &r.one;
	phones[1] = &r.two;
	world_rules(&r.w, 0.2, 0.1, 0.2);
	for (int i = 0; i < 20; i++) {
		struct td_msg *m;

		leg_new(&r.l, &r.a, "example.test", "sip:carol@other.test");
		leg_send(&r.l, "OPTIONS", NULL, NULL);
		for (int j = 0; j < 8; j++)
			if ((m = maybe_request(phones[j % 2], "OPTIONS", 1000)))
				phone_answer(phones[j % 2], m, 200, "", NULL);
		done += maybe_status(&r.a, 200, 1000) != NULL;
		phone_forget(&r.one);
		phone_forget(&r.two);
		phone_forget(&r.a);
	}
	assert_true(done >= 10); /* a phone here sends its request but once: 0.8 of them arrive */
	world_rules(&r.w, 0, 0, 0);
	rig_close(&r);
}

/* ---- the caller gives up ---- */

static void cancelled_while_looked_up(void **state)
{
	struct rig r;

	rig_open(&r, TD_UDP);
	r.ns.delay_ms = 500;
	dial(&r, "sip:carol@other.test");
	world_run(&r.w, 700);
	leg_send(&r.l, "CANCEL", NULL, NULL);
	want_status(&r.a, 200);
	want_status(&r.a, 487);
	want_silence(&r.one, 5000);
	rig_close(&r);
}

/* Neither the one that is silent nor another is asked any more. */
static void cancelled_before_failover(void **state)
{
	struct rig r;

	rig_open(&r, TD_UDP);
	dial(&r, "sip:carol@other.test");
	want_request(&r.one, "INVITE");
	world_run(&r.w, 1000);
	leg_send(&r.l, "CANCEL", NULL, NULL);
	want_status(&r.a, 200);
	want_silence(&r.two, 20000);
	assert_non_null(maybe_status(&r.a, 487, 40000));
	rig_close(&r);
}

static void cancelled_after_failover(void **state)
{
	struct rig r;
	struct td_msg *invite;

	rig_open(&r, TD_UDP);
	dial(&r, "sip:carol@other.test");
	want_request(&r.one, "INVITE");
	invite = want_request(&r.two, "INVITE");
	phone_answer(&r.two, invite, 180, "", NULL);
	want_status(&r.a, 180);
	leg_send(&r.l, "CANCEL", NULL, NULL);
	want_status(&r.a, 200);
	phone_cancelled(&r.two, invite);
	assert_non_null(maybe_status(&r.a, 487, 40000));
	rig_close(&r);
}

/* ---- names that lead nowhere ---- */

static unsigned ask(struct rig *r, const char *method, const char *uri, uint64_t ms)
{
	struct td_msg *m;

	leg_new(&r->l, &r->a, "example.test", uri);
	leg_send(&r->l, method, NULL, NULL);
	m = maybe_status(&r->a, 0, ms);
	return m ? m->status : 0;
}

static void t8_dns_failures(void **state)
{
	struct rig r;

	rig_open(&r, TD_UDP);
	assert_int_equal(ask(&r, "MESSAGE", "sip:carol@nosuch.test", 1000), 502);
	assert_int_equal(ask(&r, "MESSAGE", "sip:carol@nosuch.test;transport=tls", 1000), 502);
	assert_int_equal(ask(&r, "MESSAGE", "sip:carol@xy.invalid", 1000), 502);
	r.ns.silent = true;
	assert_int_equal(ask(&r, "MESSAGE", "sip:carol@elsewhere.test", 20000), 504);
	assert_int_equal(ask(&r, "INVITE", "sip:carol@elsewhere.test", 20000), 504);
	rig_close(&r);
}

/* ---- who may ---- */

static void d1_relay_is_for_users(void **state)
{
	static const char *const uris[] = { "sip:x@10.0.2.1", "sip:x@other.test;maddr=10.0.2.1", "sip:x@[::1]" };
	struct phone mallory, bob;
	struct td_msg *m;
	struct rig r;

	rig_open(&r, TD_UDP);
	/* an address is no domain; neither is a domain anywhere on the inside */
	for (size_t i = 0; i < TD_ARRAY_LEN(uris); i++)
		assert_int_equal(ask(&r, "INVITE", uris[i], 1000), 403);
	assert_int_equal(ask(&r, "MESSAGE", "sip:x@evil.test", 1000), 403);
	assert_int_equal(ask(&r, "REGISTER", "sip:other.test", 1000), 403);
	/* strangers prove who they are, and then are not somebody else */
	phone_open(&mallory, &r.w, "mallory", "10.0.9.9", 5060, TD_UDP);
	leg_new(&r.l, &mallory, "example.test", "sip:carol@other.test");
	leg_send(&r.l, "INVITE", NULL, SDP);
	want_status(&mallory, 407);
	world_user(&r.w, "bob", "secret");
	phone_open(&bob, &r.w, "bob", "10.0.9.8", 5060, TD_UDP);
	phone_password(&bob, "secret");
	leg_new(&r.l, &bob, "example.test", "sip:carol@other.test");
	leg_send_proved(&r.l, "OPTIONS", NULL, NULL);
	m = want_request(&r.one, "OPTIONS");
	assert_int_equal(header_count(m, TD_HDR_PROXY_AUTHORIZATION), 0); /* ours alone */
	phone_answer(&r.one, m, 200, "", NULL);
	want_status(&bob, 200);
	phone_close(&mallory);
	phone_close(&bob);
	rig_close(&r);
}

static void d1_relay_is_off_by_default(void **state)
{
	struct rig r;

	memset(&r, 0, sizeof(r));
	world_open(&r.w, 1, 1, "dns: {servers: [10.0.0.53]}\n");
	phone_open(&r.a, &r.w, "alice", "10.0.1.1", 5060, TD_UDP);
	assert_int_equal(ask(&r, "INVITE", "sip:carol@other.test", 1000), 403);
	phone_close(&r.a);
	world_close(&r.w);
}

/* ---- long messages (§18.1.1) ---- */

static void send_long(struct rig *r, const char *to)
{
	char text[1400];

	memset(text, 'x', sizeof(text) - 2);
	memcpy(text, "X-Long: ", 8);
	text[sizeof(text) - 2] = '\n';
	text[sizeof(text) - 1] = '\0';
	leg_new(&r->l, &r->a, "example.test", to);
	leg_send(&r->l, "MESSAGE", text, NULL);
}

/* Proves RFC 3261 §18.1.1-1. */
static void t10_long_requests_go_by_tcp(void **state)
{
	struct phone tcp;
	struct rig r;
	struct td_msg *m;

	rig_open(&r, TD_UDP);
	phone_open(&tcp, &r.w, "carol", "10.0.2.1", 5060, TD_TCP);
	send_long(&r, "sip:carol@simple.test");
	m = want_request(&tcp, "MESSAGE");
	assert_str(m->via.transport, "TCP");
	phone_answer(&tcp, m, 200, "", NULL);
	want_status(&r.a, 200);
	want_silence(&r.one, 40000);
	phone_close(&tcp);
	rig_close(&r);
}

/* Nobody listens, or the SYN is lost: the datagram goes after all, and the next one at once. */
/* Proves RFC 3261 §18.1.1-2. */
static void t10_datagram_after_all(void **state)
{
	for (int lost = 0; lost < 2; lost++) {
		struct phone dark;
		struct rig r;
		struct td_msg *m;

		rig_open(&r, TD_UDP);
		phone_open(&dark, &r.w, "carol", "10.0.2.1", lost ? 5060 : 5999, TD_TCP);
		if (lost)
			td_net_unplug(dark.net, true);
		send_long(&r, "sip:carol@simple.test");
		m = maybe_request(&r.one, "MESSAGE", lost ? 700 : 200);
		assert_non_null(m);
		phone_answer(&r.one, m, 200, "", NULL);
		want_status(&r.a, 200);
		send_long(&r, "sip:carol@simple.test");
		m = maybe_request(&r.one, "MESSAGE", 50);
		assert_non_null(m);
		phone_answer(&r.one, m, 200, "", NULL);
		want_status(&r.a, 200);
		phone_close(&dark);
		rig_close(&r);
	}
}

/* To a phone registered by UDP as well. */
/* Proves RFC 3261 §18.1.1-1. */
static void t10_long_requests_to_phones(void **state)
{
	struct phone b, tcp;
	struct rig r;
	struct td_msg *m;

	rig_open(&r, TD_UDP);
	phone_open(&b, &r.w, "bob", "10.0.1.2", 5060, TD_UDP);
	phone_open(&tcp, &r.w, "bob", "10.0.1.2", 5060, TD_TCP);
	world_user(&r.w, "bob", "secret");
	phone_register(&b, "example.test");
	send_long(&r, "sip:bob@example.test");
	m = want_request(&tcp, "MESSAGE");
	phone_answer(&tcp, m, 200, "", NULL);
	want_status(&r.a, 200);
	phone_close(&tcp);
	phone_close(&b);
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_call_to_another_domain),
		cmocka_unit_test(a_message_by_tcp),
		cmocka_unit_test(names_within_a_dialog),
		cmocka_unit_test(names_without_state),
		cmocka_unit_test(silent_target),
		cmocka_unit_test(slow_target_answers_first),
		cmocka_unit_test(refused_after_silence),
		cmocka_unit_test(slow_and_alone),
		cmocka_unit_test(refusing_target),
		cmocka_unit_test(answers_are_no_failures),
		cmocka_unit_test(refused_connection),
		cmocka_unit_test(broken_connection),
		cmocka_unit_test(no_connection),
		cmocka_unit_test(a_message_fails_over),
		cmocka_unit_test(all_targets_silent),
		cmocka_unit_test(under_loss),
		cmocka_unit_test(cancelled_while_looked_up),
		cmocka_unit_test(cancelled_before_failover),
		cmocka_unit_test(cancelled_after_failover),
		cmocka_unit_test(t8_dns_failures),
		cmocka_unit_test(d1_relay_is_for_users),
		cmocka_unit_test(d1_relay_is_off_by_default),
		cmocka_unit_test(t10_long_requests_go_by_tcp),
		cmocka_unit_test(t10_datagram_after_all),
		cmocka_unit_test(t10_long_requests_to_phones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
