/*
 * The context of TLS: for each name we serve an SSL_CTX with its certificate, one for connecting, and what all of them share. It is made
 * whole and never changed, so that a new one takes its place without anybody having to stop.
 *
 * TLS 1.2 at least, forward secrecy and authenticated encryption only, no renegotiation, no compression, no early data (T4). AES-128
 * comes first: it is no weaker than the P-256 keys around it, and its key schedule costs less.
 *
 * Memory: an idle connection keeps no buffers (SSL_MODE_RELEASE_BUFFERS); sessions are in tickets, which clients keep (tls_ticket.c).
 */
#include "tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>

#define CIPHERS_TLS12                                                                              \
	"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:" \
	"ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
#define CIPHERS_TLS13 "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"

/* Appends what OpenSSL could not do, and its word for why. */
static int say(struct td_out *why, const char *what)
{
	const char *reason;
	int err = tls_pem_error(&reason);

	td_out_z(why, what);
	if (reason)
		td_out_fmt(why, " (%s)", reason);
	return err;
}

/* Nothing more was found in a text: 0 when it ends there. */
static int end_of(struct td_out *why, const char *what)
{
	return tls_pem_end() ? 0 : say(why, what);
}

static SSL_CTX *plain_ctx(struct td_tls *t, const SSL_METHOD *method)
{
	SSL_CTX *ctx = SSL_CTX_new(method);

	if (!ctx)
		return NULL;
	SSL_CTX_set_app_data(ctx, t);
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA |
					 SSL_OP_NO_COMPRESSION);
	/* What is sent of a chain is what was given: otherwise it is looked for anew in each handshake. */
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
	SSL_CTX_set_max_send_fragment(ctx, NET_TLS_RECORD_BYTES);
	SSL_CTX_set_max_cert_list(ctx, NET_TLS_CHAIN_BYTES);
	SSL_CTX_set_verify_depth(ctx, NET_TLS_CHAIN_DEPTH);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_cert_verify_callback(ctx, tls_conn_verify, t);
	SSL_CTX_set1_cert_store(ctx, t->ca);
	if (SSL_CTX_set_cipher_list(ctx, CIPHERS_TLS12) != 1 || SSL_CTX_set_ciphersuites(ctx, CIPHERS_TLS13) != 1) {
		SSL_CTX_free(ctx);
		return NULL;
	}
	return ctx;
}

/* Those that signed it, up to the end of the text: one that is broken would be missed by phones alone. */
static int use_above(SSL_CTX *ctx, BIO *bio, struct td_out *why)
{
	X509 *above;

	while ((above = PEM_read_bio_X509(bio, NULL, tls_pem_no_password, NULL))) {
		if (SSL_CTX_add0_chain_cert(ctx, above) != 1) {
			X509_free(above);
			return say(why, "a certificate above it cannot be used");
		}
	}
	return end_of(why, "a certificate above it cannot be read");
}

static int use_chain(SSL_CTX *ctx, struct td_str pem, struct td_out *why)
{
	BIO *bio = tls_pem_bio(pem);
	X509 *cert = bio ? PEM_read_bio_X509_AUX(bio, NULL, tls_pem_no_password, NULL) : NULL;
	bool ok = cert && SSL_CTX_use_certificate(ctx, cert) == 1;
	int err = ok ? 0 : say(why, "the certificate cannot be read");

	X509_free(cert);
	if (!err)
		err = use_above(ctx, bio, why);
	BIO_free(bio);
	return err;
}

static int use_key(SSL_CTX *ctx, struct td_str pem, struct td_out *why)
{
	BIO *bio = tls_pem_bio(pem);
	EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, tls_pem_no_password, NULL) : NULL;
	int err = 0;

	BIO_free(bio);
	if (!key)
		return say(why, "the key cannot be read (want PEM without a password)");
	if (SSL_CTX_use_PrivateKey(ctx, key) != 1 || SSL_CTX_check_private_key(ctx) != 1)
		err = say(why, "the key does not belong to the certificate");
	EVP_PKEY_free(key);
	return err;
}

static int use_identity(SSL_CTX *ctx, const struct td_tls_identity *id, struct td_out *why)
{
	int err = use_chain(ctx, id->certificate, why);

	return err ? err : use_key(ctx, id->key, why);
}

/* ---- whom we believe ---- */

/*
 * The system's list: a file, and a folder in which a certificate is found by its issuer's hash when it is needed. Not
 * X509_STORE_set_default_paths(), which also reads the whole folder for every issuer that it does not find.
 */
static int use_system(X509_STORE *store)
{
	X509_LOOKUP *file = X509_STORE_add_lookup(store, X509_LOOKUP_file());
	X509_LOOKUP *folder = X509_STORE_add_lookup(store, X509_LOOKUP_hash_dir());

	if (!file || !folder)
		return -ENOMEM;
	(void)X509_LOOKUP_load_file(file, NULL, X509_FILETYPE_DEFAULT);
	(void)X509_LOOKUP_add_dir(folder, NULL, X509_FILETYPE_DEFAULT);
	ERR_clear_error(); /* a machine without any believes nobody */
	return 0;
}

