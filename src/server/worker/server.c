/*
 * The server: what its workers share, their threads, and what its owner (the control thread, or a test) may ask of them while they
 * run. It asks by mail and is answered by mail, so that nothing a worker writes is read by anyone else meanwhile.
 */
#include "server/worker/internal.h"

#include <errno.h>
#include <stdlib.h>

static int open_shared(struct td_server *s, const struct td_server_options *opt)
{
	const struct td_nonce_options nonces = { .lifetime_s = s->cfg->nonce_lifetime_s };
	const struct td_location_options location = {
		.durable = s->cfg->registrations == TD_REG_DURABLE && opt->store,
		.store = opt->store,
		.workers = s->worker_n,
		.log = s->log,
	};
	struct td_rng own, *rng = &own;
	int err;

	if (s->simulated)
		rng = td_loop_rng(opt->loops[0]);
	else
		td_rng_init(&own);
	td_hash_key_init(&s->owner_key, rng);
	err = td_nonces_open(&s->nonces, rng, &nonces);
	if (!err)
		err = td_bans_open(&s->bans, rng);
	if (!err)
		err = td_location_open(&s->location, rng, &location);
	if (!err)
		err = td_calls_open(&s->calls, rng,
				    &(struct td_calls_options){ .workers = s->worker_n, .store = opt->store, .log = s->log });
	if (!err)
		err = td_tp_group_open(&s->group, s->worker_n);
	return err;
}

static void on_banned(void *arg, const struct td_ban *ban, struct td_str call_id)
{
	const struct td_core *core = &((struct worker *)arg)->core;
	char text[TD_ADDR_TEXT];
	struct td_out o;

	td_out_init_fixed(&o, text, sizeof(text));
	td_ip_print(&o, &ban->source);
	td_log(core->log, TD_LOG_INFO, "banned", TD_KS("source", td_out_view(&o)), TD_KS("why", td_offence_name(ban->why)),
	       TD_KU("seconds", ban->for_s), TD_KU("times", ban->times));
	td_trace_note(core->trace, call_id,
		      &(struct td_note){ .kind = TD_NOTE_BANNED,
					 .a = ban->for_s,
					 .b = ban->offences,
					 .peer = ban->source,
					 .text = td_offence_name(ban->why) });
}

int td_server_open(struct td_server **out, const struct td_server_options *opt, struct td_out *why)
{
	unsigned n = opt->cfg->workers ? opt->cfg->workers : 1;
	struct td_server *s = calloc(1, sizeof(*s) + n * sizeof(s->workers[0]));
	int err;

	if (!s)
		return -ENOMEM;
	s->cfg = td_config_ref(opt->cfg);
	s->certs = opt->certs ? td_certs_ref(opt->certs) : NULL;
	s->log = opt->log;
	s->store = opt->store;
	s->simulated = opt->loops;
	s->worker_n = n;
	err = open_shared(s, opt);
	if (!err)
		err = outside_bind(s, opt, why);
	for (unsigned i = 0; i < n && !err; i++)
		err = worker_open(&s->workers[i], s, i, opt, why);
	if (!err)
		td_bans_attach(s->bans, s->workers[0]->core.loop, on_banned, s->workers[0]);
	for (unsigned i = 1; i < n && !err && !s->simulated; i++)
		err = td_loop_share(s->workers[i]->core.loop, s->workers[0]->core.loop);
	if (!err)
		err = outside_open(s);
	if (!err)
		err = td_location_load(s->location);
	if (err) {
		if (!why->n)
			td_out_fmt(why, "cannot start: %s\n", td_strerror(err));
		td_server_close(s);
		return err;
	}
	*out = s;
	return 0;
}

/* ---- threads ---- */

static void *worker_main(void *arg)
{
	struct worker *w = arg;
	int err = td_loop_run(w->core.loop);

	if (err)
		td_log(w->core.log, TD_LOG_ERROR, "worker stopped", TD_KU("worker", w->core.worker), TD_KERR(err));
	return NULL;
}

