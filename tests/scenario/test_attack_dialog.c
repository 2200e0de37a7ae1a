/* Tricks with addresses, routes, other people's calls, redirections and lifetimes. The ids of the threat table begin the names. */
#include "attack.h"

/* ---- D1: tricks with addresses ---- */

/* Proves RFC 3261 §16.4-2. */
static void d1_address_tricks(void **state)
{
	static const struct {
		const char *uri, *lines;
		unsigned status;
	} rows[] = {
		/* to us by their host, whatever else they say: treated as a user of ours */
		{ "sip:nobody@example.test;maddr=10.9.9.9", "", 404 },
		{ "sip:nobody@example.test;transport=tcp;maddr=10.9.9.9", "", 404 },
		{ "sip:10.9.9.9@" SERVER_IP, "", 404 },
		{ "sip:victim%4010.9.9.9@example.test", "", 404 },
		{ "tel:+10999;phone-context=10.9.9.9", "", 404 },
		{ "sip:nobody@example.test", "Route: <sip:" SERVER_IP ";lr>, <sip:" SERVER_IP ":5060;lr>\n", 404 },
		{ "sip:nobody@example.test", "Route: <sip:" SERVER_IP ";maddr=10.9.9.9;lr>\n", 404 },
		{ "sip:nobody@example.test", "Route: <sip:10.9.9.9@example.test;lr>\n", 404 },
		/* elsewhere */
		{ "sip:victim@10.9.9.9", "", 403 },
		{ "sip:victim@10.9.9.9", "Route: <sip:" SERVER_IP ";lr>\n", 403 },
		{ "sip:victim@10.9.9.9;maddr=" SERVER_IP, "", 403 },
		{ "sip:" SERVER_IP "@10.9.9.9", "", 403 },
		{ "sip:victim@[::ffff:10.9.9.9]", "", 403 },
		{ "sip:victim@" SERVER_IP ":5070", "", 403 }, /* another program on our host */
		{ "sip:victim@" SERVER_IP ":22;transport=tcp", "", 403 },
		{ "sip:x@127.0.0.1", "", 403 },
		{ "sip:x@localhost", "", 403 },
		{ "sip:x@169.254.169.254", "", 403 },
		{ "sip:x@example.test.", "", 404 }, /* the same name */
		{ "sip:x@sub.example.test", "", 403 },
		{ "sip:bob@example.test", "Route: <sip:10.9.9.9;lr>\n", 403 },
		{ "sip:bob@example.test", "Route: <sip:" SERVER_IP ";lr>, <sip:10.9.9.9;lr>\n", 403 },
		{ "sip:bob@example.test", "Route: <sip:" SERVER_IP ";lr>\nRoute: <sip:10.9.9.9;lr>\n", 403 },
		{ "sip:bob@example.test", "Route: <sip:" SERVER_IP ":5070;lr>\n", 403 },
		{ "sip:bob@example.test", "Route: <tel:+1555>\n", 403 },
		{ "sip:bob@example.test", "Route: <sip:10.9.9.9>\n", 403 }, /* a strict router */
		{ "sip:" SERVER_IP ";lr;td=0123456789abcdef01234567", "Route: <sip:victim@10.9.9.9>\n", 403 },
		{ "sip:" SERVER_IP ";lr;td=0123456789abcdef01234567", "Route: <sip:10.9.9.9;lr>, <sip:bob@example.test>\n", 403 },
	};
	struct rig r;

	attack_open(&r, 2, NULL);
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++)
		for (int k = 0; k < 2; k++) { /* a user of ours, and a source under trust */
			struct phone *p = k ? &r.a : &r.mallory;
			unsigned got = phone_ask(p, "MESSAGE", rows[i].uri, rows[i].lines);

			if (got != rows[i].status)
				fail_msg("%s %s by %s: wanted %u, got %u", rows[i].uri, rows[i].lines, p->user, rows[i].status,
					 got);
		}
	want_silence(&r.victim, 1000);
	want_silence(&r.b, 1000);
	attack_close(&r);
}

