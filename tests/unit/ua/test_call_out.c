/* Calls the agent makes, forks among the answers, and what it does when it is asked who it is (RFC 3261 §13.2, §22.2). */
#include "peer.h"

/* ---- calls the agent makes ---- */

/* What §8.1.1 and §13.2.1 want in it; and what the next one has in common with it. */
/* Proves RFC 3261 §8.1.1-1, §8.1.1.2-1, §8.1.1.3-1, §8.1.1.4-1, §8.1.1.5-1, §8.1.1.6-1, §8.1.1.7-1, §8.1.1.8-1,
 * §13.2.1-1, §22.2-2. */
static void a_first_invite_is_complete(void **state)
{
	struct rig *r = rig_open();
	struct td_msg *m, *next;

	call(r);
	m = heard(r, "INVITE ");
	assert_int_equal(m->defect.status, 0);
	assert_int_equal(td_msg_validate(m).status, 0);
	assert_str(m->uri, "sip:bob@b.test");
	assert_str(m->to.uri.text, "sip:bob@b.test");
	assert_int_equal(m->to_tag.n, 0);
	assert_str(m->from.uri.text, "sip:alice@a.test");
	assert_true(m->from_tag.n >= 8);
	assert_true(m->call_id.n >= 8);
	assert_true(m->cseq.num < 1u << 31);
	assert_int_equal(m->cseq.method, TD_INVITE);
	assert_int_equal(m->max_forwards, 70);
	assert_true(td_str_starts(m->via.branch, TD_STR("z9hG4bK")));
	assert_true(td_str_starts(td_msg_value(m, TD_HDR_CONTACT), TD_STR("<sip:alice@192.0.2.1:5060")));
	assert_true(td_msg_value(m, TD_HDR_ALLOW).n > 0);
	assert_str(td_msg_value(m, TD_HDR_CONTENT_TYPE), "application/sdp");
	reply(r, m, 407, "p", PROXY("b.test", "n1"), ""); /* once more, with credentials */
	next = heard(r, "INVITE ");
	assert_false(td_str_eq(next->via.branch, m->via.branch));
	assert_true(td_str_eq(next->call_id, m->call_id));
	assert_true(td_str_eq(next->from_tag, m->from_tag));
	assert_int_equal(next->to_tag.n, 0);
	assert_int_equal(next->cseq.num, m->cseq.num + 1);
	td_msg_unref(m);
	td_msg_unref(next);
	reply_to_last(r, "INVITE ", 486, "A", "", "");
	rig_close(r);
}

/* §8.1.3.2: a status nobody knows counts as the first of its class. */
/* Proves RFC 3261 §8.1.3.2-1. */
static void unknown_statuses(void **state)
{
	static const unsigned ends[] = { 399, 499, 599, 699 };

	for (size_t i = 0; i < TD_ARRAY_LEN(ends); i++) {
		struct rig *r = rig_open();

		call(r);
		reply_to_last(r, "INVITE ", 199, "A", "", "");
		assert_int_equal(r->progress, 1);
		assert_int_equal(r->ends, 0);
		reply_to_last(r, "INVITE ", ends[i], "A", "", "");
		assert_int_equal(count(r, "ACK "), 1);
		assert_int_equal(r->ends, 1);
		assert_int_equal(r->end.status, ends[i]);
		rig_close(r);
	}
	struct rig *r = rig_open();

	call(r);
	reply_to_last(r, "INVITE ", 299, "A", "", SDP);
	assert_int_equal(r->ups, 1);
	assert_int_equal(count(r, "ACK "), 1);
	rig_close(r);
}

