/* sips URIs (RFC 3261 §26.2.2, RFC 5630): TLS from end to end, or nothing. */
#include "harness.h"

#define ALICE "<sips:alice@10.0.1.1:40001>"
#define BOB "<sips:bob@10.0.1.2:40002>"
#define ONE ";+sip.instance=\"<urn:uuid:00000000-0000-1000-8000-000000000001>\""

struct rig {
	struct world w;
	struct phone a, b, c; /* alice and bob over TLS, carol over UDP */
	struct leg out, in;
};

static void rig_open(struct rig *r, unsigned workers)
{
	memset(r, 0, sizeof(*r));
	world_open_everywhere(&r->w, 6, workers, NULL);
	phone_open(&r->a, &r->w, "alice", "10.0.1.1", 40001, TD_TLS);
	phone_open(&r->b, &r->w, "bob", "10.0.1.2", 40002, TD_TLS);
	phone_open(&r->c, &r->w, "carol", "10.0.1.3", 5060, TD_UDP);
	r->a.contact = ALICE;
}

static void rig_close(struct rig *r)
{
	phone_close(&r->a);
	phone_close(&r->b);
	phone_close(&r->c);
	world_close(&r->w);
}

static struct td_msg *reg(struct phone *p, const char *target, const char *contact, const char *lines)
{
	struct leg l;

	p->contact = contact;
	leg_new(&l, p, "any.test", "sip:bob@any.test");
	snprintf(l.target, sizeof(l.target), "%s", target);
	return leg_do(&l, "REGISTER", lines, NULL);
}

static void bob_is(struct rig *r, const char *domain, const char *contact)
{
	char target[64];
	struct leg l;

	r->b.contact = contact;
	leg_new(&l, &r->b, domain, "sip:bob@any.test");
	snprintf(l.remote, sizeof(l.remote), "<sips:bob@%s>", domain);
	snprintf(target, sizeof(target), "sips:%s", domain);
	memcpy(l.target, target, sizeof(target));
	assert_int_equal(leg_do(&l, "REGISTER", NULL, NULL)->status, 200);
}

static void dial(struct rig *r, struct phone *from, const char *to)
{
	leg_new(&r->out, from, "any.test", to);
	leg_send(&r->out, "INVITE", NULL, SDP);
}

static void want_refusal(struct rig *r, struct phone *from, unsigned status, const char *warning)
{
	struct td_msg *m = maybe_status(from, 0, 40000);

	assert_non_null(m);
	if (m->status != status || strcmp(header(m, "Warning"), warning))
		fail_msg("%.*s", TD_FMT(m->bytes));
}

/* "The registrar MUST accept a binding to a SIPS Contact only if all the appropriate URIs are of the SIPS scheme" (RFC 5630 §5.2). */
/* Proves RFC 5630 §5.2-2. */
static void registrations(void **state)
{
	static const struct {
		const char *target, *contact, *lines;
		unsigned status;
		const char *shown;
	} rows[] = {
		{ "sips:any.test", BOB, "", 200, BOB },
		{ "sip:any.test", BOB, "", 400, "A sips Contact Needs a sips Request-URI" },
		{ "sip:any.test", BOB ";expires=0", "", 200, "Content-Length" }, /* a sips contact may always be taken back */
		{ "sips:any.test", "<sip:bob@10.0.1.2:40002;transport=tls>", "", 200, "<sip:bob@" },
		{ "sips:any.test", BOB ", <sip:bob@10.0.1.2:40003>", "", 400, "Contacts of sip and of sips" },
		{ "sips:any.test", BOB ", <sip:bob@10.0.1.2:40003>;expires=0", "", 200, BOB },
		{ "sips:any.test", BOB, "Supported: path\nPath: <sip:10.0.1.2;lr>\n", 400, "A sips Contact Needs a sips Path" },
		{ "sips:any.test", BOB, "Supported: path\nPath: <sips:10.0.1.2;lr>, <sip:h;lr>\n", 400, "sips Path" },
		{ "sips:any.test", BOB, "Supported: path\nPath: <sips:10.0.1.2;lr>, <sips:h;lr>\n", 200, BOB },
	};

	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct td_msg *m;
		struct rig r;

		rig_open(&r, 1);
		m = reg(&r.b, rows[i].target, rows[i].contact, rows[i].lines);
		if (m->status != rows[i].status || !find(m, rows[i].shown))
			fail_msg("%s %s\n%s got %.*s", rows[i].target, rows[i].contact, rows[i].lines, TD_FMT(m->bytes));
		rig_close(&r);
	}
}

