/*
 * An agent lives through a story a peer and an application tell it. Every step takes a byte for what happens and bytes for how: the
 * application calls, rings, answers, hangs up, closes, registers; the peer answers what it was asked, asks itself, in and out of the
 * dialogs there are, or sends the input as it is; the session refuses or closes. A call ends at most once and is silent afterwards,
 * and when all is hung up and nobody answers any more, the agent comes to rest.
 */
#include "inside.h"

#include <stdlib.h>
#include <tandem/ua.h>

#define MUST(x) ((x) ? (void)0 : __builtin_trap())
#define SDP "v=0\r\no=- 1 1 IN IP4 h\r\ns=-\r\nt=0 0\r\n"

enum { HEARD = 8, CALLS = 3 };

struct input {
	const uint8_t *p, *end;
};

struct slot {
	struct story *s;
	struct td_call *call; /* NULL: free */
	bool ended;
};

struct story {
	struct td_sim *sim;
	struct td_wire *wire;
	struct td_loop *loop, *peer_loop;
	struct td_net *net, *peer_net;
	struct td_udp *peer;
	struct td_ua *ua;
	struct td_reg *reg;
	struct td_msg *heard[HEARD]; /* newest first */
	struct slot slots[CALLS];
	uint8_t mood; /* what session and application do in callbacks */
	unsigned serial;
};

static uint8_t take(struct input *in)
{
	return in->p < in->end ? *in->p++ : 0;
}

/* ---- the application ---- */

static void let_go(struct slot *sl)
{
	td_call_close(sl->call);
	sl->call = NULL;
}

/* Bits of the mood: in this callback, close or hang up. */
static void behave(struct slot *sl, unsigned bit)
{
	MUST(!sl->ended);
	if (!sl->call || !(sl->s->mood >> bit & 1))
		return;
	if (sl->s->mood & 0x80)
		td_call_hangup(sl->call);
	else
		let_go(sl);
}

static int offer(void *arg, struct td_out *sdp)
{
	struct slot *sl = arg;

	td_out_z(sdp, SDP);
	behave(sl, 0);
	return sl->s->mood & 0x40 ? TD_EUNSUPPORTED : 0;
}

static int answer(void *arg, struct td_str theirs, struct td_out *sdp)
{
	return offer(arg, sdp);
}

static int answered(void *arg, struct td_str theirs)
{
	struct slot *sl = arg;

	behave(sl, 1);
	return sl->s->mood & 0x40 ? TD_EUNSUPPORTED : 0;
}

static const struct td_session session = { offer, answer, answered };

static void on_progress(struct td_call *c, unsigned status, struct td_str reason, void *arg)
{
	behave(arg, 2);
}

static void on_up(struct td_call *c, void *arg)
{
	behave(arg, 3);
}

static void on_ended(struct td_call *c, const struct td_call_end *end, void *arg)
{
	struct slot *sl = arg;

	MUST(!sl->ended && c == sl->call);
	sl->ended = true;
	if (sl->s->mood & 0x10)
		let_go(sl);
}

static const struct td_call_events call_events = { on_progress, on_up, on_ended };

static struct slot *free_slot(struct story *s)
{
	for (unsigned i = 0; i < CALLS; i++) {
		struct slot *sl = &s->slots[i];

		if (sl->call && sl->ended)
			let_go(sl);
		if (!sl->call) {
			*sl = (struct slot){ .s = s };
			return sl;
		}
	}
	return NULL;
}

static void on_incoming(struct td_ua *ua, struct td_call *c, void *arg)
{
	struct story *s = arg;
	struct slot *sl = free_slot(s);

	if (!sl) {
		if (s->mood & 0x20)
			td_call_close(c);
		return;
	}
	sl->call = c;
	td_call_accept(c, &session, &call_events, sl);
	behave(sl, 5);
}

static void on_message(struct td_ua *ua, const struct td_msg *m, void *arg) {}

static const struct td_ua_events ua_events = { on_incoming, on_message };

static void on_response(struct td_request *r, int err, const struct td_msg *m, void *arg)
{
	if (((struct story *)arg)->mood & 1)
		td_request_close(r);
}

static void on_reg(struct td_reg *reg, const struct td_reg_state *st, void *arg)
{
	struct story *s = arg;

	if (!(s->mood & 2))
		return;
	td_reg_close(reg);
	s->reg = NULL;
}

