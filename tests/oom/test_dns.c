/* The DNS client with every allocation failing in turn: an answer, or -ENOMEM as one; nothing leaks and nobody waits for ever. */
#include "failing.h"
#include "name_server.h"

#include <tandem/transport.h>

static const struct zone_row rows[] = {
	{ "a.example", "CNAME", 60, "b.example" },
	{ "b.example", "A", 60, "192.0.2.1" },
	{ "_sip._udp.example", "SRV", 60, "20 0 5060 a.example" },
	{ "example", "NAPTR", 60, "10 10 s SIP+D2U _sip._udp.example" },
};

enum { ASKS = 3 };

struct world {
	struct td_dns *dns;
	unsigned answers;
	int err;
};

static void on_answer(void *arg, const struct td_dns_answer *answer)
{
	struct world *w = arg;

	w->answers++;
	/* Memory was out, or so little was left of a question or its answer that nobody answered it: then it timed out. */
	if (answer->err == -ENOMEM || answer->err == TD_ETIMEOUT)
		w->err = -ENOMEM;
	else if (answer->err && answer->err != TD_ENOTFOUND)
		fail_msg("a question came to: %s", td_strerror(answer->err));
}

static bool done(void *arg)
{
	return ((struct world *)arg)->answers == ASKS;
}

static int questions(struct world *w, struct td_sim *sim)
{
	static const struct {
		enum td_dns_type type;
		const char *name;
	} asks[ASKS] = { { TD_DNS_A, "a.example" }, { TD_DNS_SRV, "_sip._udp.example" }, { TD_DNS_A, "none.example" } };
	struct td_dns_ask *ask;

	for (int i = 0; i < ASKS; i++) {
		int err = td_dns_ask(&ask, w->dns, asks[i].type, td_str_of(asks[i].name), on_answer, w);

		if (err)
			return err;
	}
	if (!td_sim_run_until(sim, done, w, 20000))
		return TD_ETIMEOUT;
	return w->err;
}

/* ---- from a URI to a target (RFC 3263), which asks all of these ---- */

struct seeker {
	bool over;
	int err;
};

static void on_found(void *arg, int err, const struct td_hop *hop)
{
	struct seeker *s = arg;

	s->over = true;
	if (err && err != -ENOMEM && err != TD_ETIMEOUT)
		fail_msg("the search came to: %s", td_strerror(err));
	s->err = err ? -ENOMEM : 0;
}

static void on_told(void *arg, const struct td_locate_step *step) {}

static bool found(void *arg)
{
	return ((struct seeker *)arg)->over;
}

static void on_message(void *arg, struct td_msg *msg, const struct td_flow *from)
{
	td_msg_unref(msg);
}

static int seek(struct td_locator *lr, struct td_sim *sim)
{
	static const struct td_locate_events events = { on_found, on_told };
	struct seeker s = { 0 };
	struct td_locate *l;
	struct td_uri uri;
	int err;

	assert_int_equal(td_uri_parse(&uri, TD_STR("sip:example")), 0);
	err = td_locate_open(&l, lr, &uri, 0, &events, &s);
	if (err)
		return err;
	td_locate_next(l);
	if (!td_sim_run_until(sim, found, &s, 60000))
		s.err = TD_ETIMEOUT;
	if (!s.err)
		td_locator_failed(lr, &(struct td_hop){ .proto = TD_UDP }, 0);
	td_locate_close(l);
	return s.err;
}

static int locate(struct world *w, struct td_net *net, struct td_sim *sim, const struct td_addr *ip)
{
	static const struct td_tp_events events = { .message = on_message };
	struct td_tp_group *group = NULL;
	struct td_locator *lr = NULL;
	struct td_tp *tp = NULL;
	unsigned index;
	int err = td_tp_group_open(&group, 1);

	if (!err)
		err = td_tp_open(&tp, group, 0, net, NULL, NULL, &events, NULL);
	if (!err)
		err = td_tp_listen(tp, &index, TD_UDP, ip);
	if (!err)
		err = td_locator_open(&lr, tp, w->dns, NULL);
	if (!err)
		err = seek(lr, sim);
	td_locator_close(lr);
	if (tp)
		td_tp_close(tp);
	if (group)
		td_tp_group_close(group);
	return err;
}

enum mode { DATAGRAMS, STREAMS, LOCATE };

static int scenario(void *arg)
{
	unsigned long n = oom_pause();
	struct td_sim *sim;
	struct td_wire *wire;
	struct td_loop *loop;
	struct td_net *net;
	struct name_server ns;
	struct td_addr ip;
	struct world w = { 0 };
	int err;

	assert_int_equal(td_ip_parse(&ip, TD_STR("10.0.0.1")), 0);
	assert_int_equal(td_sim_open(&sim, 1), 0);
	assert_int_equal(td_wire_open(&wire, sim), 0);
	assert_int_equal(td_sim_loop(&loop, sim), 0);
	assert_int_equal(td_net_open_sim(&net, loop, wire, &ip), 0);
	name_server_open(&ns, loop, wire, "10.0.0.53", rows, TD_ARRAY_LEN(rows));
	ns.truncate = *(enum mode *)arg == STREAMS;
	oom_resume(n);
	err = td_dns_open(&w.dns, net, &(struct td_dns_options){ .servers = &ns.addr, .server_n = 1 });
	if (!err)
		err = *(enum mode *)arg == LOCATE ? locate(&w, net, sim, &ip) : questions(&w, sim);
	td_dns_close(w.dns);
	oom_pause();
	td_sim_run(sim, 20000); /* connections end */
	name_server_close(&ns);
	td_net_close(net);
	td_loop_close(loop);
	td_wire_close(wire);
	td_sim_close(sim);
	oom_resume(n);
	return err;
}

static void datagrams(void **state)
{
	enum mode mode = DATAGRAMS;

	assert_true(oom_each(scenario, &mode) > 15);
}

static void streams(void **state)
{
	enum mode mode = STREAMS;

	assert_true(oom_each(scenario, &mode) > 20);
}

static void targets(void **state)
{
	enum mode mode = LOCATE;

	assert_true(oom_each(scenario, &mode) > 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(datagrams), cmocka_unit_test(streams), cmocka_unit_test(targets) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
