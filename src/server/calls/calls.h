/*
 * server/calls: the calls that go through the proxy. A call is tracked from its INVITE to its end, on the worker that has its
 * Call-ID, so nothing here takes a lock. The proxy tells what passes it; other rooms may hang something on a call, and hear when
 * it is over.
 *
 * A call ends with the final failure of its INVITE, with the BYE for its last answered dialog (RFC 3261 §15; a fork may have been
 * answered twice, §13.2.2.4), or after calls.longest. BYE is seen because we record-route (§16.6 item 4). Whatever cannot be
 * tracked goes through all the same, and is counted. With calls.records the store gets a record of what ended; no call waits for it.
 */
#ifndef TANDEM_SERVER_CALLS_H
#define TANDEM_SERVER_CALLS_H

#include "server/route/route.h"

struct td_calls; /* of all workers */
struct td_call;  /* one call; belongs to its worker's loop */

enum td_call_state { TD_CALL_TRYING, TD_CALL_RINGING, TD_CALL_ANSWERED, TD_CALL_ENDED };
enum td_call_ender {
	TD_ENDER_CALLER,
	TD_ENDER_CALLEE,
	TD_ENDER_SERVER,  /* nobody was there, or nobody answered */
	TD_ENDER_LONGEST, /* calls.longest went by: a BYE was lost, or they talk on without us */
	TD_ENDER_STOP     /* the server stopped; they talk on */
};

struct td_str td_call_state_name(enum td_call_state s);
struct td_str td_call_ender_name(enum td_call_ender e);

struct td_calls_options {
	unsigned workers;
	struct td_store *store; /* for records; borrowed. NULL: none are kept */
	struct td_log *log;
};

int td_calls_open(struct td_calls **out, struct td_rng *rng, const struct td_calls_options *opt);
/* A worker's part lives on its loop and reads its configuration. core is kept. All attach before the first call. */
void td_calls_attach(struct td_calls *calls, struct td_core *core);
/* When the worker stops, after the proxy: ends every call of it. What was posted must still be delivered afterwards. */
void td_calls_detach(struct td_calls *calls, unsigned worker);
void td_calls_close(struct td_calls *calls); /* when no loop runs any more */

/* ---- what the proxy tells; on the worker of the call ---- */

/* An INVITE outside any dialog goes to its target. NULL: it is not tracked, and goes on. The proxy holds the call until
 * td_call_release(). */
struct td_call *td_call_begin(struct td_calls *calls, struct td_core *core, const struct td_msg *invite,
			      const struct td_route *route);
/*
 * calls.per_user: may there be one more call of this caller, and of this callee? Both are counted, where they are users of ours,
 * until the call ends in whatever way. TD_CALL_WAIT: another worker knows; fn is called with the verdict, unless the call was
 * released before. Where no memory is left to count with, it may.
 */
enum td_call_verdict { TD_CALL_GO, TD_CALL_CALLER_FULL, TD_CALL_CALLEE_FULL, TD_CALL_WAIT };
typedef void td_call_admit_fn(void *arg, enum td_call_verdict v);
enum td_call_verdict td_call_admit(struct td_call *call, td_call_admit_fn *fn, void *arg);
/* A response to the INVITE goes up: 101 to 699, with its To tag; by: whose doing it is, should it end the call. */
void td_call_response(struct td_call *call, unsigned status, struct td_str to_tag, enum td_call_ender by);
/* The proxy has nothing more to say about its INVITE. A call without final response ends with it. */
void td_call_release(struct td_call *call);
/* A BYE that may be believed was answered, or nobody is there to answer it: ends the dialog it names. */
void td_calls_bye(struct td_calls *calls, const struct td_core *core, const struct td_msg *bye);

/* ---- what others may know ---- */

struct td_call_view {
	uint64_t id;                           /* unique among all calls of this installation */
	struct td_str caller, callee, call_id; /* addresses of record; borrowed from the call */
	struct td_str caller_tag;              /* From tag of the INVITE */
	uint64_t start_ms, ring_ms, answer_ms; /* unix, UTC; 0: not yet */
	enum td_call_state state;
	unsigned status; /* of the last response that changed the state; 0: none */
};

void td_call_look(struct td_call_view *out, const struct td_call *call);
/* The call with this answered dialog, seen from either side; NULL. */
struct td_call *td_calls_find(struct td_calls *calls, const struct td_core *core, struct td_str call_id, struct td_str tag,
			      struct td_str other_tag);

/* Something of another room that lives as long as a call. Intrusive: embed it. */
struct td_call_attachment {
	struct td_call_attachment *next;
	/* The call is over; the last word about it. a is off the list and may be freed. */
	void (*ended)(struct td_call_attachment *a, struct td_call *call);
};

void td_call_attach(struct td_call *call, struct td_call_attachment *a);
void td_call_detach(struct td_call *call, struct td_call_attachment *a);

/* For `tandem calls`: every call of every worker, oldest first of each, a few at a time so that nobody is held up; fn runs on
 * `loop`, and is called with NULL at the end. 0 or -ENOMEM. */
typedef void td_calls_each_fn(void *arg, const struct td_call_view *call);
int td_calls_each(struct td_calls *calls, struct td_loop *loop, td_calls_each_fn *fn, void *arg);

struct td_calls_stats {
	uint64_t open, users;              /* now; the latter: whom calls.per_user counts */
	uint64_t untracked;                /* no memory for them */
	uint64_t caller_full, callee_full; /* refused by calls.per_user */
	uint64_t recorded, records_lost;   /* in the store; not, because it failed or could not follow */
};
void td_calls_stats(struct td_calls_stats *out, const struct td_calls *calls, unsigned worker); /* on its loop */

#endif
