/* P12: keys that peers choose are hashed with a secret; the map that uses it grows without a long stop. */
#include "support.h"

static uint64_t rotl(uint64_t x, int k)
{
	return x << k | x >> (64 - k);
}

/* SipHash-c-d written from the paper, byte by byte. Its 2-4 variant is checked against the published vectors, so its
 * 1-3 variant can be trusted to check ours. */
static uint64_t siphash(int c, int d, uint64_t k0, uint64_t k1, const uint8_t *in, size_t n)
{
	uint64_t v0 = k0 ^ 0x736f6d6570736575, v1 = k1 ^ 0x646f72616e646f6d;
	uint64_t v2 = k0 ^ 0x6c7967656e657261, v3 = k1 ^ 0x7465646279746573;
	size_t words = n / 8 + 1;

	for (size_t w = 0; w <= words; w++) {
		bool fin = w == words;
		uint64_t m = 0;

		for (size_t i = 0; !fin && i < 8; i++) {
			uint64_t byte = 8 * w + i < n ? in[8 * w + i] : w == words - 1 && i == 7 ? n & 255 : 0;

			m |= byte << (8 * i);
		}
		if (fin)
			v2 ^= 0xff;
		v3 ^= m;
		for (int r = 0; r < (fin ? d : c); r++) {
			v0 += v1;
			v1 = rotl(v1, 13);
			v1 ^= v0;
			v0 = rotl(v0, 32);
			v2 += v3;
			v3 = rotl(v3, 16);
			v3 ^= v2;
			v0 += v3;
			v3 = rotl(v3, 21);
			v3 ^= v0;
			v2 += v1;
			v1 = rotl(v1, 17);
			v1 ^= v2;
			v2 = rotl(v2, 32);
		}
		v0 ^= m;
	}
	return v0 ^ v1 ^ v2 ^ v3;
}

static void p12_siphash(void **state)
{
	/* SipHash-2-4, key 00 01 … 0f, input 00 01 … n-1: the reference implementation's vectors.h */
	static const struct {
		size_t n;
		uint64_t v;
	} published[] = {
		{ 0, 0x726fdb47dd0e0e31 }, { 1, 0x74f839c593dc67fd },  { 2, 0x0d6c8009d9a94f5a }, { 3, 0x85676696d7fb7e2d },
		{ 4, 0xcf2794e0277187b7 }, { 5, 0x18765564cd99a68d },  { 6, 0xcbc9466e58fee3ce }, { 7, 0xab0200f58b01d137 },
		{ 8, 0x93f5f5799a932462 }, { 15, 0xa129ca6149be45e5 },
	};
	struct td_hash_key key = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 }, other = { 0x0706050403020100, 0 };
	uint8_t in[64];

	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (uint8_t)i;
	for (size_t i = 0; i < TD_ARRAY_LEN(published); i++)
		assert_int_equal(siphash(2, 4, key.k0, key.k1, in, published[i].n), published[i].v);
	for (size_t n = 0; n <= sizeof(in); n++) {
		struct td_str s = exact_copy(td_str_n((char *)in, n));

		assert_int_equal(td_hash(&key, s.p, s.n), siphash(1, 3, key.k0, key.k1, in, n));
		assert_int_equal(td_hash_str(&key, s), td_hash(&key, s.p, s.n));
		assert_int_not_equal(td_hash_str(&key, s), td_hash_str(&other, s));
		exact_free(s);
	}
}

/* Several strings: the same ones the same, and no other division of the same bytes alike. */
static void p12_hasher(void **state)
{
	static const char *const rows[][2] = {
		{ "abc", "def" }, { "ab", "cdef" }, { "abcdef", "" }, { "", "abcdef" }, { "abcde", "f" }
	};
	struct td_hash_key key = { 1, 2 };
	uint64_t seen[2][TD_ARRAY_LEN(rows)];

	for (int round = 0; round < 2; round++)
		for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
			struct td_hasher h;

			td_hasher_init(&h, &key);
			td_hasher_add(&h, td_str_of(rows[i][0]));
			td_hasher_add(&h, td_str_of(rows[i][1]));
			seen[round][i] = td_hasher_end(&h);
		}
	assert_memory_equal(seen[0], seen[1], sizeof(seen[0]));
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++)
		for (size_t j = 0; j < i; j++)
			assert_int_not_equal(seen[0][i], seen[0][j]);
}

/* One after another: it depends on what came before, on the string and on the key. */
static void p12_hash_on(void **state)
{
	struct td_hash_key key = { 1, 2 }, other = { 1, 3 };
	uint64_t is = td_hash_on(&key, 7, TD_STR("abc"));

	assert_int_equal(td_hash_on(&key, 7, TD_STR("abc")), is);
	assert_int_not_equal(td_hash_on(&key, 8, TD_STR("abc")), is);
	assert_int_not_equal(td_hash_on(&key, 7, TD_STR("abd")), is);
	assert_int_not_equal(td_hash_on(&key, 7, TD_STR_NULL), is);
	assert_int_not_equal(td_hash_on(&other, 7, TD_STR("abc")), is);
	assert_int_not_equal(td_hash_on(&key, 0, TD_STR("abc")), td_hash_str(&key, TD_STR("abc")));
}

