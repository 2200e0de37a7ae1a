/* The certificate made at the first start: whom it names, when it stays and when another takes its place; and those of files. */
#include "../../tls.h"

#include <sys/stat.h>
#include <unistd.h>

#include "server/certs/certs.h"

struct folder {
	char path[64];
	struct td_out why;
};

static void open_folder(struct folder *f)
{
	snprintf(f->path, sizeof(f->path), "/tmp/tandem-certs-XXXXXX");
	assert_non_null(mkdtemp(f->path));
	td_out_init(&f->why);
}

static void remove_file(struct folder *f, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", f->path, name);
	unlink(path);
}

static void close_folder(struct folder *f)
{
	static const char *const names[] = { "tls.crt", "tls.key", "a.crt", "a.key", "b.crt", "b.key" };

	for (size_t i = 0; i < TD_ARRAY_LEN(names); i++)
		remove_file(f, names[i]);
	assert_int_equal(rmdir(f->path), 0);
	td_out_free(&f->why);
}

static void write_text(struct folder *f, const char *name, struct td_str text)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", f->path, name);
	file = fopen(path, "w");
	assert_non_null(file);
	fwrite(text.p, 1, text.n, file);
	fclose(file);
}

/* yaml: what stands there beside the state folder. */
static struct td_config *config_of(struct folder *f, const char *yaml)
{
	struct td_config *cfg = NULL;
	struct td_out o, errors;
	char name[128];

	snprintf(name, sizeof(name), "%s/t.yaml", f->path);
	td_out_init(&o);
	td_out_init(&errors);
	td_out_fmt(&o, "state: .\n%s", yaml);
	if (td_config_parse(&cfg, &errors, td_str_of(name), td_out_view(&o)))
		fail_msg("%.*s", TD_FMT(td_out_view(&errors)));
	td_out_free(&o);
	td_out_free(&errors);
	return cfg;
}

static struct td_certs *certs_of(struct folder *f, const char *yaml, uint64_t now_s)
{
	struct td_config *cfg = config_of(f, yaml);
	struct td_certs *c = NULL;

	f->why.n = 0;
	if (td_certs_open(&c, cfg, NULL, now_s, NULL, &f->why))
		fail_msg("%.*s", TD_FMT(td_out_view(&f->why)));
	td_config_unref(cfg);
	return c;
}

#define ONE "domains: [{name: one.test}]\nlisten: ['tls:127.0.0.1', 'tls:[::1]:5099', 'udp:127.0.0.1']\n"
#define TWO "domains: [{name: one.test}, {name: two.test}]\nlisten: ['tls:127.0.0.1']\n"

static bool is_own(const struct td_cert *c)
{
	return td_str_ends(c->file, TD_STR("/tls.crt"));
}

static uint64_t now(void)
{
	return (uint64_t)time(NULL);
}

/* Proves RFC 5922 §7.5-1. */
static void first_start(void **state)
{
	static const char *const names[] = { "one.test", "localhost", "127.0.0.1", "::1" };
	uint8_t fp[TD_FINGERPRINT];
	char path[128];
	struct stat st;
	struct folder f;
	struct td_certs *c, *again;
	struct td_out o;
	uint64_t ends;

	open_folder(&f);
	c = certs_of(&f, ONE, now());
	assert_int_equal(c->n, 1);
	assert_true(is_own(&c->list[0]));
	assert_true(td_tls_can_serve(c->tls));
	td_out_init(&o);
	assert_int_equal(td_cert_read(&o, &ends, c->list[0].certificate), 0);
	for (size_t i = 0; i < TD_ARRAY_LEN(names); i++)
		assert_true(td_tls_names_have(td_out_view(&o), td_str_of(names[i])));
	assert_int_equal(ends, c->list[0].ends_s);
	assert_int_equal(td_cert_fingerprint(fp, c->list[0].certificate), 0);
	assert_memory_equal(fp, c->list[0].fingerprint, sizeof(fp));
	td_out_free(&o);
	snprintf(path, sizeof(path), "%s/tls.key", f.path);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	/* and the same from then on */
	again = certs_of(&f, ONE, now() + 86400 * 365);
	assert_memory_equal(again->list[0].fingerprint, c->list[0].fingerprint, TD_FINGERPRINT);
	td_certs_unref(again);
	td_certs_unref(c);
	close_folder(&f);
}

