#include "rig.h"

#include <sqlite3.h>
#include <stdio.h>
#include "server/store/internal.h"
#include "store_rows.h"

/* RFC 3261 §10.3 steps 6 and 7, the same in memory and on disk. */
static void updates(void **state)
{
	struct fix *f = *state;

	expect(f, "a@d", "c1", 1, CHANGES(), 0, "");
	expect(f, "a@d", "c1", 1, CHANGES({ "sip:a@h1", 60 }), 0, "sip:a@h1:60 ");
	expect(f, "a@d", "c1", 2, CHANGES({ "sip:a@h1", 100 }, { "sip:a@h2", 200 }), 0, "sip:a@h1:100 sip:a@h2:200 ");
	/* a retransmission changes nothing; an older one is refused whole */
	expect(f, "a@d", "c1", 2, CHANGES({ "sip:a@h1", 7000 }), 0, "sip:a@h1:100 sip:a@h2:200 ");
	expect(f, "a@d", "c1", 1, CHANGES({ "sip:a@h3", 60 }, { "sip:a@h1", 60 }), TD_EORDER, "sip:a@h1:100 sip:a@h2:200 ");
	expect(f, "a@d", "c1", 1, CHANGES({ "*", 0 }), TD_EORDER, "sip:a@h1:100 sip:a@h2:200 ");
	lookup(f, 0, "a@d", "sip:a@h1:100 sip:a@h2:200 ");
	/* another Call-ID has numbers of its own; URIs are compared by §19.1.4, the new text stays */
	expect(f, "a@d", "c2", 1, CHANGES({ "sip:a@H1;foo=1", 50 }), 0, "sip:a@H1;foo=1:50 sip:a@h2:200 ");
	/* A11: at most 3 */
	expect(f, "a@d", "c2", 2, CHANGES({ "sip:x@1", 60 }, { "sip:x@2", 60 }), TD_ELIMIT, "sip:a@H1;foo=1:50 sip:a@h2:200 ");
	expect(f, "a@d", "c2", 3, CHANGES({ "sip:x@1", 60 }), 0, "sip:a@H1;foo=1:50 sip:a@h2:200 sip:x@1:60 ");
	expect(f, "a@d", "c2", 4, CHANGES({ "sip:x@1", 0 }, { "sip:x@2", 60 }, { "sip:none@h", 0 }), 0,
	       "sip:a@H1;foo=1:50 sip:a@h2:200 sip:x@2:60 ");
	/* the same contact twice: the last word counts */
	expect(f, "a@d", "c2", 5, CHANGES({ "sip:x@2", 10 }, { "sip:x@2", 90 }), 0, "sip:a@H1;foo=1:50 sip:a@h2:200 sip:x@2:90 ");
	expect(f, "b@d", "c9", 1, CHANGES({ "sip:b@h", 60 }), 0, "sip:b@h:60 ");
	expect(f, "a@d", "c2", 6, CHANGES({ "*", 0 }), 0, "");
	lookup(f, 0, "b@d", "sip:b@h:60 ");
	struct td_location_stats stats;
	td_location_stats(&stats, f->loc);
	assert_int_equal(stats.aors, 1);
	assert_int_equal(stats.contacts, 1);
}

