/* Edits: forwarding what came in, changed only where somebody said so. */
#include "sip_support.h"

#include <errno.h>

#define LINE "OPTIONS sip:b@x SIP/2.0\r\n"
#define REST "f: <sip:a@x>;tag=1\r\nTo: <sip:b@x>\r\ni: 1\r\nCSeq: 1 OPTIONS\r\n"
#define END "\r\nbody"

static void applied(struct td_edits *ed, const char *want)
{
	struct td_buf *out = NULL;

	assert_int_equal(td_edits_apply(&out, ed), 0);
	assert_str(td_buf_str(out), want);
	assert_int_equal(out->size, out->len);
	td_buf_unref(out);
	td_edits_free(ed);
}

static void p13_no_edit_no_change(void **state)
{
	static const char text[] = LINE "v:  SIP/2.0/UDP h ;\r\n branch = 1\r\n" REST "X-y:z\r\n" END;
	struct td_msg *m = msg_z(text);
	struct td_edits ed;

	td_edits_init(&ed, m);
	applied(&ed, text);
	td_msg_unref(m);
}

static void forwarding(void **state)
{
	struct td_msg *m = msg_z(LINE "Via: SIP/2.0/UDP h;branch=1\r\nMax-Forwards: 70\r\nRoute: <sip:p;lr>, <sip:q;lr>\r\n" REST
				      "X: 1\r\n" END);
	struct td_edits ed;

	td_edits_init(&ed, m);
	td_edit_append(&ed, TD_STR("X: 2\r\n"));
	td_edit_insert_before(&ed, TD_HDR_VIA, TD_STR("Via: SIP/2.0/TCP us;branch=2\r\n"));
	td_edit_replace(&ed, td_msg_value(m, TD_HDR_MAX_FORWARDS), TD_STR("69"));
	td_edit_remove_first_value(&ed, TD_HDR_ROUTE);
	td_edit_replace(&ed, m->uri, TD_STR("sip:b@192.0.2.1:5062"));
	td_edit_insert_before(&ed, TD_HDR_RECORD_ROUTE, TD_STR("Record-Route: <sip:us;lr>\r\n"));
	td_edit_append(&ed, TD_STR("X: 3\r\n"));
	applied(&ed,
		"OPTIONS sip:b@192.0.2.1:5062 SIP/2.0\r\nVia: SIP/2.0/TCP us;branch=2\r\nRecord-Route: <sip:us;lr>\r\n"
		"Via: SIP/2.0/UDP h;branch=1\r\nMax-Forwards: 69\r\nRoute: <sip:q;lr>\r\n" REST "X: 1\r\nX: 2\r\nX: 3\r\n" END);
	td_msg_unref(m);
}

static void values_removed(void **state)
{
	static const struct {
		const char *before, *after;
		unsigned count;
	} rows[] = {
		{ "Route: <sip:a>\r\n", "", 1 },
		{ "Route: <sip:a>\r\nRoute: <sip:b>\r\n", "Route: <sip:b>\r\n", 1 },
		{ "Route: <sip:a,x> ,\r\n <sip:b>\r\n", "Route: <sip:b>\r\n", 1 },
		{ "Route: <sip:a>, <sip:b>\r\nRoute: <sip:c>, <sip:d>\r\n", "Route: <sip:d>\r\n", 3 },
		{ "Route: <sip:a>, <sip:b>\r\nSubject: x\r\nRoute: <sip:c>\r\n", "Subject: x\r\nRoute: <sip:c>\r\n", 2 },
		{ "Route: <sip:a>\r\n", "", 5 },
		{ "Route: <sip:a>\r\n", "Route: <sip:a>\r\n", 0 },
		{ "Subject: x\r\n", "Subject: x\r\n", 1 },
		{ "Route:\r\nRoute: <sip:a>, <sip:b>\r\n", "Route: <sip:b>\r\n", 1 },
	};

	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct td_out before, after;
		struct td_msg *m;
		struct td_edits ed;

		td_out_init(&before);
		td_out_init(&after);
		td_out_fmt(&before, "%s%s%s", LINE "Via: SIP/2.0/UDP h\r\n" REST, rows[i].before, END);
		td_out_fmt(&after, "%s%s%s%c", LINE "Via: SIP/2.0/UDP h\r\n" REST, rows[i].after, END, '\0');
		m = msg_of(td_out_view(&before));
		td_edits_init(&ed, m);
		td_edit_remove_values(&ed, TD_HDR_ROUTE, rows[i].count);
		applied(&ed, after.p);
		td_out_free(&before);
		td_out_free(&after);
		td_msg_unref(m);
	}
}

static void one_place(void **state)
{
	struct td_msg *m = msg_z(LINE "Via: SIP/2.0/UDP h\r\n" REST END);
	const struct td_hdr *via = td_msg_hdr(m, TD_HDR_VIA);
	struct td_buf *out = NULL;
	struct td_edits ed;

	/* a removal and insertions where it starts, whichever came first */
	td_edits_init(&ed, m);
	td_edit_insert_before(&ed, TD_HDR_VIA, TD_STR("1"));
	td_edit_remove_hdr(&ed, via);
	td_edit_insert(&ed, via->at, TD_STR("2"));
	td_edit_insert(&ed, via->at + via->n, TD_STR("3"));
	applied(&ed, LINE "123" REST END);

	/* the same bytes twice, or an insertion among bytes that go */
	td_edits_init(&ed, m);
	td_edit_remove_hdr(&ed, via);
	td_edit_remove_hdr(&ed, via);
	assert_int_equal(td_edits_apply(&out, &ed), -EINVAL);
	td_edits_free(&ed);
	td_edits_init(&ed, m);
	td_edit_insert(&ed, via->at + via->value_at, TD_STR("x"));
	td_edit_remove_hdr(&ed, via);
	assert_int_equal(td_edits_apply(&out, &ed), -EINVAL);
	td_edits_free(&ed);
	assert_null(out);
	td_msg_unref(m);
}

