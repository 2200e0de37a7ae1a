/*
 * A name server on the simulated wire, for tests of what asks one: it answers from a table, or misbehaves as told. Names are written
 * without compression; NXDOMAIN and NODATA come with an SOA record.
 */
#ifndef TESTS_NAME_SERVER_H
#define TESTS_NAME_SERVER_H

#include "support.h"

#include <stdio.h>
#include <tandem/net.h>

/* data as in a zone file: "192.0.2.1", "10 60 5060 host.example", "50 50 s SIP+D2T _sip._tcp.example", "alias.example" */
struct zone_row {
	const char *name, *type;
	uint32_t ttl;
	const char *data;
};

struct name_server {
	struct td_net *net;
	struct td_udp *udp, *other; /* other: a second port, for answers from where nobody was asked */
	struct td_listener *tcp;
	const struct zone_row *rows;
	unsigned row_n;
	struct td_addr addr;
	/* misbehaviour */
	bool silent, no_soa, no_edns, truncate, follow_no_alias;
	unsigned rcode;           /* not 0: all it says */
	unsigned strange;         /* so many packets that are no answer come before each */
	const char *silent_about; /* questions whose name ends so are not answered */
	uint32_t delay_ms;
	struct td_loop *loop;
	struct delayed *delayed;
	struct td_conn *conns[16];
	char in[512]; /* by TCP: one connection at a time */
	size_t in_n;
	/* what it saw */
	unsigned questions, by_tcp;
	uint16_t ports[64]; /* the sources of the first questions */
	uint16_t ids[64];
};

struct delayed {
	struct td_timer timer;
	struct name_server *ns;
	struct delayed *next;
	struct td_addr to;
	struct td_buf *buf;
};

static inline void ns_put16(struct td_out *o, unsigned v)
{
	td_out_char(o, (char)(v >> 8));
	td_out_char(o, (char)v);
}

static inline void ns_put32(struct td_out *o, uint32_t v)
{
	ns_put16(o, v >> 16);
	ns_put16(o, v & 0xffff);
}

static inline void ns_put_name(struct td_out *o, const char *name)
{
	struct td_str rest = td_str_of(name), label;

	while (rest.n && (label = td_str_split(&rest, '.')).p) {
		if (!label.n)
			break;
		td_out_char(o, (char)label.n);
		td_out_str(o, label);
	}
	td_out_char(o, 0);
}

static inline unsigned ns_type(const char *type)
{
	static const struct {
		const char *name;
		unsigned number;
	} types[] = { { "A", 1 }, { "CNAME", 5 }, { "SOA", 6 }, { "AAAA", 28 }, { "SRV", 33 }, { "NAPTR", 35 } };

	for (size_t i = 0; i < TD_ARRAY_LEN(types); i++)
		if (!strcmp(types[i].name, type))
			return types[i].number;
	fail_msg("no type %s", type);
	return 0;
}

static inline void ns_put_text(struct td_out *o, struct td_str s)
{
	if (td_str_eq(s, TD_STR("-")))
		s.n = 0;
	td_out_char(o, (char)s.n);
	td_out_str(o, s);
}

static inline void ns_put_data(struct td_out *o, const struct zone_row *row)
{
	struct td_str rest = td_str_of(row->data);
	char name[300];
	struct td_addr a;
	uint32_t v;
	unsigned numbers = !strcmp(row->type, "SRV") ? 3 : !strcmp(row->type, "NAPTR") ? 2 : 0;

	if (!strcmp(row->type, "A") || !strcmp(row->type, "AAAA")) {
		assert_int_equal(td_ip_parse(&a, rest), 0);
		td_out_str(o, td_str_n((const char *)a.ip, a.family == TD_AF_V4 ? 4 : 16));
		return;
	}
	for (unsigned i = 0; i < numbers; i++) {
		assert_int_equal(td_str_u32(&v, td_str_split(&rest, ' ')), 0);
		ns_put16(o, v);
	}
	if (numbers == 2) {
		ns_put_text(o, td_str_split(&rest, ' '));
		ns_put_text(o, td_str_split(&rest, ' '));
		ns_put_text(o, TD_STR_NULL);
	}
	snprintf(name, sizeof(name), "%.*s", TD_FMT(rest));
	ns_put_name(o, strcmp(name, ".") ? name : "");
}

static inline void ns_put_record(struct td_out *o, const struct zone_row *row)
{
	struct td_out data;

	td_out_init(&data);
	ns_put_data(&data, row);
	ns_put_name(o, row->name);
	ns_put16(o, ns_type(row->type));
	ns_put16(o, 1);
	ns_put32(o, row->ttl);
	ns_put16(o, (unsigned)data.n);
	td_out_str(o, td_out_view(&data));
	o->failed |= data.failed;
	td_out_free(&data);
}

