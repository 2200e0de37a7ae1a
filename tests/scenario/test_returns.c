/* Answers whose connection is gone: to where the request came from, else to where the name in its sent-by leads (RFC 3263 §5). */
#include "harness.h"
#include "name_server.h"

static const struct zone_row rows[] = {
	{ "_sip._tcp.alice.test", "SRV", 60, "10 1 5060 dead.alice.test" },
	{ "_sip._tcp.alice.test", "SRV", 60, "20 1 5070 twin.alice.test" },
	{ "dead.alice.test", "A", 60, "10.0.1.1" },
	{ "twin.alice.test", "A", 60, "10.0.1.3" },
	{ "_sip._udp.alice.test", "SRV", 60, "10 1 5060 third.alice.test" },
	{ "third.alice.test", "A", 60, "10.0.1.4" },
	{ "evil.test", "A", 60, "127.0.0.1" },
	{ "evil.test", "A", 60, "169.254.1.1" },
};

struct rig {
	struct world w;
	struct name_server ns;
	struct phone a, b, twin, home; /* home: alice's own address, at the port that a sent-by without one means */
};

static void rig_open(struct rig *r, unsigned workers)
{
	memset(r, 0, sizeof(*r));
	world_open(&r->w, 8, workers, "dns: {servers: [10.0.0.53]}\n");
	name_server_open(&r->ns, r->w.peers, r->w.wire, "10.0.0.53", rows, TD_ARRAY_LEN(rows));
	phone_open(&r->a, &r->w, "alice", "10.0.1.1", 40001, TD_TCP);
	phone_open(&r->b, &r->w, "bob", "10.0.1.2", 5060, TD_UDP);
	phone_open(&r->twin, &r->w, "alice", "10.0.1.3", 5070, TD_TCP);
	phone_register(&r->b, "any.test");
}

static void rig_close(struct rig *r)
{
	phone_close(&r->a);
	phone_close(&r->b);
	phone_close(&r->twin);
	world_run(&r->w, 60000);
	name_server_close(&r->ns);
	world_close(&r->w);
}

/* Alice's request, and bob's answer when her connection is gone. */
static void ask_via(struct rig *r, const char *transport, const char *sent_by, const char *method, unsigned status)
{
	unsigned serial = ++r->w.serial;
	struct td_msg *m;

	phone_send(
		&r->a,
		"%s sip:bob@any.test SIP/2.0\nVia: SIP/2.0/%s %s;branch=z9hG4bK%u\nMax-Forwards: 70\nTo: <sip:bob@any.test>\n"
		"From: <sip:alice@any.test>;tag=1\nCall-ID: %u\nCSeq: 1 %s\nContact: <sip:alice@10.0.1.1:40001;transport=tcp>\n"
		"Content-Length: 0\n\n",
		method, transport, sent_by, serial, serial, method);
	m = want_request(&r->b, method);
	phone_drop(&r->a);
	world_run(&r->w, 100);
	phone_answer(&r->b, m, status, "", NULL);
	if (status >= 300)
		want_request(&r->b, "ACK");
}

static void ask(struct rig *r, const char *sent_by, const char *method, unsigned status)
{
	ask_via(r, "TCP", sent_by, method, status);
}

/* Proves RFC 3263 §5-1. */
static void by_the_name(void **state)
{
	static const struct {
		const char *sent_by, *method;
		unsigned status;
	} asked[] = {
		{ "alice.test", "INVITE", 200 },
		{ "alice.test", "INVITE", 486 },
		{ "alice.test", "MESSAGE", 200 },
		{ "twin.alice.test:5070", "INVITE", 200 },
	};

	for (size_t i = 0; i < TD_ARRAY_LEN(asked); i++)
		for (unsigned workers = 1; workers <= 3; workers++) {
			struct rig r;

			rig_open(&r, workers);
			ask(&r, asked[i].sent_by, asked[i].method, asked[i].status);
			want_status(&r.twin, asked[i].status);
			want_silence(&r.twin, 2000);
			rig_close(&r);
		}
}

/* What came by a connection goes back by one, whatever its Via names: no datagram to whom the name leads by UDP. */
static void by_what_it_came_by(void **state)
{
	static const char *const transports[] = { "UDP", "TLS", "WS", "SCTP" };

	for (size_t i = 0; i < TD_ARRAY_LEN(transports); i++) {
		struct phone third;
		struct rig r;

		rig_open(&r, 1);
		phone_open(&third, &r.w, "alice", "10.0.1.4", 5060, TD_UDP);
		ask_via(&r, transports[i], "alice.test", "INVITE", 200);
		want_status(&r.twin, 200);
		want_silence(&third, 2000);
		phone_close(&third);
		rig_close(&r);
	}
}

/* Somebody listens where the request came from: nobody is looked for elsewhere. */
static void first_where_it_came_from(void **state)
{
	struct rig r;

	rig_open(&r, 1);
	phone_open(&r.home, &r.w, "alice", "10.0.1.1", 5060, TD_TCP);
	ask(&r, "alice.test", "INVITE", 200);
	want_status(&r.home, 200);
	want_silence(&r.twin, 5000);
	phone_close(&r.home);
	rig_close(&r);
}

/* P5: no address that the sender merely writes down, and none that is not called from here. A ring is nothing to look for anybody for. */
static void p5_and_nowhere_else(void **state)
{
	static const char *const sent_by[] = { "10.0.1.3:5070", "evil.test:5070", "nosuch.test", "[2001:db8::1]" };
	struct rig r;

	for (size_t i = 0; i < TD_ARRAY_LEN(sent_by); i++) {
		rig_open(&r, 1 + i % 2);
		ask(&r, sent_by[i], "INVITE", 200);
		want_silence(&r.twin, 5000);
		rig_close(&r);
	}
	rig_open(&r, 1);
	ask(&r, "alice.test", "INVITE", 180);
	want_silence(&r.twin, 5000);
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_the_name),
		cmocka_unit_test(by_what_it_came_by),
		cmocka_unit_test(first_where_it_came_from),
		cmocka_unit_test(p5_and_nowhere_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
