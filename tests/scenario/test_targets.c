/* Who is tried, and when: bindings in groups by q, phones that register while it rings (§16.5, §16.6, §16.7 step 4). */
#include "harness.h"

enum { PHONES = 4 };

struct rig {
	struct world w;
	struct phone a, b[PHONES];
	struct leg l;
};

static void rig_open(struct rig *r)
{
	char ip[32];

	memset(r, 0, sizeof(*r));
	world_open(&r->w, 7, workers_now, NULL);
	phone_open(&r->a, &r->w, "alice", "10.0.1.1", 5060, TD_UDP);
	for (unsigned i = 0; i < PHONES; i++) {
		snprintf(ip, sizeof(ip), "10.0.1.%u", 10 + i);
		phone_open(&r->b[i], &r->w, "bob", ip, 5060, i == 2 ? TD_TCP : TD_UDP);
	}
}

static void rig_close(struct rig *r)
{
	phone_close(&r->a);
	for (unsigned i = 0; i < PHONES; i++)
		phone_close(&r->b[i]);
	world_close(&r->w);
}

/* q in thousandths. */
static void enroll(struct phone *p, const char *domain, unsigned q)
{
	char aor[64], line[200];

	snprintf(aor, sizeof(aor), "sip:bob@%s", domain);
	snprintf(line, sizeof(line), "Contact: %s;q=%u.%03u;expires=600\n", contact_of(p), q / 1000, q % 1000);
	phone_registers(p, aor, line);
}

static void dial(struct rig *r, const char *domain, const char *method)
{
	char to[64];

	snprintf(to, sizeof(to), "sip:bob@%s", domain);
	leg_new(&r->l, &r->a, domain, to);
	leg_send(&r->l, method, NULL, SDP);
}

static void nothing_for(struct rig *r, unsigned first, unsigned ms)
{
	for (unsigned i = first; i < PHONES; i++)
		want_silence(&r->b[i], i == first ? ms : 0);
}

/* Highest q first, equal ones together; the next group when all of one have refused, or have rung for ten seconds. */
static void groups_by_q(void **state)
{
	struct td_msg *i[PHONES];
	struct rig r;

	rig_open(&r);
	enroll(&r.b[0], "turn.test", 1000);
	enroll(&r.b[3], "turn.test", 100);
	enroll(&r.b[1], "turn.test", 500);
	enroll(&r.b[2], "turn.test", 500);
	dial(&r, "turn.test", "INVITE");
	i[0] = want_request(&r.b[0], "INVITE");
	phone_answer(&r.b[0], i[0], 180, "", NULL);
	nothing_for(&r, 1, 9000);
	phone_refuse(&r.b[0], i[0], 486);
	i[1] = want_request(&r.b[1], "INVITE");
	i[2] = want_request(&r.b[2], "INVITE");
	phone_answer(&r.b[1], i[1], 180, "", NULL);
	phone_answer(&r.b[2], i[2], 180, "", NULL);
	nothing_for(&r, 3, 9500);
	i[3] = want_request(&r.b[3], "INVITE"); /* they rang for ten seconds, not since the first one did */
	phone_cancelled(&r.b[1], i[1]);
	phone_cancelled(&r.b[2], i[2]);
	phone_answer(&r.b[3], i[3], 180, "", NULL);
	want_silence(&r.b[0], 60000); /* the last group rings on */
	leg_up(&r.l, &r.b[3], i[3]);
	rig_close(&r);
}

/* What the caller hears when all groups failed: the best of all; and he never hears the 487 of a phone that was given up. */
/* Proves RFC 3261 §16.7-5. */
static void best_of_all_groups(void **state)
{
	struct td_msg *one, *two;
	struct rig r;

	rig_open(&r);
	enroll(&r.b[0], "turn.test", 900);
	enroll(&r.b[1], "turn.test", 100);
	dial(&r, "turn.test", "INVITE");
	phone_answer(&r.b[0], want_request(&r.b[0], "INVITE"), 486, "", NULL);
	phone_answer(&r.b[1], want_request(&r.b[1], "INVITE"), 503, "", NULL);
	want_status(&r.a, 486);

	dial(&r, "turn.test", "INVITE");
	one = want_request(&r.b[0], "INVITE");
	phone_answer(&r.b[0], one, 180, "", NULL);
	two = want_request(&r.b[1], "INVITE");
	phone_cancelled(&r.b[0], one);
	phone_answer(&r.b[1], two, 503, "", NULL);
	want_status(&r.a, 408);

	dial(&r, "turn.test", "INVITE"); /* 6xx: nobody else is asked */
	phone_answer(&r.b[0], want_request(&r.b[0], "INVITE"), 603, "", NULL);
	want_status(&r.a, 603);
	want_request(&r.b[0], "ACK");
	nothing_for(&r, 2, 20000);

	dial(&r, "turn.test", "MESSAGE"); /* without ringing: the next when one refused */
	phone_answer(&r.b[0], want_request(&r.b[0], "MESSAGE"), 480, "", NULL);
	phone_answer(&r.b[1], want_request(&r.b[1], "MESSAGE"), 200, "", NULL);
	want_status(&r.a, 200);
	rig_close(&r);
}

