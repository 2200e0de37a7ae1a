#include "support.h"

#include <tandem/sip.h>

#include "sip/internal.h"

static const struct row {
	const char *in;
	int err;
	const char *display, *uri, *params, *tag;
	bool angle;
} rows[] = {
	/* RFC 3261 §20.20, §20.10 */
	{ "\"A. G. Bell\" <sip:agb@bell-telephone.com> ;tag=a48s", 0, "\"A. G. Bell\"", "sip:agb@bell-telephone.com", ";tag=a48s",
	  "a48s", true },
	{ "sip:+12125551212@server.phone2net.com;tag=887s", 0, "", "sip:+12125551212@server.phone2net.com", ";tag=887s", "887s",
	  false },
	{ "Anonymous <sip:c8oqz84zk7z@privacy.org>;tag=hyh8", 0, "Anonymous", "sip:c8oqz84zk7z@privacy.org", ";tag=hyh8", "hyh8",
	  true },
	{ "<sip:user;par=u%40example.net@example.com>", 0, "", "sip:user;par=u%40example.net@example.com", "", "", true },
	{ "<sip:p1.example.com;lr>;x=\"y;tag=no\"", 0, "", "sip:p1.example.com;lr", ";x=\"y;tag=no\"", "", true },
	{ "Mr.   Watson\r\n <sip:w@h>\r\n ; tag = t", 0, "Mr.   Watson", "sip:w@h", "; tag = t", "t", true },
	/* RFC 4475 §3.1.1.6 */
	{ "caller<sip:caller@example.com>;TAG=323", 0, "caller", "sip:caller@example.com", ";TAG=323", "323", true },
	{ "\"J Rosenberg \\\\\\\"\"       <sip:jdrosen@example.com>", 0, "\"J Rosenberg \\\\\\\"\"", "sip:jdrosen@example.com",
	  "", "", true },
	{ "\"<sip:no@no>\"<sip:yes@yes>", 0, "\"<sip:no@no>\"", "sip:yes@yes", "", "", true },
	{ "sips <sips:a@b>", 0, "sips", "sips:a@b", "", "", true },
	{ "tel:+15551212;phone-context=x", 0, "", "tel:+15551212", ";phone-context=x", "", false },
	{ "<urn:service:sos>", 0, "", "urn:service:sos", "", "", true },
	{ "sip:h ;tag=1", 0, "", "sip:h", ";tag=1", "1", false },
	/* P9 */
	{ "\"Mr. J. User <sip:j.user@example.com>", TD_ESYNTAX }, /* RFC 4475 §3.1.2.6 */
	{ "\"ends in backslash\\\" <sip:a@b>", TD_ESYNTAX },
	{ "\"\\", TD_ESYNTAX },
	{ "\"", TD_ESYNTAX },
	{ "\"a\"", TD_ESYNTAX },
	{ "\"a\" sip:a@b", TD_ESYNTAX },
	{ "<sip:a@b", TD_ESYNTAX },
	{ "<sip:a@b;tag=1", TD_ESYNTAX },
	{ "<", TD_ESYNTAX },
	{ "<>", TD_ESYNTAX },
	{ "sip:a@b>", TD_ESYNTAX },
	{ "x <<sip:a@b>>", TD_ESYNTAX },
	{ "< sip:a@b>", TD_ESYNTAX }, /* RFC 4475 §3.1.2.14 */
	{ "<sip:a@b >", TD_ESYNTAX },
	{ "Bell, Alexander <sip:a.g.bell@example.com>", TD_ESYNTAX }, /* RFC 4475 §3.1.2.15 */
	{ "a@b <sip:a@b>", TD_ESYNTAX },
	{ "sip:a@b?Route=%3Csip:sip.example.com%3E", TD_ESYNTAX }, /* RFC 4475 §3.1.2.13 */
	{ "sip:a,b@c", TD_ESYNTAX },
	{ "sip:user;par=x@example.net", TD_ESYNTAX },
	{ "<sip:a@b>;;tag=1", TD_ESYNTAX },
	{ "<sip:a@b>;", TD_ESYNTAX },
	{ "<sip:a@b>;=x", TD_ESYNTAX },
	{ "<sip:a@b>;x=\"", TD_ESYNTAX },
	{ "<sip:a@b>tag=1", TD_ESYNTAX },
	{ "<sip:a@b> x", TD_ESYNTAX },
	{ "<sip:a@b>, <sip:c@d>", TD_ESYNTAX },
	{ "Name", TD_ESYNTAX },
	{ "sip:", TD_ESYNTAX },
	{ ";tag=1", TD_ESYNTAX },
	{ "", TD_ESYNTAX },
};

static void p9_name_addr_values(void **state)
{
	const struct row *r;

	for (r = rows; r < rows + TD_ARRAY_LEN(rows); r++) {
		struct td_str in = exact(r->in), tag = TD_STR("kept");
		struct td_name_addr na = { .display = TD_STR_INIT("kept") };

		if (td_name_addr_parse_tag(&na, &tag, in) != r->err)
			fail_msg("%s", r->in);
		assert_str(na.display, r->err ? "kept" : r->display);
		assert_str(tag, r->err ? "kept" : r->tag);
		if (!r->err) {
			assert_str(na.text, r->in);
			assert_str(na.uri.text, r->uri);
			assert_str(na.params, r->params);
			assert_int_equal(na.angle, r->angle);
		}
		exact_free(in);
	}
}

static const struct {
	const char *in;
	int err, tag_err;
} tags[] = {
	{ "<sip:a@b>;tag", 0, TD_ESYNTAX }, /* P4: an empty tag */
	{ "<sip:a@b>;tag=1;tag=2", 0, TD_ESYNTAX }, { "<sip:a@b>;tag=\"1\"", 0, TD_ESYNTAX },
	{ "<sip:a@b>;tag=[1]", 0, TD_ESYNTAX },     { "<sip:a@b>;tag=", TD_ESYNTAX, TD_ESYNTAX },
	{ "<sip:a@b>;tagx=1;xtag=\"2\"", 0, 0 },
};

/* Only From and To have tags: elsewhere ;tag is a parameter like any other. */
static void p4_tags(void **state)
{
	size_t i;

	for (i = 0; i < TD_ARRAY_LEN(tags); i++) {
		struct td_str in = exact(tags[i].in), tag;
		struct td_name_addr na;

		if (td_name_addr_parse(&na, in) != tags[i].err || td_name_addr_parse_tag(&na, &tag, in) != tags[i].tag_err)
			fail_msg("%s", tags[i].in);
		exact_free(in);
	}
}

static int with_tag_of(size_t n)
{
	struct td_name_addr na;
	struct td_str tag;
	struct td_out o;
	char *room;
	int err;

	td_out_init(&o);
	td_out_z(&o, "<sip:a@b>;tag=");
	room = td_out_room(&o, n);
	assert_non_null(room);
	memset(room, 't', n);
	err = td_name_addr_parse_tag(&na, &tag, td_out_view(&o));
	td_out_free(&o);
	return err;
}

static void p3_long_tag(void **state)
{
	assert_int_equal(with_tag_of(TD_SIP_MAX_TOKEN), 0);
	assert_int_equal(with_tag_of(TD_SIP_MAX_TOKEN + 1), TD_ELIMIT);
	assert_int_equal(with_tag_of(60 * 1024), TD_ELIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(p9_name_addr_values),
		cmocka_unit_test(p4_tags),
		cmocka_unit_test(p3_long_tag),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
