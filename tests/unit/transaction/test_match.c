/*
 * Which transaction a message belongs to: RFC 3261 §17.1.3 (responses), §17.2.3 (requests, with and without the magic cookie),
 * §9.2 (CANCEL), D3, D4.
 */
#include "node.h"
#include "transaction/internal.h"

struct world {
	struct td_sim *sim;
	struct td_wire *wire;
	struct node us;
	struct raw peer;
	struct td_srvtx *st;
	unsigned status; /* the TU's answer; 0: none */
	unsigned cancelled;
};

static void on_cancelled(struct td_srvtx *st, struct td_msg *cancel, void *arg)
{
	struct world *w = arg;

	w->cancelled++;
	assert_int_equal(td_srvtx_reply_plain(st, 487, TD_STR_NULL, TD_STR("t1"), TD_STR_NULL), 0);
}

static const struct td_srvtx_events tu_events = { .cancelled = on_cancelled };

static void on_request(struct node *n, struct td_msg *msg, const struct td_flow *from)
{
	struct world *w = n->arg;

	if (w->st) /* only the first gets a transaction */
		return;
	assert_int_equal(td_srvtx_open(&w->st, n->txl, msg, from, &tu_events, w), 0);
	if (w->status)
		assert_int_equal(td_srvtx_reply_plain(w->st, w->status, TD_STR_NULL, TD_STR("t1"), TD_STR_NULL), 0);
}

static void open_world(struct world *w)
{
	memset(w, 0, sizeof(*w));
	assert_int_equal(td_sim_open(&w->sim, 7), 0);
	assert_int_equal(td_wire_open(&w->wire, w->sim), 0);
	node_open(&w->us, w->sim, w->wire, "192.0.2.1", 5060, NULL);
	raw_open(&w->peer, w->sim, w->wire, "192.0.2.2", 5070);
	w->us.on_request = on_request;
	w->us.arg = w;
}

static void close_world(struct world *w)
{
	td_srvtx_unref(w->st);
	raw_close(&w->peer);
	node_close(&w->us);
	td_wire_close(w->wire);
	td_sim_close(w->sim);
}

struct text {
	const char *method, *uri, *via, *from_tag, *to_tag, *call_id;
	unsigned cseq;
};

static void send_from(struct world *w, struct raw *r, const struct text *t)
{
	struct td_out o;

	td_out_init(&o);
	td_out_fmt(&o,
		   "%s %s SIP/2.0\r\nVia: %s\r\nMax-Forwards: 70\r\nFrom: <sip:a@x.test>;tag=%s\r\nTo: <sip:b@x.test>%s%s\r\n"
		   "Call-ID: %s\r\nCSeq: %u %s\r\nContent-Length: 0\r\n\r\n",
		   t->method, t->uri, t->via, t->from_tag, t->to_tag ? ";tag=" : "", t->to_tag ? t->to_tag : "", t->call_id,
		   t->cseq, t->method);
	assert_false(o.failed);
	raw_send(r, &w->us.addr, td_out_view(&o));
	td_out_free(&o);
	td_sim_run(w->sim, 20);
}

static void send_text(struct world *w, const struct text *t)
{
	send_from(w, &w->peer, t);
}

#define VIA "SIP/2.0/UDP peer.test:5070;rport;branch=z9hG4bKaaa"
#define OLD "SIP/2.0/UDP peer.test:5070;rport;branch=4"

enum { SAME, OTHER, ACK_TAKEN, ACK_UP };

struct match_row {
	struct text first;
	unsigned status;
	struct text then;
	int want;
};

