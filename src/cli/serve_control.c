/* What a running server answers on its control socket. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/serve.h"

/* ---- status ---- */

static json_t *cert_json(const struct td_cert *c, uint64_t now_s)
{
	struct td_out o;
	json_t *j;

	td_out_init(&o);
	td_fingerprint_print(&o, c->fingerprint);
	j = json_pack("{s:o,s:o,s:I}", "certificate", cli_text(c->file), "fingerprint", cli_text(td_out_view(&o)), "days_left",
		      (json_int_t)(c->ends_s > now_s ? (c->ends_s - now_s) / 86400 : 0));
	td_out_free(&o);
	return j;
}

json_t *serve_certs_json(const struct serve *s)
{
	const struct td_certs *c = td_server_certs(s->server);
	uint64_t now_s = td_loop_wall_s(s->loop);
	json_t *j = c ? cert_json(&c->list[0], now_s) : NULL, *more;

	if (!j || c->n == 1)
		return j;
	more = json_object();
	for (unsigned i = 1; i < c->n; i++)
		json_object_setn_new(more, c->list[i].domain.p, c->list[i].domain.n, cert_json(&c->list[i], now_s));
	json_object_set_new(j, "domains", more);
	return j;
}

struct status_call {
	struct serve *serve;
	struct td_control_reply *reply;
};

#define N(v) (json_int_t)(v)

static json_t *status_json(const struct serve *s, const struct td_server_status *st)
{
	const struct td_config *cfg = td_server_config(s->server);
	struct td_store_stats store = { 0 };
	json_t *o = json_object();

	td_store_stats(&store, s->store);
	json_object_set_new(o, "version", json_string(TANDEM_VERSION));
	json_object_set_new(o, "domain", json_stringn(cfg->domains[0].name.p, cfg->domains[0].name.n));
	json_object_set_new(o, "uptime_s", json_integer(N((td_loop_now_ms(s->loop) - s->started_ms) / 1000)));
	json_object_set_new(o, "pid", json_integer(getpid()));
	json_t *drain = serve_drain_status(s);
	if (drain)
		json_object_set_new(o, "draining", drain);
	json_object_set_new(o, "workers", json_integer(st->workers));
	json_object_set_new(o, "users", json_integer(N(td_users_count(s->users))));
	json_t *registrations = json_pack("{s:I,s:I}", "addresses", N(st->location.aors), "contacts", N(st->location.contacts));
	if (st->location.loaded_percent < 100) /* it has just started */
		json_object_set_new(registrations, "loaded_percent", json_integer(st->location.loaded_percent));
	json_object_set_new(o, "registrations", registrations);
	json_object_set_new(o, "now",
			    json_pack("{s:I,s:I,s:I}", "server_transactions", N(st->txn.srvtx_open), "client_transactions",
				      N(st->txn.clitx_open), "calls", N(st->calls.open)));
	json_object_set_new(o, "requests",
			    json_pack("{s:I,s:I,s:I,s:I,s:I}", "all", N(st->count.requests), "register", N(st->count.registers),
				      "invite", N(st->count.invites), "message", N(st->count.messages), "options",
				      N(st->count.options)));
	json_object_set_new(o, "calls",
			    json_pack("{s:I,s:I}", "answered", N(st->count.calls_answered), "failed", N(st->count.calls_failed)));
	json_object_set_new(o, "tracking",
			    json_pack("{s:I,s:I,s:I,s:I,s:I}", "untracked", N(st->calls.untracked), "caller_full",
				      N(st->calls.caller_full), "callee_full", N(st->calls.callee_full), "recorded",
				      N(st->calls.recorded), "records_lost", N(st->calls.records_lost)));
	json_object_set_new(o, "authentication",
			    json_pack("{s:I,s:I,s:I}", "challenged", N(st->count.challenged), "accepted", N(st->count.auth_ok),
				      "refused", N(st->count.auth_failed)));
	json_object_set_new(o, "refused",
			    json_pack("{s:I,s:I,s:I,s:I,s:I,s:I}", "bad_requests", N(st->count.bad_requests), "relay",
				      N(st->count.refused_relay), "rate_limited", N(st->count.rate_limited), "loops",
				      N(st->count.loops), "junk", N(st->tp.dropped_junk + st->tp.dropped_syntax), "overload",
				      N(st->count.overload)));
	json_object_set_new(o, "bans",
			    json_pack("{s:I,s:I,s:I}", "made", N(st->bans.made), "dropped", N(st->guard.banned), "uncounted",
				      N(st->bans.lost)));
	json_object_set_new(o, "transport",
			    json_pack("{s:I,s:I,s:I,s:I}", "messages", N(st->tp.messages), "sent", N(st->tp.sent), "connections",
				      N(st->tp.conns_opened + st->tp.conns_accepted - st->tp.conns_closed), "send_failed",
				      N(st->tp.send_failed)));
	if (st->dns.asked)
		json_object_set_new(o, "dns",
				    json_pack("{s:I,s:I,s:I,s:I,s:I,s:I}", "asked", N(st->dns.asked), "cached", N(st->dns.cached),
					      "questions", N(st->dns.questions), "timeouts", N(st->dns.timeouts), "failures",
					      N(st->dns.failures), "strange", N(st->dns.strange)));
	json_t *tls = serve_certs_json(s);
	if (tls) {
		json_object_set_new(tls, "handshakes", json_integer(N(st->tp.tls_handshakes)));
		json_object_set_new(tls, "failed", json_integer(N(st->tp.tls_failed)));
		json_object_set_new(o, "tls", tls);
	}
	json_object_set_new(o, "retransmissions",
			    json_pack("{s:I,s:I,s:I}", "in", N(st->txn.retransmissions_in), "out", N(st->txn.retransmissions_out),
				      "timeouts", N(st->txn.timeouts)));
	json_t *hep = serve_hep_status(s);
	if (hep)
		json_object_set_new(o, "hep", hep);
	json_object_set_new(o, "store",
			    json_pack("{s:I,s:I,s:I,s:I}", "commits", N(store.commits), "writes", N(store.writes), "failed",
				      N(store.failed), "queued", N(store.queued)));
	return o;
}

