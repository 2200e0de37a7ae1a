/*
 * New messages, written field by field into an output string. A response's head is the request's own text wherever
 * §8.2.6.2 wants it equal, so that it can be made even of a request whose From we could not parse.
 */
#include "internal.h"

static const struct {
	uint16_t status;
	struct td_str text;
} phrases[] = {
	{ 100, TD_STR_INIT("Trying") },
	{ 180, TD_STR_INIT("Ringing") },
	{ 181, TD_STR_INIT("Call Is Being Forwarded") },
	{ 182, TD_STR_INIT("Queued") },
	{ 183, TD_STR_INIT("Session Progress") },
	{ 199, TD_STR_INIT("Early Dialog Terminated") },
	{ 200, TD_STR_INIT("OK") },
	{ 202, TD_STR_INIT("Accepted") },
	{ 204, TD_STR_INIT("No Notification") },
	{ 300, TD_STR_INIT("Multiple Choices") },
	{ 301, TD_STR_INIT("Moved Permanently") },
	{ 302, TD_STR_INIT("Moved Temporarily") },
	{ 305, TD_STR_INIT("Use Proxy") },
	{ 380, TD_STR_INIT("Alternative Service") },
	{ 400, TD_STR_INIT("Bad Request") },
	{ 401, TD_STR_INIT("Unauthorized") },
	{ 402, TD_STR_INIT("Payment Required") },
	{ 403, TD_STR_INIT("Forbidden") },
	{ 404, TD_STR_INIT("Not Found") },
	{ 405, TD_STR_INIT("Method Not Allowed") },
	{ 406, TD_STR_INIT("Not Acceptable") },
	{ 407, TD_STR_INIT("Proxy Authentication Required") },
	{ 408, TD_STR_INIT("Request Timeout") },
	{ 410, TD_STR_INIT("Gone") },
	{ 412, TD_STR_INIT("Conditional Request Failed") },
	{ 413, TD_STR_INIT("Request Entity Too Large") },
	{ 414, TD_STR_INIT("Request-URI Too Long") },
	{ 415, TD_STR_INIT("Unsupported Media Type") },
	{ 416, TD_STR_INIT("Unsupported URI Scheme") },
	{ 420, TD_STR_INIT("Bad Extension") },
	{ 421, TD_STR_INIT("Extension Required") },
	{ 422, TD_STR_INIT("Session Interval Too Small") },
	{ 423, TD_STR_INIT("Interval Too Brief") },
	{ 429, TD_STR_INIT("Provide Referrer Identity") },
	{ 430, TD_STR_INIT("Flow Failed") },
	{ 433, TD_STR_INIT("Anonymity Disallowed") },
	{ 439, TD_STR_INIT("First Hop Lacks Outbound Support") },
	{ 440, TD_STR_INIT("Max-Breadth Exceeded") },
	{ 480, TD_STR_INIT("Temporarily Unavailable") },
	{ 481, TD_STR_INIT("Call/Transaction Does Not Exist") },
	{ 482, TD_STR_INIT("Loop Detected") },
	{ 483, TD_STR_INIT("Too Many Hops") },
	{ 484, TD_STR_INIT("Address Incomplete") },
	{ 485, TD_STR_INIT("Ambiguous") },
	{ 486, TD_STR_INIT("Busy Here") },
	{ 487, TD_STR_INIT("Request Terminated") },
	{ 488, TD_STR_INIT("Not Acceptable Here") },
	{ 489, TD_STR_INIT("Bad Event") },
	{ 491, TD_STR_INIT("Request Pending") },
	{ 493, TD_STR_INIT("Undecipherable") },
	{ 494, TD_STR_INIT("Security Agreement Required") },
	{ 500, TD_STR_INIT("Server Internal Error") },
	{ 501, TD_STR_INIT("Not Implemented") },
	{ 502, TD_STR_INIT("Bad Gateway") },
	{ 503, TD_STR_INIT("Service Unavailable") },
	{ 504, TD_STR_INIT("Server Time-out") },
	{ 505, TD_STR_INIT("Version Not Supported") },
	{ 513, TD_STR_INIT("Message Too Large") },
	{ 600, TD_STR_INIT("Busy Everywhere") },
	{ 603, TD_STR_INIT("Decline") },
	{ 604, TD_STR_INIT("Does Not Exist Anywhere") },
	{ 606, TD_STR_INIT("Not Acceptable") },
	{ 607, TD_STR_INIT("Unwanted") },
	{ 608, TD_STR_INIT("Rejected") },
};

static const struct td_str classes[] = {
	[1] = TD_STR_INIT("Progress"),        [2] = TD_STR_INIT("Success"),        [3] = TD_STR_INIT("Redirection"),
	[4] = TD_STR_INIT("Request Failure"), [5] = TD_STR_INIT("Server Failure"), [6] = TD_STR_INIT("Global Failure"),
};

struct td_str td_reason_phrase(unsigned status)
{
	size_t low = 0, high = TD_ARRAY_LEN(phrases), mid;

