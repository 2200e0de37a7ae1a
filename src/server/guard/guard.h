/*
 * server/guard: asked with the raw bytes of everything that arrives, before it is parsed or kept. It answers three questions in a
 * few nanoseconds and without allocating: can this be SIP at all, is its source banned, and does it still have a token? Memory is fixed;
 * every worker has a guard of its own, so a limit counts per source and worker. Bans are the server's: see bans.c.
 *
 * What a ban is made of is what only the source itself can have done. Over a connection that is everything. A datagram may bear anybody's
 * address, so of datagrams one thing alone counts: a wrong answer to a nonce that was given to that very address. Whatever else a forger
 * could send in another one's name costs that one nothing but his share of the rates.
 */
#ifndef TANDEM_SERVER_GUARD_H
#define TANDEM_SERVER_GUARD_H

#include <tandem/transport.h>
#include "server/config/config.h"

struct td_guard;
struct td_bans;

/* What a source is, as a number: a v4 address, or the /64 of a v6 one, which one host can fill at will. */
static inline uint64_t td_guard_source(const struct td_addr *a)
{
	uint64_t v = 0;

	memcpy(&v, a->ip, a->family == TD_AF_V6 ? 8 : 4);
	return v;
}

struct td_guard_stats {
	uint64_t admitted, junk, limited, replies_limited, banned;
};

enum td_guard_verdict { TD_GUARD_PASS, TD_GUARD_JUNK, TD_GUARD_BANNED, TD_GUARD_LIMITED };

enum { TD_GUARD_SOURCES = 16384 }; /* remembered at once; then those idle longest are forgotten */

/* bans is kept, and outlives it; NULL: nobody is banned. */
int td_guard_open(struct td_guard **out, struct td_rng *rng, struct td_bans *bans);
void td_guard_close(struct td_guard *g);

/* May these bytes go on to the parser? Sources under cfg->trust always may, as long as it can be SIP. bytes empty: a connection. */
enum td_guard_verdict td_guard_judge(struct td_guard *g, const struct td_config *cfg, const struct td_flow *from,
				     struct td_str bytes, uint64_t now_us);

/*
 * A request over a connection was refused for want of a password, or led nowhere. False: there were too many of these from its source
 * (one for each connection that it may have, and a hundred) while nobody there showed that he belongs here, which td_guard_known()
 * notes. TD_OFFENCE_PROBE, that is.
 */
bool td_guard_probe(struct td_guard *g, const struct td_config *cfg, const struct td_flow *from, uint64_t now_us);
void td_guard_known(struct td_guard *g, const struct td_flow *from, uint64_t now_us);
/* Bytes came over a connection that are no SIP. False: too many such connections: TD_OFFENCE_JUNK. */
bool td_guard_junk(struct td_guard *g, const struct td_flow *from, uint64_t now_us);

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

/* ---- bans ---- */

enum { TD_BANS_MAX = 8192 }; /* sources that something is held against, at once */

enum td_offence { TD_OFFENCE_GUESS, TD_OFFENCE_PROBE, TD_OFFENCE_JUNK, TD_OFFENCES };
struct td_str td_offence_name(enum td_offence o); /* "passwords", "probing", "junk": stable, for programs */

struct td_ban {
	struct td_addr source; /* a v4 address; of a v6 one its /64 is meant. Its port is the one it was last seen with */
	enum td_offence why;
	uint32_t offences; /* how many passwords it guessed; else 1 */
	uint32_t times;    /* it was banned so far, this time included */
	uint32_t for_s, left_s;
};

struct td_bans_stats {
	uint64_t made, lost; /* bans; offences that there was no room to count */
};

int td_bans_open(struct td_bans **out, struct td_rng *rng);
void td_bans_close(struct td_bans *b); /* after the owner has drained its mail */
/* Before anybody accuses. fn is called from the owner's loop for each ban made, with the Call-ID of what it was made for, or none. */
typedef void td_banned_fn(void *arg, const struct td_ban *ban, struct td_str call_id);
void td_bans_attach(struct td_bans *b, struct td_loop *owner, td_banned_fn *fn, void *arg);
/* From any thread; without a lock. A guess counts as one of cfg->guard.tries, the others as all of them at once. b NULL: nothing. */
void td_bans_accuse(struct td_bans *b, const struct td_config *cfg, enum td_offence what, const struct td_addr *source,
		    struct td_str call_id);
void td_bans_stats(struct td_bans_stats *out, const struct td_bans *b);
/*
 * Who is banned; or, with remove, ends the ban on that source and forgets what was held against it: the list is of what was removed then. fn is
 * called once, from loop; list is borrowed. err: 0 or -ENOMEM. Returns 0 or -ENOMEM.
 */
typedef void td_bans_fn(void *arg, const struct td_ban *list, size_t n, int err);
int td_bans_ask(struct td_bans *b, const struct td_addr *remove, struct td_loop *loop, td_bans_fn *fn, void *arg);

#endif
