/*
 * The cache of the DNS client. An entry is one question with its answer, or with those who wait for it: many askers share one.
 * Answers, also those that there is nothing, stay for as long as their server allowed, at most a day (nothing: 5 minutes); failures
 * for seconds, so that a dead name server is not asked for each call. At most DNS_MAX_ENTRIES stay; the longest unused go first.
 */
#include "dns.h"

#include <errno.h>
#include <stdlib.h>

struct td_dns_ask {
	struct td_link link; /* in its entry's asks */
	td_dns_fn *fn;
	void *arg;
	struct td_dns *dns;
	struct td_defer refusal; /* for one that belongs to no entry */
	int err;
};

struct td_str td_dns_type_name(enum td_dns_type type)
{
	switch (type) {
	case TD_DNS_NONE: break;
	case TD_DNS_A: return TD_STR("A");
	case TD_DNS_AAAA: return TD_STR("AAAA");
	case TD_DNS_SRV: return TD_STR("SRV");
	case TD_DNS_NAPTR: return TD_STR("NAPTR");
	}
	return TD_STR("?");
}

/* ---- entries ---- */

struct key {
	const struct dns_name *name;
	enum td_dns_type type;
};

static uint64_t hash_of(const struct td_dns *d, const struct key *k)
{
	return td_hash_str(&d->key, dns_name_str(k->name)) + (uint64_t)k->type;
}

static bool entry_eq(const struct td_map_node *node, const void *key)
{
	const struct dns_entry *e = TD_CONTAINER_OF(node, struct dns_entry, node);
	const struct key *k = key;

	return e->type == k->type && td_str_eq(dns_name_str(&e->name), dns_name_str(k->name));
}

static void entry_free(struct dns_entry *e)
{
	if (e->query)
		dns_query_end(e->query);
	while (!td_list_empty(&e->asks)) {
		struct td_dns_ask *a = TD_CONTAINER_OF(e->asks.next, struct td_dns_ask, link);

		td_list_del(&a->link);
		free(a);
	}
	td_loop_undefer(e->dns->loop, &e->deliver);
	td_map_del(&e->dns->entries, &e->node);
	td_list_del(&e->lru);
	e->dns->stats.entries--;
	td_arena_reset(&e->arena);
	free(e);
}

static bool entry_idle(const struct dns_entry *e)
{
	return !e->query && !e->delivering && td_list_empty(&e->asks);
}

/* Those in use are few beside all. */
static bool make_room(struct td_dns *d)
{
	struct td_link *l = d->lru.next;

	if (d->stats.entries < DNS_MAX_ENTRIES)
		return true;
	while (l != &d->lru && !entry_idle(TD_CONTAINER_OF(l, struct dns_entry, lru)))
		l = l->next;
	if (l == &d->lru)
		return false;
	entry_free(TD_CONTAINER_OF(l, struct dns_entry, lru));
	return true;
}

/* ---- answers ---- */

static void on_deliver(struct td_defer *defer, void *arg)
{
	struct dns_entry *e = arg;
	struct td_link turn;

	/* Who asks again meanwhile waits for the next time. */
	td_list_init(&turn);
	while (!td_list_empty(&e->asks)) {
		struct td_link *l = e->asks.next;

		td_list_del(l);
		td_list_add_tail(&turn, l);
	}
	e->delivering = true;
	while (!td_list_empty(&turn)) {
		struct td_dns_ask *a = TD_CONTAINER_OF(turn.next, struct td_dns_ask, link);
		td_dns_fn *fn = a->fn;
		void *who = a->arg;

		td_list_del(&a->link);
		free(a);
		fn(who, &e->answer);
	}
	e->delivering = false;
}

static void log_answer(const struct dns_entry *e, uint32_t ttl_s)
{
	td_log(e->dns->log, TD_LOG_DEBUG, "dns answer", TD_KS("name", dns_name_str(&e->name)),
	       TD_KS("type", td_dns_type_name(e->type)), TD_KU("records", e->answer.n), TD_KU("ttl", ttl_s),
	       TD_KERR(e->answer.err));
}

