/*
 * What happened, and what to do about it. One function for each way a request can end; the first that fits tells it. The order is from what
 * was decided here, over what was met on the way, to what the other side said. Somebody who has never seen SIP should understand
 * the sentence; whoever has will find the status and the setting in it.
 */
#include "story.h"

#include <errno.h>

struct words {
	const struct tale *t;
	const struct td_msg *request; /* NULL: it was not kept */
	unsigned status;
	struct td_out what, remedy;
};

/* A teller sets what and remedy and returns its word for programs, or NULL: it is another story. */
typedef const char *teller_fn(struct words *w);

#define SAY(...) td_out_fmt(&w->what, __VA_ARGS__)
#define REMEDY(...) td_out_fmt(&w->remedy, __VA_ARGS__)

/* ---- words ---- */

void put_ip(struct td_out *o, const struct td_addr *a)
{
	char text[TD_ADDR_TEXT + 1];
	struct td_out t;

	td_out_init_fixed(&t, text, sizeof(text));
	td_ip_print(&t, a);
	td_out_str(o, td_out_view(&t));
}

void put_flow(struct td_out *o, const struct td_addr *a, unsigned proto)
{
	char text[TD_ADDR_TEXT];

	td_out_z(o, td_addr_text(text, a));
	td_out_fmt(o, " (%.*s)", TD_FMT(td_proto_name(proto < TD_PROTO_COUNT ? (enum td_proto)proto : TD_UDP)));
}

void put_span(struct td_out *o, uint64_t us)
{
	uint64_t s = (us + 500000) / 1000000;

	if (us < 10000000)
		td_out_fmt(o, "%u.%u s", (unsigned)(us / 1000000), (unsigned)(us / 100000 % 10));
	else if (s < 120)
		td_out_fmt(o, "%u s", (unsigned)s);
	else if (s < 7200)
		td_out_fmt(o, "%u min", (unsigned)(s / 60));
	else
		td_out_fmt(o, "%u h", (unsigned)(s / 3600));
}

struct td_str status_words(const struct td_msg *m)
{
	const char *p = m->bytes.p + sizeof("SIP/2.0 ") - 1;
	const char *end = td_str_chr(m->bytes, '\r');

	if (!end)
		end = td_str_chr(m->bytes, '\n');
	return td_str_n(p, end && end > p ? (size_t)(end - p) : 0);
}

static struct td_str or_somebody(struct td_str who)
{
	return who.n ? who : TD_STR("somebody");
}

/* "alice@example.test (192.0.2.9)" */
static void put_caller(struct words *w)
{
	SAY("%.*s", TD_FMT(or_somebody(w->t->story->caller)));
	if (w->t->source.n)
		SAY(" (%.*s)", TD_FMT(w->t->source));
}

static bool is_call(const struct words *w)
{
	return !w->request || w->request->method == TD_INVITE;
}

/* " was answered 486 Busy Here." */
static void put_status(struct words *w)
{
	if (w->t->final >= 0)
		SAY(" The answer to the caller was %.*s.", TD_FMT(status_words(w->t->items[w->t->final].msg)));
}

static uint64_t since_request(const struct words *w, const struct item *it)
{
	uint64_t began = w->t->items[w->t->last >= 0 ? w->t->last : 0].r.at_us;

	return it->r.at_us > began ? it->r.at_us - began : 0;
}

/* The user an address of record means, or the phone that was to be reached. */
static struct td_str callee(const struct words *w)
{
	const struct td_note *b = tale_note(w->t, TD_NOTE_BINDINGS);

	return b && b->text.n ? b->text : or_somebody(w->t->story->callee);
}

static const struct td_note *refused(const struct words *w, unsigned status)
{
	const struct td_note *n = tale_note(w->t, TD_NOTE_REFUSED);

	return n && n->a == status ? n : NULL;
}

/* ---- who sent it ---- */