static const struct match_row rows[] = {
	{ { "OPTIONS", "sip:b@x.test", VIA, "f", NULL, "c", 1 }, 0, { "OPTIONS", "sip:b@x.test", VIA, "f", NULL, "c", 1 }, SAME },
	/* with the cookie nothing but branch, sent-by and method counts */
	{ { "OPTIONS", "sip:b@x.test", VIA, "f", NULL, "c", 1 }, 0, { "OPTIONS", "sip:z@x.test", VIA, "g", "h", "d", 2 }, SAME },
	{ { "OPTIONS", "sip:b@x.test", VIA, "f", NULL, "c", 1 },
	  0,
	  { "OPTIONS", "sip:b@x.test", "SIP/2.0/UDP PEER.Test:5070;rport;branch=z9hG4bKaaa", "f", NULL, "c", 1 },
	  SAME },
	{ { "OPTIONS", "sip:b@x.test", VIA, "f", NULL, "c", 1 },
	  0,
	  { "OPTIONS", "sip:b@x.test", "SIP/2.0/UDP peer.test:5070;rport;branch=z9hG4bKaaA", "f", NULL, "c", 1 },
	  OTHER },
	{ { "OPTIONS", "sip:b@x.test", VIA, "f", NULL, "c", 1 },
	  0,
	  { "OPTIONS", "sip:b@x.test", "SIP/2.0/UDP peer.test:5071;rport;branch=z9hG4bKaaa", "f", NULL, "c", 1 },
	  OTHER },
	{ { "OPTIONS", "sip:b@x.test", VIA, "f", NULL, "c", 1 },
	  0,
	  { "OPTIONS", "sip:b@x.test", "SIP/2.0/UDP peer2.test:5070;rport;branch=z9hG4bKaaa", "f", NULL, "c", 1 },
	  OTHER },
	{ { "OPTIONS", "sip:b@x.test", VIA, "f", NULL, "c", 1 }, 0, { "INFO", "sip:b@x.test", VIA, "f", NULL, "c", 1 }, OTHER },
	{ { "OPTIONS", "sip:b@x.test", VIA, "f", NULL, "c", 1 }, 0, { "INVITE", "sip:b@x.test", VIA, "f", NULL, "c", 1 }, OTHER },
	{ { "PING", "sip:b@x.test", VIA, "f", NULL, "c", 1 }, 0, { "PING", "sip:b@x.test", VIA, "f", NULL, "c", 1 }, SAME },
	{ { "PING", "sip:b@x.test", VIA, "f", NULL, "c", 1 }, 0, { "PONG", "sip:b@x.test", VIA, "f", NULL, "c", 1 }, OTHER },
	{ { "INVITE", "sip:b@x.test", VIA, "f", NULL, "c", 1 },
	  486,
	  { "ACK", "sip:b@x.test", VIA, "f", "t1", "c", 1 },
	  ACK_TAKEN },
	{ { "INVITE", "sip:b@x.test", VIA, "f", NULL, "c", 1 }, 200, { "ACK", "sip:b@x.test", VIA, "f", "t1", "c", 1 }, ACK_UP },
	{ { "INVITE", "sip:b@x.test", VIA, "f", NULL, "c", 1 },
	  486,
	  { "ACK", "sip:b@x.test", "SIP/2.0/UDP peer.test:5070;rport;branch=z9hG4bKaab", "f", "t1", "c", 1 },
	  ACK_UP },
	{ { "OPTIONS", "sip:b@x.test", VIA, "f", NULL, "c", 1 }, 200, { "ACK", "sip:b@x.test", VIA, "f", "t1", "c", 1 }, ACK_UP },
	/* an element of RFC 2543: Request-URI, To tag, From tag, Call-ID, CSeq, top Via */
	{ { "INVITE", "sip:b@x.test", OLD, "f", NULL, "c", 1 }, 0, { "INVITE", "sip:b@x.test", OLD, "f", NULL, "c", 1 }, SAME },
	{ { "INVITE", "sip:b@x.test", OLD, "f", NULL, "c", 1 }, 0, { "INVITE", "sip:z@x.test", OLD, "f", NULL, "c", 1 }, OTHER },
	{ { "INVITE", "sip:b@x.test", OLD, "f", NULL, "c", 1 }, 0, { "INVITE", "sip:b@x.test", OLD, "g", NULL, "c", 1 }, OTHER },
	{ { "INVITE", "sip:b@x.test", OLD, "f", NULL, "c", 1 }, 0, { "INVITE", "sip:b@x.test", OLD, "f", "h", "c", 1 }, OTHER },
	{ { "INVITE", "sip:b@x.test", OLD, "f", NULL, "c", 1 }, 0, { "INVITE", "sip:b@x.test", OLD, "f", NULL, "d", 1 }, OTHER },
	{ { "INVITE", "sip:b@x.test", OLD, "f", NULL, "c", 1 }, 0, { "INVITE", "sip:b@x.test", OLD, "f", NULL, "c", 2 }, OTHER },
	{ { "INVITE", "sip:b@x.test", OLD, "f", NULL, "c", 1 },
	  0,
	  { "INVITE", "sip:b@x.test", "SIP/2.0/UDP peer.test:5070;rport;branch=5", "f", NULL, "c", 1 },
	  OTHER },
	{ { "INVITE", "sip:b@x.test", OLD, "f", NULL, "c", 1 }, 0, { "OPTIONS", "sip:b@x.test", OLD, "f", NULL, "c", 1 }, OTHER },
	{ { "INVITE", "sip:b@x.test", OLD, "f", NULL, "c", 1 },
	  486,
	  { "ACK", "sip:b@x.test", OLD, "f", "t1", "c", 1 },
	  ACK_TAKEN },
	{ { "INVITE", "sip:b@x.test", OLD, "f", NULL, "c", 1 }, 486, { "ACK", "sip:b@x.test", OLD, "f", "t2", "c", 1 }, ACK_UP },
	{ { "INVITE", "sip:b@x.test", OLD, "f", NULL, "c", 1 }, 486, { "ACK", "sip:b@x.test", OLD, "f", "t1", "c", 2 }, ACK_UP },
	{ { "INVITE", "sip:b@x.test", OLD, "f", "h", "c", 1 }, 486, { "ACK", "sip:b@x.test", OLD, "f", "h", "c", 1 }, ACK_TAKEN },
};

