/* A source we receive from: RFC 3550 appendix A.1 (sequence numbers), A.3 (loss) and A.8 (jitter), in its own names. */
#include "internal.h"

enum { RTP_SEQ_MOD = 1 << 16, MAX_DROPOUT = 3000, MAX_MISORDER = 100, MAX_TRANSIT_STEP = 1 << 24 };

static void init_seq(struct td_rtp_source *s, uint16_t seq)
{
	s->base_seq = seq;
	s->max_seq = seq;
	s->bad_seq = RTP_SEQ_MOD + 1; /* so seq == bad_seq is false */
	s->cycles = 0;
	s->received = 0;
	s->received_prior = 0;
	s->expected_prior = 0;
}

void td_rtp_source_init(struct td_rtp_source *s, uint32_t ssrc, uint16_t seq, uint32_t probation)
{
	*s = (struct td_rtp_source){ .ssrc = ssrc };
	init_seq(s, seq);
	s->max_seq = (uint16_t)(seq - 1);
	s->probation = s->min_sequential = probation;
}

static bool on_probation(struct td_rtp_source *s, uint16_t seq)
{
	bool in_sequence = seq == (uint16_t)(s->max_seq + 1);

	s->max_seq = seq;
	s->probation = in_sequence ? s->probation - 1 : s->min_sequential - 1;
	if (s->probation)
		return false;
	init_seq(s, seq);
	s->received++;
	return true;
}

bool td_rtp_source_seq(struct td_rtp_source *s, uint16_t seq)
{
	uint16_t udelta = (uint16_t)(seq - s->max_seq);

	if (s->probation)
		return on_probation(s, seq);
	if (udelta < MAX_DROPOUT) {
		if (seq < s->max_seq)
			s->cycles += RTP_SEQ_MOD;
		s->max_seq = seq;
	} else if (udelta <= RTP_SEQ_MOD - MAX_MISORDER) {
		/* A very large jump: two in a row mean that the other side started anew without telling. */
		if (seq != s->bad_seq) {
			s->bad_seq = (seq + 1u) & (RTP_SEQ_MOD - 1);
			return false;
		}
		init_seq(s, seq);
	}
	s->received++;
	return true;
}

void td_rtp_source_jitter(struct td_rtp_source *s, uint32_t ts, uint32_t arrival)
{
	uint32_t transit = arrival - ts;
	int32_t d = (int32_t)(transit - s->transit);

	s->transit = transit;
	if (!s->has_transit) {
		s->has_transit = true;
		return;
	}
	/* A timestamp that starts anew is no jitter, and would overflow the sum. */
	if (d > MAX_TRANSIT_STEP || d < -MAX_TRANSIT_STEP)
		return;
	s->jitter += (uint32_t)(d < 0 ? -d : d) - ((s->jitter + 8) >> 4);
}

uint32_t td_rtp_source_ext_max(const struct td_rtp_source *s)
{
	return s->cycles + s->max_seq;
}

static uint32_t expected(const struct td_rtp_source *s)
{
	return s->probation ? 0 : td_rtp_source_ext_max(s) - s->base_seq + 1;
}

int32_t td_rtp_source_lost(const struct td_rtp_source *s)
{
	int64_t lost = (int64_t)expected(s) - s->received;

	return (int32_t)(lost > 0x7fffff ? 0x7fffff : lost < -0x800000 ? -0x800000 : lost);
}

uint8_t td_rtp_source_fraction(struct td_rtp_source *s)
{
	uint32_t expected_interval = expected(s) - s->expected_prior, received_interval = s->received - s->received_prior;
	int64_t lost_interval = (int64_t)expected_interval - received_interval;

	s->expected_prior = expected(s);
	s->received_prior = s->received;
	if (!expected_interval || lost_interval <= 0)
		return 0;
	lost_interval = (lost_interval << 8) / expected_interval;
	return (uint8_t)(lost_interval > 255 ? 255 : lost_interval);
}
