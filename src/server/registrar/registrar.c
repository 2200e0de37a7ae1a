/*
 * The steps of RFC 3261 §10.3, in its order and with its numbers. Step 1 (whose domain) was route's, 3 and 4 (who may) the
 * gate's; 6 and 7 as far as they depend on present bindings are location's. Either all of a REGISTER is done or nothing.
 */
#include "server/registrar/internal.h"

#include <errno.h>
#include <stdlib.h>

enum {
	MAX_CHANGES = 64,    /* contacts of one request, removals among them (A11) */
	MAX_PENDING = 16384, /* requests that wait for a disk that does not answer: memory has an end, 503 has none */
};

struct td_registrar {
	struct td_core *core;
	struct td_link pending;
	unsigned pending_n;
	uint64_t date_s; /* printing a date costs as much as a small answer: once a second is enough */
	char date[48];
	struct td_out date_line;
};

/* A request on its way through location; it stands in the message's arena and dies with it. */
struct pending {
	struct td_link link;
	struct td_registrar *registrar;
	struct td_msg *msg;
	const struct td_flow *from; /* the caller's; when it waits, its own copy */
	struct td_flow flow;
	struct extension *extension; /* in the same arena; NULL: none */
	bool draining;               /* and so it may not add a contact */
	struct td_loc_call *call;    /* NULL while the call that makes it runs */
};

static struct verdict no_later(const struct td_registrar *r, struct td_msg *msg)
{
	return (struct verdict){ .status = 503, .extra = td_core_come_again(r->core, msg, TD_CORE_SOON_S) };
}

static void answer(struct td_registrar *r, const struct td_msg *msg, const struct td_flow *from, const struct verdict *v)
{
	if (v->status >= 300)
		td_trace_note(
			r->core->trace, msg->call_id,
			&(struct td_note){
				.kind = TD_NOTE_NOT_REGISTERED, .a = v->status, .text = v->reason, .more = msg->to.uri.text });
	td_reply_stateless(r->core->txl, msg, from, v->status, v->reason, v->extra);
}

/* ---- step 5: the address of record ---- */

/* The address of record in To as one of ours is written, in the message's arena. */
static struct verdict read_aor(struct td_str *out, const struct td_domain **domain, const struct td_core *core,
			       struct td_msg *msg)
{
	const struct td_registrant *r = td_core_registrant(msg);
	const struct td_uri *to = &msg->to.uri;
	struct td_out o;
	size_t most;
	char *mem;

	if (r) {
		*domain = r->domain;
		*out = r->user.aor;
		return fine;
	}
	if (to->scheme != TD_SCHEME_SIP && to->scheme != TD_SCHEME_SIPS)
		return no(404, TD_STR_NULL);
	*domain = td_core_domain(core, to);
	if (!*domain)
		return no(403, TD_STR("Not a domain of ours"));
	if (!to->user.n)
		return no(404, TD_STR_NULL);
	most = 3 * to->user.n + sizeof("@") + (*domain)->name.n; /* every byte of the user may have to be escaped */
	mem = td_arena_alloc(&msg->arena, most);
	if (!mem)
		return no(500, TD_STR_NULL);
	td_out_init_fixed(&o, mem, most);
	if (td_core_aor(&o, to, *domain) || o.failed)
		return no(400, TD_STR("Bad address of record"));
	*out = td_out_view(&o);
	return fine;
}

static struct verdict find_aor(struct td_str *out, const struct td_core *core, struct td_msg *msg, const struct td_gate *who)
{
	const struct td_domain *domain = NULL;
	const struct td_user *user;
	struct td_str rest, name;

	if (who->speaker.n) {
		*out = who->speaker;
	} else {
		struct verdict v = read_aor(out, &domain, core, msg);

		if (v.status)
			return v;
	}
	if (td_str_eq(*out, who->aor) || td_users_find(core->users, *out))
		return fine;
	rest = *out;
	name = td_str_split(&rest, '@');
	user = td_users_find_extension(core->users, rest, name);
	if (user) /* one who dials 100 and one who dials alice reach the same phones */
		return td_arena_dup(out, &msg->arena, user->aor) ? no(500, TD_STR_NULL) : fine;
	return domain && domain->users == TD_USERS_ANY && who->trusted ? fine : no(404, TD_STR_NULL);
}

/* ---- steps 6 and 7: what is asked for ---- */

static bool is_one_of(struct td_str name, const struct td_str *names, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (td_str_ieq(name, names[i]))
			return true;
	return false;
}

