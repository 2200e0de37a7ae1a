/*
 * From the file as written to values that mean something: addresses, prefixes, durations, words. Everything wrong is
 * reported, not only the first thing.
 */
#include <ctype.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>

#include "internal.h"

enum { LONGEST_CALL_S = 30 * 86400 };

void report_at(struct report *r, const char *const *path, unsigned n, const char *fmt, ...)
{
	char text[512];
	size_t line, column;
	unsigned i;
	va_list ap;

	position_of(r->pos, path, n, &line, &column);
	td_out_fmt(r->out, "%.*s:%zu:%zu: ", TD_FMT(r->file), line, column);
	for (i = 0; i < n; i++) {
		if (i && path[i][0] >= '0' && path[i][0] <= '9')
			continue; /* the place says which one */
		td_out_fmt(r->out, "%s%s", i ? "." : "", path[i]);
	}
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	td_out_fmt(r->out, ": %s\n", text);
	r->count++;
}

static const char *index_text(char out[12], unsigned i)
{
	snprintf(out, 12, "%u", i);
	return out;
}

/* "90", "90s", "15m", "2h", "1d" in seconds. */
static int duration(uint32_t *out, const char *z)
{
	static const struct {
		char unit;
		uint32_t seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
	struct td_str s = td_str_of(z);
	uint32_t factor = 1, v;
	size_t i;

	for (i = 0; s.n && i < TD_ARRAY_LEN(units); i++) {
		if (s.p[s.n - 1] == units[i].unit) {
			factor = units[i].seconds;
			s.n--;
			break;
		}
	}
	if (td_str_u32(&v, s) || v > 31536000 / factor)
		return TD_ESYNTAX;
	*out = v * factor;
	return 0;
}

void check_duration(uint32_t *out, const char *z, uint32_t least, struct report *r, const char *const *path, unsigned n)
{
	uint32_t v;

	if (!z)
		return;
	if (duration(&v, z))
		report_at(r, path, n, "\"%s\" is no time (want seconds, or a number with s, m, h or d: 90s, 1h)", z);
	else if (v < least)
		report_at(r, path, n, "%s is too short (at least %us)", z, least);
	else
		*out = v;
}

static void check_number(uint32_t *out, const uint32_t *v, uint32_t least, uint32_t most, struct report *r,
			 const char *const *path, unsigned n)
{
	if (!v)
		return;
	if (*v < least || *v > most)
		report_at(r, path, n, "%u is out of range (%u to %u)", *v, least, most);
	else
		*out = *v;
}

/* A word of a list; its index, or -1 after reporting. */
int config_word(const char *z, const char *const *words, struct report *r, const char *const *path, unsigned n)
{
	struct td_out want;
	int i, found = -1;

	for (i = 0; words[i]; i++)
		if (td_str_ieq(td_str_of(z), td_str_of(words[i])))
			found = i;
	if (found >= 0)
		return found;
	td_out_init(&want);
	for (i = 0; words[i]; i++)
		td_out_fmt(&want, "%s%s", i ? (words[i + 1] ? ", " : " or ") : "", words[i]);
	report_at(r, path, n, "\"%s\" is not known (want %.*s)", z, TD_FMT(td_out_view(&want)));
	td_out_free(&want);
	return -1;
}

static bool host_name_ok(struct td_str s)
{
	size_t i;

	if (!s.n || s.n > 253)
		return false;
	for (i = 0; i < s.n; i++) {
		char c = td_lower(s.p[i]);

		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == ':' || c == '[' ||
		      c == ']'))
			return false;
	}
	return true;
}

static int add_domain(struct td_config *c, struct td_str name)
{
	struct td_domain *d = &c->domains[c->domain_n];
	char *p = td_arena_alloc(&c->arena, name.n + 1);
	size_t i;

	if (!p)
		return -ENOMEM;
	for (i = 0; i < name.n; i++)
		p[i] = td_lower(name.p[i]);
	*d = (struct td_domain){ .name = { p, name.n }, .ring_time_s = RING_TIME_S, .recurse = true };
	c->domain_n++;
	return 0;
}

