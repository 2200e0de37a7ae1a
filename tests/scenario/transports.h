/*
 * The transports beside UDP and TCP, for the harness: TLS on the simulated wire, with certificates made for the world; and WebSocket,
 * of which the server's side is here what libwebsockets is to it, a holder of connections that it adopts (td_tp_adopt()).
 */
#ifndef TESTS_SCENARIO_TRANSPORTS_H
#define TESTS_SCENARIO_TRANSPORTS_H

#include "harness.h"

static inline bool by_websocket(enum td_proto p)
{
	return p == TD_WS || p == TD_WSS;
}

struct td_addr server_addr(enum td_proto proto);
void everywhere_open(struct world *w);  /* certificates, and where WebSocket connections live */
void everywhere_close(struct world *w); /* after the server */
void websocket_send(struct phone *p, struct td_str bytes);
void websocket_close(struct phone *p);

/* In harness.c: what came for a phone. */
void phone_keep(struct phone *p, struct td_buf *buf, size_t at, size_t n);

#endif
