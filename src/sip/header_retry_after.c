/* Numbers of seconds: Expires, Min-Expires (RFC 3261 §20.19, §20.23) and Retry-After (§20.33). */
#include "internal.h"

/* delta-seconds  =  1*DIGIT. "a decimal integer number of seconds between 0 and (2**32)-1", §20.19. */
int td_delta_seconds(uint32_t *out, struct td_str value)
{
	return td_str_u32(out, value);
}

/* Retry-After  =  delta-seconds [ comment ] *( SEMI retry-param ). The comment keeps its parentheses. */
int td_retry_after_parse(struct td_retry_after *out, struct td_str value)
{
	struct td_cur c = td_cur_of(value);
	struct td_retry_after ra = { 0 };
	int err;

	err = td_str_u32(&ra.seconds, td_cur_span1(&c, TD_CC_DIGIT));
	if (err)
		return err;
	td_cur_lws(&c);
	if (td_cur_at(&c, '('))
		ra.comment = td_cur_comment(&c);
	ra.params = td_cur_params(&c);
	if (!td_cur_end(&c))
		return TD_ESYNTAX;
	*out = ra;
	return 0;
}
