/*
 * The agent: its transport and transaction layer, what comes in, and the few lines every message of ours carries.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>

#define ALLOWED "INVITE, ACK, CANCEL, BYE, OPTIONS, MESSAGE, UPDATE, INFO"

const struct td_str ua_allow = TD_STR_INIT("Allow: " ALLOWED "\r\n");

struct td_str ua_token(struct td_ua *ua, struct td_arena *a, size_t n)
{
	char *p = td_arena_alloc(a, n);

	if (!p)
		return TD_STR_NULL;
	td_rng_token(td_loop_rng(ua->loop), p, n);
	return td_str_n(p, n);
}

void ua_put_contact(struct td_out *o, struct td_ua *ua, const struct td_flow *flow)
{
	td_out_fmt(o, "Contact: <sip:%.*s@", TD_FMT(ua->address.user));
	td_tp_put_sent_by(o, ua->tp, flow);
	td_out_str(o, td_proto_param((enum td_proto)flow->proto));
	td_out_z(o, ">\r\n");
}

void ua_put_from(struct td_out *o, struct td_ua *ua, struct td_str tag)
{
	td_out_fmt(o, "From: <%.*s>;tag=%.*s\r\n", TD_FMT(ua->address.text), TD_FMT(tag));
}

int ua_flow_to_proxy(struct td_flow *out, struct td_ua *ua)
{
	return td_tp_flow_to_host(out, ua->tp, ua->proto, &ua->proxy, ua->proxy_host);
}

/* Our proxy names itself by its address in Record-Route, and that need not stand in its certificate: who it is has been proved. */
static bool is_proxy(const struct td_ua *ua, enum td_proto proto, const struct td_addr *a)
{
	return proto == ua->proto && td_addr_eq(a, &ua->proxy);
}

int ua_flow_to(struct td_flow *out, struct td_ua *ua, struct td_str text)
{
	enum td_proto proto = TD_UDP;
	struct td_uri uri;
	struct td_param p;
	struct td_addr a;

	int err = TD_EUNSUPPORTED;

	if (td_uri_parse(&uri, text) == 0 && td_ip_parse(&a, uri.host) == 0) {
		if (!td_param_find(&p, uri.params, TD_STR("transport")) || td_proto_parse(&proto, p.value) == 0) {
			a.port = uri.port ? uri.port : td_proto_port(proto);
			err = is_proxy(ua, proto, &a) ? ua_flow_to_proxy(out, ua) : td_tp_flow_to(out, ua->tp, proto, &a);
		}
	}
	return err == TD_EUNSUPPORTED ? ua_flow_to_proxy(out, ua) : err;
}

/* ---- authentication ---- */

enum { MAX_TRIES = 4 }; /* a proxy's and a registrar's challenge, each with one stale nonce */

static bool to_proxy(const struct td_ua *ua, const struct td_flow *to)
{
	return td_ip_eq(&to->peer, &ua->proxy);
}

void ua_auth_put(struct td_out *o, struct td_ua *ua, struct ua_auth *au, const struct td_flow *to, struct td_str method,
		 struct td_str uri)
{
	size_t before = o->n;

	if (!ua->auth)
		return;
	au->sent.mark = td_auth_client_mark(ua->auth);
	if (to_proxy(ua, to) && td_auth_client_put(o, ua->auth, method, uri))
		o->failed = true;
	au->carried = o->n > before;
}

bool ua_auth_again(struct td_ua *ua, struct ua_auth *au, const struct td_flow *to, const struct td_msg *response)
{
	if (response->status != 401 && response->status != 407) {
		ua->realm_known |= au->carried && response->status < 300;
		return false;
	}
	if (!ua->auth || !to_proxy(ua, to) || ++au->tries >= MAX_TRIES)
		return false;
	au->sent.known_realms |= ua->realm_known;
	return td_auth_client_challenge(ua->auth, response, &au->sent) == 0;
}

int ua_reply(struct td_ua *ua, struct td_srvtx *st, const struct td_msg *req, unsigned status, struct td_str to_tag,
	     struct td_str headers, struct td_str sdp)
{
	struct td_out o;
	struct td_buf *b;
	int err;

	td_out_init(&o);
	td_put_response_head(&o, req, status, TD_STR_NULL, to_tag, status < 300);
	if (status > 100 && status < 300)
		ua_put_contact(&o, ua, td_srvtx_flow(st));
	td_out_str(&o, headers);
	if (ua->user_agent.n)
		td_put_hdr(&o, TD_HDR_SERVER, ua->user_agent);
	td_put_body(&o, sdp.n ? TD_STR("application/sdp") : TD_STR_NULL, sdp);
	b = td_out_buf(&o);
	if (!b)
		return -ENOMEM;
	err = td_srvtx_reply(st, status, b);
	td_buf_unref(b);
	return err;
}

