/*
 * Addresses of record in the database: one row for each, with all its bindings in one value, under a number that whoever
 * holds the address remembers. A new address goes to the end of the table and a known one is found by its number, so rows
 * that come one after the other share their pages, and there is no index on text to keep: that costs a page of the log for
 * each row once there are many.
 *
 * Change sets are collected by a worker as bytes, in the layout they have on disk, and played by the writer as statements.
 */
#include <stdlib.h>
#include "server/store/internal.h"

enum { OP_PUT = 1, OP_DELETE };

struct op {
	uint8_t kind;
	uint32_t aor_n, packed_n; /* follow the op */
	uint64_t id;
};

/*
 * A binding on disk, numbers in network order. Then its flow, contact, params, Call-ID and user agent.
 *
 *   expires_at 4, cseq 4, q 2, lengths of contact 2, params 2, Call-ID 2, user agent 1, flow 1
 *   flow: protocol 1, listener 1, family 1, port 2, address 4 or 16, scope 4 for IPv6
 *   path: only where the length of the flow has HAS_PATH set: its length 2, and its bytes (since schema 4)
 */
enum { HEAD = 4 + 4 + 2 + 2 + 2 + 2 + 1 + 1, HAS_PATH = 0x80, FLOW_V4 = 1 + 1 + 1 + 2 + 4, FLOW_V6 = 1 + 1 + 1 + 2 + 16 + 4 };

static uint8_t *put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
	return p + 2;
}

static uint8_t *put32(uint8_t *p, uint32_t v)
{
	return put16(put16(p, v >> 16), v & 0xffff);
}

static uint32_t get16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static uint32_t get32(const uint8_t *p)
{
	return get16(p) << 16 | get16(p + 2);
}

static uint8_t *put_str(uint8_t *p, struct td_str s, size_t n)
{
	if (n)
		memcpy(p, s.p, n);
	return p + n;
}

static size_t flow_size(const struct td_flow *f)
{
	return f->peer.family == TD_AF_NONE ? 0 : f->peer.family == TD_AF_V4 ? FLOW_V4 : FLOW_V6;
}

/* The connection is left out. */
static uint8_t *put_flow(uint8_t *p, const struct td_flow *f)
{
	size_t n = flow_size(f);

	if (!n)
		return p;
	p[0] = f->proto;
	p[1] = f->listener;
	p[2] = f->peer.family;
	put16(p + 3, f->peer.port);
	memcpy(p + 5, f->peer.ip, n == FLOW_V4 ? 4 : 16);
	if (n == FLOW_V6)
		put32(p + 21, f->peer.scope);
	return p + n;
}

static bool get_flow(struct td_flow *f, const uint8_t *p, size_t n)
{
	*f = (struct td_flow){ 0 };
	if (n == 0)
		return true;
	if (n != FLOW_V4 && n != FLOW_V6)
		return false;
	f->proto = p[0];
	f->listener = p[1];
	f->peer.family = p[2];
	f->peer.port = (uint16_t)get16(p + 3);
	memcpy(f->peer.ip, p + 5, n == FLOW_V4 ? 4 : 16);
	if (n == FLOW_V6)
		f->peer.scope = get32(p + 21);
	return (f->peer.family == TD_AF_V4) == (n == FLOW_V4);
}

static size_t agent_length(const struct td_store_binding *b)
{
	return b->user_agent.n < UINT8_MAX ? b->user_agent.n : UINT8_MAX;
}

static size_t binding_size(const struct td_store_binding *b)
{
	return HEAD + flow_size(&b->flow) + (b->path.n ? 2 + b->path.n : 0) + b->contact.n + b->params.n + b->call_id.n +
	       agent_length(b);
}

