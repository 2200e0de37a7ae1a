/*
 * A location with three workers under a simulated clock, in memory or on disk, and what its tests say to it: send() and expect() for a
 * REGISTER, lookup() for whoever asks. What is shown is written as text.
 */
#ifndef TESTS_UNIT_LOCATION_RIG_H
#define TESTS_UNIT_LOCATION_RIG_H

#include "support.h"

#include <errno.h>

#include "server/location/location.h"

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

static inline void close_location(struct fix *f)
{
	for (unsigned i = 0; i < WORKERS; i++)
		td_location_detach(f->loc, i);
	td_sim_run(f->sim, 1); /* what was on its way */
	td_location_close(f->loc);
}

static inline void open_location(struct fix *f)
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

static inline int set_up(void **state, bool durable)
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

static inline int durable(void **state)
{
	return set_up(state, true);
}

static inline int in_memory(void **state)
{
	return set_up(state, false);
}

static inline int tear_down(void **state)
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
static inline void on_answer(void *arg, int err, const struct td_binding *b, unsigned n)
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
static inline struct td_loc_call *send(struct fix *f, unsigned worker, const char *aor, const char *call_id, uint32_t cseq,
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

static inline void expect(struct fix *f, const char *aor, const char *call_id, uint32_t cseq, const struct change *c, int err,
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

static inline void lookup(struct fix *f, unsigned worker, const char *aor, const char *seen)
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

#define BOTH(t) cmocka_unit_test_setup_teardown(t, durable, tear_down), cmocka_unit_test_setup_teardown(t, in_memory, tear_down)
#define DURABLE(t) cmocka_unit_test_setup_teardown(t, durable, tear_down)

#endif
