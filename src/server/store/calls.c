/*
 * Records of calls: rows that are only ever added, so that each goes behind the last one and costs little. They are read newest
 * first, a page at a time, while others are written.
 */
#include "server/store/internal.h"

enum { CALLS_PER_PAGE = 500 };
enum { ENDED_BY, CALLER, CALLEE, CALL_ID, STRINGS };

/* As it waits for the writer; then its strings. */
struct record {
	uint64_t id, start_ms, ring_ms, answer_ms, end_ms;
	uint32_t status;
	uint32_t len[STRINGS];
};

int td_store_put_call(struct td_store_write *w, const struct td_store_call *c)
{
	const struct td_str strings[STRINGS] = { c->ended_by, c->caller, c->callee, c->call_id };
	struct record r = { c->id, c->start_ms, c->ring_ms, c->answer_ms, c->end_ms, c->status, { 0 } };
	size_t need = sizeof(r);
	char *p;

	for (int i = 0; i < STRINGS; i++) {
		r.len[i] = (uint32_t)strings[i].n;
		need += strings[i].n;
	}
	p = td_store_write_room(w, need);
	if (!p)
		return -ENOMEM;
	memcpy(p, &r, sizeof(r));
	p += sizeof(r);
	for (int i = 0; i < STRINGS; i++) {
		if (strings[i].n)
			memcpy(p, strings[i].p, strings[i].n);
		p += strings[i].n;
	}
	w->calls = true;
	w->changes++;
	return 0;
}

void td_store_forget_calls(struct td_store_write *w, uint64_t ended_before_ms)
{
	w->forget_ms = ended_before_ms;
}

static void bind_time(sqlite3_stmt *st, int at, uint64_t ms)
{
	if (ms)
		sqlite3_bind_int64(st, at, (sqlite3_int64)ms);
	else
		sqlite3_bind_null(st, at);
}

/* Rows stand in the order of their ends, or nearly: the first ones are the oldest. */
static int forget(struct td_store *s, const struct td_store_write *w)
{
	int err;
	sqlite3_stmt *st = td_store_sql(s, TD_SQL_FORGET_CALLS, &err);

	if (!st)
		return err;
	sqlite3_bind_int64(st, 1, (sqlite3_int64)w->forget_ms);
	sqlite3_bind_int64(st, 2, 2 * (sqlite3_int64)w->changes);
	return td_store_run(st);
}

int td_store_apply_calls(struct td_store *s, const struct td_store_write *w)
{
	const char *p = w->ops, *end = w->ops + w->n;
	int err = 0;

	while (p < end && !err) {
		sqlite3_stmt *st = td_store_sql(s, TD_SQL_PUT_CALL, &err);
		struct record r;

		if (!st)
			break;
		memcpy(&r, p, sizeof(r));
		p += sizeof(r);
		sqlite3_bind_int64(st, 1, (sqlite3_int64)r.id);
		bind_time(st, 2, r.start_ms);
		bind_time(st, 3, r.ring_ms);
		bind_time(st, 4, r.answer_ms);
		bind_time(st, 5, r.end_ms);
		sqlite3_bind_int64(st, 6, r.status);
		for (int i = 0; i < STRINGS; i++) {
			td_store_bind_str(st, 7 + i, td_str_n(p, r.len[i]));
			p += r.len[i];
		}
		err = td_store_run(st);
	}
	return err || !w->forget_ms ? err : forget(s, w);
}

/* ---- reading ---- */

static uint64_t read_u64(sqlite3_stmt *st, int at)
{
	return (uint64_t)sqlite3_column_int64(st, at); /* NULL reads as 0 */
}

static int read_page(struct td_store *s, sqlite3_int64 *before, uint64_t *left, unsigned *rows,
		     int (*fn)(void *arg, const struct td_store_call *c), void *arg)
{
	int err, rc = SQLITE_DONE;

	pthread_mutex_lock(&s->db_lock);
	sqlite3_stmt *st = td_store_sql(s, TD_SQL_EACH_CALL, &err);
	if (st) {
		sqlite3_bind_int64(st, 1, *before);
		sqlite3_bind_int64(st, 2, *left < CALLS_PER_PAGE ? (sqlite3_int64)*left : CALLS_PER_PAGE);
	}
	while (st && !err && (rc = sqlite3_step(st)) == SQLITE_ROW) {
		const struct td_store_call c = {
			.id = read_u64(st, 1),
			.start_ms = read_u64(st, 2),
			.ring_ms = read_u64(st, 3),
			.answer_ms = read_u64(st, 4),
			.end_ms = read_u64(st, 5),
			.status = (unsigned)sqlite3_column_int(st, 6),
			.ended_by = td_store_column_str(st, 7),
			.caller = td_store_column_str(st, 8),
			.callee = td_store_column_str(st, 9),
			.call_id = td_store_column_str(st, 10),
		};

		*before = sqlite3_column_int64(st, 0);
		++*rows;
		--*left;
		err = fn(arg, &c);
	}
	if (st) {
		sqlite3_reset(st);
		if (!err)
			err = td_store_err(rc);
	}
	pthread_mutex_unlock(&s->db_lock);
	return err;
}

int td_store_each_call(struct td_store *s, uint64_t most, int (*fn)(void *arg, const struct td_store_call *c), void *arg)
{
	uint64_t left = most ? most : UINT64_MAX;
	sqlite3_int64 before = INT64_MAX;
	unsigned rows;
	int err;

	do {
		rows = 0;
		err = read_page(s, &before, &left, &rows, fn, arg);
	} while (!err && rows == CALLS_PER_PAGE && left);
	return err;
}
