/* A server that is about to stop: what it still takes, and what it sends elsewhere. */
#include "harness.h"

struct rig {
	struct world w;
	struct phone a, b, c; /* c: not trusted */
};

static void rig_open(struct rig *r)
{
	world_open(&r->w, 5, workers_now, NULL);
	world_user(&r->w, "alice", "wonderland");
	world_user(&r->w, "bob", "builder");
	world_user(&r->w, "carol", "christmas");
	phone_open(&r->a, &r->w, "alice", "10.0.1.1", 5060, TD_UDP);
	phone_open(&r->b, &r->w, "bob", "10.0.1.2", 5060, TD_UDP);
	phone_open(&r->c, &r->w, "carol", "10.0.2.3", 5060, TD_UDP);
	phone_register(&r->b, "example.test");
}

static void rig_close(struct rig *r)
{
	phone_close(&r->a);
	phone_close(&r->b);
	phone_close(&r->c);
	world_close(&r->w);
}

/* 503, and when to come again. */
static unsigned want_turned_away(const struct td_msg *m)
{
	unsigned after = (unsigned)strtoul(header(m, "Retry-After"), NULL, 10);

	assert_int_equal(m->status, 503);
	assert_str(m->reason, "Draining");
	assert_in_range(after, 20, 39);
	return after;
}

static struct td_msg *ask(struct phone *p, const char *method, const char *to, const char *extra)
{
	struct leg l;

	leg_new(&l, p, "example.test", to);
	return leg_do(&l, method, extra, NULL);
}

static void nothing_new_begins(void **state)
{
	static const char *const methods[] = { "INVITE", "MESSAGE", "SUBSCRIBE", "OPTIONS", "PUBLISH" };
	unsigned first = 0, others = 0;
	struct rig r;

	rig_open(&r);
	td_server_drain(r.w.server, true);
	for (size_t i = 0; i < TD_ARRAY_LEN(methods); i++)
		want_turned_away(ask(&r.a, methods[i], "sip:bob@example.test", NULL));
	want_turned_away(ask(&r.a, "OPTIONS", "sip:example.test", NULL));    /* by which others look whether we serve */
	want_turned_away(ask(&r.c, "INVITE", "sip:bob@example.test", NULL)); /* nobody is asked first who he is */
	for (int i = 0; i < 20; i++) {                                       /* they do not all come again together */
		unsigned after = want_turned_away(ask(&r.a, "MESSAGE", "sip:bob@example.test", NULL));

		first = first ? first : after;
		others += after != first;
	}
	assert_true(others > 0);
	want_silence(&r.b, 1000);
	assert_int_equal(ask(&r.a, "INVITE", "sips:bob@example.test", NULL)->status, 416); /* what is wrong is told as ever */
	td_server_drain(r.w.server, false);
	assert_int_equal(ask(&r.a, "OPTIONS", "sip:example.test", NULL)->status, 200);
	rig_close(&r);
}

static void what_runs_goes_on(void **state)
{
	struct leg talks, callee, rings, cancelled;
	struct td_msg *invite, *m;
	struct rig r;

	rig_open(&r);
	leg_new(&talks, &r.a, "example.test", "sip:bob@example.test");
	call_up(&talks, &callee, &r.b);
	leg_new(&rings, &r.a, "example.test", "sip:bob@example.test");
	leg_send(&rings, "INVITE", NULL, SDP);
	invite = want_request(&r.b, "INVITE");
	leg_new(&cancelled, &r.a, "example.test", "sip:bob@example.test");
	leg_send(&cancelled, "INVITE", NULL, SDP);
	m = want_request(&r.b, "INVITE");
	phone_answer(&r.b, m, 180, "", NULL);
	want_status(&r.a, 180);
	td_server_drain(r.w.server, true);

	leg_send(&cancelled, "CANCEL", NULL, NULL);
	want_status(&r.a, 200);
	phone_answer(&r.b, want_request(&r.b, "CANCEL"), 200, "", NULL);
	phone_answer(&r.b, m, 487, "", NULL);
	want_status(&r.a, 487);

	phone_answer(&r.b, invite, 200, "", SDP); /* one that rang is answered */
	leg_learn(&rings, want_status(&r.a, 200));
	leg_send(&rings, "ACK", NULL, NULL);
	want_request(&r.b, "ACK");

	leg_send(&talks, "INVITE", NULL, SDP); /* one that runs is held and taken up */
	phone_answer(&r.b, want_request(&r.b, "INVITE"), 200, "", SDP);
	want_status(&r.a, 200);
	leg_send(&talks, "ACK", NULL, NULL);
	want_request(&r.b, "ACK");
	leg_send(&callee, "INFO", NULL, NULL);
	phone_answer(&r.a, want_request(&r.a, "INFO"), 200, "", NULL);
	want_status(&r.b, 200);
	assert_int_equal(world_status(&r.w)->calls.open, 2);

	leg_hang_up(&callee, &r.a);
	snprintf(rings.target, sizeof(rings.target), "sip:bob@example.test");
	rings.routes[0] = 0; /* a phone that forgets the Route: it is let in by who sent it, as ever */
	leg_send(&rings, "BYE", NULL, NULL);
	assert_int_not_equal(want_request(&r.b, "BYE")->to_tag.n, 0);
	world_run(&r.w, 40000);
	rig_close(&r);
}

