/*
 * server/location, a second face: the addresses of one phone among those of its user (RFC 5627). key: the server's (td_core.rr_key).
 */
#ifndef TANDEM_SERVER_LOCATION_GRUU_H
#define TANDEM_SERVER_LOCATION_GRUU_H

#include <errno.h>
#include <tandem/auth.h>
#include "server/location/location.h"

struct td_gruu {
	struct td_str instance; /* of a public one */
	uint8_t mark[8];        /* of a temporary one */
	bool temporary;
};

/* ";pub-gruu=…;temp-gruu=…" of a contact, if it tells its instance; at most so many bytes. A temporary one is another each time. */
TD_RARE size_t td_gruu_length(struct td_str aor, const struct td_binding *b);
TD_RARE void td_gruu_put(struct td_out *o, const uint8_t key[16], struct td_rng *rng, struct td_str aor,
			 const struct td_binding *b);

/*
 * The phone that a URI with "gr" means; what is kept of it is in the arena. Of a temporary one *aor is its user's address, which the URI
 * does not show; of a public one it is left alone. TD_EUNSUPPORTED: the URI has no "gr"; TD_ENOTFOUND: nobody was given such a one.
 */
TD_RARE int td_gruu_read(struct td_gruu *out, struct td_str *aor, struct td_arena *arena, const uint8_t key[16],
			 const struct td_uri *uri);
/* Does it mean this binding? */
TD_RARE bool td_gruu_is(const struct td_gruu *g, const uint8_t key[16], const struct td_binding *b);

#endif
