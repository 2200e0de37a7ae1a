/* Phones that keep flows open to be reached (RFC 5626). */
#include "harness.h"

#define ONE ";+sip.instance=\"<urn:uuid:00000000-0000-1000-8000-000000000001>\""
#define TWO ";+sip.instance=\"<urn:uuid:00000000-0000-1000-8000-000000000002>\""
#define OUTBOUND "Supported: path, outbound\n"

struct rig {
	struct world w;
	struct phone a, b[2];
	struct leg l;
};

static void rig_open(struct rig *r, unsigned workers, enum td_proto proto)
{
	memset(r, 0, sizeof(*r));
	world_open(&r->w, 5, workers, NULL);
	phone_open(&r->a, &r->w, "alice", "10.0.1.1", 5060, TD_UDP);
	phone_open(&r->b[0], &r->w, "bob", "10.0.1.2", 40001, proto);
	phone_open(&r->b[1], &r->w, "bob", "10.0.1.3", 40002, proto);
}

static void rig_close(struct rig *r)
{
	phone_close(&r->a);
	phone_close(&r->b[0]);
	phone_close(&r->b[1]);
	world_close(&r->w);
}

static struct td_msg *reg(struct phone *p, const char *contact, const char *lines)
{
	struct leg l;

	p->contact = contact;
	leg_new(&l, p, "any.test", "sip:bob@any.test");
	snprintf(l.target, sizeof(l.target), "sip:any.test");
	return leg_do(&l, "REGISTER", lines, NULL);
}

static void want_contacts(const struct td_msg *m, unsigned n, const char *some)
{
	assert_int_equal(m->status, 200);
	assert_int_equal(header_count(m, TD_HDR_CONTACT), n);
	if (!find(m, some))
		fail_msg("%s is not in\n%.*s", some, TD_FMT(m->bytes));
}

static void drop(struct phone *p)
{
	while (p->conn_n)
		td_conn_close(p->conns[--p->conn_n]);
	p->conn = NULL;
	world_run(p->w, 100);
}

/* One binding for each phone and reg-id, whatever the URI. */
/* Proves RFC 5626 §6-2, §6-3. */
static void one_binding_for_each_flow(void **state)
{
	struct td_msg *m;
	struct rig r;

	rig_open(&r, 2, TD_UDP);
	m = reg(&r.b[0], "<sip:bob@192.168.0.1>" ONE ";reg-id=1", OUTBOUND);
	want_contacts(m, 1, "Contact: <sip:bob@192.168.0.1>" ONE ";reg-id=1;expires=");
	assert_string_equal(header(m, "Require"), "outbound");
	m = reg(&r.b[0], "<sip:bob@192.168.0.2>;reg-id=1" ONE, OUTBOUND);
	want_contacts(m, 1, "<sip:bob@192.168.0.2>;reg-id=1" ONE);
	m = reg(&r.b[0], "<sip:bob@192.168.0.2>;reg-id=2" ONE, OUTBOUND);
	want_contacts(m, 2, "<sip:bob@192.168.0.2>;reg-id=2" ONE);
	m = reg(&r.b[0], "<sip:bob@192.168.0.2>;reg-id=1" TWO, OUTBOUND);
	want_contacts(m, 3, "<sip:bob@192.168.0.2>;reg-id=1" TWO);
	m = reg(&r.b[0], "<sip:bob@192.168.0.3>;reg-id=1" ONE,
		""); /* it does not say that it knows: the same, but for the answer */
	want_contacts(m, 3, "<sip:bob@192.168.0.3>;reg-id=1" ONE);
	assert_string_equal(header(m, "Require"), "");
	m = reg(&r.b[0], "<sip:bob@192.168.0.9>;reg-id=1" ONE ";expires=0", OUTBOUND);
	want_contacts(m, 2, "<sip:bob@192.168.0.2>;reg-id=2" ONE);
	m = reg(&r.b[0], "<sip:x@192.168.0.7>", ""); /* beside them, who knows nothing of it */
	want_contacts(m, 3, "<sip:x@192.168.0.7>");
	rig_close(&r);
}

