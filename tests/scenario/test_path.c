/* Path (RFC 3327): phones behind a proxy, which the server reaches through it. */
#include "harness.h"

struct rig {
	struct world w;
	struct phone a, proxy;
	unsigned cseq;
};

static void rig_open(struct rig *r, enum td_proto proto, const char *extra)
{
	memset(r, 0, sizeof(*r));
	world_open(&r->w, 3, 2, extra);
	phone_open(&r->a, &r->w, "alice", "10.0.1.1", 5060, TD_UDP);
	phone_open(&r->proxy, &r->w, "proxy", "10.0.1.9", 5060, proto);
}

static void rig_close(struct rig *r)
{
	phone_close(&r->a);
	phone_close(&r->proxy);
	world_close(&r->w);
}

/* What the proxy passes on of a phone that is at 192.168.0.5. */
static struct td_msg *reg(struct rig *r, const char *domain, const char *lines)
{
	struct td_msg *m;

	phone_send(&r->proxy,
		   "REGISTER sip:%s SIP/2.0\nVia: SIP/2.0/%.*s 10.0.1.9;branch=z9hG4bKp%u\nVia: SIP/2.0/UDP "
		   "192.168.0.5;branch=z9hG4bKq\n"
		   "Max-Forwards: 69\nFrom: <sip:bob@%s>;tag=1\nTo: <sip:bob@%s>\nCall-ID: c1\nCSeq: %u REGISTER\n"
		   "Contact: <sip:bob@192.168.0.5>\n%sContent-Length: 0\n\n",
		   domain, TD_FMT(td_proto_name(r->proxy.proto)), ++r->w.serial, domain, domain, ++r->cseq, lines);
	m = maybe_status(&r->proxy, 0, 1000);
	assert_non_null(m);
	return m;
}

static void takes_the_path(enum td_proto proto, const char *domain)
{
	struct leg l, callee;
	struct td_msg *m;
	struct rig r;
	char to[64], path[160], lines[256];

	rig_open(&r, proto, NULL);
	snprintf(path, sizeof(path), "<sip:inner@10.0.1.9%s;lr;ob>,<sip:far.test;lr>,\"x\" <sip:farther.test;lr>",
		 proto == TD_TCP ? ";transport=tcp" : "");
	snprintf(lines, sizeof(lines), "Supported: path\nPath: %.*s\nPath: %s\n", (int)strcspn(path, ","), path,
		 strchr(path, ',') + 1);
	m = reg(&r, domain, lines);
	assert_int_equal(m->status, 200);
	assert_string_equal(header(m, "Path"), path);
	snprintf(to, sizeof(to), "sip:bob@%s", domain);
	leg_new(&l, &r.a, domain, to);
	leg_send(&l, "INVITE", NULL, SDP);
	m = want_request(&r.proxy, "INVITE");
	assert_str(m->uri, "sip:bob@192.168.0.5");
	assert_int_equal(header_count(m, TD_HDR_ROUTE), 3);
	assert_string_equal(header(m, "Route"), path);
	leg_of_request(&callee, &r.proxy, m);
	phone_answer(&r.proxy, m, 486, "", NULL);
	want_status(&r.a, 486);
	if (strcmp(domain, "any.test") == 0)
		want_request(&r.proxy, "ACK");
	/* it is gone with the binding */
	m = reg(&r, domain, "Expires: 0\nSupported: path\n");
	assert_int_equal(m->status, 200);
	assert_string_equal(header(m, "Path"), "");
	rig_close(&r);
}

/* Proves RFC 3327 §5.3-1, §5.4-1. */
static void requests_take_the_path(void **state)
{
	takes_the_path(TD_UDP, "any.test");
	takes_the_path(TD_TCP, "any.test");
	takes_the_path(TD_UDP, "quick.test"); /* without state */
}

