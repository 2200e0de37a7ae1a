/* Single rules of the RFCs that no call flow and no attack brings about by itself; docs/conformance.md names them. */
#include "harness.h"

struct rig {
	struct world w;
	struct phone a, b, stranger;
	struct leg l;
};

static void rig_open(struct rig *r, enum td_proto pa, enum td_proto pb)
{
	memset(r, 0, sizeof(*r));
	world_open(&r->w, 8, 2, NULL);
	phone_open(&r->a, &r->w, "alice", "10.0.1.1", 5060, pa);
	phone_open(&r->b, &r->w, "bob", "10.0.1.2", 5060, pb);
	phone_open(&r->stranger, &r->w, "eve", "10.9.9.9", 5060, TD_UDP);
	phone_register(&r->b, "any.test");
}

static void rig_close(struct rig *r)
{
	phone_close(&r->a);
	phone_close(&r->b);
	phone_close(&r->stranger);
	world_close(&r->w);
}

static struct td_msg *rings(struct rig *r, const char *method, const char *extra)
{
	leg_new(&r->l, &r->a, "any.test", "sip:bob@any.test");
	leg_send(&r->l, method, extra, strcmp(method, "INVITE") ? NULL : SDP);
	return want_request(&r->b, method);
}

static struct td_msg *asks(struct phone *p, const char *method, const char *uri, const char *extra)
{
	struct leg l;

	leg_new(&l, p, "any.test", uri);
	leg_send(&l, method, extra, NULL);
	return maybe_status(p, 0, 2000);
}

/* Each hop has its own 100: the caller hears ours, once. */
/* Proves RFC 3261 §16.7-3. */
static void trying_of_the_callee_stays_here(void **state)
{
	struct td_msg *m;
	struct rig r;

	rig_open(&r, TD_UDP, TD_UDP);
	m = rings(&r, "INVITE", NULL);
	want_status(&r.a, 100);
	phone_answer(&r.b, m, 100, "X-Of: bob\n", NULL);
	assert_null(maybe_status(&r.a, 100, 1000));
	phone_answer(&r.b, m, 486, "", NULL);
	want_status(&r.a, 486);
	rig_close(&r);
}

/* What a proxy must know and we do not is named, and nothing else of what is asked for is our business. */
/* Proves RFC 3261 §16.3-5. */
static void extensions_a_proxy_must_know(void **state)
{
	struct td_msg *m;
	struct rig r;

	rig_open(&r, TD_UDP, TD_UDP);
	m = asks(&r.a, "MESSAGE", "sip:bob@any.test", "Proxy-Require: path, magic\nProxy-Require: more\nRequire: other\n");
	assert_int_equal(m->status, 420);
	assert_null(find(m, "other"));
	assert_non_null(find(m, "magic"));
	assert_non_null(find(m, "more"));
	want_silence(&r.b, 100);
	m = rings(&r, "MESSAGE", "Require: other\n"); /* the callee's to refuse */
	assert_string_equal(header(m, "Require"), "other");
	phone_answer(&r.b, m, 420, "Unsupported: other\n", NULL);
	assert_string_equal(header(want_status(&r.a, 420), "Unsupported"), "other");
	rig_close(&r);
}

/* From a datagram, which needs none, to a connection, where without it the next message would be the body's end. */
/* Proves RFC 3261 §16.6-8. */
static void length_is_added_to_requests_for_streams(void **state)
{
	struct td_msg *m;
	struct rig r;

	rig_open(&r, TD_UDP, TD_TCP);
	phone_send(&r.a, "MESSAGE sip:bob@any.test SIP/2.0\nVia: SIP/2.0/UDP 10.0.1.1:5060;branch=z9hG4bKcl\nMax-Forwards: 70\n"
			 "From: <sip:alice@any.test>;tag=1\nTo: <sip:bob@any.test>\nCall-ID: cl\nCSeq: 1 MESSAGE\n"
			 "Content-Type: text/plain\n\nhello");
	m = want_request(&r.b, "MESSAGE");
	assert_string_equal(header(m, "Content-Length"), "5");
	assert_str(m->body, "hello");
	phone_answer(&r.b, m, 200, "", NULL);
	want_status(&r.a, 200);
	rig_close(&r);
}

/* Neither can be sent again with credentials; and what a CANCEL requires is not asked. */
/* Proves RFC 3261 §8.2.2.3-2, §22.1-1. */
static void ack_and_cancel_are_not_challenged(void **state)
{
	static const char *const methods[] = { "CANCEL", "ACK" };
	struct td_msg *m;
	struct rig r;

	rig_open(&r, TD_UDP, TD_UDP);
	for (int i = 0; i < 2; i++) {
		phone_send(
			&r.stranger,
			"%s sip:bob@any.test SIP/2.0\nVia: SIP/2.0/UDP 10.9.9.9:5060;branch=z9hG4bKx%d\nMax-Forwards: 70\n"
			"From: <sip:eve@any.test>;tag=1\nTo: <sip:bob@any.test>\nCall-ID: nc\nCSeq: 1 %s\nContent-Length: 0\n\n",
			methods[i], i, methods[i]);
		m = maybe_status(&r.stranger, 0, 1000);
		assert_int_equal(m ? m->status : 0, i ? 0 : 481);
	}
	m = rings(&r, "INVITE", NULL);
	phone_answer(&r.b, m, 180, "", NULL);
	want_status(&r.a, 180);
	leg_send(&r.l, "CANCEL", "Require: magic\nProxy-Require: magic\n", NULL);
	assert_int_equal(want_status(&r.a, 200)->cseq.method, TD_CANCEL);
	want_request(&r.b, "CANCEL");
	phone_answer(&r.b, m, 487, "", NULL);
	want_status(&r.a, 487);
	rig_close(&r);
}

