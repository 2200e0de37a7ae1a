/*
 * What holds when nothing is said. Safe: loopback only, every sender authenticated, state in a folder of the user's.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "internal.h"

int config_defaults(struct td_config *c)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	c->workers = cores < 1 ? 1 : cores > 64 ? 64 : (unsigned)cores;
	c->registrations = TD_REG_DURABLE;
	c->digest_algs = 1u << TD_DIGEST_SHA256 | 1u << TD_DIGEST_MD5;
	c->nonce_lifetime_s = 300;
	c->registrar.min_expires_s = 60;
	c->registrar.default_expires_s = 3600;
	c->registrar.max_expires_s = 7200;
	c->registrar.max_contacts = 10;
	c->proxy.timer_c_s = 180;
	c->proxy.max_branches = 30;
	c->proxy.max_pending = 1000;
	c->proxy.failover_s = 3;
	c->dns.timeout_s = 6;
	c->push.wait_s = 20;
	c->sandbox = true;
	c->calls.track = true;
	c->calls.records = true;
	c->calls.longest_s = 43200;
	c->calls.keep_s = 90 * 86400;
	c->limits.rate = 1000;
	c->limits.burst = 2000;
	c->limits.max_message = TD_SIP_MAX_MESSAGE;
	c->limits.conns_per_source = 256;
	c->guard.tries = 20;
	c->guard.ban_s = 600;
	c->trace.memory_bytes = 1 << 20;
	c->log_level = TD_LOG_INFO;
	return 0;
}

/* The host's name when it is a domain's (has a dot), else "localhost". */
int config_default_domain(struct td_config *c)
{
	char host[256] = "localhost";
	size_t i;

	if (gethostname(host, sizeof(host)) || !memchr(host, '.', sizeof(host)))
		snprintf(host, sizeof(host), "localhost");
	host[sizeof(host) - 1] = '\0';
	for (i = 0; host[i]; i++)
		host[i] = td_lower(host[i]);
	c->domains = td_arena_zalloc(&c->arena, sizeof(*c->domains));
	if (!c->domains || td_arena_dup(&c->domains[0].name, &c->arena, td_str_of(host)))
		return -ENOMEM;
	c->domains[0].ring_time_s = RING_TIME_S;
	c->domains[0].recurse = true;
	c->domain_n = 1;
	return 0;
}

static bool machine_has(const struct td_addr *a)
{
	struct sockaddr_storage ss;
	unsigned n;
	int fd = socket(a->family == TD_AF_V6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool ok;

	if (fd < 0)
		return false;
	n = td_addr_to_sockaddr(&ss, a);
	ok = bind(fd, (struct sockaddr *)&ss, n) == 0;
	close(fd);
	return ok;
}

/* UDP, TCP and TLS on 127.0.0.1 and, where the machine has it, ::1. */
int config_default_listen(struct td_config *c)
{
	static const struct td_str hosts[] = { TD_STR_INIT("127.0.0.1"), TD_STR_INIT("::1") };
	static const enum td_proto protos[] = { TD_UDP, TD_TCP, TD_TLS };
	struct td_addr at;

	c->listen = td_arena_zalloc(&c->arena, TD_ARRAY_LEN(hosts) * TD_ARRAY_LEN(protos) * sizeof(*c->listen));
	if (!c->listen)
		return -ENOMEM;
	for (size_t h = 0; h < TD_ARRAY_LEN(hosts); h++) {
		if (td_ip_parse(&at, hosts[h]) || (h && !machine_has(&at)))
			continue;
		for (size_t p = 0; p < TD_ARRAY_LEN(protos); p++) {
			at.port = td_proto_port(protos[p]);
			c->listen[c->listen_n++] = (struct td_listen){ .proto = protos[p], .addr = at };
		}
	}
	return 0;
}

/* $XDG_STATE_HOME/tandem, else $HOME/.local/state/tandem, else /var/lib/tandem. */
int config_default_state(struct td_config *c)
{
	const char *xdg = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	struct td_out o;
	int err;

	td_out_init(&o);
	if (xdg && xdg[0] == '/')
		td_out_fmt(&o, "%s/tandem", xdg);
	else if (home && home[0] == '/')
		td_out_fmt(&o, "%s/.local/state/tandem", home);
	else
		td_out_z(&o, "/var/lib/tandem");
	td_out_char(&o, '\0');
	err = o.failed ? -ENOMEM : td_arena_dup(&c->state, &c->arena, td_out_view(&o));
	if (!err)
		c->state.n--;
	td_out_free(&o);
	return err;
}

int td_config_default(struct td_config **out, struct td_out *errors)
{
	return td_config_parse(out, errors, TD_STR_NULL, TD_STR_NULL);
}
