/* Phones that sleep, and are woken by a push (RFC 8599). The push service is a peer on the wire that keeps what it is told. */
#include "harness.h"

#define PN ";pn-provider=acme;pn-prid=ab%2Fc;pn-param=team.app"
#define BOB_TCP "<sip:bob@10.0.1.2:40002;transport=tcp" PN ">"
#define BOB_UDP "<sip:bob@10.0.1.2:40002" PN ">"
#define PUSH "push: {url: \"http://10.0.0.80:8080/wake?key=1\", wait: 10s, providers: [acme, other]}\n"

struct service {
	struct td_net *net;
	struct td_listener *listener;
	struct td_conn *conns[512];
	unsigned conn_n, told; /* told: posts that came */
	const char *answer;    /* NULL: it says nothing */
	char last[2048];
};

struct rig {
	struct world w;
	struct service s;
	struct phone a, b, c;
	struct leg l;
};

static void on_data(struct td_conn *c, struct td_str bytes, void *arg)
{
	struct service *s = arg;
	struct td_buf *b;

	s->told++;
	snprintf(s->last, sizeof(s->last), "%.*s", TD_FMT(bytes));
	if (!s->answer)
		return;
	b = td_buf_copy(td_str_of(s->answer));
	assert_int_equal(td_conn_send(c, b), 0);
	td_buf_unref(b);
}

static void on_closed(struct td_conn *c, int err, void *arg)
{
	struct service *s = arg;

	for (unsigned i = 0; i < s->conn_n; i++)
		if (s->conns[i] == c)
			s->conns[i] = s->conns[--s->conn_n];
	td_conn_close(c);
}

static const struct td_conn_events events = { .data = on_data, .closed = on_closed };

static void on_accept(struct td_listener *l, struct td_conn *c, void *arg)
{
	struct service *s = arg;

	assert_true(s->conn_n < TD_ARRAY_LEN(s->conns));
	s->conns[s->conn_n++] = c;
	td_conn_handle(c, &events, s);
}

static void service_open(struct service *s, struct world *w)
{
	struct td_addr a;

	assert_int_equal(td_addr_parse(&a, TD_STR("10.0.0.80:8080")), 0);
	assert_int_equal(td_net_open_sim(&s->net, w->peers, w->wire, &a), 0);
	assert_int_equal(td_listener_open(&s->listener, s->net, &a, 0, on_accept, s), 0);
	s->answer = "HTTP/1.1 204 No Content\r\n\r\n";
}

static void fill(struct rig *r, enum td_proto caller, enum td_proto proto)
{
	service_open(&r->s, &r->w);
	phone_open(&r->a, &r->w, "alice", "10.0.1.1", 5060, caller);
	phone_open(&r->b, &r->w, "bob", "10.0.1.2", 40002, proto);
	phone_open(&r->c, &r->w, "bob", "10.0.1.3", 5060, TD_UDP);
}

static void rig_open_with(struct rig *r, unsigned workers, enum td_proto proto, const char *extra)
{
	memset(r, 0, sizeof(*r));
	world_open(&r->w, 12, workers, extra);
	fill(r, TD_UDP, proto);
}

static void rig_open(struct rig *r, unsigned workers, enum td_proto proto)
{
	rig_open_with(r, workers, proto, PUSH);
}

static void rig_close(struct rig *r)
{
	phone_close(&r->a);
	phone_close(&r->b);
	phone_close(&r->c);
	while (r->s.conn_n)
		td_conn_close(r->s.conns[--r->s.conn_n]);
	if (r->s.listener)
		td_listener_close(r->s.listener);
	world_run(&r->w, 1);
	td_net_close(r->s.net);
	world_close(&r->w);
}

static struct td_msg *reg(struct phone *p, const char *contact, const char *lines)
{
	struct leg l;

	p->contact = contact;
	leg_new(&l, p, "any.test", "sip:bob@any.test");
	snprintf(l.target, sizeof(l.target), "sip:any.test");
	return leg_do(&l, "REGISTER", lines, NULL);
}

static const char *bob(enum td_proto proto)
{
	return proto == TD_TCP ? BOB_TCP : BOB_UDP;
}

/* Bob registers and falls asleep. */
static void sleeps(struct rig *r)
{
	struct td_msg *m = reg(&r->b, bob(r->b.proto), "");

	assert_int_equal(m->status, 200);
	assert_string_equal(header(m, "Feature-Caps"), "*;+sip.pns=\"acme\"");
	if (r->b.conn)
		phone_drop(&r->b);
	world_run(&r->w, 100);
}

