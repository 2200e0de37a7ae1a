/*
 * Names: methods and header fields. A header's name is found with one look into a table of 512 slots, which length, first
 * and middle letter choose, and one comparison. The multipliers were searched for so that no two names share a slot, among
 * those that cost one instruction: should a new name collide, the compiler refuses the doubled initializer, and others are
 * to be tried.
 */
#include "internal.h"

/* id, canonical form, its first letter and the one at [length / 2], both in lower case */
#define HEADERS(X)                                                \
	X(ACCEPT, "Accept", 'a', 'e')                             \
	X(ACCEPT_ENCODING, "Accept-Encoding", 'a', 'e')           \
	X(ACCEPT_LANGUAGE, "Accept-Language", 'a', 'l')           \
	X(ALERT_INFO, "Alert-Info", 'a', '-')                     \
	X(ALLOW, "Allow", 'a', 'l')                               \
	X(AUTHENTICATION_INFO, "Authentication-Info", 'a', 'a')   \
	X(AUTHORIZATION, "Authorization", 'a', 'i')               \
	X(CALL_ID, "Call-ID", 'c', 'l')                           \
	X(CALL_INFO, "Call-Info", 'c', '-')                       \
	X(CONTACT, "Contact", 'c', 't')                           \
	X(CONTENT_DISPOSITION, "Content-Disposition", 'c', 'i')   \
	X(CONTENT_ENCODING, "Content-Encoding", 'c', 'e')         \
	X(CONTENT_LANGUAGE, "Content-Language", 'c', 'l')         \
	X(CONTENT_LENGTH, "Content-Length", 'c', '-')             \
	X(CONTENT_TYPE, "Content-Type", 'c', 't')                 \
	X(CSEQ, "CSeq", 'c', 'e')                                 \
	X(DATE, "Date", 'd', 't')                                 \
	X(ERROR_INFO, "Error-Info", 'e', '-')                     \
	X(EXPIRES, "Expires", 'e', 'i')                           \
	X(FROM, "From", 'f', 'o')                                 \
	X(IN_REPLY_TO, "In-Reply-To", 'i', 'p')                   \
	X(MAX_FORWARDS, "Max-Forwards", 'm', 'r')                 \
	X(MIME_VERSION, "MIME-Version", 'm', 'e')                 \
	X(MIN_EXPIRES, "Min-Expires", 'm', 'x')                   \
	X(ORGANIZATION, "Organization", 'o', 'z')                 \
	X(PRIORITY, "Priority", 'p', 'r')                         \
	X(PROXY_AUTHENTICATE, "Proxy-Authenticate", 'p', 'h')     \
	X(PROXY_AUTHORIZATION, "Proxy-Authorization", 'p', 'h')   \
	X(PROXY_REQUIRE, "Proxy-Require", 'p', 'r')               \
	X(RECORD_ROUTE, "Record-Route", 'r', '-')                 \
	X(REPLY_TO, "Reply-To", 'r', 'y')                         \
	X(REQUIRE, "Require", 'r', 'u')                           \
	X(RETRY_AFTER, "Retry-After", 'r', '-')                   \
	X(ROUTE, "Route", 'r', 'u')                               \
	X(SERVER, "Server", 's', 'v')                             \
	X(SUBJECT, "Subject", 's', 'j')                           \
	X(SUPPORTED, "Supported", 's', 'o')                       \
	X(TIMESTAMP, "Timestamp", 't', 's')                       \
	X(TO, "To", 't', 'o')                                     \
	X(UNSUPPORTED, "Unsupported", 'u', 'p')                   \
	X(USER_AGENT, "User-Agent", 'u', 'a')                     \
	X(VIA, "Via", 'v', 'i')                                   \
	X(WARNING, "Warning", 'w', 'n')                           \
	X(WWW_AUTHENTICATE, "WWW-Authenticate", 'w', 'e')         \
	X(ALLOW_EVENTS, "Allow-Events", 'a', 'e')                 \
	X(EVENT, "Event", 'e', 'e')                               \
	X(IDENTITY, "Identity", 'i', 't')                         \
	X(MAX_BREADTH, "Max-Breadth", 'm', 'r')                   \
	X(MIN_SE, "Min-SE", 'm', '-')                             \
	X(PATH, "Path", 'p', 't')                                 \
	X(P_ASSERTED_IDENTITY, "P-Asserted-Identity", 'p', 'd')   \
	X(P_PREFERRED_IDENTITY, "P-Preferred-Identity", 'p', 'd') \
	X(PRIVACY, "Privacy", 'p', 'v')                           \
	X(RACK, "RAck", 'r', 'c')                                 \
	X(REASON, "Reason", 'r', 's')                             \
	X(REFER_TO, "Refer-To", 'r', 'r')                         \
	X(REFERRED_BY, "Referred-By", 'r', 'r')                   \
	X(REPLACES, "Replaces", 'r', 'a')                         \
	X(RSEQ, "RSeq", 'r', 'e')                                 \
	X(SERVICE_ROUTE, "Service-Route", 's', 'e')               \
	X(SESSION_EXPIRES, "Session-Expires", 's', '-')           \
	X(SIP_ETAG, "SIP-ETag", 's', 'e')                         \
	X(SIP_IF_MATCH, "SIP-If-Match", 's', '-')                 \
	X(SUBSCRIPTION_STATE, "Subscription-State", 's', 'i')

#define NAME(id, name, first, middle) [TD_HDR_##id] = { name, sizeof(name) - 1 },
#define PLACE(id, name, first, middle) [TD_HDR_SLOT(sizeof(name) - 1, first, middle)] = TD_HDR_##id,

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
	unsigned id;

	if (n < 2)
		return td_hdr_id_of_compact(p, n);
	id = td_hdr_candidate(p, n);
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
