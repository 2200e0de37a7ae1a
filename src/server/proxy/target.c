/*
 * Where to send (§16.5, §16.6 item 7). A numeric host is an address; a name has to be looked up (way.c).
 *
 * A binding knows two ways: the flow it registered over and the address its Contact names. A connection is used again, since
 * behind NAT or without a listening port it is the only way; should it be gone, the Contact's address is tried. Datagrams go to
 * the Contact's address.
 *
 * A phone that keeps a flow for this (RFC 5626) is reached by that alone, over UDP too.
 *
 * Of a binding with a Path the first hop of that is what is said here of the Contact, but that its address goes before the flow: a proxy
 * can be connected to.
 *
 * That address is believed only when it is of the host that registered it. When it is not, there is NAT in between, and only the
 * source is reachable; or somebody registered a victim, to have it called by us (A11). So a name is looked up only when the source cannot
 * be reached any more, and has to lead to the same host.
 */
#include "server/proxy/internal.h"

enum { NAMED = 1 };

static int proto_of(enum td_proto *out, const struct td_uri *uri)
{
	struct td_param p;

	if (uri->scheme != TD_SCHEME_SIP && uri->scheme != TD_SCHEME_SIPS)
		return TD_EUNSUPPORTED;
	*out = uri->scheme == TD_SCHEME_SIPS ? TD_TLS : TD_UDP;
	if (!uri->params.n || !td_param_find(&p, uri->params, TD_STR("transport")))
		return 0;
	if (td_proto_parse(out, p.value) || *out == TD_WS || *out == TD_WSS)
		return TD_EUNSUPPORTED;
	if (uri->scheme == TD_SCHEME_SIPS) { /* "transport=tcp" means TLS over TCP there, and over UDP there is none (§26.2.2) */
		if (*out == TD_UDP)
			return TD_EUNSUPPORTED;
		*out = TD_TLS;
	}
	return 0;
}

/* Address and protocol a URI names (RFC 3263 §4 for numeric hosts); NAMED: it is a name. */
static int address_of(struct td_addr *out, enum td_proto *proto, const struct td_core *core, const struct td_uri *uri)
{
	struct td_param maddr;
	struct td_addr a;
	int err;

	if (td_ip_parse(&a, uri->params.n && td_param_find(&maddr, uri->params, TD_STR("maddr")) ? maddr.value : uri->host))
		return NAMED;
	err = proto_of(proto, uri);
	if (err)
		return err;
	a.port = uri->port ? uri->port : td_proto_port(*proto);
	if (!td_route_target_allowed(core, &a))
		return TD_EDENIED;
	*out = a;
	return 0;
}

int px_target_of_uri(struct px_target *out, struct td_core *core, const struct td_uri *uri)
{
	struct px_target t = { .uri.text = TD_STR_NULL };
	enum td_proto proto;
	struct td_addr a;
	int err = address_of(&a, &proto, core, uri);

	t.secure = uri->scheme == TD_SCHEME_SIPS;
	if (err == NAMED)
		t.where = uri->text;
	else if (err)
		return err;
	else if ((err = td_tp_flow_to_host(&t.flow, core->tp, proto, &a, uri->host)))
		return err;
	*out = t;
	return 0;
}

void px_note_bindings(const struct td_core *core, const struct td_msg *msg, struct td_str aor, const struct td_binding *b,
		      unsigned n)
{
	uint64_t now_s = td_loop_wall_s(core->loop), first_s = UINT64_MAX;

	for (unsigned i = 0; i < n; i++)
		if (b[i].expires_at_s < first_s)
			first_s = b[i].expires_at_s;
	td_trace_note(core->trace, msg->call_id,
		      &(struct td_note){ .kind = TD_NOTE_BINDINGS,
					 .text = aor,
					 .a = n,
					 .b = n && first_s > now_s ? (int64_t)(first_s - now_s) : 0 });
}

static bool flow_usable(const struct td_core *core, const struct td_flow *f)
{
	/* Since it was stored the listeners may have changed, and a connection is gone. */
	return f->peer.family != TD_AF_NONE && (f->proto == TD_UDP || f->conn) && f->listener < td_tp_listeners(core->tp) &&
	       td_tp_listener_proto(core->tp, f->listener) == (enum td_proto)f->proto;
}

/* The first URI of a Path. */
TD_RARE static int first_hop(struct td_name_addr *out, struct td_str path)
{
	struct td_str value;

	return td_list_next(&value, &path) == 1 ? td_name_addr_parse(out, value) : TD_ESYNTAX;
}

/* §16.6 item 7: "the proxy MUST follow the procedures as if the input URI were a SIPS URI". */
TD_RARE static void make_secure(struct px_target *t, struct td_uri *hop)
{
	t->secure = true;
	if (t->path.n)
		hop->scheme = TD_SCHEME_SIPS;
}

