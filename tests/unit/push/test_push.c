/* What a push service is told, how it is found and believed, and what comes of its answers. */
#include "support.h"
#include "name_server.h"
#include "tls.h"

#include "server/push/internal.h"

static const struct zone_row rows[] = {
	{ "push.test", "A", 60, "10.0.0.80" },
	{ "six.test", "AAAA", 60, "2001:db8::80" },
};

struct rig {
	struct td_sim *sim;
	struct td_wire *wire;
	struct td_loop *loop, *peers;
	struct td_net *net, *there;
	struct td_dns *dns;
	struct name_server ns;
	struct td_push *push;
	struct td_config *cfg;
	struct td_listener *listener;
	struct td_conn *conns[8];
	unsigned conn_n;
	struct td_tls *tls; /* NULL: the service speaks without */
	char said[1024];
	int err;
	unsigned told;
};

static void on_data(struct td_conn *c, struct td_str bytes, void *arg)
{
	struct td_buf *b = td_buf_copy(TD_STR("HTTP/1.0 202 Accepted\r\n\r\n"));
	struct rig *r = arg;

	snprintf(r->said, sizeof(r->said), "%.*s", TD_FMT(bytes));
	assert_int_equal(td_conn_send(c, b), 0);
	td_buf_unref(b);
}

static void on_closed(struct td_conn *c, int err, void *arg)
{
	struct rig *r = arg;

	for (unsigned i = 0; i < r->conn_n; i++)
		if (r->conns[i] == c)
			r->conns[i] = r->conns[--r->conn_n];
	td_conn_close(c);
}

static const struct td_conn_events events = { .data = on_data, .closed = on_closed };

static void on_accept(struct td_listener *l, struct td_conn *c, void *arg)
{
	struct rig *r = arg;

	assert_true(r->conn_n < TD_ARRAY_LEN(r->conns));
	r->conns[r->conn_n++] = c;
	td_conn_handle(c, &events, r);
	if (r->tls)
		assert_int_equal(td_conn_tls_accept(c, r->tls, TD_TLS_CLIENTS_IGNORE), 0);
}

static struct td_config *config(const char *push)
{
	struct td_out yaml, errors;
	struct td_config *c = NULL;

	td_out_init(&yaml);
	td_out_init(&errors);
	td_out_fmt(&yaml, "domains: [{name: a.test}]\nlisten: [\"udp:127.0.0.1:0\"]\nstate: ./s\npush: %s\n", push);
	if (td_config_parse(&c, &errors, TD_STR("t.yaml"), td_out_view(&yaml)))
		fail_msg("%.*s", TD_FMT(td_out_view(&errors)));
	td_out_free(&yaml);
	td_out_free(&errors);
	return c;
}

static void rig_open(struct rig *r, const char *push, const char *at, struct td_tls *tls)
{
	struct td_dns_options opt = { .server_n = 1, .timeout_ms = 1000 };
	struct td_addr a, ns;

	memset(r, 0, sizeof(*r));
	r->tls = tls;
	r->cfg = config(push);
	assert_int_equal(td_sim_open(&r->sim, 3), 0);
	assert_int_equal(td_wire_open(&r->wire, r->sim), 0);
	assert_int_equal(td_sim_loop(&r->loop, r->sim), 0);
	assert_int_equal(td_sim_loop(&r->peers, r->sim), 0);
	assert_int_equal(td_ip_parse(&a, at[0] == '[' ? TD_STR("2001:db8::1") : TD_STR("10.0.0.1")), 0);
	assert_int_equal(td_net_open_sim(&r->net, r->loop, r->wire, &a), 0);
	assert_int_equal(td_addr_parse(&ns, TD_STR("10.0.0.53:53")), 0);
	opt.servers = &ns;
	assert_int_equal(td_dns_open(&r->dns, r->net, &opt), 0);
	name_server_open(&r->ns, r->peers, r->wire, "10.0.0.53", rows, TD_ARRAY_LEN(rows));
	assert_int_equal(td_addr_parse(&a, td_str_of(at)), 0);
	assert_int_equal(td_net_open_sim(&r->there, r->peers, r->wire, &a), 0);
	assert_int_equal(td_listener_open(&r->listener, r->there, &a, 0, on_accept, r), 0);
	assert_int_equal(td_push_open(&r->push, r->net, r->dns, NULL), 0);
}

