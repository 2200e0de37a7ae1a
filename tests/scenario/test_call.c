/* Calls through the server, message by message: RFC 3665 §3 as a proxy sees it, forks, and what ends a call early. */
#include "harness.h"

struct rig {
	struct world w;
	struct phone a, b;
};

static void rig_open(struct rig *r, enum td_proto pa, enum td_proto pb)
{
	world_open(&r->w, 1, workers_now, NULL);
	phone_open(&r->a, &r->w, "alice", "10.0.1.1", 5060, pa);
	phone_open(&r->b, &r->w, "bob", "10.0.1.2", 5060, pb);
	phone_register(&r->b, "any.test");
}

static void rig_close(struct rig *r)
{
	phone_close(&r->a);
	phone_close(&r->b);
	world_close(&r->w);
}

static void dial(struct leg *l, struct rig *r)
{
	leg_new(l, &r->a, "any.test", "sip:bob@any.test");
}

/* ---- a plain call ---- */

static void call_both_ways(enum td_proto pa, enum td_proto pb)
{
	struct leg caller, callee;
	struct rig r;

	rig_open(&r, pa, pb);
	dial(&caller, &r);
	call_up(&caller, &callee, &r.b);
	leg_hang_up(&caller, &r.b);
	dial(&caller, &r);
	call_up(&caller, &callee, &r.b);
	leg_hang_up(&callee, &r.a); /* the callee's BYE finds its way too */
	want_silence(&r.a, 1000);
	want_silence(&r.b, 1000);
	rig_close(&r);
}

/* Proves RFC 3261 §16.5-2, §18.2.1-2. */
static void call_and_bye(void **state)
{
	static const enum td_proto protos[] = { TD_UDP, TD_TCP };

	for (int i = 0; i < 4; i++)
		call_both_ways(protos[i & 1], protos[i >> 1]);
}

/* What the callee sees, and what the caller sees of the callee (§16.6, §16.7). */
/* Proves RFC 3261 §16.3-1, §16.6-1, §16.6-2, §16.6-3, §16.6-4, §16.6-7, §16.7-2; RFC 5393 §5.3.3-1. */
static void what_is_edited(void **state)
{
	struct td_msg *m;
	struct leg l;
	struct rig r;

	rig_open(&r, TD_UDP, TD_UDP);
	dial(&l, &r);
	leg_send(&l, "INVITE", "Subject: a, b\nX-Unknown: \"quoted\n\tfold\"\nDate: nonsense\n", SDP);
	m = want_request(&r.b, "INVITE");
	assert_str(m->uri, "sip:bob@10.0.1.2:5060");
	assert_int_equal(m->max_forwards, 69);
	assert_string_equal(header(m, "Max-Breadth"), "50");
	assert_int_equal(header_count(m, TD_HDR_VIA), 2);
	assert_int_equal(header_count(m, TD_HDR_RECORD_ROUTE), 1);
	assert_non_null(strstr(header(m, "Record-Route"), "<sip:10.0.0.1:5060;lr;td="));
	assert_string_equal(header(m, "Subject"), "a, b");
	assert_string_equal(header(m, "X-Unknown"), "\"quoted\r\n\tfold\"");
	assert_string_equal(header(m, "Date"), "nonsense");
	assert_str(m->body, SDP);
	phone_answer(&r.b, m, 183, "X-Early: 1\n", SDP);
	m = want_status(&r.a, 183);
	assert_int_equal(header_count(m, TD_HDR_VIA), 1);
	assert_str(m->to_tag, "bob");
	assert_string_equal(header(m, "X-Early"), "1");
	assert_str(m->via.received, "10.0.1.1");
	assert_int_equal(m->via.rport_value, 5060);
	assert_str(m->body, SDP);
	phone_answer(&r.b, r.b.inbox[r.b.n - 1], 486, "", NULL);
	want_status(&r.a, 486);
	rig_close(&r);
}

