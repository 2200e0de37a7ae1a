/* Questions to the kernel about addresses, asked without sending anything. */
#include <tandem/net.h>

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

int td_net_source_for(struct td_addr *out, const struct td_addr *peer)
{
	struct sockaddr_storage ss;
	socklen_t n = td_addr_to_sockaddr(&ss, peer);
	int fd = socket(ss.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0), err = 0;

	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&ss, n))
		err = -errno;
	n = sizeof(ss);
	if (!err && getsockname(fd, (struct sockaddr *)&ss, &n))
		err = -errno;
	close(fd);
	if (!err)
		err = td_addr_from_sockaddr(out, &ss);
	if (!err)
		out->port = 0;
	return err;
}

int td_net_probe(const struct td_addr *local, bool stream)
{
	struct sockaddr_storage ss;
	socklen_t n = td_addr_to_sockaddr(&ss, local);
	int fd = socket(ss.ss_family, (stream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0), one = 1, err = 0;

	if (fd < 0)
		return -errno;
	if (stream) /* connections of a server that ended may linger; they do not count */
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (ss.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&ss, n))
		err = -errno;
	close(fd);
	return err;
}
