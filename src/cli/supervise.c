/*
 * tandem serve --supervise: a small process that starts the server, and starts it again when it dies or stands still. It reads nothing from
 * any network: a signal, the end of its child, and the words by which the child says how it is (those of serve_notify.c, over a socket
 * pair) are all that reaches it.
 *
 * The server is executed anew each time, not only forked: a fork would have the same places in memory and the same canary each
 * time, which an attacker could try until he has them.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/serve.h"

enum {
	START_MS = 90000,     /* until it must have said that it is ready: the database may want recovery */
	STALL_MS = 10000,     /* and then it says ten times in this time that all workers turn */
	LEAVE_MS = 60000,     /* from saying that it stops to being gone */
	STABLE_MS = 10000,    /* who lived so long was no failed attempt */
	LATE_MS = 200,        /* who wakes so much later than he wanted to did not run */
	LEAST_DELAY_MS = 100, /* before the second attempt; it doubles */
	MOST_DELAY_MS = 10000,
};

struct supervisor {
	struct td_log *log;
	char **argv;
	int signals;
	struct serve_notify manager; /* who started us */
	pid_t pid;                   /* of the server; 0: none runs */
	int words;                   /* from it */
	bool ready;                  /* this one said so */
	bool served;                 /* one of them did */
	bool leaving;                /* this one said that it stops */
	bool stopping;               /* we were told to */
	bool stalled;                /* we ended this one */
	uint64_t started_ms, until_ms, delay_ms;
	int status; /* what the last one ended with */
};

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* ---- starting ---- */

static void become_server(const struct supervisor *s, int fd)
{
	char number[16];
	sigset_t set;

	/* the others stay blocked: what comes before it looks is still there when it does */
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	fcntl(fd, F_SETFD, 0);
	snprintf(number, sizeof(number), "%d", fd);
	if (!setenv(SERVE_SUPERVISOR_FD, number, 1) && !unsetenv("NOTIFY_SOCKET"))
		execv("/proc/self/exe", s->argv); /* the same program, though another may stand at its path by now */
	_exit(CLI_FAULT);
}

/* The server is to be started, at once or after so long. */
static void start_later(struct supervisor *s)
{
	s->pid = 0;
	s->until_ms = now_ms() + s->delay_ms;
}

static void start(struct supervisor *s)
{
	int pair[2];

	s->ready = s->leaving = s->stalled = false;
	s->started_ms = now_ms();
	s->until_ms = s->started_ms + START_MS;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair)) {
		td_log(s->log, TD_LOG_ERROR, "supervise cannot start", TD_KERR(-errno), TD_KZ("next", "tried again in a second"));
		s->delay_ms = 1000;
		start_later(s);
		return;
	}
	s->pid = fork();
	if (!s->pid)
		become_server(s, pair[1]);
	close(pair[1]);
	s->words = pair[0];
	if (s->pid < 0) {
		td_log(s->log, TD_LOG_ERROR, "supervise cannot start", TD_KERR(-errno), TD_KZ("next", "tried again in a second"));
		close(s->words);
		s->words = -1;
		s->delay_ms = 1000;
		start_later(s);
	}
}

/* ---- what it says ---- */

/* Only what a server of ours says goes on to who started us; one that was taken over says what it likes. */
static bool is_known(struct td_str words)
{
	static const struct td_str known[] = { TD_STR_INIT("READY=1"),         TD_STR_INIT("RELOADING=1"),
					       TD_STR_INIT("STOPPING=1"),      TD_STR_INIT("WATCHDOG=1"),
					       TD_STR_INIT("MONOTONIC_USEC="), TD_STR_INIT("STATUS=") };
	struct td_str line;
	size_t i;

	while (words.n) {
		line = td_str_split(&words, '\n');
		for (i = 0; i < TD_ARRAY_LEN(known) && !td_str_starts(line, known[i]); i++)
			;
		if (i == TD_ARRAY_LEN(known))
			return false;
	}
	return true;
}

/* How long it may say nothing. */
static unsigned patience_ms(const struct supervisor *s)
{
	return s->leaving ? LEAVE_MS : s->ready ? STALL_MS : START_MS;
}

/* False: there was nothing. */
static bool hear(struct supervisor *s)
{
	char room[512];
	ssize_t n = recv(s->words, room, sizeof(room), MSG_DONTWAIT);
	struct td_str words = td_str_n(room, n > 0 ? (size_t)n : 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) { /* it closed its end: it is about to be gone, or what it does is not ours */
		close(s->words);
		s->words = -1;
		return false;
	}
	if (!is_known(words))
		return true;
	if (td_str_starts(words, TD_STR("READY=1")))
		s->ready = s->served = true;
	if (td_str_starts(words, TD_STR("STOPPING=1")))
		s->leaving = true;
	s->until_ms = now_ms() + patience_ms(s);
	serve_notify_say(&s->manager, words);
	return true;
}

