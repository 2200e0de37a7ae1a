/*
 * One worker: what it is made of, in the order it is built; closed in the opposite one. It is opened and closed by the
 * thread that owns the server, and runs between in a thread of its own (server.c).
 */
#include "server/worker/internal.h"

#include <errno.h>
#include <stdlib.h>

#include "server/redirect/redirect.h"
#include "server/registrar/registrar.h"

int worker_cannot_listen(struct td_out *why, const struct td_listen *l, int err)
{
	td_out_fmt(why, "cannot listen on %.*s:", TD_FMT(td_proto_word(l->proto)));
	td_addr_print(why, &l->addr);
	td_out_fmt(why, ": %s%s\n", td_strerror(err), err == -EADDRINUSE ? " (is another server running there?)" : "");
	return err;
}

static int listen_all(struct worker *w, struct td_out *why)
{
	const struct td_config *cfg = w->core.cfg;
	unsigned index;
	int err;

	for (unsigned i = 0; i < cfg->listen_n; i++) {
		struct td_addr at = cfg->listen[i].addr;
		bool outside = worker_outside(cfg->listen[i].proto);

		if (outside) /* it listens already; here the address is noted */
			outside_address(&at, w->server, i);
		else if (!at.port && w->core.worker) /* worker 0 has picked one */
			at = *td_tp_listener_addr(w->server->workers[0]->core.tp, i);
		err = w->core.worker || !at.port || outside || td_loop_is_sim(w->core.loop)
			      ? 0
			      : td_net_probe(&at, cfg->listen[i].proto != TD_UDP);
		if (!err)
			err = td_tp_listen(w->core.tp, &index, cfg->listen[i].proto, &at);
		if (!err)
			td_tp_ask_clients(w->core.tp, index, cfg->listen[i].clients);
		if (err)
			return worker_cannot_listen(why, &(struct td_listen){ cfg->listen[i].proto, at }, err);
	}
	return 0;
}

struct td_tp_limits worker_tp_limits(const struct td_config *cfg)
{
	return (struct td_tp_limits){
		.max_message = cfg->limits.max_message,
		.message_deadline_ms = 10000,
		.idle_ms = 900000,
		.per_source = cfg->limits.conns_per_source,
		.out_queue_bytes = 1 << 20,
	};
}

/* A phone that sleeps would not register anew by itself (RFC 8599 §5.5). */
static bool on_ending(void *arg, struct td_str aor, const struct td_binding *b)
{
	const struct worker *w = arg;
	struct td_push_news news = { .event = TD_STR("refresh"), .user = aor };
	struct td_push_post *post;

	return !td_push_phone_of(&news.phone, w->core.cfg, b->contact) ||
	       td_push_send(&post, w->core.push, w->core.cfg, &news, NULL, NULL) == 0;
}

static int open_stack(struct worker *w)
{
	struct td_server *s = w->server;
	const struct td_tp_limits limits = worker_tp_limits(w->core.cfg);
	const struct td_dns_options dns = {
		.servers = w->core.cfg->dns.servers,
		.server_n = w->core.cfg->dns.server_n,
		.timeout_ms = w->core.cfg->dns.timeout_s * 1000,
		.log = s->log,
	};
	int err = td_trace_open(&w->core.trace, w->core.loop, w->core.cfg->trace.memory_bytes);

	if (!err)
		err = td_guard_open(&w->guard, td_loop_rng(w->core.loop), s->bans);

	if (!err)
		err = td_tp_open(&w->core.tp, s->group, w->core.worker, w->net, s->log, &limits, &worker_tp_events, w);
	if (!err && s->certs)
		td_tp_set_tls(w->core.tp, s->certs->tls);
	if (!err)
		err = td_txl_open(&w->core.txl, w->core.tp, NULL, s->log, &worker_txl_events, w);
	if (!err)
		err = td_dns_open(&w->core.dns, w->net, &dns);
	if (!err)
		err = td_locator_open(&w->core.locator, w->core.tp, w->core.dns, s->log);
	if (!err)
		td_txl_locate(w->core.txl, w->core.locator);
	if (!err)
		err = td_push_open(&w->core.push, w->net, w->core.dns, s->log);
	if (!err)
		err = td_location_attach(s->location, w->core.worker, w->core.loop);
	w->attached = !err;
	if (!err)
		td_location_on_ending(s->location, w->core.worker, on_ending, w);
	if (!err)
		td_calls_attach(s->calls, &w->core);
	if (!err)
		err = td_registrar_open(&w->registrar, &w->core);
	if (!err)
		err = td_proxy_open(&w->proxy, &w->core, s->calls);
	if (!err)
		err = td_redirect_open(&w->redirect, &w->core);
	return err;
}

int worker_open(struct worker **out, struct td_server *s, unsigned index, const struct td_server_options *opt, struct td_out *why)
{
	struct worker *w = aligned_alloc(64, (sizeof(*w) + 63) / 64 * 64); /* no two workers' counters in one cache line */
	int err = 0;

	if (!w)
		return -ENOMEM;
	*w = (struct worker){
		.server = s,
		.core = {
			.worker = index, .workers = s->worker_n, .log = s->log, .cfg = td_config_ref(s->cfg), .users = opt->users,
			.nonces = s->nonces, .bans = s->bans, .ha2 = &w->ha2, .location = s->location, .counters = &w->counters,
		},
	};
	memcpy(w->core.rr_key, opt->rr_key, sizeof(w->core.rr_key));
	*out = w; /* worker_close() takes it in any state */
	if (s->simulated) {
		w->core.loop = opt->loops[index];
		w->net = opt->nets[index];
	} else {
		err = td_loop_open(&w->core.loop);
		if (!err)
			err = td_net_open(&w->net, w->core.loop);
	}
	if (!err)
		err = td_users_reader(opt->users, w->core.loop);
	if (!err)
		err = open_stack(w);
	if (!err)
		err = listen_all(w, why);
	return err;
}

/* What has transactions or calls in it goes first, over all workers; then worker_close(). */
void worker_close_roles(struct worker *w)
{
	td_proxy_close(w->proxy);
	td_redirect_close(w->redirect);
	td_registrar_close(w->registrar);
	if (w->server->calls)
		td_calls_detach(w->server->calls, w->core.worker);
	w->proxy = NULL;
	w->redirect = NULL;
	w->registrar = NULL;
	if (w->attached)
		td_location_detach(w->core.location, w->core.worker);
	w->attached = false;
	td_txl_close(w->core.txl);
	w->core.txl = NULL;
}

void worker_close(struct worker *w)
{
	td_push_close(w->core.push);
	td_locator_close(w->core.locator);
	td_dns_close(w->core.dns);
	td_tp_close(w->core.tp);
	td_guard_close(w->guard);
	td_trace_close(w->core.trace);
	if (!w->server->simulated) {
		td_net_close(w->net);
		td_loop_close(w->core.loop);
	}
	td_config_unref(w->core.cfg);
	free(w);
}
