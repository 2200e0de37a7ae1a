/*
 * Nonces that need no memory, and the little memory that makes each use of one count only once (RFC 7616 §3.3, §5.12).
 *
 * A nonce is base64 of: 5 bytes of issue time in ms, 3 random bytes, 7 bytes of MAC over both, the realm and the address it is for. The MAC is
 * SipHash-2-4 with a 128-bit key drawn at start: a MAC made for inputs of this size, and thirty times cheaper than
 * HMAC-SHA256, which would cost more than all other work of a challenge. What it protects is freshness only: who forged a
 * nonce (2^55 tries, each of them a request) would still need the password to answer it. It is this short because clients and
 * server hash it with every answer: with a cnonce of 16 characters, two blocks of MD5 instead of three.
 *
 * A nonce answered correctly may come again with a higher count. The counts seen are kept in a table of sets, one cache line
 * each: seven windows and a watermark. A window is one 64-bit word, so that every change is one compare-and-swap:
 *
 *     tag (20 bits of the id) | issue time in units, mod 4096 (12) | highest count (16) | the 16 counts up to it (16)
 *
 * When a set is full, the oldest window goes and the watermark rises to its issue time; a nonce not younger than the
 * watermark might have lost its window, so it is stale. Whatever goes wrong (two nonces with equal
 * tags, two workers inserting the same nonce at once) makes a nonce stale, which costs a client one round trip; nothing
 * makes a count usable twice.
 */
#include <errno.h>
#include <stdlib.h>
#include "auth/internal.h"

enum {
	TIME_BYTES = 5, /* 34 years after the clock began */
	RANDOM_BYTES = 3,
	HEAD_BYTES = TIME_BYTES + RANDOM_BYTES,
	SEAL_BYTES = 7,
	NONCE_BYTES = HEAD_BYTES + SEAL_BYTES,
	REALM_MAX = 255, /* longer than any name of a domain */
	WAYS = 7,
	COUNT_MAX = 0xffff,
	SEEN_BITS = 16,
	COUNT_BITS = 16,
	UNIT_BITS = 12,
	TAG_BITS = 20,
	UNITS = 1 << UNIT_BITS,
	SKEW_UNITS = 64, /* workers read their clocks once per turn */
};

struct set {
	_Atomic uint64_t watermark; /* in units */
	_Atomic uint64_t window[WAYS];
};
_Static_assert(NONCE_BYTES % 3 == 0 && NONCE_BYTES / 3 * 4 == TD_NONCE_TEXT, "a nonce has no padding");
_Static_assert(sizeof(struct set) == 64, "a set is a cache line");
_Static_assert(TAG_BITS + UNIT_BITS + COUNT_BITS + SEEN_BITS == 64, "a window is one word");

struct td_nonces {
	uint8_t key[16];
	uint64_t lifetime_ms;
	uint64_t unit_ms; /* a thousandth of the lifetime, so that 12 bits cover it four times */
	size_t mask;
	struct set *sets;
};

/* ---- making and recognising ---- */

int td_nonces_open(struct td_nonces **out, struct td_rng *rng, const struct td_nonce_options *opt)
{
	uint32_t lifetime_s = opt && opt->lifetime_s ? opt->lifetime_s : 300;
	uint32_t windows = opt && opt->windows ? opt->windows : 262144;
	struct td_nonces *n = calloc(1, sizeof(*n));
	size_t sets = 1;

	if (!n)
		return -ENOMEM;
	while (sets * WAYS < windows)
		sets *= 2;
	n->sets = td_table_new(sets * sizeof(struct set), false);
	if (!n->sets) {
		free(n);
		return -ENOMEM;
	}
	n->mask = sets - 1;
	n->lifetime_ms = (uint64_t)lifetime_s * 1000;
	n->unit_ms = n->lifetime_ms / 1000;
	td_rng_bytes(rng, n->key, sizeof(n->key));
	*out = n;
	return 0;
}

void td_nonces_close(struct td_nonces *n)
{
	if (!n)
		return;
	explicit_bzero(n->key, sizeof(n->key));
	td_table_free(n->sets, (n->mask + 1) * sizeof(struct set));
	free(n);
}

/* The MAC of the head and the source, whose length is fixed, and the realm behind them; of one too long for here, its MAC. */
static uint64_t seal(const struct td_nonces *n, const uint8_t *head, struct td_str realm, uint64_t source)
{
	uint8_t text[HEAD_BYTES + sizeof(source) + REALM_MAX], inner[16];

	if (realm.n > REALM_MAX) {
		td_siphash128(inner, n->key, realm.p, realm.n);
		realm = td_str_n((char *)inner, sizeof(inner));
	}
	memcpy(text, head, HEAD_BYTES);
	memcpy(text + HEAD_BYTES, &source, sizeof(source));
	if (realm.n)
		memcpy(text + HEAD_BYTES + sizeof(source), realm.p, realm.n);
	return td_siphash64(n->key, text, HEAD_BYTES + sizeof(source) + realm.n);
}

static void put_bytes(uint8_t *out, uint64_t v, int n)
{
	for (int i = 0; i < n; i++)
		out[i] = (uint8_t)(v >> (8 * i));
}

void td_nonce_make(struct td_out *o, struct td_nonces *n, struct td_rng *rng, uint64_t now_ms, struct td_str realm,
		   uint64_t source)
{
	uint8_t b[NONCE_BYTES];

	put_bytes(b, now_ms, TIME_BYTES);
	td_rng_bytes(rng, b + TIME_BYTES, RANDOM_BYTES);
	put_bytes(b + HEAD_BYTES, seal(n, b, realm, source), SEAL_BYTES);
	td_base64_encode(o, b, sizeof(b));
}

