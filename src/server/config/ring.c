/*
 * What a number or name reaches: `ring`. Names are brought into the form in which an address of record has them, numbers into digits,
 * so that route only has to compare. Whom they reach are users of this server; whether these exist is known when they are called.
 */
#include <errno.h>
#include <stdlib.h>

#include "internal.h"

enum { MOST = 20 }; /* users of one list: all of them ring at once */

/* "sales", "sales@example.test", "+49 30 123-45": name and domain. *domain stays NULL for a "+" number, the same in all domains. */
static int name_of(struct td_str *name, const struct td_domain **domain, struct td_config *c, const char *z)
{
	struct td_str at = td_str_of(z), who = td_str_split(&at, '@');
	struct td_uri u = { .scheme = TD_SCHEME_SIP };
	struct td_out o, plain;
	int err;

	*domain = at.p ? td_config_domain(c, at) : &c->domains[0];
	if (!*domain || !who.n)
		return TD_ENOTFOUND;
	td_out_init(&o);
	td_out_init(&plain);
	for (size_t i = 0; i < who.n; i++)
		if (who.p[i] != ' ')
			td_out_char(&plain, who.p[i]);
	if (td_tel_put(&o, td_out_view(&plain)) == 0 && o.p[0] == '+' && !at.p)
		*domain = NULL;
	if (!o.n)
		td_escape_user(&o, td_out_view(&plain));
	u.user = td_out_view(&o);
	plain.n = 0;
	err = td_uri_aor(&plain, &u); /* "name@" */
	if (!err)
		err = o.failed || plain.failed ? -ENOMEM : td_arena_dup(name, &c->arena, td_str_n(plain.p, plain.n - 1));
	td_out_free(&o);
	td_out_free(&plain);
	return err;
}

static int address_of(struct td_str *out, struct td_config *c, const struct td_domain *own, const char *z, bool *found)
{
	const struct td_domain *d;
	struct td_str name;
	struct td_out o;
	int err = name_of(&name, &d, c, z);

	*found = !err;
	if (err)
		return err == -ENOMEM ? err : 0;
	if (!strchr(z, '@') || !d)
		d = own;
	td_out_init(&o);
	td_out_str(&o, name);
	td_out_char(&o, '@');
	td_out_str(&o, d->name);
	err = o.failed ? -ENOMEM : td_arena_dup(out, &c->arena, td_out_view(&o));
	td_out_free(&o);
	return err;
}

static int check_list(struct td_str **out, unsigned *out_n, struct td_config *c, const struct td_domain *own, char *const *raw,
		      unsigned n, struct report *r, const char *at, const char *key)
{
	char item[12];
	bool found;
	int err;

	if (n > MOST)
		report_at(r, AT("ring", at, key), "%u are too many to ring at once (at most %u)", n, MOST);
	*out = td_arena_zalloc(&c->arena, (n + 1) * sizeof(**out));
	if (!*out)
		return -ENOMEM;
	for (unsigned i = 0; i < n; i++) {
		snprintf(item, sizeof(item), "%u", i);
		err = address_of(&(*out)[*out_n], c, own, raw[i], &found);
		if (err)
			return err;
		if (found)
			(*out_n)++;
		else
			report_at(r, AT("ring", at, key, item),
				  "\"%s\" is nobody here (want a user, or USER@DOMAIN of a domain above)", raw[i]);
	}
	return 0;
}

static int check_one(struct td_ring *out, struct td_config *c, const struct raw_ring *raw, struct report *r, const char *at)
{
	const struct td_domain *d = NULL, *own;
	int err = raw->number ? name_of(&out->name, &d, c, raw->number) : TD_ENOTFOUND;

	if (err == -ENOMEM)
		return err;
	if (err) {
		report_at(r, AT("ring", at, "number"),
			  "\"%s\" is no number or name (want +49301234, 4711, sales or sales@DOMAIN of a domain above)",
			  raw->number ? raw->number : "");
		return 0;
	}
	own = d ? d : &c->domains[0];
	out->domain = d ? d->name : TD_STR_NULL;
	out->timeout_s = RING_TIMEOUT_S;
	check_duration(&out->timeout_s, raw->timeout, 1, r, AT("ring", at, "timeout"));
	if (raw->timeout && !raw->then_count)
		report_at(r, AT("ring", at, "timeout"), "nothing comes after it (want then: [USER, …])");
	if (!raw->to_count)
		report_at(r, AT("ring", at, "to"), "empty (want a list of users)");
	if (own->mode != TD_MODE_PROXY)
		report_at(r, AT("ring", at, "number"), "only a domain of mode: proxy rings several users");
	err = check_list(&out->to, &out->to_n, c, own, raw->to, raw->to_count, r, at, "to");
	return err ? err : check_list(&out->then, &out->then_n, c, own, raw->then, raw->then_count, r, at, "then");
}

static int by_name(const void *a, const void *b)
{
	const struct td_ring *x = a, *y = b;
	int order = td_str_cmp(x->name, y->name);

	return order ? order : td_str_cmp(x->domain, y->domain);
}

int config_check_ring(struct td_config *c, const struct raw_config *raw, struct report *r)
{
	char at[12];
	int err;

	c->ring = td_arena_zalloc(&c->arena, (raw->ring_count + 1) * sizeof(*c->ring));
	if (!c->ring)
		return -ENOMEM;
	for (unsigned i = 0; i < raw->ring_count; i++) {
		snprintf(at, sizeof(at), "%u", i);
		err = check_one(&c->ring[c->ring_n], c, &raw->ring[i], r, at);
		if (err)
			return err;
		c->ring_n++;
	}
	qsort(c->ring, c->ring_n, sizeof(*c->ring), by_name);
	for (unsigned i = 1; i < c->ring_n; i++)
		if (c->ring[i].name.n && !by_name(&c->ring[i - 1], &c->ring[i]))
			report_at(r, AT("ring"), "\"%.*s\" is listed twice", TD_FMT(c->ring[i].name));
	return 0;
}

static void put_users(struct td_out *o, const char *key, const struct td_str *users, unsigned n)
{
	td_out_fmt(o, "    %s:\n", key);
	for (unsigned i = 0; i < n; i++)
		td_out_fmt(o, "      - \"%.*s\"\n", TD_FMT(users[i]));
}

void config_put_ring(struct td_out *o, const struct td_config *c)
{
	td_out_z(o, c->ring_n ? "ring:\n" : "ring: []\n");
	for (unsigned i = 0; i < c->ring_n; i++) {
		const struct td_ring *ring = &c->ring[i];

		td_out_fmt(o, "  - number: \"%.*s", TD_FMT(ring->name));
		if (ring->domain.p)
			td_out_fmt(o, "@%.*s", TD_FMT(ring->domain));
		td_out_z(o, "\"\n");
		put_users(o, "to", ring->to, ring->to_n);
		if (!ring->then_n)
			continue;
		td_out_fmt(o, "    timeout: %us\n", ring->timeout_s);
		put_users(o, "then", ring->then, ring->then_n);
	}
}

const struct td_ring *td_config_ring(const struct td_config *c, struct td_str name, struct td_str domain)
{
	unsigned low = 0, high = c->ring_n;

	while (low < high) { /* the first of that name */
		unsigned mid = (low + high) / 2;

		if (td_str_cmp(c->ring[mid].name, name) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	for (; low < c->ring_n && td_str_eq(c->ring[low].name, name); low++)
		if (!c->ring[low].domain.p || td_str_eq(c->ring[low].domain, domain))
			return &c->ring[low];
	return NULL;
}
