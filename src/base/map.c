/*
 * Hash map of buckets that are a line of the processor's cache each. What is looked for is mostly not there, and of what is not
 * there nothing has to be fetched from far but the bucket: a byte of the hash stands in it beside each element. In a full
 * bucket the last slot is a chain, whose elements have no such byte.
 *
 * Where the processor's addresses leave the top of a word free, a slot keeps there as much of its element's hash as tells to which
 * bucket it goes when the table grows: the elements, which lie anywhere, are not fetched for that.
 *
 * It grows without a long stop: when there are more than four elements a bucket, a table of twice the size is put
 * beside the old one, and every insertion and deletion after that moves one of the old buckets over. An element is in the old
 * table exactly while its old bucket has not been moved, so each hash has one bucket to look at. Tables do not shrink: what was
 * needed once will be needed again.
 */
#include <tandem/base.h>

#include <endian.h>
#include <errno.h>
#include <stdlib.h>

enum { FREE, CHAIN, FIRST_TAG }; /* a slot's tag: it is none; it is a chain; the first of those that are of a hash */

enum {
	LAST = TD_MAP_SLOTS - 1,
	FULL = 4, /* elements of a bucket, on average, at which the table grows */
	BUCKETS_MIN = 2,
	AHEAD = 16,             /* buckets that are fetched before it is their turn to move */
	LARGE_BYTES = 64 << 10, /* tables from here on are pages of their own, zero when they are first touched */
};

static_assert(sizeof(struct td_map_bucket) == 64, "a bucket is a line of the cache");

/* Programs are given addresses of 47 and 48 bits unless they ask for longer ones. */
#if defined(__x86_64__) || defined(__aarch64__)
enum { ADDRESS_BITS = 48, KEPT_FIRST = 8, KEPT_BITS = 64 - ADDRESS_BITS };
#else
enum { ADDRESS_BITS = 0, KEPT_FIRST = 0, KEPT_BITS = 0 };
#endif

/* Owners also shard by hash modulo workers, which leaves the low bits alike within one worker: fold the high ones in. */
static size_t spread(uint64_t hash)
{
	return (size_t)(hash ^ hash >> 32);
}

/* Of bits that do not choose the bucket, as long as there are fewer than 2^24 of these. */
static uint8_t tag_of(uint64_t hash)
{
	uint8_t tag = (uint8_t)(spread(hash) >> 24);

	return tag < FIRST_TAG ? tag + FIRST_TAG : tag;
}

/* ---- a slot: an element's address, and above it those bits of its hash ---- */

static uintptr_t slot_of(const struct td_map_node *n)
{
	uintptr_t slot = (uintptr_t)n;

	if (KEPT_BITS) {
		assert(!(slot >> ADDRESS_BITS));
		slot |= (uintptr_t)(spread(n->hash) >> KEPT_FIRST) << ADDRESS_BITS;
	}
	return slot;
}

static struct td_map_node *node_of(uintptr_t slot)
{
	return (struct td_map_node *)(KEPT_BITS ? slot & (((uintptr_t)1 << ADDRESS_BITS) - 1) : slot);
}

/* Has the hash of the slot's element this bit? */
static bool has_bit(uintptr_t slot, size_t bit)
{
	if (bit >> KEPT_FIRST && !(bit >> KEPT_FIRST >> KEPT_BITS))
		return (slot >> ADDRESS_BITS << KEPT_FIRST) & bit;
	return spread(node_of(slot)->hash) & bit;
}

static struct td_map_bucket *bucket_of(const struct td_map *m, uint64_t hash)
{
	size_t at = spread(hash);

	if (m->old && (at & m->old_mask) >= m->moved)
		return &m->old[at & m->old_mask];
	return &m->buckets[at & m->mask];
}

static struct td_map_bucket *table_new(size_t buckets)
{
	size_t bytes = buckets * sizeof(struct td_map_bucket);

	return bytes >= LARGE_BYTES ? td_table_new(bytes, true) : calloc(1, bytes);
}

static void table_free(struct td_map_bucket *table, size_t buckets)
{
	size_t bytes = buckets * sizeof(*table);

	if (bytes >= LARGE_BYTES)
		td_table_free(table, bytes);
	else
		free(table);
}

