/*
 * tlsfloor: the floor of a TLS server. The server's half of a TLS 1.3 handshake (ECDSA P-256, X25519, AES-128-GCM, no ticket) by OpenSSL alone: both
 * halves talk through memory, and nothing is there but the library.
 *
 *   tlsfloor SECONDS
 *
 * Prints one JSON object: CPU time of the server's half in microseconds, from SSL_new(3) to SSL_free(3), with a record of 400 bytes each way
 * and the close; and how many handshakes that is the mean of.
 */
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { PIPE_BYTES = 65536, MESSAGE_BYTES = 400 };

struct ends {
	SSL *client, *server;
};

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "tlsfloor: %s\n", what);
	exit(1);
}

static double cpu_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec * 1e-3;
}

static X509 *certificate_of(EVP_PKEY *key)
{
	X509 *c = X509_new();

	must(c && X509_set_version(c, X509_VERSION_3) && ASN1_INTEGER_set(X509_get_serialNumber(c), 1) &&
		     X509_gmtime_adj(X509_getm_notBefore(c), 0) && X509_gmtime_adj(X509_getm_notAfter(c), 86400) &&
		     X509_NAME_add_entry_by_txt(X509_get_subject_name(c), "CN", MBSTRING_ASC, (const unsigned char *)"localhost",
						-1, -1, 0) &&
		     X509_set_issuer_name(c, X509_get_subject_name(c)) && X509_set_pubkey(c, key) &&
		     X509_sign(c, key, EVP_sha256()),
	     "no certificate");
	return c;
}

static SSL_CTX *serving(void)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *c = certificate_of(key);

	must(ctx && SSL_CTX_use_certificate(ctx, c) && SSL_CTX_use_PrivateKey(ctx, key) && SSL_CTX_set_num_tickets(ctx, 0) &&
		     SSL_CTX_set_ciphersuites(ctx, "TLS_AES_128_GCM_SHA256"),
	     "no context");
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	X509_free(c);
	EVP_PKEY_free(key);
	return ctx;
}

/* What the server's half costs: the client's turns are between the stretches that are timed. */
static double once(SSL_CTX *ours, SSL_CTX *theirs)
{
	struct ends e = { .client = SSL_new(theirs) };
	char text[MESSAGE_BYTES] = { 0 };
	BIO *a = NULL, *b = NULL;
	double us = 0, from;

	must(e.client && BIO_new_bio_pair(&a, PIPE_BYTES, &b, PIPE_BYTES), "out of memory");
	SSL_set_bio(e.client, b, b);
	SSL_connect(e.client); /* its hello */
	from = cpu_us();
	e.server = SSL_new(ours);
	SSL_set_bio(e.server, a, a);
	SSL_accept(e.server);
	us += cpu_us() - from;
	must(SSL_connect(e.client) == 1 && SSL_write(e.client, text, MESSAGE_BYTES) == MESSAGE_BYTES, "the client failed");
	from = cpu_us();
	must(SSL_accept(e.server) == 1 && SSL_read(e.server, text, MESSAGE_BYTES) == MESSAGE_BYTES &&
		     SSL_write(e.server, text, MESSAGE_BYTES) == MESSAGE_BYTES,
	     "the server failed");
	us += cpu_us() - from;
	must(SSL_read(e.client, text, MESSAGE_BYTES) == MESSAGE_BYTES && SSL_shutdown(e.client) == 0, "no answer");
	from = cpu_us();
	must(SSL_read(e.server, text, MESSAGE_BYTES) == 0, "no close");
	SSL_shutdown(e.server);
	SSL_free(e.server);
	us += cpu_us() - from;
	SSL_free(e.client);
	return us;
}

int main(int argc, char **argv)
{
	double most = argc == 2 ? strtod(argv[1], NULL) * 1e6 : 0, us = 0, from;
	SSL_CTX *ours, *theirs;
	unsigned long n;

	must(most > 0, "usage: tlsfloor SECONDS");
	ours = serving();
	theirs = SSL_CTX_new(TLS_client_method());
	must(theirs, "no context");
	SSL_CTX_set_session_cache_mode(theirs, SSL_SESS_CACHE_OFF);
	for (n = 0; n < 20; n++) /* what is looked up once */
		once(ours, theirs);
	from = cpu_us();
	for (n = 0; cpu_us() - from < most; n++)
		us += once(ours, theirs);
	printf("{\"us\": %.1f, \"handshakes\": %lu}\n", us / (double)n, n);
	SSL_CTX_free(ours);
	SSL_CTX_free(theirs);
	return 0;
}
