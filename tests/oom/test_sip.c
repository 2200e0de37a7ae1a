/* Parsing, forwarding and answering with every allocation failing in turn. */
#include "failing.h"

#include <tandem/sip.h>

#define HEAD                                                                                                               \
	"INVITE sip:b@x SIP/2.0\r\nVia: SIP/2.0/UDP h;rport;branch=z9hG4bK1\r\nFrom: <sip:a@x>;tag=1\r\nTo: <sip:b@x>\r\n" \
	"Call-ID: 1\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\n"
#define TEN "a:\r\na:\r\na:\r\na:\r\na:\r\na:\r\na:\r\na:\r\na:\r\na:\r\n"

static int parse(struct td_msg **out, const char *text)
{
	struct td_buf *buf = td_buf_copy(td_str_of(text));
	int err;

	if (!buf)
		return -ENOMEM;
	err = td_msg_parse(out, buf, 0, buf->len);
	td_buf_unref(buf);
	return err;
}

static int parsed(void *text)
{
	struct td_msg *m;
	int err = parse(&m, text);

	if (!err)
		td_msg_unref(m);
	return err;
}

static int forwarded(void *text)
{
	struct td_edits ed;
	struct td_buf *out;
	struct td_msg *m;
	int err = parse(&m, text);

	if (err)
		return err;
	m->received = TD_STR("192.0.2.1");
	m->rport = 5062;
	td_edits_init(&ed, m);
	td_edit_via_received(&ed, m);
	for (unsigned i = 0; i < 5 * TD_EDITS_INLINE; i++)
		td_edit_append(&ed, TD_STR("X: 1\r\n"));
	err = td_edits_apply(&out, &ed);
	if (!err)
		td_buf_unref(out);
	td_edits_free(&ed);
	td_msg_unref(m);
	return err;
}

static int answered(void *text)
{
	struct td_buf *buf;
	struct td_msg *m;
	struct td_out o;
	int err = parse(&m, text);

	if (err)
		return err;
	td_out_init(&o);
	td_put_response_head(&o, m, 200, TD_STR_NULL, TD_STR("t"), true);
	td_put_body(&o, TD_STR_NULL, TD_STR_NULL);
	buf = td_out_buf(&o);
	if (!buf)
		err = -ENOMEM;
	td_buf_unref(buf);
	td_msg_unref(m);
	return err;
}

static unsigned long failures(oom_fn *scenario, const char *text)
{
	return oom_each(scenario, (void *)(uintptr_t)text);
}

static void parsing(void **state)
{
	/* The copy and the message; with more fields than fit, their one growth; however many more, no other. */
	assert_int_equal(failures(parsed, HEAD "\r\n"), 2);
	assert_int_equal(failures(parsed, HEAD TEN TEN "\r\n"), 3);
	assert_int_equal(failures(parsed, HEAD TEN TEN TEN TEN TEN TEN TEN TEN TEN "\r\n"), 3);
}

static void forwarding(void **state)
{
	assert_in_range(failures(forwarded, HEAD TEN TEN "\r\n"), 5, 8);
}

static void answering(void **state)
{
	assert_in_range(failures(answered, HEAD "\r\n"), 3, 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parsing),
		cmocka_unit_test(forwarding),
		cmocka_unit_test(answering),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
