/*
 * One agent against a peer that says what the test wants: the orders of messages two well-behaved agents do not bring about by
 * themselves. The peer is a bare socket at the agent's proxy address.
 */
#ifndef TESTS_PEER_H
#define TESTS_PEER_H

#include "node.h"

#include <stdio.h>

#include <tandem/ua.h>

#define SDP "v=0\r\no=- 1 1 IN IP4 h\r\ns=-\r\nt=0 0\r\n"

/* A challenge, as a header line. */
#define WWW(realm, nonce) "WWW-Authenticate: Digest realm=\"" realm "\", nonce=\"" nonce "\", qop=\"auth\"\r\n"
#define PROXY(realm, nonce) "Proxy-Authenticate: Digest realm=\"" realm "\", nonce=\"" nonce "\", qop=\"auth\"\r\n"

enum where { NOWHERE, IN_INCOMING, IN_PROGRESS, IN_ANSWER, IN_ANSWERED, IN_UP };

struct rig {
	struct td_sim *sim;
	struct td_wire *wire;
	struct raw peer;
	struct td_loop *loop;
	struct td_net *net;
	struct td_ua *ua;
	struct td_call *call;
	unsigned offers, answers, answered, ups, ends, progress, messages, regs, requests;
	unsigned last_status;
	int last_err, session_err;
	bool accept;
	enum where close_in;
	struct td_call_end end;
	struct td_reg_state reg;
	char their_tag[32]; /* the agent's To tag, as the peer learnt it */
	char answer[128];
};

/* ---- the agent's side ---- */

static inline void maybe_close(struct rig *r, struct td_call *c, enum where here)
{
	if (r->close_in != here)
		return;
	td_call_close(c);
	r->call = NULL;
}

static inline int offer(void *arg, struct td_out *sdp)
{
	((struct rig *)arg)->offers++;
	td_out_z(sdp, SDP);
	return 0;
}

static inline int answer(void *arg, struct td_str theirs, struct td_out *sdp)
{
	struct rig *r = arg;

	r->answers++;
	td_out_z(sdp, SDP);
	maybe_close(r, r->call, IN_ANSWER);
	return r->session_err;
}

static inline int answered(void *arg, struct td_str theirs)
{
	struct rig *r = arg;

	r->answered++;
	snprintf(r->answer, sizeof(r->answer), "%.*s", TD_FMT(theirs));
	maybe_close(r, r->call, IN_ANSWERED);
	return r->session_err;
}

static const struct td_session session = { offer, answer, answered };

static inline void on_progress(struct td_call *c, unsigned status, struct td_str reason, void *arg)
{
	((struct rig *)arg)->progress++;
	maybe_close(arg, c, IN_PROGRESS);
}

static inline void on_up(struct td_call *c, void *arg)
{
	((struct rig *)arg)->ups++;
	maybe_close(arg, c, IN_UP);
}

static inline void on_ended(struct td_call *c, const struct td_call_end *end, void *arg)
{
	struct rig *r = arg;

	r->ends++;
	r->end = *end;
	r->end.reason = TD_STR_NULL;
	td_call_close(c);
	td_call_close(c); /* twice does no harm, until the turn ends */
	r->call = NULL;
}

static const struct td_call_events call_events = { on_progress, on_up, on_ended };

static inline void on_incoming(struct td_ua *ua, struct td_call *c, void *arg)
{
	struct rig *r = arg;

	if (r->accept && !r->call) {
		td_call_accept(c, &session, &call_events, r);
		r->call = c;
	}
	maybe_close(r, c, IN_INCOMING);
}

static inline void on_message(struct td_ua *ua, const struct td_msg *m, void *arg)
{
	((struct rig *)arg)->messages++;
}

static const struct td_ua_events ua_events = { on_incoming, on_message };

static inline struct rig *rig_open(void)
{
	struct td_ua_options opt = { .address = TD_STR("sip:alice@a.test"), .password = TD_STR("secret"), .events = &ua_events };
	struct rig *r = calloc(1, sizeof(*r));

	assert_int_equal(td_sim_open(&r->sim, 1), 0);
	assert_int_equal(td_wire_open(&r->wire, r->sim), 0);
	td_wire_rules(r->wire, &(struct td_wire_rules){ .delay_us = 1000 });
	raw_open(&r->peer, r->sim, r->wire, "192.0.2.2", 5060);
	assert_int_equal(td_ip_parse(&opt.local, TD_STR("192.0.2.1")), 0);
	assert_int_equal(td_sim_loop(&r->loop, r->sim), 0);
	assert_int_equal(td_net_open_sim(&r->net, r->loop, r->wire, &opt.local), 0);
	opt.local.port = 5060;
	opt.net = r->net;
	opt.proxy = r->peer.addr;
	opt.arg = r;
	assert_int_equal(td_ua_open(&r->ua, &opt), 0);
	r->accept = true;
	return r;
}

static inline void rig_close(struct rig *r)
{
	td_ua_close(r->ua);
	td_net_close(r->net);
	td_loop_close(r->loop);
	raw_close(&r->peer);
	td_wire_close(r->wire);
	td_sim_close(r->sim);
	free(r);
}