/* Proves RFC 3261 §13.2.2.4-1, §13.2.2.4-3. */
static void a_fork_with_two_answers(void **state)
{
	struct rig *r = rig_open();

	call(r);
	reply_to_last(r, "INVITE ", 180, "A", "", "");
	reply_to_last(r, "INVITE ", 200, "B", "", SDP);
	assert_int_equal(r->ups, 1);
	assert_int_equal(count(r, "ACK sip:B@"), 1);
	reply_to_last(r, "INVITE ", 200, "A", "", SDP);
	assert_int_equal(count(r, "ACK sip:A@"), 1);
	assert_int_equal(count(r, "BYE sip:A@"), 1);
	reply_to_last(r, "BYE ", 200, "A", "", "");
	reply_to_last(r, "INVITE ", 200, "A", "", SDP); /* their ACKs were lost */
	reply_to_last(r, "INVITE ", 200, "B", "", SDP);
	assert_int_equal(count(r, "ACK sip:A@"), 2);
	assert_int_equal(count(r, "ACK sip:B@"), 2);
	run(r, 1000);
	assert_int_equal(count(r, "BYE "), 1);
	assert_int_equal(r->ups, 1);
	assert_int_equal(r->ends, 0);
	td_call_hangup(r->call);
	run(r, 10);
	assert_int_equal(count(r, "BYE sip:B@"), 1);
	reply_to_last(r, "BYE ", 200, "B", "", "");
	reply_to_last(r, "INVITE ", 200, "B", "", SDP); /* still, after the end */
	assert_int_equal(count(r, "ACK sip:B@"), 3);
	assert_int_equal(count(r, "BYE "), 2);
	assert_int_equal(r->ends, 1);
	rig_close(r);
}

/* §13.2.1: an early answer counts for the phone that sent it. */
/* Proves RFC 3261 §12.1.2-2, §13.2.1-2. */
static void early_answers_of_a_fork(void **state)
{
	struct rig *r = rig_open();

	call(r);
	reply_to_last(r, "INVITE ", 183, "A", "", SDP "a=A\r\n");
	reply_to_last(r, "INVITE ", 183, "B", "", SDP "a=B\r\n");
	assert_int_equal(r->answered, 1);
	reply_to_last(r, "INVITE ", 200, "B", "", SDP "a=B\r\n");
	assert_int_equal(r->answered, 2);
	assert_non_null(strstr(r->answer, "a=B"));
	assert_int_equal(r->ups, 1);
	rig_close(r);

	r = rig_open();
	call(r);
	reply_to_last(r, "INVITE ", 183, "A", "", SDP "a=A\r\n");
	reply_to_last(r, "INVITE ", 200, "A", "", "");
	assert_int_equal(r->answered, 1);
	assert_int_equal(r->ups, 1);
	rig_close(r);
}

/* Proves RFC 3261 §13.2.2.4-4. */
static void no_answer_in_the_200(void **state)
{
	struct rig *r = rig_open();

	call(r);
	reply_to_last(r, "INVITE ", 200, "A", "", "");
	assert_int_equal(count(r, "ACK "), 1);
	assert_int_equal(count(r, "BYE "), 1);
	assert_int_equal(r->ups, 0);
	assert_int_equal(r->end.err, TD_ESYNTAX);
	rig_close(r);
}

static void cancel_crosses_the_200(void **state)
{
	struct rig *r = rig_open();

	call(r);
	td_call_hangup(r->call); /* not before a provisional response (§9.1) */
	run(r, 10);
	assert_int_equal(count(r, "CANCEL "), 0);
	reply_to_last(r, "INVITE ", 180, "A", "", "");
	assert_int_equal(count(r, "CANCEL "), 1);
	reply_to_last(r, "INVITE ", 200, "A", "", SDP);
	assert_int_equal(count(r, "ACK "), 1);
	assert_int_equal(count(r, "BYE "), 1);
	assert_int_equal(r->ends, 1);
	assert_int_equal(r->ups + r->answered, 0);
	rig_close(r);
}

/* Closing hangs up, and the agent sees that through although nobody listens any more. */
static void closed_while_it_rings(void **state)
{
	struct rig *r = rig_open();

	call(r);
	reply_to_last(r, "INVITE ", 180, "A", "", "");
	td_call_close(r->call);
	run(r, 10);
	assert_int_equal(count(r, "CANCEL "), 1);
	assert_true(td_ua_busy(r->ua));
	reply_to_last(r, "CANCEL ", 200, "A", "", "");
	reply_to_last(r, "INVITE ", 200, "A", "", SDP);
	assert_int_equal(count(r, "ACK "), 1);
	assert_int_equal(count(r, "BYE "), 1);
	reply_to_last(r, "BYE ", 200, "A", "", "");
	assert_false(td_ua_busy(r->ua));
	run(r, 40000);
	assert_int_equal(r->ends + r->ups, 0);
	rig_close(r);
}

