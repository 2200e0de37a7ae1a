/* RFC 3263: from URIs to targets, against a name server on the simulated wire. */
#include "name_server.h"
#include "node.h"

#include "transport/locate.h"

static const struct zone_row rows[] = {
	{ "naptr.example", "NAPTR", 60, "90 50 s SIP+D2T _sip._tcp.elsewhere.example" },
	{ "naptr.example", "NAPTR", 60, "50 50 s SIPS+D2T _sips._tcp.elsewhere.example" },
	{ "naptr.example", "NAPTR", 60, "10 50 u E2U+sip -" },
	{ "naptr.example", "NAPTR", 60, "100 50 s SIP+D2U _sip._udp.elsewhere.example" },
	{ "_sip._tcp.elsewhere.example", "SRV", 60, "10 1 5070 one.example" },
	{ "_sip._tcp.elsewhere.example", "SRV", 60, "20 1 5071 two.example" },
	{ "_sip._udp.elsewhere.example", "SRV", 60, "10 1 5072 one.example" },
	{ "tlsonly.example", "NAPTR", 60, "50 50 s SIPS+D2T _sips._tcp.tlsonly.example" },
	{ "tlsonly.example", "A", 60, "192.0.2.66" },
	{ "odd.example", "NAPTR", 60, "50 50 u E2U+sip -" },
	{ "_sip._udp.odd.example", "SRV", 60, "0 0 5060 one.example" },
	{ "nosrv.example", "NAPTR", 60, "50 50 s SIP+D2T _sip._tcp.nosrv.example" },
	{ "nosrv.example", "A", 60, "192.0.2.7" },
	{ "_sip._udp.srv.example", "SRV", 60, "20 1 5060 two.example" },
	{ "_sip._udp.srv.example", "SRV", 60, "10 1 5060 one.example" },
	{ "_sip._tcp.srv.example", "SRV", 60, "10 1 5061 two.example" },
	{ "_sip._tcp.tcp.example", "SRV", 60, "10 1 5061 two.example" },
	{ "_sip._udp.none.example", "SRV", 60, "0 0 0 ." },
	{ "none.example", "A", 60, "192.0.2.66" },
	{ "one.example", "A", 60, "192.0.2.1" },
	{ "two.example", "A", 60, "192.0.2.2" },
	{ "many.example", "A", 60, "192.0.2.11" },
	{ "many.example", "A", 60, "192.0.2.12" },
	{ "many.example", "A", 60, "192.0.2.13" },
	{ "_sip._udp.half.example", "SRV", 60, "10 1 5060 missing.example" },
	{ "_sip._udp.half.example", "SRV", 60, "20 1 5060 one.example" },
	{ "maddr.example", "A", 60, "192.0.2.9" },
};

struct world {
	struct td_sim *sim;
	struct td_wire *wire;
	struct td_loop *servers;
	struct node us;
	struct td_dns *dns;
	struct name_server ns;
	struct td_locator *lr;
	struct td_out got; /* what came: "UDP 192.0.2.1:5060 | … | err" */
	struct td_out told;
	bool waiting;
	struct td_locate *l;
};

static void on_found(void *arg, int err, const struct td_hop *hop)
{
	struct world *w = arg;
	char text[TD_ADDR_TEXT];

	assert_true(w->waiting);
	w->waiting = false;
	if (err)
		td_out_fmt(&w->got, "%s", td_strerror(err));
	else
		td_out_fmt(&w->got, "%.*s %s | ", TD_FMT(td_proto_name(hop->proto)), td_addr_text(text, &hop->addr));
	if (err) {
		td_locate_close(w->l);
		w->l = NULL;
	}
}

static void on_told(void *arg, const struct td_locate_step *step)
{
	struct world *w = arg;

	td_out_str(&w->told, step->words);
	if (step->type) {
		assert_true(step->name.n);
		assert_true(!step->err == (step->n > 0));
	}
	td_out_char(&w->told, '\n');
}

static const struct td_locate_events events = { on_found, on_told };

