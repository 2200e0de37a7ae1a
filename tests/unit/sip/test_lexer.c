/* The lexer's longer steps, parameters, quoted strings and comma lists. */
#include "sip_support.h"

#include "sip/internal.h"

/* Every position of a CR, LF or NUL among bytes like them, from every start: both scanners find the same. */
static void scan_eol_variants(void **state)
{
	static const char hits[] = { '\r', '\n', '\0' }, others[] = { 'x', '\t', '\x01', '\x0b', '\x0c', '\x0e', '\x8d', '\xff' };
	char text[48];

	for (size_t o = 0; o < sizeof(others); o++) {
		for (size_t n = 0; n <= sizeof(text); n++) {
			struct td_str s;

			memset(text, others[o], sizeof(text));
			s = exact_copy(td_str_n(text, n));
			assert_ptr_equal(td_scan_eol(s.p, s.p + n), s.p + n);
			for (size_t at = 0; at < n; at++) {
				char *p = (char *)(uintptr_t)s.p;

				p[at] = hits[(at + n) % 3];
				assert_ptr_equal(td_scan_eol(s.p, s.p + n), s.p + at);
				assert_ptr_equal(td_scan_eol_plain(s.p, s.p + n), s.p + at);
				assert_ptr_equal(td_scan_eol(s.p + at + 1, s.p + n), td_scan_eol_plain(s.p + at + 1, s.p + n));
				p[at] = others[o];
			}
			exact_free(s);
		}
	}
}

/* The same of what ends a run inside quotes. */
static void scan_quoted_variants(void **state)
{
	static const char hits[] = { '"', '\\', '\0', '\t', '\n', '\r' }, others[] = { 'x', ' ', '\x0e', '\x7f', '\xa2', '\xff' };
	char text[48];

	for (size_t o = 0; o < sizeof(others); o++) {
		for (size_t n = 0; n <= sizeof(text); n++) {
			struct td_str s;

			memset(text, others[o], sizeof(text));
			s = exact_copy(td_str_n(text, n));
			assert_ptr_equal(td_scan_quoted(s.p, s.p + n), s.p + n);
			for (size_t at = 0; at < n; at++) {
				char *p = (char *)(uintptr_t)s.p;

				p[at] = hits[(at + n) % sizeof(hits)];
				assert_ptr_equal(td_scan_quoted(s.p, s.p + n), s.p + at);
				assert_ptr_equal(td_scan_quoted_plain(s.p, s.p + n), s.p + at);
				p[at] = others[o];
			}
			exact_free(s);
		}
	}
}

/*
 * Every byte at every place of a run, from every start, with and without bytes after the end that may be looked at: the skip
 * in steps of sixteen stops where the one that goes byte by byte does, and bytes after the end change nothing.
 */
static void skip_variants(void **state)
{
	static const uint32_t classes[] = { TD_CC_TOKEN, TD_CC_WORD, TD_CC_HOST, TD_CC_USER, TD_CC_URI_PARAM, TD_CC_GEN_VALUE };
	char text[40];

	for (size_t k = 0; k < TD_ARRAY_LEN(classes); k++) {
		for (unsigned byte = 0; byte < 256; byte++) {
			for (size_t at = 0; at < sizeof(text); at += 3) {
				struct td_str s;

				memset(text, "a0.-"[byte % 4], sizeof(text));
				text[at] = (char)byte;
				text[(at + 5) % sizeof(text)] = '_';
				s = exact_copy(td_str_n(text, sizeof(text)));
				for (size_t from = 0; from <= s.n; from += 7) {
					const char *p = s.p + from, *end = s.p + s.n, *near = from < 24 ? s.p + 24 : end;

					assert_ptr_equal(td_skip(p, end, 0, classes[k]), td_skip_plain(p, end, classes[k]));
					assert_ptr_equal(td_skip(p, near, (unsigned)(end - near), classes[k]),
							 td_skip_plain(p, near, classes[k]));
				}
				exact_free(s);
			}
		}
	}
}

