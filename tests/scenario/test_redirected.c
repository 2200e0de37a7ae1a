/* A callee's phone redirects, and the proxy follows where it may (§16.7 step 4). */
#include "harness.h"

struct rig {
	struct world w;
	struct phone a, b, c, d;
	struct leg l;
};

static void rig_open(struct rig *r)
{
	memset(r, 0, sizeof(*r));
	world_open(&r->w, 13, workers_now, NULL);
	phone_open(&r->a, &r->w, "alice", "10.0.1.1", 5060, TD_UDP);
	phone_open(&r->b, &r->w, "bob", "10.0.1.2", 5060, TD_UDP);
	phone_open(&r->c, &r->w, "carol", "10.0.1.3", 5060, TD_TCP);
	phone_open(&r->d, &r->w, "dave", "10.0.1.4", 5060, TD_UDP);
}

static void rig_close(struct rig *r)
{
	phone_close(&r->a);
	phone_close(&r->b);
	phone_close(&r->c);
	phone_close(&r->d);
	world_close(&r->w);
}

static struct td_msg *dial(struct rig *r, struct phone *p, const char *domain)
{
	char to[64];

	snprintf(to, sizeof(to), "sip:bob@%s", domain);
	leg_new(&r->l, &r->a, domain, to);
	leg_send(&r->l, "INVITE", NULL, SDP);
	return want_request(p, "INVITE");
}

static void redirects(struct phone *p, const struct td_msg *invite, unsigned status, const char *contact)
{
	char line[300];
	struct td_out o;

	snprintf(line, sizeof(line), "Contact: %s\r\n", contact);
	td_out_init(&o);
	td_put_response_head(&o, invite, status, TD_STR_NULL, td_str_of(p->user), true);
	td_out_z(&o, line);
	td_put_body(&o, TD_STR_NULL, TD_STR_NULL);
	phone_send_bytes(p, td_out_view(&o));
	td_out_free(&o);
	want_request(p, "ACK");
}

/* To another user, and from there to a third; the caller sees nothing of it. It has rung for a while before, or not at all. */
/* Proves RFC 3261 §16.5-5. */
static void to_another_user(void **state)
{
	struct td_msg *m;

	for (int rings = 0; rings < 2; rings++) {
		struct rig r;

		rig_open(&r);
		phone_register(&r.b, "any.test");
		phone_register(&r.c, "any.test");
		phone_register(&r.d, "example.com");
		m = dial(&r, &r.b, "any.test");
		if (rings) {
			phone_answer(&r.b, m, 180, "", NULL);
			want_status(&r.a, 180);
			world_run(&r.w, 5000);
		}
		redirects(&r.b, m, 302, "Carol <sip:carol@any.test>;q=0.5");
		m = want_request(&r.c, "INVITE");
		assert_str(m->uri, "sip:carol@10.0.1.3:5060;transport=tcp");
		assert_str(m->to.uri.text, "sip:bob@any.test");
		assert_int_equal(m->max_forwards, 69);
		redirects(&r.c, m, 301, "<sip:dave@example.com;user=phone>");
		leg_up(&r.l, &r.d, want_request(&r.d, "INVITE"));
		want_silence(&r.a, 1000);
		rig_close(&r);
	}
}

/* Beside a phone that rings on. One who registers while it is tried rings too. */
static void beside_others(void **state)
{
	struct td_msg *one, *two;
	struct phone e;
	struct rig r;

	rig_open(&r);
	phone_open(&e, &r.w, "bob", "10.0.1.9", 5060, TD_UDP);
	phone_register(&r.b, "any.test");
	phone_register(&e, "any.test");
	one = dial(&r, &r.b, "any.test");
	two = want_request(&e, "INVITE");
	phone_answer(&e, two, 180, "", NULL);
	redirects(&r.b, one, 300, "<sip:carol@any.test>, <sip:bob@any.test>");
	world_run(&r.w, 3000);
	phone_register(&r.c, "any.test");
	one = want_request(&r.c, "INVITE");
	phone_refuse(&e, two, 486);
	leg_up(&r.l, &r.c, one);
	phone_close(&e);
	rig_close(&r);
}

