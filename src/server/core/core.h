/*
 * server/core: what the roles of one worker share. A plain struct of pointers, filled by server/worker; the roles (gate,
 * registrar, route, proxy) get it and keep nothing else of the worker. All of it belongs to the worker's loop.
 */
#ifndef TANDEM_SERVER_CORE_H
#define TANDEM_SERVER_CORE_H

#include <tandem/auth.h>
#include <tandem/transaction.h>
#include "server/config/config.h"
#include "server/location/location.h"
#include "server/push/push.h"
#include "server/trace/trace.h"
#include "server/users/users.h"

/* Counted, never logged one by one. Written by the worker alone, read by others (relaxed). */
struct td_counters {
	_Atomic uint64_t requests, responses, registers, invites, messages, options, challenged, auth_ok, auth_failed,
		refused_relay, bad_requests, forwarded, branches, calls_answered, calls_failed, timeouts, rate_limited, loops,
		strays,   /* responses to nothing we sent */
		overload; /* messages whose worker is too far behind */
};

struct td_bans;

struct td_core {
	unsigned worker, workers;
	struct td_loop *loop;
	struct td_tp *tp;
	struct td_txl *txl;
	struct td_dns *dns;
	struct td_locator *locator;
	struct td_push *push; /* tells sleeping phones to wake up */
	struct td_log *log;
	struct td_config *cfg; /* replaced between turns on reload; take it fresh in every callback */
	struct td_users *users;
	struct td_nonces *nonces;     /* shared by all workers */
	struct td_bans *bans;         /* the same; NULL: nobody is banned */
	struct td_ha2_memo *ha2;      /* this worker's; NULL: none */
	struct td_location *location; /* all shards */
	uint8_t rr_key[16];           /* of the keyed Record-Route cookie; the same on all workers, kept over restarts */
	struct td_counters *counters;
	_Atomic bool draining;  /* nothing new begins; set from outside the worker */
	struct td_trace *trace; /* what happens is noted there; NULL: nowhere */
};

static inline bool td_core_drains(const struct td_core *core)
{
	return atomic_load_explicit(&core->draining, memory_order_relaxed);
}

#define TD_CORE_DRAINING TD_STR("Draining") /* the reason given to those who come while the server drains */

/*
 * A Retry-After for who is turned away with 503: between least_s and twice that, so that those who were sent away together do not come
 * back together. In msg's arena; empty when memory is out.
 */
enum { TD_CORE_SOON_S = 8, TD_CORE_LATER_S = 20 }; /* there is too much to do; somebody else is to serve */
TD_RARE struct td_str td_core_come_again(const struct td_core *core, struct td_msg *msg, unsigned least_s);

/* The domain of ours that a SIP URI means: by its name, whatever the port, or by our own address, which stands for the first one.
 * NULL: none. */
const struct td_domain *td_core_domain(const struct td_core *core, const struct td_uri *uri);
/* The address of record of uri's user at that domain, as td_uri_aor() writes it. TD_ESYNTAX: no user can be called that. */
int td_core_aor(struct td_out *o, const struct td_uri *uri, const struct td_domain *domain);

/*
 * A REGISTER's address of record (§10.3 step 5), when it is one of ours, found a message ahead: what is kept under it is in tables larger
 * than any cache, and comes near while the message before it is handled. It stands in the message's arena; NULL: nobody looked, or it
 * is none, and who handles the request will find out why.
 */
struct td_registrant {
	const struct td_domain *domain;
	struct td_users_key user; /* with the AOR */
	uint64_t location;        /* td_location_expect()'s */
};

void td_core_expect(const struct td_core *core, struct td_msg *msg);

static inline const struct td_registrant *td_core_registrant(const struct td_msg *msg)
{
	return msg->user;
}

static inline void td_count(_Atomic uint64_t *c)
{
	atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + 1, memory_order_relaxed);
}

#endif
