/* The DNS client against name servers on the simulated wire: what is asked, kept, shared, followed, refused. */
#include "name_server.h"

static const struct zone_row rows[] = {
	{ "a.example", "A", 60, "192.0.2.1" },
	{ "a.example", "A", 60, "192.0.2.2" },
	{ "a.example", "AAAA", 60, "2001:db8::1" },
	{ "never.example", "A", 0, "192.0.2.9" },
	{ "alias.example", "CNAME", 20, "other.example" },
	{ "other.example", "CNAME", 60, "a.example" },
	{ "loop1.example", "CNAME", 60, "loop2.example" },
	{ "loop2.example", "CNAME", 60, "loop1.example" },
	{ "_sip._udp.example", "SRV", 60, "20 0 5060 a.example" },
	{ "_sip._udp.example", "SRV", 60, "10 5 5070 b.example" },
	{ "_sip._tcp.example", "SRV", 60, "0 0 0 ." },
	{ "example", "NAPTR", 60, "90 50 s SIP+D2T _sip._tcp.example" },
	{ "example", "NAPTR", 60, "50 50 s SIP+D2U _sip._udp.example" },
};

struct answer {
	unsigned calls;
	int err;
	unsigned n;
	struct td_dns_record first; /* its texts are gone */
	char text[64];              /* the first record's name */
};

struct world {
	struct td_sim *sim;
	struct td_wire *wire;
	struct td_loop *loop, *servers;
	struct td_net *net;
	struct td_dns *dns;
	struct name_server ns[2];
	struct td_dns_ask *ask;
};

static void on_answer(void *arg, const struct td_dns_answer *answer)
{
	struct answer *a = arg;

	a->calls++;
	a->err = answer->err;
	a->n = answer->n;
	if (answer->n)
		a->first = answer->records[0];
}

static void on_service(void *arg, const struct td_dns_answer *answer)
{
	struct answer *a = arg;

	on_answer(arg, answer);
	if (answer->n)
		snprintf(a->text, sizeof(a->text), "%.*s", TD_FMT(answer->records[0].srv.target));
}

static int open_world(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct td_dns_options opt = { .server_n = 2 };
	struct td_addr ip, servers[2];

	assert_int_equal(td_sim_open(&w->sim, 1), 0);
	assert_int_equal(td_wire_open(&w->wire, w->sim), 0);
	assert_int_equal(td_sim_loop(&w->loop, w->sim), 0);
	assert_int_equal(td_sim_loop(&w->servers, w->sim), 0);
	assert_int_equal(td_ip_parse(&ip, TD_STR("10.0.0.1")), 0);
	assert_int_equal(td_net_open_sim(&w->net, w->loop, w->wire, &ip), 0);
	td_wire_rules(w->wire, &(struct td_wire_rules){ .delay_us = 1000 });
	name_server_open(&w->ns[0], w->servers, w->wire, "10.0.0.53", rows, TD_ARRAY_LEN(rows));
	name_server_open(&w->ns[1], w->servers, w->wire, "10.0.0.54", rows, TD_ARRAY_LEN(rows));
	servers[0] = w->ns[0].addr;
	servers[1] = w->ns[1].addr;
	opt.servers = servers;
	assert_int_equal(td_dns_open(&w->dns, w->net, &opt), 0);
	*state = w;
	return 0;
}

static int close_world(void **state)
{
	struct world *w = *state;

	td_dns_close(w->dns);
	td_wire_rules(w->wire, &(struct td_wire_rules){ 0 });
	td_sim_run(w->sim, 100); /* connections of the servers end */
	name_server_close(&w->ns[0]);
	name_server_close(&w->ns[1]);
	td_net_close(w->net);
	td_loop_close(w->loop);
	td_loop_close(w->servers);
	td_wire_close(w->wire);
	td_sim_close(w->sim);
	free(w);
	return 0;
}

/* Asks and lets ms pass. */
static struct answer ask(struct world *w, enum td_dns_type type, const char *name, uint64_t ms)
{
	struct answer a = { 0 };

