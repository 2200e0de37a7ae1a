/*
 * Order of what is asked: trust, credentials, identity. Until the credentials are right, nothing that is answered or done
 * depends on whether the named user exists: the name is looked up, and a dummy secret stands in for a missing one.
 */
#include "server/gate/gate.h"

#include <errno.h>

#include "server/guard/guard.h"

/* A request that is asked who sent it. */
struct asked {
	struct td_gate *out;
	const struct td_core *core;
	struct td_msg *msg;
	const struct td_flow *from;
	const struct td_uri *speaker; /* who it says it is from; a REGISTER, who it speaks for (RFC 3261 §10.3 step 4) */
	const struct td_domain *own;  /* the speaker's, if it is ours */
	struct td_str realm;
	uint64_t source;              /* whom nonces are for */
	struct td_users_key expected; /* the user whose credentials they should be: the speaker. No aor: it has none */
};

static int refuse(const struct asked *q, unsigned status, struct td_str reason)
{
	q->out->status = status;
	q->out->reason = reason;
	return TD_EDENIED;
}

/* Text of at most n bytes in the message's arena: it is written where it stays. NULL when memory is out. */
static char *text_begin(struct td_out *o, struct td_msg *msg, size_t n)
{
	char *p = td_arena_alloc(&msg->arena, n);

	if (p)
		td_out_init_fixed(o, p, n);
	return p;
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

static void note(const struct asked *q, const struct td_note *n)
{
	td_trace_note(q->core->trace, q->msg->call_id, n);
}

static int challenge(const struct asked *q, bool stale)
{
	const struct td_core *core = q->core;
	bool proxy = q->msg->method != TD_REGISTER;
	struct td_out o;

	if (!text_begin(&o, q->msg, TD_DIGEST_ALGS * (TD_AUTH_CHALLENGE_MAX + q->realm.n)))
		return -ENOMEM;
	td_auth_put_challenges(&o, core->nonces, td_loop_rng(core->loop), td_loop_now_ms(core->loop), proxy, q->realm, q->source,
			       algs_for(core, q->msg), stale);
	q->out->extra = td_out_view(&o);
	td_count(&core->counters->challenged);
	return refuse(q, proxy ? 407 : 401, TD_STR_NULL);
}

/* The address a username means within the realm; the quoted-string's escapes are undone. */
static int aor_of_username(struct td_str *out, const struct asked *q, struct td_str username)
{
	struct td_out o;

	if (!text_begin(&o, q->msg, 3 * username.n + 1 + q->realm.n)) /* %HH each, "@" */
		return -ENOMEM;
	for (size_t i = 0; i < username.n; i++) {
		size_t from = i;

		while (i < username.n && username.p[i] != '\\')
			i++;
		td_escape_user(&o, td_str_n(username.p + from, i - from));
		if (++i < username.n)
			td_escape_user(&o, td_str_n(username.p + i, 1));
	}
	td_out_char(&o, '@');
	td_out_str(&o, q->realm);
	*out = td_out_view(&o);
	return 0;
}

/* Is the speaker the user, or his extension in the same domain? */
static bool is_user(const struct asked *q, const struct td_user *user)
{
	struct td_str domain = user->aor, said = q->expected.aor, name, said_name;

	if (!said.n)
		return false;
	if (td_str_eq(said, user->aor))
		return true;
	name = td_str_split(&domain, '@');
	said_name = td_str_split(&said, '@');
	return td_str_eq(said, domain) &&
	       (td_str_eq(said_name, name) || (user->extension.n && td_str_eq(said_name, user->extension)));
}

static int pass_user(const struct asked *q, const struct td_user *user, struct td_str aor)
{
	if (!is_user(q, user)) { /* A7, A10: right password, somebody else's name */
		td_count(&q->core->counters->auth_failed);
		note(q, &(struct td_note){ .kind = TD_NOTE_NOT_HIM, .a = 403, .text = aor, .more = q->speaker->text });
		return refuse(q, 403, q->msg->method == TD_REGISTER ? TD_STR("Not your address") : TD_STR("From is not you"));
	}
	td_count(&q->core->counters->auth_ok);
	note(q, &(struct td_note){ .kind = TD_NOTE_AUTHENTICATED, .text = aor });
	td_tp_trust_conn(q->core->tp, q->from);
	q->out->aor = aor;
	q->out->speaker = q->expected.aor;
	return 0;
}

/*
 * Nearly always the credentials are the speaker's own. So who that is gets looked for before they are read: in a large directory
 * that means waiting for the memory several times, and there is work enough to do meanwhile.
 */
static int expect_speaker(struct asked *q)
{
	const struct td_registrant *r = td_core_registrant(q->msg);
	struct td_out o;

	if (r) {
		q->expected = r->user;
		td_users_approach(q->core->users, &q->expected);
		return 0;
	}
	if (!q->own || !q->speaker->user.n)
		return 0;
	if (!text_begin(&o, q->msg, 3 * q->speaker->user.n + 1 + q->own->name.n + 1))
		return -ENOMEM;
	if (!td_core_aor(&o, q->speaker, q->own) && !o.failed)
		q->expected = td_users_expect(q->core->users, td_out_view(&o));
	return 0;
}

static const struct td_user *find_user(const struct asked *q, struct td_str aor)
{
	if (q->expected.aor.n && td_str_eq(aor, q->expected.aor))
		return td_users_find_expected(q->core->users, &q->expected);
	return td_users_find(q->core->users, aor);
}

/* For the administrator alone: nothing that is answered tells one from the other (A4). */
static void note_wrong(const struct asked *q, struct td_str aor, enum td_digest_alg alg)
{
	const struct td_user *user = find_user(q, aor);

	note(q, &(struct td_note){ .kind = TD_NOTE_PASSWORD, .text = aor, .b = !user ? 1 : !user->has[alg] ? 2 : 0 });
}

static int check_user(const struct asked *q, const struct td_auth *cred, enum td_digest_alg alg)
{
	const struct td_core *core = q->core;
	const struct td_user *user = NULL;
	enum td_auth_verdict verdict;
	struct td_auth_trial trial;
	bool tried;
	struct td_str aor;
	int err = aor_of_username(&aor, q, cred->username);

	if (err)
		return err;
	if (q->expected.aor.n && !td_core_registrant(q->msg))
		td_users_approach(core->users, &q->expected);
	verdict = td_auth_begin(&trial, core->nonces, cred, alg, q->msg, td_loop_now_ms(core->loop), q->source, core->ha2);
	tried = verdict == TD_AUTH_OK;
	if (tried) {
		user = find_user(q, aor);
		if (user && !user->has[alg])
			user = NULL;
		verdict = td_auth_end(&trial, user ? &user->ha1[alg] : NULL);
	}
	switch (verdict) {
	case TD_AUTH_OK: return pass_user(q, user, aor);
	case TD_AUTH_STALE: note(q, &(struct td_note){ .kind = TD_NOTE_NONCE_OLD }); return challenge(q, true);
	case TD_AUTH_MALFORMED: return refuse(q, 400, TD_STR("Malformed credentials"));
	case TD_AUTH_NONE:
	case TD_AUTH_WRONG: break;
	}
	td_count(&core->counters->auth_failed);
	note_wrong(q, aor, alg);
	if (tried) /* of a nonce that was given to this address: whoever it is, he is there (A5) */
		td_bans_accuse(core->bans, core->cfg, TD_OFFENCE_GUESS, &q->from->peer, q->msg->call_id);
	return challenge(q, false);
}

static int check_credentials(struct asked *q, bool proxy)
{
	enum td_digest_alg alg;
	struct td_auth cred TD_UNINIT;
	int err = expect_speaker(q);

	if (err)
		return err;
	switch (td_auth_find(&cred, &alg, q->msg, proxy, q->realm)) {
	case TD_AUTH_OK:
		if (q->core->cfg->digest_algs & 1u << alg)
			return check_user(q, &cred, alg);
		return challenge(q, false); /* an algorithm that is switched off (A2) */
	case TD_AUTH_MALFORMED:
		td_count(&q->core->counters->bad_requests);
		return refuse(q, 400, TD_STR("Malformed credentials"));
	default: note(q, &(struct td_note){ .kind = TD_NOTE_CHALLENGED }); return challenge(q, false);
	}
}

int td_gate_check(struct td_gate *out, const struct td_core *core, struct td_msg *msg, const struct td_flow *from,
		  struct td_str domain)
{
	struct asked q TD_UNINIT;
	bool proxy = msg->method != TD_REGISTER;

	*out = (struct td_gate){ 0 };
	if (td_config_trusts(core->cfg, &from->peer)) {
		out->trusted = true;
		td_tp_trust_conn(core->tp, from);
		return 0;
	}
	q = (struct asked){ .out = out, .core = core, .msg = msg, .from = from };
	q.source = td_guard_source(&from->peer);
	q.speaker = proxy ? &msg->from.uri : &msg->to.uri;
	q.own = td_core_domain(core, q.speaker);
	q.realm = q.own ? q.own->name : domain.n ? domain : core->cfg->domains[0].name;
	if (!td_msg_hdr(msg, proxy ? TD_HDR_PROXY_AUTHORIZATION : TD_HDR_AUTHORIZATION)) {
		note(&q, &(struct td_note){ .kind = TD_NOTE_CHALLENGED });
		return challenge(&q, false);
	}
	return check_credentials(&q, proxy);
}
