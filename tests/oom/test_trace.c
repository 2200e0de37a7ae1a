/* The trace without memory: nothing is kept, or told, and everything goes on. */
#include "failing.h"

#include "server/trace/trace.h"

#define MESSAGE                                                                                                      \
	"INVITE sip:bob@a SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1\r\nFrom: <sip:alice@a>;tag=1\r\nTo: " \
	"<sip:bob@a>\r\n"                                                                                            \
	"Call-ID: 1@a\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\n\r\n"

struct told {
	int err;
	bool answered;
};

static void on_read(void *arg, const struct td_trace_piece *pieces, unsigned n, bool lost)
{
	struct told *t = arg;
	struct td_story *s = NULL;

	t->err = td_story_tell(&s, pieces, n, TD_STR("last"), 0);
	if (t->err == TD_ENOTFOUND) /* it was not kept */
		t->err = -ENOMEM;
	td_story_free(s);
	t->answered = true;
}

static int remember_and_tell(void *arg)
{
	struct td_flow flow = { .peer = { .ip = { 10, 0, 0, 1 }, .port = 5060, .family = TD_AF_V4 }, .proto = TD_UDP };
	struct td_trace_cursor cursor = { 0 };
	struct told told = { 0 };
	struct td_trace *ring = NULL;
	unsigned long n = oom_pause();
	struct td_loop *loop;
	struct td_sim *sim;
	int err;

	assert_int_equal(td_sim_open(&sim, 1), 0);
	assert_int_equal(td_sim_loop(&loop, sim), 0);
	oom_resume(n);
	err = td_trace_open(&ring, loop, 0);
	if (!err) {
		for (int i = 0; i < 400; i++) /* more than a piece */
			td_trace_message(ring, TD_TRACE_IN, &flow, TD_STR(MESSAGE));
		td_trace_note(ring, TD_STR("1@a"), &(struct td_note){ .kind = TD_NOTE_REFUSED, .a = 404 });
		err = td_traces_read(&(struct td_traces){ .n = 1, .rings = &ring }, &cursor, false, loop, on_read, &told);
	}
	if (!err) {
		td_sim_run(sim, 1);
		assert_true(told.answered);
		err = told.err;
	}
	td_trace_close(ring);
	n = oom_pause();
	td_loop_close(loop);
	td_sim_close(sim);
	oom_resume(n);
	return err;
}

static int filter(void *arg)
{
	struct td_trace_filter *f;
	int err = td_trace_filter_open(&f, TD_STR("bob 4xx"));

	if (!err)
		td_trace_filter_close(f);
	return err;
}

static void everything_fails_once(void **state)
{
	assert_true(oom_each(remember_and_tell, NULL) > 10);
	assert_true(oom_each(filter, NULL) == 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(everything_fails_once) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
