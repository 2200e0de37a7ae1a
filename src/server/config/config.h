/*
 * server/config: the configuration as one immutable value. Read from YAML (libcyaml), checked whole; a wrong file is refused
 * with line, column and a hint, and the value in use stays. Every field has a default; what is not said is safe.
 */
#ifndef TANDEM_SERVER_CONFIG_H
#define TANDEM_SERVER_CONFIG_H

#include <tandem/auth.h>
#include <tandem/transport.h>

enum td_domain_users { TD_USERS_LOCAL, TD_USERS_ANY }; /* any: whoever a source under trust vouches for */
/* stateless: forwarded without transactions (§16.11); redirect: answered with where they are (§8.3) */
enum td_domain_mode { TD_MODE_PROXY, TD_MODE_STATELESS, TD_MODE_REDIRECT };
enum td_fork { TD_FORK_PARALLEL, TD_FORK_SERIAL }; /* serial: by q, the next group when one did not answer */
enum td_relay { TD_RELAY_NONE, TD_RELAY_USERS };   /* users: who authenticated here may reach other domains */
enum td_registrations { TD_REG_DURABLE, TD_REG_MEMORY };

struct td_domain {
	struct td_str name; /* lower case */
	enum td_domain_users users;
	enum td_domain_mode mode;
	enum td_fork fork;
	uint32_t ring_time_s;        /* serial: how long a group rings: 15 */
	bool recurse;                /* redirections of a callee are followed where that is safe: yes */
	struct td_str service_route; /* values of Service-Route for who registers (RFC 3608); empty: none */
};

/* What a number or name reaches beside users called so. */
struct td_ring {
	struct td_str name;       /* as in an address of record; of a number its digits */
	struct td_str domain;     /* p NULL: any of ours, for a number with "+" */
	struct td_str *to, *then; /* addresses of record: those who ring, and those who do when nobody answered for timeout_s */
	unsigned to_n, then_n;
	uint32_t timeout_s;
};

struct td_listen {
	enum td_proto proto;
	struct td_addr addr;
	enum td_tls_clients clients; /* TLS: what is asked of those who connect */
};

/* A certificate as it was read: paths, and PEM text. */
struct td_site {
	struct td_str name; /* the domain it is for, lower case; empty: who asks for none of the others */
	struct td_str certificate_file, key_file;
	struct td_str certificate, key;
};

struct td_prefix {
	struct td_addr net;
	unsigned bits;
};

struct td_config {
	_Atomic uint32_t refs;
	struct td_arena arena;     /* owns every view and array below */
	struct td_str file;        /* where it came from; empty: the embedded default */
	struct td_domain *domains; /* the first is the default: requests to our bare address mean it */
	unsigned domain_n;
	unsigned service_routes; /* domains that have one */
	struct td_ring *ring;    /* sorted by name */
	unsigned ring_n;
	struct td_listen *listen;
	unsigned listen_n;
	struct td_str state; /* folder */
	bool sandbox;        /* it may write below state alone, and execute nothing: yes */
	struct td_str user;  /* whom a server that root starts becomes; empty: nobody */
	unsigned workers;
	enum td_registrations registrations;
	struct td_prefix *trust;
	unsigned trust_n;
	unsigned digest_algs;      /* bits 1 << enum td_digest_alg; default SHA-256 and MD5 */
	uint32_t nonce_lifetime_s; /* 300 */
	struct {
		uint32_t min_expires_s, default_expires_s, max_expires_s; /* 60, 3600, 7200 */
		uint32_t max_contacts;                                    /* 10 (A11) */
	} registrar;
	struct {
		uint32_t timer_c_s;    /* 180 at least (§16.6 step 11) */
		uint32_t max_branches; /* of one request: 30 */
		uint32_t max_pending;  /* calls being set up per source: 1000 (D7) */
		uint32_t failover_s;   /* a target silent for so long is not waited for alone: 3 */
	} proxy;
	struct {
		bool track;         /* calls are known from INVITE to BYE: yes */
		bool records;       /* a row in the store for each that ended: yes */
		uint32_t per_user;  /* calls of one user at a time, made and received: 0, any number */
		uint32_t longest_s; /* a call is not tracked any longer: 43,200 */
		uint32_t keep_s;    /* and its record is not kept any longer after its end: 90 days */
	} calls;
	struct {
		uint32_t rate, burst;      /* requests a second per source address that is not under trust: 1000, 2000 */
		uint32_t max_message;      /* 65,536 */
		uint32_t conns_per_source; /* 256 */
	} limits;
	struct {
		struct td_prefix *allow; /* never banned; they are asked for passwords as others are */
		unsigned allow_n;
		uint32_t tries; /* wrong passwords in a row that a source is banned for: 20; 0: none is */
		uint32_t ban_s; /* how long, the first time: 600 */
	} guard;
	struct {
		uint32_t memory_bytes; /* of each worker, for what happened last: 1 MiB */
		struct td_addr hep;    /* messages go there as HEP3, by UDP; family TD_AF_NONE: nowhere */
	} trace;
	struct {
		struct td_str
			*origins; /* of pages that may open a WebSocket, as browsers write them; none: those we could serve */
		unsigned origin_n;
	} web;
	struct {
		struct td_site *sites; /* the one without a name first; when there is none, server/certs makes it */
		unsigned site_n;
		struct td_str ca_file, ca; /* those whose signature is believed; empty: the system's */
		enum td_tls_clients clients;
	} tls;
	struct {
		struct td_addr servers[TD_DNS_MAX_SERVERS]; /* none: the system's */
		unsigned server_n;
		uint32_t timeout_s; /* of one question in all: 6 */
	} dns;
	struct {
		struct td_str url;        /* who is told that a phone is to be woken (RFC 8599); empty: nobody */
		struct td_str host, path; /* of it; the path with all that follows */
		uint16_t port;
		bool secure;
		struct td_str *providers; /* kinds of push service that it knows; none: any */
		unsigned provider_n;
		uint32_t wait_s; /* a request is kept for the phone so long: 20 */
	} push;
	enum td_relay relay;
	enum td_log_level log_level;
};

/* Text of one problem: "tandem.yaml:41:7: listen: \"udp:10.0.0.300\" is no address (want udp:HOST[:PORT])\n" lines, into errors. */
int td_config_load(struct td_config **out, struct td_out *errors, struct td_str path);
int td_config_parse(struct td_config **out, struct td_out *errors, struct td_str name, struct td_str yaml);
/* The embedded default: domain from the host's name or "localhost", loopback only, state under the user's state folder. */
int td_config_default(struct td_config **out, struct td_out *errors);
void td_config_print(struct td_out *o, const struct td_config *c); /* as YAML, everything named (--check --effective) */
struct td_config *td_config_ref(struct td_config *c);
void td_config_unref(struct td_config *c);
/* NULL when host is none of ours (name compare; case-insensitive). */
const struct td_domain *td_config_domain(const struct td_config *c, struct td_str host);
/* name: a user part as td_uri_aor() writes it; domain: one of ours. NULL: nothing is said of it. */
const struct td_ring *td_config_ring(const struct td_config *c, struct td_str name, struct td_str domain);
bool td_config_trusts(const struct td_config *c, const struct td_addr *source);
bool td_config_allows(const struct td_config *c, const struct td_addr *source); /* guard.allow */

#endif
