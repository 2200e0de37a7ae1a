/* Warning (RFC 3261 §20.43). */
#include "internal.h"

/* warn-agent  =  hostport / pseudonym; pseudonym  =  token */
static bool agent_ok(struct td_str agent)
{
	struct td_cur c = td_cur_of(agent);
	uint16_t port;
	bool v6;

	if (td_all(agent, TD_CC_TOKEN))
		return true;
	td_cur_hostport(&c, &v6, &port, false);
	return td_cur_end(&c);
}

/*
 * warning-value  =  warn-code SP warn-agent SP warn-text
 * warn-code      =  3DIGIT
 * warn-text      =  quoted-string
 * The text keeps its quotes.
 */
int td_warning_parse(struct td_warning *out, struct td_str value)
{
	struct td_cur c = td_cur_of(value);
	struct td_warning w = { 0 };
	struct td_str code = td_cur_span(&c, TD_CC_DIGIT);
	uint64_t n;

	if (code.n != 3 || td_str_u64(&n, code, 999))
		return TD_ESYNTAX;
	w.code = (uint16_t)n;
	td_cur_lws1(&c);
	w.agent = td_cur_span1(&c, TD_CC_GEN_VALUE);
	td_cur_lws1(&c);
	w.text = td_cur_quoted(&c);
	if (!td_cur_end(&c) || !agent_ok(w.agent))
		return TD_ESYNTAX;
	*out = w;
	return 0;
}
