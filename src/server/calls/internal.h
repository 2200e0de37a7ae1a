/*
 * calls, private.
 *
 *   calls.c    a call's life, from the INVITE to its end
 *   list.c     all of them, shown to another thread
 *   places.c   how many calls a user has
 *   record.c   what is kept of a call in the store
 *   dialog.c   the answered dialogs of a call, found by Call-ID and both tags
 */
#ifndef TD_SERVER_CALLS_INTERNAL_H
#define TD_SERVER_CALLS_INTERNAL_H

#include <stdalign.h>

#include "server/calls/calls.h"

enum {
	TAG_ROOM = 40,    /* behind a call: the callee's tag, as long as most are; a longer one stands alone */
	MAX_DIALOGS = 64, /* of one call: a callee must not fill the memory by answering under ever new tags */
};

/* An answered dialog (§12). A call has one; when several branches answered, one for each. */
struct dialog {
	struct td_map_node node;
	struct td_call *call;
	struct dialog *next;
	bool over;      /* off the map; kept, so that a late repetition of its 2xx is no new dialog */
	uint16_t tag_n; /* the callee's tag stands behind the dialog, of a call's first one behind the call */
};

struct td_call {
	struct td_link link; /* in its worker's list, in the order of their starts */
	struct shard *shard;
	struct td_call_attachment *attached;
	struct ticket *ticket;  /* its places among the calls of its users; NULL: it is not counted */
	struct dialog *dialogs; /* of its whole life */
	uint64_t id;
	uint64_t wall_ms, start_ms;  /* both clocks: dates come from one, spans from the other */
	uint32_t ring_ms, answer_ms; /* since start_ms */
	uint16_t status;
	uint16_t call_id_n, tag_n, caller_n, callee_n;
	uint8_t state, dialogs_n, dialogs_open;
	bool caller_is_ours;
	bool rang;
	bool held; /* by the proxy: the INVITE's transaction may bring more */
	struct dialog first;
	char text[]; /* Call-ID, the caller's tag, caller, callee, TAG_ROOM */
};

/* A worker's part. */
struct shard {
	alignas(64) struct td_calls *all; /* no two workers' parts in one cache line */
	struct td_core *core;             /* NULL: before and after its worker runs */
	struct td_loop *loop;
	struct td_link calls;
	struct td_map dialogs;
	struct td_map users;  /* those this worker counts, with at least one call */
	struct td_link walks; /* lists being made that go on here later */
	struct td_timer longest;
	struct td_store_write *records; /* gathered, to be given to the store soon */
	struct td_timer submit;
	unsigned unwritten; /* records gathered, and on their way to the disk */
	bool losing;        /* said once, until the store follows again */
	uint32_t serial;    /* of ids */
	struct td_calls_stats stats;
};

struct td_calls {
	struct td_store *store;
	struct td_log *log;
	struct td_hash_key key;
	unsigned workers;
	struct shard shards[];
};

struct td_str call_id_of(const struct td_call *c);
struct td_str caller_tag_of(const struct td_call *c);
uint32_t since_start(const struct td_call *c); /* ms */
void call_end(struct td_call *c, enum td_call_ender by, unsigned status);

/* places.c */
int users_open(struct shard *sh);
void users_close(struct shard *sh);
void call_leave(struct td_call *c); /* gives its places back */

/* list.c */
void walks_pass(struct td_call *c); /* it leaves the list: who would go on with it goes on behind it */

/* record.c */
void records_open(struct shard *sh);
void records_stop(struct shard *sh); /* gives the store what is gathered */
void call_record(const struct td_call *c, enum td_call_ender by);

/* dialog.c */
struct td_str dialog_tag(const struct dialog *d);
/* The dialog of this To tag is up. 0, also when it is known; -ENOMEM. */
int dialog_add(struct td_call *c, struct td_str to_tag);
struct dialog *dialog_find(struct shard *sh, struct td_str call_id, struct td_str tag, struct td_str other_tag);
void dialog_over(struct dialog *d);
void dialogs_free(struct td_call *c);

#endif
