/* REGISTER by RFC 3261 §10.3, as a phone sees it; and who may send anything at all (RFC 3261 §22, threats A1-A4, A7, A10, A11). */
#include "harness.h"

struct rig {
	struct world w;
	struct phone a;
};

/* In 10.0.1.0/24 one is trusted; the domain any.test takes whoever comes from there. */
static void rig_open(struct rig *r, unsigned workers, const char *ip, const char *extra)
{
	world_open(&r->w, 1, workers, extra);
	world_user(&r->w, "alice", "secret");
	world_user(&r->w, "bob", "other");
	phone_open(&r->a, &r->w, "alice", ip, 5060, TD_UDP);
}

static void rig_close(struct rig *r)
{
	phone_close(&r->a);
	world_close(&r->w);
}

static struct td_msg *request(struct rig *r, const char *method, const char *uri, const char *from, const char *to,
			      const char *call_id, unsigned cseq, const char *lines)
{
	struct td_out ip;
	struct td_msg *m;

	td_out_init(&ip);
	td_ip_print(&ip, &r->a.addr);
	td_out_char(&ip, 0);
	phone_send(&r->a,
		   "%s %s SIP/2.0\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%u\nMax-Forwards: 70\nFrom: <%s>;tag=1\nTo: <%s>\n"
		   "Call-ID: %s\nCSeq: %u %s\n%sContent-Length: 0\n\n",
		   method, uri, ip.p, ++r->w.serial, from, to, call_id, cseq, method, lines);
	td_out_free(&ip);
	m = maybe_status(&r->a, 0, 1000);
	assert_non_null(m);
	return m;
}

static struct td_msg *reg(struct rig *r, const char *aor, const char *call_id, unsigned cseq, const char *lines)
{
	const char *at = strchr(aor, '@');
	char uri[256], who[256];

	snprintf(uri, sizeof(uri), "sip:%s", at ? at + 1 : "any.test");
	snprintf(who, sizeof(who), "sip:%s", aor);
	return request(r, "REGISTER", uri, who, who, call_id, cseq, lines);
}

/* All Contact values of an answer, each followed by a space. */
static void want_contacts(const struct td_msg *m, const char *want)
{
	struct td_values it;
	struct td_str v;
	struct td_out o;

	td_out_init(&o);
	td_values_of(&it, m, TD_HDR_CONTACT);
	while (td_values_next(&v, &it) == 1) {
		td_out_str(&o, v);
		td_out_char(&o, ' ');
	}
	assert_str(td_out_view(&o), want);
	td_out_free(&o);
}

static void expect(struct rig *r, const char *aor, const char *call_id, unsigned cseq, const char *lines, unsigned status,
		   const char *contacts)
{
	struct td_msg *m = reg(r, aor, call_id, cseq, lines);

	if (m->status != status)
		fail_msg("%s\nwanted %u, got %.*s", lines, status, TD_FMT(m->bytes));
	if (status == 200) {
		want_contacts(m, contacts);
		assert_true(header(m, "Date")[0]);
	}
}

static void bindings_come_and_go(unsigned workers)
{
	struct rig r;

	rig_open(&r, workers, "10.0.1.1", NULL);
	expect(&r, "x@any.test", "c1", 1, "", 200, "");
	expect(&r, "x@any.test", "c1", 2, "Contact: <sip:x@10.0.1.1>\n", 200, "<sip:x@10.0.1.1>;expires=3600 ");
	world_run(&r.w, 10000);
	expect(&r, "x@any.test", "c1", 3, "", 200, "<sip:x@10.0.1.1>;expires=3590 ");
	/* own, field's, and none: each contact its own lifetime, parameters and q; others are kept */
	expect(&r, "x@any.test", "c1", 4,
	       "Expires: 100\nContact: \"X\" <sip:x@10.0.1.2;transport=tcp>;q=0.25;expires=200;+sip.instance=\"<urn:1>\", "
	       "sip:x@10.0.1.3;q=1\n",
	       200,
	       "<sip:x@10.0.1.1>;expires=3590 <sip:x@10.0.1.2;transport=tcp>;+sip.instance=\"<urn:1>\";q=0.250;expires=200 "
	       "<sip:x@10.0.1.3>;expires=100 ");
	expect(&r, "x@any.test", "c1", 5, "Contact: <sip:x@10.0.1.3>;expires=0\n", 200,
	       "<sip:x@10.0.1.1>;expires=3590 <sip:x@10.0.1.2;transport=tcp>;+sip.instance=\"<urn:1>\";q=0.250;expires=200 ");
	world_run(&r.w, 200000);
	expect(&r, "x@any.test", "c1", 6, "", 200, "<sip:x@10.0.1.1>;expires=3390 ");
	expect(&r, "x@any.test", "c1", 7, "Contact: *\nExpires: 0\n", 200, "");
	rig_close(&r);
}

