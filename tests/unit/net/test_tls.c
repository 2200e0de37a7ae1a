/* TLS over the kernel's TCP and over the wire: bytes, ends, names, certificates of both sides. */
#include "world.h"

#include "../../tls.h"

#include <errno.h>
#include <openssl/err.h>

/* One end: what happened to it. */
struct end {
	struct td_conn *c;
	struct td_tls *tls; /* of the listener */
	enum td_tls_clients clients;
	unsigned connected, closed;
	int err;
	struct td_out got, why, names;
	bool echo, shutdown_on_data;
	bool careless; /* what it does with bytes leaves errors in OpenSSL's list, as other TLS of the same thread may */
	struct td_listener *listener;
};

struct pair {
	struct world w;
	struct end server, client;
};

static void on_connected(struct td_conn *c, void *arg)
{
	struct end *e = arg;
	struct td_buf *names = td_conn_tls_names(c);

	e->connected++;
	assert_true(td_conn_tls_ready(c));
	if (names)
		td_out_str(&e->names, td_buf_str(names));
}

static void send_text(struct td_conn *c, struct td_str s)
{
	struct td_buf *b = td_buf_copy(s);

	assert_non_null(b);
	assert_int_equal(td_conn_send(c, b), 0);
	td_buf_unref(b);
}

static void on_data(struct td_conn *c, struct td_str bytes, void *arg)
{
	struct end *e = arg;

	td_out_str(&e->got, bytes);
	if (e->careless)
		ERR_raise(ERR_LIB_USER, ERR_R_PASSED_NULL_PARAMETER);
	if (e->echo)
		send_text(c, bytes);
	if (e->shutdown_on_data) {
		td_conn_shutdown(c);
		e->c = NULL;
	}
}

static void on_closed(struct td_conn *c, int err, void *arg)
{
	struct end *e = arg;

	e->closed++;
	e->err = err;
	td_conn_tls_why(&e->why, c);
	td_conn_close(c);
	e->c = NULL;
}

static const struct td_conn_events events = { .connected = on_connected, .data = on_data, .closed = on_closed };

static void on_accept(struct td_listener *l, struct td_conn *c, void *arg)
{
	struct end *e = arg;

	assert_int_equal(td_conn_tls_accept(c, e->tls, e->clients), 0);
	td_conn_handle(c, &events, e);
	e->c = c;
}

static void end_init(struct end *e)
{
	memset(e, 0, sizeof(*e));
	td_out_init(&e->got);
	td_out_init(&e->why);
	td_out_init(&e->names);
}

static void end_clear(struct end *e)
{
	td_conn_close(e->c);
	e->c = NULL;
	e->connected = e->closed = 0;
	e->err = 0;
	e->got.n = e->why.n = e->names.n = 0;
}

static void pair_open(struct pair *p, void **state, struct td_tls *server)
{
	struct td_addr at;

	world_open(&p->w, state);
	end_init(&p->server);
	end_init(&p->client);
	p->server.tls = server;
	at = p->w.server_ip;
	at.port = 0;
	if (p->w.sim)
		at.port = 5061;
	assert_int_equal(td_listener_open(&p->server.listener, p->w.server_net, &at, 0, on_accept, &p->server), 0);
}

static void pair_close(struct pair *p)
{
	end_clear(&p->client);
	end_clear(&p->server);
	td_listener_close(p->server.listener);
	world_settle(&p->w);
	td_out_free(&p->client.got);
	td_out_free(&p->client.why);
	td_out_free(&p->client.names);
	td_out_free(&p->server.got);
	td_out_free(&p->server.why);
	td_out_free(&p->server.names);
	world_close(&p->w);
}

static void dial(struct pair *p, struct td_tls *tls, const char *host)
{
	end_clear(&p->client);
	end_clear(&p->server);
	assert_int_equal(td_conn_open(&p->client.c, p->w.client_net, td_listener_local(p->server.listener), &events, &p->client),
			 0);
	assert_int_equal(td_conn_tls_connect(p->client.c, tls, td_str_of(host)), 0);
}

