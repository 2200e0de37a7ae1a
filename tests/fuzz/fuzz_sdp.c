#include <tandem/sdp.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void touch(const struct td_sdp *sdp)
{
	struct td_sdp_codec c[TD_SDP_MAX_FORMATS];
	const struct td_sdp_media *m;
	struct td_sdp_rtcp rtcp;

	for (m = sdp->media; m; m = m->next) {
		if (td_sdp_codecs(c, m) > m->n_formats || (unsigned)td_sdp_media_dir(sdp, m) > 3 || td_sdp_ptime(m) > 1000)
			__builtin_trap();
		td_sdp_rtcp(&rtcp, m);
	}
}

/* What parses prints to something that parses and prints the same (P13). */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct td_sdp *sdp, *again;
	struct td_out one, two;
	struct td_arena a;

	td_arena_init(&a);
	td_out_init(&one);
	td_out_init(&two);
	if (!td_sdp_parse(&sdp, &a, td_str_n((const char *)data, size))) {
		touch(sdp);
		td_sdp_print(&one, sdp);
		/* CR LF for LF may pass the limit of size */
		if (one.n <= TD_SDP_MAX_BYTES) {
			if (td_sdp_parse(&again, &a, td_out_view(&one)))
				__builtin_trap();
			td_sdp_print(&two, again);
			if (!td_str_eq(td_out_view(&one), td_out_view(&two)))
				__builtin_trap();
		}
	}
	td_out_free(&one);
	td_out_free(&two);
	td_arena_reset(&a);
	return 0;
}
