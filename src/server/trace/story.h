/* trace, private: what the files story*.c share. A tale is a call's records in order, with what was read out of them. */
#ifndef TD_SERVER_TRACE_STORY_H
#define TD_SERVER_TRACE_STORY_H

#include "internal.h"

struct item {
	struct td_trace_record r;
	struct td_msg *msg; /* messages that can be parsed; else NULL */
	unsigned order;     /* as it was read, for those of one moment */
};

struct tale {
	struct td_story *story;
	uint64_t now_us;
	struct item *items;
	unsigned n;
	/* messages: indices into items, -1: there is none */
	int first;    /* the first request that came */
	int last;     /* the same again, with credentials perhaps: the last one of its method that begins something */
	int final;    /* our final answer to it */
	int ringing;  /* our first 180 to 183 */
	int cancel;   /* from the caller */
	int refusal;  /* from whom it was forwarded to: the response that `final` is */
	int accepted; /* the same, a 2xx */
	int bye;
	/* who */
	struct td_str caller, callee, source; /* addresses of record, or what there is of them; in the story's arena */
};

/* story_find.c */
/* All records of the Call-ID that `which` means, in order. TD_ENOTFOUND, -ENOMEM. */
int tale_gather(struct tale *t, const struct td_trace_piece *pieces, unsigned n, struct td_str which);
void tale_free(struct tale *t); /* not its story */

/* story.c */
const struct td_note *tale_note(const struct tale *t, enum td_note_kind k);   /* the last of its kind; NULL: none */
const struct item *tale_note_item(const struct tale *t, enum td_note_kind k); /* the same */
struct td_str tale_user(struct td_str aor);                                   /* "bob" of bob@example.test */
bool tale_is_out_request(const struct item *it, enum td_method method);

/* story_words.c: sets outcome, what and remedy. -ENOMEM. */
int tale_words(struct tale *t);
/* story_steps.c */
int tale_steps(struct tale *t);

/* "192.0.2.7", "3.2 s", "4 min": how the sentences write them */
void put_ip(struct td_out *o, const struct td_addr *a);
void put_span(struct td_out *o, uint64_t us);
void put_flow(struct td_out *o, const struct td_addr *a, unsigned proto); /* "192.0.2.7:5060 (UDP)" */
struct td_str status_words(const struct td_msg *m);                       /* "486 Busy Here" as it was written */

#endif