/* A name that never is one (RFC 6761 §6.4): a browser's, which is reached by its connection alone (RFC 7118 §5). */
TD_RARE static bool leads_nowhere(struct td_str host)
{
	static const struct td_str top = TD_STR_INIT(".invalid");

	if (host.n && host.p[host.n - 1] == '.')
		host.n--;
	return host.n > top.n && td_str_ieq(td_str_n(host.p + host.n - top.n, top.n), top);
}

int px_target_of_binding(struct px_target *out, struct td_core *core, const struct td_binding *b, bool sips)
{
	struct px_target t = { .path = b->path };
	enum td_proto proto;
	struct td_name_addr hop TD_UNINIT;
	struct td_addr a;
	int err = td_uri_parse(&t.uri, b->contact), no_address;
	bool by_name, usable;

	if (!err && b->path.n)
		err = first_hop(&hop, b->path);
	if (!err && sips && t.uri.scheme != TD_SCHEME_SIPS)
		err = TD_EUNSUPPORTED;
	if (err)
		return err;
	if (t.uri.scheme == TD_SCHEME_SIPS)
		make_secure(&t, &hop.uri);
	usable = flow_usable(core, &b->flow) && (!t.secure || td_proto_secure((enum td_proto)b->flow.proto));
	no_address = address_of(&a, &proto, core, b->path.n ? &hop.uri : &t.uri);
	by_name = no_address == NAMED;
	if ((by_name && leads_nowhere(b->path.n ? hop.uri.host : t.uri.host)) ||
	    (!b->path.n && b->params.n && (!no_address || by_name) && td_instance_is_flow(b->params))) {
		by_name = false;
		no_address = TD_EDENIED;
	} else if (!no_address && !td_ip_eq(&a, &b->flow.peer)) {
		no_address = TD_EDENIED;
	}
	if (usable && ((b->flow.conn && !b->path.n) || no_address) &&
	    !(b->flow.conn && no_address && !td_tp_flow_alive(core->tp, &b->flow))) {
		t.flow = b->flow;
		t.by_flow = !b->path.n && (no_address || !td_addr_eq(&a, &b->flow.peer));
		t.fixed = true;
		if (b->flow.conn && !no_address) {
			t.instead = a;
			t.instead_proto = proto;
		}
	} else if (by_name) {
		t.where = b->path.n ? hop.uri.text : t.uri.text;
		t.only = &b->flow.peer;
	} else if (no_address) {
		return b->flow.conn && usable ? TD_ECLOSED : no_address;
	} else {
		err = td_tp_flow_to(&t.flow, core->tp, proto, &a);
		if (err)
			return err;
	}
	*out = t;
	return 0;
}

TD_RARE static int target_of_flow(struct px_target *out, struct td_core *core, const struct td_flow *flow,
				  const struct td_uri *uri, bool sips)
{
	struct px_target t = { .flow = *flow, .secure = sips };
	enum td_proto proto;
	struct td_addr a;

	if (sips && !td_proto_secure((enum td_proto)flow->proto))
		return TD_EUNSUPPORTED;
	if (flow_usable(core, flow) && td_tp_flow_alive(core->tp, flow)) {
		*out = t;
		return 0;
	}
	/* A phone of that very host may listen where its Contact says. Elsewhere the address is somebody else's. */
	if (address_of(&a, &proto, core, uri) || !td_ip_eq(&a, &flow->peer) || td_tp_flow_to(&t.flow, core->tp, proto, &a))
		return TD_ECLOSED;
	*out = t;
	return 0;
}

int px_target_of_next(struct px_target *out, struct td_core *core, const struct td_route *route)
{
	const struct td_uri *next = &route->next;
	struct td_uri secure TD_UNINIT;

	if (route->sips) {
		secure = route->next;
		secure.scheme = TD_SCHEME_SIPS;
		next = &secure;
	}
	return route->flow ? target_of_flow(out, core, route->flow, next, route->sips) : px_target_of_uri(out, core, next);
}

/* ---- sips ---- */

bool px_is_sips(struct td_str uri)
{
	return td_str_istarts(uri, TD_STR("sips:"));
}

/* RFC 5630 §5.3: "MUST reject it with a 480 …, SHOULD include a Warning header with warn-code 380". */
struct td_str px_nobody_secure(const struct td_core *core, const struct td_msg *msg, const struct td_route *route,
			       const struct td_binding *b, unsigned n)
{
	if (!route->sips)
		return TD_STR_NULL;
	for (unsigned i = 0; i < n; i++)
		if (px_is_sips(b[i].contact))
			return TD_STR_NULL;
	if (!n)
		return TD_STR_NULL;
	td_trace_note(core->trace, msg->call_id, &(struct td_note){ .kind = TD_NOTE_NO_SIPS, .a = n, .text = route->aor });
	return TD_STR(PX_SIPS_NOT_ALLOWED);
}