/* Proves RFC 3261 §10.3-8, §10.3-9, §10.3-11, §10.3-14, §10.3-15. */
static void bindings(void **state)
{
	bindings_come_and_go(1);
	bindings_come_and_go(3);
}

/* Step 7: a Call-ID's requests count up; one that is late changes nothing, one that is repeated gets the same answer. */
/* Proves RFC 3261 §10.3-12. */
static void order(void **state)
{
	struct rig r;

	rig_open(&r, 1, "10.0.1.1", NULL);
	expect(&r, "x@any.test", "c1", 10, "Contact: <sip:x@10.0.1.1>\n", 200, "<sip:x@10.0.1.1>;expires=3600 ");
	expect(&r, "x@any.test", "c1", 10, "Contact: <sip:x@10.0.1.1>\n", 200, "<sip:x@10.0.1.1>;expires=3600 ");
	expect(&r, "x@any.test", "c1", 10, "Contact: <sip:x@10.0.1.1>;expires=0\n", 200, "<sip:x@10.0.1.1>;expires=3600 ");
	expect(&r, "x@any.test", "c1", 9, "Contact: <sip:x@10.0.1.1>;expires=0\n", 500, NULL);
	expect(&r, "x@any.test", "c1", 9, "Contact: <sip:new@10.0.1.1>, <sip:x@10.0.1.1>\n", 500, NULL);
	expect(&r, "x@any.test", "c1", 9, "Contact: *\nExpires: 0\n", 500, NULL);
	expect(&r, "x@any.test", "c1", 11, "", 200, "<sip:x@10.0.1.1>;expires=3600 ");
	expect(&r, "x@any.test", "c2", 1, "Contact: <sip:x@10.0.1.1>;expires=70\n", 200, "<sip:x@10.0.1.1>;expires=70 ");
	rig_close(&r);
}

