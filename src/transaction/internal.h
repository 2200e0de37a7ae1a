/*
 * transaction, private. The four machines are tables (invite_client.c, client.c, invite_server.c, server.c: one arrow of RFC
 * 3261's figures 5 to 8 per entry), run by machine.c. What their actions do is in clitx.c and srvtx.c.
 */
#ifndef TD_TRANSACTION_INTERNAL_H
#define TD_TRANSACTION_INTERNAL_H

#include <tandem/transaction.h>

enum txn_state { NO_STATE, CALLING, TRYING, PROCEEDING, COMPLETED, CONFIRMED, ACCEPTED, TERMINATED, TXN_STATES };

enum txn_event {
	EV_START, /* the request: sent by our TU, or received and passed to it */
	EV_1XX,
	EV_2XX,
	EV_300_699, /* client: received. Server: from TU */
	EV_REQUEST,
	EV_ACK, /* server: received again; ACK received */
	EV_TIMER_A,
	EV_TIMER_B,
	EV_TIMER_D,
	EV_TIMER_E,
	EV_TIMER_F,
	EV_TIMER_G,
	EV_TIMER_H,
	EV_TIMER_I,
	EV_TIMER_J,
	EV_TIMER_K,
	EV_TIMER_L,
	EV_TIMER_M,
	EV_TIMER_100, /* the TU said nothing for 200 ms (§17.2.1), or T1+2*T1+4*T1 (RFC 4320 §4.1) */
	EV_GIVE_UP,   /* nobody will end it any more: see each table */
	EV_TPORT_ERR,
	TXN_EVENTS
};

/* Actions of an arrow. Timers are set first, then bytes leave, then the TU hears of it, then memory is given back. */
enum {
	SEND = 1 << 0, /* the TU's bytes, kept for RESEND */
	RESEND = 1 << 1,
	SEND_100 = 1 << 2,
	SEND_ACK = 1 << 3,
	TO_TU = 1 << 4,      /* what came */
	TELL_ERROR = 1 << 5, /* and stay */
	FORGET = 1 << 6,     /* what this machine does not need from here on */
	ARM_A = 1 << 8,      /* T1, doubling */
	ARM_E = 1 << 9,      /* T1, doubling up to T2 */
	ARM_E_AT_T2 = 1 << 10,
	ARM_G = ARM_E,
	ARM_64T1 = 1 << 11,
	ARM_B = ARM_64T1,
	ARM_F = ARM_64T1,
	ARM_H = ARM_64T1,
	ARM_L = ARM_64T1,
	ARM_M = ARM_64T1,
	ARM_D = 1 << 12, /* at least 32 s; 0 on reliable transports, as I, J and K are (table 4) */
	ARM_T4 = 1 << 13,
	ARM_I = ARM_T4,
	ARM_K = ARM_T4,
	ARM_J = 1 << 14,
	ARM_100 = 1 << 15,
	STOP_RETRY = 1 << 16,
	STOP_LIFE = 1 << 17,
};

struct arrow {
	uint8_t next; /* NO_STATE: the figure has no such arrow; nothing happens */
	uint32_t actions;
};

struct txn;

/* What an event came with. */
struct stimulus {
	struct td_msg *msg;
	const struct td_flow *from;
	struct td_buf *bytes;
	int err;
};

/* Two timers are enough: `retry` for those that send again (A, E, G, and the 100), `life` for those that end a state. */
struct machine {
	const char *name;
	bool client;
	const struct arrow (*rules)[TXN_EVENTS];
	uint8_t retry_event[TXN_STATES], life_event[TXN_STATES];
	uint32_t quiet_t1; /* ARM_100 in T1s; 0: 200 ms */
	int (*act)(struct txn *t, uint32_t actions, const struct stimulus *s);
	void (*ended)(struct txn *t, int why);
	void (*free)(struct txn *t);
};

extern const struct machine td_invite_client_machine, td_client_machine, td_invite_server_machine, td_server_machine;

struct txn {
	struct td_map_node node;
	struct td_txl *txl;
	const struct machine *machine;
	struct td_timer retry, life;
	struct td_flow flow;         /* client: where it was sent; server: where it came from */
	struct td_flow_watch *watch; /* of a connection; NULL for datagrams */
	struct td_buf *out;          /* the last bytes sent, for RESEND */
	uint32_t refs;
	uint32_t retry_ms; /* the last interval of A, E, G */
	uint8_t state;
};

struct td_clitx {
	struct txn t;
	const struct td_clitx_events *events; /* NULL: detached */
	void *arg;
	struct td_buf *ack;    /* for 300-699 */
	struct td_buf *cancel; /* waits for a provisional response */
	uint8_t method;
	bool provisional, final, cancelled, forwarded;
	uint16_t branch_n;
	char branch[];
};

