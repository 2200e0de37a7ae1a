/*
 * Targets that failed lately: a call to a domain of which one server is down waits for it once, not each time. It is knowledge, no
 * verdict: such a target is tried last, and after a minute, or when it has answered, like the others again.
 */
#include "locate.h"

#include <errno.h>
#include <stdlib.h>

static bool dead_eq(const struct td_map_node *node, const void *key)
{
	const struct loc_dead *d = TD_CONTAINER_OF(node, struct loc_dead, node);
	const struct td_hop *hop = key;

	return d->hop.proto == hop->proto && td_addr_eq(&d->hop.addr, &hop->addr);
}

static uint64_t hash_of(const struct td_locator *lr, const struct td_hop *hop)
{
	return td_addr_hash(&lr->key, &hop->addr) + hop->proto;
}

static void forget(struct td_locator *lr, struct loc_dead *d)
{
	td_map_del(&lr->dead, &d->node);
	td_list_del(&d->link);
	lr->dead_n--;
	free(d);
}

static struct loc_dead *find(struct td_locator *lr, const struct td_hop *hop)
{
	struct td_map_node *node = td_map_find(&lr->dead, hash_of(lr, hop), dead_eq, hop);

	return node ? TD_CONTAINER_OF(node, struct loc_dead, node) : NULL;
}

/* One whose time is over is not dead: who fails again then has failed since then. */
static struct loc_dead *find_dead(struct td_locator *lr, const struct td_hop *hop)
{
	struct loc_dead *d = lr->dead_n ? find(lr, hop) : NULL;

	if (d && d->until_ms <= td_loop_now_ms(lr->loop)) {
		forget(lr, d);
		d = NULL;
	}
	return d;
}

const struct loc_dead *loc_dead_find(struct td_locator *lr, const struct td_hop *hop)
{
	return find_dead(lr, hop);
}

void td_locator_failed(struct td_locator *lr, const struct td_hop *hop, uint32_t seconds)
{
	struct loc_dead *d = find_dead(lr, hop);
	char text[TD_ADDR_TEXT];

	seconds = !seconds ? LOC_DEAD_S : seconds < LOC_DEAD_MOST_S ? seconds : LOC_DEAD_MOST_S;
	if (!d) {
		if (lr->dead_n == LOC_DEAD_MAX)
			forget(lr, TD_CONTAINER_OF(lr->dead_list.next, struct loc_dead, link));
		d = calloc(1, sizeof(*d));
		if (!d)
			return; /* it will be tried again, that is all */
		d->hop = *hop;
		d->since_ms = td_loop_now_ms(lr->loop);
		td_map_add(&lr->dead, &d->node, hash_of(lr, hop));
		lr->dead_n++;
		td_log(lr->log, TD_LOG_INFO, "locate failed", TD_KS("proto", td_proto_name(hop->proto)),
		       TD_KZ("target", td_addr_text(text, &hop->addr)), TD_KU("last_for_s", seconds));
	}
	td_list_del(&d->link);
	td_list_add_tail(&lr->dead_list, &d->link);
	d->until_ms = td_loop_now_ms(lr->loop) + (uint64_t)seconds * 1000;
}

bool td_locator_is_dead(struct td_locator *lr, const struct td_hop *hop)
{
	return loc_dead_find(lr, hop) != NULL;
}

void td_locator_answered(struct td_locator *lr, const struct td_hop *hop)
{
	struct loc_dead *d = lr->dead_n ? find(lr, hop) : NULL;

	if (d)
		forget(lr, d);
}

int td_locator_open(struct td_locator **out, struct td_tp *tp, struct td_dns *dns, struct td_log *log)
{
	struct td_locator *lr = calloc(1, sizeof(*lr));

	if (!lr)
		return -ENOMEM;
	lr->tp = tp;
	lr->dns = dns;
	lr->log = log;
	lr->loop = tp->loop;
	td_list_init(&lr->dead_list);
	td_hash_key_init(&lr->key, td_loop_rng(lr->loop));
	if (td_map_init(&lr->dead, 16)) {
		free(lr);
		return -ENOMEM;
	}
	*out = lr;
	return 0;
}

void td_locator_close(struct td_locator *lr)
{
	if (!lr)
		return;
	while (!td_list_empty(&lr->dead_list))
		forget(lr, TD_CONTAINER_OF(lr->dead_list.next, struct loc_dead, link));
	td_map_free(&lr->dead);
	free(lr);
}