static int open_world(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_int_equal(td_sim_open(&w->sim, 1), 0);
	assert_int_equal(td_wire_open(&w->wire, w->sim), 0);
	assert_int_equal(td_sim_loop(&w->servers, w->sim), 0);
	node_open(&w->us, w->sim, w->wire, "192.0.2.100", 5060, NULL);
	td_wire_rules(w->wire, &(struct td_wire_rules){ .delay_us = 1000 });
	name_server_open(&w->ns, w->servers, w->wire, "10.0.0.53", rows, TD_ARRAY_LEN(rows));
	assert_int_equal(td_dns_open(&w->dns, w->us.net, &(struct td_dns_options){ .servers = &w->ns.addr, .server_n = 1 }), 0);
	assert_int_equal(td_locator_open(&w->lr, w->us.tp, w->dns, NULL), 0);
	td_out_init(&w->got);
	td_out_init(&w->told);
	*state = w;
	return 0;
}

static int close_world(void **state)
{
	struct world *w = *state;

	td_locate_close(w->l);
	td_locator_close(w->lr);
	td_dns_close(w->dns);
	name_server_close(&w->ns);
	node_close(&w->us);
	td_loop_close(w->servers);
	td_wire_close(w->wire);
	td_sim_close(w->sim);
	td_out_free(&w->got);
	td_out_free(&w->told);
	free(w);
	return 0;
}

static void step(struct world *w, uint64_t ms)
{
	w->waiting = true;
	td_locate_next(w->l);
	assert_true(w->waiting); /* never from inside */
	td_sim_run(w->sim, ms);
}

static struct td_str all(struct world *w, const char *text, uint64_t order)
{
	struct td_uri uri;
	int err;

	w->got.n = w->told.n = 0;
	assert_int_equal(td_uri_parse(&uri, td_str_of(text)), 0);
	err = td_locate_open(&w->l, w->lr, &uri, order, &events, w);
	if (err)
		td_out_fmt(&w->got, "open: %s", td_strerror(err));
	while (!err && w->l) {
		step(w, 30000);
		assert_false(w->waiting);
	}
	return td_out_view(&w->got);
}

/* Proves RFC 3263 §4.1-1, §4.1-2, §4.1-3, §4.1-4, §4.1-5, §4.2-1, §4.2-2, §4.2-3, §4.2-4, §2782-2. */
static void uris(void **state)
{
	static const struct {
		const char *uri, *targets;
	} table[] = {
		/* numeric */
		{ "sip:192.0.2.5", "UDP 192.0.2.5:5060 | not found" },
		{ "sip:192.0.2.5:5090", "UDP 192.0.2.5:5090 | not found" },
		{ "sip:192.0.2.5;transport=tcp", "TCP 192.0.2.5:5060 | not found" },
		{ "sip:[2001:db8::5]", "UDP [2001:db8::5]:5060 | not found" },
		{ "sips:192.0.2.5", "open: not supported" }, /* nobody here speaks TLS */
		{ "sip:192.0.2.5;transport=tls", "open: not supported" },
		{ "sip:192.0.2.5;transport=sctp", "open: not supported" },
		{ "sips:192.0.2.5;transport=udp", "open: not supported" },
		{ "tel:+4930123", "open: not supported" },
		/* maddr is what is looked for */
		{ "sip:nosuch.example;maddr=192.0.2.8", "UDP 192.0.2.8:5060 | not found" },
		{ "sip:nosuch.example:5070;maddr=maddr.example", "UDP 192.0.2.9:5070 | not found" },
		/* a port: addresses, no SRV */
		{ "sip:one.example:5099", "UDP 192.0.2.1:5099 | not found" },
		{ "sip:ONE.Example.:5099;transport=TCP", "TCP 192.0.2.1:5099 | not found" },
		{ "sip:srv.example:5060", "not found" },
		/* NAPTR: the first that we speak, then the others */
		{ "sip:naptr.example", "TCP 192.0.2.1:5070 | TCP 192.0.2.2:5071 | UDP 192.0.2.1:5072 | not found" },
		{ "sip:tlsonly.example", "not supported" },              /* never in the clear */
		{ "sip:odd.example", "UDP 192.0.2.1:5060 | not found" }, /* its NAPTR records are not about SIP */
		{ "sip:nosrv.example", "TCP 192.0.2.7:5060 | not found" },
		/* a transport: SRV of that */
		{ "sip:naptr.example;transport=udp", "not found" },
		{ "sip:srv.example;transport=tcp", "TCP 192.0.2.2:5061 | not found" },
		{ "sip:one.example;transport=tcp", "TCP 192.0.2.1:5060 | not found" },
		/* neither: SRV of all we speak */
		{ "sip:srv.example", "UDP 192.0.2.1:5060 | UDP 192.0.2.2:5060 | TCP 192.0.2.2:5061 | not found" },
		{ "sip:tcp.example", "TCP 192.0.2.2:5061 | not found" },
		{ "sip:none.example", "not found" }, /* SRV says "." */
		{ "sip:one.example", "UDP 192.0.2.1:5060 | not found" },
		{ "sip:half.example", "UDP 192.0.2.1:5060 | not found" }, /* a target without address is passed over */
		{ "sip:nosuch.example", "not found" },
		{ "sip:df7jal23ls0d.invalid", "not found" },
	};

	for (size_t i = 0; i < TD_ARRAY_LEN(table); i++) {
		struct world *w = *state;
		struct td_str got = all(w, table[i].uri, 0);

		if (!td_str_eq(got, td_str_of(table[i].targets)))
			print_error("%s\n%.*s", table[i].uri, TD_FMT(td_out_view(&w->told)));
		assert_str(got, table[i].targets);
	}
}

