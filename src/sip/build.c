/*
 * New messages, written field by field into an output string. A response's head is the request's own text wherever
 * §8.2.6.2 wants it equal, so that it can be made even of a request whose From we could not parse.
 */
#include "internal.h"

/* Status lines by status, whole: mostly nobody has another reason to give. */
enum { FIRST_STATUS = 100, STATUS_END = 700, BEFORE_PHRASE = sizeof("SIP/2.0 200 ") - 1, LONGEST_PHRASE = 32 };
#define PHRASE(status, text) [status - FIRST_STATUS] = TD_STR_INIT("SIP/2.0 " #status " " text "\r\n")
static const struct td_str lines[STATUS_END - FIRST_STATUS] = {
	PHRASE(100, "Trying"),
	PHRASE(180, "Ringing"),
	PHRASE(181, "Call Is Being Forwarded"),
	PHRASE(182, "Queued"),
	PHRASE(183, "Session Progress"),
	PHRASE(199, "Early Dialog Terminated"),
	PHRASE(200, "OK"),
	PHRASE(202, "Accepted"),
	PHRASE(204, "No Notification"),
	PHRASE(300, "Multiple Choices"),
	PHRASE(301, "Moved Permanently"),
	PHRASE(302, "Moved Temporarily"),
	PHRASE(305, "Use Proxy"),
	PHRASE(380, "Alternative Service"),
	PHRASE(400, "Bad Request"),
	PHRASE(401, "Unauthorized"),
	PHRASE(402, "Payment Required"),
	PHRASE(403, "Forbidden"),
	PHRASE(404, "Not Found"),
	PHRASE(405, "Method Not Allowed"),
	PHRASE(406, "Not Acceptable"),
	PHRASE(407, "Proxy Authentication Required"),
	PHRASE(408, "Request Timeout"),
	PHRASE(410, "Gone"),
	PHRASE(412, "Conditional Request Failed"),
	PHRASE(413, "Request Entity Too Large"),
	PHRASE(414, "Request-URI Too Long"),
	PHRASE(415, "Unsupported Media Type"),
	PHRASE(416, "Unsupported URI Scheme"),
	PHRASE(420, "Bad Extension"),
	PHRASE(421, "Extension Required"),
	PHRASE(422, "Session Interval Too Small"),
	PHRASE(423, "Interval Too Brief"),
	PHRASE(429, "Provide Referrer Identity"),
	PHRASE(430, "Flow Failed"),
	PHRASE(433, "Anonymity Disallowed"),
	PHRASE(439, "First Hop Lacks Outbound Support"),
	PHRASE(440, "Max-Breadth Exceeded"),
	PHRASE(480, "Temporarily Unavailable"),
	PHRASE(481, "Call/Transaction Does Not Exist"),
	PHRASE(482, "Loop Detected"),
	PHRASE(483, "Too Many Hops"),
	PHRASE(484, "Address Incomplete"),
	PHRASE(485, "Ambiguous"),
	PHRASE(486, "Busy Here"),
	PHRASE(487, "Request Terminated"),
	PHRASE(488, "Not Acceptable Here"),
	PHRASE(489, "Bad Event"),
	PHRASE(491, "Request Pending"),
	PHRASE(493, "Undecipherable"),
	PHRASE(494, "Security Agreement Required"),
	PHRASE(500, "Server Internal Error"),
	PHRASE(501, "Not Implemented"),
	PHRASE(502, "Bad Gateway"),
	PHRASE(503, "Service Unavailable"),
	PHRASE(504, "Server Time-out"),
	PHRASE(505, "Version Not Supported"),
	PHRASE(513, "Message Too Large"),
	PHRASE(600, "Busy Everywhere"),
	PHRASE(603, "Decline"),
	PHRASE(604, "Does Not Exist Anywhere"),
	PHRASE(606, "Not Acceptable"),
	PHRASE(607, "Unwanted"),
	PHRASE(608, "Rejected"),
};
#undef PHRASE

static const struct td_str classes[] = {
	[1] = TD_STR_INIT("Progress"),        [2] = TD_STR_INIT("Success"),        [3] = TD_STR_INIT("Redirection"),
	[4] = TD_STR_INIT("Request Failure"), [5] = TD_STR_INIT("Server Failure"), [6] = TD_STR_INIT("Global Failure"),
};

struct td_str td_reason_phrase(unsigned status)
{
	struct td_str line;

