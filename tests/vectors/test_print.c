/*
 * Printing is the mirror of parsing (P13). Every message of the vectors that parses is printed field by field, forwarded as a proxy
 * does, and answered; each time what comes out parses to the same, and a second round changes nothing. And every printer
 * keeps within whatever room it is given.
 */
#include "vectors/manifest.h"

static struct td_msg *parsed(struct td_str text)
{
	struct td_buf *b = td_buf_copy(text);
	struct td_msg *m = NULL;

	assert_non_null(b);
	if (td_msg_parse(&m, b, 0, b->len) || m->defect.status) {
		td_msg_unref(m);
		m = NULL;
	}
	td_buf_unref(b);
	return m;
}

static void assert_same(const struct td_msg *a, const struct td_msg *b, const char *from)
{
	const struct {
		struct td_str a, b;
	} views[] = {
		{ a->uri, b->uri },
		{ a->method_name, b->method_name },
		{ a->reason, b->reason },
		{ a->via.text, b->via.text },
		{ a->from.text, b->from.text },
		{ a->from_tag, b->from_tag },
		{ a->to.text, b->to.text },
		{ a->to_tag, b->to_tag },
		{ a->call_id, b->call_id },
		{ a->cseq.method_name, b->cseq.method_name },
		{ a->body, b->body },
	};

	for (size_t i = 0; i < TD_ARRAY_LEN(views); i++)
		if (!td_str_eq(views[i].a, views[i].b))
			fail_msg("%s: view %zu is \"%.*s\" and then \"%.*s\"", from, i, TD_FMT(views[i].a), TD_FMT(views[i].b));
	assert_int_equal(a->request, b->request);
	assert_int_equal(a->status, b->status);
	assert_int_equal(a->nhdr, b->nhdr);
	assert_int_equal(a->cseq.num, b->cseq.num);
	assert_int_equal(a->max_forwards, b->max_forwards);
}

static void print(struct td_out *o, const struct td_msg *m)
{
	if (m->request)
		td_put_request_line(o, m->method_name, m->uri);
	else
		td_put_status_line(o, m->status, m->reason);
	for (unsigned i = 0; i < m->nhdr; i++) {
		if (m->hdr[i].id == TD_HDR_OTHER)
			td_put_hdr_named(o, td_str_n(m->bytes.p + m->hdr[i].at, m->hdr[i].name_n), td_hdr_value(m, &m->hdr[i]));
		else
			td_put_hdr(o, (enum td_hdr_id)m->hdr[i].id, td_hdr_value(m, &m->hdr[i]));
	}
	td_out_z(o, "\r\n");
	td_out_str(o, m->body);
}

static void print_twice(const struct td_msg *m, const char *from)
{
	struct td_msg *again;
	struct td_out one, two;

	if (!m->request && !m->reason.n) /* printed with the standard phrase */
		return;
	td_out_init(&one);
	td_out_init(&two);
	print(&one, m);
	again = parsed(td_out_view(&one));
	if (!again)
		fail_msg("%s: what was printed is no message:\n%.*s", from, TD_FMT(td_out_view(&one)));
	assert_same(m, again, from);
	print(&two, again);
	assert_true(td_str_eq(td_out_view(&one), td_out_view(&two)));
	td_msg_unref(again);
	td_out_free(&one);
	td_out_free(&two);
}

/* A second hop takes the first one's Via off and has what came in. */
static void forward_and_back(struct td_msg *m, const char *from)
{
	struct td_msg *there, *back;
	struct td_edits ed;
	struct td_buf *out;

	td_edits_init(&ed, m);
	td_edit_insert_before(&ed, TD_HDR_VIA, TD_STR("Via: SIP/2.0/UDP h;branch=z9hG4bK1\r\n"));
	assert_int_equal(td_edits_apply(&out, &ed), 0);
	td_edits_free(&ed);
	there = parsed(td_buf_str(out));
	td_buf_unref(out);
	if (!there)
		fail_msg("%s: what was forwarded is no message", from);
	assert_str(there->via.branch, "z9hG4bK1");
	td_edits_init(&ed, there);
	td_edit_remove_first_value(&ed, TD_HDR_VIA);
	assert_int_equal(td_edits_apply(&out, &ed), 0);
	td_edits_free(&ed);
	td_msg_unref(there);
	assert_true(td_str_eq(td_buf_str(out), m->bytes));
	back = parsed(td_buf_str(out));
	td_buf_unref(out);
	assert_non_null(back);
	assert_same(m, back, from);
	td_msg_unref(back);
}

