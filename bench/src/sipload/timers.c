/* Retransmissions and deadlines of both halves (RFC 3261 timers A, E, G), looked at every 50 ms; and what waits its time. */
#include "sipload.h"

struct fifo holding, answering; /* calls until their BYE, callees until their answer */

void fifo_push(struct fifo *q, uint64_t t, uint32_t slot, uint32_t gen)
{
	if (q->n == q->cap) {
		uint32_t cap = q->cap ? q->cap * 2 : 1024;
		struct fifo_e *e = malloc(cap * sizeof(*e));
		if (!e)
			die("out of memory");
		for (uint32_t i = 0; i < q->n; i++)
			e[i] = q->e[(q->h + i) % q->cap];
		free(q->e);
		q->e = e;
		q->cap = cap;
		q->h = 0;
	}
	q->e[(q->h + q->n++) % q->cap] = (struct fifo_e){ t, slot, gen };
}

/* The next operation whose time has come and that is still the one that was queued. */
static struct op *fifo_due(struct fifo *q)
{
	while (q->n && q->e[q->h].t <= now) {
		struct fifo_e e = q->e[q->h];
		q->h = (q->h + 1) % q->cap;
		q->n--;
		if (ops[e.slot].gen == e.gen)
			return &ops[e.slot];
	}
	return NULL;
}

void run_waiting(void)
{
	struct op *x;

	while ((x = fifo_due(&holding))) {
		if (x->st == ST_HOLD) {
			x->br++;
			send_bye(x);
		}
	}
	while ((x = fifo_due(&answering)))
		if (x->ust == U_RING)
			uas_answer(x);
}

static void uac_timer(uint32_t s)
{
	struct op *x = &ops[s];

	if (now >= x->dead) {
		stats.timeouts++;
		if ((opt.test == C_CONNECT || opt.test == C_IDLE) && x->f)
			flow_close(x->f);
		finish(x, 0);
		return;
	}
	if (opt.transport != T_UDP || (x->method == M_INVITE && x->st == ST_PROC)) {
		uac_due[s] = x->dead;
		return;
	}
	stats.retx++;
	x->iv *= 2;
	if (x->method != M_INVITE && x->iv > 4000)
		x->iv = 4000;
	uac_due[s] = now + x->iv * MS;
	flow_send(x->f, x->method == M_BYE ? &x->dst : &opt.srv, x->req, x->reqn);
}

static void uas_timer(uint32_t s)
{
	struct op *x = &ops[s];

	if (now >= x->udead) {
		uas_due[s] = 0;
		return;
	}
	stats.uas_retx++;
	x->uiv *= 2;
	if (x->uiv > 4000)
		x->uiv = 4000;
	uas_due[s] = now + x->uiv * MS;
	flow_send(x->uf, &x->udst, x->r2, x->r2n);
}

void timers(void)
{
	for (uint32_t s = 0; s < opt.window; s++) {
		if (uac_due[s] && now >= uac_due[s])
			uac_timer(s);
		if (uas_due[s] && now >= uas_due[s])
			uas_timer(s);
	}
	flush_all();
}
