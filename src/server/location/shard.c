/*
 * A worker's share of the addresses. The map always shows what is on disk (or, with registrations: memory, what was
 * accepted). A durable update is planned on it, written, and swapped in when the store says so; while that write is under
 * way (a "flight"), further updates and queries of the same address wait behind it, so each is answered from a state that
 * is on disk and in the order they came. A write that fails changes nothing here. A refresh that the disk knows enough of is
 * taken in at once.
 *
 * After a start with many addresses in the store, they come while the shard serves already. Who asks for one that is not there
 * yet waits in a flight too, one without a write, until it comes or all have come. Otherwise lookups never wait.
 *
 * Expired bindings are never shown; a wheel finds and removes them, a bounded number per turn.
 */
#include <stdlib.h>
#include "server/location/internal.h"

enum {
	SWEEP_PER_TURN = 300,
	WAITING_PER_AOR = 64, /* each waits for a commit of its own: one address must not fill the memory for all */
};

struct flight {
	struct td_map_node node;
	struct shard *shard;
	struct td_loc_call *call;        /* whose write is under way */
	struct image *next;              /* what the address will be */
	struct td_loc_call *head, *tail; /* waiting, in order; each holds its request */
	unsigned waiting;
	size_t aor_n;
	char aor[];
};

/* ---- map ---- */

static bool image_is(const struct td_map_node *node, const void *aor)
{
	return td_str_eq(image_aor(TD_CONTAINER_OF(node, struct image, node)), *(const struct td_str *)aor);
}

struct image *shard_find(const struct shard *sh, uint64_t hash, struct td_str aor)
{
	struct td_map_node *n = td_map_find(&sh->map, hash, image_is, &aor);

	return n ? TD_CONTAINER_OF(n, struct image, node) : NULL;
}

static bool flight_is(const struct td_map_node *node, const void *aor)
{
	const struct flight *f = TD_CONTAINER_OF(node, struct flight, node);

	return td_str_eq(td_str_n(f->aor, f->aor_n), *(const struct td_str *)aor);
}

static struct flight *find_flight(const struct shard *sh, uint64_t hash, struct td_str aor)
{
	struct td_map_node *n = sh->flights.count ? td_map_find(&sh->flights, hash, flight_is, &aor) : NULL;

	return n ? TD_CONTAINER_OF(n, struct flight, node) : NULL;
}

/* ---- expiry ---- */

/*
 * An image stands in the wheel where it was due when it was made. Refreshes leave it there: moving it would touch two others at
 * random places of the memory each time. When its turn comes, the sweep finds that it is not due yet and moves it, once in a
 * lifetime. It never stands later than it is due.
 */

static void place_due(struct shard *sh, struct image *im)
{
	uint64_t slot = image_due(im) / SLOT_S + 1;

	if (slot <= sh->cursor)
		slot = sh->cursor + 1;
	if (slot > sh->cursor + SLOTS - 1)
		slot = sh->cursor + SLOTS - 1;
	td_list_add_tail(&sh->due[slot % SLOTS], &im->due);
}

static void count(struct shard *sh, const struct image *im, int sign)
{
	if (!im)
		return;
	atomic_store_explicit(&sh->aors, sh->aors + (uint64_t)(int64_t)sign, memory_order_relaxed);
	atomic_store_explicit(&sh->contacts, sh->contacts + (uint64_t)(int64_t)(sign * im->binding_n), memory_order_relaxed);
}

void shard_swap(struct shard *sh, struct image *old, struct image *im, uint64_t hash)
{
	count(sh, old, -1);
	count(sh, im, 1);
	if (old) {
		td_map_del(&sh->map, &old->node);
		td_list_del(&old->due);
		image_unref(old);
	}
	if (!im)
		return;
	if (!td_timer_running(&sh->sweep)) {
		sh->cursor = td_loop_wall_s(sh->loop) / SLOT_S;
		td_timer_start(sh->loop, &sh->sweep, SLOT_S * 1000);
	}
	td_map_add(&sh->map, &im->node, hash);
	place_due(sh, im);
}