	if (status < FIRST_STATUS || status >= STATUS_END)
		return TD_STR_NULL;
	line = lines[status - FIRST_STATUS];
	return line.n ? td_str_n(line.p + BEFORE_PHRASE, line.n - BEFORE_PHRASE - 2) : classes[status / 100];
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
 * It is short, and made with nearly every request: room is taken once for the most that it can come to, and then nothing asks for
 * room any more. p is where it goes on.
 */

static inline char *put(char *p, struct td_str s)
{
	if (s.n)
		memcpy(p, s.p, s.n);
	return p + s.n;
}

/*
 * Ends a field that was copied from a request to `at`. What came with a defect may hold what must not go out as it is: a NUL, or a
 * fold with a bare line end. Blanks take their place.
 */
static char *end_copied(char *p, const struct td_msg *req, char *at)
{
	if (req->defect.status)
		for (; at < p; at++)
			if (*at == '\r' || *at == '\n' || *at == '\0')
				*at = ' ';
	return put(p, TD_STR("\r\n"));
}

/* One field as it was written, and a tag after its value. */
static char *copy_field(char *p, const struct td_msg *req, const struct td_hdr *h, struct td_str tag)
{
	char *at = p;

	/* Mostly nothing stands between its value and its end: then it is the whole line. */
	if (!tag.n && !req->defect.status && h->n == h->value_at + h->value_n + 2)
		return put(p, td_hdr_line(req, h));
	p = put(p, td_str_n(req->bytes.p + h->at, (size_t)h->value_at + h->value_n));
	if (tag.n) {
		p = put(p, TD_STR(";tag="));
		p = put(p, tag);
	}
	return end_copied(p, req, at);
}

static char *copy_all(char *p, const struct td_msg *req, const struct td_hdr *first)
{
	for (const struct td_hdr *h = first; h; h = td_msg_hdr_next(req, h))
		p = copy_field(p, req, h, TD_STR_NULL);
	return p;
}

static char *copy_first(char *p, const struct td_msg *req, enum td_hdr_id id, struct td_str tag)
{
	const struct td_hdr *h = td_msg_hdr(req, id);

	return h ? copy_field(p, req, h, tag) : p;
}

/* The topmost says what the transport saw. */
static char *copy_vias(char *p, const struct td_msg *req)
{
	const struct td_hdr *h = td_msg_hdr(req, TD_HDR_VIA);
	struct td_edit e[TD_VIA_EDITS] TD_UNINIT;
	char rport_text[TD_VIA_RPORT_TEXT] TD_UNINIT, *at = p;
	unsigned n = td_via_edits(e, rport_text, req);
	size_t from = h->at, to = (size_t)h->at + h->value_at + h->value_n;

	for (unsigned i = 0; i < n; i++) {
		p = put(p, td_str_n(req->bytes.p + from, e[i].at - from));
		p = put(p, e[i].ins);
		from = e[i].at + e[i].del;
	}
	p = put(p, td_str_n(req->bytes.p + from, to - from));
	return copy_all(end_copied(p, req, at), req, td_msg_hdr_next(req, h));
}

static char *put_status(char *p, unsigned status, struct td_str reason)
{
	struct td_str line = lines[status - FIRST_STATUS];
	char digits[] = { (char)('0' + status / 100), (char)('0' + status / 10 % 10), (char)('0' + status % 10), ' ' };

	if (!reason.n && line.n)
		return put(p, line);
	p = put(p, TD_STR("SIP/2.0 "));
	p = put(p, td_str_n(digits, sizeof(digits)));
	p = put(p, reason.n ? reason : td_reason_phrase(status));
	return put(p, TD_STR("\r\n"));
}

/* No field is copied twice. To each may come its line end, where the message broke off. */
static size_t most_of_head(const struct td_msg *req, struct td_str reason, struct td_str tag)
{
	enum { STATUS = BEFORE_PHRASE + LONGEST_PHRASE + 2, ADDED = sizeof(";received=rport=65535;tag=") };

	return STATUS + reason.n + req->bytes.n - req->body.n + 2 * (size_t)req->nhdr + req->received.n + tag.n + ADDED;
}

static char *put_head(char *p, const struct td_msg *req, unsigned status, struct td_str reason, struct td_str tag,
		      bool record_route)
{
	p = put_status(p, status, reason);
	p = copy_vias(p, req);
	if (record_route)
		p = copy_all(p, req, td_msg_hdr(req, TD_HDR_RECORD_ROUTE));
	p = copy_first(p, req, TD_HDR_FROM, TD_STR_NULL);
	p = copy_first(p, req, TD_HDR_TO, tag);
	p = copy_first(p, req, TD_HDR_CALL_ID, TD_STR_NULL);
	p = copy_first(p, req, TD_HDR_CSEQ, TD_STR_NULL);
	return status == 100 ? copy_first(p, req, TD_HDR_TIMESTAMP, TD_STR_NULL) : p;
}

/* In a fixed string there may be room for the head but not for the most that it could have come to. */
static void put_head_into_fixed(struct td_out *o, const struct td_msg *req, unsigned status, struct td_str reason,
				struct td_str to_tag, bool record_route)
{
	struct td_out head;

	td_out_init(&head);
	td_put_response_head(&head, req, status, reason, to_tag, record_route);
	o->failed |= head.failed;
	td_out_str(o, td_out_view(&head));
	td_out_free(&head);
}

void td_put_response_head(struct td_out *o, const struct td_msg *req, unsigned status, struct td_str reason, struct td_str to_tag,
			  bool record_route)
{
	/* A To that did not parse is only echoed: nobody can say where in it a tag would end up. */
	struct td_str tag = req->to.text.n && !req->to_tag.p ? to_tag : TD_STR_NULL;
	size_t most;
	char *start;

	assert(status >= FIRST_STATUS && status < STATUS_END);
	most = most_of_head(req, reason, tag);
	if (o->fixed && most > o->cap - o->n) {
		put_head_into_fixed(o, req, status, reason, to_tag, record_route);
		return;
	}
	start = td_out_room(o, most);
	if (start)
		o->n -= most - (size_t)(put_head(start, req, status, reason, tag, record_route) - start);
}
