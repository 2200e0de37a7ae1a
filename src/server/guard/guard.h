/*
 * server/guard: asked with the raw bytes of everything that arrives, before it is parsed or kept. It answers two questions in a
 * few nanoseconds and without allocating: can this be SIP at all, and does its source still have a token? Memory is fixed; every
 * worker has a guard of its own, so a limit counts per source and worker.
 */
#ifndef TANDEM_SERVER_GUARD_H
#define TANDEM_SERVER_GUARD_H

#include <tandem/transport.h>
#include "server/config/config.h"

struct td_guard;

/* What a source is, as bytes: a v4 address, or the /64 of a v6 one, which one host can fill at will. */
enum { TD_SOURCE_MAX = 9 };
struct td_str td_guard_source(uint8_t out[TD_SOURCE_MAX], const struct td_addr *a);

struct td_guard_stats {
	uint64_t admitted, junk, limited, replies_limited;
};

enum { TD_GUARD_SOURCES = 16384 }; /* remembered at once; then those idle longest are forgotten */

int td_guard_open(struct td_guard **out, struct td_rng *rng);
void td_guard_close(struct td_guard *g);

/* May these bytes go on to the parser? Sources under cfg->trust always may, as long as it can be SIP. bytes empty: a connection. */
bool td_guard_admit(struct td_guard *g, const struct td_config *cfg, const struct td_flow *from, struct td_str bytes,
		    uint64_t now_us);

/*
 * May a source that has not shown it is where it says be answered? Datagrams can be forged, and whoever they name gets the
 * answers (T7): answers to unauthenticated datagrams have a budget per network (/24, /56), the rate of a single source.
 */
bool td_guard_may_answer(struct td_guard *g, const struct td_config *cfg, const struct td_flow *from, uint64_t now_us);

/*
 * May a datagram that breaks the grammar be told so? Nobody under trust is asked who he is, so a flood of broken requests in his name
 * would be answered one by one, at ten times the cost of dropping them. Whoever sends one by mistake learns of it all the same: this
 * budget is as large as the other one, and apart from it, so that broken requests do not use up what others are answered with.
 */
bool td_guard_may_correct(struct td_guard *g, const struct td_config *cfg, const struct td_flow *from, uint64_t now_us);

/* The same of a keep-alive by STUN, with a budget of its own: phones are kept reachable whatever else comes in their network's name. */
bool td_guard_may_keep_alive(struct td_guard *g, const struct td_config *cfg, const struct td_flow *from, uint64_t now_us);

/* Could these be the first bytes of a SIP message, or a keep-alive of CR LF? Cheap, and generous towards broken messages that
 * deserve a 400 (P10). */
bool td_guard_plausible(struct td_str bytes);

const struct td_guard_stats *td_guard_stats(const struct td_guard *g);

#endif
