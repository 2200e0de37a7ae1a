/* Calls as the server tracks them: what begins one, what ends one, and what does neither. */
#include "harness.h"

struct rig {
	struct world w;
	struct phone a, b;
};

static void rig_open(struct rig *r, const char *extra)
{
	world_open_with_store(&r->w, 3, workers_now, extra);
	phone_open(&r->a, &r->w, "alice", "10.0.1.1", 5060, TD_UDP);
	phone_open(&r->b, &r->w, "bob", "10.0.1.2", 5060, TD_UDP);
	phone_register(&r->b, "any.test");
}

/* Nothing is left, whatever the test did. */
static void rig_close(struct rig *r)
{
	phone_close(&r->a);
	phone_close(&r->b);
	world_run(&r->w, 40000);
	assert_int_equal(world_status(&r->w)->calls.open, 0);
	assert_int_equal(world_status(&r->w)->calls.users, 0);
	world_close(&r->w);
}

static void dial(struct leg *l, struct rig *r)
{
	leg_new(l, &r->a, "any.test", "sip:bob@any.test");
}

static unsigned open_now(struct rig *r)
{
	return (unsigned)world_status(&r->w)->calls.open;
}

struct record {
	char caller[64], callee[64], call_id[64], ended_by[16];
	struct td_store_call c;
	unsigned n; /* of all */
};

static int keep_record(void *arg, const struct td_store_call *c)
{
	struct record *k = arg;

	if (k->n++)
		return 0;
	k->c = *c;
	snprintf(k->caller, sizeof(k->caller), "%.*s", TD_FMT(c->caller));
	snprintf(k->callee, sizeof(k->callee), "%.*s", TD_FMT(c->callee));
	snprintf(k->call_id, sizeof(k->call_id), "%.*s", TD_FMT(c->call_id));
	snprintf(k->ended_by, sizeof(k->ended_by), "%.*s", TD_FMT(c->ended_by));
	return 0;
}

static struct record last_record(struct rig *r)
{
	struct record k = { .n = 0 };

	world_run(&r->w, 300); /* they are gathered for a moment */
	assert_int_equal(td_store_each_call(r->w.store, 0, keep_record, &k), 0);
	return k;
}

/* The newest of n records says this. */
static void want_record(struct rig *r, unsigned n, unsigned status, const char *ended_by)
{
	struct record k = last_record(r);

	assert_int_equal(k.n, n);
	assert_int_equal(k.c.status, status);
	assert_string_equal(k.ended_by, ended_by);
}

static void hang_up(struct leg *by, struct phone *other, unsigned status)
{
	leg_send(by, "BYE", NULL, NULL);
	phone_answer(other, want_request(other, "BYE"), status, "", NULL);
	want_status(by->p, status);
}

static void answered(void **state)
{
	struct leg caller, callee;
	struct rig r;

	rig_open(&r, NULL);
	for (int i = 0; i < 2; i++) {
		dial(&caller, &r);
		call_up(&caller, &callee, &r.b);
		assert_int_equal(open_now(&r), 1);
		if (i)
			hang_up(&callee, &r.a, 200);
		else
			hang_up(&caller, &r.b, 200);
		assert_int_equal(open_now(&r), 0);
		want_record(&r, i + 1, 200, i ? "callee" : "caller");
	}
	rig_close(&r);
}

static void records_get_old(void **state)
{
	static const struct {
		uint64_t after_ms;
		unsigned left;
	} rows[] = { { 0, 1 }, { 3500000, 2 }, { 3500000, 2 }, { 3700000, 1 } };
	struct leg caller, callee;
	struct rig r;

	rig_open(&r, "calls: {keep: 1h}\n");
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		world_run(&r.w, rows[i].after_ms);
		phone_register(&r.b, "any.test");
		dial(&caller, &r);
		call_up(&caller, &callee, &r.b);
		hang_up(&caller, &r.b, 200);
		want_record(&r, rows[i].left, 200, "caller");
	}
	rig_close(&r);
}

