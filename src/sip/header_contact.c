/* Contact (RFC 3261 §20.10): where somebody can be reached, for how long, and how gladly. */
#include "internal.h"

/*
 * c-p-expires  =  "expires" EQUAL delta-seconds
 * "Malformed values SHOULD be treated as equivalent to 3600", §20.10: words, signs, the dates of RFC 2543 in quotes. A
 * number too large is no malformed one: it is a wish for very long.
 */
static int32_t expires(struct td_str s)
{
	uint64_t n;
	int err = td_str_u64(&n, s, INT32_MAX);

	if (err == TD_ELIMIT)
		return INT32_MAX;
	return err ? 3600 : (int32_t)n;
}

/*
 * c-p-q   =  "q" EQUAL qvalue
 * qvalue  =  ( "0" [ "." 0*3DIGIT ] ) / ( "1" [ "." 0*3("0") ] )
 */
int td_qvalue(int16_t *out, struct td_str s)
{
	int16_t q, weight = 100;
	size_t i;

	if (!s.n || s.n > 5 || (s.p[0] != '0' && s.p[0] != '1') || (s.n > 1 && s.p[1] != '.'))
		return TD_ESYNTAX;
	q = s.p[0] == '1' ? 1000 : 0;
	for (i = 2; i < s.n; i++, weight /= 10) {
		if (!td_is(s.p[i], TD_CC_DIGIT))
			return TD_ESYNTAX;
		q = (int16_t)(q + (s.p[i] - '0') * weight);
	}
	if (q > 1000)
		return TD_ESYNTAX;
	*out = q;
	return 0;
}

/*
 * Contact        =  ( "Contact" / "m" ) HCOLON ( STAR / ( contact-param *( COMMA contact-param ) ) )
 * contact-param  =  ( name-addr / addr-spec ) *( SEMI contact-params )
 * Neither parameter twice (§7.3.1).
 */
static int read_contact(struct td_contact *ct, struct td_str value, unsigned slack)
{
	struct td_param p;
	struct td_str rest;
	int err;

	*ct = (struct td_contact){ .expires = -1, .q = -1 };
	if (value.n == 1 && value.p[0] == '*') {
		ct->star = true;
		ct->addr.text = value;
		return 0;
	}
	err = td_name_addr_read(&ct->addr, NULL, value, slack);
	if (err)
		return err;
	for (rest = ct->addr.params; rest.n && td_param_next(&p, &rest) > 0;) {
		if (td_str_ieq(p.name, TD_STR("expires"))) {
			if (ct->expires >= 0)
				return TD_ESYNTAX;
			ct->expires = expires(p.value);
		} else if (td_str_ieq(p.name, TD_STR("q"))) {
			if (ct->q >= 0 || td_qvalue(&ct->q, p.value))
				return TD_ESYNTAX;
		}
	}
	return 0;
}

int td_contact_parse(struct td_contact *out, struct td_str value)
{
	struct td_contact ct TD_UNINIT;
	int err = read_contact(&ct, value, 0);

	if (!err)
		*out = ct;
	return err;
}

/*
 * Most fields have one value, which reads as a contact whole: with a comma outside quotes and brackets none does. So the search for
 * the value's end is left out, until it is needed.
 */
int td_contact_next(struct td_contact *out, struct td_values *it)
{
	struct td_str value;
	int got;

	if (it->hdr && it->rest.n && it->rest.p == td_hdr_value(it->msg, it->hdr).p &&
	    !read_contact(out, it->rest, td_msg_slack(it->msg, it->rest))) {
		it->rest.n = 0;
		return 1;
	}
	got = td_values_next(&value, it);
	return got == 1 && read_contact(out, value, 0) ? TD_ESYNTAX : got;
}
