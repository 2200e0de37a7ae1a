/* The server on threads and real sockets: what a simulation cannot show. Built with -fsanitize=thread this is the test of the workers. */
#include "support.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/worker/internal.h"

enum { WORKERS = 3 };

struct rig {
	struct td_config *cfg;
	struct td_users *users;
	struct td_server *server;
	struct td_loop *loop; /* the control thread's */
	struct td_listen udp, tcp;
	struct td_server_status st;
};

static struct td_config *config(const char *extra, const char *registrations)
{
	struct td_out yaml, errors;
	struct td_config *c;

	td_out_init(&yaml);
	td_out_init(&errors);
	td_out_fmt(&yaml,
		   "domains: [{name: any.test, users: any}]\nlisten: [\"udp:127.0.0.1:0\", \"tcp:127.0.0.1:0\"]\nworkers: %d\n"
		   "registrations: %s\ntrust: [127.0.0.1/32]\nstate: ./s\n%s",
		   WORKERS, registrations, extra);
	if (td_config_parse(&c, &errors, TD_STR("t"), td_out_view(&yaml)))
		fail_msg("%.*s", TD_FMT(td_out_view(&errors)));
	td_out_free(&yaml);
	td_out_free(&errors);
	return c;
}

static void rig_open_with(struct rig *r, struct td_store *store)
{
	struct td_server_options opt = { .rr_key = "sixteen byte key" };
	struct td_rng rng;
	struct td_out why;

	memset(r, 0, sizeof(*r));
	td_rng_init(&rng);
	td_out_init(&why);
	r->cfg = config("ring: [{number: team, to: [b, c]}]\n", store ? "durable" : "memory");
	opt.store = store;
	assert_int_equal(td_users_open(&r->users, &rng), 0);
	assert_int_equal(td_loop_open(&r->loop), 0);
	opt.cfg = r->cfg;
	opt.users = r->users;
	if (td_server_open(&r->server, &opt, &why))
		fail_msg("%.*s", TD_FMT(td_out_view(&why)));
	assert_int_equal(td_server_listeners(r->server), 2);
	td_server_listener(&r->udp, r->server, 0);
	td_server_listener(&r->tcp, r->server, 1);
	assert_int_equal(td_server_start(r->server), 0);
	td_out_free(&why);
}

static void rig_open(struct rig *r)
{
	rig_open_with(r, NULL);
}

static void rig_close(struct rig *r)
{
	td_server_close(r->server);
	td_users_close(r->users);
	td_config_unref(r->cfg);
	td_loop_close(r->loop);
}

/* ---- peers: plain sockets ---- */

static int connected(const struct td_listen *to)
{
	struct sockaddr_storage ss;
	unsigned n = td_addr_to_sockaddr(&ss, &to->addr);
	int fd = socket(AF_INET, (to->proto == TD_UDP ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&ss, n), 0);
	return fd;
}

static unsigned port_of(int fd)
{
	struct sockaddr_in sin;
	socklen_t n = sizeof(sin);

	assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &n), 0);
	return ntohs(sin.sin_port);
}

__attribute__((format(printf, 2, 3))) static void say(int fd, const char *fmt, ...)
{
	char text[2048];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	assert_int_equal(send(fd, text, (size_t)n, 0), n);
}

/* What comes next, as text; waits for it at most 10 s. */
static const char *hear(int fd)
{
	static char text[65536];
	struct pollfd p = { .fd = fd, .events = POLLIN };
	ssize_t n;

	assert_int_equal(poll(&p, 1, 10000), 1);
	n = recv(fd, text, sizeof(text) - 1, 0);
	assert_true(n > 0);
	text[n] = 0;
	return text;
}

static void ask(int fd, const char *proto, const char *method, const char *uri, const char *to, int call, const char *contact)
{
	say(fd,
	    "%s %s SIP/2.0\r\nVia: SIP/2.0/%s 127.0.0.1:%u;rport;branch=z9hG4bK%s%d\r\nMax-Forwards: 70\r\nFrom: "
	    "<sip:a@any.test>;tag=1\r\n"
	    "To: <%s>\r\nCall-ID: %s-%d-%u\r\nCSeq: 1 %s\r\n%sContent-Length: 0\r\n\r\n",
	    method, uri, proto, port_of(fd), method, call, to, method, call, port_of(fd), method, contact);
}

