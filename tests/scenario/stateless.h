/* What the tests of a domain in mode stateless share: three phones, of which one is a stranger, and messages sent as they stand. */
#ifndef TANDEM_TEST_STATELESS_H
#define TANDEM_TEST_STATELESS_H

#include "harness.h"

struct rig {
	struct world w;
	struct phone a, b, mallory; /* mallory is not trusted */
};

void stateless_open(struct rig *r, enum td_proto pa, enum td_proto pb);
void stateless_close(struct rig *r);
/* A leg to bob, who is registered. */
void dial(struct leg *l, struct phone *from);
/* Sent as it stands, to be sent again. */
void send_as(struct phone *p, const char *method, const char *branch, const char *lines);

#endif
