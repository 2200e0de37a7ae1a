/*
 * Our own malformed set: one thing changed in a valid message. Each row of the manifest says which outcomes are good; what
 * the words mean for this room (read it, answer with an error, drop it) is spelled out here.
 */
#include "vectors/manifest.h"

enum { A = 1, E = 2, D = 4 }; /* accepted; answered with an error; dropped */

static const struct {
	const char *expected;
	unsigned good;
} meaning[] = {
	{ "accept as user b, password o:b is illegal: 400", E },
	{ "accept or 400, no hang", A | E },
	{ "accept or 400", A | E },
	{ "accept (opaque) or 400", A | E },
	{ "accept", A }, /* "accept; opaque", "accept (treated as 70)", … */
	{ "equal to bob", A },
	{ "400 or drop", E | D },
	{ "400/drop", E | D },
	{ "drop/400", E | D },
	{ "400 or accept", A | E },
	{ "400 or default port", A | E },
	{ "host treated as name or 400", A | E },
	{ "parse or 400", A | E },
	{ "parse or 4xx/513", A | E | D },
	{ "no crash", A | E | D },
	{ "ignored", D },
	{ "UA: drop", A }, /* a stray response is well formed; whose it is, transactions know */
	{ "UDP: ", A },
	{ "UAC must not PRACK", A }, /* nobody here sends PRACK */
	{ "400", E },
	{ "416", E },
};

/* Where we go against the manifest, and why. */
static const struct {
	const char *file;
	unsigned is;
	const char *why;
} exceptions[] = {
	{ "structure/empty-Via.sip", D, "without a Via there is nowhere to send the 400 (§18.2.2)" },
	{ "structure/nocolon-Via.sip", D, "the same" },
};

static unsigned outcome(struct verdict v)
{
	return v.is == ACCEPT ? A : v.is == DROP ? D : E;
}

/* A number in its field, taken from the file's name: numeric/port_007.sip. */
static unsigned numeric(struct td_str file)
{
	static const struct {
		const char *field;
		uint64_t min, max;
		unsigned outside; /* what is good for numbers that are none, or out of range */
	} fields[] = {
		{ "cseq", 0, INT32_MAX, E }, { "clen", 0, 0, E }, /* any other number disagrees with the body */
		{ "port", 1, 65535, E | D }, { "maxfwd", 0, 255, A | E },  { "expires", 0, UINT32_MAX, A | E },
		{ "q", 0, 1, A | E },        { "rseq", 0, UINT64_MAX, A },
	};
	struct td_str value = file, field;
	uint64_t n;
	size_t i;

	td_str_split(&value, '/');
	field = td_str_split(&value, '_');
	value = td_str_split(&value, '.');
	for (i = 0; i < TD_ARRAY_LEN(fields); i++) {
		if (!td_str_eq(field, td_str_of(fields[i].field)))
			continue;
		if (td_str_u64(&n, value, fields[i].max) || n < fields[i].min)
			return fields[i].outside;
		return td_str_eq(file, TD_STR("numeric/q_007.sip")) ? E : A; /* a number, but no qvalue */
	}
	fail_msg("%.*s", TD_FMT(file));
	return 0;
}

static unsigned good_outcomes(struct td_str file, struct td_str expected)
{
	size_t i;

	for (i = 0; i < TD_ARRAY_LEN(exceptions); i++)
		if (td_str_eq(file, td_str_of(exceptions[i].file)))
			return exceptions[i].is;
	if (td_str_starts(file, TD_STR("numeric/")))
		return numeric(file);
	if (td_str_starts(file, TD_STR("sdp/")))
		return A; /* the body is not this room's */
	for (i = 0; i < TD_ARRAY_LEN(meaning); i++)
		if (td_str_starts(expected, td_str_of(meaning[i].expected)))
			return meaning[i].good;
	fail_msg("%.*s: no meaning for \"%.*s\"", TD_FMT(file), TD_FMT(expected));
	return 0;
}

static void every_row_has_a_good_outcome(void **state)
{
	struct manifest m;
	unsigned wrong = 0;

	for (manifest_open(&m, "generated"); manifest_next(&m);) {
		struct td_str file = manifest_col(&m, "file"), expected = manifest_col(&m, "expected");
		struct td_buf *buf = manifest_file(&m);
		struct verdict v;
		size_t at = 0;

		while (at < buf->len && (buf->data[at] == '\r' || buf->data[at] == '\n'))
			at++; /* keep-alives are taken off by transport (§7.5) */
		v = judge(buf, at, true);
		if (!(outcome(v) & good_outcomes(file, expected)) || (td_str_eq(expected, TD_STR("416")) && v.is != 416)) {
			print_error("%.*s: got %u (%s), want \"%.*s\"\n", TD_FMT(file), v.is, v.why, TD_FMT(expected));
			wrong++;
		}
		td_buf_unref(buf);
	}
	assert_int_equal(m.rows, 403);
	assert_int_equal(wrong, 0);
}

static void what_is_read_can_be_walked(void **state)
{
	struct manifest m;
	struct td_msg *msg;

	for (manifest_open(&m, "generated"); manifest_next(&m);) {
		struct td_buf *buf = manifest_file(&m);

		if (!td_msg_parse(&msg, buf, 0, buf->len)) {
			touch(msg);
			assert_forwards_unchanged(msg);
			td_msg_unref(msg);
		}
		td_buf_unref(buf);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_has_a_good_outcome),
		cmocka_unit_test(what_is_read_can_be_walked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
