/*
 * The strict reading of a message: every header field of RFC 3261 §20 against its rule of §25, one row each. A server that
 * forwards parses what it needs and leaves the rest alone; an element that wants to know whether the whole message is well
 * formed (and the tests) asks here. What depends on who is asked (405, 415, 420, 483 …) is none of this file's business.
 */
#include "internal.h"

typedef int check_fn(struct td_str value);

static int is_token(struct td_str v)
{
	return td_all(v, TD_CC_TOKEN) ? 0 : TD_ESYNTAX;
}

/* callid  =  word [ "@" word ] */
static int is_call_id(struct td_str v)
{
	struct td_cur c = td_cur_of(v);

	td_cur_span1(&c, TD_CC_WORD);
	if (td_cur_take(&c, '@'))
		td_cur_span1(&c, TD_CC_WORD);
	return td_cur_end(&c) ? 0 : TD_ESYNTAX;
}

/*
 * TEXT-UTF8-TRIM  =  1*TEXT-UTF8char *( *LWS TEXT-UTF8char ); here it may be empty.
 * UTF8-NONASCII is what UTF-8 was in 2002, sequences of up to six bytes included.
 */
static int is_text(struct td_str v)
{
	struct td_cur c = td_cur_of(v);
	unsigned char ch;
	int more;

	for (;;) {
		td_cur_lws(&c);
		if (td_cur_end(&c))
			return 0;
		ch = (unsigned char)*c.p++;
		if (td_is((char)ch, TD_CC_CTL) || (ch >= 0x80 && ch < 0xc0) || ch > 0xfd)
			return TD_ESYNTAX;
		for (more = ch < 0xc0 ? 0 : ch < 0xe0 ? 1 : ch < 0xf0 ? 2 : ch < 0xf8 ? 3 : ch < 0xfc ? 4 : 5; more; more--)
			if (c.p >= c.end || ((unsigned char)*c.p++ & 0xc0) != 0x80)
				return TD_ESYNTAX;
	}
}

/* token *( SEMI generic-param ): Content-Disposition */
static int is_token_params(struct td_str v)
{
	struct td_cur c = td_cur_of(v);

	td_cur_token(&c);
	td_cur_params(&c);
	return td_cur_end(&c) ? 0 : TD_ESYNTAX;
}

/* accept-param  =  ( "q" EQUAL qvalue ) / generic-param */
static int accept_params(struct td_cur *c)
{
	struct td_param p;
	int16_t q;

	while (td_cur_param(&p, c))
		if (p.name.n == 1 && td_lower(p.name.p[0]) == 'q' && td_qvalue(&q, p.value))
			return TD_ESYNTAX;
	return td_cur_end(c) ? 0 : TD_ESYNTAX;
}

/* accept-range  =  media-range *( SEMI accept-param ) */
static int is_accept_range(struct td_str v)
{
	struct td_media_type mt;
	struct td_cur c;
	int err = td_media_type_parse(&mt, v);

	if (err)
		return err;
	c = td_cur_of(mt.params);
	return accept_params(&c);
}

/* encoding  =  ( content-coding / "*" ) *( SEMI accept-param ) */
static int is_encoding(struct td_str v)
{
	struct td_cur c = td_cur_of(v);

	td_cur_token(&c);
	return accept_params(&c);
}

/* primary-tag *( "-" subtag ), 1*8ALPHA each. Digits too: the tags of RFC 3066 have them (es-419). */
static void language_tag(struct td_cur *c)
{
	do {
		if (td_cur_span1(c, TD_CC_ALPHA | TD_CC_DIGIT).n > 8)
			c->bad = true;
	} while (td_cur_take(c, '-'));
}

static int is_language_tag(struct td_str v)
{
	struct td_cur c = td_cur_of(v);

	language_tag(&c);
	return td_cur_end(&c) ? 0 : TD_ESYNTAX;
}

