/*
 * What a REGISTER does to the bindings of an address (RFC 3261 §10.3 steps 6 and 7), as a function from the present
 * bindings and the request to the next ones. All or nothing: one binding out of order, or one too many, and nothing changes.
 */
#include <stdlib.h>
#include "server/location/internal.h"

static struct planned *plan_add(struct plan *p)
{
	if (p->n == p->cap) {
		unsigned cap = p->cap * 2;
		struct planned *more = malloc(cap * sizeof(*more));

		if (!more)
			return NULL;
		memcpy(more, p->p, p->n * sizeof(*more));
		if (p->p != p->inline_p)
			free(p->p);
		p->p = more;
		p->cap = cap;
	}
	struct planned *e = &p->p[p->n++];
	*e = (struct planned){ 0 };
	return e;
}

void plan_free(struct plan *p)
{
	if (p->p != p->inline_p)
		free(p->p);
}

static int start(struct plan *p, const struct image *now, uint64_t wall_s)
{
	struct td_binding b;
	size_t at = 0;

	p->p = p->inline_p;
	p->n = 0;
	p->cap = PLAN_INLINE;
	p->changed = false;
	while (now && image_next(&b, now, &at)) {
		struct planned *e = plan_add(p);

		if (!e)
			return -ENOMEM;
		e->b = b;
		e->live = b.expires_at_s > wall_s;
	}
	return 0;
}

/* The live binding of the same phone and flow: "Contact URI is not used for binding comparisons" (RFC 5626 §6). */
TD_RARE static struct planned *find_flow(struct plan *p, struct td_str params)
{
	struct td_instance mine, other;

	td_instance_of(&mine, params);
	for (unsigned i = 0; i < p->n; i++) {
		if (p->p[i].live && td_instance_of(&other, p->p[i].b.params) && other.reg_id == mine.reg_id &&
		    td_str_eq(other.id, mine.id))
			return &p->p[i];
	}
	return NULL;
}

/* A sip and a sips URI of the same phone are one binding, the later of the two (RFC 5630 §5.1.1.1). */
static bool is_same(struct td_uri *other, const struct td_uri *uri)
{
	if (other->scheme == TD_SCHEME_SIP || other->scheme == TD_SCHEME_SIPS)
		other->scheme = uri->scheme;
	return td_uri_eq(other, uri);
}

/*
 * The live binding a change speaks of: the one of the same text, which is nearly always there, else the first that §19.1.4 calls
 * equal (which is not transitive: of two bindings that differ, a third URI may equal both).
 */
static struct planned *find_contact(struct plan *p, const struct td_loc_change *c)
{
	struct td_uri uri, other;

	if (c->params.n && td_instance_is_flow(c->params))
		return find_flow(p, c->params);

	for (unsigned i = 0; i < p->n; i++)
		if (p->p[i].live && td_str_eq(p->p[i].b.contact, c->contact))
			return &p->p[i];
	if (!p->n || td_uri_parse(&uri, c->contact))
		return NULL;
	for (unsigned i = 0; i < p->n; i++)
		if (p->p[i].live && !td_uri_parse(&other, p->p[i].b.contact) && is_same(&other, &uri))
			return &p->p[i];
	return NULL;
}

enum order { NEWER, AGAIN, OLDER };

/* "If the CSeq is higher than the existing": only a Call-ID's own numbers can be compared. */
static enum order order_of(const struct planned *e, const struct td_loc_update *up)
{
	if (e->changed || !td_str_eq(e->b.call_id, up->call_id) || up->cseq > e->b.cseq)
		return NEWER;
	return up->cseq == e->b.cseq ? AGAIN : OLDER;
}

static void fill(struct planned *e, const struct td_loc_change *c, const struct td_loc_update *up, uint64_t wall_s)
{
	e->b = (struct td_binding){
		.contact = c->contact,
		.params = c->params,
		.call_id = up->call_id,
		.user_agent = up->user_agent,
		.path = up->path,
		.cseq = up->cseq,
		.q = c->q,
		.wakes = c->wakes,
		.expires_at_s = wall_s + c->expires_s,
		.flow = up->flow,
	};
	e->live = e->changed = true;
}