int td_server_start(struct td_server *s)
{
	int err;

	for (unsigned i = 0; i < s->worker_n && !s->simulated; i++) {
		struct worker *w = s->workers[i];

		err = pthread_create(&w->thread, NULL, worker_main, w);

		if (err) {
			td_server_stop(s);
			return -err;
		}
		w->running = true;
	}
	err = outside_start(s->outside);
	if (err)
		td_server_stop(s);
	return err;
}

static void stop_loop(struct td_mail *m, void *arg)
{
	td_loop_stop(arg);
}

/*
 * What was posted to the workers is delivered here, where none of them runs: what they had posted to each other, questions, and
 * the store's answers. Afterwards nobody holds a mail for any of their loops, so that these can go.
 */
static void deliver_all(struct td_server *s)
{
	bool any;

	do {
		any = false;
		if (s->store)
			td_store_settle(s->store);
		for (unsigned i = 0; i < s->worker_n; i++)
			if (s->workers[i] && s->workers[i]->core.loop)
				any |= td_loop_drain(s->workers[i]->core.loop);
		any |= outside_drain(s->outside);
	} while (any);
}

void td_server_stop(struct td_server *s)
{
	outside_stop(s->outside);
	for (unsigned i = 0; i < s->worker_n; i++) {
		struct worker *w = s->workers[i];

		if (!w || !w->running)
			continue;
		w->stop = (struct td_mail){ .fn = stop_loop, .arg = w->core.loop };
		td_loop_post(w->core.loop, &w->stop);
	}
	for (unsigned i = 0; i < s->worker_n; i++) {
		if (!s->workers[i] || !s->workers[i]->running)
			continue;
		pthread_join(s->workers[i]->thread, NULL);
		s->workers[i]->running = false;
	}
	deliver_all(s);
}

void td_server_close(struct td_server *s)
{
	if (!s)
		return;
	td_server_stop(s);
	for (unsigned i = 0; i < s->worker_n; i++)
		if (s->workers[i])
			worker_close_roles(s->workers[i]);
	deliver_all(s);
	outside_close(s);
	for (unsigned i = 0; i < s->worker_n; i++)
		if (s->workers[i])
			worker_close(s->workers[i]);
	td_calls_close(s->calls);
	td_location_close(s->location);
	td_tp_group_close(s->group);
	td_nonces_close(s->nonces);
	td_bans_close(s->bans);
	td_config_unref(s->cfg);
	td_certs_unref(s->certs);
	free(s);
}

/* ---- another configuration ---- */

struct new_config {
	struct td_mail mail;
	struct worker *worker; /* NULL: for those outside */
	struct outside *outside;
	struct td_config *cfg;
	struct td_certs *certs;
};

static void ask_clients(struct worker *w)
{
	const struct td_config *cfg = w->core.cfg;

	for (unsigned i = 0; i < td_tp_listeners(w->core.tp); i++)
		for (unsigned j = 0; j < cfg->listen_n; j++)
			if (cfg->listen[j].proto == TD_TLS && td_tp_listener_proto(w->core.tp, i) == TD_TLS &&
			    td_addr_eq(&cfg->listen[j].addr, td_tp_listener_addr(w->core.tp, i)))
				td_tp_ask_clients(w->core.tp, i, cfg->listen[j].clients);
}

static void take_config(struct td_mail *m, void *arg)
{
	struct new_config *nc = arg;

	if (nc->worker) {
		struct td_core *core = &nc->worker->core;

		td_config_unref(core->cfg);
		core->cfg = nc->cfg;
		ask_clients(nc->worker);
		if (nc->certs)
			td_tp_set_tls(core->tp, nc->certs->tls);
		td_dns_set_servers(core->dns, core->cfg->dns.servers, core->cfg->dns.server_n);
		td_dns_set_timeout(core->dns, core->cfg->dns.timeout_s * 1000);
	} else {
		outside_config(nc->outside, nc->cfg, nc->certs);
	}
	td_certs_unref(nc->certs);
	free(nc);
}

