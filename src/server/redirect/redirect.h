/*
 * server/redirect: the redirect server of RFC 3261 §8.3, for domains with mode: redirect. It answers a request for a user with where
 * he is, and the caller goes there by himself: nothing more of the call comes by. One per worker. Who may ask is decided before, by
 * server/route and the gate.
 */
#ifndef TANDEM_SERVER_REDIRECT_H
#define TANDEM_SERVER_REDIRECT_H

#include "server/route/route.h"

struct td_redirect;

/* core is kept. -ENOMEM. */
int td_redirect_open(struct td_redirect **out, struct td_core *core);
void td_redirect_close(struct td_redirect *rd); /* before the transaction layer; tells nobody */

/*
 * A new request, no ACK, that td_route_decide() and td_route_admitted() made TD_ROUTE_USER of a domain that redirects. Borrowed. It is
 * answered: 302 with his bindings, each with its q and how long it holds; 480 when there is none that could be gone to.
 */
void td_redirect_request(struct td_redirect *rd, struct td_msg *msg, const struct td_flow *from, const struct td_route *route);

#endif
