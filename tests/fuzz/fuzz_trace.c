#include "inside.h"

#include <stdlib.h>

#include "server/trace/trace.h"

/*
 * What peers sent, as the trace keeps it, masks it and tells of it: messages with NUL between them, which came and went in turns. The mask
 * changes no length, leaves line ends alone, and has nothing left to do the second time.
 */

struct told {
	unsigned answers;
};

static void on_read(void *arg, const struct td_trace_piece *pieces, unsigned n, bool lost)
{
	static const char *const names[] = { "last", "bob", "1@a" };
	struct told *t = arg;

	for (size_t i = 0; i < TD_ARRAY_LEN(names); i++) {
		struct td_story *s;

		if (td_story_tell(&s, pieces, n, td_str_of(names[i]), 1000000))
			continue;
		if (!s->outcome || !s->step_n)
			__builtin_trap();
		td_story_free(s);
	}
	t->answers++;
}

static void mask(struct td_str in)
{
	char *once = malloc(in.n + 1), *twice = malloc(in.n + 1);

	memcpy(once, in.p, in.n);
	td_trace_mask(once, in.n);
	for (size_t i = 0; i < in.n; i++)
		if (once[i] != in.p[i] && (once[i] != 'x' || in.p[i] == '\n' || in.p[i] == '\r'))
			__builtin_trap();
	memcpy(twice, once, in.n);
	td_trace_mask(twice, in.n);
	if (memcmp(once, twice, in.n))
		__builtin_trap();
	free(once);
	free(twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct td_flow flow = { .peer = { .ip = { 10, 0, 0, 1 }, .port = 5060, .family = TD_AF_V4 }, .proto = TD_UDP };
	struct td_str rest = td_str_n((const char *)data, size), one;
	struct td_trace_cursor cursor = { 0 };
	struct told told = { 0 };
	struct td_trace *ring;
	struct td_loop *loop;
	struct td_sim *sim;

	if (td_sim_open(&sim, 1) || td_sim_loop(&loop, sim) || td_trace_open(&ring, loop, 0))
		__builtin_trap();
	for (unsigned i = 0; rest.n && i < 64; i++) {
		one = td_str_split(&rest, '\0');
		mask(one);
		td_trace_message(ring, i & 1 ? TD_TRACE_OUT : TD_TRACE_IN, &flow, one);
		td_trace_note(ring, TD_STR("1@a"),
			      &(struct td_note){ .kind = (enum td_note_kind)(1 + i % (TD_NOTE_KINDS - 1)), .text = one });
		td_sim_run(sim, 10);
	}
	if (td_traces_read(&(struct td_traces){ .n = 1, .rings = &ring }, &cursor, false, loop, on_read, &told))
		__builtin_trap();
	td_sim_run(sim, 1);
	if (told.answers != 1)
		__builtin_trap();
	td_trace_close(ring);
	td_loop_close(loop);
	td_sim_close(sim);
	return 0;
}