static bool settled(void *arg)
{
	const struct pair *p = arg;

	return p->client.closed || (p->client.connected && p->server.connected);
}

static bool got_all(void *arg)
{
	const struct pair *p = arg;

	return p->client.closed || p->client.got.n >= 5;
}

static bool server_closed(void *arg)
{
	return ((const struct pair *)arg)->server.closed > 0;
}

static bool client_closed(void *arg)
{
	return ((const struct pair *)arg)->client.closed > 0;
}

/* ---- bytes ---- */

static void bytes_both_ways(void **state)
{
	struct cert c;
	struct td_tls *server, *client;
	struct pair p;

	cert_for(&c, "a.test");
	server = tls_with(&c, NULL);
	client = tls_with(NULL, &c);
	pair_open(&p, state, server);
	p.server.echo = true;
	dial(&p, client, "A.test.");
	send_text(p.client.c, TD_STR("he")); /* waits for the handshake */
	send_text(p.client.c, TD_STR("llo"));
	assert_int_equal(td_conn_queued(p.client.c), 5);
	assert_true(world_run(&p.w, got_all, &p));
	assert_str(td_out_view(&p.client.got), "hello");
	assert_int_equal(p.client.connected, 1);
	assert_int_equal(p.server.connected, 1);
	assert_int_equal(td_conn_queued(p.client.c), 0);
	assert_str(td_out_view(&p.client.names), "a.test\n");
	assert_int_equal(p.server.names.n, 0);
	pair_close(&p);
	td_tls_unref(server);
	td_tls_unref(client);
	cert_free(&c);
}

struct flood {
	struct pair p;
	size_t want;
};

static bool flooded(void *arg)
{
	const struct flood *f = arg;

	return f->p.client.closed || f->p.server.got.n >= f->want;
}

/* Records of several kinds of length, in pieces of any size. */
static void many_bytes(void **state)
{
	static const size_t sizes[] = { 1, 4095, 4096, 4097, 16384, 100000, 300000 };
	struct cert c;
	struct td_tls *server, *client;
	struct flood f = { .want = 0 };

	cert_for(&c, "a.test");
	server = tls_with(&c, NULL);
	client = tls_with(NULL, &c);
	pair_open(&f.p, state, server);
	if (f.p.w.wire)
		td_wire_rules(f.p.w.wire, &(struct td_wire_rules){ .delay_us = 100, .stream_chunk = 777 });
	f.p.server.careless = true;
	dial(&f.p, client, "a.test");
	for (size_t i = 0; i < TD_ARRAY_LEN(sizes); i++) {
		struct td_buf *b = pattern(sizes[i], (unsigned)i);

		assert_int_equal(td_conn_send(f.p.client.c, b), 0);
		f.want += sizes[i];
		td_buf_unref(b);
	}
	assert_true(world_run(&f.p.w, flooded, &f));
	assert_int_equal(f.p.server.got.n, f.want);
	for (size_t i = 0, at = 0; i < TD_ARRAY_LEN(sizes); at += sizes[i++]) {
		struct td_buf *b = pattern(sizes[i], (unsigned)i);

		assert_memory_equal(f.p.server.got.p + at, b->data, sizes[i]);
		td_buf_unref(b);
	}
	pair_close(&f.p);
	td_tls_unref(server);
	td_tls_unref(client);
	cert_free(&c);
}