/* `.invalid` is nobody's business, and a port or transport spares questions. */
/* Proves RFC 3263 §4.1-1, §4.1-2; RFC 7118 §8.1-1. */
static void only_what_is_needed_is_asked(void **state)
{
	struct world *w = *state;

	all(w, "sip:df7jal23ls0d.invalid", 0);
	assert_int_equal(w->ns.questions, 0);
	all(w, "sip:one.example:5060", 0);
	assert_int_equal(w->ns.questions, 1); /* A alone: there is no v6 here */
	all(w, "sip:srv.example;transport=tcp", 0);
	assert_int_equal(w->ns.questions, 3); /* SRV, A */
}

static void the_next_target_is_asked_for_when_wanted(void **state)
{
	struct world *w = *state;
	struct td_uri uri;

	assert_int_equal(td_uri_parse(&uri, TD_STR("sip:naptr.example")), 0);
	assert_int_equal(td_locate_open(&w->l, w->lr, &uri, 0, &events, w), 0);
	td_sim_run(w->sim, 100);
	assert_int_equal(w->ns.questions, 0);
	step(w, 100);
	assert_int_equal(w->ns.questions, 3); /* NAPTR, SRV, A */
	step(w, 100);
	assert_int_equal(w->ns.questions, 4);
	assert_str(td_out_view(&w->got), "TCP 192.0.2.1:5070 | TCP 192.0.2.2:5071 | ");
}

static void steps_are_told(void **state)
{
	struct world *w = *state;

	all(w, "sip:naptr.example", 0);
	assert_non_null(memmem(w->told.p, w->told.n, "NAPTR naptr.example: TCP first", 30));
	assert_non_null(
		memmem(w->told.p, w->told.n, "SRV _sip._tcp.elsewhere.example: 2 targets, first one.example port 5070", 71));
	assert_non_null(memmem(w->told.p, w->told.n, "one.example is at 192.0.2.1:5070", 32));
	all(w, "sip:nosuch.example", 0);
	assert_non_null(memmem(w->told.p, w->told.n, "no SRV for _sip._udp.nosuch.example\n", 36));
	assert_non_null(memmem(w->told.p, w->told.n, "no IPv4 address of nosuch.example\n", 34));
}

/* ---- failures ---- */

static struct td_hop hop_of(enum td_proto proto, const char *addr)
{
	struct td_hop hop = { .proto = proto };

	assert_int_equal(td_addr_parse(&hop.addr, td_str_of(addr)), 0);
	return hop;
}

static void the_dead_come_last(void **state)
{
	struct world *w = *state;
	struct td_hop dead = hop_of(TD_UDP, "192.0.2.1:5060");

	td_locator_failed(w->lr, &dead, 0);
	assert_str(all(w, "sip:srv.example", 0), "UDP 192.0.2.2:5060 | TCP 192.0.2.2:5061 | UDP 192.0.2.1:5060 | not found");
	assert_str(all(w, "sip:one.example:5060", 0), "UDP 192.0.2.1:5060 | not found");
	/* what is to be the same each time stays so */
	assert_str(all(w, "sip:srv.example", 7), "UDP 192.0.2.1:5060 | UDP 192.0.2.2:5060 | TCP 192.0.2.2:5061 | not found");
	td_locator_answered(w->lr, &dead);
	assert_str(all(w, "sip:srv.example", 0), "UDP 192.0.2.1:5060 | UDP 192.0.2.2:5060 | TCP 192.0.2.2:5061 | not found");
	td_locator_failed(w->lr, &dead, 0);
	td_sim_run(w->sim, 60000);
	assert_str(all(w, "sip:srv.example", 0), "UDP 192.0.2.1:5060 | UDP 192.0.2.2:5060 | TCP 192.0.2.2:5061 | not found");
	td_locator_failed(w->lr, &dead, 100000); /* nobody is out for longer than five minutes by his own word */
	td_sim_run(w->sim, 299000);
	assert_non_null(loc_dead_find(w->lr, &dead));
	td_sim_run(w->sim, 1000);
	assert_null(loc_dead_find(w->lr, &dead));
	td_locator_failed(w->lr, &dead, 1);
	td_sim_run(w->sim, 60000);
	td_locator_failed(w->lr, &dead, 1); /* it was not dead in between: it failed just now */
	assert_true(loc_dead_find(w->lr, &dead)->since_ms == td_loop_now_ms(w->lr->loop));
}

