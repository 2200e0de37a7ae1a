/*
 * Token buckets in a table of fixed size. A bucket is kept as the one number the generic cell rate algorithm needs: the time at
 * which it will be full again. A request moves that time on by 1/rate seconds; a bucket that would be full only after more than
 * `burst` such steps is empty. So an entry is 16 bytes, four of them are a cache line, and "the fullest bucket of the line" (the one
 * whose loss costs least) is simply the one with the earliest time: a flood of invented sources pushes out idle entries
 * and each other, never the sources that are being held back.
 *
 * Entries are found by a keyed 64-bit hash of the address (v6: of the /64, which one host can fill at will); the address itself is
 * not kept. Two sources sharing all 64 bits would share a bucket; without the key nobody can arrange that.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>

enum { WAYS = 4, SETS = TD_GUARD_SOURCES / WAYS, MAX_METHOD = 65 };
/* Requests of strangers over connections that lead nowhere: so many at once, beside one for each connection, and one a second. */
enum { PROBES = 100, PROBE_MS = 1000 };
/* Connections that speak no SIP: so many at once, and one a minute. */
enum { JUNKS = 20, JUNK_MS = 60000 };

struct bucket {
	uint64_t hash; /* 0: free */
	uint64_t full_at_ns;
};

enum { TABLE_BYTES = SETS * WAYS * sizeof(struct bucket) };

struct td_guard {
	struct td_hash_key key; /* the bans', so that a source is hashed once */
	const struct td_bans *bans;
	struct td_guard_stats stats;
	struct bucket *sets; /* SETS × WAYS, cache-line aligned */
};

int td_guard_open(struct td_guard **out, struct td_rng *rng, struct td_bans *bans)
{
	struct td_guard *g = calloc(1, sizeof(*g));

	if (!g)
		return -ENOMEM;
	/* its pages cost nothing before a source falls into them */
	g->sets = td_table_new(TABLE_BYTES, false);
	if (!g->sets) {
		free(g);
		return -ENOMEM;
	}
	g->bans = bans;
	if (bans)
		g->key = *bans_key(bans);
	else
		td_hash_key_init(&g->key, rng);
	*out = g;
	return 0;
}

void td_guard_close(struct td_guard *g)
{
	if (!g)
		return;
	td_table_free(g->sets, TABLE_BYTES);
	free(g);
}

const struct td_guard_stats *td_guard_stats(const struct td_guard *g)
{
	return &g->stats;
}

uint64_t guard_hash(const struct td_hash_key *key, const struct td_addr *a, unsigned bits, char what)
{
	uint8_t k[18] = { a->family, (uint8_t)what };
	unsigned bytes = bits / 8;
	uint64_t h;

	memcpy(k + 2, a->ip, bytes);
	h = td_hash(key, k, 2 + bytes);
	return h ? h : 1;
}

static struct bucket *find_or_evict(struct td_guard *g, uint64_t hash)
{
	struct bucket *set = &g->sets[(hash % SETS) * WAYS], *idle = set;

	for (unsigned i = 0; i < WAYS; i++) {
		if (set[i].hash == hash)
			return &set[i];
		if (set[i].full_at_ns < idle->full_at_ns)
			idle = &set[i];
	}
	*idle = (struct bucket){ .hash = hash };
	return idle;
}

static bool take_step(struct td_guard *g, uint64_t hash, uint64_t step, uint32_t burst, uint64_t now_us)
{
	uint64_t now = now_us * 1000;
	struct bucket *b = find_or_evict(g, hash);
	uint64_t full_at = b->full_at_ns > now ? b->full_at_ns : now;

	if (full_at + step > now + step * (burst ? burst : 1))
		return false;
	b->full_at_ns = full_at + step;
	return true;
}

static bool take(struct td_guard *g, uint64_t hash, uint32_t rate, uint32_t burst, uint64_t now_us)
{
	return take_step(g, hash, 1000000000ULL / (rate ? rate : 1), burst, now_us);
}

/* token (RFC 3261 §25.1) */
static const bool token_char[256] = {
	['0' ... '9'] = true, ['A' ... 'Z'] = true, ['a' ... 'z'] = true, ['-'] = true, ['.'] = true,  ['!'] = true, ['%'] = true,
	['*'] = true,         ['_'] = true,         ['+'] = true,         ['`'] = true, ['\''] = true, ['~'] = true,
};

