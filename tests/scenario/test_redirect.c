/* A domain with mode: redirect: the server says where somebody is, and has no part in what follows (RFC 3261 §8.3). */
#include "harness.h"

struct rig {
	struct world w;
	struct phone a, b, c;
	struct leg l;
};

static void rig_open(struct rig *r)
{
	memset(r, 0, sizeof(*r));
	world_open(&r->w, 11, workers_now, NULL);
	phone_open(&r->a, &r->w, "alice", "10.0.1.1", 5060, TD_UDP);
	phone_open(&r->b, &r->w, "bob", "10.0.1.2", 5060, TD_UDP);
	phone_open(&r->c, &r->w, "bob", "10.0.1.3", 5060, TD_TCP);
}

static void rig_close(struct rig *r)
{
	phone_close(&r->a);
	phone_close(&r->b);
	phone_close(&r->c);
	world_close(&r->w);
}

static struct td_msg *asks(struct rig *r, const char *method, const char *to, const char *extra)
{
	leg_new(&r->l, &r->a, "there.test", to);
	leg_send(&r->l, method, extra, strcmp(method, "INVITE") ? NULL : SDP);
	return maybe_status(&r->a, 0, 5000);
}

/* Proves RFC 3261 §8.3-1, §8.3-2, §8.3-4, §8.3-5. */
static void says_where_he_is(void **state)
{
	static const char *const methods[] = { "INVITE", "MESSAGE", "SUBSCRIBE", "OPTIONS", "FOO" };
	struct td_msg *m;
	struct rig r;

	rig_open(&r);
	phone_register(&r.b, "there.test");
	phone_register(&r.c, "there.test");
	for (size_t i = 0; i < TD_ARRAY_LEN(methods); i++) {
		m = asks(&r, methods[i], "sip:bob@there.test", "Require: something-new\n"); /* "ignore features …" */
		assert_int_equal(m->status, 302);
		assert_int_equal(header_count(m, TD_HDR_CONTACT), 2);
		assert_non_null(find(m, "<sip:bob@10.0.1.2:5060>;q=1.000;expires="));
		assert_non_null(find(m, "<sip:bob@10.0.1.3:5060;transport=tcp>;q=1.000;expires="));
		assert_int_equal(header_count(m, TD_HDR_RECORD_ROUTE), 0);
		assert_true(m->to_tag.n > 0);
		if (i)
			continue;
		assert_non_null(maybe_status(&r.a, 302, 1000)); /* sent again: the same answer, from the transaction */
		leg_ack_refusal(&r.l, m);                       /* and its ACK ends it */
		world_run(&r.w, 100);
		phone_forget(&r.a);
		want_silence(&r.a, 20000);
	}
	want_silence(&r.b, 1000);
	want_silence(&r.c, 0);
	phone_forget(&r.a);
	rig_close(&r);
}

/* Proves RFC 3261 §8.3-1. */
static void nobody_there(void **state)
{
	struct td_msg *m;
	struct rig r;

	rig_open(&r);
	assert_int_equal(asks(&r, "INVITE", "sip:bob@there.test", NULL)->status, 480);
	phone_register(&r.b, "there.test");
	phone_send(&r.a, "ACK sip:bob@there.test SIP/2.0\nVia: SIP/2.0/UDP 10.0.1.1:5060;branch=z9hG4bK-stray\nMax-Forwards: 70\n"
			 "From: <sip:alice@there.test>;tag=1\nTo: <sip:bob@there.test>;tag=2\nCall-ID: stray\nCSeq: 1 ACK\n\n");
	world_run(&r.w, 40000);
	phone_forget(&r.a);
	want_silence(&r.b, 1000); /* no ACK passes */
	phone_registers(&r.b, "sip:bob@there.test", "Contact: *\nExpires: 0\n");
	assert_int_equal(asks(&r, "MESSAGE", "sip:bob@there.test", NULL)->status, 480);
	/* a contact that is the Request-URI itself would send the caller in a circle */
	phone_registers(&r.b, "sip:bob@there.test", "Contact: <sip:bob@there.test>;expires=600\n");
	assert_int_equal(asks(&r, "MESSAGE", "sip:bob@there.test", NULL)->status, 480);
	phone_registers(&r.b, "sip:bob@there.test", "Contact: <sip:bob@10.0.1.2>;q=0.25;expires=600\n");
	m = asks(&r, "MESSAGE", "sip:bob@there.test", NULL);
	assert_int_equal(m->status, 302);
	assert_int_equal(header_count(m, TD_HDR_CONTACT), 1);
	assert_non_null(find(m, "<sip:bob@10.0.1.2>;q=0.250;"));
	rig_close(&r);
}

/* Strangers get a challenge, not an address; with a password they do. */
static void a8_strangers_learn_nothing(void **state)
{
	struct phone m;
	struct rig r;

	rig_open(&r);
	phone_register(&r.b, "there.test");
	world_user(&r.w, "mallory", "secret");
	phone_open(&m, &r.w, "mallory", "10.9.9.9", 5060, TD_UDP);
	leg_new(&r.l, &m, "example.test", "sip:bob@there.test");
	leg_send(&r.l, "INVITE", NULL, SDP);
	assert_null(find(want_status(&m, 407), "10.0.1.2"));
	phone_password(&m, "secret");
	leg_new(&r.l, &m, "example.test", "sip:bob@there.test");
	assert_int_equal(leg_do(&r.l, "INVITE", NULL, SDP)->status, 302);
	world_run(&r.w, 40000);
	phone_close(&m);
	rig_close(&r);
}

/* While another worker is asked, and after the answer. */
/* Proves RFC 3261 §8.3-2. */
static void cancel(void **state)
{
	unsigned cancels = 0;
	struct td_msg *m;
	struct rig r;

	rig_open(&r);
	phone_register(&r.b, "there.test");
	leg_new(&r.l, &r.a, "there.test", "sip:bob@there.test");
	leg_send(&r.l, "INVITE", NULL, SDP);
	leg_send(&r.l, "CANCEL", NULL, NULL);
	for (int i = 0; i < 2; i++) { /* one for each of the two, whichever is first */
		m = maybe_status(&r.a, 0, 400);
		assert_non_null(m);
		cancels += m->cseq.method == TD_CANCEL;
		assert_true(m->cseq.method == TD_CANCEL ? m->status == 200 : m->status == 302 || m->status == 487);
		if (m->cseq.method == TD_INVITE)
			leg_ack_refusal(&r.l, m);
	}
	assert_int_equal(cancels, 1);
	want_silence(&r.a, 40000);
	want_silence(&r.b, 0);
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_where_he_is),
		cmocka_unit_test(nobody_there),
		cmocka_unit_test(a8_strangers_learn_nothing),
		cmocka_unit_test(cancel),
	};

	return RUN_BY_WORKERS(tests);
}
