/*
 * Reading a description. RFC 8866 §9 fixes the order of the lines; phones do not keep to it, so a line belongs to the
 * section it stands in (the session, or the m= line above it) and its place in there does not matter. m= and c=, which decide
 * where media goes, are checked here; everything else is kept as text until somebody asks.
 *
 * Named leniencies: a port or address that cannot exist makes its stream unusable, not the description; LF or a lone CR ends a line, empty lines are skipped, s= and t= may be absent (RFC 2543 bodies), several
 * spaces part words, an o= without its six parts is kept raw (RFC 4570 and 7006 print such ones; nothing depends on it).
 */
#include "internal.h"

#include <arpa/inet.h>
#include <errno.h>

static bool is_space(char c)
{
	return c == ' ' || c == '\t';
}

struct td_str sdp_word(struct td_str *rest)
{
	struct td_str w;
	size_t i = 0, end;

	if (!rest->n)
		return TD_STR_NULL; /* of an attribute without a value there is not even a place */
	while (i < rest->n && is_space(rest->p[i]))
		i++;
	end = i;
	while (end < rest->n && !is_space(rest->p[end]))
		end++;
	w = td_str_n(rest->p + i, end - i);
	*rest = td_str_n(rest->p + end, rest->n - end);
	return w;
}

static bool only_spaces(struct td_str s)
{
	return sdp_word(&s).n == 0;
}

/* ---- c= ---- */

static bool looks_v4(struct td_str s)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if ((s.p[i] < '0' || s.p[i] > '9') && s.p[i] != '.')
			return false;
	return s.n > 0;
}

static bool is_zero(const uint8_t *p, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (p[i])
			return false;
	return true;
}

/* FQDN and extn-addr: no control characters, no slash left over. */
static bool is_name(struct td_str s)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f || s.p[i] == '/')
			return false;
	return s.n > 0;
}

static int classify(struct td_sdp_conn *c)
{
	char z[INET6_ADDRSTRLEN + 1];
	uint8_t ip[16];
	bool literal;

	if (!is_name(c->addr))
		return TD_ESYNTAX;
	c->kind = TD_SDP_ADDR_NAME;
	/* One of the other family than announced is no name either: "IP4 2001:db8::1". */
	literal = looks_v4(c->addr) || td_str_chr(c->addr, ':');
	if (!c->family || !literal)
		return 0;
	c->kind = TD_SDP_ADDR_INVALID;
	if (c->addr.n >= sizeof(z))
		return 0;
	memcpy(z, c->addr.p, c->addr.n);
	z[c->addr.n] = 0;
	if (inet_pton(c->family == 4 ? AF_INET : AF_INET6, z, ip) != 1)
		return 0;
	if (is_zero(ip, c->family == 4 ? 4 : 16))
		c->kind = TD_SDP_ADDR_ANY;
	else if (c->family == 4
			 ? ip[0] >> 4 == 14 || is_zero((uint8_t[]){ ip[0] ^ 255, ip[1] ^ 255, ip[2] ^ 255, ip[3] ^ 255 }, 4)
			 : ip[0] == 0xff)
		c->kind = TD_SDP_ADDR_MULTICAST;
	else
		c->kind = TD_SDP_ADDR_UNICAST;
	return 0;
}

/* IP4-multicast = addr "/" ttl [ "/" integer ]; IP6-multicast = addr [ "/" integer ] (RFC 8866 §9). */
static int conn_suffix(struct td_sdp_conn *c, struct td_str rest)
{
	struct td_str part;
	uint64_t v;
	int err;

	if (!rest.p)
		return 0;
	if (c->family == 4) {
		part = td_str_split(&rest, '/');
		err = td_str_u64(&v, part, 255);
		if (err)
			return TD_ESYNTAX;
		c->ttl = (uint8_t)v;
		c->has_ttl = true;
		if (!rest.p)
			return 0;
	}
	if (td_str_u64(&v, rest, UINT32_MAX) || v == 0)
		return TD_ESYNTAX;
	c->count = (uint32_t)v;
	return 0;
}