static void many_and_too_long(void **state)
{
	struct td_msg *m = msg_z(LINE "Via: SIP/2.0/UDP h\r\n" REST END);
	struct td_str big = exact_copy(td_str_n((char[TD_SIP_MAX_MESSAGE]){ 0 }, TD_SIP_MAX_MESSAGE));
	struct td_buf *out = NULL;
	struct td_edits ed;
	char want[1000];
	size_t n = 0;

	td_edits_init(&ed, m);
	for (unsigned i = 0; i < 3 * TD_EDITS_INLINE; i++)
		td_edit_insert(&ed, 0, i % 2 ? TD_STR("b") : TD_STR("a"));
	for (; n < 3 * TD_EDITS_INLINE; n++)
		want[n] = n % 2 ? 'b' : 'a';
	memcpy(want + n, LINE "Via: SIP/2.0/UDP h\r\n" REST END, sizeof(LINE "Via: SIP/2.0/UDP h\r\n" REST END));
	applied(&ed, want);

	td_edit_append(&ed, big);
	assert_int_equal(td_edits_apply(&out, &ed), TD_ELIMIT);
	assert_null(out);
	td_edits_free(&ed);
	exact_free(big);
	td_msg_unref(m);
}

/* RFC 3581 §4, RFC 3261 §18.2.1: in what is forwarded and in what is answered alike. */
/* Proves RFC 3581 §4-1. */
static void p5_received_and_rport(void **state)
{
	static const struct {
		const char *before, *received;
		uint16_t rport;
		const char *after;
	} rows[] = {
		{ "SIP/2.0/UDP h;branch=1", "", 0, "SIP/2.0/UDP h;branch=1" },
		{ "SIP/2.0/UDP h;branch=1", "192.0.2.9", 4000, "SIP/2.0/UDP h;branch=1;received=192.0.2.9" },
		{ "SIP/2.0/UDP h;rport;branch=1", "192.0.2.9", 4000, "SIP/2.0/UDP h;rport=4000;branch=1;received=192.0.2.9" },
		{ "SIP/2.0/UDP h;branch=1;rport", "2001:db8::1", 65535,
		  "SIP/2.0/UDP h;branch=1;rport=65535;received=2001:db8::1" },
		{ "SIP/2.0/UDP h;RPORT = 7 ;x", "1.2.3.4", 9, "SIP/2.0/UDP h;rport=9 ;x;received=1.2.3.4" },
		{ "SIP/2.0/UDP h;received=9.9.9.9;x", "1.2.3.4", 0, "SIP/2.0/UDP h;received=1.2.3.4;x" },
		{ "SIP/2.0/UDP h ; received = [::1] ;rport", "1.2.3.4", 5, "SIP/2.0/UDP h ;received=1.2.3.4 ;rport=5" },
		{ "SIP/2.0/UDP h;rport;received=9.9.9.9", "1.2.3.4", 5, "SIP/2.0/UDP h;rport=5;received=1.2.3.4" },
		{ "SIP/2.0/UDP h;received=9.9.9.9;x", "", 0, "SIP/2.0/UDP h;x" },
		{ "SIP/2.0/UDP h;rport, SIP/2.0/TCP i;rport", "1.2.3.4", 5,
		  "SIP/2.0/UDP h;rport=5;received=1.2.3.4, SIP/2.0/TCP i;rport" },
	};

	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct td_out before, after;
		struct td_msg *m;
		struct td_edits ed;

		td_out_init(&before);
		td_out_init(&after);
		td_out_fmt(&before, LINE "Via: %s\r\nv: SIP/2.0/UDP j\r\n" REST END, rows[i].before);
		m = msg_of(td_out_view(&before));
		assert_int_equal(m->defect.status, 0);
		m->received = td_str_of(rows[i].received);
		m->rport = rows[i].rport;
		td_edits_init(&ed, m);
		td_edit_via_received(&ed, m);
		td_out_fmt(&after, LINE "Via: %s\r\nv: SIP/2.0/UDP j\r\n" REST END "%c", rows[i].after, '\0');
		applied(&ed, after.p);
		before.n = after.n = 0;
		td_put_response_head(&before, m, 200, TD_STR_NULL, TD_STR("t"), false);
		td_out_fmt(&after,
			   "SIP/2.0 200 OK\r\nVia: %s\r\nv: SIP/2.0/UDP j\r\nf: <sip:a@x>;tag=1\r\nTo: <sip:b@x>;tag=t\r\ni: "
			   "1\r\nCSeq: 1 OPTIONS\r\n%c",
			   rows[i].after, '\0');
		assert_str(td_out_view(&before), after.p);
		td_out_free(&before);
		td_out_free(&after);
		td_msg_unref(m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(p13_no_edit_no_change), cmocka_unit_test(forwarding),
		cmocka_unit_test(values_removed),        cmocka_unit_test(one_place),
		cmocka_unit_test(many_and_too_long),     cmocka_unit_test(p5_received_and_rport),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