static void check_yes_no(bool *out, const char *z, struct report *r, const char *const *path, unsigned n)
{
	static const char *const words[] = { "no", "yes", NULL };
	int w = z ? config_word(z, words, r, path, n) : -1;

	if (w >= 0)
		*out = w;
}

/* "<sip:proxy.example.test;lr>", or several with commas between them: a Route as phones are to use it (RFC 3608 §6.3). */
static bool is_route(struct td_str text)
{
	struct td_name_addr hop;
	struct td_str value;
	struct td_param p;
	int got;

	while ((got = td_list_next(&value, &text)) == 1) {
		if (td_name_addr_parse(&hop, value) || !hop.angle || !td_param_find(&p, hop.uri.params, TD_STR("lr")) ||
		    (hop.uri.scheme != TD_SCHEME_SIP && hop.uri.scheme != TD_SCHEME_SIPS) || memchr(value.p, '\n', value.n))
			return false;
	}
	return got == 0;
}

static int check_service_route(struct td_config *c, struct td_domain *out, const char *z, const char *at, struct report *r)
{
	if (!z || !*z)
		return 0;
	if (!is_route(td_str_of(z))) {
		report_at(r, AT("domains", at, "service_route"),
			  "\"%s\" is no route (want \"<sip:HOST;lr>\", or several with commas between them)", z);
		return 0;
	}
	c->service_routes++;
	return td_arena_dup(&out->service_route, &c->arena, td_str_of(z));
}

static void check_domain(struct td_domain *out, const struct raw_domain *d, const char *at, struct report *r)
{
	static const char *const users[] = { "local", "any", NULL };
	static const char *const modes[] = { "proxy", "stateless", "redirect", NULL }; /* in the order of enum td_domain_mode */
	static const char *const forks[] = { "parallel", "serial", NULL };
	int w;

	w = d->users ? config_word(d->users, users, r, AT("domains", at, "users")) : TD_USERS_LOCAL;
	out->users = w > 0 ? TD_USERS_ANY : TD_USERS_LOCAL;
	w = d->mode ? config_word(d->mode, modes, r, AT("domains", at, "mode")) : TD_MODE_PROXY;
	out->mode = w > 0 ? (enum td_domain_mode)w : TD_MODE_PROXY;
	w = d->fork ? config_word(d->fork, forks, r, AT("domains", at, "fork")) : TD_FORK_PARALLEL;
	out->fork = w > 0 ? TD_FORK_SERIAL : TD_FORK_PARALLEL;
	check_yes_no(&out->recurse, d->recurse, r, AT("domains", at, "recurse"));
	check_duration(&out->ring_time_s, d->ring_time, 1, r, AT("domains", at, "ring_time"));
	if (out->fork == TD_FORK_SERIAL && out->mode != TD_MODE_PROXY)
		report_at(r, AT("domains", at, "fork"), "only a domain of mode: proxy forks");
}

static int check_domains(struct td_config *c, const struct raw_config *raw, struct report *r)
{
	const struct raw_domain *d;
	char at[12];
	unsigned i;

	if (!raw->domains_count)
		return config_default_domain(c);
	c->domains = td_arena_zalloc(&c->arena, raw->domains_count * sizeof(*c->domains));
	if (!c->domains)
		return -ENOMEM;
	for (i = 0; i < raw->domains_count; i++) {
		d = &raw->domains[i];
		index_text(at, i);
		if (!d->name || !host_name_ok(td_str_of(d->name))) {
			report_at(r, AT("domains", at, "name"), "\"%s\" is no domain (want a host name, like example.test)",
				  d->name ? d->name : "");
			continue;
		}
		if (td_config_domain(c, td_str_of(d->name))) {
			report_at(r, AT("domains", at, "name"), "\"%s\" is listed twice", d->name);
			continue;
		}
		if (add_domain(c, td_str_of(d->name)))
			return -ENOMEM;
		check_domain(&c->domains[c->domain_n - 1], d, at, r);
		if (check_service_route(c, &c->domains[c->domain_n - 1], d->service_route, at, r))
			return -ENOMEM;
	}
	return 0;
}

