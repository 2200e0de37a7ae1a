/*
 * Who waits for registrations. A watch is known on the worker of who watches and nowhere else, so it begins and ends there without
 * asking anybody. What a shard has to know is which workers to tell: for each worker and each of a few thousand classes of
 * addresses a byte says whether anybody of that worker waits for one of that class. The byte is written by that worker alone. A shard
 * that sees it set after an update sends the worker the new image, and there it is found out who meant it, or that nobody did.
 *
 * So a registration nobody waits for costs a look at these bytes, which stand side by side for all workers, and an address that is
 * waited for costs its own shard nothing but mail.
 */
#include <stdlib.h>
#include "server/location/internal.h"

enum { MANY = UINT8_MAX }; /* so many of one class that they are not counted any more: it stays set */

static _Atomic uint8_t *interest(const struct td_location *loc, uint64_t hash)
{
	return loc->interest + (hash & (INTEREST_CLASSES - 1)) * loc->workers;
}

static void count_in(struct td_location *loc, unsigned worker, uint64_t hash, int by)
{
	_Atomic uint8_t *at = interest(loc, hash) + worker;
	uint8_t n = atomic_load_explicit(at, memory_order_relaxed);

	if (n != MANY)
		atomic_store_explicit(at, (uint8_t)(n + by), memory_order_relaxed);
}

static bool any(const struct td_map_node *node, const void *key)
{
	return true; /* a keyed hash of 64 bits stands for its address */
}

static struct td_loc_watch *first_of(const struct shard *sh, uint64_t hash)
{
	struct td_map_node *n = td_map_find(&sh->watches, hash, any, NULL);

	return n ? TD_CONTAINER_OF(n, struct td_loc_watch, node) : NULL;
}

static void make_first(struct shard *sh, struct td_loc_watch *w, uint64_t hash)
{
	w->first = true;
	td_map_add(&sh->watches, &w->node, hash);
}

void td_location_watch(struct td_loc_watch *w, struct td_location *loc, unsigned worker, struct td_str aor, td_loc_watch_fn *fn)
{
	struct shard *sh = &loc->shards[worker];
	uint64_t hash = td_hash_str(&loc->key, aor);
	struct td_loc_watch *first = first_of(sh, hash);

	*w = (struct td_loc_watch){ .node.hash = hash, .fn = fn, .told = sh->telling };
	td_list_init(&w->ring);
	if (first)
		td_list_add_tail(&first->ring, &w->ring);
	else
		make_first(sh, w, hash);
	count_in(loc, worker, hash, 1);
}

void td_location_unwatch(struct td_loc_watch *w, struct td_location *loc, unsigned worker)
{
	struct shard *sh = &loc->shards[worker];

	if (!w->fn)
		return;
	w->fn = NULL;
	count_in(loc, worker, w->node.hash, -1);
	if (w->first) {
		td_map_del(&sh->watches, &w->node);
		if (!td_list_empty(&w->ring))
			make_first(sh, TD_CONTAINER_OF(w->ring.next, struct td_loc_watch, ring), w->node.hash);
	}
	td_list_del(&w->ring);
}

/* ---- news ---- */

struct news {
	struct td_mail mail;
	struct shard *to;
	struct image *image;
	uint64_t hash;
};

static struct td_loc_watch *not_told(const struct shard *sh, uint64_t hash)
{
	struct td_loc_watch *first = first_of(sh, hash), *w = first;

	while (w && w->told == sh->telling) {
		w = TD_CONTAINER_OF(w->ring.next, struct td_loc_watch, ring);
		if (w == first)
			return NULL;
	}
	return w;
}

/* fn may end any watch, so each time it is looked anew who is left. */
static void tell(struct shard *sh, uint64_t hash, const struct td_binding *b, unsigned n)
{
	struct td_loc_watch *w;

	sh->telling++;
	for (unsigned left = TD_LOC_TOLD; left && (w = not_told(sh, hash)); left--) {
		w->told = sh->telling;
		w->fn(w, b, n);
	}
}

struct telling {
	struct shard *sh;
	uint64_t hash;
};

static void show_watchers(void *arg, int err, const struct td_binding *b, unsigned n)
{
	const struct telling *t = arg;

	if (!err && n)
		tell(t->sh, t->hash, b, n);
}

static void news_arrived(struct td_mail *m, void *arg)
{
	struct news *news = arg;
	struct telling t = { news->to, news->hash };

	if (first_of(t.sh, t.hash))
		image_show(news->image, 0, td_loop_wall_s(t.sh->loop), show_watchers, &t);
	image_unref(news->image);
	free(news);
}

void watch_tell(struct shard *sh, uint64_t hash, struct image *im)
{
	const struct td_location *loc = sh->loc;
	_Atomic uint8_t *at = interest(loc, hash);

	for (unsigned i = 0; i < loc->workers; i++) {
		struct news *news;

		if (!atomic_load_explicit(&at[i], memory_order_relaxed))
			continue;
		news = malloc(sizeof(*news));
		if (!news)
			return;
		*news = (struct news){
			.mail = { .fn = news_arrived, .arg = news },
			.to = &loc->shards[i],
			.image = image_ref(im),
			.hash = hash,
		};
		td_loop_post(news->to->loop, &news->mail);
	}
}

/* ---- what a shard is made of ---- */

int watch_open(struct td_location *loc, unsigned workers)
{
	loc->interest = calloc((size_t)INTEREST_CLASSES * workers, 1);
	return loc->interest ? 0 : -ENOMEM;
}

void watch_close(struct td_location *loc)
{
	free(loc->interest);
}
