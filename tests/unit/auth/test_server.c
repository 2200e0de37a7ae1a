#include "support.h"

#include <stdio.h>
#include "auth/internal.h"

struct fix {
	struct td_rng rng;
	struct td_nonces *n;
	struct td_ha1 ha1[TD_DIGEST_ALGS];
	char nonce[64];
};

static int set_up(void **state)
{
	struct fix *f = calloc(1, sizeof(*f));
	struct td_out o;

	td_rng_init_seed(&f->rng, 1);
	assert_int_equal(td_nonces_open(&f->n, &f->rng, NULL), 0);
	for (int a = 0; a < TD_DIGEST_ALGS; a++)
		assert_int_equal(td_ha1_make(&f->ha1[a], (enum td_digest_alg)a, TD_STR("bob"), TD_STR("d"), TD_STR("pw")), 0);
	td_out_init_fixed(&o, f->nonce, sizeof(f->nonce));
	td_nonce_make(&o, f->n, &f->rng, 1000, TD_STR("d"), 7);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fix *f = *state;

	td_nonces_close(f->n);
	free(f);
	return 0;
}

static struct td_msg *message(const char *lines)
{
	char text[4096];
	struct td_msg *m;
	struct td_buf *b;

	snprintf(text, sizeof(text),
		 "REGISTER sip:d SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nMax-Forwards: 70\r\nFrom: <sip:bob@d>;tag=1\r\n"
		 "To: <sip:bob@d>\r\nCall-ID: 1\r\nCSeq: 1 REGISTER\r\n%sContent-Length: 0\r\n\r\n",
		 lines);
	b = td_buf_copy(td_str_of(text));
	assert_int_equal(td_msg_parse(&m, b, 0, b->len), 0);
	td_buf_unref(b);
	return m;
}

/* Finds and checks a set of credentials; fields of it may be replaced after the response was computed. */
static enum td_auth_verdict check(struct fix *f, enum td_digest_alg alg, const char *uri, const char *qop, const char *nc,
				  const char *nonce, bool known, uint64_t now_ms)
{
	char response[TD_DIGEST_HEX_MAX], line[1024];
	struct td_digest_input in = {
		.alg = alg,
		.method = TD_STR("REGISTER"),
		.uri = td_str_of(uri),
		.nonce = td_str_of(nonce),
		.nc = td_str_of(nc),
		.cnonce = TD_STR("c"),
		.qop = td_str_of(qop),
	};
	int n = (int)td_digest_response(response, &f->ha1[alg], &in);
	enum td_digest_alg got;
	struct td_auth cred;

	snprintf(line, sizeof(line),
		 "Authorization: Digest username=\"bob\", realm=\"d\", nonce=\"%s\", uri=\"%s\", response=\"%.*s\", "
		 "algorithm=%s%s%s%s%s%s\r\n",
		 nonce, uri, n, response, td_digest_alg_name(alg).p, *qop ? ", qop=" : "", qop, *qop ? ", nc=" : "",
		 *qop ? nc : "", *qop ? ", cnonce=\"c\"" : "");
	struct td_msg *m = message(line);
	enum td_auth_verdict v = td_auth_find(&cred, &got, m, false, TD_STR("d"));
	if (v == TD_AUTH_OK) {
		assert_int_equal(got, alg);
		v = td_auth_check(f->n, &cred, got, known ? &f->ha1[alg] : NULL, m, now_ms, 7);
	}
	td_msg_unref(m);
	return v;
}

static size_t hash_of(char out[2 * 32], enum td_digest_alg alg, const struct td_out *text)
{
	uint8_t sum[32];
	struct td_out o;

	if (alg == TD_DIGEST_MD5)
		MD5((const uint8_t *)text->p, text->n, sum);
	else
		SHA256((const uint8_t *)text->p, text->n, sum);
	td_out_init_fixed(&o, out, 2 * 32);
	td_out_hex(&o, sum, alg == TD_DIGEST_MD5 ? 16 : 32);
	return o.n;
}

