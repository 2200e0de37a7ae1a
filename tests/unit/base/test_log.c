/* X5: bytes from the wire forge no line and no terminal sequence. P10: a flood makes no log flood. */
#include "support.h"

#include <pthread.h>
#include <stdio.h>

struct sink {
	struct td_log *log;
	uint64_t ms;
	struct td_out text; /* all lines, one per row */
	enum td_log_level last;
};

static void keep(void *arg, enum td_log_level level, struct td_str line)
{
	struct sink *s = arg;

	td_out_str(&s->text, line);
	td_out_char(&s->text, '\n');
	s->last = level;
}

static uint64_t clock_ms(void *arg)
{
	return ((struct sink *)arg)->ms;
}

static void open_log(struct sink *s, enum td_log_level level)
{
	*s = (struct sink){ .ms = 1795252500123 }; /* 2026-11-21T09:15:00.123Z */
	td_out_init(&s->text);
	assert_int_equal(td_log_open(&s->log, level, keep, s), 0);
	td_log_set_clock(s->log, clock_ms, s);
}

static void close_log(struct sink *s)
{
	td_log_close(s->log);
	td_out_free(&s->text);
}

static void expect(struct sink *s, const char *lines)
{
	assert_str(td_out_view(&s->text), lines);
	s->text.n = 0;
}

static void one_line(void **state)
{
	struct sink s;

	open_log(&s, TD_LOG_INFO);
	td_log(s.log, TD_LOG_INFO, "registrar refused", TD_KZ("aor", "sip:a@b;x=1"), TD_KZ("reason", "two words"));
	expect(&s, "2026-11-21T09:15:00.123Z info registrar refused aor=sip:a@b;x=1 reason=\"two words\"\n");
	td_log(s.log, TD_LOG_WARN, "x y", TD_KU("u", UINT64_MAX), TD_KI("i", -5), TD_KERR(TD_EFULL));
	expect(&s, "2026-11-21T09:15:00.123Z warn x y u=18446744073709551615 i=-5 err=\"queue is full\"\n");
	td_log_write(s.log, TD_LOG_ERROR, "bare", NULL);
	expect(&s, "2026-11-21T09:15:00.123Z error bare\n");
	assert_int_equal(s.last, TD_LOG_ERROR);
	close_log(&s);
}

static void x5_values_are_escaped(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{ "", "\"\"" },
		{ "!~", "!~" },
		{ " ", "\" \"" },
		{ "a\"b", "\"a\\\"b\"" },
		{ "a\\b", "\"a\\\\b\"" },
		{ "x\r\n2026-11-21T09:15:00.123Z error forged", "\"x\\r\\n2026-11-21T09:15:00.123Z error forged\"" },
		{ "\x1b[2J\x07", "\"\\x1b[2J\\x07\"" },
		{ "\t\x7f", "\"\\t\\x7f\"" },
		{ "\xc2\x9b\xff", "\"\\xc2\\x9b\\xff\"" },
	};
	struct sink s;
	struct td_str zero = TD_STR("a\0b");

	open_log(&s, TD_LOG_DEBUG);
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct td_str v = exact(rows[i].in);
		struct td_out want;

		td_log(s.log, TD_LOG_DEBUG, "t", TD_KS("v", v));
		td_out_init(&want);
		td_out_fmt(&want, "2026-11-21T09:15:00.123Z debug t v=%s\n%c", rows[i].out, 0);
		expect(&s, want.p);
		td_out_free(&want);
		exact_free(v);
	}
	td_log(s.log, TD_LOG_DEBUG, "t", TD_KS("v", zero), TD_KS("w", TD_STR_NULL));
	expect(&s, "2026-11-21T09:15:00.123Z debug t v=\"a\\x00b\" w=\"\"\n");
	close_log(&s);
}

static void long_values_are_cut(void **state)
{
	struct sink s;
	char *big = malloc(60000);
	struct td_str v;

	memset(big, 'a', 60000);
	open_log(&s, TD_LOG_INFO);
	td_log(s.log, TD_LOG_INFO, "t", TD_KS("v", td_str_n(big, 60000)), TD_KU("n", 1));
	v = td_out_view(&s.text);
	assert_int_equal(v.n, strlen("2026-11-21T09:15:00.123Z info t v=") + 512 + strlen("+59488 n=1\n"));
	assert_memory_equal(v.p + v.n - 11, "+59488 n=1\n", 11);
	s.text.n = 0;
	/* Five values that quadruple by escaping do not fit a line: it is cut, and says so. */
	memset(big, 1, 60000);
	v = td_str_n(big, 600);
	td_log(s.log, TD_LOG_INFO, "t", TD_KS("a", v), TD_KS("b", v), TD_KS("c", v), TD_KS("d", v), TD_KS("e", v));
	v = td_out_view(&s.text);
	assert_true(v.n < 8200);
	assert_memory_equal(v.p + v.n - 5, " ...\n", 5);
	free(big);
	close_log(&s);
}

