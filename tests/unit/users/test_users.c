#include "support.h"

#include <pthread.h>
#include <stdio.h>
#include "server/users/users.h"

static struct td_user user(const char *aor, const char *extension, uint8_t mark)
{
	struct td_user u = { .aor = td_str_of(aor), .extension = td_str_of(extension), .has = { true, false } };

	memset(u.ha1[0].bytes, mark, sizeof(u.ha1[0].bytes));
	return u;
}

static void put(struct td_users *us, const char *aor, const char *extension, uint8_t mark, int want)
{
	struct td_user u = user(aor, extension, mark);

	assert_int_equal(td_users_put(us, &u), want);
}

static void find_put_remove(void **state)
{
	struct td_users *u;
	struct td_rng rng;

	td_rng_init_seed(&rng, 1);
	assert_int_equal(td_users_open(&u, &rng), 0);
	assert_null(td_users_find(u, TD_STR("a@d")));
	assert_null(td_users_find_extension(u, TD_STR("d"), TD_STR_NULL));
	put(u, "a@d", "100", 1, 0);
	put(u, "b@d", "", 2, 0);
	put(u, "a@e", "100", 3, 0);
	put(u, "b@d", "100", 2, TD_EEXIST);
	put(u, "nobody", "", 2, TD_ESYNTAX);
	assert_int_equal(td_users_count(u), 3);
	assert_int_equal(td_users_find(u, TD_STR("a@d"))->ha1[0].bytes[31], 1);
	assert_str(td_users_find_extension(u, TD_STR("d"), TD_STR("100"))->aor, "a@d");
	assert_str(td_users_find_extension(u, TD_STR("e"), TD_STR("100"))->aor, "a@e");
	put(u, "a@d", "101", 9, 0); /* replaced: the old extension is free */
	assert_int_equal(td_users_count(u), 3);
	assert_int_equal(td_users_find(u, TD_STR("a@d"))->ha1[0].bytes[31], 9);
	assert_null(td_users_find_extension(u, TD_STR("d"), TD_STR("100")));
	put(u, "b@d", "100", 2, 0);
	assert_str(td_users_find_extension(u, TD_STR("d"), TD_STR("100"))->aor, "b@d");
	assert_int_equal(td_users_remove(u, TD_STR("b@d")), 0);
	assert_int_equal(td_users_remove(u, TD_STR("b@d")), TD_ENOTFOUND);
	assert_null(td_users_find_extension(u, TD_STR("d"), TD_STR("100")));
	assert_int_equal(td_users_count(u), 2);
	td_users_close(u);
}

/* Extensions change hands in any order, who is not put is gone at the end, and before it nobody is. */
static void taken_anew(void **state)
{
	struct td_users *u;
	struct td_rng rng;

	td_rng_init_seed(&rng, 3);
	assert_int_equal(td_users_open(&u, &rng), 0);
	put(u, "a@d", "1", 1, 0);
	put(u, "b@d", "2", 2, 0);
	put(u, "c@d", "3", 3, 0);
	put(u, "stays@d", "", 4, 0);
	const struct td_user *stays = td_users_find(u, TD_STR("stays@d"));

	td_users_begin(u);
	put(u, "a@d", "2", 1, 0);
	put(u, "b@d", "1", 2, 0);
	put(u, "stays@d", "", 4, 0);
	put(u, "stays@d", "1", 4, TD_EEXIST);
	assert_non_null(td_users_find(u, TD_STR("c@d")));
	td_users_end(u);
	assert_null(td_users_find(u, TD_STR("c@d")));
	assert_int_equal(td_users_count(u), 3);
	assert_str(td_users_find_extension(u, TD_STR("d"), TD_STR("1"))->aor, "b@d");
	assert_str(td_users_find_extension(u, TD_STR("d"), TD_STR("2"))->aor, "a@d");
	assert_null(td_users_find_extension(u, TD_STR("d"), TD_STR("3")));
	assert_ptr_equal(td_users_find(u, TD_STR("stays@d")), stays);
	put(u, "stays@d", "", 5, 0);
	assert_int_equal(td_users_find(u, TD_STR("stays@d"))->ha1[0].bytes[0], 5);
	td_users_close(u);
}

