/*
 * The side that is asked (RFC 3261 §22.2, §22.3): learns challenges from 401 and 407, picks the strongest algorithm of each
 * realm (RFC 8760 §2.4), and writes credentials. The password is only used to make HA1 when a challenge arrives.
 */
#include <errno.h>
#include <stdlib.h>
#include "auth/internal.h"

enum {
	MAX_REALMS = 8, /* proxies on one path that each want credentials */
	MAX_STALE = 5,  /* a server that calls every fresh nonce stale is refusing us */
	CNONCE_LEN = 16,
};

struct challenge {
	struct td_link link;
	bool proxy, qop, stale;
	bool fresh; /* learnt from the response being read */
	enum td_digest_alg alg;
	bool named; /* the algorithm was written, so we write it too */
	unsigned stales;
	uint32_t nc;
	uint64_t learnt; /* the client's count when this one came */
	struct td_ha1 ha1;
	struct td_str realm, nonce, opaque;
	char text[];
};

struct td_auth_client {
	struct td_rng *rng;
	struct td_str user, realm, password;
	struct td_link challenges;
	unsigned count;
	uint64_t learnt; /* challenges, ever */
	char text[];
};

static struct td_str keep(char **at, struct td_str s)
{
	struct td_str out = { *at, s.n };

	if (s.n)
		memcpy(*at, s.p, s.n);
	*at += s.n;
	return out;
}

int td_auth_client_open(struct td_auth_client **out, struct td_rng *rng, const struct td_credentials *cred)
{
	struct td_auth_client *c = calloc(1, sizeof(*c) + cred->user.n + cred->realm.n + cred->password.n);
	char *at;

	if (!c)
		return -ENOMEM;
	at = c->text;
	c->rng = rng;
	c->user = keep(&at, cred->user);
	c->realm = keep(&at, cred->realm);
	c->password = keep(&at, cred->password);
	td_list_init(&c->challenges);
	*out = c;
	return 0;
}

static void drop(struct td_auth_client *c, struct challenge *ch)
{
	td_list_del(&ch->link);
	c->count--;
	explicit_bzero(&ch->ha1, sizeof(ch->ha1));
	free(ch);
}

void td_auth_client_close(struct td_auth_client *c)
{
	if (!c)
		return;
	while (!td_list_empty(&c->challenges))
		drop(c, TD_CONTAINER_OF(c->challenges.next, struct challenge, link));
	explicit_bzero((char *)c->password.p, c->password.n);
	free(c);
}

/* The hashes cover values as they are meant, without the escapes of their quoted-string. */
static struct td_str keep_unescaped(char **at, struct td_str s)
{
	struct td_str out = { *at, 0 };

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\\' && i + 1 < s.n)
			i++;
		(*at)[out.n++] = s.p[i];
	}
	*at += out.n;
	return out;
}

static struct challenge *find(const struct td_auth_client *c, bool proxy, struct td_str realm)
{
	for (struct td_link *l = c->challenges.next; l != &c->challenges; l = l->next) {
		struct challenge *ch = TD_CONTAINER_OF(l, struct challenge, link);
		if (ch->proxy == proxy && td_str_eq(ch->realm, realm))
			return ch;
	}
	return NULL;
}

/*
 * Were the credentials we sent for it refused for what they are? A nonce that was new and failed at once says so too. But not when the
 * request left before we knew the nonce, as the second of two sent at once does.
 */
static bool refused(const struct challenge *old, const struct challenge *ch, uint64_t mark)
{
	if (old->nc == 0 || old->learnt > mark)
		return false;
	if (ch->stale)
		return old->nc == 1 && old->stales >= MAX_STALE;
	return td_str_eq(old->nonce, ch->nonce) || old->nc == 1;
}

/* A challenge we could answer, on the heap. TD_EUNSUPPORTED, -ENOMEM. */
static int read_challenge(struct challenge **out, struct td_str value, bool proxy)
{
	enum td_digest_alg alg;
	struct challenge *ch;
	struct td_auth a;
	char *at;

	if (td_auth_parse(&a, value) || !a.digest || !a.realm.p || !a.nonce.n)
		return TD_EUNSUPPORTED;
	if (td_digest_alg_parse(&alg, a.algorithm) || (a.qop.n && !td_list_has(a.qop, TD_STR("auth"))))
		return TD_EUNSUPPORTED;
	ch = calloc(1, sizeof(*ch) + a.realm.n + a.nonce.n + a.opaque.n);
	if (!ch)
		return -ENOMEM;
	at = ch->text;
	ch->realm = keep_unescaped(&at, a.realm);
	ch->nonce = keep_unescaped(&at, a.nonce);
	ch->opaque = keep_unescaped(&at, a.opaque);
	ch->proxy = proxy;
	ch->qop = a.qop.n > 0;
	ch->alg = alg;
	ch->named = a.algorithm.n > 0;
	ch->stale = td_str_ieq(a.stale, TD_STR("true"));
	ch->fresh = true;
	*out = ch;
	return 0;
}

