/* transport, private: a worker's transport, its listeners and its connections. */
#ifndef TD_TRANSPORT_INTERNAL_H
#define TD_TRANSPORT_INTERNAL_H

#include <tandem/transport.h>

enum {
	TP_MAX_LISTENERS = 64,
	TP_CONN_SERIAL_BITS = 56, /* of td_flow.conn; above it stands the worker */
	TP_REMOTE_BUCKETS = 64,
	TP_VIA_MAX = 32 + TD_ADDR_TEXT,
};

struct tp_listener {
	struct td_tp *tp;
	struct td_udp *udp;
	struct td_listener *stream; /* neither: somebody else listens there, and has his connections adopted; or `dial` */
	struct td_addr addr;
	uint8_t proto, index;
	uint8_t clients; /* enum td_tls_clients */
	bool dial;       /* connects only */
	/* For one that listens on every address (0.0.0.0): the one we have towards the last peer asked about. */
	struct td_addr peer, ours;
	uint64_t asked_ms;
	/* The last address of ours that was written, nearly always the same one, and a Via that names it, up to the branch. */
	struct td_addr written;
	char via[TP_VIA_MAX];
	uint8_t via_n, sent_by_at, sent_by_n;
};

/* One address that connects to us (T1): how often, and which of its connections nobody has vouched for yet. */
struct tp_source {
	struct td_map_node node;
	struct td_addr ip;        /* port 0 */
	struct td_link strangers; /* of tp_conn.stranger, oldest first */
	uint32_t count;
};

struct tp_conn {
	struct td_map_node by_id, by_peer;
	struct tp_shared { /* the group's table: what other workers may read of it */
		struct td_map_node node;
		struct td_flow flow;
		struct td_buf *
			names; /* TLS: whom the peer has proved to be; of one we open, whom it must be. A line each; NULL: nobody */
		bool accepted;
	} shared;
	struct tp_alias *alias; /* TLS: where else its peer says that it can be reached (RFC 5923) */
	struct td_link shaking; /* in tp->shaking, while the handshake of TLS lasts */
	struct td_tp *tp;
	struct td_conn *io; /* NULL: another library's, which `holder` speaks for (adopted.c) */
	const struct td_tp_holder *holder;
	void *held;
	struct tp_source *source; /* NULL: we opened it */
	struct td_link stranger;  /* in source->strangers; when gone: in tp->gone */
	struct td_link watches;
	struct td_timer timer;
	struct td_buf *part;          /* the beginning of a message, while one waits for its end */
	size_t scan;                  /* how far td_msg_frame() has looked into part */
	uint64_t begun_ms, active_ms; /* part's first byte; the last whole message */
	uint64_t mates;               /* bit per worker (mod 64) that has sent over it and wants to hear of its end */
	uint8_t crlf;                 /* bytes of CR LF CR LF seen between messages */
	bool trusted, gone, connecting;
};

struct td_tp {
	struct td_tp_group *group;
	unsigned worker;
	struct td_net *net;
	struct td_loop *loop;
	struct td_log *log;
	struct td_tp_limits limits;
	struct td_tp_stats stats;
	const struct td_tp_events *events;
	void *arg;
	struct td_hash_key key;
	struct tp_listener *listeners[TP_MAX_LISTENERS];
	unsigned n_listeners;
	struct td_msg *held; /* the last datagram's message, until there is another behind it or no more: see udp.c */
	struct td_flow held_from;
	struct td_map conns, peers, sources;
	struct td_map aliases;  /* made with the first of them */
	struct td_link shaking; /* connections in their handshake, oldest first */
	unsigned shaking_n;
	struct td_tls *tls;
	struct tp_conn *recent; /* the one a message came by last: what is asked for next is mostly the same */
	uint64_t serial;
	struct td_link gone;                      /* connections to free at the end of the turn */
	struct td_link lost;                      /* watches to call at the end of the turn */
	struct td_link remote[TP_REMOTE_BUCKETS]; /* watches of flows whose connection lives on another worker */
	struct td_defer sweep;
	bool closing;
};

/* transport.c: parse and note where it came from. 0 or why not; counted. buf is borrowed. */
int tp_parse(struct td_msg **out, struct td_tp *tp, struct td_buf *buf, size_t at, size_t n, const struct td_flow *from);
void tp_deliver(struct td_tp *tp, struct td_msg *msg, const struct td_flow *from); /* msg is handed over */
bool tp_admit(struct td_tp *tp, const struct td_flow *from, struct td_str bytes);
struct tp_listener *tp_listener_for(const struct td_tp *tp, enum td_proto proto, const struct td_addr *peer);

