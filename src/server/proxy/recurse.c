/*
 * Redirections by a callee (§16.7 step 4). Contacts of a 300, 301 or 302 are tried here instead of being left to the caller, since
 * most phones redirect within their own domain and many callers' phones do not follow:
 *
 * - users of our domains, whose bindings become targets; they are who the caller may call anyway;
 * - addresses of the very host that redirects, such as another line of the same phone.
 *
 * Everything else is the caller's business (D6, A11): a redirection may not make us send to an address that nobody registered here,
 * and what it costs to follow it is for him to accept. Those contacts stay in the response; the ones that were tried are taken out.
 */
#include "server/proxy/internal.h"

#include <errno.h>

enum { SEEKS_MAX = 50 }; /* addresses of one request: whoever redirects on and on ends here */

static bool is_sought(const struct px_context *c, struct td_str aor)
{
	if (td_str_eq(aor, c->setup->route.aor))
		return true;
	for (const struct px_seek *s = c->seeks; s; s = s->next)
		if (td_str_eq(td_str_n(s->aor, s->aor_n), aor))
			return true;
	return false;
}

static bool room_for_seek(const struct px_context *c)
{
	unsigned n = 0;

	for (const struct px_seek *s = c->seeks; s; s = s->next)
		n++;
	return n < SEEKS_MAX;
}

/* An address like the one the redirection came from. */
static bool is_same_host(const struct td_uri *uri, const struct td_addr *from)
{
	struct td_param p;
	struct td_addr a;

	return !td_ip_parse(&a, uri->host) && td_ip_eq(&a, from) &&
	       !(uri->params.n && td_param_find(&p, uri->params, TD_STR("maddr")));
}

/* True: it is a target now, or was one before. */
static bool take(struct px_context *c, const struct td_uri *uri, const struct td_addr *from)
{
	struct td_core *core = c->px->core;
	struct px_target t;
	struct td_str aor;

	/* from sip to sips, or back, nobody is led by us (RFC 5630 §5.3) */
	if (uri->scheme != (c->setup->route.sips ? TD_SCHEME_SIPS : TD_SCHEME_SIP) || uri->headers.n)
		return false;
	if (!td_route_user(&aor, core, c->msg, uri))
		return is_sought(c, aor) || (room_for_seek(c) && px_seek_add(c, aor, false));
	if (td_core_domain(core, uri) || !from || !is_same_host(uri, from))
		return false;
	if (px_tried(c, uri->text))
		return true;
	if (!px_room(c) || !px_breadth_left(c) || px_target_of_uri(&t, core, uri))
		return false;
	t.uri = *uri;
	t.breadth = 1;
	px_branch_start(c, &t);
	return true;
}

static int next_contact(struct td_uri *out, struct td_values *it)
{
	struct td_contact contact;
	struct td_str v;
	int got = td_values_next(&v, it);

	if (got != 1)
		return got;
	if (td_contact_parse(&contact, v) || contact.star)
		return TD_ESYNTAX;
	*out = contact.addr.uri;
	return 1;
}

bool px_recurse(struct px_context *c, const struct td_msg *m, const struct td_addr *from)
{
	struct td_values it;
	struct td_uri uri;
	bool all = true;
	int got;

	if (c->cancelled || c->final_sent || m->status < 300 || m->status > 302 || px_declined(c) || !px_unshelve(c) ||
	    c->setup->route.kind != TD_ROUTE_USER || !c->setup->route.recurse || !td_msg_hdr(m, TD_HDR_CONTACT))
		return false;
	for (td_values_of(&it, m, TD_HDR_CONTACT); (got = next_contact(&uri, &it)) == 1;) {
		if (take(c, &uri, from))
			c->recursed = true;
		else
			all = false;
	}
	px_look(c);
	return all && got == 0;
}

/* ---- what is left of the response ---- */

static bool is_taken(const struct px_context *c, struct td_str value)
{
	struct td_contact contact;
	struct td_str aor;

	if (td_contact_parse(&contact, value) || contact.star || contact.addr.uri.headers.n)
		return false;
	if (!td_route_user(&aor, c->px->core, c->msg, &contact.addr.uri))
		return is_sought(c, aor);
	return px_tried(c, contact.addr.uri.text);
}

void px_edit_contacts(struct td_edits *ed, struct px_context *c, struct td_msg *m)
{
	if (!c->recursed || m->status < 300 || m->status > 302 || !px_unshelve(c))
		return;
	for (const struct td_hdr *h = td_msg_hdr(m, TD_HDR_CONTACT); h; h = td_msg_hdr_next(m, h)) {
		struct td_str rest = td_hdr_value(m, h), all = rest, v;
		char *text = td_arena_alloc(&m->arena, all.n);
		bool less = false;
		struct td_out o;

		if (!text)
			return; /* the caller tries one more that has been tried */
		td_out_init_fixed(&o, text, all.n);
		while (td_list_next(&v, &rest) == 1) {
			if (is_taken(c, v)) {
				less = true;
				continue;
			}
			if (o.n)
				td_out_char(&o, ',');
			td_out_str(&o, v);
		}
		if (!less || o.failed)
			continue;
		if (o.n)
			td_edit_replace(ed, all, td_out_view(&o));
		else
			td_edit_remove_hdr(ed, h);
	}
}
