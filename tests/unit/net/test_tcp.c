/* Streams over the kernel and over the wire: the same tests, since what stands above must not see a difference. */
#include "world.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* One end of a connection: what happened to it, and what it shall do then. */
struct end {
	struct world *w;
	struct td_conn *c;
	struct td_listener *listener;
	unsigned accepted, connected, drained, closed;
	int err;
	size_t got;
	bool in_order;
	struct td_str answer; /* sent upon the first bytes */
	bool echo, close_on_connected, close_on_data, close_on_drained, close_on_closed, shutdown_on_data, flood;
	size_t flood_sent, flood_bytes;
};

static void send_bytes(struct td_conn *c, struct td_str s)
{
	struct td_buf *b = td_buf_copy(s);

	assert_non_null(b);
	assert_int_equal(td_conn_send(c, b), 0);
	assert_int_equal(td_conn_queued(c) >= s.n, 1);
	td_buf_unref(b);
}

static void close_end(struct end *e)
{
	td_conn_close(e->c);
	e->c = NULL;
}

/* Sends a long pattern piece by piece, as much as the queue takes at a time. */
static void flood(struct end *e)
{
	while (e->flood_sent < e->flood_bytes) {
		struct td_buf *b = pattern(65536, 0);
		int err = td_conn_send(e->c, b);

		td_buf_unref(b);
		if (err) {
			assert_int_equal(err, TD_EFULL);
			return;
		}
		e->flood_sent += 65536;
	}
}

static void on_connected(struct td_conn *c, void *arg)
{
	struct end *e = arg;

	assert_ptr_equal(c, e->c);
	e->connected++;
	if (e->close_on_connected)
		close_end(e);
}

static void on_data(struct td_conn *c, struct td_str bytes, void *arg)
{
	struct end *e = arg;

	e->in_order = is_pattern(bytes, e->got % 65536, 0) && (e->got == 0 || e->in_order);
	if (e->got == 0 && e->answer.n)
		send_bytes(c, e->answer);
	e->got += bytes.n;
	if (e->echo)
		send_bytes(c, bytes);
	if (e->close_on_data) {
		close_end(e);
	} else if (e->shutdown_on_data) {
		td_conn_shutdown(c);
		assert_int_equal(td_conn_send(c, NULL), TD_ECLOSED);
		e->c = NULL;
	}
}

static void on_drained(struct td_conn *c, void *arg)
{
	struct end *e = arg;

	e->drained++;
	assert_int_equal(td_conn_queued(c), 0);
	if (e->flood)
		flood(e);
	if (e->close_on_drained)
		close_end(e);
}

static void on_closed(struct td_conn *c, int err, void *arg)
{
	struct end *e = arg;

	e->closed++;
	e->err = err;
	if (e->close_on_closed)
		close_end(e);
}

static const struct td_conn_events events = { on_connected, on_data, on_drained, on_closed };

static void on_accept(struct td_listener *l, struct td_conn *c, void *arg)
{
	struct end *e = arg;

	e->accepted++;
	e->c = c;
	assert_true(td_addr_eq(td_conn_local(c), td_listener_local(l)));
	td_conn_handle(c, &events, e);
	if (e->flood)
		flood(e);
}

static void listen_end(struct world *w, struct end *server)
{
	server->w = w;
	assert_int_equal(td_listener_open(&server->listener, w->server_net, &w->server_ip, 0, on_accept, server), 0);
}

static void connect_end(struct world *w, struct end *client, const struct td_addr *to)
{
	client->w = w;
	assert_int_equal(td_conn_open(&client->c, w->client_net, to, &events, client), 0);
	assert_int_equal(client->connected + client->closed, 0);
}

static void open_pair(struct world *w, void **state, struct end *server, struct end *client)
{
	world_open(w, state);
	listen_end(w, server);
	connect_end(w, client, td_listener_local(server->listener));
}

static void close_all(struct world *w, struct end *server, struct end *client)
{
	td_conn_close(server->c);
	td_conn_close(client->c);
	td_listener_close(server->listener);
	world_close(w);
}

static bool is_connected(void *arg)
{
	return ((struct end *)arg)->connected > 0;
}

static bool is_accepted(void *arg)
{
	return ((struct end *)arg)->accepted > 0;
}

static bool is_closed(void *arg)
{
	return ((struct end *)arg)->closed > 0;
}

static bool is_gone(void *arg)
{
	return !((struct end *)arg)->c;
}

static bool got_flood(void *arg)
{
	return ((struct end *)arg)->got >= 3 << 20;
}

static bool got_3000(void *arg)
{
	return ((struct end *)arg)->got >= 3000;
}

