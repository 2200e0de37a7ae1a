/* tandem drain: the running server begins nothing new, and stops when its last call has ended. */
#include <poll.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cli/cli.h"

struct drain_run {
	bool json, stop, otherwise; /* otherwise: it came otherwise than was asked */
	int pidfd;                  /* of the server, once it said that it ends; -1 */
};

static json_int_t calls_of(const json_t *obj)
{
	return json_integer_value(json_object_get(obj, "calls"));
}

static void print_words(const json_t *obj, struct td_str event)
{
	json_int_t calls = calls_of(obj);
	const json_t *limit = json_object_get(obj, "limit_s");

	if (td_str_eq(event, TD_STR("serving"))) {
		puts("the server serves as before");
	} else if (td_str_eq(event, TD_STR("drained"))) {
		puts("drained: no call is left, and the server ends");
	} else if (td_str_eq(event, TD_STR("limit")) || td_str_eq(event, TD_STR("stopped"))) {
		printf("%s with %" JSON_INTEGER_FORMAT " call%s left; the server ends\n",
		       td_str_eq(event, TD_STR("limit")) ? "the limit was reached" : "the server was stopped", calls,
		       calls == 1 ? "" : "s");
	} else {
		printf("draining: %" JSON_INTEGER_FORMAT " call%s left; the server ends with the last", calls,
		       calls == 1 ? "" : "s");
		if (json_is_integer(limit))
			printf(", or in %" JSON_INTEGER_FORMAT " seconds", json_integer_value(limit));
		putchar('\n');
	}
	fflush(stdout);
}

static int on_line(void *arg, const json_t *obj)
{
	struct drain_run *r = arg;
	struct td_str event = td_str_of(json_string_value(json_object_get(obj, "event")));

	r->otherwise = td_str_eq(event, TD_STR("limit")) || td_str_eq(event, TD_STR("stopped")) ||
		       (td_str_eq(event, TD_STR("serving")) && !r->stop);
	if (json_object_get(obj, "pid") &&
	    !td_str_eq(event, TD_STR("serving"))) /* it waits for its threads now, so this number is still its own, or nobody's */
		r->pidfd = (int)syscall(SYS_pidfd_open, (pid_t)json_integer_value(json_object_get(obj, "pid")), 0);
	if (r->json)
		cli_print_line(NULL, obj);
	else
		print_words(obj, event);
	return 0;
}

/* Until the server is gone, and with it its ports and its database. */
static int await_end(const struct cli_command *cmd, int pidfd)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };
	int n = poll(&p, 1, 60000);

	close(pidfd);
	return n == 1 ? CLI_OK : cli_fail(cmd, CLI_FAULT, "the server said that it ends, and is still there after a minute");
}

static int run(const struct cli_command *cmd, int argc, char **argv)
{
	struct drain_run r = { .pidfd = -1 };
	const char *config = NULL;
	uint32_t limit_s = 0;
	bool done, wait = false;
	struct cli_option options[] = {
		{ "config", 'c', CLI_TEXT, &config },
		{ "json", 0, CLI_FLAG, &r.json },
		{ "wait", 0, CLI_FLAG, &wait },
		{ "stop", 0, CLI_FLAG, &r.stop },
		{ "limit", 0, CLI_NUMBER, (void *)&limit_s },
		{ 0 },
	};
	int n = cli_options(cmd, argc, argv, options, &done), status;

	if (n < 0 || done)
		return n < 0 ? CLI_USAGE : CLI_OK;
	if (n > 0)
		return cli_fail(cmd, CLI_USAGE, "\"%s\"? (try --help)", argv[1]);
	if (r.stop && (wait || limit_s))
		return cli_fail(cmd, CLI_USAGE, "--stop takes a drain back: there is nothing to wait for");
	status = cli_ask(
		cmd, config,
		json_pack("{s:s,s:b,s:b,s:I}", "cmd", "drain", "stop", r.stop, "wait", wait, "limit_s", (json_int_t)limit_s),
		on_line, &r);
	if (r.pidfd >= 0) {
		n = await_end(cmd, r.pidfd);
		status = status ? status : n;
	}
	return status ? status : r.otherwise ? CLI_REFUSED : CLI_OK;
}

const struct cli_command cli_drain = {
	.name = "drain",
	.arguments = "[--wait] [--limit SECONDS] [--stop] [-c FILE] [--json]",
	.summary = "begin nothing new, and stop when the last call has ended",
	.help = "  -c, --config FILE     configuration (./tandem.yaml, or the embedded default)\n"
		"  --wait                stay until the server has ended, and tell how many calls are left (exit status 3: some\n"
		"                        were at the limit or a SIGTERM, or the drain was taken back)\n"
		"  --limit SECONDS       stop after that time, whatever calls are left (0, the default: as long as it takes)\n"
		"  --stop                take it back: serve as before\n"
		"  --json                one JSON object a line\n"
		"\nNew calls, messages and phones get 503 with Retry-After; calls that run, and phones that refresh, go on.\n",
	.run = run,
};