/* The server itself is asked: what it does, and what it does not. */
/* Proves RFC 3261 §8.2.1-1, §8.2.2.3-1, §11.2-1. */
static void methods_of_the_server(void **state)
{
	static const char *const methods[] = { "INVITE", "MESSAGE", "SUBSCRIBE", "FOO" };
	struct td_msg *m;
	struct rig r;

	rig_open(&r, TD_UDP, TD_UDP);
	for (size_t i = 0; i < TD_ARRAY_LEN(methods); i++) {
		m = asks(&r.a, methods[i], "sip:any.test", NULL);
		assert_int_equal(m->status, 405);
		assert_string_equal(header(m, "Allow"), "OPTIONS, REGISTER");
	}
	m = asks(&r.a, "OPTIONS", "sip:any.test", NULL);
	assert_int_equal(m->status, 200);
	assert_string_equal(header(m, "Allow"), "OPTIONS, REGISTER");
	assert_string_equal(header(m, "Accept"), "*/*");
	assert_non_null(strstr(header(m, "Supported"), "path"));
	assert_true(m->to_tag.n > 0);
	assert_int_equal(asks(&r.a, "OPTIONS", "sip:any.test", "Require: magic\n")->status, 420);
	rig_close(&r);
}

/* Who asks for an address must not be told the same address. */
/* Proves RFC 3261 §8.3-3. */
static void redirected_to_himself(void **state)
{
	struct td_msg *m;
	struct rig r;

	rig_open(&r, TD_UDP, TD_UDP);
	phone_register(&r.b, "there.test");
	r.b.contact = "<sip:BOB@There.Test>"; /* another user: names are told apart by case, hosts are not */
	phone_register(&r.b, "there.test");
	r.b.contact = "<sip:bob@There.Test>";
	phone_register(&r.b, "there.test");
	m = asks(&r.a, "MESSAGE", "sip:bob@there.test", NULL);
	assert_int_equal(m->status, 302);
	assert_int_equal(header_count(m, TD_HDR_CONTACT), 2);
	assert_null(find(m, "<sip:bob@There.Test>"));
	rig_close(&r);
}

/* A registration establishes no route: what is recorded on its way is ignored. */
/* Proves RFC 3261 §10.3-1. */
static void no_route_is_recorded_for_a_register(void **state)
{
	struct td_msg *m;
	struct rig r;

	rig_open(&r, TD_UDP, TD_UDP);
	m = asks(&r.b, "REGISTER", "sip:any.test", "Record-Route: <sip:10.0.1.77;lr>\nExpires: 600\n");
	assert_true(m->status == 404 || m->status == 200); /* To has no user here: 404 */
	assert_int_equal(header_count(m, TD_HDR_RECORD_ROUTE), 0);
	leg_new(&r.l, &r.b, "any.test", "sip:bob@any.test");
	snprintf(r.l.target, sizeof(r.l.target), "sip:any.test");
	m = leg_do(&r.l, "REGISTER", "Record-Route: <sip:10.0.1.77;lr>\nExpires: 600\n", NULL);
	assert_int_equal(m->status, 200);
	assert_int_equal(header_count(m, TD_HDR_RECORD_ROUTE), 0);
	m = rings(&r, "MESSAGE", NULL);
	assert_int_equal(header_count(m, TD_HDR_ROUTE), 0);
	phone_answer(&r.b, m, 200, "", NULL);
	want_status(&r.a, 200);
	rig_close(&r);
}

/* An answer to anything but an INVITE that comes when its transaction is over helps nobody. */
/* Proves RFC 4320 §4.2-2; RFC 6026 §7.3-1. */
static void late_answers_are_dropped(void **state)
{
	struct td_msg *m;
	struct rig r;

	rig_open(&r, TD_UDP, TD_UDP);
	m = rings(&r, "MESSAGE", NULL);
	assert_null(maybe_status(&r.a, 0, 40000));
	phone_answer(&r.b, m, 200, "", NULL);
	phone_forget(&r.b);
	assert_null(maybe_status(&r.a, 0, 1000));
	rig_close(&r);
}

/* Whoever asks for more breadth than anybody may have gets no more than anybody. */
/* Proves RFC 5393 §5.3.3-2. */
static void breadth_has_an_end(void **state)
{
	static const char *const wanted[] = { "Max-Breadth: 10000\n", "Max-Breadth: 61\n", "Max-Breadth: 7\n" };
	struct rig r;

	rig_open(&r, TD_UDP, TD_UDP);
	for (size_t i = 0; i < TD_ARRAY_LEN(wanted); i++) {
		struct td_msg *m = rings(&r, "MESSAGE", wanted[i]);
		long got = strtol(header(m, "Max-Breadth"), NULL, 10);

		assert_int_equal(header_count(m, TD_HDR_MAX_BREADTH), 1);
		assert_true(got >= 1 && got <= (i == 2 ? 7 : 60));
		phone_answer(&r.b, m, 200, "", NULL);
		want_status(&r.a, 200);
	}
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(trying_of_the_callee_stays_here),
		cmocka_unit_test(extensions_a_proxy_must_know),
		cmocka_unit_test(length_is_added_to_requests_for_streams),
		cmocka_unit_test(ack_and_cancel_are_not_challenged),
		cmocka_unit_test(methods_of_the_server),
		cmocka_unit_test(redirected_to_himself),
		cmocka_unit_test(no_route_is_recorded_for_a_register),
		cmocka_unit_test(late_answers_are_dropped),
		cmocka_unit_test(breadth_has_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