/* What did not come by TLS did not keep the promise. */
/* Proves RFC 5630 §5.3-1. */
static void not_over_udp(void **state)
{
	struct rig r;

	rig_open(&r, 1);
	bob_is(&r, "any.test", BOB);
	assert_int_equal(reg(&r.c, "sips:any.test", "<sip:bob@10.0.1.3>", "")->status, 400);
	dial(&r, &r.c, "sips:bob@any.test");
	want_refusal(&r, &r.c, 400, "");
	leg_new(&r.out, &r.c, "any.test", "sips:any.test");
	leg_send(&r.out, "OPTIONS", NULL, NULL);
	want_refusal(&r, &r.c, 400, "");
	leg_new(&r.out, &r.a, "any.test", "sips:any.test");
	leg_send(&r.out, "OPTIONS", NULL, NULL);
	want_status(&r.a, 200);
	want_silence(&r.b, 1000);
	rig_close(&r);
}

/* A phone with a sips contact is one phone, also when it had a sip contact before, or has one later (RFC 5630 §5.1.1.1). */
/* Proves RFC 5630 §5.2-1. */
static void one_binding_for_both(void **state)
{
	struct td_msg *m;
	struct rig r;

	rig_open(&r, 2);
	reg(&r.b, "sip:any.test", "<sip:bob@10.0.1.2:40002>", "");
	m = reg(&r.b, "sips:any.test", BOB, "");
	assert_int_equal(header_count(m, TD_HDR_CONTACT), 1);
	assert_non_null(find(m, BOB));
	m = reg(&r.b, "sips:any.test", "<sip:bob@10.0.1.2:40002>", "");
	assert_int_equal(header_count(m, TD_HDR_CONTACT), 1);
	assert_non_null(find(m, "<sip:bob@"));
	rig_close(&r);
}

static void hang_up(struct leg *l, struct phone *to)
{
	leg_send(l, "BYE", NULL, NULL);
	phone_answer(to, want_request(to, "BYE"), 200, "", NULL);
	want_status(l->p, 200);
}

static void answer(struct rig *r, struct td_msg *invite, struct phone *caller)
{
	leg_of_request(&r->in, &r->b, invite);
	phone_answer(&r->b, invite, 200, "", SDP);
	leg_learn(&r->out, want_status(caller, 200));
	leg_send(&r->out, "ACK", NULL, NULL);
	want_request(&r->b, "ACK");
}

static void calls(const char *domain)
{
	char to[64];

	snprintf(to, sizeof(to), "sips:bob@%s", domain);
	for (unsigned i = 0; i < 6; i++) {
		struct td_msg *m;
		struct rig r;

		rig_open(&r, 1 + i % 3);
		bob_is(&r, domain, BOB);
		dial(&r, &r.a, to);
		m = want_request(&r.b, "INVITE");
		assert_str(m->uri, "sips:bob@10.0.1.2:40002");
		assert_str(m->via.transport, "TLS");
		assert_memory_equal(header(m, "Record-Route"), "<sips:10.0.0.1:5061;lr;td=", 26);
		answer(&r, m, &r.a);
		leg_send(&r.in, "INFO", NULL, NULL);
		m = want_request(&r.a, "INFO");
		assert_str(m->uri, "sips:alice@10.0.1.1:40001");
		phone_answer(&r.a, m, 200, "", NULL);
		want_status(&r.b, 200);
		if (i < 3)
			hang_up(&r.in, &r.a);
		else
			hang_up(&r.out, &r.b);
		rig_close(&r);
	}
}

/* Proves RFC 5630 §5.3-1. */
static void calls_by_sips(void **state)
{
	calls("any.test");
}

/* Proves RFC 5630 §5.3-1. */
static void calls_by_sips_without_state(void **state)
{
	calls("quick.test");
}

/* A browser's connection is as good, if it is a secure one. */
/* Proves RFC 5630 §5.3-1. */
static void calls_of_browsers(void **state)
{
	for (enum td_proto proto = TD_WS; proto <= TD_WSS; proto++) {
		struct phone browser;
		struct td_msg *m;
		struct rig r;

		rig_open(&r, 2);
		phone_open(&browser, &r.w, "bob", "10.0.1.4", 40003, proto);
		m = reg(&browser, "sips:any.test", "<sips:bob@df7jal23ls0d.invalid;transport=ws>", "");
		assert_int_equal(m->status, proto == TD_WSS ? 200 : 400);
		dial(&r, &r.a, "sips:bob@any.test");
		if (proto == TD_WSS) {
			m = want_request(&browser, "INVITE");
			assert_str(m->uri, "sips:bob@df7jal23ls0d.invalid;transport=ws");
			assert_non_null(find(m, "Record-Route: <sips:10.0.0.1:8443;transport=ws;lr;td="));
			assert_non_null(find(m, "Record-Route: <sips:10.0.0.1:5061;lr;td="));
			phone_refuse(&browser, m, 486);
		}
		want_status(&r.a, proto == TD_WSS ? 486 : 480);
		phone_close(&browser);
		rig_close(&r);
	}
}

