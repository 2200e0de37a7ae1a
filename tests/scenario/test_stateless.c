/*
 * A domain in mode stateless (§16.11): what a proxy that remembers nothing must still do alike for a request, its repetition,
 * its CANCEL and its ACK, and that nothing is kept. What it must not let pass is in test_stateless_strangers.c.
 */
#include "stateless.h"

/* ---- what passes ---- */

/* Proves RFC 3261 §16.11-1. */
static void message(void **state)
{
	struct td_server_status st;
	struct td_msg *m;
	struct leg l;
	struct rig r;

	stateless_open(&r, TD_UDP, TD_UDP);
	world_run(&r.w, 40000);
	dial(&l, &r.a);
	leg_send(&l, "MESSAGE", "Subject: hello\nMax-Breadth: 20\n", NULL);
	m = want_request(&r.b, "MESSAGE");
	assert_str(m->uri, "sip:bob@10.0.1.2:5060");
	assert_int_equal(m->max_forwards, 69);
	assert_string_equal(header(m, "Max-Breadth"), "20");
	assert_string_equal(header(m, "Subject"), "hello");
	assert_int_equal(header_count(m, TD_HDR_VIA), 2);
	assert_non_null(find(m, ";received=10.0.1.1")); /* RFC 3581, as in proxy mode */
	world_assert_idle(&r.w);
	phone_answer(&r.b, m, 200, "X-Mood: good\n", NULL);
	m = want_status(&r.a, 200);
	assert_int_equal(header_count(m, TD_HDR_VIA), 1);
	assert_str(m->via.branch, l.branch);
	assert_string_equal(header(m, "X-Mood"), "good");
	for (unsigned i = 0; i < r.a.n; i++)
		assert_true(r.a.inbox[i]->status >= 200); /* no 100 of ours */
	world_assert_idle(&r.w);
	st = *world_status(&r.w);
	assert_int_equal(st.count.forwarded, 1);
	assert_int_equal(st.count.strays, 0);
	want_silence(&r.b, 40000); /* and nothing is repeated by us */
	stateless_close(&r);
}

/* Every response comes through as it was sent: the provisional ones, several to one request, and those that refuse. */
/* Proves RFC 3261 §16.11-1, §16.11-5. */
static void all_responses_pass(void **state)
{
	static const unsigned statuses[] = { 100, 180, 183, 302, 404, 503, 603, 200, 200 };
	struct td_msg *m;
	struct leg l;
	struct rig r;

	stateless_open(&r, TD_UDP, TD_UDP);
	dial(&l, &r.a);
	leg_send(&l, "INVITE", NULL, SDP);
	m = want_request(&r.b, "INVITE");
	want_silence(&r.a, 300);
	for (size_t i = 0; i < TD_ARRAY_LEN(statuses); i++) {
		phone_answer(&r.b, m, statuses[i], "", NULL);
		want_status(&r.a, statuses[i]);
	}
	want_silence(&r.b, 1000);
	stateless_close(&r);
}

static void within(struct leg *by, struct phone *other, const char *method)
{
	struct td_msg *m;

	leg_send(by, method, NULL, NULL);
	m = want_request(other, method);
	assert_int_equal(header_count(m, TD_HDR_ROUTE), 0);
	phone_answer(other, m, 200, "", NULL);
	want_status(by->p, 200);
}

/* We stay on the path, so that phones that cannot reach each other hang up all the same. */
static void calls(void **state)
{
	static const enum td_proto protos[] = { TD_UDP, TD_TCP };

	for (int i = 0; i < 4; i++) {
		struct leg caller, callee;
		struct rig r;

		stateless_open(&r, protos[i & 1], protos[i >> 1]);
		world_run(&r.w, 40000); /* the registration's transaction */
		dial(&caller, &r.a);
		leg_through(&caller, &callee, &r.b);
		within(&caller, &r.b, "INFO");
		within(&callee, &r.a, "UPDATE");
		within(&caller, &r.b, "BYE");
		dial(&caller, &r.a);
		leg_through(&caller, &callee, &r.b);
		within(&callee, &r.a, "BYE");
		world_assert_idle(&r.w); /* at no time */
		want_silence(&r.a, 1000);
		want_silence(&r.b, 1000);
		stateless_close(&r);
	}
}

