/*
 * What a name server sends (RFC 1035 §4), read without trust: every bound is looked at before the byte, names point backwards only
 * and so come to an end, and of a long answer no more is looked at, and kept, than anybody needs (T8).
 *
 * Of the answer section only the records count that belong to the name asked for, or to what it is an alias of. What the server adds
 * beyond (additional section) is not read: it would be the easiest way to put addresses into a cache.
 */
#include "dns.h"

#include <errno.h>

enum { HEADER = 12, CLASS_IN = 1, TYPE_CNAME = 5, TYPE_SOA = 6 };

struct reader {
	const uint8_t *p;
	size_t n, at;
	bool bad;
};

static unsigned get8(struct reader *r)
{
	if (r->bad || r->at >= r->n) {
		r->bad = true;
		return 0;
	}
	return r->p[r->at++];
}

static unsigned get16(struct reader *r)
{
	unsigned high = get8(r);

	return high << 8 | get8(r);
}

static uint32_t get32(struct reader *r)
{
	uint32_t high = get16(r);

	return high << 16 | get16(r);
}

static void skip(struct reader *r, size_t n)
{
	if (r->bad || n > r->n - r->at)
		r->bad = true;
	else
		r->at += n;
}

/* ---- names ---- */

/* Letters, digits, hyphen; and the underscore of services. */
static bool name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

int dns_name_from(struct dns_name *out, struct td_str text)
{
	size_t label = 0;

	if (text.n && text.p[text.n - 1] == '.')
		text.n--;
	if (!text.n || text.n > TD_DNS_NAME_MAX)
		return TD_ESYNTAX;
	for (size_t i = 0; i < text.n; i++) {
		char c = td_lower(text.p[i]);

		if (c == '.' ? !label : !name_char(c) || label == 63)
			return TD_ESYNTAX;
		label = c == '.' ? 0 : label + 1;
		out->text[i] = c;
	}
	if (!label)
		return TD_ESYNTAX;
	out->n = (uint8_t)text.n;
	return 0;
}

/*
 * A name at the reading position, which goes behind it. *odd is set for one that is no host or service name (it then equals none).
 * Each pointer must lead to before where the piece it ends began (RFC 1035 §4.1.4: "a prior occurrence"), so there are no loops.
 */
static void get_name(struct reader *r, struct dns_name *out, bool *odd)
{
	struct reader at = *r;
	size_t floor = r->at, n = 0;
	bool jumped = false;
	unsigned len;

	*odd = false;
	while ((len = get8(&at)) != 0 && !at.bad) {
		if ((len & 0xc0) == 0xc0) {
			size_t to = (len & 0x3f) << 8 | get8(&at);

			if (!jumped)
				r->at = at.at;
			jumped = true;
			if (at.bad || to >= floor) {
				r->bad = true;
				return;
			}
			at.at = floor = to;
			continue;
		}
		if (len > 63 || n + (n > 0) + len > TD_DNS_NAME_MAX) {
			r->bad = true;
			return;
		}
		if (n)
			out->text[n++] = '.';
		for (; len && !at.bad; len--) {
			char c = td_lower((char)get8(&at));

			*odd |= !name_char(c);
			out->text[n++] = c;
		}
	}
	r->bad |= at.bad;
	if (!jumped)
		r->at = at.at;
	out->n = (uint8_t)n;
}

static bool same_name(const struct dns_name *a, const struct dns_name *b)
{
	return a->n == b->n && !memcmp(a->text, b->text, a->n);
}

/* ---- records ---- */

struct record {
	struct dns_name owner;
	bool odd;
	unsigned type, class;
	uint32_t ttl_s;
	struct reader data; /* ends where its data do; pointers in it may lead before */
};

static bool get_record(struct record *out, struct reader *r)
{
	unsigned n;

	get_name(r, &out->owner, &out->odd);
	out->type = get16(r);
	out->class = get16(r);
	out->ttl_s = get32(r);
	if (out->ttl_s > INT32_MAX) /* RFC 2181 §8 */
		out->ttl_s = 0;
	n = get16(r);
	out->data = *r;
	skip(r, n);
	out->data.n = r->at;
	return !r->bad;
}

static void get_text(struct reader *r, struct td_str *out)
{
	unsigned n = get8(r);

	*out = td_str_n((const char *)r->p + r->at, n);
	skip(r, n);
}

