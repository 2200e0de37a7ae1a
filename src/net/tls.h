/* TLS, shared inside net/: the context (tls.c), certificates (tls_identity.c, tls_make.c) and what a connection does with both (tls_conn.c). */
#ifndef TANDEM_NET_TLS_H
#define TANDEM_NET_TLS_H

#include "internal.h"

#include <openssl/ssl.h>

enum {
	NET_TLS_CHAIN_BYTES = 32768, /* of a peer's certificates, in all (T4) */
	NET_TLS_CHAIN_DEPTH = 6,
	NET_TLS_RECORD_BYTES = 4096, /* of ours: a message is shorter, and a record's buffer stays small */
};

struct tls_tickets;

/* What one name is served with: an SSL_CTX with its certificate. */
struct tls_site {
	struct td_str name; /* lower case; empty: who asks for no name, or for one we have not */
	SSL_CTX *ctx;
};

struct td_tls {
	_Atomic uint32_t refs;
	struct td_arena arena;
	struct tls_site *sites;
	unsigned site_n;
	SSL_CTX *client;
	X509_STORE *ca;
	BIO_METHOD *bio;
	struct tls_tickets *tickets;
	bool pinned;
	uint8_t pin[32];
};

/* A connection's TLS (tls_conn.c). */
struct net_tls {
	struct td_conn *conn;
	struct td_tls *tls;
	SSL *ssl;
	struct td_str in;        /* what came and OpenSSL has not taken yet */
	struct td_buf **waiting; /* sent before the handshake is over; cap is a power of two */
	uint32_t waiting_n, waiting_cap;
	size_t waiting_bytes;
	struct td_buf *names;     /* whom the peer has proved to be, a line each; NULL: nobody */
	struct td_buf *shown;     /* the fingerprint of a certificate that was refused */
	const char *why;          /* static; what went wrong */
	int err;                  /* of our machine, met inside OpenSSL */
	int verdict;              /* on the peer's certificate: 0, TD_ECERT, TD_ENAME */
	uint8_t clients;          /* enum td_tls_clients */
	uint8_t ticket_in;        /* sendings until one brings a ticket; 0: none will */
	bool server, ready, done; /* done: nothing is sent any more */
	char host[];              /* whom we want to reach; empty: we were connected to */
};

/* tls_conn.c, from the callback of certificates: 1 lets the handshake go on. */
int tls_conn_verify(X509_STORE_CTX *store, void *arg);
BIO_METHOD *tls_conn_bio(void); /* how OpenSSL reaches a connection; NULL when memory is out */

/* tls_ticket.c: keys of session tickets, shared by a context and those that replace it. */
int tls_tickets_new(struct tls_tickets **out);
struct tls_tickets *tls_tickets_ref(struct tls_tickets *t);
void tls_tickets_unref(struct tls_tickets *t);
void tls_tickets_use(SSL_CTX *ctx); /* whose app data is its td_tls */

/* tls_identity.c */
/* SIP domain identities of a certificate (RFC 5922 §7.1), a line each, lower case. -ENOMEM. */
int tls_identities(struct td_out *out, X509 *cert);
bool tls_fingerprint(uint8_t out[TD_FINGERPRINT], X509 *cert); /* cert may be NULL: false */

/* tls_pem.c: text read by OpenSSL. */
BIO *tls_pem_bio(struct td_str pem);                                  /* borrows it; NULL: empty, too long, no memory */
int tls_pem_no_password(char *buf, int size, int writing, void *arg); /* for whatever reads from it */
/* What made OpenSSL give up, whose list of errors is empty after: -ENOMEM, or TD_ESYNTAX with its word for it, static, may be NULL. */
int tls_pem_error(const char **reason);
bool tls_pem_end(void); /* nothing was found since the text has nothing more; the list is empty then */

#endif
