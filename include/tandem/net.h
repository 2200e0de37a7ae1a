/*
 * net: bytes. Addresses, UDP in batches, TCP with bounded output. A td_net is a loop's view of the network: the real
 * one, or a host on a simulated wire (td_wire) that loses, repeats, delays and reorders under the simulation's seed. And names:
 * a DNS client with a cache of its own.
 */
#ifndef TANDEM_NET_H
#define TANDEM_NET_H

#include <tandem/loop.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- addresses ---- */

enum { TD_AF_NONE = 0, TD_AF_V4 = 4, TD_AF_V6 = 6 };

struct td_addr {
	uint8_t ip[16]; /* network order; the first 4 for v4. v4-mapped v6 is turned into v4 */
	uint16_t port;  /* host order */
	uint8_t family;
	uint8_t pad;
	uint32_t scope; /* of link-local v6 */
};

struct sockaddr_storage;
int td_ip_parse(struct td_addr *out, struct td_str host);      /* "192.0.2.1", "2001:db8::1", "[2001:db8::1]"; port 0 */
int td_addr_parse(struct td_addr *out, struct td_str text);    /* "HOST:PORT", "[V6]:PORT" */
void td_ip_print(struct td_out *o, const struct td_addr *a);   /* without port; no brackets */
void td_addr_print(struct td_out *o, const struct td_addr *a); /* "192.0.2.1:5060", "[2001:db8::1]:5060" */
#define TD_ADDR_TEXT 64
const char *td_addr_text(char out[TD_ADDR_TEXT], const struct td_addr *a);
bool td_ip_eq(const struct td_addr *a, const struct td_addr *b);
bool td_addr_eq(const struct td_addr *a, const struct td_addr *b);
uint64_t td_addr_hash(const struct td_hash_key *k, const struct td_addr *a);
bool td_ip_is_loopback(const struct td_addr *a);
bool td_ip_is_any(const struct td_addr *a);
bool td_ip_is_multicast(const struct td_addr *a); /* and v4 broadcast */
bool td_ip_is_link_local(const struct td_addr *a);
bool td_ip_in(const struct td_addr *a, const struct td_addr *net, unsigned prefix_bits);
int td_addr_from_sockaddr(struct td_addr *out, const struct sockaddr_storage *ss);
unsigned td_addr_to_sockaddr(struct sockaddr_storage *ss, const struct td_addr *a); /* returns the length */

/* ---- the network of a loop ---- */

struct td_net;

int td_net_open(struct td_net **out, struct td_loop *loop); /* the real one */
/* After its sockets, before its loop, and not within their callbacks. Drops connections that still linger. */
void td_net_close(struct td_net *net);
struct td_loop *td_net_loop(struct td_net *net);
/* Our own address that packets to peer would leave by; port 0. The real network only. */
int td_net_source_for(struct td_addr *out, const struct td_addr *peer);
/* Is this address ours alone to bind? Sockets that share a port among threads would share it with a stranger as silently.
 * 0; -EADDRINUSE; -EADDRNOTAVAIL: this machine has no such address. The real network only. */
int td_net_probe(const struct td_addr *local, bool stream);
/* The same on either network. An address is ours when it is its own source. */
int td_net_source(struct td_addr *out, struct td_net *net, const struct td_addr *peer);

/* ---- UDP ---- */

struct td_udp;

/* One datagram. buf holds exactly its bytes and is counted: td_buf_ref() it to keep it. from is borrowed. */
typedef void td_udp_recv_fn(struct td_udp *udp, struct td_buf *buf, const struct td_addr *from, void *arg);

struct td_udp_stats {
	uint64_t received, sent;
	uint64_t send_errors; /* refused by td_udp_send(), or by the kernel: only that datagram is lost */
	uint64_t empty;       /* datagrams without a byte: counted, not delivered */
	uint64_t dropped;     /* came while memory was out */
};

enum { TD_UDP_REUSEPORT = 1 };

/* local: port 0 picks one. Datagrams up to 65,535 bytes; read in batches, delivered one by one. */
int td_udp_open(struct td_udp **out, struct td_net *net, const struct td_addr *local, unsigned flags, td_udp_recv_fn *fn,
		void *arg);
void td_udp_close(struct td_udp *udp); /* sends what is queued; safe in its own callback */
/* fn is called after the last datagram of each batch, with td_udp_open()'s arg. Until then, who put datagrams off may keep their buffers:
 * those let go of by its end serve the next batch. */