/* Against a plain array, through growth and tombstones. */
static void as_a_model(void **state)
{
	enum { NAMES = 500 };
	static bool there[NAMES];
	struct td_users *u;
	struct td_rng rng;
	char name[32], ext[16];

	td_rng_init_seed(&rng, 7);
	assert_int_equal(td_users_open(&u, &rng), 0);
	for (int i = 0; i < 20000; i++) {
		int k = (int)td_rng_below(&rng, NAMES);

		snprintf(name, sizeof(name), "user%d@example.test", k);
		snprintf(ext, sizeof(ext), "%d", 1000 + k);
		if (td_rng_below(&rng, 3)) {
			put(u, name, td_rng_below(&rng, 2) ? ext : "", (uint8_t)k, 0);
			there[k] = true;
		} else {
			assert_int_equal(td_users_remove(u, td_str_of(name)), there[k] ? 0 : TD_ENOTFOUND);
			there[k] = false;
		}
		k = (int)td_rng_below(&rng, NAMES);
		snprintf(name, sizeof(name), "user%d@example.test", k);
		const struct td_user *found = td_users_find(u, td_str_of(name));
		assert_int_equal(found != NULL, there[k]);
		struct td_users_key key = td_users_expect(u, td_str_of(name));
		td_users_approach(u, &key);
		assert_ptr_equal(td_users_find_expected(u, &key), found);
	}
	td_users_close(u);
}

/* A result lives to the end of the reader's turn: freed memory would be seen by the sanitizer. */
static void kept_for_a_turn(void **state)
{
	struct td_users *u;
	struct td_sim *sim;
	struct td_loop *a, *b;
	struct td_rng rng;

	td_rng_init_seed(&rng, 1);
	assert_int_equal(td_sim_open(&sim, 1), 0);
	assert_int_equal(td_sim_loop(&a, sim), 0);
	assert_int_equal(td_sim_loop(&b, sim), 0);
	assert_int_equal(td_users_open(&u, &rng), 0);
	assert_int_equal(td_users_reader(u, a), 0);
	assert_int_equal(td_users_reader(u, b), 0);
	put(u, "a@d", "", 1, 0);
	const struct td_user *old = td_users_find(u, TD_STR("a@d"));
	put(u, "a@d", "", 2, 0);
	for (int i = 0; i < 300; i++) { /* growth, while the first grace period waits */
		char name[16];
		snprintf(name, sizeof(name), "u%d@d", i);
		put(u, name, "", 1, 0);
	}
	assert_int_equal(old->ha1[0].bytes[0], 1);
	td_sim_run(sim, 10);
	put(u, "a@d", "", 3, 0);
	td_sim_run(sim, 10);
	assert_int_equal(td_users_find(u, TD_STR("a@d"))->ha1[0].bytes[0], 3);
	td_loop_close(a);
	td_loop_close(b);
	td_sim_close(sim);
	td_users_close(u);
}

struct reader {
	struct td_users *users;
	struct td_loop *loop;
	struct td_timer tick;
	_Atomic bool *stop;
	uint64_t looked;
};

/* Each user's bytes are all alike: a torn or freed one would show. */
static void look(struct td_timer *tm, void *arg)
{
	struct reader *r = arg;
	char name[16];

	for (int i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "u%d@d", i);
		const struct td_user *u = td_users_find(r->users, td_str_of(name));
		if (!u)
			continue;
		for (int k = 1; k < 32; k++)
			assert_int_equal(u->ha1[0].bytes[k], u->ha1[0].bytes[0]);
		r->looked++;
	}
	if (atomic_load(r->stop))
		td_loop_stop(r->loop);
	else
		td_timer_start(r->loop, tm, 0);
}

static void *read_on(void *arg)
{
	struct reader *r = arg;

	td_loop_run(r->loop);
	return NULL;
}

static void readers_beside_a_writer(void **state)
{
	struct reader r[2];
	pthread_t t[2];
	struct td_users *u;
	struct td_rng rng;
	_Atomic bool stop = false;

	td_rng_init_seed(&rng, 1);
	assert_int_equal(td_users_open(&u, &rng), 0);
	for (int i = 0; i < 2; i++) {
		r[i] = (struct reader){ .users = u, .stop = &stop };
		assert_int_equal(td_loop_open(&r[i].loop), 0);
		assert_int_equal(td_users_reader(u, r[i].loop), 0);
		td_timer_init(&r[i].tick, look, &r[i]);
		td_timer_start(r[i].loop, &r[i].tick, 0);
	}
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&t[i], NULL, read_on, &r[i]), 0);
	for (int i = 0; i < 20000; i++) {
		char name[16];
		int k = (int)td_rng_below(&rng, 200);

		snprintf(name, sizeof(name), "u%d@d", k);
		if (td_rng_below(&rng, 4))
			put(u, name, "", (uint8_t)i, 0);
		else
			td_users_remove(u, td_str_of(name));
	}
	atomic_store(&stop, true);
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	for (int i = 0; i < 2; i++)
		td_loop_close(r[i].loop);
	td_users_close(u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(find_put_remove),
		cmocka_unit_test(taken_anew),
		cmocka_unit_test(as_a_model),
		cmocka_unit_test(kept_for_a_turn),
		cmocka_unit_test(readers_beside_a_writer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
