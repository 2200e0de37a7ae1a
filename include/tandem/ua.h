/*
 * ua: a user agent, the public face of the library. One address of record with its credentials on one loop: it registers, makes
 * and takes calls, sends and receives messages. What is said in a call is not its business: session descriptions come from and go
 * to a td_session the user supplies (media, or an embedding program's own).
 */
#ifndef TANDEM_UA_H
#define TANDEM_UA_H

#include <tandem/transaction.h>

#ifdef __cplusplus
extern "C" {
#endif

struct td_ua;
struct td_request;
struct td_reg;
struct td_call;

struct td_ua_events {
	/* A call comes in. Answer it now or later: td_call_accept() takes it; not doing so before returning rejects it with 486. */
	void (*incoming)(struct td_ua *ua, struct td_call *call, void *arg);
	/* A MESSAGE (RFC 3428) came; it is answered 200. Body and headers in m, borrowed. NULL: 405. */
	void (*message)(struct td_ua *ua, const struct td_msg *m, void *arg);
};

struct td_ua_options {
	struct td_net *net;      /* kept */
	struct td_log *log;      /* kept; may be NULL */
	struct td_str address;   /* "sip:alice@example.test" */
	struct td_str auth_user; /* empty: the user part of the address */
	struct td_str password;  /* empty: challenges are not answered */
	struct td_str realm;     /* the only one whose challenges are answered; empty: the one that first lets us in */
	enum td_proto proto;
	struct td_addr proxy;              /* where requests outside dialogs go */
	struct td_str proxy_host;          /* TLS: the name the proxy's certificate must bear; empty: its address */
	struct td_tls *tls;                /* kept; whom to believe, for TLS, where an agent listens on nothing */
	struct td_addr local;              /* own address; port 0: any free one */
	struct td_str user_agent;          /* empty: no User-Agent header */
	const struct td_ua_events *events; /* borrowed for the life; may be NULL */
	void *arg;
};

/* Texts are copied. TD_ESYNTAX when the address is no SIP URI with a user. */
int td_ua_open(struct td_ua **out, const struct td_ua_options *opt);
/* Ends everything it has without callbacks: calls are left as they are (hang them up before). Not inside a callback of its own. */
void td_ua_close(struct td_ua *ua);
const struct td_addr *td_ua_local(const struct td_ua *ua);
struct td_loop *td_ua_loop(struct td_ua *ua);
/* Why TLS did not come about the last time, in words; empty: it did. Until the agent's next turn. */
struct td_str td_ua_tls_trouble(const struct td_ua *ua);
/* Are requests of ours still on their way (a BYE, a 200 without its ACK)? A program waits for this before it ends. */
bool td_ua_busy(const struct td_ua *ua);

/* ---- requests outside calls: OPTIONS, MESSAGE, any method but INVITE, ACK, CANCEL ---- */

/* Once, from the loop. err 0: a final response, whatever its status; TD_ETIMEOUT; TD_EDENIED: response holds the challenge we could not
 * meet; or a transport error. response is borrowed, NULL when there is none. The request is gone after it. */
typedef void td_request_fn(struct td_request *r, int err, const struct td_msg *response, void *arg);

struct td_request_options {
	struct td_str method, uri;
	struct td_str to;      /* To URI; empty: uri */
	struct td_str headers; /* whole lines, or empty */
	struct td_str content_type, body;
};

/* Challenges are met with the account's credentials, where the request went to the proxy. Everything is copied. TD_ESYNTAX: no URI. */
int td_request_open(struct td_request **out, struct td_ua *ua, const struct td_request_options *opt, td_request_fn *fn,
		    void *arg);
void td_request_close(struct td_request *r); /* no callback any more; safe in its own */

/* ---- registration (RFC 3261 §10.2) ---- */

struct td_reg_state {
	bool registered;
	unsigned status; /* of the last answer; 0: there was none */
	struct td_str reason;
	uint32_t expires_s; /* what the registrar granted */
	int err;            /* 0, TD_ETIMEOUT, TD_EDENIED … */
};

typedef void td_reg_fn(struct td_reg *reg, const struct td_reg_state *st, void *arg);

/* Registers and keeps it fresh until closed. contact empty: our own address. fn after every attempt, from the loop. */
int td_reg_open(struct td_reg **out, struct td_ua *ua, struct td_str contact, uint32_t expires_s, td_reg_fn *fn, void *arg);
/* Removes the binding; fn hears of it (registered false), and may then td_reg_close(). */
void td_reg_remove(struct td_reg *reg);
void td_reg_close(struct td_reg *reg); /* forgets it; the binding expires by itself */

/* ---- calls ---- */

/* Who describes the session (RFC 3264). Each returns 0, or TD_EUNSUPPORTED (488 is answered, or the call is ended), or another error. */
struct td_session {
	int (*offer)(void *arg, struct td_out *sdp);                       /* also where an INVITE came without one */
	int (*answer)(void *arg, struct td_str offer, struct td_out *sdp); /* also to a re-INVITE's, or an UPDATE's */
	/* The answer to our offer. It may come early, with a 183; when another phone then takes the call, its answer comes after it. */
	int (*answered)(void *arg, struct td_str answer);
};

struct td_call_end {
	unsigned status; /* of the refusal; 0: none (hung up, or no answer) */
	struct td_str reason;
	int err;      /* TD_ETIMEOUT: nobody answered; a transport error; 0 */
	bool by_peer; /* the other side hung up, refused or cancelled */
};

struct td_call_events {
	void (*progress)(struct td_call *c, unsigned status, struct td_str reason, void *arg); /* 1xx, calls we make */
	void (*up)(struct td_call *c, void *arg);                                              /* answered and acknowledged */
	void (*ended)(struct td_call *c, const struct td_call_end *end, void *arg);            /* once; then td_call_close() it */
};

/* Calls uri. session, events: borrowed until td_call_close(). */
int td_call_open(struct td_call **out, struct td_ua *ua, struct td_str uri, const struct td_session *session,
		 const struct td_call_events *events, void *arg);
/* Takes an incoming call over: from now on the caller owns it and hears its events. */
void td_call_accept(struct td_call *c, const struct td_session *session, const struct td_call_events *events, void *arg);
int td_call_ring(struct td_call *c);                    /* 180 */
int td_call_answer(struct td_call *c);                  /* 200; TD_EUNSUPPORTED: 488 was sent and `ended` follows */
int td_call_reject(struct td_call *c, unsigned status); /* 300-699 */
/* BYE, CANCEL or a rejection, whichever its state asks for. `ended` follows from the loop. Repeating it does nothing. */
void td_call_hangup(struct td_call *c);
/* No callback after this; hangs up first if need be, and the agent sees it through. Safe in any callback. */
void td_call_close(struct td_call *c);
struct td_str td_call_peer(const struct td_call *c); /* From of a call that came, URI of one we made */
struct td_str td_call_id(const struct td_call *c);
bool td_call_is_up(const struct td_call *c);

#ifdef __cplusplus
}
#endif
#endif
