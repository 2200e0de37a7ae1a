/* A call as its room sees it: told what passes, without a proxy. */
#include "support.h"

#include <malloc.h>
#include <stdio.h>
#include "server/calls/calls.h"

struct fix {
	struct td_sim *sim;
	struct td_core core;
	struct td_calls *calls;
};

static int set_up(void **state)
{
	struct fix *f = calloc(1, sizeof(*f));
	struct td_out errors;

	assert_non_null(f);
	td_out_init(&errors);
	assert_int_equal(td_sim_open(&f->sim, 1), 0);
	td_sim_set_wall(f->sim, 1000000);
	assert_int_equal(td_sim_loop(&f->core.loop, f->sim), 0);
	assert_int_equal(td_config_parse(&f->core.cfg, &errors, TD_STR("test.yaml"),
					 TD_STR("domains: [{name: example.test}]\nlisten: [\"udp:127.0.0.1:5060\"]\nstate: s\n"
						"calls: {longest: 1h}\n")),
			 0);
	td_out_free(&errors);
	f->core.worker = 1;
	f->core.workers = 2;
	assert_int_equal(td_calls_open(&f->calls, td_sim_rng(f->sim), &(struct td_calls_options){ .workers = 2 }), 0);
	td_calls_attach(f->calls, &f->core);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fix *f = *state;

	td_calls_detach(f->calls, 0);
	td_calls_detach(f->calls, 1);
	td_calls_close(f->calls);
	td_config_unref(f->core.cfg);
	td_loop_close(f->core.loop);
	td_sim_close(f->sim);
	free(f);
	return 0;
}

static struct td_msg *request(const char *method, const char *call_id, const char *from_tag, const char *to_tag)
{
	struct td_out o;
	struct td_buf *b;
	struct td_msg *m;

	td_out_init(&o);
	td_out_fmt(&o,
		   "%s sip:bob@example.test SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKx\r\nMax-Forwards: 70\r\n"
		   "From: <sip:Alice@EXAMPLE.test;x=y>;tag=%s\r\nTo: <sip:bob@example.test>%s%s\r\nCall-ID: %s\r\nCSeq: 1 %s\r\n"
		   "Contact: <sip:alice@127.0.0.1>\r\nContent-Length: 0\r\n\r\n",
		   method, from_tag, *to_tag ? ";tag=" : "", to_tag, call_id, method);
	b = td_out_buf(&o);
	assert_non_null(b);
	assert_int_equal(td_msg_parse(&m, b, 0, b->len), 0);
	assert_int_equal(m->defect.status, 0);
	td_buf_unref(b);
	return m;
}

static struct td_call *begin(struct fix *f, const char *call_id)
{
	struct td_route route = { .kind = TD_ROUTE_USER, .aor = TD_STR("bob@example.test") };
	struct td_msg *m = request("INVITE", call_id, "a1", "");
	struct td_call *c = td_call_begin(f->calls, &f->core, m, &route);

	td_msg_unref(m);
	assert_non_null(c);
	return c;
}

static void bye(struct fix *f, const char *call_id, const char *from_tag, const char *to_tag)
{
	struct td_msg *m = request("BYE", call_id, from_tag, to_tag);

	td_calls_bye(f->calls, &f->core, m);
	td_msg_unref(m);
}

static uint64_t open_now(struct fix *f)
{
	struct td_calls_stats st;

	td_calls_stats(&st, f->calls, 1);
	return st.open;
}

struct witness {
	struct td_call_attachment a;
	struct td_call_view seen;
	unsigned times;
};

static void on_ended(struct td_call_attachment *a, struct td_call *call)
{
	struct witness *w = TD_CONTAINER_OF(a, struct witness, a);

	w->times++;
	td_call_look(&w->seen, call);
}

