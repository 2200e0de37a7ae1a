/*
 * Addresses of one phone among those of its user (RFC 5627). Nothing is kept for them:
 *
 *   public     the address of record, and the instance in "gr" (appendix A.1). It is good for as long as the user is
 *   temporary  a user part that says, sealed (auth/seal.c), whose it is, and by a mark which instance of which Call-ID. Two of them say
 *              nothing of whether they belong together: each has random bytes in it, and addresses are filled up to steps of 16. It is
 *              good as long as a binding of that instance with that Call-ID is there (§3.2): that is what invalidates it, and no list
 *
 * The key is the server's, which it keeps over restarts.
 */
#include "server/location/gruu.h"

enum { MARK = 8, RANDOM = 8, STEP = 16 };

static struct td_str content_of(struct td_str id)
{
	/* "<urn:uuid:…>" in quotes: the feature tag's value stands in angle brackets (RFC 3840 §9, RFC 5626 §4.1) */
	struct td_str s = td_str_n(id.p + 1, id.n - 2);

	return s.n > 2 && s.p[0] == '<' && s.p[s.n - 1] == '>' ? td_str_n(s.p + 1, s.n - 2) : s;
}

static void gruu_key(uint8_t out[16], const uint8_t key[16], char what)
{
	const char use[] = { 'g', 'r', 'u', 'u', what };

	td_siphash128(out, key, use, sizeof(use));
}

static void mark_of(uint8_t out[MARK], const uint8_t key[16], struct td_str id, struct td_str call_id)
{
	uint8_t own[16], inner[16], mark[16];

	gruu_key(own, key, 'm');
	td_siphash128(inner, own, id.p, id.n);
	td_siphash128(mark, inner, call_id.p, call_id.n);
	memcpy(out, mark, MARK);
}

/* paramchar (RFC 3261 §25.1) without what would have to be escaped in a quoted-string as well; all else as %HH. */
static void put_escaped(struct td_out *o, struct td_str s)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		    (c && strchr("-_.!~*()[]/:&+$", c))) {
			td_out_char(o, (char)c);
			continue;
		}
		td_out_char(o, '%');
		td_out_char(o, digits[c >> 4]);
		td_out_char(o, digits[c & 15]);
	}
}

static struct td_str domain_of(struct td_str aor)
{
	const char *at = memrchr(aor.p, '@', aor.n);

	return at ? td_str_n(at + 1, (size_t)(aor.p + aor.n - at - 1)) : TD_STR_NULL;
}

static size_t plain_length(struct td_str aor)
{
	return RANDOM + MARK + 1 + (aor.n + STEP) / STEP * STEP;
}

size_t td_gruu_length(struct td_str aor, const struct td_binding *b)
{
	struct td_instance i;

	if (!td_instance_of(&i, b->params))
		return 0;
	return sizeof(";pub-gruu=\"sips:;gr=\";temp-gruu=\"sips:@;gr\"") + 2 * aor.n + 3 * i.id.n +
	       td_seal_length(plain_length(aor));
}

static void put_temporary(struct td_out *o, const uint8_t key[16], struct td_rng *rng, struct td_str aor, struct td_str id,
			  struct td_str call_id, bool sips)
{
	uint8_t plain[TD_SEAL_MAX] = { 0 }, own[16];
	uint64_t random = td_rng_u64(rng);

	if (plain_length(aor) > sizeof(plain))
		return;
	memcpy(plain, &random, RANDOM);
	mark_of(plain + RANDOM, key, id, call_id);
	plain[RANDOM + MARK] = (uint8_t)(STEP - aor.n % STEP); /* how much was filled up */
	memcpy(plain + RANDOM + MARK + 1, aor.p, aor.n);
	gruu_key(own, key, 's');
	td_out_z(o, sips ? ";temp-gruu=\"sips:" : ";temp-gruu=\"sip:");
	td_seal(o, own, plain, plain_length(aor));
	td_out_char(o, '@');
	td_out_str(o, domain_of(aor));
	td_out_z(o, ";gr\"");
}

void td_gruu_put(struct td_out *o, const uint8_t key[16], struct td_rng *rng, struct td_str aor, const struct td_binding *b)
{
	bool sips = td_str_istarts(b->contact, TD_STR("sips:")); /* RFC 5630 §5.2.1: as it registered */
	struct td_instance i;

	if (!td_instance_of(&i, b->params))
		return;
	td_out_z(o, sips ? ";pub-gruu=\"sips:" : ";pub-gruu=\"sip:");
	td_out_str(o, aor);
	td_out_z(o, ";gr=");
	put_escaped(o, content_of(i.id));
	td_out_char(o, '"');
	put_temporary(o, key, rng, aor, i.id, b->call_id, sips);
}

static int read_temporary(struct td_gruu *out, struct td_str *aor, struct td_arena *arena, const uint8_t key[16],
			  const struct td_uri *uri)
{
	uint8_t plain[TD_SEAL_MAX], own[16];
	struct td_str text;
	size_t n, filled;

	gruu_key(own, key, 's');
	if (td_unseal(plain, &n, own, uri->user) || n < RANDOM + MARK + 1)
		return TD_ENOTFOUND;
	n -= RANDOM + MARK + 1;
	filled = plain[RANDOM + MARK];
	if (filled > n)
		return TD_ENOTFOUND;
	text = td_str_n((char *)plain + RANDOM + MARK + 1, n - filled);
	memcpy(out->mark, plain + RANDOM, MARK);
	out->temporary = true;
	return td_arena_dup(aor, arena, text);
}

int td_gruu_read(struct td_gruu *out, struct td_str *aor, struct td_arena *arena, const uint8_t key[16], const struct td_uri *uri)
{
	struct td_gruu g = { 0 };
	struct td_param p;
	struct td_out o;
	char *text;
	int err;

	if (!td_param_find(&p, uri->params, TD_STR("gr")))
		return TD_EUNSUPPORTED;
	if (!p.value.n) {
		err = read_temporary(&g, aor, arena, key, uri);
	} else {
		text = td_arena_alloc(arena, p.value.n);
		if (!text)
			return -ENOMEM;
		td_out_init_fixed(&o, text, p.value.n);
		err = td_unescape(&o, p.value) ? TD_ENOTFOUND : 0;
		g.instance = td_out_view(&o);
	}
	if (!err)
		*out = g;
	return err;
}

bool td_gruu_is(const struct td_gruu *g, const uint8_t key[16], const struct td_binding *b)
{
	uint8_t mark[MARK];
	struct td_instance i;

	if (!td_instance_of(&i, b->params))
		return false;
	if (!g->temporary)
		return td_str_ieq(content_of(i.id), g->instance); /* as parameters of URIs are compared (RFC 3261 §19.1.4) */
	mark_of(mark, key, i.id, b->call_id);
	return td_str_eq_secret(td_str_n((char *)mark, MARK), td_str_n((const char *)g->mark, MARK));
}
