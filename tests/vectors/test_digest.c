/*
 * tests/data/digest: RFC 2617 §3.5, RFC 7616 §3.9 and computed rows. "response" is right in all of them (the printed value of
 * one RFC row is a known erratum). Rows of algorithms and qops that tandem does not offer must be refused by name.
 */
#include "support.h"

#include <jansson.h>
#include <stdio.h>
#include <tandem/auth.h>

static struct td_str field(json_t *row, const char *name)
{
	return td_str_of(json_string_value(json_object_get(row, name)));
}

static void digest_vectors(void **state)
{
	char path[4096];
	json_error_t why;
	unsigned computed = 0, refused = 0;
	json_t *rows, *row;
	size_t i;

	snprintf(path, sizeof(path), "%s/digest/digest.json", getenv("TANDEM_TEST_DATA"));
	rows = json_load_file(path, 0, &why);
	assert_non_null(rows);
	json_array_foreach(rows, i, row)
	{
		struct td_str name = field(row, "algorithm");
		struct td_digest_input in = {
			.method = field(row, "method"),
			.uri = field(row, "uri"),
			.nonce = field(row, "nonce"),
			.nc = field(row, "nc"),
			.cnonce = field(row, "cnonce"),
			.qop = field(row, "qop"),
		};
		char out[TD_DIGEST_HEX_MAX];
		struct td_ha1 ha1;

		if (td_digest_alg_parse(&in.alg, name)) {
			assert_false(td_str_eq(name, TD_STR("MD5")) || td_str_eq(name, TD_STR("SHA-256")));
			refused++;
			continue;
		}
		if (in.qop.n && !td_str_eq(in.qop, TD_STR("auth"))) {
			refused++;
			continue;
		}
		assert_int_equal(td_ha1_make(&ha1, in.alg, field(row, "username"), field(row, "realm"), field(row, "password")),
				 0);
		assert_str(td_str_n(out, td_digest_response(out, &ha1, &in)),
			   json_string_value(json_object_get(row, "response")));
		computed++;
	}
	assert_int_equal(computed, 9);
	assert_int_equal(computed + refused, json_array_size(rows));
	json_decref(rows);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(digest_vectors) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