static void from_invite_to_bye(void **state)
{
	struct witness w = { .a.ended = on_ended }, gone = w;
	struct fix *f = *state;
	struct td_call *c = begin(f, "c1");
	struct td_call_view v;

	td_call_look(&v, c);
	assert_str(v.caller, "Alice@example.test"); /* the domain is ours and written as ours are */
	assert_str(v.callee, "bob@example.test");
	assert_str(v.call_id, "c1");
	assert_str(v.caller_tag, "a1");
	assert_int_equal(v.start_ms, 1000000000);
	assert_int_equal(v.ring_ms, 0);
	assert_int_equal(v.answer_ms, 0);
	assert_int_equal(v.state, TD_CALL_TRYING);
	td_sim_run(f->sim, 1000);
	td_call_response(c, 180, TD_STR("b1"), TD_ENDER_CALLEE);
	td_sim_run(f->sim, 500);
	td_call_response(c, 183, TD_STR("b1"), TD_ENDER_CALLEE); /* it rings since the first of them */
	td_sim_run(f->sim, 500);
	td_call_look(&v, c);
	assert_int_equal(v.state, TD_CALL_RINGING);
	assert_int_equal(v.ring_ms, 1000001000);
	assert_null(td_calls_find(f->calls, &f->core, TD_STR("c1"), TD_STR("a1"), TD_STR("b1")));
	td_call_response(c, 200, TD_STR("b1"), TD_ENDER_CALLEE);
	td_sim_run(f->sim, 100);
	td_call_response(c, 200, TD_STR("b1"), TD_ENDER_CALLEE); /* repeated */
	td_call_look(&v, c);
	assert_int_equal(v.state, TD_CALL_ANSWERED);
	assert_int_equal(v.answer_ms, 1000002000);
	assert_int_equal(v.status, 200);
	td_call_release(c);
	assert_ptr_equal(td_calls_find(f->calls, &f->core, TD_STR("c1"), TD_STR("a1"), TD_STR("b1")), c);
	assert_ptr_equal(td_calls_find(f->calls, &f->core, TD_STR("c1"), TD_STR("b1"), TD_STR("a1")), c);
	td_call_attach(c, &gone.a);
	td_call_attach(c, &w.a);
	td_call_detach(c, &gone.a);
	bye(f, "c1", "a1", "b2");
	bye(f, "c1", "b1", "b1");
	bye(f, "c2", "b1", "a1");
	assert_int_equal(open_now(f), 1);
	bye(f, "c1", "b1", "a1");
	assert_int_equal(open_now(f), 0);
	assert_int_equal(w.times, 1);
	assert_int_equal(w.seen.state, TD_CALL_ENDED);
	assert_int_equal(gone.times, 0);
	bye(f, "c1", "b1", "a1");
}

static void what_does_not_come_to_be(void **state)
{
	struct fix *f = *state;
	struct td_call *c = begin(f, "c1");
	struct td_call_view v;

	td_call_response(c, 180, TD_STR("b1"), TD_ENDER_CALLEE);
	td_call_response(c, 486, TD_STR("b1"), TD_ENDER_CALLEE);
	assert_int_equal(open_now(f), 0);
	td_call_look(&v, c); /* it is held until the proxy lets go */
	assert_int_equal(v.state, TD_CALL_ENDED);
	assert_int_equal(v.status, 486);
	td_call_response(c, 200, TD_STR("b1"), TD_ENDER_CALLEE); /* too late */
	assert_null(td_calls_find(f->calls, &f->core, TD_STR("c1"), TD_STR("a1"), TD_STR("b1")));
	td_call_release(c);
	c = begin(f, "c2");
	td_call_release(c); /* nothing final came */
	assert_int_equal(open_now(f), 0);
}

/* Two answers are two dialogs; the call is over with the last. A 2xx repeated after its BYE is nothing new. */
static void two_dialogs(void **state)
{
	char long_tag[300];
	struct fix *f = *state;
	struct td_call *c = begin(f, "c1");

	memset(long_tag, 'x', sizeof(long_tag) - 1);
	long_tag[sizeof(long_tag) - 1] = 0;
	td_call_response(c, 200, TD_STR("b1"), TD_ENDER_CALLEE);
	td_call_response(c, 200, td_str_of(long_tag), TD_ENDER_CALLEE);
	bye(f, "c1", "a1", "b1");
	td_call_response(c, 200, TD_STR("b1"), TD_ENDER_CALLEE);
	assert_null(td_calls_find(f->calls, &f->core, TD_STR("c1"), TD_STR("a1"), TD_STR("b1")));
	assert_int_equal(open_now(f), 1);
	bye(f, "c1", long_tag, "a1");
	assert_int_equal(open_now(f), 0);
	td_call_release(c);
}

