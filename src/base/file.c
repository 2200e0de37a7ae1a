/* Files read whole, up to a limit. */
#include <tandem/base.h>

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

int td_read_all(struct td_out *o, int fd, size_t most)
{
	char block[4096];
	struct stat st;
	size_t got = 0;
	ssize_t n = 0;
	int err = 0;

	/* At once, so that what o grows out of holds no half of a key. */
	if (!fstat(fd, &st) && st.st_size > 0 && (uint64_t)st.st_size <= most)
		(void)td_out_reserve(o, (size_t)st.st_size);
	while (!err && (n = read(fd, block, sizeof(block))) > 0) {
		got += (size_t)n;
		if (got > most)
			err = TD_ELIMIT;
		else
			td_out_str(o, td_str_n(block, (size_t)n));
	}
	if (n < 0)
		err = -errno;
	explicit_bzero(block, sizeof(block));
	return err ? err : o->failed ? -ENOMEM : 0;
}
