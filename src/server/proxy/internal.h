/*
 * proxy, private. A request has one response context (§16.6), a context one branch per target, a branch one client transaction.
 *
 *   proxy.c         request in, how contexts begin and end, branches, Timer C, CANCEL from the caller
 *   fork.c          the target set: which bindings are tried, all at once or in groups, and who registers late (§16.5, §16.6)
 *   target.c        a binding or a URI → where to send (the target set, §16.5)
 *   wake.c          phones that sleep and are woken by a push first (RFC 8599)
 *   recurse.c       which redirections of a callee are followed (§16.7 step 4)
 *   way.c           a target that is a name: one address after the other (RFC 3263); and messages too long for a datagram
 *   forward.c       the request as it leaves: edits to the received bytes (§16.6)
 *   record_route.c  our Record-Route values, one or two
 *   response.c      what comes back: forwarding, the best response, CANCEL of the others (§16.7)
 *   track.c         what server/calls is told
 *   pending.c       calls being set up per source (D7)
 *
 * Without state (§16.11) there is none of these:
 *
 *   stateless.c         one request to one target, its responses back
 *   stateless_branch.c  the branch that says all a transaction would remember
 *   notes.c             which requests the gate let in
 */
#ifndef TD_SERVER_PROXY_INTERNAL_H
#define TD_SERVER_PROXY_INTERNAL_H

#include "server/proxy/proxy.h"

enum { PX_BRANCH_LEN = TD_BRANCH_LEN + 1 + TD_LOOP_LEN, PX_STATELESS_BRANCH_MAX = 125, PX_DATAGRAM_MAX = 65535 - 20 - 8 };
enum { PX_DATAGRAM_SAFE = 1300 }; /* longer ones go by TCP (§18.1.1) */

struct px_context;

/* Where a copy of the request goes. */
struct px_target {
	struct td_uri uri;  /* the new Request-URI; text.p NULL: as it is */
	struct td_str path; /* the Route it takes there (RFC 3327); mostly empty */
	struct td_flow flow;
	struct td_addr instead; /* family TD_AF_NONE: none. The contact's address, for when the connection in flow is gone */
	enum td_proto instead_proto;
	unsigned breadth;           /* Max-Breadth it may use (RFC 5393 §5.3.3) */
	bool by_flow;               /* its Contact's address does not lead there */
	struct td_str where;        /* not empty: flow is not known; the name in this URI has to be looked up */
	const struct td_addr *only; /* and may lead to this host alone; NULL: to any that is allowed */
	bool fixed;                 /* there is no other way than flow */
	bool secure;                /* and it has to be TLS (sips), wherever `where` leads */
};

struct px_branch {
	struct px_branch *next;
	struct px_context *ctx;
	struct td_clitx *ct; /* NULL: nothing more can come. After a 2xx to INVITE further ones can */
	struct td_timer timer_c;
	struct td_msg *final; /* 300-699, until the best one is chosen */
	uint16_t status;      /* of the final response, received or assumed; 0: none yet */
	uint8_t breadth;
	bool passed_over : 1; /* silent, and another target was asked: its answer counts, but is not waited for (status 408) */
	bool given_up : 1;    /* it rang for as long as it may (fork: serial) */
	bool young : 1;       /* timer_c runs for the first second */
	bool moved : 1;       /* its redirection was followed: it has no say */
	bool flow_lost : 1;   /* a proxy next to the phone lost its connection (430): another way to the phone may be tried */
	struct td_addr instead;
	enum td_proto instead_proto;
	struct px_way *way; /* of one whose target is a name: what comes after it */
	uint64_t tried;     /* stands for the URI it was sent to, when ct does not tell any more */
};

enum { LOST_MAX = 4 };

