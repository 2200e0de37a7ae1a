/* Descriptions and a session of audio with every allocation failing in turn. */
#include "failing.h"

#include <stdio.h>
#include <unistd.h>

#include <tandem/media.h>

static int described(void *text)
{
	struct td_sdp_codec codecs[TD_SDP_MAX_AGREED];
	struct td_sdp_local l = { .addr = TD_STR("192.0.2.1"),
				  .family = 4,
				  .port = 4000,
				  .dir = TD_SDP_SENDRECV,
				  .ptime_ms = 20,
				  .rtcp_port = 5000,
				  .codecs = codecs,
				  .n_codecs = td_codec_list(codecs, TD_STR("")) };
	struct td_sdp *theirs, *answer, *offer;
	struct td_sdp_stream s;
	struct td_arena a;
	struct td_out o;
	int err;

	td_arena_init(&a);
	td_out_init(&o);
	err = td_sdp_parse(&theirs, &a, td_str_of(text));
	err = err ? err : td_sdp_answer(&answer, &s, &a, &l, theirs, NULL);
	l.dir = TD_SDP_SENDONLY;
	err = err ? err : td_sdp_offer(&offer, &a, &l, answer);
	if (!err) {
		td_sdp_print(&o, offer);
		err = o.failed ? -ENOMEM : 0;
	}
	td_out_free(&o);
	td_arena_reset(&a);
	return err;
}

static void sdp(void **state)
{
	static char text[] = "v=0\r\no=- 1 1 IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\n"
			     "m=video 5000 RTP/AVP 31\r\nc=IN IP4 192.0.2.3\r\nm=audio 5002 RTP/AVP 0 8 96\r\na=rtpmap:96 "
			     "telephone-event/8000\r\n";

	assert_true(oom_each(described, text) > 3);
}

struct world {
	struct td_sim *sim;
	struct td_wire *wire;
	struct td_loop *loop;
	struct td_net *net;
	char path[32];
};

static int talk(struct world *w, struct td_media *a, struct td_media *b)
{
	struct td_wav_writer *rec;
	struct td_out offer, answer;
	int err;

	td_out_init(&offer);
	td_out_init(&answer);
	err = td_media_offer(a, &offer);
	err = err ? err : td_media_answer(b, td_out_view(&offer), &answer);
	err = err ? err : td_media_answered(a, td_out_view(&answer));
	err = err ? err : td_wav_create(&rec, w->path, 8000);
	if (!err) {
		td_media_record(b, rec);
		err = td_media_dtmf(a, TD_STR("1"));
		td_sim_run(w->sim, 300);
	}
	td_out_free(&offer);
	td_out_free(&answer);
	return err;
}

static int session(void *arg)
{
	struct td_media_options opt = { .codec = TD_STR("") };
	struct td_media *a = NULL, *b = NULL;
	struct world *w = arg;
	int err;

	opt.net = w->net;
	opt.local = (struct td_addr){ .family = TD_AF_V4, .ip = { 192, 0, 2, 1 } };
	err = td_media_open(&a, &opt);
	err = err ? err : td_media_open(&b, &opt);
	err = err ? err : talk(w, a, b);
	td_media_close(a);
	td_media_close(b);
	td_sim_run(w->sim, 100);
	return err;
}

static void media(void **state)
{
	struct td_addr ip = { .family = TD_AF_V4, .ip = { 192, 0, 2, 1 } };
	struct world w = { .path = "oom-media-XXXXXX" };

	close(mkstemp(w.path));
	assert_int_equal(td_sim_open(&w.sim, 1), 0);
	assert_int_equal(td_wire_open(&w.wire, w.sim), 0);
	assert_int_equal(td_sim_loop(&w.loop, w.sim), 0);
	assert_int_equal(td_net_open_sim(&w.net, w.loop, w.wire, &ip), 0);
	assert_true(oom_each(session, &w) > 20);
	td_net_close(w.net);
	td_loop_close(w.loop);
	td_wire_close(w.wire);
	td_sim_close(w.sim);
	unlink(w.path);
}

static int loaded(void *path)
{
	struct td_wav w;
	int err = td_wav_load(&w, path, NULL);

	if (!err)
		td_wav_free(&w);
	return err;
}

static void wav(void **state)
{
	struct td_wav_writer *w;
	char path[] = "oom-wav-XXXXXX";

	close(mkstemp(path));
	assert_int_equal(td_wav_create(&w, path, 8000), 0);
	assert_int_equal(td_wav_close(w), 0);
	assert_true(oom_each(loaded, path) > 0);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(sdp), cmocka_unit_test(media), cmocka_unit_test(wav) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
