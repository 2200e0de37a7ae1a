#include "support.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include "server/location/location.h"
#include "server/store/internal.h"
#include "store_rows.h"

enum { WORKERS = 3 };

struct fix {
	struct td_sim *sim;
	struct td_loop *loop[WORKERS];
	struct td_store *store;
	struct td_location *loc;
	struct td_rng rng;
	struct td_out seen; /* what the last callback showed */
	int answers, err, busy;
	unsigned load_rows;
	uint16_t port;    /* where the phone comes from; 0: 5062 */
	const char *path; /* NULL: none */
};

static void close_location(struct fix *f)
{
	for (unsigned i = 0; i < WORKERS; i++)
		td_location_detach(f->loc, i);
	td_sim_run(f->sim, 1); /* what was on its way */
	td_location_close(f->loc);
}

static void open_location(struct fix *f)
{
	assert_int_equal(td_location_open(&f->loc, &f->rng,
					  &(struct td_location_options){ .durable = f->store != NULL,
									 .store = f->store,
									 .workers = WORKERS,
									 .load_rows = f->load_rows }),
			 0);
	for (unsigned i = 0; i < WORKERS; i++)
		assert_int_equal(td_location_attach(f->loc, i, f->loop[i]), 0);
	assert_int_equal(td_location_load(f->loc), 0);
}

static int set_up(void **state, bool durable)
{
	struct fix *f = calloc(1, sizeof(*f));
	struct td_out why;

	assert_non_null(f);
	td_out_init(&why);
	td_out_init(&f->seen);
	td_rng_init_seed(&f->rng, 1);
	assert_int_equal(td_sim_open(&f->sim, 1), 0);
	td_sim_set_wall(f->sim, 1000000);
	for (unsigned i = 0; i < WORKERS; i++)
		assert_int_equal(td_sim_loop(&f->loop[i], f->sim), 0);
	if (durable)
		assert_int_equal(td_store_open(&f->store, &(struct td_store_options){ 0 }, &why), 0);
	td_out_free(&why);
	open_location(f);
	*state = f;
	return 0;
}

static int durable(void **state)
{
	return set_up(state, true);
}

static int in_memory(void **state)
{
	return set_up(state, false);
}

static int tear_down(void **state)
{
	struct fix *f = *state;

	for (unsigned i = 0; i < WORKERS; i++)
		td_location_detach(f->loc, i);
	td_store_close(f->store);
	td_location_close(f->loc);
	for (unsigned i = 0; i < WORKERS; i++)
		td_loop_close(f->loop[i]);
	td_sim_close(f->sim);
	td_out_free(&f->seen);
	free(f);
	return 0;
}

/* "contact:remaining " for each binding, or "contact[path]:remaining " */
static void on_answer(void *arg, int err, const struct td_binding *b, unsigned n)
{
	struct fix *f = arg;

	f->answers++;
	f->err = err;
	f->busy += err == -EAGAIN;
	f->seen.n = 0;
	for (unsigned i = 0; i < n; i++)
		td_out_fmt(&f->seen, b[i].path.n ? "%.*s[%.*s]:%d " : "%.*s%.*s:%d ", TD_FMT(b[i].contact), TD_FMT(b[i].path),
			   (int)(b[i].expires_at_s - td_loop_wall_s(f->loop[0])));
}

struct change {
	const char *contact;
	uint32_t expires_s;
};

