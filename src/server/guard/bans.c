/*
 * Who is banned, for all workers. One loop owns the table and alone writes it; what the workers find comes to it by mail, and a ban
 * that it makes is seen by all of them at once, because they read hashes and times of its entries without a lock. While nobody is
 * banned a message costs them one load: the time when the last ban ends.
 *
 * What a source did is kept as a time: when all of it will be forgotten. A wrong password moves that on by GUESS_MS; who is ahead of
 * now by as many steps as he may have tries is banned, for twice as long each time. So the phone with an old password that asks every
 * minute never gets there, nor does the office behind it, and a program that tries a list does within its first seconds.
 *
 * The table has a fixed size. When it is full, what would be forgotten first makes room.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>

enum {
	WAYS = 8,
	SETS = TD_BANS_MAX / WAYS,
	GUESS_MS = 6000,
	LONGEST_S = 86400,  /* of one ban; and so long its end is remembered, to make the next one longer */
	LETTERS_MAX = 4096, /* on their way to the owner */
	CALL_ID_MAX = 256,  /* of what it was found by */
};

struct entry {
	_Atomic uint64_t hash;     /* 0: free */
	_Atomic uint64_t until_ms; /* banned until then; 0: not */
	/* of the owner alone */
	uint64_t calm_ms; /* nothing is held against it from then on */
	struct td_addr addr;
	uint32_t offences; /* since it was calm */
	uint32_t times;    /* banned so far */
	uint32_t for_s;    /* how long this time */
	enum td_offence why;
};

enum { TABLE_BYTES = SETS * WAYS * sizeof(struct entry) };

struct td_bans {
	struct td_hash_key key;
	struct entry *table;          /* SETS × WAYS */
	_Atomic uint64_t last_end_ms; /* of all bans */
	_Atomic uint64_t made, lost;  /* bans; accusations that there was no room for */
	_Atomic unsigned letters;
	struct td_loop *owner;
	td_banned_fn *fn;
	void *arg;
};

int td_bans_open(struct td_bans **out, struct td_rng *rng)
{
	struct td_bans *b = calloc(1, sizeof(*b));

	if (!b)
		return -ENOMEM;
	b->table = td_table_new(TABLE_BYTES, false);
	if (!b->table) {
		free(b);
		return -ENOMEM;
	}
	td_hash_key_init(&b->key, rng);
	*out = b;
	return 0;
}

void td_bans_attach(struct td_bans *b, struct td_loop *owner, td_banned_fn *fn, void *arg)
{
	b->owner = owner;
	b->fn = fn;
	b->arg = arg;
}

void td_bans_close(struct td_bans *b)
{
	if (!b)
		return;
	td_table_free(b->table, TABLE_BYTES);
	free(b);
}

const struct td_hash_key *bans_key(const struct td_bans *b)
{
	return b ? &b->key : NULL;
}

/* ---- any thread ---- */

static struct entry *set_of(const struct td_bans *b, uint64_t hash)
{
	return &b->table[hash % SETS * WAYS];
}

bool bans_hold(const struct td_bans *b, uint64_t hash, uint64_t now_ms)
{
	const struct entry *set;

	if (!b || atomic_load_explicit(&b->last_end_ms, memory_order_relaxed) <= now_ms)
		return false;
	set = set_of(b, hash);
	for (unsigned i = 0; i < WAYS; i++)
		if (atomic_load_explicit(&set[i].hash, memory_order_acquire) == hash)
			return atomic_load_explicit(&set[i].until_ms, memory_order_relaxed) > now_ms;
	return false;
}

struct letter {
	struct td_mail mail;
	struct td_bans *bans;
	struct td_addr addr;
	enum td_offence what;
	uint32_t tries, ban_s;
	size_t call_id_n;
	char call_id[];
};

static void judge(struct td_mail *m, void *arg);

void td_bans_accuse(struct td_bans *b, const struct td_config *cfg, enum td_offence what, const struct td_addr *source,
		    struct td_str call_id)
{
	struct letter *l = NULL;
	size_t n = call_id.n < CALL_ID_MAX ? call_id.n : CALL_ID_MAX;

	if (!b || !b->owner || !cfg->guard.tries || td_config_allows(cfg, source))
		return;
	if (atomic_load_explicit(&b->letters, memory_order_relaxed) < LETTERS_MAX)
		l = malloc(sizeof(*l) + n);
	if (!l) {
		atomic_fetch_add_explicit(&b->lost, 1, memory_order_relaxed);
		return;
	}
	*l = (struct letter){
		.mail = { .fn = judge, .arg = l },
		.bans = b,
		.addr = *source,
		.what = what,
		.tries = cfg->guard.tries,
		.ban_s = cfg->guard.ban_s,
		.call_id_n = n,
	};
	if (n)
		memcpy(l->call_id, call_id.p, n);
	atomic_fetch_add_explicit(&b->letters, 1, memory_order_relaxed);
	td_loop_post(b->owner, &l->mail);
}

void td_bans_stats(struct td_bans_stats *out, const struct td_bans *b)
{
	out->made = atomic_load_explicit(&b->made, memory_order_relaxed);
	out->lost = atomic_load_explicit(&b->lost, memory_order_relaxed);
}

/* ---- the owner ---- */

static uint64_t until(const struct entry *e)
{
	return atomic_load_explicit(&e->until_ms, memory_order_relaxed);
}

static void end_at(struct entry *e, uint64_t ms)
{
	atomic_store_explicit(&e->until_ms, ms, memory_order_relaxed);
}

/* How long it is of use. */
static uint64_t worth(const struct entry *e)
{
	return until(e) > e->calm_ms ? until(e) : e->calm_ms;
}