static void echo(void **state)
{
	struct end server = { .echo = true }, client = { 0 };
	struct td_buf *b = pattern(3000, 0);
	struct world w;

	open_pair(&w, state, &server, &client);
	for (size_t i = 0; i < 3; i++) /* before it is connected: waits */
		send_bytes(client.c, td_str_n(b->data + 1000 * i, 1000));
	assert_int_equal(td_conn_queued(client.c), 3000);
	assert_true(world_run(&w, got_3000, &client));
	assert_int_equal(client.got, 3000);
	assert_true(client.in_order && server.in_order);
	assert_int_equal(client.connected, 1);
	assert_int_equal(server.accepted, 1);
	assert_int_equal(client.drained, 1);
	assert_true(td_addr_eq(td_conn_peer(client.c), td_listener_local(server.listener)));
	assert_true(td_addr_eq(td_conn_peer(server.c), td_conn_local(client.c)));
	assert_true(td_ip_eq(td_conn_local(client.c), &w.client_ip));
	td_buf_unref(b);
	close_all(&w, &server, &client);
}

/* More than any buffer between them holds, in the order sent. */
static void long_stream(void **state)
{
	struct end server = { .flood = true, .flood_bytes = 3 << 20 }, client = { 0 };
	struct world w;

	open_pair(&w, state, &server, &client);
	assert_true(world_run(&w, got_flood, &client));
	assert_int_equal(client.got, 3 << 20);
	assert_true(client.in_order);
	assert_true(server.drained > 0);
	close_all(&w, &server, &client);
}

/* The side that has heard a FIN may still send, and td_conn_shutdown() delivers all of it. */
static void half_close(void **state)
{
	struct end server = { .shutdown_on_data = true, .answer = TD_STR("bye") }, client = { 0 };
	struct world w;

	open_pair(&w, state, &server, &client);
	send_bytes(client.c, TD_STR("x"));
	assert_true(world_run(&w, is_closed, &client));
	assert_int_equal(client.err, 0);
	assert_int_equal(client.got, 3);
	send_bytes(client.c, TD_STR("late"));
	td_conn_shutdown(client.c);
	client.c = NULL;
	world_settle(&w);
	assert_int_equal(client.closed, 1);
	assert_int_equal(server.closed, 0);
	close_all(&w, &server, &client);
}

static void closed_is_told_once(void **state)
{
	struct end server = { 0 }, client = { 0 };
	struct world w;

	open_pair(&w, state, &server, &client);
	assert_true(world_run(&w, is_accepted, &server));
	assert_true(world_run(&w, is_connected, &client));
	close_end(&server);
	assert_true(world_run(&w, is_closed, &client));
	assert_int_equal(client.err, 0);
	for (int i = 0; i < 3; i++) { /* the peer is gone: answered by RST, of which nobody needs to hear */
		struct td_buf *b = pattern(10, 0);

		(void)td_conn_send(client.c, b);
		td_buf_unref(b);
		world_settle(&w);
	}
	assert_int_equal(client.closed, 1);
	struct td_buf *b = pattern(10, 0);

	assert_int_equal(td_conn_send(client.c, b), TD_ECLOSED);
	td_buf_unref(b);
	close_all(&w, &server, &client);
}

/* "400 and close" while the peer still sends: the answer arrives, not a reset that destroys it. */
static void answer_survives_close(void **state)
{
	struct end server = { .shutdown_on_data = true, .answer = TD_STR("400") },
		   client = { .flood = true, .flood_bytes = 1 << 20 };
	struct world w;

	open_pair(&w, state, &server, &client);
	flood(&client);
	assert_true(world_run(&w, is_closed, &client));
	assert_int_equal(client.got, 3);
	assert_int_equal(client.err, 0);
	close_all(&w, &server, &client);
}

static void refused(void **state)
{
	struct end server = { 0 }, client = { 0 }, closing = { .close_on_closed = true };
	struct td_addr at;
	struct world w;

	world_open(&w, state);
	listen_end(&w, &server);
	at = *td_listener_local(server.listener);
	td_listener_close(server.listener);
	connect_end(&w, &client, &at);
	connect_end(&w, &closing, &at);
	assert_true(world_run(&w, is_closed, &client));
	assert_true(world_run(&w, is_closed, &closing));
	assert_int_equal(client.err, -ECONNREFUSED);
	assert_int_equal(closing.err, -ECONNREFUSED);
	assert_int_equal(client.connected, 0);
	world_settle(&w);
	assert_int_equal(client.closed, 1);
	td_conn_close(client.c);
	world_close(&w);
}

