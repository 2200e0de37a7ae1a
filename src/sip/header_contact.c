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
int td_contact_parse(struct td_contact *out, struct td_str value)
{
	struct td_contact ct = { .expires = -1, .q = -1 };
	struct td_param p;
	struct td_str rest;
	int err;

	if (value.n == 1 && value.p[0] == '*') {
		ct.star = true;
		ct.addr.text = value;
		*out = ct;
		return 0;
	}
	err = td_name_addr_parse(&ct.addr, value);
	if (err)
		return err;
	for (rest = ct.addr.params; td_param_next(&p, &rest) > 0;) {
		if (td_str_ieq(p.name, TD_STR("expires"))) {
			if (ct.expires >= 0)
				return TD_ESYNTAX;
			ct.expires = expires(p.value);
		} else if (td_str_ieq(p.name, TD_STR("q"))) {
			if (ct.q >= 0 || td_qvalue(&ct.q, p.value))
				return TD_ESYNTAX;
		}
	}
	*out = ct;
	return 0;
}