	while (low < high) {
		mid = (low + high) / 2;
		if (phrases[mid].status == status)
			return phrases[mid].text;
		if (phrases[mid].status < status)
			low = mid + 1;
		else
			high = mid;
	}
	return status >= 100 && status <= 699 ? classes[status / 100] : TD_STR_NULL;
}

void td_put_request_line(struct td_out *o, struct td_str method, struct td_str uri)
{
	td_out_str(o, method);
	td_out_char(o, ' ');
	td_out_str(o, uri);
	td_out_str(o, TD_STR(" SIP/2.0\r\n"));
}

void td_put_status_line(struct td_out *o, unsigned status, struct td_str reason)
{
	td_out_str(o, TD_STR("SIP/2.0 "));
	td_out_u64(o, status);
	td_out_char(o, ' ');
	td_out_str(o, reason.n ? reason : td_reason_phrase(status));
	td_out_str(o, TD_STR("\r\n"));
}

void td_put_hdr_named(struct td_out *o, struct td_str name, struct td_str value)
{
	td_out_str(o, name);
	td_out_str(o, TD_STR(": "));
	td_out_str(o, value);
	td_out_str(o, TD_STR("\r\n"));
}

void td_put_hdr(struct td_out *o, enum td_hdr_id id, struct td_str value)
{
	assert(td_hdr_name(id).n);
	td_put_hdr_named(o, td_hdr_name(id), value);
}

void td_put_hdr_u64(struct td_out *o, enum td_hdr_id id, uint64_t value)
{
	assert(td_hdr_name(id).n);
	td_out_str(o, td_hdr_name(id));
	td_out_str(o, TD_STR(": "));
	td_out_u64(o, value);
	td_out_str(o, TD_STR("\r\n"));
}

void td_put_body(struct td_out *o, struct td_str content_type, struct td_str body)
{
	if (content_type.n)
		td_put_hdr(o, TD_HDR_CONTENT_TYPE, content_type);
	td_put_hdr_u64(o, TD_HDR_CONTENT_LENGTH, body.n);
	td_out_str(o, TD_STR("\r\n"));
	td_out_str(o, body);
}

/* ---- the head of a response ---- */

/*
 * Ends a field that was copied from a request, from byte `at` of o. What came with a defect may hold what must not go out
 * as it is: a NUL, or a fold with a bare line end. Blanks take their place.
 */
static void end_copied(struct td_out *o, const struct td_msg *req, size_t at)
{
	size_t i;

	if (req->defect.status && !o->failed)
		for (i = at; i < o->n; i++)
			if (o->p[i] == '\r' || o->p[i] == '\n' || o->p[i] == '\0')
				o->p[i] = ' ';
	td_out_str(o, TD_STR("\r\n"));
}

/* One field as it was written, e edits made in it, and something after its value. */
static void copy_field(struct td_out *o, const struct td_msg *req, const struct td_hdr *h, const struct td_edit *e, unsigned n,
		       struct td_str tag)
{
	size_t at = o->n;

	td_put_edited(o, req->bytes.p, h->at, h->at + h->value_at + h->value_n, e, n);
	if (tag.n) {
		td_out_str(o, TD_STR(";tag="));
		td_out_str(o, tag);
	}
	end_copied(o, req, at);
}

static void copy_all(struct td_out *o, const struct td_msg *req, enum td_hdr_id id)
{
	const struct td_hdr *h;

	for (h = td_msg_hdr(req, id); h; h = td_msg_hdr_next(req, h))
		copy_field(o, req, h, NULL, 0, TD_STR_NULL);
}

static void copy_first(struct td_out *o, const struct td_msg *req, enum td_hdr_id id, struct td_str tag)
{
	const struct td_hdr *h = td_msg_hdr(req, id);

	if (h)
		copy_field(o, req, h, NULL, 0, tag);
}

static void copy_vias(struct td_out *o, const struct td_msg *req)
{
	const struct td_hdr *h = td_msg_hdr(req, TD_HDR_VIA);
	struct td_edit e[TD_VIA_EDITS];
	char rport_text[TD_VIA_RPORT_TEXT];
	unsigned n = td_via_edits(e, rport_text, req);

	copy_field(o, req, h, e, n, TD_STR_NULL);
	while ((h = td_msg_hdr_next(req, h)))
		copy_field(o, req, h, NULL, 0, TD_STR_NULL);
}

void td_put_response_head(struct td_out *o, const struct td_msg *req, unsigned status, struct td_str reason, struct td_str to_tag,
			  bool record_route)
{
	/* A To that did not parse is only echoed: nobody can say where in it a tag would end up. */
	bool tagless = req->to.text.n && !req->to_tag.p;

	td_put_status_line(o, status, reason);
	copy_vias(o, req);
	if (record_route)
		copy_all(o, req, TD_HDR_RECORD_ROUTE);
	copy_first(o, req, TD_HDR_FROM, TD_STR_NULL);
	copy_first(o, req, TD_HDR_TO, tagless ? to_tag : TD_STR_NULL);
	copy_first(o, req, TD_HDR_CALL_ID, TD_STR_NULL);
	copy_first(o, req, TD_HDR_CSEQ, TD_STR_NULL);
	if (status == 100)
		copy_first(o, req, TD_HDR_TIMESTAMP, TD_STR_NULL);
}
