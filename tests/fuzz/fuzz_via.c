#include "inside.h"

/* What is taken is taken again from its own text, alike; rport_text is a parameter that can be cut out. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct td_str v = td_str_n((const char *)data, size);
	struct td_via via, again;

	if (td_via_parse(&via, v))
		return 0;
	inside(v, via.transport);
	inside(v, via.host);
	inside(v, via.params);
	inside(via.params, via.branch);
	inside(via.params, via.received);
	inside(via.params, via.maddr);
	inside(via.params, via.rport_text);
	if (!via.host.n || via.rport != (via.rport_text.p != NULL) || (via.rport_value && !via.rport) || via.ttl > 255)
		__builtin_trap();
	if (td_via_parse(&again, via.text) || again.port != via.port || !td_str_eq(again.branch, via.branch))
		__builtin_trap();
	return 0;
}
