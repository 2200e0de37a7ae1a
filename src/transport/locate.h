/*
 * Shared by the files of target location (RFC 3263):
 *
 *   locate.c   from a URI to targets, step by step
 *   srv.c      which services and targets come first: NAPTR and SRV records as pure functions
 *   dead.c     targets that failed lately
 */
#ifndef TANDEM_TRANSPORT_LOCATE_H
#define TANDEM_TRANSPORT_LOCATE_H

#include "internal.h"

enum {
	LOC_MAX_SERVICES = 8,
	LOC_MAX_TARGETS = 16, /* SRV targets whose addresses are asked for */
	LOC_MAX_ADDRS = 16,   /* of one target */
	LOC_DEAD_MAX = 1024,
	LOC_DEAD_S = 60,
	LOC_DEAD_MOST_S = 300, /* whatever Retry-After says */
	LOC_OTHER_FAMILY_MS =
		200, /* when one family's addresses are here, the other's are waited for no longer (as RFC 8305 §3) */
};

/* ---- srv.c ---- */

/* One step further than a name: the SRV name to ask for, and the protocol it stands for. */
struct loc_service {
	struct td_str name;
	enum td_proto proto;
};

/* Does this record lead to an SRV name of a protocol of ours (RFC 3263 §4.1)? secure (sips): of TLS alone. */
bool loc_naptr_usable(enum td_proto *out, const struct td_dns_record *r, bool secure);
/* "_sip._udp." and so on. */
const char *loc_srv_prefix(enum td_proto proto);
/* Writes the indices of n records, which are sorted by priority, in the order in which they are to be tried (RFC 2782, "Usage rules"). */
void loc_srv_order(uint8_t *out, const struct td_dns_record *r, unsigned n, struct td_rng *rng);

/* ---- dead.c ---- */

struct loc_dead {
	struct td_map_node node;
	struct td_link link; /* oldest first */
	struct td_hop hop;
	uint64_t until_ms, since_ms;
};

struct td_locator {
	struct td_tp *tp;
	struct td_dns *dns;
	struct td_log *log;
	struct td_loop *loop;
	struct td_map dead;
	struct td_link dead_list;
	unsigned dead_n;
	struct td_hash_key key;
};

/* NULL: it is not known to be dead. */
const struct loc_dead *loc_dead_find(struct td_locator *lr, const struct td_hop *hop);

#endif