static void dial(struct rig *r, const char *method)
{
	leg_new(&r->l, &r->a, "any.test", "sip:bob@any.test");
	leg_send(&r->l, method, NULL, !strcmp(method, "INVITE") ? SDP : NULL);
	world_run(&r->w, 100);
}

static void want_news(struct rig *r, unsigned n, const char *text)
{
	assert_int_equal(r->s.told, n);
	if (!strstr(r->s.last, text))
		fail_msg("%s is not in\n%s", text, r->s.last);
}

static void want_480(struct rig *r)
{
	assert_non_null(maybe_status(&r->a, 480, 100));
}

/* ---- a call ---- */

/* Proves RFC 8599 §5.6.2-1. */
static void a_phone_is_woken(void **state)
{
	for (unsigned i = 0; i < 6; i++) {
		struct leg in;
		struct rig r;

		rig_open(&r, 1 + i % 3, i < 3 ? TD_TCP : TD_UDP);
		sleeps(&r);
		dial(&r, "INVITE");
		want_news(&r, 1, "POST /wake?key=1 HTTP/1.1\r\nHost: 10.0.0.80:8080\r\n");
		want_news(&r, 1,
			  "\r\n\r\n{\"event\":\"call\",\"user\":\"bob@any.test\",\"provider\":\"acme\",\"param\":\"team.app\","
			  "\"prid\":\"ab/c\",\"from\":\"sip:alice@any.test\",\"call_id\":\"");
		want_silence(&r.b, 2000);
		assert_null(maybe_status(&r.a, 0, 100));
		reg(&r.b, bob(r.b.proto), "");
		leg_of_request(&in, &r.b, want_request(&r.b, "INVITE"));
		phone_answer(&r.b, r.b.inbox[r.b.n - 1], 200, "", SDP);
		leg_learn(&r.l, want_status(&r.a, 200));
		leg_send(&r.l, "ACK", NULL, NULL);
		want_request(&r.b, "ACK");
		want_silence(&r.b, 15000);
		assert_int_equal(r.s.told, 1);
		rig_close(&r);
	}
}

/* It comes back from another address, or with another Call-ID alone; under the same URI or not. */
/* Proves RFC 8599 §5.6.2-1. */
static void a_phone_that_moved(void **state)
{
	static const char *const contacts[] = { BOB_UDP, "<sip:bob@10.0.1.3:5060" PN ">", "<sip:bob@192.168.0.7" PN ">" };

	for (size_t i = 0; i < TD_ARRAY_LEN(contacts); i++) {
		struct rig r;

		rig_open(&r, 1, TD_UDP);
		sleeps(&r);
		dial(&r, "INVITE");
		want_news(&r, 1, "\"prid\":\"ab/c\"");
		reg(&r.c, contacts[i], "");
		phone_refuse(&r.c, want_request(&r.c, "INVITE"), 486);
		want_status(&r.a, 486);
		want_silence(&r.b, 1000);
		rig_close(&r);
	}
}

/* Proves RFC 8599 §5.6.2-1. */
static void messages_wait_too(void **state)
{
	struct rig r;

	rig_open(&r, 2, TD_TCP);
	sleeps(&r);
	dial(&r, "MESSAGE");
	want_news(&r, 1, "{\"event\":\"message\"");
	reg(&r.b, BOB_TCP, "");
	phone_answer(&r.b, want_request(&r.b, "MESSAGE"), 200, "", NULL);
	want_status(&r.a, 200);
	phone_drop(&r.b);
	dial(&r, "OPTIONS"); /* nobody is woken for that */
	want_request(&r.b, "OPTIONS");
	phone_answer(&r.b, r.b.inbox[r.b.n - 1], 200, "", NULL);
	assert_int_equal(r.s.told, 1);
	rig_close(&r);
}

/* A connection that stands says that its phone is awake. */
/* Proves RFC 8599 §5.6.2-3. */
static void awake(void **state)
{
	struct rig r;

	rig_open(&r, 2, TD_TCP);
	reg(&r.b, BOB_TCP, "");
	dial(&r, "INVITE");
	phone_refuse(&r.b, want_request(&r.b, "INVITE"), 486);
	want_status(&r.a, 486);
	assert_int_equal(r.s.told, 0);
	rig_close(&r);
}