/* Requests that are refused, and that then have changed nothing. */
/* Proves RFC 3261 §8.2.2.3-1, §10.3-2, §10.3-4, §10.3-7, §10.3-8, §10.3-9, §10.3-10. */
static void d8_a11_t9_refusals(void **state)
{
	static const struct {
		const char *id, *aor, *lines;
		unsigned status;
		const char *contacts;
	} rows[] = {
		{ "D8 brief", "x@any.test", "Contact: <sip:x@10.0.1.1>;expires=59\n", 423, NULL },
		{ "D8 brief among others", "x@any.test", "Contact: <sip:y@10.0.1.1>, <sip:x@10.0.1.1>;expires=1\n", 423, NULL },
		{ "D8 minimum", "k@any.test", "Contact: <sip:x@10.0.1.1>\nExpires: 60\n", 200, "<sip:x@10.0.1.1>;expires=60 " },
		{ "D8 huge", "l@any.test", "Contact: <sip:x@10.0.1.1>\nExpires: 4294967295\n", 200,
		  "<sip:x@10.0.1.1>;expires=7200 " },
		{ "D8 huger", "l@any.test", "Contact: <sip:x@10.0.1.1>\nExpires: 99999999999999999999\n", 200,
		  "<sip:x@10.0.1.1>;expires=7200 " },
		{ "D8 own huge", "m@any.test", "Contact: <sip:x@10.0.1.1>;expires=4294967295\n", 200,
		  "<sip:x@10.0.1.1>;expires=7200 " },
		{ "D8 negative", "n@any.test", "Contact: <sip:x@10.0.1.1>\nExpires: -1\n", 200,
		  "<sip:x@10.0.1.1>;expires=3600 " },
		{ "D8 zero, unknown", "x@any.test", "Contact: <sip:x@10.0.1.1>\nExpires: 0\n", 200, "" },
		{ "star, no Expires", "x@any.test", "Contact: *\n", 400, NULL },
		{ "star, Expires", "x@any.test", "Contact: *\nExpires: 60\n", 400, NULL },
		{ "star and more", "x@any.test", "Contact: *, <sip:x@10.0.1.1>\nExpires: 0\n", 400, NULL },
		{ "more and star", "x@any.test", "Contact: <sip:x@10.0.1.1>\nContact: *\nExpires: 0\n", 400, NULL },
		{ "A11 us", "x@any.test", "Contact: <sip:x@10.0.0.1>\n", 403, NULL },
		{ "A11 us by port", "x@any.test", "Contact: <sip:x@10.0.0.1:5060;transport=tcp>\n", 403, NULL },
		{ "our domain by name", "y@any.test", "Contact: <sip:y@Example.TEST>\n", 200,
		  "<sip:y@Example.TEST>;expires=3600 " },
		{ "A11 loopback", "x@any.test", "Contact: <sip:x@127.0.0.1>\n", 403, NULL },
		{ "A11 mapped loopback", "x@any.test", "Contact: <sip:x@[::ffff:127.0.0.1]>\n", 403, NULL },
		{ "A11 v6 loopback", "x@any.test", "Contact: <sip:x@[::1]>\n", 403, NULL },
		{ "A11 localhost", "x@any.test", "Contact: <sip:x@localhost>\n", 403, NULL },
		{ "A11 any", "x@any.test", "Contact: <sip:x@0.0.0.0>\n", 403, NULL },
		{ "A11 multicast", "x@any.test", "Contact: <sip:x@224.0.1.75>\n", 403, NULL },
		{ "A11 broadcast", "x@any.test", "Contact: <sip:x@255.255.255.255>\n", 403, NULL },
		{ "A11 link-local", "x@any.test", "Contact: <sip:x@169.254.169.254>\n", 403, NULL },
		{ "A11 maddr", "x@any.test", "Contact: <sip:x@10.0.1.1;maddr=127.0.0.1>\n", 403, NULL },
		{ "tel", "x@any.test", "Contact: <tel:+1234>\n", 400, NULL },
		{ "mailto", "x@any.test", "Contact: <mailto:x@any.test>\n", 400, NULL },
		{ "Require", "x@any.test", "Require: nothing, such\nContact: <sip:x@10.0.1.1>\n", 420, NULL },
		{ "A10 foreign domain", "x@elsewhere.test", "Contact: <sip:x@10.0.1.1>\n", 403, NULL },
		{ "no user", "any.test", "Contact: <sip:x@10.0.1.1>\n", 404, NULL },
		{ "unknown user", "nobody@example.test", "Contact: <sip:x@10.0.1.1>\n", 404, NULL },
		{ "nothing was done", "x@any.test", "", 200, "" },
	};
	unsigned cseq = 1;
	struct rig r;

	rig_open(&r, 1, "10.0.1.1", NULL);
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		const char *at = strchr(rows[i].aor, '@');
		char who[64];

		snprintf(who, sizeof(who), "sip:%s", rows[i].aor);
		struct td_msg *m =
			request(&r, "REGISTER", at && strcmp(at, "@example.test") == 0 ? "sip:example.test" : "sip:any.test", who,
				who, "c1", cseq++, rows[i].lines);
		if (m->status != rows[i].status)
			fail_msg("%s: wanted %u, got %.*s", rows[i].id, rows[i].status, TD_FMT(m->bytes));
		if (m->status == 423)
			assert_string_equal(header(m, "Min-Expires"), "60");
		if (m->status == 420)
			assert_int_equal(header_count(m, TD_HDR_UNSUPPORTED), 2);
		if (rows[i].contacts)
			want_contacts(m, rows[i].contacts);
	}
	rig_close(&r);
}