/* Proves RFC 5626 §6-1, §6-4. */
static void what_does_not_count(void **state)
{
	static const struct {
		const char *contact, *lines;
		unsigned status;
		const char *shown;
	} rows[] = {
		{ "<sip:a@h>;reg-id=1", OUTBOUND, 200, "<sip:a@h>;expires" },
		{ "<sip:a@h>;reg-id=0" ONE, OUTBOUND, 200, "<sip:a@h>" ONE ";expires" },
		{ "<sip:a@h>;reg-id=2147483648" ONE, OUTBOUND, 200, "<sip:a@h>" ONE ";expires" },
		{ "<sip:a@h>;reg-id=x" ONE, OUTBOUND, 200, "<sip:a@h>" ONE ";expires" },
		{ "<sip:a@h>;reg-id" ONE, OUTBOUND, 200, "<sip:a@h>" ONE ";expires" },
		{ "<sip:a@h>;reg-id=1;+sip.instance=\"\"", OUTBOUND, 200, "<sip:a@h>;+sip.instance=\"\";expires" },
		/* through a proxy that does not say it keeps the flow (§6) */
		{ "<sip:a@h>;reg-id=1" ONE, OUTBOUND "Via: SIP/2.0/UDP 192.168.0.1;branch=z9hG4bKx\n", 439, NULL },
		{ "<sip:a@h>;reg-id=1" ONE, OUTBOUND "Via: SIP/2.0/UDP x;branch=z9hG4bKx\nPath: <sip:x;lr>\n", 439, NULL },
		{ "<sip:a@h>;reg-id=1" ONE, "Via: SIP/2.0/UDP 192.168.0.1;branch=z9hG4bKx\n", 200, "<sip:a@h>" ONE ";expires" },
		{ "<sip:a@h>" ONE, OUTBOUND "Via: SIP/2.0/UDP 192.168.0.1;branch=z9hG4bKx\n", 200, "<sip:a@h>" ONE ";expires" },
		{ "<sip:a@h>;reg-id=1" ONE, OUTBOUND "Via: SIP/2.0/UDP x;branch=z9hG4bKx\nPath: <sip:y;lr>, <sip:x;lr;ob>\n", 200,
		  "<sip:a@h>;reg-id=1" ONE ";expires" },
		{ "<sip:a@h>;reg-id=1" ONE ", <sip:b@h>", OUTBOUND, 400, NULL },
		{ "<sip:a@h>;reg-id=1" ONE ", <sip:b@h>;expires=0", OUTBOUND, 200, "<sip:a@h>;reg-id=1" ONE ";expires" },
		{ "<sip:a@h>;reg-id=1" ONE, "Require: outbound\n", 200, "Require: outbound" },
	};

	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct td_msg *m;
		struct rig r;

		rig_open(&r, 1, TD_UDP);
		m = reg(&r.b[0], rows[i].contact, rows[i].lines);
		if (m->status != rows[i].status || (rows[i].shown && !find(m, rows[i].shown)))
			fail_msg("%s\n%s got %.*s", rows[i].contact, rows[i].lines, TD_FMT(m->bytes));
		if (m->status == 200)
			assert_int_equal(!strcmp(header(m, "Require"), "outbound"), strstr(rows[i].shown, "reg-id=1") || i == 13);
		rig_close(&r);
	}
}

static void ring(struct rig *r, struct phone *where, struct phone *other)
{
	struct td_msg *m;

	leg_new(&r->l, &r->a, "any.test", "sip:bob@any.test");
	leg_send(&r->l, "INVITE", NULL, SDP);
	m = want_request(where, "INVITE");
	phone_answer(where, m, 486, "", NULL);
	want_status(&r->a, 486);
	want_request(where, "ACK");
	want_silence(other, 100);
}

