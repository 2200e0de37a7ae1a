/*
 * The whole server as one state machine: transactions, registrar, gate and proxy on the simulated network. The input is a list of
 * things that happen: peers send requests made of templates with a part of them replaced, answer what they got, send it back, send
 * bytes; time passes; packets are lost and doubled. The last byte chooses whether any.test is forwarded without state. At the end the network is whole again and 400 seconds pass: no transaction,
 * no response context and no pending call may be left (D7), and no memory.
 */
#include <stdio.h>
#include <stdlib.h>

#include "server/worker/worker.h"
#include "inside.h"

enum { PEERS = 4, KEPT = 8, STEPS = 120 };

struct world;

/* Peers 0, 1 and 3 are trusted, 2 is not; 3 speaks TCP. */
struct peer {
	struct world *w;
	unsigned index;
	struct td_net *net;
	struct td_udp *udp;
	struct td_conn *conn;
	struct td_buf *got[KEPT]; /* the last messages, newest first */
};

struct world {
	struct td_sim *sim;
	struct td_wire *wire;
	struct td_wire_rules rules;
	struct td_loop *loops[2], *peers_loop;
	struct td_net *nets[2];
	struct td_users *users;
	struct td_config *cfg;
	struct td_server *server;
	struct td_server_status status;
	struct td_addr server_addr;
	struct peer peers[PEERS];
	const uint8_t *p, *end;
};

/* ---- input ---- */

static unsigned byte(struct world *w)
{
	return w->p < w->end ? *w->p++ : 0;
}

static struct td_str bytes(struct world *w, size_t n)
{
	struct td_str s = { (const char *)w->p, n };

	if (s.n > (size_t)(w->end - w->p))
		s.n = (size_t)(w->end - w->p);
	w->p += s.n;
	return s;
}

/* ---- peers ---- */

static void keep(struct peer *p, struct td_buf *b)
{
	td_buf_unref(p->got[KEPT - 1]);
	memmove(&p->got[1], &p->got[0], (KEPT - 1) * sizeof(p->got[0]));
	p->got[0] = b;
}

static void on_datagram(struct td_udp *udp, struct td_buf *buf, const struct td_addr *from, void *arg)
{
	keep(arg, td_buf_ref(buf));
}

/* What the server sends in one turn to a stream may be several messages: the first is looked at. */
static void on_bytes(struct td_conn *c, struct td_str in, void *arg)
{
	struct td_buf *b = td_buf_copy(in);

	if (b)
		keep(arg, b);
}

static void on_closed(struct td_conn *c, int err, void *arg)
{
	((struct peer *)arg)->conn = NULL;
	td_conn_close(c);
}

static const struct td_conn_events conn_events = { .data = on_bytes, .closed = on_closed };

static void send_to_server(struct peer *p, struct td_str s)
{
	struct td_buf *b = td_buf_copy(s);

	if (!b)
		return;
	if (p->udp)
		td_udp_send(p->udp, &p->w->server_addr, b);
	else if (p->conn || !td_conn_open(&p->conn, p->net, &p->w->server_addr, &conn_events, p))
		td_conn_send(p->conn, b);
	td_buf_unref(b);
}

static void peer_open(struct peer *p, struct world *w, unsigned index)
{
	static const char *const hosts[PEERS] = { "10.0.1.1", "10.0.1.2", "10.6.6.6", "10.0.1.3" };
	struct td_addr a;

	p->w = w;
	p->index = index;
	must(!td_ip_parse(&a, td_str_of(hosts[index])));
	must(!td_net_open_sim(&p->net, w->peers_loop, w->wire, &a));
	a.port = 5060;
	if (index != 3)
		must(!td_udp_open(&p->udp, p->net, &a, 0, on_datagram, p));
}

static void peer_close(struct peer *p)
{
	for (unsigned i = 0; i < KEPT; i++)
		td_buf_unref(p->got[i]);
	if (p->udp)
		td_udp_close(p->udp);
	if (p->conn)
		td_conn_close(p->conn);
}

/* ---- what they say ---- */

static const char *const methods[] = { "INVITE",  "REGISTER", "ACK",       "BYE",   "CANCEL",
				       "MESSAGE", "OPTIONS",  "SUBSCRIBE", "PRACK", "WHATEVER" };
static const char *const uris[] = {
	"sip:a@any.test",
	"sip:b@any.test",
	"sip:any.test",
	"sip:alice@example.test",
	"sip:nobody@example.test",
	"sip:10.0.0.1",
	"sip:b@10.0.1.2:5060",
	"sip:x@10.9.9.9",
	"tel:+1-2",
	"sip:c@10.0.1.3;transport=tcp",
	"sip:a@10.0.0.1:5060;lr;td=1",
};