int td_map_init(struct td_map *m, size_t initial)
{
	size_t n = BUCKETS_MIN;
	struct td_map_bucket *buckets;

	if (initial > SIZE_MAX / 4 / sizeof(*buckets))
		return -ENOMEM;
	while (n * FULL < initial)
		n *= 2;
	buckets = table_new(n);
	if (!buckets)
		return -ENOMEM;
	*m = (struct td_map){ .buckets = buckets, .mask = n - 1 };
	return 0;
}

void td_map_free(struct td_map *m)
{
	if (m->buckets)
		table_free(m->buckets, m->mask + 1);
	if (m->old)
		table_free(m->old, m->old_mask + 1);
	*m = (struct td_map){ 0 };
}

void td_map_fetch(const struct td_map *m, uint64_t hash)
{
	td_fetch(bucket_of(m, hash));
}

static uint64_t tags_of(const struct td_map_bucket *b)
{
	uint64_t tags;

	memcpy(&tags, b->tags, sizeof(tags));
	return le64toh(tags);
}

/* The high bit of each byte of tags that equals tag. */
static uint64_t alike(uint64_t tags, uint8_t tag)
{
	const uint64_t low = 0x7f7f7f7f7f7f7f7f;
	uint64_t differ = tags ^ UINT64_C(0x0101010101010101) * tag;

	return ~(((differ & low) + low) | differ | low);
}

static struct td_map_node *chain_of(const struct td_map_bucket *b)
{
	return b->tags[LAST] == CHAIN ? node_of(b->slots[LAST]) : NULL;
}

/* Above a chain's address there is a bit for the tags of its elements; those of whom left it stay as long as it lasts. */
static uintptr_t chain_bit(uint8_t tag)
{
	return KEPT_BITS ? (uintptr_t)1 << (ADDRESS_BITS + tag % KEPT_BITS) : 0;
}

/* NULL: nobody with this tag is in a chain. */
static struct td_map_node *chain_with(const struct td_map_bucket *b, uint8_t tag)
{
	uintptr_t bit = chain_bit(tag);

	if (b->tags[LAST] != CHAIN || (b->slots[LAST] & bit) != bit)
		return NULL;
	return node_of(b->slots[LAST]);
}

struct td_map_node *td_map_find(const struct td_map *m, uint64_t hash, td_map_eq_fn *eq, const void *key)
{
	const struct td_map_bucket *b = bucket_of(m, hash);
	uint8_t tag = tag_of(hash);
	struct td_map_node *n;

	for (uint64_t found = alike(tags_of(b), tag); found; found &= found - 1) {
		n = node_of(b->slots[__builtin_ctzll(found) / 8]);
		if (n->hash == hash && eq(n, key))
			return n;
	}
	for (n = chain_with(b, tag); n; n = n->next) {
		if (n->hash == hash && eq(n, key))
			return n;
	}
	return NULL;
}

void td_map_approach(const struct td_map *m, uint64_t hash, size_t bytes)
{
	const struct td_map_bucket *b = bucket_of(m, hash);

	for (uint64_t found = alike(tags_of(b), tag_of(hash)); found; found &= found - 1) {
		const char *n = (const char *)node_of(b->slots[__builtin_ctzll(found) / 8]);

		for (size_t at = 0; at < bytes; at += sizeof(*b))
			td_fetch(n + at);
	}
}

/* The element of a slot that is no chain has no next. */
static void put(struct td_map_bucket *b, uintptr_t slot, uint8_t tag)
{
	unsigned i = (unsigned)__builtin_ctzll(alike(tags_of(b), FREE)) / 8; /* the tag that stands for none ends the search */
	struct td_map_node *n;
	uintptr_t bits;

	if (i < TD_MAP_SLOTS) {
		b->tags[i] = tag;
		b->slots[i] = slot;
		return;
	}
	n = node_of(slot);
	n->next = node_of(b->slots[LAST]);
	bits = b->tags[LAST] == CHAIN ? b->slots[LAST] - (uintptr_t)n->next : chain_bit(b->tags[LAST]);
	b->slots[LAST] = (uintptr_t)n | bits | chain_bit(tag);
	b->tags[LAST] = CHAIN;
}