/* A refresh is written into what is there, unless something else changes with it. */
static void refreshes(void **state)
{
	struct fix *f = *state;

	expect(f, "a@d", "c1", 1, CHANGES({ "sip:a@h1", 100 }, { "sip:a@h2", 100 }), 0, "sip:a@h1:100 sip:a@h2:100 ");
	expect(f, "a@d", "c1", 2, CHANGES({ "sip:a@h2", 500 }), 0, "sip:a@h1:100 sip:a@h2:500 ");
	expect(f, "a@d", "c1", 2, CHANGES({ "sip:a@h2", 900 }), 0, "sip:a@h1:100 sip:a@h2:500 ");
	expect(f, "a@d", "c1", 1, CHANGES({ "sip:a@h2", 900 }), TD_EORDER, "sip:a@h1:100 sip:a@h2:500 ");
	expect(f, "a@d", "c2", 1, CHANGES({ "sip:a@h1", 300 }), 0, "sip:a@h1:300 sip:a@h2:500 ");
	expect(f, "a@d", "c2", 1, CHANGES({ "sip:a@h1", 900 }), 0, "sip:a@h1:300 sip:a@h2:500 "); /* c2's number is kept */
	/* one that ends earlier than it did is gone then, and not when it was due before */
	expect(f, "a@d", "c2", 2, CHANGES({ "sip:a@h1", 10 }), 0, "sip:a@h1:10 sip:a@h2:500 ");
	td_sim_run(f->sim, 20000);
	struct td_location_stats stats;
	td_location_stats(&stats, f->loc);
	assert_int_equal(stats.contacts, 1);
	/* an expired one is no refresh but new again, and its numbers begin anew */
	expect(f, "b@d", "c1", 7, CHANGES({ "sip:b@h", 1 }), 0, "sip:b@h:1 ");
	td_sim_run(f->sim, 1000);
	expect(f, "b@d", "c1", 7, CHANGES({ "sip:b@h", 50 }), 0, "sip:b@h:50 ");
	/* of two that differ, both are found by their text, though a third URI would equal both (§19.1.4) */
	expect(f, "c@d", "c1", 1, CHANGES({ "sip:c@h;x=1", 50 }, { "sip:c@h;x=2", 60 }), 0, "sip:c@h;x=1:50 sip:c@h;x=2:60 ");
	expect(f, "c@d", "c1", 2, CHANGES({ "sip:c@h", 70 }), 0, "sip:c@h:70 sip:c@h;x=2:60 ");
	expect(f, "c@d", "c1", 3, CHANGES({ "sip:c@h;x=2", 80 }), 0, "sip:c@h:70 sip:c@h;x=2:80 ");
}

struct keep {
	struct fix *f;
	unsigned shown;
};

static void refresh_while_shown(void *arg, int err, const struct td_binding *b, unsigned n)
{
	struct keep *k = arg;
	uint64_t before = b[0].expires_at_s;

	assert_int_equal(n, 1);
	k->shown++;
	send(k->f, 0, "a@d", "c1", 2, CHANGES({ "sip:a@h", 5000 }));
	send(k->f, 0, "a@d", "c1", 3, CHANGES({ "*", 0 }));
	assert_int_equal(b[0].expires_at_s, before);
	assert_str(b[0].contact, "sip:a@h");
}

/* Who is being shown bindings may change them: what it was shown stays as it was. */
static void what_is_shown_stays(void **state)
{
	struct fix *f = *state;
	struct keep k = { .f = f };
	struct td_loc_call *call;

	expect(f, "a@d", "c1", 1, CHANGES({ "sip:a@h", 100 }), 0, "sip:a@h:100 ");
	for (unsigned worker = 0; worker < WORKERS; worker++) {
		assert_int_equal(td_location_lookup(&call, f->loc, worker, TD_STR("a@d"), refresh_while_shown, &k), 0);
		td_sim_run(f->sim, 10);
		assert_int_equal(k.shown, worker + 1);
		lookup(f, worker, "a@d", "");
		expect(f, "a@d", "c1", 1, CHANGES({ "sip:a@h", 100 }), 0, "sip:a@h:100 ");
	}
}

static void count_row(void *arg, struct td_str aor, const struct td_store_binding *b)
{
	++*(int *)arg;
}

static int rows(struct fix *f)
{
	int n = 0;

	each_row(f->store, 100, count_row, &n);
	return n;
}

