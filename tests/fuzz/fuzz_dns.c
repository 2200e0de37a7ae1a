/*
 * What a name server sends. The first two bytes choose the type asked for and the name; the rest is the message, whose id is taken
 * as the one that was sent. What is read is bounded, sorted, and made of names that could be asked for.
 */
#include <stdlib.h>

#include "net/dns.h"
#include "inside.h"

static void check_name(struct td_str s)
{
	struct dns_name n;

	if (s.n)
		must(dns_name_from(&n, s) == 0 && td_str_eq(dns_name_str(&n), s));
}

static void check(const struct dns_reply *r, enum td_dns_type type)
{
	uint32_t last = 0, place;

	must(r->n <= TD_DNS_MAX_RECORDS && r->hops <= DNS_MAX_HOPS && r->ttl_s <= DNS_TTL_MAX_S);
	check_name(dns_name_str(&r->alias));
	for (unsigned i = 0; i < r->n; i++) {
		const struct td_dns_record *rec = &r->records[i];

		if (type == TD_DNS_A || type == TD_DNS_AAAA) {
			must(rec->addr.family == (type == TD_DNS_A ? TD_AF_V4 : TD_AF_V6) && !rec->addr.port);
			continue;
		}
		place = type == TD_DNS_SRV ? rec->srv.priority : (uint32_t)rec->naptr.order << 16 | rec->naptr.preference;
		must(place >= last);
		last = place;
		check_name(type == TD_DNS_SRV ? rec->srv.target : rec->naptr.replacement);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum td_dns_type types[] = { TD_DNS_A, TD_DNS_AAAA, TD_DNS_SRV, TD_DNS_NAPTR };
	static const char *const names[] = { "a.example", "_sip._udp.example", "example" };
	enum td_dns_type type;
	struct dns_name name;
	struct dns_reply reply;
	struct td_arena a;
	char *exact;

	if (size < 4)
		return 0;
	type = types[data[0] % TD_ARRAY_LEN(types)];
	must(dns_name_from(&name, td_str_of(names[data[1] % TD_ARRAY_LEN(names)])) == 0);
	exact = own_copy(data + 2, size - 2);
	must(exact != NULL);
	td_arena_init(&a);
	if (dns_reply_parse(&reply, &a, td_str_n(exact, size - 2), (uint16_t)(data[2] << 8 | data[3]), &name, type) == 0)
		check(&reply, type);
	td_arena_reset(&a);
	free(exact);
	return 0;
}