/* The response is the hash of its text (RFC 7616 §3.4.1), however long the pieces are. */
static void responses_of_any_length(void **state)
{
	struct fix *f = *state;
	char uri[600];

	memset(uri, 'u', sizeof(uri));
	for (size_t n = 0; n < 2 * sizeof(uri); n++) {
		enum td_digest_alg alg = (enum td_digest_alg)(n % TD_DIGEST_ALGS);
		struct td_str text = exact_copy(td_str_n(uri, n / 2));
		struct td_digest_input in = { alg, TD_STR("REGISTER"), text, text, TD_STR("00000001"), text, TD_STR("auth") };
		char ha2[64], want[64], got[TD_DIGEST_HEX_MAX];
		struct td_out o;

		td_out_init(&o);
		td_out_fmt(&o, "REGISTER:%.*s", TD_FMT(text));
		size_t ha2_n = hash_of(ha2, alg, &o);
		td_out_free(&o);
		td_out_init(&o);
		td_out_hex(&o, f->ha1[alg].bytes, ha2_n / 2);
		td_out_fmt(&o, ":%.*s:00000001:%.*s:auth:%.*s", TD_FMT(text), TD_FMT(text), (int)ha2_n, ha2);
		size_t want_n = hash_of(want, alg, &o);
		td_out_free(&o);
		size_t got_n = td_digest_response(got, &f->ha1[alg], &in);
		assert_true(td_str_eq(td_str_n(got, got_n), td_str_n(want, want_n)));
		exact_free(text);
	}
}

/* Proves RFC 3261 §22.1-3, §22.4-2, §22.4-4. */
static void verdicts(void **state)
{
	struct fix *f = *state;

	for (int a = 0; a < TD_DIGEST_ALGS; a++) {
		enum td_digest_alg alg = (enum td_digest_alg)a;
		const char *nc = a ? "0000000A" : "00000001";

		assert_int_equal(check(f, alg, "sip:d", "auth", nc, f->nonce, false, 2000), TD_AUTH_WRONG); /* A4 */
		assert_int_equal(check(f, alg, "sip:d", "auth", nc, f->nonce, true, 2000), TD_AUTH_OK);
		assert_int_equal(check(f, alg, "sip:d", "auth", nc, f->nonce, true, 2000), TD_AUTH_STALE); /* A1 */
		assert_int_equal(check(f, alg, "sip:d", "auth", "00000005", f->nonce, true, 302000), TD_AUTH_STALE);
		/* of before a restart */
		assert_int_equal(check(f, alg, "sip:d", "auth", "00000005", "bm9uZQ==", true, 2000), TD_AUTH_STALE);
		assert_int_equal(check(f, alg, "sip:d", "auth", "00000005", "bm9uZQ==", false, 2000), TD_AUTH_STALE);  /* A5 */
		assert_int_equal(check(f, alg, "sip:other", "auth", "00000006", f->nonce, true, 2000), TD_AUTH_WRONG); /* A1 */
		/* the same URI */
		assert_int_equal(check(f, alg, "sip:D;x", "auth", a ? "00000008" : "00000007", f->nonce, true, 2000), TD_AUTH_OK);
		assert_int_equal(check(f, alg, "sip:d", "", "", f->nonce, true, 2000), TD_AUTH_WRONG); /* A2: no qop */
		assert_int_equal(check(f, alg, "sip:d", "auth-int", "00000009", f->nonce, true, 2000), TD_AUTH_WRONG);
		assert_int_equal(check(f, alg, "sip:d", "auth", "9", f->nonce, true, 2000), TD_AUTH_MALFORMED);
		assert_int_equal(check(f, alg, "sip:d", "auth", "00000000", f->nonce, true, 2000), TD_AUTH_STALE);
	}
}

#define CRED(realm, alg)                                         \
	"Authorization: Digest username=\"bob\", realm=\"" realm \
	"\", nonce=\"n\", uri=\"sip:d\", response=\"0123456789abcdef0123456789abcdef\"" alg "\r\n"

