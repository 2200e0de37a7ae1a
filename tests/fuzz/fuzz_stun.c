/* STUN on the SIP port: whatever comes, the answer fits, is well-formed, belongs to the request, and is little longer (N1, N3). */
#include <stdlib.h>

#include "transport/internal.h"
#include "inside.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct td_addr from = { .family = TD_AF_V4, .port = 5060, .ip = { 192, 0, 2, 1 } };
	uint8_t out[TP_STUN_MAX], *own = own_copy(data, size);
	size_t n;

	if (!own)
		return 0;
	if (size & 4) {
		from.family = TD_AF_V6;
		memset(from.ip, 0x20, sizeof(from.ip));
	}
	n = tp_stun_answer(out, td_str_n((const char *)own, size), &from);
	must(n == 0 || (n >= 20 && n <= sizeof(out) && n <= size + 24 && n % 4 == 0));
	if (n) {
		must(memcmp(out + 4, own + 4, 16) == 0);
		must(((size_t)out[2] << 8 | out[3]) == n - 20);
		must(tp_stun_answer(out, td_str_n((const char *)out, n), &from) == 0); /* no answer is answered */
	}
	free(own);
	return 0;
}