static void p12_key_is_random(void **state)
{
	struct td_rng r;
	struct td_hash_key a, b;

	td_rng_init(&r);
	td_hash_key_init(&a, &r);
	td_hash_key_init(&b, &r);
	assert_memory_not_equal(&a, &b, sizeof(a));
	assert_int_not_equal(a.k0, a.k1);
}

struct item {
	struct td_map_node node;
	unsigned key;
	bool in, seen;
};

static bool item_eq(const struct td_map_node *n, const void *key)
{
	return TD_CONTAINER_OF(n, struct item, node)->key == *(const unsigned *)key;
}

static struct item *find(struct td_map *m, uint64_t hash, unsigned key)
{
	td_map_fetch(m, hash); /* it only asks for memory, also where there is nothing */
	td_map_approach(m, hash, sizeof(struct item));
	struct td_map_node *n = td_map_find(m, hash, item_eq, &key);

	return n ? TD_CONTAINER_OF(n, struct item, node) : NULL;
}

/* Against a plain array: random additions and deletions, every element looked for now and then. hash_of varies from
 * good to worthless: all elements in one chain must only be slow. */
static void against_model(uint64_t (*hash_of)(unsigned key), unsigned n, uint64_t seed)
{
	struct item *items = calloc(n, sizeof(*items));
	struct td_map m;
	struct td_rng r;
	size_t count = 0;

	td_rng_init_seed(&r, seed);
	assert_int_equal(td_map_init(&m, 0), 0);
	for (unsigned i = 0; i < n; i++)
		items[i].key = i;
	for (unsigned turn = 0; turn < 6 * n; turn++) {
		struct item *it = &items[td_rng_below(&r, n)];
		bool grow_phase = (turn / n) % 2 == 0;

		assert_ptr_equal(find(&m, hash_of(it->key), it->key), it->in ? it : NULL);
		if (!it->in) {
			td_map_add(&m, &it->node, hash_of(it->key));
			it->in = true;
			count++;
		} else if (!grow_phase) {
			td_map_del(&m, &it->node);
			it->in = false;
			count--;
		}
		assert_int_equal(m.count, count);
		if (turn % 997 == 0) {
			for (unsigned i = 0; i < n; i++)
				assert_ptr_equal(find(&m, hash_of(i), i), items[i].in ? &items[i] : NULL);
		}
	}
	td_map_free(&m);
	free(items);
}

static uint64_t good(unsigned key)
{
	static const struct td_hash_key k = { 1, 2 };

	return td_hash(&k, &key, sizeof(key));
}

static uint64_t poor(unsigned key)
{
	return key % 16;
}

static uint64_t constant(unsigned key)
{
	return 42;
}

static void random_operations(void **state)
{
	against_model(good, 5000, 1);
	against_model(poor, 500, 2);
	against_model(constant, 200, 3);
}

/* Owners shard by hash modulo workers: elements of one worker must still spread. */
static void low_bits_alike(void **state)
{
	enum { N = 4096 };
	struct item *items = calloc(N, sizeof(*items));
	struct td_map m;
	size_t longest = 0, chained = N;

	assert_int_equal(td_map_init(&m, N), 0);
	for (unsigned i = 0; i < N; i++)
		td_map_add(&m, &items[i].node, good(i) << 6);
	for (size_t b = 0; b <= m.mask; b++) {
		for (unsigned i = 0; i < TD_MAP_SLOTS; i++)
			chained -= m.buckets[b].tags[i] > 1;
	}
	for (unsigned i = 0; i < N; i++) {
		size_t len = 0;

		for (struct td_map_node *n = &items[i].node; n; n = n->next)
			len++;
		longest = len > longest ? len : longest;
	}
	assert_true(longest < 12);
	assert_true(chained < N / 10); /* four are in a bucket on average, and it has seven slots */
	td_map_free(&m);
	free(items);
}

/* Tags tell apart what is in one bucket: who looks for somebody else is hardly ever led to an element. */
static bool count_calls(const struct td_map_node *n, const void *key)
{
	++*(unsigned *)key;
	return false;
}

static void strangers_meet_nobody(void **state)
{
	enum { N = 4096 };
	struct item *items = calloc(N, sizeof(*items));
	struct td_map m;
	unsigned calls = 0;

	assert_int_equal(td_map_init(&m, N), 0);
	for (unsigned i = 0; i < N; i++)
		td_map_add(&m, &items[i].node, good(i));
	for (unsigned i = N; i < 3 * N; i++)
		assert_null(td_map_find(&m, good(i), count_calls, &calls));
	assert_int_equal(calls, 0);
	assert_null(td_map_find(&m, good(7), count_calls, &calls)); /* the hash is there: its owner is asked */
	assert_int_equal(calls, 1);
	td_map_free(&m);
	free(items);
}

