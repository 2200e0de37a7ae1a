/*
 * Requests the layer makes by itself, out of the INVITE's own bytes: the ACK for a 300-699 (§17.1.1.3) and CANCEL (§9.1).
 * Both carry one Via, the INVITE's top one, so that every hop finds the transaction they mean. And responses without a body.
 */
#include "internal.h"

#include <errno.h>

static void put_lines(struct td_out *o, const struct td_msg *m, enum td_hdr_id id)
{
	const struct td_hdr *h;

	for (h = td_msg_hdr(m, id); h; h = td_msg_hdr_next(m, h))
		td_out_str(o, td_hdr_line(m, h));
}

/* Everything but To and what follows it: equal to the INVITE's in both. */
static void put_common(struct td_out *o, const struct td_msg *invite, enum td_method method, struct td_str to)
{
	td_put_request_line(o, td_method_name(method), invite->uri);
	td_put_hdr(o, TD_HDR_VIA, invite->via.text);
	td_put_hdr_u64(o, TD_HDR_MAX_FORWARDS, 70);
	put_lines(o, invite, TD_HDR_ROUTE);
	td_put_hdr(o, TD_HDR_FROM, td_msg_value(invite, TD_HDR_FROM));
	td_put_hdr(o, TD_HDR_TO, to);
	td_put_hdr(o, TD_HDR_CALL_ID, invite->call_id);
	td_out_str(o, TD_STR("CSeq: "));
	td_out_u64(o, invite->cseq.num);
	td_out_char(o, ' ');
	td_out_str(o, td_method_name(method));
	td_out_str(o, TD_STR("\r\n"));
}

static int finish(struct td_buf **out, struct td_out *o)
{
	struct td_buf *b;

	td_out_str(o, TD_STR("Content-Length: 0\r\n\r\n"));
	b = td_out_buf(o);
	if (!b)
		return -ENOMEM;
	*out = b;
	return 0;
}

int txn_build_ack(struct td_buf **out, struct td_buf *invite, const struct td_msg *response)
{
	struct td_msg *m;
	struct td_out o;
	int err = td_msg_parse(&m, invite, 0, invite->len);

	if (err)
		return err;
	td_out_init(&o);
	put_common(&o, m, TD_ACK, td_msg_value(response, TD_HDR_TO));
	err = finish(out, &o);
	td_msg_unref(m);
	return err;
}

int txn_build_cancel(struct td_buf **out, struct td_buf *invite, struct td_str extra)
{
	struct td_msg *m;
	struct td_out o;
	int err = td_msg_parse(&m, invite, 0, invite->len);

	if (err)
		return err;
	td_out_init(&o);
	put_common(&o, m, TD_CANCEL, td_msg_value(m, TD_HDR_TO));
	td_out_str(&o, extra);
	err = finish(out, &o);
	td_msg_unref(m);
	return err;
}

int txn_build_response(struct td_buf **out, const struct td_msg *req, unsigned status, struct td_str reason, struct td_str to_tag,
		       struct td_str extra)
{
	struct td_out o;

	td_out_init(&o);
	/* Its head is copied from the request's: room for all of it and for what is added, so that it need not grow. */
	td_out_reserve(&o, req->bytes.n - req->body.n + extra.n + 128);
	td_put_response_head(&o, req, status, reason, to_tag, false);
	td_out_str(&o, extra);
	return finish(out, &o);
}

/*
 * Equal for a request, its retransmissions, its CANCEL and the ACK to the answer, so an ACK is known by its To tag. Where the branch is
 * like no other one's it says all.
 */
void td_stateless_tag(char out[TD_STATELESS_TAG_LEN], struct td_txl *txl, const struct td_msg *req)
{
	uint64_t tag = td_hash_on(&txl->key, txn_request_hash(txl, req), req->call_id);

	if (!txn_has_cookie(req)) {
		tag = td_hash_on(&txl->key, tag ^ req->cseq.num, req->from_tag);
		tag = td_hash_on(&txl->key, tag, req->via.branch);
	}
	td_hex_encode(out, &tag, sizeof(tag));
}

int td_reply_stateless(struct td_txl *txl, const struct td_msg *req, const struct td_flow *from, unsigned status,
		       struct td_str reason, struct td_str extra)
{
	struct td_flow to;
	struct td_buf *b;
	char tag[TD_STATELESS_TAG_LEN];
	int err;

	td_stateless_tag(tag, txl, req);
	err = txn_build_response(&b, req, status, reason, status > 100 ? td_str_n(tag, sizeof(tag)) : TD_STR_NULL, extra);
	if (err)
		return err;
	td_tp_response_flow(&to, req, from);
	err = td_tp_send(txl->tp, &to, b);
	td_buf_unref(b);
	return err;
}
