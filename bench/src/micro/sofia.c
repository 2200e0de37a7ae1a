/*
 * sofia-sip's parser on the same messages: msg_make() copies the bytes and sip_object() gives the message with every header it
 * knows read into its structure.
 */
#include "micro.h"

#include <sofia-sip/msg.h>
#include <sofia-sip/sip.h>
#include <sofia-sip/sip_parser.h>
#include <string.h>

static void *open_register(uint32_t size)
{
	(void)size;
	return (void *)message_text[MESSAGE_REGISTER];
}

static void *open_invite(uint32_t size)
{
	(void)size;
	return (void *)message_text[MESSAGE_INVITE];
}

static void *open_ok(uint32_t size)
{
	(void)size;
	return (void *)message_text[MESSAGE_OK];
}

static void timed_parse(void *state, uint64_t n)
{
	size_t bytes = strlen(state);

	for (uint64_t i = 0; i < n; i++) {
		msg_t *m = msg_make(sip_default_mclass(), 0, state, (ssize_t)bytes);
		sip_t *sip = sip_object(m);
		if (!sip || sip->sip_error || !sip->sip_call_id)
			die("sofia-sip refused the message");
		msg_destroy(m);
	}
}

static void close_nothing(void *state)
{
	(void)state;
}

int main(int argc, char **argv)
{
	static const struct micro table[] = {
		{ "read all of REGISTER", open_register, NULL, timed_parse, close_nothing, 0 },
		{ "read all of INVITE with SDP", open_invite, NULL, timed_parse, close_nothing, 0 },
		{ "read all of 200", open_ok, NULL, timed_parse, close_nothing, 0 },
		{ NULL, NULL, NULL, NULL, NULL, 0 },
	};
	static const struct micro *const tables[] = { table, NULL };

	return micro_main(argc, argv, tables);
}
