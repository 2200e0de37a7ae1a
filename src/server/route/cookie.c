/*
 * The Record-Route cookie. A proxy that keeps no dialogs still has to tell a request of a dialog it helped to set up from one
 * that only claims to be: it signs what it needs to know, and the endpoints carry the signature in their route sets (§16.6
 * item 4 foresees parameters "for keeping state in the message rather than the proxy"). The caller's tag is the From tag of its own
 * requests and the To tag of the callee's, so both are tried.
 */
#include "server/route/route.h"

void td_route_cookie(char out[TD_COOKIE_LEN], const uint8_t key[16], enum td_cookie kind, struct td_str call_id,
		     struct td_str tag)
{
	/* Call-ID under the key makes the key for the tag: no concatenation, so no two pairs read alike. */
	uint8_t inner[16], mac[16];
	struct td_out o;

	td_siphash128(inner, key, call_id.p, call_id.n);
	inner[0] ^= kind == TD_COOKIE_STATELESS;
	td_siphash128(mac, inner, tag.p, tag.n);
	td_out_init_fixed(&o, out, TD_COOKIE_LEN);
	td_out_hex(&o, mac, TD_COOKIE_LEN / 2);
}

static bool is_cookie(const uint8_t key[16], enum td_cookie kind, struct td_str shown, const struct td_msg *msg)
{
	char want[TD_COOKIE_LEN];

	td_route_cookie(want, key, kind, msg->call_id, msg->from_tag);
	if (td_str_eq_secret(shown, td_str_n(want, TD_COOKIE_LEN)))
		return true;
	td_route_cookie(want, key, kind, msg->call_id, msg->to_tag);
	return td_str_eq_secret(shown, td_str_n(want, TD_COOKIE_LEN));
}

enum td_cookie td_route_cookie_of(const uint8_t key[16], const struct td_uri *uri, const struct td_msg *msg)
{
	struct td_param p;

	/* Only inside a dialog: without a To tag it would start something new under an old permission. */
	if (!msg->to_tag.n || !td_param_find(&p, uri->params, TD_STR(TD_COOKIE_PARAM)) || p.value.n != TD_COOKIE_LEN)
		return TD_COOKIE_NONE;
	if (is_cookie(key, TD_COOKIE_STATEFUL, p.value, msg))
		return TD_COOKIE_STATEFUL;
	return is_cookie(key, TD_COOKIE_STATELESS, p.value, msg) ? TD_COOKIE_STATELESS : TD_COOKIE_NONE;
}
