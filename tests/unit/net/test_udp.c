/* UDP over the kernel and over the wire: the same tests, since what stands above must not see a difference. */
#include "world.h"

#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <net/internal.h>

struct box {
	struct td_udp *udp;
	unsigned n;
	size_t bytes;
	struct td_addr from;
	struct td_buf *kept[64];
	unsigned n_kept, keep_every;
	bool echo, close, in_order;
	unsigned wanted, refused;
};

static void on_datagram(struct td_udp *udp, struct td_buf *buf, const struct td_addr *from, void *arg)
{
	struct box *b = arg;

	b->from = *from;
	b->in_order = is_pattern(td_buf_str(buf), 0, b->n) && (b->n == 0 || b->in_order);
	if (b->keep_every && b->n % b->keep_every == 0)
		b->kept[b->n_kept++] = td_buf_ref(buf);
	b->n++;
	b->bytes += buf->len;
	if (b->echo)
		assert_int_equal(td_udp_send(udp, from, buf), 0);
	if (b->close)
		td_udp_close(udp);
}

static bool got_wanted(void *arg)
{
	return ((struct box *)arg)->n >= ((struct box *)arg)->wanted;
}

static void open_pair(struct world *w, struct box *server, struct box *client)
{
	assert_int_equal(td_udp_open(&server->udp, w->server_net, &w->server_ip, 0, on_datagram, server), 0);
	assert_int_equal(td_udp_open(&client->udp, w->client_net, &w->client_ip, 0, on_datagram, client), 0);
	assert_int_not_equal(td_udp_local(server->udp)->port, 0);
	assert_true(td_ip_eq(td_udp_local(server->udp), &w->server_ip));
}

static void send_pattern(struct box *from, const struct box *to, size_t n, unsigned seed)
{
	struct td_buf *b = pattern(n, seed);

	assert_int_equal(td_udp_send(from->udp, td_udp_local(to->udp), b), 0);
	td_buf_unref(b);
}

static void close_pair(struct world *w, struct box *server, struct box *client)
{
	td_udp_close(server->udp);
	td_udp_close(client->udp);
	world_close(w);
}

static void echo(void **state)
{
	struct box server = { .echo = true }, client = { .wanted = 1 };
	struct world w;

	world_open(&w, state);
	open_pair(&w, &server, &client);
	send_pattern(&client, &server, 777, 0);
	assert_int_equal(client.n, 0);
	assert_true(world_run(&w, got_wanted, &client));
	assert_true(server.in_order && client.in_order);
	assert_int_equal(client.bytes, 777);
	assert_true(td_addr_eq(&server.from, td_udp_local(client.udp)));
	assert_true(td_addr_eq(&client.from, td_udp_local(server.udp)));
	assert_int_equal(td_udp_stats(server.udp)->received, 1);
	assert_int_equal(td_udp_stats(server.udp)->sent, 1);
	close_pair(&w, &server, &client);
}

/* Around the size of a receive slot, and as large as UDP gets. */
/* Proves RFC 3261 §18.1.1-3. */
static void sizes(void **state)
{
	static const size_t rows[] = { 1, 1007, 1008, 1009, 4096, 60000, 65507 };
	struct box server = { 0 }, client = { 0 };
	size_t bytes = 0;
	struct world w;

	world_open(&w, state);
	open_pair(&w, &server, &client);
	for (unsigned i = 0; i < TD_ARRAY_LEN(rows); i++) {
		send_pattern(&client, &server, rows[i], i);
		server.wanted++;
		assert_true(world_run(&w, got_wanted, &server));
		bytes += rows[i];
	}
	assert_int_equal(server.bytes, bytes);
	assert_true(server.in_order);
	close_pair(&w, &server, &client);
}

/* More than a batch both ways; buffers the receiver keeps must not be written to again. */
static void batches(void **state)
{
	struct box server = { .wanted = 200, .keep_every = 4 }, client = { 0 };
	struct world w;

	world_open(&w, state);
	open_pair(&w, &server, &client);
	for (unsigned i = 0; i < 200; i++)
		send_pattern(&client, &server, 100 + i, i);
	assert_true(world_run(&w, got_wanted, &server));
	world_settle(&w);
	assert_int_equal(server.n, 200);
	assert_true(server.in_order);
	assert_int_equal(td_udp_stats(client.udp)->sent, 200);
	assert_int_equal(server.n_kept, 50);
	for (unsigned i = 0; i < server.n_kept; i++) {
		assert_int_equal(server.kept[i]->len, 100 + 4 * i);
		assert_true(is_pattern(td_buf_str(server.kept[i]), 0, 4 * i));
		td_buf_unref(server.kept[i]);
	}
	close_pair(&w, &server, &client);
}

