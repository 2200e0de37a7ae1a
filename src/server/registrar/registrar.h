/*
 * server/registrar: REGISTER by RFC 3261 §10.3, on one worker. Checks the request, hands the change to location, and answers
 * when location has answered: with registrations: durable a 200 means it is on disk. There is no transaction: a
 * retransmission asks again and gets the same answer, because a binding's Call-ID and CSeq tell that it is one.
 */
#ifndef TANDEM_SERVER_REGISTRAR_H
#define TANDEM_SERVER_REGISTRAR_H

#include "server/gate/gate.h"

struct td_registrar;

/* core: borrowed for its life. */
int td_registrar_open(struct td_registrar **out, struct td_core *core);
/* Forgets what is pending: those REGISTERs get no answer. Before location is detached. */
void td_registrar_close(struct td_registrar *r);
/* A REGISTER that came by the gate; who: what the gate said (borrowed). msg is kept (counted) until it is answered. */
void td_registrar_request(struct td_registrar *r, struct td_msg *msg, const struct td_flow *from, const struct td_gate *who);

#endif
