/* Datagrams of a batch: each message is handed up while the next one stands parsed behind it. */
#include "../../node.h"

#include <stdio.h>

struct listener {
	struct td_loop *loop;
	struct td_net *net;
	struct td_tp_group *group;
	struct td_tp *tp;
	struct td_addr addr;
	char story[64]; /* a letter per event: small for one that is coming, large for one that came */
	unsigned n;
	bool full;
};

/* The letter a message carries: its Call-ID's first. */
static char letter_of(const struct td_msg *msg)
{
	return msg->call_id.p[0];
}

static void coming(void *arg, struct td_msg *msg)
{
	struct listener *l = arg;

	l->story[l->n++] = letter_of(msg);
}

static void came(void *arg, struct td_msg *msg, const struct td_flow *from)
{
	struct listener *l = arg;

	assert_int_equal(from->peer.port, 40000);
	l->story[l->n++] = (char)(letter_of(msg) - 'a' + 'A');
	td_msg_unref(msg);
}

static bool admit(void *arg, const struct td_flow *from, struct td_str bytes)
{
	return !((struct listener *)arg)->full;
}

static const struct td_tp_events events = { .admit = admit, .coming = coming, .message = came };

struct world {
	struct td_sim *sim;
	struct td_wire *wire;
	struct listener us;
	struct raw raw;
};

static void open_world(struct world *w)
{
	struct listener *l = &w->us;
	unsigned index;

	memset(w, 0, sizeof(*w));
	assert_int_equal(td_sim_open(&w->sim, 5), 0);
	assert_int_equal(td_wire_open(&w->wire, w->sim), 0);
	assert_int_equal(td_ip_parse(&l->addr, td_str_of("192.0.2.1")), 0);
	assert_int_equal(td_sim_loop(&l->loop, w->sim), 0);
	assert_int_equal(td_net_open_sim(&l->net, l->loop, w->wire, &l->addr), 0);
	l->addr.port = 5060;
	assert_int_equal(td_tp_group_open(&l->group, 1), 0);
	assert_int_equal(td_tp_open(&l->tp, l->group, 0, l->net, NULL, NULL, &events, l), 0);
	assert_int_equal(td_tp_listen(l->tp, &index, TD_UDP, &l->addr), 0);
	raw_open(&w->raw, w->sim, w->wire, "192.0.2.3", 40000);
}

static void close_world(struct world *w)
{
	raw_close(&w->raw);
	td_tp_close(w->us.tp);
	td_tp_group_close(w->us.group);
	td_net_close(w->us.net);
	td_loop_close(w->us.loop);
	td_wire_close(w->wire);
	td_sim_close(w->sim);
}

static void send_letter(struct world *w, char letter)
{
	char text[512];
	int n = snprintf(text, sizeof(text),
			 "OPTIONS sip:us.test SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.3:40000;branch=z9hG4bK%c\r\n"
			 "From: <sip:a@us.test>;tag=1\r\nTo: <sip:us.test>\r\nCall-ID: %c\r\nCSeq: 1 OPTIONS\r\n\r\n",
			 letter, letter);

	raw_send(&w->raw, &w->us.addr, td_str_n(text, (size_t)n));
}

static void one_behind(void **state)
{
	struct world w;

	open_world(&w);
	for (const char *c = "abcd"; *c; c++)
		send_letter(&w, *c);
	td_sim_run(w.sim, 10);
	assert_string_equal(w.us.story, "abAcBdCD");
	send_letter(&w, 'e'); /* nobody comes after it: it does not wait */
	td_sim_run(w.sim, 10);
	assert_string_equal(w.us.story, "abAcBdCDeE");
	close_world(&w);
}

/* What is no message, or is not let in, neither holds up those before it nor is announced. */
static void junk_between(void **state)
{
	struct world w;

	open_world(&w);
	send_letter(&w, 'a');
	raw_send(&w.raw, &w.us.addr, TD_STR("\r\n\r\n"));
	raw_send(&w.raw, &w.us.addr, TD_STR("OPTIONS sip:us.test SIP/2.0\r\nCall-ID: no Via\r\n\r\n"));
	send_letter(&w, 'b');
	raw_send(&w.raw, &w.us.addr, TD_STR("\x80\x81 some RTP that went astray"));
	td_sim_run(w.sim, 10);
	assert_string_equal(w.us.story, "abAB");
	assert_int_equal(td_tp_stats(w.us.tp)->messages, 2);
	w.us.full = true;
	send_letter(&w, 'c');
	td_sim_run(w.sim, 10);
	assert_string_equal(w.us.story, "abAB");
	close_world(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_behind),
		cmocka_unit_test(junk_between),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
