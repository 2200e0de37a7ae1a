/*
 * sipload: a SIP load generator, UAC and UAS in one single-threaded process (epoll, recvmmsg, sendmmsg).
 *
 * It keeps the behaviour of RFC 3261 clients and servers on the wire: T1/T2 retransmission and 64*T1 timeouts on UDP, ACK
 * for every final response to INVITE, 2xx repeated until the ACK, route sets taken from Record-Route, requests inside a
 * dialog sent to the remote target. Every answer is checked; a failed check counts in "verify_errors" and the first few
 * are printed. The result is one JSON object on stdout.
 *
 * An operation (struct op) is one slot of the window: its number and its generation stand in the branch, the From tag and
 * the Call-ID of everything it sends, so that a packet finds its operation without a table.
 */
#ifndef SIPLOAD_H
#define SIPLOAD_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MS 1000000ull
#define SEC 1000000000ull

__attribute__((noreturn, format(printf, 1, 2))) void die(const char *fmt, ...);

static inline uint64_t clock_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * SEC + (uint64_t)ts.tv_nsec;
}

/* ---- text: views, and writing behind a moving pointer ---- */

struct str {
	const char *p;
	int n;
};

static const char HEX_DIGITS[] = "0123456789abcdef";

static inline char *put_mem(char *o, const void *s, int n)
{
	memcpy(o, s, (size_t)n);
	return o + n;
}

#define PUT(o, lit) put_mem((o), lit, (int)sizeof(lit) - 1)

static inline char *put_str(char *o, struct str s)
{
	return put_mem(o, s.p, s.n);
}

