/*
 * Listing all bindings without stopping anybody: the walk visits one shard after the other, a few slots of its wheel at a
 * time, takes references, and shows them on the asker's loop before it goes on. A binding refreshed meanwhile moves to a
 * later slot, so it may be shown twice but is not missed.
 */
#include <stdlib.h>
#include "server/location/internal.h"

enum { PER_VISIT = 200 };

struct walk {
	struct td_mail mail;
	struct walk *next; /* waits for its shard to be loaded */
	struct td_location *loc;
	struct td_loop *loop;
	td_loc_each_fn *fn;
	void *arg;
	unsigned shard, offset; /* offset: slots visited, counted from the wheel's present */
	uint64_t start;
	struct image **im;
	unsigned n, cap;
	bool failed;
	size_t filter_n;
	char filter[];
};

static void visit(struct td_mail *m, void *arg);

static void travel(struct walk *w, struct td_loop *to, td_mail_fn *fn)
{
	w->mail = (struct td_mail){ .fn = fn, .arg = w };
	td_loop_post(to, &w->mail);
}

static void show(struct td_mail *m, void *arg)
{
	struct walk *w = arg;
	uint64_t wall_s = td_loop_wall_s(w->loop);
	struct td_binding b;

	for (unsigned i = 0; i < w->n; i++) {
		for (size_t at = 0; image_next(&b, w->im[i], &at);) {
			if (b.expires_at_s > wall_s)
				w->fn(w->arg, image_aor(w->im[i]), &b);
		}
		image_unref(w->im[i]);
	}
	w->n = 0;
	if (w->shard < w->loc->workers && !w->failed) {
		travel(w, w->loc->shards[w->shard].loop, visit);
		return;
	}
	w->fn(w->arg, TD_STR_NULL, NULL);
	free(w->im);
	free(w);
}

static void take(struct walk *w, struct image *im)
{
	if (w->n == w->cap) {
		unsigned cap = w->cap ? 2 * w->cap : PER_VISIT;
		struct image **more = realloc(w->im, cap * sizeof(struct image *));

		if (!more) {
			w->failed = true;
			return;
		}
		w->im = more;
		w->cap = cap;
	}
	w->im[w->n++] = image_ref(im);
}

static void visit(struct td_mail *m, void *arg)
{
	struct walk *w = arg;
	struct shard *sh = &w->loc->shards[w->shard];

	if (sh->loading && !sh->detached) {
		w->next = sh->walks;
		sh->walks = w;
		return;
	}
	if (w->filter_n) {
		struct td_str aor = { w->filter, w->filter_n };
		struct image *im = shard_find(sh, td_hash_str(&w->loc->key, aor), aor);

		if (im)
			take(w, im);
		w->shard = w->loc->workers;
		travel(w, w->loop, show);
		return;
	}
	if (w->offset == 0)
		w->start = sh->cursor;
	for (; w->offset < SLOTS && w->n < PER_VISIT && !w->failed; w->offset++) {
		struct td_link *slot = &sh->due[(w->start + w->offset) % SLOTS];

		for (struct td_link *l = slot->next; l != slot; l = l->next)
			take(w, TD_CONTAINER_OF(l, struct image, due));
	}
	if (w->offset == SLOTS) {
		w->offset = 0;
		w->shard++;
	}
	travel(w, w->loop, show);
}

void walks_go_on(struct shard *sh)
{
	struct walk *w;

	while ((w = sh->walks)) {
		sh->walks = w->next;
		travel(w, sh->loop, visit);
	}
}

int td_location_each(struct td_location *loc, struct td_loop *loop, struct td_str filter, td_loc_each_fn *fn, void *arg)
{
	struct walk *w = calloc(1, sizeof(*w) + filter.n);

	if (!w)
		return -ENOMEM;
	w->loc = loc;
	w->loop = loop;
	w->fn = fn;
	w->arg = arg;
	w->filter_n = filter.n;
	if (filter.n) {
		memcpy(w->filter, filter.p, filter.n);
		w->shard = (unsigned)(shard_of(loc, td_hash_str(&loc->key, filter)) - loc->shards);
	}
	travel(w, loc->shards[w->shard].loop, visit);
	return 0;
}
