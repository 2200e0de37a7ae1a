/*
 * Numbers and names that stand for users: what `ring` says they reach, extensions, and telephone numbers however they are written.
 * Asked after the gate, since the answers tell who exists here (A4).
 */
#include "server/route/internal.h"

#include <errno.h>

/* A user's address, or the one that aor is the extension of. */
static bool is_user(struct td_str *out, const struct td_core *core, struct td_str aor)
{
	struct td_str domain = aor, name = td_str_split(&domain, '@');
	const struct td_user *u;

	*out = aor;
	if (td_users_find(core->users, aor))
		return true;
	u = td_users_find_extension(core->users, domain, name);
	if (u)
		*out = u->aor;
	return u;
}

static bool is_anybody(const struct td_core *core, struct td_str aor)
{
	struct td_str domain = aor;
	const struct td_domain *d;

	td_str_split(&domain, '@');
	d = td_config_domain(core->cfg, domain);
	return d && d->users == TD_USERS_ANY;
}

static bool is_listed(const struct td_route *r, struct td_str aor)
{
	for (unsigned i = 0; i < r->ring_n; i++)
		if (td_str_eq(r->ring[i].aor, aor))
			return true;
	return false;
}

/* Those of a list who exist, each once, copied: the configuration may be another one when they are asked for. */
static int add(struct td_route *r, const struct td_core *core, struct td_msg *msg, const struct td_str *list, unsigned n,
	       bool later)
{
	for (unsigned i = 0; i < n; i++) {
		struct td_str aor;
		int err;

		if ((!is_user(&aor, core, list[i]) && !is_anybody(core, list[i])) || is_listed(r, aor))
			continue;
		err = td_arena_dup(&r->ring[r->ring_n].aor, &msg->arena, aor);
		if (err)
			return err;
		r->ring[r->ring_n++].later = later;
	}
	return 0;
}

/* TD_ENOTFOUND: nobody it names exists. */
static int take_list(struct td_route *r, const struct td_core *core, struct td_msg *msg, const struct td_ring *list)
{
	bool later;
	int err;

	r->ring = td_arena_zalloc(&msg->arena, (list->to_n + list->then_n) * sizeof(*r->ring));
	if (!r->ring)
		return -ENOMEM;
	err = add(r, core, msg, list->to, list->to_n, false);
	later = r->ring_n; /* is nobody there who is first, those who come after them are */
	if (!err)
		err = add(r, core, msg, list->then, list->then_n, later);
	if (err)
		return err;
	if (!r->ring_n)
		return TD_ENOTFOUND;
	if (list->then_n)
		r->ring_time_s = list->timeout_s;
	r->aor = r->ring[0].aor;
	return 0;
}

/* 0, TD_ENOTFOUND or -ENOMEM. aor: in the message's arena. */
static int find(struct td_route *r, const struct td_core *core, struct td_msg *msg, struct td_str aor)
{
	struct td_str domain = aor, found;
	const struct td_ring *list;

	if (core->cfg->ring_n) {
		struct td_str name = td_str_split(&domain, '@');

		list = td_config_ring(core->cfg, name, domain);
		if (list)
			return take_list(r, core, msg, list);
	}
	if (!is_user(&found, core, aor))
		return TD_ENOTFOUND;
	r->aor = aor;
	return found.p == aor.p ? 0 : td_arena_dup(&r->aor, &msg->arena, found);
}

/* (030) 123-45 is 03012345, and %2B49 is +49. TD_ENOTFOUND: it is no number, or written so already. */
static int as_number(struct td_str *out, struct td_msg *msg, struct td_str aor)
{
	struct td_str domain = aor, name = td_str_split(&domain, '@');
	struct td_out o, plain;
	char *text;

	/* nearly every name */
	if (!name.n || ((name.p[0] | 0x20) >= 'a' && (name.p[0] | 0x20) <= 'z'))
		return TD_ENOTFOUND;
	text = td_arena_alloc(&msg->arena, aor.n + name.n);
	if (!text)
		return -ENOMEM;
	td_out_init_fixed(&plain, text, name.n);
	td_out_init_fixed(&o, text + name.n, aor.n);
	if (td_unescape(&plain, name) || td_tel_put(&o, td_out_view(&plain)) || o.n == name.n)
		return TD_ENOTFOUND;
	td_out_char(&o, '@');
	td_out_str(&o, domain);
	*out = td_out_view(&o);
	return 0;
}

int route_find(struct td_route *r, const struct td_core *core, struct td_msg *msg)
{
	struct td_str plain;
	int err = find(r, core, msg, r->aor);

	if (err == TD_ENOTFOUND) {
		err = as_number(&plain, msg, r->aor);
		if (!err)
			err = find(r, core, msg, plain);
	}
	return err == TD_ENOTFOUND && r->any_user ? 0 : err;
}
