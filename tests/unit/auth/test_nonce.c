#include "support.h"

#include <endian.h>
#include <pthread.h>
#include "auth/internal.h"

static const struct td_str realm = TD_STR_INIT("example.test");
enum { who = 7 };

/* Values of `openssl mac -macopt size:16 SIPHASH`, and size:8, key 00..0f, input 00 01 02 … */
static void siphash_vectors(void **state)
{
	static const struct {
		size_t n;
		const char *mac, *mac64;
	} rows[] = {
		{ 0, "a3817f04ba25a8e66df67214c7550293", "310e0edd47db6f72" },
		{ 1, "da87c1d86b99af44347659119b22fc45", "fd67dc93c539f874" },
		{ 7, "a1f1ebbed8dbc153c0b84aa61ff08239", "37d1018bf50002ab" },
		{ 8, "3b62a9ba6258f5610f83e264f31497b4", "6224939a79f5f593" },
		{ 15, "5493e99933b0a8117e08ec0f97cfc3d9", "e545be4961ca29a1" },
		{ 63, "5150d1772f50834a503e069a973fbd7c", "724506eb4c328a95" },
	};
	uint8_t key[16];
	char in[64];

	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (char)i;
	memcpy(key, in, sizeof(key));
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct td_str s = exact_copy(td_str_n(in, rows[i].n));
		uint8_t mac[16], want[16];

		assert_int_equal(td_hex_decode(want, 16, td_str_of(rows[i].mac)), 0);
		td_siphash128(mac, key, s.p, s.n);
		assert_memory_equal(mac, want, 16);
		uint64_t mac64 = htole64(td_siphash64(key, s.p, s.n));
		assert_int_equal(td_hex_decode(want, 8, td_str_of(rows[i].mac64)), 0);
		assert_memory_equal(&mac64, want, 8);
		exact_free(s);
	}
}

struct fix {
	struct td_rng rng;
	struct td_nonces *n;
};

static void open_with(struct fix *f, uint32_t lifetime_s, uint32_t windows)
{
	td_rng_init_seed(&f->rng, 1);
	assert_int_equal(td_nonces_open(&f->n, &f->rng, &(struct td_nonce_options){ lifetime_s, windows }), 0);
}

static struct td_nonce issue(struct fix *f, uint64_t now_ms)
{
	struct td_nonce nonce;
	struct td_out o;

	td_out_init(&o);
	td_nonce_make(&o, f->n, &f->rng, now_ms, realm, who);
	assert_int_equal(td_nonce_check(&nonce, f->n, now_ms, td_out_view(&o), realm, who), TD_NONCE_GOOD);
	assert_int_equal(nonce.issued_ms, now_ms);
	td_out_free(&o);
	return nonce;
}

static void lifetime_and_forgery(void **state)
{
	struct td_nonce nonce;
	struct td_out o;
	struct fix f;

	open_with(&f, 300, 64);
	td_out_init(&o);
	td_nonce_make(&o, f.n, &f.rng, 1000, realm, who);
	assert_int_equal(td_nonce_check(&nonce, f.n, 301000, td_out_view(&o), realm, who), TD_NONCE_GOOD);
	assert_int_equal(td_nonce_check(&nonce, f.n, 301001, td_out_view(&o), realm, who), TD_NONCE_OLD);
	assert_int_equal(td_nonce_check(&nonce, f.n, 1000, td_out_view(&o), TD_STR("other.test"), who), TD_NONCE_FOREIGN);
	assert_int_equal(td_nonce_check(&nonce, f.n, 1000, td_out_view(&o), realm, 8), TD_NONCE_FOREIGN);
	assert_int_equal(td_nonce_check(&nonce, f.n, 1000, td_out_view(&o), realm, 0), TD_NONCE_FOREIGN);
	for (size_t i = 0; i < o.n; i++) {
		struct td_str cut = exact_copy(td_str_n(o.p, i));
		char was = o.p[i];

		assert_int_equal(td_nonce_check(&nonce, f.n, 1000, cut, realm, who), TD_NONCE_FOREIGN);
		exact_free(cut);
		o.p[i] = was == 'A' ? 'B' : 'A';
		assert_int_equal(td_nonce_check(&nonce, f.n, 1000, td_out_view(&o), realm, who), TD_NONCE_FOREIGN);
		o.p[i] = was;
	}
	assert_int_equal(td_nonce_check(&nonce, f.n, 1000, td_out_view(&o), realm, who), TD_NONCE_GOOD);
	struct fix restarted = f;
	assert_int_equal(td_nonces_open(&restarted.n, &restarted.rng, NULL), 0);
	assert_int_equal(td_nonce_check(&nonce, restarted.n, 1000, td_out_view(&o), realm, who), TD_NONCE_FOREIGN);
	td_nonces_close(restarted.n);
	td_out_free(&o);
	td_nonces_close(f.n);
}

