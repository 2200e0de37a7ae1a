/*
 * server/gate: who sent this? A source under trust, or a user of ours who proves it by digest (RFC 3261 §22) and says so in
 * From (REGISTER: in To). It sends nothing: what a refused sender is told comes back to the caller, who answers without a
 * transaction, so that no challenge is ever retransmitted (T7).
 *
 * Everybody unknown gets the same challenge, whoever exists here and whoever does not (A4).
 */
#ifndef TANDEM_SERVER_GATE_H
#define TANDEM_SERVER_GATE_H

#include "server/core/core.h"

struct td_gate {
	bool trusted;          /* it came from a source under trust; nobody was asked for a password */
	struct td_str aor;     /* the authenticated user, in the message's arena; empty when trusted */
	struct td_str speaker; /* the address he speaks as, his own or his extension; as aor */
	/* TD_EDENIED: the answer. reason is static; extra is in the message's arena. */
	unsigned status; /* 401 or 407 (with a challenge per algorithm), 400, 403 */
	struct td_str reason, extra;
};

/*
 * A request without defect; never for ACK or CANCEL, which cannot be challenged (§22.1, §9.1). domain: the one of ours it is for
 * (td_route.domain), or empty. The realm is From's domain (REGISTER: To's) when it is ours, else that one, else the default.
 * A connection whose peer passed earns the long idle limit.
 * 0: passed. TD_EDENIED: answer with out->status. -ENOMEM.
 */
int td_gate_check(struct td_gate *out, const struct td_core *core, struct td_msg *msg, const struct td_flow *from,
		  struct td_str domain);

#endif
