/*
 * server/control: how `tandem status` and its like talk to a running server. A Unix socket in the state folder, mode 0600,
 * so that whoever may read the state may ask. A request is one JSON object on a line; the answer is any number of JSON
 * objects, a line each, and a last one {"end": true} or {"end": true, "error": "…"}.
 */
#ifndef TANDEM_SERVER_CONTROL_H
#define TANDEM_SERVER_CONTROL_H

#include <jansson.h>

#include <tandem/loop.h>

struct td_control;
struct td_control_reply; /* one request being answered; lives until td_control_end() */

/* request is borrowed for the call. Answer now or later, from the same loop; always end. */
typedef void td_control_fn(void *arg, const json_t *request, struct td_control_reply *reply);

/* Replaces a socket left behind by a server that died; TD_EEXIST when one that lives has this folder. */
int td_control_open(struct td_control **out, struct td_loop *loop, const char *path, td_control_fn *fn, void *arg);
void td_control_close(struct td_control *c);                        /* drops open answers; their replies may still be ended */
void td_control_put(struct td_control_reply *r, json_t *line);      /* takes over line */
void td_control_end(struct td_control_reply *r, const char *error); /* NULL: done. r is gone */

/*
 * For an answer that goes on: sends what was put so far, as far as the client takes it. Returns how many bytes wait for him, who may be slow:
 * whoever goes on putting looks at it. -1: he went away; end the reply.
 */
int64_t td_control_flush(struct td_control_reply *r);

/* The asking side, blocking. line is called with each object (borrowed); non-zero from it stops. 0; TD_ENOTFOUND: no server is
 * running there; TD_EDENIED: it answered with an error, whose text goes to why; -errno. */
int td_control_ask(const char *path, json_t *request, int (*line)(void *arg, const json_t *obj), void *arg, struct td_out *why);

#endif
