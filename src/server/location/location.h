/*
 * server/location: the bindings of an address of record (RFC 3261 §10). Sharded by AOR over the workers; every call is
 * answered by a callback on the caller's thread, whether the answer was in this worker's memory, another's, or on disk. With
 * registrations: durable, an update is answered when it is on disk and not before.
 *
 * What this worker's memory knows is answered inside the call, before it returns: to put off what is known already cost an
 * allocation and a queue for each request, and callers need no order among their own questions. Everything else is answered
 * from the loop. *out tells which it was.
 */
#ifndef TANDEM_SERVER_LOCATION_H
#define TANDEM_SERVER_LOCATION_H

#include <tandem/transport.h>
#include "server/store/store.h"

/* One binding as callers see it; views are valid during the callback only. */
struct td_binding {
	struct td_str contact; /* the Contact's URI as registered */
	struct td_str params;  /* its header parameters except expires and q (";+sip.instance=…"), or empty */
	struct td_str call_id;
	struct td_str user_agent;
	struct td_str path; /* the values of Path, commas between them: a Route towards the contact (RFC 3327); mostly empty */
	uint32_t cseq;
	int16_t q;             /* 0..1000 */
	bool wakes;            /* its phone sleeps, and is woken by a push: told when it ends (td_location_on_ending()) */
	bool told;             /* and has been */
	uint64_t expires_at_s; /* wall clock */
	struct td_flow flow;   /* it registered by this: reached here, NAT or not */
};

/* The phone a contact is of, and the flow it stands for: read from its parameters. Views into them. */
struct td_instance {
	struct td_str id; /* +sip.instance, with its quotes; empty: none is told */
	uint32_t reg_id;  /* 0: none */
};

TD_RARE bool td_instance_of(struct td_instance *out, struct td_str params); /* false: it has no id */
/* Does it stand for one flow of one phone (RFC 5626)? Then it is that which makes it one binding, and not its URI. */
TD_RARE bool td_instance_is_flow(struct td_str params);

enum td_loc_kind { TD_LOC_QUERY, TD_LOC_UPDATE, TD_LOC_REMOVE_ALL };

struct td_loc_change {
	struct td_str contact; /* a URI that parses: compared by §19.1.4, unless td_instance_is_flow(params) */
	struct td_str params;
	int16_t q;
	bool wakes;
	uint32_t expires_s; /* 0 removes */
};

/* A REGISTER, checked and authorised. Views are borrowed for the call; location copies what it keeps. */
struct td_loc_update {
	enum td_loc_kind kind;
	struct td_str aor;
	uint64_t hash; /* of aor, from td_location_expect(); 0: nobody asked */
	struct td_str call_id, user_agent;
	struct td_str path; /* of all its contacts */
	uint32_t cseq;
	const struct td_loc_change *changes;
	unsigned change_n;
	struct td_flow flow;
	uint32_t max_contacts;
};

/* err 0: bindings after the update (or query). TD_EORDER: CSeq not above the stored one for this Call-ID (§10.3 step 7); an equal
 * CSeq of the same Call-ID is a retransmission and gets the present bindings. TD_ELIMIT: too many contacts (A11). -EAGAIN: too many updates of this address
 * wait for the disk. Another -errno: store. */
typedef void td_loc_fn(void *arg, int err, const struct td_binding *b, unsigned n);

struct td_location; /* all shards */

struct td_location_options {
	bool durable;
	struct td_store *store; /* may be NULL when not durable */
	unsigned workers;
	unsigned load_rows; /* addresses read from the store at a time; 0: 500 */
	struct td_log *log;
};

int td_location_open(struct td_location **out, struct td_rng *rng, const struct td_location_options *opt);
/* The shard of a worker lives on its loop. All shards must be attached before the first call. */
int td_location_attach(struct td_location *loc, unsigned worker, struct td_loop *loop);
/*
 * Fills the shards from the store: the first rows in this call, before the loops run, and an error if they cannot be read; the rest
 * while the loops run. Until all are there, who asks for an address that has not come yet, or that there is not, waits for it.
 */
int td_location_load(struct td_location *loc);
void td_location_detach(struct td_location *loc, unsigned worker); /* on its loop, when it stops */
void td_location_close(struct td_location *loc);                   /* when no loop runs any more and the store is closed */

