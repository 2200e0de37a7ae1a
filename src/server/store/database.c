/*
 * The database file: opening, its schema and how it grows from version to version, prepared statements, errors.
 *
 * WAL with synchronous=FULL: each commit is one append and one fsync of the write-ahead log, and is there after a power cut.
 * Another process may write too (`tandem user add` beside a running server): busy_timeout makes both wait for their turn.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "server/store/internal.h"

enum { APPLICATION_ID = 0x74616e64 }; /* "tand" */

/* Step i takes schema i to i + 1. Steps are never edited, only added. */
static const struct {
	const char *sql;
	int (*fn)(struct td_store *s); /* after it; NULL: no more to do */
} migrations[] = {
	{ "CREATE TABLE bindings("
	  "  aor TEXT NOT NULL, contact TEXT NOT NULL, params TEXT NOT NULL, call_id TEXT NOT NULL, user_agent TEXT NOT NULL,"
	  "  cseq INTEGER NOT NULL, q INTEGER NOT NULL, expires_at INTEGER NOT NULL, flow BLOB,"
	  "  PRIMARY KEY(aor, contact)) WITHOUT ROWID;"
	  "CREATE TABLE users("
	  "  aor TEXT PRIMARY KEY NOT NULL, domain TEXT NOT NULL, extension TEXT NOT NULL, ha1_sha256 BLOB, ha1_md5 BLOB) "
	  "WITHOUT "
	  "ROWID;"
	  "CREATE UNIQUE INDEX users_extension ON users(domain, extension) WHERE extension <> '';" },
	{ "CREATE TABLE calls(" /* seq: in the order they ended. No constraint a record could break: it shares its commit with others */
	  "  seq INTEGER PRIMARY KEY, id INTEGER NOT NULL, start_ms INTEGER NOT NULL, ring_ms INTEGER, answer_ms INTEGER,"
	  "  end_ms INTEGER NOT NULL, status INTEGER NOT NULL, ended_by TEXT NOT NULL, caller TEXT NOT NULL, callee TEXT NOT "
	  "NULL,"
	  "  call_id TEXT NOT NULL);" },
	{ "CREATE TABLE addresses(id INTEGER PRIMARY KEY, aor TEXT NOT NULL, bindings BLOB NOT NULL);", td_store_move_bindings },
	{ "" /* bindings may have a Path: the rows of schema 3 are as they are, those of schema 4 not all to be read by its programs */ },
};
enum { SCHEMA = TD_ARRAY_LEN(migrations) };

static const char *const sql[TD_SQL_COUNT] = {
	[TD_SQL_BEGIN] = "BEGIN IMMEDIATE",
	[TD_SQL_COMMIT] = "COMMIT",
	[TD_SQL_ROLLBACK] = "ROLLBACK",
	[TD_SQL_PUT_ADDRESS] = "INSERT OR REPLACE INTO addresses(id, aor, bindings) VALUES(?1, ?2, ?3)",
	[TD_SQL_LAST_ID] = "SELECT coalesce(max(id), 0) FROM addresses",
	[TD_SQL_DELETE_ADDRESS] = "DELETE FROM addresses WHERE id = ?1",
	[TD_SQL_READ_ADDRESSES] = "SELECT id, aor, bindings FROM addresses WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT ?3",
	[TD_SQL_PUT_CALL] =
		"INSERT INTO calls(id, start_ms, ring_ms, answer_ms, end_ms, status, ended_by, caller, callee, call_id)"
		" VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
	[TD_SQL_EACH_CALL] =
		"SELECT seq, id, start_ms, ring_ms, answer_ms, end_ms, status, ended_by, caller, callee, call_id FROM calls"
		" WHERE seq < ?1 ORDER BY seq DESC LIMIT ?2",
	[TD_SQL_FORGET_CALLS] = "DELETE FROM calls WHERE seq IN (SELECT seq FROM calls ORDER BY seq LIMIT ?2) AND end_ms < ?1",
	[TD_SQL_PUT_USER] = "INSERT INTO users(aor, domain, extension, ha1_sha256, ha1_md5) VALUES(?1, ?2, ?3, ?4, ?5)"
			    " ON CONFLICT(aor) DO UPDATE SET extension = ?3, ha1_sha256 = ?4, ha1_md5 = ?5",
	[TD_SQL_REMOVE_USER] = "DELETE FROM users WHERE aor = ?1",
	[TD_SQL_FIND_USER] = "SELECT aor, extension, ha1_sha256, ha1_md5 FROM users WHERE aor = ?1",
	[TD_SQL_EACH_USER] = "SELECT aor, extension, ha1_sha256, ha1_md5 FROM users WHERE aor > ?1 ORDER BY aor LIMIT ?2",
};

