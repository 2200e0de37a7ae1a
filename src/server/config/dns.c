/* Name servers: addresses with a port or without one. */
#include <stdio.h>

#include "internal.h"

static int server_parse(struct td_addr *out, struct td_str s)
{
	if (td_ip_parse(out, s) == 0) {
		out->port = 53;
		return 0;
	}
	return td_addr_parse(out, s) || !out->port ? TD_ESYNTAX : 0;
}

void config_check_dns(struct td_config *c, const struct raw_dns *raw, struct report *r)
{
	char at[12];

	if (!raw)
		return;
	for (unsigned i = 0; i < raw->servers_count; i++) {
		snprintf(at, sizeof(at), "%u", i);
		if (i == TD_DNS_MAX_SERVERS)
			report_at(r, AT("dns", "servers"), "%u are too many (at most %u)", raw->servers_count,
				  TD_DNS_MAX_SERVERS);
		if (i >= TD_DNS_MAX_SERVERS)
			return;
		if (server_parse(&c->dns.servers[c->dns.server_n], td_str_of(raw->servers[i])))
			report_at(
				r, AT("dns", "servers", at),
				"\"%s\" is no address of a name server (want a number like 192.0.2.53, with \":PORT\" if not 53)",
				raw->servers[i]);
		else
			c->dns.server_n++;
	}
	check_duration(&c->dns.timeout_s, raw->timeout, 1, r, AT("dns", "timeout"));
	if (c->dns.timeout_s > 60)
		report_at(r, AT("dns", "timeout"), "%s is too long: callers give up after 32s (at most 60s)", raw->timeout);
}
