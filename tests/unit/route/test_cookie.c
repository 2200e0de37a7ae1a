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
	struct td_str flows = TD_STR_NULL;
	char params[64] = ";lr;td=";

	memcpy(params + 7, cookie.p, cookie.n);
	uri.params = td_str_n(params, 7 + cookie.n);
	return td_route_cookie_of(&flows, key, &uri, &m);
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

static struct td_flow flow_of(const char *address, uint64_t conn)
{
	struct td_flow f = { .proto = conn ? TD_TCP : TD_UDP, .listener = 3, .conn = conn };

	assert_int_equal(td_addr_parse(&f.peer, td_str_of(address)), 0);
	return f;
}

static int flow_for(struct td_flow *out, const char *call_id, const char *from_tag, const char *to_tag, struct td_str flows)
{
	struct td_msg m = { .call_id = td_str_of(call_id), .from_tag = td_str_of(from_tag), .to_tag = td_str_of(to_tag) };
	struct td_str own = exact_copy(flows);
	int err = td_route_flow_of(out, key, own, &m);

	exact_free(own);
	return err;
}

static void assert_flow(const struct td_flow *a, const struct td_flow *b)
{
	assert_true(td_addr_eq(&a->peer, &b->peer));
	assert_int_equal(a->proto, b->proto);
	assert_int_equal(a->listener, b->listener);
	assert_int_equal(a->conn, b->conn);
}

/* Each end of a dialog gets the other's flow, nobody else any; and no changed character passes. */
/* Proves RFC 5626 §5.2-1. */
static void d1_flows_are_of_one_dialog(void **state)
{
	struct td_flow a = flow_of("[2001:db8::1]:5060", 0xff00000000000001), b = flow_of("192.0.2.7:40000", 0), got;
	const struct td_flow *const both[TD_SIDES] = { &a, &b }, *const one[TD_SIDES] = { &a, NULL },
				    *const none[TD_SIDES] = { NULL, NULL };
	char text[TD_ROUTE_FLOWS_MAX];
	struct td_str s;
	struct td_out o;

	td_out_init_fixed(&o, text, sizeof(text));
	td_route_put_flows(&o, key, TD_STR("call1"), TD_STR("alice"), none);
	assert_int_equal(o.n, 0);
	td_route_put_flows(&o, key, TD_STR("call1"), TD_STR("alice"), (const struct td_flow *[TD_SIDES]){ &a, &a });
	assert_false(o.failed); /* it gets no longer */
	o.n = 0;
	td_route_put_flows(&o, key, TD_STR("call1"), TD_STR("alice"), both);
	s = td_out_view(&o);
	for (size_t i = 0; i < s.n; i++)
		assert_non_null(strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", s.p[i]));
	assert_int_equal(flow_for(&got, "call1", "alice", "bob", s), 0);
	assert_flow(&got, &b);
	assert_int_equal(flow_for(&got, "call1", "bob", "alice", s), 0);
	assert_flow(&got, &a);
	assert_int_equal(flow_for(&got, "call2", "alice", "bob", s), TD_EDENIED);
	assert_int_equal(flow_for(&got, "call1", "mallory", "bob", s), TD_EDENIED);
	assert_int_equal(flow_for(&got, "call1a", "lice", "bob", s), TD_EDENIED);
	for (size_t n = 0; n < s.n; n++)
		assert_int_equal(flow_for(&got, "call1", "alice", "bob", td_str_n(s.p, n)), TD_EDENIED);
	for (size_t i = 0; i < s.n; i++)
		for (int c = 1; c < 256; c++) {
			text[i] ^= (char)c;
			assert_int_equal(flow_for(&got, "call1", "alice", "bob", s), TD_EDENIED);
			text[i] ^= (char)c;
		}
	o.n = 0;
	td_route_put_flows(&o, key, TD_STR("call1"), TD_STR("alice"), one);
	assert_int_equal(flow_for(&got, "call1", "alice", "bob", td_out_view(&o)), TD_ENOTFOUND);
	assert_int_equal(flow_for(&got, "call1", "bob", "alice", td_out_view(&o)), 0);
	assert_flow(&got, &a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(siphash_is_the_published_one),
		cmocka_unit_test(d1_d3_a_cookie_proves_one_dialog),
		cmocka_unit_test(d3_a_cookie_says_how_its_dialog_is_forwarded),
		cmocka_unit_test(d1_flows_are_of_one_dialog),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
