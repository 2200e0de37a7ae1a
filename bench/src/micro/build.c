/* The builder: a proxy's copy of an INVITE by edits, its copy of the 200, and a response of our own. */
#include "ours.h"

static void *open_invite(uint32_t size)
{
	return parsed(MESSAGE_INVITE);
}

static void *open_ok(uint32_t size)
{
	return parsed(MESSAGE_OK);
}

static void close_message(void *state)
{
	td_msg_unref(state);
}

static void applied(struct td_edits *ed)
{
	struct td_buf *out;

	if (td_edits_apply(&out, ed))
		die("the edits were refused");
	td_buf_unref(out);
	td_edits_free(ed);
}

/* RFC 3261 §16.6: Request-URI, Max-Forwards, Record-Route, Via, and the received parameter of the Via below */
static void timed_copy(void *state, uint64_t n)
{
	struct td_msg *m = state;
	struct td_edits ed;

	for (uint64_t i = 0; i < n; i++) {
		td_edits_init(&ed, m);
		td_edit_replace(&ed, m->uri, TD_STR("sip:bob@192.0.2.44:5060"));
		td_edit_replace(&ed, td_msg_value(m, TD_HDR_MAX_FORWARDS), TD_STR("69"));
		td_edit_insert_before(&ed, TD_HDR_VIA, TD_STR("Record-Route: <sip:192.0.2.1:5060;lr;ck=5f1c77a0>\r\n"));
		td_edit_insert_before(&ed, TD_HDR_VIA,
				      TD_STR("Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK.0001f3a4b5c6d7e8f9\r\n"));
		td_edit_replace(&ed, m->via.rport_text, TD_STR("rport=5062;received=192.0.2.17"));
		applied(&ed);
	}
}

/* §16.7: without our Via */
static void timed_copy_response(void *state, uint64_t n)
{
	struct td_msg *m = state;
	struct td_edits ed;

	for (uint64_t i = 0; i < n; i++) {
		td_edits_init(&ed, m);
		td_edit_remove_first_value(&ed, TD_HDR_VIA);
		applied(&ed);
	}
}

static void timed_response(void *state, uint64_t n)
{
	struct td_msg *m = state;
	char mem[2048];
	struct td_out o;

	for (uint64_t i = 0; i < n; i++) {
		td_out_init_fixed(&o, mem, sizeof(mem));
		td_put_response_head(&o, m, 180, TD_STR_NULL, TD_STR("8a6f2c40"), true);
		td_put_body(&o, TD_STR_NULL, TD_STR_NULL);
		if (o.failed)
			die("no room");
	}
}

const struct micro micro_build[] = {
	{ "proxy's copy of INVITE", open_invite, NULL, timed_copy, close_message, 0 },
	{ "proxy's copy of 200", open_ok, NULL, timed_copy_response, close_message, 0 },
	{ "180 to INVITE", open_invite, NULL, timed_response, close_message, 0 },
	{ NULL },
};
