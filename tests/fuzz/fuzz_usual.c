/*
 * Two readings of the same bytes: the short cuts for what nearly all write against the general code, and the scans sixteen
 * bytes at a time against those that go one by one. The first byte chooses what is read, the second how many of the last
 * bytes are no part of the text but may be looked at.
 */

#include "inside.h"

#include "sip/internal.h"

/* The very same view: two readings that differ in where they look have not read the same. */
static void alike(struct td_str a, struct td_str b)
{
	must(a.p == b.p && a.n == b.n);
}

static void same_uri(const struct td_uri *a, const struct td_uri *b)
{
	alike(a->text, b->text);
	alike(a->scheme_name, b->scheme_name);
	alike(a->user, b->user);
	alike(a->password, b->password);
	alike(a->host, b->host);
	alike(a->params, b->params);
	alike(a->headers, b->headers);
	must(a->scheme == b->scheme && a->host_v6 == b->host_v6 && a->port == b->port);
}

static void same_via(const struct td_via *a, const struct td_via *b)
{
	alike(a->text, b->text);
	alike(a->transport, b->transport);
	alike(a->host, b->host);
	alike(a->params, b->params);
	alike(a->branch, b->branch);
	alike(a->received, b->received);
	alike(a->maddr, b->maddr);
	alike(a->rport_text, b->rport_text);
	must(a->host_v6 == b->host_v6 && a->port == b->port && a->rport == b->rport && a->rport_value == b->rport_value);
	must(a->ttl == b->ttl);
}

static void same_name_addr(const struct td_name_addr *a, const struct td_name_addr *b)
{
	alike(a->display, b->display);
	alike(a->params, b->params);
	alike(a->text, b->text);
	must(a->angle == b->angle);
	same_uri(&a->uri, &b->uri);
}

static void uris(struct td_str v, unsigned slack)
{
	struct td_uri a = { 0 }, b = { 0 };
	int err = td_uri_read(&a, v, slack);

	must(err == td_uri_read_any(&b, v));
	if (!err)
		same_uri(&a, &b);
}

static void vias(struct td_str v, unsigned slack)
{
	struct td_via a = { 0 }, b = { 0 };
	int err = td_via_read(&a, v, slack);

	must(err == td_via_read_any(&b, v));
	if (!err)
		same_via(&a, &b);
}

static void name_addrs(struct td_str v, unsigned slack)
{
	struct td_name_addr a = { 0 }, b = { 0 };
	struct td_str a_tag = TD_STR_NULL, b_tag = TD_STR_NULL;
	int err = td_name_addr_read(&a, &a_tag, v, slack);

	must(err == td_name_addr_read_any(&b, &b_tag, v));
	if (err)
		return;
	same_name_addr(&a, &b);
	alike(a_tag, b_tag);
}

static void credentials(struct td_str v)
{
	struct td_auth a, b;
	int err = td_auth_parse(&a, v);
	const struct td_str *x = (const struct td_str *)(const void *)&a, *y = (const struct td_str *)(const void *)&b;

	must(err == td_auth_parse_any(&b, v));
	if (err)
		return;
	must(a.digest == b.digest);
	for (size_t i = 0; i < offsetof(struct td_auth, digest) / sizeof(*x); i++)
		alike(x[i], y[i]);
}

static void same_msg(const struct td_msg *a, const struct td_msg *b)
{
	must(a->request == b->request && a->status == b->status && a->method == b->method && a->nhdr == b->nhdr);
	must(a->defect.status == b->defect.status && a->max_forwards == b->max_forwards && a->cseq.num == b->cseq.num);
	must(!a->defect.status || strcmp(a->defect.why, b->defect.why) == 0);
	must(memcmp(a->first, b->first, sizeof(a->first)) == 0);
	alike(a->bytes, b->bytes);
	alike(a->body, b->body);
	alike(a->call_id, b->call_id);
	alike(a->from_tag, b->from_tag);
	alike(a->to_tag, b->to_tag);
	same_via(&a->via, &b->via);
	same_name_addr(&a->from, &b->from);
	same_name_addr(&a->to, &b->to);
	same_uri(&a->ruri, &b->ruri);
	for (unsigned i = 0; i < a->nhdr; i++) {
		must(a->hdr[i].id == b->hdr[i].id && a->hdr[i].next == b->hdr[i].next && a->hdr[i].name_n == b->hdr[i].name_n);
		alike(td_hdr_line(a, &a->hdr[i]), td_hdr_line(b, &b->hdr[i]));
		alike(td_hdr_value(a, &a->hdr[i]), td_hdr_value(b, &b->hdr[i]));
	}
}

