/*
 * server/push: a phone that sleeps is told to wake up (RFC 8599 §5.6). The services that can do it (Apple's, Google's, a maker's own) each
 * want their own protocol and account, which is the business of a program of the operator's: it is told by HTTP, one POST for each
 * phone, with what the phone registered as JSON. One td_push per worker, on its loop; nobody waits for it.
 *
 *	POST /wake HTTP/1.1
 *	{"event":"call","user":"bob@example.test","provider":"apns","param":"TEAM.app","prid":"9f…","from":"sip:alice@example.test","call_id":"…"}
 *
 * 2xx: the push is under way. Anything else, or five seconds of silence: it is not.
 */
#ifndef TANDEM_SERVER_PUSH_H
#define TANDEM_SERVER_PUSH_H

#include "server/config/config.h"

struct td_push;
struct td_push_post;

/* What a phone says of itself in its Contact: pn-provider, pn-param, pn-prid, still escaped. Views. */
struct td_push_phone {
	struct td_str provider, param, prid;
};

struct td_push_news {
	struct td_str event; /* "call", "message", "refresh" */
	struct td_str user;  /* address of record */
	struct td_str from;  /* who wants him; may be empty */
	struct td_str call_id;
	struct td_push_phone phone;
};

enum {
	TD_PUSH_AT_ONCE = 16,  /* posts under way on a worker; */
	TD_PUSH_WAITING = 256, /* and those that wait for one of these to end */
	TD_PUSH_MS = 5000,     /* for a post, from when it has its turn */
};

/* net and dns are kept; log may be NULL. */
int td_push_open(struct td_push **out, struct td_net *net, struct td_dns *dns, struct td_log *log);
void td_push_close(struct td_push *p); /* tells nobody */

/* The phone of a contact, if cfg has a push service that knows its kind. False: there is none, or it cannot be woken. */
bool td_push_phone_of(struct td_push_phone *out, const struct td_config *cfg, struct td_str contact);
bool td_push_knows(const struct td_config *cfg, struct td_str provider);

/*
 * Tells the service of cfg, which is kept (counted) meanwhile. fn is called once, from the loop: 0: it took it; TD_EDENIED: it refused;
 * else why it was not reached. TD_EFULL: too many wait; -ENOMEM: fn is not called.
 */
typedef void td_push_fn(void *arg, int err);
int td_push_send(struct td_push_post **out, struct td_push *p, struct td_config *cfg, const struct td_push_news *news,
		 td_push_fn *fn, void *arg);
/* fn is not called, and the post is not the caller's any more. The phone is told all the same, unless the post still waits for its turn:
 * then it makes room for another. Safe in fn. */
void td_push_cancel(struct td_push_post *post);

#endif