/* ---- what comes in ---- */

static struct td_call *find_call(struct td_ua *ua, const struct td_msg *m)
{
	struct td_link *l;

	for (l = ua->calls.next; l != &ua->calls; l = l->next) {
		struct td_call *c = TD_CONTAINER_OF(l, struct td_call, link);

		if (c->state != CALL_OVER && c->dialog && td_dialog_matches(c->dialog, m))
			return c;
	}
	return NULL;
}

static void on_options(struct td_ua *ua, struct td_msg *m, const struct td_flow *from)
{
	td_reply_stateless(ua->txl, m, from, 200, TD_STR_NULL, TD_STR("Allow: " ALLOWED "\r\nAccept: application/sdp\r\n"));
}

static const struct td_srvtx_events no_events;

static void on_message(struct td_ua *ua, struct td_msg *m, const struct td_flow *from)
{
	struct td_srvtx *st;

	if (!ua->events || !ua->events->message) {
		td_reply_stateless(ua->txl, m, from, 405, TD_STR_NULL, ua_allow);
		return;
	}
	/* A transaction, so that a retransmission is not shown twice. */
	if (td_srvtx_open(&st, ua->txl, m, from, &no_events, NULL))
		return;
	ua->events->message(ua, m, ua->arg);
	td_srvtx_reply_plain(st, 200, TD_STR_NULL, TD_STR_NULL, TD_STR_NULL);
	td_srvtx_unref(st);
}

static bool requires_unknown(struct td_ua *ua, struct td_msg *m, const struct td_flow *from)
{
	const struct td_hdr *h = td_msg_hdr(m, TD_HDR_REQUIRE);
	struct td_out o;

	if (!h)
		return false;
	td_out_init(&o);
	for (; h; h = td_msg_hdr_next(m, h))
		td_put_hdr(&o, TD_HDR_UNSUPPORTED, td_hdr_value(m, h));
	td_reply_stateless(ua->txl, m, from, 420, TD_STR_NULL, td_out_view(&o));
	td_out_free(&o);
	return true;
}

static void on_request(void *arg, struct td_msg *m, const struct td_flow *from)
{
	struct td_ua *ua = arg;
	struct td_call *c = m->to_tag.p ? find_call(ua, m) : NULL;

	if (requires_unknown(ua, m, from))
		return;
	if (c) {
		ua_call_in_dialog(c, m, from);
		return;
	}
	if (m->to_tag.p)
		td_reply_stateless(ua->txl, m, from, 481, TD_STR_NULL, TD_STR_NULL);
	else if (m->method == TD_OPTIONS)
		on_options(ua, m, from);
	else if (m->method == TD_INVITE)
		ua_call_incoming(ua, m, from);
	else if (m->method == TD_MESSAGE)
		on_message(ua, m, from);
	else
		td_reply_stateless(ua->txl, m, from,
				   m->method == TD_METHOD_OTHER ? 501
				   : m->method == TD_BYE        ? 481
								: 405,
				   TD_STR_NULL, ua_allow);
}

static void on_ack(void *arg, struct td_msg *m, const struct td_flow *from)
{
	struct td_call *c = find_call(arg, m);

	if (c)
		ua_call_ack(c, m);
}

static void on_cancel(void *arg, struct td_msg *m, const struct td_flow *from)
{
	struct td_ua *ua = arg;

	td_reply_stateless(ua->txl, m, from, 481, TD_STR_NULL, TD_STR_NULL);
}

static void on_stray_response(void *arg, struct td_msg *m, const struct td_flow *from) {}

static const struct td_txl_events txl_events = { on_request, on_ack, on_cancel, on_stray_response };

static void on_bytes(void *arg, struct td_msg *m, const struct td_flow *from)
{
	struct td_ua *ua = arg;

	if (m->request && m->defect.status) {
		if (m->method != TD_ACK)
			td_reply_stateless(ua->txl, m, from, m->defect.status, td_str_of(m->defect.why), TD_STR_NULL);
	} else {
		td_txl_receive(ua->txl, m, from);
	}
	td_msg_unref(m);
}

static void on_conn_lost(void *arg, uint64_t conn)
{
	struct td_ua *ua = arg;

	for (struct td_link *l = ua->regs.next; l != &ua->regs; l = l->next)
		ua_reg_lost(TD_CONTAINER_OF(l, struct td_reg, link), conn);
}

static void on_tls_failed(void *arg, const struct td_flow *flow, int err, struct td_str why)
{
	struct td_ua *ua = arg;

	ua->trouble.n = 0;
	td_out_str(&ua->trouble, why);
}

