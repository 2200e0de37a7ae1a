/* tandem answer: registers, waits for a call, answers it, and ends with it; with --keep it waits for the next. */
#include <stdio.h>

#include "cli/voice.h"

struct answering {
	struct voice voice;
	struct td_reg *reg;
	bool keep, leaving, no_register;
	int status;
};

static void leave(struct answering *a, int status)
{
	if (a->leaving)
		return;
	a->leaving = true;
	a->status = status;
	if (a->reg)
		td_reg_remove(a->reg); /* on_state ends the run */
	else
		phone_end(&a->voice.phone, status);
}

static void over(struct voice *v, int status)
{
	struct answering *a = v->phone.arg;

	if (!a->keep && v->up_ms)
		leave(a, status);
}

static void interrupted(struct phone *ph)
{
	struct answering *a = ph->arg;

	if (a->voice.call) {
		a->keep = false;
		td_call_hangup(a->voice.call);
	}
	leave(a, CLI_OK);
}

static void on_incoming(struct td_ua *ua, struct td_call *c, void *arg)
{
	struct answering *a = arg;
	struct voice *v = &a->voice;
	struct td_str peer = td_call_peer(c);

	(void)ua;
	if (v->call || a->leaving || voice_open(v))
		return; /* busy */
	td_call_accept(c, &voice_session, &voice_events, v);
	v->call = c;
	phone_event(&v->phone, "incoming", json_pack("{s:o}", "from", cli_text(peer)));
	if (!v->phone.json) {
		cli_show(peer);
		puts(" calls");
	}
	fflush(stdout);
	td_call_ring(c);
	td_call_answer(c);
}

static void on_message(struct td_ua *ua, const struct td_msg *m, void *arg)
{
	struct answering *a = arg;

	(void)ua;
	phone_event(&a->voice.phone, "message",
		    json_pack("{s:o,s:o}", "from", cli_text(m->from.uri.text), "text", cli_text(m->body)));
	if (!a->voice.phone.json) {
		cli_show(m->from.uri.text);
		fputs(": ", stdout);
		cli_show(m->body);
		putchar('\n');
	}
	fflush(stdout);
}

static const struct td_ua_events events = { on_incoming, on_message };

static void on_state(struct td_reg *reg, const struct td_reg_state *st, void *arg)
{
	struct answering *a = arg;
	struct phone *ph = &a->voice.phone;

	(void)reg;
	if (a->leaving) {
		phone_end(ph, a->status);
		return;
	}
	if (!st->registered) {
		int status = phone_outcome(ph, "registered", st->err, st->status, st->reason);

		if (status == CLI_REFUSED)
			phone_end(ph, status);
		return;
	}
	phone_event(ph, "registered", json_pack("{s:I}", "expires", (json_int_t)st->expires_s));
	if (!ph->json && !a->voice.call)
		puts("registered; waiting for a call (Ctrl-C ends)");
	fflush(stdout);
}

static int wait_for_calls(struct answering *a)
{
	struct phone *ph = &a->voice.phone;
	char text[TD_ADDR_TEXT];
	int err;

	if (!a->no_register) {
		err = td_reg_open(&a->reg, ph->ua, TD_STR_NULL, 600, on_state, a);
		if (err)
			return phone_outcome(ph, "registered", err, 0, TD_STR_NULL);
	} else {
		phone_event(ph, "waiting", json_pack("{s:s}", "at", td_addr_text(text, td_ua_local(ph->ua))));
		if (!ph->json)
			printf("waiting for a call at %s (Ctrl-C ends)\n", td_addr_text(text, td_ua_local(ph->ua)));
		fflush(stdout);
	}
	return phone_run(ph);
}

static int run(const struct cli_command *cmd, int argc, char **argv)
{
	struct answering a = { .voice = { .phone = { .cmd = cmd, .interrupted = interrupted }, .over = over } };
	struct cli_option options[] = {
		VOICE_OPTIONS(&a.voice), { "keep", 0, CLI_FLAG, &a.keep }, { "no-register", 0, CLI_FLAG, &a.no_register }, { 0 }
	};
	bool done;
	int n = cli_options(cmd, argc, argv, options, &done), status;

	if (n < 0 || done)
		return n < 0 ? CLI_USAGE : CLI_OK;
	if (n || !a.voice.phone.as)
		return cli_fail(cmd, CLI_USAGE, "want --as ADDRESS (try --help)");
	status = voice_check(&a.voice);
	if (status)
		return status;
	a.voice.phone.arg = &a;
	status = phone_open(&a.voice.phone, &events, &a, NULL);
	if (status)
		return status;
	status = wait_for_calls(&a);
	voice_close(&a.voice);
	phone_close(&a.voice.phone);
	return status;
}

const struct cli_command cli_answer = {
	.name = "answer",
	.arguments = "--as ADDRESS [options]",
	.summary = "register, wait for a call and answer it",
	.help = VOICE_HELP "  --keep                answer one call after the other until Ctrl-C\n"
			   "  --no-register         only listen\n",
	.run = run,
};
