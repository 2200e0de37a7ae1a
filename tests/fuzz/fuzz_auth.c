#include "inside.h"

/* A3: every value of a challenge or of credentials lies inside it, and comes out of its quotes or does not. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct td_str v = td_str_n((const char *)data, size);
	struct td_auth a;
	size_t i;

	if (td_auth_parse(&a, v))
		return 0;
	const struct td_str views[] = {
		a.scheme, a.realm, a.domain,   a.nonce, a.opaque,   a.algorithm, a.qop,
		a.cnonce, a.nc,    a.response, a.uri,   a.username, a.stale,
	};
	for (i = 0; i < TD_ARRAY_LEN(views); i++) {
		struct td_out o;

		inside(v, views[i]);
		td_out_init(&o);
		td_unquote(&o, views[i]);
		td_out_free(&o);
	}
	return 0;
}
