/* Two sessions on one real loop over 127.0.0.1, and what a loop that stood still does to the stream. */
#include "support.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include <tandem/media.h>

#include "tone.h"

enum { STALL_MS = 300 };

struct lab {
	struct td_loop *loop;
	struct td_net *net;
	struct td_media *a, *b;
	struct td_timer timer;
	unsigned finished;
	char key;
};

static int16_t tone[TONE_RATE];

static void on_finished(struct td_media *m, void *arg)
{
	struct lab *lab = arg;

	lab->finished++;
	if (td_media_dtmf(m, TD_STR("7")))
		td_loop_stop(lab->loop);
}

static void on_key(struct td_media *m, char key, void *arg)
{
	struct lab *lab = arg;

	lab->key = key;
	td_loop_stop(lab->loop);
}

static void give_up(struct td_timer *tm, void *arg)
{
	td_loop_stop(((struct lab *)arg)->loop);
}

/* Stands still, as a machine that swaps does. */
static void stall(struct td_timer *tm, void *arg)
{
	struct lab *lab = arg;
	struct timespec t = { .tv_nsec = STALL_MS * 1000000L };

	while (nanosleep(&t, &t))
		;
	td_timer_init(&lab->timer, give_up, lab);
	td_timer_start(lab->loop, &lab->timer, 30000);
}

static void media_open(struct lab *lab, struct td_media **m, const struct td_media_events *ev, const char *address)
{
	struct td_media_options opt = { .net = lab->net, .events = ev, .arg = lab, .codec = TD_STR("") };

	assert_int_equal(td_ip_parse(&opt.local, td_str_of(address)), 0);
	assert_int_equal(td_media_open(m, &opt), 0);
}

static void exchange(struct lab *lab)
{
	struct td_out offer, answer;

	td_out_init(&offer);
	td_out_init(&answer);
	assert_int_equal(td_media_offer(lab->a, &offer), 0);
	assert_int_equal(td_media_answer(lab->b, td_out_view(&offer), &answer), 0);
	assert_int_equal(td_media_answered(lab->a, td_out_view(&answer)), 0);
	td_out_free(&offer);
	td_out_free(&answer);
}

static void run(const char *address, bool stalls)
{
	static const struct td_media_events a_events = { .play_finished = on_finished }, b_events = { .dtmf = on_key };
	struct td_wav w = { .coding = TD_WAV_PCM16,
			    .rate_hz = TONE_RATE,
			    .samples = TD_ARRAY_LEN(tone) / 2,
			    .data = td_str_n((const char *)tone, sizeof(tone) / 2) },
		      got;
	static int16_t pcm[40 * TONE_RATE];
	char path[] = "loopback-test-XXXXXX";
	struct td_media_stats sa, sb;
	struct td_wav_writer *writer;
	struct lab lab = { 0 };

	tone_make(tone, TD_ARRAY_LEN(tone), 440);
	close(mkstemp(path));
	assert_int_equal(td_wav_create(&writer, path, TONE_RATE), 0);
	assert_int_equal(td_loop_open(&lab.loop), 0);
	assert_int_equal(td_net_open(&lab.net, lab.loop), 0);
	media_open(&lab, &lab.a, &a_events, address);
	media_open(&lab, &lab.b, &b_events, address);
	exchange(&lab);
	td_media_play(lab.a, &w);
	td_media_record(lab.b, writer);
	td_timer_init(&lab.timer, stalls ? stall : give_up, &lab);
	td_timer_start(lab.loop, &lab.timer, stalls ? 100 : 30000);
	assert_int_equal(td_loop_run(lab.loop), 0);
	td_timer_stop(lab.loop, &lab.timer);
	assert_int_equal(lab.finished, 1);
	assert_int_equal(lab.key, '7');
	td_media_stats(&sa, lab.a);
	td_media_stats(&sb, lab.b);
	assert_true(sb.received >= 25 && sa.sent >= sb.received);
	assert_int_equal(sb.dropped_bad + sb.dropped_pt + sb.dropped_source, 0);
	if (stalls) /* at least that much was left out; timestamps say so, nothing counts as lost */
		assert_true(sa.skipped >= STALL_MS / 20 - 6 && !sb.lost);
	td_media_close(lab.a);
	td_media_close(lab.b);
	assert_int_equal(td_wav_load(&got, path, NULL), 0);
	assert_true(tone_blocks(pcm, td_wav_read(&got, pcm, 0, TD_ARRAY_LEN(pcm)), 440) >= 8);
	td_wav_free(&got);
	unlink(path);
	td_net_close(lab.net);
	td_loop_close(lab.loop);
}

static void over_ipv4(void **state)
{
	run("127.0.0.1", false);
}

static void over_ipv6(void **state)
{
	run("::1", false);
}

static void after_a_stall(void **state)
{
	run("127.0.0.1", true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(over_ipv4),
		cmocka_unit_test(over_ipv6),
		cmocka_unit_test(after_a_stall),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
