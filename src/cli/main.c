/* tandem: dispatch to the subcommands. */
#include <stdio.h>

#include "cli/cli.h"

static const struct cli_command *const commands[] = {
	&cli_serve, &cli_init,   &cli_user,  &cli_status, &cli_registrations, &cli_calls, &cli_bans,   &cli_why,
	&cli_trace, &cli_reload, &cli_drain, &cli_ping,   &cli_register,      &cli_call,  &cli_answer, &cli_message,
};

static void print_overview(FILE *to)
{
	size_t i;

	fputs("tandem: a whole SIP system in one program\n\n", to);
	for (i = 0; i < TD_ARRAY_LEN(commands); i++)
		fprintf(to, "  tandem %-14s %s\n", commands[i]->name, commands[i]->summary);
	fputs("\n\"tandem COMMAND --help\" tells the options; \"tandem serve\" starts a server with nothing to configure.\n", to);
}

int main(int argc, char **argv)
{
	struct td_str name = td_str_of(argc > 1 ? argv[1] : "");
	size_t i;

	if (argc < 2 || td_str_eq(name, TD_STR("--help")) || td_str_eq(name, TD_STR("-h")) || td_str_eq(name, TD_STR("help"))) {
		print_overview(stdout);
		return CLI_OK;
	}
	if (td_str_eq(name, TD_STR("--version")) || td_str_eq(name, TD_STR("version"))) {
		puts("tandem " TANDEM_VERSION);
		return CLI_OK;
	}
	for (i = 0; i < TD_ARRAY_LEN(commands); i++)
		if (td_str_eq(name, td_str_of(commands[i]->name)))
			return commands[i]->run(commands[i], argc - 1, argv + 1);
	fprintf(stderr, "tandem: there is no command \"%s\"\n\n", argv[1]);
	print_overview(stderr);
	return CLI_USAGE;
}
