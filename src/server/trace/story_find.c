/*
 * Which records are a call's. The rings are looked through twice: for the Call-ID that is meant, when only "last" or a user was
 * said; then for all that has it. What has no Call-ID (a handshake that failed) belongs to a call that sent there shortly before or after.
 */
#include "story.h"

#include <errno.h>
#include <stdlib.h>

enum {
	NEAR_US = 40000000, /* around the call's messages, for notes without a Call-ID */
	MOST = 2000,        /* records of a story: the last ones. Whoever uses one Call-ID for everything has long ones */
};

static int parse(struct td_msg **out, const struct td_trace_piece *piece, const struct td_trace_record *r)
{
	return td_msg_parse(out, piece->buf, (size_t)(r->bytes.p - piece->buf->data), r->bytes.n);
}

/* ---- the one that is meant ---- */

struct search {
	struct td_str user;    /* only his; empty: anybody's */
	struct td_addr source; /* what came from there and went to it; family TD_AF_NONE: user counts */
	uint64_t at_us;        /* the best so far */
	bool tier;             /* it is a call, a message or a registration */
	struct td_out found;   /* its Call-ID */
};

static bool is_of(const struct td_uri *uri, struct td_str user)
{
	struct td_str name = td_str_split(&user, '@');

	return td_str_eq(uri->user, name) && (!user.n || td_str_ieq(uri->host, user));
}

static bool names(const struct td_msg *m, struct td_str user)
{
	struct td_uri uri;

	return (m->request && is_of(&m->ruri, user)) || (td_trace_party(&uri, m, TD_HDR_FROM) && is_of(&uri, user)) ||
	       (td_trace_party(&uri, m, TD_HDR_TO) && is_of(&uri, user));
}

/* Does it deserve to be asked about? A call does when it begins, everything when it fails. */
static bool is_notable(const struct td_trace_record *r, const struct td_msg *m)
{
	if (m->request)
		return r->kind == TD_TRACE_IN && m->method == TD_INVITE && !m->to_tag.n;
	return r->kind == TD_TRACE_OUT && m->status >= 400 && m->status != 401 && m->status != 407;
}

static bool is_weighty(enum td_method m)
{
	return m == TD_INVITE || m == TD_MESSAGE || m == TD_REGISTER;
}

static bool is_notable_note(enum td_note_kind k)
{
	return k == TD_NOTE_PASSWORD || k == TD_NOTE_NOT_HIM || k == TD_NOTE_REFUSED || k == TD_NOTE_NOT_REGISTERED ||
	       k == TD_NOTE_NO_ANSWER || k == TD_NOTE_UNSENT || k == TD_NOTE_TOO_MANY || k == TD_NOTE_WORKER_BEHIND;
}

static void propose(struct search *s, uint64_t at_us, bool tier, struct td_str call_id)
{
	if (!call_id.n || (s->tier && !tier) || (s->tier == tier && at_us < s->at_us))
		return;
	s->at_us = at_us;
	s->tier = tier;
	s->found.n = 0;
	td_out_str(&s->found, call_id);
}

static void look_at(struct search *s, const struct td_trace_piece *piece, const struct td_trace_record *r)
{
	struct td_msg *m;

	if (r->kind == TD_TRACE_NOTE) {
		if (s->source.family != TD_AF_NONE && r->note.kind == TD_NOTE_BANNED && td_ip_eq(&s->source, &r->note.peer))
			propose(s, r->at_us, true, r->call_id);
		if (is_notable_note(r->note.kind) && !s->user.n)
			propose(s, r->at_us, r->note.kind != TD_NOTE_REFUSED, r->call_id);
		return;
	}
	if (parse(&m, piece, r))
		return;
	if (s->source.family != TD_AF_NONE ? m->request && r->kind == TD_TRACE_IN && td_ip_eq(&s->source, &r->flow.peer)
					   : is_notable(r, m) && (!s->user.n || names(m, s->user)))
		propose(s, r->at_us, is_weighty(m->method), m->call_id);
	td_msg_unref(m);
}

static void search(struct search *s, const struct td_trace_piece *pieces, unsigned n)
{
	struct td_trace_record r;

	for (unsigned i = 0; i < n; i++)
		for (uint32_t at = pieces[i].from; td_trace_next(&r, &pieces[i], &at);)
			look_at(s, &pieces[i], &r);
}

/* ---- what belongs to it ---- */

