/*
 * From a URI to targets (RFC 3263 §4, for responses §5). What is known at the start is a plan: services (SRV names) to ask for, targets
 * (names with ports) to ask addresses for, hops (addresses) to hand out. Each td_locate_next() takes the nearest of these a step further
 * until a hop is there:
 *
 *   transport   port    numeric      a name
 *   any         any     one hop
 *   any         given                a target
 *   given       none                 a service, or else a target at the default port
 *   none        none                 NAPTR; or else a service for each protocol we speak; or else a target at the default port
 *
 * So a call that goes well asks for the first target alone, and a list of a hundred costs nobody a hundred questions (T8).
 */
#include "locate.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { V6, V4, FAMILIES };

#define NO_PROTO TD_PROTO_COUNT

struct family {
	struct td_locate *l;
	struct td_dns_ask *ask;
	unsigned n;
	struct td_addr addrs[LOC_MAX_ADDRS / FAMILIES];
};

struct target {
	struct td_str name;
	uint16_t port;
};

struct td_locate {
	struct td_locator *lr;
	const struct td_locate_events *events;
	void *arg;
	struct td_arena arena;
	struct td_str host;
	enum td_proto proto; /* NO_PROTO: not chosen yet */
	bool secure, ordered;
	bool ask_naptr, ask_host; /* still to be done: NAPTR, and the host's own addresses when there is no SRV record */
	struct td_rng rng;        /* when ordered */
	struct loc_service services[LOC_MAX_SERVICES];
	unsigned service_n, service_at;
	struct target targets[LOC_MAX_TARGETS];
	unsigned target_n, target_at;
	enum td_proto target_proto;
	uint16_t port;                                               /* of the target being asked for */
	struct td_hop hops[LOC_MAX_ADDRS], last[TD_LOCATE_MAX_HOPS]; /* last: those that failed lately */
	unsigned hop_n, hop_at, last_n, last_at, given;
	struct td_dns_ask *ask;
	struct family families[FAMILIES];
	struct td_timer patience;
	struct td_defer deliver;
	struct td_hop hop;
	int result, err; /* err: why there is nothing, so far */
};

static void advance(struct td_locate *l);

/* answer: to what was asked about name; NULL: this is about something else. */
__attribute__((format(printf, 5, 6))) static void tell(struct td_locate *l, enum td_dns_type type, struct td_str name,
						       const struct td_dns_answer *answer, const char *fmt, ...)
{
	struct td_locate_step step = { .type = type, .name = name };
	char text[512];
	va_list ap;

	if (!l->events->told && !td_log_on(l->lr->log, TD_LOG_DEBUG))
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	td_log(l->lr->log, TD_LOG_DEBUG, "locate", TD_KS("host", l->host), TD_KZ("step", text));
	if (!l->events->told)
		return;
	step.words = td_str_of(text);
	if (answer) {
		step.n = answer->n;
		step.err = answer->err;
		step.rcode = answer->rcode;
	}
	l->events->told(l->arg, &step);
}

static struct td_rng *rng_of(struct td_locate *l)
{
	return l->ordered ? &l->rng : td_loop_rng(l->lr->loop);
}

static bool listens(const struct td_tp *tp, enum td_proto proto, uint8_t family)
{
	for (unsigned i = 0; i < tp->n_listeners; i++)
		if (tp->listeners[i]->proto == proto && (!family || tp->listeners[i]->addr.family == family))
			return true;
	return false;
}

/* ---- answers to the caller ---- */

static void on_deliver(struct td_defer *d, void *arg)
{
	struct td_locate *l = arg;
	struct td_hop hop = l->hop;

	l->events->found(l->arg, l->result, l->result ? NULL : &hop);
}

static void give(struct td_locate *l, const struct td_hop *hop)
{
	l->given++;
	l->hop = *hop;
	l->result = 0;
	td_loop_defer(l->lr->loop, &l->deliver);
}

static void give_up(struct td_locate *l)
{
	l->result = l->given || !l->err ? TD_ENOTFOUND : l->err;
	td_loop_defer(l->lr->loop, &l->deliver);
}

