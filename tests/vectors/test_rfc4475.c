/* The torture messages of RFC 4475: the verdict of each, and what the interesting ones have to be read as. */
#include "vectors/manifest.h"

/*
 * Verdicts of the manifest that depend on the element's role (401, 405, 406, 415, 420, 483 …) are ACCEPT here: the message
 * itself is well formed. Everything else is what its row says.
 */
static unsigned expected(struct td_str validity, struct td_str text)
{
	static const unsigned codes[] = { 400, 416, 501, 505 };
	size_t i;

	if (td_str_eq(validity, TD_STR("invalid response")))
		return DROP;
	if (td_str_starts(text, TD_STR("416")))
		return 416;
	if (!td_str_eq(validity, TD_STR("invalid")))
		return ACCEPT;
	for (i = 0; i < TD_ARRAY_LEN(codes); i++) {
		char z[4];

		snprintf(z, sizeof(z), "%u", codes[i]);
		if (td_str_starts(text, td_str_of(z)))
			return codes[i];
	}
	fail_msg("no verdict in \"%.*s\"", TD_FMT(text));
	return 0;
}

/* Where the manifest or the RFC leaves a choice, ours. */
static const struct {
	const char *file;
	unsigned is;
	const char *why;
} choices[] = {
	{ "badbranch.dat", ACCEPT, "a branch that is only the cookie is matched as one of RFC 2543: \"or fall back\"" },
	{ "mismatch02.dat", 400, "\"400 acceptable\": the CSeq is wrong whatever the method" },
	{ "test.dat", DROP, "\"400 or discard\": no SIP version, no Via" },
};

static void p14_every_message_gets_its_verdict(void **state)
{
	struct manifest m;
	unsigned wrong = 0;

	for (manifest_open(&m, "rfc4475"); manifest_next(&m);) {
		struct td_str file = manifest_col(&m, "file");
		unsigned want = expected(manifest_col(&m, "validity"), manifest_col(&m, "expected"));
		struct td_buf *buf = manifest_file(&m);
		struct verdict got = judge(buf, 0, true);
		size_t i;

		for (i = 0; i < TD_ARRAY_LEN(choices); i++)
			if (td_str_eq(file, td_str_of(choices[i].file)))
				want = choices[i].is;
		if (got.is != want) {
			print_error("%.*s: got %u (%s), want %u\n", TD_FMT(file), got.is, got.why, want);
			wrong++;
		}
		td_buf_unref(buf);
	}
	assert_int_equal(m.rows, 50);
	assert_int_equal(wrong, 0);
}

static struct td_msg *parse(const char *file)
{
	struct td_buf *buf = data_file("rfc4475", td_str_of(file));
	struct td_msg *m;

	assert_non_null(buf);
	assert_int_equal(td_msg_parse(&m, buf, 0, buf->len), 0);
	td_buf_unref(buf);
	return m;
}

static void wsinv_is_read_whole(void **state)
{
	struct td_msg *m = parse("wsinv.dat");
	static const char *const hosts[] = { "192.0.2.2", "spindle.example.com", "192.168.255.111" };
	struct td_values it;
	struct td_via via;
	struct td_str v;
	unsigned n = 0;

	for (td_values_of(&it, m, TD_HDR_VIA); td_values_next(&v, &it) > 0; n++) {
		assert_int_equal(td_via_parse(&via, v), 0);
		assert_in_range(n, 0, 2);
		assert_str(via.host, hosts[n]);
	}
	assert_int_equal(n, 3);
	assert_str(m->via.branch, "390skdjuw");
	assert_str(m->from.display, "\"J Rosenberg \\\\\\\"\"");
	assert_str(m->from_tag, "98asjd8");
	assert_str(m->to_tag, "1918181833n");
	assert_int_equal(m->cseq.num, 9);
	assert_int_equal(m->max_forwards, 68);
	assert_int_equal(m->body.n, 150);
	assert_non_null(td_msg_hdr_named(m, TD_STR("newfangledheader")));
	assert_forwards_unchanged(m);
	td_msg_unref(m);
}

static void intmeth_uses_every_character(void **state)
{
	struct td_msg *m = parse("intmeth.dat");

	assert_str(m->method_name, "!interesting-Method0123456789_*+`.%indeed'~");
	assert_str(m->ruri.user, "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*");
	assert_str(m->ruri.password, "&it+has=1,weird!*pas$wo~d_too.(doesn't-it)");
	assert_str(m->from_tag, "_token~1'+`*%!-.");
	td_msg_unref(m);
}

static void escapes_stay_as_written(void **state)
{
	struct td_msg *m = parse("esc01.dat");

	assert_str(m->ruri.user, "sips%3Auser%40example.com");
	assert_forwards_unchanged(m);
	td_msg_unref(m);
	m = parse("esc02.dat");
	assert_str(m->method_name, "RE%47IST%45R");
	assert_int_equal(m->method, TD_METHOD_OTHER);
	td_msg_unref(m);
}