static void a11_contact_bombs(void **state)
{
	char lines[8000];
	size_t n = 0;
	struct rig r;

	rig_open(&r, 1, "10.0.1.1", NULL);
	for (int i = 0; i < 11; i++)
		n += (size_t)snprintf(lines + n, sizeof(lines) - n, "Contact: <sip:x%d@10.0.1.1>\n", i);
	expect(&r, "x@any.test", "c1", 1, lines, 403, NULL);
	lines[strlen(lines) - strlen("Contact: <sip:x10@10.0.1.1>\n")] = 0;
	struct td_msg *m = reg(&r, "x@any.test", "c1", 2, lines);
	assert_int_equal(m->status, 200);
	assert_int_equal(header_count(m, TD_HDR_CONTACT), 10);
	expect(&r, "x@any.test", "c1", 3, "Contact: <sip:more@10.0.1.1>\n", 403, NULL);
	for (n = 0; n < 2400;)
		n += (size_t)snprintf(lines + n, sizeof(lines) - n, "m: <sip:a@h>;expires=0\n");
	expect(&r, "x@any.test", "c1", 4, lines, 403, NULL);
	rig_close(&r);
}

/* ---- credentials ---- */

/* A REGISTER or MESSAGE with what the client made of the last challenge. */
static struct td_msg *with_credentials(struct rig *r, const char *method, const char *from, const char *to, unsigned cseq,
				       const char *extra)
{
	struct td_out o;
	struct td_msg *m;

	td_out_init(&o);
	assert_int_equal(td_auth_client_put(&o, r->a.auth, td_str_of(method), td_str_of("sip:example.test")), 0);
	td_out_z(&o, extra);
	td_out_char(&o, 0);
	m = request(r, method, "sip:example.test", from, to, "c1", cseq, o.p ? o.p : "");
	td_out_free(&o);
	return m;
}

static struct td_msg *login(struct rig *r, const char *method, const char *from, const char *to, const char *extra)
{
	struct td_msg *m = with_credentials(r, method, from, to, ++r->w.serial, extra);

	if ((m->status == 401 || m->status == 407) && !td_auth_client_challenge(r->a.auth, m, NULL))
		m = with_credentials(r, method, from, to, ++r->w.serial, extra);
	return m;
}

/* Fields, not values: a challenge has commas of its own. */
static unsigned challenges(const struct td_msg *m)
{
	unsigned n = 0;

	for (const struct td_hdr *h = td_msg_hdr(m, TD_HDR_WWW_AUTHENTICATE); h; h = td_msg_hdr_next(m, h))
		n++;
	return n;
}

#define ALICE "sip:alice@example.test"
#define BOB "sip:bob@example.test"