/* The proxy listens by TCP and connected for each REGISTER: the Path says where it listens. */
static void connection_of_the_register_is_gone(void **state)
{
	struct td_msg *m;
	struct leg l;
	struct rig r;

	rig_open(&r, TD_TCP, NULL);
	assert_int_equal(reg(&r, "any.test", "Supported: path\nPath: <sip:10.0.1.9;transport=tcp;lr>\n")->status, 200);
	phone_drop(&r.proxy);
	world_run(&r.w, 1000);
	leg_new(&l, &r.a, "any.test", "sip:bob@any.test");
	leg_send(&l, "OPTIONS", NULL, NULL);
	m = want_request(&r.proxy, "OPTIONS");
	assert_string_equal(header(m, "Route"), "<sip:10.0.1.9;transport=tcp;lr>");
	phone_answer(&r.proxy, m, 200, "", NULL);
	want_status(&r.a, 200);
	rig_close(&r);
}

/* Proves RFC 3261 §10.3-4; RFC 3327 §4-1, §5.3-2. */
static void refused(void **state)
{
	static const struct {
		const char *lines;
		unsigned status;
	} rows[] = {
		{ "Path: <sip:10.0.1.9;lr>\n", 420 }, /* §5.3: the phone does not know of it */
		{ "Supported: path\nPath: <sip:10.0.1.9>\n", 400 },
		{ "Supported: path\nPath: sip:10.0.1.9;lr\n", 400 },
		{ "Supported: path\nPath: <sip:10.0.1.9;lr\n", 400 },
		{ "Supported: path\nPath: <tel:+49;lr>\n", 400 },
		{ "Supported: path\nPath: <sip:10.0.1.9;lr>, <sip:x>\n", 400 },
		{ "Supported: path\nPath: <sip:10.0.0.1;lr>\n", 403 },
		{ "Supported: path\nPath: <sip:any.test;lr>\n", 403 },
		{ "Supported: path\nPath: <sip:127.0.0.1;lr>\n", 403 },
		{ "Supported: path\nPath: <sip:x;maddr=127.0.0.1;lr>\n", 403 },
		{ "Require: path\n", 200 },
		{ "Require: path, other\n", 420 },
	};
	char lines[4096];
	struct td_msg *m;
	struct rig r;

	rig_open(&r, TD_UDP, NULL);
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		m = reg(&r, "any.test", rows[i].lines);
		if (m->status != rows[i].status)
			fail_msg("%s: wanted %u, got %.*s", rows[i].lines, rows[i].status, TD_FMT(m->bytes));
		if (i == 0)
			assert_string_equal(header(m, "Unsupported"), "path");
	}
	/* too many hops, too long ones */
	snprintf(lines, sizeof(lines), "Supported: path\nPath: ");
	for (int i = 0; i < 17; i++)
		snprintf(lines + strlen(lines), sizeof(lines) - strlen(lines), "%s<sip:10.0.1.9;lr>", i ? "," : "");
	snprintf(lines + strlen(lines), sizeof(lines) - strlen(lines), "\n");
	assert_int_equal(reg(&r, "any.test", lines)->status, 403);
	snprintf(lines, sizeof(lines), "Supported: path\nPath: <sip:%0*d@10.0.1.9;lr>, <sip:%0*d@x;lr>, <sip:%0*d@x;lr>\n", 900,
		 1, 900, 1, 900, 1);
	assert_int_equal(reg(&r, "any.test", lines)->status, 403);
	rig_close(&r);
}

/* A11: whoever registers may invent a Path. It leads back to him. */
/* Proves RFC 3327 §6.1-1. */
static void a11_path_of_a_victim(void **state)
{
	struct phone victim;
	struct td_msg *m;
	struct leg l;
	struct rig r;

	rig_open(&r, TD_UDP, NULL);
	phone_open(&victim, &r.w, "victim", "10.0.1.7", 5060, TD_UDP);
	assert_int_equal(reg(&r, "any.test", "Supported: path\nPath: <sip:10.0.1.7;lr>\n")->status, 200);
	leg_new(&l, &r.a, "any.test", "sip:bob@any.test");
	leg_send(&l, "OPTIONS", NULL, NULL);
	m = want_request(&r.proxy, "OPTIONS");
	phone_answer(&r.proxy, m, 200, "", NULL);
	want_status(&r.a, 200);
	want_silence(&victim, 1000);
	phone_close(&victim);
	rig_close(&r);
}

