/*
 * The thread beside the workers. libwebsockets has sockets and a loop of its own; it would stand in a worker's way, and TLS handshakes
 * of a thousand browsers that come back at once would hold up the calls there. So it has a thread, with a transport that is the
 * group's outsider: messages come in here, are looked at by a guard, parsed, and given to the worker whose call they are, as workers
 * do among each other; what is sent comes by the same mail.
 */
#include "server/worker/internal.h"

#include <errno.h>
#include <stdlib.h>

#include "server/web/web.h"

bool worker_outside(enum td_proto p)
{
	return p == TD_WS || p == TD_WSS;
}

/* ---- messages ---- */

/* Its worker has too much to do, and would never look at it. The sender does not repeat it (§18: reliable), so it is told. */
static void turn_away(struct outside *o, struct td_msg *m, const struct td_flow *from)
{
	struct td_out out;
	struct td_buf *b;
	char tag[16];

	if (!m->request || m->method == TD_ACK || m->defect.status)
		return;
	td_rng_token(td_loop_rng(o->half.core.loop), tag, sizeof(tag));
	td_out_init(&out);
	td_put_response_head(&out, m, 503, TD_STR("Service Unavailable"), td_str_n(tag, sizeof(tag)), false);
	td_out_str(&out, td_core_come_again(&o->half.core, m, TD_CORE_SOON_S));
	td_put_body(&out, TD_STR_NULL, TD_STR_NULL);
	b = td_out_buf(&out);
	if (b)
		td_tp_send(o->half.core.tp, from, b);
	td_buf_unref(b);
}

static void on_message(void *arg, struct td_msg *msg, const struct td_flow *from)
{
	struct outside *o = TD_CONTAINER_OF((struct worker *)arg, struct outside, half);
	unsigned owner;

	if (worker_owner(&owner, o->half.server, msg)) /* forwarded without state, or a stray: any worker can tell */
		owner = o->next++ % o->half.server->worker_n;
	if (worker_give(o->half.server->workers[owner], msg, from))
		return;
	td_count(&o->half.counters.overload);
	turn_away(o, msg, from);
	td_msg_unref(msg);
}

static const struct td_tp_events events = { .admit = worker_admit, .junk = worker_junk, .message = on_message };

/* ---- life ---- */

static bool wanted(const struct td_config *cfg)
{
	for (unsigned i = 0; i < cfg->listen_n; i++)
		if (worker_outside(cfg->listen[i].proto))
			return true;
	return false;
}

static int bind_all(struct outside *o, struct td_out *why)
{
	const struct td_config *cfg = o->half.core.cfg;

	for (unsigned i = 0; i < cfg->listen_n; i++) {
		int err = worker_outside(cfg->listen[i].proto)
				  ? td_web_listen(o->web, i, cfg->listen[i].proto, &cfg->listen[i].addr)
				  : 0;

		if (err)
			return worker_cannot_listen(why, &cfg->listen[i], err);
	}
	return 0;
}

int outside_bind(struct td_server *s, const struct td_server_options *opt, struct td_out *why)
{
	struct outside *o;
	int err;

	if (s->simulated ? !opt->outside_loop : !wanted(s->cfg))
		return 0;
	o = aligned_alloc(64, (sizeof(*o) + 63) / 64 * 64); /* as a worker */
	if (!o)
		return -ENOMEM;
	*o = (struct outside){ .half = { .server = s, .core = { .log = s->log, .cfg = td_config_ref(s->cfg) } } };
	s->outside = o; /* outside_close() takes it in any state */
	if (s->simulated) {
		o->half.core.loop = opt->outside_loop;
		o->half.net = opt->outside_net;
		return td_guard_open(&o->half.guard, td_loop_rng(o->half.core.loop), s->bans);
	}
	err = td_loop_open(&o->half.core.loop);
	if (!err)
		err = td_net_open(&o->half.net, o->half.core.loop);
	if (!err)
		err = td_guard_open(&o->half.guard, td_loop_rng(o->half.core.loop), s->bans);
	if (!err)
		err = td_web_open(&o->web, o->half.core.loop, o->half.net, s->log, o->half.core.cfg, s->certs);
	return err ? err : bind_all(o, why);
}

void outside_address(struct td_addr *at, const struct td_server *s, unsigned listener)
{
	const struct td_addr *bound = s->outside && s->outside->web ? td_web_address(s->outside->web, listener) : NULL;

	if (bound)
		*at = *bound;
}

int outside_open(struct td_server *s)
{
	const struct td_tp_limits limits = worker_tp_limits(s->cfg);
	struct td_tp *first = s->workers[0]->core.tp;
	struct outside *o = s->outside;
	int err;

	if (!o)
		return 0;
	err = td_tp_open(&o->half.core.tp, s->group, s->worker_n, o->half.net, s->log, &limits, &events, &o->half);
	for (unsigned i = 0, index; i < td_tp_listeners(first) && !err; i++)
		err = td_tp_listen(o->half.core.tp, &index, td_tp_listener_proto(first, i), td_tp_listener_addr(first, i));
	if (!err && o->web)
		td_web_serve(o->web, o->half.core.tp);
	return err;
}

void outside_config(struct outside *o, struct td_config *cfg, struct td_certs *certs)
{
	int err = o->web && certs ? td_web_certs(o->web, certs) : 0;

	if (err)
		td_log(o->half.core.log, TD_LOG_ERROR, "web certificates", TD_KERR(err),
		       TD_KZ("next", "the old ones stay in use for wss"));
	if (o->web)
		td_web_config(o->web, cfg);
	td_config_unref(o->half.core.cfg);
	o->half.core.cfg = cfg;
}

void outside_status(struct outside *o, struct td_server_status *out)
{
	memcpy(&out->count, &o->half.counters, sizeof(out->count));
	out->tp = *td_tp_stats(o->half.core.tp);
	out->guard = *td_guard_stats(o->half.guard);
}

static void *outside_main(void *arg)
{
	struct outside *o = arg;
	int err = td_loop_run(o->half.core.loop);

	if (err)
		td_log(o->half.server->log, TD_LOG_ERROR, "web stopped", TD_KERR(err));
	return NULL;
}

int outside_start(struct outside *o)
{
	int err = o && !o->half.server->simulated ? pthread_create(&o->half.thread, NULL, outside_main, o) : 0;

	if (o && !o->half.server->simulated)
		o->half.running = !err;
	return -err;
}

static void stop_loop(struct td_mail *m, void *arg)
{
	td_loop_stop(arg);
}

void outside_stop(struct outside *o)
{
	if (!o || !o->half.running)
		return;
	o->half.stop = (struct td_mail){ .fn = stop_loop, .arg = o->half.core.loop };
	td_loop_post(o->half.core.loop, &o->half.stop);
	pthread_join(o->half.thread, NULL);
	o->half.running = false;
}

bool outside_drain(struct outside *o)
{
	return o && o->half.core.loop && td_loop_drain(o->half.core.loop);
}

void outside_close(struct td_server *s)
{
	struct outside *o = s->outside;

	if (!o)
		return;
	s->outside = NULL;
	td_tp_close(o->half.core.tp);
	td_web_close(o->web);
	td_guard_close(o->half.guard);
	if (!s->simulated) {
		td_net_close(o->half.net);
		td_loop_close(o->half.core.loop);
	}
	td_config_unref(o->half.core.cfg);
	free(o);
}