/* udp.c */
void tp_udp_received(struct td_udp *udp, struct td_buf *buf, const struct td_addr *from, void *arg);
void tp_udp_paused(struct td_udp *udp, void *arg);
void tp_udp_refused(struct td_udp *udp, const struct td_addr *to, int err, void *arg);

/* stun.c */
enum { TP_STUN_MAX = 64 };
/* Answers a Binding request that came from there; 0: it is none. */
size_t tp_stun_answer(uint8_t out[TP_STUN_MAX], struct td_str in, const struct td_addr *from);
TD_RARE bool tp_stun_received(struct tp_listener *ln, struct td_str bytes,
			      const struct td_flow *from); /* false: it was no keep-alive */

/* A start line begins with "SIP/2.0" or a method, which is a token (RFC 3261 §25.1). */
static inline bool tp_starts_like_sip(char c)
{
	return (td_lower(c) >= 'a' && td_lower(c) <= 'z') || (c >= '0' && c <= '9') || (c && strchr("-.!%*_+`'~", c));
}

/* connection.c */
int tp_conns_init(struct td_tp *tp);
void tp_conns_free(struct td_tp *tp);
struct tp_conn *tp_conn_from(const struct tp_listener *ln, const struct td_addr *peer);
void tp_accepted(struct td_listener *l, struct td_conn *io, void *arg);
/* The connection to a peer, on whatever worker it lives, or a new one of this worker's. host: for TLS, see td_tp_flow_to_host(). */
int tp_conn_to(struct td_flow *out, struct td_tp *tp, const struct tp_listener *ln, const struct td_addr *peer,
	       struct td_str host);
struct tp_conn *tp_conn_find(const struct td_tp *tp, uint64_t id);
int tp_conn_send(struct tp_conn *c, struct td_buf *buf);
/* Takes it off every table and tells those who watch it; the bytes already queued are still written when `linger`. */
void tp_conn_end(struct tp_conn *c, int why, bool linger);
void tp_conn_trust(struct tp_conn *c);
void tp_conn_arm(struct tp_conn *c); /* its nearest limit has changed */
struct td_flow tp_conn_flow(const struct tp_conn *c);

/* Whom a connection has to lead to. host: for TLS alone. */
struct tp_peer_key {
	const struct td_addr *addr;
	struct td_str host;
	uint8_t proto;
};

/* secure.c */
int tp_secure_accept(struct tp_conn *c, const struct tp_listener *ln);
int tp_secure_connect(struct tp_conn *c, struct td_str host);
void tp_secure_up(struct tp_conn *c);                    /* the handshake is over */
void tp_secure_failed(const struct tp_conn *c, int err); /* tells why TLS did not come about, if that is why c ends */
void tp_secure_end(struct tp_conn *c);
bool tp_secure_leads_to(const struct tp_shared *s, struct td_str host); /* may what is for host go over this connection? (T5) */
static inline bool tp_shared_leads_to(const struct tp_shared *s, const struct tp_peer_key *k)
{
	return s->flow.proto == k->proto && td_addr_eq(&s->flow.peer, k->addr) &&
	       (k->proto != TD_TLS || tp_secure_leads_to(s, k->host));
}
void tp_alias_learn(struct tp_conn *c, const struct td_msg *msg);
const struct tp_shared *tp_alias_find(const struct td_tp *tp, const struct td_addr *peer, struct td_str host);

/* stream.c */
int tp_conn_pong(struct tp_conn *c); /* CR LF, for CR LF CR LF (RFC 5626 §3.5.1) */
void tp_stream_data(struct tp_conn *c, struct td_str in);

/* watch.c */
void tp_lose(struct td_tp *tp, struct td_link *watches, int why);
void tp_lose_remote(struct td_tp *tp, uint64_t conn, int why);

/* group.c */
int tp_group_join(struct td_tp_group *g, struct td_tp *tp);
void tp_group_leave(struct td_tp_group *g, struct td_tp *tp);
unsigned tp_group_workers(const struct td_tp_group *g);
void tp_group_share(struct td_tp_group *g, struct tp_shared *s);
void tp_group_unshare(struct td_tp_group *g, struct tp_shared *s);
bool tp_group_has(struct td_tp_group *g, const struct td_flow *f); /* is this connection, of another worker, still there? */
bool tp_group_find(struct td_flow *out, struct td_tp_group *g, const struct tp_listener *ln, const struct td_addr *peer,
		   struct td_str host);
int tp_post_send(struct td_tp *tp, const struct td_flow *to, struct td_buf *buf);
void tp_post_trust(struct td_tp *tp, const struct td_flow *f);
void tp_post_lost(struct td_tp *tp, uint64_t mates, uint64_t conn, int why);

#endif
