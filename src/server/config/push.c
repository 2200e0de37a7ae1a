/* push: who is told that a phone sleeps (RFC 8599), an address of the web: scheme, host, port, and the rest as it is to be sent. */
#include <errno.h>

#include "internal.h"

enum { WAIT_S_MOST = 30 };

static bool is_host(struct td_str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = td_lower(s.p[i]);

		if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && (!c || !strchr("-._:", c)))
			return false;
	}
	return s.n > 0;
}

/* A word of letters, digits and what is harmless between them: it stands in a header field in quotes. */
static bool is_word(struct td_str s)
{
	return is_host(s) && !td_str_chr(s, ':');
}

/* "HOST", "HOST:PORT", "[V6]:PORT" */
static int take_place(struct td_config *c, struct td_str s)
{
	bool v6 = s.n && s.p[0] == '[';
	const char *end = v6 ? td_str_chr(s, ']') : td_str_chr(s, ':');
	struct td_str port = TD_STR_NULL;
	struct td_addr a;
	uint32_t v;

	if (v6 && !end)
		return TD_ESYNTAX;
	c->push.host = v6 ? td_str_n(s.p + 1, (size_t)(end - s.p - 1)) : td_str_n(s.p, end ? (size_t)(end - s.p) : s.n);
	if (v6)
		end++;
	if (end && end < s.p + s.n)
		port = td_str_n(end, (size_t)(s.p + s.n - end));
	if (!is_host(c->push.host) || (v6 && (td_ip_parse(&a, c->push.host) || a.family != TD_AF_V6)))
		return TD_ESYNTAX;
	if (!port.n)
		return 0;
	if (port.p[0] != ':' || td_str_u32(&v, td_str_n(port.p + 1, port.n - 1)) || !v || v > 65535)
		return TD_ESYNTAX;
	c->push.port = (uint16_t)v;
	return 0;
}

/* url has the life of c. */
static int take_url(struct td_config *c, struct td_str url)
{
	static const struct td_str http = TD_STR_INIT("http://"), https = TD_STR_INIT("https://");
	bool secure = td_str_istarts(url, https);
	size_t scheme = secure ? https.n : http.n;
	const char *slash;
	struct td_str rest;

	for (size_t i = 0; i < url.n; i++)
		if (url.p[i] <= ' ' || url.p[i] > '~' || url.p[i] == '#' || url.p[i] == '"')
			return TD_ESYNTAX;
	if (!secure && !td_str_istarts(url, http))
		return TD_ESYNTAX;
	rest = td_str_n(url.p + scheme, url.n - scheme);
	slash = td_str_chr(rest, '/');
	c->push.url = url;
	c->push.secure = secure;
	c->push.port = secure ? 443 : 80;
	c->push.path = slash ? td_str_n(slash, (size_t)(url.p + url.n - slash)) : TD_STR("/");
	return take_place(c, td_str_n(rest.p, slash ? (size_t)(slash - rest.p) : rest.n));
}

static int take_providers(struct td_config *c, const struct raw_push *raw, struct report *r)
{
	char at[12];

	c->push.providers = td_arena_zalloc(&c->arena, (raw->providers_count + 1) * sizeof(*c->push.providers));
	if (!c->push.providers)
		return -ENOMEM;
	for (unsigned i = 0; i < raw->providers_count; i++) {
		struct td_str s = td_str_of(raw->providers[i]);

		snprintf(at, sizeof(at), "%u", i);
		if (!is_word(s))
			report_at(r, AT("push", "providers", at),
				  "\"%s\" is no kind of push service (want a word like apns or fcm)", raw->providers[i]);
		if (td_arena_dup(&c->push.providers[c->push.provider_n], &c->arena, s))
			return -ENOMEM;
		c->push.provider_n++;
	}
	return 0;
}

int config_check_push(struct td_config *c, const struct raw_push *raw, struct report *r)
{
	struct td_str url;

	if (!raw)
		return 0;
	check_duration(&c->push.wait_s, raw->wait, 1, r, AT("push", "wait"));
	if (c->push.wait_s > WAIT_S_MOST)
		report_at(r, AT("push", "wait"), "%s is too long: callers give up after 32s (at most %us)", raw->wait,
			  WAIT_S_MOST);
	if (!raw->url) {
		report_at(r, AT("push"), "it has no url (want url: https://HOST/PATH, who is told that a phone is to be woken)");
		return 0;
	}
	if (td_arena_dup(&url, &c->arena, td_str_of(raw->url)))
		return -ENOMEM;
	if (take_url(c, url))
		report_at(r, AT("push", "url"), "\"%s\" is no address (want http://HOST[:PORT]/PATH or https://…)", raw->url);
	return take_providers(c, raw, r);
}

void config_put_push(struct td_out *o, const struct td_config *c)
{
	if (!c->push.url.n)
		return;
	td_out_fmt(o, "push:\n  url: \"%.*s\"\n  wait: %us\n  providers:%s\n", TD_FMT(c->push.url), c->push.wait_s,
		   c->push.provider_n ? "" : " []");
	for (unsigned i = 0; i < c->push.provider_n; i++)
		td_out_fmt(o, "    - %.*s\n", TD_FMT(c->push.providers[i]));
}
