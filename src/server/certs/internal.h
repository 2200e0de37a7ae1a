#ifndef TANDEM_SERVER_CERTS_INTERNAL_H
#define TANDEM_SERVER_CERTS_INTERNAL_H

#include "server/certs/certs.h"

/* own.c: the certificate in the state folder, made when there is none that will do. */
int certs_own(struct td_cert *out, struct td_arena *arena, const struct td_config *cfg, uint64_t now_s, struct td_log *log,
	      struct td_out *why);

#endif
