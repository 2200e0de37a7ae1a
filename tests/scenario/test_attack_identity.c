/* Replays, downgrades, borrowed names, contacts that point at others. The ids of the threat table begin the names. */
#include "attack.h"

/* ---- A1: what was captured is worth nothing ---- */

/* The same credentials under many Call-IDs, so that every worker sees them, from the same source and from another. */
static void a1_replay_at_every_worker(void **state)
{
	static const struct {
		const char *method, *uri;
	} rows[] = { { "REGISTER", "sip:example.test" },
		     { "MESSAGE", "sip:bob@example.test" },
		     { "INVITE", "sip:bob@example.test" } };
	struct phone thief;
	struct rig r;

	attack_open(&r, 4, NULL);
	phone_open(&thief, &r.w, "thief", "10.7.7.7", 5060, TD_UDP);
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		bool reg = i == 0;
		struct td_msg *m = say(&r.mallory, rows[i].method, rows[i].uri, MALLORY, MALLORY, "first", "");
		char *cred;

		assert_int_equal(m->status, reg ? 401 : 407);
		cred = credentials_for(&r.mallory, m, rows[i].method, rows[i].uri);
		say(&r.mallory, rows[i].method, rows[i].uri, MALLORY, MALLORY, "good", cred);
		if (!reg) {
			struct td_msg *got = want_request(&r.b, rows[i].method);

			phone_answer(&r.b, got, 486, "", NULL);
			want_status(&r.mallory, 486);
			phone_forget(&r.b);
		}
		for (int k = 0; k < 32; k++) {
			struct phone *p = k & 1 ? &thief : &r.mallory;
			char call_id[16];

			snprintf(call_id, sizeof(call_id), "replay%d", k);
			m = say(p, rows[i].method, rows[i].uri, MALLORY, MALLORY, call_id, cred);
			assert_non_null(m);
			assert_int_equal(m->status, reg ? 401 : 407);
			assert_non_null(find(m, "stale=true"));
		}
		/* nor for another method or target */
		cred = (free(cred), credentials(&r.mallory, rows[i].method, rows[i].uri));
		m = say(&thief, "SUBSCRIBE", rows[i].uri, MALLORY, MALLORY, "method", cred);
		assert_true(!m || m->status >= 400);
		m = say(&r.mallory, rows[i].method, "sip:alice@example.test", MALLORY, MALLORY, "target", cred);
		assert_int_equal(m->status, reg ? 401 : 407);
		assert_null(find(m, "stale=true"));
		free(cred);
		phone_forget(&r.mallory);
		phone_forget(&thief);
	}
	want_silence(&r.b, 1000);
	phone_close(&thief);
	attack_close(&r);
}

/* A nonce that is old, made up, or of another server. */
static void a1_foreign_nonces(void **state)
{
	static const char *const nonces[] = { "", "x", "AAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
					      "////////////////////" };
	struct td_ha1 ha1;
	struct rig r;

	attack_open(&r, 2, NULL);
	assert_int_equal(td_ha1_make(&ha1, TD_DIGEST_SHA256, TD_STR("mallory"), TD_STR("example.test"), TD_STR("m")), 0);
	for (size_t i = 0; i < TD_ARRAY_LEN(nonces); i++) {
		struct td_digest_input in = { TD_DIGEST_SHA256,     TD_STR("REGISTER"), TD_STR("sip:example.test"),
					      td_str_of(nonces[i]), TD_STR("00000001"), TD_STR("c"),
					      TD_STR("auth") };
		char resp[TD_DIGEST_HEX_MAX], line[512];
		size_t n = td_digest_response(resp, &ha1, &in);

		snprintf(line, sizeof(line),
			 "Authorization: Digest username=\"mallory\", realm=\"example.test\", nonce=\"%s\", "
			 "uri=\"sip:example.test\", "
			 "response=\"%.*s\", algorithm=SHA-256, qop=auth, nc=00000001, cnonce=\"c\"\nContact: <sip:m@10.6.6.6>\n",
			 nonces[i], (int)n, resp);
		struct td_msg *m = say(&r.mallory, "REGISTER", "sip:example.test", MALLORY, MALLORY, "f", line);
		assert_int_equal(m->status, *nonces[i] ? 401 : 400);
	}
	assert_int_equal(phone_ask(&r.a, "MESSAGE", "sip:mallory@example.test", NULL), 480); /* nothing was registered */
	attack_close(&r);
}

