/* CSeq (RFC 3261 §20.16): which request of a dialog this is, and part of what matches CANCEL, ACK and responses. */
#include "internal.h"

/* As nearly all write it: a number of up to nine digits, one blank, a method we know. False, and out untouched, if it is not so. */
static inline bool usual(struct td_cseq *out, struct td_str value)
{
	struct td_cur c = td_cur_of(value);
	uint32_t num = td_cur_digits(&c, 9);
	enum td_method method;
	struct td_str name;

	if (c.p == value.p || !td_cur_take(&c, ' '))
		return false;
	name = td_cur_rest(&c);
	method = td_method_of(name);
	if (method == TD_METHOD_OTHER)
		return false;
	*out = (struct td_cseq){ num, method, name };
	return true;
}

/* CSeq  =  "CSeq" HCOLON 1*DIGIT LWS Method. The method views into value. */
int td_cseq_parse(struct td_cseq *out, struct td_str value)
{
	struct td_cur c = td_cur_of(value);
	struct td_cseq cs;

	if (usual(out, value))
		return 0;
	cs.num = (uint32_t)td_cur_u64(&c, INT32_MAX); /* "MUST be less than 2**31", §8.1.1.5 (P2) */
	td_cur_lws1(&c);
	cs.method_name = td_cur_token(&c);
	if (!td_cur_end(&c))
		return TD_ESYNTAX;
	if (cs.method_name.n > TD_SIP_MAX_TOKEN)
		return TD_ELIMIT;
	cs.method = td_method_of(cs.method_name);
	*out = cs;
	return 0;
}