static void rig_close(struct rig *r)
{
	td_push_close(r->push);
	td_sim_run(r->sim, 10);
	while (r->conn_n)
		td_conn_close(r->conns[--r->conn_n]);
	td_listener_close(r->listener);
	td_dns_close(r->dns);
	name_server_close(&r->ns);
	td_sim_run(r->sim, 1);
	td_net_close(r->there);
	td_net_close(r->net);
	td_loop_close(r->loop);
	td_loop_close(r->peers);
	td_wire_close(r->wire);
	td_sim_close(r->sim);
	td_config_unref(r->cfg);
}

static void on_told(void *arg, int err)
{
	struct rig *r = arg;

	r->told++;
	r->err = err;
}

static const struct td_push_news news = {
	.event = TD_STR_INIT("call"),
	.user = TD_STR_INIT("bob@a.test"),
	.from = TD_STR_INIT("sip:\"\\\n\x01\x7f\xc3\xa4@a.test"),
	.call_id = TD_STR_INIT("1@x"),
	.phone = { TD_STR_INIT("apns"), TD_STR_INIT("a%3Bb"), TD_STR_INIT("%22%7b%0d%0a") },
};

static int send_one(struct rig *r)
{
	struct td_push_post *post = NULL;

	r->told = 0;
	assert_int_equal(td_push_send(&post, r->push, r->cfg, &news, on_told, r), 0);
	assert_non_null(post);
	assert_int_equal(r->told, 0); /* not within the call */
	td_sim_run(r->sim, 20000);
	assert_int_equal(r->told, 1);
	return r->err;
}

/* Nothing that a phone or a caller writes becomes anything but a string. */
static void what_it_is_told(void **state)
{
	struct rig r;

	rig_open(&r, "{url: 'http://push.test/a/b?c=d'}", "10.0.0.80:80", NULL);
	assert_int_equal(send_one(&r), 0);
	assert_string_equal(r.said,
			    "POST /a/b?c=d HTTP/1.1\r\nHost: push.test\r\nUser-Agent: tandem\r\nConnection: close\r\n"
			    "Content-Type: application/json\r\nContent-Length: 170\r\n\r\n"
			    "{\"event\":\"call\",\"user\":\"bob@a.test\",\"provider\":\"apns\",\"param\":\"a;b\","
			    "\"prid\":\"%22%7b%0d%0a\",\"from\":\"sip:\\u0022\\u005c\\u000a\\u0001\\u007f\\u00c3\\u00a4@a.test\","
			    "\"call_id\":\"1@x\"}\n");
	rig_close(&r);
}

static void where_it_is(void **state)
{
	static const struct {
		const char *push, *at;
		int err;
		const char *host;
	} at[] = {
		{ "{url: 'http://10.0.0.80'}", "10.0.0.80:80", 0, "POST / HTTP/1.1\r\nHost: 10.0.0.80\r\n" },
		{ "{url: 'HTTP://10.0.0.80:8080/'}", "10.0.0.80:8080", 0, "Host: 10.0.0.80:8080\r\n" },
		{ "{url: 'http://[2001:db8::80]:81/x'}", "[2001:db8::80]:81", 0,
		  "POST /x HTTP/1.1\r\nHost: [2001:db8::80]:81\r\n" },
		{ "{url: 'http://push.test:81/x'}", "10.0.0.80:81", 0, "Host: push.test:81\r\n" },
		{ "{url: 'http://nosuch.test/x'}", "10.0.0.80:80", TD_ENOTFOUND, "" },
		{ "{url: 'http://push.test:82/x'}", "10.0.0.80:81", -ECONNREFUSED, "" },
	};

	for (size_t i = 0; i < TD_ARRAY_LEN(at); i++) {
		struct rig r;

		rig_open(&r, at[i].push, at[i].at, NULL);
		assert_int_equal(send_one(&r), at[i].err);
		if (!strstr(r.said, at[i].host))
			fail_msg("%s: %s", at[i].push, r.said);
		rig_close(&r);
	}
}

/* Over TLS it has to be who the address says. */
static void whom_it_believes(void **state)
{
	struct cert good, other;
	struct rig r;

	cert_for(&good, "push.test");
	cert_for(&other, "other.test");
	for (int i = 0; i < 3; i++) {
		struct td_tls *tls = tls_with(i == 1 ? &other : &good, NULL);

		rig_open(&r, "{url: 'https://push.test/x'}", "10.0.0.80:443", tls);
		if (i != 2) { /* else it believes the system's alone */
			r.cfg->tls.ca = td_out_view(i == 1 ? &other.certificate : &good.certificate);
		}
		assert_int_equal(send_one(&r), i == 0 ? 0 : i == 1 ? TD_ENAME : TD_ECERT);
		assert_int_equal(r.said[0] != 0, i == 0);
		rig_close(&r);
		td_tls_unref(tls);
	}
	cert_free(&good);
	cert_free(&other);
}

