/* Posts to a push service with every allocation failing in turn: it is told, or whoever wanted it hears that it was not. */
#include "failing.h"

#include "server/push/push.h"

struct world {
	struct td_conn *conn;
	bool told;
	int err;
};

static void on_data(struct td_conn *c, struct td_str bytes, void *arg)
{
	unsigned long n = oom_pause();
	struct td_buf *b = td_buf_copy(TD_STR("HTTP/1.1 200 OK\r\n\r\n"));

	assert_int_equal(td_conn_send(c, b), 0);
	td_buf_unref(b);
	oom_resume(n);
}

static void on_closed(struct td_conn *c, int err, void *arg)
{
	((struct world *)arg)->conn = NULL;
	td_conn_close(c);
}

static const struct td_conn_events events = { .data = on_data, .closed = on_closed };

static void on_accept(struct td_listener *l, struct td_conn *c, void *arg)
{
	((struct world *)arg)->conn = c;
	td_conn_handle(c, &events, arg);
}

static void on_told(void *arg, int err)
{
	struct world *w = arg;

	w->told = true;
	w->err = err ? -ENOMEM : 0; /* whatever a post with holes in it came to */
}

static bool is_told(void *arg)
{
	return ((struct world *)arg)->told;
}

static int post(void *arg)
{
	static const struct td_push_news news = { .event = TD_STR_INIT("call"),
						  .phone = { TD_STR_INIT("a"), TD_STR_INIT("%20"), TD_STR_INIT("b") } };
	struct td_config *cfg = arg;
	struct td_push *push = NULL;
	struct td_listener *listener;
	struct td_loop *loop, *peers;
	struct td_net *net, *there;
	struct td_push_post *one;
	struct td_wire *wire;
	struct td_sim *sim;
	struct td_addr a, b;
	struct world w = { 0 };
	unsigned long n = oom_pause();
	int err;

	assert_int_equal(td_sim_open(&sim, 1), 0);
	assert_int_equal(td_wire_open(&wire, sim), 0);
	assert_int_equal(td_sim_loop(&loop, sim), 0);
	assert_int_equal(td_sim_loop(&peers, sim), 0);
	assert_int_equal(td_addr_parse(&a, TD_STR("10.0.0.1:1")), 0);
	assert_int_equal(td_addr_parse(&b, TD_STR("10.0.0.80:80")), 0);
	assert_int_equal(td_net_open_sim(&net, loop, wire, &a), 0);
	assert_int_equal(td_net_open_sim(&there, peers, wire, &b), 0);
	assert_int_equal(td_listener_open(&listener, there, &b, 0, on_accept, &w), 0);
	oom_resume(n);
	err = td_push_open(&push, net, NULL, NULL);
	if (!err)
		err = td_push_send(&one, push, cfg, &news, on_told, &w);
	if (!err)
		err = td_sim_run_until(sim, is_told, &w, 20000) ? w.err : TD_ETIMEOUT;
	n = oom_pause();
	td_push_close(push);
	td_sim_run(sim, 10);
	if (w.conn)
		td_conn_close(w.conn);
	td_listener_close(listener);
	td_sim_run(sim, 1);
	td_net_close(net);
	td_net_close(there);
	td_loop_close(loop);
	td_loop_close(peers);
	td_wire_close(wire);
	td_sim_close(sim);
	oom_resume(n);
	return err;
}

static void posts(void **state)
{
	struct td_config *cfg = NULL;
	struct td_out errors;

	td_out_init(&errors);
	assert_int_equal(td_config_parse(&cfg, &errors, TD_STR("t"),
					 TD_STR("domains: [{name: a.test}]\nstate: ./s\npush: {url: 'http://10.0.0.80/x'}\n")),
			 0);
	td_out_free(&errors);
	assert_true(oom_each(post, cfg) > 3);
	td_config_unref(cfg);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(posts) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
