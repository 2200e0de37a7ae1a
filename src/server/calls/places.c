/*
 * How many calls a user has. The calls of one user are spread over the workers by their Call-IDs, so each user is counted by one
 * worker, which its address picks. A ticket takes the two places a call needs: it travels to the worker that counts the caller,
 * on to the one that counts the callee, and home with the verdict; where two of them are the same worker, it does not travel. It
 * stays with the call and gives the places back on the same way. So there is one letter with one holder at any time, and nothing
 * to lock; and a call that ends while its ticket is under way only says that nobody waits for it any more.
 */
#include "server/calls/internal.h"

#include <stdlib.h>

enum { CALLER, CALLEE, SIDES };
/* Somebody with calls, on the worker that counts them. */
struct user {
	struct td_map_node node;
	uint32_t calls;
	uint16_t aor_n;
	char aor[];
};

struct ticket {
	struct td_mail mail;
	struct shard *home;
	/* Touched at home alone: */
	struct td_call *call; /* NULL: nobody waits, and nothing is to be kept */
	bool away;            /* under way to a verdict */
	td_call_admit_fn *fn;
	void *arg;
	/* Touched by whoever has the letter: */
	struct shard *at;
	enum td_call_verdict verdict;
	bool giving;              /* places back; else it takes them */
	unsigned side;            /* whose place is next */
	struct user *user[SIDES]; /* whose places it has */
	uint64_t hash[SIDES];
	uint16_t aor_n[SIDES]; /* 0: is not counted */
	char aors[];
};

static struct td_str aor_of(const struct ticket *t, unsigned side)
{
	return td_str_n(t->aors + (side == CALLEE ? t->aor_n[CALLER] : 0), t->aor_n[side]);
}

/* ---- counting, on the worker that does ---- */

static bool is_user(const struct td_map_node *node, const void *key)
{
	const struct user *u = TD_CONTAINER_OF(node, struct user, node);

	return td_str_eq(td_str_n(u->aor, u->aor_n), *(const struct td_str *)key);
}

static struct user *user_new(struct shard *sh, struct td_str aor, uint64_t hash)
{
	struct user *u = malloc(sizeof(*u) + aor.n);

	if (!u)
		return NULL;
	*u = (struct user){ .aor_n = (uint16_t)aor.n };
	memcpy(u->aor, aor.p, aor.n);
	td_map_add(&sh->users, &u->node, hash);
	return u;
}

/* False: this user has as many calls as may be. */
static bool take(struct ticket *t, struct shard *here, unsigned side)
{
	uint32_t most = here->core ? here->core->cfg->calls.per_user : 0;
	struct td_str aor = aor_of(t, side);
	struct td_map_node *n = td_map_find(&here->users, t->hash[side], is_user, &aor);
	struct user *u = n ? TD_CONTAINER_OF(n, struct user, node) : NULL;

	if (u && most && u->calls >= most)
		return false;
	if (!u)
		u = user_new(here, aor, t->hash[side]);
	if (u)
		u->calls++;
	t->user[side] = u;
	return true;
}

static void give(struct ticket *t, struct shard *here, unsigned side)
{
	struct user *u = t->user[side];

	t->user[side] = NULL;
	if (!u || --u->calls)
		return;
	td_map_del(&here->users, &u->node);
	free(u);
}

/* ---- the ticket's way ---- */

static void arrived(struct td_mail *m, void *arg);

static void post(struct ticket *t, struct shard *to)
{
	t->at = to;
	t->mail = (struct td_mail){ .fn = arrived, .arg = t };
	td_loop_post(to->loop, &t->mail);
}