static void what_a_record_says(void **state)
{
	struct td_msg *invite;
	struct leg caller;
	struct record k;
	uint64_t wall_ms;
	struct rig r;

	rig_open(&r, NULL);
	world_user(&r.w, "carol", "secret");
	phone_close(&r.a); /* a caller who proves who she is */
	phone_open(&r.a, &r.w, "carol", "10.0.2.1", 5060, TD_UDP);
	phone_password(&r.a, "secret");
	leg_new(&caller, &r.a, "EXAMPLE.test", "sip:bob@any.test:5060;transport=udp");
	wall_ms = td_sim_wall_ms(r.w.sim);
	leg_send_proved(&caller, "INVITE", NULL, SDP);
	invite = want_request(&r.b, "INVITE");
	world_run(&r.w, 1000);
	phone_answer(&r.b, invite, 180, "", NULL);
	world_run(&r.w, 5000);
	leg_up(&caller, &r.b, invite);
	world_run(&r.w, 3600000);
	hang_up(&caller, &r.b, 200);
	k = last_record(&r);
	assert_int_equal(k.n, 1); /* none of what was only challenged */
	assert_string_equal(k.caller, "carol@example.test");
	assert_string_equal(k.callee, "bob@any.test");
	assert_string_equal(k.call_id, caller.call_id);
	assert_in_range(k.c.start_ms, wall_ms, wall_ms + 20);
	assert_in_range(k.c.ring_ms, k.c.start_ms + 1000, k.c.start_ms + 1020);
	assert_in_range(k.c.answer_ms, k.c.ring_ms + 5000, k.c.ring_ms + 5020);
	assert_in_range(k.c.end_ms, k.c.answer_ms + 3600000, k.c.answer_ms + 3600020);
	assert_true(k.c.id != 0);
	assert_int_equal(world_status(&r.w)->calls.recorded, 1);
	rig_close(&r);
}

/* Established, it needs no transaction any more. */
static void it_outlives_its_transactions(void **state)
{
	struct leg caller, callee;
	struct rig r;

	rig_open(&r, NULL);
	dial(&caller, &r);
	call_up(&caller, &callee, &r.b);
	world_run(&r.w, 60000);
	world_assert_idle(&r.w);
	assert_int_equal(open_now(&r), 1);
	hang_up(&callee, &r.a, 200);
	assert_int_equal(open_now(&r), 0);
	rig_close(&r);
}

static void failed(void **state)
{
	struct leg l;
	struct rig r;

	rig_open(&r, NULL);
	dial(&l, &r);
	leg_send(&l, "INVITE", NULL, SDP);
	phone_answer(&r.b, want_request(&r.b, "INVITE"), 486, "", NULL);
	want_status(&r.a, 486);
	assert_int_equal(open_now(&r), 0);
	want_record(&r, 1, 486, "callee");
	assert_int_equal(last_record(&r).c.answer_ms, 0);
	leg_new(&l, &r.a, "any.test", "sip:nobody@any.test");
	leg_send(&l, "INVITE", NULL, SDP);
	want_status(&r.a, 480);
	assert_int_equal(open_now(&r), 0);
	want_record(&r, 2, 480, "server");
	assert_int_equal(last_record(&r).c.ring_ms, 0);
	rig_close(&r);
}

static void cancelled(void **state)
{
	struct td_msg *invite;
	struct leg l;
	struct rig r;

	rig_open(&r, NULL);
	dial(&l, &r);
	leg_send(&l, "INVITE", NULL, SDP);
	invite = want_request(&r.b, "INVITE");
	phone_answer(&r.b, invite, 180, "", NULL);
	want_status(&r.a, 180);
	assert_int_equal(open_now(&r), 1);
	leg_send(&l, "CANCEL", NULL, NULL);
	want_status(&r.a, 200);
	phone_answer(&r.b, want_request(&r.b, "CANCEL"), 200, "", NULL);
	assert_int_equal(open_now(&r), 1);
	phone_answer(&r.b, invite, 487, "", NULL);
	want_status(&r.a, 487);
	assert_int_equal(open_now(&r), 0);
	want_record(&r, 1, 487, "caller");
	rig_close(&r);
}

