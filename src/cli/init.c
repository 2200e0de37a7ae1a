/* tandem init DOMAIN: writes a configuration file that says what the embedded default would, ready to be changed. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"

static const char template[] =
	"# tandem's configuration. Everything has a default; \"tandem serve --check --effective\" shows all of it.\n"
	"\n"
	"domains:\n"
	"  - name: %s\n"
	"\n"
	"# Where to listen. 0.0.0.0 means every address of this machine. Loopback only, until you say otherwise.\n"
	"listen:\n"
	"  - udp:127.0.0.1:5060\n"
	"  - tcp:127.0.0.1:5060\n"
	"  - tls:127.0.0.1:5061\n"
	"  # - wss:127.0.0.1:8443      # phones in web pages (SIP over WebSocket)\n"
	"\n"
	"# Certificates for TLS. Without these lines the server makes one at its first start and says its fingerprint.\n"
	"# tls:\n"
	"#   certificate: /etc/ssl/example.test.crt\n"
	"#   key: /etc/ssl/example.test.key\n"
	"\n"
	"# Users, registrations and secrets live here (mode 0700); relative to this file.\n"
	"state: %s\n"
	"\n"
	"# durable: a registration that was answered 200 survives a crash. memory: faster, and gone after a restart.\n"
	"registrations: durable\n"
	"\n"
	"# Sources that need no password. Nobody, unless you know why.\n"
	"# trust: [127.0.0.1/32]\n";

/* The last of its folders; whatever is wrong, who opens the file will hear it. */
static void make_folder(const char *file)
{
	char *path = strdup(file), *slash = path ? strrchr(path, '/') : NULL;

	if (slash && slash > path) {
		*slash = '\0';
		(void)mkdir(path, 0755);
	}
	free(path);
}

static int run(const struct cli_command *cmd, int argc, char **argv)
{
	const char *file = "tandem.yaml";
	struct cli_option options[] = { { "config", 'c', CLI_TEXT, &file }, { 0 } };
	struct td_config *check = NULL;
	struct td_out text, errors;
	bool done;
	int fd, n = cli_options(cmd, argc, argv, options, &done), err;

	if (n < 0 || done)
		return n < 0 ? CLI_USAGE : CLI_OK;
	if (n != 1)
		return cli_fail(cmd, CLI_USAGE, "want one domain, like example.test");
	td_out_init(&text);
	td_out_init(&errors);
	/* /etc is for what people write; a service may not even write there */
	td_out_fmt(&text, template, argv[1], td_str_starts(td_str_of(file), TD_STR("/etc/")) ? "/var/lib/tandem" : "./state");
	err = td_config_parse(&check, &errors, td_str_of(file), td_out_view(&text));
	td_config_unref(check);
	td_out_free(&errors);
	if (err) {
		td_out_free(&text);
		return cli_fail(cmd, CLI_USAGE, "\"%s\" is no domain (want a host name, like example.test)", argv[1]);
	}
	make_folder(file);
	fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		err = -errno;
	else if (write(fd, text.p, text.n) != (ssize_t)text.n)
		err = -EIO;
	td_out_free(&text);
	if (fd >= 0)
		close(fd);
	if (err == -EEXIST)
		return cli_fail(cmd, CLI_CONFIG, "%s is there already; it was left as it is", file);
	if (err)
		return cli_fail(cmd, CLI_FAULT, "%s: %s", file, td_strerror(err));
	printf("wrote %s; next:\n  tandem user add alice@%s\n  tandem serve -c %s\n", file, argv[1], file);
	return CLI_OK;
}

const struct cli_command cli_init = {
	.name = "init",
	.arguments = "DOMAIN [-c FILE]",
	.summary = "write a configuration file for a domain",
	.help = "  -c, --config FILE     the file to write (tandem.yaml)\n",
	.run = run,
};