/* RFC 3403 §4.1. Views point into the message. */
static void get_naptr(struct td_dns_record *out, struct reader *r, struct dns_name *replacement, bool *odd)
{
	struct td_str regexp;

	out->naptr.order = (uint16_t)get16(r);
	out->naptr.preference = (uint16_t)get16(r);
	get_text(r, &out->naptr.flags);
	get_text(r, &out->naptr.service);
	get_text(r, &regexp);
	out->naptr.regexp = regexp.n > 0;
	get_name(r, replacement, odd);
}

/* name: of SRV and NAPTR. False: malformed, or nothing anybody could use. */
static bool get_data(struct td_dns_record *out, struct dns_name *name, struct reader *r, enum td_dns_type type)
{
	size_t size = r->n - r->at;
	bool odd = false;

	*out = (struct td_dns_record){ 0 };
	name->n = 0;
	switch (type) {
	case TD_DNS_NONE: return false;
	case TD_DNS_A:
	case TD_DNS_AAAA:
		out->addr.family = type == TD_DNS_A ? TD_AF_V4 : TD_AF_V6;
		if (size != (type == TD_DNS_A ? 4 : 16))
			return false;
		memcpy(out->addr.ip, r->p + r->at, size);
		return true;
	case TD_DNS_SRV:
		out->srv.priority = (uint16_t)get16(r);
		out->srv.weight = (uint16_t)get16(r);
		out->srv.port = (uint16_t)get16(r);
		get_name(r, name, &odd);
		break;
	case TD_DNS_NAPTR: get_naptr(out, r, name, &odd); break;
	}
	return !r->bad && r->at == r->n && !odd;
}

/* What is tried first stands first, and what does not fit falls off the end. */
static uint32_t place_of(const struct td_dns_record *r, enum td_dns_type type)
{
	if (type == TD_DNS_SRV)
		return r->srv.priority;
	return type == TD_DNS_NAPTR ? (uint32_t)r->naptr.order << 16 | r->naptr.preference : 0;
}

static int keep_texts(struct td_dns_record *rec, struct td_arena *a, const struct dns_name *name, enum td_dns_type type)
{
	int err;

	if (type == TD_DNS_SRV)
		return td_arena_dup(&rec->srv.target, a, dns_name_str(name));
	if (type != TD_DNS_NAPTR)
		return 0;
	err = td_arena_dup(&rec->naptr.flags, a, rec->naptr.flags);
	if (!err)
		err = td_arena_dup(&rec->naptr.service, a, rec->naptr.service);
	if (!err)
		err = td_arena_dup(&rec->naptr.replacement, a, dns_name_str(name));
	return err;
}

static int keep_record(struct dns_reply *out, struct td_arena *a, struct td_dns_record rec, const struct dns_name *name,
		       enum td_dns_type type)
{
	uint32_t place = place_of(&rec, type);
	unsigned i = out->n;
	int err;

	if (i == TD_DNS_MAX_RECORDS && place_of(&out->records[i - 1], type) <= place)
		return 0;
	err = keep_texts(&rec, a, name, type);
	if (err)
		return err;
	if (i == TD_DNS_MAX_RECORDS)
		i--;
	else
		out->n++;
	for (; i > 0 && place_of(&out->records[i - 1], type) > place; i--)
		out->records[i] = out->records[i - 1];
	out->records[i] = rec;
	return 0;
}

/* ---- messages ---- */

static void least(uint32_t *ttl_s, uint32_t one)
{
	if (one < *ttl_s)
		*ttl_s = one;
}

/* From `name` along the aliases the section has, in whatever order it has them. */
static int follow_aliases(struct dns_reply *out, struct dns_name *name, struct reader answers, unsigned n)
{
	struct record rec TD_UNINIT;
	struct dns_name target TD_UNINIT;
	bool found, odd;

	do {
		struct reader r = answers;

		found = false;
		for (unsigned i = 0; i < n && !found; i++) {
			if (!get_record(&rec, &r))
				return TD_ESYNTAX;
			if (rec.type != TYPE_CNAME || rec.class != CLASS_IN || rec.odd || !same_name(&rec.owner, name))
				continue;
			get_name(&rec.data, &target, &odd);
			if (rec.data.bad || odd || !target.n)
				return TD_ESYNTAX;
			least(&out->ttl_s, rec.ttl_s);
			*name = target;
			found = true;
		}
		if (found && ++out->hops > DNS_MAX_HOPS)
			return TD_ELIMIT;
	} while (found);
	return 0;
}

