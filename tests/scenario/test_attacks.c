/*
 * Attacks on the running server by somebody who knows SIP and has an account: replays, borrowed names, contacts that point at
 * others, tricks with addresses, floods. The ids of the threat table begin the names. (Strangers without an account: test_threats.c;
 * what is no good message at all: test_bad_messages.c.)
 */
#include "harness.h"

struct rig {
	struct world w;
	struct phone a, b, mallory, victim; /* a and b are trusted; mallory has an account, the victim nothing to do with us */
};

static void rig_open(struct rig *r, unsigned workers, const char *extra)
{
	world_open(&r->w, 11, workers, extra);
	world_user(&r->w, "alice", "wonderland");
	world_user(&r->w, "bob", "builder");
	world_user(&r->w, "mallory", "m");
	phone_open(&r->a, &r->w, "alice", "10.0.1.1", 5060, TD_UDP);
	phone_open(&r->b, &r->w, "bob", "10.0.1.2", 5060, TD_UDP);
	phone_open(&r->mallory, &r->w, "mallory", "10.6.6.6", 5060, TD_UDP);
	phone_open(&r->victim, &r->w, "victim", "10.9.9.9", 5060, TD_UDP);
	phone_password(&r->mallory, "m");
	phone_register(&r->b, "example.test");
}

static void rig_close(struct rig *r)
{
	phone_close(&r->a);
	phone_close(&r->b);
	phone_close(&r->mallory);
	phone_close(&r->victim);
	world_close(&r->w);
}

static unsigned ask(struct phone *p, const char *method, const char *uri, const char *extra)
{
	struct td_msg *m;
	struct leg l;

	leg_new(&l, p, "example.test", uri);
	m = leg_do(&l, method, extra, NULL);
	phone_forget(p);
	return m->status;
}

/* A request with these lines; its answer. from and call_id: as they are to be. */
static struct td_msg *say(struct phone *p, const char *method, const char *uri, const char *from, const char *to,
			  const char *call_id, const char *lines)
{
	char addr[TD_ADDR_TEXT];

	phone_send(p,
		   "%s %s SIP/2.0\nVia: SIP/2.0/UDP %s;branch=z9hG4bKsay%u\nMax-Forwards: 70\nFrom: %s;tag=1\nTo: %s\nCall-ID: "
		   "%s\nCSeq: 1 %s\n"
		   "%sContent-Length: 0\n\n",
		   method, uri, td_addr_text(addr, &p->addr), ++p->w->serial, from, to, call_id, method, lines);
	return maybe_status(p, 0, 1000);
}

/* What mallory's client would say next to answer the last challenge. */
static char *credentials(struct phone *p, const char *method, const char *uri)
{
	struct td_out o;

	td_out_init(&o);
	assert_int_equal(td_auth_client_put(&o, p->auth, td_str_of(method), td_str_of(uri)), 0);
	td_out_char(&o, 0);
	return o.p;
}

/* What a client that remembers nothing makes of this challenge. */
static char *credentials_for(struct phone *p, const struct td_msg *challenge, const char *method, const char *uri)
{
	td_auth_client_close(p->auth);
	phone_password(p, "m");
	assert_int_equal(td_auth_client_challenge(p->auth, challenge, NULL), 0);
	return credentials(p, method, uri);
}

#define MALLORY "<sip:mallory@example.test>"

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

	rig_open(&r, 4, NULL);
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
		m = say(&thief, rows[i].method, "sip:alice@example.test", MALLORY, MALLORY, "target", cred);
		assert_int_equal(m->status, reg ? 401 : 407);
		assert_null(find(m, "stale=true"));
		free(cred);
		phone_forget(&r.mallory);
		phone_forget(&thief);
	}
	want_silence(&r.b, 1000);
	phone_close(&thief);
	rig_close(&r);
}