static void port_in_use(void **state)
{
	struct end server = { 0 };
	struct td_listener *other = NULL;
	struct world w;

	world_open(&w, state);
	listen_end(&w, &server);
	assert_int_equal(td_listener_open(&other, w.server_net, td_listener_local(server.listener), 0, on_accept, NULL),
			 -EADDRINUSE);
	assert_null(other);
	td_listener_close(server.listener);
	world_close(&w);
}

/* Each callback may end its own connection. */
static void close_within_callbacks(void **state)
{
	static const struct end rows[][2] = {
		/* server, client */
		{ { .close_on_closed = true }, { .close_on_connected = true } },
		{ { .close_on_data = true }, { .close_on_closed = true } },
		{ { .close_on_data = true, .echo = true }, { .close_on_closed = true } },
		{ { .close_on_closed = true }, { .close_on_drained = true } },
		{ { .shutdown_on_data = true, .echo = true }, { .close_on_data = true } },
		{ { .echo = true, .close_on_closed = true }, { .shutdown_on_data = true } },
	};

	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct end server = rows[i][0], client = rows[i][1];
		struct world w;

		open_pair(&w, state, &server, &client);
		send_bytes(client.c, TD_STR("x"));
		if (!world_run(&w, is_gone, &client) || (world_settle(&w), false) || !world_run(&w, is_gone, &server))
			fail_msg("row %zu", i);
		close_all(&w, &server, &client);
	}
}

static void refuse_in_accept(struct td_listener *l, struct td_conn *c, void *arg)
{
	struct end *e = arg;

	e->accepted++;
	if (e->accepted == 1)
		td_conn_close(c);
	else if (e->accepted == 3)
		td_listener_close(l);
	/* The others are left alone: nobody handles them, so they are closed. */
}

static void not_accepted(void **state)
{
	struct end server = { 0 }, client[3] = { { 0 } };
	struct world w;

	world_open(&w, state);
	assert_int_equal(td_listener_open(&server.listener, w.server_net, &w.server_ip, 0, refuse_in_accept, &server), 0);
	for (int i = 0; i < 3; i++)
		connect_end(&w, &client[i], td_listener_local(server.listener));
	for (int i = 0; i < 3; i++) {
		assert_true(world_run(&w, is_closed, &client[i]));
		td_conn_close(client[i].c);
	}
	assert_int_equal(server.accepted, 3);
	world_close(&w);
}

/* A peer that never reads (or is gone): the queue is bounded, and nobody waits for it. */
static void t3_peer_never_reads(void **state)
{
	struct end server = { 0 }, client = { 0 };
	struct world w;
	struct td_buf *b = pattern(10000, 0);
	int fd = -1, err, sent = 0;

	world_open(&w, state);
	listen_end(&w, &server);
	if (w.sim) {
		connect_end(&w, &client, td_listener_local(server.listener));
		assert_true(world_run(&w, is_connected, &client));
		td_net_unplug(w.client_net, true);
	} else {
		struct sockaddr_storage ss;
		unsigned n = td_addr_to_sockaddr(&ss, td_listener_local(server.listener));

		fd = socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_int_equal(connect(fd, (struct sockaddr *)&ss, n), 0);
	}
	assert_true(world_run(&w, is_accepted, &server));
	td_conn_set_limit(server.c, 100000);
	while (!(err = td_conn_send(server.c, b))) {
		if (++sent % 10 == 0)
			world_settle(&w);
		assert_true(sent < 10000);
	}
	assert_int_equal(err, TD_EFULL);
	assert_true(td_conn_queued(server.c) <= 100000 && td_conn_queued(server.c) > 90000);
	if (w.sim) {
		assert_true(world_run(&w, is_closed, &server));
		assert_int_equal(server.err, -ETIMEDOUT);
	}
	td_conn_close(server.c);
	server.c = NULL;
	assert_int_equal(atomic_load(&b->refs), 1);
	td_buf_unref(b);
	if (fd >= 0)
		close(fd);
	close_all(&w, &server, &client);
}

/* td_conn_shutdown() towards a peer that never reads ends all the same. */
static void t3_shutdown_is_bounded(void **state)
{
	struct end server = { 0 }, client = { 0 };
	struct td_buf *b = pattern(200000, 0);
	struct world w;

	world_open(&w, state);
	listen_end(&w, &server);
	connect_end(&w, &client, td_listener_local(server.listener));
	assert_true(world_run(&w, is_connected, &client));
	td_net_unplug(w.client_net, true);
	assert_int_equal(td_conn_send(server.c, b), 0);
	td_conn_shutdown(server.c);
	server.c = NULL;
	td_sim_run(w.sim, 4900);
	assert_true(atomic_load(&b->refs) > 1);
	td_sim_run(w.sim, 200);
	assert_int_equal(atomic_load(&b->refs), 1);
	td_buf_unref(b);
	close_all(&w, &server, &client);
}

