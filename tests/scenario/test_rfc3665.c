/*
 * The call flows of RFC 3665, §2 (registration) and §3 (sessions), over every transport there is. The server is the registrar of §2
 * and in §3 the proxy next to Bob, or the redirect server; what stands between Alice and it, another proxy or an ALG, is a peer that
 * adds what those add. In §3.1 there is no server at all in the RFC: here the two use one.
 *
 * Proxy 1 speaks what Alice and Bob speak; only where these are browsers, which nobody can connect to, it speaks TCP.
 */
#include "harness.h"

static const enum td_proto transports[] = { TD_UDP, TD_TCP, TD_TLS, TD_WS, TD_WSS };

struct rig {
	struct world w;
	struct phone alice, bob, p1; /* p1: a proxy before ours, under trust where a flow has no password for it */
	struct leg a, b;
};

static const char *name_of(enum td_proto proto)
{
	return td_proto_name(proto).p;
}

static void rig_open(struct rig *r, enum td_proto proto)
{
	memset(r, 0, sizeof(*r));
	world_open_everywhere(&r->w, 3665, 2, NULL);
	world_user(&r->w, "alice", "a");
	world_user(&r->w, "bob", "b");
	phone_open(&r->alice, &r->w, "alice", "10.2.0.1", 5060, proto);
	phone_open(&r->bob, &r->w, "bob", "10.2.0.2", 5060, proto);
	phone_open(&r->p1, &r->w, "ss1", "10.0.1.5", 5060, proto == TD_WS || proto == TD_WSS ? TD_TCP : proto);
	phone_password(&r->alice, "a");
	phone_password(&r->bob, "b");
}

static void rig_close(struct rig *r)
{
	phone_close(&r->alice);
	phone_close(&r->bob);
	phone_close(&r->p1);
	world_close(&r->w);
}

/* Bob is registered, Alice begins; her challenge, sent without state, is answered. What Bob got. */
static struct td_msg *alice_dials(struct rig *r, const char *extra, const char *sdp)
{
	struct td_msg *m;

	phone_register(&r->bob, "example.test");
	leg_new(&r->a, &r->alice, "example.test", "sip:bob@example.test");
	leg_send_proved(&r->a, "INVITE", extra, sdp);
	m = want_request(&r->bob, "INVITE");
	leg_of_request(&r->b, &r->bob, m);
	want_status(&r->alice, 100);
	return m;
}

static void answers(struct rig *r, const struct td_msg *invite)
{
	phone_answer(&r->bob, invite, 180, "", NULL);
	want_status(&r->alice, 180);
	leg_up(&r->a, &r->bob, invite);
}

/* ---- §2 ---- */

/* A REGISTER of Bob's with these lines; its answer, the challenge answered if there is one. */
static struct td_msg *registers(struct rig *r, const char *lines)
{
	struct td_msg *m = NULL;

	for (int again = 0; again < 2; again++) {
		unsigned id = ++r->w.serial;
		char addr[TD_ADDR_TEXT];
		struct td_out o;

		td_out_init(&o);
		td_out_fmt(
			&o,
			"REGISTER sip:example.test SIP/2.0\r\nVia: SIP/2.0/%s %s;rport;branch=z9hG4bK-%u\r\nMax-Forwards: 70\r\n"
			"From: <sip:bob@example.test>;tag=%u\r\nTo: <sip:bob@example.test>\r\nCall-ID: 1j9FpLxk3uxtm8tn\r\n"
			"CSeq: %u REGISTER\r\n%s",
			name_of(r->bob.proto), phone_host(addr, &r->bob), id, id, id, lines);
		assert_int_equal(td_auth_client_put(&o, r->bob.auth, TD_STR("REGISTER"), TD_STR("sip:example.test")), 0);
		td_out_z(&o, "Content-Length: 0\r\n\r\n");
		phone_send_bytes(&r->bob, td_out_view(&o));
		td_out_free(&o);
		m = maybe_status(&r->bob, 0, 5000);
		assert_non_null(m);
		if (m->status != 401 || td_auth_client_challenge(r->bob.auth, m, NULL))
			break;
	}
	return m;
}

