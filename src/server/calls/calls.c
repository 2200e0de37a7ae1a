/*
 * A call's life. It is one block of memory with its texts behind it, in a list of its worker; what the INVITE's transactions need
 * is gone long before a call is. The list is in the order of starts, so one timer at its head is enough for calls.longest.
 */
#include "server/calls/internal.h"

#include <errno.h>
#include <stdlib.h>

enum { LOOK_AGAIN_MS = 60000 }; /* calls.longest may have become shorter by a reload */

struct td_str td_call_state_name(enum td_call_state s)
{
	static const struct td_str names[] = {
		[TD_CALL_TRYING] = TD_STR_INIT("trying"),
		[TD_CALL_RINGING] = TD_STR_INIT("ringing"),
		[TD_CALL_ANSWERED] = TD_STR_INIT("answered"),
		[TD_CALL_ENDED] = TD_STR_INIT("ended"),
	};

	return names[s];
}

struct td_str td_call_ender_name(enum td_call_ender e)
{
	static const struct td_str names[] = {
		[TD_ENDER_CALLER] = TD_STR_INIT("caller"), [TD_ENDER_CALLEE] = TD_STR_INIT("callee"),
		[TD_ENDER_SERVER] = TD_STR_INIT("server"), [TD_ENDER_LONGEST] = TD_STR_INIT("longest"),
		[TD_ENDER_STOP] = TD_STR_INIT("stop"),
	};

	return names[e];
}

/* ---- texts ---- */

struct td_str call_id_of(const struct td_call *c)
{
	return td_str_n(c->text, c->call_id_n);
}

struct td_str caller_tag_of(const struct td_call *c)
{
	return td_str_n(c->text + c->call_id_n, c->tag_n);
}

static char *put(char *at, struct td_str s)
{
	if (s.n)
		memcpy(at, s.p, s.n);
	return at + s.n;
}

static uint64_t date(const struct td_call *c, uint32_t after_ms)
{
	return c->wall_ms + after_ms;
}

void td_call_look(struct td_call_view *out, const struct td_call *c)
{
	const char *at = c->text + c->call_id_n + c->tag_n;

	*out = (struct td_call_view){
		.id = c->id,
		.caller = { at, c->caller_n },
		.callee = { at + c->caller_n, c->callee_n },
		.call_id = call_id_of(c),
		.caller_tag = caller_tag_of(c),
		.start_ms = c->wall_ms,
		.ring_ms = c->rang ? date(c, c->ring_ms) : 0,
		.answer_ms = c->dialogs_n ? date(c, c->answer_ms) : 0,
		.state = (enum td_call_state)c->state,
		.status = c->status,
	};
}

uint32_t since_start(const struct td_call *c)
{
	uint64_t ms = td_loop_now_ms(c->shard->core->loop) - c->start_ms;

	return ms < UINT32_MAX ? (uint32_t)ms : UINT32_MAX;
}

/* ---- the end ---- */

static void call_free(struct td_call *c)
{
	dialogs_free(c);
	free(c);
}

void call_end(struct td_call *c, enum td_call_ender by, unsigned status)
{
	struct shard *sh = c->shard;
	struct td_call_attachment *a;

	c->state = TD_CALL_ENDED;
	c->status = (uint16_t)status;
	for (struct dialog *d = c->dialogs; d; d = d->next)
		dialog_over(d);
	walks_pass(c);
	td_list_del(&c->link);
	sh->stats.open--;
	call_record(c, by);
	call_leave(c);
	while ((a = c->attached)) {
		c->attached = a->next;
		a->ended(a, c);
	}
	if (!c->held)
		call_free(c);
}

static void look_again(struct shard *sh)
{
	const struct td_call *oldest = TD_CONTAINER_OF(sh->calls.next, struct td_call, link);
	uint64_t end_ms = oldest->start_ms + (uint64_t)sh->core->cfg->calls.longest_s * 1000;
	uint64_t now_ms = td_loop_now_ms(sh->core->loop), wait = end_ms > now_ms ? end_ms - now_ms : 1;

	td_timer_start(sh->core->loop, &sh->longest, wait < LOOK_AGAIN_MS ? wait : LOOK_AGAIN_MS);
}