static void invite_again(struct leg *l, const char *ip)
{
	phone_send(
		l->p,
		"INVITE %s SIP/2.0\nVia: SIP/2.0/UDP %s:5060;rport;branch=%s\nMax-Forwards: 70\nFrom: %s\nTo: %s\nCall-ID: %s\n"
		"CSeq: %u INVITE\nContent-Length: 0\n\n",
		l->target, ip, l->invite_branch, l->local, l->remote, l->call_id, l->invite_cseq);
}

/* What was forwarded without state and comes again, because its phone rings in silence, is nothing new: a refusal would end the call. */
static void forwarded_without_state(void **state)
{
	struct td_msg *invite, *again;
	struct leg first, second, trusted;
	struct rig r;

	rig_open(&r);
	phone_register(&r.b, "quick.test");
	phone_password(&r.c, "christmas");
	leg_new(&first, &r.c, "example.test", "sip:bob@quick.test");
	leg_send_proved(&first, "INVITE", NULL, SDP);
	invite = want_request(&r.b, "INVITE");
	leg_new(&trusted, &r.a, "example.test", "sip:bob@quick.test");
	leg_send(&trusted, "INVITE", NULL, SDP);
	want_request(&r.b, "INVITE");
	td_server_drain(r.w.server, true);
	invite_again(&first, "10.0.2.3");
	again = want_request(&r.b, "INVITE");
	assert_true(td_str_eq(again->via.branch, invite->via.branch));
	want_silence(&r.c, 100);
	leg_new(&second, &r.c, "example.test", "sip:bob@quick.test");
	leg_send(&second, "INVITE", NULL, SDP);
	want_turned_away(want_answer(&r.c));
	invite_again(&trusted, "10.0.1.1"); /* nothing is remembered of those who need not prove themselves */
	want_turned_away(want_answer(&r.a));
	want_silence(&r.b, 100);
	rig_close(&r);
}

/* A phone that is there stays: the state outlives the server. One that comes goes elsewhere. */
static void registrations(void **state)
{
	struct rig r;

	rig_open(&r);
	phone_password(&r.c, "christmas");
	phone_register(&r.c, "example.test");
	td_server_drain(r.w.server, true);
	phone_register(&r.b, "example.test");
	phone_register(&r.c, "example.test");
	want_turned_away(ask(&r.a, "REGISTER", "sip:alice@example.test", "Expires: 600\n"));
	r.b.contact = "<sip:bob@10.0.1.2:5062>"; /* another of one who is there */
	want_turned_away(ask(&r.b, "REGISTER", "sip:bob@example.test", "Expires: 600\n"));
	r.b.contact = NULL;
	assert_int_equal(world_status(&r.w)->location.contacts, 2);
	assert_int_equal(ask(&r.b, "REGISTER", "sip:bob@example.test", "Expires: 0\n")->status, 200); /* goodbye */
	assert_int_equal(world_status(&r.w)->location.contacts, 1);
	/* whether somebody is registered is told to nobody but himself */
	phone_close(&r.c);
	phone_open(&r.c, &r.w, "carol", "10.0.2.3", 5060, TD_UDP);
	assert_int_equal(ask(&r.c, "REGISTER", "sip:carol@example.test", "Expires: 600\n")->status, 401);
	assert_int_equal(ask(&r.c, "REGISTER", "sip:bob@example.test", "Expires: 600\n")->status, 401);
	td_server_drain(r.w.server, false);
	phone_register(&r.a, "example.test");
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_new_begins),
		cmocka_unit_test(what_runs_goes_on),
		cmocka_unit_test(forwarded_without_state),
		cmocka_unit_test(registrations),
	};

	return RUN_BY_WORKERS(tests);
}