static void nobody_answers(void **state)
{
	struct leg l;
	struct rig r;

	rig_open(&r, NULL);
	dial(&l, &r);
	td_net_unplug(r.b.net, true);
	leg_send(&l, "INVITE", NULL, SDP);
	want_status(&r.a, 100);
	assert_int_equal(open_now(&r), 1);
	want_status(&r.a, 408);
	assert_int_equal(open_now(&r), 0);
	want_record(&r, 1, 408, "server");
	rig_close(&r);
}

/* Both phones were answered: two dialogs, one call, over with the second BYE. */
static void fork_with_two_answers(void **state)
{
	struct leg one, two;
	struct td_msg *invite[2];
	struct phone b2;
	struct rig r;

	rig_open(&r, NULL);
	phone_open(&b2, &r.w, "bob", "10.0.1.3", 5060, TD_UDP);
	phone_register(&b2, "any.test");
	b2.user = "bobs-other-phone"; /* its tag */
	dial(&one, &r);
	leg_send(&one, "INVITE", NULL, SDP);
	invite[0] = want_request(&r.b, "INVITE");
	invite[1] = want_request(&b2, "INVITE");
	phone_answer(&r.b, invite[0], 200, "", SDP);
	phone_answer(&b2, invite[1], 200, "", SDP);
	two = one;
	leg_learn(&one, want_status(&r.a, 200));
	leg_learn(&two, want_status(&r.a, 200));
	leg_send(&one, "ACK", NULL, NULL);
	leg_send(&two, "ACK", NULL, NULL);
	assert_int_equal(open_now(&r), 1);
	for (int i = 0; i < 2; i++) {
		struct leg *l = i ? &one : &two;

		assert_int_equal(open_now(&r), 1);
		hang_up(l, strstr(l->remote, "other") ? &b2 : &r.b, 200);
	}
	assert_int_equal(open_now(&r), 0);
	want_record(&r, 1, 200, "caller");
	phone_close(&b2);
	rig_close(&r);
}

/* The other side has forgotten the call, or is not there at all (RFC 3261 §15.1.1). */
/* Proves RFC 3261 §15.1.1-1. */
static void bye_into_the_void(void **state)
{
	struct leg caller, callee;
	struct rig r;

	rig_open(&r, NULL);
	dial(&caller, &r);
	call_up(&caller, &callee, &r.b);
	hang_up(&caller, &r.b, 481);
	assert_int_equal(open_now(&r), 0);

	dial(&caller, &r);
	call_up(&caller, &callee, &r.b);
	td_net_unplug(r.b.net, true);
	leg_send(&caller, "BYE", NULL, NULL);
	assert_null(maybe_status(&r.a, 0, 31000));
	assert_int_equal(open_now(&r), 1);
	world_run(&r.w, 2000); /* timer F */
	assert_int_equal(open_now(&r), 0);
	want_record(&r, 2, 200, "caller");
	rig_close(&r);
}

/* Lost on its way here, the next one ends it. */
static void bye_after_a_lost_one(void **state)
{
	struct leg caller, callee;
	struct rig r;

	rig_open(&r, NULL);
	dial(&caller, &r);
	call_up(&caller, &callee, &r.b);
	world_rules(&r.w, 1.0, 0, 0);
	leg_send(&caller, "BYE", NULL, NULL);
	world_run(&r.w, 1000);
	world_rules(&r.w, 0, 0, 0);
	assert_int_equal(open_now(&r), 1);
	hang_up(&caller, &r.b, 200);
	assert_int_equal(open_now(&r), 0);
	rig_close(&r);
}

/* Refused, it changed nothing. */
static void bye_refused(void **state)
{
	static const unsigned refusals[] = { 401, 407, 400, 403, 500, 491 };
	struct leg caller, callee;
	struct rig r;

	rig_open(&r, NULL);
	dial(&caller, &r);
	call_up(&caller, &callee, &r.b);
	for (size_t i = 0; i < TD_ARRAY_LEN(refusals); i++) {
		hang_up(&caller, &r.b, refusals[i]);
		assert_int_equal(open_now(&r), 1);
	}
	hang_up(&caller, &r.b, 200);
	rig_close(&r);
}

