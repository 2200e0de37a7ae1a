#include "inside.h"

#include "sip/internal.h"

/* With and without looking for the tag the same comes out, and the tag is a parameter of it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct td_str v = td_str_n((const char *)data, size), tag;
	struct td_name_addr na, tagged;
	struct td_param p;

	if (td_name_addr_parse(&na, v)) {
		if (!td_name_addr_parse_tag(&tagged, &tag, v))
			__builtin_trap();
		return 0;
	}
	name_addr_inside(v, &na);
	if (td_name_addr_parse_tag(&tagged, &tag, v))
		return 0;
	inside(na.params, tag);
	if (td_param_find(&p, na.params, TD_STR("tag")) != (tag.p != NULL) || (tag.p && !td_str_eq(p.value, tag)))
		__builtin_trap();
	return 0;
}
