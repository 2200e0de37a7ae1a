/*
 * Forwarding: a message's original bytes with a list of edits, written in one go into a buffer of the exact size. What
 * no edit names goes out as it came in: unknown fields and parameters, folds, the sender's spelling.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>

void td_edits_init(struct td_edits *ed, const struct td_msg *m)
{
	ed->msg = m;
	ed->e = ed->inline_e;
	ed->n = 0;
	ed->cap = TD_EDITS_INLINE;
	ed->failed = false;
}

void td_edits_free(struct td_edits *ed)
{
	if (ed->e != ed->inline_e)
		free(ed->e);
	td_edits_init(ed, ed->msg);
}

static bool grow(struct td_edits *ed)
{
	struct td_edit *old = ed->e == ed->inline_e ? NULL : ed->e;
	struct td_edit *e = realloc(old, 2 * ed->cap * sizeof(*e));

	if (!e)
		return false;
	if (!old)
		memcpy(e, ed->inline_e, sizeof(ed->inline_e));
	ed->e = e;
	ed->cap *= 2;
	return true;
}

/* Kept sorted, equal places in the order they came. Most edits come in the order of the message, so this seldom moves one. */
static inline void add(struct td_edits *ed, size_t at, size_t del, struct td_str ins)
{
	struct td_edit *e;

	assert(at + del <= ed->msg->bytes.n);
	if (ed->n == ed->cap && !grow(ed))
		ed->failed = true;
	if (ed->failed)
		return;
	for (e = &ed->e[ed->n++]; e > ed->e && e[-1].at > at; e--)
		*e = e[-1];
	*e = (struct td_edit){ (uint32_t)at, (uint32_t)del, ins };
}

static inline size_t offset(const struct td_edits *ed, const char *p)
{
	assert(p >= ed->msg->bytes.p && p <= ed->msg->bytes.p + ed->msg->bytes.n);
	return (size_t)(p - ed->msg->bytes.p);
}

void td_edit_replace(struct td_edits *ed, struct td_str view_in_msg, struct td_str ins)
{
	add(ed, offset(ed, view_in_msg.p), view_in_msg.n, ins);
}

void td_edit_insert(struct td_edits *ed, size_t at, struct td_str ins)
{
	add(ed, at, 0, ins);
}

void td_edit_remove_hdr(struct td_edits *ed, const struct td_hdr *h)
{
	add(ed, h->at, h->n, TD_STR_NULL);
}

/*
 * Takes the first *count values out of one field, and as many off *count: the field, when it has no more, or what
 * stands before the first value that stays. A value that is no list element ends the taking: the field goes whole.
 */
static void remove_in_field(struct td_edits *ed, const struct td_hdr *h, unsigned *count)
{
	struct td_str rest = td_hdr_value(ed->msg, h), v;

	for (; *count; --*count)
		if (td_list_next(&v, &rest) != 1)
			break;
	if (td_list_next(&v, &rest) == 1)
		add(ed, h->at + h->value_at, offset(ed, v.p) - h->at - h->value_at, TD_STR_NULL);
	else
		td_edit_remove_hdr(ed, h);
}

void td_edit_remove_values(struct td_edits *ed, enum td_hdr_id id, unsigned count)
{
	const struct td_hdr *h;

	for (h = td_msg_hdr(ed->msg, id); h && count; h = td_msg_hdr_next(ed->msg, h))
		remove_in_field(ed, h, &count);
}

void td_edit_remove_first_value(struct td_edits *ed, enum td_hdr_id id)
{
	const struct td_hdr *h = td_msg_hdr(ed->msg, id);

	/* Of the top Via it is known already where its value ends. */
	if (id == TD_HDR_VIA && h && h->value_n == ed->msg->via.text.n)
		td_edit_remove_hdr(ed, h);
	else
		td_edit_remove_values(ed, id, 1);
}

void td_edit_insert_before(struct td_edits *ed, enum td_hdr_id id, struct td_str line)
{
	const struct td_hdr *h = td_msg_hdr(ed->msg, id);

	/* A message that parsed has a Via, so there is a first field, right after the start line. */
	add(ed, h ? h->at : ed->msg->hdr[0].at, 0, line);
}

void td_edit_append(struct td_edits *ed, struct td_str line)
{
	const struct td_hdr *last = &ed->msg->hdr[ed->msg->nhdr - 1];

	add(ed, last->at + last->n, 0, line);
}

/* ---- the top Via as the transport saw it ---- */

