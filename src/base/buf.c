#include <tandem/base.h>

#include <stdlib.h>

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
