/*
 * Hash map with chains that grows without a long stop: when there are more elements than half the buckets (what is looked for is
 * mostly not there, and in an empty bucket no element has to be fetched from far to find that out), a table of twice the
 * size is put beside the old one, and every insertion and deletion after that moves four of the old buckets over. An
 * element is in the old table exactly while its old bucket has not been moved, so each hash has one chain to look at.
 * Tables do not shrink: what was needed once will be needed again.
 */
#include <tandem/base.h>

#include <errno.h>
#include <stdlib.h>

enum { MOVES_PER_STEP = 4, BUCKETS_MIN = 8 };

/* Owners also shard by hash modulo workers, which leaves the low bits alike within one worker: fold the high ones in. */
static size_t spread(uint64_t hash)
{
	return (size_t)(hash ^ hash >> 32);
}

static struct td_map_node **chain_of(const struct td_map *m, uint64_t hash)
{
	size_t at = spread(hash);

	if (m->old && (at & m->old_mask) >= m->moved)
		return &m->old[at & m->old_mask];
	return &m->buckets[at & m->mask];
}

int td_map_init(struct td_map *m, size_t initial_buckets)
{
	size_t n = BUCKETS_MIN;
	struct td_map_node **buckets;

	if (initial_buckets > SIZE_MAX / 4 / sizeof(*buckets))
		return -ENOMEM;
	while (n < initial_buckets)
		n *= 2;
	buckets = calloc(n, sizeof(*buckets));
	if (!buckets)
		return -ENOMEM;
	*m = (struct td_map){ .buckets = buckets, .mask = n - 1 };
	return 0;
}

void td_map_free(struct td_map *m)
{
	free(m->buckets);
	free(m->old);
	*m = (struct td_map){ 0 };
}

struct td_map_node *td_map_find(const struct td_map *m, uint64_t hash, td_map_eq_fn *eq, const void *key)
{
	struct td_map_node *n;

	for (n = *chain_of(m, hash); n; n = n->next) {
		if (n->hash == hash && eq(n, key))
			return n;
	}
	return NULL;
}

static void move_bucket(struct td_map *m)
{
	struct td_map_node *n = m->old[m->moved], *next;

	for (; n; n = next) {
		struct td_map_node **to = &m->buckets[spread(n->hash) & m->mask];

		next = n->next;
		n->next = *to;
		*to = n;
	}
	if (++m->moved > m->old_mask) {
		free(m->old);
		m->old = NULL;
	}
}

static void grow(struct td_map *m)
{
	size_t n = (m->mask + 1) * 2;
	struct td_map_node **buckets = calloc(n, sizeof(*buckets));

	if (!buckets)
		return; /* chains get longer; the next insertion tries again */
	m->old = m->buckets;
	m->old_mask = m->mask;
	m->moved = 0;
	m->buckets = buckets;
	m->mask = n - 1;
}

static void step(struct td_map *m)
{
	for (int i = 0; m->old && i < MOVES_PER_STEP; i++)
		move_bucket(m);
}

void td_map_add(struct td_map *m, struct td_map_node *n, uint64_t hash)
{
	struct td_map_node **chain;

	step(m);
	if (!m->old && m->count > m->mask / 2)
		grow(m);
	chain = chain_of(m, hash);
	n->hash = hash;
	n->next = *chain;
	*chain = n;
	m->count++;
}

void td_map_del(struct td_map *m, struct td_map_node *n)
{
	struct td_map_node **at = chain_of(m, n->hash);

	while (*at != n) {
		assert(*at);
		at = &(*at)->next;
	}
	*at = n->next;
	n->next = NULL;
	m->count--;
	step(m);
}

void td_map_each(struct td_map *m, bool (*fn)(struct td_map_node *n, void *arg), void *arg)
{
	struct td_map_node *n, *next;

	/* With one table only, a deletion by fn moves nothing under our feet. */
	while (m->old)
		move_bucket(m);
	for (size_t i = 0; i <= m->mask; i++) {
		for (n = m->buckets[i]; n; n = next) {
			next = n->next;
			if (!fn(n, arg))
				return;
		}
	}
}