/*
 * Mallory has an account, and has learnt Call-ID and tags. Without our cookie, his BYE to a phone of his own that says 200 to
 * everything ends no call of others; nor does one with a cookie of another dialog.
 */
static void d3_forged_bye(void **state)
{
	struct leg caller, callee, forged, own;
	struct phone mallory;
	struct rig r;

	rig_open(&r, NULL);
	world_user(&r.w, "mallory", "secret");
	phone_open(&mallory, &r.w, "mallory", "10.0.2.9", 5060, TD_UDP);
	phone_password(&mallory, "secret");
	phone_register(&mallory, "example.test");
	dial(&caller, &r);
	call_up(&caller, &callee, &r.b);

	leg_new(&forged, &mallory, "example.test", "sip:mallory@example.test");
	memcpy(forged.call_id, caller.call_id, sizeof(forged.call_id));
	snprintf(forged.local, sizeof(forged.local), "<sip:mallory@example.test>%s", strchr(caller.local, ';'));
	snprintf(forged.remote, sizeof(forged.remote), "%s", caller.remote);
	leg_send(&forged, "BYE", NULL, NULL);
	assert_int_equal(td_auth_client_challenge(mallory.auth, want_status(&mallory, 407), NULL), 0);
	leg_hang_up(&forged, &mallory);
	assert_int_equal(open_now(&r), 1);

	leg_new(&own, &mallory, "example.test", "sip:mallory@example.test");
	call_up(&own, &callee, &mallory);
	assert_int_equal(open_now(&r), 2);
	memcpy(forged.routes, own.routes, sizeof(forged.routes)); /* a cookie, of the wrong dialog */
	snprintf(forged.target, sizeof(forged.target), "sip:mallory@10.0.2.9:5060");
	leg_send(&forged, "BYE", NULL, NULL);
	assert_int_equal(maybe_status(&mallory, 0, 2000)->status, 403);
	assert_int_equal(open_now(&r), 2);
	hang_up(&own, &mallory, 200);
	assert_int_equal(open_now(&r), 1);
	hang_up(&caller, &r.b, 200);
	phone_close(&mallory);
	rig_close(&r);
}

static void requests_between(void **state)
{
	static const char *const methods[] = { "UPDATE", "INFO", "REFER", "NOTIFY", "PRACK", "WHATEVER" };
	struct leg caller, callee;
	struct rig r;

	rig_open(&r, NULL);
	dial(&caller, &r);
	call_up(&caller, &callee, &r.b);
	leg_send(&callee, "INVITE", NULL, SDP);
	phone_answer(&r.a, want_request(&r.a, "INVITE"), 200, "", SDP);
	want_status(&r.b, 200);
	leg_send(&callee, "ACK", NULL, NULL);
	want_request(&r.a, "ACK");
	leg_send(&caller, "INVITE", NULL, SDP);
	phone_answer(&r.b, want_request(&r.b, "INVITE"), 488, "", NULL);
	want_status(&r.a, 488);
	for (size_t i = 0; i < TD_ARRAY_LEN(methods); i++) {
		leg_send(&caller, methods[i], NULL, NULL);
		phone_answer(&r.b, want_request(&r.b, methods[i]), 481, "", NULL);
		want_status(&r.a, 481);
	}
	assert_int_equal(open_now(&r), 1);
	hang_up(&caller, &r.b, 200);
	assert_int_equal(open_now(&r), 0);
	rig_close(&r);
}

/* sipp's built-in caller sends ACK and BYE without Route: from a trusted source that is good enough. */
static void a_trusted_bye_without_routes(void **state)
{
	struct leg caller;
	struct td_msg *m;
	struct rig r;

	rig_open(&r, NULL);
	dial(&caller, &r);
	leg_send(&caller, "INVITE", NULL, SDP);
	phone_answer(&r.b, want_request(&r.b, "INVITE"), 200, "", SDP);
	m = want_status(&r.a, 200);
	snprintf(caller.remote, sizeof(caller.remote), "%.*s", TD_FMT(m->to.text));
	leg_send(&caller, "ACK", NULL, NULL);
	want_request(&r.b, "ACK");
	hang_up(&caller, &r.b, 200);
	assert_int_equal(open_now(&r), 0);
	rig_close(&r);
}

