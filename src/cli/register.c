/* tandem register: registers, and stays so until Ctrl-C (then the binding is removed), or with --once ends at once. */
#include <stdio.h>

#include "cli/phone.h"

struct registering {
	struct phone phone;
	struct td_reg *reg;
	bool once, removing;
};

static void on_state(struct td_reg *reg, const struct td_reg_state *st, void *arg)
{
	struct registering *r = arg;
	struct phone *ph = &r->phone;

	(void)reg;
	if (r->removing) {
		phone_event(ph, "removed", NULL);
		phone_end(ph, CLI_OK);
		return;
	}
	if (!st->registered) {
		int status = phone_outcome(ph, "registered", st->err, st->status, st->reason);

		if (r->once || status == CLI_REFUSED)
			phone_end(ph, status);
		return; /* else it is tried again */
	}
	phone_event(ph, "registered",
		    json_pack("{s:i,s:o,s:I}", "status", st->status, "reason", cli_text(st->reason), "expires",
			      (json_int_t)st->expires_s));
	if (!ph->json)
		printf("registered for %u s%s\n", st->expires_s, r->once ? "" : "; Ctrl-C ends it");
	fflush(stdout);
	if (r->once)
		phone_end(ph, CLI_OK);
}

static void interrupted(struct phone *ph)
{
	struct registering *r = ph->arg;

	if (r->removing)
		return;
	r->removing = true;
	td_reg_remove(r->reg);
}

static int run(const struct cli_command *cmd, int argc, char **argv)
{
	struct registering r = { .phone = { .cmd = cmd, .interrupted = interrupted } };
	const char *contact = NULL;
	uint32_t expires = 3600;
	struct cli_option options[] = { PHONE_OPTIONS(&r.phone),
					{ "contact", 0, CLI_TEXT, &contact },
					{ "expires", 0, CLI_NUMBER, &expires },
					{ "once", 0, CLI_FLAG, &r.once },
					{ 0 } };
	bool done;
	int n = cli_options(cmd, argc, argv, options, &done), status, err;

	if (n < 0 || done)
		return n < 0 ? CLI_USAGE : CLI_OK;
	if (n || !r.phone.as)
		return cli_fail(cmd, CLI_USAGE, "want --as ADDRESS (try --help)");
	r.phone.arg = &r;
	r.phone.tries = r.once; /* else the same one is tried again and again */
	do {
		status = phone_open(&r.phone, NULL, NULL, NULL);
		if (status)
			return status;
		err = td_reg_open(&r.reg, r.phone.ua, td_str_of(contact), expires, on_state, &r);
		if (err == TD_ESYNTAX)
			status = cli_fail(cmd, CLI_USAGE, "--contact \"%s\" is no URI", contact);
		else if (err)
			status = phone_outcome(&r.phone, "registered", err, 0, TD_STR_NULL);
		else
			status = phone_run(&r.phone);
		phone_close(&r.phone);
	} while (phone_again(&r.phone));
	return status;
}

const struct cli_command cli_register = {
	.name = "register",
	.arguments = "--as ADDRESS [options]",
	.summary = "register an address and keep it registered",
	.help = PHONE_HELP "  --contact URI         what to register (default: this program's own address)\n"
			   "  --expires SECONDS     how long to ask for (3600)\n"
			   "  --once                register, say so, and end; the binding stays\n",
	.run = run,
};
