/*
 * libre's parser on the same messages: sip_msg_decode() splits all header fields into a list and reads Via, From, To, Call-ID,
 * CSeq, Content-Length, Max-Forwards and some more. The buffer is made once, as in our own program.
 */
#include "micro.h"

#include <re.h>

static void *open_which(int which)
{
	struct mbuf *mb = need(mbuf_alloc(2048));

	mbuf_write_str(mb, message_text[which]);
	return mb;
}

static void *open_register(uint32_t size)
{
	(void)size;
	return open_which(MESSAGE_REGISTER);
}

static void *open_invite(uint32_t size)
{
	(void)size;
	return open_which(MESSAGE_INVITE);
}

static void *open_ok(uint32_t size)
{
	(void)size;
	return open_which(MESSAGE_OK);
}

static void timed_parse(void *state, uint64_t n)
{
	struct mbuf *mb = state;
	struct sip_msg *m;

	for (uint64_t i = 0; i < n; i++) {
		mb->pos = 0;
		if (sip_msg_decode(&m, mb))
			die("libre refused the message");
		mem_deref(m);
	}
}

static void close_buffer(void *state)
{
	mem_deref(state);
}

int main(int argc, char **argv)
{
	static const struct micro table[] = {
		{ "parse REGISTER", open_register, NULL, timed_parse, close_buffer, 0 },
		{ "parse INVITE with SDP", open_invite, NULL, timed_parse, close_buffer, 0 },
		{ "parse 200", open_ok, NULL, timed_parse, close_buffer, 0 },
		{ NULL, NULL, NULL, NULL, NULL, 0 },
	};
	static const struct micro *const tables[] = { table, NULL };

	return micro_main(argc, argv, tables);
}
