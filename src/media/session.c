/*
 * td_media: its life, and the descriptions it exchanges. The stream exists from the first offer/answer that agrees on one: that sets
 * address, direction and numbers, and starts the clock of session_send.c. Later exchanges change them; nothing else does:
 * packets from elsewhere never move the stream (M1 is for the NAT-learning media plane to come).
 */
#include "session.h"

#include <errno.h>
#include <stdlib.h>

/* ---- life ---- */

static int set_up(struct td_media *m, const struct td_media_options *opt)
{
	struct td_rng *rng = td_loop_rng(m->loop);
	struct td_out o;

	/* Every address is a place we can be reached at: it goes into our descriptions. */
	if (opt->local.family == TD_AF_NONE || td_ip_is_any(&opt->local))
		return -EADDRNOTAVAIL;
	m->n_offered = td_codec_list(m->offered, opt->codec);
	if (!m->n_offered)
		return TD_EUNSUPPORTED;
	td_out_init_fixed(&o, m->addr_text, sizeof(m->addr_text) - 1);
	td_ip_print(&o, &opt->local);
	m->want = TD_SDP_SENDRECV;
	m->session_id = td_rng_u64(rng) >> 2; /* grows, and stays below 2^63 */
	td_rtp_sender_init(&m->out, rng);
	td_rng_token(rng, m->cname, sizeof(m->cname)); /* RFC 7022 §4.2: says nothing about us */
	td_timer_init(&m->tick, media_on_tick, m);
	td_timer_init(&m->report, media_on_report, m);
	td_arena_init(&m->arena);
	m->opened_us = td_loop_now_us(m->loop);
	m->ntp_base_s = td_loop_wall_s(m->loop) + UINT64_C(2208988800);
	return media_ports_open(m, opt);
}

int td_media_open(struct td_media **out, const struct td_media_options *opt)
{
	static const struct td_media_events none;
	struct td_media *m = calloc(1, sizeof(*m));
	int err;

	if (!m)
		return -ENOMEM;
	m->net = opt->net;
	m->loop = td_net_loop(opt->net);
	m->log = opt->log;
	m->events = opt->events ? opt->events : &none;
	m->arg = opt->arg;
	m->local = opt->local;
	err = set_up(m, opt);
	if (err) {
		free(m);
		return err;
	}
	*out = m;
	return 0;
}

void media_free(struct td_media *m)
{
	td_arena_reset(&m->arena);
	free(m);
}

void td_media_close(struct td_media *m)
{
	if (!m || m->closed)
		return;
	media_enter(m);
	media_send_bye(m);
	media_stop_sending(m);
	td_timer_stop(m->loop, &m->report);
	td_udp_close(m->rtp);
	td_udp_close(m->rtcp);
	td_wav_free(&m->play);
	media_stop_record(m, 0);
	m->closed = true;
	media_leave(m);
}

/* ---- what was agreed ---- */

/* M9: media is a stream of packets a peer can aim. Loopback and link-local are only for those who live there. */
static bool may_send_to(const struct td_media *m, const struct td_addr *a)
{
	if (!a->port || td_ip_is_any(a) || td_ip_is_multicast(a))
		return false;
	if (td_ip_is_loopback(a))
		return td_ip_is_loopback(&m->local);
	if (td_ip_is_link_local(a))
		return td_ip_is_link_local(&m->local);
	return true;
}

static int target(struct td_addr *out, const struct td_media *m, const struct td_sdp_conn *c, uint16_t port)
{
	struct td_addr a;

	/* Names are legal and not seen in the wild; looking one up would block the answer. */
	if (td_ip_parse(&a, c->addr) || a.family != m->local.family)
		return TD_EUNSUPPORTED;
	a.port = port;
	if (!may_send_to(m, &a))
		return TD_EDENIED;
	*out = a;
	return 0;
}

/* What an exchange would change; nothing is touched before all of it is known to be good. */
struct agreed {
	struct td_addr remote, remote_rtcp;
	struct media_format formats[TD_SDP_MAX_AGREED];
	size_t n_formats;
};

static int check(struct agreed *out, const struct td_media *m, const struct td_sdp_stream *s)
{
	struct agreed g = { .remote = m->remote };
	size_t i;
	int err;

	/* Held by an address of zeros: nothing is sent, and what comes still comes from where it did. */
	err = s->remote.kind == TD_SDP_ADDR_ANY ? 0 : target(&g.remote, m, &s->remote, s->port);
	if (err) {
		td_log(m->log, TD_LOG_INFO, "media refused", TD_KS("address", s->remote.addr), TD_KU("port", s->port),
		       TD_KERR(err));
		return TD_EUNSUPPORTED;
	}
	if (s->rtcp_remote.kind == TD_SDP_ADDR_ANY || target(&g.remote_rtcp, m, &s->rtcp_remote, s->rtcp_port))
		g.remote_rtcp = (struct td_addr){ 0 }; /* reports go nowhere */
	for (i = 0; i < s->n_formats; i++) {
		const struct td_codec *c = td_codec_find(m->offered[s->formats[i].local].name);

		if (c)
			g.formats[g.n_formats++] = (struct media_format){ c, s->formats[i].send_pt, s->formats[i].recv_pt };
	}
	if (!g.n_formats)
		return TD_EUNSUPPORTED;
	*out = g;
	return 0;
}

