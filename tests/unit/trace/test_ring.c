/* The ring: what is written is read back, what is old is forgotten, and what is too much is left out by whole calls. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>

#include "server/trace/trace.h"

struct rig {
	struct td_sim *sim;
	struct td_loop *loops[2], *reader;
	struct td_trace *rings[2];
	struct td_traces traces;
	struct td_trace_cursor cursors[2];
	/* what the last reading brought */
	struct td_trace_record got[8192];
	struct td_buf *kept[64];
	unsigned n, kept_n, answers;
	bool lost;
};

static void rig_open(struct rig *r, size_t memory)
{
	*r = (struct rig){ 0 };
	assert_int_equal(td_sim_open(&r->sim, 7), 0);
	assert_int_equal(td_sim_loop(&r->reader, r->sim), 0);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(td_sim_loop(&r->loops[i], r->sim), 0);
		assert_int_equal(td_trace_open(&r->rings[i], r->loops[i], memory), 0);
	}
	r->traces = (struct td_traces){ .n = 2, .rings = r->rings };
}

static void forget(struct rig *r)
{
	while (r->kept_n)
		td_buf_unref(r->kept[--r->kept_n]);
	r->n = 0;
}

static void rig_close(struct rig *r)
{
	forget(r);
	for (unsigned i = 0; i < 2; i++) {
		td_trace_close(r->rings[i]);
		td_loop_close(r->loops[i]);
	}
	td_loop_close(r->reader);
	td_sim_close(r->sim);
	free(r);
}

static void on_read(void *arg, const struct td_trace_piece *pieces, unsigned n, bool lost)
{
	struct rig *r = arg;

	r->answers++;
	r->lost = lost;
	for (unsigned i = 0; i < n; i++) {
		uint32_t at = pieces[i].from;

		assert_true(r->kept_n < TD_ARRAY_LEN(r->kept));
		r->kept[r->kept_n++] = td_buf_ref(pieces[i].buf);
		while (td_trace_next(&r->got[r->n], &pieces[i], &at)) {
			r->n++;
			assert_true(r->n < TD_ARRAY_LEN(r->got));
		}
	}
}

static void read_all(struct rig *r)
{
	unsigned before = r->answers;

	forget(r);
	assert_int_equal(td_traces_read(&r->traces, r->cursors, false, r->reader, on_read, r), 0);
	assert_int_equal(r->answers, before); /* never inside the call */
	td_sim_run(r->sim, 1);
	assert_int_equal(r->answers, before + 1);
}

static const struct td_flow flow = { .peer = { .ip = { 192, 0, 2, 7 }, .port = 5060, .family = TD_AF_V4 }, .proto = TD_UDP };

/* In a block of exactly its size, so that a sanitizer sees a byte read too far. */
static void put(struct td_trace *t, enum td_trace_kind way, size_t n, unsigned seed)
{
	char *p = malloc(n ? n : 1);

	for (size_t i = 0; i < n; i++)
		p[i] = (char)(seed + i * 7);
	td_trace_message(t, way, &flow, td_str_n(p, n));
	free(p);
}

static void want(const struct td_trace_record *r, enum td_trace_kind way, size_t n, unsigned seed)
{
	assert_int_equal(r->kind, way);
	assert_int_equal(r->whole_n, n);
	assert_int_equal(r->bytes.n, n < TD_TRACE_MESSAGE_MAX ? n : TD_TRACE_MESSAGE_MAX);
	for (size_t i = 0; i < r->bytes.n; i++)
		assert_int_equal((uint8_t)r->bytes.p[i], (uint8_t)(seed + i * 7));
	assert_true(td_addr_eq(&r->flow.peer, &flow.peer));
}

/* Every length, whatever steps the copy goes in. */
static void every_length_comes_back(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));

	rig_open(r, 2 << 20);
	for (size_t n = 0; n < 700; n++)
		put(r->rings[n & 1], n % 3 ? TD_TRACE_IN : TD_TRACE_OUT, n, (unsigned)n);
	read_all(r);
	assert_int_equal(r->n, 700);
	assert_false(r->lost);
	for (size_t n = 0; n < 700; n++) { /* the first worker's first */
		size_t len = n < 350 ? 2 * n : 2 * (n - 350) + 1;

		assert_int_equal(r->got[n].worker, n >= 350);
		want(&r->got[n], len % 3 ? TD_TRACE_IN : TD_TRACE_OUT, len, (unsigned)len);
	}
	rig_close(r);
}