static void a1_each_count_once(void **state)
{
	static const struct {
		uint32_t nc;
		bool ok;
	} rows[] = {
		{ 0, false },     { 1, true },        { 1, false },          { 3, true },       { 2, true },      { 2, false },
		{ 3, false },     { 18, true },       { 3, false },          { 4, true },       { 2, false },     { 17, true },
		{ 18, false },    { 1000, true },     { 985, true },         { 984, false },    { 1000, false },  { 999, true },
		{ 0xffff, true }, { 0x10000, false }, { 0xffffffff, false }, { 0xffff, false }, { 0xfffe, true },
	};
	struct fix f;

	open_with(&f, 300, 64);
	struct td_nonce nonce = issue(&f, 5000);
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		if (td_nonce_use(f.n, &nonce, rows[i].nc, 6000) != rows[i].ok)
			fail_msg("row %zu: nc=%x", i, rows[i].nc);
	}
	td_nonces_close(f.n);
}

/* Many more nonces than windows, used in random order by a model that remembers everything: what was used stays used. */
static void a1_forgotten_is_stale(void **state)
{
	enum { NONCES = 3000, COUNTS = 8 };
	static struct td_nonce nonces[NONCES];
	static uint8_t used[NONCES];
	struct fix f;
	uint64_t now = 0, good = 0;

	open_with(&f, 300, 100);
	for (int i = 0; i < NONCES; i++)
		nonces[i] = issue(&f, now += td_rng_below(&f.rng, 200));
	for (int i = 0; i < 60000; i++) {
		size_t k = td_rng_below(&f.rng, NONCES);
		uint32_t nc = 1 + (uint32_t)td_rng_below(&f.rng, COUNTS);

		/* An overflowing table, and a worker whose clock is a little behind. */
		if (!td_nonce_use(f.n, &nonces[k], nc, now - td_rng_below(&f.rng, 3000)))
			continue;
		assert_false(used[k] & 1u << (nc - 1));
		used[k] |= (uint8_t)(1u << (nc - 1));
		good++;
		now += td_rng_below(&f.rng, 3);
	}
	assert_true(good > 100);
	struct td_nonce early = issue(&f, now + 3600000); /* no clock of ours is that wrong */
	assert_false(td_nonce_use(f.n, &early, 1, now));
	td_nonces_close(f.n);
}

/* With room for them, fresh nonces are never called stale, for many lifetimes on end (units wrap). */
static void fresh_ones_work(void **state)
{
	struct fix f;
	uint64_t now = 0;

	open_with(&f, 10, 4096);
	for (int i = 0; i < 50000; i++) {
		struct td_nonce nonce = issue(&f, now);
		assert_true(td_nonce_use(f.n, &nonce, 1, now + 3));
		assert_true(td_nonce_use(f.n, &nonce, 2, now + 9));
		assert_false(td_nonce_use(f.n, &nonce, 1, now + 9));
		now += 10;
	}
	td_nonces_close(f.n);
}

/* A site's phones all come back after a power cut: a hundred thousand nonces a second, each answered a second later. */
static void fresh_ones_work_in_a_storm(void **state)
{
	enum { PER_MS = 100, MS = 1500, ROUND_TRIP_MS = 1000 };
	static struct td_nonce nonces[ROUND_TRIP_MS * PER_MS];
	struct fix f;

	open_with(&f, 300, 0);
	for (uint64_t now = 5000; now < 5000 + MS; now++) {
		for (size_t i = 0; i < PER_MS; i++) {
			struct td_nonce *nonce = &nonces[now % ROUND_TRIP_MS * PER_MS + i];

			if (now >= 5000 + ROUND_TRIP_MS)
				assert_true(td_nonce_use(f.n, nonce, 1, now));
			*nonce = issue(&f, now);
		}
	}
	td_nonces_close(f.n);
}

