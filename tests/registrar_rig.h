/*
 * A registrar with everything it stands on, and nothing else of a server: one loop, a simulated wire, a store in memory. The
 * phone is a UDP socket that remembers the last status it was told. 10.0.1.1 is trusted for any.test. For tests that want to
 * fail allocations or to run for a million inputs. Without cmocka.
 */
#ifndef TESTS_REGISTRAR_RIG_H
#define TESTS_REGISTRAR_RIG_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "server/registrar/registrar.h"

#define MUST(x)                                                                 \
	do {                                                                    \
		if (!(x)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x); \
			abort();                                                \
		}                                                               \
	} while (0)

struct rig {
	struct td_sim *sim;
	struct td_wire *wire;
	struct td_loop *loop, *phone_loop;
	struct td_net *net, *phone_net;
	struct td_tp_group *group;
	struct td_udp *phone;
	struct td_store *store;
	struct td_registrar *registrar;
	struct td_counters counters;
	struct td_core core;
	struct td_flow from;                             /* as the server sees the phone */
	unsigned status, answers, contacts, unavailable; /* the last; how many; of the last; how many 503 */
};

static inline void rig_heard(struct td_udp *udp, struct td_buf *buf, const struct td_addr *from, void *arg)
{
	struct rig *r = arg;
	struct td_values it;
	struct td_str v;
	struct td_msg *m;

	if (td_msg_parse(&m, buf, 0, buf->len))
		return;
	r->answers++;
	r->status = m->status;
	r->unavailable += m->status == 503;
	r->contacts = 0;
	td_values_of(&it, m, TD_HDR_CONTACT);
	while (td_values_next(&v, &it) == 1)
		r->contacts++;
	td_msg_unref(m);
}

static inline void rig_message(void *arg, struct td_msg *msg, const struct td_flow *from)
{
	td_msg_unref(msg);
}

static inline void rig_open_location(struct rig *r)
{
	const struct td_location_options opt = { .durable = true, .store = r->store, .workers = 1 };

	MUST(!td_location_open(&r->core.location, td_sim_rng(r->sim), &opt));
	MUST(!td_location_attach(r->core.location, 0, r->loop));
	MUST(!td_location_load(r->core.location));
}

static inline void rig_open_server(struct rig *r)
{
	static const struct td_tp_events tp_events = { .message = rig_message };
	static const struct td_txl_events txl_events;
	const struct td_txn_timers timers = { 500, 4000, 5000 };
	const struct td_nonce_options nonces = { .windows = 64 };
	struct td_out errors;
	struct td_addr at;
	unsigned listener;

	td_out_init(&errors);
	MUST(!td_config_parse(&r->core.cfg, &errors, TD_STR("rig"),
			      TD_STR("domains: [{name: example.test}, {name: any.test, users: any}]\n"
				     "listen: [\"udp:10.0.0.1:5060\"]\nworkers: 1\ntrust: [10.0.1.0/24]\nstate: ./state\n")));
	MUST(!td_tp_group_open(&r->group, 1));
	MUST(!td_tp_open(&r->core.tp, r->group, 0, r->net, NULL, NULL, &tp_events, r));
	MUST(!td_addr_parse(&at, TD_STR("10.0.0.1:5060")));
	MUST(!td_tp_listen(r->core.tp, &listener, TD_UDP, &at));
	MUST(!td_txl_open(&r->core.txl, r->core.tp, &timers, NULL, &txl_events, r));
	MUST(!td_users_open(&r->core.users, td_sim_rng(r->sim)));
	MUST(!td_nonces_open(&r->core.nonces, td_sim_rng(r->sim), &nonces));
	MUST(!td_store_open(&r->store, &(struct td_store_options){ 0 }, &errors));
	td_out_free(&errors);
	rig_open_location(r);
	r->core.workers = 1;
	r->core.loop = r->loop;
	r->core.counters = &r->counters;
	MUST(!td_registrar_open(&r->registrar, &r->core));
}

static inline void rig_open(struct rig *r)
{
	struct td_addr ip;

	memset(r, 0, sizeof(*r));
	MUST(!td_sim_open(&r->sim, 1));
	td_sim_set_wall(r->sim, 1700000000);
	MUST(!td_wire_open(&r->wire, r->sim));
	td_wire_rules(r->wire, &(struct td_wire_rules){ .delay_us = 100 });
	MUST(!td_sim_loop(&r->loop, r->sim));
	MUST(!td_sim_loop(&r->phone_loop, r->sim));
	MUST(!td_ip_parse(&ip, TD_STR("10.0.0.1")));
	MUST(!td_net_open_sim(&r->net, r->loop, r->wire, &ip));
	MUST(!td_ip_parse(&ip, TD_STR("10.0.1.1")));
	MUST(!td_net_open_sim(&r->phone_net, r->phone_loop, r->wire, &ip));
	ip.port = 5060;
	MUST(!td_udp_open(&r->phone, r->phone_net, &ip, 0, rig_heard, r));
	r->from = (struct td_flow){ .peer = ip, .proto = TD_UDP };
	rig_open_server(r);
}

static inline void rig_close(struct rig *r)
{
	td_registrar_close(r->registrar);
	td_location_detach(r->core.location, 0);
	td_txl_close(r->core.txl);
	td_tp_close(r->core.tp);
	td_udp_close(r->phone);
	td_sim_run(r->sim, 1); /* sockets go at the end of a turn */
	td_store_close(r->store);
	td_location_close(r->core.location);
	td_tp_group_close(r->group);
	td_nonces_close(r->core.nonces);
	td_users_close(r->core.users);
	td_config_unref(r->core.cfg);
	td_net_close(r->net);
	td_net_close(r->phone_net);
	td_wire_close(r->wire);
	td_loop_close(r->loop);
	td_loop_close(r->phone_loop);
	td_sim_close(r->sim);
}

/* One message through gate and registrar, as a worker would. lines: whole header lines. 0, TD_ESYNTAX, -ENOMEM. */
static inline int rig_request(struct rig *r, struct td_str aor, struct td_str call_id, uint32_t cseq, struct td_str lines,
			      bool trusted)
{
	struct td_flow from = r->from;
	struct td_gate who;
	struct td_msg *m;
	struct td_buf *b;
	struct td_out o;
	int err;

	td_out_init(&o);
	td_out_fmt(&o,
		   "REGISTER sip:any.test SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.1.1;branch=z9hG4bK%u\r\nMax-Forwards: 70\r\nFrom: "
		   "<sip:%.*s>;tag=1\r\n"
		   "To: <sip:%.*s>\r\nCall-ID: %.*s\r\nCSeq: %u REGISTER\r\n",
		   cseq, TD_FMT(aor), TD_FMT(aor), TD_FMT(call_id), cseq);
	td_out_str(&o, lines);
	td_out_z(&o, "Content-Length: 0\r\n\r\n");
	b = td_out_buf(&o);
	if (!b) {
		td_out_free(&o);
		return -ENOMEM;
	}
	err = td_msg_parse(&m, b, 0, b->len);
	td_buf_unref(b);
	if (err)
		return err;
	if (!trusted)
		from.peer.ip[2] = 2;
	if (m->defect.status)
		err = TD_ESYNTAX;
	else
		err = td_gate_check(&who, &r->core, m, &from, TD_STR("any.test"));
	if (!err)
		td_registrar_request(r->registrar, m, &from, &who);
	td_msg_unref(m);
	return err;
}

#endif
