/*
 * Names: methods and header fields. A header's name is found with one look into a table of 512 slots, which its length and
 * the four characters in its middle choose, and one comparison. The multiplier was searched for so that no two names share a slot:
 * should a new name collide, the compiler refuses the doubled initializer, and another odd number is to be tried.
 */
#include "internal.h"

/* id, canonical form, the four characters from [length / 2 - 2] on in lower case: before a name stands a line feed (as "*": | 0x20),
 * after it a colon */
#define HEADERS(X)                                                          \
	X(ACCEPT, "Accept", 'c', 'c', 'e', 'p')                             \
	X(ACCEPT_ENCODING, "Accept-Encoding", 't', '-', 'e', 'n')           \
	X(ACCEPT_LANGUAGE, "Accept-Language", 't', '-', 'l', 'a')           \
	X(ALERT_INFO, "Alert-Info", 'r', 't', '-', 'i')                     \
	X(ALLOW, "Allow", 'a', 'l', 'l', 'o')                               \
	X(AUTHENTICATION_INFO, "Authentication-Info", 'i', 'c', 'a', 't')   \
	X(AUTHORIZATION, "Authorization", 'o', 'r', 'i', 'z')               \
	X(CALL_ID, "Call-ID", 'a', 'l', 'l', '-')                           \
	X(CALL_INFO, "Call-Info", 'l', 'l', '-', 'i')                       \
	X(CONTACT, "Contact", 'o', 'n', 't', 'a')                           \
	X(CONTENT_DISPOSITION, "Content-Disposition", '-', 'd', 'i', 's')   \
	X(CONTENT_ENCODING, "Content-Encoding", 't', '-', 'e', 'n')         \
	X(CONTENT_LANGUAGE, "Content-Language", 't', '-', 'l', 'a')         \
	X(CONTENT_LENGTH, "Content-Length", 'n', 't', '-', 'l')             \
	X(CONTENT_TYPE, "Content-Type", 'e', 'n', 't', '-')                 \
	X(CSEQ, "CSeq", 'c', 's', 'e', 'q')                                 \
	X(DATE, "Date", 'd', 'a', 't', 'e')                                 \
	X(ERROR_INFO, "Error-Info", 'o', 'r', '-', 'i')                     \
	X(EXPIRES, "Expires", 'x', 'p', 'i', 'r')                           \
	X(FROM, "From", 'f', 'r', 'o', 'm')                                 \
	X(IN_REPLY_TO, "In-Reply-To", 'r', 'e', 'p', 'l')                   \
	X(MAX_FORWARDS, "Max-Forwards", 'f', 'o', 'r', 'w')                 \
	X(MIME_VERSION, "MIME-Version", '-', 'v', 'e', 'r')                 \
	X(MIN_EXPIRES, "Min-Expires", '-', 'e', 'x', 'p')                   \
	X(ORGANIZATION, "Organization", 'n', 'i', 'z', 'a')                 \
	X(PRIORITY, "Priority", 'i', 'o', 'r', 'i')                         \
	X(PROXY_AUTHENTICATE, "Proxy-Authenticate", 'u', 't', 'h', 'e')     \
	X(PROXY_AUTHORIZATION, "Proxy-Authorization", 'u', 't', 'h', 'o')   \
	X(PROXY_REQUIRE, "Proxy-Require", 'y', '-', 'r', 'e')               \
	X(RECORD_ROUTE, "Record-Route", 'r', 'd', '-', 'r')                 \
	X(REPLY_TO, "Reply-To", 'p', 'l', 'y', '-')                         \
	X(REQUIRE, "Require", 'e', 'q', 'u', 'i')                           \
	X(RETRY_AFTER, "Retry-After", 'r', 'y', '-', 'a')                   \
	X(ROUTE, "Route", 'r', 'o', 'u', 't')                               \
	X(SERVER, "Server", 'e', 'r', 'v', 'e')                             \
	X(SUBJECT, "Subject", 'u', 'b', 'j', 'e')                           \
	X(SUPPORTED, "Supported", 'p', 'p', 'o', 'r')                       \
	X(TIMESTAMP, "Timestamp", 'm', 'e', 's', 't')                       \
	X(TO, "To", '*', 't', 'o', ':')                                     \
	X(UNSUPPORTED, "Unsupported", 'u', 'p', 'p', 'o')                   \
	X(USER_AGENT, "User-Agent", 'r', '-', 'a', 'g')                     \
	X(VIA, "Via", '*', 'v', 'i', 'a')                                   \
	X(WARNING, "Warning", 'a', 'r', 'n', 'i')                           \
	X(WWW_AUTHENTICATE, "WWW-Authenticate", 't', 'h', 'e', 'n')         \
	X(ALLOW_EVENTS, "Allow-Events", 'w', '-', 'e', 'v')                 \
	X(EVENT, "Event", 'e', 'v', 'e', 'n')                               \
	X(IDENTITY, "Identity", 'e', 'n', 't', 'i')                         \
	X(MAX_BREADTH, "Max-Breadth", '-', 'b', 'r', 'e')                   \
	X(MIN_SE, "Min-SE", 'i', 'n', '-', 's')                             \
	X(PATH, "Path", 'p', 'a', 't', 'h')                                 \
	X(P_ASSERTED_IDENTITY, "P-Asserted-Identity", 't', 'e', 'd', '-')   \
	X(P_PREFERRED_IDENTITY, "P-Preferred-Identity", 'r', 'e', 'd', '-') \
	X(PRIVACY, "Privacy", 'r', 'i', 'v', 'a')                           \
	X(RACK, "RAck", 'r', 'a', 'c', 'k')                                 \
	X(REASON, "Reason", 'e', 'a', 's', 'o')                             \
	X(REFER_TO, "Refer-To", 'f', 'e', 'r', '-')                         \
	X(REFERRED_BY, "Referred-By", 'e', 'r', 'r', 'e')                   \
	X(REPLACES, "Replaces", 'p', 'l', 'a', 'c')                         \
	X(RSEQ, "RSeq", 'r', 's', 'e', 'q')                                 \
	X(SERVICE_ROUTE, "Service-Route", 'i', 'c', 'e', '-')               \
	X(SESSION_EXPIRES, "Session-Expires", 'o', 'n', '-', 'e')           \
	X(SIP_ETAG, "SIP-ETag", 'p', '-', 'e', 't')                         \
	X(SIP_IF_MATCH, "SIP-If-Match", 'i', 'f', '-', 'm')                 \
	X(SUBSCRIPTION_STATE, "Subscription-State", 'p', 't', 'i', 'o')

