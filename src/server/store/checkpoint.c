/*
 * Copying the write-ahead log back into the database. SQLite would do that inside some unlucky commit; here a thread with a
 * connection of its own does it while commits go on (a passive checkpoint stops nobody). The log starts over when the copying
 * has caught up with it. Under a load that never lets it, the writer itself waits for that once in a long while.
 */
#include <stdlib.h>
#include "server/store/internal.h"

enum {
	CHECKPOINT_PAGES = 4000, /* 16 MiB of log: wake the thread */
	RESTART_PAGES = 64000,   /* 256 MiB: no more patience */
};

static int on_commit(void *arg, sqlite3 *db, const char *name, int pages)
{
	((struct td_store *)arg)->wal_pages = pages;
	return SQLITE_OK;
}

void td_store_note_wal(struct td_store *s)
{
	if (!s->checkpoint_db || s->wal_pages < CHECKPOINT_PAGES)
		return;
	if (s->wal_pages >= RESTART_PAGES) {
		sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_RESTART, NULL, NULL);
		s->wal_pages = 0;
		return;
	}
	pthread_mutex_lock(&s->lock);
	s->checkpoint_wanted = true;
	pthread_mutex_unlock(&s->lock);
	pthread_cond_signal(&s->checkpoint_wake);
}

static void *checkpointer(void *arg)
{
	struct td_store *s = arg;

	pthread_mutex_lock(&s->lock);
	while (!s->stop) {
		if (!s->checkpoint_wanted) {
			pthread_cond_wait(&s->checkpoint_wake, &s->lock);
			continue;
		}
		s->checkpoint_wanted = false;
		pthread_mutex_unlock(&s->lock);
		sqlite3_wal_checkpoint_v2(s->checkpoint_db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
		pthread_mutex_lock(&s->lock);
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

int td_store_checkpointer_start(struct td_store *s, struct td_str path, struct td_out *why)
{
	char *z = strndup(path.p, path.n);
	int err, rc;

	if (!z)
		return -ENOMEM;
	rc = sqlite3_open_v2(z, &s->checkpoint_db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
	free(z);
	if (!rc)
		rc = sqlite3_exec(s->checkpoint_db, "PRAGMA synchronous = full", NULL, NULL, NULL);
	if (rc) {
		td_out_fmt(why, "%.*s: %s", TD_FMT(path), sqlite3_errstr(rc));
		err = td_store_err(rc);
		goto fail;
	}
	sqlite3_wal_hook(s->db, on_commit, s); /* takes the place of SQLite's own automatic checkpoint */
	pthread_cond_init(&s->checkpoint_wake, NULL);
	err = td_store_start_thread(&s->checkpointer, checkpointer, s);
	if (!err)
		return 0;
	pthread_cond_destroy(&s->checkpoint_wake);
fail:
	sqlite3_close(s->checkpoint_db);
	s->checkpoint_db = NULL;
	return err;
}

void td_store_checkpointer_stop(struct td_store *s)
{
	if (!s->checkpoint_db)
		return;
	pthread_mutex_lock(&s->lock);
	s->stop = true;
	pthread_mutex_unlock(&s->lock);
	pthread_cond_signal(&s->checkpoint_wake);
	pthread_join(s->checkpointer, NULL);
	pthread_cond_destroy(&s->checkpoint_wake);
	sqlite3_close(s->checkpoint_db);
	s->checkpoint_db = NULL;
}