static void finding(void **state)
{
	static const struct {
		const char *lines;
		enum td_auth_verdict v;
		enum td_digest_alg alg;
	} rows[] = {
		{ "", TD_AUTH_NONE, 0 },
		{ CRED("x", ""), TD_AUTH_NONE, 0 },
		{ CRED("d", ""), TD_AUTH_OK, TD_DIGEST_MD5 },
		{ CRED("d", ", algorithm=sha-256"), TD_AUTH_OK, TD_DIGEST_SHA256 },
		{ CRED("d", ", algorithm=SHA-512-256"), TD_AUTH_NONE, 0 },
		{ CRED("x", "") CRED("d", "") CRED("d", ", algorithm=SHA-256") CRED("d", ", algorithm=MD5"), TD_AUTH_OK,
		  TD_DIGEST_SHA256 },
		{ "Proxy-" CRED("d", ""), TD_AUTH_NONE, 0 },
		{ "Authorization: Digest username=\"bob\"\r\n", TD_AUTH_MALFORMED, 0 },
		{ "Authorization: Digest realm=\"d\r\n", TD_AUTH_MALFORMED, 0 },
	};

	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct td_msg *m = message(rows[i].lines);
		enum td_digest_alg alg = TD_DIGEST_MD5;
		struct td_auth cred;

		if (td_auth_find(&cred, &alg, m, false, TD_STR("d")) != rows[i].v)
			fail_msg("%s", rows[i].lines);
		if (rows[i].v == TD_AUTH_OK)
			assert_int_equal(alg, rows[i].alg);
		td_msg_unref(m);
	}
}

/* Proves RFC 3261 §22.1-2, §22.4-3. */
static void challenge_lines(void **state)
{
	struct fix *f = *state;
	struct td_out o;

	td_out_init(&o);
	td_auth_put_challenges(&o, f->n, &f->rng, 0, true, TD_STR("d"), 7, 3, true);
	for (char *p = o.p; (p = memmem(p, o.n - (size_t)(p - o.p), "nonce=\"", 7));)
		memset(p += 7, 'N', 20);
#define N20 "NNNNNNNNNNNNNNNNNNNN"
	assert_str(td_out_view(&o),
		   "Proxy-Authenticate: Digest realm=\"d\", nonce=\"" N20 "\", algorithm=SHA-256, qop=\"auth\", stale=true\r\n"
		   "Proxy-Authenticate: Digest realm=\"d\", nonce=\"" N20 "\", algorithm=MD5, qop=\"auth\", stale=true\r\n");
	o.n = 0;
	td_auth_put_challenges(&o, f->n, &f->rng, 0, false, TD_STR("d"), 7, 1u << TD_DIGEST_MD5, false);
	assert_int_equal(o.n, strlen("WWW-Authenticate: Digest realm=\"d\", nonce=\"" N20 "\", algorithm=MD5, qop=\"auth\"\r\n"));
	td_out_free(&o);
}

/* ---- the client ---- */

static int learn_for(struct td_auth_client *c, const char *lines, const struct td_auth_sent *sent)
{
	char text[4096];
	struct td_msg *m;

	snprintf(text, sizeof(text),
		 "SIP/2.0 401 Unauthorized\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:bob@d>;tag=1\r\n"
		 "To: <sip:bob@d>;tag=2\r\nCall-ID: 1\r\nCSeq: 1 REGISTER\r\n%sContent-Length: 0\r\n\r\n",
		 lines);
	struct td_buf *b = td_buf_copy(td_str_of(text));
	assert_int_equal(td_msg_parse(&m, b, 0, b->len), 0);
	td_buf_unref(b);
	int err = td_auth_client_challenge(c, m, sent);
	td_msg_unref(m);
	return err;
}

static int learn(struct td_auth_client *c, const char *lines)
{
	return learn_for(c, lines, NULL);
}

