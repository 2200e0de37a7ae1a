/* What the simulated wire does by its rules, to the microsecond and the same for the same seed. */
#include <tandem/net.h>

#include <errno.h>
#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { DATAGRAMS = 200 };

struct lab {
	struct td_sim *sim;
	struct td_wire *wire;
	struct td_loop *loop[3];
	struct td_net *net[3]; /* 0: 192.0.2.1; 1 and 2: workers that share 192.0.2.2 */
	struct td_udp *udp[3];
	unsigned n, by[3];
	uint8_t order[4 * DATAGRAMS];
	uint64_t first_us, hash, asked;
};

static const struct td_addr server_ip = { .family = TD_AF_V4, .ip = { 192, 0, 2, 2 }, .port = 5060 };

static void on_datagram(struct td_udp *udp, struct td_buf *buf, const struct td_addr *from, void *arg)
{
	struct lab *lab = arg;
	int i = udp == lab->udp[1] ? 1 : 2;
	uint64_t now_us = td_loop_now_us(lab->loop[i]);

	if (lab->n == 0)
		lab->first_us = now_us;
	assert_true(lab->n < TD_ARRAY_LEN(lab->order));
	lab->order[lab->n++] = (uint8_t)buf->data[0];
	lab->by[i]++;
	lab->hash = (lab->hash ^ (now_us * 251 + (uint8_t)buf->data[0])) * 0x100000001b3;
}

static void lab_open(struct lab *lab, uint64_t seed, struct td_wire_rules rules)
{
	struct td_addr ip = { .family = TD_AF_V4, .ip = { 192, 0, 2, 1 } }, any = { .family = TD_AF_V4, .port = 5060 };

	*lab = (struct lab){ 0 };
	assert_int_equal(td_sim_open(&lab->sim, seed), 0);
	assert_int_equal(td_wire_open(&lab->wire, lab->sim), 0);
	rules.arg = lab;
	td_wire_rules(lab->wire, &rules);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(td_sim_loop(&lab->loop[i], lab->sim), 0);
		assert_int_equal(td_net_open_sim(&lab->net[i], lab->loop[i], lab->wire, i == 0 ? &ip : &server_ip), 0);
		assert_int_equal(td_udp_open(&lab->udp[i], lab->net[i],
					     i == 2   ? &any
					     : i == 1 ? &server_ip
						      : &ip,
					     i == 0 ? 0 : TD_UDP_REUSEPORT, on_datagram, lab),
				 0);
	}
}

static void lab_close(struct lab *lab)
{
	for (int i = 0; i < 3; i++) {
		td_udp_close(lab->udp[i]);
		td_net_close(lab->net[i]);
		td_loop_close(lab->loop[i]);
	}
	td_wire_close(lab->wire);
	td_sim_close(lab->sim);
}

static void send_n(struct lab *lab, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		char byte = (char)i;
		struct td_buf *b = td_buf_copy(td_str_n(&byte, 1));

		assert_non_null(b);
		assert_int_equal(td_udp_send(lab->udp[0], &server_ip, b), 0);
		td_buf_unref(b);
	}
}

/* What arrives, when and in which order, in one figure. */
static uint64_t trace(uint64_t seed)
{
	struct td_wire_rules rules = { .loss = 0.1, .duplicate = 0.1, .reorder = 0.1, .delay_us = 10000, .jitter_us = 5000 };
	struct lab lab;

	lab_open(&lab, seed, rules);
	for (int i = 0; i < 10; i++) {
		send_n(&lab, DATAGRAMS / 10);
		td_sim_run(lab.sim, 3);
	}
	td_sim_run(lab.sim, 1000);
	lab_close(&lab);
	return lab.hash;
}

static void same_seed_same_trace(void **state)
{
	assert_true(trace(1) == trace(1));
	assert_true(trace(2) == trace(2));
	assert_true(trace(1) != trace(2));
}

