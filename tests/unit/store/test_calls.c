/* Records of calls: what is put comes back, newest first; and a database from before there were any. */
#include "support.h"
#include "store_rows.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>
#include "server/store/internal.h"

struct fix {
	char dir[64], file[80];
	struct td_store *s;
	struct td_out why;
};

static void open_store(struct fix *f, bool threaded)
{
	if (td_store_open(&f->s, &(struct td_store_options){ .path = td_str_of(f->file), .threaded = threaded }, &f->why))
		fail_msg("%.*s", TD_FMT(td_out_view(&f->why)));
}

static int set_up(void **state)
{
	struct fix *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	snprintf(f->dir, sizeof(f->dir), "/tmp/tandem-store-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->file, sizeof(f->file), "%s/tandem.db", f->dir);
	td_out_init(&f->why);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	static const char *const names[] = { "", "-wal", "-shm" };
	struct fix *f = *state;
	char path[100];

	td_store_close(f->s);
	for (size_t i = 0; i < TD_ARRAY_LEN(names); i++) {
		snprintf(path, sizeof(path), "%s%s", f->file, names[i]);
		unlink(path);
	}
	rmdir(f->dir);
	td_out_free(&f->why);
	free(f);
	return 0;
}

static struct td_store_call call(uint64_t id)
{
	return (struct td_store_call){
		.id = id,
		.start_ms = 1000 + id,
		.ring_ms = id % 2 ? 2000 + id : 0,
		.answer_ms = id % 3 ? 3000 + id : 0,
		.end_ms = 4000 + id,
		.status = id % 3 ? 200 : 486,
		.ended_by = TD_STR("callee"),
		.caller = TD_STR("al'ice@d"),
		.callee = TD_STR("b\"\xff\0b@d"),
		.call_id = id % 5 ? TD_STR("c1@host") : TD_STR_NULL,
	};
}

static void put_and_forget(struct fix *f, uint64_t first, uint64_t last, uint64_t before_ms)
{
	struct td_store_write *w = td_store_write_new(f->s, NULL, NULL, NULL);

	assert_non_null(w);
	for (uint64_t id = first; id <= last; id++) {
		struct td_store_call c = call(id);

		assert_int_equal(td_store_put_call(w, &c), 0);
	}
	assert_int_equal(td_store_write_changes(w), last - first + 1);
	td_store_forget_calls(w, before_ms);
	td_store_submit(w);
}

static void put(struct fix *f, uint64_t first, uint64_t last)
{
	put_and_forget(f, first, last, 0);
}

struct expected {
	uint64_t id, n;
};

static int check_one(void *arg, const struct td_store_call *c)
{
	struct expected *e = arg;
	struct td_store_call want = call(e->id);

	assert_int_equal(c->id, want.id);
	assert_int_equal(c->start_ms, want.start_ms);
	assert_int_equal(c->ring_ms, want.ring_ms);
	assert_int_equal(c->answer_ms, want.answer_ms);
	assert_int_equal(c->end_ms, want.end_ms);
	assert_int_equal(c->status, want.status);
	assert_true(td_str_eq(c->ended_by, want.ended_by));
	assert_true(td_str_eq(c->caller, want.caller));
	assert_true(td_str_eq(c->callee, want.callee));
	assert_true(td_str_eq(c->call_id, want.call_id));
	e->id--;
	e->n++;
	return 0;
}

static void newest_first(void **state)
{
	static const struct {
		uint64_t most, got;
	} rows[] = { { 0, 1234 }, { 1, 1 }, { 499, 499 }, { 500, 500 }, { 501, 501 }, { 1234, 1234 }, { 2000, 1234 } };
	struct fix *f = *state;

	open_store(f, false);
	put(f, 1, 1000);
	put(f, 1001, 1234);
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct expected e = { .id = 1234 };

		assert_int_equal(td_store_each_call(f->s, rows[i].most, check_one, &e), 0);
		assert_int_equal(e.n, rows[i].got);
	}
}

/* What calls.keep made old goes, the oldest first, and never more at a time than twice what comes. */
static void old_ones_go_as_new_ones_come(void **state)
{
	static const struct {
		uint64_t first, last, before_ms, left;
	} rows[] = {
		{ 1, 1000, 4001, 1000 },   /* nothing has ended before the first */
		{ 1001, 1010, 4501, 990 }, /* 1 to 500 are old: 20 of them go */
		{ 1011, 2010, 4501, 1510 },
		{ 2011, 2011, 9999, 1509 },
	};
	struct fix *f = *state;

	open_store(f, false);
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct expected e = { .id = rows[i].last };

		put_and_forget(f, rows[i].first, rows[i].last, rows[i].before_ms);
		assert_int_equal(td_store_each_call(f->s, 0, check_one, &e), 0);
		assert_int_equal(e.n, rows[i].left);
	}
}