/* 0: keep ch instead of old; TD_EEXIST: old is as good; TD_EDENIED; TD_EUNSUPPORTED. */
static int judge(const struct td_auth_client *c, const struct challenge *old, const struct challenge *ch,
		 const struct td_auth_sent *sent)
{
	if (c->realm.n && !td_str_eq(c->realm, ch->realm))
		return TD_EUNSUPPORTED; /* credentials go to their realm only (A6) */
	if (!old && sent->known_realms && !find(c, !ch->proxy, ch->realm))
		return TD_EUNSUPPORTED;
	if (!old)
		return c->count < MAX_REALMS ? 0 : TD_EUNSUPPORTED;
	if (old->fresh) /* the same response, another algorithm */
		return ch->alg < old->alg ? 0 : TD_EEXIST;
	return refused(old, ch, sent->mark) ? TD_EDENIED : 0;
}

static int consider(struct td_auth_client *c, struct td_str value, bool proxy, const struct td_auth_sent *sent)
{
	struct challenge *ch, *old;
	int err = read_challenge(&ch, value, proxy);

	if (err)
		return err;
	old = find(c, proxy, ch->realm);
	err = judge(c, old, ch, sent);
	if (err) {
		free(ch);
		if (err == TD_EDENIED)
			drop(c, old); /* asked again later, we start afresh */
		return err == TD_EEXIST ? 0 : err;
	}
	if (old) {
		ch->stales = old->fresh ? old->stales : old->nc == 1 ? old->stales + 1 : 0;
		drop(c, old);
	}
	ch->learnt = ++c->learnt;
	td_ha1_make(&ch->ha1, ch->alg, c->user, ch->realm, c->password);
	td_list_add_tail(&c->challenges, &ch->link);
	c->count++;
	return 0;
}

uint64_t td_auth_client_mark(const struct td_auth_client *c)
{
	return c->learnt;
}

int td_auth_client_challenge(struct td_auth_client *c, const struct td_msg *response, const struct td_auth_sent *sent)
{
	static const struct td_auth_sent everything = { .mark = UINT64_MAX };
	static const struct {
		enum td_hdr_id id;
		bool proxy;
	} fields[] = { { TD_HDR_WWW_AUTHENTICATE, false }, { TD_HDR_PROXY_AUTHENTICATE, true } };
	int result = TD_EUNSUPPORTED;

	for (struct td_link *l = c->challenges.next; l != &c->challenges; l = l->next)
		TD_CONTAINER_OF(l, struct challenge, link)->fresh = false;
	for (unsigned i = 0; i < TD_ARRAY_LEN(fields); i++) {
		for (const struct td_hdr *h = td_msg_hdr(response, fields[i].id); h; h = td_msg_hdr_next(response, h)) {
			int err = consider(c, td_hdr_value(response, h), fields[i].proxy, sent ? sent : &everything);
			if (err == -ENOMEM || err == TD_EDENIED)
				return err;
			if (!err)
				result = 0;
		}
	}
	return result;
}

static void put_param(struct td_out *o, const char *name, struct td_str value)
{
	td_out_z(o, name);
	td_quote(o, value);
}

static void put_one(struct td_out *o, struct td_auth_client *c, struct challenge *ch, struct td_str method, struct td_str uri)
{
	char cnonce[CNONCE_LEN], nc[9], response[TD_DIGEST_HEX_MAX];
	struct td_out count;

	ch->nc++;
	td_out_init_fixed(&count, nc, sizeof(nc));
	td_out_hex(&count,
		   (uint8_t[]){ (uint8_t)(ch->nc >> 24), (uint8_t)(ch->nc >> 16), (uint8_t)(ch->nc >> 8), (uint8_t)ch->nc }, 4);
	td_rng_token(c->rng, cnonce, sizeof(cnonce));
	struct td_digest_input in = {
		.alg = ch->alg,
		.method = method,
		.uri = uri,
		.nonce = ch->nonce,
		.nc = td_out_view(&count),
		.cnonce = td_str_n(cnonce, sizeof(cnonce)),
		.qop = ch->qop ? TD_STR("auth") : TD_STR_NULL,
	};
	struct td_str answer = { response, td_digest_response(response, &ch->ha1, &in) };

	td_out_str(o, td_hdr_name(ch->proxy ? TD_HDR_PROXY_AUTHORIZATION : TD_HDR_AUTHORIZATION));
	put_param(o, ": Digest username=", c->user);
	put_param(o, ", realm=", ch->realm);
	put_param(o, ", nonce=", ch->nonce);
	put_param(o, ", uri=", uri);
	put_param(o, ", response=", answer);
	if (ch->named) {
		td_out_z(o, ", algorithm=");
		td_out_str(o, td_digest_alg_name(ch->alg));
	}
	if (ch->qop) {
		put_param(o, ", cnonce=", in.cnonce);
		td_out_z(o, ", qop=auth, nc=");
		td_out_str(o, in.nc);
	}
	if (ch->opaque.n)
		put_param(o, ", opaque=", ch->opaque);
	td_out_z(o, "\r\n");
}

int td_auth_client_put(struct td_out *o, struct td_auth_client *c, struct td_str method, struct td_str uri)
{
	for (struct td_link *l = c->challenges.next; l != &c->challenges; l = l->next)
		put_one(o, c, TD_CONTAINER_OF(l, struct challenge, link), method, uri);
	return o->failed ? -ENOMEM : 0;
}
