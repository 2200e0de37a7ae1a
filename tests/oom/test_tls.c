/* TLS with every allocation of ours failing in turn: nothing leaks and nobody hangs. (OpenSSL's own are not among them.) */
#include "failing.h"

#include "tls.h"

struct talk {
	struct td_sim *sim;
	struct td_wire *wire;
	struct td_loop *loop;
	struct td_net *net[2];
	struct td_tls *tls[2]; /* who serves, who connects */
	struct td_listener *listener;
	struct td_conn *caller, *acceptor;
	size_t bytes;
	unsigned closed;
	bool lost; /* the echo, here and not below */
};

static void on_data(struct td_conn *c, struct td_str bytes, void *arg)
{
	struct talk *t = arg;
	struct td_buf *b;

	if (c == t->caller) {
		t->bytes += bytes.n;
		return;
	}
	b = td_buf_copy(bytes);
	t->lost |= !b || td_conn_send(c, b);
	td_buf_unref(b);
}

static void on_closed(struct td_conn *c, int err, void *arg)
{
	struct talk *t = arg;

	t->closed++;
	if (c == t->caller)
		t->caller = NULL;
	else
		t->acceptor = NULL;
	td_conn_close(c);
}

static const struct td_conn_events events = { .data = on_data, .closed = on_closed };

static void on_accept(struct td_listener *l, struct td_conn *c, void *arg)
{
	struct talk *t = arg;

	if (td_conn_tls_accept(c, t->tls[0], TD_TLS_CLIENTS_ASK))
		return; /* nobody takes it over: it is closed */
	t->acceptor = c;
	td_conn_handle(c, &events, t);
}

static bool done(void *arg)
{
	const struct talk *t = arg;

	return t->bytes >= 3000 || t->closed || t->lost;
}

static int open_talk(struct talk *t, const struct td_addr at[2])
{
	int err = td_sim_open(&t->sim, 1);

	if (!err)
		err = td_wire_open(&t->wire, t->sim);
	if (!err)
		err = td_sim_loop(&t->loop, t->sim);
	for (int i = 0; i < 2 && !err; i++)
		err = td_net_open_sim(&t->net[i], t->loop, t->wire, &at[i]);
	if (!err)
		err = td_listener_open(&t->listener, t->net[0], &at[0], 0, on_accept, t);
	return err;
}

static int say(struct talk *t, const struct td_addr *to)
{
	struct td_buf *b = td_buf_new(3000);
	int err = b ? td_conn_open(&t->caller, t->net[1], to, &events, t) : -ENOMEM;

	if (!err)
		err = td_conn_tls_connect(t->caller, t->tls[1], TD_STR("a.test"));
	if (!err) {
		memset(b->data, 'x', 3000);
		b->len = 3000;
		err = td_conn_send(t->caller, b);
	}
	td_buf_unref(b);
	if (!err && !td_sim_run_until(t->sim, done, t, 60000))
		err = TD_ETIMEOUT;
	return err ? err : t->closed || t->lost ? -ENOMEM : 0;
}

static void close_talk(struct talk *t)
{
	td_conn_close(t->caller);
	td_conn_close(t->acceptor);
	td_listener_close(t->listener);
	for (int i = 0; i < 2; i++)
		if (t->net[i])
			td_net_close(t->net[i]);
	if (t->loop)
		td_loop_close(t->loop);
	if (t->wire)
		td_wire_close(t->wire);
	if (t->sim)
		td_sim_close(t->sim);
}

struct parts {
	struct cert cert;
	struct td_tls *tls[2];
};

static int talk(void *arg)
{
	struct parts *p = arg;
	struct talk t = { .tls = { p->tls[0], p->tls[1] } };
	struct td_addr at[2];
	int err = td_addr_parse(&at[0], TD_STR("192.0.2.1:5061"));

	if (!err)
		err = td_addr_parse(&at[1], TD_STR("192.0.2.2:0"));
	if (!err)
		err = open_talk(&t, at);
	if (!err)
		err = say(&t, &at[0]);
	close_talk(&t);
	return err;
}

static void a_talk(void **state)
{
	struct parts p;

	cert_for(&p.cert, "a.test");
	p.tls[0] = tls_with(&p.cert, NULL);
	p.tls[1] = tls_with(&p.cert, &p.cert);
	assert_int_equal(talk(&p), 0);
	assert_true(oom_each(talk, &p) > 15);
	td_tls_unref(p.tls[0]);
	td_tls_unref(p.tls[1]);
	cert_free(&p.cert);
}

/* A context of certificates, and one of a certificate that is made. */
static int contexts(void *arg)
{
	struct cert *c = arg;
	struct td_tls_identity id = identity_of(c, "a.test");
	struct td_tls_options opt = { .identities = &id, .identity_n = 1, .ca = td_out_view(&c->certificate) };
	struct td_str name = TD_STR("b.test");
	struct td_tls *tls = NULL;
	struct td_out why, certificate, key;
	int err;

	td_out_init(&why);
	td_out_init(&certificate);
	td_out_init(&key);
	err = td_tls_open(&tls, &opt, &why);
	if (!err)
		err = td_cert_make(&certificate, &key, &name, 1, 30);
	td_tls_unref(tls);
	td_out_free(&why);
	td_out_free(&certificate);
	td_out_free(&key);
	return err;
}

static void making(void **state)
{
	struct cert c;

	cert_for(&c, "a.test");
	assert_true(oom_each(contexts, &c) > 3);
	cert_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(a_talk), cmocka_unit_test(making) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