/*
 * "received" is ours to write (§18.2.1): one that came with the request is replaced, or taken out, ";" and all, when
 * there is nothing to say, so that it cannot lead our response elsewhere (P5).
 */
static unsigned received_edits(struct td_edit *out, const struct td_msg *m)
{
	const char *at = m->via.text.p + m->via.text.n, *end = at;
	struct td_param p;

	if (m->via.received.p && td_param_find(&p, m->via.params, TD_STR("received"))) {
		at = p.name.p;
		end = p.value.p + p.value.n;
		while (*--at != ';')
			;
	}
	if (at == end && !m->received.n)
		return 0;
	out[0] = (struct td_edit){ (uint32_t)(at - m->bytes.p), (uint32_t)(end - at), TD_STR_NULL };
	if (!m->received.n)
		return 1;
	out[0].ins = TD_STR(";received=");
	out[1] = (struct td_edit){ out[0].at + out[0].del, 0, m->received };
	return 2;
}

static struct td_str rport_param(char text[TD_VIA_RPORT_TEXT], uint16_t port)
{
	struct td_out o;

	td_out_init_fixed(&o, text, TD_VIA_RPORT_TEXT);
	td_out_z(&o, "rport=");
	td_out_u64(&o, port);
	return td_out_view(&o);
}

unsigned td_via_edits(struct td_edit out[TD_VIA_EDITS], char rport_text[TD_VIA_RPORT_TEXT], const struct td_msg *m)
{
	unsigned n = received_edits(out, m), i;
	struct td_edit rport;

	if (!m->via.rport_text.p || !m->rport)
		return n;
	rport = (struct td_edit){ (uint32_t)(m->via.rport_text.p - m->bytes.p), (uint32_t)m->via.rport_text.n,
				  rport_param(rport_text, m->rport) };
	for (i = n; i > 0 && out[i - 1].at > rport.at; i--)
		out[i] = out[i - 1];
	out[i] = rport;
	return n + 1;
}

void td_edit_via_received(struct td_edits *ed, struct td_msg *m)
{
	struct td_edit e[TD_VIA_EDITS];
	char *text = m->via.rport_text.p ? td_arena_alloc(&m->arena, TD_VIA_RPORT_TEXT) : NULL;
	unsigned i, n;

	if (m->via.rport_text.p && !text) {
		ed->failed = true;
		return;
	}
	n = td_via_edits(e, text, m);
	for (i = 0; i < n; i++)
		add(ed, e[i].at, e[i].del, e[i].ins);
}

/* ---- writing ---- */

/* Size of the outcome, or -EINVAL when two edits want the same bytes. */
static int64_t outcome(const struct td_edits *ed)
{
	const struct td_edit *e = ed->e, *end = e + ed->n;
	int64_t n = (int64_t)ed->msg->bytes.n;
	uint32_t busy = 0; /* bytes before it are spoken for */
	uint32_t at = 0;   /* where the edit that spoke for them starts */

	for (; e < end; e++) {
		if (e->at < busy && (e->at > at || e->del))
			return -EINVAL;
		n += (int64_t)e->ins.n - e->del;
		if (e->del) {
			at = e->at;
			busy = e->at + e->del;
		}
	}
	return n;
}

static inline char *put(char *to, const char *from, size_t n)
{
	if (n)
		memcpy(to, from, n);
	return to + n;
}

/* Into as much memory as it takes; no two edits overlap. */
static void write_outcome(char *to, const struct td_edits *ed)
{
	const struct td_edit *e = ed->e, *end = e + ed->n;
	const char *bytes = ed->msg->bytes.p;
	uint32_t from = 0; /* an insertion may stand where a removal starts: it is not before that */

	for (; e < end; e++) {
		if (e->at > from) {
			to = put(to, bytes + from, e->at - from);
			from = e->at;
		}
		to = put(to, e->ins.p, e->ins.n);
		from += e->del;
	}
	put(to, bytes + from, ed->msg->bytes.n - from);
}

int td_edits_apply(struct td_buf **out, struct td_edits *ed)
{
	struct td_buf *buf;
	int64_t n;

	if (ed->failed)
		return -ENOMEM;
	n = outcome(ed);
	if (n < 0)
		return (int)n;
	if (n > TD_SIP_MAX_MESSAGE)
		return TD_ELIMIT;
	buf = td_buf_new((size_t)n);
	if (!buf)
		return -ENOMEM;
	write_outcome(buf->data, ed);
	buf->len = (uint32_t)n;
	*out = buf;
	return 0;
}
