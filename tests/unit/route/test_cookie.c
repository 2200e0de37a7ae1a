#include "support.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>

#include "server/route/route.h"

static void reference(uint8_t out[16], const uint8_t key[16], struct td_str in)
{
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "SIPHASH", NULL);
	EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(mac);
	size_t n;

	assert_int_equal(EVP_MAC_init(ctx, key, 16, NULL), 1);
	assert_int_equal(EVP_MAC_update(ctx, (const unsigned char *)in.p, in.n), 1);
	assert_int_equal(EVP_MAC_final(ctx, out, &n, 16), 1);
	assert_int_equal(n, 16);
	EVP_MAC_CTX_free(ctx);
	EVP_MAC_free(mac);
}

static void siphash_is_the_published_one(void **state)
{
	uint8_t key[16], want[16], got[16];
	char text[64];

	for (int i = 0; i < 16; i++)
		key[i] = (uint8_t)i;
	for (size_t n = 0; n < sizeof(text); n++) {
		struct td_str s;

		text[n] = (char)n;
		s = exact_copy(td_str_n(text, n));
		reference(want, key, s);
		td_siphash128(got, key, s.p, s.n);
		assert_memory_equal(got, want, 16);
		exact_free(s);
	}
}

static const uint8_t key[16] = "0123456789abcdef";

static enum td_cookie shows(const char *call_id, const char *from_tag, const char *to_tag, struct td_str cookie)
{
	struct td_msg m = { .call_id = td_str_of(call_id), .from_tag = td_str_of(from_tag), .to_tag = td_str_of(to_tag) };
	struct td_uri uri = { 0 };
	char params[64] = ";lr;td=";

	memcpy(params + 7, cookie.p, cookie.n);
	uri.params = td_str_n(params, 7 + cookie.n);
	return td_route_cookie_of(key, &uri, &m);
}

static void d1_d3_a_cookie_proves_one_dialog(void **state)
{
	char c[TD_COOKIE_LEN];
	struct td_str s = { c, sizeof(c) };

	td_route_cookie(c, key, TD_COOKIE_STATEFUL, TD_STR("call1"), TD_STR("alice"));
	assert_int_equal(shows("call1", "alice", "bob", s), TD_COOKIE_STATEFUL);
	assert_true(shows("call1", "alice", "bob", s));
	assert_true(shows("call1", "bob", "alice", s)); /* the callee's BYE */
	assert_false(shows("call1", "alice", NULL, s)); /* a new request is no dialog */
	assert_false(shows("call2", "alice", "bob", s));
	assert_false(shows("call1", "mallory", "bob", s));
	assert_false(shows("call1a", "lice", "bob", s));
	assert_false(shows("call1", "alice", "bob", td_str_n(c, TD_COOKIE_LEN - 1)));
	c[3] ^= 1;
	assert_false(shows("call1", "alice", "bob", s));
}

/* Neither kind can be taken for the other: whose calls are kept count of does not choose to be forgotten. */
static void d3_a_cookie_says_how_its_dialog_is_forwarded(void **state)
{
	char stateful[TD_COOKIE_LEN], stateless[TD_COOKIE_LEN];

	td_route_cookie(stateful, key, TD_COOKIE_STATEFUL, TD_STR("call1"), TD_STR("alice"));
	td_route_cookie(stateless, key, TD_COOKIE_STATELESS, TD_STR("call1"), TD_STR("alice"));
	assert_memory_not_equal(stateful, stateless, TD_COOKIE_LEN);
	assert_int_equal(shows("call1", "alice", "bob", td_str_n(stateful, TD_COOKIE_LEN)), TD_COOKIE_STATEFUL);
	assert_int_equal(shows("call1", "bob", "alice", td_str_n(stateless, TD_COOKIE_LEN)), TD_COOKIE_STATELESS);
	assert_int_equal(shows("call2", "bob", "alice", td_str_n(stateless, TD_COOKIE_LEN)), TD_COOKIE_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(siphash_is_the_published_one),
		cmocka_unit_test(d1_d3_a_cookie_proves_one_dialog),
		cmocka_unit_test(d3_a_cookie_says_how_its_dialog_is_forwarded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
