/*
 * Writing. The ring is a row of pieces; a record goes behind the last one of its piece, or, when it does not fit, to the beginning of the
 * next, whose records are forgotten by that. So nothing has to be done for the single record that is overwritten, and a piece that
 * is full does not change any more: it is what readers get. One that a reader still holds when its turn comes is left to him.
 *
 * This is on the way of every message, so it is bound checks and a copy.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>

/* With malloc(3)'s own needs it is a piece. */
enum { SEGMENT_BYTES = TD_TRACE_SEGMENT - 64 };

enum {
	THIN_MOST = 65535,
	THIN_NOTES = 255,
	WATCHED_US = 2000000,
	NAMELESS_MOST = 20,
};

static void adapt(struct td_trace *t, uint64_t reach_us);

static size_t aligned(size_t n)
{
	return (n + RECORD_ALIGN - 1) & ~(size_t)(RECORD_ALIGN - 1);
}

int td_trace_open(struct td_trace **out, struct td_loop *loop, size_t memory)
{
	unsigned n = (unsigned)((memory < TD_TRACE_LEAST ? TD_TRACE_LEAST : memory) / TD_TRACE_SEGMENT);
	struct td_trace *t = calloc(1, sizeof(*t) + n * sizeof(t->segments[0]));

	if (!t)
		return -ENOMEM;
	t->loop = loop;
	t->n = n;
	t->now = n - 1;
	t->piece_us = (uint64_t)TD_TRACE_REACH_S * 1000000 / n;
	t->began_us = td_loop_now_us(loop);
	*out = t;
	return 0;
}

void td_trace_close(struct td_trace *t)
{
	if (!t)
		return;
	for (unsigned i = 0; i < t->n; i++)
		td_buf_unref(t->segments[i]);
	free(t);
}

void trace_settle(struct td_trace *t)
{
	struct td_buf *b = t->segments[t->now];

	if (t->at)
		b->len = (uint32_t)(t->at - b->data);
}

/* Room at the beginning of the next piece. NULL: there is no memory for it, and the record is not kept. */
static __attribute__((noinline)) char *next_segment(struct td_trace *t, size_t need)
{
	unsigned next = (t->now + 1) % t->n;
	struct td_buf *b = t->segments[next];
	uint64_t reach_us = UINT64_MAX;
	char *p;

	trace_settle(t);
	if (b) /* its first record is the oldest */
		reach_us = td_loop_now_us(t->loop) - ((const struct record_head *)(b->data + record_first(b)))->at_us;
	if (!b || atomic_load_explicit(&b->refs, memory_order_acquire) > 1) {
		struct td_buf *fresh = td_buf_new(SEGMENT_BYTES);

		if (!fresh) /* the piece that is full stays the last one */
			return NULL;
		td_buf_unref(b);
		t->segments[next] = b = fresh;
	}
	t->now = next;
	t->segment++;
	t->end = b->data + SEGMENT_BYTES;
	p = b->data + record_first(b);
	t->at = p + need;
	((struct record_head *)p)->at_us = td_loop_now_us(t->loop); /* so it is, whoever looks before the record is written */
	((struct record_head *)p)->size = (uint32_t)need;
	adapt(t, reach_us);
	return p;
}

static inline char *take(struct td_trace *t, size_t need)
{
	char *p = t->at;

	if ((size_t)(t->end - p) < need)
		return next_segment(t, need);
	t->at = p + need;
	return p;
}

/* ---- messages ---- */

static inline void message_at(char *p, const struct td_trace *t, enum td_trace_kind way, size_t need, const struct td_flow *flow,
			      size_t n, size_t whole_n)
{
	struct message_record *r = (struct message_record *)p;

	r->head.at_us = td_loop_now_us(t->loop);
	r->head.size = (uint32_t)need;
	r->head.kind = (uint16_t)way;
	r->n = (uint32_t)n;
	r->whole_n = (uint32_t)whole_n;
	r->flow = *flow;
}

static void message(struct td_trace *t, enum td_trace_kind way, const struct td_flow *flow, struct td_str bytes)
{
	size_t n = bytes.n < TD_TRACE_MESSAGE_MAX ? bytes.n : TD_TRACE_MESSAGE_MAX;
	size_t need = aligned(sizeof(struct message_record) + n);
	char *p = take(t, need);

	if (!p)
		return;
	message_at(p, t, way, need, flow, n, bytes.n);
	if (n)
		memcpy(p + sizeof(struct message_record), bytes.p, n);
}

void td_trace_message(struct td_trace *t, enum td_trace_kind way, const struct td_flow *flow, struct td_str bytes)
{
	if (!t || t->quiet)
		return;
	message(t, way, flow, bytes);
}

/* ---- when more comes than can be kept ---- */

