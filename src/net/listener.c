/*
 * A listener, the front. A connection nobody takes over in the callback is closed: it has no one to report to.
 */
#include "internal.h"

#include <errno.h>

int td_listener_open(struct td_listener **out, struct td_net *net, const struct td_addr *local, unsigned flags, td_accept_fn *fn,
		     void *arg)
{
	struct td_listener *l;
	int err;

	if (local->family == TD_AF_NONE)
		return -EAFNOSUPPORT;
	err = net->ops->listener_open(&l, net, local, flags);
	if (err)
		return err;
	l->net = net;
	l->fn = fn;
	l->arg = arg;
	net->n_sockets++;
	*out = l;
	return 0;
}

void td_listener_on_fd(struct td_listener *l, td_accept_fd_fn *fn)
{
	l->fd_fn = fn;
}

void td_listener_close(struct td_listener *l)
{
	if (!l || l->closed)
		return;
	l->closed = true;
	l->net->ops->listener_close(l);
	net_free_later(l->net, &l->link);
}

const struct td_addr *td_listener_local(const struct td_listener *l)
{
	return &l->local;
}

void net_listener_accepted(struct td_listener *l, struct td_conn *c)
{
	l->fn(l, c, l->arg);
	if (!c->ev)
		td_conn_close(c);
}