/* A request; then some bytes of it are overwritten, removed or inserted by the input. */
static void send_request(struct world *w, struct peer *p)
{
	const char *method = methods[byte(w) % TD_ARRAY_LEN(methods)], *uri = uris[byte(w) % TD_ARRAY_LEN(uris)];
	unsigned call = byte(w), branch = byte(w), how = byte(w), at = byte(w) * 4, n;
	const char *to = uris[call % 5];
	struct td_str insert;
	struct td_out o, out;

	td_out_init(&o);
	td_out_init(&out);
	td_out_fmt(&o, "%s %s SIP/2.0\r\nVia: SIP/2.0/%s 10.0.1.%u:5060;rport;branch=z9hG4bK%u\r\n", method, uri,
		   p->udp ? "UDP" : "TCP", p->index + 1, branch);
	if (how & 8)
		td_out_fmt(&o, "Route: <sip:10.0.0.1;lr>%s\r\n", how & 16 ? ", <sip:10.0.1.2;lr>" : "");
	if (how & 32)
		td_out_fmt(&o, "Max-Forwards: %u\r\n", branch & 3);
	td_out_fmt(&o,
		   "From: <sip:%c@any.test>;tag=%u\r\nTo: <%s>%s\r\nCall-ID: c%u\r\nCSeq: %u %s\r\nContact: "
		   "<sip:%c@10.0.1.%u%s>%s\r\n",
		   'a' + p->index, call & 7, to, how & 64 ? ";tag=t" : "", call & 15, 1 + (branch & 7), method, 'a' + p->index,
		   how & 128       ? 2
		   : p->index == 3 ? 3
				   : p->index + 1,
		   p->index == 3 ? ";transport=tcp" : "", how & 4 ? ";expires=0" : "");
	td_out_z(&o, "Content-Length: 0\r\n\r\n");
	n = (how & 3) == 0 ? 0 : byte(w) & 31;
	insert = (how & 3) == 0 ? TD_STR_NULL : bytes(w, n);
	if (at > o.n)
		at = (unsigned)o.n;
	td_out_str(&out, td_str_n(o.p, at));
	td_out_str(&out, insert);
	at += (how & 3) == 2 ? (unsigned)insert.n : (how & 3) == 3 ? 2 * (unsigned)insert.n : 0;
	if (at < o.n)
		td_out_str(&out, td_str_n(o.p + at, o.n - at));
	if (!out.failed)
		send_to_server(p, td_out_view(&out));
	td_out_free(&o);
	td_out_free(&out);
}

static void send_answer(struct world *w, struct peer *p)
{
	static const unsigned statuses[] = { 100, 180, 183, 200, 200, 302, 401, 407, 408, 480, 486, 487, 503, 600 };
	struct td_buf *b = p->got[byte(w) % KEPT];
	unsigned status = statuses[byte(w) % TD_ARRAY_LEN(statuses)], tag = byte(w);
	struct td_msg *m;
	struct td_out o;

	if (!b || td_msg_parse(&m, b, 0, b->len))
		return;
	if (m->request) {
		td_out_init(&o);
		td_put_response_head(&o, m, status, TD_STR_NULL, tag & 1 ? TD_STR("t") : TD_STR("u"), true);
		if (!(tag & 2))
			td_out_fmt(&o, "Contact: <sip:%c@10.0.1.%u>\r\n", 'a' + p->index, p->index + 1);
		td_put_body(&o, TD_STR_NULL, TD_STR_NULL);
		if (!o.failed)
			send_to_server(p, td_out_view(&o));
		td_out_free(&o);
	}
	td_msg_unref(m);
}

/* A peer that is a proxy, well behaved or not: what it got goes back with a Via of its own, or exactly as it came. */
static void send_back(struct world *w, struct peer *p)
{
	struct td_buf *b = p->got[byte(w) % KEPT];
	unsigned how = byte(w);
	struct td_out o;
	const char *eol;

	if (!b)
		return;
	eol = memmem(b->data, b->len, "\r\n", 2);
	td_out_init(&o);
	if (eol && how & 1) {
		td_out_str(&o, td_str_n(b->data, (size_t)(eol + 2 - b->data)));
		td_out_fmt(&o, "Via: SIP/2.0/UDP 10.0.1.%u;branch=z9hG4bKp%u\r\n", p->index + 1, how);
		td_out_str(&o, td_str_n(eol + 2, b->len - (size_t)(eol + 2 - b->data)));
	} else {
		td_out_str(&o, td_buf_str(b));
	}
	if (!o.failed)
		send_to_server(p, td_out_view(&o));
	td_out_free(&o);
}