/* Who was woken and says no is not waited for any longer. */
static void woken_and_busy(void **state)
{
	for (int proto = TD_UDP; proto <= TD_TCP; proto++) {
		struct rig r;

		rig_open(&r, 1, (enum td_proto)proto);
		sleeps(&r);
		dial(&r, "INVITE");
		reg(&r.b, bob(r.b.proto), "");
		phone_refuse(&r.b, want_request(&r.b, "INVITE"), 486);
		assert_non_null(maybe_status(&r.a, 486, 100));
		rig_close(&r);
	}
}

/* A proxy's connection says nothing of the phones behind it. */
static void behind_a_proxy(void **state)
{
	struct rig r;

	rig_open(&r, 1, TD_TCP);
	assert_int_equal(reg(&r.b, BOB_TCP, "Supported: path\nPath: <sip:10.0.1.2:40002;transport=tcp;lr>\n")->status, 200);
	dial(&r, "INVITE");
	want_news(&r, 1, "\"event\":\"call\"");
	want_silence(&r.b, 1000);
	reg(&r.b, BOB_TCP, "Supported: path\nPath: <sip:10.0.1.2:40002;transport=tcp;lr>\n");
	phone_refuse(&r.b, want_request(&r.b, "INVITE"), 486);
	want_status(&r.a, 486);
	rig_close(&r);
}

/* That proxy, or another one on the way, wakes the phone itself; said in the first field of several or in a later one. */
/* Proves RFC 8599 §5.6.1.1-4. */
static void woken_by_another(void **state)
{
	static const char *const lines[] = {
		"Feature-Caps: *;+sip.pns=\"acme\"\n",
		"Feature-Caps: *;+g.x\nX-A: b\nfeature-caps: *;+sip.pns=\"acme\"\n",
	};

	for (size_t i = 0; i < TD_ARRAY_LEN(lines); i++) {
		struct td_msg *m;
		struct rig r;

		rig_open(&r, 1, TD_UDP);
		m = reg(&r.b, BOB_UDP, lines[i]);
		assert_int_equal(m->status, 200);
		assert_null(find(m, "Feature-Caps"));
		dial(&r, "INVITE");
		phone_refuse(&r.b, want_request(&r.b, "INVITE"), 486);
		want_status(&r.a, 486);
		assert_int_equal(r.s.told, 0);
		rig_close(&r);
	}
}

static void on_read(void *arg, const struct td_trace_piece *pieces, unsigned n, bool lost)
{
	struct td_story **s = arg;

	assert_int_equal(td_story_tell(s, pieces, n, TD_STR("last"), UINT64_MAX / 2), 0);
}

static bool has_step(const struct td_story *s, const char *words)
{
	for (unsigned i = 0; i < s->step_n; i++)
		if (memmem(s->steps[i].text.p, s->steps[i].text.n, words, strlen(words)))
			return true;
	return false;
}

/* It woke up and rings for longer than it would have been waited for; then it says no in the very words of who was not there. */
static void the_story_of_it(void **state)
{
	struct td_trace_cursor cursors[MAX_WORKERS] = { 0 };
	struct td_story *s = NULL;
	struct td_msg *m;
	struct rig r;

	rig_open(&r, 1, TD_TCP);
	sleeps(&r);
	dial(&r, "INVITE");
	world_run(&r.w, 2000);
	reg(&r.b, BOB_TCP, "");
	m = want_request(&r.b, "INVITE");
	phone_answer(&r.b, m, 180, "", NULL);
	want_status(&r.a, 180);
	world_run(&r.w, 15000);
	phone_refuse(&r.b, m, 480);
	want_status(&r.a, 480);
	assert_int_equal(td_server_trace(r.w.server, cursors, false, r.w.peers, on_read, &s), 0);
	world_run(&r.w, 5);
	assert_non_null(s);
	assert_string_equal(s->outcome, "unavailable");
	assert_true(has_step(s, "a push by acme is to wake it"));
	assert_true(has_step(s, "the phone woke up and registered, 2"));
	assert_false(has_step(s, "did not register"));
	td_story_free(s);
	rig_close(&r);
}

/* ---- and when it is not ---- */

