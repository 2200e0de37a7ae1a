/* net with every allocation failing in turn: bytes may get lost, nothing leaks, nobody hangs and everything closes. */
#include "failing.h"

#include <tandem/net.h>

struct talk {
	struct td_loop *loop;
	struct td_sim *sim;
	struct td_wire *wire;
	struct td_net *net[2];
	struct td_udp *udp[2];
	struct td_listener *listener;
	struct td_conn *caller, *acceptor;
	size_t datagrams, bytes;
	unsigned left_ms;
};

static const size_t long_datagram = 5000;

static bool done(void *arg)
{
	const struct talk *t = arg;

	return t->datagrams == 4 && t->bytes == 3000;
}

static void on_datagram(struct td_udp *udp, struct td_buf *buf, const struct td_addr *from, void *arg)
{
	struct talk *t = arg;

	t->datagrams++;
	if (udp == t->udp[0])
		(void)td_udp_send(udp, from, buf);
}

static void on_data(struct td_conn *c, struct td_str bytes, void *arg)
{
	struct talk *t = arg;
	struct td_buf *b;

	if (c == t->caller) {
		t->bytes += bytes.n;
		return;
	}
	b = td_buf_copy(bytes);
	if (b)
		(void)td_conn_send(c, b);
	td_buf_unref(b);
}

static void on_closed(struct td_conn *c, int err, void *arg)
{
	struct talk *t = arg;

	if (c == t->caller)
		t->caller = NULL;
	else
		t->acceptor = NULL;
	td_conn_close(c);
}

static const struct td_conn_events events = { .data = on_data, .closed = on_closed };

static void on_accept(struct td_listener *l, struct td_conn *c, void *arg)
{
	struct talk *t = arg;

	t->acceptor = c;
	td_conn_handle(c, &events, t);
}

static int open_nets(struct talk *t, bool sim, struct td_addr ip[2])
{
	int err;

	if (!sim) {
		err = td_loop_open(&t->loop);
		for (int i = 0; i < 2 && !err; i++)
			err = td_net_open(&t->net[i], t->loop);
		return err;
	}
	err = td_sim_open(&t->sim, 1);
	if (!err)
		err = td_wire_open(&t->wire, t->sim);
	if (!err)
		err = td_sim_loop(&t->loop, t->sim);
	for (int i = 0; i < 2 && !err; i++)
		err = td_net_open_sim(&t->net[i], t->loop, t->wire, &ip[i]);
	return err;
}

static int open_sockets(struct talk *t, const struct td_addr ip[2])
{
	int err = 0;

	for (int i = 0; i < 2 && !err; i++)
		err = td_udp_open(&t->udp[i], t->net[i], &ip[i], 0, on_datagram, t);
	if (!err)
		err = td_listener_open(&t->listener, t->net[0], &ip[0], 0, on_accept, t);
	if (!err)
		err = td_conn_open(&t->caller, t->net[1], td_listener_local(t->listener), &events, t);
	return err;
}

static int say(struct talk *t)
{
	static const char zeros[5000];
	struct td_buf *small = td_buf_copy(td_str_n(zeros, 1000)), *big = td_buf_copy(td_str_n(zeros, long_datagram));
	int err = small && big ? 0 : -ENOMEM;

	if (!err)
		err = td_udp_send(t->udp[1], td_udp_local(t->udp[0]), small);
	if (!err)
		err = td_udp_send(t->udp[1], td_udp_local(t->udp[0]), big);
	for (int i = 0; i < 3 && !err; i++)
		err = td_conn_send(t->caller, small);
	td_buf_unref(small);
	td_buf_unref(big);
	return err;
}

static void poll_done(struct td_timer *tm, void *arg)
{
	struct talk *t = arg;

	/* After a failure what is lost does not come: wait briefly. Without one, for as long as it takes. */
	if (oom.seen >= oom.n && t->left_ms > 20)
		t->left_ms = 20;
	if (done(t) || t->left_ms-- == 0)
		td_loop_stop(t->loop);
	else
		td_timer_start(t->loop, tm, 1);
}

static void run(struct talk *t)
{
	struct td_timer tm;

	if (t->sim) {
		td_sim_run_until(t->sim, done, t, 15000);
		return;
	}
	t->left_ms = 10000;
	td_timer_init(&tm, poll_done, t);
	td_timer_start(t->loop, &tm, 1);
	td_loop_run(t->loop);
	td_timer_stop(t->loop, &tm);
}

static int scenario(void *arg)
{
	struct td_addr ip[2] = { { .family = TD_AF_V4, .ip = { 127, 0, 0, 1 } }, { .family = TD_AF_V4, .ip = { 127, 0, 0, 1 } } };
	struct talk t = { 0 };
	bool sim = *(bool *)arg;
	int err;

	if (sim)
		ip[1].ip[3] = 2;
	err = open_nets(&t, sim, ip);
	if (!err)
		err = open_sockets(&t, ip);
	if (!err)
		err = say(&t);
	if (!err) {
		run(&t);
		err = done(&t) ? 0 : -ENOMEM;
	}
	td_conn_close(t.caller);
	td_conn_close(t.acceptor);
	td_listener_close(t.listener);
	for (int i = 0; i < 2; i++) {
		td_udp_close(t.udp[i]);
		td_net_close(t.net[i]);
	}
	td_loop_close(t.loop);
	td_wire_close(t.wire);
	td_sim_close(t.sim);
	return err;
}

static void kernel(void **state)
{
	bool sim = false;

	assert_true(oom_each(scenario, &sim) > 20);
}

static void wire(void **state)
{
	bool sim = true;

	assert_true(oom_each(scenario, &sim) > 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kernel),
		cmocka_unit_test(wire),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
