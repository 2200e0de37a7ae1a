/* Sound for `call` and `answer`: the options, the media session behind the call's descriptions, and the events both print. */
#include "cli/voice.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { RATE_HZ = 8000, TONE_SECONDS = 600 };

/* ---- descriptions come from the media session ---- */

static int offer(void *arg, struct td_out *sdp)
{
	return td_media_offer(((struct voice *)arg)->media, sdp);
}

static int answer(void *arg, struct td_str theirs, struct td_out *sdp)
{
	return td_media_answer(((struct voice *)arg)->media, theirs, sdp);
}

static int answered(void *arg, struct td_str theirs)
{
	return td_media_answered(((struct voice *)arg)->media, theirs);
}

const struct td_session voice_session = { offer, answer, answered };

/* ---- the call's events ---- */

static void on_progress(struct td_call *c, unsigned status, struct td_str reason, void *arg)
{
	struct voice *v = arg;

	(void)c;
	phone_event(&v->phone, status == 180 ? "ringing" : "progress",
		    json_pack("{s:i,s:o}", "status", status, "reason", cli_text(reason)));
	if (!v->phone.json) {
		printf("%u ", status);
		cli_show(reason);
		putchar('\n');
	}
	fflush(stdout);
}

static void on_up(struct td_call *c, void *arg)
{
	struct voice *v = arg;
	const struct td_codec *codec = td_media_codec(v->media);
	struct td_str name = codec ? codec->name : TD_STR("none"), keys = td_str_of(v->dtmf);
	struct td_str peer = td_call_peer(c);

	v->up_ms = td_loop_now_ms(v->phone.loop);
	phone_event(&v->phone, "answered", json_pack("{s:o,s:o}", "peer", cli_text(peer), "codec", cli_text(name)));
	if (!v->phone.json) {
		fputs("in a call with ", stdout);
		cli_show(peer);
		printf(" (%.*s)\n", TD_FMT(name));
	}
	fflush(stdout);
	if (keys.n && td_media_dtmf(v->media, keys))
		cli_fail(v->phone.cmd, CLI_FAULT, "the other side takes no keys");
	if (v->duration_s)
		td_timer_start(v->phone.loop, &v->duration, (uint64_t)v->duration_s * 1000);
}

static json_t *stats_json(const struct td_media_stats *st, double seconds, bool by_peer)
{
	return json_pack("{s:s,s:f,s:I,s:I,s:I,s:f}", "by", by_peer ? "peer" : "us", "seconds", seconds, "sent",
			 (json_int_t)st->sent, "received", (json_int_t)st->received, "lost", (json_int_t)st->lost, "jitter_ms",
			 st->jitter_us / 1000.0);
}

static void on_ended(struct td_call *c, const struct td_call_end *end, void *arg)
{
	struct voice *v = arg;
	struct phone *ph = &v->phone;
	struct td_media_stats st = { 0 };
	double seconds = v->up_ms ? (double)(td_loop_now_ms(ph->loop) - v->up_ms) / 1000 : 0;
	int status = CLI_OK;

	td_timer_stop(ph->loop, &v->duration);
	if (v->media)
		td_media_stats(&st, v->media);
	if (v->up_ms) {
		phone_event(ph, "ended", stats_json(&st, seconds, end->by_peer));
		if (!ph->json)
			printf("ended by %s after %.1f s: %llu packets sent, %llu received, %lld lost\n",
			       end->by_peer ? "the other side" : "us", seconds, (unsigned long long)st.sent,
			       (unsigned long long)st.received, (long long)st.lost);
	} else if (!end->status && !end->err) {
		phone_event(ph, "cancelled", NULL);
		status = CLI_NO_ANSWER;
	} else {
		status = phone_outcome(ph, "answered", end->err, end->status, end->reason);
	}
	td_call_close(c);
	v->call = NULL;
	voice_close(v);
	v->over(v, status);
}

const struct td_call_events voice_events = { on_progress, on_up, on_ended };

/* ---- the media's events ---- */

static void on_dtmf(struct td_media *m, char key, void *arg)
{
	struct voice *v = arg;

	(void)m;
	phone_event(&v->phone, "dtmf", json_pack("{s:o}", "key", cli_text(td_str_n(&key, (size_t)1))));
	if (!v->phone.json)
		printf("key %c\n", key);
	fflush(stdout);
}

/* A file that was played to its end is what the call was for, unless it is to last. */
static void on_played(struct td_media *m, void *arg)
{
	struct voice *v = arg;

	(void)m;
	phone_event(&v->phone, "played", NULL);
	if (!v->duration_s && v->call)
		td_call_hangup(v->call);
}

