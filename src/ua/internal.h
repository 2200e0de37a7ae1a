/*
 * ua, private. ua.c: the agent and what comes in; request.c: requests with authentication, in dialogs or outside; registration.c;
 * call.c: what both kinds of call share, and what happens inside an established one; call_out.c, call_in.c: setting up.
 */
#ifndef TD_UA_INTERNAL_H
#define TD_UA_INTERNAL_H

#include <tandem/auth.h>
#include <tandem/dialog.h>
#include <tandem/ua.h>

struct td_ua {
	struct td_arena arena;
	struct td_net *net;
	struct td_loop *loop;
	struct td_log *log;
	struct td_tp_group *group;
	struct td_tp *tp;
	struct td_txl *txl;
	struct td_auth_client *auth;
	bool realm_known; /* a challenge was met with success: no other realm is answered any more (A6) */
	struct td_uri address;
	struct td_str user_agent;
	enum td_proto proto;
	struct td_addr proxy;
	struct td_str proxy_host;
	struct td_out trouble; /* with TLS, in words */
	unsigned listener;
	const struct td_ua_events *events;
	void *arg;
	struct td_link calls, requests, regs;
};

extern const struct td_str ua_allow; /* "Allow: …" line with its CRLF */

enum { UA_TAG_LEN = 12, UA_CALL_ID_LEN = 22 };
struct td_str ua_token(struct td_ua *ua, struct td_arena *a, size_t n);              /* p NULL when memory is out */
void ua_put_contact(struct td_out *o, struct td_ua *ua, const struct td_flow *flow); /* the whole line */
int ua_flow_to_proxy(struct td_flow *out, struct td_ua *ua);
void ua_reg_lost(struct td_reg *reg, uint64_t conn); /* a connection is gone */
/* A flow to the URI of a next hop when its host is a number, else to the proxy. */
int ua_flow_to(struct td_flow *out, struct td_ua *ua, struct td_str uri);
void ua_put_from(struct td_out *o, struct td_ua *ua, struct td_str tag);
/* A response to a request in st: contact adds ours; sdp empty: no body. */
int ua_reply(struct td_ua *ua, struct td_srvtx *st, const struct td_msg *req, unsigned status, struct td_str to_tag,
	     struct td_str headers, struct td_str sdp);

/* ---- authentication: what a request carried, and what to do when that was not enough ---- */

struct ua_auth {
	struct td_auth_sent sent;
	bool carried;
	unsigned tries;
};

/* Credentials for a request to this flow: they go to the proxy alone, not to whom a Contact names (A6). */
void ua_auth_put(struct td_out *o, struct td_ua *ua, struct ua_auth *au, const struct td_flow *to, struct td_str method,
		 struct td_str uri);
/* A final response to it, from that flow. True: a challenge we can meet: send it again. */
bool ua_auth_again(struct td_ua *ua, struct ua_auth *au, const struct td_flow *to, const struct td_msg *response);

/* ---- requests ---- */

/* Nobody is there: the oldest request that waits for an answer from there fails (RFC 3261 §18.4). Each datagram is told of by itself. */
void ua_requests_refused(struct td_ua *ua, const struct td_addr *peer, int err);

struct td_request {
	struct td_link link;
	struct td_ua *ua;
	struct td_arena arena;
	struct td_str method, uri, to, headers, content_type, body, call_id, from_tag;
	uint32_t cseq;
	struct td_dialog *dialog; /* of an in-dialog request: borrowed, or owned when own_dialog */
	bool own_dialog, finished;
	struct ua_auth auth;
	struct td_flow flow;
	struct td_clitx *ct;
	td_request_fn *fn;
	void *arg;
};

/* In a dialog: head from it, its next CSeq. fn NULL: nobody wants to know. Takes the dialog over when own. */
int ua_request_in_dialog(struct td_ua *ua, struct td_dialog *d, bool own, struct td_str method, td_request_fn *fn, void *arg);
/* Outside, with an identity that lasts (REGISTER): call_id and *cseq are the caller's. */
int ua_request_open(struct td_request **out, struct td_ua *ua, const struct td_request_options *opt, struct td_str call_id,
		    uint32_t cseq, td_request_fn *fn, void *arg);