/* A caller behind NAT without rport, and one that says another port: the response goes where §18.2.2 says. */
/* Proves RFC 3261 §18.2.2-3. */
static void response_without_rport(void **state)
{
	struct phone other;
	struct rig r;

	stateless_open(&r, TD_UDP, TD_UDP);
	phone_open(&other, &r.w, "alice", "10.0.1.1", 5070, TD_UDP);
	phone_send(&r.a, "MESSAGE sip:bob@quick.test SIP/2.0\nVia: SIP/2.0/UDP 192.168.0.9:5070;branch=z9hG4bKnat\nFrom: "
			 "<sip:alice@quick.test>;tag=1\nTo: <sip:bob@quick.test>\nCall-ID: nat\nCSeq: 1 MESSAGE\n\n");
	phone_answer(&r.b, want_request(&r.b, "MESSAGE"), 200, "", NULL);
	want_status(&other, 200);
	want_silence(&r.a, 100);
	phone_close(&other);
	stateless_close(&r);
}

/* §20.14: on a stream a message without a length would swallow the next. */
static void length_is_added_for_streams(void **state)
{
	struct td_msg *m;
	struct leg l;
	struct rig r;

	stateless_open(&r, TD_TCP, TD_UDP);
	dial(&l, &r.a);
	leg_send(&l, "MESSAGE", NULL, NULL);
	m = want_request(&r.b, "MESSAGE");
	phone_send(&r.b,
		   "SIP/2.0 200 OK\nVia: %.*s, SIP/2.0/TCP 10.0.1.1:5060;rport=5060;branch=%s\nFrom: %.*s\nTo: %.*s;tag=b\n"
		   "Call-ID: %.*s\nCSeq: 1 MESSAGE\n\nbody",
		   TD_FMT(m->via.text), l.branch, TD_FMT(m->from.text), TD_FMT(m->to.text), TD_FMT(m->call_id));
	m = want_status(&r.a, 200);
	assert_str(m->body, "body");
	assert_string_equal(header(m, "Content-Length"), "4");
	assert_int_equal(header_count(m, TD_HDR_VIA), 1); /* taken out of a list */
	stateless_close(&r);
}

/* ---- the same branch, the same target ---- */

/* Proves RFC 3261 §16.11-2, §16.11-3. */
static void repetitions_look_alike(void **state)
{
	struct td_msg *first, *again;
	struct rig r;

	stateless_open(&r, TD_UDP, TD_UDP);
	send_as(&r.a, "INVITE", "z9hG4bKr", "Contact: <sip:alice@10.0.1.1>\n");
	first = want_request(&r.b, "INVITE");
	world_run(&r.w, 500);
	send_as(&r.a, "INVITE", "z9hG4bKr", "Contact: <sip:alice@10.0.1.1>\n");
	again = want_request(&r.b, "INVITE");
	assert_true(td_str_eq(first->bytes, again->bytes)); /* Record-Route and all */
	send_as(&r.a, "INVITE", "z9hG4bKs", "Contact: <sip:alice@10.0.1.1>\n");
	again = want_request(&r.b, "INVITE");
	assert_false(td_str_eq(first->via.branch, again->via.branch));
	stateless_close(&r);
}

