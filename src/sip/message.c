/*
 * A received message: its bytes, and an index of its header fields made in one pass.
 *
 * td_msg_parse() takes the start line, walks the header fields once (index_fields), and then parses the seven that
 * every element needs (core_fields). Nothing is copied and, up to 24 fields, nothing but the message is allocated.
 *
 * What is wrong with a request becomes its defect, so that it can be answered; the first defect counts. Line ends are
 * CRLF; a bare CR or LF ends a line too, but as a defect: such a request is answered field by field and never forwarded
 * (P6). Responses have nobody to complain to: any defect discards them.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>

/* A message, and behind it what most need of fields and of arena: one block, of a size that allocators have. */
struct msg_block {
	struct td_msg msg;
	struct td_hdr hdr[24];
	char arena[2048 - sizeof(struct td_msg) - 24 * sizeof(struct td_hdr)] __attribute__((aligned(8)));
};

_Static_assert(sizeof(struct msg_block) == 2048, "a message is one block");

static inline struct td_hdr *own_fields(struct td_msg *m)
{
	return TD_CONTAINER_OF(m, struct msg_block, msg)->hdr;
}

enum { OWN_FIELDS = sizeof(((struct msg_block *)0)->hdr) / sizeof(struct td_hdr) };

static void defect(struct td_msg *m, uint16_t status, const char *why)
{
	if (!m->defect.status)
		m->defect = (struct td_defect){ status, why };
}

/* ---- the index ---- */

struct indexer {
	struct td_msg *msg;
	const char *end;
	bool usual;
	uint8_t last[TD_HDR_COUNT]; /* 1 + index of the last field with this id, where first[] is set */
};

/* A line without its line end, which `next` is past. */
struct line {
	const char *end, *next;
};

static inline bool is_wsp(char ch)
{
	return ch == ' ' || ch == '\t';
}

static inline bool is_lws(char ch)
{
	return (unsigned char)ch <= ' ' && (ch == ' ' || ch == '\t' || ch == '\r' || ch == '\n');
}

/* The rest of line_at(): what is not a line that CRLF ends. p is where the scan stopped. */
static struct line odd_line(const struct indexer *ix, const char *from, const char *p)
{
	for (; p < ix->end; p = td_scan_eol(p + 1, ix->end)) {
		if (*p == '\r' && p + 1 < ix->end && p[1] == '\n')
			return (struct line){ p, p + 2 };
		if (*p != '\0') {
			defect(ix->msg, 400, "Bare CR or LF in Header Part");
			return (struct line){ p, p + 1 };
		}
		if (!td_is_escaped(from, p))
			defect(ix->msg, 400, "NUL in Header Part");
	}
	defect(ix->msg, 400, "Header Part Not Ended");
	return (struct line){ p, p };
}

static inline struct line line_at(const struct indexer *ix, const char *from)
{
	const char *p = td_scan_eol(from, ix->end);

	if (ix->end - p < 2 || p[0] != '\r' || p[1] != '\n')
		return odd_line(ix, from, p);
	return (struct line){ p, p + 2 };
}

/* Makes room for all that a message may have: the only growth there is. */
static int grow(struct td_msg *m)
{
	struct td_hdr *hdr = td_arena_alloc(&m->arena, TD_SIP_MAX_HEADERS * sizeof(*hdr));

	if (!hdr)
		return -ENOMEM;
	memcpy(hdr, m->hdr, OWN_FIELDS * sizeof(*hdr));
	m->hdr = hdr;
	return 0;
}

/* The new last entry is the next one of its id. */
static inline void chain(struct indexer *ix, enum td_hdr_id id)
{
	struct td_msg *m = ix->msg;
	uint8_t n = ++m->nhdr;

	if (m->first[id])
		m->hdr[ix->last[id] - 1].next = n;
	else
		m->first[id] = n;
	ix->last[id] = n;
}

/*
 * The field's name, when the quick look did not know it: *( SP / HTAB ) may follow it. *name_end moves before them.
 * False when it is none.
 */
static bool slow_name(enum td_hdr_id *id, const char *at, const char **name_end)
{
	const char *end = *name_end;

	while (end > at && is_wsp(end[-1]))
		end--;
	if (!td_all((struct td_str){ at, (size_t)(end - at) }, TD_CC_TOKEN))
		return false;
	*id = td_hdr_id_of_token(at, (size_t)(end - at));
	*name_end = end;
	return true;
}