static uint8_t *put_binding(uint8_t *p, const struct td_store_binding *b)
{
	p = put32(p, b->expires_at_s < UINT32_MAX ? (uint32_t)b->expires_at_s : UINT32_MAX);
	p = put32(p, b->cseq);
	p = put16(p, (uint32_t)b->q);
	p = put16(p, (uint32_t)b->contact.n);
	p = put16(p, (uint32_t)b->params.n);
	p = put16(p, (uint32_t)b->call_id.n);
	*p++ = (uint8_t)agent_length(b);
	*p++ = (uint8_t)(flow_size(&b->flow) | (b->path.n ? HAS_PATH : 0));
	p = put_flow(p, &b->flow);
	if (b->path.n)
		p = put_str(put16(p, (uint32_t)b->path.n), b->path, b->path.n);
	p = put_str(p, b->contact, b->contact.n);
	p = put_str(p, b->params, b->params.n);
	p = put_str(p, b->call_id, b->call_id.n);
	return put_str(p, b->user_agent, agent_length(b));
}

int td_store_binding_next(struct td_store_binding *out, struct td_str *rest)
{
	const uint8_t *p = (const uint8_t *)rest->p;
	const char *at;

	if (!rest->n)
		return 0;
	if (rest->n < HEAD)
		return TD_ESYNTAX;
	size_t contact_n = get16(p + 10), params_n = get16(p + 12), call_id_n = get16(p + 14), agent_n = p[16];
	size_t flow_n = p[17] & ~HAS_PATH, path_n = 0, ahead = HEAD + flow_n;
	if (p[17] & HAS_PATH) {
		if (rest->n < ahead + 2)
			return TD_ESYNTAX;
		path_n = get16(p + ahead);
		ahead += 2;
	}
	if (rest->n < ahead + path_n + contact_n + params_n + call_id_n + agent_n || !get_flow(&out->flow, p + HEAD, flow_n))
		return TD_ESYNTAX;
	out->expires_at_s = get32(p);
	out->cseq = get32(p + 4);
	out->q = (int32_t)get16(p + 8);
	at = rest->p + ahead;
	out->path = td_str_n(at, path_n);
	out->contact = td_str_n(at += path_n, contact_n);
	out->params = td_str_n(at += contact_n, params_n);
	out->call_id = td_str_n(at += params_n, call_id_n);
	out->user_agent = td_str_n(at += call_id_n, agent_n);
	at += agent_n;
	*rest = td_str_n(at, rest->n - (size_t)(at - rest->p));
	return 1;
}

/* ---- collecting ---- */

struct td_store_write *td_store_write_new(struct td_store *s, struct td_loop *loop, td_store_done_fn *fn, void *arg)
{
	struct td_store_write *w = malloc(sizeof(*w));

	if (!w)
		return NULL;
	memset(w, 0, offsetof(struct td_store_write, ops_inline));
	w->store = s;
	w->loop = loop;
	w->fn = fn;
	w->arg = arg;
	w->ops = w->ops_inline;
	w->cap = sizeof(w->ops_inline);
	return w;
}

void td_store_write_free(struct td_store_write *w)
{
	if (!w)
		return;
	if (w->ops != w->ops_inline)
		free(w->ops);
	free(w);
}

char *td_store_write_room(struct td_store_write *w, size_t n)
{
	size_t cap = w->cap * 2 > w->n + n ? w->cap * 2 : w->n + n;
	bool inside = w->ops == w->ops_inline;

	if (n > w->cap - w->n) {
		char *p = realloc(inside ? NULL : w->ops, cap);

		if (!p)
			return NULL;
		if (inside)
			memcpy(p, w->ops_inline, w->n);
		w->ops = p;
		w->cap = cap;
	}
	w->n += n;
	return w->ops + w->n - n;
}

unsigned td_store_write_changes(const struct td_store_write *w)
{
	return w->changes;
}

int td_store_put_address(struct td_store_write *w, uint64_t id, struct td_str aor, const struct td_store_binding *b, unsigned n)
{
	struct op op = { .kind = OP_PUT, .id = id, .aor_n = (uint32_t)aor.n };
	size_t packed_n = 0;
	uint8_t *p;
	char *to;

	for (unsigned i = 0; i < n; i++)
		packed_n += binding_size(&b[i]);
	if (packed_n > INT32_MAX) /* SQLite's end, far beyond any limit on contacts */
		return -EMSGSIZE;
	op.packed_n = (uint32_t)packed_n;
	to = td_store_write_room(w, sizeof(op) + aor.n + packed_n);
	if (!to)
		return -ENOMEM;
	w->changes++;
	memcpy(to, &op, sizeof(op));
	p = put_str((uint8_t *)to + sizeof(op), aor, aor.n);
	for (unsigned i = 0; i < n; i++)
		p = put_binding(p, &b[i]);
	return 0;
}