/* The caller gives up during the second group; or the first group's phone answers as it is cancelled. */
/* Proves RFC 3326 §2-2. */
static void cancel_and_late_answer(void **state)
{
	struct td_msg *one, *two;
	struct rig r;

	rig_open(&r);
	enroll(&r.b[0], "turn.test", 900);
	enroll(&r.b[1], "turn.test", 100);
	dial(&r, "turn.test", "INVITE");
	phone_answer(&r.b[0], want_request(&r.b[0], "INVITE"), 486, "", NULL);
	two = want_request(&r.b[1], "INVITE");
	phone_answer(&r.b[1], two, 180, "", NULL);
	want_status(&r.a, 180);
	leg_send(&r.l, "CANCEL", NULL, NULL);
	phone_cancelled(&r.b[1], two);
	want_status(&r.a, 487);
	want_request(&r.b[0], "ACK");

	dial(&r, "turn.test", "INVITE");
	one = want_request(&r.b[0], "INVITE");
	phone_answer(&r.b[0], one, 180, "", NULL);
	two = want_request(&r.b[1], "INVITE");
	want_request(&r.b[0], "CANCEL");
	phone_answer(&r.b[0], one, 200, "", SDP);
	phone_forget(&r.a);
	leg_learn(&r.l, want_status(&r.a, 200));
	leg_send(&r.l, "ACK", NULL, NULL);
	want_request(&r.b[0], "ACK");
	phone_answer(&r.b[1], two, 180, "", NULL); /* from here on it can be cancelled */
	assert_string_equal(header(want_request(&r.b[1], "CANCEL"), "Reason"), "SIP;cause=200;text=\"Call completed elsewhere\"");
	phone_answer(&r.b[1], two, 487, "", NULL);
	rig_close(&r);
}

/* A single place of breadth is enough for one after another, if each has ended before the next begins (RFC 5393 §5.3.3.1). */
/* Proves RFC 5393 §5.3.3.1-1. */
static void one_at_a_time_by_breadth(void **state)
{
	struct td_msg *one;
	struct rig r;

	rig_open(&r);
	enroll(&r.b[0], "turn.test", 900);
	enroll(&r.b[1], "turn.test", 100);
	leg_new(&r.l, &r.a, "turn.test", "sip:bob@turn.test");
	leg_send(&r.l, "INVITE", "Max-Breadth: 1\n", SDP);
	one = want_request(&r.b[0], "INVITE");
	assert_string_equal(header(one, "Max-Breadth"), "1");
	phone_answer(&r.b[0], one, 180, "", NULL);
	phone_answer(&r.b[0], want_request(&r.b[0], "CANCEL"), 200, "", NULL);
	want_silence(&r.b[1], 3000);
	phone_answer(&r.b[0], one, 487, "", NULL);
	one = want_request(&r.b[1], "INVITE");
	assert_string_equal(header(one, "Max-Breadth"), "1");
	phone_answer(&r.b[1], one, 404, "", NULL);
	want_status(&r.a, 404);
	rig_close(&r);
}

