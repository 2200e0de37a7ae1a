/*
 * The section tls: certificates, whom to believe, and what is asked of those who connect. Files are read here, so that what is wrong with
 * one is told with the line that names it, and so that the configuration in use does not change with the files under it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"

enum { PEM_MOST = 1 << 20 };

/* Its text, or a report at path. *text is empty after one. */
static int read_pem(struct td_str *file, struct td_str *text, struct td_config *c, const char *name, struct report *r,
		    const char *const *path, unsigned n)
{
	struct td_out o;
	struct stat st;
	int fd, err;

	if (!*name || config_has_control(td_str_of(name))) {
		report_at(r, path, n, "\"%s\" is no file name (want a file in PEM form)", *name ? "…" : "");
		return 0;
	}
	err = config_path(file, c, r, td_str_of(name));
	if (err)
		return err;
	fd = open(file->p, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe must not hold up who checks a configuration */
	err = fd < 0 || fstat(fd, &st) ? -errno : S_ISREG(st.st_mode) ? 0 : -EINVAL;
	td_out_init(&o);
	if (!err)
		err = td_read_all(&o, fd, PEM_MOST);
	if (fd >= 0)
		close(fd);
	if (err && err != -ENOMEM)
		report_at(r, path, n, "%s cannot be read: %s (want a file in PEM form)", file->p,
			  err == -EINVAL ? "no plain file" : td_strerror(err));
	if (!err)
		err = td_arena_dup(text, &c->arena, td_out_view(&o));
	td_out_wipe(&o);
	return err == -ENOMEM ? err : 0;
}

/* Do certificate and key go together, and is it for that domain? */
static int try_site(const struct td_site *s, struct report *r, const char *const *path, unsigned n)
{
	struct td_out why;
	uint64_t ends_s;
	int err;

	td_out_init(&why);
	err = td_cert_check(&why, s->certificate, s->key);
	if (err && err != -ENOMEM) {
		report_at(r, path, n, "%.*s: %.*s", TD_FMT(s->certificate_file), TD_FMT(td_out_view(&why)));
		err = 0;
	} else if (!err && s->name.n) {
		why.n = 0;
		err = td_cert_read(&why, &ends_s, s->certificate);
		if (!err && !td_tls_names_have(td_out_view(&why), s->name))
			report_at(r, path, n, "%.*s does not name %.*s: no phone of that domain would believe it",
				  TD_FMT(s->certificate_file), TD_FMT(s->name));
	}
	td_out_free(&why);
	return err == -ENOMEM ? err : 0;
}

static int add_site(struct td_config *c, const char *name, const char *certificate, const char *key, struct report *r,
		    const char *const *path, unsigned n)
{
	const char *at[4];
	struct td_site s = { 0 };
	unsigned before = r->count;
	int err = 0;

	memcpy(at, path, n * sizeof(*at));
	if (!certificate || !key) {
		report_at(r, path, n, "%s is missing (want certificate: and key:, each a file in PEM form)",
			  certificate ? "key" : "certificate");
		return 0;
	}
	if (name) {
		char canonical[TD_TLS_NAME];

		at[n] = "name";
		if (td_tls_name(canonical, td_str_of(name)))
			report_at(r, at, n + 1, "\"%s\" is no domain (want a host name, like example.test)", name);
		else
			err = td_arena_dup(&s.name, &c->arena, td_str_of(canonical));
	}
	at[n] = "certificate";
	if (!err)
		err = read_pem(&s.certificate_file, &s.certificate, c, certificate, r, at, n + 1);
	if (!err && r->count == before) {
		at[n] = "key";
		err = read_pem(&s.key_file, &s.key, c, key, r, at, n + 1);
	}
	at[n] = "certificate";
	if (!err && r->count == before)
		err = try_site(&s, r, at, n + 1);
	c->tls.sites[c->tls.site_n++] = s;
	return err;
}

static int check_sites(struct td_config *c, const struct raw_tls *raw, struct report *r)
{
	char at[12];
	int err = 0;

	c->tls.sites = td_arena_zalloc(&c->arena, (raw->domains_count + 1) * sizeof(*c->tls.sites));
	if (!c->tls.sites)
		return -ENOMEM;
	if (raw->certificate || raw->key)
		err = add_site(c, NULL, raw->certificate, raw->key, r, AT("tls"));
	for (unsigned i = 0; i < raw->domains_count && !err; i++) {
		snprintf(at, sizeof(at), "%u", i);
		if (raw->domains[i].name)
			err = add_site(c, raw->domains[i].name, raw->domains[i].certificate, raw->domains[i].key, r,
				       AT("tls", "domains", at));
		else
			report_at(r, AT("tls", "domains", at), "name is missing (want the domain the certificate is for)");
	}
	return err;
}

static int check_ca(struct td_config *c, const struct raw_tls *raw, struct report *r)
{
	struct td_tls_options opt = { 0 };
	struct td_tls *tls = NULL;
	unsigned before = r->count;
	struct td_out why;
	int err = read_pem(&c->tls.ca_file, &c->tls.ca, c, raw->ca, r, AT("tls", "ca"));

	if (err || r->count > before)
		return err;
	td_out_init(&why);
	opt.ca = c->tls.ca;
	err = c->tls.ca.n ? td_tls_open(&tls, &opt, &why) : TD_ESYNTAX;
	td_tls_unref(tls);
	if (err && err != -ENOMEM) {
		report_at(r, AT("tls", "ca"), "%.*s: %.*s", TD_FMT(c->tls.ca_file),
			  TD_FMT(why.n ? td_out_view(&why) : TD_STR("it is empty")));
		err = 0;
	}
	td_out_free(&why);
	return err;
}

static void require(struct td_config *c, const char *listen, struct report *r, const char *const *path, unsigned n)
{
	struct td_listen l;
	unsigned found = 0;

	if (!config_listen_parse(&l, td_str_of(listen)) && l.proto == TD_TLS) {
		for (unsigned i = 0; i < c->listen_n; i++) {
			bool same = td_ip_is_any(&l.addr) ? l.addr.family == c->listen[i].addr.family
							  : td_ip_eq(&c->listen[i].addr, &l.addr);

			if (c->listen[i].proto != TD_TLS || !same || c->listen[i].addr.port != l.addr.port)
				continue;
			c->listen[i].clients = TD_TLS_CLIENTS_REQUIRE;
			found++;
		}
	}
	if (!found)
		report_at(r, path, n, "\"%s\" is not among listen: (want one of its tls:HOST:PORT)", listen);
}

int config_check_tls(struct td_config *c, const struct raw_tls *raw, struct report *r)
{
	static const char *const words[] = { "ignore", "ask", "require", NULL }; /* in the order of enum td_tls_clients */
	char at[12];
	int err, w;

	if (!raw)
		return 0;
	err = check_sites(c, raw, r);
	if (!err && raw->ca)
		err = check_ca(c, raw, r);
	if (err)
		return err;
	w = raw->clients ? config_word(raw->clients, words, r, AT("tls", "clients")) : 0;
	c->tls.clients = w > 0 ? (enum td_tls_clients)w : TD_TLS_CLIENTS_IGNORE;
	for (unsigned i = 0; i < c->listen_n; i++)
		if (c->listen[i].proto == TD_TLS)
			c->listen[i].clients = c->tls.clients;
	for (unsigned i = 0; i < raw->require_clients_count; i++) {
		snprintf(at, sizeof(at), "%u", i);
		require(c, raw->require_clients[i], r, AT("tls", "require_clients", at));
	}
	return 0;
}