static void t8_the_dead_are_bounded(void **state)
{
	struct world *w = *state;
	struct td_hop hop = hop_of(TD_UDP, "192.0.2.1:5060");

	for (unsigned i = 0; i < 3000; i++) {
		hop.addr.port = (uint16_t)(1024 + i);
		td_locator_failed(w->lr, &hop, 0);
	}
	assert_int_equal(w->lr->dead_n, 1024);
	assert_non_null(loc_dead_find(w->lr, &hop));
}

static void t8_no_name_server(void **state)
{
	struct world *w = *state;

	w->ns.silent = true;
	assert_str(all(w, "sip:srv.example", 0), "no answer in time");
	assert_non_null(memmem(w->told.p, w->told.n, "no name server answered", 23));
	w->ns.silent = false;
	w->ns.rcode = 2;
	td_sim_run(w->sim, 31000);
	assert_str(all(w, "sip:srv.example", 0), "no answer in time");
}

/* A server that is silent about NAPTR and SRV, as broken ones are, does not keep a domain from being reached by its address. */
static void t8_silent_about_some(void **state)
{
	struct world *w = *state;

	w->ns.silent_about = "_udp.one.example";
	assert_str(all(w, "sip:one.example", 0), "UDP 192.0.2.1:5060 | not found");
}

static void t8_hundred_targets(void **state)
{
	struct world *w = *state;
	static struct zone_row many[200];
	static char data[100][48], names[100][32];
	struct td_str got;
	unsigned n = 0;

	for (int i = 0; i < 100; i++) {
		snprintf(names[i], sizeof(names[i]), "h%d.example", i);
		snprintf(data[i], sizeof(data[i]), "%d 1 5060 h%d.example", i, i);
		many[2 * i] = (struct zone_row){ "_sip._udp.hundred.example", "SRV", 60, data[i] };
		many[2 * i + 1] = (struct zone_row){ names[i], "A", 60, "192.0.2.1" };
	}
	w->ns.rows = many;
	w->ns.row_n = 200;
	got = all(w, "sip:hundred.example", 0);
	for (size_t i = 0; i < got.n; i++)
		n += got.p[i] == '|';
	assert_int_equal(n, TD_LOCATE_MAX_HOPS);
	assert_true(w->ns.questions < 16);
	/* none of them has an address: no more than so many are asked for */
	for (int i = 0; i < 100; i++)
		many[2 * i + 1].type = "AAAA", many[2 * i + 1].data = "2001:db8::1";
	w->ns.questions = 0;
	td_sim_run(w->sim, 61000);
	assert_str(all(w, "sip:hundred.example", 0), "not found");
	assert_true(w->ns.questions < 24);
}

static void closing_at_any_time(void **state)
{
	struct world *w = *state;
	struct td_uri uri;

	assert_int_equal(td_uri_parse(&uri, TD_STR("sip:naptr.example")), 0);
	for (int ms = 0; ms < 12; ms++) {
		assert_int_equal(td_locate_open(&w->l, w->lr, &uri, 0, &events, w), 0);
		w->waiting = true;
		td_locate_next(w->l);
		td_sim_run(w->sim, (uint64_t)ms);
		td_locate_close(w->l);
		w->l = NULL;
		w->waiting = false;
		td_sim_run(w->sim, 61000); /* out of the cache */
	}
}

/* ---- for responses (§5) ---- */

