/*
 * The arithmetic of digest access authentication (RFC 7616 §3.4): HA1, HA2 and the response, for the algorithms we know
 * (RFC 8760 §2). Nothing here allocates, fails or keeps anything.
 */
#include "auth/internal.h"

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
	d->n = 0;
	if (alg == TD_DIGEST_SHA256)
		SHA256_Init(&d->u.sha256);
	else
		MD5_Init(&d->u.md5);
}

static void hash(struct td_digest *d, const void *bytes, size_t n)
{
	if (d->alg == TD_DIGEST_SHA256)
		SHA256_Update(&d->u.sha256, bytes, n);
	else
		MD5_Update(&d->u.md5, bytes, n);
}

/* Place for n more bytes, which are counted; n is not more than what the pieces hold in all. */
static char *room(struct td_digest *d, size_t n)
{
	if (n > sizeof(d->pieces) - d->n) {
		hash(d, d->pieces, d->n);
		d->n = 0;
	}
	d->n += n;
	return d->pieces + d->n - n;
}

void td_digest_add(struct td_digest *d, struct td_str s)
{
	if (s.n == 0)
		return;
	if (s.n <= sizeof(d->pieces)) {
		memcpy(room(d, s.n), s.p, s.n);
		return;
	}
	hash(d, d->pieces, d->n);
	d->n = 0;
	hash(d, s.p, s.n);
}

void td_digest_add_colon(struct td_digest *d, struct td_str s)
{
	*room(d, 1) = ':';
	td_digest_add(d, s);
}

size_t td_digest_end(uint8_t out[32], struct td_digest *d)
{
	if (d->n)
		hash(d, d->pieces, d->n);
	if (d->alg == TD_DIGEST_SHA256)
		SHA256_Final(out, &d->u.sha256);
	else
		MD5_Final(out, &d->u.md5);
	return td_digest_size(d->alg);
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

/* Without a branch or a table, so that the compiler makes vectors of it. */
static void hex(char *out, const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint8_t hi = bytes[i] >> 4, lo = bytes[i] & 15;

		out[2 * i] = (char)(hi + '0' + (hi > 9 ? 'a' - '0' - 10 : 0));
		out[2 * i + 1] = (char)(lo + '0' + (lo > 9 ? 'a' - '0' - 10 : 0));
	}
}

size_t td_digest_response(char out[TD_DIGEST_HEX_MAX], const struct td_ha1 *ha1, const struct td_digest_input *in)
{
	size_t n = td_digest_size(in->alg);
	uint8_t ha2[32], sum[32];
	struct td_digest d;

	td_digest_init(&d, in->alg); /* A2 = Method ":" request-uri (§3.4.3) */
	td_digest_add(&d, in->method);
	td_digest_add_colon(&d, in->uri);
	td_digest_end(ha2, &d);

	td_digest_init(&d, in->alg); /* KD(H(A1), nonce ":" nc ":" cnonce ":" qop ":" H(A2)) (§3.4.1) */
	hex(room(&d, 2 * n), ha1->bytes, n);
	td_digest_add_colon(&d, in->nonce);
	if (in->qop.n) {
		td_digest_add_colon(&d, in->nc);
		td_digest_add_colon(&d, in->cnonce);
		td_digest_add_colon(&d, in->qop);
	}
	td_digest_add_colon(&d, TD_STR_NULL);
	hex(room(&d, 2 * n), ha2, n);
	td_digest_end(sum, &d);
	explicit_bzero(d.pieces, sizeof(d.pieces)); /* HA1 */
	hex(out, sum, n);
	return 2 * n;
}
