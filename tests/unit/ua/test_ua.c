/* Two agents on a simulated wire: what each sees of calls, messages and registrations, also when the wire loses and repeats. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <tandem/ua.h>

struct peer {
	struct td_net *net;
	struct td_loop *loop;
	struct td_ua *ua;
	struct td_call *call;
	bool up, ended, ring, auto_answer;
	unsigned reject, progress, offers, answers, answered, messages, response;
	int request_err;
	struct td_call_end end;
	char text[64];
	struct td_reg_state reg;
};

struct world {
	struct td_sim *sim;
	struct td_wire *wire;
	struct peer alice, bob;
};

static int offer(void *arg, struct td_out *sdp)
{
	((struct peer *)arg)->offers++;
	td_out_z(sdp, "v=0\r\no=- 1 1 IN IP4 h\r\ns=-\r\nt=0 0\r\n");
	return 0;
}

static int answer(void *arg, struct td_str theirs, struct td_out *sdp)
{
	((struct peer *)arg)->answers++;
	if (td_str_starts(theirs, TD_STR("bad")))
		return TD_EUNSUPPORTED;
	td_out_z(sdp, "v=0\r\no=- 2 2 IN IP4 h\r\ns=-\r\nt=0 0\r\n");
	return 0;
}

static int answered(void *arg, struct td_str theirs)
{
	((struct peer *)arg)->answered++;
	return 0;
}

static const struct td_session session = { offer, answer, answered };

static void on_progress(struct td_call *c, unsigned status, struct td_str reason, void *arg)
{
	((struct peer *)arg)->progress = status;
}

static void on_up(struct td_call *c, void *arg)
{
	((struct peer *)arg)->up = true;
}

static void on_call_ended(struct td_call *c, const struct td_call_end *end, void *arg)
{
	struct peer *p = arg;

	assert_false(p->ended);
	p->ended = true;
	p->end = *end;
	td_call_close(c);
	p->call = NULL;
}

static const struct td_call_events call_events = { on_progress, on_up, on_call_ended };

static void on_incoming(struct td_ua *ua, struct td_call *call, void *arg)
{
	struct peer *p = arg;

	if (p->call)
		return; /* busy: rejected by the agent */
	td_call_accept(call, &session, &call_events, p);
	p->call = call;
	if (p->reject)
		td_call_reject(call, p->reject);
	if (p->ring)
		td_call_ring(call);
	if (p->auto_answer)
		td_call_answer(call);
}

static void on_message(struct td_ua *ua, const struct td_msg *m, void *arg)
{
	struct peer *p = arg;

	p->messages++;
	snprintf(p->text, sizeof(p->text), "%.*s", TD_FMT(m->body));
}

static const struct td_ua_events ua_events = { on_incoming, on_message };

static void open_peer(struct world *w, struct peer *p, const char *ip, const char *to, const char *address, enum td_proto proto)
{
	struct td_ua_options opt = { .log = NULL,
				     .address = td_str_of(address),
				     .password = TD_STR("secret"),
				     .proto = proto,
				     .events = &ua_events,
				     .arg = p };
	struct td_addr host;

	assert_int_equal(td_ip_parse(&host, td_str_of(ip)), 0);
	assert_int_equal(td_sim_loop(&p->loop, w->sim), 0);
	assert_int_equal(td_net_open_sim(&p->net, p->loop, w->wire, &host), 0);
	opt.net = p->net;
	opt.local = host;
	opt.local.port = 5060;
	assert_int_equal(td_ip_parse(&opt.proxy, td_str_of(to)), 0);
	opt.proxy.port = 5060;
	assert_int_equal(td_ua_open(&p->ua, &opt), 0);
}

static struct world *open_world(uint64_t seed, enum td_proto proto)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_int_equal(td_sim_open(&w->sim, seed), 0);
	assert_int_equal(td_wire_open(&w->wire, w->sim), 0);
	td_wire_rules(w->wire, &(struct td_wire_rules){ .delay_us = 3000 });
	open_peer(w, &w->alice, "192.0.2.1", "192.0.2.2", "sip:alice@a.test", proto);
	open_peer(w, &w->bob, "192.0.2.2", "192.0.2.1", "sip:bob@b.test", proto);
	return w;
}

static void close_peer(struct peer *p)
{
	td_ua_close(p->ua);
	td_net_close(p->net);
	td_loop_close(p->loop);
}