/* A nonce that is old, made up, or of another server. */
static void a1_foreign_nonces(void **state)
{
	static const char *const nonces[] = { "", "x", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
					      "////////////////////////////////////" };
	struct td_ha1 ha1;
	struct rig r;

	rig_open(&r, 2, NULL);
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
	assert_int_equal(ask(&r.a, "MESSAGE", "sip:mallory@example.test", NULL), 480); /* nothing was registered */
	rig_close(&r);
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

		rig_open(&r, 1, rows[i].config);
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
		rig_close(&r);
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

	rig_open(&r, 3, NULL);
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
	rig_close(&r);
}

/* ---- A10: somebody else's name ---- */

/* The right password for mallory, and another From. */
static void a10_from_of_another(void **state)
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

	rig_open(&r, 2, NULL);
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
	rig_close(&r);
}

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

	rig_open(&r, 2, NULL);
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
	rig_close(&r);
}

/* ---- A11: contacts that lead to others ---- */

static void register_contact(struct phone *p, const char *contact, unsigned want)
{
	char line[200];
	struct leg l;

	leg_new(&l, p, "example.test", "sip:mallory@example.test");
	snprintf(l.target, sizeof(l.target), "sip:example.test");
	snprintf(line, sizeof(line), "Contact: %s\nExpires: 600\n", contact);
	assert_int_equal(leg_do(&l, "REGISTER", line, NULL)->status, want);
}

/* A victim's address over UDP: calls go to who registered. The harness adds the phone's own Contact, which is right. */
static void a11_contact_of_a_victim(void **state)
{
	struct td_msg *m;
	struct rig r;

	rig_open(&r, 2, NULL);
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
	rig_close(&r);
}

/* Over TCP, the connection then closed: nobody is called, the victim least of all. */
static void a11_contact_of_a_victim_by_tcp(void **state)
{
	struct phone tcp, victim;
	struct rig r;

	rig_open(&r, 2, NULL);
	phone_open(&victim, &r.w, "victim", "10.9.9.8", 5060, TD_TCP);
	phone_open(&tcp, &r.w, "mallory", "10.6.6.7", 5060, TD_TCP);
	phone_password(&tcp, "m");
	register_contact(&tcp, "<sip:x@10.9.9.8;transport=tcp>, <sip:y@10.9.9.9>", 200);
	register_contact(&tcp, "<sip:mallory@10.6.6.7:5060;transport=tcp>;expires=0", 200); /* what the harness had added */
	phone_close(&tcp);
	world_run(&r.w, 100);
	assert_true(ask(&r.a, "MESSAGE", "sip:mallory@example.test", NULL) >= 480);
	assert_true(ask(&r.a, "INVITE", "sip:mallory@example.test", NULL) >= 480);
	want_silence(&r.victim, 1000);
	assert_int_equal(victim.conn_n, 0);
	assert_int_equal(victim.n, 0);
	phone_close(&victim);
	rig_close(&r);
}

/* ---- D1: tricks with addresses ---- */

