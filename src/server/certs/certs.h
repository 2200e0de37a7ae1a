/*
 * server/certs: what the server proves itself with. The certificates of the configuration and, when it names none but for single domains,
 * one of our own that is made in the state folder at the first start, so that TLS works from then on. An immutable value: a reload makes another one, new
 * connections take it, those there are keep theirs.
 *
 * Whoever speaks TLS by other means (another library's WebSocket) finds certificate and key of each domain here as PEM text.
 */
#ifndef TANDEM_SERVER_CERTS_H
#define TANDEM_SERVER_CERTS_H

#include "server/config/config.h"

struct td_cert {
	struct td_str domain;           /* empty: the first, for who asks for none of the others */
	struct td_str certificate, key; /* PEM text; the certificate's own first, then those that signed it */
	struct td_str file;             /* where the certificate stands, for people; with a terminator behind it */
	uint8_t fingerprint[TD_FINGERPRINT];
	uint64_t ends_s; /* since 1970 */
};

struct td_certs {
	_Atomic uint32_t refs;
	struct td_arena arena;
	struct td_cert *list;
	unsigned n;
	struct td_tls *tls; /* of all of them, for transports */
};

/* Does anybody need one: is there a listener of TLS or of secure WebSocket? */
bool td_certs_wanted(const struct td_config *cfg);
/*
 * The state folder must be there. old: what it replaces, or NULL. now_s: the wall clock. What went wrong, with the remedy, into why;
 * log may be NULL: told when a certificate was made, or will end soon.
 */
int td_certs_open(struct td_certs **out, const struct td_config *cfg, const struct td_certs *old, uint64_t now_s,
		  struct td_log *log, struct td_out *why);
struct td_certs *td_certs_ref(struct td_certs *c);
void td_certs_unref(struct td_certs *c); /* NULL is ignored */

#endif
