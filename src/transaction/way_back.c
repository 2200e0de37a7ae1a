/*
 * The way of a final response whose connection is gone (RFC 3261 §18.2.2). It goes over a new one to where its request came from, at the
 * port of its sent-by; when nobody takes that, to where the name in its sent-by leads (RFC 3263 §5), one target after the other: a proxy
 * that died in the middle of a call may have a twin there.
 *
 * A numeric sent-by is not followed, since that would be to send where a peer merely says (P5); and the transaction's user is asked
 * about each address. The response is given up after 64*T1, when nobody waits for it any more.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>

enum { WAYS_MAX = 256 }; /* of one worker */

struct way_back {
	struct td_link link;
	struct td_txl *txl;
	struct td_buf *bytes;
	struct td_flow flow;
	struct td_flow_watch watch;
	struct td_timer look; /* is it connected now? */
	struct td_locate *locate;
	struct td_via via; /* transport, host and port */
	uint64_t until_ms;
	char text[];
};

static void way_end(struct way_back *w)
{
	td_flow_unwatch(w->txl->tp, &w->watch);
	td_timer_stop(w->txl->loop, &w->look);
	td_locate_close(w->locate);
	td_buf_unref(w->bytes);
	td_list_del(&w->link);
	w->txl->way_n--;
	free(w);
}

static void tell(const struct way_back *w, const char *what, int err)
{
	char text[TD_ADDR_TEXT];

	td_log(w->txl->log, TD_LOG_INFO, what, TD_KS("host", w->via.host), TD_KZ("peer", td_addr_text(text, &w->flow.peer)),
	       TD_KERR(err));
}

/* The next target of the name. Not 0: there can be none, and w is gone. */
static int way_on(struct way_back *w);

static void on_lost(struct td_flow_watch *watch, int err, void *arg)
{
	way_on(arg);
}

/* What is queued for a connection that stands goes out over it, as far as anybody can know. */
static void on_look(struct td_timer *tm, void *arg)
{
	struct way_back *w = arg;
	struct td_txl *txl = w->txl;

	if ((w->flow.conn && td_tp_flow_connected(txl->tp, &w->flow)) || td_loop_now_ms(txl->loop) >= w->until_ms)
		way_end(w);
	else
		td_timer_start(txl->loop, &w->look, txl->timers.t1_ms);
}

static int try_flow(struct way_back *w)
{
	int err = td_tp_send(w->txl->tp, &w->flow, w->bytes);

	if (!err)
		td_flow_watch(w->txl->tp, &w->flow, &w->watch, on_lost, w);
	return err;
}

static void on_found(void *arg, int err, const struct td_hop *hop)
{
	struct way_back *w = arg;
	struct td_txl *txl = w->txl;

	if (err) {
		tell(w, "txn response-lost", err);
		way_end(w);
		return;
	}
	if (!txl->events->may_return || !txl->events->may_return(txl->arg, &hop->addr))
		err = TD_EDENIED;
	else
		err = td_tp_flow_to_host(&w->flow, txl->tp, hop->proto, &hop->addr, w->via.host);
	if (!err)
		err = try_flow(w);
	if (err)
		td_locate_next(w->locate);
	else
		tell(w, "txn response-by-name", 0);
}

static const struct td_locate_events locate_events = { .found = on_found };

static int way_on(struct way_back *w)
{
	int err = 0;

	w->flow.conn = 0;
	if (!w->locate)
		err = td_locate_open_via(&w->locate, w->txl->locator, &w->via, &locate_events, w);
	if (err) {
		tell(w, "txn response-lost", err);
		way_end(w);
	} else {
		td_locate_next(w->locate);
	}
	return err;
}

int way_back(struct td_txl *txl, const struct td_via *via, const struct td_flow *first, struct td_buf *bytes)
{
	size_t n = via->transport.n + via->host.n;
	struct td_addr numeric;
	struct way_back *w;
	struct td_out o;

	if (!txl->locator || !td_ip_parse(&numeric, via->host))
		return TD_ECLOSED;
	w = txl->way_n < WAYS_MAX ? calloc(1, sizeof(*w) + n) : NULL;
	if (!w)
		return -ENOMEM;
	td_out_init_fixed(&o, w->text, n);
	td_out_str(&o, via->transport);
	td_out_str(&o, via->host);
	w->via = (struct td_via){
		.transport = td_str_n(w->text, via->transport.n),
		.host = td_str_n(w->text + via->transport.n, via->host.n),
		.port = via->port,
	};
	w->txl = txl;
	w->bytes = td_buf_ref(bytes);
	w->until_ms = td_loop_now_ms(txl->loop) + 64 * (uint64_t)txl->timers.t1_ms;
	td_timer_init(&w->look, on_look, w);
	td_timer_start(txl->loop, &w->look, txl->timers.t1_ms);
	td_list_add_tail(&txl->ways, &w->link);
	txl->way_n++;
	if (first)
		w->flow = *first;
	return !first || try_flow(w) ? way_on(w) : 0;
}

void ways_back_end(struct td_txl *txl)
{
	while (!td_list_empty(&txl->ways))
		way_end(TD_CONTAINER_OF(txl->ways.next, struct way_back, link));
}
