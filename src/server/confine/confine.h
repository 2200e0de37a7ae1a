/*
 * server/confine: what the file system is for this process from now on. A server that was taken over by what somebody sent it must not
 * write anywhere but in its state folder, nor execute anything; the kernel sees to that (Landlock).
 */
#ifndef TANDEM_SERVER_CONFINE_H
#define TANDEM_SERVER_CONFINE_H

#include <tandem/base.h>

/*
 * For this thread and all that it starts; not for others that run already. Reading stays as it was: configuration, certificates and the
 * resolver's files are taken anew by a reload. Making, changing and removing are possible below `folder` (which must be there) alone, and
 * nothing can be executed. There is no way back. The process must have given up new privileges (PR_SET_NO_NEW_PRIVS) before.
 *
 * TD_EUNSUPPORTED: this kernel cannot do it; nothing was changed. -errno.
 */
int td_confine(const char *folder);

#endif