void dns_entry_answer(struct dns_entry *e, int err, unsigned rcode, struct dns_reply *reply, struct td_arena *arena,
		      uint32_t ttl_s)
{
	struct td_dns *d = e->dns;

	td_arena_reset(&e->arena);
	e->answer = (struct td_dns_answer){ .err = err, .rcode = rcode };
	if (reply) {
		e->arena = *arena;
		e->answer.n = reply->n;
		e->answer.records = reply->records;
	}
	if (ttl_s > DNS_TTL_MAX_S)
		ttl_s = DNS_TTL_MAX_S;
	e->until_ms = td_loop_now_ms(d->loop) + (uint64_t)ttl_s * 1000;
	log_answer(e, ttl_s);
	td_loop_defer(d->loop, &e->deliver);
}

/* ---- asking ---- */

static struct dns_entry *entry_new(struct td_dns *d, const struct key *k, uint64_t hash)
{
	struct dns_entry *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->dns = d;
	e->type = k->type;
	e->name = *k->name;
	td_list_init(&e->asks);
	td_arena_init(&e->arena);
	td_defer_init(&e->deliver, on_deliver, e);
	td_map_add(&d->entries, &e->node, hash);
	td_list_add_tail(&d->lru, &e->lru);
	d->stats.entries++;
	return e;
}

/* The hosts file comes before any server, as everywhere on a system. */
static bool from_hosts(struct dns_entry *e)
{
	enum { MOST = 8 };
	struct dns_reply reply = { 0 };
	struct td_addr addrs[MOST];
	struct td_arena a;

	if (!e->dns->system)
		return false;
	reply.n = dns_system_hosts(e->dns->system, addrs, MOST, &e->name, e->type);
	if (!reply.n)
		return false;
	td_arena_init(&a);
	reply.records = td_arena_zalloc(&a, reply.n * sizeof(*reply.records));
	if (!reply.records)
		return false;
	for (unsigned i = 0; i < reply.n; i++)
		reply.records[i].addr = addrs[i];
	dns_entry_answer(e, 0, 0, &reply, &a, DNS_HOSTS_S);
	return true;
}

/* What the entry knows is no good any more, or there is nothing yet. */
static int refresh(struct dns_entry *e)
{
	struct td_dns *d = e->dns;

	if (from_hosts(e))
		return 0;
	if (d->stats.pending >= DNS_MAX_PENDING) {
		dns_entry_answer(e, TD_ELIMIT, 0, NULL, NULL, 0);
		return 0;
	}
	return dns_query_start(e);
}

static void on_refusal(struct td_defer *defer, void *arg)
{
	struct td_dns_ask *a = arg;
	struct td_dns_answer answer = { .err = a->err };
	td_dns_fn *fn = a->fn;
	void *who = a->arg;

	td_list_del(&a->link);
	free(a);
	fn(who, &answer);
}

static void refuse(struct td_dns_ask *a, int err)
{
	a->err = err;
	td_defer_init(&a->refusal, on_refusal, a);
	td_list_add_tail(&a->dns->refused, &a->link);
	td_loop_defer(a->dns->loop, &a->refusal);
}

static int ask_entry(struct td_dns_ask *a, struct td_dns *d, const struct key *k)
{
	uint64_t hash = hash_of(d, k);
	struct td_map_node *node = td_map_find(&d->entries, hash, entry_eq, k);
	struct dns_entry *e = node ? TD_CONTAINER_OF(node, struct dns_entry, node) : NULL;
	int err = 0;

	if (!e && !make_room(d)) {
		refuse(a, TD_ELIMIT);
		return 0;
	}
	if (!e && !(e = entry_new(d, k, hash)))
		return -ENOMEM;
	td_list_del(&e->lru);
	td_list_add_tail(&d->lru, &e->lru);
	td_list_add_tail(&e->asks, &a->link);
	if (!e->query && !e->delivering && e->until_ms <= td_loop_now_ms(d->loop))
		err = refresh(e);
	else if (!e->query) {
		d->stats.cached++;
		td_loop_defer(d->loop, &e->deliver);
	}
	if (err)
		td_list_del(&a->link);
	return err;
}

