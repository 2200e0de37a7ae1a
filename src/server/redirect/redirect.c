/*
 * One server transaction per request, as §8.3 wants it: it absorbs what is sent again, and a CANCEL that comes while another
 * worker is being asked gets its 200, and the INVITE its 487. The features a request asks for are the business of whom it is
 * redirected to ("ignore features that are not understood").
 *
 * A binding is named unless nobody could follow: when it is the Request-URI itself (§8.3 forbids to say so, it is a loop), or
 * when it is reached by a Path only (RFC 3327), which no Contact can express.
 */
#include "server/redirect/redirect.h"

#include <errno.h>
#include <stdlib.h>

struct td_redirect {
	struct td_core *core;
	struct td_link asked; /* whose address another worker knows */
};

struct asked {
	struct td_link link;
	struct td_core *core;
	struct td_srvtx *st;
	struct td_msg *msg;
	struct td_loc_call *lookup;
};

static void end(struct asked *a)
{
	if (a->lookup)
		td_loc_cancel(a->lookup);
	if (a->st) {
		td_srvtx_detach(a->st);
		td_srvtx_unref(a->st);
	}
	td_msg_unref(a->msg);
	td_list_del(&a->link);
	free(a);
}

/* Fails only when memory is out or the connection gone: then the caller asks again. */
static void reply(struct asked *a, unsigned status, struct td_str extra)
{
	td_srvtx_reply_plain(a->st, status, TD_STR_NULL, TD_STR_NULL, extra);
}

static bool can_be_followed(const struct asked *a, const struct td_binding *b)
{
	struct td_uri uri;

	return !b->path.n && !td_uri_parse(&uri, b->contact) && !td_uri_eq(&uri, &a->msg->ruri);
}

/* By what a phone is woken is nobody else's business (RFC 8599 §13). */
static void put_uri(struct td_out *o, struct td_str text)
{
	struct td_param p;
	struct td_uri uri;
	struct td_str rest;

	if (td_uri_parse(&uri, text) || !uri.params.n) {
		td_out_str(o, text);
		return;
	}
	td_out_str(o, td_str_n(text.p, (size_t)(uri.params.p - text.p)));
	for (rest = uri.params; td_param_next(&p, &rest) == 1;) {
		if (td_str_istarts(p.name, TD_STR("pn-")))
			continue;
		td_out_char(o, ';');
		td_out_str(o, p.name);
		if (p.value.p) {
			td_out_char(o, '=');
			td_out_str(o, p.value);
		}
	}
	td_out_str(o, td_str_n(uri.params.p + uri.params.n, (size_t)(text.p + text.n - uri.params.p - uri.params.n)));
}

static void put_contact(struct td_out *o, const struct td_binding *b, uint64_t wall_s)
{
	td_out_z(o, "Contact: <");
	put_uri(o, b->contact);
	td_out_fmt(o, ">;q=%d.%03d;expires=%llu\r\n", b->q / 1000, b->q % 1000, (unsigned long long)(b->expires_at_s - wall_s));
}

static void found(void *arg, int err, const struct td_binding *b, unsigned n)
{
	struct asked *a = arg;
	struct td_out o;

	a->lookup = NULL;
	td_out_init(&o);
	for (unsigned i = 0; i < n; i++)
		if (can_be_followed(a, &b[i]))
			put_contact(&o, &b[i], td_loop_wall_s(a->core->loop));
	if (err || o.failed)
		reply(a, 500, TD_STR_NULL);
	else
		reply(a, o.n ? 302 : 480, td_out_view(&o));
	td_out_free(&o);
	end(a);
}

static void cancelled(struct td_srvtx *st, struct td_msg *cancel, void *arg)
{
	struct asked *a = arg;

	reply(a, 487, TD_STR_NULL);
	end(a);
}

static const struct td_srvtx_events events = { .cancelled = cancelled };

void td_redirect_request(struct td_redirect *rd, struct td_msg *msg, const struct td_flow *from, const struct td_route *route)
{
	struct td_core *core = rd->core;
	struct asked *a = calloc(1, sizeof(*a));

	if (!a || td_srvtx_open(&a->st, core->txl, msg, from, &events, a)) {
		free(a);
		td_reply_stateless(core->txl, msg, from, 500, TD_STR_NULL, TD_STR_NULL);
		return;
	}
	a->core = core;
	a->msg = td_msg_ref(msg);
	td_list_add_tail(&rd->asked, &a->link);
	if (td_location_lookup(&a->lookup, core->location, core->worker, route->aor, found, a)) {
		a->lookup = NULL;
		reply(a, 500, TD_STR_NULL);
		end(a);
	}
}

int td_redirect_open(struct td_redirect **out, struct td_core *core)
{
	struct td_redirect *rd = calloc(1, sizeof(*rd));

	if (!rd)
		return -ENOMEM;
	rd->core = core;
	td_list_init(&rd->asked);
	*out = rd;
	return 0;
}

void td_redirect_close(struct td_redirect *rd)
{
	if (!rd)
		return;
	while (!td_list_empty(&rd->asked))
		end(TD_CONTAINER_OF(rd->asked.next, struct asked, link));
	free(rd);
}
