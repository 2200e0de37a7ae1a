#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "server/control/control.h"

struct fixture {
	struct td_loop *loop;
	struct td_control *control;
	char dir[64], path[80];
	struct td_mail stop;
	pthread_t thread;
	struct td_control_reply *waiting;
	struct td_timer later;
};

static void stop(struct td_mail *m, void *arg)
{
	struct fixture *f = arg;

	(void)m;
	td_control_close(f->control);
	td_loop_stop(f->loop);
}

static void answer_later(struct td_timer *tm, void *arg)
{
	struct fixture *f = arg;

	(void)tm;
	td_control_put(f->waiting, json_pack("{s:s}", "late", "yes"));
	td_control_end(f->waiting, NULL);
}

static void on_request(void *arg, const json_t *request, struct td_control_reply *r)
{
	struct fixture *f = arg;
	const char *cmd = json_string_value(json_object_get(request, "cmd"));
	int i;

	if (cmd && strcmp(cmd, "count") == 0) {
		for (i = 0; i < 20000; i++)
			td_control_put(
				r, json_pack("{s:i,s:s}", "n", i, "text", "a line that is long enough to fill a socket buffer"));
		td_control_end(r, NULL);
	} else if (cmd && strcmp(cmd, "later") == 0) {
		f->waiting = r;
		td_timer_start(f->loop, &f->later, 5);
	} else {
		td_control_end(r, "no such thing");
	}
}

static void *run(void *arg)
{
	td_loop_run(((struct fixture *)arg)->loop);
	return NULL;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	snprintf(f->dir, sizeof(f->dir), "/tmp/control-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/control.sock", f->dir);
	assert_int_equal(td_loop_open(&f->loop), 0);
	td_timer_init(&f->later, answer_later, f);
	assert_int_equal(td_control_open(&f->control, f->loop, f->path, on_request, f), 0);
	f->stop = (struct td_mail){ .fn = stop, .arg = f };
	assert_int_equal(pthread_create(&f->thread, NULL, run, f), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	td_loop_post(f->loop, &f->stop);
	pthread_join(f->thread, NULL);
	td_loop_close(f->loop);
	assert_int_not_equal(access(f->path, F_OK), 0); /* the socket is taken away */
	rmdir(f->dir);
	free(f);
	return 0;
}

static int ask(struct fixture *f, const char *cmd, int (*line)(void *, const json_t *), void *arg, struct td_out *why)
{
	json_t *q = json_pack("{s:s}", "cmd", cmd);
	int err = td_control_ask(f->path, q, line, arg, why);

	json_decref(q);
	return err;
}

static int count_line(void *arg, const json_t *obj)
{
	int *n = arg;

	assert_int_equal(json_integer_value(json_object_get(obj, "n")), *n);
	++*n;
	return 0;
}

static void long_answer_arrives_whole(void **state)
{
	struct td_out why;
	int n = 0;

	td_out_init(&why);
	assert_int_equal(ask(*state, "count", count_line, &n, &why), 0);
	assert_int_equal(n, 20000);
	td_out_free(&why);
}

static int late_line(void *arg, const json_t *obj)
{
	*(bool *)arg = json_object_get(obj, "late") != NULL;
	return 0;
}

static void later_and_error(void **state)
{
	struct td_out why;
	bool late = false;

	td_out_init(&why);
	assert_int_equal(ask(*state, "later", late_line, &late, &why), 0);
	assert_true(late);
	assert_int_equal(ask(*state, "nonsense", NULL, NULL, &why), TD_EDENIED);
	assert_true(td_str_eq(td_out_view(&why), TD_STR("no such thing")));
	td_out_free(&why);
}

static void socket_is_private_and_single(void **state)
{
	struct fixture *f = *state;
	struct td_control *second;
	struct stat st;

	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(td_control_open(&second, f->loop, f->path, on_request, f), TD_EEXIST);
}

static int dial(struct fixture *f)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(un.sun_path, sizeof(un.sun_path), "%s", f->path);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	return fd;
}

/* Everything until the other side closes. */
static size_t hear_all(int fd, char *text, size_t cap)
{
	size_t n = 0;
	ssize_t got;

	while (n < cap - 1 && (got = recv(fd, text + n, cap - 1 - n, 0)) > 0)
		n += (size_t)got;
	text[n] = '\0';
	return n;
}

/* Requests in one block, and an end to them: each is answered, in order, also the one whose answer takes its time. */
static void requests_wait_their_turn(void **state)
{
	static const char ask[] = "{\"cmd\":\"later\"}\nno JSON\n{\"cmd\":\"later\"}\n{\"cmd\":\"x\"}\n{\"cmd\":";
	char text[4096];
	int fd = dial(*state);

	assert_int_equal(send(fd, ask, sizeof(ask) - 1, 0), sizeof(ask) - 1);
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	hear_all(fd, text, sizeof(text));
	assert_string_equal(
		text,
		"{\"late\":\"yes\"}\n{\"end\":true}\n{\"end\":true,\"error\":\"the request is no JSON object on one line\"}\n"
		"{\"late\":\"yes\"}\n{\"end\":true}\n{\"end\":true,\"error\":\"no such thing\"}\n");
	close(fd);
}

static void junk_without_end_is_cut_off(void **state)
{
	char junk[4096];
	int fd = dial(*state), i;

	memset(junk, 'x', sizeof(junk));
	for (i = 0; i < 1000 && send(fd, junk, sizeof(junk), MSG_NOSIGNAL) > 0; i++)
		;
	assert_in_range(i, 16, 999);
	close(fd);
}

/* Whoever asks and leaves is no reason to fall, nor are its answers kept. */
static void asks_and_leaves(void **state)
{
	struct td_out why;
	bool late = false;
	int i, fd;

	for (i = 0; i < 3; i++) {
		fd = dial(*state);
		assert_true(send(fd, "{\"cmd\":\"count\"}\n", 16, 0) == 16);
		close(fd);
	}
	td_out_init(&why);
	assert_int_equal(ask(*state, "later", late_line, &late, &why), 0);
	td_out_free(&why);
}

static void nobody_there(void **state)
{
	struct td_out why;
	json_t *q = json_object();

	(void)state;
	td_out_init(&why);
	assert_int_equal(td_control_ask("/nonexistent/control.sock", q, NULL, NULL, &why), TD_ENOTFOUND);
	json_decref(q);
	td_out_free(&why);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(long_answer_arrives_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(later_and_error, setup, teardown),
		cmocka_unit_test_setup_teardown(requests_wait_their_turn, setup, teardown),
		cmocka_unit_test_setup_teardown(junk_without_end_is_cut_off, setup, teardown),
		cmocka_unit_test_setup_teardown(asks_and_leaves, setup, teardown),
		cmocka_unit_test_setup_teardown(socket_is_private_and_single, setup, teardown),
		cmocka_unit_test(nobody_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