/* ---- A2: weaker than we asked for ---- */

static void a2_downgrades(void **state)
{
	static const struct {
		const char *what, *config, *algorithm, *qop;
		enum td_digest_alg alg;
		unsigned status;
	} rows[] = {
		{ "as asked", NULL, "SHA-256", "auth", TD_DIGEST_SHA256, 200 },
		{ "MD5 where it is on", NULL, "MD5", "auth", TD_DIGEST_MD5, 200 },
		{ "no qop", NULL, "SHA-256", "", TD_DIGEST_SHA256, 401 },
		{ "no qop, MD5", NULL, "MD5", "", TD_DIGEST_MD5, 401 },
		{ "no qop, no algorithm", NULL, "", "", TD_DIGEST_MD5, 401 },
		{ "auth-int", NULL, "SHA-256", "auth-int", TD_DIGEST_SHA256, 401 },
		{ "MD5 where it is off", "digest: [sha-256]\n", "MD5", "auth", TD_DIGEST_MD5, 401 },
		{ "no algorithm where MD5 is off", "digest: [sha-256]\n", "", "auth", TD_DIGEST_MD5, 401 },
		{ "SHA-256 by the name of MD5", NULL, "MD5", "auth", TD_DIGEST_SHA256, 400 },
		{ "a session's", NULL, "SHA-256-sess", "auth", TD_DIGEST_SHA256, 401 },
	};

	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		char resp[TD_DIGEST_HEX_MAX], line[700], algorithm[40], qop[80];
		struct td_auth ch;
		struct td_ha1 ha1;
		struct td_msg *m;
		struct rig r;

		attack_open(&r, 1, rows[i].config);
		m = say(&r.mallory, "REGISTER", "sip:example.test", MALLORY, MALLORY, "c", "");
		assert_int_equal(td_auth_parse(&ch, td_msg_value(m, TD_HDR_WWW_AUTHENTICATE)), 0);
		assert_str(ch.algorithm, "SHA-256"); /* the stronger one first */
		assert_str(ch.qop, "auth");
		assert_int_equal(td_ha1_make(&ha1, rows[i].alg, TD_STR("mallory"), TD_STR("example.test"), TD_STR("m")), 0);
		struct td_digest_input in = { rows[i].alg,        TD_STR("REGISTER"), TD_STR("sip:example.test"), ch.nonce,
					      TD_STR("00000001"), TD_STR("c"),        td_str_of(rows[i].qop) };
		size_t n = td_digest_response(resp, &ha1, &in);
		snprintf(algorithm, sizeof(algorithm), *rows[i].algorithm ? ", algorithm=%s" : "%s", rows[i].algorithm);
		snprintf(qop, sizeof(qop), *rows[i].qop ? ", qop=%s, nc=00000001, cnonce=\"c\"" : "%s", rows[i].qop);
		snprintf(line, sizeof(line),
			 "Authorization: Digest username=\"mallory\", realm=\"example.test\", nonce=\"%.*s\", "
			 "uri=\"sip:example.test\", "
			 "response=\"%.*s\"%s%s\n",
			 TD_FMT(ch.nonce), (int)n, resp, algorithm, qop);
		m = say(&r.mallory, "REGISTER", "sip:example.test", MALLORY, MALLORY, "c", line);
		if (m->status != rows[i].status)
			fail_msg("%s: wanted %u, got %u", rows[i].what, rows[i].status, m->status);
		attack_close(&r);
	}
}

/* ---- A4: users cannot be told from each other by those who are none ---- */

