#include <tandem/media.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Everything a compound holds is read, whether its counts are true or not. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct td_str rest = td_str_n((const char *)data, size), name;
	struct td_rtcp_sender s;
	struct td_rtcp_block b;
	uint32_t ssrc, sum = 0;
	struct td_rtcp p;
	unsigned i;

	if (td_rtcp_check(rest))
		return 0;
	while (td_rtcp_next(&p, &rest)) {
		if (!td_rtcp_report(&ssrc, &s, &p))
			sum += ssrc;
		for (i = 0; !td_rtcp_block(&b, &p, i); i++)
			sum += b.jitter + td_rtcp_round_trip_us(&b, b.ext_max);
		if (!td_rtcp_cname(&name, &p) && name.n)
			sum += (uint8_t)name.p[name.n - 1];
		sum += td_rtcp_bye_names(&p, 1);
	}
	if (rest.n)
		__builtin_trap();
	return (int)(sum & 0);
}