static void expiry(void **state)
{
	struct fix *f = *state;
	struct td_location_stats stats;

	expect(f, "a@d", "c1", 1, CHANGES({ "sip:a@h1", 10 }, { "sip:a@h2", 9000 }), 0, "sip:a@h1:10 sip:a@h2:9000 ");
	expect(f, "b@d", "c1", 1, CHANGES({ "sip:b@h1", 10 }), 0, "sip:b@h1:10 ");
	td_sim_run(f->sim, 9000);
	lookup(f, 1, "b@d", "sip:b@h1:1 ");
	td_sim_run(f->sim, 1500);
	lookup(f, 1, "b@d", ""); /* not shown, whether it was swept already or not */
	lookup(f, 2, "a@d", "sip:a@h2:8990 ");
	td_sim_run(f->sim, 10000);
	td_location_stats(&stats, f->loc);
	assert_int_equal(stats.aors, 1);
	assert_int_equal(stats.contacts, 1);
	if (f->store)
		assert_int_equal(rows(f), 1);
	/* a removed binding's numbers are forgotten with it */
	expect(f, "b@d", "c1", 1, CHANGES({ "sip:b@h1", 60 }), 0, "sip:b@h1:60 ");
	td_sim_run(f->sim, 10000000);
	td_location_stats(&stats, f->loc);
	assert_int_equal(stats.aors, 0);
	if (f->store)
		assert_int_equal(rows(f), 0);
	/* refreshes keep it alive past every place in the wheel */
	for (uint32_t i = 1; i < 40; i++) {
		expect(f, "a@d", "c7", i, CHANGES({ "sip:a@h", 60 }), 0, "sip:a@h:60 ");
		td_sim_run(f->sim, 50000);
	}
}

static void wall_clock_jumps(void **state)
{
	struct fix *f = *state;
	struct td_location_stats stats;

	expect(f, "a@d", "c1", 1, CHANGES({ "sip:a@h1", 3600 }), 0, "sip:a@h1:3600 ");
	td_sim_set_wall(f->sim, 5000); /* back */
	lookup(f, 0, "a@d", "sip:a@h1:998600 ");
	td_sim_set_wall(f->sim, 2000000000); /* far ahead */
	lookup(f, 0, "a@d", "");
	td_sim_run(f->sim, 5000);
	td_location_stats(&stats, f->loc);
	assert_int_equal(stats.aors, 0);
}

static int check_flow(void **state);

/* A restart: what was answered is there; datagram flows with it. */
static void reload(void **state)
{
	struct fix *f = *state;

	expect(f, "a@d", "c1", 1, CHANGES({ "sip:a@h1", 60 }, { "sip:a@h2", 600 }), 0, "sip:a@h1:60 sip:a@h2:600 ");
	expect(f, "b@d", "c1", 1, CHANGES({ "sip:b@h1", 600 }), 0, "sip:b@h1:600 ");
	expect(f, "b@d", "c1", 2, CHANGES({ "sip:b@h1", 0 }, { "sip:b@h3", 600 }), 0, "sip:b@h3:600 ");
	expect(f, "c@d", "c1", 1, CHANGES({ "sip:c@h", 10 }), 0, "sip:c@h:10 ");
	close_location(f);
	td_sim_run(f->sim, 100000);
	open_location(f);
	lookup(f, 0, "a@d", "sip:a@h2:875 "); /* the row carries 5/8 on top: what is left of 975 s */
	lookup(f, 1, "b@d", "sip:b@h3:875 ");
	lookup(f, 1, "c@d", "");
	td_sim_run(f->sim, 1);
	assert_int_equal(rows(f), 3); /* c@d is gone; of a@d's, one is left over and goes with the next write */
	expect(f, "a@d", "c1", 1, CHANGES({ "sip:a@h2", 60 }), 0, "sip:a@h2:875 "); /* its order is known still */
	assert_int_equal(check_flow(state), 0);
}

static uint64_t writes(struct fix *f)
{
	struct td_store_stats stats;

	td_store_stats(&stats, f->store);
	return stats.writes;
}