/* "udp:HOST[:PORT]"; v6 in brackets. */
int config_listen_parse(struct td_listen *out, struct td_str s)
{
	struct td_str proto = td_str_split(&s, ':'), host = s;
	const char *close;
	enum td_proto p;

	if (td_proto_parse(&p, proto) || !host.n)
		return TD_ESYNTAX;
	close = host.p[0] == '[' ? td_str_chr(host, ']') : host.p;
	if (!close)
		return TD_ESYNTAX;
	if (td_str_chr(td_str_n(close, (size_t)(host.p + host.n - close)), ':')) {
		if (td_addr_parse(&out->addr, host))
			return TD_ESYNTAX;
	} else {
		if (td_ip_parse(&out->addr, host))
			return TD_ESYNTAX;
		out->addr.port = td_proto_port(p);
	}
	out->proto = p;
	return 0;
}

static int push_listen(struct td_config *c, const struct td_listen *l)
{
	struct td_listen *grown = td_arena_alloc(&c->arena, (c->listen_n + 1) * sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	if (c->listen_n)
		memcpy(grown, c->listen, c->listen_n * sizeof(*grown));
	grown[c->listen_n] = *l;
	c->listen = grown;
	c->listen_n++;
	return 0;
}

/* 0.0.0.0 and [::] become every address this machine has: a Via and a Record-Route must name one. */
static int push_every_address(struct td_config *c, const struct td_listen *any)
{
	struct ifaddrs *list, *i;
	struct td_listen l = *any;
	int err = 0;

	if (getifaddrs(&list))
		return -errno;
	for (i = list; i && !err; i = i->ifa_next) {
		struct sockaddr_storage ss = { 0 };

		if (!i->ifa_addr || !(i->ifa_flags & IFF_UP))
			continue;
		if (i->ifa_addr->sa_family == AF_INET)
			memcpy(&ss, i->ifa_addr, sizeof(struct sockaddr_in));
		else if (i->ifa_addr->sa_family == AF_INET6)
			memcpy(&ss, i->ifa_addr, sizeof(struct sockaddr_in6));
		else
			continue;
		if (td_addr_from_sockaddr(&l.addr, &ss) || l.addr.family != any->addr.family || td_ip_is_link_local(&l.addr))
			continue;
		l.addr.port = any->addr.port;
		err = push_listen(c, &l);
	}
	freeifaddrs(list);
	return err;
}

static int check_listen(struct td_config *c, const struct raw_config *raw, struct report *r)
{
	struct td_listen l = { 0 };
	char at[12];
	unsigned i;
	int err;

	if (!raw->listen_count)
		return config_default_listen(c);
	for (i = 0; i < raw->listen_count; i++) {
		index_text(at, i);
		if (config_listen_parse(&l, td_str_of(raw->listen[i]))) {
			report_at(r, AT("listen", at),
				  "\"%s\" is no address (want udp:HOST[:PORT], or tcp, tls, ws or wss instead of udp; HOST a "
				  "number like "
				  "192.0.2.1 or [2001:db8::1])",
				  raw->listen[i]);
			continue;
		}
		err = td_ip_is_any(&l.addr) ? push_every_address(c, &l) : push_listen(c, &l);
		if (err)
			return err;
	}
	if (c->listen_n > 200)
		report_at(r, AT("listen"), "%u addresses are too many (at most 200)", c->listen_n);
	return 0;
}

/* "192.0.2.0/24", "2001:db8::/32", or one address. */
static int prefix_parse(struct td_prefix *out, struct td_str s)
{
	struct td_str host = td_str_split(&s, '/');
	uint32_t bits;

	if (td_ip_parse(&out->net, host))
		return TD_ESYNTAX;
	bits = out->net.family == TD_AF_V4 ? 32 : 128;
	out->bits = bits;
	if (s.p && (td_str_u32(&out->bits, s) || out->bits > bits))
		return TD_ESYNTAX;
	return 0;
}

static int check_guard(struct td_config *c, const struct raw_guard *raw, struct report *r)
{
	char at[12];

	check_number(&c->guard.tries, raw->tries, 0, 10000, r, AT("guard", "tries"));
	check_duration(&c->guard.ban_s, raw->ban, 10, r, AT("guard", "ban"));
	if (!raw->allow_count)
		return 0;
	c->guard.allow = td_arena_zalloc(&c->arena, raw->allow_count * sizeof(*c->guard.allow));
	if (!c->guard.allow)
		return -ENOMEM;
	for (unsigned i = 0; i < raw->allow_count; i++) {
		index_text(at, i);
		if (prefix_parse(&c->guard.allow[c->guard.allow_n], td_str_of(raw->allow[i])))
			report_at(r, AT("guard", "allow", at), "\"%s\" is no network (want ADDRESS or ADDRESS/BITS)",
				  raw->allow[i]);
		else
			c->guard.allow_n++;
	}
	return 0;
}

static int check_trust(struct td_config *c, const struct raw_config *raw, struct report *r)
{
	char at[12];
	unsigned i;

	if (!raw->trust_count)
		return 0;
	c->trust = td_arena_zalloc(&c->arena, raw->trust_count * sizeof(*c->trust));
	if (!c->trust)
		return -ENOMEM;
	for (i = 0; i < raw->trust_count; i++) {
		index_text(at, i);
		if (prefix_parse(&c->trust[c->trust_n], td_str_of(raw->trust[i])))
			report_at(r, AT("trust", at), "\"%s\" is no network (want ADDRESS or ADDRESS/BITS)", raw->trust[i]);
		else if (!c->trust[c->trust_n].bits)
			report_at(r, AT("trust", at), "\"%s\" would let everybody in without a password: refused", raw->trust[i]);
		else
			c->trust_n++;
	}
	return 0;
}

static void check_digest(struct td_config *c, const struct raw_config *raw, struct report *r)
{
	static const char *const words[] = { "sha-256", "md5", NULL }; /* in the order of enum td_digest_alg */
	char at[12];
	unsigned i;
	int w;

	if (!raw->digest_count)
		return;
	c->digest_algs = 0;
	for (i = 0; i < raw->digest_count; i++) {
		index_text(at, i);
		w = config_word(raw->digest[i], words, r, AT("digest", at));
		if (w >= 0)
			c->digest_algs |= 1u << w;
	}
}

/* A line break or another control character, in UTF-8: nobody means one in a path, and no message could show it. */
bool config_has_control(struct td_str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned ch = (uint8_t)s.p[i], next = i + 1 < s.n ? (uint8_t)s.p[i + 1] : 0;

		if (ch < 0x20 || ch == 0x7f || (ch == 0xc2 && next < 0xa0))
			return true;
		/* U+2028 and U+2029 break lines; U+FEFF marks the order of bytes */
		if (ch == 0xe2 && next == 0x80 && i + 2 < s.n && ((uint8_t)s.p[i + 2] & 0xfe) == 0xa8)
			return true;
		if (ch == 0xef && next == 0xbb && i + 2 < s.n && (uint8_t)s.p[i + 2] == 0xbf)
			return true;
	}
	return false;
}

