#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <tandem/dialog.h>

static struct td_msg *parse(const char *text)
{
	struct td_buf *b = td_buf_copy(td_str_of(text));
	struct td_msg *m = NULL;

	assert_int_equal(td_msg_parse(&m, b, 0, b->len), 0);
	assert_int_equal(m->defect.status, 0);
	td_buf_unref(b);
	return m;
}

static const char invite[] =
	"INVITE sip:bob@b.test SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\r\nMax-Forwards: 70\r\n"
	"Record-Route: <sip:p2.test;lr>, <sip:p1.test;lr>\r\nFrom: \"A, l\" <sip:alice@a.test>;tag=ft;x=y\r\n"
	"To: <sip:bob@b.test>\r\nCall-ID: c1\r\nCSeq: 7 INVITE\r\nContact: <sip:alice@192.0.2.1:5070;ob>;+x\r\n"
	"Content-Length: 0\r\n\r\n";

static const char ok[] =
	"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\r\nRecord-Route: <sip:p2.test;lr>\r\n"
	"Record-Route: <sip:p1.test;lr>\r\nFrom: \"A, l\" <sip:alice@a.test>;tag=ft\r\nTo: Bob <sip:bob@b.test>;tag=tt\r\n"
	"Call-ID: c1\r\nCSeq: 7 INVITE\r\nContact: sip:bob@192.0.2.2\r\nContent-Length: 0\r\n\r\n";

static void check_request(const struct td_dialog *d, const char *want)
{
	struct td_out o;

	td_out_init(&o);
	td_dialog_put_request(&o, d, TD_STR("BYE"), TD_STR("SIP/2.0/UDP me;branch=z9hG4bKy"), 8);
	td_out_char(&o, '\0');
	assert_string_equal(o.p, want);
	td_out_free(&o);
}

/* Proves RFC 3261 §8.1.2-1, §12.1.2-1, §12.2.1.1-1, §12.2.1.1-2. */
static void uac_reverses_the_route(void **state)
{
	struct td_msg *m = parse(ok);
	struct td_dialog *d = NULL;

	assert_int_equal(td_dialog_of_response(&d, m), 0);
	assert_true(d->confirmed);
	assert_true(td_dialog_matches(d, m));
	assert_true(td_str_eq(td_dialog_next_hop(d), TD_STR("sip:p1.test;lr")));
	assert_int_equal(td_dialog_next_cseq(d), 8);
	check_request(d, "BYE sip:bob@192.0.2.2 SIP/2.0\r\nVia: SIP/2.0/UDP me;branch=z9hG4bKy\r\nMax-Forwards: 70\r\n"
			 "Route: <sip:p1.test;lr>\r\nRoute: <sip:p2.test;lr>\r\nFrom: \"A, l\" <sip:alice@a.test>;tag=ft\r\n"
			 "To: Bob <sip:bob@b.test>;tag=tt\r\nCall-ID: c1\r\nCSeq: 8 BYE\r\n");
	td_dialog_free(d);
	td_msg_unref(m);
}

/* Proves RFC 3261 §12.1.1-2, §12.2.1.1-1. */
static void uas_keeps_the_route(void **state)
{
	struct td_msg *m = parse(invite), *bye;
	struct td_dialog *d = NULL;

	assert_int_equal(td_dialog_of_request(&d, m, TD_STR("tt")), 0);
	check_request(d, "BYE sip:alice@192.0.2.1:5070;ob SIP/2.0\r\nVia: SIP/2.0/UDP me;branch=z9hG4bKy\r\nMax-Forwards: 70\r\n"
			 "Route: <sip:p2.test;lr>\r\nRoute: <sip:p1.test;lr>\r\nFrom: <sip:bob@b.test>;tag=tt\r\n"
			 "To: \"A, l\" <sip:alice@a.test>;x=y;tag=ft\r\nCall-ID: c1\r\nCSeq: 8 BYE\r\n");
	td_msg_unref(m);

	bye = parse("BYE sip:bob@192.0.2.2 SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKz\r\nMax-Forwards: 70\r\n"
		    "From: <sip:alice@a.test>;tag=ft\r\nTo: <sip:bob@b.test>;tag=tt\r\nCall-ID: c1\r\nCSeq: 8 "
		    "BYE\r\nContent-Length: 0\r\n\r\n");
	assert_true(td_dialog_matches(d, bye));
	assert_int_equal(td_dialog_take_cseq(d, bye), 0);
	assert_int_equal(td_dialog_take_cseq(d, bye), TD_EORDER);
	bye->to_tag = TD_STR("other");
	assert_false(td_dialog_matches(d, bye));
	td_msg_unref(bye);
	td_dialog_free(d);
}

