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

static void defect(struct td_msg *m, uint16_t status, const char *why)
{
	if (!m->defect.status)
		m->defect = (struct td_defect){ status, why };
}

/* ---- the index ---- */

struct indexer {
	struct td_msg *msg;
	const char *p, *end;
	uint8_t last[TD_HDR_COUNT]; /* 1 + index of the last field with this id, where first[] is set */
};

static inline bool is_wsp(char ch)
{
	return ch == ' ' || ch == '\t';
}

static inline bool is_lws(char ch)
{
	return (unsigned char)ch <= ' ' && (ch == ' ' || ch == '\t' || ch == '\r' || ch == '\n');
}

/* The rest of line(): what is not a line that CRLF ends. p is where the scan stopped. */
static const char *odd_line(struct indexer *ix, const char *p)
{
	for (; p < ix->end; p = td_scan_eol(p + 1, ix->end)) {
		if (*p == '\r' && p + 1 < ix->end && p[1] == '\n') {
			ix->p = p + 2;
			return p;
		}
		if (*p != '\0') {
			defect(ix->msg, 400, "Bare CR or LF in Header Part");
			ix->p = p + 1;
			return p;
		}
		if (!td_is_escaped(ix->p, p))
			defect(ix->msg, 400, "NUL in Header Part");
	}
	defect(ix->msg, 400, "Header Part Not Ended");
	ix->p = p;
	return p;
}

/* End of the line that starts at ix->p, which moves to the next one. */
static inline const char *line(struct indexer *ix)
{
	const char *p = td_scan_eol(ix->p, ix->end);

	if (ix->end - p < 2 || p[0] != '\r' || p[1] != '\n')
		return odd_line(ix, p);
	ix->p = p + 2;
	return p;
}

/* Position of the first ":" in [p, end), or end. Names are short: most are found with the first sixteen bytes. */
static inline const char *colon(const char *p, const char *end)
{
#if defined(__SSE2__)
	if (end - p >= 16) {
		__m128i x = _mm_loadu_si128((const __m128i *)(const void *)p);
		unsigned mask = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(x, _mm_set1_epi8(':')));

		if (mask)
			return p + __builtin_ctz(mask);
		p += 16;
	}
#endif
	while (p < end && *p != ':')
		p++;
	return p;
}

/* Place for one more entry. The only growth there is makes room for all that a message may have. */
static int room(struct td_msg *m, struct td_hdr **out)
{
	struct td_hdr *hdr;

	if (m->nhdr == TD_ARRAY_LEN(m->hdr_inline) && m->hdr == m->hdr_inline) {
		hdr = td_arena_alloc(&m->arena, TD_SIP_MAX_HEADERS * sizeof(*hdr));
		if (!hdr)
			return -ENOMEM;
		memcpy(hdr, m->hdr, sizeof(m->hdr_inline));
		m->hdr = hdr;
	}
	*out = &m->hdr[m->nhdr];
	return 0;
}