static void d1_address_tricks(void **state)
{
	static const struct {
		const char *uri, *lines;
		unsigned status;
	} rows[] = {
		/* to us by their host, whatever else they say: treated as a user of ours */
		{ "sip:nobody@example.test;maddr=10.9.9.9", "", 404 },
		{ "sip:nobody@example.test;transport=tcp;maddr=10.9.9.9", "", 404 },
		{ "sip:10.9.9.9@" SERVER_IP, "", 404 },
		{ "sip:victim%4010.9.9.9@example.test", "", 404 },
		{ "tel:+10999;phone-context=10.9.9.9", "", 404 },
		{ "sip:nobody@example.test", "Route: <sip:" SERVER_IP ";lr>, <sip:" SERVER_IP ":5060;lr>\n", 404 },
		{ "sip:nobody@example.test", "Route: <sip:" SERVER_IP ";maddr=10.9.9.9;lr>\n", 404 },
		{ "sip:nobody@example.test", "Route: <sip:10.9.9.9@example.test;lr>\n", 404 },
		/* elsewhere */
		{ "sip:victim@10.9.9.9", "", 403 },
		{ "sip:victim@10.9.9.9", "Route: <sip:" SERVER_IP ";lr>\n", 403 },
		{ "sip:victim@10.9.9.9;maddr=" SERVER_IP, "", 403 },
		{ "sip:" SERVER_IP "@10.9.9.9", "", 403 },
		{ "sip:victim@[::ffff:10.9.9.9]", "", 403 },
		{ "sip:victim@" SERVER_IP ":5070", "", 403 }, /* another program on our host */
		{ "sip:victim@" SERVER_IP ":22;transport=tcp", "", 403 },
		{ "sip:x@127.0.0.1", "", 403 },
		{ "sip:x@localhost", "", 403 },
		{ "sip:x@169.254.169.254", "", 403 },
		{ "sip:x@example.test.", "", 404 }, /* the same name */
		{ "sip:x@sub.example.test", "", 403 },
		{ "sip:bob@example.test", "Route: <sip:10.9.9.9;lr>\n", 403 },
		{ "sip:bob@example.test", "Route: <sip:" SERVER_IP ";lr>, <sip:10.9.9.9;lr>\n", 403 },
		{ "sip:bob@example.test", "Route: <sip:" SERVER_IP ";lr>\nRoute: <sip:10.9.9.9;lr>\n", 403 },
		{ "sip:bob@example.test", "Route: <sip:" SERVER_IP ":5070;lr>\n", 403 },
		{ "sip:bob@example.test", "Route: <tel:+1555>\n", 403 },
		{ "sip:bob@example.test", "Route: <sip:10.9.9.9>\n", 403 }, /* a strict router */
		{ "sip:" SERVER_IP ";lr;td=0123456789abcdef01234567", "Route: <sip:victim@10.9.9.9>\n", 403 },
		{ "sip:" SERVER_IP ";lr;td=0123456789abcdef01234567", "Route: <sip:10.9.9.9;lr>, <sip:bob@example.test>\n", 403 },
	};
	struct rig r;

	rig_open(&r, 2, NULL);
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++)
		for (int k = 0; k < 2; k++) { /* a user of ours, and a source under trust */
			struct phone *p = k ? &r.a : &r.mallory;
			unsigned got = ask(p, "MESSAGE", rows[i].uri, rows[i].lines);

			if (got != rows[i].status)
				fail_msg("%s %s by %s: wanted %u, got %u", rows[i].uri, rows[i].lines, p->user, rows[i].status,
					 got);
		}
	want_silence(&r.victim, 1000);
	want_silence(&r.b, 1000);
	rig_close(&r);
}

/* Whoever takes part in one call of ours has its cookie. It is no pass to our other users under any name. */
static void d1_cookie_is_no_pass(void **state)
{
	static const char *const methods[] = { "MESSAGE", "INVITE", "NOTIFY", "REFER", "INFO" };
	struct leg caller, callee;
	struct rig r;

	rig_open(&r, 2, NULL);
	phone_register(&r.mallory, "example.test");
	leg_new(&caller, &r.a, "example.test", "sip:mallory@example.test");
	call_up(&caller, &callee, &r.mallory);
	for (size_t i = 0; i < TD_ARRAY_LEN(methods); i++) {
		struct leg evil = callee; /* Call-ID, tags and cookie of the call; From: the head office */
		char *tag = strstr(evil.local, ";tag=");

		assert_non_null(tag);
		snprintf(evil.local, sizeof(evil.local), "<sip:alice@example.test>;tag=%s", r.mallory.user);
		snprintf(evil.target, sizeof(evil.target), "sip:bob@example.test");
		evil.cseq = 500 + (unsigned)i;
		r.mallory.auth = (td_auth_client_close(r.mallory.auth), NULL);
		leg_send(&evil, methods[i], NULL, NULL);
		want_status(&r.mallory, 407);
		phone_password(&r.mallory, "m");
	}
	want_silence(&r.b, 1000);
	leg_send(&callee, "BYE", NULL, NULL); /* where it belongs it is good */
	phone_answer(&r.a, want_request(&r.a, "BYE"), 200, "", NULL);
	want_status(&r.mallory, 200);
	rig_close(&r);
}