static bool refuse_odd(void *arg, const struct td_addr *from, const struct td_addr *to, struct td_str bytes)
{
	struct lab *lab = arg;

	lab->asked++;
	assert_true(td_addr_eq(from, td_udp_local(lab->udp[0])));
	assert_true(td_addr_eq(to, &server_ip));
	assert_int_equal(bytes.n, 1);
	return bytes.p[0] % 2 == 0;
}

static bool sorted(const struct lab *lab)
{
	for (unsigned i = 1; i < lab->n; i++)
		if (lab->order[i] < lab->order[i - 1])
			return false;
	return true;
}

static void rules(void **state)
{
	static const struct {
		struct td_wire_rules r;
		unsigned min, max;
		bool sorted;
	} rows[] = {
		{ { 0 }, DATAGRAMS, DATAGRAMS, true },
		{ { .delay_us = 20000 }, DATAGRAMS, DATAGRAMS, true },
		{ { .loss = 1 }, 0, 0, true },
		{ { .loss = 0.5 }, 60, 140, true },
		{ { .duplicate = 1 }, 2 * DATAGRAMS, 2 * DATAGRAMS, true },
		{ { .duplicate = 1, .loss = 1 }, 0, 0, true },
		{ { .duplicate = 0.5 }, 260, 340, true },
		{ { .reorder = 0.2 }, DATAGRAMS, DATAGRAMS, false },
		{ { .jitter_us = 30000 }, DATAGRAMS, DATAGRAMS, false },
		{ { .filter = refuse_odd }, DATAGRAMS / 2, DATAGRAMS / 2, true },
	};

	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct lab lab;

		lab_open(&lab, 7, rows[i].r);
		send_n(&lab, DATAGRAMS);
		assert_int_equal(lab.n, 0);
		td_sim_run(lab.sim, 1000);
		if (lab.n < rows[i].min || lab.n > rows[i].max || sorted(&lab) != rows[i].sorted)
			fail_msg("row %zu: %u arrived", i, lab.n);
		assert_int_equal(lab.asked, rows[i].r.filter ? DATAGRAMS : 0);
		lab_close(&lab);
	}
}

static void delay_is_exact(void **state)
{
	struct td_wire_rules r = { .delay_us = 12345 };
	struct lab lab;
	uint64_t sent_us;

	lab_open(&lab, 7, r);
	sent_us = td_loop_now_us(lab.loop[0]);
	send_n(&lab, 1);
	td_sim_run(lab.sim, 12);
	assert_int_equal(lab.n, 0);
	td_sim_run(lab.sim, 1);
	assert_int_equal(lab.n, 1);
	assert_int_equal(lab.first_us - sent_us, 12345);
	lab_close(&lab);
}

/* SO_REUSEPORT: each source has its worker, and all workers get some. */
static void workers_share_a_port(void **state)
{
	struct td_addr ip = { .family = TD_AF_V4, .ip = { 192, 0, 2, 1 } };
	struct td_wire_rules r = { 0 };
	struct td_buf *b = td_buf_copy(TD_STR("x"));
	struct lab lab;

	lab_open(&lab, 7, r);
	for (int i = 0; i < 40; i++) {
		struct td_udp *source;
		unsigned before[3];

		memcpy(before, lab.by, sizeof(before));
		assert_int_equal(td_udp_open(&source, lab.net[0], &ip, 0, on_datagram, &lab), 0);
		for (int k = 0; k < 4; k++)
			assert_int_equal(td_udp_send(source, &server_ip, b), 0);
		td_sim_run(lab.sim, 1);
		assert_true(lab.by[1] - before[1] == 4 || lab.by[2] - before[2] == 4);
		td_udp_close(source);
	}
	assert_int_equal(lab.by[1] + lab.by[2], 160);
	assert_true(lab.by[1] >= 20 && lab.by[2] >= 20);
	td_buf_unref(b);
	lab_close(&lab);
}

