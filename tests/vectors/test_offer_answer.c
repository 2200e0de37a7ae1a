/* Every offer of RFC 4317 answered by us, and every answer there read against its offer. */
#include "manifest.h"

#include <tandem/sdp.h>

/* The codecs the RFC's phones have. */
static const struct td_sdp_codec codecs[] = {
	{ 97, 1, 8000, TD_STR_INIT("iLBC"), TD_STR_INIT("") },
	{ 0, 1, 8000, TD_STR_INIT("PCMU"), TD_STR_INIT("") },
	{ 8, 1, 8000, TD_STR_INIT("PCMA"), TD_STR_INIT("") },
	{ 98, 1, 8000, TD_STR_INIT("telephone-event"), TD_STR_INIT("0-15") },
};

static const struct td_sdp_local local = {
	.addr = TD_STR_INIT("192.0.2.1"),
	.family = 4,
	.port = 4000,
	.dir = TD_SDP_SENDRECV,
	.session_id = 1,
	.codecs = codecs,
	.n_codecs = TD_ARRAY_LEN(codecs),
};

/* An offer and the RFC's answer to it. */
struct pair {
	struct td_buf *text[2];
	struct td_arena a;
	struct td_sdp *offer, *answer;
};

static void pair_open(struct pair *p, const struct manifest *m)
{
	struct td_str file = manifest_col(m, "file");
	char name[64];

	snprintf(name, sizeof(name), "%.*sanswer.sdp", (int)(file.n - strlen("offer.sdp")), file.p);
	td_arena_init(&p->a);
	p->text[0] = manifest_file(m);
	p->text[1] = data_file(m->dir, td_str_of(name));
	assert_non_null(p->text[1]);
	assert_int_equal(td_sdp_parse(&p->offer, &p->a, td_buf_str(p->text[0])), 0);
	assert_int_equal(td_sdp_parse(&p->answer, &p->a, td_buf_str(p->text[1])), 0);
}

static void pair_close(struct pair *p)
{
	td_buf_unref(p->text[0]);
	td_buf_unref(p->text[1]);
	td_arena_reset(&p->a);
}

static bool offered_format(const struct td_sdp_media *m, struct td_str f)
{
	size_t i;

	for (i = 0; i < m->n_formats; i++)
		if (td_str_eq(m->formats[i], f))
			return true;
	return false;
}

/* §6: as many lines in the same order, numbers from the offer, directions that fit. */
static void assert_answers(const struct td_sdp *offer, const struct td_sdp *answer)
{
	const struct td_sdp_media *o = offer->media, *m = answer->media;
	size_t i;

	assert_int_equal(answer->n_media, offer->n_media);
	for (; o; o = o->next, m = m->next) {
		unsigned may = td_sdp_dir_reverse(td_sdp_media_dir(offer, o));

		assert_true(td_str_eq(o->kind, m->kind) && td_str_eq(o->proto, m->proto));
		assert_true(o->port || !m->port);
		for (i = 0; i < m->n_formats; i++)
			assert_true(offered_format(o, m->formats[i]));
		if (m->port)
			assert_int_equal(td_sdp_media_dir(answer, m) & ~may, 0);
	}
}

static void answers(void **state)
{
	struct td_sdp_stream s;
	struct td_sdp *answer;
	struct manifest m;
	unsigned taken = 0;
	struct pair p;

	for (manifest_open(&m, "rfc4317"); manifest_next(&m);) {
		if (!has(manifest_col(&m, "file"), "offer"))
			continue;
		pair_open(&p, &m);
		assert_int_equal(td_sdp_answer(&answer, &s, &p.a, &local, p.offer, NULL), 0);
		assert_answers(p.offer, answer);
		taken += s.active;
		if (s.active)
			assert_true(s.n_formats == 1 && s.port);
		pair_close(&p);
	}
	assert_int_equal(taken, 26); /* §5.1 begins without media */
}

/* The offers stand for ours: what the RFC's answer makes of them must be what it says. */
static void reads_answers(void **state)
{
	struct td_sdp_stream s;
	struct manifest m;
	struct pair p;

	for (manifest_open(&m, "rfc4317"); manifest_next(&m);) {
		struct td_str file = manifest_col(&m, "file");
		const struct td_sdp_media *first;

		if (!has(file, "offer"))
			continue;
		pair_open(&p, &m);
		if (td_sdp_read_answer(&s, &local, p.offer, p.answer))
			fail_msg("%.*s", TD_FMT(file));
		first = p.answer->media;
		if (first && first->port) {
			assert_true(s.active);
			assert_int_equal(s.port, first->port);
			assert_str_at(s.remote.addr, p.answer->conn->addr, __FILE__, __LINE__);
			assert_int_equal(s.dir & ~td_sdp_media_dir(p.offer, p.offer->media), 0);
			assert_int_equal(s.dir & ~td_sdp_dir_reverse(td_sdp_media_dir(p.answer, first)), 0);
		}
		pair_close(&p);
	}
}

/* §3.1: the answer already holds; §2.3: another number for iLBC in the answer than in the offer. */
static void named_cases(void **state)
{
	static const struct {
		const char *stem;
		enum td_sdp_dir dir;
		uint8_t send_pt, recv_pt;
		size_t n_formats;
	} rows[] = {
		{ "s2.1-1-", TD_SDP_SENDRECV, 0, 0, 1 },
		{ "s2.2-1-", TD_SDP_SENDRECV, 0, 0, 2 },
		{ "s2.3-1-", TD_SDP_SENDRECV, 99, 97, 1 },
		{ "s3.1-1-", TD_SDP_RECVONLY, 97, 97, 1 },
	};
	struct td_sdp_stream s;
	struct manifest m;
	struct pair p;
	size_t i, seen = 0;

	for (manifest_open(&m, "rfc4317"); manifest_next(&m);) {
		for (i = 0; i < TD_ARRAY_LEN(rows); i++) {
			if (!has(manifest_col(&m, "file"), "offer") ||
			    !td_str_starts(manifest_col(&m, "file"), td_str_of(rows[i].stem)))
				continue;
			pair_open(&p, &m);
			assert_int_equal(td_sdp_read_answer(&s, &local, p.offer, p.answer), 0);
			assert_int_equal(s.dir, rows[i].dir);
			assert_int_equal(s.n_formats, rows[i].n_formats);
			assert_int_equal(s.formats[0].send_pt, rows[i].send_pt);
			assert_int_equal(s.formats[0].recv_pt, rows[i].recv_pt);
			pair_close(&p);
			seen++;
		}
	}
	assert_int_equal(seen, TD_ARRAY_LEN(rows));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers),
		cmocka_unit_test(reads_answers),
		cmocka_unit_test(named_cases),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
