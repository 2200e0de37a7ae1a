/*
 * tandem user add|list|passwd|remove|import: who may register. Writes to the store itself, whether a server runs or not; a
 * running one is told afterwards and takes the change without a restart. Passwords are never kept: HA1 values are.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/cli.h"
#include "server/control/control.h"
#include "server/store/store.h"

enum { PASSWORD_LEN = 20, IMPORT_BATCH = 10000 };

struct user_run {
	const struct cli_command *cmd;
	struct td_config *cfg;
	struct td_store *store;
	const char *config, *extension;
	FILE *file; /* of import */
	bool password_stdin, json;
	struct td_rng rng;
};

/* An address as people type it ("alice", "alice@example.test", "sip:alice@example.test") as its AOR and its domain. */
static int read_address(struct user_run *u, const char *text, struct td_out *aor, struct td_str *user, struct td_str *domain)
{
	struct td_str s = td_str_of(text);
	struct td_out full;
	struct td_uri uri;
	const char *at;
	int err;

	td_out_init(&full);
	if (!td_str_istarts(s, TD_STR("sip:")) && !td_str_istarts(s, TD_STR("sips:")))
		td_out_z(&full, "sip:");
	td_out_str(&full, s);
	if (!td_str_chr(s, '@'))
		td_out_fmt(&full, "@%.*s", TD_FMT(u->cfg->domains[0].name));
	err = full.failed ? -ENOMEM : td_uri_parse(&uri, td_out_view(&full));
	/* What a URI can say beyond an address is no part of one: "eve:secret" must not make a user "eve". */
	if (!err && (!uri.user.n || uri.scheme != TD_SCHEME_SIP || uri.password.p || uri.port || uri.params.n || uri.headers.n))
		err = TD_ESYNTAX;
	if (!err)
		err = td_uri_aor(aor, &uri);
	td_out_free(&full);
	if (err)
		return cli_fail(u->cmd, err == -ENOMEM ? CLI_FAULT : CLI_USAGE, "\"%s\" is no address (want NAME or NAME@DOMAIN)",
				text);
	at = memrchr(aor->p, '@', aor->n);
	if (!at)
		return cli_fail(u->cmd, CLI_USAGE, "\"%s\" is no address (want NAME or NAME@DOMAIN)", text);
	*user = td_str_n(aor->p, (size_t)(at - aor->p));
	*domain = td_str_n(at + 1, aor->n - user->n - 1);
	if (!td_config_domain(u->cfg, *domain))
		return cli_fail(u->cmd, CLI_CONFIG, "\"%.*s\" is none of this server's domains (the first is \"%.*s\")",
				TD_FMT(*domain), TD_FMT(u->cfg->domains[0].name));
	return CLI_OK;
}

static int make_secrets(struct td_store_user *out, struct td_str user, struct td_str domain, struct td_str password)
{
	unsigned alg;
	int err;

	for (alg = 0; alg < TD_DIGEST_ALGS; alg++) {
		err = td_ha1_make(&out->ha1[alg], alg, user, domain, password);
		if (err)
			return err;
		out->has[alg] = true;
	}
	return 0;
}

/* One line of standard input, without its end; or 20 random characters. */
static int get_password(struct user_run *u, char **out, bool *generated)
{
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;

	*generated = !u->password_stdin;
	if (*generated) {
		line = calloc(1, PASSWORD_LEN + 1);
		if (!line)
			return -ENOMEM;
		td_rng_token(&u->rng, line, PASSWORD_LEN);
		*out = line;
		return 0;
	}
	n = getline(&line, &cap, stdin);
	while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r'))
		line[--n] = '\0';
	if (n <= 0) {
		free(line);
		return TD_ESYNTAX;
	}
	*out = line;
	return 0;
}

/* Tells a running server which user changed (empty: all of them). That none runs is no error. */
static int tell_server(struct user_run *u, struct td_str aor)
{
	char *path = cli_state_path(u->cfg, "control.sock");
	json_t *q = aor.n ? json_pack("{s:s,s:o}", "cmd", "user", "aor", cli_text(aor)) : json_pack("{s:s}", "cmd", "users");
	struct td_out why;
	int err;

	td_out_init(&why);
	err = path && q ? td_control_ask(path, q, NULL, NULL, &why) : -ENOMEM;
	if (err && err != TD_ENOTFOUND)
		err = cli_fail(u->cmd, CLI_FAULT,
			       "stored, but the running server did not take it: %.*s (\"tandem reload\" makes it)",
			       TD_FMT(why.n ? td_out_view(&why) : td_str_of(td_strerror(err))));
	else
		err = 0;
	td_out_free(&why);
	json_decref(q);
	free(path);
	return err;
}

