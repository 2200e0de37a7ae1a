/*
 * sip: the message grammar of RFC 3261 §25 and nothing else. No I/O, no clock, no policy.
 *
 * A message is its original bytes in a counted buffer plus an index of its header fields, made in one pass. The few
 * values every element needs (top Via, From, To, Call-ID, CSeq, Max-Forwards, Content-Length) are parsed at once;
 * every other header is parsed when somebody asks. Forwarding is the original bytes plus a list of edits.
 */
#ifndef TANDEM_SIP_H
#define TANDEM_SIP_H

#include <tandem/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- limits (threats P1, P3, P7, P8): one place ---- */

enum {
	TD_SIP_MAX_MESSAGE = 65536, /* bytes of a message, body included */
	TD_SIP_MAX_HEADERS = 250,   /* header fields */
	TD_SIP_MAX_HEADER = 8192,   /* bytes of one header field, folds included */
	TD_SIP_MAX_URI = 2048,
	TD_SIP_MAX_TOKEN = 1024, /* tag, branch, Call-ID, user, realm, method … */
	TD_SIP_MAX_VIAS = 70,
	TD_SIP_MAX_PARAMS = 64, /* of one value */
};

/* ---- methods, header ids ---- */

enum td_method {
	TD_METHOD_OTHER,
	TD_INVITE,
	TD_ACK,
	TD_BYE,
	TD_CANCEL,
	TD_OPTIONS,
	TD_REGISTER,
	TD_MESSAGE,
	TD_PRACK,
	TD_UPDATE,
	TD_INFO,
	TD_REFER,
	TD_NOTIFY,
	TD_SUBSCRIBE,
	TD_PUBLISH,
	TD_METHOD_COUNT
};

enum td_method td_method_of(struct td_str name); /* case-sensitive, §7.1 */
struct td_str td_method_name(enum td_method m);

enum td_hdr_id {
	TD_HDR_OTHER,
	TD_HDR_ACCEPT,
	TD_HDR_ACCEPT_ENCODING,
	TD_HDR_ACCEPT_LANGUAGE,
	TD_HDR_ALERT_INFO,
	TD_HDR_ALLOW,
	TD_HDR_AUTHENTICATION_INFO,
	TD_HDR_AUTHORIZATION,
	TD_HDR_CALL_ID,
	TD_HDR_CALL_INFO,
	TD_HDR_CONTACT,
	TD_HDR_CONTENT_DISPOSITION,
	TD_HDR_CONTENT_ENCODING,
	TD_HDR_CONTENT_LANGUAGE,
	TD_HDR_CONTENT_LENGTH,
	TD_HDR_CONTENT_TYPE,
	TD_HDR_CSEQ,
	TD_HDR_DATE,
	TD_HDR_ERROR_INFO,
	TD_HDR_EXPIRES,
	TD_HDR_FROM,
	TD_HDR_IN_REPLY_TO,
	TD_HDR_MAX_FORWARDS,
	TD_HDR_MIME_VERSION,
	TD_HDR_MIN_EXPIRES,
	TD_HDR_ORGANIZATION,
	TD_HDR_PRIORITY,
	TD_HDR_PROXY_AUTHENTICATE,
	TD_HDR_PROXY_AUTHORIZATION,
	TD_HDR_PROXY_REQUIRE,
	TD_HDR_RECORD_ROUTE,
	TD_HDR_REPLY_TO,
	TD_HDR_REQUIRE,
	TD_HDR_RETRY_AFTER,
	TD_HDR_ROUTE,
	TD_HDR_SERVER,
	TD_HDR_SUBJECT,
	TD_HDR_SUPPORTED,
	TD_HDR_TIMESTAMP,
	TD_HDR_TO,
	TD_HDR_UNSUPPORTED,
	TD_HDR_USER_AGENT,
	TD_HDR_VIA,
	TD_HDR_WARNING,
	TD_HDR_WWW_AUTHENTICATE,
	/* of later RFCs, known because compact forms exist or roles need them */
	TD_HDR_ALLOW_EVENTS,
	TD_HDR_EVENT,
	TD_HDR_IDENTITY,
	TD_HDR_MAX_BREADTH,
	TD_HDR_MIN_SE,
	TD_HDR_PATH,
	TD_HDR_P_ASSERTED_IDENTITY,
	TD_HDR_P_PREFERRED_IDENTITY,
	TD_HDR_PRIVACY,
	TD_HDR_RACK,
	TD_HDR_REASON,
	TD_HDR_REFER_TO,
	TD_HDR_REFERRED_BY,
	TD_HDR_REPLACES,
	TD_HDR_RSEQ,
	TD_HDR_SERVICE_ROUTE,
	TD_HDR_SESSION_EXPIRES,
	TD_HDR_SIP_ETAG,
	TD_HDR_SIP_IF_MATCH,
	TD_HDR_SUBSCRIPTION_STATE,
	TD_HDR_COUNT
};

