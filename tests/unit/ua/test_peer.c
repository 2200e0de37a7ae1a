/*
 * One agent against a peer that says what the test wants: the orders of messages two well-behaved agents do not bring about by
 * themselves. The peer is a bare socket at the agent's proxy address.
 */
#include "node.h"

#include <stdio.h>

#include <tandem/ua.h>

#define SDP "v=0\r\no=- 1 1 IN IP4 h\r\ns=-\r\nt=0 0\r\n"

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

static void maybe_close(struct rig *r, struct td_call *c, enum where here)
{
	if (r->close_in != here)
		return;
	td_call_close(c);
	r->call = NULL;
}

static int offer(void *arg, struct td_out *sdp)
{
	((struct rig *)arg)->offers++;
	td_out_z(sdp, SDP);
	return 0;
}

static int answer(void *arg, struct td_str theirs, struct td_out *sdp)
{
	struct rig *r = arg;

	r->answers++;
	td_out_z(sdp, SDP);
	maybe_close(r, r->call, IN_ANSWER);
	return r->session_err;
}

static int answered(void *arg, struct td_str theirs)
{
	struct rig *r = arg;

	r->answered++;
	snprintf(r->answer, sizeof(r->answer), "%.*s", TD_FMT(theirs));
	maybe_close(r, r->call, IN_ANSWERED);
	return r->session_err;
}

static const struct td_session session = { offer, answer, answered };

static void on_progress(struct td_call *c, unsigned status, struct td_str reason, void *arg)
{
	((struct rig *)arg)->progress++;
	maybe_close(arg, c, IN_PROGRESS);
}

static void on_up(struct td_call *c, void *arg)
{
	((struct rig *)arg)->ups++;
	maybe_close(arg, c, IN_UP);
}

static void on_ended(struct td_call *c, const struct td_call_end *end, void *arg)
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

static void on_incoming(struct td_ua *ua, struct td_call *c, void *arg)
{
	struct rig *r = arg;

	if (r->accept && !r->call) {
		td_call_accept(c, &session, &call_events, r);
		r->call = c;
	}
	maybe_close(r, c, IN_INCOMING);
}

static void on_message(struct td_ua *ua, const struct td_msg *m, void *arg)
{
	((struct rig *)arg)->messages++;
}

static const struct td_ua_events ua_events = { on_incoming, on_message };

static struct rig *rig_open(void)
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

static void rig_close(struct rig *r)
{
	td_ua_close(r->ua);
	td_net_close(r->net);
	td_loop_close(r->loop);
	raw_close(&r->peer);
	td_wire_close(r->wire);
	td_sim_close(r->sim);
	free(r);
}

static void run(struct rig *r, uint64_t ms)
{
	td_sim_run(r->sim, ms);
}

static void call(struct rig *r)
{
	assert_int_equal(td_call_open(&r->call, r->ua, TD_STR("sip:bob@b.test"), &session, &call_events, r), 0);
	run(r, 10);
}

/* ---- the peer's side ---- */

/* The last message that came and starts so. */
static struct td_msg *heard(struct rig *r, const char *start)
{
	unsigned i = r->peer.n;

	while (i > 0 && !td_str_starts(td_buf_str(r->peer.got[i - 1].buf), td_str_of(start)))
		i--;
	if (i == 0)
		fail_msg("no %s came", start);
	return parsed(td_buf_str(r->peer.got[i - 1].buf));
}

static unsigned count(struct rig *r, const char *start)
{
	return raw_count(&r->peer, start);
}

static void send_text(struct rig *r, struct td_out *o)
{
	assert_false(o->failed);
	raw_send(&r->peer, td_ua_local(r->ua), td_out_view(o));
	td_out_free(o);
	run(r, 10);
}