/* Registered, not registered, without MD5, unknown, with a wrong password: everything but chance is the same, byte by byte. */
static void a4_all_names_look_alike(void **state)
{
	static const char *const names[] = { "bob", "mallory", "sha", "none", "100" };
	static const char *const methods[] = { "REGISTER", "INVITE", "OPTIONS", "MESSAGE", "PUBLISH" };
	static const char *const algs[] = { "MD5", "SHA-256" };
	struct td_user sha = { .aor = TD_STR("sha@example.test"),
			       .extension = TD_STR("100"),
			       .has = { [TD_DIGEST_SHA256] = true } };
	struct rig r;

	attack_open(&r, 3, NULL);
	assert_int_equal(td_users_put(r.w.users, &sha), 0);
	for (size_t i = 0; i < TD_ARRAY_LEN(methods); i++)
		for (size_t k = 0; k < 1 + TD_ARRAY_LEN(algs); k++) {
			char first[4096] = "";

			for (size_t n = 0; n < TD_ARRAY_LEN(names); n++) {
				char who[64], uri[64], call_id[32], line[700] = "";
				struct td_msg *m;
				struct td_out o;

				snprintf(who, sizeof(who), "<sip:%s@example.test>", names[n]);
				snprintf(uri, sizeof(uri), i ? "sip:%s@example.test" : "sip:example.test", names[n]);
				snprintf(call_id, sizeof(call_id), "a4-%zu-%zu-%zu", i, k, n);
				if (k)
					snprintf(line, sizeof(line),
						 "%s: Digest username=\"%s\", realm=\"example.test\", nonce=\"x\", uri=\"%s\", "
						 "response=\"%s%s\", "
						 "algorithm=%s, qop=auth, nc=00000001, cnonce=\"c\"\n",
						 i ? "Proxy-Authorization" : "Authorization", names[n], uri,
						 "0123456789abcdef0123456789abcdef",
						 k == 2 ? "0123456789abcdef0123456789abcdef" : "", algs[k - 1]);
				m = say(&r.mallory, methods[i], uri, who, who, call_id, line);
				assert_non_null(m);
				td_out_init(&o); /* the status line and every field that is not an echo, the nonce cut out */
				td_out_fmt(&o, "%u %.*s\n", m->status, TD_FMT(m->reason));
				for (unsigned h = 0; h < m->nhdr; h++) {
					struct td_str l = td_hdr_line(m, &m->hdr[h]);
					const char *nonce = memmem(l.p, l.n, "nonce=\"", 7);

					if (m->hdr[h].id == TD_HDR_VIA || m->hdr[h].id == TD_HDR_FROM ||
					    m->hdr[h].id == TD_HDR_TO || m->hdr[h].id == TD_HDR_CALL_ID)
						continue;
					td_out_str(&o, nonce ? td_str_n(l.p, (size_t)(nonce + 7 - l.p)) : l);
					if (nonce)
						td_out_str(&o,
							   td_str_n(memchr(nonce + 7, '"', 200),
								    (size_t)(l.p + l.n - (char *)memchr(nonce + 7, '"', 200))));
				}
				td_out_fmt(&o, "%zu bytes of body%c", m->body.n, 0);
				if (!n)
					snprintf(first, sizeof(first), "%s", o.p);
				assert_string_equal(o.p, first);
				td_out_free(&o);
			}
		}
	want_silence(&r.b, 100);
	attack_close(&r);
}

/* ---- A7, A10: somebody else's name ---- */

/* What a user or a phone says of himself beside From is taken out on the way, also inside a call; a source under trust may say it. */
/* Proves RFC 3325 §5-1, §5-2. */
static void a7_asserted_by_nobody_we_trust(void **state)
{
	static const char lines[] =
		"P-Asserted-Identity: \"The Boss\" <sip:boss@example.test>, <tel:+4930110>\n"
		"P-Preferred-Identity: <sip:boss@example.test>\nP-Asserted-Identity: <sip:boss2@example.test>\n";
	static const char *const methods[] = { "INVITE", "MESSAGE", "REFER", "SUBSCRIBE", "WHATEVER" };
	static const char *const domains[] = { "example.test", "quick.test" };
	struct td_msg *m;
	struct leg l, in;
	struct rig r;

	attack_open(&r, 2, NULL);
	phone_register(&r.b, "quick.test");
	for (size_t i = 0; i < 2 * TD_ARRAY_LEN(methods); i++) {
		struct phone *from[] = { &r.mallory, &r.a };
		char to[64];

		snprintf(to, sizeof(to), "sip:bob@%s", domains[i & 1]);
		for (int trusted = 0; trusted < 2; trusted++) {
			struct td_msg *asked;

			leg_new(&l, from[trusted], "example.test", to);
			leg_send(&l, methods[i / 2], lines, NULL);
			if (!trusted && (asked = maybe_status(&r.mallory, 407, 50))) {
				assert_int_equal(td_auth_client_challenge(r.mallory.auth, asked, NULL), 0);
				leg_send(&l, methods[i / 2], lines, NULL);
			}
			m = want_request(&r.b, methods[i / 2]);
			assert_int_equal(header_count(m, TD_HDR_P_ASSERTED_IDENTITY), trusted ? 3 : 0);
			assert_int_equal(!find(m, "boss"), !trusted);
			phone_answer(&r.b, m, 486, "", NULL);
			want_status(from[trusted], 486);
			world_run(&r.w, 10);
			phone_forget(&r.b);
		}
	}
	leg_new(&l, &r.mallory, "example.test", "sip:bob@example.test");
	call_up(&l, &in, &r.b);
	leg_send(&l, "UPDATE", lines, NULL);
	m = want_request(&r.b, "UPDATE");
	assert_null(find(m, "boss"));
	phone_answer(&r.b, m, 200, "", NULL);
	want_status(&r.mallory, 200);
	attack_close(&r);
}

