/*
 * A way: a branch whose target is a name, or whose message is too long for a datagram. It leads over several targets, one after the
 * other (RFC 3263 §4.3): each attempt is a branch of its own, with a Via branch of its own, and the way is handed on from the branch that
 * failed to the next. So the response context sees nothing but branches that fail and branches that do not.
 *
 * A target has failed when its connection cannot be made or breaks, when it says 503, and when its transaction times out. That
 * takes 32 seconds over UDP, longer than any caller waits; so after proxy.failover of silence the next target is tried beside it,
 * and whoever answers first has the call, as with any forked request.
 *
 * Requests of more than 1300 bytes go by TCP where their target would get a datagram (RFC 3261 §18.1.1), and as a datagram after all when
 * there is no TCP at that address.
 */
#include "server/proxy/internal.h"

#include <errno.h>
#include <stdlib.h>

enum { CONNECT_MS = 500 }; /* for TCP where UDP would do as well */

struct px_way {
	struct px_branch *branch; /* whose turn it is */
	struct td_locate *locate; /* NULL: one address, by TCP and then by UDP */
	struct td_timer patience;
	struct td_hop hop, datagram; /* datagram: after TCP, the same by UDP */
	struct td_addr only;         /* family TD_AF_NONE: any; else no other address is believed */
	struct td_str host;
	bool has_datagram, no_stream, asking;
	uint16_t status; /* what the last attempt came to */
	struct td_uri uri;
	struct td_str path;
	char text[];
};

static void found(void *arg, int err, const struct td_hop *hop);

/* ---- words ---- */

static struct td_str call_of(const struct px_context *c)
{
	return c->msg ? c->msg->call_id : TD_STR_NULL;
}

void px_note_dns(const struct td_core *core, struct td_str call_id, const struct td_locate_step *step)
{
	td_log(core->log, TD_LOG_DEBUG, "proxy dns", TD_KS("call", call_id), TD_KS("step", step->words));
	if (step->type)
		td_trace_note(core->trace, call_id,
			      &(struct td_note){ .kind = step->err ? TD_NOTE_DNS_FAILED : TD_NOTE_DNS_ASKED,
						 .text = step->name,
						 .more = td_dns_type_name(step->type),
						 .a = step->err ? step->err : (int64_t)step->n,
						 .b = step->err ? (int64_t)step->rcode : 0 });
}

static void told(void *arg, const struct td_locate_step *step)
{
	struct px_way *w = arg;
	struct px_context *c = w->branch->ctx;

	px_note_dns(c->px->core, call_of(c), step);
}

static const struct td_locate_events locate_events = { .found = found, .told = told };

static void log_failover(const struct px_way *w, unsigned status)
{
	const struct px_context *c = w->branch->ctx;
	char text[TD_ADDR_TEXT];

	td_log(c->px->core->log, TD_LOG_INFO, "proxy failover", TD_KS("call", call_of(c)), TD_KS("host", w->host),
	       TD_KS("proto", td_proto_name(w->hop.proto)), TD_KZ("failed", td_addr_text(text, &w->hop.addr)),
	       TD_KU("status", status));
}

/* ---- beginning and end ---- */

static void on_patience(struct td_timer *tm, void *arg);

static struct px_way *way_new(struct px_branch *b, const struct px_target *t, struct td_str host)
{
	size_t n = t->uri.text.n + t->path.n + host.n;
	struct px_way *w = calloc(1, sizeof(*w) + n);
	struct td_out o;

	if (!w)
		return NULL;
	td_out_init_fixed(&o, w->text, n);
	td_out_str(&o, t->uri.text);
	td_out_str(&o, t->path);
	td_out_str(&o, host);
	w->path = td_str_n(w->text + t->uri.text.n, t->path.n);
	w->host = td_str_n(w->text + t->uri.text.n + t->path.n, host.n);
	if (t->uri.text.p && td_uri_parse(&w->uri, td_str_n(w->text, t->uri.text.n))) { /* it was read once before */
		free(w);
		return NULL;
	}
	if (t->only)
		w->only = *t->only;
	w->branch = b;
	td_timer_init(&w->patience, on_patience, w);
	b->way = w;
	return w;
}

void px_way_stop(struct px_branch *b)
{
	struct px_way *w = b->way;

	if (!w)
		return;
	b->way = NULL;
	td_timer_stop(b->ctx->px->core->loop, &w->patience);
	td_locate_close(w->locate);
	free(w);
}

