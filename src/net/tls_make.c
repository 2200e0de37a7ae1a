/*
 * A certificate for a server that has none yet: a P-256 key, and a certificate it signs itself, so that TLS works from the first start.
 * Nobody can tell such a one from a stranger's by its signature; it is compared by its fingerprint, or handed to phones as what they
 * shall believe. It signs nothing else (CA:FALSE): who believes it believes this server alone.
 *
 * Each domain stands in it as sip: URI and as DNS name (RFC 5922 §6), each address as iPAddress.
 */
#include "tls.h"

#include <errno.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

static bool add_name(GENERAL_NAMES *all, int type, ASN1_STRING *text)
{
	GENERAL_NAME *g = GENERAL_NAME_new();

	if (!g || !text) {
		GENERAL_NAME_free(g);
		ASN1_STRING_free(text);
		return false;
	}
	GENERAL_NAME_set0_value(g, type, text);
	if (sk_GENERAL_NAME_push(all, g) > 0)
		return true;
	GENERAL_NAME_free(g);
	return false;
}

static ASN1_STRING *text_of(int type, const void *p, size_t n)
{
	ASN1_STRING *s = ASN1_STRING_type_new(type);

	if (s && ASN1_STRING_set(s, p, (int)n) == 1)
		return s;
	ASN1_STRING_free(s);
	return NULL;
}

static bool add_identity(GENERAL_NAMES *all, struct td_str name)
{
	char uri[4 + TD_TLS_NAME] = "sip:", *host = uri + 4;
	struct td_addr ip;

	if (!td_ip_parse(&ip, name))
		return add_name(all, GEN_IPADD, text_of(V_ASN1_OCTET_STRING, ip.ip, ip.family == TD_AF_V4 ? 4 : 16));
	if (td_tls_name(host, name))
		return true; /* a domain by a name that is none is reached by its addresses alone */
	return add_name(all, GEN_URI, text_of(V_ASN1_IA5STRING, uri, strlen(uri))) &&
	       add_name(all, GEN_DNS, text_of(V_ASN1_IA5STRING, host, strlen(host)));
}

static bool add_identities(X509 *cert, const struct td_str *names, unsigned n)
{
	GENERAL_NAMES *all = GENERAL_NAMES_new();
	bool ok = all != NULL;

	for (unsigned i = 0; i < n && ok; i++)
		ok = add_identity(all, names[i]);
	ok = ok && X509_add1_ext_i2d(cert, NID_subject_alt_name, all, 0, X509V3_ADD_DEFAULT) == 1;
	GENERAL_NAMES_free(all);
	return ok;
}

static bool add_usage(X509 *cert)
{
	static const struct {
		int nid;
		const char *value;
	} rows[] = {
		{ NID_basic_constraints, "critical,CA:FALSE" },
		{ NID_key_usage, "critical,digitalSignature" },
		{ NID_ext_key_usage, "serverAuth,clientAuth" }, /* a proxy is a client as well */
	};

	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, rows[i].nid, rows[i].value);
		bool ok = e && X509_add_ext(cert, e, -1) == 1;

		X509_EXTENSION_free(e);
		if (!ok)
			return false;
	}
	return true;
}

static bool set_serial(X509 *cert)
{
	uint64_t serial;

	return RAND_bytes((uint8_t *)&serial, sizeof(serial)) == 1 &&
	       ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert), serial >> 1 | 1) == 1;
}

/* The first name is also the subject's, where people look for one. A CN has 64 characters at most (RFC 5280 appendix A.1). */
static bool set_subject(X509 *cert, struct td_str name)
{
	X509_NAME *subject = X509_NAME_new();
	bool ok = subject &&
		  X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_UTF8, (const unsigned char *)name.p,
					     (int)(name.n > 64 ? 64 : name.n), -1, 0) == 1 &&
		  X509_set_subject_name(cert, subject) == 1 && X509_set_issuer_name(cert, subject) == 1;

	X509_NAME_free(subject);
	return ok;
}

static X509 *self_signed(EVP_PKEY *key, const struct td_str *names, unsigned n, unsigned days)
{
	X509 *cert = X509_new();
	bool ok = cert && X509_set_version(cert, X509_VERSION_3) == 1 && set_serial(cert) && set_subject(cert, names[0]) &&
		  X509_gmtime_adj(X509_getm_notBefore(cert), -86400) && /* a phone's clock may be behind */
		  X509_gmtime_adj(X509_getm_notAfter(cert), (long)days * 86400) && X509_set_pubkey(cert, key) == 1 &&
		  add_identities(cert, names, n) && add_usage(cert) && X509_sign(cert, key, EVP_sha256()) > 0;

	if (ok)
		return cert;
	X509_free(cert);
	return NULL;
}

static void take(struct td_out *out, BIO *bio)
{
	char *p;
	long n = BIO_get_mem_data(bio, &p);

	td_out_str(out, td_str_n(p, (size_t)n));
}

int td_cert_make(struct td_out *certificate, struct td_out *key, const struct td_str *names, unsigned n, unsigned days)
{
	EVP_PKEY *pair = EVP_EC_gen("P-256");
	X509 *cert = pair && n ? self_signed(pair, names, n, days) : NULL;
	BIO *c = BIO_new(BIO_s_mem()), *k = BIO_new(BIO_s_secmem());
	bool ok = cert && c && k && PEM_write_bio_X509(c, cert) == 1 &&
		  PEM_write_bio_PKCS8PrivateKey(k, pair, NULL, NULL, 0, NULL, NULL) == 1;

	if (ok) {
		take(certificate, c);
		take(key, k);
	}
	BIO_free(c);
	BIO_free(k);
	X509_free(cert);
	EVP_PKEY_free(pair);
	return ok && !certificate->failed && !key->failed ? 0 : -ENOMEM;
}
