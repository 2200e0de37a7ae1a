/* What the call path asks of a configuration: is this domain ours, is this source trusted. And its reference count. */
#include "server/config/config.h"

#include <stdlib.h>

struct td_config *td_config_ref(struct td_config *c)
{
	atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
	return c;
}

/* The struct itself is one calloc; everything it points to stands in its arena. */
void td_config_unref(struct td_config *c)
{
	if (!c || atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (unsigned i = 0; i < c->tls.site_n; i++)
		td_arena_wipe(c->tls.sites[i].key);
	td_arena_reset(&c->arena);
	free(c);
}

const struct td_domain *td_config_domain(const struct td_config *c, struct td_str host)
{
	if (host.n && host.p[host.n - 1] == '.') /* a name with its root dot is the same name */
		host.n--;
	for (unsigned i = 0; i < c->domain_n; i++)
		if (td_str_eq(c->domains[i].name, host) ||
		    td_str_ieq(c->domains[i].name, host)) /* nearly all write it as we do */
			return &c->domains[i];
	return NULL;
}

bool td_config_trusts(const struct td_config *c, const struct td_addr *source)
{
	for (unsigned i = 0; i < c->trust_n; i++)
		if (td_ip_in(source, &c->trust[i].net, c->trust[i].bits))
			return true;
	return false;
}

bool td_config_allows(const struct td_config *c, const struct td_addr *source)
{
	for (unsigned i = 0; i < c->guard.allow_n; i++)
		if (td_ip_in(source, &c->guard.allow[i].net, c->guard.allow[i].bits))
			return true;
	return false;
}