struct found_user {
	char extension[64];
};

static int keep_extension(void *arg, const struct td_store_user *row)
{
	struct found_user *f = arg;

	snprintf(f->extension, sizeof(f->extension), "%.*s", TD_FMT(row->extension));
	return 0;
}

static void print_password(struct user_run *u, struct td_str aor, const char *password, bool generated, const char *what)
{
	if (u->json)
		cli_json(json_pack("{s:o,s:s,s:s*}", "user", cli_text(aor), "done", what, "password",
				   generated ? password : NULL));
	else if (generated)
		printf("%s %.*s\npassword: %s   (shown once; only a digest of it is kept)\n", what, TD_FMT(aor), password);
	else
		printf("%s %.*s\n", what, TD_FMT(aor));
}

static bool extension_ok(const char *z)
{
	struct td_str s = td_str_of(z);
	uint64_t v;

	return s.n >= 1 && s.n <= 15 && td_str_u64(&v, s, UINT64_MAX) == 0;
}

/* Is there such a user, as there must be (passwd) or must not (add)? */
static int check_presence(struct user_run *u, struct found_user *found, struct td_str aor, bool is_new)
{
	int err = td_store_find_user(u->store, aor, keep_extension, found);

	if (err && err != TD_ENOTFOUND)
		return cli_fail(u->cmd, CLI_FAULT, "the store cannot be read: %s", td_strerror(err));
	if (is_new && !err)
		return cli_fail(u->cmd, CLI_REFUSED, "%.*s is there already (\"tandem user passwd\" gives a new password)",
				TD_FMT(aor));
	if (!is_new && err)
		return cli_fail(u->cmd, CLI_REFUSED, "there is no user %.*s (\"tandem user add\" makes one)", TD_FMT(aor));
	return CLI_OK;
}

/* A password read or made; the caller wipes and frees it. */
static int choose_password(struct user_run *u, char **out, bool *generated, struct td_str user)
{
	int err = get_password(u, out, generated);

	if (err == TD_ESYNTAX)
		return cli_fail(u->cmd, CLI_USAGE, "no password came on standard input");
	if (err)
		return cli_fail(u->cmd, CLI_FAULT, "%s", td_strerror(err));
	if (!*generated && (strlen(*out) < 8 || td_str_eq(td_str_of(*out), user)))
		return cli_fail(u->cmd, CLI_USAGE,
				"that password is too weak (at least 8 characters, not the name; without --password-stdin a "
				"good one is made)");
	return CLI_OK;
}

static int store_user(struct user_run *u, struct td_store_user *row, struct td_str user, struct td_str domain,
		      const char *password)
{
	int err = make_secrets(row, user, domain, td_str_of(password));

	if (!err)
		err = td_store_put_user(u->store, row);
	explicit_bzero(row->ha1, sizeof(row->ha1));
	if (err == TD_EEXIST)
		return cli_fail(u->cmd, CLI_REFUSED, "another user of %.*s has the extension %.*s", TD_FMT(domain),
				TD_FMT(row->extension));
	return err ? cli_fail(u->cmd, CLI_FAULT, "the user was not stored: %s", td_strerror(err)) : CLI_OK;
}

static int put_user(struct user_run *u, const char *address, bool is_new)
{
	struct td_store_user row = { 0 };
	struct found_user found = { 0 };
	struct td_str user, domain;
	struct td_out aor;
	char *password = NULL;
	bool generated = false;
	int status;

	if (u->extension && !extension_ok(u->extension))
		return cli_fail(u->cmd, CLI_USAGE, "\"%s\" is no extension (want 1 to 15 digits)", u->extension);
	td_out_init(&aor);
	status = read_address(u, address, &aor, &user, &domain);
	row.aor = td_out_view(&aor);
	if (!status)
		status = check_presence(u, &found, row.aor, is_new);
	row.extension = td_str_of(u->extension ? u->extension : found.extension);
	if (!status)
		status = choose_password(u, &password, &generated, user);
	if (!status)
		status = store_user(u, &row, user, domain, password);
	if (!status) {
		print_password(u, row.aor, password, generated, is_new ? "added" : "changed");
		status = tell_server(u, row.aor);
	}
	if (password)
		explicit_bzero(password, strlen(password));
	free(password);
	td_out_free(&aor);
	return status;
}

