/* Messages for the tests of sip: parsed from buffers of exactly their size. */
#ifndef SIP_SUPPORT_H
#define SIP_SUPPORT_H

#include "support.h"

#include <tandem/sip.h>

static inline int msg_parse(struct td_msg **out, struct td_str text)
{
	struct td_buf *buf = td_buf_copy(text);
	int err;

	assert_non_null(buf);
	err = td_msg_parse(out, buf, 0, text.n);
	td_buf_unref(buf);
	return err;
}

/* A message that must parse, defect or not. */
static inline struct td_msg *msg_of(struct td_str text)
{
	struct td_msg *m = NULL;

	assert_int_equal(msg_parse(&m, text), 0);
	return m;
}

static inline struct td_msg *msg_z(const char *z)
{
	return msg_of(td_str_of(z));
}

#endif