/* Takes the expired bindings out of one image, and into *w the rows that go. False: not now. */
static bool expire(struct shard *sh, struct image *im, struct td_store_write **w, uint64_t wall_s)
{
	static const struct td_loc_update nothing = { .kind = TD_LOC_UPDATE, .max_contacts = UINT32_MAX };
	struct td_str aor = image_aor(im);
	uint64_t hash = im->node.hash;
	struct image *rest;
	struct plan plan;
	bool done = false;

	if (find_flight(sh, hash, aor) || plan_make(&plan, im, &nothing, wall_s))
		return false;
	if (plan.changed && !plan_image(&rest, &plan, aor, im->id, wall_s)) {
		if (sh->loc->durable && !*w)
			*w = td_store_write_new(sh->loc->store, NULL, NULL, NULL);
		if (!sh->loc->durable || (*w && !plan_write(*w, &plan, aor, im->id, wall_s))) {
			shard_swap(sh, im, rest, hash);
			done = true;
		} else {
			image_unref(rest);
		}
	}
	plan_free(&plan);
	return done;
}

static void sweep(struct td_timer *tm, void *arg)
{
	struct shard *sh = arg;
	uint64_t wall_s = td_loop_wall_s(sh->loop), now = wall_s / SLOT_S;
	struct td_store_write *w = NULL;
	unsigned left = SWEEP_PER_TURN;

	td_timer_start(sh->loop, tm, SLOT_S * 1000);
	if (now > sh->cursor + SLOTS)
		sh->cursor = now - SLOTS; /* the wall clock jumped: once round is enough */
	while (sh->cursor <= now && left) {
		struct td_link *slot = &sh->due[sh->cursor % SLOTS];

		if (td_list_empty(slot)) {
			sh->cursor++;
			continue;
		}
		struct image *im = TD_CONTAINER_OF(slot->next, struct image, due);
		td_list_del(&im->due);
		image_tell_ending(im, wall_s, sh->ending, sh->ending_arg);
		if (!expire(sh, im, &w, wall_s))
			place_due(sh, im);
		left--;
	}
	if (w)
		td_store_submit(w);
	if (sh->cursor <= now)
		td_timer_start(sh->loop, tm, 1);
	else if (sh->map.count == 0)
		td_timer_stop(sh->loop, tm);
}

/* ---- updates ---- */

static void written(struct td_store_write *w, int err, void *arg);

/* A refresh that changes nothing but times, and needs no writing. */
static bool take_refresh(struct shard *sh, struct image *im, const struct td_loc_update *up)
{
	enum image_refresh refreshed = image_refresh(im, up, td_loop_wall_s(sh->loop), sh->loc->durable);

	if (refreshed == IMAGE_OTHER)
		return false;
	if (refreshed == IMAGE_SHORTENED) {
		td_list_del(&im->due);
		place_due(sh, im);
	}
	watch_tell(sh, im->node.hash, im);
	return true;
}

/* A plan that changes something, in memory alone. */
static int carry_out(struct image **out, struct shard *sh, struct image *now, const struct plan *plan, struct td_str aor,
		     uint64_t hash)
{
	struct image *next;
	int err = plan_image(&next, plan, aor, 0, td_loop_wall_s(sh->loop));

	if (err)
		return err;
	shard_swap(sh, now, next, hash);
	if (next)
		watch_tell(sh, hash, next);
	*out = image_ref(next);
	return 0;
}

bool shard_update_now(int *err, struct image **result, struct shard *sh, uint64_t hash, const struct td_loc_update *up)
{
	struct image *now = shard_find(sh, hash, up->aor);
	struct plan plan TD_UNINIT;

	if (sh->loc->durable && (find_flight(sh, hash, up->aor) || (!now && sh->loading)))
		return false;
	if (up->kind == TD_LOC_QUERY || (now && take_refresh(sh, now, up))) {
		*result = image_ref(now);
		return true;
	}
	if (sh->loc->durable)
		return false;
	*err = plan_make(&plan, now, up, td_loop_wall_s(sh->loop));
	if (*err)
		return true;
	if (plan.changed)
		*err = carry_out(result, sh, now, &plan, up->aor, hash);
	else
		*result = image_ref(now);
	plan_free(&plan);
	return true;
}