/* Proves RFC 8599 §5.6.2-2. */
static void nobody_wakes_up(void **state)
{
	struct rig r;

	rig_open(&r, 1, TD_TCP);
	sleeps(&r);
	dial(&r, "INVITE");
	assert_null(maybe_status(&r.a, 0, 9500));
	assert_non_null(maybe_status(&r.a, 480, 1000));
	reg(&r.b, BOB_TCP, ""); /* too late */
	want_silence(&r.b, 1000);
	rig_close(&r);
}

/* A service that refuses, is not there, says something else, or nothing: nobody waits for what cannot come. */
/* Proves RFC 8599 §5.6.2-2. */
static void no_push(void **state)
{
	static const char *const answers[] = {
		"HTTP/1.1 500 Sorry\r\n\r\n",
		"HTTP/1.1 404 Not Found\r\n\r\n",
		"SSH-2.0-OpenSSH_9.2\r\n",
		"HTTP/1.1\r\n\r\n\r\n\r\n",
	};
	struct rig r;

	for (size_t i = 0; i < TD_ARRAY_LEN(answers); i++) {
		rig_open(&r, 1, TD_TCP);
		r.s.answer = answers[i];
		sleeps(&r);
		dial(&r, "INVITE");
		want_480(&r);
		rig_close(&r);
	}
	rig_open(&r, 1, TD_TCP);
	r.s.answer = NULL;
	sleeps(&r);
	dial(&r, "INVITE");
	assert_null(maybe_status(&r.a, 0, 4500));
	assert_non_null(maybe_status(&r.a, 480, 1000));
	rig_close(&r);

	rig_open(&r, 1, TD_TCP);
	td_listener_close(r.s.listener);
	r.s.listener = NULL;
	sleeps(&r);
	dial(&r, "INVITE");
	want_480(&r);
	rig_close(&r);
}

static void cancelled_while_it_sleeps(void **state)
{
	struct rig r;

	rig_open(&r, 2, TD_TCP);
	sleeps(&r);
	dial(&r, "INVITE");
	leg_send(&r.l, "CANCEL", NULL, NULL);
	want_status(&r.a, 487);
	reg(&r.b, BOB_TCP, "");
	want_silence(&r.b, 12000);
	rig_close(&r);
}

/* Whom a call for a sips URI does not reach, awake or not, is not woken for it, and the caller hears why at once (RFC 5630 §5.3). */
static void not_for_sips(void **state)
{
	struct td_msg *m;
	struct rig r;

	memset(&r, 0, sizeof(r));
	world_open_everywhere(&r.w, 12, 1, PUSH);
	fill(&r, TD_TLS, TD_TCP);
	sleeps(&r);
	r.a.contact = "<sips:alice@10.0.1.1:5060>";
	leg_new(&r.l, &r.a, "any.test", "sips:bob@any.test");
	leg_send(&r.l, "INVITE", NULL, SDP);
	m = maybe_status(&r.a, 480, 500);
	assert_non_null(m);
	assert_string_equal(header(m, "Warning"), "380 tandem \"SIPS Not Allowed\"");
	assert_int_equal(r.s.told, 0);
	rig_close(&r);
}

/* Phones that are awake ring meanwhile; who answers first has the call. */
static void others_ring_meanwhile(void **state)
{
	struct td_msg *m, *late;
	struct rig r;

	for (int answered_by = 0; answered_by < 3; answered_by++) {
		rig_open(&r, 2, TD_TCP);
		sleeps(&r);
		reg(&r.c, NULL, "");
		dial(&r, "INVITE");
		m = want_request(&r.c, "INVITE");
		phone_answer(&r.c, m, 180, "", NULL);
		want_status(&r.a, 180);
		want_news(&r, 1, "\"event\":\"call\"");
		if (answered_by == 0) { /* before the other woke up */
			phone_answer(&r.c, m, 200, "", SDP);
			want_status(&r.a, 200);
			reg(&r.b, BOB_TCP, "");
			want_silence(&r.b, 2000);
		} else if (answered_by == 1) {
			reg(&r.b, BOB_TCP, "");
			late = want_request(&r.b, "INVITE");
			phone_answer(&r.b, late, 200, "", SDP);
			want_status(&r.a, 200);
			phone_cancelled(&r.c, m);
		} else { /* one says no: the other is waited for, and then nobody */
			phone_refuse(&r.c, m, 486);
			assert_null(maybe_status(&r.a, 0, 5000));
			want_status(&r.a, 486);
		}
		rig_close(&r);
	}
}

