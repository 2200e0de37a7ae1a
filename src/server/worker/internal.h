/* worker, private: one worker, and what the workers of a server share. */
#ifndef TD_SERVER_WORKER_INTERNAL_H
#define TD_SERVER_WORKER_INTERNAL_H

#include <pthread.h>
#include <stdalign.h>

#include "server/worker/worker.h"

struct td_registrar;
struct td_redirect;

/* Messages that the guard turned away since that was noted, and when that was. */
struct turned_away {
	uint32_t n;
	uint64_t noted_ms;
};

struct worker {
	struct td_server *server;
	struct td_core core;
	struct td_counters counters;
	struct td_net *net;
	struct td_guard *guard;
	struct td_ha2_memo ha2;
	struct td_registrar *registrar;
	struct td_proxy *proxy;
	struct td_redirect *redirect;
	bool attached; /* to the location */
	struct turned_away limited, banned;
	pthread_t thread;
	bool running;
	struct td_mail stop;
	/* messages other workers gave us, not looked at yet; they write it: a line of its own */
	alignas(64) _Atomic unsigned handed;
};

/*
 * Beside the workers: connections of another library (WebSocket), on a loop and a thread of their own. It looks at what comes (guard,
 * syntax) and gives it to the worker it is for; it knows no transactions. So it has the half of what a worker has. See outside.c.
 */
struct outside {
	struct worker half;
	struct td_web *web; /* NULL in a simulation: who holds the connections is a test */
	unsigned next;      /* the worker that gets the next response we do not know the owner of */
};

struct td_server {
	struct td_config *cfg;  /* of the control thread; each worker has a reference of its own */
	struct td_certs *certs; /* the same; NULL: none */
	struct td_log *log;
	struct td_store *store; /* NULL: none */
	struct td_location *location;
	struct td_calls *calls;
	struct td_nonces *nonces;
	struct td_bans *bans; /* owned by the first worker's loop */
	struct td_tp_group *group;
	struct outside *outside;      /* NULL: nothing needs it */
	struct td_hash_key owner_key; /* of Call-ID → worker (P12) */
	bool simulated;
	unsigned worker_n;
	struct worker *workers[];
};

/* worker.c. *out is set even when it fails: worker_close_roles(), worker_close() */
int worker_open(struct worker **out, struct td_server *s, unsigned index, const struct td_server_options *opt,
		struct td_out *why);
void worker_close_roles(struct worker *w);
void worker_close(struct worker *w);
struct td_tp_limits worker_tp_limits(const struct td_config *cfg);
int worker_cannot_listen(struct td_out *why, const struct td_listen *l, int err); /* err, and it in words */

/* outside.c, in this order; each but the first does nothing where there is none */
bool worker_outside(enum td_proto p);                                                           /* does it live there? */
int outside_bind(struct td_server *s, const struct td_server_options *opt, struct td_out *why); /* before the workers */
void outside_address(struct td_addr *at, const struct td_server *s, unsigned listener);
int outside_open(struct td_server *s); /* after them */
int outside_start(struct outside *o);
void outside_stop(struct outside *o);
bool outside_drain(struct outside *o);
/* both on its loop */
void outside_config(struct outside *o, struct td_config *cfg, struct td_certs *certs); /* cfg is handed over; certs may be NULL */
void outside_status(struct outside *o, struct td_server_status *out);
void outside_close(struct td_server *s); /* before the workers */

/* dispatch.c */
int worker_owner(unsigned *out, const struct td_server *s, const struct td_msg *msg);
bool worker_admit(void *arg, const struct td_flow *from, struct td_str bytes); /* arg: a worker, or half of one */
void worker_junk(void *arg, const struct td_flow *from);                       /* the same */
/* From outside: msg is handed over, unless it has too much to do already (false). */
bool worker_give(struct worker *w, struct td_msg *msg, const struct td_flow *from);
enum { WORKER_MAX_HANDED = 16384 }; /* messages to one worker that it has not looked at */
extern const struct td_tp_events worker_tp_events;
extern const struct td_txl_events worker_txl_events;

#endif