/* Takes a field into the index: its name ends at name_end, its value stands somewhere in [value, end). */
static int enter(struct indexer *ix, enum td_hdr_id id, const char *at, const char *name_end, struct td_str value,
		 const char *end)
{
	struct td_msg *m = ix->msg;
	const char *base = m->bytes.p, *from = value.p, *to = value.p + value.n;
	struct td_hdr *h;

	if (end - at > TD_SIP_MAX_HEADER || m->nhdr == TD_SIP_MAX_HEADERS) {
		defect(m, 513, m->nhdr == TD_SIP_MAX_HEADERS ? "Too Many Header Fields" : "Header Field Too Long");
		return 0;
	}
	while (from < to && is_lws(*from))
		from++;
	while (to > from && is_lws(to[-1]))
		to--;
	if (m->nhdr == OWN_FIELDS && m->hdr == own_fields(m) && grow(m))
		return -ENOMEM;
	h = &m->hdr[m->nhdr];
	h->at = (uint16_t)(at - base);
	h->n = (uint16_t)(end - at);
	h->value_at = (uint16_t)(from - at);
	h->value_n = (uint16_t)(to - from);
	h->name_n = (uint16_t)(name_end - at);
	h->id = (uint8_t)id;
	h->next = 0;
	chain(ix, id);
	return 0;
}

/*
 * message-header = field-name *( SP / HTAB ) ":" value CRLF, the value going on where a line starts with a blank.
 * A line that is no header field is a defect and left out, and so is what passes a limit. *p moves to the next field.
 */
static int field(struct indexer *ix, const char **p)
{
	const char *at = *p, *sep, *name_end;
	struct line line = line_at(ix, at);
	enum td_hdr_id id = TD_HDR_OTHER;
	bool named;

	sep = name_end = td_scan_char(at, line.end, 0, ':');
	named = sep < line.end;
	if (named)
		id = td_hdr_id_of_token(at, (size_t)(sep - at));
	while (line.next < ix->end && is_wsp(*line.next))
		line = line_at(ix, line.next);
	*p = line.next;
	if (id == TD_HDR_OTHER && !(named && slow_name(&id, at, &name_end))) {
		defect(ix->msg, 400, "Malformed Header Field");
		return 0;
	}
	return enter(ix, id, at, name_end, td_str_n(sep + 1, (size_t)(line.end - sep - 1)), line.next);
}

#if defined(__SSE2__)
/* Sixteen bytes can be read at p, and two after them. The rest of a message is shorter: it is left to field(). */
enum { USUAL_ROOM = 18 };

/*
 * How long the line at p is, of which the first sixteen bytes hold nothing up to CR if low is 0, else these. 0 if it does not end
 * with CRLF and a byte that is no blank.
 */
static inline size_t usual_line(const char *p, const char *end, unsigned low)
{
	const char *from = p;

	while (!low) {
		p += 16;
		if (end - p < USUAL_ROOM) {
			p = td_scan_eol_plain(p, end);
			if (end - p < 3)
				return 0;
			break;
		}
		low = td_low16(td_load128(p));
	}
	if (low)
		p += __builtin_ctz(low);
	return memcmp(p, "\r\n", 2) != 0 || ((unsigned char)p[2] <= ' ' && is_wsp(p[2])) ? 0 : (size_t)(p - from);
}

/*
 * Takes fields as long as they are as nearly all are: a name we know, a colon after it within sixteen bytes, one line that
 * CRLF ends. Returns the first that is not, or where there are none any more.
 */
