/* Setting up, and the loop: launch, flush, wait, read, timers. */
#include "sipload.h"

#include <stdarg.h>
#include <sys/epoll.h>
#include <sys/resource.h>

struct stats stats;
struct hist lat_provisional, lat_final, lat_bye, lat_connect;
uint64_t now, first_at, last_at;
volatile sig_atomic_t stopping;

static uint64_t began, idle_ns;
/* The steady part of a timed run: rates leave out its first tenth and what is still answered after its end. */
static struct {
	uint64_t from, to, ok_from, ok_to;
} steady;

void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("sipload: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(2);
}

static void on_sig(int s)
{
	(void)s;
	stopping = 1;
}

static void setup_process(void)
{
	struct rlimit rl;

	signal(SIGINT, on_sig);
	signal(SIGTERM, on_sig);
	signal(SIGPIPE, SIG_IGN);
	getrlimit(RLIMIT_NOFILE, &rl);
	rl.rlim_cur = rl.rlim_max;
	setrlimit(RLIMIT_NOFILE, &rl);
}

static void setup_tls(void)
{
	tls_client = SSL_CTX_new(TLS_client_method());
	tls_server = SSL_CTX_new(TLS_server_method());
	if (!tls_client || !tls_server)
		die("no TLS");
	SSL_CTX_set_session_cache_mode(tls_client, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_mode(tls_client,
			 SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_mode(tls_server, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	if (opt.cert[0] && (SSL_CTX_use_certificate_chain_file(tls_server, opt.cert) != 1 ||
			    SSL_CTX_use_PrivateKey_file(tls_server, opt.key, SSL_FILETYPE_PEM) != 1))
		die("cannot load certificate");
}

static void setup_slots(void)
{
	/* a fresh generation start per process keeps branches and Call-IDs unique across runs */
	uint32_t gen = (uint32_t)(clock_ns() / 1000) ^ (uint32_t)getpid() << 20;

	ops = calloc(opt.window, sizeof(*ops));
	uac_due = calloc(opt.window, sizeof(*uac_due));
	uas_due = calloc(opt.window, sizeof(*uas_due));
	free_slot = calloc(opt.window, sizeof(*free_slot));
	if (!ops || !uac_due || !uas_due || !free_slot)
		die("out of memory");
	for (uint32_t i = 0; i < opt.window; i++) {
		free_slot[free_n++] = opt.window - 1 - i;
		ops[i].gen = gen;
	}
}

static void setup_flows(void)
{
	int need_uas = opt.test == C_CALL || opt.test == C_MESSAGE, udp = opt.transport == T_UDP;

	epoll_fd = epoll_create1(0);
	if (need_uas)
		for (int i = 0; i < opt.uas_n; i++)
			udp ? udp_flow(R_UAS, opt.uas_port + i, i, 0) : tcp_listener(opt.uas_port + i);
	if (opt.test == C_CONNECT || opt.test == C_IDLE)
		return;
	if (!udp)
		opt.uac_n = opt.conns;
	uac_flow = calloc((size_t)opt.uac_n, sizeof(struct flow *));
	if (!uac_flow)
		die("out of memory");
	for (int i = 0; i < opt.uac_n; i++) {
		uac_flow[i] = udp ? udp_flow(R_UAC, opt.uac_port ? opt.uac_port + i : 0, i, !opt.direct) : stream_connect(0, i);
		if (!uac_flow[i])
			die("connect failed");
	}
}

void on_packet(struct flow *f, const char *b, int n, const struct sockaddr_in *src)
{
	struct msg m;

	stats.received++;
	if (n < 12) { /* keep-alives */
		stats.unparsable++;
		return;
	}
	if (!parse(b, n, &m)) {
		stats.unparsable++;
		if (opt.test != C_MALFORMED)
			check_failed("unparsable message", b, n);
		return;
	}
	if (m.is_req)
		on_request(f, &m, b, n, src);
	else
		on_response(f, &m, b, n);
}

enum { READ_BATCH = 64 };

static void udp_read(struct flow *f)
{
	static char text[READ_BATCH][8192];
	static struct mmsghdr mh[READ_BATCH];
	static struct iovec iv[READ_BATCH];
	static struct sockaddr_in from[READ_BATCH];

	for (int round = 0; round < 4; round++) {
		for (int i = 0; i < READ_BATCH; i++) {
			iv[i] = (struct iovec){ text[i], sizeof(text[i]) };
			mh[i].msg_hdr = (struct msghdr){ &from[i], sizeof(from[i]), &iv[i], 1, NULL, 0, 0 };
		}
		int r = recvmmsg(f->fd, mh, READ_BATCH, MSG_DONTWAIT, NULL);
		for (int i = 0; i < r; i++)
			on_packet(f, text[i], (int)mh[i].msg_len, &from[i]);
		if (r < READ_BATCH)
			return;
	}
}

/* Every stream connection of the UAC half stands. */
static int flows_ready(uint64_t deadline)
{
	int up = 0;

	if (opt.transport == T_UDP || opt.test == C_CONNECT || opt.test == C_IDLE)
		return 1;
	for (int i = 0; i < opt.uac_n; i++)
		up += uac_flow[i]->state == F_UP;
	if (up < opt.uac_n && (now > deadline || stats.conn_lost))
		die("connections not established (%d of %d up)", up, opt.uac_n);
	return up == opt.uac_n;
}

static int wants_more(void)
{
	return began && !stopping && stats.launched < opt.count &&
	       (opt.duration <= 0 || now - began < (uint64_t)(opt.duration * 1e9));
}

static void launch_due(void)
{
	uint64_t due = opt.rate > 0 ? (uint64_t)((double)(now - began) * 1e-9 * opt.rate + 1) : UINT64_MAX;

	for (int burst = 0; burst < 4096; burst++) {
		if (stats.launched >= opt.count || stats.launched >= due)
			return;
		if (!free_n || inflight >= opt.in_flight) {
			stats.blocked += opt.rate > 0;
			return;
		}
		launch();
	}
}

static void watch_steady(int more)
{
	if (opt.duration <= 0 || !stats.launched)
		return;
	if (!steady.from && now - began > (uint64_t)(opt.duration * 1e8)) {
		steady.from = now;
		steady.ok_from = stats.ok;
	}
	if (!more && !steady.to) {
		steady.to = now;
		steady.ok_to = stats.ok;
	}
}

/* Is the run over? Idle connections are kept for a while first. */
static int over(int more)
{
	static uint64_t stop_at, linger_until;

	if (began && !more && !inflight) {
		if (opt.test != C_IDLE || !opt.linger || stopping)
			return 1;
		if (!linger_until) {
			linger_until = now + opt.linger;
			fprintf(stderr, "sipload: %llu connections registered, holding\n", (unsigned long long)stats.ok);
		}
		if (now >= linger_until)
			return 1;
	}
	if (!stop_at && opt.abandon && began && !more)
		stop_at = now + opt.abandon;
	if (!stop_at && stopping)
		stop_at = now + 2 * SEC;
	return stop_at && now > stop_at;
}

static void wait_and_read(int more)
{
	struct epoll_event ev[256];
	int wait_ms = 20;
	uint64_t was = now;

	if (opt.rate > 0 && more)
		wait_ms = opt.rate >= 500 ? 1 : 2;
	if (holding.n || answering.n)
		wait_ms = 1;
	int n = epoll_wait(epoll_fd, ev, 256, opt.spin ? 0 : wait_ms);
	now = clock_ns();
	if (opt.spin && n == 0)
		idle_ns += now - was;
	for (int i = 0; i < n; i++) {
		struct flow *f = ev[i].data.ptr;
		if (f->stream)
			stream_event(f, ev[i].events);
		else
			udp_read(f);
	}
}

static void loop(void)
{
	uint64_t start = clock_ns(), next_timers = start + 50 * MS;

	for (;;) {
		now = clock_ns();
		if (!began && flows_ready(start + 20 * SEC))
			began = now;
		int more = wants_more();
		if (more)
			launch_due();
		watch_steady(more);
		flush_all();
		if (over(more))
			break;
		wait_and_read(more);
		run_waiting();
		if (now >= next_timers) {
			timers();
			next_timers = now + 50 * MS;
		}
		flush_all();
		reap();
	}
	flush_all();
}

int main(int argc, char **argv)
{
	struct rusage ru;
	double busy, rate = 0;
	int r = read_options(argc, argv);

	if (r)
		return r - 1;
	setup_process();
	if (opt.transport >= T_TLS)
		setup_tls();
	setup_slots();
	make_bad();
	setup_flows();
	loop();
	getrusage(RUSAGE_SELF, &ru);
	busy = (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) + (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) * 1e-6;
	if (opt.spin) /* polling costs CPU too: what counts is the time with work to do */
		busy = (double)(now - began - idle_ns) * 1e-9;
	if (steady.from && steady.to > steady.from)
		rate = (double)(steady.ok_to - steady.ok_from) / ((double)(steady.to - steady.from) * 1e-9);
	report(busy, rate);
	return stats.verify || stats.failed || inflight ? 1 : 0;
}