static int remove_user(struct user_run *u, const char *address)
{
	struct td_str user, domain;
	struct td_out aor;
	int err, status;

	td_out_init(&aor);
	status = read_address(u, address, &aor, &user, &domain);
	if (!status) {
		err = td_store_remove_user(u->store, td_out_view(&aor));
		if (err == TD_ENOTFOUND)
			status = cli_fail(u->cmd, CLI_REFUSED, "there is no user %.*s", TD_FMT(td_out_view(&aor)));
		else if (err)
			status = cli_fail(u->cmd, CLI_FAULT, "the user was not removed: %s", td_strerror(err));
	}
	if (!status) {
		print_password(u, td_out_view(&aor), NULL, false, "removed");
		status = tell_server(u, td_out_view(&aor));
	}
	td_out_free(&aor);
	return status;
}

static int print_user(void *arg, const struct td_store_user *row)
{
	struct user_run *u = arg;

	if (u->json)
		cli_json(json_pack("{s:o,s:o}", "user", cli_text(row->aor), "extension", cli_text(row->extension)));
	else if (row->extension.n)
		printf("%-40.*s extension %.*s\n", TD_FMT(row->aor), TD_FMT(row->extension));
	else
		printf("%.*s\n", TD_FMT(row->aor));
	return 0;
}

static int list_users(struct user_run *u)
{
	int err = td_store_each_user(u->store, print_user, u);

	return err ? cli_fail(u->cmd, CLI_FAULT, "the store cannot be read: %s", td_strerror(err)) : CLI_OK;
}

/* ---- import: "user,password" lines ---- */

struct import {
	struct td_store_user rows[IMPORT_BATCH];
	struct td_out texts; /* the AORs of the batch, one behind the other */
	size_t at[IMPORT_BATCH];
	size_t n, total;
};

static int import_flush(struct user_run *u, struct import *im)
{
	size_t i, end;
	int err;

	if (im->texts.failed)
		return -ENOMEM;
	for (i = 0; i < im->n; i++) {
		end = i + 1 < im->n ? im->at[i + 1] : im->texts.n;
		im->rows[i].aor = td_str_n(im->texts.p + im->at[i], end - im->at[i]);
	}
	err = im->n ? td_store_put_users(u->store, im->rows, im->n) : 0;
	if (!err)
		im->total += im->n;
	im->n = 0;
	im->texts.n = 0;
	return err;
}

static int import_line(struct user_run *u, struct import *im, struct td_str line, const char *file, size_t number)
{
	struct td_str name = td_str_split(&line, ','), user, domain;
	char address[512];
	struct td_out aor;
	int err, status;

	if (!name.n || !line.n || name.n >= sizeof(address))
		return cli_fail(u->cmd, CLI_USAGE, "%s:%zu: want \"user,password\"", file, number);
	snprintf(address, sizeof(address), "%.*s", TD_FMT(name));
	td_out_init(&aor);
	status = read_address(u, address, &aor, &user, &domain);
	if (!status) {
		im->rows[im->n] = (struct td_store_user){ 0 };
		err = make_secrets(&im->rows[im->n], user, domain, line);
		im->at[im->n] = im->texts.n;
		td_out_str(&im->texts, td_out_view(&aor));
		im->n++;
		if (!err && im->n == IMPORT_BATCH)
			err = import_flush(u, im);
		if (err)
			status = cli_fail(u->cmd, CLI_FAULT, "%s:%zu: %s", file, number, td_strerror(err));
	}
	td_out_free(&aor);
	return status;
}

/* All lines of f; what could not be read ends it. */
static int import_lines(struct user_run *u, struct import *im, FILE *f, const char *file)
{
	char *line = NULL;
	size_t cap = 0, number = 0;
	int status = CLI_OK, err;
	ssize_t n;

	while (!status && (n = getline(&line, &cap, f)) > 0) {
		number++;
		while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r'))
			n--;
		if (n)
			status = import_line(u, im, td_str_n(line, (size_t)n), file, number);
		if (number % IMPORT_BATCH == 0 && isatty(STDERR_FILENO))
			fprintf(stderr, "\r%zu users", number);
	}
	err = !status && ferror(f) ? -errno : 0;
	if (isatty(STDERR_FILENO) && number >= IMPORT_BATCH)
		fputs("\r", stderr);
	if (err)
		status = cli_fail(u->cmd, CLI_USAGE, "%s: %s", file, td_strerror(err));
	if (line)
		explicit_bzero(line, cap);
	free(line);
	return status;
}