/* Proves RFC 3261 §12.2.1.1-3. */
static void strict_router(void **state)
{
	struct td_msg *m = parse(
		"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\r\nRecord-Route: <sip:loose.test;lr>,<sip:strict.test>\r\n"
		"From: <sip:alice@a.test>;tag=ft\r\nTo: <sip:bob@b.test>;tag=tt\r\nCall-ID: c1\r\nCSeq: 7 INVITE\r\n"
		"Contact: <sip:bob@192.0.2.2>\r\nContent-Length: 0\r\n\r\n");
	struct td_dialog *d = NULL;

	assert_int_equal(td_dialog_of_response(&d, m), 0);
	assert_true(td_str_eq(td_dialog_request_uri(d), TD_STR("sip:strict.test")));
	check_request(d, "BYE sip:strict.test SIP/2.0\r\nVia: SIP/2.0/UDP me;branch=z9hG4bKy\r\nMax-Forwards: 70\r\n"
			 "Route: <sip:loose.test;lr>\r\nRoute: <sip:bob@192.0.2.2>\r\nFrom: <sip:alice@a.test>;tag=ft\r\n"
			 "To: <sip:bob@b.test>;tag=tt\r\nCall-ID: c1\r\nCSeq: 8 BYE\r\n");
	td_dialog_free(d);
	td_msg_unref(m);
}

/* Proves RFC 3261 §12.1-1. */
static void no_dialog_without_tag_or_contact(void **state)
{
	static const char *const texts[] = {
		"SIP/2.0 180 Ringing\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\r\nFrom: <sip:a@a.test>;tag=ft\r\nTo: "
		"<sip:b@b.test>\r\n"
		"Call-ID: c1\r\nCSeq: 7 INVITE\r\nContact: <sip:bob@192.0.2.2>\r\n\r\n",
		"SIP/2.0 180 Ringing\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\r\nFrom: <sip:a@a.test>;tag=ft\r\nTo: "
		"<sip:b@b.test>;tag=t\r\n"
		"Call-ID: c1\r\nCSeq: 7 INVITE\r\n\r\n",
		"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\r\nFrom: <sip:a@a.test>;tag=ft\r\nTo: "
		"<sip:b@b.test>;tag=t\r\n"
		"Call-ID: c1\r\nCSeq: 7 INVITE\r\nContact: *\r\n\r\n",
	};
	struct td_dialog *d = NULL;
	size_t i;

	for (i = 0; i < TD_ARRAY_LEN(texts); i++) {
		struct td_msg *m = parse(texts[i]);

		assert_int_equal(td_dialog_of_response(&d, m), TD_ESYNTAX);
		assert_null(d);
		td_msg_unref(m);
	}
}

/* A peer that refreshes its target all day costs the room of its longest one. What a URI wants in headers stays out. */
/* Proves RFC 3261 §12.2.1.1-4, §12.2.2-3. */
static void targets_are_refreshed_in_place(void **state)
{
	struct td_msg *m = parse(invite);
	struct td_dialog *d = NULL;
	struct td_out o;
	const char *first;
	unsigned i;

	assert_int_equal(td_dialog_of_request(&d, m, TD_STR("tt")), 0);
	td_msg_unref(m);
	first = d->target.p;
	for (i = 0; i < 100; i++) {
		td_out_init(&o);
		td_out_fmt(&o,
			   "UPDATE sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\r\nMax-Forwards: 70\r\nFrom: "
			   "<sip:a@h>;tag=ft\r\n"
			   "To: <sip:b@h>;tag=tt\r\nCall-ID: c1\r\nCSeq: 8 UPDATE\r\nContact: "
			   "<sip:u%u@h?Subject=x>\r\nRecord-Route: <sip:new.test;lr>\r\nContent-Length: 0\r\n\r\n",
			   i);
		td_out_char(&o, '\0');
		m = parse(o.p);
		td_out_free(&o);
		assert_int_equal(td_dialog_refresh_target(d, m), 0);
		assert_ptr_equal(d->target.p, first);
		td_msg_unref(m);
	}
	assert_true(td_str_eq(d->target, TD_STR("sip:u99@h")));
	assert_true(td_str_eq(td_dialog_next_hop(d), TD_STR("sip:p2.test;lr"))); /* §12.2.2: the route set stays */
	td_dialog_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(uac_reverses_the_route),
		cmocka_unit_test(uas_keeps_the_route),
		cmocka_unit_test(strict_router),
		cmocka_unit_test(no_dialog_without_tag_or_contact),
		cmocka_unit_test(targets_are_refreshed_in_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