/* Proves RFC 3261 §16.10-2, §16.11-4; RFC 3326 §2-1; RFC 5393 §4.2.1-1. */
static void cancel(void **state)
{
	struct td_msg *invite, *m;
	struct leg l;
	struct rig r;

	stateless_open(&r, TD_UDP, TD_UDP);
	dial(&l, &r.a);
	leg_send(&l, "INVITE", "Proxy-Require:\n", SDP);
	invite = want_request(&r.b, "INVITE");
	phone_answer(&r.b, invite, 180, "", NULL);
	want_status(&r.a, 180);
	leg_send(&l, "CANCEL", "Reason: SIP;cause=600;text=\"bored\"\n", NULL);
	m = want_request(&r.b, "CANCEL");
	assert_true(td_str_eq(m->via.branch, invite->via.branch));
	assert_true(td_str_eq(m->uri, invite->uri));
	assert_string_equal(header(m, "Reason"), "SIP;cause=600;text=\"bored\"");
	want_silence(&r.a, 200); /* bob answers it, not we */
	phone_answer(&r.b, m, 200, "", NULL);
	assert_int_equal(want_status(&r.a, 200)->cseq.method, TD_CANCEL);
	phone_answer(&r.b, invite, 487, "", NULL);
	m = want_status(&r.a, 487);
	leg_ack_refusal(&l, m);
	m = want_request(&r.b, "ACK");
	assert_true(td_str_eq(m->via.branch, invite->via.branch));
	stateless_close(&r);
}

/* Within a dialog the Route's cookie is what lets CANCEL and ACK pass. */
/* Proves RFC 3261 §16.11-4. */
static void cancel_of_a_re_invite(void **state)
{
	struct leg caller, callee;
	struct td_msg *invite, *m;
	struct rig r;

	stateless_open(&r, TD_UDP, TD_UDP);
	dial(&caller, &r.a);
	leg_through(&caller, &callee, &r.b);
	leg_send(&callee, "INVITE", NULL, SDP);
	invite = want_request(&r.a, "INVITE");
	phone_answer(&r.a, invite, 180, "", NULL);
	want_status(&r.b, 180);
	leg_send(&callee, "CANCEL", NULL, NULL);
	m = want_request(&r.a, "CANCEL");
	assert_true(td_str_eq(m->via.branch, invite->via.branch));
	phone_answer(&r.a, invite, 487, "", NULL);
	want_status(&r.b, 487);
	stateless_close(&r);
}

/* Elements older than RFC 3261: a branch without the cookie, the same for everything, or none at all. */
/* Proves RFC 3261 §16.11-3. */
static void without_a_magic_cookie(void **state)
{
	static const char *const branches[] = { "", "1", "z9hG4bK" };

	for (size_t i = 0; i < TD_ARRAY_LEN(branches); i++) {
		struct td_msg *invite, *m;
		struct rig r;

		stateless_open(&r, TD_UDP, TD_UDP);
		send_as(&r.a, "INVITE", branches[i], "");
		invite = want_request(&r.b, "INVITE");
		send_as(&r.a, "INVITE", branches[i], "");
		m = want_request(&r.b, "INVITE");
		assert_true(td_str_eq(m->via.branch, invite->via.branch));
		send_as(&r.a, "CANCEL", branches[i], "");
		m = want_request(&r.b, "CANCEL");
		assert_true(td_str_eq(m->via.branch, invite->via.branch));
		phone_answer(&r.b, invite, 486, "", NULL);
		want_status(&r.a, 486);
		phone_send(&r.a,
			   "INVITE sip:bob@quick.test SIP/2.0\nVia: SIP/2.0/UDP 10.0.1.1:5060;rport%s%s\nFrom: "
			   "<sip:alice@quick.test>;tag=1\nTo: <sip:bob@quick.test>\nCall-ID: another\nCSeq: 7 INVITE\n\n",
			   *branches[i] ? ";branch=" : "", branches[i]);
		m = want_request(&r.b, "INVITE");
		assert_false(td_str_eq(m->via.branch, invite->via.branch));
		stateless_close(&r);
	}
}

static void drop_connections(struct phone *p)
{
	while (p->conn_n)
		td_conn_close(p->conns[--p->conn_n]);
	p->conn = NULL;
	world_run(p->w, 100);
}

