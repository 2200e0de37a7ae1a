/* What `tandem why` tells after calls that failed, each in its own way: the word for programs, and what a person must read in it. */
#include "harness.h"

struct rig {
	struct world w;
	struct phone a, b, stranger; /* alice and bob have accounts; stranger has nothing, or what a test gives */
	struct td_story *story;
	struct td_str which;
};

static void rig_open(struct rig *r, const char *extra)
{
	world_open(&r->w, 11, workers_now, extra);
	world_user(&r->w, "alice", "wonderland");
	world_user(&r->w, "bob", "builder");
	phone_open(&r->a, &r->w, "alice", "10.0.2.1", 5060, TD_UDP);
	phone_password(&r->a, "wonderland");
	phone_open(&r->b, &r->w, "bob", "10.0.2.2", 5060, TD_UDP);
	phone_password(&r->b, "builder");
	phone_open(&r->stranger, &r->w, "eve", "10.0.2.3", 5060, TD_UDP);
	r->story = NULL;
}

static void rig_close(struct rig *r)
{
	td_story_free(r->story);
	phone_close(&r->a);
	phone_close(&r->b);
	phone_close(&r->stranger);
	world_close(&r->w);
}

static void on_read(void *arg, const struct td_trace_piece *pieces, unsigned n, bool lost)
{
	struct rig *r = arg;

	td_story_free(r->story);
	r->story = NULL;
	if (td_story_tell(&r->story, pieces, n, r->which, td_sim_wall_ms(r->w.sim) * 1000))
		r->story = NULL;
}

static struct td_story *ask(struct rig *r, const char *which)
{
	struct td_trace_cursor cursors[MAX_WORKERS] = { 0 };

	r->which = td_str_of(which);
	assert_int_equal(td_server_trace(r->w.server, cursors, false, r->w.peers, on_read, r), 0);
	world_run(&r->w, 5);
	return r->story;
}

static void print_story(const struct td_story *s)
{
	print_error("%s: %.*s\n-> %.*s\n", s->outcome, TD_FMT(s->what), TD_FMT(s->remedy));
	for (unsigned i = 0; i < s->step_n; i++)
		print_error("  %.*s\n", TD_FMT(s->steps[i].text));
}

static bool says(const struct td_story *s, const char *words)
{
	return memmem(s->what.p, s->what.n, words, strlen(words)) || memmem(s->remedy.p, s->remedy.n, words, strlen(words));
}

/* The story of the last thing: its word, and up to four things that it must say. */
static void want_story(struct rig *r, const char *outcome, unsigned status, const char *const *words, unsigned n)
{
	struct td_story *s = ask(r, "last");

	assert_non_null(s);
	if (strcmp(s->outcome, outcome) || s->status != status) {
		print_story(s);
		fail_msg("wanted %s with %u, got %s with %u", outcome, status, s->outcome, s->status);
	}
	for (unsigned i = 0; i < n; i++)
		if (!says(s, words[i])) {
			print_story(s);
			fail_msg("it does not say \"%s\"", words[i]);
		}
	assert_true(s->step_n >= 2);
}

#define WANT(r, outcome, status, ...)                                              \
	want_story((r), (outcome), (status), (const char *const[]){ __VA_ARGS__ }, \
		   sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))

static void call(struct rig *r, struct leg *l, const char *to)
{
	leg_new(l, &r->a, "example.test", to);
	leg_do(l, "INVITE", NULL, SDP);
}

/* A call that gets as far as bob's phone; his INVITE. */
static struct td_msg *call_bob(struct rig *r, struct leg *l)
{
	phone_register(&r->b, "example.test");
	leg_new(l, &r->a, "example.test", "sip:bob@example.test");
	leg_send_proved(l, "INVITE", NULL, SDP);
	return want_request(&r->b, "INVITE");
}

static void wrong_password(void **state)
{
	struct rig r;
	struct leg l;

	rig_open(&r, NULL);
	phone_close(&r.a);
	phone_open(&r.a, &r.w, "alice", "10.0.2.1", 5060, TD_UDP);
	phone_password(&r.a, "looking-glass");
	leg_new(&l, &r.a, "example.test", "sip:alice@example.test");
	leg_do(&l, "REGISTER", "Expires: 600\n", NULL);
	WANT(&r, "wrong-password", 401, "10.0.2.1", "register as alice@example.test", "password was wrong",
	     "tandem user passwd alice@example.test");
	phone_close(&r.a); /* then it is right, and that is no news; but what failed is still known by its address */
	phone_open(&r.a, &r.w, "alice", "10.0.2.1", 5060, TD_UDP);
	phone_password(&r.a, "wonderland");
	phone_register(&r.a, "example.test");
	WANT(&r, "wrong-password", 401, "10.0.2.1");
	rig_close(&r);
}

