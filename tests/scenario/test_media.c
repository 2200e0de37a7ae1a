/*
 * Two ends of an audio stream on the simulated wire: what one plays is what the other records, through loss and reordering;
 * holds, keys, strangers, and where media is not sent.
 */
#include "support.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include <tandem/media.h>

#include "tone.h"

struct end {
	struct td_loop *loop;
	struct td_net *net;
	struct td_media *m;
	unsigned first, finished, keys_sent;
	char keys[64];
	size_t n_keys;
	bool close_on_key;
	char path[32];
};

struct lab {
	struct td_sim *sim;
	struct td_wire *wire;
	struct end a, b, c; /* 192.0.2.1, .2, and a stranger at .3 */
};

static int16_t tone[2][3 * TONE_RATE];

static void on_first(struct td_media *m, const struct td_addr *from, void *arg)
{
	((struct end *)arg)->first++;
}

static void on_finished(struct td_media *m, void *arg)
{
	((struct end *)arg)->finished++;
}

static void on_sent(struct td_media *m, void *arg)
{
	((struct end *)arg)->keys_sent++;
}

static void on_key(struct td_media *m, char key, void *arg)
{
	struct end *e = arg;

	assert_true(e->n_keys < sizeof(e->keys) - 1);
	e->keys[e->n_keys++] = key;
	if (e->close_on_key) {
		td_media_close(m);
		e->m = NULL;
	}
}

static const struct td_media_events events = { on_first, on_finished, on_key, on_sent };

static struct td_addr ip(const char *text)
{
	struct td_addr a;

	assert_int_equal(td_ip_parse(&a, td_str_of(text)), 0);
	return a;
}

static void end_open(struct lab *lab, struct end *e, const char *address, struct td_media_options opt)
{
	struct td_addr at = ip(address);

	assert_int_equal(td_sim_loop(&e->loop, lab->sim), 0);
	assert_int_equal(td_net_open_sim(&e->net, e->loop, lab->wire, &at), 0);
	opt.net = e->net;
	opt.local = at;
	opt.events = &events;
	opt.arg = e;
	assert_int_equal(td_media_open(&e->m, &opt), 0);
}

static void lab_open(struct lab *lab, struct td_wire_rules rules)
{
	*lab = (struct lab){ 0 };
	assert_int_equal(td_sim_open(&lab->sim, 42), 0);
	assert_int_equal(td_wire_open(&lab->wire, lab->sim), 0);
	td_wire_rules(lab->wire, &rules);
	end_open(lab, &lab->a, "192.0.2.1", (struct td_media_options){ .codec = TD_STR("") });
	end_open(lab, &lab->b, "192.0.2.2",
		 (struct td_media_options){ .codec = TD_STR("PCMA"), .port_min = 20001, .port_max = 20009 });
	end_open(lab, &lab->c, "192.0.2.3", (struct td_media_options){ .codec = TD_STR("") });
	tone_make(tone[0], TD_ARRAY_LEN(tone[0]), 440);
	tone_make(tone[1], TD_ARRAY_LEN(tone[1]), 1000);
}

static void end_close(struct end *e)
{
	td_media_close(e->m);
	td_net_close(e->net);
	td_loop_close(e->loop);
	if (e->path[0])
		unlink(e->path);
}

static void lab_close(struct lab *lab)
{
	end_close(&lab->a);
	end_close(&lab->b);
	end_close(&lab->c);
	td_wire_close(lab->wire);
	td_sim_close(lab->sim);
}

/* a offers, b answers. */
static int exchange(struct end *a, struct end *b)
{
	struct td_out offer, answer;
	int err;

	td_out_init(&offer);
	td_out_init(&answer);
	err = td_media_offer(a->m, &offer);
	err = err ? err : td_media_answer(b->m, td_out_view(&offer), &answer);
	err = err ? err : td_media_answered(a->m, td_out_view(&answer));
	td_out_free(&offer);
	td_out_free(&answer);
	return err;
}