static int add(struct tale *t, unsigned *cap, const struct td_trace_record *r, struct td_msg *msg)
{
	if (t->n == *cap) {
		struct item *grown = realloc(t->items, (*cap ? 2 * *cap : 64) * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		t->items = grown;
		*cap = *cap ? 2 * *cap : 64;
	}
	t->items[t->n] = (struct item){ .r = *r, .msg = msg, .order = t->n };
	t->n++;
	return 0;
}

static bool call_id_is(struct td_str whole, struct td_str noted)
{
	return td_str_eq(whole, noted) || (noted.n == TD_NOTE_TEXT_MAX && td_str_starts(whole, noted));
}

static int take(struct tale *t, unsigned *cap, const struct td_trace_piece *piece, const struct td_trace_record *r,
		struct td_str call_id)
{
	struct td_msg *m = NULL;
	int err = 0;

	if (r->kind == TD_TRACE_NOTE)
		return r->call_id.n && call_id_is(call_id, r->call_id) ? add(t, cap, r, NULL) : 0;
	/* Its text is in the bytes, or it need not be parsed. */
	if (!memmem(r->bytes.p, r->bytes.n, call_id.p, call_id.n))
		return 0;
	err = parse(&m, piece, r);
	if (err)
		return err == -ENOMEM ? err : 0;
	if (td_str_eq(m->call_id, call_id)) {
		err = add(t, cap, r, m);
		m = err ? m : NULL;
	}
	td_msg_unref(m);
	return err;
}

static bool went_to(const struct tale *t, unsigned n, const struct td_trace_record *r)
{
	for (unsigned i = 0; i < n; i++) {
		const struct td_trace_record *mine = &t->items[i].r;
		const struct td_addr *peer = mine->kind == TD_TRACE_NOTE ? &mine->note.peer : &mine->flow.peer;

		if (mine->kind != TD_TRACE_IN && td_addr_eq(peer, &r->note.peer) && r->at_us + NEAR_US > mine->at_us &&
		    mine->at_us + NEAR_US > r->at_us)
			return true;
	}
	return false;
}

static int take_nameless(struct tale *t, unsigned *cap, const struct td_trace_piece *pieces, unsigned n)
{
	unsigned own = t->n;
	struct td_trace_record r;
	int err = 0;

	for (unsigned i = 0; i < n && !err; i++)
		for (uint32_t at = pieces[i].from; !err && td_trace_next(&r, &pieces[i], &at);)
			if (r.kind == TD_TRACE_NOTE && !r.call_id.n && r.note.peer.family != TD_AF_NONE && went_to(t, own, &r))
				err = add(t, cap, &r, NULL);
	return err;
}

static int by_time(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	if (x->r.at_us != y->r.at_us)
		return x->r.at_us < y->r.at_us ? -1 : 1;
	return x->order < y->order ? -1 : 1;
}

static void forget_oldest(struct tale *t)
{
	unsigned over = t->n > MOST ? t->n - MOST : 0;

	for (unsigned i = 0; i < over; i++)
		td_msg_unref(t->items[i].msg);
	t->n -= over;
	if (over)
		memmove(t->items, t->items + over, t->n * sizeof(t->items[0]));
}

static int gather(struct tale *t, const struct td_trace_piece *pieces, unsigned n, struct td_str call_id)
{
	struct td_trace_record r;
	unsigned cap = 0;
	int err = 0;

	for (unsigned i = 0; i < n && !err; i++)
		for (uint32_t at = pieces[i].from; !err && td_trace_next(&r, &pieces[i], &at);)
			err = take(t, &cap, &pieces[i], &r, call_id);
	if (!err && t->n)
		err = take_nameless(t, &cap, pieces, n);
	if (err)
		return err;
	if (!t->n)
		return TD_ENOTFOUND;
	qsort(t->items, t->n, sizeof(t->items[0]), by_time);
	forget_oldest(t);
	return td_arena_dup(&t->story->call_id, &t->story->arena, call_id);
}

int tale_gather(struct tale *t, const struct td_trace_piece *pieces, unsigned n, struct td_str which)
{
	struct search s = { .user = which };
	int err = td_str_eq(which, TD_STR("last")) ? TD_ENOTFOUND : gather(t, pieces, n, which);

	if (err != TD_ENOTFOUND)
		return err;
	if (td_str_eq(which, TD_STR("last")))
		s.user = TD_STR_NULL;
	if (td_ip_parse(&s.source, s.user))
		s.source.family = TD_AF_NONE;
	td_out_init(&s.found);
	search(&s, pieces, n);
	err = s.found.failed ? -ENOMEM : s.found.n ? gather(t, pieces, n, td_out_view(&s.found)) : TD_ENOTFOUND;
	td_out_free(&s.found);
	return err;
}

void tale_free(struct tale *t)
{
	for (unsigned i = 0; i < t->n; i++)
		td_msg_unref(t->items[i].msg);
	free(t->items);
}