static void register_as(struct phone *p, const char *contact)
{
	char lines[200];

	snprintf(lines, sizeof(lines), "Contact: %s\nExpires: 600\n", contact);
	phone_registers(p, "sip:carol@quick.test", lines);
}

static struct phone *who_gets(struct rig *r, struct phone *one, struct phone *two)
{
	struct phone *got;
	struct leg l;

	leg_new(&l, &r->a, "quick.test", "sip:carol@quick.test");
	leg_send(&l, "MESSAGE", NULL, NULL);
	world_run(&r->w, 50);
	got = maybe_request(one, "MESSAGE", 1) ? one : two;
	if (got == two)
		want_request(two, "MESSAGE");
	want_silence(one, 1);
	want_silence(two, 1);
	return got;
}

/* One of an address' phones gets it: that of the highest q, of equals the one registered last. A refresh changes nothing. */
static void one_of_several(void **state)
{
	struct phone c, d, e;
	struct rig r;

	stateless_open(&r, TD_UDP, TD_UDP);
	phone_open(&e, &r.w, "e", "10.0.1.5", 5060, TD_TCP);
	phone_open(&c, &r.w, "c", "10.0.1.3", 5060, TD_UDP);
	phone_open(&d, &r.w, "d", "10.0.1.4", 5060, TD_UDP);
	register_as(&c, "<sip:carol@10.0.1.3>");
	register_as(&d, "<sip:carol@10.0.1.4>");
	assert_ptr_equal(who_gets(&r, &c, &d), &d);
	register_as(&c, "<sip:carol@10.0.1.3>");
	assert_ptr_equal(who_gets(&r, &c, &d), &d);
	register_as(&d, "<sip:carol@10.0.1.4>;q=0.5");
	assert_ptr_equal(who_gets(&r, &c, &d), &c);
	register_as(&c, "<sip:carol@10.0.1.3>;q=0.4");
	assert_ptr_equal(who_gets(&r, &c, &d), &d);
	register_as(&c, "<sip:carol@10.0.1.3>;q=0.5");
	register_as(&e, "<sip:carol@e.invalid;transport=tcp>;q=0.9");
	drop_connections(&e); /* it leads nowhere now: the next one */
	assert_ptr_equal(who_gets(&r, &c, &d), &d);
	phone_close(&e);
	phone_close(&c);
	phone_close(&d);
	stateless_close(&r);
}

/* Nobody repeats for the endpoints: they do, and it arrives; what arrives twice looks alike. */
static void lost_packets(void **state)
{
	struct td_msg *first = NULL, *m;
	unsigned done = 0;
	struct rig r;

	stateless_open(&r, TD_UDP, TD_UDP);
	world_rules(&r.w, 0.3, 0.2, 0.3);
	for (int n = 0; n < 20; n++) {
		char branch[32];
		bool answered = false;

		snprintf(branch, sizeof(branch), "z9hG4bKlost%d", n);
		first = NULL;
		for (int again = 0; again < 30 && !answered; again++) {
			send_as(&r.a, "MESSAGE", branch, "");
			while ((m = maybe_request(&r.b, "MESSAGE", 60))) {
				if (!find(m, branch))
					continue; /* a late one of before */
				if (first)
					assert_true(td_str_eq(first->via.branch, m->via.branch));
				first = m;
				phone_answer(&r.b, m, 200, "", NULL);
			}
			while ((m = maybe_status(&r.a, 200, 60)))
				answered |= td_str_eq(m->via.branch, td_str_of(branch));
		}
		done += answered;
	}
	assert_int_equal(done, 20);
	world_rules(&r.w, 0, 0, 0);
	stateless_close(&r);
}

/* ---- connections that are gone ---- */