static void restart(struct fix *f)
{
	close_location(f);
	open_location(f);
}

/* A refresh that changes nothing is written when 5/8 of the lifetime have passed, and at no moment does a restart lose any of it. */
static void refreshes_are_written_seldom(void **state)
{
	struct fix *f = *state;
	uint64_t before;

	expect(f, "a@d", "c1", 1, CHANGES({ "sip:a@h", 800 }), 0, "sip:a@h:800 ");
	before = writes(f);
	for (uint32_t i = 1; i <= 5; i++) { /* each 100 s until 500 s have passed */
		td_sim_run(f->sim, 100 * 1000 - 3);
		expect(f, "a@d", "c1", 1 + i, CHANGES({ "sip:a@h", 800 }), 0, "sip:a@h:800 ");
	}
	assert_int_equal(writes(f), before);
	restart(f); /* the worst moment: the row is as old as it gets */
	lookup(f, 0, "a@d", "sip:a@h:800 ");
	assert_int_equal(writes(f), before);
	td_sim_run(f->sim, 1000);
	expect(f, "a@d", "c1", 7, CHANGES({ "sip:a@h", 800 }), 0, "sip:a@h:800 "); /* and now it must be written */
	assert_int_equal(writes(f), before + 1);
	restart(f);
	lookup(f, 0, "a@d", "sip:a@h:1300 ");
}

/* Whatever is more than a refresh is written, and there after a restart. */
static void changes_are_written(void **state)
{
	struct fix *f = *state;
	uint64_t before;

	expect(f, "a@d", "c1", 10, CHANGES({ "sip:a@h", 800 }), 0, "sip:a@h:800 ");
	expect(f, "a@d", "c1", 11, CHANGES({ "sip:a@h", 800 }), 0, "sip:a@h:800 ");
	before = writes(f);
	expect(f, "a@d", "c2", 1, CHANGES({ "sip:a@h", 800 }), 0, "sip:a@h:800 "); /* another Call-ID: another order */
	assert_int_equal(writes(f), before + 1);
	expect(f, "a@d", "c2", 2, CHANGES({ "sip:a@h", 300 }), 0, "sip:a@h:300 "); /* it ends earlier */
	assert_int_equal(writes(f), before + 2);
	f->port = 5099; /* it came another way */
	expect(f, "a@d", "c2", 3, CHANGES({ "sip:a@h", 300 }), 0, "sip:a@h:300 ");
	assert_int_equal(writes(f), before + 3);
	restart(f);
	expect(f, "a@d", "c2", 3, CHANGES({ "sip:a@h", 800 }), 0, "sip:a@h:487 "); /* the last number is known: again the same */
	expect(f, "a@d", "c2", 2, CHANGES({ "sip:a@h", 800 }), TD_EORDER, "sip:a@h:487 ");
	assert_int_equal(writes(f), before + 3);
	expect(f, "a@d", "c2", 4, CHANGES({ "sip:a@h", 0 }), 0, ""); /* removed is removed */
	restart(f);
	lookup(f, 0, "a@d", "");
}

/* The decision of stored_expiry(): after a restart a CSeq may count less than was acknowledged, never more. */
/* Proves RFC 3261 §10.3-12. */
static void order_after_a_restart(void **state)
{
	struct fix *f = *state;

	expect(f, "a@d", "c1", 10, CHANGES({ "sip:a@h", 800 }), 0, "sip:a@h:800 ");
	expect(f, "a@d", "c1", 12, CHANGES({ "sip:a@h", 800 }), 0, "sip:a@h:800 ");
	restart(f);
	expect(f, "a@d", "c1", 9, CHANGES({ "*", 0 }), TD_EORDER, "sip:a@h:1300 ");
	expect(f, "a@d", "c1", 10, CHANGES({ "*", 0 }), 0, "sip:a@h:1300 ");        /* a retransmission */
	expect(f, "a@d", "c1", 12, CHANGES({ "sip:a@h", 800 }), 0, "sip:a@h:800 "); /* does again what it did */
	expect(f, "a@d", "c1", 11, CHANGES({ "*", 0 }), TD_EORDER, "sip:a@h:800 ");
}