static void ask(struct px_way *w)
{
	w->asking = true;
	td_locate_next(w->locate);
}

int px_way_start(struct px_branch *b, const struct px_target *t)
{
	struct td_core *core = b->ctx->px->core;
	struct td_uri where TD_UNINIT;
	int err = td_uri_parse(&where, t->where);
	struct px_way *w;

	if (err)
		return err;
	if (t->secure)
		where.scheme = TD_SCHEME_SIPS;
	w = way_new(b, t, where.host);
	if (!w)
		return -ENOMEM;
	err = td_locate_open(&w->locate, core->locator, &where, 0, &locate_events, w);
	if (err)
		px_way_stop(b);
	else
		ask(w);
	return err;
}

bool px_way_pending(const struct px_branch *b)
{
	return b->way && b->way->asking;
}

/* ---- attempts ---- */

static unsigned status_of(int err)
{
	switch (err) {
	case -ENOMEM: return 500;
	case -EMSGSIZE: return 513;
	case TD_ETIMEOUT: return 504; /* §21.5.5: "from an external server it accessed", as a name server is */
	case TD_ELIMIT:               /* aliases without an end */
	case TD_ENOTFOUND:
	case TD_EUNSUPPORTED: return 502;
	case TD_EDENIED: return 403;
	default: return 503;
	}
}

static bool allowed(const struct px_way *w, const struct td_hop *hop)
{
	const struct px_context *c = w->branch->ctx;

	if (w->only.family != TD_AF_NONE && !td_ip_eq(&w->only, &hop->addr))
		return false;
	return c->setup->route.relayed ? td_route_relay_allowed(c->px->core, &hop->addr)
				       : td_route_target_allowed(c->px->core, &hop->addr);
}

static uint64_t patience_ms(const struct px_way *w)
{
	return w->has_datagram ? CONNECT_MS : (uint64_t)w->branch->ctx->px->core->cfg->proxy.failover_s * 1000;
}

/* Over TLS the peer has to be whom the name asked for means, whatever DNS made of it (RFC 5922 §7.3). */
static int flow_to(struct td_flow *out, struct td_tp *tp, const struct td_hop *hop, struct td_str host)
{
	return host.n ? td_tp_flow_to_host(out, tp, hop->proto, &hop->addr, host)
		      : td_tp_flow_to(out, tp, hop->proto, &hop->addr);
}

static int attempt(struct px_way *w, const struct td_hop *hop)
{
	struct px_branch *b = w->branch;
	struct px_context *c = b->ctx;
	struct px_target t = { .uri = w->uri, .path = w->path, .breadth = b->breadth };
	int err = flow_to(&t.flow, c->px->core->tp, hop, w->host);

	w->hop = *hop;
	if (w->status)
		td_trace_note(
			c->px->core->trace, call_of(c),
			&(struct td_note){
				.kind = TD_NOTE_NEXT_SERVER, .text = w->host, .peer = hop->addr, .proto = (uint8_t)hop->proto });
	if (!err)
		err = c->st ? px_branch_send(b, &t) : px_send_once(c, &t);
	if (err || !c->st)
		return err;
	td_timer_start(c->px->core->loop, &w->patience, patience_ms(w));
	px_branch_waits(b);
	return 0;
}

/* The way ends without a target. */
static void fail(struct px_way *w, int err)
{
	struct px_branch *b = w->branch;
	struct px_context *c = b->ctx;

	b->status = w->status ? w->status : (uint16_t)status_of(err);
	for (struct px_branch *o = c->branches; o; o = o->next) { /* those are all there is */
		if (o->passed_over && o->ct)
			o->status = 0;
		o->passed_over = false;
	}
	if (!w->status)
		td_trace_note(c->px->core->trace, call_of(c),
			      &(struct td_note){ .kind = TD_NOTE_NO_TARGET, .a = err, .text = w->host });
	td_log(c->px->core->log, TD_LOG_INFO, "proxy no-target", TD_KS("call", call_of(c)), TD_KS("host", w->host), TD_KERR(err),
	       TD_KU("status", b->status));
	px_way_stop(b);
	if (!c->st)
		c->final_sent = true;
}

static void next(struct px_way *w)
{
	struct td_hop hop = w->datagram;
	int err;

	if (w->has_datagram) {
		w->has_datagram = false;
		w->no_stream = true;
		err = attempt(w, &hop);
		if (!err)
			return;
		w->status = (uint16_t)status_of(err);
	}
	if (w->locate)
		ask(w);
	else
		fail(w, TD_ENOTFOUND);
}