/*
 * From worker `worker`'s loop. 0: fn was called already, and *out is NULL (it is so when fn runs), or fn will be called from the loop;
 * until then *out may be given to td_loc_cancel(). Not 0: fn is never called, *out is untouched.
 */
struct td_loc_call;
int td_location_update(struct td_loc_call **out, struct td_location *loc, unsigned worker, const struct td_loc_update *up,
		       td_loc_fn *fn, void *arg);
int td_location_lookup(struct td_loc_call **out, struct td_location *loc, unsigned worker, struct td_str aor, td_loc_fn *fn,
		       void *arg);
void td_loc_cancel(struct td_loc_call *call); /* fn is not called any more */

/*
 * To hear of registrations while something waits for them: a call that rings takes in phones that come late, one that was held until a
 * sleeping phone was woken goes on to it. fn gets all live bindings of the address after each update that leaves it with any, a
 * refresh too; never for one that expires. It is called from the worker's loop by mail, so not inside the update, and it may end any
 * watch and begin others.
 *
 * What there is already is not told: who watches first and asks then (td_location_lookup()) misses nothing, and may hear of the same
 * binding twice. When memory is out an update may not be told. Of those who watch one address from one worker, TD_LOC_TOLD are told of an update, in no order: a REGISTER must not set off
 * work without end. So nobody may rely on hearing: a timer stands beside each watch.
 *
 * The struct stands in who watches; it is location's until td_location_unwatch(). Nothing can fail. td_location_unwatch() of one
 * that does not watch (all zero) does nothing.
 */
enum { TD_LOC_TOLD = 32 };
struct td_loc_watch;
typedef void td_loc_watch_fn(struct td_loc_watch *w, const struct td_binding *b, unsigned n);
struct td_loc_watch {
	struct td_map_node node; /* of the first who watches this address from this worker */
	struct td_link ring;     /* all of them */
	td_loc_watch_fn *fn;     /* NULL: it does not watch */
	uint32_t told;
	bool first;
};
void td_location_watch(struct td_loc_watch *w, struct td_location *loc, unsigned worker, struct td_str aor, td_loc_watch_fn *fn);
void td_location_unwatch(struct td_loc_watch *w, struct td_location *loc, unsigned worker);
/* td_location_lookup() of the address w watches, from the same worker: its hash is known. */
int td_location_lookup_watched(struct td_loc_call **out, struct td_location *loc, unsigned worker, const struct td_loc_watch *w,
			       struct td_str aor, td_loc_fn *fn, void *arg);

/*
 * For who knows an address before he has all of his question: among a million of them what is asked for is in no cache. Each step asks
 * the memory for what the next one reads; they may be left out. The hash is td_loc_update's.
 */
uint64_t td_location_expect(const struct td_location *loc, unsigned worker, struct td_str aor);
void td_location_approach(const struct td_location *loc, unsigned worker, uint64_t hash);

/*
 * For phones that sleep until they are told to register anew (RFC 8599 §5.5): fn is called once for each binding with `wakes`, on the loop
 * of the worker whose shard has it, TD_LOC_ENDING_S seconds before it ends. False: not now; it is called again two seconds later. True: it
 * is not called again before the phone has registered anew, whatever came of what fn began.
 */
enum { TD_LOC_ENDING_S = 120 };
typedef bool td_loc_ending_fn(void *arg, struct td_str aor, const struct td_binding *b);
void td_location_on_ending(struct td_location *loc, unsigned worker, td_loc_ending_fn *fn, void *arg);

struct td_location_stats {
	uint64_t aors, contacts;
	unsigned loaded_percent; /* of what the store had at the start */
};
void td_location_stats(struct td_location_stats *out, const struct td_location *loc); /* any thread, approximate */
/* For `tandem registrations`: every binding of every shard, each shard's part on its own loop's time; fn runs on `loop`;
 * called with aor.p NULL at the end. filter: an AOR, or empty for all. */
typedef void td_loc_each_fn(void *arg, struct td_str aor, const struct td_binding *b);
int td_location_each(struct td_location *loc, struct td_loop *loop, struct td_str filter, td_loc_each_fn *fn, void *arg);

#endif