int params_without(struct td_str *params, struct td_msg *msg, const struct td_str *names, unsigned n)
{
	struct td_str rest = *params;
	struct td_param p;
	struct td_out o;
	bool any = false;
	char *mem;

	while (td_param_next(&p, &rest) == 1)
		any |= is_one_of(p.name, names, n);
	if (!any)
		return 0;
	mem = td_arena_alloc(&msg->arena, params->n + 1);
	if (!mem)
		return -ENOMEM;
	td_out_init_fixed(&o, mem, params->n + 1);
	for (rest = *params; td_param_next(&p, &rest) == 1;) {
		if (is_one_of(p.name, names, n))
			continue;
		td_out_char(&o, ';');
		td_out_str(&o, p.name);
		if (!p.value.p)
			continue;
		td_out_char(&o, '=');
		td_out_str(&o, p.value);
	}
	*params = td_out_view(&o);
	return 0;
}

/* "expires" and "q" are kept as numbers; every other parameter as it was written. */
static int other_params(struct td_str *out, struct td_msg *msg, struct td_str params)
{
	static const struct td_str numbers[] = { TD_STR_INIT("expires"), TD_STR_INIT("q") };

	*out = params;
	return params.n ? params_without(out, msg, numbers, TD_ARRAY_LEN(numbers)) : 0;
}

/* A name, our own domain's too (RFC 4475 §3.3.14), leads nowhere by itself: such a contact is reached by the flow it registered over. */
bool leads_astray(const struct td_core *core, const struct td_uri *uri, struct td_str host)
{
	struct td_addr a;

	if (td_ip_parse(&a, host) && !(td_str_ieq(host, TD_STR("localhost")) && !td_ip_parse(&a, TD_STR("127.0.0.1"))))
		return false;
	a.port = uri->port ? uri->port : 5060;
	return td_tp_is_my_addr(core->tp, &a) || !td_route_target_allowed(core, &a);
}

static struct verdict check_contact_uri(const struct td_core *core, const struct td_uri *uri)
{
	struct td_param maddr, gr;

	if (uri->scheme != TD_SCHEME_SIP && uri->scheme != TD_SCHEME_SIPS)
		return no(400, TD_STR("Contact is no SIP URI"));
	if (leads_astray(core, uri, uri->host))
		return no(403, TD_STR("Contact not allowed"));
	if (uri->params.n && td_param_find(&gr, uri->params, TD_STR("gr")) && td_core_domain(core, uri))
		return no(403, TD_STR("Contact is one of our addresses")); /* RFC 5627 §5.1: a loop */
	if (uri->params.n && td_param_find(&maddr, uri->params, TD_STR("maddr")) && maddr.value.p &&
	    leads_astray(core, uri, maddr.value))
		return no(403, TD_STR("Contact not allowed"));
	return fine;
}

struct verdict too_brief(struct td_msg *msg, uint32_t least_s)
{
	struct verdict v = no(423, TD_STR_NULL);
	char *mem = td_arena_alloc(&msg->arena, 64);
	struct td_out o;

	if (!mem)
		return no(500, TD_STR_NULL);
	td_out_init_fixed(&o, mem, 64);
	td_put_hdr_u64(&o, TD_HDR_MIN_EXPIRES, least_s);
	v.extra = td_out_view(&o);
	return v;
}

/* The lifetime wished for: the contact's own, else the Expires field's, else ours (D8). */
static uint32_t wished_expires(const struct td_core *core, const struct td_msg *msg, const struct td_contact *c)
{
	struct td_str field = td_msg_value(msg, TD_HDR_EXPIRES);
	uint32_t s;
	int err;

	if (c->expires >= 0)
		return (uint32_t)c->expires;
	if (!field.p)
		return core->cfg->registrar.default_expires_s;
	err = td_delta_seconds(&s, field);
	if (err == TD_ELIMIT)
		return UINT32_MAX;
	return err ? core->cfg->registrar.default_expires_s : s; /* §20.19: a malformed one is no reason to refuse */
}

static struct verdict read_contact(struct td_loc_change *out, struct extension **x, const struct td_core *core,
				   struct td_msg *msg, const struct td_contact *c)
{
	struct verdict v = fine;
	uint32_t expires = wished_expires(core, msg, c);

	if (expires) { /* removing is always allowed */
		v = check_contact_uri(core, &c->addr.uri);
		if (!v.status && expires < core->cfg->registrar.min_expires_s)
			v = too_brief(msg, core->cfg->registrar.min_expires_s);
		if (expires > core->cfg->registrar.max_expires_s)
			expires = core->cfg->registrar.max_expires_s;
	}
	if (v.status)
		return v;
	*out = (struct td_loc_change){ .contact = c->addr.uri.text, .q = c->q < 0 ? 1000 : c->q, .expires_s = expires };
	if (other_params(&out->params, msg, c->addr.params))
		return no(500, TD_STR_NULL);
	if (c->addr.uri.scheme == TD_SCHEME_SIPS && expires)
		v = read_sips(x, msg);
	if (c->addr.uri.params.n && core->cfg->push.url.n && expires && !v.status)
		v = read_push(out, x, core, msg, c);
	return out->params.n && !v.status ? read_flow(out, x, msg) : v;
}