static void got_status(void *arg, const struct td_server_status *st)
{
	struct rig *r = arg;

	r->st = *st;
	td_loop_stop(r->loop);
}

static void ask_status(struct rig *r)
{
	assert_int_equal(td_server_status(r->server, r->loop, got_status, r), 0);
	assert_int_equal(td_loop_run(r->loop), 0);
	assert_int_equal(r->st.workers, WORKERS);
}

/* ---- tests ---- */

/* Calls spread over the workers by Call-ID, whatever socket the kernel gives them to. */
static void every_request_is_answered_once(void **state)
{
	int fds[8];
	struct rig r;

	rig_open(&r);
	for (size_t i = 0; i < TD_ARRAY_LEN(fds); i++)
		fds[i] = connected(i & 1 ? &r.tcp : &r.udp);
	for (int call = 0; call < 100; call++)
		for (size_t i = 0; i < TD_ARRAY_LEN(fds); i++) {
			ask(fds[i], i & 1 ? "TCP" : "UDP", "OPTIONS", "sip:any.test", "sip:any.test", call, "");
			assert_non_null(strstr(hear(fds[i]), "SIP/2.0 200"));
		}
	ask_status(&r);
	assert_int_equal(r.st.count.requests, 100 * TD_ARRAY_LEN(fds));
	assert_int_equal(r.st.count.options, 100 * TD_ARRAY_LEN(fds));
	assert_int_equal(r.st.tp.conns_accepted, TD_ARRAY_LEN(fds) / 2);
	for (size_t i = 0; i < TD_ARRAY_LEN(fds); i++)
		close(fds[i]);
	rig_close(&r);
}

/* Registered by one worker, looked up by another, reached over a connection that lives on a third. */
static void relay_across_workers(void **state)
{
	int phone, caller, call;
	char contact[128];
	struct rig r;

	rig_open(&r);
	phone = connected(&r.tcp);
	caller = connected(&r.udp);
	snprintf(contact, sizeof(contact), "Contact: <sip:b@127.0.0.1:%u;transport=tcp>\r\n", port_of(phone));
	ask(phone, "TCP", "REGISTER", "sip:any.test", "sip:b@any.test", 0, contact);
	assert_non_null(strstr(hear(phone), "SIP/2.0 200"));
	for (call = 0; call < 60; call++) {
		const char *got;
		char via[1024];
		size_t n;

		ask(caller, "UDP", "MESSAGE", "sip:b@any.test", "sip:b@any.test", call, "");
		got = hear(phone);
		assert_non_null(strstr(got, "MESSAGE sip:b@127.0.0.1"));
		got = strstr(got, "Via:");
		assert_non_null(got);
		n = (size_t)(strstr(got, "Max-Breadth") - got);
		snprintf(via, sizeof(via), "%.*s%.*s", (int)n, got, (int)strcspn(strstr(got + n, "Via:"), "\r"),
			 strstr(got + n, "Via:"));
		say(phone,
		    "SIP/2.0 200 OK\r\n%s\r\nFrom: <sip:a@any.test>;tag=1\r\nTo: <sip:b@any.test>;tag=2\r\nCall-ID: "
		    "MESSAGE-%d-%u\r\n"
		    "CSeq: 1 MESSAGE\r\nContent-Length: 0\r\n\r\n",
		    via, call, port_of(caller));
		assert_non_null(strstr(hear(caller), "SIP/2.0 200"));
	}
	ask_status(&r);
	assert_int_equal(r.st.count.forwarded, 60);
	assert_int_equal(r.st.location.contacts, 1);
	assert_int_equal(r.st.proxy.contexts, 0);
	close(phone);
	close(caller);
	rig_close(&r);
}