/* The callee's phone neither: who answered is not who it says, unless it is under trust. */
/* Proves RFC 3325 §5-1. */
static void a7_asserted_by_the_callee(void **state)
{
	static const char lines[] =
		"P-Asserted-Identity: \"The Bank\" <sip:bank@example.test>\nP-Preferred-Identity: <sip:bank@example.test>\n";
	static const char *const domains[] = { "example.test", "quick.test" };

	for (int trusted = 0; trusted < 2; trusted++)
		for (size_t i = 0; i < TD_ARRAY_LEN(domains); i++) {
			static const unsigned statuses[] = { 183, 200 };
			struct phone *callee;
			struct td_msg *m, *invite;
			char to[64];
			struct leg l;
			struct rig r;

			attack_open(&r, 2, NULL);
			callee = trusted ? &r.b : &r.mallory;
			if (!trusted || i)
				phone_register(callee, trusted ? domains[i] : "example.test");
			snprintf(to, sizeof(to), "sip:%s@%s", callee->user, trusted ? domains[i] : "example.test");
			leg_new(&l, &r.a, "example.test", to);
			leg_send(&l, "INVITE", NULL, SDP);
			invite = want_request(callee, "INVITE");
			for (size_t k = 0; k < TD_ARRAY_LEN(statuses); k++) {
				phone_answer(callee, invite, statuses[k], lines, SDP);
				m = want_status(&r.a, statuses[k]);
				assert_int_equal(header_count(m, TD_HDR_P_ASSERTED_IDENTITY), trusted);
				assert_int_equal(!find(m, "bank"), !trusted);
				assert_str(m->body, SDP);
			}
			leg_learn(&l, m);
			leg_send(&l, "ACK", NULL, NULL);
			want_request(callee, "ACK");
			attack_close(&r);
		}
}

/* The same without state, of a caller who is asked something in his call. */
/* Proves RFC 3325 §5-1. */
static void a7_asserted_by_a_caller_who_is_asked(void **state)
{
	struct td_msg *m;
	struct leg l, in;
	struct rig r;

	attack_open(&r, 2, NULL);
	phone_register(&r.b, "quick.test");
	leg_new(&l, &r.mallory, "example.test", "sip:bob@quick.test");
	leg_send(&l, "INVITE", NULL, SDP);
	if ((m = maybe_status(&r.mallory, 407, 50))) {
		assert_int_equal(td_auth_client_challenge(r.mallory.auth, m, NULL), 0);
		leg_send(&l, "INVITE", NULL, SDP);
	}
	m = want_request(&r.b, "INVITE");
	leg_of_request(&in, &r.b, m);
	phone_answer(&r.b, m, 200, "P-Asserted-Identity: <sip:bob@quick.test>\n", SDP);
	m = want_status(&r.mallory, 200);
	assert_int_equal(header_count(m, TD_HDR_P_ASSERTED_IDENTITY), 1); /* he is under trust */
	leg_learn(&l, m);
	leg_send(&l, "ACK", NULL, NULL);
	want_request(&r.b, "ACK");
	leg_send(&in, "INFO", NULL, NULL);
	phone_answer(&r.mallory, want_request(&r.mallory, "INFO"), 200, "P-Asserted-Identity: <sip:bank@example.test>\nX-A: b\n",
		     "body");
	m = want_status(&r.b, 200);
	assert_null(find(m, "bank"));
	assert_string_equal(header(m, "X-A"), "b");
	assert_str(m->body, "body");
	assert_int_equal(header_count(m, TD_HDR_VIA), 1);
	attack_close(&r);
}