static void ends(void **state)
{
	struct cert c;
	struct td_tls *server, *client;
	struct pair p;

	cert_for(&c, "a.test");
	server = tls_with(&c, NULL);
	client = tls_with(NULL, &c);
	pair_open(&p, state, server);
	/* who has said all before the handshake is over: it goes nevertheless, and then the end */
	dial(&p, client, "a.test");
	send_text(p.client.c, TD_STR("last words"));
	td_conn_shutdown(p.client.c);
	p.client.c = NULL;
	assert_true(world_run(&p.w, server_closed, &p));
	assert_str(td_out_view(&p.server.got), "last words");
	assert_int_equal(p.server.err, 0);
	/* nothing said, nothing done */
	dial(&p, client, "a.test");
	td_conn_shutdown(p.client.c);
	p.client.c = NULL;
	world_settle(&p.w);
	/* an answer before the end */
	p.server.shutdown_on_data = p.server.echo = true;
	dial(&p, client, "a.test");
	send_text(p.client.c, TD_STR("hello"));
	assert_true(world_run(&p.w, client_closed, &p));
	assert_str(td_out_view(&p.client.got), "hello");
	assert_int_equal(p.client.err, 0);
	pair_close(&p);
	td_tls_unref(server);
	td_tls_unref(client);
	cert_free(&c);
}

/* ---- who the server is ---- */

#define URI(s)                          \
	{                               \
		GEN_URI, TD_STR_INIT(s) \
	}
#define DNS(s)                          \
	{                               \
		GEN_DNS, TD_STR_INIT(s) \
	}
static const struct name_row {
	const char *cn;
	struct alt alt[3];
	unsigned n;
	int days;
	const char *host;
	int err;
} name_rows[] = {
	{ "x", { DNS("a.test") }, 1, 9, "a.test", 0 },
	{ "x", { DNS("A.Test") }, 1, 9, "a.tEST", 0 },
	{ "x", { DNS("b.test"), DNS("a.test") }, 2, 9, "a.test", 0 },
	{ "x", { URI("sip:a.test") }, 1, 9, "a.test", 0 },
	{ "x", { URI("SIP:a.test;transport=tls") }, 1, 9, "a.test", 0 },
	{ "x", { URI("sip:a.test:5061") }, 1, 9, "a.test", 0 },
	/* §7.1: no other scheme, no user, and DNS counts only without a sip: URI */
	{ "x", { URI("sips:a.test") }, 1, 9, "a.test", TD_ENAME },
	{ "x", { URI("https:a.test") }, 1, 9, "a.test", TD_ENAME },
	{ "x", { URI("sip:bob@a.test") }, 1, 9, "a.test", TD_ENAME },
	{ "x", { URI("sip:b.test"), DNS("a.test") }, 2, 9, "a.test", TD_ENAME },
	{ "x", { URI("sip:bob@b.test"), DNS("a.test") }, 2, 9, "a.test", 0 },
	/* CN only where there is no subjectAltName at all */
	{ "a.test", { { 0 } }, 0, 9, "a.test", 0 },
	{ "a.test", { DNS("b.test") }, 1, 9, "a.test", TD_ENAME },
	{ "a.test", { { GEN_EMAIL, TD_STR_INIT("a@a.test") } }, 1, 9, "a.test", TD_ENAME },
	/* §7.2: whole names, no wildcards, no suffixes */
	{ "x", { DNS("*.test") }, 1, 9, "a.test", TD_ENAME },
	{ "x", { URI("sip:*.test") }, 1, 9, "a.test", TD_ENAME },
	{ "x", { DNS(".test") }, 1, 9, "a.test", TD_ENAME },
	{ "x", { DNS("test") }, 1, 9, "a.test", TD_ENAME },
	{ "x", { DNS("a.test.evil.test") }, 1, 9, "a.test", TD_ENAME },
	{ "x", { DNS("") }, 1, 9, "a.test", TD_ENAME },
	/* a NUL ends no name */
	{ "x", { DNS("a.test\0.evil.test") }, 1, 9, "a.test", TD_ENAME },
	{ "x", { URI("sip:a.test\0.evil.test") }, 1, 9, "a.test", TD_ENAME },
	{ "x", { URI("sip:a.test\0@evil.test") }, 1, 9, "a.test", TD_ENAME },
	{ "x", { DNS("a.test\n") }, 1, 9, "a.test", TD_ENAME },
	/* numeric addresses */
	{ "x", { { GEN_IPADD, TD_STR_INIT("\xc0\x00\x02\x01") } }, 1, 9, "192.0.2.1", 0 },
	{ "x", { URI("sip:192.0.2.1") }, 1, 9, "192.0.2.1", 0 },
	{ "x", { DNS("a.test"), { GEN_IPADD, TD_STR_INIT("\xc0\x00\x02\x01") } }, 2, 9, "192.0.2.2", TD_ENAME },
	{ "x", { { GEN_IPADD, TD_STR_INIT("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01") } }, 1, 9, "2001:DB8:0::1", 0 },
	{ "x", { URI("sip:[2001:db8::1]:5061") }, 1, 9, "[2001:db8::1]", 0 },
	{ "x", { DNS("192.0.2.1") }, 1, 9, "192.0.2.1", TD_ENAME },
	{ "x", { DNS("192.0.2.1.") }, 1, 9, "192.0.2.1", TD_ENAME },
	{ "x", { DNS("2001:db8::1") }, 1, 9, "2001:db8::1", TD_ENAME },
	{ "192.0.2.1", { { 0 } }, 0, 9, "192.0.2.1", TD_ENAME },
	/* expired */
	{ "x", { DNS("a.test") }, 1, -9, "a.test", TD_ECERT },
};