/* Whoever takes part in one call of ours has its cookie. It is no pass to our other users under any name. */
static void d1_cookie_is_no_pass(void **state)
{
	static const char *const methods[] = { "MESSAGE", "INVITE", "NOTIFY", "REFER", "INFO" };
	struct leg caller, callee;
	struct rig r;

	attack_open(&r, 2, NULL);
	phone_register(&r.mallory, "example.test");
	leg_new(&caller, &r.a, "example.test", "sip:mallory@example.test");
	call_up(&caller, &callee, &r.mallory);
	for (size_t i = 0; i < TD_ARRAY_LEN(methods); i++) {
		struct leg evil = callee; /* Call-ID, tags and cookie of the call; From: the head office */
		char *tag = strstr(evil.local, ";tag=");

		assert_non_null(tag);
		snprintf(evil.local, sizeof(evil.local), "<sip:alice@example.test>;tag=%s", r.mallory.user);
		snprintf(evil.target, sizeof(evil.target), "sip:bob@example.test");
		evil.cseq = 500 + (unsigned)i;
		r.mallory.auth = (td_auth_client_close(r.mallory.auth), NULL);
		leg_send(&evil, methods[i], NULL, NULL);
		want_status(&r.mallory, 407);
		phone_password(&r.mallory, "m");
	}
	want_silence(&r.b, 1000);
	leg_send(&callee, "BYE", NULL, NULL); /* where it belongs it is good */
	phone_answer(&r.a, want_request(&r.a, "BYE"), 200, "", NULL);
	want_status(&r.mallory, 200);
	attack_close(&r);
}

/* ---- D2: what one request may become ---- */

/* Ten contacts, each of which sends what it gets back to us under an ever new name: the breadth runs out. */
static void d2_spirals_end(void **state)
{
	unsigned sent = 0, refused = 0;
	struct rig r;

	attack_open(&r, 2, NULL);
	register_contact(
		&r.mallory,
		"<sip:1@10.6.6.6>, <sip:2@10.6.6.6>, <sip:3@10.6.6.6>, <sip:4@10.6.6.6>, <sip:5@10.6.6.6>, <sip:6@10.6.6.6>, "
		"<sip:7@10.6.6.6>, <sip:8@10.6.6.6>, <sip:9@10.6.6.6>",
		200);
	leg_send(&(struct leg){ .p = &r.a,
				.call_id = "spiral",
				.local = "<sip:alice@example.test>;tag=1",
				.remote = "<sip:mallory@example.test>",
				.target = "sip:mallory@example.test" },
		 "MESSAGE", NULL, NULL);
	for (struct td_msg *m; (m = maybe_request(&r.mallory, "MESSAGE", 300)) && sent < 500; sent++) {
		const char *rest = find(m, "Via:");
		struct td_msg *no;

		phone_forget(&r.mallory);
		phone_send(&r.mallory,
			   "MESSAGE sip:mallory@example.test;n=%u SIP/2.0\nVia: SIP/2.0/UDP 10.6.6.6;branch=z9hG4bKsp%u\n%.*s",
			   sent, sent, (int)(m->bytes.n - (size_t)(rest - m->bytes.p)), rest);
		no = maybe_status(&r.mallory, 0, 10);
		if (no && no->status == 407 && !refused++) { /* as herself, then */
			assert_int_equal(td_auth_client_challenge(r.mallory.auth, no, NULL), 0);
		}
	}
	assert_true(sent <= 200);
	phone_forget(&r.mallory);
	attack_close(&r);
}

/* ---- D3: calls of others ---- */

/* CANCEL with everything right but where it comes from: another host, another port, another connection of the same host. */
static void d3_cancel_from_elsewhere(void **state)
{
	struct td_msg *invite;
	struct phone tcp, other;
	struct leg l;
	struct rig r;

	attack_open(&r, 2, NULL);
	phone_open(&tcp, &r.w, "alice", "10.0.1.5", 5060, TD_TCP);
	phone_open(&other, &r.w, "alice", "10.0.1.1", 5070, TD_UDP);
	for (int k = 0; k < 2; k++) {
		struct phone *caller = k ? &tcp : &r.a;

		leg_new(&l, caller, "example.test", "sip:bob@example.test");
		leg_send(&l, "INVITE", NULL, SDP);
		invite = want_request(&r.b, "INVITE");
		phone_answer(&r.b, invite, 180, "", NULL);
		want_status(caller, 180);
		for (int i = 0; i < 3; i++) {
			struct phone again, *p = i == 0 ? &r.mallory : i == 1 ? &other : &again;

			if (i == 2)
				phone_open(&again, &r.w, "alice", k ? "10.0.1.5" : "10.0.1.1", 5071, TD_TCP);
			phone_send(p,
				   "CANCEL %s SIP/2.0\nVia: SIP/2.0/%s %s:5060;rport;branch=%s\nMax-Forwards: 70\nFrom: %s\nTo: "
				   "%s\nCall-ID: %s\n"
				   "CSeq: 1 CANCEL\nContent-Length: 0\n\n",
				   l.target, k ? "TCP" : "UDP", k ? "10.0.1.5" : "10.0.1.1", l.invite_branch, l.local, l.remote,
				   l.call_id);
			want_status(p, 481);
			if (i == 2)
				phone_close(&again);
		}
		assert_null(maybe_request(&r.b, "CANCEL", 1000));
		leg_send(&l, "CANCEL", NULL, NULL);
		phone_cancelled(&r.b, invite);
		want_status(caller, 487);
		phone_forget(caller);
		phone_forget(&r.b);
	}
	phone_close(&tcp);
	phone_close(&other);
	attack_close(&r);
}

