/*
 * The face: which shard knows an address, and how a question travels there and its answer back. What one's own shard knows is
 * answered at once.
 */
#include <stdlib.h>
#include "server/location/internal.h"

enum { ANSWER_INLINE = 2 };

struct shard *shard_of(const struct td_location *loc, uint64_t hash)
{
	return &loc->shards[(hash >> 32) % loc->workers]; /* the map uses the low bits */
}

/* ---- requests that outlive the call ---- */

static struct td_str keep(char **at, struct td_str s)
{
	struct td_str out = { s.p ? *at : NULL, s.n };

	if (s.n)
		memcpy(*at, s.p, s.n);
	*at += s.n;
	return out;
}

int call_keep_request(struct td_loc_call *call, const struct td_loc_update *up, bool lookup)
{
	size_t need = sizeof(struct request) + up->change_n * sizeof(struct td_loc_change) + up->aor.n + up->call_id.n +
		      up->user_agent.n + up->path.n;
	struct request *r;
	char *at;

	for (unsigned i = 0; i < up->change_n; i++)
		need += up->changes[i].contact.n + up->changes[i].params.n;
	r = malloc(need);
	if (!r)
		return -ENOMEM;
	at = (char *)(r->changes + up->change_n);
	r->lookup = lookup;
	r->up = *up;
	r->up.aor = keep(&at, up->aor);
	r->up.call_id = keep(&at, up->call_id);
	r->up.user_agent = keep(&at, up->user_agent);
	r->up.path = keep(&at, up->path);
	r->up.changes = r->changes;
	for (unsigned i = 0; i < up->change_n; i++) {
		struct td_loc_change *c = &r->changes[i];

		*c = up->changes[i];
		c->contact = keep(&at, up->changes[i].contact);
		c->params = keep(&at, up->changes[i].params);
	}
	call->req = r;
	return 0;
}

void call_free(struct td_loc_call *call)
{
	td_list_del(&call->link);
	image_unref(call->result);
	free(call->req);
	free(call);
}

/* ---- answers ---- */

void image_show(const struct image *im, int err, uint64_t wall_s, td_loc_fn *fn, void *arg)
{
	struct td_binding inline_b[ANSWER_INLINE] TD_UNINIT, *b = inline_b;
	unsigned n = 0;
	size_t at = 0;

	if (im && im->binding_n > ANSWER_INLINE) {
		b = malloc(im->binding_n * sizeof(*b));
		if (!b)
			err = -ENOMEM;
	}
	while (!err && im && image_next(&b[n], im, &at))
		n += b[n].expires_at_s > wall_s;
	fn(arg, err, n ? b : NULL, n);
	if (b != inline_b)
		free(b);
}

static void answer(struct td_loc_call *call)
{
	td_list_del(&call->link);
	if (call->fn)
		image_show(call->result, call->err, td_loop_wall_s(call->from->loop), call->fn, call->arg);
	call_free(call);
}

static void answer_deferred(struct td_defer *d, void *arg)
{
	answer(arg);
}

static void answer_arrived(struct td_mail *m, void *arg)
{
	answer(arg);
}

void call_finish(struct td_loc_call *call)
{
	if (call->from == call->at) {
		td_loop_defer(call->from->loop, &call->defer);
		return;
	}
	call->mail = (struct td_mail){ .fn = answer_arrived, .arg = call };
	td_loop_post(call->from->loop, &call->mail);
}

/* ---- questions ---- */

static void request_arrived(struct td_mail *m, void *arg)
{
	struct td_loc_call *call = arg;
	const struct td_loc_update *up = &call->req->up;
	int err = call->req->lookup ? shard_lookup(call, up->aor) : shard_update(call, up);

	if (err) {
		call->err = err;
		call_finish(call);
	}
}

static struct td_loc_call *call_new(struct shard *from, struct shard *at, uint64_t hash, td_loc_fn *fn, void *arg)
{
	struct td_loc_call *call = calloc(1, sizeof(*call));

	if (!call)
		return NULL;
	call->from = from;
	call->at = at;
	call->hash = hash;
	call->fn = fn;
	call->arg = arg;
	td_defer_init(&call->defer, answer_deferred, call);
	td_list_add_tail(&call->from->calls, &call->link);
	return call;
}

static int send_away(struct td_loc_call *call, const struct td_loc_update *up, bool lookup)
{
	int err = call_keep_request(call, up, lookup);

	if (err)
		return err;
	call->mail = (struct td_mail){ .fn = request_arrived, .arg = call };
	td_loop_post(call->at->loop, &call->mail);
	return 0;
}

static bool too_long(const struct td_loc_update *up)
{
	bool bad = up->aor.n > LOC_MAX_FIELD || up->call_id.n > LOC_MAX_FIELD || up->path.n > LOC_MAX_FIELD;

	for (unsigned i = 0; i < up->change_n; i++)
		bad |= up->changes[i].contact.n > LOC_MAX_FIELD || up->changes[i].params.n > LOC_MAX_FIELD;
	return bad || up->change_n > LOC_MAX_FIELD;
}

int td_location_update(struct td_loc_call **out, struct td_location *loc, unsigned worker, const struct td_loc_update *up,
		       td_loc_fn *fn, void *arg)
{
	uint64_t hash = up->hash ? up->hash : td_hash_str(&loc->key, up->aor);
	struct shard *from = &loc->shards[worker], *at = shard_of(loc, hash);
	struct image *result = NULL;
	struct td_loc_call *call;
	int err = 0;

	if (too_long(up))
		return TD_ELIMIT;
	if (from == at && shard_update_now(&err, &result, at, hash, up)) {
		*out = NULL;
		image_show(result, err, td_loop_wall_s(from->loop), fn, arg);
		image_unref(result);
		return 0;
	}
	call = call_new(from, at, hash, fn, arg);
	if (!call)
		return -ENOMEM;
	err = from == at ? shard_update(call, up) : send_away(call, up, false);
	if (err) {
		call_free(call);
		return err;
	}
	*out = call;
	return 0;
}

