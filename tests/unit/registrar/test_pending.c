/* REGISTERs that wait for the disk: there is an end to their number. */
#include "support.h"
#include "registrar_rig.h"

enum { MOST = 16384 };

static bool all_answered(void *arg)
{
	return ((struct rig *)arg)->answers == MOST + 2;
}

/* A disk that does not answer must not take the memory with it: the phone is told to come again. */
static void too_many_wait_for_the_disk(void **state)
{
	char aor[32], call_id[32];
	struct rig r;

	rig_open(&r);
	for (unsigned i = 0; i < MOST + 2; i++) {
		snprintf(aor, sizeof(aor), "u%u@any.test", i);
		snprintf(call_id, sizeof(call_id), "call-%u", i);
		assert_int_equal(
			rig_request(&r, td_str_of(aor), td_str_of(call_id), 1, TD_STR("Contact: <sip:u@10.0.1.1>\r\n"), true), 0);
	}
	assert_true(td_sim_run_until(r.sim, all_answered, &r, 60000));
	assert_int_equal(r.unavailable, 2);
	assert_int_equal(
		rig_request(&r, TD_STR("late@any.test"), TD_STR("late"), 1, TD_STR("Contact: <sip:u@10.0.1.1>\r\n"), true), 0);
	td_sim_run(r.sim, 1000);
	assert_int_equal(r.status, 200);
	assert_int_equal(r.unavailable, 2);
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(too_many_wait_for_the_disk) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
