/* Every session description of the vectors: which parse, that print → parse → print is a fixpoint, and the limits of
 * threats row B2. */
#include "manifest.h"

#include <tandem/sdp.h>

/*
 * Rows that are no description, whatever the manifest says: streams the RFC elided ("m=audio" and nothing more), variables
 * for ports, two descriptions in one file, "m=5004 audio".
 */
static const char *const broken[] = {
	"rfc8859/s14.2.1.1-09.sdp",
	"rfc5245/s17-02.sdp",
	"rfc5245/s17-04.sdp",
	"rfc6314/s5.2.1.1.1-01.sdp",
	"rfc6314/s5.2.1.1.2-02.sdp",
	"rfc6314/s5.2.1.2.1-03.sdp",
	"rfc6314/s5.2.1.2.1-04.sdp",
	"rfc6314/s5.2.1.2.1-05.sdp",
	"rfc6314/s5.2.1.2.1-06.sdp",
	"rfc6314/s5.2.2.2-07.sdp",
	"rfc8839/s12.2-02.sdp",
	"rfc8839/s12.2-04.sdp",
	"re/006.sdp",
	"sofia-sip/011.sdp",
};

static void assert_fixpoint(const struct td_sdp *sdp)
{
	struct td_out one, two;
	struct td_arena a;
	struct td_sdp *again;

	td_arena_init(&a);
	td_out_init(&one);
	td_out_init(&two);
	td_sdp_print(&one, sdp);
	assert_int_equal(td_sdp_parse(&again, &a, td_out_view(&one)), 0);
	td_sdp_print(&two, again);
	assert_false(one.failed || two.failed);
	assert_str_at(td_out_view(&two), td_out_view(&one), __FILE__, __LINE__);
	td_out_free(&one);
	td_out_free(&two);
	td_arena_reset(&a);
}

/* The number of lines of one type, blind to everything else. */
static size_t count_lines(struct td_str text, char type)
{
	size_t n = 0;

	while (text.p) {
		struct td_str l = td_str_split(&text, '\n');

		n += l.n > 1 && l.p[0] == type && l.p[1] == '=';
	}
	return n;
}

static int try_text(struct td_str text)
{
	struct td_sdp_codec codecs[TD_SDP_MAX_FORMATS];
	const struct td_sdp_media *m;
	struct td_sdp_rtcp rtcp;
	struct td_sdp *sdp;
	struct td_arena a;
	int err;

	td_arena_init(&a);
	err = td_sdp_parse(&sdp, &a, text);
	if (!err) {
		assert_fixpoint(sdp);
		assert_int_equal(sdp->n_media, count_lines(text, 'm'));
		for (m = sdp->media; m; m = m->next) {
			assert_true(td_sdp_codecs(codecs, m) <= m->n_formats);
			assert_true(td_sdp_ptime(m) <= 1000);
			td_sdp_rtcp(&rtcp, m);
			assert_true((unsigned)td_sdp_media_dir(sdp, m) < 4);
		}
	}
	td_arena_reset(&a);
	return err;
}

static unsigned wrongs;

/* Notes a row with another outcome than expected; each test ends with none. */
static void wrong(struct td_str file, int err)
{
	print_error("%.*s: %d\n", TD_FMT(file), err);
	wrongs++;
}

static bool is_broken(struct td_str file)
{
	size_t i;

	for (i = 0; i < TD_ARRAY_LEN(broken); i++)
		if (td_str_eq(file, td_str_of(broken[i])))
			return true;
	return false;
}

static void rfc_sdp(void **state)
{
	struct manifest m;

	wrongs = 0;
	for (manifest_open(&m, "rfc-sdp"); manifest_next(&m);) {
		struct td_str file = manifest_col(&m, "file");
		struct td_buf *buf = manifest_file(&m);
		int err = try_text(td_buf_str(buf));

		if (err != (is_broken(file) ? TD_ESYNTAX : 0))
			wrong(file, err);
		td_buf_unref(buf);
	}
	assert_true(m.rows > 250);
	assert_int_equal(wrongs, 0);
}

