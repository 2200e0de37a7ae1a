/*
 * SipHash-2-4 with 64 and 128 bits of output (Aumasson, Bernstein 2012): a MAC made for short inputs. The map's hash (base) has fewer
 * rounds and is none.
 */
#include "auth/internal.h"

#include <endian.h>

struct sip_state {
	uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotl(uint64_t x, int b)
{
	return (x << b) | (x >> (64 - b));
}

static inline void rounds(struct sip_state *s, int n)
{
	while (n--) {
		s->v0 += s->v1;
		s->v1 = rotl(s->v1, 13) ^ s->v0;
		s->v0 = rotl(s->v0, 32);
		s->v2 += s->v3;
		s->v3 = rotl(s->v3, 16) ^ s->v2;
		s->v0 += s->v3;
		s->v3 = rotl(s->v3, 21) ^ s->v0;
		s->v2 += s->v1;
		s->v1 = rotl(s->v1, 17) ^ s->v2;
		s->v2 = rotl(s->v2, 32);
	}
}

static inline uint64_t load64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return le64toh(v);
}

static inline void store64(uint8_t *p, uint64_t v)
{
	v = htole64(v);
	memcpy(p, &v, sizeof(v));
}

static inline struct sip_state absorb(const uint8_t key[16], const uint8_t *p, size_t n, uint64_t tweak)
{
	uint64_t k0 = load64(key), k1 = load64(key + 8), last = (uint64_t)n << 56;
	bool words = n >= 8;
	struct sip_state s = { k0 ^ 0x736f6d6570736575ULL, k1 ^ 0x646f72616e646f6dULL ^ tweak, k0 ^ 0x6c7967656e657261ULL,
			       k1 ^ 0x7465646279746573ULL };

	for (; n >= 8; p += 8, n -= 8) {
		uint64_t m = load64(p);

		s.v3 ^= m;
		rounds(&s, 2);
		s.v0 ^= m;
	}
	if (words && n) { /* what is left is the top of the last eight: one load */
		last |= load64(p + n - 8) >> (64 - 8 * n);
		n = 0;
	}
	for (size_t i = 0; i < n; i++)
		last |= (uint64_t)p[i] << (8 * i);
	s.v3 ^= last;
	rounds(&s, 2);
	s.v0 ^= last;
	return s;
}

uint64_t td_siphash64(const uint8_t key[16], const void *in, size_t n)
{
	struct sip_state s = absorb(key, in, n, 0);

	s.v2 ^= 0xff;
	rounds(&s, 4);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

void td_siphash128(uint8_t out[16], const uint8_t key[16], const void *in, size_t n)
{
	struct sip_state s = absorb(key, in, n, 0xee);

	s.v2 ^= 0xee;
	rounds(&s, 4);
	store64(out, s.v0 ^ s.v1 ^ s.v2 ^ s.v3);
	s.v1 ^= 0xdd;
	rounds(&s, 4);
	store64(out + 8, s.v0 ^ s.v1 ^ s.v2 ^ s.v3);
}