/* What the phone registered by goes with each binding, over refreshes and restarts, and changes with it (RFC 3327). */
/* Proves RFC 3327 §5.3-1. */
static void paths(void **state)
{
	struct fix *f = *state;

	expect(f, "a@d", "c1", 1, CHANGES({ "sip:a@h1", 100 }), 0, "sip:a@h1:100 ");
	f->path = "<sip:p;lr>";
	expect(f, "a@d", "c2", 1, CHANGES({ "sip:a@h2", 100 }, { "sip:a@h3", 100 }), 0,
	       "sip:a@h1:100 sip:a@h2[<sip:p;lr>]:100 sip:a@h3[<sip:p;lr>]:100 ");
	expect(f, "a@d", "c2", 2, CHANGES({ "sip:a@h2", 120 }), 0,
	       "sip:a@h1:100 sip:a@h2[<sip:p;lr>]:120 sip:a@h3[<sip:p;lr>]:100 ");
	f->path = "<sip:q;lr>,<sip:p;lr>";
	expect(f, "a@d", "c2", 3, CHANGES({ "sip:a@h2", 120 }), 0,
	       "sip:a@h1:100 sip:a@h2[<sip:q;lr>,<sip:p;lr>]:120 sip:a@h3[<sip:p;lr>]:100 ");
	expect(f, "a@d", "c1", 2, CHANGES({ "sip:a@h1", 100 }), 0,
	       "sip:a@h1[<sip:q;lr>,<sip:p;lr>]:100 sip:a@h2[<sip:q;lr>,<sip:p;lr>]:120 sip:a@h3[<sip:p;lr>]:100 ");
	f->path = NULL;
	expect(f, "a@d", "c2", 4, CHANGES({ "sip:a@h2", 120 }), 0,
	       "sip:a@h1[<sip:q;lr>,<sip:p;lr>]:100 sip:a@h2:120 sip:a@h3[<sip:p;lr>]:100 ");
	if (!f->store)
		return;
	restart(f);
	lookup(f, 1, "a@d", "sip:a@h1[<sip:q;lr>,<sip:p;lr>]:162 sip:a@h2:195 sip:a@h3[<sip:p;lr>]:162 ");
}

static void on_wakes(void *arg, int err, const struct td_binding *b, unsigned n)
{
	assert_int_equal(n, 1);
	*(int *)arg = b[0].wakes;
}

/* A phone that asked for pushes is known for it after a restart, however it wrote that (RFC 8599 §5.1). */
static void pushes_after_a_restart(void **state)
{
	static const struct {
		const char *contact;
		int wakes;
	} asked[] = {
		{ "sip:a@h;pn-provider=x;pn-prid=1", 1 },
		{ "sip:a@h;PN-Prid=1;pn-provider=x", 1 },
		{ "sip:a@h;pn-provider=x", 0 },
		{ "sip:a;pn-prid=1@h", 0 },
		{ "sip:a@h;x=y", 0 },
	};
	struct td_loc_call *call;
	struct fix *f = *state;
	char aor[16];

	for (size_t i = 0; i < TD_ARRAY_LEN(asked); i++) {
		snprintf(aor, sizeof(aor), "a%zu@d", i);
		send(f, 0, aor, "c1", 1, CHANGES({ asked[i].contact, 600 }));
		td_sim_run(f->sim, 1);
	}
	restart(f);
	for (size_t i = 0; i < TD_ARRAY_LEN(asked); i++) {
		int wakes = -1;

		snprintf(aor, sizeof(aor), "a%zu@d", i);
		assert_int_equal(td_location_lookup(&call, f->loc, 0, td_str_of(aor), on_wakes, &wakes), 0);
		td_sim_run(f->sim, 1);
		if (wakes != asked[i].wakes)
			fail_msg("%s: %d", asked[i].contact, wakes);
	}
}

