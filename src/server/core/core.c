/*
 * Which of our domains an address means, and whose address it is there. Phones know a server by its domain or, often, by nothing but
 * its address: "alice@192.0.2.1:5060" is alice of the first domain. The port behind a domain's name says where to send, not whom.
 */
#include "server/core/core.h"

const struct td_domain *td_core_domain(const struct td_core *core, const struct td_uri *uri)
{
	const struct td_domain *d;

	if (uri->scheme != TD_SCHEME_SIP && uri->scheme != TD_SCHEME_SIPS)
		return NULL;
	d = td_config_domain(core->cfg, uri->host);
	return !d && td_tp_is_me(core->tp, uri->host, uri->port) ? &core->cfg->domains[0] : d;
}

int td_core_aor(struct td_out *o, const struct td_uri *uri, const struct td_domain *domain)
{
	if (uri->user.p && td_aor_user(o, uri->user))
		return TD_ESYNTAX;
	td_out_str(o, domain->name); /* in lower case, as the configuration has it */
	return 0;
}
