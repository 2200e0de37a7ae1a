#include <tandem/base.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void td_out_init(struct td_out *o)
{
	*o = (struct td_out){ 0 };
}

void td_out_init_fixed(struct td_out *o, void *mem, size_t cap)
{
	*o = (struct td_out){ .p = mem, .cap = cap, .fixed = true };
}

static struct td_buf *buf_of(const struct td_out *o)
{
	return o->p ? TD_CONTAINER_OF(o->p, struct td_buf, data[0]) : NULL;
}

void td_out_free(struct td_out *o)
{
	if (!o->fixed)
		free(buf_of(o));
	*o = (struct td_out){ 0 };
}

void td_out_wipe(struct td_out *o)
{
	if (o->p)
		explicit_bzero(o->p, o->n);
	td_out_free(o);
}

bool td_out_reserve(struct td_out *o, size_t n)
{
	struct td_buf *b;
	size_t cap;

	if (o->failed)
		return false;
	if (n <= o->cap - o->n)
		return true;
	if (o->fixed || n > UINT32_MAX / 2 - o->n)
		goto fail;
	cap = o->cap ? o->cap * 2 : 256;
	if (cap < o->n + n)
		cap = o->n + n;
	b = realloc(buf_of(o), sizeof(*b) + cap);
	if (!b)
		goto fail;
	o->p = b->data;
	o->cap = cap;
	return true;
fail:
	o->failed = true;
	return false;
}

char *td_out_room(struct td_out *o, size_t n)
{
	char *p;

	if (!td_out_reserve(o, n))
		return NULL;
	/* An empty growing string has no memory yet; NULL is kept for failure. */
	p = o->p ? o->p + o->n : (char *)o;
	o->n += n;
	return p;
}

/* How many digits v has: most numbers here have few. */
static inline size_t digits_of(uint64_t v)
{
	for (size_t n = 1;; n += 4, v /= 10000) {
		if (v < 10)
			return n;
		if (v < 100)
			return n + 1;
		if (v < 1000)
			return n + 2;
		if (v < 10000)
			return n + 3;
	}
}

void td_out_u64(struct td_out *o, uint64_t v)
{
	static const char pairs[] =
		"00010203040506070809101112131415161718192021222324252627282930313233343536373839404142434445464748"
		"49505152535455565758596061626364656667686970717273747576777879808182838485868788899091929394959697"
		"9899";
	size_t n = digits_of(v);
	char *p = td_out_room(o, n);

	if (!p)
		return;
	for (; n > 1; v /= 100) {
		n -= 2;
		memcpy(p + n, pairs + 2 * (v % 100), 2);
	}
	if (n)
		p[0] = (char)('0' + v);
}

void td_out_i64(struct td_out *o, int64_t v)
{
	char digits[20];
	struct td_out text;

	/* Through a piece of its own, so that a full fixed string does not end in a lone sign. */
	td_out_init_fixed(&text, digits, sizeof(digits));
	if (v < 0)
		td_out_char(&text, '-');
	td_out_u64(&text, v < 0 ? -(uint64_t)v : (uint64_t)v);
	td_out_str(o, td_out_view(&text));
}

void td_out_hex(struct td_out *o, const void *bytes, size_t n)
{
	char *p;

	if (n > SIZE_MAX / 4) {
		o->failed = true;
		return;
	}
	p = td_out_room(o, 2 * n);
	if (p)
		td_hex_encode(p, bytes, n);
}

void td_out_fmt(struct td_out *o, const char *fmt, ...)
{
	va_list ap, again;
	int n;

	if (o->failed)
		return;
	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(o->p ? o->p + o->n : NULL, o->cap - o->n, fmt, ap);
	va_end(ap);
	if (n < 0)
		o->failed = true;
	else if ((size_t)n >= o->cap - o->n && td_out_reserve(o, (size_t)n + 1))
		n = vsnprintf(o->p + o->n, (size_t)n + 1, fmt, again);
	va_end(again);
	if (!o->failed)
		o->n += (size_t)n;
}

struct td_buf *td_out_buf(struct td_out *o)
{
	struct td_buf *b = NULL;

	if (o->failed || o->fixed || !o->p) {
		b = o->failed ? NULL : td_buf_copy(td_out_view(o));
		td_out_free(o);
		return b;
	}
	b = buf_of(o);
	atomic_init(&b->refs, 1);
	b->size = (uint32_t)o->cap;
	b->len = (uint32_t)o->n;
	*o = (struct td_out){ 0 };
	return b;
}
