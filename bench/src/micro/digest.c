/* The digest check of a server: credentials found in the request, nonce, count and response checked (RFC 7616). */
#include "ours.h"

#include <stdio.h>
#include <stdlib.h>
#include <tandem/auth.h>

enum { COUNTS = 32 }; /* requests with one nonce, before the next one */

struct digest {
	enum td_digest_alg alg;
	struct td_nonces *nonces;
	struct td_rng rng;
	struct td_ha1 ha1;
	uint64_t now_ms;
	struct td_msg *m[COUNTS];
};

static void *open_alg(enum td_digest_alg alg)
{
	struct td_nonce_options opt = { .lifetime_s = 300, .windows = 4096 };
	struct digest *d = need(calloc(1, sizeof(*d)));

	d->alg = alg;
	d->now_ms = 1000000;
	td_rng_init_seed(&d->rng, 1);
	if (td_nonces_open(&d->nonces, &d->rng, &opt))
		die("no nonces");
	if (td_ha1_make(&d->ha1, alg, TD_STR("alice"), TD_STR("bench.test"), TD_STR("secret")))
		die("no secret");
	return d;
}

static void *open_md5(uint32_t size)
{
	return open_alg(TD_DIGEST_MD5);
}

static void *open_sha256(uint32_t size)
{
	return open_alg(TD_DIGEST_SHA256);
}

static struct td_msg *request(struct digest *d, struct td_str nonce, unsigned count)
{
	char nc[9], response[TD_DIGEST_HEX_MAX];
	struct td_digest_input in = { .alg = d->alg,
				      .method = TD_STR("REGISTER"),
				      .uri = TD_STR("sip:bench.test"),
				      .nonce = nonce,
				      .cnonce = TD_STR("0a4f113b"),
				      .qop = TD_STR("auth") };
	struct td_str text = td_str_of(message_text[MESSAGE_REGISTER]), alg = td_digest_alg_name(d->alg);
	struct td_msg *m;
	struct td_buf *buf;
	struct td_out o;
	size_t n;

	snprintf(nc, sizeof(nc), "%08x", count);
	in.nc = td_str_n(nc, 8);
	n = td_digest_response(response, &d->ha1, &in);
	td_out_init(&o);
	td_out_str(&o, td_str_n(text.p, text.n - 2));
	td_out_fmt(&o,
		   "Authorization: Digest username=\"alice\", realm=\"bench.test\", nonce=\"%.*s\", uri=\"sip:bench.test\", "
		   "response=\"%.*s\", algorithm=%.*s, cnonce=\"0a4f113b\", qop=auth, nc=%s\r\n\r\n",
		   (int)nonce.n, nonce.p, (int)n, response, (int)alg.n, alg.p, nc);
	buf = need(td_out_buf(&o));
	if (td_msg_parse(&m, buf, 0, td_buf_str(buf).n))
		die("our own request was refused");
	td_buf_unref(buf);
	return m;
}

static void forget(struct digest *d)
{
	for (int i = 0; i < COUNTS; i++)
		if (d->m[i])
			td_msg_unref(d->m[i]);
}

/* A fresh nonce, and as many requests with it, their counts rising. */
static void prepare(void *state)
{
	struct digest *d = state;
	struct td_out nonce;

	forget(d);
	d->now_ms += 1000; /* the windows of older nonces may go */
	td_out_init(&nonce);
	td_nonce_make(&nonce, d->nonces, &d->rng, d->now_ms, TD_STR("bench.test"), 7);
	for (unsigned i = 0; i < COUNTS; i++)
		d->m[i] = request(d, td_out_view(&nonce), i + 1);
	td_out_free(&nonce);
}

static void timed_check(void *state, uint64_t n)
{
	struct digest *d = state;
	struct td_auth cred;
	enum td_digest_alg alg;

	for (uint64_t i = 0; i < n; i++)
		if (td_auth_find(&cred, &alg, d->m[i], false, TD_STR("bench.test")) != TD_AUTH_OK ||
		    td_auth_check(d->nonces, &cred, alg, &d->ha1, d->m[i], d->now_ms, 7) != TD_AUTH_OK)
			die("right credentials were refused");
}

static void close_digest(void *state)
{
	struct digest *d = state;

	forget(d);
	td_nonces_close(d->nonces);
	free(d);
}

const struct micro micro_digest[] = {
	{ "digest check, MD5", open_md5, prepare, timed_check, close_digest, COUNTS },
	{ "digest check, SHA-256", open_sha256, prepare, timed_check, close_digest, COUNTS },
	{ NULL },
};
