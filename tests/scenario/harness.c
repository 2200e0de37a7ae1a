#include "harness.h"

#include "transports.h"

/* ---- the world ---- */

static void count_line(void *arg, enum td_log_level level, struct td_str line)
{
	struct world *w = arg;

	if (level <= TD_LOG_INFO)
		w->log_lines++;
	if (getenv("SCENARIO_LOG"))
		fprintf(stderr, "%.*s\n", TD_FMT(line));
}

static void open_config(struct world *w, const char *extra)
{
	struct td_out yaml, errors;

	td_out_init(&yaml);
	td_out_init(&errors);
	td_out_fmt(&yaml,
		   "domains:\n  - name: example.test\n  - {name: any.test, users: any}\n  - {name: example.com, users: any}\n"
		   "  - {name: quick.test, users: any, mode: stateless}\n"
		   "  - {name: turn.test, users: any, fork: serial, ring_time: 10s}\n"
		   "  - {name: there.test, users: any, mode: redirect}\n"
		   "  - {name: plain.test, users: any, recurse: no}\n"
		   "listen: [\"udp:" SERVER_IP ":5060\", \"tcp:" SERVER_IP ":5060\"%s]\n"
		   "workers: %u\nregistrations: memory\ntrust: [10.0.1.0/24]\nstate: ./state\n%s",
		   w->outside_loop ? ", \"tls:" SERVER_IP ":5061\", \"ws:" SERVER_IP ":8080\", \"wss:" SERVER_IP ":8443\"" : "",
		   w->workers, extra ? extra : "");
	if (td_config_parse(&w->cfg, &errors, TD_STR("test.yaml"), td_out_view(&yaml)))
		fail_msg("%.*s", TD_FMT(td_out_view(&errors)));
	td_out_free(&yaml);
	td_out_free(&errors);
}

enum { WITH_STORE = 1, EVERYWHERE = 2 };

static void world_start(struct world *w, uint64_t seed, unsigned workers, const char *extra, unsigned with)
{
	struct td_server_options opt = { .rr_key = "sixteen byte key" };
	struct td_addr ip;
	struct td_out why;

	memset(w, 0, sizeof(*w));
	w->workers = workers;
	w->rules = (struct td_wire_rules){ .delay_us = 500 };
	assert_int_equal(td_sim_open(&w->sim, seed), 0);
	assert_int_equal(td_wire_open(&w->wire, w->sim), 0);
	td_wire_rules(w->wire, &w->rules);
	assert_int_equal(td_sim_loop(&w->peers, w->sim), 0);
	assert_int_equal(td_ip_parse(&ip, TD_STR(SERVER_IP)), 0);
	for (unsigned i = 0; i < workers; i++) {
		assert_int_equal(td_sim_loop(&w->loops[i], w->sim), 0);
		assert_int_equal(td_net_open_sim(&w->nets[i], w->loops[i], w->wire, &ip), 0);
	}
	if (with & EVERYWHERE)
		everywhere_open(w);
	assert_int_equal(td_log_open(&w->log, TD_LOG_DEBUG, count_line, w), 0);
	open_config(w, extra);
	assert_int_equal(td_users_open(&w->users, td_sim_rng(w->sim)), 0);
	opt.cfg = w->cfg;
	opt.users = w->users;
	opt.log = w->log;
	opt.loops = w->loops;
	opt.nets = w->nets;
	opt.certs = w->certs;
	opt.outside_loop = w->outside_loop;
	opt.outside_net = w->outside_net;
	td_out_init(&why);
	if (with & WITH_STORE)
		assert_int_equal(td_store_open(&w->store, &(struct td_store_options){ .log = w->log }, &why), 0);
	opt.store = w->store;
	if (td_server_open(&w->server, &opt, &why))
		fail_msg("%.*s", TD_FMT(td_out_view(&why)));
	td_out_free(&why);
	assert_int_equal(td_server_start(w->server), 0);
}

void world_open(struct world *w, uint64_t seed, unsigned workers, const char *extra)
{
	world_start(w, seed, workers, extra, 0);
}