/* "MUST NOT populate the target set with more than one contact with the same AOR and instance-id" (§7): the last flow that stands. */
/* Proves RFC 5626 §6-5, §7-1, §7-2, §7-3, §7-6, §7-4. */
static void a_phone_rings_once(void **state)
{
	for (unsigned workers = 1; workers <= 3; workers += 2) {
		struct rig r;

		rig_open(&r, workers, TD_TCP);
		reg(&r.b[0], "<sip:bob@192.168.0.1;transport=tcp>;reg-id=1" ONE, OUTBOUND);
		world_run(&r.w, 2000);
		reg(&r.b[1], "<sip:bob@192.168.0.2;transport=tcp>;reg-id=2" ONE, OUTBOUND);
		ring(&r, &r.b[1], &r.b[0]);
		drop(&r.b[1]);
		ring(&r, &r.b[0], &r.b[1]);
		drop(&r.b[0]);
		leg_new(&r.l, &r.a, "any.test", "sip:bob@any.test");
		leg_send(&r.l, "INVITE", NULL, SDP);
		want_status(&r.a, 480); /* registered, and not to be reached */
		reg(&r.b[0], "<sip:bob@192.168.0.1;transport=tcp>;reg-id=1" ONE, OUTBOUND);
		ring(&r, &r.b[0], &r.b[1]);
		rig_close(&r);
	}
}

/* Without reg-id: a phone that was restarted has registered anew. Two phones ring both. */
/* Proves RFC 5626 §7-1. */
static void a_restarted_phone_rings_once(void **state)
{
	struct rig r;

	rig_open(&r, 1, TD_UDP);
	reg(&r.b[0], "<sip:bob@10.0.1.2:40001>" ONE, "");
	world_run(&r.w, 2000);
	reg(&r.b[1], "<sip:bob@10.0.1.3:40002>" ONE, "");
	ring(&r, &r.b[1], &r.b[0]);
	reg(&r.b[0], "<sip:bob@10.0.1.2:40001>" TWO, "");
	leg_new(&r.l, &r.a, "any.test", "sip:bob@any.test");
	leg_send(&r.l, "OPTIONS", NULL, NULL);
	phone_answer(&r.b[0], want_request(&r.b[0], "OPTIONS"), 486, "", NULL);
	phone_answer(&r.b[1], want_request(&r.b[1], "OPTIONS"), 486, "", NULL);
	want_status(&r.a, 486);
	rig_close(&r);
}

/* "MUST send the request over the same 'logical flow'" (§7), though the host is the Contact's. */
/* Proves RFC 5626 §6-5, §7-2. */
static void udp_flows_go_back_to_their_port(void **state)
{
	struct rig r;

	rig_open(&r, 1, TD_UDP);
	reg(&r.b[0], "<sip:bob@10.0.1.2:5060>;reg-id=1" ONE, OUTBOUND);
	ring(&r, &r.b[0], &r.b[1]);
	rig_close(&r);
}

/* A phone's STUN is answered, on the port of SIP; a flood in a stranger's name no more than his network may be answered at all. */
static void n3_keep_alives_of_strangers(void **state)
{
	static const char stun[] = "\0\x01\0\0\x21\x12\xa4\x42"
				   "0123456789ab";
	const struct td_server_status *st;
	struct td_addr server;
	struct phone p;
	struct world w;

	world_open(&w, 5, 1, "limits: {rate: 5, burst: 5}\n");
	phone_open(&p, &w, "mallory", "192.0.2.1", 5060, TD_UDP);
	p.raw = true;
	assert_int_equal(td_addr_parse(&server, TD_STR(SERVER_IP ":5060")), 0);
	for (int i = 0; i < 50; i++)
		phone_send_to(&p, &server, TD_STR(stun));
	world_run(&w, 100);
	st = world_status(&w);
	assert_int_equal(st->tp.keepalives, 50);
	assert_int_equal(st->guard.replies_limited, 45);
	phone_close(&p);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_binding_for_each_flow),
		cmocka_unit_test(what_does_not_count),
		cmocka_unit_test(a_phone_rings_once),
		cmocka_unit_test(a_restarted_phone_rings_once),
		cmocka_unit_test(udp_flows_go_back_to_their_port),
		cmocka_unit_test(n3_keep_alives_of_strangers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
