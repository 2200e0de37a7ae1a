/* Hexadecimal and base64 (RFC 4648 §4). Decoders check the whole text before they write a byte. */
#include <tandem/base.h>

#include <errno.h>

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = td_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int td_hex_decode(uint8_t *out, size_t out_n, struct td_str s)
{
	if (s.n % 2 || s.n / 2 != out_n)
		return TD_ESYNTAX;
	for (size_t i = 0; i < s.n; i++) {
		if (hex_digit(s.p[i]) < 0)
			return TD_ESYNTAX;
	}
	for (size_t i = 0; i < out_n; i++)
		out[i] = (uint8_t)(hex_digit(s.p[2 * i]) << 4 | hex_digit(s.p[2 * i + 1]));
	return 0;
}

static const char alphabet[64] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void td_base64_encode(struct td_out *o, const void *bytes, size_t n)
{
	const uint8_t *b = bytes;
	char *p;

	if (n > SIZE_MAX / 4) {
		o->failed = true;
		return;
	}
	p = td_out_room(o, (n + 2) / 3 * 4);
	for (size_t i = 0; p && i < n; i += 3) {
		uint32_t v = (uint32_t)b[i] << 16;

		if (i + 1 < n)
			v |= (uint32_t)b[i + 1] << 8;
		if (i + 2 < n)
			v |= b[i + 2];
		*p++ = alphabet[v >> 18];
		*p++ = alphabet[v >> 12 & 63];
		*p++ = i + 1 < n ? alphabet[v >> 6 & 63] : '=';
		*p++ = i + 2 < n ? alphabet[v & 63] : '=';
	}
}

static int base64_digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

int td_base64_decode(struct td_out *o, struct td_str s)
{
	size_t digits = s.n, bytes;
	uint32_t v = 0;
	char *p;

	if (s.n % 4)
		return TD_ESYNTAX;
	while (digits && s.n - digits < 2 && s.p[digits - 1] == '=')
		digits--;
	for (size_t i = 0; i < digits; i++) {
		if (base64_digit(s.p[i]) < 0)
			return TD_ESYNTAX;
	}
	/* The bits that padding cuts off must be zero, or one value would have several spellings (RFC 4648 §3.5). */
	if (digits % 4 && base64_digit(s.p[digits - 1]) & (digits % 4 == 2 ? 15 : 3))
		return TD_ESYNTAX;
	bytes = digits / 4 * 3 + (digits % 4 ? digits % 4 - 1 : 0);
	p = td_out_room(o, bytes);
	if (!p)
		return -ENOMEM;
	for (size_t i = 0; i < digits; i++) {
		v = v << 6 | (uint32_t)base64_digit(s.p[i]);
		if (i % 4)
			*p++ = (char)(v >> (6 - 2 * (i % 4)) & 255);
	}
	return 0;
}
