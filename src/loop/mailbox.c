/*
 * Mailbox: any thread pushes onto a stack, the loop's thread takes the whole stack at once and turns it round, so there
 * is no ABA and no lock. A loop that is awake looks into its mailbox before it sleeps, so only posting to a sleeping one
 * needs a system call, and only one per sleep.
 *
 * No wake-up is lost. The loop does (1) awake = false, (2) look at head, then sleeps; a poster does (3) push onto head,
 * (4) read awake. All four are sequentially consistent, so they have one order that all threads agree on. If (3) comes
 * before (2), the loop sees the mail and does not sleep. Otherwise (1) < (2) < (3) < (4): the poster reads false, unless
 * another poster, or the loop waking for another reason, set it to true after (1). A poster that did so writes the
 * eventfd; a loop that did so will pass (1) and (2) again before it sleeps, and then sees the mail.
 */
#include "internal.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

int mailbox_open(struct mailbox *b, bool real)
{
	atomic_init(&b->head, NULL);
	atomic_init(&b->awake, true);
	b->fd = -1;
	if (!real)
		return 0;
	b->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return b->fd < 0 ? -errno : 0;
}

void mailbox_close(struct mailbox *b)
{
	if (b->fd >= 0)
		close(b->fd);
}

void mailbox_post(struct mailbox *b, struct td_mail *m)
{
	struct td_mail *head = atomic_load_explicit(&b->head, memory_order_relaxed);
	const uint64_t one = 1;

	do
		m->next = head;
	while (!atomic_compare_exchange_weak(&b->head, &head, m));
	/* From here on m may be gone already. */
	if (!atomic_load(&b->awake) && !atomic_exchange(&b->awake, true)) {
		/* Can only fail by EAGAIN, when the counter is full: then the loop is woken anyway. */
		ssize_t ignored = write(b->fd, &one, sizeof(one));

		(void)ignored;
	}
}

bool mailbox_empty(struct mailbox *b)
{
	return !atomic_load_explicit(&b->head, memory_order_relaxed);
}

bool mailbox_deliver(struct mailbox *b)
{
	struct td_mail *m, *next, *first = NULL;

	if (mailbox_empty(b))
		return false;
	for (m = atomic_exchange_explicit(&b->head, NULL, memory_order_acquire); m; m = next) {
		next = m->next;
		m->next = first;
		first = m;
	}
	for (m = first; m; m = next) {
		next = m->next;
		m->next = NULL;
		m->fn(m, m->arg);
	}
	return true;
}

bool mailbox_sleep(struct mailbox *b)
{
	atomic_store(&b->awake, false);
	if (!atomic_load(&b->head))
		return true;
	atomic_store(&b->awake, true);
	return false;
}

void mailbox_awake(struct mailbox *b)
{
	atomic_store_explicit(&b->awake, true, memory_order_relaxed);
}

void mailbox_drain_fd(struct mailbox *b)
{
	uint64_t count;
	ssize_t ignored = read(b->fd, &count, sizeof(count));

	(void)ignored;
}