/* Called by a sip URI, a phone that registered a sips contact sees a sip URI, and gets it by TLS (RFC 5630 §5.3). */
/* Proves RFC 5630 §5.3-3. */
static void called_by_sip(void **state)
{
	static const char *const domains[] = { "any.test", "quick.test" };

	for (size_t i = 0; i < TD_ARRAY_LEN(domains); i++) {
		char to[64];
		struct td_msg *m;
		struct rig r;

		rig_open(&r, 1);
		bob_is(&r, domains[i], "<sips:bob@10.0.1.2:40002;x=y>");
		snprintf(to, sizeof(to), "sip:bob@%s", domains[i]);
		dial(&r, &r.c, to);
		m = want_request(&r.b, "INVITE");
		assert_str(m->uri, "sip:bob@10.0.1.2:40002;x=y");
		assert_memory_equal(header(m, "Record-Route"), "<sip:10.0.0.1:5061;transport=tls;lr;td=", 39);
		r.b.contact = "<sip:bob@10.0.1.2:40002;transport=tls>";
		answer(&r, m, &r.c);
		hang_up(&r.in, &r.c);
		rig_close(&r);
	}
}

/* Whoever did not register a sips contact is not called by a sips URI, though he is there by TLS. */
/* Proves RFC 5630 §5.3-2. */
static void sips_not_allowed(void **state)
{
	static const char warning[] = "380 tandem \"SIPS Not Allowed\"";
	struct rig r;

	for (unsigned workers = 1; workers < 4; workers += 2) {
		rig_open(&r, workers);
		reg(&r.b, "sips:any.test", "<sip:bob@10.0.1.2:40002;transport=tls>", "");
		dial(&r, &r.a, "sips:bob@any.test");
		want_refusal(&r, &r.a, 480, warning);
		dial(&r, &r.a, "sips:carol@any.test"); /* nobody is there at all */
		want_refusal(&r, &r.a, 480, "");
		bob_is(&r, "quick.test", "<sip:bob@10.0.1.2:40002;transport=tls>");
		dial(&r, &r.a, "sips:bob@quick.test");
		want_refusal(&r, &r.a, 480, warning);
		want_silence(&r.b, 1000);
		rig_close(&r);
	}
}

/* Of two phones the one that can; also of those that come while it rings. */
static void only_who_can(void **state)
{
	struct td_msg *m;
	struct rig r;

	rig_open(&r, 2);
	bob_is(&r, "any.test", BOB);
	assert_int_equal(reg(&r.c, "sip:any.test", "<sip:bob@10.0.1.3>", "")->status, 200);
	dial(&r, &r.a, "sips:bob@any.test");
	m = want_request(&r.b, "INVITE");
	phone_answer(&r.b, m, 180, "", NULL);
	want_status(&r.a, 180);
	world_run(&r.w, 1500);
	assert_int_equal(reg(&r.c, "sip:any.test", "<sip:bob@10.0.1.3:5070>", "")->status, 200);
	want_silence(&r.c, 1000);
	phone_refuse(&r.b, m, 486);
	want_status(&r.a, 486);
	rig_close(&r);
}

/* A refresh while it rings is no other phone, though it is called by another scheme than it registered. */
static void rings_once(void **state)
{
	struct td_msg *m;
	struct rig r;

	rig_open(&r, 2);
	bob_is(&r, "any.test", BOB);
	dial(&r, &r.c, "sip:bob@any.test");
	m = want_request(&r.b, "INVITE");
	phone_answer(&r.b, m, 180, "", NULL);
	want_status(&r.c, 180);
	world_run(&r.w, 1500);
	bob_is(&r, "any.test", BOB);
	want_silence(&r.b, 1000);
	phone_refuse(&r.b, m, 486);
	want_status(&r.c, 486);
	rig_close(&r);
}

static void drop(struct phone *p)
{
	while (p->conn_n)
		td_conn_close(p->conns[--p->conn_n]);
	p->conn = NULL;
	world_run(p->w, 100);
}