void world_open_with_store(struct world *w, uint64_t seed, unsigned workers, const char *extra)
{
	world_start(w, seed, workers, extra, WITH_STORE);
}

void world_open_everywhere(struct world *w, uint64_t seed, unsigned workers, const char *extra)
{
	world_start(w, seed, workers, extra, EVERYWHERE);
}

void world_run(struct world *w, uint64_t ms)
{
	td_sim_run(w->sim, ms);
}

void world_rules(struct world *w, double loss, double duplicate, double reorder)
{
	w->rules.loss = loss;
	w->rules.duplicate = duplicate;
	w->rules.reorder = reorder;
	if (loss > 0 || reorder > 0)
		w->rules.jitter_us = 20000;
	td_wire_rules(w->wire, &w->rules);
}

static void got_status(void *arg, const struct td_server_status *st)
{
	*(struct td_server_status *)arg = *st;
}

const struct td_server_status *world_status(struct world *w)
{
	w->status.workers = 0;
	assert_int_equal(td_server_status(w->server, w->peers, got_status, &w->status), 0);
	world_run(w, 1);
	assert_int_equal(w->status.workers, w->workers);
	return &w->status;
}

void world_assert_idle(struct world *w)
{
	const struct td_server_status *st = world_status(w);

	assert_int_equal(st->proxy.contexts, 0);
	assert_int_equal(st->proxy.branches, 0);
	assert_int_equal(st->proxy.sources, 0);
	assert_int_equal(st->txn.srvtx_open, 0);
	assert_int_equal(st->txn.clitx_open, 0);
}

void world_close(struct world *w)
{
	world_run(w, 300000); /* past Timer C and everything that follows it */
	world_assert_idle(w);
	td_server_close(w->server);
	td_store_close(w->store);
	everywhere_close(w);
	for (unsigned i = 0; i < w->workers; i++) {
		td_net_close(w->nets[i]);
		td_loop_close(w->loops[i]);
	}
	td_users_close(w->users);
	td_config_unref(w->cfg);
	td_wire_close(w->wire);
	td_loop_close(w->peers);
	td_sim_close(w->sim);
	td_log_close(w->log);
}

void world_user(struct world *w, const char *name, const char *password)
{
	struct td_user u = { .has = { true, true } };
	char aor[128];

	snprintf(aor, sizeof(aor), "%s@example.test", name);
	u.aor = td_str_of(aor);
	for (int alg = 0; alg < TD_DIGEST_ALGS; alg++)
		assert_int_equal(td_ha1_make(&u.ha1[alg], (enum td_digest_alg)alg, td_str_of(name), TD_STR("example.test"),
					     td_str_of(password)),
				 0);
	assert_int_equal(td_users_put(w->users, &u), 0);
}

/* ---- phones ---- */

void phone_keep(struct phone *p, struct td_buf *buf, size_t at, size_t n)
{
	struct td_msg *m;
	int err = td_msg_parse(&m, buf, at, n);

	if (n > 12 && !memcmp(buf->data + at, "SIP/2.0 ", 8)) {
		p->raw_n++;
		p->raw_status = (unsigned)strtoul(buf->data + at + 8, NULL, 10);
	}
	if (err && p->raw)
		return;
	if (err)
		fail_msg("%s got what is no message (%s):\n%.*s", p->user, td_strerror(err), (int)n, buf->data + at);
	if (m->defect.status)
		fail_msg("%s got a defect (%s):\n%.*s", p->user, m->defect.why, TD_FMT(m->bytes));
	assert_true(p->n < INBOX);
	p->inbox[p->n++] = m;
	if (getenv("SCENARIO_TRACE"))
		fprintf(stderr, "%8llu %s <-- %.*s\n", (unsigned long long)td_sim_now_ms(p->w->sim), p->user, TD_FMT(m->bytes));
}

static void on_datagram(struct td_udp *udp, struct td_buf *buf, const struct td_addr *from, void *arg)
{
	phone_keep(arg, buf, 0, buf->len);
}