static void escnull_is_not_cut(void **state)
{
	struct td_msg *m = parse("escnull.dat");
	struct td_contact a, b;
	struct td_values it;
	struct td_str v;

	td_values_of(&it, m, TD_HDR_CONTACT);
	assert_int_equal(td_values_next(&v, &it), 1);
	assert_int_equal(td_contact_parse(&a, v), 0);
	assert_str(a.addr.uri.user, "%00");
	assert_int_equal(td_values_next(&v, &it), 1);
	assert_int_equal(td_contact_parse(&b, v), 0);
	assert_str(b.addr.uri.user, "%00%00");
	assert_false(td_uri_eq(&a.addr.uri, &b.addr.uri));
	td_msg_unref(m);
}

static void dblreq_ends_with_its_body(void **state)
{
	struct td_buf *buf = data_file("rfc4475", TD_STR("dblreq.dat"));
	struct td_msg *m = parse("dblreq.dat");
	size_t n, scan = 0;

	assert_int_equal(m->method, TD_REGISTER);
	assert_true(m->bytes.n < buf->len);
	assert_int_equal(td_msg_frame(&n, td_buf_str(buf), &scan), 0);
	assert_int_equal(n, m->bytes.n);
	td_msg_unref(m);
	n += 2; /* an empty line between messages is a keep-alive to a stream */
	assert_int_equal(td_msg_parse(&m, buf, n, buf->len - n), 0);
	assert_int_equal(m->method, TD_INVITE);
	td_msg_unref(m);
	td_buf_unref(buf);
}

static void semiuri_belongs_to_the_user(void **state)
{
	struct td_msg *m = parse("semiuri.dat");

	assert_str(m->ruri.user, "user;par=u%40example.net");
	assert_str(m->ruri.host, "example.com");
	assert_int_equal(m->ruri.params.n, 0);
	td_msg_unref(m);
}

static void mpart01_has_a_binary_part(void **state)
{
	struct td_msg *m = parse("mpart01.dat");
	struct td_parts it;
	struct td_part p;

	assert_int_equal(td_parts_of(&it, td_msg_value(m, TD_HDR_CONTENT_TYPE), m->body), 0);
	assert_int_equal(td_parts_next(&p, &it), 1);
	assert_str(td_part_header(&p, TD_STR("Content-Type")), "text/plain");
	assert_str(p.body, "Hello");
	assert_int_equal(td_parts_next(&p, &it), 1);
	assert_str(td_part_header(&p, TD_STR("Content-Type")), "application/octet-stream");
	assert_non_null(memchr(p.body.p, '\0', p.body.n));
	assert_int_equal(td_parts_next(&p, &it), 0);
	td_msg_unref(m);
}

static void reasons(void **state)
{
	struct td_msg *m = parse("noreason.dat");

	assert_int_equal(m->status, 100);
	assert_int_equal(m->reason.n, 0);
	td_msg_unref(m);
	m = parse("unreason.dat");
	assert_int_equal(m->status, 200);
	assert_non_null(td_str_chr(m->reason, '\xd0'));
	td_msg_unref(m);
}

/* Where a parameter belongs depends on the brackets. */
static void contact_parameters(void **state)
{
	struct td_msg *m = parse("cparam01.dat");
	struct td_contact ct;

	assert_int_equal(td_contact_parse(&ct, td_msg_value(m, TD_HDR_CONTACT)), 0);
	assert_str(ct.addr.params, ";unknownparam");
	assert_int_equal(ct.addr.uri.params.n, 0);
	td_msg_unref(m);
	m = parse("cparam02.dat");
	assert_int_equal(td_contact_parse(&ct, td_msg_value(m, TD_HDR_CONTACT)), 0);
	assert_str(ct.addr.uri.params, ";unknownparam");
	assert_int_equal(ct.addr.params.n, 0);
	td_msg_unref(m);
	m = parse("regescrt.dat");
	assert_int_equal(td_contact_parse(&ct, td_msg_value(m, TD_HDR_CONTACT)), 0);
	assert_str(ct.addr.uri.headers, "Route=%3Csip:sip.example.com%3E");
	td_msg_unref(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(p14_every_message_gets_its_verdict),
		cmocka_unit_test(wsinv_is_read_whole),
		cmocka_unit_test(intmeth_uses_every_character),
		cmocka_unit_test(escapes_stay_as_written),
		cmocka_unit_test(escnull_is_not_cut),
		cmocka_unit_test(dblreq_ends_with_its_body),
		cmocka_unit_test(semiuri_belongs_to_the_user),
		cmocka_unit_test(mpart01_has_a_binary_part),
		cmocka_unit_test(reasons),
		cmocka_unit_test(contact_parameters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