static void f2_registration(struct rig *r)
{
	struct td_msg *m = registers(r, "Contact: <sip:bob@10.2.0.2>\r\n"); /* 2.1 */

	assert_int_equal(m->status, 200);
	assert_int_equal(header_count(m, TD_HDR_CONTACT), 1);
	assert_non_null(find(m, "<sip:bob@10.2.0.2>;"));
	m = registers(r, "Contact: <sip:bob@10.2.0.2:5070>\r\n"); /* 2.2 */
	assert_int_equal(m->status, 200);
	assert_int_equal(header_count(m, TD_HDR_CONTACT), 2);
	m = registers(r, ""); /* 2.3 */
	assert_int_equal(m->status, 200);
	assert_int_equal(header_count(m, TD_HDR_CONTACT), 2);
	m = registers(r, "Expires: 0\r\nContact: *\r\n"); /* 2.4 */
	assert_int_equal(m->status, 200);
	assert_int_equal(header_count(m, TD_HDR_CONTACT), 0);
}

static void f2_5_unsuccessful(struct rig *r)
{
	td_auth_client_close(r->bob.auth);
	r->bob.auth = NULL;
	phone_password(&r->bob, "wrong");
	assert_int_equal(registers(r, "Contact: <sip:bob@10.2.0.2>\r\n")->status, 401);
}

/* ---- §3 ---- */

static void f3_1_session(struct rig *r)
{
	answers(r, alice_dials(r, NULL, SDP));
	leg_hang_up(&r->b, &r->alice);
}

static const char *by(const struct phone *p)
{
	return td_proto_param(p->proto).n ? td_proto_param(p->proto).p : "";
}

/* What Proxy 1 sends on for Alice: its Via and Record-Route on top. */
static void p1_forwards(struct rig *r, const char *method, const char *uri, const char *lines, const char *sdp)
{
	bool dialog = !strcmp(method, "INVITE");
	char rr[80] = "";

	if (dialog)
		snprintf(rr, sizeof(rr), "Record-Route: <sip:10.0.1.5:5060%s;lr>\n", by(&r->p1));
	phone_send(
		&r->p1,
		"%s %s SIP/2.0\nVia: SIP/2.0/%s 10.0.1.5:5060;rport;branch=z9hG4bK2d4790-%s\n"
		"Via: SIP/2.0/%s client.atlanta.example.com:5060;branch=z9hG4bK74b43;received=192.0.2.101\n%sMax-Forwards: 69\n"
		"From: Alice <sip:alice@example.test>;tag=9fxced76sl\nCall-ID: 2xTb9vxSit55XU7p8@atlanta\n"
		"CSeq: 1 %s\nContact: <sip:alice@client.atlanta.example.com>\n%s%sContent-Length: %zu\n\n%s",
		method, uri, name_of(r->p1.proto), method, name_of(r->p1.proto), rr, method, lines,
		sdp ? "Content-Type: application/sdp\n" : "", sdp ? strlen(sdp) : 0, sdp ? sdp : "");
}

/* The route set from where Proxy 1 stands: us, for behind it is Bob's contact; and To. */
static void routes_of_p1(char *lines, size_t cap, const struct td_msg *m)
{
	char after[1000] = "To: Bob <sip:bob@example.test>;tag=bob\n";
	struct td_values it;
	struct td_str v;

	for (td_values_of(&it, m, TD_HDR_RECORD_ROUTE); td_values_next(&v, &it) == 1;) {
		if (td_str_starts(v, TD_STR("<sip:10.0.1.5")))
			break;
		assert_true(snprintf(lines, cap, "Route: %.*s\n%s", TD_FMT(v), after) < (int)cap);
		memcpy(after, lines, strlen(lines) + 1);
	}
}

