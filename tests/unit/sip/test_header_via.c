#include "support.h"

#include <tandem/sip.h>

static const struct row {
	const char *in;
	int err;
	const char *transport, *host;
	uint16_t port;
	const char *params, *branch, *received, *maddr;
	int rport; /* -1: absent; 0: without a value */
} rows[] = {
	{ "SIP/2.0/UDP erlang.bell-telephone.com:5060;branch=z9hG4bK87asdks7", 0, "UDP", "erlang.bell-telephone.com", 5060,
	  ";branch=z9hG4bK87asdks7", "z9hG4bK87asdks7", "", "", -1 },
	{ "SIP/2.0/UDP 192.0.2.1:5060 ;received=192.0.2.207;branch=z9hG4bK77asjd", 0, "UDP", "192.0.2.1", 5060,
	  ";received=192.0.2.207;branch=z9hG4bK77asjd", "z9hG4bK77asjd", "192.0.2.207", "", -1 },
	/* RFC 3261 §20.42: blanks around every separator */
	{ "SIP / 2.0 / UDP first.example.com: 4000;ttl=16 ;maddr=224.2.0.1 ;branch=z9hG4bKa7c6a8dlze.1", 0, "UDP",
	  "first.example.com", 4000, ";ttl=16 ;maddr=224.2.0.1 ;branch=z9hG4bKa7c6a8dlze.1", "z9hG4bKa7c6a8dlze.1", "",
	  "224.2.0.1", -1 },
	{ "SIP  /\r\n 2.0  / TCP     spindle.example.com   ; branch  =   z9hG4bK9ikj8", 0, "TCP", "spindle.example.com", 0,
	  "; branch  =   z9hG4bK9ikj8", "z9hG4bK9ikj8", "", "", -1 },
	{ "sip/1.0/x-other h", 0, "x-other", "h", 0, "", "", "", "", -1 },
	{ "SIP/2.0/UDP 10.1.1.1:4540;rport;branch=z9hG4bKkjshdyff", 0, "UDP", "10.1.1.1", 4540, ";rport;branch=z9hG4bKkjshdyff",
	  "z9hG4bKkjshdyff", "", "", 0 },
	{ "SIP/2.0/UDP h;RPORT=9988;Received=[2001:db8::9:1];x=\"a;rport\";lonely", 0, "UDP", "h", 0,
	  ";RPORT=9988;Received=[2001:db8::9:1];x=\"a;rport\";lonely", "", "2001:db8::9:1", "", 9988 }, /* RFC 5118 §4.5 */
	{ "SIP/2.0/UDP [2001:db8::9:1]:5061;received=2001:db8::9:255;maddr=[ff02::1]", 0, "UDP", "2001:db8::9:1", 5061,
	  ";received=2001:db8::9:255;maddr=[ff02::1]", "", "2001:db8::9:255", "ff02::1", -1 },
	{ "SIP/2.0/UDP h;received=2001:db8:::192.0.2.1", 0, "UDP", "h", 0, ";received=2001:db8:::192.0.2.1", "",
	  "2001:db8:::192.0.2.1", "", -1 }, /* RFC 5118 §4.10 */
	/* P5 */
	{ "SIP/2.0/UDP", TD_ESYNTAX },
	{ "SIP/2.0/UDP ", TD_ESYNTAX },
	{ "SIP/2.0/UDP :5060", TD_ESYNTAX },
	{ "SIP/2.0/UDP ;branch=x", TD_ESYNTAX },
	{ "SIP/2.0 h", TD_ESYNTAX },
	{ "SIP/2.0/ h", TD_ESYNTAX },
	{ "SIP/2.0/UDPh", TD_ESYNTAX },
	{ "/2.0/UDP h", TD_ESYNTAX },
	{ "SIP//UDP h", TD_ESYNTAX },
	{ "SIP/2.0/UDP h:0", TD_ESYNTAX },
	{ "SIP/2.0/UDP h:", TD_ESYNTAX },
	{ "SIP/2.0/UDP h:x", TD_ESYNTAX },
	{ "SIP/2.0/UDP h:-1", TD_ESYNTAX },
	{ "SIP/2.0/UDP h:65536", TD_ESYNTAX },
	{ "SIP/2.0/UDP h:99999999999999999999999999", TD_ESYNTAX },
	{ "SIP/2.0/UDP h:5060:5060", TD_ESYNTAX },
	{ "SIP/2.0/UDP h i", TD_ESYNTAX },
	{ "SIP/2.0/UDP user@h", TD_ESYNTAX },
	{ "SIP/2.0/UDP 2001:db8::1", TD_ESYNTAX },
	{ "SIP/2.0/UDP [2001:db8::1", TD_ESYNTAX },
	{ "SIP/2.0/UDP []", TD_ESYNTAX },
	{ "SIP/2.0/UDP h;;branch=x", TD_ESYNTAX }, /* RFC 4475 §3.1.2.1 */
	{ "SIP/2.0/UDP h;branch=x;,", TD_ESYNTAX },
	{ "SIP/2.0/UDP h;branch=x;", TD_ESYNTAX },
	{ "SIP/2.0/UDP h;branch", TD_ESYNTAX },
	{ "SIP/2.0/UDP h;branch=", TD_ESYNTAX },
	{ "SIP/2.0/UDP h;branch=\"x\"", TD_ESYNTAX },
	{ "SIP/2.0/UDP h;branch=a;branch=b", TD_ESYNTAX },
	{ "SIP/2.0/UDP h;rport;rport=1", TD_ESYNTAX },
	{ "SIP/2.0/UDP h;rport=", TD_ESYNTAX },
	{ "SIP/2.0/UDP h;rport=65536", TD_ESYNTAX },
	{ "SIP/2.0/UDP h;rport=x", TD_ESYNTAX },
	{ "SIP/2.0/UDP h;received=256.1.1.1", TD_ESYNTAX },
	{ "SIP/2.0/UDP h;received=1.1.1", TD_ESYNTAX },
	{ "SIP/2.0/UDP h;received=1.1.1.1.", TD_ESYNTAX },
	{ "SIP/2.0/UDP h;received=host.example", TD_ESYNTAX },
	{ "SIP/2.0/UDP h;received=[192.0.2.1]", TD_ESYNTAX },
	{ "SIP/2.0/UDP h;received", TD_ESYNTAX },
	{ "SIP/2.0/UDP h;received=1.1.1.1;received=2.2.2.2", TD_ESYNTAX },
	{ "SIP/2.0/UDP h;maddr", TD_ESYNTAX },
	{ "SIP/2.0/UDP h;maddr=h:5060", TD_ESYNTAX },
	{ "SIP/2.0/UDP h;maddr=a;maddr=b", TD_ESYNTAX },
	{ "SIP/2.0/UDP h;ttl=256", TD_ESYNTAX },
	{ "SIP/2.0/UDP h;ttl=", TD_ESYNTAX },
	{ "SIP/2.0/UDP h;ttl=0001", TD_ESYNTAX },
	{ "SIP/2.0/UDP h;x=\"open", TD_ESYNTAX },
	{ "SIP/2.0/UDP h;x=\"open\\\"", TD_ESYNTAX },
	{ "SIP/2.0/UDP h, SIP/2.0/UDP i", TD_ESYNTAX },
	{ "SIP/2.0/UDP h\r\n;branch=x", TD_ESYNTAX },
	{ "", TD_ESYNTAX },
};

