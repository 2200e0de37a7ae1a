/* push, private: push.c has the posts and their turns, news.c what they say. */
#ifndef TD_SERVER_PUSH_INTERNAL_H
#define TD_SERVER_PUSH_INTERNAL_H

#include <errno.h>

#include "server/push/push.h"

/* The request as it goes out. NULL: no memory. */
struct td_buf *push_request(const struct td_config *cfg, const struct td_push_news *news);
/* The status of an answer: 0: its first line is not there yet; -1: it is none. */
int push_status(struct td_str bytes);

#endif