/* Keeps every buffer, as one who puts datagrams off, until the batch's end. */
struct patient {
	struct td_buf *kept[200];
	unsigned n, done, pauses;
	bool close;
};

static void put_off(struct td_udp *udp, struct td_buf *buf, const struct td_addr *from, void *arg)
{
	struct patient *p = arg;

	p->kept[p->n++] = td_buf_ref(buf);
	if (p->close)
		td_udp_close(udp);
}

static void at_pause(struct td_udp *udp, void *arg)
{
	struct patient *p = arg;

	p->pauses++;
	for (; p->done < p->n; p->done++) {
		assert_int_equal(p->kept[p->done]->len, 100 + p->done);
		assert_true(is_pattern(td_buf_str(p->kept[p->done]), 0, p->done));
		td_buf_unref(p->kept[p->done]);
	}
}

static void open_patient_pair(struct world *w, struct patient *p, struct box *server, struct box *client)
{
	assert_int_equal(td_udp_open(&server->udp, w->server_net, &w->server_ip, 0, put_off, p), 0);
	td_udp_on_pause(server->udp, at_pause);
	assert_int_equal(td_udp_open(&client->udp, w->client_net, &w->client_ip, 0, on_datagram, client), 0);
}

static bool all_done(void *arg)
{
	return ((struct patient *)arg)->done == TD_ARRAY_LEN(((struct patient *)arg)->kept);
}

/* After each batch there is a pause, also where its last datagram was an empty one; none is delivered without one after it. */
static void pauses(void **state)
{
	struct patient p = { 0 };
	struct box server = { 0 }, client = { 0 };
	struct world w;

	world_open(&w, state);
	open_patient_pair(&w, &p, &server, &client);
	for (unsigned i = 0; i < TD_ARRAY_LEN(p.kept); i++) {
		send_pattern(&client, &server, 100 + i, i);
		if (i % 16 == 15)
			send_pattern(&client, &server, 0, 0);
	}
	assert_true(world_run(&w, all_done, &p));
	assert_int_equal(p.n, TD_ARRAY_LEN(p.kept));
	assert_in_range(p.pauses, 1, TD_ARRAY_LEN(p.kept) / 4); /* they came in batches */
	close_pair(&w, &server, &client);
}

static bool got_one(void *arg)
{
	return ((struct patient *)arg)->n > 0;
}

static void no_pause_after_close(void **state)
{
	struct patient p = { .close = true };
	struct box server = { 0 }, client = { 0 };
	struct world w;

	world_open(&w, state);
	open_patient_pair(&w, &p, &server, &client);
	for (unsigned i = 0; i < 3; i++)
		send_pattern(&client, &server, 100, 0);
	assert_true(world_run(&w, got_one, &p));
	world_settle(&w);
	assert_int_equal(p.n, 1);
	assert_int_equal(p.pauses, 0);
	td_buf_unref(p.kept[0]);
	td_udp_close(client.udp);
	world_close(&w);
}

static void p10_empty_datagram(void **state)
{
	struct box server = { .wanted = 1 }, client = { 0 };
	struct world w;

	world_open(&w, state);
	open_pair(&w, &server, &client);
	send_pattern(&client, &server, 0, 0);
	send_pattern(&client, &server, 5, 0);
	assert_true(world_run(&w, got_wanted, &server));
	assert_int_equal(server.bytes, 5);
	assert_int_equal(td_udp_stats(server.udp)->empty, 1);
	assert_int_equal(td_udp_stats(server.udp)->received, 1);
	close_pair(&w, &server, &client);
}

static void close_in_callback(void **state)
{
	struct box server = { .wanted = 1, .close = true, .echo = true }, client = { .wanted = 1 };
	struct world w;

	world_open(&w, state);
	open_pair(&w, &server, &client);
	for (unsigned i = 0; i < 5; i++)
		send_pattern(&client, &server, 10, 0);
	assert_true(world_run(&w, got_wanted, &client)); /* what was queued before the close still leaves */
	world_settle(&w);
	assert_int_equal(server.n, 1);
	assert_int_equal(client.n, 1);
	td_udp_close(client.udp);
	world_close(&w);
}

