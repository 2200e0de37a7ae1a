/*
 * Secure WebSocket: the library does TLS with a context of its own, into which our certificates are put. They are chosen anew in each
 * handshake, by the name the browser asks for, so a reload needs nothing but other ones here: connections that are there keep theirs.
 *
 * No tickets and no cache of sessions: a page opens one connection and keeps it, and what resumes sessions would be a key that lives
 * as long as the server, or memory for each.
 */
#include "server/web/internal.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>

struct web_identity {
	struct td_str domain; /* of certs */
	X509 *certificate;
	STACK_OF(X509) * chain; /* those that signed it */
	EVP_PKEY *key;
};

struct web_tls {
	struct td_certs *certs;
	unsigned n;
	struct web_identity list[];
};

void web_tls_free(struct web_tls *t)
{
	for (unsigned i = 0; t && i < t->n; i++) {
		X509_free(t->list[i].certificate);
		sk_X509_pop_free(t->list[i].chain, X509_free);
		EVP_PKEY_free(t->list[i].key);
	}
	if (t)
		td_certs_unref(t->certs);
	free(t);
}

static BIO *text(struct td_str pem)
{
	return BIO_new_mem_buf(pem.p, (int)pem.n);
}

/* server/certs has read the same text before: what fails here is memory. */
static int read_identity(struct web_identity *out, const struct td_cert *c)
{
	BIO *certificate = text(c->certificate), *key = text(c->key);
	X509 *x;

	out->domain = c->domain;
	out->chain = sk_X509_new_null();
	if (certificate && key && out->chain) {
		out->certificate = PEM_read_bio_X509(certificate, NULL, NULL, NULL);
		out->key = PEM_read_bio_PrivateKey(key, NULL, NULL, NULL);
		while ((x = PEM_read_bio_X509(certificate, NULL, NULL, NULL)))
			if (!sk_X509_push(out->chain, x))
				X509_free(x);
		ERR_clear_error(); /* of the text's end */
	}
	BIO_free(certificate);
	BIO_free(key);
	return out->certificate && out->key ? 0 : -ENOMEM;
}

int web_tls_new(struct web_tls **out, struct td_certs *certs)
{
	struct web_tls *t = calloc(1, sizeof(*t) + certs->n * sizeof(t->list[0]));
	int err = t ? 0 : -ENOMEM;

	if (err)
		return err;
	t->certs = td_certs_ref(certs);
	for (; t->n < certs->n && !err; t->n++)
		err = read_identity(&t->list[t->n], &certs->list[t->n]);
	if (err) {
		web_tls_free(t);
		return err;
	}
	*out = t;
	return 0;
}

/* The identity for the name that is asked for; the first for who asks for none, or for one we have not. */
static const struct web_identity *identity_for(const struct web_tls *t, const char *name)
{
	for (unsigned i = 1; name && i < t->n; i++)
		if (td_str_ieq(t->list[i].domain, td_str_of(name)))
			return &t->list[i];
	return &t->list[0];
}

/* OpenSSL asks once in a handshake, when it knows the name. */
static int choose(SSL *ssl, void *arg)
{
	struct td_web *w = arg;
	const struct web_identity *id = identity_for(w->tls, SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name));

	return SSL_use_cert_and_key(ssl, id->certificate, id->key, id->chain, 1);
}

int web_tls_setup(struct td_web *w, SSL_CTX *ctx)
{
	SSL_CTX_set_cert_cb(ctx, choose, w);
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET | SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS); /* an idle connection has none */
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	return SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 && SSL_CTX_set_num_tickets(ctx, 0) == 1 &&
			       SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1
		       ? 0
		       : -1;
}
