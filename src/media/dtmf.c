/* telephone-event (RFC 4733): the four bytes, the keys, and how the many packets of one key become one event. */
#include "internal.h"

static const char keys[] = "0123456789*#ABCD";

int td_dtmf_parse(struct td_dtmf *out, struct td_str payload)
{
	const uint8_t *b = (const uint8_t *)payload.p;

	if (payload.n < 4)
		return TD_ESYNTAX;
	*out = (struct td_dtmf){ .event = b[0], .end = b[1] >> 7, .volume = b[1] & 0x3f, .duration = get16(b + 2) };
	return 0;
}

void td_dtmf_print(uint8_t out[4], const struct td_dtmf *e)
{
	out[0] = e->event;
	out[1] = (uint8_t)((e->end ? 0x80 : 0) | (e->volume & 0x3f));
	put16(out + 2, e->duration);
}

char td_dtmf_key(uint8_t event)
{
	return event < sizeof(keys) - 1 ? keys[event] : 0;
}

int td_dtmf_event(uint8_t *out, char key)
{
	uint8_t i;

	for (i = 0; keys[i]; i++) {
		if (td_lower(keys[i]) == td_lower(key)) {
			*out = i;
			return 0;
		}
	}
	return TD_ESYNTAX;
}

/*
 * All packets of a key carry the timestamp of its beginning (§2.2.1), so that is what tells keys apart; the end packet comes
 * three times, and any packet may be missing. A key longer than 65,535 units goes on in a segment whose timestamp is
 * that much later (§2.5.1.3). What is older than the last key is late (M10).
 */
char td_dtmf_receive(struct td_dtmf_receiver *r, uint32_t ts, const struct td_dtmf *e)
{
	bool segment = r->any && !r->ended && e->event == r->event && r->duration >= 0xf000 && ts - r->ts == 0xffff;

	if (r->any && !segment && (int32_t)(ts - r->ts) <= 0) {
		if (ts == r->ts && e->event == r->event) {
			r->ended = r->ended || e->end;
			r->duration = e->duration > r->duration ? e->duration : r->duration;
		}
		return 0;
	}
	*r = (struct td_dtmf_receiver){ .any = true, .ended = e->end, .event = e->event, .ts = ts, .duration = e->duration };
	return segment ? 0 : td_dtmf_key(e->event);
}