#define NAME(id, name, a, b, c, d) [TD_HDR_##id] = { name, sizeof(name) - 1 },
#define PLACE(id, name, a, b, c, d) \
	[TD_HDR_SLOT((uint32_t)(a) | (b) << 8 | (c) << 16 | (uint32_t)(d) << 24, sizeof(name) - 1)] = TD_HDR_##id,

const struct td_hdr_text td_hdr_texts[TD_HDR_COUNT] = { HEADERS(NAME) };
const uint8_t td_hdr_slots[512] = { HEADERS(PLACE) };

/* §7.3.3, §20 and the later RFCs that registered one (3515, 3892, 4028, 6665, 8224). */
static const uint8_t hdr_compact[26] = {
	['b' - 'a'] = TD_HDR_REFERRED_BY,    ['c' - 'a'] = TD_HDR_CONTENT_TYPE, ['e' - 'a'] = TD_HDR_CONTENT_ENCODING,
	['f' - 'a'] = TD_HDR_FROM,           ['i' - 'a'] = TD_HDR_CALL_ID,      ['k' - 'a'] = TD_HDR_SUPPORTED,
	['l' - 'a'] = TD_HDR_CONTENT_LENGTH, ['m' - 'a'] = TD_HDR_CONTACT,      ['o' - 'a'] = TD_HDR_EVENT,
	['r' - 'a'] = TD_HDR_REFER_TO,       ['s' - 'a'] = TD_HDR_SUBJECT,      ['t' - 'a'] = TD_HDR_TO,
	['u' - 'a'] = TD_HDR_ALLOW_EVENTS,   ['v' - 'a'] = TD_HDR_VIA,          ['x' - 'a'] = TD_HDR_SESSION_EXPIRES,
	['y' - 'a'] = TD_HDR_IDENTITY,
};

