/*
 * server/store, inside the room. One connection, one lock around it: the writer thread holds it for a batch, the control
 * thread for a statement; workers never touch it.
 */
#ifndef TANDEM_SERVER_STORE_INTERNAL_H
#define TANDEM_SERVER_STORE_INTERNAL_H

#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>
#include "server/store/store.h"

enum td_store_sql {
	TD_SQL_BEGIN,
	TD_SQL_COMMIT,
	TD_SQL_ROLLBACK,
	TD_SQL_PUT_ADDRESS,
	TD_SQL_DELETE_ADDRESS,
	TD_SQL_READ_ADDRESSES,
	TD_SQL_LAST_ID,
	TD_SQL_PUT_USER,
	TD_SQL_REMOVE_USER,
	TD_SQL_EACH_USER,
	TD_SQL_FIND_USER,
	TD_SQL_PUT_CALL,
	TD_SQL_EACH_CALL,
	TD_SQL_FORGET_CALLS,
	TD_SQL_COUNT
};

struct td_store_write {
	struct td_mail mail;   /* first of a batch for its loop; the others hang on next */
	struct td_link posted; /* that one, until its loop has taken it */
	struct td_store_write *next;
	struct td_store *store;
	struct td_loop *loop; /* NULL: nobody waits */
	td_store_done_fn *fn;
	void *arg;
	int err;
	unsigned changes;
	bool calls;         /* what it holds: records of calls, or changes of bindings; never both */
	uint64_t forget_ms; /* records of calls that ended before are old; 0: none are */
	char *ops;          /* operations in a row: struct op, then its bytes */
	size_t n, cap;
	char ops_inline[400]; /* a refresh of one contact fits */
};

struct td_store {
	sqlite3 *db;
	sqlite3_stmt *stmt[TD_SQL_COUNT];
	pthread_mutex_t db_lock; /* db and stmt */
	struct td_log *log;
	bool threaded;
	_Atomic bool failing; /* said once, until it works again */

	pthread_mutex_t lock;      /* everything below that is not atomic */
	pthread_cond_t wake, idle; /* for the writer; by the writer, when it waits */
	struct td_store_write *head, *tail;
	struct td_store_page *asked; /* to be read after the next batch */
	struct td_link posted;
	bool stop, waiting;
	pthread_t writer;
	struct td_defer commit; /* not threaded: on the first waiter's loop */
	struct td_loop *commit_loop;

	sqlite3 *checkpoint_db; /* a connection of its own: copying pages must not hold up commits */
	pthread_t checkpointer;
	pthread_cond_t checkpoint_wake;
	bool checkpoint_wanted;
	int wal_pages;

	_Atomic uint64_t next_id;
	_Atomic uint64_t commits, writes, failed, queued;
};

int td_store_err(int sqlite_rc); /* as -errno */
int td_store_open_db(struct td_store *s, struct td_str path, struct td_out *why);
void td_store_close_db(struct td_store *s);
/* A prepared statement, reset and ready to bind; NULL: *err says why. Under db_lock, as everything below. */
sqlite3_stmt *td_store_sql(struct td_store *s, enum td_store_sql what, int *err);
int td_store_run(sqlite3_stmt *st); /* steps to the end, resets; 0 or -errno */
int td_store_begin(struct td_store *s);
int td_store_end(struct td_store *s, int err);                     /* commits, or rolls back when err; returns the first error */
void td_store_bind_str(sqlite3_stmt *st, int at, struct td_str v); /* borrowed until reset */
struct td_str td_store_column_str(sqlite3_stmt *st, int at);
char *td_store_write_room(struct td_store_write *w, size_t n); /* behind what is there, counted; NULL: no memory */
int td_store_apply(struct td_store *s, const struct td_store_write *w);
int td_store_apply_calls(struct td_store *s, const struct td_store_write *w);
int td_store_move_bindings(struct td_store *s); /* from schema 1 */

int td_store_start_thread(pthread_t *t, void *(*fn)(void *), void *arg);
int td_store_checkpointer_start(struct td_store *s, struct td_str path, struct td_out *why);
void td_store_checkpointer_stop(struct td_store *s);
void td_store_note_wal(struct td_store *s); /* after a commit; may checkpoint when the file is far too long */

#endif
