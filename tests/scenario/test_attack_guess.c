/* Who guesses passwords or looks for users; and whom that must not touch. */
#include "attack.h"

/* REGISTER for alice with that password, in answer to the challenge; what it is answered, NULL: nothing. */
static struct td_msg *guess(struct phone *p, const struct td_msg *challenge, const char *password, unsigned count)
{
	char resp[TD_DIGEST_HEX_MAX], line[700], nc[9], call_id[32];
	struct td_auth ch;
	struct td_ha1 ha1;
	size_t n;

	assert_int_equal(td_auth_parse(&ch, td_msg_value(challenge, TD_HDR_WWW_AUTHENTICATE)), 0);
	assert_int_equal(td_ha1_make(&ha1, TD_DIGEST_SHA256, TD_STR("alice"), TD_STR("example.test"), td_str_of(password)), 0);
	snprintf(nc, sizeof(nc), "%08x", count);
	snprintf(call_id, sizeof(call_id), "guess-%s-%u", password, count);
	struct td_digest_input in = { TD_DIGEST_SHA256, TD_STR("REGISTER"), TD_STR("sip:example.test"), ch.nonce, td_str_of(nc),
				      TD_STR("c"),      TD_STR("auth") };
	n = td_digest_response(resp, &ha1, &in);
	snprintf(line, sizeof(line),
		 "Authorization: Digest username=\"alice\", realm=\"example.test\", nonce=\"%.*s\", uri=\"sip:example.test\", "
		 "response=\"%.*s\", algorithm=SHA-256, qop=auth, nc=%s, cnonce=\"c\"\n",
		 TD_FMT(ch.nonce), (int)n, resp, nc);
	return say(p, "REGISTER", "sip:example.test", "<sip:alice@example.test>", "<sip:alice@example.test>", call_id, line);
}

static struct td_msg *challenge(struct phone *p)
{
	struct td_msg *m =
		say(p, "REGISTER", "sip:example.test", "<sip:alice@example.test>", "<sip:alice@example.test>", "ask", "");

	assert_non_null(m);
	assert_int_equal(m->status, 401);
	return m;
}

static unsigned guess_until_silence(struct phone *p, unsigned most)
{
	struct td_msg *ch = challenge(p), *m;
	char password[16];

	for (unsigned i = 1; i <= most; i++) {
		snprintf(password, sizeof(password), "p%u", i);
		m = guess(p, ch, password, i);
		if (!m)
			return i - 1;
		assert_int_equal(m->status, 401);
	}
	return most;
}

static void a5_a_guesser_is_banned(void **state)
{
	const struct td_server_status *st;
	struct phone thief, alice;
	struct rig r;

	attack_open(&r, 4, NULL); /* whichever worker his Call-IDs lead to */
	phone_open(&thief, &r.w, "thief", "10.7.7.7", 5060, TD_UDP);
	phone_open(&alice, &r.w, "alice", "10.7.8.1", 5060, TD_UDP);
	phone_password(&alice, "wonderland");
	assert_in_range(guess_until_silence(&thief, 50), 20, 24); /* the mail on its way lets some more through */
	st = world_status(&r.w);
	assert_int_equal(st->bans.made, 1);
	assert_true(st->guard.banned > 0);
	assert_int_equal(st->bans.lost, 0);
	/* not even with the right one, and on no way; whose password it is notices nothing, nor do others */
	assert_null(say(&thief, "OPTIONS", "sip:example.test", MALLORY, MALLORY, "o", ""));
	phone_close(&thief);
	phone_open(&thief, &r.w, "thief", "10.7.7.7", 0, TD_TCP);
	phone_send(&thief, "OPTIONS sip:example.test SIP/2.0\n\n");
	world_run(&r.w, 500);
	assert_true(thief.closed);
	phone_register(&alice, "example.test");
	phone_close(&thief);
	/* it ends by itself */
	world_run(&r.w, 600000);
	phone_open(&thief, &r.w, "thief", "10.7.7.7", 5060, TD_UDP);
	challenge(&thief);
	phone_close(&thief);
	phone_close(&alice);
	attack_close(&r);
}

/* In a victim's name, with a nonce that was given to the forger: nothing is learnt, and the victim is not locked out. */
static void a5_guesses_in_anothers_name(void **state)
{
	struct phone thief, forged, alice;
	struct td_msg *ch, *m;
	struct rig r;

	attack_open(&r, 2, NULL);
	phone_open(&thief, &r.w, "thief", "10.7.7.7", 5060, TD_UDP);
	phone_open(&forged, &r.w, "forged", "10.7.8.1", 5999, TD_UDP); /* alice's address */
	phone_open(&alice, &r.w, "alice", "10.7.8.1", 5060, TD_UDP);
	phone_password(&alice, "wonderland");
	ch = challenge(&thief);
	for (unsigned i = 1; i <= 200; i++) {
		m = guess(&forged, ch, i & 1 ? "wrong" : "wonderland", i);
		assert_non_null(m);
		assert_int_equal(m->status, 401);
		assert_non_null(find(m, "stale=true")); /* right or wrong */
	}
	for (unsigned i = 0; i < 300; i++) { /* nor is anything else that could be forged held against it */
		m = say(&forged, "REGISTER", "sip:example.test", MALLORY, MALLORY, "u", "");
		assert_non_null(m);
		assert_int_equal(m->status, 401);
		phone_forget(&forged);
	}
	phone_register(&alice, "example.test");
	assert_int_equal(world_status(&r.w)->bans.made, 0);
	phone_close(&thief);
	phone_close(&forged);
	phone_close(&alice);
	attack_close(&r);
}

