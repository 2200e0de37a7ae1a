#include "inside.h"

#include "sip/internal.h"

/* The small values: the first byte chooses the parser, the rest is the value. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct td_retry_after ra;
	struct td_timestamp ts;
	struct td_media_type mt;
	struct td_warning w;
	struct td_auth a;
	struct td_str v;
	char mem[64];
	struct td_out o;
	uint64_t t, again;
	uint32_t n;
	int16_t q;

	if (!size)
		return 0;
	v = td_str_n((const char *)data + 1, size - 1);
	switch (data[0] % 8) {
	case 0:
		if (!td_media_type_parse(&mt, v)) {
			inside(v, mt.type);
			inside(v, mt.subtype);
			inside(v, mt.params);
		}
		break;
	case 1:
		if (td_date_parse(&t, v))
			break;
		td_out_init_fixed(&o, mem, sizeof(mem));
		td_date_print(&o, t);
		if (o.failed || td_date_parse(&again, td_out_view(&o)) || again != t)
			__builtin_trap();
		break;
	case 2:
		if (!td_retry_after_parse(&ra, v)) {
			inside(v, ra.comment);
			inside(v, ra.params);
		}
		break;
	case 3:
		if (!td_warning_parse(&w, v)) {
			inside(v, w.agent);
			inside(v, w.text);
			if (w.code > 999)
				__builtin_trap();
		}
		break;
	case 4:
		if (!td_timestamp_parse(&ts, v)) {
			inside(v, ts.value);
			inside(v, ts.delay);
		}
		break;
	case 5:
		if (!td_qvalue(&q, v) && (q < 0 || q > 1000))
			__builtin_trap();
		break;
	case 6: td_delta_seconds(&n, v); break;
	case 7:
		if (!td_auth_info_parse(&a, v))
			inside(v, a.cnonce);
		break;
	}
	return 0;
}
