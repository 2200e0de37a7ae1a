/*
 * Connections of a worker: found by their number (a flow names it) and by protocol and peer (RFC 3261 §18: reuse). One timer
 * each, for whichever limit is nearest (T1):
 *
 *   a message has begun      it must be whole within message_deadline_ms of its first byte
 *   nobody vouched for it    a whole message at least every message_deadline_ms; CR LF pings do not count
 *   trusted                  some traffic every idle_ms
 *
 * A connection with a transaction on it (a watch) is not idle. Connections per source address are capped; at the cap the
 * source's oldest connection without trust makes room, so an attacker behind the same NAT cannot lock out phones that have
 * registered. An idle connection owns no buffer.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>

/* ---- tables ---- */

static bool id_eq(const struct td_map_node *node, const void *key)
{
	return TD_CONTAINER_OF(node, struct tp_conn, by_id)->shared.flow.conn == *(const uint64_t *)key;
}

static bool peer_eq(const struct td_map_node *node, const void *key)
{
	return tp_shared_leads_to(&TD_CONTAINER_OF(node, struct tp_conn, by_peer)->shared, key);
}

static bool source_eq(const struct td_map_node *node, const void *key)
{
	return td_ip_eq(&TD_CONTAINER_OF(node, struct tp_source, node)->ip, key);
}

static uint64_t peer_hash(const struct td_tp *tp, uint8_t proto, const struct td_addr *a)
{
	return td_addr_hash(&tp->key, a) + proto;
}

static struct td_addr ip_of(const struct td_addr *a)
{
	struct td_addr ip = *a;

	ip.port = 0;
	return ip;
}

struct tp_conn *tp_conn_find(const struct td_tp *tp, uint64_t id)
{
	struct td_map_node *n;

	if (tp->recent && tp->recent->shared.flow.conn == id)
		return tp->recent;
	n = td_map_find(&tp->conns, td_hash(&tp->key, &id, sizeof(id)), id_eq, &id);
	return n ? TD_CONTAINER_OF(n, struct tp_conn, by_id) : NULL;
}

static void register_conn(struct tp_conn *c)
{
	struct td_tp *tp = c->tp;
	struct td_flow *f = &c->shared.flow;

	/* Never used twice: an old flow must not reach a new peer. The first is random, because flows outlive a restart. */
	f->conn = (uint64_t)tp->worker << TP_CONN_SERIAL_BITS | (++tp->serial & ((UINT64_C(1) << TP_CONN_SERIAL_BITS) - 1));
	td_map_add(&tp->conns, &c->by_id, td_hash(&tp->key, &f->conn, sizeof(f->conn)));
	td_map_add(&tp->peers, &c->by_peer, peer_hash(tp, f->proto, &f->peer));
	tp_group_share(tp->group, &c->shared);
}

struct td_flow tp_conn_flow(const struct tp_conn *c)
{
	return c->shared.flow;
}

/* ---- sources ---- */

static struct tp_source *source_of(struct td_tp *tp, const struct td_addr *peer)
{
	struct td_addr ip = ip_of(peer);
	uint64_t hash = td_addr_hash(&tp->key, &ip);
	struct td_map_node *n = td_map_find(&tp->sources, hash, source_eq, &ip);
	struct tp_source *s;

	if (n)
		return TD_CONTAINER_OF(n, struct tp_source, node);
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->ip = ip;
	td_list_init(&s->strangers);
	td_map_add(&tp->sources, &s->node, hash);
	return s;
}

static void source_release(struct td_tp *tp, struct tp_source *s)
{
	if (s->count)
		return;
	td_map_del(&tp->sources, &s->node);
	free(s);
}

/* Room for one more connection of s, at the cost of its oldest stranger if need be. */
static bool make_room(struct td_tp *tp, struct tp_source *s)
{
	struct tp_conn *oldest;

	if (s->count < tp->limits.per_source)
		return true;
	if (td_list_empty(&s->strangers))
		return false;
	oldest = TD_CONTAINER_OF(s->strangers.next, struct tp_conn, stranger);
	s->count++; /* so that s outlives it */
	tp_conn_end(oldest, TD_ELIMIT, false);
	s->count--;
	return true;
}

void tp_conn_trust(struct tp_conn *c)
{
	if (c->trusted || c->gone)
		return;
	c->trusted = true;
	td_list_del(&c->stranger);
	tp_conn_arm(c);
}

/* ---- limits in time ---- */

static uint64_t due_ms(const struct tp_conn *c)
{
	const struct td_tp_limits *l = &c->tp->limits;

	if (c->part)
		return c->begun_ms + l->message_deadline_ms;
	if (td_link_on(&c->shaking))
		return c->active_ms + l->message_deadline_ms;
	return c->active_ms + (c->trusted ? l->idle_ms : l->message_deadline_ms);
}

static void arm_at(struct tp_conn *c, uint64_t at_ms)
{
	uint64_t now = td_loop_now_ms(c->tp->loop);

	td_timer_start(c->tp->loop, &c->timer, at_ms > now ? at_ms - now : 0);
}

