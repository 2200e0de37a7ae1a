/* The location service among `size` addresses: a lookup, and the update a refresh makes. One worker, its own shard. */
#include "ours.h"

#include <stdio.h>
#include <stdlib.h>
#include <tandem/loop.h>
#include "server/location/location.h"

struct place {
	struct td_loop *loop;
	struct td_rng rng;
	struct td_location *loc;
	uint32_t size, cseq;
	uint64_t asked, answered;
};

static void on_answer(void *arg, int err, const struct td_binding *b, unsigned n)
{
	struct place *p = arg;

	if (err || n != 1)
		die("an address is not where it was put");
	if (++p->answered == p->asked)
		td_loop_stop(p->loop);
}

/* Answers may come inside the call or from the loop. */
static void settle(struct place *p)
{
	while (p->answered < p->asked)
		td_loop_run(p->loop);
}

static struct td_str aor_of(char *text, size_t room, uint32_t i)
{
	return td_str_n(text, (size_t)snprintf(text, room, "u%08u@bench.test", i));
}

static void update(struct place *p, uint32_t i)
{
	char aor[40], contact[60], call_id[40];
	struct td_loc_change change = { .q = 1000, .expires_s = 3600 };
	struct td_loc_update up = { .kind = TD_LOC_UPDATE,
				    .user_agent = TD_STR("Phone 4.2.1"),
				    .cseq = p->cseq,
				    .changes = &change,
				    .change_n = 1,
				    .max_contacts = 10 };
	struct td_loc_call *call;

	up.aor = aor_of(aor, sizeof(aor), i);
	up.call_id = td_str_n(call_id, (size_t)snprintf(call_id, sizeof(call_id), "reg-%08u-127.0.0.1", i));
	change.contact = td_str_n(contact, (size_t)snprintf(contact, sizeof(contact), "sip:u%08u@127.0.0.1:7000", i));
	p->asked++;
	if (td_location_update(&call, p->loc, 0, &up, on_answer, p))
		die("the update was refused");
}

static void *open_place(uint32_t size)
{
	struct td_location_options opt = { .workers = 1 };
	struct place *p = need(calloc(1, sizeof(*p)));

	p->size = size;
	p->cseq = 1;
	td_rng_init_seed(&p->rng, 1);
	if (td_loop_open(&p->loop) || td_location_open(&p->loc, &p->rng, &opt) || td_location_attach(p->loc, 0, p->loop))
		die("no location");
	for (uint32_t i = 0; i < size; i++) {
		update(p, i);
		if (i % 64 == 63)
			settle(p);
	}
	settle(p);
	return p;
}

static void close_place(void *state)
{
	struct place *p = state;

	td_location_detach(p->loc, 0);
	td_location_close(p->loc);
	td_loop_drain(p->loop);
	td_loop_close(p->loop);
	free(p);
}

static void timed_lookup(void *state, uint64_t n)
{
	struct place *p = state;
	struct td_loc_call *call;
	char aor[40];

	for (uint64_t i = 0; i < n; i++) {
		p->asked++;
		if (td_location_lookup(&call, p->loc, 0, aor_of(aor, sizeof(aor), (uint32_t)td_rng_below(&p->rng, p->size)),
				       on_answer, p))
			die("the lookup was refused");
		if (i % 64 == 63)
			settle(p);
	}
	settle(p);
}

static void next_cseq(void *state)
{
	struct place *p = state;

	p->cseq++;
}

static void timed_refresh(void *state, uint64_t n)
{
	struct place *p = state;

	for (uint64_t i = 0; i < n; i++) {
		/* a stride that shares no factor with the size: each address once before any comes again */
		update(p, (uint32_t)((i * 7919 + p->cseq * 64ull) % p->size));
		if (i % 64 == 63)
			settle(p);
	}
	settle(p);
}

const struct micro micro_location[] = {
	{ "location lookup", open_place, NULL, timed_lookup, close_place, 0 },
	{ "location refresh", open_place, next_cseq, timed_refresh, close_place, 10000 },
	{ NULL },
};
