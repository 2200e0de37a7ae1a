/*
 * Where a phone's requests go: --proxy, or the domain itself, by its DNS records (RFC 3263). It is looked up before anything else, on a
 * transport that is there for no more than to say what we speak. IPv4 first, since no phone here tries two addresses at once.
 *
 * A server that did not answer is passed over the next time (phone_again()): the records are asked for anew and give the same order.
 */
#include <stdio.h>

#include "cli/phone.h"

struct search {
	struct phone *phone;
	struct td_locate *locate;
	struct td_hop hop;
	unsigned skip;
	int err;
	bool over;
};

static void drop(void *arg, struct td_msg *msg, const struct td_flow *from)
{
	(void)arg;
	(void)from;
	td_msg_unref(msg);
}

static void found(void *arg, int err, const struct td_hop *hop)
{
	struct search *s = arg;

	if (!err && s->skip) {
		s->skip--;
		td_locate_next(s->locate);
		return;
	}
	s->over = true;
	s->err = err;
	if (!err)
		s->hop = *hop;
	td_loop_stop(s->phone->loop);
}

static const struct td_locate_events locate_events = { .found = found };

/* TLS only where it is asked for, or somebody said whom to believe: a server's certificate is mostly one that it made itself. */
static bool wants_tls(const struct phone *ph, const struct td_uri *uri)
{
	struct td_param p;

	return uri->scheme == TD_SCHEME_SIPS || ph->tls_ca || ph->tls_fingerprint ||
	       (td_param_find(&p, uri->params, TD_STR("transport")) && td_str_ieq(p.value, TD_STR("tls")));
}

static int listen_all(struct td_tp *tp, uint8_t family, bool tls)
{
	static const enum td_proto protos[] = { TD_UDP, TD_TCP };
	const struct td_addr any = { .family = family };
	unsigned index;
	int err = 0;

	for (size_t i = 0; i < TD_ARRAY_LEN(protos) && !err; i++)
		err = td_tp_listen(tp, &index, protos[i], &any);
	return err || !tls ? err : td_tp_dial_only(tp, &index, TD_TLS, &any);
}

static void search(struct search *s, struct td_locator *lr, const struct td_uri *uri)
{
	s->err = td_locate_open(&s->locate, lr, uri, s->phone->order, &locate_events, s);
	if (s->err)
		return;
	td_locate_next(s->locate);
	td_loop_run(s->phone->loop);
	td_locate_close(s->locate);
}

static void search_family(struct search *s, struct td_dns *dns, const struct td_uri *uri, uint8_t family)
{
	static const struct td_tp_events events = { .message = drop };
	struct td_tp_group *group = NULL;
	struct td_locator *lr = NULL;
	struct td_tp *tp = NULL;
	int err = td_tp_group_open(&group, 1);

	if (!err)
		err = td_tp_open(&tp, group, 0, s->phone->net, s->phone->log, NULL, &events, NULL);
	if (!err)
		err = listen_all(tp, family, wants_tls(s->phone, uri));
	if (!err)
		err = td_locator_open(&lr, tp, dns, s->phone->log);
	s->err = err;
	if (!err)
		search(s, lr, uri);
	td_locator_close(lr);
	if (tp)
		td_tp_close(tp);
	if (group)
		td_tp_group_close(group);
}

static int read_server(struct td_addr *out, struct td_str s)
{
	if (td_ip_parse(out, s) == 0) {
		out->port = 53;
		return 0;
	}
	return td_addr_parse(out, s);
}

static int explain(const struct phone *ph, const struct search *s, const struct td_uri *uri)
{
	if (!s->over && !s->err) /* Ctrl-C */
		return ph->status ? ph->status : CLI_NO_ANSWER;
	if (s->err == TD_EUNSUPPORTED)
		return cli_fail(ph->cmd, CLI_NO_ANSWER,
				"\"%.*s\" wants a transport that this phone does not speak (it has udp and tcp, and tls where "
				"that is asked for)",
				TD_FMT(uri->host));
	return cli_fail(ph->cmd, CLI_NO_ANSWER, "the name \"%.*s\" has no address%s (--proxy tells where to send)",
			TD_FMT(uri->host), s->err == TD_ETIMEOUT ? ": no name server answered" : "");
}

static void tell_next(struct phone *ph, const struct td_hop *next)
{
	char one[TD_ADDR_TEXT], two[TD_ADDR_TEXT];
	const char *why = ph->tls_why[0] ? ph->tls_why : td_strerror(ph->failed);

	td_addr_text(one, &ph->hop.addr);
	td_addr_text(two, &next->addr);
	phone_event(ph, "next_server", json_pack("{s:s,s:s,s:o}", "failed", one, "next", two, "why", cli_text(td_str_of(why))));
	if (!ph->json)
		fprintf(stderr, "no answer from %s (%s); the next server is tried, %s\n", one, td_strerror(ph->failed), two);
}

int phone_next_hop(struct td_hop *out, struct phone *ph, const struct td_uri *uri)
{
	static const uint8_t families[] = { TD_AF_V4, TD_AF_V6 };
	struct search s = { .phone = ph, .err = TD_ENOTFOUND, .skip = ph->skip };
	struct td_dns_options opt = { .log = ph->log };
	void (*interrupted)(struct phone *) = ph->interrupted;
	struct td_addr server, a;
	struct td_dns *dns;

	if (ph->dns && read_server(&server, td_str_of(ph->dns)))
		return cli_fail(ph->cmd, CLI_USAGE,
				"--dns \"%s\" is no address (want a number like 192.0.2.53, or 192.0.2.53:5353)", ph->dns);
	if (!ph->order)
		ph->order = td_rng_u64(td_loop_rng(ph->loop)) | 1;
	opt.servers = &server;
	opt.server_n = ph->dns ? 1 : 0;
	if (td_dns_open(&dns, ph->net, &opt))
		return cli_fail(ph->cmd, CLI_FAULT, "no memory for the name server's answers");
	ph->interrupted = NULL; /* there is nobody yet to say good-bye to */
	for (size_t i = 0; i < TD_ARRAY_LEN(families) && s.err && s.err != TD_EUNSUPPORTED; i++) {
		if (td_ip_parse(&a, uri->host) == 0 && a.family != families[i])
			continue;
		s.over = false;
		search_family(&s, dns, uri, families[i]);
	}
	ph->interrupted = interrupted;
	td_dns_close(dns);
	if (s.err && ph->skip)
		return phone_no_answer(ph);
	if (s.err || !s.over)
		return explain(ph, &s, uri);
	if (ph->skip)
		tell_next(ph, &s.hop);
	ph->hop = s.hop;
	*out = s.hop;
	snprintf(ph->host, sizeof(ph->host), "%.*s", TD_FMT(uri->host)); /* whom a certificate has to name */
	return 0;
}
