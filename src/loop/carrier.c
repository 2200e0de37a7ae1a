/*
 * Loops that share a thread while there is little to do. Waking a thread costs more than most messages do, mostly by what a
 * core has forgotten while it slept; two threads that both wake a little pay it twice, and again for each message that one
 * of them hands to the other. So one thread, the carrier, runs the turns of all loops that were shared with its own as long
 * as they need but a part of one core, and the threads at home sleep.
 *
 * Nothing about a loop changes by that: it keeps its descriptors, timers and mail, and one thread runs it at any time. Its
 * epoll descriptor is watched by the carrier's loop as any other. It goes over at the request of the thread at home, by a
 * mail to the carrier's loop, and comes back when that posts a semaphore: both order what was done before and after.
 *
 * Each thread measures its CPU time over windows of 10 ms. A thread asks when its own part and the carrier's, added, are
 * small; the carrier gives half of what it carries back when its own gets large, or when it did not sleep at all. The
 * two limits lie apart: what was given back for its load does not return under the same load.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>

enum {
	WINDOW_US = 10000,
	ASK_BELOW = 30, /* percent of a core, carrier and guest together */
	GIVE_FROM = 50, /* percent of a core, the carrier's thread */
};

/* ---- sharing ---- */

static int carrier_new(struct td_loop *loop)
{
	struct carrier *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	pthread_mutex_init(&c->lock, NULL);
	td_list_init(&c->guests);
	td_list_init(&c->carried);
	loop->carrier = c;
	return 0;
}

static void asked(struct td_mail *m, void *arg);

int td_loop_share(struct td_loop *loop, struct td_loop *with)
{
	struct guest *g;
	int err = 0;

	if (loop->sim || with->sim)
		return TD_EUNSUPPORTED;
	if (loop == with || loop->carrier || loop->guest || with->guest)
		return -EINVAL;
	if (!with->carrier)
		err = carrier_new(with);
	if (err)
		return err;
	g = calloc(1, sizeof(*g));
	if (!g)
		return -ENOMEM;
	g->loop = loop;
	g->with = with;
	g->mail = (struct td_mail){ .fn = asked, .arg = g };
	sem_init(&g->back, 0, 0);
	td_list_add_tail(&with->carrier->guests, &g->all);
	loop->guest = g;
	return 0;
}

static void forget_guest(struct guest *g)
{
	td_list_del(&g->all);
	sem_destroy(&g->back);
	g->loop->guest = NULL;
	free(g);
}

void carrier_close(struct td_loop *loop)
{
	struct carrier *c = loop->carrier;

	if (loop->guest)
		forget_guest(loop->guest);
	if (!c)
		return;
	while (!td_list_empty(&c->guests))
		forget_guest(TD_CONTAINER_OF(c->guests.next, struct guest, all));
	pthread_mutex_destroy(&c->lock);
	free(c);
	loop->carrier = NULL;
}

/* ---- the carrier ---- */

/* Its thread waits, and goes on from here. */
static void send_home(struct guest *g)
{
	g->state = GUEST_HOME;
	sem_post(&g->back);
}

static void give_back(struct carrier *c, struct guest *g)
{
	td_io_close(&g->io);
	td_list_del(&g->link);
	c->carried_n--;
	pthread_mutex_lock(&c->lock);
	send_home(g);
	pthread_mutex_unlock(&c->lock);
}

static void is_ready(struct td_io *io, unsigned events, void *arg)
{
	((struct guest *)arg)->ready = true;
}

static void asked(struct td_mail *m, void *arg)
{
	struct guest *g = arg;
	struct carrier *c = g->with->carrier;

	pthread_mutex_lock(&c->lock);
	g->posted = false;
	if (g->state == GUEST_ASKED) { /* else the carrier stopped meanwhile, and came back */
		if (td_io_open(&g->io, g->with, g->loop->poller.fd, TD_IO_READ, is_ready, g)) {
			send_home(g);
		} else {
			g->state = GUEST_CARRIED;
			td_list_add_tail(&c->carried, &g->link);
			c->carried_n++;
		}
	}
	pthread_mutex_unlock(&c->lock);
}

