/*
 * What passes inside and outside of calls that is neither INVITE nor BYE, as far as a proxy has a say in it: reliable provisional
 * responses before anybody answered, transfers and takeovers of calls (D5), connections that go while something is under way (D9).
 */
#include "attack.h"

/* PRACK and UPDATE in a dialog that is not confirmed yet (RFC 3262 §4, RFC 3311): its route set, with our cookie, is the 183's. */
/* Proves RFC 3262 §3-2, §3-3; RFC 3311 §6-1. */
static void prack_and_update_before_the_answer(void **state)
{
	static const char *const methods[] = { "PRACK", "UPDATE", "INFO" };
	struct td_msg *invite, *m;
	struct leg a, b;
	struct rig r;

	attack_open(&r, 2, NULL);
	leg_new(&a, &r.a, "example.test", "sip:bob@example.test");
	leg_send(&a, "INVITE", "Supported: 100rel\n", SDP);
	invite = want_request(&r.b, "INVITE");
	leg_of_request(&b, &r.b, invite);
	phone_answer(&r.b, invite, 183, "Require: 100rel\nRSeq: 813520\n", SDP);
	m = want_status(&r.a, 183);
	assert_string_equal(header(m, "RSeq"), "813520");
	leg_learn(&a, m);
	for (size_t i = 0; i < TD_ARRAY_LEN(methods); i++) {
		leg_send(&a, methods[i], i ? NULL : "RAck: 813520 1 INVITE\n", NULL);
		m = want_request(&r.b, methods[i]);
		if (!i)
			assert_string_equal(header(m, "RAck"), "813520 1 INVITE");
		phone_answer(&r.b, m, 200, "", NULL);
		want_status(&r.a, 200);
	}
	leg_send(&b, "UPDATE", NULL, SDP); /* and from the callee */
	phone_answer(&r.a, want_request(&r.a, "UPDATE"), 200, "", SDP);
	want_status(&r.b, 200);
	phone_answer(&r.b, invite, 200, "", NULL);
	want_status(&r.a, 200);
	leg_send(&a, "ACK", NULL, NULL);
	want_request(&r.b, "ACK");
	attack_close(&r);
}

/* ---- D5 ---- */

/* Values of these fields are never taken apart or put together again here: what passes, passes byte by byte. */
/* Proves RFC 3261 §16.6-1. */
static void d5_transfers_pass_as_they_are(void **state)
{
	static const char *const lines[] = {
		"Refer-To: <sip:carol@example.test?Replaces=12345%40host%3Bto-tag%3D12%3Bfrom-tag%3D5&Accept=a%2Cb>",
		"Refer-To: \"a, {b}; \\\"c\\\"\" <sip:x%3B%7B%7D@10.9.9.9;method=INVITE>;x={1}",
		"Refer-To: sip:%00@example.test, <sip:two@example.test>",
		"Refer-To: ;;;",
		"Replaces: 98asjd8@test.example.com;from-tag=r33th4x0r;to-tag=ff87ff;early-only",
		"Replaces: ;;to-tag=,from-tag",
		"Join: 12adf2f34456gs5;to-tag=12345;from-tag=54321",
		"Target-Dialog: a@b;local-tag=1;remote-tag=2",
		"Referred-By: <sip:victim@example.test>;cid=\"2UWQFN309shb3@example.test\"",
	};
	struct td_msg *m;
	struct leg a, b, l;
	struct rig r;

	attack_open(&r, 2, NULL);
	leg_new(&a, &r.a, "example.test", "sip:bob@example.test");
	call_up(&a, &b, &r.b);
	for (size_t i = 0; i < TD_ARRAY_LEN(lines); i++) {
		bool invite = strncmp(lines[i], "Refer", 5);
		char extra[300];

		snprintf(extra, sizeof(extra), "%s\n", lines[i]);
		leg_new(&l, &r.a, "example.test", "sip:bob@example.test"); /* outside of the dialog, by one who may call him */
		leg_send(&l, invite ? "INVITE" : "REFER", extra, NULL);
		m = want_request(&r.b, invite ? "INVITE" : "REFER");
		assert_non_null(find(m, lines[i]));
		phone_answer(&r.b, m, 481, "", NULL); /* whose dialog it is and who may take it is the phone's to judge */
		want_status(&r.a, 481);
		leg_send(&a, "REFER", extra, NULL); /* and inside */
		m = want_request(&r.b, "REFER");
		assert_non_null(find(m, lines[i]));
		phone_answer(&r.b, m, 603, "", NULL);
		want_status(&r.a, 603);
	}
	attack_close(&r);
}