static inline char *put_u32(char *o, uint32_t v)
{
	char t[12];
	int n = 0;

	do {
		t[n++] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	while (n)
		*o++ = t[--n];
	return o;
}

static inline char *put_dec8(char *o, uint32_t v)
{
	for (int i = 7; i >= 0; i--) {
		o[i] = (char)('0' + v % 10);
		v /= 10;
	}
	return o + 8;
}

static inline char *put_hex8(char *o, uint32_t v)
{
	for (int i = 7; i >= 0; i--) {
		o[i] = HEX_DIGITS[v & 15];
		v >>= 4;
	}
	return o + 8;
}

static inline int get_hex8(const char *p, uint32_t *v)
{
	uint32_t x = 0;

	for (int i = 0; i < 8; i++) {
		int c = p[i], d;
		if (c >= '0' && c <= '9')
			d = c - '0';
		else if (c >= 'a' && c <= 'f')
			d = c - 'a' + 10;
		else
			return 0;
		x = x << 4 | (uint32_t)d;
	}
	*v = x;
	return 1;
}

static inline int streq(struct str a, const char *b, int n)
{
	return a.n == n && !memcmp(a.p, b, (size_t)n);
}

/* ---- hist.c, hash.c ---- */

struct hist {
	uint64_t n, max, sum;
	uint32_t b[64 * 32];
};

void hist_add(struct hist *h, uint64_t ns);
double hist_us(const struct hist *h, double q);
/* Text to lower-case hex; returns the length of the hex. */
int hash_hex(int sha, const char *t, int n, char *hex);

/* ---- parse.c ---- */

enum { M_OTHER, M_INVITE, M_ACK, M_BYE, M_CANCEL, M_OPTIONS, M_REGISTER, M_MESSAGE };
extern const char *const method_name[];
extern const int method_len[];

#define MAX_HEADERS 24
struct msg {
	int is_req, method, status, cseq_m, nvia, nvial, nrr, nroute, clen, maxfwd, has_contact;
	uint32_t cseq;
	struct str ruri, vial[MAX_HEADERS], rr[MAX_HEADERS], rrl[MAX_HEADERS]; /* vial, rrl: whole lines */
	struct str from, to, ftag, ttag, callid, cseqv, contact, branch, auth, body, via1;
};

/* False: no SIP message. */
int parse(const char *b, int len, struct msg *m);
struct str addr_uri(struct str v); /* the URI of a name-addr or addr-spec */

/* ---- options, counters, time ---- */

enum { C_REGISTER, C_CALL, C_OPTIONS, C_MESSAGE, C_MALFORMED, C_CONNECT, C_IDLE, CASES };
enum { T_UDP, T_TCP, T_TLS, T_WSS };

struct options {
	int test, transport, uac_n, uas_n, uac_port, uas_port, conns, bad_per, no180, expires, preauth, random;
	int direct, no_request, quiet, spin, contact_conn, srcs;
	uint32_t users, first, window, cseq;
	uint32_t in_flight; /* operations at a time; window: slots, which parked connections keep */
	uint64_t count, hold, answer, linger, abandon;
	double rate, duration;
	struct sockaddr_in srv;
	char local[32], domain[128], password[64], authuser[64], cert[256], key[256];
};

struct stats {
	uint64_t launched, ok, failed, timeouts, retx, uas_retx, rsp_retx_rx, req_retx_rx, verify, stray, unparsable;
	uint64_t send_drop, blocked, challenges, uas_invites, uas_acks, uas_byes, uas_messages, sent, received;
	uint64_t conn_fail, conn_lost, bad_sent, bad_replies;
	uint64_t code[700];
};

extern struct options opt;
extern struct stats stats;
extern struct hist lat_provisional, lat_final, lat_bye, lat_connect;
extern uint64_t now, first_at, last_at;
extern volatile sig_atomic_t stopping;

extern const char *const case_name[CASES];
extern const char *const transport_name[];
/* 0: go on; else the exit status + 1 */
int read_options(int argc, char **argv);
void report(double busy_s, double rate);

/* ---- flow.c, stream.c ---- */

enum { R_UAC, R_UAS, R_LISTEN };
enum { F_CONNECTING, F_HANDSHAKE, F_UPGRADE, F_UP, F_DEAD };

struct challenge { /* the last one of a flow, for --preauth */
	char text[1024];
	int n, proxy;
	uint32_t nc;
};

struct flow {
	int fd, stream, role, state, want_w, dirty, idx, accepted;
	uint32_t slot;
	char host[40]; /* "ip:port" we put in Via and Contact */
	int host_n;
	/* a batch of datagrams to send */
	struct mmsghdr *mh;
	struct iovec *iv;
	struct sockaddr_in *sa;
	int sn, connected;
	/* a stream */
	char *in, *out;
	int inlen, incap, outlen, outcap;
	SSL *ssl;
	uint64_t t0;
	struct challenge *challenge;
	struct flow *dnext;
};

extern int epoll_fd;
extern struct flow **uac_flow;
extern SSL_CTX *tls_client, *tls_server;

void ep_add(struct flow *f, uint32_t events);
void ep_mod(struct flow *f, uint32_t events);
void set_host(struct flow *f, const struct sockaddr_in *a);
struct flow *udp_flow(int role, int port, int idx, int connect_it);
/* Datagrams: buf stays valid until the next flush. */
void flow_send(struct flow *f, const struct sockaddr_in *to, char *buf, int n);
void flush_all(void);
struct flow *stream_connect(uint32_t slot, int nth);
struct flow *tcp_listener(int port);
void stream_flush(struct flow *f);
void stream_event(struct flow *f, uint32_t events);
void flow_close(struct flow *f);
void reap(void);

/* for stream.c and websocket.c */
void stream_put(struct flow *f, const char *bytes, int n);
void stream_mark(struct flow *f); /* goes out at the end of the turn */

/* ---- websocket.c ---- */

void ws_upgrade(struct flow *f);
int ws_upgraded(const char *b, int n);
int ws_head(char head[14], int n); /* of a message of n bytes, less than 64 KiB; its length */
int ws_frame(const char *b, int n, int *skip);

/* ---- operations ---- */

enum { ST_FREE, ST_CONN, ST_TRY, ST_PROC, ST_HOLD, ST_BYE, ST_PARKED };
enum { U_NONE, U_RING, U_OKSENT, U_CONF, U_DONE };

struct op {
	uint32_t gen, user, cseq, inv_cseq, br, inv_br, iv; /* br: number of the branch; iv: timer, ms */
	uint8_t st, ust, tries;                             /* ust: state of the UAS half */
	int method;
	struct flow *f, *uf;
	uint64_t t0, tb, dead, udead;
	uint32_t uiv, ucseq;
	struct sockaddr_in dst, udst;
	int reqn, ackn, r1n, r2n, cidn, rtagn, tgtn, routen, ubrn;
	char cid[64], rtag[128], tgt[200], ubr[160];
	char route[900];
	char req[2048], ack[1600], r1[1600], r2[2048]; /* r1: 180 or the 200 to BYE; r2: 200 to INVITE */
};

struct fifo_e {
	uint64_t t;
	uint32_t slot, gen;
};

struct fifo {
	struct fifo_e *e;
	uint32_t cap, h, n;
};

extern struct op *ops;
extern uint64_t *uac_due, *uas_due; /* next timer event of each half, by slot; 0: none */
extern uint32_t *free_slot, free_n, inflight;
extern struct fifo holding, answering;

void check_failed(const char *what, const char *b, int n);

/* request.c, auth.c */
#define SDP_BODY                                                                                      \
	"v=0\r\no=- 3890765423 3890765423 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n" \
	"m=audio 49170 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n"           \
	"a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=sendrecv\r\n"
#define TEXT_BODY "Hello, this is a pager-mode message of usual size."
extern const char *const uri_transport[];
char *user_of(char *o, uint32_t u);
char *aor(char *o, uint32_t u);
char *contact_uri(char *o, uint32_t u, struct flow *f);
char *from_tag(char *o, struct op *x);
void build_req(struct op *x, const char *auth, int authn);
int build_indialog(struct op *x, char *buf, int m, uint32_t cseq, uint32_t br);
void ack_failure(struct op *x, const struct msg *r);
int build_auth(struct op *x, char *out, struct str ch, int proxy, uint32_t nc);

/* uac.c, uas.c, malformed.c, timers.c */
void launch(void);
void first_request(struct op *x);
void finish(struct op *x, int ok);
void send_bye(struct op *x);
void on_response(struct flow *f, const struct msg *m, const char *b, int n);
void uas_answer(struct op *x);
void on_request(struct flow *f, const struct msg *m, const char *b, int n, const struct sockaddr_in *src);
void on_packet(struct flow *f, const char *b, int n, const struct sockaddr_in *src);
void make_bad(void);
void send_bad(struct op *x);
void fifo_push(struct fifo *q, uint64_t t, uint32_t slot, uint32_t gen);
void timers(void);
void run_waiting(void); /* the holds and answers whose time has come */

#endif