static int keep_records(struct dns_reply *out, struct td_arena *a, const struct dns_name *name, enum td_dns_type type,
			struct reader *r, unsigned n)
{
	struct record rec TD_UNINIT;
	struct td_dns_record data;
	struct dns_name target TD_UNINIT;

	out->records = td_arena_alloc(a, TD_DNS_MAX_RECORDS * sizeof(*out->records));
	if (!out->records)
		return -ENOMEM;
	for (unsigned i = 0; i < n; i++) {
		if (!get_record(&rec, r))
			return TD_ESYNTAX;
		if (rec.type != (unsigned)type || rec.class != CLASS_IN || rec.odd || !same_name(&rec.owner, name) ||
		    !get_data(&data, &target, &rec.data, type))
			continue;
		least(&out->ttl_s, rec.ttl_s);
		if (keep_record(out, a, data, &target, type))
			return -ENOMEM;
	}
	return 0;
}

/* RFC 2308 §5: how long there is nothing; without an SOA record it is not kept. */
static uint32_t negative_ttl(struct reader *r, unsigned n)
{
	struct record rec TD_UNINIT;
	struct dns_name name TD_UNINIT;
	uint32_t minimum;
	bool odd;

	for (unsigned i = 0; i < n && i < DNS_MAX_SCAN && get_record(&rec, r); i++) {
		if (rec.type != TYPE_SOA || rec.class != CLASS_IN)
			continue;
		get_name(&rec.data, &name, &odd);
		get_name(&rec.data, &name, &odd);
		skip(&rec.data, 16);
		minimum = get32(&rec.data);
		if (rec.data.bad)
			return 0;
		least(&minimum, rec.ttl_s);
		return minimum < DNS_NEGATIVE_MAX_S ? minimum : DNS_NEGATIVE_MAX_S;
	}
	return 0;
}

static int read_header(struct dns_reply *out, struct reader *r, unsigned counts[4], uint16_t id)
{
	unsigned flags;

	if (get16(r) != id)
		return TD_ENOTFOUND;
	flags = get16(r);
	for (unsigned i = 0; i < 4; i++)
		counts[i] = get16(r);
	if (r->bad || !(flags & 0x8000) || flags & 0x7800) /* no response, or to something else than a query */
		return TD_ENOTFOUND;
	out->rcode = flags & 15;
	out->truncated = flags & 0x0200;
	return 0;
}

int dns_reply_parse(struct dns_reply *out, struct td_arena *a, struct td_str bytes, uint16_t id, const struct dns_name *name,
		    enum td_dns_type type)
{
	struct reader r = { .p = (const uint8_t *)bytes.p, .n = bytes.n }, answers;
	struct dns_reply reply = { .ttl_s = DNS_TTL_MAX_S };
	struct dns_name asked TD_UNINIT, current = *name;
	unsigned counts[4], n;
	bool odd;
	int err = read_header(&reply, &r, counts, id);

	if (err)
		return err;
	if (counts[0] != 1) {
		/* A server that cannot read the question need not repeat it; all it can do thereby is to say so. */
		if (counts[0] || !reply.rcode || reply.rcode == 3)
			return TD_ENOTFOUND;
		*out = reply;
		return 0;
	}
	get_name(&r, &asked, &odd);
	if (r.bad || odd || !same_name(&asked, name) || get16(&r) != (unsigned)type || get16(&r) != CLASS_IN || r.bad)
		return TD_ENOTFOUND;
	if (reply.truncated || (reply.rcode && reply.rcode != 3)) {
		*out = reply;
		return 0;
	}
	n = counts[1] < DNS_MAX_SCAN ? counts[1] : DNS_MAX_SCAN;
	answers = r;
	err = follow_aliases(&reply, &current, answers, n);
	if (!err)
		err = keep_records(&reply, a, &current, type, &r, n);
	if (err)
		return err;
	if (!reply.n) {
		/* §2.1: with an alias, NXDOMAIN is about what it leads to */
		uint32_t ttl_s = n == counts[1] ? negative_ttl(&r, counts[2]) : 0;

		if (reply.hops && !reply.rcode && !ttl_s)
			reply.alias = current; /* the server has only told the alias */
		else
			least(&reply.ttl_s, ttl_s);
	}
	*out = reply;
	return 0;
}