static void want_identities(struct phone *to, const struct td_msg *m, unsigned n, const char *privacy)
{
	if (header_count(m, TD_HDR_P_ASSERTED_IDENTITY) != n || !find(m, "X-A: b"))
		fail_msg("%s, %s: %.*s", to->user, privacy, TD_FMT(m->bytes));
}

/* Who is asserted by a source under trust and wants to stay unknown is so to everybody else: caller and callee. */
/* Proves RFC 3325 §7-1. */
static void a7_asserted_of_who_wants_privacy(void **state)
{
	static const struct {
		const char *privacy;
		unsigned left;
	} rows[] = {
		{ "", 1 },
		{ "Privacy: none\n", 1 },
		{ "Privacy: ident;header\n", 1 },
		{ "Privacy: id\n", 0 },
		{ "Privacy: user; ID ;critical\n", 0 },
		{ "Privacy: header\nPrivacy: id\n", 0 },
	};

	for (size_t i = 0; i < 2 * TD_ARRAY_LEN(rows); i++) {
		const char *domain = i & 1 ? "quick.test" : "example.test", *privacy = rows[i / 2].privacy;
		char lines[128], to[64];
		struct td_msg *m;
		struct leg l;
		struct rig r;

		attack_open(&r, 2, NULL);
		phone_register(&r.b, "quick.test");
		phone_register(&r.mallory, "example.test");
		snprintf(lines, sizeof(lines), "P-Asserted-Identity: <sip:me@example.test>\n%sX-A: b\n", privacy);
		leg_new(&l, &r.a, "example.test", "sip:mallory@example.test");
		leg_send(&l, "MESSAGE", lines, NULL);
		m = want_request(&r.mallory, "MESSAGE");
		want_identities(&r.mallory, m, rows[i / 2].left, privacy);
		phone_answer(&r.mallory, m, 200, "", NULL);
		want_status(&r.a, 200);
		snprintf(to, sizeof(to), "sip:bob@%s", domain);
		leg_new(&l, &r.a, "example.test", to);
		leg_send(&l, "MESSAGE", lines, NULL);
		m = want_request(&r.b, "MESSAGE");
		want_identities(&r.b, m, 1, privacy);
		phone_answer(&r.b, m, 200, "", NULL);
		want_status(&r.a, 200);
		leg_new(&l, &r.mallory, "example.test", to);
		leg_send(&l, "MESSAGE", NULL, NULL);
		if ((m = maybe_status(&r.mallory, 407, 50))) {
			assert_int_equal(td_auth_client_challenge(r.mallory.auth, m, NULL), 0);
			leg_send(&l, "MESSAGE", NULL, NULL);
		}
		phone_answer(&r.b, want_request(&r.b, "MESSAGE"), 200, lines, NULL);
		want_identities(&r.mallory, want_status(&r.mallory, 200), rows[i / 2].left, privacy);
		attack_close(&r);
	}
}

/* A9: who is let in without a password is known by his address alone, whatever stands in the message. */
static void a9_no_header_opens_the_door(void **state)
{
	static const char *const lines[] = {
		"P-Asserted-Identity: <sip:alice@example.test>\n",
		"Remote-Party-ID: <sip:alice@example.test>;party=calling\n",
		"X-Forwarded-For: 10.0.1.1\nX-Real-IP: 10.0.1.1\n",
		"Via: SIP/2.0/UDP 10.0.1.1:5060;branch=z9hG4bKtrust;received=10.0.1.1;rport=5060\n",
		"User-Agent: tandem\nServer: tandem\n",
		"Contact: <sip:alice@10.0.1.1>\nRecord-Route: <sip:10.0.1.1;lr>\n",
		"Path: <sip:10.0.1.1;lr>\nReferred-By: <sip:alice@example.test>\n",
		"Identity: abc;info=<https://example.test/c.pem>\n",
	};
	struct rig r;

	attack_open(&r, 2, NULL);
	for (size_t i = 0; i < TD_ARRAY_LEN(lines); i++) {
		struct td_msg *m = say(&r.victim, "MESSAGE", "sip:bob@example.test", "<sip:alice@example.test>",
				       "<sip:bob@example.test>", "door", lines[i]);

		assert_int_equal(m->status, 407);
		m = say(&r.victim, "REGISTER", "sip:example.test", "<sip:alice@example.test>", "<sip:alice@example.test>", "door",
			lines[i]);
		assert_int_equal(m->status, 401);
	}
	want_silence(&r.b, 100);
	attack_close(&r);
}

