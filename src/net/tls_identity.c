/*
 * Who a certificate speaks of (RFC 5922 §7.1) and whether that is who was asked for (§7.2). Names have a length: one with a NUL or
 * another character that stands in no host name is no identity, so "bank.test\0.evil.test" is neither (T4). Wildcards match nothing.
 *
 * Numeric addresses, of which RFC 5922 does not speak, are taken from iPAddress values alone, or from a sip: URI that has one.
 */
#include "tls.h"

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

static bool host_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}

int td_tls_name(char out[TD_TLS_NAME], struct td_str host)
{
	struct td_addr ip;
	struct td_out o;

	if (!td_ip_parse(&ip, host)) {
		td_out_init_fixed(&o, out, TD_TLS_NAME - 1);
		td_ip_print(&o, &ip);
		out[o.n] = '\0';
		return 0;
	}
	if (host.n && host.p[host.n - 1] == '.')
		host.n--;
	if (!host.n || host.n > TD_TLS_NAME - 1)
		return TD_ESYNTAX;
	for (size_t i = 0; i < host.n; i++) {
		out[i] = td_lower(host.p[i]);
		if (!host_char(out[i]))
			return TD_ESYNTAX;
	}
	out[host.n] = '\0';
	return 0;
}

static void add(struct td_out *out, struct td_str host)
{
	char name[TD_TLS_NAME];

	if (td_tls_name(name, host))
		return;
	td_out_z(out, name);
	td_out_char(out, '\n');
}

/* A dNSName or a common name: no address, though one may be written there. */
static void add_domain(struct td_out *out, struct td_str host)
{
	char name[TD_TLS_NAME];
	struct td_addr ip;

	if (!td_tls_name(name, host) && td_ip_parse(&ip, td_str_of(name)))
		add(out, host);
}

static struct td_str text_of(const ASN1_STRING *s)
{
	return td_str_n((const char *)ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s));
}

/* The host of "sip:host[:port][;…][?…]"; empty: no such URI, or one with a user, which is no domain's. */
static struct td_str sip_host(struct td_str uri)
{
	struct td_str host;
	const char *end;

	if (!td_str_istarts(uri, TD_STR("sip:")) || td_str_chr(uri, '@'))
		return TD_STR_NULL;
	host = td_str_n(uri.p + 4, uri.n - 4);
	if (host.n && host.p[0] == '[') {
		end = td_str_chr(host, ']');
		return end ? td_str_n(host.p, (size_t)(end + 1 - host.p)) : TD_STR_NULL;
	}
	for (size_t i = 0; i < host.n; i++)
		if (host.p[i] == ':' || host.p[i] == ';' || host.p[i] == '?')
			return td_str_n(host.p, i);
	return host;
}

static void add_ip(struct td_out *out, const ASN1_OCTET_STRING *s)
{
	struct td_addr ip = { 0 };
	char text[TD_ADDR_TEXT];
	struct td_out o;

	if (s->length != 4 && s->length != 16)
		return;
	ip.family = s->length == 4 ? TD_AF_V4 : TD_AF_V6;
	memcpy(ip.ip, s->data, (size_t)s->length);
	td_out_init_fixed(&o, text, sizeof(text));
	td_ip_print(&o, &ip);
	add(out, td_out_view(&o));
}

static void add_names(struct td_out *out, const GENERAL_NAMES *all)
{
	size_t before = out->n;
	bool sip;

	for (int i = 0; i < sk_GENERAL_NAME_num(all); i++) {
		const GENERAL_NAME *g = sk_GENERAL_NAME_value(all, i);

		if (g->type == GEN_URI)
			add(out, sip_host(text_of(g->d.uniformResourceIdentifier)));
	}
	/* "if and only if no other identity is found that matches the "sip" URI type" */
	sip = out->n > before;
	for (int i = 0; i < sk_GENERAL_NAME_num(all); i++) {
		const GENERAL_NAME *g = sk_GENERAL_NAME_value(all, i);

		if (g->type == GEN_DNS && !sip)
			add_domain(out, text_of(g->d.dNSName));
		else if (g->type == GEN_IPADD)
			add_ip(out, g->d.iPAddress);
	}
}

