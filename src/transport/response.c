/*
 * Vias: what the receiving side adds to the top one (RFC 3261 §18.2.1, RFC 3581 §4), where a response goes because of it
 * (§18.2.2), and the one we put on top of what we send.
 *
 * A response never goes where a peer merely says: the address is the packet's source, which is what `received` would hold
 * (§18.2.1 makes us add it whenever sent-by differs), so a `received`, `rport` or `maddr` written by the peer is not read
 * (P5). For UDP only the port may differ from the source's: without rport it is the one in sent-by.
 */
#include "internal.h"

#include <errno.h>

static const struct td_str proto_names[TD_PROTO_COUNT] = {
	TD_STR_INIT("UDP"), TD_STR_INIT("TCP"), TD_STR_INIT("TLS"), TD_STR_INIT("WS"), TD_STR_INIT("WSS"),
};

struct td_str td_proto_name(enum td_proto p)
{
	return proto_names[p];
}

struct td_str td_proto_word(enum td_proto p)
{
	static const struct td_str words[TD_PROTO_COUNT] = {
		TD_STR_INIT("udp"), TD_STR_INIT("tcp"), TD_STR_INIT("tls"), TD_STR_INIT("ws"), TD_STR_INIT("wss"),
	};

	return words[p];
}

struct td_str td_proto_param(enum td_proto p)
{
	static const struct td_str params[TD_PROTO_COUNT] = {
		TD_STR_INIT(""),
		TD_STR_INIT(";transport=tcp"),
		TD_STR_INIT(";transport=tls"),
		TD_STR_INIT(";transport=ws"),
		TD_STR_INIT(";transport=ws"), /* of either kind (RFC 7118 §5.2) */
	};

	return params[p];
}

int td_proto_parse(enum td_proto *out, struct td_str name)
{
	unsigned i;

	for (i = 0; i < TD_PROTO_COUNT; i++) {
		if (td_str_ieq(name, proto_names[i])) {
			*out = (enum td_proto)i;
			return 0;
		}
	}
	return TD_EUNSUPPORTED;
}

uint16_t td_proto_port(enum td_proto p)
{
	static const uint16_t ports[TD_PROTO_COUNT] = { 5060, 5060, 5061, 80, 443 };

	return ports[p];
}

int td_tp_note_source(struct td_msg *msg, const struct td_flow *from)
{
	const struct td_via *via = &msg->via;
	struct td_addr said;
	char *text;
	struct td_out o;

	msg->rport = via->rport ? from->peer.port : 0;
	/* RFC 3581 §4: with rport, received is added even when it is no news. One the peer wrote itself is replaced. */
	if (!via->rport && !via->received.p && !td_ip_parse(&said, via->host) && td_ip_eq(&said, &from->peer))
		return 0;
	text = td_arena_alloc(&msg->arena, TD_ADDR_TEXT);
	if (!text)
		return -ENOMEM;
	td_out_init_fixed(&o, text, TD_ADDR_TEXT);
	td_ip_print(&o, &from->peer);
	msg->received = td_out_view(&o);
	return 0;
}

void td_tp_response_flow(struct td_flow *out, const struct td_msg *req, const struct td_flow *from)
{
	*out = *from;
	if (from->proto == TD_UDP && !req->via.rport)
		out->peer.port = req->via.port ? req->via.port : td_proto_port(TD_UDP);
}

int td_tp_reconnect_flow(struct td_flow *out, struct td_tp *tp, const struct td_msg *req, const struct td_flow *from)
{
	struct td_addr peer = from->peer;

	peer.port = req->via.port ? req->via.port : td_proto_port(from->proto);
	return td_tp_flow_to_host(out, tp, from->proto, &peer, req->via.host);
}

int td_tp_via_flow(struct td_flow *out, struct td_tp *tp, const struct td_via *via)
{
	struct td_addr peer;
	enum td_proto proto;
	int err = td_proto_parse(&proto, via->transport);

	if (err)
		return err;
	err = td_ip_parse(&peer, via->received.p ? via->received : via->host);
	if (err)
		return err;
	if (via->rport_value)
		peer.port = via->rport_value;
	else
		peer.port = via->port ? via->port : td_proto_port(proto);
	return td_tp_flow_to_host(out, tp, proto, &peer, via->host);
}

