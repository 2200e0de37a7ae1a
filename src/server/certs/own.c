/*
 * Our own certificate: STATE/tls.crt, which may be handed to anybody, and STATE/tls.key, which may not. It stays as long as it can, since
 * phones know it by its fingerprint: it is made anew only when it cannot be read, does not name one of our domains, or ends within 30 days.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "server/certs/internal.h"

enum { DAYS = 3650, RENEW_DAYS = 30, FILE_MOST = 65536, MOST_NAMES = 64 };

/* ---- files ---- */

static int path_of(struct td_str *out, struct td_arena *a, const struct td_config *cfg, const char *name)
{
	struct td_out o;
	int err;

	td_out_init(&o);
	td_out_fmt(&o, "%.*s/%s", TD_FMT(cfg->state), name);
	td_out_char(&o, '\0');
	err = o.failed ? -ENOMEM : td_arena_dup(out, a, td_out_view(&o));
	if (!err)
		out->n--;
	td_out_free(&o);
	return err;
}

static int read_file(struct td_str *out, struct td_arena *a, struct td_str path)
{
	char *text = td_arena_alloc(a, FILE_MOST);
	int fd = text ? open(path.p, O_RDONLY | O_CLOEXEC) : -1;
	ssize_t n = 0;
	size_t at = 0;

	if (!text)
		return -ENOMEM;
	if (fd < 0)
		return -errno;
	while (at < FILE_MOST && (n = read(fd, text + at, FILE_MOST - at)) > 0)
		at += (size_t)n;
	close(fd);
	if (n < 0)
		return -EIO;
	*out = td_str_n(text, at);
	return 0;
}

static int write_all(int fd, struct td_str s)
{
	while (s.n) {
		ssize_t n = write(fd, s.p, s.n);

		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		s = td_str_n(s.p + n, s.n - (size_t)n);
	}
	return fsync(fd) ? -errno : 0;
}

/* Whole or not at all, whenever the power goes. */
static int write_file(struct td_str path, struct td_str text, mode_t mode)
{
	size_t n = path.n + 5;
	char *fresh = malloc(n);
	int fd, err;

	if (!fresh)
		return -ENOMEM;
	snprintf(fresh, n, "%s.new", path.p);
	(void)unlink(fresh);
	fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	err = fd < 0 ? -errno : write_all(fd, text);
	if (fd >= 0)
		close(fd);
	if (!err && rename(fresh, path.p))
		err = -errno;
	if (err)
		(void)unlink(fresh);
	free(fresh);
	return err;
}

/* ---- whom it names ---- */

struct names {
	struct td_str list[MOST_NAMES];
	char ip[MOST_NAMES][TD_ADDR_TEXT];
	unsigned n;
};

static void add_name(struct names *v, struct td_str s)
{
	for (unsigned i = 0; i < v->n; i++)
		if (td_str_ieq(v->list[i], s))
			return;
	if (v->n < MOST_NAMES)
		v->list[v->n++] = s;
}

/* The domains first. The addresses too: many a phone is given nothing else. */
static void names_of(struct names *v, const struct td_config *cfg)
{
	bool loopback = false;
	struct td_out o;

	v->n = 0;
	for (unsigned i = 0; i < cfg->domain_n; i++)
		add_name(v, cfg->domains[i].name);
	for (unsigned i = 0; i < cfg->listen_n && v->n < MOST_NAMES; i++) {
		if (cfg->listen[i].proto != TD_TLS && cfg->listen[i].proto != TD_WSS)
			continue;
		td_out_init_fixed(&o, v->ip[v->n], TD_ADDR_TEXT);
		td_ip_print(&o, &cfg->listen[i].addr);
		add_name(v, td_out_view(&o));
		loopback |= td_ip_is_loopback(&cfg->listen[i].addr);
	}
	if (loopback)
		add_name(v, TD_STR("localhost"));
}

/* NULL: it will do; else why not, in words. Addresses may come and go: for them alone nothing is made anew. */
static const char *unfit(const struct td_cert *c, const struct td_config *cfg, uint64_t now_s)
{
	struct td_tls_identity id = { .certificate = c->certificate, .key = c->key };
	struct td_tls_options opt = { .identities = &id, .identity_n = 1, .ca = c->certificate };
	struct td_tls *tls = NULL;
	const char *why = NULL;
	uint64_t ends_s = 0;
	struct td_out o;

	td_out_init(&o);
	if (td_tls_open(&tls, &opt, &o))
		why = "the one there is cannot be used";
	td_tls_unref(tls);
	o.n = 0;
	if (!why && td_cert_read(&o, &ends_s, c->certificate))
		why = "the one there is cannot be read";
	else if (!why && ends_s < now_s + RENEW_DAYS * 86400)
		why = "the one there is ends";
	for (unsigned i = 0; i < cfg->domain_n && !why; i++) {
		char name[TD_TLS_NAME];

		if (!td_tls_name(name, cfg->domains[i].name) && !td_tls_names_have(td_out_view(&o), cfg->domains[i].name))
			why = "the one there is does not name all domains";
	}
	td_out_free(&o);
	return why;
}

/* ---- making ---- */

static int make(struct td_cert *c, struct td_arena *a, const struct td_config *cfg, struct td_str key_file, struct td_out *why)
{
	struct names *names = malloc(sizeof(*names));
	struct td_out certificate, key;
	int err = names ? 0 : -ENOMEM;

	td_out_init(&certificate);
	td_out_init(&key);
	if (!err) {
		names_of(names, cfg);
		err = td_cert_make(&certificate, &key, names->list, names->n, DAYS);
	}
	if (!err)
		err = td_arena_dup(&c->certificate, a, td_out_view(&certificate));
	if (!err)
		err = td_arena_dup(&c->key, a, td_out_view(&key));
	if (!err)
		err = write_file(key_file, c->key, 0600);
	if (!err)
		err = write_file(c->file, c->certificate, 0644);
	if (err)
		td_out_fmt(
			why,
			"%s: no certificate for TLS could be made: %s (want a state folder one can write to, or tls: with files)",
			c->file.p, td_strerror(err));
	if (key.n)
		memset(key.p, 0, key.n);
	td_out_free(&certificate);
	td_out_free(&key);
	free(names);
	return err;
}

int certs_own(struct td_cert *out, struct td_arena *a, const struct td_config *cfg, uint64_t now_s, struct td_log *log,
	      struct td_out *why)
{
	struct td_cert c = { .own = true };
	struct td_str key_file;
	const char *reason;
	int err = path_of(&c.file, a, cfg, "tls.crt");

	if (!err)
		err = path_of(&key_file, a, cfg, "tls.key");
	if (err)
		return err;
	err = read_file(&c.certificate, a, c.file);
	if (!err)
		err = read_file(&c.key, a, key_file);
	if (err && err != -ENOENT) {
		td_out_fmt(why, "%s or %s: %s (they are ours: give them back to us, or take them away and new ones are made)",
			   c.file.p, key_file.p, td_strerror(err));
		return err;
	}
	reason = err ? "there was none" : unfit(&c, cfg, now_s);
	err = reason ? make(&c, a, cfg, key_file, why) : 0;
	if (err)
		return err;
	if (reason)
		td_log(log, TD_LOG_INFO, "certs made", TD_KS("file", c.file), TD_KZ("why", reason),
		       TD_KZ("next", "phones that pinned the old one, if any, must be told"));
	*out = c;
	return 0;
}
