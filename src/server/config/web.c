/*
 * web: what concerns browsers. An origin (RFC 6454 §6.2) is written as browsers write it, so that comparing is all there is to do:
 * scheme, host, and the port where it is not the scheme's own.
 */
#include <errno.h>

#include "internal.h"

static bool host_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c && strchr("-._:[]", c));
}

/* The host and the port of `s`, in lower case, without the port `usual`. TD_ESYNTAX. */
static int put_place(struct td_out *o, struct td_str s, struct td_str usual)
{
	bool brackets = s.n && s.p[0] == '[';
	struct td_str port = TD_STR_NULL;
	const char *end;
	uint32_t v;

	end = td_str_chr(
		brackets && td_str_chr(s, ']') ? td_str_n(td_str_chr(s, ']'), (size_t)(s.p + s.n - td_str_chr(s, ']'))) : s, ':');
	if (end) {
		port = td_str_n(end + 1, (size_t)(s.p + s.n - end - 1));
		s.n = (size_t)(end - s.p);
		if (td_str_u32(&v, port) || !v || v > 65535)
			return TD_ESYNTAX;
	}
	if (!s.n || brackets != (s.p[s.n - 1] == ']'))
		return TD_ESYNTAX;
	for (size_t i = 0; i < s.n; i++) {
		if (!host_char(td_lower(s.p[i])))
			return TD_ESYNTAX;
		td_out_char(o, td_lower(s.p[i]));
	}
	if (port.n && !td_str_eq(port, usual)) {
		td_out_char(o, ':');
		td_out_str(o, port);
	}
	return 0;
}

static int put_origin(struct td_out *o, struct td_str s)
{
	static const struct td_str http = TD_STR_INIT("http://"), https = TD_STR_INIT("https://");
	bool secure = td_str_istarts(s, https);
	struct td_str scheme = secure ? https : http;

	if (!td_str_istarts(s, scheme))
		return TD_ESYNTAX;
	td_out_str(o, scheme);
	return put_place(o, td_str_n(s.p + scheme.n, s.n - scheme.n), secure ? TD_STR("443") : TD_STR("80"));
}

int config_check_web(struct td_config *c, const struct raw_web *raw, struct report *r)
{
	char at[12];

	if (!raw || !raw->origins_count)
		return 0;
	c->web.origins = td_arena_zalloc(&c->arena, raw->origins_count * sizeof(*c->web.origins));
	if (!c->web.origins)
		return -ENOMEM;
	for (unsigned i = 0; i < raw->origins_count; i++) {
		struct td_out o;
		int err;

		td_out_init(&o);
		snprintf(at, sizeof(at), "%u", i);
		if (put_origin(&o, td_str_of(raw->origins[i])))
			report_at(r, AT("web", "origins", at),
				  "\"%s\" is no origin (want https://HOST or https://HOST:PORT, as in a page's address, and no "
				  "more)",
				  raw->origins[i]);
		err = o.failed ? -ENOMEM : td_arena_dup(&c->web.origins[c->web.origin_n], &c->arena, td_out_view(&o));
		td_out_free(&o);
		if (err)
			return err;
		c->web.origin_n++;
	}
	return 0;
}