/* Different listeners on the two sides: two Record-Route values, each usable from its side (RFC 5658). */
/* Proves RFC 3261 §16.6-4. */
static void two_record_routes_between_protocols(void **state)
{
	struct leg caller, callee;
	struct rig r;

	rig_open(&r, TD_TCP, TD_UDP);
	dial(&caller, &r);
	call_up(&caller, &callee, &r.b);
	assert_non_null(strstr(callee.routes, "Route: <sip:10.0.0.1:5060;lr;td="));
	assert_non_null(strstr(strchr(callee.routes, '\n'), "Route: <sip:10.0.0.1:5060;transport=tcp;lr;td="));
	leg_hang_up(&callee, &r.a);
	rig_close(&r);
}

/* Proves RFC 3261 §14.2-4, §16.3-1, §16.4-3; RFC 3262 §3-3; RFC 3311 §6-1. */
static void re_invite_and_session_requests(void **state)
{
	static const char *const methods[] = { "UPDATE", "INFO", "REFER", "NOTIFY", "PRACK", "WHATEVER" };
	struct leg caller, callee;
	struct td_msg *m;
	struct rig r;

	rig_open(&r, TD_UDP, TD_UDP);
	dial(&caller, &r);
	call_up(&caller, &callee, &r.b);
	leg_send(&callee, "INVITE", NULL, SDP);
	m = want_request(&r.a, "INVITE");
	assert_str(m->uri, "sip:alice@10.0.1.1:5060");
	assert_int_equal(header_count(m, TD_HDR_ROUTE), 0);
	want_status(&r.b, 100);
	phone_answer(&r.a, m, 200, "", SDP);
	want_status(&r.b, 200);
	leg_send(&callee, "ACK", NULL, NULL);
	want_request(&r.a, "ACK");
	for (size_t i = 0; i < TD_ARRAY_LEN(methods); i++) {
		leg_send(&caller, methods[i], NULL, NULL);
		phone_answer(&r.b, want_request(&r.b, methods[i]), 200, "", NULL);
		want_status(&r.a, 200);
	}
	leg_hang_up(&caller, &r.b);
	rig_close(&r);
}

/* ---- calls that do not come to be ---- */

static void busy(void **state)
{
	struct td_msg *m;
	struct leg l;
	struct rig r;

	rig_open(&r, TD_UDP, TD_UDP);
	dial(&l, &r);
	leg_send(&l, "INVITE", NULL, SDP);
	phone_answer(&r.b, want_request(&r.b, "INVITE"), 486, "X-Why: dinner\n", NULL);
	want_request(&r.b, "ACK"); /* hop by hop, from the server */
	m = want_status(&r.a, 486);
	assert_string_equal(header(m, "X-Why"), "dinner");
	assert_int_equal(world_status(&r.w)->proxy.contexts, 0); /* nothing but the transaction remembers it */
	rig_close(&r);
}

/* Proves RFC 3261 §16.10-1; RFC 3326 §2-1. */
static void cancel(void **state)
{
	struct td_msg *invite, *m;
	struct leg l;
	struct rig r;

	rig_open(&r, TD_UDP, TD_UDP);
	dial(&l, &r);
	leg_send(&l, "INVITE", NULL, SDP);
	invite = want_request(&r.b, "INVITE");
	phone_answer(&r.b, invite, 180, "", NULL);
	want_status(&r.a, 180);
	leg_send(&l, "CANCEL", "Reason: SIP;cause=600;text=\"bored\"\n", NULL);
	assert_int_equal(want_status(&r.a, 200)->cseq.method, TD_CANCEL);
	m = want_request(&r.b, "CANCEL");
	assert_true(td_str_eq(m->via.branch, invite->via.branch));
	assert_string_equal(header(m, "Reason"), "SIP;cause=600;text=\"bored\"");
	phone_answer(&r.b, m, 200, "", NULL);
	phone_refuse(&r.b, invite, 487);
	want_status(&r.a, 487);
	rig_close(&r);
}

