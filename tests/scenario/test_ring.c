/* Numbers: what `ring` says they reach, extensions, tel URIs and however a number is written. */
#include "harness.h"

#define RING                                                                      \
	"ring:\n"                                                                 \
	"  - {number: \"+49 (30) 123-45\", to: [alice, bob]}\n"                   \
	"  - {number: \"4711\", to: [bob], timeout: 10s, then: [carol, alice]}\n" \
	"  - {number: sales, to: [bob, nobody, carol, bob]}\n"                    \
	"  - {number: sales@any.test, to: [dave, \"carol@example.test\"]}\n"      \
	"  - {number: ghosts, to: [nobody], then: [bob]}\n"                       \
	"  - {number: void, to: [nobody]}\n"

enum { ALICE, BOB, CAROL, DAVE, PHONES };

struct rig {
	struct world w;
	struct phone caller, p[PHONES];
	struct leg l;
};

static void rig_open(struct rig *r)
{
	static const char *const names[] = { "alice", "bob", "carol", "dave" };
	struct td_user ext = { .aor = TD_STR("alice@example.test"), .extension = TD_STR("100") };
	char ip[32];

	memset(r, 0, sizeof(*r));
	world_open(&r->w, 17, workers_now, RING);
	phone_open(&r->caller, &r->w, "eve", "10.0.1.1", 5060, TD_UDP);
	for (unsigned i = 0; i < PHONES; i++) {
		snprintf(ip, sizeof(ip), "10.0.1.%u", 10 + i);
		phone_open(&r->p[i], &r->w, names[i], ip, 5060, TD_UDP);
		if (i != DAVE)
			world_user(&r->w, names[i], "x");
		phone_register(&r->p[i], i == DAVE ? "any.test" : "example.test");
	}
	assert_int_equal(td_users_put(r->w.users, &ext), 0);
}

static void rig_close(struct rig *r)
{
	phone_close(&r->caller);
	for (unsigned i = 0; i < PHONES; i++)
		phone_close(&r->p[i]);
	world_close(&r->w);
}

static void dial(struct rig *r, const char *uri, const char *method)
{
	leg_new(&r->l, &r->caller, "any.test", uri);
	leg_send(&r->l, method, NULL, strcmp(method, "INVITE") ? NULL : SDP);
}

/* Which of them were asked, as a string of their initials; each refuses. */
static const char *asked(struct rig *r)
{
	static char who[PHONES + 1];
	struct td_msg *m;
	size_t n = 0;

	for (unsigned i = 0; i < PHONES; i++) {
		m = maybe_request(&r->p[i], "MESSAGE", 20);
		if (!m)
			continue;
		who[n++] = r->p[i].user[0];
		phone_answer(&r->p[i], m, 486, "", NULL);
	}
	who[n] = 0;
	return who;
}

static void who_is_meant(void **state)
{
	static const struct {
		const char *uri, *who;
		unsigned status;
	} rows[] = {
		{ "tel:+493012345", "ab", 486 },
		{ "tel:+49-30-123-45;ext=7", "ab", 486 },
		{ "sip:+493012345@example.test;user=phone", "ab", 486 },
		{ "sip:+49(30)12345@any.test", "ab", 486 },
		{ "sip:%2B49-30-12345@10.0.0.1", "ab", 486 },
		{ "tel:493012345;phone-context=example.test", "", 404 }, /* without "+" it is another number */
		{ "sip:sales@example.test", "bc", 486 },
		{ "sip:%73ales@EXAMPLE.test", "bc", 486 },
		{ "sip:sales@any.test", "cd", 486 },
		{ "sip:void@example.test", "", 404 },
		{ "sip:ghosts@example.test", "b", 486 },
		{ "sip:100@example.test", "a", 486 },
		{ "sip:1-0.0@example.test", "a", 486 },
		{ "tel:1-00;phone-context=example.test", "a", 486 },
		{ "tel:100;phone-context=EXAMPLE.test", "a", 486 },
		{ "tel:100;phone-context=elsewhere.test", "", 404 }, /* RFC 3966 §5.1.5 */
		{ "tel:100;phone-context=+49", "", 404 },
		{ "tel:1a0;phone-context=example.test", "", 404 },
		{ "tel:+100", "", 404 },
		{ "sip:alice@example.test", "a", 486 },
	};

	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct td_msg *m;
		struct rig r;

		rig_open(&r);
		dial(&r, rows[i].uri, "MESSAGE");
		if (strcmp(asked(&r), rows[i].who))
			fail_msg("%s: %s", rows[i].uri, asked(&r));
		m = maybe_status(&r.caller, 0, 1000);
		assert_non_null(m);
		if (m->status != rows[i].status)
			fail_msg("%s: %u", rows[i].uri, m->status);
		rig_close(&r);
	}
}

