/* tandem bans: which sources the running server does not listen to, why and for how long; and how to let one in again. */
#include <stdio.h>

#include "cli/cli.h"

struct bans_run {
	bool json, removed;
	size_t n;
};

static void print_reason(const json_t *obj)
{
	struct td_str why = cli_member(obj, "why");

	if (td_str_eq(why, TD_STR("passwords")))
		printf("guessed %u passwords", (unsigned)cli_number(obj, "offences"));
	else if (td_str_eq(why, TD_STR("probing")))
		fputs("asked for much and never said who it is", stdout);
	else
		fputs("sent what is no SIP", stdout);
}

static int print_ban(void *arg, const json_t *obj)
{
	struct bans_run *r = arg;
	unsigned left = (unsigned)cli_number(obj, "left_s"), times = (unsigned)cli_number(obj, "times");

	r->n++;
	if (r->json)
		return cli_print_line(NULL, obj);
	printf("%-40s ", cli_member(obj, "source").p);
	if (r->removed)
		fputs("is let in again; it ", stdout);
	else
		printf("for %u:%02u:%02u more: it ", left / 3600, left / 60 % 60, left % 60);
	print_reason(obj);
	if (times > 1)
		printf(" (its %u%s ban)", times, times == 2 ? "nd" : times == 3 ? "rd" : "th");
	putchar('\n');
	return 0;
}

static int run(const struct cli_command *cmd, int argc, char **argv)
{
	struct bans_run r = { 0 };
	const char *config = NULL;
	bool done;
	struct cli_option options[] = { { "config", 'c', CLI_TEXT, &config }, { "json", 0, CLI_FLAG, &r.json }, { 0 } };
	int n = cli_options(cmd, argc, argv, options, &done), status;
	struct td_addr source;

	if (n < 0 || done)
		return n < 0 ? CLI_USAGE : CLI_OK;
	r.removed = n > 0 && td_str_eq(td_str_of(argv[1]), TD_STR("remove"));
	if (n != (r.removed ? 2 : 0))
		return cli_fail(cmd, CLI_USAGE, "want nothing, or \"remove ADDRESS\" (try --help)");
	if (r.removed && td_ip_parse(&source, td_str_of(argv[2])))
		return cli_fail(cmd, CLI_USAGE, "\"%s\" is no address (want one like 192.0.2.7 or 2001:db8::7)", argv[2]);
	status =
		cli_ask(cmd, config, json_pack("{s:s,s:s*}", "cmd", "bans", "remove", r.removed ? argv[2] : NULL), print_ban, &r);
	if (!status && r.removed && !r.n)
		return cli_fail(cmd, CLI_REFUSED, "%s is not banned (\"tandem bans\" shows who is)", argv[2]);
	if (!status && !r.removed && !r.json)
		printf("%zu banned\n", r.n);
	return status;
}

const struct cli_command cli_bans = {
	.name = "bans",
	.arguments = "[remove ADDRESS] [-c FILE] [--json]",
	.summary = "who is not listened to any more, why and how long; remove lets one in",
	.help = "  remove ADDRESS        ends the ban on that address, and forgets what it was for\n"
		"  -c, --config FILE     configuration (./tandem.yaml, or the embedded default)\n"
		"  --json                one JSON object a line\n",
	.run = run,
};
