/* The answering side: clients on the control thread's loop, a bounded request each, output kept until the client takes it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "server/control/control.h"

enum { MAX_REQUEST = 65536, MAX_OUTPUT = 512 << 20 };

struct client {
	struct td_link link;
	struct td_control *control;
	struct td_io io;
	struct td_defer work; /* an answer has ended: send it, take the next line */
	struct td_out in, out;
	size_t sent;
	struct td_control_reply *reply; /* the request in progress; one at a time */
	bool asked_all;                 /* the client shut its side; it still hears the answers */
};

struct td_control_reply {
	struct client *client; /* NULL once the client went away */
};

struct td_control {
	struct td_loop *loop;
	struct td_io io;
	struct td_link clients;
	td_control_fn *fn;
	void *arg;
	int lock; /* the folder, locked: the kernel lets go of it however we end */
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
};

static void drop(struct client *cl)
{
	td_loop_undefer(cl->control->loop, &cl->work);
	td_io_close(&cl->io);
	close(cl->io.fd);
	td_list_del(&cl->link);
	if (cl->reply)
		cl->reply->client = NULL;
	td_out_free(&cl->in);
	td_out_free(&cl->out);
	free(cl);
}

/* An answer that goes on may never be taken to its end: what was taken makes room. */
static void close_ranks(struct client *cl)
{
	if (cl->sent < 65536 || cl->sent < cl->out.n / 2)
		return;
	cl->out.n -= cl->sent;
	memmove(cl->out.p, cl->out.p + cl->sent, cl->out.n);
	cl->sent = 0;
}

/* False: the client is gone. True, and out.n is 0 when all was taken. */
static bool flush(struct client *cl)
{
	ssize_t n;

	while (cl->sent < cl->out.n) {
		n = send(cl->io.fd, cl->out.p + cl->sent, cl->out.n - cl->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
			close_ranks(cl);
			td_io_want(&cl->io, TD_IO_WRITE);
			return true;
		}
		if (n < 0) {
			drop(cl);
			return false;
		}
		cl->sent += (size_t)n;
	}
	td_out_free(&cl->out);
	td_out_init(&cl->out);
	cl->sent = 0;
	return true;
}

static int append(const char *text, size_t n, void *arg)
{
	td_out_str(arg, td_str_n(text, n));
	return 0;
}

void td_control_put(struct td_control_reply *r, json_t *line)
{
	if (r->client && line && r->client->out.n < MAX_OUTPUT) {
		json_dump_callback(line, append, &r->client->out, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_PRESERVE_ORDER);
		td_out_char(&r->client->out, '\n');
	}
	json_decref(line);
}

int64_t td_control_flush(struct td_control_reply *r)
{
	struct client *cl = r->client;

	if (!cl || !flush(cl))
		return -1;
	if (!cl->out.n)
		td_io_want(&cl->io, 0);
	return (int64_t)(cl->out.n - cl->sent);
}

void td_control_end(struct td_control_reply *r, const char *error)
{
	struct client *cl = r->client;

	if (cl) {
		if (cl->out.failed || cl->out.n >= MAX_OUTPUT) {
			td_out_free(&cl->out);
			td_out_init(&cl->out);
			error = "the answer is too long to be kept in memory";
		}
		td_control_put(r, error ? json_pack("{s:b,s:s}", "end", 1, "error", error) : json_pack("{s:b}", "end", 1));
		cl->reply = NULL;
	}
	free(r);
	if (cl)
		td_loop_defer(cl->control->loop, &cl->work);
}

/* Takes the first line out of what was read, and starts to answer it. False: there is none; the client may be gone then. */
static bool next_request(struct client *cl)
{
	const char *nl = td_str_chr(td_out_view(&cl->in), '\n');
	struct td_control_reply *r;
	json_t *request;
	size_t n;

	if (!nl)
		return false;
	r = calloc(1, sizeof(*r));
	if (!r) {
		drop(cl);
		return true;
	}
	n = (size_t)(nl + 1 - cl->in.p);
	request = json_loadb(cl->in.p, n, JSON_REJECT_DUPLICATES, NULL);
	memmove(cl->in.p, nl + 1, cl->in.n - n);
	cl->in.n -= n;
	r->client = cl;
	cl->reply = r;
	td_io_want(&cl->io, 0); /* the next line waits until this one is answered; a hang-up is heard all the same */
	if (!json_is_object(request))
		td_control_end(r, "the request is no JSON object on one line");
	else
		cl->control->fn(cl->control->arg, request, r);
	json_decref(request);
	return true;
}

