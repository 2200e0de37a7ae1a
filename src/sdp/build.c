/* Building our own descriptions: the pieces offers and answers are made of. Everything is copied into the arena. */
#include "build.h"

#include <errno.h>

/* Moves what was written into the arena. */
static int keep(struct td_str *out, struct td_arena *a, struct td_out *o)
{
	int err = o->failed ? -ENOMEM : td_arena_dup(out, a, td_out_view(o));

	td_out_free(o);
	return err;
}

static int number(struct td_str *out, struct td_arena *a, uint64_t v)
{
	char mem[24];
	struct td_out o;

	td_out_init_fixed(&o, mem, sizeof(mem));
	td_out_u64(&o, v);
	return keep(out, a, &o);
}

static int add_attr(struct td_sdp_media *m, struct td_arena *a, struct td_out *o)
{
	struct td_str text;
	int err = keep(&text, a, o);

	return err ? err : sdp_line_add(&m->lines, a, 'a', text);
}

static struct td_str addr_type(const struct td_sdp_local *l)
{
	return l->family == 6 ? TD_STR("IP6") : TD_STR("IP4");
}

/* o=- <id> <version> IN IP4 <addr>. Within a session everything but the version stays as it was (RFC 3264 §8). */
static int set_origin(struct td_sdp *sdp, struct td_arena *a, const struct td_sdp_local *l, const struct td_sdp *prev)
{
	struct td_sdp_origin *o = &sdp->origin;
	int err;

	sdp->has_origin = true;
	o->user = TD_STR("-");
	o->net_type = TD_STR("IN");
	if (prev && prev->origin.addr.n) {
		const struct td_sdp_origin *p = &prev->origin;

		err = td_arena_dup(&o->user, a, p->user);
		err = err ? err : td_arena_dup(&o->session_id, a, p->session_id);
		err = err ? err : td_arena_dup(&o->version, a, p->version);
		err = err ? err : td_arena_dup(&o->net_type, a, p->net_type);
		err = err ? err : td_arena_dup(&o->addr_type, a, p->addr_type);
		return err ? err : td_arena_dup(&o->addr, a, p->addr);
	}
	o->addr_type = addr_type(l);
	err = number(&o->session_id, a, l->session_id);
	o->version = o->session_id;
	return err ? err : td_arena_dup(&o->addr, a, l->addr);
}

struct td_sdp *sdp_describe(struct td_arena *a, const struct td_sdp_local *l, const struct td_sdp *prev)
{
	struct td_sdp *sdp = sdp_new(a);

	if (!sdp || set_origin(sdp, a, l, prev))
		return NULL;
	sdp->has_name = true;
	sdp->name = TD_STR("-");
	sdp->conn = td_arena_zalloc(a, sizeof(*sdp->conn));
	if (!sdp->conn || td_arena_dup(&sdp->conn->addr, a, l->addr))
		return NULL;
	sdp->conn->net_type = TD_STR("IN");
	sdp->conn->addr_type = addr_type(l);
	sdp->conn->family = l->family;
	if (sdp_line_add(&sdp->lines, a, 't', TD_STR("0 0")))
		return NULL;
	return sdp;
}

static int add_format(struct td_sdp_media *m, struct td_arena *a, const struct sdp_fmt *f)
{
	struct td_out o;
	int err = number(&m->formats[m->n_formats], a, f->pt);

	if (err)
		return err;
	m->n_formats++;
	td_out_init(&o);
	td_out_fmt(&o, "rtpmap:%u %.*s/%u", f->pt, TD_FMT(f->codec->name), f->codec->clock_hz);
	if (f->codec->channels > 1)
		td_out_fmt(&o, "/%u", f->codec->channels);
	err = add_attr(m, a, &o);
	if (err || !f->codec->fmtp.n)
		return err;
	td_out_init(&o);
	td_out_fmt(&o, "fmtp:%u %.*s", f->pt, TD_FMT(f->codec->fmtp));
	return add_attr(m, a, &o);
}

int sdp_add_audio(struct td_sdp *sdp, struct td_arena *a, const struct td_sdp_local *l, struct td_str proto,
		  const struct sdp_fmt *fmts, size_t n_fmts, enum td_sdp_dir dir)
{
	struct td_sdp_media *m = sdp_media_add(sdp, a);
	struct td_out o;
	size_t i;
	int err;

	if (!m)
		return -ENOMEM;
	m->kind = TD_STR("audio");
	m->port = l->port;
	m->formats = td_arena_alloc(a, n_fmts * sizeof(*m->formats));
	err = m->formats ? td_arena_dup(&m->proto, a, proto) : -ENOMEM;
	for (i = 0; !err && i < n_fmts; i++)
		err = add_format(m, a, &fmts[i]);
	if (!err && l->ptime_ms) {
		td_out_init(&o);
		td_out_fmt(&o, "ptime:%u", l->ptime_ms);
		err = add_attr(m, a, &o);
	}
	if (!err && l->rtcp_port && l->rtcp_port != l->port + 1) {
		td_out_init(&o);
		td_out_fmt(&o, "rtcp:%u", l->rtcp_port);
		err = add_attr(m, a, &o);
	}
	return err ? err : sdp_line_add(&m->lines, a, 'a', td_sdp_dir_name(dir));
}

int sdp_add_refused(struct td_sdp *sdp, struct td_arena *a, const struct td_sdp_media *like)
{
	struct td_sdp_media *m = sdp_media_add(sdp, a);
	int err;

	if (!m)
		return -ENOMEM;
	m->formats = td_arena_alloc(a, sizeof(*m->formats));
	if (!m->formats)
		return -ENOMEM;
	err = td_arena_dup(&m->kind, a, like->kind);
	err = err ? err : td_arena_dup(&m->proto, a, like->proto);
	if (!err && like->n_formats) { /* the list means nothing any more; one keeps the grammar (§6) */
		err = td_arena_dup(&m->formats[0], a, like->formats[0]);
		m->n_formats = 1;
	}
	return err;
}

int sdp_raise_version(struct td_sdp *sdp, struct td_arena *a, const struct td_sdp *prev)
{
	struct td_out now, then;
	bool same, failed;
	uint64_t v;

	td_out_init(&now);
	td_out_init(&then);
	td_sdp_print(&now, sdp);
	td_sdp_print(&then, prev);
	failed = now.failed || then.failed;
	same = td_str_eq(td_out_view(&now), td_out_view(&then));
	td_out_free(&now);
	td_out_free(&then);
	if (failed)
		return -ENOMEM;
	if (same || td_str_u64(&v, sdp->origin.version, UINT64_MAX - 1))
		return 0;
	return number(&sdp->origin.version, a, v + 1);
}
