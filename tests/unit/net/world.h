/*
 * Two hosts and what is between them: the loopback interface, or a simulated wire. Tests of what both backends promise
 * take a struct mode and run over each.
 */
#ifndef TANDEM_TEST_NET_WORLD_H
#define TANDEM_TEST_NET_WORLD_H

#include <tandem/net.h>

#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

struct mode {
	bool sim;
	const char *server, *client;
};

struct world {
	const struct mode *mode;
	struct td_sim *sim;
	struct td_wire *wire;
	struct td_loop *loop;
	struct td_net *server_net, *client_net;
	struct td_addr server_ip, client_ip;
};

static struct mode modes[] = {
	{ false, "127.0.0.1", "127.0.0.1" },
	{ false, "::1", "::1" },
	{ true, "192.0.2.1", "192.0.2.2" },
	{ true, "2001:db8::1", "2001:db8::2" },
};

/* One test over the kernel and over the wire, in both families. */
#define FOUR_MODES(fn)                                                                              \
	{ #fn " 127.0.0.1", fn, NULL, NULL, &modes[0] }, { #fn " ::1", fn, NULL, NULL, &modes[1] }, \
		{ #fn " wire v4", fn, NULL, NULL, &modes[2] },                                      \
	{                                                                                           \
#fn " wire v6", fn, NULL, NULL, &modes[3]                                           \
	}

static inline void world_open(struct world *w, void **state)
{
	*w = (struct world){ .mode = *state };
	assert_int_equal(td_ip_parse(&w->server_ip, td_str_of(w->mode->server)), 0);
	assert_int_equal(td_ip_parse(&w->client_ip, td_str_of(w->mode->client)), 0);
	if (!w->mode->sim) {
		assert_int_equal(td_loop_open(&w->loop), 0);
		assert_int_equal(td_net_open(&w->server_net, w->loop), 0);
		assert_int_equal(td_net_open(&w->client_net, w->loop), 0);
		return;
	}
	struct td_wire_rules rules = { .delay_us = 1500 };

	assert_int_equal(td_sim_open(&w->sim, 42), 0);
	assert_int_equal(td_wire_open(&w->wire, w->sim), 0);
	td_wire_rules(w->wire, &rules);
	assert_int_equal(td_sim_loop(&w->loop, w->sim), 0);
	assert_int_equal(td_net_open_sim(&w->server_net, w->loop, w->wire, &w->server_ip), 0);
	assert_int_equal(td_net_open_sim(&w->client_net, w->loop, w->wire, &w->client_ip), 0);
}

static inline void world_close(struct world *w)
{
	td_net_close(w->client_net);
	td_net_close(w->server_net);
	td_loop_close(w->loop);
	td_wire_close(w->wire);
	if (w->sim)
		td_sim_close(w->sim);
}

struct world_wait {
	struct world *w;
	bool (*done)(void *arg);
	void *arg;
	unsigned left_ms;
	bool reached;
};

static inline void world_poll(struct td_timer *tm, void *arg)
{
	struct world_wait *wait = arg;

	wait->reached = wait->done(wait->arg);
	if (wait->reached || wait->left_ms-- == 0)
		td_loop_stop(wait->w->loop);
	else
		td_timer_start(wait->w->loop, tm, 1);
}

/* Runs until done(arg), for a generous while at most. */
static inline bool world_run(struct world *w, bool (*done)(void *arg), void *arg)
{
	struct world_wait wait = { w, done, arg, 20000, false };
	struct td_timer tm;

	if (w->sim)
		return td_sim_run_until(w->sim, done, arg, 60000);
	td_timer_init(&tm, world_poll, &wait);
	td_timer_start(w->loop, &tm, 1);
	assert_int_equal(td_loop_run(w->loop), 0);
	td_timer_stop(w->loop, &tm);
	return wait.reached;
}

/* Long enough for all that is on its way to arrive (loopback: in the kernel's buffers already). */
static inline bool world_never(void *arg)
{
	return false;
}

static inline void world_settle(struct world *w)
{
	struct world_wait wait = { w, world_never, NULL, 20, false };
	struct td_timer tm;

	if (w->sim) {
		td_sim_run(w->sim, 20);
		return;
	}
	td_timer_init(&tm, world_poll, &wait);
	td_timer_start(w->loop, &tm, 1);
	assert_int_equal(td_loop_run(w->loop), 0);
	td_timer_stop(w->loop, &tm);
}

/* n bytes that differ at every place and for every seed. */
static inline struct td_buf *pattern(size_t n, unsigned seed)
{
	struct td_buf *b = td_buf_new(n);

	assert_non_null(b);
	for (size_t i = 0; i < n; i++)
		b->data[i] = (char)((i * 31 + (i >> 8) * 7 + seed * 101) & 0xff);
	b->len = (uint32_t)n;
	return b;
}

static inline bool is_pattern(struct td_str s, size_t from, unsigned seed)
{
	for (size_t k = 0; k < s.n; k++) {
		size_t i = from + k;

		if (s.p[k] != (char)((i * 31 + (i >> 8) * 7 + seed * 101) & 0xff))
			return false;
	}
	return true;
}

#endif