	assert_int_equal(td_dns_ask(&w->ask, w->dns, type, td_str_of(name), type == TD_DNS_SRV ? on_service : on_answer, &a), 0);
	assert_int_equal(a.calls, 0); /* never from inside */
	td_sim_run(w->sim, ms);
	if (!a.calls)
		td_dns_cancel(w->ask);
	return a;
}

static void records(void **state)
{
	struct world *w = *state;
	struct answer a = ask(w, TD_DNS_A, "A.Example.", 10);
	char text[TD_ADDR_TEXT];

	assert_int_equal(a.calls, 1);
	assert_int_equal(a.err, 0);
	assert_int_equal(a.n, 2);
	assert_string_equal(td_addr_text(text, &a.first.addr), "192.0.2.1:0");
	a = ask(w, TD_DNS_AAAA, "a.example", 10);
	assert_int_equal(a.n, 1);
	assert_string_equal(td_addr_text(text, &a.first.addr), "[2001:db8::1]:0");
	a = ask(w, TD_DNS_SRV, "_sip._udp.example", 10);
	assert_int_equal(a.n, 2);
	assert_int_equal(a.first.srv.priority, 10); /* sorted */
	assert_int_equal(a.first.srv.weight, 5);
	assert_int_equal(a.first.srv.port, 5070);
	assert_string_equal(a.text, "b.example");
	a = ask(w, TD_DNS_SRV, "_sip._tcp.example", 10);
	assert_int_equal(a.n, 1);
	assert_string_equal(a.text, "");
	a = ask(w, TD_DNS_NAPTR, "example", 10);
	assert_int_equal(a.n, 2);
	assert_int_equal(a.first.naptr.order, 50);
	assert_false(a.first.naptr.regexp);
}

static void kept_as_long_as_allowed(void **state)
{
	struct world *w = *state;

	ask(w, TD_DNS_A, "a.example", 10);
	ask(w, TD_DNS_A, "a.example", 59000);
	ask(w, TD_DNS_A, "a.example", 10);
	assert_int_equal(w->ns[0].questions, 1);
	td_sim_run(w->sim, 1000);
	assert_int_equal(ask(w, TD_DNS_A, "a.example", 10).n, 2);
	assert_int_equal(w->ns[0].questions, 2);
	/* TTL 0: for those alone who had asked */
	assert_int_equal(ask(w, TD_DNS_A, "never.example", 10).n, 1);
	assert_int_equal(ask(w, TD_DNS_A, "never.example", 10).n, 1);
	assert_int_equal(w->ns[0].questions, 4);
	assert_int_equal(td_dns_stats(w->dns)->cached, 2);
}

static void absence_is_kept(void **state)
{
	struct world *w = *state;

	assert_int_equal(ask(w, TD_DNS_A, "no.example", 10).err, TD_ENOTFOUND);    /* NXDOMAIN */
	assert_int_equal(ask(w, TD_DNS_SRV, "a.example", 10).err, TD_ENOTFOUND);   /* NODATA */
	assert_int_equal(ask(w, TD_DNS_A, "no.example", 29000).err, TD_ENOTFOUND); /* the zone's minimum is 30 s */
	assert_int_equal(w->ns[0].questions, 2);
	td_sim_run(w->sim, 1000);
	ask(w, TD_DNS_A, "no.example", 10);
	assert_int_equal(w->ns[0].questions, 3);
	w->ns[0].no_soa = true; /* RFC 2308 §5: not kept then */
	ask(w, TD_DNS_A, "nor.example", 10);
	ask(w, TD_DNS_A, "nor.example", 10);
	assert_int_equal(w->ns[0].questions, 5);
}

static void many_share_one_question(void **state)
{
	struct world *w = *state;
	struct answer a[50] = { 0 };
	struct td_dns_ask *asks[50];

	for (int i = 0; i < 50; i++)
		assert_int_equal(td_dns_ask(&asks[i], w->dns, TD_DNS_A, TD_STR("a.example"), on_answer, &a[i]), 0);
	td_dns_cancel(asks[7]);
	td_sim_run(w->sim, 10);
	assert_int_equal(w->ns[0].questions, 1);
	for (int i = 0; i < 50; i++)
		assert_int_equal(a[i].calls, i != 7);
}