/* Proves RFC 3261 §10.3-5, §22.1-2. */
static void challenges_and_passes(void **state)
{
	struct rig r;

	rig_open(&r, 1, "10.0.2.1", NULL);
	struct td_msg *m = request(&r, "REGISTER", "sip:example.test", ALICE, ALICE, "c1", 1, "Contact: <sip:a@10.0.2.1>\n");
	assert_int_equal(m->status, 401);
	assert_int_equal(challenges(m), 2);
	assert_non_null(strstr(header(m, "WWW-Authenticate"), "algorithm=SHA-256")); /* A2: the stronger one first */
	assert_null(strstr(header(m, "WWW-Authenticate"), "stale"));
	phone_password(&r.a, "secret");
	m = login(&r, "REGISTER", ALICE, ALICE, "Contact: <sip:a@10.0.2.1>\n");
	assert_int_equal(m->status, 200);
	want_contacts(m, "<sip:a@10.0.2.1>;expires=3600 ");
	/* the nonce serves again, counting up */
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(with_credentials(&r, "REGISTER", ALICE, ALICE, 100 + i, "")->status, 200);
	/* and is stale after its lifetime: the client notices and goes on */
	world_run(&r.w, 301000);
	m = with_credentials(&r, "REGISTER", ALICE, ALICE, 200, "");
	assert_int_equal(m->status, 401);
	assert_non_null(strstr(header(m, "WWW-Authenticate"), "stale=true"));
	assert_int_equal(login(&r, "REGISTER", ALICE, ALICE, "")->status, 200);
	rig_close(&r);
}

/* A1: the same credentials again, in another method, for another target. */
/* Proves RFC 3261 §22.1-3, §22.4-2. */
static void a1_replay(void **state)
{
	struct td_out o;
	struct rig r;

	rig_open(&r, 1, "10.0.2.1", NULL);
	phone_password(&r.a, "secret");
	assert_int_equal(login(&r, "REGISTER", ALICE, ALICE, "")->status, 200);
	td_out_init(&o);
	assert_int_equal(td_auth_client_put(&o, r.a.auth, TD_STR("REGISTER"), TD_STR("sip:example.test")), 0);
	td_out_z(&o, "Contact: <sip:a@10.0.2.1>\n");
	td_out_char(&o, 0);
	struct td_msg *m = request(&r, "REGISTER", "sip:any.test", ALICE, ALICE, "c1", 50, o.p);
	assert_int_equal(m->status, 401); /* not for this Request-URI */
	assert_null(strstr(header(m, "WWW-Authenticate"), "stale"));
	assert_int_equal(request(&r, "REGISTER", "sip:example.test", ALICE, ALICE, "c1", 51, o.p)->status, 200);
	m = request(&r, "REGISTER", "sip:example.test", ALICE, ALICE, "c1", 52, o.p);
	assert_int_equal(m->status, 401); /* its count is used */
	assert_non_null(strstr(header(m, "WWW-Authenticate"), "stale=true"));
	td_out_free(&o);
	rig_close(&r);
}

/* A3: whatever stands in Authorization, the answer is 400 or a challenge. */
/* Proves RFC 3261 §22.4-1. */
static void a3_malformed(void **state)
{
	static const struct {
		const char *lines;
		unsigned status;
	} rows[] = {
		{ "Authorization: Digest\n", 400 },
		{ "Authorization: Digest username=\"alice\"\n", 400 },
		{ "Authorization: Digest realm=\"example.test\"\n", 400 },
		{ "Authorization: Digest realm=\"example.test\", realm=\"example.test\"\n", 400 },
		{ "Authorization: Digest realm=\"elsewhere\", username=\"a\", nonce=\"b\", uri=\"c\", response=\"d\"\n", 401 },
		{ "Authorization: Other a=b\n", 401 },
		{ "Authorization: Basic YWxpY2U6c2VjcmV0\n", 400 }, /* not SIP's grammar */
		{ "Authorization: Digest realm=\"example.test\", username=\"alice\", nonce=\"x\", uri=\"sip:example.test\", "
		  "response=\"zz\", qop=auth, nc=1, cnonce=\"c\"\n",
		  400 },
		{ "Authorization: Digest realm=\"example.test\", username=\"alice\", nonce=\"x\", uri=\"sip:example.test\", "
		  "response=\"0123456789abcdef0123456789abcdeg\"\n",
		  400 },
		{ "Authorization: Digest realm=\"example.test\", username=\"alice\", nonce=\"x\", uri=\"sip:example.test\", "
		  "response=\"0123456789abcdef0123456789abcdef\", qop=auth, nc=0000001z, cnonce=\"c\"\n",
		  400 },
		{ "Authorization: Digest realm=\"example.test\", username=\"alice\", nonce=\"x\", uri=\"sip:example.test\", "
		  "response=\"0123456789abcdef0123456789abcdef\", qop=auth, nc=00000001, cnonce=\"c\"\n",
		  401 },
		{ "Authorization: Digest realm=\"example.test\", username=\"alice\", nonce=\"x\", uri=\"sip:example.test\", "
		  "response=\"0123456789abcdef0123456789abcdef\"\n",
		  401 },
		{ "Authorization: Digest realm=\"example.test\", username=\"alice\", nonce=\"x\", uri=\"sip:example.test\", "
		  "response=\"0123456789abcdef0123456789abcdef\", algorithm=SHA-512\n",
		  401 },
	};
	struct rig r;

	rig_open(&r, 1, "10.0.2.1", NULL);
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct td_msg *m = request(&r, "REGISTER", "sip:example.test", ALICE, ALICE, "c1", 1, rows[i].lines);
		if (m->status != rows[i].status)
			fail_msg("%s: wanted %u, got %u", rows[i].lines, rows[i].status, m->status);
	}
	rig_close(&r);
}

