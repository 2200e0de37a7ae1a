/*
 * Contacts that are sips URIs: such a phone is reached over TLS alone, by sips and by sip URIs (RFC 5630 §5.2). Whoever says so has to
 * mean it everywhere: "the Request-URI and the Contacts and all the Path header fields". A sips Request-URI comes by TLS, which is
 * route's to see to.
 */
#include "server/registrar/internal.h"

struct verdict read_sips(struct extension **x, struct td_msg *msg)
{
	if (msg->ruri.scheme != TD_SCHEME_SIPS)
		return no(400, TD_STR("A sips Contact Needs a sips Request-URI"));
	if (!*x)
		*x = extension_new(msg);
	if (!*x)
		return no(500, TD_STR_NULL);
	(*x)->sips = true;
	return fine;
}

struct verdict check_sips(const struct td_loc_update *up, const struct extension *x)
{
	struct td_str rest = x->path, value;
	struct td_name_addr hop;

	if (!x->sips)
		return fine;
	for (unsigned i = 0; i < up->change_n; i++)
		if (up->changes[i].expires_s && !td_str_istarts(up->changes[i].contact, TD_STR("sips:")))
			return no(400, TD_STR("Contacts of sip and of sips"));
	while (td_list_next(&value, &rest) == 1)
		if (td_name_addr_parse(&hop, value) || hop.uri.scheme != TD_SCHEME_SIPS)
			return no(400, TD_STR("A sips Contact Needs a sips Path"));
	return fine;
}
