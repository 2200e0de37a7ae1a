/*
 * Path (RFC 3327): the proxies between a phone and us, which everything for the phone must pass in turn. They wrote themselves into
 * the REGISTER, and nobody signs that: whoever may register a contact may as well invent a Path. So it leads no further than a
 * contact does (A11): its first hop is believed to be at its address only when the REGISTER came from there, and is else reached by the
 * flow that brought the REGISTER (proxy/target.c).
 */
#include "server/registrar/internal.h"

enum { MAX_HOPS = 16, MAX_LENGTH = 2048 };

static struct verdict check_hop(const struct td_core *core, struct td_str value, bool first)
{
	struct td_name_addr hop;
	struct td_param p;

	/* §4: "the syntax of the Path header field is the same as of Route", in which a display name is allowed and means nothing */
	if (td_name_addr_parse(&hop, value) || !hop.angle)
		return no(400, TD_STR("Bad Path"));
	if (hop.uri.scheme != TD_SCHEME_SIP && hop.uri.scheme != TD_SCHEME_SIPS)
		return no(400, TD_STR("Path is no SIP URI"));
	if (!td_param_find(&p, hop.uri.params, TD_STR("lr")))
		return no(400, TD_STR("Path without lr"));
	if (!first)
		return fine; /* where the one before it goes is its own affair */
	if (td_route_is_us(core, &hop.uri) || leads_astray(core, &hop.uri, hop.uri.host) ||
	    (td_param_find(&p, hop.uri.params, TD_STR("maddr")) && p.value.p && leads_astray(core, &hop.uri, p.value)))
		return no(403, TD_STR("Path not allowed"));
	return fine;
}

struct verdict read_path(struct td_str *out, const struct td_core *core, struct td_msg *msg)
{
	struct verdict v = fine;
	struct td_values it;
	struct td_str value;
	unsigned n = 0;
	struct td_out o;
	int got;
	char *mem;

	/* §5.3: "The recommended policy is for the registrar to reject the request with a 420", so that a phone learns that somebody
	 * put himself between it and us. */
	if (!td_msg_has_token(msg, TD_HDR_SUPPORTED, TD_STR("path")) && !td_msg_has_token(msg, TD_HDR_REQUIRE, TD_STR("path")))
		return unsupported(msg, TD_STR("path"));
	mem = td_arena_alloc(&msg->arena, MAX_LENGTH);
	if (!mem)
		return no(500, TD_STR_NULL);
	td_out_init_fixed(&o, mem, MAX_LENGTH);
	td_values_of(&it, msg, TD_HDR_PATH);
	while (!v.status && (got = td_values_next(&value, &it)) != 0) {
		if (got < 0)
			return no(400, TD_STR("Bad Path"));
		v = check_hop(core, value, n == 0);
		if (n++)
			td_out_char(&o, ',');
		td_out_str(&o, value);
	}
	if (!v.status && (o.failed || n > MAX_HOPS))
		return no(403, TD_STR("Path too long"));
	if (!v.status)
		*out = td_out_view(&o);
	return v;
}