/* All ring at once, and who answers first has it; the breadth is shared out among them. */
/* Proves RFC 5393 §5.3.3-3. */
static void all_at_once(void **state)
{
	struct td_msg *a, *b;
	struct rig r;

	rig_open(&r);
	dial(&r, "tel:+493012345", "INVITE");
	a = want_request(&r.p[ALICE], "INVITE");
	b = want_request(&r.p[BOB], "INVITE");
	assert_true(strtol(header(a, "Max-Breadth"), NULL, 10) + strtol(header(b, "Max-Breadth"), NULL, 10) <= 60);
	assert_true(strtol(header(b, "Max-Breadth"), NULL, 10) >= 5);
	phone_answer(&r.p[ALICE], a, 180, "", NULL);
	phone_answer(&r.p[BOB], b, 180, "", NULL);
	world_run(&r.w, 60000); /* without `then` they ring on */
	leg_up(&r.l, &r.p[BOB], b);
	phone_cancelled(&r.p[ALICE], a);
	want_silence(&r.p[CAROL], 0);
	rig_close(&r);
}

/* Others when nobody answered in time, or all refused, or nobody was there. */
static void then_others(void **state)
{
	struct td_msg *a, *b, *c;
	struct rig r;

	rig_open(&r);
	dial(&r, "sip:4711@example.test", "INVITE");
	b = want_request(&r.p[BOB], "INVITE");
	phone_answer(&r.p[BOB], b, 180, "", NULL);
	want_silence(&r.p[CAROL], 9500);
	c = want_request(&r.p[CAROL], "INVITE");
	a = want_request(&r.p[ALICE], "INVITE");
	phone_cancelled(&r.p[BOB], b);
	phone_answer(&r.p[CAROL], c, 180, "", NULL);
	phone_refuse(&r.p[ALICE], a, 486);
	world_run(&r.w, 30000); /* the last ones ring on */
	phone_refuse(&r.p[CAROL], c, 486);
	want_status(&r.caller, 486);
	phone_forget(&r.caller);

	dial(&r, "sip:4711@example.test", "INVITE"); /* refused at once */
	phone_refuse(&r.p[BOB], want_request(&r.p[BOB], "INVITE"), 486);
	phone_refuse(&r.p[CAROL], want_request(&r.p[CAROL], "INVITE"), 486);
	phone_refuse(&r.p[ALICE], want_request(&r.p[ALICE], "INVITE"), 486);
	want_status(&r.caller, 486);
	phone_forget(&r.caller);

	phone_registers(&r.p[BOB], "sip:bob@example.test", "Contact: *\nExpires: 0\n");
	dial(&r, "sip:4711@example.test", "INVITE"); /* bob is not there */
	c = want_request(&r.p[CAROL], "INVITE");
	phone_answer(&r.p[CAROL], c, 180, "", NULL);
	a = want_request(&r.p[ALICE], "INVITE");
	want_status(&r.caller, 180);
	leg_send(&r.l, "CANCEL", NULL, NULL);
	phone_cancelled(&r.p[CAROL], c);
	phone_refuse(&r.p[ALICE], a, 486);
	want_status(&r.caller, 487);
	rig_close(&r);
}

/* While it rings, another phone of bob registers, and one of alice, whose turn has not come. */
static void late_phones(void **state)
{
	struct phone one, two;
	struct td_msg *b, *late;
	struct rig r;

	rig_open(&r);
	phone_open(&one, &r.w, "bob", "10.0.1.30", 5060, TD_UDP);
	phone_open(&two, &r.w, "alice", "10.0.1.31", 5060, TD_UDP);
	dial(&r, "sip:4711@example.test", "INVITE");
	b = want_request(&r.p[BOB], "INVITE");
	phone_answer(&r.p[BOB], b, 180, "", NULL);
	world_run(&r.w, 2000);
	phone_register(&one, "example.test");
	phone_register(&two, "example.test");
	late = want_request(&one, "INVITE");
	want_silence(&two, 5000);
	phone_refuse(&one, late, 486);
	phone_refuse(&r.p[BOB], b, 486);
	phone_refuse(&two, want_request(&two, "INVITE"), 486);
	phone_refuse(&r.p[ALICE], want_request(&r.p[ALICE], "INVITE"), 486);
	phone_refuse(&r.p[CAROL], want_request(&r.p[CAROL], "INVITE"), 486);
	want_status(&r.caller, 486);
	phone_close(&one);
	phone_close(&two);
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_is_meant),
		cmocka_unit_test(all_at_once),
		cmocka_unit_test(then_others),
		cmocka_unit_test(late_phones),
	};

	return RUN_BY_WORKERS(tests);
}
