/* route, private. */
#ifndef TD_SERVER_ROUTE_INTERNAL_H
#define TD_SERVER_ROUTE_INTERNAL_H

#include "server/route/route.h"

/* number.c: whom r->aor means. 0: r->aor, and r->ring if it is a list, are that; TD_ENOTFOUND: nobody; -ENOMEM. */
int route_find(struct td_route *r, const struct td_core *core, struct td_msg *msg);

#endif