/* The next of the hops that are known; those that failed lately are put aside. False: there is none. */
static bool give_known(struct td_locate *l)
{
	char text[TD_ADDR_TEXT];

	while (l->hop_at < l->hop_n) {
		const struct td_hop *hop = &l->hops[l->hop_at++];
		const struct loc_dead *dead = l->ordered ? NULL : loc_dead_find(l->lr, hop);

		if (!dead) {
			give(l, hop);
			return true;
		}
		tell(l, TD_DNS_NONE, TD_STR_NULL, NULL, "%.*s %s failed %llu s ago and comes last",
		     TD_FMT(td_proto_name(hop->proto)), td_addr_text(text, &hop->addr),
		     (unsigned long long)((td_loop_now_ms(l->lr->loop) - dead->since_ms) / 1000));
		if (l->last_n < TD_LOCATE_MAX_HOPS)
			l->last[l->last_n++] = *hop;
	}
	return false;
}

/* What a failed question says about the whole. */
static void note_error(struct td_locate *l, int err)
{
	if (err == TD_ENOTFOUND || err == TD_ESYNTAX || l->err)
		return;
	l->err = err == TD_EUNSUPPORTED ? TD_ETIMEOUT : err;
}

static const char *why(int err)
{
	switch (err) {
	case TD_ETIMEOUT: return ": no name server answered";
	case TD_EUNSUPPORTED: return ": the name servers could not tell";
	case TD_ELIMIT: return ": aliases without an end, or too many questions at once";
	case TD_ESYNTAX: return ": this is no name";
	case -ENOMEM: return ": out of memory";
	default: return "";
	}
}

/* ---- addresses ---- */

static bool usable(const struct td_locate *l, const struct td_addr *a)
{
	struct td_addr source;

	return !td_net_source(&source, l->lr->tp->net, a);
}

/* §4.2; RFC 7984: both families, the one this machine has a way for first, v6 before v4 as RFC 6724 §2.1 has it. */
static void addresses_known(struct td_locate *l)
{
	char text[TD_ADDR_TEXT];

	td_timer_stop(l->lr->loop, &l->patience);
	l->hop_n = l->hop_at = 0;
	for (int f = 0; f < FAMILIES; f++) {
		struct family *fam = &l->families[f];

		td_dns_cancel(fam->ask);
		fam->ask = NULL;
		for (unsigned i = fam->n; i > 0; i--) { /* among equals chance decides */
			unsigned j = (unsigned)td_rng_below(rng_of(l), i);
			struct td_hop hop = { l->target_proto, fam->addrs[j] };

			fam->addrs[j] = fam->addrs[i - 1];
			hop.addr.port = l->port;
			if (usable(l, &hop.addr))
				l->hops[l->hop_n++] = hop;
		}
		fam->n = 0;
	}
	if (l->hop_n)
		tell(l, TD_DNS_NONE, TD_STR_NULL, NULL, "%.*s is at %s%s", TD_FMT(l->targets[l->target_at - 1].name),
		     td_addr_text(text, &l->hops[0].addr), l->hop_n > 1 ? " and elsewhere" : "");
	advance(l);
}

static void on_addresses(void *arg, const struct td_dns_answer *answer)
{
	struct family *fam = arg;
	struct td_locate *l = fam->l;
	bool v4 = fam == &l->families[V4];
	struct family *other = &l->families[v4 ? V6 : V4];
	struct td_str name = l->targets[l->target_at - 1].name;

	fam->ask = NULL;
	for (unsigned i = 0; i < answer->n && fam->n < TD_ARRAY_LEN(fam->addrs); i++)
		fam->addrs[fam->n++] = answer->records[i].addr;
	if (answer->err)
		note_error(l, answer->err);
	tell(l, v4 ? TD_DNS_A : TD_DNS_AAAA, name, answer, "%s%s address of %.*s%s", answer->err ? "no " : "",
	     v4 ? "IPv4" : "IPv6", TD_FMT(name), why(answer->err));
	if (!other->ask)
		addresses_known(l);
	else if (fam->n)
		td_timer_start(l->lr->loop, &l->patience, LOC_OTHER_FAMILY_MS);
}

static void on_patience(struct td_timer *tm, void *arg)
{
	addresses_known(arg);
}