static inline void ns_put_soa(struct td_out *o, uint32_t minimum)
{
	ns_put_name(o, "example");
	ns_put16(o, 6);
	ns_put16(o, 1);
	ns_put32(o, 3600);
	ns_put16(o, 1 + 1 + 20);
	ns_put_name(o, "");
	ns_put_name(o, "");
	for (int i = 0; i < 4; i++)
		ns_put32(o, 1);
	ns_put32(o, minimum);
}

/* The name of a question as text; its type. */
static inline unsigned ns_question(char name[300], struct td_str q, size_t *end)
{
	size_t at = 12, n = 0;

	assert_true(q.n > 16);
	while (q.p[at]) {
		for (unsigned len = (uint8_t)q.p[at++]; len; len--)
			name[n++] = q.p[at++];
		name[n++] = '.';
	}
	name[n ? n - 1 : 0] = '\0';
	*end = at + 5;
	return (unsigned)((uint8_t)q.p[at + 1] << 8 | (uint8_t)q.p[at + 2]);
}

/* Records of that name and type; or its alias, and what that leads to. */
static inline unsigned ns_answers(struct td_out *o, const struct name_server *ns, const char *name, unsigned type, bool *known,
				  unsigned depth)
{
	unsigned n = 0;

	for (unsigned i = 0; i < ns->row_n; i++) {
		const struct zone_row *row = &ns->rows[i];

		if (strcasecmp(row->name, name))
			continue;
		*known = true;
		if (ns_type(row->type) == type || !strcmp(row->type, "CNAME")) {
			ns_put_record(o, row);
			n++;
		}
		if (!strcmp(row->type, "CNAME") && type != 5 && !ns->follow_no_alias && depth < 30)
			n += ns_answers(o, ns, row->data, type, known, depth + 1);
	}
	return n;
}

static inline struct td_buf *ns_answer(struct name_server *ns, struct td_str q, bool tcp)
{
	struct td_out o, body;
	char name[300];
	size_t end;
	unsigned type = ns_question(name, q, &end), n, rcode = ns->rcode;
	bool known = false, edns = q.p[11] != 0;

	if (ns->silent || (ns->silent_about && td_str_ends(td_str_of(name), td_str_of(ns->silent_about))))
		return NULL;
	if (ns->no_edns && edns)
		rcode = 1;
	td_out_init(&o);
	td_out_init(&body);
	n = rcode || (ns->truncate && !tcp) ? 0 : ns_answers(&body, ns, name, type, &known, 0);
	td_out_str(&o, td_str_n(q.p, 2));
	ns_put16(&o, 0x8580u | (ns->truncate && !tcp ? 0x0200 : 0) | (rcode ? rcode : known || ns->truncate ? 0 : 3));
	ns_put16(&o, 1);
	ns_put16(&o, n);
	ns_put16(&o, !n && !ns->no_soa && !rcode);
	ns_put16(&o, 0);
	td_out_str(&o, td_str_n(q.p + 12, end - 12));
	td_out_str(&o, td_out_view(&body));
	o.failed |= body.failed;
	if (!n && !ns->no_soa && !rcode)
		ns_put_soa(&o, 30);
	td_out_free(&body);
	return td_out_buf(&o); /* no memory: no answer */
}

static inline void ns_send_delayed(struct td_timer *tm, void *arg)
{
	struct delayed *d = arg;

	for (struct delayed **p = &d->ns->delayed; *p; p = &(*p)->next)
		if (*p == d) {
			*p = d->next;
			break;
		}
	td_udp_send(d->ns->udp, &d->to, d->buf);
	td_buf_unref(d->buf);
	free(d);
}

static inline void ns_send(struct name_server *ns, const struct td_addr *to, struct td_buf *b)
{
	struct delayed *d = ns->delay_ms ? calloc(1, sizeof(*d)) : NULL;

	if (!d) {
		td_udp_send(ns->udp, to, b);
		td_buf_unref(b);
		return;
	}
	*d = (struct delayed){ .ns = ns, .next = ns->delayed, .to = *to, .buf = b };
	ns->delayed = d;
	td_timer_init(&d->timer, ns_send_delayed, d);
	td_timer_start(ns->loop, &d->timer, ns->delay_ms);
}

