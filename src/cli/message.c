/* tandem message URI TEXT: an instant message (RFC 3428). */
#include <stdio.h>

#include "cli/phone.h"

static void on_answer(struct td_request *r, int err, const struct td_msg *m, void *arg)
{
	struct phone *ph = arg;
	int status = phone_outcome(ph, "delivered", err, m ? m->status : 0, m ? m->reason : TD_STR_NULL);

	(void)r;
	if (status == CLI_OK && !ph->json)
		puts(m->status == 202 ? "accepted for later delivery" : "delivered");
	phone_end(ph, status);
}

static int run(const struct cli_command *cmd, int argc, char **argv)
{
	struct phone ph = { .cmd = cmd, .tries = true };
	struct cli_option options[] = { PHONE_OPTIONS(&ph), { 0 } };
	struct td_request_options req = { .method = TD_STR("MESSAGE"), .content_type = TD_STR("text/plain;charset=UTF-8") };
	struct td_request *r;
	struct td_out uri;
	bool done;
	int n = cli_options(cmd, argc, argv, options, &done), status, err;

	if (n < 0 || done)
		return n < 0 ? CLI_USAGE : CLI_OK;
	if (n != 2)
		return cli_fail(cmd, CLI_USAGE, "want whom and what: bob@example.test \"hello\"");
	if (!ph.as)
		return cli_fail(cmd, CLI_USAGE, "want --as ADDRESS: a message has a sender");
	td_out_init(&uri);
	if (phone_uri(&uri, &ph, argv[1])) {
		td_out_free(&uri);
		return cli_fail(cmd, CLI_USAGE, "\"%s\" is no address", argv[1]);
	}
	req.uri = td_out_view(&uri);
	req.body = td_str_of(argv[2]);
	do {
		status = phone_open(&ph, NULL, NULL, NULL);
		if (status)
			break;
		err = td_request_open(&r, ph.ua, &req, on_answer, &ph);
		status = err ? phone_outcome(&ph, "delivered", err, 0, TD_STR_NULL) : phone_run(&ph);
		phone_close(&ph);
	} while (phone_again(&ph));
	td_out_free(&uri);
	return status;
}

const struct cli_command cli_message = {
	.name = "message",
	.arguments = "URI TEXT --as ADDRESS [options]",
	.summary = "send an instant message",
	.help = PHONE_HELP,
	.run = run,
};
