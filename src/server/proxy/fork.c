/*
 * The target set and the order in which it is tried (§16.5, §16.6, §16.7 step 4). A request for a user goes to his bindings: to
 * all of them at once, or (fork: serial) to those with the highest q first, to the next group when nobody of one group answered, or
 * when it has rung for ring_time.
 *
 * Nearly always one lookup is all there is. A seek is what remembers more: an address of record whose bindings are targets later on.
 * It is asked for when its turn comes and asked again for the next group, so what is tried is always what is registered then, and
 * nothing has to be kept meanwhile. And it watches the address: a phone that registers late rings too. An INVITE to all
 * bindings at once gets its seek when it has rung for a second, since most that are answered by programs never need one; the lookup
 * at that time finds who came meanwhile.
 *
 * A number of `ring` has several seeks: all at once, and others (later) when none of the first was answered for its timeout.
 *
 * Whoever was tried is not tried again: a branch is known by the URI that it was sent to.
 */
#include "server/proxy/internal.h"

#include <errno.h>
#include <stdlib.h>

enum {
	LATE_MAX = 8, /* branches for phones that came late, of one call */
	ANY_Q = 1001, /* above every q */
	RESERVE = 6,  /* of the breadth a call may use, so many parts to one stay for phones that come late */
};

/* ---- branches there are ---- */

/* Without the scheme: a sips contact may be called by a sip URI (forward.c), and is the same phone. */
static struct td_str after_scheme(struct td_str uri)
{
	const char *colon = td_str_chr(uri, ':');

	return colon ? td_str_n(colon, (size_t)(uri.p + uri.n - colon)) : uri;
}

static uint64_t id_of(const struct px_context *c, struct td_str uri)
{
	return td_hash_str(&c->px->key, after_scheme(uri));
}

void px_branch_remember(struct px_branch *b, struct td_str uri)
{
	b->tried = id_of(b->ctx, uri);
}

/* lost_too: also by a branch whose way was lost. */
static inline bool was_sent(const struct px_context *c, struct td_str uri, bool lost_too)
{
	uint64_t id = c->branches ? id_of(c, uri) : 0;
	struct td_str sent;

	for (const struct px_branch *b = c->branches; b; b = b->next) {
		if (b->flow_lost && !lost_too)
			continue;
		if (b->tried ? b->tried == id
			     : b->ct && px_sent_uri(&sent, td_clitx_bytes(b->ct)) &&
				       td_str_eq(after_scheme(sent), after_scheme(uri)))
			return true;
	}
	return false;
}

bool px_tried(const struct px_context *c, struct td_str uri)
{
	return was_sent(c, uri, true);
}

unsigned px_room(const struct px_context *c)
{
	unsigned max = c->px->core->cfg->proxy.max_branches, n = 0;

	for (const struct px_branch *b = c->branches; b; b = b->next)
		n++;
	return n < max ? max - n : 0;
}

/* ---- breadth (RFC 5393 §5.3.3) ---- */

unsigned px_breadth(const struct td_msg *msg, unsigned n)
{
	struct td_str v = td_msg_value(msg, TD_HDR_MAX_BREADTH);
	uint32_t have = 60;

	if (v.p && (td_str_u32(&have, v) || have > 60))
		have = 60;
	return have / (n ? n : 1);
}

/* "the sum of the Max-Breadth values of all branches pending" stays below what came in; what ended gives its part back. */
unsigned px_breadth_left(const struct px_context *c)
{
	unsigned left = px_breadth(c->msg, 1);

	for (const struct px_branch *b = c->branches; b; b = b->next)
		if (!b->status)
			left -= b->breadth < left ? b->breadth : left;
	return left;
}

/*
 * What each of n new branches gets, of what is shared with the addresses that are to be looked up yet. A phone that comes late is the
 * end of the way, as a rule: 1 will do, and leaves some to others.
 */
static unsigned share(const struct px_context *c, unsigned n, bool late)
{
	unsigned left = px_breadth_left(c), kept = c->invite ? left / RESERVE : 0, addresses = 1, each;

	if (late)
		return left >= n;
	for (const struct px_seek *s = c->seeks; s; s = s->next)
		addresses += s->wanted;
	each = (left - kept) / (n * addresses);
	return each ? each : left >= n;
}