/* BYE, re-INVITE and UPDATE with guessed ids, or with all of them right but the cookie; the call stays up. */
static void d3_guessed_dialogs(void **state)
{
	static const char *const methods[] = { "BYE", "INVITE", "UPDATE", "REFER", "INFO", "NOTIFY", "PRACK" };
	struct leg caller, callee, evil;
	struct rig r;

	attack_open(&r, 3, NULL);
	leg_new(&caller, &r.a, "example.test", "sip:bob@example.test");
	call_up(&caller, &callee, &r.b);
	for (size_t i = 0; i < TD_ARRAY_LEN(methods); i++)
		for (int k = 0; k < 6; k++) {
			struct td_msg *m;

			evil = k & 1 ? caller : callee;
			evil.p = &r.mallory;
			if (k < 2) {
				snprintf(evil.call_id, sizeof(evil.call_id), "guess%d", k);
			} else if (k < 4) {
				char *td = strstr(evil.routes, ";td=");

				assert_non_null(td);
				td[4] = td[4] == '0' ? '1' : '0';
			} else {
				evil.routes[0] = 0;
			}
			leg_send(&evil, methods[i], NULL, NULL);
			m = maybe_status(&r.mallory, 0, 1000);
			assert_non_null(m);
			assert_true(m->status == 403 || m->status == 407);
		}
	want_silence(&r.a, 500);
	want_silence(&r.b, 500);
	leg_hang_up(&caller, &r.b);
	attack_close(&r);
}

/* ---- D4: forged responses that know more than they should ---- */

static void d4_right_branch_wrong_rest(void **state)
{
	struct td_msg *invite;
	struct leg l;
	struct rig r;

	attack_open(&r, 2, NULL);
	leg_new(&l, &r.a, "example.test", "sip:bob@example.test");
	leg_send(&l, "INVITE", NULL, SDP);
	invite = want_request(&r.b, "INVITE");
	want_status(&r.a, 100);
	for (int i = 0; i < 4; i++) {
		static const char *const cseq[] = { "1 BYE", "1 CANCEL", "1 invite", "1 MESSAGE" };

		phone_send(&r.mallory,
			   "SIP/2.0 200 OK\nVia: %.*s\nVia: SIP/2.0/UDP 10.0.1.1:5060;rport;branch=%s\nFrom: %s\nTo: "
			   "%s;tag=x\nCall-ID: %s\nCSeq: %s\n"
			   "Contact: <sip:mallory@10.6.6.6>\nContent-Length: 0\n\n",
			   TD_FMT(invite->via.text), l.branch, l.local, l.remote, l.call_id, cseq[i]);
		/* the branch, cut and made longer */
		phone_send(&r.mallory,
			   "SIP/2.0 200 OK\nVia: SIP/2.0/UDP " SERVER_IP
			   ";branch=%.*s%s\nVia: SIP/2.0/UDP 10.0.1.1:5060;rport;branch=%s\nFrom: %s\n"
			   "To: %s;tag=x\nCall-ID: %s\nCSeq: 1 INVITE\nContent-Length: 0\n\n",
			   (int)(invite->via.branch.n - (size_t)i - (i == 0)), invite->via.branch.p, i == 0 ? "" : "z", l.branch,
			   l.local, l.remote, l.call_id);
	}
	want_silence(&r.a, 1000);
	phone_answer(&r.b, invite, 486, "", NULL);
	want_status(&r.a, 486);
	attack_close(&r);
}

/* ---- D6: redirection within the house ---- */

