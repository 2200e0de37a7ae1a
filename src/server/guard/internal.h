/* guard, private: how its files name a source. */
#ifndef TD_SERVER_GUARD_INTERNAL_H
#define TD_SERVER_GUARD_INTERNAL_H

#include "server/guard/guard.h"

/* What a bucket or a ban belongs to: the leading bits of an address, and what is counted. Never 0. */
uint64_t guard_hash(const struct td_hash_key *key, const struct td_addr *a, unsigned bits, char what);

/* A single source: its requests, and its bans. */
static inline uint64_t guard_source_hash(const struct td_hash_key *key, const struct td_addr *a)
{
	return guard_hash(key, a, a->family == TD_AF_V6 ? 64 : 32, 'r');
}

/* bans.c. Both b may be NULL. */
const struct td_hash_key *bans_key(const struct td_bans *b);
bool bans_hold(const struct td_bans *b, uint64_t hash, uint64_t now_ms); /* a source's */

#endif
