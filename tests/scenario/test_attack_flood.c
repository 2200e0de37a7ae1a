/* Peers that are slow, never read, or send far too much. The ids of the threat table begin the names. */
#include "attack.h"

/* ---- T1, T3: peers that are slow, at the whole server ---- */

static void t1_slow_peers_beside_a_call(void **state)
{
	enum { SLOW = 60 };
	struct phone *slow = calloc(SLOW, sizeof(*slow)), tcp;
	static const char drip[] = "REGISTER sip:example.test SIP/2.0\r\nVia: SIP/2.0/TCP 10.6.6.9;branch=z9hG4bKslow\r\nX: ";
	const struct td_server_status *st;
	struct leg caller, callee;
	unsigned closed = 0;
	struct rig r;

	assert_non_null(slow);
	attack_open(&r, 2, "limits: {connections_per_source: 20}\n");
	phone_open(&tcp, &r.w, "carol", "10.0.1.9", 5060, TD_TCP);
	phone_register(&tcp, "any.test");
	for (int i = 0; i < SLOW; i++)
		phone_open(&slow[i], &r.w, "slow", "10.6.6.9", (uint16_t)(6000 + i), TD_TCP);
	for (int step = 0; step < 12; step++) {
		for (int i = 0; i < SLOW; i++)
			if (step == 0 || !slow[i].closed)
				phone_send_bytes(&slow[i], td_str_n(&drip[step], 1));
		world_run(&r.w, 1000);
		st = world_status(&r.w);
		assert_true(st->tp.conns_accepted - st->tp.conns_closed <= 2 * 20 + 1);
		/* meanwhile, over UDP and over TCP */
		assert_int_equal(phone_ask(&r.a, "OPTIONS", "sip:example.test", NULL), 200);
		leg_new(&caller, &r.a, "any.test", "sip:carol@any.test");
		call_up(&caller, &callee, &tcp);
		leg_hang_up(&caller, &tcp);
	}
	for (int i = 0; i < SLOW; i++) {
		closed += slow[i].closed;
		phone_close(&slow[i]);
	}
	assert_int_equal(closed, SLOW);
	assert_false(tcp.closed);
	phone_close(&tcp);
	free(slow);
	attack_close(&r);
}

/* A registered phone that stops reading is given up; those who write to it get answers, others notice nothing. */
static void t3_phone_that_never_reads(void **state)
{
	char *body = calloc(1, 50001);
	struct phone deaf;
	unsigned unreachable = 0;
	struct rig r;

	assert_non_null(body);
	memset(body, 'x', 50000);
	attack_open(&r, 2, NULL);
	phone_open(&deaf, &r.w, "deaf", "10.0.1.9", 5060, TD_TCP);
	phone_register(&deaf, "any.test");
	td_net_unplug(deaf.net, true);
	for (int i = 0; i < 60; i++) {
		struct leg l;

		leg_new(&l, &r.a, "any.test", "sip:deaf@any.test");
		leg_send(&l, "MESSAGE", NULL, body);
		world_run(&r.w, 10);
		assert_int_equal(phone_ask(&r.b, "OPTIONS", "sip:example.test", NULL), 200);
	}
	world_run(&r.w, 100);
	for (unsigned i = 0; i < r.a.n; i++)
		unreachable += r.a.inbox[i]->status >= 480;
	assert_true(unreachable >= 20); /* 1 MiB waits for it; then its connection went, and with it all that waited */
	phone_forget(&r.a);
	free(body);
	td_net_unplug(deaf.net, false);
	phone_close(&deaf);
	attack_close(&r);
}

/* ---- P10, P12 ---- */

