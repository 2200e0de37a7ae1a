/* The real loop: descriptors, order within a turn, timers on the kernel's clock. */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <tandem/loop.h>

struct world {
	struct td_loop *loop;
	struct td_out trace;
	int pipe[4][2];
	struct td_io io[4];
	struct td_defer d[3];
	struct td_timer tm;
	unsigned count;
};

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_int_equal(td_loop_open(&w->loop), 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, w->pipe[i]), 0);
	td_out_init(&w->trace);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < 8; i++)
		close(w->pipe[i / 2][i % 2]);
	td_loop_close(w->loop);
	td_out_free(&w->trace);
	free(w);
	return 0;
}

static void stop_now(struct td_timer *tm, void *arg)
{
	td_loop_stop(((struct world *)arg)->loop);
}

/* Runs until a timer of this delay stops it. */
static void run_ms(struct world *w, uint64_t ms)
{
	struct td_timer tm;

	td_timer_init(&tm, stop_now, w);
	td_timer_start(w->loop, &tm, ms);
	assert_int_equal(td_loop_run(w->loop), 0);
}

/* ---- descriptors ---- */

static void echo(struct td_io *io, unsigned events, void *arg)
{
	struct world *w = arg;
	char c;

	td_out_fmt(&w->trace, "%d:%s%s%s ", (int)(io - w->io), events & TD_IO_READ ? "r" : "", events & TD_IO_WRITE ? "w" : "",
		   events & TD_IO_HUP ? "h" : "");
	if (events & TD_IO_READ)
		assert_true(read(io->fd, &c, 1) <= 1);
	if (++w->count == 3)
		td_loop_stop(w->loop);
}

static void expect(struct world *w, const char *trace)
{
	assert_str(td_out_view(&w->trace), trace);
	w->trace.n = 0;
	w->count = 0;
}

static void level_triggered(void **state)
{
	struct world *w = *state;

	assert_int_equal(td_io_open(&w->io[0], w->loop, w->pipe[0][0], TD_IO_READ, echo, w), 0);
	assert_int_equal(write(w->pipe[0][1], "abc", 3), 3);
	assert_int_equal(td_loop_run(w->loop), 0); /* a byte per turn */
	expect(w, "0:r 0:r 0:r ");
	assert_int_equal(td_io_want(&w->io[0], TD_IO_WRITE), 0);
	assert_int_equal(td_loop_run(w->loop), 0);
	expect(w, "0:w 0:w 0:w ");
	assert_int_equal(td_io_want(&w->io[0], 0), 0);
	assert_int_equal(write(w->pipe[0][1], "d", 1), 1);
	run_ms(w, 2);
	expect(w, "");
	assert_int_equal(td_io_want(&w->io[0], TD_IO_READ), 0);
	shutdown(w->pipe[0][1], SHUT_RDWR);
	assert_int_equal(td_loop_run(w->loop), 0);
	expect(w, "0:rh 0:rh 0:rh ");
	td_io_close(&w->io[0]);
	td_io_close(&w->io[0]);
	assert_int_equal(td_io_want(&w->io[0], TD_IO_READ), TD_ECLOSED);
	run_ms(w, 2);
	expect(w, "");
}

static void refusals(void **state)
{
	struct world *w = *state;
	int file = open("/dev/null", O_RDONLY | O_CLOEXEC);

	assert_int_equal(td_io_open(&w->io[0], w->loop, -1, TD_IO_READ, echo, w), -EBADF);
	assert_int_equal(td_io_open(&w->io[0], w->loop, 100000, TD_IO_READ, echo, w), -EBADF);
	assert_int_equal(td_io_open(&w->io[0], w->loop, file, TD_IO_READ, echo, w), -EPERM);
	assert_int_equal(td_io_open(&w->io[0], w->loop, w->pipe[0][0], 0, echo, w), 0);
	assert_int_equal(td_io_open(&w->io[1], w->loop, w->pipe[0][0], 0, echo, w), -EEXIST);
	td_io_close(&w->io[0]);
	close(file);
}

static void close_all_others(struct td_io *io, unsigned events, void *arg)
{
	struct td_io **ios = arg;

	for (int i = 0; i < 4; i++) {
		if (ios[i] && ios[i] != io) {
			td_io_close(ios[i]);
			free(ios[i]);
			ios[i] = NULL;
		}
	}
	td_loop_stop(io->loop);
}

