/*
 * Which transaction a message belongs to. A response: branch and CSeq method (§17.1.3). A request: branch, sent-by and method,
 * or, from an element older than RFC 3261 whose branch has no magic cookie, most of what identifies a request (§17.2.3). An
 * ACK, and a CANCEL (§9.2), look for the INVITE.
 *
 * The tables are hashed with a secret key, so chosen branches do not meet in one bucket (P12).
 *
 * D4: a response is believed because it knows our branch, 80 random bits that only those on the path have seen. Its source address
 * is not compared with where the request went: hosts with several addresses, and servers behind a balancer, answer from
 * another one, and an attacker who saw the branch can forge the source as well.
 */
#include "internal.h"

static const struct td_str cookie = TD_STR_INIT("z9hG4bK");

enum { BRANCH_TOKEN = 9 };     /* in a branch of ours: after the cookie and the worker */
enum { LAST = KEY_PARTS - 1 }; /* modern: the host, any case. Older: the To tag, which an ACK is not matched by */

static uint8_t method_of(const struct td_msg *req)
{
	return req->method == TD_ACK || req->method == TD_CANCEL ? TD_INVITE : (uint8_t)req->method;
}

/* Its branch is like no other one's (§8.1.1.7). */
bool txn_has_cookie(const struct td_msg *req)
{
	return td_str_istarts(req->via.branch, cookie);
}

uint64_t txn_request_hash(const struct td_txl *txl, const struct td_msg *req)
{
	if (req->hash)
		return req->hash;
	return td_hash_str(&txl->key, txn_has_cookie(req) ? req->via.branch : req->call_id);
}

void txn_key_of(struct txn_key *out, const struct td_txl *txl, const struct td_msg *req)
{
	unsigned i;

	*out = (struct txn_key){ .head.method = method_of(req), .ack = req->method == TD_ACK };
	out->hash = txn_request_hash(txl, req);
	if (req->method == TD_METHOD_OTHER)
		out->part[4] = req->method_name;
	if (txn_has_cookie(req)) {
		out->head.num = req->via.port;
		out->part[0] = req->via.branch;
		out->part[LAST] = req->via.host;
	} else {
		out->head.legacy = 1;
		out->head.num = req->cseq.num;
		out->part[0] = req->via.text;
		out->part[1] = req->uri;
		out->part[2] = req->from_tag;
		out->part[3] = req->call_id;
		out->part[LAST] = req->to_tag;
	}
	for (i = 0; i < KEY_PARTS; i++)
		out->head.n[i] = (uint16_t)out->part[i].n;
	if (out->head.legacy && out->ack)
		out->head.n[LAST] = 0;
}

size_t txn_key_size(const struct txn_key *key)
{
	size_t n = sizeof(key->head);
	unsigned i;

	for (i = 0; i < KEY_PARTS; i++)
		n += key->part[i].n;
	return n;
}

void txn_key_store(char *mem, const struct txn_key *key)
{
	unsigned i;

	memcpy(mem, &key->head, sizeof(key->head));
	mem += sizeof(key->head);
	for (i = 0; i < KEY_PARTS; i++) {
		if (key->part[i].n)
			memcpy(mem, key->part[i].p, key->part[i].n);
		mem += key->part[i].n;
	}
}

static bool server_eq(const struct td_map_node *node, const void *arg)
{
	const struct td_srvtx *st = TD_CONTAINER_OF(node, struct td_srvtx, t.node);
	const struct txn_key *key = arg;
	const char *p = st->key + sizeof(struct txn_key_head);
	struct txn_key_head head;
	struct td_str last;
	unsigned i;

	memcpy(&head, st->key, sizeof(head));
	last.n = head.n[LAST];
	if (head.legacy && key->ack)
		head.n[LAST] = 0;
	if (memcmp(&head, &key->head, sizeof(head)))
		return false;
	for (i = 0; i < LAST; i++) {
		if (key->part[i].n && memcmp(p, key->part[i].p, key->part[i].n))
			return false;
		p += key->part[i].n;
	}
	last.p = p;
	if (head.legacy)
		return key->ack || td_str_eq(last, key->part[LAST]);
	return td_str_ieq(last, key->part[LAST]);
}