static int stop_at_three(void *arg, const struct td_store_call *c)
{
	return ++*(int *)arg == 3 ? 77 : 0;
}

static void reading_stops_when_told(void **state)
{
	struct fix *f = *state;
	int n = 0;

	open_store(f, false);
	assert_int_equal(td_store_each_call(f->s, 0, stop_at_three, &n), 0);
	put(f, 1, 10);
	assert_int_equal(td_store_each_call(f->s, 0, stop_at_three, &n), 77);
}

/* The writer thread takes them together with registrations. */
static void beside_registrations(void **state)
{
	struct td_store_binding b = { .contact = TD_STR("sip:a@h"), .expires_at_s = 9 };
	struct expected e = { .id = 20 };
	struct fix *f = *state;

	open_store(f, true);
	for (uint64_t id = 1; id <= 20; id++) {
		struct td_store_write *w = td_store_write_new(f->s, NULL, NULL, NULL);

		assert_int_equal(td_store_put_address(w, 1, TD_STR("a@d"), &b, 1), 0);
		td_store_submit(w);
		put(f, id, id);
	}
	td_store_settle(f->s);
	assert_int_equal(td_store_each_call(f->s, 0, check_one, &e), 0);
	assert_int_equal(e.n, 20);
}

/* What the first version of tandem wrote, with a registration and a user in it. */
static const char first_schema[] =
	"CREATE TABLE bindings("
	"  aor TEXT NOT NULL, contact TEXT NOT NULL, params TEXT NOT NULL, call_id TEXT NOT NULL, user_agent TEXT NOT NULL,"
	"  cseq INTEGER NOT NULL, q INTEGER NOT NULL, expires_at INTEGER NOT NULL, flow BLOB,"
	"  PRIMARY KEY(aor, contact)) WITHOUT ROWID;"
	"CREATE TABLE users("
	"  aor TEXT PRIMARY KEY NOT NULL, domain TEXT NOT NULL, extension TEXT NOT NULL, ha1_sha256 BLOB, ha1_md5 BLOB) WITHOUT "
	"ROWID;"
	"CREATE UNIQUE INDEX users_extension ON users(domain, extension) WHERE extension <> '';"
	"INSERT INTO bindings VALUES('a@d', 'sip:a@h', '', 'c', 'ua', 1, 1000, 5000, NULL);"
	"INSERT INTO users VALUES('a@d', 'd', '12', NULL, x'00112233445566778899aabbccddeeff');"
	"PRAGMA application_id = 1952542308; PRAGMA user_version = 1";

static void count_binding(void *arg, struct td_str aor, const struct td_store_binding *b)
{
	assert_str(aor, "a@d");
	assert_str(b->contact, "sip:a@h");
	++*(int *)arg;
}

static int count_user(void *arg, const struct td_store_user *u)
{
	assert_str(u->extension, "12");
	assert_true(u->has[TD_DIGEST_MD5]);
	++*(int *)arg;
	return 0;
}

static void a_database_of_before(void **state)
{
	struct expected e = { .id = 3 };
	struct fix *f = *state;
	int bindings = 0, users = 0;
	sqlite3 *db;

	assert_int_equal(sqlite3_open(f->file, &db), 0);
	assert_int_equal(sqlite3_exec(db, first_schema, NULL, NULL, NULL), 0);
	sqlite3_close(db);
	for (int i = 0; i < 2; i++) { /* taken to the present schema, and opened once more */
		open_store(f, false);
		each_row(f->s, 100, count_binding, &bindings);
		assert_int_equal(td_store_each_user(f->s, count_user, &users), 0);
		assert_int_equal(bindings, i + 1);
		assert_int_equal(users, i + 1);
		if (!i) {
			put(f, 1, 3);
			td_store_close(f->s);
			f->s = NULL;
		}
	}
	assert_int_equal(td_store_each_call(f->s, 0, check_one, &e), 0);
	assert_int_equal(e.n, 3);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(newest_first),         TEST(old_ones_go_as_new_ones_come), TEST(reading_stops_when_told),
		TEST(beside_registrations), TEST(a_database_of_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