static bool same_listeners(const struct td_config *a, const struct td_config *b)
{
	if (a->listen_n != b->listen_n)
		return false;
	for (unsigned i = 0; i < a->listen_n; i++)
		if (a->listen[i].proto != b->listen[i].proto || !td_addr_eq(&a->listen[i].addr, &b->listen[i].addr))
			return false;
	return true;
}

static void note_unchangeable(struct td_out *notes, const struct td_config *old, const struct td_config *cfg)
{
	const struct {
		const char *what;
		bool same;
	} rows[] = {
		{ "listen", same_listeners(old, cfg) },
		{ "workers", old->workers == cfg->workers },
		{ "state", td_str_eq(old->state, cfg->state) },
		{ "user", td_str_eq(old->user, cfg->user) },
		{ "sandbox", old->sandbox == cfg->sandbox },
		{ "registrations", old->registrations == cfg->registrations },
		{ "trace.memory", old->trace.memory_bytes == cfg->trace.memory_bytes },
		{ "nonce_lifetime", old->nonce_lifetime_s == cfg->nonce_lifetime_s },
	};

	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++)
		if (!rows[i].same)
			td_out_fmt(notes, "%s: changes at the next start\n", rows[i].what);
}

int td_server_reload(struct td_server *s, struct td_config *cfg, struct td_certs *certs, struct td_out *notes)
{
	unsigned i, n = s->worker_n + (s->outside ? 1 : 0);
	struct new_config **mail = calloc(n, sizeof(*mail));

	if (!mail)
		return -ENOMEM;
	for (i = 0; i < n; i++) { /* all or nothing */
		mail[i] = calloc(1, sizeof(**mail));
		if (!mail[i])
			break;
	}
	if (i < n) {
		while (i--)
			free(mail[i]);
		free(mail);
		return -ENOMEM;
	}
	note_unchangeable(notes, s->cfg, cfg);
	for (i = 0; i < n; i++) {
		struct worker *w = i < s->worker_n ? s->workers[i] : NULL;

		*mail[i] = (struct new_config){
			.mail = { .fn = take_config, .arg = mail[i] },
			.worker = w,
			.outside = s->outside,
			.cfg = td_config_ref(cfg),
			.certs = certs ? td_certs_ref(certs) : NULL,
		};
		td_loop_post(w ? w->core.loop : s->outside->half.core.loop, &mail[i]->mail);
	}
	free(mail);
	td_config_ref(cfg);
	td_config_unref(s->cfg);
	s->cfg = cfg;
	if (certs) {
		td_certs_ref(certs);
		td_certs_unref(s->certs);
		s->certs = certs;
	}
	return 0;
}

void td_server_drain(struct td_server *s, bool on)
{
	for (unsigned i = 0; i < s->worker_n; i++)
		atomic_store_explicit(&s->workers[i]->core.draining, on, memory_order_relaxed);
}

struct td_certs *td_server_certs(struct td_server *s)
{
	return s->certs;
}

struct td_config *td_server_config(struct td_server *s)
{
	return s->cfg;
}

/* ---- status ---- */

struct part {
	struct td_mail mail;
	struct worker *worker; /* NULL: of those outside */
	struct question *question;
	struct td_server_status st;
};

struct question {
	struct td_mail answer;
	struct td_server *server;
	struct td_loop *loop;
	td_server_status_fn *fn;
	void *arg;
	_Atomic unsigned left;
	unsigned n;
	struct part part[];
};

/* All of these are structs of 64-bit counters and nothing else. */
static void add(void *sum, const void *part, size_t n)
{
	uint64_t *a = sum;
	const uint64_t *b = part;

	for (size_t i = 0; i < n / sizeof(*a); i++)
		a[i] += b[i];
}

