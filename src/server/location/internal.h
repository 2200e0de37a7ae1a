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
	_Atomic uint32_t refs;
	uint16_t binding_n, aor_n;
	char bytes[]; /* the AOR, then per binding: struct packed, flow, contact, params, Call-ID, agent */
};

struct image *image_new(struct td_str aor, const struct td_binding *b, unsigned n); /* NULL: no memory */
struct image *image_ref(struct image *im);
void image_unref(struct image *im); /* NULL is ignored */
struct td_str image_aor(const struct image *im);
enum image_refresh { IMAGE_OTHER, IMAGE_REFRESHED, IMAGE_SHORTENED };
/*
 * Takes a refresh into im, if it is one: a single live contact that differs in nothing from what is kept but in a higher CSeq,
 * its time, q and where it came from, and im is held by nobody else. IMAGE_OTHER: it is more than that, nothing was done. IMAGE_SHORTENED: it ends
 * earlier than it did.
 */
enum image_refresh image_refresh(struct image *im, const struct td_loc_update *up, uint64_t wall_s);
/* Walks the bindings: *at 0 at first; false at the end. Expired ones too. */
bool image_next(struct td_binding *out, const struct image *im, size_t *at);
uint64_t image_earliest(const struct image *im); /* expiry */

enum { LOC_MAX_FIELD = 65535, LOC_MAX_AGENT = 120 };

/* ---- plan.c: §10.3 steps 6 and 7, as a function ---- */

enum { PLAN_INLINE = 2 };
struct planned {
	struct td_binding b;
	bool live, changed;
	struct td_str on_disk; /* the contact it is stored under; p NULL: not stored yet */
};

struct plan {
	struct planned *p, inline_p[PLAN_INLINE];
	unsigned n, cap;
	bool changed;
};

/* 0, TD_EORDER, TD_ELIMIT, -ENOMEM. Views go into `now` and `up`. plan_free() after success. */
int plan_make(struct plan *out, const struct image *now, const struct td_loc_update *up, uint64_t wall_s);
void plan_free(struct plan *p);
/* The AOR's new image; *out NULL when nothing is left. */
int plan_image(struct image **out, const struct plan *p, struct td_str aor);
int plan_write(struct td_store_write *w, const struct plan *p, struct td_str aor);

/* ---- shard.c ---- */

enum { SLOT_S = 2, SLOTS = 4096 }; /* the wheel: 8,192 s ahead; what is later comes round again */

struct shard {
	struct td_location *loc;
	struct td_loop *loop;
	struct td_map map, flights;
	struct td_link calls; /* made by this worker, not answered yet */
	struct td_timer sweep;
	uint64_t cursor; /* the wheel's slot that is swept next */
	struct td_link due[SLOTS];
	_Atomic uint64_t aors, contacts;
};

struct td_location {
	bool durable;
	struct td_store *store;
	struct td_log *log;
	struct td_hash_key key;
	unsigned workers;
	struct shard *shards;
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
/* Sets call->err and call->result and finishes it, now or when the store has answered. call->req may be used later. */
int shard_update(struct td_loc_call *call, const struct td_loc_update *up);
void call_finish(struct td_loc_call *call);
int call_keep_request(struct td_loc_call *call, const struct td_loc_update *up, bool lookup);
void call_free(struct td_loc_call *call);
struct shard *shard_of(struct td_location *loc, uint64_t hash);

#endif
