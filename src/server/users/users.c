/*
 * The directory of users. Readers (workers) search two open-addressed tables of pointers, by address and by extension,
 * without a lock: an entry is whole before its pointer is published, and is never changed afterwards. The one writer
 * replaces entries, and whole tables when they grow; what it took out is freed when every reader's loop has been round its
 * turn since: a mail is sent to each, twice, because the first may arrive in the middle of a turn.
 */
#include <errno.h>
#include <stdlib.h>
#include "server/users/users.h"

enum { PASSES = 2, FIRST_SLOTS = 64 };

struct entry {
	struct entry *next_garbage;
	struct td_user user;
	uint64_t hash, extension_hash;
	uint32_t round; /* the writer's: the last td_users_begin() it was put after */
	char text[];
};

struct table {
	struct table *next_garbage;
	size_t mask;
	_Atomic(struct entry *) *slot;
};

/* What was taken out and may still be read. */
struct garbage {
	struct entry *entries;
	struct table *tables;
};

/* An index as the writer sees it. used counts tombstones too: they end no probe. */
struct index {
	_Atomic(struct table *) table;
	size_t used;
	_Atomic size_t live; /* readers ask whether there are any at all */
};

struct grace {
	struct td_mail mail;
	struct td_users *users;
	struct td_loop *loop;
	unsigned passes;
};

struct td_users {
	struct td_hash_key key, domain_key;
	struct index by_aor, by_extension;
	_Atomic size_t count;
	uint32_t round;
	struct garbage gathering; /* the writer's: waits for the next grace period */
	struct garbage leaving;   /* of the period that runs */
	_Atomic unsigned pending; /* readers it still waits for */
	struct grace *readers;
	unsigned reader_n;
};

static const struct entry tombstone_entry; /* an address, never read */
#define TOMBSTONE ((struct entry *)(uintptr_t)&tombstone_entry)

static struct table *table_new(size_t slots)
{
	struct table *t = malloc(sizeof(*t));

	if (!t)
		return NULL;
	*t = (struct table){ .mask = slots - 1, .slot = td_table_new(slots * sizeof(t->slot[0]), true) };
	if (t->slot)
		return t;
	free(t);
	return NULL;
}

static void table_free(struct table *t)
{
	if (!t)
		return;
	td_table_free(t->slot, (t->mask + 1) * sizeof(t->slot[0]));
	free(t);
}

static void free_all(struct garbage *g)
{
	for (struct entry *e = g->entries, *next; e; e = next) {
		next = e->next_garbage;
		free(e);
	}
	for (struct table *t = g->tables, *next; t; t = next) {
		next = t->next_garbage;
		table_free(t);
	}
	*g = (struct garbage){ 0 };
}

/* ---- grace periods ---- */

static void reader_passed(struct td_mail *m, void *arg)
{
	struct grace *g = arg;

	if (--g->passes)
		td_loop_post(g->loop, m);
	else
		atomic_fetch_sub(&g->users->pending, 1);
}

static void retire(struct td_users *u, struct entry *e)
{
	e->next_garbage = u->gathering.entries;
	u->gathering.entries = e;
}

static void retire_table(struct td_users *u, struct table *t)
{
	t->next_garbage = u->gathering.tables;
	u->gathering.tables = t;
}

/* Ends a grace period that is over and starts one for what was gathered since. What is left, the next change reclaims. */
static void reclaim(struct td_users *u)
{
	if ((!u->gathering.entries && !u->gathering.tables) || atomic_load(&u->pending))
		return;
	free_all(&u->leaving);
	u->leaving = u->gathering;
	u->gathering = (struct garbage){ 0 };
	atomic_store(&u->pending, u->reader_n);
	for (unsigned i = 0; i < u->reader_n; i++) {
		struct grace *g = &u->readers[i];

		g->passes = PASSES;
		g->mail = (struct td_mail){ .fn = reader_passed, .arg = g };
		td_loop_post(g->loop, &g->mail);
	}
}

