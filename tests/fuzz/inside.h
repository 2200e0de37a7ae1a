/* What every header target checks: a view that came out of a value lies inside it. */
#ifndef TESTS_FUZZ_INSIDE_H
#define TESTS_FUZZ_INSIDE_H

#include <tandem/sip.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void inside(struct td_str whole, struct td_str part)
{
	if (part.n && (part.p < whole.p || part.p + part.n > whole.p + whole.n))
		__builtin_trap();
}

static inline void name_addr_inside(struct td_str v, const struct td_name_addr *na)
{
	inside(v, na->text);
	inside(v, na->display);
	inside(v, na->params);
	inside(v, na->uri.text);
	inside(na->uri.text, na->uri.user);
	inside(na->uri.text, na->uri.host);
	inside(na->uri.text, na->uri.params);
	inside(na->uri.text, na->uri.headers);
}

#endif
