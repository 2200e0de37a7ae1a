/*
 * Randomness. The real one buffers getrandom(2), the kernel's ChaCha20, 512 bytes at a time and wipes what it hands
 * out, so that a later leak of memory tells no earlier tag or nonce. (After fork(2) both sides would hold the same
 * pool: fork before opening a loop.) The simulated one is xoshiro256**, seeded by splitmix64: fast, the same on every
 * machine, and good for nothing secret.
 */
#include <tandem/base.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

static void kernel_bytes(uint8_t *p, size_t n)
{
	while (n) {
		ssize_t got = getrandom(p, n, 0);

		if (got < 0) {
			if (errno == EINTR)
				continue;
			/* Going on with guessable tags and nonces would be worse than not going on. */
			fputs("fatal: getrandom(2) failed\n", stderr);
			abort();
		}
		p += got;
		n -= (size_t)got;
	}
}

void td_rng_init(struct td_rng *r)
{
	*r = (struct td_rng){ 0 };
	kernel_bytes(r->pool, sizeof(r->pool));
}

static uint64_t splitmix64(uint64_t *x)
{
	uint64_t z = *x += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

void td_rng_init_seed(struct td_rng *r, uint64_t seed)
{
	*r = (struct td_rng){ .simulated = true };
	for (size_t i = 0; i < TD_ARRAY_LEN(r->seed); i++)
		r->seed[i] = splitmix64(&seed);
}

static uint64_t rotl(uint64_t x, unsigned k)
{
	return x << k | x >> (64 - k);
}

static uint64_t xoshiro256ss(uint64_t s[4])
{
	uint64_t result = rotl(s[1] * 5, 7) * 9, t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotl(s[3], 45);
	return result;
}

static void simulated_bytes(struct td_rng *r, uint8_t *p, size_t n)
{
	while (n) {
		uint64_t v = xoshiro256ss(r->seed);
		size_t take = n < 8 ? n : 8;

		for (size_t i = 0; i < take; i++, v >>= 8)
			*p++ = (uint8_t)v;
		n -= take;
	}
}

void td_rng_bytes(struct td_rng *r, void *out, size_t n)
{
	uint8_t *p = out;

	if (r->simulated) {
		simulated_bytes(r, p, n);
		return;
	}
	if (n > sizeof(r->pool)) {
		kernel_bytes(p, n);
		return;
	}
	if (n > sizeof(r->pool) - r->used) {
		kernel_bytes(r->pool, sizeof(r->pool));
		r->used = 0;
	}
	memcpy(p, r->pool + r->used, n);
	explicit_bzero(r->pool + r->used, n);
	r->used += (uint32_t)n;
}

uint64_t td_rng_u64(struct td_rng *r)
{
	uint64_t v;

	if (r->simulated)
		return xoshiro256ss(r->seed);
	td_rng_bytes(r, &v, sizeof(v));
	return v;
}

uint64_t td_rng_below(struct td_rng *r, uint64_t n)
{
	uint64_t floor, v;

	if (n < 2)
		return 0;
	floor = -n % n; /* 2^64 mod n: values below it would favour the small results */
	do
		v = td_rng_u64(r);
	while (v < floor);
	return v % n;
}

void td_rng_token(struct td_rng *r, char *out, size_t n)
{
	static const char digit[32] = "0123456789abcdefghijklmnopqrstuv";
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++, v >>= 5) {
		if (i % 12 == 0)
			v = td_rng_u64(r);
		out[i] = digit[v & 31];
	}
}