/* changes end with a contact of NULL; "*" removes all, none at all is a query */
static struct td_loc_call *send(struct fix *f, unsigned worker, const char *aor, const char *call_id, uint32_t cseq,
				const struct change *c)
{
	struct td_loc_change changes[20] = { 0 };
	struct td_loc_update up = {
		.aor = exact(aor),
		.call_id = exact(call_id),
		.cseq = cseq,
		.user_agent = TD_STR("phone/1"),
		.max_contacts = 3,
		.path = td_str_of(f->path),
		.changes = changes,
		.flow = { .proto = TD_UDP,
			  .peer = { .family = TD_AF_V4, .ip = { 192, 0, 2, 7 }, .port = f->port ? f->port : 5062 } },
	};
	struct td_loc_call *call = NULL;

	up.kind = !c[0].contact ? TD_LOC_QUERY : c[0].contact[0] == '*' ? TD_LOC_REMOVE_ALL : TD_LOC_UPDATE;
	for (; up.kind == TD_LOC_UPDATE && c[up.change_n].contact; up.change_n++) {
		struct td_loc_change *to = &changes[up.change_n];
		to->contact = exact(c[up.change_n].contact);
		to->expires_s = c[up.change_n].expires_s;
		to->q = 1000;
	}
	if (cseq % 2) { /* every other one is announced: it makes no difference */
		up.hash = td_location_expect(f->loc, worker, up.aor);
		td_location_approach(f->loc, worker, up.hash);
	}
	int before = f->answers;
	assert_int_equal(td_location_update(&call, f->loc, worker, &up, on_answer, f), 0);
	assert_int_equal(f->answers, before + !call); /* inside the call, or there is one to wait for */
	for (unsigned i = 0; i < up.change_n; i++)
		exact_free(changes[i].contact);
	exact_free(up.aor);
	exact_free(up.call_id);
	return call;
}

#define CHANGES(...)                       \
	(const struct change[])            \
	{                                  \
		__VA_ARGS__ __VA_OPT__(, ) \
		{                          \
			NULL, 0            \
		}                          \
	}

static void expect(struct fix *f, const char *aor, const char *call_id, uint32_t cseq, const struct change *c, int err,
		   const char *seen)
{
	for (unsigned worker = 0; worker < WORKERS; worker++) {
		int before = f->answers;

		send(f, worker, aor, call_id, cseq, worker ? CHANGES() : c); /* then everybody sees the same */
		td_sim_run(f->sim, 1);
		assert_int_equal(f->answers, before + 1);
		assert_int_equal(f->err, worker ? 0 : err);
		if (!f->err) /* a refused one left them as they were */
			assert_str(td_out_view(&f->seen), seen);
	}
}

static void lookup(struct fix *f, unsigned worker, const char *aor, const char *seen)
{
	struct td_loc_call *call;
	struct td_str s = exact(aor);
	int before = f->answers;

	assert_int_equal(td_location_lookup(&call, f->loc, worker, s, on_answer, f), 0);
	exact_free(s);
	assert_int_equal(f->answers, before + !call);
	td_sim_run(f->sim, 1);
	assert_int_equal(f->answers, before + 1);
	assert_int_equal(f->err, 0);
	assert_str(td_out_view(&f->seen), seen);
}

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

struct watcher {
	struct td_loc_watch w;
	struct fix *f;
	unsigned worker, heard;
	char seen[128];
	struct watcher *ends; /* whom it stops when it hears */
};

static void on_news(struct td_loc_watch *w, const struct td_binding *b, unsigned n)
{
	struct watcher *me = TD_CONTAINER_OF(w, struct watcher, w);
	size_t at = 0;

	me->heard++;
	for (unsigned i = 0; i < n; i++)
		at += (size_t)snprintf(me->seen + at, sizeof(me->seen) - at, "%.*s ", TD_FMT(b[i].contact));
	if (me->ends)
		td_location_unwatch(&me->ends->w, me->f->loc, me->ends->worker);
}

static void watch(struct watcher *me, struct fix *f, unsigned worker, const char *aor)
{
	struct td_str s = exact(aor);

	*me = (struct watcher){ .f = f, .worker = worker };
	td_location_watch(&me->w, f->loc, worker, s, on_news);
	exact_free(s);
}

static void want_heard(struct watcher *me, unsigned times, const char *seen)
{
	td_sim_run(me->f->sim, 1);
	assert_int_equal(me->heard, times);
	assert_string_equal(me->seen, seen);
}

