#include "support.h"

#include <stdio.h>

#include "server/guard/guard.h"

/* One loop owns the table, on a simulated clock. */
struct fix {
	struct td_sim *sim;
	struct td_loop *loop;
	struct td_bans *bans;
	struct td_guard *g;
	struct td_config cfg;
	struct td_ban last; /* the last that was told */
	unsigned told;
	char call_id[300];
	struct td_ban list[64];
	size_t n;
};

static void on_banned(void *arg, const struct td_ban *ban, struct td_str call_id)
{
	struct fix *f = arg;

	f->last = *ban;
	f->told++;
	snprintf(f->call_id, sizeof(f->call_id), "%.*s", TD_FMT(call_id));
}

static void on_list(void *arg, const struct td_ban *list, size_t n, int err)
{
	struct fix *f = arg;

	assert_int_equal(err, 0);
	f->n = n;
	for (size_t i = 0; i < n && i < TD_ARRAY_LEN(f->list); i++)
		f->list[i] = list[i];
}

static void open_fix(struct fix *f)
{
	memset(f, 0, sizeof(*f));
	f->cfg.limits.rate = f->cfg.limits.burst = 1000000;
	f->cfg.guard.tries = 20;
	f->cfg.guard.ban_s = 600;
	assert_int_equal(td_sim_open(&f->sim, 5), 0);
	assert_int_equal(td_sim_loop(&f->loop, f->sim), 0);
	assert_int_equal(td_bans_open(&f->bans, td_sim_rng(f->sim)), 0);
	td_bans_attach(f->bans, f->loop, on_banned, f);
	assert_int_equal(td_guard_open(&f->g, td_sim_rng(f->sim), f->bans), 0);
}

static void close_fix(struct fix *f)
{
	td_guard_close(f->g);
	td_loop_drain(f->loop);
	td_loop_close(f->loop);
	td_bans_close(f->bans);
	td_sim_close(f->sim);
}

static struct td_addr ip(const char *text)
{
	struct td_addr a;

	assert_int_equal(td_ip_parse(&a, td_str_of(text)), 0);
	a.port = 5060;
	return a;
}

static void guess(struct fix *f, const char *from, unsigned n)
{
	struct td_addr a = ip(from);

	while (n--)
		td_bans_accuse(f->bans, &f->cfg, TD_OFFENCE_GUESS, &a, TD_STR("call-1"));
	td_sim_run(f->sim, 0);
}

static bool is_heard(struct fix *f, const char *from)
{
	struct td_flow flow = { .proto = TD_UDP, .peer = ip(from) };

	return td_guard_judge(f->g, &f->cfg, &flow, TD_STR("SIP/2.0 200 OK\r\n"), td_loop_now_us(f->loop)) != TD_GUARD_BANNED;
}

static size_t list(struct fix *f, const char *remove)
{
	struct td_addr a;

	if (remove)
		a = ip(remove);
	f->n = SIZE_MAX;
	assert_int_equal(td_bans_ask(f->bans, remove ? &a : NULL, f->loop, on_list, f), 0);
	td_sim_run(f->sim, 0);
	assert_true(f->n != SIZE_MAX);
	return f->n;
}

static void a5_guessing_is_banned_for_a_while(void **state)
{
	struct fix f;

	open_fix(&f);
	guess(&f, "192.0.2.7", 19);
	assert_true(is_heard(&f, "192.0.2.7"));
	guess(&f, "192.0.2.7", 1);
	assert_false(is_heard(&f, "192.0.2.7"));
	assert_true(is_heard(&f, "192.0.2.8"));
	assert_int_equal(f.told, 1);
	assert_string_equal(f.call_id, "call-1");
	assert_int_equal(f.last.offences, 20);
	assert_int_equal(f.last.for_s, 600);
	guess(&f, "192.0.2.7", 5); /* they were on their way */
	assert_int_equal(f.told, 1);
	td_sim_run(f.sim, 599000);
	assert_false(is_heard(&f, "192.0.2.7"));
	assert_int_equal(list(&f, NULL), 1);
	assert_int_equal(f.list[0].left_s, 1);
	td_sim_run(f.sim, 1000);
	assert_true(is_heard(&f, "192.0.2.7"));
	assert_int_equal(list(&f, NULL), 0);
	/* longer each time, up to a day */
	for (unsigned i = 1; i < 12; i++) {
		unsigned want = 600u << i;

		guess(&f, "192.0.2.7", 20);
		assert_int_equal(f.told, i + 1);
		assert_int_equal(f.last.times, i + 1);
		assert_int_equal(f.last.for_s, want < 86400 ? want : 86400);
		td_sim_run(f.sim, f.last.for_s * 1000ull);
	}
	/* a day of good behaviour later that is forgotten */
	td_sim_run(f.sim, 86401000);
	guess(&f, "192.0.2.7", 20);
	assert_int_equal(f.last.for_s, 600);
	close_fix(&f);
}

/* A phone with an old password, and the office behind its address. */
static void a5_a_wrong_password_a_minute_is_no_guessing(void **state)
{
	struct fix f;

	open_fix(&f);
	for (unsigned i = 0; i < 10000; i++) {
		guess(&f, "192.0.2.7", 2);
		td_sim_run(f.sim, 20000);
	}
	assert_int_equal(f.told, 0);
	close_fix(&f);
}