static void on_bytes(struct td_conn *c, struct td_str bytes, void *arg)
{
	struct phone *p = arg;
	size_t at = 0, n, have = p->part ? p->part->len : 0;
	struct td_buf *b = td_buf_new(have + bytes.n);

	assert_non_null(b);
	if (have)
		memcpy(b->data, p->part->data, have);
	memcpy(b->data + have, bytes.p, bytes.n);
	b->len = (uint32_t)(have + bytes.n);
	td_buf_unref(p->part);
	p->part = NULL;
	p->conn = c;
	for (;;) {
		size_t scan = 0;
		int err;

		while (at < b->len && (b->data[at] == '\r' || b->data[at] == '\n'))
			at++;
		if (at == b->len)
			break;
		err = td_msg_frame(&n, td_str_n(b->data + at, b->len - at), &scan);
		if (err == TD_EMORE) {
			p->part = td_buf_copy(td_str_n(b->data + at, b->len - at));
			break;
		}
		if (err && p->raw)
			n = b->len - at;
		else
			assert_int_equal(err, 0);
		phone_keep(p, b, at, n);
		at += n;
	}
	td_buf_unref(b);
}

static void on_closed(struct td_conn *c, int err, void *arg)
{
	struct phone *p = arg;

	p->closed = true;
	for (unsigned i = 0; i < p->conn_n; i++)
		if (p->conns[i] == c)
			p->conns[i] = p->conns[--p->conn_n];
	if (p->conn == c)
		p->conn = p->conn_n ? p->conns[0] : NULL;
	td_conn_close(c);
}

static const struct td_conn_events conn_events = { .data = on_bytes, .closed = on_closed };

static void add_conn(struct phone *p, struct td_conn *c)
{
	assert_true(p->conn_n < TD_ARRAY_LEN(p->conns));
	p->conns[p->conn_n++] = c;
	p->conn = c;
}

static void on_accept(struct td_listener *l, struct td_conn *c, void *arg)
{
	struct phone *p = arg;

	td_conn_handle(c, &conn_events, p);
	if (p->proto == TD_TLS)
		assert_int_equal(td_conn_tls_accept(c, p->w->peers_tls, TD_TLS_CLIENTS_IGNORE), 0);
	add_conn(p, c);
}

void phone_open(struct phone *p, struct world *w, const char *user, const char *ip, uint16_t port, enum td_proto proto)
{
	memset(p, 0, sizeof(*p));
	p->w = w;
	p->user = user;
	p->proto = proto;
	td_rng_init_seed(&p->rng, 99);
	assert_int_equal(td_ip_parse(&p->addr, td_str_of(ip)), 0);
	assert_int_equal(td_net_open_sim(&p->net, w->peers, w->wire, &p->addr), 0);
	p->addr.port = port;
	if (proto == TD_UDP)
		assert_int_equal(td_udp_open(&p->udp, p->net, &p->addr, 0, on_datagram, p), 0);
	else if (!by_websocket(proto))
		assert_int_equal(td_listener_open(&p->listener, p->net, &p->addr, 0, on_accept, p), 0);
}

void phone_password(struct phone *p, const char *password)
{
	struct td_credentials cred = { .user = td_str_of(p->user), .password = td_str_of(password) };

	assert_int_equal(td_auth_client_open(&p->auth, &p->rng, &cred), 0);
}

void phone_close(struct phone *p)
{
	for (unsigned i = 0; i < p->n; i++)
		td_msg_unref(p->inbox[i]);
	while (p->conn_n)
		td_conn_close(p->conns[--p->conn_n]);
	if (p->udp)
		td_udp_close(p->udp);
	if (p->listener)
		td_listener_close(p->listener);
	websocket_close(p);
	td_buf_unref(p->part);
	td_auth_client_close(p->auth);
	world_run(p->w, 1); /* sockets go at the end of a turn */
	td_net_close(p->net);
}

void phone_drop(struct phone *p)
{
	td_conn_close(p->conn);
	p->conn = NULL;
	p->conn_n = 0;
}

