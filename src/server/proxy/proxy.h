/*
 * server/proxy: the proxy of RFC 3261 §16, stateful with RFC 6026 (2xx), RFC 4320 (non-INVITE), RFC 5393 (loops, breadth) and RFC
 * 3326 (Reason), or stateless (§16.11). One per worker. What may be proxied, and to whom, is decided before: by server/route and the gate.
 */
#ifndef TANDEM_SERVER_PROXY_H
#define TANDEM_SERVER_PROXY_H

#include "server/calls/calls.h"

struct td_proxy;

struct td_proxy_stats {
	/* open now: response contexts (and stateless requests being looked up), their branches, sources with calls being set up */
	uint64_t contexts, branches, sources;
};

/* core and calls are kept. calls NULL: they are not tracked, whatever the configuration says. */
int td_proxy_open(struct td_proxy **out, struct td_core *core, struct td_calls *calls);
void td_proxy_close(struct td_proxy *p); /* before the transaction layer; tells nobody */

/* A new request that td_route_decide() and td_route_admitted() made TD_ROUTE_USER or TD_ROUTE_NEXT. Everything is borrowed. It is always
 * answered (an ACK never is). */
void td_proxy_request(struct td_proxy *p, struct td_msg *msg, const struct td_flow *from, const struct td_route *route);

/*
 * The same without state, for what td_route marks so; ACK and CANCEL as well. note: the gate let it in by its credentials. Its
 * retransmissions, its CANCEL and the ACK for its refusal are then known for as long as they may come: they bring no
 * credentials that count. Not answered is what went out.
 */
void td_proxy_forward(struct td_proxy *p, struct td_msg *msg, const struct td_flow *from, const struct td_route *route,
		      bool note);
bool td_proxy_noted(const struct td_proxy *p, const struct td_msg *msg, const struct td_flow *from, const struct td_route *route);
/* A response to what was forwarded without state, on whatever worker it arrived: it is sent on, or counted as a stray when we did not
 * make its branch. False: its branch is of another form. */
bool td_proxy_response(struct td_proxy *p, const struct td_msg *msg, const struct td_flow *from);

const struct td_proxy_stats *td_proxy_stats(const struct td_proxy *p);

#endif