static void on_status(void *arg, const struct td_server_status *st)
{
	struct status_call *call = arg;

	td_control_put(call->reply, status_json(call->serve, st));
	td_control_end(call->reply, NULL);
	free(call);
}

static void answer_status(struct serve *s, struct td_control_reply *r)
{
	struct status_call *call = calloc(1, sizeof(*call));

	if (!call || td_server_status(s->server, s->loop, on_status, call)) {
		free(call);
		td_control_end(r, "out of memory");
		return;
	}
	*call = (struct status_call){ s, r };
}

/* ---- registrations ---- */

struct registrations_call {
	struct td_control_reply *reply;
	uint64_t now_s;
};

static void on_registration(void *arg, struct td_str aor, const struct td_binding *b)
{
	struct registrations_call *call = arg;
	char peer[TD_ADDR_TEXT];
	struct td_instance instance;
	struct td_str proto;
	json_t *o;

	if (!aor.p) {
		td_control_end(call->reply, NULL);
		free(call);
		return;
	}
	td_addr_text(peer, &b->flow.peer);
	proto = td_proto_name(b->flow.proto);
	o = json_pack("{s:o,s:o,s:I,s:s,s:o,s:o}", "aor", cli_text(aor), "contact", cli_text(b->contact), "expires",
		      N(b->expires_at_s > call->now_s ? b->expires_at_s - call->now_s : 0), "via", peer, "transport",
		      cli_text(proto), "user_agent", cli_text(b->user_agent));
	if (b->path.n)
		json_object_set_new(o, "path", cli_text(b->path));
	if (td_instance_of(&instance, b->params))
		json_object_set_new(o, "instance", cli_text(instance.id));
	if (instance.reg_id)
		json_object_set_new(o, "reg_id", json_integer(instance.reg_id));
	td_control_put(call->reply, o);
}

static void answer_registrations(struct serve *s, const json_t *request, struct td_control_reply *r)
{
	const char *aor = json_string_value(json_object_get(request, "aor"));
	struct registrations_call *call = calloc(1, sizeof(*call));
	struct td_out full;
	int err = call ? 0 : -1;

	td_out_init(&full);
	if (aor) {
		td_out_z(&full, td_str_istarts(td_str_of(aor), TD_STR("sip:")) ? aor + 4 : aor);
		if (!strchr(aor, '@'))
			td_out_fmt(&full, "@%.*s", TD_FMT(td_server_config(s->server)->domains[0].name));
	}
	if (call) {
		*call = (struct registrations_call){ r, td_loop_wall_s(s->loop) };
		err = td_location_each(td_server_location(s->server), s->loop, td_out_view(&full), on_registration, call);
	}
	td_out_free(&full);
	if (err) {
		free(call);
		td_control_end(r, "out of memory");
	}
}

/* ---- calls ---- */

static json_t *time_json(uint64_t ms)
{
	return ms ? json_integer(N(ms)) : json_null();
}

