/* tandem ping URI: one OPTIONS, and how long its answer took. */
#include <stdio.h>

#include "cli/phone.h"

struct ping {
	struct phone phone;
	uint64_t sent_us;
};

static void on_answer(struct td_request *r, int err, const struct td_msg *m, void *arg)
{
	struct ping *p = arg;
	struct phone *ph = &p->phone;
	double ms = (double)(td_loop_now_us(ph->loop) - p->sent_us) / 1000;

	(void)r;
	if (!err && m->status < 300 && !ph->json) {
		printf("%u ", m->status);
		cli_show(m->reason);
		printf(" in %.1f ms\n", ms);
	}
	if (!err && m->status < 300)
		phone_event(ph, "answered",
			    json_pack("{s:i,s:o,s:f}", "status", m->status, "reason", cli_text(m->reason), "ms", ms));
	phone_end(ph, !err && m->status < 300
			      ? CLI_OK
			      : phone_outcome(ph, "answered", err, m ? m->status : 0, m ? m->reason : TD_STR_NULL));
}

static int run(const struct cli_command *cmd, int argc, char **argv)
{
	struct ping p = { .phone = { .cmd = cmd, .tries = true } };
	struct cli_option options[] = { PHONE_OPTIONS(&p.phone), { 0 } };
	struct td_request_options req = { .method = TD_STR("OPTIONS"), .headers = TD_STR("Accept: application/sdp\r\n") };
	struct td_request *r;
	struct td_out uri;
	bool done;
	int n = cli_options(cmd, argc, argv, options, &done), status, err;

	if (n < 0 || done)
		return n < 0 ? CLI_USAGE : CLI_OK;
	td_out_init(&uri);
	if (n != 1 || phone_uri(&uri, &p.phone, argv[1])) {
		td_out_free(&uri);
		return cli_fail(cmd, CLI_USAGE, "want one URI, like sip:127.0.0.1 or bob@example.test");
	}
	td_out_char(&uri, '\0');
	req.uri = td_str_of(uri.p);
	do {
		status = phone_open(&p.phone, NULL, NULL, uri.p);
		if (status)
			break;
		p.sent_us = td_loop_now_us(p.phone.loop);
		err = td_request_open(&r, p.phone.ua, &req, on_answer, &p);
		status = err ? phone_outcome(&p.phone, "answered", err, 0, TD_STR_NULL) : phone_run(&p.phone);
		phone_close(&p.phone);
	} while (phone_again(&p.phone));
	td_out_free(&uri);
	return status;
}

const struct cli_command cli_ping = {
	.name = "ping",
	.arguments = "URI [options]",
	.summary = "ask whether somebody answers (OPTIONS)",
	.help = PHONE_HELP,
	.run = run,
};
