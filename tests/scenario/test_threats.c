/* What the server must withstand while it runs, one test per row of the threat table; the id begins the name. */
#include "attack.h"

/* ---- D1: open relay ---- */

/* Proves RFC 3261 §10.3-3, §16.5-1. */
static void d1_nothing_is_relayed(void **state)
{
	static const char *const methods[] = { "INVITE", "MESSAGE", "BYE", "OPTIONS", "SUBSCRIBE", "WHATEVER", "REGISTER" };
	struct td_server_status st;
	struct rig r;

	attack_open_strange(&r, 2, NULL);
	phone_password(&r.mallory, "m"); /* even to our own users: nothing leaves without a rule */
	for (size_t i = 0; i < TD_ARRAY_LEN(methods); i++) {
		assert_int_equal(phone_ask(&r.mallory, methods[i], "sip:victim@10.9.9.9", NULL), 403);
		assert_int_equal(phone_ask(&r.mallory, methods[i], "sip:victim@elsewhere.test", NULL), 403);
		assert_int_equal(phone_ask(&r.a, methods[i], "sip:victim@10.9.9.9", NULL), 403);
	}
	want_silence(&r.victim, 1000);
	st = *world_status(&r.w);
	assert_true(st.count.refused_relay >= 21);
	attack_close(&r);
}

/* Proves RFC 3261 §16.3-6. */
static void d1_preloaded_route(void **state)
{
	struct rig r;

	attack_open_strange(&r, 2, NULL);
	assert_int_equal(phone_ask(&r.mallory, "INVITE", "sip:bob@example.test", "Route: <sip:10.9.9.9;lr>\n"), 403);
	assert_int_equal(
		phone_ask(&r.mallory, "INVITE", "sip:bob@example.test", "Route: <sip:" SERVER_IP ";lr>, <sip:10.9.9.9;lr>\n"),
		403);
	assert_int_equal(
		phone_ask(&r.mallory, "INVITE", "sip:x@10.9.9.9", "Route: <sip:" SERVER_IP ";lr;td=000000000000000000000000>\n"),
		403);
	/* an outbound proxy setting */
	assert_int_equal(phone_ask(&r.mallory, "MESSAGE", "sip:bob@example.test", "Route: <sip:example.test;lr>\n"), 407);
	assert_int_equal(phone_ask(&r.a, "INVITE", "sip:bob@example.test", "Route: <sip:10.9.9.9;lr>\n"), 403);
	want_silence(&r.victim, 1000);
	want_silence(&r.b, 1000);
	attack_close(&r);
}

/* A cookie opens its own dialog and nothing else. */
static void d1_cookie_of_another_call(void **state)
{
	struct leg caller, callee, evil;
	struct rig r;

	attack_open_strange(&r, 2, NULL);
	leg_new(&caller, &r.a, "example.test", "sip:bob@example.test");
	call_up(&caller, &callee, &r.b);
	leg_new(&evil, &r.mallory, "example.test", "sip:victim@10.9.9.9");
	memcpy(evil.routes, caller.routes, sizeof(evil.routes));
	leg_send(&evil, "INVITE", NULL, SDP); /* another Call-ID */
	want_status(&r.mallory, 403);
	memcpy(evil.call_id, caller.call_id, sizeof(evil.call_id));
	leg_send(&evil, "INVITE", NULL, SDP); /* the Call-ID, but no tag of it */
	want_status(&r.mallory, 403);
	memcpy(evil.local, caller.local, sizeof(evil.local));
	leg_send(&evil, "INVITE", NULL, SDP); /* and the tag, but for a new request */
	want_status(&r.mallory, 403);
	want_silence(&r.victim, 1000);
	attack_close(&r);
}

/* ---- D2: loops, Max-Forwards, breadth ---- */

