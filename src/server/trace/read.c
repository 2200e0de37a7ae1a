/*
 * Reading. A worker is asked by mail and answers with references to its pieces: the one that it is writing too, as far as it is
 * written, since what stands behind that is not looked at. All words are made by whoever asked.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>

bool td_trace_next(struct td_trace_record *out, const struct td_trace_piece *piece, uint32_t *at)
{
	const struct record_head *h = (const struct record_head *)(piece->buf->data + *at);

	if (*at >= piece->to)
		return false;
	*at += h->size;
	*out = (struct td_trace_record){
		.kind = (enum td_trace_kind)h->kind,
		.worker = piece->worker,
		.at_us = h->at_us,
		.wall_us = (uint64_t)((int64_t)h->at_us + piece->wall_us),
	};
	if (h->kind == TD_TRACE_NOTE) {
		const struct note_record *r = (const struct note_record *)h;
		const char *text = r->texts + r->call_id_n;

		out->call_id = td_str_n(r->texts, r->call_id_n);
		out->note = (struct td_note){
			.kind = (enum td_note_kind)h->note,
			.proto = r->proto,
			.a = r->a,
			.b = r->b,
			.peer = r->peer,
			.text = { text, r->text_n },
			.more = { text + r->text_n, r->more_n },
		};
	} else {
		const struct message_record *r = (const struct message_record *)h;

		out->flow = r->flow;
		out->bytes = td_str_n(r->bytes, r->n);
		out->whole_n = r->whole_n;
	}
	return true;
}

/* ---- asking ---- */

/* What one worker says. */
struct part {
	struct td_mail mail;
	struct question *question;
	struct td_trace *ring;
	struct td_trace_cursor *cursor;
	struct td_trace_piece *pieces; /* place for ring->n */
	unsigned n;
	unsigned worker;
	bool lost;
};

struct question {
	struct td_mail answer;
	struct td_loop *loop;
	td_traces_read_fn *fn;
	void *arg;
	_Atomic unsigned left;
	unsigned n;
	bool watches;
	struct td_trace_piece *all; /* of all parts, after each other */
	struct part part[];
};

static void question_free(struct question *q)
{
	free(q->all);
	free(q);
}

static void answered(struct td_mail *m, void *arg)
{
	struct question *q = arg;
	bool lost = false;
	unsigned n = 0;

	for (unsigned i = 0; i < q->n; i++) { /* they close ranks */
		memmove(q->all + n, q->part[i].pieces, q->part[i].n * sizeof(*q->all));
		n += q->part[i].n;
		lost |= q->part[i].lost;
	}
	q->fn(q->arg, q->all, n, lost);
	for (unsigned i = 0; i < n; i++)
		td_buf_unref(q->all[i].buf);
	question_free(q);
}

/* The pieces that are behind the cursor, oldest first. */
static void gather(struct part *p)
{
	struct td_trace *t = p->ring;
	uint64_t oldest = t->segment > t->n ? t->segment - t->n + 1 : 1, from = p->cursor->segment ? p->cursor->segment : oldest;
	int64_t wall_us = (int64_t)(td_loop_wall_ms(t->loop) * 1000) - (int64_t)td_loop_now_us(t->loop);
	uint32_t at = p->cursor->segment ? p->cursor->at : 0; /* 0: all of it */

	if (from < oldest) {
		p->lost = true;
		from = oldest;
		at = 0;
	}
	trace_settle(t);
	for (; from <= t->segment; from++, at = 0) {
		struct td_buf *b = t->segments[(t->now + t->n - (unsigned)(t->segment - from)) % t->n];

		if (at < record_first(b))
			at = record_first(b);
		p->cursor->segment = from;
		p->cursor->at = b->len;
		if (at < b->len)
			p->pieces[p->n++] = (struct td_trace_piece){ td_buf_ref(b), at, b->len, p->worker, wall_us };
	}
}

static void asked(struct td_mail *m, void *arg)
{
	struct part *p = arg;
	struct question *q = p->question;

	gather(p);
	if (q->watches)
		trace_watched(p->ring);
	if (atomic_fetch_sub(&q->left, 1) == 1)
		td_loop_post(q->loop, &q->answer);
}

static void place_part(struct part *p, struct question *q, const struct td_traces *traces, unsigned worker,
		       struct td_trace_cursor *cursors, struct td_trace_piece *pieces)
{
	*p = (struct part){
		.mail = { .fn = asked, .arg = p },
		.question = q,
		.ring = traces->rings[worker],
		.cursor = &cursors[worker],
		.pieces = pieces,
		.worker = worker,
	};
}

int td_traces_read(const struct td_traces *traces, struct td_trace_cursor *cursors, bool all, struct td_loop *loop,
		   td_traces_read_fn *fn, void *arg)
{
	struct question *q = calloc(1, sizeof(*q) + traces->n * sizeof(q->part[0]));
	size_t most = 0, used = 0;

	if (!q)
		return -ENOMEM;
	for (unsigned i = 0; i < traces->n; i++)
		if (traces->rings[i]) {
			most += traces->rings[i]->n;
			q->n++;
		}
	q->all = calloc(most + 1, sizeof(*q->all));
	if (!q->all) {
		free(q);
		return -ENOMEM;
	}
	q->answer = (struct td_mail){ .fn = answered, .arg = q };
	q->loop = loop;
	q->watches = all;
	q->fn = fn;
	q->arg = arg;
	atomic_init(&q->left, q->n);
	for (unsigned i = 0, k = 0; i < traces->n; i++) {
		if (!traces->rings[i])
			continue;
		place_part(&q->part[k++], q, traces, i, cursors, q->all + used);
		used += traces->rings[i]->n;
	}
	if (!q->n)
		td_loop_post(loop, &q->answer);
	for (unsigned k = 0, n = q->n; k < n; k++) /* q may be gone once the last was asked */
		td_loop_post(q->part[k].ring->loop, &q->part[k].mail);
	return 0;
}