/* The right password for mallory, and another From. */
static void a7_a10_from_of_another(void **state)
{
	static const struct {
		const char *from;
		unsigned status;
	} rows[] = {
		{ "<sip:bob@example.test>", 403 },
		{ "\"mallory\" <sip:bob@example.test>", 403 },
		{ "<sip:mallory@example.com>", 407 },
		{ "<sip:nobody@example.test>", 403 },
		{ "<sip:example.test>", 403 },
		{ "<sip:mallory@elsewhere.test>", 403 },
		{ "<sip:mallory@" SERVER_IP ":5070>", 403 },
		{ "<sip:mallory%40x@example.test>", 403 },
		{ "<sip:Mallory@example.test>", 403 },
		{ "<sip:mallory%00@example.test>", 403 },
		{ "<tel:+1555>", 403 },
		{ "<urn:mallory@example.test>", 403 },
		{ "<sip:anonymous@anonymous.invalid>", 403 },
		{ "<sip:m%61llory@EXAMPLE.test:5061>", 200 },
		{ "<sip:mallory@" SERVER_IP ">", 200 },
		{ "\"bob\" <sip:mallory@example.test>", 200 },
	};
	static const char *const methods[] = { "MESSAGE", "OPTIONS", "SUBSCRIBE", "PUBLISH", "NOTIFY",
					       "REFER",   "INFO",    "BYE",       "WHATEVER" };
	struct rig r;

	attack_open(&r, 2, NULL);
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++)
		for (size_t k = 0; k < TD_ARRAY_LEN(methods); k++) {
			struct td_msg *m =
				say(&r.mallory, methods[k], "sip:bob@example.test", MALLORY, "<sip:bob@example.test>", "c", "");
			char *cred;

			cred = credentials_for(&r.mallory, m, methods[k], "sip:bob@example.test");
			m = NULL;
			if (rows[i].status == 200) {
				say(&r.mallory, methods[k], "sip:bob@example.test", rows[i].from, "<sip:bob@example.test>", "c",
				    cred);
				phone_answer(&r.b, want_request(&r.b, methods[k]), 200, "", NULL);
				m = want_status(&r.mallory, 200);
				phone_forget(&r.b);
			} else {
				m = say(&r.mallory, methods[k], "sip:bob@example.test", rows[i].from, "<sip:bob@example.test>",
					"c", cred);
			}
			free(cred);
			if (!m || m->status != rows[i].status)
				fail_msg("%s %s: wanted %u, got %u", methods[k], rows[i].from, rows[i].status, m ? m->status : 0);
			want_silence(&r.b, 10);
		}
	attack_close(&r);
}

/* Proves RFC 3261 §10.3-6. */
static void a10_register_for_another(void **state)
{
	static const struct {
		const char *to, *lines;
		unsigned status;
	} rows[] = {
		{ "<sip:bob@example.test>", "Contact: <sip:mallory@10.6.6.6>\n", 403 },
		{ "<sip:bob@example.test>", "Contact: *\nExpires: 0\n", 403 },
		{ "<sip:bob@example.test>", "", 403 }, /* nor may she ask where he is */
		{ "<sip:nobody@example.test>", "Contact: <sip:mallory@10.6.6.6>\n", 403 },
		{ "<sip:b%6fb@example.test>", "Contact: <sip:mallory@10.6.6.6>\n", 403 },
		{ "<sip:bob@example.test;x=y>", "Contact: <sip:mallory@10.6.6.6>\n", 403 },
		{ "<sip:x@any.test>", "Contact: <sip:mallory@10.6.6.6>\n", 401 },
		{ "<sip:bob@elsewhere.test>", "Contact: <sip:mallory@10.6.6.6>\n", 403 },
		{ "<tel:+1555>", "Contact: <sip:mallory@10.6.6.6>\n", 403 },
		{ "<sip:mallory@example.test>", "Contact: <sip:mallory@10.6.6.6>\n", 200 },
	};
	struct rig r;

	attack_open(&r, 2, NULL);
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct td_msg *m = say(&r.mallory, "REGISTER", "sip:example.test", MALLORY, MALLORY, "c", "");
		char *cred, lines[1400];

		cred = credentials_for(&r.mallory, m, "REGISTER", "sip:example.test");
		snprintf(lines, sizeof(lines), "%s%s", cred, rows[i].lines);
		free(cred);
		m = say(&r.mallory, "REGISTER", "sip:example.test", MALLORY, rows[i].to, "c", lines);
		if (!m || m->status != rows[i].status)
			fail_msg("%s: wanted %u, got %u", rows[i].to, rows[i].status, m ? m->status : 0);
		if (m->status != 200)
			assert_int_equal(header_count(m, TD_HDR_CONTACT), 0);
	}
	phone_forget(&r.mallory);
	leg_send(&(struct leg){ .p = &r.a,
				.call_id = "to-bob",
				.local = "<sip:alice@example.test>;tag=1",
				.remote = "<sip:bob@example.test>",
				.target = "sip:bob@example.test" },
		 "MESSAGE", NULL, NULL);
	phone_answer(&r.b, want_request(&r.b, "MESSAGE"), 200, "", NULL); /* bob is where he was, and nowhere else */
	want_silence(&r.mallory, 1000);
	attack_close(&r);
}

