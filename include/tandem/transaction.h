/*
 * transaction: the four machines of RFC 3261 §17 as replaced by RFC 6026, and the table that matches messages to them
 * (§17.1.3, §17.2.3). One td_txl per worker. The user of the layer (proxy, registrar, user agent) is "TU" below.
 *
 * A request that needs no state can be answered without a transaction (td_reply_stateless), as §8.2.7 allows.
 */
#ifndef TANDEM_TRANSACTION_H
#define TANDEM_TRANSACTION_H

#include <tandem/transport.h>

#ifdef __cplusplus
extern "C" {
#endif

struct td_txl;
struct td_srvtx; /* server transaction */
struct td_clitx; /* client transaction */

struct td_txn_timers {
	uint32_t t1_ms, t2_ms, t4_ms; /* 500, 4000, 5000 */
};

struct td_txl_events {
	/* A request that matches no transaction (never ACK, never CANCEL). msg borrowed: td_msg_ref() to keep. */
	void (*request)(void *arg, struct td_msg *msg, const struct td_flow *from);
	/* An ACK that belongs to no INVITE server transaction of ours awaiting it: the ACK for a 2xx (§13.3.1.4, §16.7). */
	void (*ack)(void *arg, struct td_msg *msg, const struct td_flow *from);
	/* A CANCEL that matches nothing (a proxy forwards it statelessly or answers 481). */
	void (*cancel)(void *arg, struct td_msg *msg, const struct td_flow *from);
	/* A response that matches no client transaction (late 2xx after Accepted ended). Usually dropped. */
	void (*response)(void *arg, struct td_msg *msg, const struct td_flow *from);
	/* May a final response go there, which is where the name in its request's sent-by leads? NULL: nowhere. */
	bool (*may_return)(void *arg, const struct td_addr *to);
};

int td_txl_open(struct td_txl **out, struct td_tp *tp, const struct td_txn_timers *timers, struct td_log *log,
		const struct td_txl_events *events, void *arg);
void td_txl_close(struct td_txl *txl); /* ends all transactions without callbacks */
/* For responses whose connection is gone, and which nobody takes where their requests came from (RFC 3263 §5). Kept; closed after txl.
 * Without it they are lost. */
void td_txl_locate(struct td_txl *txl, struct td_locator *locator);
/* Feeds a message (already on its owner worker). msg borrowed. Requests with a defect never come here. */
void td_txl_receive(struct td_txl *txl, struct td_msg *msg, const struct td_flow *from);
/* A message that will come soon, perhaps: has the place it will be looked for in brought near. Its hash is kept in msg->hash: for
 * another txl it is to be 0 again. */
void td_txl_coming(struct td_txl *txl, struct td_msg *msg);

struct td_txl_stats {
	uint64_t srvtx_open, clitx_open, retransmissions_in, retransmissions_out, timeouts; /* the first two: now */
};
const struct td_txl_stats *td_txl_stats(const struct td_txl *txl);

/* ---- branches: "z9hG4bK" + owner worker + at least 64 random bits (D4) ---- */

enum { TD_BRANCH_LEN = 7 + 2 + 16 };
void td_branch_make(char out[TD_BRANCH_LEN], struct td_txl *txl);
/* The worker a branch of ours belongs to; TD_ENOTFOUND when it is none of ours. Its user may have added "." and more. */
int td_branch_owner(unsigned *out, struct td_str branch);

/* ---- server transactions ---- */

struct td_srvtx_events {
	/* A CANCEL for it arrived by the same flow (D3) and has been answered 200. The TU now ends what it started and replies 487. */
	void (*cancelled)(struct td_srvtx *st, struct td_msg *cancel, void *arg);
	/* INVITE, 300-699: the ACK came. May be NULL. */
	void (*acked)(struct td_srvtx *st, void *arg);
	/* It ended: 0 as it should; TD_ETIMEOUT: timer H, the ACK for 300-699 never came. No callback after this; may be NULL. */
	void (*ended)(struct td_srvtx *st, int why, void *arg);
	/* The connection it came by is gone. The machine stays as it is (RFC 6026 §7.1), and a response goes to the source's sent-by
	 * port (RFC 3261 §18.2.2). May be NULL. */
	void (*unsent)(struct td_srvtx *st, int err, void *arg);
};

/*
 * For a request just received; at once, before anything asynchronous, or its retransmission comes up as another request.
 * msg is kept (counted) until the final response has been sent. events borrowed for its life. The layer holds one reference,
 * the caller gets one: td_srvtx_unref() when done with it, whatever its state; one let go of without a final response ends
 * after 64*T1. TD_EEXIST when the request belongs to one already; -ENOMEM.
 */
int td_srvtx_open(struct td_srvtx **out, struct td_txl *txl, struct td_msg *msg, const struct td_flow *from,
		  const struct td_srvtx_events *events, void *arg);
struct td_srvtx *td_srvtx_ref(struct td_srvtx *st);
void td_srvtx_unref(struct td_srvtx *st);
/* NULL once the final response was sent (ref it to have it longer), or when it was shelved and memory is out. */
struct td_msg *td_srvtx_msg(struct td_srvtx *st);
/* The request is not looked at for a while: its bytes are kept, not what was parsed, which is made again when somebody asks (a
 * reply, td_srvtx_msg()). For INVITEs that ring. */
void td_srvtx_shelve(struct td_srvtx *st);
const struct td_flow *td_srvtx_flow(const struct td_srvtx *st);
/* Sends a response and steps the machine. bytes kept (counted). In Accepted (RFC 6026 §7.1) further 2xx pass. TD_EORDER when
 * the state does not allow it (e.g. a second final response), and for 101-199 to anything but INVITE (RFC 4320): nothing
 * happened. Any other error is the transport's: the response counts as given, and is sent again as far as the machine does so. */
int td_srvtx_reply(struct td_srvtx *st, unsigned status, struct td_buf *bytes);
/* Builds a plain response (no body) and sends it. extra: whole header lines or empty. to_tag empty: the stateless one (never on
 * 100). */
int td_srvtx_reply_plain(struct td_srvtx *st, unsigned status, struct td_str reason, struct td_str to_tag, struct td_str extra);
unsigned td_srvtx_last_status(const struct td_srvtx *st); /* last status sent; 0: none */
/* Ends it: no callback after this returns; it keeps absorbing retransmissions as long as its state wants. */
void td_srvtx_detach(struct td_srvtx *st);

/* ---- client transactions ---- */

struct td_clitx_events {
	/* Every response the machine passes up (1xx, 2xx again and again in Accepted, one final). msg borrowed. */
	void (*response)(struct td_clitx *ct, struct td_msg *msg, void *arg);
	/* No response: TD_ETIMEOUT (timer B, F), TD_ECLOSED or another transport error. Or 0: it ended after its final response.
	 * No callback after this. */
	void (*ended)(struct td_clitx *ct, int why, void *arg);
};

struct td_clitx_options {
	enum td_method method;
	struct td_str branch; /* of the top Via in bytes, as td_branch_make() makes them; copied */
	struct td_buf *bytes; /* the request as it goes out; kept (counted), also for retransmission, ACK and CANCEL */
	struct td_flow to;
	bool forwarded; /* somebody else's request: a response without a Via below ours is none (§16.7 item 3) */
};

/* An error (of sending, TD_EEXIST, -ENOMEM) means that there is no transaction and no callback will come. */
int td_clitx_open(struct td_clitx **out, struct td_txl *txl, const struct td_clitx_options *opt,
		  const struct td_clitx_events *events, void *arg);
struct td_clitx *td_clitx_ref(struct td_clitx *ct);
void td_clitx_unref(struct td_clitx *ct);
/* INVITE only: CANCEL with the same branch, To, From, Call-ID, Route (§9.1), sent now or as soon as a provisional response
 * came; never after a final one. extra: header lines to carry (Reason, RFC 3326) or empty. Repeating it does nothing. Without
 * a final response within 64*T1 of it the transaction ends with TD_ETIMEOUT. */
int td_clitx_cancel(struct td_clitx *ct, struct td_str extra);
bool td_clitx_had_provisional(const struct td_clitx *ct);
bool td_clitx_had_final(const struct td_clitx *ct);
const struct td_flow *td_clitx_flow(const struct td_clitx *ct);
struct td_buf *td_clitx_bytes(const struct td_clitx *ct); /* NULL after the callback that told the final response */
/* No callback after this returns; the machine still acknowledges what arrives (a late 2xx or 4xx to an INVITE is ACKed by it
 * only for 300-699) until it ends: at most 64*T1 from here without a final response. */
void td_clitx_detach(struct td_clitx *ct);

/* ---- without state ---- */

/* Answers req to where §18.2.2 says. A To tag, when one is needed, is a keyed hash of the request, so that a retransmission
 * gets the same answer. extra: whole header lines ("Allow: …\r\n") or empty. */
int td_reply_stateless(struct td_txl *txl, const struct td_msg *req, const struct td_flow *from, unsigned status,
		       struct td_str reason, struct td_str extra);
/* The To tag such an answer carries. The ACK for it carries the same tag and yields the same value here. */
enum { TD_STATELESS_TAG_LEN = 16 };
void td_stateless_tag(char out[TD_STATELESS_TAG_LEN], struct td_txl *txl, const struct td_msg *req);
struct td_tp *td_txl_transport(struct td_txl *txl);
struct td_loop *td_txl_loop(struct td_txl *txl);

#ifdef __cplusplus
}
#endif
#endif