/* Proves RFC 3261 §17.2.3-1, §17.2.3-2. */
static void requests(void **state)
{
	size_t i;

	for (i = 0; i < TD_ARRAY_LEN(rows); i++) {
		const struct match_row *r = &rows[i];
		struct world w;

		open_world(&w);
		w.status = r->status;
		send_text(&w, &r->first);
		assert_int_equal(w.us.requests, 1);
		send_text(&w, &r->then);
		if (w.us.requests != (r->want == OTHER ? 2U : 1U) || w.us.acks != (r->want == ACK_UP ? 1U : 0U))
			fail_msg("row %zu: %u requests, %u acks", i, w.us.requests, w.us.acks);
		close_world(&w);
	}
}

/* ---- responses ---- */

static void respond_as(struct world *w, const char *edit_from, const char *edit_to)
{
	struct td_msg *req = parsed(td_buf_str(w->peer.got[0].buf));
	struct td_buf *b = response_to(req, 200, "b1");
	struct td_str s = td_buf_str(b);
	const char *at = edit_from ? memmem(s.p, s.n, edit_from, strlen(edit_from)) : NULL;
	struct td_out o;

	td_out_init(&o);
	if (at) {
		td_out_str(&o, td_str_n(s.p, (size_t)(at - s.p)));
		td_out_z(&o, edit_to);
		at += strlen(edit_from);
		td_out_str(&o, td_str_n(at, (size_t)(s.p + s.n - at)));
	} else {
		assert_null(edit_from);
		td_out_str(&o, s);
	}
	raw_send(&w->peer, &w->us.addr, td_out_view(&o));
	td_out_free(&o);
	td_buf_unref(b);
	td_msg_unref(req);
	td_sim_run(w->sim, 20);
}