static unsigned put(struct td_auth_client *c, struct td_out *o)
{
	unsigned lines = 0;

	o->n = 0;
	assert_int_equal(td_auth_client_put(o, c, TD_STR("REGISTER"), TD_STR("sip:d")), 0);
	for (size_t i = 0; i < o->n; i++)
		lines += o->p[i] == '\n';
	td_out_char(o, 0);
	return lines;
}

#define CHALLENGE(realm, nonce, rest) "WWW-Authenticate: Digest realm=\"" realm "\", nonce=\"" nonce "\"" rest "\r\n"

/* Proves RFC 3261 §22.2-3, §22.3-2, §22.4-1, §22.4-3. */
static void client_chooses(void **state)
{
	struct fix *f = *state;
	struct td_auth_client *c;
	struct td_out o;

	td_out_init(&o);
	assert_int_equal(
		td_auth_client_open(&c, &f->rng, &(struct td_credentials){ .user = TD_STR("bo\"b"), .password = TD_STR("pw") }),
		0);
	assert_int_equal(put(c, &o), 0);
	assert_int_equal(learn(c, ""), TD_EUNSUPPORTED);
	assert_int_equal(learn(c, CHALLENGE("d", "n", ", qop=\"auth-int\"")), TD_EUNSUPPORTED);
	assert_int_equal(learn(c, CHALLENGE("d", "n", ", algorithm=SHA-512-256")), TD_EUNSUPPORTED);
	/* the strongest of each realm, whatever the order; proxies are other realms */
	assert_int_equal(learn(c, CHALLENGE("d", "n1", ", algorithm=MD5, qop=\"auth,auth-int\"")
					  CHALLENGE("d", "n2", ", algorithm=SHA-256, qop=\"auth\"") CHALLENGE(
						  "e", "n3", ", opaque=\"o\\\"p\"") "Proxy-Authenticate: Digest realm=\"d\", "
										    "nonce=\"n4\", qop=\"auth\"\r\n"),
			 0);
	assert_int_equal(put(c, &o), 3);
	assert_non_null(
		strstr(o.p, "Authorization: Digest username=\"bo\\\"b\", realm=\"d\", nonce=\"n2\", uri=\"sip:d\", response=\""));
	assert_non_null(strstr(o.p, ", algorithm=SHA-256, cnonce=\""));
	assert_non_null(strstr(o.p, ", qop=auth, nc=00000001\r\n"));
	assert_non_null(strstr(o.p, ", opaque=\"o\\\"p\"\r\n"));
	assert_non_null(strstr(o.p, "Proxy-Authorization: Digest username=\"bo\\\"b\", realm=\"d\", nonce=\"n4\""));
	assert_int_equal(put(c, &o), 3);
	assert_non_null(strstr(o.p, "nc=00000002"));
	td_auth_client_close(c);
	td_out_free(&o);
}

/* Proves RFC 3261 §22.2-1. */
static void client_gives_up(void **state)
{
	struct fix *f = *state;
	struct td_auth_client *c;
	struct td_out o;

	td_out_init(&o);
	assert_int_equal(td_auth_client_open(&c, &f->rng,
					     &(struct td_credentials){
						     .user = TD_STR("bob"), .realm = TD_STR("d"), .password = TD_STR("pw") }),
			 0);
	assert_int_equal(learn(c, CHALLENGE("evil", "n", "")), TD_EUNSUPPORTED); /* A6 */
	assert_int_equal(learn(c, CHALLENGE("d", "n1", ", qop=\"auth\"")), 0);
	assert_int_equal(put(c, &o), 1);
	assert_int_equal(learn(c, CHALLENGE("d", "n2", ", qop=\"auth\", stale=true")), 0);
	assert_int_equal(put(c, &o), 1);
	assert_int_equal(learn(c, CHALLENGE("d", "n3", ", qop=\"auth\"")), TD_EDENIED); /* fresh, and refused at once */
	assert_int_equal(learn(c, CHALLENGE("d", "n4", ", qop=\"auth\"")), 0);          /* another day */
	put(c, &o);
	put(c, &o);
	assert_int_equal(learn(c, CHALLENGE("d", "n5", ", qop=\"auth\"")), 0); /* it served; now it is used up */
	put(c, &o);
	put(c, &o);
	assert_int_equal(learn(c, CHALLENGE("d", "n5", ", qop=\"auth\"")), TD_EDENIED); /* the same nonce again */
	assert_int_equal(learn(c, CHALLENGE("d", "m0", ", stale=true")), 0);
	int err = 0;
	unsigned n = 0;
	for (; !err && n < 20; n++) { /* a server that calls everything stale */
		put(c, &o);
		err = learn(c, CHALLENGE("d", "m", ", stale=true"));
	}
	assert_int_equal(err, TD_EDENIED);
	assert_true(n > 1 && n < 10);
	td_auth_client_close(c);
	td_out_free(&o);
}

