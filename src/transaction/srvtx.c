/*
 * Server transactions: what the TU does with one, and what the arrows of invite_server.c and server.c do. The request is
 * kept until the final response has been sent; after that a transaction is its key and the response it may have to repeat.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>

static struct td_srvtx *of(struct txn *t)
{
	return TD_CONTAINER_OF(t, struct td_srvtx, t);
}

int td_srvtx_open(struct td_srvtx **out, struct td_txl *txl, struct td_msg *msg, const struct td_flow *from,
		  const struct td_srvtx_events *events, void *arg)
{
	bool invite = msg->method == TD_INVITE;
	struct txn_key made;
	const struct txn_key *key = &txl->recent;
	struct td_srvtx *st;
	struct td_flow to;

	if (txl->recent_of != msg) {
		txn_key_of(&made, txl, msg);
		key = &made;
	}
	if (txn_find_server(txl, key))
		return TD_EEXIST;
	st = calloc(1, sizeof(*st) + txn_key_size(key));
	if (!st)
		return -ENOMEM;
	if (txn_init(&st->t, txl, invite ? &td_invite_server_machine : &td_server_machine, from)) {
		free(st);
		return -ENOMEM;
	}
	td_tp_response_flow(&to, msg, from);
	st->reply_port = to.peer.port;
	st->msg = td_msg_ref(msg);
	st->events = events;
	st->arg = arg;
	st->invite = invite;
	txn_key_store(st->key, key);
	td_map_add(&txl->srvtxs, &st->t.node, key->hash);
	txl->stats.srvtx_open++;
	td_srvtx_ref(st);
	txn_step(&st->t, EV_START, &(struct stimulus){ 0 });
	*out = st;
	return 0;
}

struct td_srvtx *td_srvtx_ref(struct td_srvtx *st)
{
	st->users++;
	txn_ref(&st->t);
	return st;
}

void td_srvtx_unref(struct td_srvtx *st)
{
	if (!st)
		return;
	assert(st->users > 0);
	if (--st->users == 0 && (st->t.state == TRYING || st->t.state == PROCEEDING))
		txn_arm_life(&st->t, 64 * st->t.txl->timers.t1_ms);
	txn_unref(&st->t);
}

void srvtx_free(struct txn *t)
{
	struct td_srvtx *st = of(t);

	td_msg_unref(st->msg);
	td_buf_unref(st->shelf);
	td_buf_unref(t->out);
	free(st);
}

/* What can be parsed once can be parsed again: memory is all that may be missing. */
struct td_msg *td_srvtx_msg(struct td_srvtx *st)
{
	struct td_msg *m;

	if (!st->shelf)
		return st->msg;
	if (td_msg_parse(&m, st->shelf, 0, st->shelf->len))
		return NULL;
	if (td_tp_note_source(m, &st->t.flow)) {
		td_msg_unref(m);
		return NULL;
	}
	td_buf_unref(st->shelf);
	st->shelf = NULL;
	return st->msg = m;
}

/* The buffer it came in may have been made for far more, or hold other messages too: what is kept has the size of the message. */
void td_srvtx_shelve(struct td_srvtx *st)
{
	struct td_buf *b;

	if (!st->msg)
		return;
	if (td_buf_str(st->msg->buf).n == st->msg->bytes.n && st->msg->buf->size < 2 * st->msg->bytes.n)
		b = td_buf_ref(st->msg->buf);
	else
		b = td_buf_copy(st->msg->bytes);
	if (!b)
		return;
	st->shelf = b;
	td_msg_unref(st->msg);
	st->msg = NULL;
}

const struct td_flow *td_srvtx_flow(const struct td_srvtx *st)
{
	return &st->t.flow;
}

unsigned td_srvtx_last_status(const struct td_srvtx *st)
{
	return st->last_status;
}

void td_srvtx_detach(struct td_srvtx *st)
{
	st->events = NULL;
}

/* ---- sending ---- */

/* §18.2.2: the connection is gone, but where the request came from is known, and what its sent-by says. */
static TD_RARE int send_back(struct td_srvtx *st, struct td_buf *bytes)
{
	struct td_txl *txl = st->t.txl;
	bool final = st->last_status >= 200;
	struct td_via via = st->msg->via;
	struct td_flow to;

	via.transport = td_proto_name((enum td_proto)st->t.flow.proto); /* what it came by, whatever it says */
	if (td_tp_reconnect_flow(&to, txl->tp, st->msg, &st->t.flow))
		return final ? way_back(txl, &via, NULL, bytes) : TD_ECLOSED;
	txn_unwatch(&st->t);
	st->gone = false;
	st->t.flow = to;
	st->reply_port = to.peer.port;
	return final && !way_back(txl, &via, &to, bytes) ? 0 : td_tp_send(txl->tp, &to, bytes);
}

static int send_response(struct td_srvtx *st, struct td_buf *bytes)
{
	struct td_tp *tp = st->t.txl->tp;
	struct td_flow to = st->t.flow;
	int err;

	to.peer.port = st->reply_port;
	/* Of another worker's connection nobody tells before the first message went over it, which may be this one. */
	if (st->gone || (to.conn && td_flow_worker(&to) != td_tp_worker(tp) && !td_tp_flow_alive(tp, &to)))
		err = TD_ECLOSED;
	else
		err = td_tp_send(tp, &to, bytes);
	if (err != TD_ECLOSED || !td_srvtx_msg(st))
		return err;
	return send_back(st, bytes);
}