/* Proves RFC 3261 §15-2. */
static void bye_to_our_early_dialog(void **state)
{
	struct rig *r = rig_open();

	call(r);
	reply_to_last(r, "INVITE ", 180, "A", "", "");
	ask_in_ours(r, "BYE", 1, "A", "");
	assert_int_equal(count(r, "SIP/2.0 200"), 1);
	assert_int_equal(count(r, "CANCEL "), 1);
	assert_int_equal(r->ends, 1);
	assert_true(r->end.by_peer);
	reply_to_last(r, "INVITE ", 183, "A", "", SDP);
	assert_int_equal(r->progress, 1);
	reply_to_last(r, "INVITE ", 200, "A", "", SDP);
	assert_int_equal(count(r, "ACK "), 1);
	assert_int_equal(count(r, "BYE "), 1);
	rig_close(r);
}

/* §14.2, RFC 3311 §5.2: our offer is out. */
/* Proves RFC 3261 §12.2.2-2, §14.2-2; RFC 3311 §5.2-2. */
static void glare(void **state)
{
	struct rig *r = rig_open();

	call(r);
	reply_to_last(r, "INVITE ", 180, "A", "", "");
	ask_in_ours(r, "INVITE", 1, "A", SDP);
	assert_int_equal(count(r, "SIP/2.0 491"), 1);
	ask_in_ours(r, "UPDATE", 2, "A", SDP);
	assert_int_equal(count(r, "SIP/2.0 491"), 2);
	ask_in_ours(r, "UPDATE", 2, "A", SDP); /* the same transaction */
	ask_in_ours(r, "INFO", 1, "A", "");
	assert_int_equal(count(r, "SIP/2.0 500"), 1); /* §12.2.2: an older CSeq */
	rig_close(r);
}

/* Proves RFC 3261 §12.2.1.2-1, §15.1.1-1, §15.1.2-1. */
static void byes_cross(void **state)
{
	struct rig *r = rig_open();

	call(r);
	reply_to_last(r, "INVITE ", 200, "A", "", SDP);
	td_call_hangup(r->call);
	ask_in_ours(r, "BYE", 1, "A", "");
	assert_int_equal(count(r, "SIP/2.0 481"), 1);
	reply_to_last(r, "BYE ", 481, "A", "", "");
	run(r, 1000);
	assert_int_equal(count(r, "BYE "), 1);
	assert_int_equal(r->ends, 1);
	assert_false(td_ua_busy(r->ua));
	rig_close(r);
}

/* ---- challenges ---- */

/* Proves RFC 3261 §8.1.3.5-1, §13.2.2.4-2, §22.2-3. */
static void invite_challenged(void **state)
{
	struct rig *r = rig_open();

	call(r);
	reply_to_last(r, "INVITE ", 407, "p", PROXY("b.test", "n1"), "");
	assert_int_equal(count(r, "ACK "), 1);
	assert_int_equal(count(r, "INVITE "), 2);
	assert_true(says(r, "INVITE ", "CSeq: 2 INVITE"));
	assert_true(says(r, "INVITE ", "nonce=\"n1\""));
	assert_int_equal(r->offers, 1);
	reply_to_last(r, "INVITE ", 200, "A", "", SDP);
	assert_true(says(r, "ACK sip:A@", "nonce=\"n1\"")); /* §13.2.2.4 */
	assert_true(says(r, "ACK sip:A@", "CSeq: 2 ACK"));
	td_call_hangup(r->call);
	run(r, 10);
	assert_true(says(r, "BYE ", "nc=00000002"));
	reply_to_last(r, "BYE ", 407, "A", PROXY("b.test", "n2"), "");
	assert_true(says(r, "BYE ", "nonce=\"n2\""));
	assert_true(says(r, "BYE ", "CSeq: 4 BYE"));
	reply_to_last(r, "BYE ", 407, "A", PROXY("b.test", "n3"), "");
	assert_int_equal(count(r, "BYE "), 2);
	assert_int_equal(r->ends, 1);
	rig_close(r);
}

/* Proves RFC 3261 §22.2-1. */
static void wrong_password(void **state)
{
	struct rig *r = rig_open();

	call(r);
	reply_to_last(r, "INVITE ", 401, "p", WWW("b.test", "n1"), "");
	reply_to_last(r, "INVITE ", 401, "p", WWW("b.test", "n2"), "");
	assert_int_equal(count(r, "INVITE "), 2);
	assert_int_equal(r->end.status, 401);
	rig_close(r);
}