/* An address of record whose bindings are targets. */
struct px_seek {
	struct td_loc_watch watch;
	struct px_seek *next;
	struct px_context *ctx;
	int16_t q;                 /* serial: of the group tried last */
	bool serial, wanted, more; /* wanted: it is to be looked up; more: groups are left, or it waits for its turn */
	bool begun, later;         /* later: its turn comes when those without it have failed */
	uint8_t late;              /* branches for phones that came late */
	uint8_t lost_n;            /* of lost: ways that were answered 430 */
	uint64_t lost[LOST_MAX];
	struct px_wake *wake; /* of the first alone: phones of this request that sleep; NULL: none does */
	uint16_t aor_n;       /* 0: the address the request is routed to */
	char aor[];
};

struct px_source;
struct px_wake;

/* What is needed until the final response went up. Afterwards a context may have to wait half a minute for further 2xx. */
struct px_setup {
	struct td_flow from;
	struct td_route route;
};

struct px_context {
	struct td_proxy *px;
	struct td_link link;
	struct td_srvtx *st;    /* NULL: an ACK, forwarded without state */
	struct td_msg *msg;     /* until the final response went up */
	struct px_setup *setup; /* in msg's arena: lives as long */
	struct td_loc_call *lookup;
	struct td_call *call;     /* its INVITE's, tracked; NULL: not */
	struct px_source *source; /* counted there while it is being set up */
	struct px_seek *seeks;    /* of what may get further targets; until the final response went up */
	struct td_timer *ring;    /* serial: the present group has rung for long enough */
	struct px_branch *branches;
	struct px_branch first; /* most requests have one branch */
	uint16_t depth;         /* callbacks on the stack; it is freed when the last returns */
	bool invite, final_sent, cancelled;
	bool asking;   /* whether its call may be, and not told yet */
	bool recursed; /* a redirection was followed */
	bool late_too; /* phones that register from now on ring too */
};

/* notes.c */
struct px_generation {
	uint64_t *slot; /* 0: free */
	size_t cap, n;
};

struct px_notes {
	struct px_generation young, old;
	struct td_loop *loop;
	struct td_timer timer; /* runs while there are any */
	uint64_t life_ms;
};

/* Where the responses of a request go. */
struct px_back {
	struct td_flow flow;
	uint16_t again; /* streams: sent-by's port, for when the connection is gone; 0: the default one */
};

struct td_proxy {
	struct td_core *core;
	struct td_calls *calls;
	struct td_link contexts;
	struct td_map sources;
	struct td_hash_key key;
	struct td_proxy_stats stats;
	struct td_link errands;   /* stateless requests that wait for another worker's shard */
	struct px_notes notes[2]; /* [1]: of INVITE */
	uint8_t branch_key[16];
	struct td_hash_key unique_key;
};

/* proxy.c */
void px_to_targets(struct px_context *c);              /* of a request that may go on */
struct px_branch *px_branch_new(struct px_context *c); /* NULL: no memory */
int px_branch_start(struct px_context *c, const struct px_target *t);
int px_send_once(struct px_context *c, const struct px_target *t); /* an ACK */
int px_branch_send(struct px_branch *b, const struct px_target *t);
/* To the address its Contact names, when the connection it registered by is gone. TD_ENOTFOUND: there is none, or it was tried. */
int px_branch_send_instead(struct px_branch *b, const struct td_uri *uri);
void px_branch_end(struct px_branch *b);   /* lets go of its client transaction */
void px_branch_waits(struct px_branch *b); /* it has been sent: Timer C begins */
void px_branch_rings(struct px_branch *b); /* a provisional response: Timer C begins anew */
void px_context_enter(struct px_context *c);
void px_context_leave(struct px_context *c); /* settles it: best response, freeing */
/* Answers by ourselves. extra: header lines. */
void px_reply(struct px_context *c, unsigned status, struct td_str reason);
void px_reply_with(struct px_context *c, unsigned status, struct td_str reason, struct td_str extra);
/* The URI in the request line of what was sent. */
bool px_sent_uri(struct td_str *out, const struct td_buf *sent);

/* It came in just small enough, or by a stream (P13). */
static inline bool px_too_long(const struct td_flow *to, const struct td_buf *b)
{
	return to->proto == TD_UDP && b->len > PX_DATAGRAM_MAX;
}