/* The lines before a bad one are taken, and said to be: an import that is mended and repeated changes nothing twice. */
static int import_file(struct user_run *u, const char *file)
{
	struct import *im = calloc(1, sizeof(*im));
	int status, err;

	if (!im)
		return cli_fail(u->cmd, CLI_FAULT, "out of memory");
	td_out_init(&im->texts);
	status = import_lines(u, im, u->file, file);
	err = status == CLI_FAULT ? 0 : import_flush(u, im);
	if (err)
		status = cli_fail(u->cmd, CLI_FAULT, "%s: %s", file, td_strerror(err));
	if (u->json)
		cli_json(json_pack("{s:I}", "imported", (json_int_t)im->total));
	else
		printf("imported %zu user%s\n", im->total, im->total == 1 ? "" : "s");
	if (im->total) {
		err = tell_server(u, TD_STR_NULL);
		status = status ? status : err;
	}
	td_out_free(&im->texts);
	explicit_bzero(im, sizeof(*im));
	free(im);
	return status;
}

/* Before the store, for which root becomes the configuration's user: the file is whose the command is. */
static int open_import(struct user_run *u, const char *what, const char *file)
{
	if (!td_str_eq(td_str_of(what), TD_STR("import")))
		return CLI_OK;
	u->file = strcmp(file, "-") ? fopen(file, "re") : stdin;
	return u->file ? CLI_OK : cli_fail(u->cmd, CLI_USAGE, "%s: %s", file, td_strerror(-errno));
}

static int dispatch(struct user_run *u, int n, char **argv)
{
	struct td_str what = td_str_of(argv[1]);

	if (td_str_eq(what, TD_STR("list")) && n == 1)
		return list_users(u);
	if (n != 2)
		return cli_fail(u->cmd, CLI_USAGE,
				"want add, passwd or remove with one ADDRESS, import with a FILE, or list (try --help)");
	if (td_str_eq(what, TD_STR("add")))
		return put_user(u, argv[2], true);
	if (td_str_eq(what, TD_STR("passwd")))
		return put_user(u, argv[2], false);
	if (td_str_eq(what, TD_STR("remove")))
		return remove_user(u, argv[2]);
	if (td_str_eq(what, TD_STR("import")))
		return import_file(u, argv[2]);
	return cli_fail(u->cmd, CLI_USAGE, "\"%s\"? want add, list, passwd, remove or import", argv[1]);
}

static int run(const struct cli_command *cmd, int argc, char **argv)
{
	struct user_run u = { .cmd = cmd };
	struct cli_option options[] = {
		{ "config", 'c', CLI_TEXT, &u.config },
		{ "password-stdin", 0, CLI_FLAG, &u.password_stdin },
		{ "extension", 0, CLI_TEXT, &u.extension },
		{ "json", 0, CLI_FLAG, &u.json },
		{ 0 },
	};
	bool done;
	int n = cli_options(cmd, argc, argv, options, &done), status;

	if (n < 0 || done)
		return n < 0 ? CLI_USAGE : CLI_OK;
	if (n < 1)
		return cli_fail(cmd, CLI_USAGE, "want add, list, passwd, remove or import (try --help)");
	if (cli_load_config(&u.cfg, cmd, u.config))
		return CLI_CONFIG;
	td_rng_init(&u.rng);
	status = n == 2 ? open_import(&u, argv[1], argv[2]) : CLI_OK;
	if (!status)
		status = cli_open_store(&u.store, cmd, u.cfg);
	if (!status) {
		status = dispatch(&u, n, argv);
		td_store_close(u.store);
	}
	if (u.file && u.file != stdin)
		fclose(u.file);
	td_config_unref(u.cfg);
	return status;
}

const struct cli_command cli_user = {
	.name = "user",
	.arguments = "add|list|passwd|remove|import [ADDRESS|FILE] [options]",
	.summary = "who may register: add, list, passwd, remove, import",
	.help = "  add ADDRESS           a new user; prints a password made for it\n"
		"  passwd ADDRESS        a new password\n"
		"  remove ADDRESS\n"
		"  list\n"
		"  import FILE.csv       \"user,password\" lines; - is standard input\n"
		"  -c, --config FILE     configuration (./tandem.yaml, or the embedded default)\n"
		"  --password-stdin      read the password from standard input instead of making one\n"
		"  --extension N         the digits this user is dialled by\n"
		"  --json                one JSON object a line\n",
	.run = run,
};
