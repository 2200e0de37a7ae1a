/*
 * A registrar lives through a story of REGISTERs. Every step takes three bytes: address and Call-ID, CSeq and what is sent, a
 * contact and its lifetime; one kind of step takes its header lines from the input as they are. After the story, what the memory
 * shows is what the disk would show after a restart (G8), and no address has more contacts than allowed (A11).
 */
#include "registrar_rig.h"

struct input {
	const uint8_t *p, *end;
};

static uint8_t take(struct input *in)
{
	return in->p < in->end ? *in->p++ : 0;
}

static void put_contact(struct td_out *o, uint8_t which)
{
	static const char *const contacts[] = {
		"<sip:a@10.0.1.1>",
		"<sip:A@10.0.1.1>",
		"sip:a@10.0.1.1",
		"<sip:a@10.0.1.1:5060>",
		"<sip:a@10.0.1.1;transport=tcp>",
		"<sip:a@h.test>;q=0.1",
		"\"x, y\" <sips:a@h.test;lr?x=y>;+p=\"q;r\"",
		"<sip:%61@10.0.1.1>;q=0",
		"<sip:[2001:db8::1]:5070>",
		"<sip:b@10.0.1.2>",
		"<sip:c@10.0.1.2>",
		"<sip:d@10.0.1.2>;reg-id=1;+sip.instance=\"<urn:1>\"",
		"<sip:e@10.0.1.2>;+sip.instance=\"<urn:1>\";reg-id=1",
		"<sip:f@10.0.1.2>;+sip.instance=\"<urn:1>\";reg-id=2",
		"<sip:a@127.0.0.1>",
		"<tel:+1>",
	};
	static const char *const lifetimes[] = {
		"", ";expires=0", ";expires=60", ";expires=7200", ";expires=59", ";expires=4294967296", ";expires=x"
	};

	td_out_z(o, "Contact: ");
	td_out_z(o, contacts[which & 15]);
	td_out_z(o, lifetimes[(which >> 4) % TD_ARRAY_LEN(lifetimes)]);
	td_out_z(o, "\r\n");
}

static void step(struct rig *r, struct input *in)
{
	static const struct td_str aors[] = { TD_STR_INIT("a@any.test"), TD_STR_INIT("b@any.test"),
					      TD_STR_INIT("%61@ANY.test:5060"), TD_STR_INIT("c@any.test") };
	static const struct td_str ids[] = { TD_STR_INIT("1"), TD_STR_INIT("2@h"), TD_STR_INIT("<3>"), TD_STR_INIT("4") };
	uint8_t who = take(in), what = take(in);
	struct td_out o;

	td_out_init(&o);
	switch (what & 7) {
	case 0: break;
	case 1: td_out_z(&o, "Contact: *\r\nExpires: 0\r\n"); break;
	case 2: td_sim_run(r->sim, 1000u << take(in) % 14); break;
	case 3: {
		const uint8_t *nul = memchr(in->p, 0, (size_t)(in->end - in->p));
		size_t n = (size_t)((nul ? nul : in->end) - in->p);

		td_out_str(&o, td_str_n((const char *)in->p, n));
		td_out_z(&o, "\r\n");
		in->p += n + (nul != NULL);
		break;
	}
	case 4:
		td_out_z(&o, "Expires: 90\r\n");
		/* fallthrough */
	case 5:
		put_contact(&o, take(in));
		/* fallthrough */
	default: put_contact(&o, take(in));
	}
	if (who & 0x40)
		td_out_fmt(&o, "Supported: path\r\nPath: <sip:p%u@10.0.1.1;lr>, <sip:q;lr>\r\n", what >> 7);
	r->contacts = 0;
	rig_request(r, aors[who & 3], ids[who >> 2 & 3], 1 + (what >> 3), td_out_view(&o), who < 250);
	if (who & 0x20) /* else the next comes while this one is being written */
		td_sim_run(r->sim, 2);
	MUST(r->contacts <= r->core.cfg->registrar.max_contacts);
	td_out_free(&o);
}

static void describe(void *arg, int err, const struct td_binding *b, unsigned n)
{
	struct td_out *o = arg;

	MUST(!err && n <= 10);
	for (unsigned i = 0; i < n; i++)
		td_out_fmt(o, "%.*s|%.*s|%.*s|%.*s|%d|%010u %020llu\n", TD_FMT(b[i].contact), TD_FMT(b[i].params),
			   TD_FMT(b[i].path), TD_FMT(b[i].call_id), b[i].q, b[i].cseq, (unsigned long long)b[i].expires_at_s);
}

/* Contacts come from the disk in another order, so lines are compared as a set. */
static void show(struct rig *r, struct td_str aor, struct td_out *o)
{
	struct td_loc_call *call;

	o->n = 0;
	MUST(!td_location_lookup(&call, r->core.location, 0, aor, describe, o));
	td_sim_run(r->sim, 0);
	td_sim_run(r->sim, 1);
}

/* From the disk come the same bindings; each lives as long at least, and its CSeq may be that of an earlier refresh. */
static void same_lines(struct td_str a, struct td_str b)
{
	enum { CSEQ = 10, NUMBERS = CSEQ + 1 + 20 };

	MUST(a.n == b.n);
	for (struct td_str rest = a, line; rest.n;) {
		line = td_str_split(&rest, '\n');
		const char *there = memmem(b.p, b.n, line.p, line.n - NUMBERS), *numbers = line.p + line.n - NUMBERS;
		MUST(there);
		there += line.n - NUMBERS;
		MUST(there + NUMBERS < b.p + b.n && there[NUMBERS] == '\n');
		MUST(memcmp(there, numbers, CSEQ) <= 0 && memcmp(there + CSEQ, numbers + CSEQ, NUMBERS - CSEQ) >= 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct td_str aors[] = { TD_STR_INIT("a@any.test"), TD_STR_INIT("b@any.test"), TD_STR_INIT("c@any.test") };
	struct input in = { data, data + size };
	struct td_out before[3], after;
	struct rig r;

	rig_open(&r);
	while (in.p < in.end)
		step(&r, &in);
	td_sim_run(r.sim, 10);
	for (size_t i = 0; i < 3; i++) {
		td_out_init(&before[i]);
		show(&r, aors[i], &before[i]);
	}
	td_location_detach(r.core.location, 0);
	td_location_close(r.core.location);
	rig_open_location(&r);
	td_out_init(&after);
	for (size_t i = 0; i < 3; i++) {
		show(&r, aors[i], &after);
		same_lines(td_out_view(&before[i]), td_out_view(&after));
		td_out_free(&before[i]);
	}
	td_out_free(&after);
	rig_close(&r);
	return 0;
}