static void on_each(void *arg, struct td_str aor, const struct td_binding *b)
{
	if (b)
		td_out_fmt(arg, "%.*s ", TD_FMT(b->contact));
	else
		td_out_z(arg, aor.p ? "?" : ".");
}

static void fill_store(struct fix *f, unsigned n)
{
	char aor[32], contact[32];

	for (unsigned i = 0; i < n; i++) {
		snprintf(aor, sizeof(aor), "u%u@d", i);
		snprintf(contact, sizeof(contact), "sip:u%u@h", i);
		send(f, i % WORKERS, aor, "c1", 1, CHANGES({ contact, 800 }));
	}
	td_sim_run(f->sim, 10);
	assert_int_equal(rows(f), (int)n);
	f->answers = 0;
}

/* Hundreds of pages, and everything that can be asked while they come: known or not, each is answered as if all were there. */
static void asked_while_loading(void **state)
{
	enum { N = 2000 };
	struct fix *f = *state;
	struct td_location_stats stats;
	struct td_out o;
	unsigned late = 0;

	fill_store(f, N);
	close_location(f);
	f->load_rows = 7;
	open_location(f);
	td_location_stats(&stats, f->loc);
	assert_int_equal(stats.aors, 7);
	assert_int_equal(stats.loaded_percent, 0);
	td_out_init(&o);
	assert_int_equal(td_location_each(f->loc, f->loop[1], TD_STR_NULL, on_each, &o), 0);
	for (unsigned i = 0; i < N; i += 50) {
		char aor[32], contact[32];
		unsigned w = i / 50 % WORKERS;
		struct td_loc_call *call;

		snprintf(aor, sizeof(aor), "u%u@d", i);
		snprintf(contact, sizeof(contact), "sip:u%u@h", i);
		late += send(f, w, aor, "c1", 1, CHANGES({ contact, 100 })) != NULL;                  /* again the same */
		late += send(f, w, aor, "c1", 2, CHANGES({ contact, 0 }, { "sip:b@h", 90 })) != NULL; /* moves */
		assert_int_equal(td_location_lookup(&call, f->loc, w, td_str_of(aor), on_answer, f), 0);
		late += call != NULL;
	}
	late += send(f, 0, "new@d", "c1", 1, CHANGES({ "sip:new@h", 60 })) != NULL;
	late += send(f, 1, "new@d", "c1", 1, CHANGES()) != NULL;
	td_loc_cancel(send(f, 2, "never@d", "c1", 1, CHANGES({ "sip:new@h", 60 })));
	assert_true(late > N / 50);
	td_sim_run(f->sim, 2000);
	assert_int_equal(f->answers, 3 * (N / 50) + 2);
	assert_int_equal(f->err, 0);
	td_location_stats(&stats, f->loc);
	assert_int_equal(stats.loaded_percent, 100);
	assert_int_equal(stats.aors, N + 2);
	assert_int_equal(stats.contacts, N + 2);
	lookup(f, 0, "u50@d", "sip:b@h:88 ");
	lookup(f, 1, "new@d", "sip:new@h:58 ");
	lookup(f, 2, "u51@d", "sip:u51@h:1298 ");
	lookup(f, 0, "nobody@d", "");
	assert_true(o.n > 1 && o.p[o.n - 1] == '.'); /* the listing waited for all */
	assert_non_null(memmem(o.p, o.n, "sip:u1999@h ", 12));
	td_out_free(&o);
	assert_int_equal(rows(f), N + 2);
	restart(f);
	td_sim_run(f->sim, 2000);
	lookup(f, 0, "u50@d", "sip:b@h:142 "); /* 90 s and 5/8 of them, 4 s ago */
}