static void close_world(struct world *w)
{
	td_sim_run(w->sim, 100000); /* every transaction has come to its end */
	assert_false(td_ua_busy(w->alice.ua));
	assert_false(td_ua_busy(w->bob.ua));
	close_peer(&w->alice);
	close_peer(&w->bob);
	td_wire_close(w->wire);
	td_sim_close(w->sim);
	free(w);
}

static void call(struct world *w)
{
	assert_int_equal(td_call_open(&w->alice.call, w->alice.ua, TD_STR("sip:bob@b.test"), &session, &call_events, &w->alice),
			 0);
}

static void established(struct world *w)
{
	w->bob.ring = w->bob.auto_answer = true;
	call(w);
	td_sim_run(w->sim, 15000);
	assert_true(w->alice.up && w->bob.up);
	assert_int_equal(w->bob.answers, 1);
	assert_int_equal(w->alice.answered, 1);
}

static void call_and_caller_hangs_up(void **state)
{
	struct world *w = open_world(1, TD_UDP);

	established(w);
	assert_int_equal(w->alice.progress, 180);
	td_call_hangup(w->alice.call);
	td_sim_run(w->sim, 1000);
	assert_true(w->alice.ended && w->bob.ended);
	assert_true(w->bob.end.by_peer);
	assert_false(w->alice.end.by_peer);
	close_world(w);
}

static void call_over_tcp_and_callee_hangs_up(void **state)
{
	struct world *w = open_world(2, TD_TCP);

	established(w);
	td_call_hangup(w->bob.call);
	td_sim_run(w->sim, 1000);
	assert_true(w->alice.ended && w->bob.ended);
	assert_true(w->alice.end.by_peer);
	close_world(w);
}

static void cancel_before_answer(void **state)
{
	struct world *w = open_world(3, TD_UDP);

	w->bob.ring = true;
	call(w);
	td_sim_run(w->sim, 100);
	assert_int_equal(w->alice.progress, 180);
	td_call_hangup(w->alice.call);
	td_sim_run(w->sim, 1000);
	assert_true(w->alice.ended && w->bob.ended);
	assert_int_equal(w->bob.end.status, 487);
	assert_false(w->alice.up || w->bob.up);
	close_world(w);
}

/* Proves RFC 3261 §12.3-1. */
static void busy_and_rejected(void **state)
{
	struct world *w = open_world(4, TD_UDP);

	w->bob.reject = 486;
	call(w);
	td_sim_run(w->sim, 1000);
	assert_true(w->alice.ended && w->bob.ended);
	assert_int_equal(w->alice.end.status, 486);
	assert_true(td_str_eq(w->alice.end.reason, TD_STR("Busy Here")) || w->alice.end.reason.n);
	close_world(w);
}

/* Proves RFC 3261 §8.1.3.1-1. */
static void nobody_there(void **state)
{
	struct world *w = open_world(5, TD_UDP);

	td_net_unplug(w->bob.net, true);
	call(w);
	td_sim_run(w->sim, 31000);
	assert_false(w->alice.ended);
	td_sim_run(w->sim, 2000);
	assert_true(w->alice.ended);
	assert_int_equal(w->alice.end.err, TD_ETIMEOUT);
	close_world(w);
}

/* The 200 of a callee whose ACKs never arrive is sent for 64*T1, then the call is hung up (§13.3.1.4). */
static bool no_ack(void *arg, const struct td_addr *from, const struct td_addr *to, struct td_str bytes)
{
	return !td_str_starts(bytes, TD_STR("ACK "));
}

/* Proves RFC 3261 §13.3.1.4-2. */
static void lost_acks_end_the_call(void **state)
{
	struct world *w = open_world(6, TD_UDP);

	td_wire_rules(w->wire, &(struct td_wire_rules){ .delay_us = 3000, .filter = no_ack });
	w->bob.auto_answer = true;
	call(w);
	td_sim_run(w->sim, 20000);
	assert_true(w->alice.up);
	assert_false(w->bob.up || w->bob.ended);
	td_sim_run(w->sim, 20000);
	assert_true(w->bob.ended);
	assert_true(w->alice.ended && w->alice.end.by_peer);
	close_world(w);
}

static int bad_offer(void *arg, struct td_out *sdp)
{
	td_out_z(sdp, "bad\r\n");
	return 0;
}

