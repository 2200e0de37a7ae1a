/*
 * Addresses: parse, print, compare. Everything above works with struct td_addr; a sockaddr is seen in this room only.
 * Parsing is strict, because policy (trust lists, deny lists) compares what it returns: one text form, one meaning.
 * So no inet_aton shorthand ("127.1"), no octal, no zone ids, and a v4-mapped IPv6 address is the IPv4 address it
 * stands for. Printing is RFC 5952: parse(print(a)) is a, and equal addresses print alike.
 */
#include <tandem/net.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

static const uint8_t mapped_prefix[12] = { [10] = 0xff, [11] = 0xff }; /* ::ffff:0:0/96, RFC 4291 §2.5.5.2 */

static bool digit(char c)
{
	return c >= '0' && c <= '9';
}

static int hex_value(char c)
{
	if (digit(c))
		return c - '0';
	c = td_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* 1*3DIGIT "." … four times; no leading zero, which some resolvers read as octal. */
static bool parse_v4(uint8_t out[4], const char *p, const char *end)
{
	for (int i = 0; i < 4; i++) {
		unsigned v, d;

		if (i > 0 && (p == end || *p++ != '.'))
			return false;
		if (p == end || (v = (unsigned char)*p++ - (unsigned)'0') > 9)
			return false;
		for (int n = 0; v && n < 2 && p < end && (d = (unsigned char)*p - (unsigned)'0') <= 9; n++, p++)
			v = v * 10 + d;
		if (v > 255)
			return false;
		out[i] = (uint8_t)v;
	}
	return p == end;
}

/* One group of 1*4HEXDIG; returns the position after it, NULL if there is none. */
static const char *parse_group(uint8_t out[2], const char *p, const char *end)
{
	const char *from = p;
	unsigned v = 0;

	while (p < end && hex_value(*p) >= 0 && p - from < 4)
		v = v << 4 | (unsigned)hex_value(*p++);
	if (p == from)
		return NULL;
	out[0] = (uint8_t)(v >> 8);
	out[1] = (uint8_t)v;
	return p;
}

/*
 * RFC 4291 §2.2: eight groups; one run of them may be written "::"; the last two may be an IPv4 address.
 * n counts bytes written, gap is where the "::" stood.
 */
static bool parse_v6(uint8_t out[16], const char *p, const char *end)
{
	int n = 0, gap = -1;

	memset(out, 0, 16);
	if (end - p >= 2 && p[0] == ':' && p[1] == ':') {
		gap = 0;
		p += 2;
	}
	while (p < end) {
		const char *next;

		if (n <= 12 && parse_v4(out + n, p, end)) {
			n += 4;
			p = end;
			break;
		}
		if (n == 16 || !(next = parse_group(out + n, p, end)))
			return false;
		n += 2;
		p = next;
		if (p == end)
			break;
		if (*p++ != ':' || p == end)
			return false;
		if (*p == ':') {
			if (gap >= 0)
				return false;
			gap = n;
			p++;
		}
	}
	if (gap < 0)
		return n == 16;
	if (n == 16) /* "::" stands for at least one group */
		return false;
	memmove(out + 16 - (n - gap), out + gap, (size_t)(n - gap));
	memset(out + gap, 0, (size_t)(16 - n));
	return true;
}

static void set_v6(struct td_addr *a, const uint8_t ip[16])
{
	bool mapped = memcmp(ip, mapped_prefix, sizeof(mapped_prefix)) == 0;

	memset(a->ip, 0, sizeof(a->ip));
	memcpy(a->ip, mapped ? ip + 12 : ip, mapped ? 4 : 16);
	a->family = mapped ? TD_AF_V4 : TD_AF_V6;
}

int td_ip_parse(struct td_addr *out, struct td_str host)
{
	struct td_addr a = { 0 };
	uint8_t v6[16];
	const char *p = host.p, *end;
	bool bracketed = host.n >= 2 && p[0] == '[' && p[host.n - 1] == ']';

	if (host.n <= (bracketed ? 2 : 0))
		return TD_ESYNTAX;
	end = p + host.n;
	if (bracketed) {
		p++;
		end--;
	}
	if (!bracketed && parse_v4(a.ip, p, end)) {
		a.family = TD_AF_V4;
		*out = a;
		return 0;
	}
	if (!parse_v6(v6, p, end))
		return TD_ESYNTAX;
	set_v6(&a, v6);
	*out = a;
	return 0;
}

/* 1*5DIGIT, at most 65535, no leading zero; "0" asks for any port. */
static int parse_port(uint16_t *out, struct td_str s)
{
	unsigned v = 0;

	if (s.n == 0 || s.n > 5 || (s.n > 1 && s.p[0] == '0'))
		return TD_ESYNTAX;
	for (size_t i = 0; i < s.n; i++) {
		if (!digit(s.p[i]))
			return TD_ESYNTAX;
		v = v * 10 + (unsigned)(s.p[i] - '0');
	}
	if (v > 65535)
		return TD_ESYNTAX;
	*out = (uint16_t)v;
	return 0;
}

int td_addr_parse(struct td_addr *out, struct td_str text)
{
	struct td_addr a;
	uint16_t port;
	size_t colon = text.n;

	while (colon > 0 && text.p[colon - 1] != ':')
		colon--;
	if (colon < 2)
		return TD_ESYNTAX;
	colon--;
	if (parse_port(&port, td_str_n(text.p + colon + 1, text.n - colon - 1)))
		return TD_ESYNTAX;
	/* "2001:db8::1:5060" could mean two things: IPv6 with a port needs its brackets. */
	if (text.p[0] != '[' && memchr(text.p, ':', colon))
		return TD_ESYNTAX;
	if (td_ip_parse(&a, td_str_n(text.p, colon)))
		return TD_ESYNTAX;
	a.port = port;
	*out = a;
	return 0;
}

/* ---- print ---- */

static char *print_octet(char *p, unsigned v)
{
	if (v >= 100)
		*p++ = (char)('0' + v / 100);
	if (v >= 10)
		*p++ = (char)('0' + v / 10 % 10);
	*p++ = (char)('0' + v % 10);
	return p;
}

static void print_v4(struct td_out *o, const uint8_t ip[4])
{
	char text[sizeof("255.255.255.255")], *p = print_octet(text, ip[0]);

	for (int i = 1; i < 4; i++) {
		*p++ = '.';
		p = print_octet(p, ip[i]);
	}
	td_out_str(o, td_str_n(text, (size_t)(p - text)));
}

/* RFC 5952 §4: lower case, no leading zeros, "::" for the first longest run of two or more zero groups. */
static void print_v6(struct td_out *o, const uint8_t ip[16])
{
	static const char hex[] = "0123456789abcdef";
	int best = -1, best_n = 1;

	for (int i = 0; i < 8; i++) {
		int n = 0;

		while (i + n < 8 && ip[2 * (i + n)] == 0 && ip[2 * (i + n) + 1] == 0)
			n++;
		if (n > best_n) {
			best = i;
			best_n = n;
		}
	}
	for (int i = 0; i < 8; i++) {
		unsigned v = (unsigned)ip[2 * i] << 8 | ip[2 * i + 1];

		if (i == best) {
			td_out_z(o, "::");
			i += best_n - 1;
			continue;
		}
		if (i > 0 && i != best + best_n)
			td_out_char(o, ':');
		for (int shift = 12; shift >= 0; shift -= 4)
			if (v >> shift || shift == 0)
				td_out_char(o, hex[v >> shift & 15]);
	}
}

void td_ip_print(struct td_out *o, const struct td_addr *a)
{
	if (a->family == TD_AF_V4)
		print_v4(o, a->ip);
	else if (a->family == TD_AF_V6)
		print_v6(o, a->ip);
	else
		td_out_char(o, '-');
}

void td_addr_print(struct td_out *o, const struct td_addr *a)
{
	bool v6 = a->family == TD_AF_V6;

	if (v6)
		td_out_char(o, '[');
	td_ip_print(o, a);
	if (v6)
		td_out_char(o, ']');
	td_out_char(o, ':');
	td_out_u64(o, a->port);
}

const char *td_addr_text(char out[TD_ADDR_TEXT], const struct td_addr *a)
{
	struct td_out o;

	td_out_init_fixed(&o, out, TD_ADDR_TEXT - 1); /* the longest, "[8 groups of 4]:65535", has 47 bytes */
	td_addr_print(&o, a);
	out[o.n] = '\0';
	return out;
}

/* ---- compare ---- */

static unsigned ip_bytes(const struct td_addr *a)
{
	return a->family == TD_AF_V4 ? 4 : a->family == TD_AF_V6 ? 16 : 0;
}

static inline uint32_t v4_of(const struct td_addr *a)
{
	uint32_t ip;

	memcpy(&ip, a->ip, sizeof(ip));
	return ntohl(ip);
}

bool td_ip_eq(const struct td_addr *a, const struct td_addr *b)
{
	if (a->family != b->family || a->scope != b->scope)
		return false;
	return a->family == TD_AF_V4 ? v4_of(a) == v4_of(b) : memcmp(a->ip, b->ip, ip_bytes(a)) == 0;
}

bool td_addr_eq(const struct td_addr *a, const struct td_addr *b)
{
	return a->port == b->port && td_ip_eq(a, b);
}

uint64_t td_addr_hash(const struct td_hash_key *k, const struct td_addr *a)
{
	uint8_t key[23];
	unsigned n = ip_bytes(a);

	memcpy(key, a->ip, n);
	memcpy(key + n, &a->port, 2);
	memcpy(key + n + 2, &a->scope, 4);
	key[n + 6] = a->family;
	return td_hash(k, key, n + 7);
}

bool td_ip_is_loopback(const struct td_addr *a)
{
	static const uint8_t one[16] = { [15] = 1 };

	return a->family == TD_AF_V4 ? a->ip[0] == 127 : a->family == TD_AF_V6 && memcmp(a->ip, one, 16) == 0;
}

bool td_ip_is_any(const struct td_addr *a)
{
	static const uint8_t zero[16];

	return a->family == TD_AF_V4 ? memcmp(a->ip, zero, 4) == 0 : a->family == TD_AF_V6 && memcmp(a->ip, zero, 16) == 0;
}

bool td_ip_is_multicast(const struct td_addr *a)
{
	static const uint8_t broadcast[4] = { 255, 255, 255, 255 };

	if (a->family == TD_AF_V4)
		return (a->ip[0] & 0xf0) == 0xe0 || memcmp(a->ip, broadcast, 4) == 0;
	return a->family == TD_AF_V6 && a->ip[0] == 0xff;
}

bool td_ip_is_link_local(const struct td_addr *a)
{
	if (a->family == TD_AF_V4)
		return a->ip[0] == 169 && a->ip[1] == 254;
	return a->family == TD_AF_V6 && a->ip[0] == 0xfe && (a->ip[1] & 0xc0) == 0x80;
}

bool td_ip_in(const struct td_addr *a, const struct td_addr *net, unsigned prefix_bits)
{
	unsigned whole = prefix_bits / 8, rest = prefix_bits % 8;
	uint8_t mask = (uint8_t)(0xff00u >> rest);

	if (a->family != net->family || a->family == TD_AF_NONE || prefix_bits > ip_bytes(a) * 8)
		return false;
	if (a->family == TD_AF_V4)
		return !prefix_bits || (v4_of(a) ^ v4_of(net)) >> (32 - prefix_bits) == 0;
	if (memcmp(a->ip, net->ip, whole) != 0)
		return false;
	return rest == 0 || ((a->ip[whole] ^ net->ip[whole]) & mask) == 0;
}

/* ---- sockaddr ---- */

int td_addr_from_sockaddr(struct td_addr *out, const struct sockaddr_storage *ss)
{
	struct td_addr a = { 0 };

	if (ss->ss_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)ss;

		memcpy(a.ip, &in->sin_addr, 4);
		a.port = ntohs(in->sin_port);
		a.family = TD_AF_V4;
	} else if (ss->ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)ss;

		set_v6(&a, in6->sin6_addr.s6_addr);
		a.port = ntohs(in6->sin6_port);
		if (td_ip_is_link_local(&a) && a.family == TD_AF_V6)
			a.scope = in6->sin6_scope_id;
	} else {
		return -EAFNOSUPPORT;
	}
	*out = a;
	return 0;
}

unsigned td_addr_to_sockaddr(struct sockaddr_storage *ss, const struct td_addr *a)
{
	if (a->family == TD_AF_V4) {
		struct sockaddr_in *in = (struct sockaddr_in *)ss;

		*in = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(a->port) };
		memcpy(&in->sin_addr, a->ip, 4);
		return sizeof(*in);
	}
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ss;

	*in6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons(a->port), .sin6_scope_id = a->scope };
	memcpy(&in6->sin6_addr, a->ip, 16);
	return sizeof(*in6);
}