static void unplugged_hears_and_says_nothing(void **state)
{
	struct td_wire_rules r = { .delay_us = 5000 };
	struct lab lab;

	lab_open(&lab, 7, r);
	send_n(&lab, 10);
	td_sim_run(lab.sim, 1);
	td_net_unplug(lab.net[1], true);
	td_net_unplug(lab.net[2], true); /* while they fly */
	td_sim_run(lab.sim, 100);
	assert_int_equal(lab.n, 0);
	td_net_unplug(lab.net[1], false);
	td_net_unplug(lab.net[2], false);
	td_net_unplug(lab.net[0], true);
	send_n(&lab, 10);
	td_sim_run(lab.sim, 100);
	assert_int_equal(lab.n, 0);
	td_net_unplug(lab.net[0], false);
	send_n(&lab, 10);
	td_sim_run(lab.sim, 100);
	assert_int_equal(lab.n, 10);
	lab_close(&lab);
}

/* Whatever still flies when all is closed is forgotten without a leak. */
static void close_while_they_fly(void **state)
{
	struct td_wire_rules r = { .delay_us = 5000, .duplicate = 1 };
	struct lab lab;

	lab_open(&lab, 7, r);
	send_n(&lab, 10);
	td_sim_run(lab.sim, 1);
	lab_close(&lab);
	assert_int_equal(lab.n, 0);
}

/* ---- streams ---- */

struct stream {
	struct lab *lab;
	struct td_listener *listener;
	struct td_conn *caller, *acceptor;
	unsigned connected, closed, pieces;
	int err;
	uint64_t at_ms;
	char got[256];
	size_t n, longest;
};

static void s_connected(struct td_conn *c, void *arg)
{
	struct stream *s = arg;

	s->connected++;
	s->at_ms = td_sim_now_ms(s->lab->sim);
}

static void s_data(struct td_conn *c, struct td_str bytes, void *arg)
{
	struct stream *s = arg;

	assert_true(s->n + bytes.n <= sizeof(s->got));
	memcpy(s->got + s->n, bytes.p, bytes.n);
	s->n += bytes.n;
	s->pieces++;
	if (bytes.n > s->longest)
		s->longest = bytes.n;
}

static void s_closed(struct td_conn *c, int err, void *arg)
{
	struct stream *s = arg;

	s->closed++;
	s->err = err;
	s->at_ms = td_sim_now_ms(s->lab->sim);
}

static const struct td_conn_events s_events = { .connected = s_connected, .data = s_data, .closed = s_closed };

static void s_accept(struct td_listener *l, struct td_conn *c, void *arg)
{
	struct stream *s = arg;

	s->acceptor = c;
	td_conn_handle(c, &s_events, s);
}

static void stream_open(struct stream *s, struct lab *lab, struct td_wire_rules r)
{
	lab_open(lab, 7, r);
	*s = (struct stream){ .lab = lab };
	assert_int_equal(td_listener_open(&s->listener, lab->net[1], &server_ip, 0, s_accept, s), 0);
	assert_int_equal(td_conn_open(&s->caller, lab->net[0], &server_ip, &s_events, s), 0);
}

static void stream_close(struct stream *s)
{
	td_conn_close(s->caller);
	td_conn_close(s->acceptor);
	td_listener_close(s->listener);
	lab_close(s->lab);
}

static void stream_say(struct stream *s, const char *z)
{
	struct td_buf *b = td_buf_copy(td_str_of(z));

	assert_non_null(b);
	assert_int_equal(td_conn_send(s->caller, b), 0);
	td_buf_unref(b);
}

static void t2_any_chunk_same_bytes(void **state)
{
	static const char text[] = "OPTIONS sip:a@example.test SIP/2.0";

	for (uint32_t chunk = 0; chunk < 40; chunk++) {
		struct td_wire_rules r = { .delay_us = 1000, .jitter_us = 4000, .stream_chunk = chunk, .loss = 1 };
		size_t n = sizeof(text) - 1;
		struct stream s;
		struct lab lab;

		stream_open(&s, &lab, r);
		stream_say(&s, text);
		td_sim_run(lab.sim, 1000);
		assert_int_equal(s.n, n);
		assert_memory_equal(s.got, text, n);
		assert_int_equal(s.pieces, chunk ? (n + chunk - 1) / chunk : 1);
		assert_int_equal(s.longest, chunk && chunk < n ? chunk : n);
		stream_close(&s);
	}
}