bool shard_lookup_now(struct image **result, const struct shard *sh, uint64_t hash, struct td_str aor)
{
	*result = image_ref(shard_find(sh, hash, aor));
	return *result || !sh->loading;
}

/* Plans and carries out, or starts to. True: call waits for f's write; false: call->err and call->result are set. */
static bool run(struct td_loc_call *call, const struct td_loc_update *up, struct flight *f)
{
	struct shard *sh = call->at;
	struct image *now = shard_find(sh, call->hash, up->aor), *next;
	struct td_store_write *w = NULL;
	uint64_t wall_s = td_loop_wall_s(sh->loop), id;
	struct plan plan;

	if (up->kind == TD_LOC_QUERY || (now && take_refresh(sh, now, up))) {
		call->result = image_ref(now);
		return false;
	}
	call->err = plan_make(&plan, now, up, wall_s);
	if (call->err)
		return false;
	if (!plan.changed)
		call->result = image_ref(now);
	else if (!sh->loc->durable)
		call->err = carry_out(&call->result, sh, now, &plan, up->aor, call->hash);
	if (!plan.changed || !sh->loc->durable) {
		plan_free(&plan);
		return false;
	}
	id = now ? now->id : td_store_new_id(sh->loc->store);
	call->err = plan_image(&next, &plan, up->aor, id, wall_s);
	if (!call->err) {
		w = td_store_write_new(sh->loc->store, sh->loop, written, f);
		call->err = w ? plan_write(w, &plan, up->aor, id, wall_s) : -ENOMEM;
		if (call->err) {
			td_store_write_free(w);
			image_unref(next);
		}
	}
	plan_free(&plan);
	if (call->err)
		return false;
	f->call = call;
	f->next = next;
	td_store_submit(w);
	return true;
}

/* Those who wait, until one of them has to write; f ends with the last. */
static void resume(struct flight *f)
{
	struct td_loc_call *call;

	while ((call = f->head)) {
		f->head = call->next;
		f->waiting--;
		if (call->req->lookup)
			shard_lookup_now(&call->result, f->shard, call->hash, call->req->up.aor);
		else if (run(call, &call->req->up, f))
			return;
		call_finish(call);
	}
	td_map_del(&f->shard->flights, &f->node);
	free(f);
}

static void written(struct td_store_write *w, int err, void *arg)
{
	struct flight *f = arg;
	struct shard *sh = f->shard;
	struct td_loc_call *call = f->call;

	call->err = err;
	if (!err) {
		shard_swap(sh, shard_find(sh, f->node.hash, td_str_n(f->aor, f->aor_n)), f->next, f->node.hash);
		call->result = image_ref(f->next);
		if (f->next)
			watch_tell(sh, f->node.hash, f->next);
	} else {
		image_unref(f->next);
	}
	f->next = NULL;
	f->call = NULL;
	call_finish(call);
	resume(f);
}

static struct flight *flight_new(struct shard *sh, struct td_str aor)
{
	struct flight *f = malloc(sizeof(*f) + aor.n);

	if (!f)
		return NULL;
	memset(f, 0, sizeof(*f));
	f->shard = sh;
	f->aor_n = aor.n;
	if (aor.n)
		memcpy(f->aor, aor.p, aor.n);
	return f;
}

static int wait_in(struct flight *f, struct td_loc_call *call, const struct td_loc_update *up, bool lookup)
{
	int err = 0;

	if (f->waiting == WAITING_PER_AOR) {
		call->err = -EAGAIN;
		call_finish(call);
		return 0;
	}
	if (!call->req)
		err = call_keep_request(call, up, lookup);
	if (err)
		return err;
	call->next = NULL;
	if (f->head)
		f->tail->next = call;
	else
		f->head = call;
	f->tail = call;
	f->waiting++;
	return 0;
}

