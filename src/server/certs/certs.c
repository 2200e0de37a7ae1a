/* The list of certificates, and the context of TLS that is made of it. */
#include <errno.h>
#include <stdlib.h>

#include "server/certs/internal.h"

enum { TELL_DAYS = 14 };

bool td_certs_wanted(const struct td_config *cfg)
{
	for (unsigned i = 0; i < cfg->listen_n; i++)
		if (cfg->listen[i].proto == TD_TLS || cfg->listen[i].proto == TD_WSS)
			return true;
	return false;
}

static int copy_site(struct td_cert *out, struct td_arena *a, const struct td_site *s)
{
	struct td_str file = td_str_n(s->certificate_file.p, s->certificate_file.n + 1); /* with its terminator */
	int err = td_arena_dup(&out->domain, a, s->name);

	if (!err)
		err = td_arena_dup(&out->certificate, a, s->certificate);
	if (!err)
		err = td_arena_dup(&out->key, a, s->key);
	if (!err)
		err = td_arena_dup(&out->file, a, file);
	if (!err)
		out->file.n--;
	return err;
}

static int describe(struct td_cert *c, uint64_t now_s, struct td_log *log)
{
	struct td_out names;
	int err;

	td_out_init(&names);
	err = td_cert_read(&names, &c->ends_s, c->certificate);
	if (!err)
		err = td_cert_fingerprint(c->fingerprint, c->certificate);
	if (!err && c->ends_s < now_s + TELL_DAYS * 86400)
		td_log(log, TD_LOG_WARN, "certs end", TD_KS("file", c->file),
		       TD_KU("days", c->ends_s > now_s ? (c->ends_s - now_s) / 86400 : 0),
		       TD_KZ("next", "phones will not believe it any more: put a new one there and reload"));
	td_out_free(&names);
	return err;
}

static int collect(struct td_certs *c, const struct td_config *cfg, uint64_t now_s, struct td_log *log, struct td_out *why)
{
	bool own = !cfg->tls.site_n || cfg->tls.sites[0].name.n;
	int err = 0;

	c->list = td_arena_zalloc(&c->arena, (cfg->tls.site_n + 1) * sizeof(*c->list));
	if (!c->list)
		return -ENOMEM;
	if (own)
		err = certs_own(&c->list[c->n++], &c->arena, cfg, now_s, log, why);
	for (unsigned i = 0; i < cfg->tls.site_n && !err; i++)
		err = copy_site(&c->list[c->n++], &c->arena, &cfg->tls.sites[i]);
	for (unsigned i = 0; i < c->n && !err; i++)
		err = describe(&c->list[i], now_s, log);
	return err;
}

static int open_tls(struct td_certs *c, const struct td_config *cfg, const struct td_certs *old, struct td_out *why)
{
	struct td_tls_identity *ids = calloc(c->n, sizeof(*ids));
	struct td_tls_options opt = { .identities = ids, .identity_n = c->n, .ca = cfg->tls.ca, .old = old ? old->tls : NULL };
	int err;

	if (!ids)
		return -ENOMEM;
	for (unsigned i = 0; i < c->n; i++)
		ids[i] = (struct td_tls_identity){ c->list[i].domain, c->list[i].certificate, c->list[i].key };
	err = td_tls_open(&c->tls, &opt, why);
	free(ids);
	return err;
}

int td_certs_open(struct td_certs **out, const struct td_config *cfg, const struct td_certs *old, uint64_t now_s,
		  struct td_log *log, struct td_out *why)
{
	struct td_certs *c = calloc(1, sizeof(*c));
	int err;

	if (!c)
		return -ENOMEM;
	atomic_init(&c->refs, 1);
	td_arena_init(&c->arena);
	err = collect(c, cfg, now_s, log, why);
	if (!err)
		err = open_tls(c, cfg, old, why);
	if (err) {
		td_certs_unref(c);
		return err;
	}
	*out = c;
	return 0;
}

struct td_certs *td_certs_ref(struct td_certs *c)
{
	atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
	return c;
}

void td_certs_unref(struct td_certs *c)
{
	if (!c || atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1)
		return;
	td_tls_unref(c->tls);
	for (unsigned i = 0; i < c->n; i++)
		td_arena_wipe(c->list[i].key);
	td_arena_reset(&c->arena);
	free(c);
}