static void longest(void **state)
{
	struct leg caller, callee;
	struct rig r;

	rig_open(&r, "calls: {longest: 10m}\n");
	dial(&caller, &r);
	call_up(&caller, &callee, &r.b);
	world_run(&r.w, 598000);
	assert_int_equal(open_now(&r), 1);
	world_run(&r.w, 3000);
	assert_int_equal(open_now(&r), 0);
	want_record(&r, 1, 200, "longest");
	hang_up(&caller, &r.b, 200); /* they could talk on, and hang up */
	want_record(&r, 1, 200, "longest");
	rig_close(&r);
}

static void switched_off(void **state)
{
	struct leg caller, callee;
	struct rig r;

	rig_open(&r, "calls: {track: no}\n");
	dial(&caller, &r);
	call_up(&caller, &callee, &r.b);
	assert_int_equal(open_now(&r), 0);
	hang_up(&caller, &r.b, 200);
	assert_int_equal(last_record(&r).n, 0);
	rig_close(&r);

	rig_open(&r, "calls: {records: no}\n");
	dial(&caller, &r);
	call_up(&caller, &callee, &r.b);
	assert_int_equal(open_now(&r), 1);
	hang_up(&caller, &r.b, 200);
	assert_int_equal(last_record(&r).n, 0);
	rig_close(&r);
}

/* ---- limits ---- */

/* Rings at bob's, and is answered. */
static void answer_next(struct rig *r, struct leg *caller)
{
	leg_up(caller, &r->b, want_request(&r->b, "INVITE"));
}

static void limit_of_caller_and_callee(void **state)
{
	struct leg one, two, three;
	struct phone carol;
	struct td_msg *m;
	struct rig r;

	rig_open(&r, "calls: {per_user: 2}\n");
	phone_open(&carol, &r.w, "carol", "10.0.1.3", 5060, TD_UDP);
	dial(&one, &r);
	leg_send(&one, "INVITE", NULL, SDP);
	answer_next(&r, &one);
	dial(&two, &r);
	leg_send(&two, "INVITE", NULL, SDP);
	answer_next(&r, &two);
	assert_int_equal(world_status(&r.w)->calls.users, 2);

	dial(&three, &r); /* alice has two */
	m = leg_do(&three, "INVITE", NULL, SDP);
	assert_int_equal(m->status, 403);
	assert_str(m->reason, "Too Many Calls");
	want_record(&r, 1, 403, "server");
	leg_new(&three, &carol, "any.test", "sip:bob@any.test"); /* bob has two */
	assert_int_equal(leg_do(&three, "INVITE", NULL, SDP)->status, 486);
	want_record(&r, 2, 486, "server");
	assert_int_equal(world_status(&r.w)->calls.open, 2);
	assert_int_equal(world_status(&r.w)->calls.users, 2); /* carol has none */
	assert_int_equal(world_status(&r.w)->calls.caller_full, 1);
	assert_int_equal(world_status(&r.w)->calls.callee_full, 1);
	assert_null(maybe_request(&r.b, "INVITE", 100));

	hang_up(&one, &r.b, 200); /* there is room again */
	leg_new(&three, &carol, "any.test", "sip:bob@any.test");
	leg_send(&three, "INVITE", NULL, SDP);
	answer_next(&r, &three);
	hang_up(&three, &r.b, 200);
	hang_up(&two, &r.b, 200);
	phone_close(&carol);
	rig_close(&r);
}

/* Whoever calls himself has two. A caller of elsewhere is not counted: we do not know who he is. */
static void who_is_counted(void **state)
{
	struct leg l, other;
	struct rig r;

	rig_open(&r, "calls: {per_user: 1}\n");
	leg_new(&l, &r.b, "any.test", "sip:bob@any.test");
	assert_int_equal(leg_do(&l, "INVITE", NULL, SDP)->status, 486);
	leg_new(&l, &r.a, "far.test", "sip:bob@any.test");
	leg_send(&l, "INVITE", NULL, SDP);
	answer_next(&r, &l);
	leg_new(&other, &r.a, "far.test", "sip:nobody@any.test");
	assert_int_equal(leg_do(&other, "INVITE", NULL, SDP)->status, 480);
	hang_up(&l, &r.b, 200);
	rig_close(&r);
}