static const char *usual_fields(struct indexer *ix, const char *p)
{
	enum { NO_COLON = 31 }; /* as long as no name is */
	struct td_msg *m = ix->msg;
	const char *base = m->bytes.p, *end = ix->end, *from, *to;
	struct td_hdr *h = &m->hdr[m->nhdr];
	enum td_hdr_id id;
	unsigned name_n, count = m->nhdr;
	size_t n;
	__m128i start;

	while (end - p > USUAL_ROOM && count < OWN_FIELDS) {
		start = td_load128(p);
		n = usual_line(p, end, td_low16(start));
		name_n = (unsigned)__builtin_ctz(td_equal16(start, ':') | 1u << NO_COLON);
		if (name_n >= n || n > TD_SIP_MAX_HEADER - 2)
			break;
		id = td_hdr_id_of_start(p, name_n, start);
		if (id == TD_HDR_OTHER)
			break;
		from = p + name_n + 1;
		to = p + n;
		if (*from == ' ')
			from++;
		if ((unsigned char)*from <= ' ')
			while (from < to && is_lws(*from))
				from++;
		while ((unsigned char)to[-1] <= ' ' && to > from && is_lws(to[-1]))
			to--;
		h->at = (uint16_t)(p - base);
		h->n = (uint16_t)(n + 2);
		h->name_n = (uint16_t)name_n;
		h->id = (uint8_t)id;
		h->next = 0;
		h->value_at = (uint16_t)(from - p);
		h->value_n = (uint16_t)(to - from);
		p += n + 2;
		h++;
		count++;
		if (m->first[id])
			m->hdr[ix->last[id] - 1].next = (uint8_t)count;
		else
			m->first[id] = (uint8_t)count;
		ix->last[id] = (uint8_t)count;
	}
	m->nhdr = (uint8_t)count;
	return p;
}
#else
static const char *usual_fields(struct indexer *ix, const char *p)
{
	(void)ix;
	return p;
}
#endif

/* All fields from p up to the empty line; *body is where that one ends. */
static int index_fields(struct indexer *ix, const char *p, const char **body)
{
	while ((p = ix->usual ? usual_fields(ix, p) : p) < ix->end) {
		if (*p == '\r' || *p == '\n') {
			*body = line_at(ix, p).next;
			return 0;
		}
		if (field(ix, &p))
			return -ENOMEM;
	}
	defect(ix->msg, 400, "Header Part Not Ended");
	*body = p;
	return 0;
}

/* ---- what every element needs ---- */

/* A field that may stand only once: its value, p NULL when it is not there. */
static struct td_str single(struct td_msg *m, enum td_hdr_id id, const char *twice)
{
	const struct td_hdr *h = td_msg_hdr(m, id);

	if (!h)
		return TD_STR_NULL;
	if (h->next)
		defect(m, 400, twice);
	return td_hdr_value(m, h);
}

/*
 * A Via that is wrong after its host still says whom to answer (RFC 4475 §3.1.2.1): a request is answered with 400, to the
 * port it came from since nothing else in there can be relied on. The parameters, then the port, are left out.
 */
static int salvage_via(struct td_msg *m, struct td_str value)
{
	size_t i;

	for (i = 0; i < value.n && value.p[i] != ';' && value.p[i] != ',';)
		i++;
	value.n = i;
	if (td_via_parse(&m->via, td_str_trim(value))) {
		while (i > 0 && value.p[i - 1] != ':')
			i--;
		value.n = i ? i - 1 : 0;
		if (td_via_parse(&m->via, td_str_trim(value)))
			return TD_ESYNTAX;
	}
	m->via.rport = true;
	defect(m, 400, "Malformed Via");
	return 0;
}

/* Are there more Via values than a message may have? Up to that many take this many bytes; few messages have as many. */
static bool too_many_vias(const struct td_msg *m)
{
	struct td_values it;
	struct td_str v;
	unsigned n = 0;
	size_t bytes = 0;

	for (const struct td_hdr *h = td_msg_hdr(m, TD_HDR_VIA); h; h = td_msg_hdr_next(m, h))
		bytes += h->value_n + 1;
	if (bytes <= TD_SIP_MAX_VIAS * sizeof("SIP/2.0/UDP a"))
		return false;
	td_values_of(&it, m, TD_HDR_VIA);
	while (td_values_next(&v, &it) == 1)
		n++;
	return n > TD_SIP_MAX_VIAS;
}

/*
 * The topmost Via value: where responses go. Most fields have one value, which reads as a Via whole; with a comma outside
 * quotes they do not.
 */
static int top_via(struct td_msg *m)
{
	const struct td_hdr *h = td_msg_hdr(m, TD_HDR_VIA);
	struct td_str value, rest;

	if (!h)
		return TD_ESYNTAX;
	value = rest = td_hdr_value(m, h);
	if (td_via_read(&m->via, value, td_msg_slack(m, value))) {
		memset(&m->via, 0, sizeof(m->via));
		if ((td_list_next(&value, &rest) != 1 || td_via_parse(&m->via, value)) && salvage_via(m, td_hdr_value(m, h)))
			return TD_ESYNTAX;
	}
	if (too_many_vias(m))
		defect(m, 400, "Too Many Via");
	return 0;
}

