/*
 * The decision, in the order of RFC 3261 §16.3 and §16.4: Request-URI and scheme, Route (which values are ours, and do they
 * prove a dialog), then whose request it is, then what only a proxy must check before it passes something on: hops, loops,
 * Proxy-Require. Nothing leaves towards a foreign host except inside a dialog that our cookie proves, or, with relay: users, for whom
 * the gate lets in, to a domain (D1); the places of this policy are td_route_target_allowed() and the two `403`s here.
 */
#include "server/route/internal.h"

#include <endian.h>
#include <errno.h>

/* What this server itself serves; users' methods pass through it and are not listed. */
#define ALLOW "Allow: OPTIONS, REGISTER\r\n"

static void reject(struct td_route *r, const struct td_msg *msg, unsigned status, struct td_str reason)
{
	r->kind = msg->method == TD_ACK ? TD_ROUTE_DROP : TD_ROUTE_REJECT;
	r->challenge = false;
	r->status = status;
	r->reason = reason;
}

bool td_route_is_us(const struct td_core *core, const struct td_uri *uri)
{
	return td_core_domain(core, uri) != NULL;
}

bool td_route_target_allowed(const struct td_core *core, const struct td_addr *a)
{
	if (!a->port || td_ip_is_any(a) || td_ip_is_multicast(a) || td_ip_is_link_local(a))
		return false;
	if (!td_ip_is_loopback(a))
		return true;
	/* Loopback is where other programs of this machine trust whoever reaches them. It is a fair target only for a server that is
	 * there alone. */
	for (unsigned i = 0; i < td_tp_listeners(core->tp); i++)
		if (!td_ip_is_loopback(td_tp_listener_addr(core->tp, i)))
			return false;
	return true;
}

/* RFC 1918, RFC 6598, RFC 4193. */
static bool is_private(const struct td_addr *a)
{
	static const struct {
		struct td_addr net;
		unsigned bits;
	} nets[] = {
		{ { .family = TD_AF_V4, .ip = { 10 } }, 8 },        { { .family = TD_AF_V4, .ip = { 172, 16 } }, 12 },
		{ { .family = TD_AF_V4, .ip = { 192, 168 } }, 16 }, { { .family = TD_AF_V4, .ip = { 100, 64 } }, 10 },
		{ { .family = TD_AF_V6, .ip = { 0xfc } }, 7 },
	};

	for (size_t i = 0; i < TD_ARRAY_LEN(nets); i++)
		if (td_ip_in(a, &nets[i].net, nets[i].bits))
			return true;
	return false;
}

bool td_route_relay_allowed(const struct td_core *core, const struct td_addr *a)
{
	if (!td_route_target_allowed(core, a))
		return false;
	if (!is_private(a))
		return true;
	for (unsigned i = 0; i < td_tp_listeners(core->tp); i++)
		if (is_private(td_tp_listener_addr(core->tp, i)))
			return true;
	return false;
}

/* ---- Route ---- */

/* One that was tampered with is as good as none: the dialog's requests go where the Contact says. */
TD_RARE static void take_flow(struct td_route *r, const struct td_core *core, struct td_msg *msg, struct td_str flows)
{
	struct td_flow *f = td_arena_alloc(&msg->arena, sizeof(*f));

	if (f && !td_route_flow_of(f, core->rr_key, flows, msg))
		r->flow = f;
}

static void take_cookie(struct td_route *r, const struct td_core *core, struct td_msg *msg, const struct td_uri *uri)
{
	struct td_str flows = TD_STR_NULL;
	enum td_cookie kind = td_route_cookie_of(&flows, core->rr_key, uri, msg);

	r->in_dialog = kind != TD_COOKIE_NONE;
	r->stateless = kind == TD_COOKIE_STATELESS;
	if (r->in_dialog && flows.n)
		take_flow(r, core, msg, flows);
}

