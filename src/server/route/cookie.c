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

enum td_cookie td_route_cookie_of(struct td_str *flows, const uint8_t key[16], const struct td_uri *uri, const struct td_msg *msg)
{
	struct td_str shown;
	struct td_param p;

	/* Only inside a dialog: without a To tag it would start something new under an old permission. */
	if (!msg->to_tag.n || !td_param_find(&p, uri->params, TD_STR(TD_COOKIE_PARAM)) || p.value.n < TD_COOKIE_LEN)
		return TD_COOKIE_NONE;
	shown = td_str_n(p.value.p, TD_COOKIE_LEN);
	*flows = td_str_n(shown.p + shown.n, p.value.n - shown.n);
	if (is_cookie(key, TD_COOKIE_STATEFUL, shown, msg))
		return TD_COOKIE_STATEFUL;
	return is_cookie(key, TD_COOKIE_STATELESS, shown, msg) ? TD_COOKIE_STATELESS : TD_COOKIE_NONE;
}

/* ---- flows ---- */

/* A key of the dialog's own. */
static void flows_key(uint8_t out[16], const uint8_t key[16], struct td_str call_id, struct td_str caller_tag)
{
	static const char use[] = "flows";
	uint8_t own[16], inner[16];

	td_siphash128(own, key, use, sizeof(use) - 1);
	td_siphash128(inner, own, call_id.p, call_id.n);
	td_siphash128(out, inner, caller_tag.p, caller_tag.n);
}

/* Sealed: for each side the length of its flow, and that. */
TD_RARE void td_route_put_flows(struct td_out *o, const uint8_t key[16], struct td_str call_id, struct td_str caller_tag,
				const struct td_flow *const flow[TD_SIDES])
{
	uint8_t plain[TD_SIDES * (1 + TD_FLOW_PACKED_MAX)], own[16];
	size_t n = 0;

	for (int side = 0; side < TD_SIDES; side++) {
		size_t length = flow[side] ? td_flow_pack(plain + n + 1, flow[side]) : 0;

		plain[n] = (uint8_t)length;
		n += 1 + length;
	}
	if (n == TD_SIDES)
		return;
	flows_key(own, key, call_id, caller_tag);
	td_seal(o, own, plain, n);
}

TD_RARE int td_route_flow_of(struct td_flow *out, const uint8_t key[16], struct td_str flows, const struct td_msg *msg)
{
	uint8_t plain[TD_SEAL_MAX], own[16];
	const uint8_t *p = plain;
	size_t n;

	for (int to = TD_SIDE_CALLEE; to >= TD_SIDE_CALLER; to--) { /* whose tag it is sealed with is the caller */
		flows_key(own, key, msg->call_id, to == TD_SIDE_CALLEE ? msg->from_tag : msg->to_tag);
		if (td_unseal(plain, &n, own, flows))
			continue;
		if (to == TD_SIDE_CALLEE)
			p += 1 + *p;
		if (!*p)
			return TD_ENOTFOUND;
		td_flow_unpack(out, p + 1, *p);
		return 0;
	}
	return TD_EDENIED;
}