static void numbers(void **state)
{
	static const struct {
		const char *text;
		uint64_t max, value;
		bool bad;
	} rows[] = {
		{ "0", 0, 0, false },
		{ "1", 0, 0, true },
		{ "255", 255, 255, false },
		{ "256", 255, 0, true },
		{ "7", 5, 0, true },
		{ "18446744073709551615", UINT64_MAX, UINT64_MAX, false },
		{ "18446744073709551616", UINT64_MAX, 0, true },
		{ "00000000000000000000000012", 12, 12, false },
		{ "", 9, 0, true },
		{ "-1", 9, 0, true },
		{ "+1", 9, 0, true },
	};

	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct td_str s = exact(rows[i].text);
		struct td_cur c = td_cur_of(s);

		assert_int_equal(td_cur_u64(&c, rows[i].max), rows[i].value);
		assert_int_equal(c.bad, rows[i].bad);
		exact_free(s);
	}
}

static void p9_quoted_and_comments(void **state)
{
	static const struct {
		const char *text, *taken; /* NULL: bad */
	} rows[] = {
		{ "\"\"", "\"\"" },
		{ "\"a\"b", "\"a\"" },
		{ "\"a\\\"b\" c", "\"a\\\"b\"" },
		{ "\"a\r\n b\"", "\"a\r\n b\"" },
		{ "\"\xc3\xa9\"", "\"\xc3\xa9\"" },
		{ "\"", NULL },
		{ "\"a", NULL },
		{ "\"a\\", NULL },
		{ "\"a\\\"", NULL },
		{ "\"a\r\nb\"", NULL },
		{ "\"a\nb\"", NULL },
		{ "\"a\\\r\n b\"", NULL },
		{ "a\"", NULL },
		{ "", NULL },
		{ "()", "()" },
		{ "(a(b)c)d", "(a(b)c)" },
		{ "(a\\)b)", "(a\\)b)" },
		{ "(a", NULL },
		{ "((a)", NULL },
		{ "(a\\", NULL },
	};

	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct td_str s = exact(rows[i].text), got;
		struct td_cur c = td_cur_of(s);

		got = s.n && s.p[0] == '(' ? td_cur_comment(&c) : td_cur_quoted(&c);
		assert_int_equal(c.bad, !rows[i].taken);
		assert_str(got, rows[i].taken ? rows[i].taken : "");
		exact_free(s);
	}
}

/* Parameters of a text as "name=value|name|", or "!" where it goes wrong. */
static void params(void **state)
{
	static const struct {
		const char *text, *seen;
	} rows[] = {
		{ "", "" },
		{ ";a", "a|" },
		{ ";a=1;b", "a=1|b|" },
		{ " ;\ta\r\n =\r\n\t1 ; b ", "a=1|b|" },
		{ ";a=\"x;y=\\\"\";b", "a=\"x;y=\\\"\"|b|" },
		{ ";received=2001:db8::1;maddr=[::1]", "received=2001:db8::1|maddr=[::1]|" },
		{ ";a=%41", "a=%41|" },
		{ ";", "!" },
		{ ";;a", "!" },
		{ ";a=", "!" },
		{ ";a=;b", "!" },
		{ ";=a", "!" },
		{ ";a;", "a|!" },
		{ ";a=1 2", "a=1|!" },
		{ ";a=\"x", "!" },
		{ ";a=\"x\"y", "a=\"x\"|!" },
		{ "a", "!" },
		{ ";a,b", "a|!" },
		{ ";a=<b>", "!" },
	};

	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct td_str s = exact(rows[i].text), rest = s;
		struct td_param p;
		struct td_out o;
		int got;

		td_out_init(&o);
		while ((got = td_param_next(&p, &rest)) == 1) {
			td_out_str(&o, p.name);
			if (p.value.p)
				td_out_char(&o, '=');
			td_out_str(&o, p.value);
			td_out_char(&o, '|');
		}
		if (got)
			td_out_char(&o, '!');
		assert_str(td_out_view(&o), rows[i].seen);
		td_out_free(&o);
		exact_free(s);
	}
}