int sdp_conn_parse(struct td_sdp_conn *out, struct td_str value)
{
	struct td_sdp_conn c = { 0 };
	struct td_str rest;
	int err;

	c.net_type = sdp_word(&value);
	c.addr_type = sdp_word(&value);
	rest = sdp_word(&value);
	if (!rest.n || !only_spaces(value))
		return TD_ESYNTAX;
	if (rest.n > TD_SDP_MAX_ADDR)
		return TD_ELIMIT;
	if (td_str_eq(c.net_type, TD_STR("IN")))
		c.family = td_str_eq(c.addr_type, TD_STR("IP4")) ? 4 : td_str_eq(c.addr_type, TD_STR("IP6")) ? 6 : 0;
	c.addr = rest;
	if (c.family) {
		c.addr = td_str_split(&rest, '/');
		err = conn_suffix(&c, rest);
		if (err)
			return err;
	}
	err = classify(&c);
	if (err)
		return err;
	*out = c;
	return 0;
}

static int add_conn(struct td_sdp *sdp, struct td_sdp_media *m, struct td_arena *a, struct td_str value)
{
	struct td_sdp_conn c, *n;
	int err = sdp_conn_parse(&c, value);

	if (err)
		return err;
	/* Several stand for a layered multicast (§5.7), in a media only; of the session the first counts. */
	if (!m && sdp->conn)
		return 0;
	n = td_arena_alloc(a, sizeof(*n));
	if (!n)
		return -ENOMEM;
	*n = c;
	if (m) {
		*m->conns_tail = n;
		m->conns_tail = &n->next;
	} else {
		sdp->conn = n;
	}
	return 0;
}

/* ---- o= ---- */

static void parse_origin(struct td_sdp *sdp, struct td_str value)
{
	struct td_sdp_origin o = { 0 };
	struct td_str rest = value;
	uint64_t v;

	if (sdp->has_origin)
		return;
	sdp->has_origin = true;
	o.user = sdp_word(&rest);
	o.session_id = sdp_word(&rest);
	o.version = sdp_word(&rest);
	o.net_type = sdp_word(&rest);
	o.addr_type = sdp_word(&rest);
	o.addr = sdp_word(&rest);
	/* Longer than 64 bits is still a number: TD_ELIMIT, not TD_ESYNTAX. */
	if (!o.addr.n || !only_spaces(rest) || td_str_u64(&v, o.session_id, UINT64_MAX) == TD_ESYNTAX ||
	    td_str_u64(&v, o.version, UINT64_MAX) == TD_ESYNTAX)
		o = (struct td_sdp_origin){ .raw = value };
	sdp->origin = o;
}

/* ---- m= ---- */

bool td_sdp_proto_is_rtp(struct td_str proto)
{
	struct td_str part;

	while (proto.p) {
		part = td_str_split(&proto, '/');
		if (td_str_ieq(part, TD_STR("RTP")))
			return true;
	}
	return false;
}

static int parse_formats(struct td_sdp_media *m, struct td_arena *a, struct td_str rest)
{
	bool rtp = m->port && td_sdp_proto_is_rtp(m->proto);
	struct td_str left = rest, w;
	uint64_t pt;
	size_t n = 0;

	while (sdp_word(&left).n)
		if (++n > TD_SDP_MAX_FORMATS)
			return TD_ELIMIT;
	if (!n)
		return 0;
	m->formats = td_arena_alloc(a, n * sizeof(*m->formats));
	if (!m->formats)
		return -ENOMEM;
	while ((w = sdp_word(&rest)).n) {
		if (rtp && td_str_u64(&pt, w, 127))
			return TD_ESYNTAX;
		m->formats[m->n_formats++] = w;
	}
	return 0;
}

/* m= <media> <port>[/<integer>] <proto> <fmt> …; a list without formats is seen and harmless. */
static int parse_media(struct td_sdp *sdp, struct td_arena *a, struct td_str value)
{
	struct td_sdp_media *m;
	struct td_str port;
	uint64_t v;

	if (sdp->n_media >= TD_SDP_MAX_MEDIA)
		return TD_ELIMIT;
	m = sdp_media_add(sdp, a);
	if (!m)
		return -ENOMEM;
	m->kind = sdp_word(&value);
	port = sdp_word(&value);
	m->proto = sdp_word(&value);
	if (!m->proto.n)
		return TD_ESYNTAX;
	switch (td_str_u64(&v, td_str_split(&port, '/'), 65535)) {
	case 0: m->port = (uint16_t)v; break;
	case TD_ELIMIT:
		m->bad_port = true; /* RFC 6871, 7006 and 8859 print some; the other streams are good */
		break;
	default: return TD_ESYNTAX;
	}
	if (port.p) {
		if (td_str_u64(&v, port, UINT32_MAX) || v == 0)
			return TD_ESYNTAX;
		m->port_count = (uint32_t)v;
	}
	return parse_formats(m, a, value);
}

