/* Which of our addresses would packets to a peer leave by? Asked of the kernel's routes, without sending anything. */
#include <tandem/net.h>

#include <errno.h>
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