/* Each tag value, also those that mean something else, in overfull buckets: what was put in is found, and what was taken out is not. */
static void every_tag(void **state)
{
	struct item items[TD_MAP_SLOTS + 3] = { 0 };
	struct td_map m;

	for (unsigned tag = 0; tag < 256; tag++) {
		assert_int_equal(td_map_init(&m, 1000), 0);
		for (unsigned i = 0; i < TD_ARRAY_LEN(items); i++) {
			items[i].key = i;
			td_map_add(&m, &items[i].node, (uint64_t)((tag + i) & 255) << 24);
		}
		for (unsigned i = 0; i < TD_ARRAY_LEN(items); i++)
			assert_ptr_equal(find(&m, (uint64_t)((tag + i) & 255) << 24, i), &items[i]);
		for (unsigned i = 0; i < TD_ARRAY_LEN(items); i += 2)
			td_map_del(&m, &items[i].node);
		for (unsigned i = 0; i < TD_ARRAY_LEN(items); i++)
			assert_ptr_equal(find(&m, (uint64_t)((tag + i) & 255) << 24, i), i % 2 ? &items[i] : NULL);
		td_map_free(&m);
	}
}

static bool see(struct td_map_node *n, void *arg)
{
	struct item *it = TD_CONTAINER_OF(n, struct item, node);

	assert_false(it->seen);
	it->seen = true;
	if (it->key % 3 == 0) {
		td_map_del(arg, n);
		it->in = false;
	}
	return true;
}

static bool stop_at_once(struct td_map_node *n, void *arg)
{
	return ++*(int *)arg < 3;
}

/* At every fill level, hence also in the middle of growing. */
static void each_with_deletion(void **state)
{
	for (unsigned n = 0; n < 300; n++) {
		struct item *items = calloc(n + 1, sizeof(*items));
		struct td_map m;
		int calls = 0;

		assert_int_equal(td_map_init(&m, 1), 0);
		for (unsigned i = 0; i < n; i++) {
			items[i].key = i;
			items[i].in = true;
			td_map_add(&m, &items[i].node, good(i));
		}
		td_map_each(&m, see, &m);
		for (unsigned i = 0; i < n; i++) {
			assert_true(items[i].seen);
			assert_ptr_equal(find(&m, good(i), i), items[i].in ? &items[i] : NULL);
		}
		assert_int_equal(m.count, n - (n + 2) / 3);
		td_map_each(&m, stop_at_once, &calls);
		assert_int_equal(calls, m.count < 3 ? m.count : 3);
		td_map_free(&m);
		free(items);
	}
}

/* No insertion may do more than a bounded number of moves: growing is over only many insertions after it began. */
static void grows_in_steps(void **state)
{
	enum { N = 1 << 14 };
	struct item *items = calloc(N + 1, sizeof(*items));
	struct td_map m;
	unsigned steps = 0;

	assert_int_equal(td_map_init(&m, N), 0);
	for (unsigned i = 0; i < N; i++)
		td_map_add(&m, &items[i].node, good(i));
	assert_null(m.old);
	td_map_add(&m, &items[N].node, good(N));
	assert_non_null(m.old);
	while (m.old) {
		size_t before = m.moved;

		td_map_del(&m, &items[steps++].node);
		assert_true(!m.old || m.moved - before == 1);
	}
	assert_int_equal(steps, N / 4);
	assert_int_equal(m.mask, N / 2 - 1);
	td_map_free(&m);
	free(items);
}

static bool same_node(const struct td_map_node *n, const void *key)
{
	return n == key;
}

/* Slots tell where their elements go without these: from a table of two buckets to one of 2^16, nobody is lost on the way. */
static void grows_from_nothing(void **state)
{
	enum { N = (1 << 18) + 1 };
	struct item *items = calloc(N, sizeof(*items));
	struct td_map m;

	assert_int_equal(td_map_init(&m, 0), 0);
	for (unsigned i = 0; i < N; i++) {
		td_map_add(&m, &items[i].node, good(i));
		assert_ptr_equal(td_map_find(&m, good(i / 2), same_node, &items[i / 2].node), &items[i / 2].node);
	}
	assert_true(m.mask >= (1 << 16) - 1);
	for (unsigned i = 0; i < N; i++)
		assert_ptr_equal(td_map_find(&m, good(i), same_node, &items[i].node), &items[i].node);
	for (unsigned i = 0; i < N; i++)
		td_map_del(&m, &items[i].node);
	assert_int_equal(m.count, 0);
	td_map_free(&m);
	free(items);
}

static void too_many_buckets(void **state)
{
	struct td_map m = { 0 };

	assert_true(td_map_init(&m, SIZE_MAX) < 0);
	assert_true(td_map_init(&m, SIZE_MAX / sizeof(void *)) < 0);
	assert_null(m.buckets);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(p12_siphash),        cmocka_unit_test(p12_hasher),
		cmocka_unit_test(p12_hash_on),        cmocka_unit_test(p12_key_is_random),
		cmocka_unit_test(random_operations),  cmocka_unit_test(low_bits_alike),
		cmocka_unit_test(each_with_deletion), cmocka_unit_test(grows_in_steps),
		cmocka_unit_test(too_many_buckets),   cmocka_unit_test(strangers_meet_nobody),
		cmocka_unit_test(every_tag),          cmocka_unit_test(grows_from_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
