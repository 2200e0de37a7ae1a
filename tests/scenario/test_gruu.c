/* Addresses of one phone among those of its user (RFC 5627). */
#include "harness.h"

#define ONE ";+sip.instance=\"<urn:uuid:00000000-0000-1000-8000-000000000001>\""
#define TWO ";+sip.instance=\"<urn:uuid:00000000-0000-1000-8000-000000000002>\""
#define GRUU "Supported: gruu\n"

struct rig {
	struct world w;
	struct phone a, b[2];
	struct leg l;
};

static void rig_open(struct rig *r, unsigned workers)
{
	memset(r, 0, sizeof(*r));
	world_open(&r->w, 6, workers, NULL);
	world_user(&r->w, "bob", "secret");
	phone_open(&r->a, &r->w, "alice", "10.0.1.1", 5060, TD_UDP);
	phone_open(&r->b[0], &r->w, "bob", "10.0.1.2", 5060, TD_UDP);
	phone_open(&r->b[1], &r->w, "bob", "10.0.1.3", 5060, TD_UDP);
}

static void rig_close(struct rig *r)
{
	phone_close(&r->a);
	phone_close(&r->b[0]);
	phone_close(&r->b[1]);
	world_close(&r->w);
}

/* call_id NULL: a new one */
static struct td_msg *reg(struct phone *p, const char *domain, const char *call_id, const char *contact, const char *lines)
{
	struct leg l;
	char to[64];

	p->contact = contact;
	snprintf(to, sizeof(to), "sip:bob@%s", domain);
	leg_new(&l, p, domain, to);
	snprintf(l.target, sizeof(l.target), "sip:%s", domain);
	if (call_id)
		snprintf(l.call_id, sizeof(l.call_id), "%s", call_id);
	l.cseq = ++p->w->serial;
	return leg_do(&l, "REGISTER", lines, NULL);
}

/* The address in the n-th Contact of an answer; in memory of its own. */
static char *gruu(const struct td_msg *m, const char *kind, unsigned nth)
{
	struct td_values it;
	struct td_contact c;
	struct td_param p;
	struct td_str v;
	char *text;

	assert_int_equal(m->status, 200);
	for (td_values_of(&it, m, TD_HDR_CONTACT); td_values_next(&v, &it) == 1; nth--) {
		if (nth)
			continue;
		assert_int_equal(td_contact_parse(&c, v), 0);
		if (!td_param_find(&p, c.addr.params, td_str_of(kind)))
			return NULL;
		assert_true(p.value.n > 2);
		text = calloc(1, p.value.n);
		assert_non_null(text);
		return memcpy(text, p.value.p + 1, p.value.n - 2);
	}
	fail();
	return NULL;
}

static unsigned ask(struct rig *r, const char *uri)
{
	struct td_msg *m;

	leg_new(&r->l, &r->a, "any.test", uri);
	leg_send(&r->l, "OPTIONS", NULL, NULL);
	m = maybe_status(&r->a, 0, 2000);
	return m ? m->status : 0;
}

static void reaches(struct rig *r, const char *uri, struct phone *p, struct phone *other)
{
	struct td_msg *m;

	leg_new(&r->l, &r->a, "any.test", uri);
	leg_send(&r->l, "OPTIONS", NULL, NULL);
	m = want_request(p, "OPTIONS");
	assert_null(memmem(m->uri.p, m->uri.n, ";gr", 3)); /* "not carried forward into the rewritten Request-URI" (§6.1) */
	phone_answer(p, m, 200, "", NULL);
	want_status(&r->a, 200);
	want_silence(other, 100);
}

/* Proves RFC 5627 §5.1-3, §5.1-4, §5.3-1, §5.4-1, §6.1-1, §6.1-2, §6.1-3. */
static void each_reaches_its_phone(void **state)
{
	static const char *const domains[] = { "any.test", "example.test", "quick.test" };

	for (unsigned i = 0; i < 6; i++) {
		const char *domain = domains[i % 3];
		char *pub[2], *temp[2], *later, want[128];
		struct td_msg *m;
		struct rig r;

		rig_open(&r, 1 + i / 3 * 2);
		m = reg(&r.b[0], domain, "c1", "<sip:bob@10.0.1.2>" ONE, GRUU);
		pub[0] = gruu(m, "pub-gruu", 0);
		temp[0] = gruu(m, "temp-gruu", 0);
		snprintf(want, sizeof(want), "sip:bob@%s;gr=urn:uuid:00000000-0000-1000-8000-000000000001", domain);
		assert_string_equal(pub[0], want);
		assert_null(strstr(temp[0], "bob"));
		m = reg(&r.b[1], domain, "c2", "<sip:bob@10.0.1.3>" TWO, GRUU);
		pub[1] = gruu(m, "pub-gruu", 1);
		temp[1] = gruu(m, "temp-gruu", 1);
		for (unsigned k = 0; k < 2; k++) {
			reaches(&r, pub[k], &r.b[k], &r.b[!k]);
			reaches(&r, temp[k], &r.b[k], &r.b[!k]);
		}
		/* a refresh: the same public one, another temporary one, and both of these are good */
		m = reg(&r.b[0], domain, "c1", "<sip:bob@10.0.1.2>" ONE, GRUU);
		later = gruu(m, "temp-gruu", 0);
		assert_string_not_equal(later, temp[0]);
		assert_int_equal(strlen(later), strlen(temp[0]));
		reaches(&r, later, &r.b[0], &r.b[1]);
		reaches(&r, temp[0], &r.b[0], &r.b[1]);
		free(later);
		/* another Call-ID: the old temporary ones are nobody's any more (§5.1); so they are when the phone has gone (§5.3) */
		m = reg(&r.b[0], domain, "c3", "<sip:bob@10.0.1.2>" ONE, GRUU);
		later = gruu(m, "temp-gruu", 0);
		assert_int_equal(ask(&r, temp[0]), 404);
		reaches(&r, later, &r.b[0], &r.b[1]);
		reaches(&r, pub[0], &r.b[0], &r.b[1]);
		reg(&r.b[0], domain, "c3", "<sip:bob@10.0.1.2>" ONE ";expires=0", GRUU);
		assert_int_equal(ask(&r, later), 404);
		assert_int_equal(ask(&r, pub[0]), 480); /* valid as long as its user is */
		reaches(&r, pub[1], &r.b[1], &r.b[0]);
		free(later);
		for (unsigned k = 0; k < 2; k++) {
			free(pub[k]);
			free(temp[k]);
		}
		rig_close(&r);
	}
}

