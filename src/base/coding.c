/* Hexadecimal and base64 (RFC 4648 §4). Decoders check the whole text before they write a byte. */
#include <tandem/base.h>

#include <endian.h>
#include <errno.h>

/* Eight digits of four bytes at once, the first byte lowest in v. */
static inline uint64_t eight_digits(uint32_t v)
{
	uint64_t x = v, letters;

	x = (x | x << 16) & 0x0000ffff0000ffff;
	x = (x | x << 8) & 0x00ff00ff00ff00ff;
	x = (x >> 4 | x << 8) & 0x0f0f0f0f0f0f0f0f; /* a byte per digit */
	letters = ((x + 0x0606060606060606) >> 4) & 0x0101010101010101;
	return x + 0x3030303030303030 + letters * ('a' - '9' - 1);
}

void td_hex_encode(char *out, const void *bytes, size_t n)
{
	const uint8_t *b = bytes;
	uint64_t digits;
	uint32_t v;

	for (; n >= sizeof(v); n -= sizeof(v), b += sizeof(v), out += sizeof(digits)) {
		memcpy(&v, b, sizeof(v));
		digits = htole64(eight_digits(le32toh(v)));
		memcpy(out, &digits, sizeof(digits));
	}
	for (; n; n--, b++, out += 2) {
		digits = eight_digits(*b);
		out[0] = (char)digits;
		out[1] = (char)(digits >> 8);
	}
}

enum { IS_DIGIT = 16 };

/* The value of each character that is a hexadecimal digit. */
static const uint8_t nibbles[256] = {
	/* clang-format off */
	['0'] = IS_DIGIT | 0, ['1'] = IS_DIGIT | 1, ['2'] = IS_DIGIT | 2, ['3'] = IS_DIGIT | 3, ['4'] = IS_DIGIT | 4,
	['5'] = IS_DIGIT | 5, ['6'] = IS_DIGIT | 6, ['7'] = IS_DIGIT | 7, ['8'] = IS_DIGIT | 8, ['9'] = IS_DIGIT | 9,
	['a'] = IS_DIGIT | 10, ['b'] = IS_DIGIT | 11, ['c'] = IS_DIGIT | 12, ['d'] = IS_DIGIT | 13, ['e'] = IS_DIGIT | 14, ['f'] = IS_DIGIT | 15,
	['A'] = IS_DIGIT | 10, ['B'] = IS_DIGIT | 11, ['C'] = IS_DIGIT | 12, ['D'] = IS_DIGIT | 13, ['E'] = IS_DIGIT | 14, ['F'] = IS_DIGIT | 15,
	/* clang-format on */
};

int td_hex_decode(uint8_t *out, size_t out_n, struct td_str s)
{
	const uint8_t *p = (const uint8_t *)s.p;
	uint8_t all = IS_DIGIT;

	if (s.n % 2 || s.n / 2 != out_n)
		return TD_ESYNTAX;
	for (size_t i = 0; i < s.n; i++)
		all &= nibbles[p[i]];
	if (!all)
		return TD_ESYNTAX;
	for (size_t i = 0; i < out_n; i++, p += 2)
		out[i] = (uint8_t)(nibbles[p[0]] << 4 | (nibbles[p[1]] & 15));
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
	if (!p)
		return;
	for (; n >= 3; n -= 3, b += 3, p += 4) {
		uint32_t v = (uint32_t)b[0] << 16 | (uint32_t)b[1] << 8 | b[2];

		p[0] = alphabet[v >> 18];
		p[1] = alphabet[v >> 12 & 63];
		p[2] = alphabet[v >> 6 & 63];
		p[3] = alphabet[v & 63];
	}
	if (n) {
		uint32_t v = (uint32_t)b[0] << 16 | (n == 2 ? (uint32_t)b[1] << 8 : 0);

		p[0] = alphabet[v >> 18];
		p[1] = alphabet[v >> 12 & 63];
		p[2] = n == 2 ? alphabet[v >> 6 & 63] : '=';
		p[3] = '=';
	}
}

enum { KNOWN = 64 };