/* Every size up to the one needed: exactly that one is enough, and no byte beyond the room is touched (the sanitizer looks). */
static void answer_in_any_room(struct td_msg *m)
{
	struct td_out o;
	size_t need;

	td_out_init(&o);
	td_put_response_head(&o, m, 200, TD_STR_NULL, TD_STR("totag"), true);
	td_put_body(&o, TD_STR("text/plain"), TD_STR("body"));
	need = o.n;
	td_out_free(&o);
	for (size_t room = need > 1500 ? need - 1500 : 0; room <= need; room++) {
		char *mem = malloc(room ? room : 1);

		assert_non_null(mem);
		td_out_init_fixed(&o, mem, room);
		td_put_response_head(&o, m, 200, TD_STR_NULL, TD_STR("totag"), true);
		td_put_body(&o, TD_STR("text/plain"), TD_STR("body"));
		assert_int_equal(o.failed, room < need);
		assert_true(o.n <= room);
		free(mem);
	}
}

static void every_message(const char *dir, unsigned at_least, bool any_room)
{
	struct manifest f;
	unsigned n = 0;

	for (manifest_open(&f, dir); manifest_next(&f);) {
		struct td_buf *buf = data_file(dir, manifest_col(&f, "file"));
		struct td_msg *m = buf ? parsed(td_buf_str(buf)) : NULL;
		char from[200];

		if (m) {
			snprintf(from, sizeof(from), "%s/%.*s", dir, TD_FMT(manifest_col(&f, "file")));
			print_twice(m, from);
			forward_and_back(m, from);
			if (m->request && any_room)
				answer_in_any_room(m);
			n++;
			td_msg_unref(m);
		}
		td_buf_unref(buf);
	}
	if (n < at_least)
		fail_msg("%s: %u messages only", dir, n);
}

static void p13_torture_messages(void **state)
{
	every_message("rfc4475", 12, true);
	every_message("rfc5118", 8, true);
}

static void p13_messages_of_other_stacks(void **state)
{
	every_message("peer-messages", 200, false);
	every_message("osip", 40, false);
	every_message("sofia", 5, false);
}

static void p13_small_printers(void **state)
{
	static const struct td_str words[] = { TD_STR_INIT(""), TD_STR_INIT("a\"b\\c"), TD_STR_INIT("b%40o b@x"),
					       TD_STR_INIT("\xff\x7f{}[]") };
	struct td_uri u;

	assert_int_equal(td_uri_parse(&u, TD_STR("sip:B%6fb%20x@EXAMPLE.com:5070;x=y")), 0);
	for (size_t i = 0; i < TD_ARRAY_LEN(words); i++)
		for (int what = 0; what < 5; what++) {
			size_t need = 0;

			for (int fixed = 0; fixed < 2; fixed++)
				for (size_t room = 0; room <= (fixed ? need : 0); room++) {
					char *mem = malloc(room ? room : 1);
					struct td_out o;

					if (fixed)
						td_out_init_fixed(&o, mem, room);
					else
						td_out_init(&o);
					switch (what) {
					case 0: td_quote(&o, words[i]); break;
					case 1: td_escape_user(&o, words[i]); break;
					case 2: td_uri_aor(&o, &u); break;
					case 3: td_date_print(&o, 1700000000); break;
					case 4: td_put_hdr_u64(&o, TD_HDR_CONTENT_LENGTH, UINT64_MAX); break;
					}
					if (fixed)
						assert_int_equal(o.failed, room < need);
					else
						need = o.n;
					if (!fixed)
						td_out_free(&o);
					free(mem);
				}
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(p13_torture_messages),
		cmocka_unit_test(p13_messages_of_other_stacks),
		cmocka_unit_test(p13_small_printers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
