/*
 * tandem calls: those under way, asked of the running server; or the records of those that ended, read from the store, whether a
 * server runs or not.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "cli/cli.h"
#include "server/store/store.h"

struct calls_run {
	bool json;
	uint64_t now_ms;
	size_t n;
};

/* Texts of others, as wide as the column at least. */
static void print_column(struct td_str s, int width)
{
	struct td_out o;

	td_out_init(&o);
	cli_put_shown(&o, s);
	printf("%-*.*s ", width, TD_FMT(td_out_view(&o)));
	td_out_free(&o);
}

/* "1:02:03", from a to b; a 0: it never began. */
static void print_span(uint64_t a_ms, uint64_t b_ms)
{
	uint64_t s = a_ms && b_ms > a_ms ? (b_ms - a_ms) / 1000 : 0;

	printf("%3" PRIu64 ":%02" PRIu64 ":%02" PRIu64 " ", s / 3600, s / 60 % 60, s % 60);
}

static int print_call(void *arg, const json_t *obj)
{
	struct calls_run *r = arg;
	uint64_t answer_ms = cli_number(obj, "answer_ms");

	r->n++;
	print_column(cli_member(obj, "state"), 8);
	print_span(answer_ms ? answer_ms : cli_number(obj, "start_ms"), r->now_ms);
	print_column(cli_member(obj, "caller"), 28);
	print_column(cli_member(obj, "callee"), 28);
	cli_show(cli_member(obj, "call_id"));
	putchar('\n');
	return 0;
}

static int list_now(const struct cli_command *cmd, const char *config, struct calls_run *r)
{
	int status = cli_ask(cmd, config, json_pack("{s:s}", "cmd", "calls"), r->json ? cli_print_line : print_call, r);

	if (!status && !r->json)
		printf("%zu call%s\n", r->n, r->n == 1 ? "" : "s");
	return status;
}

/* ---- records ---- */

static json_t *time_json(uint64_t ms)
{
	return ms ? json_integer((json_int_t)ms) : json_null();
}

static void print_json_record(const struct td_store_call *c)
{
	char id[17];

	snprintf(id, sizeof(id), "%016" PRIx64, c->id);
	cli_json(json_pack("{s:s,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:I,s:o}", "id", id, "caller", cli_text(c->caller), "callee",
			   cli_text(c->callee), "call_id", cli_text(c->call_id), "start_ms", time_json(c->start_ms), "ring_ms",
			   time_json(c->ring_ms), "answer_ms", time_json(c->answer_ms), "end_ms", time_json(c->end_ms), "status",
			   (json_int_t)c->status, "ended_by", cli_text(c->ended_by)));
}

static int print_record(void *arg, const struct td_store_call *c)
{
	struct calls_run *r = arg;
	time_t start = (time_t)(c->start_ms / 1000);
	char when[32];
	struct tm tm;

	r->n++;
	if (r->json) {
		print_json_record(c);
		return 0;
	}
	if (!gmtime_r(&start, &tm) || !strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%SZ", &tm))
		snprintf(when, sizeof(when), "?");
	printf("%s ", when);
	print_span(c->answer_ms, c->end_ms);
	print_column(c->caller, 28);
	print_column(c->callee, 28);
	printf("%3u ", c->status);
	print_column(c->ended_by, 7);
	cli_show(c->call_id);
	putchar('\n');
	return 0;
}

static int list_ended(const struct cli_command *cmd, const char *config, struct calls_run *r, uint32_t last)
{
	struct td_config *cfg;
	struct td_store *store;
	int status, err;

	if (cli_load_config(&cfg, cmd, config))
		return CLI_CONFIG;
	status = cli_open_store(&store, cmd, cfg);
	td_config_unref(cfg);
	if (status)
		return status;
	err = td_store_each_call(store, last, print_record, r);
	td_store_close(store);
	if (err)
		return cli_fail(cmd, CLI_FAULT, "the store cannot be read: %s", td_strerror(err));
	if (!r->json)
		printf("%zu call%s\n", r->n, r->n == 1 ? "" : "s");
	return CLI_OK;
}

static int run(const struct cli_command *cmd, int argc, char **argv)
{
	struct calls_run r = { .now_ms = (uint64_t)time(NULL) * 1000 };
	const char *config = NULL;
	bool done, ended = false;
	uint32_t last = 0;
	struct cli_option options[] = {
		{ "config", 'c', CLI_TEXT, &config },
		{ "json", 0, CLI_FLAG, &r.json },
		{ "ended", 0, CLI_FLAG, &ended },
		{ "last", 0, CLI_NUMBER, &last },
		{ 0 },
	};
	int n = cli_options(cmd, argc, argv, options, &done);

	if (n < 0 || done)
		return n < 0 ? CLI_USAGE : CLI_OK;
	if (n > 0)
		return cli_fail(cmd, CLI_USAGE, "too many arguments (try --help)");
	if (last && !ended)
		return cli_fail(cmd, CLI_USAGE, "--last goes with --ended");
	return ended ? list_ended(cmd, config, &r, last) : list_now(cmd, config, &r);
}

const struct cli_command cli_calls = {
	.name = "calls",
	.arguments = "[--ended [--last N]] [-c FILE] [--json]",
	.summary = "the calls under way; or the records of those that ended",
	.help = "  --ended               records of calls that ended, newest first; the server need not run\n"
		"  --last N              with --ended: only so many (all)\n"
		"  -c, --config FILE     configuration (./tandem.yaml, or the embedded default)\n"
		"  --json                one JSON object a line\n",
	.run = run,
};
