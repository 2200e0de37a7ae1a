/* RTCP of a session (RFC 3550 §6): a report every five seconds or so, what the peer's reports say, BYE at the end. */
#include "session.h"

enum { BYTES_PER_S = 400, AVERAGE_BYTES = 120 }; /* a twentieth of 64 kbit/s, for the two of us */

/* Middle 32 bits of the NTP timestamp. Seconds are the wall clock's at the start and then monotonic. */
static uint64_t ntp_now(const struct td_media *m)
{
	uint64_t us = td_loop_now_us(m->loop) - m->opened_us;

	return (m->ntp_base_s + us / 1000000) << 32 | ((us % 1000000 << 32) / 1000000);
}

static struct td_rtcp_block block_of(struct td_media *m)
{
	struct td_rtcp_block b = {
		.ssrc = m->in.ssrc,
		.fraction = td_rtp_source_fraction(&m->in),
		.lost = td_rtp_source_lost(&m->in),
		.ext_max = td_rtp_source_ext_max(&m->in),
		.jitter = m->in.jitter >> 4,
		.lsr = m->last_sr_mid,
	};

	if (b.lsr)
		b.dlsr = (uint32_t)(((td_loop_now_us(m->loop) - m->last_sr_us) << 16) / 1000000);
	return b;
}

static void send_report(struct td_media *m, bool bye)
{
	/* The timestamp of this moment, counted from the frame that is next. */
	int64_t ahead_ms = (int64_t)(m->next_ms - td_loop_now_ms(m->loop));
	struct td_rtcp_sender s = { .ntp = ntp_now(m),
				    .ts = m->out.ts - (uint32_t)(ahead_ms * (CLOCK_HZ / 1000)),
				    .packets = m->out.packets,
				    .octets = m->out.octets };
	bool sent = m->out.packets != m->reported_packets;
	struct td_rtcp_block b;
	struct td_buf *buf;
	struct td_out o;

	if (!m->remote_rtcp.port)
		return;
	if (m->has_in)
		b = block_of(m);
	td_out_init(&o);
	td_rtcp_print(&o, m->out.ssrc, sent ? &s : NULL, m->has_in ? &b : NULL, td_str_n(m->cname, sizeof(m->cname)), bye);
	buf = td_out_buf(&o);
	if (buf && !td_udp_send(m->rtcp, &m->remote_rtcp, buf))
		m->stats.reports_sent++;
	td_buf_unref(buf);
	m->reported_packets = m->out.packets;
	m->reported = true;
}

static void arm(struct td_media *m)
{
	td_timer_start(m->loop, &m->report,
		       td_rtcp_interval_ms(td_loop_rng(m->loop), 2, 2, true, BYTES_PER_S, AVERAGE_BYTES, !m->reported));
}

void media_on_report(struct td_timer *tm, void *arg)
{
	struct td_media *m = arg;

	send_report(m, false);
	arm(m);
}

void media_start_reports(struct td_media *m)
{
	if (!td_timer_running(&m->report))
		arm(m);
}

/* Not if nothing was ever sent: nobody knows us (§6.3.7). */
void media_send_bye(struct td_media *m)
{
	if (m->active && (m->out.packets || m->reported))
		send_report(m, true);
}

/* ---- what comes ---- */

static void take_report(struct td_media *m, const struct td_rtcp *p)
{
	struct td_rtcp_sender s;
	struct td_rtcp_block b;
	uint32_t ssrc;
	unsigned i;

	if (td_rtcp_report(&ssrc, &s, p))
		return;
	m->stats.reports_received++;
	if (p->type == TD_RTCP_SR && m->has_in && ssrc == m->in.ssrc) {
		m->last_sr_mid = (uint32_t)(s.ntp >> 16);
		m->last_sr_us = td_loop_now_us(m->loop);
	}
	for (i = 0; !td_rtcp_block(&b, p, i); i++) {
		uint32_t rtt;

		if (b.ssrc != m->out.ssrc)
			continue;
		rtt = td_rtcp_round_trip_us(&b, (uint32_t)(ntp_now(m) >> 16));
		if (rtt)
			m->stats.round_trip_us = rtt;
		m->stats.remote_lost = (uint32_t)(b.lost > 0 ? b.lost : 0);
		m->stats.remote_jitter_us = (uint32_t)((uint64_t)b.jitter * 1000000 / CLOCK_HZ);
	}
}

void media_on_rtcp(struct td_udp *udp, struct td_buf *buf, const struct td_addr *from, void *arg)
{
	struct td_str rest = td_buf_str(buf);
	struct td_media *m = arg;
	struct td_rtcp p;

	if (!m->active || (!td_ip_eq(from, &m->remote) && !td_ip_eq(from, &m->remote_rtcp)))
		return;
	if (td_rtcp_check(rest))
		return;
	while (td_rtcp_next(&p, &rest)) {
		if (p.type == TD_RTCP_SR || p.type == TD_RTCP_RR)
			take_report(m, &p);
		else if (m->has_in && td_rtcp_bye_names(&p, m->in.ssrc))
			m->stats.remote_bye = true;
	}
}