static const char *wrong_password(struct words *w)
{
	const struct item *it = tale_note_item(w->t, TD_NOTE_PASSWORD), *ok = tale_note_item(w->t, TD_NOTE_AUTHENTICATED);
	unsigned times = 0;

	if (!it || (ok && ok->r.at_us >= it->r.at_us))
		return NULL;
	for (unsigned i = 0; i < w->t->n; i++)
		times += w->t->items[i].r.kind == TD_TRACE_NOTE && w->t->items[i].r.note.kind == TD_NOTE_PASSWORD;
	SAY("The phone at %.*s wanted to %s as %.*s, ", TD_FMT(or_somebody(w->t->source)),
	    w->request && w->request->method == TD_REGISTER ? "register"
	    : is_call(w)                                    ? "call"
							    : "send something",
	    TD_FMT(it->r.note.text));
	if (it->r.note.b == 1) {
		SAY("but no user is called that.");
		REMEDY("correct the user name in the phone, or make the user: tandem user add %.*s", TD_FMT(it->r.note.text));
		return "unknown-user-name";
	}
	if (it->r.note.b == 2) {
		SAY("with an algorithm that this user's password was not stored for.");
		REMEDY("set the password again, which stores it for all of them: tandem user passwd %.*s",
		       TD_FMT(it->r.note.text));
		return "algorithm";
	}
	SAY("but the password was wrong%s.", times > 1 ? ", more than once" : "");
	REMEDY("type the password into the phone again; if it is lost, set a new one: tandem user passwd %.*s",
	       TD_FMT(it->r.note.text));
	return "wrong-password";
}

static const char *banned(struct words *w)
{
	const struct item *it = tale_note_item(w->t, TD_NOTE_BANNED);
	uint64_t end_us = it ? it->r.wall_us + (uint64_t)it->r.note.a * 1000000 : 0;

	if (!it)
		return NULL;
	put_ip(&w->what, &it->r.note.peer);
	if (end_us > w->t->now_us) {
		SAY(" is banned for ");
		put_span(&w->what, end_us - w->t->now_us);
		SAY(" more because it ");
	} else {
		SAY(" was banned for ");
		put_span(&w->what, (uint64_t)it->r.note.a * 1000000);
		SAY(", which is over, because it ");
	}
	if (td_str_eq(it->r.note.text, TD_STR("passwords")))
		SAY("guessed %u passwords: nothing from there is looked at meanwhile.", (unsigned)it->r.note.b);
	else if (td_str_eq(it->r.note.text, TD_STR("probing")))
		SAY("asked for much and never proved who it is: nothing from there is looked at meanwhile.");
	else
		SAY("opened connections and sent what is no SIP: nothing from there is looked at meanwhile.");
	REMEDY("if a phone there has a wrong password, correct it, then tandem bans remove ");
	put_ip(&w->remedy, &it->r.note.peer);
	REMEDY("; if many share that address, name it in guard.allow");
	return "banned";
}

static const char *not_him(struct words *w)
{
	const struct td_note *n = tale_note(w->t, TD_NOTE_NOT_HIM);

	if (!n || w->status != 403)
		return NULL;
	SAY("The phone at %.*s gave the right password of %.*s, but spoke as %.*s; nobody may use another one's name.",
	    TD_FMT(or_somebody(w->t->source)), TD_FMT(n->text), TD_FMT(n->more));
	REMEDY("make address and user name the same in the phone's account");
	return "not-his-address";
}

static const char *no_password(struct words *w)
{
	if ((w->status != 401 && w->status != 407) || w->t->refusal >= 0)
		return NULL;
	put_caller(w);
	SAY(" was asked for a password (%u) and did not come back with one.", w->status);
	REMEDY("give the phone an account here (user name and password), or put its address under trust if it needs none");
	return "no-password";
}

/* ---- what this server refused ---- */

static const char *unknown_user(struct words *w)
{
	const struct td_note *n = refused(w, 404), *r = tale_note(w->t, TD_NOTE_NOT_REGISTERED);
	struct td_str who = n && n->more.n ? n->more : callee(w);

	if (!n && !(r && r->a == 404))
		return NULL;
	put_caller(w);
	SAY(" %s %.*s, but there is no such user here.",
	    r            ? "wanted to register as"
	    : is_call(w) ? "called"
			 : "wrote to",
	    TD_FMT(who));
	put_status(w);
	REMEDY("look for a slip of the pen (tandem user list shows who there is), or make the user: tandem user add %.*s",
	       TD_FMT(who));
	return "unknown-user";
}

static const char *loop(struct words *w)
{
	const struct td_note *n = refused(w, 482) ? refused(w, 482) : refused(w, 483);

	if (!n)
		return NULL;
	SAY("The request for %.*s came back to this server unchanged: it was going round in a circle, and was stopped (%u).",
	    TD_FMT(or_somebody(w->t->story->callee)), (unsigned)n->a);
	REMEDY("see who sent it back to us: a contact or a forwarding of %.*s that leads here again (tandem registrations shows "
	       "contacts), "
	       "or another server whose route for this address points at this one",
	       TD_FMT(or_somebody(w->t->story->callee)));
	return "loop";
}