/* Everything that Bob says comes back to Proxy 1, whose Via and Record-Route stand where they were. */
static void by_proxy_1(struct rig *r, const char *sdp)
{
	unsigned ours = r->bob.proto == r->p1.proto ? 1 : 2; /* one for each side where these differ (RFC 5658) */
	struct td_msg *invite, *m;
	char lines[1000], target[80];

	phone_register(&r->bob, "example.test");
	p1_forwards(r, "INVITE", "sip:bob@example.test", "To: Bob <sip:bob@example.test>\n", sdp);
	invite = want_request(&r->bob, "INVITE");
	assert_int_equal(header_count(invite, TD_HDR_VIA), 3);
	assert_int_equal(header_count(invite, TD_HDR_RECORD_ROUTE), 1 + ours);
	assert_non_null(find(invite, "branch=z9hG4bK74b43;received=192.0.2.101"));
	if (sdp)
		assert_str(invite->body, sdp);
	want_status(&r->p1, 100);
	phone_answer(&r->bob, invite, 180, "", NULL);
	m = want_status(&r->p1, 180);
	assert_int_equal(header_count(m, TD_HDR_VIA), 2);
	phone_answer(&r->bob, invite, 200, "", SDP);
	m = want_status(&r->p1, 200);
	assert_int_equal(header_count(m, TD_HDR_RECORD_ROUTE), 1 + ours);
	assert_str(m->body, SDP);
	leg_of_request(&r->b, &r->bob, invite);
	routes_of_p1(lines, sizeof(lines), m);
	snprintf(target, sizeof(target), "%.*s", (int)strcspn(contact_of(&r->bob) + 1, ">"), contact_of(&r->bob) + 1);
	p1_forwards(r, "ACK", target, lines, NULL);
	m = want_request(&r->bob, "ACK");
	assert_int_equal(header_count(m, TD_HDR_ROUTE), 0);
	assert_int_equal(header_count(m, TD_HDR_VIA), 3);
	leg_send(&r->b, "BYE", NULL, NULL); /* by us and Proxy 1 to Alice */
	m = want_request(&r->p1, "BYE");
	assert_int_equal(header_count(m, TD_HDR_ROUTE), 1);
	assert_non_null(strstr(header(m, "Route"), "<sip:10.0.1.5:5060"));
	assert_str(m->uri, "sip:alice@client.atlanta.example.com");
	phone_answer(&r->p1, m, 200, "", NULL);
	want_status(&r->bob, 200);
}

static void f3_2_two_proxies(struct rig *r)
{
	by_proxy_1(r, NULL);
}

/* Each proxy asks for a password of its own: we take out the one that is ours, the other passes (§22.3). */
static void f3_3_two_passwords(struct rig *r)
{
	static const char other[] =
		"Proxy-Authorization: Digest username=\"alice\", realm=\"atlanta.example.com\", nonce=\"wf84f1ce\", "
		"uri=\"sip:bob@example.test\", response=\"42ce3cef44b22f50c6a6071bc8\"\n";
	struct td_msg *m;

	phone_register(&r->bob, "example.test");
	leg_new(&r->a, &r->alice, "example.test", "sip:bob@example.test");
	leg_send_proved(&r->a, "INVITE", other, SDP);
	m = want_request(&r->bob, "INVITE");
	assert_null(find(m, "realm=\"example.test\""));
	assert_non_null(find(m, "realm=\"atlanta.example.com\""));
	leg_of_request(&r->b, &r->bob, m);
	answers(r, m);
	leg_hang_up(&r->a, &r->bob);
}

/* Proxy 1 does not answer, which is between Alice and it; then she tries us (from F8 on). */
static void f3_4_proxy_failure(struct rig *r)
{
	answers(r, alice_dials(r, NULL, SDP));
	leg_hang_up(&r->b, &r->alice);
}

/* An ALG in between puts its own addresses into the SDP and stays on the path, as a proxy does: the body passes as it is. */
static void f3_5_alg(struct rig *r)
{
	by_proxy_1(r, "v=0\r\no=alice 2890844526 2890844526 IN IP4 10.0.1.5\r\ns=-\r\nc=IN IP4 192.0.2.128\r\nt=0 0\r\n"
		      "m=audio 2000 RTP/AVP 0\r\n");
}

/* 302 from the redirect server; then an INVITE without SDP, whose 200 has the offer and whose ACK the answer. */
static void f3_6_redirect_and_sdp_in_ack(struct rig *r)
{
	struct td_msg *m;

	phone_register(&r->p1, "there.test"); /* "ss1" */
	leg_new(&r->a, &r->alice, "example.test", "sip:ss1@there.test");
	m = leg_do(&r->a, "INVITE", NULL, NULL);
	assert_int_equal(m->status, 302);
	assert_non_null(find(m, "Contact: <sip:ss1@10.0.1.5:5060"));
	phone_register(&r->bob, "example.test");
	leg_new(&r->a, &r->alice, "example.test", "sip:bob@example.test"); /* she has a nonce by now */
	leg_send(&r->a, "INVITE", NULL, NULL);
	m = want_request(&r->bob, "INVITE");
	assert_int_equal(m->body.n, 0);
	phone_answer(&r->bob, m, 180, "", NULL);
	want_status(&r->alice, 180);
	phone_answer(&r->bob, m, 200, "", SDP);
	m = want_status(&r->alice, 200);
	assert_str(m->body, SDP);
	leg_learn(&r->a, m);
	leg_send(&r->a, "ACK", NULL, SDP);
	assert_str(want_request(&r->bob, "ACK")->body, SDP);
	leg_hang_up(&r->a, &r->bob);
	world_run(&r->w, 40000); /* the 302 of before is not acknowledged here */
	phone_forget(&r->alice);
}