static void made_anew(void **state)
{
	static const struct {
		const char *yaml;
		const char *remove, *spoil;
		unsigned years;
		bool same;
	} rows[] = {
		{ ONE, NULL, NULL, 0, true },
		{ ONE "workers: 1\n", NULL, NULL, 1, true },
		{ TWO, NULL, NULL, 0, false },
		{ ONE, "tls.crt", NULL, 0, false },
		{ ONE, "tls.key", NULL, 0, false },
		{ ONE, NULL, "tls.crt", 0, false },
		{ ONE, NULL, "tls.key", 0, false },
		{ ONE, NULL, NULL, 10, false },
		{ "domains: [{name: one.test}]\nlisten: ['tls:127.0.0.2']\n", NULL, NULL, 0, true }, /* an address alone */
	};

	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct folder f;
		struct td_certs *c, *again;

		open_folder(&f);
		c = certs_of(&f, ONE, now());
		if (rows[i].remove)
			remove_file(&f, rows[i].remove);
		if (rows[i].spoil)
			write_text(&f, rows[i].spoil, TD_STR("-----BEGIN nothing"));
		again = certs_of(&f, rows[i].yaml, now() + rows[i].years * UINT64_C(31536000));
		assert_int_equal(!memcmp(again->list[0].fingerprint, c->list[0].fingerprint, TD_FINGERPRINT), rows[i].same);
		td_certs_unref(c);
		td_certs_unref(again);
		close_folder(&f);
	}
}

/* However many domains there are, all are named, so that it stays. */
static void many_domains(void **state)
{
	struct td_certs *c, *again;
	struct td_out yaml, names;
	struct folder f;
	uint64_t ends;

	open_folder(&f);
	td_out_init(&yaml);
	td_out_init(&names);
	td_out_z(&yaml, "listen: ['tls:127.0.0.1']\ndomains:\n");
	for (unsigned i = 0; i < 300; i++)
		td_out_fmt(&yaml, "  - {name: d%u.a-rather-long-name-of-a-domain.test}\n", i);
	td_out_char(&yaml, '\0');
	c = certs_of(&f, yaml.p, now());
	again = certs_of(&f, yaml.p, now());
	assert_memory_equal(again->list[0].fingerprint, c->list[0].fingerprint, TD_FINGERPRINT);
	assert_int_equal(td_cert_read(&names, &ends, again->list[0].certificate), 0);
	assert_true(td_tls_names_have(td_out_view(&names), TD_STR("d299.a-rather-long-name-of-a-domain.test")));
	assert_true(td_tls_names_have(td_out_view(&names), TD_STR("127.0.0.1")));
	td_certs_unref(c);
	td_certs_unref(again);
	td_out_free(&yaml);
	td_out_free(&names);
	close_folder(&f);
}

/* 0.0.0.0 is nobody's name. */
static void every_address(void **state)
{
	static const struct {
		const char *name;
		bool named;
	} rows[] = { { "one.test", true }, { "localhost", true }, { "127.0.0.1", true }, { "::1", true },
		     { "0.0.0.0", false }, { "::", false },       { "192.0.2.1", true } };
	struct td_certs *c;
	struct td_out names;
	struct folder f;
	uint64_t ends;

	open_folder(&f);
	td_out_init(&names);
	c = certs_of(&f, "domains: [{name: one.test}]\nlisten: ['tls:0.0.0.0', 'tls:[::]:5062', 'tls:192.0.2.1:5063']\n", now());
	assert_int_equal(td_cert_read(&names, &ends, c->list[0].certificate), 0);
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++)
		assert_int_equal(td_tls_names_have(td_out_view(&names), td_str_of(rows[i].name)), rows[i].named);
	td_certs_unref(c);
	td_out_free(&names);
	close_folder(&f);
}

static void no_folder(void **state)
{
	struct folder f;
	struct td_config *cfg;
	struct td_certs *c;

	open_folder(&f);
	cfg = config_of(&f, ONE);
	close_folder(&f);
	td_out_init(&f.why);
	assert_true(td_certs_open(&c, cfg, NULL, now(), NULL, &f.why) < 0);
	assert_true(f.why.n > 20);
	td_out_free(&f.why);
	td_config_unref(cfg);
}

static void write_cert(struct folder *f, const char *host, const char *certificate, const char *key)
{
	struct cert c;

	cert_for(&c, host);
	write_text(f, certificate, td_out_view(&c.certificate));
	write_text(f, key, td_out_view(&c.key));
	cert_free(&c);
}

static void from_files(void **state)
{
	struct folder f;
	struct td_certs *c;

	open_folder(&f);
	write_cert(&f, "a.test", "a.crt", "a.key");
	write_cert(&f, "b.test", "b.crt", "b.key");
	c = certs_of(
		&f,
		"tls: {certificate: a.crt, key: a.key, domains: [{name: B.test, certificate: b.crt, key: b.key}], ca: a.crt}\n",
		now());
	assert_int_equal(c->n, 2);
	assert_false(is_own(&c->list[0]));
	assert_str(c->list[1].domain, "b.test");
	td_certs_unref(c);
	c = certs_of(&f, "tls: {domains: [{name: b.test, certificate: b.crt, key: b.key}]}\n", now());
	assert_int_equal(c->n, 2);
	assert_true(is_own(&c->list[0])); /* for everybody else */
	td_certs_unref(c);
	close_folder(&f);
}