enum td_hdr_id td_hdr_id_of_compact(const char *p, size_t n)
{
	return n && td_is(*p, TD_CC_ALPHA) ? hdr_compact[(*p | 0x20) - 'a'] : TD_HDR_OTHER;
}

enum td_hdr_id td_hdr_id_of_token(const char *p, size_t n)
{
	char name[] = "\nxxx:";
	unsigned id;

	if (n < 2)
		return td_hdr_id_of_compact(p, n);
	if (n < 4) {
		memcpy(name + 1, p, n);
		name[n + 1] = ':';
	}
	id = td_hdr_candidate(n < 4 ? name + 1 : p, n);
	return td_hdr_texts[id].n == n && td_same_name(p, td_hdr_texts[id].text, n) ? id : TD_HDR_OTHER;
}

enum td_hdr_id td_hdr_id_of(struct td_str name)
{
	return td_all(name, TD_CC_TOKEN) ? td_hdr_id_of_token(name.p, name.n) : TD_HDR_OTHER;
}

struct td_str td_hdr_name(enum td_hdr_id id)
{
	return (unsigned)id < TD_HDR_COUNT ? td_str_n(td_hdr_texts[id].text, td_hdr_texts[id].n) : TD_STR_NULL;
}

static const struct td_str method_names[TD_METHOD_COUNT] = {
	[TD_INVITE] = TD_STR_INIT("INVITE"),       [TD_ACK] = TD_STR_INIT("ACK"),         [TD_BYE] = TD_STR_INIT("BYE"),
	[TD_CANCEL] = TD_STR_INIT("CANCEL"),       [TD_OPTIONS] = TD_STR_INIT("OPTIONS"), [TD_REGISTER] = TD_STR_INIT("REGISTER"),
	[TD_MESSAGE] = TD_STR_INIT("MESSAGE"),     [TD_PRACK] = TD_STR_INIT("PRACK"),     [TD_UPDATE] = TD_STR_INIT("UPDATE"),
	[TD_INFO] = TD_STR_INIT("INFO"),           [TD_REFER] = TD_STR_INIT("REFER"),     [TD_NOTIFY] = TD_STR_INIT("NOTIFY"),
	[TD_SUBSCRIBE] = TD_STR_INIT("SUBSCRIBE"), [TD_PUBLISH] = TD_STR_INIT("PUBLISH"),
};

/* The method a name can be at all, by what tells the fourteen apart. */
static enum td_method method_candidate(struct td_str name)
{
	switch (name.n) {
	case 3: return name.p[0] == 'A' ? TD_ACK : TD_BYE;
	case 4: return TD_INFO;
	case 5: return name.p[0] == 'P' ? TD_PRACK : TD_REFER;
	case 6: return name.p[0] == 'I' ? TD_INVITE : name.p[0] == 'C' ? TD_CANCEL : name.p[0] == 'U' ? TD_UPDATE : TD_NOTIFY;
	case 7: return name.p[0] == 'O' ? TD_OPTIONS : name.p[0] == 'M' ? TD_MESSAGE : TD_PUBLISH;
	case 8: return TD_REGISTER;
	case 9: return TD_SUBSCRIBE;
	default: return TD_METHOD_OTHER;
	}
}

enum td_method td_method_of(struct td_str name)
{
	enum td_method m = method_candidate(name);

	return m && name.n == method_names[m].n && td_same_bytes(name.p, method_names[m].p, name.n) ? m : TD_METHOD_OTHER;
}

struct td_str td_method_name(enum td_method m)
{
	return (unsigned)m < TD_METHOD_COUNT ? method_names[m] : TD_STR_NULL;
}