/* In its callback one asker cancels another and asks again. */
struct chain {
	struct world *w;
	struct td_dns_ask *other;
	struct answer again;
	unsigned calls;
};

static void on_chain(void *arg, const struct td_dns_answer *answer)
{
	struct chain *c = arg;

	c->calls++;
	td_dns_cancel(c->other);
	assert_int_equal(td_dns_ask(&c->w->ask, c->w->dns, TD_DNS_A, TD_STR("a.example"), on_answer, &c->again), 0);
}

static void callbacks_may_do_anything(void **state)
{
	struct world *w = *state;
	struct chain c = { .w = w };
	struct answer never = { 0 };

	assert_int_equal(td_dns_ask(&w->ask, w->dns, TD_DNS_A, TD_STR("a.example"), on_chain, &c), 0);
	assert_int_equal(td_dns_ask(&c.other, w->dns, TD_DNS_A, TD_STR("a.example"), on_answer, &never), 0);
	td_sim_run(w->sim, 10);
	assert_int_equal(c.calls, 1);
	assert_int_equal(never.calls, 0);
	assert_int_equal(c.again.calls, 1);
	assert_int_equal(c.again.n, 2);
}

static void aliases(void **state)
{
	struct world *w = *state;

	assert_int_equal(ask(w, TD_DNS_A, "alias.example", 10).n, 2);
	assert_int_equal(w->ns[0].questions, 1);
	td_sim_run(w->sim, 20000); /* the least TTL of the chain */
	/* a server that tells the alias only is asked for what it leads to */
	w->ns[0].follow_no_alias = true;
	assert_int_equal(ask(w, TD_DNS_A, "alias.example", 20).n, 2);
	assert_int_equal(w->ns[0].questions, 4);
}

static void slow_server_rests(void **state)
{
	struct world *w = *state;
	struct answer a;

	w->ns[0].silent = true;
	a = ask(w, TD_DNS_A, "a.example", 900);
	assert_int_equal(a.calls, 0);
	a = ask(w, TD_DNS_A, "a.example", 200); /* the second is asked after a second */
	assert_int_equal(a.n, 2);
	a = ask(w, TD_DNS_AAAA, "a.example", 10); /* and first for a while */
	assert_int_equal(a.n, 1);
	assert_int_equal(w->ns[0].questions, 1);
	w->ns[0].silent = false;
	td_sim_run(w->sim, 31000);
	ask(w, TD_DNS_SRV, "a.example", 10);
	assert_int_equal(w->ns[0].questions, 2);
}

static void all_servers_silent(void **state)
{
	struct world *w = *state;
	struct answer a;

	w->ns[0].silent = w->ns[1].silent = true;
	a = ask(w, TD_DNS_A, "a.example", 6100);
	assert_int_equal(a.err, TD_ETIMEOUT);
	assert_true(w->ns[0].questions + w->ns[1].questions >= 4); /* a packet may have been lost */
	assert_true(w->ns[0].questions + w->ns[1].questions <= 6);
	assert_int_equal(ask(w, TD_DNS_A, "a.example", 10).err, TD_ETIMEOUT); /* known for 5 s */
	w->ns[0].silent = false;
	td_sim_run(w->sim, 5000);
	assert_int_equal(ask(w, TD_DNS_A, "a.example", 2000).n, 2);
}

static void refusing_server(void **state)
{
	struct world *w = *state;

	w->ns[0].rcode = 5;
	assert_int_equal(ask(w, TD_DNS_A, "a.example", 10).n, 2); /* the next one, at once */
	w->ns[1].rcode = 2;
	assert_int_equal(ask(w, TD_DNS_AAAA, "a.example", 10).err, TD_EUNSUPPORTED);
	assert_int_equal(td_dns_stats(w->dns)->failures, 3);
}

static void without_edns(void **state)
{
	struct world *w = *state;

	w->ns[0].no_edns = true;
	assert_int_equal(ask(w, TD_DNS_A, "a.example", 10).n, 2);
	assert_int_equal(w->ns[0].questions, 2);
	assert_int_equal(w->ns[1].questions, 0);
}