/* RFC 3608: phones of a domain are told what their requests are to pass, with each 200 and with no other answer. */
/* Proves RFC 3608 §6.3-1. */
static void service_route(void **state)
{
	struct td_msg *m;
	struct rig r;

	rig_open(&r, TD_UDP, NULL);
	assert_str(r.w.cfg->domains[1].name, "any.test");
	r.w.cfg->domains[1].service_route = TD_STR("<sip:edge.any.test;lr>, <sip:x;lr>");
	r.w.cfg->service_routes = 1;
	m = reg(&r, "any.test", "");
	assert_int_equal(m->status, 200);
	assert_string_equal(header(m, "Service-Route"), "<sip:edge.any.test;lr>, <sip:x;lr>");
	m = reg(&r, "any.test", "Supported: path\nPath: <sip:10.0.1.9;lr>\n");
	assert_string_equal(header(m, "Service-Route"), "<sip:edge.any.test;lr>, <sip:x;lr>");
	assert_string_equal(header(m, "Path"), "<sip:10.0.1.9;lr>");
	m = reg(&r, "any.test", "Path: <sip:10.0.1.9;lr>\n");
	assert_int_equal(m->status, 420);
	assert_string_equal(header(m, "Service-Route"), "");
	m = reg(&r, "example.com", "");
	assert_int_equal(m->status, 200);
	assert_string_equal(header(m, "Service-Route"), "");
	rig_close(&r);
}

/* ---- proxies that keep the phone's connections (RFC 5626) ---- */

/* Bob's phone registers through an edge: each way is a binding of its own, though all have one URI. */
static void reg_by(struct rig *r, struct phone *edge, const char *domain, unsigned reg_id, const char *contact)
{
	char addr[TD_ADDR_TEXT];
	struct td_msg *m;

	phone_send(edge,
		   "REGISTER sip:%s SIP/2.0\nVia: SIP/2.0/UDP %s;branch=z9hG4bKe%u\nVia: SIP/2.0/UDP "
		   "192.168.0.5;branch=z9hG4bKq\n"
		   "Max-Forwards: 69\nFrom: <sip:bob@%s>;tag=1\nTo: <sip:bob@%s>\nCall-ID: c%u\nCSeq: %u REGISTER\n"
		   "Contact: <%s>;+sip.instance=\"<urn:uuid:1>\";reg-id=%u\nSupported: path, outbound\nPath: "
		   "<sip:token%u@%s;lr;ob>\n"
		   "Content-Length: 0\n\n",
		   domain, td_addr_text(addr, &edge->addr), r->w.serial + 1, domain, domain, reg_id, r->cseq + 1, contact, reg_id,
		   reg_id, td_addr_text(addr, &edge->addr));
	r->w.serial++;
	r->cseq++;
	m = maybe_status(edge, 0, 1000);
	assert_non_null(m);
	assert_int_equal(m->status, 200);
	world_run(&r->w, 1100); /* the later one is the better one */
}

static void flow_lost(struct rig *r, struct phone *edge)
{
	phone_refuse(edge, want_request(edge, "INVITE"), 430);
}

