/*
 * The library's thread beside the workers, on real sockets. Built with -fsanitize=thread this is the test of what they share.
 */
#include "../../support.h"

#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/worker/worker.h"

enum { PEERS = 12, ROUNDS = 40 };

struct rig {
	struct td_config *cfg;
	struct td_users *users;
	struct td_server *server;
	struct td_loop *loop; /* the control thread's */
	struct td_listen ws;
	struct td_server_status st;
};

static struct td_config *config(unsigned workers, const char *extra)
{
	struct td_out yaml, errors;
	struct td_config *c;

	td_out_init(&yaml);
	td_out_init(&errors);
	td_out_fmt(&yaml,
		   "domains: [{name: any.test, users: any}]\nlisten: [\"udp:127.0.0.1:0\", \"ws:127.0.0.1:0\"]\nworkers: %u\n"
		   "registrations: memory\ntrust: [127.0.0.1/32]\nstate: ./s\n%s",
		   workers, extra);
	if (td_config_parse(&c, &errors, TD_STR("t"), td_out_view(&yaml)))
		fail_msg("%.*s", TD_FMT(td_out_view(&errors)));
	td_out_free(&yaml);
	td_out_free(&errors);
	return c;
}

static void rig_open(struct rig *r, unsigned workers)
{
	struct td_server_options opt = { .rr_key = "sixteen byte key" };
	struct td_rng rng;
	struct td_out why;

	memset(r, 0, sizeof(*r));
	td_rng_init(&rng);
	td_out_init(&why);
	r->cfg = config(workers, "");
	assert_int_equal(td_users_open(&r->users, &rng), 0);
	assert_int_equal(td_loop_open(&r->loop), 0);
	opt.cfg = r->cfg;
	opt.users = r->users;
	if (td_server_open(&r->server, &opt, &why))
		fail_msg("%.*s", TD_FMT(td_out_view(&why)));
	td_server_listener(&r->ws, r->server, 1);
	assert_int_equal(r->ws.proto, TD_WS);
	assert_int_not_equal(r->ws.addr.port, 0);
	assert_int_equal(td_server_start(r->server), 0);
	td_out_free(&why);
}

static void rig_close(struct rig *r)
{
	td_server_stop(r->server);
	td_loop_drain(r->loop);
	td_server_close(r->server);
	td_users_close(r->users);
	td_config_unref(r->cfg);
	td_loop_close(r->loop);
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
}

/* ---- peers: sockets, and frames with a mask of zeros ---- */

static int connected(const struct rig *r)
{
	struct sockaddr_storage ss;
	unsigned n = td_addr_to_sockaddr(&ss, &r->ws.addr);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&ss, n), 0);
	return fd;
}

static void say(int fd, const void *bytes, size_t n)
{
	assert_int_equal(send(fd, bytes, n, MSG_NOSIGNAL), n);
}

/* Exactly n bytes; waits for each piece at most 20 s. */
static void hear(int fd, void *out, size_t n)
{
	uint8_t *p = out;

	while (n) {
		struct pollfd pfd = { .fd = fd, .events = POLLIN };
		ssize_t got;

		assert_int_equal(poll(&pfd, 1, 20000), 1);
		got = recv(fd, p, n, 0);
		assert_true(got > 0);
		p += got;
		n -= (size_t)got;
	}
}

