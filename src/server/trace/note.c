/* The names of notes, as programs read them in JSON (they are never changed), and what of a message all of the room read. */
#include "internal.h"

bool td_trace_party(struct td_uri *out, const struct td_msg *m, enum td_hdr_id id)
{
	struct td_name_addr na;

	if (td_name_addr_parse(&na, td_msg_value(m, id)))
		return false;
	*out = na.uri;
	return true;
}

struct td_str td_note_name(enum td_note_kind k)
{
	static const struct td_str names[TD_NOTE_KINDS] = {
		[TD_NOTE_NONE] = TD_STR_INIT("none"),
		[TD_NOTE_LEFT_OUT] = TD_STR_INIT("left-out"),
		[TD_NOTE_LIMITED] = TD_STR_INIT("limited"),
		[TD_NOTE_BANNED] = TD_STR_INIT("banned"),
		[TD_NOTE_STILL_BANNED] = TD_STR_INIT("still-banned"),
		[TD_NOTE_WORKER_BEHIND] = TD_STR_INIT("worker-behind"),
		[TD_NOTE_BROKEN] = TD_STR_INIT("broken"),
		[TD_NOTE_CHALLENGED] = TD_STR_INIT("challenged"),
		[TD_NOTE_NONCE_OLD] = TD_STR_INIT("nonce-old"),
		[TD_NOTE_PASSWORD] = TD_STR_INIT("password-wrong"),
		[TD_NOTE_NOT_HIM] = TD_STR_INIT("not-him"),
		[TD_NOTE_AUTHENTICATED] = TD_STR_INIT("authenticated"),
		[TD_NOTE_REFUSED] = TD_STR_INIT("refused"),
		[TD_NOTE_NOT_REGISTERED] = TD_STR_INIT("not-registered"),
		[TD_NOTE_BINDINGS] = TD_STR_INIT("bindings"),
		[TD_NOTE_PUSHED] = TD_STR_INIT("pushed"),
		[TD_NOTE_PUSH_FAILED] = TD_STR_INIT("push-failed"),
		[TD_NOTE_WOKEN] = TD_STR_INIT("woken"),
		[TD_NOTE_NOT_WOKEN] = TD_STR_INIT("not-woken"),
		[TD_NOTE_NO_SIPS] = TD_STR_INIT("no-sips"),
		[TD_NOTE_TOO_MANY] = TD_STR_INIT("too-many"),
		[TD_NOTE_NO_TARGET] = TD_STR_INIT("no-target"),
		[TD_NOTE_UNSENT] = TD_STR_INIT("unsent"),
		[TD_NOTE_NO_ANSWER] = TD_STR_INIT("no-answer"),
		[TD_NOTE_RANG_TOO_LONG] = TD_STR_INIT("rang-too-long"),
		[TD_NOTE_DNS_ASKED] = TD_STR_INIT("dns-asked"),
		[TD_NOTE_DNS_FAILED] = TD_STR_INIT("dns-failed"),
		[TD_NOTE_NEXT_SERVER] = TD_STR_INIT("next-server"),
		[TD_NOTE_TLS_FAILED] = TD_STR_INIT("tls-failed"),
	};

	return (unsigned)k < TD_NOTE_KINDS ? names[k] : names[TD_NOTE_NONE];
}