/* b is a proxy that sends what it gets back to us: under the same Request-URI that is a loop, under another a spiral. */
/* Proves RFC 3261 §16.3-4; RFC 5393 §4.1-1, §4.2.1-1, §4.2.2-1. */
static void d2_loop_and_spiral(void **state)
{
	struct td_server_status st;
	struct td_msg *m;
	struct leg l;
	struct rig r;

	attack_open_strange(&r, 2, NULL);
	leg_new(&l, &r.a, "any.test", "sip:bob@example.test");
	leg_send(&l, "MESSAGE", NULL, NULL);
	m = want_request(&r.b, "MESSAGE");
	phone_send(&r.b, "MESSAGE sip:bob@example.test SIP/2.0\nVia: SIP/2.0/UDP 10.0.1.2;branch=z9hG4bKp1\n%.*s",
		   (int)(m->bytes.n - (size_t)(find(m, "Via:") - m->bytes.p)), find(m, "Via:"));
	want_status(&r.b, 482);
	phone_send(&r.b, "MESSAGE sip:bob@" SERVER_IP " SIP/2.0\nVia: SIP/2.0/UDP 10.0.1.2;branch=z9hG4bKp2\n%.*s",
		   (int)(m->bytes.n - (size_t)(find(m, "Via:") - m->bytes.p)), find(m, "Via:"));
	m = want_request(&r.b, "MESSAGE");
	assert_int_equal(header_count(m, TD_HDR_VIA), 4);
	st = *world_status(&r.w);
	assert_int_equal(st.count.loops, 1);
	phone_answer(&r.b, m, 200, "", NULL);
	attack_close(&r);
}

static void send_hops(struct phone *p, const char *method, const char *uri, const char *line)
{
	unsigned n = ++p->w->serial;

	phone_send(p,
		   "%s %s SIP/2.0\nVia: SIP/2.0/UDP 10.0.1.1:5060;branch=z9hG4bKh%u\nFrom: <sip:alice@example.test>;tag=1\nTo: "
		   "<sip:x@example.test>\n"
		   "Call-ID: h%u\nCSeq: 1 %s\n%sContent-Length: 0\n\n",
		   method, uri, n, n, method, line);
}

/* Proves RFC 3261 §16.3-3, §16.6-3. */
static void d2_max_forwards(void **state)
{
	struct td_msg *m;
	struct rig r;

	attack_open_strange(&r, 2, NULL);
	send_hops(&r.a, "MESSAGE", "sip:bob@example.test", "Max-Forwards: 0\n");
	want_status(&r.a, 483);
	send_hops(&r.a, "OPTIONS", "sip:bob@example.test", "Max-Forwards: 0\n");
	want_status(&r.a, 483);
	send_hops(&r.a, "OPTIONS", "sip:example.test", "Max-Forwards: 0\n");
	want_status(&r.a, 200);
	send_hops(&r.a, "MESSAGE", "sip:bob@example.test", "");
	m = want_request(&r.b, "MESSAGE");
	assert_int_equal(m->max_forwards, 70);
	phone_answer(&r.b, m, 200, "", NULL);
	send_hops(&r.a, "MESSAGE", "sip:bob@example.test", "Max-Forwards: 255\n");
	m = want_request(&r.b, "MESSAGE");
	assert_int_equal(m->max_forwards, 254);
	phone_answer(&r.b, m, 200, "", NULL);
	send_hops(&r.a, "MESSAGE", "sip:bob@example.test", "Max-Forwards: 256\n");
	want_status(&r.a, 400);
	attack_close(&r);
}

/* Proves RFC 5393 §5.3.3-3, §5.3.3-4. */
static void d2_max_breadth(void **state)
{
	struct phone more[3];
	char ip[32];
	struct rig r;

	attack_open_strange(&r, 2, NULL);
	for (int i = 0; i < 3; i++) {
		snprintf(ip, sizeof(ip), "10.0.1.%d", 20 + i);
		phone_open(&more[i], &r.w, "bob", ip, 5060, TD_UDP);
		phone_register(&more[i], "example.test");
	}
	send_hops(&r.a, "MESSAGE", "sip:bob@example.test", "Max-Breadth: 3\n");
	want_status(&r.a, 440);
	send_hops(&r.a, "MESSAGE", "sip:bob@example.test", "Max-Breadth: 9\n");
	for (int i = 0; i < 3; i++) {
		struct td_msg *m = want_request(&more[i], "MESSAGE");

		assert_string_equal(header(m, "Max-Breadth"), "2");
		assert_int_equal(header_count(m, TD_HDR_MAX_BREADTH), 1);
		phone_answer(&more[i], m, 200, "", NULL);
	}
	phone_answer(&r.b, want_request(&r.b, "MESSAGE"), 200, "", NULL);
	want_status(&r.a, 200);
	for (int i = 0; i < 3; i++)
		phone_close(&more[i]);
	attack_close(&r);
}

