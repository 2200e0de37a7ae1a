/*
 * A whole server and its phones in one thread, on a simulated clock and network. Phones are plain peers: they send the text a
 * test gives them and keep what comes; nothing is retransmitted or answered for them, so that a test says exactly what
 * happened. (For phones that behave like a user agent under loss see agent.h.)
 *
 * The server listens on udp and tcp 10.0.0.1:5060 and serves example.test (users in its directory), any.test
 * and example.com (users: any), and of users: any too quick.test (mode: stateless), turn.test (fork: serial, ring_time: 10s),
 * there.test (mode: redirect) and plain.test (recurse: no). world_open_everywhere() adds tls :5061, ws :8080 and wss :8443.
 * Hosts in 10.0.1.0/24 are trusted, others must authenticate.
 */
#ifndef TESTS_SCENARIO_HARNESS_H
#define TESTS_SCENARIO_HARNESS_H

#include "support.h"

#include <stdio.h>

#include "server/worker/worker.h"

enum { MAX_WORKERS = 4, INBOX = 4096 };

#define SERVER_IP "10.0.0.1"

struct world {
	struct td_sim *sim;
	struct td_wire *wire;
	struct td_wire_rules rules;
	struct td_server_status status;
	struct td_loop *loops[MAX_WORKERS], *peers; /* peers: one loop for all phones */
	struct td_net *nets[MAX_WORKERS];
	unsigned workers;
	struct td_users *users;
	struct td_store *store;
	struct td_config *cfg;
	struct td_log *log;
	struct td_server *server;
	struct td_certs *certs; /* these four with world_open_everywhere() alone */
	struct td_tls *peers_tls;
	struct td_loop *outside_loop;
	struct td_net *outside_net;
	unsigned serial; /* of branches, Call-IDs and tags */
	unsigned ports;
	unsigned log_lines; /* of level info and above */
};

/* extra: more lines of YAML, or NULL. */
void world_open(struct world *w, uint64_t seed, unsigned workers, const char *extra);
/* With a store (in memory) for the records of calls: w->store. */
void world_open_with_store(struct world *w, uint64_t seed, unsigned workers, const char *extra);
/* With listeners of TLS and WebSocket as well. */
void world_open_everywhere(struct world *w, uint64_t seed, unsigned workers, const char *extra);
/* Lets everything run out first, and fails when a transaction, context or pending call is left (D7). */
void world_close(struct world *w);
void world_user(struct world *w, const char *name, const char *password); /* name@example.test */
void world_run(struct world *w, uint64_t ms);
const struct td_server_status *world_status(struct world *w); /* as it is now; good until the next call */
void world_assert_idle(struct world *w);                      /* nothing open now */
void world_rules(struct world *w, double loss, double duplicate, double reorder);

/* ---- phones ---- */

struct phone {
	struct world *w;
	const char *user;
	struct td_addr addr;
	enum td_proto proto;
	struct td_net *net;
	struct td_udp *udp;
	struct td_listener *listener; /* TCP, TLS: the port of its Contact */
	struct tp_conn *adopted;      /* WS, WSS: its connection, as the server has it */
	const char *contact;          /* what it says its Contact is, as behind NAT; NULL: the truth */
	struct td_conn *conn;         /* to the server, or the last one the server opened */
	struct td_conn *conns[16];
	unsigned conn_n;
	struct td_buf *part;
	bool closed;                 /* the server closed its connection */
	bool raw;                    /* it keeps what it can parse and counts the rest: for answers to broken requests */
	unsigned raw_status, raw_n;  /* of the last response, parsed or not; how many */
	struct td_msg *inbox[INBOX]; /* everything that came; kept until it is closed */
	bool taken[INBOX];
	unsigned n;
	struct td_auth_client *auth;
	struct td_rng rng;
};

void phone_open(struct phone *p, struct world *w, const char *user, const char *ip, uint16_t port, enum td_proto proto);
void phone_password(struct phone *p, const char *password); /* it answers challenges with this */
void phone_close(struct phone *p);
void phone_drop(struct phone *p); /* its last connection breaks */
/* Each "\n" of the text goes out as CR LF. */
__attribute__((format(printf, 2, 3))) void phone_send(struct phone *p, const char *fmt, ...);
void phone_send_bytes(struct phone *p, struct td_str bytes);
void phone_send_to(struct phone *p, const struct td_addr *to, struct td_str bytes); /* UDP */