static void banned(void **state)
{
	struct phone thief;
	struct rig r;
	struct leg l;

	rig_open(&r, "guard: {tries: 3}\n");
	for (unsigned i = 0; i < 3; i++) {
		phone_open(&thief, &r.w, "alice", "10.0.2.9", (uint16_t)(5060 + i), TD_UDP);
		phone_password(&thief, "looking-glass");
		leg_new(&l, &thief, "example.test", "sip:alice@example.test");
		leg_do(&l, "REGISTER", "Expires: 600\n", NULL);
		phone_close(&thief);
	}
	WANT(&r, "banned", 401, "10.0.2.9 is banned for 10 min more because it guessed 3 passwords",
	     "tandem bans remove 10.0.2.9");
	assert_non_null(ask(&r, "10.0.2.9"));
	assert_string_equal(r.story->outcome, "banned");
	assert_null(ask(&r, "10.0.2.8"));
	world_run(&r.w, 600000);
	WANT(&r, "banned", 401, "10.0.2.9 was banned for 10 min, which is over");
	rig_close(&r);
}

static void unknown_name(void **state)
{
	struct rig r;
	struct leg l;

	rig_open(&r, NULL);
	phone_password(&r.stranger, "anything");
	leg_new(&l, &r.stranger, "example.test", "sip:bob@example.test");
	leg_do(&l, "INVITE", NULL, SDP);
	WANT(&r, "unknown-user-name", 407, "eve@example.test", "no user is called that", "tandem user add");
	rig_close(&r);
}

static void no_account(void **state)
{
	struct rig r;
	struct leg l;

	rig_open(&r, NULL);
	leg_new(&l, &r.stranger, "example.test", "sip:bob@example.test");
	leg_do(&l, "INVITE", NULL, SDP);
	WANT(&r, "no-password", 407, "eve@example.test (10.0.2.3)", "did not come back", "trust");
	rig_close(&r);
}

static void unknown_user(void **state)
{
	struct rig r;
	struct leg l;

	rig_open(&r, NULL);
	call(&r, &l, "sip:dave@example.test");
	assert_str(ask(&r, "dave")->call_id, l.call_id);
	WANT(&r, "unknown-user", 404, "alice@example.test (10.0.2.1) called dave@example.test", "no such user", "404 Not Found",
	     "tandem user add dave@example.test");
	rig_close(&r);
}

static void unregistered_user(void **state)
{
	struct rig r;
	struct leg l;

	rig_open(&r, NULL);
	call(&r, &l, "sip:bob@example.test");
	WANT(&r, "not-registered", 480, "called bob@example.test, who is a user here", "no phone of this user is registered",
	     "480 Temporarily Unavailable", "switch the phone on");
	rig_close(&r);
}

static void switched_off_phone(void **state)
{
	struct rig r;
	struct leg l;

	rig_open(&r, NULL);
	call_bob(&r, &l);
	want_status(&r.a, 408);
	WANT(&r, "no-answer", 408, "bob@example.test is registered, but the phone at 10.0.2.2 did not answer 7 INVITEs in 32 s",
	     "switched off, or a firewall drops UDP", "registration expires in 9 min", "408 Request Timeout");
	rig_close(&r);
}

static void busy(void **state)
{
	struct rig r;
	struct leg l;

	rig_open(&r, NULL);
	phone_answer(&r.b, call_bob(&r, &l), 486, "", NULL);
	want_status(&r.a, 486);
	WANT(&r, "busy", 486, "bob@example.test: the phone at 10.0.2.2 is busy (it answered 486 Busy Here)");
	rig_close(&r);
}

static void declined(void **state)
{
	struct rig r;
	struct leg l;

	rig_open(&r, NULL);
	phone_answer(&r.b, call_bob(&r, &l), 603, "", NULL);
	want_status(&r.a, 603);
	WANT(&r, "declined", 603, "was declined by the person called");
	rig_close(&r);
}

/* Bob's phone sends everything straight back to the server. */
/* Proves RFC 5393 §4.2.2-1. */
static void loop(void **state)
{
	struct td_msg *m;
	struct rig r;
	struct leg l;
	struct td_out o;
	size_t line;

	rig_open(&r, NULL);
	phone_close(&r.b);
	phone_open(&r.b, &r.w, "bob", "10.0.1.2", 5060, TD_UDP); /* a trusted one: nothing else stops it */
	m = call_bob(&r, &l);
	line = (size_t)(td_str_chr(m->bytes, '\n') + 1 - m->bytes.p);
	td_out_init(&o);
	td_out_fmt(&o, "INVITE sip:bob@example.test SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.1.2:5060;branch=z9hG4bK-back\r\n");
	td_out_str(&o, td_str_n(m->bytes.p + line, m->bytes.n - line));
	phone_send_bytes(&r.b, td_out_view(&o));
	td_out_free(&o);
	phone_answer(&r.b, m, want_status(&r.b, 482)->status, "", NULL);
	want_status(&r.a, 482);
	WANT(&r, "loop", 482, "came back to this server unchanged", "circle", "bob@example.test");
	rig_close(&r);
}