/* language  =  ( language-tag / "*" ) *( SEMI accept-param ) */
static int is_language(struct td_str v)
{
	struct td_cur c = td_cur_of(v);

	if (!td_cur_take(&c, '*'))
		language_tag(&c);
	return accept_params(&c);
}

/* media-type of a body: "*" names none, and m-parameter  =  m-attribute EQUAL m-value */
static int is_content_type(struct td_str v)
{
	struct td_media_type mt;
	struct td_param p;
	struct td_cur c;
	int err = td_media_type_parse(&mt, v);

	if (err)
		return err;
	if (td_str_eq(mt.type, TD_STR("*")) || td_str_eq(mt.subtype, TD_STR("*")))
		return TD_ESYNTAX;
	for (c = td_cur_of(mt.params); td_cur_param(&p, &c);)
		if (!p.value.p)
			return TD_ESYNTAX;
	return 0;
}

static int is_address(struct td_str v)
{
	struct td_name_addr na;

	return td_name_addr_parse(&na, v);
}

static int is_tagged_address(struct td_str v)
{
	struct td_name_addr na;
	struct td_str tag;

	return td_name_addr_parse_tag(&na, &tag, v);
}

/* route-param  =  name-addr *( SEMI rr-param ): brackets always */
static int is_route(struct td_str v)
{
	struct td_name_addr na;
	int err = td_name_addr_parse(&na, v);

	return err ? err : na.angle ? 0 : TD_ESYNTAX;
}

/* alert-param  =  LAQUOT absoluteURI RAQUOT *( SEMI generic-param ): Alert-Info, Call-Info, Error-Info; no display name */
static int is_info(struct td_str v)
{
	struct td_name_addr na;
	int err = td_name_addr_parse(&na, v);

	return err ? err : na.angle && !na.display.n ? 0 : TD_ESYNTAX;
}

static int is_contact(struct td_str v)
{
	struct td_contact ct;

	return td_contact_parse(&ct, v);
}

static int is_via(struct td_str v)
{
	struct td_via via;

	return td_via_parse(&via, v);
}

static int is_cseq(struct td_str v)
{
	struct td_cseq cs;

	return td_cseq_parse(&cs, v);
}

static int is_challenge(struct td_str v)
{
	struct td_auth a;
	int err = td_auth_parse(&a, v);

	if (err)
		return err;
	return a.digest && (!a.realm.p || !a.nonce.p) ? TD_ESYNTAX : 0; /* RFC 2617 §3.2.1 */
}

/* "If a directive or its value is improper, or required directives are missing, the proper response is 400", RFC 2617 §3.2.2 */
static int is_credentials(struct td_str v)
{
	struct td_auth a;
	int err = td_auth_parse(&a, v);

	if (err)
		return err;
	return a.digest && (!a.username.p || !a.realm.p || !a.nonce.p || !a.uri.p || !a.response.p) ? TD_ESYNTAX : 0;
}

static int is_auth_info(struct td_str v)
{
	struct td_auth a;

	return td_auth_info_parse(&a, v);
}

static int is_digits(struct td_str v)
{
	return td_all(v, TD_CC_DIGIT) ? 0 : TD_ESYNTAX;
}

/* "an integer in the range 0-255", §20.22 */
static int is_max_forwards(struct td_str v)
{
	uint64_t n;

	return td_str_u64(&n, v, 255);
}

static int is_delta_seconds(struct td_str v)
{
	uint32_t n;

	return td_delta_seconds(&n, v);
}

/* MIME-Version  =  1*DIGIT "." 1*DIGIT */
static int is_mime_version(struct td_str v)
{
	struct td_cur c = td_cur_of(v);

	td_cur_span1(&c, TD_CC_DIGIT);
	td_cur_want(&c, '.');
	td_cur_span1(&c, TD_CC_DIGIT);
	return td_cur_end(&c) ? 0 : TD_ESYNTAX;
}

static int is_date(struct td_str v)
{
	uint64_t t;

	return td_date_parse(&t, v);
}

static int is_retry_after(struct td_str v)
{
	struct td_retry_after ra;

	return td_retry_after_parse(&ra, v);
}