/* No provisional response: CANCEL waits for one (§9.1), and the caller is answered whatever the callee does. */
/* Proves RFC 3261 §9.1-3, §9.1-4. */
static void cancel_before_ringing(void **state)
{
	struct td_msg *invite;
	struct leg l;
	struct rig r;

	rig_open(&r, TD_UDP, TD_UDP);
	dial(&l, &r);
	leg_send(&l, "INVITE", NULL, SDP);
	invite = want_request(&r.b, "INVITE");
	leg_send(&l, "CANCEL", NULL, NULL);
	want_status(&r.a, 200);
	assert_null(maybe_request(&r.b, "CANCEL", 300));
	phone_answer(&r.b, invite, 180, "", NULL);
	want_request(&r.b, "CANCEL");
	phone_answer(&r.b, invite, 487, "", NULL);
	want_status(&r.a, 487);

	dial(&l, &r);
	leg_send(&l, "INVITE", NULL, SDP);
	want_request(&r.b, "INVITE");
	leg_send(&l, "CANCEL", NULL, NULL);
	want_status(&r.a, 200);
	want_status(&r.a, 487); /* after 64*T1 */
	rig_close(&r);
}

/* Timer C: ringing for ever ends with a CANCEL, and with 408 or what the callee says (§16.8, D7). */
/* Proves RFC 3261 §16.6-9, §16.7-1, §16.8-1. */
static void d7_no_answer_timer_c(void **state)
{
	struct td_msg *invite;
	struct leg l;
	struct rig r;

	rig_open(&r, TD_UDP, TD_UDP);
	dial(&l, &r);
	leg_send(&l, "INVITE", NULL, SDP);
	invite = want_request(&r.b, "INVITE");
	phone_answer(&r.b, invite, 180, "", NULL);
	assert_null(maybe_request(&r.b, "CANCEL", 179000));
	phone_answer(&r.b, invite, 180, "", NULL); /* starts the timer again (§16.7 item 2) */
	assert_null(maybe_request(&r.b, "CANCEL", 179000));
	assert_non_null(maybe_request(&r.b, "CANCEL", 3000));
	assert_non_null(maybe_status(&r.a, 408, 33000)); /* the callee is gone: nothing is left after it */
	world_run(&r.w, 40000);
	world_assert_idle(&r.w);
	rig_close(&r);
}

/* Proves RFC 3261 §16.7-10. */
static void dead_callee(void **state)
{
	struct leg l;
	struct rig r;

	rig_open(&r, TD_UDP, TD_UDP);
	dial(&l, &r);
	td_net_unplug(r.b.net, true);
	leg_send(&l, "INVITE", NULL, SDP);
	want_status(&r.a, 100);
	assert_null(maybe_status(&r.a, 0, 31000));
	want_status(&r.a, 408);
	rig_close(&r);
}

/* ---- loss of one particular message ---- */

struct losing {
	const char *begin; /* first bytes of what is lost */
	const char *to;    /* and where it goes */
	int times;
};

static bool lose(void *arg, const struct td_addr *from, const struct td_addr *to, struct td_str bytes)
{
	struct losing *l = arg;
	struct td_addr a;

	if (l->times <= 0 || !td_str_starts(bytes, td_str_of(l->begin)) || td_ip_parse(&a, td_str_of(l->to)) || !td_ip_eq(&a, to))
		return true;
	l->times--;
	return false;
}

static void set_loss(struct world *w, struct losing *l)
{
	w->rules.filter = lose;
	w->rules.arg = l;
	td_wire_rules(w->wire, &w->rules);
}