/* Who is not let in moves nobody's call; who is, does it under his own name, so that the phone can judge. */
static void d5_calls_of_others(void **state)
{
	static const struct {
		const char *method, *before, *after;
	} fields[] = {
		{ "INVITE", "Replaces: ", ";to-tag=bob;from-tag=f1\n" },
		{ "INVITE", "Join: ", ";to-tag=bob;from-tag=f1\n" },
		{ "REFER", "Refer-To: <sip:mallory@example.test>\nTarget-Dialog: ", ";local-tag=bob\n" },
	};
	struct td_msg *m;
	struct leg a, b, l;
	struct rig r;

	attack_open(&r, 2, NULL);
	leg_new(&a, &r.a, "example.test", "sip:bob@example.test");
	call_up(&a, &b, &r.b);
	assert_int_equal(phone_ask(&r.mallory, "MESSAGE", "sip:nobody@example.test", NULL), 404); /* she has a nonce now */
	for (size_t i = 0; i < TD_ARRAY_LEN(fields); i++) {
		const char *method = fields[i].method;
		char extra[300];

		snprintf(extra, sizeof(extra), "%s%s%s", fields[i].before, a.call_id, fields[i].after);
		assert_true(phone_ask(&r.victim, method, "sip:bob@example.test", extra) == 407); /* a stranger */
		want_silence(&r.b, 100);
		leg_new(&l, &r.mallory, "example.test", "sip:bob@example.test");
		leg_send(&l, method, extra, NULL);
		m = want_request(&r.b, method);
		assert_str(m->from.uri.text, "sip:mallory@example.test");
		phone_answer(&r.b, m, 481, "", NULL);
		want_status(&r.mallory, 481);
		snprintf(l.local, sizeof(l.local), "<sip:alice@example.test>;tag=x%zu", i); /* under alice's */
		assert_int_equal(leg_do(&l, method, extra, NULL)->status, 403);
		phone_forget(&r.mallory);
		world_run(&r.w, 10);
		phone_forget(&r.b); /* the ACK for his 481 */
	}
	leg_send(&a, "BYE", NULL, NULL); /* the call is as it was */
	phone_answer(&r.b, want_request(&r.b, "BYE"), 200, "", NULL);
	want_status(&r.a, 200);
	attack_close(&r);
}

/* ---- D9 ---- */

static void drop_connection(struct phone *p)
{
	if (p->conn)
		phone_drop(p);
	world_run(p->w, 10); /* what is sent before the other end sees it is lost, and sent again by who wants an answer */
}

static void tcp_phone(struct phone *p, struct rig *r, const char *ip)
{
	phone_open(p, &r->w, "bob", ip, 5060, TD_TCP);
	phone_register(p, "any.test");
}

/* The callee's connection goes before he has answered a MESSAGE, while he rings, and between his 200 and its ACK. */
/* Proves RFC 3261 §16.9-1. */
static void d9_callee_gone(void **state)
{
	struct phone c;
	struct td_msg *m;
	struct leg l;
	struct rig r;

	attack_open(&r, 2, NULL);
	tcp_phone(&c, &r, "10.0.1.40");
	leg_new(&l, &r.a, "any.test", "sip:bob@any.test");
	leg_send(&l, "MESSAGE", NULL, NULL);
	want_request(&c, "MESSAGE");
	drop_connection(&c);
	m = want_request(&c, "MESSAGE"); /* nothing was heard of him yet: once more, to the port of his Contact */
	phone_answer(&c, m, 200, "", NULL);
	want_status(&r.a, 200);

	phone_register(&c, "any.test");
	leg_new(&l, &r.a, "any.test", "sip:bob@any.test");
	leg_send(&l, "INVITE", NULL, SDP);
	phone_answer(&c, want_request(&c, "INVITE"), 180, "", NULL);
	want_status(&r.a, 180);
	drop_connection(&c);
	assert_int_equal(want_status(&r.a, 500)->cseq.method, TD_INVITE); /* §16.9: as a 503, which is not passed on */

	phone_register(&c, "any.test");
	leg_new(&l, &r.a, "any.test", "sip:bob@any.test");
	leg_send(&l, "INVITE", NULL, SDP);
	phone_answer(&c, want_request(&c, "INVITE"), 200, "", SDP);
	leg_learn(&l, want_status(&r.a, 200));
	drop_connection(&c);
	leg_send(&l, "ACK", NULL, NULL);
	want_request(&c, "ACK"); /* on a new one, to the port of his Contact */
	phone_close(&c);
	attack_close(&r);
}

