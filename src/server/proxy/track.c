/* What server/calls is told of an INVITE that begins a call, and of a BYE that ends one. Requests between them change nothing. */
#include "server/proxy/internal.h"

/*
 * Too many calls of the caller: 403, since what was understood is refused to this caller, and a 4xx leaves other users and servers
 * alone (RFC 3261 §21.4.4; a 503 would have phones give up this server). Of the callee: busy, as a phone with all its lines taken
 * says (§21.4.24).
 */
static bool passes(struct px_context *c, enum td_call_verdict v)
{
	if (v == TD_CALL_CALLER_FULL || v == TD_CALL_CALLEE_FULL)
		td_trace_note(
			c->px->core->trace, c->msg->call_id,
			&(struct td_note){ .kind = TD_NOTE_TOO_MANY,
					   .a = v == TD_CALL_CALLER_FULL ? 403 : 486,
					   .text = v == TD_CALL_CALLER_FULL ? c->setup->route.sender : c->setup->route.aor });
	if (v == TD_CALL_CALLER_FULL)
		px_reply(c, 403, TD_STR("Too Many Calls"));
	else if (v == TD_CALL_CALLEE_FULL)
		px_reply(c, 486, TD_STR_NULL);
	return v == TD_CALL_GO;
}

static void admitted(void *arg, enum td_call_verdict v)
{
	struct px_context *c = arg;

	px_context_enter(c);
	c->asking = false;
	if (passes(c, v))
		px_to_targets(c);
	px_context_leave(c);
}

bool px_track_request(struct px_context *c)
{
	struct td_proxy *p = c->px;
	enum td_call_verdict v;

	if (!c->invite || c->msg->to_tag.n || !p->calls || !p->core->cfg->calls.track)
		return true;
	c->call = td_call_begin(p->calls, p->core, c->msg, &c->setup->route);
	if (!c->call)
		return true;
	v = td_call_admit(c->call, admitted, c);
	c->asking = v == TD_CALL_WAIT;
	return passes(c, v);
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