static int apply_change(struct plan *p, const struct td_loc_change *c, const struct td_loc_update *up, uint64_t wall_s)
{
	struct planned *e = find_contact(p, c);

	if (e) {
		switch (order_of(e, up)) {
		case OLDER: return TD_EORDER;
		case AGAIN: return 0;
		case NEWER: break;
		}
	} else if (c->expires_s) {
		e = plan_add(p);
		if (!e)
			return -ENOMEM;
	}
	if (c->expires_s)
		fill(e, c, up, wall_s);
	else if (e)
		e->live = false;
	return 0;
}

static int remove_all(struct plan *p, const struct td_loc_update *up)
{
	for (unsigned i = 0; i < p->n; i++) {
		struct planned *e = &p->p[i];

		if (!e->live)
			continue;
		enum order order = order_of(e, up);
		if (order == OLDER)
			return TD_EORDER;
		if (order == NEWER)
			e->live = false;
	}
	return 0;
}

static int apply(struct plan *p, const struct td_loc_update *up, uint64_t wall_s)
{
	unsigned before = 0, after = 0;
	int err = 0;

	for (unsigned i = 0; i < p->n; i++)
		before += p->p[i].live;
	if (up->kind == TD_LOC_REMOVE_ALL)
		err = remove_all(p, up);
	for (unsigned i = 0; up->kind == TD_LOC_UPDATE && i < up->change_n && !err; i++)
		err = apply_change(p, &up->changes[i], up, wall_s);
	for (unsigned i = 0; i < p->n; i++) {
		after += p->p[i].live;
		p->changed |= p->p[i].changed || !p->p[i].live;
	}
	if (!err && after > up->max_contacts && after > before)
		err = TD_ELIMIT; /* A11; a limit lowered since does not lock out who had more */
	return err;
}

int plan_make(struct plan *out, const struct image *now, const struct td_loc_update *up, uint64_t wall_s)
{
	int err = start(out, now, wall_s);

	if (!err && up->kind != TD_LOC_QUERY)
		err = apply(out, up, wall_s);
	if (err)
		plan_free(out);
	return err;
}

int plan_image(struct image **out, const struct plan *p, struct td_str aor, uint64_t id, uint64_t wall_s)
{
	struct td_binding inline_b[PLAN_INLINE], *b = inline_b;
	unsigned n = 0;

	if (p->n > PLAN_INLINE) {
		b = malloc(p->n * sizeof(*b));
		if (!b)
			return -ENOMEM;
	}
	for (unsigned i = 0; i < p->n; i++) {
		if (p->p[i].live)
			b[n++] = p->p[i].b;
	}
	*out = n ? image_new(aor, b, n, id, wall_s) : NULL;
	if (b != inline_b)
		free(b);
	return n && !*out ? -ENOMEM : 0;
}

int plan_write(struct td_store_write *w, const struct plan *p, struct td_str aor, uint64_t id, uint64_t wall_s)
{
	struct td_store_binding inline_b[PLAN_INLINE], *b = inline_b;
	unsigned n = 0;
	int err;

	if (p->n > PLAN_INLINE) {
		b = malloc(p->n * sizeof(*b));
		if (!b)
			return -ENOMEM;
	}
	for (unsigned i = 0; i < p->n; i++) {
		const struct td_binding *from = &p->p[i].b;

		if (!p->p[i].live)
			continue;
		b[n++] = (struct td_store_binding){
			.contact = from->contact,
			.params = from->params,
			.call_id = from->call_id,
			.user_agent = from->user_agent,
			.path = from->path,
			.cseq = from->cseq,
			.q = from->q,
			.expires_at_s = stored_expiry(from->expires_at_s, wall_s),
			.flow = from->flow,
		};
	}
	err = n ? td_store_put_address(w, id, aor, b, n) : td_store_delete_address(w, id);
	if (b != inline_b)
		free(b);
	return err;
}