static bool is_alpha(unsigned char c)
{
	return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

/* Method = token, then SP, then the scheme of a Request-URI ("<" by those who wrongly put it in angle brackets, RFC 4475 §3.1.2.11)
 * or "SIP/2.0" and a status. HTTP's and RTSP's "/" and "*" fall out here, STUN and other binary at the first byte. */
bool td_guard_plausible(struct td_str bytes)
{
	const unsigned char *p = (const unsigned char *)bytes.p, *end = p + bytes.n, *method, *most;

	while (p < end && (*p == '\r' || *p == '\n'))
		p++;
	if (p == end)
		return bytes.n <= 4; /* keep-alives: CRLF, or CRLF CRLF (RFC 5626 §3.5.1) */
	if ((*p | 0x20) == 's' && td_str_istarts(td_str_n((const char *)p, (size_t)(end - p)), TD_STR("SIP/")))
		return true;
	most = end - p < MAX_METHOD ? end : p + MAX_METHOD;
	for (method = p; p < most && token_char[*p]; p++)
		;
	if (p == method || p == end || *p != ' ')
		return false;
	while (p < end && *p == ' ')
		p++;
	return p < end && (is_alpha(*p) || *p == '<');
}

enum td_guard_verdict td_guard_judge(struct td_guard *g, const struct td_config *cfg, const struct td_flow *from,
				     struct td_str bytes, uint64_t now_us)
{
	/* A stream is cut anywhere, so that its bytes say nothing by their beginning: its framing judges them. */
	bool datagram = !td_proto_reliable((enum td_proto)from->proto);
	uint64_t hash;

	if (datagram && (!bytes.n || from->peer.port == 0 || td_ip_is_any(&from->peer) || td_ip_is_multicast(&from->peer) ||
			 !td_guard_plausible(bytes))) {
		g->stats.junk++;
		return TD_GUARD_JUNK;
	}
	if (cfg->trust_n && td_config_trusts(cfg, &from->peer)) {
		g->stats.admitted++;
		return TD_GUARD_PASS;
	}
	hash = guard_source_hash(&g->key, &from->peer);
	if (bans_hold(g->bans, hash, now_us / 1000) && cfg->guard.tries && !td_config_allows(cfg, &from->peer)) {
		g->stats.banned++;
		return TD_GUARD_BANNED;
	}
	if (!take(g, hash, cfg->limits.rate, cfg->limits.burst, now_us)) {
		g->stats.limited++;
		return TD_GUARD_LIMITED;
	}
	g->stats.admitted++;
	return TD_GUARD_PASS;
}

static uint64_t source_bucket(const struct td_guard *g, const struct td_flow *from, char what)
{
	return guard_hash(&g->key, &from->peer, from->peer.family == TD_AF_V6 ? 64 : 32, what);
}

/* An office whose phones all come back at once: each asks, and is challenged, before the first has answered. */
bool td_guard_probe(struct td_guard *g, const struct td_config *cfg, const struct td_flow *from, uint64_t now_us)
{
	return take_step(g, source_bucket(g, from, 'p'), PROBE_MS * 1000000ULL, PROBES + cfg->limits.conns_per_source, now_us);
}

/* A phone asks, is challenged, and shows who it is: what it took comes back. */
void td_guard_known(struct td_guard *g, const struct td_flow *from, uint64_t now_us)
{
	uint64_t hash = source_bucket(g, from, 'p');
	struct bucket *set = &g->sets[(hash % SETS) * WAYS];

	for (unsigned i = 0; i < WAYS; i++)
		if (set[i].hash == hash && set[i].full_at_ns > now_us * 1000)
			set[i].full_at_ns -= PROBE_MS * 1000000ULL;
}

bool td_guard_junk(struct td_guard *g, const struct td_flow *from, uint64_t now_us)
{
	return take_step(g, source_bucket(g, from, 'j'), JUNK_MS * 1000000ULL, JUNKS, now_us);
}

/* One answer of the budget that the network of a datagram's source has for answers of this kind. */
static bool within_budget(struct td_guard *g, const struct td_config *cfg, const struct td_flow *from, char what, uint64_t now_us)
{
	if (take(g, guard_hash(&g->key, &from->peer, from->peer.family == TD_AF_V6 ? 56 : 24, what), cfg->limits.rate,
		 cfg->limits.burst, now_us))
		return true;
	g->stats.replies_limited++;
	return false;
}

bool td_guard_may_answer(struct td_guard *g, const struct td_config *cfg, const struct td_flow *from, uint64_t now_us)
{
	return td_proto_reliable((enum td_proto)from->proto) || td_config_trusts(cfg, &from->peer) ||
	       within_budget(g, cfg, from, 'a', now_us);
}

bool td_guard_may_keep_alive(struct td_guard *g, const struct td_config *cfg, const struct td_flow *from, uint64_t now_us)
{
	return td_config_trusts(cfg, &from->peer) || within_budget(g, cfg, from, 'k', now_us);
}

bool td_guard_may_correct(struct td_guard *g, const struct td_config *cfg, const struct td_flow *from, uint64_t now_us)
{
	return td_proto_reliable((enum td_proto)from->proto) || within_budget(g, cfg, from, 'c', now_us);
}