static int ask_family(struct td_locate *l, int f, struct td_str name)
{
	struct family *fam = &l->families[f];

	if (!listens(l->lr->tp, l->target_proto, f == V6 ? TD_AF_V6 : TD_AF_V4))
		return 0;
	return td_dns_ask(&fam->ask, l->lr->dns, f == V6 ? TD_DNS_AAAA : TD_DNS_A, name, on_addresses, fam);
}

static void ask_addresses(struct td_locate *l)
{
	const struct target *t = &l->targets[l->target_at++];
	int err;

	l->port = t->port;
	err = ask_family(l, V6, t->name);
	if (!err)
		err = ask_family(l, V4, t->name);
	if (err)
		note_error(l, err);
	if (!l->families[V6].ask && !l->families[V4].ask)
		advance(l);
}

/* ---- services ---- */

static void add_service(struct td_locate *l, struct td_str name, enum td_proto proto)
{
	if (l->service_n == LOC_MAX_SERVICES)
		return;
	if (td_arena_dup(&l->services[l->service_n].name, &l->arena, name))
		l->err = -ENOMEM;
	else
		l->services[l->service_n++].proto = proto;
}

static void add_own_service(struct td_locate *l, enum td_proto proto)
{
	struct td_out o;

	td_out_init(&o);
	td_out_z(&o, loc_srv_prefix(proto));
	td_out_str(&o, l->host);
	if (o.failed)
		l->err = -ENOMEM;
	else
		add_service(l, td_out_view(&o), proto);
	td_out_free(&o);
}

static void add_target(struct td_locate *l, struct td_str name, uint16_t port)
{
	if (l->target_n == LOC_MAX_TARGETS)
		return;
	if (td_arena_dup(&l->targets[l->target_n].name, &l->arena, name))
		l->err = -ENOMEM;
	else
		l->targets[l->target_n++].port = port;
}

static void take_srv(struct td_locate *l, const struct td_dns_answer *answer)
{
	const struct loc_service *s = &l->services[l->service_at - 1];
	uint8_t order[TD_DNS_MAX_RECORDS];

	l->ask_host = false;
	l->target_proto = s->proto;
	l->target_n = l->target_at = 0;
	loc_srv_order(order, answer->records, answer->n, rng_of(l));
	for (unsigned i = 0; i < answer->n; i++) {
		const struct td_dns_record *r = &answer->records[order[i]];

		if (r->srv.target.n && r->srv.port)
			add_target(l, r->srv.target, r->srv.port);
	}
	if (l->target_n)
		tell(l, TD_DNS_SRV, s->name, answer, "SRV %.*s: %u target%s, first %.*s port %u", TD_FMT(s->name), l->target_n,
		     l->target_n > 1 ? "s" : "", TD_FMT(l->targets[0].name), l->targets[0].port);
	else /* RFC 2782: a target of "." */
		tell(l, TD_DNS_SRV, s->name, answer, "SRV %.*s: the service is decidedly not offered", TD_FMT(s->name));
}

static void on_srv(void *arg, const struct td_dns_answer *answer)
{
	struct td_locate *l = arg;

	l->ask = NULL;
	if (answer->err) {
		note_error(l, answer->err);
		tell(l, TD_DNS_SRV, l->services[l->service_at - 1].name, answer, "no SRV for %.*s%s",
		     TD_FMT(l->services[l->service_at - 1].name), why(answer->err));
	} else {
		take_srv(l, answer);
	}
	advance(l);
}

static void ask_service(struct td_locate *l)
{
	const struct loc_service *s = &l->services[l->service_at++];

	if (td_dns_ask(&l->ask, l->lr->dns, TD_DNS_SRV, s->name, on_srv, l)) {
		note_error(l, -ENOMEM);
		give_up(l);
	}
}

/* ---- NAPTR ---- */

/* "If no NAPTR records are found, the client constructs SRV queries for those transport protocols it supports, and does a query for
 * each": all are asked now, so that the second and third are known when they are wanted. */
static void plan_all_services(struct td_locate *l)
{
	static const enum td_proto protos[] = { TD_TLS, TD_UDP, TD_TCP };
	struct td_dns_ask *ahead;

	for (size_t i = 0; i < TD_ARRAY_LEN(protos); i++)
		if (listens(l->lr->tp, protos[i], 0) && (!l->secure || protos[i] == TD_TLS))
			add_own_service(l, protos[i]);
	for (unsigned i = 1; i < l->service_n; i++)
		if (!td_dns_ask(&ahead, l->lr->dns, TD_DNS_SRV, l->services[i].name, on_srv, l))
			td_dns_cancel(ahead);
}