/* "*" stands alone and only removes (step 6). */
static struct verdict check_star(struct td_loc_update *up, const struct td_msg *msg, unsigned values)
{
	uint32_t expires = 1;

	if (values != 1 || td_delta_seconds(&expires, td_msg_value(msg, TD_HDR_EXPIRES)) || expires)
		return no(400, TD_STR("Contact * needs Expires 0 and nothing beside it"));
	up->kind = TD_LOC_REMOVE_ALL;
	return fine;
}

/* Nearly every request has one contact: `one` is place for it. */
static struct verdict read_contacts(struct td_loc_update *up, struct td_loc_change *one, struct extension **x,
				    const struct td_core *core, struct td_msg *msg)
{
	struct td_loc_change *changes = one;
	bool star = false;
	unsigned n = 0;
	struct td_values it TD_UNINIT;
	struct verdict v = fine;
	struct td_contact c TD_UNINIT;
	int got;

	td_values_of(&it, msg, TD_HDR_CONTACT);
	while (!v.status && (got = td_contact_next(&c, &it)) != 0) {
		if (got < 0)
			return no(400, TD_STR("Bad Contact"));
		if (n == 0 && !td_core_registrant(msg))
			td_location_approach(core->location, core->worker, up->hash);
		if (n == MAX_CHANGES)
			return no(403, TD_STR("Too many contacts"));
		if (n == 1) {
			changes = td_arena_alloc(&msg->arena, MAX_CHANGES * sizeof(*changes));
			if (!changes)
				return no(500, TD_STR_NULL);
			changes[0] = *one;
		}
		star |= c.star;
		if (!c.star)
			v = read_contact(&changes[n], x, core, msg, &c);
		n++;
	}
	if (star)
		return check_star(up, msg, n);
	up->kind = n ? TD_LOC_UPDATE : TD_LOC_QUERY;
	up->changes = changes;
	up->change_n = n;
	if (!v.status && *x)
		v = check_sips(up, *x);
	return v.status || !*x ? v : check_flows(up, *x);
}

/* ---- step 8: the answer ---- */

static struct td_str date_line(struct td_registrar *r, uint64_t now)
{
	if (now != r->date_s || !r->date_line.n) {
		r->date_s = now;
		td_out_init_fixed(&r->date_line, r->date, sizeof(r->date));
		td_out_z(&r->date_line, "Date: ");
		td_date_print(&r->date_line, now);
		td_out_z(&r->date_line, "\r\n");
	}
	return td_out_view(&r->date_line);
}

/* The Contact list and the Date, in the message's arena: one piece, as long as they can get. */
static int put_bindings(struct td_str *out, struct pending *p, const struct td_binding *b, unsigned n)
{
	struct td_registrar *r = p->registrar;
	const struct extension *x = p->extension;
	enum { AROUND = sizeof("Contact: <>;q=0.000;expires=18446744073709551615\r\n") };
	uint64_t now = td_loop_wall_s(r->core->loop);
	struct td_str date = date_line(r, now);
	size_t most = date.n + (x ? extension_lines_length(x) : 0);
	struct td_out o;
	char *mem;

	for (unsigned i = 0; i < n; i++)
		most += AROUND + b[i].contact.n + b[i].params.n + (x && x->gruu ? td_gruu_length(x->aor, &b[i]) : 0);
	mem = td_arena_alloc(&p->msg->arena, most);
	if (!mem)
		return -ENOMEM;
	td_out_init_fixed(&o, mem, most);
	for (unsigned i = 0; i < n; i++) {
		td_out_str(&o, TD_STR("Contact: <"));
		td_out_str(&o, b[i].contact);
		td_out_char(&o, '>');
		td_out_str(&o, b[i].params);
		if (x && x->gruu)
			td_gruu_put(&o, r->core->rr_key, td_loop_rng(r->core->loop), x->aor, &b[i]);
		if (b[i].q < 1000)
			td_out_fmt(&o, ";q=0.%03d", b[i].q);
		td_out_str(&o, TD_STR(";expires="));
		td_out_u64(&o, b[i].expires_at_s > now ? b[i].expires_at_s - now : 0);
		td_out_str(&o, TD_STR("\r\n"));
	}
	if (x)
		put_extension_lines(&o, x);
	td_out_str(&o, date);
	*out = td_out_view(&o);
	return 0;
}