static void truncated_comes_by_tcp(void **state)
{
	struct world *w = *state;

	td_wire_rules(w->wire, &(struct td_wire_rules){ .delay_us = 1000, .stream_chunk = 7 });
	w->ns[0].truncate = true;
	assert_int_equal(ask(w, TD_DNS_A, "a.example", 100).n, 2);
	assert_int_equal(w->ns[0].by_tcp > 0, 1);
}

static void loss(void **state)
{
	struct world *w = *state;
	unsigned found = 0;

	td_wire_rules(w->wire, &(struct td_wire_rules){ .delay_us = 1000, .loss = 0.3, .duplicate = 0.2, .reorder = 0.2 });
	for (int i = 0; i < 100; i++) {
		found += ask(w, TD_DNS_A, "a.example", 7000).n == 2;
		td_sim_run(w->sim, 61000);
	}
	assert_true(found > 90);
}

static void names(void **state)
{
	struct world *w = *state;
	char label[70], name[300];
	const char *const bad[] = { "", ".", "..", "a..b", ".a", "a b", "a/b", "a\nb", "\xc3\xa4.example", label, name };

	memset(label, 'a', 64);
	label[64] = '\0';
	memset(name, 'a', sizeof(name));
	for (size_t i = 60; i < sizeof(name); i += 61)
		name[i] = '.';
	name[254] = '\0';
	for (size_t i = 0; i < TD_ARRAY_LEN(bad); i++)
		assert_int_equal(ask(w, TD_DNS_A, bad[i], 10).err, TD_ESYNTAX);
	assert_int_equal(w->ns[0].questions, 0);
	label[63] = '\0'; /* just right */
	assert_int_equal(ask(w, TD_DNS_A, label, 10).err, TD_ENOTFOUND);
}

static void other_servers(void **state)
{
	struct world *w = *state;
	struct answer a;

	w->ns[0].silent = w->ns[1].silent = true;
	assert_int_equal(ask(w, TD_DNS_A, "a.example", 7000).err, TD_ETIMEOUT);
	td_dns_set_servers(w->dns, NULL, 0);
	a = ask(w, TD_DNS_A, "a.example", 10);
	assert_int_equal(a.err, TD_ETIMEOUT); /* there is none to ask, and a simulation has no system */
	w->ns[1].silent = false;
	td_dns_set_servers(w->dns, &w->ns[1].addr, 1); /* and what failed is tried again */
	assert_int_equal(ask(w, TD_DNS_A, "a.example", 10).n, 2);
}

/* ---- T8 ---- */

static void t8_alias_loop(void **state)
{
	struct world *w = *state;

	assert_int_equal(ask(w, TD_DNS_A, "loop1.example", 50).err, TD_ELIMIT);
	td_sim_run(w->sim, 6000);
	w->ns[0].follow_no_alias = true;
	assert_int_equal(ask(w, TD_DNS_A, "loop1.example", 50).err, TD_ELIMIT);
	assert_true(w->ns[0].questions <= 12);
}

static void t8_lying_server(void **state)
{
	struct world *w = *state;

	/* wrong id, another question, another source, twice each: passed over */
	w->ns[0].strange = 6;
	w->ns[0].delay_ms = 5;
	assert_int_equal(ask(w, TD_DNS_A, "a.example", 50).n, 2);
	assert_int_equal(td_dns_stats(w->dns)->strange, 6);
	assert_int_equal(w->ns[0].by_tcp, 0);
	/* much of it: by TCP, where nobody guesses */
	w->ns[0].strange = 60;
	assert_int_equal(ask(w, TD_DNS_AAAA, "a.example", 50).n, 1);
	assert_int_equal(w->ns[0].by_tcp, 1);
	assert_int_equal(td_dns_stats(w->dns)->strange, 6 + 16);
}

