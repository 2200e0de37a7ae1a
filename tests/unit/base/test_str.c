#include "support.h"

#include <errno.h>

static void compare(void **state)
{
	static const struct {
		const char *a, *b;
		bool ieq, starts, istarts;
		int cmp;
	} rows[] = {
		{ "", "", true, true, true, 0 },
		{ "a", "", false, true, true, 1 },
		{ "", "a", false, false, false, -1 },
		{ "INVITE", "invite", true, false, true, -1 },
		{ "abc", "ab", false, true, true, 1 },
		{ "ABC", "ab", false, false, true, -1 },
		{ "ab", "abc", false, false, false, -1 },
		{ "[x", "{x", false, false, false, -1 }, /* 0x5b and 0x7b differ in the case bit only */
		{ "@", "`", false, false, false, -1 },
		{ "\xc3", "\xe3", false, false, false, -1 },
	};

	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct td_str a = exact(rows[i].a), b = exact(rows[i].b);
		int cmp = td_str_cmp(a, b);

		assert_int_equal(td_str_ieq(a, b), rows[i].ieq);
		assert_int_equal(td_str_starts(a, b), rows[i].starts);
		assert_int_equal(td_str_istarts(a, b), rows[i].istarts);
		assert_int_equal((cmp > 0) - (cmp < 0), rows[i].cmp);
		assert_int_equal(td_str_eq(a, b), rows[i].cmp == 0);
		assert_int_equal(td_str_eq_secret(a, b), rows[i].cmp == 0);
		exact_free(a);
		exact_free(b);
	}
	assert_true(td_str_eq(TD_STR_NULL, TD_STR("")));
	assert_true(td_str_ieq(TD_STR_NULL, TD_STR_NULL));
	assert_int_equal(td_str_cmp(TD_STR_NULL, TD_STR_NULL), 0);
	assert_true(td_str_eq_secret(TD_STR_NULL, TD_STR("")));
	assert_false(td_str_eq_secret(TD_STR("secreT"), TD_STR("secret")));
	assert_true(td_str_ends(TD_STR("abc"), TD_STR("bc")) && td_str_ends(TD_STR("abc"), TD_STR("abc")));
	assert_true(td_str_ends(TD_STR("abc"), TD_STR("")) && td_str_ends(TD_STR_NULL, TD_STR_NULL));
	assert_false(td_str_ends(TD_STR("abc"), TD_STR("ab")) || td_str_ends(TD_STR("c"), TD_STR("bc")));
}

static void trim(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{ "", "" }, { " ", "" }, { "\r\n\t ", "" }, { "a", "a" }, { " a b\t\r\n", "a b" }, { "\va", "\va" },
	};

	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct td_str s = exact(rows[i].in);

		assert_str(td_str_trim(s), rows[i].out);
		exact_free(s);
	}
	assert_int_equal(td_str_trim(TD_STR_NULL).n, 0);
}

static void chr_and_split(void **state)
{
	struct td_str s = exact("a,,b,"), rest = s;

	assert_ptr_equal(td_str_chr(s, ','), s.p + 1);
	assert_null(td_str_chr(s, 'x'));
	assert_null(td_str_chr(TD_STR_NULL, 'x'));
	assert_str(td_str_split(&rest, ','), "a");
	assert_str(td_str_split(&rest, ','), "");
	assert_str(td_str_split(&rest, ','), "b");
	assert_non_null(rest.p);
	assert_str(td_str_split(&rest, ','), "");
	assert_null(rest.p);
	assert_str(td_str_split(&rest, ','), "");
	exact_free(s);
}

static void numbers(void **state)
{
	static const struct {
		const char *in;
		int err;
		uint64_t v, max;
	} rows[] = {
		{ "0", 0, 0, 0 },
		{ "007", 0, 7, 10 },
		{ "11", TD_ELIMIT, 0, 10 },
		{ "18446744073709551615", 0, UINT64_MAX, UINT64_MAX },
		{ "18446744073709551616", TD_ELIMIT, 0, UINT64_MAX },
		{ "99999999999999999999999", TD_ELIMIT, 0, UINT64_MAX },
		{ "99999999999999999999999x", TD_ESYNTAX, 0, UINT64_MAX },
		{ "00000000000000000000000000001", 0, 1, UINT64_MAX },
		{ "", TD_ESYNTAX, 0, 10 },
		{ "-1", TD_ESYNTAX, 0, 10 },
		{ "+1", TD_ESYNTAX, 0, 10 },
		{ " 1", TD_ESYNTAX, 0, 10 },
		{ "1 ", TD_ESYNTAX, 0, 10 },
		{ "1:", TD_ESYNTAX, 0, 10 },
		{ "/", TD_ESYNTAX, 0, 10 },
	};
	uint32_t v32 = 5;

	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct td_str s = exact(rows[i].in);
		uint64_t v = 4711;

		assert_int_equal(td_str_u64(&v, s, rows[i].max), rows[i].err);
		assert_int_equal(v, rows[i].err ? 4711 : rows[i].v);
		exact_free(s);
	}
	assert_int_equal(td_str_u32(&v32, TD_STR("4294967296")), TD_ELIMIT);
	assert_int_equal(v32, 5);
	assert_int_equal(td_str_u32(&v32, TD_STR("4294967295")), 0);
	assert_int_equal(v32, UINT32_MAX);
}

static void cursor(void **state)
{
	struct td_cur c = td_cur_of(TD_STR_NULL);

	assert_true(td_cur_done(&c));
	c = td_cur_of(TD_STR("x"));
	assert_false(td_cur_done(&c));
	c.bad = true;
	assert_true(td_cur_done(&c));
}

static void errors(void **state)
{
	assert_string_equal(td_strerror(0), "no error");
	assert_string_equal(td_strerror(-ENOMEM), "Cannot allocate memory");
	for (int e = TD_ESYNTAX; e >= TD_ENAME; e--)
		assert_string_not_equal(td_strerror(e), "unknown error");
	assert_string_equal(td_strerror(TD_ENAME - 1), "unknown error");
	assert_string_equal(td_strerror(-3999), "unknown error");
	assert_string_equal(td_strerror(INT32_MIN), "unknown error");
	assert_string_equal(td_strerror(5), "unknown error");
}

static bool is(struct td_link *head, const char *order, struct td_link *of)
{
	for (struct td_link *l = head->next; l != head; l = l->next) {
		if (*order++ - 'a' != l - of)
			return false;
	}
	return *order == '\0';
}

static void list(void **state)
{
	struct td_link head, l[3] = { 0 };

	td_list_init(&head);
	assert_true(td_list_empty(&head));
	td_list_del(&l[0]); /* on no list: nothing */
	td_list_add_tail(&head, &l[1]);
	td_list_add_tail(&head, &l[2]);
	td_list_add_head(&head, &l[0]);
	assert_true(is(&head, "abc", l));
	td_list_del(&l[1]);
	assert_false(td_link_on(&l[1]));
	assert_true(td_link_on(&l[0]));
	assert_true(is(&head, "ac", l));
	td_list_del(&l[0]);
	td_list_del(&l[2]);
	assert_true(td_list_empty(&head));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(compare), cmocka_unit_test(trim),   cmocka_unit_test(chr_and_split), cmocka_unit_test(numbers),
		cmocka_unit_test(cursor),  cmocka_unit_test(errors), cmocka_unit_test(list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
