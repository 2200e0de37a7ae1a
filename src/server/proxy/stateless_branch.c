/*
 * The branch of a request that is forwarded without state (§16.11). It stands for what a transaction would remember:
 *
 *   z9hG4bK 00 UNIQUE . LOOP . MAC BACK
 *
 *   UNIQUE  16 hex digits: a keyed hash of the received branch and of LOOP. A retransmission, the CANCEL and the ACK for a 300-699
 *           bring the same branch, and so get the same one. An element older than RFC 3261 brings none, or one that says
 *           nothing: its topmost Via takes the place of the branch.
 *   LOOP    td_route.loop, as in every branch of ours
 *   BACK    the way the request came, where its responses go
 *   MAC     16 hex digits: SipHash-2-4 of UNIQUE, BACK, CSeq number and Call-ID under a key made of the server's secret. UNIQUE and
 *           BACK are signed as they are written, so a response is judged before anything in it is read
 *
 * So any worker knows a response for ours, and where it goes, by this alone, even after a restart. Who never saw a branch of ours
 * cannot make one, and who saw one cannot use it for another destination nor for another request (D4). BACK says what the next Via
 * says (§18.2.2 computes both from the same packet); but a peer may write anything there, and here it may not.
 */
#include "server/proxy/internal.h"

enum { UNIQUE_AT = 7 + 2, UNIQUE_LEN = 16, MAC_AT = PX_BRANCH_LEN + 1, MAC_LEN = 16, BACK_AT = MAC_AT + MAC_LEN };
/* listener, family and kind in one byte; address, scope, port; connection and sent-by's port */
enum { BACK_MAX = 1 + 16 + 4 + 2 + 8 + 2, BACK_V6 = 0x80, BACK_STREAM = 0x40, BACK_LISTENER = 0x3f };

_Static_assert(BACK_AT + 2 * BACK_MAX == PX_STATELESS_BRANCH_MAX, "the longest way back fits");
_Static_assert(PX_BRANCH_LEN == TD_BRANCH_LEN + 1 + TD_LOOP_LEN && TD_BRANCH_LEN == UNIQUE_AT + UNIQUE_LEN,
	       "laid out as other branches are");

void px_stateless_key(struct td_proxy *p)
{
	static const char use[] = "branches of requests forwarded without state";
	uint8_t key[16];

	td_siphash128(key, p->core->rr_key, use, sizeof(use) - 1);
	memcpy(p->branch_key, key, sizeof(key));
	memcpy(&p->unique_key, key, sizeof(key)); /* of SipHash-1-3: what it yields tells nothing about the other */
}

/* ---- the way back ---- */

static size_t back_size(uint8_t first)
{
	return 1 + (first & BACK_V6 ? 16 + 4 : 4) + 2 + (first & BACK_STREAM ? 8 + 2 : 0);
}

static uint8_t *put(uint8_t *p, const void *from, size_t n)
{
	memcpy(p, from, n);
	return p + n;
}

static size_t back_pack(uint8_t out[BACK_MAX], const struct px_back *b)
{
	bool v6 = b->flow.peer.family == TD_AF_V6;
	uint8_t *p = out;

	*p++ = (uint8_t)((b->flow.listener & BACK_LISTENER) | (v6 ? BACK_V6 : 0) | (b->flow.conn ? BACK_STREAM : 0));
	p = put(p, b->flow.peer.ip, v6 ? 16 : 4);
	if (v6)
		p = put(p, &b->flow.peer.scope, 4);
	p = put(p, &b->flow.peer.port, 2);
	if (b->flow.conn) {
		p = put(p, &b->flow.conn, 8);
		p = put(p, &b->again, 2);
	}
	return (size_t)(p - out);
}

static const uint8_t *take(void *to, const uint8_t *p, size_t n)
{
	memcpy(to, p, n);
	return p + n;
}