/* §16.4: a strict router before us put our Record-Route value into the Request-URI and the real one last into Route. */
static void undo_strict_router(struct td_route *r, const struct td_core *core, struct td_msg *msg)
{
	struct td_name_addr last TD_UNINIT;
	struct td_values it TD_UNINIT;
	struct td_str v;
	struct td_param p;
	bool any = false;

	if (!r->uri.params.n || !td_param_find(&p, r->uri.params, TD_STR(TD_COOKIE_PARAM)) || !td_route_is_us(core, &r->uri))
		return;
	td_values_of(&it, msg, TD_HDR_ROUTE);
	while (td_values_next(&v, &it) == 1)
		any = td_name_addr_parse(&last, v) == 0;
	if (!any)
		return;
	take_cookie(r, core, msg, &r->uri);
	r->uri = last.uri;
	r->strict = true;
}

/* Leading Route values that are ours, and the first that is not. false: malformed. */
static bool read_routes(struct td_route *r, const struct td_core *core, struct td_msg *msg)
{
	struct td_name_addr na TD_UNINIT;
	struct td_values it TD_UNINIT;
	struct td_str v;
	int got;

	r->only_own_routes = !td_msg_hdr(msg, TD_HDR_ROUTE);
	if (r->only_own_routes)
		return true;
	td_values_of(&it, msg, TD_HDR_ROUTE);
	while ((got = td_values_next(&v, &it)) == 1) {
		if (td_name_addr_parse(&na, v))
			return false;
		if (r->strict && na.uri.text.p == r->uri.text.p)
			return true; /* the last value is the Request-URI now */
		if (!td_route_is_us(core, &na.uri)) {
			r->next = na.uri;
			r->next_is_route = true;
			return true;
		}
		r->own_routes++;
		if (!r->in_dialog)
			take_cookie(r, core, msg, &na.uri);
	}
	r->only_own_routes = got == 0;
	return got == 0;
}

/* ---- loops ---- */

/*
 * §16.6 step 8: everything that decides where the request goes, and what tells this transaction from others; never the
 * method, nor what we change in passing (credentials for our realm, Max-Forwards, the topmost Via: RFC 5393 §4.2.1). Nor what the
 * ACK for a 300-699 (To tag) and CANCEL (Proxy-Require) have otherwise than their INVITE: without state they must get its branch
 * (§16.11), and neither changes on a request's way.
 */
static uint64_t loop_hash(const struct td_core *core, const struct td_msg *msg)
{
	struct td_hash_key key;
	struct td_hasher h;

	memcpy(&key, core->rr_key, sizeof(key));
	td_hasher_init(&h, &key);
	td_hasher_add_u64(&h, msg->cseq.num);
	td_hasher_add(&h, msg->call_id);
	td_hasher_add(&h, msg->from_tag);
	td_hasher_add(&h, msg->uri);
	for (const struct td_hdr *f = td_msg_hdr(msg, TD_HDR_ROUTE); f; f = td_msg_hdr_next(msg, f))
		td_hasher_add(&h, td_hdr_value(msg, f));
	return td_hasher_end(&h);
}

void td_route_loop_text(char out[1 + TD_LOOP_LEN], uint64_t loop)
{
	uint64_t big = htobe64(loop);

	out[0] = '.';
	td_hex_encode(out + 1, &big, sizeof(big));
}

/* May it be one of ours? */
static bool has_place_for_loop(struct td_str branch)
{
	return branch.n >= TD_BRANCH_LEN + 1 + TD_LOOP_LEN && branch.p[TD_BRANCH_LEN] == '.';
}

/* Only we can have written that hash, so finding it in any Via is finding ourselves with the same request. */
static bool looped(const struct td_route *r, const struct td_msg *msg)
{
	const struct td_hdr *first = td_msg_hdr(msg, TD_HDR_VIA);
	/* A single value, which is the one that is parsed: where it would be is known. */
	bool simple = first->value_n == msg->via.text.n;
	char text[1 + TD_LOOP_LEN];

	if (simple && !first->next && !has_place_for_loop(msg->via.branch))
		return false;
	td_route_loop_text(text, r->loop);
	if (simple && has_place_for_loop(msg->via.branch) && !memcmp(msg->via.branch.p + TD_BRANCH_LEN, text, sizeof(text)))
		return true;
	for (const struct td_hdr *f = simple ? td_msg_hdr_next(msg, first) : first; f; f = td_msg_hdr_next(msg, f))
		if (memmem(td_hdr_value(msg, f).p, f->value_n, text, sizeof(text)))
			return true;
	return false;
}