/* Proves RFC 3261 §17.1.3-1. */
static void d4_responses(void **state)
{
	struct world w;
	struct client c;
	char branch[TD_BRANCH_LEN + 1];

	open_world(&w);
	assert_int_equal(client_open(&c, &w.us, "OPTIONS", TD_UDP, &w.peer.addr), 0);
	td_sim_run(w.sim, 20);
	memcpy(branch, c.branch, TD_BRANCH_LEN);
	branch[TD_BRANCH_LEN] = '\0';
	branch[TD_BRANCH_LEN - 1] ^= 1; /* one bit off */
	{
		char right[TD_BRANCH_LEN + 1];

		memcpy(right, c.branch, TD_BRANCH_LEN);
		right[TD_BRANCH_LEN] = '\0';
		respond_as(&w, right, branch);
		assert_int_equal(c.responses, 0);
		assert_int_equal(w.us.strays, 1);
		respond_as(&w, "1 OPTIONS", "1 CANCEL");
		assert_int_equal(c.responses, 0);
		assert_int_equal(w.us.strays, 2);
		respond_as(&w, NULL, NULL);
		assert_int_equal(c.responses, 1);
	}
	client_close(&c);
	close_world(&w);
}

/* Proves RFC 3261 §8.1.1.7-1. */
static void branches(void **state)
{
	struct world w;
	char a[TD_BRANCH_LEN], b[TD_BRANCH_LEN];
	unsigned owner = 99;

	open_world(&w);
	td_branch_make(a, w.us.txl);
	td_branch_make(b, w.us.txl);
	assert_memory_equal(a, "z9hG4bK00", 9);
	assert_memory_not_equal(a + 9, b + 9, TD_BRANCH_LEN - 9);
	assert_int_equal(td_branch_owner(&owner, td_str_n(a, sizeof(a))), 0);
	assert_int_equal(owner, 0);
	assert_int_equal(td_branch_owner(&owner, TD_STR("z9hG4bKff0123456789abcdef")), 0);
	assert_int_equal(owner, 255);
	assert_int_equal(td_branch_owner(&owner, td_str_n(a, sizeof(a) - 1)), TD_ENOTFOUND);
	assert_int_equal(td_branch_owner(&owner, TD_STR("z9hG4bKfg0123456789abcdef")), TD_ENOTFOUND);
	assert_int_equal(td_branch_owner(&owner, TD_STR("y9hG4bKff0123456789abcdef")), TD_ENOTFOUND);
	assert_int_equal(td_branch_owner(&owner, TD_STR_NULL), TD_ENOTFOUND);
	assert_int_equal(td_branch_owner(&owner, TD_STR("z9hG4bKff0123456789abcdefx")), TD_ENOTFOUND);
	assert_int_equal(td_branch_owner(&owner, TD_STR("z9hG4bKff0123456789abcdef.x")), 0);
	assert_int_equal(owner, 255);
	close_world(&w);
}

/* ---- CANCEL ---- */

static const struct text invite = { "INVITE", "sip:b@x.test", VIA, "f", NULL, "c", 1 };
static const struct text cancel = { "CANCEL", "sip:b@x.test", VIA, "f", NULL, "c", 1 };
static const struct text options = { "OPTIONS", "sip:b@x.test", VIA, "f", NULL, "c", 1 };

/* 200 with the To tag the INVITE's answers have (§9.2), once to the TU, and 487 from it. */
/* Proves RFC 3261 §8.2.6.2-2, §9.2-2. */
static void cancel_while_ringing(void **state)
{
	struct world w;
	struct td_msg *ok;
	unsigned i;

	open_world(&w);
	w.status = 180;
	send_text(&w, &invite);
	raw_clear(&w.peer);
	send_text(&w, &cancel);
	assert_int_equal(w.cancelled, 1);
	assert_int_equal(raw_count(&w.peer, "SIP/2.0 200"), 1);
	assert_int_equal(raw_count(&w.peer, "SIP/2.0 487"), 1);
	for (i = 0; !td_str_starts(td_buf_str(w.peer.got[i].buf), TD_STR("SIP/2.0 200")); i++)
		;
	ok = parsed(td_buf_str(w.peer.got[i].buf));
	assert_int_equal(ok->method, TD_CANCEL);
	assert_str(ok->to_tag, "t1");
	td_msg_unref(ok);
	raw_clear(&w.peer);
	send_text(&w, &cancel); /* repeated, and after the final response: 200 and nothing else */
	assert_int_equal(w.cancelled, 1);
	assert_int_equal(raw_count(&w.peer, "SIP/2.0 200"), 1);
	assert_int_equal(w.us.cancels, 0);
	close_world(&w);
}

