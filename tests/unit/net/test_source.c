#include "support.h"

#include <errno.h>

#include <tandem/net.h>

static void ignore(struct td_udp *udp, struct td_buf *buf, const struct td_addr *from, void *arg) {}

/* Sockets of ours share ports among threads; a second server must not slip in between them. */
static void a_port_in_use_is_seen(void **state)
{
	struct td_loop *loop;
	struct td_net *net;
	struct td_udp *udp;
	struct td_addr at;

	assert_int_equal(td_addr_parse(&at, TD_STR("127.0.0.1:0")), 0);
	assert_int_equal(td_loop_open(&loop), 0);
	assert_int_equal(td_net_open(&net, loop), 0);
	assert_int_equal(td_udp_open(&udp, net, &at, TD_UDP_REUSEPORT, ignore, NULL), 0);
	at = *td_udp_local(udp);
	assert_int_equal(td_net_probe(&at, false), -EADDRINUSE);
	td_udp_close(udp);
	assert_int_equal(td_net_probe(&at, false), 0);
	td_net_close(net);
	td_loop_close(loop);
}

static void an_address_of_somebody_else(void **state)
{
	struct td_addr at;

	assert_int_equal(td_addr_parse(&at, TD_STR("192.0.2.77:5060")), 0);
	assert_int_equal(td_net_probe(&at, true), -EADDRNOTAVAIL);
}

static void source_of_loopback(void **state)
{
	struct td_addr peer, us;

	assert_int_equal(td_addr_parse(&peer, TD_STR("127.0.0.1:9")), 0);
	assert_int_equal(td_net_source_for(&us, &peer), 0);
	assert_true(td_ip_eq(&us, &peer));
	assert_int_equal(us.port, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_port_in_use_is_seen),
		cmocka_unit_test(an_address_of_somebody_else),
		cmocka_unit_test(source_of_loopback),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
