/* Messages in HEP3 packets to a collector. */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>

enum { POLL_MS = 100, CAPTURE_ID = 1 };

/* Chunks of vendor 0 ("HEP3 Network protocol specification", table of generic chunks). */
enum {
	HEP_FAMILY = 1,
	HEP_PROTOCOL,
	HEP_FROM_V4,
	HEP_TO_V4,
	HEP_FROM_V6,
	HEP_TO_V6,
	HEP_FROM_PORT,
	HEP_TO_PORT,
	HEP_SECONDS,
	HEP_MICROSECONDS,
	HEP_KIND,
	HEP_CAPTURE_ID,
	HEP_PAYLOAD = 15,
	HEP_CORRELATION = 17,
};

struct td_hep {
	struct td_hep_options opt;
	struct td_udp *udp;
	struct td_timer timer;
	struct td_hep_stats stats;
	bool reading, begun, closed;
	struct td_trace_cursor cursors[];
};

/* ---- packets ---- */

static void put16(struct td_out *o, unsigned v)
{
	td_out_char(o, (char)(v >> 8));
	td_out_char(o, (char)v);
}

static void put_chunk(struct td_out *o, unsigned type, struct td_str value)
{
	put16(o, 0);
	put16(o, type);
	put16(o, (unsigned)(6 + value.n));
	td_out_str(o, value);
}

static void put_number(struct td_out *o, unsigned type, uint64_t v, unsigned bytes)
{
	char text[4];

	for (unsigned i = 0; i < bytes; i++)
		text[i] = (char)(v >> 8 * (bytes - 1 - i));
	put_chunk(o, type, td_str_n(text, bytes));
}

void td_hep_packet(struct td_out *o, uint64_t wall_us, const struct td_addr *from, const struct td_addr *to, enum td_proto proto,
		   struct td_str call_id, struct td_str payload)
{
	bool v6 = from->family == TD_AF_V6;
	size_t at = o->n, ip_n = v6 ? 16 : 4, n;

	if (payload.n > TD_TRACE_MESSAGE_MAX)
		payload.n = TD_TRACE_MESSAGE_MAX;
	if (call_id.n > TD_NOTE_TEXT_MAX)
		call_id.n = TD_NOTE_TEXT_MAX;
	td_out_str(o, TD_STR("HEP3"));
	put16(o, 0);                               /* the length, known at the end */
	put_number(o, HEP_FAMILY, v6 ? 10 : 2, 1); /* AF_INET6, AF_INET as Linux numbers them */
	put_number(o, HEP_PROTOCOL, proto == TD_UDP ? 17 : 6, 1);
	put_chunk(o, v6 ? HEP_FROM_V6 : HEP_FROM_V4, td_str_n((const char *)from->ip, ip_n));
	put_chunk(o, v6 ? HEP_TO_V6 : HEP_TO_V4, td_str_n((const char *)to->ip, ip_n));
	put_number(o, HEP_FROM_PORT, from->port, 2);
	put_number(o, HEP_TO_PORT, to->port, 2);
	put_number(o, HEP_SECONDS, wall_us / 1000000, 4);
	put_number(o, HEP_MICROSECONDS, wall_us % 1000000, 4);
	put_number(o, HEP_KIND, 1, 1); /* SIP */
	put_number(o, HEP_CAPTURE_ID, CAPTURE_ID, 4);
	if (call_id.n)
		put_chunk(o, HEP_CORRELATION, call_id);
	put_chunk(o, HEP_PAYLOAD, payload);
	if (o->failed)
		return;
	n = o->n - at;
	o->p[at + 4] = (char)(n >> 8);
	o->p[at + 5] = (char)n;
}

/* ---- the exporter ---- */

static struct td_str call_id_of(struct td_msg **m, struct td_buf *b)
{
	if (td_msg_parse(m, b, 0, b->len)) {
		*m = NULL;
		return TD_STR_NULL;
	}
	return (*m)->call_id;
}

static void export_message(struct td_hep *h, const struct td_trace_record *r)
{
	struct td_buf *b = td_buf_copy(r->bytes), *packet;
	const struct td_addr *peer = &r->flow.peer;
	bool in = r->kind == TD_TRACE_IN;
	struct td_msg *m = NULL;
	struct td_addr local;
	struct td_str call_id;
	struct td_out o;

	if (!b || !h->opt.local(h->opt.arg, &local, r->flow.listener) || local.family != peer->family) {
		h->stats.unsent++;
		td_buf_unref(b);
		return;
	}
	td_trace_mask(b->data, b->len);
	call_id = call_id_of(&m, b);
	td_out_init(&o);
	td_hep_packet(&o, r->wall_us, in ? peer : &local, in ? &local : peer, (enum td_proto)r->flow.proto, call_id,
		      td_buf_str(b));
	packet = td_out_buf(&o);
	if (packet && !td_udp_send(h->udp, &h->opt.to, packet))
		h->stats.sent++;
	else
		h->stats.unsent++;
	td_buf_unref(packet);
	td_msg_unref(m);
	td_buf_unref(b);
}

static void hep_free(struct td_hep *h)
{
	td_timer_stop(h->opt.loop, &h->timer);
	free(h);
}

static void on_read(void *arg, const struct td_trace_piece *pieces, unsigned n, bool lost)
{
	struct td_hep *h = arg;
	struct td_trace_record r;

	h->reading = false;
	if (h->closed) {
		hep_free(h);
		return;
	}
	h->stats.missed += h->begun && lost;
	for (unsigned i = 0; h->begun && i < n; i++)
		for (uint32_t at = pieces[i].from; td_trace_next(&r, &pieces[i], &at);)
			if (r.kind != TD_TRACE_NOTE)
				export_message(h, &r);
	h->begun = true;
	td_timer_start(h->opt.loop, &h->timer, POLL_MS);
}

static void look(struct td_timer *tm, void *arg)
{
	struct td_hep *h = arg;

	h->reading = !h->opt.read(h->opt.arg, h->cursors, on_read, h);
	if (!h->reading) /* no memory: there may be some later */
		td_timer_start(h->opt.loop, &h->timer, POLL_MS);
}

static void ignore(struct td_udp *u, struct td_buf *buf, const struct td_addr *from, void *arg) {}

int td_hep_open(struct td_hep **out, const struct td_hep_options *opt)
{
	struct td_hep *h = calloc(1, sizeof(*h) + opt->workers * sizeof(h->cursors[0]));
	struct td_addr any = { .family = opt->to.family };
	int err;

	if (!h)
		return -ENOMEM;
	h->opt = *opt;
	td_timer_init(&h->timer, look, h);
	err = td_net_source(&any, opt->net, &opt->to); /* ours towards the collector */
	if (!err)
		err = td_udp_open(&h->udp, opt->net, &any, 0, ignore, h);
	if (err) {
		free(h);
		return err;
	}
	look(&h->timer, h);
	*out = h;
	return 0;
}

void td_hep_close(struct td_hep *h)
{
	if (!h)
		return;
	td_udp_close(h->udp);
	h->closed = true;
	if (!h->reading)
		hep_free(h);
}

const struct td_hep_stats *td_hep_stats(const struct td_hep *h)
{
	return &h->stats;
}
