/*
 * Shared by the files of the DNS client:
 *
 *   dns.c          the cache: who asks, what is known, for how long
 *   dns_query.c    one question on its way: servers, tries, UDP and TCP, aliases
 *   dns_message.c  what a name server sends (RFC 1035 §4), read without trust
 *   dns_hosts.c    which words the hosts file has
 *   dns_system.c   what the system says: name servers, the hosts file, how a question is written (c-ares)
 *
 * c-ares has a resolver of its own, but with its own clock, sockets and randomness. Sending, waiting and matching are done here, so that
 * a simulation sees the same bytes at the same time for the same seed, and each question has a port of its own.
 */
#ifndef TANDEM_NET_DNS_H
#define TANDEM_NET_DNS_H

#include "internal.h"

#include <sys/stat.h>

enum {
	DNS_MAX_ENTRIES = 4096,
	DNS_MAX_PENDING = 256, /* questions on their way, each with a socket */
	DNS_MAX_HOPS = 8,      /* aliases (CNAME) in a row */
	DNS_MAX_SCAN = 256,    /* records of an answer that are looked at */
	DNS_MAX_MESSAGE = 16384,
	DNS_MAX_STRANGE = 16, /* packets that are no answer, until TCP is tried: nobody writes into that from afar */
	DNS_UDP_SIZE = 1232,  /* fits into any path without fragments */
	DNS_TTL_MAX_S = 86400,
	DNS_NEGATIVE_MAX_S =
		300,       /* RFC 2308 §5 allows hours; a name that was put right is to be found before somebody complains */
	DNS_FAILURE_S = 5, /* RFC 2308 §7: at most 5 minutes */
	DNS_HOSTS_S = 30,
	DNS_TRY_MS = 1000,
	DNS_TRY_MAX_MS = 2000,
	DNS_SERVER_REST_MS = 30000, /* one that did not answer is asked last for so long */
	DNS_TIMEOUT_MS = 6000,
};

/* ---- messages ---- */

struct dns_name {
	char text[TD_DNS_NAME_MAX + 1]; /* no terminator is promised */
	uint8_t n;
};

/* A name as asked: lower case, no final dot. TD_ESYNTAX. */
int dns_name_from(struct dns_name *out, struct td_str text);

static inline struct td_str dns_name_str(const struct dns_name *name)
{
	return td_str_n(name->text, name->n);
}

struct dns_reply {
	unsigned rcode;
	bool truncated;
	struct dns_name alias; /* n > 0: the name is an alias of this one, about which the message says nothing */
	unsigned hops;         /* aliases followed */
	uint32_t ttl_s;        /* the least of all that lead to the records; of an absence, 0 when it may not be kept */
	unsigned n;
	struct td_dns_record *records; /* in the arena */
};

/* 0; TD_ENOTFOUND: it does not answer this question; TD_ESYNTAX; -ENOMEM. */
int dns_reply_parse(struct dns_reply *out, struct td_arena *a, struct td_str bytes, uint16_t id, const struct dns_name *name,
		    enum td_dns_type type);

/* ---- system ---- */

/* dns_hosts.c: zeroed at first. */
struct dns_hosts {
	uint64_t *words; /* a hash of each, in order */
	size_t n;
	struct stat then; /* as the file was when it was read */
	bool known;       /* false: it could not be read, and may have any */
	unsigned reads;
};

/* False: that file does not have the name. It is read again only when it has changed. */
bool dns_hosts_may_have(struct dns_hosts *h, const char *path, struct td_str name);
void dns_hosts_free(struct dns_hosts *h);

struct dns_system;

int dns_system_open(struct dns_system **out);
void dns_system_close(struct dns_system *s);
unsigned dns_system_servers(struct dns_system *s, struct td_addr *out, unsigned max);
/* Addresses of that name in the hosts file. 0 when there are none. */
unsigned dns_system_hosts(struct dns_system *s, struct td_addr *out, unsigned max, const struct dns_name *name,
			  enum td_dns_type type);
/* A question as it is sent. NULL: no memory. */
struct td_buf *dns_question(uint16_t id, const struct dns_name *name, enum td_dns_type type, bool edns);

/* ---- questions ---- */

struct dns_server {
	struct td_addr addr;
	uint64_t rests_until_ms; /* it did not answer; only an answer of its own ends this earlier */
};

struct dns_query {
	struct dns_entry *entry;
	struct dns_name name; /* of the entry, or what that is an alias of */
	unsigned hops, tries, server;
	uint64_t deadline_ms;
	uint32_t alias_ttl_s;
	int err; /* of the last try */
	uint16_t id;
	unsigned rcode; /* of the last answer */
	bool edns;
	unsigned strange;
	struct td_timer timer;
	struct td_udp *udp;
	struct td_conn *conn;
	char *stream; /* what came by TCP: two bytes of length and the message */
	size_t stream_n;
};

int dns_query_start(struct dns_entry *e);
void dns_query_end(struct dns_query *q); /* without an answer */

/* ---- the cache ---- */

struct td_dns {
	struct td_net *net;
	struct td_loop *loop;
	struct td_log *log;
	struct dns_system *system; /* NULL: in a simulation */
	struct dns_server servers[TD_DNS_MAX_SERVERS];
	unsigned server_n;
	uint32_t timeout_ms;
	struct td_map entries;
	struct td_hash_key key;
	struct td_link lru;     /* the longest unused first */
	struct td_link refused; /* asks whose answer is an error and that belong to no entry */
	struct td_dns_stats stats;
};

struct dns_entry {
	struct td_map_node node;
	struct td_link lru;
	struct td_dns *dns;
	enum td_dns_type type;
	struct dns_name name;
	struct td_link asks;
	struct td_defer deliver;
	bool delivering;
	struct dns_query *query; /* NULL: answered */
	uint64_t until_ms;       /* what is known is good before then */
	struct td_dns_answer answer;
	struct td_arena arena; /* of the records */
};

/* The answer is there: its records in an arena that is taken over, or an error. */
void dns_entry_answer(struct dns_entry *e, int err, unsigned rcode, struct dns_reply *reply, struct td_arena *arena,
		      uint32_t ttl_s);

#endif
