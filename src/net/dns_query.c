/*
 * One question on its way. Each try has a socket, a port and an id of its own: who wants to answer in a server's place has to guess
 * both (T8, A14). An answer counts that comes from the server asked, bears the id and repeats the question; everything else is
 * counted and waited past, and when there is much of it the question goes by TCP, where nobody answers from afar.
 *
 * Tries go round the servers; one that did not answer rests behind the others for a while. A truncated answer is fetched by TCP
 * (RFC 7766 §5), a server that does not understand EDNS is asked without (RFC 6891 §7).
 */
#include "dns.h"

#include <errno.h>
#include <stdlib.h>

static void next_try(struct dns_query *q);

/* ---- sockets ---- */

static void drop_sockets(struct dns_query *q)
{
	td_timer_stop(q->entry->dns->loop, &q->timer);
	if (q->udp)
		td_udp_close(q->udp);
	if (q->conn)
		td_conn_close(q->conn);
	free(q->stream);
	q->udp = NULL;
	q->conn = NULL;
	q->stream = NULL;
	q->stream_n = 0;
}

void dns_query_end(struct dns_query *q)
{
	struct td_dns *d = q->entry->dns;

	drop_sockets(q);
	q->entry->query = NULL;
	d->stats.pending--;
	free(q);
}

static void finish(struct dns_query *q, int err, struct dns_reply *reply, struct td_arena *a, uint32_t ttl_s)
{
	struct dns_entry *e = q->entry;
	unsigned rcode = reply ? reply->rcode : q->rcode;

	dns_query_end(q);
	dns_entry_answer(e, err, rcode, reply, a, ttl_s);
}

/* ---- what came ---- */

static struct dns_server *server_of(struct dns_query *q)
{
	return &q->entry->dns->servers[q->server];
}

static void log_failure(struct dns_query *q, const char *why)
{
	char text[TD_ADDR_TEXT];

	td_log(q->entry->dns->log, TD_LOG_DEBUG, "dns try failed", TD_KS("name", dns_name_str(&q->name)),
	       TD_KS("type", td_dns_type_name(q->entry->type)), TD_KZ("server", td_addr_text(text, &server_of(q)->addr)),
	       TD_KZ("why", why));
}

static void failed(struct dns_query *q, int err, const char *why)
{
	log_failure(q, why);
	q->err = err;
	drop_sockets(q);
	next_try(q);
}

static void ask_again(struct dns_query *q, bool stream);

static void refused(struct dns_query *q, const struct dns_reply *reply)
{
	enum { FORMERR = 1, NOTIMP = 4 };

	if (q->edns && (reply->rcode == FORMERR || reply->rcode == NOTIMP)) {
		q->edns = false;
		ask_again(q, q->conn != NULL);
		return;
	}
	q->rcode = reply->rcode;
	q->entry->dns->stats.failures++;
	failed(q, TD_EUNSUPPORTED, "the server refused or could not tell");
}

/* The server knows but the alias. */
static void follow(struct dns_query *q, const struct dns_reply *reply)
{
	q->hops += reply->hops;
	if (reply->ttl_s < q->alias_ttl_s)
		q->alias_ttl_s = reply->ttl_s;
	if (q->hops > DNS_MAX_HOPS) {
		finish(q, TD_ELIMIT, NULL, NULL, DNS_FAILURE_S);
		return;
	}
	q->name = reply->alias;
	q->tries = 0;
	drop_sockets(q);
	next_try(q);
}

/* False: it is no answer to this. q may be gone when true. */
static bool answered(struct dns_query *q, struct td_str bytes)
{
	struct dns_reply reply;
	struct td_arena a;
	int err;

	td_arena_init(&a);
	err = dns_reply_parse(&reply, &a, bytes, q->id, &q->name, q->entry->type);
	if (err)
		td_arena_reset(&a);
	if (err == TD_ENOTFOUND)
		return false;
	server_of(q)->rests_until_ms = 0;
	if (err == -ENOMEM || err == TD_ELIMIT) {
		finish(q, err, NULL, NULL, err == TD_ELIMIT ? DNS_FAILURE_S : 0);
	} else if (err) {
		failed(q, TD_EUNSUPPORTED, "the answer is malformed");
	} else if (reply.truncated && !q->conn) {
		ask_again(q, true);
	} else if (reply.truncated || (reply.rcode && reply.rcode != 3)) {
		refused(q, &reply);
	} else if (reply.alias.n) {
		td_arena_reset(&a);
		follow(q, &reply);
	} else {
		if (q->alias_ttl_s < reply.ttl_s)
			reply.ttl_s = q->alias_ttl_s;
		finish(q, reply.n ? 0 : TD_ENOTFOUND, &reply, &a, reply.ttl_s);
	}
	return true;
}

static void on_datagram(struct td_udp *udp, struct td_buf *buf, const struct td_addr *from, void *arg)
{
	struct dns_query *q = arg;

	if (q->udp != udp || (td_addr_eq(from, &server_of(q)->addr) && answered(q, td_buf_str(buf))))
		return;
	q->entry->dns->stats.strange++;
	if (++q->strange == DNS_MAX_STRANGE)
		ask_again(q, true);
}

/* ---- TCP: two bytes of length before each message (RFC 1035 §4.2.2) ---- */