/* Waits until every call has come to this phone; nothing is answered, so they come again and again. */
static void hear_calls(int phone, unsigned n)
{
	bool heard[64] = { false };

	for (unsigned left = n; left;) {
		const char *got = hear(phone), *id = strstr(got, "Call-ID: INVITE-");
		unsigned call;

		if (strncmp(got, "INVITE ", 7) || !id)
			continue;
		call = (unsigned)strtoul(id + strlen("Call-ID: INVITE-"), NULL, 10);
		assert_true(call < n);
		left -= !heard[call];
		heard[call] = true;
	}
}

/* Calls of all workers wait for one address, which is registered by others; and the server stops while they wait. */
static void watches_across_workers(void **state)
{
	enum { CALLS = 20 };
	int one, two, caller;
	char contact[128];
	struct rig r;

	rig_open(&r);
	one = connected(&r.udp);
	two = connected(&r.udp);
	caller = connected(&r.udp);
	snprintf(contact, sizeof(contact), "Contact: <sip:b@127.0.0.1:%u>\r\n", port_of(one));
	ask(one, "UDP", "REGISTER", "sip:any.test", "sip:b@any.test", 0, contact);
	assert_non_null(strstr(hear(one), "SIP/2.0 200"));
	for (int call = 0; call < CALLS; call++)
		ask(caller, "UDP", "INVITE", "sip:team@any.test", "sip:team@any.test", call, "Contact: <sip:a@127.0.0.1>\r\n");
	hear_calls(one, CALLS);
	snprintf(contact, sizeof(contact), "Contact: <sip:c@127.0.0.1:%u>\r\n", port_of(two));
	ask(two, "UDP", "REGISTER", "sip:any.test", "sip:c@any.test", 0, contact);
	hear_calls(two, CALLS);
	for (int i = 1; i < 60; i++)
		ask(two, "UDP", "REGISTER", "sip:any.test", "sip:c@any.test", i, contact);
	td_server_stop(r.server);
	close(one);
	close(two);
	close(caller);
	rig_close(&r);
}

static void reload_while_running(void **state)
{
	struct td_out notes;
	struct rig r;
	int fd, i;

	rig_open(&r);
	fd = connected(&r.udp);
	for (i = 0; i < 50; i++) {
		struct td_config *c = config("registrar: {max_contacts: 3}\n", "memory");

		td_out_init(&notes);
		assert_int_equal(td_server_reload(r.server, c, NULL, &notes), 0);
		assert_int_equal(notes.n, 0);
		td_config_unref(c);
		td_out_free(&notes);
		ask(fd, "UDP", "OPTIONS", "sip:any.test", "sip:any.test", i, "");
		assert_non_null(strstr(hear(fd), "SIP/2.0 200"));
	}
	assert_int_equal(td_server_config(r.server)->registrar.max_contacts, 3);
	close(fd);
	rig_close(&r);
}

/* Stopping in the middle of traffic loses no memory and joins every thread. */
static void stop_under_load(void **state)
{
	struct rig r;
	int fd;

	rig_open(&r);
	fd = connected(&r.udp);
	for (int i = 0; i < 300; i++)
		ask(fd, "UDP", "OPTIONS", "sip:any.test", "sip:any.test", i, "");
	td_server_stop(r.server);
	close(fd);
	rig_close(&r);
}

static void listed(void *arg, struct td_str aor, const struct td_binding *b)
{
	if (!aor.p)
		++*(int *)arg;
}

