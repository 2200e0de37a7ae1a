/*
 * transport: SIP messages over net (RFC 3261 §18). Frames streams, parses, notes received/rport (RFC 3581), reuses
 * connections, routes responses, answers keep-alives. One td_tp per worker; the workers of a server form a group, so that a
 * worker can send over a connection that lives on another one.
 */
#ifndef TANDEM_TRANSPORT_H
#define TANDEM_TRANSPORT_H

#include <tandem/net.h>
#include <tandem/sip.h>

#ifdef __cplusplus
extern "C" {
#endif

enum td_proto { TD_UDP, TD_TCP, TD_TLS, TD_WS, TD_WSS, TD_PROTO_COUNT };

struct td_str td_proto_name(enum td_proto p);               /* "UDP" as in Via */
struct td_str td_proto_word(enum td_proto p);               /* "udp" as in a configuration */
int td_proto_parse(enum td_proto *out, struct td_str name); /* any case */
struct td_str td_proto_param(enum td_proto p);              /* ";transport=tcp" as in a URI; empty for UDP */
uint16_t td_proto_port(enum td_proto p);                    /* where nothing else is said */
static inline bool td_proto_reliable(enum td_proto p)
{
	return p != TD_UDP;
}
static inline bool td_proto_secure(enum td_proto p)
{
	return p == TD_TLS || p == TD_WSS;
}

/*
 * A way to a peer: where a message came from, or where one is to go. A plain value; binding and dialogs keep copies.
 * It does not hold the connection open, and it stays safe to use after the connection is gone (conn is never reused).
 */
struct td_flow {
	struct td_addr peer;
	uint64_t conn; /* 0 for datagrams; else the worker, or the outsider, in the top 8 bits and a serial number */
	uint8_t proto;
	uint8_t listener; /* index of our listening address it came in by / leaves by */
};

static inline unsigned td_flow_worker(const struct td_flow *f)
{
	return (unsigned)(f->conn >> 56);
}

/* A flow as bytes, for keeping many. What family TD_AF_NONE has becomes 0 bytes. unpack: of bytes that pack made, whole. */
enum { TD_FLOW_PACKED_MAX = 1 + 1 + 1 + 2 + 16 + 4 + 8 };
size_t td_flow_pack(uint8_t out[TD_FLOW_PACKED_MAX], const struct td_flow *f);
void td_flow_unpack(struct td_flow *out, const uint8_t *bytes, size_t n);

struct td_tp;
struct td_tp_group;

struct td_tp_limits {
	uint32_t max_message;         /* default TD_SIP_MAX_MESSAGE */
	uint32_t message_deadline_ms; /* a message begun must be whole by then: 10,000 (T1) */
	uint32_t idle_ms;             /* connections without traffic: 900,000; unauthenticated: message_deadline */
	uint32_t per_source;          /* connections per address: 256 (T1) */
	uint32_t out_queue_bytes;     /* per connection: 1 MiB (T3) */
	uint32_t handshakes;          /* of TLS under way on this worker: 1,000 (also when 0); the oldest makes room (T4) */
};

struct td_tp_stats {
	uint64_t messages, dropped_syntax, dropped_junk, keepalives, refused_guard, conns_opened, conns_accepted, conns_closed,
		sent, send_failed, tls_handshakes, tls_failed;
};

struct td_tp_events {
	/* Asked with the raw bytes before anything is parsed (guard); false drops. May be NULL. bytes may be 0 long: a new connection. */
	bool (*admit)(void *arg, const struct td_flow *from, struct td_str bytes);
	/* Bytes came over a connection that are no SIP; it is closed. May be NULL. */
	void (*junk)(void *arg, const struct td_flow *from);
	/* A datagram's message that `message` will be called with, after those before it: what will be read of far memory may be fetched
	 * meanwhile. May be NULL. */
	void (*coming)(void *arg, struct td_msg *msg);
	/* A message: requests may carry a defect. msg is handed over (unref it). flow is borrowed. */
	void (*message)(void *arg, struct td_msg *msg, const struct td_flow *from);
	/* What was sent: for who keeps a record. Borrowed. May be NULL. */
	void (*sent)(void *arg, const struct td_flow *to, struct td_str bytes);
	/* May a keep-alive by STUN be answered (RFC 5626 §8)? Its source may be forged. NULL: it never is, and such a datagram is junk. */
	bool (*may_answer)(void *arg, const struct td_flow *from);
	/* Nobody takes datagrams there, or it cannot be reached, as ICMP says (§18.4): -errno. May be NULL: then nobody listens for it. */
	void (*refused)(void *arg, const struct td_addr *to, int err);
	/* A connection is gone (all flows with this conn are dead). May be NULL. */
	void (*conn_lost)(void *arg, uint64_t conn);
	/* TLS did not come about (TD_ETLS, TD_ECERT, TD_ENAME), and why, in words; conn_lost follows. All borrowed. May be NULL. */
	void (*tls_failed)(void *arg, const struct td_flow *flow, int err, struct td_str why);
};

/* A group of `workers` transports, at most 255, and of an outsider if one joins; addresses of listeners are the same on all. */
int td_tp_group_open(struct td_tp_group **out, unsigned workers);
void td_tp_group_close(struct td_tp_group *g); /* after td_loop_drain() of every loop that was in it */

/* events is borrowed for the life of tp. log may be NULL. limits NULL: defaults. */
int td_tp_open(struct td_tp **out, struct td_tp_group *g, unsigned worker, struct td_net *net, struct td_log *log,
	       const struct td_tp_limits *limits, const struct td_tp_events *events, void *arg);
/* After the transaction layer, and after the loops of all workers of the group have stopped. */
void td_tp_close(struct td_tp *tp);

/* Listens; port 0 picks one (worker 0 picks, the others are given its address). *index is td_flow.listener. For WebSocket only the
 * address is noted: see td_tp_adopt(). */
int td_tp_listen(struct td_tp *tp, unsigned *index, enum td_proto proto, const struct td_addr *local);
/* Connects without listening, as a phone does over TLS: requests to it come over the connections it made. Its Vias name their own end. */
int td_tp_dial_only(struct td_tp *tp, unsigned *index, enum td_proto proto, const struct td_addr *local);
/* Certificates and whom to believe, for listeners of TLS and for connecting; kept (counted). Before td_tp_listen() of TLS; later, for new
 * connections, while those there are keep theirs. */
void td_tp_set_tls(struct td_tp *tp, struct td_tls *tls);
void td_tp_ask_clients(struct td_tp *tp, unsigned index, enum td_tls_clients clients); /* new connections of that listener */
unsigned td_tp_listeners(const struct td_tp *tp);
const struct td_addr *td_tp_listener_addr(const struct td_tp *tp, unsigned index);
enum td_proto td_tp_listener_proto(const struct td_tp *tp, unsigned index);
/* Is this host:port one of our listening addresses (any protocol; port 0 means 5060)? host may be a name (then false). */
bool td_tp_is_me(const struct td_tp *tp, struct td_str host, uint16_t port);
bool td_tp_is_my_addr(const struct td_tp *tp, const struct td_addr *addr); /* the same of an address with its port */

/* Notes in a request parsed from stored bytes what the transport saw of its source, as it did when it came (received, rport:
 * §18.2.1, RFC 3581 §4). -ENOMEM. */
int td_tp_note_source(struct td_msg *msg, const struct td_flow *from);

/*
 * ---- connections that another library holds (WebSocket) ----
 *
 * Whoever has a thread of his own for them opens a transport there, as the group's outsider: its number is the group's count of
 * workers. It listens on nothing itself; td_tp_listen() notes the addresses, as it does on every worker. Each connection is adopted
 * when it comes, before a byte of it was read, and has from then on what others have: a flow that every worker can send over and watch,
 * limits in time and per source, trust. Its holder cuts messages.
 */
struct tp_conn;

struct td_tp_holder {
	/* Queues a whole message; buf is kept (counted). 0, -ENOMEM, TD_EFULL when too much waits: the connection ends. */
	int (*send)(void *held, struct td_buf *buf);
	/* It has ended, and c must not be used any more. linger: what is queued still goes. */
	void (*close)(void *held, int why, bool linger);
};

/* holder is borrowed for the life of tp. TD_ELIMIT: that peer may not have it (guard, too many), or memory is out: close it. */
int td_tp_adopt(struct tp_conn **out, struct td_tp *tp, unsigned listener, const struct td_addr *peer,
		const struct td_tp_holder *holder, void *held);
/*
 * A piece of a message: bytes, `more` of them known to follow it, `last` when the message ends with it. The connection may be ended
 * meanwhile, which the holder is told as always. 0; otherwise it has ended for this reason: TD_ELIMIT, too long; TD_ESYNTAX, no SIP; -ENOMEM.
 */
int td_tp_adopted_data(struct tp_conn *c, struct td_str bytes, size_t more, bool last);
void td_tp_adopted_alive(struct tp_conn *c); /* its peer has shown that he is there, by other means than a message */
/* The peer is gone. `close` is not called. */
void td_tp_adopted_lost(struct tp_conn *c, int why);

/* A flow to a peer by protocol and address: UDP at once; TCP reuses a connection or opens one (bytes wait for it).
 * Picks a listener of the peer's family. TD_EUNSUPPORTED when we do not listen on that protocol/family. */
int td_tp_flow_to(struct td_flow *out, struct td_tp *tp, enum td_proto proto, const struct td_addr *peer);
/*
 * The same, where it matters who the peer is: over TLS its certificate must bear host, which is the name that was asked for before DNS had
 * its say (RFC 5922 §7.3), and only a connection whose peer has proved to be that is used again (RFC 5923 §8, T5). td_tp_flow_to()
 * asks for the numeric address. One that the peer opened from just that address leads back to it as well, when the address is all that was
 * asked for. TD_ESYNTAX: host is none.
 */
int td_tp_flow_to_host(struct td_flow *out, struct td_tp *tp, enum td_proto proto, const struct td_addr *peer,
		       struct td_str host);

/* Can bytes be sent over it, as far as is known now? Datagrams always; a connection as long as it is there, on whatever worker. For
 * users that keep nothing a td_flow_watch could tell of its end. */
bool td_tp_flow_alive(const struct td_tp *tp, const struct td_flow *f);
/* Is it a connection that is made, or a datagram's way? False while it is being made, and when it is gone. */
bool td_tp_flow_connected(const struct td_tp *tp, const struct td_flow *f);

/* Tells one waiting user that a flow died, so that transactions on it fail at once (EV_TPORT_ERR) rather than by timer. */
struct td_flow_watch;
typedef void td_flow_watch_fn(struct td_flow_watch *w, int err, void *arg);
struct td_flow_watch {
	struct td_link link;
	td_flow_watch_fn *fn;
	void *arg;
	uint64_t conn;
	int err;
};
/* Nothing happens for datagrams. A flow whose connection is gone calls fn from the loop, once. For a connection of another
 * worker this holds from the first td_tp_send() over it on. A watched connection is not closed for being idle. */
void td_flow_watch(struct td_tp *tp, const struct td_flow *f, struct td_flow_watch *w, td_flow_watch_fn *fn, void *arg);
void td_flow_unwatch(struct td_tp *tp, struct td_flow_watch *w);

/*
 * ---- where a URI leads (RFC 3263) ----
 *
 * From a URI to targets, one after the other: what is not needed is not asked. A numeric host is one target; a name leads over NAPTR and
 * SRV records (priority and weight as RFC 2782 has it) to addresses. Only protocols and families that tp listens on are considered.
 * Targets that failed lately come last.
 */

struct td_hop {
	enum td_proto proto;
	struct td_addr addr;
};

struct td_locator;
/* tp and dns are kept; log may be NULL. After all that was opened from it is closed: td_locator_close(). */
int td_locator_open(struct td_locator **out, struct td_tp *tp, struct td_dns *dns, struct td_log *log);
void td_locator_close(struct td_locator *lr);

/* A target did not answer, or refused for so long (Retry-After); 0: 60 s. For all that lr looks up it is tried last meanwhile. */
void td_locator_failed(struct td_locator *lr, const struct td_hop *hop, uint32_t seconds);
void td_locator_answered(struct td_locator *lr, const struct td_hop *hop); /* it is back */
bool td_locator_is_dead(struct td_locator *lr, const struct td_hop *hop);

struct td_locate_step {
	struct td_str words;   /* "no SRV for _sip._udp.example.org" */
	enum td_dns_type type; /* what was asked for; 0: this was no question */
	struct td_str name;    /* of what */
	unsigned n, rcode;     /* records; what the name server said (3: there is no such name) */
	int err;
};

struct td_locate_events {
	/* Once for each td_locate_next(), from the loop. hop: the next target, when err is 0; its end: TD_ENOTFOUND (no records, or no more
	 * targets), TD_ETIMEOUT (no name server answered), TD_EUNSUPPORTED (all of it needs what we do not speak), -ENOMEM … */
	void (*found)(void *arg, int err, const struct td_hop *hop);
	/* A step on the way there; borrowed. May come within td_locate_next(). May be NULL. */
	void (*told)(void *arg, const struct td_locate_step *step);
};

struct td_locate;
enum { TD_LOCATE_MAX_HOPS = 8 };
/* uri: sip or sips; borrowed. order 0: among equals chance decides; else this number, so that the same one gives the same order as long as
 * the records stay, and failures do not change it (§4.4). Nothing is asked before td_locate_next(). TD_EUNSUPPORTED, -ENOMEM. */
int td_locate_open(struct td_locate **out, struct td_locator *lr, const struct td_uri *uri, uint64_t order,
		   const struct td_locate_events *events, void *arg);
/* For a response whose way back is gone: where the sent-by of its top Via leads (§5). */
int td_locate_open_via(struct td_locate **out, struct td_locator *lr, const struct td_via *via,
		       const struct td_locate_events *events, void *arg);
void td_locate_next(struct td_locate *l);  /* not again before the answer */
void td_locate_close(struct td_locate *l); /* no callback any more; safe in its own */

/* Sends whole messages; buf is kept (counted). Over a connection of another worker it is posted there.
 * TD_ECLOSED: the connection is gone; TD_EFULL: the peer does not read (the connection is closed). */
int td_tp_send(struct td_tp *tp, const struct td_flow *to, struct td_buf *buf);

/* Where a response to req goes (§18.2.2, RFC 3581 §4): the connection it came by, else its source, at rport or sent-by's port.
 * maddr is ignored (P5). */
void td_tp_response_flow(struct td_flow *out, const struct td_msg *req, const struct td_flow *from);
/* For a response whose connection is gone (§18.2.2): a new one to the request's source, at the port of its sent-by. */
int td_tp_reconnect_flow(struct td_flow *out, struct td_tp *tp, const struct td_msg *req, const struct td_flow *from);
/* For a response we relay: where the Via below ours points. TD_ESYNTAX when it is no address, TD_EUNSUPPORTED. */
int td_tp_via_flow(struct td_flow *out, struct td_tp *tp, const struct td_via *via);

/* "SIP/2.0/UDP 127.0.0.1:5060;rport;branch=…" and "<sip:127.0.0.1:5060;transport=tcp;lr>" of a flow's listener. */
void td_tp_put_via(struct td_out *o, const struct td_tp *tp, const struct td_flow *f, struct td_str branch);
void td_tp_put_sent_by(struct td_out *o, const struct td_tp *tp, const struct td_flow *f);

/* An authenticated peer earns the long idle limit for its connection. */
void td_tp_trust_conn(struct td_tp *tp, const struct td_flow *f);
const struct td_tp_stats *td_tp_stats(const struct td_tp *tp);
struct td_loop *td_tp_loop(struct td_tp *tp);
unsigned td_tp_worker(const struct td_tp *tp);

#ifdef __cplusplus
}
#endif
#endif
