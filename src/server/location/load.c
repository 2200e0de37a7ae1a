/*
 * The start with addresses in the store. Pages of rows are read by the store's thread, between its commits, and arrive on the
 * first shard's loop; there they become images and go to their shards, a parcel for each, while the next page is read. The
 * shards serve meanwhile. A row belongs to a shard that waits for it (shard.c), so no row changes before it was read.
 */
#include <stdlib.h>
#include "server/location/internal.h"

enum { PAGE_ROWS = 500, AGAIN_MS = 1000, ROW_INLINE = 2 };

/* ---- a row becomes an image ---- */

static bool fits(struct td_str aor)
{
	return aor.n <= LOC_MAX_FIELD;
}

/*
 * The row does not say it. After a restart a phone that another proxy wakes (RFC 8599 §5.6.1.1) is therefore woken here too, until it
 * registers anew; one push too many does less harm than one too few.
 */
static bool wakes(struct td_str contact)
{
	struct td_uri uri TD_UNINIT;
	struct td_param prid;

	return td_str_chr(contact, ';') && !td_uri_parse(&uri, contact) && td_param_find(&prid, uri.params, TD_STR("pn-prid")) &&
	       prid.value.n;
}

/* The bindings of a row that live. -1: not written by us, or no memory for so many (*err). */
static int unpack(struct td_binding **b, struct td_binding *inline_b, struct td_str rest, uint64_t wall_s, int *err)
{
	struct td_store_binding row;
	unsigned n = 0, cap = ROW_INLINE;
	int got;

	*b = inline_b;
	while ((got = td_store_binding_next(&row, &rest)) == 1) {
		if (row.expires_at_s <= wall_s)
			continue;
		if (n == cap) {
			struct td_binding *more = malloc(2 * cap * sizeof(*more));

			if (!more) {
				*err = -ENOMEM;
				return -1;
			}
			memcpy(more, *b, n * sizeof(*more));
			if (*b != inline_b)
				free(*b);
			*b = more;
			cap *= 2;
		}
		(*b)[n++] = (struct td_binding){
			.contact = row.contact,
			.params = row.params,
			.call_id = row.call_id,
			.user_agent = row.user_agent,
			.path = row.path,
			.cseq = row.cseq,
			.q = (int16_t)row.q,
			.wakes = wakes(row.contact),
			.expires_at_s = row.expires_at_s,
			.flow = row.flow,
		};
	}
	return got < 0 || n > LOC_MAX_FIELD ? -1 : (int)n;
}

/* *out NULL: nothing of it lives, or it is none of ours. Rows of which nothing lives go, by *w. */
static int image_of_row(struct image **out, struct td_location *loc, const struct td_store_row *row, struct td_store_write **w)
{
	struct td_binding inline_b[ROW_INLINE], *b = inline_b;
	uint64_t wall_s = td_loop_wall_s(loc->shards[0].loop);
	int err = 0, n = unpack(&b, inline_b, row->bindings, wall_s, &err);

	*out = NULL;
	if (n > 0 && fits(row->aor)) {
		*out = image_new(row->aor, b, (unsigned)n, row->id, UINT64_MAX); /* its row says what it says */
		err = *out ? 0 : -ENOMEM;
	} else if (n == 0) {
		if (!*w)
			*w = td_store_write_new(loc->store, NULL, NULL, NULL);
		if (*w)
			td_store_delete_address(*w, row->id); /* or at the next start */
	}
	if (b != inline_b)
		free(b);
	return err;
}

/* The page's images, chained to the parcels of their shards. */
static int sort(struct td_location *loc, const struct td_store_page *pg)
{
	struct td_store_write *w = NULL;
	struct td_store_row row;
	struct image *im;
	size_t at = 0;
	int err = 0;

	while (!err && td_store_page_next(&row, pg, &at)) {
		err = image_of_row(&im, loc, &row, &w);
		if (!im)
			continue;
		im->node.hash = td_hash_str(&loc->key, row.aor);
		struct parcel *to = &shard_of(loc, im->node.hash)->parcel;
		im->node.next = to->images ? &to->images->node : NULL;
		to->images = im;
	}
	if (w)
		td_store_submit(w);
	return err;
}

static void unpack_parcel(struct shard *sh)
{
	struct image *im = sh->parcel.images, *next;

	sh->parcel.images = NULL;
	for (; im; im = next) {
		next = im->node.next ? TD_CONTAINER_OF(im->node.next, struct image, node) : NULL;
		shard_take(sh, im, im->node.hash);
	}
}

/* ---- page after page ---- */

static void take_page(struct td_location *loc);

