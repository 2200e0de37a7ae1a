/*
 * A story: the call's records, the roles its messages play, and words for both. Everything is judged from what was kept, which may be a
 * part: the beginning overwritten, messages left out under load, the end still to come.
 */
#include "story.h"

#include <errno.h>
#include <stdlib.h>

const struct item *tale_note_item(const struct tale *t, enum td_note_kind k)
{
	for (unsigned i = t->n; i--;)
		if (t->items[i].r.kind == TD_TRACE_NOTE && t->items[i].r.note.kind == k)
			return &t->items[i];
	return NULL;
}

const struct td_note *tale_note(const struct tale *t, enum td_note_kind k)
{
	const struct item *it = tale_note_item(t, k);

	return it ? &it->r.note : NULL;
}

struct td_str tale_user(struct td_str aor)
{
	return td_str_split(&aor, '@');
}

bool tale_is_out_request(const struct item *it, enum td_method method)
{
	return it->msg && it->r.kind == TD_TRACE_OUT && it->msg->request && it->msg->method == method;
}

/* ---- roles ---- */

static bool came(const struct item *it, bool request)
{
	return it->msg && it->r.kind == TD_TRACE_IN && it->msg->request == request;
}

static bool begins_something(const struct td_msg *m)
{
	return m->method != TD_ACK && m->method != TD_CANCEL && m->method != TD_BYE;
}

static void find_request(struct tale *t)
{
	const struct td_msg *first;

	t->first = t->last = -1;
	for (unsigned i = 0; i < t->n && t->first < 0; i++)
		if (came(&t->items[i], true) && begins_something(t->items[i].msg))
			t->first = t->last = (int)i;
	if (t->first < 0)
		return;
	first = t->items[t->first].msg;
	for (unsigned i = (unsigned)t->first; i < t->n; i++) {
		const struct td_msg *m = t->items[i].msg;

		if (came(&t->items[i], true) && m->method == first->method && m->to_tag.n == first->to_tag.n &&
		    td_str_eq(m->from_tag, first->from_tag) && m->cseq.num > t->items[t->last].msg->cseq.num)
			t->last = (int)i;
	}
}

static bool answers(const struct td_msg *m, const struct td_msg *request)
{
	return !m->request && m->cseq.num == request->cseq.num && m->method == request->method;
}

static void find_answers(struct tale *t, const struct td_msg *request)
{
	for (unsigned i = (unsigned)t->last; i < t->n; i++) {
		const struct item *it = &t->items[i];
		const struct td_msg *m = it->msg;

		if (!m || !answers(m, request))
			continue;
		if (it->r.kind == TD_TRACE_OUT && m->status >= 200 && (t->final < 0 || m->status < 300))
			t->final = (int)i;
		else if (it->r.kind == TD_TRACE_OUT && m->status > 100 && m->status < 200 && t->ringing < 0)
			t->ringing = (int)i;
		else if (it->r.kind == TD_TRACE_IN && m->status >= 200 && m->status < 300 && t->accepted < 0)
			t->accepted = (int)i;
	}
	for (unsigned i = (unsigned)t->last; i < t->n && t->final >= 0; i++)
		if (came(&t->items[i], false) && answers(t->items[i].msg, request) &&
		    t->items[i].msg->status == t->items[t->final].msg->status)
			t->refusal = (int)i;
}

static void find_roles(struct tale *t)
{
	t->final = t->ringing = t->cancel = t->refusal = t->accepted = t->bye = -1;
	find_request(t);
	if (t->last >= 0)
		find_answers(t, t->items[t->last].msg);
	for (unsigned i = 0; i < t->n; i++) {
		if (came(&t->items[i], true) && t->items[i].msg->method == TD_CANCEL && t->cancel < 0)
			t->cancel = (int)i;
		if (came(&t->items[i], true) && t->items[i].msg->method == TD_BYE && t->bye < 0)
			t->bye = (int)i;
	}
}

/* ---- who ---- */

static int aor_text(struct td_str *out, struct tale *t, const struct td_uri *uri)
{
	struct td_out o;
	int err;

	td_out_init(&o);
	if (td_uri_aor(&o, uri)) {
		o.n = 0;
		td_out_str(&o, uri->text);
	}
	err = o.failed ? -ENOMEM : td_arena_dup(out, &t->story->arena, td_out_view(&o));
	td_out_free(&o);
	return err;
}

static int find_people(struct tale *t)
{
	struct td_story *s = t->story;
	const struct td_msg *m = t->last >= 0 ? t->items[t->last].msg : t->items[0].msg;
	char text[TD_ADDR_TEXT];
	struct td_uri uri;
	struct td_out o;
	int err = 0;

	if (m) {
		if (td_trace_party(&uri, m, TD_HDR_FROM))
			err = aor_text(&s->caller, t, &uri);
		if (!err && m->request && m->method != TD_REGISTER)
			err = aor_text(&s->callee, t, &m->ruri);
		else if (!err && td_trace_party(&uri, m, TD_HDR_TO))
			err = aor_text(&s->callee, t, &uri);
		if (!err)
			err = td_arena_dup(&s->method, &s->arena, m->cseq.method_name);
	}
	if (!err && t->last >= 0) {
		td_out_init_fixed(&o, text, sizeof(text));
		td_ip_print(&o, &t->items[t->last].r.flow.peer);
		err = td_arena_dup(&t->source, &s->arena, td_out_view(&o));
	}
	return err;
}

static void mask(struct td_str s)
{
	if (s.n)
		td_trace_mask_words((char *)(uintptr_t)s.p, s.n);
}

int td_story_tell(struct td_story **out, const struct td_trace_piece *pieces, unsigned n, struct td_str which, uint64_t now_us)
{
	struct td_story *s = calloc(1, sizeof(*s));
	struct tale t = { .story = s, .now_us = now_us };
	int err = -ENOMEM;

	if (!s)
		return err;
	td_arena_init(&s->arena);
	err = tale_gather(&t, pieces, n, which);
	if (!err) {
		s->wall_us = t.items[0].r.wall_us;
		find_roles(&t);
		s->status = t.final >= 0 ? t.items[t.final].msg->status : 0;
		err = find_people(&t);
	}
	if (!err)
		err = tale_words(&t);
	if (!err)
		err = tale_steps(&t);
	tale_free(&t);
	if (err) {
		td_story_free(s);
		return err;
	}
	mask(s->what);
	mask(s->remedy);
	mask(s->caller);
	mask(s->callee);
	for (unsigned i = 0; i < s->step_n; i++)
		mask(s->steps[i].text);
	*out = s;
	return 0;
}

void td_story_free(struct td_story *s)
{
	if (!s)
		return;
	td_arena_reset(&s->arena);
	free(s);
}
