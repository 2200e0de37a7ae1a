/*
 * server/route: the one place that decides what a request is for (RFC 3261 §8.2, §16.3-16.5). It changes nothing and sends
 * nothing: it reads a request, the configuration and the users, and says what is to be done. The decision has two halves, with
 * authentication between them, so that a stranger learns nothing that depends on who exists here (A4, A8):
 *
 *   td_route_decide()    what any sender may know: syntax, scheme, hops, loops, whose domain, whose dialog
 *   (gate)               when challenge is set: who sends it?
 *   td_route_admitted()  what depends on users: 404
 */
#ifndef TANDEM_SERVER_ROUTE_H
#define TANDEM_SERVER_ROUTE_H

#include "server/core/core.h"
#include "server/location/gruu.h"

enum td_route_kind {
	TD_ROUTE_REJECT,   /* answer with status, reason, extra */
	TD_ROUTE_DROP,     /* an ACK that is refused: ACK is never answered */
	TD_ROUTE_OPTIONS,  /* asks about this server: 200 with extra */
	TD_ROUTE_REGISTER, /* for the registrar */
	TD_ROUTE_USER,     /* proxy to the bindings of aor */
	TD_ROUTE_NEXT,     /* proxy to `next` as it stands: inside a dialog we record-routed */
};

/* One of several whom a number reaches. */
struct td_ringed {
	struct td_str aor;
	bool later; /* when those before did not answer */
};

struct td_route {
	enum td_route_kind kind;
	unsigned status;
	struct td_str reason; /* static; empty: the standard phrase */
	struct td_str extra;  /* header lines; static or in the message's arena */
	bool challenge;       /* the sender must be authenticated or trusted */
	bool in_dialog;       /* our Record-Route cookie vouches for it */
	bool sips;            /* its Request-URI is a sips URI: over TLS alone, to sips URIs alone (RFC 5630) */
	bool relayed;         /* to another domain, for a user of ours */
	bool stateless;       /* forwarded without transactions (§16.11): for a domain, or in a dialog, of that mode */
	bool serial;          /* TD_ROUTE_USER: bindings are tried by q, a group for ring_time_s (fork: serial) */
	uint32_t ring_time_s;
	bool recurse;               /* TD_ROUTE_USER: redirections of a callee are followed where that is safe */
	bool redirect;              /* TD_ROUTE_USER: answered with the bindings instead of being passed on (mode: redirect) */
	bool any_user;              /* TD_ROUTE_USER: nobody needs to exist there (users: any) */
	bool strict;                /* §16.4: the Request-URI was our Record-Route; `uri` was the last Route value */
	bool next_is_route;         /* `next` is a Route value, not the Request-URI */
	unsigned own_routes;        /* leading Route values that name us: they are removed */
	bool only_own_routes;       /* and there are no others */
	struct td_uri uri;          /* the Request-URI after §16.4 */
	struct td_uri next;         /* TD_ROUTE_NEXT: where it goes */
	struct td_str aor;          /* TD_ROUTE_USER: in the message's arena */
	struct td_str domain;       /* name of our domain: the configuration's, or (TD_ROUTE_USER) in the message's arena */
	struct td_str sender;       /* the user it was authenticated as, set by who asked the gate; empty: nobody was asked */
	const struct td_gruu *gruu; /* TD_ROUTE_USER: one phone of the user alone, in the message's arena; NULL: all */
	const struct td_flow *flow; /* TD_ROUTE_NEXT: how to get there, in the message's arena; NULL: as `next` says */
	struct td_ringed
		*ring; /* TD_ROUTE_USER: all whom a number of `ring` reaches, aor the first of them; in the message\'s arena */
	unsigned ring_n;
	uint64_t loop; /* what a loop would leave unchanged (§16.6 step 8): goes into our branch */
};

/* msg without defect. 0, or -ENOMEM, after which *out says nothing. Views in out point into msg or its arena. */
int td_route_decide(struct td_route *out, const struct td_core *core, struct td_msg *msg, const struct td_flow *from);
/* After the gate let it pass: may turn into TD_ROUTE_REJECT. */
int td_route_admitted(struct td_route *r, const struct td_core *core, struct td_msg *msg);

/* The user of ours that a URI means which was derived from something else, as a redirection: his address, in msg's arena. TD_ENOTFOUND:
 * it means none. -ENOMEM. */
int td_route_user(struct td_str *aor, const struct td_core *core, struct td_msg *msg, const struct td_uri *uri);

/* Does this URI's host name us: a domain of ours, or a listening address? */
bool td_route_is_us(const struct td_core *core, const struct td_uri *uri);
/* May requests be sent there at all? Asked for every target, whatever it was derived from (A11, D6). */
bool td_route_target_allowed(const struct td_core *core, const struct td_addr *a);
/* The same of an address that a foreign domain's records name: theirs may lead to what is private here only if we are in such a network. */
bool td_route_relay_allowed(const struct td_core *core, const struct td_addr *a);

/* ---- the Record-Route cookie: a MAC over Call-ID and the caller's tag; whoever shows it is in that dialog (D1, D3) ---- */

enum { TD_COOKIE_LEN = 24 }; /* 96 bits in hex */
#define TD_COOKIE_PARAM "td"
/* How the requests of the dialog are forwarded is signed with it: nobody changes the one for the other. */
enum td_cookie { TD_COOKIE_NONE, TD_COOKIE_STATEFUL, TD_COOKIE_STATELESS };
void td_route_cookie(char out[TD_COOKIE_LEN], const uint8_t key[16], enum td_cookie kind, struct td_str call_id,
		     struct td_str tag);
/* Which one, if uri is one we put into a Record-Route of the dialog msg belongs to? *flows: what stands behind it. */
enum td_cookie td_route_cookie_of(struct td_str *flows, const uint8_t key[16], const struct td_uri *uri,
				  const struct td_msg *msg);

/*
 * Behind the cookie may stand the flows by which the dialog's ends are reached, where the addresses in their Contacts do not lead there
 * (NAT; connections): RFC 5626 §5.3 calls that a flow token. It is sealed for this dialog, so it says nothing to those who carry it, and
 * leads nobody anywhere else.
 */
enum td_side { TD_SIDE_CALLER, TD_SIDE_CALLEE, TD_SIDES };
enum { TD_ROUTE_FLOWS_MAX = 112 }; /* characters */
/* flow[]: NULL where there is nothing to be said of that side. Nothing at all is written when both are. */
void td_route_put_flows(struct td_out *o, const uint8_t key[16], struct td_str call_id, struct td_str caller_tag,
			const struct td_flow *const flow[TD_SIDES]);
/* The flow to the one whom msg is for. TD_ENOTFOUND: none was said; TD_EDENIED: not of this dialog. */
int td_route_flow_of(struct td_flow *out, const uint8_t key[16], struct td_str flows, const struct td_msg *msg);

enum { TD_LOOP_LEN = 16 }; /* hex digits of td_route.loop in a branch, after a "." that follows TD_BRANCH_LEN characters */
void td_route_loop_text(char out[1 + TD_LOOP_LEN], uint64_t loop); /* "." and them */

#endif
