/*
 * The order in which what DNS offers is tried: NAPTR services we speak (RFC 3263 §4.1), SRV targets by priority and weight (RFC 2782).
 * Records come sorted by order and preference, or by priority.
 */
#include "locate.h"

static const struct {
	struct td_str service; /* of NAPTR */
	const char *srv;
	enum td_proto proto;
} services[] = {
	{ TD_STR_INIT("SIPS+D2T"), "_sips._tcp.", TD_TLS },
	{ TD_STR_INIT("SIP+D2U"), "_sip._udp.", TD_UDP },
	{ TD_STR_INIT("SIP+D2T"), "_sip._tcp.", TD_TCP },
};

const char *loc_srv_prefix(enum td_proto proto)
{
	for (size_t i = 0; i < TD_ARRAY_LEN(services); i++)
		if (services[i].proto == proto)
			return services[i].srv;
	return NULL;
}

/* "The services relevant … are those with values SIP+D2X and SIPS+D2X", with an empty regular expression and a replacement; "a client
 * resolving a SIPS URI MUST discard any services that do not contain SIPS". */
bool loc_naptr_usable(enum td_proto *out, const struct td_dns_record *r, bool secure)
{
	if (!td_str_ieq(r->naptr.flags, TD_STR("s")) || r->naptr.regexp || !r->naptr.replacement.n)
		return false;
	for (size_t i = 0; i < TD_ARRAY_LEN(services); i++) {
		if (!td_str_ieq(r->naptr.service, services[i].service) || (secure && services[i].proto != TD_TLS))
			continue;
		*out = services[i].proto;
		return true;
	}
	return false;
}

/*
 * "To select a target to be contacted next, arrange all SRV RRs (that have not been ordered yet) in any order, except that all those
 * with weight 0 are placed at the beginning of the list. Compute the sum of the weights … choose a uniform random number between 0 and
 * the sum computed (inclusive), and select the RR whose running sum value is the first in the selected order which is greater than
 * or equal to the random number selected."
 */
static unsigned pick(const uint8_t *left, unsigned n, const struct td_dns_record *r, struct td_rng *rng)
{
	uint64_t sum = 0, chosen, running = 0;

	for (unsigned i = 0; i < n; i++)
		sum += r[left[i]].srv.weight;
	chosen = td_rng_below(rng, sum + 1);
	if (!chosen) /* the first in that order: one with weight 0, if there is any */
		for (unsigned i = 0; i < n; i++)
			if (!r[left[i]].srv.weight)
				return i;
	for (unsigned i = 0; i < n; i++) {
		running += r[left[i]].srv.weight;
		if (r[left[i]].srv.weight && running >= chosen)
			return i;
	}
	return 0;
}

void loc_srv_order(uint8_t *out, const struct td_dns_record *r, unsigned n, struct td_rng *rng)
{
	for (unsigned from = 0, to; from < n; from = to) {
		uint8_t left[TD_DNS_MAX_RECORDS];
		unsigned count = 0;

		for (to = from; to < n && r[to].srv.priority == r[from].srv.priority; to++)
			left[count++] = (uint8_t)to;
		/* Several of weight 0 are equals as well: so that not the first of them is always meant. */
		for (unsigned i = count; i > 1; i--) {
			unsigned j = (unsigned)td_rng_below(rng, i);
			uint8_t swap = left[i - 1];

			left[i - 1] = left[j];
			left[j] = swap;
		}
		for (unsigned at = from; count; at++) {
			unsigned i = pick(left, count, r, rng);

			out[at] = left[i];
			left[i] = left[--count];
		}
	}
}