static const char *relay(struct words *w)
{
	const struct td_note *n = refused(w, 403);
	struct td_str host = w->request ? w->request->ruri.host : TD_STR_NULL;

	if (!n || !td_str_eq(n->text, TD_STR("Relaying Refused")))
		return NULL;
	put_caller(w);
	SAY(" wanted to reach %.*s, which is none of this server's domains, and nothing is passed on to strangers.",
	    TD_FMT(or_somebody(w->t->story->callee)));
	put_status(w);
	REMEDY("if %.*s is one of ours, add it under domains; if not, this server cannot be used to call there",
	       TD_FMT(host.n ? host : TD_STR("it")));
	return "relay-refused";
}

static const char *overload(struct words *w)
{
	const struct td_note *behind = tale_note(w->t, TD_NOTE_WORKER_BEHIND), *many = tale_note(w->t, TD_NOTE_TOO_MANY);

	if (behind) {
		SAY("The server had more to do than it could, and did not look at a request of %.*s.",
		    TD_FMT(or_somebody(w->t->story->caller)));
		REMEDY("tandem status shows what comes (requests, overload); more workers, another server, or lower limits.rate "
		       "help");
		return "overload";
	}
	if (!many || many->a != 503)
		return NULL;
	put_caller(w);
	SAY(" called %.*s, but from that address as many calls were being set up already as one may have (proxy.max_pending).",
	    TD_FMT(or_somebody(w->t->story->callee)));
	put_status(w);
	REMEDY("wait until they are answered or given up; if so many are right, raise proxy.max_pending");
	return "overload";
}

static const char *too_many_calls(struct words *w)
{
	const struct td_note *n = tale_note(w->t, TD_NOTE_TOO_MANY);

	if (!n || !n->text.n)
		return NULL;
	SAY("%.*s has as many calls as a user may have at a time (calls.per_user).", TD_FMT(n->text));
	put_status(w);
	REMEDY("tandem calls shows them; raise calls.per_user if that is too few");
	return "too-many-calls";
}

static const char *broken(struct words *w)
{
	const struct td_note *n = tale_note(w->t, TD_NOTE_BROKEN);

	if (!n)
		return NULL;
	put_caller(w);
	SAY(" sent a request that breaks the rules of SIP: %.*s (%u).", TD_FMT(n->text), (unsigned)n->a);
	REMEDY("that is a fault of the sender's program; tandem trace shows the message");
	return "broken-request";
}

static const char *refusal(struct words *w)
{
	const struct td_note *n = tale_note(w->t, TD_NOTE_REFUSED);
	const struct td_note *r = tale_note(w->t, TD_NOTE_NOT_REGISTERED);

	n = n ? n : r;
	if (!n || n->a != w->status)
		return NULL;
	put_caller(w);
	SAY(" sent a %.*s that this server refused", TD_FMT(w->t->story->method));
	SAY(": %u %.*s.", (unsigned)n->a, TD_FMT(n->text.n ? n->text : td_reason_phrase((unsigned)n->a)));
	if (n->a == 503 && td_str_eq(n->text, TD_STR("Draining"))) {
		REMEDY("it begins nothing new because it is about to stop; tandem drain --stop takes that back");
		return "draining";
	}
	return "refused";
}

/* ---- what was met on the way ---- */

static const char *dns(struct words *w)
{
	const struct td_note *n = tale_note(w->t, TD_NOTE_DNS_FAILED);

	if (!n || (w->status && w->status < 300))
		return NULL;
	SAY("The name %.*s could not be found: ", TD_FMT(n->text));
	if (n->b == 3)
		SAY("DNS says that there is no such name (%.*s).", TD_FMT(n->more));
	else if (n->a == TD_ETIMEOUT)
		SAY("no name server answered (%.*s).", TD_FMT(n->more));
	else
		SAY("DNS has no usable answer (%.*s: %s).", TD_FMT(n->more), n->a ? td_strerror((int)n->a) : "nothing there");
	put_status(w);
	REMEDY("ask DNS by hand: dig +short SRV _sip._udp.%.*s; dig +short %.*s. Without an answer, correct the name or the "
	       "zone; if only "
	       "this machine has none, its name servers (/etc/resolv.conf)",
	       TD_FMT(n->text), TD_FMT(n->text));
	return "dns";
}