static void apply(struct td_media *m, const struct td_sdp_stream *s, const struct agreed *g)
{
	if (!s->active) {
		m->active = false;
		m->dir = TD_SDP_INACTIVE;
		media_stop_sending(m);
		td_timer_stop(m->loop, &m->report);
		return;
	}
	if (!td_addr_eq(&m->remote, &g->remote))
		m->source = (struct td_addr){ 0 };
	m->marker = true;
	m->active = true;
	m->dir = s->dir;
	m->remote = g->remote;
	m->remote_rtcp = g->remote_rtcp;
	memcpy(m->formats, g->formats, sizeof(m->formats));
	m->n_formats = g->n_formats;
	m->has_dtmf = s->has_dtmf;
	m->dtmf_send_pt = s->dtmf.send_pt;
	m->dtmf_recv_pt = s->dtmf.recv_pt;
	media_start_sending(m);
	media_start_reports(m);
}

/* ---- descriptions ---- */

static struct td_sdp_local local_of(const struct td_media *m)
{
	return (struct td_sdp_local){
		.addr = td_str_of(m->addr_text),
		.family = m->local.family,
		.port = m->local.port,
		.dir = m->want,
		.ptime_ms = FRAME_MS,
		.session_id = m->session_id,
		.codecs = m->offered,
		.n_codecs = m->n_offered,
	};
}

/* The description left: it lives in a, which is taken over. */
static int sent(struct td_media *m, struct td_arena *a, struct td_sdp *sdp, bool offer, struct td_out *out)
{
	td_sdp_print(out, sdp);
	if (out->failed)
		return -ENOMEM;
	td_arena_reset(&m->arena);
	m->arena = *a;
	m->sent = sdp;
	m->sent_offer = offer;
	return 0;
}

int td_media_offer(void *media, struct td_out *out)
{
	struct td_media *m = media;
	struct td_sdp_local l = local_of(m);
	struct td_sdp *sdp;
	struct td_arena a;
	int err;

	td_arena_init(&a);
	err = td_sdp_offer(&sdp, &a, &l, m->sent);
	err = err ? err : sent(m, &a, sdp, true, out);
	if (err)
		td_arena_reset(&a);
	return err;
}

int td_media_answer(void *media, struct td_str text, struct td_out *out)
{
	struct td_media *m = media;
	struct td_sdp_local l = local_of(m);
	struct td_sdp *offer, *sdp = NULL;
	struct td_sdp_stream s = { 0 };
	struct agreed g = { 0 };
	struct td_arena a;
	int err;

	td_arena_init(&a);
	err = td_sdp_parse(&offer, &a, text);
	err = err ? err : td_sdp_answer(&sdp, &s, &a, &l, offer, m->sent);
	if (!err && s.active)
		err = check(&g, m, &s);
	err = err ? err : sent(m, &a, sdp, false, out);
	if (err) {
		td_arena_reset(&a);
		return err;
	}
	apply(m, &s, &g);
	return 0;
}

/* May come more than once for one offer: with a 183 and again with the 200, or from two phones of a fork; the last one counts. */
int td_media_answered(void *media, struct td_str text)
{
	struct td_media *m = media;
	struct td_sdp_local l = local_of(m);
	struct td_sdp_stream s = { 0 };
	struct agreed g = { 0 };
	struct td_sdp *answer;
	struct td_arena a;
	int err;

	if (!m->sent || !m->sent_offer)
		return TD_EORDER;
	td_arena_init(&a);
	err = td_sdp_parse(&answer, &a, text);
	err = err ? err : td_sdp_read_answer(&s, &l, m->sent, answer);
	if (!err && s.active)
		err = check(&g, m, &s);
	if (!err)
		apply(m, &s, &g);
	td_arena_reset(&a);
	return err;
}

/* ---- small things ---- */

const struct td_addr *td_media_local(const struct td_media *m)
{
	return &m->local;
}

void td_media_want(struct td_media *m, enum td_sdp_dir dir)
{
	m->want = dir;
}

const struct td_codec *td_media_codec(const struct td_media *m)
{
	return m->active ? m->formats[0].codec : NULL;
}

enum td_sdp_dir td_media_dir(const struct td_media *m)
{
	return m->dir;
}

void td_media_play(struct td_media *m, struct td_wav *wav)
{
	td_wav_free(&m->play);
	m->play_at = 0;
	m->playing = wav != NULL;
	if (!wav)
		return;
	m->play = *wav;
	*wav = (struct td_wav){ 0 };
}

void td_media_record(struct td_media *m, struct td_wav_writer *w)
{
	media_stop_record(m, 0);
	m->record = w;
	m->record_since_us = td_loop_now_us(m->loop);
	m->has_place = false;
}

void media_stop_record(struct td_media *m, int err)
{
	int closing = td_wav_close(m->record);

	err = err ? err : closing;
	if (err)
		td_log(m->log, TD_LOG_WARN, "media recording stopped", TD_KERR(err),
		       TD_KZ("next", "the call goes on without it"));
	m->record = NULL;
}

int td_media_dtmf(struct td_media *m, struct td_str keys)
{
	uint8_t event;
	size_t i;

	for (i = 0; i < keys.n; i++)
		if (td_dtmf_event(&event, keys.p[i]))
			return TD_ESYNTAX;
	if (!m->active || !m->has_dtmf)
		return TD_EUNSUPPORTED;
	if (keys.n > MAX_KEYS - m->n_keys)
		return TD_ELIMIT;
	if (keys.n)
		memcpy(m->keys + m->n_keys, keys.p, keys.n);
	m->n_keys += keys.n;
	return 0;
}

void td_media_stats(struct td_media_stats *out, const struct td_media *m)
{
	*out = m->stats;
	out->lost = m->lost_before;
	if (m->has_in) {
		out->lost += td_rtp_source_lost(&m->in);
		out->jitter_us = (uint32_t)((uint64_t)(m->in.jitter >> 4) * 1000000 / CLOCK_HZ);
	}
}