static void p5_via_values(void **state)
{
	const struct row *r;

	for (r = rows; r < rows + TD_ARRAY_LEN(rows); r++) {
		struct td_str in = exact(r->in);
		struct td_via v = { .port = 77 };

		if (td_via_parse(&v, in) != r->err)
			fail_msg("%s", r->in);
		if (r->err) {
			assert_int_equal(v.port, 77);
			exact_free(in);
			continue;
		}
		assert_str(v.text, r->in);
		assert_str(v.transport, r->transport);
		assert_str(v.host, r->host);
		assert_int_equal(v.host_v6, strchr(r->host, ':') != NULL);
		assert_int_equal(v.port, r->port);
		assert_str(v.params, r->params);
		assert_str(v.branch, r->branch);
		assert_str(v.received, r->received);
		assert_str(v.maddr, r->maddr);
		assert_int_equal(v.rport, r->rport >= 0);
		assert_int_equal(v.rport_value, r->rport > 0 ? r->rport : 0);
		exact_free(in);
	}
}

/* rport_text is what a server overwrites with "rport=PORT" (RFC 3581 §4). */
static void rport_as_written(void **state)
{
	struct td_via v;

	assert_int_equal(td_via_parse(&v, TD_STR("SIP/2.0/UDP h;rport;branch=a")), 0);
	assert_str(v.rport_text, "rport");
	assert_int_equal(td_via_parse(&v, TD_STR("SIP/2.0/UDP h; Rport = 12 ;branch=a")), 0);
	assert_str(v.rport_text, "Rport = 12");
	assert_int_equal(v.rport_value, 12);
	assert_int_equal(td_via_parse(&v, TD_STR("SIP/2.0/UDP h;branch=a;ttl=255")), 0);
	assert_null(v.rport_text.p);
	assert_int_equal(v.ttl, 255);
}

static int with_branch_of(size_t n)
{
	struct td_via v;
	struct td_out o;
	char *room;
	int err;

	td_out_init(&o);
	td_out_z(&o, "SIP/2.0/UDP h;branch=");
	room = td_out_room(&o, n);
	assert_non_null(room);
	memset(room, 'b', n);
	err = td_via_parse(&v, td_out_view(&o));
	td_out_free(&o);
	return err;
}

static int with_params(unsigned n)
{
	struct td_via v;
	struct td_out o;
	int err;

	td_out_init(&o);
	td_out_z(&o, "SIP/2.0/UDP h");
	while (n--)
		td_out_z(&o, ";p");
	err = td_via_parse(&v, td_out_view(&o));
	td_out_free(&o);
	return err;
}

static void p3_long_branch_many_params(void **state)
{
	assert_int_equal(with_branch_of(TD_SIP_MAX_TOKEN), 0);
	assert_int_equal(with_branch_of(TD_SIP_MAX_TOKEN + 1), TD_ELIMIT);
	assert_int_equal(with_branch_of(60 * 1024), TD_ELIMIT);
	assert_int_equal(with_params(TD_SIP_MAX_PARAMS), 0);
	assert_int_equal(with_params(TD_SIP_MAX_PARAMS + 1), TD_ELIMIT);
	assert_int_equal(with_params(10000), TD_ELIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(p5_via_values),
		cmocka_unit_test(rport_as_written),
		cmocka_unit_test(p3_long_branch_many_params),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
