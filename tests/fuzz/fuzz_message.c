/*
 * Messages. Whatever parses must come out of an empty edit as it went in, keep its meaning when printed and parsed again
 * (P13), survive what a proxy does to it, and give a response that parses.
 */
#include <stdlib.h>

#include <tandem/sip.h>

#include "inside.h"

static struct td_msg *parse(struct td_buf *buf)
{
	struct td_msg *m = NULL;

	if (td_msg_parse(&m, buf, 0, buf->len))
		return NULL;
	return m;
}

static void same(const struct td_msg *a, const struct td_msg *b)
{
	must(a->request == b->request && a->status == b->status && a->method == b->method && a->nhdr == b->nhdr);
	must(td_str_eq(a->uri, b->uri) && td_str_eq(a->reason, b->reason) && td_str_eq(a->via.text, b->via.text));
	must(td_str_eq(a->from.text, b->from.text) && td_str_eq(a->from_tag, b->from_tag));
	must(td_str_eq(a->to.text, b->to.text) && td_str_eq(a->to_tag, b->to_tag));
	must(td_str_eq(a->call_id, b->call_id) && a->cseq.num == b->cseq.num && a->max_forwards == b->max_forwards);
	must(td_str_eq(a->body, b->body) && a->defect.status == b->defect.status);
}

static void unchanged(const struct td_msg *m)
{
	struct td_edits ed;
	struct td_buf *out;
	struct td_msg *again;

	td_edits_init(&ed, m);
	must(td_edits_apply(&out, &ed) == 0);
	must(td_str_eq(td_buf_str(out), m->bytes));
	again = parse(out);
	must(again != NULL);
	same(m, again);
	td_msg_unref(again);
	td_buf_unref(out);
	td_edits_free(&ed);
}

/* Every field, printed under its name and with its value, and the body: a message that means the same. */
static void printed(const struct td_msg *m)
{
	struct td_out o;
	struct td_buf *buf;
	struct td_msg *again;
	unsigned i;

	td_out_init(&o);
	if (m->request)
		td_put_request_line(&o, m->method_name, m->uri);
	else
		td_put_status_line(&o, m->status, m->reason);
	for (i = 0; i < m->nhdr; i++) {
		if (m->hdr[i].id == TD_HDR_OTHER)
			td_put_hdr_named(&o, td_str_n(m->bytes.p + m->hdr[i].at, m->hdr[i].name_n), td_hdr_value(m, &m->hdr[i]));
		else
			td_put_hdr(&o, (enum td_hdr_id)m->hdr[i].id, td_hdr_value(m, &m->hdr[i]));
	}
	td_out_str(&o, TD_STR("\r\n"));
	td_out_str(&o, m->body);
	buf = td_out_buf(&o);
	must(buf != NULL);
	/* Long names in place of compact ones may pass a limit. */
	again = parse(buf);
	if (again && !again->defect.status) {
		if (m->request || m->reason.n)
			same(m, again);
	} else {
		must(buf->len > m->bytes.n);
	}
	td_msg_unref(again);
	td_buf_unref(buf);
}

static void forwarded(struct td_msg *m)
{
	struct td_msg *again;
	struct td_edits ed;
	struct td_buf *out;
	int err;

	m->received = TD_STR("192.0.2.1");
	m->rport = 65535;
	td_edits_init(&ed, m);
	td_edit_via_received(&ed, m);
	td_edit_insert_before(&ed, TD_HDR_VIA, TD_STR("Via: SIP/2.0/UDP h;branch=z9hG4bK1\r\n"));
	if (m->request)
		td_edit_replace(&ed, m->uri, TD_STR("sip:other@example.com"));
	if (m->max_forwards >= 0)
		td_edit_replace(&ed, td_msg_value(m, TD_HDR_MAX_FORWARDS), TD_STR("1"));
	td_edit_remove_first_value(&ed, TD_HDR_ROUTE);
	td_edit_append(&ed, TD_STR("X-Last: 1\r\n"));
	err = td_edits_apply(&out, &ed);
	must(!err || err == TD_ELIMIT);
	td_edits_free(&ed);
	if (err)
		return;
	again = parse(out);
	must(again != NULL);
	/* The received parameter may be one more than a field may be long, the Via one more than fields may be. */
	if (!again->defect.status) {
		must(td_str_eq(again->body, m->body) && td_str_eq(again->from.text, m->from.text));
		must(td_str_eq(again->via.branch, TD_STR("z9hG4bK1")));
	} else {
		must(m->nhdr > 60 || m->bytes.n > 8000 || m->via.params.n > 100);
	}
	td_msg_unref(again);
	td_buf_unref(out);
}

static void answered(const struct td_msg *m)
{
	struct td_out o;
	struct td_buf *buf;
	struct td_msg *response;
	size_t i;

	td_out_init(&o);
	td_put_response_head(&o, m, m->defect.status ? m->defect.status : 200, TD_STR_NULL, TD_STR("totag"), true);
	td_put_body(&o, TD_STR_NULL, TD_STR_NULL);
	buf = td_out_buf(&o);
	must(buf != NULL);
	for (i = 0; i < buf->len; i++) {
		must(buf->data[i] != '\0' || (i && buf->data[i - 1] == '\\')); /* a quoted-pair, RFC 4475 §3.1.1.2 */
		must(buf->data[i] != '\n' || (i && buf->data[i - 1] == '\r'));
		must(buf->data[i] != '\r' || (i + 1 < buf->len && buf->data[i + 1] == '\n'));
	}
	response = parse(buf);
	if (!m->defect.status && buf->len < 8000 && m->via.params.n < 100 && m->nhdr < 60) {
		must(response != NULL);
		must(response->status == 200 && td_str_eq(response->call_id, m->call_id));
		must(td_str_eq(response->to_tag, m->to_tag.p ? m->to_tag : TD_STR("totag")));
	}
	td_msg_unref(response);
	td_buf_unref(buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct td_buf *buf = td_buf_copy(td_str_n((const char *)data, size));
	struct td_msg *m = buf ? parse(buf) : NULL;
	struct td_defect d;

	td_buf_unref(buf);
	if (!m)
		return 0;
	must(m->request || !m->defect.status);
	d = td_msg_validate(m);
	must(!m->defect.status || d.status);
	unchanged(m);
	if (!m->defect.status) {
		printed(m);
		forwarded(m);
	}
	if (m->request)
		answered(m);
	td_msg_unref(m);
	return 0;
}
