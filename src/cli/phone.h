/* What the commands that speak SIP themselves share: the account's options, a loop with an agent on it, signals, the end. */
#ifndef TANDEM_CLI_PHONE_H
#define TANDEM_CLI_PHONE_H

#include <tandem/ua.h>

#include "cli/cli.h"

struct phone {
	const struct cli_command *cmd;
	/* options */
	const char *as, *password_env, *proxy, *dns, *tls_ca, *tls_fingerprint;
	bool json, verbose;
	/* made of them */
	struct td_loop *loop;
	struct td_net *net;
	struct td_log *log;
	struct td_ua *ua;
	struct td_tls *tls;
	char host[256]; /* whom the proxy must prove to be, over TLS */
	struct td_io signals;
	struct td_timer settle, goodbye;
	int status; /* exit status so far */
	bool ending, signalled;
	/* Names that lead to several servers (RFC 3263 §4.3): */
	bool tries;        /* the command can begin again with the next; it asks phone_again() */
	bool again;        /* the server did not answer */
	unsigned skip;     /* so many of them */
	uint64_t order;    /* among equals: the same each time */
	struct td_hop hop; /* the present one */
	int failed;        /* why it did not, and */
	char tls_why[256]; /* in words */
	uint64_t end_by_ms;
	/* Ctrl-C or SIGTERM: the command says good-bye and calls phone_end(), within 5 s; NULL, or the second time: ends at once. */
	void (*interrupted)(struct phone *ph);
	void *arg;
};

#define PHONE_OPTIONS(ph)                                                                       \
	{ "as", 0, CLI_TEXT, &(ph)->as }, { "password-env", 0, CLI_TEXT, &(ph)->password_env }, \
		{ "proxy", 0, CLI_TEXT, &(ph)->proxy }, { "dns", 0, CLI_TEXT, &(ph)->dns },     \
		{ "json", 0, CLI_FLAG, &(ph)->json }, { "tls-ca", 0, CLI_TEXT, &(ph)->tls_ca }, \
		{ "tls-fingerprint", 0, CLI_TEXT, &(ph)->tls_fingerprint },                     \
	{                                                                                       \
		"verbose", 'v', CLI_FLAG, &(ph)->verbose                                        \
	}

#define PHONE_HELP                                                                                          \
	"  --as ADDRESS          who you are, like alice@example.test\n"                                    \
	"  --password-env NAME   the environment variable your password is in\n"                            \
	"  --proxy P:HOST:PORT   where requests go, like udp:127.0.0.1:5060 (default: the domain itself)\n" \
	"  --dns ADDRESS         a name server to ask instead of the system's, like 127.0.0.1:5353\n"       \
	"  --tls-ca FILE         PEM: whose signature to believe, over TLS (default: the system's)\n"       \
	"  --tls-fingerprint HEX the one certificate to believe, by its SHA-256\n"                          \
	"  --json                one JSON object a line\n"                                                  \
	"  -v, --verbose         log what happens\n"

/* Loop, signals and agent. peer: the URI of whom it is about, or NULL; it tells where to send when neither --proxy nor --as does.
 * 0, or the status to exit with after saying why. */
int phone_open(struct phone *ph, const struct td_ua_events *events, void *arg, const char *peer);
/* Where requests to uri go first: its host, or by DNS. 0, or the status to exit with after saying why. */
int phone_next_hop(struct td_hop *out, struct phone *ph, const struct td_uri *uri);
/* Nobody answered, and another server may: the command begins again with phone_open(), which says what there was when there is none. */
bool phone_again(struct phone *ph);
/* Says that nobody answered, and why. */
int phone_no_answer(struct phone *ph);
int phone_run(struct phone *ph); /* until phone_end(); returns the exit status */
/* Ends the run when the agent has nothing under way any more, after at most 5 s. */
void phone_end(struct phone *ph, int status);
void phone_close(struct phone *ph);

/* "bob", "bob@example.test" or a URI as a URI; the domain is that of --as when none is given. TD_ESYNTAX. */
int phone_uri(struct td_out *o, const struct phone *ph, const char *text);
/* Prints a final answer or why there is none, and gives the exit status for it. what: "register", for the words. */
int phone_outcome(struct phone *ph, const char *what, int err, unsigned status, struct td_str reason);
/* {"event": name, …} with --json; else nothing. members: an object whose members are added (taken over), or NULL. */
void phone_event(struct phone *ph, const char *name, json_t *members);

#endif