static int is_timestamp(struct td_str v)
{
	struct td_timestamp ts;

	return td_timestamp_parse(&ts, v);
}

static int is_warning(struct td_str v)
{
	struct td_warning w;

	return td_warning_parse(&w, v);
}

/*
 * How often, §7.3.1: a field may be repeated only if its value is a comma list, except for the four of authentication,
 * which are lists inside and so stand in a field each.
 */
enum shape {
	ONE,    /* one field, one value */
	FIELDS, /* any number of fields, one value each */
	LIST,   /* comma list, at least one */
	LIST0,  /* comma list, possibly empty */
};

static const struct rule {
	uint8_t id, shape;
	check_fn *check;
	const char *why;
} rules[] = {
	{ TD_HDR_ACCEPT, LIST0, is_accept_range, "Bad Accept" },
	{ TD_HDR_ACCEPT_ENCODING, LIST0, is_encoding, "Bad Accept-Encoding" },
	{ TD_HDR_ACCEPT_LANGUAGE, LIST0, is_language, "Bad Accept-Language" },
	{ TD_HDR_ALERT_INFO, LIST, is_info, "Bad Alert-Info" },
	{ TD_HDR_ALLOW, LIST0, is_token, "Bad Allow" },
	{ TD_HDR_AUTHENTICATION_INFO, ONE, is_auth_info, "Bad Authentication-Info" },
	{ TD_HDR_AUTHORIZATION, FIELDS, is_credentials, "Bad Authorization" },
	{ TD_HDR_CALL_ID, ONE, is_call_id, "Bad Call-ID" },
	{ TD_HDR_CALL_INFO, LIST, is_info, "Bad Call-Info" },
	{ TD_HDR_CONTACT, LIST, is_contact, "Bad Contact" },
	{ TD_HDR_CONTENT_DISPOSITION, ONE, is_token_params, "Bad Content-Disposition" },
	{ TD_HDR_CONTENT_ENCODING, LIST, is_token, "Bad Content-Encoding" },
	{ TD_HDR_CONTENT_LANGUAGE, LIST, is_language_tag, "Bad Content-Language" },
	{ TD_HDR_CONTENT_LENGTH, ONE, is_digits, "Bad Content-Length" },
	{ TD_HDR_CONTENT_TYPE, ONE, is_content_type, "Bad Content-Type" },
	{ TD_HDR_CSEQ, ONE, is_cseq, "Bad CSeq" },
	{ TD_HDR_DATE, ONE, is_date, "Bad Date" },
	{ TD_HDR_ERROR_INFO, LIST, is_info, "Bad Error-Info" },
	{ TD_HDR_EXPIRES, ONE, is_delta_seconds, "Bad Expires" },
	{ TD_HDR_FROM, ONE, is_tagged_address, "Bad From" },
	{ TD_HDR_IN_REPLY_TO, LIST, is_call_id, "Bad In-Reply-To" },
	{ TD_HDR_MAX_FORWARDS, ONE, is_max_forwards, "Bad Max-Forwards" },
	{ TD_HDR_MIME_VERSION, ONE, is_mime_version, "Bad MIME-Version" },
	{ TD_HDR_MIN_EXPIRES, ONE, is_delta_seconds, "Bad Min-Expires" },
	{ TD_HDR_ORGANIZATION, ONE, is_text, "Bad Organization" },
	{ TD_HDR_PRIORITY, ONE, is_token, "Bad Priority" },
	{ TD_HDR_PROXY_AUTHENTICATE, FIELDS, is_challenge, "Bad Proxy-Authenticate" },
	{ TD_HDR_PROXY_AUTHORIZATION, FIELDS, is_credentials, "Bad Proxy-Authorization" },
	{ TD_HDR_PROXY_REQUIRE, LIST, is_token, "Bad Proxy-Require" },
	{ TD_HDR_RECORD_ROUTE, LIST, is_route, "Bad Record-Route" },
	{ TD_HDR_REPLY_TO, ONE, is_address, "Bad Reply-To" },
	{ TD_HDR_REQUIRE, LIST, is_token, "Bad Require" },
	{ TD_HDR_RETRY_AFTER, ONE, is_retry_after, "Bad Retry-After" },
	{ TD_HDR_ROUTE, LIST, is_route, "Bad Route" },
	/* product and comment by the grammar; but it is for people to read, and half of all phones write what they like */
	{ TD_HDR_SERVER, ONE, is_text, "Bad Server" },
	{ TD_HDR_SUBJECT, ONE, is_text, "Bad Subject" },
	{ TD_HDR_SUPPORTED, LIST0, is_token, "Bad Supported" },
	{ TD_HDR_TIMESTAMP, ONE, is_timestamp, "Bad Timestamp" },
	{ TD_HDR_TO, ONE, is_tagged_address, "Bad To" },
	{ TD_HDR_UNSUPPORTED, LIST, is_token, "Bad Unsupported" },
	{ TD_HDR_USER_AGENT, ONE, is_text, "Bad User-Agent" },
	{ TD_HDR_VIA, LIST, is_via, "Bad Via" },
	{ TD_HDR_WARNING, LIST, is_warning, "Bad Warning" },
	{ TD_HDR_WWW_AUTHENTICATE, FIELDS, is_challenge, "Bad WWW-Authenticate" },
};