static void p10_flood_is_not_logged(void **state)
{
	static const struct td_str junk[] = { TD_STR_INIT("\x80\x00\x12\x34"), TD_STR_INIT("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
					      TD_STR_INIT("INVITE sip:x SIP/2.0\r\n\r\n"), TD_STR_INIT("SIP/2.0 200 OK\r\n\r\n"),
					      TD_STR_INIT("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx") };
	struct td_server_status before;
	const struct td_server_status *after;
	unsigned lines;
	struct rig r;

	attack_open(&r, 2, NULL);
	before = *world_status(&r.w);
	lines = r.w.log_lines;
	for (int i = 0; i < 2000; i++) {
		phone_send_bytes(&r.victim, junk[i % TD_ARRAY_LEN(junk)]);
		if (i % 100 == 0)
			world_run(&r.w, 100);
	}
	world_run(&r.w, 1000);
	after = world_status(&r.w);
	assert_true(r.w.log_lines - lines <= 5);
	assert_int_equal(after->tp.dropped_junk + after->tp.dropped_syntax + after->tp.refused_guard - before.tp.dropped_junk -
				 before.tp.dropped_syntax - before.tp.refused_guard,
			 2000);
	want_silence(&r.victim, 1000);
	attack_close(&r);
}

/* Whoever is trusted and sends what cannot be read learns why, but not as often as he likes; good requests are answered meanwhile. */
static void t7_broken_requests_of_a_trusted_source(void **state)
{
	unsigned told = 0, lines;
	struct rig r;

	attack_open(&r, 2, "limits: {rate: 20, burst: 30}\n");
	lines = r.w.log_lines;
	for (int i = 0; i < 500; i++) {
		phone_send(&r.a,
			   "OPTIONS sip:example.test SIP/2.0\nVia: SIP/2.0/UDP 10.0.1.1;rport;branch=z9hG4bK%d\nFrom: "
			   "<sip:alice@example.test>;tag=1\nTo: <sip:example.test>\nCall-ID: broken-%d\nCSeq: 1 "
			   "OPTIONS\nMax-Forwards: x\n\n",
			   i, i);
		if (i % 100 == 99)
			assert_int_equal(phone_ask(&r.b, "OPTIONS", "sip:example.test", NULL), 200);
	}
	world_run(&r.w, 100);
	for (unsigned i = 0; i < r.a.n; i++)
		told += r.a.inbox[i]->status == 400;
	assert_true(told >= 30);
	assert_true(told <= 2 * (30 + 20)); /* burst and refill of each of two workers */
	assert_int_equal(world_status(&r.w)->count.bad_requests, 500);
	assert_true(r.w.log_lines - lines <= 5);
	world_run(&r.w, 1000);
	phone_forget(&r.a);
	phone_send(&r.a,
		   "OPTIONS sip:example.test SIP/2.0\nVia: SIP/2.0/UDP 10.0.1.1;rport;branch=z9hG4bKlast\nFrom: "
		   "<sip:alice@example.test>;tag=1\nTo: <sip:example.test>\nCall-ID: last\nCSeq: 1 OPTIONS\nMax-Forwards: x\n\n");
	assert_str(want_status(&r.a, 400)->reason, "Malformed Max-Forwards");
	attack_close(&r);
}

/* Call-IDs found to fall on one worker of one server are spread over those of the next: its key is another (P12). */
static void p12_call_ids_do_not_choose_a_worker(void **state)
{
	unsigned owner[2][128];
	unsigned together = 0, n = 0;

	for (unsigned seed = 0; seed < 2; seed++) {
		struct phone a, b;
		struct world w;

		world_open(&w, 100 + seed, 4, NULL);
		phone_open(&a, &w, "alice", "10.0.1.1", 5060, TD_UDP);
		phone_open(&b, &w, "bob", "10.0.1.2", 5060, TD_UDP);
		phone_register(&b, "any.test");
		for (unsigned i = 0; i < 128; i++) {
			struct td_msg *m;
			struct leg l;

			leg_new(&l, &a, "any.test", "sip:bob@any.test");
			snprintf(l.call_id, sizeof(l.call_id), "call%u", i);
			leg_send(&l, "MESSAGE", NULL, NULL);
			m = want_request(&b, "MESSAGE");
			assert_int_equal(td_branch_owner(&owner[seed][i], m->via.branch), 0);
			phone_answer(&b, m, 200, "", NULL);
			want_status(&a, 200);
		}
		phone_close(&a);
		phone_close(&b);
		world_close(&w);
	}
	for (unsigned i = 0; i < 128; i++)
		if (owner[0][i] == owner[0][0]) {
			n++;
			together += owner[1][i] == owner[1][0];
		}
	assert_true(n >= 16 && n <= 64);
	assert_true(together < n * 3 / 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(t1_slow_peers_beside_a_call),
		cmocka_unit_test(t3_phone_that_never_reads),
		cmocka_unit_test(p10_flood_is_not_logged),
		cmocka_unit_test(t7_broken_requests_of_a_trusted_source),
		cmocka_unit_test(p12_call_ids_do_not_choose_a_worker),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
