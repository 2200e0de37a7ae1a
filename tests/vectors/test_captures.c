/* What real devices sent: all of it has to be read. */
#include "vectors/manifest.h"

static void check(const char *dir, unsigned at_least)
{
	unsigned n = 0, wrong = 0;
	struct manifest m;
	struct td_msg *msg;

	for (manifest_open(&m, dir); manifest_next(&m);) {
		struct td_buf *buf;
		int err;

		if (!has(manifest_col(&m, "expected"), "must parse"))
			continue;
		buf = manifest_file(&m);
		n++;
		err = td_msg_parse(&msg, buf, 0, buf->len);
		if (err || msg->defect.status) {
			print_error("%s/%.*s: %s\n", dir, TD_FMT(manifest_col(&m, "file")), err ? "dropped" : msg->defect.why);
			wrong++;
		}
		if (!err) {
			touch(msg);
			assert_forwards_unchanged(msg);
			td_msg_unref(msg);
		}
		td_buf_unref(buf);
	}
	assert_true(n >= at_least);
	assert_int_equal(wrong, 0);
}

static void captured_messages_are_read(void **state)
{
	check("captures", 300);
}

static void messages_of_named_phones_are_read(void **state)
{
	check("vendor", 6);
}

/* Each is a legal value for a strict element, and comes back as it was. */
static void user_agents_round_trip(void **state)
{
	struct td_buf *buf = data_file("vendor", TD_STR("user-agent-strings.txt")), *bytes;
	struct td_str rest = td_buf_str(buf), ua;
	struct td_msg *m;
	struct td_out o;
	unsigned n = 0;

	while (rest.p && rest.n) {
		ua = td_str_trim(td_str_split(&rest, '\n'));
		if (!ua.n)
			continue;
		n++;
		td_out_init(&o);
		td_out_z(
			&o,
			"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>;tag=2\r\n"
			"Call-ID: 1\r\nCSeq: 1 OPTIONS\r\n");
		td_put_hdr(&o, TD_HDR_USER_AGENT, ua);
		td_out_z(&o, "Content-Length: 0\r\n\r\n");
		bytes = td_out_buf(&o);
		assert_int_equal(td_msg_parse(&m, bytes, 0, bytes->len), 0);
		assert_int_equal(td_msg_validate(m).status, 0);
		assert_true(td_str_eq(td_msg_value(m, TD_HDR_USER_AGENT), ua));
		td_msg_unref(m);
		td_buf_unref(bytes);
	}
	assert_true(n > 200);
	td_buf_unref(buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(captured_messages_are_read),
		cmocka_unit_test(messages_of_named_phones_are_read),
		cmocka_unit_test(user_agents_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