enum td_hdr_id td_hdr_id_of(struct td_str name); /* long or compact form, case-insensitive */
struct td_str td_hdr_name(enum td_hdr_id id);    /* canonical long form; empty for TD_HDR_OTHER */

/* ---- parameters: *( SEMI token [ EQUAL ( token / host / quoted-string ) ] ) ---- */

struct td_param {
	struct td_str name, value; /* value.p NULL: none. A quoted value keeps its quotes */
};

/* Takes the next parameter off *rest (which starts at ";" or is empty). 1: got one; 0: at the end; TD_ESYNTAX. */
int td_param_next(struct td_param *out, struct td_str *rest);
/* First parameter of this name (case-insensitive). True when present; out->value.p may be NULL. */
bool td_param_find(struct td_param *out, struct td_str params, struct td_str name);
/* Contents of a quoted-string, escapes undone, into o; a token is copied as it is. TD_ESYNTAX when unbalanced. */
int td_unquote(struct td_out *o, struct td_str v);
void td_quote(struct td_out *o, struct td_str v); /* quoted-string with escapes */

/* ---- URI (RFC 3261 §19.1, RFC 3966) ---- */

enum td_scheme { TD_SCHEME_OTHER, TD_SCHEME_SIP, TD_SCHEME_SIPS, TD_SCHEME_TEL };

struct td_uri {
	struct td_str text; /* all of it */
	enum td_scheme scheme;
	struct td_str scheme_name;
	struct td_str user;     /* escaped as written; for tel: the number; p NULL when absent */
	struct td_str password; /* p NULL when absent */
	struct td_str host;     /* v6 without brackets */
	bool host_v6;
	uint16_t port;         /* 0: not given */
	struct td_str params;  /* from the first ";" of the parameters, or empty */
	struct td_str headers; /* after "?", or empty */
};

int td_uri_parse(struct td_uri *out, struct td_str text);       /* whole view; TD_ESYNTAX, TD_ELIMIT */
bool td_uri_eq(const struct td_uri *a, const struct td_uri *b); /* §19.1.4, RFC 3966 §4 */
/* user@host for comparing addresses of record: user with escapes undone where they need not be, host in lower case,
 * default port and parameters dropped (§10.3 step 5). TD_ESYNTAX when a decoded control character appears (P6). */
int td_uri_aor(struct td_out *o, const struct td_uri *u);
int td_aor_user(struct td_out *o, struct td_str user);  /* its beginning: a user part and "@" */
int td_unescape(struct td_out *o, struct td_str v);     /* %HH once; control characters are TD_ESYNTAX */
void td_escape_user(struct td_out *o, struct td_str v); /* what may not stand in a user part is escaped */

/* ---- telephone numbers (RFC 3966) ---- */

struct td_tel {
	struct td_str number;  /* as written, with "+" and visual separators */
	bool global;           /* it begins with "+": the same everywhere */
	struct td_str context; /* of a local one: where it means something, a domain name or "+" and digits; p NULL: none */
	struct td_str ext;     /* p NULL: none */
};

int td_tel_of_uri(struct td_tel *out, const struct td_uri *uri); /* TD_EUNSUPPORTED: no tel URI. Views into uri's text */
/* A number as people write it, [ "+" ] digits, "*", "#" and visual separators, without these. TD_ESYNTAX: it is none; o is as it was. */
int td_tel_put(struct td_out *o, struct td_str text);

