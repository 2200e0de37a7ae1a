/*
 * Two user agents of the library call each other through the server over a network that loses, repeats and reorders, seed after
 * seed. Whatever happens on the way, both sides agree on how the call went, and nothing is left anywhere.
 */
#include "harness.h"

#include <tandem/ua.h>

enum { SEEDS = 200 };

struct party {
	struct td_net *net;
	struct td_ua *ua;
	struct td_reg *reg;
	struct td_call *call;
	bool registered, up, ended, answers;
	unsigned status;
};

struct rig {
	struct world w;
	struct party a, b;
};

static int offer(void *arg, struct td_out *sdp)
{
	td_out_z(sdp, SDP);
	return 0;
}

static int answer(void *arg, struct td_str in, struct td_out *sdp)
{
	return offer(arg, sdp);
}

static int answered(void *arg, struct td_str in)
{
	return 0;
}

static const struct td_session session = { .offer = offer, .answer = answer, .answered = answered };

static void on_up(struct td_call *c, void *arg)
{
	((struct party *)arg)->up = true;
}

static void on_ended(struct td_call *c, const struct td_call_end *end, void *arg)
{
	struct party *p = arg;

	p->ended = true;
	p->status = end->status;
	p->call = NULL;
	td_call_close(c);
}

static const struct td_call_events call_events = { .up = on_up, .ended = on_ended };

static void on_incoming(struct td_ua *ua, struct td_call *call, void *arg)
{
	struct party *p = arg;

	if (p->call)
		return;
	p->call = call;
	td_call_accept(call, &session, &call_events, p);
	td_call_ring(call);
	if (p->answers)
		td_call_answer(call);
}

static const struct td_ua_events ua_events = { .incoming = on_incoming };

static void on_reg(struct td_reg *reg, const struct td_reg_state *st, void *arg)
{
	((struct party *)arg)->registered = st->registered;
}

static void party_open(struct party *p, struct world *w, const char *name, const char *ip, enum td_proto proto)
{
	char address[64];
	struct td_ua_options opt = {
		.log = w->log,
		.address = { address, 0 },
		.password = TD_STR("secret"),
		.proto = proto,
		.events = &ua_events,
		.arg = p,
	};

	memset(p, 0, sizeof(*p));
	opt.address.n = (size_t)snprintf(address, sizeof(address), "sip:%s@example.test", name);
	assert_int_equal(td_ip_parse(&opt.local, td_str_of(ip)), 0);
	assert_int_equal(td_net_open_sim(&p->net, w->peers, w->wire, &opt.local), 0);
	assert_int_equal(td_addr_parse(&opt.proxy, TD_STR(SERVER_IP ":5060")), 0);
	opt.net = p->net;
	assert_int_equal(td_ua_open(&p->ua, &opt), 0);
	assert_int_equal(td_reg_open(&p->reg, p->ua, TD_STR_NULL, 3600, on_reg, p), 0);
}

static void party_close(struct party *p, struct world *w)
{
	if (p->call)
		td_call_close(p->call);
	td_reg_close(p->reg);
	td_ua_close(p->ua);
	world_run(w, 1);
	td_net_close(p->net);
}

static void rig_open(struct rig *r, uint64_t seed, enum td_proto pa, enum td_proto pb)
{
	world_open(&r->w, seed, 1 + seed % 3, NULL);
	world_user(&r->w, "alice", "secret");
	world_user(&r->w, "bob", "secret");
	world_rules(&r->w, 0.10, 0.05, 0.10);
	party_open(&r->a, &r->w, "alice", "10.0.2.1", pa);
	party_open(&r->b, &r->w, "bob", "10.0.2.2", pb);
}

static void rig_close(struct rig *r)
{
	party_close(&r->a, &r->w);
	party_close(&r->b, &r->w);
	world_close(&r->w);
}

static bool wait_until(struct rig *r, bool (*done)(void *arg))
{
	return td_sim_run_until(r->w.sim, done, r, 120000);
}

static bool both_registered(void *arg)
{
	struct rig *r = arg;

	return r->a.registered && r->b.registered;
}

static bool both_up(void *arg)
{
	struct rig *r = arg;

	return r->a.up && r->b.up;
}

static bool both_ended(void *arg)
{
	struct rig *r = arg;

	return r->a.ended && r->b.ended;
}

static bool is_ringing(void *arg)
{
	struct rig *r = arg;

	return r->b.call; /* the caller may miss a 180: nobody repeats it */
}

static void dial(struct rig *r)
{
	r->a.up = r->b.up = r->a.ended = r->b.ended = false;
	assert_int_equal(td_call_open(&r->a.call, r->a.ua, TD_STR("sip:bob@example.test"), &session, &call_events, &r->a), 0);
}

static void one_life(uint64_t seed, enum td_proto pa, enum td_proto pb)
{
	struct rig r;

	rig_open(&r, seed, pa, pb);
	if (!wait_until(&r, both_registered))
		fail_msg("seed %u: not registered", (unsigned)seed);
	r.b.answers = true;
	dial(&r); /* answered; one side hangs up */
	if (!wait_until(&r, both_up))
		fail_msg("seed %u: not up (%d, %d)", (unsigned)seed, r.a.up, r.b.up);
	world_run(&r.w, 3000);
	td_call_hangup(seed & 1 ? r.a.call : r.b.call);
	if (!wait_until(&r, both_ended))
		fail_msg("seed %u: not ended (%d, %d)", (unsigned)seed, r.a.ended, r.b.ended);
	r.b.answers = false;
	dial(&r); /* cancelled while it rings, or refused */
	if (!wait_until(&r, is_ringing))
		fail_msg("seed %u: does not ring", (unsigned)seed);
	if (seed & 1)
		td_call_hangup(r.a.call);
	else
		td_call_reject(r.b.call, 603);
	if (!wait_until(&r, both_ended))
		fail_msg("seed %u: refusal or CANCEL lost (%d, %d)", (unsigned)seed, r.a.ended, r.b.ended);
	assert_false(r.a.up || r.b.up);
	if (!(seed & 1))
		assert_int_equal(r.a.status, 603);
	world_rules(&r.w, 0, 0, 0); /* what is left ends by its timers, not by luck */
	rig_close(&r);
}

static void everything_lossy(void **state)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++)
		one_life(seed, TD_UDP, TD_UDP);
}

static void half_of_it_over_tcp(void **state)
{
	for (uint64_t seed = 100; seed < 110; seed++)
		one_life(seed, seed & 2 ? TD_TCP : TD_UDP, seed & 2 ? TD_UDP : TD_TCP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_lossy),
		cmocka_unit_test(half_of_it_over_tcp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