/* The callee repeats its 200 until the ACK comes through; each repetition reaches the caller (RFC 6026). */
/* Proves RFC 6026 §8.7-1. */
static void lost_ack(void **state)
{
	struct losing l = { "ACK", "10.0.1.2", 1 };
	struct td_msg *invite;
	struct leg caller;
	struct rig r;

	rig_open(&r, TD_UDP, TD_UDP);
	dial(&caller, &r);
	set_loss(&r.w, &l);
	leg_send(&caller, "INVITE", NULL, SDP);
	invite = want_request(&r.b, "INVITE");
	phone_answer(&r.b, invite, 200, "", SDP);
	leg_learn(&caller, want_status(&r.a, 200));
	leg_send(&caller, "ACK", NULL, NULL);
	assert_null(maybe_request(&r.b, "ACK", 500));
	phone_answer(&r.b, invite, 200, "", SDP);
	want_status(&r.a, 200);
	leg_send(&caller, "ACK", NULL, NULL);
	want_request(&r.b, "ACK");
	leg_hang_up(&caller, &r.b);
	rig_close(&r);
}

/* Proves RFC 6026 §7.1-2, §8.7-1. */
static void lost_2xx(void **state)
{
	struct losing l = { "SIP/2.0 200", "10.0.1.1", 1 };
	struct td_msg *invite;
	struct leg caller;
	struct rig r;

	rig_open(&r, TD_UDP, TD_UDP);
	dial(&caller, &r);
	set_loss(&r.w, &l);
	leg_send(&caller, "INVITE", NULL, SDP);
	invite = want_request(&r.b, "INVITE");
	phone_answer(&r.b, invite, 200, "", SDP);
	assert_null(maybe_status(&r.a, 200, 400));
	phone_send_bytes(&r.a, TD_STR("\r\n\r\n"));
	leg_up(&caller, &r.b, invite);
	want_silence(&r.b, 40000); /* the server does not repeat a 2xx by itself */
	leg_hang_up(&caller, &r.b);
	rig_close(&r);
}

/* Every message twice: one call, no second INVITE for the callee. */
static void everything_twice(void **state)
{
	struct leg caller, callee;
	struct rig r;

	rig_open(&r, TD_UDP, TD_UDP);
	world_rules(&r.w, 0, 1.0, 0);
	dial(&caller, &r);
	call_up(&caller, &callee, &r.b);
	leg_hang_up(&caller, &r.b);
	world_run(&r.w, 40000);
	for (unsigned i = 0, invites = 0; i < r.b.n; i++)
		if (r.b.inbox[i]->request && r.b.inbox[i]->method == TD_INVITE)
			assert_true(++invites <= 2); /* the wire's copy of the one the server sent */
	rig_close(&r);
}

/* ---- other requests ---- */

static void message_relay(void **state)
{
	struct td_msg *m;
	struct leg l;
	struct rig r;

	rig_open(&r, TD_UDP, TD_UDP);
	dial(&l, &r);
	leg_send(&l, "MESSAGE", "X: 1\n", "hello");
	m = want_request(&r.b, "MESSAGE");
	assert_str(m->body, "hello");
	assert_int_equal(header_count(m, TD_HDR_RECORD_ROUTE), 0);
	assert_int_equal(world_status(&r.w)->proxy.contexts, 1);
	phone_answer(&r.b, m, 202, "", NULL);
	want_status(&r.a, 202);
	assert_int_equal(world_status(&r.w)->proxy.contexts, 0);
	rig_close(&r);
}

/* RFC 4320 §4.2: no 408 for anything but an INVITE. */
/* Proves RFC 4320 §4.2-1. */
static void no_408_for_message(void **state)
{
	struct leg l;
	struct rig r;

	rig_open(&r, TD_UDP, TD_UDP);
	dial(&l, &r);
	td_net_unplug(r.b.net, true);
	leg_send(&l, "MESSAGE", NULL, "hello");
	assert_null(maybe_status(&r.a, 0, 60000));
	rig_close(&r);
}

