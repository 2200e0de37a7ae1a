/*
 * server/location, inside the room. A shard belongs to its worker's loop; only images cross threads.
 */
#ifndef TANDEM_SERVER_LOCATION_INTERNAL_H
#define TANDEM_SERVER_LOCATION_INTERNAL_H

#include <errno.h>
#include "server/location/location.h"

/* ---- image.c: the bindings of one AOR, packed into one block ---- */

/*
 * Immutable while anybody but the shard holds it: an update makes a new one. So an answer, on whatever thread, only needs a
 * reference to show the state it speaks of. A refresh of one that nobody else holds is written into it. node and due are the
 * shard's own; references are taken on its thread alone, and given back on any.
 */
struct image {
	struct td_map_node node;
	struct td_link due; /* in the shard's wheel */
	uint64_t id;        /* of its row in the store; 0: it has none */
	_Atomic uint32_t refs;
	uint16_t binding_n, aor_n;
	char bytes[]; /* the AOR, then per binding: struct packed, flow, Path if any, contact, params, Call-ID, agent */
};

/* id: of its row, written at wall_s; 0 when it has none. NULL: no memory. */
struct image *image_new(struct td_str aor, const struct td_binding *b, unsigned n, uint64_t id, uint64_t wall_s);
struct image *image_ref(struct image *im);
void image_unref(struct image *im); /* NULL is ignored */
struct td_str image_aor(const struct image *im);
enum image_refresh { IMAGE_OTHER, IMAGE_REFRESHED, IMAGE_SHORTENED };
/*
 * Takes a refresh into im, if it is one: a single live contact that differs in nothing from what is kept but in a higher CSeq,
 * its time, q and where it came from, and im is held by nobody else. IMAGE_OTHER: it is more than that, nothing was done.
 * IMAGE_SHORTENED: it ends earlier than it did.
 *
 * With durable it is one only if the row says enough: see stored_expiry().
 */
enum image_refresh image_refresh(struct image *im, const struct td_loc_update *up, uint64_t wall_s, bool durable);

/*
 * Writing each refresh to disk would be most of what a registrar does, and say little. So a row carries a share of the lifetime on
 * top of it, and a refresh that changes nothing is not written until the present lifetime ends later than the row says. Phones refresh
 * at half of their lifetime or later; at five eighths those at half, late ones among them, are written every other time.
 *
 * What a restart then knows:
 * - Every contact that was acknowledged, from the same flow, for at least as long as was promised: nothing is lost early. One that was
 *   not refreshed any more may be tried for that share longer than promised.
 * - A CSeq that may be lower than the last one acknowledged (the Call-ID is the same, or it would have been written). A request from
 *   between the two is taken once more. If it is one of those refreshes, it does what it did. If it is another change, which
 *   the phone sent earlier and got no answer to, and which arrives only after the restart, it is done late instead of refused;
 *   the phone's next refresh mends it. It is no replay by a stranger: the nonces of the time before are stale (their key is drawn at
 *   start), and whoever can send from a trusted source needs no old request.
 */
uint64_t stored_expiry(uint64_t expires_at_s, uint64_t wall_s);
/* Walks the bindings: *at 0 at first; false at the end. Expired ones too. */
bool image_next(struct td_binding *out, const struct image *im, size_t *at);
/* When something is to be done about it: a binding ends, or its phone is to be told that it will. */
uint64_t image_due(const struct image *im);
/* Tells of those that end soon, if nobody else holds im. */
void image_tell_ending(struct image *im, uint64_t wall_s, td_loc_ending_fn *fn, void *arg);

enum { LOC_MAX_FIELD = 65535, LOC_MAX_AGENT = 120 };

/* ---- plan.c: §10.3 steps 6 and 7, as a function ---- */

enum { PLAN_INLINE = 2 };
struct planned {
	struct td_binding b;
	bool live, changed;
};

struct plan {
	struct planned *p, inline_p[PLAN_INLINE];
	unsigned n, cap;
	bool changed;
};

/* 0, TD_EORDER, TD_ELIMIT, -ENOMEM. Views go into `now` and `up`. plan_free() after success. */
int plan_make(struct plan *out, const struct image *now, const struct td_loc_update *up, uint64_t wall_s);
void plan_free(struct plan *p);
/* The AOR's new image; *out NULL when nothing is left. id, wall_s: as for image_new(). */
int plan_image(struct image **out, const struct plan *p, struct td_str aor, uint64_t id, uint64_t wall_s);
int plan_write(struct td_store_write *w, const struct plan *p, struct td_str aor, uint64_t id, uint64_t wall_s);

/* ---- shard.c ---- */

