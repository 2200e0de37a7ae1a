/* A domain in mode stateless (§16.11) and those who may not use it: requests nobody vouches for, and responses nobody asked for. */
#include "stateless.h"

/* ---- requests ---- */

/* Whoever is not trusted proves who sends the request; its repetition, CANCEL and ACK need no more. */
/* Proves RFC 3261 §22.1-1. */
static void a_user_with_a_password(void **state)
{
	struct td_msg *m, *invite;
	struct leg l;
	struct rig r;
	unsigned sent;

	stateless_open(&r, TD_UDP, TD_UDP);
	phone_password(&r.mallory, "m");
	dial(&l, &r.mallory);
	leg_send(&l, "INVITE", NULL, SDP);
	m = want_status(&r.mallory, 407);
	leg_ack_refusal(&l, m);
	want_silence(&r.b, 100);
	assert_int_equal(td_auth_client_challenge(r.mallory.auth, m, NULL), 0);
	world_rules(&r.w, 0, 1, 0); /* each datagram twice: the second has the same nonce and count */
	leg_send(&l, "INVITE", NULL, SDP);
	invite = want_request(&r.b, "INVITE");
	world_run(&r.w, 100);
	world_rules(&r.w, 0, 0, 0);
	sent = r.b.n;
	assert_true(sent >= 3); /* REGISTER's 200, and the INVITE more than once */
	for (unsigned i = 1; i < sent; i++)
		assert_true(td_str_eq(r.b.inbox[i]->via.branch, invite->via.branch));
	phone_forget(&r.b);
	want_silence(&r.mallory, 100); /* no 407 for the second */
	world_run(&r.w, 170000);       /* ringing for long */
	leg_send(&l, "CANCEL", NULL, NULL);
	m = want_request(&r.b, "CANCEL");
	assert_true(td_str_eq(m->via.branch, invite->via.branch));
	phone_answer(&r.b, invite, 487, "", NULL);
	m = want_status(&r.mallory, 487);
	leg_ack_refusal(&l, m);
	want_request(&r.b, "ACK");
	stateless_close(&r);
}

/* 600 seconds later nothing is known of it any more. */
static void a_note_is_forgotten(void **state)
{
	struct td_msg *m;
	struct leg l;
	struct rig r;

	stateless_open(&r, TD_UDP, TD_UDP);
	phone_password(&r.mallory, "m");
	dial(&l, &r.mallory);
	leg_send(&l, "INVITE", NULL, SDP);
	m = want_status(&r.mallory, 407);
	assert_int_equal(td_auth_client_challenge(r.mallory.auth, m, NULL), 0);
	leg_send(&l, "INVITE", NULL, SDP);
	want_request(&r.b, "INVITE");
	world_run(&r.w, 400000);
	leg_send(&l, "CANCEL", NULL, NULL);
	want_status(&r.mallory, 481);
	want_silence(&r.b, 100);
	stateless_close(&r);
}

/* Nothing is relayed for strangers: not the requests that can be challenged, and not the two that cannot. */
static void d1_strangers(void **state)
{
	static const char *const methods[] = { "INVITE", "MESSAGE", "SUBSCRIBE", "BYE", "WHATEVER" };
	struct rig r;

	stateless_open(&r, TD_UDP, TD_UDP);
	for (size_t i = 0; i < TD_ARRAY_LEN(methods); i++) {
		send_as(&r.mallory, methods[i], "z9hG4bKm", "");
		want_status(&r.mallory, 407);
	}
	send_as(&r.mallory, "CANCEL", "z9hG4bKm", "");
	want_status(&r.mallory, 481);
	send_as(&r.mallory, "ACK", "z9hG4bKm", "");
	want_silence(&r.mallory, 100);
	want_silence(&r.b, 100);
	stateless_close(&r);
}

/* Somebody else who knows all of an INVITE cannot end it: from another place the branch is another. */
/* Proves RFC 3261 §16.10-2. */
static void d3_forged_cancel(void **state)
{
	struct td_msg *invite, *m;
	struct phone other;
	struct leg l;
	struct rig r;

	stateless_open(&r, TD_UDP, TD_UDP);
	phone_open(&other, &r.w, "other", "10.0.1.9", 5060, TD_UDP); /* trusted, even */
	dial(&l, &r.a);
	leg_send(&l, "INVITE", NULL, SDP);
	invite = want_request(&r.b, "INVITE");
	for (int i = 0; i < 2; i++)
		phone_send(
			i ? &other : &r.mallory,
			"CANCEL %s SIP/2.0\nVia: SIP/2.0/UDP 10.0.1.1:5060;rport;branch=%s\nMax-Forwards: 70\nFrom: %s\nTo: %s\n"
			"Call-ID: %s\nCSeq: 1 CANCEL\nContent-Length: 0\n\n",
			l.target, l.branch, l.local, l.remote, l.call_id);
	want_status(&r.mallory, 481);
	m = want_request(&r.b, "CANCEL");
	assert_false(td_str_eq(m->via.branch, invite->via.branch)); /* bob answers 481 */
	want_silence(&r.b, 100);
	phone_close(&other);
	stateless_close(&r);
}

