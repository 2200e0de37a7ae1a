/* What the two halves of `tandem serve` share: its life (serve.c) and its answers on the control socket (serve_control.c). */
#ifndef TANDEM_CLI_SERVE_H
#define TANDEM_CLI_SERVE_H

#include <sys/socket.h>
#include <sys/un.h>

#include "cli/cli.h"
#include "server/control/control.h"
#include "server/store/store.h"
#include "server/worker/worker.h"

/* How far a drain is (serve_drain.c). */
struct serve_drain {
	bool on, asking;
	uint64_t calls;    /* left, as the workers said last */
	uint64_t busy_ms;  /* when something was open last */
	uint64_t until_ms; /* 0: as long as it takes */
	struct td_timer timer;
	struct td_link waiters;
};

/* Whoever started us and wants to know how we are (serve_notify.c). */
struct serve_notify {
	bool on, supervised;
	int fd;
	struct td_io io; /* supervised: his end of it is watched */
	struct sockaddr_un to;
	socklen_t to_n;     /* 0: it is connected */
	uint64_t period_ms; /* of the watchdog; 0: there is none */
	struct td_timer timer;
};

/* The environment's name for the server's end of the supervisor's socket pair. */
#define SERVE_SUPERVISOR_FD "TANDEM_SUPERVISOR_FD"
/* supervise.c: runs the server with these arguments (NULL behind the last) until it is told to stop; an exit status. */
int supervise(const struct cli_command *cmd, char **argv);

struct serve {
	const struct cli_command *cmd;
	const char *config; /* as typed, or NULL */
	bool json, verbose;
	struct td_config *cfg;
	struct td_loop *loop; /* of the main thread: signals and control; no SIP happens on it */
	struct td_io signals;
	struct td_log *log;
	struct td_rng rng;
	struct td_store *store;
	struct td_users *users;
	struct td_certs *certs; /* until the server has them */
	struct td_server *server;
	struct td_control *control;
	struct td_link watchers; /* of the trace */
	struct serve_hep *hep;   /* NULL: nothing is exported */
	struct serve_drain drain;
	struct serve_notify notify;
	uint64_t started_ms;
};

int serve_put_user(void *users, const struct td_store_user *row); /* for td_store_each_user() */
/* Takes all users from the store; those no longer in it are gone. */
int serve_load_users(struct serve *s);
/* Takes configuration and users anew. 0 and notes ("listen: needs a restart"), or an error and why in notes; then all stays as it was. */
int serve_reload(struct serve *s, struct td_out *notes);
td_control_fn serve_on_request;
/* serve_trace.c */
void serve_trace(struct serve *s, const json_t *request, struct td_control_reply *r);
void serve_trace_stop(struct serve *s); /* before the server stops */
/* serve_hep.c: begins, changes or ends the export as the configuration says; what it has done, NULL: it is off. */
void serve_hep_follow(struct serve *s);
void serve_hep_stop(struct serve *s);
json_t *serve_hep_status(const struct serve *s);
/* serve_notify.c: each does nothing when nobody wants to know. */
void serve_notify_open(struct serve_notify *n); /* as the environment says */
void serve_notify_say(const struct serve_notify *n, struct td_str words);
void serve_notify_close(struct serve_notify *n);
void serve_notify_ready(struct serve *s);
void serve_notify_reloading(struct serve *s, bool begins);
void serve_notify_drain(struct serve *s); /* it drains, or serves again; how many calls are left */
void serve_notify_stop(struct serve *s);  /* before the server stops */
/* serve_drain.c */
void serve_drain(struct serve *s, const json_t *request, struct td_control_reply *r);
void serve_drain_end(struct serve *s); /* before the control socket closes */
bool serve_counts_calls(const struct serve *s);
json_t *serve_drain_status(const struct serve *s); /* NULL: it does not drain */
void serve_why(struct serve *s, const json_t *request, struct td_control_reply *r);
/* What phones need to know of our certificates: {"certificate": FILE, "fingerprint": …, "days_left": N}, of more domains than one under
 * "domains"; NULL: there are none. */
json_t *serve_certs_json(const struct serve *s);

#endif