/* A decline ends it, for who sleeps too. */
static void declined_everywhere(void **state)
{
	struct rig r;

	rig_open(&r, 1, TD_TCP);
	sleeps(&r);
	reg(&r.c, NULL, "");
	dial(&r, "INVITE");
	phone_refuse(&r.c, want_request(&r.c, "INVITE"), 603);
	assert_non_null(maybe_status(&r.a, 603, 200));
	rig_close(&r);
}

/* One phone, one push: also when an old binding of it is still there. */
static void one_push_for_a_phone(void **state)
{
	struct rig r;

	rig_open(&r, 1, TD_UDP);
	reg(&r.b, BOB_UDP, "");
	reg(&r.b, "<sip:bob@10.0.1.2:40009" PN ">", "");
	dial(&r, "INVITE");
	assert_int_equal(r.s.told, 1);
	want_silence(&r.b, 1000);
	reg(&r.b, BOB_UDP, "");
	phone_refuse(&r.b, want_request(&r.b, "INVITE"), 486);
	want_status(&r.a, 486);
	want_silence(&r.b, 1000);
	rig_close(&r);
}

/* A phone in two addresses of one number: in each it sleeps until it has registered there. */
static void in_two_addresses(void **state)
{
	struct rig r;

	rig_open_with(&r, 1, TD_TCP, PUSH "ring: [{number: \"team@any.test\", to: [bob, carol]}]\n");
	for (int i = 0; i < 2; i++) {
		phone_registers(&r.b, "sip:bob@any.test", "Contact: " BOB_TCP "\n");
		phone_registers(&r.b, "sip:carol@any.test", "Contact: <sip:carol@10.0.1.2:40002;transport=tcp" PN ">\n");
		if (i)
			break;
		phone_drop(&r.b);
		world_run(&r.w, 100);
		leg_new(&r.l, &r.a, "any.test", "sip:team@any.test");
		leg_send(&r.l, "INVITE", NULL, SDP);
		world_run(&r.w, 100);
		want_news(&r, 2, "\"user\":\"carol@any.test\"");
		want_silence(&r.b, 1000);
	}
	phone_refuse(&r.b, want_request(&r.b, "INVITE"), 486);
	phone_refuse(&r.b, want_request(&r.b, "INVITE"), 486);
	assert_non_null(maybe_status(&r.a, 486, 100));
	assert_int_equal(r.s.told, 2);
	rig_close(&r);
}

/* In turn: the next group is not held up by one that sleeps. */
static void in_turn(void **state)
{
	struct td_msg *m;
	struct leg l;
	struct rig r;

	rig_open(&r, 1, TD_TCP);
	r.b.contact = BOB_TCP ";q=1";
	r.c.contact = "<sip:bob@10.0.1.3>;q=0.5";
	phone_register(&r.b, "turn.test");
	phone_register(&r.c, "turn.test");
	phone_drop(&r.b);
	leg_new(&l, &r.a, "turn.test", "sip:bob@turn.test");
	leg_send(&l, "INVITE", NULL, SDP);
	world_run(&r.w, 9500);
	assert_int_equal(r.s.told, 1);
	m = want_request(&r.c, "INVITE");
	phone_refuse(&r.c, m, 486);
	want_status(&r.a, 486);
	rig_close(&r);
}

/* A service that is slow is asked for so many at a time, and so many wait; the others hear no at once. Nothing is left behind. */
static void bounded(void **state)
{
	enum { CALLS = 400 };
	unsigned refused = 0;
	struct rig r;

	rig_open(&r, 1, TD_UDP);
	r.s.answer = NULL;
	sleeps(&r);
	for (unsigned i = 0; i < CALLS; i++) {
		leg_new(&r.l, &r.a, "any.test", "sip:bob@any.test");
		leg_send(&r.l, "INVITE", NULL, SDP);
	}
	world_run(&r.w, 400);
	while (maybe_status(&r.a, 480, 0))
		refused++;
	assert_int_equal(refused, CALLS - 16 - 256);
	assert_int_equal(r.s.told, 16);
	world_run(&r.w, 15000);
	assert_in_range(r.s.told, 32, 64);
	rig_close(&r);
}

/* ---- registrations ---- */