/* ---- bindings ---- */

/* The q of the group that comes next: the highest below the last one's. -1: there is none. */
static int next_group(const struct px_seek *s, const struct td_binding *b, unsigned n)
{
	int q = -1;

	for (unsigned i = 0; i < n; i++)
		if (b[i].q < s->q && b[i].q > q)
			q = b[i].q;
	return q;
}

/* Can it be reached, as far as is known? */
static bool has_flow(const struct td_core *core, const struct td_binding *b)
{
	return !b->flow.conn || b->path.n || td_tp_flow_alive(core->tp, &b->flow);
}

/*
 * "The proxy MUST NOT populate the target set with more than one contact with the same AOR and instance-id at a time" (RFC 5626 §7): of
 * several ways to one phone the one that stands, and of these the one refreshed last (RFC 5627 §6.1), which is as a rule the one that
 * ends last.
 */
TD_RARE static bool is_better(const struct td_core *core, const struct td_binding *a, const struct td_binding *b)
{
	bool alive = has_flow(core, a);

	if (alive != has_flow(core, b))
		return alive;
	return a->expires_at_s != b->expires_at_s ? a->expires_at_s > b->expires_at_s : a > b;
}

/* ---- ways that a proxy next to a phone has lost (430) ---- */

static uint64_t way_of(const struct px_context *c, struct td_str uri, struct td_str path)
{
	struct td_hasher h;

	td_hasher_init(&h, &c->px->key);
	td_hasher_add(&h, after_scheme(uri));
	td_hasher_add(&h, path);
	return td_hasher_end(&h);
}

static bool is_lost(const struct px_context *c, const struct px_seek *s, const struct td_binding *b)
{
	uint64_t way = s && s->lost_n ? way_of(c, b->contact, b->path) : 0;

	for (unsigned i = 0; s && i < s->lost_n; i++)
		if (s->lost[i] == way)
			return true;
	return false;
}

/* Two ways to a phone may have one URI. */
static bool is_tried(const struct px_context *c, const struct px_seek *s, const struct td_binding *b)
{
	if (!s || !s->lost_n)
		return px_tried(c, b->contact);
	return is_lost(c, s, b) || was_sent(c, b->contact, false);
}

static struct px_seek *seek_of_user(struct px_context *c)
{
	if (!c->seeks && c->setup->route.kind == TD_ROUTE_USER)
		px_seek_add(c, c->setup->route.aor, true);
	return c->seeks;
}

bool px_flow_lost(struct px_branch *b)
{
	struct px_context *c = b->ctx;
	struct td_buf *sent = td_clitx_bytes(b->ct);
	struct px_seek *s;
	struct td_msg *m;

	if (c->cancelled || c->final_sent || !sent || !px_unshelve(c) || !(s = seek_of_user(c)))
		return false;
	b->flow_lost = true;
	if (s->lost_n == LOST_MAX || px_declined(c) || td_msg_parse(&m, sent, 0, sent->len))
		return true;
	s->lost[s->lost_n++] = way_of(c, m->uri, td_msg_value(m, TD_HDR_ROUTE));
	td_msg_unref(m);
	if (s->serial && s->begun && !s->wanted)
		s->q++; /* the same group once more: of it only the other way is left */
	s->wanted = true;
	px_look(c);
	return true;
}

static bool is_shadowed(const struct px_context *c, const struct px_seek *s, const struct td_binding *all, unsigned n,
			const struct td_binding *b)
{
	const struct td_core *core = c->px->core;
	struct td_instance mine, other;

	if (n == 1 || !b->params.n || !td_instance_of(&mine, b->params))
		return false;
	for (unsigned i = 0; i < n; i++)
		if (&all[i] != b && all[i].params.n && td_instance_of(&other, all[i].params) && td_str_eq(other.id, mine.id) &&
		    is_better(core, &all[i], b) && !is_lost(c, s, &all[i]))
			return true;
	return false;
}