/* Two requests left before anything was known, and each is challenged with a nonce of its own: neither was refused. */
static void client_sends_two_at_once(void **state)
{
	struct fix *f = *state;
	struct td_auth_client *c;
	struct td_auth_sent sent = { 0 };
	struct td_out o;

	td_out_init(&o);
	assert_int_equal(
		td_auth_client_open(&c, &f->rng, &(struct td_credentials){ .user = TD_STR("bob"), .password = TD_STR("pw") }), 0);
	sent.mark = td_auth_client_mark(c);
	assert_int_equal(learn_for(c, CHALLENGE("d", "n1", ", qop=\"auth\""), &sent), 0);
	put(c, &o);
	assert_int_equal(learn_for(c, CHALLENGE("d", "n2", ", qop=\"auth\""), &sent), 0);
	sent.mark = td_auth_client_mark(c);
	put(c, &o);
	assert_int_equal(learn_for(c, CHALLENGE("d", "n3", ", qop=\"auth\""), &sent), TD_EDENIED);
	td_auth_client_close(c);
	td_out_free(&o);
}

/* Proves RFC 3261 §22.3-3. */
static void a6_no_new_realm_from_strangers(void **state)
{
	struct fix *f = *state;
	struct td_auth_client *c;
	struct td_auth_sent sent = { .known_realms = true };
	struct td_out o;

	td_out_init(&o);
	assert_int_equal(
		td_auth_client_open(&c, &f->rng, &(struct td_credentials){ .user = TD_STR("bob"), .password = TD_STR("pw") }), 0);
	assert_int_equal(learn_for(c, CHALLENGE("d", "n", ""), &sent), TD_EUNSUPPORTED);
	assert_int_equal(learn(c, CHALLENGE("d", "n", "")), 0);
	assert_int_equal(learn_for(c, CHALLENGE("evil", "n1", "") CHALLENGE("d", "n1", ""), &sent), 0);
	assert_int_equal(put(c, &o), 1);
	assert_int_equal(learn_for(c, "Proxy-Authenticate: Digest realm=\"d\", nonce=\"p\"\r\n", &sent), 0); /* the same realm */
	assert_int_equal(put(c, &o), 2);
	td_auth_client_close(c);
	td_out_free(&o);
}