typedef void td_udp_pause_fn(struct td_udp *udp, void *arg);
void td_udp_on_pause(struct td_udp *udp, td_udp_pause_fn *fn);
/* From then on fn is told of what the kernel hears about datagrams sent (ICMP): nobody listens at `to`, or it cannot be reached. -errno:
 * -ECONNREFUSED, -EHOSTUNREACH, -ENETUNREACH. Of many datagrams to one address it may be told once. A simulated wire says nothing. */
typedef void td_udp_refused_fn(struct td_udp *udp, const struct td_addr *to, int err, void *arg);
void td_udp_on_refused(struct td_udp *udp, td_udp_refused_fn *fn);
const struct td_addr *td_udp_local(const struct td_udp *udp);
/*
 * Queues; leaves with the others of this turn in one sendmmsg. buf is kept (counted) until then.
 * 0, -ENOMEM, -EAFNOSUPPORT (v6 from a v4 socket), TD_ELIMIT while the kernel takes no more and thousands wait.
 */
int td_udp_send(struct td_udp *udp, const struct td_addr *to, struct td_buf *buf);
const struct td_udp_stats *td_udp_stats(const struct td_udp *udp);

/* ---- TCP ---- */

struct td_conn;

struct td_conn_events {
	void (*connected)(struct td_conn *c, void *arg); /* may be NULL */
	/* bytes is borrowed. Not called again before it returns. */
	void (*data)(struct td_conn *c, struct td_str bytes, void *arg);
	void (*drained)(struct td_conn *c, void *arg); /* the output queue became empty; may be NULL */
	/*
	 * Once. 0: the peer closed its half; what we send still goes (td_conn_shutdown() writes the rest). Otherwise
	 * nothing goes any more. The connection stays the owner's until td_conn_close() or td_conn_shutdown().
	 */
	void (*closed)(struct td_conn *c, int err, void *arg);
};

struct td_listener;
/* A new connection; call td_conn_handle() on it or td_conn_close() it before returning. */
typedef void td_accept_fn(struct td_listener *l, struct td_conn *c, void *arg);

/* flags: TD_UDP_REUSEPORT, here as well: the kernel spreads new connections over the listeners that share the port. */
int td_listener_open(struct td_listener **out, struct td_net *net, const struct td_addr *local, unsigned flags, td_accept_fn *fn,
		     void *arg);
/* From now on no td_conn is made of what connects: its descriptor (non-blocking, closed by exec) is handed over, for a library with
 * sockets of its own. The real network only. */
typedef void td_accept_fd_fn(struct td_listener *l, int fd, const struct td_addr *peer, void *arg);
void td_listener_on_fd(struct td_listener *l, td_accept_fd_fn *fn);
void td_listener_close(struct td_listener *l);
const struct td_addr *td_listener_local(const struct td_listener *l);

/* Starts connecting; `connected` or `closed` follows from the loop. */
int td_conn_open(struct td_conn **out, struct td_net *net, const struct td_addr *remote, const struct td_conn_events *ev,
		 void *arg);
void td_conn_handle(struct td_conn *c, const struct td_conn_events *ev, void *arg);
/* Queues and writes at the end of the turn. buf kept (counted). TD_EFULL when more than the limit would wait; TD_ECLOSED. */
int td_conn_send(struct td_conn *c, struct td_buf *buf);
void td_conn_set_limit(struct td_conn *c, size_t max_queued_bytes); /* default 1 MiB */
size_t td_conn_queued(const struct td_conn *c);
const struct td_addr *td_conn_peer(const struct td_conn *c);
const struct td_addr *td_conn_local(const struct td_conn *c);
/* No callback after either; both are safe inside callbacks, and c is not the caller's any more. */
void td_conn_close(struct td_conn *c);    /* drops what is queued; freed at the end of the turn */
void td_conn_shutdown(struct td_conn *c); /* closes once the queue is written and the peer has seen it (at most 5 s) */

/*
 * ---- DNS: questions to name servers, never blocking, on either network ----
 *
 * Answers are kept for as long as they may be, those that there is nothing too (RFC 2308). Many who ask the same share one question. A
 * server that is slow, lies or says too much costs a bounded time and memory (T8).
 */

struct td_dns;

enum td_dns_type { TD_DNS_NONE = 0, TD_DNS_A = 1, TD_DNS_AAAA = 28, TD_DNS_SRV = 33, TD_DNS_NAPTR = 35 };
enum { TD_DNS_MAX_RECORDS = 32, TD_DNS_NAME_MAX = 253, TD_DNS_MAX_SERVERS = 8 };