/* ---- tables ---- */

static bool same_aor(const struct entry *e, const void *aor)
{
	return td_str_eq(e->user.aor, *(const struct td_str *)aor);
}

static struct td_str domain_of(struct td_str aor)
{
	const char *sep = td_str_chr(aor, '@');

	return sep ? td_str_n(sep + 1, aor.n - (size_t)(sep + 1 - aor.p)) : TD_STR_NULL;
}

static bool same_extension(const struct entry *e, const void *key)
{
	const struct td_str *want = key; /* extension, domain */

	return td_str_eq(e->user.extension, want[0]) && td_str_eq(domain_of(e->user.aor), want[1]);
}

static uint64_t extension_hash(const struct td_users *u, struct td_str extension, struct td_str domain)
{
	return td_hash_str(&u->key, extension) ^ td_hash_str(&u->domain_key, domain);
}

/* The slot of an entry, or NULL. `by_extension` says which of its two hashes places an entry here. */
static _Atomic(struct entry *) *probe(struct table *t, uint64_t hash, bool by_extension,
				      bool (*same)(const struct entry *e, const void *key), const void *key)
{
	for (size_t i = hash & t->mask;; i = (i + 1) & t->mask) {
		struct entry *e = atomic_load_explicit(&t->slot[i], memory_order_acquire);

		if (!e)
			return NULL;
		if (e != TOMBSTONE && (by_extension ? e->extension_hash : e->hash) == hash && same(e, key))
			return &t->slot[i];
	}
}

static void place(struct table *t, struct entry *e, uint64_t hash)
{
	size_t i = hash & t->mask;

	while (atomic_load_explicit(&t->slot[i], memory_order_relaxed))
		i = (i + 1) & t->mask;
	atomic_store_explicit(&t->slot[i], e, memory_order_release);
}

/* Makes sure one more fits with half the slots empty, so that probes end soon. */
static int make_room(struct td_users *u, struct index *x, bool by_extension)
{
	struct table *old = atomic_load(&x->table), *t;
	size_t slots = old->mask + 1;

	if ((x->used + 1) * 2 <= slots)
		return 0;
	while ((x->live + 1) * 4 > slots)
		slots *= 2;
	t = table_new(slots);
	if (!t)
		return -ENOMEM;
	for (size_t i = 0; i <= old->mask; i++) {
		struct entry *e = atomic_load(&old->slot[i]);
		if (e && e != TOMBSTONE)
			place(t, e, by_extension ? e->extension_hash : e->hash);
	}
	atomic_store(&x->table, t);
	x->used = x->live;
	retire_table(u, old);
	return 0;
}

static void index_add(struct index *x, struct entry *e, uint64_t hash)
{
	place(atomic_load(&x->table), e, hash);
	x->used++;
	x->live++;
}

static void index_del(struct index *x, _Atomic(struct entry *) *slot)
{
	atomic_store_explicit(slot, TOMBSTONE, memory_order_release);
	x->live--;
}

static _Atomic(struct entry *) *slot_of_key(const struct td_users *u, const struct td_users_key *key)
{
	return probe(atomic_load_explicit(&u->by_aor.table, memory_order_acquire), key->hash, false, same_aor, &key->aor);
}

static _Atomic(struct entry *) *slot_of_aor(const struct td_users *u, struct td_str aor)
{
	return slot_of_key(u, &(struct td_users_key){ aor, td_hash_str(&u->key, aor) });
}

static _Atomic(struct entry *) *slot_of_extension(const struct td_users *u, struct td_str extension, struct td_str domain)
{
	return probe(atomic_load_explicit(&u->by_extension.table, memory_order_acquire), extension_hash(u, extension, domain),
		     true, same_extension, (struct td_str[]){ extension, domain });
}

/* ---- the face ---- */

