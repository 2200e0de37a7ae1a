/*
 * server/proxy: the stateful proxy of RFC 3261 §16, with RFC 6026 (2xx), RFC 4320 (non-INVITE), RFC 5393 (loops, breadth) and RFC
 * 3326 (Reason). One per worker. What may be proxied, and to whom, is decided before: by server/route and the gate.
 */
#ifndef TANDEM_SERVER_PROXY_H
#define TANDEM_SERVER_PROXY_H

#include "server/calls/calls.h"

struct td_proxy;

struct td_proxy_stats {
	uint64_t contexts, branches, sources; /* open now: response contexts, their branches, sources with calls being set up */
};

/* core and calls are kept. calls NULL: they are not tracked, whatever the configuration says. */
int td_proxy_open(struct td_proxy **out, struct td_core *core, struct td_calls *calls);
void td_proxy_close(struct td_proxy *p); /* before the transaction layer; tells nobody */

/* A new request that td_route_decide() and td_route_admitted() made TD_ROUTE_USER or TD_ROUTE_NEXT. Everything is borrowed. It is always
 * answered (an ACK never is). */
void td_proxy_request(struct td_proxy *p, struct td_msg *msg, const struct td_flow *from, const struct td_route *route);

const struct td_proxy_stats *td_proxy_stats(const struct td_proxy *p);

#endif
