#include "inside.h"

/* A Contact field as a registrar reads it: a comma list of values, each with q and expires in range. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct td_str rest = td_str_n((const char *)data, size), whole = rest, v;
	struct td_contact ct;

	while (td_list_next(&v, &rest) > 0) {
		inside(whole, v);
		if (td_contact_parse(&ct, v))
			continue;
		if (ct.q < -1 || ct.q > 1000 || ct.expires < -1)
			__builtin_trap();
		if (!ct.star)
			name_addr_inside(v, &ct.addr);
	}
	return 0;
}
