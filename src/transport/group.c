/*
 * The transports of a server's workers. A connection lives on the worker that accepted or opened it; another worker that
 * has a message for it posts the message there, in order and without a lock (td_loop_post wakes once per batch). What goes
 * wrong there comes back the same way and ends at the flow's watches.
 *
 * A transport joins before its worker runs and leaves after all workers of the group have stopped, so the slots do not
 * change while anybody posts.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>

struct slot {
	struct td_tp *tp;
	struct td_loop *loop;
};

struct td_tp_group {
	unsigned workers;
	struct slot slot[];
};

struct post {
	struct td_mail mail;
	struct td_tp_group *group;
	enum { POST_SEND, POST_TRUST, POST_LOST } kind;
	int err;
	uint8_t to, from;                 /* workers */
	uint64_t conn;
	struct td_buf *buf;
};

int td_tp_group_open(struct td_tp_group **out, unsigned workers)
{
	struct td_tp_group *g;

	if (workers == 0 || workers > 256)        /* the worker's number has 8 bits of a flow */
		return TD_ELIMIT;
	g = calloc(1, sizeof(*g) + workers * sizeof(g->slot[0]));
	if (!g)
		return -ENOMEM;
	g->workers = workers;
	*out = g;
	return 0;
}

void td_tp_group_close(struct td_tp_group *g)
{
	free(g);
}

int tp_group_join(struct td_tp_group *g, struct td_tp *tp)
{
	if (tp->worker >= g->workers)
		return TD_ELIMIT;
	if (g->slot[tp->worker].tp)
		return TD_EEXIST;
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

static void arrived(struct td_mail *m, void *arg);

static int post(struct td_tp *tp, const struct post *what)
{
	struct td_loop *loop = what->to < tp->group->workers ? tp->group->slot[what->to].loop : NULL;
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