void phone_send_to(struct phone *p, const struct td_addr *to, struct td_str bytes)
{
	struct td_buf *b = td_buf_copy(bytes);

	assert_non_null(b);
	assert_int_equal(td_udp_send(p->udp, to, b), 0);
	td_buf_unref(b);
}

void phone_send_bytes(struct phone *p, struct td_str bytes)
{
	struct td_addr server = server_addr(p->proto);
	struct td_conn *c;
	struct td_buf *b;

	if (getenv("SCENARIO_TRACE"))
		fprintf(stderr, "%8llu %s --> %.*s\n", (unsigned long long)td_sim_now_ms(p->w->sim), p->user, TD_FMT(bytes));
	if (p->proto == TD_UDP) {
		phone_send_to(p, &server, bytes);
		return;
	}
	if (by_websocket(p->proto)) {
		websocket_send(p, bytes);
		return;
	}
	if (!p->conn) {
		assert_int_equal(td_conn_open(&c, p->net, &server, &conn_events, p), 0);
		if (p->proto == TD_TLS)
			assert_int_equal(td_conn_tls_connect(c, p->w->peers_tls, TD_STR("example.test")), 0);
		add_conn(p, c);
	}
	b = td_buf_copy(bytes);
	assert_non_null(b);
	assert_int_equal(td_conn_send(p->conn, b), 0);
	td_buf_unref(b);
}

void put_crlf(struct td_out *o, const char *text)
{
	for (; *text; text++) {
		if (*text == '\n' && (!o->n || o->p[o->n - 1] != '\r'))
			td_out_char(o, '\r');
		td_out_char(o, *text);
	}
}

void phone_send(struct phone *p, const char *fmt, ...)
{
	char *text = malloc(70000);
	struct td_out o;
	va_list ap;

	assert_non_null(text);
	va_start(ap, fmt);
	vsnprintf(text, 70000, fmt, ap);
	va_end(ap);
	td_out_init(&o);
	put_crlf(&o, text);
	phone_send_bytes(p, td_out_view(&o));
	td_out_free(&o);
	free(text);
}

/* ---- waiting ---- */

struct want {
	struct phone *p;
	const char *method; /* a request; NULL: a response */
	unsigned status;    /* 0: any final */
	bool answer;        /* any response above 100 */
	struct td_msg *got;
};

static bool fits(const struct want *k, const struct td_msg *m)
{
	if (k->answer)
		return m->status > 100;
	if (m->request)
		return k->method && td_str_eq(m->method_name, td_str_of(k->method));
	return !k->method && (k->status ? m->status == k->status : m->status >= 200);
}

static bool arrived(void *arg)
{
	struct want *k = arg;

	for (unsigned i = 0; i < k->p->n && !k->got; i++)
		if (!k->p->taken[i] && fits(k, k->p->inbox[i])) {
			k->p->taken[i] = true;
			k->got = k->p->inbox[i];
		}
	return k->got;
}

static struct td_msg *wait_for(struct want k, uint64_t ms, bool must)
{
	td_sim_run_until(k.p->w->sim, arrived, &k, ms);
	if (k.got || !must)
		return k.got;
	print_error("%s waits for %s %u; it has\n", k.p->user, k.method ? k.method : "status", k.status);
	for (unsigned i = 0; i < k.p->n; i++)
		print_error("  %s%.*s\n", k.p->taken[i] ? "(taken) " : "", (int)strcspn(k.p->inbox[i]->bytes.p, "\r"),
			    k.p->inbox[i]->bytes.p);
	fail();
	return NULL;
}

struct td_msg *want_request(struct phone *p, const char *method)
{
	return wait_for((struct want){ .p = p, .method = method }, 40000, true);
}

struct td_msg *want_status(struct phone *p, unsigned status)
{
	return wait_for((struct want){ .p = p, .status = status }, 40000, true);
}

struct td_msg *want_answer(struct phone *p)
{
	return wait_for((struct want){ .p = p, .answer = true }, 40000, true);
}

