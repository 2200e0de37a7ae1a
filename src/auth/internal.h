/*
 * auth, inside the room: the hash functions, nonces and the window of their counts.
 */
#ifndef TANDEM_AUTH_INTERNAL_H
#define TANDEM_AUTH_INTERNAL_H

#include <tandem/auth.h>

/*
 * OpenSSL's low-level functions: no fetch, no context on the heap, no failure. Measured on digests of 150 bytes, an EVP
 * one-shot costs 1.3 to 2 times as much; a digest check is four of them.
 *
 * Text is gathered and hashed by blocks: an update costs as much as a quarter of one, and so does the end with its padding; the
 * text of a response has a dozen pieces.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/md5.h>
#include <openssl/sha.h>

enum { DIGEST_BLOCK = 64 }; /* bytes, of both hashes */

struct td_digest {
	enum td_digest_alg alg;
	union {
		MD5_CTX md5;
		SHA256_CTX sha256;
	} u;
	uint64_t total;                 /* bytes added */
	size_t n;                       /* of text: what is not hashed yet */
	uint8_t text[4 * DIGEST_BLOCK]; /* enough for most responses */
};

void td_digest_init(struct td_digest *d, enum td_digest_alg alg);
void td_digest_add(struct td_digest *d, struct td_str s);
/* Adds ":" and s. */
void td_digest_add_colon(struct td_digest *d, struct td_str s);
size_t td_digest_end(uint8_t out[32], struct td_digest *d); /* returns 16 or 32 */
size_t td_digest_size(enum td_digest_alg alg);
/* The two parts of td_digest_response(): H(A2) does not need the secret. */
void td_digest_ha2(uint8_t out[32], const struct td_digest_input *in);
size_t td_digest_answer(char out[TD_DIGEST_HEX_MAX], const struct td_ha1 *ha1, const uint8_t ha2[32],
			const struct td_digest_input *in);

enum { TD_NONCE_TEXT = 20 }; /* characters of a nonce */

enum td_nonce_state {
	TD_NONCE_GOOD,
	TD_NONCE_OLD,     /* ours, but past its lifetime */
	TD_NONCE_FOREIGN, /* not made by this object for this realm and source */
};

struct td_nonce {
	uint64_t issued_ms;
	uint64_t id; /* from the MAC: spreads evenly, nobody can choose it */
};

enum td_nonce_state td_nonce_check(struct td_nonce *out, const struct td_nonces *n, uint64_t now_ms, struct td_str text,
				   struct td_str realm, uint64_t source);
/* It will be used soon: what is remembered of it may be far away. */
void td_nonce_expect(const struct td_nonces *n, const struct td_nonce *nonce);
/* Uses up one count. False: it was used, or it may have been (the nonce's window was forgotten). */
bool td_nonce_use(struct td_nonces *n, const struct td_nonce *nonce, uint32_t count, uint64_t now_ms);

#endif
