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

/* ---- addresses of record ---- */

/* flow.conn is not kept: a connection does not outlive the process. Of the user agent 255 bytes are. Times end in 2106. */
struct td_store_binding {
	struct td_str contact, params, call_id, user_agent; /* at most 65,535 bytes each */
	struct td_str path;                                 /* so is this: the Path it registered by (RFC 3327), mostly none */
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
/* An address with all its bindings is one row. id: a number of its own, which its keeper remembers. */
uint64_t td_store_new_id(struct td_store *s); /* any thread */
/* Copies. Takes the place of what the row held. -ENOMEM, -EMSGSIZE. */
int td_store_put_address(struct td_store_write *w, uint64_t id, struct td_str aor, const struct td_store_binding *b, unsigned n);
int td_store_delete_address(struct td_store_write *w, uint64_t id);
void td_store_submit(struct td_store_write *w);     /* an empty one is a barrier: done after all before it are on disk */
void td_store_write_free(struct td_store_write *w); /* one that was not submitted; submitted ones are freed after done */

/*
 * Addresses are read in the order of their ids, a page at a time. The reader owns the page, asks for the first with after 0 and
 * until UINT64_MAX or td_store_last_id(), and for the next with the page as it came back; one with n < most was the last.
 */
struct td_store_page {
	uint64_t after, until; /* ids above `after`, which is moved on; not above `until` */
	unsigned most, n;      /* rows asked for; rows that came */
	struct td_out rows;    /* td_out_free() it in the end */
	/* for td_store_ask_page() */
	struct td_loop *loop;
	void (*fn)(struct td_store_page *pg, int err, void *arg); /* by mail to loop */
	void *arg;
	/* the store's */
	struct td_store_page *next;
	struct td_mail mail;
	int err;
};

struct td_store_row {
	uint64_t id;
	struct td_str aor, bindings; /* views into the page */
};

uint64_t td_store_last_id(const struct td_store *s);                  /* no row has a higher one; 0: there is none */
int td_store_read_page(struct td_store *s, struct td_store_page *pg); /* in the calling thread */
/* By the writer's thread, between two batches. The page must stay until fn ran, or td_store_close() returned. */
void td_store_ask_page(struct td_store *s, struct td_store_page *pg);
bool td_store_page_next(struct td_store_row *out, const struct td_store_page *pg, size_t *at); /* *at: 0 at first */
/* Takes one off a row's bindings: 1; 0 at the end; TD_ESYNTAX: not written by us. Views into *rest. */
int td_store_binding_next(struct td_store_binding *out, struct td_str *rest);

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
/* With these, the oldest records that ended before this time go, at most twice as many as come: no commit has to remove all that a
 * shorter calls.keep makes old. */
void td_store_forget_calls(struct td_store_write *w, uint64_t ended_before_ms);
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