/* What of a Call-ID decides whether its messages are kept. No secret: who wants to be left out may be. */
static inline uint32_t lot(struct td_str call_id)
{
	uint64_t a, b;

	if (call_id.n < 8)
		return UINT32_MAX;
	memcpy(&a, call_id.p, sizeof(a));
	memcpy(&b, call_id.p + (call_id.n - 8) / 2, sizeof(b));
	return (uint32_t)(((a ^ (b << 13 | b >> 51)) * UINT64_C(0x9e3779b97f4a7c15)) >> 33);
}

/*
 * A piece was filled, or is not for a long time. reach_us: how far the ring reaches back, what has just been forgotten included. When that
 * is too little, and the last piece shows that it would stay so, half as many are kept; twice as many when it took twice its time.
 */
static __attribute__((noinline)) void adapt(struct td_trace *t, uint64_t reach_us)
{
	uint64_t now_us = td_loop_now_us(t->loop), took_us = now_us - t->began_us;

	if (now_us < t->all_until_us)
		t->thin = 0;
	else if (took_us < t->piece_us && reach_us < t->n * t->piece_us && t->thin < THIN_MOST)
		t->thin = 2 * t->thin + 1;
	else if (took_us > t->piece_us * 2)
		t->thin /= 2;
	t->began_us = now_us;
	if (!t->left_out)
		return;
	/* By itself it could fill another piece: the count is cleared first. */
	took_us = t->left_out;
	t->left_out = 0;
	td_trace_note(t, TD_STR_NULL, &(struct td_note){ .kind = TD_NOTE_LEFT_OUT, .a = (int64_t)took_us });
}

void trace_watched(struct td_trace *t)
{
	t->all_until_us = td_loop_now_us(t->loop) + WATCHED_US;
	t->thin = 0;
}

void td_trace_received(struct td_trace *t, const struct td_msg *msg, const struct td_flow *from)
{
	if (!t)
		return;
	if (t->thin && lot(msg->call_id) & t->thin) {
		t->left_out++;
		t->quiet = true;
		if (td_loop_now_us(t->loop) - t->began_us > 2 * t->piece_us)
			adapt(t, UINT64_MAX);
		return;
	}
	td_trace_message(t, TD_TRACE_IN, from, msg->bytes);
}

void td_trace_handled(struct td_trace *t)
{
	if (t)
		t->quiet = false;
}

/* ---- notes ---- */

static struct td_str cut(struct td_str s)
{
	return td_str_n(s.p, s.n < TD_NOTE_TEXT_MAX ? s.n : TD_NOTE_TEXT_MAX);
}

/* Handshakes that fail may be a flood, and no Call-ID chooses among them. */
static bool within_second(struct td_trace *t)
{
	uint64_t second = td_loop_now_us(t->loop) / 1000000;

	if (t->second != second)
		t->nameless = 0;
	t->second = second;
	return t->nameless++ < NAMELESS_MOST;
}

/* Of a request that is left out only what went wrong is noted; when very many are left out, not even that. */
static bool is_left_out(struct td_trace *t, enum td_note_kind k, bool nameless)
{
	if (nameless && k != TD_NOTE_LEFT_OUT && !within_second(t))
		return true;
	return t->quiet &&
	       (t->thin > THIN_NOTES || k == TD_NOTE_CHALLENGED || k == TD_NOTE_NONCE_OLD || k == TD_NOTE_AUTHENTICATED ||
		k == TD_NOTE_BINDINGS || k == TD_NOTE_WORKER_BEHIND || k == TD_NOTE_BROKEN);
}

void td_trace_note(struct td_trace *t, struct td_str call_id, const struct td_note *note)
{
	const struct td_str texts[] = { cut(call_id), cut(note->text), cut(note->more) };
	size_t need = aligned(sizeof(struct note_record) + texts[0].n + texts[1].n + texts[2].n);
	struct note_record *r;
	char *at;

	if (!t || is_left_out(t, note->kind, !call_id.n))
		return;
	r = (struct note_record *)take(t, need);
	if (!r)
		return;
	r->head = (struct record_head){
		.at_us = td_loop_now_us(t->loop),
		.size = (uint32_t)need,
		.kind = TD_TRACE_NOTE,
		.note = (uint16_t)note->kind,
	};
	r->a = note->a;
	r->b = note->b;
	r->peer = note->peer;
	r->proto = note->proto;
	r->call_id_n = (uint16_t)texts[0].n;
	r->text_n = (uint16_t)texts[1].n;
	r->more_n = (uint16_t)texts[2].n;
	at = r->texts;
	for (size_t i = 0; i < TD_ARRAY_LEN(texts); at += texts[i++].n)
		if (texts[i].n)
			memcpy(at, texts[i].p, texts[i].n);
}