/* The caller's goes: what is answered comes on a new one to the port his Via names (§18.2.2); what cannot is let go. */
static void caller_gone(unsigned workers)
{
	struct phone c;
	struct td_msg *m;
	struct leg l;
	struct rig r;

	attack_open(&r, workers, NULL);
	phone_open(&c, &r.w, "carl", "10.0.1.41", 5060, TD_TCP);
	leg_new(&l, &c, "any.test", "sip:bob@example.test");
	leg_send(&l, "INVITE", NULL, SDP);
	m = want_request(&r.b, "INVITE");
	drop_connection(&c);
	phone_answer(&r.b, m, 180, "", NULL);
	leg_up(&l, &r.b, m);
	leg_new(&l, &c, "any.test", "sip:bob@example.test");
	leg_send(&l, "INVITE", NULL, SDP);
	m = want_request(&r.b, "INVITE");
	td_listener_close(c.listener); /* nobody listens there any more */
	c.listener = NULL;
	drop_connection(&c);
	phone_answer(&r.b, m, 486, "", NULL);
	world_run(&r.w, 70000);
	world_assert_idle(&r.w);
	phone_forget(&r.b);
	phone_close(&c);
	attack_close(&r);
}

/* Proves RFC 3261 §17.2.4-1. */
static void d9_caller_gone(void **state)
{
	for (unsigned workers = 1; workers <= 4; workers++) /* his call and his connection are of one worker, or of two */
		caller_gone(workers);
}

/* Everything at once: forks, the caller's CANCEL, a 200, a 603 and a connection that goes. Whatever came first, nothing is left. */
static void d9_all_at_once(void **state)
{
	for (unsigned order = 0; order < 24; order++) {
		struct phone c, d;
		struct td_msg *one, *two;
		struct leg l;
		struct rig r;
		unsigned done = 0, n = order;

		attack_open(&r, 1 + order % 3, NULL);
		tcp_phone(&c, &r, "10.0.1.40");
		phone_open(&d, &r.w, "bob", "10.0.1.42", 5060, TD_UDP);
		phone_register(&d, "any.test");
		leg_new(&l, &r.a, "any.test", "sip:bob@any.test");
		leg_send(&l, "INVITE", NULL, SDP);
		one = want_request(&c, "INVITE");
		two = want_request(&d, "INVITE");
		phone_answer(&c, one, 180, "", NULL);
		phone_answer(&d, two, 180, "", NULL);
		want_status(&r.a, 180);
		for (unsigned i = 4; i; i--) { /* the four of them in each order */
			unsigned pick = n % i;

			n /= i;
			for (unsigned k = 0;; k++) {
				if (done & 1u << k)
					continue;
				if (pick--)
					continue;
				done |= 1u << k;
				if (k == 0)
					leg_send(&l, "CANCEL", NULL, NULL);
				else if (k == 1)
					phone_answer(&d, two, 200, "", SDP);
				else if (k == 2 && c.conn)
					phone_answer(&c, one, 603, "", NULL);
				else if (k == 3)
					drop_connection(&c);
				break;
			}
		}
		world_run(&r.w, 80000);
		world_assert_idle(&r.w);
		phone_forget(&r.a);
		phone_close(&c);
		phone_close(&d);
		attack_close(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(prack_and_update_before_the_answer),
		cmocka_unit_test(d5_transfers_pass_as_they_are),
		cmocka_unit_test(d5_calls_of_others),
		cmocka_unit_test(d9_callee_gone),
		cmocka_unit_test(d9_caller_gone),
		cmocka_unit_test(d9_all_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