static void a_callee_of_many_tags(void **state)
{
	char tag[16];
	struct fix *f = *state;
	struct td_call *c = begin(f, "c1");

	for (int i = 0; i < 1000; i++) {
		snprintf(tag, sizeof(tag), "t%d", i);
		td_call_response(c, 200, td_str_of(tag), TD_ENDER_CALLEE);
	}
	assert_non_null(td_calls_find(f->calls, &f->core, TD_STR("c1"), TD_STR("a1"), TD_STR("t0")));
	assert_null(td_calls_find(f->calls, &f->core, TD_STR("c1"), TD_STR("a1"), TD_STR("t999")));
	for (int i = 0; i < 1000; i++) {
		snprintf(tag, sizeof(tag), "t%d", i);
		bye(f, "c1", "a1", tag);
	}
	assert_int_equal(open_now(f), 0);
	td_call_release(c);
}

/* A request that comes by us twice makes two calls with one dialog. */
static void a_spiral(void **state)
{
	struct fix *f = *state;
	struct td_call *one = begin(f, "c1"), *two = begin(f, "c1");

	td_call_response(two, 200, TD_STR("b1"), TD_ENDER_CALLEE);
	td_call_response(one, 200, TD_STR("b1"), TD_ENDER_CALLEE);
	td_call_release(two);
	td_call_release(one);
	assert_int_equal(open_now(f), 2);
	bye(f, "c1", "a1", "b1");
	bye(f, "c1", "a1", "b1");
	assert_int_equal(open_now(f), 0);
}

static void longest(void **state)
{
	struct witness w[3] = { { .a.ended = on_ended }, { .a.ended = on_ended }, { .a.ended = on_ended } };
	struct fix *f = *state;

	for (int i = 0; i < 3; i++) {
		struct td_call *c = begin(f, "c");

		td_call_response(c, 200, i == 2 ? TD_STR("b2") : TD_STR("b"), TD_ENDER_CALLEE);
		td_call_release(c);
		td_call_attach(c, &w[i].a);
		td_sim_run(f->sim, 1000);
	}
	td_sim_run(f->sim, 3600000 - 3000 - 1);
	assert_int_equal(open_now(f), 3);
	td_sim_run(f->sim, 2);
	assert_int_equal(open_now(f), 2);
	assert_int_equal(w[0].times, 1);
	td_sim_run(f->sim, 1000);
	assert_int_equal(w[1].times, 1);
	bye(f, "c", "a1", "b2");
	assert_int_equal(open_now(f), 0);
	td_sim_run(f->sim, 7200000);
	assert_int_equal(w[2].times, 1);
	td_call_release(begin(f, "again"));
}

static void ids_differ(void **state)
{
	struct fix *f = *state;
	uint64_t last = 0;
	struct td_call_view v;

	for (int i = 0; i < 100; i++) {
		struct td_call *c = begin(f, "c");

		td_call_look(&v, c);
		assert_true(v.id > last);
		last = v.id;
		td_call_release(c);
	}
}

/* What an established call may cost (the budget leaves room for the map's bucket). */
static void small(void **state)
{
	struct fix *f = *state;
	struct td_call *c = begin(f, "3848276298220188511@client.atlanta.example.com");
	size_t bytes = malloc_usable_size(c);

	assert_true(bytes <= 400);
	td_call_release(c);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(from_invite_to_bye), TEST(what_does_not_come_to_be),
		TEST(two_dialogs),        TEST(a_callee_of_many_tags),
		TEST(a_spiral),           TEST(longest),
		TEST(ids_differ),         TEST(small),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
