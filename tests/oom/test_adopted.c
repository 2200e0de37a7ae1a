/*
 * A connection that another library holds, with every allocation failing in turn: it is not adopted, or it ends and its holder is told
 * why, or its message arrives whole. Never a part of one, never an end that nobody hears of.
 */
#include "failing.h"

#include <tandem/transport.h>

static const char message[] =
	"OPTIONS sip:b@x.test SIP/2.0\r\nVia: SIP/2.0/WS a1.invalid;branch=z9hG4bK1\r\nFrom: <sip:a@x.test>;tag=1\r\n"
	"To: <sip:b@x.test>\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\n\r\nbody";

struct seen {
	struct td_tp *tp;
	unsigned messages, pongs, closes;
	int why;
	struct tp_conn *c; /* NULL: ended */
};

static void on_message(void *arg, struct td_msg *m, const struct td_flow *from)
{
	struct seen *s = arg;

	s->messages++;
	assert_str(m->body, "body");
	td_msg_unref(m);
}

static const struct td_tp_events events = { .message = on_message };

static int held_send(void *held, struct td_buf *buf)
{
	struct seen *s = held;

	s->pongs++;
	assert_str(td_buf_str(buf), "\r\n");
	return 0;
}

static void held_close(void *held, int why, bool linger)
{
	struct seen *s = held;

	s->c = NULL;
	s->closes++;
	s->why = why;
}

static const struct td_tp_holder holder = { .send = held_send, .close = held_close };

/* A message in three pieces, then a ping. */
static int speak(struct seen *s)
{
	static const size_t ends[] = { 7, 100, sizeof(message) - 1 };
	size_t at = 0;
	bool whole;
	int err = 0;

	for (size_t i = 0; i < TD_ARRAY_LEN(ends) && !err; at = ends[i++])
		err = td_tp_adopted_data(s->c, td_str_n(message + at, ends[i] - at), 0, i + 1 == TD_ARRAY_LEN(ends));
	whole = !err;
	if (!err)
		err = td_tp_adopted_data(s->c, TD_STR("\r\n\r\n"), 0, true);
	if (err) { /* then it has ended, for that reason */
		assert_int_equal(s->closes, 1);
		assert_int_equal(s->why, err);
		assert_true(whole || !s->messages);
		return err;
	}
	assert_int_equal(s->closes, 0);
	assert_true(s->messages <= 1 && s->pongs <= 1);
	return s->messages && s->pongs ? 0 : -ENOMEM; /* it was lost like a datagram, and the connection stands */
}

static int adopted(void *arg)
{
	struct td_addr *peer = arg;
	unsigned long n = oom_pause();
	struct seen s = { 0 };
	struct td_tp_group *group;
	struct td_wire *wire;
	struct td_loop *loop;
	struct td_net *net;
	struct td_sim *sim;
	unsigned index;
	int err;

	assert_int_equal(td_sim_open(&sim, 1), 0);
	assert_int_equal(td_wire_open(&wire, sim), 0);
	assert_int_equal(td_sim_loop(&loop, sim), 0);
	assert_int_equal(td_net_open_sim(&net, loop, wire, peer), 0);
	assert_int_equal(td_tp_group_open(&group, 1), 0);
	assert_int_equal(td_tp_open(&s.tp, group, 1, net, NULL, NULL, &events, &s), 0);
	assert_int_equal(td_tp_listen(s.tp, &index, TD_WS, peer), 0);
	oom_resume(n);
	err = td_tp_adopt(&s.c, s.tp, index, peer, &holder, &s);
	if (err == TD_ELIMIT)
		err = -ENOMEM;
	if (!err)
		err = speak(&s);
	if (s.c)
		td_tp_adopted_lost(s.c, TD_ECLOSED);
	oom_pause();
	td_sim_run(sim, 10);
	td_tp_close(s.tp);
	td_net_close(net);
	td_loop_drain(loop);
	td_loop_close(loop);
	td_tp_group_close(group);
	td_wire_close(wire);
	td_sim_close(sim);
	oom_resume(n);
	return err;
}

static void a_held_connection(void **state)
{
	struct td_addr peer;

	assert_int_equal(td_addr_parse(&peer, TD_STR("192.0.2.1:8080")), 0);
	assert_true(oom_each(adopted, &peer) > 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(a_held_connection) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