/* ---- extensions we would have to know ---- */

/* Rejects with 420, and Unsupported naming them, when the field asks for any: we know none. */
static int refuse_extensions(struct td_route *r, struct td_msg *msg, enum td_hdr_id id)
{
	struct td_values it;
	struct td_str v, line;
	struct td_out o;
	int err;

	if (!td_msg_hdr(msg, id))
		return 0;
	td_out_init(&o);
	td_values_of(&it, msg, id);
	while (td_values_next(&v, &it) == 1) {
		td_out_z(&o, o.n ? ", " : "Unsupported: ");
		td_out_str(&o, v);
	}
	td_out_z(&o, "\r\n");
	err = o.failed ? -ENOMEM : td_arena_dup(&line, &msg->arena, td_out_view(&o));
	td_out_free(&o);
	if (err)
		return err;
	if (line.n > 2) {
		reject(r, msg, 420, TD_STR_NULL);
		r->extra = line;
	}
	return 0;
}

/* ---- whose is it ---- */

/*
 * One phone of the user (RFC 5627 §6.1). It is meant alone, so it is neither redirected nor are others tried in turn. A temporary address
 * says nothing of its user before it was opened, and it is nobody's outside of his domain.
 */
TD_RARE static int set_phone(struct td_route *r, const struct td_core *core, struct td_msg *msg, const struct td_uri *uri)
{
	struct td_gruu *g = td_arena_alloc(&msg->arena, sizeof(*g));
	struct td_str aor = r->aor;
	int err = g ? td_gruu_read(g, &aor, &msg->arena, core->rr_key, uri) : -ENOMEM;

	if (err == TD_EUNSUPPORTED)
		return 0;
	if (!err && (aor.n <= r->domain.n || !td_str_ends(aor, r->domain) || aor.p[aor.n - r->domain.n - 1] != '@'))
		err = TD_ENOTFOUND;
	if (err == TD_ENOTFOUND) {
		reject(r, msg, 404, TD_STR_NULL);
		return 0;
	}
	if (err)
		return err;
	r->gruu = g;
	r->aor = aor;
	r->domain = td_str_n(aor.p + aor.n - r->domain.n, r->domain.n);
	r->serial = r->recurse = r->redirect = false;
	return 0;
}

static int set_user(struct td_route *r, const struct td_core *core, struct td_msg *msg, const struct td_uri *uri,
		    const struct td_domain *d)
{
	size_t room = 3 * uri->user.n + d->name.n + 8; /* every character may have to be escaped, and the host be in brackets */
	char *text = td_arena_alloc(&msg->arena, room);
	struct td_out o;
	int err;

	if (!text)
		return -ENOMEM;
	td_out_init_fixed(&o, text, room);
	err = td_core_aor(&o, uri, d);
	if (err || o.failed) {
		if (err && err != TD_ESYNTAX)
			return err;
		reject(r, msg, 400, TD_STR("Bad User in Request-URI"));
		return 0;
	}
	r->aor = td_out_view(&o);
	r->domain = td_str_n(o.p + o.n - d->name.n, d->name.n); /* what an address of record ends with */
	r->kind = TD_ROUTE_USER;
	r->stateless = d->mode == TD_MODE_STATELESS;
	r->any_user = d->users == TD_USERS_ANY;
	r->serial = d->fork == TD_FORK_SERIAL;
	r->ring_time_s = d->ring_time_s;
	r->recurse = d->recurse;
	r->redirect = d->mode == TD_MODE_REDIRECT;
	return uri->params.n ? set_phone(r, core, msg, uri) : 0;
}

/*
 * A telephone number at the default domain, where it may be a user, an extension or in `ring`. One that is none of everywhere is of the
 * domain its context names; in another context it means a telephone we know nothing of (RFC 3966 §5.1.5).
 */
