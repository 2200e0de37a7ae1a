/*
 * The Record-Route cookie. A proxy that keeps no dialogs still has to tell a request of a dialog it helped to set up from one
 * that only claims to be: it signs what it needs to know, and the endpoints carry the signature in their route sets (§16.6
 * item 4 foresees parameters "for keeping state in the message rather than the proxy"). The caller's tag is the From tag of its own
 * requests and the To tag of the callee's, so both are tried.
 */
#include "server/route/route.h"

struct sip_state {
	uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotl(uint64_t x, int b)
{
	return (x << b) | (x >> (64 - b));
}

static inline void rounds(struct sip_state *s, int n)
{
	while (n--) {
		s->v0 += s->v1;
		s->v1 = rotl(s->v1, 13) ^ s->v0;
		s->v0 = rotl(s->v0, 32);
		s->v2 += s->v3;
		s->v3 = rotl(s->v3, 16) ^ s->v2;
		s->v0 += s->v3;
		s->v3 = rotl(s->v3, 21) ^ s->v0;
		s->v2 += s->v1;
		s->v1 = rotl(s->v1, 17) ^ s->v2;
		s->v2 = rotl(s->v2, 32);
	}
}

static inline uint64_t load64(const uint8_t *p)
{
	uint64_t v = 0;

	for (int i = 0; i < 8; i++)
		v |= (uint64_t)p[i] << (8 * i);
	return v;
}

static inline void store64(uint8_t *p, uint64_t v)
{
	for (int i = 0; i < 8; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

void td_siphash128(uint8_t out[16], const uint8_t key[16], const void *in, size_t n)
{
	uint64_t k0 = load64(key), k1 = load64(key + 8), last = (uint64_t)n << 56;
	struct sip_state s = { k0 ^ 0x736f6d6570736575ULL, k1 ^ 0x646f72616e646f6dULL ^ 0xee, k0 ^ 0x6c7967656e657261ULL,
			       k1 ^ 0x7465646279746573ULL };
	const uint8_t *p = in;
	size_t left = n;

	for (; left >= 8; p += 8, left -= 8) {
		uint64_t m = load64(p);

		s.v3 ^= m;
		rounds(&s, 2);
		s.v0 ^= m;
	}
	for (size_t i = 0; i < left; i++)
		last |= (uint64_t)p[i] << (8 * i);
	s.v3 ^= last;
	rounds(&s, 2);
	s.v0 ^= last;
	s.v2 ^= 0xee;
	rounds(&s, 4);
	store64(out, s.v0 ^ s.v1 ^ s.v2 ^ s.v3);
	s.v1 ^= 0xdd;
	rounds(&s, 4);
	store64(out + 8, s.v0 ^ s.v1 ^ s.v2 ^ s.v3);
}

void td_route_cookie(char out[TD_COOKIE_LEN], const uint8_t key[16], struct td_str call_id, struct td_str tag)
{
	/* Call-ID under the key makes the key for the tag: no concatenation, so no two pairs read alike. */
	uint8_t inner[16], mac[16];
	struct td_out o;

	td_siphash128(inner, key, call_id.p, call_id.n);
	td_siphash128(mac, inner, tag.p, tag.n);
	td_out_init_fixed(&o, out, TD_COOKIE_LEN);
	td_out_hex(&o, mac, TD_COOKIE_LEN / 2);
}

bool td_route_cookie_ok(const uint8_t key[16], const struct td_uri *uri, const struct td_msg *msg)
{
	char want[TD_COOKIE_LEN];
	struct td_param p;

	/* Only inside a dialog: without a To tag it would start something new under an old permission. */
	if (!msg->to_tag.n || !td_param_find(&p, uri->params, TD_STR(TD_COOKIE_PARAM)) || p.value.n != TD_COOKIE_LEN)
		return false;
	td_route_cookie(want, key, msg->call_id, msg->from_tag);
	if (td_str_eq_secret(p.value, td_str_n(want, TD_COOKIE_LEN)))
		return true;
	td_route_cookie(want, key, msg->call_id, msg->to_tag);
	return td_str_eq_secret(p.value, td_str_n(want, TD_COOKIE_LEN));
}