static struct verdict verdict_of(const struct pending *p, int err)
{
	switch (err) {
	case 0: return no(200, TD_STR_NULL);
	case TD_EORDER: return no(500, TD_STR("Out of order")); /* as §12.2.2 answers a CSeq that is too low */
	case TD_ELIMIT: return no(403, TD_STR("Too many contacts"));
	case -EAGAIN: return no_later(p->registrar, p->msg);
	default: return no(500, TD_STR_NULL); /* the store has logged why */
	}
}

static void on_location(void *arg, int err, const struct td_binding *b, unsigned n)
{
	struct pending *p = arg;
	struct verdict v = verdict_of(p, err);

	if (err == TD_ELIMIT && p->draining)
		v = (struct verdict){ .status = 503,
				      .reason = TD_CORE_DRAINING,
				      .extra = td_core_come_again(p->registrar->core, p->msg, TD_CORE_LATER_S) };
	if (!err && put_bindings(&v.extra, p, b, n))
		v = no(500, TD_STR_NULL);
	answer(p->registrar, p->msg, p->from, &v);
	if (!p->call) /* it did not wait */
		return;
	td_list_del(&p->link);
	p->registrar->pending_n--;
	td_msg_unref(p->msg); /* and p with it */
}

/* ---- the face ---- */

static struct verdict submit(struct td_registrar *r, struct td_msg *msg, const struct td_flow *from,
			     const struct td_loc_update *up, struct extension *x)
{
	struct td_core *core = r->core;
	struct pending *p = td_arena_alloc(&msg->arena, sizeof(*p));
	int err;

	if (r->pending_n >= MAX_PENDING)
		return no_later(r, msg);
	if (!p)
		return no(500, TD_STR_NULL);
	*p = (struct pending){ .registrar = r, .msg = msg, .from = from, .extension = x, .draining = !up->max_contacts };
	err = td_location_update(&p->call, core->location, core->worker, up, on_location, p);
	if (err)
		return verdict_of(p, err);
	if (!p->call) /* answered */
		return fine;
	p->flow = *from;
	p->from = &p->flow;
	td_msg_ref(msg);
	td_list_add_tail(&r->pending, &p->link);
	r->pending_n++;
	return fine;
}

/* The place of the address's bindings: they come near while the contacts are read. */
static uint64_t expect_location(const struct td_core *core, const struct td_msg *msg, struct td_str aor)
{
	const struct td_registrant *r = td_core_registrant(msg);
	uint64_t hash;

	if (!r || aor.p != r->user.aor.p) /* nobody looked ahead; or it is an extension's */
		return td_location_expect(core->location, core->worker, aor);
	hash = r->location;
	td_location_approach(core->location, core->worker, hash);
	return hash;
}

void td_registrar_request(struct td_registrar *r, struct td_msg *msg, const struct td_flow *from, const struct td_gate *who)
{
	struct td_core *core = r->core;
	struct td_loc_update up = {
		.call_id = msg->call_id,
		.cseq = msg->cseq.num,
		.user_agent = td_msg_value(msg, TD_HDR_USER_AGENT),
		.flow = *from,
		/* A server that drains takes refreshes: with its state it is soon started again, and who could not refresh would not be
		 * reached then. New phones go elsewhere. */
		.max_contacts = td_core_drains(core) ? 0 : core->cfg->registrar.max_contacts,
	};
	struct td_loc_change one;
	struct extension *x = NULL;
	struct verdict v = has_extension(core, msg) ? read_extension(&x, core, msg) : fine;

	if (!v.status)
		v = find_aor(&up.aor, core, msg, who);
	if (!v.status)
		up.hash = expect_location(core, msg, up.aor);
	if (!v.status)
		v = read_contacts(&up, &one, &x, core, msg);
	if (!v.status && x) {
		up.path = x->path;
		v = extension_of_address(x, core, msg, up.aor);
	}
	if (!v.status)
		v = submit(r, msg, from, &up, x);
	if (v.status)
		answer(r, msg, from, &v);
}

int td_registrar_open(struct td_registrar **out, struct td_core *core)
{
	struct td_registrar *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->core = core;
	td_list_init(&r->pending);
	*out = r;
	return 0;
}

void td_registrar_close(struct td_registrar *r)
{
	if (!r)
		return;
	while (!td_list_empty(&r->pending)) {
		struct pending *p = TD_CONTAINER_OF(r->pending.next, struct pending, link);

		td_loc_cancel(p->call);
		td_list_del(&p->link);
		td_msg_unref(p->msg);
	}
	free(r);
}