enum td_nonce_state td_nonce_check(struct td_nonce *out, const struct td_nonces *n, uint64_t now_ms, struct td_str text,
				   struct td_str realm, uint64_t source)
{
	uint8_t b[NONCE_BYTES], want[SEAL_BYTES];
	struct td_out o;
	uint64_t mac;

	td_out_init_fixed(&o, b, sizeof(b));
	if (text.n != TD_NONCE_TEXT || td_base64_decode(&o, text) || o.failed || o.n != NONCE_BYTES)
		return TD_NONCE_FOREIGN;
	mac = seal(n, b, realm, source);
	put_bytes(want, mac, SEAL_BYTES);
	if (!td_str_eq_secret(td_str_n((char *)want, SEAL_BYTES), td_str_n((char *)b + HEAD_BYTES, SEAL_BYTES)))
		return TD_NONCE_FOREIGN;
	out->issued_ms = 0;
	for (int i = 0; i < TIME_BYTES; i++)
		out->issued_ms |= (uint64_t)b[i] << (8 * i);
	out->id = mac;
	return now_ms > out->issued_ms + n->lifetime_ms ? TD_NONCE_OLD : TD_NONCE_GOOD;
}

/* ---- the windows ---- */

static inline uint64_t owner_of(uint64_t word) /* tag and time: who the window belongs to */
{
	return word >> (COUNT_BITS + SEEN_BITS);
}

static inline uint64_t word_of(uint64_t owner, uint32_t count, uint32_t seen)
{
	return owner << (COUNT_BITS + SEEN_BITS) | (uint64_t)count << SEEN_BITS | seen;
}

/* The window with this count used too; 0 when it was used already or lies below the window. */
static uint64_t with_count(uint64_t word, uint32_t count)
{
	uint32_t top = (word >> SEEN_BITS) & COUNT_MAX;
	uint32_t seen = word & ((1u << SEEN_BITS) - 1);

	if (count > top) {
		uint32_t up = count - top;
		seen = up < SEEN_BITS ? (seen << up) & ((1u << SEEN_BITS) - 1) : 0;
		return word_of(owner_of(word), count, seen | 1);
	}
	uint32_t down = top - count;
	if (down >= SEEN_BITS || (seen & (1u << down)))
		return 0;
	return word_of(owner_of(word), top, seen | 1u << down);
}

static struct set *set_of(const struct td_nonces *n, const struct td_nonce *nonce)
{
	return &n->sets[nonce->id & n->mask];
}

void td_nonce_expect(const struct td_nonces *n, const struct td_nonce *nonce)
{
	td_fetch(set_of(n, nonce));
}

/* When the window's nonce was issued, in units. Units wrap; a clock a little behind the issuer's must not read it as ancient. */
static uint64_t unit_of(uint64_t word, uint64_t now_unit)
{
	uint64_t ahead = now_unit + SKEW_UNITS;
	uint64_t age = (ahead - (owner_of(word) & (UNITS - 1))) & (UNITS - 1);

	return ahead > age ? ahead - age : 0;
}

static void raise_watermark(struct set *s, uint64_t unit)
{
	uint64_t have = atomic_load(&s->watermark);

	while (have < unit && !atomic_compare_exchange_weak(&s->watermark, &have, unit))
		;
}

/* Index of the owner's window, WAYS when it has none; two of them (a race) count as trouble: -1. */
static int find(const struct set *s, uint64_t owner, uint64_t *word)
{
	int at = WAYS;

	for (int i = 0; i < WAYS; i++) {
		uint64_t w = atomic_load(&s->window[i]);
		if (!w || owner_of(w) != owner)
			continue;
		if (at != WAYS)
			return -1;
		at = i;
		*word = w;
	}
	return at;
}

/* Takes an empty place or the oldest one. The watermark rises before the old window goes: see td_nonce_use(). */
static int take_place(struct set *s, uint64_t mine, uint64_t now_unit)
{
	for (;;) {
		uint64_t oldest = UINT64_MAX, victim = 0;
		int at = 0;

		for (int i = 0; i < WAYS; i++) {
			uint64_t w = atomic_load(&s->window[i]);
			uint64_t unit = w ? unit_of(w, now_unit) + 1 : 0;
			if (unit < oldest) {
				oldest = unit;
				victim = w;
				at = i;
			}
		}
		if (victim)
			raise_watermark(s, oldest - 1);
		if (atomic_compare_exchange_strong(&s->window[at], &victim, mine))
			return at;
	}
}

/*
 * The change is made first and judged after it: all operations being in one order, of two workers that gave one nonce two
 * windows at least one sees the other and gives way, and who comes after a loss sees the watermark raised before it.
 */
bool td_nonce_use(struct td_nonces *n, const struct td_nonce *nonce, uint32_t count, uint64_t now_ms)
{
	struct set *s = set_of(n, nonce);
	uint64_t unit = nonce->issued_ms / n->unit_ms + 1; /* above a fresh set's watermark */
	uint64_t now_unit = now_ms / n->unit_ms + 1;
	uint64_t owner = nonce->id >> (64 - TAG_BITS) << UNIT_BITS | (unit & (UNITS - 1));
	uint64_t word = 0, mine;
	int at;

	if (count == 0 || count > COUNT_MAX || unit > now_unit + SKEW_UNITS)
		return false;
	do {
		at = find(s, owner, &word);
		if (at < 0 || atomic_load(&s->watermark) >= unit)
			return false;
		if (at == WAYS) {
			mine = word_of(owner, count, 1);
			at = take_place(s, mine, now_unit);
			break;
		}
		mine = with_count(word, count);
		if (!mine)
			return false;
	} while (!atomic_compare_exchange_strong(&s->window[at], &word, mine));
	return find(s, owner, &word) == at && atomic_load(&s->watermark) < unit;
}
