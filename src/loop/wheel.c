/*
 * Timer wheel: eleven levels of 64 slots, a level per six bits of the 64-bit millisecond at which a timer is due, so
 * there is no time too far away. A timer lies at the level of the highest bit in which its time differs from the
 * wheel's, in the slot named by its six bits there. From that follows all the rest:
 *
 *  - the slots in use at a level all lie ahead, so the lowest level in use holds the first timer, in its first slot in
 *    use: two bit scans find it, and idle hours cost nothing;
 *  - when the wheel reaches the start of a slot above level 0, the slot's timers now differ in lower bits only, and move
 *    down: each timer at most once per level;
 *  - moving the wheel's time forward to anything before that start leaves every timer where it belongs;
 *  - timers of one millisecond always share a slot, hence fire in the order they were started.
 */
#include "internal.h"

static unsigned level_of(uint64_t when, uint64_t now)
{
	uint64_t differ = when ^ now;

	return differ ? (63 - (unsigned)__builtin_clzll(differ)) / WHEEL_BITS : 0;
}

/* First millisecond of a slot. */
static uint64_t slot_start(const struct wheel *w, unsigned level, unsigned slot)
{
	unsigned shift = level * WHEEL_BITS, above = shift + WHEEL_BITS;
	uint64_t high = above < 64 ? w->now_ms >> above << above : 0;

	return high | (uint64_t)slot << shift;
}

void wheel_init(struct wheel *w, uint64_t now_ms)
{
	w->now_ms = now_ms;
	w->levels = 0;
	for (unsigned l = 0; l < WHEEL_LEVELS; l++) {
		w->used[l] = 0;
		for (unsigned s = 0; s < WHEEL_SLOTS; s++)
			td_list_init(&w->slots[l][s]);
	}
}

void wheel_add(struct wheel *w, struct td_timer *tm)
{
	unsigned level = level_of(tm->when_ms, w->now_ms);
	unsigned slot = tm->when_ms >> (level * WHEEL_BITS) & (WHEEL_SLOTS - 1);

	td_list_add_tail(&w->slots[level][slot], &tm->link);
	w->used[level] |= UINT64_C(1) << slot;
	w->levels |= 1u << level;
}

static void mark_empty(struct wheel *w, unsigned level, unsigned slot)
{
	w->used[level] &= ~(UINT64_C(1) << slot);
	if (!w->used[level])
		w->levels &= ~(1u << level);
}

void wheel_del(struct wheel *w, struct td_timer *tm)
{
	struct td_link *head = tm->link.prev;
	bool was_alone = head == tm->link.next;
	size_t at;

	td_list_del(&tm->link);
	if (!was_alone)
		return;
	/* Alone between prev and next, which are thus the list's head: a slot of ours, or the loop's list of timers for
	 * the next turn. */
	at = ((uintptr_t)head - (uintptr_t)w->slots) / sizeof(*head);
	if (at < (size_t)WHEEL_LEVELS * WHEEL_SLOTS)
		mark_empty(w, (unsigned)at / WHEEL_SLOTS, (unsigned)at % WHEEL_SLOTS);
}

bool wheel_next(const struct wheel *w, uint64_t *out_ms)
{
	unsigned level;

	if (!w->levels)
		return false;
	level = (unsigned)__builtin_ctz(w->levels);
	*out_ms = slot_start(w, level, (unsigned)__builtin_ctzll(w->used[level]));
	return true;
}

static void move_down(struct wheel *w, unsigned level, unsigned slot)
{
	struct td_link *head = &w->slots[level][slot], *l = head->next, *next;

	mark_empty(w, level, slot);
	td_list_init(head);
	/* With millions of timers each one is a cache miss: fetch the next while this one is put down. */
	for (; l != head; l = next) {
		next = l->next;
		__builtin_prefetch(next, 1);
		wheel_add(w, TD_CONTAINER_OF(l, struct td_timer, link));
	}
}

struct td_timer *wheel_pop(struct wheel *w, uint64_t now_ms)
{
	struct td_timer *tm;
	uint64_t start;
	unsigned level, slot;

	while (wheel_next(w, &start) && start <= now_ms) {
		level = (unsigned)__builtin_ctz(w->levels);
		slot = (unsigned)__builtin_ctzll(w->used[level]);
		w->now_ms = start;
		if (level > 0) {
			move_down(w, level, slot);
			continue;
		}
		tm = TD_CONTAINER_OF(w->slots[0][slot].next, struct td_timer, link);
		wheel_del(w, tm);
		return tm;
	}
	w->now_ms = now_ms;
	return NULL;
}
