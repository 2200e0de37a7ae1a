/* The parser: the index and the values every element needs; and the same with every header read strictly. */
#include "ours.h"

#include <stdlib.h>

struct parse {
	struct td_buf *buf[MESSAGES];
	int which; /* MESSAGES: each in turn */
};

static void *open_which(int which)
{
	struct parse *p = need(calloc(1, sizeof(*p)));

	p->which = which;
	for (int i = 0; i < MESSAGES; i++)
		p->buf[i] = need(td_buf_copy(td_str_of(message_text[i])));
	return p;
}

static void *open_register(uint32_t size)
{
	return open_which(MESSAGE_REGISTER);
}

static void *open_invite(uint32_t size)
{
	return open_which(MESSAGE_INVITE);
}

static void *open_ok(uint32_t size)
{
	return open_which(MESSAGE_OK);
}

static void *open_mix(uint32_t size)
{
	return open_which(MESSAGES);
}

static void close_all(void *state)
{
	struct parse *p = state;

	for (int i = 0; i < MESSAGES; i++)
		td_buf_unref(p->buf[i]);
	free(p);
}

static struct td_msg *parse(struct td_buf *buf)
{
	struct td_msg *m;

	if (td_msg_parse(&m, buf, 0, td_buf_str(buf).n) || m->defect.status)
		die("our own message was refused");
	return m;
}

struct td_msg *parsed(int which)
{
	struct td_buf *buf = need(td_buf_copy(td_str_of(message_text[which])));
	struct td_msg *m = parse(buf);

	td_buf_unref(buf);
	return m;
}

static void timed_parse(void *state, uint64_t n)
{
	struct parse *p = state;

	for (uint64_t i = 0; i < n; i++)
		td_msg_unref(parse(p->buf[p->which]));
}

static void timed_strict(void *state, uint64_t n)
{
	struct parse *p = state;

	for (uint64_t i = 0; i < n; i++) {
		struct td_msg *m = parse(p->buf[p->which]);
		if (td_msg_validate(m).status)
			die("our own message was refused");
		td_msg_unref(m);
	}
}

static void timed_mix(void *state, uint64_t n)
{
	struct parse *p = state;

	for (uint64_t i = 0; i < n; i++)
		td_msg_unref(parse(p->buf[i % MESSAGES]));
}

const struct micro micro_parse[] = {
	{ "parse REGISTER", open_register, NULL, timed_parse, close_all, 0 },
	{ "parse INVITE with SDP", open_invite, NULL, timed_parse, close_all, 0 },
	{ "parse 200", open_ok, NULL, timed_parse, close_all, 0 },
	{ "parse in turn", open_mix, NULL, timed_mix, close_all, 0 },
	{ "read all of REGISTER", open_register, NULL, timed_strict, close_all, 0 },
	{ "read all of INVITE with SDP", open_invite, NULL, timed_strict, close_all, 0 },
	{ "read all of 200", open_ok, NULL, timed_strict, close_all, 0 },
	{ NULL },
};