static void happen(struct world *w)
{
	static const unsigned waits[] = { 1, 20, 400, 600, 5000, 33000, 190000 };
	unsigned what = byte(w);
	struct peer *p = &w->peers[what >> 6];

	switch (what & 7) {
	case 0:
	case 1: send_request(w, p); break;
	case 2:
	case 3: send_answer(w, p); break;
	case 4: send_back(w, p); break;
	case 5: send_to_server(p, bytes(w, byte(w))); break;
	case 6:
		w->rules.loss = byte(w) / 512.0;
		w->rules.duplicate = byte(w) / 512.0;
		td_wire_rules(w->wire, &w->rules);
		break;
	case 7:
		if (p->conn && what & 32) {
			td_conn_close(p->conn);
			p->conn = NULL;
		}
		td_sim_run(w->sim, waits[byte(w) % TD_ARRAY_LEN(waits)]);
		break;
	}
	td_sim_run(w->sim, 1);
}

/* ---- the world ---- */

static void world_open(struct world *w, bool stateless)
{
	static const char yaml[] =
		"domains: [{name: example.test}, {name: any.test, users: any, mode: %s}]\nlisten: [\"udp:10.0.0.1\", "
		"\"tcp:10.0.0.1\"]\n"
		"workers: 2\nregistrations: memory\ntrust: [10.0.1.0/24]\nstate: ./s\nproxy: {max_pending: 20, max_branches: "
		"5}\n";
	struct td_server_options opt = { .rr_key = "sixteen byte key" };
	struct td_user alice = { .aor = TD_STR("alice@example.test"), .extension = TD_STR("12") };
	struct td_addr ip;
	struct td_out why, text;

	td_out_init(&why);
	td_out_init(&text);
	td_out_fmt(&text, yaml, stateless ? "stateless" : "proxy");
	must(!text.failed);
	must(!td_sim_open(&w->sim, 1));
	must(!td_wire_open(&w->wire, w->sim));
	w->rules.delay_us = 200;
	td_wire_rules(w->wire, &w->rules);
	must(!td_sim_loop(&w->peers_loop, w->sim));
	must(!td_addr_parse(&w->server_addr, TD_STR("10.0.0.1:5060")));
	ip = w->server_addr;
	ip.port = 0;
	for (unsigned i = 0; i < 2; i++) {
		must(!td_sim_loop(&w->loops[i], w->sim));
		must(!td_net_open_sim(&w->nets[i], w->loops[i], w->wire, &ip));
	}
	must(!td_config_parse(&w->cfg, &why, TD_STR("fuzz"), td_out_view(&text)));
	td_out_free(&text);
	must(!td_users_open(&w->users, td_sim_rng(w->sim)));
	opt.cfg = w->cfg;
	opt.users = w->users;
	opt.loops = w->loops;
	opt.nets = w->nets;
	must(!td_server_open(&w->server, &opt, &why));
	must(!td_users_put(w->users, &alice));
	for (unsigned i = 0; i < PEERS; i++)
		peer_open(&w->peers[i], w, i);
	td_out_free(&why);
}

static void got_status(void *arg, const struct td_server_status *st)
{
	((struct world *)arg)->status = *st;
}

static void world_end(struct world *w)
{
	w->rules = (struct td_wire_rules){ .delay_us = 200 };
	td_wire_rules(w->wire, &w->rules);
	td_sim_run(w->sim, 400000);
	must(!td_server_status(w->server, w->peers_loop, got_status, w));
	td_sim_run(w->sim, 1);
	must(w->status.workers == 2);
	must(w->status.proxy.contexts == 0 && w->status.proxy.branches == 0 && w->status.proxy.sources == 0);
	must(w->status.txn.srvtx_open == 0 && w->status.txn.clitx_open == 0);
}

static void world_close(struct world *w)
{
	for (unsigned i = 0; i < PEERS; i++)
		peer_close(&w->peers[i]);
	td_sim_run(w->sim, 1);
	for (unsigned i = 0; i < PEERS; i++)
		td_net_close(w->peers[i].net);
	td_server_close(w->server);
	for (unsigned i = 0; i < 2; i++) {
		td_net_close(w->nets[i]);
		td_loop_close(w->loops[i]);
	}
	td_users_close(w->users);
	td_config_unref(w->cfg);
	td_wire_close(w->wire);
	td_loop_close(w->peers_loop);
	td_sim_close(w->sim);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world w = { .p = data, .end = data + size };

	world_open(&w, size && data[size - 1] & 1);
	for (unsigned i = 0; i < STEPS && w.p < w.end; i++)
		happen(&w);
	world_end(&w);
	world_close(&w);
	return 0;
}