static void play(struct end *e, int which, size_t samples)
{
	struct td_wav w = { .coding = TD_WAV_PCM16,
			    .rate_hz = TONE_RATE,
			    .samples = samples,
			    .data = td_str_n((const char *)tone[which], 2 * samples) };

	td_media_play(e->m, &w);
}

static void start_record(struct end *e)
{
	struct td_wav_writer *w;
	int fd;

	snprintf(e->path, sizeof(e->path), "media-test-XXXXXX");
	fd = mkstemp(e->path);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(td_wav_create(&w, e->path, TONE_RATE), 0);
	td_media_record(e->m, w);
}

/* Samples recorded; ends the recording. */
static size_t recorded(struct end *e, int16_t *out, size_t cap)
{
	struct td_wav w;
	size_t n;

	if (e->m)
		td_media_record(e->m, NULL);
	assert_int_equal(td_wav_load(&w, e->path, NULL), 0);
	n = td_wav_read(&w, out, 0, cap);
	td_wav_free(&w);
	return n;
}

static void both_ways(void **state)
{
	static int16_t pcm[10 * TONE_RATE];
	struct td_media_stats sa, sb;
	struct lab lab;
	size_t n;

	lab_open(&lab, (struct td_wire_rules){ .delay_us = 20000 });
	assert_int_equal(td_media_local(lab.a.m)->port % 2, 0);
	assert_in_range(td_media_local(lab.b.m)->port, 20002, 20008);
	play(&lab.a, 0, 3 * TONE_RATE);
	play(&lab.b, 1, 2 * TONE_RATE);
	start_record(&lab.a);
	start_record(&lab.b);
	assert_int_equal(exchange(&lab.a, &lab.b), 0);
	assert_str(td_media_codec(lab.a.m)->name, "PCMA");
	td_sim_run(lab.sim, 5000);
	td_media_stats(&sa, lab.a.m);
	td_media_stats(&sb, lab.b.m);
	assert_in_range(sa.sent, 249, 251);
	assert_in_range(sb.received, 248, 250);
	assert_true(!sa.lost && !sb.lost && !sb.dropped_bad && !sb.dropped_pt && !sb.dropped_source && !sa.skipped);
	assert_int_equal(sb.jitter_us, 0);
	assert_true(lab.a.first == 1 && lab.b.first == 1 && lab.a.finished == 1 && lab.b.finished == 1);
	n = recorded(&lab.b, pcm, TD_ARRAY_LEN(pcm));
	assert_in_range(n, 39600, 40320);
	assert_in_range(tone_blocks(pcm, n, 440), 73, 75);
	assert_int_equal(tone_blocks(pcm, n, 1000), 0);
	n = recorded(&lab.a, pcm, TD_ARRAY_LEN(pcm));
	assert_in_range(tone_blocks(pcm, n, 1000), 48, 50);
	lab_close(&lab);
}

/* Loss is silence of its own length, order does not matter: the last of the tone lies where it would without. */
static void through_loss_and_reordering(void **state)
{
	static int16_t pcm[10 * TONE_RATE];
	struct td_media_stats s;
	struct lab lab;
	size_t n, blocks;

	lab_open(&lab, (struct td_wire_rules){
			       .loss = 0.05, .duplicate = 0.02, .reorder = 0.1, .delay_us = 50000, .jitter_us = 20000 });
	play(&lab.a, 0, 3 * TONE_RATE);
	start_record(&lab.b);
	assert_int_equal(exchange(&lab.a, &lab.b), 0);
	td_sim_run(lab.sim, 4000);
	td_media_stats(&s, lab.b.m);
	assert_in_range(s.lost + (int64_t)s.received, 198, 201);
	assert_true(s.received > 180 && s.jitter_us > 2000);
	n = recorded(&lab.b, pcm, TD_ARRAY_LEN(pcm));
	blocks = tone_blocks(pcm, n, 440);
	assert_in_range(blocks, 50, 75);
	assert_int_equal(tone_blocks(pcm + 3 * TONE_RATE + 900, n - 3 * TONE_RATE - 900, 440), 0);
	assert_true(tone_blocks(pcm + 2 * TONE_RATE, TONE_RATE, 440) >= 15);
	lab_close(&lab);
}