static inline void run(struct rig *r, uint64_t ms)
{
	td_sim_run(r->sim, ms);
}

static inline void call(struct rig *r)
{
	assert_int_equal(td_call_open(&r->call, r->ua, TD_STR("sip:bob@b.test"), &session, &call_events, r), 0);
	run(r, 10);
}

/* ---- the peer's side ---- */

/* The last message that came and starts so. */
static inline struct td_msg *heard(struct rig *r, const char *start)
{
	unsigned i = r->peer.n;

	while (i > 0 && !td_str_starts(td_buf_str(r->peer.got[i - 1].buf), td_str_of(start)))
		i--;
	if (i == 0)
		fail_msg("no %s came", start);
	return parsed(td_buf_str(r->peer.got[i - 1].buf));
}

static inline unsigned count(struct rig *r, const char *start)
{
	return raw_count(&r->peer, start);
}

static inline void send_text(struct rig *r, struct td_out *o)
{
	assert_false(o->failed);
	raw_send(&r->peer, td_ua_local(r->ua), td_out_view(o));
	td_out_free(o);
	run(r, 10);
}

/* Answers a request of the agent's, as the phone with this tag. */
static inline void reply(struct rig *r, const struct td_msg *req, unsigned status, const char *tag, const char *headers,
			 const char *body)
{
	struct td_out o;

	td_out_init(&o);
	td_put_response_head(&o, req, status, TD_STR_NULL, td_str_of(tag), true);
	if (!strstr(headers, "Contact:"))
		td_out_fmt(&o, "Contact: <sip:%s@192.0.2.2>\r\n", tag);
	td_out_z(&o, headers);
	td_put_body(&o, body[0] ? TD_STR("application/sdp") : TD_STR_NULL, td_str_of(body));
	send_text(r, &o);
}

static inline void reply_to_last(struct rig *r, const char *start, unsigned status, const char *tag, const char *headers,
				 const char *body)
{
	struct td_msg *m = heard(r, start);

	reply(r, m, status, tag, headers, body);
	td_msg_unref(m);
}

/* A request of the peer's. In the dialog once it knows the agent's tag. */
static inline void ask(struct rig *r, const char *method, unsigned cseq, const char *headers, const char *body)
{
	bool ack = strcmp(method, "ACK") == 0;
	struct td_out o;

	td_out_init(&o);
	td_out_fmt(&o,
		   "%s sip:alice@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK%s%u%s%u\r\nMax-Forwards: 70\r\n",
		   method, method, cseq, ack ? "x" : "", ack ? r->peer.n : 0);
	td_out_fmt(&o, "From: <sip:bob@b.test>;tag=p1\r\nTo: <sip:alice@a.test>%s%s\r\nCall-ID: theirs\r\nCSeq: %u %s\r\n",
		   r->their_tag[0] ? ";tag=" : "", r->their_tag, cseq, method);
	td_out_fmt(&o, "Contact: <sip:bob%u@192.0.2.2>\r\n%s", cseq, headers);
	td_put_body(&o, body[0] && !strstr(headers, "Content-Type") ? TD_STR("application/sdp") : TD_STR_NULL, td_str_of(body));
	send_text(r, &o);
}

static inline void learn_tag(struct rig *r, const char *start)
{
	struct td_msg *m = heard(r, start);

	snprintf(r->their_tag, sizeof(r->their_tag), "%.*s", TD_FMT(m->to_tag));
	td_msg_unref(m);
}

/* The same of the agent's own call: what the peer asks in its dialog. */
static inline void ask_in_ours(struct rig *r, const char *method, unsigned cseq, const char *tag, const char *body)
{
	struct td_msg *invite = heard(r, "INVITE ");
	struct td_out o;

	td_out_init(&o);
	td_out_fmt(&o, "%s sip:alice@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK%s%u\r\nMax-Forwards: 70\r\n",
		   method, method, cseq);
	td_out_fmt(&o, "From: <sip:bob@b.test>;tag=%s\r\nTo: <sip:alice@a.test>;tag=%.*s\r\nCall-ID: %.*s\r\nCSeq: %u %s\r\n",
		   tag, TD_FMT(invite->from_tag), TD_FMT(invite->call_id), cseq, method);
	td_out_z(&o, "Contact: <sip:bob@192.0.2.2>\r\n");
	td_put_body(&o, body[0] ? TD_STR("application/sdp") : TD_STR_NULL, td_str_of(body));
	td_msg_unref(invite);
	send_text(r, &o);
}

/* A call from the peer, up. */
static inline void established(struct rig *r)
{
	ask(r, "INVITE", 1, "", SDP);
	assert_non_null(r->call);
	assert_int_equal(td_call_answer(r->call), 0);
	run(r, 10);
	learn_tag(r, "SIP/2.0 200");
	ask(r, "ACK", 1, "", "");
	assert_int_equal(r->ups, 1);
}

static inline bool says(struct rig *r, const char *start, const char *what)
{
	struct td_msg *m = heard(r, start);
	bool found = memmem(m->bytes.p, m->bytes.n, what, strlen(what));

	td_msg_unref(m);
	return found;
}

#endif