/* However a call ends, its places are free for the next. */
static void places_are_given_back(void **state)
{
	struct td_msg *invite;
	struct leg l;
	struct rig r;

	rig_open(&r, "calls: {per_user: 1, longest: 10m}\n");
	for (int i = 0; i < 5; i++) {
		dial(&l, &r);
		leg_send(&l, "INVITE", NULL, SDP);
		switch (i) {
		case 0: /* refused */
			phone_answer(&r.b, want_request(&r.b, "INVITE"), 486, "", NULL);
			want_status(&r.a, 486);
			break;
		case 1: /* cancelled */
			invite = want_request(&r.b, "INVITE");
			phone_answer(&r.b, invite, 180, "", NULL);
			want_status(&r.a, 180);
			leg_send(&l, "CANCEL", NULL, NULL);
			phone_answer(&r.b, invite, 487, "", NULL);
			want_status(&r.a, 487);
			break;
		case 2: /* cancelled at once, while its ticket is under way where there are several workers */
			leg_send(&l, "CANCEL", NULL, NULL);
			world_run(&r.w, 40000);
			assert_int_equal(maybe_status(&r.a, 487, 1)->cseq.method, TD_INVITE);
			phone_forget(&r.a);
			phone_forget(&r.b);
			break;
		case 3: /* never hung up */
			answer_next(&r, &l);
			world_run(&r.w, 601000);
			phone_register(&r.b, "any.test");
			break;
		default: answer_next(&r, &l); hang_up(&l, &r.b, 200);
		}
		assert_int_equal(world_status(&r.w)->calls.users, 0);
	}
	rig_close(&r);
}

enum { STORM = 60, AT_A_TIME = 5 };

/* Many at once, answered, refused, cancelled in every moment: never more than may be, and nothing is left. */
static void storm_with_a_limit(void **state)
{
	struct leg *l = calloc(STORM, sizeof(*l));
	unsigned invites = 0;
	struct td_msg *m;
	struct rig r;

	assert_non_null(l);
	rig_open(&r, "calls: {per_user: 5}\n");
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < STORM; i++) {
			dial(&l[i], &r);
			leg_send(&l[i], "INVITE", NULL, SDP);
			if (i % 4 == 1)
				leg_send(&l[i], "CANCEL", NULL, NULL);
			if (i % 8 == 2)
				world_run(&r.w, 1);
			if (i % 8 == 3)
				leg_send(&l[i - 1], "CANCEL", NULL, NULL);
		}
		invites = 0;
		while ((m = maybe_request(&r.b, "INVITE", 20))) {
			phone_answer(&r.b, m, 180, "", NULL);
			phone_answer(&r.b, m, 486, "", NULL);
			invites++;
		}
		assert_true(invites > 0);
		world_run(&r.w, 60000);
		assert_int_equal(world_status(&r.w)->calls.users, 0);
		assert_int_equal(world_status(&r.w)->calls.open, 0);
		phone_forget(&r.a);
		phone_forget(&r.b);
	}
	for (int i = 0; i < STORM; i++) { /* none is cancelled: as many as may be ring */
		dial(&l[i], &r);
		leg_send(&l[i], "INVITE", NULL, SDP);
	}
	for (invites = 0; (m = maybe_request(&r.b, "INVITE", 20)); invites++)
		phone_answer(&r.b, m, 180, "", NULL);
	assert_int_equal(invites, AT_A_TIME);
	assert_int_equal(world_status(&r.w)->calls.open, AT_A_TIME);
	world_run(&r.w, 300000); /* Timer C */
	free(l);
	rig_close(&r);
}

static void no_limit_costs_no_counting(void **state)
{
	struct leg l;
	struct rig r;

	rig_open(&r, NULL);
	dial(&l, &r);
	leg_send(&l, "INVITE", NULL, SDP);
	answer_next(&r, &l);
	assert_int_equal(world_status(&r.w)->calls.users, 0);
	hang_up(&l, &r.b, 200);
	rig_close(&r);
}

/* ---- listing ---- */