/* A phone that registers while it rings, rings too; who rings already, or has refused, is not asked again. */
/* Proves RFC 3261 §16.5-3; RFC 5393 §5.3.3-1. */
static void late_phones(void **state)
{
	struct td_msg *one, *two, *three;
	struct rig r;

	rig_open(&r);
	phone_register(&r.b[0], "any.test");
	phone_register(&r.b[1], "any.test");
	dial(&r, "any.test", "INVITE");
	one = want_request(&r.b[0], "INVITE");
	assert_string_equal(header(one, "Max-Breadth"), "25");
	phone_answer(&r.b[0], one, 180, "", NULL);
	phone_refuse(&r.b[1], want_request(&r.b[1], "INVITE"), 486);
	phone_register(&r.b[2], "any.test"); /* at once, or later */
	phone_register(&r.b[0], "any.test");
	phone_register(&r.b[1], "any.test");
	two = want_request(&r.b[2], "INVITE");
	assert_true(strtol(header(two, "Max-Breadth"), NULL, 10) + 25 <= 60);
	assert_int_equal(header_count(two, TD_HDR_VIA), 2);
	assert_int_equal(two->max_forwards, 69);
	world_run(&r.w, 5000);
	phone_forget(&r.b[2]);
	phone_register(&r.b[3], "any.test");
	three = want_request(&r.b[3], "INVITE");
	want_silence(&r.b[0], 1000);
	want_silence(&r.b[1], 0);
	phone_answer(&r.b[2], two, 180, "", NULL);
	phone_answer(&r.b[3], three, 180, "", NULL);
	leg_up(&r.l, &r.b[2], two);
	phone_cancelled(&r.b[0], one);
	phone_cancelled(&r.b[3], three);
	phone_register(&r.b[1], "any.test"); /* and it is over: nobody rings any more */
	want_silence(&r.b[1], 1000);
	rig_close(&r);
}

/* In turn.test a late phone joins the group that rings when its q is as high, and waits for its turn when it is lower. */
static void late_phones_in_turn(void **state)
{
	struct td_msg *one, *two, *three;
	struct rig r;

	rig_open(&r);
	enroll(&r.b[0], "turn.test", 500);
	dial(&r, "turn.test", "INVITE");
	one = want_request(&r.b[0], "INVITE");
	phone_answer(&r.b[0], one, 180, "", NULL);
	enroll(&r.b[1], "turn.test", 900);
	two = want_request(&r.b[1], "INVITE");
	enroll(&r.b[2], "turn.test", 100);
	want_silence(&r.b[2], 20000);
	phone_answer(&r.b[0], one, 486, "", NULL);
	phone_answer(&r.b[1], two, 480, "", NULL);
	three = want_request(&r.b[2], "INVITE");
	phone_answer(&r.b[2], three, 486, "", NULL);
	want_status(&r.a, 486);
	rig_close(&r);
}

/* Is it the first INVITE of its branch? Nobody answers them, so they are sent again. */
static bool is_first(const struct phone *p, const struct td_msg *m)
{
	for (unsigned i = 0; i < p->n; i++)
		if (p->inbox[i]->request && td_str_eq(p->inbox[i]->via.branch, m->via.branch))
			return p->inbox[i] == m;
	return false;
}

/* D7: an address may not make a call ring in ever more places, nor a call hold what is being looked up. */
static void d7_late_phones_are_few(void **state)
{
	struct td_msg *one, *m;
	struct rig r;
	unsigned rang = 0;

	rig_open(&r);
	phone_register(&r.b[0], "any.test");
	dial(&r, "any.test", "INVITE");
	one = want_request(&r.b[0], "INVITE");
	phone_answer(&r.b[0], one, 180, "", NULL);
	world_run(&r.w, 2000);
	for (uint16_t i = 0; i < 40; i++) { /* other contacts of the same address, one after the other */
		phone_send(&r.b[1],
			   "REGISTER sip:any.test SIP/2.0\nVia: SIP/2.0/UDP 10.0.1.11:5060;rport;branch=z9hG4bK-l%u\n"
			   "Max-Forwards: 70\nFrom: <sip:bob@any.test>;tag=l\nTo: <sip:bob@any.test>\nCall-ID: late\n"
			   "CSeq: %u REGISTER\nContact: <sip:bob@10.0.1.11:5060;line=%u>;expires=600\n"
			   "Contact: <sip:bob@10.0.1.11:5060;line=%u>;expires=0\nContent-Length: 0\n\n",
			   i, i + 1, i, i - 1);
		want_status(&r.b[1], 200);
	}
	while ((m = maybe_request(&r.b[1], "INVITE", 100)))
		rang += is_first(&r.b[1], m);
	assert_int_equal(rang, 8);
	phone_answer(&r.b[0], one, 486, "", NULL);
	want_status(&r.a, 486);
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(groups_by_q),
		cmocka_unit_test(best_of_all_groups),
		cmocka_unit_test(cancel_and_late_answer),
		cmocka_unit_test(one_at_a_time_by_breadth),
		cmocka_unit_test(late_phones),
		cmocka_unit_test(late_phones_in_turn),
		cmocka_unit_test(d7_late_phones_are_few),
	};

	return RUN_BY_WORKERS(tests);
}
