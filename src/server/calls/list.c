/*
 * Listing the calls under way. The list travels: it visits one worker after the other, copies a few calls, and shows them on the
 * asker's loop before it goes on. Where it goes on with a worker is noted there, and moves on when that call ends meanwhile; so
 * each call is shown at most once, and none is missed that was there all the time.
 */
#include "server/calls/internal.h"

#include <errno.h>
#include <stdlib.h>

enum { PER_VISIT = 100 };

struct walk {
	struct td_mail mail;
	struct td_calls *calls;
	struct td_loop *loop;
	td_calls_each_fn *fn;
	void *arg;
	unsigned shard;
	struct td_link link;  /* in shard.walks, between two visits of the same worker */
	struct td_link *next; /* in shard.calls; NULL: at its beginning */
	struct td_arena texts;
	bool failed;
	unsigned n;
	struct td_call_view views[PER_VISIT];
};

static void visit(struct td_mail *m, void *arg);

static void travel(struct walk *w, struct td_loop *to, td_mail_fn *fn)
{
	w->mail = (struct td_mail){ .fn = fn, .arg = w };
	td_loop_post(to, &w->mail);
}

static void go_on(struct walk *w)
{
	if (w->shard < w->calls->workers && !w->failed) {
		travel(w, w->calls->shards[w->shard].loop, visit);
		return;
	}
	w->fn(w->arg, NULL);
	td_arena_reset(&w->texts);
	free(w);
}

static void show(struct td_mail *m, void *arg)
{
	struct walk *w = arg;

	for (unsigned i = 0; i < w->n; i++)
		w->fn(w->arg, &w->views[i]);
	w->n = 0;
	td_arena_reset(&w->texts);
	go_on(w);
}

static bool take(struct walk *w, const struct td_call *c)
{
	struct td_call_view *v = &w->views[w->n];
	struct td_str *texts[] = { &v->caller, &v->callee, &v->call_id, &v->caller_tag };

	td_call_look(v, c);
	for (size_t i = 0; i < TD_ARRAY_LEN(texts); i++)
		if (td_arena_dup(texts[i], &w->texts, *texts[i]))
			return false;
	w->n++;
	return true;
}

static void visit(struct td_mail *m, void *arg)
{
	struct walk *w = arg;
	struct shard *sh = &w->calls->shards[w->shard];
	struct td_link *at = w->next ? w->next : sh->calls.next;

	td_list_del(&w->link);
	for (; at != &sh->calls && w->n < PER_VISIT && !w->failed; at = at->next)
		w->failed = !take(w, TD_CONTAINER_OF(at, struct td_call, link));
	if (at != &sh->calls && !w->failed) {
		w->next = at;
		td_list_add_tail(&sh->walks, &w->link);
	} else {
		w->next = NULL;
		w->shard++;
	}
	travel(w, w->loop, show);
}

void walks_pass(struct td_call *c)
{
	for (struct td_link *l = c->shard->walks.next; l != &c->shard->walks; l = l->next) {
		struct walk *w = TD_CONTAINER_OF(l, struct walk, link);

		if (w->next == &c->link)
			w->next = c->link.next;
	}
}

int td_calls_each(struct td_calls *calls, struct td_loop *loop, td_calls_each_fn *fn, void *arg)
{
	struct walk *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	w->calls = calls;
	w->loop = loop;
	w->fn = fn;
	w->arg = arg;
	td_arena_init(&w->texts);
	go_on(w);
	return 0;
}