static void act(struct story *s, struct input *in)
{
	static const struct td_request_options message = { .method = TD_STR_INIT("MESSAGE"),
							   .uri = TD_STR_INIT("sip:bob@b.test") };
	uint8_t what = take(in);
	struct slot *sl = &s->slots[(what >> 4) % CALLS];
	struct td_request *r;

	switch (what & 15) {
	case 0:
		sl = free_slot(s);
		s->mood &= 0xfe; /* before td_call_open() returns there is nothing to close */
		if (sl && td_call_open(&sl->call, s->ua, TD_STR("sip:bob@b.test"), &session, &call_events, sl))
			sl->call = NULL;
		return;
	case 1: s->mood = take(in); return;
	case 2: td_request_open(&r, s->ua, &message, on_response, s); return;
	case 3:
		if (!s->reg && td_reg_open(&s->reg, s->ua, TD_STR_NULL, take(in), on_reg, s))
			s->reg = NULL;
		return;
	case 4:
		if (s->reg)
			td_reg_remove(s->reg);
		return;
	}
	if (!sl->call)
		return;
	switch (what & 15) {
	case 5: td_call_ring(sl->call); return;
	case 6:
	case 7: td_call_answer(sl->call); return;
	case 8: td_call_reject(sl->call, 200 + 8 * take(in)); return;
	case 9: let_go(sl); return;
	default: td_call_hangup(sl->call);
	}
}

/* ---- the peer ---- */

static void received(struct td_udp *udp, struct td_buf *buf, const struct td_addr *from, void *arg)
{
	struct story *s = arg;
	struct td_msg *m;

	if (td_msg_parse(&m, buf, 0, buf->len)) {
		MUST(td_str_starts(td_buf_str(buf), TD_STR("SIP/2.0 "))); /* an echo of what was broken before */
		return;
	}
	MUST(!m->defect.status);
	td_msg_unref(s->heard[HEARD - 1]);
	memmove(s->heard + 1, s->heard, (HEARD - 1) * sizeof(s->heard[0]));
	s->heard[0] = m;
}

static void say(struct story *s, struct td_out *o)
{
	struct td_buf *b = td_out_buf(o);

	if (!b)
		return;
	td_udp_send(s->peer, td_ua_local(s->ua), b);
	td_buf_unref(b);
	td_sim_run(s->sim, 5);
}

static void put_tail(struct td_out *o, uint8_t how)
{
	static const char *const lines[] = {
		"",
		"Require: x\r\n",
		"WWW-Authenticate: Digest realm=\"d\", nonce=\"1\", qop=\"auth\"\r\n",
		"Proxy-Authenticate: Digest realm=\"d\", nonce=\"2\", qop=\"auth\", stale=true\r\n",
		"Min-Expires: 4000\r\n",
		"Record-Route: <sip:192.0.2.2;lr>, <sip:strict.test>\r\n",
		"Retry-After: 1\r\n",
		"Expires: 0\r\n",
	};

	if (how & 1)
		td_out_fmt(o, "Contact: <sip:bob@192.0.2.%u>\r\n", how & 2 ? 2 : 3);
	td_out_z(o, lines[how >> 2 & 7]);
	td_put_body(o,
		    how & 0x80   ? TD_STR("text/plain")
		    : how & 0x40 ? TD_STR("application/sdp")
				 : TD_STR_NULL,
		    how & 0xc0 ? TD_STR(SDP) : TD_STR_NULL);
}

static void respond(struct story *s, struct input *in)
{
	static const uint16_t statuses[] = { 100, 180, 183, 200, 200, 200, 302, 401, 407, 407, 423, 481, 486, 487, 503, 603 };
	uint8_t which = take(in), how = take(in);
	const struct td_msg *m = s->heard[which & (HEARD - 1)];
	char tag[2] = { (char)('A' + (take(in) & 3)), 0 };
	struct td_out o;

	if (!m || !m->request)
		return;
	td_out_init(&o);
	td_put_response_head(&o, m, statuses[which >> 3 & 15], TD_STR_NULL, td_str_of(tag), true);
	put_tail(&o, how);
	say(s, &o);
}

