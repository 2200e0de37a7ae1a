/*
 * auth: digest authentication, server and client (RFC 7616, RFC 8760 on top of RFC 3261 §22). MD5 and SHA-256, qop=auth.
 * Passwords are never kept: secrets are HA1 values, one per algorithm. Nonces are stateless (time + keyed MAC); what is kept,
 * bounded, is the window of nonce counts of nonces that were answered correctly, so that a replay is seen (A1).
 */
#ifndef TANDEM_AUTH_H
#define TANDEM_AUTH_H

#include <tandem/sip.h>

#ifdef __cplusplus
extern "C" {
#endif

enum td_digest_alg { TD_DIGEST_SHA256, TD_DIGEST_MD5, TD_DIGEST_ALGS }; /* strongest first: the order of challenges */

struct td_str td_digest_alg_name(enum td_digest_alg alg);             /* "SHA-256", "MD5" */
int td_digest_alg_parse(enum td_digest_alg *out, struct td_str name); /* empty: MD5 (RFC 7616 §3.3) */

struct td_ha1 {
	uint8_t bytes[32]; /* 16 used by MD5 */
};

/* H(user ":" realm ":" password), RFC 7616 §3.4.2. */
int td_ha1_make(struct td_ha1 *out, enum td_digest_alg alg, struct td_str user, struct td_str realm, struct td_str password);

enum { TD_DIGEST_HEX_MAX = 64 };
struct td_digest_input {
	enum td_digest_alg alg;
	struct td_str method, uri, nonce, nc, cnonce, qop; /* qop empty: RFC 2069 form (clients only; servers require it, A2) */
};
/* The response value in hex (32 or 64 characters); returns its length. */
size_t td_digest_response(char out[TD_DIGEST_HEX_MAX], const struct td_ha1 *ha1, const struct td_digest_input *in);

/* A keyed MAC for short inputs: SipHash-2-4 with 128 bits of output, or 64, of which the first byte on paper is the lowest here. */
void td_siphash128(uint8_t out[16], const uint8_t key[16], const void *in, size_t n);

/* ---- secrets that others carry: text of [A-Za-z0-9_-] that nobody without the key can read, make or change ---- */

enum { TD_SEAL_TAG = 12, TD_SEAL_MAX = 512 };
/* How long the text of n bytes is. */
static inline size_t td_seal_length(size_t n)
{
	return ((TD_SEAL_TAG + n) * 8 + 5) / 6;
}
/* n: at most TD_SEAL_MAX. The same bytes become the same text. */
void td_seal(struct td_out *o, const uint8_t key[16], const void *bytes, size_t n);
/* TD_ESYNTAX, TD_EDENIED: not sealed with this key. */
int td_unseal(uint8_t out[TD_SEAL_MAX], size_t *out_n, const uint8_t key[16], struct td_str text);
uint64_t td_siphash64(const uint8_t key[16], const void *in, size_t n);

/* ---- nonces: one object for all workers of a server; every function is safe from any thread and takes no lock ---- */

struct td_nonces;

struct td_nonce_options {
	uint32_t lifetime_s; /* 300: a nonce older than this is stale */
	uint32_t windows; /* 262,144 (4 MiB): nonces whose counts are remembered. Forgetting makes one stale, never replayable */
};

int td_nonces_open(struct td_nonces **out, struct td_rng *rng, const struct td_nonce_options *opt);
void td_nonces_close(struct td_nonces *n);
/* source: whom it is for, as a number that stays the same for him (of his address). From anybody else it is foreign: who answers it
 * has heard us there. */
void td_nonce_make(struct td_out *o, struct td_nonces *n, struct td_rng *rng, uint64_t now_ms, struct td_str realm,
		   uint64_t source);

/* ---- server side ---- */

enum td_auth_verdict {
	TD_AUTH_OK,
	TD_AUTH_NONE, /* no credentials for this realm: challenge */
	/* Challenge with stale=true: the nonce is old, of before a restart, or another's, and nobody learns whether the rest was right; or it
	 * was right, and its count was used. */
	TD_AUTH_STALE,
	TD_AUTH_WRONG,     /* wrong response to a nonce that is good, another target, no qop: challenge */
	TD_AUTH_MALFORMED, /* 400 */
};

/* The Digest credentials for realm in an Authorization (proxy: Proxy-Authorization) of m. */
enum td_auth_verdict td_auth_find(struct td_auth *out, enum td_digest_alg *alg, const struct td_msg *m, bool proxy,
				  struct td_str realm);
/*
 * Checks credentials found before. ha1 NULL: unknown user — the same work is done on a dummy (A4). The uri parameter must
 * name the request's target (equal URI, or equal text), qop must be auth, nc fit the window (A1, A2).
 */
enum td_auth_verdict td_auth_check(struct td_nonces *n, const struct td_auth *cred, enum td_digest_alg alg,
				   const struct td_ha1 *ha1, const struct td_msg *m, uint64_t now_ms, uint64_t source);
/*
 * The same in two steps: what needs no secret first, so that one that is far away can be on its way meanwhile. After TD_AUTH_OK
 * td_auth_end() has the verdict; any other is final. cred is borrowed until then.
 */
struct td_auth_trial {
	struct td_nonces *nonces;
	const struct td_auth *cred;
	enum td_digest_alg alg;
	bool here;                          /* the credentials name the request's target */
	bool fresh;                         /* the nonce is ours, for this source, and not too old */
	uint64_t nonce_issued_ms, nonce_id; /* of a fresh one */
	uint64_t now_ms;
	uint8_t ha2[32];
};

/* What A2 of the last request to a domain hashed to: all phones of one register with the same. Zeroed, it holds none; of one thread. */
struct td_ha2_memo {
	uint8_t alg, n; /* n: of a2; 0: none */
	char a2[94];
	uint8_t ha2[32];
};

/* memo may be NULL. */
enum td_auth_verdict td_auth_begin(struct td_auth_trial *out, struct td_nonces *n, const struct td_auth *cred,
				   enum td_digest_alg alg, const struct td_msg *m, uint64_t now_ms, uint64_t source,
				   struct td_ha2_memo *memo);
enum td_auth_verdict td_auth_end(const struct td_auth_trial *t, const struct td_ha1 *ha1);
enum { TD_AUTH_CHALLENGE_MAX = 160 };
/*
 * A WWW-Authenticate or Proxy-Authenticate line for each algorithm in the set (bit 1 << alg), strongest first: each at most
 * TD_AUTH_CHALLENGE_MAX bytes long, and the realm's.
 */
void td_auth_put_challenges(struct td_out *o, struct td_nonces *n, struct td_rng *rng, uint64_t now_ms, bool proxy,
			    struct td_str realm, uint64_t source, unsigned algs, bool stale);

/* ---- client side ---- */

struct td_credentials {
	struct td_str user, realm, password; /* realm empty: any */
};

struct td_auth_client; /* remembers challenges by realm, counts nc; one per account */

int td_auth_client_open(struct td_auth_client **out, struct td_rng *rng, const struct td_credentials *cred); /* copies cred */
void td_auth_client_close(struct td_auth_client *c);

/* What is to be known of the request a challenge answers. */
struct td_auth_sent {
	uint64_t mark;     /* td_auth_client_mark() when it was built: what came later it cannot have tried */
	bool known_realms; /* its answer may come from a stranger: learn no new realm from it (A6) */
};

uint64_t td_auth_client_mark(const struct td_auth_client *c);
/* Learns from a 401 or 407: takes the strongest algorithm we know of each realm. sent NULL: the request carried all that was known.
 * 0: try again; TD_EDENIED: our credentials were refused (same nonce not stale), TD_EUNSUPPORTED: no challenge we can answer. */
int td_auth_client_challenge(struct td_auth_client *c, const struct td_msg *response, const struct td_auth_sent *sent);
/* Authorization / Proxy-Authorization lines for a request, for every challenge remembered. */
int td_auth_client_put(struct td_out *o, struct td_auth_client *c, struct td_str method, struct td_str uri);

#ifdef __cplusplus
}
#endif
#endif
