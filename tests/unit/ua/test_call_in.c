/* Calls that come, what the peer asks within them, and calls that are closed in their own callbacks (RFC 3261 §13.3, §14.2, RFC 3311). */
#include "peer.h"

/* ---- calls that come ---- */

/* Proves RFC 3261 §8.2.2.3-1, §8.2.3-1, §13.3.1.3-1; RFC 3262 §3-1. */
static void incoming_is_refused(void **state)
{
	static const struct {
		const char *headers, *body, *status, *says;
	} rows[] = {
		{ "Require: a, b\r\nRequire: c\r\n", SDP, "SIP/2.0 420", "Unsupported: a, b\r\nUnsupported: c\r\n" },
		{ "Content-Type: text/plain\r\n", "hello", "SIP/2.0 415", "Accept: application/sdp\r\n" },
		{ "Content-Encoding: gzip\r\n", "\x1f\x8b", "SIP/2.0 415", "Accept: application/sdp\r\n" },
		{ "", SDP, "SIP/2.0 486", "To: " },
	};
	unsigned i;

	for (i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct rig *r = rig_open();

		r->accept = false;
		ask(r, "INVITE", 1, rows[i].headers, rows[i].body);
		assert_true(says(r, rows[i].status, rows[i].says));
		run(r, 1000);
		learn_tag(r, rows[i].status);
		rig_close(r);
	}
}

/* §8.2.2.2: what was forked on its way and came by two of its branches is one request. */
/* Proves RFC 3261 §8.2.2.2-1. */
static void merged_requests(void **state)
{
	struct rig *r = rig_open();
	struct td_out o;

	ask(r, "INVITE", 1, "", SDP);
	td_out_init(&o);
	td_out_fmt(&o,
		   "INVITE sip:alice@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bKother\r\nMax-Forwards: 70\r\n"
		   "From: <sip:bob@b.test>;tag=p1\r\nTo: <sip:alice@a.test>\r\nCall-ID: theirs\r\nCSeq: 1 INVITE\r\n"
		   "Contact: <sip:bob1@192.0.2.2>\r\nContent-Length: 0\r\n\r\n");
	send_text(r, &o);
	assert_int_equal(count(r, "SIP/2.0 482"), 1);
	td_call_answer(r->call);
	run(r, 10);
	assert_int_equal(count(r, "SIP/2.0 200"), 1);
	rig_close(r);
}

/* Proves RFC 3261 §9.2-1, §12.2.2-1, §15.1.2-1. */
static void outside_of_dialogs(void **state)
{
	struct rig *r = rig_open();

	ask(r, "OPTIONS", 1, "", "");
	assert_true(says(r, "SIP/2.0 200", "Accept: application/sdp\r\n"));
	snprintf(r->their_tag, sizeof(r->their_tag), "nobody");
	ask(r, "OPTIONS", 2, "", "");
	ask(r, "BYE", 3, "", "");
	ask(r, "INVITE", 4, "", SDP);
	ask(r, "CANCEL", 5, "", "");
	assert_int_equal(count(r, "SIP/2.0 481"), 4);
	ask(r, "ACK", 4, "", "");
	assert_int_equal(count(r, "SIP/2.0 "), 5);
	rig_close(r);
}

/* Proves RFC 3261 §8.2.3-1, §12.2.1.1-4, §12.2.2-3, §13.2.1-3, §14.2-1, §14.2-2, §14.2-3; RFC 3311 §5.2-2. */
static void reinvites(void **state)
{
	struct rig *r = rig_open();

	established(r);
	ask(r, "INVITE", 2, "", SDP "a=sendonly\r\n");
	assert_int_equal(r->answers, 2);
	assert_true(says(r, "SIP/2.0 200", "CSeq: 2 INVITE"));
	ask(r, "INVITE", 3, "", SDP); /* §14.2: before the ACK of the other */
	assert_true(says(r, "SIP/2.0 500", "Retry-After: "));
	ask(r, "ACK", 3, "", "");
	ask(r, "ACK", 2, "", "");
	ask(r, "INVITE", 4, "", ""); /* the offer is ours now */
	assert_int_equal(r->offers, 1);
	ask(r, "UPDATE", 5, "", SDP);
	assert_int_equal(count(r, "SIP/2.0 491"), 1);
	ask(r, "ACK", 4, "", SDP "a=theirs\r\n");
	assert_int_equal(r->answered, 1);
	ask(r, "INVITE", 6, "Content-Type: text/plain\r\n", "x");
	assert_int_equal(count(r, "SIP/2.0 415"), 1);
	r->session_err = TD_EUNSUPPORTED;
	ask(r, "INVITE", 7, "", SDP);
	assert_int_equal(count(r, "SIP/2.0 488"), 1);
	assert_int_equal(r->ups, 1);
	assert_int_equal(r->ends, 0);
	run(r, 40000);
	raw_clear(&r->peer);
	td_call_hangup(r->call); /* to the Contact of the last one that was accepted */
	run(r, 10);
	assert_int_equal(count(r, "BYE sip:bob4@192.0.2.2 "), 1);
	rig_close(r);
}