/* Known, and not there now (§16.5). A temporary address of a phone that is not bound to it any more is nobody's (RFC 5627 §5.3, §6.1). */
unsigned px_nobody_there(const struct td_core *core, const struct td_route *route, const struct td_binding *b, unsigned n)
{
	if (!route->gruu || !route->gruu->temporary)
		return 480;
	for (unsigned i = 0; i < n; i++)
		if (td_gruu_is(route->gruu, core->rr_key, &b[i]))
			return 480;
	return 404;
}

static bool is_wanted(const struct px_context *c, const struct px_seek *s, int q, const struct td_binding *all, unsigned n,
		      const struct td_binding *b)
{
	const struct td_core *core = c->px->core;
	const struct td_gruu *gruu = c->setup ? c->setup->route.gruu : NULL;

	return (!s || !s->serial || b->q >= q) && !is_tried(c, s, b) && !is_shadowed(c, s, all, n, b) &&
	       !(c->setup && c->setup->route.sips && !px_is_sips(b->contact)) && (!gruu || td_gruu_is(gruu, core->rr_key, b));
}

static struct td_str aor_of(const struct px_context *c, const struct px_seek *s)
{
	return s->aor_n ? td_str_n(s->aor, s->aor_n) : c->setup->route.aor;
}

/* Branches for those of the bindings whose q is high enough. How many there are now more. */
static inline __attribute__((always_inline)) unsigned start(struct px_context *c, const struct px_seek *s, int q,
							    const struct td_binding *b, unsigned n, bool late)
{
	unsigned room = c->px->core->cfg->proxy.max_branches, want = n, started = 0, each;
	bool push = c->px->core->cfg->push.url.n;
	bool all =
		n == 1 && !c->branches && !(s && s->serial) && !c->setup->route.gruu && !c->setup->route.sips; /* nearly always */
	struct px_target t TD_UNINIT;

	if (!all) {
		room = px_room(c);
		want = 0;
		for (unsigned i = 0; i < n; i++)
			want += is_wanted(c, s, q, b, n, &b[i]);
	}
	if (want > room)
		want = room;
	if (!want)
		return 0;
	each = share(c, want, late);
	if (!each && !c->branches)
		px_reply(c, 440, TD_STR("Max-Breadth Exceeded"));
	for (unsigned i = 0; i < n && each && started < want; i++) {
		if ((!all && !is_wanted(c, s, q, b, n, &b[i])) ||
		    (push && px_sleeps(c, &b[i], s ? aor_of(c, s) : c->setup->route.aor)) ||
		    px_target_of_binding(&t, c->px->core, &b[i], c->setup->route.sips))
			continue;
		t.breadth = each;
		px_branch_start(c, &t);
		started++;
	}
	return started;
}

/* The same, where there is something before it. */
static unsigned start_more(struct px_context *c, const struct px_seek *s, int q, const struct td_binding *b, unsigned n,
			   bool late)
{
	return start(c, s, q, b, n, late);
}

/* ---- seeks ---- */

static struct px_seek *wanted(const struct px_context *c)
{
	struct px_seek *s = c->seeks;

	while (s && !s->wanted)
		s = s->next;
	return s;
}

static void mark_begun(struct px_seek *s)
{
	s->wanted = false;
	s->begun = true;
}

static bool any_more(const struct px_context *c)
{
	for (const struct px_seek *s = c->seeks; s; s = s->next)
		if (s->more || s->wanted)
			return true;
	return false;
}

static void ring_over(struct td_timer *tm, void *arg)
{
	struct px_context *c = arg;

	px_context_enter(c);
	for (struct px_branch *b = c->branches; b; b = b->next)
		b->given_up |= !b->status;
	px_cancel_branches(c, TD_STR_NULL);
	px_fork_on(c);
	px_context_leave(c);
}

