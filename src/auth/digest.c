/*
 * The arithmetic of digest access authentication (RFC 7616 §3.4): HA1, HA2 and the response, for the algorithms we know
 * (RFC 8760 §2). Nothing here allocates, fails or keeps anything.
 */
#include "auth/internal.h"

#include <endian.h>

static const struct td_str names[TD_DIGEST_ALGS] = {
	[TD_DIGEST_SHA256] = TD_STR_INIT("SHA-256"),
	[TD_DIGEST_MD5] = TD_STR_INIT("MD5"),
};

struct td_str td_digest_alg_name(enum td_digest_alg alg)
{
	return (unsigned)alg < TD_DIGEST_ALGS ? names[alg] : TD_STR_NULL;
}

int td_digest_alg_parse(enum td_digest_alg *out, struct td_str name)
{
	if (name.n == 0) {
		*out = TD_DIGEST_MD5;
		return 0;
	}
	for (unsigned i = 0; i < TD_DIGEST_ALGS; i++) {
		if (td_str_ieq(name, names[i])) {
			*out = (enum td_digest_alg)i;
			return 0;
		}
	}
	return TD_EUNSUPPORTED;
}

size_t td_digest_size(enum td_digest_alg alg)
{
	return alg == TD_DIGEST_SHA256 ? SHA256_DIGEST_LENGTH : MD5_DIGEST_LENGTH;
}

void td_digest_init(struct td_digest *d, enum td_digest_alg alg)
{
	d->alg = alg;
	d->total = 0;
	d->n = 0;
	if (alg == TD_DIGEST_SHA256)
		SHA256_Init(&d->u.sha256);
	else
		MD5_Init(&d->u.md5);
}

/* Hashes the blocks gathered; n is a whole number of them. */
static void hash(struct td_digest *d, size_t n)
{
	for (size_t at = 0; at < n; at += DIGEST_BLOCK) {
		if (d->alg == TD_DIGEST_SHA256)
			SHA256_Transform(&d->u.sha256, d->text + at);
		else
			MD5_Transform(&d->u.md5, d->text + at);
	}
	d->n = 0;
}

void td_digest_add(struct td_digest *d, struct td_str s)
{
	d->total += s.n;
	while (s.n > sizeof(d->text) - d->n) {
		size_t take = sizeof(d->text) - d->n;

		memcpy(d->text + d->n, s.p, take);
		hash(d, sizeof(d->text));
		s = td_str_n(s.p + take, s.n - take);
	}
	if (s.n)
		memcpy(d->text + d->n, s.p, s.n);
	d->n += s.n;
}

void td_digest_add_colon(struct td_digest *d, struct td_str s)
{
	td_digest_add(d, TD_STR(":"));
	td_digest_add(d, s);
}

/* The text ends in a one bit, zeros up to a whole block, and its length in bits: both hashes have it so (RFC 1321 §3.1, RFC 6234 §4.1). */
static void pad(struct td_digest *d)
{
	uint64_t bits = d->total * 8;
	size_t end;

	if (d->n == sizeof(d->text))
		hash(d, sizeof(d->text));
	d->text[d->n++] = 0x80;
	end = (d->n + sizeof(bits) + DIGEST_BLOCK - 1) & ~(size_t)(DIGEST_BLOCK - 1);
	if (end > sizeof(d->text)) {
		memset(d->text + d->n, 0, sizeof(d->text) - d->n);
		hash(d, sizeof(d->text));
		end = DIGEST_BLOCK;
	}
	memset(d->text + d->n, 0, end - sizeof(bits) - d->n);
	bits = d->alg == TD_DIGEST_SHA256 ? htobe64(bits) : htole64(bits);
	memcpy(d->text + end - sizeof(bits), &bits, sizeof(bits));
	hash(d, end);
}

size_t td_digest_end(uint8_t out[32], struct td_digest *d)
{
	uint32_t word[8];
	size_t size = td_digest_size(d->alg);

	pad(d);
	if (d->alg == TD_DIGEST_SHA256) {
		for (size_t i = 0; i < 8; i++)
			word[i] = htobe32(d->u.sha256.h[i]);
	} else {
		word[0] = htole32(d->u.md5.A);
		word[1] = htole32(d->u.md5.B);
		word[2] = htole32(d->u.md5.C);
		word[3] = htole32(d->u.md5.D);
	}
	memcpy(out, word, size);
	return size;
}

int td_ha1_make(struct td_ha1 *out, enum td_digest_alg alg, struct td_str user, struct td_str realm, struct td_str password)
{
	struct td_digest d;

	if ((unsigned)alg >= TD_DIGEST_ALGS)
		return TD_EUNSUPPORTED;
	memset(out, 0, sizeof(*out));
	td_digest_init(&d, alg);
	td_digest_add(&d, user);
	td_digest_add_colon(&d, realm);
	td_digest_add_colon(&d, password);
	td_digest_end(out->bytes, &d);
	explicit_bzero(&d, sizeof(d));
	return 0;
}

/* Without a branch or a table, so that the compiler makes vectors of it: a digest is longer than what td_hex_encode() is quickest for. */
static void hex(char *out, const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint8_t hi = bytes[i] >> 4, lo = bytes[i] & 15;

		out[2 * i] = (char)(hi + '0' + (hi > 9 ? 'a' - '0' - 10 : 0));
		out[2 * i + 1] = (char)(lo + '0' + (lo > 9 ? 'a' - '0' - 10 : 0));
	}
}

static void add_hex(struct td_digest *d, const uint8_t *bytes, size_t n)
{
	char text[TD_DIGEST_HEX_MAX];

	hex(text, bytes, n);
	td_digest_add(d, td_str_n(text, 2 * n));
}

void td_digest_ha2(uint8_t out[32], const struct td_digest_input *in)
{
	struct td_digest d TD_UNINIT;

	td_digest_init(&d, in->alg); /* A2 = Method ":" request-uri (§3.4.3) */
	td_digest_add(&d, in->method);
	td_digest_add_colon(&d, in->uri);
	td_digest_end(out, &d);
}

size_t td_digest_answer(char out[TD_DIGEST_HEX_MAX], const struct td_ha1 *ha1, const uint8_t ha2[32],
			const struct td_digest_input *in)
{
	size_t n = td_digest_size(in->alg);
	struct td_digest d TD_UNINIT;
	uint8_t sum[32];

	td_digest_init(&d, in->alg); /* KD(H(A1), nonce ":" nc ":" cnonce ":" qop ":" H(A2)) (§3.4.1) */
	add_hex(&d, ha1->bytes, n);
	td_digest_add_colon(&d, in->nonce);
	if (in->qop.n) {
		td_digest_add_colon(&d, in->nc);
		td_digest_add_colon(&d, in->cnonce);
		td_digest_add_colon(&d, in->qop);
	}
	td_digest_add(&d, TD_STR(":"));
	add_hex(&d, ha2, n);
	td_digest_end(sum, &d);
	explicit_bzero(d.text, sizeof(d.text)); /* HA1 */
	hex(out, sum, n);
	return 2 * n;
}

size_t td_digest_response(char out[TD_DIGEST_HEX_MAX], const struct td_ha1 *ha1, const struct td_digest_input *in)
{
	uint8_t ha2[32];

	td_digest_ha2(ha2, in);
	return td_digest_answer(out, ha1, ha2, in);
}