/* False: it is of listeners that are no more. */
static bool back_unpack(struct px_back *out, const struct td_tp *tp, const uint8_t *p)
{
	struct px_back b = { .flow.listener = *p & BACK_LISTENER };
	bool v6 = *p & BACK_V6, stream = *p & BACK_STREAM;

	p++;
	if (b.flow.listener >= td_tp_listeners(tp))
		return false;
	b.flow.proto = (uint8_t)td_tp_listener_proto(tp, b.flow.listener);
	b.flow.peer.family = v6 ? TD_AF_V6 : TD_AF_V4;
	if (stream != td_proto_reliable((enum td_proto)b.flow.proto) ||
	    td_tp_listener_addr(tp, b.flow.listener)->family != b.flow.peer.family)
		return false;
	p = take(b.flow.peer.ip, p, v6 ? 16 : 4);
	if (v6)
		p = take(&b.flow.peer.scope, p, 4);
	p = take(&b.flow.peer.port, p, 2);
	if (stream) {
		p = take(&b.flow.conn, p, 8);
		take(&b.again, p, 2);
	}
	*out = b;
	return true;
}

/* ---- the branch ---- */

/* Of what both the request and its responses show. `back` is as long as its first byte says. */
static uint64_t sign(const struct td_proxy *p, const char unique[UNIQUE_LEN], struct td_str back, const struct td_msg *m)
{
	uint8_t in[UNIQUE_LEN + 4 + 2 * BACK_MAX + TD_SIP_MAX_TOKEN] TD_UNINIT, *at = in;
	size_t n = m->call_id.n < TD_SIP_MAX_TOKEN ? m->call_id.n : TD_SIP_MAX_TOKEN; /* no parsed message has a longer one */

	at = put(at, unique, UNIQUE_LEN);
	at = put(at, &m->cseq.num, 4);
	at = put(at, back.p, back.n);
	at = put(at, m->call_id.p, n);
	return td_siphash64(p->branch_key, in, (size_t)(at - in));
}

static uint64_t unique_of(const struct td_proxy *p, const struct td_msg *msg, const struct td_route *route)
{
	struct td_hash_key key = { p->unique_key.k0 ^ route->loop, p->unique_key.k1 };

	return td_hash_str(&key, td_str_istarts(msg->via.branch, TD_STR("z9hG4bK")) ? msg->via.branch : msg->via.text);
}

static void way_back(struct px_back *out, const struct td_msg *msg, const struct td_flow *from)
{
	td_tp_response_flow(&out->flow, msg, from);
	out->again = msg->via.port;
}

uint64_t px_stateless_branch(char out[PX_STATELESS_BRANCH_MAX], size_t *n, const struct td_proxy *p, const struct td_msg *msg,
			     const struct td_flow *from, const struct td_route *route)
{
	uint64_t unique = unique_of(p, msg, route), mac;
	uint8_t back[BACK_MAX];
	struct px_back way;
	size_t back_n;

	way_back(&way, msg, from);
	back_n = back_pack(back, &way);
	memcpy(out, "z9hG4bK00", UNIQUE_AT);
	td_hex_encode(out + UNIQUE_AT, &unique, sizeof(unique));
	td_route_loop_text(out + TD_BRANCH_LEN, route->loop);
	out[PX_BRANCH_LEN] = '.';
	td_hex_encode(out + BACK_AT, back, back_n);
	*n = BACK_AT + 2 * back_n;
	mac = sign(p, out + UNIQUE_AT, td_str_n(out + BACK_AT, 2 * back_n), msg);
	td_hex_encode(out + MAC_AT, &mac, sizeof(mac));
	return mac;
}

bool px_is_stateless_branch(struct td_str b)
{
	return b.n > BACK_AT && b.n <= PX_STATELESS_BRANCH_MAX && b.p[TD_BRANCH_LEN] == '.' && b.p[PX_BRANCH_LEN] == '.';
}

bool px_stateless_branch_read(struct px_back *out, const struct td_proxy *p, const struct td_msg *response)
{
	struct td_str b = response->via.branch, text = td_str_n(b.p + BACK_AT, b.n - BACK_AT);
	uint64_t mac = sign(p, b.p + UNIQUE_AT, text, response);
	char want[MAC_LEN];
	uint8_t back[BACK_MAX];

	td_hex_encode(want, &mac, sizeof(mac));
	/* Another length than the way's own: what follows it is the beginning of another Call-ID. */
	return td_str_eq_secret(td_str_n(b.p + MAC_AT, MAC_LEN), td_str_n(want, MAC_LEN)) &&
	       !td_hex_decode(back, text.n / 2, text) && text.n / 2 == back_size(back[0]) && back_unpack(out, p->core->tp, back);
}
