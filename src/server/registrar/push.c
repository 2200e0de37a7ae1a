/*
 * Phones that are to be woken (RFC 8599 §5.6.1). What they say of that stands in their Contact's URI and is kept with it. They are told
 * that it will be done: sip.pns; and those that wake by themselves too (sip.pnsreg), when they have to at the latest.
 */
#include "server/registrar/internal.h"
#include "server/push/push.h"

enum {
	LEAST_S = TD_LOC_ENDING_S + 60, /* a binding that ends sooner could not be kept by a push */
};

/* A proxy on the way does it. Each on the way may have said something, in a field of its own. */
static bool is_done_elsewhere(const struct td_msg *msg)
{
	for (const struct td_hdr *h = td_msg_hdr(msg, TD_HDR_OTHER); h; h = td_msg_hdr_next(msg, h))
		if (td_str_ieq(td_str_n(msg->bytes.p + h->at, h->name_n), TD_STR("Feature-Caps")) &&
		    memmem(td_hdr_value(msg, h).p, h->value_n, "sip.pns", 7))
			return true;
	return false;
}

static void put_caps(struct td_out *o, struct td_str provider, bool wakes_itself)
{
	td_out_fmt(o, "Feature-Caps: *;+sip.pns=\"%.*s\"", TD_FMT(provider));
	if (wakes_itself)
		td_out_fmt(o, ";+sip.pnsreg=\"%u\"", TD_LOC_ENDING_S + 1);
	td_out_z(o, "\r\n");
}

/* All that are known; with none said, any would do, and there is nothing to be listed. */
static void put_all(struct td_out *o, const struct td_config *cfg)
{
	for (unsigned i = 0; i < cfg->push.provider_n; i++)
		put_caps(o, cfg->push.providers[i], false);
}

struct verdict read_push(struct td_loc_change *out, struct extension **x, const struct td_core *core, struct td_msg *msg,
			 const struct td_contact *c)
{
	const struct td_config *cfg = core->cfg;
	struct td_param provider, prid, p;
	bool asks_only;
	struct td_out o;
	int err;

	if (!td_param_find(&provider, c->addr.uri.params, TD_STR("pn-provider")) || is_done_elsewhere(msg))
		return fine;
	asks_only = !td_param_find(&prid, c->addr.uri.params, TD_STR("pn-prid")) || !prid.value.n;
	if (provider.value.n && !td_push_knows(cfg, provider.value))
		return no(555, TD_STR("Push Notification Service Not Supported"));
	if (!provider.value.n && !asks_only)
		return fine;
	if (!asks_only && out->expires_s < LEAST_S && cfg->registrar.max_expires_s >= LEAST_S)
		return too_brief(msg, LEAST_S);
	if (!*x)
		*x = extension_new(msg);
	if (!*x)
		return no(500, TD_STR_NULL);
	out->wakes = !asks_only;
	td_out_init(&o);
	if (provider.value.n)
		put_caps(&o, provider.value, td_param_find(&p, c->addr.params, TD_STR("+sip.pnsreg")));
	else
		put_all(&o, cfg);
	err = o.failed || td_arena_dup(&(*x)->feature_caps, &msg->arena, td_out_view(&o)) ? -ENOMEM : 0;
	td_out_free(&o);
	return err ? no(500, TD_STR_NULL) : fine;
}
