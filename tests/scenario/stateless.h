/* What the tests of a domain in mode stateless share: three phones, of which one is a stranger, and messages sent as they stand. */
#ifndef TANDEM_TEST_STATELESS_H
#define TANDEM_TEST_STATELESS_H

#include "harness.h"

struct rig {
	struct world w;
	struct phone a, b, mallory; /* mallory is not trusted */
};

static unsigned workers_now = 1;

static inline void rig_open(struct rig *r, enum td_proto pa, enum td_proto pb)
{
	world_open(&r->w, 4, workers_now, NULL);
	world_user(&r->w, "mallory", "m");
	phone_open(&r->a, &r->w, "alice", "10.0.1.1", 5060, pa);
	phone_open(&r->b, &r->w, "bob", "10.0.1.2", 5060, pb);
	phone_open(&r->mallory, &r->w, "mallory", "10.6.6.6", 5060, TD_UDP);
	phone_register(&r->b, "quick.test");
}

static inline void rig_close(struct rig *r)
{
	phone_close(&r->a);
	phone_close(&r->b);
	phone_close(&r->mallory);
	world_close(&r->w);
}

static inline void dial(struct leg *l, struct phone *from)
{
	leg_new(l, from, from->auth ? "example.test" : "quick.test", "sip:bob@quick.test");
}

/* Sent as it stands, to be sent again. */
static inline void send_as(struct phone *p, const char *method, const char *branch, const char *lines)
{
	char addr[TD_ADDR_TEXT];

	phone_send(p,
		   "%s sip:bob@quick.test SIP/2.0\nVia: SIP/2.0/%s %s;rport%s%s\nFrom: <sip:%s@quick.test>;tag=1\nTo: "
		   "<sip:bob@quick.test>\nCall-ID: as-%s\nCSeq: 7 %s\n%sContent-Length: 0\n\n",
		   method, p->proto == TD_TCP ? "TCP" : "UDP", td_addr_text(addr, &p->addr), *branch ? ";branch=" : "", branch,
		   p->user, p->user, method, lines);
}

/* The ACK for a 300-699 (§17.1.1.3). */
static inline void ack_refusal(struct leg *l, const struct td_msg *m)
{
	char addr[TD_ADDR_TEXT];

	phone_send(l->p, "ACK %s SIP/2.0\nVia: SIP/2.0/UDP %s;rport;branch=%s\nFrom: %s\nTo: %.*s\nCall-ID: %s\nCSeq: %u ACK\n\n",
		   l->target, td_addr_text(addr, &l->p->addr), l->invite_branch, l->local, TD_FMT(m->to.text), l->call_id,
		   l->invite_cseq);
}

static inline void ring_and_answer(struct leg *caller, struct leg *callee, struct phone *b)
{
	struct td_msg *invite;

	leg_send(caller, "INVITE", NULL, SDP);
	invite = want_request(b, "INVITE");
	leg_of_request(callee, b, invite);
	phone_answer(b, invite, 180, "", NULL);
	want_status(caller->p, 180);
	phone_answer(b, invite, 200, "", SDP);
	leg_learn(caller, want_status(caller->p, 200));
	leg_send(caller, "ACK", NULL, NULL);
	want_request(b, "ACK");
}

static inline int with_3_workers(void **state)
{
	workers_now = 3;
	return 0;
}

static inline int with_1_worker(void **state)
{
	workers_now = 1;
	return 0;
}

#endif