/* Everything of an answer but what differs by chance. */
static char *without_nonce(const struct td_msg *m)
{
	char *out = malloc(m->bytes.n + 1), *w = out;

	assert_non_null(out);
	for (const char *p = m->bytes.p, *end = p + m->bytes.n; p < end;) {
		static const char *const skip[] = { "nonce=\"", ";tag=", "branch=z9hG4bK" };
		size_t k, n = 0;

		for (k = 0; k < TD_ARRAY_LEN(skip); k++) {
			n = strlen(skip[k]);
			if ((size_t)(end - p) > n && memcmp(p, skip[k], n) == 0)
				break;
		}
		if (k == TD_ARRAY_LEN(skip)) {
			*w++ = *p++;
			continue;
		}
		for (p += n; p < end && *p != '"' && *p != '\r' && *p != ';'; p++)
			;
	}
	*w = 0;
	return out;
}

/* A4: a known and an unknown name, with and without (wrong) credentials, are told the same, on every method. */
static void a4_same_answer(void **state)
{
	static const char *const methods[] = { "REGISTER", "INVITE", "MESSAGE", "SUBSCRIBE", "BYE" };
	static const char *const names[] = { "bob", "eve" };
	struct rig r;

	rig_open(&r, 1, "10.0.2.1", NULL);
	for (size_t i = 0; i < TD_ARRAY_LEN(methods); i++) {
		for (int wrong = 0; wrong < 2; wrong++) {
			char *told[2];

			for (int k = 0; k < 2; k++) {
				char who[64], lines[512];

				snprintf(who, sizeof(who), "sip:%s@example.test", names[k]);
				snprintf(lines, sizeof(lines),
					 "%s: Digest username=\"%s\", realm=\"example.test\", nonce=\"x\", "
					 "uri=\"%s\", response=\"0123456789abcdef0123456789abcdef\", algorithm=MD5, qop=auth, "
					 "nc=00000001, cnonce=\"c\"\n",
					 i ? "Proxy-Authorization" : "Authorization", names[k], i ? who : "sip:example.test");
				struct td_msg *m = request(&r, methods[i], i ? who : "sip:example.test", who, who, "c1", 7,
							   wrong ? lines : "");
				assert_int_equal(m->status, i ? 407 : 401);
				told[k] = without_nonce(m);
				for (char *p; (p = strstr(told[k], names[k]));)
					memcpy(p, "***", 3);
			}
			assert_string_equal(told[0], told[1]);
			free(told[0]);
			free(told[1]);
		}
	}
	rig_close(&r);
}

