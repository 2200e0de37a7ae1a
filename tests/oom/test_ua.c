/*
 * Two agents when memory runs out: each allocation of opening them, a call with its answer, a message, a registration and the end
 * of it all fails in turn, alone and for good. No crash, no leak; and after one failure nothing stays busy or waits for ever.
 */
#include "failing.h"

#include <stdio.h>
#include <tandem/ua.h>

struct peer {
	struct td_net *net;
	struct td_loop *loop;
	struct td_ua *ua;
	struct td_call *call;
	struct td_reg *reg;
	unsigned ended, regs, answers;
};

struct world {
	struct td_sim *sim;
	struct td_wire *wire;
	struct peer alice, bob;
	enum td_proto proto;
	bool cancel;
};

static int describe(void *arg, struct td_out *sdp)
{
	td_out_z(sdp, "v=0\r\no=- 1 1 IN IP4 h\r\ns=-\r\nt=0 0\r\n");
	return 0;
}

static int answer(void *arg, struct td_str theirs, struct td_out *sdp)
{
	return describe(arg, sdp);
}

static int answered(void *arg, struct td_str theirs)
{
	return 0;
}

static const struct td_session session = { describe, answer, answered };

static void on_ended(struct td_call *c, const struct td_call_end *end, void *arg)
{
	struct peer *p = arg;

	p->ended++;
	td_call_close(c);
	p->call = NULL;
}

static const struct td_call_events call_events = { .ended = on_ended };

static void on_incoming(struct td_ua *ua, struct td_call *c, void *arg)
{
	struct peer *p = arg;

	if (p->call)
		return;
	td_call_accept(c, &session, &call_events, p);
	p->call = c;
	td_call_ring(c);
}

static void on_message(struct td_ua *ua, const struct td_msg *m, void *arg) {}

static const struct td_ua_events ua_events = { on_incoming, on_message };

static void on_response(struct td_request *r, int err, const struct td_msg *m, void *arg)
{
	((struct peer *)arg)->answers++;
}

static void on_reg(struct td_reg *reg, const struct td_reg_state *st, void *arg)
{
	((struct peer *)arg)->regs++;
}

/* The wire and the hosts on it are no part of the test; the agents are. */
static int open_peer(struct world *w, struct peer *p, const char *ip, const char *to, const char *address)
{
	struct td_ua_options opt = {
		.address = td_str_of(address), .password = TD_STR("secret"), .proto = w->proto, .events = &ua_events, .arg = p
	};
	unsigned long n = oom_pause();

	assert_int_equal(td_ip_parse(&opt.local, td_str_of(ip)), 0);
	assert_int_equal(td_sim_loop(&p->loop, w->sim), 0);
	assert_int_equal(td_net_open_sim(&p->net, p->loop, w->wire, &opt.local), 0);
	assert_int_equal(td_ip_parse(&opt.proxy, td_str_of(to)), 0);
	oom_resume(n);
	opt.local.port = opt.proxy.port = 5060;
	opt.net = p->net;
	return td_ua_open(&p->ua, &opt);
}

static void close_peer(struct peer *p)
{
	td_ua_close(p->ua);
	td_net_close(p->net);
	td_loop_close(p->loop);
}

static int talk(struct world *w)
{
	struct peer *a = &w->alice, *b = &w->bob;
	struct td_request_options opt = { .method = TD_STR("MESSAGE"),
					  .uri = TD_STR("sip:bob@b.test"),
					  .content_type = TD_STR("text/plain"),
					  .body = TD_STR("hello") };
	struct td_request *r;
	int err = td_reg_open(&a->reg, a->ua, TD_STR_NULL, 600, on_reg, a);

	if (!err)
		err = td_request_open(&r, a->ua, &opt, on_response, a);
	if (!err)
		err = td_call_open(&a->call, a->ua, TD_STR("sip:bob@b.test"), &session, &call_events, a);
	if (err)
		return err;
	td_sim_run(w->sim, 5000);
	if (w->cancel && a->call)
		td_call_hangup(a->call);
	else if (b->call)
		td_call_answer(b->call);
	td_sim_run(w->sim, 20000);
	if (a->call)
		td_call_hangup(a->call);
	if (a->reg)
		td_reg_remove(a->reg);
	td_sim_run(w->sim, 120000);
	if (b->call) /* the BYE that memory was out for */
		td_call_hangup(b->call);
	td_sim_run(w->sim, 120000);
	if (!oom.for_good) {
		assert_int_equal(a->ended, 1);
		assert_int_equal(a->answers, 1);
		assert_true(a->regs > 0);
		assert_null(b->call);
		assert_false(td_ua_busy(a->ua));
		assert_false(td_ua_busy(b->ua));
	}
	return 0;
}

static int scenario(void *arg)
{
	const struct world *kind = arg;
	struct world w = { .proto = kind->proto, .cancel = kind->cancel };
	unsigned long n = oom_pause();
	int err;

	assert_int_equal(td_sim_open(&w.sim, 1), 0);
	assert_int_equal(td_wire_open(&w.wire, w.sim), 0);
	td_wire_rules(w.wire, &(struct td_wire_rules){ .delay_us = 1000 });
	oom_resume(n);
	err = open_peer(&w, &w.alice, "192.0.2.1", "192.0.2.2", "sip:alice@a.test");
	if (!err)
		err = open_peer(&w, &w.bob, "192.0.2.2", "192.0.2.1", "sip:bob@b.test");
	if (!err)
		err = talk(&w);
	close_peer(&w.alice);
	if (w.bob.loop)
		close_peer(&w.bob);
	td_wire_close(w.wire);
	td_sim_close(w.sim);
	return err;
}

static void agents(void **state)
{
	static struct world kinds[] = { { .proto = TD_UDP }, { .proto = TD_UDP, .cancel = true }, { .proto = TD_TCP } };
	size_t i;

	for (i = 0; i < TD_ARRAY_LEN(kinds); i++)
		assert_true(oom_each(scenario, &kinds[i]) > 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(agents) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
