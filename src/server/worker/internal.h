/* worker, private: one worker, and what the workers of a server share. */
#ifndef TD_SERVER_WORKER_INTERNAL_H
#define TD_SERVER_WORKER_INTERNAL_H

#include <pthread.h>
#include <stdalign.h>

#include "server/worker/worker.h"

struct td_registrar;
struct td_redirect;

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
	/* turned away by the guard since that was noted, and when that was */
	uint32_t limited_n;
	uint64_t limited_ms;
	pthread_t thread;
	bool running;
	struct td_mail stop;
	/* messages other workers gave us, not looked at yet; they write it: a line of its own */
	alignas(64) _Atomic unsigned handed;
};

struct td_server {
	struct td_config *cfg; /* of the control thread; each worker has a reference of its own */
	struct td_log *log;
	struct td_store *store; /* NULL: none */
	struct td_location *location;
	struct td_calls *calls;
	struct td_nonces *nonces;
	struct td_tp_group *group;
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

/* dispatch.c */
enum { WORKER_MAX_HANDED = 16384 }; /* messages to one worker that it has not looked at */
extern const struct td_tp_events worker_tp_events;
extern const struct td_txl_events worker_txl_events;

#endif
