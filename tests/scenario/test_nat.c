/* Phones behind NAT, or on a connection: what is sent to them, inside calls too, takes the way they came (RFC 5626 §5.3). */
#include "harness.h"

#include "server/route/route.h"

struct rig {
	struct world w;
	struct phone a, b;
	struct leg out, in;
};

static void rig_open(struct rig *r, unsigned workers, enum td_proto a, enum td_proto b)
{
	memset(r, 0, sizeof(*r));
	world_open(&r->w, 4, workers, NULL);
	phone_open(&r->a, &r->w, "alice", "10.0.1.1", 40001, a);
	phone_open(&r->b, &r->w, "bob", "10.0.1.2", 40002, b);
}

static void rig_close(struct rig *r)
{
	phone_close(&r->a);
	phone_close(&r->b);
	world_close(&r->w);
}

static void dial(struct rig *r, const char *domain)
{
	struct td_msg *invite;
	char to[64];

	phone_register(&r->b, domain);
	snprintf(to, sizeof(to), "sip:bob@%s", domain);
	leg_new(&r->out, &r->a, domain, to);
	leg_send(&r->out, "INVITE", NULL, SDP);
	invite = want_request(&r->b, "INVITE");
	leg_of_request(&r->in, &r->b, invite);
	leg_up(&r->out, &r->b, invite);
}

/* Requests both ways, then BYE. */
static void talk(struct rig *r)
{
	struct td_msg *m;

	leg_send(&r->in, "INFO", NULL, NULL);
	m = want_request(&r->a, "INFO");
	phone_answer(&r->a, m, 200, "", NULL);
	want_status(&r->b, 200);
	leg_send(&r->out, "INFO", NULL, NULL);
	m = want_request(&r->b, "INFO");
	phone_answer(&r->b, m, 200, "", NULL);
	want_status(&r->a, 200);
	leg_hang_up(&r->in, &r->a);
}

static unsigned flow_tokens(const struct leg *l)
{
	unsigned n = 0;

	for (const char *p = l->routes; (p = strstr(p, ";td=")); p += 4)
		n += strcspn(p + 4, ">;") > TD_COOKIE_LEN;
	return n;
}

static const struct {
	const char *a, *b; /* Contacts; NULL: their own */
	enum td_proto pa, pb;
	bool token_a, token_b; /* do the routes of alice's requests, of bob's, say how to get there? */
} rows[] = {
	{ NULL, NULL, TD_UDP, TD_UDP, false, false },
	{ "<sip:alice@192.168.0.5:5060>", NULL, TD_UDP, TD_UDP, true, true },
	{ NULL, "<sip:bob@192.168.0.5>", TD_UDP, TD_UDP, true, true },
	{ "<sip:alice@192.168.0.5>", "<sip:bob@192.168.0.5>;+sip.instance=\"<urn:uuid:1>\"", TD_UDP, TD_UDP, true, true },
	{ "<sip:alice@phone.invalid>", "<sip:bob@phone.invalid>", TD_UDP, TD_UDP, true, true },
	{ "<sip:alice@192.168.0.5;transport=tcp>", "<sip:bob@192.168.0.6;transport=tcp>", TD_TCP, TD_TCP, true, true },
	{ "<sip:alice@192.168.0.5;transport=tcp>", "<sip:bob@192.168.0.6>", TD_TCP, TD_UDP, true, true },
	{ "<sip:alice@192.168.0.5>", "<sip:bob@192.168.0.6;transport=tcp>", TD_UDP, TD_TCP, true, true },
	{ "<sip:alice@192.168.0.5>", "<sip:bob@10.0.1.2:40002;transport=tcp>", TD_UDP, TD_TCP, true, true },
};

static void calls(const char *domain)
{
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct rig r;

		rig_open(&r, 1 + i % 3, rows[i].pa, rows[i].pb);
		r.a.contact = rows[i].a;
		r.b.contact = rows[i].b;
		dial(&r, domain);
		assert_int_equal(flow_tokens(&r.out) > 0, rows[i].token_a);
		assert_int_equal(flow_tokens(&r.in) > 0, rows[i].token_b);
		talk(&r);
		assert_int_equal(r.a.conn_n, rows[i].pa == TD_TCP); /* nobody opened another one */
		rig_close(&r);
	}
}

/* Proves RFC 3581 §4-2; RFC 5626 §5.3-1; RFC 7118 §8.1-1. */
static void calls_behind_nat(void **state)
{
	calls("any.test");
}

/* Proves RFC 5626 §5.3-1. */
static void calls_behind_nat_without_state(void **state)
{
	calls("quick.test");
}

/* Its Contact is where it is, in other letters, or beside other things: that is no NAT. */
static void contacts_that_are_true(void **state)
{
	static const char *const contacts[] = {
		"<sip:10.0.1.1:40001>",
		"sip:alice@10.0.1.1",
		"<sip:alice@10.0.1.1;x=y>",
		"\"10.0.1.1\" <sip:10.0.1.1:5070>;+x",
	};

	for (size_t i = 0; i < TD_ARRAY_LEN(contacts); i++) {
		struct rig r;

		rig_open(&r, 1, TD_UDP, TD_UDP);
		r.a.contact = contacts[i];
		dial(&r, "any.test");
		assert_int_equal(flow_tokens(&r.in), i == 3); /* a name like an address makes it longer, and nothing worse */
		rig_close(&r);
	}
}

