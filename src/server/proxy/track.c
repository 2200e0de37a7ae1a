/* What server/calls is told of an INVITE that begins a call, and of a BYE that ends one. Requests between them change nothing. */
#include "server/proxy/internal.h"

void px_track_request(struct px_context *c)
{
	struct td_proxy *p = c->px;

	if (c->invite && !c->msg->to_tag.n && p->calls && p->core->cfg->calls.track)
		c->call = td_call_begin(p->calls, p->core, c->msg, &c->setup->route);
}

/*
 * A BYE is believed when our cookie proves that it is of a dialog we helped to set up, or when its source is trusted. It ends the
 * dialog when it was accepted, when the other side knows no such dialog, and when nobody can be asked (RFC 3261 §15.1.1). Refused
 * otherwise (challenged, out of order) it changes nothing: then it may be no BYE of theirs.
 */
static void bye_answered(struct px_context *c, unsigned status, const struct td_msg *m)
{
	struct td_core *core = c->px->core;
	bool gone = !m && c->branches && status >= 500; /* every way to it failed */

	if (!c->setup->route.in_dialog && !td_config_trusts(core->cfg, &c->setup->from.peer))
		return;
	if ((status >= 200 && status < 300) || status == 408 || status == 481 || gone)
		td_calls_bye(c->px->calls, core, c->msg);
}

void px_track_response(struct px_context *c, unsigned status, const struct td_msg *m)
{
	if (c->call && status > 100)
		td_call_response(c->call, status, m ? m->to_tag : TD_STR_NULL,
				 c->cancelled ? TD_ENDER_CALLER
				 : m          ? TD_ENDER_CALLEE
					      : TD_ENDER_SERVER);
	else if (c->msg && c->msg->method == TD_BYE && c->px->calls && status >= 200)
		bye_answered(c, status, m);
}
