/*
 * server/store: what outlives the process. SQLite in WAL mode; one writer thread collects what is waiting into one
 * transaction (group commit) and answers by mail to the loop that asked. No other room sees SQL.
 */
#ifndef TANDEM_SERVER_STORE_H
#define TANDEM_SERVER_STORE_H

#include <tandem/auth.h>
#include <tandem/loop.h>
#include <tandem/transport.h>

struct td_store;

struct td_store_options {
	struct td_str path; /* the database file; empty: in memory */
	bool threaded;      /* false: commits inside a deferred call of the asking loop (simulations) */
	struct td_log *log;
};

/* Opens or creates; takes an old schema to the new one. Errors in words into why. */
int td_store_open(struct td_store **out, const struct td_store_options *opt, struct td_out *why);
/* While nobody submits (the loops that ask stand still): returns when all that was submitted is on disk and its answers are posted. */
void td_store_settle(struct td_store *s);
/* When the loops that ask have stopped for good: commits what waits; nobody is told any more. The loops must still be there, or
 * td_store_settle() before they went. */
void td_store_close(struct td_store *s);

/* ---- bindings ---- */

/* One row; (aor, contact) is the key. flow.conn is not kept: a connection does not outlive the process. */
struct td_store_binding {
	struct td_str aor, contact, params, call_id, user_agent;
	uint32_t cseq;
	int32_t q;
	uint64_t expires_at_s;
	struct td_flow flow;
};

/* A change set, applied whole or not at all. The store owns it from submit to done; done runs on `loop`. */
struct td_store_write;
typedef void td_store_done_fn(struct td_store_write *w, int err, void *arg);

/* NULL: no memory */
struct td_store_write *td_store_write_new(struct td_store *s, struct td_loop *loop, td_store_done_fn *fn, void *arg);
int td_store_put_binding(struct td_store_write *w, const struct td_store_binding *b); /* copies */
int td_store_delete_binding(struct td_store_write *w, struct td_str aor, struct td_str contact);
int td_store_delete_aor(struct td_store_write *w, struct td_str aor);
void td_store_submit(struct td_store_write *w);     /* an empty one is a barrier: done after all before it are on disk */
void td_store_write_free(struct td_store_write *w); /* one that was not submitted; submitted ones are freed after done */
void td_store_forget_expired(struct td_store *s, uint64_t now_s); /* housekeeping, any time */

/* At start, in the calling thread. b is borrowed for the call. Returning non-zero stops and is returned. */
int td_store_each_binding(struct td_store *s, int (*fn)(void *arg, const struct td_store_binding *b), void *arg);

/* ---- records of calls that ended: added by change sets of their own, never changed ---- */

struct td_store_call {
	uint64_t id;
	uint64_t start_ms, ring_ms, answer_ms, end_ms; /* unix, UTC; 0: it never rang, was never answered */
	unsigned status;                               /* final */
	struct td_str ended_by;                        /* a word */
	struct td_str caller, callee, call_id;
};

/* Copies. A change set of records holds nothing else. */
int td_store_put_call(struct td_store_write *w, const struct td_store_call *c);
unsigned td_store_write_changes(const struct td_store_write *w);
/* The last ones that ended, newest first; most 0: all. c is borrowed for the call. Returning non-zero stops and is returned. */
int td_store_each_call(struct td_store *s, uint64_t most, int (*fn)(void *arg, const struct td_store_call *c), void *arg);

/* ---- users: small, synchronous, for the control thread and the command line ---- */

struct td_store_user {
	struct td_str aor, extension;
	bool has[TD_DIGEST_ALGS];
	struct td_ha1 ha1[TD_DIGEST_ALGS];
};

int td_store_put_user(struct td_store *s, const struct td_store_user *u);            /* adds or replaces */
int td_store_put_users(struct td_store *s, const struct td_store_user *u, size_t n); /* one transaction */
int td_store_remove_user(struct td_store *s, struct td_str aor);                     /* TD_ENOTFOUND */
/* The row is borrowed for the call to fn, whose result is returned; TD_ENOTFOUND. */
int td_store_find_user(struct td_store *s, struct td_str aor, int (*fn)(void *arg, const struct td_store_user *u), void *arg);
int td_store_each_user(struct td_store *s, int (*fn)(void *arg, const struct td_store_user *u), void *arg);

struct td_store_stats {
	uint64_t commits, writes, failed, queued;
};
void td_store_stats(struct td_store_stats *out, const struct td_store *s);

#endif