/* Proves RFC 3261 §13.3.1.3-1. */
static void bad_offer_is_488(void **state)
{
	static const struct td_session bad = { bad_offer, answer, answered };
	struct world *w = open_world(7, TD_UDP);

	w->bob.auto_answer = true;
	assert_int_equal(td_call_open(&w->alice.call, w->alice.ua, TD_STR("sip:bob@b.test"), &bad, &call_events, &w->alice), 0);
	td_sim_run(w->sim, 1000);
	assert_true(w->alice.ended && w->bob.ended);
	assert_int_equal(w->alice.end.status, 488);
	close_world(w);
}

static void on_answer(struct td_request *r, int err, const struct td_msg *response, void *arg)
{
	struct peer *p = arg;

	p->request_err = err;
	p->response = response ? response->status : 0;
}

/* Proves RFC 3261 §8.1.1-1, §11.2-2; RFC 3581 §3-2. */
static void message_and_options(void **state)
{
	struct world *w = open_world(8, TD_UDP);
	struct td_request *r;
	struct td_request_options m = { .method = TD_STR("MESSAGE"),
					.uri = TD_STR("sip:bob@b.test"),
					.content_type = TD_STR("text/plain"),
					.body = TD_STR("hello") };
	struct td_request_options o = { .method = TD_STR("OPTIONS"), .uri = TD_STR("sip:bob@b.test") };

	assert_int_equal(td_request_open(&r, w->alice.ua, &m, on_answer, &w->alice), 0);
	td_sim_run(w->sim, 1000);
	assert_int_equal(w->alice.response, 200);
	assert_int_equal(w->bob.messages, 1);
	assert_string_equal(w->bob.text, "hello");
	assert_int_equal(td_request_open(&r, w->alice.ua, &o, on_answer, &w->alice), 0);
	td_sim_run(w->sim, 1000);
	assert_int_equal(w->alice.response, 200);
	td_net_unplug(w->bob.net, true);
	assert_int_equal(td_request_open(&r, w->alice.ua, &o, on_answer, &w->alice), 0);
	td_sim_run(w->sim, 33000);
	assert_int_equal(w->alice.response, 0);
	assert_int_equal(w->alice.request_err, TD_ETIMEOUT);
	close_world(w);
}

/* Whatever is lost, repeated or reordered: a call comes up on both sides or fails on both, and nothing is left over. */
static void storms(void **state)
{
	unsigned seed, up = 0;

	for (seed = 100; seed < 140; seed++) {
		struct world *w = open_world(seed, TD_UDP);

		td_wire_rules(w->wire,
			      &(struct td_wire_rules){
				      .delay_us = 20000, .jitter_us = 40000, .loss = 0.15, .duplicate = 0.1, .reorder = 0.1 });
		w->bob.ring = w->bob.auto_answer = true;
		call(w);
		td_sim_run(w->sim, 20000);
		if (w->alice.up && !w->alice.ended) {
			up++;
			td_call_hangup(seed & 1 || !w->bob.call ? w->alice.call : w->bob.call);
		} else if (w->alice.call) {
			td_call_hangup(w->alice.call);
		}
		td_sim_run(w->sim, 120000);
		assert_true(w->alice.ended);
		assert_true(w->bob.ended || !w->bob.call);
		close_world(w);
	}
	assert_true(up > 30);
}

static void on_reg(struct td_reg *reg, const struct td_reg_state *st, void *arg)
{
	((struct peer *)arg)->reg = *st;
}

/* bob's agent is no registrar: it answers 405. */
/* Proves RFC 3261 §8.2.1-1. */
static void registration_refused(void **state)
{
	struct world *w = open_world(9, TD_UDP);
	struct td_reg *reg;

	assert_int_equal(td_reg_open(&reg, w->alice.ua, TD_STR_NULL, 600, on_reg, &w->alice), 0);
	td_sim_run(w->sim, 1000);
	assert_int_equal(w->alice.reg.status, 405);
	assert_false(w->alice.reg.registered);
	td_reg_close(reg);
	close_world(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(call_and_caller_hangs_up),
		cmocka_unit_test(call_over_tcp_and_callee_hangs_up),
		cmocka_unit_test(cancel_before_answer),
		cmocka_unit_test(busy_and_rejected),
		cmocka_unit_test(nobody_there),
		cmocka_unit_test(lost_acks_end_the_call),
		cmocka_unit_test(bad_offer_is_488),
		cmocka_unit_test(message_and_options),
		cmocka_unit_test(registration_refused),
		cmocka_unit_test(storms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