int td_store_delete_address(struct td_store_write *w, uint64_t id)
{
	struct op op = { .kind = OP_DELETE, .id = id };
	char *to = td_store_write_room(w, sizeof(op));

	if (!to)
		return -ENOMEM;
	w->changes++;
	memcpy(to, &op, sizeof(op));
	return 0;
}

uint64_t td_store_new_id(struct td_store *s)
{
	return atomic_fetch_add_explicit(&s->next_id, 1, memory_order_relaxed);
}

/* ---- playing ---- */

static int apply_op(struct td_store *s, const struct op *op, const char *bytes)
{
	int err;
	sqlite3_stmt *st = td_store_sql(s, op->kind == OP_PUT ? TD_SQL_PUT_ADDRESS : TD_SQL_DELETE_ADDRESS, &err);

	if (!st)
		return err;
	sqlite3_bind_int64(st, 1, (sqlite3_int64)op->id);
	if (op->kind == OP_PUT) {
		td_store_bind_str(st, 2, td_str_n(bytes, op->aor_n));
		sqlite3_bind_blob(st, 3, bytes + op->aor_n, (int)op->packed_n, SQLITE_STATIC);
	}
	return td_store_run(st);
}

int td_store_apply(struct td_store *s, const struct td_store_write *w)
{
	const char *p = w->ops, *end = w->ops + w->n;
	int err = 0;

	if (w->calls)
		return td_store_apply_calls(s, w);
	while (p < end && !err) {
		struct op op;

		memcpy(&op, p, sizeof(op));
		p += sizeof(op);
		err = apply_op(s, &op, p);
		p += op.aor_n + op.packed_n;
	}
	return err;
}

/* ---- reading ---- */

struct row_head {
	uint64_t id;
	uint32_t aor_n, packed_n; /* follow */
};

static int add_row(struct td_store_page *pg, sqlite3_stmt *st)
{
	struct td_str aor = td_store_column_str(st, 1);
	const void *packed = sqlite3_column_blob(st, 2);
	size_t packed_n = packed ? (size_t)sqlite3_column_bytes(st, 2) : 0;
	struct row_head h = { .id = (uint64_t)sqlite3_column_int64(st, 0),
			      .aor_n = (uint32_t)aor.n,
			      .packed_n = (uint32_t)packed_n };

	td_out_str(&pg->rows, td_str_n((const char *)&h, sizeof(h)));
	td_out_str(&pg->rows, aor);
	td_out_str(&pg->rows, td_str_n(packed, packed_n));
	pg->after = h.id;
	pg->n++;
	return pg->rows.failed ? -ENOMEM : 0;
}

static int read_rows(struct td_store *s, struct td_store_page *pg)
{
	int err, rc = SQLITE_DONE;
	sqlite3_stmt *st = td_store_sql(s, TD_SQL_READ_ADDRESSES, &err);

	if (!st)
		return err;
	sqlite3_bind_int64(st, 1, (sqlite3_int64)pg->after);
	sqlite3_bind_int64(st, 2, pg->until < INT64_MAX ? (sqlite3_int64)pg->until : INT64_MAX);
	sqlite3_bind_int64(st, 3, pg->most);
	while (!err && (rc = sqlite3_step(st)) == SQLITE_ROW)
		err = add_row(pg, st);
	sqlite3_reset(st);
	return err ? err : td_store_err(rc);
}

int td_store_read_page(struct td_store *s, struct td_store_page *pg)
{
	uint64_t after = pg->after;
	int err;

	pg->rows.n = pg->n = 0;
	pthread_mutex_lock(&s->db_lock);
	err = read_rows(s, pg);
	pthread_mutex_unlock(&s->db_lock);
	if (err)
		pg->after = after;
	return err;
}

