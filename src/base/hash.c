/*
 * SipHash-1-3 (Aumasson, Bernstein: "SipHash: a fast short-input PRF"): keyed, so that peers who choose our keys
 * (Call-IDs, tags, addresses of record) cannot choose their buckets. One compression and three finalisation rounds
 * are what hash tables elsewhere (Rust, Python, Linux' hsiphash) settled on.
 */
#include <tandem/base.h>

#include <endian.h>

void td_hash_key_init(struct td_hash_key *key, struct td_rng *r)
{
	key->k0 = td_rng_u64(r);
	key->k1 = td_rng_u64(r);
}

static inline uint64_t rotl(uint64_t x, unsigned k)
{
	return x << k | x >> (64 - k);
}

static inline void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotl(v[1], 13) ^ v[0];
	v[0] = rotl(v[0], 32);
	v[2] += v[3];
	v[3] = rotl(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotl(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotl(v[1], 17) ^ v[2];
	v[2] = rotl(v[2], 32);
}

static inline uint64_t load(const uint8_t *p)
{
	uint64_t m;

	memcpy(&m, p, 8);
	return le64toh(m);
}

/* The n & 7 bytes at p that are left of n, the first of them lowest. Of eight or more they are the top of the last eight: one load. */
static inline uint64_t load_rest(const uint8_t *p, size_t n)
{
	size_t left = n & 7;
	uint64_t m = 0;

	if (!left)
		return 0;
	if (n >= 8)
		return load(p + left - 8) >> (64 - 8 * left);
	for (size_t i = 0; i < left; i++)
		m |= (uint64_t)p[i] << (8 * i);
	return m;
}

static inline void start(uint64_t v[4], const struct td_hash_key *key)
{
	v[0] = key->k0 ^ 0x736f6d6570736575;
	v[1] = key->k1 ^ 0x646f72616e646f6d;
	v[2] = key->k0 ^ 0x6c7967656e657261;
	v[3] = key->k1 ^ 0x7465646279746573;
}

static inline void add(uint64_t v[4], uint64_t m)
{
	v[3] ^= m;
	sip_round(v);
	v[0] ^= m;
}

static inline void add_bytes(uint64_t v[4], const uint8_t *p, size_t n)
{
	for (size_t words = n / 8; words; words--, p += 8)
		add(v, load(p));
	add(v, (uint64_t)n << 56 | load_rest(p, n));
}

static inline uint64_t end(uint64_t v[4])
{
	v[2] ^= 0xff;
	sip_round(v);
	sip_round(v);
	sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t td_hash(const struct td_hash_key *key, const void *data, size_t n)
{
	uint64_t v[4];

	start(v, key);
	add_bytes(v, data, n);
	return end(v);
}

uint64_t td_hash_str(const struct td_hash_key *key, struct td_str s)
{
	return td_hash(key, s.p, s.n);
}

uint64_t td_hash_on(const struct td_hash_key *key, uint64_t before, struct td_str s)
{
	uint64_t v[4];

	start(v, key);
	add(v, before);
	add_bytes(v, (const uint8_t *)s.p, s.n);
	return end(v);
}

/* ---- several strings ---- */

void td_hasher_init(struct td_hasher *h, const struct td_hash_key *key)
{
	start(h->v, key);
}

/* The length goes first: what follows a string cannot be taken for a part of it. */
void td_hasher_add(struct td_hasher *h, struct td_str s)
{
	add(h->v, s.n);
	add_bytes(h->v, (const uint8_t *)s.p, s.n);
}

void td_hasher_add_u64(struct td_hasher *h, uint64_t n)
{
	add(h->v, n);
}

uint64_t td_hasher_end(struct td_hasher *h)
{
	return end(h->v);
}