static void add_common_name(struct td_out *out, X509 *cert)
{
	const X509_NAME *subject = X509_get_subject_name(cert);
	int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);

	if (at >= 0)
		add_domain(out, text_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at))));
}

int tls_identities(struct td_out *out, X509 *cert)
{
	int err = 0, found; /* -1: there is no such extension; else one that cannot be read, or two of them */
	const char *reason;
	GENERAL_NAMES *all = X509_get_ext_d2i(cert, NID_subject_alt_name, &found, NULL);

	if (all)
		add_names(out, all);
	else if (found == -1)
		add_common_name(out, cert);
	else if (tls_pem_error(&reason) == -ENOMEM)
		err = -ENOMEM;
	GENERAL_NAMES_free(all);
	return out->failed ? -ENOMEM : err;
}

bool td_tls_names_have(struct td_str names, struct td_str host)
{
	char name[TD_TLS_NAME];
	struct td_str line;

	if (!names.n || td_tls_name(name, host))
		return false;
	while ((line = td_str_split(&names, '\n')).n)
		if (td_str_eq(line, td_str_of(name)))
			return true;
	return false;
}

/* ---- text ---- */

static int read_certificate(X509 **out, struct td_str pem)
{
	BIO *bio = tls_pem_bio(pem);
	X509 *cert = bio ? PEM_read_bio_X509(bio, NULL, tls_pem_no_password, NULL) : NULL;
	const char *reason;

	BIO_free(bio);
	if (!cert)
		return tls_pem_error(&reason);
	*out = cert;
	return 0;
}

bool tls_fingerprint(uint8_t out[TD_FINGERPRINT], X509 *cert)
{
	unsigned char md[EVP_MAX_MD_SIZE];

	if (!cert || X509_digest(cert, EVP_sha256(), md, NULL) != 1)
		return false;
	memcpy(out, md, TD_FINGERPRINT);
	return true;
}

int td_cert_fingerprint(uint8_t out[TD_FINGERPRINT], struct td_str pem)
{
	X509 *cert;
	int err = read_certificate(&cert, pem);

	if (err)
		return err;
	if (!tls_fingerprint(out, cert))
		err = -ENOMEM;
	X509_free(cert);
	return err;
}

void td_fingerprint_print(struct td_out *o, const uint8_t fp[TD_FINGERPRINT])
{
	for (unsigned i = 0; i < TD_FINGERPRINT; i++)
		td_out_fmt(o, "%s%02X", i ? ":" : "", fp[i]);
}

int td_fingerprint_parse(uint8_t out[TD_FINGERPRINT], struct td_str text)
{
	char digits[2 * TD_FINGERPRINT];
	size_t n = 0;

	text = td_str_trim(text);
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == ':' && n % 2 == 0)
			continue;
		if (n == sizeof(digits))
			return TD_ESYNTAX;
		digits[n++] = td_lower(text.p[i]);
	}
	return td_hex_decode(out, TD_FINGERPRINT, td_str_n(digits, n));
}

static uint64_t seconds_of(const ASN1_TIME *t)
{
	struct tm tm;
	time_t s = ASN1_TIME_to_tm(t, &tm) == 1 ? timegm(&tm) : 0;

	return s > 0 ? (uint64_t)s : 0;
}

int td_cert_read(struct td_out *names, uint64_t *ends_s, struct td_str pem)
{
	X509 *cert;
	int err = read_certificate(&cert, pem);

	if (err)
		return err;
	err = tls_identities(names, cert);
	if (!err)
		*ends_s = seconds_of(X509_get0_notAfter(cert));
	X509_free(cert);
	return err;
}