/* What is wrong with a file is told at the line that names it. */
static void bad_files(void **state)
{
	static const struct {
		const char *yaml, *want;
	} rows[] = {
		{ "tls:\n  certificate: a.crt\n", "t.yaml:2:3: tls: key is missing" },
		{ "tls:\n  key: a.key\n", "tls: certificate is missing" },
		{ "tls:\n  certificate: none.crt\n  key: a.key\n", "t.yaml:2:16: tls.certificate: " },
		{ "tls:\n  certificate: a.crt\n  key: none.key\n", "none.key cannot be read: No such file" },
		{ "tls:\n  certificate: a.crt\n  key: .\n", "cannot be read: no plain file" },
		{ "tls:\n  certificate: a.crt\n  key: b.key\n", "a.crt: the key does not belong to the certificate" },
		{ "tls:\n  certificate: a.key\n  key: a.key\n", "the certificate cannot be read" },
		{ "tls:\n  domains:\n    - {name: c.test, certificate: a.crt, key: a.key}\n", "a.crt does not name c.test" },
		{ "tls:\n  domains:\n    - {certificate: a.crt, key: a.key}\n", "t.yaml:3:7: tls.domains: name is missing" },
		{ "tls:\n  domains:\n    - {name: 'a b', certificate: a.crt, key: a.key}\n", "\"a b\" is no domain" },
		{ "tls:\n  ca: a.key\n", "t.yaml:2:7: tls.ca: " },
		{ "tls:\n  ca: ''\n", "is no file name" },
		{ "tls: {clients: maybe}\n", "\"maybe\" is not known (want ignore, ask or require)" },
		{ "tls: {require_clients: ['tls:127.0.0.1:5061']}\nlisten: ['tls:127.0.0.1:5062']\n", "is not among listen:" },
		{ "tls: {require_clients: ['udp:127.0.0.1:5060']}\nlisten: ['udp:127.0.0.1:5060']\n", "is not among listen:" },
		{ "tls: {cert: a}\n", "there is no key \"cert\" here (want one of certificate, key, domains" },
	};
	struct folder f;
	char name[128];

	open_folder(&f);
	write_cert(&f, "a.test", "a.crt", "a.key");
	write_cert(&f, "b.test", "b.crt", "b.key");
	snprintf(name, sizeof(name), "%s/t.yaml", f.path);
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct td_config *cfg;

		f.why.n = 0;
		assert_int_equal(td_config_parse(&cfg, &f.why, td_str_of(name), td_str_of(rows[i].yaml)), TD_ESYNTAX);
		td_out_char(&f.why, '\0');
		if (!strstr(f.why.p, rows[i].want))
			fail_msg("row %zu: %s", i, f.why.p);
	}
	close_folder(&f);
}

static void clients(void **state)
{
	struct folder f;
	struct td_config *cfg, *back;
	struct td_out o;

	open_folder(&f);
	write_cert(&f, "a.test", "a.crt", "a.key");
	cfg = config_of(
		&f, "listen: ['tls:127.0.0.1:5061', 'tls:127.0.0.1:5062', 'udp:127.0.0.1']\n"
		    "tls: {clients: ask, require_clients: ['tls:127.0.0.1:5062'], ca: a.crt, certificate: a.crt, key: a.key}\n");
	assert_int_equal(cfg->listen[0].clients, TD_TLS_CLIENTS_ASK);
	assert_int_equal(cfg->listen[1].clients, TD_TLS_CLIENTS_REQUIRE);
	assert_int_equal(cfg->listen[2].clients, TD_TLS_CLIENTS_IGNORE);
	/* what is printed reads back to the same */
	td_out_init(&o);
	td_config_print(&o, cfg);
	f.why.n = 0;
	if (td_config_parse(&back, &f.why, TD_STR("p.yaml"), td_out_view(&o)))
		fail_msg("%.*s", TD_FMT(td_out_view(&f.why)));
	for (int i = 0; i < 3; i++)
		assert_int_equal(cfg->listen[i].clients, back->listen[i].clients);
	assert_true(td_str_eq(back->tls.sites[0].certificate, cfg->tls.sites[0].certificate));
	assert_true(td_str_eq(back->tls.ca, cfg->tls.ca));
	td_config_unref(cfg);
	td_config_unref(back);
	td_out_free(&o);
	close_folder(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_start),   cmocka_unit_test(made_anew), cmocka_unit_test(many_domains),
		cmocka_unit_test(every_address), cmocka_unit_test(no_folder), cmocka_unit_test(from_files),
		cmocka_unit_test(bad_files),     cmocka_unit_test(clients),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
