/*
 * The dialog state of RFC 3261 §12.1, made from the message that creates it and changed only by target refreshes. Everything it
 * keeps is copied into its own arena. A refreshed target is written over the old one where it fits, and gets at least twice the room
 * where it does not: a peer that refreshes all day costs no more than its longest URI.
 */
#include <tandem/dialog.h>

#include <errno.h>
#include <stdlib.h>

static int dup(struct td_str *out, struct td_dialog *d, struct td_str s)
{
	return td_arena_dup(out, &d->arena, s);
}

/* From or To as we shall write it: everything but the tag, which may change place. */
static int dup_party(struct td_str *out, struct td_dialog *d, struct td_str value)
{
	struct td_name_addr a;
	struct td_param p;
	struct td_str rest;
	struct td_out o;
	int err = td_name_addr_parse(&a, value);

	if (err)
		return TD_ESYNTAX;
	rest = a.params;
	td_out_init(&o);
	if (a.display.n) {
		td_out_str(&o, a.display);
		td_out_char(&o, ' ');
	}
	td_out_char(&o, '<');
	td_out_str(&o, a.uri.text);
	td_out_char(&o, '>');
	while ((err = td_param_next(&p, &rest)) == 1) {
		if (td_str_ieq(p.name, TD_STR("tag")))
			continue;
		td_out_char(&o, ';');
		td_out_str(&o, p.name);
		if (p.value.p) {
			td_out_char(&o, '=');
			td_out_str(&o, p.value);
		}
	}
	if (!err)
		err = o.failed ? -ENOMEM : dup(out, d, td_out_view(&o));
	td_out_free(&o);
	return err;
}

static int contact_of(struct td_str *out, const struct td_msg *m)
{
	struct td_values it;
	struct td_str v;
	struct td_contact c;
	int err;

	td_values_of(&it, m, TD_HDR_CONTACT);
	err = td_values_next(&v, &it);
	if (err == 1)
		err = td_contact_parse(&c, v);
	else
		err = err ? err : TD_ENOTFOUND;
	if (!err && (c.star || c.addr.uri.scheme == TD_SCHEME_OTHER))
		err = TD_ESYNTAX;
	if (!err) {
		*out = c.addr.uri.text;
		if (c.addr.uri.headers.p) /* "?…" does not belong in a Request-URI (§19.1.1) */
			out->n = (size_t)(c.addr.uri.headers.p - 1 - out->p);
	}
	return err;
}

static int set_target(struct td_dialog *d, struct td_str text)
{
	size_t room = d->target_room;
	char *p = (char *)d->target.p;

	if (text.n > room) {
		room = text.n > 2 * room ? text.n : 2 * room;
		p = td_arena_alloc(&d->arena, room);
		if (!p)
			return -ENOMEM;
	}
	memcpy(p, text.p, text.n);
	d->target = td_str_n(p, text.n);
	d->target_room = room;
	return 0;
}

int td_dialog_refresh_target(struct td_dialog *d, const struct td_msg *m)
{
	struct td_str text;

	if (contact_of(&text, m) || td_str_eq(text, d->target))
		return 0;
	return set_target(d, text);
}

/* Record-Route: as it stands for the UAS, reversed for the UAC (§12.1.1, §12.1.2). */
static int take_route_set(struct td_dialog *d, const struct td_msg *m)
{
	struct td_values it;
	struct td_str v;
	unsigned n = 0, i = 0;
	struct td_str *route;
	int err;

	td_values_of(&it, m, TD_HDR_RECORD_ROUTE);
	while ((err = td_values_next(&v, &it)) == 1)
		n++;
	if (err)
		return err;
	route = n ? td_arena_alloc(&d->arena, n * sizeof(*route)) : NULL;
	if (n && !route)
		return -ENOMEM;
	td_values_of(&it, m, TD_HDR_RECORD_ROUTE);
	while (td_values_next(&v, &it) == 1) {
		if (dup(&route[d->uac ? n - 1 - i : i], d, v))
			return -ENOMEM;
		i++;
	}
	d->route = route;
	d->route_n = n;
	return 0;
}

static int fill(struct td_dialog *d, const struct td_msg *m, struct td_str local_tag, struct td_str remote_tag)
{
	struct td_str target;
	int err;

	err = contact_of(&target, m);
	if (err)
		return err == -ENOMEM ? err : TD_ESYNTAX;
	err = set_target(d, target);
	if (!err)
		err = dup(&d->call_id, d, m->call_id);
	if (!err)
		err = dup(&d->local_tag, d, local_tag);
	if (!err)
		err = dup(&d->remote_tag, d, remote_tag);
	if (!err)
		err = dup_party(&d->local, d, d->uac ? m->from.text : m->to.text);
	if (!err)
		err = dup_party(&d->remote, d, d->uac ? m->to.text : m->from.text);
	if (!err)
		err = take_route_set(d, m);
	return err;
}

static struct td_dialog *make(bool uac)
{
	struct td_dialog *d = calloc(1, sizeof(*d));