/* In the dialog of what it heard last, as caller or callee, or out of any. */
static void request(struct story *s, struct input *in)
{
	static const char *const methods[] = { "INVITE", "ACK", "BYE", "CANCEL", "UPDATE", "INFO", "OPTIONS", "MESSAGE" };
	uint8_t what = take(in), where = take(in), how = take(in);
	const struct td_msg *m = s->heard[where & (HEARD - 1)];
	const char *method = methods[what & 7];
	unsigned cseq = 1 + (what >> 3 & 7), serial = what & 0x40 ? s->serial : ++s->serial;
	char tag[2] = { (char)('A' + (where >> 6)), 0 };
	struct td_out o;

	td_out_init(&o);
	td_out_fmt(&o, "%s sip:alice@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK%u\r\nMax-Forwards: 70\r\n",
		   method, serial);
	if (m && m->request && where & 8)
		td_out_fmt(&o, "From: <sip:bob@b.test>;tag=%s\r\nTo: <sip:a@a>;tag=%.*s\r\nCall-ID: %.*s\r\n", tag,
			   TD_FMT(m->from_tag), TD_FMT(m->call_id));
	else if (m && where & 8)
		td_out_fmt(&o, "From: <sip:bob@b.test>;tag=%.*s\r\nTo: <sip:a@a>;tag=%.*s\r\nCall-ID: %.*s\r\n",
			   TD_FMT(m->from_tag), TD_FMT(m->to_tag.n ? m->to_tag : TD_STR("x")), TD_FMT(m->call_id));
	else
		td_out_fmt(&o, "From: <sip:bob@b.test>;tag=%s\r\nTo: <sip:alice@a.test>\r\nCall-ID: c%u\r\n", tag,
			   where >> 4 & 3);
	td_out_fmt(&o, "CSeq: %u %s\r\n", cseq, method);
	put_tail(&o, how | 1);
	say(s, &o);
}

static void raw(struct story *s, struct input *in)
{
	const uint8_t *nul = memchr(in->p, 0, (size_t)(in->end - in->p));
	size_t n = (size_t)((nul ? nul : in->end) - in->p);
	struct td_out o;

	td_out_init(&o);
	td_out_str(&o, td_str_n((const char *)in->p, n < 60000 ? n : 60000));
	in->p += n + (nul != NULL);
	if (o.n)
		say(s, &o);
	td_out_free(&o);
}

/* ---- the story ---- */

static void open_story(struct story *s)
{
	struct td_ua_options opt = { .address = TD_STR("sip:alice@a.test"),
				     .password = TD_STR("secret"),
				     .user_agent = TD_STR("t"),
				     .events = &ua_events,
				     .arg = s };

	MUST(!td_sim_open(&s->sim, 1) && !td_wire_open(&s->wire, s->sim));
	MUST(!td_sim_loop(&s->loop, s->sim) && !td_sim_loop(&s->peer_loop, s->sim));
	MUST(!td_ip_parse(&opt.local, TD_STR("192.0.2.1")) && !td_ip_parse(&opt.proxy, TD_STR("192.0.2.2")));
	MUST(!td_net_open_sim(&s->net, s->loop, s->wire, &opt.local) &&
	     !td_net_open_sim(&s->peer_net, s->peer_loop, s->wire, &opt.proxy));
	opt.local.port = opt.proxy.port = 5060;
	MUST(!td_udp_open(&s->peer, s->peer_net, &opt.proxy, 0, received, s));
	opt.net = s->net;
	MUST(!td_ua_open(&s->ua, &opt));
}

static void close_story(struct story *s)
{
	td_ua_close(s->ua);
	td_udp_close(s->peer);
	td_net_close(s->net);
	td_net_close(s->peer_net);
	td_loop_close(s->loop);
	td_loop_close(s->peer_loop);
	td_wire_close(s->wire);
	td_sim_close(s->sim);
	for (unsigned i = 0; i < HEARD; i++)
		td_msg_unref(s->heard[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, data + size };
	struct story s = { 0 };
	unsigned steps;

	open_story(&s);
	for (steps = 0; in.p < in.end && steps < 200; steps++) {
		uint8_t op = take(&in);

		if (op < 80)
			act(&s, &in);
		else if (op < 160)
			respond(&s, &in);
		else if (op < 235)
			request(&s, &in);
		else if (op < 240)
			raw(&s, &in);
		else
			td_sim_run(s.sim, UINT64_C(1) << op % 16);
		td_sim_run(s.sim, 2);
	}
	s.mood = 0;
	td_reg_close(s.reg);
	s.reg = NULL;
	if (!(steps & 7)) { /* as it stands, with whatever is in flight */
		close_story(&s);
		return 0;
	}
	for (unsigned i = 0; i < CALLS; i++) {
		if (s.slots[i].call && steps & 1)
			td_call_hangup(s.slots[i].call);
		else if (s.slots[i].call)
			let_go(&s.slots[i]);
	}
	td_sim_run(s.sim, 300000);
	for (unsigned i = 0; i < CALLS; i++)
		MUST(!s.slots[i].call || s.slots[i].ended);
	MUST(!td_ua_busy(s.ua));
	close_story(&s);
	return 0;
}
