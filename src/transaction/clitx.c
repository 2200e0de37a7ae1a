/*
 * Client transactions: what the TU does with one, and what the arrows of invite_client.c and client.c do. The request's own
 * bytes are kept as long as they may be sent again or an ACK or CANCEL may be made from them.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>

static struct td_clitx *of(struct txn *t)
{
	return TD_CONTAINER_OF(t, struct td_clitx, t);
}

int td_clitx_open(struct td_clitx **out, struct td_txl *txl, const struct td_clitx_options *opt,
		  const struct td_clitx_events *events, void *arg)
{
	struct td_clitx *ct;
	uint64_t hash;
	int err;

	if (opt->branch.n > TD_SIP_MAX_TOKEN)
		return TD_ELIMIT;
	hash = txn_branch_hash(txl, opt->branch);
	if (txn_find_client(txl, hash, opt->branch, opt->method))
		return TD_EEXIST;
	ct = calloc(1, sizeof(*ct) + opt->branch.n);
	if (!ct)
		return -ENOMEM;
	if (txn_init(&ct->t, txl, opt->method == TD_INVITE ? &td_invite_client_machine : &td_client_machine, &opt->to)) {
		free(ct);
		return -ENOMEM;
	}
	ct->t.out = td_buf_ref(opt->bytes);
	ct->events = events;
	ct->arg = arg;
	ct->method = (uint8_t)opt->method;
	ct->forwarded = opt->forwarded;
	ct->branch_n = (uint16_t)opt->branch.n;
	memcpy(ct->branch, opt->branch.p, opt->branch.n);
	td_map_add(&txl->clitxs, &ct->t.node, hash);
	txl->stats.clitx_open++;
	td_clitx_ref(ct);
	err = txn_step(&ct->t, EV_START, &(struct stimulus){ .bytes = opt->bytes });
	/* Out of memory is a lost datagram where the request will be sent again. */
	if (err && (err != -ENOMEM || td_proto_reliable((enum td_proto)opt->to.proto))) {
		txn_drop(&ct->t);
		td_clitx_unref(ct);
		return err;
	}
	*out = ct;
	return 0;
}

struct td_clitx *td_clitx_ref(struct td_clitx *ct)
{
	txn_ref(&ct->t);
	return ct;
}

void td_clitx_unref(struct td_clitx *ct)
{
	if (ct)
		txn_unref(&ct->t);
}

void clitx_free(struct txn *t)
{
	struct td_clitx *ct = of(t);

	td_buf_unref(t->out);
	td_buf_unref(ct->ack);
	td_buf_unref(ct->cancel);
	free(ct);
}

bool td_clitx_had_provisional(const struct td_clitx *ct)
{
	return ct->provisional;
}

bool td_clitx_had_final(const struct td_clitx *ct)
{
	return ct->final;
}

const struct td_flow *td_clitx_flow(const struct td_clitx *ct)
{
	return &ct->t.flow;
}

struct td_buf *td_clitx_bytes(const struct td_clitx *ct)
{
	return ct->t.out;
}

/* ---- CANCEL (§9.1) ---- */

/* From here on Proceeding ends by itself (GIVE_UP). */
static void end_some_time(struct td_clitx *ct)
{
	if (ct->t.state == PROCEEDING && !td_timer_running(&ct->t.life))
		txn_arm_life(&ct->t, 64 * ct->t.txl->timers.t1_ms);
}

static int send_cancel(struct td_clitx *ct)
{
	struct td_clitx_options opt = {
		.method = TD_CANCEL,
		.branch = { ct->branch, ct->branch_n },
		.bytes = ct->cancel,
		.to = ct->t.flow,
	};
	struct td_clitx *cancel;
	int err = td_clitx_open(&cancel, ct->t.txl, &opt, NULL, NULL);

	if (!err)
		td_clitx_unref(cancel);
	td_buf_unref(ct->cancel);
	ct->cancel = NULL;
	end_some_time(ct);
	return err;
}

int td_clitx_cancel(struct td_clitx *ct, struct td_str extra)
{
	int err;

	if (ct->method != TD_INVITE)
		return TD_EORDER;
	if (ct->cancelled || ct->final || ct->t.state == TERMINATED)
		return 0;
	err = txn_build_cancel(&ct->cancel, ct->t.out, extra);
	if (err)
		return err;
	ct->cancelled = true;
	return ct->provisional ? send_cancel(ct) : 0;
}

void td_clitx_detach(struct td_clitx *ct)
{
	ct->events = NULL;
	if (ct->method == TD_INVITE)
		end_some_time(ct);
}

/* ---- arrows ---- */

static void send_ack(struct td_clitx *ct, const struct td_msg *response)
{
	/* Without memory for it there is none, and the response comes again. */
	if (!ct->ack && txn_build_ack(&ct->ack, ct->t.out, response))
		return;
	td_tp_send(ct->t.txl->tp, &ct->t.flow, ct->ack);
}

static void forget(struct td_clitx *ct)
{
	if (ct->t.state == COMPLETED && ct->method == TD_INVITE && !ct->ack)
		return;
	td_buf_unref(ct->t.out);
	ct->t.out = NULL;
	td_buf_unref(ct->cancel);
	ct->cancel = NULL;
}

int clitx_act(struct txn *t, uint32_t actions, const struct stimulus *s)
{
	struct td_clitx *ct = of(t);
	int err = 0;

	if (s->msg && s->msg->status < 200)
		ct->provisional = true;
	else if (s->msg)
		ct->final = true;
	if (actions & SEND)
		err = td_tp_send(t->txl->tp, &t->flow, s->bytes);
	if (actions & RESEND) {
		t->txl->stats.retransmissions_out++;
		td_tp_send(t->txl->tp, &t->flow, t->out);
	}
	if (actions & SEND_ACK)
		send_ack(ct, s->msg);
	if (t->state == PROCEEDING && ct->method == TD_INVITE) {
		if (ct->cancel)
			send_cancel(ct);
		if (!ct->events)
			end_some_time(ct);
	}
	if (actions & TO_TU && ct->events)
		ct->events->response(ct, s->msg, ct->arg);
	if (actions & FORGET)
		forget(ct);
	return err;
}

void clitx_ended(struct txn *t, int why)
{
	struct td_clitx *ct = of(t);
	const struct td_clitx_events *ev = ct->events;

	ct->events = NULL;
	if (ev)
		ev->ended(ct, why, ct->arg);
}