static int keep_and_send(struct td_srvtx *st, struct td_buf *bytes)
{
	td_buf_ref(bytes);
	td_buf_unref(st->t.out);
	st->t.out = bytes;
	return send_response(st, bytes);
}

static void send_trying(struct td_srvtx *st)
{
	struct td_buf *b;

	/* No tag (§17.2.1). Without memory the client goes on asking, and is answered when it asks again. */
	if (!td_srvtx_msg(st) || txn_build_response(&b, st->msg, 100, TD_STR_NULL, TD_STR_NULL, TD_STR_NULL))
		return;
	st->last_status = 100;
	keep_and_send(st, b);
	td_buf_unref(b);
}

static void forget(struct td_srvtx *st)
{
	td_msg_unref(st->msg);
	st->msg = NULL;
	td_buf_unref(st->shelf);
	st->shelf = NULL;
	if (st->t.state != COMPLETED) {
		td_buf_unref(st->t.out);
		st->t.out = NULL;
	}
}

int srvtx_act(struct txn *t, uint32_t actions, const struct stimulus *s)
{
	struct td_srvtx *st = of(t);
	struct td_txl *txl = t->txl;
	int err = 0;

	if (actions & SEND)
		err = keep_and_send(st, s->bytes);
	if (actions & SEND_100)
		send_trying(st);
	if (actions & RESEND && t->out) {
		txl->stats.retransmissions_out++;
		send_response(st, t->out);
	}
	if (actions & FORGET)
		forget(st);
	if (actions & TO_TU && t->state == CONFIRMED) {
		if (st->events && st->events->acked)
			st->events->acked(st, st->arg);
	} else if (actions & TO_TU) {
		if (txl->events->ack)
			txl->events->ack(txl->arg, s->msg, s->from);
	}
	st->gone |= actions & TELL_ERROR && t->flow.conn;
	if (actions & TELL_ERROR && st->events && st->events->unsent)
		st->events->unsent(st, s->err, st->arg);
	return err;
}

void srvtx_ended(struct txn *t, int why)
{
	struct td_srvtx *st = of(t);
	const struct td_srvtx_events *ev = st->events;

	st->events = NULL;
	if (ev && ev->ended)
		ev->ended(st, why, st->arg);
}

static enum txn_event event_of(unsigned status)
{
	return status < 200 ? EV_1XX : status < 300 ? EV_2XX : EV_300_699;
}

int td_srvtx_reply(struct td_srvtx *st, unsigned status, struct td_buf *bytes)
{
	enum txn_event ev = event_of(status);

	if (status < 100 || status > 699)
		return TD_ELIMIT;
	/* RFC 4320 §4.1: no provisional response but 100 to anything that is not an INVITE. */
	if (ev == EV_1XX && !st->invite && status != 100)
		return TD_EORDER;
	if (st->t.machine->rules[st->t.state][ev].next == NO_STATE)
		return TD_EORDER;
	st->last_status = (uint16_t)status;
	return txn_step(&st->t, ev, &(struct stimulus){ .bytes = bytes });
}

int td_srvtx_reply_plain(struct td_srvtx *st, unsigned status, struct td_str reason, struct td_str to_tag, struct td_str extra)
{
	char tag[TD_STATELESS_TAG_LEN];
	struct td_buf *b;
	int err;

	if (status < 100 || status > 699)
		return TD_ELIMIT;
	if (!td_srvtx_msg(st))
		return st->shelf ? -ENOMEM : TD_EORDER;
	if (!to_tag.n && status > 100) {
		td_stateless_tag(tag, st->t.txl, st->msg);
		to_tag = td_str_n(tag, sizeof(tag));
	}
	err = txn_build_response(&b, st->msg, status, reason, to_tag, extra);
	if (err)
		return err;
	err = td_srvtx_reply(st, status, b);
	td_buf_unref(b);
	return err;
}

/* ---- CANCEL ---- */

/*
 * §9.2: the answer to CANCEL should carry the To tag of the answers to the INVITE: that of a response already sent, else the
 * one a plain reply will get.
 */
static void answer_cancel(struct td_srvtx *st, struct td_msg *cancel, const struct td_flow *from)
{
	struct td_txl *txl = st->t.txl;
	struct td_msg *sent = NULL;
	struct td_str tag = { NULL, 0 };
	struct td_flow to;
	char own[TD_STATELESS_TAG_LEN];
	struct td_buf *b;

	if (st->t.out && !td_msg_parse(&sent, st->t.out, 0, st->t.out->len))
		tag = sent->to_tag;
	if (!tag.n) {
		td_stateless_tag(own, txl, cancel);
		tag = td_str_n(own, sizeof(own));
	}
	if (!txn_build_response(&b, cancel, 200, TD_STR_NULL, tag, TD_STR_NULL)) {
		td_tp_response_flow(&to, cancel, from);
		td_tp_send(txl->tp, &to, b);
		td_buf_unref(b);
	}
	td_msg_unref(sent);
}

void srvtx_cancel(struct td_srvtx *st, struct td_msg *cancel, const struct td_flow *from)
{
	if (!txn_same_flow(&st->t.flow, from)) {
		/* D3: whoever can guess a branch must not end a call. */
		td_reply_stateless(st->t.txl, cancel, from, 481, TD_STR_NULL, TD_STR_NULL);
		return;
	}
	answer_cancel(st, cancel, from);
	if (st->t.state != PROCEEDING || st->cancelled)
		return;
	st->cancelled = true;
	if (!st->events || !st->events->cancelled)
		return;
	txn_ref(&st->t);
	st->events->cancelled(st, cancel, st->arg);
	txn_unref(&st->t);
}
