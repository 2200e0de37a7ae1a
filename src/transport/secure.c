/*
 * TLS on a connection: its handshake, and for whom the connection may be used (T5).
 *
 * A handshake has as long as a first message has (tp_conn's timer), and there are so many at a time on a worker: when one more begins,
 * the oldest ends. Honest ones take a few round trips, so who wants to keep them out must open connections faster than those last, and
 * runs into the limits per source before (T4).
 *
 * A connection leads to those its peer has proved to be: the names in the certificate it showed (RFC 5922 §7.1). One that was opened for
 * example.test is not used for another domain that happens to live at the same address, unless the certificate names both. A phone shows
 * no certificate; its connection leads to nothing but the address it came from, when only that was asked for.
 *
 * Aliases (RFC 5923): a proxy that connects to us from some port says in its Via where it listens. With `alias` there, and a certificate
 * that was verified, requests to that address and to a name in that certificate go back over the connection.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>

struct tp_alias {
	struct td_map_node node; /* in tp->aliases */
	struct tp_shared shared; /* with the address that was told, in the group's table */
};

struct alias_key {
	const struct td_addr *peer;
	struct td_str host;
};

static void shaking_begin(struct tp_conn *c)
{
	struct td_tp *tp = c->tp;

	if (tp->shaking_n >= tp->limits.handshakes)
		tp_conn_end(TD_CONTAINER_OF(tp->shaking.next, struct tp_conn, shaking), TD_ELIMIT, false);
	td_list_add_tail(&tp->shaking, &c->shaking);
	tp->shaking_n++;
}

static void shaking_end(struct tp_conn *c)
{
	if (!td_link_on(&c->shaking))
		return;
	td_list_del(&c->shaking);
	c->tp->shaking_n--;
}

int tp_secure_accept(struct tp_conn *c, const struct tp_listener *ln)
{
	int err = td_conn_tls_accept(c->io, c->tp->tls, (enum td_tls_clients)ln->clients);

	if (!err)
		shaking_begin(c);
	return err;
}

int tp_secure_connect(struct tp_conn *c, struct td_str host)
{
	char name[TD_TLS_NAME];
	struct td_out o;
	int err = c->tp->tls ? td_tls_name(name, host) : TD_EUNSUPPORTED;

	if (!err)
		err = td_conn_tls_connect(c->io, c->tp->tls, host);
	if (err)
		return err;
	td_out_init(&o);
	td_out_fmt(&o, "%s\n", name);
	c->shared.names = td_out_buf(&o);
	if (!c->shared.names)
		return -ENOMEM;
	shaking_begin(c);
	return 0;
}

void tp_secure_up(struct tp_conn *c)
{
	struct td_buf *names = td_conn_tls_names(c->io);

	shaking_end(c);
	c->tp->stats.tls_handshakes++;
	if (!names)
		return;
	/* Other workers read the names under the table's lock. */
	tp_group_unshare(c->tp->group, &c->shared);
	td_buf_unref(c->shared.names);
	c->shared.names = td_buf_ref(names);
	tp_group_share(c->tp->group, &c->shared);
}

void tp_secure_failed(const struct tp_conn *c, int err)
{
	struct td_tp *tp = c->tp;
	struct td_flow flow = tp_conn_flow(c);
	char text[TD_ADDR_TEXT];
	struct td_out why;

	if (err != TD_ETLS && err != TD_ECERT && err != TD_ENAME)
		return;
	tp->stats.tls_failed++;
	td_out_init(&why);
	td_conn_tls_why(&why, c->io);
	td_log(tp->log, TD_LOG_INFO, "transport tls failed", TD_KZ("peer", td_addr_text(text, &flow.peer)),
	       TD_KZ("side", c->source ? "accepted" : "opened"), TD_KERR(err), TD_KS("why", td_out_view(&why)));
	if (tp->events->tls_failed)
		tp->events->tls_failed(tp->arg, &flow, err, td_out_view(&why));
	td_out_free(&why);
}

bool tp_secure_leads_to(const struct tp_shared *s, struct td_str host)
{
	struct td_addr ip;

	if (s->names && td_tls_names_have(td_buf_str(s->names), host))
		return true;
	return s->accepted && !td_ip_parse(&ip, host) && td_ip_eq(&ip, &s->flow.peer);
}

/* ---- aliases ---- */

static bool alias_eq(const struct td_map_node *node, const void *key)
{
	const struct tp_alias *a = TD_CONTAINER_OF(node, struct tp_alias, node);
	const struct alias_key *k = key;

	return td_addr_eq(&a->shared.flow.peer, k->peer) && tp_secure_leads_to(&a->shared, k->host);
}

const struct tp_shared *tp_alias_find(const struct td_tp *tp, const struct td_addr *peer, struct td_str host)
{
	struct alias_key key = { peer, host };
	struct td_map_node *n;

	if (!tp->aliases.count)
		return NULL;
	n = td_map_find(&tp->aliases, td_addr_hash(&tp->key, peer), alias_eq, &key);
	return n ? &TD_CONTAINER_OF(n, struct tp_alias, node)->shared : NULL;
}

/* No memory for it is no harm: another connection is opened, as if `alias` had not been there (RFC 5923 §8.2). */
void tp_alias_learn(struct tp_conn *c, const struct td_msg *msg)
{
	struct td_tp *tp = c->tp;
	struct td_param alias;
	struct tp_alias *a;

	if (c->alias || !c->source || !c->shared.names || !msg->request || msg->defect.status ||
	    !td_param_find(&alias, msg->via.params, TD_STR("alias")))
		return;
	if (!tp->aliases.buckets && td_map_init(&tp->aliases, 16))
		return;
	a = calloc(1, sizeof(*a));
	if (!a)
		return;
	a->shared.flow = tp_conn_flow(c);
	a->shared.flow.peer.port = msg->via.port ? msg->via.port : td_proto_port(TD_TLS);
	a->shared.names = td_buf_ref(c->shared.names);
	td_map_add(&tp->aliases, &a->node, td_addr_hash(&tp->key, &a->shared.flow.peer));
	tp_group_share(tp->group, &a->shared);
	c->alias = a;
}

static void alias_free(struct tp_conn *c)
{
	struct tp_alias *a = c->alias;

	if (!a)
		return;
	c->alias = NULL;
	td_map_del(&c->tp->aliases, &a->node);
	tp_group_unshare(c->tp->group, &a->shared);
	td_buf_unref(a->shared.names);
	free(a);
}

void tp_secure_end(struct tp_conn *c)
{
	shaking_end(c);
	alias_free(c);
}
