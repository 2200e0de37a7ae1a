/*
 * Change sets of bindings: collected by a worker as bytes, played by the writer as statements; and reading all of them at
 * the start.
 */
#include <stdlib.h>
#include "server/store/internal.h"

enum { OP_PUT = 1, OP_DELETE, OP_DELETE_AOR, OP_FORGET };
enum { AOR, CONTACT, PARAMS, CALL_ID, USER_AGENT, STRINGS };

struct op {
	uint8_t kind;
	bool has_flow;
	uint32_t cseq;
	int32_t q;
	uint64_t expires_at_s;
	struct td_flow flow;
	uint32_t len[STRINGS];
};

/* How a flow is kept, its connection left out: a layout of bytes, not of a struct. */
enum { FLOW_BYTES = 1 + 1 + 1 + 16 + 2 + 4 };

static void flow_encode(uint8_t out[FLOW_BYTES], const struct td_flow *f)
{
	out[0] = f->proto;
	out[1] = f->listener;
	out[2] = f->peer.family;
	memcpy(out + 3, f->peer.ip, 16);
	out[19] = (uint8_t)(f->peer.port >> 8);
	out[20] = (uint8_t)f->peer.port;
	for (int i = 0; i < 4; i++)
		out[21 + i] = (uint8_t)(f->peer.scope >> (24 - 8 * i));
}

