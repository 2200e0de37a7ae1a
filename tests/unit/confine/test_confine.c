/* What a confined process can still do to the file system. It cannot be undone, so each test is a process of its own. */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/confine/confine.h"

struct folders {
	char top[64], in[80], out[80]; /* in, out: below top */
};

static char *at(char buf[128], const char *folder, const char *name)
{
	snprintf(buf, 128, "%s/%s", folder, name);
	return buf;
}

static int put(const char *path, int flags)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC | flags, 0700);

	if (fd < 0)
		return -errno;
	if (write(fd, "#!/bin/sh\n", 10) != 10) {
		close(fd);
		return -EIO;
	}
	close(fd);
	return 0;
}

static void make(struct folders *f)
{
	char b[128];

	snprintf(f->top, sizeof(f->top), "/tmp/tandem-confine-XXXXXX");
	assert_non_null(mkdtemp(f->top));
	snprintf(f->in, sizeof(f->in), "%s/in", f->top);
	snprintf(f->out, sizeof(f->out), "%s/out", f->top);
	assert_int_equal(mkdir(f->in, 0700), 0);
	assert_int_equal(mkdir(f->out, 0700), 0);
	assert_int_equal(put(at(b, f->out, "there"), O_CREAT), 0);
	assert_int_equal(put(at(b, f->in, "there"), O_CREAT), 0);
}

static void forget(struct folders *f)
{
	static const char *const names[] = { "there", "new", "sock", "moved" };
	char b[128];

	for (size_t i = 0; i < TD_ARRAY_LEN(names); i++) {
		unlink(at(b, f->in, names[i]));
		unlink(at(b, f->out, names[i]));
	}
	rmdir(at(b, f->in, "folder"));
	rmdir(at(b, f->out, "folder"));
	rmdir(f->in);
	rmdir(f->out);
	assert_int_equal(rmdir(f->top), 0);
}

/* fn's answer, from a confined process: 0 or the number of what was otherwise than it must be. 255: no kernel for it. */
static int confined(int (*fn)(const struct folders *f), const struct folders *f)
{
	pid_t pid = fork();
	int status, err;

	if (!pid) {
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		err = td_confine(f->in);
		_exit(err == TD_EUNSUPPORTED ? 255 : err ? 254 : fn(f));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void run(int (*fn)(const struct folders *f))
{
	struct folders f;
	int what;

	make(&f);
	what = confined(fn, &f);
	forget(&f);
	if (what == 255)
		skip();
	if (what)
		fail_msg("number %d", what);
}

static int socket_at(const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), err = 0;

	snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	if (bind(fd, (struct sockaddr *)&un, sizeof(un)))
		err = -errno;
	close(fd);
	return err;
}

static int inside(const struct folders *f)
{
	char b[128], c[128];

	if (put(at(b, f->in, "new"), O_CREAT | O_EXCL) || put(b, O_TRUNC) || truncate(b, 1))
		return 1;
	if (rename(b, at(c, f->in, "moved")) || unlink(c))
		return 2;
	if (mkdir(at(b, f->in, "folder"), 0700) || put(at(c, f->in, "folder/deep"), O_CREAT) || unlink(c) || rmdir(b))
		return 3;
	return socket_at(at(b, f->in, "sock")) ? 4 : 0;
}

static void its_folder_is_its_own(void **state)
{
	run(inside);
}

static int outside(const struct folders *f)
{
	char b[128], c[128];

	if (put(at(b, f->out, "new"), O_CREAT) != -EACCES)
		return 1;
	if (put(at(b, f->out, "there"), 0) != -EACCES || put(b, O_APPEND) != -EACCES)
		return 2;
	if (unlink(b) == 0 || rename(b, at(c, f->out, "moved")) == 0 || rename(b, at(c, f->in, "moved")) == 0)
		return 3;
	if (rename(at(b, f->in, "there"), at(c, f->out, "moved")) == 0 || link(b, c) == 0)
		return 4;
	if (mkdir(at(b, f->out, "folder"), 0700) == 0 || socket_at(at(b, f->out, "sock")) != -EACCES ||
	    symlink("/etc/passwd", at(b, f->out, "new")) == 0)
		return 5;
	return put("/dev/null", 0) != -EACCES ? 6 : 0;
}

static void nothing_else_changes(void **state)
{
	run(outside);
}

static int reading(const struct folders *f)
{
	char b[128];
	int fd = open(at(b, f->out, "there"), O_RDONLY | O_CLOEXEC), folder = open("/etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? 1 : folder < 0 ? 2 : read(fd, b, 2) != 2;
}

static void it_reads_as_before(void **state)
{
	run(reading);
}

static int executing(const struct folders *f)
{
	char b[128];

	execl("/bin/true", "true", NULL);
	if (errno != EACCES)
		return 1;
	execl(at(b, f->in, "there"), "there", NULL); /* what it wrote itself */
	return errno != EACCES;
}

static void it_executes_nothing(void **state)
{
	run(executing);
}

static void *in_a_thread(void *arg)
{
	const struct folders *f = arg;
	char b[128];

	return put(at(b, f->out, "new"), O_CREAT) == -EACCES && !put(at(b, f->in, "new"), O_CREAT) ? NULL : arg;
}

static int threads(const struct folders *f)
{
	pthread_t t;
	void *bad;

	if (pthread_create(&t, NULL, in_a_thread, (void *)f) || pthread_join(t, &bad))
		return 1;
	return bad ? 2 : 0;
}

static void its_threads_too(void **state)
{
	run(threads);
}

static void a_folder_that_is_not_there(void **state)
{
	assert_int_not_equal(td_confine("/nowhere/at/all"), 0);
	assert_int_equal(access("/tmp", W_OK), 0); /* nothing was changed */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(its_folder_is_its_own), cmocka_unit_test(nothing_else_changes),
		cmocka_unit_test(it_reads_as_before),    cmocka_unit_test(it_executes_nothing),
		cmocka_unit_test(its_threads_too),       cmocka_unit_test(a_folder_that_is_not_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
