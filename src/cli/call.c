/* tandem call URI: calls, plays, records, hangs up. */
#include <stdio.h>

#include "cli/voice.h"

static void over(struct voice *v, int status)
{
	phone_end(&v->phone, status);
}

static void interrupted(struct phone *ph)
{
	struct voice *v = ph->arg;

	if (v->call)
		td_call_hangup(v->call);
	else
		phone_end(ph, CLI_NO_ANSWER);
}

static int call(struct voice *v, struct td_str uri)
{
	int status = voice_open(v), err;

	if (status)
		return status;
	err = td_call_open(&v->call, v->phone.ua, uri, &voice_session, &voice_events, v);
	if (err) {
		voice_close(v);
		return phone_outcome(&v->phone, "answered", err, 0, TD_STR_NULL);
	}
	phone_event(&v->phone, "calling", json_pack("{s:o}", "to", cli_text(uri)));
	if (!v->phone.json)
		printf("calling %.*s\n", TD_FMT(uri));
	fflush(stdout);
	return phone_run(&v->phone);
}

static int run(const struct cli_command *cmd, int argc, char **argv)
{
	struct voice v = { .phone = { .cmd = cmd, .interrupted = interrupted, .tries = true }, .over = over };
	struct cli_option options[] = { VOICE_OPTIONS(&v), { 0 } };
	struct td_out uri;
	bool done;
	int n = cli_options(cmd, argc, argv, options, &done), status;

	if (n < 0 || done)
		return n < 0 ? CLI_USAGE : CLI_OK;
	if (n != 1)
		return cli_fail(cmd, CLI_USAGE, "want whom to call, like bob@example.test");
	status = voice_check(&v);
	if (status)
		return status;
	v.phone.arg = &v;
	td_out_init(&uri);
	if (phone_uri(&uri, &v.phone, argv[1])) {
		td_out_free(&uri);
		return cli_fail(cmd, CLI_USAGE, "\"%s\" is no address", argv[1]);
	}
	td_out_char(&uri, '\0');
	do {
		status = phone_open(&v.phone, NULL, NULL, uri.p);
		if (status)
			break;
		status = call(&v, td_str_of(uri.p));
		voice_close(&v);
		phone_close(&v.phone);
	} while (phone_again(&v.phone));
	td_out_free(&uri);
	return status;
}

const struct cli_command cli_call = {
	.name = "call",
	.arguments = "URI [--as ADDRESS] [options]",
	.summary = "call somebody: play, record, hang up",
	.help = VOICE_HELP,
	.run = run,
};