/* Proves RFC 8599 §5.6.1.1-1, §5.6.1.1-2, §5.6.1.1-3, §5.6.1.1-4, §5.6.1.1-5, §5.6.1.2-1. */
static void what_phones_are_told(void **state)
{
	static const struct {
		const char *contact, *lines;
		unsigned status;
		const char *caps; /* NULL: none */
	} rows[] = {
		{ BOB_UDP, "", 200, "*;+sip.pns=\"acme\"" },
		{ "<sip:bob@h;pn-provider=OTHER;pn-prid=1>", "", 200, "*;+sip.pns=\"OTHER\"" },
		{ "<sip:bob@h;pn-provider=apns;pn-prid=1>", "", 555, NULL },
		{ "<sip:bob@h;pn-provider=apns>", "", 555, NULL },
		{ "<sip:bob@h;pn-provider=acme>", "Expires: 100\n", 200, "*;+sip.pns=\"acme\"" }, /* it only asks */
		{ "<sip:bob@h;pn-provider>", "", 200, "*;+sip.pns=\"acme\"\r\nFeature-Caps: *;+sip.pns=\"other\"" },
		{ BOB_UDP ";+sip.pnsreg", "", 200, "*;+sip.pns=\"acme\";+sip.pnsreg=\"121\"" },
		{ BOB_UDP, "Expires: 179\n", 423, NULL }, /* a push could not keep it */
		{ BOB_UDP, "Expires: 180\n", 200, "*;+sip.pns=\"acme\"" },
		{ BOB_UDP, "Expires: 0\n", 200, NULL },
		{ BOB_UDP, "Feature-Caps: *;+sip.pns=\"acme\"\n", 200, NULL }, /* a proxy on the way does it */
		{ "<sip:bob@h>", "", 200, NULL },
	};

	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		char line[128];
		struct td_msg *m;
		struct rig r;

		rig_open(&r, 1, TD_UDP);
		m = reg(&r.b, rows[i].contact, rows[i].lines);
		snprintf(line, sizeof(line), "Feature-Caps: %s\r\n", rows[i].caps ? rows[i].caps : "");
		if (m->status != rows[i].status || (rows[i].caps ? !find(m, line) : find(m, "Feature-Caps") != NULL))
			fail_msg("%s %s: %.*s", rows[i].contact, rows[i].lines, TD_FMT(m->bytes));
		if (m->status == 423)
			assert_string_equal(header(m, "Min-Expires"), "180");
		rig_close(&r);
	}
}

/* Two minutes before a registration ends its phone is told, once; and again when it has registered anew. §5.5 */
/* Proves RFC 8599 §5.5-1. */
static void kept_by_pushes(void **state)
{
	for (int workers = 1; workers <= 3; workers += 2) {
		struct rig r;

		rig_open(&r, (unsigned)workers, TD_TCP);
		reg(&r.b, BOB_TCP, "Expires: 600\n");
		reg(&r.c, NULL, "Expires: 300\n"); /* it keeps itself */
		phone_drop(&r.b);
		world_run(&r.w, 477000);
		assert_int_equal(r.s.told, 0);
		world_run(&r.w, 6000);
		want_news(&r, 1, "{\"event\":\"refresh\",\"user\":\"bob@any.test\",\"provider\":\"acme\",");
		want_news(&r, 1, "\"prid\":\"ab/c\",\"from\":\"\",\"call_id\":\"\"}");
		world_run(&r.w, 30000);
		assert_int_equal(r.s.told, 1);
		reg(&r.b, BOB_TCP, "Expires: 200\n");
		world_run(&r.w, 77000);
		assert_int_equal(r.s.told, 1);
		world_run(&r.w, 6000);
		assert_int_equal(r.s.told, 2);
		reg(&r.b, BOB_TCP, "Expires: 0\n"); /* "MUST NOT request that further push notifications are sent" */
		world_run(&r.w, 300000);
		assert_int_equal(r.s.told, 2);
		rig_close(&r);
	}
}

/* Another phone of the address registers meanwhile: that is no reason to be told again. */
static void told_once(void **state)
{
	struct rig r;

	rig_open(&r, 1, TD_UDP);
	reg(&r.b, BOB_UDP, "Expires: 300\n");
	world_run(&r.w, 190000);
	assert_int_equal(r.s.told, 1);
	for (int i = 0; i < 3; i++) {
		reg(&r.c, NULL, "");
		world_run(&r.w, 10000);
		assert_int_equal(r.s.told, 1);
	}
	reg(&r.b, BOB_UDP, "Expires: 300\n"); /* anew: there is another end to be told of */
	world_run(&r.w, 190000);
	assert_int_equal(r.s.told, 2);
	rig_close(&r);
}