/* Whatever comes next: the rest of an answer, the next request, or reading. Last in its callers: the client may be gone after it. */
static void proceed(struct client *cl)
{
	if (!flush(cl) || cl->out.n)
		return;
	if (cl->reply) { /* it goes on; a hang-up is heard meanwhile */
		td_io_want(&cl->io, 0);
		return;
	}
	if (next_request(cl))
		return;
	if (cl->asked_all)
		drop(cl);
	else
		td_io_want(&cl->io, TD_IO_READ);
}

static void on_work(struct td_defer *d, void *arg)
{
	(void)d;
	proceed(arg);
}

static void on_client(struct td_io *io, unsigned events, void *arg)
{
	struct client *cl = arg;
	char block[4096];
	ssize_t n;

	if (!io->want) { /* it went away while its answer was being made */
		drop(cl);
		return;
	}
	if (io->want & TD_IO_WRITE) {
		proceed(cl);
		return;
	}
	n = recv(io->fd, block, sizeof(block), MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		td_out_str(&cl->in, td_str_n(block, (size_t)n));
	if (n < 0 || cl->in.failed || cl->in.n > MAX_REQUEST) {
		drop(cl);
		return;
	}
	cl->asked_all = n == 0;
	proceed(cl);
}

static void on_accept(struct td_io *io, unsigned events, void *arg)
{
	struct td_control *c = arg;
	struct client *cl;
	int fd = accept4(io->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)events;
	if (fd < 0)
		return;
	cl = calloc(1, sizeof(*cl));
	if (!cl || td_io_open(&cl->io, c->loop, fd, TD_IO_READ, on_client, cl)) {
		free(cl);
		close(fd);
		return;
	}
	cl->control = c;
	td_defer_init(&cl->work, on_work, cl);
	td_out_init(&cl->in);
	td_out_init(&cl->out);
	td_list_add_tail(&c->clients, &cl->link);
}

/* Two servers started in the same moment would both find that nobody answers: the folder's lock decides. */
static int lock_folder(int *out, const char *path)
{
	const char *end = strrchr(path, '/');
	char folder[sizeof(((struct sockaddr_un *)0)->sun_path)] = ".";
	int fd, err;

	if (end)
		memcpy(folder, path, (size_t)(end - path) + 1); /* with the slash, so that "/" stays */
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		err = errno == EWOULDBLOCK ? TD_EEXIST : -errno;
		close(fd);
		return err;
	}
	*out = fd;
	return 0;
}

static int listen_at(int *out, const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	mode_t old;
	int fd, err;

	memcpy(un.sun_path, path, strlen(path) + 1);
	unlink(path); /* whoever left it is gone: the folder is ours */
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	old = umask(0177); /* the socket is born with mode 0600; there is no moment it is open to others */
	err = bind(fd, (struct sockaddr *)&un, sizeof(un)) || listen(fd, 64) ? -errno : 0;
	umask(old);
	if (err) {
		close(fd);
		return err;
	}
	*out = fd;
	return 0;
}

int td_control_open(struct td_control **out, struct td_loop *loop, const char *path, td_control_fn *fn, void *arg)
{
	struct td_control *c = calloc(1, sizeof(*c));
	int fd, err;

	if (!c)
		return -ENOMEM;
	*c = (struct td_control){ .loop = loop, .fn = fn, .arg = arg };
	td_list_init(&c->clients);
	err = strlen(path) < sizeof(c->path) ? lock_folder(&c->lock, path) : -ENAMETOOLONG;
	if (!err) {
		err = listen_at(&fd, path);
		if (err)
			close(c->lock);
	}
	if (!err) {
		snprintf(c->path, sizeof(c->path), "%s", path);
		err = td_io_open(&c->io, loop, fd, TD_IO_READ, on_accept, c);
		if (err) {
			close(fd);
			close(c->lock);
		}
	}
	if (err) {
		free(c);
		return err;
	}
	*out = c;
	return 0;
}

void td_control_close(struct td_control *c)
{
	if (!c)
		return;
	while (!td_list_empty(&c->clients)) {
		struct client *cl = TD_CONTAINER_OF(c->clients.next, struct client, link);

		if (flush(cl)) /* the answer to what stopped us may still be on its way */
			drop(cl);
	}
	td_io_close(&c->io);
	close(c->io.fd);
	unlink(c->path);
	close(c->lock);
	free(c);
}
