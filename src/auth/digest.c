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
	if (alg == TD_DIGEST_SHA256)
		SHA256_Init(&d->u.sha256);
	else
		MD5_Init(&d->u.md5);
}

void td_digest_add(struct td_digest *d, struct td_str s)
{
	if (s.n == 0)
		return;
	if (d->alg == TD_DIGEST_SHA256)
		SHA256_Update(&d->u.sha256, s.p, s.n);
	else
		MD5_Update(&d->u.md5, s.p, s.n);
}

void td_digest_add_colon(struct td_digest *d, struct td_str s)
{
	td_digest_add(d, TD_STR(":"));
	td_digest_add(d, s);
}

size_t td_digest_end(uint8_t out[32], struct td_digest *d)
{
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

static struct td_str hex(char out[TD_DIGEST_HEX_MAX], const uint8_t *bytes, size_t n)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		out[2 * i] = digits[bytes[i] >> 4];
		out[2 * i + 1] = digits[bytes[i] & 15];
	}
	return td_str_n(out, 2 * n);
}

size_t td_digest_response(char out[TD_DIGEST_HEX_MAX], const struct td_ha1 *ha1, const struct td_digest_input *in)
{
	char ha1_hex[TD_DIGEST_HEX_MAX], ha2_hex[TD_DIGEST_HEX_MAX];
	size_t n = td_digest_size(in->alg);
	uint8_t sum[32];
	struct td_digest d;

	td_digest_init(&d, in->alg); /* A2 = Method ":" request-uri (§3.4.3) */
	td_digest_add(&d, in->method);
	td_digest_add_colon(&d, in->uri);
	td_digest_end(sum, &d);
	struct td_str ha2 = hex(ha2_hex, sum, n);

	td_digest_init(&d, in->alg); /* KD(H(A1), nonce ":" nc ":" cnonce ":" qop ":" H(A2)) (§3.4.1) */
	td_digest_add(&d, hex(ha1_hex, ha1->bytes, n));
	td_digest_add_colon(&d, in->nonce);
	if (in->qop.n) {
		td_digest_add_colon(&d, in->nc);
		td_digest_add_colon(&d, in->cnonce);
		td_digest_add_colon(&d, in->qop);
	}
	td_digest_add_colon(&d, ha2);
	td_digest_end(sum, &d);
	explicit_bzero(ha1_hex, sizeof(ha1_hex));
	return hex(out, sum, n).n;
}