int td_store_err(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_OK:
	case SQLITE_DONE:
	case SQLITE_ROW: return 0;
	case SQLITE_NOMEM: return -ENOMEM;
	case SQLITE_FULL: return -ENOSPC;
	case SQLITE_READONLY:
	case SQLITE_PERM: return -EROFS;
	case SQLITE_BUSY:
	case SQLITE_LOCKED: return -EBUSY;
	case SQLITE_CANTOPEN: return -ENOENT;
	case SQLITE_TOOBIG: return -EMSGSIZE;
	case SQLITE_CONSTRAINT: return TD_EEXIST;
	default: return -EIO;
	}
}

/* ---- statements ---- */

sqlite3_stmt *td_store_sql(struct td_store *s, enum td_store_sql what, int *err)
{
	if (!s->stmt[what]) {
		*err = td_store_err(sqlite3_prepare_v3(s->db, sql[what], -1, SQLITE_PREPARE_PERSISTENT, &s->stmt[what], NULL));
		if (*err)
			return NULL;
	}
	*err = 0;
	return s->stmt[what];
}

int td_store_run(sqlite3_stmt *st)
{
	int rc = sqlite3_step(st);

	sqlite3_reset(st);
	return td_store_err(rc);
}

static int run(struct td_store *s, enum td_store_sql what)
{
	int err;
	sqlite3_stmt *st = td_store_sql(s, what, &err);

	return st ? td_store_run(st) : err;
}

int td_store_begin(struct td_store *s)
{
	return run(s, TD_SQL_BEGIN);
}

int td_store_end(struct td_store *s, int err)
{
	if (!err)
		err = run(s, TD_SQL_COMMIT);
	if (err && !sqlite3_get_autocommit(s->db)) /* some errors have rolled back already */
		run(s, TD_SQL_ROLLBACK);
	return err;
}

void td_store_bind_str(sqlite3_stmt *st, int at, struct td_str v)
{
	sqlite3_bind_text(st, at, v.n ? v.p : "", (int)v.n, SQLITE_STATIC);
}

struct td_str td_store_column_str(sqlite3_stmt *st, int at)
{
	const char *p = (const char *)sqlite3_column_text(st, at);

	return td_str_n(p, p ? (size_t)sqlite3_column_bytes(st, at) : 0);
}

/* ---- opening ---- */

static int get_int(sqlite3 *db, const char *query, int *out)
{
	sqlite3_stmt *st;
	int rc = sqlite3_prepare_v2(db, query, -1, &st, NULL);

	if (rc)
		return rc;
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW)
		*out = sqlite3_column_int(st, 0);
	sqlite3_finalize(st);
	return rc == SQLITE_ROW ? SQLITE_OK : rc == SQLITE_DONE ? SQLITE_ERROR : rc;
}

static int migrate_from(struct td_store *s, int version)
{
	char text[96];
	int err = 0;

	for (int i = version; i < (int)SCHEMA && !err; i++) {
		err = td_store_err(sqlite3_exec(s->db, migrations[i].sql, NULL, NULL, NULL));
		if (!err && migrations[i].fn)
			err = migrations[i].fn(s);
	}
	if (err)
		return err;
	sqlite3_snprintf(sizeof(text), text, "PRAGMA application_id = %d; PRAGMA user_version = %d", APPLICATION_ID, (int)SCHEMA);
	return td_store_err(sqlite3_exec(s->db, text, NULL, NULL, NULL));
}

static int find_next_id(struct td_store *s)
{
	int err;
	sqlite3_stmt *st = td_store_sql(s, TD_SQL_LAST_ID, &err);

	if (!st)
		return err;
	if (sqlite3_step(st) == SQLITE_ROW)
		s->next_id = (uint64_t)sqlite3_column_int64(st, 0) + 1;
	else
		err = td_store_err(sqlite3_errcode(s->db));
	sqlite3_reset(st);
	return err;
}

