/* tandem why: what became of a call, in words, asked of the running server. */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "cli/cli.h"

static void print_head(const json_t *story)
{
	time_t start = (time_t)(cli_number(story, "start_ms") / 1000);
	char when[32];
	struct tm tm;

	if (!localtime_r(&start, &tm) || !strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm))
		snprintf(when, sizeof(when), "?");
	printf("%s  ", when);
	cli_show(cli_member(story, "method"));
	if (cli_member(story, "caller").n) {
		fputs(" from ", stdout);
		cli_show(cli_member(story, "caller"));
		fputs(" for ", stdout);
		cli_show(cli_member(story, "callee"));
	}
	fputs("  (Call-ID ", stdout);
	cli_show(cli_member(story, "call_id"));
	puts(")\n");
}

static int print_story(void *arg, const json_t *story)
{
	uint64_t start_ms = cli_number(story, "start_ms");
	size_t i;
	json_t *step;
	bool *any = arg;

	*any = true;
	print_head(story);
	cli_show(cli_member(story, "what"));
	putchar('\n');
	if (cli_member(story, "remedy").n) {
		fputs("What to do: ", stdout);
		cli_show(cli_member(story, "remedy"));
		puts(".");
	}
	putchar('\n');
	json_array_foreach(json_object_get(story, "steps"), i, step)
	{
		uint64_t ms = cli_number(step, "ms") - start_ms;

		printf("%6" PRIu64 ".%03u s  %s", ms / 1000, (unsigned)(ms % 1000), json_object_get(step, "note") ? "  " : "");
		cli_show(cli_member(step, "text"));
		putchar('\n');
	}
	return 0;
}

static int print_json(void *arg, const json_t *story)
{
	*(bool *)arg = true;
	return cli_print_line(NULL, story);
}

static int run(const struct cli_command *cmd, int argc, char **argv)
{
	const char *config = NULL;
	bool json = false, done, any = false;
	struct cli_option options[] = { { "config", 'c', CLI_TEXT, &config }, { "json", 0, CLI_FLAG, &json }, { 0 } };
	int n = cli_options(cmd, argc, argv, options, &done), status;
	const char *which = n > 0 ? argv[1] : "last";

	if (n < 0 || done)
		return n < 0 ? CLI_USAGE : CLI_OK;
	if (n > 1)
		return cli_fail(cmd, CLI_USAGE, "too many arguments (try --help)");
	status = cli_ask(cmd, config, json_pack("{s:s,s:o}", "cmd", "why", "call", cli_text(td_str_of(which))),
			 json ? print_json : print_story, &any);
	if (!status && !any)
		return cli_fail(cmd, CLI_REFUSED, "nothing is known of \"%s\" any more, or yet (only what happened last is kept)",
				which);
	return status;
}

const struct cli_command cli_why = {
	.name = "why",
	.arguments = "[last|CALL-ID|USER|IP] [-c FILE] [--json]",
	.summary = "what became of a call or registration, why, and what to do",
	.help = "  last                  the last call, or the last request that went wrong (default)\n"
		"  CALL-ID               that one (\"tandem calls\" and logs show it)\n"
		"  USER                  the last of this user: a name, a number, or an address\n"
		"  IP                    the last that came from this IP address\n"
		"  -c, --config FILE     configuration (./tandem.yaml, or the embedded default)\n"
		"  --json                one JSON object\n",
	.run = run,
};