/* ---- D2: what one request may become ---- */

/* Ten contacts, each of which sends what it gets back to us under an ever new name: the breadth runs out. */
static void d2_spirals_end(void **state)
{
	unsigned sent = 0, refused = 0;
	struct rig r;

	rig_open(&r, 2, NULL);
	register_contact(
		&r.mallory,
		"<sip:1@10.6.6.6>, <sip:2@10.6.6.6>, <sip:3@10.6.6.6>, <sip:4@10.6.6.6>, <sip:5@10.6.6.6>, <sip:6@10.6.6.6>, "
		"<sip:7@10.6.6.6>, <sip:8@10.6.6.6>, <sip:9@10.6.6.6>",
		200);
	leg_send(&(struct leg){ .p = &r.a,
				.call_id = "spiral",
				.local = "<sip:alice@example.test>;tag=1",
				.remote = "<sip:mallory@example.test>",
				.target = "sip:mallory@example.test" },
		 "MESSAGE", NULL, NULL);
	for (struct td_msg *m; (m = maybe_request(&r.mallory, "MESSAGE", 300)) && sent < 500; sent++) {
		const char *rest = find(m, "Via:");
		struct td_msg *no;

		phone_forget(&r.mallory);
		phone_send(&r.mallory,
			   "MESSAGE sip:mallory@example.test;n=%u SIP/2.0\nVia: SIP/2.0/UDP 10.6.6.6;branch=z9hG4bKsp%u\n%.*s",
			   sent, sent, (int)(m->bytes.n - (size_t)(rest - m->bytes.p)), rest);
		no = maybe_status(&r.mallory, 0, 10);
		if (no && no->status == 407 && !refused++) { /* as herself, then */
			assert_int_equal(td_auth_client_challenge(r.mallory.auth, no, NULL), 0);
		}
	}
	assert_true(sent <= 200);
	phone_forget(&r.mallory);
	rig_close(&r);
}

/* ---- D3: calls of others ---- */

/* CANCEL with everything right but where it comes from: another host, another port, another connection of the same host. */
static void d3_cancel_from_elsewhere(void **state)
{
	struct td_msg *invite;
	struct phone tcp, other;
	struct leg l;
	struct rig r;

	rig_open(&r, 2, NULL);
	phone_open(&tcp, &r.w, "alice", "10.0.1.5", 5060, TD_TCP);
	phone_open(&other, &r.w, "alice", "10.0.1.1", 5070, TD_UDP);
	for (int k = 0; k < 2; k++) {
		struct phone *caller = k ? &tcp : &r.a;

		leg_new(&l, caller, "example.test", "sip:bob@example.test");
		leg_send(&l, "INVITE", NULL, SDP);
		invite = want_request(&r.b, "INVITE");
		phone_answer(&r.b, invite, 180, "", NULL);
		want_status(caller, 180);
		for (int i = 0; i < 3; i++) {
			struct phone again, *p = i == 0 ? &r.mallory : i == 1 ? &other : &again;

			if (i == 2)
				phone_open(&again, &r.w, "alice", k ? "10.0.1.5" : "10.0.1.1", 5071, TD_TCP);
			phone_send(p,
				   "CANCEL %s SIP/2.0\nVia: SIP/2.0/%s %s:5060;rport;branch=%s\nMax-Forwards: 70\nFrom: %s\nTo: "
				   "%s\nCall-ID: %s\n"
				   "CSeq: 1 CANCEL\nContent-Length: 0\n\n",
				   l.target, k ? "TCP" : "UDP", k ? "10.0.1.5" : "10.0.1.1", l.invite_branch, l.local, l.remote,
				   l.call_id);
			want_status(p, 481);
			if (i == 2)
				phone_close(&again);
		}
		assert_null(maybe_request(&r.b, "CANCEL", 1000));
		leg_send(&l, "CANCEL", NULL, NULL);
		phone_answer(&r.b, want_request(&r.b, "CANCEL"), 200, "", NULL);
		phone_answer(&r.b, invite, 487, "", NULL);
		want_status(caller, 487);
		phone_forget(caller);
		phone_forget(&r.b);
	}
	phone_close(&tcp);
	phone_close(&other);
	rig_close(&r);
}