/* Another line of the same phone; but no other host's, and not past Max-Breadth. */
static void to_the_same_host(void **state)
{
	struct td_msg *m;
	struct rig r;

	rig_open(&r);
	phone_register(&r.b, "any.test");
	m = dial(&r, &r.b, "any.test");
	redirects(&r.b, m, 302, "<sip:line2@10.0.1.2>;q=1, <sip:line2@10.0.1.4>");
	m = want_request(&r.b, "INVITE");
	assert_str(m->uri, "sip:line2@10.0.1.2");
	phone_answer(&r.b, m, 486, "", NULL);
	m = want_status(&r.a, 302);
	assert_non_null(find(m, "<sip:line2@10.0.1.4>"));
	assert_null(find(m, "<sip:line2@10.0.1.2>"));
	leg_ack_refusal(&r.l, m);
	want_silence(&r.d, 1000);
	phone_forget(&r.a);
	leg_new(&r.l, &r.a, "any.test", "sip:bob@any.test");
	leg_send(&r.l, "INVITE", "Max-Breadth: 1\n", SDP);
	redirects(&r.b, want_request(&r.b, "INVITE"), 302, "<sip:line2@10.0.1.2>, <sip:line3@10.0.1.2>");
	m = want_request(&r.b, "INVITE"); /* one at a time */
	assert_str(m->uri, "sip:line2@10.0.1.2");
	assert_string_equal(header(m, "Max-Breadth"), "1");
	phone_answer(&r.b, m, 486, "", NULL);
	m = want_status(&r.a, 302);
	assert_non_null(find(m, "<sip:line3@10.0.1.2>"));
	assert_null(find(m, "<sip:line2@10.0.1.2>"));
	rig_close(&r);
}

/* recurse: no; and what is no such redirection. */
/* Proves RFC 3261 §16.5-5. */
static void not_followed(void **state)
{
	struct td_msg *m;
	struct rig r;

	rig_open(&r);
	phone_register(&r.b, "plain.test");
	phone_register(&r.c, "plain.test");
	m = dial(&r, &r.b, "plain.test");
	redirects(&r.b, m, 302, "<sip:carol@plain.test>");
	assert_non_null(find(want_status(&r.a, 302), "<sip:carol@plain.test>"));
	phone_register(&r.b, "any.test");
	phone_register(&r.c, "any.test");
	m = dial(&r, &r.b, "any.test");
	redirects(&r.b, m, 380, "<sip:carol@any.test>");
	assert_non_null(find(want_status(&r.a, 380), "<sip:carol@any.test>"));
	want_silence(&r.c, 1000);
	rig_close(&r);
}

/* D6, D2: whoever redirects in a circle, to himself, or to ever new addresses gets no further than a few branches. */
/* Proves RFC 3261 §16.5-3. */
static void d6_circles_and_bombs(void **state)
{
	struct td_msg *m;
	struct rig r;
	unsigned n = 0;

	rig_open(&r);
	phone_register(&r.b, "any.test");
	phone_register(&r.c, "any.test");
	m = dial(&r, &r.b, "any.test");
	redirects(&r.b, m, 302, "<sip:carol@any.test>, <sip:bob@any.test>, <sip:bob@10.0.1.2:5060>");
	redirects(&r.c, want_request(&r.c, "INVITE"), 302, "<sip:bob@any.test>");
	want_status(&r.a, 480);
	want_silence(&r.b, 1000);

	m = dial(&r, &r.b, "any.test");
	for (; m; m = maybe_request(&r.b, "INVITE", 2000), n++) {
		char next[100];

		snprintf(next, sizeof(next), "<sip:u%u@any.test>, <sip:u%u@10.0.1.2>", n, n);
		redirects(&r.b, m, 302, next);
	}
	assert_in_range(n, 10, 30); /* proxy.max_branches */
	m = want_status(&r.a, 302);
	assert_int_equal(header_count(m, TD_HDR_CONTACT) >= 1, 1);
	rig_close(&r);
}

/* The caller hangs up while it is tried; 6xx from the one it went to ends all. */
/* Proves RFC 3261 §16.7-6. */
static void cancelled_and_declined(void **state)
{
	struct td_msg *m;
	struct rig r;

	rig_open(&r);
	phone_register(&r.b, "any.test");
	phone_register(&r.c, "any.test");
	m = dial(&r, &r.b, "any.test");
	redirects(&r.b, m, 302, "<sip:carol@any.test>");
	m = want_request(&r.c, "INVITE");
	phone_answer(&r.c, m, 180, "", NULL);
	want_status(&r.a, 180);
	leg_send(&r.l, "CANCEL", NULL, NULL);
	phone_cancelled(&r.c, m);
	want_status(&r.a, 487);
	m = dial(&r, &r.b, "any.test");
	phone_answer(&r.b, m, 180, "", NULL);
	want_status(&r.a, 180);
	leg_send(&r.l, "CANCEL", NULL, NULL);
	want_request(&r.b, "CANCEL");
	redirects(&r.b, m, 302, "<sip:carol@any.test>"); /* too late */
	want_status(&r.a, 302);
	want_silence(&r.c, 1000);
	m = dial(&r, &r.b, "any.test");
	redirects(&r.b, m, 302, "<sip:carol@any.test>");
	phone_answer(&r.c, want_request(&r.c, "INVITE"), 603, "", NULL);
	want_status(&r.a, 603);
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(to_another_user),      cmocka_unit_test(beside_others),
		cmocka_unit_test(to_the_same_host),     cmocka_unit_test(not_followed),
		cmocka_unit_test(d6_circles_and_bombs), cmocka_unit_test(cancelled_and_declined),
	};

	return RUN_BY_WORKERS(tests);
}
