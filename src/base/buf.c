#include <tandem/base.h>

#include <stdlib.h>
#include <sys/mman.h>

enum { HUGE_PAGE_BYTES = 2 << 20 };

void *td_table_new(size_t bytes, bool dense)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	if (dense && bytes >= HUGE_PAGE_BYTES)
		(void)madvise(p, bytes, MADV_HUGEPAGE);
	return p;
}

void td_table_free(void *table, size_t bytes)
{
	if (table)
		munmap(table, bytes);
}

struct td_buf *td_buf_new(size_t size)
{
	struct td_buf *b;

	if (size > UINT32_MAX - sizeof(*b))
		return NULL;
	b = malloc(sizeof(*b) + size);
	if (!b)
		return NULL;
	atomic_init(&b->refs, 1);
	b->size = (uint32_t)size;
	b->len = 0;
	return b;
}

struct td_buf *td_buf_copy(struct td_str bytes)
{
	struct td_buf *b = td_buf_new(bytes.n);

	if (!b)
		return NULL;
	if (bytes.n)
		memcpy(b->data, bytes.p, bytes.n);
	b->len = (uint32_t)bytes.n;
	return b;
}

struct td_buf *td_buf_ref(struct td_buf *b)
{
	atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
	return b;
}

void td_buf_unref(struct td_buf *b)
{
	if (!b)
		return;
	/* A holder of the only reference needs no locked instruction: nobody else can take another one meanwhile.
	 * The acquire pairs with the release of whoever let go before us, on whatever thread. */
	if (atomic_load_explicit(&b->refs, memory_order_acquire) == 1 ||
	    atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) == 1)
		free(b);
}