/* BYE, re-INVITE and UPDATE with guessed ids, or with all of them right but the cookie; the call stays up. */
static void d3_guessed_dialogs(void **state)
{
	static const char *const methods[] = { "BYE", "INVITE", "UPDATE", "REFER", "INFO", "NOTIFY", "PRACK" };
	struct leg caller, callee, evil;
	struct rig r;

	rig_open(&r, 3, NULL);
	leg_new(&caller, &r.a, "example.test", "sip:bob@example.test");
	call_up(&caller, &callee, &r.b);
	for (size_t i = 0; i < TD_ARRAY_LEN(methods); i++)
		for (int k = 0; k < 6; k++) {
			struct td_msg *m;

			evil = k & 1 ? caller : callee;
			evil.p = &r.mallory;
			if (k < 2) {
				snprintf(evil.call_id, sizeof(evil.call_id), "guess%d", k);
			} else if (k < 4) {
				char *td = strstr(evil.routes, ";td=");

				assert_non_null(td);
				td[4] = td[4] == '0' ? '1' : '0';
			} else {
				evil.routes[0] = 0;
			}
			leg_send(&evil, methods[i], NULL, NULL);
			m = maybe_status(&r.mallory, 0, 1000);
			assert_non_null(m);
			assert_true(m->status == 403 || m->status == 407);
		}
	want_silence(&r.a, 500);
	want_silence(&r.b, 500);
	leg_send(&caller, "BYE", NULL, NULL);
	phone_answer(&r.b, want_request(&r.b, "BYE"), 200, "", NULL);
	want_status(&r.a, 200);
	rig_close(&r);
}

/* ---- D4: forged responses that know more than they should ---- */

static void d4_right_branch_wrong_rest(void **state)
{
	struct td_msg *invite;
	struct leg l;
	struct rig r;

	rig_open(&r, 2, NULL);
	leg_new(&l, &r.a, "example.test", "sip:bob@example.test");
	leg_send(&l, "INVITE", NULL, SDP);
	invite = want_request(&r.b, "INVITE");
	want_status(&r.a, 100);
	for (int i = 0; i < 4; i++) {
		static const char *const cseq[] = { "1 BYE", "1 CANCEL", "1 invite", "1 MESSAGE" };

		phone_send(&r.mallory,
			   "SIP/2.0 200 OK\nVia: %.*s\nVia: SIP/2.0/UDP 10.0.1.1:5060;rport;branch=%s\nFrom: %s\nTo: "
			   "%s;tag=x\nCall-ID: %s\nCSeq: %s\n"
			   "Contact: <sip:mallory@10.6.6.6>\nContent-Length: 0\n\n",
			   TD_FMT(invite->via.text), l.branch, l.local, l.remote, l.call_id, cseq[i]);
		/* the branch, cut and made longer */
		phone_send(&r.mallory,
			   "SIP/2.0 200 OK\nVia: SIP/2.0/UDP " SERVER_IP
			   ";branch=%.*s%s\nVia: SIP/2.0/UDP 10.0.1.1:5060;rport;branch=%s\nFrom: %s\n"
			   "To: %s;tag=x\nCall-ID: %s\nCSeq: 1 INVITE\nContent-Length: 0\n\n",
			   (int)(invite->via.branch.n - (size_t)i - (i == 0)), invite->via.branch.p, i == 0 ? "" : "z", l.branch,
			   l.local, l.remote, l.call_id);
	}
	want_silence(&r.a, 1000);
	phone_answer(&r.b, invite, 486, "", NULL);
	want_status(&r.a, 486);
	rig_close(&r);
}