/* Under a write lock, because two processes may open a new file at once. */
static int check_schema(struct td_store *s, struct td_str path, struct td_out *why)
{
	int version = 0, app = 0, tables = 0, err;
	int rc = sqlite3_exec(s->db, "BEGIN IMMEDIATE", NULL, NULL, NULL);

	if (!rc)
		rc = get_int(s->db, "PRAGMA user_version", &version);
	if (!rc)
		rc = get_int(s->db, "PRAGMA application_id", &app);
	if (!rc)
		rc = get_int(s->db, "SELECT count(*) FROM sqlite_master", &tables);
	if (!rc && tables && app != APPLICATION_ID) {
		td_out_fmt(why, "%.*s is a database of another program", TD_FMT(path));
		err = TD_EUNSUPPORTED;
		goto refuse;
	}
	if (!rc && version > (int)SCHEMA) {
		td_out_fmt(why, "%.*s was written by a newer tandem (its schema is %d, this program knows up to %d)",
			   TD_FMT(path), version, (int)SCHEMA);
		err = TD_EUNSUPPORTED;
		goto refuse;
	}
	err = td_store_err(rc);
	if (!err && version < (int)SCHEMA)
		err = migrate_from(s, version);
	if (!err)
		err = find_next_id(s);
	if (!err)
		err = td_store_err(sqlite3_exec(s->db, "COMMIT", NULL, NULL, NULL));
	if (!err)
		return 0;
	td_out_fmt(why, "%.*s: %s", TD_FMT(path), err == -ENOMEM ? td_strerror(err) : sqlite3_errmsg(s->db));
refuse:
	sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
	return err;
}

/* SQLite gives its side files the mode of the database, so that one must be right first. */
static int make_private_file(const char *path, struct td_out *why)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600), err = 0;

	if (fd < 0 || fchmod(fd, 0600)) {
		err = -errno;
		td_out_fmt(why, "%s: %s", path, td_strerror(err));
	}
	if (fd >= 0)
		close(fd);
	return err;
}

static int set_up(struct td_store *s, bool in_memory, struct td_str path, struct td_out *why)
{
	sqlite3_stmt *st = NULL;
	int rc;

	sqlite3_busy_timeout(s->db, 10000);
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	rc = sqlite3_exec(s->db, "PRAGMA trusted_schema = off; PRAGMA cache_size = -16384; PRAGMA journal_size_limit = 67108864",
			  NULL, NULL, NULL);
	if (!rc && !in_memory) {
		rc = sqlite3_prepare_v2(s->db, "PRAGMA journal_mode = wal", -1, &st, NULL);
		if (!rc)
			rc = sqlite3_step(st) == SQLITE_ROW ? SQLITE_OK : sqlite3_errcode(s->db);
		if (!rc && sqlite3_stricmp((const char *)sqlite3_column_text(st, 0), "wal"))
			rc = SQLITE_CANTOPEN; /* a file system without shared memory */
		sqlite3_finalize(st);
	}
	if (!rc)
		rc = sqlite3_exec(s->db, "PRAGMA synchronous = full", NULL, NULL, NULL);
	if (rc) {
		td_out_fmt(why, "%.*s: %s", TD_FMT(path), sqlite3_errmsg(s->db));
		return td_store_err(rc);
	}
	return check_schema(s, path, why);
}

int td_store_open_db(struct td_store *s, struct td_str path, struct td_out *why)
{
	bool in_memory = path.n == 0;
	char *z = in_memory ? strdup(":memory:") : strndup(path.p, path.n);
	int err = 0, rc;

	if (!z)
		return -ENOMEM;
	s->next_id = 1;
	if (!in_memory)
		err = make_private_file(z, why);
	if (!err) {
		rc = sqlite3_open_v2(z, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
		if (rc) {
			td_out_fmt(why, "%s: %s", z, s->db ? sqlite3_errmsg(s->db) : sqlite3_errstr(rc));
			err = td_store_err(rc);
		}
	}
	free(z);
	if (!err)
		err = set_up(s, in_memory, path, why);
	if (err)
		td_store_close_db(s);
	return err;
}

void td_store_close_db(struct td_store *s)
{
	for (int i = 0; i < TD_SQL_COUNT; i++)
		sqlite3_finalize(s->stmt[i]);
	memset(s->stmt, 0, sizeof(s->stmt));
	sqlite3_close(s->db);
	s->db = NULL;
}