int td_users_open(struct td_users **out, struct td_rng *rng)
{
	struct td_users *u = calloc(1, sizeof(*u));
	struct table *a = table_new(FIRST_SLOTS), *b = table_new(FIRST_SLOTS);

	if (!u || !a || !b) {
		free(u);
		table_free(a);
		table_free(b);
		return -ENOMEM;
	}
	td_hash_key_init(&u->key, rng);
	td_hash_key_init(&u->domain_key, rng);
	atomic_init(&u->by_aor.table, a);
	atomic_init(&u->by_extension.table, b);
	*out = u;
	return 0;
}

void td_users_close(struct td_users *u)
{
	if (!u)
		return;
	struct table *t = atomic_load(&u->by_aor.table);
	for (size_t i = 0; i <= t->mask; i++) {
		struct entry *e = atomic_load(&t->slot[i]);
		if (e && e != TOMBSTONE)
			free(e);
	}
	table_free(t);
	table_free(atomic_load(&u->by_extension.table));
	free_all(&u->gathering);
	free_all(&u->leaving);
	free(u->readers);
	free(u);
}

int td_users_reader(struct td_users *u, struct td_loop *loop)
{
	struct grace *r = realloc(u->readers, (u->reader_n + 1) * sizeof(*r));

	if (!r)
		return -ENOMEM;
	u->readers = r;
	r[u->reader_n++] = (struct grace){ .users = u, .loop = loop };
	return 0;
}

static struct entry *entry_new(const struct td_users *u, const struct td_user *user)
{
	struct entry *e = malloc(sizeof(*e) + user->aor.n + user->extension.n);

	if (!e)
		return NULL;
	e->user = *user;
	e->user.aor.p = memcpy(e->text, user->aor.p, user->aor.n);
	e->user.extension.p = e->text + user->aor.n;
	if (user->extension.n)
		memcpy(e->text + user->aor.n, user->extension.p, user->extension.n);
	e->round = u->round;
	e->hash = td_hash_str(&u->key, user->aor);
	e->extension_hash = extension_hash(u, user->extension, domain_of(user->aor));
	return e;
}

static bool same_user(const struct td_user *a, const struct td_user *b)
{
	for (unsigned alg = 0; alg < TD_DIGEST_ALGS; alg++)
		if (a->has[alg] != b->has[alg] || (a->has[alg] && memcmp(&a->ha1[alg], &b->ha1[alg], sizeof(a->ha1[alg])) != 0))
			return false;
	return td_str_eq(a->extension, b->extension);
}

/* Another one's extension is not to be had, unless all are taken anew and that one's turn is still to come. */
static int claim_extension(struct td_users *u, const struct td_user *user)
{
	_Atomic(struct entry *) *slot = user->extension.n ? slot_of_extension(u, user->extension, domain_of(user->aor)) : NULL;
	struct entry *owner = slot ? atomic_load(slot) : NULL;

	if (!owner || td_str_eq(owner->user.aor, user->aor))
		return 0;
	return owner->round == u->round ? TD_EEXIST : td_users_remove(u, owner->user.aor);
}

static void publish(struct td_users *u, struct entry *e)
{
	_Atomic(struct entry *) *slot = slot_of_aor(u, e->user.aor);
	struct entry *old = slot ? atomic_load(slot) : NULL;

	if (old) {
		atomic_store_explicit(slot, e, memory_order_release);
	} else {
		index_add(&u->by_aor, e, e->hash);
		atomic_fetch_add(&u->count, 1);
	}
	if (old && td_str_eq(old->user.extension, e->user.extension)) {
		if (e->user.extension.n)
			atomic_store_explicit(slot_of_extension(u, e->user.extension, domain_of(e->user.aor)), e,
					      memory_order_release);
	} else {
		if (e->user.extension.n)
			index_add(&u->by_extension, e, e->extension_hash);
		if (old && old->user.extension.n)
			index_del(&u->by_extension, slot_of_extension(u, old->user.extension, domain_of(old->user.aor)));
	}
	if (old)
		retire(u, old);
}

