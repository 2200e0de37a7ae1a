/* Notes on requests that were let in: found for one life at least, gone after two, and never too many. */
#include "support.h"

#include "server/proxy/internal.h"

enum { MOST = 1 << 20, LIFE_MS = 1000 };

struct rig {
	struct td_sim *sim;
	struct td_loop *loop;
	struct px_notes notes;
};

static void rig_open(struct rig *r)
{
	assert_int_equal(td_sim_open(&r->sim, 1), 0);
	assert_int_equal(td_sim_loop(&r->loop, r->sim), 0);
	px_notes_init(&r->notes, r->loop);
}

static void rig_close(struct rig *r)
{
	px_notes_free(&r->notes);
	td_loop_close(r->loop);
	td_sim_close(r->sim);
}

/* Spread as MACs are. */
static uint64_t id_of(uint64_t n)
{
	return n * 0x9e3779b97f4a7c15;
}

static void one_life_at_least_two_at_most(void **state)
{
	struct rig r;

	rig_open(&r);
	for (uint64_t n = 0; n < 1000; n++) /* 0 is a number like others */
		px_note(&r.notes, id_of(n), LIFE_MS);
	td_sim_run(r.sim, LIFE_MS / 2);
	for (uint64_t n = 1000; n < 1010; n++)
		px_note(&r.notes, id_of(n), LIFE_MS);
	px_note(&r.notes, id_of(7), LIFE_MS); /* again: one note all the same */
	assert_int_equal(r.notes.young.n, 1010);
	assert_false(px_noted(&r.notes, id_of(1010)));
	td_sim_run(r.sim, LIFE_MS);
	for (uint64_t n = 0; n < 1010; n++)
		assert_true(px_noted(&r.notes, id_of(n)));
	td_sim_run(r.sim, LIFE_MS);
	for (uint64_t n = 0; n < 1010; n++)
		assert_false(px_noted(&r.notes, id_of(n)));
	assert_null(r.notes.young.slot); /* nor is any memory kept */
	assert_null(r.notes.old.slot);
	assert_false(td_timer_running(&r.notes.timer));
	px_note(&r.notes, id_of(5), LIFE_MS);
	assert_true(px_noted(&r.notes, id_of(5)));
	rig_close(&r);
}

static void numbers_that_collide(void **state)
{
	struct rig r;

	rig_open(&r);
	for (uint64_t n = 1; n < 200; n++)
		px_note(&r.notes, n << 40 | 3, LIFE_MS);
	for (uint64_t n = 1; n < 200; n++)
		assert_true(px_noted(&r.notes, n << 40 | 3));
	assert_false(px_noted(&r.notes, UINT64_C(200) << 40 | 3));
	rig_close(&r);
}

static void the_oldest_go_when_there_are_too_many(void **state)
{
	struct rig r;

	rig_open(&r);
	for (uint64_t n = 0; n < 2 * MOST + 1; n++)
		px_note(&r.notes, id_of(n), LIFE_MS);
	assert_false(px_noted(&r.notes, id_of(0)));
	assert_false(px_noted(&r.notes, id_of(MOST - 1)));
	assert_true(px_noted(&r.notes, id_of(MOST)));
	assert_true(px_noted(&r.notes, id_of(2 * MOST)));
	assert_true(r.notes.old.cap <= 4 * (size_t)MOST);
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_life_at_least_two_at_most),
		cmocka_unit_test(numbers_that_collide),
		cmocka_unit_test(the_oldest_go_when_there_are_too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