/* The new last entry is the next one of its id. */
static inline void chain(struct indexer *ix, enum td_hdr_id id)
{
	struct td_msg *m = ix->msg;

	m->nhdr++;
	if (m->first[id])
		m->hdr[ix->last[id] - 1].next = m->nhdr;
	else
		m->first[id] = m->nhdr;
	ix->last[id] = m->nhdr;
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

/*
 * message-header = field-name *( SP / HTAB ) ":" value CRLF, the value going on where a line starts with a blank.
 * A line that is no header field is a defect and left out, and so is what passes a limit.
 */
static int field(struct indexer *ix)
{
	struct td_msg *m = ix->msg;
	const char *at = ix->p, *base = m->bytes.p, *eol = line(ix);
	const char *sep = colon(at, eol), *name_end = sep, *value = sep + 1;
	enum td_hdr_id id = TD_HDR_OTHER;
	bool named = sep < eol;
	struct td_hdr *h;

	if (named)
		id = td_hdr_id_of_token(at, (size_t)(sep - at));
	while (ix->p < ix->end && is_wsp(*ix->p))
		eol = line(ix);
	if (id == TD_HDR_OTHER && !(named && slow_name(&id, at, &name_end))) {
		defect(m, 400, "Malformed Header Field");
		return 0;
	}
	if (ix->p - at > TD_SIP_MAX_HEADER || m->nhdr == TD_SIP_MAX_HEADERS) {
		defect(m, 513, m->nhdr == TD_SIP_MAX_HEADERS ? "Too Many Header Fields" : "Header Field Too Long");
		return 0;
	}
	while (value < eol && is_lws(*value))
		value++;
	while (eol > value && is_lws(eol[-1]))
		eol--;
	if (room(m, &h))
		return -ENOMEM;
	h->at = (uint32_t)(at - base);
	h->end = (uint32_t)(ix->p - base);
	h->value = (uint32_t)(value - base);
	h->value_n = (uint32_t)(eol - value);
	h->name_n = (uint16_t)(name_end - at);
	h->id = (uint8_t)id;
	h->next = 0;
	chain(ix, id);
	return 0;
}

/* All fields up to the empty line, which ix->p is then past. */
static int index_fields(struct indexer *ix)
{
	while (ix->p < ix->end) {
		if (*ix->p == '\r' || *ix->p == '\n') {
			line(ix);
			return 0;
		}
		if (field(ix))
			return -ENOMEM;
	}
	defect(ix->msg, 400, "Header Part Not Ended");
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

/* The topmost Via value: where responses go. */
static int top_via(struct td_msg *m)
{
	const struct td_hdr *h = td_msg_hdr(m, TD_HDR_VIA);
	struct td_str value, rest;

	if (!h)
		return TD_ESYNTAX;
	value = rest = td_hdr_value(m, h);
	if (((memchr(value.p, ',', value.n) && td_list_next(&value, &rest) != 1) || td_via_parse(&m->via, value)) &&
	    salvage_via(m, td_hdr_value(m, h)))
		return TD_ESYNTAX;
	if (too_many_vias(m))
		defect(m, 400, "Too Many Via");
	return 0;
}

/* From, To. Their tag may be missing (RFC 2543), but not empty (P4). */
static void party(struct td_msg *m, struct td_name_addr *out, struct td_str *tag, struct td_str value, const char *wrong)
{
	if (td_name_addr_parse_tag(out, tag, value))
		defect(m, 400, wrong);
}

/*
 * callid = word [ "@" word ]. Taken as any run of visible characters: it is compared and never interpreted, and the "="
 * of base64, no word character, is in many a phone's.
 */
static bool good_call_id(struct td_str v)
{
	size_t i;

	for (i = 0; i < v.n; i++)
		if (v.p[i] <= ' ' || v.p[i] == 127)
			return false;
	return v.n > 0 && v.n <= TD_SIP_MAX_TOKEN;
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
	uint64_t n;

	m->body = (struct td_str){ m->bytes.p + at, m->bytes.n - at };
	if (!v.p)
		return; /* to the end of the datagram, §18.3 */
	if (td_str_u64(&n, v, UINT64_MAX)) {
		defect(m, 400, "Malformed Content-Length");
	} else if (n > m->body.n) {
		defect(m, 400, "Content-Length Beyond the End");
	} else {
		m->body.n = (size_t)n;
		m->bytes.n = at + (size_t)n;
	}
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
	if (!good_call_id(m->call_id))
		defect(m, 400, m->call_id.p ? "Malformed Call-ID" : "Missing Call-ID");
	cseq(m);
	v = single(m, TD_HDR_MAX_FORWARDS, "Max-Forwards Twice");
	if (v.p) {
		if (td_str_u32(&n, v) || n > 255)
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
	err = td_uri_parse(&m->ruri, s->uri);
	if (err == TD_ELIMIT)
		defect(m, 414, "Request-URI Too Long");
	else if (err)
		defect(m, 400, "Malformed Request-URI");
	else if (m->ruri.headers.n)
		defect(m, 400, "Header Fields in Request-URI"); /* §19.1.1: not allowed there */
}

static int parse(struct td_msg *m)
{
	struct indexer ix = { .msg = m, .p = m->bytes.p, .end = m->bytes.p + m->bytes.n };
	const char *eol = line(&ix);
	struct td_start_line s;
	int err;

	if (td_start_line_parse(&s, (struct td_str){ m->bytes.p, (size_t)(eol - m->bytes.p) }))
		return TD_ESYNTAX;
	start(m, &s);
	err = index_fields(&ix);
	if (err)
		return err;
	err = core_fields(m, (size_t)(ix.p - m->bytes.p));
	if (err)
		return err;
	if (m->request)
		return 0;
	m->method = m->cseq.method;
	return m->defect.status ? TD_ESYNTAX : 0;
}

int td_msg_parse(struct td_msg **out, struct td_buf *buf, size_t at, size_t n)
{
	struct td_msg *m;
	int err;

	/* Most of what is not SIP shows in its first byte: no memory for it. */
	if (n > TD_SIP_MAX_MESSAGE || !n || !td_is(buf->data[at], TD_CC_TOKEN))
		return TD_ESYNTAX;
	m = malloc(sizeof(*m));
	if (!m)
		return -ENOMEM;
	memset(m, 0, offsetof(struct td_msg, hdr_inline));
	m->bytes = (struct td_str){ buf->data + at, n };
	m->refs = 1;
	m->max_forwards = -1;
	m->hdr = m->hdr_inline;
	td_arena_init_with(&m->arena, m->arena_inline, sizeof(m->arena_inline));
	err = parse(m);
	if (err) {
		td_arena_reset(&m->arena);
		free(m);
		return err;
	}
	m->buf = td_buf_ref(buf);
	*out = m;
	return 0;
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
	td_arena_reset(&m->arena);
	td_buf_unref(m->buf);
	free(m);
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
