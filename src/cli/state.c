/* Which configuration a command means, and the files in its state folder. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "server/store/store.h"

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
		if (mkdir(path, 0700) == 0)
			err = cli_own_folder(cfg, path);
		else if (errno != EEXIST)
			err = -errno;
		*p = '/';
	}
	free(path);
	return err;
}

/* What the database makes beside itself must not be root's. */
static int become_for_good(const struct td_config *cfg, struct td_out *why)
{
	int err = geteuid() ? 0 : cli_become_user(cfg, why);

	return err ? err : cli_stay_user();
}

int cli_open_store(struct td_store **out, const struct cli_command *cmd, const struct td_config *cfg)
{
	char *path;
	struct td_out why;
	int err = cli_make_state(cfg);

	if (err)
		return cli_fail(cmd, CLI_CONFIG, "the state folder %.*s cannot be made: %s", TD_FMT(cfg->state),
				td_strerror(err));
	td_out_init(&why);
	err = become_for_good(cfg, &why);
	path = cli_state_path(cfg, "tandem.db");
	if (!err)
		err = !path ? -ENOMEM : td_store_open(out, &(struct td_store_options){ .path = td_str_of(path) }, &why);
	if (err)
		cli_fail(cmd, CLI_CONFIG, "%.*s", TD_FMT(why.n ? td_out_view(&why) : td_str_of(td_strerror(err))));
	td_out_free(&why);
	free(path);
	return err ? CLI_CONFIG : CLI_OK;
}