static bool is_sip_service(const struct td_dns_record *r)
{
	return td_str_istarts(r->naptr.service, TD_STR("SIP+")) || td_str_istarts(r->naptr.service, TD_STR("SIPS+"));
}

static void take_naptr(struct td_locate *l, const struct td_dns_answer *answer)
{
	unsigned about_sip = 0;
	enum td_proto proto;

	for (unsigned i = 0; i < answer->n; i++) {
		const struct td_dns_record *r = &answer->records[i];

		about_sip += is_sip_service(r);
		if (loc_naptr_usable(&proto, r, l->secure) && listens(l->lr->tp, proto, 0))
			add_service(l, r->naptr.replacement, proto);
	}
	if (l->service_n) {
		l->proto = l->services[0].proto;
		tell(l, TD_DNS_NAPTR, l->host, answer, "NAPTR %.*s: %.*s first", TD_FMT(l->host),
		     TD_FMT(td_proto_name(l->proto)));
	} else if (about_sip) {
		/* It says how it wants to be reached. To send in another way what was to be sent by TLS alone would be worse than nothing. */
		tell(l, TD_DNS_NAPTR, l->host, answer, "NAPTR %.*s: only transports this server does not speak%s",
		     TD_FMT(l->host), l->secure ? " with TLS" : "");
		l->err = TD_EUNSUPPORTED;
		l->ask_host = false;
	} else {
		plan_all_services(l);
	}
}

static void on_naptr(void *arg, const struct td_dns_answer *answer)
{
	struct td_locate *l = arg;

	l->ask = NULL;
	if (answer->err) {
		if (answer->err == -ENOMEM)
			note_error(l, answer->err);
		tell(l, TD_DNS_NAPTR, l->host, answer, "no NAPTR for %.*s%s", TD_FMT(l->host), why(answer->err));
		plan_all_services(l);
	} else {
		take_naptr(l, answer);
	}
	advance(l);
}

/* ---- step by step ---- */

/* §4.1: "If no SRV records are found, the client SHOULD use TCP for a SIPS URI, and UDP for a SIP URI." */
static enum td_proto chosen_proto(const struct td_locate *l)
{
	if (l->proto != NO_PROTO)
		return l->proto;
	if (l->secure)
		return TD_TLS;
	return listens(l->lr->tp, TD_UDP, 0) || !listens(l->lr->tp, TD_TCP, 0) ? TD_UDP : TD_TCP;
}

static void plan_host(struct td_locate *l, uint16_t port)
{
	l->ask_host = false;
	l->target_proto = chosen_proto(l);
	l->target_n = l->target_at = 0;
	add_target(l, l->host, port ? port : td_proto_port(l->target_proto));
}

static void advance(struct td_locate *l)
{
	if (l->given < TD_LOCATE_MAX_HOPS) {
		if (give_known(l))
			return;
		if (l->target_at < l->target_n) {
			ask_addresses(l);
			return;
		}
		if (l->ask_naptr) {
			l->ask_naptr = false;
			if (!td_dns_ask(&l->ask, l->lr->dns, TD_DNS_NAPTR, l->host, on_naptr, l))
				return;
			note_error(l, -ENOMEM);
		} else if (l->service_at < l->service_n) {
			ask_service(l);
			return;
		} else if (l->ask_host) {
			plan_host(l, 0);
			ask_addresses(l);
			return;
		} else if (l->last_at < l->last_n) {
			give(l, &l->last[l->last_at++]);
			return;
		}
	}
	give_up(l);
}

void td_locate_next(struct td_locate *l)
{
	advance(l);
}

/* ---- opening ---- */

static struct td_locate *locate_new(struct td_locator *lr, const struct td_locate_events *events, void *arg)
{
	struct td_locate *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->lr = lr;
	l->events = events;
	l->arg = arg;
	td_arena_init(&l->arena);
	td_timer_init(&l->patience, on_patience, l);
	td_defer_init(&l->deliver, on_deliver, l);
	for (int f = 0; f < FAMILIES; f++)
		l->families[f].l = l;
	return l;
}

