/* One address, several phones: all ring, one answers, or none does (§16.6, §16.7). */
#include "harness.h"

enum { PHONES = 4 };

struct rig {
	struct world w;
	struct phone a, b[PHONES];
	struct td_msg *invite[PHONES];
	struct leg l;
};

/* n phones of bob are registered and have the INVITE. */
static void rig_open(struct rig *r, unsigned n)
{
	char ip[32];

	memset(r, 0, sizeof(*r));
	world_open(&r->w, 2, workers_now, NULL);
	phone_open(&r->a, &r->w, "alice", "10.0.1.1", 5060, TD_UDP);
	for (unsigned i = 0; i < PHONES; i++) {
		snprintf(ip, sizeof(ip), "10.0.1.%u", 10 + i);
		phone_open(&r->b[i], &r->w, "bob", ip, 5060, i == 2 ? TD_TCP : TD_UDP);
		if (i < n)
			phone_register(&r->b[i], "any.test");
	}
}

static void ring_all(struct rig *r, unsigned n, const char *method)
{
	leg_new(&r->l, &r->a, "any.test", "sip:bob@any.test");
	leg_send(&r->l, method, NULL, SDP);
	for (unsigned i = 0; i < n; i++)
		r->invite[i] = want_request(&r->b[i], method);
}

static void rig_close(struct rig *r)
{
	phone_close(&r->a);
	for (unsigned i = 0; i < PHONES; i++)
		phone_close(&r->b[i]);
	world_close(&r->w);
}

/* Proves RFC 3261 §16.5-2, §16.6-7, §16.7-3, §16.7-4, §16.7-9; RFC 3326 §2-2; RFC 5393 §5.3.3-3. */
static void first_answer_stops_the_others(void **state)
{
	struct td_msg *m;
	struct rig r;

	rig_open(&r, 3);
	ring_all(&r, 3, "INVITE");
	assert_false(td_str_eq(r.invite[0]->via.branch, r.invite[1]->via.branch));
	assert_string_equal(header(r.invite[0], "Max-Breadth"), "16");
	for (int i = 0; i < 3; i++)
		phone_answer(&r.b[i], r.invite[i], 180, "", NULL);
	for (int i = 0; i < 3; i++)
		want_status(&r.a, 180);
	phone_answer(&r.b[1], r.invite[1], 200, "", SDP);
	leg_learn(&r.l, want_status(&r.a, 200));
	for (int i = 0; i < 3; i += 2) {
		m = want_request(&r.b[i], "CANCEL");
		assert_string_equal(header(m, "Reason"), "SIP;cause=200;text=\"Call completed elsewhere\""); /* RFC 3326 */
		phone_answer(&r.b[i], m, 200, "", NULL);
		phone_refuse(&r.b[i], r.invite[i], 487);
	}
	leg_send(&r.l, "ACK", NULL, NULL);
	want_request(&r.b[1], "ACK");
	want_silence(&r.a, 40000); /* no 487 after the 200 */
	rig_close(&r);
}

/* Both 200s reach the caller, who acknowledges both and hangs up on one (§13.2.2.4). */
/* Proves RFC 3261 §13.2.2.4-3, §16.7-3. */
static void two_answers(void **state)
{
	struct leg one, two;
	struct td_msg *m;
	struct rig r;

	rig_open(&r, 2);
	ring_all(&r, 2, "INVITE");
	phone_answer(&r.b[0], r.invite[0], 200, "", SDP);
	phone_answer(&r.b[1], r.invite[1], 200, "", SDP);
	one = two = r.l;
	m = want_status(&r.a, 200);
	leg_learn(&one, m);
	m = want_status(&r.a, 200);
	leg_learn(&two, m);
	assert_string_not_equal(one.target, two.target);
	leg_send(&one, "ACK", NULL, NULL);
	leg_send(&two, "ACK", NULL, NULL);
	want_request(&r.b[0], "ACK");
	want_request(&r.b[1], "ACK");
	leg_send(&two, "BYE", NULL, NULL);
	phone_answer(strstr(two.target, "10.0.1.10") ? &r.b[0] : &r.b[1],
		     want_request(strstr(two.target, "10.0.1.10") ? &r.b[0] : &r.b[1], "BYE"), 200, "", NULL);
	assert_int_equal(want_status(&r.a, 200)->cseq.method, TD_BYE);
	rig_close(&r);
}