/* A7, A10: the right password opens one's own address only. */
/* Proves RFC 3261 §10.3-6. */
static void a10_somebody_else(void **state)
{
	struct rig r;

	rig_open(&r, 1, "10.0.2.1", NULL);
	phone_password(&r.a, "secret");
	assert_int_equal(login(&r, "REGISTER", ALICE, BOB, "Contact: <sip:a@10.0.2.1>\n")->status, 403);
	assert_int_equal(login(&r, "REGISTER", ALICE, BOB, "Contact: *\nExpires: 0\n")->status, 403);
	assert_int_equal(login(&r, "REGISTER", ALICE, "sip:alice@any.test", "Contact: <sip:a@10.0.2.1>\n")->status, 401);
	/* From may be anybody: §10.2 */
	assert_int_equal(login(&r, "REGISTER", BOB, ALICE, "Contact: <sip:a@10.0.2.1>\n")->status, 200);
	rig_close(&r);
}

/* One's extension is one's own address, and leads to the same bindings. */
static void extension(void **state)
{
	struct td_user u = { .aor = TD_STR("carol@example.test"), .extension = TD_STR("100"), .has = { true, false } };
	struct rig r;

	rig_open(&r, 1, "10.0.2.1", NULL);
	assert_int_equal(td_ha1_make(&u.ha1[0], TD_DIGEST_SHA256, TD_STR("carol"), TD_STR("example.test"), TD_STR("pw")), 0);
	assert_int_equal(td_users_put(r.w.users, &u), 0);
	r.a.user = "carol";
	phone_password(&r.a, "pw");
	struct td_msg *m = login(&r, "REGISTER", "sip:100@example.test", "sip:100@example.test", "Contact: <sip:c@10.0.2.1>\n");
	assert_int_equal(m->status, 200);
	m = login(&r, "REGISTER", "sip:carol@example.test", "sip:carol@example.test", "");
	assert_int_equal(m->status, 200);
	want_contacts(m, "<sip:c@10.0.2.1>;expires=3600 ");
	rig_close(&r);
}

/* Many phones know a server by its address alone: that stands for the first domain, and a domain's port names nobody else. */
/* Proves RFC 3261 §10.3-3. */
static void by_our_address(void **state)
{
	static const struct {
		const char *who;
		unsigned status;
	} rows[] = {
		{ "sip:alice@10.0.0.1", 200 },      { "sip:alice@10.0.0.1:5060", 200 }, { "sip:alice@example.test:5070", 200 },
		{ "sip:alice@10.0.0.1:5061", 403 }, { "sip:alice@10.0.0.2", 403 },      { "sip:bob@10.0.0.1", 403 },
	};
	char contact[64];
	struct rig r;

	rig_open(&r, 1, "10.0.2.1", NULL);
	phone_password(&r.a, "secret");
	for (unsigned i = 0; i < TD_ARRAY_LEN(rows); i++) {
		snprintf(contact, sizeof(contact), "Contact: <sip:a%u@10.0.2.1>\n", i);
		struct td_msg *m = login(&r, "REGISTER", rows[i].who, rows[i].who, contact);
		if (m->status != rows[i].status)
			fail_msg("%s: %u", rows[i].who, m->status);
	}
	want_contacts(login(&r, "REGISTER", ALICE, ALICE, ""), "<sip:a0@10.0.2.1>;expires=3600 <sip:a1@10.0.2.1>;expires=3600 "
							       "<sip:a2@10.0.2.1>;expires=3600 ");
	rig_close(&r);
}

/* users: any is for sources under trust alone. */
static void any_needs_trust(void **state)
{
	struct rig r;

	rig_open(&r, 1, "10.0.2.1", NULL);
	assert_int_equal(reg(&r, "x@any.test", "c1", 1, "Contact: <sip:x@10.0.2.1>\n")->status, 401);
	rig_close(&r);
	rig_open(&r, 1, "10.0.1.9", NULL);
	assert_int_equal(reg(&r, "x@any.test", "c1", 1, "Contact: <sip:x@10.0.2.1>\n")->status, 200);
	rig_close(&r);
}