static void d6_302_is_followed_to_users_only(void **state)
{
	static const struct {
		const char *contacts;
		bool carol;         /* she is called */
		const char *passed; /* and what the caller is told of the contacts, when nobody answered */
	} rows[] = {
		{ "<sip:carol@example.test>", true, NULL },
		{ "<sip:carol@" SERVER_IP ">", true, NULL },
		{ "<sip:carol@10.0.1.7>", false, "<sip:carol@10.0.1.7>" },
		{ "<sip:x@10.9.9.9>;q=1, <sip:carol@example.test>;q=0.5", true, "<sip:x@10.9.9.9>;q=1" },
		{ "<tel:+1900555>", false, "<tel:+1900555>" },
		{ "<sip:carol@example.test?Replaces=a%3Bb>", false, "<sip:carol@example.test?Replaces=a%3Bb>" },
		{ "<sip:bob@10.0.1.2;maddr=10.9.9.9>", false, "<sip:bob@10.0.1.2;maddr=10.9.9.9>" },
		{ "<sip:nobody@example.test>", false, "<sip:nobody@example.test>" },
	};
	struct phone carol;
	struct rig r;

	attack_open(&r, 2, NULL);
	world_user(&r.w, "carol", "c");
	phone_open(&carol, &r.w, "carol", "10.0.1.7", 5060, TD_UDP);
	phone_register(&carol, "example.test");
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct td_msg *m;
		char line[200];
		struct leg l;

		snprintf(line, sizeof(line), "Contact: %s\n", rows[i].contacts);
		leg_new(&l, &r.a, "example.test", "sip:bob@example.test");
		leg_send(&l, "MESSAGE", NULL, NULL);
		phone_answer(&r.b, want_request(&r.b, "MESSAGE"), 302, line, NULL);
		if (rows[i].carol)
			phone_answer(&carol, want_request(&carol, "MESSAGE"), 486, "", NULL);
		m = maybe_status(&r.a, 0, 5000);
		assert_non_null(m);
		assert_int_equal(m->status, rows[i].passed ? 302 : 486);
		if (rows[i].passed) { /* the caller's own Contact is none of a response's */
			assert_non_null(find(m, rows[i].passed));
			assert_null(find(m, "carol@example.test>"));
		}
	}
	want_silence(&carol, 1000);
	want_silence(&r.victim, 1000);
	phone_close(&carol);
	attack_close(&r);
}

/* ---- D7: floods of calls ---- */

static void d7_invite_flood_leaves_nothing(void **state)
{
	const struct td_server_status *st;
	struct leg l;
	struct rig r;

	attack_open(&r, 2, "proxy: {max_pending: 20}\n");
	for (int i = 0; i < 400; i++) { /* by a stranger: no state at all */
		say(&r.victim, "INVITE", "sip:bob@example.test", MALLORY, "<sip:bob@example.test>", "x", "");
		if (i % 50 == 0)
			world_assert_idle(&r.w);
	}
	world_assert_idle(&r.w);
	assert_int_equal(phone_ask(&r.mallory, "MESSAGE", "sip:nobody@example.test", NULL), 404); /* she has a nonce now */
	for (int i = 0; i < 300; i++) { /* by a user, who neither acknowledges nor cancels; every third call is answered */
		leg_new(&l, &r.mallory, "example.test", "sip:bob@example.test");
		leg_send(&l, "INVITE", NULL, SDP);
		struct td_msg *m = maybe_request(&r.b, "INVITE", 5);
		if (m)
			phone_answer(&r.b, m, i % 3 == 0 ? 200 : i % 3 == 1 ? 180 : 404, "", SDP);
	}
	st = world_status(&r.w);
	assert_true(st->proxy.sources <= 2);
	assert_true(st->proxy.branches <= 40 + 110); /* pending on each worker, and those answered */
	world_run(&r.w, 181000 + 2 * 33000);         /* Timer C, a CANCEL nobody answers, a 408 nobody acknowledges */
	world_assert_idle(&r.w);
	assert_int_equal(phone_ask(&r.a, "OPTIONS", "sip:example.test", NULL), 200);
	phone_forget(&r.b);
	attack_close(&r);
}

/* CANCEL at every moment of a call that is answered at every moment; the ACK never comes. */
static void d7_cancel_races(void **state)
{
	static const unsigned finals[] = { 200, 486, 487, 603 };
	struct rig r;

	attack_open(&r, 2, NULL);
	for (size_t f = 0; f < TD_ARRAY_LEN(finals); f++)
		for (uint64_t gap = 0; gap < 6; gap++)
			for (int order = 0; order < 2; order++) {
				struct td_msg *invite;
				struct leg l;

				phone_register(&r.b, "example.test");
				leg_new(&l, &r.a, "example.test", "sip:bob@example.test");
				leg_send(&l, "INVITE", NULL, SDP);
				invite = want_request(&r.b, "INVITE");
				phone_answer(&r.b, invite, 180, "", NULL);
				world_run(&r.w, 5);
				if (order)
					leg_send(&l, "CANCEL", NULL, NULL);
				else
					phone_answer(&r.b, invite, finals[f], "", SDP);
				world_run(&r.w, gap / 2);
				if (order)
					phone_answer(&r.b, invite, finals[f], "", SDP);
				else
					leg_send(&l, "CANCEL", NULL, NULL);
				want_status(&r.a, 200); /* for the CANCEL or the INVITE */
				world_run(&r.w, 64500);
				phone_forget(&r.a);
				phone_forget(&r.b);
				world_assert_idle(&r.w);
			}
	attack_close(&r);
}