/* ---- typed header values; each parser takes one value (comma lists are split by td_list_next) ---- */

/* name-addr or addr-spec with parameters: From, To, Contact, Route, Record-Route, Reply-To, Refer-To, Path … */
struct td_name_addr {
	struct td_str display; /* as written, quotes kept; empty when absent */
	struct td_uri uri;
	struct td_str params; /* header parameters, from ";" on */
	struct td_str text;   /* the whole value */
	bool angle;           /* written in <> */
};

int td_name_addr_parse(struct td_name_addr *out, struct td_str value);

struct td_via {
	struct td_str text;      /* the whole value (one of a comma list) */
	struct td_str transport; /* "UDP", "TCP", … */
	struct td_str host;      /* sent-by host, brackets stripped */
	bool host_v6;
	uint16_t port; /* 0: not given */
	struct td_str params;
	struct td_str branch, received, maddr; /* p NULL when absent */
	bool rport;                            /* ;rport present */
	uint16_t rport_value;                  /* 0 when it has none */
	struct td_str rport_text;              /* the "rport" parameter as written, for replacing it; p NULL: absent */
	uint32_t ttl;
};

int td_via_parse(struct td_via *out, struct td_str value);

struct td_cseq {
	uint32_t num;
	enum td_method method;
	struct td_str method_name;
};

int td_cseq_parse(struct td_cseq *out, struct td_str value);

struct td_contact {
	bool star;
	struct td_name_addr addr;
	int32_t expires; /* seconds; -1: not given; values above 2^31-1 are clamped; malformed ones count as 3600 (§20.10) */
	int16_t q;       /* 0..1000; -1: not given */
};

int td_contact_parse(struct td_contact *out, struct td_str value);
int td_delta_seconds(uint32_t *out, struct td_str value); /* Expires, Min-Expires: digits; > 2^32-1 is TD_ELIMIT */

struct td_media_type {
	struct td_str type, subtype, params;
};

int td_media_type_parse(struct td_media_type *out, struct td_str value); /* Content-Type; "*" is allowed for Accept */

/* Digest challenge or credentials: scheme and auth-params. Values are without quotes but with escapes as written. */
struct td_auth {
	struct td_str scheme, realm, domain, nonce, opaque, algorithm, qop, cnonce, nc, response, uri, username, stale;
	bool digest; /* scheme is Digest */
};

int td_auth_parse(struct td_auth *out, struct td_str value); /* doubled parameters are TD_ESYNTAX (A3) */

struct td_retry_after {
	uint32_t seconds;
	struct td_str comment, params;
};

int td_retry_after_parse(struct td_retry_after *out, struct td_str value);

struct td_warning {
	uint16_t code;
	struct td_str agent, text;
};

int td_warning_parse(struct td_warning *out, struct td_str value);

struct td_timestamp {
	struct td_str value, delay;
};
int td_timestamp_parse(struct td_timestamp *out, struct td_str value);
int td_date_parse(uint64_t *out_unix_s, struct td_str value); /* SIP-date: GMT only */
void td_date_print(struct td_out *o, uint64_t unix_s);

/* Next element of a comma list (quotes, <> and () respected). 1: got one, trimmed; 0: at the end; TD_ESYNTAX. */
int td_list_next(struct td_str *out, struct td_str *rest);
bool td_list_has(struct td_str list, struct td_str token); /* option tags, methods: case-insensitive */

/* ---- message ---- */

struct td_hdr {
	uint16_t at, n;             /* the field in the message's bytes, from its name to after its last CRLF */
	uint16_t value_at, value_n; /* trimmed, from at on; folds are inside */
	uint16_t name_n;
	uint8_t id;
	uint8_t next; /* 1 + index of the next field with this id; 0: none */
};

struct td_defect {
	uint16_t status; /* 0: none; else the answer a request deserves (400, 414, 416, 505, 513 …) */
	const char *why; /* static text for the reason phrase */
};