/* ---- D3: forged BYE, CANCEL, re-INVITE ---- */

static void d3_forged_requests_in_a_dialog(void **state)
{
	static const char *const methods[] = { "BYE", "INVITE", "UPDATE", "INFO" };
	struct leg caller, callee, evil;
	struct rig r;

	attack_open_strange(&r, 2, NULL);
	leg_new(&caller, &r.a, "example.test", "sip:bob@example.test");
	call_up(&caller, &callee, &r.b);
	evil = caller; /* Call-ID and both tags are known; the cookie is not */
	evil.p = &r.mallory;
	evil.routes[0] = 0;
	for (size_t i = 0; i < TD_ARRAY_LEN(methods); i++) {
		leg_send(&evil, methods[i], NULL, NULL);
		want_status(&r.mallory, 403);
		snprintf(evil.routes, sizeof(evil.routes), "Route: <sip:" SERVER_IP ":5060;lr;td=0123456789abcdef01234567>\r\n");
		leg_send(&evil, methods[i], NULL, NULL);
		want_status(&r.mallory, 403);
		evil.routes[0] = 0;
	}
	snprintf(evil.target, sizeof(evil.target), "sip:bob@example.test");
	leg_send(&evil, "BYE", NULL, NULL);
	want_status(&r.mallory, 407);
	want_silence(&r.b, 1000);
	leg_send(&caller, "BYE", NULL, NULL); /* the call went on */
	phone_answer(&r.b, want_request(&r.b, "BYE"), 200, "", NULL);
	want_status(&r.a, 200);
	attack_close(&r);
}

/* Proves RFC 3261 §16.10-2. */
static void d3_forged_cancel(void **state)
{
	struct td_msg *invite;
	struct leg caller;
	struct rig r;

	attack_open_strange(&r, 2, NULL);
	leg_new(&caller, &r.a, "example.test", "sip:bob@example.test");
	leg_send(&caller, "INVITE", NULL, SDP);
	invite = want_request(&r.b, "INVITE");
	phone_answer(&r.b, invite, 180, "", NULL);
	phone_send(&r.mallory,
		   "CANCEL %s SIP/2.0\nVia: SIP/2.0/UDP 10.0.1.1:5060;rport;branch=%s\nMax-Forwards: 70\nFrom: %s\nTo: %s\n"
		   "Call-ID: %s\nCSeq: 1 CANCEL\nContent-Length: 0\n\n",
		   caller.target, caller.branch, caller.local, caller.remote, caller.call_id);
	want_status(&r.mallory, 481);
	phone_send(&r.mallory,
		   "CANCEL sip:bob@example.test SIP/2.0\nVia: SIP/2.0/UDP 10.6.6.6:5060;rport;branch=z9hG4bKother\n"
		   "Max-Forwards: 70\nFrom: %s\nTo: %s\nCall-ID: %s\nCSeq: 1 CANCEL\nContent-Length: 0\n\n",
		   caller.local, caller.remote, caller.call_id);
	want_status(&r.mallory, 481);
	assert_null(maybe_request(&r.b, "CANCEL", 1000));
	phone_answer(&r.b, invite, 486, "", NULL);
	want_status(&r.a, 486);
	attack_close(&r);
}

/* ---- D4: forged responses ---- */