bool td_store_page_next(struct td_store_row *out, const struct td_store_page *pg, size_t *at)
{
	struct row_head h;

	if (*at >= pg->rows.n)
		return false;
	memcpy(&h, pg->rows.p + *at, sizeof(h));
	*at += sizeof(h);
	out->id = h.id;
	out->aor = td_str_n(pg->rows.p + *at, h.aor_n);
	out->bindings = td_str_n(pg->rows.p + *at + h.aor_n, h.packed_n);
	*at += h.aor_n + h.packed_n;
	return true;
}

/* ---- the table of schema 1: a row per binding ---- */

struct mover {
	struct td_store_write *w;
	struct td_str aor; /* its bindings gather in b, their strings in arena */
	struct td_store_binding *b;
	unsigned n, cap;
	struct td_arena arena;
};

static int move_flush(struct td_store *s, struct mover *m)
{
	int err = 0;

	if (m->n)
		err = td_store_put_address(m->w, td_store_new_id(s), m->aor, m->b, m->n);
	if (!err)
		err = td_store_apply(s, m->w);
	m->w->n = 0;
	m->n = 0;
	m->aor = TD_STR_NULL;
	td_arena_reset(&m->arena);
	return err;
}

/* The flow as it was kept then: protocol 1, listener 1, family 1, address 16, port 2, scope 4. */
static void old_flow(struct td_flow *f, const uint8_t *p, int n)
{
	*f = (struct td_flow){ 0 };
	if (!p || n != 25)
		return;
	f->proto = p[0];
	f->listener = p[1];
	f->peer.family = p[2];
	memcpy(f->peer.ip, p + 3, 16);
	f->peer.port = (uint16_t)get16(p + 19);
	f->peer.scope = get32(p + 21);
}

static int move_row(struct td_store *s, struct mover *m, sqlite3_stmt *st)
{
	struct td_str aor = td_store_column_str(st, 0);
	int err = 0;

	if (!td_str_eq(aor, m->aor)) {
		err = move_flush(s, m);
		if (!err)
			err = td_arena_dup(&m->aor, &m->arena, aor);
	}
	if (!err && m->n == m->cap) {
		unsigned cap = m->cap ? 2 * m->cap : 16;
		struct td_store_binding *more = realloc(m->b, cap * sizeof(*more));

		if (!more)
			return -ENOMEM;
		m->b = more;
		m->cap = cap;
	}
	if (err)
		return err;
	struct td_store_binding *b = &m->b[m->n++];
	struct td_str *strings[] = { &b->contact, &b->params, &b->call_id, &b->user_agent };
	*b = (struct td_store_binding){ .cseq = (uint32_t)sqlite3_column_int64(st, 5),
					.q = sqlite3_column_int(st, 6),
					.expires_at_s = (uint64_t)sqlite3_column_int64(st, 7) };
	old_flow(&b->flow, sqlite3_column_blob(st, 8), sqlite3_column_bytes(st, 8));
	for (int i = 0; i < 4 && !err; i++)
		err = td_arena_dup(strings[i], &m->arena, td_store_column_str(st, 1 + i));
	return err;
}

int td_store_move_bindings(struct td_store *s)
{
	struct mover m = { .w = td_store_write_new(s, NULL, NULL, NULL) };
	sqlite3_stmt *st = NULL;
	int err, rc;

	if (!m.w)
		return -ENOMEM;
	td_arena_init(&m.arena);
	rc = sqlite3_prepare_v2(s->db,
				"SELECT aor, contact, params, call_id, user_agent, cseq, q, expires_at, flow FROM bindings"
				" ORDER BY aor",
				-1, &st, NULL);
	err = td_store_err(rc);
	while (!err && (rc = sqlite3_step(st)) == SQLITE_ROW)
		err = move_row(s, &m, st);
	if (!err)
		err = td_store_err(rc);
	if (!err)
		err = move_flush(s, &m);
	sqlite3_finalize(st);
	if (!err)
		err = td_store_err(sqlite3_exec(s->db, "DROP TABLE bindings", NULL, NULL, NULL));
	td_store_write_free(m.w);
	td_arena_reset(&m.arena);
	free(m.b);
	return err;
}