static void long_messages_are_cut(void **state)
{
	static const size_t sizes[] = { TD_TRACE_MESSAGE_MAX - 1, TD_TRACE_MESSAGE_MAX, TD_TRACE_MESSAGE_MAX + 1, 65536 };
	struct rig *r = calloc(1, sizeof(*r));

	rig_open(r, 0);
	for (size_t i = 0; i < TD_ARRAY_LEN(sizes); i++)
		put(r->rings[0], TD_TRACE_IN, sizes[i], (unsigned)i);
	read_all(r);
	assert_int_equal(r->n, TD_ARRAY_LEN(sizes));
	for (size_t i = 0; i < TD_ARRAY_LEN(sizes); i++)
		want(&r->got[i], TD_TRACE_IN, sizes[i], (unsigned)i);
	rig_close(r);
}

static void notes_keep_all_they_say(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));
	char longest[1000];

	memset(longest, 'x', sizeof(longest));
	rig_open(r, 0);
	td_sim_run(r->sim, 1234);
	td_trace_note(r->rings[1], TD_STR("call@a"),
		      &(struct td_note){ .kind = TD_NOTE_DNS_FAILED,
					 .a = -17,
					 .b = INT64_MAX,
					 .peer = flow.peer,
					 .proto = TD_TLS,
					 .text = TD_STR("name.test"),
					 .more = TD_STR("SRV") });
	td_trace_note(r->rings[1], td_str_n(longest, sizeof(longest)),
		      &(struct td_note){ .kind = TD_NOTE_REFUSED, .text = td_str_n(longest, sizeof(longest)) });
	td_trace_note(NULL, TD_STR("x"), &(struct td_note){ .kind = TD_NOTE_REFUSED });
	read_all(r);
	assert_int_equal(r->n, 2);
	assert_int_equal(r->got[0].kind, TD_TRACE_NOTE);
	assert_int_equal(r->got[0].worker, 1);
	assert_int_equal(r->got[0].at_us / 1000, 1000 + 1234);
	assert_int_equal(r->got[0].wall_us / 1000, td_sim_wall_ms(r->sim) - 1);
	assert_true(td_str_eq(r->got[0].call_id, TD_STR("call@a")));
	assert_int_equal(r->got[0].note.kind, TD_NOTE_DNS_FAILED);
	assert_int_equal(r->got[0].note.a, -17);
	assert_true(r->got[0].note.b == INT64_MAX);
	assert_int_equal(r->got[0].note.proto, TD_TLS);
	assert_true(td_addr_eq(&r->got[0].note.peer, &flow.peer));
	assert_true(td_str_eq(r->got[0].note.text, TD_STR("name.test")));
	assert_true(td_str_eq(r->got[0].note.more, TD_STR("SRV")));
	assert_int_equal(r->got[1].call_id.n, TD_NOTE_TEXT_MAX);
	assert_int_equal(r->got[1].note.text.n, TD_NOTE_TEXT_MAX);
	rig_close(r);
}

/* A reader gets each record once, and is told when it was too slow; what it holds stays as it was. */
static void reading_goes_on_where_it_was(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));
	unsigned seen = 0;

	rig_open(r, 0);
	for (unsigned round = 0; round < 40; round++) {
		put(r->rings[0], TD_TRACE_IN, 500, round);
		put(r->rings[0], TD_TRACE_OUT, 600, round);
		read_all(r);
		assert_int_equal(r->n, 2);
		assert_false(r->lost);
		want(&r->got[0], TD_TRACE_IN, 500, round);
		want(&r->got[1], TD_TRACE_OUT, 600, round);
	}
	read_all(r);
	assert_int_equal(r->n, 0);
	put(r->rings[0], TD_TRACE_IN, 1000, 1);
	read_all(r);
	for (unsigned i = 0; i < 2000; i++) { /* several times all of it, while what was read is held */
		put(r->rings[0], TD_TRACE_IN, 1000, i);
		if (!(i & 255))
			want(&r->got[0], TD_TRACE_IN, 1000, 1);
	}
	read_all(r);
	assert_true(r->lost);
	assert_true(r->n > 100 && r->n < TD_TRACE_LEAST / 1000);
	for (; seen < r->n; seen++)
		want(&r->got[seen], TD_TRACE_IN, 1000, 2000 - r->n + seen);
	rig_close(r);
}

