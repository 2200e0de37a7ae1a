/* trace, private: how records lie in a ring. */
#ifndef TD_SERVER_TRACE_INTERNAL_H
#define TD_SERVER_TRACE_INTERNAL_H

#include "server/trace/trace.h"

enum { RECORD_ALIGN = 32 }; /* each begins on such a boundary of its piece */

/* What every record begins with. */
struct record_head {
	uint64_t at_us;
	uint32_t size; /* of the record, aligned */
	uint16_t kind; /* enum td_trace_kind */
	uint16_t note; /* enum td_note_kind */
};

struct message_record {
	struct record_head head;
	uint32_t n, whole_n; /* bytes kept, and what there were */
	struct td_flow flow;
	char bytes[];
};

struct note_record {
	struct record_head head;
	int64_t a, b;
	struct td_addr peer;
	uint16_t call_id_n, text_n, more_n;
	uint8_t proto;
	char texts[]; /* one after the other */
};

struct td_trace {
	char *at, *end; /* the rest of the piece that is being written */
	struct td_loop *loop;
	bool quiet;        /* what is handled now is left out */
	uint32_t thin;     /* of so many Call-IDs, less one, one is kept; 0: all */
	uint64_t left_out; /* messages, since it was noted */
	uint64_t began_us; /* the piece that is being written */
	uint64_t piece_us; /* that is how long one should last */
	uint64_t second;   /* and in it so many notes without a Call-ID */
	uint32_t nameless;
	uint64_t all_until_us; /* somebody reads who wants all of them */
	unsigned n, now;
	uint64_t segment; /* number of the one being written; 0: none yet */
	struct td_buf *segments[];
};

/* Where the first record of a piece stands: at the first boundary. */
static inline uint32_t record_first(const struct td_buf *b)
{
	return (uint32_t)(-(uintptr_t)b->data & (RECORD_ALIGN - 1));
}

/* Somebody reads who wants all messages, and will come again. */
void trace_watched(struct td_trace *t);
/* Brings a piece's length up to what was written. */
void trace_settle(struct td_trace *t);

#endif