static void levels(void **state)
{
	struct sink s;

	open_log(&s, TD_LOG_WARN);
	assert_false(td_log_on(NULL, TD_LOG_ERROR));
	assert_true(td_log_on(s.log, TD_LOG_ERROR));
	assert_true(td_log_on(s.log, TD_LOG_WARN));
	assert_false(td_log_on(s.log, TD_LOG_INFO));
	td_log(s.log, TD_LOG_INFO, "not seen");
	td_log((struct td_log *)NULL, TD_LOG_ERROR, "not seen");
	td_log_write(s.log, TD_LOG_DEBUG, "not seen", NULL);
	expect(&s, "");
	td_log_set_level(s.log, TD_LOG_INFO);
	td_log(s.log, TD_LOG_INFO, "seen");
	expect(&s, "2026-11-21T09:15:00.123Z info seen\n");
	close_log(&s);
}

static unsigned lines(const struct sink *s)
{
	unsigned n = 0;

	for (size_t i = 0; i < s->text.n; i++)
		n += s->text.p[i] == '\n';
	return n;
}

static void p10_flood_is_summarised(void **state)
{
	struct sink s;

	open_log(&s, TD_LOG_INFO);
	for (int i = 0; i < 1000; i++)
		td_log(s.log, TD_LOG_INFO, "guard dropped", TD_KU("i", (uint64_t)i));
	assert_int_equal(lines(&s), 20);
	s.text.n = 0;
	td_log(s.log, TD_LOG_INFO, "other event"); /* not held back by the first */
	expect(&s, "2026-11-21T09:15:00.123Z info other event\n");
	td_log_flush(s.log); /* its second is not over */
	expect(&s, "");
	s.ms += 1000;
	td_log(s.log, TD_LOG_INFO, "other event");
	expect(&s, "2026-11-21T09:15:01.123Z info guard dropped more_like_this=980 in_s=1\n"
		   "2026-11-21T09:15:01.123Z info other event\n");
	for (int i = 0; i < 21; i++)
		td_log(s.log, i == 20 ? TD_LOG_ERROR : TD_LOG_INFO, "guard dropped");
	assert_int_equal(lines(&s), 20);
	s.text.n = 0;
	s.ms -= 3600 * 1000; /* the wall clock is put back */
	td_log_flush(s.log);
	expect(&s, "2026-11-21T08:15:01.123Z error guard dropped more_like_this=1 in_s=1\n");
	for (int i = 0; i < 22; i++)
		td_log(s.log, TD_LOG_INFO, "guard dropped");
	s.text.n = 0;
	td_log_close(s.log); /* the last word is said on the way out */
	expect(&s, "2026-11-21T08:15:01.123Z info guard dropped more_like_this=2 in_s=1\n");
	td_out_free(&s.text);
	td_log_close(NULL);
	td_log_flush(NULL);
}

/* More kinds of events than the table has places: nothing is lost but the limit. */
static void many_kinds(void **state)
{
	struct sink s;
	char what[80];
	unsigned written;

	open_log(&s, TD_LOG_INFO);
	for (int i = 0; i < 500; i++) {
		memset(what, 'a' + i % 26, sizeof(what));
		what[0] = (char)('a' + i / 26);
		what[sizeof(what) - 1] = '\0';
		for (int j = 0; j < 21; j++)
			td_log(s.log, TD_LOG_INFO, what);
	}
	written = lines(&s);
	s.ms += 1000;
	td_log_flush(s.log);
	assert_int_equal(lines(&s), 500 * 21); /* 20 lines and one summary each */
	assert_true(written < 500 * 21);
	close_log(&s);
}

/* Lines of several threads come whole, one after the other; the level may change meanwhile. */
static void *log_many(void *arg)
{
	struct td_log *log = arg;
	char what[16];

	for (int i = 0; i < 500; i++) {
		snprintf(what, sizeof(what), "event %d", i % 40);
		td_log_set_level(log, i % 7 ? TD_LOG_INFO : TD_LOG_WARN);
		td_log(log, TD_LOG_WARN, what, TD_KZ("text", "two words"));
	}
	return NULL;
}

static void many_threads(void **state)
{
	pthread_t threads[4];
	struct td_str rest, line;
	unsigned n = 0;
	struct sink s;

	open_log(&s, TD_LOG_INFO);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, log_many, s.log), 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	rest = td_out_view(&s.text);
	while (rest.p && (line = td_str_split(&rest, '\n')).n) {
		assert_true(td_str_starts(line, TD_STR("2026-11-21T09:15:00.123Z warn event ")));
		assert_memory_equal(line.p + line.n - 17, " text=\"two words\"", 17);
		n++;
	}
	assert_int_equal(n, 40 * 20); /* 50 of each; the limit holds across threads */
	close_log(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_line),     cmocka_unit_test(x5_values_are_escaped),   cmocka_unit_test(long_values_are_cut),
		cmocka_unit_test(levels),       cmocka_unit_test(p10_flood_is_summarised), cmocka_unit_test(many_kinds),
		cmocka_unit_test(many_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
