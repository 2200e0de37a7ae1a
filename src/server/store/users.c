/* Users in the database: written by the command line and the control thread, whole in one transaction. */
#include "server/store/internal.h"

enum { USERS_PER_PAGE = 500 };

static void bind_ha1(sqlite3_stmt *st, int at, const struct td_store_user *u, enum td_digest_alg alg)
{
	if (u->has[alg])
		sqlite3_bind_blob(st, at, u->ha1[alg].bytes, alg == TD_DIGEST_MD5 ? 16 : 32, SQLITE_STATIC);
	else
		sqlite3_bind_null(st, at);
}

static int put(struct td_store *s, const struct td_store_user *u)
{
	const char *sep = td_str_chr(u->aor, '@');
	int err;
	sqlite3_stmt *st = td_store_sql(s, TD_SQL_PUT_USER, &err);

	if (!st)
		return err;
	if (!sep)
		return TD_ESYNTAX;
	td_store_bind_str(st, 1, u->aor);
	td_store_bind_str(st, 2, td_str_n(sep + 1, u->aor.n - (size_t)(sep + 1 - u->aor.p)));
	td_store_bind_str(st, 3, u->extension);
	bind_ha1(st, 4, u, TD_DIGEST_SHA256);
	bind_ha1(st, 5, u, TD_DIGEST_MD5);
	return td_store_run(st); /* TD_EEXIST: another user of the domain has this extension */
}

int td_store_put_users(struct td_store *s, const struct td_store_user *u, size_t n)
{
	int err;

	pthread_mutex_lock(&s->db_lock);
	err = td_store_begin(s);
	if (!err) {
		for (size_t i = 0; i < n && !err; i++)
			err = put(s, &u[i]);
		err = td_store_end(s, err);
	}
	pthread_mutex_unlock(&s->db_lock);
	return err;
}

int td_store_put_user(struct td_store *s, const struct td_store_user *u)
{
	return td_store_put_users(s, u, 1);
}

int td_store_remove_user(struct td_store *s, struct td_str aor)
{
	int err;

	pthread_mutex_lock(&s->db_lock);
	sqlite3_stmt *st = td_store_sql(s, TD_SQL_REMOVE_USER, &err);
	if (st) {
		td_store_bind_str(st, 1, aor);
		err = td_store_run(st);
		if (!err && sqlite3_changes(s->db) == 0)
			err = TD_ENOTFOUND;
	}
	pthread_mutex_unlock(&s->db_lock);
	return err;
}

static void read_ha1(struct td_store_user *u, enum td_digest_alg alg, sqlite3_stmt *st, int at)
{
	const void *p = sqlite3_column_blob(st, at);
	size_t want = alg == TD_DIGEST_MD5 ? 16 : 32;

	u->has[alg] = p && (size_t)sqlite3_column_bytes(st, at) == want;
	if (u->has[alg])
		memcpy(u->ha1[alg].bytes, p, want);
}

/* Steps through the rows of a statement that has its values. Resets it. */
static int each_row(sqlite3_stmt *st, unsigned *rows, int (*fn)(void *arg, const struct td_store_user *u), void *arg)
{
	int err = 0, rc = SQLITE_DONE;

	while (!err && (rc = sqlite3_step(st)) == SQLITE_ROW) {
		struct td_store_user u = { .aor = td_store_column_str(st, 0), .extension = td_store_column_str(st, 1) };

		read_ha1(&u, TD_DIGEST_SHA256, st, 2);
		read_ha1(&u, TD_DIGEST_MD5, st, 3);
		++*rows;
		err = fn(arg, &u);
	}
	sqlite3_reset(st);
	return err ? err : td_store_err(rc);
}

int td_store_find_user(struct td_store *s, struct td_str aor, int (*fn)(void *arg, const struct td_store_user *u), void *arg)
{
	unsigned rows = 0;
	int err;

	pthread_mutex_lock(&s->db_lock);
	sqlite3_stmt *st = td_store_sql(s, TD_SQL_FIND_USER, &err);
	if (st) {
		td_store_bind_str(st, 1, aor);
		err = each_row(st, &rows, fn, arg);
	}
	pthread_mutex_unlock(&s->db_lock);
	return !err && !rows ? TD_ENOTFOUND : err;
}

struct page {
	int (*fn)(void *arg, const struct td_store_user *u);
	void *arg;
	struct td_out last; /* the AOR of the last row */
};

static int take_row(void *arg, const struct td_store_user *u)
{
	struct page *pg = arg;

	pg->last.n = 0;
	td_out_str(&pg->last, u->aor);
	return pg->last.failed ? -ENOMEM : pg->fn(pg->arg, u);
}

static int read_page(struct td_store *s, struct page *pg, struct td_str after, unsigned *rows)
{
	int err;

	pthread_mutex_lock(&s->db_lock);
	sqlite3_stmt *st = td_store_sql(s, TD_SQL_EACH_USER, &err);
	if (st) {
		td_store_bind_str(st, 1, after);
		sqlite3_bind_int(st, 2, USERS_PER_PAGE);
		err = each_row(st, rows, take_row, pg);
	}
	pthread_mutex_unlock(&s->db_lock);
	return err;
}

/* A page at a time: a reload with a million users must not hold up the commits of registrations for as long as it reads. */
int td_store_each_user(struct td_store *s, int (*fn)(void *arg, const struct td_store_user *u), void *arg)
{
	struct page pg = { .fn = fn, .arg = arg };
	struct td_out after;
	unsigned rows;
	int err;

	td_out_init(&after);
	td_out_init(&pg.last);
	do {
		after.n = 0;
		td_out_str(&after, td_out_view(&pg.last));
		rows = 0;
		err = after.failed ? -ENOMEM : read_page(s, &pg, td_out_view(&after), &rows);
	} while (!err && rows == USERS_PER_PAGE);
	td_out_free(&after);
	td_out_free(&pg.last);
	return err;
}