/* Proves RFC 3261 §18.1.2-1; RFC 6026 §7.3-1. */
static void d4_forged_responses(void **state)
{
	struct td_server_status st;
	struct td_msg *invite;
	struct leg caller;
	struct rig r;

	attack_open_strange(&r, 2, NULL);
	leg_new(&caller, &r.a, "example.test", "sip:bob@example.test");
	leg_send(&caller, "INVITE", NULL, SDP);
	invite = want_request(&r.b, "INVITE");
	want_status(&r.a, 100);
	assert_true(invite->via.branch.n >= 7 + 13); /* 64 bits and more */
	for (int i = 0; i < 300; i++) {
		char branch[80];

		snprintf(branch, sizeof(branch), "%.*s", TD_FMT(invite->via.branch));
		branch[9 + i % 16] = branch[9 + i % 16] == 'x' ? 'y' : 'x';
		phone_send(&r.mallory,
			   "SIP/2.0 %d Forged\nVia: SIP/2.0/UDP " SERVER_IP ":5060;rport;branch=%s\n"
			   "Via: SIP/2.0/UDP 10.0.1.1:5060;rport;branch=%s\nFrom: %s\nTo: %s;tag=x\nCall-ID: %s\nCSeq: 1 INVITE\n"
			   "Contact: <sip:mallory@10.6.6.6>\nContent-Length: 0\n\n",
			   i & 1 ? 200 : 603, i % 3 ? branch : "z9hG4bK-unlike-ours", caller.branch, caller.local, caller.remote,
			   caller.call_id);
	}
	want_silence(&r.a, 200);
	st = *world_status(&r.w);
	assert_true(st.count.strays >= 100);
	phone_answer(&r.b, invite, 486, "", NULL);
	want_status(&r.a, 486);
	attack_close(&r);
}

/* ---- D6: redirection ---- */

static void d6_redirection_is_not_followed_past_policy(void **state)
{
	struct td_msg *m;
	struct leg caller;
	struct rig r;

	attack_open_strange(&r, 2, NULL);
	leg_new(&caller, &r.a, "example.test", "sip:bob@example.test");
	leg_send(&caller, "INVITE", NULL, SDP);
	phone_answer(&r.b, want_request(&r.b, "INVITE"), 302, "Contact: <sip:+1900555@10.9.9.9>\n", NULL);
	m = want_status(&r.a, 302);                           /* upstream, whole: it is none of our users */
	assert_int_equal(header_count(m, TD_HDR_CONTACT), 1); /* without bob's own, which was tried */
	assert_non_null(find(m, "<sip:+1900555@10.9.9.9>"));
	/* and what the caller derives is asked again */
	assert_int_equal(phone_ask(&r.a, "INVITE", "sip:+1900555@10.9.9.9", NULL), 403);
	want_silence(&r.victim, 1000);
	attack_close(&r);
}

/* ---- D7: calls that are only begun ---- */

/* 503 says when to come again, and not to all the same (X10): those who were sent away together do not come back together. */
static unsigned want_turned_away(struct phone *p)
{
	unsigned after = (unsigned)strtoul(header(want_status(p, 503), "Retry-After"), NULL, 10);

	assert_in_range(after, 8, 15);
	return after;
}

static void d7_x10_pending_calls_are_capped(void **state)
{
	enum { TURNED_AWAY = 20 };
	unsigned least = UINT32_MAX, most = 0, after;
	struct td_msg *m, *invites[4];
	struct leg l;
	struct rig r;

	attack_open_strange(&r, 1, "proxy: {max_pending: 3}\n"); /* the cap counts on each worker */
	phone_password(&r.mallory, "m");
	for (int i = 0; i < 3 + TURNED_AWAY; i++) {
		leg_new(&l, &r.mallory, "example.test", "sip:bob@example.test");
		leg_send(&l, "INVITE", NULL, SDP);
		m = maybe_status(&r.mallory, 407, 100);
		if (m) {
			assert_int_equal(td_auth_client_challenge(r.mallory.auth, m, NULL), 0);
			leg_send(&l, "INVITE", NULL, SDP);
		}
		if (i < 3) {
			invites[i] = want_request(&r.b, "INVITE");
			continue;
		}
		after = want_turned_away(&r.mallory);
		least = after < least ? after : least;
		most = after > most ? after : most;
	}
	assert_true(least < most);
	assert_int_equal(world_status(&r.w)->proxy.sources, 1);
	for (int i = 0; i < 3; i++)
		phone_answer(&r.b, invites[i], 486, "", NULL);
	leg_new(&l, &r.mallory, "example.test", "sip:bob@example.test");
	leg_send(&l, "INVITE", NULL, SDP);
	phone_answer(&r.b, want_request(&r.b, "INVITE"), 486, "", NULL);
	attack_close(&r);
}