struct td_srvtx *txn_find_server(const struct td_txl *txl, const struct txn_key *key)
{
	struct td_map_node *n = td_map_find(&txl->srvtxs, key->hash, server_eq, key);

	return n ? TD_CONTAINER_OF(n, struct td_srvtx, t.node) : NULL;
}

/* §17.2.3, without the cookie: "the To tag of the ACK matches the To tag of the response sent by the server transaction". */
bool txn_ack_fits(const struct td_srvtx *st, const struct td_msg *ack)
{
	struct td_msg *sent;
	bool fits;

	if (txn_has_cookie(ack) || st->t.state != COMPLETED)
		return true;
	if (td_msg_parse(&sent, st->t.out, 0, st->t.out->len))
		return false;
	fits = td_str_eq(sent->to_tag, ack->to_tag);
	td_msg_unref(sent);
	return fits;
}

/* ---- responses ---- */

struct client_key {
	struct td_str branch;
	enum td_method method;
};

/*
 * Only branches of ours are in that table, and theirs are random: forty bits of the token spread as well as a keyed hash of it all
 * would, and a peer who chooses what he asks for does not choose what is there (P12).
 */
uint64_t txn_branch_hash(const struct td_txl *txl, struct td_str branch)
{
	uint64_t h;

	if (branch.n < TD_BRANCH_LEN)
		return td_hash_str(&txl->key, branch);
	memcpy(&h, branch.p + BRANCH_TOKEN, sizeof(h));
	return h * UINT64_C(0x9e3779b97f4a7c15); /* into the high half, which the map folds in */
}

static bool client_eq(const struct td_map_node *node, const void *arg)
{
	const struct td_clitx *ct = TD_CONTAINER_OF(node, struct td_clitx, t.node);
	const struct client_key *key = arg;

	return ct->method == key->method && td_str_eq(td_str_n(ct->branch, ct->branch_n), key->branch);
}

struct td_clitx *txn_find_client(const struct td_txl *txl, uint64_t hash, struct td_str branch, enum td_method method)
{
	struct client_key key = { branch, method };
	struct td_map_node *n = td_map_find(&txl->clitxs, hash, client_eq, &key);

	return n ? TD_CONTAINER_OF(n, struct td_clitx, t.node) : NULL;
}

/* ---- flows, branches ---- */

bool txn_same_flow(const struct td_flow *a, const struct td_flow *b)
{
	return a->proto == b->proto && a->conn == b->conn && td_addr_eq(&a->peer, &b->peer);
}

void td_branch_make(char out[TD_BRANCH_LEN], struct td_txl *txl)
{
	static const char hex[] = "0123456789abcdef";
	unsigned worker = td_tp_worker(txl->tp);

	memcpy(out, cookie.p, cookie.n);
	out[7] = hex[worker >> 4 & 15];
	out[8] = hex[worker & 15];
	td_rng_token(td_loop_rng(txl->loop), out + BRANCH_TOKEN, TD_BRANCH_LEN - BRANCH_TOKEN);
	td_map_fetch(&txl->clitxs, txn_branch_hash(txl, td_str_n(out, TD_BRANCH_LEN)));
}

int td_branch_owner(unsigned *out, struct td_str branch)
{
	uint8_t worker;

	if (branch.n < TD_BRANCH_LEN || (branch.n > TD_BRANCH_LEN && branch.p[TD_BRANCH_LEN] != '.') ||
	    !td_str_starts(branch, cookie) || td_hex_decode(&worker, 1, td_str_n(branch.p + 7, 2)))
		return TD_ENOTFOUND;
	*out = worker;
	return 0;
}
