/* The attacker's rig: see attack.h. */
#include "attack.h"

void attack_open_strange(struct rig *r, unsigned workers, const char *extra)
{
	world_open(&r->w, 11, workers, extra);
	world_user(&r->w, "alice", "wonderland");
	world_user(&r->w, "bob", "builder");
	world_user(&r->w, "mallory", "m");
	phone_open(&r->a, &r->w, "alice", "10.0.1.1", 5060, TD_UDP);
	phone_open(&r->b, &r->w, "bob", "10.0.1.2", 5060, TD_UDP);
	phone_open(&r->mallory, &r->w, "mallory", "10.6.6.6", 5060, TD_UDP);
	phone_open(&r->victim, &r->w, "victim", "10.9.9.9", 5060, TD_UDP);
	phone_register(&r->b, "example.test");
}

void attack_open(struct rig *r, unsigned workers, const char *extra)
{
	attack_open_strange(r, workers, extra);
	phone_password(&r->mallory, "m");
}

void attack_close(struct rig *r)
{
	phone_close(&r->a);
	phone_close(&r->b);
	phone_close(&r->mallory);
	phone_close(&r->victim);
	world_close(&r->w);
}

struct td_msg *say(struct phone *p, const char *method, const char *uri, const char *from, const char *to, const char *call_id,
		   const char *lines)
{
	char addr[TD_ADDR_TEXT];

	phone_send(p,
		   "%s %s SIP/2.0\nVia: SIP/2.0/UDP %s;branch=z9hG4bKsay%u\nMax-Forwards: 70\nFrom: %s;tag=1\nTo: %s\nCall-ID: "
		   "%s\nCSeq: 1 %s\n"
		   "%sContent-Length: 0\n\n",
		   method, uri, td_addr_text(addr, &p->addr), ++p->w->serial, from, to, call_id, method, lines);
	return maybe_status(p, 0, 1000);
}

char *credentials(struct phone *p, const char *method, const char *uri)
{
	struct td_out o;
	char *text;

	td_out_init(&o);
	assert_int_equal(td_auth_client_put(&o, p->auth, td_str_of(method), td_str_of(uri)), 0);
	td_out_char(&o, 0);
	text = strdup(o.p);
	td_out_free(&o);
	return text;
}

char *credentials_for(struct phone *p, const struct td_msg *challenge, const char *method, const char *uri)
{
	td_auth_client_close(p->auth);
	phone_password(p, "m");
	assert_int_equal(td_auth_client_challenge(p->auth, challenge, NULL), 0);
	return credentials(p, method, uri);
}

void register_contact(struct phone *p, const char *contact, unsigned want)
{
	char line[200];
	struct leg l;

	leg_new(&l, p, "example.test", "sip:mallory@example.test");
	snprintf(l.target, sizeof(l.target), "sip:example.test");
	snprintf(line, sizeof(line), "Contact: %s\nExpires: 600\n", contact);
	assert_int_equal(leg_do(&l, "REGISTER", line, NULL)->status, want);
}

/* A victim's address over UDP: calls go to who registered. The harness adds the phone's own Contact, which is right. */