/* Between two moves lies too much other work for the processor to see that the buckets, old and new, follow each other. */
static void fetch_ahead(const struct td_map *m)
{
	size_t next = m->moved + AHEAD;

	if (next > m->old_mask)
		return;
	td_fetch(&m->old[next]);
	td_fetch(&m->buckets[next]);
	td_fetch(&m->buckets[next + m->old_mask + 1]);
}

static void move_slot(struct td_map *m, uintptr_t slot, uint8_t tag)
{
	size_t size = m->old_mask + 1;

	put(&m->buckets[has_bit(slot, size) ? m->moved + size : m->moved], slot, tag);
}

static void move_bucket(struct td_map *m)
{
	const struct td_map_bucket *b = &m->old[m->moved];
	struct td_map_node *n = chain_of(b), *next;

	fetch_ahead(m);
	for (unsigned i = 0; i < TD_MAP_SLOTS; i++) {
		if (b->tags[i] >= FIRST_TAG)
			move_slot(m, b->slots[i], b->tags[i]);
	}
	for (; n; n = next) {
		next = n->next;
		n->next = NULL;
		move_slot(m, slot_of(n), tag_of(n->hash));
	}
	if (++m->moved > m->old_mask) {
		table_free(m->old, m->old_mask + 1);
		m->old = NULL;
	}
}

static void grow(struct td_map *m)
{
	size_t n = (m->mask + 1) * 2;
	struct td_map_bucket *buckets = table_new(n);

	if (!buckets)
		return; /* chains get longer; the next insertion tries again */
	m->old = m->buckets;
	m->old_mask = m->mask;
	m->moved = 0;
	m->buckets = buckets;
	m->mask = n - 1;
}

void td_map_add(struct td_map *m, struct td_map_node *n, uint64_t hash)
{
	if (m->old)
		move_bucket(m);
	else if (m->count / FULL > m->mask)
		grow(m);
	n->next = NULL;
	n->hash = hash;
	put(bucket_of(m, hash), slot_of(n), tag_of(hash));
	m->count++;
}

static void unchain(struct td_map_bucket *b, struct td_map_node *n)
{
	struct td_map_node *first = node_of(b->slots[LAST]), **at = &first;
	uintptr_t bits = b->slots[LAST] - (uintptr_t)first;

	assert(b->tags[LAST] == CHAIN);
	while (*at != n) {
		assert(*at);
		at = &(*at)->next;
	}
	*at = n->next;
	b->slots[LAST] = (uintptr_t)first | bits;
	if (!first)
		b->tags[LAST] = FREE;
}

void td_map_del(struct td_map *m, struct td_map_node *n)
{
	struct td_map_bucket *b = bucket_of(m, n->hash);
	uint64_t found = alike(tags_of(b), tag_of(n->hash));

	while (found && node_of(b->slots[__builtin_ctzll(found) / 8]) != n)
		found &= found - 1;
	if (found)
		b->tags[__builtin_ctzll(found) / 8] = FREE;
	else
		unchain(b, n);
	n->next = NULL;
	m->count--;
	if (m->old)
		move_bucket(m);
}

/* fn may take its element out. False: fn had enough. */
static bool each_of(struct td_map_bucket *b, bool (*fn)(struct td_map_node *n, void *arg), void *arg)
{
	struct td_map_node *n = chain_of(b), *next;

	for (unsigned i = 0; i < TD_MAP_SLOTS; i++) {
		if (b->tags[i] >= FIRST_TAG && !fn(node_of(b->slots[i]), arg))
			return false;
	}
	for (; n; n = next) {
		next = n->next;
		if (!fn(n, arg))
			return false;
	}
	return true;
}

void td_map_each(struct td_map *m, bool (*fn)(struct td_map_node *n, void *arg), void *arg)
{
	/* With one table only, a deletion by fn moves nothing under our feet. */
	while (m->old)
		move_bucket(m);
	for (size_t i = 0; i <= m->mask; i++) {
		if (!each_of(&m->buckets[i], fn, arg))
			return;
	}
}
