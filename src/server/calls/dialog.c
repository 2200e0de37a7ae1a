/*
 * The answered dialogs of all calls of a worker. They are found from either side, so the hash is the same whichever tag comes
 * first; which is whose the comparison tells.
 */
#include "server/calls/internal.h"

#include <errno.h>
#include <stdlib.h>

static uint64_t hash_of(const struct td_calls *all, struct td_str call_id, struct td_str tag, struct td_str other_tag)
{
	struct td_hash_key key = { all->key.k0 ^ td_hash_str(&all->key, call_id), all->key.k1 };

	return td_hash_str(&key, tag) + td_hash_str(&key, other_tag);
}

struct td_str dialog_tag(const struct dialog *d)
{
	const struct td_call *c = d->call;

	if (d != &c->first)
		return td_str_n((const char *)(d + 1), d->tag_n);
	return td_str_n(c->text + c->call_id_n + c->tag_n + c->caller_n + c->callee_n, d->tag_n);
}

static bool known(const struct td_call *c, struct td_str to_tag)
{
	for (const struct dialog *d = c->dialogs; d; d = d->next)
		if (td_str_eq(dialog_tag(d), to_tag))
			return true;
	return false;
}

int dialog_add(struct td_call *c, struct td_str to_tag)
{
	struct dialog *d = &c->first;

	if (known(c, to_tag) || c->dialogs_n == MAX_DIALOGS)
		return 0;
	if (d->call || to_tag.n > TAG_ROOM)
		d = malloc(sizeof(*d) + to_tag.n);
	if (!d)
		return -ENOMEM;
	*d = (struct dialog){ .call = c, .next = c->dialogs, .tag_n = (uint16_t)to_tag.n };
	if (to_tag.n)
		memcpy((char *)(uintptr_t)dialog_tag(d).p, to_tag.p, to_tag.n);
	c->dialogs = d;
	c->dialogs_n++;
	c->dialogs_open++;
	td_map_add(&c->shard->dialogs, &d->node, hash_of(c->shard->all, call_id_of(c), caller_tag_of(c), to_tag));
	return 0;
}

struct sought {
	struct td_str call_id, tag, other_tag;
};

static bool is_sought(const struct td_map_node *node, const void *key)
{
	const struct dialog *d = TD_CONTAINER_OF(node, struct dialog, node);
	struct td_str caller = caller_tag_of(d->call), callee = dialog_tag(d);
	const struct sought *k = key;

	return td_str_eq(call_id_of(d->call), k->call_id) && ((td_str_eq(caller, k->tag) && td_str_eq(callee, k->other_tag)) ||
							      (td_str_eq(callee, k->tag) && td_str_eq(caller, k->other_tag)));
}

struct dialog *dialog_find(struct shard *sh, struct td_str call_id, struct td_str tag, struct td_str other_tag)
{
	const struct sought k = { call_id, tag, other_tag };
	struct td_map_node *n;

	if (!sh->dialogs.count)
		return NULL;
	n = td_map_find(&sh->dialogs, hash_of(sh->all, call_id, tag, other_tag), is_sought, &k);
	return n ? TD_CONTAINER_OF(n, struct dialog, node) : NULL;
}

void dialog_over(struct dialog *d)
{
	struct td_call *c = d->call;

	if (d->over)
		return;
	d->over = true;
	c->dialogs_open--;
	td_map_del(&c->shard->dialogs, &d->node);
}

void dialogs_free(struct td_call *c)
{
	struct dialog *next;

	for (struct dialog *d = c->dialogs; d; d = next) {
		next = d->next;
		dialog_over(d);
		if (d != &c->first)
			free(d);
	}
	c->dialogs = NULL;
}
