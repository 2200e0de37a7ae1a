/*
 * Shared by the three files of the simulated wire. Everything here runs in the one thread of the simulation.
 *
 * A packet is a datagram or a step of a stream. It flies (td_sim_at), arrives, waits in its host's inbox, and is taken
 * from there in a turn of the host's loop, so that callbacks run where they would with the kernel's backend.
 */
#ifndef TANDEM_NET_WIRE_H
#define TANDEM_NET_WIRE_H

#include "internal.h"

enum wire_type { WIRE_UDP, WIRE_LISTENER };
enum wire_kind { WIRE_DATAGRAM, WIRE_SYN, WIRE_SYNACK, WIRE_DATA, WIRE_FIN, WIRE_RST };

struct td_wire {
	struct td_sim *sim;
	struct td_wire_rules rules;
	struct td_hash_key key; /* of ports, and of the choice among sockets that share one */
	struct td_map ports;
	struct td_link hosts, streams, packets;
	uint16_t next_port;
};

struct wire_host {
	struct td_net net;
	struct td_wire *wire;
	struct td_addr ip;
	struct td_link link;
	struct td_link inbox; /* wire_packet.link */
	struct td_defer take;
	bool unplugged;
};

/* A socket's place on a port. Several may share one when all asked for it (SO_REUSEPORT). */
struct wire_bound {
	struct td_link link;
	struct wire_port *port;
	struct wire_host *host;
	void *socket; /* struct td_udp or struct td_listener */
	bool reuseport;
};

struct wire_packet {
	struct td_mail mail;
	struct td_link all;  /* wire->packets */
	struct td_link link; /* a stream's way, or a host's inbox */
	struct td_wire *wire;
	struct td_addr src, dst; /* of datagrams and SYNs */
	struct td_buf *buf;
	struct wire_stream *stream; /* counted */
	void *target;               /* the td_udp or td_listener it has reached; NULL once that is closed */
	enum wire_kind kind;
	uint8_t to; /* side of the stream */
	uint8_t retries;
	bool arrived;
};

/* bytes may be empty. NULL when memory is out. The packet flies once wire_launch() is called; -ENOMEM: it does not. */
struct wire_packet *wire_packet_new(struct td_wire *w, enum wire_kind kind, struct td_str bytes);
void wire_packet_free(struct wire_packet *p);
int wire_launch(struct wire_packet *p, uint64_t delay_us);
uint64_t wire_delay_us(struct td_wire *w);
/* Into the inbox of h. */
void wire_hand_over(struct wire_packet *p, struct wire_host *h);

/* Gives b the port of *local (0: a free one, set in *local). -EADDRNOTAVAIL, -EADDRINUSE, -ENOMEM. */
int wire_bind(struct wire_bound *b, struct wire_host *h, enum wire_type type, struct td_addr *local, bool reuseport,
	      void *socket);
void wire_unbind(struct wire_bound *b);
/* Who gets what src sends to dst: one of those that share the port, always the same for one src. */
struct wire_bound *wire_lookup(struct td_wire *w, enum wire_type type, const struct td_addr *dst, const struct td_addr *src);
/* The address h's packets carry when sent from port. */
struct td_addr wire_address(const struct wire_host *h, uint16_t port);
struct wire_host *wire_host_at(struct td_wire *w, const struct td_addr *ip);

int wire_udp_open(struct td_udp **out, struct td_net *net, const struct td_addr *local, unsigned flags);
void wire_udp_flush(struct td_udp *u);
void wire_udp_close(struct td_udp *u);
void wire_udp_arrive(struct wire_packet *p);

int wire_listen(struct td_listener **out, struct td_net *net, const struct td_addr *local, unsigned flags);
void wire_listen_close(struct td_listener *l);
int wire_connect(struct td_conn **out, struct td_net *net, const struct td_addr *remote);
int wire_write(struct td_conn *c);
void wire_read_off(struct td_conn *c);
void wire_fin(struct td_conn *c);
void wire_close(struct td_conn *c);
void wire_stream_arrive(struct wire_packet *p);
void wire_stream_take(struct wire_host *h, struct wire_packet *p);
void wire_stream_unref(struct wire_stream *s);
void wire_streams_forget(struct td_wire *w, struct wire_host *h);

#endif