/* Bob's phone gets another address in mid-call and says so: the new Contact is where requests go from then on. */
static void f3_7_reinvite(struct rig *r)
{
	struct td_msg *m;

	answers(r, alice_dials(r, NULL, SDP));
	leg_send(&r->b, "INVITE", "X-New: address\n", SDP);
	m = want_request(&r->alice, "INVITE");
	assert_string_equal(header(m, "X-New"), "address");
	phone_answer(&r->alice, m, 200, "", SDP);
	want_status(&r->bob, 200);
	leg_send(&r->b, "ACK", NULL, NULL);
	want_request(&r->alice, "ACK");
	leg_hang_up(&r->a, &r->bob);
}

static void f3_8_no_answer(struct rig *r)
{
	struct td_msg *m = alice_dials(r, NULL, SDP);

	phone_answer(&r->bob, m, 180, "", NULL);
	want_status(&r->alice, 180);
	world_run(&r->w, 20000);
	leg_send(&r->a, "CANCEL", NULL, NULL);
	assert_int_equal(want_status(&r->alice, 200)->cseq.method, TD_CANCEL);
	phone_cancelled(&r->bob, m);
	want_status(&r->alice, 487);
}

static void refused(struct rig *r, unsigned status)
{
	phone_refuse(&r->bob, alice_dials(r, NULL, SDP), status); /* by us, hop by hop */
	want_status(&r->alice, status);
}

static void f3_9_busy(struct rig *r)
{
	refused(r, 486);
}

/* Bob's phone never says anything: 408 when our transaction gives up (Timer B). */
static void f3_10_no_response(struct rig *r)
{
	alice_dials(r, NULL, SDP);
	assert_non_null(maybe_status(&r->alice, 408, 40000));
	phone_forget(&r->bob);
}

static void f3_11_temporarily_unavailable(struct rig *r)
{
	refused(r, 480);
}

static void each(void (*flow)(struct rig *r))
{
	for (size_t i = 0; i < TD_ARRAY_LEN(transports); i++) {
		struct rig r;

		rig_open(&r, transports[i]);
		flow(&r);
		rig_close(&r);
	}
}

#define FLOW(name)                               \
	static void rfc3665_##name(void **state) \
	{                                        \
		each(name);                      \
	}

/* Proves RFC 3261 §10.3-14; RFC 7118 §7-1. */
FLOW(f2_registration)
FLOW(f2_5_unsuccessful)
FLOW(f3_1_session)
/* Proves RFC 3261 §16.6-4. */
FLOW(f3_2_two_proxies)
/* Proves RFC 3261 §22.3-1. */
FLOW(f3_3_two_passwords)
FLOW(f3_4_proxy_failure)
FLOW(f3_5_alg)
/* Proves RFC 3261 §13.2.1-3. */
FLOW(f3_6_redirect_and_sdp_in_ack)
/* Proves RFC 3261 §14.2-4. */
FLOW(f3_7_reinvite)
FLOW(f3_8_no_answer)
FLOW(f3_9_busy)
FLOW(f3_10_no_response)
FLOW(f3_11_temporarily_unavailable)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc3665_f2_registration),
		cmocka_unit_test(rfc3665_f2_5_unsuccessful),
		cmocka_unit_test(rfc3665_f3_1_session),
		cmocka_unit_test(rfc3665_f3_2_two_proxies),
		cmocka_unit_test(rfc3665_f3_3_two_passwords),
		cmocka_unit_test(rfc3665_f3_4_proxy_failure),
		cmocka_unit_test(rfc3665_f3_5_alg),
		cmocka_unit_test(rfc3665_f3_6_redirect_and_sdp_in_ack),
		cmocka_unit_test(rfc3665_f3_7_reinvite),
		cmocka_unit_test(rfc3665_f3_8_no_answer),
		cmocka_unit_test(rfc3665_f3_9_busy),
		cmocka_unit_test(rfc3665_f3_10_no_response),
		cmocka_unit_test(rfc3665_f3_11_temporarily_unavailable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