/* Traffic moves a limit without touching the timer: that looks again when it fires. Only a nearer limit must be told. */
void tp_conn_arm(struct tp_conn *c)
{
	arm_at(c, due_ms(c));
}

static void timer_fired(struct td_timer *tm, void *arg)
{
	struct tp_conn *c = arg;
	uint64_t due = due_ms(c), now = td_loop_now_ms(c->tp->loop);

	if (due > now)
		arm_at(c, due);
	else if (!c->part && !td_link_on(&c->shaking) && !td_list_empty(&c->watches))
		arm_at(c, now + c->tp->limits.message_deadline_ms);
	else
		tp_conn_end(c, TD_ETIMEOUT, false);
}

/* ---- life ---- */

static void on_connected(struct td_conn *io, void *arg)
{
	struct tp_conn *c = arg;

	c->active_ms = td_loop_now_ms(c->tp->loop);
	c->connecting = false;
	if (c->shared.flow.proto == TD_TLS)
		tp_secure_up(c);
}

static void on_data(struct td_conn *io, struct td_str bytes, void *arg)
{
	tp_stream_data(arg, bytes);
}

static void on_closed(struct td_conn *io, int err, void *arg)
{
	struct tp_conn *c = arg;

	if (c->shared.flow.proto == TD_TLS)
		tp_secure_failed(c, err);
	tp_conn_end(c, err ? err : TD_ECLOSED, err == 0); /* what was sent to a half-closed peer still goes */
}

static const struct td_conn_events conn_events = {
	.connected = on_connected,
	.data = on_data,
	.closed = on_closed,
};

static struct tp_conn *conn_new(struct td_tp *tp, const struct tp_listener *ln, const struct td_addr *peer)
{
	struct tp_conn *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->tp = tp;
	c->shared.flow = (struct td_flow){ .peer = *peer, .proto = ln->proto, .listener = ln->index };
	c->active_ms = td_loop_now_ms(tp->loop);
	td_list_init(&c->watches);
	td_timer_init(&c->timer, timer_fired, c);
	return c;
}

static void carry(struct tp_conn *c, struct td_conn *io)
{
	c->io = io;
	td_conn_set_limit(io, c->tp->limits.out_queue_bytes);
	td_conn_handle(io, &conn_events, c);
}

/* Somebody has connected: a stranger's connection, on every table; or NULL, when his source may have no more. */
struct tp_conn *tp_conn_from(const struct tp_listener *ln, const struct td_addr *peer)
{
	struct td_tp *tp = ln->tp;
	struct td_flow flow = { .peer = *peer, .proto = ln->proto, .listener = ln->index };
	struct tp_source *s;
	struct tp_conn *c;

	if (!tp_admit(tp, &flow, TD_STR_NULL) || !(s = source_of(tp, peer)))
		return NULL;
	c = make_room(tp, s) ? conn_new(tp, ln, peer) : NULL;
	if (!c) {
		source_release(tp, s);
		return NULL;
	}
	c->source = s;
	c->shared.accepted = true;
	s->count++;
	td_list_add_tail(&s->strangers, &c->stranger);
	register_conn(c);
	tp_conn_arm(c);
	tp->stats.conns_accepted++;
	return c;
}

void tp_accepted(struct td_listener *l, struct td_conn *io, void *arg)
{
	struct tp_listener *ln = arg;
	struct tp_conn *c = tp_conn_from(ln, td_conn_peer(io));
	int err;

	if (!c) {
		td_conn_close(io);
		return;
	}
	carry(c, io);
	err = ln->proto == TD_TLS ? tp_secure_accept(c, ln) : 0;
	if (err)
		tp_conn_end(c, err, false);
}

/* One that is there: of this worker, by another address of its peer's, or of another worker. */
static bool find_conn(struct td_flow *out, struct td_tp *tp, const struct tp_listener *ln, const struct td_addr *peer,
		      struct td_str host)
{
	struct tp_peer_key key = { peer, host, ln->proto };
	struct td_map_node *n = td_map_find(&tp->peers, peer_hash(tp, ln->proto, peer), peer_eq, &key);
	const struct tp_shared *alias = n || ln->proto != TD_TLS ? NULL : tp_alias_find(tp, peer, host);

	if (!n && !alias)
		return tp_group_find(out, tp->group, ln, peer, host);
	*out = alias ? alias->flow : tp_conn_flow(TD_CONTAINER_OF(n, struct tp_conn, by_peer));
	return true;
}

int tp_conn_to(struct td_flow *out, struct td_tp *tp, const struct tp_listener *ln, const struct td_addr *peer,
	       struct td_str host)
{
	struct td_conn *io;
	struct tp_conn *c;
	int err;