static struct entry *entry_of(struct td_bans *b, const struct td_addr *addr)
{
	uint64_t hash = guard_source_hash(&b->key, addr);
	struct entry *set = set_of(b, hash), *least = set;

	for (unsigned i = 0; i < WAYS; i++) {
		uint64_t h = atomic_load_explicit(&set[i].hash, memory_order_relaxed);

		if (h == hash)
			return &set[i];
		if (worth(&set[i]) < worth(least))
			least = &set[i];
	}
	end_at(least, 0);
	least->calm_ms = 0;
	least->times = least->offences = 0;
	least->addr = *addr;
	atomic_store_explicit(&least->hash, hash, memory_order_release);
	return least;
}

static void describe(struct td_ban *out, const struct entry *e, uint64_t now_ms)
{
	*out = (struct td_ban){
		.source = e->addr,
		.why = e->why,
		.offences = e->offences,
		.times = e->times,
		.for_s = e->for_s,
		.left_s = (uint32_t)((until(e) - now_ms + 999) / 1000),
	};
}

static void ban(struct td_bans *b, struct entry *e, const struct letter *l, uint64_t now_ms)
{
	uint64_t end;
	struct td_ban view;

	e->why = l->what;
	e->for_s = l->ban_s;
	for (uint32_t i = 0; i < e->times && e->for_s < LONGEST_S; i++)
		e->for_s *= 2;
	if (e->for_s > LONGEST_S)
		e->for_s = l->ban_s > LONGEST_S ? l->ban_s : LONGEST_S;
	e->times++;
	end = now_ms + (uint64_t)e->for_s * 1000;
	e->calm_ms = 0;
	end_at(e, end);
	if (end > atomic_load_explicit(&b->last_end_ms, memory_order_relaxed))
		atomic_store_explicit(&b->last_end_ms, end, memory_order_relaxed);
	atomic_fetch_add_explicit(&b->made, 1, memory_order_relaxed);
	describe(&view, e, now_ms);
	if (b->fn)
		b->fn(b->arg, &view, td_str_n(l->call_id, l->call_id_n));
}

static void judge(struct td_mail *m, void *arg)
{
	struct letter *l = arg;
	struct td_bans *b = l->bans;
	uint64_t now_ms = td_loop_now_ms(b->owner), limit = (uint64_t)l->tries * GUESS_MS;
	struct entry *e = entry_of(b, &l->addr);

	atomic_fetch_sub_explicit(&b->letters, 1, memory_order_relaxed);
	if (until(e) <= now_ms) { /* what was on its way when it was banned counts no more */
		if (until(e) + LONGEST_S * 1000ull < now_ms)
			e->times = 0;
		if (e->calm_ms <= now_ms) {
			e->calm_ms = now_ms;
			e->offences = 0;
		}
		e->offences++;
		e->calm_ms += l->what == TD_OFFENCE_GUESS ? GUESS_MS : limit;
		if (e->calm_ms - now_ms + GUESS_MS > limit)
			ban(b, e, l, now_ms);
	}
	free(l);
}

/* ---- questions ---- */

struct question {
	struct td_mail mail;
	struct td_bans *bans;
	struct td_loop *loop;
	td_bans_fn *fn;
	void *arg;
	struct td_addr remove; /* TD_AF_NONE: none */
	struct td_ban *list;
	size_t n;
	bool failed;
};

static void told(struct td_mail *m, void *arg)
{
	struct question *q = arg;

	q->fn(q->arg, q->list, q->n, q->failed ? -ENOMEM : 0);
	free(q->list);
	free(q);
}

static void put(struct question *q, const struct entry *e, uint64_t now_ms)
{
	struct td_ban *grown = q->n & (q->n - 1) ? q->list : realloc(q->list, (q->n ? 2 * q->n : 1) * sizeof(*grown));

	if (!grown) {
		q->failed = true;
		return;
	}
	q->list = grown;
	describe(&q->list[q->n++], e, now_ms);
}

static void asked(struct td_mail *m, void *arg)
{
	struct question *q = arg;
	struct td_bans *b = q->bans;
	uint64_t now_ms = td_loop_now_ms(b->owner);
	bool remove = q->remove.family != TD_AF_NONE;
	uint64_t which = remove ? guard_source_hash(&b->key, &q->remove) : 0;

	for (size_t i = 0; i < (size_t)SETS * WAYS && !q->failed && atomic_load(&b->last_end_ms) > now_ms; i++) {
		struct entry *e = &b->table[i];
		uint64_t hash = atomic_load_explicit(&e->hash, memory_order_relaxed);

		if (!hash || until(e) <= now_ms || (remove && hash != which))
			continue;
		put(q, e, now_ms);
		if (!remove)
			continue;
		end_at(e, 0);
		e->times = 0;
	}
	q->mail.fn = told;
	td_loop_post(q->loop, &q->mail);
}

int td_bans_ask(struct td_bans *b, const struct td_addr *remove, struct td_loop *loop, td_bans_fn *fn, void *arg)
{
	struct question *q = calloc(1, sizeof(*q));

	if (!q)
		return -ENOMEM;
	*q = (struct question){ .mail = { .fn = asked, .arg = q }, .bans = b, .loop = loop, .fn = fn, .arg = arg };
	if (remove)
		q->remove = *remove;
	td_loop_post(b->owner, &q->mail);
	return 0;
}

struct td_str td_offence_name(enum td_offence o)
{
	static const struct td_str names[TD_OFFENCES] = {
		[TD_OFFENCE_GUESS] = TD_STR_INIT("passwords"),
		[TD_OFFENCE_PROBE] = TD_STR_INIT("probing"),
		[TD_OFFENCE_JUNK] = TD_STR_INIT("junk"),
	};

	return (unsigned)o < TD_OFFENCES ? names[o] : TD_STR("?");
}
