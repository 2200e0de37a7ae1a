/* tandem status, registrations, reload: questions to a running server over its control socket. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "server/control/control.h"

int cli_print_line(void *arg, const json_t *obj)
{
	(void)arg;
	cli_json(json_incref((json_t *)obj));
	return 0;
}

/* Numbers and words by name; nested objects indented. */
static void print_object(const json_t *obj, int depth)
{
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)obj, key, v)
	{
		printf("%*s%-*s ", depth * 2, "", 24 - depth * 2, key);
		if (json_is_object(v)) {
			putchar('\n');
			print_object(v, depth + 1);
		} else if (json_is_string(v)) {
			puts(json_string_value(v));
		} else if (json_is_integer(v)) {
			printf("%" JSON_INTEGER_FORMAT "\n", json_integer_value(v));
		} else {
			char *text = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY);

			puts(text ? text : "");
			free(text);
		}
	}
}

static int print_words(void *arg, const json_t *obj)
{
	(void)arg;
	print_object(obj, 0);
	return 0;
}

/* What few contacts have stands below them. */
static int print_registration(void *arg, const json_t *obj)
{
	static const char *const more[] = { "path", "instance", "reg_id" };
	size_t *n = arg;

	printf("%-32s %-48s %5" JSON_INTEGER_FORMAT "s  %s\n", json_string_value(json_object_get(obj, "aor")),
	       json_string_value(json_object_get(obj, "contact")), json_integer_value(json_object_get(obj, "expires")),
	       json_string_value(json_object_get(obj, "via")));
	for (size_t i = 0; i < TD_ARRAY_LEN(more); i++) {
		const json_t *v = json_object_get(obj, more[i]);

		if (json_is_string(v))
			printf("    %s %s\n", more[i], json_string_value(v));
		else if (v)
			printf("    %s %" JSON_INTEGER_FORMAT "\n", more[i], json_integer_value(v));
	}
	++*n;
	return 0;
}

int cli_ask(const struct cli_command *cmd, const char *config, json_t *request, cli_line_fn *fn, void *arg)
{
	struct td_config *cfg;
	struct td_out why;
	char *path;
	int err;

	if (cli_load_config(&cfg, cmd, config)) {
		json_decref(request);
		return CLI_CONFIG;
	}
	td_out_init(&why);
	path = cli_state_path(cfg, "control.sock");
	err = path && request ? td_control_ask(path, request, fn, arg, &why) : -ENOMEM;
	if (err == TD_ENOTFOUND)
		cli_fail(cmd, CLI_CONFIG,
			 "no server runs with the state folder %.*s (\"tandem serve\" starts one; -c FILE names another)",
			 TD_FMT(cfg->state));
	else if (err)
		cli_fail(cmd, CLI_FAULT, "%.*s", TD_FMT(why.n ? td_out_view(&why) : td_str_of(td_strerror(err))));
	td_out_free(&why);
	json_decref(request);
	free(path);
	td_config_unref(cfg);
	return !err ? CLI_OK : err == TD_ENOTFOUND || err == TD_EDENIED ? CLI_CONFIG : CLI_FAULT;
}

struct remote {
	const char *config;
	bool json;
};

static int options(const struct cli_command *cmd, int argc, char **argv, struct remote *r, int most, bool *done)
{
	struct cli_option list[] = { { "config", 'c', CLI_TEXT, &r->config }, { "json", 0, CLI_FLAG, &r->json }, { 0 } };
	int n = cli_options(cmd, argc, argv, list, done);

	if (n > most)
		return cli_fail(cmd, CLI_USAGE, "too many arguments (try --help)"), -1;
	return n;
}

static int run_status(const struct cli_command *cmd, int argc, char **argv)
{
	struct remote r = { 0 };
	bool done;
	int n = options(cmd, argc, argv, &r, 0, &done);

	if (n < 0 || done)
		return n < 0 ? CLI_USAGE : CLI_OK;
	return cli_ask(cmd, r.config, json_pack("{s:s}", "cmd", "status"), r.json ? cli_print_line : print_words, NULL);
}

static int run_registrations(const struct cli_command *cmd, int argc, char **argv)
{
	struct remote r = { 0 };
	size_t count = 0;
	bool done;
	int n = options(cmd, argc, argv, &r, 1, &done), status;

	if (n < 0 || done)
		return n < 0 ? CLI_USAGE : CLI_OK;
	status = cli_ask(cmd, r.config, json_pack("{s:s,s:s*}", "cmd", "registrations", "aor", n ? argv[1] : NULL),
			 r.json ? cli_print_line : print_registration, &count);
	if (!status && !r.json)
		printf("%zu registered contact%s\n", count, count == 1 ? "" : "s");
	return status;
}

static int run_reload(const struct cli_command *cmd, int argc, char **argv)
{
	struct remote r = { 0 };
	bool done;
	int n = options(cmd, argc, argv, &r, 0, &done);

	if (n < 0 || done)
		return n < 0 ? CLI_USAGE : CLI_OK;
	return cli_ask(cmd, r.config, json_pack("{s:s}", "cmd", "reload"), r.json ? cli_print_line : print_words, NULL);
}

#define REMOTE_HELP                                                                        \
	"  -c, --config FILE     configuration (./tandem.yaml, or the embedded default)\n" \
	"  --json                one JSON object a line\n"

const struct cli_command cli_status = {
	.name = "status",
	.arguments = "[-c FILE] [--json]",
	.summary = "what the running server does: counters, registrations, uptime",
	.help = REMOTE_HELP,
	.run = run_status,
};

const struct cli_command cli_registrations = {
	.name = "registrations",
	.arguments = "[ADDRESS] [-c FILE] [--json]",
	.summary = "who is registered, where, and for how long",
	.help = REMOTE_HELP,
	.run = run_registrations,
};

const struct cli_command cli_reload = {
	.name = "reload",
	.arguments = "[-c FILE] [--json]",
	.summary = "take the configuration and the users anew; a wrong file is refused",
	.help = REMOTE_HELP,
	.run = run_reload,
};
