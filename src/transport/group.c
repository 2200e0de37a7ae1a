/*
 * The transports of a server's workers. A connection lives on the worker that accepted or opened it; another worker that
 * has a message for it posts the message there, in order and without a lock (td_loop_post wakes once per batch). What goes
 * wrong there comes back the same way and ends at the flow's watches.
 *
 * Which connection leads to a peer is known to the whole group: a Contact may name the far end of a connection that another
 * worker accepted, and no new one could be opened to it. That table is the one place here with locks; they are taken when
 * a connection begins or ends, and when a message goes to an address that the worker itself has no connection to.
 *
 * One more transport may join, which is no worker: an outsider with a thread of its own, on which connections of another library
 * live (adopted.c). It receives and sends for the workers as they do for each other.
 *
 * A transport joins before its worker runs and leaves after all workers of the group have stopped, so the slots do not
 * change while anybody posts.
 */
#include "internal.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

enum { SHARDS = 16 }; /* of the table of peers, so that workers seldom meet at a lock */

struct shard {
	pthread_mutex_t lock;
	struct td_map peers; /* of tp_shared.node */
};

struct slot {
	struct td_tp *tp;
	struct td_loop *loop;
};

struct td_tp_group {
	struct shard shards[SHARDS];
	struct td_hash_key key;
	unsigned workers;
	struct slot slot[]; /* the workers', and the outsider's */
};

struct post {
	struct td_mail mail;
	struct td_tp_group *group;
	enum { POST_SEND, POST_TRUST, POST_LOST } kind;
	int err;
	uint8_t to, from; /* workers */
	uint64_t conn;
	struct td_buf *buf;
};

int td_tp_group_open(struct td_tp_group **out, unsigned workers)
{
	struct td_tp_group *g;
	unsigned i;

	if (workers == 0 || workers > 255) /* the number of a transport has 8 bits of a flow */
		return TD_ELIMIT;
	g = calloc(1, sizeof(*g) + (workers + 1) * sizeof(g->slot[0]));
	if (!g)
		return -ENOMEM;
	g->workers = workers;
	for (i = 0; i < SHARDS; i++) {
		pthread_mutex_init(&g->shards[i].lock, NULL);
		if (td_map_init(&g->shards[i].peers, 0)) {
			td_tp_group_close(g);
			return -ENOMEM;
		}
	}
	*out = g;
	return 0;
}

void td_tp_group_close(struct td_tp_group *g)
{
	unsigned i;

	for (i = 0; g && i < SHARDS; i++) {
		td_map_free(&g->shards[i].peers);
		pthread_mutex_destroy(&g->shards[i].lock);
	}
	free(g);
}

int tp_group_join(struct td_tp_group *g, struct td_tp *tp)
{
	if (tp->worker > g->workers)
		return TD_ELIMIT;
	if (g->slot[tp->worker].tp)
		return TD_EEXIST;
	if (!tp->worker)
		g->key = tp->key;
	g->slot[tp->worker] = (struct slot){ .tp = tp, .loop = tp->loop };
	return 0;
}

void tp_group_leave(struct td_tp_group *g, struct td_tp *tp)
{
	g->slot[tp->worker] = (struct slot){ 0 };
}

unsigned tp_group_workers(const struct td_tp_group *g)
{
	return g->workers;
}

/* ---- the connections of all workers, by peer ---- */

/* Nobody else is there who could ask. */
static bool alone(const struct td_tp_group *g)
{
	return g->workers == 1 && !g->slot[1].tp;
}

static uint64_t shared_hash(const struct td_tp_group *g, unsigned proto, const struct td_addr *peer)
{
	return td_addr_hash(&g->key, peer) + proto;
}

static struct shard *shard_of(struct td_tp_group *g, uint64_t hash)
{
	return &g->shards[(hash >> 16) % SHARDS];
}

static bool shared_eq(const struct td_map_node *node, const void *key)
{
	return tp_shared_leads_to(TD_CONTAINER_OF(node, struct tp_shared, node), key);
}

void tp_group_share(struct td_tp_group *g, struct tp_shared *s)
{
	uint64_t hash = shared_hash(g, s->flow.proto, &s->flow.peer);
	struct shard *sh = shard_of(g, hash);

	if (alone(g))
		return;
	pthread_mutex_lock(&sh->lock);
	td_map_add(&sh->peers, &s->node, hash);
	pthread_mutex_unlock(&sh->lock);
}