enum { SLOT_S = 2, SLOTS = 4096 }; /* the wheel: 8,192 s ahead; what is later comes round again */

struct shard {
	struct td_location *loc;
	struct td_loop *loop;
	struct td_map map, flights, watches;
	uint32_t telling;     /* which news is being told: who has heard of it bears the number */
	struct td_link calls; /* made by this worker, not answered yet */
	struct td_timer sweep;
	uint64_t cursor; /* the wheel's slot that is swept next */
	bool loading;    /* an address that is not in the map may be in the store still */
	bool detached;
	td_loc_ending_fn *ending; /* NULL: nobody is told */
	void *ending_arg;
	struct walk *walks; /* they wait for the end of that */
	struct parcel {
		struct td_mail mail;
		struct image *images; /* chained by node.next */
		bool last;
	} parcel;
	struct td_link due[SLOTS];
	_Atomic uint64_t aors, contacts;
};

/* Rows on their way from the store to the shards: load.c. It runs on the first shard's loop. */
struct loader {
	struct td_store_page page[2]; /* one is read while the other is taken in */
	unsigned at;                  /* the one to be taken in next */
	bool arrived, stopped, failing;
	_Atomic unsigned out; /* shards that have their part of the last page still before them */
	struct td_mail taken; /* from the last of these */
	struct td_timer again;
	_Atomic uint64_t position, end; /* ids: how far it is */
};

struct td_location {
	bool durable;
	struct td_store *store;
	struct td_log *log;
	struct td_hash_key key;
	unsigned workers;
	struct shard *shards;
	_Atomic uint8_t *interest; /* by class of address, then by worker */
	struct loader loader;
};

struct request;

struct td_loc_call {
	struct td_link link; /* in its worker's shard.calls */
	struct td_mail mail;
	struct td_defer defer;
	struct td_loc_call *next; /* waits behind a write for the same AOR */
	struct shard *from, *at;  /* who asked; who knows */
	td_loc_fn *fn;            /* NULL: cancelled */
	void *arg;
	uint64_t hash;
	int err;
	struct image *result;
	struct request *req; /* a copy, when it has to wait or travel */
};

struct request {
	bool lookup;
	struct td_loc_update up;
	struct td_loc_change changes[]; /* then the strings */
};

int shard_open(struct shard *sh, struct td_location *loc);
void shard_close(struct shard *sh);
struct image *shard_find(const struct shard *sh, uint64_t hash, struct td_str aor);
/* im takes old's place; either may be NULL. im's reference is handed over. */
void shard_swap(struct shard *sh, struct image *old, struct image *im, uint64_t hash);
/*
 * An update that waits for nothing: *err and *result (a reference, or NULL) are its answer. False: it must wait for the disk, or
 * behind one that does; shard_update() is for that.
 */
bool shard_update_now(int *err, struct image **result, struct shard *sh, uint64_t hash, const struct td_loc_update *up);
/* The same of a lookup: the image if there is one. False: it is not known yet. */
bool shard_lookup_now(struct image **result, const struct shard *sh, uint64_t hash, struct td_str aor);
/* Answers, now or when it is known. call->req may be used later. */
int shard_lookup(struct td_loc_call *call, struct td_str aor);
/* An image from the store; whoever waits for it goes on. The reference is handed over. */
void shard_take(struct shard *sh, struct image *im, uint64_t hash);
/* Everything is there that the store has. */
void shard_loaded(struct shard *sh);
/* Sets call->err and call->result and finishes it, now or when the store has answered. call->req may be used later. */
int shard_update(struct td_loc_call *call, const struct td_loc_update *up);
void call_finish(struct td_loc_call *call);
int call_keep_request(struct td_loc_call *call, const struct td_loc_update *up, bool lookup);
void call_free(struct td_loc_call *call);
struct shard *shard_of(const struct td_location *loc, uint64_t hash);

/* ---- location.c ---- */

void image_show(const struct image *im, int err, uint64_t wall_s, td_loc_fn *fn, void *arg);

/* ---- watch.c ---- */

enum { INTEREST_CLASSES = 4096 };
int watch_open(struct td_location *loc, unsigned workers);
void watch_close(struct td_location *loc);
/* The address was updated and is im now: whoever watches hears of it. */
void watch_tell(struct shard *sh, uint64_t hash, struct image *im);

/* ---- load.c, list.c ---- */

void loader_open(struct td_location *loc, unsigned page_rows);
void loader_stop(struct td_location *loc);  /* on the first shard's loop */
void loader_close(struct td_location *loc); /* when no loop runs any more and the store is closed */
struct walk;
void walks_go_on(struct shard *sh); /* sh is loaded */

#endif
