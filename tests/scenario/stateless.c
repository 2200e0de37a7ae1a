/* The rig of the tests without state: see stateless.h. */
#include "stateless.h"

void stateless_open(struct rig *r, enum td_proto pa, enum td_proto pb)
{
	world_open(&r->w, 4, workers_now, NULL);
	world_user(&r->w, "mallory", "m");
	phone_open(&r->a, &r->w, "alice", "10.0.1.1", 5060, pa);
	phone_open(&r->b, &r->w, "bob", "10.0.1.2", 5060, pb);
	phone_open(&r->mallory, &r->w, "mallory", "10.6.6.6", 5060, TD_UDP);
	phone_register(&r->b, "quick.test");
}

void stateless_close(struct rig *r)
{
	phone_close(&r->a);
	phone_close(&r->b);
	phone_close(&r->mallory);
	world_close(&r->w);
}

void dial(struct leg *l, struct phone *from)
{
	leg_new(l, from, from->auth ? "example.test" : "quick.test", "sip:bob@quick.test");
}

void send_as(struct phone *p, const char *method, const char *branch, const char *lines)
{
	char addr[TD_ADDR_TEXT];

	phone_send(p,
		   "%s sip:bob@quick.test SIP/2.0\nVia: SIP/2.0/%.*s %s;rport%s%s\nFrom: <sip:%s@quick.test>;tag=1\nTo: "
		   "<sip:bob@quick.test>\nCall-ID: as-%s\nCSeq: 7 %s\n%sContent-Length: 0\n\n",
		   method, TD_FMT(td_proto_name(p->proto)), td_addr_text(addr, &p->addr), *branch ? ";branch=" : "", branch,
		   p->user, p->user, method, lines);
}