/* ---- lines ---- */

void sdp_lines_init(struct td_sdp_lines *l)
{
	l->first = NULL;
	l->tail = &l->first;
}

int sdp_line_add(struct td_sdp_lines *l, struct td_arena *a, char type, struct td_str value)
{
	struct td_sdp_line *n = td_arena_zalloc(a, sizeof(*n));

	if (!n)
		return -ENOMEM;
	n->type = type;
	n->value = value;
	if (type == 'a') {
		n->name = td_str_split(&value, ':');
		n->value = value;
		n->has_value = value.p != NULL;
	}
	*l->tail = n;
	l->tail = &n->next;
	return 0;
}

struct td_sdp_media *sdp_media_add(struct td_sdp *sdp, struct td_arena *a)
{
	struct td_sdp_media *m = td_arena_zalloc(a, sizeof(*m));

	if (!m)
		return NULL;
	sdp_lines_init(&m->lines);
	m->conns_tail = &m->conns;
	*sdp->media_tail = m;
	sdp->media_tail = &m->next;
	sdp->n_media++;
	return m;
}

struct td_sdp *sdp_new(struct td_arena *a)
{
	struct td_sdp *sdp = td_arena_zalloc(a, sizeof(*sdp));

	if (!sdp)
		return NULL;
	sdp_lines_init(&sdp->lines);
	sdp->media_tail = &sdp->media;
	return sdp;
}

static struct td_str next_line(struct td_str *rest)
{
	struct td_str line = *rest;
	size_t i = 0;

	while (i < rest->n && rest->p[i] != '\r' && rest->p[i] != '\n')
		i++;
	line.n = i;
	if (i < rest->n)
		i++; /* the LF of CR LF leaves an empty line, which is skipped */
	*rest = td_str_n(rest->p + i, rest->n - i);
	return line;
}

static int take_line(struct td_sdp *sdp, struct td_sdp_media **m, struct td_arena *a, char type, struct td_str value)
{
	int err;

	switch (type) {
	case 'v': return TD_ESYNTAX; /* a second description: SAP may not concatenate them, nor may SIP (§5) */
	case 'o':
		if (!*m) {
			parse_origin(sdp, value);
			return 0;
		}
		break;
	case 's':
		if (!*m) {
			if (!sdp->has_name)
				sdp->name = value;
			sdp->has_name = true;
			return 0;
		}
		break;
	case 'c': return add_conn(sdp, *m, a, value);
	case 'm':
		err = parse_media(sdp, a, value);
		if (!err)
			*m = TD_CONTAINER_OF(sdp->media_tail, struct td_sdp_media, next);
		return err;
	}
	return sdp_line_add(*m ? &(*m)->lines : &sdp->lines, a, type, value);
}

int td_sdp_parse(struct td_sdp **out, struct td_arena *a, struct td_str text)
{
	struct td_sdp_media *m = NULL;
	struct td_str line;
	struct td_sdp *sdp;
	unsigned lines = 0;
	int err;

	if (text.n > TD_SDP_MAX_BYTES)
		return TD_ELIMIT;
	if (!text.n || memchr(text.p, 0, text.n))
		return TD_ESYNTAX;
	line = next_line(&text);
	if (!td_str_starts(line, TD_STR("v=0")) || !only_spaces(td_str_n(line.p + 3, line.n - 3)))
		return TD_ESYNTAX;
	sdp = sdp_new(a);
	if (!sdp)
		return -ENOMEM;
	while (text.n) {
		line = next_line(&text);
		if (only_spaces(line))
			continue;
		if (++lines > TD_SDP_MAX_LINES)
			return TD_ELIMIT;
		if (line.n < 2 || line.p[1] != '=' || td_lower(line.p[0]) < 'a' || td_lower(line.p[0]) > 'z')
			return TD_ESYNTAX;
		err = take_line(sdp, &m, a, line.p[0], td_str_n(line.p + 2, line.n - 2));
		if (err)
			return err;
	}
	*out = sdp;
	return 0;
}
