/*
 * A whole server with every allocation of its own failing in turn, alone and for good, while phones call by forks, redirections and
 * numbers. What becomes of the call is open; but nothing leaks, nothing of it is left when all timers have run out, and the server
 * works as before.
 *
 * Server and phones share a thread: allocations count while the simulation runs the server's loop or hands it a datagram.
 */
#include "failing.h"

#include "scenario/harness.h"

#include "loop/internal.h"
#include "net/internal.h"

static struct {
	struct td_loop *loop; /* the server's */
	unsigned long n;      /* what fails there */
} server;

bool __real_loop_timers(struct td_loop *loop);
bool __wrap_loop_timers(struct td_loop *loop);
bool __real_loop_finish(struct td_loop *loop);
bool __wrap_loop_finish(struct td_loop *loop);
void __real_net_udp_deliver(struct td_udp *u, struct td_buf *buf, const struct td_addr *from);
void __wrap_net_udp_deliver(struct td_udp *u, struct td_buf *buf, const struct td_addr *from);

bool __wrap_loop_timers(struct td_loop *loop)
{
	bool ran;

	oom_resume(loop == server.loop ? server.n : 0);
	ran = __real_loop_timers(loop);
	oom_pause();
	return ran;
}

bool __wrap_loop_finish(struct td_loop *loop)
{
	bool ran;

	oom_resume(loop == server.loop ? server.n : 0);
	ran = __real_loop_finish(loop);
	oom_pause();
	return ran;
}

void __wrap_net_udp_deliver(struct td_udp *u, struct td_buf *buf, const struct td_addr *from)
{
	oom_resume(u->net->loop == server.loop ? server.n : 0);
	__real_net_udp_deliver(u, buf, from);
	oom_pause();
}

/* ---- phones that answer whatever comes ---- */

enum { BOB, BOBS_OTHER, LATE, CAROL, PHONES };
enum habit { RINGS, ANSWERS, REFUSES, REDIRECTS };

struct story {
	const char *callee, *method;
	enum habit habits[PHONES];
	bool late;       /* LATE registers while it rings */
	unsigned status; /* when nothing fails */
};

struct rig {
	struct world w;
	struct phone a, p[PHONES];
	const struct td_msg *ringing[PHONES];
	struct leg l;
	const struct story *story;
	unsigned status; /* the final answer */
};

static void redirect(struct phone *p, const struct td_msg *invite)
{
	struct td_out o;

	td_out_init(&o);
	td_put_response_head(&o, invite, 302, TD_STR_NULL, td_str_of(p->user), true);
	td_out_z(&o, "Contact: <sip:carol@any.test>\r\n");
	td_put_body(&o, TD_STR_NULL, TD_STR_NULL);
	phone_send_bytes(p, td_out_view(&o));
	td_out_free(&o);
}

static void react(struct rig *r, unsigned i)
{
	struct phone *p = &r->p[i];
	struct td_msg *m;

	while ((m = maybe_request(p, "INVITE", 0))) {
		enum habit habit = r->story->habits[i];

		r->ringing[i] = m;
		phone_answer(p, m, 180, "", NULL);
		if (habit == REDIRECTS)
			redirect(p, m);
		else if (habit != RINGS)
			phone_answer(p, m, habit == ANSWERS ? 200 : 486, "", habit == ANSWERS ? SDP : NULL);
	}
	while ((m = maybe_request(p, "CANCEL", 0))) {
		phone_answer(p, m, 200, "", NULL);
		if (r->ringing[i])
			phone_answer(p, r->ringing[i], 487, "", NULL);
	}
	while ((m = maybe_request(p, "BYE", 0)) || (m = maybe_request(p, "MESSAGE", 0)))
		phone_answer(p, m, 200, "", NULL);
}

static void hear(struct rig *r)
{
	struct td_msg *m;

	while ((m = maybe_status(&r->a, 0, 0))) {
		if (m->cseq.method != TD_INVITE) {
			r->status = m->cseq.method == TD_BYE ? r->status : m->status;
			continue;
		}
		r->status = m->status;
		if (m->status >= 300) {
			leg_ack_refusal(&r->l, m);
			continue;
		}
		leg_learn(&r->l, m);
		leg_send(&r->l, "ACK", NULL, NULL);
		leg_send(&r->l, "BYE", NULL, NULL);
	}
}

/* What came is kept by a phone for as long as it lives. */
static void clear(struct phone *p)
{
	while (p->n)
		td_msg_unref(p->inbox[--p->n]);
	memset(p->taken, 0, sizeof(p->taken));
}