static void name_row(void **state, const struct name_row *r)
{
	struct cert c;
	struct td_tls *server, *client;
	struct pair p;

	cert_with(&c, r->cn, r->alt, r->n, r->days);
	server = tls_with(&c, NULL);
	client = tls_with(NULL, &c);
	pair_open(&p, state, server);
	dial(&p, client, r->host);
	send_text(p.client.c, TD_STR("secret"));
	assert_true(world_run(&p.w, settled, &p));
	world_settle(&p.w);
	if (p.client.err != r->err)
		print_error("%s at %s: %d, want %d (%.*s)\n", r->cn, r->host, p.client.err, r->err,
			    TD_FMT(td_out_view(&p.client.why)));
	assert_int_equal(p.client.err, r->err);
	assert_int_equal(p.client.connected, r->err == 0);
	if (r->err) { /* told why, and not a byte was said */
		assert_true(p.client.why.n > 0);
		assert_int_equal(p.server.got.n, 0);
		assert_int_equal(p.server.closed, 1);
		assert_int_equal(p.server.err, TD_ETLS);
	}
	pair_close(&p);
	td_tls_unref(server);
	td_tls_unref(client);
	cert_free(&c);
}

/* Proves RFC 5922 §7.1-1, §7.2-1, §7.2-2, §7.3-1. */
static void t4_names_of_servers(void **state)
{
	for (size_t i = 0; i < TD_ARRAY_LEN(name_rows); i++)
		name_row(state, &name_rows[i]);
}

static void whom_to_believe(void **state)
{
	struct cert c, other;
	struct td_tls *server, *client;
	struct td_tls_options opt = { 0 };
	uint8_t pin[TD_FINGERPRINT];
	struct td_out why;
	struct pair p;

	td_out_init(&why);
	cert_for(&c, "a.test");
	cert_for(&other, "a.test");
	server = tls_with(&c, NULL);
	pair_open(&p, state, server);

	client = tls_with(NULL, &other); /* the right name, signed by nobody we believe */
	dial(&p, client, "a.test");
	assert_true(world_run(&p.w, settled, &p));
	assert_int_equal(p.client.err, TD_ECERT);
	td_tls_unref(client);

	/* the fingerprint alone decides, whatever the name */
	assert_int_equal(td_cert_fingerprint(pin, td_out_view(&c.certificate)), 0);
	opt.pin = pin;
	assert_int_equal(td_tls_open(&client, &opt, &why), 0);
	dial(&p, client, "another.test");
	assert_true(world_run(&p.w, settled, &p));
	assert_int_equal(p.client.connected, 1);
	assert_str(td_out_view(&p.client.names), "another.test\n");
	td_tls_unref(client);

	pin[7] ^= 1;
	assert_int_equal(td_tls_open(&client, &opt, &why), 0);
	dial(&p, client, "a.test");
	assert_true(world_run(&p.w, settled, &p));
	assert_int_equal(p.client.err, TD_ECERT);
	pin[7] ^= 1;
	why.n = 0;
	td_fingerprint_print(&why, pin);
	td_out_char(&p.client.why, '\0');
	td_out_char(&why, '\0');
	assert_non_null(strstr(p.client.why.p, why.p)); /* what it was is told */
	td_tls_unref(client);

	pair_close(&p);
	td_tls_unref(server);
	cert_free(&c);
	cert_free(&other);
	td_out_free(&why);
}

