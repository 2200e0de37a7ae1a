/* REGISTER with every allocation failing in turn: no leak, no half of a change, and no 200 for what is not there. */
#include "failing.h"

#include "registrar_rig.h"
#include "store_rows.h"

struct row {
	const char *lines;
	unsigned status, contacts;
	bool trusted;
};

struct run {
	struct rig r;
	const struct row *row;
	unsigned serial;
};

static void note(void *arg, int err, const struct td_binding *b, unsigned n)
{
	*(unsigned *)arg = n;
}

static unsigned bindings_of(struct rig *r, struct td_str aor)
{
	struct td_loc_call *call;
	unsigned n = 99;

	assert_int_equal(td_location_lookup(&call, r->core.location, 0, aor, note, &n), 0);
	td_sim_run(r->sim, 1);
	return n;
}

struct rows_of {
	struct td_str aor;
	unsigned n;
};

static void count_row(void *arg, struct td_str aor, const struct td_store_binding *b)
{
	struct rows_of *of = arg;

	of->n += td_str_eq(aor, of->aor);
}

static int scenario(void *arg)
{
	struct run *run = arg;
	struct rig *r = &run->r;
	unsigned long n = oom.n;
	char aor[32];
	int err;

	snprintf(aor, sizeof(aor), "u%u@any.test", ++run->serial);
	r->status = 0;
	err = rig_request(r, td_str_of(aor), td_str_of(aor), 1, td_str_of(run->row->lines), run->row->trusted);
	td_sim_run(r->sim, 5);
	oom.n = 0; /* what follows looks, and must not fail */
	struct rows_of of = { .aor = td_str_of(aor) };
	unsigned have = bindings_of(r, of.aor);
	each_row(r->store, 100, count_row, &of);
	assert_int_equal(of.n, have);
	assert_true(have == 0 || have == run->row->contacts);
	if (r->status == 200)
		assert_int_equal(have, run->row->contacts);
	oom.n = n;
	if (err == TD_EDENIED)
		return run->row->trusted ? err : 0;
	if (err)
		return err;
	return r->status == run->row->status ? 0 : -ENOMEM;
}

static void registers(void **state)
{
	static const struct row rows[] = {
		{ "Contact: <sip:a@10.0.1.1>;expires=60;x=1, <sip:b@10.0.1.1>;q=0.5\r\n", 200, 2, true },
		{ "", 200, 0, true },
		{ "Contact: *\r\nExpires: 0\r\n", 200, 0, true },
		{ "Contact: <sip:a@10.0.1.1>;expires=1\r\n", 423, 0, true },
		{ "Require: a, b\r\n", 420, 0, true },
		{ "Supported: path\r\nPath: <sip:p@10.0.1.1;lr>\r\nContact: <sip:a@10.0.1.1>\r\n", 200, 1, true },
		{ "Path: <sip:p@10.0.1.1;lr>\r\n", 420, 0, true },
		{ "Supported: outbound\r\nContact: <sip:a@10.0.1.1>;reg-id=1;+sip.instance=\"<urn:x>\"\r\n", 200, 1, true },
		{ "Contact: <sip:a@10.0.1.1>;reg-id=1;x=2\r\n", 200, 1, true },
		{ "Supported: gruu\r\nContact: <sip:a@10.0.1.1>;+sip.instance=\"<urn:x>\"\r\n", 200, 1, true },
		{ "Contact: <sip:a@10.0.1.1>\r\n", 0, 0, false },
	};

	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct run run = { .row = &rows[i] };

		rig_open(&run.r);
		assert_true(oom_each(scenario, &run) > 0); /* it was made to fail at least once */
		rig_close(&run.r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(registers) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