/* The value of each character that is base64. */
static const uint8_t values[256] = {
	/* clang-format off */
	['A'] = KNOWN | 0, ['B'] = KNOWN | 1, ['C'] = KNOWN | 2, ['D'] = KNOWN | 3, ['E'] = KNOWN | 4, ['F'] = KNOWN | 5, ['G'] = KNOWN | 6, ['H'] = KNOWN | 7,
	['I'] = KNOWN | 8, ['J'] = KNOWN | 9, ['K'] = KNOWN | 10, ['L'] = KNOWN | 11, ['M'] = KNOWN | 12, ['N'] = KNOWN | 13, ['O'] = KNOWN | 14, ['P'] = KNOWN | 15,
	['Q'] = KNOWN | 16, ['R'] = KNOWN | 17, ['S'] = KNOWN | 18, ['T'] = KNOWN | 19, ['U'] = KNOWN | 20, ['V'] = KNOWN | 21, ['W'] = KNOWN | 22, ['X'] = KNOWN | 23,
	['Y'] = KNOWN | 24, ['Z'] = KNOWN | 25, ['a'] = KNOWN | 26, ['b'] = KNOWN | 27, ['c'] = KNOWN | 28, ['d'] = KNOWN | 29, ['e'] = KNOWN | 30, ['f'] = KNOWN | 31,
	['g'] = KNOWN | 32, ['h'] = KNOWN | 33, ['i'] = KNOWN | 34, ['j'] = KNOWN | 35, ['k'] = KNOWN | 36, ['l'] = KNOWN | 37, ['m'] = KNOWN | 38, ['n'] = KNOWN | 39,
	['o'] = KNOWN | 40, ['p'] = KNOWN | 41, ['q'] = KNOWN | 42, ['r'] = KNOWN | 43, ['s'] = KNOWN | 44, ['t'] = KNOWN | 45, ['u'] = KNOWN | 46, ['v'] = KNOWN | 47,
	['w'] = KNOWN | 48, ['x'] = KNOWN | 49, ['y'] = KNOWN | 50, ['z'] = KNOWN | 51, ['0'] = KNOWN | 52, ['1'] = KNOWN | 53, ['2'] = KNOWN | 54, ['3'] = KNOWN | 55,
	['4'] = KNOWN | 56, ['5'] = KNOWN | 57, ['6'] = KNOWN | 58, ['7'] = KNOWN | 59, ['8'] = KNOWN | 60, ['9'] = KNOWN | 61, ['+'] = KNOWN | 62, ['/'] = KNOWN | 63,
	/* clang-format on */
};

static inline uint32_t value(char c)
{
	return values[(unsigned char)c] & 63;
}

int td_base64_decode(struct td_out *o, struct td_str s)
{
	size_t digits = s.n, full, bytes;
	uint32_t v = KNOWN;
	char *p;

	if (s.n % 4)
		return TD_ESYNTAX;
	while (digits && s.n - digits < 2 && s.p[digits - 1] == '=')
		digits--;
	full = digits & ~(size_t)3;
	for (size_t i = 0; i < digits; i++)
		v &= values[(unsigned char)s.p[i]];
	if (!(v & KNOWN))
		return TD_ESYNTAX;
	/* The bits that padding cuts off must be zero, or one value would have several spellings (RFC 4648 §3.5). */
	if (digits > full && value(s.p[digits - 1]) & (digits - full == 2 ? 15 : 3))
		return TD_ESYNTAX;
	bytes = full / 4 * 3 + (digits > full ? digits - full - 1 : 0);
	p = td_out_room(o, bytes);
	if (!p)
		return -ENOMEM;
	for (size_t i = 0; i < full; i += 4, p += 3) {
		v = value(s.p[i]) << 18 | value(s.p[i + 1]) << 12 | value(s.p[i + 2]) << 6 | value(s.p[i + 3]);
		p[0] = (char)(v >> 16);
		p[1] = (char)(v >> 8);
		p[2] = (char)v;
	}
	if (digits > full) {
		v = value(s.p[full]) << 10 | value(s.p[full + 1]) << 4;
		*p++ = (char)(v >> 8);
		if (digits - full == 3)
			*p = (char)(v | value(s.p[full + 2]) >> 2);
	}
	return 0;
}