static void messages(struct td_str v)
{
	struct td_buf *buf = td_buf_copy(v);
	struct td_msg *a = NULL, *b = NULL;
	int err;

	must(buf != NULL);
	err = td_msg_parse(&a, buf, 0, buf->len);
	must(err == td_msg_parse_any(&b, buf, 0, buf->len));
	if (!err)
		same_msg(a, b);
	td_msg_unref(a);
	td_msg_unref(b);
	td_buf_unref(buf);
}

static void scans(struct td_str v, unsigned slack)
{
	const char *end = v.p + v.n;

	for (const char *p = v.p; p <= end; p++) {
		for (uint32_t cls = 1; cls <= TD_CC_SCHEME; cls <<= 1)
			if (cls & TD_CC_NAMES)
				must(td_skip(p, end, slack, cls) == td_skip_plain(p, end, cls));
		must(td_skip(p, end, slack, TD_CC_GEN_VALUE) == td_skip_plain(p, end, TD_CC_GEN_VALUE));
		must(td_scan_char(p, end, slack, ':') == td_scan_char_plain(p, end, ':'));
		must(td_skip_visible(p, end, slack) == td_skip_visible_plain(p, end));
		must(td_scan_quoted(p, end) == td_scan_quoted_plain(p, end));
		must(td_scan_list(p, end) == td_scan_list_plain(p, end));
		must(td_scan_eol(p, end) == td_scan_eol_plain(p, end));
	}
}

/* A parameter, a host and port, a number, from every byte on. */
static void steps(struct td_str v, unsigned slack)
{
	const char *end = v.p + v.n;
	uint32_t small, number;
	struct td_param a, b;
	uint16_t a_port, b_port;
	bool a_v6, b_v6;

	for (const char *p = v.p; p <= end; p++) {
		struct td_str rest = { p, (size_t)(end - p) };
		struct td_cur x = td_cur_near(rest, slack), y = td_cur_of(rest);
		bool more = td_cur_param(&a, &x);

		must(more == td_cur_param_any(&b, &y) && x.bad == y.bad && (x.bad || x.p == y.p));
		if (more) {
			alike(a.name, b.name);
			alike(a.value, b.value);
		}
		for (int lws = 0; lws < 2; lws++) {
			struct td_str host, other;

			x = td_cur_near(rest, slack);
			y = td_cur_of(rest);
			host = td_cur_hostport(&x, &a_v6, &a_port, lws);
			other = td_cur_hostport_any(&y, &b_v6, &b_port, lws);
			must(x.bad == y.bad);
			if (x.bad)
				continue;
			alike(host, other);
			must(x.p == y.p && a_v6 == b_v6 && a_port == b_port);
		}
		for (size_t n = 0; n <= rest.n && n < 12; n++)
			if (td_small_number(&small, td_str_n(p, n)))
				must(td_str_u32(&number, td_str_n(p, n)) == 0 && number == small);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct td_str v, few;
	unsigned slack;

	if (size < 2)
		return 0;
	slack = data[1] % 17;
	if (slack > size - 2)
		slack = (unsigned)(size - 2);
	v = td_str_n((const char *)data + 2, size - 2 - slack);
	few = v.n > 200 ? td_str_n(v.p, 200) : v; /* for what takes a time that goes with the square of the length */
	switch (data[0] == 6 ? 6 : data[0] % 6) {
	case 0: vias(v, slack); break;
	case 1: name_addrs(v, slack); break;
	case 2: uris(v, slack); break;
	case 3: scans(few, slack); break;
	case 4: steps(few, slack); break;
	case 5: messages(v); break;
	case 6: credentials(v); break;
	}
	return 0;
}