static const struct td_media_events media_events = { .dtmf = on_dtmf, .play_finished = on_played };

static void on_duration(struct td_timer *tm, void *arg)
{
	struct voice *v = arg;

	(void)tm;
	if (v->call)
		td_call_hangup(v->call);
}

/* ---- what is played and recorded ---- */

int voice_check(struct voice *v)
{
	const struct cli_command *cmd = v->phone.cmd;
	struct td_sdp_codec list[TD_SDP_MAX_AGREED];
	const char *why = "";
	struct td_wav wav;
	uint8_t event;
	size_t i;
	int fd;

	if (v->srtp && !td_str_eq(td_str_of(v->srtp), TD_STR("off")))
		return cli_fail(cmd, CLI_USAGE, "--srtp %s: only off is there so far", v->srtp);
	if (v->codec && !td_codec_list(list, td_str_of(v->codec)))
		return cli_fail(cmd, CLI_USAGE, "--codec %s is not known (want PCMU or PCMA)", v->codec);
	if (v->tone_hz > RATE_HZ / 2)
		return cli_fail(cmd, CLI_USAGE, "--tone %u is too high (at most %u)", v->tone_hz, RATE_HZ / 2);
	if (v->play && v->tone_hz)
		return cli_fail(cmd, CLI_USAGE, "--play or --tone, not both");
	for (i = 0; v->dtmf && v->dtmf[i]; i++)
		if (td_dtmf_event(&event, v->dtmf[i]))
			return cli_fail(cmd, CLI_USAGE, "--dtmf %s: '%c' is no key (want 0-9, *, #, A-D)", v->dtmf, v->dtmf[i]);
	if (v->play) {
		if (td_wav_load(&wav, v->play, &why))
			return cli_fail(cmd, CLI_USAGE, "--play %s: %s", v->play, why);
		td_wav_free(&wav);
	}
	if (v->record) {
		fd = open(v->record, O_WRONLY | O_CREAT | O_CLOEXEC, 0666); /* better said now than when somebody calls */
		if (fd < 0)
			return cli_fail(cmd, CLI_USAGE, "--record %s: %s", v->record, td_strerror(-errno));
		close(fd);
	}
	return 0;
}

static int make_tone(struct td_wav *out, uint32_t hz)
{
	size_t n = (size_t)RATE_HZ * TONE_SECONDS, i;
	struct td_buf *b = td_buf_new(n * 2);
	int16_t pcm;

	if (!b)
		return -ENOMEM;
	for (i = 0; i < n; i++) {
		pcm = (int16_t)lrint(8000 * sin(2 * 3.14159265358979323846 * hz * (double)i / RATE_HZ));
		b->data[2 * i] = (char)(pcm & 0xff);
		b->data[2 * i + 1] = (char)(pcm >> 8 & 0xff);
	}
	b->len = (uint32_t)(n * 2);
	*out = (struct td_wav){ .file = b, .coding = TD_WAV_PCM16, .rate_hz = RATE_HZ, .data = td_buf_str(b), .samples = n };
	return 0;
}

static int attach_files(struct voice *v)
{
	const struct cli_command *cmd = v->phone.cmd;
	struct td_wav_writer *w = NULL;
	const char *why = "";
	struct td_wav wav;
	int err = 0;

	if (v->play || v->tone_hz) {
		err = v->play ? td_wav_load(&wav, v->play, &why) : make_tone(&wav, v->tone_hz);
		if (err)
			return cli_fail(cmd, CLI_FAULT, "%s: %s", v->play ? v->play : "--tone", why[0] ? why : td_strerror(err));
		td_media_play(v->media, &wav);
	}
	if (v->record) {
		err = td_wav_create(&w, v->record, RATE_HZ);
		if (err)
			return cli_fail(cmd, CLI_FAULT, "--record %s: %s", v->record, td_strerror(err));
		td_media_record(v->media, w);
	}
	return 0;
}

int voice_open(struct voice *v)
{
	struct td_media_options opt = { .net = v->phone.net,
					.log = v->phone.log,
					.local = *td_ua_local(v->phone.ua),
					.codec = td_str_of(v->codec),
					.events = &media_events,
					.arg = v };
	int err = td_media_open(&v->media, &opt), status;

	if (err)
		return cli_fail(v->phone.cmd, CLI_FAULT, "no sound: %s", td_strerror(err));
	td_timer_init(&v->duration, on_duration, v);
	v->up_ms = 0;
	status = attach_files(v);
	if (status)
		voice_close(v);
	return status;
}

void voice_close(struct voice *v)
{
	if (v->media)
		td_media_close(v->media);
	v->media = NULL;
}
