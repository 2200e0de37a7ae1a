/*
 * Which requests the gate let in, of those that leave no transaction behind. Their retransmissions come with the same credentials,
 * which count once (A1), and CANCEL and the ACK for a 300-699 come with none at all (§22.1): without a memory they would be
 * challenged, or anybody's would have to be passed on. So eight bytes are kept of each; of requests that need not prove
 * who sends them (a source under trust, a dialog's cookie) none.
 *
 * Two generations of an open-addressing table: a note is found for one life at least and two at most. When there are too many, the
 * older generation goes early.
 */
#include "server/proxy/internal.h"

#include <stdlib.h>

enum { FIRST_CAP = 64, MOST = 1 << 20 };

static uint64_t *slot_of(const struct px_generation *g, uint64_t id)
{
	size_t i = (size_t)id & (g->cap - 1);

	while (g->slot[i] && g->slot[i] != id)
		i = (i + 1) & (g->cap - 1);
	return &g->slot[i];
}

static bool has(const struct px_generation *g, uint64_t id)
{
	return g->n && *slot_of(g, id);
}

static bool grow(struct px_generation *g)
{
	struct px_generation more = { .cap = g->cap ? 2 * g->cap : FIRST_CAP, .n = g->n };

	more.slot = calloc(more.cap, sizeof(*more.slot));
	if (!more.slot)
		return false;
	for (size_t i = 0; i < g->cap; i++)
		if (g->slot[i])
			*slot_of(&more, g->slot[i]) = g->slot[i];
	free(g->slot);
	*g = more;
	return true;
}

static void turn(struct px_notes *ns)
{
	free(ns->old.slot);
	ns->old = ns->young;
	ns->young = (struct px_generation){ 0 };
}

static void life_over(struct td_timer *tm, void *arg)
{
	struct px_notes *ns = arg;

	turn(ns);
	if (ns->old.n)
		td_timer_start(ns->loop, tm, ns->life_ms);
}

void px_notes_init(struct px_notes *ns, struct td_loop *loop)
{
	*ns = (struct px_notes){ .loop = loop };
	td_timer_init(&ns->timer, life_over, ns);
}

void px_notes_free(struct px_notes *ns)
{
	td_timer_stop(ns->loop, &ns->timer);
	turn(ns);
	turn(ns);
}

void px_note(struct px_notes *ns, uint64_t id, uint64_t life_ms)
{
	struct px_generation *g = &ns->young;

	id += !id; /* 0: a free slot */
	ns->life_ms = life_ms;
	if (g->n == MOST)
		turn(ns);
	if (2 * g->n >= g->cap && !grow(g))
		return; /* no memory: its retransmission is challenged */
	uint64_t *slot = slot_of(g, id);
	g->n += !*slot;
	*slot = id;
	if (!td_timer_running(&ns->timer))
		td_timer_start(ns->loop, &ns->timer, life_ms);
}

bool px_noted(const struct px_notes *ns, uint64_t id)
{
	id += !id;
	return has(&ns->young, id) || has(&ns->old, id);
}
