/* The asking side, for the command line: blocking, a line at a time. */
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "server/control/control.h"

static int dial(int *out, const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd, err;

	if (strlen(path) >= sizeof(un.sun_path))
		return -ENAMETOOLONG;
	memcpy(un.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&un, sizeof(un))) {
		err = errno == ENOENT || errno == ECONNREFUSED ? TD_ENOTFOUND : -errno;
		close(fd);
		return err;
	}
	*out = fd;
	return 0;
}

static int send_request(int fd, json_t *request)
{
	char *text = json_dumps(request, JSON_COMPACT | JSON_ENSURE_ASCII);
	struct td_out o;
	size_t sent = 0;
	ssize_t n;
	int err = 0;

	td_out_init(&o);
	td_out_z(&o, text);
	td_out_char(&o, '\n');
	free(text);
	if (o.failed)
		err = -ENOMEM;
	while (!err && sent < o.n) {
		n = send(fd, o.p + sent, o.n - sent, MSG_NOSIGNAL);
		if (n > 0)
			sent += (size_t)n;
		else if (errno != EINTR)
			err = -errno;
	}
	td_out_free(&o);
	return err;
}

/* 1: the answer has ended; 0: go on; else an error. */
static int take_line(json_t *obj, int (*line)(void *arg, const json_t *obj), void *arg, struct td_out *why)
{
	const char *error;

	if (!json_is_object(obj))
		return TD_ESYNTAX;
	if (!json_is_true(json_object_get(obj, "end")))
		return line ? line(arg, obj) : 0;
	error = json_string_value(json_object_get(obj, "error"));
	if (!error)
		return 1;
	td_out_z(why, error);
	return TD_EDENIED;
}

static int read_answer(FILE *f, int (*line)(void *arg, const json_t *obj), void *arg, struct td_out *why)
{
	char *text = NULL;
	size_t cap = 0;
	json_t *obj;
	ssize_t n;
	int err = 0;

	while (!err && (n = getline(&text, &cap, f)) > 0) {
		obj = json_loadb(text, (size_t)n, 0, NULL);
		err = take_line(obj, line, arg, why);
		json_decref(obj);
	}
	free(text);
	return err == 1 ? 0 : err ? err : TD_ECLOSED;
}

int td_control_ask(const char *path, json_t *request, int (*line)(void *arg, const json_t *obj), void *arg, struct td_out *why)
{
	FILE *f;
	int fd, err = dial(&fd, path);

	if (err)
		return err;
	err = send_request(fd, request);
	f = err ? NULL : fdopen(fd, "r");
	if (!f) {
		close(fd);
		return err ? err : -errno;
	}
	err = read_answer(f, line, arg, why);
	fclose(f);
	return err;
}