static void rfc4317(void **state)
{
	struct manifest m;
	uint32_t media;

	wrongs = 0;
	for (manifest_open(&m, "rfc4317"); manifest_next(&m);) {
		struct td_buf *buf = manifest_file(&m);

		if (try_text(td_buf_str(buf)))
			wrong(manifest_col(&m, "file"), -1);
		assert_int_equal(td_str_u32(&media, manifest_col(&m, "m_lines")), 0);
		assert_int_equal(media, count_lines(td_buf_str(buf), 'm'));
		td_buf_unref(buf);
	}
	assert_int_equal(wrongs, 0);
}

/* "negative" and "mixture" rows are hints about other parsers: they must do no harm. All others must parse. */
static void corpus(void **state)
{
	struct manifest m;

	wrongs = 0;
	for (manifest_open(&m, "sdp-corpus"); manifest_next(&m);) {
		struct td_str want = manifest_col(&m, "expected");
		struct td_buf *buf = manifest_file(&m);
		int err = try_text(td_buf_str(buf));

		if (is_broken(manifest_col(&m, "file")) ? err != TD_ESYNTAX
							: err && (has(want, "must parse") || has(want, "should parse")))
			wrong(manifest_col(&m, "file"), err);
		td_buf_unref(buf);
	}
	assert_int_equal(wrongs, 0);
}

static void osip_and_sofia(void **state)
{
	struct manifest m;

	wrongs = 0;
	for (manifest_open(&m, "sdp-files"); manifest_next(&m);) {
		struct td_str file = manifest_col(&m, "file");
		struct td_buf *buf = manifest_file(&m);
		int err = try_text(td_buf_str(buf));

		/* message-1 is "v=1" alone */
		if (err != (has(file, "message-1.sdp") ? TD_ESYNTAX : 0))
			wrong(file, err);
		td_buf_unref(buf);
	}
	assert_int_equal(wrongs, 0);
}

/* The bodies of generated/sdp: 488 or 400 means that we cannot answer them. */
static int answer_text(struct td_str text)
{
	static const struct td_sdp_codec codecs[] = { { 0, 1, 8000, TD_STR_INIT("PCMU"), TD_STR_INIT("") } };
	struct td_sdp_local l = {
		.addr = TD_STR("192.0.2.1"), .family = 4, .port = 4000, .dir = TD_SDP_SENDRECV, .codecs = codecs, .n_codecs = 1
	};
	struct td_sdp *offer, *answer;
	struct td_sdp_stream s;
	struct td_arena a;
	int err;

	td_arena_init(&a);
	err = td_sdp_parse(&offer, &a, text);
	if (!err)
		err = td_sdp_answer(&answer, &s, &a, &l, offer, NULL);
	if (!err)
		assert_fixpoint(answer);
	td_arena_reset(&a);
	return err;
}

static void b2_generated(void **state)
{
	struct manifest m;
	unsigned rows = 0;

	wrongs = 0;
	for (manifest_open(&m, "generated"); manifest_next(&m);) {
		struct td_str want = manifest_col(&m, "expected"), text, body;
		struct td_buf *buf;
		const char *at;
		int err;

		if (!td_str_starts(manifest_col(&m, "file"), TD_STR("sdp/")))
			continue;
		buf = manifest_file(&m);
		text = td_buf_str(buf);
		at = memmem(text.p, text.n, "\r\n\r\n", 4);
		assert_non_null(at);
		body = exact_copy(td_str_n(at + 4, (size_t)(text.p + text.n - at - 4)));
		try_text(body);
		err = answer_text(body);
		if ((td_str_eq(want, TD_STR("488/400")) && !err) || (td_str_starts(want, TD_STR("200")) && err))
			wrong(manifest_col(&m, "file"), err);
		exact_free(body);
		td_buf_unref(buf);
		rows++;
	}
	assert_true(rows >= 15);
	assert_int_equal(wrongs, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc_sdp),        cmocka_unit_test(rfc4317),      cmocka_unit_test(corpus),
		cmocka_unit_test(osip_and_sofia), cmocka_unit_test(b2_generated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