int config_path(struct td_str *out, struct td_config *c, const struct report *r, struct td_str s)
{
	struct td_out o;
	size_t dir;
	int err;

	td_out_init(&o);
	if (s.p[0] != '/') { /* relative to the file, so that it does not matter where one stands */
		for (dir = r->file.n; dir && r->file.p[dir - 1] != '/'; dir--)
			;
		td_out_str(&o, td_str_n(r->file.p, dir));
	}
	td_out_str(&o, s);
	td_out_char(&o, '\0');
	err = o.failed ? -ENOMEM : td_arena_dup(out, &c->arena, td_out_view(&o));
	if (!err)
		out->n--; /* the terminator is there for open(2), and not part of it */
	td_out_free(&o);
	return err;
}

static int check_state(struct td_config *c, const struct raw_config *raw, struct report *r)
{
	struct td_str s = td_str_of(raw->state);

	if (!raw->state)
		return config_default_state(c);
	if (!s.n) {
		report_at(r, AT("state"), "empty (want a folder)");
		return 0;
	}
	if (config_has_control(s)) {
		report_at(r, AT("state"),
			  "has a line break or another control character (want a folder; is a line indented by mistake?)");
		return 0;
	}
	return config_path(&c->state, c, r, s);
}

/* Whether there is such a user is for the machine to say, when it is to become him. */
static int check_user(struct td_config *c, const struct raw_config *raw, struct report *r)
{
	struct td_str s = td_str_of(raw->user);

	if (!raw->user)
		return 0;
	for (size_t i = 0; i < s.n; i++)
		if (!isalnum((unsigned char)s.p[i]) && !strchr("_.-", s.p[i])) {
			report_at(r, AT("user"), "\"%.*s\" is no user's name (want one of this machine, like tandem)", TD_FMT(s));
			return 0;
		}
	if (!s.n)
		report_at(r, AT("user"), "empty (want a user of this machine, like tandem)");
	return td_arena_dup(&c->user, &c->arena, s);
}

