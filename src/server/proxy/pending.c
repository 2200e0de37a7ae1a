/* How many calls each source has that are neither answered nor refused yet: a source that only ever starts calls stops here (D7). */
#include "server/proxy/internal.h"

#include <errno.h>
#include <stdlib.h>

struct px_source {
	struct td_map_node node;
	struct td_addr ip;
	uint32_t calls;
};

static bool same_ip(const struct td_map_node *node, const void *key)
{
	return td_ip_eq(&TD_CONTAINER_OF(node, struct px_source, node)->ip, key);
}

int px_pending_add(struct px_source **out, struct td_proxy *p, const struct td_addr *source, uint32_t max)
{
	struct td_addr ip = *source;
	struct td_map_node *node;
	struct px_source *s;
	uint64_t hash;

	ip.port = 0;
	hash = td_addr_hash(&p->key, &ip);
	node = td_map_find(&p->sources, hash, same_ip, &ip);
	if (node) {
		s = TD_CONTAINER_OF(node, struct px_source, node);
		if (s->calls >= max)
			return TD_ELIMIT;
	} else {
		s = calloc(1, sizeof(*s));
		if (!s)
			return -ENOMEM;
		s->ip = ip;
		td_map_add(&p->sources, &s->node, hash);
		p->stats.sources++;
	}
	s->calls++;
	*out = s;
	return 0;
}

void px_pending_del(struct td_proxy *p, struct px_source *s)
{
	if (!s || --s->calls)
		return;
	td_map_del(&p->sources, &s->node);
	p->stats.sources--;
	free(s);
}
