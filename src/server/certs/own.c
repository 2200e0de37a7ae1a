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

enum { DAYS = 3650, RENEW_DAYS = 30, FILE_MOST = 1 << 20 };

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
	int fd = open(path.p, O_RDONLY | O_CLOEXEC), err;
	struct td_out o;

	if (fd < 0)
		return -errno;
	td_out_init(&o);
	err = td_read_all(&o, fd, FILE_MOST);
	close(fd);
	if (!err)
		err = td_arena_dup(out, a, td_out_view(&o));
	td_out_wipe(&o);
	return err;
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
	struct td_str *list;
	unsigned n;
};

static void add_name(struct names *v, struct td_str s)
{
	for (unsigned i = 0; i < v->n; i++)
		if (td_str_ieq(v->list[i], s))
			return;
	v->list[v->n++] = s;
}

static int add_address(struct names *v, struct td_arena *a, const struct td_addr *ip)
{
	char text[TD_ADDR_TEXT];
	struct td_str kept;
	struct td_out o;
	int err;

	td_out_init_fixed(&o, text, sizeof(text));
	td_ip_print(&o, ip);
	err = td_arena_dup(&kept, a, td_out_view(&o));
	if (!err)
		add_name(v, kept);
	return err;
}

static const struct td_str loopbacks[] = { TD_STR_INIT("localhost"), TD_STR_INIT("127.0.0.1"), TD_STR_INIT("::1") };

/*
 * The domains first. The addresses too: many a phone is given nothing else. 0.0.0.0 and :: are nobody's address; of what they stand for
 * the machine itself is named alone: which other addresses it has is not for everybody who connects, and they change.
 */
static int names_of(struct names *v, struct td_arena *a, const struct td_config *cfg)
{
	bool loopback = false;
	int err = 0;

	v->list = td_arena_alloc(a, (cfg->domain_n + cfg->listen_n + TD_ARRAY_LEN(loopbacks)) * sizeof(*v->list));
	if (!v->list)
		return -ENOMEM;
	for (unsigned i = 0; i < cfg->domain_n; i++)
		add_name(v, cfg->domains[i].name);
	for (unsigned i = 0; i < cfg->listen_n && !err; i++) {
		const struct td_listen *l = &cfg->listen[i];
		bool any = td_ip_is_any(&l->addr);

		if (l->proto != TD_TLS && l->proto != TD_WSS)
			continue;
		loopback |= any || td_ip_is_loopback(&l->addr);
		if (!any)
			err = add_address(v, a, &l->addr);
	}
	for (size_t i = 0; i < TD_ARRAY_LEN(loopbacks) && loopback; i++)
		add_name(v, loopbacks[i]);
	return err;
}

/* *why NULL: it will do; else why not, in words. Addresses may come and go: for them alone nothing is made anew. -ENOMEM says nothing
 * about the certificate. */
static int unfit(const char **why, const struct td_cert *c, const struct td_config *cfg, uint64_t now_s)
{
	uint64_t ends_s = 0;
	struct td_out o;
	int err;

	*why = NULL;
	td_out_init(&o);
	err = td_cert_check(&o, c->certificate, c->key);
	o.n = 0;
	if (!err)
		err = td_cert_read(&o, &ends_s, c->certificate);
	if (err == TD_ESYNTAX)
		*why = "the one there is cannot be used";
	else if (!err && ends_s < now_s + RENEW_DAYS * 86400)
		*why = "the one there is ends";
	for (unsigned i = 0; i < cfg->domain_n && !err && !*why; i++) {
		char name[TD_TLS_NAME];

		if (!td_tls_name(name, cfg->domains[i].name) && !td_tls_names_have(td_out_view(&o), cfg->domains[i].name))
			*why = "the one there is does not name all domains";
	}
	td_out_free(&o);
	return err == TD_ESYNTAX ? 0 : err;
}

/* ---- making ---- */

static int make(struct td_cert *c, struct td_arena *a, const struct td_config *cfg, struct td_str key_file, struct td_out *why)
{
	struct names names = { 0 };
	struct td_out certificate, key;
	int err = names_of(&names, a, cfg);

	td_out_init(&certificate);
	td_out_init(&key);
	if (!err)
		err = td_cert_make(&certificate, &key, names.list, names.n, DAYS);
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
	td_out_free(&certificate);
	td_out_wipe(&key);
	return err;
}

int certs_own(struct td_cert *out, struct td_arena *a, const struct td_config *cfg, uint64_t now_s, struct td_log *log,
	      struct td_out *why)
{
	struct td_cert c = { 0 };
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
	reason = err ? "there was none" : NULL;
	err = reason ? 0 : unfit(&reason, &c, cfg, now_s);
	if (!err && reason) {
		td_arena_wipe(c.key);
		err = make(&c, a, cfg, key_file, why);
	}
	if (err) {
		td_arena_wipe(c.key);
		return err;
	}
	if (reason)
		td_log(log, TD_LOG_INFO, "certs made", TD_KS("file", c.file), TD_KZ("why", reason),
		       TD_KZ("next", "phones that pinned the old one, if any, must be told"));
	*out = c;
	return 0;
}