/* One datagram that cannot be sent, in the middle: the others arrive. */
static void bad_datagram_in_batch(void **state)
{
	struct box server = { .wanted = 10 }, client = { 0 };
	struct td_addr other = { .port = 5060, .family = TD_AF_V4, .ip = { 192, 0, 2, 9 } };
	struct td_buf *huge = pattern(70000, 0);
	struct world w;

	world_open(&w, state);
	open_pair(&w, &server, &client);
	if (w.server_ip.family == TD_AF_V4)
		other.family = TD_AF_V6;
	for (unsigned i = 0; i < 10; i++) {
		send_pattern(&client, &server, 50, i);
		if (i == 0 || i == 4 || i == 9)
			assert_int_equal(td_udp_send(client.udp, td_udp_local(server.udp), huge), 0);
	}
	assert_int_equal(td_udp_send(client.udp, &other, huge), -EAFNOSUPPORT);
	assert_true(world_run(&w, got_wanted, &server));
	assert_true(server.in_order);
	assert_int_equal(td_udp_stats(client.udp)->sent, 10);
	assert_int_equal(td_udp_stats(client.udp)->send_errors, 4);
	assert_int_equal(atomic_load(&huge->refs), 1);
	td_buf_unref(huge);
	close_pair(&w, &server, &client);
}

static void shared_port(void **state)
{
	struct box server[2] = { { 0 }, { 0 } }, client = { 0 }, late = { 0 };
	struct td_addr at;
	struct world w;

	world_open(&w, state);
	assert_int_equal(td_udp_open(&client.udp, w.client_net, &w.client_ip, 0, on_datagram, &client), 0);
	assert_int_equal(td_udp_open(&server[0].udp, w.server_net, &w.server_ip, TD_UDP_REUSEPORT, on_datagram, &server[0]), 0);
	at = *td_udp_local(server[0].udp);
	assert_int_equal(td_udp_open(&server[1].udp, w.server_net, &at, TD_UDP_REUSEPORT, on_datagram, &server[1]), 0);
	assert_int_equal(td_udp_open(&late.udp, w.server_net, &at, 0, on_datagram, &late), -EADDRINUSE);
	for (unsigned i = 0; i < 6; i++)
		send_pattern(&client, &server[0], 20, 0);
	world_settle(&w);
	/* One source always reaches the same one of them. */
	assert_int_equal(server[0].n + server[1].n, 6);
	assert_true(server[0].n == 0 || server[1].n == 0);
	td_udp_close(server[0].udp);
	td_udp_close(server[1].udp);
	td_udp_close(client.udp);
	world_close(&w);
}

/* While the kernel takes no more the queue is bounded, and what is in it leaves later. */
static void bounded_queue(void **state)
{
	struct box server = { .wanted = 1 }, client = { 0 };
	struct td_buf *b = pattern(20, 0);
	struct world w;

	world_open(&w, state);
	open_pair(&w, &server, &client);
	client.udp->blocked = true;
	for (unsigned i = 0; i < NET_UDP_QUEUE_MAX; i++)
		assert_int_equal(td_udp_send(client.udp, td_udp_local(server.udp), b), 0);
	assert_int_equal(td_udp_send(client.udp, td_udp_local(server.udp), b), TD_ELIMIT);
	assert_int_equal(td_udp_stats(client.udp)->send_errors, 1);
	client.udp->blocked = false;
	client.udp->net->ops->udp_flush(client.udp);
	assert_true(world_run(&w, got_wanted, &server));
	world_settle(&w);
	assert_int_equal(td_udp_stats(client.udp)->sent, NET_UDP_QUEUE_MAX);
	close_pair(&w, &server, &client);
	assert_int_equal(atomic_load(&b->refs), 1);
	td_buf_unref(b);
}