/* When its connection is gone, another is made by TLS, to whoever proves to be at that address; never anything else. */
static void another_connection(void **state)
{
	struct td_msg *m;
	struct rig r;

	rig_open(&r, 1);
	bob_is(&r, "any.test", BOB);
	drop(&r.b);
	dial(&r, &r.a, "sips:bob@any.test");
	m = want_request(&r.b, "INVITE");
	assert_str(m->via.transport, "TLS");
	phone_refuse(&r.b, m, 486);
	want_status(&r.a, 486);
	drop(&r.b);
	td_listener_close(r.b.listener);
	r.b.listener = NULL;
	dial(&r, &r.a, "sips:bob@any.test");
	want_refusal(&r, &r.a, 500, "");
	rig_close(&r);
}

/* "the proxy MUST NOT recurse on the response" where it would lead from one scheme to the other. */
/* Proves RFC 5630 §5.3-4. */
static void redirected_elsewhere(void **state)
{
	static const struct {
		bool sips;
		const char *contact;
		bool followed;
	} rows[] = {
		{ true, "<sip:bob2@10.0.1.2:40002;transport=tls>", false },
		{ true, "<sips:bob2@10.0.1.2:40002>", true },
		{ false, "<sips:bob2@10.0.1.2:40002>", false },
	};

	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct td_msg *m;
		struct rig r;

		rig_open(&r, 1);
		bob_is(&r, "any.test", BOB);
		dial(&r, &r.a, rows[i].sips ? "sips:bob@any.test" : "sip:bob@any.test");
		m = want_request(&r.b, "INVITE");
		r.b.contact = rows[i].contact;
		phone_answer(&r.b, m, 302, "", NULL);
		if (rows[i].followed) {
			m = want_request(&r.b, "INVITE");
			assert_str(m->uri, "sips:bob2@10.0.1.2:40002");
			phone_answer(&r.b, m, 486, "", NULL);
			want_status(&r.a, 486);
		} else {
			m = want_status(&r.a, 302);
			assert_string_equal(header(m, "Contact"), rows[i].contact);
		}
		rig_close(&r);
	}
}

/* The address of one phone is of the scheme it registered with (RFC 5630 §5.2.1), and leads to it alone. */
/* Proves RFC 5630 §5.2.1-1. */
static void address_of_one_phone(void **state)
{
	char gruu[200];
	struct td_msg *m;
	const char *at;
	struct rig r;

	rig_open(&r, 1);
	m = reg(&r.b, "sips:any.test", BOB ONE, "Supported: gruu\n");
	assert_non_null(find(m, "temp-gruu=\"sips:"));
	at = strstr(header(m, "Contact"), "pub-gruu=\"sips:");
	assert_non_null(at);
	at += 10;
	snprintf(gruu, sizeof(gruu), "%.*s", (int)strcspn(at, "\""), at);
	dial(&r, &r.a, gruu);
	m = want_request(&r.b, "INVITE");
	assert_str(m->uri, "sips:bob@10.0.1.2:40002");
	phone_refuse(&r.b, m, 486);
	want_status(&r.a, 486);
	rig_close(&r);
}

/* Proves RFC 5630 §5.4-1. */
static void redirected_as_registered(void **state)
{
	static const char *const contacts[] = { BOB, "<sip:bob@10.0.1.2:40002;transport=tls>" };

	for (unsigned i = 0; i < 4; i++) {
		struct td_msg *m;
		struct rig r;

		rig_open(&r, 1);
		bob_is(&r, "there.test", contacts[i / 2]);
		dial(&r, &r.a, i % 2 ? "sips:bob@there.test" : "sip:bob@there.test");
		m = want_status(&r.a, 302);
		assert_non_null(find(m, contacts[i / 2]));
		assert_int_equal(header_count(m, TD_HDR_CONTACT), 1);
		rig_close(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(registrations),
		cmocka_unit_test(not_over_udp),
		cmocka_unit_test(one_binding_for_both),
		cmocka_unit_test(calls_by_sips),
		cmocka_unit_test(calls_by_sips_without_state),
		cmocka_unit_test(calls_of_browsers),
		cmocka_unit_test(called_by_sip),
		cmocka_unit_test(sips_not_allowed),
		cmocka_unit_test(only_who_can),
		cmocka_unit_test(rings_once),
		cmocka_unit_test(another_connection),
		cmocka_unit_test(redirected_elsewhere),
		cmocka_unit_test(address_of_one_phone),
		cmocka_unit_test(redirected_as_registered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
