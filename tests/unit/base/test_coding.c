#include "support.h"

#include <stdio.h>

static void hex(void **state)
{
	static const struct {
		const char *in;
		size_t n;
		int err;
		const char *out;
	} rows[] = {
		{ "", 0, 0, "" },
		{ "00fF1a", 3, 0, "\x00\xff\x1a" },
		{ "00ff1", 2, TD_ESYNTAX, "" },
		{ "00ff1a", 2, TD_ESYNTAX, "" },
		{ "00", 2, TD_ESYNTAX, "" },
		{ "0g", 1, TD_ESYNTAX, "" },
		{ "/0", 1, TD_ESYNTAX, "" },
		{ ":0", 1, TD_ESYNTAX, "" },
		{ "0@", 1, TD_ESYNTAX, "" },
		{ "0`", 1, TD_ESYNTAX, "" },
	};

	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct td_str s = exact(rows[i].in);
		uint8_t *out = malloc(rows[i].n + 1);

		memset(out, 0x55, rows[i].n + 1);
		assert_int_equal(td_hex_decode(out, rows[i].n, s), rows[i].err);
		if (rows[i].err)
			assert_int_equal(out[0], 0x55);
		else
			assert_memory_equal(out, rows[i].out, rows[i].n);
		assert_int_equal(out[rows[i].n], 0x55);
		free(out);
		exact_free(s);
	}
}

/* Every byte at every place of every length that is written four bytes at a time. */
static void hex_there_and_back(void **state)
{
	for (size_t n = 0; n <= 9; n++) {
		for (size_t at = 0; at < n; at++) {
			for (unsigned v = 0; v < 256; v++) {
				uint8_t *in = calloc(n, 1), back[9];
				char *text = malloc(2 * n), want[3];

				in[at] = (uint8_t)v;
				td_hex_encode(text, in, n);
				snprintf(want, sizeof(want), "%02x", v);
				for (size_t i = 0; i < n; i++)
					assert_memory_equal(text + 2 * i, i == at ? want : "00", 2);
				assert_int_equal(td_hex_decode(back, n, td_str_n(text, 2 * n)), 0);
				assert_memory_equal(back, in, n);
				free(in);
				free(text);
			}
		}
	}
}

/* RFC 4648 §10, and what must be refused. */
static void base64(void **state)
{
	static const struct {
		const char *text, *plain;
	} rows[] = {
		{ "", "" },
		{ "Zg==", "f" },
		{ "Zm8=", "fo" },
		{ "Zm9v", "foo" },
		{ "Zm9vYg==", "foob" },
		{ "Zm9vYmE=", "fooba" },
		{ "Zm9vYmFy", "foobar" },
		{ "++//", "\xfb\xef\xff" },
		{ "Z", NULL },
		{ "Zg", NULL },
		{ "Zg=", NULL },
		{ "Zg===", NULL },
		{ "Z===", NULL },
		{ "====", NULL },
		{ "=", NULL },
		{ "Zh==", NULL },
		{ "Zm9=", NULL }, /* stray bits */
		{ "Zg==Zg==", NULL },
		{ "Zm9v\n", NULL },
		{ "Zm-_", NULL },
		{ "Zm =", NULL },
		{ "Zm\xc3v", NULL },
	};

	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct td_str s = exact(rows[i].text);
		struct td_out o;

		td_out_init(&o);
		assert_int_equal(td_base64_decode(&o, s), rows[i].plain ? 0 : TD_ESYNTAX);
		assert_str(td_out_view(&o), rows[i].plain ? rows[i].plain : "");
		td_out_free(&o);
		if (rows[i].plain) {
			td_out_init(&o);
			td_base64_encode(&o, rows[i].plain, strlen(rows[i].plain));
			assert_str(td_out_view(&o), rows[i].text);
			td_out_free(&o);
		}
		exact_free(s);
	}
}

static void base64_round_trip(void **state)
{
	struct td_rng r;

	td_rng_init_seed(&r, 1);
	for (size_t n = 0; n < 100; n++) {
		struct td_str in;
		struct td_out text, back;
		uint8_t bytes[100];

		td_rng_bytes(&r, bytes, n);
		in = exact_copy(td_str_n((char *)bytes, n));
		td_out_init(&text);
		td_out_init(&back);
		td_base64_encode(&text, in.p, in.n);
		assert_int_equal(td_base64_decode(&back, td_out_view(&text)), 0);
		assert_true(td_str_eq(in, td_out_view(&back)));
		td_out_free(&text);
		td_out_free(&back);
		exact_free(in);
	}
}

static void base64_no_room(void **state)
{
	char mem[3];
	struct td_out o;

	td_out_init_fixed(&o, mem, sizeof(mem));
	td_base64_encode(&o, "f", 1);
	assert_true(o.failed);
	td_out_init_fixed(&o, mem, 2);
	assert_true(td_base64_decode(&o, TD_STR("Zm9v")) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hex),
		cmocka_unit_test(hex_there_and_back),
		cmocka_unit_test(base64),
		cmocka_unit_test(base64_round_trip),
		cmocka_unit_test(base64_no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