/* Whoever updates, and wherever the address and who waits for it are. */
static void watching(void **state)
{
	struct fix *f = *state;
	struct watcher w[WORKERS], other;

	for (unsigned i = 0; i < WORKERS; i++)
		watch(&w[i], f, i, "a@d");
	watch(&other, f, 0, "b@d");
	for (unsigned i = 0; i < WORKERS; i++) {
		unsigned before = 4 * i;

		send(f, i, "a@d", "c1", 10 * i + 1, CHANGES({ "sip:a@h1", 60 }));
		for (unsigned k = 0; k < WORKERS; k++)
			want_heard(&w[k], before + 1, "sip:a@h1 ");
		send(f, i, "a@d", "c1", 10 * i + 2, CHANGES({ "sip:a@h2", 60 }));
		send(f, i, "a@d", "c1", 10 * i + 3, CHANGES({ "sip:a@h1", 50 })); /* a refresh */
		for (unsigned k = 0; k < WORKERS; k++)
			want_heard(&w[k], before + 3, "sip:a@h1 sip:a@h2 ");
		send(f, i, "a@d", "c1", 10 * i + 3, CHANGES({ "sip:a@h1", 50 })); /* its retransmission says nothing new */
		send(f, i, "a@d", "c1", 10 * i + 4, CHANGES({ "sip:a@h1", 0 }));
		for (unsigned k = 0; k < WORKERS; k++)
			want_heard(&w[k], before + 4, "sip:a@h2 ");
		send(f, i, "a@d", "c1", 10 * i + 5, CHANGES({ "*", 0 })); /* nothing is left to tell of */
	}
	for (unsigned k = 0; k < WORKERS; k++)
		td_location_unwatch(&w[k].w, f->loc, k);
	send(f, 0, "a@d", "c1", 99, CHANGES({ "sip:a@h1", 1 }));
	td_sim_run(f->sim, 20000); /* nor of one that expired */
	for (unsigned k = 0; k < WORKERS; k++)
		assert_int_equal(w[k].heard, 4 * WORKERS);
	assert_int_equal(other.heard, 0);
	td_location_unwatch(&other.w, f->loc, 0);
	td_location_unwatch(&other.w, f->loc, 0); /* once more: nothing */
}

/* One ends itself and the others as it hears; and of very many only some are told each time, never one that has ended. */
static void watches_end_anywhere(void **state)
{
	struct fix *f = *state;
	struct watcher w[3], many[300];
	unsigned heard = 0;

	for (int i = 0; i < 3; i++)
		watch(&w[i], f, 0, "a@d");
	for (int i = 0; i < 3; i++)
		w[i].ends = &w[(i + 1) % 3];
	send(f, 0, "a@d", "c1", 1, CHANGES({ "sip:a@h", 60 }));
	td_sim_run(f->sim, 1);
	for (int i = 0; i < 3; i++) {
		heard += w[i].heard;
		assert_true(w[i].heard <= 1);
	}
	assert_int_equal(heard, 2); /* the first ended the second, the third the first */
	for (int i = 0; i < 3; i++)
		td_location_unwatch(&w[i].w, f->loc, 0);
	for (unsigned i = 0; i < TD_ARRAY_LEN(many); i++)
		watch(&many[i], f, 0, "a@d");
	for (unsigned i = 0; i < TD_ARRAY_LEN(many); i += 2)
		td_location_unwatch(&many[i].w, f->loc, 0);
	send(f, 1, "a@d", "c1", 2, CHANGES({ "sip:a@h", 70 }));
	td_sim_run(f->sim, 1);
	heard = 0;
	for (unsigned i = 0; i < TD_ARRAY_LEN(many); i++) {
		heard += many[i].heard;
		assert_true(many[i].heard <= i % 2);
		td_location_unwatch(&many[i].w, f->loc, 0);
	}
	assert_int_equal(heard, TD_LOC_TOLD);
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

#define BOTH(t) cmocka_unit_test_setup_teardown(t, durable, tear_down), cmocka_unit_test_setup_teardown(t, in_memory, tear_down)
#define DURABLE(t) cmocka_unit_test_setup_teardown(t, durable, tear_down)

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
		BOTH(paths),
		DURABLE(asked_while_loading),
		DURABLE(stopped_while_loading),
		DURABLE(queued_behind_a_write),
		DURABLE(too_many_of_one_address),
		DURABLE(g9_store_fails),
		BOTH(cancelled_calls_are_silent),
		BOTH(listing),
		BOTH(watching),
		BOTH(watches_end_anywhere),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