/* Commits that are under way when the server stops are answered to loops that are still there, whoever asked. */
static void stop_while_the_store_writes(void **state)
{
	const struct td_store_options opt = { .threaded = true };
	struct td_store_stats stats;
	struct td_store *store;
	struct td_out why;
	int fd, ends = 0;
	struct rig r;

	td_out_init(&why);
	for (int round = 0; round < 5; round++) {
		assert_int_equal(td_store_open(&store, &opt, &why), 0);
		rig_open_with(&r, store);
		fd = connected(&r.udp);
		for (int i = 0; i < 200; i++) {
			char aor[64];

			snprintf(aor, sizeof(aor), "sip:u%d@any.test", i % 50);
			ask(fd, "UDP", "REGISTER", "sip:any.test", aor, i, "Contact: <sip:u@127.0.0.1:9>\r\n");
		}
		assert_non_null(strstr(hear(fd), "SIP/2.0 200"));
		assert_int_equal(td_server_status(r.server, r.loop, got_status, &r), 0);
		assert_int_equal(td_location_each(td_server_location(r.server), r.loop, TD_STR_NULL, listed, &ends), 0);
		do
			td_server_stop(r.server);
		while (td_loop_drain(r.loop));
		td_store_stats(&stats, store);
		assert_int_equal(stats.queued, 0);
		assert_int_equal(r.st.workers, WORKERS); /* asked before the workers ended: answered */
		assert_int_equal(ends, round + 1);
		close(fd);
		rig_close(&r);
		td_store_close(store);
	}
	td_out_free(&why);
}

static struct td_msg *options_with(const char *call_id)
{
	struct td_msg *m;
	struct td_buf *b;
	struct td_out o;

	td_out_init(&o);
	td_out_fmt(&o,
		   "OPTIONS sip:any.test SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bKx\r\nMax-Forwards: 70\r\nFrom: "
		   "<sip:a@any.test>;tag=1\r\n"
		   "To: <sip:any.test>\r\nCall-ID: %s\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n",
		   call_id);
	b = td_out_buf(&o);
	assert_non_null(b);
	assert_int_equal(td_msg_parse(&m, b, 0, b->len), 0);
	td_buf_unref(b);
	return m;
}

/* One Call-ID belongs to one worker. When that one does not get round to it, what the others hand to it has an end. */
static void a_worker_too_far_behind(void **state)
{
	struct td_flow from = { .proto = TD_UDP };
	struct worker *slow = NULL, *reader;
	char call_id[32];
	struct rig r;

	rig_open(&r);
	td_server_stop(r.server); /* nobody gets round to anything */
	assert_int_equal(td_addr_parse(&from.peer, TD_STR("127.0.0.1:9")), 0);
	reader = r.server->workers[0];
	for (int i = 0; !slow; i++) {
		snprintf(call_id, sizeof(call_id), "call-%d", i);
		worker_tp_events.message(reader, options_with(call_id), &from);
		for (unsigned k = 1; k < WORKERS; k++)
			if (r.server->workers[k]->handed)
				slow = r.server->workers[k];
	}
	for (unsigned i = 1; i < WORKER_MAX_HANDED + 5; i++)
		worker_tp_events.message(reader, options_with(call_id), &from);
	assert_int_equal(slow->handed, WORKER_MAX_HANDED);
	assert_int_equal(reader->counters.overload, 5);
	td_server_stop(r.server); /* delivers them */
	assert_int_equal(slow->handed, 0);
	assert_int_equal(slow->counters.requests, WORKER_MAX_HANDED);
	rig_close(&r);
}

static void a_taken_port_is_said(void **state)
{
	struct td_server_options opt = { 0 };
	struct td_server *other;
	struct td_config *c;
	struct td_out why;
	struct rig r;

	rig_open(&r);
	c = config("", "memory");
	c->listen[1].addr = r.tcp.addr;
	c->workers = 1;
	opt.cfg = c;
	opt.users = r.users;
	td_out_init(&why);
	assert_true(td_server_open(&other, &opt, &why) < 0);
	assert_true(td_str_starts(td_out_view(&why), TD_STR("cannot listen on tcp:127.0.0.1:")));
	td_out_free(&why);
	td_config_unref(c);
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_request_is_answered_once), cmocka_unit_test(relay_across_workers),
		cmocka_unit_test(reload_while_running),           cmocka_unit_test(stop_under_load),
		cmocka_unit_test(stop_while_the_store_writes),    cmocka_unit_test(a_worker_too_far_behind),
		cmocka_unit_test(a_taken_port_is_said),           cmocka_unit_test(watches_across_workers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