static const char *tls(struct words *w)
{
	const struct td_note *n = tale_note(w->t, TD_NOTE_TLS_FAILED);

	if (!n || (w->status && w->status < 300))
		return NULL;
	SAY("%s", "The server at ");
	put_flow(&w->what, &n->peer, n->proto);
	if (n->a == TD_ENAME) {
		SAY(" is not the one it should be, and got nothing: %.*s.", TD_FMT(n->text));
		put_status(w);
		REMEDY("its operator needs a certificate with the name that was asked for; or the name that leads there (DNS, "
		       "contact, "
		       "route) is wrong");
		return "tls-name";
	}
	SAY(" could not be reached safely: %.*s.", TD_FMT(n->text));
	put_status(w);
	REMEDY("see that its certificate is valid today and signed by somebody we trust: openssl s_client -connect HOST:PORT "
	       "shows it");
	return "tls";
}

static const char *unreachable(struct words *w)
{
	const struct td_note *u = tale_note(w->t, TD_NOTE_UNSENT), *n = tale_note(w->t, TD_NOTE_NO_TARGET);

	if ((!u && !n) || w->status < 300 || w->t->refusal >= 0)
		return NULL;
	if (n) {
		SAY("The request for %.*s leads to %.*s, and there is no way there: %s.", TD_FMT(callee(w)), TD_FMT(n->text),
		    n->a == TD_EDENIED ? "such an address is not called from here" : td_strerror((int)n->a));
		put_status(w);
		return "no-target";
	}
	SAY("The request for %.*s could not be sent to ", TD_FMT(callee(w)));
	put_flow(&w->what, &u->peer, u->proto);
	SAY(": %s.", u->a == TD_ECLOSED ? "its connection is gone" : td_strerror((int)u->a));
	put_status(w);
	REMEDY("switch that phone off and on, so that it registers again, and see that nothing between here and it cuts "
	       "connections");
	return "unreachable";
}

static const char *not_secure(struct words *w)
{
	const struct td_note *n = tale_note(w->t, TD_NOTE_NO_SIPS);

	if (!n)
		return NULL;
	put_caller(w);
	SAY(" %s %.*s by a sips: address, which is to be reached by TLS and no other way, but no phone of this user registered "
	    "one.",
	    is_call(w) ? "called" : "wrote to", TD_FMT(n->text));
	put_status(w);
	REMEDY("call sip:%.*s, if it may be less than that; or let the phone register a sips: contact, over TLS",
	       TD_FMT(n->text));
	return "no-sips";
}

static const char *not_woken(struct words *w)
{
	const struct td_note *failed = tale_note(w->t, TD_NOTE_PUSH_FAILED), *over = tale_note(w->t, TD_NOTE_NOT_WOKEN);

	if ((!failed && !over) || w->status != 480)
		return NULL;
	put_caller(w);
	SAY(" %s %.*s, whose phone sleeps; ", is_call(w) ? "called" : "wrote to", TD_FMT(callee(w)));
	if (over) {
		SAY("it was sent a push, and did not register within %u s.", (unsigned)over->a);
		put_status(w);
		REMEDY("see in the push service's own log what became of it; the app at the phone may be signed out, or push be "
		       "switched off for it");
		return "not-woken";
	}
	SAY("%.*s, which was to wake it, could not be told: %s.", TD_FMT(failed->text),
	    failed->a == TD_EDENIED ? "it answered with an error" : td_strerror((int)failed->a));
	put_status(w);
	REMEDY("see that it runs, and what it answers (push.url; 2xx is wanted)");
	return "push-failed";
}

static const char *not_there(struct words *w)
{
	const struct td_note *b = tale_note(w->t, TD_NOTE_BINDINGS);

	if (!b || b->a || w->status != 480)
		return NULL;
	put_caller(w);
	SAY(" %s %.*s, who is a user here, but no phone of this user is registered.", is_call(w) ? "called" : "wrote to",
	    TD_FMT(b->text));
	put_status(w);
	REMEDY("switch the phone on and see that its account works (it should show that it is registered); tandem registrations "
	       "%.*s shows "
	       "what is there, and tandem why %.*s why a registration failed",
	       TD_FMT(b->text), TD_FMT(b->text));
	return "not-registered";
}

