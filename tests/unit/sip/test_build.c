/* New messages: what is written parses back into what was meant. */
#include "sip_support.h"

static void a_request(void **state)
{
	struct td_msg *m;
	struct td_out o;

	td_out_init(&o);
	td_put_request_line(&o, td_method_name(TD_MESSAGE), TD_STR("sip:b@x"));
	td_put_hdr(&o, TD_HDR_VIA, TD_STR("SIP/2.0/UDP h;branch=z9hG4bK1"));
	td_put_hdr(&o, TD_HDR_FROM, TD_STR("<sip:a@x>;tag=1"));
	td_put_hdr(&o, TD_HDR_TO, TD_STR("<sip:b@x>"));
	td_put_hdr(&o, TD_HDR_CALL_ID, TD_STR("1"));
	td_put_hdr(&o, TD_HDR_CSEQ, TD_STR("1 MESSAGE"));
	td_put_hdr_u64(&o, TD_HDR_MAX_FORWARDS, 70);
	td_put_hdr_named(&o, TD_STR("X-New"), TD_STR("1"));
	td_put_body(&o, TD_STR("text/plain"), TD_STR("hi"));
	m = msg_of(td_out_view(&o));
	assert_int_equal(m->defect.status, 0);
	assert_int_equal(m->method, TD_MESSAGE);
	assert_int_equal(m->max_forwards, 70);
	assert_str(m->body, "hi");
	assert_str(td_msg_value(m, TD_HDR_CONTENT_TYPE), "text/plain");
	assert_str(td_hdr_value(m, td_msg_hdr_named(m, TD_STR("x-new"))), "1");
	td_msg_unref(m);
	o.n = 0;
	td_put_body(&o, TD_STR_NULL, TD_STR_NULL);
	assert_str(td_out_view(&o), "Content-Length: 0\r\n\r\n");
	td_out_free(&o);
}

static void phrases(void **state)
{
	assert_str(td_reason_phrase(100), "Trying");
	assert_str(td_reason_phrase(608), "Rejected");
	assert_str(td_reason_phrase(487), "Request Terminated");
	assert_str(td_reason_phrase(499), "Request Failure");
	assert_str(td_reason_phrase(699), "Global Failure");
	assert_str(td_reason_phrase(101), "Progress");
	assert_int_equal(td_reason_phrase(99).n, 0);
	assert_int_equal(td_reason_phrase(700).n, 0);
	assert_str(td_reason_phrase(200), "OK");
	assert_str(td_reason_phrase(404), "Not Found");
	assert_str(td_reason_phrase(503), "Service Unavailable");
}

/* Proves RFC 3261 §8.2.6.1-2, §8.2.6.2-1, §8.2.6.2-2, §12.1.1-1. */
static void response_heads(void **state)
{
	static const struct {
		const char *name, *request;
		unsigned status;
		const char *reason, *tag;
		bool record_route;
		const char *head;
	} rows[] = {
		{ "Timestamp on 100, no tag",
		  "INVITE sip:b SIP/2.0\r\nVia: SIP/2.0/UDP h\r\nv: SIP/2.0/UDP i\r\nTimestamp: 5\r\nFrom: <sip:a>;tag=1\r\nt: "
		  "<sip:b>\r\n"
		  "i: c\r\nCSeq:1 INVITE\r\nRecord-Route: <sip:p;lr>\r\n\r\n",
		  100, "", "", false,
		  "SIP/2.0 100 Trying\r\nVia: SIP/2.0/UDP h\r\nv: SIP/2.0/UDP i\r\nFrom: <sip:a>;tag=1\r\nt: <sip:b>\r\ni: c\r\n"
		  "CSeq:1 INVITE\r\nTimestamp: 5\r\n" },
		{ "Record-Route, tag, folds as they were",
		  "INVITE sip:b SIP/2.0\r\nVia: SIP/2.0/UDP h\r\nRecord-Route: <sip:p;lr>\r\nFrom: <sip:a>\r\n ;tag=1  "
		  "\r\nTo:\r\n <sip:b>\r\n"
		  "Call-ID: c\r\nCSeq: 1 INVITE\r\nRecord-Route: <sip:q;lr>\r\n\r\n",
		  180, "Hold On", "t9", true,
		  "SIP/2.0 180 Hold On\r\nVia: SIP/2.0/UDP h\r\nRecord-Route: <sip:p;lr>\r\nRecord-Route: <sip:q;lr>\r\nFrom: "
		  "<sip:a>\r\n ;tag=1\r\n"
		  "To:\r\n <sip:b>;tag=t9\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n" },
		{ "the request had a tag",
		  "BYE sip:b SIP/2.0\r\nVia: SIP/2.0/UDP h\r\nFrom: <sip:a>;tag=1\r\nTo: <sip:b>;tag=2\r\nCall-ID: c\r\nCSeq: 1 "
		  "BYE\r\n\r\n",
		  200, "", "t9", false,
		  "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h\r\nFrom: <sip:a>;tag=1\r\nTo: <sip:b>;tag=2\r\nCall-ID: c\r\nCSeq: 1 "
		  "BYE\r\n" },
		{ "p4: only the first of two",
		  "BYE sip:b SIP/2.0\r\nVia: SIP/2.0/UDP h\r\nFrom: <sip:a>;tag=1\r\nFrom: <sip:z>;tag=1\r\nTo: "
		  "<sip:b>\r\nCall-ID: c\r\nCall-ID: d\r\n"
		  "CSeq: 1 BYE\r\n\r\n",
		  400, "From Twice", "t9", false,
		  "SIP/2.0 400 From Twice\r\nVia: SIP/2.0/UDP h\r\nFrom: <sip:a>;tag=1\r\nTo: <sip:b>;tag=t9\r\nCall-ID: "
		  "c\r\nCSeq: 1 BYE\r\n" },
		{ "p9: a To that did not parse",
		  "BYE sip:b SIP/2.0\r\nVia: SIP/2.0/UDP h\r\nFrom: <sip:a>;tag=1\r\nTo: \"B <sip:b>\r\nCall-ID: c\r\nCSeq: "
		  "x\r\n\r\n",
		  400, "", "t9", false,
		  "SIP/2.0 400 Bad Request\r\nVia: SIP/2.0/UDP h\r\nFrom: <sip:a>;tag=1\r\nTo: \"B <sip:b>\r\nCall-ID: "
		  "c\r\nCSeq: x\r\n" },
		{ "p6: bare line ends do not go out", "BYE sip:b SIP/2.0\nVia: SIP/2.0/UDP h\nFrom: <sip:a>\n ;tag=1\nCall-ID: c",
		  400, "", "t9", false,
		  "SIP/2.0 400 Bad Request\r\nVia: SIP/2.0/UDP h\r\nFrom: <sip:a>  ;tag=1\r\nCall-ID: c\r\n" },
	};

	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct td_msg *m = msg_z(rows[i].request);
		struct td_out o;

		td_out_init(&o);
		td_put_response_head(&o, m, rows[i].status, td_str_of(rows[i].reason), td_str_of(rows[i].tag),
				     rows[i].record_route);
		assert_str(td_out_view(&o), rows[i].head);
		td_out_free(&o);
		td_msg_unref(m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request),
		cmocka_unit_test(phrases),
		cmocka_unit_test(response_heads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
