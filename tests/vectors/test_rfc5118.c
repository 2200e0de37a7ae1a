/* IPv6 torture messages of RFC 5118. */
#include "vectors/manifest.h"

static void correct_length(struct td_buf *buf, const char *printed, const char *right)
{
	char *at = memmem(buf->data, buf->len, printed, strlen(printed));

	assert_non_null(at);
	memcpy(at, right, strlen(right));
}

static void p14_every_message_gets_its_verdict(void **state)
{
	struct manifest m;

	for (manifest_open(&m, "rfc5118"); manifest_next(&m);) {
		struct td_str file = manifest_col(&m, "file");
		unsigned want = td_str_eq(manifest_col(&m, "validity"), TD_STR("invalid")) ? 400 : ACCEPT;
		struct td_buf *buf = manifest_file(&m);
		struct verdict got;

		/* a Content-Length beyond the body as printed is 400 like any other (P1); with the right one it is accepted */
		if (has(manifest_col(&m, "notes"), "printed Content-Length 268, body here is 251")) {
			assert_int_equal(judge(buf, 0, true).is, 400);
			correct_length(buf, "268", "251");
		}
		got = judge(buf, 0, true);
		if (got.is != want)
			fail_msg("%.*s: got %u (%s), want %u", TD_FMT(file), got.is, got.why, want);
		td_buf_unref(buf);
	}
	assert_int_equal(m.rows, 12);
}

static struct td_msg *parse(const char *file)
{
	struct td_buf *buf = data_file("rfc5118", td_str_of(file));
	struct td_msg *m;

	assert_non_null(buf);
	assert_int_equal(td_msg_parse(&m, buf, 0, buf->len), 0);
	td_buf_unref(buf);
	return m;
}

static void ports_are_outside_the_brackets(void **state)
{
	struct td_msg *m = parse("port-ambiguous.dat");

	assert_str(m->ruri.host, "2001:db8::10:5070");
	assert_int_equal(m->ruri.port, 0);
	td_msg_unref(m);
	m = parse("port-unambiguous.dat");
	assert_str(m->ruri.host, "2001:db8::10");
	assert_int_equal(m->ruri.port, 5070);
	td_msg_unref(m);
}

static void received_with_and_without_brackets(void **state)
{
	struct td_msg *m = parse("via-received-param-with-delim.dat");

	assert_str(m->via.received, "2001:db8::9:255");
	td_msg_unref(m);
	m = parse("via-received-param-no-delim.dat");
	assert_str(m->via.received, "2001:db8::9:255");
	td_msg_unref(m);
}

static void mixed_families_in_via(void **state)
{
	struct td_msg *m = parse("mult-ip-in-header.dat");
	unsigned n = 0, v6 = 0;
	struct td_values it;
	struct td_via via;
	struct td_str v;

	for (td_values_of(&it, m, TD_HDR_VIA); td_values_next(&v, &it) > 0; n++) {
		assert_int_equal(td_via_parse(&via, v), 0);
		v6 += via.host_v6;
	}
	assert_int_equal(n, 3);
	assert_int_equal(v6, 2);
	td_msg_unref(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(p14_every_message_gets_its_verdict),
		cmocka_unit_test(ports_are_outside_the_brackets),
		cmocka_unit_test(received_with_and_without_brackets),
		cmocka_unit_test(mixed_families_in_via),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
