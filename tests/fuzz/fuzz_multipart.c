#include "inside.h"

/* B1. The first line is the Content-Type, the rest the body: parts are in order, inside the body, and at most 16. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct td_str body = td_str_n((const char *)data, size), type = td_str_split(&body, '\n');
	const char *last = body.p;
	struct td_parts it;
	struct td_part p;
	unsigned n = 0;

	if (!body.p || td_parts_of(&it, type, body))
		return 0;
	while (td_parts_next(&p, &it) > 0) {
		inside(body, p.headers);
		inside(body, p.body);
		if (p.headers.p < last || ++n > 16)
			__builtin_trap();
		last = p.headers.p;
		inside(p.headers, td_part_header(&p, TD_STR("Content-Type")));
	}
	return 0;
}