/* Each question has an id and a port of its own. */
static void t8_ids_and_ports_differ(void **state)
{
	struct world *w = *state;
	unsigned same_port = 0, same_id = 0;
	char name[32];

	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "n%d.example", i);
		ask(w, TD_DNS_A, name, 10);
	}
	for (unsigned i = 0; i < 40; i++)
		for (unsigned j = 0; j < i; j++) {
			same_port += w->ns[0].ports[i] == w->ns[0].ports[j];
			same_id += w->ns[0].ids[i] == w->ns[0].ids[j];
		}
	assert_int_equal(same_port, 0);
	assert_true(same_id <= 2);
}

static void t8_many_records(void **state)
{
	struct world *w = *state;
	struct zone_row many[100];
	char data[100][32];
	struct answer a;

	for (int i = 0; i < 100; i++) {
		snprintf(data[i], sizeof(data[i]), "%d 1 5060 h%d.example", 100 - i, i);
		many[i] = (struct zone_row){ "_sip._udp.many.example", "SRV", 60, data[i] };
	}
	w->ns[0].rows = many;
	w->ns[0].row_n = 100;
	a = ask(w, TD_DNS_SRV, "_sip._udp.many.example", 10);
	assert_int_equal(a.n, TD_DNS_MAX_RECORDS);
	assert_int_equal(a.first.srv.priority, 1); /* the best of all, not the first that came */
	assert_string_equal(a.text, "h99.example");
}

static void t8_questions_at_once_are_limited(void **state)
{
	struct world *w = *state;
	static struct answer a[400];
	struct td_dns_ask *asks[400];
	unsigned refused = 0;
	char name[32];

	w->ns[0].silent = w->ns[1].silent = true;
	memset(a, 0, sizeof(a));
	for (int i = 0; i < 400; i++) {
		snprintf(name, sizeof(name), "n%d.example", i);
		assert_int_equal(td_dns_ask(&asks[i], w->dns, TD_DNS_A, td_str_of(name), on_answer, &a[i]), 0);
	}
	td_sim_run(w->sim, 10);
	for (int i = 0; i < 400; i++)
		refused += a[i].calls == 1 && a[i].err == TD_ELIMIT;
	assert_int_equal(refused, 400 - 256);
	assert_int_equal(td_dns_stats(w->dns)->pending, 256);
	td_sim_run(w->sim, 7000);
	for (int i = 0; i < 400; i++)
		assert_int_equal(a[i].calls, 1);
	assert_int_equal(td_dns_stats(w->dns)->pending, 0);
}

static void t8_cache_is_bounded(void **state)
{
	struct world *w = *state;
	char name[32];

	for (int i = 0; i < 5000; i++) {
		snprintf(name, sizeof(name), "n%d.example", i);
		ask(w, TD_DNS_A, name, 3);
	}
	assert_int_equal(td_dns_stats(w->dns)->entries, 4096);
	w->ns[0].questions = 0;
	ask(w, TD_DNS_A, "n4999.example", 3); /* the youngest stay */
	assert_int_equal(w->ns[0].questions, 0);
}

static void closing_with_questions_open(void **state)
{
	struct world *w = *state;
	static struct answer a;

	w->ns[0].silent = true;
	assert_int_equal(td_dns_ask(&w->ask, w->dns, TD_DNS_A, TD_STR("a.example"), on_answer, &a), 0);
	assert_int_equal(td_dns_ask(&w->ask, w->dns, TD_DNS_A, TD_STR("no name"), on_answer, &a), 0);
	td_sim_run(w->sim, 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, open_world, close_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(records),
		T(kept_as_long_as_allowed),
		T(absence_is_kept),
		T(many_share_one_question),
		T(callbacks_may_do_anything),
		T(aliases),
		T(slow_server_rests),
		T(all_servers_silent),
		T(refusing_server),
		T(without_edns),
		T(truncated_comes_by_tcp),
		T(loss),
		T(names),
		T(other_servers),
		T(t8_alias_loop),
		T(t8_lying_server),
		T(t8_ids_and_ports_differ),
		T(t8_many_records),
		T(t8_questions_at_once_are_limited),
		T(t8_cache_is_bounded),
		T(closing_with_questions_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
