/*
 * The writer: one thread that takes everything waiting, makes one transaction of it, and tells every waiter on its own
 * loop once the commit is on disk. While it waits for the disk the next batch gathers by itself, so that batches grow with
 * the load and nothing is ever delayed on purpose. A batch that fails fails for all in it: nobody hears "done" of what is
 * not on disk (G9).
 *
 * Not threaded (simulations, the command line), the same happens at the end of the first waiter's loop turn.
 */
#include <signal.h>
#include <stdlib.h>
#include "server/store/internal.h"

enum { BATCH_CHANGES = 2000, BATCH_LOOPS = 64 };

/* A batch's writes of one loop arrive as one mail. */
static void deliver(struct td_mail *m, void *arg)
{
	struct td_store_write *w = arg;

	pthread_mutex_lock(&w->store->lock);
	td_list_del(&w->posted);
	pthread_mutex_unlock(&w->store->lock);
	while (w) {
		struct td_store_write *next = w->next;

		w->fn(w, w->err, w->arg);
		td_store_write_free(w);
		w = next;
	}
}

static void free_chain(struct td_store_write *w)
{
	while (w) {
		struct td_store_write *next = w->next;
		td_store_write_free(w);
		w = next;
	}
}

static void post(struct td_store *s, struct td_store_write *head)
{
	bool stop;

	head->mail = (struct td_mail){ .fn = deliver, .arg = head };
	pthread_mutex_lock(&s->lock);
	stop = s->stop;
	if (!stop)
		td_list_add_tail(&s->posted, &head->posted);
	pthread_mutex_unlock(&s->lock);
	if (stop)
		free_chain(head);
	else
		td_loop_post(head->loop, &head->mail);
}

static void post_all(struct td_store *s, struct td_store_write *batch, int err)
{
	struct {
		struct td_loop *loop;
		struct td_store_write *head, *tail;
	} to[BATCH_LOOPS];
	unsigned n = 0, k;

	for (struct td_store_write *w = batch, *next; w; w = next) {
		next = w->next;
		w->next = NULL;
		w->err = err;
		if (!w->loop) {
			td_store_write_free(w);
			continue;
		}
		for (k = 0; k < n && to[k].loop != w->loop; k++)
			;
		if (k < n) {
			to[k].tail->next = w;
			to[k].tail = w;
		} else if (n < BATCH_LOOPS) {
			to[n].loop = w->loop;
			to[n].head = to[n].tail = w;
			n++;
		} else {
			post(s, w);
		}
	}
	for (k = 0; k < n; k++)
		post(s, to[k].head);
}

/* Says once that the disk fails, and once that it works again. */
static void note_health(struct td_store *s, int err)
{
	if (err && !atomic_exchange(&s->failing, true))
		td_log(s->log, TD_LOG_ERROR, "store failed", TD_KERR(err), TD_KZ("detail", sqlite3_errmsg(s->db)),
		       TD_KZ("next", "registrations are refused with 500 until it works again"));
	else if (!err && atomic_load(&s->failing) && atomic_exchange(&s->failing, false))
		td_log(s->log, TD_LOG_WARN, "store works again", TD_KU("failed", atomic_load(&s->failed)));
}

static void run_batch(struct td_store *s, struct td_store_write *batch)
{
	uint64_t writes = 0, changes = 0;
	int err = 0;

	for (struct td_store_write *w = batch; w; w = w->next) {
		writes++;
		changes += w->changes;
	}
	if (changes) { /* a barrier alone needs no transaction */
		pthread_mutex_lock(&s->db_lock);
		err = td_store_begin(s);
		if (!err) {
			for (struct td_store_write *w = batch; w && !err; w = w->next)
				err = td_store_apply(s, w);
			err = td_store_end(s, err);
		}
		note_health(s, err);
		if (!err)
			td_store_note_wal(s);
		pthread_mutex_unlock(&s->db_lock);
		atomic_fetch_add(&s->commits, 1);
	}
	atomic_fetch_add(err ? &s->failed : &s->writes, writes);
	atomic_fetch_sub(&s->queued, writes);
	post_all(s, batch, err);
}

static void page_delivered(struct td_mail *m, void *arg)
{
	struct td_store_page *pg = arg;

	pg->fn(pg, pg->err, pg->arg);
}

static void read_pages(struct td_store *s, struct td_store_page *pg)
{
	while (pg) {
		struct td_store_page *next = pg->next;

		pg->err = td_store_read_page(s, pg);
		pg->mail = (struct td_mail){ .fn = page_delivered, .arg = pg };
		td_loop_post(pg->loop, &pg->mail);
		pg = next;
	}
}

/* Under lock. */
static struct td_store_page *take_pages(struct td_store *s)
{
	struct td_store_page *pg = s->stop ? NULL : s->asked; /* who stops the store waits for none */

	s->asked = NULL;
	return pg;
}

/* Cuts off the first writes that make a batch. Under lock. */
static struct td_store_write *take_batch(struct td_store *s)
{
	struct td_store_write *batch = s->head, *last = NULL;
	unsigned changes = 0;

