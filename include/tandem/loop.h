/*
 * loop: one thread at a time, one loop. Descriptors, timers, deferred calls, and a mailbox other threads post to. The same
 * interface runs on a simulated clock (td_sim), where a whole server and its peers share one thread and a seed.
 *
 * A callback never fires inside the call that registered it. Time is read once per turn and is monotonic.
 */
#ifndef TANDEM_LOOP_H
#define TANDEM_LOOP_H

#include <tandem/base.h>

#ifdef __cplusplus
extern "C" {
#endif

struct td_loop;

int td_loop_open(struct td_loop **out);
void td_loop_close(struct td_loop *loop); /* every io, timer and defer must be gone or forgotten */
int td_loop_run(struct td_loop *loop);    /* until td_loop_stop(); -errno when epoll fails */
/* From its own thread; others post a mail that does it. td_loop_run() returns after this turn. */
void td_loop_stop(struct td_loop *loop);
uint64_t td_loop_now_ms(const struct td_loop *loop); /* monotonic, fixed for the turn */
uint64_t td_loop_now_us(const struct td_loop *loop);
uint64_t td_loop_wall_s(const struct td_loop *loop); /* seconds since 1970: for expiries that outlive the process */
uint64_t td_loop_wall_ms(const struct td_loop *loop);
struct td_rng *td_loop_rng(struct td_loop *loop);
bool td_loop_is_sim(const struct td_loop *loop);

/*
 * ---- timers: hierarchical wheel, 1 ms, start and stop O(1), intrusive ----
 *
 * A timer started at now with delay d fires in the first turn with td_loop_now_ms() >= now + d (a simulation has one at
 * exactly now + d), but not in the turn it was started in. Timers fire in order of when_ms, equal ones as they were started.
 * Inside its callback a timer is not running; the callback may start or stop any timer, and free its own or a stopped one.
 */

struct td_timer;
typedef void td_timer_fn(struct td_timer *tm, void *arg);

struct td_timer {
	struct td_link link;
	uint64_t when_ms;
	td_timer_fn *fn;
	void *arg;
};

static inline void td_timer_init(struct td_timer *tm, td_timer_fn *fn, void *arg)
{
	*tm = (struct td_timer){ .fn = fn, .arg = arg };
}

void td_timer_start(struct td_loop *loop, struct td_timer *tm, uint64_t delay_ms); /* restarts a running one */
void td_timer_stop(struct td_loop *loop, struct td_timer *tm);                     /* nothing when it is not running */

static inline bool td_timer_running(const struct td_timer *tm)
{
	return td_link_on(&tm->link);
}

/* ---- deferred calls: once, at the end of this turn, in order ---- */

struct td_defer;
typedef void td_defer_fn(struct td_defer *d, void *arg);

struct td_defer {
	struct td_link link;
	td_defer_fn *fn;
	void *arg;
};

static inline void td_defer_init(struct td_defer *d, td_defer_fn *fn, void *arg)
{
	*d = (struct td_defer){ .fn = fn, .arg = arg };
}

void td_loop_defer(struct td_loop *loop, struct td_defer *d); /* nothing when it waits already */
void td_loop_undefer(struct td_loop *loop, struct td_defer *d);
/* Once, after all deferred calls and before sleeping: for flushing what a turn collected (one sendmmsg per turn). */
void td_loop_before_sleep(struct td_loop *loop, struct td_defer *d);

/* ---- descriptors ---- */

/*
 * Level triggered. Errors and hang-ups come as TD_IO_HUP whatever is wanted, together with what is wanted, so that reading or
 * writing meets them; who wants nothing must close on TD_IO_HUP, or it comes again at once.
 */
enum { TD_IO_READ = 1, TD_IO_WRITE = 2, TD_IO_HUP = 4 };

struct td_io;
typedef void td_io_fn(struct td_io *io, unsigned events, void *arg);

struct td_io {
	int fd;
	unsigned want;
	td_io_fn *fn;
	void *arg;
	struct td_loop *loop;
};

/* -EEXIST when fd is open here already, another -errno, TD_EUNSUPPORTED in a simulation. */
int td_io_open(struct td_io *io, struct td_loop *loop, int fd, unsigned want, td_io_fn *fn, void *arg);
int td_io_want(struct td_io *io, unsigned want);
/* Forgets fd (call before close(2), which it leaves to you). No event after this, even within the turn; io may be freed. */
void td_io_close(struct td_io *io);

/* ---- mailbox: any thread posts, the loop's thread receives, in order per sender ---- */

struct td_mail;
typedef void td_mail_fn(struct td_mail *m, void *arg);

struct td_mail {
	struct td_mail *next;
	td_mail_fn *fn; /* owns m from here: frees it or posts it on */
	void *arg;
};

/* Wakes the loop once per batch (no system call while it is awake). m is handed over until fn is called. */
void td_loop_post(struct td_loop *loop, struct td_mail *m);
/* Delivers all mail now: when shutting down, between the end of the threads that post and td_loop_close(). False: there was none. */
bool td_loop_drain(struct td_loop *loop);

/*
 * ---- loops that share a thread while there is little to do ----
 *
 * Lets the thread in td_loop_run(with) run loop's turns beside its own, while that in td_loop_run(loop) sleeps; the two are
 * woken as one then. When there is more to do, loop goes back to its own thread. It is run by one thread at any time, and that
 * sees what the other did; so a callback may not care which one it is on. Before either runs; with may be shared with by
 * many, but not share itself. `with` is not closed before td_loop_run(loop) has returned. 0, -ENOMEM, -EINVAL,
 * TD_EUNSUPPORTED in a simulation.
 */
int td_loop_share(struct td_loop *loop, struct td_loop *with);

/* ---- simulation: many loops, one thread, one seed ---- */

struct td_sim;

int td_sim_open(struct td_sim **out, uint64_t seed);
/* After its loops. Events that have not happened are forgotten, not called: who queued them frees them. */
void td_sim_close(struct td_sim *sim);
int td_sim_loop(struct td_loop **out, struct td_sim *sim); /* a loop on this clock; td_loop_close() it */
struct td_rng *td_sim_rng(struct td_sim *sim);
uint64_t td_sim_now_ms(const struct td_sim *sim); /* starts at 1000 */
/* A td_log_clock_fn: td_log_set_clock(log, td_sim_wall_ms, sim). */
uint64_t td_sim_wall_ms(void *sim);
/* Runs everything that is due until the clock reaches now + ms; jumps over idle time. */
void td_sim_run(struct td_sim *sim, uint64_t ms);
/*
 * Runs until done(arg) is true (checked before the first and after each round of turns), at most ms of simulated time.
 * True when it became true; the clock then stands where it did.
 */
bool td_sim_run_until(struct td_sim *sim, bool (*done)(void *arg), void *arg, uint64_t ms);
/* An event of the simulated world (a packet's arrival) at now + delay: m->fn is called with the clock there. -ENOMEM: m stays yours. */
int td_sim_at(struct td_sim *sim, uint64_t delay_us, struct td_mail *m);
void td_sim_set_wall(struct td_sim *sim, uint64_t wall_s); /* the wall clock may jump; the monotonic one does not */

#ifdef __cplusplus
}
#endif
#endif