static struct guest *carried_after(const struct carrier *c, const struct td_link *l)
{
	return c && l->next != &c->carried ? TD_CONTAINER_OF(l->next, struct guest, link) : NULL;
}

struct guest *carrier_first(const struct td_loop *loop)
{
	return loop->carrier ? carried_after(loop->carrier, &loop->carrier->carried) : NULL;
}

struct guest *carrier_next(const struct guest *g)
{
	return carried_after(g->with->carrier, &g->link);
}

void carrier_return_stopped(struct td_loop *loop)
{
	struct guest *g, *next;

	for (g = carrier_first(loop); g; g = next) {
		next = carrier_next(g);
		if (g->loop->stop || g->failed)
			give_back(loop->carrier, g);
	}
}

/* ---- how much there is to do ---- */

static void meter_start(struct meter *m, uint64_t now_us)
{
	struct rusage ru;

	getrusage(RUSAGE_THREAD, &ru);
	m->from_us = now_us;
	m->cpu_us = (uint64_t)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) * 1000000 +
		    (uint64_t)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec);
	m->sleeps = ru.ru_nvcsw;
}

/* True when a window ended: *out is the part of a core that the thread used in it, in percent. */
static bool meter_read(unsigned *out, struct meter *m, uint64_t now_us)
{
	struct meter was = *m;
	uint64_t passed = now_us - was.from_us, used;

	if (passed < WINDOW_US)
		return false;
	meter_start(m, now_us);
	used = m->cpu_us - was.cpu_us;
	/* Who never had to wait has too much to do, also where others left him but a part of the core. */
	*out = m->sleeps > was.sleeps && used < passed ? (unsigned)(used * 100 / passed) : 100;
	return true;
}

/* The thread at home lends its loop out and sleeps until it is back. False: there is no carrier just now. */
static bool ask(struct guest *g, unsigned load)
{
	struct carrier *c = g->with->carrier;
	bool running;

	pthread_mutex_lock(&c->lock);
	running = c->running;
	if (running) {
		atomic_fetch_add_explicit(&c->load, load, memory_order_relaxed);
		g->state = GUEST_ASKED;
		if (!g->posted)
			td_loop_post(g->with, &g->mail);
		g->posted = true;
	}
	pthread_mutex_unlock(&c->lock);
	while (running && sem_wait(&g->back) < 0)
		; /* EINTR: a signal handler ran */
	return running;
}

bool carrier_weigh(struct td_loop *loop)
{
	struct carrier *c = loop->carrier;
	struct guest *g = loop->guest;
	unsigned load;

	if ((!c && !g) || !meter_read(&load, &loop->meter, loop->now_us))
		return false;
	if (g) {
		if (load + atomic_load_explicit(&g->with->carrier->load, memory_order_relaxed) >= ASK_BELOW || !ask(g, load))
			return false;
		loop_read_clocks(loop);
		meter_start(&loop->meter, loop->now_us);
		return true;
	}
	atomic_store_explicit(&c->load, load, memory_order_relaxed);
	if (load >= GIVE_FROM)
		for (unsigned n = (c->carried_n + 1) / 2; n > 0; n--)
			give_back(c, carrier_first(loop));
	return false;
}

void carrier_begin(struct td_loop *loop)
{
	meter_start(&loop->meter, loop->now_us);
	if (!loop->carrier)
		return;
	pthread_mutex_lock(&loop->carrier->lock);
	loop->carrier->running = true;
	pthread_mutex_unlock(&loop->carrier->lock);
}

void carrier_end(struct td_loop *loop)
{
	struct carrier *c = loop->carrier;
	struct guest *g;

	if (!c)
		return;
	while ((g = carrier_first(loop)) != NULL)
		give_back(c, g);
	pthread_mutex_lock(&c->lock);
	c->running = false;
	for (struct td_link *l = c->guests.next; l != &c->guests; l = l->next) {
		g = TD_CONTAINER_OF(l, struct guest, all);
		if (g->state == GUEST_ASKED)
			send_home(g);
	}
	pthread_mutex_unlock(&c->lock);
}