static void connecting_takes_a_round_trip(void **state)
{
	struct td_wire_rules r = { .delay_us = 30000 };
	struct stream s;
	struct lab lab;

	stream_open(&s, &lab, r);
	td_sim_run(lab.sim, 59);
	assert_int_equal(s.connected, 0);
	td_sim_run(lab.sim, 1);
	assert_int_equal(s.connected, 1);
	stream_close(&s);
}

/* Nobody there, or somebody unplugged: silence, then a timeout. */
static void connect_times_out(void **state)
{
	struct td_addr nobody = { .family = TD_AF_V4, .ip = { 192, 0, 2, 99 }, .port = 5060 };
	struct td_wire_rules r = { .delay_us = 1000 };
	struct td_conn *c;
	struct stream s;
	struct lab lab;

	for (int unplugged = 0; unplugged < 2; unplugged++) {
		stream_open(&s, &lab, r);
		td_sim_run(lab.sim, 10);
		s.at_ms = 0;
		td_net_unplug(lab.net[1], unplugged);
		assert_int_equal(td_conn_open(&c, lab.net[0], unplugged ? &server_ip : &nobody, &s_events, &s), 0);
		uint64_t from_ms = td_sim_now_ms(lab.sim);

		td_sim_run(lab.sim, 30000);
		assert_int_equal(s.closed, 1);
		assert_int_equal(s.err, -ETIMEDOUT);
		assert_int_equal(s.at_ms - from_ms, 10000);
		td_conn_close(c);
		stream_close(&s);
	}
}

/* A short outage only delays; a long one ends the connection on the side that had something to say. */
static void outages(void **state)
{
	static const struct {
		uint64_t ms;
		unsigned closed;
	} rows[] = { { 3000, 0 }, { 9000, 0 }, { 11000, 1 } };

	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct td_wire_rules r = { .delay_us = 1000 };
		struct stream s;
		struct lab lab;

		stream_open(&s, &lab, r);
		td_sim_run(lab.sim, 10);
		td_net_unplug(lab.net[0], true);
		stream_say(&s, "one ");
		td_sim_run(lab.sim, rows[i].ms);
		td_net_unplug(lab.net[0], false);
		if (!rows[i].closed)
			stream_say(&s, "two");
		td_sim_run(lab.sim, 20000);
		assert_int_equal(s.closed, rows[i].closed);
		assert_int_equal(s.n, rows[i].closed ? 0 : 7);
		if (rows[i].closed)
			assert_int_equal(s.err, -ETIMEDOUT);
		else
			assert_memory_equal(s.got, "one two", 7);
		stream_close(&s);
	}
}

static void close_streams_while_they_fly(void **state)
{
	for (unsigned ms = 0; ms < 12; ms++) {
		struct td_wire_rules r = { .delay_us = 2500, .stream_chunk = 1 };
		struct stream s;
		struct lab lab;

		stream_open(&s, &lab, r);
		stream_say(&s, "hello");
		td_sim_run(lab.sim, ms);
		td_conn_close(s.caller);
		s.caller = NULL;
		if (ms % 2)
			td_sim_run(lab.sim, 1);
		stream_close(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_seed_same_trace),
		cmocka_unit_test(rules),
		cmocka_unit_test(delay_is_exact),
		cmocka_unit_test(workers_share_a_port),
		cmocka_unit_test(unplugged_hears_and_says_nothing),
		cmocka_unit_test(close_while_they_fly),
		cmocka_unit_test(t2_any_chunk_same_bytes),
		cmocka_unit_test(connecting_takes_a_round_trip),
		cmocka_unit_test(connect_times_out),
		cmocka_unit_test(outages),
		cmocka_unit_test(close_streams_while_they_fly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
