#include "support.h"

#include <tandem/sip.h>

#define CT "multipart/mixed;boundary=b"

static const struct row {
	const char *what, *type, *body;
	int of_err, end; /* td_parts_of(); what td_parts_next() says after the last good part */
	unsigned n;
	struct {
		const char *headers, *body;
	} part[3];
} rows[] = {
	{ "two",
	  CT,
	  "--b\r\nContent-Type: text/plain\r\n\r\nHello\r\n--b\r\n\r\nworld\r\n--b--\r\n",
	  0,
	  0,
	  2,
	  { { "Content-Type: text/plain\r\n", "Hello" }, { "", "world" } } },
	{ "quoted boundary, preamble, epilogue, padding",
	  "Multipart/Signed; x=y; Boundary=\"b\"",
	  "pre\r\namble\r\n--b \t\r\n\r\n1\r\n--b-- \r\nepi\r\n--b\r\n",
	  0,
	  0,
	  1,
	  { { "", "1" } } },
	{ "the line end before a delimiter is its own", CT, "--b\r\n\r\n1\r\n\r\n--b--", 0, 0, 1, { { "", "1\r\n" } } },
	{ "headers only", CT, "--b\r\nA: 1\r\n--b--", 0, 0, 1, { { "A: 1", "" } } },
	{ "empty part", CT, "--b\r\n--b\r\n\r\n--b--", 0, 0, 2, { { "", "" }, { "", "" } } },
	{ "inner boundary that starts like ours",
	  CT,
	  "--b\r\n\r\n--bc\r\n\r\nin\r\n--bc--\r\n--b--",
	  0,
	  0,
	  1,
	  { { "", "--bc\r\n\r\nin\r\n--bc--" } } },
	{ "boundary inside a line", CT, "--b\r\n\r\nx--b\r\n--b y\r\n--b--", 0, 0, 1, { { "", "x--b\r\n--b y" } } },
	{ "cut off", CT, "--b\r\n\r\n1\r\n--b\r\n\r\n2", 0, TD_ESYNTAX, 1, { { "", "1" } } },
	{ "cut off in the delimiter", CT, "--b\r\n\r\n1\r\n--b", 0, TD_ESYNTAX, 0 },
	{ "never there", CT, "hello", TD_ESYNTAX },
	{ "no part", CT, "--b--\r\n", TD_ESYNTAX },
	{ "bare LF", CT, "--b\n\n1\n--b--\n", TD_ESYNTAX },
	{ "empty", CT, "", TD_ESYNTAX },
	{ "not multipart", "application/sdp;boundary=b", "--b\r\n\r\n1\r\n--b--", TD_ESYNTAX },
	{ "no boundary", "multipart/mixed", "--b\r\n\r\n1\r\n--b--", TD_ESYNTAX },
	{ "empty boundary", "multipart/mixed;boundary=\"\"", "--\r\n\r\n1\r\n----", TD_ESYNTAX },
	{ "boundary without a value", "multipart/mixed;boundary", "--\r\n\r\n1\r\n----", TD_ESYNTAX },
	{ "boundary of 71", "multipart/mixed;boundary=12345678901234567890123456789012345678901234567890123456789012345678901",
	  "--b--", TD_ESYNTAX },
};

static void b1_multipart_bodies(void **state)
{
	const struct row *r;
	struct td_parts it;
	struct td_part p;
	unsigned i;

	for (r = rows; r < rows + TD_ARRAY_LEN(rows); r++) {
		struct td_str type = exact(r->type), body = exact(r->body);

		if (td_parts_of(&it, type, body) != r->of_err)
			fail_msg("%s", r->what);
		for (i = 0; !r->of_err && i < r->n; i++) {
			if (td_parts_next(&p, &it) != 1)
				fail_msg("%s: part %u", r->what, i);
			assert_str(p.headers, r->part[i].headers);
			assert_str(p.body, r->part[i].body);
		}
		if (!r->of_err && td_parts_next(&p, &it) != r->end)
			fail_msg("%s: end", r->what);
		exact_free(type);
		exact_free(body);
	}
}

static void b1_at_most_16_parts(void **state)
{
	struct td_parts it;
	struct td_part p;
	struct td_out o;
	unsigned i;

	td_out_init(&o);
	for (i = 0; i < 10000; i++)
		td_out_z(&o, "--b\r\n\r\nx\r\n");
	td_out_z(&o, "--b--\r\n");
	assert_false(o.failed);
	assert_int_equal(td_parts_of(&it, TD_STR(CT), td_out_view(&o)), 0);
	for (i = 0; i < 16; i++)
		assert_int_equal(td_parts_next(&p, &it), 1);
	assert_int_equal(td_parts_next(&p, &it), TD_ELIMIT);
	td_out_free(&o);
}

static void part_headers(void **state)
{
	const struct td_part p = {
		.headers = TD_STR_INIT("Content-Type : text/plain;\r\n charset=utf-8\r\nno colon\r\nContent-ID:\r\nX:y"),
	};

	assert_str(td_part_header(&p, TD_STR("content-type")), "text/plain;\r\n charset=utf-8");
	assert_str(td_part_header(&p, TD_STR("X")), "y");
	assert_int_equal(td_part_header(&p, TD_STR("Content-ID")).n, 0);
	assert_null(td_part_header(&p, TD_STR("charset")).p);
	assert_null(td_part_header(&(struct td_part){ .headers = TD_STR_INIT("") }, TD_STR("X")).p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(b1_multipart_bodies),
		cmocka_unit_test(b1_at_most_16_parts),
		cmocka_unit_test(part_headers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