/* Proves RFC 5922 §7.8-1. */
static void sites(void **state)
{
	static const struct {
		const char *ask;
		int err;
	} rows[] = { { "a.test", 0 }, { "b.test", 0 }, { "B.TEST", 0 }, { "c.test", 0 }, { "d.test", TD_ENAME } };
	struct cert c[3];
	struct td_tls_identity ids[3];
	struct td_tls_options opt = { .identities = ids, .identity_n = 3 };
	struct td_tls *server, *client;
	struct td_out why, all;
	struct pair p;

	td_out_init(&why);
	td_out_init(&all);
	for (int i = 0; i < 3; i++) {
		cert_for(&c[i], i == 0 ? "a.test" : i == 1 ? "b.test" : "c.test");
		ids[i] = identity_of(&c[i], i == 0 ? "" : i == 1 ? "b.test" : "C.test");
		td_out_str(&all, td_out_view(&c[i].certificate));
	}
	assert_int_equal(td_tls_open(&server, &opt, &why), 0);
	opt = (struct td_tls_options){ .ca = td_out_view(&all) };
	assert_int_equal(td_tls_open(&client, &opt, &why), 0);
	pair_open(&p, state, server);
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		dial(&p, client, rows[i].ask);
		assert_true(world_run(&p.w, settled, &p));
		assert_int_equal(p.client.err, rows[i].err);
	}
	pair_close(&p);
	td_tls_unref(server);
	td_tls_unref(client);
	for (int i = 0; i < 3; i++)
		cert_free(&c[i]);
	td_out_free(&why);
	td_out_free(&all);
}

/* ---- who the client is ---- */

/* Proves RFC 5922 §7.4-1, §7.4-2. */
static void clients(void **state)
{
	enum { NONE, GOOD, STRANGER };
	static const struct {
		enum td_tls_clients ask;
		int cert;
		bool ok;
		const char *names;
	} rows[] = {
		{ TD_TLS_CLIENTS_IGNORE, NONE, true, "" },
		{ TD_TLS_CLIENTS_IGNORE, GOOD, true, "" },
		{ TD_TLS_CLIENTS_ASK, NONE, true, "" },
		{ TD_TLS_CLIENTS_ASK, GOOD, true, "p1.test\n" },
		{ TD_TLS_CLIENTS_ASK, STRANGER, true, "" },
		{ TD_TLS_CLIENTS_REQUIRE, NONE, false, "" },
		{ TD_TLS_CLIENTS_REQUIRE, GOOD, true, "p1.test\n" },
		{ TD_TLS_CLIENTS_REQUIRE, STRANGER, false, "" },
	};
	struct cert c, p1, evil;
	struct td_tls *server, *tls[3];
	struct pair p;

	cert_for(&c, "a.test");
	cert_for(&p1, "p1.test");
	cert_for(&evil, "p1.test");
	server = tls_with(&c, &p1);
	tls[NONE] = tls_with(NULL, &c);
	tls[GOOD] = tls_with(&p1, &c);
	tls[STRANGER] = tls_with(&evil, &c);
	pair_open(&p, state, server);
	p.server.echo = true;
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		p.server.clients = rows[i].ask;
		dial(&p, tls[rows[i].cert], "a.test");
		send_text(p.client.c, TD_STR("hello"));
		assert_true(world_run(&p.w, got_all, &p)); /* TLS 1.3 tells the client late that it was refused */
		assert_int_equal(p.client.got.n, rows[i].ok ? 5 : 0);
		assert_int_equal(p.server.connected, rows[i].ok);
		assert_int_equal(p.server.got.n, rows[i].ok ? 5 : 0);
		assert_str(td_out_view(&p.server.names), rows[i].names);
	}
	pair_close(&p);
	td_tls_unref(server);
	for (int i = 0; i < 3; i++)
		td_tls_unref(tls[i]);
	cert_free(&c);
	cert_free(&p1);
	cert_free(&evil);
}

