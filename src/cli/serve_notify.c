/*
 * Telling who started us how we are: systemd, or our supervisor over a socket pair, by the datagrams of sd_notify(3). The protocol is lines of NAME=VALUE to the socket that
 * NOTIFY_SOCKET names, so these few lines stand for a library that would also bring what we have no use for.
 *
 * The watchdog is fed by the answer of all workers to a question: one of them that no longer turns leaves the question open, and with it
 * the watchdog unfed. So does the main thread when it stands still.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "cli/serve.h"

/* Whatever is wrong with it, the server serves: who waits for the word will say so himself. */
void serve_notify_say(const struct serve_notify *n, struct td_str words)
{
	if (n->on)
		(void)sendto(n->fd, words.p, words.n, MSG_NOSIGNAL | MSG_DONTWAIT,
			     n->to_n ? (const struct sockaddr *)&n->to : NULL, n->to_n);
}

/* A path, or an abstract name after "@". */
static bool take_address(struct serve_notify *n, const char *name)
{
	size_t len = strlen(name);

	if ((name[0] != '/' && name[0] != '@') || len < 2 || len >= sizeof(n->to.sun_path))
		return false;
	n->to.sun_family = AF_UNIX;
	memcpy(n->to.sun_path, name, len + 1);
	if (name[0] == '@')
		n->to.sun_path[0] = '\0';
	n->to_n = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (name[0] == '/'));
	return true;
}

/* How often the watchdog wants to hear of us, in µs; 0: there is none, or it is another process's. */
static uint64_t watchdog_us(const struct serve_notify *n)
{
	const char *period = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	char *end;
	uint64_t us;

	if (!period || (pid && strtol(pid, NULL, 10) != (n->supervised ? getppid() : getpid())))
		return 0;
	us = strtoull(period, &end, 10);
	return *end ? 0 : us;
}

/* Our end of the supervisor's socket pair, if it is one. */
static bool take_supervisor(struct serve_notify *n)
{
	const char *number = getenv(SERVE_SUPERVISOR_FD);
	int type;
	socklen_t size = sizeof(type);

	n->fd = number ? (int)strtol(number, NULL, 10) : -1;
	if (n->fd < 0 || getsockopt(n->fd, SOL_SOCKET, SO_TYPE, &type, &size) || type != SOCK_SEQPACKET)
		return false;
	fcntl(n->fd, F_SETFD, FD_CLOEXEC);
	n->supervised = n->on = true;
	return true;
}

void serve_notify_open(struct serve_notify *n)
{
	const char *name = getenv("NOTIFY_SOCKET");

	*n = (struct serve_notify){ .fd = -1 };
	if (!take_supervisor(n) && name && take_address(n, name)) {
		n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		n->on = n->fd >= 0;
	}
	if (!n->on)
		return;
	n->period_ms = watchdog_us(n) / 3000; /* three times in its period */
	if (n->supervised && (!n->period_ms || n->period_ms > 1000))
		n->period_ms = 1000;
}

void serve_notify_close(struct serve_notify *n)
{
	if (n->on)
		close(n->fd);
	n->on = false;
}

static void look(struct serve *s);

static void on_timer(struct td_timer *tm, void *arg)
{
	look(arg);
}

static void on_workers(void *arg, const struct td_server_status *st)
{
	struct serve *s = arg;

	if (!s->notify.period_ms)
		return; /* it stops */
	serve_notify_say(&s->notify, TD_STR("WATCHDOG=1"));
	td_timer_start(s->loop, &s->notify.timer, s->notify.period_ms);
}

static void look(struct serve *s)
{
	if (td_server_status(s->server, s->loop, on_workers, s))
		td_timer_start(s->loop, &s->notify.timer, s->notify.period_ms); /* no memory now */
}

/* Nobody but the supervisor has the other end, and he says nothing. */
static void on_supervisor(struct td_io *io, unsigned events, void *arg)
{
	struct serve *s = arg;

	td_log(s->log, TD_LOG_WARN, "serve stopping", TD_KZ("why", "its supervisor is gone"));
	td_io_close(&s->notify.io);
	td_loop_stop(s->loop);
}

void serve_notify_ready(struct serve *s)
{
	struct serve_notify *n = &s->notify;

	serve_notify_open(n);
	if (n->supervised && td_io_open(&n->io, s->loop, n->fd, TD_IO_READ, on_supervisor, s))
		td_log(s->log, TD_LOG_WARN, "serve unwatched", TD_KZ("why", "it would not notice its supervisor's end"));
	serve_notify_say(n, TD_STR("READY=1\nSTATUS=serving"));
	td_timer_init(&n->timer, on_timer, s);
	if (n->period_ms)
		look(s);
}

void serve_notify_reloading(struct serve *s, bool begins)
{
	struct timespec now;
	char words[80];

	clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(words, sizeof(words), "RELOADING=1\nMONOTONIC_USEC=%llu",
		 (unsigned long long)now.tv_sec * 1000000 + (unsigned long long)now.tv_nsec / 1000);
	serve_notify_say(&s->notify, begins ? td_str_of(words) : TD_STR("READY=1"));
}

void serve_notify_drain(struct serve *s)
{
	char words[80];

	if (s->drain.on)
		snprintf(words, sizeof(words), "STATUS=draining, %llu calls left", (unsigned long long)s->drain.calls);
	serve_notify_say(&s->notify, s->drain.on ? td_str_of(words) : TD_STR("STATUS=serving"));
}

void serve_notify_stop(struct serve *s)
{
	struct serve_notify *n = &s->notify;

	if (!n->on)
		return;
	serve_notify_say(n, TD_STR("STOPPING=1"));
	if (n->period_ms)
		td_timer_stop(s->loop, &n->timer);
	n->period_ms = 0;
	if (n->supervised)
		td_io_close(&n->io);
	serve_notify_close(n);
}