/* One list for all contexts. */
static int read_ca(struct td_tls *t, struct td_str pem, struct td_out *why)
{
	X509_STORE *store = t->ca;
	BIO *bio;
	X509 *cert;
	unsigned n = 0;
	int err;

	if (!pem.n)
		return use_system(store);
	bio = tls_pem_bio(pem);
	while (bio && (cert = PEM_read_bio_X509_AUX(bio, NULL, tls_pem_no_password, NULL))) {
		n += X509_STORE_add_cert(store, cert) == 1;
		X509_free(cert);
	}
	BIO_free(bio);
	err = !n ? say(why, "no certificate of those to believe can be read")
		 : end_of(why, "one of the certificates to believe cannot be read");
	if (err)
		return err;
	/* One that is listed itself is believed, be it no root: a server's own, made at its first start. */
	X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_TRUSTED_FIRST);
	return 0;
}

/* ---- names (SNI, RFC 6066 §3) ---- */

static int on_server_name(SSL *ssl, int *alert, void *arg)
{
	const struct td_tls *t = arg;
	const char *asked = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	char name[TD_TLS_NAME];

	/* One we have not is served with the first: it may be an alias, and the client decides what it believes. */
	if (!asked || td_tls_name(name, td_str_of(asked)))
		return SSL_TLSEXT_ERR_NOACK;
	for (unsigned i = 0; i < t->site_n; i++) {
		if (!td_str_eq(t->sites[i].name, td_str_of(name)))
			continue;
		if (i > 0 && !SSL_set_SSL_CTX(ssl, t->sites[i].ctx))
			return SSL_TLSEXT_ERR_ALERT_FATAL;
		return SSL_TLSEXT_ERR_OK;
	}
	return SSL_TLSEXT_ERR_NOACK;
}

static int open_site(struct td_tls *t, const struct td_tls_options *opt, unsigned i, struct td_out *why)
{
	const struct td_tls_identity *id = &opt->identities[i];
	char name[TD_TLS_NAME] = "";
	struct tls_site *site = &t->sites[i];

	if (id->name.n && td_tls_name(name, id->name)) {
		td_out_fmt(why, "\"%.*s\" is no host name", TD_FMT(id->name));
		return TD_ESYNTAX;
	}
	site->ctx = plain_ctx(t, TLS_server_method());
	t->site_n++;
	if (!site->ctx || td_arena_dup(&site->name, &t->arena, td_str_of(name)))
		return -ENOMEM;
	SSL_CTX_set_tlsext_servername_callback(site->ctx, on_server_name);
	SSL_CTX_set_tlsext_servername_arg(site->ctx, t);
	SSL_CTX_set_num_tickets(site->ctx, 0); /* none with the handshake: tls_conn.c gives one to who stays */
	tls_tickets_use(site->ctx);
	return use_identity(site->ctx, id, why);
}

int td_cert_check(struct td_out *why, struct td_str certificate, struct td_str key)
{
	const struct td_tls_identity id = { .certificate = certificate, .key = key };
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	int err;

	ERR_clear_error();
	err = ctx ? use_identity(ctx, &id, why) : -ENOMEM;
	SSL_CTX_free(ctx);
	return err;
}

static int open_client(struct td_tls *t, const struct td_tls_options *opt, struct td_out *why)
{
	int err = 0;

	t->client = plain_ctx(t, TLS_client_method());
	if (!t->client)
		return -ENOMEM;
	SSL_CTX_set_verify(t->client, SSL_VERIFY_PEER, NULL);
	if (opt->identity_n) /* for who asks us for one */
		err = use_identity(t->client, &opt->identities[0], why);
	return err;
}

static int open_all(struct td_tls *t, const struct td_tls_options *opt, struct td_out *why)
{
	int err = 0;

	t->bio = tls_conn_bio();
	t->ca = X509_STORE_new();
	if (!t->bio || !t->ca)
		return -ENOMEM;
	if (opt->pin) {
		t->pinned = true;
		memcpy(t->pin, opt->pin, sizeof(t->pin));
	}
	if (opt->old)
		t->tickets = tls_tickets_ref(opt->old->tickets);
	else
		err = tls_tickets_new(&t->tickets);
	if (!err && opt->identity_n) {
		t->sites = td_arena_zalloc(&t->arena, opt->identity_n * sizeof(*t->sites));
		err = t->sites ? 0 : -ENOMEM;
	}
	for (unsigned i = 0; i < opt->identity_n && !err; i++)
		err = open_site(t, opt, i, why);
	if (!err)
		err = open_client(t, opt, why);
	return err ? err : read_ca(t, opt->ca, why);
}

int td_tls_open(struct td_tls **out, const struct td_tls_options *opt, struct td_out *why)
{
	struct td_tls *t = calloc(1, sizeof(*t));
	int err;

	if (!t)
		return -ENOMEM;
	atomic_init(&t->refs, 1);
	td_arena_init(&t->arena);
	ERR_clear_error();
	err = open_all(t, opt, why);
	ERR_clear_error();
	if (err) {
		td_tls_unref(t);
		return err;
	}
	*out = t;
	return 0;
}

struct td_tls *td_tls_ref(struct td_tls *t)
{
	atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
	return t;
}

void td_tls_unref(struct td_tls *t)
{
	if (!t || atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (unsigned i = 0; i < t->site_n; i++)
		SSL_CTX_free(t->sites[i].ctx);
	SSL_CTX_free(t->client);
	X509_STORE_free(t->ca);
	BIO_meth_free(t->bio);
	tls_tickets_unref(t->tickets);
	td_arena_reset(&t->arena);
	free(t);
}

bool td_tls_can_serve(const struct td_tls *t)
{
	return t->site_n > 0;
}
