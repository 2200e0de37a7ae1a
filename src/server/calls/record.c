/*
 * A record of each call that ended. A worker gathers them for a moment, so that a busy server does not commit for each; the store
 * writes them in its group commit. What it has not written yet is bounded: beyond that records are lost and counted, since calls
 * matter more than what is known of them afterwards.
 */
#include "server/calls/internal.h"

#include <errno.h>

enum {
	SUBMIT_MS = 200,
	SUBMIT_RECORDS = 256, /* or as many, whichever is first */
	MAX_UNWRITTEN = 20000,
};

static void lost(struct shard *sh, unsigned n, int err)
{
	sh->stats.records_lost += n;
	if (!sh->losing)
		td_log(sh->all->log, TD_LOG_ERROR, "calls records lost", TD_KU("records", n), TD_KERR(err),
		       TD_KZ("next", "calls go on; \"tandem status\" counts what is lost"));
	sh->losing = true;
}

static void written(struct td_store_write *w, int err, void *arg)
{
	struct shard *sh = arg;
	unsigned n = td_store_write_changes(w);

	sh->unwritten -= n;
	if (err) {
		lost(sh, n, err);
		return;
	}
	sh->stats.recorded += n;
	sh->losing = false;
}

static void submit(struct shard *sh)
{
	struct td_store_write *w = sh->records;

	sh->records = NULL;
	td_timer_stop(sh->core->loop, &sh->submit);
	if (!w)
		return;
	td_store_forget_calls(w, td_loop_wall_ms(sh->core->loop) - (uint64_t)sh->core->cfg->calls.keep_s * 1000);
	td_store_submit(w);
}

static void submit_fired(struct td_timer *tm, void *arg)
{
	submit(arg);
}

void records_open(struct shard *sh)
{
	td_timer_init(&sh->submit, submit_fired, sh);
}

void records_stop(struct shard *sh)
{
	submit(sh);
}

void call_record(const struct td_call *c, enum td_call_ender by)
{
	struct shard *sh = c->shard;
	struct td_call_view v;
	int err = 0;

	if (!sh->all->store || !sh->core->cfg->calls.records)
		return;
	if (sh->unwritten >= MAX_UNWRITTEN) {
		lost(sh, 1, TD_EFULL);
		return;
	}
	if (!sh->records) {
		sh->records = td_store_write_new(sh->all->store, sh->core->loop, written, sh);
		if (sh->records)
			td_timer_start(sh->core->loop, &sh->submit, SUBMIT_MS);
	}
	td_call_look(&v, c);
	err = !sh->records ? -ENOMEM
			   : td_store_put_call(sh->records, &(struct td_store_call){
								    .id = v.id,
								    .start_ms = v.start_ms,
								    .ring_ms = v.ring_ms,
								    .answer_ms = v.answer_ms,
								    .end_ms = v.start_ms + since_start(c),
								    .status = v.status,
								    .ended_by = td_call_ender_name(by),
								    .caller = v.caller,
								    .callee = v.callee,
								    .call_id = v.call_id,
							    });
	if (err) {
		lost(sh, 1, err);
		return;
	}
	sh->unwritten++;
	if (td_store_write_changes(sh->records) >= SUBMIT_RECORDS)
		submit(sh);
}
