#include "server/config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A configuration that is taken prints to one that is taken again and prints the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct td_config *c = NULL, *again = NULL;
	struct td_out errors, one, two;

	td_out_init(&errors);
	td_out_init(&one);
	td_out_init(&two);
	if (td_config_parse(&c, &errors, TD_STR("f"), td_str_n((const char *)data, size)) == 0) {
		td_config_print(&one, c);
		if (td_config_parse(&again, &errors, TD_STR("f"), td_out_view(&one)))
			__builtin_trap();
		td_config_print(&two, again);
		if (!td_str_eq(td_out_view(&one), td_out_view(&two)))
			__builtin_trap();
		td_config_unref(again);
		td_config_unref(c);
	}
	td_out_free(&errors);
	td_out_free(&one);
	td_out_free(&two);
	return 0;
}
