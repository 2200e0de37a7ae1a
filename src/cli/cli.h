/*
 * cli: one file per subcommand; main.c only dispatches. What the commands share: exit statuses, options, output in words or
 * as JSON lines.
 */
#ifndef TANDEM_CLI_H
#define TANDEM_CLI_H

#include <jansson.h>

#include <tandem/base.h>
#include "server/config/config.h"

/* Exit statuses: stable, scripts depend on them. */
enum cli_exit {
	CLI_OK = 0,
	CLI_USAGE = 1,
	CLI_CONFIG = 2,  /* the configuration is wrong, or no server runs where one is needed */
	CLI_REFUSED = 3, /* the peer refused (its status line was printed), or what is stored does not allow it */
	CLI_NO_ANSWER = 4,
	CLI_FAULT = 5, /* our fault, or our machine's */
};

struct cli_command {
	const char *name;
	const char *arguments; /* after the name, for the usage line */
	const char *summary;   /* one line */
	const char *help;      /* options, one a line; NULL: none but the common ones */
	int (*run)(const struct cli_command *cmd, int argc, char **argv); /* argv[0] is the command's name */
};

extern const struct cli_command cli_serve, cli_init, cli_user, cli_status, cli_registrations, cli_calls, cli_bans, cli_reload,
	cli_ping, cli_register, cli_call, cli_answer, cli_message, cli_why, cli_trace, cli_drain;

/* ---- options: long ones with values, short aliases; what is left over are the arguments ---- */

enum cli_option_kind { CLI_FLAG, CLI_TEXT, CLI_NUMBER };

struct cli_option {
	const char *name; /* "config"; "--config VALUE" and "--config=VALUE" */
	char letter;      /* 'c', or 0 */
	enum cli_option_kind kind;
	void *out; /* bool *, const char **, uint32_t * */
};

/* Options may stand anywhere; "--" ends them. --help prints the command's help and sets *done. The arguments left are moved to
 * argv[1..]. Returns their number, or -1 after saying what was wrong (exit with CLI_USAGE). options ends with a NULL name. */
int cli_options(const struct cli_command *cmd, int argc, char **argv, const struct cli_option *options, bool *done);
void cli_print_help(const struct cli_command *cmd);
/* "tandem COMMAND: text" on stderr; returns status, so that it can end a command. */
__attribute__((format(printf, 3, 4))) int cli_fail(const struct cli_command *cmd, enum cli_exit status, const char *fmt, ...);

/* One JSON object on one line of stdout, flushed. Takes over obj. */
void cli_json(json_t *obj);

/* A JSON string of any bytes: what is no UTF-8 becomes U+FFFD. NULL: no memory (json_pack() then fails, "o" takes over). */
json_t *cli_text(struct td_str s);
/* Other people's text for a terminal: control characters and bytes that are no UTF-8 are written as \xNN, lines after the first indented. */
void cli_put_shown(struct td_out *o, struct td_str s);
void cli_show(struct td_str s); /* on stdout */

/* Members of an object by name. One that is not there, or is something else, is 0 or empty; texts end with a zero. */
uint64_t cli_number(const json_t *obj, const char *key);
struct td_str cli_member(const json_t *obj, const char *key); /* obj's own */

/* ---- what server-side commands share ---- */

struct td_store;

/* Asks the server that has the configuration's state folder; fn gets each line of its answer. What went wrong is printed. Takes over
 * request. An exit status. */
typedef int cli_line_fn(void *arg, const json_t *obj);
int cli_ask(const struct cli_command *cmd, const char *config, json_t *request, cli_line_fn *fn, void *arg);
int cli_print_line(void *arg, const json_t *obj); /* a cli_line_fn: as JSON */
/* The store of that state folder, whether a server runs there or not. What went wrong is printed. An exit status. */
int cli_open_store(struct td_store **out, const struct cli_command *cmd, const struct td_config *cfg);

/* The configuration named with -c, ./tandem.yaml when there is one, or the embedded default. Errors are printed. */
int cli_load_config(struct td_config **out, const struct cli_command *cmd, const char *path);
/* "STATE/name" with a terminator; NULL when memory is out. */
char *cli_state_path(const struct td_config *cfg, const char *name);
/* Creates the state folder (and its parents) with mode 0700, for the configuration's user. 0, or -errno. */
int cli_make_state(const struct td_config *cfg);

/* ---- privileges.c: rights that root gives up for `user`; each does nothing where there is nothing to give up ---- */

int cli_own_folder(const struct td_config *cfg, const char *path); /* a new folder is that user's. 0, or -errno */
/* Before anything of the state is opened; low ports may still be listened on. An error, with why. */
int cli_become_user(const struct td_config *cfg, struct td_out *why);
/* For good, for all threads. 0, or -errno: then it must not go on. */
int cli_stay_user(void);

#endif