static int set_number(struct td_route *r, const struct td_core *core, struct td_msg *msg)
{
	const struct td_domain *d = &core->cfg->domains[0];
	struct td_uri u = r->uri;
	struct td_tel tel;
	struct td_out o;
	char *digits = td_arena_alloc(&msg->arena, u.user.n + 1);

	if (!digits)
		return -ENOMEM;
	td_out_init_fixed(&o, digits, u.user.n + 1);
	if (td_tel_of_uri(&tel, &u) || (td_tel_put(&o, tel.number) && tel.global))
		return -EINVAL; /* the parser let it pass */
	if (!tel.global)
		d = td_config_domain(core->cfg, tel.context);
	if (!d || !o.n) { /* local ones may have hexadecimal digits, which no number of ours has */
		reject(r, msg, 404, TD_STR_NULL);
		return 0;
	}
	u.user = td_out_view(&o);
	u.password = TD_STR_NULL;
	u.params = TD_STR_NULL;
	return set_user(r, core, msg, &u, d);
}

/*
 * "If the request-URI is a SIPS URI, the request was sent over TLS on each hop" is what its callee may think (§26.2.2): one that did not
 * come so was broken on its way, and is not made whole here. False: it may go on.
 */
TD_RARE static bool refuse_sips(struct td_route *r, const struct td_core *core, const struct td_msg *msg,
				const struct td_flow *from)
{
	r->sips = true;
	if (td_proto_secure((enum td_proto)from->proto))
		return false;
	for (unsigned i = 0; i < td_tp_listeners(core->tp); i++)
		if (td_proto_secure(td_tp_listener_proto(core->tp, i))) {
			reject(r, msg, 400, TD_STR("A sips URI Needs TLS")); /* RFC 5630 §5.3: "used inconsistently" */
			return true;
		}
	reject(r, msg, 416, TD_STR("No TLS Here"));
	return true;
}

/* The request is for this server or one of its users. */
static int for_us(struct td_route *r, const struct td_core *core, struct td_msg *msg, const struct td_domain *d)
{
	if (msg->method == TD_REGISTER) { /* §10.2: the Request-URI has no user; one there is ignored */
		r->kind = TD_ROUTE_REGISTER;
		r->challenge = true;
		r->domain = d->name;
		return 0;
	}
	if (r->uri.user.p)
		return set_user(r, core, msg, &r->uri, d);
	if (msg->method != TD_OPTIONS) {
		reject(r, msg, 405, TD_STR_NULL);
		r->extra = TD_STR(ALLOW);
		return 0;
	}
	r->kind = TD_ROUTE_OPTIONS;
	r->extra = TD_STR(ALLOW "Accept: */*\r\nSupported: gruu, outbound, path\r\n");
	return refuse_extensions(r, msg, TD_HDR_REQUIRE);
}

/* To another domain, for users of ours: the gate will ask who it is. A domain is a name: who may call it may thereby not reach any
 * address he likes (D1). */
static bool may_relay(struct td_route *r, const struct td_core *core, const struct td_msg *msg)
{
	struct td_param maddr;
	struct td_addr a;

	r->relayed = core->cfg->relay == TD_RELAY_USERS && msg->method != TD_REGISTER && td_ip_parse(&a, r->uri.host) &&
		     !td_param_find(&maddr, r->uri.params, TD_STR("maddr"));
	return r->relayed;
}

static int whose(struct td_route *r, const struct td_core *core, struct td_msg *msg)
{
	const struct td_domain *own;

	if (r->next_is_route) {
		r->flow = NULL; /* the next hop is another proxy */
		if (r->in_dialog)
			r->kind = TD_ROUTE_NEXT;
		else
			reject(r, msg, 403, TD_STR("Relaying Refused"));
		return 0;
	}
	if (r->uri.scheme == TD_SCHEME_TEL)
		return set_number(r, core, msg);
	own = td_core_domain(core, &r->uri);
	if (own)
		return for_us(r, core, msg, own);
	r->next = r->uri;
	if (r->in_dialog || may_relay(r, core, msg))
		r->kind = TD_ROUTE_NEXT;
	else
		reject(r, msg, 403, TD_STR("Relaying Refused"));
	return 0;
}