/* ---- more than can be kept ---- */

static void receive(struct td_trace *t, unsigned call)
{
	struct td_buf *b;
	struct td_msg *m;
	struct td_out o;

	td_out_init(&o);
	td_out_fmt(&o,
		   "OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK%u\r\nFrom: <sip:a@b>;tag=1\r\n"
		   "To: <sip:a@b>\r\nCall-ID: %08u-%u@host.example\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\n\r\n",
		   call, call, call * 7919);
	b = td_out_buf(&o);
	assert_int_equal(td_msg_parse(&m, b, 0, b->len), 0);
	td_trace_received(t, m, &flow);
	td_trace_message(t, TD_TRACE_OUT, &flow, m->bytes);
	td_trace_note(t, m->call_id, &(struct td_note){ .kind = TD_NOTE_CHALLENGED });
	td_trace_note(t, m->call_id, &(struct td_note){ .kind = TD_NOTE_REFUSED, .a = 404 });
	td_trace_handled(t);
	td_msg_unref(m);
	td_buf_unref(b);
}

static unsigned count(const struct rig *r, enum td_trace_kind kind, enum td_note_kind note)
{
	unsigned n = 0;

	for (unsigned i = 0; i < r->n; i++)
		n += r->got[i].kind == kind && (kind != TD_TRACE_NOTE || r->got[i].note.kind == note);
	return n;
}

static void x10_a_flood_is_thinned_by_whole_calls(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));
	uint64_t first_us;
	unsigned n;

	rig_open(r, 0);
	for (unsigned i = 0; i < 200; i++) /* few enough: all are kept */
		receive(r->rings[0], i);
	read_all(r);
	assert_int_equal(count(r, TD_TRACE_IN, 0), 200);
	for (unsigned i = 0; i < 60000; i++) { /* 2,000 a second, half a minute */
		receive(r->rings[0], i);
		if (!(i % 2))
			td_sim_run(r->sim, 1);
	}
	r->cursors[0] = (struct td_trace_cursor){ 0 };
	read_all(r);
	first_us = r->got[0].at_us;
	assert_true(r->got[r->n - 1].at_us - first_us > TD_TRACE_REACH_S * 1000000 / 8); /* without, it were 0.2 s */
	n = count(r, TD_TRACE_IN, 0);
	assert_int_equal(n, count(r, TD_TRACE_OUT, 0)); /* what is kept is whole */
	assert_true(count(r, TD_TRACE_NOTE, TD_NOTE_CHALLENGED) <= n);
	assert_true(count(r, TD_TRACE_NOTE, TD_NOTE_REFUSED) >= n); /* what went wrong is noted, of more of them */
	assert_true(count(r, TD_TRACE_NOTE, TD_NOTE_LEFT_OUT) > 0);
	td_sim_run(r->sim, 120000); /* then all are kept again, after a while */
	for (unsigned i = 0; i < 400; i++) {
		receive(r->rings[0], i);
		td_sim_run(r->sim, 1000);
	}
	read_all(r);
	for (unsigned i = 0; i < 50; i++)
		receive(r->rings[0], i);
	read_all(r);
	assert_int_equal(count(r, TD_TRACE_IN, 0), 50);
	rig_close(r);
}

/* T4: failed handshakes have no Call-ID, and there may be thousands in a second. */
static void t4_notes_without_a_call_are_few(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));

	rig_open(r, 0);
	for (unsigned i = 0; i < 3000; i++) {
		td_trace_note(r->rings[0], TD_STR_NULL, &(struct td_note){ .kind = TD_NOTE_TLS_FAILED, .peer = flow.peer });
		td_sim_run(r->sim, 1);
	}
	read_all(r);
	assert_in_range(count(r, TD_TRACE_NOTE, TD_NOTE_TLS_FAILED), 60, 80);
	rig_close(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_length_comes_back),         cmocka_unit_test(long_messages_are_cut),
		cmocka_unit_test(notes_keep_all_they_say),         cmocka_unit_test(reading_goes_on_where_it_was),
		cmocka_unit_test(t4_notes_without_a_call_are_few), cmocka_unit_test(x10_a_flood_is_thinned_by_whole_calls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