/*
 * From, To. Their tag may be missing (RFC 2543), but not empty (P4). A response repeats the URIs of its request (§8.2.6.2), by which
 * nobody judges it: they are left unread.
 */
static void party(struct td_msg *m, struct td_name_addr *out, struct td_str *tag, struct td_str value, const char *wrong)
{
	unsigned near = value.p ? td_msg_slack(m, value) : 0;

	if (!(m->request ? td_name_addr_read(out, tag, value, near) : td_tag_read(out, tag, value, near)))
		return;
	memset(out, 0, sizeof(*out));
	*tag = TD_STR_NULL;
	defect(m, 400, wrong);
}

/*
 * callid = word [ "@" word ]. Taken as any run of visible characters: it is compared and never interpreted, and the "="
 * of base64, no word character, is in many a phone's.
 */
static bool good_call_id(const struct td_msg *m, struct td_str v)
{
	return v.n > 0 && v.n <= TD_SIP_MAX_TOKEN && td_skip_visible(v.p, v.p + v.n, td_msg_slack(m, v)) == v.p + v.n;
}

static void cseq(struct td_msg *m)
{
	struct td_str v = single(m, TD_HDR_CSEQ, "CSeq Twice");

	if (!v.p)
		defect(m, 400, "Missing CSeq");
	else if (td_cseq_parse(&m->cseq, v))
		defect(m, 400, "Malformed CSeq");
	else if (m->request && !td_str_eq(m->cseq.method_name, m->method_name))
		defect(m, 400, "CSeq Method Mismatch");
}

static void body(struct td_msg *m, size_t at)
{
	struct td_str v = single(m, TD_HDR_CONTENT_LENGTH, "Content-Length Twice");
	uint32_t small;
	uint64_t n;

	m->body = (struct td_str){ m->bytes.p + at, m->bytes.n - at };
	if (!v.p)
		return; /* to the end of the datagram, §18.3 */
	if (td_small_number(&small, v))
		n = small;
	else if (td_str_u64(&n, v, UINT64_MAX))
		return defect(m, 400, "Malformed Content-Length");
	if (n > m->body.n)
		return defect(m, 400, "Content-Length Beyond the End");
	m->body.n = (size_t)n;
	m->bytes.n = at + (size_t)n;
}

static int core_fields(struct td_msg *m, size_t body_at)
{
	struct td_str v;
	uint32_t n;

	if (top_via(m))
		return TD_ESYNTAX;
	v = single(m, TD_HDR_FROM, "From Twice");
	party(m, &m->from, &m->from_tag, v, v.p ? "Malformed From" : "Missing From");
	v = single(m, TD_HDR_TO, "To Twice");
	party(m, &m->to, &m->to_tag, v, v.p ? "Malformed To" : "Missing To");
	m->call_id = single(m, TD_HDR_CALL_ID, "Call-ID Twice");
	if (!good_call_id(m, m->call_id))
		defect(m, 400, m->call_id.p ? "Malformed Call-ID" : "Missing Call-ID");
	cseq(m);
	v = single(m, TD_HDR_MAX_FORWARDS, "Max-Forwards Twice");
	if (v.p) {
		if ((!td_small_number(&n, v) && td_str_u32(&n, v)) || n > 255)
			defect(m, 400, "Malformed Max-Forwards");
		else
			m->max_forwards = (int)n;
	}
	body(m, body_at);
	return 0;
}

static void start(struct td_msg *m, const struct td_start_line *s)
{
	int err;

	m->request = s->request;
	m->status = s->status;
	m->reason = s->reason;
	m->method_name = s->method;
	m->uri = s->uri;
	defect(m, s->defect.status, s->defect.why);
	if (!s->request)
		return;
	m->method = td_method_of(s->method);
	err = td_uri_read(&m->ruri, s->uri, td_msg_slack(m, s->uri));
	if (err)
		memset(&m->ruri, 0, sizeof(m->ruri));
	if (err == TD_ELIMIT)
		defect(m, 414, "Request-URI Too Long");
	else if (err)
		defect(m, 400, "Malformed Request-URI");
	else if (m->ruri.headers.n)
		defect(m, 400, "Header Fields in Request-URI"); /* §19.1.1: not allowed there */
}