static void check_numbers(struct td_config *c, const struct raw_config *raw, struct report *r)
{
	check_number(&c->workers, raw->workers, 1, 128, r, AT("workers"));
	check_duration(&c->nonce_lifetime_s, raw->nonce_lifetime, 10, r, AT("nonce_lifetime"));
	if (raw->registrar) {
		check_duration(&c->registrar.min_expires_s, raw->registrar->min_expires, 1, r, AT("registrar", "min_expires"));
		check_duration(&c->registrar.max_expires_s, raw->registrar->max_expires, 1, r, AT("registrar", "max_expires"));
		check_duration(&c->registrar.default_expires_s, raw->registrar->default_expires, 1, r,
			       AT("registrar", "default_expires"));
		check_number(&c->registrar.max_contacts, raw->registrar->max_contacts, 1, 100, r,
			     AT("registrar", "max_contacts"));
		if (c->registrar.min_expires_s > c->registrar.max_expires_s)
			report_at(r, AT("registrar"), "min_expires (%us) is above max_expires (%us)", c->registrar.min_expires_s,
				  c->registrar.max_expires_s);
	}
	if (c->registrar.default_expires_s > c->registrar.max_expires_s)
		c->registrar.default_expires_s = c->registrar.max_expires_s;
	if (c->registrar.default_expires_s < c->registrar.min_expires_s)
		c->registrar.default_expires_s = c->registrar.min_expires_s;
	if (raw->proxy) {
		check_duration(&c->proxy.timer_c_s, raw->proxy->timer_c, 180, r, AT("proxy", "timer_c"));
		check_number(&c->proxy.max_branches, raw->proxy->max_branches, 1, 100, r, AT("proxy", "max_branches"));
		check_duration(&c->proxy.failover_s, raw->proxy->failover, 1, r, AT("proxy", "failover"));
		check_number(&c->proxy.max_pending, raw->proxy->max_pending, 1, 10000000, r, AT("proxy", "max_pending"));
	}
	if (raw->limits) {
		check_number(&c->limits.rate, raw->limits->rate, 1, 100000000, r, AT("limits", "rate"));
		c->limits.burst = c->limits.rate < UINT32_MAX / 2 ? 2 * c->limits.rate : c->limits.rate;
		check_number(&c->limits.burst, raw->limits->burst, 1, 100000000, r, AT("limits", "burst"));
		check_number(&c->limits.max_message, raw->limits->max_message, 1500, TD_SIP_MAX_MESSAGE, r,
			     AT("limits", "max_message"));
		check_number(&c->limits.conns_per_source, raw->limits->connections_per_source, 1, 1000000, r,
			     AT("limits", "connections_per_source"));
	}
}

