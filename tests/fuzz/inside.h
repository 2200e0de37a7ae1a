/* What the targets share: what must hold, an input in a block of its own, and a view that came out of a value lies inside it. */
#ifndef TESTS_FUZZ_INSIDE_H
#define TESTS_FUZZ_INSIDE_H

#include <stdlib.h>

#include <tandem/sip.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void must(bool ok)
{
	if (!ok)
		abort();
}

/* A copy of exactly this size, so that a sanitizer sees one byte too far; free() it. NULL: no memory. */
static inline void *own_copy(const void *data, size_t size)
{
	void *own = malloc(size ? size : 1);

	if (own && size)
		memcpy(own, data, size);
	return own;
}

static inline void inside(struct td_str whole, struct td_str part)
{
	must(!part.n || (part.p >= whole.p && part.p + part.n <= whole.p + whole.n));
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