/* Waits until the address comes from the store, or all have come. */
static int wait_for_load(struct td_loc_call *call, const struct td_loc_update *up, bool lookup)
{
	struct shard *sh = call->at;
	struct flight *f = find_flight(sh, call->hash, up->aor), *made = NULL;
	int err;

	if (!f)
		f = made = flight_new(sh, up->aor);
	if (!f)
		return -ENOMEM;
	err = wait_in(f, call, up, lookup);
	if (err)
		free(made);
	else if (made)
		td_map_add(&sh->flights, &made->node, call->hash);
	return err;
}

int shard_lookup(struct td_loc_call *call, struct td_str aor)
{
	if (!shard_lookup_now(&call->result, call->at, call->hash, aor))
		return wait_for_load(call, &(struct td_loc_update){ .aor = aor }, true);
	call_finish(call);
	return 0;
}

void shard_take(struct shard *sh, struct image *im, uint64_t hash)
{
	struct td_str aor = image_aor(im);
	struct flight *f;

	if (shard_find(sh, hash, aor)) { /* a page was read twice */
		image_unref(im);
		return;
	}
	shard_swap(sh, NULL, im, hash);
	f = find_flight(sh, hash, aor);
	if (f)
		resume(f);
}

static bool resume_each(struct td_map_node *n, void *arg)
{
	struct flight *f = TD_CONTAINER_OF(n, struct flight, node);

	if (!f->call) /* it waits for no write */
		resume(f);
	return true;
}

void shard_loaded(struct shard *sh)
{
	sh->loading = false;
	td_map_each(&sh->flights, resume_each, NULL);
	walks_go_on(sh);
}

int shard_update(struct td_loc_call *call, const struct td_loc_update *up)
{
	struct shard *sh = call->at;
	struct flight *f = sh->loc->durable ? find_flight(sh, call->hash, up->aor) : NULL;

	if (f)
		return wait_in(f, call, up, false);
	if (sh->loading && !shard_find(sh, call->hash, up->aor))
		return wait_for_load(call, up, false);
	if (sh->loc->durable && up->kind != TD_LOC_QUERY) {
		f = flight_new(sh, up->aor);
		if (!f)
			return -ENOMEM;
	}
	if (run(call, up, f)) {
		td_map_add(&sh->flights, &f->node, call->hash);
		return 0;
	}
	free(f);
	call_finish(call);
	return 0;
}

/* ---- the shard ---- */

int shard_open(struct shard *sh, struct td_location *loc)
{
	sh->loc = loc;
	td_list_init(&sh->calls);
	for (unsigned i = 0; i < SLOTS; i++)
		td_list_init(&sh->due[i]);
	td_timer_init(&sh->sweep, sweep, sh);
	if (td_map_init(&sh->map, 64))
		return -ENOMEM;
	if (td_map_init(&sh->flights, 16) || td_map_init(&sh->watches, 16)) {
		td_map_free(&sh->flights);
		td_map_free(&sh->map);
		return -ENOMEM;
	}
	return 0;
}

static bool drop_image(struct td_map_node *n, void *arg)
{
	struct shard *sh = arg;

	td_map_del(&sh->map, n);
	image_unref(TD_CONTAINER_OF(n, struct image, node));
	return true;
}

static bool drop_flight(struct td_map_node *n, void *arg)
{
	struct shard *sh = arg;
	struct flight *f = TD_CONTAINER_OF(n, struct flight, node);

	td_map_del(&sh->flights, n);
	image_unref(f->next);
	free(f);
	return true;
}

void shard_close(struct shard *sh)
{
	for (struct image *im = sh->parcel.images, *next; im; im = next) {
		next = im->node.next ? TD_CONTAINER_OF(im->node.next, struct image, node) : NULL;
		image_unref(im);
	}
	td_map_each(&sh->map, drop_image, sh);
	td_map_each(&sh->flights, drop_flight, sh);
	td_map_free(&sh->map);
	td_map_free(&sh->flights);
	td_map_free(&sh->watches);
	while (!td_list_empty(&sh->calls))
		call_free(TD_CONTAINER_OF(sh->calls.next, struct td_loc_call, link));
}