/* An algorithm that is switched off is not offered and not taken (A2). */
static void a2_sha256_only(void **state)
{
	struct rig r;

	rig_open(&r, 1, "10.0.2.1", "digest: [sha-256]\n");
	struct td_msg *m = request(&r, "REGISTER", "sip:example.test", ALICE, ALICE, "c1", 1, "");
	assert_int_equal(challenges(m), 1);
	rig_close(&r);
}

/* baresip 1.x (Debian 12) gives up at the sight of SHA-256: it sees MD5 alone, unless that is switched off. */
static void md5_for_agents_that_give_up(void **state)
{
	static const struct {
		const char *config, *agent, *first;
		unsigned n;
	} rows[] = {
		{ NULL, "baresip v1.0.0 (x86_64/linux)", "algorithm=MD5", 1 },
		{ NULL, "baresip v2.9.0 (x86_64/linux)", "algorithm=SHA-256", 2 },
		{ NULL, "b", "algorithm=SHA-256", 2 },
		{ "digest: [sha-256]\n", "baresip v1.0.0 (x86_64/linux)", "algorithm=SHA-256", 1 },
	};
	char extra[128];
	struct rig r;

	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		rig_open(&r, 1, "10.0.2.1", rows[i].config);
		snprintf(extra, sizeof(extra), "User-Agent: %s\n", rows[i].agent);
		struct td_msg *m = request(&r, "REGISTER", "sip:example.test", ALICE, ALICE, "c1", 1, extra);
		assert_int_equal(challenges(m), rows[i].n);
		assert_non_null(strstr(header(m, "WWW-Authenticate"), rows[i].first));
		rig_close(&r);
	}
}

/* Loss, duplicates and reordering: every REGISTER gets its 200 in the end. */
static void over_a_bad_network(void **state)
{
	struct rig r;

	rig_open(&r, 2, "10.0.2.1", NULL);
	phone_password(&r.a, "secret");
	world_rules(&r.w, 0.2, 0.2, 0.2);
	for (unsigned round = 0; round < 20; round++) {
		struct td_msg *m = NULL;

		for (unsigned tries = 0; tries < 60 && (!m || m->status != 200); tries++) {
			struct td_out o;

			td_out_init(&o);
			assert_int_equal(td_auth_client_put(&o, r.a.auth, TD_STR("REGISTER"), TD_STR("sip:example.test")), 0);
			td_out_char(&o, 0);
			phone_send(&r.a,
				   "REGISTER sip:example.test SIP/2.0\nVia: SIP/2.0/UDP 10.0.2.1;branch=z9hG4bK%u\nMax-Forwards: "
				   "70\n"
				   "From: <" ALICE ">;tag=1\nTo: <" ALICE ">\nCall-ID: c%u\nCSeq: %u REGISTER\n%s"
				   "Contact: <sip:a@10.0.2.1>\nContent-Length: 0\n\n",
				   ++r.w.serial, round, tries + 1, o.p);
			td_out_free(&o);
			m = maybe_status(&r.a, 0, 500);
			if (m && m->status == 401)
				td_auth_client_challenge(r.a.auth, m, NULL);
		}
		assert_non_null(m);
		assert_int_equal(m->status, 200);
		want_contacts(m, "<sip:a@10.0.2.1>;expires=3600 ");
		world_run(&r.w, 2000);
		phone_forget(&r.a);
	}
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bindings),
		cmocka_unit_test(order),
		cmocka_unit_test(d8_a11_t9_refusals),
		cmocka_unit_test(a11_contact_bombs),
		cmocka_unit_test(challenges_and_passes),
		cmocka_unit_test(a1_replay),
		cmocka_unit_test(a3_malformed),
		cmocka_unit_test(a4_same_answer),
		cmocka_unit_test(a10_somebody_else),
		cmocka_unit_test(extension),
		cmocka_unit_test(by_our_address),
		cmocka_unit_test(any_needs_trust),
		cmocka_unit_test(a2_sha256_only),
		cmocka_unit_test(md5_for_agents_that_give_up),
		cmocka_unit_test(over_a_bad_network),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