static void m10_keys(void **state)
{
	struct lab lab;

	lab_open(&lab, (struct td_wire_rules){ .loss = 0.2, .duplicate = 0.1, .delay_us = 10000, .jitter_us = 30000 });
	assert_int_equal(td_media_dtmf(lab.a.m, TD_STR("1")), TD_EUNSUPPORTED);
	assert_int_equal(exchange(&lab.a, &lab.b), 0);
	assert_int_equal(td_media_dtmf(lab.a.m, TD_STR("12x")), TD_ESYNTAX);
	assert_int_equal(td_media_dtmf(lab.a.m, TD_STR("0123456789*#abcd0011")), 0);
	assert_int_equal(td_media_dtmf(lab.a.m, TD_STR("0123456789012345678901234567890123456789012345")), TD_ELIMIT);
	td_sim_run(lab.sim, 10000);
	assert_string_equal(lab.b.keys, "0123456789*#ABCD0011");
	assert_int_equal(lab.a.keys_sent, 1);
	lab_close(&lab);
}

static void hold_and_resume(void **state)
{
	struct td_media_stats before, after;
	struct lab lab;

	lab_open(&lab, (struct td_wire_rules){ .delay_us = 1000 });
	assert_int_equal(exchange(&lab.a, &lab.b), 0);
	td_sim_run(lab.sim, 1000);
	td_media_want(lab.a.m, TD_SDP_SENDONLY);
	assert_int_equal(exchange(&lab.a, &lab.b), 0);
	assert_int_equal(td_media_dir(lab.a.m), TD_SDP_SENDONLY);
	assert_int_equal(td_media_dir(lab.b.m), TD_SDP_RECVONLY);
	td_sim_run(lab.sim, 100);
	td_media_stats(&before, lab.b.m);
	td_sim_run(lab.sim, 1000);
	td_media_stats(&after, lab.b.m);
	assert_int_equal(after.sent, before.sent);
	assert_int_equal(after.received, before.received + 50);
	td_media_want(lab.a.m, TD_SDP_SENDRECV);
	assert_int_equal(exchange(&lab.a, &lab.b), 0);
	td_sim_run(lab.sim, 1000);
	td_media_stats(&before, lab.b.m);
	assert_in_range(before.sent, after.sent + 49, after.sent + 51);
	assert_int_equal(before.lost, 0);
	lab_close(&lab);
}

/* The hold of RFC 2543: zeros stop us; the same stream goes on afterwards. */
static void hold_by_zeros(void **state)
{
	static const char held[] =
		"v=0\r\no=- 1 2 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n";
	struct td_media_stats before, after;
	struct td_out answer;
	struct lab lab;

	lab_open(&lab, (struct td_wire_rules){ .delay_us = 1000 });
	assert_int_equal(exchange(&lab.a, &lab.b), 0);
	td_sim_run(lab.sim, 500);
	td_out_init(&answer);
	assert_int_equal(td_media_answer(lab.b.m, td_str_of(held), &answer), 0);
	td_out_free(&answer);
	td_media_stats(&before, lab.b.m);
	td_sim_run(lab.sim, 10000);
	td_media_stats(&after, lab.b.m);
	assert_int_equal(after.sent, before.sent);
	assert_int_equal(after.reports_sent, before.reports_sent);
	assert_int_equal(after.received, before.received + 500);
	lab_close(&lab);
}