/* way.c */
int px_way_start(struct px_branch *b, const struct px_target *t);
void px_way_stop(struct px_branch *b);
bool px_way_pending(const struct px_branch *b); /* its next target is being looked up */
void px_way_heard(struct px_branch *b);         /* its target has answered */
/* Its target failed, with this status. Is there to be another attempt, in a branch of its own? */
bool px_way_on(struct px_branch *b, unsigned status, uint32_t retry_after_s);
/* The request is too long for a datagram: is there TCP to the same address? Then flow is it, and the datagram comes after. */
bool px_way_by_stream(struct px_branch *b, const struct px_target *t, struct td_flow *flow);
void px_way_no_stream(struct px_branch *b); /* it could not be sent there */

/* What a name server was asked, for the story of the call. */
void px_note_dns(const struct td_core *core, struct td_str call_id, const struct td_locate_step *step);

/* fork.c */
/* RFC 5393 §5.3.3: what this request may still branch into, shared among n branches. 0: too little for n. */
unsigned px_breadth(const struct td_msg *msg, unsigned n);
unsigned px_breadth_left(const struct px_context *c); /* beside the branches there are */
void px_fork(struct px_context *c);                   /* to the bindings of its address */
void px_fork_rings(struct px_context *c);             /* it has rung for a second */
/* No branch is pending and nothing was answered: are there targets left? They are looked up, or have branches now. */
bool px_fork_on(struct px_context *c);
bool px_declined(const struct px_context *c); /* 6xx: nobody else is asked (§16.7 item 5) */
/* The request and its route again, for what is done long after it came. False: no memory, or it would be routed elsewhere now. */
bool px_unshelve(struct px_context *c);
unsigned px_room(const struct px_context *c); /* branches there may be beside those there are */
/* own: aor is the route's. NULL: no memory. It is wanted: px_look() asks for it. */
struct px_seek *px_seek_add(struct px_context *c, struct td_str aor, bool own);
void px_look(struct px_context *c); /* asks for the address whose turn it is; one at a time */
void px_seeks_free(struct px_context *c);
bool px_tried(const struct px_context *c, struct td_str uri);
/* b, whose transaction still stands, was answered 430: its user's other ways to the same phone have their turn. False: it went to no user. */
bool px_flow_lost(struct px_branch *b);
void px_branch_remember(struct px_branch *b, struct td_str uri); /* its transaction will not tell any more */

/* What the trace is told of a lookup. */
void px_note_bindings(const struct td_core *core, const struct td_msg *msg, struct td_str aor, const struct td_binding *b,
		      unsigned n);

/* wake.c: whoever waits for a phone has a seek, which watches for it */
static inline struct px_wake *px_wake_of(const struct px_context *c)
{
	return c->seeks ? c->seeks->wake : NULL;
}

/* A phone of user that has to be woken first: it is, and no branch leads to it now. */
TD_RARE bool px_sleeps(struct px_context *c, const struct td_binding *b, struct td_str user);
void px_wake_looked(struct px_context *c); /* all bindings of the first lookup were asked about */
bool px_wakes(const struct px_context *c); /* is one waited for? */
void px_wake_stop(struct px_context *c);   /* nobody is waited for any more */

/* recurse.c */
/* A response of whoever is at `from`. True: all it names has its turn here, and it counts for nothing more. */
bool px_recurse(struct px_context *c, const struct td_msg *m, const struct td_addr *from);
/* Takes out of a 3xx what was tried. */
void px_edit_contacts(struct td_edits *ed, struct px_context *c, struct td_msg *m);

/* The status for who has no phone to be tried. */
unsigned px_nobody_there(const struct td_core *core, const struct td_route *route, const struct td_binding *b, unsigned n);

/* target.c: 0, TD_EUNSUPPORTED, TD_EDENIED (policy), TD_ESYNTAX, TD_ECLOSED (the only way there is gone). Views in out point where those of the binding or URI do. */
int px_target_of_binding(struct px_target *out, struct td_core *core, const struct td_binding *b, bool sips);
int px_target_of_uri(struct px_target *out, struct td_core *core, const struct td_uri *uri);
/* Of a request inside a dialog: route->next, by route->flow where there is one. TD_ECLOSED: that is gone, and the URI does not help. */
int px_target_of_next(struct px_target *out, struct td_core *core, const struct td_route *route);

