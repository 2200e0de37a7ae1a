/* Large tables: pages of their own, which the kernel clears when they are first touched. */
#include <tandem/base.h>

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