/* One field of a comma list. Stands empty only where the grammar has "[ … ]" around the list. */
static int check_list(const struct rule *r, struct td_str value)
{
	struct td_str v;
	unsigned n = 0;
	int got, err;

	while ((got = td_list_next(&v, &value)) > 0) {
		err = r->check(v);
		if (err)
			return err;
		n++;
	}
	return got ? got : n || r->shape == LIST0 ? 0 : TD_ESYNTAX;
}

static int check_rule(const struct rule *r, const struct td_msg *m)
{
	const struct td_hdr *h;
	int err;

	for (h = td_msg_hdr(m, r->id); h; h = td_msg_hdr_next(m, h)) {
		if (r->shape == LIST || r->shape == LIST0)
			err = check_list(r, td_hdr_value(m, h));
		else if (r->shape == ONE && h->next)
			err = TD_ESYNTAX;
		else
			err = r->check(td_hdr_value(m, h));
		if (err)
			return err;
	}
	return 0;
}

/*
 * Contact: "*" stands alone, and only in a REGISTER that removes everything (§10.2.2). An INVITE says where its dialog
 * can be reached (§8.1.1.8), unless it is one of RFC 2543, where that was optional (RFC 4475 §3.4.1).
 */
static bool contacts_ok(const struct td_msg *m)
{
	struct td_values it;
	struct td_str v;
	unsigned n = 0;
	bool star = false;

	for (td_values_of(&it, m, TD_HDR_CONTACT); td_values_next(&v, &it) > 0; n++)
		star = star || td_str_eq(v, TD_STR("*"));
	if (star && (n > 1 || m->method != TD_REGISTER))
		return false;
	return n || !m->request || m->method != TD_INVITE || !td_str_starts(m->via.branch, TD_STR("z9hG4bK"));
}

struct td_defect td_msg_validate(const struct td_msg *m)
{
	struct td_defect d = m->defect;
	size_t i;

	if (d.status)
		return d;
	for (i = 0; i < TD_ARRAY_LEN(rules); i++)
		if (check_rule(&rules[i], m))
			return (struct td_defect){ 400, rules[i].why };
	if (!contacts_ok(m))
		return (struct td_defect){ 400, "Bad Contact" };
	if (m->body.n && !td_msg_hdr(m, TD_HDR_CONTENT_TYPE))
		return (struct td_defect){ 400, "Missing Content-Type" }; /* §20.15 */
	if (m->request && m->ruri.scheme == TD_SCHEME_OTHER)
		return (struct td_defect){ 416, "Unsupported URI Scheme" }; /* §8.2.2.1 */
	return d;
}
