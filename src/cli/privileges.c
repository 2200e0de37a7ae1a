/*
 * A server that root starts (for ports below 1024) is not to go on as root. With `user` it becomes that user in two steps: first everything it
 * opens or makes is that user's, so that the state folder never gets a file of root's in it; and of root's rights the one to bind low
 * ports is left. When it listens, the rest goes for good, for all threads (setresuid(3) of the C library sees to that).
 *
 * Commands that open the database beside a server become that user as well, before they touch it.
 */
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cli/cli.h"

/* NULL, and why: there is no such user. The text is getpwnam(3)'s. */
static const struct passwd *find_user(const struct td_config *cfg, struct td_out *why)
{
	char *name = strndup(cfg->user.p, cfg->user.n);
	const struct passwd *p = name ? getpwnam(name) : NULL;

	if (!p)
		td_out_fmt(why, "user: this machine has no user \"%.*s\" (useradd --system makes one)", TD_FMT(cfg->user));
	free(name);
	return p;
}

int cli_own_folder(const struct td_config *cfg, const char *path)
{
	const struct passwd *p;
	struct td_out why;
	int err = 0;

	if (!cfg->user.n || geteuid())
		return 0;
	td_out_init(&why);
	p = find_user(cfg, &why);
	td_out_free(&why);
	if (p && lchown(path, p->pw_uid, p->pw_gid))
		err = -errno;
	return err;
}

/* Of what root may do, to bind low ports alone. */
static int keep_low_ports(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { { 0 } };

	if (syscall(SYS_capget, &head, data))
		return -errno;
	/* What is permitted goes with the user id; a container may permit root less than all. */
	data[0].effective = data[0].permitted & 1u << CAP_NET_BIND_SERVICE;
	data[1].effective = 0;
	return syscall(SYS_capset, &head, data) ? -errno : 0;
}

static int is_his(const struct td_config *cfg, const struct passwd *p, struct td_out *why)
{
	char *path = cli_state_path(cfg, "");
	struct stat st;
	int err = 0;

	if (!path)
		return -ENOMEM;
	if (stat(path, &st) == 0 && st.st_uid != p->pw_uid) {
		err = -EACCES;
		td_out_fmt(
			why,
			"the state folder %.*s is another user's (chown -R %.*s %.*s gives it to the one in the configuration)",
			TD_FMT(cfg->state), TD_FMT(cfg->user), TD_FMT(cfg->state));
	}
	free(path);
	return err;
}

int cli_become_user(const struct td_config *cfg, struct td_out *why)
{
	const struct passwd *p;
	int err;

	if (!cfg->user.n)
		return 0;
	p = find_user(cfg, why);
	if (!p)
		return -ENOENT;
	if (geteuid()) { /* what it may open shows whether that was right */
		if (p->pw_uid == geteuid())
			return 0;
		td_out_fmt(why, "user: only root can become \"%.*s\" (start it as root, or as that user)", TD_FMT(cfg->user));
		return -EPERM;
	}
	if (!p->pw_uid)
		return 0;
	err = is_his(cfg, p, why);
	if (err)
		return err;
	if (initgroups(p->pw_name, p->pw_gid) || setresgid(p->pw_gid, p->pw_gid, p->pw_gid) ||
	    setresuid((uid_t)-1, p->pw_uid, (uid_t)-1))
		err = -errno;
	if (!err)
		err = keep_low_ports();
	if (err)
		td_out_fmt(why, "user: cannot become \"%.*s\": %s", TD_FMT(cfg->user), td_strerror(err));
	return err;
}

int cli_stay_user(void)
{
	uid_t real, effective, saved;

	if (getresuid(&real, &effective, &saved))
		return -errno;
	if (real == effective && saved == effective)
		return 0; /* nothing was changed */
	if (setresuid(effective, effective, effective))
		return -errno;
	return setresuid((uid_t)-1, 0, (uid_t)-1) ? 0 : -EPERM; /* there must be no way back */
}