/* The group rings for a while if others come after it. */
static void ring_for(struct px_context *c)
{
	struct td_loop *loop = c->px->core->loop;

	if (!c->invite)
		return;
	if (!any_more(c)) { /* the last one rings until it is answered, or Timer C */
		if (c->ring)
			td_timer_stop(loop, c->ring);
		return;
	}
	if (!c->ring) {
		c->ring = malloc(sizeof(*c->ring));
		if (!c->ring)
			return; /* it goes on when the group has failed */
		td_timer_init(c->ring, ring_over, c);
	}
	td_timer_start(loop, c->ring, (uint64_t)c->setup->route.ring_time_s * 1000);
}

static void begin_group(struct px_context *c, struct px_seek *s, const struct td_binding *b, unsigned n)
{
	int before = s->q, q = next_group(s, b, n);

	if (q < 0)
		return;
	s->q = (int16_t)q;
	s->more = next_group(s, b, n) >= 0;
	if (start_more(c, s, q, b, n, false) == 0 && c->branches && !px_breadth_left(c)) {
		s->q = (int16_t)before; /* once those that are being cancelled have given back their breadth */
		s->more = true;
	}
}

/* An ACK without a dialog of ours: to all, since whichever answered must get it; the others ignore it. */
static void found(void *arg, int err, const struct td_binding *b, unsigned n)
{
	struct px_context *c = arg;
	struct px_seek *s = wanted(c);
	const struct td_core *core = c->px->core;
	unsigned started = 0;

	px_context_enter(c);
	c->lookup = NULL;
	if (s)
		mark_begun(s);
	if (!c->branches && (c->invite || !n))
		px_note_bindings(c->px->core, c->msg, s ? aor_of(c, s) : c->setup->route.aor, b, n);
	if (!err && !s)
		started = start(c, NULL, 0, b, n, false);
	else if (!err && s->serial)
		begin_group(c, s, b, n);
	else if (!err)
		start_more(c, s, 0, b, n, false);
	else if (!c->branches && !any_more(c))
		px_reply(c, 500, TD_STR("Location Not Available"));
	if (s)
		ring_for(c);
	px_look(c);
	px_wake_looked(c);
	if (!started && !c->branches && !c->lookup && !px_wake_of(c) && !any_more(c))
		px_reply_with(c, px_nobody_there(core, &c->setup->route, b, n), TD_STR_NULL,
			      px_nobody_secure(core, c->msg, &c->setup->route, b, n));
	if (!c->st)
		c->final_sent = true;
	px_context_leave(c);
}

void px_look(struct px_context *c)
{
	struct td_core *core = c->px->core;
	struct px_seek *s;

	while (!c->lookup && !c->final_sent && !c->cancelled && (s = wanted(c))) {
		if (!s->watch.fn ||
		    td_location_lookup_watched(&c->lookup, core->location, core->worker, &s->watch, aor_of(c, s), found, c)) {
			c->lookup = NULL;
			s->wanted = false;
		}
	}
}

/* A phone registered. It may be one that was tried already. */
static void late(struct td_loc_watch *w, const struct td_binding *b, unsigned n)
{
	struct px_seek *s = TD_CONTAINER_OF(w, struct px_seek, watch);
	struct px_context *c = s->ctx;
	bool new = false;

	if (c->final_sent || c->cancelled || c->depth || !s->begun || s->late == LATE_MAX || px_declined(c))
		return;
	for (unsigned i = 0; i < n && !new; i++)
		new = is_wanted(c, s, s->q, b, n, &b[i]);
	px_context_enter(c);
	if (s->serial)
		s->more = s->more || next_group(s, b, n) >= 0;
	if (new &&px_unshelve(c)) {
		if (n > LATE_MAX)
			n = LATE_MAX;
		s->late += (uint8_t)start_more(c, s, s->q, b, n, true);
		if (s->late > LATE_MAX)
			s->late = LATE_MAX;
	}
	px_context_leave(c);
}

struct px_seek *px_seek_add(struct px_context *c, struct td_str aor, bool own)
{
	struct td_core *core = c->px->core;
	struct px_seek **end = &c->seeks, *s = malloc(sizeof(*s) + (own ? 0 : aor.n));

