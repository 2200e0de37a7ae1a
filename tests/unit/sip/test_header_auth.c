#include "support.h"

#include <tandem/sip.h>

static void digest_credentials(void **state)
{
	/* RFC 3261 §20.7, with the forms peers mix up: qop in quotes, blanks and a fold around the separators */
	struct td_str in = exact(
		"Digest username=\"Alice\", realm=\"atlanta.com\",\r\n nonce=\"84a4cc6f3082121f32b42a2187831a9e\", "
		"uri=\"sip:a,b;c@atlanta.com\" ,response = \"7587245234b3434cc3412213e5f113a5\", qop=\"auth\", nc=00000001, "
		"cnonce=\"0a4f\\\"113b\", opaque=\"\", algorithm=MD5, x=y");
	struct td_auth a;

	assert_int_equal(td_auth_parse(&a, in), 0);
	assert_true(a.digest);
	assert_str(a.scheme, "Digest");
	assert_str(a.username, "Alice");
	assert_str(a.realm, "atlanta.com");
	assert_str(a.nonce, "84a4cc6f3082121f32b42a2187831a9e");
	assert_str(a.uri, "sip:a,b;c@atlanta.com");
	assert_str(a.response, "7587245234b3434cc3412213e5f113a5");
	assert_str(a.qop, "auth");
	assert_str(a.nc, "00000001");
	assert_str(a.cnonce, "0a4f\\\"113b");
	assert_str(a.algorithm, "MD5");
	assert_non_null(a.opaque.p);
	assert_int_equal(a.opaque.n, 0);
	assert_null(a.stale.p);
	assert_null(a.domain.p);
	exact_free(in);
}

static void digest_challenge(void **state)
{
	struct td_str in =
		exact("DIGEST Realm=\"atlanta.com\", domain=\"sip:boxesbybob.com\", qop=\"auth,auth-int\", nonce=\"f84f1\", "
		      "opaque=\"\", stale=FALSE, algorithm=SHA-256");
	struct td_auth a;

	assert_int_equal(td_auth_parse(&a, in), 0);
	assert_true(a.digest);
	assert_str(a.realm, "atlanta.com");
	assert_str(a.domain, "sip:boxesbybob.com");
	assert_str(a.qop, "auth,auth-int");
	assert_str(a.stale, "FALSE");
	assert_str(a.algorithm, "SHA-256");
	assert_null(a.username.p);
	exact_free(in);
}

static const struct {
	const char *in;
	int err;
} rows[] = {
	{ "NoOneKnowsThisScheme opaque-data=here", 0 }, /* RFC 4475 §3.3.7 */
	{ "Digest nonce=\"\"", 0 },                     /* what must be there is for auth/ to say */
	{ "Digest username=\"u\", realm=\"r\", nonce=\"\", uri=\"sip:r\", response=\"\"", 0 }, /* 3GPP TS 24.229 §5.1.1.2 */
	{ "Digest nc=0000000A", 0 },
	{ "Digest response=\"xyz\"", TD_ESYNTAX },
	{ "Digest nc=1", TD_ESYNTAX },
	{ "Digest nc=0000000g", TD_ESYNTAX },
	{ "Digest nc=000000001", TD_ESYNTAX },
	{ "Digest realm=\"a\", realm=\"b\"", TD_ESYNTAX },
	{ "Digest realm=\"a\", REALM=\"a\"", TD_ESYNTAX },
	{ "Digest nonce=\"\", nonce=\"b\"", TD_ESYNTAX },
	{ "Digest x=1, y=2, X=3", TD_ESYNTAX },
	{ "Digest", TD_ESYNTAX },
	{ "Digest ", TD_ESYNTAX },
	{ "Digest ,", TD_ESYNTAX },
	{ "Digest realm", TD_ESYNTAX },
	{ "Digest realm=", TD_ESYNTAX },
	{ "Digest realm=\"a", TD_ESYNTAX },
	{ "Digest realm=\"a\\", TD_ESYNTAX },
	{ "Digest realm=\"a\\\"", TD_ESYNTAX },
	{ "Digest realm=\"a\",", TD_ESYNTAX },
	{ "Digest realm=\"a\",,nonce=\"b\"", TD_ESYNTAX },
	{ "Digest realm=\"a\" nonce=\"b\"", TD_ESYNTAX },
	{ "Digest realm=\"a\"; nonce=\"b\"", TD_ESYNTAX },
	{ "Digest =\"a\"", TD_ESYNTAX },
	{ "Digestrealm=\"a\"", TD_ESYNTAX },
	{ "", TD_ESYNTAX },
};

static void a3_malformed_authorization(void **state)
{
	size_t i;

	for (i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct td_str in = exact(rows[i].in);
		struct td_auth a = { .scheme = TD_STR_INIT("kept") };

		if (td_auth_parse(&a, in) != rows[i].err)
			fail_msg("%s", rows[i].in);
		if (rows[i].err)
			assert_str(a.scheme, "kept");
		exact_free(in);
	}
}

static int with_n_params(unsigned n)
{
	struct td_auth a;
	struct td_out o;
	unsigned i;
	int err;

	td_out_init(&o);
	td_out_z(&o, "Digest realm=\"r\"");
	for (i = 0; i < n; i++)
		td_out_fmt(&o, ", p%u=\"v\"", i);
	assert_false(o.failed);
	err = td_auth_parse(&a, td_out_view(&o));
	td_out_free(&o);
	return err;
}

static void a3_200_params(void **state)
{
	assert_int_equal(with_n_params(TD_SIP_MAX_PARAMS), 0);
	assert_int_equal(with_n_params(TD_SIP_MAX_PARAMS + 1), TD_ELIMIT);
	assert_int_equal(with_n_params(200), TD_ELIMIT);
}

static int with_value_of(const char *name, size_t n)
{
	struct td_auth a;
	struct td_out o;
	char *room;
	int err;

	td_out_init(&o);
	td_out_fmt(&o, "Digest %s=\"", name);
	room = td_out_room(&o, n);
	assert_non_null(room);
	memset(room, 'a', n);
	td_out_char(&o, '"');
	err = td_auth_parse(&a, td_out_view(&o));
	td_out_free(&o);
	return err;
}

static void p3_long_values(void **state)
{
	static const char *const names[] = { "realm", "nonce", "username", "response", "cnonce", "opaque", "qop", "algorithm" };
	size_t i;

	for (i = 0; i < TD_ARRAY_LEN(names); i++) {
		assert_int_equal(with_value_of(names[i], TD_SIP_MAX_TOKEN), 0);
		assert_int_equal(with_value_of(names[i], TD_SIP_MAX_TOKEN + 1), TD_ELIMIT);
		assert_int_equal(with_value_of(names[i], 60000), TD_ELIMIT);
	}
	assert_int_equal(with_value_of("uri", TD_SIP_MAX_URI), 0);
	assert_int_equal(with_value_of("uri", TD_SIP_MAX_URI + 1), TD_ELIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(digest_credentials),
		cmocka_unit_test(digest_challenge),
		cmocka_unit_test(a3_malformed_authorization),
		cmocka_unit_test(a3_200_params),
		cmocka_unit_test(p3_long_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