/* "the proxy SHOULD replace the failed branch with another target with the same instance-id, but a different reg-id" (RFC 5626 §7). */
/* Proves RFC 5626 §7-5. */
static void another_way_to_the_phone(void **state)
{
	static const struct {
		const char *one, *two; /* contacts */
		unsigned second;       /* what the other way comes to: 430 too, or an answer of the phone's */
		unsigned status;
		const char *domain; /* NULL: any.test */
	} rows[] = {
		{ "sip:bob@192.168.0.5", "sip:bob@192.168.0.5", 486, 486 },
		{ "sip:bob@192.168.0.5", "sip:bob@192.168.0.5:5070", 486, 486 },
		{ "sip:bob@192.168.0.5", "sip:bob@192.168.0.5", 430, 480 },
		{ "sip:bob@192.168.0.5", "sip:bob@192.168.0.5:5070", 430, 480 },
		{ "sip:bob@192.168.0.5", "sip:bob@192.168.0.5", 603, 603 },
		{ "sip:bob@192.168.0.5", "sip:bob@192.168.0.5", 486, 486, "turn.test" },
		{ "sip:bob@192.168.0.5", "sip:bob@192.168.0.5:5070", 430, 480, "turn.test" },
	};

	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		const char *domain = rows[i].domain ? rows[i].domain : "any.test";
		struct phone other;
		struct leg l;
		struct rig r;
		char to[32];

		rig_open(&r, TD_UDP, NULL);
		phone_open(&other, &r.w, "other", "10.0.1.8", 5060, TD_UDP);
		reg_by(&r, &r.proxy, domain, 1, rows[i].one);
		reg_by(&r, &other, domain, 2, rows[i].two);
		snprintf(to, sizeof(to), "sip:bob@%s", domain);
		leg_new(&l, &r.a, domain, to);
		leg_send(&l, "INVITE", NULL, SDP);
		world_run(&r.w, 50);
		want_silence(&r.proxy, 100); /* one way at a time */
		flow_lost(&r, &other);
		phone_refuse(&r.proxy, want_request(&r.proxy, "INVITE"), rows[i].second);
		assert_int_equal(want_answer(&r.a)->status, rows[i].status);
		want_silence(&other, 2000);
		want_silence(&r.proxy, 2000);
		phone_close(&other);
		rig_close(&r);
	}
}

/* "MUST NOT forward the same request to another target representing the same instance" once the phone itself has answered. */
static void the_phone_has_answered(void **state)
{
	struct phone other;
	struct td_msg *m;
	struct leg l;
	struct rig r;

	rig_open(&r, TD_UDP, NULL);
	phone_open(&other, &r.w, "other", "10.0.1.8", 5060, TD_UDP);
	reg_by(&r, &r.proxy, "any.test", 1, "sip:bob@192.168.0.5");
	reg_by(&r, &other, "any.test", 2, "sip:bob@192.168.0.5:5070");
	leg_new(&l, &r.a, "any.test", "sip:bob@any.test");
	leg_send(&l, "INVITE", NULL, SDP);
	phone_refuse(&other, want_request(&other, "INVITE"), 486);
	want_status(&r.a, 486);
	want_silence(&r.proxy, 2000);
	/* a MESSAGE has another way too */
	leg_new(&l, &r.a, "any.test", "sip:bob@any.test");
	leg_send(&l, "MESSAGE", NULL, NULL);
	phone_answer(&other, want_request(&other, "MESSAGE"), 430, "", NULL);
	phone_answer(&r.proxy, want_request(&r.proxy, "MESSAGE"), 200, "", NULL);
	want_status(&r.a, 200);
	/* nobody else is there */
	phone_forget(&r.a);
	leg_new(&l, &r.a, "any.test", "sip:bob@any.test");
	leg_send(&l, "INVITE", NULL, SDP);
	flow_lost(&r, &other);
	m = want_request(&r.proxy, "INVITE");
	phone_answer(&r.proxy, m, 180, "", NULL);
	want_status(&r.a, 180);
	leg_send(&l, "CANCEL", NULL, NULL);
	phone_cancelled(&r.proxy, m);
	want_status(&r.a, 487);
	phone_close(&other);
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_take_the_path),
		cmocka_unit_test(connection_of_the_register_is_gone),
		cmocka_unit_test(refused),
		cmocka_unit_test(a11_path_of_a_victim),
		cmocka_unit_test(another_way_to_the_phone),
		cmocka_unit_test(the_phone_has_answered),
		cmocka_unit_test(service_route),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
