/* Every message printed in an RFC: whole ones are read and forwarded unchanged, shortened ones do no harm. */
#include "vectors/manifest.h"

/* Messages the RFC itself printed wrong. Each has to be refused, so that this list stays true. */
static const struct {
	const char *file, *why;
} misprints[] = {
	{ "rfc5589/s6.1/005-F5-INVITE.sip", "the CSeq names another method: a slip in the RFC" },
	{ "rfc5589/s6.2/010-F4-NOTIFY.sip", "the same" },
	{ "rfc5589/s6.2/011-F5-INVITE.sip", "the same" },
	{ "rfc5589/s6.2/012-F6-NOTIFY.sip", "the same" },
	{ "rfc5806/s8.1/009-ACK.sip", "the same" },
	{ "rfc5806/s8.1/013-ACK.sip", "the same" },
	{ "rfc5806/s8.1/019-ACK.sip", "the same" },
	{ "rfc5806/s8.2/024-ACK.sip", "the same" },
	{ "rfc5806/s8.2/026-ACK.sip", "the same" },
	{ "rfc5806/s8.2/028-ACK.sip", "the same" },
	{ "rfc5806/s8.2/031-ACK.sip", "the same" },
	{ "rfc6035/s4.7.2/002-NOTIFY.sip", "the same" },
	{ "rfc8497/s3.7/005-F4-INVITE.sip", "the same" },
	{ "rfc7131/s3.2/016-F4-302.sip", "a backslash at the line's end, the RFC's way to print a long line" },
	{ "rfc7131/s3.2/019-F7-200.sip", "the same" },
	{ "rfc7131/s3.2/020-F8-200.sip", "the same" },
	{ "rfc7131/s3.3/025-F4-200.sip", "the same" },
	{ "rfc7131/s3.3/026-F5-200.sip", "the same" },
	{ "rfc7131/s3.4/030-F3-302.sip", "the same" },
	{ "rfc7131/s3.4/033-F6-200.sip", "the same" },
	{ "rfc7131/s3.4/034-F7-200.sip", "the same" },
	{ "rfc7131/s3.6/043-F3-302.sip", "the same" },
	{ "rfc7131/s3.6/045-F5-180.sip", "the same" },
	{ "rfc7131/s3.6/046-F6-INVITE.sip", "the same" },
	{ "rfc7131/s3.6/047-F7-200.sip", "the same" },
	{ "rfc7131/s3.7/050-F3-302.sip", "the same" },
	{ "rfc7131/s3.7/052-F5-180.sip", "the same" },
	{ "rfc7131/s3.8/057-F3-INVITE.sip", "the same" },
	{ "rfc7131/s3.8/058-F4-INVITE.sip", "the same" },
	{ "rfc7131/s3.9/061-F3-INVITE.sip", "the same" },
	{ "rfc7131/s3.9/062-F4-INVITE.sip", "the same" },
	{ "rfc4660/s7.1.1/001-NOTIFY.sip", "\";tag:\" for \";tag=\"" },
	{ "rfc4660/s7.1.2/002-SUBSCRIBE.sip", "the same" },
	{ "rfc4660/s7.1.2/003-NOTIFY.sip", "the same" },
	{ "rfc4660/s7.1.3/004-NOTIFY.sip", "the same" },
	{ "rfc4660/s7.2.1/005-NOTIFY.sip", "the same" },
	{ "rfc4660/s7.2.2/006-NOTIFY.sip", "the same" },
	{ "rfc4660/s7.2.3/007-NOTIFY.sip", "the same" },
	{ "rfc4244/s11/012-F13-INVITE.sip", "a user part, a URI or no LWS before the host in Via" },
	{ "rfc4964/s8.2/021-9-NOTIFY.sip", "the same" },
	{ "rfc4964/s8.2/022-10-200.sip", "the same" },
	{ "rfc4964/s8.2/027-15-NOTIFY.sip", "the same" },
	{ "rfc4964/s8.2/029-16-200.sip", "the same" },
	{ "rfc7315/s4.3.2.3/008-F2-REGISTER.sip", "the same" },
	{ "rfc7315/s4.3.2.3/009-F3-REGISTER.sip", "the same" },
	{ "rfc7315/s4.5.2.3/011-F2-INVITE.sip", "the same" },
	{ "rfc7315/s4.6.2.3/013-F2-INVITE.sip", "the same" },
	{ "rfc8876/s8/002-MESSAGE.sip", "the same" },
	{ "rfc5359/s2.2/045-F20-180.sip", "received is no address" },
	{ "rfc5359/s2.11/207-F6-180.sip", "the same" },
	{ "rfc5359/s2.11/211-F10-200.sip", "the same" },
	{ "rfc3261/s23.4.2/011-INVITE.sip", "an address without its scheme" },
	{ "rfc5626/s9.1/002-SUBSCRIBE.sip", "the same" },
	{ "rfc5626/s9.1/003-NOTIFY.sip", "the same" },
	{ "rfc6873/s4.4/001-INVITE.sip", "the same" },
	{ "rfc3428/s10/004-200.sip", "a \";\" or \">\" too many" },
	{ "rfc3666/s2.3/032-F5-ACK.sip", "the same" },
	{ "rfc8224/s5.1/001-INVITE.sip", "the same" },
	{ "rfc4244/s11/002-F2-INVITE.sip", "the next header or the prose around it printed as if it were folded" },
	{ "rfc4916/s5.1/005-UPDATE.sip", "the same" },
	{ "rfc8068/s3.3.3/012-INVITE.sip", "the same" },
	{ "rfc8068/s3.4.1/013-INVITE.sip", "the same" },
	{ "rfc4458/s6.5/007-F7-INVITE.sip", "a backslash or an empty label in the Request-URI" },
	{ "rfc6405/s5.4/009-INVITE.sip", "the same" },
};

static bool misprinted(struct td_str file)
{
	size_t i;

	for (i = 0; i < TD_ARRAY_LEN(misprints); i++)
		if (td_str_eq(file, td_str_of(misprints[i].file)))
			return true;
	return false;
}

/* Proves RFC 3261 §16.6-1. */
static void complete_messages_pass_unchanged(void **state)
{
	unsigned complete = 0, partial = 0, wrong = 0;
	struct manifest m;
	struct td_msg *msg;

	for (manifest_open(&m, "rfc-flows"); manifest_next(&m);) {
		struct td_buf *buf = manifest_file(&m);
		struct td_str file = manifest_col(&m, "file");
		int err = td_msg_parse(&msg, buf, 0, buf->len);

		if (!td_str_eq(manifest_col(&m, "completeness"), TD_STR("complete"))) {
			partial++;
		} else {
			complete++;
			if ((err || msg->defect.status) != misprinted(file)) {
				print_error("%.*s: %s\n", TD_FMT(file),
					    err                  ? "dropped"
					    : msg->defect.status ? msg->defect.why
								 : "read");
				wrong++;
			}
		}
		if (!err) {
			touch(msg);
			assert_forwards_unchanged(msg);
			td_msg_unref(msg);
		}
		td_buf_unref(buf);
	}
	assert_true(complete > 1300 && partial > 100);
	assert_int_equal(wrong, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(complete_messages_pass_unchanged) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