/* ---- D6: redirection within the house ---- */

static void d6_302_is_not_followed(void **state)
{
	static const char *const contacts[] = { "<sip:carol@example.test>", "<sip:carol@10.0.1.7>",
						"<sip:x@10.9.9.9>;q=1, <sip:alice@example.test>;q=0.5", "<tel:+1900555>",
						"<sip:carol@" SERVER_IP ">" };
	struct phone carol;
	struct rig r;

	rig_open(&r, 2, NULL);
	world_user(&r.w, "carol", "c");
	phone_open(&carol, &r.w, "carol", "10.0.1.7", 5060, TD_UDP);
	phone_register(&carol, "example.test");
	for (size_t i = 0; i < TD_ARRAY_LEN(contacts); i++) {
		char line[200];
		struct leg l;

		snprintf(line, sizeof(line), "Contact: %s\n", contacts[i]);
		leg_new(&l, &r.a, "example.test", "sip:bob@example.test");
		leg_send(&l, "INVITE", NULL, SDP);
		phone_answer(&r.b, want_request(&r.b, "INVITE"), 302, line, NULL);
		want_status(&r.a, 302);
	}
	want_silence(&carol, 1000);
	want_silence(&r.victim, 1000);
	phone_close(&carol);
	rig_close(&r);
}

/* ---- D7: floods of calls ---- */

static void d7_invite_flood_leaves_nothing(void **state)
{
	const struct td_server_status *st;
	struct leg l;
	struct rig r;

	rig_open(&r, 2, "proxy: {max_pending: 20}\n");
	for (int i = 0; i < 400; i++) { /* by a stranger: no state at all */
		say(&r.victim, "INVITE", "sip:bob@example.test", MALLORY, "<sip:bob@example.test>", "x", "");
		if (i % 50 == 0)
			world_assert_idle(&r.w);
	}
	world_assert_idle(&r.w);
	assert_int_equal(ask(&r.mallory, "MESSAGE", "sip:nobody@example.test", NULL), 404); /* she has a nonce now */
	for (int i = 0; i < 300; i++) { /* by a user, who neither acknowledges nor cancels; every third call is answered */
		leg_new(&l, &r.mallory, "example.test", "sip:bob@example.test");
		leg_send(&l, "INVITE", NULL, SDP);
		struct td_msg *m = maybe_request(&r.b, "INVITE", 5);
		if (m)
			phone_answer(&r.b, m, i % 3 == 0 ? 200 : i % 3 == 1 ? 180 : 404, "", SDP);
	}
	st = world_status(&r.w);
	assert_true(st->proxy.sources <= 2);
	assert_true(st->proxy.branches <= 40 + 110); /* pending on each worker, and those answered */
	world_run(&r.w, 181000 + 2 * 33000);         /* Timer C, a CANCEL nobody answers, a 408 nobody acknowledges */
	world_assert_idle(&r.w);
	assert_int_equal(ask(&r.a, "OPTIONS", "sip:example.test", NULL), 200);
	phone_forget(&r.b);
	rig_close(&r);
}

/* CANCEL at every moment of a call that is answered at every moment; the ACK never comes. */
static void d7_cancel_races(void **state)
{
	static const unsigned finals[] = { 200, 486, 487, 603 };
	struct rig r;

	rig_open(&r, 2, NULL);
	for (size_t f = 0; f < TD_ARRAY_LEN(finals); f++)
		for (uint64_t gap = 0; gap < 6; gap++)
			for (int order = 0; order < 2; order++) {
				struct td_msg *invite;
				struct leg l;

				phone_register(&r.b, "example.test");
				leg_new(&l, &r.a, "example.test", "sip:bob@example.test");
				leg_send(&l, "INVITE", NULL, SDP);
				invite = want_request(&r.b, "INVITE");
				phone_answer(&r.b, invite, 180, "", NULL);
				world_run(&r.w, 5);
				if (order)
					leg_send(&l, "CANCEL", NULL, NULL);
				else
					phone_answer(&r.b, invite, finals[f], "", SDP);
				world_run(&r.w, gap / 2);
				if (order)
					phone_answer(&r.b, invite, finals[f], "", SDP);
				else
					leg_send(&l, "CANCEL", NULL, NULL);
				want_status(&r.a, 200); /* for the CANCEL or the INVITE */
				world_run(&r.w, 64500);
				phone_forget(&r.a);
				phone_forget(&r.b);
				world_assert_idle(&r.w);
			}
	rig_close(&r);
}