int td_dns_ask(struct td_dns_ask **out, struct td_dns *dns, enum td_dns_type type, struct td_str name, td_dns_fn *fn, void *arg)
{
	struct td_dns_ask *a = calloc(1, sizeof(*a));
	struct dns_name checked;
	int err;

	if (!a)
		return -ENOMEM;
	*a = (struct td_dns_ask){ .fn = fn, .arg = arg, .dns = dns };
	dns->stats.asked++;
	err = dns_name_from(&checked, name);
	if (err)
		refuse(a, err);
	else
		err = ask_entry(a, dns, &(struct key){ &checked, type });
	if (err == -ENOMEM) {
		free(a);
		return err;
	}
	*out = a;
	return 0;
}

void td_dns_cancel(struct td_dns_ask *a)
{
	if (!a)
		return;
	td_list_del(&a->link);
	td_loop_undefer(a->dns->loop, &a->refusal);
	free(a);
}

/* ---- opening and closing ---- */

static bool forget_failure(struct td_map_node *node, void *arg)
{
	struct dns_entry *e = TD_CONTAINER_OF(node, struct dns_entry, node);

	if (e->answer.err && e->answer.err != TD_ENOTFOUND)
		e->until_ms = 0;
	return true;
}

void td_dns_set_servers(struct td_dns *d, const struct td_addr *servers, unsigned n)
{
	struct td_addr system[TD_DNS_MAX_SERVERS];

	if (!n && d->system) {
		servers = system;
		n = dns_system_servers(d->system, system, TD_DNS_MAX_SERVERS);
	}
	if (n > TD_DNS_MAX_SERVERS)
		n = TD_DNS_MAX_SERVERS;
	memset(d->servers, 0, sizeof(d->servers));
	for (unsigned i = 0; i < n; i++)
		d->servers[i].addr = servers[i];
	d->server_n = n;
	td_map_each(&d->entries, forget_failure, NULL);
}

void td_dns_set_timeout(struct td_dns *d, uint32_t timeout_ms)
{
	d->timeout_ms = timeout_ms ? timeout_ms : DNS_TIMEOUT_MS;
}

int td_dns_open(struct td_dns **out, struct td_net *net, const struct td_dns_options *opt)
{
	static const struct td_dns_options defaults;
	struct td_dns *d = calloc(1, sizeof(*d));
	int err;

	if (!d)
		return -ENOMEM;
	if (!opt)
		opt = &defaults;
	d->net = net;
	d->loop = td_net_loop(net);
	d->log = opt->log;
	td_dns_set_timeout(d, opt->timeout_ms);
	td_hash_key_init(&d->key, td_loop_rng(d->loop));
	td_list_init(&d->lru);
	td_list_init(&d->refused);
	err = td_map_init(&d->entries, 16);
	if (!err && !td_loop_is_sim(d->loop)) {
		err = dns_system_open(&d->system);
		if (err)
			td_map_free(&d->entries);
	}
	if (err) {
		free(d);
		return err;
	}
	td_dns_set_servers(d, opt->servers, opt->server_n);
	*out = d;
	return 0;
}

void td_dns_close(struct td_dns *d)
{
	if (!d)
		return;
	while (!td_list_empty(&d->lru))
		entry_free(TD_CONTAINER_OF(d->lru.next, struct dns_entry, lru));
	while (!td_list_empty(&d->refused))
		td_dns_cancel(TD_CONTAINER_OF(d->refused.next, struct td_dns_ask, link));
	td_map_free(&d->entries);
	dns_system_close(d->system);
	free(d);
}

const struct td_dns_stats *td_dns_stats(const struct td_dns *d)
{
	return &d->stats;
}
