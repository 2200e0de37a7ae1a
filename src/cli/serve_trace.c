/* What a running server tells of its traces on the control socket: the story of a call. */
#include <inttypes.h>
#include <stdlib.h>

#include "cli/serve.h"

enum { WHICH_MAX = 1024 };

static json_t *ms_json(uint64_t wall_us)
{
	return json_integer((json_int_t)(wall_us / 1000));
}

/* ---- why ---- */

struct why_call {
	struct serve *serve;
	struct td_control_reply *reply;
	struct td_trace_cursor *cursors; /* behind which */
	struct td_str which;
	char text[];
};

static json_t *steps_json(const struct td_story *s)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < s->step_n; i++) {
		const struct td_story_step *step = &s->steps[i];
		json_t *o = json_pack("{s:o,s:o}", "ms", ms_json(step->wall_us), "text", cli_text(step->text));

		if (o && step->note)
			json_object_set_new(o, "note", cli_text(td_note_name(step->note)));
		json_array_append_new(list, o);
	}
	return list;
}

static json_t *story_json(const struct td_story *s)
{
	return json_pack("{s:o,s:o,s:o,s:o,s:o,s:s,s:i,s:o,s:o,s:o}", "call_id", cli_text(s->call_id), "method",
			 cli_text(s->method), "caller", cli_text(s->caller), "callee", cli_text(s->callee), "start_ms",
			 ms_json(s->wall_us), "outcome", s->outcome, "status", (int)s->status, "what", cli_text(s->what),
			 "remedy", cli_text(s->remedy), "steps", steps_json(s));
}

static void on_why(void *arg, const struct td_trace_piece *pieces, unsigned n, bool lost)
{
	struct why_call *call = arg;
	struct td_story *s = NULL;
	int err = td_story_tell(&s, pieces, n, call->which, td_loop_wall_ms(call->serve->loop) * 1000);

	if (!err)
		td_control_put(call->reply, story_json(s));
	/* Nothing of it: no line. The other errors are ours. */
	td_control_end(call->reply, err && err != TD_ENOTFOUND ? td_strerror(err) : NULL);
	td_story_free(s);
	free(call->cursors);
	free(call);
}

void serve_why(struct serve *s, const json_t *request, struct td_control_reply *r)
{
	const json_t *text = json_object_get(request, "call");
	struct td_str which = json_is_string(text) ? td_str_n(json_string_value(text), json_string_length(text)) : TD_STR("last");
	struct why_call *call = which.n && which.n <= WHICH_MAX ? calloc(1, sizeof(*call) + which.n) : NULL;

	if (!which.n || which.n > WHICH_MAX) {
		td_control_end(r, "\"call\" is to be \"last\", a Call-ID, or a user");
		return;
	}
	if (call) {
		memcpy(call->text, which.p, which.n);
		call->which = td_str_n(call->text, which.n);
		call->serve = s;
		call->reply = r;
		call->cursors = calloc(td_server_workers(s->server), sizeof(*call->cursors));
	}
	if (!call || !call->cursors || td_server_trace(s->server, call->cursors, false, s->loop, on_why, call)) {
		if (call)
			free(call->cursors);
		free(call);
		td_control_end(r, "out of memory");
	}
}