/* 1xx without end: each goes up once, and the call still ends when it is cancelled. */
static void d7_storm_of_provisional_responses(void **state)
{
	struct td_msg *invite;
	struct leg l;
	struct rig r;

	attack_open_strange(&r, 2, NULL);
	leg_new(&l, &r.a, "example.test", "sip:bob@example.test");
	leg_send(&l, "INVITE", NULL, SDP);
	invite = want_request(&r.b, "INVITE");
	for (int i = 0; i < 500; i++)
		phone_answer(&r.b, invite, i & 1 ? 180 : 183, "", NULL);
	world_run(&r.w, 100);
	assert_int_equal(r.a.n, 501);
	leg_send(&l, "CANCEL", NULL, NULL);
	for (int i = 0; i < 80; i++) { /* and it rings on after the CANCEL */
		phone_answer(&r.b, invite, 180, "", NULL);
		world_run(&r.w, 1000);
	}
	phone_forget(&r.b);
	world_assert_idle(&r.w);
	attack_close(&r);
}

/* ---- A8, A4: what a stranger learns ---- */

/* Proves RFC 3261 §16.3-6, §22.1-2. */
static void a8_a_stranger_learns_nothing(void **state)
{
	static const char *const methods[] = { "INVITE", "OPTIONS", "MESSAGE", "SUBSCRIBE", "PUBLISH",
					       "NOTIFY", "REFER",   "INFO",    "BYE",       "WHATEVER" };
	struct rig r;

	attack_open_strange(&r, 2, NULL);
	for (size_t i = 0; i < TD_ARRAY_LEN(methods); i++) {
		assert_int_equal(phone_ask(&r.mallory, methods[i], "sip:bob@example.test", NULL), 407);    /* registered */
		assert_int_equal(phone_ask(&r.mallory, methods[i], "sip:alice@example.test", NULL), 407);  /* known */
		assert_int_equal(phone_ask(&r.mallory, methods[i], "sip:nobody@example.test", NULL), 407); /* unknown */
	}
	assert_int_equal(phone_ask(&r.mallory, "OPTIONS", "sip:example.test", NULL), 200);
	assert_int_equal(phone_ask(&r.mallory, "INVITE", "sip:example.test", NULL), 405);
	want_silence(&r.b, 1000);
	attack_close(&r);
}

/* ---- P7, P8, P10: what is no request, or too much of one ---- */

static void p7_p8_too_much(void **state)
{
	struct td_out big;
	struct rig r;

	attack_open_strange(&r, 2, NULL);
	td_out_init(&big);
	for (int i = 0; i < 3000; i++)
		td_out_z(&big, "X: y\n");
	td_out_char(&big, 0);
	send_hops(&r.a, "MESSAGE", "sip:bob@example.test", big.p);
	want_status(&r.a, 513);
	td_out_free(&big);
	td_out_init(&big);
	td_out_z(&big, "sip:bob@example.test");
	for (int i = 0; i < 1000; i++)
		td_out_fmt(&big, ";p%d=v", i);
	td_out_char(&big, 0);
	send_hops(&r.a, "MESSAGE", big.p, "");
	want_status(&r.a, 414);
	td_out_free(&big);
	send_hops(&r.a, "MESSAGE", "sip:bob%2540example.test", ""); /* no user, and a host that is none */
	assert_non_null(maybe_status(&r.a, 0, 1000));
	send_hops(&r.a, "MESSAGE", "urn:service:sos", "");
	want_status(&r.a, 416);
	send_hops(&r.a, "MESSAGE", "tel:+1-555-0100", "");
	want_status(&r.a, 404);
	send_hops(&r.a, "MESSAGE", "sips:bob@example.test", "");
	want_status(&r.a, 416);
	send_hops(&r.a, "MESSAGE", "sip:b%00b@example.test", "");
	want_status(&r.a, 400);
	want_silence(&r.b, 1000);
	attack_close(&r);
}

