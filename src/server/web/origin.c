/*
 * Whose page may open a connection (RFC 6455 §10.2, T6). A browser sends any page's WebSocket to any host, with the user's address
 * behind it; for a server that trusts that address this would be a call without a password. Only the header field Origin, which a
 * page cannot set, tells them apart. Whoever is no browser can write anything there, or nothing: he has to authenticate.
 */
#include "server/web/web.h"

struct place {
	struct td_str host; /* v6 without brackets */
	uint16_t port;
};

/* host [ ":" port ] */
static bool place_parse(struct place *out, struct td_str s, uint16_t port)
{
	const char *end = s.p + s.n, *colon;
	struct td_str host = s, digits = TD_STR_NULL;
	uint32_t v = port;

	if (s.n && s.p[0] == '[') {
		const char *close = td_str_chr(s, ']');

		if (!close)
			return false;
		host = td_str_n(s.p + 1, (size_t)(close - s.p - 1));
		if (close + 1 < end && close[1] != ':')
			return false;
		if (close + 1 < end)
			digits = td_str_n(close + 2, (size_t)(end - close - 2));
	} else if ((colon = td_str_chr(s, ':'))) {
		host = td_str_n(s.p, (size_t)(colon - s.p));
		digits = td_str_n(colon + 1, (size_t)(end - colon - 1));
	}
	if (!host.n || (digits.p && (td_str_u32(&v, digits) || !v || v > 65535)))
		return false;
	*out = (struct place){ host, (uint16_t)v };
	return true;
}

static bool is_ours(const struct td_config *cfg, struct td_str host, const struct td_addr *at)
{
	struct td_addr a;

	if (!td_ip_parse(&a, host))
		return td_ip_eq(&a, at);
	if (td_ip_is_loopback(at) && td_str_ieq(host, TD_STR("localhost")))
		return true; /* browsers ask nobody for this name (RFC 6761 §6.3) */
	return td_config_domain(cfg, host) != NULL;
}

bool td_web_origin_ok(const struct td_config *cfg, struct td_str origin, struct td_str host, const struct td_addr *at,
		      bool secure)
{
	struct place page, here;
	struct td_str rest;
	bool https;

	for (unsigned i = 0; i < cfg->web.origin_n; i++)
		if (td_str_ieq(cfg->web.origins[i], origin))
			return true;
	if (cfg->web.origin_n)
		return false;
	https = td_str_istarts(origin, TD_STR("https://"));
	if (!https && !td_str_istarts(origin, TD_STR("http://")))
		return false; /* "null", a file, an extension */
	rest = td_str_n(origin.p + (https ? 8 : 7), origin.n - (https ? 8 : 7));
	return place_parse(&page, rest, https ? 443 : 80) && place_parse(&here, host, secure ? 443 : 80) &&
	       page.port == here.port && td_str_ieq(page.host, here.host) && is_ours(cfg, page.host, at);
}