/* Another server noticed it. */
static void loop_elsewhere(void **state)
{
	static const unsigned statuses[] = { 482, 483 };

	for (size_t i = 0; i < TD_ARRAY_LEN(statuses); i++) {
		struct rig r;
		struct leg l;

		rig_open(&r, NULL);
		phone_answer(&r.b, call_bob(&r, &l), statuses[i], "", NULL);
		want_status(&r.a, statuses[i]);
		WANT(&r, "loop", statuses[i], "bob@example.test: the phone at 10.0.2.2",
		     i ? "more servers" : "round in a circle");
		rig_close(&r);
	}
}

static void relay_refused(void **state)
{
	struct rig r;
	struct leg l;

	rig_open(&r, NULL);
	call(&r, &l, "sip:someone@elsewhere.example");
	WANT(&r, "relay-refused", 403, "someone@elsewhere.example", "none of this server's domains", "Relaying Refused",
	     "elsewhere.example is one of ours");
	rig_close(&r);
}

static void overload(void **state)
{
	struct rig r;
	struct leg l;

	if (workers_now > 1) /* the limit is each worker's */
		return;
	rig_open(&r, "proxy: {max_pending: 1}\n");
	call_bob(&r, &l);
	call(&r, &l, "sip:bob@example.test");
	WANT(&r, "overload", 503, "as many calls were being set up", "proxy.max_pending");
	rig_close(&r);
}

static void given_up(void **state)
{
	struct td_msg *m;
	struct rig r;
	struct leg l;

	rig_open(&r, NULL);
	m = call_bob(&r, &l);
	phone_answer(&r.b, m, 180, "", NULL);
	want_status(&r.a, 180);
	world_run(&r.w, 12000);
	assert_string_equal(ask(&r, "last")->outcome, "ringing");
	leg_send(&l, "CANCEL", NULL, NULL);
	phone_cancelled(&r.b, m);
	want_status(&r.a, 487);
	WANT(&r, "cancelled", 487, "gave up after 12 s of ringing");
	rig_close(&r);
}

/* Found by Call-ID, and by either one's name; what was never here is not. */
static void answered(void **state)
{
	struct td_msg *m;
	struct rig r;
	struct leg l;

	rig_open(&r, NULL);
	m = call_bob(&r, &l);
	phone_answer(&r.b, m, 180, "", NULL);
	world_run(&r.w, 3000);
	leg_up(&l, &r.b, m);
	world_run(&r.w, 65000);
	leg_hang_up(&l, &r.b);
	WANT(&r, "answered", 200, "called bob@example.test, who answered after 3.0 s", "the caller hung up after 65 s");
	assert_str(ask(&r, "bob")->call_id, l.call_id);
	assert_str(ask(&r, "alice@example.test")->call_id, l.call_id);
	assert_str(ask(&r, l.call_id)->call_id, l.call_id);
	assert_null(ask(&r, "nobody"));
	assert_null(ask(&r, "alice@elsewhere.example"));
	rig_close(&r);
}

static void draining(void **state)
{
	struct rig r;
	struct leg l;

	rig_open(&r, NULL);
	td_server_drain(r.w.server, true);
	call(&r, &l, "sip:bob@example.test");
	WANT(&r, "draining", 503, "alice@example.test", "503 Draining", "about to stop", "tandem drain --stop");
	rig_close(&r);
}

/* X5: neither in the sentences nor in the steps; and a peer's control characters come out as they are, for whoever shows them to escape. */
static void x5_secrets_stay(void **state)
{
	struct rig r;
	struct leg l;

	rig_open(&r, NULL);
	call(&r, &l, "sip:dave:s3cr3t@example.test");
	assert_non_null(ask(&r, "last"));
	for (unsigned i = 0; i < r.story->step_n; i++)
		assert_null(memmem(r.story->steps[i].text.p, r.story->steps[i].text.n, "s3cr3t", 6));
	assert_false(says(r.story, "s3cr3t"));
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrong_password),     cmocka_unit_test(banned),
		cmocka_unit_test(unknown_name),       cmocka_unit_test(no_account),
		cmocka_unit_test(unknown_user),       cmocka_unit_test(unregistered_user),
		cmocka_unit_test(switched_off_phone), cmocka_unit_test(busy),
		cmocka_unit_test(declined),           cmocka_unit_test(loop),
		cmocka_unit_test(loop_elsewhere),     cmocka_unit_test(relay_refused),
		cmocka_unit_test(overload),           cmocka_unit_test(given_up),
		cmocka_unit_test(answered),           cmocka_unit_test(x5_secrets_stay),
		cmocka_unit_test(draining),
	};

	return RUN_BY_WORKERS(tests);
}
