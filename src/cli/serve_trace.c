/* What a running server tells of its traces on the control socket: the story of a call, and messages as they come. */
#include <errno.h>
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

/* ---- trace ---- */

enum {
	POLL_MS = 100,
	MOST_WAITING = 4 << 20, /* bytes a slow reader may leave untaken; then it misses what comes */
};

/* Somebody who watches. */
struct live {
	struct td_link link;
	struct serve *serve;
	struct td_control_reply *reply; /* NULL: it was ended */
	struct td_timer timer;
	struct td_trace_filter *filter;
	struct td_trace_cursor *cursors;
	bool reading, past, text, bytes;
	bool begun;      /* not past: what was there before is passed over */
	uint64_t missed; /* messages not put, since that was last told */
};

/* A record on its way out. */
struct shown {
	struct td_trace_record r;
	struct td_msg *msg;
	unsigned order;
};

static void live_free(struct live *v)
{
	td_timer_stop(v->serve->loop, &v->timer);
	td_list_del(&v->link);
	td_trace_filter_close(v->filter);
	free(v->cursors);
	free(v);
}

static void live_end(struct live *v, const char *error)
{
	if (v->reply)
		td_control_end(v->reply, error);
	v->reply = NULL;
	if (!v->reading)
		live_free(v);
}

static json_t *addr_json(const struct td_addr *a)
{
	char text[TD_ADDR_TEXT];

	return a->family == TD_AF_NONE ? json_null() : json_string(td_addr_text(text, a));
}

static json_t *person_json(const struct td_msg *m, enum td_hdr_id id)
{
	struct td_uri uri;
	struct td_out o;
	json_t *text;

	if (!td_trace_party(&uri, m, id))
		return json_null();
	td_out_init(&o);
	if (td_uri_aor(&o, &uri)) {
		o.n = 0;
		td_out_str(&o, uri.text);
		td_trace_mask_words(o.p, o.n);
	}
	text = cli_text(td_out_view(&o));
	td_out_free(&o);
	return text;
}

/* "INVITE sip:bob@example.test" or "486 Busy Here" */
static struct td_str title_of(const struct td_msg *m, struct td_str masked)
{
	struct td_str line = masked;
	const char *space = td_str_chr(line, ' ');

	line = td_str_split(&masked, '\r');
	if (m->request)
		return td_str_n(line.p, line.n > 8 ? line.n - 8 : line.n); /* without SIP/2.0 */
	return space && space < line.p + line.n ? td_str_n(space + 1, (size_t)(line.p + line.n - space - 1)) : line;
}

static void put_parsed(json_t *o, const struct td_msg *m, struct td_str masked)
{
	json_object_set_new(o, "call_id", cli_text(m->call_id));
	json_object_set_new(o, "title", cli_text(td_str_trim(title_of(m, masked))));
	json_object_set_new(o, "method", cli_text(m->cseq.method_name));
	json_object_set_new(o, "cseq", json_integer(m->cseq.num));
	json_object_set_new(o, "request", json_boolean(m->request));
	if (!m->request)
		json_object_set_new(o, "status", json_integer(m->status));
	json_object_set_new(o, "from", person_json(m, TD_HDR_FROM));
	json_object_set_new(o, "to", person_json(m, TD_HDR_TO));
}

static json_t *message_json(const struct live *v, const struct shown *s)
{
	json_t *o = json_object();
	struct td_out masked, coded;
	struct td_listen l = { .addr.family = TD_AF_NONE };

	td_out_init(&masked);
	td_out_init(&coded);
	td_out_str(&masked, s->r.bytes);
	if (!masked.failed)
		td_trace_mask(masked.p, masked.n);
	if (s->r.flow.listener < td_server_listeners(v->serve->server))
		td_server_listener(&l, v->serve->server, s->r.flow.listener);
	json_object_set_new(o, "us", json_integer((json_int_t)s->r.wall_us));
	json_object_set_new(o, "kind", json_string(s->r.kind == TD_TRACE_IN ? "in" : "out"));
	json_object_set_new(o, "worker", json_integer(s->r.worker));
	json_object_set_new(o, "transport", cli_text(td_proto_name((enum td_proto)s->r.flow.proto)));
	json_object_set_new(o, "peer", addr_json(&s->r.flow.peer));
	json_object_set_new(o, "local", addr_json(&l.addr));
	if (s->msg)
		put_parsed(o, s->msg, td_out_view(&masked));
	if (s->r.whole_n > s->r.bytes.n)
		json_object_set_new(o, "cut", json_integer((json_int_t)(s->r.whole_n - s->r.bytes.n)));
	if (v->text)
		json_object_set_new(o, "message", cli_text(td_out_view(&masked)));
	if (v->bytes) {
		td_base64_encode(&coded, masked.p, masked.n);
		json_object_set_new(o, "bytes", cli_text(td_out_view(&coded)));
	}
	td_out_free(&masked);
	td_out_free(&coded);
	return o;
}