/* §16.7 item 6. What each of three phones says (0: it rings on), and what the caller may hear. */
static const struct {
	unsigned said[3], heard[3];
} best[] = {
	{ { 486, 404, 480 }, { 486, 404, 480 } }, /* any of the lowest class */
	{ { 486, 305, 503 }, { 305 } },           { { 500, 486, 503 }, { 486 } },
	{ { 487, 486, 408 }, { 486 } },           { { 486, 407, 404 }, { 407 } },
	{ { 486, 415, 404 }, { 415 } },           { { 503, 503, 503 }, { 500 } },
	{ { 503, 500, 501 }, { 500, 501 } },      { { 486, 0, 600 }, { 600 } },
	{ { 486, 0, 404 }, { 486, 404 } }, /* after Timer C */
};

/* Proves RFC 3261 §16.7-5, §16.7-6, §16.7-7, §16.7-9. */
static void best_response(void **state)
{
	for (size_t i = 0; i < TD_ARRAY_LEN(best); i++) {
		bool six = false;
		struct td_msg *m;
		struct rig r;

		rig_open(&r, 3);
		ring_all(&r, 3, "INVITE");
		for (int k = 0; k < 3; k++) {
			six |= best[i].said[k] >= 600;
			phone_answer(&r.b[k], r.invite[k], best[i].said[k] ? best[i].said[k] : 180, "", NULL);
		}
		for (int k = 0; k < 3 && six; k++) {
			if (best[i].said[k])
				continue;
			m = want_request(&r.b[k], "CANCEL"); /* 6xx ends all, at once */
			assert_string_equal(header(m, "Reason"), "SIP;cause=600");
			phone_answer(&r.b[k], r.invite[k], 487, "", NULL);
		}
		m = maybe_status(&r.a, 0, 300000);
		assert_non_null(m);
		if (m->status != best[i].heard[0] && m->status != best[i].heard[1] && m->status != best[i].heard[2])
			fail_msg("row %zu: %u", i, m->status);
		want_silence(&r.b[3], 1);
		rig_close(&r);
	}
}

/* §16.7 item 7: the caller gets the challenges of all branches. */
/* Proves RFC 3261 §16.7-8. */
static void challenges_are_gathered(void **state)
{
	struct td_msg *m;
	struct rig r;

	rig_open(&r, 3);
	ring_all(&r, 3, "INVITE");
	phone_answer(&r.b[0], r.invite[0], 407, "Proxy-Authenticate: Digest realm=\"one\", nonce=\"1\"\n", NULL);
	phone_answer(
		&r.b[1], r.invite[1], 401,
		"WWW-Authenticate: Digest realm=\"two\", nonce=\"2\"\nWWW-Authenticate: Digest realm=\"three\", nonce=\"3\"\n",
		NULL);
	phone_answer(&r.b[2], r.invite[2], 486, "", NULL);
	m = maybe_status(&r.a, 0, 5000);
	assert_true(m->status == 401 || m->status == 407);
	assert_non_null(find(m, "realm=\"one\""));
	assert_non_null(find(m, "realm=\"two\""));
	assert_non_null(find(m, "realm=\"three\""));
	rig_close(&r);
}

/* Non-INVITE: the first 2xx is the only final response (§16.7 item 5). */
/* Proves RFC 3261 §16.7-4. */
static void message_to_all(void **state)
{
	struct rig r;

	rig_open(&r, 2);
	ring_all(&r, 2, "MESSAGE");
	phone_answer(&r.b[0], r.invite[0], 200, "", NULL);
	phone_answer(&r.b[1], r.invite[1], 200, "", NULL);
	want_status(&r.a, 200);
	want_silence(&r.a, 5000);
	rig_close(&r);
}

