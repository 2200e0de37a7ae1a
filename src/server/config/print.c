/* The configuration in use, in full, as YAML that reads back to the same (tandem serve --check --effective). */
#include "internal.h"

static void put_text(struct td_out *o, struct td_str s)
{
	td_out_char(o, '"');
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"' || s.p[i] == '\\')
			td_out_char(o, '\\');
		td_out_char(o, s.p[i]);
	}
	td_out_z(o, "\"\n");
}

static void put_domains(struct td_out *o, const struct td_config *c)
{
	static const char *const modes[] = { "proxy", "stateless", "redirect" };

	td_out_z(o, "domains:\n");
	for (unsigned i = 0; i < c->domain_n; i++) {
		const struct td_domain *d = &c->domains[i];

		td_out_fmt(o,
			   "  - name: \"%.*s\"\n    users: %s\n    mode: %s\n    fork: %s\n    ring_time: %us\n    recurse: %s\n",
			   TD_FMT(d->name), d->users == TD_USERS_ANY ? "any" : "local", modes[d->mode],
			   d->fork == TD_FORK_SERIAL ? "serial" : "parallel", d->ring_time_s, d->recurse ? "yes" : "no");
		td_out_z(o, "    service_route: ");
		put_text(o, d->service_route);
	}
}

static void put_listen(struct td_out *o, const struct td_config *c)
{
	char text[TD_ADDR_TEXT];
	unsigned i;

	td_out_z(o, "listen:\n");
	for (i = 0; i < c->listen_n; i++) {
		td_out_z(o, "  - \"");
		td_out_str(o, td_proto_word(c->listen[i].proto));
		td_out_fmt(o, ":%s\"\n", td_addr_text(text, &c->listen[i].addr));
	}
}

static void put_trust(struct td_out *o, const struct td_config *c)
{
	unsigned i;

	td_out_z(o, c->trust_n ? "trust:\n" : "trust: []\n");
	for (i = 0; i < c->trust_n; i++) {
		td_out_z(o, "  - \"");
		td_ip_print(o, &c->trust[i].net);
		td_out_fmt(o, "/%u\"\n", c->trust[i].bits);
	}
}

static void put_web(struct td_out *o, const struct td_config *c)
{
	td_out_z(o, c->web.origin_n ? "web:\n  origins:\n" : "web:\n  origins: []\n");
	for (unsigned i = 0; i < c->web.origin_n; i++)
		td_out_fmt(o, "    - \"%.*s\"\n", TD_FMT(c->web.origins[i]));
}

static void put_dns(struct td_out *o, const struct td_config *c)
{
	char text[TD_ADDR_TEXT];

	td_out_z(o, c->dns.server_n ? "dns:\n  servers:\n" : "dns:\n  servers: []\n");
	for (unsigned i = 0; i < c->dns.server_n; i++)
		td_out_fmt(o, "    - \"%s\"\n", td_addr_text(text, &c->dns.servers[i]));
	td_out_fmt(o, "  timeout: %us\nrelay: %s\n", c->dns.timeout_s, c->relay == TD_RELAY_USERS ? "users" : "none");
}

static void put_file(struct td_out *o, const char *key, struct td_str path)
{
	if (!path.n)
		return;
	td_out_z(o, key);
	put_text(o, path);
}

static void put_tls(struct td_out *o, const struct td_config *c)
{
	static const char *const clients[] = { "ignore", "ask", "require" };
	char text[TD_ADDR_TEXT];
	unsigned named = 0;

	td_out_fmt(o, "tls:\n  clients: %s\n  require_clients:%s\n", clients[c->tls.clients],
		   c->tls.clients == TD_TLS_CLIENTS_REQUIRE ? " []" : "");
	if (c->tls.clients != TD_TLS_CLIENTS_REQUIRE) {
		for (unsigned i = 0; i < c->listen_n; i++) {
			if (c->listen[i].clients != TD_TLS_CLIENTS_REQUIRE)
				continue;
			td_out_fmt(o, "    - \"tls:%s\"\n", td_addr_text(text, &c->listen[i].addr));
			named++;
		}
		if (!named) {
			o->n--;
			td_out_z(o, " []\n");
		}
	}
	put_file(o, "  ca: ", c->tls.ca_file);
	if (c->tls.site_n && !c->tls.sites[0].name.n) {
		put_file(o, "  certificate: ", c->tls.sites[0].certificate_file);
		put_file(o, "  key: ", c->tls.sites[0].key_file);
	}
	named = c->tls.site_n && !c->tls.sites[0].name.n;
	td_out_z(o, c->tls.site_n > named ? "  domains:\n" : "  domains: []\n");
	for (unsigned i = named; i < c->tls.site_n; i++) {
		td_out_fmt(o, "    - name: \"%.*s\"\n", TD_FMT(c->tls.sites[i].name));
		put_file(o, "      certificate: ", c->tls.sites[i].certificate_file);
		put_file(o, "      key: ", c->tls.sites[i].key_file);
	}
}