/* The oldest message not yet taken that fits; runs the world until it is there, at most `ms`. Fails, or NULL with `maybe`. */
struct td_msg *want_request(struct phone *p, const char *method);
struct td_msg *want_status(struct phone *p, unsigned status);
struct td_msg *want_answer(struct phone *p); /* any response above 100 */
struct td_msg *maybe_request(struct phone *p, const char *method, uint64_t ms);
struct td_msg *maybe_status(struct phone *p, unsigned status, uint64_t ms); /* 0: any final response */
void want_silence(struct phone *p, uint64_t ms);                            /* nothing new but what was taken, 100 left aside */
void phone_forget(struct phone *p);                                         /* takes all that came */

/* Value of a header, zero-terminated, in memory of the world's life; "" when absent. */
const char *header(const struct td_msg *m, const char *name);
const char *find(const struct td_msg *m, const char *text); /* where the message has it first; NULL: nowhere */
unsigned header_count(const struct td_msg *m, enum td_hdr_id id);

/* Answers a request as a UAS: Via, Record-Route, From, To (tag: the phone's user name), Call-ID, CSeq copied. extra: lines or "". */
void phone_answer(struct phone *p, const struct td_msg *req, unsigned status, const char *extra, const char *sdp);
void phone_refuse(struct phone *p, const struct td_msg *invite, unsigned status); /* and waits for the ACK */
void phone_cancelled(struct phone *p, const struct td_msg *invite);    /* waits for the CANCEL, says 487, waits for the ACK */
void put_crlf(struct td_out *o, const char *text);                     /* each "\n" as CR LF */
const char *phone_host(char out[TD_ADDR_TEXT], const struct phone *p); /* as its Via and Contact name it */
const char *contact_of(const struct phone *p);                         /* "<sip:user@ip:port;transport=…>" */

/* ---- a side of a call ---- */

struct leg {
	struct phone *p;
	char call_id[64], local[160], remote[256], target[256], routes[1024], branch[64];
	unsigned cseq, invite_cseq;
	char invite_branch[64];
};

/* A caller's leg: From user@domain with a new tag. to: "sip:bob@example.test". */
void leg_new(struct leg *l, struct phone *p, const char *domain, const char *to);
/* Sends a request of this leg. New CSeq and branch, except for ACK (CSeq of the INVITE) and CANCEL (and its branch). */
void leg_send(struct leg *l, const char *method, const char *extra, const char *body);
/* Target, route set and remote tag from a response with a To tag. */
void leg_learn(struct leg *l, const struct td_msg *response);
/* The callee's leg of a request it received. */
void leg_of_request(struct leg *l, struct phone *p, const struct td_msg *req);
/* Sends it, answering a challenge if one comes; returns the first response that is none (100 is passed over). */
struct td_msg *leg_do(struct leg *l, const char *method, const char *extra, const char *body);
/* Sends it, is challenged with 407, and sends it again with the answer to that. */
void leg_send_proved(struct leg *l, const char *method, const char *extra, const char *body);
/* The ACK for a 300-699 (§17.1.1.3): same branch and target, To as in the response, one Via. */
void leg_ack_refusal(struct leg *l, const struct td_msg *response);
/* b answers the INVITE of this leg with 200 and gets the ACK. */
void leg_up(struct leg *caller, struct phone *b, const struct td_msg *invite);
/* INVITE … 200 with ACK; *callee gets its leg. */
void leg_through(struct leg *caller, struct leg *callee, struct phone *b);
/* The same where the server has state and asks for a password if the caller has one: 100 comes, and a 407 is answered. */
void call_up(struct leg *caller, struct leg *callee, struct phone *b);
/* BYE, answered with 200. */
void leg_hang_up(struct leg *by, struct phone *other);
/* REGISTER for user@domain with the phone's own Contact; fails unless 200 comes. */
void phone_register(struct phone *p, const char *domain);
/* REGISTER of an address ("sip:bob@any.test") with these lines, Contact among them; no password. Fails unless 200 comes. */
void phone_registers(struct phone *p, const char *aor, const char *lines);
/* A request as user@example.test, the challenge answered if the phone has a password: the status that comes. */
unsigned phone_ask(struct phone *p, const char *method, const char *uri, const char *extra);

/* ---- tests by workers ---- */

extern unsigned workers_now;
/* Runs all of them with one worker and with three: they open their worlds with workers_now. */
int run_by_workers(const struct CMUnitTest *tests, size_t n);
#define RUN_BY_WORKERS(tests) run_by_workers((tests), TD_ARRAY_LEN(tests))

#define SDP "v=0\r\no=- 1 1 IN IP4 10.0.1.1\r\ns=-\r\nc=IN IP4 10.0.1.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"

#endif