static void many_buffers_are_bounded(void **state)
{
	struct end server = { 0 }, client = { 0 };
	struct td_buf *b = pattern(1, 0);
	struct world w;
	int err, n = 0;

	open_pair(&w, state, &server, &client);
	while (!(err = td_conn_send(client.c, b)))
		n++;
	assert_int_equal(err, TD_EFULL);
	assert_int_equal(n, 16384);
	assert_int_equal(atomic_load(&b->refs), 16385);
	close_end(&client);
	assert_int_equal(atomic_load(&b->refs), 1);
	td_buf_unref(b);
	close_all(&w, &server, &client);
}

enum { MANY = 150 };

struct crowd {
	struct end client[MANY];
	struct td_conn *accepted[MANY];
	unsigned n_accepted, n_done;
};

static void crowd_server_data(struct td_conn *c, struct td_str bytes, void *arg)
{
	send_bytes(c, bytes);
}

static void crowd_server_closed(struct td_conn *c, int err, void *arg)
{
	struct crowd *cr = arg;

	cr->n_done++;
	td_conn_close(c);
}

static void crowd_accept(struct td_listener *l, struct td_conn *c, void *arg)
{
	static const struct td_conn_events ev = { .data = crowd_server_data, .closed = crowd_server_closed };
	struct crowd *cr = arg;

	cr->n_accepted++;
	td_conn_handle(c, &ev, cr);
}

static bool crowd_done(void *arg)
{
	return ((struct crowd *)arg)->n_done == MANY;
}

static void many_connections(void **state)
{
	struct crowd *cr = calloc(1, sizeof(*cr));
	struct td_listener *l;
	struct world w;

	assert_non_null(cr);
	world_open(&w, state);
	assert_int_equal(td_listener_open(&l, w.server_net, &w.server_ip, TD_UDP_REUSEPORT, crowd_accept, cr), 0);
	for (int i = 0; i < MANY; i++) {
		struct td_buf *b = pattern(10 + (unsigned)i, 0);

		cr->client[i].close_on_data = true;
		connect_end(&w, &cr->client[i], td_listener_local(l));
		assert_int_equal(td_conn_send(cr->client[i].c, b), 0);
		td_buf_unref(b);
	}
	assert_true(world_run(&w, crowd_done, cr));
	assert_int_equal(cr->n_accepted, MANY);
	for (int i = 0; i < MANY; i++) {
		assert_null(cr->client[i].c);
		assert_int_equal(cr->client[i].got, 10 + i);
		assert_true(cr->client[i].in_order);
	}
	td_listener_close(l);
	free(cr);
	world_close(&w);
}

/* No descriptor left: the caller is turned away at once, others are served, and it works again when there is one. */
static void out_of_descriptors(void **state)
{
	struct end server = { .close_on_closed = true }, client = { 0 }, later = { 0 };
	struct rlimit was, low;
	struct world w;
	int fds[64], n = 0;

	open_pair(&w, state, &server, &client);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	low = was;
	fds[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	low.rlim_cur = (rlim_t)fds[0] + 32;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	for (n = 1; n < 64 && (fds[n] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0; n++)
		;
	assert_true(n < 64);
	assert_true(world_run(&w, is_closed, &client));
	assert_int_equal(server.accepted, 0);
	close(fds[--n]);
	connect_end(&w, &later, td_listener_local(server.listener)); /* takes the last one again */
	assert_true(world_run(&w, is_closed, &later));
	td_conn_close(later.c);
	later = (struct end){ 0 };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	connect_end(&w, &later, td_listener_local(server.listener));
	assert_true(world_run(&w, is_accepted, &server));
	while (n > 0)
		close(fds[--n]);
	td_conn_close(later.c);
	close_all(&w, &server, &client);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FOUR_MODES(echo),
		FOUR_MODES(long_stream),
		FOUR_MODES(half_close),
		FOUR_MODES(closed_is_told_once),
		FOUR_MODES(answer_survives_close),
		FOUR_MODES(refused),
		FOUR_MODES(port_in_use),
		FOUR_MODES(close_within_callbacks),
		FOUR_MODES(not_accepted),
		FOUR_MODES(t3_peer_never_reads),
		{ "t3_shutdown_is_bounded", t3_shutdown_is_bounded, NULL, NULL, &modes[2] },
		FOUR_MODES(many_buffers_are_bounded),
		FOUR_MODES(many_connections),
		{ "out_of_descriptors", out_of_descriptors, NULL, NULL, &modes[0] },
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
