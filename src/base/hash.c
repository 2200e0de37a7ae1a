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

uint64_t td_hash(const struct td_hash_key *key, const void *data, size_t n)
{
	uint64_t v[4] = {
		key->k0 ^ 0x736f6d6570736575,
		key->k1 ^ 0x646f72616e646f6d,
		key->k0 ^ 0x6c7967656e657261,
		key->k1 ^ 0x7465646279746573,
	};
	const uint8_t *p = data;
	uint64_t m, last = (uint64_t)n << 56;
	size_t left = n & 7;

	for (size_t words = n / 8; words; words--, p += 8) {
		memcpy(&m, p, 8);
		m = le64toh(m);
		v[3] ^= m;
		sip_round(v);
		v[0] ^= m;
	}
	for (size_t i = 0; i < left; i++)
		last |= (uint64_t)p[i] << (8 * i);
	v[3] ^= last;
	sip_round(v);
	v[0] ^= last;
	v[2] ^= 0xff;
	sip_round(v);
	sip_round(v);
	sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t td_hash_str(const struct td_hash_key *key, struct td_str s)
{
	return td_hash(key, s.p, s.n);
}