static json_t *note_json(const struct shown *s)
{
	struct td_out words;
	json_t *o;

	td_out_init(&words);
	td_note_words(&words, &s->r.note);
	if (!words.failed)
		td_trace_mask_words(words.p, words.n);
	o = json_pack("{s:I,s:s,s:i,s:o,s:o,s:o}", "us", (json_int_t)s->r.wall_us, "kind", "note", "worker", (int)s->r.worker,
		      "note", cli_text(td_note_name(s->r.note.kind)), "call_id", cli_text(s->r.call_id), "text",
		      cli_text(td_out_view(&words)));
	td_out_free(&words);
	return o;
}

static void put_shown(struct live *v, const struct shown *s, int64_t waiting)
{
	if (!v->past && waiting > MOST_WAITING) {
		v->missed++;
		return;
	}
	if (v->missed) {
		td_control_put(v->reply, json_pack("{s:s,s:I}", "kind", "missed", "messages", (json_int_t)v->missed));
		v->missed = 0;
	}
	td_control_put(v->reply, s->r.kind == TD_TRACE_NOTE ? note_json(s) : message_json(v, s));
}

static int by_time(const void *a, const void *b)
{
	const struct shown *x = a, *y = b;

	if (x->r.at_us != y->r.at_us)
		return x->r.at_us < y->r.at_us ? -1 : 1;
	return x->order < y->order ? -1 : 1;
}

static size_t count_records(const struct td_trace_piece *pieces, unsigned n)
{
	struct td_trace_record r;
	size_t count = 0;

	for (unsigned i = 0; i < n; i++)
		for (uint32_t at = pieces[i].from; td_trace_next(&r, &pieces[i], &at);)
			count++;
	return count;
}

/* All of them in the order of time, whatever worker they are from; then those that are wanted. */
static void show(struct live *v, const struct td_trace_piece *pieces, unsigned n)
{
	size_t most = count_records(pieces, n), count = 0;
	struct shown *all = calloc(most + 1, sizeof(*all));
	int64_t waiting = 0;

	if (!all) {
		v->missed += most;
		return;
	}
	for (unsigned i = 0; i < n; i++)
		for (uint32_t at = pieces[i].from; td_trace_next(&all[count].r, &pieces[i], &at); count++)
			all[count].order = (unsigned)count;
	qsort(all, count, sizeof(*all), by_time);
	for (size_t i = 0; i < count; i++) {
		struct shown *s = &all[i];
		struct td_buf *b = s->r.kind == TD_TRACE_NOTE ? NULL : td_buf_copy(s->r.bytes);

		if (b && td_msg_parse(&s->msg, b, 0, b->len))
			s->msg = NULL;
		if (!(i % 64))
			waiting = td_control_flush(v->reply);
		if (td_trace_filter_takes(v->filter, &s->r, s->msg))
			put_shown(v, s, waiting);
		td_msg_unref(s->msg);
		td_buf_unref(b);
	}
	free(all);
}

static void on_trace(void *arg, const struct td_trace_piece *pieces, unsigned n, bool lost)
{
	struct live *v = arg;

	v->reading = false;
	if (!v->reply) {
		live_free(v);
		return;
	}
	if (v->past || v->begun)
		show(v, pieces, n);
	if (v->begun && lost)
		td_control_put(v->reply, json_pack("{s:s}", "kind", "lost"));
	if (!v->begun && !v->past)
		td_control_put(v->reply, json_pack("{s:s}", "kind", "watching"));
	v->begun = true;
	if (v->past)
		live_end(v, NULL);
	else if (td_control_flush(v->reply) < 0)
		live_end(v, NULL);
	else
		td_timer_start(v->serve->loop, &v->timer, POLL_MS);
}

static void look(struct live *v)
{
	v->reading = true;
	if (td_server_trace(v->serve->server, v->cursors, !v->past, v->serve->loop, on_trace, v)) {
		v->reading = false;
		live_end(v, "out of memory");
	}
}

static void on_timer(struct td_timer *tm, void *arg)
{
	struct live *v = arg;

	if (td_control_flush(v->reply) < 0)
		live_end(v, NULL);
	else
		look(v);
}

void serve_trace(struct serve *s, const json_t *request, struct td_control_reply *r)
{
	const json_t *filter = json_object_get(request, "filter");
	struct td_str words = td_str_n(json_string_value(filter), json_string_length(filter));
	struct live *v = calloc(1, sizeof(*v));
	int err = v ? td_trace_filter_open(&v->filter, words) : -ENOMEM;

	if (!err)
		v->cursors = calloc(td_server_workers(s->server), sizeof(*v->cursors));
	if (err || !v->cursors) {
		if (v)
			td_trace_filter_close(v->filter);
		free(v);
		td_control_end(r, err == TD_ELIMIT ? "too many words (at most 16)" : "out of memory");
		return;
	}
	v->serve = s;
	v->reply = r;
	v->past = json_is_true(json_object_get(request, "past"));
	v->text = json_is_true(json_object_get(request, "text"));
	v->bytes = json_is_true(json_object_get(request, "bytes"));
	td_timer_init(&v->timer, on_timer, v);
	td_list_add_tail(&s->watchers, &v->link);
	look(v);
}

void serve_trace_stop(struct serve *s)
{
	struct td_link *l = s->watchers.next;

	while (l != &s->watchers) {
		struct live *v = TD_CONTAINER_OF(l, struct live, link);

		l = l->next;
		td_timer_stop(s->loop, &v->timer);
		live_end(v, NULL); /* one that is being answered goes with the answer */
	}
}