/* As far as it goes from here. True: all is done, and it stands at home; false: it is on its way to another worker. */
static bool carry_on(struct ticket *t, struct shard *here)
{
	struct td_calls *all = t->home->all;

	while (t->side < SIDES) {
		struct shard *there = &all->shards[(t->hash[t->side] >> 32) % all->workers]; /* the map uses the low bits */

		if (t->giving ? !t->user[t->side] : !t->aor_n[t->side]) {
			t->side++;
		} else if (there != here) {
			post(t, there);
			return false;
		} else if (t->giving) {
			give(t, here, t->side++);
		} else if (take(t, here, t->side)) {
			t->side++;
		} else {
			t->verdict = t->side == CALLER ? TD_CALL_CALLER_FULL : TD_CALL_CALLEE_FULL;
			t->giving = true; /* what it has already */
			t->side = 0;
		}
	}
	if (here == t->home)
		return true;
	post(t, t->home);
	return false;
}

static void give_back(struct ticket *t)
{
	t->giving = true;
	t->side = 0;
	if (carry_on(t, t->home))
		free(t);
}

/* At home, and its call is there. With the places it stays with the call; without it is of no more use. */
static enum td_call_verdict settle(struct ticket *t)
{
	enum td_call_verdict v = t->verdict;
	struct shard *home = t->home;

	t->away = false;
	if (v == TD_CALL_GO)
		return v;
	if (v == TD_CALL_CALLER_FULL)
		home->stats.caller_full++;
	else
		home->stats.callee_full++;
	t->call->ticket = NULL;
	free(t);
	return v;
}

static void arrived(struct td_mail *m, void *arg)
{
	struct ticket *t = arg;
	td_call_admit_fn *fn;
	void *fn_arg;

	if (!carry_on(t, t->at))
		return;
	if (t->call) {
		fn = t->fn;
		fn_arg = t->arg;
		fn(fn_arg, settle(t));
	} else if (t->giving) {
		free(t);
	} else {
		give_back(t);
	}
}

/* ---- for calls ---- */

static struct ticket *ticket_new(struct td_call *c, td_call_admit_fn *fn, void *arg)
{
	struct td_call_view v;
	struct ticket *t;
	size_t caller_n;

	td_call_look(&v, c);
	caller_n = c->caller_is_ours ? v.caller.n : 0;
	t = malloc(sizeof(*t) + caller_n + v.callee.n);
	if (!t)
		return NULL;
	*t = (struct ticket){
		.home = c->shard,
		.call = c,
		.away = true,
		.fn = fn,
		.arg = arg,
		.aor_n = { (uint16_t)caller_n, (uint16_t)v.callee.n },
	};
	if (caller_n)
		memcpy(t->aors, v.caller.p, caller_n);
	if (v.callee.n)
		memcpy(t->aors + caller_n, v.callee.p, v.callee.n);
	for (unsigned side = 0; side < SIDES; side++)
		if (t->aor_n[side])
			t->hash[side] = td_hash_str(&c->shard->all->key, aor_of(t, side));
	return t;
}

enum td_call_verdict td_call_admit(struct td_call *c, td_call_admit_fn *fn, void *arg)
{
	struct ticket *t;

	if (!c->shard->core->cfg->calls.per_user)
		return TD_CALL_GO;
	t = ticket_new(c, fn, arg);
	if (!t)
		return TD_CALL_GO;
	c->ticket = t;
	return carry_on(t, t->home) ? settle(t) : TD_CALL_WAIT;
}

void call_leave(struct td_call *c)
{
	struct ticket *t = c->ticket;

	if (!t)
		return;
	c->ticket = NULL;
	t->call = NULL;
	if (!t->away)
		give_back(t);
}

/* ---- open, close ---- */

int users_open(struct shard *sh)
{
	return td_map_init(&sh->users, 64);
}

static bool drop_user(struct td_map_node *n, void *arg)
{
	td_map_del(arg, n);
	free(TD_CONTAINER_OF(n, struct user, node));
	return true;
}

void users_close(struct shard *sh)
{
	td_map_each(&sh->users, drop_user, &sh->users);
	td_map_free(&sh->users);
}