static void longest_fired(struct td_timer *tm, void *arg)
{
	struct shard *sh = arg;
	uint64_t longest_ms = (uint64_t)sh->core->cfg->calls.longest_s * 1000, now_ms = td_loop_now_ms(sh->core->loop);

	while (!td_list_empty(&sh->calls)) {
		struct td_call *c = TD_CONTAINER_OF(sh->calls.next, struct td_call, link);

		if (now_ms < c->start_ms + longest_ms) {
			look_again(sh);
			return;
		}
		call_end(c, TD_ENDER_LONGEST, c->status);
	}
}

/* ---- the beginning ---- */

/* Who calls: the user who proved it, else whoever From names, as our users are written when it is one of ours. */
static int caller_of(struct td_out *o, const struct td_core *core, const struct td_msg *invite, const struct td_route *route)
{
	const struct td_domain *own;

	if (route->sender.n) {
		td_out_str(o, route->sender);
		return 0;
	}
	own = td_core_domain(core, &invite->from.uri);
	if (own ? td_core_aor(o, &invite->from.uri, own) : td_uri_aor(o, &invite->from.uri))
		td_out_str(o, invite->from.uri.text);
	return o->failed ? -ENOMEM : 0;
}

/* 44 bits of milliseconds, 7 of worker, 12 of serial number: it grows with time, and no two workers make the same. */
static uint64_t new_id(struct shard *sh, uint64_t wall_ms)
{
	return wall_ms << 19 | (uint64_t)(sh->core->worker & 0x7f) << 12 | (sh->serial++ & 0xfff);
}

static struct td_call *call_new(struct shard *sh, const struct td_msg *invite, struct td_str caller, struct td_str callee)
{
	struct td_call *c = malloc(sizeof(*c) + invite->call_id.n + invite->from_tag.n + caller.n + callee.n + TAG_ROOM);

	if (!c)
		return NULL;
	*c = (struct td_call){
		.shard = sh,
		.wall_ms = td_loop_wall_ms(sh->core->loop),
		.start_ms = td_loop_now_ms(sh->core->loop),
		.call_id_n = (uint16_t)invite->call_id.n,
		.tag_n = (uint16_t)invite->from_tag.n,
		.caller_n = (uint16_t)caller.n,
		.callee_n = (uint16_t)callee.n,
		.held = true,
	};
	c->id = new_id(sh, c->wall_ms);
	put(put(put(put(c->text, invite->call_id), invite->from_tag), caller), callee);
	return c;
}

struct td_call *td_call_begin(struct td_calls *calls, struct td_core *core, const struct td_msg *invite,
			      const struct td_route *route)
{
	struct shard *sh = &calls->shards[core->worker];
	struct td_call *c = NULL;
	char room[256];
	struct td_out o;

	td_out_init_fixed(&o, room, sizeof(room));
	if (caller_of(&o, core, invite, route)) { /* a very long name */
		td_out_init(&o);
		caller_of(&o, core, invite, route);
	}
	if (!o.failed)
		c = call_new(sh, invite, td_out_view(&o), route->aor);
	if (!o.fixed)
		td_out_free(&o);
	if (!c) {
		sh->stats.untracked++;
		td_log(calls->log, TD_LOG_WARN, "calls untracked", TD_KS("call", invite->call_id), TD_KERR(-ENOMEM),
		       TD_KZ("next", "it goes through; no record will be written"));
		return NULL;
	}
	c->caller_is_ours = route->sender.n || td_core_domain(core, &invite->from.uri);
	td_list_add_tail(&sh->calls, &c->link);
	sh->stats.open++;
	if (!td_timer_running(&sh->longest))
		look_again(sh);
	return c;
}

/* ---- what passes ---- */

static void answered(struct td_call *c, unsigned status, struct td_str to_tag)
{
	if (dialog_add(c, to_tag)) {
		/* Its BYE would not be known: to keep it to the end of calls.longest would be wrong for longer than to forget it. */
		c->shard->stats.untracked++;
		td_log(c->shard->all->log, TD_LOG_WARN, "calls untracked", TD_KS("call", call_id_of(c)), TD_KERR(-ENOMEM),
		       TD_KZ("next", "it goes on; its record ends here"));
		if (!c->dialogs_n)
			call_end(c, TD_ENDER_SERVER, status);
		return;
	}
	if (c->state != TD_CALL_ANSWERED) {
		c->answer_ms = since_start(c);
		c->status = (uint16_t)status;
		c->state = TD_CALL_ANSWERED;
	}
}