/* §16.3 items 3 to 5: for what is passed on. */
static int may_pass(struct td_route *r, const struct td_core *core, struct td_msg *msg)
{
	if (msg->max_forwards == 0) {
		reject(r, msg, 483, TD_STR_NULL);
		return 0;
	}
	r->loop = loop_hash(core, msg);
	if (looped(r, msg)) {
		td_count(&core->counters->loops);
		reject(r, msg, 482, TD_STR_NULL);
		return 0;
	}
	/* ACK and CANCEL follow the request whose extensions were accepted (§20.29, §8.2.2.3) */
	return msg->method == TD_ACK || msg->method == TD_CANCEL ? 0 : refuse_extensions(r, msg, TD_HDR_PROXY_REQUIRE);
}

int td_route_decide(struct td_route *r, const struct td_core *core, struct td_msg *msg, const struct td_flow *from)
{
	int err;

	*r = (struct td_route){ .kind = TD_ROUTE_REJECT, .uri = msg->ruri };
	if (!r->uri.text.n) {
		reject(r, msg, 400, TD_STR("Bad Request-URI"));
	} else {
		undo_strict_router(r, core, msg);
		if (r->uri.scheme == TD_SCHEME_OTHER) {
			reject(r, msg, 416, TD_STR_NULL);
		} else if (r->uri.scheme == TD_SCHEME_SIPS && refuse_sips(r, core, msg, from)) {
			/* that was all */
		} else if (!read_routes(r, core, msg)) {
			reject(r, msg, 400, TD_STR("Bad Route"));
		} else {
			err = whose(r, core, msg);
			if (err)
				return err;
		}
	}
	if (r->kind == TD_ROUTE_USER || r->kind == TD_ROUTE_NEXT) {
		/* The cookie vouches for the dialog it was made for, whose peer has an address. Whoever has it is not thereby allowed to
		 * send to all our users, under any name. An ACK cannot be asked for more. */
		r->challenge = !r->in_dialog || (r->kind == TD_ROUTE_USER && msg->method != TD_ACK);
		err = may_pass(r, core, msg);
		if (err)
			return err;
	}
	if (r->kind == TD_ROUTE_REJECT && r->status == 403)
		td_count(&core->counters->refused_relay);
	/* What is redirected makes no dialog here, so no ACK of one comes by; those for our refusals do not come to this. */
	if (msg->method == TD_ACK && r->kind == TD_ROUTE_USER && r->redirect)
		r->kind = TD_ROUTE_DROP;
	/* An ACK cannot be challenged: without cookie it passes from trusted sources alone, or after an INVITE that was let in and left
	 * no transaction (td_proxy_noted()). */
	if (msg->method == TD_ACK && r->challenge && !r->stateless && !td_config_trusts(core->cfg, &from->peer))
		r->kind = TD_ROUTE_DROP;
	return 0;
}

int td_route_admitted(struct td_route *r, const struct td_core *core, struct td_msg *msg)
{
	int err;

	if (r->kind != TD_ROUTE_USER)
		return 0;
	err = route_find(r, core, msg);
	if (err == TD_ENOTFOUND)
		reject(r, msg, 404, TD_STR_NULL);
	return err == TD_ENOTFOUND ? 0 : err;
}

int td_route_user(struct td_str *aor, const struct td_core *core, struct td_msg *msg, const struct td_uri *uri)
{
	const struct td_domain *own = td_core_domain(core, uri);
	struct td_route r = { .kind = TD_ROUTE_REJECT };
	int err;

	if (!own || !uri->user.p)
		return TD_ENOTFOUND;
	err = set_user(&r, core, msg, uri, own);
	if (!err && r.gruu)
		return TD_ENOTFOUND; /* one phone, not its user: that is for the caller to follow */
	if (!err)
		err = td_route_admitted(&r, core, msg);
	if (err)
		return err;
	if (r.kind != TD_ROUTE_USER)
		return TD_ENOTFOUND;
	*aor = r.aor;
	return 0;
}