/* No answer comes with the ACK: there is no session. */
/* Proves RFC 3261 §13.2.1-3. */
static void offerless_and_no_answer(void **state)
{
	struct rig *r = rig_open();

	ask(r, "INVITE", 1, "", "");
	td_call_answer(r->call);
	run(r, 10);
	assert_int_equal(r->offers, 1);
	learn_tag(r, "SIP/2.0 200");
	ask(r, "ACK", 1, "", "");
	assert_int_equal(count(r, "BYE "), 1);
	assert_int_equal(r->ups, 0);
	assert_int_equal(r->end.err, TD_ESYNTAX);
	rig_close(r);
}

/* Proves RFC 3261 §14.2-1; RFC 3311 §5.2-1, §5.2-3. */
static void updates(void **state)
{
	struct rig *r = rig_open();

	ask(r, "INVITE", 1, "", SDP);
	td_call_ring(r->call);
	run(r, 10);
	learn_tag(r, "SIP/2.0 180");
	ask(r, "UPDATE", 2, "", SDP); /* RFC 3311 §5.2: theirs waits for our answer */
	assert_true(says(r, "SIP/2.0 500", "Retry-After: "));
	ask(r, "INVITE", 3, "", SDP);
	assert_int_equal(count(r, "SIP/2.0 500"), 2);
	ask(r, "ACK", 3, "", "");
	ask(r, "UPDATE", 4, "", "");
	assert_int_equal(count(r, "SIP/2.0 200"), 1);
	td_call_answer(r->call);
	run(r, 10);
	ask(r, "ACK", 1, "", "");
	ask(r, "UPDATE", 5, "", SDP);
	assert_int_equal(r->answers, 2);
	assert_true(says(r, "SIP/2.0 200", SDP));
	ask(r, "UPDATE", 6, "Content-Type: text/plain\r\n", "x");
	assert_int_equal(count(r, "SIP/2.0 415"), 1);
	r->session_err = TD_EUNSUPPORTED;
	ask(r, "UPDATE", 7, "", SDP);
	assert_int_equal(count(r, "SIP/2.0 488"), 1);
	assert_int_equal(r->ends, 0);
	ask(r, "MESSAGE", 8, "Content-Type: text/plain\r\n", "x");
	assert_int_equal(r->messages, 1);
	ask(r, "INFO", 9, "", "");
	ask(r, "FOO", 10, "", "");
	assert_int_equal(count(r, "SIP/2.0 501"), 1);
	rig_close(r);
}

/* §15: the callee's BYE waits for the ACK, whether it hangs up or closes the call. */
/* Proves RFC 3261 §15-1. */
static void hung_up_before_the_ack(void **state)
{
	unsigned closes;

	for (closes = 0; closes < 2; closes++) {
		struct rig *r = rig_open();

		ask(r, "INVITE", 1, "", SDP);
		td_call_answer(r->call);
		if (closes)
			td_call_close(r->call);
		else
			td_call_hangup(r->call);
		run(r, 100);
		assert_int_equal(count(r, "BYE "), 0);
		assert_true(td_ua_busy(r->ua));
		learn_tag(r, "SIP/2.0 200");
		ask(r, "UPDATE", 2, "", SDP);
		ask(r, "ACK", 1, "", "");
		assert_int_equal(count(r, "BYE "), 1);
		assert_int_equal(r->ups, 0);
		assert_int_equal(r->ends, closes ? 0 : 1);
		reply_to_last(r, "BYE ", 200, "p1", "", "");
		assert_false(td_ua_busy(r->ua));
		rig_close(r);
	}
}

