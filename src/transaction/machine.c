/*
 * Runs the tables: finds the arrow for a state and an event, sets timers, lets clitx.c or srvtx.c send and tell, and takes
 * what is terminated out of the layer. A step holds a reference of its own, so a TU may let go of the transaction, or make
 * it step again, from inside a callback.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>

static const char *const state_names[TXN_STATES] = {
	"none", "calling", "trying", "proceeding", "completed", "confirmed", "accepted", "terminated",
};

enum {
	TRYING_AFTER_MS = 200,    /* §17.2.1 */
	TIMER_D_LEAST_MS = 32000, /* RFC 6026 §8.4: not from our T1, the peer's counts */
};

static void fire(struct txn *t, enum txn_event ev)
{
	if (ev != EV_START)
		txn_step(t, ev, &(struct stimulus){ 0 });
}

static void on_retry(struct td_timer *tm, void *arg)
{
	struct txn *t = arg;

	fire(t, t->machine->retry_event[t->state]);
}

static void on_life(struct td_timer *tm, void *arg)
{
	struct txn *t = arg;

	fire(t, t->machine->life_event[t->state]);
}

static void on_flow_lost(struct td_flow_watch *w, int err, void *arg)
{
	txn_step(arg, EV_TPORT_ERR, &(struct stimulus){ .err = err });
}

int txn_init(struct txn *t, struct td_txl *txl, const struct machine *machine, const struct td_flow *flow)
{
	t->watch = flow->conn ? malloc(sizeof(*t->watch)) : NULL;
	if (flow->conn && !t->watch)
		return -ENOMEM;
	t->txl = txl;
	t->machine = machine;
	t->flow = *flow;
	t->refs = 1; /* the layer's */
	td_timer_init(&t->retry, on_retry, t);
	td_timer_init(&t->life, on_life, t);
	if (t->watch)
		td_flow_watch(txl->tp, flow, t->watch, on_flow_lost, t);
	return 0;
}

void txn_unwatch(struct txn *t)
{
	if (!t->watch)
		return;
	td_flow_unwatch(t->txl->tp, t->watch);
	free(t->watch);
	t->watch = NULL;
}

void txn_ref(struct txn *t)
{
	t->refs++;
}

void txn_unref(struct txn *t)
{
	assert(t->refs > 0);
	if (--t->refs == 0)
		t->machine->free(t);
}

/* ---- timers ---- */

void txn_arm_life(struct txn *t, uint32_t ms)
{
	td_timer_start(t->txl->loop, &t->life, ms);
}

static void arm_doubling(struct txn *t, uint32_t most_ms)
{
	t->retry_ms = t->retry_ms ? 2 * t->retry_ms : t->txl->timers.t1_ms;
	if (t->retry_ms > most_ms)
		t->retry_ms = most_ms;
	td_timer_start(t->txl->loop, &t->retry, t->retry_ms);
}

/* RFC 3261 table 4. */
static void set_timers(struct txn *t, uint32_t actions)
{
	const struct td_txn_timers *v = &t->txl->timers;
	bool reliable = td_proto_reliable((enum td_proto)t->flow.proto);
	uint32_t whole = 64 * v->t1_ms;

	if (actions & STOP_RETRY)
		td_timer_stop(t->txl->loop, &t->retry);
	if (actions & STOP_LIFE)
		td_timer_stop(t->txl->loop, &t->life);
	if (!reliable) {
		if (actions & ARM_A)
			arm_doubling(t, UINT32_MAX / 2);
		if (actions & ARM_E)
			arm_doubling(t, v->t2_ms);
		if (actions & ARM_E_AT_T2)
			td_timer_start(t->txl->loop, &t->retry, v->t2_ms);
	}
	if (actions & ARM_100)
		td_timer_start(t->txl->loop, &t->retry, t->machine->quiet_t1 ? t->machine->quiet_t1 * v->t1_ms : TRYING_AFTER_MS);
	if (actions & ARM_64T1)
		txn_arm_life(t, whole);
	if (actions & ARM_D)
		txn_arm_life(t, reliable ? 0 : whole > TIMER_D_LEAST_MS ? whole : TIMER_D_LEAST_MS);
	if (actions & ARM_T4)
		txn_arm_life(t, reliable ? 0 : v->t4_ms);
	if (actions & ARM_J)
		txn_arm_life(t, reliable ? 0 : whole);
}

/* ---- steps ---- */

static void enter(struct txn *t, uint8_t next)
{
	if (t->state == next)
		return;
	td_log(t->txl->log, TD_LOG_DEBUG, "txn state", TD_KZ("machine", t->machine->name), TD_KZ("from", state_names[t->state]),
	       TD_KZ("to", state_names[next]));
	t->state = next;
}

void txn_drop(struct txn *t)
{
	struct td_txl *txl = t->txl;

	td_timer_stop(txl->loop, &t->retry);
	td_timer_stop(txl->loop, &t->life);
	txn_unwatch(t);
	if (t->machine->client) {
		td_map_del(&txl->clitxs, &t->node);
		txl->stats.clitx_open--;
	} else {
		td_map_del(&txl->srvtxs, &t->node);
		txl->stats.srvtx_open--;
	}
	t->state = TERMINATED;
	txn_unref(t);
}

static int reason(enum txn_event ev, const struct stimulus *s)
{
	switch (ev) {
	case EV_TIMER_B:
	case EV_TIMER_F:
	case EV_TIMER_H:
	case EV_GIVE_UP: return TD_ETIMEOUT;
	case EV_TPORT_ERR: return s->err;
	default: return 0;
	}
}

int txn_step(struct txn *t, enum txn_event ev, const struct stimulus *s)
{
	const struct arrow *a = &t->machine->rules[t->state][ev];
	int err, why;

	if (a->next == NO_STATE)
		return TD_EORDER;
	txn_ref(t);
	enter(t, a->next);
	if (a->next == TERMINATED) {
		why = reason(ev, s);
		if (why == TD_ETIMEOUT)
			t->txl->stats.timeouts++;
		txn_drop(t);
		t->machine->ended(t, why);
		err = 0;
	} else {
		set_timers(t, a->actions);
		err = t->machine->act(t, a->actions, s);
	}
	txn_unref(t);
	return err;
}