static int lookup(struct td_loc_call **out, struct td_location *loc, unsigned worker, uint64_t hash, struct td_str aor,
		  td_loc_fn *fn, void *arg)
{
	struct shard *from = &loc->shards[worker], *at = shard_of(loc, hash);
	struct td_loc_call *call;
	struct image *im;
	int err;

	if (from == at && shard_lookup_now(&im, at, hash, aor)) { /* im is held, whatever fn does to the address */
		*out = NULL;
		image_show(im, 0, td_loop_wall_s(from->loop), fn, arg);
		image_unref(im);
		return 0;
	}
	call = call_new(from, at, hash, fn, arg);
	if (!call)
		return -ENOMEM;
	err = from == at ? shard_lookup(call, aor) : send_away(call, &(struct td_loc_update){ .aor = aor }, true);
	if (err) {
		call_free(call);
		return err;
	}
	*out = call;
	return 0;
}

int td_location_lookup(struct td_loc_call **out, struct td_location *loc, unsigned worker, struct td_str aor, td_loc_fn *fn,
		       void *arg)
{
	return lookup(out, loc, worker, td_hash_str(&loc->key, aor), aor, fn, arg);
}

int td_location_lookup_watched(struct td_loc_call **out, struct td_location *loc, unsigned worker, const struct td_loc_watch *w,
			       struct td_str aor, td_loc_fn *fn, void *arg)
{
	return lookup(out, loc, worker, w->node.hash, aor, fn, arg);
}

uint64_t td_location_expect(const struct td_location *loc, unsigned worker, struct td_str aor)
{
	uint64_t hash = td_hash_str(&loc->key, aor);

	if (shard_of(loc, hash) == &loc->shards[worker])
		td_map_fetch(&loc->shards[worker].map, hash);
	return hash;
}

/* An image of one binding is seldom longer. */
enum { IMAGE_USUAL_BYTES = 256 };

void td_location_approach(const struct td_location *loc, unsigned worker, uint64_t hash)
{
	if (shard_of(loc, hash) == &loc->shards[worker])
		td_map_approach(&loc->shards[worker].map, hash, IMAGE_USUAL_BYTES);
}

void td_loc_cancel(struct td_loc_call *call)
{
	call->fn = NULL;
}

/* ---- open, load, close ---- */

int td_location_open(struct td_location **out, struct td_rng *rng, const struct td_location_options *opt)
{
	struct td_location *loc = calloc(1, sizeof(*loc));
	struct shard *shards = calloc(opt->workers, sizeof(*shards));

	if (!loc || !shards || watch_open(loc, opt->workers))
		goto fail;
	loc->durable = opt->durable && opt->store;
	loc->store = opt->store;
	loc->log = opt->log;
	loc->shards = shards;
	td_hash_key_init(&loc->key, rng);
	for (; loc->workers < opt->workers; loc->workers++) {
		if (shard_open(&shards[loc->workers], loc))
			goto fail;
	}
	loader_open(loc, opt->load_rows);
	*out = loc;
	return 0;
fail:
	for (unsigned i = 0; loc && i < loc->workers; i++)
		shard_close(&shards[i]);
	if (loc)
		watch_close(loc);
	free(shards);
	free(loc);
	return -ENOMEM;
}

int td_location_attach(struct td_location *loc, unsigned worker, struct td_loop *loop)
{
	loc->shards[worker].loop = loop;
	return 0;
}

void td_location_detach(struct td_location *loc, unsigned worker)
{
	struct shard *sh = &loc->shards[worker];

	if (!sh->loop)
		return;
	td_timer_stop(sh->loop, &sh->sweep);
	if (worker == 0)
		loader_stop(loc);
	sh->detached = true;
	walks_go_on(sh); /* who waits to list goes on to the end of what is there */
	for (struct td_link *l = sh->calls.next; l != &sh->calls; l = l->next) {
		struct td_loc_call *call = TD_CONTAINER_OF(l, struct td_loc_call, link);

		call->fn = NULL;
		td_loop_undefer(sh->loop, &call->defer);
	}
}

void td_location_close(struct td_location *loc)
{
	if (!loc)
		return;
	loader_close(loc);
	for (unsigned i = 0; i < loc->workers; i++)
		shard_close(&loc->shards[i]);
	watch_close(loc);
	free(loc->shards);
	free(loc);
}

void td_location_stats(struct td_location_stats *out, const struct td_location *loc)
{
	*out = (struct td_location_stats){ 0 };
	for (unsigned i = 0; i < loc->workers; i++) {
		out->aors += atomic_load_explicit(&loc->shards[i].aors, memory_order_relaxed);
		out->contacts += atomic_load_explicit(&loc->shards[i].contacts, memory_order_relaxed);
	}
	uint64_t end = atomic_load_explicit(&loc->loader.end, memory_order_relaxed);
	uint64_t position = atomic_load_explicit(&loc->loader.position, memory_order_relaxed);
	out->loaded_percent = position < end ? (unsigned)(position * 100 / end) : 100;
}

void td_location_on_ending(struct td_location *loc, unsigned worker, td_loc_ending_fn *fn, void *arg)
{
	loc->shards[worker].ending = fn;
	loc->shards[worker].ending_arg = arg;
}