/* Proves RFC 3261 §9.2-3. */
static void cancel_after_2xx_does_nothing(void **state)
{
	struct world w;

	open_world(&w);
	w.status = 200;
	send_text(&w, &invite);
	raw_clear(&w.peer);
	send_text(&w, &cancel);
	assert_int_equal(w.cancelled, 0);
	assert_int_equal(raw_count(&w.peer, "SIP/2.0 200"), 1);
	assert_int_equal(td_srvtx_last_status(w.st), 200);
	close_world(&w);
}

/* Proves RFC 3261 §9.1-1, §9.2-1. */
static void cancel_of_nothing_goes_up(void **state)
{
	struct world w;

	open_world(&w);
	send_text(&w, &cancel);
	assert_int_equal(w.us.cancels, 1);
	assert_int_equal(raw_count(&w.peer, "SIP/2.0 481"), 1);
	send_text(&w, &options);
	send_text(&w, &cancel); /* only an INVITE can be cancelled */
	assert_int_equal(w.us.cancels, 2);
	assert_int_equal(w.cancelled, 0);
	close_world(&w);
}

static void d3_cancel_from_elsewhere(void **state)
{
	struct world w;
	struct raw other;

	open_world(&w);
	raw_open(&other, w.sim, w.wire, "192.0.2.66", 5070);
	w.status = 180;
	send_text(&w, &invite);
	send_from(&w, &other, &cancel); /* the same bytes from another address */
	assert_int_equal(raw_count(&other, "SIP/2.0 481"), 1);
	assert_int_equal(w.cancelled, 0);
	assert_int_equal(td_srvtx_last_status(w.st), 180);
	raw_close(&other);
	close_world(&w);
}

/* ---- our own CANCEL and ACK (§9.1, §17.1.1.3) ---- */

static const char routed[] =
	"INVITE sip:bob@example.test SIP/2.0\r\nVia: %.*s\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKbelow\r\n"
	"Max-Forwards: 11\r\nRoute: <sip:p1.test;lr>,\r\n <sip:p2.test;lr>\r\nRoute: <sip:p3.test;lr>\r\n"
	"From: \"A\" <sip:alice@example.test>;tag=a1\r\nTo: <sip:bob@example.test>\r\nCall-ID: c1@example.test\r\n"
	"CSeq: 4711 INVITE\r\nContact: <sip:alice@192.0.2.1>\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi";

static void open_routed(struct client *c, struct world *w)
{
	struct td_clitx_options opt = { .method = TD_INVITE };
	struct td_out via, o;

	memset(c, 0, sizeof(*c));
	assert_int_equal(td_tp_flow_to(&opt.to, w->us.tp, TD_UDP, &w->peer.addr), 0);
	td_branch_make(c->branch, w->us.txl);
	td_out_init(&via);
	td_out_init(&o);
	td_tp_put_via(&via, w->us.tp, &opt.to, td_str_n(c->branch, sizeof(c->branch)));
	td_out_fmt(&o, routed, TD_FMT(td_out_view(&via)));
	td_out_free(&via);
	opt.branch = td_str_n(c->branch, sizeof(c->branch));
	opt.bytes = td_out_buf(&o);
	assert_int_equal(td_clitx_open(&c->ct, w->us.txl, &opt, &client_events, c), 0);
	td_buf_unref(opt.bytes);
	td_sim_run(w->sim, 20);
}

/* The only message of this kind the peer has got. */
static struct td_msg *the(struct world *w, const char *start)
{
	struct td_msg *m = NULL;
	unsigned i;

	assert_int_equal(raw_count(&w->peer, start), 1);
	for (i = 0; i < w->peer.n; i++)
		if (td_str_starts(td_buf_str(w->peer.got[i].buf), td_str_of(start)))
			m = parsed(td_buf_str(w->peer.got[i].buf));
	return m;
}