/* §18.2.2: a new connection, to the port in sent-by. */
/* Proves RFC 3261 §18.2.2-2. */
static void caller_lost_its_connection(void **state)
{
	struct td_msg *m;
	struct leg l;
	struct rig r;

	stateless_open(&r, TD_TCP, TD_UDP);
	dial(&l, &r.a);
	leg_send(&l, "MESSAGE", NULL, NULL);
	m = want_request(&r.b, "MESSAGE");
	drop_connections(&r.a);
	phone_answer(&r.b, m, 200, "", NULL);
	want_status(&r.a, 200);
	assert_int_equal(r.a.conn_n, 1);
	stateless_close(&r);
}

/* The one it registered by; then the address its Contact names. On whatever worker it lived. */
/* Proves RFC 5923 §8.1-4. */
static void callee_lost_its_connection(void **state)
{
	struct rig r;

	stateless_open(&r, TD_UDP, TD_TCP);
	for (int i = 0; i < 6; i++) {
		struct leg l;

		if (i & 1)
			drop_connections(&r.b);
		dial(&l, &r.a);
		leg_send(&l, "MESSAGE", NULL, NULL);
		phone_answer(&r.b, want_request(&r.b, "MESSAGE"), 200, "", NULL);
		want_status(&r.a, 200);
	}
	stateless_close(&r);
}

/* ---- what we refuse, and answer ourselves ---- */

static unsigned refusal(struct rig *r, const char *method, const char *target, const char *extra)
{
	struct td_msg *m;
	struct leg l;

	dial(&l, &r->a);
	snprintf(l.target, sizeof(l.target), "%s", target);
	leg_send(&l, method, extra, NULL);
	m = maybe_status(&r->a, 0, 2000);
	assert_non_null(m);
	return m->status;
}

/* Proves RFC 3261 §16.3-5, §16.11-1; RFC 5393 §5.3.3-4. */
static void refusals(void **state)
{
	struct td_msg *m;
	struct leg l;
	struct rig r;

	stateless_open(&r, TD_UDP, TD_UDP);
	assert_int_equal(refusal(&r, "INVITE", "sip:nobody@quick.test", NULL), 480);
	assert_int_equal(refusal(&r, "INVITE", "sip:bob@quick.test", "Route: <sip:10.9.9.9;lr>\n"), 403);
	assert_int_equal(refusal(&r, "INVITE", "sip:bob@quick.test", "Proxy-Require: magic\n"), 420);
	assert_int_equal(refusal(&r, "INVITE", "sip:bob@quick.test", "Max-Breadth: 0\n"), 440);
	assert_int_equal(refusal(&r, "OPTIONS", "sip:quick.test", NULL), 200);
	phone_send(&r.a, "CANCEL sip:nobody@quick.test SIP/2.0\nVia: SIP/2.0/UDP 10.0.1.1:5060;branch=z9hG4bKnb\n"
			 "From: <sip:alice@quick.test>;tag=1\nTo: <sip:nobody@quick.test>\nCall-ID: nb\nCSeq: 1 CANCEL\n\n");
	want_status(&r.a, 481);
	phone_send(&r.a, "MESSAGE sip:bob@quick.test SIP/2.0\nVia: SIP/2.0/UDP 10.0.1.1:5060;branch=z9hG4bKmf\nMax-Forwards: 0\n"
			 "From: <sip:alice@quick.test>;tag=1\nTo: <sip:bob@quick.test>\nCall-ID: mf\nCSeq: 1 MESSAGE\n\n");
	want_status(&r.a, 483);
	/* the ACK for an answer of ours ends here */
	dial(&l, &r.a);
	leg_send(&l, "INVITE", "Max-Breadth: 0\n", SDP);
	m = want_status(&r.a, 440);
	leg_ack_refusal(&l, m);
	want_silence(&r.b, 1000);
	stateless_close(&r);
}

