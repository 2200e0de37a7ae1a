/*
 * Keys of session tickets (RFC 5077, RFC 8446 §4.6.1). A ticket is the server's memory of a session, kept by the client, so it costs us
 * nothing; whoever has its key could read what was said under TLS 1.2. So keys are of this process alone, are made anew each hour,
 * and those before the last are forgotten. Old tickets are then worth nothing, and the client shows who it is once more.
 *
 * All contexts of a server share them, also one that was replaced when certificates changed: then phones that connect again need not
 * start over.
 */
#include "tls.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

enum { LIFE_S = 3600 };

struct ticket_key {
	uint8_t name[16], aes[32], mac[32];
};

struct tls_tickets {
	_Atomic uint32_t refs;
	pthread_mutex_t lock; /* held for the copy of a key */
	struct ticket_key now, before;
	bool has_before;
	time_t made;
	EVP_CIPHER *cipher; /* looked up once: OpenSSL's own look-up takes longer than to encrypt a ticket */
};

static time_t monotonic_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

static bool new_key(struct ticket_key *k)
{
	return RAND_bytes((uint8_t *)k, sizeof(*k)) == 1;
}

int tls_tickets_new(struct tls_tickets **out)
{
	struct tls_tickets *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
	if (!t->cipher || !new_key(&t->now)) {
		EVP_CIPHER_free(t->cipher);
		free(t);
		return -ENOMEM;
	}
	atomic_init(&t->refs, 1);
	pthread_mutex_init(&t->lock, NULL);
	t->made = monotonic_s();
	*out = t;
	return 0;
}

struct tls_tickets *tls_tickets_ref(struct tls_tickets *t)
{
	atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
	return t;
}

void tls_tickets_unref(struct tls_tickets *t)
{
	if (!t || atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) != 1)
		return;
	pthread_mutex_destroy(&t->lock);
	EVP_CIPHER_free(t->cipher);
	OPENSSL_cleanse(&t->now, sizeof(t->now));
	OPENSSL_cleanse(&t->before, sizeof(t->before));
	free(t);
}

/* With the lock. When the kernel has no randomness, the keys there are serve on. */
static void rotate(struct tls_tickets *t)
{
	time_t now = monotonic_s();
	struct ticket_key fresh;

	if (now - t->made < LIFE_S || !new_key(&fresh))
		return;
	t->before = t->now;
	t->has_before = now - t->made < 2 * LIFE_S;
	t->now = fresh;
	t->made = now;
	OPENSSL_cleanse(&fresh, sizeof(fresh));
}

/* The key to write with (name NULL), or the one a ticket names: 1; an old one, so that the ticket is to be replaced: 2; unknown: 0. */
static int key_for(struct ticket_key *out, struct tls_tickets *t, const uint8_t *name)
{
	int found = 1;

	pthread_mutex_lock(&t->lock);
	rotate(t);
	if (!name || !memcmp(name, t->now.name, sizeof(t->now.name))) {
		*out = t->now;
	} else if (t->has_before && !memcmp(name, t->before.name, sizeof(t->before.name))) {
		*out = t->before;
		found = 2;
	} else {
		found = 0;
	}
	pthread_mutex_unlock(&t->lock);
	return found;
}

static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int writing)
{
	struct tls_tickets *t = ((struct td_tls *)SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)))->tickets;
	struct ticket_key k;
	int found = key_for(&k, t, writing ? NULL : name);
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, k.mac, sizeof(k.mac)),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)(uintptr_t) "SHA256", 0),
		OSSL_PARAM_construct_end(),
	};
	bool ok;

	if (!found)
		return 0;
	if (writing) {
		memcpy(name, k.name, sizeof(k.name));
		ok = RAND_bytes(iv, 16) == 1 && EVP_EncryptInit_ex2(cipher, t->cipher, k.aes, iv, NULL) == 1;
	} else {
		ok = EVP_DecryptInit_ex2(cipher, t->cipher, k.aes, iv, NULL) == 1;
	}
	ok = ok && EVP_MAC_CTX_set_params(mac, params) == 1;
	OPENSSL_cleanse(&k, sizeof(k));
	return ok ? found : -1;
}

void tls_tickets_use(SSL_CTX *ctx)
{
	SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket);
	SSL_CTX_set_timeout(ctx, LIFE_S);
}