struct td_str td_dns_type_name(enum td_dns_type type); /* "SRV" */

/* Names are in lower case, without the final dot; those that are no host or service names have been left out. */
struct td_dns_record {
	union {
		struct td_addr addr; /* A, AAAA; port 0 */
		struct {
			struct td_str target; /* empty: ".", the service is decidedly not there (RFC 2782) */
			uint16_t priority, weight, port;
		} srv;
		struct {
			struct td_str flags, service, replacement;
			uint16_t order, preference;
			bool regexp; /* it has one: of no use here, where only replacements are followed (RFC 3263 §4.1) */
		} naptr;
	};
};

struct td_dns_answer {
	/* 0: there are records; TD_ENOTFOUND: the servers say that there are none; TD_ETIMEOUT: no server answered; TD_EUNSUPPORTED: they
	 * refused or could not (REFUSED, SERVFAIL); TD_ESYNTAX: the name is none; TD_ELIMIT: aliases without an end, or too many
	 * questions at once; -ENOMEM */
	int err;
	unsigned rcode; /* what the last name server said (RFC 1035 §4.1.1); 3: there is no such name */
	unsigned n;
	const struct td_dns_record
		*records; /* SRV by priority, NAPTR by order and preference; at most TD_DNS_MAX_RECORDS, the first of these */
};

struct td_dns_options {
	const struct td_addr *servers; /* copied; none: those of the system (/etc/resolv.conf) */
	unsigned server_n;
	uint32_t timeout_ms; /* of a question in all; 0: 6000 */
	struct td_log *log;  /* kept; may be NULL */
};

/* net is kept. opt NULL: the system's servers. Before the net and its loop are closed: td_dns_close(), which calls nobody back. */
int td_dns_open(struct td_dns **out, struct td_net *net, const struct td_dns_options *opt);
void td_dns_close(struct td_dns *dns);
/* From the next question on. None: reads those of the system again. What is cached as a failure is forgotten. */
void td_dns_set_servers(struct td_dns *dns, const struct td_addr *servers, unsigned n);
void td_dns_set_timeout(struct td_dns *dns, uint32_t timeout_ms); /* of questions from now on */

struct td_dns_ask;
/* Once, from the loop. The answer is borrowed; the ask is gone. Closing or cancelling others, and asking more, is safe in it. */
typedef void td_dns_fn(void *arg, const struct td_dns_answer *answer);
/* 0, or -ENOMEM; everything else is an answer. name is borrowed for the call. */
int td_dns_ask(struct td_dns_ask **out, struct td_dns *dns, enum td_dns_type type, struct td_str name, td_dns_fn *fn, void *arg);
void td_dns_cancel(struct td_dns_ask *ask); /* no callback any more; the question itself goes on, for the cache */

struct td_dns_stats {
	uint64_t asked, cached, questions; /* questions: packets to servers */
	uint64_t timeouts, failures;       /* tries without an answer; answers of SERVFAIL and the like */
	uint64_t strange;                  /* packets that did not answer what was asked: spoofed, or lying (T8) */
	uint64_t entries, pending;         /* now */
};
const struct td_dns_stats *td_dns_stats(const struct td_dns *dns);

/*
 * ---- TLS (RFC 8446, RFC 5246; OpenSSL) ----
 *
 * A td_tls holds what we prove ourselves with and whom we believe. It does not change: who gets new certificates makes another one for
 * new connections, and those there are keep theirs. Counted; any thread may use it.
 */

struct td_tls;

/* PEM text, borrowed for the call. */
struct td_tls_identity {
	struct td_str name;        /* the domain it is shown for; the first identity is also shown to who asks for none we have */
	struct td_str certificate; /* its own first, then those that signed it */
	struct td_str key;
};

struct td_tls_options {
	const struct td_tls_identity *identities; /* none: it can only connect */
	unsigned identity_n;
	struct td_str ca; /* PEM: those whose signature we believe; empty: the system's */
	const uint8_t
		*pin; /* SHA-256 of the one certificate we believe, 32 bytes, whatever its names and dates say; NULL: none */
	struct td_tls *old; /* what it replaces, whose session tickets it still takes; borrowed; NULL: nothing */
};