/* Stopping in the middle of it: what waits is forgotten, nothing leaks, all is still on disk. */
static void stopped_while_loading(void **state)
{
	struct fix *f = *state;
	struct td_location_stats stats;

	fill_store(f, 500);
	f->load_rows = 5;
	for (unsigned ms = 0; ms < 4; ms++) {
		restart(f);
		send(f, 0, "u499@d", "c1", 2, CHANGES({ "sip:u499@h", 0 }));
		send(f, 1, "new@d", "c1", 2, CHANGES({ "sip:new@h", 60 }));
		if (ms)
			td_sim_run(f->sim, 1);
		td_location_stats(&stats, f->loc);
	}
	close_location(f);
	f->load_rows = 0;
	open_location(f);
	td_sim_run(f->sim, 10);
	td_location_stats(&stats, f->loc);
	assert_in_range(stats.aors, 498, 501);
}

static void on_flow(void *arg, int err, const struct td_binding *b, unsigned n)
{
	struct td_addr want = { .family = TD_AF_V4, .ip = { 192, 0, 2, 7 }, .port = 5062 };

	assert_int_equal(n, 1);
	assert_true(td_addr_eq(&b->flow.peer, &want));
	assert_str(b->user_agent, "phone/1");
	assert_str(b->call_id, "c1");
	++*(int *)arg;
}

static int check_flow(void **state)
{
	struct fix *f = *state;
	struct td_loc_call *call;
	int seen = 0;

	assert_int_equal(td_location_lookup(&call, f->loc, 0, TD_STR("b@d"), on_flow, &seen), 0);
	td_sim_run(f->sim, 1);
	return seen == 1 ? 0 : -1;
}

/* Several updates of one address before the first is on disk: answered in order, each from what it left. */
/* Proves RFC 3261 §10.3-2. */
static void queued_behind_a_write(void **state)
{
	struct fix *f = *state;

	for (uint32_t i = 1; i <= 5; i++)
		send(f, i % WORKERS, "a@d", "c1", i, CHANGES({ "sip:a@h", 100 * i }));
	send(f, 0, "a@d", "c1", 6, CHANGES());
	td_sim_run(f->sim, 20);
	assert_int_equal(f->answers, 6);
	assert_int_equal(f->err, 0);
	assert_str(td_out_view(&f->seen), "sip:a@h:500 ");
}

/* One address, updated faster than a disk can take it, keeps a bounded number waiting; the others are not touched by it. */
static void too_many_of_one_address(void **state)
{
	struct fix *f = *state;

	for (uint32_t i = 1; i <= 200; i++)
		send(f, i % WORKERS, "a@d", "c1", i, CHANGES({ "sip:a@h", 100 + i }));
	send(f, 0, "b@d", "c1", 1, CHANGES({ "sip:b@h", 100 }));
	td_sim_run(f->sim, 200);
	assert_int_equal(f->answers, 201);
	assert_in_range(f->busy, 100, 135); /* 1 under way, 64 waiting, and what came after the first commits */
	lookup(f, 0, "b@d", "sip:b@h:100 ");
	expect(f, "a@d", "c1", 500, CHANGES({ "sip:a@h", 70 }), 0, "sip:a@h:70 ");
}