/* ---- what is not TLS ---- */

static const struct td_conn_events plain_events = { .data = on_data, .closed = on_closed };

static void t4_no_handshake(void **state)
{
	static const struct td_str rows[] = {
		TD_STR_INIT("OPTIONS sip:a.test SIP/2.0\r\n\r\n"),
		TD_STR_INIT("\x16\x03\x01\xff\xff"), /* a record longer than there are */
		TD_STR_INIT("\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00"),
		TD_STR_INIT("\x15\x03\x03\x00\x02\x02\x28"),
		TD_STR_INIT("\x80\x2e\x01\x00\x02"), /* SSL 2 */
	};
	struct cert c;
	struct td_tls *server;
	struct pair p;

	cert_for(&c, "a.test");
	server = tls_with(&c, NULL);
	pair_open(&p, state, server);
	for (size_t i = 0; i <= TD_ARRAY_LEN(rows); i++) {
		end_clear(&p.client);
		end_clear(&p.server);
		assert_int_equal(
			td_conn_open(&p.client.c, p.w.client_net, td_listener_local(p.server.listener), &plain_events, &p.client),
			0);
		if (i < TD_ARRAY_LEN(rows))
			send_text(p.client.c, rows[i]);
		else /* the beginning of a record, and gone */
			send_text(p.client.c, TD_STR("\x16\x03\x01"));
		world_settle(&p.w);
		if (p.client.c)
			td_conn_shutdown(p.client.c);
		p.client.c = NULL;
		assert_true(world_run(&p.w, server_closed, &p));
		assert_int_equal(p.server.connected, 0);
		assert_int_equal(p.server.got.n, 0);
		assert_int_equal(p.server.closed, 1);
		assert_int_equal(p.server.err, TD_ETLS);
	}
	pair_close(&p);
	td_tls_unref(server);
	cert_free(&c);
}

/* ---- contexts ---- */

static void refused_contexts(void **state)
{
	struct cert a, b;
	struct td_tls_identity id;
	struct td_tls_options opt = { .identities = &id, .identity_n = 1 };
	struct td_out why;
	struct td_tls *t;

	td_out_init(&why);
	cert_for(&a, "a.test");
	cert_for(&b, "b.test");
	const struct td_tls_identity rows[] = {
		{ TD_STR_NULL, td_out_view(&a.certificate), td_out_view(&b.key) },
		{ TD_STR_NULL, td_out_view(&a.key), td_out_view(&a.key) },
		{ TD_STR_NULL, td_out_view(&a.certificate), td_out_view(&a.certificate) },
		{ TD_STR_NULL, TD_STR_NULL, td_out_view(&a.key) },
		{ TD_STR_INIT("no host"), td_out_view(&a.certificate), td_out_view(&a.key) },
	};
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		why.n = 0;
		id = rows[i];
		assert_int_equal(td_tls_open(&t, &opt, &why), TD_ESYNTAX);
		assert_true(why.n > 10);
	}
	for (size_t i = 0; i + 1 < TD_ARRAY_LEN(rows); i++) { /* the same without making a context of it */
		why.n = 0;
		assert_int_equal(td_cert_check(&why, rows[i].certificate, rows[i].key), TD_ESYNTAX);
		assert_true(why.n > 10);
	}
	assert_int_equal(td_cert_check(&why, td_out_view(&a.certificate), td_out_view(&a.key)), 0);
	opt = (struct td_tls_options){ .ca = TD_STR("nothing\n") };
	assert_int_equal(td_tls_open(&t, &opt, &why), TD_ESYNTAX);
	td_out_free(&why);
	cert_free(&a);
	cert_free(&b);
}