/* Proves RFC 3261 §16.10-1; RFC 3326 §2-1, §2-3. */
static void cancel_stops_all(void **state)
{
	struct rig r;

	rig_open(&r, 3);
	ring_all(&r, 3, "INVITE");
	for (int i = 0; i < 3; i++)
		phone_answer(&r.b[i], r.invite[i], 180, "", NULL);
	for (int i = 0; i < 3; i++)
		want_status(&r.a, 180);
	leg_send(&r.l, "CANCEL", "Reason: SIP;cause=200;text=\"a, b\"\nReason: Q.850;cause=16\n", NULL);
	want_status(&r.a, 200);
	for (int i = 0; i < 3; i++) {
		struct td_msg *m = want_request(&r.b[i], "CANCEL");

		assert_int_equal(header_count(m, TD_HDR_REASON), 2);
		assert_non_null(find(m, "Reason: SIP;cause=200;text=\"a, b\"\r\n"));
		assert_non_null(find(m, "Reason: Q.850;cause=16\r\n"));
		phone_answer(&r.b[i], r.invite[i], i == 1 ? 486 : 487, "", NULL);
	}
	want_status(&r.a, 487);
	rig_close(&r);
}

/* D7: fork, CANCEL and 200 at the same moment. The call is up, or it is not; nothing is left. */
static void d7_cancel_and_answer_cross(void **state)
{
	struct td_msg *m;
	struct rig r;

	rig_open(&r, 3);
	ring_all(&r, 3, "INVITE");
	phone_answer(&r.b[0], r.invite[0], 180, "", NULL);
	want_status(&r.a, 180);
	leg_send(&r.l, "CANCEL", NULL, NULL);
	phone_answer(&r.b[1], r.invite[1], 200, "", SDP);
	phone_answer(&r.b[2], r.invite[2], 603, "", NULL);
	for (int got = 0; got < 2;) { /* 200 to the CANCEL, and 200 to the INVITE */
		m = want_status(&r.a, 200);
		got++;
	}
	(void)m;
	phone_answer(&r.b[0], r.invite[0], 487, "", NULL);
	world_run(&r.w, 70000);
	for (unsigned i = 0; i < r.a.n; i++)
		assert_true(r.a.inbox[i]->status < 300);
	world_assert_idle(&r.w);
	rig_close(&r);
}

/* A connection that is gone: the Contact's address is tried. */
/* Proves RFC 5923 §8.1-4. */
static void lost_connection(void **state)
{
	struct rig r;

	rig_open(&r, 3);
	phone_drop(&r.b[2]);
	world_run(&r.w, 100);
	ring_all(&r, 3, "INVITE"); /* on a new connection, to the listening port */
	assert_int_equal(r.b[2].conn_n, 1);
	for (int i = 0; i < 3; i++)
		phone_answer(&r.b[i], r.invite[i], 486, "", NULL);
	want_status(&r.a, 486);
	rig_close(&r);
}

/* A connection lost while the phone rings counts as 503 (§16.9). */
/* Proves RFC 3261 §8.1.3.1-1, §16.9-1. */
static void connection_lost_while_ringing(void **state)
{
	struct rig r;

	rig_open(&r, 3);
	ring_all(&r, 3, "INVITE");
	phone_answer(&r.b[0], r.invite[0], 404, "", NULL);
	phone_answer(&r.b[1], r.invite[1], 404, "", NULL);
	phone_answer(&r.b[2], r.invite[2], 180, "", NULL);
	want_status(&r.a, 180);
	phone_drop(&r.b[2]);
	want_status(&r.a, 404);
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_answer_stops_the_others),
		cmocka_unit_test(two_answers),
		cmocka_unit_test(best_response),
		cmocka_unit_test(challenges_are_gathered),
		cmocka_unit_test(message_to_all),
		cmocka_unit_test(cancel_stops_all),
		cmocka_unit_test(d7_cancel_and_answer_cross),
		cmocka_unit_test(lost_connection),
		cmocka_unit_test(connection_lost_while_ringing),
	};

	return RUN_BY_WORKERS(tests);
}