/* Four descriptors are ready in one batch; whichever comes first forgets and frees the others. */
static void closed_ones_hear_nothing(void **state)
{
	struct world *w = *state;
	struct td_io *ios[4];

	for (int i = 0; i < 4; i++) {
		ios[i] = malloc(sizeof(struct td_io));
		assert_int_equal(td_io_open(ios[i], w->loop, w->pipe[i][0], TD_IO_WRITE, close_all_others, ios), 0);
	}
	assert_int_equal(td_loop_run(w->loop), 0);
	assert_int_equal(td_loop_run(w->loop), 0);
	for (int i = 0; i < 4; i++) {
		if (ios[i])
			w->count++;
		if (ios[i])
			td_io_close(ios[i]);
		free(ios[i]);
	}
	assert_int_equal(w->count, 1);
}

static void must_not_come(struct td_io *io, unsigned events, void *arg)
{
	fail_msg("event for a descriptor that is not ready");
}

static void swap_descriptor(struct td_io *io, unsigned events, void *arg)
{
	struct world *w = arg;
	int other = io == &w->io[0] ? 1 : 0;

	if (w->count++)
		return;
	/* The other one is ready in this batch too. Its number now means another, quiet socket. */
	td_io_close(&w->io[other]);
	assert_true(dup2(w->pipe[2][0], w->io[other].fd) >= 0);
	assert_int_equal(td_io_open(&w->io[2], w->loop, w->io[other].fd, TD_IO_READ, must_not_come, w), 0);
	td_io_close(io);
}

static void reused_number_gets_no_old_event(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < 2; i++) {
		assert_int_equal(write(w->pipe[i][1], "x", 1), 1);
		assert_int_equal(td_io_open(&w->io[i], w->loop, w->pipe[i][0], TD_IO_READ, swap_descriptor, w), 0);
	}
	for (int i = 0; i < 1000 && !w->count; i++) /* on a busy machine the time may be over before the loop looks */
		run_ms(w, 2);
	run_ms(w, 2);
	assert_int_equal(w->count, 1);
	td_io_close(&w->io[2]);
}

static void unwant_other(struct td_io *io, unsigned events, void *arg)
{
	struct world *w = arg;

	w->count++;
	td_io_want(&w->io[io == &w->io[0]], 0);
	td_io_want(io, 0);
}

static void unwanted_within_the_batch(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < 2; i++)
		assert_int_equal(td_io_open(&w->io[i], w->loop, w->pipe[i][0], TD_IO_WRITE, unwant_other, w), 0);
	for (int i = 0; i < 1000 && !w->count; i++)
		run_ms(w, 2);
	run_ms(w, 2);
	assert_int_equal(w->count, 1);
	td_io_close(&w->io[0]);
	td_io_close(&w->io[1]);
}

/* ---- order within a turn ---- */

static void before_sleep(struct td_defer *d, void *arg)
{
	struct world *w = arg;

	td_out_z(&w->trace, "sleep ");
	if (!w->count++) {
		td_loop_defer(w->loop, &w->d[0]); /* must still run before the loop sleeps */
		td_loop_before_sleep(w->loop, d);
	} else {
		td_loop_stop(w->loop);
	}
}

static void second(struct td_defer *d, void *arg)
{
	td_out_z(&((struct world *)arg)->trace, "second ");
}

static void first(struct td_defer *d, void *arg)
{
	struct world *w = arg;

	td_out_z(&w->trace, "first ");
	td_loop_defer(w->loop, &w->d[1]);
	td_loop_defer(w->loop, &w->d[1]); /* waits already */
}

static void mail(struct td_mail *m, void *arg)
{
	td_out_z(&((struct world *)arg)->trace, "mail ");
}

static void event(struct td_io *io, unsigned events, void *arg)
{
	td_out_z(&((struct world *)arg)->trace, "io ");
	td_io_want(io, 0);
}

static void expired(struct td_timer *tm, void *arg)
{
	td_out_z(&((struct world *)arg)->trace, "timer ");
}

