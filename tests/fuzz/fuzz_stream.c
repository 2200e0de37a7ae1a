/*
 * Framing of SIP over a stream. The first byte seeds the sizes of the pieces the rest arrives in, over a simulated connection.
 * Whatever comes, the messages, pongs and end seen must be those of the same bytes in one piece (T2).
 */
#include <stdio.h>
#include <stdlib.h>

#include <tandem/transport.h>

#define MUST(x)                                                                 \
	do {                                                                    \
		if (!(x)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x); \
			abort();                                                \
		}                                                               \
	} while (0)

struct end {
	struct td_loop *loop;
	struct td_net *net;
};

struct seen {
	struct td_out messages, back;
	bool closed;
};

static void on_message(void *arg, struct td_msg *m, const struct td_flow *from)
{
	struct seen *s = arg;

	td_out_fmt(&s->messages, "%zu:%zu:%u ", m->bytes.n, m->body.n, m->defect.status);
	td_out_str(&s->messages, m->bytes);
	td_msg_unref(m);
}

static void on_data(struct td_conn *c, struct td_str bytes, void *arg)
{
	td_out_str(&((struct seen *)arg)->back, bytes);
}

static void on_closed(struct td_conn *c, int err, void *arg)
{
	((struct seen *)arg)->closed = true;
}

static const struct td_tp_events tp_events = { .message = on_message };
static const struct td_conn_events conn_events = { .data = on_data, .closed = on_closed };

static void end_open(struct end *e, struct td_sim *sim, struct td_wire *wire, const struct td_addr *ip)
{
	MUST(!td_sim_loop(&e->loop, sim));
	MUST(!td_net_open_sim(&e->net, e->loop, wire, ip));
}

static void end_close(struct end *e)
{
	td_net_close(e->net);
	td_loop_close(e->loop);
}

/* Pieces of 1 to `most` bytes, as the seed wants. */
static void feed(struct td_sim *sim, struct td_conn *c, const struct seen *s, const uint8_t *p, size_t n, uint32_t seed,
		 size_t most)
{
	while (n && !s->closed) {
		size_t k = seed ? 1 + seed % most : n;
		struct td_buf *b;

		if (k > n)
			k = n;
		seed = seed * 1103515245 + 12345;
		b = td_buf_copy(td_str_n((const char *)p, k));
		MUST(b);
		td_conn_send(c, b);
		td_buf_unref(b);
		td_sim_run(sim, 1);
		p += k;
		n -= k;
	}
	td_sim_run(sim, 100);
}

static void play(struct seen *s, const uint8_t *p, size_t n, uint32_t seed, size_t most)
{
	struct td_addr at, from;
	struct td_tp_group *group;
	struct td_wire *wire;
	struct td_sim *sim;
	struct td_conn *c;
	struct td_tp *tp;
	struct end us, peer;
	unsigned index;

	MUST(!td_addr_parse(&at, TD_STR("192.0.2.1:5060")));
	MUST(!td_ip_parse(&from, TD_STR("192.0.2.2")));
	MUST(!td_sim_open(&sim, 1));
	MUST(!td_wire_open(&wire, sim));
	end_open(&us, sim, wire, &at);
	end_open(&peer, sim, wire, &from);
	MUST(!td_tp_group_open(&group, 1));
	MUST(!td_tp_open(&tp, group, 0, us.net, NULL, NULL, &tp_events, s));
	MUST(!td_tp_listen(tp, &index, TD_TCP, &at));
	td_out_init(&s->messages);
	td_out_init(&s->back);
	s->closed = false;
	MUST(!td_conn_open(&c, peer.net, &at, &conn_events, s));
	td_sim_run(sim, 10);
	feed(sim, c, s, p, n, seed, most);
	td_conn_close(c);
	td_sim_run(sim, 10);
	td_tp_close(tp);
	td_tp_group_close(group);
	end_close(&us);
	end_close(&peer);
	td_wire_close(wire);
	td_sim_close(sim);
}

/* The To tag of a 400 is random; its beginning is not. */
static struct td_str comparable(const struct seen *s)
{
	struct td_str v = td_out_view(&s->back);
	const char *at = v.n ? memmem(v.p, v.n, "SIP/2.0 ", 8) : NULL;

	return at ? td_str_n(v.p, (size_t)(at - v.p) + 11) : v;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seen whole, pieces;
	uint32_t seed;

	if (size < 2)
		return 0;
	seed = data[0] + 1U;
	play(&whole, data + 1, size - 1, 0, 0);
	play(&pieces, data + 1, size - 1, seed, 1 + size / (1 + data[0] % 64));
	MUST(td_str_eq(td_out_view(&whole.messages), td_out_view(&pieces.messages)));
	MUST(td_str_eq(comparable(&whole), comparable(&pieces)));
	MUST(whole.closed == pieces.closed);
	td_out_free(&whole.messages);
	td_out_free(&whole.back);
	td_out_free(&pieces.messages);
	td_out_free(&pieces.back);
	return 0;
}
