/* Reading a command line, and the few things every command says in the same way. */
#include <stdarg.h>
#include <stdio.h>

#include "cli/cli.h"

void cli_print_help(const struct cli_command *cmd)
{
	printf("usage: tandem %s %s\n%s\n", cmd->name, cmd->arguments, cmd->summary);
	if (cmd->help)
		printf("\n%s", cmd->help);
	puts("\nexit status: 0 done; 1 usage; 2 configuration; 3 refused; 4 no answer; 5 our fault");
}

int cli_fail(const struct cli_command *cmd, enum cli_exit status, const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fprintf(stderr, "tandem %s: ", cmd->name);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return status;
}

void cli_json(json_t *obj)
{
	json_dumpf(obj, stdout, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_PRESERVE_ORDER);
	fputc('\n', stdout);
	fflush(stdout);
	json_decref(obj);
}

static const struct cli_option *find_long(const struct cli_option *options, struct td_str name)
{
	for (; options->name; options++)
		if (td_str_eq(name, td_str_of(options->name)))
			return options;
	return NULL;
}

static const struct cli_option *find_short(const struct cli_option *options, const char *arg)
{
	for (; options->name; options++)
		if (options->letter && arg[1] == options->letter && !arg[2])
			return options;
	return NULL;
}

static int store_value(const struct cli_command *cmd, const struct cli_option *o, const char *value)
{
	uint32_t n;

	if (!value)
		return cli_fail(cmd, CLI_USAGE, "--%s wants a value (try --help)", o->name), -1;
	if (o->kind == CLI_TEXT) {
		*(const char **)o->out = value;
		return 0;
	}
	if (td_str_u32(&n, td_str_of(value)))
		return cli_fail(cmd, CLI_USAGE, "--%s wants a number, not \"%s\"", o->name, value), -1;
	*(uint32_t *)o->out = n;
	return 0;
}

int cli_options(const struct cli_command *cmd, int argc, char **argv, const struct cli_option *options, bool *done)
{
	const struct cli_option *o;
	struct td_str rest, name;
	bool ended = false;
	int i, left = 0;

	*done = false;
	for (i = 1; i < argc; i++) {
		if (ended || argv[i][0] != '-' || !argv[i][1]) {
			argv[++left] = argv[i];
			continue;
		}
		rest = td_str_of(argv[i]);
		if (td_str_eq(rest, TD_STR("--"))) {
			ended = true;
			continue;
		}
		if (td_str_eq(rest, TD_STR("--help")) || td_str_eq(rest, TD_STR("-h"))) {
			cli_print_help(cmd);
			*done = true;
			return 0;
		}
		if (argv[i][1] == '-') {
			rest = td_str_n(rest.p + 2, rest.n - 2);
			name = td_str_split(&rest, '=');
			o = find_long(options, name);
		} else {
			rest = TD_STR_NULL;
			o = find_short(options, argv[i]);
		}
		if (!o)
			return cli_fail(cmd, CLI_USAGE, "there is no option \"%s\" (try --help)", argv[i]), -1;
		if (o->kind == CLI_FLAG) {
			if (rest.p)
				return cli_fail(cmd, CLI_USAGE, "--%s takes no value", o->name), -1;
			*(bool *)o->out = true;
		} else if (store_value(cmd, o, rest.p ? rest.p : i + 1 < argc ? argv[++i] : NULL)) {
			return -1;
		}
	}
	return left;
}