static void found(void *arg, int err, const struct td_hop *hop)
{
	struct px_way *w = arg;
	struct px_context *c = w->branch->ctx;

	px_context_enter(c);
	w->asking = false;
	w->no_stream = false;
	if (!err && !allowed(w, hop)) {
		if (!w->status)
			w->status = 403;
		ask(w);
	} else if (err) {
		fail(w, err);
	} else {
		err = attempt(w, hop);
		if (err == -ENOMEM || err == -EMSGSIZE) {
			fail(w, err);
		} else if (err) {
			w->status = (uint16_t)status_of(err);
			next(w);
		} else if (!c->st) { /* an ACK goes once */
			px_way_stop(w->branch);
			c->final_sent = true;
		}
	}
	px_context_leave(c);
}

/* ---- from one target to the next ---- */

bool px_way_on(struct px_branch *b, unsigned status, uint32_t retry_after_s)
{
	struct px_context *c = b->ctx;
	struct px_way *w = b->way;
	struct px_branch *other;

	if (!w || w->asking)
		return false;
	td_locator_failed(c->px->core->locator, &w->hop, retry_after_s);
	other = c->cancelled || c->final_sent || !c->msg || !(w->locate || w->has_datagram) ? NULL : px_branch_new(c);
	if (!other) {
		px_way_stop(b);
		return false;
	}
	log_failover(w, status);
	td_timer_stop(c->px->core->loop, &w->patience);
	b->way = NULL;
	other->way = w;
	other->breadth = (b->status && !b->passed_over) || b->breadth < 2 ? b->breadth : b->breadth / 2;
	w->branch = other;
	w->status = (uint16_t)status;
	next(w);
	return true;
}

void px_way_heard(struct px_branch *b)
{
	struct px_way *w = b->way;
	struct td_core *core = b->ctx->px->core;

	td_timer_stop(core->loop, &w->patience);
	td_locator_answered(core->locator, &w->hop);
	w->has_datagram = false;
	if (!w->locate)
		px_way_stop(b);
}

/* Its answer would still be welcome. When there is nobody else to be asked, it is waited for as before. */
static void pass_over(struct px_branch *b)
{
	b->passed_over = true;
	b->status = 408;
	if (!px_way_on(b, 408, 0)) {
		b->passed_over = false;
		b->status = 0;
	}
}

/* Nobody there? Where there is no connection yet the attempt is given up, so that the request does not arrive twice. */
static void on_patience(struct td_timer *tm, void *arg)
{
	struct px_way *w = arg;
	struct px_branch *b = w->branch;
	struct px_context *c = b->ctx;
	bool connected = w->hop.proto == TD_UDP || !b->ct || td_tp_flow_connected(c->px->core->tp, td_clitx_flow(b->ct));

	px_context_enter(c);
	if (!connected) {
		px_branch_end(b);
		b->status = 503;
		px_way_on(b, 503, 0);
	} else if (w->has_datagram) { /* it speaks TCP */
		w->has_datagram = false;
		if (w->locate)
			td_timer_start(c->px->core->loop, &w->patience, patience_ms(w));
		else
			px_way_stop(b);
	} else {
		pass_over(b);
	}
	px_context_leave(c);
}

/* ---- long messages ---- */

bool px_way_by_stream(struct px_branch *b, const struct px_target *t, struct td_flow *flow)
{
	struct td_core *core = b->ctx->px->core;
	const struct td_hop stream = { TD_TCP, flow->peer }, datagram = { TD_UDP, flow->peer };
	struct px_way *w = b->way;

	if (t->fixed || (w && w->no_stream) || td_locator_is_dead(core->locator, &stream) ||
	    td_tp_flow_to(flow, core->tp, TD_TCP, &stream.addr))
		return false;
	if (!w && !(w = way_new(b, t, TD_STR_NULL)))
		return false;
	w->hop = stream;
	w->datagram = datagram;
	w->has_datagram = true;
	td_timer_start(core->loop, &w->patience, patience_ms(w));
	return true;
}

void px_way_no_stream(struct px_branch *b)
{
	struct px_way *w = b->way;

	td_timer_stop(b->ctx->px->core->loop, &w->patience);
	w->hop = w->datagram;
	w->has_datagram = false;
	w->no_stream = true;
	if (!w->locate)
		px_way_stop(b);
}