/* ---- D8: lifetimes ---- */

static void d8_expires(void **state)
{
	static const struct {
		const char *lines;
		unsigned status;
		int expires;
	} rows[] = {
		{ "Expires: 4294967295\n", 200, 7200 },
		{ "Expires: 4294967296\n", 200, 7200 },
		{ "Expires: 4294967297\n", 200, 7200 },
		{ "Expires: 18446744073709551617\n", 200, 7200 },
		{ "Expires: -1\n", 200, 3600 },
		{ "Expires: x\n", 200, 3600 },
		{ "Expires: 59\n", 423, -1 },
		{ "Expires: 1\n", 423, -1 },
		{ "Expires: 0\n", 200, -1 },
		{ "Expires: 60\n", 200, 60 },
		{ "Expires: 7201\n", 200, 7200 },
		{ ";expires=4294967295\n", 200, 7200 },
		{ ";expires=4294967296\n", 200, 7200 },
		{ ";expires=-1\n", 200, 3600 },
		{ ";expires=\"60\"\n", 200, 3600 },
		{ ";expires=1\n", 423, -1 },
		{ ";expires=0\n", 200, -1 },
		{ ";expires=60;expires=0\n", 400, -1 },
		{ "Expires: 60\nExpires: 0\n", 200, 60 },
	};
	struct rig r;

	attack_open(&r, 2, NULL);
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		char who[64], id[32], lines[200];
		struct td_msg *m;
		struct td_contact c;

		snprintf(who, sizeof(who), "<sip:u%zu@any.test>", i);
		snprintf(id, sizeof(id), "d8-%zu", i);
		snprintf(lines, sizeof(lines), "Contact: <sip:u@10.0.1.1>%s%s", rows[i].lines[0] == ';' ? "" : "\n",
			 rows[i].lines);
		m = say(&r.a, "REGISTER", "sip:any.test", who, who, id, lines);
		assert_non_null(m);
		if (m->status != rows[i].status)
			fail_msg("%swanted %u, got %u", lines, rows[i].status, m->status);
		if (m->status == 423)
			assert_string_equal(header(m, "Min-Expires"), "60");
		if (rows[i].expires < 0) {
			assert_int_equal(header_count(m, TD_HDR_CONTACT), 0);
			continue;
		}
		assert_int_equal(td_contact_parse(&c, td_msg_value(m, TD_HDR_CONTACT)), 0);
		if (c.expires != rows[i].expires)
			fail_msg("%swanted %d s, got %d", lines, rows[i].expires, c.expires);
	}
	attack_close(&r);
}

/* A proxy takes no part in session timers and calls: whatever is said there ends nothing too early and nothing too late. */
static void d8_lifetimes_of_calls(void **state)
{
	static const char *const lines[] = { "Expires: 0\n",
					     "Expires: -1\n",
					     "Expires: 4294967296\n",
					     "Supported: timer\nSession-Expires: 0\nMin-SE: 4294967295\n",
					     "Supported: timer\nSession-Expires: 4294967296;refresher=uac\n",
					     "Session-Expires: -1\n" };
	struct rig r;

	attack_open(&r, 2, NULL);
	for (size_t i = 0; i < TD_ARRAY_LEN(lines); i++) {
		struct td_msg *invite;
		struct leg l;

		leg_new(&l, &r.a, "example.test", "sip:bob@example.test");
		leg_send(&l, "INVITE", lines[i], SDP);
		invite = want_request(&r.b, "INVITE");
		phone_answer(&r.b, invite, 180, "", NULL);
		want_status(&r.a, 180);
		world_run(&r.w, 100000);
		leg_up(&l, &r.b, invite);
		phone_forget(&r.a);
	}
	attack_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(d1_address_tricks),
		cmocka_unit_test(d1_cookie_is_no_pass),
		cmocka_unit_test(d2_spirals_end),
		cmocka_unit_test(d3_cancel_from_elsewhere),
		cmocka_unit_test(d3_guessed_dialogs),
		cmocka_unit_test(d4_right_branch_wrong_rest),
		cmocka_unit_test(d6_302_is_followed_to_users_only),
		cmocka_unit_test(d7_invite_flood_leaves_nothing),
		cmocka_unit_test(d7_cancel_races),
		cmocka_unit_test(d8_expires),
		cmocka_unit_test(d8_lifetimes_of_calls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