/* Proves RFC 3261 §13.3.1.4-1, §13.3.1.4-2. */
static void no_ack_for_64_t1(void **state)
{
	struct rig *r = rig_open();

	ask(r, "INVITE", 1, "", SDP);
	td_call_answer(r->call);
	run(r, 31900);
	assert_int_equal(count(r, "SIP/2.0 200"), 11); /* at 0, 0.5, 1.5, 3.5, then every four seconds */
	assert_int_equal(count(r, "BYE "), 0);
	run(r, 200);
	assert_int_equal(count(r, "BYE "), 1);
	assert_int_equal(r->end.err, TD_ETIMEOUT);
	rig_close(r);
}

/* Proves RFC 3261 §13.3.1.1-1, §15-2, §15.1.2-2. */
static void rings_for_long(void **state)
{
	struct rig *r = rig_open();

	ask(r, "INVITE", 1, "", SDP);
	td_call_ring(r->call);
	run(r, 185000);
	assert_int_equal(count(r, "SIP/2.0 180"), 4); /* §13.3.1.1 */
	td_call_ring(r->call);                        /* again, while it rings */
	run(r, 10);
	assert_int_equal(td_call_reject(r->call, 200), TD_ELIMIT);
	learn_tag(r, "SIP/2.0 180");
	ask(r, "BYE", 2, "", ""); /* to an early dialog: the INVITE ends too */
	assert_int_equal(count(r, "SIP/2.0 487"), 1);
	assert_int_equal(r->ends, 1);
	run(r, 100000);
	assert_int_equal(count(r, "SIP/2.0 180"), 5);
	rig_close(r);
}

/* ---- closing in callbacks ---- */

static void closed_in_callbacks(void **state)
{
	static const struct {
		enum where in;
		bool comes;
		const char *ends_with;
	} rows[] = {
		{ IN_INCOMING, true, "SIP/2.0 480" }, { IN_ANSWER, true, "SIP/2.0 480" }, { IN_UP, true, "BYE " },
		{ IN_PROGRESS, false, "CANCEL " },    { IN_ANSWERED, false, "BYE " },     { IN_UP, false, "BYE " },
	};
	unsigned i;

	for (i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct rig *r = rig_open();

		r->close_in = rows[i].in;
		if (rows[i].comes) {
			ask(r, "INVITE", 1, "", SDP);
			if (r->call)
				td_call_answer(r->call);
			run(r, 10);
			if (count(r, "SIP/2.0 200")) {
				learn_tag(r, "SIP/2.0 200");
				ask(r, "ACK", 1, "", "");
			}
		} else {
			call(r);
			reply_to_last(r, "INVITE ", 183, "A", "", "");
			if (r->call)
				reply_to_last(r, "INVITE ", 200, "A", "", SDP);
		}
		assert_int_equal(count(r, rows[i].ends_with), 1);
		assert_null(r->call);
		assert_int_equal(r->ends, 0);
		run(r, 70000);
		assert_false(td_ua_busy(r->ua));
		rig_close(r);
	}
}

/* The session closes the call while it answers an in-dialog offer. */
static void closed_while_answering_again(void **state)
{
	static const char *const methods[] = { "INVITE", "UPDATE" };
	unsigned i;

	for (i = 0; i < TD_ARRAY_LEN(methods); i++) {
		struct rig *r = rig_open();

		established(r);
		r->close_in = IN_ANSWER;
		ask(r, methods[i], 2, "", SDP);
		assert_int_equal(count(r, "SIP/2.0 481"), 1);
		assert_int_equal(count(r, "BYE "), 1);
		rig_close(r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(incoming_is_refused),
		cmocka_unit_test(merged_requests),
		cmocka_unit_test(outside_of_dialogs),
		cmocka_unit_test(reinvites),
		cmocka_unit_test(offerless_and_no_answer),
		cmocka_unit_test(updates),
		cmocka_unit_test(hung_up_before_the_ack),
		cmocka_unit_test(no_ack_for_64_t1),
		cmocka_unit_test(rings_for_long),
		cmocka_unit_test(closed_in_callbacks),
		cmocka_unit_test(closed_while_answering_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
