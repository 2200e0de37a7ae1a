/*
 * A worker's transaction layer: takes each message to its machine, and what has none to the TU (RFC 3261 §17.1.3, §17.2.3,
 * RFC 6026 §8.9, §8.10). ACK and CANCEL mean an INVITE transaction and never have one of their own here: an ACK creates none,
 * and CANCEL is answered without state, which a repeated CANCEL cannot tell from a transaction.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>

static const struct td_txn_timers default_timers = { .t1_ms = 500, .t2_ms = 4000, .t4_ms = 5000 };

int td_txl_open(struct td_txl **out, struct td_tp *tp, const struct td_txn_timers *timers, struct td_log *log,
		const struct td_txl_events *events, void *arg)
{
	struct td_txl *txl = calloc(1, sizeof(*txl));

	if (!txl)
		return -ENOMEM;
	txl->tp = tp;
	txl->loop = td_tp_loop(tp);
	txl->log = log;
	txl->timers = timers ? *timers : default_timers;
	txl->events = events;
	txl->arg = arg;
	td_list_init(&txl->ways);
	td_hash_key_init(&txl->key, td_loop_rng(txl->loop));
	if (td_map_init(&txl->srvtxs, 64))
		goto memory;
	if (td_map_init(&txl->clitxs, 64))
		goto srvtxs;
	*out = txl;
	return 0;
srvtxs:
	td_map_free(&txl->srvtxs);
memory:
	free(txl);
	return -ENOMEM;
}

static bool drop(struct td_map_node *n, void *arg)
{
	txn_drop(TD_CONTAINER_OF(n, struct txn, node));
	return true;
}

void td_txl_close(struct td_txl *txl)
{
	if (!txl)
		return;
	td_map_each(&txl->srvtxs, drop, NULL);
	td_map_each(&txl->clitxs, drop, NULL);
	ways_back_end(txl);
	td_map_free(&txl->srvtxs);
	td_map_free(&txl->clitxs);
	free(txl);
}

void td_txl_locate(struct td_txl *txl, struct td_locator *locator)
{
	txl->locator = locator;
}

static void receive_ack(struct td_txl *txl, struct td_srvtx *st, struct td_msg *msg, const struct td_flow *from)
{
	struct stimulus s = { .msg = msg, .from = from };

	if (st && txn_ack_fits(st, msg))
		txn_step(&st->t, EV_ACK, &s);
	else if (txl->events->ack)
		txl->events->ack(txl->arg, msg, from);
}

static void receive_request(struct td_txl *txl, struct td_msg *msg, const struct td_flow *from)
{
	struct td_srvtx *st = NULL;
	bool any = txl->srvtxs.count > 0; /* none, where all is forwarded without state */

	if (any) {
		txn_key_of(&txl->recent, txl, msg);
		st = txn_find_server(txl, &txl->recent);
	}
	if (msg->method == TD_ACK) {
		receive_ack(txl, st, msg, from);
	} else if (msg->method == TD_CANCEL) {
		if (st)
			srvtx_cancel(st, msg, from);
		else if (txl->events->cancel)
			txl->events->cancel(txl->arg, msg, from);
	} else if (st) {
		txl->stats.retransmissions_in++;
		txn_step(&st->t, EV_REQUEST, &(struct stimulus){ .msg = msg, .from = from });
	} else if (txl->events->request) {
		txl->recent_of = any ? msg : NULL;
		txl->events->request(txl->arg, msg, from);
		txl->recent_of = NULL;
	}
}

/* §16.7 item 3: an answer to what we forwarded has the Via of whoever sent us the request below ours. */
static bool has_second_via(const struct td_msg *m)
{
	const struct td_hdr *first = td_msg_hdr(m, TD_HDR_VIA);
	struct td_values it;
	struct td_str v;

	if (td_msg_hdr_next(m, first))
		return true;
	td_values_of(&it, m, TD_HDR_VIA);
	return td_values_next(&v, &it) == 1 && td_values_next(&v, &it) == 1;
}

static void receive_response(struct td_txl *txl, struct td_msg *msg, const struct td_flow *from)
{
	struct td_clitx *ct = txn_find_client(txl, txn_branch_hash(txl, msg->via.branch), msg->via.branch, msg->method);
	enum txn_event ev = msg->status < 200 ? EV_1XX : msg->status < 300 ? EV_2XX : EV_300_699;

	if (ct && ct->forwarded && !has_second_via(msg))
		ct = NULL; /* it must not end a transaction whose client would never hear of it (P11) */
	if (ct) {
		if (ct->final)
			txl->stats.retransmissions_in++;
		txn_step(&ct->t, ev, &(struct stimulus){ .msg = msg, .from = from });
	} else if (txl->events->response) {
		txl->events->response(txl->arg, msg, from);
	}
}

void td_txl_coming(struct td_txl *txl, struct td_msg *msg)
{
	if (!msg->request) {
		if (txl->clitxs.count)
			td_map_fetch(&txl->clitxs, txn_branch_hash(txl, msg->via.branch));
	} else if (!msg->defect.status && txl->srvtxs.count) {
		msg->hash = txn_request_hash(txl, msg);
		td_map_fetch(&txl->srvtxs, msg->hash);
	}
}

void td_txl_receive(struct td_txl *txl, struct td_msg *msg, const struct td_flow *from)
{
	if (msg->request)
		receive_request(txl, msg, from);
	else
		receive_response(txl, msg, from);
}

const struct td_txl_stats *td_txl_stats(const struct td_txl *txl)
{
	return &txl->stats;
}

struct td_tp *td_txl_transport(struct td_txl *txl)
{
	return txl->tp;
}

struct td_loop *td_txl_loop(struct td_txl *txl)
{
	return txl->loop;
}