	if (d) {
		td_arena_init(&d->arena);
		d->uac = uac;
	}
	return d;
}

int td_dialog_of_response(struct td_dialog **out, const struct td_msg *response)
{
	struct td_dialog *d;
	int err;

	if (!response->to_tag.p)
		return TD_ESYNTAX;
	d = make(true);
	if (!d)
		return -ENOMEM;
	d->local_cseq = response->cseq.num;
	d->confirmed = response->status >= 200;
	err = fill(d, response, response->from_tag, response->to_tag);
	if (err) {
		td_dialog_free(d);
		return err;
	}
	*out = d;
	return 0;
}

int td_dialog_of_request(struct td_dialog **out, const struct td_msg *request, struct td_str local_tag)
{
	struct td_dialog *d = make(false);
	int err;

	if (!d)
		return -ENOMEM;
	d->remote_cseq = request->cseq.num;
	d->remote_cseq_known = true;
	err = fill(d, request, local_tag, request->from_tag);
	if (err) {
		td_dialog_free(d);
		return err;
	}
	*out = d;
	return 0;
}

void td_dialog_free(struct td_dialog *d)
{
	if (!d)
		return;
	td_arena_reset(&d->arena);
	free(d);
}

bool td_dialog_matches(const struct td_dialog *d, const struct td_msg *m)
{
	bool from_peer = m->request;
	struct td_str local = from_peer ? m->to_tag : m->from_tag, remote = from_peer ? m->from_tag : m->to_tag;

	return td_str_eq(d->call_id, m->call_id) && td_str_eq(d->local_tag, local) && td_str_eq(d->remote_tag, remote);
}

int td_dialog_take_cseq(struct td_dialog *d, const struct td_msg *request)
{
	if (request->method == TD_ACK || request->method == TD_CANCEL)
		return 0;
	if (d->remote_cseq_known && request->cseq.num <= d->remote_cseq)
		return TD_EORDER;
	d->remote_cseq = request->cseq.num;
	d->remote_cseq_known = true;
	return 0;
}

int td_dialog_confirm(struct td_dialog *d, const struct td_msg *response)
{
	int err;

	if (d->confirmed)
		return td_dialog_refresh_target(d, response);
	err = take_route_set(d, response);
	if (!err)
		err = td_dialog_refresh_target(d, response);
	if (!err)
		d->confirmed = true;
	return err;
}

uint32_t td_dialog_next_cseq(struct td_dialog *d)
{
	if (!d->local_cseq)
		d->local_cseq = 1;
	return ++d->local_cseq;
}

/* Does the first route's element route loosely (";lr")? The value has been parsed by whoever sent it, not by us: check. */
static bool first_is_loose(const struct td_dialog *d, struct td_name_addr *first)
{
	struct td_param p;

	if (td_name_addr_parse(first, d->route[0]))
		return true;
	return td_param_find(&p, first->uri.params, TD_STR("lr"));
}

struct td_str td_dialog_next_hop(const struct td_dialog *d)
{
	struct td_name_addr first;

	if (d->route_n && td_name_addr_parse(&first, d->route[0]) == 0)
		return first.uri.text;
	return d->target;
}

struct td_str td_dialog_request_uri(const struct td_dialog *d)
{
	struct td_name_addr first;

	return d->route_n && !first_is_loose(d, &first) ? first.uri.text : d->target;
}

static void put_party(struct td_out *o, enum td_hdr_id id, struct td_str value, struct td_str tag)
{
	td_out_str(o, td_hdr_name(id));
	td_out_z(o, ": ");
	td_out_str(o, value);
	if (tag.n) {
		td_out_z(o, ";tag=");
		td_out_str(o, tag);
	}
	td_out_z(o, "\r\n");
}

void td_dialog_put_request(struct td_out *o, const struct td_dialog *d, struct td_str method, struct td_str via, uint32_t cseq)
{
	struct td_name_addr first;
	bool strict = d->route_n && !first_is_loose(d, &first);
	unsigned i;

	/* A strict router is the Request-URI, and the target goes to the end of the route (§12.2.1.1). */
	td_put_request_line(o, method, strict ? first.uri.text : d->target);
	td_put_hdr(o, TD_HDR_VIA, via);
	td_put_hdr_u64(o, TD_HDR_MAX_FORWARDS, 70);
	for (i = strict ? 1 : 0; i < d->route_n; i++)
		td_put_hdr(o, TD_HDR_ROUTE, d->route[i]);
	if (strict)
		td_out_fmt(o, "Route: <%.*s>\r\n", TD_FMT(d->target));
	put_party(o, TD_HDR_FROM, d->local, d->local_tag);
	put_party(o, TD_HDR_TO, d->remote, d->remote_tag);
	td_put_hdr(o, TD_HDR_CALL_ID, d->call_id);
	td_out_fmt(o, "CSeq: %u %.*s\r\n", cseq, TD_FMT(method));
}