static void param_found(void **state)
{
	struct td_param p;

	assert_true(td_param_find(&p, TD_STR(";x;LR;lr=1"), TD_STR("lr")));
	assert_null(p.value.p);
	assert_true(td_param_find(&p, TD_STR(";x;Tag=a"), TD_STR("tag")));
	assert_str(p.value, "a");
	assert_false(td_param_find(&p, TD_STR(";tagg=a"), TD_STR("tag")));
	assert_false(td_param_find(&p, TD_STR(""), TD_STR("tag")));
}

static void quoting(void **state)
{
	static const struct {
		const char *quoted, *plain;
	} rows[] = {
		{ "\"a b\"", "a b" }, { "\"\\\"\\\\\"", "\"\\" }, { "\"\\a\"", "a" }, { "token", "token" },
		{ "\"\"", "" },       { "\"a\r\n\t b\"", "a b" }, { "\"a", NULL },    { "\"a\"b", NULL },
	};
	struct td_out o;

	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct td_str s = exact(rows[i].quoted);

		td_out_init(&o);
		assert_int_equal(td_unquote(&o, s), rows[i].plain ? 0 : TD_ESYNTAX);
		assert_str(td_out_view(&o), rows[i].plain ? rows[i].plain : "");
		td_out_free(&o);
		exact_free(s);
	}
	td_out_init(&o);
	td_quote(&o, TD_STR("a\"b\\c\r\nd\0e"));
	assert_str(td_out_view(&o), "\"a\\\"b\\\\c  d e\"");
	td_out_free(&o);
}

/* Elements as "a|b|", or "!" where it goes wrong. */
static void lists(void **state)
{
	static const struct {
		const char *text, *seen;
	} rows[] = {
		{ "", "" },
		{ "  ", "" },
		{ "a", "a|" },
		{ "a, b ,c", "a|b|c|" },
		{ "a\r\n ,\r\n b", "a|b|" },
		{ "\"x,y\" <sip:a,b@c>;p=\"q,\\\"\", <sip:d>", "\"x,y\" <sip:a,b@c>;p=\"q,\\\"\"|<sip:d>|" },
		{ "<sip:a\"b>,c", "<sip:a\"b>|c|" },
		{ "a (x, y), b", "a (x, y)|b|" },
		{ "sip:f(x@h,b", "sip:f(x@h|b|" },
		{ ",a", "!" },
		{ "a,", "!" },
		{ "a,,b", "a|!" },
		{ "a, \"b", "a|!" },
		{ "<a,b", "!" },
		{ ",", "!" },
		{ "a (b,c", "!" },
	};

	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct td_str s = exact(rows[i].text), rest = s, v;
		struct td_out o;
		int got;

		td_out_init(&o);
		while ((got = td_list_next(&v, &rest)) == 1) {
			td_out_str(&o, v);
			td_out_char(&o, '|');
		}
		if (got)
			td_out_char(&o, '!');
		assert_str(td_out_view(&o), rows[i].seen);
		td_out_free(&o);
		exact_free(s);
	}
	assert_true(td_list_has(TD_STR("timer, 100REL"), TD_STR("100rel")));
	assert_false(td_list_has(TD_STR("timer, 100rel"), TD_STR("100")));
	assert_false(td_list_has(TD_STR(""), TD_STR("100rel")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scan_eol_variants),
		cmocka_unit_test(scan_quoted_variants),
		cmocka_unit_test(skip_variants),
		cmocka_unit_test(numbers),
		cmocka_unit_test(p9_quoted_and_comments),
		cmocka_unit_test(params),
		cmocka_unit_test(param_found),
		cmocka_unit_test(quoting),
		cmocka_unit_test(lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