/* A stranger's packets, and those of another port of the peer once it has one, change nothing. */
static void m1_strangers(void **state)
{
	static int16_t pcm[4 * TONE_RATE];
	struct td_rtp r = { .pt = 8, .ssrc = 666, .payload = TD_STR("\x55\x55\x55\x55") };
	struct td_media_stats s;
	struct td_udp *udp[2];
	struct lab lab;
	unsigned i, k;

	lab_open(&lab, (struct td_wire_rules){ .delay_us = 1000 });
	assert_int_equal(td_udp_open(&udp[0], lab.c.net, &(struct td_addr){ .family = TD_AF_V4 }, 0, NULL, NULL), 0);
	assert_int_equal(td_udp_open(&udp[1], lab.a.net, &(struct td_addr){ .family = TD_AF_V4 }, 0, NULL, NULL), 0);
	play(&lab.a, 0, 3 * TONE_RATE);
	start_record(&lab.b);
	for (i = 0; i < 150; i++) {
		for (k = 0; k < 2; k++) {
			struct td_out o;
			struct td_buf *buf;

			r.seq++;
			td_out_init(&o);
			td_rtp_print(&o, &r);
			buf = td_out_buf(&o);
			assert_non_null(buf);
			/* The stranger also tries before the call is up; the other port only once the stream runs. */
			if (!k || i > 60)
				assert_int_equal(td_udp_send(udp[k], td_media_local(lab.b.m), buf), 0);
			td_buf_unref(buf);
		}
		if (i == 50)
			assert_int_equal(exchange(&lab.a, &lab.b), 0);
		td_sim_run(lab.sim, 20);
	}
	td_media_stats(&s, lab.b.m);
	assert_int_equal(s.dropped_source, 150 + 89);
	assert_int_equal(s.source_changes, 0);
	assert_in_range(s.received, 98, 100);
	assert_true(tone_blocks(pcm, recorded(&lab.b, pcm, TD_ARRAY_LEN(pcm)), 440) >= 45);
	td_media_stats(&s, lab.b.m);
	assert_true(s.sent > 0);
	td_udp_close(udp[0]);
	td_udp_close(udp[1]);
	lab_close(&lab);
}

static void m9_targets(void **state)
{
	static const char *const refused[] = {
		"IN IP4 127.0.0.1", "IN IP4 169.254.169.254",  "IN IP4 224.1.1.1/3", "IN IP4 255.255.255.255",
		"IN IP6 ::1",       "IN IP6 ::ffff:127.0.0.1", "IN IP6 2001:db8::1", "IN IP4 host.example.com",
		"IN IP4 127.1",
	};
	struct lab lab;
	size_t i;

	lab_open(&lab, (struct td_wire_rules){ .delay_us = 1000 });
	for (i = 0; i < TD_ARRAY_LEN(refused); i++) {
		struct td_out answer;
		char offer[256];

		snprintf(offer, sizeof(offer),
			 "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=%s\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 8\r\n", refused[i]);
		td_out_init(&answer);
		if (td_media_answer(lab.a.m, td_str_of(offer), &answer) != TD_EUNSUPPORTED)
			fail_msg("%s", refused[i]);
		assert_int_equal(answer.n, 0);
		td_out_free(&answer);
	}
	assert_null(td_media_codec(lab.a.m));
	lab_close(&lab);
}

static void reports(void **state)
{
	struct td_media_stats a, b;
	struct lab lab;

	lab_open(&lab, (struct td_wire_rules){ .delay_us = 30000 });
	assert_int_equal(exchange(&lab.a, &lab.b), 0);
	td_sim_run(lab.sim, 30000);
	td_media_stats(&a, lab.a.m);
	td_media_stats(&b, lab.b.m);
	assert_in_range(a.reports_sent, 4, 15);
	assert_in_range(b.reports_received, a.reports_sent - 1, a.reports_sent);
	assert_in_range(a.round_trip_us, 58000, 62000);
	assert_int_equal(a.remote_lost, 0);
	td_media_close(lab.a.m);
	lab.a.m = NULL;
	td_sim_run(lab.sim, 100);
	td_media_stats(&b, lab.b.m);
	assert_true(b.remote_bye);
	lab_close(&lab);
}

