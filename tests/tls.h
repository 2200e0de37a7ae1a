/* Certificates for tests: made when a test runs, so that none of them ever expires. */
#ifndef TESTS_TLS_H
#define TESTS_TLS_H

#include "support.h"

#include <tandem/net.h>

#include <openssl/pem.h>
#include <openssl/x509v3.h>

struct cert {
	struct td_out certificate, key;
};

/* Self-signed, for these names ("a.test", "192.0.2.1"). */
static inline void cert_make(struct cert *c, const struct td_str *names, unsigned n)
{
	td_out_init(&c->certificate);
	td_out_init(&c->key);
	assert_int_equal(td_cert_make(&c->certificate, &c->key, names, n, 30), 0);
}

static inline void cert_for(struct cert *c, const char *name)
{
	struct td_str s = td_str_of(name);

	cert_make(c, &s, 1);
}

static inline void cert_free(struct cert *c)
{
	td_out_free(&c->certificate);
	td_out_free(&c->key);
}

static inline struct td_tls_identity identity_of(const struct cert *c, const char *name)
{
	return (struct td_tls_identity){ td_str_of(name), td_out_view(&c->certificate), td_out_view(&c->key) };
}

/* With c's certificate, believing those in ca (a cert as well); either may be NULL. */
static inline struct td_tls *tls_with(const struct cert *c, const struct cert *ca)
{
	struct td_tls_identity id = c ? identity_of(c, "") : (struct td_tls_identity){ 0 };
	struct td_tls_options opt = { .identities = &id, .identity_n = c ? 1 : 0 };
	struct td_tls *t;
	struct td_out why;

	if (ca)
		opt.ca = td_out_view(&ca->certificate);
	td_out_init(&why);
	assert_int_equal(td_tls_open(&t, &opt, &why), 0);
	td_out_free(&why);
	return t;
}

/* A self-signed certificate with exactly this subjectAltName: types and values, a NUL in them included; n 0: none at all. */
struct alt {
	int type; /* GEN_DNS, GEN_URI, GEN_IPADD, GEN_EMAIL */
	struct td_str value;
};

static inline void cert_add_alt(X509 *x, const struct alt *alt, unsigned n)
{
	GENERAL_NAMES *all = GENERAL_NAMES_new();

	for (unsigned i = 0; i < n; i++) {
		GENERAL_NAME *g = GENERAL_NAME_new();
		ASN1_STRING *s = ASN1_STRING_type_new(alt[i].type == GEN_IPADD ? V_ASN1_OCTET_STRING : V_ASN1_IA5STRING);

		assert_int_equal(ASN1_STRING_set(s, alt[i].value.p, (int)alt[i].value.n), 1);
		GENERAL_NAME_set0_value(g, alt[i].type, s);
		assert_true(sk_GENERAL_NAME_push(all, g) > 0);
	}
	assert_int_equal(X509_add1_ext_i2d(x, NID_subject_alt_name, all, 0, X509V3_ADD_DEFAULT), 1);
	GENERAL_NAMES_free(all);
}

static inline void cert_take(struct td_out *out, BIO *bio)
{
	char *p;
	long n = BIO_get_mem_data(bio, &p);

	td_out_init(out);
	td_out_str(out, td_str_n(p, (size_t)n));
	BIO_free(bio);
}

/* days: how long it is good for; negative: it ended so long ago. */
static inline void cert_with(struct cert *c, const char *common_name, const struct alt *alt, unsigned n, int days)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	X509_NAME *name = X509_NAME_new();
	BIO *cb = BIO_new(BIO_s_mem()), *kb = BIO_new(BIO_s_mem());

	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 7);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)common_name, -1, -1, 0);
	X509_set_subject_name(x, name);
	X509_set_issuer_name(x, name);
	X509_gmtime_adj(X509_getm_notBefore(x), -86400L * 400);
	X509_gmtime_adj(X509_getm_notAfter(x), 86400L * days);
	X509_set_pubkey(x, key);
	if (n)
		cert_add_alt(x, alt, n);
	assert_true(X509_sign(x, key, EVP_sha256()) > 0);
	assert_int_equal(PEM_write_bio_X509(cb, x), 1);
	assert_int_equal(PEM_write_bio_PrivateKey(kb, key, NULL, NULL, 0, NULL, NULL), 1);
	cert_take(&c->certificate, cb);
	cert_take(&c->key, kb);
	X509_NAME_free(name);
	X509_free(x);
	EVP_PKEY_free(key);
}

#endif