static void answered(struct td_mail *m, void *arg)
{
	struct question *q = arg;
	struct td_server_status sum = { .workers = q->server->worker_n };

	for (unsigned i = 0; i < q->n; i++) {
		const struct td_server_status *st = &q->part[i].st;

		add(&sum.count, &st->count, sizeof(sum.count));
		add(&sum.tp, &st->tp, sizeof(sum.tp));
		add(&sum.txn, &st->txn, sizeof(sum.txn));
		add(&sum.guard, &st->guard, sizeof(sum.guard));
		add(&sum.proxy, &st->proxy, sizeof(sum.proxy));
		add(&sum.calls, &st->calls, sizeof(sum.calls));
		add(&sum.dns, &st->dns, sizeof(sum.dns));
	}
	td_location_stats(&sum.location, q->server->location);
	td_bans_stats(&sum.bans, q->server->bans);
	q->fn(q->arg, &sum);
	free(q);
}

static void asked(struct td_mail *m, void *arg)
{
	struct part *p = arg;
	struct question *q = p->question;
	struct worker *w = p->worker;

	if (w) {
		memcpy(&p->st.count, &w->counters, sizeof(p->st.count));
		p->st.tp = *td_tp_stats(w->core.tp);
		p->st.txn = *td_txl_stats(w->core.txl);
		p->st.guard = *td_guard_stats(w->guard);
		p->st.proxy = *td_proxy_stats(w->proxy);
		td_calls_stats(&p->st.calls, w->server->calls, w->core.worker);
		p->st.dns = *td_dns_stats(w->core.dns);
	} else {
		outside_status(q->server->outside, &p->st);
	}
	if (atomic_fetch_sub(&q->left, 1) == 1)
		td_loop_post(q->loop, &q->answer);
}

int td_server_status(struct td_server *s, struct td_loop *loop, td_server_status_fn *fn, void *arg)
{
	unsigned n = s->worker_n + (s->outside ? 1 : 0);
	struct question *q = calloc(1, sizeof(*q) + n * sizeof(q->part[0]));

	if (!q)
		return -ENOMEM;
	q->answer = (struct td_mail){ .fn = answered, .arg = q };
	q->server = s;
	q->loop = loop;
	q->fn = fn;
	q->arg = arg;
	q->n = n;
	atomic_init(&q->left, n);
	for (unsigned i = 0; i < n; i++) {
		struct part *p = &q->part[i];

		p->mail = (struct td_mail){ .fn = asked, .arg = p };
		p->worker = i < s->worker_n ? s->workers[i] : NULL;
		p->question = q;
	}
	for (unsigned i = 0; i < n; i++)
		td_loop_post(i < s->worker_n ? s->workers[i]->core.loop : s->outside->half.core.loop, &q->part[i].mail);
	return 0;
}

unsigned td_server_workers(const struct td_server *s)
{
	return s->worker_n;
}

int td_server_trace(struct td_server *s, struct td_trace_cursor *cursors, bool all, struct td_loop *loop, td_traces_read_fn *fn,
		    void *arg)
{
	struct td_trace **rings = calloc(s->worker_n, sizeof(rings[0]));
	int err;

	if (!rings)
		return -ENOMEM;
	for (unsigned i = 0; i < s->worker_n; i++)
		rings[i] = s->workers[i]->core.trace;
	err = td_traces_read(&(struct td_traces){ .n = s->worker_n, .rings = rings }, cursors, all, loop, fn, arg);
	free(rings);
	return err;
}

struct td_bans *td_server_bans(struct td_server *s)
{
	return s->bans;
}

struct td_location *td_server_location(struct td_server *s)
{
	return s->location;
}

struct td_tp *td_server_outside(struct td_server *s)
{
	return s->outside ? s->outside->half.core.tp : NULL;
}

struct td_calls *td_server_calls(struct td_server *s)
{
	return s->calls;
}

unsigned td_server_listeners(const struct td_server *s)
{
	return td_tp_listeners(s->workers[0]->core.tp);
}

void td_server_listener(struct td_listen *out, const struct td_server *s, unsigned i)
{
	out->proto = td_tp_listener_proto(s->workers[0]->core.tp, i);
	out->addr = *td_tp_listener_addr(s->workers[0]->core.tp, i);
}