/* ---- A11: contacts that lead to others ---- */

static void a11_contact_of_a_victim(void **state)
{
	struct td_msg *m;
	struct rig r;

	attack_open(&r, 2, NULL);
	register_contact(&r.mallory,
			 "<sip:x@10.9.9.9>, <sip:y@10.9.9.9:9>, <sip:z@10.9.9.9;transport=tcp>, <sip:h@victim.example>, "
			 "<sip:w@10.6.6.6;maddr=10.9.9.9>",
			 200);
	leg_send(&(struct leg){ .p = &r.a,
				.call_id = "1",
				.local = "<sip:alice@example.test>;tag=1",
				.remote = "<sip:mallory@example.test>",
				.target = "sip:mallory@example.test" },
		 "MESSAGE", NULL, NULL);
	for (int i = 0; i < 6; i++) {
		m = want_request(&r.mallory, "MESSAGE");
		phone_answer(&r.mallory, m, 486, "", NULL);
	}
	want_status(&r.a, 486);
	want_silence(&r.victim, 2000);
	attack_close(&r);
}

/* Over TCP, the connection then closed: nobody is called, the victim least of all. */
static void a11_contact_of_a_victim_by_tcp(void **state)
{
	struct phone tcp, victim;
	struct rig r;

	attack_open(&r, 2, NULL);
	phone_open(&victim, &r.w, "victim", "10.9.9.8", 5060, TD_TCP);
	phone_open(&tcp, &r.w, "mallory", "10.6.6.7", 5060, TD_TCP);
	phone_password(&tcp, "m");
	register_contact(&tcp, "<sip:x@10.9.9.8;transport=tcp>, <sip:y@10.9.9.9>", 200);
	register_contact(&tcp, "<sip:mallory@10.6.6.7:5060;transport=tcp>;expires=0", 200); /* what the harness had added */
	phone_close(&tcp);
	world_run(&r.w, 100);
	assert_true(phone_ask(&r.a, "MESSAGE", "sip:mallory@example.test", NULL) >= 480);
	assert_true(phone_ask(&r.a, "INVITE", "sip:mallory@example.test", NULL) >= 480);
	want_silence(&r.victim, 1000);
	assert_int_equal(victim.conn_n, 0);
	assert_int_equal(victim.n, 0);
	phone_close(&victim);
	attack_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a1_replay_at_every_worker),
		cmocka_unit_test(a1_foreign_nonces),
		cmocka_unit_test(a2_downgrades),
		cmocka_unit_test(a4_all_names_look_alike),
		cmocka_unit_test(a7_asserted_by_nobody_we_trust),
		cmocka_unit_test(a7_asserted_by_the_callee),
		cmocka_unit_test(a7_asserted_by_a_caller_who_is_asked),
		cmocka_unit_test(a7_asserted_of_who_wants_privacy),
		cmocka_unit_test(a9_no_header_opens_the_door),
		cmocka_unit_test(a7_a10_from_of_another),
		cmocka_unit_test(a10_register_for_another),
		cmocka_unit_test(a11_contact_of_a_victim),
		cmocka_unit_test(a11_contact_of_a_victim_by_tcp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
