#include <tandem/sdp.h>

#include "inside.h"

static const struct td_sdp_codec codecs[] = {
	{ 0, 1, 8000, TD_STR_INIT("PCMU"), TD_STR_INIT("") },
	{ 8, 1, 8000, TD_STR_INIT("PCMA"), TD_STR_INIT("") },
	{ 101, 1, 8000, TD_STR_INIT("telephone-event"), TD_STR_INIT("0-16") },
};

static void check_stream(const struct td_sdp_stream *s, const struct td_sdp_local *l)
{
	size_t i;

	if (!s->active)
		return;
	must(s->n_formats > 0 && s->n_formats <= TD_SDP_MAX_AGREED && s->port && s->remote.addr.n);
	for (i = 0; i < s->n_formats; i++)
		must(s->formats[i].local < l->n_codecs && s->formats[i].send_pt < 128 && s->formats[i].recv_pt < 128);
	must(!(s->dir & TD_SDP_SENDONLY) || s->remote.kind != TD_SDP_ADDR_ANY);
}

/* Two texts parted by a zero byte: an offer we answer and offer again on top of, and an answer to an offer of ours. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct td_sdp_local l = { .addr = TD_STR("192.0.2.1"),
				  .family = 4,
				  .port = 4000,
				  .dir = TD_SDP_SENDRECV,
				  .session_id = 1,
				  .codecs = codecs,
				  .n_codecs = TD_ARRAY_LEN(codecs) };
	struct td_str rest = td_str_n((const char *)data, size), text = td_str_split(&rest, 0);
	struct td_sdp *theirs, *ours, *next;
	struct td_sdp_stream s;
	struct td_arena a;

	td_arena_init(&a);
	if (!td_sdp_parse(&theirs, &a, text)) {
		if (!td_sdp_answer(&ours, &s, &a, &l, theirs, NULL)) {
			must(ours->n_media == theirs->n_media);
			check_stream(&s, &l);
			l.dir = TD_SDP_SENDONLY;
			if (!td_sdp_offer(&next, &a, &l, ours))
				must(next->n_media >= ours->n_media);
			must(!td_sdp_read_answer(&s, &l, theirs, ours) || ours->n_media);
		}
		must(!td_sdp_offer(&ours, &a, &l, NULL));
		if (!td_sdp_read_answer(&s, &l, ours, theirs))
			check_stream(&s, &l);
	}
	if (rest.p && !td_sdp_offer(&ours, &a, &l, NULL) && !td_sdp_parse(&theirs, &a, rest) &&
	    !td_sdp_read_answer(&s, &l, ours, theirs))
		check_stream(&s, &l);
	td_arena_reset(&a);
	return 0;
}
