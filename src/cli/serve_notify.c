/*
 * Telling who started us how we are: systemd, by the datagrams of sd_notify(3). The protocol is lines of NAME=VALUE to the socket that
 * NOTIFY_SOCKET names, so these few lines stand for a library that would also bring what we have no use for.
 *
 * The watchdog is fed by the answer of all workers to a question: one of them that no longer turns leaves the question open, and with it
 * the watchdog unfed. So does the main thread when it stands still.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "cli/serve.h"

/* Whatever is wrong with it, the server serves: who waits for the word will say so himself. */
static void say(const struct serve_notify *n, struct td_str words)
{
	if (n->fd)
		(void)sendto(n->fd, words.p, words.n, MSG_NOSIGNAL | MSG_DONTWAIT, (const struct sockaddr *)&n->to, n->to_n);
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
static uint64_t watchdog_us(void)
{
	const char *period = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	char *end;
	uint64_t us;

	if (!period || (pid && strtol(pid, NULL, 10) != getpid()))
		return 0;
	us = strtoull(period, &end, 10);
	return *end ? 0 : us;
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
	say(&s->notify, TD_STR("WATCHDOG=1"));
	td_timer_start(s->loop, &s->notify.timer, s->notify.period_ms);
}

static void look(struct serve *s)
{
	if (td_server_status(s->server, s->loop, on_workers, s))
		td_timer_start(s->loop, &s->notify.timer, s->notify.period_ms); /* no memory now */
}

void serve_notify_ready(struct serve *s)
{
	struct serve_notify *n = &s->notify;
	const char *name = getenv("NOTIFY_SOCKET");

	if (!name || !take_address(n, name))
		return;
	n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (n->fd < 0)
		n->fd = 0;
	say(n, TD_STR("READY=1\nSTATUS=serving"));
	n->period_ms = watchdog_us() / 3000; /* three times in its period */
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
	say(&s->notify, begins ? td_str_of(words) : TD_STR("READY=1"));
}

void serve_notify_drain(struct serve *s)
{
	char words[80];

	if (s->drain.on)
		snprintf(words, sizeof(words), "STATUS=draining, %llu calls left", (unsigned long long)s->drain.calls);
	say(&s->notify, s->drain.on ? td_str_of(words) : TD_STR("STATUS=serving"));
}

void serve_notify_stop(struct serve *s)
{
	struct serve_notify *n = &s->notify;

	if (!n->fd)
		return;
	say(n, TD_STR("STOPPING=1"));
	if (n->period_ms)
		td_timer_stop(s->loop, &n->timer);
	n->period_ms = 0;
	close(n->fd);
	n->fd = 0;
}