struct td_msg {
	struct td_buf *buf;  /* counted */
	struct td_str bytes; /* start line to end of body */
	struct td_str body;
	uint32_t refs; /* one thread owns a message at a time; handing it over hands over all of it */
	bool request;
	uint8_t nhdr;
	uint16_t status;       /* responses */
	enum td_method method; /* requests; for responses the CSeq's */
	struct td_str method_name;
	struct td_str uri;  /* Request-URI as written */
	struct td_uri ruri; /* the same, parsed; text empty where that was a defect */
	struct td_str reason;
	struct td_via via;              /* top Via; of a malformed one its host, and rport set: answer to the port it came from */
	struct td_name_addr from, to;   /* of a response without the uri: td_name_addr_parse() reads it from text */
	struct td_str from_tag, to_tag; /* p NULL when absent */
	struct td_str call_id;
	struct td_cseq cseq;
	int max_forwards;        /* -1: absent */
	struct td_defect defect; /* first thing found wrong in a request that can still be answered */
	/* What the transport saw (§18.2.1, RFC 3581 §4): set by it, printed wherever the top Via is copied. Empty: nothing. */
	struct td_str received;
	uint16_t rport;
	uint64_t hash;               /* of who matches messages by one, to make it once; 0: none yet */
	void *user;                  /* for the element that handles it (e.g. its flow); not touched here */
	struct td_arena arena;       /* dies with the message */
	uint8_t first[TD_HDR_COUNT]; /* 1 + index of the first field with this id; 0: absent */
	struct td_hdr *hdr;
};

/*
 * Indexes the message in buf->data[at .. at+n). Keeps buf (counted).
 * 0: *out has one reference; look at defect before using a request. TD_ESYNTAX: not a SIP message, or a response that must
 * be discarded, or a request that cannot even be answered (no usable Via): drop it. -ENOMEM.
 * In a request with a defect, from, to, call_id and cseq may be empty; the response head echoes what text there is.
 * Bytes after Content-Length are left out of `bytes` (datagrams: discarded, §18.3). Content-Length beyond the end is a defect (400).
 */
int td_msg_parse(struct td_msg **out, struct td_buf *buf, size_t at, size_t n);
struct td_msg *td_msg_ref(struct td_msg *m);
void td_msg_unref(struct td_msg *m);

/* Parses every header of RFC 3261 in it strictly; the defect a strict element would answer with (status 0: none). */
struct td_defect td_msg_validate(const struct td_msg *m);

/* For streams: length of the first message in bytes (headers + Content-Length). 0 and *out; TD_EMORE; TD_ESYNTAX or
 * TD_ELIMIT: the stream cannot be resynchronised, answer what can be answered and close it. Leading CRLFs are not accepted
 * here (keep-alives belong to transport). No Content-Length counts as 0. *scan remembers how far it looked, so that a slow
 * stream costs linear time: 0 for the first byte of a message, and 0 again when one is framed. */
int td_msg_frame(size_t *out, struct td_str bytes, size_t *scan);

static inline const struct td_hdr *td_msg_hdr(const struct td_msg *m, enum td_hdr_id id)
{
	return m->first[id] ? &m->hdr[m->first[id] - 1] : NULL;
}

static inline const struct td_hdr *td_msg_hdr_next(const struct td_msg *m, const struct td_hdr *h)
{
	return h->next ? &m->hdr[h->next - 1] : NULL;
}

static inline struct td_str td_hdr_value(const struct td_msg *m, const struct td_hdr *h)
{
	return (struct td_str){ m->bytes.p + h->at + h->value_at, h->value_n };
}

static inline struct td_str td_hdr_line(const struct td_msg *m, const struct td_hdr *h)
{
	return (struct td_str){ m->bytes.p + h->at, h->n };
}

/* Value of the first field with this id; p NULL when absent. */
struct td_str td_msg_value(const struct td_msg *m, enum td_hdr_id id);
/* First field with a name we have no id for. */
const struct td_hdr *td_msg_hdr_named(const struct td_msg *m, struct td_str name);

/* All values of a header over all its fields, comma lists split, in order. */
struct td_values {
	const struct td_msg *msg;
	const struct td_hdr *hdr;
	struct td_str rest;
};

