/*
 * Order of what is asked: trust, credentials, identity. Until the credentials are right, nothing that is answered or done
 * depends on whether the named user exists: the name is looked up, and a dummy secret stands in for a missing one.
 */
#include "server/gate/gate.h"

#include <errno.h>

static int refuse(struct td_gate *out, unsigned status, struct td_str reason)
{
	out->status = status;
	out->reason = reason;
	return TD_EDENIED;
}

/* Who the request says it is from; a REGISTER, who it speaks for (RFC 3261 §10.3 step 4). */
static const struct td_uri *speaker(const struct td_msg *msg)
{
	return msg->method == TD_REGISTER ? &msg->to.uri : &msg->from.uri;
}

static struct td_str realm_of(const struct td_core *core, const struct td_msg *msg, struct td_str domain)
{
	const struct td_domain *own = td_core_domain(core, speaker(msg));

	if (own)
		return own->name;
	return domain.n ? domain : core->cfg->domains[0].name;
}

static int keep(struct td_str *out, struct td_msg *msg, struct td_out *o)
{
	int err = o->failed ? -ENOMEM : td_arena_dup(out, &msg->arena, td_out_view(o));

	td_out_free(o);
	return err;
}

/*
 * RFC 8760 §2.4 has a client pass over an algorithm that it does not know. These give up instead when they see SHA-256, wherever in
 * the message it stands: they are offered MD5 alone, where MD5 is on. What they call themselves is no proof, but whoever can change
 * it under way could as well strip the stronger challenge.
 */
static const struct td_str md5_agents[] = {
	{ "baresip v0.", 11 },
	{ "baresip v1.", 11 }, /* libre before 2.0 */
	{ "sipsak ", 7 },      /* knows the first challenge alone */
};

static unsigned algs_for(const struct td_core *core, struct td_msg *msg)
{
	unsigned algs = core->cfg->digest_algs;
	struct td_str agent = td_msg_value(msg, TD_HDR_USER_AGENT);

	for (size_t i = 0; algs & 1u << TD_DIGEST_MD5 && i < TD_ARRAY_LEN(md5_agents); i++)
		if (td_str_istarts(agent, md5_agents[i]))
			return 1u << TD_DIGEST_MD5;
	return algs;
}

static int challenge(struct td_gate *out, const struct td_core *core, struct td_msg *msg, struct td_str realm, bool stale)
{
	bool proxy = msg->method != TD_REGISTER;
	struct td_out o;
	int err;

	td_out_init(&o);
	td_auth_put_challenges(&o, core->nonces, td_loop_rng(core->loop), td_loop_now_ms(core->loop), proxy, realm,
			       algs_for(core, msg), stale);
	err = keep(&out->extra, msg, &o);
	if (err)
		return err;
	td_count(&core->counters->challenged);
	return refuse(out, proxy ? 407 : 401, TD_STR_NULL);
}

/* The address a username means within a realm; the quoted-string's escapes are undone. */
static int aor_of_username(struct td_str *out, struct td_msg *msg, struct td_str username, struct td_str realm)
{
	struct td_out o;

	td_out_init(&o);
	for (size_t i = 0; i < username.n; i++) {
		size_t from = i;

		while (i < username.n && username.p[i] != '\\')
			i++;
		td_escape_user(&o, td_str_n(username.p + from, i - from));
		if (++i < username.n)
			td_escape_user(&o, td_str_n(username.p + i, 1));
	}
	td_out_char(&o, '@');
	td_out_str(&o, realm);
	return keep(out, msg, &o);
}

/* Is this URI the user's address, or its extension in the same domain? 1, 0, or -ENOMEM. */
static int is_user(const struct td_core *core, const struct td_user *user, struct td_msg *msg, const struct td_uri *uri)
{
	const struct td_domain *own = td_core_domain(core, uri);
	struct td_str aor, domain;
	struct td_out o;
	int err;

	if (!own)
		return 0;
	td_out_init(&o);
	err = td_core_aor(&o, uri, own);
	if (err && !o.failed) {
		td_out_free(&o);
		return 0;
	}
	err = keep(&aor, msg, &o);
	if (err)
		return err;
	if (td_str_eq(aor, user->aor))
		return 1;
	domain = user->aor;
	td_str_split(&domain, '@');
	struct td_str name = td_str_split(&aor, '@');
	return user->extension.n && td_str_eq(name, user->extension) && td_str_eq(aor, domain);
}

static int pass_user(struct td_gate *out, const struct td_core *core, struct td_msg *msg, const struct td_flow *from,
		     const struct td_user *user)
{
	int own = is_user(core, user, msg, speaker(msg));

	if (own < 0)
		return own;
	if (!own) { /* A7, A10: right password, somebody else's name */
		td_count(&core->counters->auth_failed);
		return refuse(out, 403, msg->method == TD_REGISTER ? TD_STR("Not your address") : TD_STR("From is not you"));
	}
	td_count(&core->counters->auth_ok);
	td_tp_trust_conn(core->tp, from);
	return td_arena_dup(&out->aor, &msg->arena, user->aor);
}

static int check_user(struct td_gate *out, const struct td_core *core, struct td_msg *msg, const struct td_flow *from,
		      struct td_str realm, const struct td_auth *cred, enum td_digest_alg alg)
{
	const struct td_user *user;
	struct td_str aor;
	int err = aor_of_username(&aor, msg, cred->username, realm);

	if (err)
		return err;
	user = td_users_find(core->users, aor);
	if (user && !user->has[alg])
		user = NULL;
	switch (td_auth_check(core->nonces, cred, alg, user ? &user->ha1[alg] : NULL, msg, td_loop_now_ms(core->loop))) {
	case TD_AUTH_OK: return pass_user(out, core, msg, from, user);
	case TD_AUTH_STALE: return challenge(out, core, msg, realm, true);
	case TD_AUTH_MALFORMED: return refuse(out, 400, TD_STR("Malformed credentials"));
	case TD_AUTH_NONE:
	case TD_AUTH_WRONG: break;
	}
	td_count(&core->counters->auth_failed);
	return challenge(out, core, msg, realm, false);
}

int td_gate_check(struct td_gate *out, const struct td_core *core, struct td_msg *msg, const struct td_flow *from,
		  struct td_str domain)
{
	struct td_str realm = realm_of(core, msg, domain);
	enum td_digest_alg alg;
	struct td_auth cred;

	*out = (struct td_gate){ 0 };
	if (td_config_trusts(core->cfg, &from->peer)) {
		out->trusted = true;
		td_tp_trust_conn(core->tp, from);
		return 0;
	}
	switch (td_auth_find(&cred, &alg, msg, msg->method != TD_REGISTER, realm)) {
	case TD_AUTH_OK:
		if (core->cfg->digest_algs & 1u << alg)
			return check_user(out, core, msg, from, realm, &cred, alg);
		return challenge(out, core, msg, realm, false); /* an algorithm that is switched off (A2) */
	case TD_AUTH_MALFORMED: td_count(&core->counters->bad_requests); return refuse(out, 400, TD_STR("Malformed credentials"));
	default: return challenge(out, core, msg, realm, false);
	}
}
