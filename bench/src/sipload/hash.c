/* MD5 and SHA-256 of a short text as lower-case hex: what a digest answer needs. */
#include "sipload.h"

#include <openssl/evp.h>

int hash_hex(int sha, const char *t, int n, char *hex)
{
	static EVP_MD *algorithm[2];
	static EVP_MD_CTX *ctx;
	unsigned char out[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	if (!ctx)
		ctx = EVP_MD_CTX_new();
	if (!algorithm[sha]) /* fetched once: a fetch per digest costs more than the digest */
		algorithm[sha] = EVP_MD_fetch(NULL, sha ? "SHA256" : "MD5", NULL);
	if (!ctx || !algorithm[sha] || !EVP_DigestInit_ex2(ctx, algorithm[sha], NULL) || !EVP_DigestUpdate(ctx, t, (size_t)n) ||
	    !EVP_DigestFinal_ex(ctx, out, &len))
		die("no digest");
	for (unsigned i = 0; i < len; i++) {
		*hex++ = HEX_DIGITS[out[i] >> 4];
		*hex++ = HEX_DIGITS[out[i] & 15];
	}
	return (int)len * 2;
}