static void check_calls(struct td_config *c, const struct raw_calls *raw, struct report *r)
{
	if (!raw)
		return;
	check_yes_no(&c->calls.track, raw->track, r, AT("calls", "track"));
	check_yes_no(&c->calls.records, raw->records, r, AT("calls", "records"));
	check_number(&c->calls.per_user, raw->per_user, 0, 1000000, r, AT("calls", "per_user"));
	if (c->calls.per_user && !c->calls.track)
		report_at(r, AT("calls", "per_user"), "calls that are not tracked cannot be counted (want track: yes, or 0)");
	check_duration(&c->calls.longest_s, raw->longest, 60, r, AT("calls", "longest"));
	if (c->calls.longest_s > LONGEST_CALL_S)
		report_at(r, AT("calls", "longest"), "%s is too long (at most 30d)", raw->longest);
	check_duration(&c->calls.keep_s, raw->keep, 3600, r, AT("calls", "keep"));
}

static void check_trace(struct td_config *c, const struct raw_trace *raw, struct report *r)
{
	struct td_str s = td_str_of(raw->hep), proto = td_str_split(&s, ':');

	check_number(&c->trace.memory_bytes, raw->memory, 256 << 10, 1 << 30, r, AT("trace", "memory"));
	if (!raw->hep || td_str_ieq(td_str_of(raw->hep), TD_STR("no")))
		return;
	if (!td_str_ieq(proto, TD_STR("udp")) || td_addr_parse(&c->trace.hep, s) || !c->trace.hep.port ||
	    td_ip_is_any(&c->trace.hep)) {
		c->trace.hep.family = TD_AF_NONE;
		report_at(r, AT("trace", "hep"),
			  "\"%s\" is no collector (want udp:HOST:PORT, HOST a number like 192.0.2.9 or [2001:db8::9], or no)",
			  raw->hep);
	}
}

int config_check(struct td_config *c, const struct raw_config *raw, struct report *r)
{
	static const char *const registrations[] = { "durable", "memory", NULL };
	static const char *const relay[] = { "none", "users", NULL };
	static const char *const levels[] = { "error", "warn", "info", "debug", NULL };
	int err, w;

	err = check_domains(c, raw, r);
	if (!err && c->domain_n)
		err = config_check_ring(c, raw, r);
	if (!err)
		err = check_listen(c, raw, r);
	if (!err)
		err = check_trust(c, raw, r);
	if (!err && raw->guard)
		err = check_guard(c, raw->guard, r);
	if (!err)
		err = check_state(c, raw, r);
	if (!err)
		err = check_user(c, raw, r);
	if (!err)
		err = config_check_web(c, raw->web, r);
	if (!err)
		err = config_check_tls(c, raw->tls, r);
	if (!err)
		err = config_check_push(c, raw->push, r);
	if (err)
		return err;
	check_yes_no(&c->sandbox, raw->sandbox, r, AT("sandbox"));
	check_digest(c, raw, r);
	check_numbers(c, raw, r);
	check_calls(c, raw->calls, r);
	if (raw->trace)
		check_trace(c, raw->trace, r);
	if (raw->registrations) {
		w = config_word(raw->registrations, registrations, r, AT("registrations"));
		c->registrations = w == 1 ? TD_REG_MEMORY : TD_REG_DURABLE;
	}
	config_check_dns(c, raw->dns, r);
	if (raw->relay) {
		w = config_word(raw->relay, relay, r, AT("relay"));
		c->relay = w == 1 ? TD_RELAY_USERS : TD_RELAY_NONE;
	}
	if (raw->log) {
		w = config_word(raw->log, levels, r, AT("log"));
		c->log_level = w >= 0 ? (enum td_log_level)w : TD_LOG_INFO;
	}
	return 0;
}