/* Through another proxy, which is not behind NAT because its phone is. */
static void not_for_proxies_before_us(void **state)
{
	struct rig r;

	rig_open(&r, 1, TD_UDP, TD_UDP);
	phone_register(&r.b, "any.test");
	leg_new(&r.out, &r.a, "any.test", "sip:bob@any.test");
	r.a.contact = "<sip:alice@192.168.0.5>";
	leg_send(&r.out, "INVITE", "Via: SIP/2.0/UDP 192.168.0.5;branch=z9hG4bKfirst\n", SDP);
	leg_of_request(&r.in, &r.b, want_request(&r.b, "INVITE"));
	assert_int_equal(flow_tokens(&r.in), 0);
	leg_new(&r.out, &r.a, "any.test", "sip:bob@any.test");
	leg_send(&r.out, "INVITE", "Record-Route: <sip:10.0.1.1;lr>\n", SDP);
	leg_of_request(&r.in, &r.b, want_request(&r.b, "INVITE"));
	assert_int_equal(flow_tokens(&r.in), 0);
	rig_close(&r);
}

/* The connection ends in the middle of a call: 430 (RFC 5626 §5.3.1), or where the phone listens, a new one. */
/* Proves RFC 5626 §5.3.1-1. */
static void connection_lost_in_a_call(void **state)
{
	for (unsigned listens = 0; listens < 2; listens++) {
		struct td_msg *m;
		struct rig r;

		rig_open(&r, 2, TD_TCP, TD_UDP);
		r.a.contact = listens ? "<sip:alice@10.0.1.1:40001;transport=tcp>" : "<sip:alice@192.168.0.5;transport=tcp>";
		dial(&r, "any.test");
		assert_true(flow_tokens(&r.in));
		phone_drop(&r.a);
		world_run(&r.w, 100);
		leg_send(&r.in, "BYE", NULL, NULL);
		if (listens) {
			m = want_request(&r.a, "BYE");
			phone_answer(&r.a, m, 200, "", NULL);
			want_status(&r.b, 200);
		} else {
			want_status(&r.b, 430);
		}
		rig_close(&r);
	}
}

/* Who changes a token, or takes that of another call, gets nothing by it: his request goes where the Contact says. */
/* Proves RFC 5626 §5.2-1, §5.3.1-2. */
static void d1_flow_token_of_another_call(void **state)
{
	struct leg out, in;
	struct rig r;
	char *token;

	rig_open(&r, 1, TD_UDP, TD_UDP);
	r.a.contact = "<sip:alice@192.168.0.5>";
	dial(&r, "any.test");
	out = r.out;
	in = r.in;
	leg_new(&r.out, &r.a, "any.test", "sip:bob@any.test");
	call_up(&r.out, &r.in, &r.b);
	token = strstr(r.in.routes, ";td=") + 4 + TD_COOKIE_LEN;
	memcpy(token, strstr(in.routes, ";td=") + 4 + TD_COOKIE_LEN, strcspn(token, ">;"));
	leg_send(&r.in, "INFO", NULL, NULL);
	assert_null(maybe_request(&r.a, "INFO", 1000));
	token = strstr(in.routes, ";td=") + 4 + TD_COOKIE_LEN;
	token[5] = token[5] == 'A' ? 'B' : 'A';
	leg_send(&in, "INFO", NULL, NULL);
	assert_null(maybe_request(&r.a, "INFO", 1000));
	leg_send(&out, "INFO", NULL, NULL); /* the other way needs none */
	want_request(&r.b, "INFO");
	world_run(&r.w, 40000);
	rig_close(&r);
}

/* A browser that is gone (RFC 7118 §5): nobody looks for the host of its Contact, and the caller hears that it is not there. */
static void gone_without_an_address(void **state)
{
	static const char *const hosts[] = { "df7jal23ls0d.invalid", "X.INVALID." };

	for (size_t i = 0; i < TD_ARRAY_LEN(hosts); i++) {
		struct phone p, a;
		char contact[80];
		struct world w;

		world_open(&w, 5, 1, NULL);
		phone_open(&a, &w, "alice", "10.0.1.6", 5060, TD_UDP);
		phone_open(&p, &w, "bob", "10.0.1.7", 5060, TD_TCP);
		snprintf(contact, sizeof(contact), "<sip:bob@%s;transport=tcp>", hosts[i]);
		p.contact = contact;
		phone_register(&p, "any.test");
		phone_drop(&p);
		world_run(&w, 100);
		assert_int_equal(phone_ask(&a, "MESSAGE", "sip:bob@any.test", NULL), 480);
		phone_close(&a);
		phone_close(&p);
		world_close(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calls_behind_nat),          cmocka_unit_test(calls_behind_nat_without_state),
		cmocka_unit_test(contacts_that_are_true),    cmocka_unit_test(not_for_proxies_before_us),
		cmocka_unit_test(connection_lost_in_a_call), cmocka_unit_test(d1_flow_token_of_another_call),
		cmocka_unit_test(gone_without_an_address),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
