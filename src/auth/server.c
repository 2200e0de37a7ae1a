/*
 * The side that asks (RFC 3261 §22, RFC 7616): finding a request's credentials for a realm, checking them, and writing
 * challenges. What an attacker sees must not depend on whether the user exists (A4): an unknown one is checked against a
 * dummy, by the same steps.
 */
#include "auth/internal.h"

enum td_auth_verdict td_auth_find(struct td_auth *out, enum td_digest_alg *alg, const struct td_msg *m, bool proxy,
				  struct td_str realm)
{
	enum td_hdr_id id = proxy ? TD_HDR_PROXY_AUTHORIZATION : TD_HDR_AUTHORIZATION;
	enum td_auth_verdict verdict = TD_AUTH_NONE;

	/* One field is one set of credentials: its commas separate parameters (§20.7). */
	for (const struct td_hdr *h = td_msg_hdr(m, id); h; h = td_msg_hdr_next(m, h)) {
		enum td_digest_alg a;
		struct td_auth cred TD_UNINIT;

		if (td_auth_parse(&cred, td_hdr_value(m, h)))
			return TD_AUTH_MALFORMED;
		if (!cred.digest)
			continue;
		if (!cred.realm.p)
			return TD_AUTH_MALFORMED;
		if (!td_str_eq(cred.realm, realm) || td_digest_alg_parse(&a, cred.algorithm))
			continue;
		if (verdict == TD_AUTH_OK && a >= *alg)
			continue; /* the strongest answer counts */
		*out = cred;
		*alg = a;
		verdict = TD_AUTH_OK;
	}
	return verdict;
}

/*
 * What a client's answer to our challenge must contain (RFC 7616 §3.4); qop is looked at by the caller. That response and nc are
 * hexadecimal td_auth_parse() has seen to.
 */
static bool complete(const struct td_auth *cred, enum td_digest_alg alg)
{
	if (!cred->username.n || !cred->nonce.n || !cred->uri.n || cred->response.n != 2 * td_digest_size(alg))
		return false;
	return !cred->qop.n || (cred->cnonce.n && cred->nc.n == 8);
}

static uint32_t count_of(struct td_str nc)
{
	uint32_t v = 0;

	for (size_t i = 0; i < nc.n; i++) {
		char c = td_lower(nc.p[i]);
		v = v << 4 | (uint32_t)(c <= '9' ? c - '0' : c - 'a' + 10);
	}
	return v;
}

/* "The digest-uri must name the same resource as the Request-URI" (RFC 7616 §3.4.6, RFC 3261 §22.4). */
static bool same_target(struct td_str uri, struct td_str request_uri)
{
	struct td_uri a TD_UNINIT, b TD_UNINIT;

	if (td_str_eq(uri, request_uri))
		return true;
	return !td_uri_parse(&a, uri) && !td_uri_parse(&b, request_uri) && td_uri_eq(&a, &b);
}

static struct td_digest_input input_of(const struct td_auth *cred, enum td_digest_alg alg, struct td_str method)
{
	return (struct td_digest_input){
		.alg = alg,
		.method = method,
		.uri = cred->uri,
		.nonce = cred->nonce,
		.nc = cred->nc,
		.cnonce = cred->cnonce,
		.qop = cred->qop,
	};
}

/* H(A2), remembered of requests to a domain: those to a user are each another's. */
static void ha2_of(uint8_t out[32], const struct td_digest_input *in, const struct td_msg *m, struct td_ha2_memo *memo)
{
	size_t n = in->method.n + 1 + in->uri.n;

	if (!memo || m->ruri.user.p || n > sizeof(memo->a2)) {
		td_digest_ha2(out, in);
		return;
	}
	if (memo->n != n || memo->alg != in->alg || memcmp(memo->a2, in->method.p, in->method.n) != 0 ||
	    memo->a2[in->method.n] != ':' || memcmp(memo->a2 + n - in->uri.n, in->uri.p, in->uri.n) != 0) {
		td_digest_ha2(memo->ha2, in);
		memcpy(memo->a2, in->method.p, in->method.n);
		memo->a2[in->method.n] = ':';
		memcpy(memo->a2 + n - in->uri.n, in->uri.p, in->uri.n);
		memo->n = (uint8_t)n;
		memo->alg = (uint8_t)in->alg;
	}
	memcpy(out, memo->ha2, sizeof(memo->ha2));
}

enum td_auth_verdict td_auth_begin(struct td_auth_trial *out, struct td_nonces *n, const struct td_auth *cred,
				   enum td_digest_alg alg, const struct td_msg *m, uint64_t now_ms, uint64_t source,
				   struct td_ha2_memo *memo)
{
	struct td_digest_input in = input_of(cred, alg, m->method_name);
	struct td_nonce nonce = { 0 };

