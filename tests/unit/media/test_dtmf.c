/* One key is one event, whatever the network does to its packets (threats row M10). */
#include "support.h"

#include <tandem/media.h>

static void m10_once_per_key(void **state)
{
	/* ts, event, end, duration; want: the key reported, or 0 */
	static const struct {
		uint32_t ts;
		uint8_t event;
		bool end;
		uint16_t duration;
		char want;
	} rows[] = {
		{ 1000, 1, false, 160, '1' },
		{ 1000, 1, false, 320, 0 },
		{ 1000, 1, true, 480, 0 },
		{ 1000, 1, true, 480, 0 }, /* the end comes three times */
		{ 1000, 1, true, 480, 0 },
		{ 3000, 1, true, 480, '1' }, /* the same key again; only an end arrived */
		{ 1000, 1, false, 320, 0 },  /* late */
		{ 5000, 11, false, 160, '#' },
		{ 5000, 11, false, 65535, 0 },
		{ 5000 + 65535, 11, false, 160, 0 }, /* goes on in another segment */
		{ 5000 + 65535, 11, true, 320, 0 },
		{ 5000 + 65535, 11, true, 320, 0 },
		{ 5000 + 2 * 65535, 11, false, 160, '#' }, /* it had ended */
		{ 200000, 15, false, 0, 'D' },
		{ 210000, 16, false, 160, 0 }, /* flash: no key */
		{ 0x7fffff00u, 3, false, 160, '3' },
		{ 0xfffffe00u, 6, false, 160, '6' },
		{ 10, 4, false, 160, '4' }, /* timestamps wrap */
		{ 5, 5, false, 160, 0 },
	};
	struct td_dtmf_receiver r = { 0 };
	size_t i;

	for (i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct td_dtmf e = { .event = rows[i].event, .end = rows[i].end, .duration = rows[i].duration };

		if (td_dtmf_receive(&r, rows[i].ts, &e) != rows[i].want)
			fail_msg("row %zu", i);
	}
}

static void keys(void **state)
{
	static const char all[] = "0123456789*#ABCD";
	uint8_t event;
	size_t i;

	for (i = 0; all[i]; i++) {
		assert_int_equal(td_dtmf_event(&event, all[i]), 0);
		assert_int_equal(event, i);
		assert_int_equal(td_dtmf_key((uint8_t)i), all[i]);
	}
	assert_int_equal(td_dtmf_event(&event, 'a'), 0);
	assert_int_equal(event, 12);
	assert_int_equal(td_dtmf_event(&event, 'E'), TD_ESYNTAX);
	assert_int_equal(td_dtmf_event(&event, 0), TD_ESYNTAX);
	assert_int_equal(td_dtmf_key(16), 0);
	assert_int_equal(td_dtmf_key(255), 0);
}

static void short_payload(void **state)
{
	struct td_str in = exact("\1\2\3");
	struct td_dtmf e;

	assert_int_equal(td_dtmf_parse(&e, in), TD_ESYNTAX);
	exact_free(in);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(m10_once_per_key),
		cmocka_unit_test(keys),
		cmocka_unit_test(short_payload),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