static void on_stream(struct td_conn *c, struct td_str bytes, void *arg)
{
	struct dns_query *q = arg;
	size_t room, want;

	if (!q->stream && !(q->stream = malloc(2 + DNS_MAX_MESSAGE))) {
		finish(q, -ENOMEM, NULL, NULL, 0);
		return;
	}
	room = 2 + DNS_MAX_MESSAGE - q->stream_n;
	if (bytes.n > room)
		bytes.n = room; /* what is behind the first message nobody asked for */
	memcpy(q->stream + q->stream_n, bytes.p, bytes.n);
	q->stream_n += bytes.n;
	if (q->stream_n < 2)
		return;
	want = 2 + ((size_t)(uint8_t)q->stream[0] << 8 | (uint8_t)q->stream[1]);
	if (want > 2 + DNS_MAX_MESSAGE)
		failed(q, TD_EUNSUPPORTED, "the answer is too long");
	else if (q->stream_n >= want && !answered(q, td_str_n(q->stream + 2, want - 2)))
		failed(q, TD_EUNSUPPORTED, "the answer is to another question");
}

static void on_closed(struct td_conn *c, int err, void *arg)
{
	struct dns_query *q = arg;

	server_of(q)->rests_until_ms = td_loop_now_ms(q->entry->dns->loop) + DNS_SERVER_REST_MS;
	failed(q, TD_ETIMEOUT, "the connection failed");
}

static const struct td_conn_events stream_events = { .data = on_stream, .closed = on_closed };

static int send_stream(struct dns_query *q, struct td_buf *question)
{
	struct td_buf *b = td_buf_new(2 + (size_t)question->len);
	int err;

	if (!b)
		return -ENOMEM;
	b->data[0] = (char)(question->len >> 8);
	b->data[1] = (char)question->len;
	memcpy(b->data + 2, question->data, question->len);
	b->len = 2 + question->len;
	err = td_conn_open(&q->conn, q->entry->dns->net, &server_of(q)->addr, &stream_events, q);
	if (!err)
		err = td_conn_send(q->conn, b);
	td_buf_unref(b);
	return err;
}

static int send_datagram(struct dns_query *q, struct td_buf *question)
{
	const struct td_addr *to = &server_of(q)->addr;
	struct td_addr any = { .family = to->family };
	int err = td_udp_open(&q->udp, q->entry->dns->net, &any, 0, on_datagram, q);

	return err ? err : td_udp_send(q->udp, to, question);
}

/* ---- tries ---- */

static uint32_t patience_ms(const struct dns_query *q)
{
	const struct td_dns *d = q->entry->dns;
	uint64_t now = td_loop_now_ms(d->loop), left = q->deadline_ms > now ? q->deadline_ms - now : 0;
	uint32_t wait = q->tries <= d->server_n ? DNS_TRY_MS : DNS_TRY_MAX_MS;

	return left < wait ? (uint32_t)left : wait;
}

static void on_timeout(struct td_timer *tm, void *arg)
{
	struct dns_query *q = arg;
	struct td_dns *d = q->entry->dns;

	d->stats.timeouts++;
	server_of(q)->rests_until_ms = td_loop_now_ms(d->loop) + DNS_SERVER_REST_MS;
	failed(q, TD_ETIMEOUT, "no answer in time");
}

static void ask_again(struct dns_query *q, bool stream)
{
	struct td_dns *d = q->entry->dns;
	struct td_buf *b;
	int err;

	drop_sockets(q);
	q->strange = 0;
	td_rng_bytes(td_loop_rng(d->loop), &q->id, sizeof(q->id));
	b = dns_question(q->id, &q->name, q->entry->type, q->edns);
	err = !b ? -ENOMEM : stream ? send_stream(q, b) : send_datagram(q, b);
	td_buf_unref(b);
	if (err == -ENOMEM) {
		finish(q, err, NULL, NULL, 0);
		return;
	}
	d->stats.questions += !err;
	/* Where the machine cannot send, the timer brings the next server as well: nothing calls back from inside the question. */
	td_timer_start(d->loop, &q->timer, err ? 0 : patience_ms(q));
}

/* The next in turn that is not resting; when all rest, the next in turn. */
static unsigned choose(const struct dns_query *q)
{
	const struct td_dns *d = q->entry->dns;
	uint64_t now = td_loop_now_ms(d->loop);

	for (unsigned i = 0; i < d->server_n; i++) {
		unsigned s = (q->tries + i) % d->server_n;

		if (d->servers[s].rests_until_ms <= now)
			return s;
	}
	return q->tries % d->server_n;
}

static void next_try(struct dns_query *q)
{
	struct td_dns *d = q->entry->dns;

	/* Once round is enough for servers that say no; silence may be a lost packet. */
	if (!d->server_n || td_loop_now_ms(d->loop) >= q->deadline_ms || (q->tries >= d->server_n && q->err != TD_ETIMEOUT)) {
		finish(q, d->server_n ? q->err : TD_ETIMEOUT, NULL, NULL, DNS_FAILURE_S);
		return;
	}
	q->server = choose(q);
	q->tries++;
	ask_again(q, false);
}

int dns_query_start(struct dns_entry *e)
{
	struct td_dns *d = e->dns;
	struct dns_query *q = calloc(1, sizeof(*q));

	if (!q)
		return -ENOMEM;
	*q = (struct dns_query){
		.entry = e,
		.name = e->name,
		.deadline_ms = td_loop_now_ms(d->loop) + d->timeout_ms,
		.alias_ttl_s = DNS_TTL_MAX_S,
		.err = TD_ETIMEOUT,
		.edns = true,
	};
	td_timer_init(&q->timer, on_timeout, q);
	e->query = q;
	d->stats.pending++;
	next_try(q);
	return 0;
}
