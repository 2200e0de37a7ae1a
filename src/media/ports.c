/* An even port for RTP and the odd one above it for RTCP (RFC 3550 §11), from a range or wherever the kernel has one. */
#include "session.h"

#include <errno.h>

enum { TRIES = 64 };

static int open_pair(struct td_media *m, uint16_t port)
{
	struct td_addr at = m->local;
	int err;

	at.port = port;
	err = td_udp_open(&m->rtp, m->net, &at, 0, media_on_rtp, m);
	if (err)
		return err;
	at.port++;
	err = td_udp_open(&m->rtcp, m->net, &at, 0, media_on_rtcp, m);
	if (err) {
		td_udp_close(m->rtp);
		m->rtp = NULL;
		return err;
	}
	m->local.port = port;
	return 0;
}

/* Every pair of the range once, from a random one on, so that ports are not reused at once (and not guessed: A14). */
static int open_in_range(struct td_media *m, unsigned lo, unsigned hi)
{
	unsigned first = (lo + 1) & ~1u, n, at, i;
	int err;

	if (hi < first + 1)
		return -EADDRINUSE;
	n = (hi - first + 1) / 2;
	at = (unsigned)td_rng_below(td_loop_rng(m->loop), n);
	for (i = 0; i < n; i++) {
		err = open_pair(m, (uint16_t)(first + 2 * ((at + i) % n)));
		if (err != -EADDRINUSE)
			return err;
	}
	return -EADDRINUSE;
}

static int open_anywhere(struct td_media *m)
{
	struct td_addr at = m->local;
	struct td_udp *probe;
	int err = -EADDRINUSE, i;

	at.port = 0;
	for (i = 0; i < TRIES && err == -EADDRINUSE; i++) {
		uint16_t port;

		err = td_udp_open(&probe, m->net, &at, 0, media_on_rtp, m);
		if (err)
			return err;
		port = td_udp_local(probe)->port & 0xfffe;
		td_udp_close(probe);
		err = port ? open_pair(m, port) : -EADDRINUSE;
	}
	return err;
}

int media_ports_open(struct td_media *m, const struct td_media_options *opt)
{
	return opt->port_max ? open_in_range(m, opt->port_min, opt->port_max) : open_anywhere(m);
}
