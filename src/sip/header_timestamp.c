/* Timestamp (RFC 3261 §20.38): copied into a 100, with the delay before it added (§8.2.6.1). */
#include "internal.h"

/* *(DIGIT) [ "." *(DIGIT) ] */
static struct td_str decimal(struct td_cur *c)
{
	const char *from = c->p;

	td_cur_span(c, TD_CC_DIGIT);
	if (td_cur_take(c, '.'))
		td_cur_span(c, TD_CC_DIGIT);
	return td_cur_since(c, from);
}

/*
 * Timestamp  =  "Timestamp" HCOLON 1*(DIGIT) [ "." *(DIGIT) ] [ LWS delay ]
 * delay      =  *(DIGIT) [ "." *(DIGIT) ]
 */
int td_timestamp_parse(struct td_timestamp *out, struct td_str value)
{
	struct td_cur c = td_cur_of(value);
	struct td_timestamp ts = { .value = TD_STR_NULL };

	if (!td_cur_at_class(&c, TD_CC_DIGIT))
		return TD_ESYNTAX;
	ts.value = decimal(&c);
	if (c.p < c.end) {
		td_cur_lws1(&c);
		ts.delay = decimal(&c);
	}
	if (!td_cur_end(&c))
		return TD_ESYNTAX;
	*out = ts;
	return 0;
}