/* Proves RFC 3261 §8.2.2.1-2, §16.5-4. */
static void who_is_not_there(void **state)
{
	struct leg l;
	struct rig r;

	rig_open(&r, TD_UDP, TD_UDP);
	world_user(&r.w, "carol", "x");
	leg_new(&l, &r.a, "example.test", "sip:nobody@example.test");
	assert_int_equal(leg_do(&l, "INVITE", NULL, SDP)->status, 404);
	leg_new(&l, &r.a, "example.test", "sip:carol@example.test");
	leg_send(&l, "INVITE", NULL, SDP);
	want_status(&r.a, 480);
	leg_new(&l, &r.a, "example.test", "sip:carol@" SERVER_IP); /* our address is the default domain */
	leg_send(&l, "MESSAGE", NULL, NULL);
	want_status(&r.a, 480);
	rig_close(&r);
}

/* sipp's built-in caller sends ACK and BYE to the address of record, without Route. */
static void a_trusted_caller_without_routes(void **state)
{
	struct leg caller;
	struct td_msg *m;
	struct rig r;

	rig_open(&r, TD_UDP, TD_UDP);
	dial(&caller, &r);
	leg_send(&caller, "INVITE", NULL, SDP);
	phone_answer(&r.b, want_request(&r.b, "INVITE"), 200, "", SDP);
	m = want_status(&r.a, 200);
	snprintf(caller.remote, sizeof(caller.remote), "%.*s", TD_FMT(m->to.text));
	leg_send(&caller, "ACK", NULL, NULL);
	want_request(&r.b, "ACK");
	leg_hang_up(&caller, &r.b);
	rig_close(&r);
}

/* An extension, a telephone number and our bare address all lead to the user of the default domain. */
/* Proves RFC 3261 §10.3-7. */
static void names_of_a_user(void **state)
{
	static const char *const uris[] = {
		"sip:carol@example.test",
		"sip:carol@EXAMPLE.test:5060;x=y",
		"sip:%63arol@example.test",
		"sip:carol@10.0.0.1:5060",
		"sip:4711@example.test",
		"sip:4711@10.0.0.1",
		"tel:47-11;phone-context=example.test",
		"sip:carol@example.test;transport=tcp",
	};
	struct td_user user = { .aor = TD_STR("carol@example.test"), .extension = TD_STR("4711") };
	struct phone carol;
	struct leg l;
	struct rig r;

	rig_open(&r, TD_UDP, TD_UDP);
	assert_int_equal(td_users_put(r.w.users, &user), 0);
	phone_open(&carol, &r.w, "carol", "10.0.1.9", 5070, TD_UDP);
	phone_register(&carol, "example.test");
	for (size_t i = 0; i < TD_ARRAY_LEN(uris); i++) {
		struct td_msg *m;

		leg_new(&l, &r.a, "any.test", uris[i]);
		leg_send(&l, "MESSAGE", NULL, "hi");
		m = want_request(&carol, "MESSAGE");
		assert_str(m->uri, "sip:carol@10.0.1.9:5070");
		phone_answer(&carol, m, 200, "", NULL);
		want_status(&r.a, 200);
	}
	phone_close(&carol);
	rig_close(&r);
}