/* Both sides with each other. */
static void client_meets_server(void **state)
{
	struct fix *f = *state;
	struct td_auth_client *c;
	struct td_out o, challenge;

	td_out_init(&o);
	td_out_init(&challenge);
	assert_int_equal(
		td_auth_client_open(&c, &f->rng, &(struct td_credentials){ .user = TD_STR("bob"), .password = TD_STR("pw") }), 0);
	for (unsigned algs = 1; algs < 4; algs++) {
		challenge.n = 0;
		td_auth_put_challenges(&challenge, f->n, &f->rng, 1000, false, TD_STR("d"), 7, algs, false);
		td_out_char(&challenge, 0);
		put(c, &o);
		put(c, &o); /* so that the next challenge is no refusal */
		assert_int_equal(learn(c, challenge.p), 0);
		for (int i = 0; i < 3; i++) {
			enum td_digest_alg alg;
			struct td_auth cred;

			put(c, &o);
			struct td_msg *m = message(o.p);
			assert_int_equal(td_auth_find(&cred, &alg, m, false, TD_STR("d")), TD_AUTH_OK);
			assert_int_equal(alg, algs & 1 ? TD_DIGEST_SHA256 : TD_DIGEST_MD5);
			assert_int_equal(td_auth_check(f->n, &cred, alg, &f->ha1[alg], m, 1001, 7), TD_AUTH_OK);
			td_msg_unref(m);
		}
	}
	td_auth_client_close(c);
	td_out_free(&o);
	td_out_free(&challenge);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

/* H(A2) as td_auth_begin() takes it for a request of this method and target, with or without a memo. */
static void ha2_of_request(uint8_t out[32], struct fix *f, const char *method, const char *target, enum td_digest_alg alg,
			   struct td_ha2_memo *memo)
{
	static const char zeros[] = "0000000000000000000000000000000000000000000000000000000000000000";
	struct td_auth cred = {
		.username = TD_STR("bob"),
		.realm = TD_STR("d"),
		.nonce = TD_STR("n"),
		.uri = td_str_of(target),
		.response = td_str_n(zeros, 2 * td_digest_size(alg)),
		.qop = TD_STR("auth"),
		.nc = TD_STR("00000001"),
		.cnonce = TD_STR("c"),
	};
	struct td_auth_trial trial;
	char text[512];
	struct td_msg *m;
	struct td_buf *b;

	snprintf(text, sizeof(text),
		 "%s %s SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:bob@d>;tag=1\r\nTo: <sip:bob@d>\r\n"
		 "Call-ID: 1\r\nCSeq: 1 %s\r\nContent-Length: 0\r\n\r\n",
		 method, target, method);
	b = td_buf_copy(td_str_of(text));
	assert_int_equal(td_msg_parse(&m, b, 0, b->len), 0);
	td_buf_unref(b);
	assert_int_equal(td_auth_begin(&trial, f->n, &cred, alg, m, 1000, 7, memo), TD_AUTH_OK);
	memcpy(out, trial.ha2, sizeof(trial.ha2));
	td_msg_unref(m);
}

/* What is remembered of one request answers no other one's: of another method, target or algorithm, or too long to be remembered. */
static void remembered_ha2_is_of_the_same_a2(void **state)
{
	static const char *const methods[] = { "REGISTER", "OPTIONS", "REGISTERS" };
	static const char *const targets[] = {
		"sip:d",
		"sip:e",
		"sip:dd",
		"sip:bob@d",
		"sip:al@d",
		"sip:a-domain-with-a-name-so-long-that-there-is-no-place-for-it-in-the-memo-of-what-was-hashed-last.example",
	};
	struct fix *f = *state;
	struct td_ha2_memo memo = { 0 };
	uint8_t with[32], without[32];

	for (unsigned i = 0; i < 400; i++) {
		const char *method = methods[td_rng_below(&f->rng, 3)], *target = targets[td_rng_below(&f->rng, 6)];
		enum td_digest_alg alg = (enum td_digest_alg)td_rng_below(&f->rng, TD_DIGEST_ALGS);

		ha2_of_request(with, f, method, target, alg, &memo);
		ha2_of_request(without, f, method, target, alg, NULL);
		assert_memory_equal(with, without, td_digest_size(alg));
	}
	assert_true(memo.n > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(responses_of_any_length),
		TEST(verdicts),
		TEST(remembered_ha2_is_of_the_same_a2),
		TEST(finding),
		TEST(challenge_lines),
		TEST(client_chooses),
		TEST(client_gives_up),
		TEST(client_sends_two_at_once),
		TEST(a6_no_new_realm_from_strangers),
		TEST(client_meets_server),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