/* How often the request was sent to the peer, and over how long. */
static unsigned sent_to(const struct words *w, const struct td_addr *peer)
{
	unsigned n = 0;

	for (unsigned i = 0; i < w->t->n; i++) {
		const struct item *it = &w->t->items[i];

		n += it->msg && it->r.kind == TD_TRACE_OUT && it->msg->request && td_addr_eq(&it->r.flow.peer, peer) &&
		     (!w->request || it->msg->method == w->request->method);
	}
	return n;
}

static const char *silent(struct words *w)
{
	const struct item *it = tale_note_item(w->t, TD_NOTE_NO_ANSWER), *b = tale_note_item(w->t, TD_NOTE_BINDINGS);
	uint64_t now_us = w->t->now_us, left_us;
	unsigned times;

	if (!it || (w->status && w->status < 300))
		return NULL;
	times = sent_to(w, &it->r.note.peer);
	SAY("%.*s is registered, but the phone at ", TD_FMT(callee(w)));
	put_ip(&w->what, &it->r.note.peer);
	if (it->r.note.a)
		SAY(" rang and then said nothing more for ");
	else if (times > 1)
		SAY(" did not answer %u %.*ss in ", times, TD_FMT(w->t->story->method));
	else
		SAY(" did not answer in ");
	put_span(&w->what, since_request(w, it));
	SAY(": it is switched off, or %s.",
	    it->r.note.proto == TD_UDP ? "a firewall drops UDP" : "something between here and it swallows what is sent");
	if (b && b->r.note.b) {
		left_us = b->r.wall_us + (uint64_t)b->r.note.b * 1000000;
		SAY(" Its registration %s", left_us > now_us ? "expires in " : "has expired meanwhile");
		if (left_us > now_us)
			put_span(&w->what, left_us - now_us);
		SAY(".");
	}
	put_status(w);
	REMEDY("switch the phone on, or see that it can be reached from here; it stays in the list until its registration "
	       "expires");
	return "no-answer";
}

static const char *rang_out(struct words *w)
{
	const struct td_note *n = tale_note(w->t, TD_NOTE_RANG_TOO_LONG);

	if (!n || (w->status && w->status < 300))
		return NULL;
	SAY("%.*s rang for %u s and nobody answered; then the server gave up (proxy.timer_c).", TD_FMT(callee(w)),
	    (unsigned)n->a);
	put_status(w);
	return "nobody-answered";
}

/* ---- what the two sides said ---- */

static const char *given_up(struct words *w)
{
	if (w->t->cancel < 0 || (w->status && w->status < 300))
		return NULL;
	put_caller(w);
	SAY(" called %.*s and gave up after ", TD_FMT(callee(w)));
	put_span(&w->what, since_request(w, &w->t->items[w->t->cancel]));
	SAY("%s.", w->t->ringing >= 0 ? " of ringing" : ", before anything rang");
	return "cancelled";
}

static const struct {
	unsigned status;
	const char *word, *what, *remedy;
} phone_said[] = {
	{ 486, "busy", "is busy", "try again later; or let a second phone of this user register, which rings then" },
	{ 600, "busy", "is busy everywhere", "try again later" },
	{ 603, "declined", "was declined by the person called", "" },
	{ 480, "unavailable", "does not take calls now (do not disturb, perhaps)", "switch off \"do not disturb\" at the phone" },
	{ 488, "no-common-codec", "cannot speak or hear what was offered",
	  "let both phones have a codec in common (G.711 is in nearly all), and the same encryption setting" },
	{ 606, "no-common-codec", "cannot speak or hear what was offered", "let both phones have a codec in common" },
	{ 415, "no-common-codec", "does not understand what was in the message", "" },
	{ 404, "phone-says-unknown", "says that it has no such user",
	  "the account at the phone has another name than the one it registered" },
	{ 401, "phone-asks-password", "asks for a password of its own",
	  "switch authentication of incoming calls off at the phone" },
	{ 407, "phone-asks-password", "asks for a password of its own",
	  "switch authentication of incoming calls off at the phone" },
	{ 482, "loop", "sends what it gets round in a circle",
	  "it is another server, whose route for this address leads back here or to itself: correct that, or the contact that "
	  "was "
	  "registered" },
	{ 483, "loop", "lies behind more servers than a request may pass",
	  "they may send it round in a circle: see where each sends calls for this address" },
	{ 420, "phone-lacks-extension", "lacks an extension that the caller requires", "switch it off at the caller's phone" },
};