static void check_made(struct world *w, struct td_msg *m, const char *to, const char *cseq)
{
	struct td_msg *inv = the(w, "INVITE ");
	struct td_values it;
	struct td_str v;
	unsigned vias = 0;

	assert_int_equal(m->defect.status, 0);
	assert_int_equal(td_msg_validate(m).status, 0);
	assert_str(m->uri, "sip:bob@example.test");
	assert_true(td_str_eq(m->via.text, inv->via.text));
	td_values_of(&it, m, TD_HDR_VIA);
	while (td_values_next(&v, &it) == 1)
		vias++;
	assert_int_equal(vias, 1);
	td_values_of(&it, m, TD_HDR_ROUTE);
	assert_int_equal(td_values_next(&v, &it), 1);
	assert_str(v, "<sip:p1.test;lr>");
	assert_int_equal(td_values_next(&v, &it), 1);
	assert_str(v, "<sip:p2.test;lr>");
	assert_int_equal(td_values_next(&v, &it), 1);
	assert_str(v, "<sip:p3.test;lr>");
	assert_int_equal(td_values_next(&v, &it), 0);
	assert_str(td_msg_value(m, TD_HDR_FROM), "\"A\" <sip:alice@example.test>;tag=a1");
	assert_str(td_msg_value(m, TD_HDR_TO), to);
	assert_str(m->call_id, "c1@example.test");
	assert_str(td_msg_value(m, TD_HDR_CSEQ), cseq);
	assert_int_equal(m->max_forwards, 70);
	assert_int_equal(m->body.n, 0);
	td_msg_unref(inv);
}

/* Proves RFC 3261 §17.1.1.3-1. */
static void ack_is_made_of_the_invite(void **state)
{
	struct world w;
	struct client c;
	struct td_msg *ack;

	open_world(&w);
	open_routed(&c, &w);
	raw_answer(&w.peer, 0, 486);
	td_sim_run(w.sim, 20);
	ack = the(&w, "ACK ");
	check_made(&w, ack, "<sip:bob@example.test>;tag=b1", "4711 ACK");
	assert_null(td_clitx_bytes(c.ct));
	td_msg_unref(ack);
	client_close(&c);
	close_world(&w);
}

/* Proves RFC 3261 §9.1-2, §9.1-3, §9.1-4. */
static void cancel_waits_for_a_provisional_response(void **state)
{
	struct world w;
	struct client c;
	struct td_msg *m;

	open_world(&w);
	open_routed(&c, &w);
	assert_int_equal(td_clitx_cancel(c.ct, TD_STR("Reason: SIP;cause=200\r\n")), 0);
	assert_int_equal(td_clitx_cancel(c.ct, TD_STR_NULL), 0);
	td_sim_run(w.sim, 100);
	assert_int_equal(raw_count(&w.peer, "CANCEL "), 0);
	raw_answer(&w.peer, 0, 180);
	td_sim_run(w.sim, 100);
	m = the(&w, "CANCEL ");
	check_made(&w, m, "<sip:bob@example.test>", "4711 CANCEL");
	assert_str(td_msg_value(m, TD_HDR_REASON), "SIP;cause=200");
	td_msg_unref(m);
	raw_answer(&w.peer, w.peer.n - 1, 200); /* to the CANCEL: not the INVITE's TU's business */
	td_sim_run(w.sim, 100);
	assert_int_equal(c.status, 180);
	td_sim_run(w.sim, 31000);
	assert_int_equal(c.ended, 0);
	td_sim_run(w.sim, 2000); /* D7: no final response for 64*T1 after it */
	assert_int_equal(c.ended, 1);
	assert_int_equal(c.why, TD_ETIMEOUT);
	client_close(&c);
	td_sim_run(w.sim, 10000);
	assert_int_equal(td_txl_stats(w.us.txl)->clitx_open, 0);
	close_world(&w);
}

