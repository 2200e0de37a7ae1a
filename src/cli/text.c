/*
 * Other people's text on our terminal and in our JSON. It may be anything a network can carry: escape sequences that paint the
 * screen, line ends that forge a second line, bytes that are no UTF-8 (which a JSON string cannot hold).
 */
#include <stdio.h>

#include "cli/cli.h"

/* The length of the UTF-8 sequence at p (RFC 3629 §4), and its code point; 0: there is none. */
static size_t sequence(uint32_t *out, const unsigned char *p, size_t n)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len = p[0] < 0x80 ? 1 : p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2, i;
	uint32_t c = len == 1 ? p[0] : p[0] & (0x7f >> len);

	if (p[0] >= 0xf8 || (p[0] >= 0x80 && p[0] < 0xc2) || len > n)
		return 0;
	for (i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (len > 1 && (c < least[len] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)))
		return 0;
	*out = c;
	return len;
}

json_t *cli_text(struct td_str s)
{
	struct td_out o;
	size_t at, len;
	uint32_t c;
	json_t *text;

	td_out_init(&o);
	for (at = 0; at < s.n; at += len ? len : 1) {
		len = sequence(&c, (const unsigned char *)s.p + at, s.n - at);
		td_out_str(&o, len ? td_str_n(s.p + at, len) : TD_STR("\xef\xbf\xbd")); /* U+FFFD */
	}
	text = o.failed ? NULL : json_stringn(o.n ? o.p : "", o.n);
	td_out_free(&o);
	return text;
}

/* No control characters (C0, C1), no separators of lines, nothing that turns the direction of writing. */
static bool visible(uint32_t c)
{
	return c >= 0x20 && !(c >= 0x7f && c < 0xa0) && !(c >= 0x2028 && c <= 0x202e) && !(c >= 0x2066 && c <= 0x2069);
}

void cli_put_shown(struct td_out *o, struct td_str s)
{
	size_t at, len;
	uint32_t c;

	for (at = 0; at < s.n; at += len ? len : 1) {
		len = sequence(&c, (const unsigned char *)s.p + at, s.n - at);
		if (len == 1 && c == '\n') {
			td_out_z(o, "\n    ");
		} else if (len && visible(c)) {
			td_out_str(o, td_str_n(s.p + at, len));
		} else if (!len || c != '\r') {
			td_out_fmt(o, "\\x%02x", (unsigned char)s.p[at]);
			len = 1;
		}
	}
}

void cli_show(struct td_str s)
{
	struct td_out o;

	td_out_init(&o);
	cli_put_shown(&o, s);
	if (!o.failed)
		fwrite(o.p, 1, o.n, stdout);
	td_out_free(&o);
}

uint64_t cli_number(const json_t *obj, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(obj, key));
}

struct td_str cli_member(const json_t *obj, const char *key)
{
	const json_t *v = json_object_get(obj, key);

	return json_is_string(v) ? td_str_n(json_string_value(v), json_string_length(v)) : TD_STR("");
}