/* Proves RFC 3263 §5-1. */
static void sent_by(void **state)
{
	static const struct {
		const char *via, *targets;
	} table[] = {
		{ "SIP/2.0/TCP 192.0.2.5;branch=z9hG4bK1", "TCP 192.0.2.5:5060 | not found" },
		{ "SIP/2.0/UDP 192.0.2.5:5090;branch=z9hG4bK1", "UDP 192.0.2.5:5090 | not found" },
		{ "SIP/2.0/TCP one.example:5090;branch=z9hG4bK1", "TCP 192.0.2.1:5090 | not found" },
		{ "SIP/2.0/TCP srv.example;branch=z9hG4bK1", "TCP 192.0.2.2:5061 | not found" },
		{ "SIP/2.0/TCP one.example;branch=z9hG4bK1", "TCP 192.0.2.1:5060 | not found" },
	};
	struct world *w = *state;
	struct td_via via;

	for (size_t i = 0; i < TD_ARRAY_LEN(table); i++) {
		assert_int_equal(td_via_parse(&via, td_str_of(table[i].via)), 0);
		w->got.n = 0;
		assert_int_equal(td_locate_open_via(&w->l, w->lr, &via, &events, w), 0);
		while (w->l)
			step(w, 30000);
		assert_str(td_out_view(&w->got), table[i].targets);
	}
	assert_int_equal(td_via_parse(&via, TD_STR("SIP/2.0/TLS one.example;branch=z9hG4bK1")), 0);
	assert_int_equal(td_locate_open_via(&w->l, w->lr, &via, &events, w), TD_EUNSUPPORTED);
}

/* ---- RFC 2782 ---- */

/* 10,000 selections under one seed: within 2 % of the weights. */
/* Proves RFC 3263 §2782-1. */
static void srv_weights(void **state)
{
	static const struct td_dns_record r[] = {
		{ .srv = { .priority = 1, .weight = 60 } },    { .srv = { .priority = 1, .weight = 30 } },
		{ .srv = { .priority = 1, .weight = 10 } },    { .srv = { .priority = 1, .weight = 0 } },
		{ .srv = { .priority = 2, .weight = 65535 } },
	};
	static const double want[] = { 60.0 / 101, 30.0 / 101, 10.0 / 101, 1.0 / 101 }; /* 0..sum, both included */
	unsigned first[5] = { 0 };
	struct td_rng rng;
	uint8_t order[5];

	td_rng_init_seed(&rng, 1);
	for (int i = 0; i < 10000; i++) {
		unsigned seen = 0;

		loc_srv_order(order, r, 5, &rng);
		first[order[0]]++;
		for (int j = 0; j < 5; j++)
			seen |= 1u << order[j];
		assert_int_equal(seen, 31); /* each once */
		assert_int_equal(order[4], 4);
	}
	for (int i = 0; i < 4; i++)
		assert_true(first[i] > (want[i] - 0.02) * 10000 && first[i] < (want[i] + 0.02) * 10000 && first[i] > 0);
}

/* Proves RFC 3263 §2782-1. */
static void srv_equals(void **state)
{
	static const struct td_dns_record r[4];
	unsigned first[4] = { 0 };
	struct td_rng rng;
	uint8_t order[4];

	td_rng_init_seed(&rng, 2);
	for (int i = 0; i < 4000; i++) {
		loc_srv_order(order, r, 4, &rng);
		first[order[0]]++;
	}
	for (int i = 0; i < 4; i++)
		assert_true(first[i] > 900 && first[i] < 1100);
}

/* Addresses of one name: chance decides, or the number given. */
static void addresses_are_shared_out(void **state)
{
	struct world *w = *state;
	unsigned first[3] = { 0 };
	struct td_str got;

	for (int i = 0; i < 300; i++) {
		got = all(w, "sip:many.example:5060", 0);
		first[got.p[13] - '1']++;
	}
	for (int i = 0; i < 3; i++)
		assert_true(first[i] > 60);
	memset(first, 0, sizeof(first));
	for (int i = 0; i < 20; i++) {
		got = all(w, "sip:many.example:5060", 99);
		first[got.p[13] - '1']++;
	}
	assert_true(first[0] == 20 || first[1] == 20 || first[2] == 20);
}

#define T(f) cmocka_unit_test_setup_teardown(f, open_world, close_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(uris),
		T(only_what_is_needed_is_asked),
		T(the_next_target_is_asked_for_when_wanted),
		T(steps_are_told),
		T(the_dead_come_last),
		T(t8_the_dead_are_bounded),
		T(t8_no_name_server),
		T(t8_silent_about_some),
		T(t8_hundred_targets),
		T(closing_at_any_time),
		T(sent_by),
		cmocka_unit_test(srv_weights),
		cmocka_unit_test(srv_equals),
		T(addresses_are_shared_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