/* Over a connection its address is proved: who asks for one name after the other and never shows a password is banned. */
static void x9_looking_for_users(void **state)
{
	struct phone scanner, alice;
	unsigned n, alike = 0;
	struct td_msg *m;
	struct rig r;

	attack_open(&r, 1, NULL);
	phone_open(&scanner, &r.w, "scanner", "10.7.7.7", 0, TD_TCP);
	phone_open(&alice, &r.w, "alice", "10.7.8.1", 5060, TD_TCP);
	phone_password(&alice, "wonderland");
	for (n = 0; n < 500; n++) {
		phone_send(&scanner,
			   "REGISTER sip:example.test SIP/2.0\nVia: SIP/2.0/TCP 10.7.7.7;branch=z9hG4bKn%u\nMax-Forwards: 70\n"
			   "From: <sip:%u@example.test>;tag=1\nTo: <sip:%u@example.test>\nCall-ID: n%u\nCSeq: 1 REGISTER\n"
			   "Content-Length: 0\n\n",
			   n, n, n, n);
		m = maybe_status(&scanner, 0, 100);
		if (!m)
			break;
		alike += m->status == 401;
	}
	assert_in_range(n, 356, 400); /* a hundred beside connections_per_source, and one a second */
	assert_int_equal(alike, n);
	assert_int_equal(world_status(&r.w)->bans.made, 1);
	for (unsigned i = 0; i < 150; i++) /* a phone that is asked each time and answers is none */
		phone_register(&alice, "example.test");
	assert_int_equal(world_status(&r.w)->bans.made, 1);
	phone_close(&scanner);
	phone_close(&alice);
	attack_close(&r);
}

/* That is no office whose phones come back after a restart: all of them ask, from one address, before one of them can answer. */
static void an_office_is_not_banned(void **state)
{
	enum { PHONES = 150 };
	struct phone *p = calloc(PHONES, sizeof(*p));
	char(*names)[8] = calloc(PHONES, sizeof(*names));
	struct rig r;

	assert_non_null(p);
	assert_non_null(names);
	attack_open(&r, 1, NULL);
	for (unsigned i = 0; i < PHONES; i++) {
		snprintf(names[i], sizeof(names[i]), "p%u", i);
		world_user(&r.w, names[i], "wonderland");
		phone_open(&p[i], &r.w, names[i], "10.7.7.7", (uint16_t)(5100 + i), TD_TCP);
		phone_password(&p[i], "wonderland");
	}
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < PHONES; i++)
			phone_send(&p[i],
				   "REGISTER sip:example.test SIP/2.0\nVia: SIP/2.0/TCP 10.7.7.7;branch=z9hG4bK%u-%u\n"
				   "Max-Forwards: 70\nFrom: <sip:p%u@example.test>;tag=1\nTo: <sip:p%u@example.test>\n"
				   "Call-ID: %u-%u\nCSeq: 1 REGISTER\nContent-Length: 0\n\n",
				   i, round, i, i, i, round);
		for (unsigned i = 0; i < PHONES; i++)
			want_status(&p[i], 401);
		for (unsigned i = 0; i < PHONES; i++)
			phone_register(&p[i], "example.test");
	}
	assert_int_equal(world_status(&r.w)->bans.made, 0);
	for (unsigned i = 0; i < PHONES; i++)
		phone_close(&p[i]);
	free(p);
	free(names);
	attack_close(&r);
}

/* Connections that talk HTTP or worse. */
static void x9_junk_on_connections(void **state)
{
	static const enum td_proto ways[] = { TD_TCP, TD_WS };
	struct world w;
	struct phone p;

	world_open_everywhere(&w, 11, 1, NULL);
	for (unsigned way = 0; way < TD_ARRAY_LEN(ways); way++) {
		uint64_t before = world_status(&w)->guard.banned;

		for (unsigned i = 0; i < 30; i++) {
			phone_open(&p, &w, "web", way ? "10.7.7.8" : "10.7.7.7", 0, ways[way]);
			phone_send_bytes(&p, TD_STR("\x01\x02 / HTTP/1.1\r\n\r\n"));
			world_run(&w, 100);
			assert_true(p.closed);
			phone_close(&p);
		}
		assert_int_equal(world_status(&w)->bans.made, way + 1);
		assert_true(world_status(&w)->guard.banned >= before + 5);
	}
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a5_a_guesser_is_banned), cmocka_unit_test(a5_guesses_in_anothers_name),
		cmocka_unit_test(x9_looking_for_users),   cmocka_unit_test(an_office_is_not_banned),
		cmocka_unit_test(x9_junk_on_connections),
	};

	return cmocka_run_group_tests_name("attack_guess", tests, NULL, NULL);
}