/* What is wrong, in words, into why. TD_ESYNTAX: PEM that cannot be read, a key that does not fit its certificate; -ENOMEM. */
int td_tls_open(struct td_tls **out, const struct td_tls_options *opt, struct td_out *why);
struct td_tls *td_tls_ref(struct td_tls *t);
void td_tls_unref(struct td_tls *t); /* NULL is ignored */
bool td_tls_can_serve(const struct td_tls *t);

enum td_tls_clients {
	TD_TLS_CLIENTS_IGNORE, /* no certificate is asked for */
	TD_TLS_CLIENTS_ASK,    /* one that we do not believe proves nothing, and the connection stands */
	TD_TLS_CLIENTS_REQUIRE,
};

/*
 * Makes c a TLS connection; right after td_conn_open() and in the accept callback only. `connected` is called when the handshake is
 * over, on both sides; what was sent before waits for it. When it fails, `closed` says TD_ETLS, TD_ECERT or TD_ENAME and
 * td_conn_tls_why() says more. The caller limits how long it may take. tls is kept (counted). -ENOMEM, TD_EUNSUPPORTED: no certificate.
 */
int td_conn_tls_accept(struct td_conn *c, struct td_tls *tls, enum td_tls_clients clients);
/* host: the name or address that was asked for, before DNS had its say; the peer's certificate must bear it (RFC 5922 §7.3). TD_ESYNTAX. */
int td_conn_tls_connect(struct td_conn *c, struct td_tls *tls, struct td_str host);
bool td_conn_tls_ready(const struct td_conn *c);                 /* the handshake is over */
void td_conn_tls_why(struct td_out *o, const struct td_conn *c); /* in words; nothing when there is nothing to say */
/* The SIP domain identities that the peer has proved to have (RFC 5922 §7.1), a line each. Borrowed; NULL: none. */
struct td_buf *td_conn_tls_names(const struct td_conn *c);
bool td_tls_names_have(struct td_str names, struct td_str host);
/* host as it stands among such names: lower case, without the root's dot, numeric addresses in one form. TD_ESYNTAX: it is none. */
enum { TD_TLS_NAME = 256 };
int td_tls_name(char out[TD_TLS_NAME], struct td_str host);

/* ---- certificates as text ---- */

enum { TD_FINGERPRINT = 32 };
/* Of the first certificate in PEM text: SHA-256 over its DER form. TD_ESYNTAX, -ENOMEM. */
int td_cert_fingerprint(uint8_t out[TD_FINGERPRINT], struct td_str pem);
void td_fingerprint_print(struct td_out *o, const uint8_t fp[TD_FINGERPRINT]); /* "AB:CD:…" */
int td_fingerprint_parse(uint8_t out[TD_FINGERPRINT], struct td_str text);     /* with or without colons, any case */
/* Can we prove ourselves with them? TD_ESYNTAX with what is wrong, in words; -ENOMEM. */
int td_cert_check(struct td_out *why, struct td_str certificate, struct td_str key);
/* The names of a certificate as RFC 5922 §7.1 takes them, a line each, and the second since 1970 at which it ends. TD_ESYNTAX, -ENOMEM. */
int td_cert_read(struct td_out *names, uint64_t *ends_s, struct td_str pem);
/* A new key (ECDSA, P-256) and a certificate for it that it signs itself, for these domains and numeric addresses. */
int td_cert_make(struct td_out *certificate, struct td_out *key, const struct td_str *names, unsigned n, unsigned days);

/* ---- simulated wire ---- */

struct td_wire;

struct td_wire_rules {
	double loss, duplicate, reorder; /* probabilities per datagram, 0..1 */
	uint32_t delay_us, jitter_us;
	uint32_t stream_chunk; /* TCP arrives in pieces of at most this many bytes; 0: as sent */
	/* Last word on one datagram as it leaves; NULL: none. Returns false to drop it. Must not touch a socket. */
	bool (*filter)(void *arg, const struct td_addr *from, const struct td_addr *to, struct td_str bytes);
	void *arg;
};

int td_wire_open(struct td_wire **out, struct td_sim *sim);
void td_wire_close(struct td_wire *w); /* after its nets; the simulation must not run again after it */
void td_wire_rules(struct td_wire *w, const struct td_wire_rules *r);
/* A host with this address on the wire, its sockets on `loop`. Several nets may share one address (workers). */
int td_net_open_sim(struct td_net **out, struct td_loop *loop, struct td_wire *w, const struct td_addr *ip);
/* Unplugged hosts send and receive nothing. */
void td_net_unplug(struct td_net *net, bool unplugged);

#ifdef __cplusplus
}
#endif
#endif
