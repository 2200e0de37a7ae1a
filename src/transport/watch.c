/*
 * Watches: a transaction on a connection hears at once when the connection is gone, instead of waiting for its timer. A
 * watch hangs on its connection, or, when that lives on another worker, in a small table here: the owner of the connection
 * remembers which workers have sent over it and posts them its end (group.c).
 */
#include "internal.h"

static struct td_link *bucket(struct td_tp *tp, uint64_t conn)
{
	return &tp->remote[conn % TP_REMOTE_BUCKETS];
}

static void lose(struct td_tp *tp, struct td_flow_watch *w, int why)
{
	td_list_del(&w->link);
	w->err = why;
	td_list_add_tail(&tp->lost, &w->link);
	td_loop_defer(tp->loop, &tp->sweep);
}

/* Moves the watches of a dead connection where the end of the turn finds them. */
void tp_lose(struct td_tp *tp, struct td_link *watches, int why)
{
	while (!td_list_empty(watches))
		lose(tp, TD_CONTAINER_OF(watches->next, struct td_flow_watch, link), why);
}

void tp_lose_remote(struct td_tp *tp, uint64_t conn, int why)
{
	struct td_link *head = bucket(tp, conn), *l, *next;

	for (l = head->next; l != head; l = next) {
		struct td_flow_watch *w = TD_CONTAINER_OF(l, struct td_flow_watch, link);

		next = l->next;
		if (w->conn == conn)
			lose(tp, w, why);
	}
}

void td_flow_watch(struct td_tp *tp, const struct td_flow *f, struct td_flow_watch *w, td_flow_watch_fn *fn, void *arg)
{
	struct tp_conn *c;

	*w = (struct td_flow_watch){ .fn = fn, .arg = arg, .conn = f->conn };
	if (!f->conn)
		return;
	if (td_flow_worker(f) != tp->worker) {
		td_list_add_tail(bucket(tp, f->conn), &w->link);
		return;
	}
	c = tp_conn_find(tp, f->conn);
	if (c) {
		td_list_add_tail(&c->watches, &w->link);
		return;
	}
	td_list_add_tail(&tp->lost, &w->link);
	w->err = TD_ECLOSED;
	td_loop_defer(tp->loop, &tp->sweep);
}

void td_flow_unwatch(struct td_tp *tp, struct td_flow_watch *w)
{
	td_list_del(&w->link);
}