	for (struct td_store_write *w = batch; w && changes < BATCH_CHANGES; w = w->next) {
		changes += w->changes;
		last = w;
	}
	if (last) {
		s->head = last->next;
		last->next = NULL;
	}
	if (!s->head)
		s->tail = NULL;
	return batch;
}

static void *writer(void *arg)
{
	struct td_store *s = arg;
	struct td_store_write *batch;
	struct td_store_page *pages;

	pthread_mutex_lock(&s->lock);
	for (;;) {
		while (!s->head && !s->asked && !s->stop) {
			s->waiting = true;
			pthread_cond_broadcast(&s->idle);
			pthread_cond_wait(&s->wake, &s->lock);
			s->waiting = false;
		}
		batch = take_batch(s);
		pages = take_pages(s);
		if (!batch && !pages)
			break; /* stopping, and all is written */
		pthread_mutex_unlock(&s->lock);
		if (batch)
			run_batch(s, batch);
		read_pages(s, pages);
		pthread_mutex_lock(&s->lock);
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

static void commit_here(struct td_store *s)
{
	struct td_store_write *batch;

	while ((batch = take_batch(s)))
		run_batch(s, batch);
	read_pages(s, take_pages(s));
}

static void commit_deferred(struct td_defer *d, void *arg)
{
	struct td_store *s = arg;

	s->commit_loop = NULL;
	commit_here(s);
}

void td_store_submit(struct td_store_write *w)
{
	struct td_store *s = w->store;
	bool wake;

	atomic_fetch_add(&s->queued, 1);
	w->next = NULL;
	pthread_mutex_lock(&s->lock);
	if (s->tail)
		s->tail->next = w;
	else
		s->head = w;
	s->tail = w;
	wake = s->waiting;
	pthread_mutex_unlock(&s->lock);
	if (s->threaded) {
		if (wake)
			pthread_cond_signal(&s->wake);
	} else if (!w->loop) {
		commit_here(s);
	} else if (!s->commit_loop) {
		s->commit_loop = w->loop;
		td_loop_defer(w->loop, &s->commit);
	}
}

void td_store_ask_page(struct td_store *s, struct td_store_page *pg)
{
	bool wake;

	pthread_mutex_lock(&s->lock);
	pg->next = s->asked;
	s->asked = pg;
	wake = s->waiting;
	pthread_mutex_unlock(&s->lock);
	if (s->threaded) {
		if (wake)
			pthread_cond_signal(&s->wake);
	} else if (!s->commit_loop) {
		s->commit_loop = pg->loop;
		td_loop_defer(pg->loop, &s->commit);
	}
}

uint64_t td_store_last_id(const struct td_store *s)
{
	return atomic_load(&s->next_id) - 1;
}

/* The threads take no signals: those are for the program's main thread. */
int td_store_start_thread(pthread_t *t, void *(*fn)(void *), void *arg)
{
	sigset_t all, old;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = -pthread_create(t, NULL, fn, arg);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return err;
}

static void destroy(struct td_store *s)
{
	td_store_close_db(s);
	pthread_cond_destroy(&s->wake);
	pthread_cond_destroy(&s->idle);
	pthread_mutex_destroy(&s->lock);
	pthread_mutex_destroy(&s->db_lock);
	free(s);
}

int td_store_open(struct td_store **out, const struct td_store_options *opt, struct td_out *why)
{
	struct td_store *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	s->log = opt->log;
	s->threaded = opt->threaded;
	pthread_mutex_init(&s->db_lock, NULL);
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->wake, NULL);
	pthread_cond_init(&s->idle, NULL);
	td_list_init(&s->posted);
	td_defer_init(&s->commit, commit_deferred, s);
	err = td_store_open_db(s, opt->path, why);
	if (!err && s->threaded && opt->path.n)
		err = td_store_checkpointer_start(s, opt->path, why);
	if (!err && s->threaded) {
		err = td_store_start_thread(&s->writer, writer, s);
		if (err)
			td_store_checkpointer_stop(s);
	}
	if (err) {
		destroy(s);
		return err;
	}
	*out = s;
	return 0;
}

void td_store_settle(struct td_store *s)
{
	pthread_mutex_lock(&s->lock);
	while (s->threaded && (s->head || s->asked || !s->waiting))
		pthread_cond_wait(&s->idle, &s->lock);
	pthread_mutex_unlock(&s->lock);
}

void td_store_close(struct td_store *s)
{
	if (!s)
		return;
	if (s->threaded) {
		pthread_mutex_lock(&s->lock);
		s->stop = true;
		pthread_mutex_unlock(&s->lock);
		pthread_cond_signal(&s->wake);
		pthread_join(s->writer, NULL);
		td_store_checkpointer_stop(s);
	} else {
		if (s->commit_loop)
			td_loop_undefer(s->commit_loop, &s->commit);
		s->stop = true;
		commit_here(s);
	}
	for (struct td_link *l = s->posted.next, *next; l != &s->posted; l = next) {
		next = l->next;
		free_chain(TD_CONTAINER_OF(l, struct td_store_write, posted));
	}
	destroy(s);
}

void td_store_stats(struct td_store_stats *out, const struct td_store *s)
{
	*out = (struct td_store_stats){ .commits = s->commits, .writes = s->writes, .failed = s->failed, .queued = s->queued };
}
