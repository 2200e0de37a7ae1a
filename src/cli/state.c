/* Which configuration a command means, and the files in its state folder. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"

int cli_load_config(struct td_config **out, const struct cli_command *cmd, const char *path)
{
	struct td_out errors;
	int err;

	td_out_init(&errors);
	if (!path && access("tandem.yaml", F_OK) == 0)
		path = "tandem.yaml";
	err = path ? td_config_load(out, &errors, td_str_of(path)) : td_config_default(out, &errors);
	if (err) {
		fflush(stdout);
		fwrite(errors.p, 1, errors.n, stderr);
		if (!errors.n)
			cli_fail(cmd, CLI_CONFIG, "%s", td_strerror(err));
	}
	td_out_free(&errors);
	return err;
}

char *cli_state_path(const struct td_config *cfg, const char *name)
{
	size_t n = cfg->state.n + strlen(name) + 2;
	char *p = malloc(n);

	if (p)
		snprintf(p, n, "%.*s/%s", TD_FMT(cfg->state), name);
	return p;
}

int cli_make_state(const struct td_config *cfg)
{
	char *path = cli_state_path(cfg, ""), *p;
	int err = 0;

	if (!path)
		return -ENOMEM;
	for (p = path + 1; *p && !err; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (mkdir(path, 0700) && errno != EEXIST)
			err = -errno;
		*p = '/';
	}
	free(path);
	return err;
}
