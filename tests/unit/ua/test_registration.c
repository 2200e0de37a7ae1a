/* A registration from its first REGISTER to its end, and how long the agent waits when it fails (RFC 3261 §10.2, RFC 5626 §4.5). */
#include "peer.h"

static void on_reg(struct td_reg *reg, const struct td_reg_state *st, void *arg)
{
	struct rig *r = arg;

	r->regs++;
	r->reg = *st;
}

/* Proves RFC 3261 §8.1.1.4-1, §8.1.3.5-1, §10.2-1, §10.2.2-1, §10.2.4-1, §10.2.8-1. */
static void registration_lives(void **state)
{
	struct rig *r = rig_open();
	struct td_reg *reg;

	assert_int_equal(td_reg_open(&reg, r->ua, TD_STR_NULL, 60, on_reg, r), 0);
	run(r, 10);
	reply_to_last(r, "REGISTER ", 401, "r", WWW("a.test", "n1"), "");
	assert_true(says(r, "REGISTER ", "CSeq: 2 REGISTER"));
	reply_to_last(r, "REGISTER ", 423, "r", "Min-Expires: 1000\r\n", "");
	assert_true(says(r, "REGISTER ", "Expires: 1000\r\n"));
	assert_int_equal(r->regs, 0);
	reply_to_last(r, "REGISTER ", 200, "r", "Contact: <sip:alice@192.0.2.1:5060>;expires=600\r\n", "");
	assert_true(r->reg.registered);
	assert_int_equal(r->reg.expires_s, 600);
	raw_clear(&r->peer);
	run(r, 539000);
	assert_int_equal(count(r, "REGISTER "), 0);
	run(r, 2000);
	assert_true(says(r, "REGISTER ", "CSeq: 4 REGISTER"));
	assert_true(says(r, "REGISTER ", "nonce=\"n1\""));
	reply_to_last(r, "REGISTER ", 423, "r", "Min-Expires: 2000\r\n", "");
	reply_to_last(r, "REGISTER ", 423, "r", "Min-Expires: 3000\r\n", ""); /* not for ever */
	assert_int_equal(r->regs, 2);
	assert_int_equal(r->reg.status, 423);
	td_reg_remove(reg);
	td_reg_remove(reg);
	run(r, 10);
	assert_true(says(r, "REGISTER ", "Expires: 0\r\n"));
	reply_to_last(r, "REGISTER ", 200, "r", "", "");
	assert_int_equal(r->regs, 3);
	assert_false(r->reg.registered);
	raw_clear(&r->peer);
	run(r, 10000000);
	assert_int_equal(count(r, "REGISTER "), 0);
	td_reg_close(reg);
	rig_close(r);
}

/* RFC 5626 §4.5: pauses grow, unless the registrar names one. A 200 that grants nothing is no registration. */
/* Proves RFC 5626 §4.5-1. */
static void registration_fails(void **state)
{
	static const uint64_t pauses_s[] = { 30, 60, 120, 240, 480, 960, 1800, 1800 };
	struct rig *r = rig_open();
	struct td_reg *reg;
	unsigned i;

	assert_int_equal(td_reg_open(&reg, r->ua, TD_STR_NULL, 60, on_reg, r), 0);
	run(r, 10);
	for (i = 0; i < TD_ARRAY_LEN(pauses_s); i++) {
		reply_to_last(r, "REGISTER ", 403, "r", "", "");
		assert_int_equal(r->regs, i + 1);
		raw_clear(&r->peer);
		run(r, (pauses_s[i] - 1) * 1000);
		assert_int_equal(count(r, "REGISTER "), 0);
		run(r, 1100);
	}
	reply_to_last(r, "REGISTER ", 503, "r", "Retry-After: 7 (soon)\r\n", "");
	raw_clear(&r->peer);
	run(r, 7100);
	reply_to_last(r, "REGISTER ", 200, "r", "Expires: 0\r\n", "");
	assert_false(r->reg.registered);
	assert_int_equal(r->reg.status, 200);
	raw_clear(&r->peer);
	run(r, 20000);
	assert_int_equal(count(r, "REGISTER "), 0);
	td_reg_close(reg);
	rig_close(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(registration_lives),
		cmocka_unit_test(registration_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