enum { THREADS = 4, RACE_NONCES = 400, RACE_COUNTS = 20 };

struct racer {
	struct td_nonces *n;
	const struct td_nonce *nonces;
	uint8_t won[RACE_NONCES][RACE_COUNTS + 1];
	pthread_barrier_t *start;
};

static void *race(void *arg)
{
	struct racer *r = arg;

	pthread_barrier_wait(r->start);
	for (int i = 0; i < RACE_NONCES; i++) {
		for (uint32_t nc = 1; nc <= RACE_COUNTS; nc++)
			r->won[i][nc] = td_nonce_use(r->n, &r->nonces[i], nc, 41000);
	}
	return NULL;
}

/* Every thread tries every count; with few windows they also push each other's out. At most one may win each. */
static void race_with(uint32_t windows)
{
	static struct td_nonce nonces[RACE_NONCES];
	static struct racer racers[THREADS];
	pthread_barrier_t start;
	pthread_t t[THREADS];
	struct fix f;

	open_with(&f, 300, windows);
	for (int i = 0; i < RACE_NONCES; i++)
		nonces[i] = issue(&f, 1000 + (uint64_t)i * 100);
	assert_int_equal(pthread_barrier_init(&start, NULL, THREADS), 0);
	for (int k = 0; k < THREADS; k++) {
		racers[k] = (struct racer){ .n = f.n, .nonces = nonces, .start = &start };
		assert_int_equal(pthread_create(&t[k], NULL, race, &racers[k]), 0);
	}
	for (int k = 0; k < THREADS; k++)
		pthread_join(t[k], NULL);
	pthread_barrier_destroy(&start);
	for (int i = 0; i < RACE_NONCES; i++) {
		for (int nc = 1; nc <= RACE_COUNTS; nc++) {
			int winners = 0;
			for (int k = 0; k < THREADS; k++)
				winners += racers[k].won[i][nc];
			assert_in_range(winners, 0, 1);
		}
	}
	td_nonces_close(f.n);
}

static void a1_threads_win_once(void **state)
{
	race_with(4096);
	for (int i = 0; i < 10; i++)
		race_with(14);
}

/* A realm of any length is part of what is sealed, to its last byte. */
static void realms_of_any_length(void **state)
{
	static const size_t lengths[] = { 0, 1, 5, 244, 254, 255, 256, 1000 };
	struct td_nonce nonce;
	char text[1001];
	struct fix f;

	open_with(&f, 300, 64);
	for (size_t i = 0; i < TD_ARRAY_LEN(lengths); i++) {
		struct td_str other, name;
		struct td_out o;

		memset(text, 'r', sizeof(text));
		name = exact_copy(td_str_n(text, lengths[i]));
		text[lengths[i] ? lengths[i] - 1 : 0] = 's';
		other = exact_copy(td_str_n(text, lengths[i] ? lengths[i] : 1));
		td_out_init(&o);
		td_nonce_make(&o, f.n, &f.rng, 1000, name, who);
		assert_int_equal(td_nonce_check(&nonce, f.n, 1000, td_out_view(&o), name, who), TD_NONCE_GOOD);
		assert_int_equal(td_nonce_check(&nonce, f.n, 1000, td_out_view(&o), other, who), TD_NONCE_FOREIGN);
		td_out_free(&o);
		exact_free(name);
		exact_free(other);
	}
	td_nonces_close(f.n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(siphash_vectors),     cmocka_unit_test(lifetime_and_forgery),
		cmocka_unit_test(a1_each_count_once),  cmocka_unit_test(a1_forgotten_is_stale),
		cmocka_unit_test(fresh_ones_work),     cmocka_unit_test(fresh_ones_work_in_a_storm),
		cmocka_unit_test(a1_threads_win_once), cmocka_unit_test(realms_of_any_length),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