static void p10_junk_on_the_port(void **state)
{
	static const struct td_str junk[] = {
		TD_STR_INIT(""),
		TD_STR_INIT("\0"),
		TD_STR_INIT("\r\n"),
		TD_STR_INIT("jaK\0"),
		TD_STR_INIT("\0\1\0\0\x21\x12\xa4\x42 123456789012"),
		TD_STR_INIT("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
		TD_STR_INIT("OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n"),
		TD_STR_INIT("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
		TD_STR_INIT("SIP/2.0"),
		TD_STR_INIT("INVITE"),
		TD_STR_INIT("INVITE sip:bob@example.test SIP/2.0\r\n\r\n"),
	};
	struct td_server_status before, after;
	struct phone tcp[TD_ARRAY_LEN(junk)];
	struct rig r;

	attack_open_strange(&r, 2, NULL);
	before = *world_status(&r.w);
	for (int round = 0; round < 200; round++)
		for (size_t i = 0; i < TD_ARRAY_LEN(junk); i++)
			phone_send_bytes(&r.mallory, junk[i]);
	want_silence(&r.mallory, 1000);
	after = *world_status(&r.w);
	assert_int_equal(after.count.requests, before.count.requests);
	assert_true(after.tp.dropped_junk + after.tp.dropped_syntax + after.tp.keepalives + after.tp.refused_guard >= 1900);
	for (size_t i = 0; i < TD_ARRAY_LEN(junk); i++) {
		char ip[32];

		snprintf(ip, sizeof(ip), "10.6.7.%zu", 1 + i);
		phone_open(&tcp[i], &r.w, "junk", ip, 5060, TD_TCP);
		if (junk[i].n)
			phone_send_bytes(&tcp[i], junk[i]);
	}
	world_run(&r.w, 15000); /* T1: none stays open without a whole message */
	for (size_t i = 0; i < TD_ARRAY_LEN(junk); i++) {
		assert_true(!junk[i].n || tcp[i].closed);
		assert_int_equal(tcp[i].n, 0);
		phone_close(&tcp[i]);
	}
	assert_int_equal(phone_ask(&r.a, "OPTIONS", "sip:example.test", NULL), 200);
	attack_close(&r);
}

/* ---- T7: forged sources ---- */

/* Proves RFC 3261 §8.2.7-1. */
static void t7_answers_to_strangers(void **state)
{
	unsigned answers = 0;
	struct td_msg *m;
	struct leg l;
	struct rig r;

	attack_open_strange(&r, 2, "limits: {rate: 20, burst: 30}\n");
	leg_new(&l, &r.mallory, "example.test", "sip:bob@example.test");
	leg_send(&l, "INVITE", NULL, SDP);
	m = want_status(&r.mallory, 407);
	want_silence(&r.mallory, 40000);   /* once: no transaction that repeats it */
	assert_true(m->bytes.n < 2 * 600); /* two challenges, no body, nothing of ours */
	assert_int_equal(world_status(&r.w)->txn.srvtx_open, 0);
	for (unsigned i = 0; i < 100; i++) { /* as if from everywhere in the victim's network */
		struct phone p;
		char ip[32];

		snprintf(ip, sizeof(ip), "10.6.6.%u", 100 + i);
		phone_open(&p, &r.w, "spoofed", ip, 5060, TD_UDP);
		leg_new(&l, &p, "example.test", "sip:bob@example.test");
		leg_send(&l, "INVITE", NULL, NULL);
		world_run(&r.w, 1);
		answers += p.n;
		phone_close(&p);
	}
	assert_true(answers >= 30);
	assert_true(answers <= 2 * (30 + 20)); /* burst and refill of each of two workers */
	assert_int_equal(phone_ask(&r.a, "OPTIONS", "sip:example.test", NULL), 200);
	attack_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(d1_nothing_is_relayed),
		cmocka_unit_test(d1_preloaded_route),
		cmocka_unit_test(d1_cookie_of_another_call),
		cmocka_unit_test(d2_loop_and_spiral),
		cmocka_unit_test(d2_max_forwards),
		cmocka_unit_test(d2_max_breadth),
		cmocka_unit_test(d3_forged_requests_in_a_dialog),
		cmocka_unit_test(d3_forged_cancel),
		cmocka_unit_test(d4_forged_responses),
		cmocka_unit_test(d6_redirection_is_not_followed_past_policy),
		cmocka_unit_test(d7_x10_pending_calls_are_capped),
		cmocka_unit_test(d7_storm_of_provisional_responses),
		cmocka_unit_test(a8_a_stranger_learns_nothing),
		cmocka_unit_test(p7_p8_too_much),
		cmocka_unit_test(p10_junk_on_the_port),
		cmocka_unit_test(t7_answers_to_strangers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