static int parse(struct td_msg *m, bool usual)
{
	struct indexer ix = { .msg = m, .usual = usual, .end = m->bytes.p + m->bytes.n };
	struct line first = line_at(&ix, m->bytes.p);
	struct td_start_line s;
	const char *body_at;
	int err;

	if (td_start_line_parse(&s, (struct td_str){ m->bytes.p, (size_t)(first.end - m->bytes.p) }))
		return TD_ESYNTAX;
	start(m, &s);
	err = index_fields(&ix, first.next, &body_at);
	if (err)
		return err;
	err = core_fields(m, (size_t)(body_at - m->bytes.p));
	if (err)
		return err;
	if (m->request)
		return 0;
	m->method = m->cseq.method;
	return m->defect.status ? TD_ESYNTAX : 0;
}

static struct td_msg *msg_new(void)
{
	/* Of a size the compiler knows it clears inline, sixteen bytes at a time; memset(3) takes as many as the machine can. */
	const volatile size_t n = sizeof(struct td_msg);
	struct msg_block *b = malloc(sizeof(*b));

	if (!b)
		return NULL;
	memset(&b->msg, 0, n);
	b->msg.refs = 1;
	b->msg.max_forwards = -1;
	b->msg.hdr = b->hdr;
	td_arena_init_with(&b->msg.arena, b->arena, sizeof(b->arena));
	return &b->msg;
}

static void msg_free(struct td_msg *m)
{
	td_arena_reset(&m->arena);
	free(TD_CONTAINER_OF(m, struct msg_block, msg));
}

static int msg_parse(struct td_msg **out, struct td_buf *buf, size_t at, size_t n, bool usual)
{
	struct td_msg *m;
	int err;

	/* Most of what is not SIP shows in its first byte: no memory for it. */
	if (n > TD_SIP_MAX_MESSAGE || !n || !td_is(buf->data[at], TD_CC_TOKEN))
		return TD_ESYNTAX;
	m = msg_new();
	if (!m)
		return -ENOMEM;
	m->bytes = (struct td_str){ buf->data + at, n };
	err = parse(m, usual);
	if (err) {
		msg_free(m);
		return err;
	}
	m->buf = td_buf_ref(buf);
	*out = m;
	return 0;
}

int td_msg_parse(struct td_msg **out, struct td_buf *buf, size_t at, size_t n)
{
	return msg_parse(out, buf, at, n, true);
}

int td_msg_parse_any(struct td_msg **out, struct td_buf *buf, size_t at, size_t n)
{
	return msg_parse(out, buf, at, n, false);
}

struct td_msg *td_msg_ref(struct td_msg *m)
{
	m->refs++;
	return m;
}

void td_msg_unref(struct td_msg *m)
{
	if (!m || --m->refs)
		return;
	td_buf_unref(m->buf);
	msg_free(m);
}

/* ---- looking things up ---- */

struct td_str td_msg_value(const struct td_msg *m, enum td_hdr_id id)
{
	const struct td_hdr *h = td_msg_hdr(m, id);

	return h ? td_hdr_value(m, h) : TD_STR_NULL;
}

const struct td_hdr *td_msg_hdr_named(const struct td_msg *m, struct td_str name)
{
	const struct td_hdr *h;

	for (h = td_msg_hdr(m, TD_HDR_OTHER); h; h = td_msg_hdr_next(m, h))
		if (td_str_ieq((struct td_str){ m->bytes.p + h->at, h->name_n }, name))
			return h;
	return NULL;
}

void td_values_of(struct td_values *it, const struct td_msg *m, enum td_hdr_id id)
{
	it->msg = m;
	it->hdr = td_msg_hdr(m, id);
	it->rest = it->hdr ? td_hdr_value(m, it->hdr) : TD_STR_NULL;
}

int td_values_next(struct td_str *out, struct td_values *it)
{
	int got;

	while (it->hdr) {
		got = td_list_next(out, &it->rest);
		if (got)
			return got;
		it->hdr = td_msg_hdr_next(it->msg, it->hdr);
		if (it->hdr)
			it->rest = td_hdr_value(it->msg, it->hdr);
	}
	return 0;
}

bool td_msg_has_token(const struct td_msg *m, enum td_hdr_id id, struct td_str token)
{
	struct td_values it;
	struct td_str v;

	td_values_of(&it, m, id);
	while (td_values_next(&v, &it) == 1)
		if (td_str_ieq(v, token))
			return true;
	return false;
}
