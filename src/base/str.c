#include <tandem/base.h>

enum { U64_DIGITS = 19 }; /* that many always fit into 64 bits */

bool td_str_ieq(struct td_str a, struct td_str b)
{
	return a.n == b.n && td_str_istarts(a, b);
}

int td_str_cmp(struct td_str a, struct td_str b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int d = n ? memcmp(a.p, b.p, n) : 0;

	if (d)
		return d;
	return a.n < b.n ? -1 : a.n > b.n;
}

bool td_str_starts(struct td_str s, struct td_str prefix)
{
	return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

bool td_str_ends(struct td_str s, struct td_str suffix)
{
	return s.n >= suffix.n && (suffix.n == 0 || memcmp(s.p + s.n - suffix.n, suffix.p, suffix.n) == 0);
}

bool td_str_istarts(struct td_str s, struct td_str prefix)
{
	if (s.n < prefix.n)
		return false;
	if (!prefix.n || memcmp(s.p, prefix.p, prefix.n) == 0) /* mostly the case is the same as well */
		return true;
	for (size_t i = 0; i < prefix.n; i++) {
		if (s.p[i] != prefix.p[i] && td_lower(s.p[i]) != td_lower(prefix.p[i]))
			return false;
	}
	return true;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct td_str td_str_trim(struct td_str s)
{
	while (s.n && is_space(s.p[s.n - 1]))
		s.n--;
	while (s.n && is_space(s.p[0])) {
		s.p++;
		s.n--;
	}
	return s;
}

const char *td_str_chr(struct td_str s, char c)
{
	return s.n ? memchr(s.p, c, s.n) : NULL;
}

struct td_str td_str_split(struct td_str *rest, char sep)
{
	struct td_str head = *rest;
	const char *at = td_str_chr(head, sep);

	if (!at) {
		*rest = TD_STR_NULL;
		return head;
	}
	head.n = (size_t)(at - head.p);
	rest->p = at + 1;
	rest->n -= head.n + 1;
	return head;
}

static unsigned digit(char c)
{
	return (unsigned char)c - (unsigned)'0'; /* more than 9: it is none */
}

int td_str_u64(uint64_t *out, struct td_str s, uint64_t max)
{
	uint64_t v = 0;
	bool over = false;
	size_t i = 0;

	if (!s.n)
		return TD_ESYNTAX;
	for (; i < s.n && i < U64_DIGITS; i++) {
		if (digit(s.p[i]) > 9)
			return TD_ESYNTAX;
		v = v * 10 + digit(s.p[i]);
	}
	/* The whole view is read even after an overflow: 99…9x is bad syntax, not a great number. */
	for (; i < s.n; i++) {
		if (digit(s.p[i]) > 9)
			return TD_ESYNTAX;
		over = over || __builtin_mul_overflow(v, (uint64_t)10, &v) ||
		       __builtin_add_overflow(v, (uint64_t)digit(s.p[i]), &v);
	}
	if (over || v > max)
		return TD_ELIMIT;
	*out = v;
	return 0;
}

int td_str_u32(uint32_t *out, struct td_str s)
{
	uint64_t v;
	int err = td_str_u64(&v, s, UINT32_MAX);

	if (!err)
		*out = (uint32_t)v;
	return err;
}

bool td_str_eq_secret(struct td_str a, struct td_str b)
{
	volatile uint64_t diff = 0; /* volatile: the compiler must not leave the loop early */
	uint64_t x, y;
	size_t i = 0;

	if (a.n != b.n)
		return false;
	for (; i + sizeof(x) <= a.n; i += sizeof(x)) {
		memcpy(&x, a.p + i, sizeof(x));
		memcpy(&y, b.p + i, sizeof(y));
		diff = diff | (x ^ y);
	}
	for (; i < a.n; i++)
		diff = diff | (unsigned char)(a.p[i] ^ b.p[i]);
	return diff == 0;
}