struct td_msg *maybe_request(struct phone *p, const char *method, uint64_t ms)
{
	return wait_for((struct want){ .p = p, .method = method }, ms, false);
}

struct td_msg *maybe_status(struct phone *p, unsigned status, uint64_t ms)
{
	return wait_for((struct want){ .p = p, .status = status }, ms, false);
}

void want_silence(struct phone *p, uint64_t ms)
{
	world_run(p->w, ms);
	for (unsigned i = 0; i < p->n; i++)
		if (!p->taken[i] && p->inbox[i]->status != 100)
			fail_msg("%s got unexpectedly:\n%.*s", p->user, TD_FMT(p->inbox[i]->bytes));
}

void phone_forget(struct phone *p)
{
	for (unsigned i = 0; i < p->n; i++)
		p->taken[i] = true;
}

/* ---- headers ---- */

const char *header(const struct td_msg *m, const char *name)
{
	enum td_hdr_id id = td_hdr_id_of(td_str_of(name));
	const struct td_hdr *h = id ? td_msg_hdr(m, id) : td_msg_hdr_named(m, td_str_of(name));
	struct td_str v;
	char *z;

	if (!h)
		return "";
	v = td_hdr_value(m, h);
	z = td_arena_alloc(&((struct td_msg *)(uintptr_t)m)->arena, v.n + 1);
	assert_non_null(z);
	memcpy(z, v.p, v.n);
	z[v.n] = 0;
	return z;
}

const char *find(const struct td_msg *m, const char *text)
{
	return memmem(m->bytes.p, m->bytes.n, text, strlen(text));
}

unsigned header_count(const struct td_msg *m, enum td_hdr_id id)
{
	struct td_values it;
	struct td_str v;
	unsigned n = 0;

	for (td_values_of(&it, m, id); td_values_next(&v, &it) == 1;)
		n++;
	return n;
}

const char *phone_host(char out[TD_ADDR_TEXT], const struct phone *p)
{
	if (!by_websocket(p->proto))
		return td_addr_text(out, &p->addr);
	snprintf(out, TD_ADDR_TEXT, "%s.invalid", p->user);
	return out;
}

const char *contact_of(const struct phone *p)
{
	static char text[160];
	char host[TD_ADDR_TEXT];

	if (p->contact)
		return p->contact;
	snprintf(text, sizeof(text), "<sip:%s@%s%.*s>", p->user, phone_host(host, p), TD_FMT(td_proto_param(p->proto)));
	return text;
}

void phone_answer(struct phone *p, const struct td_msg *req, unsigned status, const char *extra, const char *sdp)
{
	struct td_out o;

	td_out_init(&o);
	td_put_response_head(&o, req, status, TD_STR_NULL, status > 100 ? td_str_of(p->user) : TD_STR_NULL, true);
	if (req->method == TD_INVITE || req->method == TD_SUBSCRIBE)
		td_out_fmt(&o, "Contact: %s\r\n", contact_of(p));
	put_crlf(&o, extra);
	td_put_body(&o, sdp ? TD_STR("application/sdp") : TD_STR_NULL, td_str_of(sdp));
	phone_send_bytes(p, td_out_view(&o));
	td_out_free(&o);
}

void phone_refuse(struct phone *p, const struct td_msg *invite, unsigned status)
{
	phone_answer(p, invite, status, "", NULL);
	want_request(p, "ACK");
}

void phone_cancelled(struct phone *p, const struct td_msg *invite)
{
	phone_answer(p, want_request(p, "CANCEL"), 200, "", NULL);
	phone_refuse(p, invite, 487);
}

/* ---- tests by workers ---- */

unsigned workers_now = 1;

static int with_3_workers(void **state)
{
	workers_now = 3;
	return 0;
}

static int with_1_worker(void **state)
{
	workers_now = 1;
	return 0;
}

int run_by_workers(const struct CMUnitTest *tests, size_t n)
{
	int failed = _cmocka_run_group_tests("1 worker", tests, n, with_1_worker, NULL);

	return failed + _cmocka_run_group_tests("3 workers", tests, n, with_3_workers, NULL);
}
