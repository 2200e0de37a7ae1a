/*
 * TLS of one connection, between conn.c and whoever owns the connection:
 *
 *     backend → net_conn_data() → net_tls_input() → the owner's data()
 *     td_conn_send() → net_tls_send() → net_conn_queue() → backend
 *
 * OpenSSL reads what came where it lies and writes straight into counted buffers of the ring (a BIO of our own), so it runs on the
 * simulated wire as on the kernel's. What is sent before the handshake is over waits in plain text. Each record is decrypted into the
 * one scratch buffer of the net: an idle connection owns none.
 *
 * Who the peer is, is decided while the handshake lasts: before a byte is sent to somebody else.
 */
#include "tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>

enum {
	PLAIN_BYTES = 16384, /* the most a record holds (RFC 8446 §5.1) */
	TICKET_WITH = 2,     /* the how manieth thing we send brings a ticket */
};

/* ---- what OpenSSL reads from and writes to ---- */

static int bio_read(BIO *bio, char *out, int n)
{
	struct net_tls *t = BIO_get_data(bio);
	size_t take = t->in.n < (size_t)n ? t->in.n : (size_t)n;

	BIO_clear_retry_flags(bio);
	if (!take) {
		BIO_set_retry_read(bio);
		return -1;
	}
	memcpy(out, t->in.p, take);
	t->in = td_str_n(t->in.p + take, t->in.n - take);
	return (int)take;
}

static int bio_write(BIO *bio, const char *p, int n)
{
	struct net_tls *t = BIO_get_data(bio);
	struct td_buf *buf = td_buf_copy(td_str_n(p, (size_t)n));
	int err = buf ? net_conn_queue(t->conn, buf) : -ENOMEM;

	td_buf_unref(buf);
	if (!err)
		return n;
	t->err = err;
	BIO_clear_retry_flags(bio);
	return -1;
}

static long bio_ctrl(BIO *bio, int cmd, long larg, void *parg)
{
	return cmd == BIO_CTRL_FLUSH;
}

BIO_METHOD *tls_conn_bio(void)
{
	BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK | 0x80, "td_conn");

	if (m && BIO_meth_set_read(m, bio_read) && BIO_meth_set_write(m, bio_write) && BIO_meth_set_ctrl(m, bio_ctrl))
		return m;
	BIO_meth_free(m);
	return NULL;
}

/* ---- who the peer is (RFC 5922 §7.3, §7.4) ---- */

static void note(struct net_tls *t, int err, const char *why)
{
	t->verdict = err;
	t->why = why;
}

/* What a person needs to compare, or to pin: the fingerprint of what was shown. */
static void keep_fingerprint(struct net_tls *t, X509 *cert)
{
	uint8_t fp[TD_FINGERPRINT];
	struct td_out o;

	if (!tls_fingerprint(fp, cert))
		return;
	td_out_init(&o);
	td_out_z(&o, "SHA-256 ");
	td_fingerprint_print(&o, fp);
	td_buf_unref(t->shown);
	t->shown = td_out_buf(&o);
}

static bool pin_fits(const struct net_tls *t, X509 *cert)
{
	uint8_t fp[TD_FINGERPRINT];

	return tls_fingerprint(fp, cert) && !memcmp(fp, t->tls->pin, sizeof(fp));
}

static int read_names(struct net_tls *t, X509 *cert)
{
	struct td_out o;
	int err;

	td_out_init(&o);
	err = tls_identities(&o, cert);
	td_buf_unref(t->names);
	t->names = !err && o.n ? td_out_buf(&o) : NULL;
	td_out_free(&o);
	return err;
}

static int refuse(struct net_tls *t, X509_STORE_CTX *store, int verdict, int code, const char *why)
{
	note(t, verdict, why);
	X509_STORE_CTX_set_error(store, code);
	return 0;
}