static void flow_decode(struct td_flow *f, const uint8_t *in)
{
	memset(f, 0, sizeof(*f));
	f->proto = in[0];
	f->listener = in[1];
	f->peer.family = in[2];
	memcpy(f->peer.ip, in + 3, 16);
	f->peer.port = (uint16_t)(in[19] << 8 | in[20]);
	for (int i = 0; i < 4; i++)
		f->peer.scope = f->peer.scope << 8 | in[21 + i];
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

static int grow(struct td_store_write *w, size_t need)
{
	size_t cap = w->cap * 2 > w->n + need ? w->cap * 2 : w->n + need;
	bool inside = w->ops == w->ops_inline;
	char *p = realloc(inside ? NULL : w->ops, cap);

	if (!p)
		return -ENOMEM;
	if (inside)
		memcpy(p, w->ops_inline, w->n);
	w->ops = p;
	w->cap = cap;
	return 0;
}

char *td_store_write_room(struct td_store_write *w, size_t n)
{
	char *p;

	if (n > w->cap - w->n && grow(w, n))
		return NULL;
	p = w->ops + w->n;
	w->n += n;
	return p;
}

unsigned td_store_write_changes(const struct td_store_write *w)
{
	return w->changes;
}

static int add(struct td_store_write *w, struct op *op, const struct td_str strings[STRINGS])
{
	size_t need = sizeof(*op);
	char *p;

	for (int i = 0; i < STRINGS; i++) {
		op->len[i] = (uint32_t)strings[i].n;
		need += strings[i].n;
	}
	p = td_store_write_room(w, need);
	if (!p)
		return -ENOMEM;
	memcpy(p, op, sizeof(*op));
	p += sizeof(*op);
	for (int i = 0; i < STRINGS; i++) {
		if (strings[i].n)
			memcpy(p, strings[i].p, strings[i].n);
		p += strings[i].n;
	}
	w->changes++;
	return 0;
}

int td_store_put_binding(struct td_store_write *w, const struct td_store_binding *b)
{
	struct op op = {
		.kind = OP_PUT,
		.cseq = b->cseq,
		.q = b->q,
		.expires_at_s = b->expires_at_s,
		.flow = b->flow,
		.has_flow = b->flow.peer.family != TD_AF_NONE,
	};

	return add(w, &op, (struct td_str[STRINGS]){ b->aor, b->contact, b->params, b->call_id, b->user_agent });
}

int td_store_delete_binding(struct td_store_write *w, struct td_str aor, struct td_str contact)
{
	return add(w, &(struct op){ .kind = OP_DELETE }, (struct td_str[STRINGS]){ aor, contact });
}

int td_store_delete_aor(struct td_store_write *w, struct td_str aor)
{
	return add(w, &(struct op){ .kind = OP_DELETE_AOR }, (struct td_str[STRINGS]){ aor });
}

void td_store_forget_expired(struct td_store *s, uint64_t now_s)
{
	struct td_store_write *w = td_store_write_new(s, NULL, NULL, NULL);

	if (!w) /* the next round gets them */
		return;
	add(w, &(struct op){ .kind = OP_FORGET, .expires_at_s = now_s }, (struct td_str[STRINGS]){ 0 });
	td_store_submit(w);
}

/* ---- playing ---- */

static int apply_put(struct td_store *s, const struct op *op, const struct td_str str[STRINGS])
{
	uint8_t flow[FLOW_BYTES];
	int err;
	sqlite3_stmt *st = td_store_sql(s, TD_SQL_PUT_BINDING, &err);

	if (!st)
		return err;
	for (int i = 0; i < STRINGS; i++)
		td_store_bind_str(st, 1 + i, str[i]);
	sqlite3_bind_int64(st, 6, op->cseq);
	sqlite3_bind_int(st, 7, op->q);
	sqlite3_bind_int64(st, 8, (sqlite3_int64)op->expires_at_s);
	if (op->has_flow) {
		flow_encode(flow, &op->flow);
		sqlite3_bind_blob(st, 9, flow, FLOW_BYTES, SQLITE_STATIC);
	} else {
		sqlite3_bind_null(st, 9);
	}
	return td_store_run(st);
}

static int apply_op(struct td_store *s, const struct op *op, const struct td_str str[STRINGS])
{
	static const enum td_store_sql of_kind[] = {
		[OP_DELETE] = TD_SQL_DELETE_BINDING,
		[OP_DELETE_AOR] = TD_SQL_DELETE_AOR,
		[OP_FORGET] = TD_SQL_FORGET,
	};
	sqlite3_stmt *st;
	int err;

	if (op->kind == OP_PUT)
		return apply_put(s, op, str);
	st = td_store_sql(s, of_kind[op->kind], &err);
	if (!st)
		return err;
	if (op->kind == OP_FORGET)
		sqlite3_bind_int64(st, 1, (sqlite3_int64)op->expires_at_s);
	else
		td_store_bind_str(st, 1, str[AOR]);
	if (op->kind == OP_DELETE)
		td_store_bind_str(st, 2, str[CONTACT]);
	return td_store_run(st);
}

int td_store_apply(struct td_store *s, const struct td_store_write *w)
{
	const char *p = w->ops, *end = w->ops + w->n;

	if (w->calls)
		return td_store_apply_calls(s, w);
	while (p < end) {
		struct td_str str[STRINGS];
		struct op op;

		memcpy(&op, p, sizeof(op));
		p += sizeof(op);
		for (int i = 0; i < STRINGS; i++) {
			str[i] = td_str_n(p, op.len[i]);
			p += op.len[i];
		}
		int err = apply_op(s, &op, str);
		if (err)
			return err;
	}
	return 0;
}

/* ---- reading ---- */

static void read_row(struct td_store_binding *b, sqlite3_stmt *st)
{
	struct td_str *strings[] = { &b->aor, &b->contact, &b->params, &b->call_id, &b->user_agent };
	const uint8_t *flow = sqlite3_column_blob(st, 8);

	for (int i = 0; i < STRINGS; i++)
		*strings[i] = td_store_column_str(st, i);
	b->cseq = (uint32_t)sqlite3_column_int64(st, 5);
	b->q = sqlite3_column_int(st, 6);
	b->expires_at_s = (uint64_t)sqlite3_column_int64(st, 7);
	memset(&b->flow, 0, sizeof(b->flow));
	if (flow && sqlite3_column_bytes(st, 8) == FLOW_BYTES)
		flow_decode(&b->flow, flow);
}

int td_store_each_binding(struct td_store *s, int (*fn)(void *arg, const struct td_store_binding *b), void *arg)
{
	struct td_store_binding b;
	int err, rc = SQLITE_DONE;

	pthread_mutex_lock(&s->db_lock);
	sqlite3_stmt *st = td_store_sql(s, TD_SQL_EACH_BINDING, &err);
	while (st && !err && (rc = sqlite3_step(st)) == SQLITE_ROW) {
		read_row(&b, st);
		err = fn(arg, &b);
	}
	if (st) {
		sqlite3_reset(st);
		if (!err)
			err = td_store_err(rc);
	}
	pthread_mutex_unlock(&s->db_lock);
	return err;
}
