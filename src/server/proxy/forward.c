/*
 * The copy of a request that goes to one target (§16.6). It is never copied field by field: it is the received bytes and a list
 * of edits, put into one buffer that is also what the client transaction retransmits. All text inserted stands on the stack
 * until then. Steps and their numbers are those of §16.6.
 */
#include "server/proxy/internal.h"

struct draft {
	const struct px_copy *copy;
	struct td_edits ed;
	char via[320], rr[480], hops[12], length[PX_LENGTH_TEXT];
};

/*
 * ---- 2. Request-URI: without what §19.1.1 (table 1) does not allow there ----
 *
 * Whoever was called by a sip URI is called by one, though a sips URI was registered: that would promise the callee what the caller did
 * not ask for (RFC 5630 §5.3). It goes over TLS all the same.
 */

static struct td_str request_uri(struct draft *d, const struct td_uri *u)
{
	bool lower = u->scheme == TD_SCHEME_SIPS && !d->copy->route->sips;
	struct td_str contact = u->text, rest;
	const char *end = contact.p + contact.n;
	struct td_param p;
	struct td_out o;
	char *text;

	if (!lower && !u->headers.n && (!u->params.n || !td_param_find(&p, u->params, TD_STR("method"))))
		return contact;
	text = td_arena_alloc(&d->copy->msg->arena, contact.n);
	if (!text)
		return contact;
	td_out_init_fixed(&o, text, contact.n);
	if (u->params.n)
		end = u->params.p;
	else if (u->headers.n)
		end = u->headers.p - 1;
	if (lower) {
		contact.p += sizeof("sips") - 1;
		td_out_z(&o, "sip");
	}
	td_out_str(&o, td_str_n(contact.p, (size_t)(end - contact.p)));
	for (rest = u->params; td_param_next(&p, &rest) == 1;) {
		if (td_str_ieq(p.name, TD_STR("method")))
			continue;
		td_out_char(&o, ';');
		td_out_str(&o, p.name);
		if (p.value.p) {
			td_out_char(&o, '=');
			td_out_str(&o, p.value);
		}
	}
	return o.failed ? u->text : td_out_view(&o);
}

/* ---- 3. Max-Forwards ---- */

static void max_forwards(struct draft *d)
{
	const struct td_msg *m = d->copy->msg;
	const struct td_hdr *h = td_msg_hdr(m, TD_HDR_MAX_FORWARDS);
	struct td_out o;

	if (!h)
		return; /* added with the Via */
	td_out_init_fixed(&o, d->hops, sizeof(d->hops));
	td_out_u64(&o, (uint64_t)(m->max_forwards > 255 ? 255 : m->max_forwards) - 1);
	td_edit_replace(&d->ed, td_hdr_value(m, h), td_out_view(&o));
}

/* ---- 6. Route: values first..last (not included) stay ---- */

static void keep_routes(struct draft *d, unsigned first, unsigned last)
{
	const struct td_msg *m = d->copy->msg;
	unsigned i = 0;

	for (const struct td_hdr *h = td_msg_hdr(m, TD_HDR_ROUTE); h; h = td_msg_hdr_next(m, h)) {
		struct td_str rest = td_hdr_value(m, h), all = rest, kept = TD_STR_NULL, v;
		unsigned n = 0, here = 0;

		for (; td_list_next(&v, &rest) == 1; i++, here++) {
			if (i < first || i >= last)
				continue;
			if (!n++)
				kept.p = v.p;
			kept.n = (size_t)(v.p + v.n - kept.p);
		}
		if (!n)
			td_edit_remove_hdr(&d->ed, h);
		else if (n < here)
			td_edit_replace(&d->ed, all, kept);
	}
}

static unsigned count_routes(const struct td_msg *m)
{
	struct td_values it;
	struct td_str v;
	unsigned n = 0;

	td_values_of(&it, m, TD_HDR_ROUTE);
	while (td_values_next(&v, &it) == 1)
		n++;
	return n;
}

/* A next hop without ;lr is a strict router: it wants itself in the Request-URI and the target last in Route. */
static bool next_is_strict(const struct px_copy *copy)
{
	struct td_param p;

	return copy->route->next_is_route && !td_param_find(&p, copy->route->next.params, TD_STR("lr"));
}

static void routing(struct draft *d)
{
	const struct px_copy *copy = d->copy;
	const struct td_route *r = copy->route;
	struct td_str uri = copy->uri->text.p ? request_uri(d, copy->uri) : r->uri.text;
	bool strict = next_is_strict(copy);
	unsigned first = r->own_routes + strict, n;

	if (r->only_own_routes && !r->strict) {
		for (const struct td_hdr *h = td_msg_hdr(copy->msg, TD_HDR_ROUTE); h; h = td_msg_hdr_next(copy->msg, h))
			td_edit_remove_hdr(&d->ed, h);
	} else if (first || r->strict) {
		n = count_routes(copy->msg);
		keep_routes(d, first, n - r->strict);
	}
	if (strict) {
		td_edit_append(&d->ed, TD_STR("Route: <"));
		td_edit_append(&d->ed, uri);
		td_edit_append(&d->ed, TD_STR(">\r\n"));
		uri = r->next.text;
	}
	if (copy->path.n) { /* RFC 3327 §5.4; a request for a user has no Route left that was not ours */
		td_edit_append(&d->ed, TD_STR("Route: "));
		td_edit_append(&d->ed, copy->path);
		td_edit_append(&d->ed, TD_STR("\r\n"));
	}
	if (uri.p != copy->msg->uri.p)
		td_edit_replace(&d->ed, copy->msg->uri, uri);
}