static void call(struct rig *r)
{
	leg_new(&r->l, &r->a, "any.test", r->story->callee);
	leg_send(&r->l, r->story->method, NULL, SDP);
	for (unsigned step = 0; step < 30; step++) {
		world_run(&r->w, 300);
		for (unsigned i = 0; i < PHONES; i++)
			react(r, i);
		hear(r);
		if (step == 3 && r->story->late) {
			unsigned long n = server.n;

			server.n = 0; /* that it registers is not what is tried */
			phone_register(&r->p[LATE], "any.test");
			server.n = n;
		}
		if (step == 12 && !r->status && r->ringing[BOB])
			leg_send(&r->l, "CANCEL", NULL, NULL);
	}
}

static int once(void *arg)
{
	struct rig *r = arg;

	server.n = oom_pause();
	r->status = 0;
	memset(r->ringing, 0, sizeof(r->ringing));
	call(r);
	server.n = 0;
	world_run(&r->w, 300000);
	world_assert_idle(&r->w);
	assert_int_equal(world_status(&r->w)->calls.open, 0);
	for (unsigned i = 0; i < PHONES; i++)
		clear(&r->p[i]);
	clear(&r->a);
	if (r->story->late)
		phone_registers(&r->p[LATE], "sip:bob@any.test", "Contact: <sip:bob@10.0.1.12:5060>;expires=0\n");
	clear(&r->p[LATE]);
	return r->status == r->story->status ? 0 : -ENOMEM;
}

static void enroll(struct phone *p, const char *aor)
{
	char line[160];

	snprintf(line, sizeof(line), "Contact: %s;expires=2000000\n", contact_of(p));
	phone_registers(p, aor, line);
}

static void tell(const struct story *story)
{
	static const char *const users[PHONES] = { "bob", "bob", "bob", "carol" };
	struct rig *r = calloc(1, sizeof(*r));
	char ip[32];

	assert_non_null(r);
	r->story = story;
	world_open(&r->w, 23, 1,
		   "registrar: {max_expires: 30d}\ncalls: {longest: 60s}\nring:\n"
		   "  - {number: \"4711@any.test\", to: [bob], timeout: 2s, then: [carol]}\n");
	phone_open(&r->a, &r->w, "alice", "10.0.1.1", 5060, TD_UDP);
	for (unsigned i = 0; i < PHONES; i++) {
		snprintf(ip, sizeof(ip), "10.0.1.%u", 10 + i);
		phone_open(&r->p[i], &r->w, users[i], ip, 5060, TD_UDP);
	}
	enroll(&r->p[BOB], "sip:bob@any.test");
	enroll(&r->p[BOBS_OTHER], "sip:bob@any.test");
	enroll(&r->p[CAROL], "sip:carol@any.test");
	enroll(&r->p[BOB], "sip:bob@there.test");
	server.loop = r->w.loops[0];
	assert_true(oom_each(once, r) > 1);
	server.loop = NULL;
	phone_close(&r->a);
	for (unsigned i = 0; i < PHONES; i++)
		phone_close(&r->p[i]);
	world_close(&r->w);
	free(r);
}

static void a_fork(void **state)
{
	tell(&(struct story){ "sip:bob@any.test", "INVITE", { RINGS, ANSWERS }, false, 200 });
	tell(&(struct story){ "sip:bob@any.test", "INVITE", { REFUSES, REFUSES }, false, 486 });
	tell(&(struct story){ "sip:bob@any.test", "MESSAGE", { 0 }, false, 200 });
}

static void given_up(void **state)
{
	tell(&(struct story){ "sip:bob@any.test", "INVITE", { RINGS, RINGS }, false, 487 });
}

static void a_redirection_followed(void **state)
{
	tell(&(struct story){ "sip:bob@any.test", "INVITE", { REDIRECTS, REFUSES, RINGS, ANSWERS }, false, 200 });
}

static void a_redirect_server(void **state)
{
	tell(&(struct story){ "sip:bob@there.test", "INVITE", { 0 }, false, 302 });
}

static void a_phone_that_comes_late(void **state)
{
	tell(&(struct story){ "sip:bob@any.test", "INVITE", { RINGS, RINGS, ANSWERS }, true, 200 });
}

static void a_number(void **state)
{
	tell(&(struct story){ "sip:4711@any.test", "INVITE", { RINGS, RINGS, RINGS, ANSWERS }, false, 200 });
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_fork),
		cmocka_unit_test(given_up),
		cmocka_unit_test(a_redirection_followed),
		cmocka_unit_test(a_redirect_server),
		cmocka_unit_test(a_phone_that_comes_late),
		cmocka_unit_test(a_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
