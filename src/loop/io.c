/*
 * Descriptors on epoll, level triggered. The kernel is told (generation, descriptor) rather than a pointer: a td_io may
 * be forgotten and freed while events for it wait in the batch that is being worked off, and its number may be in use
 * again for another descriptor. The generation then no longer matches, and the event is dropped.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

static const uint64_t wake_tag = UINT64_MAX;

int poller_open(struct poller *p, int wake_fd)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = wake_tag };
	int err;

	*p = (struct poller){ .fd = epoll_create1(EPOLL_CLOEXEC) };
	if (p->fd < 0)
		return -errno;
	if (epoll_ctl(p->fd, EPOLL_CTL_ADD, wake_fd, &ev) < 0) {
		err = -errno;
		poller_close(p);
		return err;
	}
	return 0;
}

void poller_close(struct poller *p)
{
	if (p->fd >= 0)
		close(p->fd);
	free(p->slots);
	*p = (struct poller){ .fd = -1 };
}

bool poller_event(struct poller *p, const struct epoll_event *ev)
{
	size_t fd = (uint32_t)ev->data.u64;
	unsigned events = 0;
	struct td_io *io;

	if (ev->data.u64 == wake_tag)
		return true;
	if (fd >= p->n || !p->slots[fd].io || p->slots[fd].generation != ev->data.u64 >> 32)
		return false;
	io = p->slots[fd].io;
	if (ev->events & EPOLLIN)
		events |= TD_IO_READ;
	if (ev->events & EPOLLOUT)
		events |= TD_IO_WRITE;
	/* Whoever reads or writes finds the error or the end there, as on any other day. */
	if (ev->events & (EPOLLERR | EPOLLHUP))
		events |= TD_IO_READ | TD_IO_WRITE | TD_IO_HUP;
	events &= io->want | TD_IO_HUP; /* it may have changed its mind earlier in this batch */
	if (events)
		io->fn(io, events, io->arg);
	return false;
}

static int tell_kernel(struct poller *p, int op, int fd, unsigned want)
{
	struct epoll_event ev = {
		.events = (want & TD_IO_READ ? EPOLLIN : 0u) | (want & TD_IO_WRITE ? EPOLLOUT : 0u),
		.data.u64 = (uint64_t)p->slots[fd].generation << 32 | (uint32_t)fd,
	};

	return epoll_ctl(p->fd, op, fd, &ev) < 0 ? -errno : 0;
}

static int slots_for(struct poller *p, size_t fd)
{
	size_t n = p->n ? p->n : 64;
	struct io_slot *slots;

	if (fd < p->n)
		return 0;
	while (n <= fd)
		n *= 2;
	slots = realloc(p->slots, n * sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	memset(slots + p->n, 0, (n - p->n) * sizeof(*slots));
	p->slots = slots;
	p->n = n;
	return 0;
}

int td_io_open(struct td_io *io, struct td_loop *loop, int fd, unsigned want, td_io_fn *fn, void *arg)
{
	struct poller *p = &loop->poller;
	int err;

	if (loop->sim)
		return TD_EUNSUPPORTED;
	if (fd < 0)
		return -EBADF;
	err = slots_for(p, (size_t)fd);
	if (err)
		return err;
	if (p->slots[fd].io)
		return -EEXIST;
	err = tell_kernel(p, EPOLL_CTL_ADD, fd, want);
	if (err)
		return err;
	*io = (struct td_io){ .fd = fd, .want = want & (TD_IO_READ | TD_IO_WRITE), .fn = fn, .arg = arg, .loop = loop };
	p->slots[fd].io = io;
	return 0;
}

int td_io_want(struct td_io *io, unsigned want)
{
	int err;

	want &= TD_IO_READ | TD_IO_WRITE;
	if (!io->loop)
		return TD_ECLOSED;
	if (want == io->want)
		return 0;
	err = tell_kernel(&io->loop->poller, EPOLL_CTL_MOD, io->fd, want);
	if (!err)
		io->want = want;
	return err;
}

void td_io_close(struct td_io *io)
{
	struct poller *p;

	if (!io->loop)
		return;
	p = &io->loop->poller;
	p->slots[io->fd].io = NULL;
	p->slots[io->fd].generation++;
	tell_kernel(p, EPOLL_CTL_DEL, io->fd, 0); /* fails when fd is closed already, which forgot it as well */
	io->loop = NULL;
}