static void everything(struct td_timer *tm, void *arg)
{
	struct world *w = arg;
	static struct td_mail m;

	m = (struct td_mail){ .fn = mail, .arg = w };
	td_loop_before_sleep(w->loop, &w->d[2]);
	td_loop_defer(w->loop, &w->d[0]);
	td_loop_post(w->loop, &m);
	assert_int_equal(td_io_open(&w->io[0], w->loop, w->pipe[0][0], TD_IO_WRITE, event, w), 0);
	td_timer_init(&w->tm, expired, w);
	td_timer_start(w->loop, &w->tm, 0);
	td_out_z(&w->trace, "start ");
}

static void order_of_a_turn(void **state)
{
	struct world *w = *state;
	struct td_timer tm;

	td_defer_init(&w->d[0], first, w);
	td_defer_init(&w->d[1], second, w);
	td_defer_init(&w->d[2], before_sleep, w);
	td_timer_init(&tm, everything, w);
	td_timer_start(w->loop, &tm, 1);
	assert_int_equal(td_loop_run(w->loop), 0);
	expect(w, "start mail first second sleep first second sleep ");
	run_ms(w, 0);
	expect(w, "timer ");
	run_ms(w, 2);
	expect(w, "io ");
	td_io_close(&w->io[0]);
}

static void undefer(struct td_defer *d, void *arg)
{
	struct world *w = arg;

	td_out_z(&w->trace, "undefer ");
	td_loop_undefer(w->loop, &w->d[1]);
	td_loop_undefer(w->loop, &w->d[2]);
	td_loop_undefer(w->loop, d);
}

static void undeferred_ones_do_not_run(void **state)
{
	struct world *w = *state;

	td_defer_init(&w->d[0], undefer, w);
	td_defer_init(&w->d[1], second, w);
	td_defer_init(&w->d[2], before_sleep, w);
	td_loop_defer(w->loop, &w->d[0]);
	td_loop_defer(w->loop, &w->d[1]);
	td_loop_before_sleep(w->loop, &w->d[2]);
	run_ms(w, 1);
	expect(w, "undefer ");
}

static void defer_again(struct td_defer *d, void *arg)
{
	struct world *w = arg;

	w->count++;
	td_loop_defer(w->loop, d);
}

/* A call that defers itself for ever starves neither timers nor the stop. */
static void endless_deferring(void **state)
{
	struct world *w = *state;

	td_defer_init(&w->d[0], defer_again, w);
	td_loop_defer(w->loop, &w->d[0]);
	run_ms(w, 2);
	assert_true(w->count >= 64);
	td_loop_undefer(w->loop, &w->d[0]);
}

/* ---- time ---- */

static void check_time(struct td_timer *tm, void *arg)
{
	struct world *w = arg;

	assert_true(td_loop_now_ms(w->loop) >= tm->when_ms);
	assert_true(td_loop_now_us(w->loop) / 1000 == td_loop_now_ms(w->loop));
	if (++w->count < 5)
		td_timer_start(w->loop, tm, w->count);
	else
		td_loop_stop(w->loop);
}

static void never_early(void **state)
{
	struct world *w = *state;
	uint64_t begin = td_loop_now_ms(w->loop);

	assert_false(td_loop_is_sim(w->loop));
	assert_true(td_loop_wall_s(w->loop) > 1700000000);
	td_timer_init(&w->tm, check_time, w);
	td_timer_start(w->loop, &w->tm, 3);
	assert_int_equal(td_loop_run(w->loop), 0);
	assert_true(td_loop_now_ms(w->loop) >= begin + 3 + 1 + 2 + 3 + 4);
	assert_int_not_equal(td_rng_u64(td_loop_rng(w->loop)), td_rng_u64(td_loop_rng(w->loop)));
}

static void stopped_before_it_ran(void **state)
{
	struct world *w = *state;

	td_loop_stop(w->loop);
	assert_int_equal(td_loop_run(w->loop), 0);
	run_ms(w, 1); /* and can run again */
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(level_triggered),
		T(refusals),
		T(closed_ones_hear_nothing),
		T(reused_number_gets_no_old_event),
		T(unwanted_within_the_batch),
		T(order_of_a_turn),
		T(undeferred_ones_do_not_run),
		T(endless_deferring),
		T(never_early),
		T(stopped_before_it_ran),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
