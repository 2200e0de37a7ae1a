/* Stories of what the rooms below report: told from notes alone, so that they hold for whoever records them. */
#include "support.h"

#include <stdlib.h>

#include "server/trace/trace.h"

struct rig {
	struct td_sim *sim;
	struct td_loop *loop;
	struct td_trace *ring;
	struct td_traces traces;
	struct td_story *story;
	struct td_str which;
	int err;
};

static void rig_open(struct rig *r)
{
	*r = (struct rig){ .which = TD_STR("last") };
	assert_int_equal(td_sim_open(&r->sim, 7), 0);
	assert_int_equal(td_sim_loop(&r->loop, r->sim), 0);
	assert_int_equal(td_trace_open(&r->ring, r->loop, 0), 0);
	r->traces = (struct td_traces){ .n = 1, .rings = &r->ring };
}

static void rig_close(struct rig *r)
{
	td_story_free(r->story);
	td_trace_close(r->ring);
	td_loop_close(r->loop);
	td_sim_close(r->sim);
}

static void on_read(void *arg, const struct td_trace_piece *pieces, unsigned n, bool lost)
{
	struct rig *r = arg;

	r->err = td_story_tell(&r->story, pieces, n, r->which, td_sim_wall_ms(r->sim) * 1000);
}

static const struct td_story *tell(struct rig *r)
{
	struct td_trace_cursor cursor = { 0 };

	td_story_free(r->story);
	r->story = NULL;
	assert_int_equal(td_traces_read(&r->traces, &cursor, false, r->loop, on_read, r), 0);
	td_sim_run(r->sim, 1);
	return r->story;
}

static const struct td_flow alice = { .peer = { .ip = { 192, 0, 2, 1 }, .port = 5060, .family = TD_AF_V4 }, .proto = TD_UDP };
static const struct td_flow far = { .peer = { .ip = { 198, 51, 100, 7 }, .port = 5061, .family = TD_AF_V4 }, .proto = TD_TLS };

#define LINES(first)                                                                                       \
	first "\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nFrom: <sip:alice@example.test>;tag=1\r\n" \
	      "To: <sip:bob@far.example>\r\nCall-ID: 1@alice\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\n\r\n"

static void invite(struct rig *r)
{
	td_trace_message(r->ring, TD_TRACE_IN, &alice, TD_STR(LINES("INVITE sip:bob@far.example SIP/2.0")));
}

static void answer(struct rig *r)
{
	td_sim_run(r->sim, 500);
	td_trace_message(r->ring, TD_TRACE_OUT, &alice, TD_STR(LINES("SIP/2.0 500 Server Internal Error")));
}

static void want(struct rig *r, const char *outcome, const char *words, const char *more)
{
	const struct td_story *s = tell(r);

	assert_non_null(s);
	if (strcmp(s->outcome, outcome) || !memmem(s->what.p, s->what.n, words, strlen(words)) ||
	    !memmem(s->remedy.p, s->remedy.n, more, strlen(more)))
		fail_msg("%s: %.*s -> %.*s", s->outcome, TD_FMT(s->what), TD_FMT(s->remedy));
}

static void dns_failure(void **state)
{
	static const struct {
		int64_t err, code;
		const char *words;
	} rows[] = {
		{ TD_ENOTFOUND, 3, "there is no such name" },
		{ TD_ETIMEOUT, 0, "no name server answered" },
		{ TD_ENOTFOUND, 0, "no usable answer" },
	};

	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct rig r;

		rig_open(&r);
		invite(&r);
		td_trace_note(r.ring, TD_STR("1@alice"),
			      &(struct td_note){ .kind = TD_NOTE_DNS_FAILED,
						 .a = rows[i].err,
						 .b = rows[i].code,
						 .text = TD_STR("far.example"),
						 .more = TD_STR("SRV") });
		answer(&r);
		want(&r, "dns", "The name far.example could not be found", "dig +short SRV _sip._udp.far.example");
		want(&r, "dns", rows[i].words, "/etc/resolv.conf");
		want(&r, "dns", "500 Server Internal Error", "");
		rig_close(&r);
	}
}

/* The handshake knows no Call-ID: it is found by where the call was sent. One with somebody else is not its. */
static void tls_name(void **state)
{
	struct td_flow other = far;
	struct rig r;

	rig_open(&r);
	other.peer.ip[3] = 8;
	invite(&r);
	td_trace_message(r.ring, TD_TRACE_OUT, &far, TD_STR(LINES("INVITE sip:bob@far.example SIP/2.0")));
	td_trace_note(r.ring, TD_STR_NULL,
		      &(struct td_note){ .kind = TD_NOTE_TLS_FAILED, .a = TD_ENAME, .peer = other.peer, .proto = TD_TLS });
	answer(&r);
	assert_string_not_equal(tell(&r)->outcome, "tls-name");
	td_trace_note(r.ring, TD_STR_NULL,
		      &(struct td_note){ .kind = TD_NOTE_TLS_FAILED,
					 .a = TD_ENAME,
					 .peer = far.peer,
					 .proto = TD_TLS,
					 .text = TD_STR("\"far.example\" was asked for, and it names near.example") });
	want(&r, "tls-name",
	     "198.51.100.7:5061 (TLS) is not the one it should be, and got nothing: \"far.example\" was asked for",
	     "a certificate with the name that was asked for");
	rig_close(&r);
}

