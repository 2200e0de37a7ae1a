#include "inside.h"

/* What is taken prints to what is taken again. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct td_str v = td_str_n((const char *)data, size);
	struct td_cseq cs, again;
	char mem[TD_SIP_MAX_TOKEN + 16];
	struct td_out o;

	if (td_cseq_parse(&cs, v))
		return 0;
	inside(v, cs.method_name);
	td_out_init_fixed(&o, mem, sizeof(mem));
	td_out_u64(&o, cs.num);
	td_out_char(&o, ' ');
	td_out_str(&o, cs.method_name);
	if (o.failed || cs.num > INT32_MAX || td_cseq_parse(&again, td_out_view(&o)) || again.num != cs.num ||
	    again.method != cs.method)
		__builtin_trap();
	return 0;
}
