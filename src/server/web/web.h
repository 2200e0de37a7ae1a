/*
 * server/web: SIP over WebSocket (RFC 7118, RFC 6455), by libwebsockets. It runs on one loop, of a thread of its own (server/worker),
 * and has every connection adopted by that thread's transport (td_tp_adopt); from there on it is a connection like any other. What
 * this room adds is the handshake: certificates (wss), the subprotocol `sip`, and who may open one from a web page (origins).
 */
#ifndef TANDEM_SERVER_WEB_H
#define TANDEM_SERVER_WEB_H

#include "server/certs/certs.h"

struct td_web;

/* loop, net and log are borrowed, cfg and certs are kept (counted). certs NULL: none, and no listener of wss. 0, -ENOMEM,
 * TD_EUNSUPPORTED: the library will not start. */
int td_web_open(struct td_web **out, struct td_loop *loop, struct td_net *net, struct td_log *log, struct td_config *cfg,
		struct td_certs *certs);
/* After the transport, on no thread's turn: no connection is left. */
void td_web_close(struct td_web *w);

/* Listens; index is the listener's in the transport, where its address is noted. Connections wait for td_web_serve(). */
int td_web_listen(struct td_web *w, unsigned index, enum td_proto proto, const struct td_addr *at);
const struct td_addr *td_web_address(const struct td_web *w, unsigned index); /* with the port picked; NULL: not one of ours */
/* tp is borrowed; closed before td_web_close(). */
void td_web_serve(struct td_web *w, struct td_tp *tp);
/* Others, on its loop; kept (counted). Certificates are for new connections. -ENOMEM: the old ones stay. */
void td_web_config(struct td_web *w, struct td_config *cfg);
int td_web_certs(struct td_web *w, struct td_certs *certs);

/*
 * May a page of this origin (the header field Origin, RFC 6454 §7) open a connection? Pages that `web: origins` lists may. Without such a
 * list those may that we could have served ourselves: their origin is the very host and port they connect to (the header field
 * Host), and that host is one of our domains or the address `at` we were reached at. So a page elsewhere gets nowhere, also when it
 * makes its own name lead here. secure: by wss.
 */
bool td_web_origin_ok(const struct td_config *cfg, struct td_str origin, struct td_str host, const struct td_addr *at,
		      bool secure);

#endif
