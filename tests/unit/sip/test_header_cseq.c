#include "support.h"

#include <tandem/sip.h>

static const struct row {
	const char *in;
	int err;
	uint32_t num;
	enum td_method method;
	const char *name;
} rows[] = {
	{ "4711 INVITE", 0, 4711, TD_INVITE, "INVITE" },
	{ "0 REGISTER", 0, 0, TD_REGISTER, "REGISTER" },
	{ "0009\r\n  INVITE", 0, 9, TD_INVITE, "INVITE" }, /* RFC 4475 §3.1.1.1 */
	{ "00000000000000000000000000001 ACK", 0, 1, TD_ACK, "ACK" },
	{ "2147483647 ACK", 0, 2147483647, TD_ACK, "ACK" },
	{ "1 invite", 0, 1, TD_METHOD_OTHER, "invite" }, /* methods are case-sensitive */
	{ "139122385 !interesting-Method0123456789_*+`.%indeed'~", 0, 139122385, TD_METHOD_OTHER,
	  "!interesting-Method0123456789_*+`.%indeed'~" },
	{ "2147483648 ACK", TD_ESYNTAX }, /* §8.1.1.5 */
	{ "4294967296 ACK", TD_ESYNTAX },
	{ "4294967297 ACK", TD_ESYNTAX },
	{ "18446744073709551617 ACK", TD_ESYNTAX },
	{ "-1 ACK", TD_ESYNTAX },
	{ "+1 ACK", TD_ESYNTAX },
	{ "0x10 ACK", TD_ESYNTAX },
	{ "1INVITE", TD_ESYNTAX }, /* LWS is not optional */
	{ "1", TD_ESYNTAX },
	{ "1 ", TD_ESYNTAX },
	{ "INVITE", TD_ESYNTAX },
	{ "1 INVITE x", TD_ESYNTAX },
	{ "1 INV;ITE", TD_ESYNTAX },
	{ "1\r\nINVITE", TD_ESYNTAX },
	{ "", TD_ESYNTAX },
};

/* Proves RFC 3261 §8.1.1.5-1. */
static void p2_cseq_values(void **state)
{
	const struct row *r;

	for (r = rows; r < rows + TD_ARRAY_LEN(rows); r++) {
		struct td_cseq cs = { .num = 77 };
		struct td_str in = exact(r->in);

		if (td_cseq_parse(&cs, in) != r->err)
			fail_msg("%s", r->in);
		assert_int_equal(cs.num, r->err ? 77 : r->num);
		if (!r->err) {
			assert_int_equal(cs.method, r->method);
			assert_str(cs.method_name, r->name);
		}
		exact_free(in);
	}
}

static void p3_method_of_10_kib(void **state)
{
	static char big[10242] = "1 ";
	struct td_cseq cs;

	memset(big + 2, 'M', sizeof(big) - 2);
	assert_int_equal(td_cseq_parse(&cs, td_str_n(big, sizeof(big))), TD_ELIMIT);
	assert_int_equal(td_cseq_parse(&cs, td_str_n(big, 2 + TD_SIP_MAX_TOKEN)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(p2_cseq_values),
		cmocka_unit_test(p3_method_of_10_kib),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
