/* Who waits for an address to register is told, on his own worker, and may end that at any moment. */
#include "rig.h"

#include <stdio.h>

struct watcher {
	struct td_loc_watch w;
	struct fix *f;
	unsigned worker, heard;
	char seen[128];
	struct watcher *ends; /* whom it stops when it hears */
};

static void on_news(struct td_loc_watch *w, const struct td_binding *b, unsigned n)
{
	struct watcher *me = TD_CONTAINER_OF(w, struct watcher, w);
	size_t at = 0;

	me->heard++;
	for (unsigned i = 0; i < n; i++)
		at += (size_t)snprintf(me->seen + at, sizeof(me->seen) - at, "%.*s ", TD_FMT(b[i].contact));
	if (me->ends)
		td_location_unwatch(&me->ends->w, me->f->loc, me->ends->worker);
}

static void watch(struct watcher *me, struct fix *f, unsigned worker, const char *aor)
{
	struct td_str s = exact(aor);

	*me = (struct watcher){ .f = f, .worker = worker };
	td_location_watch(&me->w, f->loc, worker, s, on_news);
	exact_free(s);
}

static void want_heard(struct watcher *me, unsigned times, const char *seen)
{
	td_sim_run(me->f->sim, 1);
	assert_int_equal(me->heard, times);
	assert_string_equal(me->seen, seen);
}

/* Whoever updates, and wherever the address and who waits for it are. */
static void watching(void **state)
{
	struct fix *f = *state;
	struct watcher w[WORKERS], other;

	for (unsigned i = 0; i < WORKERS; i++)
		watch(&w[i], f, i, "a@d");
	watch(&other, f, 0, "b@d");
	for (unsigned i = 0; i < WORKERS; i++) {
		unsigned before = 4 * i;

		send(f, i, "a@d", "c1", 10 * i + 1, CHANGES({ "sip:a@h1", 60 }));
		for (unsigned k = 0; k < WORKERS; k++)
			want_heard(&w[k], before + 1, "sip:a@h1 ");
		send(f, i, "a@d", "c1", 10 * i + 2, CHANGES({ "sip:a@h2", 60 }));
		send(f, i, "a@d", "c1", 10 * i + 3, CHANGES({ "sip:a@h1", 50 })); /* a refresh */
		for (unsigned k = 0; k < WORKERS; k++)
			want_heard(&w[k], before + 3, "sip:a@h1 sip:a@h2 ");
		send(f, i, "a@d", "c1", 10 * i + 3, CHANGES({ "sip:a@h1", 50 })); /* its retransmission says nothing new */
		send(f, i, "a@d", "c1", 10 * i + 4, CHANGES({ "sip:a@h1", 0 }));
		for (unsigned k = 0; k < WORKERS; k++)
			want_heard(&w[k], before + 4, "sip:a@h2 ");
		send(f, i, "a@d", "c1", 10 * i + 5, CHANGES({ "*", 0 })); /* nothing is left to tell of */
	}
	for (unsigned k = 0; k < WORKERS; k++)
		td_location_unwatch(&w[k].w, f->loc, k);
	send(f, 0, "a@d", "c1", 99, CHANGES({ "sip:a@h1", 1 }));
	td_sim_run(f->sim, 20000); /* nor of one that expired */
	for (unsigned k = 0; k < WORKERS; k++)
		assert_int_equal(w[k].heard, 4 * WORKERS);
	assert_int_equal(other.heard, 0);
	td_location_unwatch(&other.w, f->loc, 0);
	td_location_unwatch(&other.w, f->loc, 0); /* once more: nothing */
}

/* One ends itself and the others as it hears; and of very many only some are told each time, never one that has ended. */
static void watches_end_anywhere(void **state)
{
	struct fix *f = *state;
	struct watcher w[3], many[300];
	unsigned heard = 0;

	for (int i = 0; i < 3; i++)
		watch(&w[i], f, 0, "a@d");
	for (int i = 0; i < 3; i++)
		w[i].ends = &w[(i + 1) % 3];
	send(f, 0, "a@d", "c1", 1, CHANGES({ "sip:a@h", 60 }));
	td_sim_run(f->sim, 1);
	for (int i = 0; i < 3; i++) {
		heard += w[i].heard;
		assert_true(w[i].heard <= 1);
	}
	assert_int_equal(heard, 2); /* the first ended the second, the third the first */
	for (int i = 0; i < 3; i++)
		td_location_unwatch(&w[i].w, f->loc, 0);
	for (unsigned i = 0; i < TD_ARRAY_LEN(many); i++)
		watch(&many[i], f, 0, "a@d");
	for (unsigned i = 0; i < TD_ARRAY_LEN(many); i += 2)
		td_location_unwatch(&many[i].w, f->loc, 0);
	send(f, 1, "a@d", "c1", 2, CHANGES({ "sip:a@h", 70 }));
	td_sim_run(f->sim, 1);
	heard = 0;
	for (unsigned i = 0; i < TD_ARRAY_LEN(many); i++) {
		heard += many[i].heard;
		assert_true(many[i].heard <= i % 2);
		td_location_unwatch(&many[i].w, f->loc, 0);
	}
	assert_int_equal(heard, TD_LOC_TOLD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(watching),
		BOTH(watches_end_anywhere),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
