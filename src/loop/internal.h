#ifndef LOOP_INTERNAL_H
#define LOOP_INTERNAL_H

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
};

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