/* ---- D8: lifetimes ---- */

static void d8_expires(void **state)
{
	static const struct {
		const char *lines;
		unsigned status;
		int expires;
	} rows[] = {
		{ "Expires: 4294967295\n", 200, 7200 },
		{ "Expires: 4294967296\n", 200, 7200 },
		{ "Expires: 4294967297\n", 200, 7200 },
		{ "Expires: 18446744073709551617\n", 200, 7200 },
		{ "Expires: -1\n", 200, 3600 },
		{ "Expires: x\n", 200, 3600 },
		{ "Expires: 59\n", 423, -1 },
		{ "Expires: 1\n", 423, -1 },
		{ "Expires: 0\n", 200, -1 },
		{ "Expires: 60\n", 200, 60 },
		{ "Expires: 7201\n", 200, 7200 },
		{ ";expires=4294967295\n", 200, 7200 },
		{ ";expires=4294967296\n", 200, 7200 },
		{ ";expires=-1\n", 200, 3600 },
		{ ";expires=\"60\"\n", 200, 3600 },
		{ ";expires=1\n", 423, -1 },
		{ ";expires=0\n", 200, -1 },
		{ ";expires=60;expires=0\n", 400, -1 },
		{ "Expires: 60\nExpires: 0\n", 200, 60 },
	};
	struct rig r;

	rig_open(&r, 2, NULL);
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		char who[64], id[32], lines[200];
		struct td_msg *m;
		struct td_contact c;

		snprintf(who, sizeof(who), "<sip:u%zu@any.test>", i);
		snprintf(id, sizeof(id), "d8-%zu", i);
		snprintf(lines, sizeof(lines), "Contact: <sip:u@10.0.1.1>%s%s", rows[i].lines[0] == ';' ? "" : "\n",
			 rows[i].lines);
		m = say(&r.a, "REGISTER", "sip:any.test", who, who, id, lines);
		assert_non_null(m);
		if (m->status != rows[i].status)
			fail_msg("%swanted %u, got %u", lines, rows[i].status, m->status);
		if (m->status == 423)
			assert_string_equal(header(m, "Min-Expires"), "60");
		if (rows[i].expires < 0) {
			assert_int_equal(header_count(m, TD_HDR_CONTACT), 0);
			continue;
		}
		assert_int_equal(td_contact_parse(&c, td_msg_value(m, TD_HDR_CONTACT)), 0);
		if (c.expires != rows[i].expires)
			fail_msg("%swanted %d s, got %d", lines, rows[i].expires, c.expires);
	}
	rig_close(&r);
}