	if (!s)
		return NULL;
	*s = (struct px_seek){ .ctx = c, .q = ANY_Q, .serial = c->setup->route.serial, .wanted = true };
	if (!own) {
		s->aor_n = (uint16_t)aor.n;
		memcpy(s->aor, aor.p, aor.n);
	}
	td_location_watch(&s->watch, core->location, core->worker, aor, late);
	while (*end)
		end = &(*end)->next;
	*end = s;
	return s;
}

void px_seeks_free(struct px_context *c)
{
	struct td_core *core = c->px->core;
	struct px_seek *s;

	if (c->ring) {
		td_timer_stop(core->loop, c->ring);
		free(c->ring);
		c->ring = NULL;
	}
	while ((s = c->seeks)) {
		c->seeks = s->next;
		td_location_unwatch(&s->watch, core->location, core->worker);
		free(s);
	}
}

/* ---- going on ---- */

bool px_declined(const struct px_context *c)
{
	for (const struct px_branch *b = c->branches; b; b = b->next)
		if (b->status >= 600)
			return true;
	return false;
}

bool px_unshelve(struct px_context *c)
{
	struct td_core *core = c->px->core;
	struct px_setup *setup;
	struct td_msg *msg;

	if (c->msg)
		return true;
	msg = c->st ? td_srvtx_msg(c->st) : NULL;
	setup = msg ? td_arena_alloc(&msg->arena, sizeof(*setup)) : NULL;
	if (!setup)
		return false;
	setup->from = *td_srvtx_flow(c->st);
	/* Decided as before, unless it would be decided otherwise now. */
	if (td_route_decide(&setup->route, core, msg, &setup->from) || td_route_admitted(&setup->route, core, msg) ||
	    setup->route.kind != TD_ROUTE_USER || setup->route.stateless) {
		td_srvtx_shelve(c->st);
		return false;
	}
	c->msg = td_msg_ref(msg);
	c->setup = setup;
	return true;
}

/* All that have more to try, of those who come first or those who come later. */
static bool next_of(struct px_context *c, bool later)
{
	bool any = false;

	for (struct px_seek *s = c->seeks; s; s = s->next) {
		if (!s->more || s->later != later)
			continue;
		s->wanted = any = true;
		s->more = false;
	}
	return any;
}

bool px_fork_on(struct px_context *c)
{
	bool any = false;

	if (c->cancelled || c->final_sent || c->lookup || px_declined(c))
		return false;
	for (int later = 0; later < 2 && !any; later++)
		any = next_of(c, later);
	if (!any)
		return false;
	if (px_unshelve(c)) {
		px_look(c);
		return true;
	}
	for (struct px_seek *s = c->seeks; s; s = s->next)
		s->wanted = false;
	return false;
}

void px_fork_rings(struct px_context *c)
{
	if (c->late_too || c->final_sent || c->cancelled)
		return;
	c->late_too = true;
	if (c->seeks || c->lookup || !px_unshelve(c) || c->setup->route.kind != TD_ROUTE_USER)
		return;
	if (px_seek_add(c, c->setup->route.aor, true))
		px_look(c);
}

/* Several addresses, or one in groups. */
static void fork_by_seeks(struct px_context *c)
{
	const struct td_route *route = &c->setup->route;
	struct px_seek *s = px_seek_add(c, route->aor, true);

	c->late_too = true;
	for (unsigned i = 1; s && i < route->ring_n; i++) {
		s = px_seek_add(c, route->ring[i].aor, false);
		if (s && route->ring[i].later) {
			s->later = s->more = true;
			s->wanted = false;
		}
	}
	if (s)
		px_look(c);
	else
		px_reply(c, 500, TD_STR_NULL);
}

void px_fork(struct px_context *c)
{
	struct td_core *core = c->px->core;
	const struct td_route *route = &c->setup->route;

	if ((route->serial || route->ring_n > 1) && c->st) {
		fork_by_seeks(c);
	} else if (td_location_lookup(&c->lookup, core->location, core->worker, route->aor, found, c)) {
		c->lookup = NULL;
		px_reply(c, 500, TD_STR_NULL);
		c->final_sent = true;
	}
}