static const char *phone_refused(struct words *w)
{
	const struct item *it = w->t->refusal >= 0 ? &w->t->items[w->t->refusal] : NULL;
	const char *word = "phone-refused", *what = NULL, *remedy = "";

	if (!it || w->status < 300)
		return NULL;
	for (size_t i = 0; i < TD_ARRAY_LEN(phone_said); i++)
		if (phone_said[i].status == w->status) {
			word = phone_said[i].word;
			what = phone_said[i].what;
			remedy = phone_said[i].remedy;
		}
	SAY("%.*s: the phone at ", TD_FMT(callee(w)));
	put_ip(&w->what, &it->r.flow.peer);
	if (what)
		SAY(" %s (it answered %.*s).", what, TD_FMT(status_words(it->msg)));
	else
		SAY(" answered %.*s.", TD_FMT(status_words(it->msg)));
	REMEDY("%s", remedy);
	return word;
}

static const char *talked(struct words *w)
{
	const struct item *ok = w->t->final >= 0 ? &w->t->items[w->t->final] : NULL;

	if (!ok || w->status >= 300 || !is_call(w))
		return NULL;
	put_caller(w);
	SAY(" called %.*s, who answered after ", TD_FMT(callee(w)));
	put_span(&w->what, since_request(w, ok));
	if (w->t->bye >= 0) {
		const struct item *bye = &w->t->items[w->t->bye];

		SAY("; %s hung up after ", td_str_eq(bye->msg->from_tag, w->request->from_tag) ? "the caller" : "the one called");
		put_span(&w->what, bye->r.at_us - ok->r.at_us);
	} else {
		SAY("; nobody has hung up since");
	}
	SAY(".");
	return "answered";
}

static const char *went_well(struct words *w)
{
	if (!w->request || !w->status || w->status >= 300)
		return NULL;
	put_caller(w);
	if (w->request->method == TD_REGISTER)
		SAY(" registered %.*s.", TD_FMT(w->t->story->callee));
	else
		SAY(" sent a %.*s to %.*s, and it was answered %.*s.", TD_FMT(w->t->story->method), TD_FMT(w->t->story->callee),
		    TD_FMT(status_words(w->t->items[w->t->final].msg)));
	return "answered";
}

static const char *under_way(struct words *w)
{
	if (!w->request || w->status)
		return NULL;
	put_caller(w);
	SAY(" %s %.*s, ", is_call(w) ? "calls" : "sent something to", TD_FMT(callee(w)));
	if (w->t->ringing >= 0) {
		SAY("which has been ringing for ");
		put_span(&w->what, w->t->now_us - w->t->items[w->t->ringing].r.wall_us);
		SAY(".");
		return "ringing";
	}
	SAY("and nothing was answered yet.");
	return "pending";
}

static const char *anything(struct words *w)
{
	if (w->status) {
		put_caller(w);
		SAY(" sent a %.*s for %.*s.", TD_FMT(w->t->story->method), TD_FMT(or_somebody(w->t->story->callee)));
		put_status(w);
	} else {
		SAY("Only a part of what happened was kept: the steps below are all there is.");
		REMEDY("give the trace more memory (trace.memory), or ask sooner");
	}
	return w->status ? "answered" : "incomplete";
}

static teller_fn *const tellers[] = {
	banned,         wrong_password, not_him,       unknown_user, loop,        relay,       overload,
	too_many_calls, broken,         dns,           tls,          not_secure,  not_woken,   not_there,
	given_up,       rang_out,       phone_refused, silent,       unreachable, no_password, refusal,
	talked,         went_well,      under_way,     anything,
};

int tale_words(struct tale *t)
{
	struct td_story *s = t->story;
	struct words words = { .t = t, .status = s->status, .request = t->last >= 0 ? t->items[t->last].msg : NULL };
	int err = 0;

	td_out_init(&words.what);
	td_out_init(&words.remedy);
	for (size_t i = 0; !s->outcome; i++)
		s->outcome = tellers[i](&words);
	if (words.what.failed || words.remedy.failed)
		err = -ENOMEM;
	if (!err)
		err = td_arena_dup(&s->what, &s->arena, td_out_view(&words.what));
	if (!err)
		err = td_arena_dup(&s->remedy, &s->arena, td_out_view(&words.remedy));
	td_out_free(&words.what);
	td_out_free(&words.remedy);
	return err;
}