/* A proxy takes no part in session timers and calls: whatever is said there ends nothing too early and nothing too late. */
static void d8_lifetimes_of_calls(void **state)
{
	static const char *const lines[] = { "Expires: 0\n",
					     "Expires: -1\n",
					     "Expires: 4294967296\n",
					     "Supported: timer\nSession-Expires: 0\nMin-SE: 4294967295\n",
					     "Supported: timer\nSession-Expires: 4294967296;refresher=uac\n",
					     "Session-Expires: -1\n" };
	struct rig r;

	rig_open(&r, 2, NULL);
	for (size_t i = 0; i < TD_ARRAY_LEN(lines); i++) {
		struct td_msg *invite, *m;
		struct leg l;

		leg_new(&l, &r.a, "example.test", "sip:bob@example.test");
		leg_send(&l, "INVITE", lines[i], SDP);
		invite = want_request(&r.b, "INVITE");
		phone_answer(&r.b, invite, 180, "", NULL);
		want_status(&r.a, 180);
		world_run(&r.w, 100000);
		phone_answer(&r.b, invite, 200, "", SDP);
		m = want_status(&r.a, 200);
		leg_learn(&l, m);
		leg_send(&l, "ACK", NULL, NULL);
		want_request(&r.b, "ACK");
		phone_forget(&r.a);
	}
	rig_close(&r);
}

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
	rig_open(&r, 2, "limits: {connections_per_source: 20}\n");
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
		assert_int_equal(ask(&r.a, "OPTIONS", "sip:example.test", NULL), 200);
		leg_new(&caller, &r.a, "any.test", "sip:carol@any.test");
		call_up(&caller, &callee, &tcp);
		leg_send(&caller, "BYE", NULL, NULL);
		phone_answer(&tcp, want_request(&tcp, "BYE"), 200, "", NULL);
		want_status(&r.a, 200);
	}
	for (int i = 0; i < SLOW; i++) {
		closed += slow[i].closed;
		phone_close(&slow[i]);
	}
	assert_int_equal(closed, SLOW);
	assert_false(tcp.closed);
	phone_close(&tcp);
	free(slow);
	rig_close(&r);
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
	rig_open(&r, 2, NULL);
	phone_open(&deaf, &r.w, "deaf", "10.0.1.9", 5060, TD_TCP);
	phone_register(&deaf, "any.test");
	td_net_unplug(deaf.net, true);
	for (int i = 0; i < 60; i++) {
		struct leg l;

		leg_new(&l, &r.a, "any.test", "sip:deaf@any.test");
		leg_send(&l, "MESSAGE", NULL, body);
		world_run(&r.w, 10);
		assert_int_equal(ask(&r.b, "OPTIONS", "sip:example.test", NULL), 200);
	}
	world_run(&r.w, 100);
	for (unsigned i = 0; i < r.a.n; i++)
		unreachable += r.a.inbox[i]->status >= 480;
	assert_true(unreachable >= 20); /* 1 MiB waits for it; then its connection went, and with it all that waited */
	phone_forget(&r.a);
	free(body);
	td_net_unplug(deaf.net, false);
	phone_close(&deaf);
	rig_close(&r);
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

	rig_open(&r, 2, NULL);
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
	rig_close(&r);
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
		cmocka_unit_test(a1_replay_at_every_worker),
		cmocka_unit_test(a1_foreign_nonces),
		cmocka_unit_test(a2_downgrades),
		cmocka_unit_test(a4_all_names_look_alike),
		cmocka_unit_test(a10_from_of_another),
		cmocka_unit_test(a10_register_for_another),
		cmocka_unit_test(a11_contact_of_a_victim),
		cmocka_unit_test(a11_contact_of_a_victim_by_tcp),
		cmocka_unit_test(d1_address_tricks),
		cmocka_unit_test(d1_cookie_is_no_pass),
		cmocka_unit_test(d2_spirals_end),
		cmocka_unit_test(d3_cancel_from_elsewhere),
		cmocka_unit_test(d3_guessed_dialogs),
		cmocka_unit_test(d4_right_branch_wrong_rest),
		cmocka_unit_test(d6_302_is_not_followed),
		cmocka_unit_test(d7_invite_flood_leaves_nothing),
		cmocka_unit_test(d7_cancel_races),
		cmocka_unit_test(d8_expires),
		cmocka_unit_test(d8_lifetimes_of_calls),
		cmocka_unit_test(t1_slow_peers_beside_a_call),
		cmocka_unit_test(t3_phone_that_never_reads),
		cmocka_unit_test(p10_flood_is_not_logged),
		cmocka_unit_test(p12_call_ids_do_not_choose_a_worker),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