#define PX_SIPS_NOT_ALLOWED "Warning: 380 tandem \"SIPS Not Allowed\"\r\n"
bool px_is_sips(struct td_str uri);
/* What is said beside px_nobody_there(): a Warning when he has phones, but none that wants what was sent to a sips URI; noted, too. */
struct td_str px_nobody_secure(const struct td_core *core, const struct td_msg *msg, const struct td_route *route,
			       const struct td_binding *b, unsigned n);

/* forward.c */
struct px_copy {
	struct td_core *core;
	struct td_msg *msg; /* its arena may take text that has to last until the copy is made */
	const struct td_route *route;
	const struct td_flow *in, *out;
	const struct td_uri *uri; /* text.p NULL: unchanged */
	struct td_str path;       /* becomes the Route */
	bool by_flow;             /* `out` is the way to the callee, whatever its Contact will say */
	struct td_str branch;
	unsigned breadth;
};

int px_copy_build(struct td_buf **out, const struct px_copy *copy);
/* What it says of who sent it, by others than a source under trust, or to others than such. sender NULL: he is not known, and not trusted. */
static inline bool px_asserts(const struct td_msg *m)
{
	return td_msg_hdr(m, TD_HDR_P_ASSERTED_IDENTITY) || td_msg_hdr(m, TD_HDR_P_PREFERRED_IDENTITY);
}
void px_drop_assertions(struct td_edits *ed, const struct td_core *core, const struct td_msg *m, const struct td_addr *sender,
			const struct td_addr *receiver);
/* A Content-Length for a message that came as a datagram without one and leaves by a stream (§20.14). text lives as long as ed. */
enum { PX_LENGTH_TEXT = 40 };
void px_edit_length(struct td_edits *ed, char text[PX_LENGTH_TEXT], const struct td_msg *m, const struct td_flow *to);

/* record_route.c */
bool px_wants_record_route(const struct td_msg *msg);
__attribute__((noinline)) void px_put_record_route(struct td_out *o, const struct px_copy *copy);

/* response.c */
extern const struct td_clitx_events px_branch_events;
void px_cancel_branches(struct px_context *c, struct td_str reason);
void px_send_best(struct px_context *c);

/* track.c */
/* False: it is known later whether the call may be. */
bool px_track_request(struct px_context *c);
/* A response goes up, or would: nothing may for a BYE that found nobody (408). m NULL: it is our own. */
void px_track_response(struct px_context *c, unsigned status, const struct td_msg *m);

/* stateless.c */
void px_stateless_open(struct td_proxy *p);
void px_stateless_close(struct td_proxy *p);

/* stateless_branch.c */
void px_stateless_key(struct td_proxy *p);
/* Writes it, and returns a number that stands for it. */
uint64_t px_stateless_branch(char out[PX_STATELESS_BRANCH_MAX], size_t *n, const struct td_proxy *p, const struct td_msg *msg,
			     const struct td_flow *from, const struct td_route *route);
bool px_is_stateless_branch(struct td_str branch); /* by its form */
/* False: we did not make the branch for the request of this response, or its way back is no more (D4). */
bool px_stateless_branch_read(struct px_back *out, const struct td_proxy *p, const struct td_msg *response);

/* notes.c */
void px_notes_init(struct px_notes *ns, struct td_loop *loop);
void px_notes_free(struct px_notes *ns);
void px_note(struct px_notes *ns, uint64_t id, uint64_t life_ms); /* found for life_ms at least, twice that at most */
bool px_noted(const struct px_notes *ns, uint64_t id);

/* pending.c */
int px_pending_add(struct px_source **out, struct td_proxy *p, const struct td_addr *source, uint32_t max); /* TD_ELIMIT */
void px_pending_del(struct td_proxy *p, struct px_source *s);

#endif