/* ---- its end ---- */

static void log_end(const struct supervisor *s, int status)
{
	char why[80], next[40];

	if (s->stalled)
		snprintf(why, sizeof(why), "it stood still, and was killed");
	else if (WIFSIGNALED(status))
		snprintf(why, sizeof(why), "killed by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		snprintf(why, sizeof(why), "it ended with %d", WEXITSTATUS(status));
	snprintf(next, sizeof(next), s->delay_ms ? "it is started again in %.1f s" : "it is started again",
		 (double)s->delay_ms / 1000);
	td_log(s->log, TD_LOG_ERROR, "supervise server died", TD_KI("pid", s->pid), TD_KS("why", td_str_of(why)),
	       TD_KU("ran_s", (now_ms() - s->started_ms) / 1000), TD_KS("next", td_str_of(next)));
}

/* True: that was all. An end that was meant is one, and so is a first start that failed with words: somebody sits there and reads them. */
static bool ended(struct supervisor *s, int status)
{
	bool lived = s->ready && now_ms() - s->started_ms >= STABLE_MS;

	if (s->words >= 0)
		close(s->words);
	s->words = -1;
	s->status = WIFEXITED(status) ? WEXITSTATUS(status) : CLI_FAULT;
	if (s->stopping || s->leaving || (WIFEXITED(status) && (!s->status || !s->served)))
		return true;
	if (lived)
		s->delay_ms = 0;
	log_end(s, status);
	serve_notify_say(&s->manager, TD_STR("STATUS=the server died and is started again"));
	start_later(s);
	s->delay_ms = !s->delay_ms ? LEAST_DELAY_MS : s->delay_ms < MOST_DELAY_MS / 2 ? 2 * s->delay_ms : MOST_DELAY_MS;
	return false;
}

/* Whoever is the first process of a container has orphans, too: all are buried. */
static bool reap(struct supervisor *s)
{
	bool done = false;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == s->pid) {
			while (s->words >= 0 && hear(s)) /* its last words */
				;
			done = ended(s, status);
		}
	return done;
}

/* ---- signals ---- */

/* True: that was all. */
static bool on_signals(struct supervisor *s)
{
	struct signalfd_siginfo si;
	bool done = false;

	while (!done && read(s->signals, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		int number = (int)si.ssi_signo;

		if (number == SIGCHLD) {
			done = reap(s);
			continue;
		}
		s->stopping |= number != SIGHUP;
		if (s->pid && !(number == SIGINT && si.ssi_code == SI_KERNEL)) /* the terminal's Ctrl-C went to both */
			kill(s->pid, number);
		else if (!s->pid && s->stopping)
			done = true; /* between two attempts */
	}
	return done;
}

/* Whoever lets the time go by: it is its turn to be started, or it stands still. */
static void on_time(struct supervisor *s)
{
	if (!s->pid) {
		start(s);
		return;
	}
	s->stalled = true;
	s->until_ms = UINT64_MAX;
	kill(s->pid, SIGKILL);
}

/* We should have gone on at due_ms. A container that was paused, Ctrl-Z: who stood still were we, and most likely the server with us. What it
 * would have said meanwhile it has yet to say. */
static void forgive(struct supervisor *s, uint64_t due_ms)
{
	uint64_t now = now_ms();

	if (s->pid && !s->stalled && now >= due_ms + LATE_MS)
		s->until_ms = now + patience_ms(s);
}

static void watch(struct supervisor *s)
{
	bool done = false;

	start(s);
	while (!done) {
		struct pollfd p[2] = { { .fd = s->signals, .events = POLLIN }, { .fd = s->words, .events = POLLIN } };
		uint64_t now = now_ms();
		int wait_ms = s->until_ms <= now ? 0 : s->until_ms - now > 60000 ? 60000 : (int)(s->until_ms - now);

		if (poll(p, 2, wait_ms) < 0 && errno != EINTR)
			break;
		forgive(s, now + (uint64_t)wait_ms);
		if (p[1].revents)
			hear(s);
		if (p[0].revents & POLLIN)
			done = on_signals(s);
		if (!done && now_ms() >= s->until_ms)
			on_time(s);
	}
}

int supervise(const struct cli_command *cmd, char **argv)
{
	struct supervisor s = { .argv = argv, .words = -1, .status = CLI_FAULT };
	sigset_t set;
	int err;

	signal(SIGPIPE, SIG_IGN); /* whoever read the log may be gone: no reason to leave the server alone */
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	s.signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	err = s.signals < 0 ? -errno : td_log_open(&s.log, TD_LOG_INFO, NULL, NULL);
	if (err)
		return cli_fail(cmd, CLI_FAULT, "%s", td_strerror(err));
	serve_notify_open(&s.manager);
	watch(&s);
	serve_notify_close(&s.manager);
	td_log_close(s.log);
	close(s.signals);
	return s.status;
}
