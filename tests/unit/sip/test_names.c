/* Names: every one is found in any case, nothing else is. */
#include "sip_support.h"

static void every_header_found(void **state)
{
	for (unsigned id = 1; id < TD_HDR_COUNT; id++) {
		struct td_str name = exact_copy(td_hdr_name((enum td_hdr_id)id));
		char *p = (char *)(uintptr_t)name.p;

		assert_true(name.n > 1);
		assert_int_equal(td_hdr_id_of(name), id);
		for (size_t i = 0; i < name.n; i++)
			p[i] = td_lower(p[i]);
		assert_int_equal(td_hdr_id_of(name), id);
		for (size_t i = 0; i < name.n; i++)
			p[i] = (char)(p[i] >= 'a' && p[i] <= 'z' ? p[i] - 32 : p[i]);
		assert_int_equal(td_hdr_id_of(name), id);
		/* one byte other, at any place: another name */
		for (size_t i = 0; i < name.n; i++) {
			p[i] ^= 1;
			assert_int_not_equal(td_hdr_id_of(name), id);
			p[i] ^= 1;
			p[i] ^= 0x20;
			if (p[i] == '\r')
				assert_int_equal(td_hdr_id_of(name), TD_HDR_OTHER);
			p[i] ^= 0x20;
		}
		if (name.n > 2) /* "T" is To */
			assert_int_not_equal(td_hdr_id_of(td_str_n(name.p, name.n - 1)), id);
		exact_free(name);
	}
	assert_int_equal(td_hdr_name(TD_HDR_OTHER).n, 0);
	assert_int_equal(td_hdr_id_of(TD_STR("")), TD_HDR_OTHER);
	assert_int_equal(td_hdr_id_of(TD_STR("X-Unknown")), TD_HDR_OTHER);
}

static void compact_forms(void **state)
{
	static const struct {
		const char *name;
		enum td_hdr_id id;
	} rows[] = {
		{ "i", TD_HDR_CALL_ID },
		{ "m", TD_HDR_CONTACT },
		{ "e", TD_HDR_CONTENT_ENCODING },
		{ "l", TD_HDR_CONTENT_LENGTH },
		{ "c", TD_HDR_CONTENT_TYPE },
		{ "f", TD_HDR_FROM },
		{ "s", TD_HDR_SUBJECT },
		{ "k", TD_HDR_SUPPORTED },
		{ "t", TD_HDR_TO },
		{ "v", TD_HDR_VIA },
		{ "V", TD_HDR_VIA },
		{ "o", TD_HDR_EVENT },
		{ "u", TD_HDR_ALLOW_EVENTS },
		{ "r", TD_HDR_REFER_TO },
		{ "b", TD_HDR_REFERRED_BY },
		{ "x", TD_HDR_SESSION_EXPIRES },
		{ "y", TD_HDR_IDENTITY },
		{ "q", TD_HDR_OTHER },
		{ "6", TD_HDR_OTHER },
		{ "-", TD_HDR_OTHER },
		{ " ", TD_HDR_OTHER },
	};

	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++)
		assert_int_equal(td_hdr_id_of(td_str_of(rows[i].name)), rows[i].id);
}

static void methods(void **state)
{
	static const char *const others[] = { "",     "A",     "invite", "INVITES", "INVIT",    "ACH",      "BYF",
					      "INF0", "XXXXX", "XXXXXX", "XXXXXXX", "XXXXXXXX", "XXXXXXXXX" };

	for (unsigned m = 1; m < TD_METHOD_COUNT; m++) {
		struct td_str name = exact_copy(td_method_name((enum td_method)m));

		assert_true(name.n > 0);
		assert_int_equal(td_method_of(name), m);
		exact_free(name);
	}
	for (size_t i = 0; i < TD_ARRAY_LEN(others); i++)
		assert_int_equal(td_method_of(td_str_of(others[i])), TD_METHOD_OTHER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_header_found),
		cmocka_unit_test(compact_forms),
		cmocka_unit_test(methods),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