static void p13_larger_when_forwarded(void **state)
{
	static char fill[65100];
	struct rig r;

	stateless_open(&r, TD_UDP, TD_UDP);
	memset(fill, 'x', sizeof(fill) - 1);
	memcpy(fill, "X-A: ", 5);
	for (size_t i = 4000; i < sizeof(fill) - 10; i += 4000)
		memcpy(fill + i, "\nX-A: ", 6);
	fill[sizeof(fill) - 2] = '\n';
	send_as(&r.a, "MESSAGE", "z9hG4bKlong", fill);
	want_status(&r.a, 513);
	want_silence(&r.b, 100);
	stateless_close(&r);
}

/* What bob's phone sends back unchanged would go round for ever. */
/* Proves RFC 3261 §16.3-4; RFC 5393 §4.1-1. */
static void d2_loop(void **state)
{
	struct td_msg *m;
	struct leg l;
	struct rig r;

	stateless_open(&r, TD_UDP, TD_UDP);
	dial(&l, &r.a);
	leg_send(&l, "MESSAGE", NULL, NULL);
	m = want_request(&r.b, "MESSAGE");
	phone_send(&r.b, "MESSAGE sip:bob@quick.test SIP/2.0\nVia: SIP/2.0/UDP 10.0.1.2;branch=z9hG4bKp1\n%.*s",
		   (int)(m->bytes.n - (size_t)(find(m, "Via:") - m->bytes.p)), find(m, "Via:"));
	want_status(&r.b, 482);
	assert_int_equal(world_status(&r.w)->count.loops, 1);
	phone_send(&r.b, "MESSAGE sip:bob@quick.test SIP/2.0\n%.*s", /* as if we had sent it to ourselves */
		   (int)(m->bytes.n - (size_t)(find(m, "Via:") - m->bytes.p)), find(m, "Via:"));
	want_status(&r.b, 482);
	assert_int_equal(world_status(&r.w)->count.loops, 2);
	want_silence(&r.a, 100);
	stateless_close(&r);
}

/* ---- another mode by reload ---- */

static void mode_changes_while_a_call_is_up(void **state)
{
	struct td_config *cfg;
	struct leg caller, callee;
	struct td_out o;
	struct rig r;
	char *at;

	stateless_open(&r, TD_UDP, TD_UDP);
	dial(&caller, &r.a);
	leg_through(&caller, &callee, &r.b);
	td_out_init(&o);
	td_config_print(&o, r.w.cfg);
	td_out_char(&o, '\0');
	at = strstr(o.p, "mode: stateless");
	assert_non_null(at);
	memcpy(at, "mode: proxy    ", 15);
	o.n--;
	assert_int_equal(td_config_parse(&cfg, NULL, TD_STR("t"), td_out_view(&o)), 0);
	o.n = 0;
	assert_int_equal(td_server_reload(r.w.server, cfg, NULL, &o), 0);
	td_config_unref(cfg);
	td_out_free(&o);
	world_run(&r.w, 1);
	within(&callee, &r.a, "INFO"); /* the call goes on as it began */
	assert_null(maybe_status(&r.b, 100, 10));
	within(&caller, &r.b, "BYE");
	dial(&caller, &r.a);
	call_up(&caller, &callee, &r.b); /* with a 100 now */
	stateless_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(message),
		cmocka_unit_test(all_responses_pass),
		cmocka_unit_test(calls),
		cmocka_unit_test(response_without_rport),
		cmocka_unit_test(length_is_added_for_streams),
		cmocka_unit_test(repetitions_look_alike),
		cmocka_unit_test(cancel),
		cmocka_unit_test(cancel_of_a_re_invite),
		cmocka_unit_test(without_a_magic_cookie),
		cmocka_unit_test(one_of_several),
		cmocka_unit_test(lost_packets),
		cmocka_unit_test(caller_lost_its_connection),
		cmocka_unit_test(callee_lost_its_connection),
		cmocka_unit_test(refusals),
		cmocka_unit_test(p13_larger_when_forwarded),
		cmocka_unit_test(d2_loop),
		cmocka_unit_test(mode_changes_while_a_call_is_up),
	};

	return RUN_BY_WORKERS(tests);
}