/* Proves RFC 5627 §5.1-2, §5.2-1. */
static void who_is_told(void **state)
{
	struct td_msg *m;
	struct rig r;
	char *pub;

	rig_open(&r, 1);
	m = reg(&r.b[0], "any.test", NULL, "<sip:bob@10.0.1.2>" ONE, "");
	assert_null(gruu(m, "pub-gruu", 0)); /* it did not say that it knows them */
	m = reg(&r.b[1], "any.test", NULL, "<sip:bob@10.0.1.3>", GRUU);
	pub = gruu(m, "pub-gruu", 0);
	assert_non_null(pub);
	free(pub);
	assert_null(gruu(m, "pub-gruu", 1)); /* no instance */
	m = reg(&r.b[0], "any.test", NULL, "<sip:bob@10.0.1.2>;pub-gruu=\"sip:x@y;gr=1\";temp-gruu=\"sip:z@y;gr\"" ONE, GRUU);
	assert_null(find(m, "sip:x@y")); /* "A UA cannot suggest" one */
	assert_null(find(m, "sip:z@y"));
	assert_int_equal(header_count(m, TD_HDR_REQUIRE), 0);
	assert_int_equal(reg(&r.b[0], "any.test", NULL, "<sip:bob@10.0.1.2>" ONE, "Require: gruu\n")->status, 200);
	/* any text may be an instance */
	m = reg(&r.b[0], "any.test", NULL, "<sip:b@10.0.1.2>;+sip.instance=\"<a;b=\\\"c\\\">d> \"", GRUU);
	pub = gruu(m, "pub-gruu", 2);
	reaches(&r, pub, &r.b[0], &r.b[1]);
	free(pub);
	rig_close(&r);
}

/* A10: an address of a phone is made by us alone, for one domain, and is no contact. */
/* Proves RFC 5627 §5.1-1, §5.1-4, §6.1-1. */
static void a10_made_up(void **state)
{
	char *temp, text[400];
	struct td_msg *m;
	struct rig r;

	rig_open(&r, 1);
	m = reg(&r.b[0], "any.test", NULL, "<sip:bob@10.0.1.2>" ONE, GRUU);
	temp = gruu(m, "temp-gruu", 0);
	assert_int_equal(ask(&r, "sip:bob@any.test;gr=urn:uuid:00000000-0000-1000-8000-000000000009"), 480);
	assert_int_equal(ask(&r, "sip:bob@any.test;gr=%00"), 404);
	assert_int_equal(ask(&r, "sip:bob@any.test;gr"), 404);
	assert_int_equal(ask(&r, "sip:any.test;gr"), 200); /* for the server itself */
	snprintf(text, sizeof(text), "sip:%.*s@example.test;gr", (int)strcspn(temp + 4, "@"), temp + 4);
	assert_int_equal(ask(&r, text), 404);
	snprintf(text, sizeof(text), "%s", temp);
	text[30] = text[30] == 'x' ? 'y' : 'x';
	assert_int_equal(ask(&r, text), 404);
	snprintf(text, sizeof(text), "<%s>", temp);
	assert_int_equal(reg(&r.b[1], "any.test", NULL, text, "")->status, 403);
	assert_int_equal(reg(&r.b[1], "any.test", NULL, "<sip:bob@any.test;gr=x>", "")->status, 403);
	free(temp);
	rig_close(&r);
}

/* A call to an address of a phone, which its phone shows as Contact: requests inside it find the phone (§6.1). */
/* Proves RFC 5627 §6.1-4, §6.2-1. */
static void in_a_call(void **state)
{
	char contact[400], *temp;
	struct leg callee;
	struct td_msg *m;
	struct rig r;

	rig_open(&r, 3);
	m = reg(&r.b[0], "any.test", NULL, "<sip:bob@10.0.1.2>" ONE, GRUU);
	reg(&r.b[1], "any.test", NULL, "<sip:bob@10.0.1.3>" TWO, GRUU);
	temp = gruu(m, "temp-gruu", 0);
	snprintf(contact, sizeof(contact), "<%s>", temp);
	r.b[0].contact = contact;
	leg_new(&r.l, &r.a, "any.test", temp);
	call_up(&r.l, &callee, &r.b[0]);
	assert_string_equal(r.l.target, temp);
	leg_hang_up(&r.l, &r.b[0]);
	want_silence(&r.b[1], 100);
	free(temp);
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_reaches_its_phone),
		cmocka_unit_test(who_is_told),
		cmocka_unit_test(a10_made_up),
		cmocka_unit_test(in_a_call),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