static int plan(struct td_locate *l, struct td_str host, uint16_t port)
{
	struct td_addr a;
	int err;

	if (!td_ip_parse(&a, host)) {
		enum td_proto proto = chosen_proto(l);

		a.port = port ? port : td_proto_port(proto);
		l->hops[l->hop_n++] = (struct td_hop){ proto, a };
		return 0;
	}
	if (host.n && host.p[host.n - 1] == '.')
		host.n--;
	err = td_arena_dup(&l->host, &l->arena, host);
	if (err)
		return err;
	if (td_str_ends(host,
			TD_STR(".invalid"))) /* RFC 6761 §6.4; such a contact is reached by its connection alone (RFC 7118 §5) */
		return 0;
	if (port) {
		plan_host(l, port);
	} else {
		l->ask_host = true;
		l->ask_naptr = l->proto == NO_PROTO;
		if (!l->ask_naptr)
			add_own_service(l, l->proto);
	}
	return l->err;
}

/* What the URI says of the transport. §4.1; RFC 3261 §26.2.2: sips is TLS, whatever carries it. */
static int choose(struct td_locate *l, const struct td_uri *uri)
{
	struct td_param p;

	l->secure = uri->scheme == TD_SCHEME_SIPS;
	l->proto = l->secure ? TD_TLS : NO_PROTO;
	if (uri->params.n && td_param_find(&p, uri->params, TD_STR("transport"))) {
		if (td_proto_parse(&l->proto, p.value) || l->proto > TD_TLS || (l->secure && l->proto == TD_UDP))
			return TD_EUNSUPPORTED;
		if (l->secure)
			l->proto = TD_TLS;
	} else if (l->secure && !uri->port) {
		l->proto = NO_PROTO; /* NAPTR and SRV may say more */
	}
	if ((l->secure && !listens(l->lr->tp, TD_TLS, 0)) || (l->proto != NO_PROTO && !listens(l->lr->tp, l->proto, 0)))
		return TD_EUNSUPPORTED;
	return 0;
}

int td_locate_open(struct td_locate **out, struct td_locator *lr, const struct td_uri *uri, uint64_t order,
		   const struct td_locate_events *events, void *arg)
{
	struct td_str host = uri->host;
	struct td_locate *l;
	struct td_param p;
	int err;

	if (uri->scheme != TD_SCHEME_SIP && uri->scheme != TD_SCHEME_SIPS)
		return TD_EUNSUPPORTED;
	l = locate_new(lr, events, arg);
	if (!l)
		return -ENOMEM;
	if (order) {
		l->ordered = true;
		td_rng_init_seed(&l->rng, order);
	}
	if (uri->params.n && td_param_find(&p, uri->params, TD_STR("maddr"))) /* §4: "the TARGET is the value of the maddr" */
		host = p.value;
	err = choose(l, uri);
	if (!err)
		err = plan(l, host, uri->port);
	if (err) {
		td_locate_close(l);
		return err;
	}
	*out = l;
	return 0;
}

int td_locate_open_via(struct td_locate **out, struct td_locator *lr, const struct td_via *via,
		       const struct td_locate_events *events, void *arg)
{
	struct td_locate *l;
	enum td_proto proto;
	int err = td_proto_parse(&proto, via->transport);

	if (err)
		return err;
	if (proto > TD_TLS || !listens(lr->tp, proto, 0))
		return TD_EUNSUPPORTED;
	l = locate_new(lr, events, arg);
	if (!l)
		return -ENOMEM;
	l->proto = proto;
	err = plan(l, via->host, via->port);
	if (err) {
		td_locate_close(l);
		return err;
	}
	*out = l;
	return 0;
}

void td_locate_close(struct td_locate *l)
{
	if (!l)
		return;
	td_dns_cancel(l->ask);
	for (int f = 0; f < FAMILIES; f++)
		td_dns_cancel(l->families[f].ask);
	td_timer_stop(l->lr->loop, &l->patience);
	td_loop_undefer(l->lr->loop, &l->deliver);
	td_arena_reset(&l->arena);
	free(l);
}