/* A refresh under the same Call-ID stays where it is in memory, and is told of again. */
static void refreshed_in_place(void **state)
{
	struct rig r;
	struct leg l;

	rig_open(&r, 1, TD_UDP);
	r.b.contact = BOB_UDP;
	leg_new(&l, &r.b, "any.test", "sip:bob@any.test");
	snprintf(l.target, sizeof(l.target), "sip:any.test");
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(leg_do(&l, "REGISTER", "Expires: 180\n", NULL)->status, 200);
		world_run(&r.w, 57000);
		assert_int_equal(r.s.told, i);
		world_run(&r.w, 6000);
		assert_int_equal(r.s.told, i + 1);
	}
	rig_close(&r);
}

/* A service that does not answer is told of all of them, as it takes them. */
static void many_end_at_once(void **state)
{
	enum { PHONES = 400 };
	struct rig r;

	rig_open(&r, 2, TD_UDP);
	r.b.contact = BOB_UDP;
	for (unsigned i = 0; i < PHONES; i++) {
		char user[16], to[40];
		struct leg l;

		snprintf(user, sizeof(user), "u%u", i);
		snprintf(to, sizeof(to), "sip:%s@any.test", user);
		leg_new(&l, &r.b, "any.test", to);
		snprintf(l.target, sizeof(l.target), "sip:any.test");
		assert_int_equal(leg_do(&l, "REGISTER", "Expires: 300\n", NULL)->status, 200);
	}
	world_run(&r.w, 250000);
	assert_int_equal(r.s.told, PHONES);
	rig_close(&r);
}

/* Without a service nothing of this is said or done; nor in a domain without state, which cannot keep a request. */
static void not_configured(void **state)
{
	struct td_msg *m;
	struct rig r;

	rig_open_with(&r, 1, TD_UDP, NULL);
	m = reg(&r.b, "<sip:bob@10.0.1.2:40002;pn-provider=apns;pn-prid=1>", "Expires: 100\n");
	assert_int_equal(m->status, 200);
	assert_null(find(m, "Feature-Caps"));
	dial(&r, "INVITE");
	phone_refuse(&r.b, want_request(&r.b, "INVITE"), 486);
	want_status(&r.a, 486);
	rig_close(&r);
}

/* Nobody else learns by what a phone is woken (§13). */
/* Proves RFC 8599 §13-1. */
static void not_told_to_others(void **state)
{
	struct td_msg *m;
	struct leg l;
	struct rig r;

	rig_open(&r, 1, TD_UDP);
	r.b.contact = "<sip:bob@10.0.1.2:40002;x=y" PN ";PN-x=1;z>";
	phone_register(&r.b, "there.test");
	leg_new(&l, &r.a, "there.test", "sip:bob@there.test");
	leg_send(&l, "INVITE", NULL, SDP);
	m = want_status(&r.a, 302);
	assert_null(find(m, "pn-"));
	assert_non_null(find(m, "<sip:bob@10.0.1.2:40002;x=y;z>"));
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_phone_is_woken),
		cmocka_unit_test(a_phone_that_moved),
		cmocka_unit_test(messages_wait_too),
		cmocka_unit_test(awake),
		cmocka_unit_test(woken_and_busy),
		cmocka_unit_test(behind_a_proxy),
		cmocka_unit_test(woken_by_another),
		cmocka_unit_test(the_story_of_it),
		cmocka_unit_test(nobody_wakes_up),
		cmocka_unit_test(no_push),
		cmocka_unit_test(cancelled_while_it_sleeps),
		cmocka_unit_test(not_for_sips),
		cmocka_unit_test(others_ring_meanwhile),
		cmocka_unit_test(declined_everywhere),
		cmocka_unit_test(one_push_for_a_phone),
		cmocka_unit_test(in_two_addresses),
		cmocka_unit_test(in_turn),
		cmocka_unit_test(bounded),
		cmocka_unit_test(what_phones_are_told),
		cmocka_unit_test(kept_by_pushes),
		cmocka_unit_test(told_once),
		cmocka_unit_test(refreshed_in_place),
		cmocka_unit_test(many_end_at_once),
		cmocka_unit_test(not_configured),
		cmocka_unit_test(not_told_to_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