static void nowhere(void **state)
{
	struct box client = { 0 }, gone = { 0 };
	struct td_addr bad = { .family = TD_AF_NONE };
	struct td_udp *none = NULL;
	struct world w;

	world_open(&w, state);
	open_pair(&w, &gone, &client);
	struct td_addr at = *td_udp_local(gone.udp);

	td_udp_close(gone.udp);
	for (int i = 0; i < 3; i++) {
		struct td_buf *b = pattern(9, 0);

		assert_int_equal(td_udp_send(client.udp, &at, b), 0);
		td_buf_unref(b);
		world_settle(&w);
	}
	assert_int_equal(client.n, 0);
	assert_int_equal(td_udp_open(&none, w.client_net, &bad, 0, on_datagram, NULL), -EAFNOSUPPORT);
	assert_int_equal(
		td_addr_parse(&bad, w.client_ip.family == TD_AF_V4 ? TD_STR("198.51.100.7:0") : TD_STR("[2001:db8:f::7]:0")), 0);
	assert_int_equal(td_udp_open(&none, w.client_net, &bad, 0, on_datagram, NULL), -EADDRNOTAVAIL);
	assert_null(none);
	td_udp_close(client.udp);
	world_close(&w);
}

static void on_refused(struct td_udp *udp, const struct td_addr *to, int err, void *arg)
{
	((struct box *)arg)->refused += td_ip_eq(to, td_udp_local(udp)) && err == -ECONNREFUSED;
}

static void send_now(struct box *from, const struct td_addr *to, unsigned seed)
{
	struct td_buf *b = pattern(50, seed);

	assert_int_equal(td_udp_send(from->udp, to, b), 0);
	from->udp->net->ops->udp_flush(from->udp);
	td_buf_unref(b);
}

/* The kernel tells with the next send what ICMP said of the one before: that next one leaves all the same. */
static void refused_before(void **state)
{
	struct box server = { .wanted = 3 }, client = { 0 }, gone = { 0 };
	struct td_addr at;
	struct world w;

	world_open(&w, state);
	open_pair(&w, &server, &client);
	td_udp_on_refused(client.udp, on_refused);
	assert_int_equal(td_udp_open(&gone.udp, w.server_net, &w.server_ip, 0, on_datagram, &gone), 0);
	at = *td_udp_local(gone.udp);
	td_udp_close(gone.udp);
	for (unsigned i = 0; i < 3; i++) {
		send_now(&client, &at, 0);
		send_now(&client, td_udp_local(server.udp), i);
	}
	assert_true(world_run(&w, got_wanted, &server));
	assert_true(server.in_order);
	assert_int_equal(td_udp_stats(client.udp)->send_errors, 0);
	world_settle(&w);
	assert_int_equal(client.refused, w.mode->sim ? 0 : 3);
	close_pair(&w, &server, &client);
}

/* A network of our own whose loopback carries no more than an Ethernet would. False: this user may not make one. */
static bool narrow_network(void)
{
	struct ifreq lo = { .ifr_name = "lo" };
	int fd, err;

	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) && unshare(CLONE_NEWNET))
		return false;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	lo.ifr_mtu = 1500;
	err = ioctl(fd, SIOCSIFMTU, &lo);
	lo.ifr_flags = IFF_UP;
	err |= ioctl(fd, SIOCSIFFLAGS, &lo);
	close(fd);
	return !err;
}

/* What a path cannot carry whole leaves in fragments, between others that need none. Last: the network stays narrow. */
static void too_long_for_the_path(void **state)
{
	static const size_t rows[] = { 400, 1472, 1473, 9000, 400, 65507, 1472 };
	struct box server = { .wanted = TD_ARRAY_LEN(rows) }, client = { 0 };
	struct world w;

	if (!narrow_network())
		skip();
	world_open(&w, state);
	open_pair(&w, &server, &client);
	for (unsigned i = 0; i < TD_ARRAY_LEN(rows); i++)
		send_pattern(&client, &server, rows[i], i);
	assert_true(world_run(&w, got_wanted, &server));
	assert_true(server.in_order);
	assert_int_equal(td_udp_stats(client.udp)->send_errors, 0);
	close_pair(&w, &server, &client);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FOUR_MODES(echo),
		FOUR_MODES(sizes),
		FOUR_MODES(batches),
		FOUR_MODES(pauses),
		FOUR_MODES(no_pause_after_close),
		FOUR_MODES(p10_empty_datagram),
		FOUR_MODES(close_in_callback),
		FOUR_MODES(bad_datagram_in_batch),
		FOUR_MODES(shared_port),
		FOUR_MODES(bounded_queue),
		FOUR_MODES(nowhere),
		FOUR_MODES(refused_before),
		{ "too_long_for_the_path", too_long_for_the_path, NULL, NULL, &modes[0] },
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