static void no_sips_contact(void **state)
{
	struct rig r;

	rig_open(&r);
	invite(&r);
	td_trace_note(r.ring, TD_STR("1@alice"),
		      &(struct td_note){ .kind = TD_NOTE_BINDINGS, .a = 2, .text = TD_STR("bob@far.example") });
	td_trace_note(r.ring, TD_STR("1@alice"),
		      &(struct td_note){ .kind = TD_NOTE_NO_SIPS, .a = 2, .text = TD_STR("bob@far.example") });
	answer(&r);
	want(&r, "no-sips", "called bob@far.example by a sips: address", "call sip:bob@far.example");
	rig_close(&r);
}

static void sleeping_phone(void **state)
{
	static const struct {
		enum td_note_kind kind;
		int64_t a;
		const char *outcome, *what, *remedy;
	} told[] = {
		{ TD_NOTE_NOT_WOKEN, 20, "not-woken", "it was sent a push, and did not register within 20 s",
		  "the push service's own log" },
		{ TD_NOTE_PUSH_FAILED, TD_EDENIED, "push-failed",
		  "http://h/x, which was to wake it, could not be told: it answered with an error", "push.url" },
	};

	for (size_t i = 0; i < TD_ARRAY_LEN(told); i++) {
		struct rig r;

		rig_open(&r);
		invite(&r);
		td_trace_note(r.ring, TD_STR("1@alice"),
			      &(struct td_note){ .kind = TD_NOTE_BINDINGS, .a = 1, .text = TD_STR("bob@far.example") });
		td_trace_note(r.ring, TD_STR("1@alice"),
			      &(struct td_note){ .kind = told[i].kind, .a = told[i].a, .text = TD_STR("http://h/x") });
		td_sim_run(r.sim, 500);
		td_trace_message(r.ring, TD_TRACE_OUT, &alice, TD_STR(LINES("SIP/2.0 480 Temporarily Unavailable")));
		want(&r, told[i].outcome, told[i].what, told[i].remedy);
		want(&r, told[i].outcome, "called bob@far.example, whose phone sleeps", "");
		rig_close(&r);
	}
}

static void overloaded_worker(void **state)
{
	struct rig r;

	rig_open(&r);
	invite(&r);
	td_trace_note(r.ring, TD_STR("1@alice"), &(struct td_note){ .kind = TD_NOTE_WORKER_BEHIND });
	want(&r, "overload", "more to do than it could", "tandem status");
	rig_close(&r);
}

/* Of a call whose messages were left out there are notes; of one whose beginning was overwritten there is an end. */
static void what_is_left_is_told(void **state)
{
	struct rig r;

	rig_open(&r);
	assert_null(tell(&r));
	assert_int_equal(r.err, TD_ENOTFOUND);
	td_trace_note(r.ring, TD_STR("9@x"),
		      &(struct td_note){ .kind = TD_NOTE_UNSENT, .a = TD_ECLOSED, .peer = far.peer, .proto = TD_TLS });
	want(&r, "incomplete", "Only a part", "trace.memory");
	assert_str(tell(&r)->call_id, "9@x");
	answer(&r);
	r.which = TD_STR("1@alice");
	assert_non_null(tell(&r));
	rig_close(&r);
}

/* One Call-ID for everything: the story has an end, and is told in bounded time. */
static void one_call_id_for_all(void **state)
{
	struct rig r;

	rig_open(&r);
	for (unsigned i = 0; i < 3000; i++)
		td_trace_note(r.ring, TD_STR("1@alice"), &(struct td_note){ .kind = TD_NOTE_CHALLENGED });
	r.which = TD_STR("1@alice");
	assert_in_range(tell(&r)->step_n, 1000, 2000);
	rig_close(&r);
}

static void every_note_has_words(void **state)
{
	for (unsigned k = TD_NOTE_NONE + 1; k < TD_NOTE_KINDS; k++) {
		struct td_note n = { .kind = (enum td_note_kind)k, .a = TD_ETIMEOUT, .text = TD_STR("text"), .peer = far.peer };
		struct td_out o;

		td_out_init(&o);
		td_note_words(&o, &n);
		assert_true(o.n > 5 && td_note_name(n.kind).n > 2);
		assert_false(td_str_eq(td_out_view(&o), td_note_name(n.kind)));
		assert_false(td_str_eq(td_note_name(n.kind), td_note_name(TD_NOTE_NONE)));
		td_out_free(&o);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dns_failure),         cmocka_unit_test(tls_name),
		cmocka_unit_test(no_sips_contact),     cmocka_unit_test(sleeping_phone),
		cmocka_unit_test(overloaded_worker),   cmocka_unit_test(what_is_left_is_told),
		cmocka_unit_test(one_call_id_for_all), cmocka_unit_test(every_note_has_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
