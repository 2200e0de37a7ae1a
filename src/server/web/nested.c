/*
 * Two loops in one thread. libwebsockets of Debian is built for poll(2), which looks at every connection each time, or for the loop of
 * another library; libuv's has one descriptor that says when there is something to do. Ours watches that, runs libuv's loop without
 * waiting, and lends it a timer. What was asked of the library outside of its callbacks it takes to the kernel only when its loop
 * runs: so whoever asks says so (web_uv_touch), and it runs once more before we sleep.
 */
#include "server/web/internal.h"

#include <errno.h>

enum { RUNS = 16 }; /* in a row, while more is to be done at once; then others have their turn */

void web_uv_run(struct td_web *w)
{
	uv_run(&w->uv, UV_RUN_NOWAIT);
}

static void turn(struct td_web *w)
{
	int ms = 0;

	for (unsigned i = 0; i < RUNS && !ms && uv_loop_alive(&w->uv); i++) {
		web_uv_run(w);
		ms = uv_backend_timeout(&w->uv);
	}
	if (ms >= 0 && uv_loop_alive(&w->uv))
		td_timer_start(w->loop, &w->uv_timer, (uint64_t)ms);
	else
		td_timer_stop(w->loop, &w->uv_timer);
}

static void ready(struct td_io *io, unsigned events, void *arg)
{
	turn(arg);
}

static void due(struct td_timer *tm, void *arg)
{
	turn(arg);
}

static void touched(struct td_defer *d, void *arg)
{
	turn(arg);
}

void web_uv_touch(struct td_web *w)
{
	td_loop_before_sleep(w->loop, &w->uv_touch);
}

int web_uv_open(struct td_web *w)
{
	int err = uv_loop_init(&w->uv);

	if (err)
		return err == UV_ENOMEM ? -ENOMEM : TD_EUNSUPPORTED;
	w->uvs[0] = &w->uv;
	td_timer_init(&w->uv_timer, due, w);
	td_defer_init(&w->uv_touch, touched, w);
	return 0;
}

int web_uv_start(struct td_web *w)
{
	int err = td_io_open(&w->uv_io, w->loop, uv_backend_fd(&w->uv), TD_IO_READ, ready, w);

	if (!err)
		web_uv_touch(w);
	return err;
}

void web_uv_close(struct td_web *w)
{
	td_timer_stop(w->loop, &w->uv_timer);
	td_loop_undefer(w->loop, &w->uv_touch);
	td_io_close(&w->uv_io);
	uv_loop_close(&w->uv);
}
