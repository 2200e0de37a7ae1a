/*
 * What c-ares is for: it knows where a system says which name servers there are, how its hosts file is read, and how a question is
 * written. Its files are local; they are read when the client is opened or told to, and the hosts file for a name that is not in the
 * cache and may stand there (dns_hosts.c).
 */
#include "dns.h"

#include <ares.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

struct dns_system {
	ares_channel channel;
	struct dns_hosts hosts;
	const char *hosts_path; /* where c-ares looks */
};

static int error_of(int status)
{
	return status == ARES_ENOMEM ? -ENOMEM : TD_EUNSUPPORTED;
}

int dns_system_open(struct dns_system **out)
{
	struct dns_system *s = calloc(1, sizeof(*s));
	int status;

	if (!s)
		return -ENOMEM;
	s->hosts_path = getenv("CARES_HOSTS");
	if (!s->hosts_path)
		s->hosts_path = "/etc/hosts";
	status = ares_library_init(ARES_LIB_INIT_ALL);
	if (!status)
		status = ares_init(&s->channel);
	if (status) {
		free(s);
		return error_of(status);
	}
	*out = s;
	return 0;
}

void dns_system_close(struct dns_system *s)
{
	if (!s)
		return;
	ares_destroy(s->channel);
	ares_library_cleanup();
	dns_hosts_free(&s->hosts);
	free(s);
}

static bool address_of(struct td_addr *out, int family, const void *ip)
{
	*out = (struct td_addr){ .family = family == AF_INET ? TD_AF_V4 : TD_AF_V6 };
	if (family != AF_INET && family != AF_INET6)
		return false;
	memcpy(out->ip, ip, family == AF_INET ? 4 : 16);
	return true;
}

/* A channel made now has what the files say now. */
unsigned dns_system_servers(struct dns_system *s, struct td_addr *out, unsigned max)
{
	struct ares_addr_port_node *list = NULL;
	ares_channel now;
	unsigned n = 0;

	if (ares_init(&now))
		return 0;
	ares_destroy(s->channel);
	s->channel = now;
	if (ares_get_servers_ports(s->channel, &list))
		return 0;
	for (const struct ares_addr_port_node *a = list; a && n < max; a = a->next)
		if (address_of(&out[n], a->family, &a->addr))
			out[n++].port = a->udp_port ? (uint16_t)a->udp_port : 53;
	ares_free_data(list);
	return n;
}

unsigned dns_system_hosts(struct dns_system *s, struct td_addr *out, unsigned max, const struct dns_name *name,
			  enum td_dns_type type)
{
	int family = type == TD_DNS_A ? AF_INET : AF_INET6;
	char text[TD_DNS_NAME_MAX + 1];
	struct hostent *h;
	unsigned n = 0;

	if ((type != TD_DNS_A && type != TD_DNS_AAAA) || !dns_hosts_may_have(&s->hosts, s->hosts_path, dns_name_str(name)))
		return 0;
	memcpy(text, name->text, name->n);
	text[name->n] = '\0';
	if (ares_gethostbyname_file(s->channel, text, family, &h))
		return 0;
	for (char **a = h->h_addr_list; *a && n < max; a++)
		n += address_of(&out[n], h->h_addrtype, *a);
	ares_free_hostent(h);
	return n;
}

struct td_buf *dns_question(uint16_t id, const struct dns_name *name, enum td_dns_type type, bool edns)
{
	enum { CLASS_IN = 1 };
	char text[TD_DNS_NAME_MAX + 2];
	unsigned char *p;
	struct td_buf *b;
	int n;

	/* With its final dot: it is never completed by a search list. */
	memcpy(text, name->text, name->n);
	text[name->n] = '.';
	text[name->n + 1] = '\0';
	if (ares_create_query(text, CLASS_IN, (int)type, id, 1, &p, &n, edns ? DNS_UDP_SIZE : 0))
		return NULL;
	b = td_buf_copy(td_str_n((const char *)p, (size_t)n));
	ares_free_string(p);
	return b;
}
