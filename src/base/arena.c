/*
 * Arena: pieces are cut off the front of the current chunk and die together. Chunks double from 2 KiB to 64 KiB; a
 * piece too large for that gets a chunk of its own behind the current one, whose rest stays in use. Under
 * AddressSanitizer pieces from chunks stand apart with poisoned bytes in between, so that a read past one is seen as
 * it would be with malloc.
 */
#include <tandem/base.h>

#include <errno.h>
#include <stdlib.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAVE_ASAN 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define HAVE_ASAN 1
#endif

#ifdef HAVE_ASAN
#include <sanitizer/asan_interface.h>
enum { GAP = 8 };
#define poison(p, n) ASAN_POISON_MEMORY_REGION(p, n)
#define unpoison(p, n) ASAN_UNPOISON_MEMORY_REGION(p, n)
#else
enum { GAP = 0 };
#define poison(p, n) ((void)0)
#define unpoison(p, n) ((void)0)
#endif

enum { CHUNK_MIN = 2048, CHUNK_MAX = 65536 };

struct td_arena_chunk {
	struct td_arena_chunk *next;
	size_t n;
	char data[] __attribute__((aligned(8)));
};

static char *align8(char *p)
{
	return p + (-(uintptr_t)p & 7);
}

void td_arena_init(struct td_arena *a)
{
	*a = (struct td_arena){ 0 };
}

void td_arena_init_with(struct td_arena *a, void *mem, size_t n)
{
	*a = (struct td_arena){ .p = mem, .end = (char *)mem + n, .own = mem, .own_end = (char *)mem + n };
}

static struct td_arena_chunk *chunk_new(size_t n)
{
	struct td_arena_chunk *c = malloc(sizeof(*c) + n);

	if (!c)
		return NULL;
	c->n = n;
	poison(c->data, n);
	return c;
}

static void *alloc_slow(struct td_arena *a, size_t n)
{
	size_t size = a->chunks ? a->chunks->n * 2 : CHUNK_MIN;
	struct td_arena_chunk *c;

	if (size > CHUNK_MAX)
		size = CHUNK_MAX;
	if (size < CHUNK_MIN)
		size = CHUNK_MIN;
	if (n > size / 2) {
		if (n > SIZE_MAX / 2)
			return NULL;
		c = chunk_new(n);
		if (!c)
			return NULL;
		if (a->chunks) {
			c->next = a->chunks->next;
			a->chunks->next = c;
		} else {
			c->next = NULL;
			a->chunks = c;
		}
		unpoison(c->data, n);
		return c->data;
	}
	c = chunk_new(size);
	if (!c)
		return NULL;
	c->next = a->chunks;
	a->chunks = c;
	a->p = c->data;
	a->end = c->data + size;
	return td_arena_alloc(a, n);
}

void *td_arena_alloc(struct td_arena *a, size_t n)
{
	char *p = a->p ? align8(a->p) : NULL;

	if (!p || p > a->end || n > (size_t)(a->end - p))
		return alloc_slow(a, n);
	a->p = p + n;
	if ((size_t)(a->end - a->p) > GAP)
		a->p += GAP;
	unpoison(p, n);
	return p;
}

void *td_arena_zalloc(struct td_arena *a, size_t n)
{
	void *p = td_arena_alloc(a, n);

	if (p)
		memset(p, 0, n);
	return p;
}

int td_arena_dup(struct td_str *out, struct td_arena *a, struct td_str s)
{
	char *p = td_arena_alloc(a, s.n);

	if (!p)
		return -ENOMEM;
	if (s.n)
		memcpy(p, s.p, s.n);
	*out = td_str_n(p, s.n);
	return 0;
}

void td_arena_wipe(struct td_str s)
{
	if (s.n)
		explicit_bzero((void *)(uintptr_t)s.p, s.n);
}

void td_arena_reset(struct td_arena *a)
{
	struct td_arena_chunk *c, *next;

	for (c = a->chunks; c; c = next) {
		next = c->next;
		unpoison(c->data, c->n);
		free(c);
	}
	a->chunks = NULL;
	a->p = a->own;
	a->end = a->own_end;
}