/* Answers a request of the agent's, as the phone with this tag. */
static void reply(struct rig *r, const struct td_msg *req, unsigned status, const char *tag, const char *headers,
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

static void reply_to_last(struct rig *r, const char *start, unsigned status, const char *tag, const char *headers,
			  const char *body)
{
	struct td_msg *m = heard(r, start);

	reply(r, m, status, tag, headers, body);
	td_msg_unref(m);
}

/* A request of the peer's. In the dialog once it knows the agent's tag. */
static void ask(struct rig *r, const char *method, unsigned cseq, const char *headers, const char *body)
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

static void learn_tag(struct rig *r, const char *start)
{
	struct td_msg *m = heard(r, start);

	snprintf(r->their_tag, sizeof(r->their_tag), "%.*s", TD_FMT(m->to_tag));
	td_msg_unref(m);
}

/* The same of the agent's own call: what the peer asks in its dialog. */
static void ask_in_ours(struct rig *r, const char *method, unsigned cseq, const char *tag, const char *body)
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
static void established(struct rig *r)
{
	ask(r, "INVITE", 1, "", SDP);
	assert_non_null(r->call);
	assert_int_equal(td_call_answer(r->call), 0);
	run(r, 10);
	learn_tag(r, "SIP/2.0 200");
	ask(r, "ACK", 1, "", "");
	assert_int_equal(r->ups, 1);
}

static bool says(struct rig *r, const char *start, const char *what)
{
	struct td_msg *m = heard(r, start);
	bool found = memmem(m->bytes.p, m->bytes.n, what, strlen(what));

	td_msg_unref(m);
	return found;
}

/* ---- calls the agent makes ---- */

static void a_fork_with_two_answers(void **state)
{
	struct rig *r = rig_open();

	call(r);
	reply_to_last(r, "INVITE ", 180, "A", "", "");
	reply_to_last(r, "INVITE ", 200, "B", "", SDP);
	assert_int_equal(r->ups, 1);
	assert_int_equal(count(r, "ACK sip:B@"), 1);
	reply_to_last(r, "INVITE ", 200, "A", "", SDP);
	assert_int_equal(count(r, "ACK sip:A@"), 1);
	assert_int_equal(count(r, "BYE sip:A@"), 1);
	reply_to_last(r, "BYE ", 200, "A", "", "");
	reply_to_last(r, "INVITE ", 200, "A", "", SDP); /* their ACKs were lost */
	reply_to_last(r, "INVITE ", 200, "B", "", SDP);
	assert_int_equal(count(r, "ACK sip:A@"), 2);
	assert_int_equal(count(r, "ACK sip:B@"), 2);
	run(r, 1000);
	assert_int_equal(count(r, "BYE "), 1);
	assert_int_equal(r->ups, 1);
	assert_int_equal(r->ends, 0);
	td_call_hangup(r->call);
	run(r, 10);
	assert_int_equal(count(r, "BYE sip:B@"), 1);
	reply_to_last(r, "BYE ", 200, "B", "", "");
	reply_to_last(r, "INVITE ", 200, "B", "", SDP); /* still, after the end */
	assert_int_equal(count(r, "ACK sip:B@"), 3);
	assert_int_equal(count(r, "BYE "), 2);
	assert_int_equal(r->ends, 1);
	rig_close(r);
}

/* §13.2.1: an early answer counts for the phone that sent it. */
static void early_answers_of_a_fork(void **state)
{
	struct rig *r = rig_open();

	call(r);
	reply_to_last(r, "INVITE ", 183, "A", "", SDP "a=A\r\n");
	reply_to_last(r, "INVITE ", 183, "B", "", SDP "a=B\r\n");
	assert_int_equal(r->answered, 1);
	reply_to_last(r, "INVITE ", 200, "B", "", SDP "a=B\r\n");
	assert_int_equal(r->answered, 2);
	assert_non_null(strstr(r->answer, "a=B"));
	assert_int_equal(r->ups, 1);
	rig_close(r);

	r = rig_open();
	call(r);
	reply_to_last(r, "INVITE ", 183, "A", "", SDP "a=A\r\n");
	reply_to_last(r, "INVITE ", 200, "A", "", "");
	assert_int_equal(r->answered, 1);
	assert_int_equal(r->ups, 1);
	rig_close(r);
}

static void no_answer_in_the_200(void **state)
{
	struct rig *r = rig_open();

	call(r);
	reply_to_last(r, "INVITE ", 200, "A", "", "");
	assert_int_equal(count(r, "ACK "), 1);
	assert_int_equal(count(r, "BYE "), 1);
	assert_int_equal(r->ups, 0);
	assert_int_equal(r->end.err, TD_ESYNTAX);
	rig_close(r);
}

static void cancel_crosses_the_200(void **state)
{
	struct rig *r = rig_open();

	call(r);
	td_call_hangup(r->call); /* not before a provisional response (§9.1) */
	run(r, 10);
	assert_int_equal(count(r, "CANCEL "), 0);
	reply_to_last(r, "INVITE ", 180, "A", "", "");
	assert_int_equal(count(r, "CANCEL "), 1);
	reply_to_last(r, "INVITE ", 200, "A", "", SDP);
	assert_int_equal(count(r, "ACK "), 1);
	assert_int_equal(count(r, "BYE "), 1);
	assert_int_equal(r->ends, 1);
	assert_int_equal(r->ups + r->answered, 0);
	rig_close(r);
}

/* Closing hangs up, and the agent sees that through although nobody listens any more. */
static void closed_while_it_rings(void **state)
{
	struct rig *r = rig_open();

	call(r);
	reply_to_last(r, "INVITE ", 180, "A", "", "");
	td_call_close(r->call);
	run(r, 10);
	assert_int_equal(count(r, "CANCEL "), 1);
	assert_true(td_ua_busy(r->ua));
	reply_to_last(r, "CANCEL ", 200, "A", "", "");
	reply_to_last(r, "INVITE ", 200, "A", "", SDP);
	assert_int_equal(count(r, "ACK "), 1);
	assert_int_equal(count(r, "BYE "), 1);
	reply_to_last(r, "BYE ", 200, "A", "", "");
	assert_false(td_ua_busy(r->ua));
	run(r, 40000);
	assert_int_equal(r->ends + r->ups, 0);
	rig_close(r);
}

static void bye_to_our_early_dialog(void **state)
{
	struct rig *r = rig_open();

	call(r);
	reply_to_last(r, "INVITE ", 180, "A", "", "");
	ask_in_ours(r, "BYE", 1, "A", "");
	assert_int_equal(count(r, "SIP/2.0 200"), 1);
	assert_int_equal(count(r, "CANCEL "), 1);
	assert_int_equal(r->ends, 1);
	assert_true(r->end.by_peer);
	reply_to_last(r, "INVITE ", 183, "A", "", SDP);
	assert_int_equal(r->progress, 1);
	reply_to_last(r, "INVITE ", 200, "A", "", SDP);
	assert_int_equal(count(r, "ACK "), 1);
	assert_int_equal(count(r, "BYE "), 1);
	rig_close(r);
}

/* §14.2, RFC 3311 §5.2: our offer is out. */
static void glare(void **state)
{
	struct rig *r = rig_open();

	call(r);
	reply_to_last(r, "INVITE ", 180, "A", "", "");
	ask_in_ours(r, "INVITE", 1, "A", SDP);
	assert_int_equal(count(r, "SIP/2.0 491"), 1);
	ask_in_ours(r, "UPDATE", 2, "A", SDP);
	assert_int_equal(count(r, "SIP/2.0 491"), 2);
	ask_in_ours(r, "UPDATE", 2, "A", SDP); /* the same transaction */
	ask_in_ours(r, "INFO", 1, "A", "");
	assert_int_equal(count(r, "SIP/2.0 500"), 1); /* §12.2.2: an older CSeq */
	rig_close(r);
}

static void byes_cross(void **state)
{
	struct rig *r = rig_open();

	call(r);
	reply_to_last(r, "INVITE ", 200, "A", "", SDP);
	td_call_hangup(r->call);
	ask_in_ours(r, "BYE", 1, "A", "");
	assert_int_equal(count(r, "SIP/2.0 481"), 1);
	reply_to_last(r, "BYE ", 481, "A", "", "");
	run(r, 1000);
	assert_int_equal(count(r, "BYE "), 1);
	assert_int_equal(r->ends, 1);
	assert_false(td_ua_busy(r->ua));
	rig_close(r);
}

/* ---- challenges ---- */

#define WWW(realm, nonce) "WWW-Authenticate: Digest realm=\"" realm "\", nonce=\"" nonce "\", qop=\"auth\"\r\n"
#define PROXY(realm, nonce) "Proxy-Authenticate: Digest realm=\"" realm "\", nonce=\"" nonce "\", qop=\"auth\"\r\n"

static void invite_challenged(void **state)
{
	struct rig *r = rig_open();

	call(r);
	reply_to_last(r, "INVITE ", 407, "p", PROXY("b.test", "n1"), "");
	assert_int_equal(count(r, "ACK "), 1);
	assert_int_equal(count(r, "INVITE "), 2);
	assert_true(says(r, "INVITE ", "CSeq: 2 INVITE"));
	assert_true(says(r, "INVITE ", "nonce=\"n1\""));
	assert_int_equal(r->offers, 1);
	reply_to_last(r, "INVITE ", 200, "A", "", SDP);
	assert_true(says(r, "ACK sip:A@", "nonce=\"n1\"")); /* §13.2.2.4 */
	assert_true(says(r, "ACK sip:A@", "CSeq: 2 ACK"));
	td_call_hangup(r->call);
	run(r, 10);
	assert_true(says(r, "BYE ", "nc=00000002"));
	reply_to_last(r, "BYE ", 407, "A", PROXY("b.test", "n2"), "");
	assert_true(says(r, "BYE ", "nonce=\"n2\""));
	assert_true(says(r, "BYE ", "CSeq: 4 BYE"));
	reply_to_last(r, "BYE ", 407, "A", PROXY("b.test", "n3"), "");
	assert_int_equal(count(r, "BYE "), 2);
	assert_int_equal(r->ends, 1);
	rig_close(r);
}

static void wrong_password(void **state)
{
	struct rig *r = rig_open();

	call(r);
	reply_to_last(r, "INVITE ", 401, "p", WWW("b.test", "n1"), "");
	reply_to_last(r, "INVITE ", 401, "p", WWW("b.test", "n2"), "");
	assert_int_equal(count(r, "INVITE "), 2);
	assert_int_equal(r->end.status, 401);
	rig_close(r);
}

/* A callee that asks for the password with its BYE gets none: not for another realm, and not at another address. */
static void a6_callee_challenges(void **state)
{
	struct rig *r = rig_open();
	struct raw callee;

	call(r);
	reply_to_last(r, "INVITE ", 407, "p", PROXY("b.test", "n1"), "");
	reply_to_last(r, "INVITE ", 200, "A", "", SDP);
	td_call_hangup(r->call);
	run(r, 10);
	reply_to_last(r, "BYE ", 407, "A", PROXY("evil.test", "n2"), "");
	assert_int_equal(count(r, "BYE "), 1);
	rig_close(r);

	r = rig_open();
	raw_open(&callee, r->sim, r->wire, "192.0.2.66", 5060);
	call(r);
	reply_to_last(r, "INVITE ", 407, "p", PROXY("b.test", "n1"), "");
	reply_to_last(r, "INVITE ", 200, "A", "Contact: <sip:A@192.0.2.66>\r\n", SDP);
	assert_int_equal(raw_count(&callee, "ACK "), 1);
	td_call_hangup(r->call);
	run(r, 10);
	assert_int_equal(raw_count(&callee, "BYE "), 1);
	for (unsigned i = 0; i < callee.n; i++)
		assert_null(memmem(callee.got[i].buf->data, callee.got[i].buf->len, "Authorization", 13));
	raw_answer(&callee, 1, 407);
	run(r, 10);
	assert_int_equal(raw_count(&callee, "BYE "), 1);
	raw_close(&callee);
	rig_close(r);
}

static void on_response(struct td_request *q, int err, const struct td_msg *m, void *arg)
{
	struct rig *r = arg;

	r->requests++;
	r->last_err = err;
	r->last_status = m ? m->status : 0;
	td_request_close(q);
}

/* Both left without credentials, each is told a nonce of its own. */
static void two_messages_challenged(void **state)
{
	struct td_request_options opt = { .method = TD_STR("MESSAGE"),
					  .uri = TD_STR("sip:bob@b.test"),
					  .content_type = TD_STR("text/plain"),
					  .body = TD_STR("hello") };
	struct rig *r = rig_open();
	struct td_request *q;
	struct td_msg *first, *second;

	assert_int_equal(td_request_open(&q, r->ua, &opt, on_response, r), 0);
	run(r, 10);
	first = heard(r, "MESSAGE ");
	assert_int_equal(td_request_open(&q, r->ua, &opt, on_response, r), 0);
	run(r, 10);
	second = heard(r, "MESSAGE ");
	reply(r, first, 407, "p", PROXY("b.test", "n1"), "");
	assert_true(says(r, "MESSAGE ", "nonce=\"n1\""));
	reply_to_last(r, "MESSAGE ", 200, "p", "", "");
	reply(r, second, 407, "p", PROXY("b.test", "n2"), "");
	assert_true(says(r, "MESSAGE ", "nonce=\"n2\""));
	reply_to_last(r, "MESSAGE ", 404, "p", "", "");
	assert_int_equal(r->requests, 2);
	assert_int_equal(r->last_status, 404);
	assert_int_equal(r->last_err, 0);
	assert_false(td_ua_busy(r->ua));
	td_msg_unref(first);
	td_msg_unref(second);

	opt.uri = TD_STR("sip:bob@b.test>\r\nX: y");
	assert_int_equal(td_request_open(&q, r->ua, &opt, on_response, r), TD_ESYNTAX);
	rig_close(r);
}

/* ---- calls that come ---- */

static void incoming_is_refused(void **state)
{
	static const struct {
		const char *headers, *body, *status, *says;
	} rows[] = {
		{ "Require: a, b\r\nRequire: c\r\n", SDP, "SIP/2.0 420", "Unsupported: a, b\r\nUnsupported: c\r\n" },
		{ "Content-Type: text/plain\r\n", "hello", "SIP/2.0 415", "Accept: application/sdp\r\n" },
		{ "Content-Encoding: gzip\r\n", "\x1f\x8b", "SIP/2.0 415", "Accept: application/sdp\r\n" },
		{ "", SDP, "SIP/2.0 486", "To: " },
	};
	unsigned i;

	for (i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct rig *r = rig_open();

		r->accept = false;
		ask(r, "INVITE", 1, rows[i].headers, rows[i].body);
		assert_true(says(r, rows[i].status, rows[i].says));
		run(r, 1000);
		learn_tag(r, rows[i].status);
		rig_close(r);
	}
}

static void outside_of_dialogs(void **state)
{
	struct rig *r = rig_open();

	ask(r, "OPTIONS", 1, "", "");
	assert_true(says(r, "SIP/2.0 200", "Accept: application/sdp\r\n"));
	snprintf(r->their_tag, sizeof(r->their_tag), "nobody");
	ask(r, "OPTIONS", 2, "", "");
	ask(r, "BYE", 3, "", "");
	ask(r, "INVITE", 4, "", SDP);
	ask(r, "CANCEL", 5, "", "");
	assert_int_equal(count(r, "SIP/2.0 481"), 4);
	ask(r, "ACK", 4, "", "");
	assert_int_equal(count(r, "SIP/2.0 "), 5);
	rig_close(r);
}

static void reinvites(void **state)
{
	struct rig *r = rig_open();

	established(r);
	ask(r, "INVITE", 2, "", SDP "a=sendonly\r\n");
	assert_int_equal(r->answers, 2);
	assert_true(says(r, "SIP/2.0 200", "CSeq: 2 INVITE"));
	ask(r, "INVITE", 3, "", SDP); /* §14.2: before the ACK of the other */
	assert_true(says(r, "SIP/2.0 500", "Retry-After: "));
	ask(r, "ACK", 3, "", "");
	ask(r, "ACK", 2, "", "");
	ask(r, "INVITE", 4, "", ""); /* the offer is ours now */
	assert_int_equal(r->offers, 1);
	ask(r, "UPDATE", 5, "", SDP);
	assert_int_equal(count(r, "SIP/2.0 491"), 1);
	ask(r, "ACK", 4, "", SDP "a=theirs\r\n");
	assert_int_equal(r->answered, 1);
	ask(r, "INVITE", 6, "Content-Type: text/plain\r\n", "x");
	assert_int_equal(count(r, "SIP/2.0 415"), 1);
	r->session_err = TD_EUNSUPPORTED;
	ask(r, "INVITE", 7, "", SDP);
	assert_int_equal(count(r, "SIP/2.0 488"), 1);
	assert_int_equal(r->ups, 1);
	assert_int_equal(r->ends, 0);
	run(r, 40000);
	raw_clear(&r->peer);
	td_call_hangup(r->call); /* to the Contact of the last one that was accepted */
	run(r, 10);
	assert_int_equal(count(r, "BYE sip:bob4@192.0.2.2 "), 1);
	rig_close(r);
}

/* No answer comes with the ACK: there is no session. */
static void offerless_and_no_answer(void **state)
{
	struct rig *r = rig_open();

	ask(r, "INVITE", 1, "", "");
	td_call_answer(r->call);
	run(r, 10);
	assert_int_equal(r->offers, 1);
	learn_tag(r, "SIP/2.0 200");
	ask(r, "ACK", 1, "", "");
	assert_int_equal(count(r, "BYE "), 1);
	assert_int_equal(r->ups, 0);
	assert_int_equal(r->end.err, TD_ESYNTAX);
	rig_close(r);
}

static void updates(void **state)
{
	struct rig *r = rig_open();

	ask(r, "INVITE", 1, "", SDP);
	td_call_ring(r->call);
	run(r, 10);
	learn_tag(r, "SIP/2.0 180");
	ask(r, "UPDATE", 2, "", SDP); /* RFC 3311 §5.2: theirs waits for our answer */
	assert_true(says(r, "SIP/2.0 500", "Retry-After: "));
	ask(r, "INVITE", 3, "", SDP);
	assert_int_equal(count(r, "SIP/2.0 500"), 2);
	ask(r, "ACK", 3, "", "");
	ask(r, "UPDATE", 4, "", "");
	assert_int_equal(count(r, "SIP/2.0 200"), 1);
	td_call_answer(r->call);
	run(r, 10);
	ask(r, "ACK", 1, "", "");
	ask(r, "UPDATE", 5, "", SDP);
	assert_int_equal(r->answers, 2);
	assert_true(says(r, "SIP/2.0 200", SDP));
	ask(r, "UPDATE", 6, "Content-Type: text/plain\r\n", "x");
	assert_int_equal(count(r, "SIP/2.0 415"), 1);
	r->session_err = TD_EUNSUPPORTED;
	ask(r, "UPDATE", 7, "", SDP);
	assert_int_equal(count(r, "SIP/2.0 488"), 1);
	assert_int_equal(r->ends, 0);
	ask(r, "MESSAGE", 8, "Content-Type: text/plain\r\n", "x");
	assert_int_equal(r->messages, 1);
	ask(r, "INFO", 9, "", "");
	ask(r, "FOO", 10, "", "");
	assert_int_equal(count(r, "SIP/2.0 501"), 1);
	rig_close(r);
}

/* §15: the callee's BYE waits for the ACK, whether it hangs up or closes the call. */
static void hung_up_before_the_ack(void **state)
{
	unsigned closes;

	for (closes = 0; closes < 2; closes++) {
		struct rig *r = rig_open();

		ask(r, "INVITE", 1, "", SDP);
		td_call_answer(r->call);
		if (closes)
			td_call_close(r->call);
		else
			td_call_hangup(r->call);
		run(r, 100);
		assert_int_equal(count(r, "BYE "), 0);
		assert_true(td_ua_busy(r->ua));
		learn_tag(r, "SIP/2.0 200");
		ask(r, "UPDATE", 2, "", SDP);
		ask(r, "ACK", 1, "", "");
		assert_int_equal(count(r, "BYE "), 1);
		assert_int_equal(r->ups, 0);
		assert_int_equal(r->ends, closes ? 0 : 1);
		reply_to_last(r, "BYE ", 200, "p1", "", "");
		assert_false(td_ua_busy(r->ua));
		rig_close(r);
	}
}

static void no_ack_for_64_t1(void **state)
{
	struct rig *r = rig_open();

	ask(r, "INVITE", 1, "", SDP);
	td_call_answer(r->call);
	run(r, 31900);
	assert_int_equal(count(r, "SIP/2.0 200"), 11); /* at 0, 0.5, 1.5, 3.5, then every four seconds */
	assert_int_equal(count(r, "BYE "), 0);
	run(r, 200);
	assert_int_equal(count(r, "BYE "), 1);
	assert_int_equal(r->end.err, TD_ETIMEOUT);
	rig_close(r);
}

static void rings_for_long(void **state)
{
	struct rig *r = rig_open();

	ask(r, "INVITE", 1, "", SDP);
	td_call_ring(r->call);
	run(r, 185000);
	assert_int_equal(count(r, "SIP/2.0 180"), 4); /* §13.3.1.1 */
	td_call_ring(r->call);                        /* again, while it rings */
	run(r, 10);
	assert_int_equal(td_call_reject(r->call, 200), TD_ELIMIT);
	learn_tag(r, "SIP/2.0 180");
	ask(r, "BYE", 2, "", ""); /* to an early dialog: the INVITE ends too */
	assert_int_equal(count(r, "SIP/2.0 487"), 1);
	assert_int_equal(r->ends, 1);
	run(r, 100000);
	assert_int_equal(count(r, "SIP/2.0 180"), 5);
	rig_close(r);
}

/* ---- closing in callbacks ---- */

static void closed_in_callbacks(void **state)
{
	static const struct {
		enum where in;
		bool comes;
		const char *ends_with;
	} rows[] = {
		{ IN_INCOMING, true, "SIP/2.0 480" }, { IN_ANSWER, true, "SIP/2.0 480" }, { IN_UP, true, "BYE " },
		{ IN_PROGRESS, false, "CANCEL " },    { IN_ANSWERED, false, "BYE " },     { IN_UP, false, "BYE " },
	};
	unsigned i;

	for (i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct rig *r = rig_open();

		r->close_in = rows[i].in;
		if (rows[i].comes) {
			ask(r, "INVITE", 1, "", SDP);
			if (r->call)
				td_call_answer(r->call);
			run(r, 10);
			if (count(r, "SIP/2.0 200")) {
				learn_tag(r, "SIP/2.0 200");
				ask(r, "ACK", 1, "", "");
			}
		} else {
			call(r);
			reply_to_last(r, "INVITE ", 183, "A", "", "");
			if (r->call)
				reply_to_last(r, "INVITE ", 200, "A", "", SDP);
		}
		assert_int_equal(count(r, rows[i].ends_with), 1);
		assert_null(r->call);
		assert_int_equal(r->ends, 0);
		run(r, 70000);
		assert_false(td_ua_busy(r->ua));
		rig_close(r);
	}
}

/* The session closes the call while it answers an in-dialog offer. */
static void closed_while_answering_again(void **state)
{
	static const char *const methods[] = { "INVITE", "UPDATE" };
	unsigned i;

	for (i = 0; i < TD_ARRAY_LEN(methods); i++) {
		struct rig *r = rig_open();

		established(r);
		r->close_in = IN_ANSWER;
		ask(r, methods[i], 2, "", SDP);
		assert_int_equal(count(r, "SIP/2.0 481"), 1);
		assert_int_equal(count(r, "BYE "), 1);
		rig_close(r);
	}
}

/* ---- a registrar ---- */

static void on_reg(struct td_reg *reg, const struct td_reg_state *st, void *arg)
{
	struct rig *r = arg;

	r->regs++;
	r->reg = *st;
}

static void registration_lives(void **state)
{
	struct rig *r = rig_open();
	struct td_reg *reg;

	assert_int_equal(td_reg_open(&reg, r->ua, TD_STR_NULL, 60, on_reg, r), 0);
	run(r, 10);
	reply_to_last(r, "REGISTER ", 401, "r", WWW("a.test", "n1"), "");
	assert_true(says(r, "REGISTER ", "CSeq: 2 REGISTER"));
	reply_to_last(r, "REGISTER ", 423, "r", "Min-Expires: 1000\r\n", "");
	assert_true(says(r, "REGISTER ", "Expires: 1000\r\n"));
	assert_int_equal(r->regs, 0);
	reply_to_last(r, "REGISTER ", 200, "r", "Contact: <sip:alice@192.0.2.1:5060>;expires=600\r\n", "");
	assert_true(r->reg.registered);
	assert_int_equal(r->reg.expires_s, 600);
	raw_clear(&r->peer);
	run(r, 539000);
	assert_int_equal(count(r, "REGISTER "), 0);
	run(r, 2000);
	assert_true(says(r, "REGISTER ", "CSeq: 4 REGISTER"));
	assert_true(says(r, "REGISTER ", "nonce=\"n1\""));
	reply_to_last(r, "REGISTER ", 423, "r", "Min-Expires: 2000\r\n", "");
	reply_to_last(r, "REGISTER ", 423, "r", "Min-Expires: 3000\r\n", ""); /* not for ever */
	assert_int_equal(r->regs, 2);
	assert_int_equal(r->reg.status, 423);
	td_reg_remove(reg);
	td_reg_remove(reg);
	run(r, 10);
	assert_true(says(r, "REGISTER ", "Expires: 0\r\n"));
	reply_to_last(r, "REGISTER ", 200, "r", "", "");
	assert_int_equal(r->regs, 3);
	assert_false(r->reg.registered);
	raw_clear(&r->peer);
	run(r, 10000000);
	assert_int_equal(count(r, "REGISTER "), 0);
	td_reg_close(reg);
	rig_close(r);
}

/* RFC 5626 §4.5: pauses grow, unless the registrar names one. A 200 that grants nothing is no registration. */
static void registration_fails(void **state)
{
	static const uint64_t pauses_s[] = { 30, 60, 120, 240, 480, 960, 1800, 1800 };
	struct rig *r = rig_open();
	struct td_reg *reg;
	unsigned i;

	assert_int_equal(td_reg_open(&reg, r->ua, TD_STR_NULL, 60, on_reg, r), 0);
	run(r, 10);
	for (i = 0; i < TD_ARRAY_LEN(pauses_s); i++) {
		reply_to_last(r, "REGISTER ", 403, "r", "", "");
		assert_int_equal(r->regs, i + 1);
		raw_clear(&r->peer);
		run(r, (pauses_s[i] - 1) * 1000);
		assert_int_equal(count(r, "REGISTER "), 0);
		run(r, 1100);
	}
	reply_to_last(r, "REGISTER ", 503, "r", "Retry-After: 7 (soon)\r\n", "");
	raw_clear(&r->peer);
	run(r, 7100);
	reply_to_last(r, "REGISTER ", 200, "r", "Expires: 0\r\n", "");
	assert_false(r->reg.registered);
	assert_int_equal(r->reg.status, 200);
	raw_clear(&r->peer);
	run(r, 20000);
	assert_int_equal(count(r, "REGISTER "), 0);
	td_reg_close(reg);
	rig_close(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_fork_with_two_answers),
		cmocka_unit_test(early_answers_of_a_fork),
		cmocka_unit_test(no_answer_in_the_200),
		cmocka_unit_test(cancel_crosses_the_200),
		cmocka_unit_test(closed_while_it_rings),
		cmocka_unit_test(bye_to_our_early_dialog),
		cmocka_unit_test(glare),
		cmocka_unit_test(byes_cross),
		cmocka_unit_test(invite_challenged),
		cmocka_unit_test(wrong_password),
		cmocka_unit_test(a6_callee_challenges),
		cmocka_unit_test(two_messages_challenged),
		cmocka_unit_test(incoming_is_refused),
		cmocka_unit_test(outside_of_dialogs),
		cmocka_unit_test(reinvites),
		cmocka_unit_test(offerless_and_no_answer),
		cmocka_unit_test(updates),
		cmocka_unit_test(hung_up_before_the_ack),
		cmocka_unit_test(no_ack_for_64_t1),
		cmocka_unit_test(rings_for_long),
		cmocka_unit_test(closed_in_callbacks),
		cmocka_unit_test(closed_while_answering_again),
		cmocka_unit_test(registration_lives),
		cmocka_unit_test(registration_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