struct listing {
	unsigned n, ended;
	char seen[400][64];
};

static void on_listed(void *arg, const struct td_call_view *v)
{
	struct listing *l = arg;

	if (!v) {
		l->ended++;
		return;
	}
	assert_int_equal(l->ended, 0);
	assert_true(l->n < TD_ARRAY_LEN(l->seen));
	snprintf(l->seen[l->n++], sizeof(l->seen[0]), "%.*s", TD_FMT(v->call_id));
	assert_str(v->callee, "bob@any.test");
	assert_int_equal(v->state, TD_CALL_ANSWERED);
}

enum { MANY = 350 };

/* A few at a time, from every worker, each once; those that end meanwhile do not disturb it. */
static void listing(void **state)
{
	struct leg *caller = calloc(MANY, sizeof(*caller)), callee;
	struct listing *l = calloc(1, sizeof(*l));
	struct rig r;

	assert_non_null(caller);
	assert_non_null(l);
	rig_open(&r, NULL);
	for (int i = 0; i < MANY; i++) {
		dial(&caller[i], &r);
		call_up(&caller[i], &callee, &r.b);
	}
	assert_int_equal(td_calls_each(td_server_calls(r.w.server), r.w.peers, on_listed, l), 0);
	world_run(&r.w, 5);
	assert_int_equal(l->ended, 1);
	assert_int_equal(l->n, MANY);
	for (unsigned i = 0; i < l->n; i++)
		for (unsigned k = 0; k < i; k++)
			assert_string_not_equal(l->seen[i], l->seen[k]);
	memset(l, 0, sizeof(*l));
	for (int i = 0; i < MANY; i++) { /* all BYEs are on their way; the answers arrive while the list is made */
		leg_send(&caller[i], "BYE", NULL, NULL);
		phone_answer(&r.b, want_request(&r.b, "BYE"), 200, "", NULL);
		if (i == MANY / 2)
			assert_int_equal(td_calls_each(td_server_calls(r.w.server), r.w.peers, on_listed, l), 0);
	}
	world_run(&r.w, 1000);
	assert_int_equal(l->ended, 1);
	assert_int_equal(open_now(&r), 0);
	assert_int_equal(last_record(&r).n, MANY);
	assert_int_equal(td_calls_each(td_server_calls(r.w.server), r.w.peers, on_listed, l), 0);
	l->n = l->ended = 0;
	world_run(&r.w, 5);
	assert_int_equal(l->n, 0);
	assert_int_equal(l->ended, 1);
	free(caller);
	free(l);
	rig_close(&r);
}

static void calls_under_way_when_the_server_stops(void **state)
{
	struct leg caller, callee;
	struct rig r;

	rig_open(&r, NULL);
	dial(&caller, &r);
	call_up(&caller, &callee, &r.b);
	assert_int_equal(open_now(&r), 1);
	phone_close(&r.a);
	phone_close(&r.b);
	world_close(&r.w); /* nothing of it is leaked */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_get_old),
		cmocka_unit_test(answered),
		cmocka_unit_test(what_a_record_says),
		cmocka_unit_test(it_outlives_its_transactions),
		cmocka_unit_test(failed),
		cmocka_unit_test(cancelled),
		cmocka_unit_test(nobody_answers),
		cmocka_unit_test(fork_with_two_answers),
		cmocka_unit_test(bye_into_the_void),
		cmocka_unit_test(bye_after_a_lost_one),
		cmocka_unit_test(bye_refused),
		cmocka_unit_test(d3_forged_bye),
		cmocka_unit_test(requests_between),
		cmocka_unit_test(a_trusted_bye_without_routes),
		cmocka_unit_test(longest),
		cmocka_unit_test(switched_off),
		cmocka_unit_test(limit_of_caller_and_callee),
		cmocka_unit_test(who_is_counted),
		cmocka_unit_test(places_are_given_back),
		cmocka_unit_test(storm_with_a_limit),
		cmocka_unit_test(no_limit_costs_no_counting),
		cmocka_unit_test(listing),
		cmocka_unit_test(calls_under_way_when_the_server_stops),
	};

	return RUN_BY_WORKERS(tests);
}