static void all_taken(struct td_mail *m, void *arg)
{
	struct td_location *loc = arg;
	struct loader *ld = &loc->loader;

	if (ld->stopped)
		return;
	if (loc->shards[0].parcel.last) {
		td_out_free(&ld->page[0].rows);
		td_out_free(&ld->page[1].rows);
		td_out_init(&ld->page[0].rows);
		td_out_init(&ld->page[1].rows);
		atomic_store_explicit(&ld->position, ld->end, memory_order_relaxed);
		td_log(loc->log, TD_LOG_INFO, "registrations loaded", TD_KU("rows_up_to", ld->end));
	} else if (ld->arrived) {
		take_page(loc);
	}
}

static void parcel_arrived(struct td_mail *m, void *arg)
{
	struct shard *sh = arg;
	struct loader *ld = &sh->loc->loader;

	unpack_parcel(sh);
	if (sh->parcel.last)
		shard_loaded(sh);
	if (atomic_fetch_sub_explicit(&ld->out, 1, memory_order_acq_rel) == 1) {
		ld->taken = (struct td_mail){ .fn = all_taken, .arg = sh->loc };
		td_loop_post(sh->loc->shards[0].loop, &ld->taken);
	}
}

static void page_arrived(struct td_store_page *pg, int err, void *arg);

static void ask(struct td_location *loc, struct td_store_page *pg)
{
	pg->loop = loc->shards[0].loop;
	pg->fn = page_arrived;
	pg->arg = loc;
	td_store_ask_page(loc->store, pg);
}

static void not_now(struct td_location *loc, int err)
{
	if (!loc->loader.failing)
		td_log(loc->log, TD_LOG_ERROR, "registrations cannot be read", TD_KERR(err),
		       TD_KZ("next", "tried again every second; addresses that are not loaded yet wait"));
	loc->loader.failing = true;
	td_timer_start(loc->shards[0].loop, &loc->loader.again, AGAIN_MS);
}

static void take_page(struct td_location *loc)
{
	struct loader *ld = &loc->loader;
	struct td_store_page *pg = &ld->page[ld->at], *other = &ld->page[!ld->at];
	bool last = pg->n < pg->most;
	int err = sort(loc, pg);

	if (err) { /* what was made of it is kept, and not taken twice */
		not_now(loc, err);
		return;
	}
	ld->arrived = false;
	ld->failing = false;
	atomic_store_explicit(&ld->position, pg->after, memory_order_relaxed);
	if (!last) {
		other->after = pg->after;
		ask(loc, other);
		ld->at = !ld->at;
	}
	atomic_store_explicit(&ld->out, loc->workers, memory_order_relaxed);
	for (unsigned i = 0; i < loc->workers; i++) {
		struct shard *sh = &loc->shards[i];

		sh->parcel.last = last;
		sh->parcel.mail = (struct td_mail){ .fn = parcel_arrived, .arg = sh };
		td_loop_post(sh->loop, &sh->parcel.mail);
	}
}

static void page_arrived(struct td_store_page *pg, int err, void *arg)
{
	struct td_location *loc = arg;
	struct loader *ld = &loc->loader;

	if (ld->stopped)
		return;
	if (err) {
		not_now(loc, err);
		return;
	}
	ld->arrived = true;
	if (atomic_load_explicit(&ld->out, memory_order_acquire) == 0)
		take_page(loc);
}

static void try_again(struct td_timer *tm, void *arg)
{
	struct td_location *loc = arg;

	if (loc->loader.arrived)
		take_page(loc);
	else
		ask(loc, &loc->loader.page[loc->loader.at]);
}

/* ---- the face ---- */

void loader_open(struct td_location *loc, unsigned page_rows)
{
	struct loader *ld = &loc->loader;

	for (unsigned i = 0; i < TD_ARRAY_LEN(ld->page); i++) {
		td_out_init(&ld->page[i].rows);
		ld->page[i].most = page_rows ? page_rows : PAGE_ROWS;
	}
	td_timer_init(&ld->again, try_again, loc);
}

void loader_stop(struct td_location *loc)
{
	loc->loader.stopped = true;
	td_timer_stop(loc->shards[0].loop, &loc->loader.again);
}

void loader_close(struct td_location *loc)
{
	td_out_free(&loc->loader.page[0].rows);
	td_out_free(&loc->loader.page[1].rows);
}

int td_location_load(struct td_location *loc)
{
	struct loader *ld = &loc->loader;
	struct td_store_page *pg = &ld->page[0];
	int err;

	if (!loc->durable)
		return 0;
	pg->until = ld->page[1].until = td_store_last_id(loc->store);
	err = td_store_read_page(loc->store, pg);
	if (!err)
		err = sort(loc, pg);
	if (err)
		return err;
	for (unsigned i = 0; i < loc->workers; i++)
		unpack_parcel(&loc->shards[i]);
	if (pg->n < pg->most)
		return 0;
	atomic_store(&ld->position, pg->after);
	atomic_store(&ld->end, pg->until);
	for (unsigned i = 0; i < loc->workers; i++)
		loc->shards[i].loading = true;
	ld->page[1].after = pg->after;
	ld->at = 1;
	ask(loc, &ld->page[1]);
	return 0;
}
