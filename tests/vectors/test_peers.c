/* Messages from other stacks' tests, with a hint of what to expect. A hint is a hint: the RFC decides. */
#include "vectors/manifest.h"

/* Hints we go against, and why. Each has to be refused, so that this list stays true. */
static const struct exception {
	const char *file, *why;
} exceptions[] = {
	{ "sems-yeti/012.sip", "CSeq above 2^31-1 (§8.1.1.5; RFC 4475 §3.1.2.4)" },
	{ "sems-yeti/013.sip", "the same" },
	{ "sems/021.sip", "the same" },
	{ "sems-yeti/015.sip", "Max-Forwards above 255 (§20.22)" },
	{ "sems-yeti/028.sip", "two Call-IDs (RFC 4475 §3.3.8)" },
	{ "resiprocate/054.sip", "no transport in the Via" },
	{ "sipsorcery/011.sip", "CSeq names another method (RFC 4475 §3.1.2.17)" },
	{ "sems/002.sip", "the same" },
	{ "sipsorcery/052.sip", "port 0 in From" },
	{ "sip3-salto-ce/042.sip", "\";;\" in From (RFC 4475 §3.1.2.1)" },
	{ "sip0.sip", "empty Via, To, Call-ID fields, several of each" },
	{ "sip2.sip", "an empty tag" },
	{ "sip37.sip", "a response without a Via (§18.1.2)" },
	{ "sip44.sip", "the same" },
	{ "sip45.sip", "a line break before the colon (HCOLON, §25.1), and a blank inside the URI" },
	{ "sip67.sip", "a Request-URI beyond TD_SIP_MAX_URI: 414" },
	{ "sip87.sip", "longer than TD_SIP_MAX_MESSAGE" },
	{ "sip/test20.txt", "blanks after the Request-Line (RFC 4475 §3.1.2.10)" },
	{ "sip/test23.txt", "two blanks in the Request-Line (RFC 4475 §3.1.2.9)" },
	{ "sip/test25.txt", "headers in the Request-URI (RFC 4475 §3.1.2.11)" },
	{ "sip/test41.txt", "SIP/7.0: 505 (RFC 4475 §3.1.2.16)" },
	{ "sip/test42.txt", "the same" },
	{ NULL, NULL },
};

static bool excepted(struct td_str file)
{
	const struct exception *e;

	for (e = exceptions; e->file; e++)
		if (td_str_eq(file, td_str_of(e->file)))
			return true;
	return false;
}

static bool must_parse(struct td_str hint)
{
	return td_str_starts(hint, TD_STR("should parse")) || td_str_starts(hint, TD_STR("must parse")) ||
	       td_str_starts(hint, TD_STR("parse (osip accepts)"));
}

static void check(const char *dir, const char *hint_col, unsigned at_least)
{
	unsigned n = 0, wrong = 0;
	struct manifest m;
	struct td_msg *msg;

	for (manifest_open(&m, dir); manifest_next(&m);) {
		struct td_str file = manifest_col(&m, "file"), hint = manifest_col(&m, hint_col);
		struct td_buf *buf = manifest_file(&m);
		int err = td_msg_parse(&msg, buf, 0, buf->len);

		if (must_parse(hint) || excepted(file)) {
			n++;
			if ((err || msg->defect.status) != excepted(file)) {
				print_error("%s/%.*s: %s, hint: %.*s\n", dir, TD_FMT(file),
					    err                  ? "dropped"
					    : msg->defect.status ? msg->defect.why
								 : "read",
					    TD_FMT(hint));
				wrong++;
			}
		}
		if (td_str_eq(hint, TD_STR("must be rejected")) && judge(buf, 0, true).is == ACCEPT) {
			print_error("%s/%.*s: accepted\n", dir, TD_FMT(file));
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

static void messages_of_other_stacks(void **state)
{
	check("peer-messages", "hint", 150);
}

static void messages_of_osip(void **state)
{
	check("osip", "expected", 40);
}

static void messages_of_sofia(void **state)
{
	check("sofia", "expected", 8);
}

static void seeds_of_other_fuzzers(void **state)
{
	check("fuzz", "expected", 0);
}

/* One header value a line, mixed good and odd: nothing breaks, and what is read lies inside the line. */
static void osip_values(void **state)
{
	static const char *const lists[] = {
		"lists/auths.txt",  "lists/contenttypes.txt", "lists/froms.txt", "lists/recordroutes.txt",
		"lists/routes.txt", "lists/tos.txt",          "lists/urls.txt",  "lists/callids.txt",
	};
	unsigned addresses = 0;
	size_t i;

	for (i = 0; i < TD_ARRAY_LEN(lists); i++) {
		struct td_buf *buf = data_file("osip", td_str_of(lists[i]));
		struct td_str rest = td_buf_str(buf), line;

		while (rest.p && rest.n) {
			struct td_name_addr na;
			struct td_media_type mt;
			struct td_contact ct;
			struct td_auth auth;
			struct td_uri uri;

			line = exact_copy(td_str_trim(td_str_split(&rest, '\n')));
			if (!td_name_addr_parse(&na, line)) {
				addresses++;
				assert_true(na.uri.text.p >= line.p && na.uri.text.p + na.uri.text.n <= line.p + line.n);
			}
			td_auth_parse(&auth, line);
			td_media_type_parse(&mt, line);
			td_contact_parse(&ct, line);
			td_uri_parse(&uri, line);
			exact_free(line);
		}
		td_buf_unref(buf);
	}
	assert_true(addresses > 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_of_other_stacks),
		cmocka_unit_test(messages_of_osip),
		cmocka_unit_test(messages_of_sofia),
		cmocka_unit_test(seeds_of_other_fuzzers),
		cmocka_unit_test(osip_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
