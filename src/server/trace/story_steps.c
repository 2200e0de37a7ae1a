/* The steps of a story, one line for each message and note; the same message again is counted in the line of the first. */
#include "story.h"

#include <errno.h>
#include <stdlib.h>

/* Repeated as it was? Then somebody had no answer. */
static bool repeats(const struct item *a, const struct item *b)
{
	return a->msg && b->msg && a->r.kind == b->r.kind && td_addr_eq(&a->r.flow.peer, &b->r.flow.peer) &&
	       td_str_eq(a->msg->bytes, b->msg->bytes);
}

static unsigned count_repeats(const struct tale *t, unsigned i, uint64_t *until_us)
{
	unsigned n = 1;

	*until_us = t->items[i].r.at_us;
	for (unsigned k = i + 1; k < t->n; k++)
		if (repeats(&t->items[i], &t->items[k])) {
			n++;
			*until_us = t->items[k].r.at_us;
		}
	return n;
}

static bool was_told(const struct tale *t, unsigned i)
{
	for (unsigned k = 0; k < i; k++)
		if (repeats(&t->items[k], &t->items[i]))
			return true;
	return false;
}

static void put_message(struct td_out *o, const struct tale *t, unsigned i)
{
	const struct item *it = &t->items[i];
	uint64_t until_us;
	unsigned n = count_repeats(t, i, &until_us);

	td_out_z(o, it->r.kind == TD_TRACE_IN ? "from " : "to ");
	put_flow(o, &it->r.flow.peer, it->r.flow.proto);
	if (it->msg->request)
		td_out_fmt(o, ": %.*s %.*s", TD_FMT(it->msg->method_name), TD_FMT(it->msg->uri));
	else
		td_out_fmt(o, ": %.*s (to %.*s)", TD_FMT(status_words(it->msg)), TD_FMT(it->msg->cseq.method_name));
	if (n < 2)
		return;
	td_out_fmt(o, ", %u times in ", n);
	put_span(o, until_us - it->r.at_us);
}

/* A note's words: %t and %m are its texts, %a and %b its numbers, %p its peer, %e what error a means. */
static const char *const sentences[TD_NOTE_KINDS] = {
	[TD_NOTE_LEFT_OUT] = "%a messages were not kept",
	[TD_NOTE_LIMITED] = "%p sends too much: %a datagrams dropped unread (limits.rate)",
	[TD_NOTE_BANNED] = "%p is banned for %a s: %t",
	[TD_NOTE_STILL_BANNED] = "%p is banned: %a dropped unread",
	[TD_NOTE_WORKER_BEHIND] = "the worker is too far behind: not looked at",
	[TD_NOTE_BROKEN] = "breaks the grammar: %t",
	[TD_NOTE_CHALLENGED] = "asked for a password",
	[TD_NOTE_NONCE_OLD] = "the challenge it answers is too old: asked again",
	[TD_NOTE_PASSWORD] = "the password for %t is wrong: asked again",
	[TD_NOTE_NOT_HIM] = "the password is that of %t, who may not speak as %m",
	[TD_NOTE_AUTHENTICATED] = "known by the password: %t",
	[TD_NOTE_REFUSED] = "refused: %a %t",
	[TD_NOTE_NOT_REGISTERED] = "not registered: %a %t",
	[TD_NOTE_BINDINGS] = "registered contacts of %t: %a",
	[TD_NOTE_PUSHED] = "the phone sleeps: a push by %t is to wake it",
	[TD_NOTE_PUSH_FAILED] = "the push service %t could not be told: %e",
	[TD_NOTE_WOKEN] = "the phone woke up and registered, %a ms later",
	[TD_NOTE_NOT_WOKEN] = "the phone did not register for %a s: given up",
	[TD_NOTE_NO_SIPS] = "none of the %a contacts of %t is a sips URI",
	[TD_NOTE_TOO_MANY] = "too many calls at a time",
	[TD_NOTE_NO_TARGET] = "no way to %t: %e",
	[TD_NOTE_UNSENT] = "could not be sent to %p: %e",
	[TD_NOTE_NO_ANSWER] = "no final answer from %p: given up",
	[TD_NOTE_RANG_TOO_LONG] = "rang for %a s: given up (Timer C)",
	[TD_NOTE_DNS_ASKED] = "DNS: %t %m, %a answers",
	[TD_NOTE_DNS_FAILED] = "DNS: %t %m failed: %e",
	[TD_NOTE_NEXT_SERVER] = "another server of %t is tried: %p",
	[TD_NOTE_TLS_FAILED] = "TLS: %p: %t",
};

static void put_note(struct td_out *o, const struct td_note *n)
{
	const char *p = (unsigned)n->kind < TD_NOTE_KINDS ? sentences[n->kind] : NULL;

	if (!p) /* every kind has its sentence; a test looks */
		td_out_str(o, td_note_name(n->kind));
	for (; p && *p; p++) {
		if (*p != '%') {
			td_out_char(o, *p);
			continue;
		}
		switch (*++p) {
		case 't':
			td_out_str(o, n->text.n || n->kind != TD_NOTE_REFUSED ? n->text : td_reason_phrase((unsigned)n->a));
			break;
		case 'm': td_out_str(o, n->more); break;
		case 'a': td_out_i64(o, n->a); break;
		case 'b': td_out_i64(o, n->b); break;
		case 'e': td_out_z(o, td_strerror((int)n->a)); break;
		default: put_flow(o, &n->peer, n->proto); break;
		}
	}
}

void td_note_words(struct td_out *o, const struct td_note *n)
{
	put_note(o, n);
}

int tale_steps(struct tale *t)
{
	struct td_story *s = t->story;
	struct td_out o;
	int err = 0;

	s->steps = td_arena_alloc(&s->arena, t->n * sizeof(*s->steps));
	if (!s->steps)
		return -ENOMEM;
	td_out_init(&o);
	for (unsigned i = 0; i < t->n && !err; i++) {
		const struct item *it = &t->items[i];
		struct td_story_step *step = &s->steps[s->step_n];

		if (it->msg && was_told(t, i))
			continue;
		o.n = 0;
		*step = (struct td_story_step){ .wall_us = it->r.wall_us };
		if (it->msg) {
			put_message(&o, t, i);
		} else {
			step->note = it->r.note.kind;
			put_note(&o, &it->r.note);
		}
		err = o.failed ? -ENOMEM : td_arena_dup(&step->text, &s->arena, td_out_view(&o));
		s->step_n++;
	}
	td_out_free(&o);
	return err;
}