/* ---- our own address in text ---- */

enum { SOURCE_KEPT_MS = 5000 }; /* routes change seldom, and an answer by an old one is no worse than none */

/* An address is ours when packets to it would leave from it; all of 127/8 is. */
static bool is_local(const struct td_tp *tp, const struct td_addr *ip)
{
	struct td_addr source;

	return td_ip_is_loopback(ip) || (!td_net_source(&source, tp->net, ip) && td_ip_eq(&source, ip));
}

/* Our address as f's peer sees it. A listener on 0.0.0.0 has none of its own: the routing table knows. */
static struct td_addr own_address(const struct td_tp *tp, const struct td_flow *f)
{
	struct tp_listener *ln = tp->listeners[f->listener];
	uint64_t now = td_loop_now_ms(tp->loop);
	const struct tp_conn *c;
	struct td_addr ours;

	if (ln->dial) { /* nobody is called there: the connection's own end, for who sends back over it */
		c = f->conn ? tp_conn_find(tp, f->conn) : NULL;
		return c && td_conn_local(c->io)->family != TD_AF_NONE ? *td_conn_local(c->io) : ln->addr;
	}
	if (!td_ip_is_any(&ln->addr))
		return ln->addr;
	if (td_ip_eq(&ln->peer, &f->peer) && now - ln->asked_ms < SOURCE_KEPT_MS)
		return ln->ours;
	if (td_net_source(&ours, tp->net, &f->peer))
		return ln->addr;
	ours.port = ln->addr.port;
	ln->peer = f->peer;
	ln->ours = ours;
	ln->asked_ms = now;
	return ours;
}

bool td_tp_is_my_addr(const struct td_tp *tp, const struct td_addr *addr)
{
	for (unsigned i = 0; i < tp->n_listeners; i++) {
		const struct td_addr *a = &tp->listeners[i]->addr;

		if (a->port != addr->port)
			continue;
		if (td_ip_eq(a, addr))
			return true;
		if (td_ip_is_any(a) && a->family == addr->family && is_local(tp, addr))
			return true;
	}
	return false;
}

bool td_tp_is_me(const struct td_tp *tp, struct td_str host, uint16_t port)
{
	struct td_addr addr;

	if (td_ip_parse(&addr, host))
		return false;
	addr.port = port ? port : td_proto_port(TD_UDP);
	return td_tp_is_my_addr(tp, &addr);
}

/* Our side of f as its Vias name it. The port is always written: elements disagree about which one is meant without it. */
static const struct tp_listener *written(const struct td_tp *tp, const struct td_flow *f)
{
	struct tp_listener *ln = tp->listeners[f->listener];
	struct td_addr ours = own_address(tp, f);
	struct td_out o;

	if (td_addr_eq(&ours, &ln->written))
		return ln;
	td_out_init_fixed(&o, ln->via, sizeof(ln->via));
	td_out_str(&o, TD_STR("SIP/2.0/"));
	td_out_str(&o, proto_names[ln->proto]);
	td_out_char(&o, ' ');
	ln->sent_by_at = (uint8_t)o.n;
	td_addr_print(&o, &ours);
	ln->sent_by_n = (uint8_t)(o.n - ln->sent_by_at);
	if (ln->proto == TD_TLS && !ln->dial) /* the other side may send to us over this connection (RFC 5923 §8.1) */
		td_out_str(&o, TD_STR(";alias"));
	td_out_str(&o, TD_STR(";rport;branch="));
	ln->via_n = (uint8_t)o.n;
	ln->written = ours;
	return ln;
}

void td_tp_put_sent_by(struct td_out *o, const struct td_tp *tp, const struct td_flow *f)
{
	const struct tp_listener *ln = written(tp, f);

	td_out_str(o, td_str_n(ln->via + ln->sent_by_at, ln->sent_by_n));
}

void td_tp_put_via(struct td_out *o, const struct td_tp *tp, const struct td_flow *f, struct td_str branch)
{
	const struct tp_listener *ln = written(tp, f);

	td_out_str(o, td_str_n(ln->via, ln->via_n));
	td_out_str(o, branch);
}
