/* tandem trace: messages as they come and go, drawn as a ladder, as JSON lines, or into a file for Wireshark. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/ladder.h"
#include "server/trace/trace.h"

struct watch {
	struct ladder ladder;
	FILE *file; /* --save */
	bool json;
	size_t n;
	int failed; /* -errno of writing */
};

static int flush_to(struct watch *w, struct td_out *o)
{
	if (o->failed)
		w->failed = -ENOMEM;
	else if (fwrite(o->p, 1, o->n, w->file) != o->n || fflush(w->file))
		w->failed = errno ? -errno : -EIO;
	td_out_free(o);
	return w->failed;
}

static int save(struct watch *w, const json_t *event)
{
	bool in = td_str_eq(cli_member(event, "kind"), TD_STR("in"));
	struct td_addr peer, local;
	struct td_out o, bytes;

	if ((!in && !td_str_eq(cli_member(event, "kind"), TD_STR("out"))) || td_addr_parse(&peer, cli_member(event, "peer")) ||
	    td_addr_parse(&local, cli_member(event, "local")) || peer.family != local.family)
		return 0;
	td_out_init(&o);
	td_out_init(&bytes);
	if (!td_base64_decode(&bytes, cli_member(event, "bytes")))
		td_pcapng_packet(&o, cli_number(event, "us"), in ? &peer : &local, in ? &local : &peer, td_out_view(&bytes),
				 cli_member(event, "transport"));
	td_out_free(&bytes);
	w->n++;
	return flush_to(w, &o);
}

static int on_event(void *arg, const json_t *event)
{
	struct watch *w = arg;

	if (td_str_eq(cli_member(event, "kind"), TD_STR("watching")) && !w->json) {
		if (isatty(STDERR_FILENO))
			fputs("watching; Ctrl-C ends it\n", stderr);
		return 0;
	}
	if (w->file)
		return save(w, event);
	if (w->json)
		return cli_print_line(NULL, event);
	ladder_draw(&w->ladder, event);
	return 0;
}

static int open_file(struct watch *w, const struct cli_command *cmd, const char *path)
{
	struct td_out head;

	w->file = fopen(path, "wb");
	if (!w->file)
		return cli_fail(cmd, CLI_USAGE, "%s: %s", path, td_strerror(-errno));
	td_out_init(&head);
	td_pcapng_head(&head);
	if (flush_to(w, &head))
		return cli_fail(cmd, CLI_FAULT, "%s: %s", path, td_strerror(w->failed));
	return CLI_OK;
}

/* The words as one text with blanks between them; a blank cannot be in what is looked for. */
static json_t *filter_of(int n, char **argv)
{
	struct td_out o;
	json_t *filter;

	td_out_init(&o);
	for (int i = 1; i <= n; i++) {
		td_out_z(&o, argv[i]);
		td_out_char(&o, ' ');
	}
	filter = cli_text(td_out_view(&o));
	td_out_free(&o);
	return filter;
}

static int run(const struct cli_command *cmd, int argc, char **argv)
{
	const char *config = NULL, *path = NULL;
	struct watch w = { .json = false };
	bool done, past = false;
	struct cli_option options[] = {
		{ "config", 'c', CLI_TEXT, &config },
		{ "json", 0, CLI_FLAG, &w.json },
		{ "past", 0, CLI_FLAG, &past },
		{ "save", 0, CLI_TEXT, &path },
		{ 0 },
	};
	int n = cli_options(cmd, argc, argv, options, &done), status;

	if (n < 0 || done)
		return n < 0 ? CLI_USAGE : CLI_OK;
	if (path && w.json)
		return cli_fail(cmd, CLI_USAGE, "--json and --save do not go together");
	status = path ? open_file(&w, cmd, path) : CLI_OK;
	if (!status)
		status = cli_ask(cmd, config,
				 json_pack("{s:s,s:o,s:b,s:b,s:b}", "cmd", "trace", "filter", filter_of(n, argv), "past", past,
					   "text", w.json, "bytes", path != NULL),
				 on_event, &w);
	if (w.file && fclose(w.file) && !w.failed)
		w.failed = -errno;
	if (w.failed)
		status = cli_fail(cmd, CLI_FAULT, "%s: %s", path, td_strerror(w.failed));
	else if (path && !status)
		printf("%zu message%s saved\n", w.n, w.n == 1 ? "" : "s");
	ladder_free(&w.ladder);
	return status;
}

const struct cli_command cli_trace = {
	.name = "trace",
	.arguments = "[FILTER ...] [--past] [--save FILE] [-c FILE] [--json]",
	.summary = "messages and decisions as they happen, drawn as a ladder",
	.help = "  FILTER                a user, a Call-ID, a status (486, 4xx), an address or a method: calls that fit all of "
		"them\n"
		"  --past                what is remembered, instead of what comes\n"
		"  --save FILE           into FILE, as pcapng for Wireshark\n"
		"  -c, --config FILE     configuration (./tandem.yaml, or the embedded default)\n"
		"  --json                one JSON object a line, with the whole message\n",
	.run = run,
};