static void a5_whom_it_concerns(void **state)
{
	struct td_prefix allow = { .net = ip("198.51.100.0"), .bits = 24 };
	struct fix f;

	open_fix(&f);
	guess(&f, "2001:db8:1:2::7", 10);
	guess(&f, "2001:db8:1:2:ffff::7", 10); /* a host has all of its /64 */
	assert_false(is_heard(&f, "2001:db8:1:2::8"));
	assert_true(is_heard(&f, "2001:db8:1:3::7"));
	f.cfg.guard.allow = &allow;
	f.cfg.guard.allow_n = 1;
	guess(&f, "198.51.100.9", 100);
	assert_true(is_heard(&f, "198.51.100.9"));
	assert_int_equal(f.told, 1);
	/* whoever is allowed afterwards is heard at once */
	guess(&f, "203.0.113.9", 20);
	assert_false(is_heard(&f, "203.0.113.9"));
	allow.net = ip("203.0.113.0");
	assert_true(is_heard(&f, "203.0.113.9"));
	f.cfg.guard.allow_n = 0;
	f.cfg.guard.tries = 0; /* nobody is */
	guess(&f, "192.0.2.99", 1000);
	assert_true(is_heard(&f, "192.0.2.99"));
	close_fix(&f);
}

static void removed(void **state)
{
	struct fix f;

	open_fix(&f);
	guess(&f, "192.0.2.7", 20);
	guess(&f, "192.0.2.8", 20);
	assert_int_equal(list(&f, "192.0.2.9"), 0);
	assert_int_equal(list(&f, "192.0.2.7"), 1);
	assert_true(is_heard(&f, "192.0.2.7"));
	assert_false(is_heard(&f, "192.0.2.8"));
	assert_int_equal(list(&f, NULL), 1);
	guess(&f, "192.0.2.7", 20);
	assert_int_equal(f.last.for_s, 600); /* as if it had been the first time */
	close_fix(&f);
}

/* More guessers than there is room for: memory stays as it is, and those banned last are. */
static void x10_table_is_bounded(void **state)
{
	struct td_bans_stats st;
	char text[32];
	struct fix f;

	open_fix(&f);
	for (unsigned i = 0; i < 3 * TD_BANS_MAX; i++) {
		snprintf(text, sizeof(text), "10.%u.%u.%u", i >> 16, i >> 8 & 255, i & 255);
		guess(&f, text, 20);
	}
	assert_false(is_heard(&f, text));
	td_bans_stats(&st, f.bans);
	assert_int_equal(st.made, 3 * TD_BANS_MAX);
	assert_in_range(list(&f, NULL), TD_BANS_MAX / 2, TD_BANS_MAX);
	/* and what waits to be counted */
	struct td_addr a = ip("192.0.2.7");
	for (unsigned i = 0; i < 10000; i++)
		td_bans_accuse(f.bans, &f.cfg, TD_OFFENCE_GUESS, &a, TD_STR("c"));
	td_bans_stats(&st, f.bans);
	assert_true(st.lost >= 5000);
	td_sim_run(f.sim, 0);
	close_fix(&f);
}

/* Switched off by a reload, it holds nobody any more; what it did not forget counts again when it is switched on. */
static void switched_off(void **state)
{
	struct fix f;

	open_fix(&f);
	guess(&f, "192.0.2.7", 20);
	assert_false(is_heard(&f, "192.0.2.7"));
	f.cfg.guard.tries = 0;
	assert_true(is_heard(&f, "192.0.2.7"));
	f.cfg.guard.tries = 20;
	assert_false(is_heard(&f, "192.0.2.7"));
	close_fix(&f);
}

/* Connections: what leads nowhere has a measure, and comes back to whom is known. */
static void x9_probes(void **state)
{
	struct td_flow flow = { .proto = TD_TCP, .peer = ip("192.0.2.7") };
	unsigned n = 0;
	struct fix f;

	open_fix(&f);
	f.cfg.limits.conns_per_source = 256;
	for (unsigned i = 0; i < 1000; i++) { /* an office that comes back */
		assert_true(td_guard_probe(f.g, &f.cfg, &flow, 0));
		td_guard_known(f.g, &flow, 0);
	}
	while (td_guard_probe(f.g, &f.cfg, &flow, 0))
		n++;
	assert_int_equal(n, 256 + 100);
	assert_true(td_guard_probe(f.g, &f.cfg, &flow, 1000000));
	assert_false(td_guard_probe(f.g, &f.cfg, &flow, 1000000));
	for (n = 0; n < 1000; n++) /* all of the largest office, before one of them answers */
		assert_int_equal(td_guard_probe(f.g, &f.cfg, &flow, 2000000000), n < 356);
	f.cfg.limits.conns_per_source = 1000000;
	assert_true(td_guard_probe(f.g, &f.cfg, &flow, 2000000000));
	for (n = 0; td_guard_junk(f.g, &flow, 0); n++)
		;
	assert_int_equal(n, 20);
	td_bans_accuse(f.bans, &f.cfg, TD_OFFENCE_PROBE, &flow.peer, TD_STR_NULL);
	td_sim_run(f.sim, 0);
	assert_false(is_heard(&f, "192.0.2.7"));
	assert_int_equal(f.last.why, TD_OFFENCE_PROBE);
	close_fix(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a5_guessing_is_banned_for_a_while),
		cmocka_unit_test(a5_a_wrong_password_a_minute_is_no_guessing),
		cmocka_unit_test(a5_whom_it_concerns),
		cmocka_unit_test(removed),
		cmocka_unit_test(switched_off),
		cmocka_unit_test(x10_table_is_bounded),
		cmocka_unit_test(x9_probes),
	};

	return cmocka_run_group_tests_name("bans", tests, NULL, NULL);
}