static void on_call(void *arg, const struct td_call_view *v)
{
	struct td_control_reply *r = arg;
	char id[17];

	if (!v) {
		td_control_end(r, NULL);
		return;
	}
	snprintf(id, sizeof(id), "%016" PRIx64, v->id);
	td_control_put(r, json_pack("{s:s,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "id", id, "state",
				    cli_text(td_call_state_name(v->state)), "caller", cli_text(v->caller), "callee",
				    cli_text(v->callee), "call_id", cli_text(v->call_id), "start_ms", time_json(v->start_ms),
				    "ring_ms", time_json(v->ring_ms), "answer_ms", time_json(v->answer_ms)));
}

static void answer_calls(struct serve *s, struct td_control_reply *r)
{
	if (td_calls_each(td_server_calls(s->server), s->loop, on_call, r))
		td_control_end(r, "out of memory");
}

/* ---- bans ---- */

static void on_bans(void *arg, const struct td_ban *list, size_t n, int err)
{
	struct td_control_reply *r = arg;

	for (size_t i = 0; i < n && !err; i++) {
		const struct td_ban *b = &list[i];
		struct td_out source;

		td_out_init(&source);
		td_ip_print(&source, &b->source);
		td_control_put(r, json_pack("{s:o,s:o,s:I,s:I,s:I,s:I}", "source", cli_text(td_out_view(&source)), "why",
					    cli_text(td_offence_name(b->why)), "offences", N(b->offences), "times", N(b->times),
					    "for_s", N(b->for_s), "left_s", N(b->left_s)));
		td_out_free(&source);
	}
	td_control_end(r, err ? td_strerror(err) : NULL);
}

static void answer_bans(struct serve *s, const json_t *request, struct td_control_reply *r)
{
	const char *remove = json_string_value(json_object_get(request, "remove"));
	struct td_addr source;

	if (remove && td_ip_parse(&source, td_str_of(remove)))
		td_control_end(r, "\"remove\" is no address");
	else if (td_bans_ask(td_server_bans(s->server), remove ? &source : NULL, s->loop, on_bans, r))
		td_control_end(r, "out of memory");
}

/* ---- users ---- */

static void answer_user(struct serve *s, const json_t *request, struct td_control_reply *r)
{
	struct td_str aor = td_str_of(json_string_value(json_object_get(request, "aor")));
	int err;

	if (!aor.n) {
		td_control_end(r, "want \"aor\"");
		return;
	}
	err = td_store_find_user(s->store, aor, serve_put_user, s->users);
	if (err == TD_ENOTFOUND) {
		td_users_remove(s->users, aor);
		err = 0;
	} else if (err == TD_EEXIST) {
		err = serve_load_users(s); /* its extension was another's, and that change was not told */
	}
	td_control_end(r, err ? td_strerror(err) : NULL);
}

static void answer_reload(struct serve *s, struct td_control_reply *r)
{
	struct td_out notes;
	int err;

	td_out_init(&notes);
	err = serve_reload(s, &notes);
	td_out_char(&notes, '\0');
	if (err) {
		td_control_end(r, notes.n > 1 ? notes.p : td_strerror(err));
	} else {
		if (notes.n > 1)
			td_control_put(r, json_pack("{s:s}", "note", notes.p));
		td_control_end(r, NULL);
	}
	td_out_free(&notes);
}

void serve_on_request(void *arg, const json_t *request, struct td_control_reply *r)
{
	struct serve *s = arg;
	struct td_str cmd = td_str_of(json_string_value(json_object_get(request, "cmd")));

	if (!s->server)
		td_control_end(r, "the server is still starting");
	else if (td_str_eq(cmd, TD_STR("status")))
		answer_status(s, r);
	else if (td_str_eq(cmd, TD_STR("registrations")))
		answer_registrations(s, request, r);
	else if (td_str_eq(cmd, TD_STR("calls")))
		answer_calls(s, r);
	else if (td_str_eq(cmd, TD_STR("bans")))
		answer_bans(s, request, r);
	else if (td_str_eq(cmd, TD_STR("user")))
		answer_user(s, request, r);
	else if (td_str_eq(cmd, TD_STR("users")))
		td_control_end(r, serve_load_users(s) ? "the store cannot be read" : NULL);
	else if (td_str_eq(cmd, TD_STR("why")))
		serve_why(s, request, r);
	else if (td_str_eq(cmd, TD_STR("trace")))
		serve_trace(s, request, r);
	else if (td_str_eq(cmd, TD_STR("drain")))
		serve_drain(s, request, r);
	else if (td_str_eq(cmd, TD_STR("reload")))
		answer_reload(s, r);
	else
		td_control_end(r, "no such command");
}