	if (find_conn(out, tp, ln, peer, host))
		return 0;
	if (!ln->stream && !ln->dial)
		return TD_EUNSUPPORTED; /* nobody can be called there: he comes to us */
	err = td_conn_open(&io, tp->net, peer, &conn_events, NULL);
	if (err)
		return err;
	c = conn_new(tp, ln, peer);
	if (!c) {
		td_conn_close(io);
		return -ENOMEM;
	}
	carry(c, io);
	c->trusted = true; /* we chose the peer */
	c->connecting = true;
	err = ln->proto == TD_TLS ? tp_secure_connect(c, host) : 0;
	if (err) {
		td_conn_close(io);
		free(c);
		return err;
	}
	register_conn(c);
	tp_conn_arm(c);
	tp->stats.conns_opened++;
	*out = tp_conn_flow(c);
	return 0;
}

int tp_conn_send(struct tp_conn *c, struct td_buf *buf)
{
	int err = c->io ? td_conn_send(c->io, buf) : c->holder->send(c->held, buf);

	if (!err) {
		if (c->trusted)
			c->active_ms = td_loop_now_ms(c->tp->loop);
		return 0;
	}
	if (err == TD_EFULL || err == TD_ECLOSED) /* T3: a peer that does not read is not waited for */
		tp_conn_end(c, err, false);
	return err;
}

void tp_conn_end(struct tp_conn *c, int why, bool linger)
{
	struct td_tp *tp = c->tp;
	char text[TD_ADDR_TEXT];

	if (c->gone)
		return;
	c->gone = true;
	if (tp->recent == c)
		tp->recent = NULL;
	td_log(tp->log, TD_LOG_DEBUG, "transport closed", TD_KZ("peer", td_addr_text(text, &c->shared.flow.peer)),
	       TD_KU("conn", c->shared.flow.conn), TD_KERR(why));
	td_timer_stop(tp->loop, &c->timer);
	td_map_del(&tp->conns, &c->by_id);
	td_map_del(&tp->peers, &c->by_peer);
	tp_group_unshare(tp->group, &c->shared);
	if (c->shared.flow.proto == TD_TLS)
		tp_secure_end(c);
	td_list_del(&c->stranger);
	if (c->source) {
		c->source->count--;
		source_release(tp, c->source);
	}
	if (!c->io && c->holder)
		c->holder->close(c->held, why, linger);
	else if (!c->io)
		; /* its holder said so */
	else if (linger)
		td_conn_shutdown(c->io);
	else
		td_conn_close(c->io);
	tp->stats.conns_closed++;
	tp_lose(tp, &c->watches, why);
	if (!tp->closing) /* then nobody runs who could hear of it */
		tp_post_lost(tp, c->mates, c->shared.flow.conn, why);
	td_list_add_tail(&tp->gone, &c->stranger);
	td_loop_defer(tp->loop, &tp->sweep);
}

/* End of the turn: watches hear of what ended, then the connections' memory goes. */
static void sweep(struct td_defer *d, void *arg)
{
	struct td_tp *tp = arg;

	while (!td_list_empty(&tp->lost)) {
		struct td_flow_watch *w = TD_CONTAINER_OF(tp->lost.next, struct td_flow_watch, link);

		td_list_del(&w->link);
		w->fn(w, w->err, w->arg);
	}
	while (!td_list_empty(&tp->gone)) {
		struct tp_conn *c = TD_CONTAINER_OF(tp->gone.next, struct tp_conn, stranger);
		uint64_t id = c->shared.flow.conn;

		td_list_del(&c->stranger);
		td_buf_unref(c->part);
		td_buf_unref(c->shared.names);
		free(c);
		if (tp->events->conn_lost)
			tp->events->conn_lost(tp->arg, id);
	}
}

int tp_conns_init(struct td_tp *tp)
{
	unsigned i;

	td_list_init(&tp->gone);
	td_list_init(&tp->lost);
	td_list_init(&tp->shaking);
	for (i = 0; i < TP_REMOTE_BUCKETS; i++)
		td_list_init(&tp->remote[i]);
	td_defer_init(&tp->sweep, sweep, tp);
	tp->serial = td_rng_u64(td_loop_rng(tp->loop));
	if (td_map_init(&tp->conns, 16))
		return -ENOMEM;
	if (td_map_init(&tp->peers, 16))
		goto conns;
	if (td_map_init(&tp->sources, 16))
		goto peers;
	return 0;
peers:
	td_map_free(&tp->peers);
conns:
	td_map_free(&tp->conns);
	return -ENOMEM;
}

static bool end_one(struct td_map_node *n, void *arg)
{
	tp_conn_end(TD_CONTAINER_OF(n, struct tp_conn, by_id), TD_ECLOSED, true);
	return true;
}

void tp_conns_free(struct td_tp *tp)
{
	tp->closing = true;
	td_map_each(&tp->conns, end_one, NULL);
	td_loop_undefer(tp->loop, &tp->sweep);
	while (!td_list_empty(&tp->gone)) {
		struct tp_conn *c = TD_CONTAINER_OF(tp->gone.next, struct tp_conn, stranger);

		td_list_del(&c->stranger);
		td_buf_unref(c->part);
		td_buf_unref(c->shared.names);
		free(c);
	}
	if (tp->aliases.buckets)
		td_map_free(&tp->aliases);
	td_map_free(&tp->conns);
	td_map_free(&tp->peers);
	td_map_free(&tp->sources);
}