/* Wrong id; another question; the right bytes from a port that was not asked. */
static inline void ns_send_strange(struct name_server *ns, const struct td_addr *to, const struct td_buf *answer, unsigned i)
{
	struct td_buf *b = td_buf_copy(td_buf_str(answer));

	if (i % 3 == 0)
		b->data[0] ^= 0x5a;
	else if (i % 3 == 1)
		b->data[13] ^= 1;
	td_udp_send(i % 3 == 2 ? ns->other : ns->udp, to, b);
	td_buf_unref(b);
}

static inline void ns_on_datagram(struct td_udp *udp, struct td_buf *buf, const struct td_addr *from, void *arg)
{
	struct name_server *ns = arg;
	struct td_buf *b = ns_answer(ns, td_buf_str(buf), false);

	if (ns->questions < TD_ARRAY_LEN(ns->ports)) {
		ns->ports[ns->questions] = from->port;
		ns->ids[ns->questions] = (uint16_t)((uint8_t)buf->data[0] << 8 | (uint8_t)buf->data[1]);
	}
	ns->questions++;
	if (!b)
		return;
	for (unsigned i = 0; i < ns->strange; i++)
		ns_send_strange(ns, from, b, i);
	ns_send(ns, from, b);
}

static inline void ns_on_data(struct td_conn *c, struct td_str bytes, void *arg)
{
	struct name_server *ns = arg;
	struct td_buf *b, *framed;

	assert_true(ns->in_n + bytes.n <= sizeof(ns->in));
	memcpy(ns->in + ns->in_n, bytes.p, bytes.n);
	ns->in_n += bytes.n;
	if (ns->in_n < 2 || ns->in_n < 2 + ((size_t)(uint8_t)ns->in[0] << 8 | (uint8_t)ns->in[1]))
		return;
	ns->by_tcp++;
	b = ns_answer(ns, td_str_n(ns->in + 2, ns->in_n - 2), true);
	ns->in_n = 0;
	if (!b)
		return;
	framed = td_buf_new(b->len + 2u);
	if (!framed) {
		td_buf_unref(b);
		return;
	}
	framed->data[0] = (char)(b->len >> 8);
	framed->data[1] = (char)b->len;
	memcpy(framed->data + 2, b->data, b->len);
	framed->len = b->len + 2;
	td_conn_send(c, framed);
	td_buf_unref(framed);
	td_buf_unref(b);
}

static inline void ns_on_closed(struct td_conn *c, int err, void *arg)
{
	struct name_server *ns = arg;

	for (size_t i = 0; i < TD_ARRAY_LEN(ns->conns); i++)
		if (ns->conns[i] == c)
			ns->conns[i] = NULL;
	td_conn_close(c);
}

static const struct td_conn_events ns_conn_events = { .data = ns_on_data, .closed = ns_on_closed };

static inline void ns_on_accept(struct td_listener *l, struct td_conn *c, void *arg)
{
	struct name_server *ns = arg;

	ns->in_n = 0;
	td_conn_handle(c, &ns_conn_events, arg);
	for (size_t i = 0; i < TD_ARRAY_LEN(ns->conns); i++)
		if (!ns->conns[i]) {
			ns->conns[i] = c;
			return;
		}
	td_conn_close(c);
}

/* At ip, port 53. rows are borrowed. */
static inline void name_server_open(struct name_server *ns, struct td_loop *loop, struct td_wire *wire, const char *ip,
				    const struct zone_row *rows, unsigned n)
{
	struct td_addr second;

	memset(ns, 0, sizeof(*ns));
	ns->rows = rows;
	ns->row_n = n;
	ns->loop = loop;
	assert_int_equal(td_ip_parse(&ns->addr, td_str_of(ip)), 0);
	assert_int_equal(td_net_open_sim(&ns->net, loop, wire, &ns->addr), 0);
	second = ns->addr;
	ns->addr.port = 53;
	second.port = 54;
	assert_int_equal(td_udp_open(&ns->udp, ns->net, &ns->addr, 0, ns_on_datagram, ns), 0);
	assert_int_equal(td_udp_open(&ns->other, ns->net, &second, 0, ns_on_datagram, ns), 0);
	assert_int_equal(td_listener_open(&ns->tcp, ns->net, &ns->addr, 0, ns_on_accept, ns), 0);
}

static inline void name_server_close(struct name_server *ns)
{
	while (ns->delayed) {
		struct delayed *d = ns->delayed;

		ns->delayed = d->next;
		td_timer_stop(ns->loop, &d->timer);
		td_buf_unref(d->buf);
		free(d);
	}
	for (size_t i = 0; i < TD_ARRAY_LEN(ns->conns); i++)
		if (ns->conns[i])
			td_conn_close(ns->conns[i]);
	td_udp_close(ns->udp);
	td_udp_close(ns->other);
	td_listener_close(ns->tcp);
	td_net_close(ns->net);
}

#endif