void td_call_response(struct td_call *c, unsigned status, struct td_str to_tag, enum td_call_ender by)
{
	if (c->state == TD_CALL_ENDED)
		return;
	if (status < 200 && c->state == TD_CALL_TRYING) {
		c->ring_ms = since_start(c);
		c->rang = true;
		c->status = (uint16_t)status;
		c->state = TD_CALL_RINGING;
	} else if (status >= 200 && status < 300) {
		answered(c, status, to_tag);
	} else if (status >= 300 && c->state != TD_CALL_ANSWERED) {
		call_end(c, by, status);
	}
}

void td_call_release(struct td_call *c)
{
	c->held = false;
	if (c->state == TD_CALL_ENDED)
		call_free(c);
	else if (c->state != TD_CALL_ANSWERED)
		call_end(c, TD_ENDER_STOP, c->status);
}

/* Of a call that came by us twice (a spiral, §16.3 item 4) there are two with the same dialog: its BYE comes by twice too, and
 * the first ends both. */
void td_calls_bye(struct td_calls *calls, const struct td_core *core, const struct td_msg *bye)
{
	struct shard *sh = &calls->shards[core->worker];
	struct dialog *d;

	while ((d = dialog_find(sh, bye->call_id, bye->from_tag, bye->to_tag))) {
		struct td_call *c = d->call;

		dialog_over(d);
		if (!c->dialogs_open)
			call_end(c, td_str_eq(caller_tag_of(c), bye->from_tag) ? TD_ENDER_CALLER : TD_ENDER_CALLEE, c->status);
	}
}

/* ---- for other rooms ---- */

struct td_call *td_calls_find(struct td_calls *calls, const struct td_core *core, struct td_str call_id, struct td_str tag,
			      struct td_str other_tag)
{
	const struct dialog *d = dialog_find(&calls->shards[core->worker], call_id, tag, other_tag);

	return d ? d->call : NULL;
}

void td_call_attach(struct td_call *c, struct td_call_attachment *a)
{
	a->next = c->attached;
	c->attached = a;
}

void td_call_detach(struct td_call *c, struct td_call_attachment *a)
{
	struct td_call_attachment **at = &c->attached;

	while (*at && *at != a)
		at = &(*at)->next;
	if (*at)
		*at = a->next;
}

void td_calls_stats(struct td_calls_stats *out, const struct td_calls *calls, unsigned worker)
{
	*out = calls->shards[worker].stats;
	out->users = calls->shards[worker].users.count;
}

/* ---- open, close ---- */

int td_calls_open(struct td_calls **out, struct td_rng *rng, const struct td_calls_options *opt)
{
	size_t size = sizeof(struct td_calls) + opt->workers * sizeof(struct shard);
	struct td_calls *calls = aligned_alloc(alignof(struct td_calls), size);

	if (!calls)
		return -ENOMEM;
	memset(calls, 0, size);
	calls->log = opt->log;
	calls->store = opt->store;
	td_hash_key_init(&calls->key, rng);
	for (; calls->workers < opt->workers; calls->workers++) {
		struct shard *sh = &calls->shards[calls->workers];

		sh->all = calls;
		td_list_init(&sh->calls);
		td_list_init(&sh->walks);
		td_timer_init(&sh->longest, longest_fired, sh);
		records_open(sh);
		if (td_map_init(&sh->dialogs, 64) || users_open(sh)) {
			td_map_free(&sh->dialogs);
			td_calls_close(calls);
			return -ENOMEM;
		}
	}
	*out = calls;
	return 0;
}

void td_calls_attach(struct td_calls *calls, struct td_core *core)
{
	calls->shards[core->worker].core = core;
	calls->shards[core->worker].loop = core->loop;
}

void td_calls_detach(struct td_calls *calls, unsigned worker)
{
	struct shard *sh = &calls->shards[worker];

	if (!sh->core)
		return;
	td_timer_stop(sh->core->loop, &sh->longest);
	while (!td_list_empty(&sh->calls)) {
		struct td_call *c = TD_CONTAINER_OF(sh->calls.next, struct td_call, link);

		call_end(c, TD_ENDER_STOP, c->status);
	}
	records_stop(sh);
	sh->core = NULL;
}

void td_calls_close(struct td_calls *calls)
{
	if (!calls)
		return;
	for (unsigned i = 0; i < calls->workers; i++) {
		td_map_free(&calls->shards[i].dialogs);
		users_close(&calls->shards[i]);
	}
	free(calls);
}
