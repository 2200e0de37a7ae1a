#ifndef TANDEM_SERVER_CONFIG_INTERNAL_H
#define TANDEM_SERVER_CONFIG_INTERNAL_H

#include <cyaml/cyaml.h>
#include <yaml.h>

#include "server/config/config.h"

/* What libcyaml reads: the file as written, nothing interpreted. Pointers are NULL where a key is absent. */
struct raw_domain {
	char *name;
	char *users;
	char *mode;
	char *fork;
	char *ring_time;
	char *recurse;
	char *service_route;
};

struct raw_ring {
	char *number;
	char **to;
	unsigned to_count;
	char *timeout;
	char **then;
	unsigned then_count;
};

struct raw_registrar {
	char *min_expires, *default_expires, *max_expires;
	uint32_t *max_contacts;
};

struct raw_proxy {
	char *timer_c;
	uint32_t *max_branches, *max_pending;
	char *failover;
};

struct raw_calls {
	char *track, *records;
	uint32_t *per_user;
	char *longest, *keep;
};

struct raw_limits {
	uint32_t *rate, *burst, *max_message, *connections_per_source;
};

struct raw_guard {
	char **allow;
	unsigned allow_count;
	uint32_t *tries;
	char *ban;
};

struct raw_trace {
	uint32_t *memory;
	char *hep;
};

struct raw_web {
	char **origins;
	unsigned origins_count;
};

struct raw_site {
	char *name, *certificate, *key;
};

struct raw_tls {
	char *certificate, *key;
	struct raw_site *domains;
	unsigned domains_count;
	char *ca, *clients;
	char **require_clients;
	unsigned require_clients_count;
};

struct raw_dns {
	char **servers;
	unsigned servers_count;
	char *timeout;
};

struct raw_push {
	char *url;
	char **providers;
	unsigned providers_count;
	char *wait;
};

struct raw_config {
	struct raw_domain *domains;
	unsigned domains_count;
	struct raw_ring *ring;
	unsigned ring_count;
	char **listen;
	unsigned listen_count;
	char *state;
	char *user;
	char *sandbox;
	uint32_t *workers;
	char *registrations;
	char **trust;
	unsigned trust_count;
	char **digest;
	unsigned digest_count;
	char *nonce_lifetime;
	struct raw_registrar *registrar;
	struct raw_proxy *proxy;
	struct raw_calls *calls;
	struct raw_limits *limits;
	struct raw_guard *guard;
	struct raw_trace *trace;
	struct raw_web *web;
	struct raw_tls *tls;
	struct raw_dns *dns;
	struct raw_push *push;
	char *relay;
	char *log;
};

extern const cyaml_schema_value_t config_schema;

/* ---- where things stand in the file (position.c) ---- */

struct position {
	yaml_document_t doc;
	bool loaded;
};

int position_open(struct position *p, struct td_str yaml);
void position_close(struct position *p);
/* Line and column of the value at a path such as { "listen", "1" } (numbers index sequences); 1:1 when it is not there. */
void position_of(const struct position *p, const char *const *path, unsigned n, size_t *line, size_t *column);
/* First key the schema does not know. True when there is one; `known` gets the keys it could have been. */
bool position_unknown_key(const struct position *p, const cyaml_schema_value_t *schema, struct td_str *key, size_t *line,
			  size_t *column, struct td_out *known);

/* ---- errors: collected, all of a file at once ---- */

struct report {
	struct td_out *out;
	struct td_str file;
	const struct position *pos;
	unsigned count;
};

/* "FILE:LINE:COLUMN: what" for the value at path. */
__attribute__((format(printf, 4, 5))) void report_at(struct report *r, const char *const *path, unsigned n, const char *fmt, ...);

#define AT(...) (const char *const[]){ __VA_ARGS__ }, sizeof((const char *[]){ __VA_ARGS__ }) / sizeof(char *)

/* ---- raw to checked (check.c) ---- */

enum { RING_TIME_S = 15, RING_TIMEOUT_S = 20 };
void check_duration(uint32_t *out, const char *z, uint32_t least, struct report *r, const char *const *path, unsigned n);
/* ring.c */
int config_check_ring(struct td_config *c, const struct raw_config *raw, struct report *r);
void config_put_ring(struct td_out *o, const struct td_config *c);

/* c has its defaults; whatever the file says replaces them. Problems go to r; -ENOMEM. */
int config_check(struct td_config *c, const struct raw_config *raw, struct report *r);
int config_check_web(struct td_config *c, const struct raw_web *raw, struct report *r);
int config_check_push(struct td_config *c, const struct raw_push *raw, struct report *r);
void config_put_push(struct td_out *o, const struct td_config *c);                      /* nothing, when nobody is told */
int config_check_tls(struct td_config *c, const struct raw_tls *raw, struct report *r); /* tls.c; after listen; raw may be NULL */
/* s as it stands in the file, from where the file is; with a terminator behind it. */
int config_path(struct td_str *out, struct td_config *c, const struct report *r, struct td_str s);
int config_word(const char *z, const char *const *words, struct report *r, const char *const *path, unsigned n);
bool config_has_control(struct td_str s);
int config_listen_parse(struct td_listen *out, struct td_str s); /* "udp:HOST[:PORT]"; v6 in brackets */
int config_defaults(struct td_config *c);                        /* everything but domains, listen and state */
/* dns.c */
void config_check_dns(struct td_config *c, const struct raw_dns *raw, struct report *r);

/* what the checks of single values share (check.c) */
void check_duration(uint32_t *out, const char *z, uint32_t least, struct report *r, const char *const *path, unsigned n);

int config_default_domain(struct td_config *c);
int config_default_listen(struct td_config *c);
int config_default_state(struct td_config *c);

#endif