/* ---- 4, 8. Record-Route, Via; and the other fields that count hops ---- */

static int tops(struct draft *d)
{
	const struct px_copy *copy = d->copy;
	const struct td_msg *m = copy->msg;
	struct td_out o;

	td_out_init_fixed(&o, d->via, sizeof(d->via));
	td_out_str(&o, TD_STR("Via: "));
	td_tp_put_via(&o, copy->core->tp, copy->out, copy->branch);
	if (!td_msg_hdr(m, TD_HDR_MAX_FORWARDS))
		td_out_str(&o, TD_STR("\r\nMax-Forwards: 70"));
	td_out_str(&o, TD_STR("\r\nMax-Breadth: "));
	td_out_u64(&o, copy->breadth);
	td_out_str(&o, TD_STR("\r\n"));
	if (o.failed)
		return TD_ELIMIT;
	td_edit_insert_before(&d->ed, TD_HDR_VIA, td_out_view(&o));
	if (px_wants_record_route(m)) {
		td_out_init_fixed(&o, d->rr, sizeof(d->rr));
		px_put_record_route(&o, copy);
		if (o.failed)
			return TD_ELIMIT;
		td_edit_insert_before(&d->ed, td_msg_hdr(m, TD_HDR_RECORD_ROUTE) ? TD_HDR_RECORD_ROUTE : TD_HDR_VIA,
				      td_out_view(&o));
	}
	for (const struct td_hdr *h = td_msg_hdr(m, TD_HDR_MAX_BREADTH); h; h = td_msg_hdr_next(m, h))
		td_edit_remove_hdr(&d->ed, h);
	return 0;
}

/* Credentials meant for us are ours alone; those for proxies further on pass (§22.3). */
static void drop_credentials(struct draft *d)
{
	const struct px_copy *copy = d->copy;
	const struct td_msg *m = copy->msg;

	for (const struct td_hdr *h = td_msg_hdr(m, TD_HDR_PROXY_AUTHORIZATION); h; h = td_msg_hdr_next(m, h)) {
		struct td_auth a;

		if (!td_auth_parse(&a, td_hdr_value(m, h)) && td_config_domain(copy->core->cfg, a.realm))
			td_edit_remove_hdr(&d->ed, h);
	}
}

/* ---- who the sender is said to be ---- */

static void drop_all(struct td_edits *ed, const struct td_msg *m, const struct td_hdr *h)
{
	for (; h; h = td_msg_hdr_next(m, h))
		td_edit_remove_hdr(ed, h);
}

/* `Privacy: id`; its values are separated by semicolons (RFC 3323 §4.2). */
static bool wants_privacy(const struct td_msg *m)
{
	for (const struct td_hdr *h = td_msg_hdr(m, TD_HDR_PRIVACY); h; h = td_msg_hdr_next(m, h))
		for (struct td_str rest = td_hdr_value(m, h); rest.p;)
			if (td_str_ieq(td_str_trim(td_str_split(&rest, ';')), TD_STR("id")))
				return true;
	return false;
}

/*
 * RFC 3325 §5: what somebody asserts whom we do not trust is removed, and so is what he would like to be asserted. That he may speak for
 * his From was the gate's to see (A7). What a source under trust asserts of somebody who wants it to stay there goes to nobody else (§7).
 */
TD_RARE void px_drop_assertions(struct td_edits *ed, const struct td_core *core, const struct td_msg *m,
				const struct td_addr *sender, const struct td_addr *receiver)
{
	if (sender && td_config_trusts(core->cfg, sender)) {
		if (!td_config_trusts(core->cfg, receiver) && wants_privacy(m))
			drop_all(ed, m, td_msg_hdr(m, TD_HDR_P_ASSERTED_IDENTITY));
		return;
	}
	drop_all(ed, m, td_msg_hdr(m, TD_HDR_P_ASSERTED_IDENTITY));
	drop_all(ed, m, td_msg_hdr(m, TD_HDR_P_PREFERRED_IDENTITY));
}

/* ---- 9. Content-Length for streams ---- */

void px_edit_length(struct td_edits *ed, char text[PX_LENGTH_TEXT], const struct td_msg *m, const struct td_flow *to)
{
	struct td_out o;

	if (!td_proto_reliable((enum td_proto)to->proto) || td_msg_hdr(m, TD_HDR_CONTENT_LENGTH))
		return;
	td_out_init_fixed(&o, text, PX_LENGTH_TEXT);
	td_put_hdr_u64(&o, TD_HDR_CONTENT_LENGTH, m->body.n);
	td_edit_append(ed, td_out_view(&o));
}

int px_copy_build(struct td_buf **out, const struct px_copy *copy)
{
	struct draft d TD_UNINIT;
	int err;

	if (copy->route->sips && !td_proto_secure((enum td_proto)copy->out->proto))
		return TD_EUNSUPPORTED; /* whatever was thought before: here nothing passes */
	d.copy = copy;
	/* in the order in which most messages have what is changed */
	td_edits_init(&d.ed, copy->msg);
	routing(&d);
	err = tops(&d);
	if (!err) {
		td_edit_via_received(&d.ed, copy->msg);
		max_forwards(&d);
		drop_credentials(&d);
		if (px_asserts(copy->msg))
			px_drop_assertions(&d.ed, copy->core, copy->msg, &copy->in->peer, &copy->out->peer);
		px_edit_length(&d.ed, d.length, copy->msg, copy->out);
		err = td_edits_apply(out, &d.ed);
	}
	td_edits_free(&d.ed);
	return err;
}
