/* HEP export of a running server: an exporter on the main thread's loop, for as long as the configuration names a collector. */
#include <stdlib.h>

#include "cli/serve.h"

struct serve_hep {
	struct td_hep *hep;
	struct td_net *net;
	struct td_addr to;
};

static int read_rings(void *arg, struct td_trace_cursor *cursors, td_traces_read_fn *fn, void *fn_arg)
{
	struct serve *s = arg;

	return td_server_trace(s->server, cursors, true, s->loop, fn, fn_arg);
}

static bool local_address(void *arg, struct td_addr *out, unsigned listener)
{
	struct serve *s = arg;
	struct td_listen l;

	if (listener >= td_server_listeners(s->server))
		return false;
	td_server_listener(&l, s->server, listener);
	*out = l.addr;
	return true;
}

void serve_hep_stop(struct serve *s)
{
	if (!s->hep)
		return;
	td_hep_close(s->hep->hep);
	td_net_close(s->hep->net);
	free(s->hep);
	s->hep = NULL;
}

void serve_hep_follow(struct serve *s)
{
	const struct td_addr *to = &td_server_config(s->server)->trace.hep;
	struct td_hep_options opt = {
		.loop = s->loop,
		.to = *to,
		.workers = td_server_workers(s->server),
		.read = read_rings,
		.local = local_address,
		.arg = s,
	};
	char text[TD_ADDR_TEXT];
	int err;

	if (s->hep && td_addr_eq(&s->hep->to, to))
		return;
	serve_hep_stop(s);
	if (to->family == TD_AF_NONE)
		return;
	s->hep = calloc(1, sizeof(*s->hep));
	err = s->hep ? td_net_open(&s->hep->net, s->loop) : -1;
	if (!err) {
		s->hep->to = *to;
		opt.net = s->hep->net;
		err = td_hep_open(&s->hep->hep, &opt);
		if (err)
			td_net_close(s->hep->net);
	}
	if (err) {
		free(s->hep);
		s->hep = NULL;
		td_log(s->log, TD_LOG_WARN, "serve no hep", TD_KZ("collector", td_addr_text(text, to)), TD_KERR(err),
		       TD_KZ("next", "nothing is exported until the next reload"));
	}
}

json_t *serve_hep_status(const struct serve *s)
{
	const struct td_hep_stats *st = s->hep ? td_hep_stats(s->hep->hep) : NULL;

	return st ? json_pack("{s:I,s:I,s:I}", "sent", (json_int_t)st->sent, "unsent", (json_int_t)st->unsent, "missed",
			      (json_int_t)st->missed)
		  : NULL;
}