/* G9: nothing is shown, now or later, that is not on disk. */
/* Proves RFC 3261 §10.3-13. */
static void g9_store_fails(void **state)
{
	struct fix *f = *state;

	expect(f, "a@d", "c1", 1, CHANGES({ "sip:a@h", 100 }), 0, "sip:a@h:100 ");
	assert_int_equal(sqlite3_exec(f->store->db, "PRAGMA query_only = 1", NULL, NULL, NULL), 0);
	for (unsigned worker = 0; worker < WORKERS; worker++)
		send(f, worker, "a@d", "c1", 2 + worker, CHANGES({ "sip:a@h", 200 }, { "sip:new@h", 60 }));
	send(f, 1, "b@d", "c1", 2, CHANGES({ "sip:b@h", 200 }));
	td_sim_run(f->sim, 10);
	assert_int_equal(f->answers, WORKERS + WORKERS + 1);
	assert_int_not_equal(f->err, 0);
	lookup(f, 0, "a@d", "sip:a@h:100 ");
	lookup(f, 0, "b@d", "");
	assert_int_equal(sqlite3_exec(f->store->db, "PRAGMA query_only = 0", NULL, NULL, NULL), 0);
	expect(f, "a@d", "c1", 2, CHANGES({ "sip:a@h", 200 }), 0, "sip:a@h:200 ");
	assert_int_equal(rows(f), 1);
}

static void cancelled_calls_are_silent(void **state)
{
	struct fix *f = *state;
	struct td_loc_call *call;
	int at_once = 0;

	for (unsigned worker = 0; worker < WORKERS; worker++) {
		call = send(f, worker, "a@d", "c1", 1 + worker, CHANGES({ "sip:a@h", 100 }));
		at_once += !call;
		if (call)
			td_loc_cancel(call);
		assert_int_equal(td_location_lookup(&call, f->loc, worker, TD_STR("a@d"), on_answer, f), 0);
		at_once += !call;
		if (call)
			td_loc_cancel(call);
	}
	td_sim_run(f->sim, 10);
	assert_int_equal(f->answers, at_once);
	assert_int_equal(at_once, f->store ? 1 : 2);             /* one of the workers knows the address itself */
	lookup(f, 0, "a@d", "sip:a@h:100 ");                     /* but done */
	send(f, 0, "a@d", "c1", 9, CHANGES({ "sip:a@h", 200 })); /* and closing with some under way leaks nothing */
	send(f, 1, "a@d", "c1", 10, CHANGES({ "sip:a@h", 200 }));
}

static void listing(void **state)
{
	struct fix *f = *state;
	struct td_out o;

	td_out_init(&o);
	for (int i = 0; i < 1000; i++) {
		char aor[32], contact[32];

		snprintf(aor, sizeof(aor), "u%d@d", i);
		snprintf(contact, sizeof(contact), "sip:%03d@h", i);
		send(f, (unsigned)i % WORKERS, aor, "c1", 1, CHANGES({ contact, 60 + 7 * (uint32_t)i }));
	}
	td_sim_run(f->sim, 10);
	assert_int_equal(td_location_each(f->loc, f->loop[1], TD_STR_NULL, on_each, &o), 0);
	td_sim_run(f->sim, 50);
	assert_int_equal(o.n, 1000 * strlen("sip:000@h ") + 1);
	for (int i = 0; i < 1000; i++) {
		char contact[32];
		snprintf(contact, sizeof(contact), "sip:%03d@h ", i);
		assert_non_null(memmem(o.p, o.n, contact, strlen(contact)));
	}
	o.n = 0;
	assert_int_equal(td_location_each(f->loc, f->loop[1], TD_STR("u77@d"), on_each, &o), 0);
	td_sim_run(f->sim, 50);
	assert_str(td_out_view(&o), "sip:077@h .");
	td_out_free(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(updates),
		BOTH(refreshes),
		BOTH(what_is_shown_stays),
		BOTH(expiry),
		BOTH(wall_clock_jumps),
		DURABLE(reload),
		DURABLE(refreshes_are_written_seldom),
		DURABLE(changes_are_written),
		DURABLE(order_after_a_restart),
		DURABLE(pushes_after_a_restart),
		BOTH(paths),
		DURABLE(asked_while_loading),
		DURABLE(stopped_while_loading),
		DURABLE(queued_behind_a_write),
		DURABLE(too_many_of_one_address),
		DURABLE(g9_store_fails),
		BOTH(cancelled_calls_are_silent),
		BOTH(listing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
