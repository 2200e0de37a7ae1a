/*
 * server/worker: the server as a whole. N workers, one thread and one loop each, with everything of a call on one of them: transport,
 * transactions, guard, registrar, proxy. Messages that arrive at the wrong worker are handed over whole, by mail. The same
 * server runs on simulated loops and hosts, in one thread, when it is given them.
 */
#ifndef TANDEM_SERVER_WORKER_H
#define TANDEM_SERVER_WORKER_H

#include "server/certs/certs.h"
#include "server/core/core.h"
#include "server/guard/guard.h"
#include "server/proxy/proxy.h"

struct td_server;

struct td_server_options {
	struct td_config *cfg;  /* kept (counted) */
	struct td_store *store; /* borrowed; NULL: registrations in memory alone */
	struct td_users *users; /* borrowed; the workers become its readers */
	struct td_log *log;     /* borrowed; NULL: none */
	struct td_certs *certs; /* kept (counted); NULL: none, and no listener of TLS */
	uint8_t rr_key[16];     /* of Record-Route cookies: the same after a restart, or running calls cannot hang up */
	/* A simulation: cfg->workers loops, and a host for each (all with one address). NULL: threads and the real network. */
	struct td_loop *const *loops;
	struct td_net *const *nets;
	/* In a simulation with listeners for WebSocket: the loop and host that connections of this kind live on, which the test has
	 * adopted by td_server_outside(). */
	struct td_loop *outside_loop;
	struct td_net *outside_net;
};

/* Opens everything and listens, but serves nobody yet (a simulation does, as soon as its loops run). What went wrong, in words, into why. */
int td_server_open(struct td_server **out, const struct td_server_options *opt, struct td_out *why);
int td_server_start(struct td_server *s); /* the workers' threads; nothing in a simulation */
/* Whoever has asked something drains his loop and calls stop again until there is no mail, before he closes. */
/* ends and joins them; no worker runs after this, and what was posted to them is delivered */
void td_server_stop(struct td_server *s);
void td_server_close(struct td_server *s); /* stops it if need be */

/*
 * Puts another configuration in place: each worker takes it between two turns. cfg is kept (counted). What cannot change while
 * running (listen, workers, state, registrations) stays as it was; a line for each is added to notes. certs: for new connections; kept
 * (counted); NULL: those in use stay.
 */
int td_server_reload(struct td_server *s, struct td_config *cfg, struct td_certs *certs, struct td_out *notes);
/*
 * Nothing new begins from now on: requests outside of dialogs, and registrations that would add a contact, are answered 503 with
 * Retry-After. What runs goes on, and registrations are refreshed. on false: it serves as before. Any thread may ask while it is open.
 */
void td_server_drain(struct td_server *s, bool on);
struct td_certs *td_server_certs(struct td_server *s);   /* borrowed; the thread that reloads asks; NULL: none */
struct td_config *td_server_config(struct td_server *s); /* borrowed; the thread that reloads asks */

struct td_server_status {
	unsigned workers;
	struct td_counters count; /* sums since the start */
	struct td_tp_stats tp;
	struct td_txl_stats txn;
	struct td_guard_stats guard;
	struct td_proxy_stats proxy;
	struct td_calls_stats calls;
	struct td_dns_stats dns;
	struct td_location_stats location;
	struct td_bans_stats bans;
};

typedef void td_server_status_fn(void *arg, const struct td_server_status *st);

/* Asks every worker; fn is called once, from `loop`. 0 or -ENOMEM. The server must not be stopped before. */
int td_server_status(struct td_server *s, struct td_loop *loop, td_server_status_fn *fn, void *arg);

/* What the workers' traces hold: td_traces_read() of all of them. cursors: of td_server_workers() many. */
unsigned td_server_workers(const struct td_server *s);
int td_server_trace(struct td_server *s, struct td_trace_cursor *cursors, bool all, struct td_loop *loop, td_traces_read_fn *fn,
		    void *arg);

struct td_bans *td_server_bans(struct td_server *s);         /* for td_bans_ask() */
struct td_location *td_server_location(struct td_server *s); /* for td_location_each() */
struct td_calls *td_server_calls(struct td_server *s);       /* for td_calls_each() */
struct td_tp *td_server_outside(struct td_server *s);        /* for td_tp_adopt(), in a simulation; NULL: there is none */
/* Where it listens, in the order of the configuration; port 0 has become the one picked. */
unsigned td_server_listeners(const struct td_server *s);
void td_server_listener(struct td_listen *out, const struct td_server *s, unsigned i);

#endif