static int verify_pinned(struct net_tls *t, X509_STORE_CTX *store, X509 *cert)
{
	struct td_out o;

	if (!pin_fits(t, cert)) {
		keep_fingerprint(t, cert);
		return refuse(t, store, TD_ECERT, X509_V_ERR_CERT_REJECTED,
			      "the certificate is not the one with that fingerprint");
	}
	td_out_init(&o);
	td_out_fmt(&o, "%s\n", t->host);
	t->names = td_out_buf(&o);
	X509_STORE_CTX_set_error(store, X509_V_OK);
	return 1;
}

int tls_conn_verify(X509_STORE_CTX *store, void *arg)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct net_tls *t = SSL_get_app_data(ssl);
	X509 *cert = X509_STORE_CTX_get0_cert(store);
	int code;

	if (!t->server && t->tls->pinned)
		return verify_pinned(t, store, cert);
	if (X509_verify_cert(store) != 1) {
		code = X509_STORE_CTX_get_error(store);
		if (t->server && t->clients == TD_TLS_CLIENTS_ASK) {
			X509_STORE_CTX_set_error(store, X509_V_OK); /* it proves nothing, and none was required */
			return 1;
		}
		keep_fingerprint(t, cert);
		return refuse(t, store, TD_ECERT, code, X509_verify_cert_error_string(code));
	}
	t->err = read_names(t, cert);
	if (t->err)
		return refuse(t, store, t->err, X509_V_ERR_OUT_OF_MEM, NULL);
	if (t->server || (t->names && td_tls_names_have(td_buf_str(t->names), td_str_of(t->host))))
		return 1;
	return refuse(t, store, TD_ENAME, X509_V_ERR_HOSTNAME_MISMATCH, "the certificate is for another name");
}

/* ---- life ---- */

static int open_tls(struct td_conn *c, struct td_tls *tls, SSL_CTX *ctx, const char *host)
{
	size_t n = strlen(host) + 1;
	struct net_tls *t = calloc(1, sizeof(*t) + n);
	BIO *bio;

	if (!t)
		return -ENOMEM;
	if (!c->net->plain)
		c->net->plain = malloc(PLAIN_BYTES);
	t->ssl = c->net->plain ? SSL_new(ctx) : NULL;
	bio = t->ssl ? BIO_new(tls->bio) : NULL;
	if (!bio) {
		SSL_free(t->ssl);
		free(t);
		return -ENOMEM;
	}
	memcpy(t->host, host, n);
	t->conn = c;
	t->tls = td_tls_ref(tls);
	BIO_set_data(bio, t);
	BIO_set_init(bio, 1);
	SSL_set_bio(t->ssl, bio, bio);
	SSL_set_app_data(t->ssl, t);
	c->tls = t;
	return 0;
}

int td_conn_tls_accept(struct td_conn *c, struct td_tls *tls, enum td_tls_clients clients)
{
	static const int modes[] = { SSL_VERIFY_NONE, SSL_VERIFY_PEER, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT };
	uint8_t context = (uint8_t)clients;
	int err;

	if (!tls->site_n)
		return TD_EUNSUPPORTED;
	err = open_tls(c, tls, tls->sites[0].ctx, "");
	if (err)
		return err;
	c->tls->server = true;
	c->tls->clients = (uint8_t)clients;
	SSL_set_verify(c->tls->ssl, modes[clients], NULL);
	/* A session that began where nobody asked for a certificate is not resumed where one is required; and one that began with it
	 * is not resumed at all, so that each connection is held against what is believed now. */
	SSL_set_session_id_context(c->tls->ssl, &context, sizeof(context));
	if (clients == TD_TLS_CLIENTS_IGNORE)
		c->tls->ticket_in = TICKET_WITH;
	else
		SSL_set_options(c->tls->ssl, SSL_OP_NO_TICKET);
	SSL_set_accept_state(c->tls->ssl);
	return 0;
}

int td_conn_tls_connect(struct td_conn *c, struct td_tls *tls, struct td_str host)
{
	char name[TD_TLS_NAME];
	struct td_addr ip;
	int err = td_tls_name(name, host);

	if (!err)
		err = open_tls(c, tls, tls->client, name);
	if (err)
		return err;
	SSL_set_connect_state(c->tls->ssl);
	/* RFC 6066 §3: no numeric addresses. */
	if (td_ip_parse(&ip, td_str_of(name)) && SSL_set_tlsext_host_name(c->tls->ssl, name) != 1) {
		net_tls_free(c);
		return -ENOMEM;
	}
	return 0;
}