/* ---- registrations ---- */

struct td_reg {
	struct td_link link;
	struct td_ua *ua;
	struct td_arena arena;
	struct td_str contact, call_id, registrar;
	uint32_t cseq, expires_s, pause_ms;
	bool removing, lengthened;
	struct td_request *request;
	struct td_timer timer;
	td_reg_fn *fn;
	void *arg;
	/* TLS: the Contact is the end of the connection we made, and changes with it */
	bool dials;
	uint64_t conn;
	struct td_out now, before;
};

/* ---- calls ---- */

enum call_state {
	CALL_TRYING,    /* ours: INVITE sent */
	CALL_CANCELLED, /* ours: hung up before an answer */
	CALL_RINGING,   /* theirs: not answered yet */
	CALL_UP,
	CALL_OVER,
};

/* An INVITE of theirs we answered: the 2xx is sent again until its ACK comes (§13.3.1.4). */
struct answered {
	struct td_srvtx *st;
	struct td_buf *bytes;
	struct td_timer again;
	uint32_t interval_ms, sent_ms;
	uint32_t cseq;
	bool expects_answer; /* our offer was in the 2xx; their answer comes with the ACK */
};

/* A 2xx to our INVITE, and the ACK that is sent again with each retransmission of it. Of a fork there may be several. */
struct acked {
	struct acked *next;
	struct td_str tag;
	struct td_buf *bytes;
	struct td_flow flow;
};

/*
 * The application owns a call until td_call_close(); the agent keeps it until nothing of it is in flight any more (a transaction
 * of ours that a late 2xx may answer, a 2xx of ours without its ACK), and frees it at the end of a turn.
 */
struct td_call {
	struct td_link link;
	struct td_ua *ua;
	struct td_arena arena;
	enum call_state state;
	bool out, taken, closed, reported, hangup_wanted, acknowledged;
	const struct td_session *session;
	const struct td_call_events *events;
	void *arg;
	struct td_str call_id, local_tag, peer;
	struct td_dialog *dialog;
	struct td_defer report;
	struct td_call_end end;
	/* ours */
	struct td_str uri, offer;
	struct td_str answer_tag;  /* whose answer came early */
	struct td_str credentials; /* the INVITE's, for its ACK (§13.2.2.4) */
	struct ua_auth auth;
	struct td_flow flow;
	uint32_t invite_cseq;
	struct td_clitx *ct;
	struct acked *acked;
	unsigned acked_n;
	/* theirs */
	struct td_srvtx *st; /* the INVITE that is not answered yet */
	struct td_msg *invite;
	struct td_timer ringing;
	struct answered answered;
};

struct td_call *ua_call_new(struct td_ua *ua, bool out);
void ua_call_free(struct td_call *c);
/* Something that was in flight is not any more: a closed call may go. */
void ua_call_settle(struct td_call *c);
void ua_call_over(struct td_call *c, const struct td_call_end *end);
/* A BYE that outlives the call, and takes the dialog along. */
void ua_call_bye(struct td_call *c);
/* INVITE in st answered 200: keeps sending until acknowledged. TD_ECLOSED: the session ended the call meanwhile. */
int ua_call_send_2xx(struct td_call *c, struct td_srvtx *st, const struct td_msg *invite);
void ua_call_stop_2xx(struct td_call *c);
bool ua_call_is_sdp(const struct td_msg *m);
/* A description our session failed at, as a status. */
unsigned ua_call_status_of(int err);
/* What ua.c passes on. */
void ua_call_incoming(struct td_ua *ua, struct td_msg *invite, const struct td_flow *from);
void ua_call_in_dialog(struct td_call *c, struct td_msg *req, const struct td_flow *from);
void ua_call_ack(struct td_call *c, struct td_msg *ack);

#endif