static void put_guard(struct td_out *o, const struct td_config *c)
{
	td_out_z(o, c->guard.allow_n ? "guard:\n  allow:\n" : "guard:\n  allow: []\n");
	for (unsigned i = 0; i < c->guard.allow_n; i++) {
		td_out_z(o, "    - \"");
		td_ip_print(o, &c->guard.allow[i].net);
		td_out_fmt(o, "/%u\"\n", c->guard.allow[i].bits);
	}
	td_out_fmt(o, "  tries: %u\n  ban: %us\n", c->guard.tries, c->guard.ban_s);
}

static void put_trace(struct td_out *o, const struct td_config *c)
{
	char text[TD_ADDR_TEXT];

	td_out_fmt(o, "trace:\n  memory: %u\n  hep: ", c->trace.memory_bytes);
	if (c->trace.hep.family == TD_AF_NONE)
		td_out_z(o, "no\n");
	else
		td_out_fmt(o, "\"udp:%s\"\n", td_addr_text(text, &c->trace.hep));
}

void td_config_print(struct td_out *o, const struct td_config *c)
{
	static const char *const levels[] = { "error", "warn", "info", "debug" };

	put_domains(o, c);
	put_listen(o, c);
	td_out_z(o, "state: ");
	put_text(o, c->state);
	if (c->user.n) {
		td_out_z(o, "user: ");
		put_text(o, c->user);
	}
	td_out_fmt(o, "sandbox: %s\nworkers: %u\nregistrations: %s\n", c->sandbox ? "yes" : "no", c->workers,
		   c->registrations == TD_REG_MEMORY ? "memory" : "durable");
	config_put_ring(o, c);
	put_trust(o, c);
	td_out_z(o, "digest:\n");
	if (c->digest_algs & 1u << TD_DIGEST_SHA256)
		td_out_z(o, "  - sha-256\n");
	if (c->digest_algs & 1u << TD_DIGEST_MD5)
		td_out_z(o, "  - md5\n");
	td_out_fmt(o, "nonce_lifetime: %us\n", c->nonce_lifetime_s);
	td_out_fmt(o, "registrar:\n  min_expires: %us\n  default_expires: %us\n  max_expires: %us\n  max_contacts: %u\n",
		   c->registrar.min_expires_s, c->registrar.default_expires_s, c->registrar.max_expires_s,
		   c->registrar.max_contacts);
	td_out_fmt(o, "proxy:\n  timer_c: %us\n  max_branches: %u\n  max_pending: %u\n  failover: %us\n", c->proxy.timer_c_s,
		   c->proxy.max_branches, c->proxy.max_pending, c->proxy.failover_s);
	td_out_fmt(o, "calls:\n  track: %s\n  records: %s\n  per_user: %u\n  longest: %us\n  keep: %us\n",
		   c->calls.track ? "yes" : "no", c->calls.records ? "yes" : "no", c->calls.per_user, c->calls.longest_s,
		   c->calls.keep_s);
	td_out_fmt(o, "limits:\n  rate: %u\n  burst: %u\n  max_message: %u\n  connections_per_source: %u\n", c->limits.rate,
		   c->limits.burst, c->limits.max_message, c->limits.conns_per_source);
	put_guard(o, c);
	put_trace(o, c);
	put_web(o, c);
	put_tls(o, c);
	config_put_push(o, c);
	put_dns(o, c);
	td_out_fmt(o, "log: %s\n", levels[c->log_level]);
}
