/* Which phone a contact is of, and by which of its flows (RFC 5626 §4.1, §4.2): two parameters among those that are kept as written. */
#include "server/location/location.h"

bool td_instance_of(struct td_instance *out, struct td_str params)
{
	struct td_param p;

	*out = (struct td_instance){ 0 };
	while (params.n && td_param_next(&p, &params) == 1) {
		/* "compared by case-sensitive string comparison" (§4.1), so the quotes may stay */
		if (td_str_ieq(p.name, TD_STR("+sip.instance")) && p.value.n > 2 && p.value.p[0] == '"')
			out->id = p.value;
		/* 1*DIGIT from 1 to 2^31 - 1 (§11.1, §4.2.1) */
		else if (td_str_ieq(p.name, TD_STR("reg-id")) && (td_str_u32(&out->reg_id, p.value) || out->reg_id > INT32_MAX))
			out->reg_id = 0;
	}
	return out->id.n > 0;
}

bool td_instance_is_flow(struct td_str params)
{
	struct td_instance i;

	return td_instance_of(&i, params) && i.reg_id;
}
