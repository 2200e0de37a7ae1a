/* UTF-8 as RFC 3629 §4 has it: no overlong forms, no surrogates, nothing above U+10FFFF. A text frame must be that (RFC 6455 §5.6). */
#include "server/web/internal.h"

/* The bounds of the byte after the first one, and how many follow in all; 0: no first byte. */
static unsigned follow(uint8_t c, uint8_t *low, uint8_t *high)
{
	*low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
	*high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
	return c >= 0xc2 && c <= 0xdf ? 1 : (c & 0xf0) == 0xe0 ? 2 : c >= 0xf0 && c <= 0xf4 ? 3 : 0;
}

bool web_is_utf8(struct td_str s)
{
	const uint8_t *p = (const uint8_t *)s.p, *end = p + s.n;

	while (p < end) {
		uint8_t low, high;
		uint64_t eight;
		unsigned n;

		if (end - p >= 8) {
			memcpy(&eight, p, 8);
			if (!(eight & 0x8080808080808080)) {
				p += 8;
				continue;
			}
		}
		if (*p < 0x80) {
			p++;
			continue;
		}
		n = follow(*p++, &low, &high);
		if (!n || (size_t)(end - p) < n || *p < low || *p > high)
			return false;
		for (p++; --n; p++)
			if ((*p & 0xc0) != 0x80)
				return false;
	}
	return true;
}