/* Before us: our Record-Route value is the Request-URI and the target the last Route (§16.4). After us: the other way round (§16.6 item 6). */
/* Proves RFC 3261 §16.4-1, §16.4-3, §16.6-5. */
static void strict_routers(void **state)
{
	struct leg caller, callee;
	char own[256], target[256];
	struct td_msg *m;
	struct rig r;

	rig_open(&r, TD_UDP, TD_UDP);
	dial(&caller, &r);
	call_up(&caller, &callee, &r.b);
	assert_true(snprintf(own, sizeof(own), "%.*s", (int)strcspn(caller.routes + 8, ">"), caller.routes + 8) <
		    (int)sizeof(own));
	memcpy(target, caller.target, sizeof(target));
	memcpy(caller.target, own, sizeof(own));
	snprintf(caller.routes, sizeof(caller.routes), "Route: <%s>\r\n", target);
	leg_send(&caller, "INFO", NULL, NULL);
	m = want_request(&r.b, "INFO");
	assert_str(m->uri, target);
	assert_int_equal(header_count(m, TD_HDR_ROUTE), 0);
	phone_answer(&r.b, m, 200, "", NULL);
	want_status(&r.a, 200);

	snprintf(caller.target, sizeof(caller.target), "sip:far@10.0.1.77");
	snprintf(caller.routes, sizeof(caller.routes), "Route: <%s>, <sip:10.0.1.2>\r\nRoute: <sip:10.0.1.78;lr>\r\n", own);
	leg_send(&caller, "INFO", NULL, NULL);
	m = want_request(&r.b, "INFO");
	assert_str(m->uri, "sip:10.0.1.2");
	assert_int_equal(header_count(m, TD_HDR_ROUTE), 2);
	assert_string_equal(header(m, "Route"), "<sip:10.0.1.78;lr>");
	assert_non_null(find(m, "Route: <sip:far@10.0.1.77>\r\n"));
	phone_answer(&r.b, m, 200, "", NULL);
	want_status(&r.a, 200);

	snprintf(caller.routes, sizeof(caller.routes), "Route: <%s>, <sip:10.0.1.2;lr>\r\n", own); /* and a loose one */
	leg_send(&caller, "INFO", NULL, NULL);
	m = want_request(&r.b, "INFO");
	assert_str(m->uri, "sip:far@10.0.1.77");
	assert_string_equal(header(m, "Route"), "<sip:10.0.1.2;lr>");
	phone_answer(&r.b, m, 200, "", NULL);
	want_status(&r.a, 200);
	rig_close(&r);
}

/* Credentials for our realm stay here; those for others pass (§22.3). A phone behind NAT is reached where it registered from. */
/* Proves RFC 3261 §16.6-2, §22.3-1. */
static void what_is_kept_back(void **state)
{
	struct td_msg *m;
	struct leg l;
	struct rig r;

	rig_open(&r, TD_UDP, TD_UDP);
	dial(&l, &r);
	leg_send(&l, "MESSAGE",
		 "Proxy-Authorization: Digest username=\"a\", realm=\"any.test\", nonce=\"n\", uri=\"sip:x\", response=\"0\"\n"
		 "Proxy-Authorization: Digest username=\"a\", realm=\"far.test\", nonce=\"n\", uri=\"sip:x\", response=\"0\"\n",
		 NULL);
	m = want_request(&r.b, "MESSAGE");
	assert_null(find(m, "realm=\"any.test\""));
	assert_non_null(find(m, "realm=\"far.test\""));
	phone_answer(&r.b, m, 200, "", NULL);
	want_status(&r.a, 200);

	phone_registers(&r.b, "sip:nat@any.test", "Contact: <sip:nat@192.168.0.2:5060;method=INVITE?Subject=x>\n");
	leg_new(&l, &r.a, "any.test", "sip:nat@any.test");
	leg_send(&l, "MESSAGE", NULL, NULL);
	m = want_request(&r.b, "MESSAGE");
	assert_str(m->uri, "sip:nat@192.168.0.2:5060");
	phone_answer(&r.b, m, 200, "", NULL);
	want_status(&r.a, 200);
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(call_and_bye),
		cmocka_unit_test(what_is_edited),
		cmocka_unit_test(two_record_routes_between_protocols),
		cmocka_unit_test(re_invite_and_session_requests),
		cmocka_unit_test(busy),
		cmocka_unit_test(cancel),
		cmocka_unit_test(cancel_before_ringing),
		cmocka_unit_test(d7_no_answer_timer_c),
		cmocka_unit_test(dead_callee),
		cmocka_unit_test(lost_ack),
		cmocka_unit_test(lost_2xx),
		cmocka_unit_test(everything_twice),
		cmocka_unit_test(message_relay),
		cmocka_unit_test(no_408_for_message),
		cmocka_unit_test(who_is_not_there),
		cmocka_unit_test(a_trusted_caller_without_routes),
		cmocka_unit_test(names_of_a_user),
		cmocka_unit_test(strict_routers),
		cmocka_unit_test(what_is_kept_back),
	};

	return RUN_BY_WORKERS(tests);
}