int td_users_put(struct td_users *u, const struct td_user *user)
{
	_Atomic(struct entry *) *slot = slot_of_aor(u, user->aor);
	struct entry *e;
	int err;

	if (slot && same_user(&atomic_load(slot)->user, user)) {
		atomic_load(slot)->round = u->round;
		return 0;
	}
	err = domain_of(user->aor).n ? claim_extension(u, user) : TD_ESYNTAX;
	if (err)
		return err;
	e = entry_new(u, user);
	if (!e || make_room(u, &u->by_aor, false) || make_room(u, &u->by_extension, true)) {
		free(e);
		return -ENOMEM;
	}
	publish(u, e);
	reclaim(u);
	return 0;
}

int td_users_remove(struct td_users *u, struct td_str aor)
{
	_Atomic(struct entry *) *slot = slot_of_aor(u, aor);

	if (!slot)
		return TD_ENOTFOUND;
	struct entry *e = atomic_load(slot);
	index_del(&u->by_aor, slot);
	if (e->user.extension.n)
		index_del(&u->by_extension, slot_of_extension(u, e->user.extension, domain_of(e->user.aor)));
	atomic_fetch_sub(&u->count, 1);
	retire(u, e);
	reclaim(u);
	return 0;
}

void td_users_begin(struct td_users *u)
{
	u->round++;
}

void td_users_end(struct td_users *u)
{
	struct table *t = atomic_load(&u->by_aor.table); /* removing never replaces it */

	for (size_t i = 0; i <= t->mask; i++) {
		struct entry *e = atomic_load(&t->slot[i]);

		if (e && e != TOMBSTONE && e->round != u->round)
			td_users_remove(u, e->user.aor);
	}
}

static bool any_user(const struct td_users *u)
{
	return atomic_load_explicit(&u->by_aor.live, memory_order_relaxed);
}

size_t td_users_count(const struct td_users *u)
{
	return atomic_load(&u->count);
}

const struct td_user *td_users_find(const struct td_users *u, struct td_str aor)
{
	struct td_users_key key = { .aor = aor };

	if (!any_user(u))
		return NULL;
	key.hash = td_hash_str(&u->key, aor);
	return td_users_find_expected(u, &key);
}

struct td_users_key td_users_expect(const struct td_users *u, struct td_str aor)
{
	struct td_users_key key = { .aor = aor };
	struct table *t;

	if (!any_user(u))
		return key;
	key.hash = td_hash_str(&u->key, aor);
	t = atomic_load_explicit(&u->by_aor.table, memory_order_acquire);
	td_fetch(&t->slot[key.hash & t->mask]);
	return key;
}

/* Nearly all are where their hash points, and an entry with its text takes three cache lines. */
void td_users_approach(const struct td_users *u, const struct td_users_key *key)
{
	struct table *t = atomic_load_explicit(&u->by_aor.table, memory_order_acquire);
	const char *e =
		!key->hash ? NULL : (const char *)atomic_load_explicit(&t->slot[key->hash & t->mask], memory_order_relaxed);

	for (unsigned line = 0; e && line < 3; line++)
		td_fetch(e + 64 * line);
}

const struct td_user *td_users_find_expected(const struct td_users *u, const struct td_users_key *key)
{
	_Atomic(struct entry *) *slot = any_user(u) ? slot_of_key(u, key) : NULL;
	struct entry *e = slot ? atomic_load_explicit(slot, memory_order_acquire) : NULL;

	return e && e != TOMBSTONE ? &e->user : NULL;
}

const struct td_user *td_users_find_extension(const struct td_users *u, struct td_str domain, struct td_str extension)
{
	bool any = atomic_load_explicit(&u->by_extension.live, memory_order_relaxed);
	_Atomic(struct entry *) *slot = any && extension.n ? slot_of_extension(u, extension, domain) : NULL;
	struct entry *e = slot ? atomic_load_explicit(slot, memory_order_acquire) : NULL;

	return e && e != TOMBSTONE ? &e->user : NULL;
}