/* A later block that is broken: phones would miss it, or somebody would be believed no more, and nobody would know why. */
static void broken_further_down(void **state)
{
	static const char *const rows[] = {
		"-----BEGIN CERTIFICATE-----\nMIIB",
		"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
		"-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n",
	};
	struct td_tls_options opt = { 0 };
	struct td_out why, text;
	struct td_tls *t;
	struct cert c;

	td_out_init(&why);
	td_out_init(&text);
	cert_for(&c, "a.test");
	for (size_t i = 0; i <= TD_ARRAY_LEN(rows); i++) {
		int want = i < TD_ARRAY_LEN(rows) ? TD_ESYNTAX : 0;

		why.n = text.n = 0;
		td_out_str(&text, td_out_view(&c.certificate));
		td_out_str(&text, td_out_view(&c.certificate));
		td_out_z(&text, want ? rows[i] : "and nothing more\n");
		assert_int_equal(td_cert_check(&why, td_out_view(&text), td_out_view(&c.key)), want);
		assert_int_equal(why.n > 10, want != 0);
		opt.ca = td_out_view(&text);
		assert_int_equal(td_tls_open(&t, &opt, &why), want);
	}
	td_tls_unref(t);
	td_out_free(&why);
	td_out_free(&text);
	cert_free(&c);
}

/* Proves RFC 5922 §7.1-1. */
static void certificates_as_text(void **state)
{
	static const struct td_str names[] = { TD_STR_INIT("Example.test"), TD_STR_INIT("192.0.2.1"),
					       TD_STR_INIT("[2001:db8::1]"), TD_STR_INIT("two.test") };
	uint8_t fp[TD_FINGERPRINT], back[TD_FINGERPRINT];
	uint64_t ends;
	struct cert c;
	struct td_out o;

	td_out_init(&o);
	cert_make(&c, names, 4);
	assert_int_equal(td_cert_read(&o, &ends, td_out_view(&c.certificate)), 0);
	assert_true(td_tls_names_have(td_out_view(&o), TD_STR("example.test")));
	assert_true(td_tls_names_have(td_out_view(&o), TD_STR("TWO.test.")));
	assert_true(td_tls_names_have(td_out_view(&o), TD_STR("192.0.2.1")));
	assert_true(td_tls_names_have(td_out_view(&o), TD_STR("2001:db8:0::1")));
	assert_false(td_tls_names_have(td_out_view(&o), TD_STR("test")));
	assert_false(td_tls_names_have(td_out_view(&o), TD_STR("")));
	assert_true(ends > 1700000000u);
	o.n = 0;
	assert_int_equal(td_cert_fingerprint(fp, td_out_view(&c.certificate)), 0);
	td_fingerprint_print(&o, fp);
	assert_int_equal(o.n, 3 * TD_FINGERPRINT - 1);
	assert_int_equal(td_fingerprint_parse(back, td_out_view(&o)), 0);
	assert_memory_equal(fp, back, sizeof(fp));
	assert_int_equal(td_fingerprint_parse(back, td_str_n(o.p, o.n - 1)), TD_ESYNTAX);
	assert_int_equal(td_fingerprint_parse(back, TD_STR("zz")), TD_ESYNTAX);
	assert_int_equal(td_cert_fingerprint(fp, TD_STR("x")), TD_ESYNTAX);
	assert_int_equal(td_cert_read(&o, &ends, TD_STR_NULL), TD_ESYNTAX);
	td_out_free(&o);
	cert_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FOUR_MODES(bytes_both_ways),
		FOUR_MODES(many_bytes),
		FOUR_MODES(ends),
		{ "t4_names_of_servers", t4_names_of_servers, NULL, NULL, &modes[2] },
		FOUR_MODES(whom_to_believe),
		FOUR_MODES(sites),
		FOUR_MODES(clients),
		FOUR_MODES(t4_no_handshake),
		cmocka_unit_test(refused_contexts),
		cmocka_unit_test(broken_further_down),
		cmocka_unit_test(certificates_as_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