void net_tls_free(struct td_conn *c)
{
	struct net_tls *t = c->tls;

	if (!t)
		return;
	c->tls = NULL;
	SSL_free(t->ssl);
	while (t->waiting_n > 0)
		td_buf_unref(t->waiting[--t->waiting_n]);
	free(t->waiting);
	td_buf_unref(t->names);
	td_buf_unref(t->shown);
	td_tls_unref(t->tls);
	free(t);
}

/* ---- the handshake, and what comes ---- */

/* OpenSSL gave up. What it has to say to the peer (an alert) is written if it can be, and c fails. */
static void fail(struct net_tls *t)
{
	struct td_conn *c = t->conn;
	unsigned long code = ERR_peek_error();
	int err = t->err ? t->err : t->verdict ? t->verdict : t->ready ? -EPROTO : TD_ETLS;

	if (!t->why)
		t->why = code ? ERR_reason_error_string(code) : NULL;
	ERR_clear_error();
	t->done = true;
	if (c->count > 0 && !c->blocked)
		(void)c->net->ops->conn_write(c);
	net_conn_failed(c, err);
}

/*
 * TLS 1.3 tickets (RFC 8446 §4.6.1) are made when asked for. One costs a tenth of a whole handshake, so it is given to who stays: with the
 * second thing we send. Whoever asks once and goes would not come back with it.
 */
static void give_ticket(struct net_tls *t)
{
	if (t->ticket_in && !--t->ticket_in)
		(void)SSL_new_session_ticket(t->ssl); /* 0 under TLS 1.2, whose ticket is a part of the handshake */
}

static bool write_all(struct net_tls *t, struct td_buf *buf)
{
	ERR_clear_error();
	give_ticket(t);
	return SSL_write(t->ssl, buf->data, (int)buf->len) == (int)buf->len;
}

/* False: c has failed. */
static bool send_waiting(struct net_tls *t)
{
	for (uint32_t i = 0; i < t->waiting_n; i++) {
		if (!write_all(t, t->waiting[i])) {
			fail(t);
			return false;
		}
	}
	while (t->waiting_n > 0)
		td_buf_unref(t->waiting[--t->waiting_n]);
	free(t->waiting);
	t->waiting = NULL;
	t->waiting_cap = 0;
	t->waiting_bytes = 0;
	return true;
}

/* True: the handshake is over just now, and c still there. */
static bool handshake(struct net_tls *t)
{
	struct td_conn *c = t->conn;
	int r;

	ERR_clear_error();
	r = SSL_do_handshake(t->ssl);
	if (r != 1) {
		if (SSL_get_error(t->ssl, r) != SSL_ERROR_WANT_READ)
			fail(t);
		return false;
	}
	t->ready = true;
	if (!send_waiting(t))
		return false;
	if (c->detached)
		net_tls_finish(c);
	net_conn_up(c);
	return c->state == CONN_OPEN;
}

/* A connection that lingers is on no list of those to be flushed: what OpenSSL has to say meanwhile is written at once. */
static bool shake(struct td_conn *c)
{
	if (handshake(c->tls))
		return true;
	if (c->tls && c->detached)
		net_conn_flush(c);
	return false;
}

void net_tls_start(struct td_conn *c)
{
	(void)shake(c);
}

/* What a record held. c may be anything after. */
static void receive(struct net_tls *t)
{
	struct td_conn *c = t->conn;
	char *plain = c->net->plain;

	do {
		int n, err;

		ERR_clear_error(); /* of whatever its owner did with the record before: SSL_get_error() would take it for its own */
		n = SSL_read(t->ssl, plain, PLAIN_BYTES);
		if (n > 0) {
			c->ev->data(c, td_str_n(plain, (size_t)n), c->arg);
			if (c->state != CONN_OPEN || c->detached)
				return;
			continue;
		}
		err = SSL_get_error(t->ssl, n);
		if (err == SSL_ERROR_WANT_READ)
			return;
		if (err == SSL_ERROR_ZERO_RETURN)
			net_conn_eof(c);
		else
			fail(t);
		return;
	} while (t->in.n > 0 || SSL_has_pending(t->ssl));
}

