#include "transports.h"

#include "../tls.h"

struct td_addr server_addr(enum td_proto proto)
{
	static const char *const at[] = {
		[TD_UDP] = SERVER_IP ":5060", [TD_TCP] = SERVER_IP ":5060", [TD_TLS] = SERVER_IP ":5061",
		[TD_WS] = SERVER_IP ":8080",  [TD_WSS] = SERVER_IP ":8443",
	};
	struct td_addr a;

	assert_int_equal(td_addr_parse(&a, td_str_of(at[proto])), 0);
	return a;
}

/* The server has one for its domain and address, the phones together one for 10.0.1.1 to .3 and for Proxy 1, and each side believes the other. */
static void make_certificates(struct world *w)
{
	static const struct td_str ours[] = { TD_STR_INIT("example.test"), TD_STR_INIT(SERVER_IP) };
	static const struct td_str theirs[] = { TD_STR_INIT("10.0.1.5"), TD_STR_INIT("10.0.1.1"), TD_STR_INIT("10.0.1.2"),
						TD_STR_INIT("10.0.1.3") };
	struct cert server, peers;

	cert_make(&server, ours, TD_ARRAY_LEN(ours));
	cert_make(&peers, theirs, TD_ARRAY_LEN(theirs));
	w->certs = calloc(1, sizeof(*w->certs));
	assert_non_null(w->certs);
	atomic_init(&w->certs->refs, 1);
	td_arena_init(&w->certs->arena);
	w->certs->tls = tls_with(&server, &peers);
	w->peers_tls = tls_with(&peers, &server);
	cert_free(&server);
	cert_free(&peers);
}

void everywhere_open(struct world *w)
{
	struct td_addr ip;

	make_certificates(w);
	assert_int_equal(td_ip_parse(&ip, TD_STR(SERVER_IP)), 0);
	assert_int_equal(td_sim_loop(&w->outside_loop, w->sim), 0);
	assert_int_equal(td_net_open_sim(&w->outside_net, w->outside_loop, w->wire, &ip), 0);
}

void everywhere_close(struct world *w)
{
	if (!w->outside_loop)
		return;
	td_net_close(w->outside_net);
	td_loop_close(w->outside_loop);
	td_certs_unref(w->certs);
	td_tls_unref(w->peers_tls);
}

/* ---- WebSocket ---- */

/* Each is a message whole: RFC 7118 §4.2. */
static int on_send(void *arg, struct td_buf *buf)
{
	phone_keep(arg, buf, 0, buf->len);
	return 0;
}

static void on_close(void *arg, int why, bool linger)
{
	struct phone *p = arg;

	p->adopted = NULL;
	p->closed = true;
}

static const struct td_tp_holder holder = { .send = on_send, .close = on_close };

static unsigned listener_of(const struct world *w, enum td_proto proto)
{
	for (unsigned i = 0; i < w->cfg->listen_n; i++)
		if (w->cfg->listen[i].proto == proto)
			return i;
	fail_msg("the server does not listen there");
	return 0;
}

void websocket_send(struct phone *p, struct td_str bytes)
{
	struct td_tp *tp = td_server_outside(p->w->server);

	if (!p->adopted && td_tp_adopt(&p->adopted, tp, listener_of(p->w, p->proto), &p->addr, &holder, p)) {
		p->closed = true; /* as whoever is not accepted sees it */
		return;
	}
	if (td_tp_adopted_data(p->adopted, bytes, 0, true))
		assert_true(p->closed);
}

void websocket_close(struct phone *p)
{
	if (p->adopted)
		td_tp_adopted_lost(p->adopted, TD_ECLOSED);
	p->adopted = NULL;
}