/* Proves RFC 3261 §9.1-3. */
static void cancel_after_the_final_response_is_not_sent(void **state)
{
	struct world w;
	struct client c;

	open_world(&w);
	open_routed(&c, &w);
	assert_int_equal(td_clitx_cancel(c.ct, TD_STR_NULL), 0);
	raw_answer(&w.peer, 0, 200);
	td_sim_run(w.sim, 100);
	assert_int_equal(td_clitx_cancel(c.ct, TD_STR_NULL), 0);
	td_sim_run(w.sim, 40000);
	assert_int_equal(raw_count(&w.peer, "CANCEL "), 0);
	client_close(&c);
	close_world(&w);
}

/* The ACK to an answer without state is known by the tag (so that it need not go any further). */
/* Proves RFC 3261 §8.2.7-1. */
static void stateless_tag(void **state)
{
	struct world w;
	struct td_msg *answer;
	struct text ack = { "ACK", "sip:b@x.test", VIA, "f", NULL, "c", 1 };
	char tag[17] = "";

	open_world(&w);
	w.st = NULL;
	w.us.on_request = NULL;
	send_text(&w, &invite);
	assert_int_equal(td_reply_stateless(w.us.txl, w.us.request, &w.us.from, 407, TD_STR_NULL, TD_STR("X-A: b\r\n")), 0);
	assert_int_equal(td_reply_stateless(w.us.txl, w.us.request, &w.us.from, 407, TD_STR_NULL, TD_STR("X-A: b\r\n")), 0);
	td_sim_run(w.sim, 20);
	assert_int_equal(w.peer.n, 2);
	assert_true(td_str_eq(td_buf_str(w.peer.got[0].buf), td_buf_str(w.peer.got[1].buf)));
	answer = parsed(td_buf_str(w.peer.got[0].buf));
	assert_int_equal(answer->to_tag.n, 16);
	memcpy(tag, answer->to_tag.p, 16);
	ack.to_tag = tag;
	send_text(&w, &ack);
	assert_int_equal(w.us.acks, 1);
	td_stateless_tag(tag, w.us.txl, w.us.ack);
	assert_str(answer->to_tag, tag);
	td_msg_unref(answer);
	close_world(&w);
}

static void one_transaction_per_request(void **state)
{
	struct world w;
	struct td_srvtx *again = NULL;

	open_world(&w);
	w.status = 180;
	send_text(&w, &invite);
	assert_int_equal(td_srvtx_open(&again, w.us.txl, w.us.request, &w.us.from, &tu_events, &w), TD_EEXIST);
	assert_null(again);
	close_world(&w);
}

/* A table of transactions is worth its hash: the branches we make fill it as evenly as chance would. */
static void branches_spread(void **state)
{
	enum { N = 1 << 16 };
	static uint8_t hit[N];
	struct world w;
	unsigned used = 0;

	open_world(&w);
	memset(hit, 0, sizeof(hit));
	for (unsigned i = 0; i < N; i++) {
		char branch[TD_BRANCH_LEN];
		uint64_t h;

		td_branch_make(branch, w.us.txl);
		h = txn_branch_hash(w.us.txl, td_str_n(branch, sizeof(branch)));
		h ^= h >> 32; /* as td_map does */
		used += !hit[h % N];
		hit[h % N] = 1;
	}
	assert_in_range(used, N * 62 / 100, N * 65 / 100); /* 1 - 1/e */
	close_world(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests),
		cmocka_unit_test(d4_responses),
		cmocka_unit_test(branches),
		cmocka_unit_test(branches_spread),
		cmocka_unit_test(cancel_while_ringing),
		cmocka_unit_test(cancel_after_2xx_does_nothing),
		cmocka_unit_test(cancel_of_nothing_goes_up),
		cmocka_unit_test(d3_cancel_from_elsewhere),
		cmocka_unit_test(ack_is_made_of_the_invite),
		cmocka_unit_test(cancel_waits_for_a_provisional_response),
		cmocka_unit_test(cancel_after_the_final_response_is_not_sent),
		cmocka_unit_test(stateless_tag),
		cmocka_unit_test(one_transaction_per_request),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