void tp_group_unshare(struct td_tp_group *g, struct tp_shared *s)
{
	struct shard *sh = shard_of(g, s->node.hash);

	if (alone(g))
		return;
	pthread_mutex_lock(&sh->lock);
	td_map_del(&sh->peers, &s->node);
	pthread_mutex_unlock(&sh->lock);
}

static bool shared_is(const struct td_map_node *node, const void *key)
{
	return TD_CONTAINER_OF(node, struct tp_shared, node)->flow.conn == ((const struct td_flow *)key)->conn;
}

bool tp_group_has(struct td_tp_group *g, const struct td_flow *f)
{
	uint64_t hash = shared_hash(g, f->proto, &f->peer);
	struct shard *sh = shard_of(g, hash);
	bool has;

	pthread_mutex_lock(&sh->lock);
	has = td_map_find(&sh->peers, hash, shared_is, f) != NULL;
	pthread_mutex_unlock(&sh->lock);
	return has;
}

bool tp_group_find(struct td_flow *out, struct td_tp_group *g, const struct tp_listener *ln, const struct td_addr *peer,
		   struct td_str host)
{
	struct tp_peer_key key = { peer, host, ln->proto };
	uint64_t hash = shared_hash(g, ln->proto, peer);
	struct shard *sh = shard_of(g, hash);
	struct td_map_node *n;

	if (alone(g))
		return false;
	pthread_mutex_lock(&sh->lock);
	n = td_map_find(&sh->peers, hash, shared_eq, &key);
	if (n)
		*out = TD_CONTAINER_OF(n, struct tp_shared, node)->flow;
	pthread_mutex_unlock(&sh->lock);
	return n != NULL;
}

/* ---- mail between workers ---- */

static void arrived(struct td_mail *m, void *arg);

static int post(struct td_tp *tp, const struct post *what)
{
	struct td_loop *loop = what->to <= tp->group->workers ? tp->group->slot[what->to].loop : NULL;
	struct post *p;

	if (!loop)
		return TD_ECLOSED;
	p = malloc(sizeof(*p));
	if (!p)
		return -ENOMEM;
	*p = *what;
	p->mail = (struct td_mail){ .fn = arrived, .arg = p };
	p->group = tp->group;
	p->from = (uint8_t)tp->worker;
	if (p->buf)
		td_buf_ref(p->buf);
	td_loop_post(loop, &p->mail);
	return 0;
}

int tp_post_send(struct td_tp *tp, const struct td_flow *to, struct td_buf *buf)
{
	return post(tp, &(struct post){ .kind = POST_SEND, .to = (uint8_t)td_flow_worker(to), .conn = to->conn, .buf = buf });
}

void tp_post_trust(struct td_tp *tp, const struct td_flow *f)
{
	post(tp, &(struct post){ .kind = POST_TRUST, .to = (uint8_t)td_flow_worker(f), .conn = f->conn });
}

void tp_post_lost(struct td_tp *tp, uint64_t mates, uint64_t conn, int why)
{
	unsigned w;

	for (w = 0; mates && w < tp->group->workers; w++)
		if (w != tp->worker && mates >> (w % 64) & 1)
			post(tp, &(struct post){ .kind = POST_LOST, .to = (uint8_t)w, .conn = conn, .err = why });
}

/* A worker asks to send over a connection of ours. It learns of the end of the connection, now or later. */
static void send_for(struct td_tp *tp, const struct post *p)
{
	struct tp_conn *c = tp_conn_find(tp, p->conn);

	if (!c) {
		post(tp, &(struct post){ .kind = POST_LOST, .to = p->from, .conn = p->conn, .err = TD_ECLOSED });
		return;
	}
	c->mates |= UINT64_C(1) << (p->from % 64);
	if (tp_conn_send(c, p->buf))
		tp->stats.send_failed++;
	else
		tp->stats.sent++;
}

static void arrived(struct td_mail *m, void *arg)
{
	struct post *p = arg;
	struct td_tp *tp = p->group->slot[p->to].tp;
	struct tp_conn *c;

	if (tp && p->kind == POST_SEND) {
		send_for(tp, p);
	} else if (tp && p->kind == POST_TRUST) {
		c = tp_conn_find(tp, p->conn);
		if (c)
			tp_conn_trust(c);
	} else if (tp) {
		tp_lose_remote(tp, p->conn, p->err);
	}
	td_buf_unref(p->buf);
	free(p);
}
