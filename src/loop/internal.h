#ifndef LOOP_INTERNAL_H
#define LOOP_INTERNAL_H

#include <pthread.h>
#include <semaphore.h>

#include <tandem/loop.h>

/* ---- wheel.c ---- */

enum { WHEEL_BITS = 6, WHEEL_SLOTS = 1 << WHEEL_BITS, WHEEL_LEVELS = (64 + WHEEL_BITS - 1) / WHEEL_BITS };

struct wheel {
	uint64_t now_ms;
	uint32_t levels;             /* bit per level: it has timers */
	uint64_t used[WHEEL_LEVELS]; /* bit per slot: it has timers */
	struct td_link slots[WHEEL_LEVELS][WHEEL_SLOTS];
};

void wheel_init(struct wheel *w, uint64_t now_ms);
void wheel_add(struct wheel *w, struct td_timer *tm); /* tm->when_ms is set and not before w->now_ms */
void wheel_del(struct wheel *w, struct td_timer *tm);
/* A time at which wheel_pop() has something to do, never later than the first timer. False: there is none. */
bool wheel_next(const struct wheel *w, uint64_t *out_ms);
/* Takes out the first timer due by now_ms, in order of (when_ms, start); NULL: no more, and the wheel stands at now_ms. */
struct td_timer *wheel_pop(struct wheel *w, uint64_t now_ms);

/* ---- mailbox.c ---- */

struct mailbox {
	char own_line_before[64];       /* what other threads write shares no cache line with the loop's */
	_Atomic(struct td_mail *) head; /* newest first */
	_Atomic bool awake;
	int fd; /* eventfd; -1 in a simulation */
	char own_line_after[64];
};

int mailbox_open(struct mailbox *b, bool real);
void mailbox_close(struct mailbox *b);
void mailbox_post(struct mailbox *b, struct td_mail *m);
bool mailbox_empty(struct mailbox *b);
bool mailbox_deliver(struct mailbox *b); /* what was there at the call; false: nothing */
/* Announces that posting must wake us from here on. False: there is mail, do not sleep. */
bool mailbox_sleep(struct mailbox *b);
void mailbox_awake(struct mailbox *b);
void mailbox_drain_fd(struct mailbox *b);

/* ---- io.c ---- */

struct io_slot {
	struct td_io *io;
	uint32_t generation; /* goes up when the descriptor is forgotten */
};

struct poller {
	int fd;                /* epoll; -1 in a simulation */
	struct io_slot *slots; /* by descriptor */
	size_t n;
};

struct epoll_event;
int poller_open(struct poller *p, int wake_fd);
void poller_close(struct poller *p);
/* Calls back for one event; true when it was the mailbox's. */
bool poller_event(struct poller *p, const struct epoll_event *ev);

/* ---- carrier.c ---- */

/* How much CPU time a thread took since a time on the loop's clock. */
struct meter {
	uint64_t from_us, cpu_us;
	long sleeps;
};

/* Of a loop whose thread may run others as well. */
struct carrier {
	pthread_mutex_t lock;
	bool running;          /* under lock: its thread takes loops */
	struct td_link guests; /* all that may come */
	struct td_link carried;
	unsigned carried_n;
	_Atomic unsigned load; /* percent of a core: its thread in the last window, and who asked since */
};

/* Of a loop that may be run by another's thread. */
struct guest {
	struct td_loop *loop, *with;
	enum { GUEST_HOME, GUEST_ASKED, GUEST_CARRIED } state; /* under the carrier's lock */
	bool posted;                                           /* so is this: mail is on its way */
	struct td_mail mail;
	sem_t back;
	/* the carrier's thread alone: */
	struct td_io io; /* its poller, watched */
	bool ready, failed;
	struct td_link link, all;
};

/* The loops that this one's thread runs beside it just now. */
struct guest *carrier_first(const struct td_loop *loop);
struct guest *carrier_next(const struct guest *g);
/* What was stopped goes home, where td_loop_run() returns. */
void carrier_return_stopped(struct td_loop *loop);
/* After each wait. True: another thread ran this loop meanwhile, and events that were waited for before are old. */
bool carrier_weigh(struct td_loop *loop);
void carrier_begin(struct td_loop *loop);
void carrier_end(struct td_loop *loop);
void carrier_close(struct td_loop *loop);

/* ---- loop.c ---- */

struct td_loop {
	uint64_t now_us, wall_ms;
	struct wheel wheel;
	struct td_link soon; /* timers started with delay 0: next turn */
	struct td_link defers, befores;
	struct poller poller;
	struct td_rng rng;
	bool stop;
	struct td_sim *sim; /* NULL: a real loop */
	struct td_link sim_link;
	struct mailbox mailbox;
	struct meter meter;
	struct carrier *carrier; /* NULL: no loop was shared with it */
	struct guest *guest;     /* NULL: it was shared with none */
};

void loop_read_clocks(struct td_loop *loop);
int loop_new(struct td_loop **out, struct td_sim *sim, uint64_t now_us);
/* One turn but for descriptors and sleep: timers, then (finish) mail, deferred calls, calls before sleep. True: something ran. */
bool loop_timers(struct td_loop *loop);
bool loop_finish(struct td_loop *loop);
/* There is work without waiting for anything. */
bool loop_busy(struct td_loop *loop);
/* When a timer may be due, in µs on the loop's clock; UINT64_MAX: never. */
uint64_t loop_next_us(const struct td_loop *loop);

/* ---- sim.c ---- */

uint64_t sim_wall_ms(const struct td_sim *sim);

#endif