void net_tls_input(struct td_conn *c, struct td_str bytes)
{
	struct net_tls *t = c->tls;

	if (t->done)
		return;
	t->in = bytes;
	if (!t->ready && (!shake(c) || !t->in.n)) {
		if (c->tls)
			t->in = TD_STR_NULL;
		return;
	}
	if (!c->detached)
		receive(t);
	if (!c->tls) /* closed by its owner */
		return;
	t->in = TD_STR_NULL;
	/* Answers of TLS itself (key updates) are bounded by what the peer takes, as ours are (T3). */
	if (c->state == CONN_OPEN && c->queued > c->limit)
		net_conn_failed(c, TD_EFULL);
}

/* ---- what goes ---- */

static int wait(struct net_tls *t, struct td_buf *buf)
{
	struct td_buf **grown;
	uint32_t cap = t->waiting_cap ? 2 * t->waiting_cap : 2;

	if (t->waiting_n == t->waiting_cap) {
		if (cap > NET_CONN_QUEUE_MAX)
			return TD_EFULL;
		grown = realloc(t->waiting, cap * sizeof(struct td_buf *));
		if (!grown)
			return -ENOMEM;
		t->waiting = grown;
		t->waiting_cap = cap;
	}
	t->waiting[t->waiting_n++] = td_buf_ref(buf);
	t->waiting_bytes += buf->len;
	return 0;
}

int net_tls_send(struct td_conn *c, struct td_buf *buf)
{
	struct net_tls *t = c->tls;
	size_t queued = c->queued + t->waiting_bytes;

	if (t->done)
		return TD_ECLOSED;
	if (queued > c->limit || buf->len > c->limit - queued)
		return TD_EFULL;
	if (!t->ready)
		return wait(t, buf);
	if (write_all(t, buf))
		return 0;
	ERR_clear_error();
	t->done = true;
	net_conn_fail_later(c, t->err ? t->err : -EPROTO);
	return t->err ? t->err : TD_ECLOSED;
}

size_t net_tls_waiting(const struct td_conn *c)
{
	return c->tls->waiting_bytes;
}

bool net_tls_open(const struct td_conn *c)
{
	return !c->tls->ready && c->tls->waiting_n > 0;
}

void net_tls_finish(struct td_conn *c)
{
	struct net_tls *t = c->tls;

	if (!t->ready || t->done)
		return;
	t->done = true;
	(void)SSL_shutdown(t->ssl);
	ERR_clear_error();
}

/* ---- what the owner may ask ---- */

bool td_conn_tls_ready(const struct td_conn *c)
{
	return c->tls && c->tls->ready;
}

struct td_buf *td_conn_tls_names(const struct td_conn *c)
{
	return c->tls && c->tls->ready ? c->tls->names : NULL;
}

void td_conn_tls_why(struct td_out *o, const struct td_conn *c)
{
	const struct net_tls *t = c->tls;
	struct td_str names;

	if (t && !t->why && !t->ready)
		td_out_z(o, "the other side ended it in mid-handshake");
	if (!t || !t->why)
		return;
	td_out_z(o, t->why);
	if (t->verdict == TD_ENAME) {
		td_out_fmt(o, ": \"%s\" was asked for, and it names ", t->host);
		names = t->names ? td_buf_str(t->names) : TD_STR("nobody\n");
		for (size_t i = 0; i + 1 < names.n; i++)
			td_out_str(o, names.p[i] == '\n' ? TD_STR(", ") : td_str_n(names.p + i, 1));
	} else if (t->shown) {
		td_out_fmt(o, " (it is %.*s)", TD_FMT(td_buf_str(t->shown)));
	}
}