static void on_refused(void *arg, const struct td_addr *to, int err)
{
	ua_requests_refused(arg, to, err);
}

static const struct td_tp_events tp_events = {
	.message = on_bytes, .refused = on_refused, .conn_lost = on_conn_lost, .tls_failed = on_tls_failed
};

/* ---- opening and closing ---- */

static int copy_options(struct td_ua *ua, const struct td_ua_options *opt)
{
	struct td_credentials cred = { .user = opt->auth_user, .realm = opt->realm, .password = opt->password };
	struct td_str text;
	int err;

	err = td_arena_dup(&text, &ua->arena, opt->address);
	if (!err)
		err = td_uri_parse(&ua->address, text);
	if (!err && (ua->address.scheme != TD_SCHEME_SIP || !ua->address.user.n))
		err = TD_ESYNTAX;
	if (!err)
		err = td_arena_dup(&ua->user_agent, &ua->arena, opt->user_agent);
	if (!err)
		err = td_arena_dup(&ua->proxy_host, &ua->arena, opt->proxy_host);
	if (err)
		return err;
	if (!cred.user.n)
		cred.user = ua->address.user;
	return cred.password.n ? td_auth_client_open(&ua->auth, td_loop_rng(ua->loop), &cred) : 0;
}

/* One listener, UDP or TCP as the account says; the same port serves both ways. Over TLS none: a phone has no certificate to show. */
static int open_stack(struct td_ua *ua, const struct td_ua_options *opt)
{
	int err = td_tp_group_open(&ua->group, 1);

	if (!err)
		err = td_tp_open(&ua->tp, ua->group, 0, ua->net, ua->log, NULL, &tp_events, ua);
	if (!err)
		td_tp_set_tls(ua->tp, opt->tls);
	if (!err)
		err = ua->proto == TD_TLS ? td_tp_dial_only(ua->tp, &ua->listener, TD_TLS, &opt->local)
					  : td_tp_listen(ua->tp, &ua->listener, ua->proto, &opt->local);
	if (!err)
		err = td_txl_open(&ua->txl, ua->tp, NULL, ua->log, &txl_events, ua);
	return err;
}

int td_ua_open(struct td_ua **out, const struct td_ua_options *opt)
{
	struct td_ua *ua = calloc(1, sizeof(*ua));
	int err;

	if (!ua)
		return -ENOMEM;
	td_arena_init(&ua->arena);
	td_out_init(&ua->trouble);
	td_list_init(&ua->calls);
	td_list_init(&ua->requests);
	td_list_init(&ua->regs);
	ua->net = opt->net;
	ua->loop = td_net_loop(opt->net);
	ua->log = opt->log;
	ua->proto = opt->proto;
	ua->proxy = opt->proxy;
	ua->events = opt->events;
	ua->arg = opt->arg;
	err = copy_options(ua, opt);
	if (!err)
		err = open_stack(ua, opt);
	if (err) {
		td_ua_close(ua);
		return err;
	}
	*out = ua;
	return 0;
}

void td_ua_close(struct td_ua *ua)
{
	if (!ua)
		return;
	while (!td_list_empty(&ua->calls))
		ua_call_free(TD_CONTAINER_OF(ua->calls.next, struct td_call, link));
	while (!td_list_empty(&ua->regs))
		td_reg_close(TD_CONTAINER_OF(ua->regs.next, struct td_reg, link));
	while (!td_list_empty(&ua->requests))
		td_request_close(TD_CONTAINER_OF(ua->requests.next, struct td_request, link));
	if (ua->txl)
		td_txl_close(ua->txl);
	if (ua->tp)
		td_tp_close(ua->tp);
	if (ua->group)
		td_tp_group_close(ua->group);
	if (ua->auth)
		td_auth_client_close(ua->auth);
	td_out_free(&ua->trouble);
	td_arena_reset(&ua->arena);
	free(ua);
}

const struct td_addr *td_ua_local(const struct td_ua *ua)
{
	return td_tp_listener_addr(ua->tp, ua->listener);
}

struct td_loop *td_ua_loop(struct td_ua *ua)
{
	return ua->loop;
}

struct td_str td_ua_tls_trouble(const struct td_ua *ua)
{
	return td_out_view(&ua->trouble);
}

bool td_ua_busy(const struct td_ua *ua)
{
	struct td_link *l;

	for (l = ua->calls.next; l != &ua->calls; l = l->next) {
		struct td_call *c = TD_CONTAINER_OF(l, struct td_call, link);

		if (c->state == CALL_CANCELLED || c->answered.bytes)
			return true;
	}
	return !td_list_empty(&ua->requests);
}