void td_values_of(struct td_values *it, const struct td_msg *m, enum td_hdr_id id);
int td_values_next(struct td_str *out, struct td_values *it); /* 1, 0 at the end, TD_ESYNTAX */
/* The same of Contact fields, parsed. On TD_ESYNTAX *out holds what had been read. */
int td_contact_next(struct td_contact *out, struct td_values *it);
/* Is token among the values (Supported, Require, Allow …)? */
bool td_msg_has_token(const struct td_msg *m, enum td_hdr_id id, struct td_str token);

/* Parts of a multipart body (RFC 2046 §5.1, RFC 5621): at most 16 parts. */
struct td_part {
	struct td_str headers, body;
};

struct td_parts {
	struct td_str boundary, rest;
	unsigned count;
};

int td_parts_of(struct td_parts *it, struct td_str content_type, struct td_str body); /* TD_ESYNTAX: no boundary */
int td_parts_next(struct td_part *out, struct td_parts *it);                          /* 1, 0, TD_ESYNTAX, TD_ELIMIT */
struct td_str td_part_header(const struct td_part *p, struct td_str name);            /* p NULL when absent */

/* ---- building: original bytes plus edits ---- */

enum { TD_EDITS_INLINE = 24 };

struct td_edit {
	uint32_t at, del;  /* in msg->bytes */
	struct td_str ins; /* borrowed until td_edits_apply() */
};

struct td_edits {
	const struct td_msg *msg;
	struct td_edit *e, inline_e[TD_EDITS_INLINE];
	unsigned n, cap;
	bool failed; /* memory ran out: td_edits_apply() says so */
};

void td_edits_init(struct td_edits *ed, const struct td_msg *m);
void td_edits_free(struct td_edits *ed);
/* In any order; edits may not overlap; insertions at one place come out in the order they were added. */
void td_edit_replace(struct td_edits *ed, struct td_str view_in_msg, struct td_str ins);
void td_edit_insert(struct td_edits *ed, size_t at, struct td_str ins);
void td_edit_remove_hdr(struct td_edits *ed, const struct td_hdr *h); /* the whole field */
/* The topmost count values (Via, Route …); a field goes when it has none left. Once per id: edits do not see each other. */
void td_edit_remove_values(struct td_edits *ed, enum td_hdr_id id, unsigned count);
void td_edit_remove_first_value(struct td_edits *ed, enum td_hdr_id id); /* the topmost one */
/* before the first such field; else after the start line */
void td_edit_insert_before(struct td_edits *ed, enum td_hdr_id id, struct td_str line);
void td_edit_append(struct td_edits *ed, struct td_str line); /* as the last header field */
/* Writes received/rport into the top Via as the transport saw them; text is built in the message's arena. */
void td_edit_via_received(struct td_edits *ed, struct td_msg *m);
/* -ENOMEM; TD_ELIMIT: longer than TD_SIP_MAX_MESSAGE; -EINVAL: they overlap */
int td_edits_apply(struct td_buf **out, struct td_edits *ed);

/* ---- building: new messages ---- */

struct td_str td_reason_phrase(unsigned status); /* "OK", "Ringing" …; by class when unknown */
void td_put_request_line(struct td_out *o, struct td_str method, struct td_str uri);
void td_put_status_line(struct td_out *o, unsigned status, struct td_str reason); /* reason empty: the standard one */
void td_put_hdr(struct td_out *o, enum td_hdr_id id, struct td_str value);
void td_put_hdr_u64(struct td_out *o, enum td_hdr_id id, uint64_t value);
void td_put_hdr_named(struct td_out *o, struct td_str name, struct td_str value);
/* Content-Type, Content-Length, blank line, body */
void td_put_body(struct td_out *o, struct td_str content_type, struct td_str body);
/* The head of a response to a request (§8.2.6.2): status line, Vias (received/rport filled in), From, To with to_tag when the
 * request had none, Call-ID, CSeq, Timestamp on 100; Record-Route when record_route. The caller adds headers and td_put_body(). */
void td_put_response_head(struct td_out *o, const struct td_msg *req, unsigned status, struct td_str reason, struct td_str to_tag,
			  bool record_route);

#ifdef __cplusplus
}
#endif
#endif