/* Many at once: in turn, each once; who is cancelled hears nothing, and what does not fit is refused. */
static void in_turn(void **state)
{
	struct td_push_post *posts[TD_PUSH_AT_ONCE + TD_PUSH_WAITING], *one_more;
	struct rig r;

	rig_open(&r, "{url: 'http://10.0.0.81/'}", "10.0.0.80:80", NULL); /* nobody is there */
	for (size_t i = 0; i < TD_ARRAY_LEN(posts); i++)
		assert_int_equal(td_push_send(&posts[i], r.push, r.cfg, &news, on_told, &r), 0);
	assert_int_equal(td_push_send(&one_more, r.push, r.cfg, &news, on_told, &r), TD_EFULL);
	td_push_cancel(posts[0]); /* it is under way, and keeps its place */
	assert_int_equal(td_push_send(&one_more, r.push, r.cfg, &news, on_told, &r), TD_EFULL);
	td_push_cancel(posts[100]);
	assert_int_equal(td_push_send(&one_more, r.push, r.cfg, &news, on_told, &r), 0);
	assert_int_equal(td_push_send(&posts[100], r.push, r.cfg, &news, on_told, &r), TD_EFULL);
	td_sim_run(r.sim, 10000);
	assert_true(r.told > 0);
	td_sim_run(r.sim, 200000);
	assert_int_equal(r.told, TD_ARRAY_LEN(posts) - 1);
	assert_int_equal(td_push_send(&one_more, r.push, r.cfg, &news, on_told, &r), 0); /* and closes with it under way */
	rig_close(&r);
}

static void answers(void **state)
{
	static const struct {
		const char *bytes;
		int status;
	} said[] = {
		{ "", 0 },
		{ "HTTP/1.1 20", 0 },
		{ "HTTP/1.1 200", 200 },
		{ "HTTP/1.0 404 Not Found\r\n", 404 },
		{ "HTTP/2 200 OK", -1 },
		{ "HTTP/1.1  00", -1 },
		{ "HTTP/1.1 2x0", -1 },
		{ "HTTP/1.1 099", -1 },
		{ "HTTP/1.12200", -1 },
		{ "SIP/2.0 200 OK", -1 },
	};

	for (size_t i = 0; i < TD_ARRAY_LEN(said); i++) {
		struct td_str s = exact(said[i].bytes);

		if (push_status(s) != said[i].status)
			fail_msg("%s: %d", said[i].bytes, push_status(s));
		exact_free(s);
	}
}

static void phones(void **state)
{
	static const struct {
		const char *contact;
		const char *prid; /* NULL: it is not woken */
	} contacts[] = {
		{ "sip:b@h;pn-provider=apns;pn-prid=1", "1" },
		{ "sip:b@h;PN-PRID=1;Pn-Provider=APNS;x", "1" },
		{ "sip:b@h;pn-provider=apns", NULL },
		{ "sip:b@h;pn-provider=apns;pn-prid", NULL },
		{ "sip:b@h;pn-provider=apns;pn-prid=", NULL },
		{ "sip:b@h;pn-provider;pn-prid=1", NULL },
		{ "sip:b@h;pn-prid=1", NULL },
		{ "sip:b@h;pn-provider=other;pn-prid=1", NULL },
		{ "sip:pn-prid=1@h", NULL },
	};
	struct td_config *cfg = config("{url: 'http://h/', providers: [apns, fcm]}"), *any = config("{url: 'http://h/'}");
	struct td_push_phone p;

	for (size_t i = 0; i < TD_ARRAY_LEN(contacts); i++) {
		assert_int_equal(td_push_phone_of(&p, cfg, td_str_of(contacts[i].contact)), contacts[i].prid != NULL);
		if (contacts[i].prid)
			assert_str(p.prid, contacts[i].prid);
	}
	assert_true(td_push_phone_of(&p, any, TD_STR("sip:b@h;pn-provider=other;pn-prid=1;pn-param=x%20y")));
	assert_str(p.param, "x%20y");
	assert_true(td_push_knows(any, TD_STR("x")) && !td_push_knows(any, TD_STR("")));
	td_config_unref(cfg);
	td_config_unref(any);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_it_is_told), cmocka_unit_test(where_it_is), cmocka_unit_test(whom_it_believes),
		cmocka_unit_test(in_turn),         cmocka_unit_test(answers),     cmocka_unit_test(phones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