/* A callee that asks for the password with its BYE gets none: not for another realm, and not at another address. */
/* Proves RFC 3261 §22.3-3. */
static void a6_callee_challenges(void **state)
{
	struct rig *r = rig_open();
	struct raw callee;

	call(r);
	reply_to_last(r, "INVITE ", 407, "p", PROXY("b.test", "n1"), "");
	reply_to_last(r, "INVITE ", 200, "A", "", SDP);
	td_call_hangup(r->call);
	run(r, 10);
	reply_to_last(r, "BYE ", 407, "A", PROXY("evil.test", "n2"), "");
	assert_int_equal(count(r, "BYE "), 1);
	rig_close(r);

	r = rig_open();
	raw_open(&callee, r->sim, r->wire, "192.0.2.66", 5060);
	call(r);
	reply_to_last(r, "INVITE ", 407, "p", PROXY("b.test", "n1"), "");
	reply_to_last(r, "INVITE ", 200, "A", "Contact: <sip:A@192.0.2.66>\r\n", SDP);
	assert_int_equal(raw_count(&callee, "ACK "), 1);
	td_call_hangup(r->call);
	run(r, 10);
	assert_int_equal(raw_count(&callee, "BYE "), 1);
	for (unsigned i = 0; i < callee.n; i++)
		assert_null(memmem(callee.got[i].buf->data, callee.got[i].buf->len, "Authorization", 13));
	raw_answer(&callee, 1, 407);
	run(r, 10);
	assert_int_equal(raw_count(&callee, "BYE "), 1);
	raw_close(&callee);
	rig_close(r);
}

static void on_response(struct td_request *q, int err, const struct td_msg *m, void *arg)
{
	struct rig *r = arg;

	r->requests++;
	r->last_err = err;
	r->last_status = m ? m->status : 0;
	td_request_close(q);
}

/* Both left without credentials, each is told a nonce of its own. */
/* Proves RFC 3261 §8.1.3.5-1. */
static void two_messages_challenged(void **state)
{
	struct td_request_options opt = { .method = TD_STR("MESSAGE"),
					  .uri = TD_STR("sip:bob@b.test"),
					  .content_type = TD_STR("text/plain"),
					  .body = TD_STR("hello") };
	struct rig *r = rig_open();
	struct td_request *q;
	struct td_msg *first, *second;

	assert_int_equal(td_request_open(&q, r->ua, &opt, on_response, r), 0);
	run(r, 10);
	first = heard(r, "MESSAGE ");
	assert_int_equal(td_request_open(&q, r->ua, &opt, on_response, r), 0);
	run(r, 10);
	second = heard(r, "MESSAGE ");
	reply(r, first, 407, "p", PROXY("b.test", "n1"), "");
	assert_true(says(r, "MESSAGE ", "nonce=\"n1\""));
	reply_to_last(r, "MESSAGE ", 200, "p", "", "");
	reply(r, second, 407, "p", PROXY("b.test", "n2"), "");
	assert_true(says(r, "MESSAGE ", "nonce=\"n2\""));
	reply_to_last(r, "MESSAGE ", 404, "p", "", "");
	assert_int_equal(r->requests, 2);
	assert_int_equal(r->last_status, 404);
	assert_int_equal(r->last_err, 0);
	assert_false(td_ua_busy(r->ua));
	td_msg_unref(first);
	td_msg_unref(second);

	opt.uri = TD_STR("sip:bob@b.test>\r\nX: y");
	assert_int_equal(td_request_open(&q, r->ua, &opt, on_response, r), TD_ESYNTAX);
	rig_close(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_first_invite_is_complete),
		cmocka_unit_test(unknown_statuses),
		cmocka_unit_test(a_fork_with_two_answers),
		cmocka_unit_test(early_answers_of_a_fork),
		cmocka_unit_test(no_answer_in_the_200),
		cmocka_unit_test(cancel_crosses_the_200),
		cmocka_unit_test(closed_while_it_rings),
		cmocka_unit_test(bye_to_our_early_dialog),
		cmocka_unit_test(glare),
		cmocka_unit_test(byes_cross),
		cmocka_unit_test(invite_challenged),
		cmocka_unit_test(wrong_password),
		cmocka_unit_test(a6_callee_challenges),
		cmocka_unit_test(two_messages_challenged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
