/*
 * Framing of streams: bytes that come in pieces of any size give the same messages as bytes that come at once (T2), and
 * the index sees each message end where the framing did (P1).
 */
#include <stdlib.h>

#include <tandem/sip.h>

#include "inside.h"

static void same_end(struct td_str bytes)
{
	struct td_buf *buf = td_buf_copy(bytes);
	struct td_msg *m = NULL;

	if (!buf)
		return;
	if (td_msg_parse(&m, buf, 0, buf->len) == 0 && !m->defect.status)
		must(m->bytes.n == bytes.n);
	td_msg_unref(m);
	td_buf_unref(buf);
}

/* Length of the first message, or an error, as bytes come in steps of this size, each time in memory of their own. */
static int in_steps(size_t *out, struct td_str bytes, size_t step)
{
	size_t scan = 0, n;
	int err = TD_EMORE;
	char *p;

	for (n = 0; n < bytes.n && err == TD_EMORE;) {
		n = n + step < bytes.n ? n + step : bytes.n;
		p = own_copy(bytes.p, n);
		if (!p)
			return TD_EMORE;
		err = td_msg_frame(out, td_str_n(p, n), &scan);
		free(p);
	}
	return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t steps[] = { 1, 2, 7, 64, 1000 };
	struct td_str rest = { (const char *)data, size };
	size_t whole, part, scan, i;
	int err;

	if (size > 4096)
		return 0;
	for (;;) {
		whole = part = scan = 0;
		err = td_msg_frame(&whole, rest, &scan);
		for (i = 0; i < TD_ARRAY_LEN(steps); i++) {
			must(in_steps(&part, rest, steps[i]) == err);
			must(err || part == whole);
		}
		if (err)
			return 0;
		must(whole > 0 && whole <= rest.n && scan == 0);
		same_end(td_str_n(rest.p, whole));
		rest = td_str_n(rest.p + whole, rest.n - whole);
	}
}
