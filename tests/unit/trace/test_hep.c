/* HEP3 on the simulated network: what a collector gets, that it is masked, and what happens without one. */
#include "node.h"

#include "server/trace/trace.h"

struct rig {
	struct td_sim *sim;
	struct td_wire *wire;
	struct td_loop *loop;
	struct td_net *net;
	struct td_trace *ring;
	struct raw collector;
	struct td_hep *hep;
};

static int read_rings(void *arg, struct td_trace_cursor *cursors, td_traces_read_fn *fn, void *fn_arg)
{
	struct rig *r = arg;

	return td_traces_read(&(struct td_traces){ .n = 1, .rings = &r->ring }, cursors, true, r->loop, fn, fn_arg);
}

static bool local(void *arg, struct td_addr *out, unsigned listener)
{
	*out = (struct td_addr){ .ip = { 10, 0, 0, 1 }, .port = 5060, .family = TD_AF_V4 };
	return listener == 0;
}

static void rig_open(struct rig *r)
{
	const struct td_wire_rules rules = { .delay_us = 100 };
	struct td_addr ip;

	memset(r, 0, sizeof(*r));
	assert_int_equal(td_sim_open(&r->sim, 3), 0);
	assert_int_equal(td_wire_open(&r->wire, r->sim), 0);
	td_wire_rules(r->wire, &rules);
	assert_int_equal(td_sim_loop(&r->loop, r->sim), 0);
	assert_int_equal(td_ip_parse(&ip, TD_STR("10.0.0.1")), 0);
	assert_int_equal(td_net_open_sim(&r->net, r->loop, r->wire, &ip), 0);
	assert_int_equal(td_trace_open(&r->ring, r->loop, 0), 0);
	raw_open(&r->collector, r->sim, r->wire, "10.0.0.9", 9060);
}

static void rig_close(struct rig *r)
{
	td_hep_close(r->hep);
	td_sim_run(r->sim, 10);
	td_trace_close(r->ring);
	raw_close(&r->collector);
	td_net_close(r->net);
	td_loop_close(r->loop);
	td_wire_close(r->wire);
	td_sim_close(r->sim);
}

static int start(struct rig *r)
{
	return td_hep_open(&r->hep, &(struct td_hep_options){ .loop = r->loop,
							      .net = r->net,
							      .to = r->collector.addr,
							      .workers = 1,
							      .read = read_rings,
							      .local = local,
							      .arg = r });
}

static const struct td_flow phone = { .peer = { .ip = { 10, 0, 2, 1 }, .port = 5070, .family = TD_AF_V4 }, .proto = TD_TCP };

static void put(struct rig *r, enum td_trace_kind way, unsigned listener)
{
	struct td_flow flow = phone;

	flow.listener = (uint8_t)listener;
	td_trace_message(
		r->ring, way, &flow,
		TD_STR("OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/TCP 10.0.2.1;branch=z9hG4bK1\r\nFrom: <sip:a:pass@b>;tag=1\r\n"
		       "To: <sip:a@b>\r\nCall-ID: 77@b\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\n\r\n"));
}

/* The value of a chunk; fails when there is none. */
static struct td_str chunk(struct td_str packet, unsigned type)
{
	const uint8_t *p = (const uint8_t *)packet.p;

	assert_true(packet.n > 6 && !memcmp(p, "HEP3", 4));
	assert_int_equal(p[4] << 8 | p[5], packet.n);
	for (size_t at = 6; at < packet.n;) {
		size_t n = (size_t)p[at + 4] << 8 | p[at + 5];

		assert_true(n >= 6 && at + n <= packet.n);
		assert_int_equal(p[at] << 8 | p[at + 1], 0);
		if ((unsigned)(p[at + 2] << 8 | p[at + 3]) == type)
			return td_str_n(packet.p + at + 6, n - 6);
		at += n;
	}
	fail_msg("no chunk %u", type);
	return TD_STR_NULL;
}

static void x5_a_collector_gets_masked_messages(void **state)
{
	struct td_str p;
	struct rig r;

	rig_open(&r);
	put(&r, TD_TRACE_IN, 0); /* before: no news */
	assert_int_equal(start(&r), 0);
	td_sim_run(r.sim, 50);
	put(&r, TD_TRACE_IN, 0);
	put(&r, TD_TRACE_OUT, 0);
	put(&r, TD_TRACE_OUT, 7); /* by no listener that there is */
	td_trace_note(r.ring, TD_STR("77@b"), &(struct td_note){ .kind = TD_NOTE_CHALLENGED });
	td_sim_run(r.sim, 200);
	assert_int_equal(r.collector.n, 2);
	assert_int_equal(td_hep_stats(r.hep)->sent, 2);
	assert_int_equal(td_hep_stats(r.hep)->unsent, 1);
	p = td_buf_str(r.collector.got[0].buf);
	assert_memory_equal(chunk(p, 3).p, phone.peer.ip, 4);
	assert_memory_equal(chunk(p, 4).p, "\x0a\x00\x00\x01", 4);
	assert_memory_equal(chunk(p, 7).p, "\x13\xce", 2); /* 5070 */
	assert_memory_equal(chunk(p, 8).p, "\x13\xc4", 2);
	assert_str(chunk(p, 2), "\x06");
	assert_str(chunk(p, 11), "\x01");
	assert_str(chunk(p, 17), "77@b");
	assert_true(td_str_starts(chunk(p, 15), TD_STR("OPTIONS sip:a@b")));
	assert_null(memmem(p.p, p.n, "pass", 4));
	p = td_buf_str(r.collector.got[1].buf);
	assert_memory_equal(chunk(p, 4).p, phone.peer.ip, 4);
	rig_close(&r);
}

/* It is closed while an answer is on its way, or with nothing to read: nothing is left either way. */
static void closing(void **state)
{
	for (unsigned ms = 0; ms < 3; ms++) {
		struct rig r;

		rig_open(&r);
		assert_int_equal(start(&r), 0);
		td_sim_run(r.sim, ms ? 99 + ms : 0);
		put(&r, TD_TRACE_IN, 0);
		rig_close(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(x5_a_collector_gets_masked_messages),
		cmocka_unit_test(closing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