struct td_srvtx {
	struct txn t;
	struct td_msg *msg;                   /* until the final response, or shelved */
	struct td_buf *shelf;                 /* its bytes, while it is shelved */
	const struct td_srvtx_events *events; /* NULL: detached */
	void *arg;
	uint32_t users; /* references that are not the layer's */
	uint16_t last_status;
	uint16_t reply_port;
	bool invite, cancelled;
	bool gone;  /* the connection it came by, and no other took its place yet */
	char key[]; /* match.c */
};

/* ---- what a request is matched by: match.c ---- */

enum { KEY_PARTS = 6 };

struct txn_key_head {
	uint32_t num;
	uint16_t n[KEY_PARTS];
	uint8_t method, legacy;
	uint16_t pad;
};

struct txn_key {
	struct txn_key_head head;
	struct td_str part[KEY_PARTS];
	bool ack;
	uint64_t hash;
};

struct td_txl {
	struct td_tp *tp;
	struct td_loop *loop;
	struct td_log *log;
	struct td_txn_timers timers;
	const struct td_txl_events *events;
	void *arg;
	struct td_hash_key key;
	struct td_map srvtxs, clitxs;
	struct txn_key recent;          /* of the request that is being passed up: a transaction made for it needs it again */
	const struct td_msg *recent_of; /* NULL: none is */
	struct td_txl_stats stats;
	struct td_locator *locator; /* NULL: none */
	struct td_link ways;        /* responses that look for another way back */
	unsigned way_n;
};

/* ---- machine.c ---- */

int txn_init(struct txn *t, struct td_txl *txl, const struct machine *machine, const struct td_flow *flow); /* -ENOMEM */
/* Its connection's end is no news any more. */
void txn_unwatch(struct txn *t);
/* Follows the arrow for this event. TD_EORDER when there is none; else what the action SEND came to. May end t. */
int txn_step(struct txn *t, enum txn_event ev, const struct stimulus *s);
/* Takes it out of the layer, telling nobody. */
void txn_drop(struct txn *t);
void txn_ref(struct txn *t);
void txn_unref(struct txn *t);
void txn_arm_life(struct txn *t, uint32_t ms);

/* ---- clitx.c, srvtx.c ---- */

int clitx_act(struct txn *t, uint32_t actions, const struct stimulus *s);
void clitx_ended(struct txn *t, int why);
void clitx_free(struct txn *t);
int srvtx_act(struct txn *t, uint32_t actions, const struct stimulus *s);
void srvtx_ended(struct txn *t, int why);
void srvtx_free(struct txn *t);
/* A CANCEL that belongs to st (§9.2). */
void srvtx_cancel(struct td_srvtx *st, struct td_msg *cancel, const struct td_flow *from);

/* ---- match.c ---- */

void txn_key_of(struct txn_key *out, const struct td_txl *txl, const struct td_msg *req);
bool txn_has_cookie(const struct td_msg *req);
uint64_t txn_request_hash(const struct td_txl *txl, const struct td_msg *req);
size_t txn_key_size(const struct txn_key *key);
void txn_key_store(char *mem, const struct txn_key *key);
struct td_srvtx *txn_find_server(const struct td_txl *txl, const struct txn_key *key);
uint64_t txn_branch_hash(const struct td_txl *txl, struct td_str branch);
struct td_clitx *txn_find_client(const struct td_txl *txl, uint64_t hash, struct td_str branch, enum td_method method);
bool txn_same_flow(const struct td_flow *a, const struct td_flow *b);
bool txn_ack_fits(const struct td_srvtx *st, const struct td_msg *ack);

/* ---- way_back.c ---- */

/*
 * bytes answer a request with this Via, whose transport is to be what the request came by. first: over a new connection to where it came
 * from; NULL: there can be none. Not 0 (TD_ECLOSED, TD_EUNSUPPORTED, -ENOMEM): its sent-by leads nowhere else.
 */
int way_back(struct td_txl *txl, const struct td_via *via, const struct td_flow *first, struct td_buf *bytes);
void ways_back_end(struct td_txl *txl);

/* ---- build.c ---- */

int txn_build_ack(struct td_buf **out, struct td_buf *invite, const struct td_msg *response);
int txn_build_cancel(struct td_buf **out, struct td_buf *invite, struct td_str extra);
int txn_build_response(struct td_buf **out, const struct td_msg *req, unsigned status, struct td_str reason, struct td_str to_tag,
		       struct td_str extra);

#endif