static void closing_in_a_callback(void **state)
{
	struct lab lab;

	lab_open(&lab, (struct td_wire_rules){ .delay_us = 1000 });
	assert_int_equal(exchange(&lab.a, &lab.b), 0);
	lab.b.close_on_key = true;
	start_record(&lab.b);
	assert_int_equal(td_media_dtmf(lab.a.m, TD_STR("12")), 0);
	td_sim_run(lab.sim, 1000);
	assert_null(lab.b.m);
	assert_string_equal(lab.b.keys, "1");
	lab_close(&lab);
}

static void ports(void **state)
{
	struct td_media *m[4];
	struct lab lab;
	size_t i;

	lab_open(&lab, (struct td_wire_rules){ .delay_us = 1000 });
	for (i = 0; i < 4; i++) {
		struct td_media_options opt = {
			.net = lab.c.net, .local = ip("192.0.2.3"), .port_min = 30000, .port_max = 30005, .codec = TD_STR("")
		};
		int err = td_media_open(&m[i], &opt);

		assert_int_equal(err, i < 3 ? 0 : -EADDRINUSE);
	}
	for (i = 0; i < 3; i++)
		td_media_close(m[i]);
	lab_close(&lab);
}

static void unusable_options(void **state)
{
	struct td_media_options opt = { .codec = TD_STR("G729") };
	struct td_media *m;
	struct lab lab;

	lab_open(&lab, (struct td_wire_rules){ .delay_us = 1000 });
	opt.net = lab.a.net;
	opt.local = ip("192.0.2.1");
	assert_int_equal(td_media_open(&m, &opt), TD_EUNSUPPORTED);
	opt.codec = TD_STR("");
	opt.local = ip("0.0.0.0");
	assert_int_equal(td_media_open(&m, &opt), -EADDRNOTAVAIL);
	lab_close(&lab);
}

/* B5: an answer nobody asked for, one that breaks the rules, and the same one twice. */
static void b5_answers(void **state)
{
	struct td_out offer, answer;
	struct lab lab;

	lab_open(&lab, (struct td_wire_rules){ .delay_us = 1000 });
	td_out_init(&offer);
	td_out_init(&answer);
	assert_int_equal(td_media_answered(lab.a.m, TD_STR("v=0\r\n")), TD_EORDER);
	assert_int_equal(td_media_offer(lab.a.m, &offer), 0);
	assert_int_equal(td_media_answered(lab.a.m, TD_STR("v=0\r\n")), TD_ESYNTAX);
	assert_int_equal(td_media_answered(lab.a.m, TD_STR("nonsense")), TD_ESYNTAX);
	assert_int_equal(td_media_answer(lab.b.m, td_out_view(&offer), &answer), 0);
	assert_int_equal(td_media_answered(lab.a.m, td_out_view(&answer)), 0);
	assert_int_equal(td_media_answered(lab.a.m, td_out_view(&answer)), 0);
	td_sim_run(lab.sim, 100);
	assert_int_equal(lab.a.first, 1);
	td_out_free(&offer);
	td_out_free(&answer);
	lab_close(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_ways),
		cmocka_unit_test(through_loss_and_reordering),
		cmocka_unit_test(m10_keys),
		cmocka_unit_test(hold_and_resume),
		cmocka_unit_test(hold_by_zeros),
		cmocka_unit_test(m1_strangers),
		cmocka_unit_test(m9_targets),
		cmocka_unit_test(reports),
		cmocka_unit_test(closing_in_a_callback),
		cmocka_unit_test(ports),
		cmocka_unit_test(unusable_options),
		cmocka_unit_test(b5_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
