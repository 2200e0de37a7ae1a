/*
 * Attacks on the running server by somebody who knows SIP and has an account, or does not show it (test_threats.c): what their tests
 * share. (What is no good message at all: test_bad_messages.c.)
 */
#ifndef TANDEM_TESTS_ATTACK_H
#define TANDEM_TESTS_ATTACK_H

#include "harness.h"

#define MALLORY "<sip:mallory@example.test>"

struct rig {
	struct world w;
	struct phone a, b, mallory, victim; /* a and b are trusted; mallory has an account, the victim nothing to do with us */
};

void attack_open(struct rig *r, unsigned workers, const char *extra);
void attack_open_strange(struct rig *r, unsigned workers, const char *extra); /* mallory does not use her password yet */
void attack_close(struct rig *r);
/* A request with these lines; its answer. from and call_id: as they are to be. */
struct td_msg *say(struct phone *p, const char *method, const char *uri, const char *from, const char *to, const char *call_id,
		   const char *lines);
/* What mallory's client would say next to answer the last challenge; malloc'ed. */
char *credentials(struct phone *p, const char *method, const char *uri);
/* What a client that remembers nothing makes of this challenge; malloc'ed. */
char *credentials_for(struct phone *p, const struct td_msg *challenge, const char *method, const char *uri);
void register_contact(struct phone *p, const char *contact, unsigned want);

#endif
