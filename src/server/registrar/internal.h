/*
 * server/registrar, inside the room.
 *
 *   registrar.c   a REGISTER, step by step (§10.3)
 *   extension.c   what it asks for beyond that: option tags, and what the answer says of them
 *   path.c        the proxies it came by (RFC 3327)
 *   outbound.c    contacts that stand for a flow (RFC 5626)
 *   secure.c      sips contacts (RFC 5630)
 *   push.c        phones that are to be woken (RFC 8599)
 */
#ifndef TANDEM_SERVER_REGISTRAR_INTERNAL_H
#define TANDEM_SERVER_REGISTRAR_INTERNAL_H

#include <errno.h>

#include "server/registrar/registrar.h"
#include "server/route/route.h"

/* What is to be answered: status 0 means nothing yet. */
struct verdict {
	unsigned status;
	struct td_str reason, extra;
};

static const struct verdict fine;

static inline struct verdict no(unsigned status, struct td_str reason)
{
	return (struct verdict){ .status = status, .reason = reason };
}

/* Where a contact, or the first hop towards one, must not lead: to us (a loop), or where nobody but this machine should reach (A11). */
bool leads_astray(const struct td_core *core, const struct td_uri *uri, struct td_str host);

/* Takes the parameters of these names out. -ENOMEM. */
int params_without(struct td_str *params, struct td_msg *msg, const struct td_str *names, unsigned n);

/* ---- extension.c ---- */

/* What few requests have: it stands in the message's arena, and is NULL for all others. */
struct extension {
	struct td_str path;          /* the values of Path, commas between them */
	bool outbound;               /* the 200 says so */
	struct td_str service_route; /* of the domain (RFC 3608) */
	bool gruu;                   /* it tells contacts with an instance their addresses (RFC 5627) */
	struct td_str aor;           /* for that */
	bool flow;                   /* a contact that comes or stays stands for a flow */
	bool sips;                   /* one is a sips URI */
	struct td_str feature_caps;  /* lines: which push services are known */
};

/* §10.3 step 2. *out is left alone when there is nothing to be kept. */
TD_RARE struct verdict read_extension(struct extension **out, const struct td_core *core, struct td_msg *msg);

static inline bool has_extension(const struct td_core *core, const struct td_msg *msg)
{
	return core->cfg->service_routes || td_msg_hdr(msg, TD_HDR_REQUIRE) || td_msg_hdr(msg, TD_HDR_PATH) ||
	       td_msg_hdr(msg, TD_HDR_SUPPORTED);
}

TD_RARE struct extension *extension_new(struct td_msg *msg); /* NULL: no memory */
/* What depends on whose it is. aor: in the message's arena. */
TD_RARE struct verdict extension_of_address(struct extension *x, const struct td_core *core, struct td_msg *msg,
					    struct td_str aor);
/* Header lines of a 200. */
TD_RARE size_t extension_lines_length(const struct extension *x);
TD_RARE void put_extension_lines(struct td_out *o, const struct extension *x);
/* A 420 that names it: 420, or 500. */
TD_RARE struct verdict unsupported(struct td_msg *msg, struct td_str tag);

/* ---- path.c ---- */

TD_RARE struct verdict read_path(struct td_str *out, const struct td_core *core, struct td_msg *msg);

/* ---- outbound.c ---- */

/* Of a contact that has parameters of its own. */
TD_RARE struct verdict read_flow(struct td_loc_change *c, struct extension **x, struct td_msg *msg);
/* Of all of them. */
TD_RARE struct verdict check_flows(const struct td_loc_update *up, const struct extension *x);

/* A 423. */
TD_RARE struct verdict too_brief(struct td_msg *msg, uint32_t least_s);

/* ---- push.c ---- */

/* Of a contact with parameters in its URI, where there is a push service. */
TD_RARE struct verdict read_push(struct td_loc_change *out, struct extension **x, const struct td_core *core, struct td_msg *msg,
				 const struct td_contact *c);

/* ---- secure.c ---- */

TD_RARE struct verdict read_sips(struct extension **x, struct td_msg *msg);
/* Of all contacts. */
TD_RARE struct verdict check_sips(const struct td_loc_update *up, const struct extension *x);

#endif