	if (!complete(cred, alg))
		return TD_AUTH_MALFORMED;
	if (!td_str_ieq(cred->qop, TD_STR("auth")))
		return TD_AUTH_WRONG; /* without qop there is no count: replays would pass (A2) */
	out->fresh = td_nonce_check(&nonce, n, now_ms, cred->nonce, cred->realm, source) == TD_NONCE_GOOD;
	if (out->fresh)
		td_nonce_expect(n, &nonce);
	out->nonces = n;
	out->cred = cred;
	out->alg = alg;
	out->nonce_issued_ms = nonce.issued_ms;
	out->nonce_id = nonce.id;
	out->now_ms = now_ms;
	out->here = same_target(cred->uri, m->uri);
	ha2_of(out->ha2, &in, m, memo);
	return TD_AUTH_OK;
}

enum td_auth_verdict td_auth_end(const struct td_auth_trial *t, const struct td_ha1 *ha1)
{
	static const struct td_ha1 dummy;
	struct td_digest_input in = input_of(t->cred, t->alg, TD_STR_NULL);
	struct td_nonce nonce = { t->nonce_issued_ms, t->nonce_id };
	char want[TD_DIGEST_HEX_MAX];
	size_t len;
	bool right;

	/*
	 * A nonce from before our restart, or of another network the phone was in, is stale, so that phones try again by themselves
	 * (RFC 7616 §3.3). So is whatever comes with a nonce that we cannot have given to this source, right or wrong: who guesses has to
	 * answer us, from where he can be held to it (A5).
	 */
	if (!t->fresh)
		return TD_AUTH_STALE;
	len = td_digest_answer(want, ha1 ? ha1 : &dummy, t->ha2, &in);
	right = td_str_eq_secret(td_str_n(want, len), t->cred->response);
	if (!right || !t->here || !ha1)
		return TD_AUTH_WRONG;
	return td_nonce_use(t->nonces, &nonce, count_of(t->cred->nc), t->now_ms) ? TD_AUTH_OK : TD_AUTH_STALE;
}

enum td_auth_verdict td_auth_check(struct td_nonces *n, const struct td_auth *cred, enum td_digest_alg alg,
				   const struct td_ha1 *ha1, const struct td_msg *m, uint64_t now_ms, uint64_t source)
{
	struct td_auth_trial t;
	enum td_auth_verdict v = td_auth_begin(&t, n, cred, alg, m, now_ms, source, NULL);

	return v == TD_AUTH_OK ? td_auth_end(&t, ha1) : v;
}

/* What stands round the realm and the nonce of a challenge. */
static const struct td_str before_realm[] = {
	TD_STR_INIT("WWW-Authenticate: Digest realm=\""),
	TD_STR_INIT("Proxy-Authenticate: Digest realm=\""),
};
static const struct td_str after_nonce[TD_DIGEST_ALGS][2] = {
	[TD_DIGEST_SHA256] = { TD_STR_INIT("\", algorithm=SHA-256, qop=\"auth\"\r\n"),
			       TD_STR_INIT("\", algorithm=SHA-256, qop=\"auth\", stale=true\r\n") },
	[TD_DIGEST_MD5] = { TD_STR_INIT("\", algorithm=MD5, qop=\"auth\"\r\n"),
			    TD_STR_INIT("\", algorithm=MD5, qop=\"auth\", stale=true\r\n") },
};

void td_auth_put_challenges(struct td_out *o, struct td_nonces *n, struct td_rng *rng, uint64_t now_ms, bool proxy,
			    struct td_str realm, uint64_t source, unsigned algs, bool stale)
{
	char text[TD_NONCE_TEXT];
	struct td_out nonce;

	td_out_init_fixed(&nonce, text, sizeof(text));
	td_nonce_make(&nonce, n, rng, now_ms, realm, source); /* one for all algorithms: only one will be answered */
	for (unsigned a = 0; a < TD_DIGEST_ALGS; a++) {
		if (!(algs & 1u << a))
			continue;
		td_out_str(o, before_realm[proxy]);
		td_out_str(o, realm);
		td_out_str(o, TD_STR("\", nonce=\""));
		td_out_str(o, td_out_view(&nonce));
		td_out_str(o, after_nonce[a][stale]);
	}
}

_Static_assert(sizeof("Proxy-Authenticate: Digest realm=\"\", nonce=\"\", algorithm=SHA-256, qop=\"auth\", stale=true\r\n") - 1 +
			       TD_NONCE_TEXT <=
		       TD_AUTH_CHALLENGE_MAX,
	       "the longest line but for its realm");