/* A cookie of such a call opens nothing else. */
static void d1_cookie_of_another_call(void **state)
{
	struct leg caller, callee, evil;
	struct rig r;

	stateless_open(&r, TD_UDP, TD_UDP);
	dial(&caller, &r.a);
	leg_through(&caller, &callee, &r.b);
	leg_new(&evil, &r.mallory, "quick.test", "sip:victim@10.9.9.9");
	memcpy(evil.routes, caller.routes, sizeof(evil.routes));
	leg_send(&evil, "INVITE", NULL, SDP);
	want_status(&r.mallory, 403);
	leg_send(&evil, "CANCEL", NULL, NULL);
	want_status(&r.mallory, 481);
	leg_send(&evil, "ACK", NULL, NULL);
	want_silence(&r.mallory, 100);
	want_silence(&r.b, 100);
	stateless_close(&r);
}

/* ---- responses (D4) ---- */

static void respond(struct phone *p, const struct td_msg *to, struct td_str branch, const char *call_id, unsigned cseq,
		    const char *via)
{
	phone_send(p,
		   "SIP/2.0 200 OK\nVia: SIP/2.0/UDP " SERVER_IP ":5060;rport;branch=%.*s\n%sFrom: %.*s\nTo: %.*s;tag=x\n"
		   "Call-ID: %s\nCSeq: %u INVITE\nContact: <sip:mallory@10.6.6.6>\nContent-Length: 0\n\n",
		   TD_FMT(branch), via, TD_FMT(to->from.text), TD_FMT(to->to.text), call_id, cseq);
}

/* Proves RFC 3261 §16.11-5. */
static void d4_forged_responses(void **state)
{
	static const char via[] = "Via: SIP/2.0/UDP 10.0.1.1:5060;rport=5060;received=10.0.1.1;branch=z9hG4bKd4\n";
	struct td_server_status st;
	char branch[200];
	struct td_msg *m;
	struct rig r;

	stateless_open(&r, TD_UDP, TD_UDP);
	send_as(&r.a, "INVITE", "z9hG4bKd4", "");
	m = want_request(&r.b, "INVITE");
	for (size_t i = 9; i < m->via.branch.n; i++) {
		snprintf(branch, sizeof(branch), "%.*s", TD_FMT(m->via.branch));
		branch[i] = branch[i] == '1' ? '2' : '1';
		if (i < 25 || i > 42) /* between is what finds loops: a response is not judged by it */
			respond(&r.mallory, m, td_str_of(branch), "as-alice", 7, via);
	}
	for (size_t n = 26; n < m->via.branch.n; n++)
		respond(&r.mallory, m, td_str_n(branch, n), "as-alice", 7, via);
	snprintf(branch, sizeof(branch), "%.*s00", TD_FMT(m->via.branch));
	respond(&r.mallory, m, td_str_of(branch), "as-alice", 7, via);
	respond(&r.mallory, m, m->via.branch, "another", 7, via);
	respond(&r.mallory, m, m->via.branch, "as-alice", 8, via);
	respond(&r.mallory, m, m->via.branch, "as-alice", 7, ""); /* P11: nobody below us */
	want_silence(&r.a, 200);
	st = *world_status(&r.w);
	assert_true(st.count.strays >= 60);
	respond(&r.b, m, m->via.branch, "as-alice", 7, via);
	want_status(&r.a, 200);
	stateless_close(&r);
}

/* Whatever a peer writes into the Via below ours: the response goes where the request came from (P5). */
static void d4_another_destination(void **state)
{
	static const char *const vias[] = {
		"Via: SIP/2.0/UDP 10.0.1.9:5060;branch=z9hG4bKd4\n",
		"Via: SIP/2.0/UDP 10.0.1.1:5060;rport=5060;received=10.0.1.9;branch=z9hG4bKd4\n",
		"Via: SIP/2.0/TCP 10.0.1.9:5060;branch=z9hG4bKd4\n",
		"Via: SIP/2.0/UDP 10.0.1.1:5060;maddr=10.0.1.9;branch=z9hG4bKd4\n",
	};
	struct phone victim;
	struct td_msg *m;
	struct rig r;

	stateless_open(&r, TD_UDP, TD_UDP);
	phone_open(&victim, &r.w, "victim", "10.0.1.9", 5060, TD_UDP);
	send_as(&r.a, "INVITE", "z9hG4bKd4", "");
	m = want_request(&r.b, "INVITE");
	for (size_t i = 0; i < TD_ARRAY_LEN(vias); i++) {
		respond(&r.b, m, m->via.branch, "as-alice", 7, vias[i]);
		want_status(&r.a, 200);
	}
	want_silence(&victim, 100);
	phone_close(&victim);
	stateless_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_user_with_a_password),
		cmocka_unit_test(a_note_is_forgotten),
		cmocka_unit_test(d1_strangers),
		cmocka_unit_test(d3_forged_cancel),
		cmocka_unit_test(d1_cookie_of_another_call),
		cmocka_unit_test(d4_forged_responses),
		cmocka_unit_test(d4_another_destination),
	};

	return RUN_BY_WORKERS(tests);
}