static void upgrade(int fd)
{
	static const char text[] = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
				   "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
				   "Sec-WebSocket-Protocol: sip\r\n\r\n";
	char answer[1024] = { 0 };
	size_t n = 0;

	say(fd, text, sizeof(text) - 1);
	while (n < 4 || memcmp(answer + n - 4, "\r\n\r\n", 4) != 0) {
		assert_true(n < sizeof(answer) - 1);
		hear(fd, answer + n++, 1);
	}
	assert_non_null(strstr(answer, "101"));
	assert_non_null(strstr(answer, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
}

static void ask(int fd, unsigned peer, unsigned round)
{
	uint8_t frame[1024];
	char text[900];
	int n = snprintf(
		text, sizeof(text),
		"OPTIONS sip:any.test SIP/2.0\r\nVia: SIP/2.0/WS p%u.invalid;branch=z9hG4bKp%ur%u\r\nMax-Forwards: 70\r\n"
		"From: <sip:a@any.test>;tag=1\r\nTo: <sip:any.test>\r\nCall-ID: c%u-%u\r\nCSeq: 1 OPTIONS\r\n\r\n",
		peer, peer, round, peer, round);

	assert_true(n > 126 && n < (int)sizeof(text));
	frame[0] = 0x81;
	frame[1] = 0x80 | 126;
	frame[2] = (uint8_t)(n >> 8);
	frame[3] = (uint8_t)n;
	memset(frame + 4, 0, 4);
	memcpy(frame + 8, text, (size_t)n);
	say(fd, frame, 8 + (size_t)n);
}

static void answered(int fd, unsigned peer, unsigned round)
{
	char text[4096], branch[64];
	uint8_t head[4];
	size_t n;

	hear(fd, head, 2);
	assert_int_equal(head[0], 0x81);
	assert_int_equal(head[1], 126);
	hear(fd, head + 2, 2);
	n = (size_t)head[2] << 8 | head[3];
	assert_true(n < sizeof(text));
	hear(fd, text, n);
	text[n] = 0;
	snprintf(branch, sizeof(branch), "branch=z9hG4bKp%ur%u;", peer, round);
	if (memcmp(text, "SIP/2.0 200 ", 12) != 0 || !strstr(text, branch))
		fail_msg("peer %u, round %u: %s", peer, round, text);
}

/* All at once, over all workers; some go and come again in between; the configuration changes under them. */
static void many_peers(unsigned workers)
{
	int fd[PEERS];
	struct rig r;

	rig_open(&r, workers);
	for (unsigned i = 0; i < PEERS; i++)
		upgrade(fd[i] = connected(&r));
	for (unsigned round = 0; round < ROUNDS; round++) {
		for (unsigned i = 0; i < PEERS; i++)
			ask(fd[i], i, round);
		for (unsigned i = 0; i < PEERS; i++)
			answered(fd[i], i, round);
		if (round % 10 == 3) {
			struct td_config *c = config(workers, "web: {origins: ['http://a.test']}\n");
			struct td_out notes;

			td_out_init(&notes);
			assert_int_equal(td_server_reload(r.server, c, NULL, &notes), 0);
			td_out_free(&notes);
			td_config_unref(c);
			close(fd[round % PEERS]);
			upgrade(fd[round % PEERS] = connected(&r));
		}
	}
	ask_status(&r);
	assert_int_equal(r.st.workers, workers);
	assert_int_equal(r.st.count.options, PEERS * ROUNDS);
	assert_int_equal(r.st.tp.messages, PEERS * ROUNDS);
	assert_true(r.st.tp.conns_accepted >= PEERS);
	rig_close(&r); /* with all of them still there */
	for (unsigned i = 0; i < PEERS; i++)
		close(fd[i]);
}

static void several_workers(void **state)
{
	many_peers(3);
}

static void one_worker(void **state)
{
	many_peers(1);
}

/* In the middle of anything: half handshakes, frames begun, answers under way. */
static void stopped_at_any_time(void **state)
{
	for (unsigned i = 0; i < 6; i++) {
		int a, b, c;
		struct rig r;

		rig_open(&r, 2);
		a = connected(&r);
		b = connected(&r);
		c = connected(&r);
		say(a, "GET / HTTP/1.1\r\n", 16);
		upgrade(b);
		say(b, "\x81\xfe", 2);
		upgrade(c);
		for (unsigned k = 0; k < 20 * i; k++)
			ask(c, 1, k);
		rig_close(&r);
		close(a);
		close(b);
		close(c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(several_workers),
		cmocka_unit_test(one_worker),
		cmocka_unit_test(stopped_at_any_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
