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

struct td_str td_core_come_again(const struct td_core *core, struct td_msg *msg, unsigned least_s)
{
	enum { ROOM = sizeof("Retry-After: 4294967295\r\n") };
	char *text = td_arena_alloc(&msg->arena, ROOM);
	struct td_out o;

	if (!text)
		return TD_STR_NULL;
	td_out_init_fixed(&o, text, ROOM);
	td_out_fmt(&o, "Retry-After: %u\r\n", least_s + (unsigned)td_rng_below(td_loop_rng(core->loop), least_s));
	return td_out_view(&o);
}

void td_core_expect(const struct td_core *core, struct td_msg *msg)
{
	const struct td_uri *to = &msg->to.uri;
	const struct td_domain *domain;
	struct td_registrant *r;
	struct td_out o;
	size_t most;

	if (msg->method != TD_REGISTER || msg->defect.status || !to->user.n)
		return;
	if (td_users_count(core->users) && !td_msg_hdr(msg, TD_HDR_AUTHORIZATION))
		return; /* most probably it is challenged, for which nobody is looked for */
	domain = td_core_domain(core, to);
	if (!domain)
		return;
	most = 3 * to->user.n + sizeof("@") + domain->name.n; /* every byte of the user may have to be escaped */
	r = td_arena_alloc(&msg->arena, sizeof(*r) + most);
	if (!r)
		return;
	td_out_init_fixed(&o, (char *)(r + 1), most);
	if (td_core_aor(&o, to, domain) || o.failed)
		return;
	r->domain = domain;
	r->user = td_users_expect(core->users, td_out_view(&o));
	r->location = td_location_expect(core->location, core->worker, r->user.aor);
	msg->user = r;
}
